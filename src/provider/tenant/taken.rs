//! What stands already where a tenant is to be made, and what of it may be imported.

use tokio_util::sync::CancellationToken;

use crate::postgres::catalog::snapshot::Role;
use crate::postgres::text::name;
use crate::postgres::{Cluster, Feature, Inside, RoleName, SchemaName, Snapshot};
use crate::tenant::names::{is_reserved, is_reserved_schema};
use crate::tenant::observed::{any_marker, database_marker};
use crate::tenant::{Conflict, Marker, Names, Observed, adoption};
use crate::tf_provider::{Diagnostic, Path};

use super::super::names;

/// An object that stands in the way, with the way to take it over, where there is one. For that the database is looked into.
pub(super) async fn in_the_way(
    cluster: &Cluster,
    conflict: &Conflict,
    snapshot: &Snapshot,
    names: &Names,
    cancel: &CancellationToken,
) -> Diagnostic {
    let foreign = matches!(conflict, Conflict::Foreign { .. }).then(|| Observed::locate(snapshot, names));
    let inside = match foreign.filter(Observed::is_enterable).and_then(|observed| observed.database_name()) {
        // What cannot be read is not known: the hint names the schema that is asked for.
        Some(database) => {
            let inside = cluster.inside(&database, cancel).await;
            cluster.leave(&database).await;
            inside.ok()
        }
        None => None,
    };
    occupied(conflict, snapshot, names, inside.as_ref())
}

fn occupied(conflict: &Conflict, snapshot: &Snapshot, names: &Names, inside: Option<&Inside>) -> Diagnostic {
    let tenant = names.tenant.as_str();
    match conflict {
        Conflict::Tenant(_) => Diagnostic::error(
            format!("There is a tenant {tenant:?} already"),
            format!(
                "This provider made it, and it is complete. If it is another Terraform state's, choose another name. If its \
                 resource was renamed, write a `moved` block. If it is to be replaced, remove `create_before_destroy` from \
                 its resource and from those that refer to it: two databases of one name cannot be there at once. To take \
                 it into this state:\n\n{}",
                import(tenant)
            ),
        )
        .at_attribute("name"),
        Conflict::OtherTenant { object, name, tenant: other } => Diagnostic::error(
            format!("There is a {object} {name:?} already"),
            format!("It belongs to tenant {other:?}. Choose another name."),
        )
        .at_attribute(*object),
        Conflict::Foreign { object, name } => Diagnostic::error(
            format!("There is a {object} {name:?} already"),
            format!(
                "This provider did not make it, and leaves it alone. Choose another name{}",
                takeover(snapshot, names, inside)
            ),
        )
        .at_attribute(*object),
    }
}

/// How to make a tenant of what is there.
fn takeover(snapshot: &Snapshot, names: &Names, inside: Option<&Inside>) -> String {
    let Some(found) = adoptable(snapshot, names, inside) else { return ".".to_owned() };
    let others = [
        ("role", names.role.as_str(), found.role.as_str(), "the owner of the database"),
        ("schema", names.schema.as_str(), found.schema.as_str(), "the schema with the role's tables"),
    ];
    let others = others.into_iter().filter(|(_, wanted, found, _)| wanted != found);
    let others: Vec<_> =
        others.map(|(attribute, _, found, what)| format!("`{attribute} = {found:?}` ({what})")).collect();
    let set = if others.is_empty() { String::new() } else { format!(" Set {}.", others.join(" and ")) };
    let id = format!("{}/{}/{}/{}", found.tenant, found.database, found.role, found.schema);
    format!(
        ", or make a tenant of the existing objects, with all that is in them.{set} The plan then says what changes for those who use it:\n\n{}",
        import(&id)
    )
}

/// The names by which what is there becomes a tenant: its role may be another, and so may its schema.
fn adoptable(snapshot: &Snapshot, names: &Names, inside: Option<&Inside>) -> Option<Names> {
    let observed = Observed::locate(snapshot, names);
    if is_held(snapshot, names, &observed) {
        return None;
    }
    let may_be = |role: &Role| {
        !role.superuser
            && role.name != snapshot.server.admin
            && !is_reserved(&role.name)
            && any_marker(role).is_none()
            && role.name.parse::<RoleName>().is_ok()
    };
    let owner = observed.database.as_ref().and_then(|database| {
        snapshot.roles.iter().filter(|role| role.name == database.owner).find(|role| may_be(role))
    });
    let role = match &observed.role {
        Some(role) => may_be(role).then(|| names.role.clone())?,
        None => owner.and_then(|owner| owner.name.parse().ok()).unwrap_or_else(|| names.role.clone()),
    };
    // Up to 14 no admin but a superuser governs `public`.
    let may_govern = |schema: &SchemaName| schema.as_str() != "public" || snapshot.server.governs_public();
    let schema = inside.and_then(|inside| adoption::home(inside, role.as_str())).filter(may_govern);
    Some(Names { schema: schema.unwrap_or_else(|| names.schema.clone()), role, ..names.clone() })
}

/// Whether the database or the role is another tenant's.
fn is_held(snapshot: &Snapshot, names: &Names, observed: &Observed) -> bool {
    let database = snapshot.databases.iter().any(|other| other.name == names.database.as_str());
    let role = snapshot.roles.iter().any(|other| other.name == names.role.as_str());
    database && observed.database.is_none() || role && observed.role.is_none()
}

fn import(id: &str) -> String {
    format!("import {{\n  to = pgtenant_tenant.<name>\n  id = {}\n}}", serde_json::Value::String(id.to_owned()))
}

/// A name that is the provider's own: its maintenance database, and the roles that it logs in and acts as.
pub(super) fn own(cluster: &Cluster, names: &Names) -> Option<Diagnostic> {
    if names.database == *cluster.maintenance() {
        return Some(
            Diagnostic::error(
                format!("Database {:?} is no tenant's", names.database.as_str()),
                "It is the maintenance database, to which the provider connects (`database` in the provider block). Choose \
                 another name.",
            )
            .at_attribute("database"),
        );
    }
    cluster.own_roles().find(|own| **own == names.role).map(|own| {
        Diagnostic::error(
            format!("Role {:?} is no tenant's", own.as_str()),
            "The provider logs in or acts as this role (`username` and `assume_role` in the provider block). Choose another \
             name.",
        )
        .at_attribute("role")
    })
}

/// What an import ID names: `name`, or `name/database/role/schema` for what carries no marker. The database or the role is
/// there, and may become a tenant's; the apply makes the other.
pub(super) fn importable(cluster: &Cluster, snapshot: &Snapshot, id: &str) -> Result<Observed, Diagnostic> {
    let at_id = |diagnostic: Diagnostic| diagnostic.at_attribute("id");
    let (names, observed) = match id.split('/').collect::<Vec<_>>()[..] {
        [tenant, database, role, schema] => {
            let names = parse([tenant, database, role, schema])?;
            let observed = Observed::locate(snapshot, &names);
            elsewhere(&names, &observed).map_or(Ok((names, observed)), Err)?
        }
        _ => {
            let tenant = names::parse(Path::attribute("id"), id)?;
            let observed = Observed::find(snapshot, &tenant).ok_or_else(|| {
                at_id(Diagnostic::error(
                    format!("There is no tenant {id:?}"),
                    "No database and role on this server carry the marker of a tenant of that name. To import what the \
                     provider did not make, write `name/database/role/schema`.",
                ))
            })?;
            (observed.names.clone(), observed)
        }
    };
    if let Some(diagnostic) = own(cluster, &names) {
        return Err(at_id(diagnostic));
    }
    if let Some(missing) = missing(snapshot, &names, &observed) {
        return Err(at_id(Diagnostic::error("Nothing to import", missing)));
    }
    unfit(snapshot, &observed).map_or(Ok(observed), |diagnostic| Err(at_id(diagnostic)))
}

/// Why what is there cannot become a tenant, with the SQL that helps.
fn unfit(snapshot: &Snapshot, observed: &Observed) -> Option<Diagnostic> {
    let admin = name(&snapshot.server.admin);
    if let Some(role) = &observed.role {
        if role.superuser {
            return Some(Diagnostic::error(
                format!("Role {:?} is no tenant's", role.name),
                "It is a superuser, whom nothing on the server holds back. Import another role.",
            ));
        }
        if !observed.alters_role() {
            // As PostgreSQL gives it to whoever makes a role: more would stay in the plan as a membership that this admin cannot revoke.
            let grant = format!("GRANT {} TO {admin} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE", name(&role.name));
            let detail = if snapshot.server.has(Feature::MembershipsByGrantor) {
                format!("It has no ADMIN option on it. A superuser, or a role that has it, runs: {grant}.")
            } else {
                format!("It lacks CREATEROLE. A superuser runs: ALTER ROLE {admin} CREATEROLE.")
            };
            return Some(Diagnostic::error(format!("This admin may not alter role {:?}", role.name), detail));
        }
        let own = observed.database.as_ref().map(|database| database.name.as_str());
        let others =
            snapshot.databases.iter().filter(|other| other.owner == role.name && Some(other.name.as_str()) != own);
        let others: Vec<_> = others.map(|other| name(&other.name)).collect();
        if !others.is_empty() {
            let detail = format!(
                "A tenant has one database, and its role's limits would hold in all of them. Give each of these an owner of its own \
                 first (ALTER DATABASE ... OWNER TO ...): {}.",
                others.join(", ")
            );
            return Some(Diagnostic::error(format!("Role {:?} owns other databases", role.name), detail));
        }
    }
    let database = observed.database.as_ref().filter(|_| !observed.owns_database())?;
    let detail = format!(
        "It belongs to role {}, for whom this admin may not act. A superuser runs: ALTER DATABASE {} OWNER TO {admin}.",
        name(&database.owner),
        name(&database.name),
    );
    Some(Diagnostic::error(format!("This admin may not alter database {:?}", database.name), detail))
}

/// The names of an import ID, which keep the rules of a configuration.
fn parse([tenant, database, role, schema]: [&str; 4]) -> Result<Names, Diagnostic> {
    let path = || Path::attribute("id");
    let reserved = [tenant, database, role].into_iter().find(|name| is_reserved(name));
    if let Some(name) = reserved.or(Some(schema).filter(|schema| is_reserved_schema(schema))) {
        return Err(Diagnostic::error(
            format!("The name {name:?} is reserved"),
            "PostgreSQL, the service that runs it, or this provider keeps it for itself. Import something else.",
        )
        .at(path()));
    }
    Ok(Names {
        tenant: names::parse(path(), tenant)?,
        database: names::parse(path(), database)?,
        role: names::parse(path(), role)?,
        schema: names::parse(path(), schema)?,
    })
}

/// A tenant of that name is there, with other objects than the import ID names.
fn elsewhere(names: &Names, observed: &Observed) -> Option<Diagnostic> {
    let database = observed.database_name().filter(|found| *found != names.database).map(|found| found.to_string());
    let role = observed.role_name().filter(|found| *found != names.role).map(|found| found.to_string());
    let (object, found) = database.map(|found| ("database", found)).or(role.map(|found| ("role", found)))?;
    let tenant = names.tenant.as_str();
    Some(
        Diagnostic::error(
            format!("Tenant {tenant:?} has another {object}"),
            format!("Its {object} is {found:?}, by its marker. Write {tenant:?} alone to import it."),
        )
        .at_attribute("id"),
    )
}

/// Why there is nothing that could become a tenant: neither of the two is there, or one is another tenant's.
fn missing(snapshot: &Snapshot, names: &Names, observed: &Observed) -> Option<String> {
    let (database, role) = (names.database.as_str(), names.role.as_str());
    let held = |object: &str, name: &str, marker: Option<Marker>| {
        marker.map(|marker| format!("The {object} {name:?} belongs to tenant {:?}.", marker.tenant))
    };
    let databases = snapshot.databases.iter().filter(|found| observed.database.is_none() && found.name == database);
    let roles = snapshot.roles.iter().filter(|found| observed.role.is_none() && found.name == role);
    let database_of = databases.filter_map(|found| held("database", database, database_marker(found)));
    let role_of = roles.filter_map(|found| held("role", role, any_marker(found)));
    let held: Vec<String> = database_of.chain(role_of).collect();
    match (held.is_empty(), observed.exists()) {
        (true, true) => None,
        (true, false) => Some(format!("There is neither a database {database:?} nor a role {role:?}.")),
        (false, _) => Some(held.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::catalog::inside::Relations;
    use crate::postgres::catalog::snapshot::Database;
    use crate::tenant::fixture;

    /// Of a cluster that has these databases, owned by a role of the same name, and these roles, none of them a tenant's: what is
    /// proposed for a tenant `acme` with a role `app`. A superuser has an exclamation mark.
    fn check(databases: &[&str], roles: &[&str], inside: Option<&Inside>, set: &str, id: Option<&str>) {
        let mut snapshot = fixture::snapshot();
        let (database, role) = (snapshot.databases.remove(0), snapshot.roles.remove(0));
        snapshot.databases.extend(databases.iter().map(|&name| {
            let mut database = database.clone();
            (database.name, database.comment, database.owner) = (name.to_owned(), None, name.to_owned());
            database
        }));
        snapshot.roles.extend(roles.iter().map(|&name| {
            let mut role = role.clone();
            (role.name, role.comment) = (name.trim_end_matches('!').to_owned(), None);
            role.superuser = name.ends_with('!');
            role
        }));
        let names = Names { role: "app".parse().unwrap(), ..fixture::names() };
        let conflict = Observed::locate(&snapshot, &names).conflict(&snapshot, &names).expect("a conflict");
        let detail = occupied(&conflict, &snapshot, &names, inside).detail;
        assert_eq!(detail.split_once(" Set ").map_or("", |(_, set)| set.split(". ").next().unwrap()), set, "{detail}");
        let proposed = detail.split_once("id = \"").map(|(_, id)| id.split('"').next().unwrap());
        assert_eq!(proposed, id, "{detail}");
    }

    #[test]
    fn an_import_is_proposed_that_works_for_what_is_there() {
        check(&["acme"], &["app"], None, "", Some("acme/acme/app/app"));
        check(&[], &["app"], None, "", Some("acme/acme/app/app"));
        check(&["acme"], &["app!"], None, "", None);
        // Without a role of that name the owner is the tenant's, unless none may be.
        const OWNER: &str = "`role = \"acme\"` (the owner of the database)";
        check(&["acme"], &["acme"], None, OWNER, Some("acme/acme/acme/app"));
        check(&["acme"], &["acme!"], None, "", Some("acme/acme/app/app"));
        check(&["acme"], &[], None, "", Some("acme/acme/app/app"));
        let relations = |owner: &str| Relations {
            kind: "r".to_owned(),
            schema: "public".to_owned(),
            owner: owner.to_owned(),
            count: 2,
        };
        let inside = Inside { relations: vec![relations("app")], ..Inside::default() };
        const SCHEMA: &str = "`schema = \"public\"` (the schema with the role's tables)";
        check(&["acme"], &["app"], Some(&inside), SCHEMA, Some("acme/acme/app/public"));
        let inside = Inside { relations: vec![relations("acme")], ..Inside::default() };
        check(&["acme"], &["app"], Some(&inside), "", Some("acme/acme/app/app"));
        let both = format!("{OWNER} and {SCHEMA}");
        check(&["acme"], &["acme"], Some(&inside), &both, Some("acme/acme/acme/public"));
    }

    #[test]
    fn what_an_import_lacks_is_told_apart() {
        let mut snapshot = fixture::snapshot();
        let names = |database: &str, role: &str| Names {
            tenant: "globex".parse().unwrap(),
            database: database.parse().unwrap(),
            role: role.parse().unwrap(),
            ..fixture::names()
        };
        let said = |snapshot: &Snapshot, names: &Names| {
            missing(snapshot, names, &Observed::locate(snapshot, names)).unwrap_or_default()
        };
        assert_eq!(said(&snapshot, &names("acme", "nobody")), "The database \"acme\" belongs to tenant \"acme\".");
        assert_eq!(
            said(&snapshot, &names("nowhere", "nobody")),
            "There is neither a database \"nowhere\" nor a role \"nobody\"."
        );
        snapshot.databases[0].comment = None;
        assert_eq!(said(&snapshot, &names("acme", "acme")), "The role \"acme\" belongs to tenant \"acme\".");
        // The half that is there is taken, and the apply makes the other.
        assert_eq!(said(&snapshot, &names("acme", "nobody")), "");
        snapshot.roles[0].comment = None;
        assert_eq!(said(&snapshot, &names("acme", "acme")), "");
        assert_eq!(said(&snapshot, &names("nowhere", "acme")), "");
    }

    #[test]
    fn what_this_admin_cannot_make_a_tenant_of_is_refused_with_the_sql_that_helps() {
        let check = |change: fn(&mut Snapshot), major: u32, summary: Option<&str>, sql: &str| {
            let mut snapshot = fixture::snapshot();
            (snapshot.roles[0].comment, snapshot.databases[0].comment) = (None, None);
            snapshot.server.version_num = major * 10_000;
            change(&mut snapshot);
            let refused = unfit(&snapshot, &Observed::locate(&snapshot, &fixture::names()));
            assert_eq!(refused.as_ref().map(|refused| refused.summary.as_str()), summary);
            let detail = refused.map(|refused| refused.detail).unwrap_or_default();
            assert!(detail.contains(sql), "{detail}");
        };
        check(|_| {}, 16, None, "");
        check(
            |snapshot| snapshot.roles[0].superuser = true,
            16,
            Some("Role \"acme\" is no tenant's"),
            "Import another",
        );
        let unmanaged = |snapshot: &mut Snapshot| snapshot.roles[0].manageable = false;
        let summary = Some("This admin may not alter role \"acme\"");
        check(unmanaged, 16, summary, "GRANT acme TO admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE");
        check(unmanaged, 15, summary, "ALTER ROLE admin CREATEROLE");
        let owns_two = |snapshot: &mut Snapshot| {
            let other = Database { name: "Two".into(), owner: "acme".into(), ..snapshot.databases[0].clone() };
            snapshot.databases.push(other);
        };
        check(
            owns_two,
            16,
            Some("Role \"acme\" owns other databases"),
            "first (ALTER DATABASE ... OWNER TO ...): \"Two\".",
        );
        let foreign = |snapshot: &mut Snapshot| {
            (snapshot.databases[0].owner, snapshot.databases[0].owner_usable) = ("legacy".into(), false);
        };
        let summary = Some("This admin may not alter database \"acme\"");
        check(
            foreign,
            16,
            summary,
            "It belongs to role legacy, for whom this admin may not act. A superuser runs: ALTER DATABASE acme OWNER TO admin.",
        );
        // As its own owner it is taken over.
        check(
            |snapshot| {
                (snapshot.databases[0].owner, snapshot.databases[0].owner_usable) = ("acme".into(), false);
            },
            16,
            None,
            "",
        );
    }

    #[test]
    fn an_import_id_keeps_the_rules_of_names() {
        for (id, word) in [
            (["acme", "postgres", "acme", "app"], "postgres"),
            (["acme", "acme", "rds_superuser", "app"], "rds_superuser"),
            (["acme", "acme", "acme", "pg_temp"], "pg_temp"),
            (["template1", "acme", "acme", "app"], "template1"),
        ] {
            assert_eq!(parse(id).unwrap_err().summary, format!("The name {word:?} is reserved"));
        }
        assert_eq!(parse(["acme", "acme", "acme", "app"]), Ok(fixture::names()));
    }
}

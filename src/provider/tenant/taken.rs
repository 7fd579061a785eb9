//! What stands already where a tenant is to be made, and what of it may be imported.

use crate::postgres::{Cluster, Snapshot};
use crate::tenant::names::{is_reserved, is_reserved_schema};
use crate::tenant::observed::{database_marker, role_marker};
use crate::tenant::{Conflict, Names, Observed};
use crate::tf_provider::{Diagnostic, Path};

use super::super::names;

/// An object that stands in the way, with the way to take it over, where there is one.
pub(super) fn occupied(conflict: &Conflict, snapshot: &Snapshot, names: &Names) -> Diagnostic {
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
            format!("This provider did not make it, and leaves it alone. Choose another name{}", takeover(snapshot, names)),
        )
        .at_attribute(*object),
    }
}

/// How to make a tenant of what is there.
fn takeover(snapshot: &Snapshot, names: &Names) -> String {
    let observed = Observed::locate(snapshot, names);
    let (database, role) = (names.database.quoted(), names.role.quoted());
    let before = match (&observed.database, &observed.role) {
        (None, None) => return ".".to_owned(),
        (_, Some(found)) if found.superuser || found.name == snapshot.server.admin => return ".".to_owned(),
        (Some(_), Some(_)) => String::new(),
        (Some(_), None) if snapshot.roles.iter().any(|other| other.name == names.role.as_str()) => {
            return ".".to_owned();
        }
        (None, Some(_)) if snapshot.databases.iter().any(|other| other.name == names.database.as_str()) => {
            return ".".to_owned();
        }
        (Some(_), None) => format!(" first, as there is no role {role}, run `CREATE ROLE {role}`; then:"),
        (None, Some(_)) => {
            format!(" first, as there is no database {database}, run `CREATE DATABASE {database}`; then:")
        }
    };
    let id = format!("{}/{}/{}/{}", names.tenant, names.database, names.role, names.schema);
    format!(", or make it a tenant with all that is in it:{before}\n\n{}", import(&id))
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

/// What an import ID names: `name`, or `name/database/role/schema` for what carries no marker. Both the database and the role
/// are there, and may become a tenant's.
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
    match &observed.role {
        Some(role) if role.superuser => Err(at_id(Diagnostic::error(
            format!("Role {:?} is no tenant's", role.name),
            "It is a superuser, whom nothing on the server holds back. Import another role.",
        ))),
        _ => Ok(observed),
    }
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

/// What is not there of the two, or is another tenant's.
fn missing(snapshot: &Snapshot, names: &Names, observed: &Observed) -> Option<String> {
    let mut said = Vec::new();
    if observed.database.is_none() {
        let name = names.database.as_str();
        let found = snapshot.databases.iter().find(|database| database.name == name);
        let other = found.and_then(database_marker).map(|marker| marker.tenant);
        said.push(absent("database", name, &names.database.quoted(), other));
    }
    if observed.role.is_none() {
        let name = names.role.as_str();
        let found = snapshot.roles.iter().find(|role| role.name == name);
        let other = found.and_then(role_marker).map(|marker| marker.tenant);
        said.push(absent("role", name, &names.role.quoted(), other));
    }
    (!said.is_empty()).then(|| said.join(" "))
}

fn absent(object: &str, name: &str, quoted: &str, other: Option<String>) -> String {
    match other {
        Some(tenant) => format!("The {object} {name:?} belongs to tenant {tenant:?}."),
        None => {
            let verb = object.to_ascii_uppercase();
            format!(
                "There is no {object} {name:?}. Run `CREATE {verb} {quoted}` first to import the rest with an empty one."
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::fixture;

    /// Of a cluster that has these databases and roles, none of them a tenant's: what is said of a tenant `acme` with a role
    /// `app`. A superuser has an exclamation mark.
    fn check(databases: &[&str], roles: &[&str], said: &str, import: bool) {
        let mut snapshot = fixture::snapshot();
        let (database, role) = (snapshot.databases.remove(0), snapshot.roles.remove(0));
        snapshot.databases.extend(databases.iter().map(|&name| {
            let mut database = database.clone();
            (database.name, database.comment) = (name.to_owned(), None);
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
        let detail = occupied(&conflict, &snapshot, &names).detail;
        assert!(detail.contains(said), "{said:?} is not in: {detail}");
        assert_eq!(detail.contains("id = \"acme/acme/app/app\""), import, "{detail}");
    }

    #[test]
    fn an_import_is_proposed_where_it_works() {
        check(&["acme"], &["app"], "with all that is in it:", true);
        check(&["acme"], &[], "run `CREATE ROLE \"app\"`; then:", true);
        check(&[], &["app"], "run `CREATE DATABASE \"acme\"`; then:", true);
        check(&["acme"], &["app!"], "Choose another name.", false);
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
        assert_eq!(
            said(&snapshot, &names("acme", "nobody")),
            "The database \"acme\" belongs to tenant \"acme\". There is no role \"nobody\". Run `CREATE ROLE \"nobody\"` first to \
             import the rest with an empty one."
        );
        snapshot.databases[0].comment = None;
        assert!(said(&snapshot, &names("acme", "acme")).starts_with("The role \"acme\" belongs to tenant"));
        snapshot.roles[0].comment = None;
        assert_eq!(said(&snapshot, &names("acme", "acme")), "");
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

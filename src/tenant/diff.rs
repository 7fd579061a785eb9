//! What must change for a tenant to be as it is wanted.

use std::collections::BTreeSet;

use postgres_protocol::escape::escape_literal;

use crate::postgres::{ExtensionName, RoleName, SchemaName, Verifier};

use super::isolation::{Control, Finding, assess_in_order};
use super::limits::{ADMIN_CONNECTIONS, Limits};
use super::marker::{Marker, Stage};
use super::names::{EXTENSIONS_SCHEMA, Names};
use super::{Change, Grantee, Observed};

/// A tenant as it is wanted: all known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    pub names: Names,
    /// Where the tenant is not to log in, its sessions are ended.
    pub login: bool,
    /// TEMPORARY on the database.
    pub temporary: bool,
    pub extensions: BTreeSet<ExtensionName>,
    /// The roles that the tenant is to be a member of.
    pub member_of: BTreeSet<RoleName>,
    pub locale: Locale,
    /// Set when the role is made, and whenever it is `Some`: what is stored cannot be compared.
    pub password: Option<Verifier>,
    /// Set when the password was changed by somebody else.
    pub password_if_changed: Option<Verifier>,
    pub password_version: Option<i64>,
}

/// How a database encodes and sorts text; fixed when it is made. What is `None` comes from the server.
///
/// <https://www.postgresql.org/docs/current/sql-createdatabase.html>
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Locale {
    pub encoding: Option<String>,
    /// `libc`, `icu` or `builtin`: PostgreSQL 15, 15 and 17.
    pub provider: Option<String>,
    pub collate: Option<String>,
    pub ctype: Option<String>,
    /// Of the ICU or builtin provider.
    pub locale: Option<String>,
}

impl Locale {
    pub(super) fn clauses(&self) -> String {
        // ICU_LOCALE until 16, where LOCALE meant libc's; BUILTIN_LOCALE came with 17. ICU_LOCALE is
        // still taken by later majors.
        let locale_word = match self.provider.as_deref() {
            Some("icu") => "ICU_LOCALE",
            Some("builtin") => "BUILTIN_LOCALE",
            _ => "LOCALE",
        };
        [
            ("ENCODING", &self.encoding),
            ("LOCALE_PROVIDER", &self.provider),
            ("LC_COLLATE", &self.collate),
            ("LC_CTYPE", &self.ctype),
            (locale_word, &self.locale),
        ]
        .into_iter()
        .filter_map(|(word, value)| Some(format!(" {word} {}", escape_literal(value.as_ref()?))))
        .collect()
    }
}

impl Desired {
    /// What the role finds without naming a schema.
    pub(super) fn search_path(&self) -> Vec<SchemaName> {
        let mut path = vec![self.names.schema.clone()];
        if !self.extensions.is_empty() {
            path.push(EXTENSIONS_SCHEMA.parse().expect("a name"));
        }
        path
    }
}

/// The next changes on the way from what is observed to what is wanted, in the order in which they are
/// run. Empty when the tenant is as it should be, as far as was observed.
///
/// What cannot be told before something else exists comes in a later round: run these, observe again.
/// The tenant's role logs in last, when all else stands, and only if the database was entered.
pub fn diff(desired: &Desired, observed: &Observed) -> Vec<Change> {
    let names = &desired.names;
    let mut changes = missing_objects(desired, observed);
    let (Some(database), Some(role)) = (&observed.database, &observed.role) else { return changes };
    changes.extend(renames(names, observed));
    if observed.database_marker().is_none()
        && observed.role_marker().is_some_and(|marker| marker.stage == Stage::Creating)
    {
        // Together with its opening: an open database without a marker could be anybody's.
        let marker = Marker::new(names, Stage::Creating, None);
        changes.push(Change::MarkDatabase { database: names.database.clone(), marker });
    }
    if let Some(verifier) = &desired.password {
        changes.push(Change::SetPassword { role: names.role.clone(), verifier: verifier.clone() });
    }
    if !desired.login && role.login {
        changes.extend(shut_out(&names.role));
    }
    let mut last = Vec::new();
    for (control, finding) in assess_in_order(desired, observed) {
        let Finding::Found { repair, .. } = finding else { continue };
        match control {
            Control::Registered => last = repair,
            _ => changes.extend(repair),
        }
    }
    let temporary = database
        .acl
        .iter()
        .any(|grant| grant.privilege == "TEMPORARY" && grant.grantee.as_deref() == Some(role.name.as_str()));
    match (desired.temporary, temporary) {
        (true, false) => changes.push(Change::GrantDatabase {
            database: names.database.clone(),
            privileges: vec!["TEMPORARY"],
            role: names.role.clone(),
        }),
        (false, true) => changes.push(Change::RevokeDatabase {
            database: names.database.clone(),
            privileges: vec!["TEMPORARY".to_owned()],
            grantee: Grantee::Role(names.role.clone()),
        }),
        _ => {}
    }
    let Some(inside) = &observed.inside else { return changes };
    for extension in &desired.extensions {
        if !inside.extensions.contains(extension.as_str()) {
            changes.push(Change::CreateExtension {
                database: names.database.clone(),
                extension: extension.clone(),
                schema: EXTENSIONS_SCHEMA.parse().expect("a name"),
            });
        }
    }
    let wanted = |name: &ExtensionName| desired.extensions.contains(name);
    for extension in inside.extensions.iter().filter_map(|name| name.parse().ok()).filter(|name| !wanted(name)) {
        changes.push(Change::DropExtension { database: names.database.clone(), extension });
    }
    if desired.login && !role.login {
        changes.push(Change::Login { role: names.role.clone() });
    }
    changes.extend(last);
    changes
}

/// Keeps a role from logging in and ends its sessions. Before as well: a session with an open
/// transaction that changed its own role would make the change wait for as long as it likes.
pub(super) fn shut_out(role: &RoleName) -> [Change; 3] {
    let role = || role.clone();
    [Change::EndSessions { role: role() }, Change::NoLogin { role: role() }, Change::EndLateSessions { role: role() }]
}

fn missing_objects(desired: &Desired, observed: &Observed) -> Vec<Change> {
    let names = &desired.names;
    let limits = Limits::safe();
    let mut changes = Vec::new();
    if observed.role.is_none() {
        changes.push(Change::CreateRole {
            role: names.role.clone(),
            password: desired.password.clone(),
            limits: limits.clone(),
        });
        changes.push(Change::MarkRole { role: names.role.clone(), marker: Marker::new(names, Stage::Creating, None) });
    }
    if observed.database.is_none() {
        changes.push(Change::CreateDatabase {
            database: names.database.clone(),
            locale: desired.locale.clone(),
            connection_limit: limits.connection_limit + ADMIN_CONNECTIONS,
        });
    }
    changes
}

/// Renames of what exists under another name. Everything after them speaks of the new names.
fn renames(names: &Names, observed: &Observed) -> Vec<Change> {
    let mut changes = Vec::new();
    if let Some(from) = observed.database_name().filter(|name| *name != names.database) {
        changes.push(Change::RenameDatabase { from, to: names.database.clone() });
    }
    if let Some(from) = observed.role_name().filter(|name| *name != names.role) {
        changes.push(Change::RenameRole { from, to: names.role.clone() });
    }
    let schema = observed.schema(names).and_then(|schema| schema.name.parse::<SchemaName>().ok());
    if let Some(from) = schema.filter(|name| *name != names.schema) {
        let database = names.database.clone();
        changes.push(Change::RenameSchema { database, from, to: names.schema.clone() });
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Secret;
    use crate::postgres::catalog::acl::Grant;
    use crate::postgres::catalog::inside::{DefaultPrivilege, ObjectGrant, ObjectIdentity};
    use crate::postgres::catalog::snapshot::{Dependency, Membership};
    use crate::tenant::isolation::assess;
    use crate::tenant::{fixture, render};

    /// Changes one fact of a tenant that is as it should be, and expects these statements to repair it.
    fn check(break_it: impl FnOnce(&mut Desired, &mut Observed), expected: &[&str]) -> (Desired, Observed) {
        let (mut desired, mut observed) = (fixture::desired(), fixture::observed());
        break_it(&mut desired, &mut observed);
        let script = render(&diff(&desired, &observed));
        let texts: Vec<&str> = script.0.iter().flat_map(|step| &step.statements).map(|s| s.text.as_str()).collect();
        assert_eq!(texts, expected);
        (desired, observed)
    }

    /// As `check`, and expects the control to say what was found.
    fn check_control(control: Control, found: &str, break_it: impl FnOnce(&mut Observed), expected: &[&str]) {
        let (desired, observed) = check(|_, observed| break_it(observed), expected);
        let findings = assess(&desired, &observed);
        assert_eq!(findings[&control].describe().as_deref(), Some(found));
        let others = findings.iter().filter(|(other, finding)| **other != control && **finding != Finding::Enforced);
        assert_eq!(others.count(), 0, "no other control is touched");
    }

    fn grant(grantee: Option<&str>, privilege: &str) -> Grant {
        Grant { grantee: grantee.map(str::to_owned), privilege: privilege.to_owned(), grantable: false }
    }

    fn database(observed: &mut Observed) -> &mut crate::postgres::catalog::snapshot::Database {
        observed.database.as_mut().unwrap()
    }

    fn role(observed: &mut Observed) -> &mut crate::postgres::catalog::snapshot::Role {
        observed.role.as_mut().unwrap()
    }

    fn schema<'a>(observed: &'a mut Observed, name: &str) -> &'a mut crate::postgres::catalog::inside::Schema {
        let schemas = &mut observed.inside.as_mut().unwrap().schemas;
        schemas.iter_mut().find(|schema| schema.name == name).unwrap()
    }

    #[test]
    fn a_tenant_as_it_should_be_needs_nothing() {
        let (desired, observed) = check(|_, _| {}, &[]);
        assert!(assess(&desired, &observed).values().all(|finding| *finding == Finding::Enforced));
    }

    #[test]
    fn a_new_tenant_is_made_closed() {
        check(
            |_, observed| {
                observed.role = None;
                observed.database = None;
                observed.inside = None;
                observed.settings.clear();
            },
            &[
                "CREATE ROLE \"acme\" NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT \
                 CONNECTION LIMIT 10",
                "COMMENT ON ROLE \"acme\" IS \
                 '{\"pgtenant\":\"acme\",\"stage\":\"creating\",\"database\":\"acme\",\"role\":\"acme\",\"schema\":\"app\"}'",
                "CREATE DATABASE \"acme\" TEMPLATE template0 ENCODING 'UTF8' CONNECTION LIMIT 15 ALLOW_CONNECTIONS false",
            ],
        );
    }

    #[test]
    fn a_half_made_tenant_is_opened_only_when_public_is_out() {
        let (desired, mut observed) = (fixture::desired(), fixture::observed());
        observed.inside = None;
        observed.settings.clear();
        observed.role.as_mut().unwrap().login = false;
        observed.role.as_mut().unwrap().comment = Some(Marker::new(&desired.names, Stage::Creating, None).text());
        let facts = database(&mut observed);
        facts.comment = None;
        facts.allow_connections = false;
        facts.acl = vec![grant(None, "CONNECT"), grant(None, "TEMPORARY")];
        let changes = diff(&desired, &observed);
        let at = |wanted: fn(&Change) -> bool| changes.iter().position(wanted);
        let revoke = at(|change| matches!(change, Change::RevokeDatabase { grantee: Grantee::Public, .. }));
        let open = at(|change| matches!(change, Change::Open { .. }));
        assert!(revoke.is_some() && revoke < open);
        assert_eq!(at(|change| matches!(change, Change::Login { .. })), None, "not before the schema stands");
        assert_eq!(at(|change| matches!(change, Change::MarkRole { .. })), None, "not complete yet");
        let script = render(&changes);
        assert_eq!(script.0.len(), 1, "the revoke and the opening are one transaction: {script:?}");
    }

    #[test]
    fn each_control_is_told_and_repaired() {
        check_control(
            Control::PublicPrivileges,
            "PUBLIC has CONNECT, TEMPORARY",
            |o| database(o).acl.extend([grant(None, "TEMPORARY"), grant(None, "CONNECT")]),
            &["REVOKE ALL ON DATABASE \"acme\" FROM PUBLIC CASCADE"],
        );
        check_control(
            Control::OtherPrivileges,
            "globex has CONNECT",
            |o| database(o).acl.push(grant(Some("globex"), "CONNECT")),
            &["REVOKE ALL ON DATABASE \"acme\" FROM \"globex\" CASCADE"],
        );
        check_control(
            Control::TenantPrivileges,
            "the tenant has CREATE",
            |o| database(o).acl.push(grant(Some("acme"), "CREATE")),
            &[
                "REVOKE ALL ON DATABASE \"acme\" FROM \"acme\" CASCADE",
                "GRANT CONNECT ON DATABASE \"acme\" TO \"acme\"",
            ],
        );
        check_control(
            Control::TenantPrivileges,
            "the tenant lacks CONNECT",
            |o| database(o).acl.clear(),
            &["GRANT CONNECT ON DATABASE \"acme\" TO \"acme\""],
        );
        check_control(
            Control::DatabaseOwner,
            "owned by acme",
            |o| database(o).owner = "acme".to_owned(),
            &[
                "GRANT \"acme\" TO CURRENT_USER",
                "ALTER DATABASE \"acme\" OWNER TO CURRENT_USER",
                "REVOKE \"acme\" FROM CURRENT_USER",
            ],
        );
        check_control(
            Control::RoleAttributes,
            "CREATEDB, CREATEROLE, INHERIT",
            |o| (role(o).create_database, role(o).create_role, role(o).inherit) = (true, true, true),
            &["ALTER ROLE \"acme\" NOCREATEDB NOCREATEROLE NOINHERIT"],
        );
        check_control(
            Control::SearchPath,
            "public",
            |o| o.settings.iter_mut().filter(|s| s.name == "search_path").for_each(|s| s.value = "public".into()),
            &["ALTER ROLE \"acme\" IN DATABASE \"acme\" SET \"search_path\" = \"app\""],
        );
        check_control(
            Control::Governed,
            "no connection limit, no lock_timeout",
            |o| {
                role(o).connection_limit = -1;
                o.settings.retain(|s| s.name != "lock_timeout");
            },
            &[
                "ALTER ROLE \"acme\" CONNECTION LIMIT 10",
                "ALTER DATABASE \"acme\" SET \"lock_timeout\" = 10000",
                "ALTER ROLE \"acme\" SET \"lock_timeout\" = 10000",
            ],
        );
        check_control(
            Control::DatabaseOpen,
            "the database is a template",
            |o| database(o).is_template = true,
            &["ALTER DATABASE \"acme\" ALLOW_CONNECTIONS true IS_TEMPLATE false"],
        );
        check_control(
            Control::PublicSchema,
            "PUBLIC has USAGE on public",
            |o| schema(o, "public").acl.push(grant(None, "USAGE")),
            &["REVOKE ALL ON SCHEMA \"public\" FROM PUBLIC CASCADE"],
        );
        check_control(
            Control::SchemaPrivileges,
            "globex has USAGE on app; the tenant lacks CREATE on app",
            |o| schema(o, "app").acl = vec![grant(Some("globex"), "USAGE"), grant(Some("acme"), "USAGE")],
            &[
                "REVOKE ALL ON SCHEMA \"app\" FROM \"globex\" CASCADE",
                "GRANT CREATE, USAGE ON SCHEMA \"app\" TO \"acme\"",
            ],
        );
        check_control(
            Control::Registered,
            "the marker is missing or not up to date",
            |o| database(o).comment = None,
            &[
                "COMMENT ON ROLE \"acme\" IS \
                 '{\"pgtenant\":\"acme\",\"stage\":\"ready\",\"database\":\"acme\",\"role\":\"acme\",\"schema\":\"app\"}'",
                "COMMENT ON DATABASE \"acme\" IS \
                 '{\"pgtenant\":\"acme\",\"stage\":\"ready\",\"database\":\"acme\",\"role\":\"acme\",\"schema\":\"app\"}'",
            ],
        );
    }

    #[test]
    fn strangers_and_trips_abroad_are_told_and_repaired() {
        let membership = |role: &str, member: &str| Membership {
            role: role.to_owned(),
            member: member.to_owned(),
            grantor: Some("admin".to_owned()),
            automatic: false,
            revocable: true,
        };
        check_control(
            Control::Memberships,
            "a member of globex; globex is a member",
            |o| o.memberships = vec![membership("globex", "acme"), membership("acme", "globex")],
            &["REVOKE \"globex\" FROM \"acme\"", "REVOKE \"acme\" FROM \"globex\""],
        );
        check_control(
            Control::Memberships,
            "globex is a member",
            |o| {
                o.server.version_num = 160_000;
                o.memberships = vec![membership("acme", "globex")];
            },
            &["REVOKE \"acme\" FROM \"globex\" GRANTED BY \"admin\""],
        );
        check(|desired, _| desired.member_of = ["rds_iam".parse().unwrap()].into(), &["GRANT \"rds_iam\" TO \"acme\""]);
        check(
            |desired, observed| {
                desired.member_of = ["rds_iam".parse().unwrap()].into();
                observed.memberships = vec![membership("rds_iam", "acme")];
            },
            &[],
        );
        let guest = |kind: &str| Dependency {
            role: "globex".into(),
            database: Some("acme".into()),
            class: "pg_class".into(),
            kind: kind.into(),
            count: 2,
        };
        check_control(
            Control::OtherRoles,
            "globex has privileges on relations (2)",
            |o| {
                o.guests = vec![guest("a")];
                o.inside.as_mut().unwrap().grants = [ObjectGrant {
                    class: "table".into(),
                    object: ObjectIdentity::of_test("app.\"Orders\""),
                    grantee: "globex".into(),
                    owner: Some("acme".into()),
                }]
                .into();
            },
            &[
                "GRANT \"acme\" TO CURRENT_USER",
                "REVOKE ALL ON TABLE app.\"Orders\" FROM \"globex\" CASCADE",
                "REVOKE \"acme\" FROM CURRENT_USER",
            ],
        );
        check_control(
            Control::OtherRoles,
            "globex owns relations (2) (not this admin's to change)",
            |o| o.guests = vec![guest("o")],
            &[],
        );
        check_control(
            Control::Elsewhere,
            "CONNECT on database globex",
            |o| {
                let mut other = o.database.clone().unwrap();
                other.name = "globex".into();
                o.elsewhere = vec![other];
            },
            &["REVOKE ALL ON DATABASE \"globex\" FROM \"acme\" CASCADE"],
        );
        check_control(
            Control::DefaultPrivileges,
            "PUBLIC on tables of acme",
            |o| {
                o.inside.as_mut().unwrap().default_privileges = [DefaultPrivilege {
                    role: "acme".into(),
                    schema: Some("app".into()),
                    class: "r".into(),
                    grantee: None,
                }]
                .into();
            },
            &[
                "GRANT \"acme\" TO CURRENT_USER",
                "ALTER DEFAULT PRIVILEGES FOR ROLE \"acme\" IN SCHEMA \"app\" REVOKE ALL ON TABLES FROM PUBLIC CASCADE",
                "REVOKE \"acme\" FROM CURRENT_USER",
            ],
        );
    }

    #[test]
    fn a_password_that_somebody_changed_is_set_again_where_there_is_one_to_set() {
        check_control(Control::Password, "changed by somebody else", |o| o.password_changed = Some(true), &[]);
        let verifier = Verifier::salted(&Secret::new("hunter2"), "acme", "salt");
        let text = format!("ALTER ROLE \"acme\" PASSWORD '{}'", verifier.expose());
        check(
            |desired, observed| {
                observed.password_changed = Some(true);
                desired.password_if_changed = Some(verifier);
            },
            &[&text],
        );
    }

    #[test]
    fn what_this_admin_may_not_change_is_told_and_left() {
        check_control(
            Control::PublicSchema,
            "PUBLIC has CREATE on public (not this admin's to change)",
            |o| {
                schema(o, "public").owner_usable = false;
                schema(o, "public").acl.push(grant(None, "CREATE"));
            },
            &[],
        );
        check_control(
            Control::RoleAttributes,
            "SUPERUSER (not this admin's to change)",
            |o| role(o).superuser = true,
            &[],
        );
        check_control(
            Control::DatabaseOwner,
            "owned by rdsadmin (not this admin's to change)",
            |o| (database(o).owner, database(o).owner_usable) = ("rdsadmin".to_owned(), false),
            &[],
        );
    }

    #[test]
    fn a_superuser_may_take_every_attribute_back() {
        check(|_, o| (o.server.superuser, role(o).superuser) = (true, true), &["ALTER ROLE \"acme\" NOSUPERUSER"]);
    }

    #[test]
    fn renames_come_before_what_speaks_of_the_new_names() {
        check(
            |desired, _| {
                desired.names.tenant = "acme_corp".parse().unwrap();
                desired.names.database = "acme_db".parse().unwrap();
                desired.names.role = "acme_role".parse().unwrap();
                desired.names.schema = "main".parse().unwrap();
            },
            &[
                "ALTER DATABASE \"acme\" RENAME TO \"acme_db\"",
                "ALTER ROLE \"acme\" RENAME TO \"acme_role\"",
                "ALTER SCHEMA \"app\" RENAME TO \"main\"",
                "ALTER ROLE \"acme_role\" IN DATABASE \"acme_db\" SET \"search_path\" = \"main\"",
                "COMMENT ON SCHEMA \"main\" IS \
                 '{\"pgtenant\":\"acme_corp\",\"stage\":\"ready\",\"database\":\"acme_db\",\"role\":\"acme_role\",\"schema\":\"main\"}'",
                "COMMENT ON ROLE \"acme_role\" IS \
                 '{\"pgtenant\":\"acme_corp\",\"stage\":\"ready\",\"database\":\"acme_db\",\"role\":\"acme_role\",\"schema\":\"main\"}'",
                "COMMENT ON DATABASE \"acme_db\" IS \
                 '{\"pgtenant\":\"acme_corp\",\"stage\":\"ready\",\"database\":\"acme_db\",\"role\":\"acme_role\",\"schema\":\"main\"}'",
            ],
        );
    }

    #[test]
    fn attributes_are_changed_in_place() {
        check(
            |desired, _| desired.login = false,
            &[
                "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = 'acme'",
                "ALTER ROLE \"acme\" NOLOGIN",
                "SELECT pg_catalog.pg_sleep(0.2)",
                "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = 'acme'",
            ],
        );
        check(|_, o| role(o).login = false, &["ALTER ROLE \"acme\" LOGIN"]);
        check(|d, _| d.temporary = true, &["GRANT TEMPORARY ON DATABASE \"acme\" TO \"acme\""]);
        check(
            |_, o| database(o).acl.push(grant(Some("acme"), "TEMPORARY")),
            &["REVOKE TEMPORARY ON DATABASE \"acme\" FROM \"acme\" CASCADE"],
        );
        let verifier = Verifier::salted(&Secret::new("hunter2"), "acme", "salt");
        let text = format!("ALTER ROLE \"acme\" PASSWORD '{}'", verifier.expose());
        check(|desired, _| desired.password = Some(verifier), &[&text]);
        check(
            |_, o| o.inside.as_mut().unwrap().extensions = ["dblink".to_owned()].into(),
            &["DROP EXTENSION \"dblink\""],
        );
        check(
            |desired, _| desired.extensions = ["pgcrypto".parse().unwrap()].into(),
            &[
                "ALTER ROLE \"acme\" IN DATABASE \"acme\" SET \"search_path\" = \"app\", \"extensions\"",
                "CREATE SCHEMA \"extensions\"",
                "GRANT USAGE ON SCHEMA \"extensions\" TO \"acme\"",
                "CREATE EXTENSION \"pgcrypto\" SCHEMA \"extensions\"",
            ],
        );
    }

    #[test]
    fn from_outside_nothing_inside_is_judged() {
        let (desired, observed) = check(|_, observed| observed.inside = None, &[]);
        let findings = assess(&desired, &observed);
        assert_eq!(findings[&Control::SchemaPrivileges], Finding::NotInspected);
        assert_eq!(findings[&Control::PublicSchema].describe(), None);
        assert_eq!(findings[&Control::Schema], Finding::Enforced);
    }

    #[test]
    fn a_missing_schema_is_told_from_outside_and_made_from_inside() {
        let (desired, observed) = check(
            |_, observed| {
                observed.inside = None;
                observed.dependencies.clear();
            },
            &[],
        );
        assert_eq!(assess(&desired, &observed)[&Control::Schema].describe().as_deref(), Some("the schema is missing"));
        let (_, observed) = (fixture::desired(), fixture::observed());
        let mut observed = observed;
        observed.inside.as_mut().unwrap().schemas.retain(|schema| schema.name != "app");
        let first: Vec<_> = diff(&desired, &observed).into_iter().take(2).collect();
        assert!(matches!(&first[..], [Change::CreateSchema { .. }, Change::GrantSchema { .. }]), "{first:?}");
    }
}

//! The controls: named facts of a tenant's isolation, each with how it is told and how it is repaired.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::catalog::acl::Grant;
use crate::postgres::catalog::inside::Schema;
use crate::postgres::catalog::snapshot::{Database, Dependency, Role};
use crate::postgres::{Feature, SchemaName, Verifier};

use super::limits::{Limits, parameter};
use super::marker::{Marker, Stage};
use super::names::EXTENSIONS_SCHEMA;
use super::{Change, Desired, Grantee, Observed, Scope, Setting};

/// One named fact of isolation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Control {
    DatabaseOpen,
    DatabaseOwner,
    DefaultPrivileges,
    Elsewhere,
    Governed,
    Memberships,
    OtherPrivileges,
    OtherRoles,
    Password,
    PublicPrivileges,
    PublicSchema,
    Registered,
    Role,
    RoleAttributes,
    Schema,
    SchemaPrivileges,
    SearchPath,
    TenantPrivileges,
}

/// What a control was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    Enforced,
    /// Not as it should be; the changes repair it.
    Found {
        what: String,
        repair: Vec<Change>,
    },
    /// Not as it should be, and not this admin's to change.
    NotPermitted {
        what: String,
    },
    /// Only a session inside the database can tell, and there was none.
    NotInspected,
}

/// How the description of what this admin may not change ends.
pub const NOT_PERMITTED: &str = " (not this admin's to change)";

/// How a control that holds is described.
pub const ENFORCED: &str = "enforced";

impl Finding {
    /// The control's value in `isolation`; `None` if it was not inspected.
    pub fn describe(&self) -> Option<String> {
        match self {
            Finding::Enforced => Some(ENFORCED.to_owned()),
            Finding::Found { what, .. } => Some(what.clone()),
            Finding::NotPermitted { what } => Some(format!("{what}{NOT_PERMITTED}")),
            Finding::NotInspected => None,
        }
    }

    fn found(what: impl Into<String>, repair: Vec<Change>) -> Self {
        Finding::Found { what: what.into(), repair }
    }
}

type Check = fn(&View) -> Finding;

impl Control {
    /// Every control: its name in `isolation`, what it says, and how it is told. In the order in
    /// which repairs are run.
    #[allow(clippy::type_complexity)] // a table
    const TABLE: [(Control, &'static str, &'static str, Check); 18] = [
        (Control::Role, "role", "The tenant's role exists.", |_| Finding::Enforced),
        (
            Control::DatabaseOwner,
            "database_owner",
            "The admin owns the database, not the tenant: an owner could let others in and lift limits.",
            database_owner,
        ),
        (
            Control::RoleAttributes,
            "role_attributes",
            "The role is NOSUPERUSER, NOCREATEDB, NOCREATEROLE, NOREPLICATION, NOBYPASSRLS and NOINHERIT.",
            role_attributes,
        ),
        (
            Control::PublicPrivileges,
            "public_privileges",
            "PUBLIC, and with it every other tenant, holds no privilege on the database.",
            public_privileges,
        ),
        (
            Control::OtherPrivileges,
            "other_privileges",
            "No role but the owner and the tenant holds a privilege on the database.",
            other_privileges,
        ),
        (
            Control::TenantPrivileges,
            "tenant_privileges",
            "The tenant may CONNECT to the database, and holds neither CREATE nor a grant option.",
            tenant_privileges,
        ),
        (
            Control::Memberships,
            "memberships",
            "The role is a member of the roles in `member_of` and of no other, and no role is a member of it, but for the \
             ADMIN option that its creator has from PostgreSQL 16 on.",
            memberships,
        ),
        (
            Control::Elsewhere,
            "elsewhere",
            "The role holds no privilege on another database, and neither owns nor was granted anything inside one. \
             Objects there are data: they are told, and left.",
            elsewhere,
        ),
        (
            Control::OtherRoles,
            "other_roles",
            "No role but the owner and the tenant holds privileges on objects in the database, or owns any. Seen without \
             entering it. What another role owns is data: it is told, and left.",
            other_roles,
        ),
        (
            Control::DefaultPrivileges,
            "default_privileges",
            "Objects that are made in the database later grant nothing to others, beyond PostgreSQL's own defaults. Seen \
             from inside the database only.",
            default_privileges,
        ),
        (
            Control::Password,
            "password",
            "The password is the one that was set last. Looked at with `deep_verify` only, by the salt that the server \
             shows to whoever begins to log in.",
            password,
        ),
        (
            Control::Governed,
            "governed",
            "The tenant has a connection limit, a statement_timeout, a lock_timeout and an \
             idle_in_transaction_session_timeout. Which ones is what `pgtenant_guardrails` says.",
            governed,
        ),
        (
            Control::SearchPath,
            "search_path",
            "In its database the role finds its own schema and the extensions, and nothing else.",
            search_path,
        ),
        (
            Control::DatabaseOpen,
            "database_open",
            "The database accepts connections and is no template that others may copy.",
            database_open,
        ),
        (
            Control::PublicSchema,
            "public_schema",
            "Nobody but its owner holds a privilege on the schema `public`. Seen from inside the database only. On \
             PostgreSQL 13 and 14 a superuser owns that schema, and no other admin may change it.",
            public_schema,
        ),
        (Control::Schema, "schema", "The tenant's schema exists.", schema_exists),
        (
            Control::SchemaPrivileges,
            "schema_privileges",
            "The admin owns the tenant's schema; the tenant holds USAGE and CREATE on it, and nobody else anything. \
             Seen from inside the database only.",
            schema_privileges,
        ),
        (
            Control::Registered,
            "registered",
            "The tenant's objects carry the marker by which this provider recognises them.",
            registered,
        ),
    ];

    /// Every control with its name and description, in order of their names.
    pub fn all() -> Vec<(Control, &'static str, &'static str)> {
        let mut all: Vec<_> = Self::TABLE.iter().map(|(control, name, about, _)| (*control, *name, *about)).collect();
        all.sort_by_key(|(_, name, _)| *name);
        all
    }

    pub fn name(self) -> &'static str {
        Self::TABLE.iter().find(|row| row.0 == self).expect("every control is in the table").1
    }
}

/// A tenant whose role and database both exist.
pub(super) struct View<'a> {
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub database: &'a Database,
    pub role: &'a Role,
}

/// The controls in the order in which they are repaired. Of a tenant without a role or a database
/// nothing more can be told; [`super::diff()`] makes those first.
pub(super) fn assess_in_order(desired: &Desired, observed: &Observed) -> Vec<(Control, Finding)> {
    let told = |control: Control, check: Check| match (&observed.database, &observed.role) {
        (Some(database), Some(role)) => check(&View { desired, observed, database, role }),
        (_, None) if control == Control::Role => Finding::found("the role is missing", Vec::new()),
        (None, Some(_)) if control == Control::Role => Finding::Enforced,
        _ => Finding::NotInspected,
    };
    Control::TABLE.iter().map(|(control, _, _, check)| (*control, told(*control, *check))).collect()
}

/// What each control was found to be.
pub fn assess(desired: &Desired, observed: &Observed) -> BTreeMap<Control, Finding> {
    assess_in_order(desired, observed).into_iter().collect()
}

/// Privileges in the order of their names, as `CONNECT, TEMPORARY`.
pub(super) fn list<'a>(grants: impl Iterator<Item = &'a Grant>) -> String {
    let names: BTreeSet<String> =
        grants
            .map(|grant| {
                if grant.grantable { format!("{} with grant option", grant.privilege) } else { grant.privilege.clone() }
            })
            .collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn database_owner(view: &View) -> Finding {
    let database = view.desired.names.database.clone();
    let what = || format!("owned by {}", view.database.owner);
    if view.database.owner == view.role.name {
        let from = Some(view.desired.names.role.clone());
        return Finding::found(what(), vec![Change::OwnDatabase { database, from }]);
    }
    if view.database.owner_usable { Finding::Enforced } else { Finding::NotPermitted { what: what() } }
}

/// Whether the admin may change what the database's owner may.
fn admin_owns_database(view: &View) -> bool {
    view.database.owner_usable || view.database.owner == view.role.name
}

fn repair_database(view: &View, what: String, repair: Vec<Change>) -> Finding {
    if admin_owns_database(view) { Finding::found(what, repair) } else { Finding::NotPermitted { what } }
}

fn role_attributes(view: &View) -> Finding {
    let role = view.role;
    // The last three take a superuser to change, even where nothing would change.
    let attributes = [
        (role.create_database, "CREATEDB", "NOCREATEDB", false),
        (role.create_role, "CREATEROLE", "NOCREATEROLE", false),
        (role.inherit, "INHERIT", "NOINHERIT", false),
        (role.superuser, "SUPERUSER", "NOSUPERUSER", true),
        (role.replication, "REPLICATION", "NOREPLICATION", true),
        (role.bypass_rls, "BYPASSRLS", "NOBYPASSRLS", true),
    ];
    let wrong: Vec<_> = attributes.iter().filter(|(held, ..)| *held).collect();
    let Some(_) = wrong.first() else { return Finding::Enforced };
    let what = wrong.iter().map(|(_, name, ..)| *name).collect::<Vec<_>>().join(", ");
    let permitted = |superuser_only: bool| view.observed.server.superuser || role.manageable && !superuser_only;
    let repairable: Vec<&'static str> =
        wrong.iter().filter(|(.., only)| permitted(*only)).map(|(_, _, without, _)| *without).collect();
    if repairable.is_empty() {
        return Finding::NotPermitted { what };
    }
    let role = view.desired.names.role.clone();
    Finding::found(what, vec![Change::RoleAttributes { role, attributes: repairable }])
}

fn public_privileges(view: &View) -> Finding {
    let held: Vec<&Grant> = view.database.acl.iter().filter(|grant| grant.grantee.is_none()).collect();
    if held.is_empty() {
        return Finding::Enforced;
    }
    let what = format!("PUBLIC has {}", list(held.into_iter()));
    let database = view.desired.names.database.clone();
    repair_database(
        view,
        what,
        vec![Change::RevokeDatabase { database, privileges: vec!["ALL".to_owned()], grantee: Grantee::Public }],
    )
}

fn other_privileges(view: &View) -> Finding {
    let mut held: BTreeMap<&str, Vec<&Grant>> = BTreeMap::new();
    for grant in &view.database.acl {
        if let Some(grantee) = &grant.grantee
            && *grantee != view.role.name
        {
            held.entry(grantee).or_default().push(grant);
        }
    }
    if held.is_empty() {
        return Finding::Enforced;
    }
    let what = held
        .iter()
        .map(|(grantee, grants)| format!("{grantee} has {}", list(grants.iter().copied())))
        .collect::<Vec<_>>()
        .join("; ");
    let repair = held
        .keys()
        .filter_map(|grantee| Grantee::parse(Some(grantee)))
        .map(|grantee| Change::RevokeDatabase {
            database: view.desired.names.database.clone(),
            privileges: vec!["ALL".to_owned()],
            grantee,
        })
        .collect();
    repair_database(view, what, repair)
}

/// Of the tenant's own privileges; TEMPORARY is `allow_temporary_tables`, an attribute of its own.
fn tenant_privileges(view: &View) -> Finding {
    if view.database.owner == view.role.name {
        // An owner has every privilege; `database_owner` tells.
        return Finding::Enforced;
    }
    let own: Vec<&Grant> =
        view.database.acl.iter().filter(|grant| grant.grantee.as_deref() == Some(view.role.name.as_str())).collect();
    let connects = own.iter().any(|grant| grant.privilege == "CONNECT");
    let wrong: Vec<&Grant> =
        own.iter().filter(|grant| grant.grantable || grant.privilege == "CREATE").copied().collect();
    if connects && wrong.is_empty() {
        return Finding::Enforced;
    }
    let names = &view.desired.names;
    let mut what = Vec::new();
    let mut repair = Vec::new();
    if !wrong.is_empty() {
        what.push(format!("the tenant has {}", list(wrong.iter().copied())));
        let privileges = vec!["ALL".to_owned()];
        let grantee = Grantee::Role(names.role.clone());
        repair.push(Change::RevokeDatabase { database: names.database.clone(), privileges, grantee });
    }
    if !connects {
        what.push("the tenant lacks CONNECT".to_owned());
    }
    let mut privileges = vec!["CONNECT"];
    if view.desired.temporary && !wrong.is_empty() {
        privileges.push("TEMPORARY");
    }
    repair.push(Change::GrantDatabase { database: names.database.clone(), privileges, role: names.role.clone() });
    repair_database(view, what.join("; "), repair)
}

/// That there are limits at all: a tenant whose guardrails were never declared, or were lost, has the
/// safe ones.
fn governed(view: &View) -> Finding {
    let names = &view.desired.names;
    let safe = Limits::safe();
    let mut what = Vec::new();
    let mut repair = Vec::new();
    if view.role.connection_limit < 0 {
        what.push("connection limit".to_owned());
        let connections = safe.connection_limit;
        repair.push(Change::LimitRole { role: names.role.clone(), connections });
    }
    for (name, value) in safe.settings() {
        if view.observed.setting(Some(&view.database.name), None, name.as_str()).is_some() {
            continue;
        }
        what.push(name.to_string());
        for scope in [Scope::Database(names.database.clone()), Scope::Role(names.role.clone())] {
            repair.push(Change::Set { scope, name: name.clone(), value: value.clone() });
        }
    }
    if what.is_empty() {
        return Finding::Enforced;
    }
    repair_database(view, format!("no {}", what.join(", no ")), repair)
}

fn memberships(view: &View) -> Finding {
    let role = view.role.name.as_str();
    let wanted = &view.desired.member_of;
    let granted = |name: &str| {
        view.observed.memberships.iter().any(|membership| membership.member == role && membership.role == name)
    };
    let is_wanted = |name: &str| wanted.iter().any(|wanted| wanted.as_str() == name);
    let by_grantor = view.observed.server.has(Feature::MembershipsByGrantor);
    let ours = &view.desired.names.role;
    let mut what = Vec::new();
    let mut repair = Vec::new();
    for membership in &view.observed.memberships {
        let of_ours = membership.member == role;
        if membership.automatic || of_ours && is_wanted(&membership.role) {
            continue;
        }
        let other = if of_ours { &membership.role } else { &membership.member };
        what.push(if of_ours { format!("a member of {other}") } else { format!("{other} is a member") });
        let grantor = membership.grantor.as_deref().filter(|_| by_grantor).and_then(|name| name.parse().ok());
        if let (true, Ok(other)) = (membership.revocable, other.parse()) {
            let (role, member) = if of_ours { (other, ours.clone()) } else { (ours.clone(), other) };
            repair.push(Change::RevokeMembership { role, member, grantor });
        }
    }
    for role in wanted.iter().filter(|role| !granted(role.as_str())) {
        what.push(format!("not a member of {role}"));
        repair.push(Change::GrantMembership { role: role.clone(), member: ours.clone() });
    }
    told(what, repair)
}

fn elsewhere(view: &View) -> Finding {
    let role = view.role.name.as_str();
    let mut what = Vec::new();
    let mut repair = Vec::new();
    for other in &view.observed.elsewhere {
        let own = other.acl.iter().filter(|grant| grant.grantee.as_deref() == Some(role));
        what.push(format!("{} on database {}", list(own), other.name));
        if let (true, Ok(database)) = (other.owner_usable, other.name.parse()) {
            let grantee = Grantee::Role(view.desired.names.role.clone());
            repair.push(Change::RevokeDatabase { database, privileges: vec!["ALL".to_owned()], grantee });
        }
    }
    for dependency in &view.observed.dependencies {
        let place = match &dependency.database {
            Some(database) if *database != view.database.name => format!("in database {database}"),
            None if dependency.kind == "o" && view.database.owner != role => "shared by all databases".to_owned(),
            _ => continue,
        };
        let verb = if dependency.kind == "o" { "owns" } else { "has privileges on" };
        what.push(format!("{verb} {} ({}) {place}", objects(&dependency.class), dependency.count));
    }
    told(what, repair)
}

fn other_roles(view: &View) -> Finding {
    let mut what = Vec::new();
    for guest in &view.observed.guests {
        let verb = if guest.kind == "o" { "owns" } else { "has privileges on" };
        what.push(format!("{} {verb} {} ({})", guest.role, objects(&guest.class), guest.count));
    }
    let Some(inside) = &view.observed.inside else {
        // From outside there is no telling what can be repaired; an apply enters.
        return if what.is_empty() { Finding::Enforced } else { Finding::found(what.join("; "), Vec::new()) };
    };
    let ours = view.observed.at_home();
    let repair = inside
        .grants
        .iter()
        .filter(|grant| grant.owner.as_ref().is_some_and(|owner| ours.contains(owner)))
        .filter_map(|grant| {
            Some(Change::RevokeObject {
                database: view.desired.names.database.clone(),
                class: revocable_class(&grant.class)?,
                object: grant.object.clone(),
                grantee: Grantee::parse(Some(&grant.grantee))?,
                tenant: view.desired.names.role.clone(),
            })
        })
        .collect();
    told(what, repair)
}

/// How `pg_identify_object` calls a class of objects, and how GRANT and REVOKE do.
fn revocable_class(class: &str) -> Option<&'static str> {
    Some(match class {
        "table" | "view" | "materialized view" | "foreign table" => "TABLE",
        "sequence" => "SEQUENCE",
        "function" | "procedure" | "aggregate" => "ROUTINE",
        "type" => "TYPE",
        "schema" => "SCHEMA",
        "large object" => "LARGE OBJECT",
        _ => return None,
    })
}

/// What a catalog holds, in words.
fn objects(class: &str) -> &str {
    match class.trim_start_matches("pg_catalog.") {
        "pg_class" => "relations",
        "pg_proc" => "routines",
        "pg_namespace" => "schemas",
        "pg_type" => "types",
        "pg_database" => "databases",
        "pg_tablespace" => "tablespaces",
        "pg_extension" => "extensions",
        "pg_largeobject_metadata" => "large objects",
        "pg_default_acl" => "default privileges",
        "pg_foreign_server" => "foreign servers",
        "pg_policy" => "policies",
        other => other,
    }
}

/// What was found, repaired as far as there are repairs.
fn told(what: Vec<String>, repair: Vec<Change>) -> Finding {
    match (what.is_empty(), repair.is_empty()) {
        (true, _) => Finding::Enforced,
        (false, true) => Finding::NotPermitted { what: what.join("; ") },
        (false, false) => Finding::found(what.join("; "), repair),
    }
}

fn default_privileges(view: &View) -> Finding {
    let Some(inside) = &view.observed.inside else { return Finding::NotInspected };
    let ours = view.observed.at_home();
    let mut what = Vec::new();
    let mut repair = Vec::new();
    for default in &inside.default_privileges {
        let class = match default.class.as_str() {
            "r" => "TABLES",
            "S" => "SEQUENCES",
            "f" => "ROUTINES",
            "T" => "TYPES",
            "n" => "SCHEMAS",
            _ => continue,
        };
        let grantee = default.grantee.as_deref();
        what.push(format!("{} on {} of {}", grantee.unwrap_or("PUBLIC"), class.to_lowercase(), default.role));
        let schema = default.schema.as_deref().map(str::parse::<SchemaName>).transpose();
        let owner =
            if default.role == view.role.name { Ok(view.desired.names.role.clone()) } else { default.role.parse() };
        if let (true, Ok(schema), Ok(owner), Some(grantee)) =
            (ours.contains(&default.role), schema, owner, Grantee::parse(grantee))
        {
            repair.push(Change::RevokeDefault {
                database: view.desired.names.database.clone(),
                owner,
                schema,
                class,
                grantee,
                tenant: view.desired.names.role.clone(),
            });
        }
    }
    told(what, repair)
}

fn password(view: &View) -> Finding {
    match (view.observed.password_changed, &view.desired.password_if_changed) {
        (None, _) => Finding::NotInspected,
        (Some(false), _) => Finding::Enforced,
        (Some(true), verifier) => {
            let set = |verifier: &Verifier| Change::SetPassword {
                role: view.desired.names.role.clone(),
                verifier: verifier.clone(),
            };
            Finding::found("changed by somebody else", verifier.iter().map(set).collect())
        }
    }
}

fn search_path(view: &View) -> Finding {
    let names = &view.desired.names;
    let expected = view.desired.search_path();
    let found = view.observed.setting(Some(&view.database.name), Some(&view.role.name), "search_path");
    let as_expected = found
        .and_then(crate::postgres::name::parse_list)
        .is_some_and(|found| found.iter().map(String::as_str).eq(expected.iter().map(SchemaName::as_str)));
    if as_expected {
        return Finding::Enforced;
    }
    let what = found.map_or("not set".to_owned(), |text| text.chars().take(80).collect());
    let scope = Scope::RoleInDatabase(names.role.clone(), names.database.clone());
    Finding::found(what, vec![Change::Set { scope, name: parameter("search_path"), value: Setting::Schemas(expected) }])
}

fn database_open(view: &View) -> Finding {
    let what = match (view.database.allow_connections, view.database.is_template) {
        (true, false) => return Finding::Enforced,
        (false, _) => "the database accepts no connections",
        (true, true) => "the database is a template",
    };
    repair_database(view, what.to_owned(), vec![Change::Open { database: view.desired.names.database.clone() }])
}

/// Seen from outside: the tenant stands in the ACL of its schema, and of the one for extensions if it
/// has any.
fn schema_exists(view: &View) -> Finding {
    let names = &view.desired.names;
    let (exists, what) = match &view.observed.inside {
        Some(_) => (view.observed.schema(names).is_some(), "the schema is missing"),
        None if view.desired.extensions.is_empty() => (granted_schemas(view) >= 1, "the schema is missing"),
        None => (granted_schemas(view) >= 2, "the schema, or the one for extensions, is missing"),
    };
    if exists {
        return Finding::Enforced;
    }
    let create = Change::CreateSchema { database: names.database.clone(), schema: names.schema.clone() };
    let repair = if view.observed.inside.is_some() { vec![create] } else { Vec::new() };
    Finding::found(what, repair)
}

/// How many schemas of its database the tenant holds privileges on.
fn granted_schemas(view: &View) -> u64 {
    let in_database = |dependency: &&Dependency| {
        dependency.database.as_deref() == Some(view.database.name.as_str())
            && dependency.class.ends_with("pg_namespace")
    };
    view.observed.dependencies.iter().filter(in_database).map(|dependency| dependency.count).sum()
}

fn public_schema(view: &View) -> Finding {
    let Some(inside) = &view.observed.inside else { return Finding::NotInspected };
    let public = "public";
    let Some(schema) = inside.schemas.iter().find(|schema| schema.name == public) else { return Finding::Enforced };
    if view.desired.names.schema.as_str() == public {
        // It is the tenant's own: `schema_privileges` tells.
        return Finding::Enforced;
    }
    check_schema(view, &public.parse().expect("a name"), Some(schema), &[])
}

fn schema_privileges(view: &View) -> Finding {
    let Some(inside) = &view.observed.inside else { return Finding::NotInspected };
    let names = &view.desired.names;
    let own = check_schema(view, &names.schema, view.observed.schema(names), &["CREATE", "USAGE"]);
    if view.desired.extensions.is_empty() {
        return own;
    }
    let extensions: SchemaName = EXTENSIONS_SCHEMA.parse().expect("a name");
    let found = inside.schemas.iter().find(|schema| schema.name == EXTENSIONS_SCHEMA);
    let shared = match found {
        Some(_) => check_schema(view, &extensions, found, &["USAGE"]),
        None => {
            let create = Change::CreateSchema { database: names.database.clone(), schema: extensions.clone() };
            match check_schema(view, &extensions, None, &["USAGE"]) {
                Finding::Found { what, repair } => Finding::found(what, [vec![create], repair].concat()),
                finding => finding,
            }
        }
    };
    both(own, shared)
}

fn both(first: Finding, second: Finding) -> Finding {
    match (first, second) {
        (Finding::Enforced, finding) | (finding, Finding::Enforced) => finding,
        (Finding::Found { what: a, repair: x }, Finding::Found { what: b, repair: y }) => {
            Finding::found(format!("{a}; {b}"), [x, y].concat())
        }
        (finding @ Finding::Found { .. }, _) | (_, finding) => finding,
    }
}

/// That the admin owns a schema, that the tenant holds exactly `privileges` on it, and nobody else
/// any. `schema` is `None` for one that is yet to be made under this name.
fn check_schema(view: &View, name: &SchemaName, schema: Option<&Schema>, privileges: &[&'static str]) -> Finding {
    let names = &view.desired.names;
    let database = || names.database.clone();
    let grant = || Change::GrantSchema {
        database: database(),
        schema: name.clone(),
        privileges: privileges.to_vec(),
        role: names.role.clone(),
    };
    let lacks = |missing: &str| format!("the tenant lacks {missing} on {name}");
    let Some(schema) = schema else { return Finding::found(lacks(&privileges.join(", ")), vec![grant()]) };
    let mut what = Vec::new();
    let mut repair = Vec::new();
    let owned_by_tenant = schema.owner == view.role.name;
    if owned_by_tenant {
        what.push(format!("the tenant owns {name}"));
        let from = Some(names.role.clone());
        repair.push(Change::OwnSchema { database: database(), schema: name.clone(), from });
    }
    let mut holders: BTreeMap<Option<&str>, Vec<&Grant>> = BTreeMap::new();
    for grant in &schema.acl {
        holders.entry(grant.grantee.as_deref()).or_default().push(grant);
    }
    let own = holders.remove(&Some(view.role.name.as_str())).unwrap_or_default();
    for (holder, grants) in holders {
        what.push(format!("{} has {} on {name}", holder.unwrap_or("PUBLIC"), list(grants.into_iter())));
        if let Some(grantee) = Grantee::parse(holder) {
            repair.push(Change::RevokeSchema { database: database(), schema: name.clone(), grantee });
        }
    }
    let excess: Vec<&Grant> = own
        .iter()
        .filter(|grant| grant.grantable || !privileges.contains(&grant.privilege.as_str()))
        .copied()
        .collect();
    if !excess.is_empty() {
        what.push(format!("the tenant has {} on {name}", list(excess.iter().copied())));
        let grantee = Grantee::Role(names.role.clone());
        repair.push(Change::RevokeSchema { database: database(), schema: name.clone(), grantee });
    }
    let missing: Vec<&str> =
        privileges.iter().filter(|wanted| !own.iter().any(|grant| grant.privilege == **wanted)).copied().collect();
    if !missing.is_empty() && !owned_by_tenant {
        what.push(lacks(&missing.join(", ")));
    }
    if !privileges.is_empty() && (!excess.is_empty() || !missing.is_empty() || owned_by_tenant) {
        repair.push(grant());
    }
    let what = what.join("; ");
    if what.is_empty() {
        Finding::Enforced
    } else if schema.owner_usable || owned_by_tenant {
        Finding::found(what, repair)
    } else {
        Finding::NotPermitted { what }
    }
}

fn registered(view: &View) -> Finding {
    let names = &view.desired.names;
    let marker = Marker::new(names, Stage::Ready, view.desired.password_version);
    let as_expected = |found: Option<Marker>| found.as_ref() == Some(&marker);
    let mut repair = Vec::new();
    if let Some(inside) = &view.observed.inside {
        let schema = view.observed.schema(names).filter(|_| !inside.schemas.is_empty());
        if !schema.is_some_and(|schema| as_expected(Marker::parse(schema.comment.as_deref()))) {
            let schema = names.schema.clone();
            repair.push(Change::MarkSchema { database: names.database.clone(), schema, marker: marker.clone() });
        }
    }
    let role = as_expected(view.observed.role_marker());
    let database = as_expected(view.observed.database_marker());
    // Both are written last and together: a tenant is complete when they stand.
    if !(role && database) {
        repair.push(Change::MarkRole { role: names.role.clone(), marker: marker.clone() });
        repair.push(Change::MarkDatabase { database: names.database.clone(), marker });
    }
    if repair.is_empty() {
        return Finding::Enforced;
    }
    let half_made = view.observed.role_marker().is_some_and(|marker| marker.stage == Stage::Creating);
    let what = if half_made { "half-made" } else { "the marker is missing or not up to date" };
    Finding::found(what, repair)
}

//! How a tenant's drift is repaired: the changes of each control, and the order in which they are run. Pure.

use std::collections::BTreeMap;

use crate::postgres::fact::{Attribute, DatabaseAttribute, Fact, Kind, Level, Objects};
use crate::postgres::{ExtensionName, Feature, RoleName, SchemaName};

use super::change::{Change, Grantee, Scope, Setting};
use super::charter::{Desired, TenantCharter};
use super::control::{Control, Of};
use super::diff::{Deviation, Finding, Status, diff, status};
use super::limits::{ADMIN_CONNECTIONS, Limits, parameter};
use super::marker::{Marker, Stage};
use super::names::{EXTENSIONS_SCHEMA, Names};
use super::observed::Observed;

/// What is to be run for a tenant to be as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Repair {
    /// Without which it is no tenant, in order. A failure ends the operation.
    pub needed: Vec<Change>,
    /// What others may hold up or refuse: what the tenant itself can write, and what may not be this admin's to change. Each by
    /// itself, once, and a failure is told and no more: nobody keeps a tenant from being governed by it.
    pub tried: Vec<Change>,
}

impl Repair {
    pub fn is_empty(&self) -> bool {
        self.needed.is_empty() && self.tried.is_empty()
    }
}

/// What was found of each control of a tenant. Of one without a role or a database nothing more can be told; [`repair`] makes
/// those first.
pub fn findings(desired: &Desired, observed: &Observed) -> BTreeMap<Control, Finding> {
    let finding = |control, status, facts, repair| Finding { control, status, facts, repair };
    let why = match (&observed.role, &observed.database) {
        (None, _) => Some("its role is missing"),
        (_, None) => Some("its database is missing"),
        _ => None,
    };
    if let Some(why) = why {
        let role = Fact::Present(Objects::one(Kind::Role, desired.names.role.as_str()));
        return Control::all(Of::Tenant)
            .map(|control| {
                let found = match (control, &observed.role) {
                    (Control::Role, None) => {
                        finding(control, Status::Found, vec![Deviation::Missing(role.clone())], Vec::new())
                    }
                    (Control::Role, Some(_)) => finding(control, Status::Enforced, Vec::new(), Vec::new()),
                    _ => finding(control, Status::NotInspected(why.to_owned()), Vec::new(), Vec::new()),
                };
                (control, found)
            })
            .collect();
    }
    let charter = TenantCharter::new(desired, observed);
    let mut drift = diff(&charter, &observed.facts());
    Control::all(Of::Tenant)
        .map(|control| {
            let facts = drift.remove(&control).unwrap_or_default();
            let status = status(&charter, control, &facts);
            let repair = if status.is_drift() { changes(desired, observed, control, &facts) } else { Vec::new() };
            (control, finding(control, status, facts, repair))
        })
        .collect()
}

/// The next changes on the way from what is observed to what is wanted. Empty when the tenant is as it should be, as far as
/// was observed.
///
/// What cannot be told before something else exists comes in a later round: run these, observe again. The tenant's role logs
/// in last, when all else stands, and only if the database was entered.
pub fn repair(desired: &Desired, observed: &Observed) -> Repair {
    let names = &desired.names;
    let mut needed = missing_objects(desired, observed);
    let (Some(database), Some(role)) = (&observed.database, &observed.role) else {
        return Repair { needed, tried: Vec::new() };
    };
    if !desired.login && role.login {
        needed.extend(observed.role_name().iter().flat_map(shut_out));
    }
    let renames = renames(names, observed);
    if !renames.is_empty() {
        needed.extend(renames);
        return Repair { needed, tried: Vec::new() };
    }
    if observed.database_marker().is_none()
        && observed.role_marker().is_some_and(|marker| marker.stage == Stage::Creating)
    {
        // Together with its opening: an open database without a marker could be anybody's.
        let marker = Marker::new(names, Stage::Creating, None);
        needed.push(Change::MarkDatabase { database: names.database.clone(), marker });
    }
    if let Some(verifier) = &desired.password {
        needed.push(Change::SetPassword { role: names.role.clone(), verifier: verifier.clone() });
    }
    let mut tried = Vec::new();
    let mut last = Vec::new();
    let mut findings = findings(desired, observed);
    for control in ORDER {
        let Some(finding) = findings.remove(&control) else { continue };
        match (control, finding.status) {
            (Control::Registered, Status::Found) => last = finding.repair,
            (_, Status::NotPermitted) => tried.extend(finding.repair),
            (_, Status::Found) => {
                // A tenant that may not log in yet holds nothing up.
                let others = |change: &Change| change.can_be_held_up() && role.login;
                let (theirs, ours): (Vec<Change>, Vec<Change>) = finding.repair.into_iter().partition(others);
                needed.extend(ours);
                tried.extend(theirs);
            }
            _ => {}
        }
    }
    let temporary = database
        .acl
        .iter()
        .any(|grant| grant.privilege == "TEMPORARY" && grant.grantee.as_deref() == Some(role.name.as_str()));
    match (desired.temporary, temporary) {
        (true, false) => needed.push(Change::GrantDatabase {
            database: names.database.clone(),
            privileges: vec!["TEMPORARY"],
            role: names.role.clone(),
        }),
        (false, true) => needed.push(Change::RevokeDatabase {
            database: names.database.clone(),
            privileges: vec!["TEMPORARY".to_owned()],
            grantee: Grantee::Role(names.role.clone()),
        }),
        _ => {}
    }
    if let Ok(inside) = &observed.inside {
        let found = |name: &ExtensionName| inside.extensions.iter().any(|extension| extension.name == name.as_str());
        for extension in desired.extensions.iter().filter(|name| !found(name)) {
            needed.push(Change::CreateExtension {
                database: names.database.clone(),
                extension: extension.clone(),
                schema: extensions_schema(),
            });
        }
        let unwanted = inside.extensions.iter().filter_map(|extension| extension.name.parse().ok());
        for extension in unwanted.filter(|name| !desired.extensions.contains(name)) {
            tried.push(Change::DropExtension { database: names.database.clone(), extension });
        }
        if desired.login && !role.login {
            needed.push(Change::Login { role: names.role.clone() });
        }
        needed.extend(last);
    } else if observed.is_complete() {
        // Nothing inside is to be finished.
        needed.extend(last);
    }
    tried.sort_by_key(|change| matches!(change, Change::Tidy { .. }));
    tried.dedup();
    Repair { needed, tried }
}

/// The controls in the order in which they are repaired: what keeps others out before the database is opened.
const ORDER: [Control; 21] = [
    Control::RoleAttributes,
    Control::DatabaseOwner,
    Control::PublicPrivileges,
    Control::OtherPrivileges,
    Control::TenantPrivileges,
    Control::Memberships,
    Control::Elsewhere,
    Control::ServerPrivileges,
    Control::Password,
    Control::Governed,
    Control::SearchPath,
    Control::Parameters,
    Control::DatabaseOpen,
    Control::Schema,
    Control::PublicSchema,
    Control::SchemaPrivileges,
    Control::SystemPrivileges,
    Control::Objects,
    Control::OtherRoles,
    Control::DefaultPrivileges,
    Control::Registered,
];

fn extensions_schema() -> SchemaName {
    EXTENSIONS_SCHEMA.parse().expect("a name")
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
        let password = desired.password.as_ref().map(crate::postgres::Verifier::challenge);
        let marker = Marker { password, ..Marker::new(names, Stage::Creating, None) };
        changes.push(Change::MarkRole { role: names.role.clone(), marker });
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

/// The changes that repair the drift of one control, as far as there are any.
fn changes(desired: &Desired, observed: &Observed, control: Control, drift: &[Deviation]) -> Vec<Change> {
    let names = &desired.names;
    let mut changes = Vec::new();
    let mut add = |change: Change| {
        if !changes.contains(&change) {
            changes.push(change);
        }
    };
    if control == Control::Registered {
        return marks(desired, observed, drift);
    }
    for deviation in drift {
        match deviation {
            Deviation::Missing(fact) => missing(desired, observed, fact).into_iter().for_each(&mut add),
            Deviation::Unexpected(seen) => unexpected(desired, observed, control, &seen.fact).into_iter().for_each(&mut add),
        }
    }
    // What was taken from the tenant as a whole is given again.
    let taken = |grantee: &Grantee| *grantee == Grantee::Role(names.role.clone());
    let database = changes.iter().any(|change| {
        matches!(change, Change::RevokeDatabase { database, grantee, .. } if *database == names.database && taken(grantee))
    });
    let schemas: Vec<SchemaName> = changes
        .iter()
        .filter_map(|change| match change {
            Change::RevokeSchema { schema, grantee, .. } if taken(grantee) => Some(schema.clone()),
            Change::OwnSchema { schema, .. } => Some(schema.clone()),
            _ => None,
        })
        .collect();
    if database {
        changes.push(grant_database(names));
    }
    for schema in schemas {
        changes.extend(grant_schema(desired, &schema));
    }
    changes.sort_by_key(|change| matches!(change, Change::GrantDatabase { .. } | Change::GrantSchema { .. }));
    changes.dedup();
    changes
}

fn grant_database(names: &Names) -> Change {
    Change::GrantDatabase { database: names.database.clone(), privileges: vec!["CONNECT"], role: names.role.clone() }
}

/// What the tenant has on a schema of its database; `None` for one that is none of its own.
fn grant_schema(desired: &Desired, schema: &SchemaName) -> Option<Change> {
    let names = &desired.names;
    let privileges = if *schema == names.schema {
        vec!["CREATE", "USAGE"]
    } else if schema.as_str() == EXTENSIONS_SCHEMA && !desired.extensions.is_empty() {
        vec!["USAGE"]
    } else {
        return None;
    };
    let (database, role) = (names.database.clone(), names.role.clone());
    Some(Change::GrantSchema { database, schema: schema.clone(), privileges, role })
}

fn missing(desired: &Desired, observed: &Observed, fact: &Fact) -> Vec<Change> {
    let names = &desired.names;
    let change = match fact {
        Fact::Present(objects) if objects.kind == Kind::Schema && observed.inside.is_ok() => {
            let schema = objects.name().and_then(|name| name.parse().ok());
            schema.map(|schema| Change::CreateSchema { database: names.database.clone(), schema })
        }
        Fact::Grant { objects, .. } if objects.kind == Kind::Database => Some(grant_database(names)),
        Fact::Grant { objects, .. } if objects.kind == Kind::Schema => {
            objects.name().and_then(|name| grant_schema(desired, &name.parse().ok()?))
        }
        Fact::Membership { role, .. } => {
            let role = role.parse().ok();
            role.map(|role| Change::GrantMembership { role, member: names.role.clone() })
        }
        Fact::Parameter { level: Level::RoleInDatabase(..), .. } => Some(set_search_path(desired)),
        Fact::Parameter { level, name, .. } => set_limit(names, level, name),
        _ => None,
    };
    change.into_iter().collect()
}

fn set_search_path(desired: &Desired) -> Change {
    let scope = Scope::RoleInDatabase(desired.names.role.clone(), desired.names.database.clone());
    Change::Set { scope, name: parameter("search_path"), value: Setting::Schemas(desired.search_path()) }
}

/// One of the safe limits.
fn set_limit(names: &Names, level: &Level, name: &str) -> Option<Change> {
    let scope = match level {
        Level::Database(_) => Scope::Database(names.database.clone()),
        Level::Role(_) => Scope::Role(names.role.clone()),
        _ => return None,
    };
    let (name, value) = Limits::safe().settings().into_iter().find(|(safe, _)| safe.as_str().eq_ignore_ascii_case(name))?;
    Some(Change::Set { scope, name, value })
}

fn unexpected(desired: &Desired, observed: &Observed, control: Control, fact: &Fact) -> Vec<Change> {
    let names = &desired.names;
    let (database, role) = (names.database.clone(), names.role.clone());
    let change = match fact {
        Fact::Attribute { role: of, attribute } if observed.role.as_ref().is_some_and(|role| role.name == *of) => {
            match attribute {
                Attribute::ConnectionLimit(_) => {
                    Some(Change::LimitRole { role, connections: Limits::safe().connection_limit })
                }
                Attribute::ValidUntil(_) => Some(Change::RoleAttributes { role, attributes: vec!["VALID UNTIL 'infinity'"] }),
                attribute => without(attribute).map(|without| Change::RoleAttributes { role, attributes: vec![without] }),
            }
        }
        Fact::Membership { role: of, member, .. } => return leave(observed, names, of, member),
        Fact::Owner { objects, owner } if control == Control::DatabaseOwner && objects.kind == Kind::Database => {
            let from = (Some(owner.as_str()) == observed.role.as_ref().map(|role| role.name.as_str())).then_some(role);
            Some(Change::OwnDatabase { database, from })
        }
        Fact::Owner { objects, owner } if objects.kind == Kind::Schema && objects.database.is_none() => {
            let from = (Some(owner.as_str()) == observed.role.as_ref().map(|role| role.name.as_str())).then_some(role);
            let schema = objects.name().and_then(|name| name.parse().ok());
            schema.map(|schema| Change::OwnSchema { database, schema, from })
        }
        Fact::Grant { objects, grantee, .. } if objects.kind == Kind::Database => {
            let name = objects.name().and_then(|name| name.parse().ok());
            let grantee = Grantee::parse(grantee.as_deref());
            let privileges = vec!["ALL".to_owned()];
            name.zip(grantee).map(|(database, grantee)| Change::RevokeDatabase { database, privileges, grantee })
        }
        Fact::Grant { objects, grantee, privilege, .. } if [Kind::Tablespace, Kind::Parameter].contains(&objects.kind) => {
            let name = objects.name().map(str::to_owned);
            let grantee = Grantee::parse(grantee.as_deref());
            let is_parameter = objects.kind == Kind::Parameter;
            name.zip(grantee).map(|(name, grantee)| Change::RevokeServer {
                is_parameter,
                name,
                privilege: privilege.clone(),
                grantee,
            })
        }
        Fact::Grant { objects, grantee, .. } if objects.kind == Kind::Schema && !objects.original => {
            let schema = objects.name().and_then(|name| name.parse().ok());
            let grantee = Grantee::parse(grantee.as_deref());
            match schema.zip(grantee).filter(|_| objects.database.is_none()) {
                Some((schema, grantee)) => Some(Change::RevokeSchema { database, schema, grantee }),
                None => tidy(observed, names),
            }
        }
        Fact::Grant { objects, .. } if objects.database.is_none() => tidy(observed, names),
        Fact::DefaultGrant { .. } | Fact::ManyGrants { .. } => tidy(observed, names),
        Fact::Database { attribute: DatabaseAttribute::ConnectionLimit(_), .. } => {
            let connections = Limits::safe().connection_limit + ADMIN_CONNECTIONS;
            Some(Change::LimitDatabase { database, connections })
        }
        Fact::Database { .. } => Some(Change::Open { database }),
        Fact::Parameter { level: Level::RoleInDatabase(..), name, .. }
            if control == Control::SearchPath && name.eq_ignore_ascii_case("search_path") =>
        {
            Some(set_search_path(desired))
        }
        Fact::Parameter { level, name, .. } => {
            let limit = (control == Control::Governed).then(|| set_limit(names, level, name)).flatten();
            limit.or_else(|| reset(observed, names, level, name))
        }
        Fact::ManyParameters { .. } => {
            return [Change::ResetAll { scope: Scope::Role(role.clone()) }, set_search_path(desired)].into();
        }
        Fact::ForeignPassword { .. } => {
            let verifier = desired.password_if_changed.clone();
            verifier.map(|verifier| Change::SetPassword { role, verifier })
        }
        _ => None,
    };
    change.into_iter().collect()
}

fn without(attribute: &Attribute) -> Option<&'static str> {
    Some(match attribute {
        Attribute::Superuser => "NOSUPERUSER",
        Attribute::CreateDb => "NOCREATEDB",
        Attribute::CreateRole => "NOCREATEROLE",
        Attribute::Replication => "NOREPLICATION",
        Attribute::BypassRls => "NOBYPASSRLS",
        Attribute::Inherit => "NOINHERIT",
        Attribute::ConnectionLimit(_) | Attribute::ValidUntil(_) => return None,
    })
}

/// From 16 on a membership is revoked from whoever granted it.
fn leave(observed: &Observed, names: &Names, role: &str, member: &str) -> Vec<Change> {
    let own = observed.role.as_ref().map(|role| role.name.as_str());
    if own != Some(role) && own != Some(member) {
        return Vec::new();
    }
    let by_grantor = observed.server.has(Feature::MembershipsByGrantor);
    let renamed = |name: &str| if Some(name) == own { Some(names.role.clone()) } else { name.parse().ok() };
    let rows = observed.memberships.iter().filter(|row| !row.automatic && row.role == role && row.member == member);
    rows.filter_map(|row| {
        let grantor = row.grantor.as_deref().filter(|_| by_grantor).and_then(|name| name.parse().ok());
        Some(Change::RevokeMembership { role: renamed(role)?, member: renamed(member)?, grantor })
    })
    .collect()
}

fn reset(observed: &Observed, names: &Names, level: &Level, name: &str) -> Option<Change> {
    let name = name.parse().ok()?;
    let scope = match level {
        Level::Everything => return None,
        Level::Database(_) => Scope::Database(names.database.clone()),
        Level::Role(_) => Scope::Role(names.role.clone()),
        Level::RoleInDatabase(_, database) if observed.database.as_ref().is_some_and(|own| own.name == *database) => {
            Scope::RoleInDatabase(names.role.clone(), names.database.clone())
        }
        Level::RoleInDatabase(_, database) => Scope::RoleInDatabase(names.role.clone(), database.parse().ok()?),
    };
    Some(Change::Reset { scope, name })
}

fn tidy(observed: &Observed, names: &Names) -> Option<Change> {
    observed.inside.as_ref().ok()?;
    let home = observed.at_home().into_iter().collect();
    Some(Change::Tidy { database: names.database.clone(), tenant: names.role.clone(), home })
}

fn marks(desired: &Desired, observed: &Observed, drift: &[Deviation]) -> Vec<Change> {
    let names = &desired.names;
    let marker = desired.marker(observed);
    let missing = |kind: Kind| {
        drift.iter().any(|deviation| {
            matches!(deviation, Deviation::Missing(Fact::Marker { objects, .. }) if objects.kind == kind)
        })
    };
    let mut changes = Vec::new();
    if missing(Kind::Schema) {
        let (database, schema) = (names.database.clone(), names.schema.clone());
        changes.push(Change::MarkSchema { database, schema, marker: marker.clone() });
    }
    // Both are written last and together: a tenant is complete when they stand.
    if missing(Kind::Role) || missing(Kind::Database) {
        changes.push(Change::MarkRole { role: names.role.clone(), marker: desired.role_marker(observed) });
        changes.push(Change::MarkDatabase { database: names.database.clone(), marker });
    }
    changes
}

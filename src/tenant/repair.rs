//! How a tenant's drift is repaired: the changes of each control, and the order in which they are run. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::catalog::snapshot::Role;
use crate::postgres::fact::{Attribute, DatabaseAttribute, Fact, Kind, Level, Objects, Options};
use crate::postgres::{DatabaseName, Feature, RoleName, SchemaName};

use super::access::Holding;
use super::change::{Change, Grantee, Scope, Setting};
use super::charter::{Desired, Goal, TenantCharter};
use super::control::{Control, Of};
use super::destroy;
use super::diff::{Charter, Deviation, Finding, Repair, Status, diff, is_owners, is_replaced, status};
use super::limits::{Limits, parameter};
use super::marker::{Marker, Stage};
use super::names::{EXTENSIONS_SCHEMA, Names};
use super::observed::{Companion, Observed, Seen};

/// What was found of each control of a tenant. Of one without a role or a database nothing more can be told; [`repair`] makes
/// those first.
pub fn findings(desired: &Desired, observed: &Observed) -> BTreeMap<Control, Finding> {
    let finding = |control, status, facts| Finding { control, status, facts, repair: Repair::default() };
    let why = match (&observed.role, &observed.database) {
        (None, _) => Some("its role is missing"),
        (_, None) => Some("its database is missing"),
        _ => None,
    };
    if let Some(why) = why {
        let missing = |kind: Kind, name: &str| {
            vec![Deviation::Missing(Seen { fact: Fact::Present(Objects::one(kind, name)), ours: true })]
        };
        let (role, database) = (desired.names.role.as_str(), desired.names.database.as_str());
        return Control::all(Of::Tenant)
            .map(|control| {
                let found = match (control, &observed.role) {
                    (Control::Role, None) => finding(control, Status::Found, missing(Kind::Role, role)),
                    (Control::Role, Some(_)) => finding(control, Status::Enforced, Vec::new()),
                    (Control::DatabaseOpen, Some(_)) => {
                        finding(control, Status::Found, missing(Kind::Database, database))
                    }
                    _ => finding(control, Status::NotInspected(why.to_owned()), Vec::new()),
                };
                (control, found)
            })
            .collect();
    }
    let charter = TenantCharter::new(desired, observed);
    let mut drift = diff(&charter, &observed.facts());
    Control::all(Of::Tenant)
        .map(|control| {
            let all = drift.remove(&control).unwrap_or_default();
            let mut facts: Vec<_> = all.iter().filter(|deviation| !is_owners(deviation, &all)).cloned().collect();
            // What is found is accepted. What is not there at all, and this admin can give, is given all the same: without it
            // there is no tenant.
            let due: Vec<Deviation> = facts.iter().filter(|deviation| is_due(deviation, &facts)).cloned().collect();
            if !due.is_empty() && charter.accepted(control, &facts).is_some() {
                facts = due;
                let repair = repair_of(desired, observed, control, &facts);
                return (control, Finding { repair, ..finding(control, Status::Found, facts) });
            }
            let found = finding(control, status(&charter, control, &facts), facts);
            let repair = match found.status.is_drift() {
                true => repair_of(desired, observed, control, &found.facts),
                false => Repair::default(),
            };
            (control, Finding { repair, ..found })
        })
        .collect()
}

/// Whether a fact is missing that this admin can give, and nothing else is there in its place.
fn is_due(deviation: &Deviation, drift: &[Deviation]) -> bool {
    matches!(deviation, Deviation::Missing(seen) if seen.ours && !is_replaced(&seen.fact, drift))
}

fn repair_of(desired: &Desired, observed: &Observed, control: Control, facts: &[Deviation]) -> Repair {
    let (ours, theirs): (Vec<Deviation>, Vec<Deviation>) = facts.iter().cloned().partition(Deviation::is_ours);
    let login = observed.role.as_ref().is_some_and(|role| role.login);
    let mut repair = Repair::default();
    let changes = |facts: &[Deviation]| changes(desired, observed, control, facts);
    // Until its role has a search_path of its own, sessions find what is the tenant's by that of the database.
    let is_path = |fact: &Fact| matches!(fact, Fact::Parameter { level: Level::RoleInDatabase(..), .. });
    let lacks_path = control == Control::SearchPath
        && facts.iter().any(|deviation| matches!(deviation, Deviation::Missing(seen) if is_path(&seen.fact)));
    let follows = |change: &Change| lacks_path && matches!(change, Change::Reset { scope: Scope::Database(_), .. });
    // A tenant that may not log in holds nothing up; but what there is to tidy can be more than one apply can do.
    repair.extend(changes(&ours), changes(&theirs), |change| {
        let waits = change.can_be_held_up() || meets_owner(observed, change) || follows(change);
        matches!(change, Change::Tidy { .. }) || login && waits
    });
    repair
}

/// Whether a change is of a schema that the tenant owns until then, or may own where not all were read: it can keep that waiting,
/// or make it fail.
fn meets_owner(observed: &Observed, change: &Change) -> bool {
    let is_unseen = |name: &SchemaName| !observed.sees_all_schemas() && !observed.sees_schema(name.as_str());
    match change {
        Change::CreateSchema { schema, .. } | Change::GrantSchema { schema, .. } if is_unseen(schema) => true,
        Change::OwnSchema { schema, .. }
        | Change::GrantSchema { schema, .. }
        | Change::RevokeSchema { schema, .. }
        | Change::MarkSchema { schema, .. } => observed.owns_schema(schema.as_str()),
        _ => false,
    }
}

/// The next changes on the way from what is observed to what is wanted, whatever that is. Empty when the tenant is as it
/// should be, as far as was observed.
///
/// What cannot be told before something else exists comes in a later round: run these, observe again.
pub fn repair(desired: &Desired, observed: &Observed) -> Repair {
    let only = |needed: Vec<Change>| Repair { needed, tried: Vec::new() };
    match desired.goal {
        Goal::Gone | Goal::Emptied => only(destroy::remove(desired, observed)),
        Goal::Archived => only(destroy::archive(desired, observed)),
        Goal::Present | Goal::Suspended => keep(desired, observed),
    }
}

/// A tenant's role logs in last, when all else stands, and only if the database was entered.
fn keep(desired: &Desired, observed: &Observed) -> Repair {
    let names = &desired.names;
    let only = |needed: Vec<Change>| Repair { needed, tried: Vec::new() };
    if let Some(database) = observed.database_name().filter(|_| observed.is_invalid()) {
        // What it held is lost already.
        return only(vec![Change::DropDatabase { database, force: false }]);
    }
    if must_shut(desired, observed) {
        return only(suspend(observed));
    }
    let mut needed = missing_objects(desired, observed);
    let (Some(database), Some(role)) = (&observed.database, &observed.role) else { return only(needed) };
    let renames = renames(names, observed);
    if !renames.is_empty() {
        needed.extend(renames);
        return only(needed);
    }
    if observed.database_marker().is_none()
        && !observed.is_adopted()
        && observed.role_marker().is_some_and(|marker| marker.stage == Stage::Creating)
    {
        // Together with its opening: an open database without a marker could be anybody's.
        let marker = Marker::new(names, Stage::Creating, None);
        needed.push(Change::MarkDatabase { database: names.database.clone(), marker });
    }
    if let Some(verifier) = desired.due_password(observed) {
        // What it logs in with from then on comes first: without that it would have nothing.
        if let Some(group) = desired.authentication.group().filter(|group| !observed.is_member_of(group)) {
            needed.push(Change::GrantMembership { role: group, member: names.role.clone() });
        }
        needed.push(Change::SetPassword { role: names.role.clone(), verifier: verifier.cloned() });
        // Which version is set is on record in the same transaction: it is written once.
        let stage = observed.role_marker().map_or(Stage::Creating, |marker| marker.stage);
        let (guardrails, admitted) = (observed.is_guarded(), observed.admitted.clone());
        let marker = Marker { guardrails, admitted, ..desired.marked(stage, observed) };
        needed.push(Change::MarkRole { role: names.role.clone(), marker });
    }
    let mut tried = Vec::new();
    if desired.goal == Goal::Suspended {
        let mut others = observed.in_database().filter(|session| observed.admits(&session.role).is_some());
        if others.next().is_some() {
            tried.push(Change::EndDatabaseSessions { database: names.database.clone() });
        }
        let own = observed.role.iter().chain(observed.companions.iter().map(|companion| &companion.role));
        let is_there = |role: &&Role| observed.connected.iter().any(|session| session.role == role.name);
        let left = own.filter(is_there).filter_map(|role| role.name.parse().ok());
        tried.extend(left.map(|role| Change::EndLateSessions { role }));
    }
    let mut last = Vec::new();
    let mut findings = findings(desired, observed);
    for control in ORDER {
        let Some(Finding { repair, .. }) = findings.remove(&control) else { continue };
        if control == Control::Registered {
            last = repair.needed;
        } else {
            needed.extend(repair.needed);
        }
        tried.extend(repair.tried);
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
    if let Some(text) = desired.comment.as_ref().filter(|text| *text != observed.comment()) {
        needed.push(Change::CommentDatabase { database: names.database.clone(), text: text.clone() });
    }
    if let Ok(inside) = &observed.inside {
        needed.extend(desired.installs(observed));
        // After what a new version of one may require.
        let mends = desired.extensions.keys().flat_map(|extension| desired.mends(observed, extension.as_str()));
        let mut mended = Repair::default();
        mended.extend(mends.collect(), Vec::new(), |change| role.login && change.can_be_held_up());
        needed.extend(mended.needed);
        tried.extend(mended.tried);
        tried.extend(desired.drops(observed));
        // Whether it is empty, PostgreSQL knows.
        let there = |name: &&SchemaName| inside.schemas.iter().any(|schema| schema.name == name.as_str());
        for schema in desired.given_up.iter().filter(there) {
            tried.push(Change::DropSchema { database: names.database.clone(), schema: schema.clone() });
        }
        if desired.logs_in() && !role.login {
            needed.push(Change::Login { role: names.role.clone() });
        }
        let shut = |companion: &&Companion| companion.may_log_in() && !companion.role.login;
        let companions = observed.companions.iter().filter(|_| desired.logs_in()).filter(shut);
        needed.extend(companions.filter_map(Companion::name).map(|role| Change::Login { role }));
        needed.extend(renamed(names, observed));
        needed.extend(last);
    } else if observed.is_complete() {
        // Nothing inside is to be finished.
        needed.extend(last);
    }
    // Where extensions are to be installed is the admin's before anybody else may make it.
    needed.sort_by_key(
        |change| matches!(change, Change::GrantDatabase { privileges, .. } if privileges.contains(&"CREATE")),
    );
    if observed.is_adopted() {
        // What can fail inside comes before what shuts people out.
        needed.sort_by_key(|change| (change.closes_a_door(), change.is_inside()));
        if observed.inside.is_err() {
            needed.retain(|change| !change.closes_a_door());
        }
    }
    tried.sort_by_key(|change| matches!(change, Change::Tidy { .. }));
    tried.dedup();
    Repair { needed, tried }
}

/// The markers of its further roles, of a tenant that has another name now.
fn renamed(names: &Names, observed: &Observed) -> Vec<Change> {
    let others = observed.companions.iter().filter(|companion| companion.marker.tenant != names.tenant.as_str());
    let mark = |companion: &Companion| {
        let marker = Marker { tenant: names.tenant.to_string(), ..companion.marker.clone() };
        Some(Change::MarkRole { role: companion.name()?, marker })
    };
    others.filter_map(mark).collect()
}

/// Whether the tenant is to be shut out, and is not yet.
pub fn must_shut(desired: &Desired, observed: &Observed) -> bool {
    let own = observed.role.as_ref().into_iter();
    let mut all = own.chain(observed.companions.iter().map(|companion| &companion.role));
    desired.goal == Goal::Suspended && all.any(|role| role.login)
}

/// Shuts the tenant out: of its database first, whose row it cannot lock. That is opened again, for the admin, when the role
/// may log in no more.
fn suspend(observed: &Observed) -> Vec<Change> {
    let open = observed.database.as_ref().is_some_and(|database| database.allow_connections);
    let database = observed.database_name().filter(|_| open && observed.owns_database());
    let close = database.map(|database| Change::Close { database });
    let companions = observed.companions.iter().filter(|companion| companion.role.login);
    let companions = companions.filter_map(Companion::name);
    let own = observed.role_name().filter(|_| observed.role.as_ref().is_some_and(|role| role.login));
    close.into_iter().chain(own.into_iter().chain(companions).flat_map(|role| shut_out(&role))).collect()
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
    // Which may reset all that is set for the role.
    Control::Parameters,
    Control::Governed,
    Control::SearchPath,
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
            password: desired.due_password(observed).flatten().cloned(),
            limits: limits.clone(),
        });
        let marker = desired.marked(Stage::Creating, observed);
        changes.push(Change::MarkRole { role: names.role.clone(), marker });
    }
    if observed.database.is_none() {
        let mut locale = desired.locale.clone();
        if !observed.server.has(Feature::LocaleProviders) {
            // There is but one, and no word for it.
            locale.provider = None;
        }
        changes.push(Change::CreateDatabase {
            database: names.database.clone(),
            template: desired.template.clone(),
            locale,
            connection_limit: observed.database_limit(limits.connection_limit, desired.admin_connections),
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
            Deviation::Missing(seen) => missing(desired, observed, &seen.fact).into_iter().for_each(&mut add),
            Deviation::Unexpected(seen) => unexpected(desired, observed, control, seen).into_iter().for_each(&mut add),
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
            // One that was the tenant's leaves it what it is to have in the same moment.
            Change::OwnSchema { schema, from: None, .. } => Some(schema.clone()),
            _ => None,
        })
        .collect();
    if database {
        changes.push(grant_database(desired));
    }
    for schema in schemas {
        changes.extend(grant_schema(desired, observed, &schema));
    }
    changes.extend(given_again(desired, observed, &changes));
    changes.sort_by_key(Change::gives);
    changes.dedup();
    changes
}

/// What roles that are let in, and further ones, lose with more than they are to have.
fn given_again(desired: &Desired, observed: &Observed, changes: &[Change]) -> Vec<Change> {
    let again = |change: &Change| {
        let (Change::RevokeDatabase { grantee, .. } | Change::RevokeSchema { grantee, .. }) = change else {
            return None;
        };
        let Grantee::Role(role) = grantee else { return None };
        let connects = observed.access_of(role.as_str()).is_some() || desired.logs_in();
        holding(observed, role.as_str())?.again(change, connects)
    };
    changes.iter().filter_map(again).collect()
}

/// What a role that is let in, or a further one, is to have in the database.
fn holding<'a>(observed: &'a Observed, role: &'a str) -> Option<Holding<'a>> {
    let (own, database) = (&observed.role.as_ref()?.name, &observed.database.as_ref()?.name);
    let access = observed.access_of(role).or_else(|| observed.admits(role))?;
    Some(Holding { tenant: observed, own, database, role, access })
}

fn grant_database(desired: &Desired) -> Change {
    let names = &desired.names;
    let privileges = if desired.creates_schemas { vec!["CONNECT", "CREATE"] } else { vec!["CONNECT"] };
    Change::GrantDatabase { database: names.database.clone(), privileges, role: names.role.clone() }
}

/// What the tenant has on a schema of its database: nothing on one that is none of its own.
fn privileges_on(desired: &Desired, observed: &Observed, schema: &SchemaName) -> Vec<&'static str> {
    let is_extended = schema.as_str() == EXTENSIONS_SCHEMA && desired.has_extensions_schema(observed);
    if *schema == desired.names.schema || desired.schemas.contains(schema) {
        vec!["CREATE", "USAGE"]
    } else if is_extended || desired.extension_schemas(observed).contains(schema) {
        vec!["USAGE"]
    } else {
        Vec::new()
    }
}

fn grant_schema(desired: &Desired, observed: &Observed, schema: &SchemaName) -> Option<Change> {
    let privileges = privileges_on(desired, observed, schema);
    let (database, role) = (desired.names.database.clone(), desired.names.role.clone());
    (!privileges.is_empty()).then(|| Change::GrantSchema { database, schema: schema.clone(), privileges, role })
}

fn missing(desired: &Desired, observed: &Observed, fact: &Fact) -> Vec<Change> {
    let names = &desired.names;
    let change = match fact {
        Fact::Present(objects) if objects.kind == Kind::Schema && observed.inside.is_ok() => {
            let schema = objects.name().and_then(|name| name.parse().ok());
            schema.map(|schema| Change::CreateSchema { database: names.database.clone(), schema })
        }
        Fact::Grant { objects, grantee: Some(grantee), .. }
            if objects.kind == Kind::Database && observed.admits(grantee).is_some() =>
        {
            holding(observed, grantee).and_then(|holding| holding.give(fact))
        }
        Fact::Grant { objects, .. } if objects.kind == Kind::Database => Some(grant_database(desired)),
        Fact::Grant { objects, .. } if objects.kind == Kind::Schema => {
            objects.name().and_then(|name| grant_schema(desired, observed, &name.parse().ok()?))
        }
        Fact::Membership { role, .. } => {
            let role = role.parse().ok();
            role.map(|role| Change::GrantMembership { role, member: names.role.clone() })
        }
        Fact::Attribute { attribute: Attribute::ValidUntil(_), .. } => Some(expire(desired)),
        Fact::Extension { name, .. } => return desired.mends(observed, name),
        Fact::Parameter { level: Level::RoleInDatabase(..), .. } => Some(set_search_path(desired, observed)),
        Fact::Parameter { level, name, .. } => set_limit(names, level, name),
        _ => None,
    };
    change.into_iter().collect()
}

/// Lets the role's password expire when that is wanted, or never.
pub(super) fn expire(desired: &Desired) -> Change {
    Change::Expire { role: desired.names.role.clone(), until: desired.valid_until }
}

fn set_search_path(desired: &Desired, observed: &Observed) -> Change {
    let scope = Scope::RoleInDatabase(desired.names.role.clone(), desired.names.database.clone());
    Change::Set { scope, name: parameter("search_path"), value: Setting::Schemas(desired.search_path(observed)) }
}

/// One of the safe limits.
fn set_limit(names: &Names, level: &Level, name: &str) -> Option<Change> {
    let scope = match level {
        Level::Database(_) => Scope::Database(names.database.clone()),
        Level::Role(_) => Scope::Role(names.role.clone()),
        _ => return None,
    };
    let (name, value) =
        Limits::safe().settings().into_iter().find(|(safe, _)| safe.as_str().eq_ignore_ascii_case(name))?;
    Some(Change::Set { scope, name, value })
}

pub(super) fn unexpected(desired: &Desired, observed: &Observed, control: Control, seen: &Seen) -> Vec<Change> {
    let (names, fact) = (&desired.names, &seen.fact);
    let (database, role) = (names.database.clone(), names.role.clone());
    let change = match fact {
        Fact::Attribute { role: of, attribute } if observed.role.as_ref().is_some_and(|role| role.name == *of) => {
            match attribute {
                Attribute::ConnectionLimit(_) => {
                    Some(Change::LimitRole { role, connections: Limits::safe().connection_limit })
                }
                Attribute::ValidUntil(_) => Some(expire(desired)),
                attribute => {
                    without(attribute).map(|without| Change::RoleAttributes { role, attributes: vec![without] })
                }
            }
        }
        Fact::Membership { role: of, member, options } => {
            return leave(observed, names, (of, member, *options), seen.ours);
        }
        Fact::Owner { objects, owner } if control == Control::DatabaseOwner && objects.kind == Kind::Database => {
            let from = (Some(owner.as_str()) == observed.role.as_ref().map(|role| role.name.as_str())).then_some(role);
            Some(Change::OwnDatabase { database, from })
        }
        Fact::Owner { objects, owner } if objects.kind == Kind::Schema && objects.database.is_none() => {
            let from = (Some(owner.as_str()) == observed.role.as_ref().map(|role| role.name.as_str())).then_some(role);
            let schema = objects.name().and_then(|name| name.parse().ok());
            schema.map(|schema: SchemaName| {
                let keeps = privileges_on(desired, observed, &schema);
                Change::OwnSchema { database, schema, from, keeps }
            })
        }
        // What groups hold elsewhere is not the tenant's alone: it is told, and left.
        Fact::Grant { objects, grantee, .. }
            if observed.is_elsewhere(objects) && !is_own(observed, grantee.as_deref()) =>
        {
            None
        }
        Fact::Grant { objects, grantee, .. } if objects.kind == Kind::Database => {
            let name = objects.name().and_then(|name| name.parse().ok());
            let grantee = Grantee::parse(grantee.as_deref());
            let privileges = vec!["ALL".to_owned()];
            name.zip(grantee).map(|(database, grantee)| Change::RevokeDatabase { database, privileges, grantee })
        }
        Fact::Grant { objects, grantee, privilege, .. }
            if [Kind::Tablespace, Kind::Parameter].contains(&objects.kind) =>
        {
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
        Fact::Grant { objects, grantee, .. }
            if objects.kind == Kind::Schema && !objects.original && objects.database.is_none() =>
        {
            // On its own schema the tenant granted it, and who is no member of it takes nothing back.
            let name = objects.name().filter(|name| !desired.leaves_to_tenant(observed, name));
            let schema = name.and_then(|name| name.parse().ok());
            let grantee = Grantee::parse(grantee.as_deref());
            match schema.zip(grantee) {
                Some((schema, grantee)) => Some(Change::RevokeSchema { database, schema, grantee }),
                None => tidy(observed, names),
            }
        }
        // Who is let in keeps what its access takes.
        Fact::Grant { objects, grantee: Some(grantee), .. }
            if objects.database.is_none() && !objects.original && holding(observed, grantee).is_some() =>
        {
            holding(observed, grantee).filter(|_| observed.inside.is_ok()).and_then(|holding| holding.give_anew())
        }
        Fact::DefaultGrant { grantee: Some(grantee), .. } if holding(observed, grantee).is_some() => {
            holding(observed, grantee).and_then(|holding| holding.give_anew())
        }
        Fact::Grant { objects, .. } if objects.database.is_none() => tidy(observed, names),
        Fact::DefaultGrant { .. } | Fact::ManyGrants { .. } | Fact::ManySchemas { .. } => tidy(observed, names),
        Fact::Database { attribute: DatabaseAttribute::ConnectionLimit(_), .. } => {
            let connections = observed.database_limit(observed.governed_limit(), desired.admin_connections);
            Some(Change::LimitDatabase { database, connections })
        }
        Fact::Database { .. } => Some(Change::Open { database }),
        Fact::Parameter { level: Level::RoleInDatabase(_, place), .. }
            if control == Control::SearchPath && observed.database.as_ref().is_some_and(|own| own.name == *place) =>
        {
            Some(set_search_path(desired, observed))
        }
        Fact::Parameter { level, name, .. } => {
            let limit = (control == Control::Governed).then(|| set_limit(names, level, name)).flatten();
            limit.or_else(|| reset(observed, names, level, name).filter(|_| !goes_with_all(observed, level)))
        }
        Fact::ManyParameters { .. } => return reset_all(desired, observed),
        _ => None,
    };
    change.into_iter().collect()
}

fn is_own(observed: &Observed, grantee: Option<&str>) -> bool {
    grantee.is_some() && grantee == observed.role.as_ref().map(|role| role.name.as_str())
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

/// From 16 on a membership is revoked from whoever granted it, and one with other options can stay. `ours` are the rows that this
/// admin may revoke.
pub(super) fn leave(
    observed: &Observed,
    names: &Names,
    (role, member, options): (&str, &str, Options),
    ours: bool,
) -> Vec<Change> {
    let own = observed.role.as_ref().map(|role| role.name.as_str());
    if own != Some(role) && own != Some(member) {
        return Vec::new();
    }
    let by_grantor = observed.server.has(Feature::MembershipsByGrantor);
    let renamed = |name: &str| if Some(name) == own { Some(names.role.clone()) } else { name.parse().ok() };
    let rows = observed.memberships.iter().filter(|row| !row.automatic && row.role == role && row.member == member);
    let rows = rows.filter(|row| row.options() == options && row.revocable == ours);
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

/// All that is set for the role, but for what it is to have: too much to read, so too much to tell apart.
fn reset_all(desired: &Desired, observed: &Observed) -> Vec<Change> {
    let (role, database) = (desired.names.role.clone(), desired.names.database.clone());
    let own = observed.role.as_ref().map(|role| role.name.as_str());
    let places = observed.settings.iter().filter(|setting| setting.role.is_some() && setting.role.as_deref() == own);
    let places: BTreeSet<DatabaseName> =
        places.filter_map(|setting| setting.database.as_deref()?.parse().ok()).collect();
    let others = places.into_iter().filter(|place| Some(place) != observed.database_name().as_ref());
    let in_databases = [database].into_iter().chain(others).map(|place| Scope::RoleInDatabase(role.clone(), place));
    let scopes = [Scope::Role(role.clone())].into_iter().chain(in_databases);
    let mut changes: Vec<Change> = scopes.map(|scope| Change::ResetAll { scope }).collect();
    changes.push(set_search_path(desired, observed));
    if !observed.is_guarded() {
        let set = |(name, value)| Change::Set { scope: Scope::Role(role.clone()), name, value };
        changes.extend(Limits::safe().settings().into_iter().map(set));
    }
    changes
}

/// Whether what is set there is reset by [`reset_all`] anyway.
fn goes_with_all(observed: &Observed, level: &Level) -> bool {
    matches!(level, Level::Role(_) | Level::RoleInDatabase(..)) && observed.oversized.is_some()
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
        let is_one = |fact: &Fact| matches!(fact, Fact::Marker { objects, .. } if objects.kind == kind);
        drift.iter().any(|deviation| matches!(deviation, Deviation::Missing(seen) if is_one(&seen.fact)))
    };
    let mut changes = Vec::new();
    if missing(Kind::Schema) {
        let (database, schema) = (names.database.clone(), names.schema.clone());
        changes.push(Change::MarkSchema { database, schema, marker: desired.schema_marker(observed) });
    }
    // These are written last: a tenant is complete when both stand.
    if missing(Kind::Role) {
        changes.push(Change::MarkRole { role: names.role.clone(), marker: desired.role_marker(observed) });
    }
    if missing(Kind::Database) {
        changes.push(Change::MarkDatabase { database: names.database.clone(), marker });
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::catalog::acl::Grant;
    use crate::postgres::catalog::inside::{DefaultPrivilege, Extension, ObjectGrant, ObjectOwner, Schema, Thing};
    use crate::postgres::catalog::snapshot::{Database, Membership, Placed, Role, ServerGrant};
    use crate::postgres::fact::Objects;
    use crate::postgres::{Authentication, Challenge, Secret, Verifier};
    use crate::tenant::fixture::{self, grant, membership, setting, texts};
    use crate::tenant::{Method, Password};

    /// Changes facts of a tenant that is as it should be: what is needed for it to be so again, and what is tried.
    #[track_caller]
    fn check(
        break_it: impl FnOnce(&mut Desired, &mut Observed),
        needed: &[&str],
        tried: &[&str],
    ) -> (Desired, Observed) {
        let (mut desired, mut observed) = (fixture::desired(), fixture::observed());
        break_it(&mut desired, &mut observed);
        let repair = repair(&desired, &observed);
        assert_eq!(texts(&repair.needed), needed, "needed");
        assert_eq!(texts(&repair.tried), tried, "tried");
        let findings = findings(&desired, &observed);
        for finding in findings.values().filter(|finding| finding.status == Status::Found && observed.inside.is_ok()) {
            // A plan promises what is found. Its password the tenant gets with its role, and what is missing first of all.
            let made = observed.database.is_none() && finding.control == Control::DatabaseOpen;
            let promised =
                made || [Control::Role, Control::Password].contains(&finding.control) || !finding.repair.is_empty();
            assert!(promised, "nothing repairs {}: {}", finding.control, finding.describe());
        }
        (desired, observed)
    }

    /// As `check`, and expects this control, and no other, to say what was found.
    #[track_caller]
    fn check_control(
        control: Control,
        found: &str,
        break_it: impl FnOnce(&mut Observed),
        needed: &[&str],
        tried: &[&str],
    ) {
        let (desired, observed) = check(|_, observed| break_it(observed), needed, tried);
        assert_eq!(told(&desired, &observed), [format!("{control}: {found}")]);
    }

    fn told(desired: &Desired, observed: &Observed) -> Vec<String> {
        let drift = findings(desired, observed).into_values().filter(|finding| finding.status != Status::Enforced);
        drift.map(|finding| format!("{}: {}", finding.control, finding.describe())).collect()
    }

    fn database(observed: &mut Observed) -> &mut Database {
        observed.database.as_mut().unwrap()
    }

    fn role(observed: &mut Observed) -> &mut Role {
        observed.role.as_mut().unwrap()
    }

    fn inside(observed: &mut Observed) -> &mut crate::postgres::Inside {
        observed.inside.as_mut().unwrap()
    }

    fn schema<'a>(observed: &'a mut Observed, name: &str) -> &'a mut Schema {
        inside(observed).schemas.iter_mut().find(|schema| schema.name == name).unwrap()
    }

    fn set(observed: &mut Observed, name: &str, value: &str) {
        observed.settings.iter_mut().filter(|s| s.name == name).for_each(|s| s.value = value.to_owned());
    }

    fn object_grant(kind: &str, grantee: Option<&str>, privilege: &str, names: &[&str]) -> ObjectGrant {
        ObjectGrant {
            kind: kind.to_owned(),
            original: false,
            schema: Some("app".to_owned()),
            owner: "acme".to_owned(),
            owner_usable: false,
            grantee: grantee.map(str::to_owned),
            privilege: privilege.to_owned(),
            grantable: false,
            count: names.len() as u64,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    const TIDY: [&str; 5] = [
        "GRANT \"acme\" TO CURRENT_USER",
        "SELECT pg_catalog.set_config('pgtenant.role', '', true)",
        "SELECT pg_catalog.set_config('pgtenant.home', '[\"acme\",\"admin\",\"pg_database_owner\"]', true), \
                pg_catalog.set_config('pgtenant.tenant', 'acme', true)",
        "TIDY",
        "REVOKE \"acme\" FROM CURRENT_USER",
    ];

    const READY: &str = "{\"pgtenant\":\"acme\",\"stage\":\"ready\",\"database\":\"acme\",\"role\":\"acme\",\"schema\":\"app\",\
                         \"password\":\"4096:c2FsdA==\"}";

    #[test]
    fn a_tenant_as_it_should_be_needs_nothing() {
        let (desired, observed) = check(|_, _| {}, &[], &[]);
        let findings = findings(&desired, &observed);
        assert!(findings.keys().copied().eq(Control::all(Of::Tenant)));
        assert!(findings.values().all(|finding| finding.status == Status::Enforced), "{findings:?}");
        assert!(repair(&desired, &observed).is_empty());
    }

    const CREATE_ROLE: &str = "CREATE ROLE \"acme\" NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION \
                               NOBYPASSRLS NOINHERIT CONNECTION LIMIT 10";
    const CREATE_DATABASE: &str =
        "CREATE DATABASE \"acme\" TEMPLATE template0 ENCODING 'UTF8' CONNECTION LIMIT 15 ALLOW_CONNECTIONS false";

    #[test]
    fn a_new_tenant_is_made_closed_and_marked_before_its_database() {
        let marked = "COMMENT ON ROLE \"acme\" IS \
                      '{\"pgtenant\":\"acme\",\"stage\":\"creating\",\"database\":\"acme\",\"role\":\"acme\",\"schema\":\"app\"}'";
        let (desired, observed) = check(
            |_, observed| (observed.role, observed.database) = (None, None),
            &[CREATE_ROLE, marked, CREATE_DATABASE],
            &[],
        );
        let told = findings(&desired, &observed);
        assert_eq!(told[&Control::Role].describe(), "found: role acme is missing");
        let others = told.values().filter(|finding| finding.control != Control::Role);
        assert!(others.into_iter().all(|finding| finding.describe() == "not inspected: its role is missing"));
        let (desired, observed) = check(|_, observed| observed.database = None, &[CREATE_DATABASE], &[]);
        let told = findings(&desired, &observed);
        assert_eq!(told[&Control::Role].describe(), "enforced");
        assert_eq!(told[&Control::DatabaseOpen].describe(), "found: database acme is missing");
        assert_eq!(told[&Control::Schema].describe(), "not inspected: its database is missing");
        check(|_, observed| observed.role = None, &[CREATE_ROLE, marked], &[]);
    }

    #[test]
    fn a_password_is_part_of_a_new_role_and_of_its_marker() {
        let verifier = Verifier::salted(&Secret::new("hunter2"), "acme", "salt");
        let (mut desired, mut observed) = (fixture::desired(), fixture::observed());
        (desired.password, desired.password_version) = (Password::Set(verifier.clone()), Some(1));
        observed.role = None;
        let made = texts(&repair(&desired, &observed).needed);
        assert!(made[0].ends_with(&format!(" PASSWORD '{}'", verifier.expose())), "{made:?}");
        assert!(made[1].contains(&format!("\"password\":\"{}\"", String::from(verifier.challenge()))), "{made:?}");
    }

    #[test]
    fn a_half_made_tenant_is_opened_only_when_public_is_out() {
        let (desired, mut observed) = (fixture::desired(), fixture::observed());
        observed.inside = Err("closed".to_owned());
        observed.settings.clear();
        role(&mut observed).login = false;
        role(&mut observed).comment = Some(Marker::new(&desired.names, Stage::Creating, None).text());
        let facts = database(&mut observed);
        facts.comment = None;
        facts.allow_connections = false;
        facts.acl = vec![grant(None, "CONNECT"), grant(None, "TEMPORARY")];
        let repair = repair(&desired, &observed);
        let at = |wanted: fn(&Change) -> bool| repair.needed.iter().position(wanted);
        let mark = at(|change| matches!(change, Change::MarkDatabase { .. }));
        let revoke = at(|change| matches!(change, Change::RevokeDatabase { grantee: Grantee::Public, .. }));
        let open = at(|change| matches!(change, Change::Open { .. }));
        assert!(mark.is_some() && mark < revoke && revoke < open, "{repair:?}");
        assert_eq!(at(|change| matches!(change, Change::Login { .. })), None, "not before the schema stands");
        assert_eq!(at(|change| matches!(change, Change::MarkRole { .. })), None, "not complete yet");
        let script = crate::tenant::render(&repair.needed);
        assert_eq!(script.0.len(), 1, "the revoke and the opening are one transaction: {script:?}");
        // It may not log in yet, and holds nothing up: all of it is needed.
        assert_eq!(repair.tried, []);
    }

    #[test]
    fn what_is_half_made_is_finished_and_let_in_last() {
        let (desired, mut observed) = (fixture::desired(), fixture::observed());
        let creating = Some(Marker::new(&desired.names, Stage::Creating, None).text());
        role(&mut observed).login = false;
        role(&mut observed).comment.clone_from(&creating);
        database(&mut observed).comment = creating;
        let needed = texts(&repair(&desired, &observed).needed);
        assert_eq!(
            needed,
            [
                "ALTER ROLE \"acme\" LOGIN".to_owned(),
                format!("COMMENT ON ROLE \"acme\" IS '{READY}'"),
                format!("COMMENT ON DATABASE \"acme\" IS '{READY}'"),
            ]
        );
    }

    #[test]
    fn what_the_shared_catalogs_hold_of_a_database_is_told_and_repaired() {
        let revoke = |grantee: &str| format!("REVOKE ALL ON DATABASE \"acme\" FROM {grantee} CASCADE");
        let connect = "GRANT CONNECT ON DATABASE \"acme\" TO \"acme\"";
        check_control(
            Control::PublicPrivileges,
            "found: PUBLIC has CONNECT, TEMPORARY on database acme",
            |o| database(o).acl.extend([grant(None, "TEMPORARY"), grant(None, "CONNECT")]),
            &[&revoke("PUBLIC")],
            &[],
        );
        check_control(
            Control::OtherPrivileges,
            "found: globex has CONNECT on database acme",
            |o| database(o).acl.push(grant(Some("globex"), "CONNECT")),
            &[&revoke("\"globex\"")],
            &[],
        );
        check_control(
            Control::TenantPrivileges,
            "found: acme has CREATE on database acme",
            |o| database(o).acl.push(grant(Some("acme"), "CREATE")),
            &[&revoke("\"acme\""), connect],
            &[],
        );
        check_control(
            Control::TenantPrivileges,
            "found: acme lacks CONNECT on database acme; acme has CONNECT WITH GRANT OPTION on database acme",
            |o| database(o).acl[0].grantable = true,
            &[&revoke("\"acme\""), connect],
            &[],
        );
        check_control(
            Control::TenantPrivileges,
            "found: acme lacks CONNECT on database acme",
            |o| database(o).acl.clear(),
            &[connect],
            &[],
        );
        // An owner has every privilege, and the schema `public`: that goes with it.
        check_control(
            Control::DatabaseOwner,
            "found: acme owns database acme",
            |o| (database(o).owner, database(o).owner_usable) = ("acme".to_owned(), false),
            &[
                "GRANT \"acme\" TO CURRENT_USER",
                "ALTER DATABASE \"acme\" OWNER TO CURRENT_USER",
                "REVOKE \"acme\" FROM CURRENT_USER",
            ],
            &[],
        );
        check_control(
            Control::DatabaseOwner,
            "found: operators owns database acme",
            |o| {
                database(o).owner = "operators".to_owned();
                schema(o, "public").owner = "postgres".to_owned();
            },
            &["ALTER DATABASE \"acme\" OWNER TO CURRENT_USER"],
            &[],
        );
        let open = "ALTER DATABASE \"acme\" ALLOW_CONNECTIONS true IS_TEMPLATE false";
        check_control(
            Control::DatabaseOpen,
            "found: database acme is a template",
            |o| database(o).is_template = true,
            &[open],
            &[],
        );
        check_control(
            Control::DatabaseOpen,
            "found: database acme accepts no connections",
            |o| database(o).allow_connections = false,
            &[open],
            &[],
        );
    }

    #[test]
    fn what_a_role_is_and_whom_it_belongs_to_is_told_and_repaired() {
        check_control(
            Control::RoleAttributes,
            "found: acme has CREATEDB; acme has CREATEROLE; acme has INHERIT",
            |o| (role(o).create_database, role(o).create_role, role(o).inherit) = (true, true, true),
            &[],
            &["ALTER ROLE \"acme\" NOCREATEDB", "ALTER ROLE \"acme\" NOCREATEROLE", "ALTER ROLE \"acme\" NOINHERIT"],
        );
        let (desired, observed) = check(
            |_, o| (role(o).valid_until, role(o).expired) = (Some("2020-01-01T00:00:00Z".to_owned()), true),
            &[],
            &["ALTER ROLE \"acme\" VALID UNTIL 'infinity'"],
        );
        let expired = [
            "role_attributes: found: acme has VALID UNTIL \"2020-01-01T00:00:00Z\"",
            "password: not inspected: the password expired at \"2020-01-01T00:00:00Z\": the server refuses it, right or wrong",
        ];
        assert_eq!(told(&desired, &observed), expired);
        // One that is wanted is on record, and another is none.
        let until = |found: Option<&str>| {
            let desired = Desired { valid_until: Some("2027-01-31T00:00:00Z".parse().unwrap()), ..fixture::desired() };
            let mut observed = fixture::observed();
            role(&mut observed).valid_until = found.map(str::to_owned);
            let finding = findings(&desired, &observed).remove(&Control::RoleAttributes).unwrap();
            let Repair { needed, tried } = repair(&desired, &observed);
            assert!(needed.iter().any(|change| {
                texts(std::slice::from_ref(change))[0].contains("\"valid_until\":\"2027-01-31T00:00:00Z\"")
            }));
            (finding.describe(), texts(&tried).join("; "))
        };
        let set = "ALTER ROLE \"acme\" VALID UNTIL '2027-01-31T00:00:00Z'";
        for (found, said, tried) in [
            (Some("2027-01-31T00:00:00Z"), "enforced", ""),
            (None, "found: acme lacks VALID UNTIL \"2027-01-31T00:00:00Z\"", set),
            (
                Some("-infinity"),
                "found: acme lacks VALID UNTIL \"2027-01-31T00:00:00Z\"; acme has VALID UNTIL \"-infinity\"",
                set,
            ),
        ] {
            assert_eq!(until(found), (said.to_owned(), tried.to_owned()), "{found:?}");
        }
        check_control(
            Control::Memberships,
            "found: globex is a member of acme; acme is a member of globex",
            |o| o.memberships = vec![membership("globex", "acme"), membership("acme", "globex")],
            &[],
            &["REVOKE \"acme\" FROM \"globex\" CASCADE", "REVOKE \"globex\" FROM \"acme\" CASCADE"],
        );
        let rows = |o: &mut Observed| {
            let with = |grantor: &str| Membership {
                grantor: Some(grantor.to_owned()),
                inherit: Some(true),
                set: Some(false),
                ..membership("acme", "globex")
            };
            let automatic = Membership { automatic: true, ..membership("acme", "admin") };
            o.memberships = vec![with("admin"), with("postgres"), automatic];
        };
        check_control(
            Control::Memberships,
            "found: globex is a member of acme with INHERIT",
            |o| {
                o.server.version_num = 160_000;
                rows(o);
            },
            &[],
            &[
                "REVOKE \"acme\" FROM \"globex\" GRANTED BY \"admin\" CASCADE",
                "REVOKE \"acme\" FROM \"globex\" GRANTED BY \"postgres\" CASCADE",
            ],
        );
        // Each from whoever granted it, and from nobody else.
        let by =
            |role: &str, grantor: &str| Membership { grantor: Some(grantor.to_owned()), ..membership(role, "acme") };
        check(
            |_, o| {
                o.server.version_num = 160_000;
                o.memberships = vec![by("g1", "a"), by("g2", "b")];
            },
            &[],
            &[
                "REVOKE \"g1\" FROM \"acme\" GRANTED BY \"a\" CASCADE",
                "REVOKE \"g2\" FROM \"acme\" GRANTED BY \"b\" CASCADE",
            ],
        );
        let rds_iam = |desired: &mut Desired| desired.member_of = ["rds_iam".parse().unwrap()].into();
        check(|desired, _| rds_iam(desired), &[], &["GRANT \"rds_iam\" TO \"acme\""]);
        check(
            |desired, observed| {
                rds_iam(desired);
                observed.memberships = vec![membership("rds_iam", "acme")];
            },
            &[],
            &[],
        );
        let (desired, observed) = check(
            |desired, observed| {
                rds_iam(desired);
                observed.memberships = vec![membership("rds_iam", "acme")];
                observed.memberships[0].admin = true;
            },
            &[],
            &["REVOKE \"rds_iam\" FROM \"acme\" CASCADE", "GRANT \"rds_iam\" TO \"acme\""],
        );
        assert_eq!(
            findings(&desired, &observed)[&Control::Memberships].describe(),
            "found: acme is not a member of rds_iam; acme is a member of rds_iam with ADMIN"
        );
        // What a group gains is told, and left to those who own the group.
        check_control(
            Control::Memberships,
            "not permitted: operators has CREATEDB; acme_group is a member of operators",
            |o| {
                o.groups = vec![Role { create_database: true, inherit: true, ..fixture::role("operators", None) }];
                o.memberships = vec![membership("operators", "acme_group")];
            },
            &[],
            &[],
        );
    }

    #[test]
    fn what_people_wrote_into_a_comment_is_no_drift_and_in_nobodys_way() {
        let add = |comment: &mut Option<String>, text: &str| comment.as_mut().unwrap().push_str(text);
        let written = |o: &mut Observed| {
            add(&mut role(o).comment, "\n{\"pgtenant\":\"globex\"}");
            add(&mut database(o).comment, "\nowner: shop");
            add(&mut schema(o, "app").comment, "\n");
        };
        check(|_, o| written(o), &[], &[]);
        let comment = |desired: &mut Desired, text: &str| desired.comment = Some(text.to_owned());
        check(|desired, o| (written(o), comment(desired, "owner: shop")).1, &[], &[]);
        let (desired, observed) = (fixture::desired(), fixture::observed());
        let desired = Desired { comment: Some("owner: shop".to_owned()), ..desired };
        let text = "owner: shop".to_owned();
        assert_eq!(
            repair(&desired, &observed).needed,
            [Change::CommentDatabase { database: desired.names.database.clone(), text }]
        );
        check_control(
            Control::Registered,
            "found: the marker of database acme is missing or not up to date",
            |o| database(o).comment = Some("owner: shop".to_owned()),
            &[&format!("COMMENT ON DATABASE \"acme\" IS '{READY}'")],
            &[],
        );
    }

    #[test]
    fn limits_and_parameters_are_told_and_repaired() {
        let role_search_path = "ALTER ROLE \"acme\" IN DATABASE \"acme\" SET \"search_path\" = \"app\"";
        check_control(
            Control::SearchPath,
            "found: search_path = \"public\" for role acme in database acme",
            |o| set(o, "search_path", "public"),
            &[],
            &[role_search_path],
        );
        check_control(
            Control::SearchPath,
            "found: search_path is not as required for role acme in database acme",
            |o| o.settings.retain(|s| s.name != "search_path"),
            &[],
            &[role_search_path],
        );
        check(|_, o| set(o, "search_path", "\"app\""), &[], &[]);
        check_control(
            Control::Governed,
            "found: lock_timeout is not as required for database acme; lock_timeout is not as required for role acme; \
             acme has CONNECTION LIMIT -1; database acme has CONNECTION LIMIT 100",
            |o| {
                role(o).connection_limit = -1;
                database(o).connection_limit = 100;
                o.settings.retain(|s| s.name != "lock_timeout");
            },
            &["ALTER DATABASE \"acme\" SET \"lock_timeout\" = 10000", "ALTER DATABASE \"acme\" CONNECTION LIMIT 15"],
            &["ALTER ROLE \"acme\" SET \"lock_timeout\" = 10000", "ALTER ROLE \"acme\" CONNECTION LIMIT 10"],
        );
        check(|_, o| set(o, "lock_timeout", "10s"), &[], &[]);
        check_control(
            Control::Governed,
            "found: statement_timeout = \"0\" for database acme; statement_timeout = \"0\" for role acme",
            |o| set(o, "statement_timeout", "0"),
            &["ALTER DATABASE \"acme\" SET \"statement_timeout\" = 60000"],
            &["ALTER ROLE \"acme\" SET \"statement_timeout\" = 60000"],
        );
        check_control(
            Control::Governed,
            "found: lock_timeout = \"0\" for role acme in database acme; lock_timeout = \"0\" for role acme in database globex",
            |o| {
                for place in ["acme", "globex"] {
                    o.settings.push(setting(Some(place), Some("acme"), "lock_timeout", "0"));
                }
            },
            &[],
            &[
                "ALTER ROLE \"acme\" IN DATABASE \"acme\" RESET \"lock_timeout\"",
                "ALTER ROLE \"acme\" IN DATABASE \"globex\" RESET \"lock_timeout\"",
            ],
        );
        check_control(
            Control::Parameters,
            "found: work_mem = \"1GB\" for database acme; log_statement = \"none\" for role acme",
            |o| {
                o.settings.push(setting(Some("acme"), None, "work_mem", "1GB"));
                o.settings.push(setting(None, Some("acme"), "log_statement", "none"));
                o.settings.push(setting(None, Some("acme"), "TimeZone", "UTC"));
            },
            &["ALTER DATABASE \"acme\" RESET \"work_mem\""],
            &["ALTER ROLE \"acme\" RESET \"log_statement\""],
        );
        check_control(
            Control::SearchPath,
            "found: search_path = \"x\" for role acme; search_path = \"y\" for role acme in database globex",
            |o| {
                o.settings.push(setting(None, Some("acme"), "search_path", "x"));
                o.settings.push(setting(Some("globex"), Some("acme"), "search_path", "y"));
            },
            &[],
            &[
                "ALTER ROLE \"acme\" RESET \"search_path\"",
                "ALTER ROLE \"acme\" IN DATABASE \"globex\" RESET \"search_path\"",
            ],
        );
        // What takes a superuser to reset is tried.
        check_control(
            Control::Parameters,
            "not permitted: log_statement = \"none\" for database acme",
            |o| {
                o.settings.push(setting(Some("acme"), None, "log_statement", "none"));
                o.privileged.insert("log_statement".to_owned());
            },
            &[],
            &["ALTER DATABASE \"acme\" RESET \"log_statement\""],
        );
        check_control(
            Control::Parameters,
            "found: 4000 parameters are set for role acme",
            |o| {
                o.oversized = Some(4000);
                o.settings.push(setting(Some("globex"), Some("acme"), "TimeZone", "UTC"));
            },
            &[],
            &[
                "ALTER ROLE \"acme\" RESET ALL",
                "ALTER ROLE \"acme\" IN DATABASE \"acme\" RESET ALL",
                "ALTER ROLE \"acme\" IN DATABASE \"globex\" RESET ALL",
                role_search_path,
                "ALTER ROLE \"acme\" SET \"idle_in_transaction_session_timeout\" = 60000",
                "ALTER ROLE \"acme\" SET \"lock_timeout\" = 10000",
                "ALTER ROLE \"acme\" SET \"statement_timeout\" = 60000",
            ],
        );
    }

    #[test]
    fn the_admins_share_of_a_database_is_the_tenants_to_say() {
        for (wanted, on_record, found, limit) in [
            (7, None, 15, Some(17)),
            (7, Some(7), 7, Some(17)),
            (7, Some(7), 40, None),
            (-1, None, 15, Some(-1)),
            (-1, Some(-1), 15, Some(-1)),
            (-1, Some(-1), -1, None),
            (5, Some(-1), -1, Some(15)),
            (5, None, 40, None),
        ] {
            let marker = fixture::marker(&fixture::names(), Stage::Ready);
            let marker = Marker { guardrails: true, admin_connections: on_record, ..marker };
            let (mut desired, mut observed) = (fixture::desired(), fixture::observed());
            desired.admin_connections = wanted;
            role(&mut observed).comment = Some(marker.text());
            database(&mut observed).connection_limit = found;
            let changes = repair(&desired, &observed).needed.into_iter();
            let limits = changes.filter_map(|change| match change {
                Change::LimitDatabase { connections, .. } => Some(connections),
                _ => None,
            });
            assert_eq!(limits.collect::<Vec<_>>(), Vec::from_iter(limit), "{wanted} {on_record:?} {found}");
        }
    }

    #[test]
    fn a_guarded_tenant_has_the_limits_that_its_guardrails_say() {
        let guarded = |o: &mut Observed| {
            let marker = Marker { guardrails: true, ..fixture::marker(&fixture::names(), Stage::Ready) };
            role(o).comment = Some(marker.text());
        };
        check(
            |_, o| {
                guarded(o);
                (role(o).connection_limit, database(o).connection_limit) = (0, 6);
                set(o, "lock_timeout", "1h");
                o.settings.push(setting(Some("acme"), None, "work_mem", "1GB"));
                o.settings.push(setting(None, Some("acme"), "work_mem", "2GB"));
            },
            &[],
            &[],
        );
        check_control(
            Control::Governed,
            "found: lock_timeout is not as required for database acme; acme has CONNECTION LIMIT -1; lock_timeout = \
             \"10000\" for role acme",
            |o| {
                guarded(o);
                role(o).connection_limit = -1;
                o.settings.retain(|s| s.name != "lock_timeout" || s.role.is_some());
            },
            &["ALTER DATABASE \"acme\" SET \"lock_timeout\" = 10000"],
            &["ALTER ROLE \"acme\" CONNECTION LIMIT 10", "ALTER ROLE \"acme\" SET \"lock_timeout\" = 10000"],
        );
        check_control(
            Control::Parameters,
            "found: work_mem = \"2GB\" for role acme",
            |o| {
                guarded(o);
                o.settings.push(setting(None, Some("acme"), "work_mem", "2GB"));
            },
            &[],
            &["ALTER ROLE \"acme\" RESET \"work_mem\""],
        );
        check_control(
            Control::SearchPath,
            "found: search_path = \"x\" for database acme",
            |o| {
                guarded(o);
                o.settings.push(setting(Some("acme"), None, "search_path", "x"));
            },
            &["ALTER DATABASE \"acme\" RESET \"search_path\""],
            &[],
        );
        // The role's own comes first: by that of the database it found its tables.
        check_control(
            Control::SearchPath,
            "found: search_path is not as required for role acme in database acme; search_path = \"x\" for database acme",
            |o| {
                o.settings.retain(|setting| setting.name != "search_path");
                o.settings.push(setting(Some("acme"), None, "search_path", "x"));
            },
            &[],
            &[
                "ALTER ROLE \"acme\" IN DATABASE \"acme\" SET \"search_path\" = \"app\"",
                "ALTER DATABASE \"acme\" RESET \"search_path\"",
            ],
        );
    }

    #[test]
    fn schemas_are_told_and_repaired() {
        check_control(
            Control::PublicSchema,
            "found: PUBLIC has USAGE on schema public",
            |o| schema(o, "public").acl.push(grant(None, "USAGE")),
            &["REVOKE ALL ON SCHEMA \"public\" FROM PUBLIC CASCADE"],
            &[],
        );
        check_control(
            Control::PublicSchema,
            "found: globex owns schema public",
            |o| schema(o, "public").owner = "globex".to_owned(),
            &["ALTER SCHEMA \"public\" OWNER TO CURRENT_USER"],
            &[],
        );
        check_control(
            Control::SchemaPrivileges,
            "found: acme lacks CREATE on schema app; globex has USAGE on schema app",
            |o| schema(o, "app").acl = vec![grant(Some("globex"), "USAGE"), grant(Some("acme"), "USAGE")],
            &[
                "REVOKE ALL ON SCHEMA \"app\" FROM \"globex\" CASCADE",
                "GRANT CREATE, USAGE ON SCHEMA \"app\" TO \"acme\"",
            ],
            &[],
        );
        check_control(
            Control::SchemaPrivileges,
            "found: acme has CREATE WITH GRANT OPTION on schema app",
            |o| schema(o, "app").acl.push(Grant { grantable: true, ..grant(Some("acme"), "CREATE") }),
            &[
                "REVOKE ALL ON SCHEMA \"app\" FROM \"acme\" CASCADE",
                "GRANT CREATE, USAGE ON SCHEMA \"app\" TO \"acme\"",
            ],
            &[],
        );
        check_control(
            Control::SchemaPrivileges,
            "found: acme owns schema app",
            |o| schema(o, "app").owner = "acme".to_owned(),
            &[],
            &[
                "GRANT \"acme\" TO CURRENT_USER",
                "ALTER SCHEMA \"app\" OWNER TO CURRENT_USER",
                "REVOKE \"acme\" FROM CURRENT_USER",
                "GRANT CREATE, USAGE ON SCHEMA \"app\" TO \"acme\"",
            ],
        );
        let other = |o: &mut Observed| {
            let app = schema(o, "app").clone();
            inside(o).schemas.push(Schema { name: "other".into(), comment: None, acl: Vec::new(), ..app });
        };
        check_control(Control::Objects, "not permitted: schema other exists", other, &[], &[]);
        check_control(
            Control::Objects,
            "not permitted: schema other exists; acme owns schema other; globex has USAGE on schema other",
            |o| {
                other(o);
                schema(o, "other").owner = "acme".to_owned();
                schema(o, "other").acl.push(grant(Some("globex"), "USAGE"));
            },
            &[],
            &[
                "GRANT \"acme\" TO CURRENT_USER",
                "ALTER SCHEMA \"other\" OWNER TO CURRENT_USER",
                "REVOKE \"acme\" FROM CURRENT_USER",
                "REVOKE ALL ON SCHEMA \"other\" FROM \"globex\" CASCADE",
            ],
        );
    }

    #[test]
    fn what_strangers_hold_inside_is_told_and_taken_back_last() {
        check_control(
            Control::OtherRoles,
            "found: globex has SELECT on relations \"Orders\", items",
            |o| {
                o.guests = vec![fixture::dependency("globex", Some("acme"), "pg_class", "a", 2)];
                inside(o).grants = vec![object_grant("r", Some("globex"), "SELECT", &["orders", "items"])];
                inside(o).grants[0].names[0] = "Orders".to_owned();
            },
            &[],
            &TIDY,
        );
        check_control(
            Control::OtherRoles,
            "not permitted: globex owns 2 relations",
            |o| o.guests = vec![fixture::dependency("globex", Some("acme"), "pg_class", "o", 2)],
            &[],
            &[],
        );
        check_control(
            Control::OtherRoles,
            "not permitted: 2 policies name globex",
            |o| o.guests = vec![fixture::dependency("globex", Some("acme"), "pg_policy", "r", 2)],
            &[],
            &[],
        );
        check_control(
            Control::OtherRoles,
            "found: PUBLIC has EXECUTE on routine f",
            |o| inside(o).grants = vec![object_grant("f", None, "EXECUTE", &["f"])],
            &[],
            &TIDY,
        );
        check_control(
            Control::OtherRoles,
            "found: there are 300 different kinds of grants",
            |o| inside(o).groups_of_grants = 300,
            &[],
            &TIDY,
        );
        check_control(
            Control::SystemPrivileges,
            "not permitted: acme has SELECT on relation pg_authid",
            |o| {
                let grant = object_grant("r", Some("acme"), "SELECT", &["pg_authid"]);
                inside(o).grants = vec![ObjectGrant { original: true, owner: "postgres".into(), ..grant }];
            },
            &[],
            &TIDY,
        );
        // What a tenant holds in its own schema, and lends to its admin, is its own affair.
        check(
            |_, o| {
                inside(o).grants = vec![
                    object_grant("r", Some("acme"), "SELECT", &["orders"]),
                    object_grant("r", Some("admin"), "SELECT", &["orders"]),
                ];
            },
            &[],
            &[],
        );
        let default = |grantee: Option<&str>| DefaultPrivilege {
            owner: "acme".into(),
            owner_usable: false,
            schema: Some("app".into()),
            kind: "r".into(),
            grantee: grantee.map(str::to_owned),
            privileges: vec!["SELECT".into(), "INSERT".into()],
        };
        check_control(
            Control::DefaultPrivileges,
            "found: PUBLIC gets SELECT, INSERT on each new relation of acme in schema app",
            |o| inside(o).defaults = vec![default(None)],
            &[],
            &TIDY,
        );
        check(|_, o| inside(o).defaults = vec![default(Some("admin"))], &[], &[]);
    }

    #[test]
    fn what_acts_inside_is_told() {
        let owner = |class: &str, owner: &str, definer: bool| ObjectOwner {
            class: class.into(),
            owner: owner.into(),
            definer,
            original: false,
            count: 1,
            names: vec!["f".into()],
        };
        check_control(
            Control::Objects,
            "not permitted: admin owns SECURITY DEFINER routine f",
            |o| inside(o).owners = vec![owner("pg_proc", "admin", true), owner("pg_proc", "acme", true)],
            &[],
            &[],
        );
        check_control(
            Control::OtherRoles,
            "not permitted: postgres owns routine f",
            |o| inside(o).owners = vec![owner("pg_proc", "postgres", false)],
            &[],
            &[],
        );
        for (class, word) in [
            ("pg_event_trigger", "event trigger"),
            ("pg_publication", "publication"),
            ("pg_foreign_data_wrapper", "foreign-data wrapper"),
            ("pg_foreign_server", "foreign server"),
            ("pg_language", "language"),
        ] {
            check_control(
                Control::Objects,
                &format!("not permitted: {word} x exists"),
                |o| inside(o).things = vec![Thing { class: class.into(), name: "x".into(), owner: None }],
                &[],
                &[],
            );
        }
        let placed = || Placed { name: "x".into(), database: "acme".into() };
        for (kind, word) in [(Kind::ReplicationSlot, "replication slot"), (Kind::Subscription, "subscription")] {
            check_control(
                Control::Objects,
                &format!("not permitted: {word} x exists"),
                |o| o.attached = vec![(kind, placed())],
                &[],
                &[],
            );
        }
        // Where changes are meant to be carried out of it, a slot is no drift; a subscription brings some in.
        let mut observed = fixture::observed();
        let mark = |replicates| Marker { replicates, ..fixture::marker(&fixture::names(), Stage::Ready) }.text();
        observed.role.as_mut().unwrap().comment = Some(mark(true));
        observed.database.as_mut().unwrap().comment = Some(mark(true));
        schema(&mut observed, "app").comment = Some(mark(true));
        observed.attached = vec![(Kind::ReplicationSlot, placed())];
        let things = &mut inside(&mut observed).things;
        things.push(Thing { class: "pg_publication".into(), name: "x".into(), owner: Some("postgres".into()) });
        let desired = Desired { replicates: true, ..fixture::desired() };
        let status = |observed: &Observed| findings(&desired, observed)[&Control::Objects].status.clone();
        assert_eq!(status(&observed), Status::Enforced);
        assert_eq!(repair(&desired, &observed), Repair::default());
        observed.attached.push((Kind::Subscription, placed()));
        assert_eq!(status(&observed), Status::NotPermitted);

        let extension = |schema: &str| Extension {
            name: "pgcrypto".into(),
            schema: schema.into(),
            version: "1.3".into(),
            owner: "admin".into(),
            owner_usable: true,
            ..Extension::default()
        };
        let (desired, observed) = check(
            |desired, o| {
                desired.extensions = fixture::extensions(["pgcrypto"]);
                set(o, "search_path", "app, extensions");
                let app = schema(o, "app").clone();
                let acl = vec![grant(Some("acme"), "USAGE")];
                inside(o).schemas.push(Schema { name: EXTENSIONS_SCHEMA.into(), comment: None, acl, ..app });
                inside(o).extensions = vec![extension("app")];
            },
            &[],
            &[],
        );
        assert_eq!(
            findings(&desired, &observed)[&Control::Extensions].describe(),
            "not permitted: extension pgcrypto \"1.3\" is in schema app"
        );
        let mut observed = observed;
        inside(&mut observed).extensions = vec![extension(EXTENSIONS_SCHEMA)];
        assert_eq!(findings(&desired, &observed)[&Control::Extensions].status, Status::Enforced);
    }

    #[test]
    fn what_the_role_has_elsewhere_is_told_and_repaired() {
        check_control(
            Control::Elsewhere,
            "found: acme has CONNECT on database globex",
            |o| {
                let mut other = o.database.clone().unwrap();
                other.name = "globex".into();
                other.acl.push(grant(Some("globex"), "CONNECT"));
                o.elsewhere = vec![other];
            },
            &["REVOKE ALL ON DATABASE \"globex\" FROM \"acme\" CASCADE"],
            &[],
        );
        check_control(
            Control::Elsewhere,
            "not permitted: acme owns 3 relations in database globex; acme has privileges on 1 routine in database globex",
            |o| {
                o.dependencies.push(fixture::dependency("acme", Some("globex"), "pg_class", "o", 3));
                o.dependencies.push(fixture::dependency("acme", Some("globex"), "pg_proc", "a", 1));
            },
            &[],
            &[],
        );
        check_control(
            Control::Elsewhere,
            "not permitted: acme owns 1 database",
            |o| o.dependencies.push(fixture::dependency("acme", None, "pg_database", "o", 1)),
            &[],
            &[],
        );
        let server_grant = |class: &str, name: &str, privilege: &str, owner_usable: bool| ServerGrant {
            class: class.into(),
            name: name.into(),
            owner_usable,
            grantee: Some("acme".into()),
            privilege: privilege.into(),
            grantable: false,
        };
        check_control(
            Control::ServerPrivileges,
            "found: acme has CREATE on tablespace fast",
            |o| o.server_grants = vec![server_grant("tablespace", "fast", "CREATE", true)],
            &["REVOKE CREATE ON TABLESPACE \"fast\" FROM \"acme\" CASCADE"],
            &[],
        );
        check_control(
            Control::ServerPrivileges,
            "not permitted: acme has SET on parameter \"app.x\"",
            |o| o.server_grants = vec![server_grant("parameter", "app.x", "SET", false)],
            &[],
            &["REVOKE SET ON PARAMETER \"app\".\"x\" FROM \"acme\" CASCADE"],
        );
    }

    #[test]
    fn markers_are_written_again_and_forged_ones_told() {
        let of_role = format!("COMMENT ON ROLE \"acme\" IS '{READY}'");
        let of_database = format!("COMMENT ON DATABASE \"acme\" IS '{READY}'");
        check_control(
            Control::Registered,
            "found: the marker of role acme is missing or not up to date",
            |o| role(o).comment = None,
            &[&of_role],
            &[],
        );
        check_control(
            Control::Registered,
            "found: the marker of database acme is missing or not up to date",
            |o| database(o).comment = None,
            &[&of_database],
            &[],
        );
        check_control(
            Control::Registered,
            "found: the marker of schema app is missing or not up to date",
            |o| schema(o, "app").comment = None,
            &[&format!("COMMENT ON SCHEMA \"app\" IS '{READY}'")],
            &[],
        );
        check_control(
            Control::Registered,
            "not permitted: database globex carries a tenant's marker",
            |o| o.forged = vec![Objects::one(Kind::Database, "globex")],
            &[],
            &[],
        );
        // A comment that is no marker stands where one should.
        check(|_, o| database(o).comment = Some("mine".to_owned()), &[&of_database], &[]);
    }

    #[test]
    fn who_uses_no_password_has_none() {
        const TAKEN: &str = "ALTER ROLE \"acme\" PASSWORD NULL";
        let needed = |desired: &Desired, observed: &Observed| texts(&repair(desired, observed).needed);
        let tried = |desired: &Desired, observed: &Observed| texts(&repair(desired, observed).tried);
        for (method, grants) in [(Method::RdsIam, true), (Method::Certificate, false)] {
            let meant = || Desired { authentication: method, password: Password::Take, ..fixture::desired() };
            let (desired, mut observed) = (meant(), fixture::observed());
            let texts = needed(&desired, &observed);
            let given = if grants { vec!["GRANT \"rds_iam\" TO \"acme\""] } else { Vec::new() };
            assert_eq!(texts[..given.len()], given, "before the password goes");
            let texts = &texts[given.len()..];
            assert_eq!(texts[0], TAKEN);
            let noted = format!("\"authentication\":\"{}\"", method.name());
            assert!(texts[1].starts_with("COMMENT ON ROLE") && texts[1].contains(&noted), "{texts:?}");
            assert!(!texts[1].contains("\"password"), "{texts:?}");
            let expected: &[&str] = if grants { &["GRANT \"rds_iam\" TO \"acme\""] } else { &[] };
            assert_eq!(tried(&desired, &observed), expected);
            // Once: it is on record then.
            let marker = desired.role_marker(&observed);
            observed.login = Ok(Authentication::ClearText);
            role(&mut observed).comment = Some(marker.text());
            assert!(!needed(&desired, &observed).contains(&TAKEN.to_owned()));
            assert_eq!(findings(&desired, &observed)[&Control::Password].status, Status::Enforced);
            // One of which nothing is on record may have a password.
            role(&mut observed).comment = None;
            assert!(needed(&desired, &observed).contains(&TAKEN.to_owned()));
            // And back.
            role(&mut observed).comment = Some(marker.text());
            observed.memberships = vec![membership("rds_iam", "acme")];
            assert_eq!(tried(&fixture::desired(), &observed), ["REVOKE \"rds_iam\" FROM \"acme\" CASCADE"]);
            assert!(!needed(&fixture::desired(), &observed).contains(&TAKEN.to_owned()));
        }
        // A password that somebody set since is told where the server shows it.
        let mut observed = fixture::observed();
        let desired = Desired { authentication: Method::Certificate, password: Password::Take, ..fixture::desired() };
        let marker = Marker { authentication: Method::Certificate, ..fixture::marker(&fixture::names(), Stage::Ready) };
        role(&mut observed).comment = Some(marker.text());
        observed.login = Ok(Authentication::Scram(Challenge { iterations: 4096, salt: b"other".to_vec() }));
        assert_eq!(
            findings(&desired, &observed)[&Control::Password].describe(),
            "not permitted: the password of acme was changed by somebody else"
        );
    }

    #[test]
    fn a_password_that_somebody_changed_is_told() {
        let other = || Ok(Authentication::Scram(Challenge { iterations: 4096, salt: b"other".to_vec() }));
        let what = "the password of acme was changed by somebody else";
        // Without a password in the configuration there is none to set.
        let not_ours = format!("not permitted: {what}");
        check_control(Control::Password, &not_ours, |o| o.login = other(), &[], &[]);
        check_control(Control::Password, &not_ours, |o| o.login = Ok(Authentication::Md5), &[], &[]);
        let (desired, observed) = check(
            |desired, o| {
                desired.password_version = Some(1);
                let marker = Marker { password_version: Some(1), ..fixture::marker(&fixture::names(), Stage::Ready) };
                (role(o).comment, database(o).comment) = (Some(marker.text()), Some(marker.text()));
                schema(o, "app").comment = Some(marker.text());
                o.login = other();
            },
            &[],
            &[],
        );
        // What was set is not set again: whoever holds it would be locked out.
        assert_eq!(told(&desired, &observed), [format!("password: not permitted: {what}")]);
        let verifier = Verifier::salted(&Secret::new("hunter2"), "acme", "salt");
        let text = format!("ALTER ROLE \"acme\" PASSWORD '{}'", verifier.expose());
        // One that is wanted is set, and noted as what the server will show.
        let (mut desired, observed) = (fixture::desired(), fixture::observed());
        (desired.password, desired.password_version) = (Password::Set(verifier.clone()), Some(1));
        let needed = texts(&repair(&desired, &observed).needed);
        assert_eq!((needed.len(), &needed[0]), (5, &text));
        assert!(needed[1].contains(&String::from(verifier.challenge())), "{needed:?}");
        let unseen = |login: Result<Authentication, String>| {
            let observed = Observed { login, ..fixture::observed() };
            findings(&fixture::desired(), &observed)[&Control::Password].describe()
        };
        assert_eq!(unseen(Err("no route".to_owned())), "not inspected: no route");
        let nothing = "not inspected: the server does not ask for a password by SCRAM-SHA-256";
        assert_eq!(unseen(Ok(Authentication::Nothing)), nothing);
    }

    #[test]
    fn what_this_admin_may_not_change_is_told_and_tried() {
        check_control(
            Control::PublicSchema,
            "not permitted: PUBLIC has CREATE on schema public",
            |o| {
                schema(o, "public").owner_usable = false;
                schema(o, "public").acl.push(grant(None, "CREATE"));
            },
            &[],
            &["REVOKE ALL ON SCHEMA \"public\" FROM PUBLIC CASCADE"],
        );
        check_control(
            Control::RoleAttributes,
            "not permitted: acme has SUPERUSER",
            |o| role(o).superuser = true,
            &[],
            &["ALTER ROLE \"acme\" NOSUPERUSER"],
        );
        check_control(
            Control::RoleAttributes,
            "not permitted: acme has REPLICATION; acme has BYPASSRLS",
            |o| (role(o).replication, role(o).bypass_rls) = (true, true),
            &[],
            &["ALTER ROLE \"acme\" NOREPLICATION", "ALTER ROLE \"acme\" NOBYPASSRLS"],
        );
        check_control(
            Control::DatabaseOwner,
            "not permitted: rdsadmin owns database acme",
            |o| {
                (database(o).owner, database(o).owner_usable) = ("rdsadmin".to_owned(), false);
                schema(o, "public").owner = "postgres".to_owned();
            },
            &[],
            &["ALTER DATABASE \"acme\" OWNER TO CURRENT_USER"],
        );
        let (desired, observed) = check(
            |_, o| {
                o.server.superuser = true;
                (role(o).superuser, role(o).replication) = (true, true);
            },
            &[],
            &["ALTER ROLE \"acme\" NOSUPERUSER", "ALTER ROLE \"acme\" NOREPLICATION"],
        );
        assert_eq!(findings(&desired, &observed)[&Control::RoleAttributes].status, Status::Found);
    }

    #[test]
    fn the_schema_public_of_13_and_14_is_a_line_of_the_major_table() {
        let stock = |version: u32, superuser: bool, acl: Vec<Grant>| {
            let mut observed = fixture::observed();
            (observed.server.version_num, observed.server.superuser) = (version, superuser);
            let public = schema(&mut observed, "public");
            (public.owner, public.owner_usable, public.acl) = ("postgres".to_owned(), superuser, acl);
            findings(&fixture::desired(), &observed)[&Control::PublicSchema].describe()
        };
        let open = || vec![grant(None, "CREATE"), grant(None, "USAGE")];
        let said = "PUBLIC has CREATE, USAGE on schema public";
        let why = crate::tenant::charter::PUBLIC_SCHEMA_IS_THEIRS;
        assert_eq!(stock(140_010, false, open()), format!("accepted: {said} ({why})"));
        assert_eq!(stock(140_010, true, open()), format!("found: {said}"));
        assert_eq!(stock(150_010, false, open()), format!("not permitted: {said}"));
        let more = [open(), vec![grant(Some("globex"), "USAGE")]].concat();
        assert!(stock(140_010, false, more).starts_with("not permitted: "));
        let grantable = vec![Grant { grantable: true, ..grant(None, "USAGE") }];
        assert!(stock(140_010, false, grantable).starts_with("not permitted: "));
    }

    #[test]
    fn what_is_accepted_is_told_with_its_reason_and_left() {
        let (desired, observed) = check(
            |desired, o| {
                desired.accept = [(Control::OtherPrivileges, "reports read it".to_owned())].into();
                database(o).acl.push(grant(Some("reports"), "CONNECT"));
            },
            &[],
            &[],
        );
        let finding = &findings(&desired, &observed)[&Control::OtherPrivileges];
        assert_eq!(finding.describe(), "accepted: reports has CONNECT on database acme (reports read it)");
        assert!(finding.repair.is_empty());
        // What is required is no finding to accept: without its marker nobody would know the tenant.
        let marks = [format!("COMMENT ON SCHEMA \"app\" IS '{READY}'")];
        let (desired, observed) = check(
            |desired, o| {
                desired.accept = [(Control::Registered, "moved by hand".to_owned())].into();
                o.forged = vec![Objects::one(Kind::Database, "globex")];
                schema(o, "app").comment = None;
            },
            &[&marks[0]],
            &[],
        );
        let missing = "registered: found: the marker of schema app is missing or not up to date";
        assert_eq!(told(&desired, &observed), [missing]);
    }

    /// Another value, or other options, are not what is required: accepted, they stay.
    #[test]
    fn what_stands_in_the_place_of_what_is_required_can_be_accepted() {
        let accepted = |control: Control, break_it: &dyn Fn(&mut Desired, &mut Observed)| {
            let (desired, observed) = check(
                |desired, o| {
                    desired.accept = [(control, "why".to_owned())].into();
                    break_it(desired, o);
                },
                &[],
                &[],
            );
            let said = &findings(&desired, &observed)[&control];
            assert_eq!(said.status, Status::Accepted("why".to_owned()), "{}", said.describe());
        };
        accepted(Control::SearchPath, &|_, o| set(o, "search_path", "app, public"));
        accepted(Control::Governed, &|_, o| set(o, "lock_timeout", "1h"));
        accepted(Control::TenantPrivileges, &|_, o| database(o).acl[0].grantable = true);
        // What it owns it may use, and the admin has nothing to say there.
        accepted(Control::SchemaPrivileges, &|_, o| {
            let app = schema(o, "app");
            (app.owner, app.acl, app.comment) = ("acme".to_owned(), Vec::new(), None);
        });
        accepted(Control::Memberships, &|desired, o| {
            desired.member_of = ["tokens".parse().unwrap()].into();
            o.memberships = vec![Membership { admin: true, ..membership("tokens", "acme") }];
        });
        // What is not there at all is given.
        let tokens = |desired: &mut Desired, o: &mut Observed| {
            desired.member_of = ["tokens".parse().unwrap()].into();
            desired.accept = [(Control::Memberships, "why".to_owned())].into();
            o.memberships = vec![membership("globex", "acme")];
        };
        check(tokens, &[], &["GRANT \"tokens\" TO \"acme\""]);
    }

    #[test]
    fn what_is_not_this_admins_does_not_hold_up_what_is() {
        let by = |grantor: &str, admin: bool| Membership {
            grantor: Some(grantor.to_owned()),
            admin,
            revocable: grantor == "admin",
            ..membership("globex", "acme")
        };
        // Each row is revoked for itself: the one of these options by this grantor.
        let (desired, observed) = check(
            |_, o| {
                role(o).login = false;
                o.server.version_num = 160_000;
                o.memberships = vec![by("admin", false), by("rdsadmin", true)];
            },
            &["REVOKE \"globex\" FROM \"acme\" GRANTED BY \"admin\" CASCADE", "ALTER ROLE \"acme\" LOGIN"],
            &["REVOKE \"globex\" FROM \"acme\" GRANTED BY \"rdsadmin\" CASCADE"],
        );
        let said = &findings(&desired, &observed)[&Control::Memberships];
        assert_eq!(said.status, Status::NotPermitted, "not all of it is this admin's");
        // Two rows of the same options, of which one is.
        check(
            |desired, o| {
                (desired.goal, role(o).login) = (Goal::Suspended, false);
                o.server.version_num = 160_000;
                o.memberships = vec![by("admin", false), by("rdsadmin", false)];
            },
            &["REVOKE \"globex\" FROM \"acme\" GRANTED BY \"admin\" CASCADE"],
            &["REVOKE \"globex\" FROM \"acme\" GRANTED BY \"rdsadmin\" CASCADE"],
        );
        // The marker of a database that is somebody else's.
        check(
            |_, o| {
                (database(o).owner, database(o).owner_usable) = ("rdsadmin".to_owned(), false);
                schema(o, "public").owner = "postgres".to_owned();
                role(o).comment = None;
            },
            &[&format!("COMMENT ON ROLE \"acme\" IS '{READY}'")],
            &["ALTER DATABASE \"acme\" OWNER TO CURRENT_USER"],
        );
    }

    #[test]
    fn a_password_that_is_set_is_on_record_at_once() {
        let verifier = Verifier::salted(&Secret::new("hunter2"), "acme", "salt");
        let (mut desired, mut observed) = (fixture::desired(), fixture::observed());
        (desired.password, desired.password_version) = (Password::Set(verifier.clone()), Some(1));
        observed.inside = Err("closed".to_owned());
        database(&mut observed).comment = None;
        let needed = texts(&repair(&desired, &observed).needed);
        let note = format!("\"password\":\"{}\"", String::from(verifier.challenge()));
        let at = |text: &str| needed.iter().position(|statement| statement.contains(text));
        assert!(at(" PASSWORD '").is_some() && at(" PASSWORD '") < at(&note), "{needed:?}");
    }

    #[test]
    fn renames_come_before_what_speaks_of_the_new_names() {
        let rename = |desired: &mut Desired| {
            desired.names.tenant = "acme_corp".parse().unwrap();
            desired.known_as = Some("acme".parse().unwrap());
            desired.names.database = "acme_db".parse().unwrap();
            desired.names.role = "acme_role".parse().unwrap();
            desired.names.schema = "main".parse().unwrap();
        };
        check(
            |desired, _| rename(desired),
            &[
                "ALTER DATABASE \"acme\" RENAME TO \"acme_db\"",
                "ALTER ROLE \"acme\" RENAME TO \"acme_role\"",
                "ALTER SCHEMA \"app\" RENAME TO \"main\"",
            ],
            &[],
        );
        // Until Terraform has heard of the new name, it is found by the old one.
        let marker = "{\"pgtenant\":\"acme_corp\",\"was\":\"acme\",\"stage\":\"ready\",\"database\":\"acme_db\",\"role\":\"acme_role\",\
                      \"schema\":\"main\",\"password\":\"4096:c2FsdA==\"}";
        check(
            |desired, o| {
                rename(desired);
                (database(o).name, role(o).name) = ("acme_db".to_owned(), "acme_role".to_owned());
                schema(o, "app").name = "main".to_owned();
                let renamed = |name: &mut Option<String>, to: &str| {
                    if name.is_some() {
                        *name = Some(to.to_owned());
                    }
                };
                o.dependencies.clear();
                for setting in &mut o.settings {
                    renamed(&mut setting.database, "acme_db");
                    renamed(&mut setting.role, "acme_role");
                }
                for acl in [&mut o.database.as_mut().unwrap().acl, &mut o.inside.as_mut().unwrap().schemas[0].acl] {
                    acl.iter_mut().for_each(|grant| grant.grantee = Some("acme_role".to_owned()));
                }
            },
            &[
                &format!("COMMENT ON SCHEMA \"main\" IS '{}'", marker.replace("\"was\":\"acme\",", "")),
                &format!("COMMENT ON ROLE \"acme_role\" IS '{marker}'"),
                &format!("COMMENT ON DATABASE \"acme_db\" IS '{marker}'"),
            ],
            &["ALTER ROLE \"acme_role\" IN DATABASE \"acme_db\" SET \"search_path\" = \"main\""],
        );
    }

    #[test]
    fn attributes_are_changed_in_place() {
        let end = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = 'acme'";
        let (mut desired, mut observed) = (fixture::desired(), fixture::observed());
        desired.goal = Goal::Suspended;
        let shut = repair(&desired, &observed);
        let steps: Vec<_> = crate::tenant::render(&shut.needed).0.iter().map(crate::postgres::Step::text).collect();
        // First what the tenant cannot lock, in a transaction of its own.
        assert_eq!(steps[0], "ALTER DATABASE \"acme\" ALLOW_CONNECTIONS false IS_TEMPLATE false");
        assert_eq!(steps[1], format!("{end};\nSET LOCAL lock_timeout = 2000;\nALTER ROLE \"acme\" NOLOGIN"));
        assert!(steps[2].contains("pg_sleep(0.2)") && steps[2].contains("pg_terminate_backend"), "{steps:?}");
        // Then it is opened again, for the admin; and who did not go is told once more.
        role(&mut observed).login = false;
        database(&mut observed).allow_connections = false;
        let open = "ALTER DATABASE \"acme\" ALLOW_CONNECTIONS true IS_TEMPLATE false";
        assert_eq!(texts(&repair(&desired, &observed).needed), [open]);
        observed.connected = vec![fixture::connected("acme", Some("acme")), fixture::connected("globex", None)];
        let tried = repair(&desired, &observed).tried;
        assert_eq!(tried, [Change::EndLateSessions { role: "acme".parse().unwrap() }]);
        check(|_, o| role(o).login = false, &["ALTER ROLE \"acme\" LOGIN"], &[]);
        check(|desired, o| (desired.goal, role(o).login) = (Goal::Suspended, false), &[], &[]);
        let temporary = |o: &mut Observed| database(o).acl.push(grant(Some("acme"), "TEMPORARY"));
        check(|d, _| d.temporary = true, &["GRANT TEMPORARY ON DATABASE \"acme\" TO \"acme\""], &[]);
        check(|_, o| temporary(o), &["REVOKE TEMPORARY ON DATABASE \"acme\" FROM \"acme\" CASCADE"], &[]);
        check(
            |d, o| {
                d.temporary = true;
                temporary(o);
            },
            &[],
            &[],
        );
        check(
            |_, o| {
                inside(o).extensions = vec![Extension {
                    name: "dblink".into(),
                    schema: EXTENSIONS_SCHEMA.into(),
                    version: "1.2".into(),
                    owner: "admin".into(),
                    owner_usable: true,
                    ..Extension::default()
                }];
            },
            &[],
            &["DROP EXTENSION \"dblink\""],
        );
        check(
            |desired, _| desired.extensions = fixture::extensions(["pgcrypto"]),
            &[
                "CREATE SCHEMA \"extensions\"",
                "GRANT USAGE ON SCHEMA \"extensions\" TO \"acme\"",
                "CREATE EXTENSION \"pgcrypto\" SCHEMA \"extensions\"",
            ],
            &["ALTER ROLE \"acme\" IN DATABASE \"acme\" SET \"search_path\" = \"app\", \"extensions\""],
        );
    }

    /// A schema of the admin's in the tenant's database, as it is made.
    fn another_schema(name: &str) -> Schema {
        Schema { name: name.into(), comment: None, ..fixture::observed().inside.unwrap().schemas[0].clone() }
    }

    #[test]
    fn schemas_beside_the_first_are_made_and_given_up() {
        let jobs = || -> BTreeSet<SchemaName> { ["jobs".parse().unwrap()].into() };
        let marked = |o: &mut Observed| {
            let schemas = ["jobs".to_owned()].into();
            let marker = Marker { schemas, ..fixture::marker(&fixture::names(), Stage::Ready) };
            (role(o).comment, database(o).comment) = (Some(marker.text()), Some(marker.text()));
            schema(o, "app").comment = Some(marker.text());
        };
        let has_jobs = |o: &mut Observed| inside(o).schemas.push(another_schema("jobs"));
        let desired = Desired { schemas: jobs(), ..fixture::desired() };
        let mut observed = fixture::observed();
        let needed = texts(&repair(&desired, &observed).needed);
        assert_eq!(
            needed[..2],
            ["CREATE SCHEMA \"jobs\"", "GRANT CREATE, USAGE ON SCHEMA \"jobs\" TO \"acme\""].map(str::to_owned)
        );
        assert!(
            needed[2..].iter().all(|text| text.starts_with("COMMENT ON") && text.contains("\"schemas\":[\"jobs\"]"))
        );
        marked(&mut observed);
        has_jobs(&mut observed);
        assert_eq!(repair(&desired, &observed), Repair::default());
        let own = findings(&desired, &observed);
        assert!(own.values().all(|finding| !finding.status.is_drift()), "{own:?}");

        // What is taken off the list is closed, and dropped if it is empty.
        let desired = Desired { given_up: jobs(), ..fixture::desired() };
        let Repair { needed, tried } = repair(&desired, &observed);
        assert_eq!(texts(&needed)[0], "REVOKE ALL ON SCHEMA \"jobs\" FROM \"acme\" CASCADE");
        assert_eq!(texts(&tried), ["DROP SCHEMA \"jobs\""]);
        // One that is gone already is not dropped again.
        inside(&mut observed).schemas.retain(|schema| schema.name != "jobs");
        assert_eq!(repair(&desired, &observed).tried, []);
    }

    #[test]
    fn what_a_tenant_makes_where_it_may_create_is_its_own() {
        let marker = Marker { creates_schemas: true, ..fixture::marker(&fixture::names(), Stage::Ready) };
        let desired = Desired { creates_schemas: true, ..fixture::desired() };
        let mut observed = fixture::observed();
        // Where extensions are to be installed is the admin's before anybody else may make it.
        let needed = texts(&repair(&desired, &observed).needed);
        let at = |text: &str| {
            needed.iter().position(|one| one == text).unwrap_or_else(|| panic!("{text} is not in {needed:?}"))
        };
        assert!(at("CREATE SCHEMA \"extensions\"") < at("GRANT CONNECT, CREATE ON DATABASE \"acme\" TO \"acme\""));
        inside(&mut observed)
            .schemas
            .push(Schema { acl: vec![grant(Some("acme"), "USAGE")], ..another_schema("extensions") });
        (role(&mut observed).comment, database(&mut observed).comment) = (Some(marker.text()), Some(marker.text()));
        schema(&mut observed, "app").comment = Some(marker.text());
        database(&mut observed).acl.push(grant(Some("acme"), "CREATE"));
        let own = Schema { owner: "acme".into(), owner_usable: false, acl: Vec::new(), ..another_schema("own") };
        inside(&mut observed).schemas.push(own);
        inside(&mut observed).things =
            vec![Thing { class: "pg_publication".into(), name: "p".into(), owner: Some("acme".into()) }];
        inside(&mut observed).extensions = vec![Extension {
            name: "hstore".into(),
            schema: "own".into(),
            version: "1.8".into(),
            owner: "acme".into(),
            owner_usable: true,
            ..Extension::default()
        }];
        assert_eq!(repair(&desired, &observed), Repair::default());
        let drift = |desired: &Desired, observed: &Observed| {
            let findings = findings(desired, observed).into_iter();
            findings.filter(|(_, finding)| finding.status.is_drift()).map(|(control, _)| control).collect::<Vec<_>>()
        };
        assert_eq!(drift(&desired, &observed), []);

        // Others get no further in than before.
        let guest = |acl: Vec<Grant>| {
            let mut observed = observed.clone();
            schema(&mut observed, "own").acl = acl;
            let Repair { needed, tried } = repair(&desired, &observed);
            assert_eq!(needed, [], "a tenant keeps nothing from being applied");
            assert!(matches!(tried[..], [Change::Tidy { .. }]), "{tried:?}");
            drift(&desired, &observed)
        };
        assert_eq!(guest(vec![grant(Some("globex"), "USAGE")]), [Control::Objects]);
        assert_eq!(guest(vec![grant(None, "USAGE")]), [Control::Objects]);
        let others = |change: fn(&mut Observed)| {
            let mut observed = observed.clone();
            change(&mut observed);
            drift(&desired, &observed)
        };
        assert_eq!(others(|o| schema(o, "own").owner = "globex".into()), [Control::Objects]);
        assert_eq!(others(|o| inside(o).things[0].owner = Some("globex".into())), [Control::Objects]);
        assert_eq!(others(|o| inside(o).extensions[0].owner = "globex".into()), [Control::Extensions]);
        assert_eq!(others(|o| schema(o, "app").owner = "acme".into()), [Control::SchemaPrivileges]);
        assert_eq!(others(|o| inside(o).count_of_schemas = 101), [Control::Objects]);
        assert_eq!(others(|o| schema(o, "extensions").owner = "acme".into()), [Control::SchemaPrivileges]);
        // What it lends to the admin, and what it says of its own, is nobody's concern.
        assert_eq!(others(|o| schema(o, "own").acl = vec![grant(Some("admin"), "USAGE")]), []);
        let forged = fixture::marker(&fixture::names(), Stage::Ready).text();
        let mut says = observed.clone();
        schema(&mut says, "own").comment = Some(forged);
        assert_eq!(drift(&desired, &says), []);
        // From outside its schemas have no names.
        let outside = Observed { inside: Err("closed".to_owned()), ..observed.clone() };
        let mut owns = outside.clone();
        owns.dependencies.push(fixture::dependency("acme", Some("acme"), "pg_namespace", "o", 2));
        assert_eq!(drift(&desired, &owns), drift(&desired, &outside));

        // An extension is not installed where the tenant may have planted something, nor beside one of its own.
        let wants = |names: [&str; 1], change: fn(&mut Observed)| {
            let extensions = fixture::extensions(names);
            let mut observed = observed.clone();
            change(&mut observed);
            let Repair { needed, .. } = repair(&Desired { extensions, ..desired.clone() }, &observed);
            texts(&needed).iter().filter(|text| text.starts_with("CREATE EXTENSION")).count()
        };
        assert_eq!(wants(["citext"], |_| {}), 1);
        assert_eq!(wants(["citext"], |o| schema(o, "extensions").owner = "acme".into()), 0);
        assert_eq!(wants(["citext"], |o| schema(o, "extensions").planted = true), 0);
        assert_eq!(wants(["hstore"], |_| {}), 0);
        // Nor when it may create no more, and its extension is still there; what an application had in `public` is its own.
        let others = |schema: &str| {
            let extensions = fixture::extensions(["hstore", "citext"]);
            let mut observed = observed.clone();
            (role(&mut observed).comment, database(&mut observed).comment) = (None, None);
            inside(&mut observed).extensions[0].schema = schema.into();
            let Repair { needed, .. } = repair(&Desired { extensions, ..fixture::desired() }, &observed);
            texts(&needed).iter().filter(|text| text.starts_with("CREATE EXTENSION")).count()
        };
        assert_eq!((others("own"), others("public")), (0, 1));
        // One of so many schemas that it was not seen is not made again.
        let unseen = Desired { schemas: ["late".parse().unwrap()].into(), ..desired.clone() };
        let mut many = observed.clone();
        inside(&mut many).count_of_schemas = 101;
        let needed = texts(&repair(&unseen, &many).needed);
        assert!(
            !needed.iter().any(|text| text.contains("\"late\" ") || text.starts_with("CREATE SCHEMA")),
            "{needed:?}"
        );
        // Nor is any of it the tenant's where it may not create.
        let closed = Desired { creates_schemas: false, ..desired.clone() };
        let told = drift(&closed, &observed);
        for control in [Control::TenantPrivileges, Control::Objects, Control::Extensions] {
            assert!(told.contains(&control), "{control} is not in {told:?}");
        }
    }

    #[test]
    fn from_outside_nothing_inside_is_judged_but_what_the_shared_catalogs_tell() {
        let outside = |change: fn(&mut Observed)| {
            let mut observed = Observed { inside: Err("closed".to_owned()), ..fixture::observed() };
            change(&mut observed);
            let said = |(control, finding): (Control, Finding)| {
                let is_unseen = finding.status == Status::NotInspected("closed".to_owned());
                assert_eq!(is_unseen, control.is_inside() && finding.facts.is_empty(), "{control}");
                finding.status.is_drift().then(|| format!("{control}: {}", finding.describe()))
            };
            findings(&fixture::desired(), &observed).into_iter().filter_map(said).collect::<Vec<_>>()
        };
        assert_eq!(outside(|_| {}), [""; 0]);
        check(|_, o| o.inside = Err("closed".to_owned()), &[], &[]);
        assert_eq!(outside(|o| o.dependencies.clear()), ["schema: found: schema app is missing"]);
        assert_eq!(
            outside(|o| {
                o.dependencies.push(fixture::dependency("acme", Some("acme"), "pg_class", "a", 1));
                o.dependencies[1].original = true;
                o.guests.push(fixture::dependency("globex", Some("acme"), "pg_class", "a", 2));
                o.guests.push(fixture::dependency("globex", Some("acme"), "pg_proc", "a", 3));
                o.guests[1].original = true;
            }),
            [
                "system_privileges: not permitted: acme has privileges on 1 relation; globex has privileges on 3 routines",
                "other_roles: found: globex has privileges on 2 relations"
            ]
        );
        // A schema that is missing is made from inside only.
        let mut observed = Observed { inside: Err("closed".to_owned()), ..fixture::observed() };
        observed.dependencies.clear();
        assert_eq!(texts(&repair(&fixture::desired(), &observed).needed), [""; 0]);
        let mut observed = fixture::observed();
        inside(&mut observed).schemas.retain(|schema| schema.name != "app");
        assert_eq!(
            texts(&repair(&fixture::desired(), &observed).needed),
            [
                "CREATE SCHEMA \"app\"".to_owned(),
                "GRANT CREATE, USAGE ON SCHEMA \"app\" TO \"acme\"".to_owned(),
                format!("COMMENT ON SCHEMA \"app\" IS '{READY}'"),
            ]
        );
    }
}

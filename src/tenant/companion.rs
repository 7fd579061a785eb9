//! A further role of a tenant: what is right for it, and how that is brought about. What the tenant's own charter makes of it is
//! said in `charter`. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::fact::{Attribute, DatabaseAttribute, Fact, Kind, Level, Objects, Options, Text};
use crate::postgres::{DatabaseName, ParameterName, SchemaName, name};

use super::access::{Access, Holding};
use super::change::{Change, Scope, Setting};
use super::charter::{Desired, HARMLESS, unseen_password};
use super::control::Control;
use super::diff::{Charter, Deviation, Finding, Repair, Status, diff, status};
use super::limits::Limits;
use super::marker::{Marker, Stage};
use super::observed::Observed;
use super::repair::{self, shut_out};

/// A further role as it is wanted: all known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// As of a tenant whose role it is: the names, the memberships, the password, what is accepted.
    pub role: Desired,
    pub access: Access,
    /// Whether it is to log in, unless the tenant is suspended.
    pub login: bool,
    pub connection_limit: i32,
    /// Those of its sessions, wherever they are.
    pub parameters: BTreeMap<ParameterName, String>,
}

/// The controls of a further role, as `isolation` of its resource has them.
pub const CONTROLS: [Control; 14] = [
    Control::Registered,
    Control::RoleAttributes,
    Control::Memberships,
    Control::Password,
    Control::TenantPrivileges,
    Control::Elsewhere,
    Control::ServerPrivileges,
    Control::SchemaPrivileges,
    Control::OtherRoles,
    Control::DefaultPrivileges,
    Control::Objects,
    Control::SearchPath,
    Control::Parameters,
    Control::Governed,
];

/// Of a role that is there, as [`Observed::companion`] sees it. `tenant` is the tenant with its own role.
struct CompanionCharter<'a> {
    wanted: &'a Wanted,
    observed: &'a Observed,
    tenant: &'a Observed,
    role: &'a str,
    own: &'a str,
    database: &'a str,
    meant: BTreeSet<String>,
}

impl<'a> CompanionCharter<'a> {
    /// `None` unless all three are there: the role, and the tenant's role and database.
    fn new(wanted: &'a Wanted, observed: &'a Observed, tenant: &'a Observed) -> Option<Self> {
        Some(CompanionCharter {
            wanted,
            observed,
            tenant,
            role: &observed.role.as_ref()?.name,
            own: &tenant.role.as_ref()?.name,
            database: &tenant.database.as_ref()?.name,
            meant: wanted.role.groups().iter().map(ToString::to_string).collect(),
        })
    }

    /// Whether a fact is about this role, or about what it reaches.
    fn concerns(&self, fact: &Fact) -> bool {
        let reaches = |role: &str| self.observed.reached.contains(role);
        let is_own = |role: &str| role == self.role;
        match fact {
            Fact::Present(objects) => objects.is(Kind::Role, self.role),
            Fact::Owner { objects, owner } => is_own(owner) || reaches(owner) && self.observed.is_elsewhere(objects),
            Fact::Grant { objects, grantee: Some(grantee), .. } => {
                is_own(grantee) || reaches(grantee) && self.observed.is_elsewhere(objects)
            }
            Fact::DefaultGrant { owner, grantee, .. } => {
                is_own(owner) || grantee.as_ref().is_some_and(|grantee| is_own(grantee))
            }
            Fact::Attribute { role, .. } => is_own(role) || reaches(role),
            Fact::Membership { role, member, .. } => is_own(role) || is_own(member) || reaches(member),
            Fact::Parameter { level: Level::Role(role) | Level::RoleInDatabase(role, _), .. } => is_own(role),
            Fact::Marker { objects, .. } => objects.is(Kind::Role, self.role),
            Fact::Database { attribute: DatabaseAttribute::ConnectionLimit(_), .. }
            | Fact::ManyParameters { .. }
            | Fact::Password { .. }
            | Fact::ForeignPassword { .. } => true,
            _ => false,
        }
    }

    fn holding(&self) -> Holding<'a> {
        let access = self.wanted.access;
        Holding { tenant: self.tenant, own: self.own, database: self.database, role: self.role, access }
    }

    /// What the tenant finds without naming a schema, it finds too.
    fn search_path(&self) -> Option<Vec<SchemaName>> {
        let found = self.tenant.setting(Some(self.database), Some(self.own), "search_path")?;
        name::parse_list(&found.value)?.iter().map(|schema| schema.parse().ok()).collect()
    }

    /// How many connections its database is to allow: what the tenant's own role may take, and all beside.
    fn database_limit(&self) -> Option<i32> {
        let own = self.tenant.role.as_ref()?.connection_limit;
        let mine = self.observed.role.as_ref()?.connection_limit.max(0);
        (own > 0).then(|| own.saturating_add(self.tenant.beside() - mine).saturating_add(self.wanted.connection_limit))
    }

    /// Whether a privilege is on what the tenant has: who among its roles has what of that is its own affair.
    fn is_at_home(&self, objects: &Objects) -> bool {
        let is_home = |name: &str| self.holding().schemas().contains(&name) || self.tenant.owns_schema(name);
        let is_there = objects.database.is_none() && !objects.original;
        match &objects.kind {
            Kind::Schema => is_there && objects.name().is_some_and(|name| self.tenant.owns_schema(name)),
            _ => is_there && objects.schema.as_deref().is_some_and(is_home),
        }
    }

    /// Whether what a role reaches is told by a membership that is not meant.
    fn is_borrowed(&self, role: &str) -> bool {
        role != self.role && !self.meant.contains(role)
    }
}

impl Charter for CompanionCharter<'_> {
    fn required(&self) -> Vec<(Control, Fact)> {
        let (wanted, access) = (self.wanted, self.wanted.access);
        let role = || self.role.to_owned();
        let mut required = self.holding().required();
        required.insert(0, (Control::TenantPrivileges, self.holding().connect()));
        let own: Option<String> = (access == Access::Owner).then(|| self.own.to_owned());
        for group in wanted.role.groups().iter().map(ToString::to_string).chain(own.clone()) {
            let fact = Fact::Membership { role: group, member: role(), options: Options::default() };
            required.push((Control::Memberships, fact));
        }
        let here = || Level::RoleInDatabase(role(), self.database.to_owned());
        let parameter = |level: Level, name: &str, value: String| Fact::Parameter {
            level,
            name: name.to_owned(),
            value: Text::whole(value),
        };
        if let Some(path) = self.search_path() {
            let path = parameter(here(), "search_path", Setting::Schemas(path).text());
            required.push((Control::SearchPath, path));
        }
        required.extend(own.map(|own| (Control::Parameters, parameter(here(), "role", own))));
        for (name, value) in &wanted.parameters {
            let fact = parameter(Level::Role(role()), name.as_str(), value.clone());
            required.push((Control::Parameters, fact));
        }
        if let (Some(version), None) = (wanted.role.password_version, wanted.role.due_password(self.observed))
            && self.observed.role_marker().is_some()
        {
            required.push((Control::Password, Fact::Password { role: role(), version }));
        }
        let text = marker(wanted, complete(wanted), self.observed).text();
        required.push((Control::Registered, Fact::Marker { objects: Objects::one(Kind::Role, self.role), text }));
        required
    }

    fn allows(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Present(_) | Fact::Marker { .. } | Fact::Password { .. } => true,
            Fact::Owner { objects, owner } => {
                self.is_borrowed(owner) || objects.kind == Kind::DefaultPrivileges && objects.database.is_none()
            }
            Fact::Grant { objects, grantee, grantable, .. } => {
                let borrowed = grantee.as_ref().is_some_and(|grantee| self.is_borrowed(grantee));
                borrowed || self.is_at_home(objects) && !grantable
            }
            Fact::DefaultGrant { owner, privileges, .. } => {
                owner == self.own && !privileges.iter().any(|privilege| privilege.ends_with('*'))
            }
            Fact::Attribute { role, attribute } if role == self.role => {
                *attribute == Attribute::ConnectionLimit(self.wanted.connection_limit)
            }
            Fact::Attribute { role, .. } => self.is_borrowed(role),
            Fact::Membership { role, member, .. } => role != self.role && self.is_borrowed(member),
            Fact::Database { attribute: DatabaseAttribute::ConnectionLimit(limit), .. } => {
                self.database_limit().is_none_or(|wanted| wanted == *limit)
            }
            Fact::Parameter { name, .. } => HARMLESS.iter().any(|harmless| harmless.eq_ignore_ascii_case(name)),
            _ => false,
        }
    }

    fn control(&self, fact: &Fact) -> Control {
        match fact {
            Fact::Owner { objects, .. } if self.observed.is_elsewhere(objects) => Control::Elsewhere,
            Fact::Owner { .. } => Control::Objects,
            Fact::Grant { objects, .. } => match &objects.kind {
                Kind::Database if objects.is(Kind::Database, self.database) => Control::TenantPrivileges,
                Kind::Tablespace | Kind::Parameter => Control::ServerPrivileges,
                _ if self.observed.is_elsewhere(objects) => Control::Elsewhere,
                Kind::Schema => Control::SchemaPrivileges,
                _ => Control::OtherRoles,
            },
            Fact::DefaultGrant { .. } => Control::DefaultPrivileges,
            Fact::Attribute { role, attribute } if role == self.role => match attribute {
                Attribute::ConnectionLimit(_) => Control::Governed,
                _ => Control::RoleAttributes,
            },
            Fact::Attribute { .. } | Fact::Membership { .. } => Control::Memberships,
            Fact::Database { .. } => Control::Governed,
            Fact::Parameter { name, .. } if name.eq_ignore_ascii_case("search_path") => Control::SearchPath,
            Fact::Parameter { .. } | Fact::ManyParameters { .. } => Control::Parameters,
            Fact::Password { .. } | Fact::ForeignPassword { .. } => Control::Password,
            _ => Control::Registered,
        }
    }

    fn may_repair(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Marker { .. } | Fact::Parameter { .. } => self.observed.alters_role(),
            // That takes another version in the configuration.
            Fact::ForeignPassword { .. } | Fact::Password { .. } => false,
            Fact::Grant { objects, .. } if objects.is(Kind::Database, self.database) => self.tenant.owns_database(),
            Fact::Grant { objects, .. } if objects.kind == Kind::Schema => {
                let schemas = self.tenant.inside.iter().flat_map(|inside| &inside.schemas);
                let found = schemas.into_iter().find(|schema| objects.is(Kind::Schema, &schema.name));
                found.is_none_or(|schema| self.tenant.acts_for(&schema.owner, schema.owner_usable))
            }
            _ => true,
        }
    }

    fn accepted(&self, control: Control, _: &[Deviation]) -> Option<String> {
        self.wanted.role.accept.get(&control).cloned()
    }

    fn unseen(&self, control: Control) -> Option<String> {
        match (control, &self.tenant.inside) {
            (Control::Password, _) => unseen_password(self.observed, self.wanted.role.authentication),
            (control, Err(why)) if control.is_inside() => Some(why.clone()),
            _ => None,
        }
    }
}

/// The marker that the role is to carry.
fn marker(wanted: &Wanted, stage: Stage, observed: &Observed) -> Marker {
    let (access, nologin) = (Some(wanted.access), !wanted.login);
    let parameters = wanted.parameters.keys().map(ToString::to_string).collect();
    Marker { access, nologin, parameters, ..wanted.role.marked(stage, observed) }
}

/// The stage of one that is as it should be: whether Terraform is known to have it.
fn complete(wanted: &Wanted) -> Stage {
    if wanted.role.known_as.is_some() { Stage::Ready } else { Stage::Made }
}

/// What was found of each control. Of a role that is not there nothing more can be told.
pub fn findings(wanted: &Wanted, observed: &Observed, tenant: &Observed) -> BTreeMap<Control, Finding> {
    let finding = |control, status, facts| Finding { control, status, facts, repair: Repair::default() };
    let Some(charter) = CompanionCharter::new(wanted, observed, tenant) else {
        let why = Status::NotInspected("it is missing, or its tenant is".to_owned());
        return CONTROLS.map(|control| (control, finding(control, why.clone(), Vec::new()))).into();
    };
    let facts: Vec<_> = observed.facts().into_iter().filter(|seen| charter.concerns(&seen.fact)).collect();
    let mut drift = diff(&charter, &facts);
    let holds_up =
        observed.role.as_ref().is_some_and(|role| role.login) || tenant.role.as_ref().is_some_and(|role| role.login);
    let found = |control: Control| {
        let facts = drift.remove(&control).unwrap_or_default();
        let mut found = finding(control, status(&charter, control, &facts), facts);
        if found.status.is_drift() {
            let (ours, theirs): (Vec<_>, Vec<_>) = found.facts.iter().partition(|deviation| deviation.is_ours());
            let changes = |facts: Vec<&Deviation>| {
                let all: Vec<Change> = facts.into_iter().flat_map(|deviation| charter.changes(deviation)).collect();
                given_again(&charter, all)
            };
            let held_up = |change: &Change| holds_up && change.can_be_held_up();
            found.repair.extend(changes(ours), changes(theirs), held_up);
        }
        (control, found)
    };
    CONTROLS.map(found).into()
}

/// What goes with more than the role is to have.
fn given_again(charter: &CompanionCharter<'_>, mut changes: Vec<Change>) -> Vec<Change> {
    let names = &charter.wanted.role.names;
    let again = |change: &Change| match change {
        Change::RevokeDatabase { database, .. } if *database == names.database => {
            charter.holding().give(&charter.holding().connect())
        }
        Change::RevokeSchema { schema, .. } => charter.holding().give_usage(schema),
        _ => None,
    };
    let given: Vec<Change> = changes.iter().filter_map(again).collect();
    changes.extend(given);
    changes.dedup();
    changes
}

impl CompanionCharter<'_> {
    /// The changes for one fact too few or too many.
    fn changes(&self, deviation: &Deviation) -> Vec<Change> {
        let names = &self.wanted.role.names;
        let (role, database) = (names.role.clone(), names.database.clone());
        let set = |scope: Scope, name: &str, value: Setting| {
            let name = name.parse().ok()?;
            Some(Change::Set { scope, name, value })
        };
        let change = match (deviation, deviation.fact()) {
            (Deviation::Missing(_), fact) => match fact {
                fact @ (Fact::Grant { .. } | Fact::DefaultGrant { .. }) => self.holding().give(fact),
                Fact::Membership { role: group, .. } => {
                    group.parse().ok().map(|group| Change::GrantMembership { role: group, member: role })
                }
                Fact::Parameter { level: Level::RoleInDatabase(..), name, value } => {
                    let path = (name == "search_path").then(|| self.search_path()).flatten();
                    let value = path.map_or_else(|| Setting::Text(value.text.clone()), Setting::Schemas);
                    set(Scope::RoleInDatabase(role, database), name, value)
                }
                Fact::Parameter { name, value, .. } => set(Scope::Role(role), name, Setting::Text(value.text.clone())),
                Fact::Marker { .. } => {
                    let marker = marker(self.wanted, complete(self.wanted), self.observed);
                    Some(Change::MarkRole { role, marker })
                }
                _ => None,
            },
            (Deviation::Unexpected(_), Fact::Attribute { role: of, attribute: Attribute::ConnectionLimit(_) })
                if of == self.role =>
            {
                Some(Change::LimitRole { role, connections: self.wanted.connection_limit })
            }
            (Deviation::Unexpected(_), Fact::Database { .. }) => {
                self.database_limit().map(|connections| Change::LimitDatabase { database, connections })
            }
            // Said once: by the fact that is missing.
            (Deviation::Unexpected(_), Fact::Parameter { level, name, .. }) if self.is_set(level, name) => None,
            (Deviation::Unexpected(_), Fact::ManyParameters { .. }) => {
                let scopes = [Scope::Role(role.clone()), Scope::RoleInDatabase(role, database)];
                return scopes.map(|scope| Change::ResetAll { scope }).into();
            }
            (Deviation::Unexpected(_), Fact::DefaultGrant { .. }) => self.holding().give_anew(),
            (Deviation::Unexpected(_), Fact::Grant { objects, .. })
                if !self.observed.is_elsewhere(objects) && ![Kind::Schema, Kind::Database].contains(&objects.kind) =>
            {
                self.holding().give_anew()
            }
            (Deviation::Unexpected(seen), _) => {
                return repair::unexpected(&self.wanted.role, self.observed, Control::Parameters, seen);
            }
        };
        change.into_iter().collect()
    }

    /// Whether another value of it is required at that level.
    fn is_set(&self, level: &Level, name: &str) -> bool {
        self.required().iter().any(|(_, fact)| {
            matches!(fact, Fact::Parameter { level: at, name: set, .. } if at == level && set.eq_ignore_ascii_case(name))
        })
    }
}

/// The next changes on the way from what is observed to what is wanted. Empty when the role is as it should be.
pub fn repair(wanted: &Wanted, observed: &Observed, tenant: &Observed) -> Repair {
    let role = || wanted.role.names.role.clone();
    let only = |needed: Vec<Change>| Repair { needed, tried: Vec::new() };
    let Some(found) = &observed.role else {
        let limits = Limits { connection_limit: wanted.connection_limit, ..Limits::safe() };
        let password = wanted.role.due_password(observed).flatten().cloned();
        let marker = marker(wanted, Stage::Creating, observed);
        return only(vec![
            Change::CreateRole { role: role(), password, limits },
            Change::MarkRole { role: role(), marker },
        ]);
    };
    let logs_in = wanted.login && tenant.role.as_ref().is_some_and(|role| role.login);
    let Some(name) = observed.role_name() else { return Repair::default() };
    if found.login && !logs_in {
        return only(shut_out(&name).into());
    }
    if name != role() {
        return only(vec![Change::RenameRole { from: name, to: role() }]);
    }
    let Some(charter) = CompanionCharter::new(wanted, observed, tenant) else { return Repair::default() };
    let before = observed.role_marker();
    let mut needed = Vec::new();
    if let Some(verifier) = wanted.role.due_password(observed) {
        // What it logs in with from then on comes first: without that it would have nothing.
        if let Some(group) = wanted.role.authentication.group().filter(|group| !observed.is_member_of(group)) {
            needed.push(Change::GrantMembership { role: group, member: role() });
        }
        needed.push(Change::SetPassword { role: role(), verifier: verifier.cloned() });
        let (stage, access) = before.as_ref().map_or((Stage::Creating, None), |marker| (marker.stage, marker.access));
        let marker = marker(wanted, stage, observed);
        let access = access.or(marker.access);
        needed.push(Change::MarkRole { role: role(), marker: Marker { access, ..marker } });
    }
    let (mut last, mut tried) = (Vec::new(), Vec::new());
    for (control, finding) in findings(wanted, observed, tenant) {
        if control == Control::Registered {
            last = finding.repair.needed;
        } else {
            needed.extend(finding.repair.needed);
        }
        for change in finding.repair.tried {
            if !tried.contains(&change) {
                tried.push(change);
            }
        }
    }
    // What it had by another access is nobody's to keep: with the marker goes the record of it.
    let turns = before.as_ref().and_then(|marker| marker.access).is_some_and(|access| access != wanted.access);
    if turns {
        needed.extend(charter.holding().give_anew());
        tried.retain(|change| !matches!(change, Change::GiveAccess { .. }));
    }
    let is_complete = before.is_some_and(|marker| marker.stage.is_complete());
    if observed.inside.is_ok() || is_complete && !turns {
        if logs_in && !found.login {
            needed.push(Change::Login { role: role() });
        }
        needed.extend(last);
    }
    needed.dedup();
    Repair { needed, tried }
}

/// What the role keeps from ending: the databases in which it owns something, beside the tenant's.
pub fn owned_elsewhere(observed: &Observed) -> BTreeMap<String, u64> {
    let own = observed.database.as_ref().map(|database| database.name.as_str());
    let is_elsewhere = |place: Option<&str>| place.is_none() || place != own;
    let owned = observed.dependencies.iter().filter(|one| one.kind == "o" && is_elsewhere(one.database.as_deref()));
    let place = |database: &Option<String>| database.clone().unwrap_or_else(|| "(shared objects)".to_owned());
    owned.map(|one| (place(&one.database), one.count)).collect()
}

/// The changes that drop the role. What it owns in the tenant's database becomes the tenant's.
pub fn remove(observed: &Observed, tenant: &Observed) -> Vec<Change> {
    let Some(role) = observed.role_name() else { return Vec::new() };
    let mut changes: Vec<Change> = shut_out(&role).into();
    let own = tenant.database_name();
    let places: BTreeSet<DatabaseName> =
        observed.dependencies.iter().filter_map(|one| one.database.as_ref()?.parse().ok()).collect();
    for place in places {
        changes.push(match (&own, tenant.role_name()) {
            (Some(own), Some(tenant)) if *own == place => {
                Change::TakeAccess { database: place, tenant, role: role.clone() }
            }
            _ => Change::Disown { database: Some(place), role: role.clone() },
        });
    }
    if observed.dependencies.iter().any(|one| one.database.is_none()) {
        changes.push(Change::Disown { database: None, role: role.clone() });
    }
    if let (Some(database), Some(found), Some(mine)) = (own, &tenant.role, &observed.role)
        && found.connection_limit > 0
        && tenant.owns_database()
    {
        let beside = tenant.beside() - mine.connection_limit.max(0);
        changes.push(Change::LimitDatabase { database, connections: found.connection_limit.saturating_add(beside) });
    }
    changes.push(Change::DropRole { role });
    changes
}

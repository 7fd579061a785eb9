//! A further role of a tenant: what is right for it, and how that is brought about. What the tenant's own charter makes of it is
//! said in `charter`. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::catalog::snapshot::{Dependency, Role};
use crate::postgres::fact::{Attribute, DatabaseAttribute, Fact, Kind, Level, Objects, Options, Text};
use crate::postgres::{DatabaseName, Feature, ParameterName, SchemaName};

use super::access::{Access, Holding};
use super::change::{Change, Scope, Setting};
use super::charter::{Desired, HARMLESS, unseen_password};
use super::control::Control;
use super::diff::{self, Charter, Deviation, Finding, Repair};
use super::limits::Limits;
use super::marker::{Marker, Stage};
use super::names::EXTENSIONS_SCHEMA;
use super::observed::{Observed, Seen};
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
    /// Whether it had another access until now, or nobody knows which: what it had by that is not the tenant's affair.
    turns: bool,
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
            turns: turns(wanted, observed),
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
    ///
    /// Not by the tenant's own setting, which is the tenant's to write: by what is on record and what is there.
    fn search_path(&self) -> Option<Vec<SchemaName>> {
        let inside = self.tenant.inside.as_ref().ok()?;
        let first = self.tenant.schema(&self.tenant.names)?.name.parse().ok()?;
        let is_extended = inside.extensions.iter().any(|extension| extension.schema == EXTENSIONS_SCHEMA);
        let extensions = is_extended.then(|| EXTENSIONS_SCHEMA.parse().ok()).flatten();
        let is_there = |schema: &String| inside.extensions.iter().any(|extension| extension.schema == *schema);
        let others = self.tenant.extension_schemas().into_iter().filter(is_there);
        Some([first].into_iter().chain(extensions).chain(others.filter_map(|schema| schema.parse().ok())).collect())
    }

    /// How many connections its database is to allow: what the tenant's own role may take, and all beside.
    fn database_limit(&self) -> Option<i32> {
        let own = self.tenant.role.as_ref()?.connection_limit;
        let mine = counted(self.observed, self.tenant);
        // The role counts with the limit that it is to have, not with the one on record.
        let own_and_mine = own.saturating_add(self.wanted.connection_limit - mine);
        (own > 0).then(|| self.tenant.database_limit(own_and_mine, self.tenant.admin_connections()))
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
            // It acts as the tenant by becoming it.
            let set = own.as_ref() == Some(&group) && self.observed.server.has(Feature::MembershipsByGrantor);
            let options = Options { set, ..Options::default() };
            let fact = Fact::Membership { role: group, member: role(), options };
            required.push((Control::Memberships, fact));
        }
        required.extend(wanted.role.required_expiry(self.role));
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
            Fact::Grant { objects, grantee, privilege, grantable } => {
                let borrowed = grantee.as_ref().is_some_and(|grantee| self.is_borrowed(grantee));
                let taken = !self.turns || self.wanted.access.on(&objects.kind).contains(&privilege.as_str());
                borrowed || self.is_at_home(objects) && !grantable && taken
            }
            // It makes nothing.
            Fact::DefaultGrant { owner, .. } if owner == self.role => true,
            Fact::DefaultGrant { owner, kind, privileges, .. } => {
                let allowed = self.wanted.access.on(kind);
                let taken = |privilege: &String| !self.turns || allowed.contains(&privilege.as_str());
                owner == self.own && privileges.iter().all(|one| !one.ends_with('*') && taken(one))
            }
            Fact::Attribute { role, attribute } if role == self.role => {
                *attribute == Attribute::ConnectionLimit(self.wanted.connection_limit)
            }
            Fact::Attribute { role, .. } => self.is_borrowed(role),
            Fact::Membership { role, member, .. } => role != self.role && self.is_borrowed(member),
            Fact::Database { attribute: DatabaseAttribute::ConnectionLimit(limit), .. } => {
                self.database_limit().is_none_or(|wanted| wanted == *limit)
            }
            // Where its path begins is seen from inside only.
            Fact::Parameter { level: Level::RoleInDatabase(_, place), name, .. }
                if place == self.database && name == "search_path" && self.tenant.inside.is_err() =>
            {
                true
            }
            Fact::Parameter { level, name, .. } => {
                // One that was set here and is wanted no more is not left behind.
                let noted = self.observed.role_marker().is_some_and(|marker| marker.parameters.contains(name));
                let left = noted && matches!(level, Level::Role(_));
                !left && HARMLESS.iter().any(|harmless| harmless.eq_ignore_ascii_case(name))
            }
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
            Fact::Marker { .. } | Fact::Parameter { .. } | Fact::Attribute { .. } => self.observed.alters_role(),
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

/// Whether the role had another access until now, or none of which there is a record. One that is being made has nothing yet.
fn turns(wanted: &Wanted, observed: &Observed) -> bool {
    let Some(marker) = observed.role_marker().filter(|marker| marker.access == Some(wanted.access)) else {
        return true;
    };
    marker.stage == Stage::Creating && !observed.dependencies.is_empty()
}

/// How many of the connections that the tenant's database allows are this role's.
fn counted(observed: &Observed, tenant: &Observed) -> i32 {
    let role = observed.role.as_ref().filter(|role| tenant.access_of(&role.name).is_some());
    role.map_or(0, |role| role.connection_limit.max(0))
}

/// The stage of one that is as it should be: whether Terraform is known to have it.
fn complete(wanted: &Wanted) -> Stage {
    if wanted.role.known_as.is_some() { Stage::Ready } else { Stage::Made }
}

/// What was found of each control. Of a role that is not there nothing more can be told.
pub fn findings(wanted: &Wanted, observed: &Observed, tenant: &Observed) -> BTreeMap<Control, Finding> {
    let Some(charter) = CompanionCharter::new(wanted, observed, tenant) else {
        return diff::unseen(&CONTROLS, "it is missing, or its tenant is");
    };
    let facts: Vec<_> = observed.facts().into_iter().filter(|seen| charter.concerns(&seen.fact)).collect();
    let changes = |drift: &[&Deviation]| {
        let mut changes: Vec<Change> = drift.iter().flat_map(|deviation| charter.changes(deviation)).collect();
        let given: Vec<_> = changes.iter().filter_map(|change| charter.holding().again(change, true)).collect();
        changes.extend(given);
        changes.sort_by_key(Change::gives);
        changes.dedup();
        changes
    };
    let logs_in = |role: &Option<Role>| role.as_ref().is_some_and(|role| role.login);
    let holds_up = logs_in(&observed.role) || logs_in(&tenant.role);
    diff::findings(&charter, &facts, &CONTROLS, changes, |change| holds_up && change.can_be_held_up())
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
                Fact::Attribute { attribute: Attribute::ValidUntil(_), .. } => Some(repair::expire(&self.wanted.role)),
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
                let mine = self.observed.settings.iter().filter(|setting| setting.role.as_deref() == Some(self.role));
                let places: BTreeSet<DatabaseName> =
                    mine.filter_map(|setting| setting.database.as_deref()?.parse().ok()).chain([database]).collect();
                let places = places.into_iter().map(|place| Scope::RoleInDatabase(role.clone(), place));
                let scopes = [Scope::Role(role.clone())].into_iter().chain(places);
                let mut all: Vec<Change> = scopes.map(|scope| Change::ResetAll { scope }).collect();
                // What is to be set goes with it.
                let required = self.required().into_iter().map(|(_, fact)| fact);
                let set = required.filter(|fact| matches!(fact, Fact::Parameter { .. }));
                let missing = set.map(|fact| Deviation::Missing(Seen { fact, ours: true }));
                all.extend(missing.flat_map(|deviation| self.changes(&deviation)));
                return all;
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
    // Who loses something could hold that up.
    let loses = observed.role_marker().and_then(|marker| marker.access).is_some_and(|access| access < wanted.access);
    if found.login && (!logs_in || loses) {
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
        // Of one that was none until now it is not said yet that it is as it should be.
        let was = before.as_ref().map(|marker| (marker.stage, marker.access));
        let (stage, access) = was.unwrap_or((Stage::Creating, Some(wanted.access)));
        let marker = Marker { access, ..marker(wanted, stage, observed) };
        needed.push(Change::MarkRole { role: role(), marker });
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
    let is_complete = before.is_some_and(|marker| marker.stage.is_complete());
    if charter.turns {
        // What it had by another access is nobody's to keep: with the marker goes the record of it, so that comes when it is gone.
        let is_about_it = |change: &Change| {
            matches!(change, Change::GiveAccess { .. } | Change::RevokeMembership { .. } | Change::RevokeSchema { .. })
        };
        let (first, rest): (Vec<_>, Vec<_>) = tried.into_iter().partition(is_about_it);
        needed.extend(first);
        tried = rest;
        if needed.iter().any(is_about_it) {
            return Repair { needed, tried: Vec::new() };
        }
    }
    if observed.inside.is_ok() || is_complete && !charter.turns {
        if logs_in && !found.login {
            needed.push(Change::Login { role: role() });
        }
        needed.extend(last);
    }
    needed.dedup();
    Repair { needed, tried }
}

/// What keeps the role from ending: what it owns, by database. In the tenant's own, large objects become the tenant's; code and
/// tables do not, for what they let others do the tenant would then answer for.
pub fn owned(observed: &Observed) -> BTreeMap<String, u64> {
    let own = observed.database.as_ref().map(|database| database.name.as_str());
    let passes = |one: &Dependency| {
        own.is_some()
            && one.database.as_deref() == own
            && ["pg_largeobject", "pg_largeobject_metadata", "pg_default_acl"].contains(&one.class.as_str())
    };
    let owned = observed.dependencies.iter().filter(|one| one.kind == "o" && !passes(one));
    let place = |database: &Option<String>| database.clone().unwrap_or_else(|| "(shared objects)".to_owned());
    let mut counts = BTreeMap::new();
    for one in owned {
        *counts.entry(place(&one.database)).or_default() += one.count;
    }
    counts
}

/// The changes that drop the role, which owns nothing but what [`owned`] passes over.
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
    if let (Some(database), Some(found)) = (own, &tenant.role)
        && found.connection_limit > 0
        && tenant.owns_database()
    {
        let without = found.connection_limit - counted(observed, tenant);
        let connections = tenant.database_limit(without, tenant.admin_connections());
        changes.push(Change::LimitDatabase { database, connections });
    }
    changes.push(Change::DropRole { role });
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::catalog::acl::Grant;
    use crate::postgres::catalog::inside::{DefaultPrivilege, ObjectGrant, Relations, Schema};
    use crate::postgres::catalog::snapshot::{Database, Snapshot};
    use crate::tenant::fixture::{self, dependency, grant, membership, setting, texts};
    use crate::tenant::{Goal, Names, Password};

    const READY: &str = "{\"pgtenant\":\"acme\",\"stage\":\"ready\",\"database\":\"acme\",\"role\":\"acme_ro\",\
                         \"access\":\"read\",\"schema\":\"app\"}";

    fn wanted(access: Access) -> Wanted {
        let names = Names { role: "acme_ro".parse().unwrap(), ..fixture::names() };
        Wanted {
            role: Desired { names, ..fixture::desired() },
            access,
            login: true,
            connection_limit: 5,
            parameters: BTreeMap::new(),
        }
    }

    /// A tenant with one reader that is as it should be: it has one table.
    fn snapshot() -> Snapshot {
        let mut snapshot = fixture::snapshot();
        snapshot.roles.push(Role { connection_limit: 5, ..fixture::role("acme_ro", Some(READY.to_owned())) });
        snapshot.settings.push(setting(Some("acme"), Some("acme_ro"), "search_path", "app"));
        let database: &mut Database = &mut snapshot.databases[0];
        database.acl.push(grant(Some("acme_ro"), "CONNECT"));
        database.connection_limit = 20;
        snapshot
    }

    fn seen(snapshot: &Snapshot, change: impl FnOnce(&mut crate::postgres::Inside)) -> (Observed, Observed) {
        let mut tenant =
            Observed { inside: fixture::observed().inside, ..Observed::locate(snapshot, &fixture::names()) };
        let inside = tenant.inside.as_mut().unwrap();
        inside.schemas[0].acl.push(grant(Some("acme_ro"), "USAGE"));
        let (schema, owner) = ("app".to_owned(), "acme".to_owned());
        inside.relations = vec![Relations { kind: "r".into(), schema, owner, count: 2 }];
        inside.grants = vec![object_grant("SELECT", 2)];
        inside.defaults = [("r", "SELECT"), ("S", "SELECT"), ("n", "USAGE")]
            .map(|(kind, privilege)| default(kind, &[privilege]))
            .into();
        change(inside);
        let role = Observed::companion(snapshot, &tenant, &"acme_ro".parse().unwrap());
        (tenant, role)
    }

    fn object_grant(privilege: &str, count: u64) -> ObjectGrant {
        ObjectGrant {
            kind: "r".into(),
            original: false,
            schema: Some("app".into()),
            owner: "acme".into(),
            owner_usable: false,
            grantee: Some("acme_ro".into()),
            privilege: privilege.into(),
            grantable: false,
            count,
            names: vec!["t".into()],
        }
    }

    fn default(kind: &str, privileges: &[&str]) -> DefaultPrivilege {
        DefaultPrivilege {
            owner: "acme".into(),
            owner_usable: false,
            schema: None,
            kind: kind.into(),
            grantee: Some("acme_ro".into()),
            privileges: privileges.iter().map(|privilege| (*privilege).to_owned()).collect(),
        }
    }

    /// The statements of a repair, the long ones by a word.
    fn said(changes: &[Change]) -> Vec<String> {
        let give = crate::postgres::catalog::inside::give();
        texts(changes).into_iter().map(|text| if text == give { "GIVE".to_owned() } else { text }).collect()
    }

    /// Changes one thing of a reader that is as it should be: what is drift of the role then, what of the tenant, and what is
    /// to be run for the role.
    #[track_caller]
    fn check(
        on_server: impl FnOnce(&mut Snapshot),
        inside: impl FnOnce(&mut crate::postgres::Inside),
        of_role: &[&str],
        of_tenant: &[&str],
        run: &[&str],
    ) {
        let mut snapshot = snapshot();
        on_server(&mut snapshot);
        let (tenant, role) = seen(&snapshot, inside);
        let told = |findings: BTreeMap<Control, Finding>| -> Vec<String> {
            let drift = findings.into_values().filter(|finding| finding.status.is_drift());
            drift.map(|finding| format!("{}: {}", finding.control, finding.describe())).collect()
        };
        assert_eq!(told(findings(&wanted(Access::Read), &role, &tenant)), of_role, "of the role");
        assert_eq!(told(crate::tenant::findings(&fixture::desired(), &tenant)), of_tenant, "of the tenant");
        let Repair { needed, tried } = repair(&wanted(Access::Read), &role, &tenant);
        assert_eq!(said(&[needed, tried].concat()), run, "run");
    }

    #[test]
    fn a_reader_as_it_should_be_needs_nothing_and_is_no_drift_of_the_tenant() {
        check(|_| {}, |_| {}, &[], &[], &[]);
        let (tenant, role) = seen(&snapshot(), |_| {});
        assert_eq!(tenant.companions.len(), 1);
        assert_eq!((tenant.further_connections(), tenant.access_of("acme_ro")), (5, Some(Access::Read)));
        assert!(findings(&wanted(Access::Read), &role, &tenant).keys().copied().eq({
            let mut all = CONTROLS;
            all.sort();
            all
        }));
        // One that somebody else could have marked is none.
        let mut forged = snapshot();
        forged.roles[1].manageable = false;
        let tenant = Observed::locate(&forged, &fixture::names());
        assert_eq!((tenant.companions.len(), tenant.forged.len()), (0, 1));
    }

    #[test]
    fn what_a_further_role_has_beyond_its_access_is_drift() {
        check(
            |s| s.roles[1].create_role = true,
            |_| {},
            &["role_attributes: found: acme_ro has CREATEROLE"],
            &[],
            &["ALTER ROLE \"acme_ro\" NOCREATEROLE"],
        );
        check(
            |s| s.roles[1].connection_limit = 7,
            |_| {},
            &["governed: found: acme_ro has CONNECTION LIMIT 7"],
            &["governed: found: database acme has CONNECTION LIMIT 20"],
            &["ALTER ROLE \"acme_ro\" CONNECTION LIMIT 5"],
        );
        check(
            |s| s.databases[0].acl.push(grant(Some("acme_ro"), "TEMPORARY")),
            |_| {},
            &["tenant_privileges: found: acme_ro has TEMPORARY on database acme"],
            &["other_privileges: found: acme_ro has TEMPORARY on database acme"],
            &[
                "REVOKE ALL ON DATABASE \"acme\" FROM \"acme_ro\" CASCADE",
                "GRANT CONNECT ON DATABASE \"acme\" TO \"acme_ro\"",
            ],
        );
        check(
            |s| s.memberships.push(membership("acme", "acme_ro")),
            |_| {},
            &["memberships: found: acme_ro is a member of acme"],
            &["memberships: found: acme_ro is a member of acme"],
            &["REVOKE \"acme\" FROM \"acme_ro\" CASCADE"],
        );
        check(
            |_| {},
            |inside| inside.schemas[0].acl.push(grant(Some("acme_ro"), "CREATE")),
            &["schema_privileges: found: acme_ro has CREATE on schema app"],
            &["schema_privileges: found: acme_ro has CREATE on schema app"],
            &["REVOKE ALL ON SCHEMA \"app\" FROM \"acme_ro\" CASCADE", "GRANT USAGE ON SCHEMA \"app\" TO \"acme_ro\""],
        );
        check(
            |s| s.settings.push(setting(None, Some("acme_ro"), "work_mem", "1GB")),
            |_| {},
            &["parameters: found: work_mem = \"1GB\" for role acme_ro"],
            &[],
            &["ALTER ROLE \"acme_ro\" RESET \"work_mem\""],
        );
        // What it owns elsewhere, and what a stranger has here.
        check(
            |s| s.dependencies.push(dependency("acme_ro", Some("other"), "pg_class", "o", 1)),
            |_| {},
            &["elsewhere: not permitted: acme_ro owns 1 relation in database other"],
            &[],
            &[],
        );
        check(
            |s| s.databases[0].acl.push(grant(Some("globex"), "CONNECT")),
            |_| {},
            &[],
            &["other_privileges: found: globex has CONNECT on database acme"],
            &[],
        );
        // What the tenant gives it of its own is the tenant's affair, unless it may hand that on.
        check(|_| {}, |inside| inside.grants.push(object_grant("INSERT", 1)), &[], &[], &[]);
        let (tenant, role) = seen(&snapshot(), |inside| {
            inside.grants.push(ObjectGrant { grantable: true, ..object_grant("INSERT", 1) });
        });
        let found = &findings(&wanted(Access::Read), &role, &tenant)[&Control::OtherRoles];
        assert_eq!(found.describe(), "found: acme_ro has INSERT WITH GRANT OPTION on relation t");
        assert!(crate::tenant::findings(&fixture::desired(), &tenant)[&Control::OtherRoles].status.is_drift());
        let home = tenant.at_home();
        assert!(home.contains("acme_ro") && home.contains("acme"));
        assert!(
            matches!(&found.repair.tried[..], [Change::GiveAccess { home: Some(home), .. }] if !home.contains("acme_ro"))
        );
    }

    #[test]
    fn what_it_lacks_is_counted_and_given() {
        let say = "SELECT pg_catalog.set_config('pgtenant.tenant', 'acme', true), pg_catalog.set_config('pgtenant.role', 'acme_ro', true), \
                   pg_catalog.set_config('pgtenant.relations', 'SELECT', true), pg_catalog.set_config('pgtenant.sequences', 'SELECT', true), \
                   pg_catalog.set_config('pgtenant.schemas', 'USAGE', true), pg_catalog.set_config('pgtenant.places', '[\"app\"]', true)";
        let give = [
            "SELECT pg_catalog.set_config('lock_timeout', '2s', true) WHERE pg_catalog.current_setting('lock_timeout') = '0'",
            "GRANT \"acme\" TO CURRENT_USER",
            say,
            "GIVE",
            "REVOKE \"acme\" FROM CURRENT_USER",
        ];
        check(
            |_| {},
            |inside| inside.grants[0].count = 1,
            &["other_roles: found: acme_ro lacks SELECT on 1 relation"],
            &[],
            &give,
        );
        check(
            |_| {},
            |inside| inside.defaults.retain(|default| default.kind != "S"),
            &["default_privileges: found: not so: acme_ro gets SELECT on each new sequence of acme"],
            &[],
            &give,
        );
        // More than that the tenant may give it.
        check(|_| {}, |inside| inside.defaults[0].privileges.push("UPDATE".into()), &[], &[], &[]);
        check(
            |_| {},
            |inside| inside.schemas[0].acl.retain(|grant| grant.grantee.as_deref() != Some("acme_ro")),
            &["schema_privileges: found: acme_ro lacks USAGE on schema app"],
            &[],
            &["GRANT USAGE ON SCHEMA \"app\" TO \"acme_ro\""],
        );
        check(
            |s| s.databases[0].acl.retain(|grant| grant.grantee.as_deref() != Some("acme_ro")),
            |_| {},
            &["tenant_privileges: found: acme_ro lacks CONNECT on database acme"],
            &[],
            &["GRANT CONNECT ON DATABASE \"acme\" TO \"acme_ro\""],
        );
        // Where not all grants were read, none is said to be missing.
        check(
            |_| {},
            |inside| (inside.grants[0].count, inside.groups_of_grants) = (1, 999),
            &[],
            &["other_roles: found: there are 999 different kinds of grants"],
            &[],
        );
        // In a schema that the tenant made it is the tenant that gives.
        let own = |acl: Vec<Grant>| Schema {
            name: "own".into(),
            owner: "acme".into(),
            owner_usable: false,
            comment: None,
            acl,
            planted: false,
        };
        let (tenant, role) = seen(&snapshot(), |inside| inside.schemas.push(own(Vec::new())));
        let Repair { tried, .. } = repair(&wanted(Access::Read), &role, &tenant);
        let all = give.map(|text| text.replace("[\"app\"]", "[\"app\",\"own\"]"));
        assert_eq!(said(&tried), all);
        let (tenant, role) =
            seen(&snapshot(), |inside| inside.schemas.push(own(vec![grant(Some("acme_ro"), "USAGE")])));
        assert_eq!(repair(&wanted(Access::Read), &role, &tenant), Repair::default());
    }

    #[test]
    fn a_role_is_made_closed_and_let_in_last() {
        let snapshot = fixture::snapshot();
        let tenant = Observed { inside: fixture::observed().inside, ..Observed::locate(&snapshot, &fixture::names()) };
        let role = Observed::companion(&snapshot, &tenant, &"acme_ro".parse().unwrap());
        let new = |access| Wanted { role: Desired { known_as: None, ..wanted(access).role }, ..wanted(access) };
        let made = said(&repair(&new(Access::Owner), &role, &tenant).needed);
        assert!(
            made[0].starts_with("CREATE ROLE \"acme_ro\" NOLOGIN") && made[0].contains("CONNECTION LIMIT 5"),
            "{made:?}"
        );
        assert!(made[1].contains("\"stage\":\"creating\"") && made[1].contains("\"access\":\"owner\""), "{made:?}");

        let mut snapshot = snapshot;
        let marker = READY.replace("ready", "creating").replace("read\"", "owner\"");
        snapshot.roles.push(Role { login: false, connection_limit: 5, ..fixture::role("acme_ro", Some(marker)) });
        let tenant = Observed { inside: fixture::observed().inside, ..Observed::locate(&snapshot, &fixture::names()) };
        let role = Observed::companion(&snapshot, &tenant, &"acme_ro".parse().unwrap());
        let Repair { needed, tried } = repair(&new(Access::Owner), &role, &tenant);
        let all = said(&[tried, needed].concat());
        let at = |text: &str| {
            all.iter().position(|one| one.contains(text)).unwrap_or_else(|| panic!("{text} is not in {all:#?}"))
        };
        assert!(at("GRANT \"acme\" TO \"acme_ro\"") < at("ALTER ROLE \"acme_ro\" LOGIN"));
        // Only who may become a role may put that on record.
        let set = at("ALTER ROLE \"acme_ro\" IN DATABASE \"acme\" SET \"role\" = 'acme'");
        assert_eq!(
            (&*all[set - 1], &*all[set + 1]),
            ("GRANT \"acme\" TO CURRENT_USER", "REVOKE \"acme\" FROM CURRENT_USER")
        );
        assert!(at("ALTER DATABASE \"acme\" CONNECTION LIMIT 20") < at("ALTER ROLE \"acme_ro\" LOGIN"));
        assert!(all.last().unwrap().contains("\"stage\":\"made\""), "{all:#?}");
        // Not before its database was entered, nor while the tenant is shut out.
        let outside = Observed { inside: Err("closed".to_owned()), ..tenant.clone() };
        let unseen = Observed { inside: Err("closed".to_owned()), ..role.clone() };
        let is_let_in = |repair: Repair| repair.needed.iter().any(|change| matches!(change, Change::Login { .. }));
        assert!(!is_let_in(repair(&new(Access::Owner), &unseen, &outside)));
        let mut shut = tenant.clone();
        shut.role.as_mut().unwrap().login = false;
        assert!(!is_let_in(repair(&new(Access::Owner), &role, &shut)));
        assert!(is_let_in(repair(&new(Access::Owner), &role, &tenant)));
    }

    #[test]
    fn another_access_takes_what_the_one_before_gave() {
        let (tenant, mut role) = seen(&snapshot(), |_| {});
        // Who loses something is shut out first: it could hold that up.
        let is_made = |change: &Change| matches!(change, Change::MarkRole { .. } | Change::Login { .. });
        assert_eq!(repair(&wanted(Access::Connect), &role, &tenant).needed, shut_out(&"acme_ro".parse().unwrap()));
        role.role.as_mut().unwrap().login = false;
        let Repair { needed, tried } = repair(&wanted(Access::Connect), &role, &tenant);
        let is_anew = |change: &Change| matches!(change, Change::GiveAccess { home: Some(home), access: Access::Connect, .. } if !home.contains("acme_ro"));
        assert!(needed.iter().any(is_anew) && !needed.iter().any(is_made), "{needed:?}");
        assert!(
            said(&needed).iter().any(|text| text.starts_with("REVOKE ALL ON SCHEMA \"app\" FROM \"acme_ro\"")),
            "{needed:?}"
        );
        assert_eq!(tried, []);
        // The record of another access is written when nothing is left of the one before.
        let (tenant, mut role) = seen(&snapshot(), |inside| {
            inside.schemas[0].acl.retain(|grant| grant.grantee.as_deref() != Some("acme_ro"));
            (inside.grants, inside.defaults) = (Vec::new(), Vec::new());
        });
        role.role.as_mut().unwrap().login = false;
        let Repair { needed, .. } = repair(&wanted(Access::Connect), &role, &tenant);
        assert_eq!(needed.iter().filter(|change| is_made(change)).count(), 2, "{needed:?}");
        // From outside it cannot be done, and is not said to have been.
        let outside = Observed { inside: Err("closed".to_owned()), ..tenant };
        let unseen = Observed { inside: Err("closed".to_owned()), ..role };
        let Repair { needed, .. } = repair(&wanted(Access::Connect), &unseen, &outside);
        assert!(!needed.iter().any(is_made), "{needed:?}");
        // Of one that was none until now nobody knows what it had: that is taken as well, and it is not shut out.
        let mut bare = snapshot();
        bare.roles[1].comment = None;
        let (tenant, role) = seen(&bare, |inside| inside.grants.push(object_grant("INSERT", 1)));
        let Repair { needed, .. } = repair(&wanted(Access::Read), &role, &tenant);
        assert!(needed.iter().any(|change| matches!(change, Change::GiveAccess { home: Some(_), .. })), "{needed:?}");
        assert!(!needed.iter().any(|change| matches!(change, Change::NoLogin { .. })), "{needed:?}");
        // Nor do its connections count yet.
        assert_eq!((tenant.further_connections(), counted(&role, &tenant)), (0, 0));
    }

    #[test]
    fn the_database_of_a_tenant_without_a_limit_gets_none() {
        let mut snapshot = snapshot();
        let ready = fixture::marker(&fixture::names(), Stage::Ready);
        let marker = Marker { admin_connections: Some(-1), ..ready };
        snapshot.roles[0].comment = Some(marker.text());
        snapshot.databases[0].connection_limit = -1;
        let (tenant, role) = seen(&snapshot, |_| {});
        assert_eq!(repair(&wanted(Access::Read), &role, &tenant), Repair::default());
        let limit = |change: &Change| matches!(change, Change::LimitDatabase { connections: -1, .. });
        assert!(remove(&role, &tenant).iter().any(limit));
    }

    #[test]
    fn what_is_set_for_it_and_wanted_no_more_is_reset() {
        let mut harmless = snapshot();
        harmless.settings.push(setting(None, Some("acme_ro"), "timezone", "UTC"));
        let (tenant, role) = seen(&harmless, |_| {});
        assert_eq!(repair(&wanted(Access::Read), &role, &tenant), Repair::default());
        harmless.roles[1].comment = Some(READY.replace("\"app\"", "\"app\",\"parameters\":[\"timezone\"]"));
        let (tenant, role) = seen(&harmless, |_| {});
        let reset = "ALTER ROLE \"acme_ro\" RESET \"timezone\"".to_owned();
        assert!(said(&repair(&wanted(Access::Read), &role, &tenant).tried).contains(&reset));
        // So many that they were not all read: all go, and what is to be set is set again.
        let mut many = snapshot();
        many.oversized = [("acme_ro".to_owned(), 201)].into();
        many.settings.push(setting(Some("postgres"), Some("acme_ro"), "work_mem", "1GB"));
        let (tenant, role) = seen(&many, |_| {});
        let tried = said(&repair(&wanted(Access::Read), &role, &tenant).tried);
        let at = |text: &str| tried.iter().rposition(|one| one == text).unwrap_or_else(|| panic!("{text}: {tried:#?}"));
        let set = at("ALTER ROLE \"acme_ro\" IN DATABASE \"acme\" SET \"search_path\" = \"app\"");
        for place in ["", " IN DATABASE \"acme\"", " IN DATABASE \"postgres\""] {
            assert!(at(&format!("ALTER ROLE \"acme_ro\"{place} RESET ALL")) < set, "{tried:#?}");
        }
    }

    /// From 16 on who may not become the tenant does not act as it.
    #[test]
    fn an_owner_may_become_the_tenant() {
        let with = |set: bool| {
            let mut snapshot = snapshot();
            snapshot.server.version_num = 160_000;
            snapshot.roles[1].comment = Some(READY.replace("\"read\"", "\"owner\""));
            let row = crate::postgres::catalog::snapshot::Membership {
                inherit: Some(false),
                set: Some(set),
                ..membership("acme", "acme_ro")
            };
            snapshot.memberships.push(row);
            let (tenant, role) = seen(&snapshot, |_| {});
            said(&repair(&wanted(Access::Owner), &role, &tenant).tried)
        };
        let join = |all: &[String], text: &str| all.iter().position(|one| one.starts_with(text));
        assert_eq!(join(&with(true), "GRANT \"acme\" TO \"acme_ro\""), None);
        let again = with(false);
        let [left, joined] =
            ["REVOKE \"acme\" FROM \"acme_ro\"", "GRANT \"acme\" TO \"acme_ro\""].map(|text| join(&again, text));
        assert!(left.is_some() && left < joined, "{again:?}");
    }

    #[test]
    fn it_is_shut_out_with_the_tenant_and_by_itself() {
        let (tenant, role) = seen(&snapshot(), |_| {});
        let suspended = Desired { goal: Goal::Suspended, ..fixture::desired() };
        let shut = said(&crate::tenant::repair(&suspended, &tenant).needed);
        assert!(shut.contains(&"ALTER ROLE \"acme_ro\" NOLOGIN".to_owned()), "{shut:?}");
        assert!(shut.contains(&"ALTER ROLE \"acme\" NOLOGIN".to_owned()), "{shut:?}");
        let mut resumed = tenant.clone();
        resumed.companions[0].role.login = false;
        let needed = |tenant: &Observed| said(&crate::tenant::repair(&fixture::desired(), tenant).needed);
        assert_eq!(needed(&resumed), ["ALTER ROLE \"acme_ro\" LOGIN"]);
        resumed.companions[0].marker.nologin = true;
        assert_eq!(needed(&resumed), [""; 0]);
        let closed = Wanted { login: false, ..wanted(Access::Read) };
        assert_eq!(repair(&closed, &role, &tenant).needed, shut_out(&"acme_ro".parse().unwrap()));
        // A tenant that has another name now says so of its roles.
        let mut renamed = tenant.clone();
        renamed.companions[0].marker.tenant = "was".to_owned();
        assert_eq!(needed(&renamed), [format!("COMMENT ON ROLE \"acme_ro\" IS '{READY}'")]);
    }

    #[test]
    fn it_ends_with_all_that_it_has_and_what_it_owns_stays() {
        let mut snapshot = snapshot();
        snapshot.dependencies.push(dependency("acme_ro", Some("acme"), "pg_class", "a", 2));
        snapshot.dependencies.push(dependency("acme_ro", None, "pg_database", "a", 1));
        let (tenant, role) = seen(&snapshot, |_| {});
        assert_eq!(owned(&role), BTreeMap::new());
        let ended = said(&remove(&role, &tenant));
        let from = ended.iter().position(|text| text == "REASSIGN OWNED BY \"acme_ro\" TO \"acme\"").unwrap();
        assert_eq!(ended[from + 1], "DROP OWNED BY \"acme_ro\"");
        assert_eq!(ended[ended.len() - 2..], ["ALTER DATABASE \"acme\" CONNECTION LIMIT 15", "DROP ROLE \"acme_ro\""]);
        snapshot.dependencies.push(dependency("acme_ro", Some("other"), "pg_class", "o", 3));
        let (_, role) = seen(&snapshot, |_| {});
        assert_eq!(owned(&role), [("other".to_owned(), 3)].into());
        // With the tenant it goes too, before the role by which it is found.
        let gone = Desired { goal: Goal::Gone, ..fixture::desired() };
        let dropped = said(&crate::tenant::repair(&gone, &tenant).needed);
        let at = |text: &str| dropped.iter().position(|one| one == text);
        assert!(at("DROP DATABASE \"acme\"") < at("DROP ROLE \"acme_ro\""), "{dropped:?}");
        assert!(at("DROP ROLE \"acme_ro\"") < at("DROP ROLE \"acme\""), "{dropped:?}");
        let archived = Desired { goal: Goal::Archived, ..fixture::desired() };
        let kept = said(&crate::tenant::repair(&archived, &tenant).needed);
        assert!(
            kept.iter().any(|text| text.starts_with("ALTER ROLE \"acme_ro\" RENAME TO \"acme_ro_archived_")),
            "{kept:?}"
        );
    }

    #[test]
    fn a_password_is_set_once_and_parameters_are_on_record() {
        let (tenant, role) = seen(&snapshot(), |_| {});
        let verifier = crate::postgres::Verifier::salted(&crate::postgres::Secret::new("hunter2"), "acme_ro", "salt");
        let mut wanted = wanted(Access::Read);
        (wanted.role.password, wanted.role.password_version) = (Password::Set(verifier), Some(1));
        wanted.parameters = [("work_mem".parse().unwrap(), "8MB".to_owned())].into();
        let all = said(&repair(&wanted, &role, &tenant).needed);
        assert!(all[0].starts_with("ALTER ROLE \"acme_ro\" PASSWORD 'SCRAM-SHA-256$"), "{all:?}");
        assert!(
            all[1].contains("\"password_version\":1") && all[1].contains("\"parameters\":[\"work_mem\"]"),
            "{all:?}"
        );
        let tried = said(&repair(&wanted, &role, &tenant).tried);
        assert!(tried.contains(&"ALTER ROLE \"acme_ro\" SET \"work_mem\" = '8MB'".to_owned()), "{tried:?}");
        wanted.role.valid_until = Some("2027-01-31T00:00:00Z".parse().unwrap());
        let Repair { needed, tried } = repair(&wanted, &role, &tenant);
        let until = "ALTER ROLE \"acme_ro\" VALID UNTIL '2027-01-31T00:00:00Z'".to_owned();
        assert!(said(&tried).contains(&until), "{tried:?}");
        assert!(said(&needed)[1].contains("\"valid_until\":\"2027-01-31T00:00:00Z\""), "{needed:?}");
    }
}

//! What a cluster holds of one tenant: where its objects are, and every fact that touches them. What of it is right is said
//! in `charter`.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::catalog::acl::Grant;
use crate::postgres::catalog::inside::{Extension, Inside, Schema};
use crate::postgres::catalog::snapshot::{
    Connected, Database, Dependency, Membership, Placed, Prepared, Role, Server, ServerGrant, Setting, Snapshot,
};
use crate::postgres::fact::{Attribute, DatabaseAttribute, Fact, Kind, Level, Objects};
use crate::postgres::{Authentication, Challenge, DatabaseName, RoleName};

use super::access::Access;
use super::limits::{ADMIN_CONNECTIONS, Limits};
use super::marker::{Marker, Stage, Trace};
use super::names::{Names, TenantName};

/// A fact, and whether this admin may change it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub fact: Fact,
    pub ours: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The names by which it was looked for.
    pub names: Names,
    pub server: Server,
    pub database: Option<Database>,
    pub role: Option<Role>,
    /// The tenant's own role, where `role` is a further one.
    pub own: Option<Role>,
    /// Its further roles, by their markers.
    pub companions: Vec<Companion>,
    /// The roles that somebody else made, and that are let in, as far as they are there.
    pub admitted: BTreeMap<String, Access>,
    /// The roles that the tenant's reaches by memberships, of any length.
    pub reached: BTreeSet<String>,
    /// Those of them that are on record; PostgreSQL's predefined ones are not.
    pub groups: Vec<Role>,
    /// Parameters set for the database, for the role, or for the role in any database.
    pub settings: Vec<Setting>,
    /// Of all parameters that are set anywhere on the server, those that this admin may not set and reset.
    pub privileged: BTreeSet<String>,
    /// How many parameters are set for the role, if not all of them were read.
    pub oversized: Option<u64>,
    /// Of the role and the roles that it reaches in others, and of others in the role.
    pub memberships: Vec<Membership>,
    /// What depends on the role, in every database.
    pub dependencies: Vec<Dependency>,
    /// What depends on its further roles.
    pub of_companions: Vec<Dependency>,
    /// The same of the roles that it reaches, but for the tenant's database.
    pub of_groups: Vec<Dependency>,
    /// What depends on roles other than the tenant's, the admin and the owner, in the tenant's database.
    pub guests: Vec<Dependency>,
    /// Other databases on which the role, or one that it reaches, holds a privilege.
    pub elsewhere: Vec<Database>,
    /// Of the role, and of the roles that it reaches.
    pub server_grants: Vec<ServerGrant>,
    /// Who is connected to the database, or as the role.
    pub connected: Vec<Connected>,
    /// Transactions that were prepared in the database.
    pub prepared: Vec<Prepared>,
    /// What else belongs to the database: replication slots and subscriptions.
    pub attached: Vec<(Kind, Placed)>,
    /// Other objects that carry the tenant's marker.
    pub forged: Vec<Objects>,
    /// What is in the database, or why it was not read.
    pub inside: Result<Inside, String>,
    /// What the server asks of whoever begins to log in as the role, or why that is not known.
    pub login: Result<Authentication, String>,
}

/// A further role of a tenant, with its marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Companion {
    pub role: Role,
    pub marker: Marker,
    pub access: Access,
}

impl Companion {
    fn of(role: &Role) -> Option<Self> {
        let marker = Marker::parse(role.comment.as_deref()).filter(|marker| marker.stage != Stage::Archived)?;
        role.manageable.then_some(Companion { role: role.clone(), access: marker.access?, marker })
    }

    pub fn name(&self) -> Option<RoleName> {
        self.role.name.parse().ok()
    }

    /// Whether it is to log in, unless the tenant is suspended.
    pub fn may_log_in(&self) -> bool {
        self.marker.stage.is_complete() && !self.marker.nologin
    }
}

/// Why the database was not looked into, where nobody tried.
pub const NOT_ENTERED: &str = "its database was not entered";

/// An object that stands where a tenant is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A tenant of that name is there, and complete.
    Tenant(Box<Marker>),
    /// Another tenant has a database or role of that name.
    OtherTenant { object: &'static str, name: String, tenant: String },
    /// The provider did not make it.
    Foreign { object: &'static str, name: String },
}

/// The marker of a database, if only this admin could have written it.
pub fn database_marker(database: &Database) -> Option<Marker> {
    Marker::parse(database.comment.as_deref()).filter(|_| database.owner_usable)
}

/// The marker of a tenant's own role, if only those who administer it could have written it.
pub fn role_marker(role: &Role) -> Option<Marker> {
    any_marker(role).filter(|marker| marker.access.is_none())
}

/// That of a further role too.
pub fn any_marker(role: &Role) -> Option<Marker> {
    Marker::parse(role.comment.as_deref()).filter(|_| role.manageable)
}

/// Whether a role may be a tenant's own.
fn is_own(role: &Role) -> bool {
    Companion::of(role).is_none()
}

impl Observed {
    /// Finds a tenant's objects: those that carry its marker, whatever their name is now, else those
    /// that have its names and carry no other tenant's marker. A marker counts only on an object that
    /// the admin owns or administers, and first on the one of the name that is looked for. A tenant that was renamed
    /// is found by its former name too, until Terraform is known to have heard of the new one.
    pub fn locate(snapshot: &Snapshot, names: &Names) -> Self {
        let trace = Trace::of(&names.tenant);
        let databases = snapshot.databases.iter().filter(|database| {
            let may_be = database.name == names.database.as_str() || trace.is_in(database.comment.as_deref());
            may_be && database.name.parse::<DatabaseName>().is_ok()
        });
        let databases = databases.map(|database| (database.name.as_str(), database_marker(database), database));
        let roles = snapshot.roles.iter().filter(|role| {
            let may_be = role.name == names.role.as_str() || trace.is_in(role.comment.as_deref());
            may_be && is_own(role) && role.name.parse::<RoleName>().is_ok()
        });
        let roles = roles.map(|role| (role.name.as_str(), role_marker(role), role));
        let database = find(databases, &names.tenant, names.database.as_str(), |marker| &marker.database);
        let role = find(roles, &names.tenant, names.role.as_str(), |marker| &marker.role);
        Self::gather(snapshot, names, database, role, None)
    }

    /// A further role of a tenant in the place of the tenant's own: the one of this name, or else the one that had it.
    pub fn companion(snapshot: &Snapshot, tenant: &Observed, role: &RoleName) -> Self {
        let named = tenant.companions.iter().find(|companion| companion.role.name == role.as_str());
        let known = || tenant.companions.iter().find(|companion| companion.marker.role == role.as_str());
        // One that carries no marker any more, or none yet: it is told, or taken over.
        let bare = || snapshot.roles.iter().find(|found| found.name == role.as_str() && any_marker(found).is_none());
        let found = named.or_else(known).map(|companion| &companion.role).or_else(bare);
        let names = Names { role: role.clone(), ..tenant.names.clone() };
        let own = tenant.role.as_ref().map(|role| role.name.as_str());
        let observed = Self::gather(snapshot, &names, tenant.database.as_ref(), found, own);
        Observed {
            own: tenant.role.clone(),
            inside: tenant.inside.clone(),
            companions: tenant.companions.clone(),
            admitted: tenant.admitted.clone(),
            ..observed
        }
    }

    /// `through`: a role of which it is told elsewhere what it reaches.
    fn gather(
        snapshot: &Snapshot,
        names: &Names,
        database: Option<&Database>,
        role: Option<&Role>,
        through: Option<&str>,
    ) -> Self {
        let role_name = role.map(|r| r.name.as_str());
        let database_name = database.map(|d| d.name.as_str());
        let mut reached = role_name.map(|role| reached(snapshot, role, through)).unwrap_or_default();
        reached.retain(|role| Some(role.as_str()) != through);
        let trace = Trace::of(&names.tenant);
        let formerly = role.and_then(role_marker).and_then(|marker| marker.was?.parse().ok());
        let before = formerly.as_ref().map(Trace::of);
        let is_traced =
            |comment: Option<&str>| trace.is_in(comment) || before.as_ref().is_some_and(|before| before.is_in(comment));
        let is_ours = |companion: &Companion| {
            let tenant = companion.marker.tenant.as_str();
            tenant == names.tenant.as_str() || formerly.as_ref().is_some_and(|formerly| tenant == formerly.as_str())
        };
        let companions = snapshot.roles.iter().filter(|role| is_traced(role.comment.as_deref()));
        let companions: Vec<Companion> = companions.filter_map(Companion::of).filter(is_ours).collect();
        let is_companion = |name: &str| companions.iter().any(|companion| companion.role.name == name);
        let at_home = [Some(snapshot.server.admin.as_str()), role_name];
        let carries = |comment: Option<&str>| {
            let is_ours = |marker: Marker| marker.tenant == names.tenant.as_str() && marker.stage != Stage::Archived;
            trace.is_in(comment) && Marker::parse(comment).is_some_and(is_ours)
        };
        let forged_databases = snapshot
            .databases
            .iter()
            .filter(|other| Some(other.name.as_str()) != database_name && carries(other.comment.as_deref()))
            .map(|other| Objects::one(Kind::Database, &other.name));
        let forged_roles = snapshot
            .roles
            .iter()
            .filter(|other| Some(other.name.as_str()) != role_name && carries(other.comment.as_deref()))
            .filter(|other| !is_companion(&other.name))
            .map(|other| Objects::one(Kind::Role, &other.name));
        let attached = |kind: Kind, placed: &[Placed]| -> Vec<(Kind, Placed)> {
            let ours = placed.iter().filter(|placed| Some(placed.database.as_str()) == database_name);
            ours.map(|placed| (kind.clone(), placed.clone())).collect()
        };
        Observed {
            names: names.clone(),
            server: snapshot.server.clone(),
            settings: snapshot
                .settings
                .iter()
                .filter(|setting| match &setting.role {
                    Some(role) => Some(role.as_str()) == role_name,
                    None => setting.database.is_some() && setting.database.as_deref() == database_name,
                })
                .cloned()
                .collect(),
            privileged: snapshot.privileged.clone(),
            oversized: role_name.and_then(|role| snapshot.oversized.get(role)).copied(),
            memberships: snapshot
                .memberships
                .iter()
                .filter(|m| {
                    Some(m.role.as_str()) == role_name
                        || Some(m.member.as_str()) == role_name
                        || reached.contains(&m.member)
                })
                .cloned()
                .collect(),
            guests: snapshot
                .dependencies
                .iter()
                .filter(|dependency| {
                    dependency.database.is_some()
                        && dependency.database.as_deref() == database_name
                        && !at_home.contains(&Some(dependency.role.as_str()))
                })
                .cloned()
                .collect(),
            elsewhere: snapshot
                .databases
                .iter()
                .filter(|other| {
                    let holds = |grantee: &str| Some(grantee) == role_name || reached.contains(grantee);
                    Some(other.name.as_str()) != database_name
                        && other.acl.iter().any(|grant| grant.grantee.as_deref().is_some_and(holds))
                })
                .cloned()
                .collect(),
            dependencies: snapshot
                .dependencies
                .iter()
                .filter(|dependency| Some(dependency.role.as_str()) == role_name)
                .cloned()
                .collect(),
            of_companions: snapshot
                .dependencies
                .iter()
                .filter(|dependency| is_companion(&dependency.role))
                .cloned()
                .collect(),
            of_groups: snapshot
                .dependencies
                .iter()
                .filter(|of| {
                    let is_elsewhere = of.database.is_none() && of.kind == "o"
                        || of.database.is_some() && of.database.as_deref() != database_name;
                    reached.contains(&of.role) && is_elsewhere
                })
                .cloned()
                .collect(),
            server_grants: snapshot
                .server_grants
                .iter()
                .filter(|grant| {
                    let grantee = grant.grantee.as_deref();
                    grantee.is_some_and(|grantee| Some(grantee) == role_name || reached.contains(grantee))
                })
                .cloned()
                .collect(),
            connected: snapshot
                .connected
                .iter()
                .filter(|other| {
                    Some(other.role.as_str()) == role_name
                        || is_companion(&other.role)
                        || other.database.is_some() && other.database.as_deref() == database_name
                })
                .cloned()
                .collect(),
            prepared: snapshot
                .prepared
                .iter()
                .filter(|prepared| Some(prepared.database.as_str()) == database_name)
                .cloned()
                .collect(),
            attached: [
                attached(Kind::ReplicationSlot, &snapshot.slots),
                attached(Kind::Subscription, &snapshot.subscriptions),
            ]
            .concat(),
            forged: forged_databases.chain(forged_roles).collect(),
            groups: snapshot.roles.iter().filter(|group| reached.contains(&group.name)).cloned().collect(),
            reached,
            own: None,
            admitted: role
                .and_then(role_marker)
                .map(|marker| marker.admitted)
                .unwrap_or_default()
                .into_iter()
                .filter(|(role, _)| snapshot.admitted.contains(role))
                .collect(),
            companions,
            database: database.cloned(),
            role: role.cloned(),
            inside: Err(NOT_ENTERED.to_owned()),
            login: Err(NOT_ENTERED.to_owned()),
        }
    }

    /// Finds a tenant by its marker alone. `None` unless both its role and its database are there.
    pub fn find(snapshot: &Snapshot, tenant: &TenantName) -> Option<Self> {
        let observed = Self::locate(snapshot, &Self::marked(snapshot, tenant)?);
        (observed.database.is_some() && observed.role.is_some()).then_some(observed)
    }

    /// The names in a tenant's marker.
    pub(super) fn marked(snapshot: &Snapshot, tenant: &TenantName) -> Option<Names> {
        let trace = Trace::of(tenant);
        let databases = snapshot.databases.iter().filter(|database| trace.is_in(database.comment.as_deref()));
        let roles = snapshot.roles.iter().filter(|role| trace.is_in(role.comment.as_deref()));
        let marked: Vec<Marker> = markers(databases, roles).collect();
        let exact = || marked.iter().find(|marker| marker.tenant == tenant.as_str());
        let former = || marked.iter().find(|marker| marker.is_of(tenant));
        exact().or_else(former)?.names()
    }

    /// What is there of a tenant of that name: all, or its further roles alone.
    pub fn find_or_rest(snapshot: &Snapshot, tenant: &TenantName) -> Self {
        let names = |of: &Marker| of.names().filter(|names| names.tenant == *tenant);
        let rest = || {
            let trace = Trace::of(tenant);
            let roles = snapshot.roles.iter().filter(|role| trace.is_in(role.comment.as_deref()));
            let names = roles.filter_map(any_marker).find_map(|marker| names(&marker));
            let names = names.unwrap_or_else(|| Names::of(tenant));
            Self::gather(snapshot, &names, None, None, None)
        };
        Self::find(snapshot, tenant).unwrap_or_else(rest)
    }

    pub fn database_name(&self) -> Option<DatabaseName> {
        self.database.as_ref()?.name.parse().ok()
    }

    pub fn role_name(&self) -> Option<RoleName> {
        self.role.as_ref()?.name.parse().ok()
    }

    /// Whether this is the tenant's role.
    pub fn is_role(&self, name: &str) -> bool {
        self.role.as_ref().is_some_and(|role| role.name == name)
    }

    /// Whether the tenant's role is a member of any other.
    pub fn is_member(&self) -> bool {
        self.memberships.iter().any(|found| self.is_role(&found.member) && !found.automatic)
    }

    /// Whether the tenant's role is a member of that one, by whosoever's grant.
    pub fn is_member_of(&self, group: &RoleName) -> bool {
        self.memberships.iter().any(|found| found.role == group.as_str() && self.is_role(&found.member))
    }

    pub fn database_marker(&self) -> Option<Marker> {
        database_marker(self.database.as_ref()?)
    }

    /// What people wrote into the comment of the database, as far as it was read.
    pub fn comment(&self) -> &str {
        let comment = self.database.as_ref().and_then(|database| database.comment.as_deref());
        comment.map(Marker::beside).unwrap_or_default()
    }

    pub fn role_marker(&self) -> Option<Marker> {
        any_marker(self.role.as_ref()?)
    }

    /// What a further role of the tenant may do.
    pub fn access_of(&self, role: &str) -> Option<Access> {
        self.companions.iter().find(|companion| companion.role.name == role).map(|companion| companion.access)
    }

    /// What a role that somebody else made may do here.
    pub fn admits(&self, role: &str) -> Option<Access> {
        self.admitted.get(role).copied()
    }

    /// How many connections the further roles may hold.
    pub fn further_connections(&self) -> i32 {
        let limits = self.companions.iter().map(|companion| companion.role.connection_limit.max(0));
        limits.fold(0, i32::saturating_add)
    }

    /// How many connections the database is to have for the admin's own work, as it is on record.
    pub fn admin_connections(&self) -> i32 {
        let marker = self.role_marker().or_else(|| self.database_marker());
        marker.and_then(|marker| marker.admin_connections).unwrap_or(ADMIN_CONNECTIONS)
    }

    /// The limit of the database: what its roles may hold, with `own` for the tenant's own one, and the admin's share of it.
    pub fn database_limit(&self, own: i32, admin: i32) -> i32 {
        if admin < 0 {
            return -1;
        }
        own.saturating_add(self.further_connections()).saturating_add(admin)
    }

    /// The limit of the tenant's own role, as guardrails set it; else the safe one.
    pub fn governed_limit(&self) -> i32 {
        let found = self.role.as_ref().map(|role| role.connection_limit);
        found.filter(|limit| self.is_guarded() && *limit > 0).unwrap_or(Limits::safe().connection_limit)
    }

    /// Whether it is on record that the tenant may make schemas.
    pub fn creates_schemas(&self) -> bool {
        self.role_marker().is_some_and(|marker| marker.creates_schemas)
    }

    /// Whether it is on record that logical replication out of the database is meant.
    pub fn replicates(&self) -> bool {
        self.role_marker().is_some_and(|marker| marker.replicates)
    }

    /// Whether all schemas of the database were read: one that was not seen is not there.
    pub fn sees_all_schemas(&self) -> bool {
        self.inside.as_ref().is_ok_and(|inside| inside.count_of_schemas <= inside.schemas.len() as u64)
    }

    pub fn sees_schema(&self, name: &str) -> bool {
        self.inside.iter().flat_map(|inside| &inside.schemas).any(|schema| schema.name == name)
    }

    /// Whether the tenant's role owns a schema of its database.
    pub fn owns_schema(&self, name: &str) -> bool {
        let owner = self.role.as_ref().map(|role| role.name.as_str());
        let mut schemas = self.inside.iter().flat_map(|inside| &inside.schemas);
        schemas.any(|schema| schema.name == name && Some(schema.owner.as_str()) == owner)
    }

    /// The schemas that are on record as the tenant's, beside the first.
    pub fn recorded_schemas(&self) -> BTreeSet<String> {
        self.role_marker().map(|marker| marker.schemas).unwrap_or_default()
    }

    /// The schemas that extensions are in by intent, beside the one that is there for them: those on record, and those that
    /// control files fix.
    pub fn extension_schemas(&self) -> BTreeSet<String> {
        let recorded = self.role_marker().map(|marker| marker.extension_schemas).unwrap_or_default();
        let all = recorded.into_iter().chain(super::extensions::fixed_schemas(self).map(str::to_owned));
        // One of the tenant's own in which there is an extension all the same is its own.
        let own = self.recorded_schemas();
        all.filter(|schema| !own.contains(schema) && schema != self.names.schema.as_str()).collect()
    }

    /// The schemas that are the tenant's beside the first: those on record, or of what is no tenant yet those in which its role has
    /// something to say. One that an extension lives in is none.
    pub fn further_schemas(&self) -> impl Iterator<Item = &Schema> {
        let first = self.schema(&self.names).map(|schema| schema.name.clone());
        let on_record = self.role_marker().filter(|_| self.is_complete()).map(|marker| marker.schemas);
        let role = self.role.as_ref().map(|role| role.name.as_str());
        let uses = move |schema: &Schema| {
            let holds = |grant: &Grant| grant.grantee.as_deref() == role;
            Some(schema.owner.as_str()) == role || schema.acl.iter().any(holds)
        };
        let extensions = || self.inside.iter().flat_map(|inside| &inside.extensions);
        let is_other = move |schema: &&Schema| match &on_record {
            Some(on_record) => on_record.contains(&schema.name),
            None => {
                Some(&schema.name) != first.as_ref()
                    && schema.name != "public"
                    && !super::names::is_reserved_schema(&schema.name)
                    && !extensions().any(|extension| extension.schema == schema.name)
                    && uses(schema)
            }
        };
        self.inside.iter().flat_map(|inside| &inside.schemas).filter(is_other)
    }

    /// Whether a role is one of those that manage the tenant.
    pub fn manages(&self, role: &str) -> bool {
        let owner = self.database.as_ref().map(|database| database.owner.as_str());
        // An alias of PostgreSQL's for the database's owner.
        role == self.server.admin || role == "pg_database_owner" && owner == Some(&self.server.admin)
    }

    /// The roles that may hold privileges inside the tenant's database.
    pub fn at_home(&self) -> BTreeSet<String> {
        let role = self.role.as_ref().map(|role| role.name.as_str());
        let all = [self.server.admin.as_str(), "pg_database_owner"].into_iter().filter(|role| self.manages(role));
        let companions = self.companions.iter().map(|companion| companion.role.name.as_str());
        all.chain(role).chain(companions).map(str::to_owned).chain(self.admitted.keys().cloned()).collect()
    }

    /// Whether objects are no part of the tenant's database, nor that itself.
    pub fn is_elsewhere(&self, objects: &Objects) -> bool {
        match objects.kind {
            Kind::Database => self.database.as_ref().is_none_or(|database| !objects.is(Kind::Database, &database.name)),
            Kind::Tablespace | Kind::Parameter => true,
            _ => objects.database.is_some(),
        }
    }

    /// Whether this admin may change the database and what it has on record.
    pub fn owns_database(&self) -> bool {
        let own = self.role.as_ref().map(|role| &role.name);
        // As the tenant it acts by a membership, which it has to be able to take.
        self.database
            .as_ref()
            .is_some_and(|database| database.owner_usable || Some(&database.owner) == own && self.alters_role())
    }

    /// Whether this admin may alter the tenant's role.
    pub fn alters_role(&self) -> bool {
        self.server.superuser || self.role.as_ref().is_some_and(|role| role.manageable && !role.superuser)
    }

    /// Whether this admin may act for the owner of something in the tenant's database.
    pub fn acts_for(&self, owner: &str, usable: bool) -> bool {
        let own = self.own.as_ref().or(self.role.as_ref()).filter(|role| role.name == owner);
        usable || own.is_some_and(|role| self.server.superuser || role.manageable && !role.superuser)
    }

    /// Whether the last step of making the tenant was reached.
    pub fn is_complete(&self) -> bool {
        let complete = |marker: Option<Marker>| marker.is_some_and(|marker| marker.stage.is_complete());
        complete(self.database_marker()) && complete(self.role_marker())
    }

    /// Whether it is complete, and Terraform may not have heard of that.
    pub fn is_unclaimed(&self) -> bool {
        self.is_complete() && self.role_marker().is_some_and(|marker| marker.stage == Stage::Made)
    }

    /// Whether it was never complete: there is nothing in it yet.
    pub fn is_half_made(&self) -> bool {
        let begun = |marker: Option<Marker>| marker.is_some_and(|marker| marker.stage == Stage::Creating);
        // One that is open or complete may hold data, whoever lost its role.
        let is_empty = |database: &Database| match database_marker(database) {
            None => !database.allow_connections || database.is_invalid(),
            marker => begun(marker),
        };
        (self.role.is_none() || begun(self.role_marker()))
            && self.database.as_ref().map_or(self.role.is_some(), is_empty)
    }

    /// Whether a database that people use is being made a tenant's.
    pub fn is_adopted(&self) -> bool {
        let in_use = self.database.as_ref().is_some_and(|database| database.allow_connections);
        let is_new = |marker: Marker| marker.stage == Stage::Creating;
        in_use && self.database_marker().is_none() && self.role_marker().is_none_or(is_new)
    }

    /// Whether a `pgtenant_guardrails` says what the limits are.
    pub fn is_guarded(&self) -> bool {
        self.role_marker().is_some_and(|marker| marker.guardrails)
    }

    /// Whether this admin may set and reset a parameter that is set somewhere, where it may alter the role or the database.
    pub fn may_set(&self, parameter: &str) -> bool {
        self.server.superuser || !self.privileged.iter().any(|name| name.eq_ignore_ascii_case(parameter))
    }

    /// Whether the database could be entered.
    pub fn is_enterable(&self) -> bool {
        let enterable = |database: &Database| database.connectable && !database.is_invalid();
        self.database.as_ref().is_some_and(enterable)
    }

    /// Whether nothing but a `DROP DATABASE` helps.
    pub fn is_invalid(&self) -> bool {
        self.database.as_ref().is_some_and(Database::is_invalid)
    }

    /// Whether anything of the tenant is there.
    pub fn exists(&self) -> bool {
        self.database.is_some() || self.role.is_some()
    }

    /// Who is connected to the database.
    pub fn in_database(&self) -> impl Iterator<Item = &Connected> {
        let database = self.database.as_ref().map(|database| database.name.as_str());
        self.connected.iter().filter(move |other| database.is_some() && other.database.as_deref() == database)
    }

    /// Who is connected as the role.
    pub fn as_role(&self) -> impl Iterator<Item = &Connected> {
        let role = self.role.as_ref().map(|role| role.name.as_str());
        self.connected.iter().filter(move |other| Some(other.role.as_str()) == role)
    }

    /// The tenant's schema, if the database was entered: the one that carries the tenant's marker,
    /// else the one of the name that it was looked for by, or is to have.
    pub fn schema(&self, wanted: &Names) -> Option<&Schema> {
        let schemas = &self.inside.as_ref().ok()?.schemas;
        let both = [&self.names, wanted];
        let role = self.role.as_ref().map(|role| role.name.as_str());
        let marked = |schema: &&Schema| {
            schema.owner_usable
                && Some(schema.owner.as_str()) != role
                && Marker::parse(schema.comment.as_deref())
                    .is_some_and(|marker| both.iter().any(|names| marker.tenant == names.tenant.as_str()))
        };
        let named = |names: &Names| schemas.iter().find(|schema| schema.name == names.schema.as_str());
        schemas.iter().find(marked).or_else(|| named(&self.names)).or_else(|| named(wanted))
    }

    /// The setting of a parameter at one level. `database` and `role` are `None` for "any".
    pub fn setting(&self, database: Option<&str>, role: Option<&str>, name: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| {
            setting.database.as_deref() == database
                && setting.role.as_deref() == role
                && setting.name.eq_ignore_ascii_case(name)
        })
    }

    /// What the server showed of the password when it was put on record. Of a role without a password it makes something up
    /// from the role's name: that is of no use once it was renamed.
    pub fn recorded(&self) -> Option<Challenge> {
        let marker = self.role_marker()?;
        let is_current = marker.password_version.is_some() || marker.role == self.role.as_ref()?.name;
        marker.password.filter(|_| is_current)
    }

    /// Whether the password is another than the one that was set last; `None` if that cannot be told.
    pub fn password_changed(&self) -> Option<bool> {
        // Of an expired password the server shows what it shows of none.
        let set = self.recorded().filter(|_| self.role.as_ref().is_some_and(|role| !role.expired))?;
        match self.login.as_ref().ok()? {
            Authentication::Scram(shown) => Some(*shown != set),
            Authentication::WrongPassword | Authentication::Md5 => Some(true),
            _ => None,
        }
    }

    /// What the server shows of the password to whoever begins to log in.
    pub fn challenge(&self) -> Option<Challenge> {
        match &self.login {
            Ok(Authentication::Scram(challenge)) => Some(challenge.clone()),
            _ => None,
        }
    }

    /// Whether a tenant of these names may be made here: nothing stands there yet, or a half-made
    /// tenant of that name does, or a complete one of just this description that no Terraform state is known to have.
    pub fn conflict(&self, snapshot: &Snapshot, names: &Names) -> Option<Conflict> {
        if let Some(marker) = self.database_marker().filter(|_| self.is_complete())
            && (!self.is_unclaimed() || marker.names().as_ref() != Some(names) || marker.was.is_some())
        {
            return Some(Conflict::Tenant(Box::new(marker)));
        }
        // The role is made first and carries the marker: whatever is closed and of the name that
        // the marker holds was made by the same, unfinished run.
        let begun = self.role_marker().is_some_and(|marker| marker.tenant == names.tenant.as_str());
        let role = snapshot.roles.iter().find(|role| role.name == names.role.as_str());
        if let Some(role) = role
            && self.role_marker().is_none_or(|_| self.role.as_ref() != Some(role))
        {
            return Some(occupied("role", &role.name, any_marker(role)));
        }
        let database = snapshot.databases.iter().find(|database| database.name == names.database.as_str());
        if let Some(database) = database {
            let ours = self.database.as_ref() == Some(database)
                && (self.database_marker().is_some() || begun && !database.allow_connections);
            if !ours {
                return Some(occupied("database", &database.name, database_marker(database)));
            }
        }
        None
    }

    /// Everything that touches the tenant, as far as it was read. Nothing where the role or the database is missing: there is
    /// nothing to hold together then.
    pub fn facts(&self) -> Vec<Seen> {
        let (Some(database), Some(role)) = (&self.database, &self.role) else { return Vec::new() };
        let mut seen = Facts { observed: self, database, role, seen: Vec::new() };
        seen.of_role();
        seen.of_memberships();
        seen.of_database();
        seen.of_parameters();
        seen.of_elsewhere();
        seen.of_guests();
        match &self.inside {
            Ok(inside) => seen.of_inside(inside),
            Err(_) => seen.of_outside(),
        }
        let mut seen = seen.seen;
        seen.sort();
        seen.dedup();
        seen
    }
}

/// The facts of a tenant, gathered one source after the other.
struct Facts<'a> {
    observed: &'a Observed,
    database: &'a Database,
    role: &'a Role,
    seen: Vec<Seen>,
}

impl Facts<'_> {
    fn push(&mut self, fact: Fact, ours: bool) {
        self.seen.push(Seen { fact, ours });
    }

    fn of_role(&mut self) {
        let name = &self.role.name;
        self.push(Fact::Present(Objects::one(Kind::Role, name)), true);
        let attribute = |role: &Role, attribute| Fact::Attribute { role: role.name.clone(), attribute };
        for (held, which) in attributes(self.role) {
            // The last three take a superuser to change, even where nothing would change.
            let takes_superuser = matches!(which, Attribute::Superuser | Attribute::Replication | Attribute::BypassRls);
            let ours = self.observed.server.superuser || self.observed.alters_role() && !takes_superuser;
            if held {
                self.push(attribute(self.role, which), ours);
            }
        }
        self.push(
            attribute(self.role, Attribute::ConnectionLimit(self.role.connection_limit)),
            self.observed.alters_role(),
        );
        if let Some(time) = &self.role.valid_until {
            self.push(attribute(self.role, Attribute::ValidUntil(time.clone())), self.observed.alters_role());
        }
        for group in &self.observed.groups {
            let gained = attributes(group).into_iter().filter(|(held, which)| *held && *which != Attribute::Inherit);
            for (_, which) in gained {
                self.push(attribute(group, which), false);
            }
        }
        if let Some(version) = self.observed.role_marker().and_then(|marker| marker.password_version) {
            self.push(Fact::Password { role: name.clone(), version }, true);
        }
        if self.observed.password_changed() == Some(true) {
            self.push(Fact::ForeignPassword { role: name.clone() }, self.observed.alters_role());
        }
        if let Some(marker) = self.role.comment.as_deref().and_then(Marker::line) {
            let objects = Objects::one(Kind::Role, name);
            self.push(Fact::Marker { objects, text: marker.to_owned() }, self.observed.alters_role());
        }
        for objects in self.observed.forged.clone() {
            self.push(Fact::Marker { objects, text: String::new() }, false);
        }
    }

    fn of_memberships(&mut self) {
        for membership in self.observed.memberships.iter().filter(|membership| !membership.automatic) {
            let options = membership.options();
            let (role, member) = (membership.role.clone(), membership.member.clone());
            let direct = [&role, &member].contains(&&self.role.name);
            self.push(Fact::Membership { role, member, options }, direct && membership.revocable);
        }
    }

    fn of_database(&mut self) {
        let Database { name, owner, acl, comment, .. } = self.database;
        let ours = self.observed.owns_database();
        self.push(Fact::Present(Objects::one(Kind::Database, name)), ours);
        self.push(Fact::Owner { objects: Objects::one(Kind::Database, name), owner: owner.clone() }, ours);
        let attributes = [
            (self.database.is_invalid(), DatabaseAttribute::Invalid),
            (!self.database.allow_connections && !self.database.is_invalid(), DatabaseAttribute::Closed),
            (self.database.is_template, DatabaseAttribute::Template),
            (!self.database.is_invalid(), DatabaseAttribute::ConnectionLimit(self.database.connection_limit)),
        ];
        for (held, attribute) in attributes {
            if held {
                self.push(Fact::Database { database: name.clone(), attribute }, ours);
            }
        }
        for grant in acl {
            // An owner has every privilege.
            if grant.grantee.as_ref() != Some(owner) {
                self.push(granted(Objects::one(Kind::Database, name), grant), ours);
            }
        }
        if let Some(marker) = comment.as_deref().and_then(Marker::line) {
            let objects = Objects::one(Kind::Database, name);
            self.push(Fact::Marker { objects, text: marker.to_owned() }, ours);
        }
        for (kind, placed) in &self.observed.attached {
            self.push(Fact::Present(Objects::one(kind.clone(), &placed.name)), false);
        }
    }

    fn of_parameters(&mut self) {
        for setting in &self.observed.settings {
            let level = match (&setting.role, &setting.database) {
                (Some(role), Some(database)) => Level::RoleInDatabase(role.clone(), database.clone()),
                (Some(role), None) => Level::Role(role.clone()),
                (None, Some(database)) => Level::Database(database.clone()),
                (None, None) => Level::Everything,
            };
            let allowed =
                if setting.role.is_some() { self.observed.alters_role() } else { self.observed.owns_database() };
            let ours = allowed && self.observed.may_set(&setting.name);
            self.push(Fact::Parameter { level, name: setting.name.clone(), value: setting.text() }, ours);
        }
        if let Some(count) = self.observed.oversized {
            self.push(Fact::ManyParameters { role: self.role.name.clone(), count }, self.observed.alters_role());
        }
    }

    fn of_elsewhere(&mut self) {
        for other in &self.observed.elsewhere {
            let reached = &self.observed.reached;
            let holds = |grantee: &String| *grantee == self.role.name || reached.contains(grantee);
            for grant in other.acl.iter().filter(|grant| grant.grantee.as_ref().is_some_and(holds)) {
                let ours = other.owner_usable && grant.grantee.as_ref() == Some(&self.role.name);
                self.push(granted(Objects::one(Kind::Database, &other.name), grant), ours);
            }
        }
        for grant in &self.observed.server_grants {
            let kind = if grant.class == "tablespace" { Kind::Tablespace } else { Kind::Parameter };
            let fact = Fact::Grant {
                objects: Objects::one(kind, &grant.name),
                grantee: grant.grantee.clone(),
                privilege: grant.privilege.clone(),
                grantable: grant.grantable,
            };
            // What a group holds is not the tenant's alone.
            self.push(fact, grant.owner_usable && grant.grantee.as_ref() == Some(&self.role.name));
        }
        for dependency in &self.observed.dependencies {
            let kind = Kind::of_catalog(&dependency.class);
            let owns = dependency.kind == "o";
            let mut objects = Objects::many(kind.clone(), dependency.count);
            objects.original = dependency.original;
            match &dependency.database {
                Some(place) if *place != self.database.name => objects = objects.within(place),
                // Its own database is told by its owner, and what it holds on shared objects by their privileges.
                None if owns && kind == Kind::Database && self.database.owner == self.role.name => {
                    objects.count -= 1;
                    if objects.count == 0 {
                        continue;
                    }
                }
                // What it owns and holds in its own database is seen from inside, if that was read.
                Some(_) if owns && kind == Kind::Schema && self.observed.inside.is_ok() => continue,
                _ if !owns => continue,
                _ => {}
            }
            let fact = if owns {
                Fact::Owner { objects, owner: self.role.name.clone() }
            } else {
                held(objects, Some(&self.role.name))
            };
            self.push(fact, false);
        }
        for dependency in &self.observed.of_groups {
            let objects = Objects::many(Kind::of_catalog(&dependency.class), dependency.count);
            let objects = Objects { database: dependency.database.clone(), ..objects };
            let fact = match dependency.kind.as_str() {
                "o" => Fact::Owner { objects, owner: dependency.role.clone() },
                _ => held(objects, Some(&dependency.role)),
            };
            self.push(fact, false);
        }
    }

    /// What strangers own in the database; what they were granted is seen from inside, if that was read.
    fn of_guests(&mut self) {
        for guest in &self.observed.guests {
            let mut objects = Objects::many(Kind::of_catalog(&guest.class), guest.count);
            objects.original = guest.original;
            match guest.kind.as_str() {
                "o" => self.push(Fact::Owner { objects, owner: guest.role.clone() }, false),
                "r" => self.push(Fact::Policy { role: guest.role.clone(), count: guest.count }, false),
                "a" if self.observed.inside.is_err() => {
                    let ours = !guest.original;
                    self.push(held(objects, Some(&guest.role)), ours);
                }
                _ => {}
            }
        }
    }

    fn of_inside(&mut self, inside: &Inside) {
        for schema in &inside.schemas {
            let objects = || Objects::one(Kind::Schema, &schema.name);
            let ours = self.observed.acts_for(&schema.owner, schema.owner_usable);
            // What somebody made is not dropped.
            self.push(Fact::Present(objects()), false);
            self.push(Fact::Owner { objects: objects(), owner: schema.owner.clone() }, ours);
            for grant in &schema.acl {
                self.push(granted(objects(), grant), ours);
            }
            // Of a schema that it made a tenant says what it likes.
            let is_first = schema.name == self.observed.names.schema.as_str();
            if let Some(comment) = &schema.comment
                && (is_first || schema.owner != self.role.name)
                && Marker::parse(Some(comment)).is_some()
                && let Some(marker) = Marker::line(comment)
            {
                self.push(Fact::Marker { objects: objects(), text: marker.to_owned() }, ours);
            }
        }
        if inside.count_of_schemas > inside.schemas.len() as u64 {
            self.push(Fact::ManySchemas { count: inside.count_of_schemas }, false);
        }
        for extension in &inside.extensions {
            let Extension { name, version, schema, .. } = extension.clone();
            let fact = Fact::Extension { name, version, schema };
            self.push(fact, extension.owner_usable);
        }
        for grant in &inside.grants {
            let objects = Objects {
                kind: Kind::of_letter(&grant.kind),
                database: None,
                schema: grant.schema.clone(),
                names: grant.names.clone(),
                count: grant.count,
                original: grant.original,
            };
            let fact = Fact::Grant {
                objects,
                grantee: grant.grantee.clone(),
                privilege: grant.privilege.clone(),
                grantable: grant.grantable,
            };
            self.push(fact, self.observed.acts_for(&grant.owner, grant.owner_usable));
        }
        if inside.groups_of_grants > inside.grants.len() as u64 {
            self.push(Fact::ManyGrants { count: inside.groups_of_grants }, true);
        }
        for owner in &inside.owners {
            let kind = if owner.definer { Kind::DefinerRoutine } else { Kind::of_catalog(&owner.class) };
            let (names, original) = (owner.names.clone(), owner.original);
            let objects = Objects { names, original, ..Objects::many(kind, owner.count) };
            self.push(Fact::Owner { objects, owner: owner.owner.clone() }, false);
        }
        for default in &inside.defaults {
            let fact = Fact::DefaultGrant {
                owner: default.owner.clone(),
                schema: default.schema.clone(),
                kind: Kind::of_letter(&default.kind),
                grantee: default.grantee.clone(),
                privileges: default.privileges.clone(),
            };
            self.push(fact, self.observed.acts_for(&default.owner, default.owner_usable));
        }
        for thing in &inside.things {
            self.push(Fact::Present(Objects::one(Kind::of_catalog(&thing.class), &thing.name)), false);
        }
    }

    /// What the shared catalogs tell of the inside: what the role was granted on PostgreSQL's own objects, and whether its
    /// schemas are there.
    fn of_outside(&mut self) {
        let home = |dependency: &&Dependency| {
            dependency.kind == "a" && dependency.database.as_ref() == Some(&self.database.name)
        };
        let own: Vec<Dependency> = self.observed.dependencies.iter().filter(home).cloned().collect();
        let mut schemas = 0;
        for dependency in own {
            let kind = Kind::of_catalog(&dependency.class);
            if dependency.original {
                let objects = Objects { original: true, ..Objects::many(kind, dependency.count) };
                self.push(held(objects, Some(&self.role.name)), false);
            } else if kind == Kind::Schema {
                schemas += dependency.count;
            }
        }
        // Of those on which the role has privileges, the first are taken for its own, the next for the extensions'.
        let (others, extended) = (self.observed.recorded_schemas(), self.observed.extension_schemas());
        let expected = [self.observed.names.schema.as_str()].into_iter().chain(others.iter().map(String::as_str));
        let extended = extended.iter().map(String::as_str);
        for (number, schema) in (1..).zip(expected.chain(extended).chain([super::names::EXTENSIONS_SCHEMA])) {
            if schemas >= number {
                self.push(Fact::Present(Objects::one(Kind::Schema, schema)), true);
            }
        }
    }
}

/// What a role may be, and whether it is.
fn attributes(role: &Role) -> [(bool, Attribute); 6] {
    [
        (role.create_database, Attribute::CreateDb),
        (role.create_role, Attribute::CreateRole),
        (role.inherit, Attribute::Inherit),
        (role.superuser, Attribute::Superuser),
        (role.replication, Attribute::Replication),
        (role.bypass_rls, Attribute::BypassRls),
    ]
}

fn granted(objects: Objects, grant: &Grant) -> Fact {
    Fact::Grant {
        objects,
        grantee: grant.grantee.clone(),
        privilege: grant.privilege.clone(),
        grantable: grant.grantable,
    }
}

/// Privileges that are known by their number only.
fn held(objects: Objects, grantee: Option<&str>) -> Fact {
    Fact::Grant { objects, grantee: grantee.map(str::to_owned), privilege: "privileges".to_owned(), grantable: false }
}

/// The roles that one reaches by memberships, without itself.
fn reached(snapshot: &Snapshot, role: &str, through: Option<&str>) -> BTreeSet<String> {
    let mut reached = BTreeSet::from([role]);
    let mut next = vec![role];
    while let Some(member) = next.pop() {
        if Some(member) == through {
            continue;
        }
        for membership in snapshot.memberships.iter().filter(|m| m.member == member && !m.automatic) {
            if reached.insert(&membership.role) {
                next.push(&membership.role);
            }
        }
    }
    reached.remove(role);
    reached.into_iter().map(str::to_owned).collect()
}

/// Every tenant that a snapshot holds, by its markers, half-made ones included.
pub fn tenants(snapshot: &Snapshot) -> BTreeMap<String, Names> {
    let markers = markers(snapshot.databases.iter(), snapshot.roles.iter());
    markers.filter_map(|marker| Some((marker.names()?.tenant.to_string(), marker.names()?))).collect()
}

/// Where one tenant is. Either may be missing of a half-made one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub role: Option<&'a Role>,
    /// Its further roles.
    pub companions: Vec<&'a Role>,
    pub database: Option<&'a Database>,
}

impl<'a> Place<'a> {
    /// All its roles.
    pub fn roles(&self) -> impl Iterator<Item = &'a Role> {
        self.role.into_iter().chain(self.companions.iter().copied())
    }
}

/// Every tenant that a snapshot holds, and where: what [`Observed::locate`] finds, for all at once.
pub fn places(snapshot: &Snapshot) -> BTreeMap<String, Place<'_>> {
    let own = snapshot.roles.iter().filter(|role| is_own(role));
    let roles = Found::new(own.map(|role| (role.name.as_str(), role_marker(role), role)));
    let databases = Found::new(
        snapshot.databases.iter().map(|database| (database.name.as_str(), database_marker(database), database)),
    );
    let mut companions: BTreeMap<String, Vec<&Role>> = BTreeMap::new();
    for role in &snapshot.roles {
        if let Some(companion) = Companion::of(role) {
            companions.entry(companion.marker.tenant).or_default().push(role);
        }
    }
    let place = |(tenant, names): (String, Names)| {
        let role = roles.of(&tenant, names.role.as_str());
        let database = databases.of(&tenant, names.database.as_str());
        let companions = companions.remove(&tenant).unwrap_or_default();
        (tenant, Place { role, companions, database })
    };
    tenants(snapshot).into_iter().map(place).collect()
}

/// The object of a tenant, of one class: with the name that each has, its marker, and itself. `own` is the name in a marker.
fn find<'a, T>(
    objects: impl Iterator<Item = (&'a str, Option<Marker>, &'a T)> + Clone,
    tenant: &TenantName,
    name: &str,
    own: fn(&Marker) -> &str,
) -> Option<&'a T> {
    // What is archived is nobody's; what was only begun to be is still the tenant's.
    let is_ours = |at: &str, marker: &Marker| {
        marker.is_of(tenant) && (marker.stage != Stage::Archived || at == name && own(marker) != at)
    };
    let marked = || {
        let ours = |(at, marker, object): (&'a str, Option<Marker>, &'a T)| {
            marker.filter(|marker| is_ours(at, marker)).map(|marker| (at, marker, object))
        };
        objects.clone().filter_map(ours)
    };
    let found = marked()
        .find(|(at, ..)| *at == name)
        .or_else(|| marked().find(|(_, marker, _)| marker.tenant == tenant.as_str()))
        .or_else(|| marked().next());
    let free = || objects.clone().find(|(at, marker, _)| *at == name && marker.is_none());
    found.map(|(.., object)| object).or_else(|| free().map(|(.., object)| object))
}

/// Objects by the tenant whose marker they carry, and those without a marker by their name.
struct Found<'a, T> {
    marked: BTreeMap<String, &'a T>,
    free: BTreeMap<&'a str, &'a T>,
}

impl<'a, T> Found<'a, T> {
    fn new(objects: impl Iterator<Item = (&'a str, Option<Marker>, &'a T)>) -> Self {
        let mut found = Found { marked: BTreeMap::new(), free: BTreeMap::new() };
        for (name, marker, object) in objects {
            match marker {
                Some(marker) if marker.stage == Stage::Archived => {}
                Some(marker) => drop(found.marked.entry(marker.tenant).or_insert(object)),
                None => drop(found.free.insert(name, object)),
            }
        }
        found
    }

    fn of(&self, tenant: &str, name: &str) -> Option<&'a T> {
        self.marked.get(tenant).or_else(|| self.free.get(name)).copied()
    }
}

/// Those that count, of tenants that are not archived. Of databases before roles: theirs are written last when names change.
fn markers<'a>(
    databases: impl Iterator<Item = &'a Database>,
    roles: impl Iterator<Item = &'a Role>,
) -> impl Iterator<Item = Marker> {
    let all = databases.filter_map(database_marker).chain(roles.filter_map(role_marker));
    all.filter(|marker| marker.stage != Stage::Archived)
}

fn occupied(object: &'static str, name: &str, marker: Option<Marker>) -> Conflict {
    let name = name.to_owned();
    match marker {
        Some(marker) => Conflict::OtherTenant { object, name, tenant: marker.tenant },
        None => Conflict::Foreign { object, name },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::fixture::{self, dependency, grant, membership, names_of, setting};

    fn text(tenant: &str, stage: Stage) -> Option<String> {
        Some(fixture::marker(&names_of(tenant), stage).text())
    }

    /// A database of a name, with the marker of a tenant.
    fn database(name: &str, tenant: &str, stage: Stage) -> Database {
        fixture::database(name, text(tenant, stage))
    }

    fn role(name: &str, tenant: &str, stage: Stage) -> Role {
        fixture::role(name, text(tenant, stage))
    }

    fn foreign_database(database: Database) -> Database {
        Database { owner_usable: false, ..database }
    }

    fn foreign_role(role: Role) -> Role {
        Role { manageable: false, ..role }
    }

    fn cluster(databases: Vec<Database>, roles: Vec<Role>) -> Snapshot {
        Snapshot { databases, roles, ..fixture::bare() }
    }

    /// Where `acme` is found to be in a cluster: its database and its role, and what else carries its marker.
    #[track_caller]
    fn check(databases: Vec<Database>, roles: Vec<Role>, found: (Option<&str>, Option<&str>), forged: &[&str]) {
        let snapshot = cluster(databases, roles);
        let observed = Observed::locate(&snapshot, &names_of("acme"));
        let database = observed.database.as_ref().map(|database| database.name.as_str());
        let role = observed.role.as_ref().map(|role| role.name.as_str());
        assert_eq!((database, role), found);
        assert_eq!(observed.forged.iter().map(ToString::to_string).collect::<Vec<_>>(), forged);
        // All at once, the same is found of those that have a marker.
        if let Some(place) = places(&snapshot).get("acme") {
            assert_eq!(place.database.map(|database| database.name.as_str()), database);
            assert_eq!(place.role.map(|role| role.name.as_str()), role);
        }
        let whole = database.is_some() && role.is_some() && tenants(&snapshot).contains_key("acme");
        assert_eq!(Observed::find(&snapshot, &"acme".parse().unwrap()).is_some(), whole);
    }

    #[test]
    fn a_tenant_is_found_by_its_marker_else_by_its_names() {
        use Stage::{Archived, Creating, Ready};
        let both = (Some("acme"), Some("acme"));
        check(vec![], vec![], (None, None), &[]);
        check(vec![database("acme", "acme", Ready)], vec![role("acme", "acme", Ready)], both, &[]);
        // Somebody renamed it.
        check(
            vec![database("acme_old", "acme", Ready), fixture::database("other", None)],
            vec![role("r", "acme", Ready)],
            (Some("acme_old"), Some("r")),
            &[],
        );
        // The marker counts more than the name.
        check(
            vec![fixture::database("acme", None), database("acme_old", "acme", Ready)],
            vec![fixture::role("acme", None), role("acme_old", "acme", Ready)],
            (Some("acme_old"), Some("acme_old")),
            &[],
        );
        // Half-made: the role is marked first.
        check(vec![], vec![role("acme", "acme", Creating)], (None, Some("acme")), &[]);
        check(vec![fixture::database("acme", None)], vec![role("acme", "acme", Creating)], both, &[]);
        check(vec![fixture::database("acme", Some("ours".to_owned()))], vec![], (Some("acme"), None), &[]);
        // What another tenant has is not this one's, whatever it is called.
        check(vec![database("acme", "globex", Ready)], vec![role("acme", "globex", Ready)], (None, None), &[]);
        // Archived.
        check(
            vec![database("acme_archived", "acme", Archived), database("acme", "acme", Archived)],
            vec![role("acme", "acme", Archived)],
            (None, None),
            &[],
        );
    }

    #[test]
    fn a_marker_counts_only_where_the_admin_could_have_written_it() {
        use Stage::Ready;
        let forged_database = || foreign_database(database("forged", "acme", Ready));
        let forged_role = || foreign_role(role("forged", "acme", Ready));
        check(
            vec![forged_database(), database("acme", "acme", Ready)],
            vec![forged_role(), role("acme", "acme", Ready)],
            (Some("acme"), Some("acme")),
            &["database forged", "role forged"],
        );
        check(vec![forged_database()], vec![forged_role()], (None, None), &["database forged", "role forged"]);
        // Where the tenant's own was taken by another admin, it goes by its name.
        check(
            vec![foreign_database(database("acme", "acme", Ready)), database("twin", "acme", Ready)],
            vec![foreign_role(role("acme", "acme", Ready)), role("twin", "acme", Ready)],
            (Some("twin"), Some("twin")),
            &["database acme", "role acme"],
        );
        check(
            vec![foreign_database(database("acme", "acme", Ready))],
            vec![foreign_role(role("acme", "acme", Ready))],
            (Some("acme"), Some("acme")),
            &[],
        );
        check(
            vec![foreign_database(database("acme", "globex", Ready))],
            vec![foreign_role(role("acme", "globex", Ready))],
            (Some("acme"), Some("acme")),
            &[],
        );
    }

    #[test]
    fn of_two_with_one_marker_the_one_of_the_name_counts_and_the_other_is_told() {
        use Stage::Ready;
        let snapshot = cluster(
            vec![database("aaa", "acme", Ready), database("acme", "acme", Ready)],
            vec![role("aaa", "acme", Ready), role("acme", "acme", Ready)],
        );
        let observed = Observed::locate(&snapshot, &names_of("acme"));
        assert_eq!(observed.database.as_ref().unwrap().name, "acme");
        assert_eq!(observed.role.as_ref().unwrap().name, "acme");
        let forged = observed
            .facts()
            .into_iter()
            .filter(|seen| matches!(&seen.fact, Fact::Marker { text, .. } if text.is_empty()));
        let forged: Vec<_> = forged.map(|seen| (seen.fact.to_string(), seen.ours)).collect();
        let told = |objects: &str| (format!("{objects} aaa carries a tenant's marker"), false);
        assert_eq!(forged, [told("role"), told("database")]);
    }

    #[test]
    fn names_that_are_no_identifiers_are_not_looked_at() {
        let snapshot =
            cluster(vec![database("ac\nme", "acme", Stage::Ready)], vec![role(&"x".repeat(64), "acme", Stage::Ready)]);
        let observed = Observed::locate(&snapshot, &names_of("acme"));
        assert_eq!((observed.database, observed.role), (None, None));
        // A marker that names what cannot be is nobody's.
        let mut marker = fixture::marker(&names_of("acme"), Stage::Ready);
        marker.schema = String::new();
        let snapshot = cluster(vec![fixture::database("acme", Some(marker.text()))], vec![]);
        assert_eq!(tenants(&snapshot), BTreeMap::new());
        assert_eq!(Observed::find(&snapshot, &"acme".parse().unwrap()), None);
    }

    #[test]
    fn every_tenant_is_listed_once_by_the_names_of_its_database() {
        use Stage::{Archived, Creating, Ready};
        let renamed = fixture::marker(&Names { schema: "main".parse().unwrap(), ..names_of("acme") }, Ready).text();
        let snapshot = cluster(
            vec![
                fixture::database("acme", Some(renamed)),
                database("old", "initech", Archived),
                foreign_database(database("forged", "hooli", Ready)),
            ],
            vec![role("acme", "acme", Ready), role("globex", "globex", Creating)],
        );
        let listed = tenants(&snapshot);
        assert_eq!(listed.keys().map(String::as_str).collect::<Vec<_>>(), ["acme", "globex"]);
        let places = places(&snapshot);
        assert_eq!(places.keys().map(String::as_str).collect::<Vec<_>>(), ["acme", "globex"]);
        assert!(places["globex"].database.is_none() && places["globex"].role.is_some());
        let found = Observed::find(&snapshot, &"acme".parse().unwrap()).unwrap();
        assert!(["app", "main"].contains(&found.names.schema.as_str()));
    }

    fn conflict(snapshot: &Snapshot) -> Option<Conflict> {
        let names = names_of("acme");
        Observed::locate(snapshot, &names).conflict(snapshot, &names)
    }

    /// What stands in the way of making `acme`, in short.
    #[track_caller]
    fn check_conflict(databases: Vec<Database>, roles: Vec<Role>, expected: &str) {
        let found = match conflict(&cluster(databases, roles)) {
            None => "free".to_owned(),
            Some(Conflict::Tenant(marker)) => format!("tenant {}", marker.tenant),
            Some(Conflict::OtherTenant { object, name, tenant }) => format!("{object} {name} of {tenant}"),
            Some(Conflict::Foreign { object, name }) => format!("foreign {object} {name}"),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn a_tenant_is_made_only_where_nothing_stands_but_its_own_half() {
        use Stage::{Archived, Creating, Ready};
        let closed = |database: Database| Database { allow_connections: false, ..database };
        let plain = || fixture::database("acme", None);
        check_conflict(vec![], vec![], "free");
        check_conflict(vec![database("acme", "acme", Ready)], vec![role("acme", "acme", Ready)], "tenant acme");
        check_conflict(vec![database("x", "acme", Ready)], vec![role("y", "acme", Ready)], "tenant acme");
        // Half-made ones are finished.
        check_conflict(vec![], vec![role("acme", "acme", Creating)], "free");
        check_conflict(vec![closed(plain())], vec![role("acme", "acme", Creating)], "free");
        check_conflict(vec![database("acme", "acme", Creating)], vec![role("acme", "acme", Creating)], "free");
        check_conflict(vec![database("acme", "acme", Ready)], vec![role("acme", "acme", Creating)], "free");
        check_conflict(vec![database("acme", "acme", Creating)], vec![role("acme", "acme", Ready)], "free");
        check_conflict(vec![database("acme", "acme", Creating)], vec![], "free");
        // An open database without a marker is somebody's, whoever began.
        check_conflict(vec![plain()], vec![role("acme", "acme", Creating)], "foreign database acme");
        check_conflict(vec![closed(plain())], vec![], "foreign database acme");
        check_conflict(vec![plain()], vec![], "foreign database acme");
        check_conflict(vec![], vec![fixture::role("acme", None)], "foreign role acme");
        check_conflict(vec![closed(plain())], vec![fixture::role("acme", None)], "foreign role acme");
        // Another tenant's.
        check_conflict(vec![database("acme", "globex", Ready)], vec![], "database acme of globex");
        check_conflict(vec![], vec![role("acme", "globex", Ready)], "role acme of globex");
        check_conflict(
            vec![closed(database("acme", "globex", Creating))],
            vec![role("acme", "acme", Creating)],
            "database acme of globex",
        );
        check_conflict(
            vec![database("acme_old", "acme", Ready), database("acme", "globex", Ready)],
            vec![role("acme", "acme", Creating)],
            "database acme of globex",
        );
        check_conflict(
            vec![],
            vec![role("acme_old", "acme", Creating), role("acme", "globex", Ready)],
            "role acme of globex",
        );
        check_conflict(
            vec![],
            vec![role("acme_old", "acme", Creating), fixture::role("acme", None)],
            "foreign role acme",
        );
        check_conflict(vec![database("acme", "acme", Archived)], vec![], "database acme of acme");
        // A marker that this admin could not have written is none.
        check_conflict(vec![foreign_database(database("acme", "acme", Ready))], vec![], "foreign database acme");
        check_conflict(vec![], vec![foreign_role(role("acme", "acme", Creating))], "foreign role acme");
        check_conflict(vec![], vec![foreign_role(role("acme", "globex", Ready))], "foreign role acme");
    }

    #[test]
    fn what_was_reached_is_read_from_the_markers() {
        use Stage::{Creating, Ready};
        let state = |database: Database, role: Role| {
            let observed = Observed::locate(&cluster(vec![database], vec![role]), &names_of("acme"));
            (observed.is_complete(), observed.is_guarded(), observed.is_enterable())
        };
        let plain = || fixture::database("acme", None);
        assert_eq!(state(database("acme", "acme", Ready), role("acme", "acme", Ready)), (true, false, true));
        assert_eq!(state(database("acme", "acme", Ready), role("acme", "acme", Creating)), (false, false, true));
        assert_eq!(state(database("acme", "acme", Creating), role("acme", "acme", Ready)), (false, false, true));
        assert_eq!(state(plain(), role("acme", "acme", Ready)), (false, false, true));
        let closed = Database { connectable: false, ..database("acme", "acme", Ready) };
        assert_eq!(state(closed, role("acme", "acme", Ready)), (true, false, false));
        let guarded = Marker { guardrails: true, ..fixture::marker(&names_of("acme"), Ready) }.text();
        let of_role = Role { comment: Some(guarded.clone()), ..role("acme", "acme", Ready) };
        assert_eq!(state(database("acme", "acme", Ready), of_role), (true, true, true));
        // A database's owner could have written it there.
        let of_database = || fixture::database("acme", Some(guarded.clone()));
        assert_eq!(state(of_database(), role("acme", "acme", Ready)), (true, false, true));
        assert_eq!(state(foreign_database(of_database()), role("acme", "acme", Ready)), (false, false, true));
        let half_made = |databases: Vec<Database>, roles: Vec<Role>| {
            let observed = Observed::locate(&cluster(databases, roles), &names_of("acme"));
            (observed.is_half_made(), observed.is_adopted())
        };
        let closed = || Database { allow_connections: false, ..plain() };
        let (begun, ready) = (|| role("acme", "acme", Creating), || role("acme", "acme", Ready));
        assert_eq!(half_made(vec![], vec![]), (false, false));
        assert_eq!(half_made(vec![], vec![begun()]), (true, false));
        assert_eq!(half_made(vec![closed()], vec![begun()]), (true, false));
        assert_eq!(half_made(vec![database("acme", "acme", Creating)], vec![begun()]), (true, false));
        assert_eq!(half_made(vec![database("acme", "acme", Creating)], vec![]), (true, false));
        assert_eq!(half_made(vec![database("acme", "acme", Ready)], vec![ready()]), (false, false));
        // What may hold data is not half-made, whoever lost its role, or is being given one.
        assert_eq!(half_made(vec![database("acme", "acme", Ready)], vec![begun()]), (false, false));
        assert_eq!(half_made(vec![database("acme", "acme", Ready)], vec![]), (false, false));
        assert_eq!(half_made(vec![plain()], vec![begun()]), (false, true));
        assert_eq!(half_made(vec![plain()], vec![]), (false, true));
        assert_eq!(half_made(vec![plain()], vec![fixture::role("acme", None)]), (false, true));
        let bare = Observed::locate(&cluster(vec![plain()], vec![]), &names_of("acme"));
        assert!(bare.is_enterable() && bare.facts().is_empty());
        assert_eq!(
            (bare.database_name().map(|name| name.to_string()).as_deref(), bare.role_name()),
            (Some("acme"), None)
        );
    }

    #[test]
    fn the_schema_is_the_one_with_the_marker_else_of_either_name() {
        let wanted = Names { schema: "main".parse().unwrap(), ..names_of("corp") };
        let found = |schemas: &[(&str, Option<&str>, bool)]| {
            let mut observed = fixture::observed();
            let app = observed.inside.as_ref().unwrap().schemas[0].clone();
            let schema = |(name, tenant, owner_usable): &(&str, Option<&str>, bool)| Schema {
                name: (*name).to_owned(),
                owner_usable: *owner_usable,
                comment: tenant.and_then(|tenant| text(tenant, Stage::Ready)),
                ..app.clone()
            };
            observed.inside.as_mut().unwrap().schemas = schemas.iter().map(schema).collect();
            observed.schema(&wanted).map(|schema| schema.name.clone())
        };
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(found(&[("app", None, true), ("x", Some("acme"), true)]), name("x"));
        assert_eq!(found(&[("app", None, true), ("x", Some("corp"), true)]), name("x"));
        assert_eq!(found(&[("app", None, true), ("x", Some("globex"), true)]), name("app"));
        assert_eq!(found(&[("app", None, true), ("x", Some("acme"), false)]), name("app"));
        assert_eq!(found(&[("main", None, true), ("app", None, true)]), name("app"));
        assert_eq!(found(&[("main", None, true), ("y", None, true)]), name("main"));
        assert_eq!(found(&[("y", None, true)]), None);
        let outside = Observed { inside: Err("closed".to_owned()), ..fixture::observed() };
        assert_eq!(outside.schema(&wanted), None);
    }

    #[test]
    fn what_touches_the_tenant_is_gathered_and_nothing_else() {
        let mut snapshot = fixture::snapshot();
        snapshot
            .databases
            .push(Database { acl: vec![grant(Some("acme"), "CONNECT")], ..fixture::database("reports", None) });
        snapshot
            .databases
            .push(Database { acl: vec![grant(Some("x"), "CONNECT")], ..fixture::database("other", None) });
        snapshot.roles.extend(["group", "outer", "x"].map(|name| fixture::role(name, None)));
        snapshot.memberships = vec![
            membership("group", "acme"),
            membership("outer", "group"),
            membership("acme", "outer"),
            membership("acme", "x"),
            membership("other", "x"),
            Membership { automatic: true, ..membership("x", "acme") },
        ];
        snapshot.settings.extend([
            setting(None, None, "work_mem", "1"),
            setting(Some("other"), None, "work_mem", "2"),
            setting(None, Some("x"), "work_mem", "3"),
            setting(Some("acme"), Some("x"), "work_mem", "4"),
            setting(Some("other"), Some("acme"), "work_mem", "5"),
        ]);
        snapshot.oversized = [("acme".to_owned(), 300), ("x".to_owned(), 400)].into();
        snapshot.dependencies.extend([
            dependency("admin", Some("acme"), "pg_class", "o", 1),
            dependency("x", Some("acme"), "pg_class", "o", 2),
            dependency("x", Some("other"), "pg_class", "o", 3),
            dependency("x", None, "pg_database", "o", 4),
            dependency("acme", None, "pg_tablespace", "o", 5),
        ]);
        let server_grant = |grantee: Option<&str>| ServerGrant {
            class: "tablespace".into(),
            name: "fast".into(),
            owner_usable: true,
            grantee: grantee.map(str::to_owned),
            privilege: "CREATE".into(),
            grantable: false,
        };
        snapshot.server_grants = [Some("acme"), Some("outer"), Some("x"), None].map(server_grant).into();
        let placed = |name: &str, database: &str| Placed { name: name.into(), database: database.into() };
        snapshot.slots = vec![placed("s1", "acme"), placed("s2", "other")];
        snapshot.subscriptions = vec![placed("s3", "other"), placed("s4", "acme")];
        let observed = Observed::locate(&snapshot, &fixture::names());
        assert_eq!(observed.reached, ["group", "outer"].map(str::to_owned).into());
        assert_eq!(observed.groups.iter().map(|role| role.name.as_str()).collect::<Vec<_>>(), ["group", "outer"]);
        assert_eq!(observed.memberships, [0, 1, 2, 3, 5].map(|at| snapshot.memberships[at].clone()));
        let values = |settings: &[Setting]| settings.iter().map(|setting| setting.value.clone()).collect::<Vec<_>>();
        assert_eq!(values(&observed.settings[7..]), ["5"]);
        assert_eq!(observed.oversized, Some(300));
        let counts = |found: &[Dependency]| found.iter().map(|dependency| dependency.count).collect::<Vec<_>>();
        assert_eq!((counts(&observed.guests), counts(&observed.dependencies)), (vec![2], vec![1, 5]));
        assert_eq!(observed.elsewhere.iter().map(|other| other.name.as_str()).collect::<Vec<_>>(), ["reports"]);
        let grantees: Vec<_> = observed.server_grants.iter().map(|grant| grant.grantee.as_deref()).collect();
        assert_eq!(grantees, [Some("acme"), Some("outer")]);
        assert_eq!(
            observed.attached,
            [(Kind::ReplicationSlot, placed("s1", "acme")), (Kind::Subscription, placed("s4", "acme"))]
        );
        assert_eq!(observed.at_home(), ["acme", "admin", "pg_database_owner"].map(str::to_owned).into());
        // Without a role or a database there is nothing of theirs.
        snapshot.roles.remove(0);
        let observed = Observed::locate(&snapshot, &fixture::names());
        assert!(observed.memberships.is_empty() && observed.elsewhere.is_empty() && observed.server_grants.is_empty());
        assert_eq!(observed.settings.len(), 3);
        snapshot.databases.remove(0);
        let observed = Observed::locate(&snapshot, &fixture::names());
        assert!(observed.settings.is_empty() && observed.guests.is_empty() && observed.attached.is_empty());
    }

    /// The facts that a change adds to a tenant as it should be, and whether this admin may undo them.
    #[track_caller]
    fn check_facts(change: impl FnOnce(&mut Observed), expected: &[(&str, bool)]) {
        let before = fixture::observed();
        let mut after = fixture::observed();
        change(&mut after);
        let before = before.facts();
        let added = after.facts().into_iter().filter(|seen| !before.contains(seen));
        let added: Vec<_> = added.map(|seen| (seen.fact.to_string(), seen.ours)).collect();
        assert_eq!(added, expected.iter().map(|(fact, ours)| ((*fact).to_owned(), *ours)).collect::<Vec<_>>());
    }

    fn tenants_role(observed: &mut Observed) -> &mut Role {
        observed.role.as_mut().unwrap()
    }

    #[test]
    fn whose_it_is_to_undo_a_fact() {
        check_facts(|_| {}, &[]);
        check_facts(|o| tenants_role(o).inherit = true, &[("acme has INHERIT", true)]);
        check_facts(|o| tenants_role(o).replication = true, &[("acme has REPLICATION", false)]);
        check_facts(
            |o| (o.server.superuser, tenants_role(o).bypass_rls) = (true, true),
            &[("acme has BYPASSRLS", true)],
        );
        // An admin that may not alter the role may change nothing of it.
        let told = |ours: bool| {
            move |o: &mut Observed| {
                tenants_role(o).manageable = ours;
                tenants_role(o).create_role = true;
                tenants_role(o).connection_limit = 11;
                tenants_role(o).valid_until = Some("infinity".into());
                o.settings.clear();
                o.settings.push(setting(None, Some("acme"), "work_mem", "1"));
                o.oversized = Some(200);
                o.role.as_mut().unwrap().comment = None;
            }
        };
        for ours in [true, false] {
            check_facts(
                told(ours),
                &[
                    ("acme has CREATEROLE", ours),
                    ("acme has CONNECTION LIMIT 11", ours),
                    ("acme has VALID UNTIL \"infinity\"", ours),
                    ("work_mem = \"1\" for role acme", ours),
                    ("200 parameters are set for role acme", ours),
                ],
            );
        }
        let privileged = |o: &mut Observed| {
            o.settings.push(setting(Some("acme"), None, "Log_Statement", "none"));
            o.privileged = ["log_statement".to_owned()].into();
        };
        check_facts(privileged, &[("\"Log_Statement\" = \"none\" for database acme", false)]);
        check_facts(
            |o| {
                o.server.superuser = true;
                privileged(o);
            },
            &[("\"Log_Statement\" = \"none\" for database acme", true)],
        );
        // A group's attributes are its owner's, INHERIT is nobody's gain; a superuser's role is a superuser's to alter.
        check_facts(
            |o| o.groups = vec![Role { inherit: true, superuser: true, ..fixture::role("g", None) }],
            &[("g has SUPERUSER", false)],
        );
        check_facts(
            |o| o.memberships = vec![membership("acme", "x"), membership("g", "outer")],
            &[("x is a member of acme", true), ("outer is a member of g", false)],
        );
        check_facts(
            |o| o.memberships = vec![Membership { revocable: false, ..membership("acme", "x") }],
            &[("x is a member of acme", false)],
        );
        check_facts(|o| o.memberships = vec![Membership { automatic: true, ..membership("acme", "admin") }], &[]);
    }

    #[test]
    fn the_tenants_own_dependencies_are_told_once() {
        let own = |database: Option<&str>, class: &str, kind: &str, count: u64| {
            let row = dependency("acme", database, class, kind, count);
            move |o: &mut Observed| o.dependencies.push(row)
        };
        check_facts(own(Some("acme"), "pg_class", "o", 3), &[("acme owns 3 relations", false)]);
        check_facts(own(Some("x"), "pg_class", "o", 1), &[("acme owns 1 relation in database x", false)]);
        check_facts(own(Some("x"), "pg_class", "a", 1), &[("acme has privileges on 1 relation in database x", false)]);
        check_facts(own(Some("acme"), "pg_class", "a", 3), &[]);
        check_facts(own(None, "pg_tablespace", "a", 1), &[]);
        check_facts(own(None, "pg_tablespace", "o", 1), &[("acme owns 1 tablespace", false)]);
        check_facts(own(None, "pg_database", "o", 2), &[("acme owns 2 databases", false)]);
        // Of the databases that it owns, its own is told by itself.
        let owner = |count: u64| {
            move |o: &mut Observed| {
                o.database.as_mut().unwrap().owner = "acme".into();
                o.dependencies.push(dependency("acme", None, "pg_database", "o", count));
            }
        };
        check_facts(owner(1), &[("acme owns database acme", true)]);
        check_facts(owner(2), &[("acme owns 1 database", false), ("acme owns database acme", true)]);
    }

    #[test]
    fn an_owners_own_privileges_are_no_fact() {
        check_facts(
            |o| {
                let database = o.database.as_mut().unwrap();
                database.acl.push(grant(Some("admin"), "CREATE"));
                database.acl.push(grant(None, "CONNECT"));
                database.owner_usable = true;
            },
            &[("PUBLIC has CONNECT on database acme", true)],
        );
    }
}

//! What a cluster holds of one tenant.

use std::collections::BTreeMap;

use crate::postgres::catalog::inside::{Inside, Schema};
use crate::postgres::catalog::snapshot::{Database, Dependency, Membership, Role, Server, Setting, Snapshot};
use crate::postgres::{DatabaseName, RoleName};

use super::marker::{Marker, Stage};
use super::names::{Names, TenantName};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The names by which it was looked for.
    pub names: Names,
    pub server: Server,
    pub database: Option<Database>,
    pub role: Option<Role>,
    /// Parameters set for the database, for the role, or for the role in any database.
    pub settings: Vec<Setting>,
    /// Of the role in others, and of others in the role.
    pub memberships: Vec<Membership>,
    /// What depends on the role, in every database.
    pub dependencies: Vec<Dependency>,
    /// What depends on roles other than the tenant's and the owner's, in the tenant's database.
    pub guests: Vec<Dependency>,
    /// Other databases on which the role holds a privilege.
    pub elsewhere: Vec<Database>,
    /// `None` if the database was not entered.
    pub inside: Option<Inside>,
    /// Whether the password is another than the one that was set last. `None` if that was not looked at.
    pub password_changed: Option<bool>,
}

/// An object that stands where a tenant is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A tenant of that name is there, and complete.
    Tenant(Marker),
    /// Another tenant has a database or role of that name.
    OtherTenant { object: &'static str, name: String, tenant: String },
    /// The provider did not make it.
    Foreign { object: &'static str, name: String },
}

impl Observed {
    /// Finds a tenant's objects: those that carry its marker, whatever their name is now, else those
    /// that have its names and carry no other tenant's marker.
    pub fn locate(snapshot: &Snapshot, names: &Names) -> Self {
        let marked = |comment: Option<&str>| Marker::of(comment, &names.tenant).is_some();
        let free = |comment: Option<&str>| Marker::parse(comment).is_none();
        let databases = || snapshot.databases.iter().filter(|d| d.name.parse::<DatabaseName>().is_ok());
        let database = databases()
            .find(|d| marked(d.comment.as_deref()))
            .or_else(|| databases().find(|d| d.name == names.database.as_str() && free(d.comment.as_deref())));
        let roles = || snapshot.roles.iter().filter(|r| r.name.parse::<RoleName>().is_ok());
        let role = roles()
            .find(|r| marked(r.comment.as_deref()))
            .or_else(|| roles().find(|r| r.name == names.role.as_str() && free(r.comment.as_deref())));
        let role_name = role.map(|r| r.name.as_str());
        let database_name = database.map(|d| d.name.as_str());
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
            memberships: snapshot
                .memberships
                .iter()
                .filter(|m| Some(m.role.as_str()) == role_name || Some(m.member.as_str()) == role_name)
                .cloned()
                .collect(),
            guests: snapshot
                .dependencies
                .iter()
                .filter(|dependency| {
                    let at_home = [Some(snapshot.server.admin.as_str()), role_name, database.map(|d| d.owner.as_str())];
                    dependency.database.is_some()
                        && dependency.database.as_deref() == database_name
                        && matches!(dependency.kind.as_str(), "o" | "a" | "r")
                        && !at_home.contains(&Some(dependency.role.as_str()))
                })
                .cloned()
                .collect(),
            elsewhere: snapshot
                .databases
                .iter()
                .filter(|other| {
                    Some(other.name.as_str()) != database_name
                        && role_name.is_some()
                        && other.acl.iter().any(|grant| grant.grantee.as_deref() == role_name)
                })
                .cloned()
                .collect(),
            dependencies: snapshot
                .dependencies
                .iter()
                .filter(|dependency| Some(dependency.role.as_str()) == role_name)
                .cloned()
                .collect(),
            database: database.cloned(),
            role: role.cloned(),
            inside: None,
            password_changed: None,
        }
    }

    /// Finds a tenant by its marker alone. `None` unless both its role and its database are there.
    pub fn find(snapshot: &Snapshot, tenant: &TenantName) -> Option<Self> {
        let names = comments(snapshot).find_map(|comment| Marker::of(Some(comment), tenant))?.names()?;
        let observed = Self::locate(snapshot, &names);
        (observed.database.is_some() && observed.role.is_some()).then_some(observed)
    }

    pub fn database_name(&self) -> Option<DatabaseName> {
        self.database.as_ref()?.name.parse().ok()
    }

    pub fn role_name(&self) -> Option<RoleName> {
        self.role.as_ref()?.name.parse().ok()
    }

    pub fn database_marker(&self) -> Option<Marker> {
        Marker::parse(self.database.as_ref()?.comment.as_deref())
    }

    pub fn role_marker(&self) -> Option<Marker> {
        Marker::parse(self.role.as_ref()?.comment.as_deref())
    }

    /// The roles that may hold privileges inside the tenant's database.
    pub fn at_home(&self) -> Vec<String> {
        let owner = self.database.as_ref().map(|database| database.owner.clone());
        let role = self.role.as_ref().map(|role| role.name.clone());
        [Some(self.server.admin.clone()), owner, role].into_iter().flatten().collect()
    }

    /// Whether the last step of making the tenant was reached.
    pub fn is_complete(&self) -> bool {
        let ready = |marker: Option<Marker>| marker.is_some_and(|marker| marker.stage == Stage::Ready);
        ready(self.database_marker()) && ready(self.role_marker())
    }

    /// The tenant's schema, if the database was entered: the one that carries the tenant's marker,
    /// else the one of the name that it was looked for by, or is to have.
    pub fn schema(&self, wanted: &Names) -> Option<&Schema> {
        let schemas = &self.inside.as_ref()?.schemas;
        let both = [&self.names, wanted];
        let marked = |schema: &&Schema| {
            Marker::parse(schema.comment.as_deref())
                .is_some_and(|marker| both.iter().any(|names| marker.tenant == names.tenant.as_str()))
        };
        let named = |names: &Names| schemas.iter().find(|schema| schema.name == names.schema.as_str());
        schemas.iter().find(marked).or_else(|| named(&self.names)).or_else(|| named(wanted))
    }

    /// The value of a parameter at one level, as typed. `database` and `role` are `None` for "any".
    pub fn setting(&self, database: Option<&str>, role: Option<&str>, name: &str) -> Option<&str> {
        self.settings
            .iter()
            .find(|setting| {
                setting.database.as_deref() == database
                    && setting.role.as_deref() == role
                    && setting.name.eq_ignore_ascii_case(name)
            })
            .map(|setting| setting.value.as_str())
    }

    /// Whether a tenant of these names may be made here: nothing stands there yet, or a half-made
    /// tenant of that name does.
    pub fn conflict(&self, snapshot: &Snapshot, names: &Names) -> Option<Conflict> {
        if let (Some(marker), Some(role)) = (self.database_marker(), self.role_marker())
            && marker.stage == Stage::Ready
            && role.stage == Stage::Ready
        {
            return Some(Conflict::Tenant(marker));
        }
        // The role is made first and carries the marker: whatever is closed and of the name that
        // the marker holds was made by the same, unfinished run.
        let begun = self.role_marker().is_some_and(|marker| marker.tenant == names.tenant.as_str());
        let role = snapshot.roles.iter().find(|role| role.name == names.role.as_str());
        if let Some(role) = role
            && self.role_marker().is_none_or(|_| self.role.as_ref() != Some(role))
        {
            return Some(occupied("role", &role.name, role.comment.as_deref()));
        }
        let database = snapshot.databases.iter().find(|database| database.name == names.database.as_str());
        if let Some(database) = database {
            let ours = self.database.as_ref() == Some(database)
                && (self.database_marker().is_some() || begun && !database.allow_connections);
            if !ours {
                return Some(occupied("database", &database.name, database.comment.as_deref()));
            }
        }
        None
    }
}

/// Every tenant that a snapshot holds, by its markers, half-made ones included.
pub fn tenants(snapshot: &Snapshot) -> BTreeMap<String, Names> {
    comments(snapshot)
        .filter_map(|comment| Marker::parse(Some(comment)))
        .filter(|marker| marker.stage != Stage::Archived)
        .filter_map(|marker| Some((marker.names()?.tenant.to_string(), marker.names()?)))
        .collect()
}

/// Where one tenant is. Either may be missing of a half-made one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    pub role: Option<&'a Role>,
    pub database: Option<&'a Database>,
}

/// Every tenant that a snapshot holds, and where: what [`Observed::locate`] finds, for all at once.
pub fn places(snapshot: &Snapshot) -> BTreeMap<String, Place<'_>> {
    let roles = Found::new(snapshot.roles.iter().map(|role| (role.name.as_str(), role.comment.as_deref(), role)));
    let databases = Found::new(
        snapshot.databases.iter().map(|database| (database.name.as_str(), database.comment.as_deref(), database)),
    );
    let place = |(tenant, names): (String, Names)| {
        let role = roles.of(&tenant, names.role.as_str());
        let database = databases.of(&tenant, names.database.as_str());
        (tenant, Place { role, database })
    };
    tenants(snapshot).into_iter().map(place).collect()
}

/// Objects by the tenant whose marker they carry, and those without a marker by their name.
struct Found<'a, T> {
    marked: BTreeMap<String, &'a T>,
    free: BTreeMap<&'a str, &'a T>,
}

impl<'a, T> Found<'a, T> {
    fn new(objects: impl Iterator<Item = (&'a str, Option<&'a str>, &'a T)>) -> Self {
        let mut found = Found { marked: BTreeMap::new(), free: BTreeMap::new() };
        for (name, comment, object) in objects {
            match Marker::parse(comment) {
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

/// Of databases before roles: theirs are written last when names change.
fn comments(snapshot: &Snapshot) -> impl Iterator<Item = &str> {
    let databases = snapshot.databases.iter().filter_map(|database| database.comment.as_deref());
    databases.chain(snapshot.roles.iter().filter_map(|role| role.comment.as_deref()))
}

fn occupied(object: &'static str, name: &str, comment: Option<&str>) -> Conflict {
    let name = name.to_owned();
    match Marker::parse(comment) {
        Some(marker) => Conflict::OtherTenant { object, name, tenant: marker.tenant },
        None => Conflict::Foreign { object, name },
    }
}

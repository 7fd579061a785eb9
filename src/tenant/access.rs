//! What a role may do in a tenant's database, beside the role that the tenant itself logs in with: as words, as privileges, and
//! what it lacks of them. Where they are required and allowed is said in `charter`, `companion` and `admission`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::postgres::SchemaName;
use crate::postgres::catalog::inside::Relations;
use crate::postgres::fact::{Fact, Kind, Objects};

use super::change::Change;
use super::control::Control;
use super::names::EXTENSIONS_SCHEMA;
use super::observed::Observed;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// It acts as the tenant: what it makes is the tenant's.
    Owner,
    /// It reads and writes what the tenant has and will have.
    Write,
    /// It reads that.
    Read,
    /// It gets in, and no more.
    Connect,
}

impl Access {
    pub const ALL: [Access; 4] = [Access::Owner, Access::Write, Access::Read, Access::Connect];

    /// As in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Access::Owner => "owner",
            Access::Write => "write",
            Access::Read => "read",
            Access::Connect => "connect",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|access| access.name() == name)
    }

    /// The privileges on the tenant's objects of a kind, in the order of their names. Who writes takes the next values of sequences.
    pub fn on(self, kind: &Kind) -> &'static [&'static str] {
        match (self, kind) {
            (Access::Write, Kind::Relation) => &["DELETE", "INSERT", "SELECT", "UPDATE"],
            (Access::Write, Kind::Sequence) => &["SELECT", "UPDATE", "USAGE"],
            (Access::Read, Kind::Relation | Kind::Sequence) => &["SELECT"],
            (Access::Write | Access::Read, Kind::Schema) => &["USAGE"],
            _ => &[],
        }
    }
}

/// What one role holds in the database of a tenant, against what its access takes.
#[derive(Clone, Copy)]
pub(super) struct Holding<'a> {
    /// With its own role.
    pub tenant: &'a Observed,
    /// The tenant's own role, and its database.
    pub own: &'a str,
    pub database: &'a str,
    pub role: &'a str,
    pub access: Access,
}

impl<'a> Holding<'a> {
    /// What is to be so inside the database. What there is already in part is required in part: the rest of it.
    pub fn required(&self) -> Vec<(Control, Fact)> {
        let mut required = Vec::new();
        for schema in self.home() {
            for privilege in self.access.on(&Kind::Schema) {
                let usage = self.grant(Objects::one(Kind::Schema, &schema), privilege);
                required.push((Control::SchemaPrivileges, usage));
            }
        }
        required.extend(self.lacking().into_iter().map(|fact| (Control::OtherRoles, fact)));
        required.extend(self.lacking_defaults().into_iter().map(|fact| (Control::DefaultPrivileges, fact)));
        required
    }

    /// The schemas in which it finds what the tenant has, those included that the tenant made.
    fn home(&self) -> BTreeSet<String> {
        let made = self.tenant.inside.iter().flat_map(|inside| &inside.schemas);
        let made = made.map(|schema| schema.name.as_str()).filter(|name| self.tenant.owns_schema(name));
        self.schemas().into_iter().chain(made).map(str::to_owned).collect()
    }

    pub fn connect(&self) -> Fact {
        self.grant(Objects::one(Kind::Database, self.database), "CONNECT")
    }

    /// The schemas in which it finds what the tenant has, beside those that the tenant made.
    pub fn schemas(&self) -> Vec<&'a str> {
        let Ok(inside) = &self.tenant.inside else { return Vec::new() };
        let first = self.tenant.schema(&self.tenant.names).map(|schema| schema.name.as_str());
        let mut recorded = self.tenant.recorded_schemas();
        recorded.extend(self.tenant.extension_schemas());
        let is_given = |name: &str| Some(name) == first || recorded.contains(name) || name == EXTENSIONS_SCHEMA;
        inside.schemas.iter().map(|schema| schema.name.as_str()).filter(|name| is_given(name)).collect()
    }

    fn grant(&self, objects: Objects, privilege: &str) -> Fact {
        let grantee = Some(self.role.to_owned());
        Fact::Grant { objects, grantee, privilege: privilege.to_owned(), grantable: false }
    }

    /// What it lacks on the tenant's tables and sequences, in numbers. Nothing where not all that is held was read.
    fn lacking(&self) -> Vec<Fact> {
        let Ok(inside) = &self.tenant.inside else { return Vec::new() };
        if inside.groups_of_grants > inside.grants.len() as u64 {
            return Vec::new();
        }
        let mut lacking = Vec::new();
        let home = self.home();
        let is_ours = |there: &&Relations| there.owner == self.own && home.contains(&there.schema);
        for there in inside.relations.iter().filter(is_ours) {
            let kind = Kind::of_letter(&there.kind);
            for privilege in self.access.on(&kind) {
                let held = inside.grants.iter().filter(|held| {
                    !held.original
                        && held.kind == there.kind
                        && held.schema.as_deref() == Some(&there.schema)
                        && held.owner == there.owner
                        && held.grantee.as_deref() == Some(self.role)
                        && held.privilege == *privilege
                        && !held.grantable
                });
                let lacks = there.count.saturating_sub(held.map(|held| held.count).sum());
                if lacks > 0 {
                    let objects = Objects { schema: Some(there.schema.clone()), ..Objects::many(kind.clone(), lacks) };
                    lacking.push(self.grant(objects, privilege));
                }
            }
        }
        lacking
    }

    /// What the tenant's later objects are to give it, as far as they do not.
    fn lacking_defaults(&self) -> Vec<Fact> {
        let Ok(inside) = &self.tenant.inside else { return Vec::new() };
        let lacks = |kind: Kind| {
            let is_given = |privilege: &&&str| {
                inside.defaults.iter().any(|default| {
                    default.owner == self.own
                        && default.schema.is_none()
                        && Kind::of_letter(&default.kind) == kind
                        && default.grantee.as_deref() == Some(self.role)
                        && default.privileges.iter().any(|given| given == **privilege)
                })
            };
            let privileges = self.access.on(&kind).iter();
            let lacking: Vec<String> = privileges.filter(|one| !is_given(one)).map(|one| (*one).to_owned()).collect();
            (!lacking.is_empty()).then(|| Fact::DefaultGrant {
                owner: self.own.to_owned(),
                schema: None,
                kind,
                grantee: Some(self.role.to_owned()),
                privileges: lacking,
            })
        };
        [Kind::Relation, Kind::Sequence, Kind::Schema].into_iter().filter_map(lacks).collect()
    }

    /// The change that gives it a privilege that it lacks.
    pub fn give(&self, fact: &Fact) -> Option<Change> {
        let (database, role) = (self.database.parse().ok()?, self.role.parse().ok()?);
        match fact {
            Fact::Grant { objects, .. } if objects.kind == Kind::Database => {
                Some(Change::GrantDatabase { database, privileges: vec!["CONNECT"], role })
            }
            Fact::Grant { objects, .. }
                if objects.kind == Kind::Schema
                    && objects.name().is_some_and(|name| !self.tenant.owns_schema(name)) =>
            {
                self.give_usage(&objects.name()?.parse().ok()?)
            }
            _ => self.give_all(None),
        }
    }

    /// What goes with more than the role is to have, and is given again. `connects` is whether it may get in now.
    pub fn again(&self, change: &Change, connects: bool) -> Option<Change> {
        match change {
            Change::RevokeDatabase { database, .. } if connects && database.as_str() == self.database => {
                self.give(&self.connect())
            }
            Change::RevokeSchema { schema, .. } => self.give_usage(schema),
            _ => None,
        }
    }

    /// USAGE on a schema of the admin's, if it is to have that.
    fn give_usage(&self, schema: &SchemaName) -> Option<Change> {
        let privileges = self.access.on(&Kind::Schema).to_vec();
        let is_one = self.schemas().contains(&schema.as_str()) && !privileges.is_empty();
        let (database, role) = (self.database.parse().ok()?, self.role.parse().ok()?);
        is_one.then(|| Change::GrantSchema { database, schema: schema.clone(), privileges, role })
    }

    /// All of it, after all that it has on the tenant's objects was taken from it.
    pub fn give_anew(&self) -> Option<Change> {
        self.give_all(Some(self.tenant.at_home().into_iter().filter(|role| role != self.role).collect()))
    }

    fn give_all(&self, home: Option<BTreeSet<String>>) -> Option<Change> {
        let (database, role) = (self.database.parse().ok()?, self.role.parse().ok()?);
        let (tenant, schemas) = (self.own.parse().ok()?, self.home());
        Some(Change::GiveAccess { database, tenant, role, access: self.access, schemas, home })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_privileges_are_in_order() {
        for access in Access::ALL {
            assert_eq!(Access::named(access.name()), Some(access));
            assert_eq!(serde_json::to_value(access).unwrap(), access.name());
            for kind in [Kind::Relation, Kind::Sequence, Kind::Schema] {
                let privileges = access.on(&kind);
                assert!(privileges.is_sorted(), "{access:?}: {privileges:?}");
            }
        }
        assert_eq!(Access::named("admin"), None);
    }
}

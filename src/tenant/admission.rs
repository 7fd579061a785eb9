//! A role that somebody else made, and that is let into a tenant's database: what is right of it there, and how that is brought
//! about. What it is elsewhere is nobody's here. Pure.

use std::collections::BTreeMap;

use crate::postgres::RoleName;
use crate::postgres::fact::{Fact, Kind, Objects, Options};

use super::access::{Access, Holding};
use super::change::{Change, Grantee};
use super::control::Control;
use super::diff::{Charter, Deviation, Finding, Repair, Status, diff, status};
use super::marker::Marker;
use super::observed::Observed;

/// The controls of a role that is let in, as `isolation` of its resource has them.
pub const CONTROLS: [Control; 6] = [
    Control::Registered,
    Control::Memberships,
    Control::OtherPrivileges,
    Control::SchemaPrivileges,
    Control::OtherRoles,
    Control::DefaultPrivileges,
];

/// `access` is `None` for a role that is to be let in no more.
struct AdmissionCharter<'a> {
    tenant: &'a Observed,
    own: &'a str,
    database: &'a str,
    role: &'a str,
    access: Option<Access>,
}

impl<'a> AdmissionCharter<'a> {
    fn new(role: &'a str, access: Option<Access>, tenant: &'a Observed) -> Option<Self> {
        let (own, database) = (&tenant.role.as_ref()?.name, &tenant.database.as_ref()?.name);
        Some(AdmissionCharter { tenant, own, database, role, access })
    }

    fn holding(&self) -> Option<Holding<'a>> {
        let access = self.access?;
        Some(Holding { tenant: self.tenant, own: self.own, database: self.database, role: self.role, access })
    }

    /// Whether a fact is about this role in the tenant's database.
    fn concerns(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Grant { objects, grantee: Some(grantee), .. } => {
                grantee == self.role && !self.tenant.is_elsewhere(objects)
            }
            Fact::DefaultGrant { grantee: Some(grantee), .. } => grantee == self.role,
            Fact::Membership { role, member, .. } => role == self.own && member == self.role,
            Fact::Marker { objects, .. } => objects.is(Kind::Role, self.own),
            _ => false,
        }
    }

    /// The marker of the tenant's role with this one on record, or off.
    fn marker(&self) -> Option<Marker> {
        let mut marker = self.tenant.role_marker()?;
        match self.access {
            Some(access) => marker.admitted.insert(self.role.to_owned(), access),
            None => marker.admitted.remove(self.role),
        };
        Some(marker)
    }

    fn changes(&self, deviation: &Deviation) -> Vec<Change> {
        let parsed =
            || Some((self.database.parse().ok()?, self.own.parse().ok()?, self.role.parse::<RoleName>().ok()?));
        let Some((database, own, role)) = parsed() else { return Vec::new() };
        let grantee = Grantee::Role(role.clone());
        let change = match (deviation, deviation.fact()) {
            (Deviation::Missing(_), Fact::Marker { .. }) => {
                self.marker().map(|marker| Change::MarkRole { role: own, marker })
            }
            (Deviation::Missing(_), Fact::Membership { .. }) => {
                Some(Change::GrantMembership { role: own, member: role })
            }
            (Deviation::Missing(_), fact) => self.holding().and_then(|holding| holding.give(fact)),
            (Deviation::Unexpected(_), Fact::Grant { objects, .. }) if objects.kind == Kind::Database => {
                Some(Change::RevokeDatabase { database, privileges: vec!["ALL".to_owned()], grantee })
            }
            (Deviation::Unexpected(_), Fact::Grant { objects, .. })
                if objects.kind == Kind::Schema && !objects.original && !self.is_tenants(objects) =>
            {
                let schema = objects.name().and_then(|name| name.parse().ok());
                schema.map(|schema| Change::RevokeSchema { database, schema, grantee })
            }
            (Deviation::Unexpected(_), Fact::Grant { .. } | Fact::DefaultGrant { .. }) => match self.holding() {
                Some(holding) => holding.give_anew(),
                None => {
                    let home = self.tenant.at_home().into_iter().filter(|other| other != self.role).collect();
                    Some(Change::Tidy { database, tenant: own, home })
                }
            },
            (Deviation::Unexpected(_), Fact::Membership { options, .. }) => return self.leave(*options),
            _ => None,
        };
        let again = match &change {
            Some(Change::RevokeDatabase { .. }) => self.holding().and_then(|holding| holding.give(&holding.connect())),
            Some(Change::RevokeSchema { schema, .. }) => self.holding().and_then(|holding| holding.give_usage(schema)),
            _ => None,
        };
        change.into_iter().chain(again).collect()
    }

    fn is_tenants(&self, objects: &Objects) -> bool {
        objects.name().is_some_and(|name| self.tenant.owns_schema(name))
    }

    /// Takes the role out of the tenant's, as whoever granted that.
    fn leave(&self, options: Options) -> Vec<Change> {
        let by_grantor = self.tenant.server.has(crate::postgres::Feature::MembershipsByGrantor);
        let rows = self.tenant.memberships.iter().filter(|row| !row.automatic && row.role == self.own);
        let rows = rows.filter(|row| row.member == self.role && row.options() == options);
        rows.filter_map(|row| {
            let grantor = row.grantor.as_deref().filter(|_| by_grantor).and_then(|name| name.parse().ok());
            Some(Change::RevokeMembership { role: row.role.parse().ok()?, member: row.member.parse().ok()?, grantor })
        })
        .collect()
    }
}

impl Charter for AdmissionCharter<'_> {
    fn required(&self) -> Vec<(Control, Fact)> {
        let mut required = Vec::new();
        if let Some(marker) = self.marker() {
            let fact = Fact::Marker { objects: Objects::one(Kind::Role, self.own), text: marker.text() };
            required.push((Control::Registered, fact));
        }
        let Some(holding) = self.holding() else { return required };
        // Of a tenant that is shut out it is shut out too.
        if self.tenant.role.as_ref().is_some_and(|role| role.login) {
            required.push((Control::OtherPrivileges, holding.connect()));
        }
        required.extend(holding.required());
        if self.access == Some(Access::Owner) && !self.is_member() {
            let (role, member) = (self.own.to_owned(), self.role.to_owned());
            required.push((Control::Memberships, Fact::Membership { role, member, options: Options::default() }));
        }
        required
    }

    fn allows(&self, fact: &Fact) -> bool {
        let Some(access) = self.access else { return matches!(fact, Fact::Marker { .. }) };
        match fact {
            Fact::Marker { .. } => true,
            // It is not this provider's to say whether it inherits.
            Fact::Membership { options, .. } => access == Access::Owner && !options.admin,
            Fact::Grant { objects, privilege, grantable: false, .. } if !objects.original => match objects.kind {
                // The rest of what the tenant owns is required one by one, or counted.
                Kind::Relation => access.on_relations().contains(&privilege.as_str()),
                Kind::Sequence => access.on_sequences().contains(&privilege.as_str()),
                _ => self.tenant.inside.is_err() && objects.kind != Kind::Database,
            },
            Fact::DefaultGrant { owner, schema: None, kind, privileges, .. } if owner == self.own => {
                let allowed = match kind {
                    Kind::Relation => access.on_relations(),
                    Kind::Sequence => access.on_sequences(),
                    Kind::Schema => access.on_schemas(),
                    _ => &[],
                };
                privileges.iter().all(|privilege| allowed.contains(&privilege.as_str()))
            }
            _ => false,
        }
    }

    fn control(&self, fact: &Fact) -> Control {
        match fact {
            Fact::Grant { objects, .. } => match objects.kind {
                Kind::Database => Control::OtherPrivileges,
                Kind::Schema => Control::SchemaPrivileges,
                _ => Control::OtherRoles,
            },
            Fact::DefaultGrant { .. } => Control::DefaultPrivileges,
            Fact::Membership { .. } => Control::Memberships,
            _ => Control::Registered,
        }
    }

    fn may_repair(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Marker { .. } => self.tenant.alters_role(),
            Fact::Grant { objects, .. } if objects.kind == Kind::Database => self.tenant.owns_database(),
            _ => true,
        }
    }

    fn unseen(&self, control: Control) -> Option<String> {
        self.tenant.inside.as_ref().err().filter(|_| control.is_inside()).cloned()
    }
}

impl AdmissionCharter<'_> {
    fn is_member(&self) -> bool {
        let is = |row: &crate::postgres::catalog::snapshot::Membership| row.role == self.own && row.member == self.role;
        self.tenant.memberships.iter().any(|row| is(row) && !row.admin && row.set.unwrap_or(true))
    }
}

/// What was found of each control of a role that is let in.
pub fn findings(role: &RoleName, access: Access, tenant: &Observed) -> BTreeMap<Control, Finding> {
    of(role, Some(access), tenant)
}

fn of(role: &RoleName, access: Option<Access>, tenant: &Observed) -> BTreeMap<Control, Finding> {
    let finding = |control, status, facts| Finding { control, status, facts, repair: Repair::default() };
    let Some(charter) = AdmissionCharter::new(role.as_str(), access, tenant) else {
        let why = Status::NotInspected("its tenant is missing".to_owned());
        return CONTROLS.map(|control| (control, finding(control, why.clone(), Vec::new()))).into();
    };
    let facts: Vec<_> = tenant.facts().into_iter().filter(|seen| charter.concerns(&seen.fact)).collect();
    let mut drift = diff(&charter, &facts);
    let holds_up = tenant.role.as_ref().is_some_and(|role| role.login);
    let found = |control: Control| {
        let facts = drift.remove(&control).unwrap_or_default();
        let mut found = finding(control, status(&charter, control, &facts), facts);
        if found.status.is_drift() {
            let changes = |ours: bool| -> Vec<Change> {
                let mine = found.facts.iter().filter(|deviation| deviation.is_ours() == ours);
                mine.flat_map(|deviation| charter.changes(deviation)).collect()
            };
            let mut repair = Repair::default();
            repair.extend(changes(true), changes(false), |change| holds_up && change.can_be_held_up());
            found.repair = repair;
        }
        (control, found)
    };
    CONTROLS.map(found).into()
}

/// The next changes on the way to what is wanted: `access` is `None` for a role that is to be let in no more.
pub fn repair(role: &RoleName, access: Option<Access>, tenant: &Observed) -> Repair {
    let (mut first, mut needed, mut tried) = (Vec::new(), Vec::new(), Vec::new());
    for (control, finding) in of(role, access, tenant) {
        let repair = finding.repair;
        // Before it has anything it is on record that it may; and until it has nothing any more.
        let into = if control == Control::Registered { &mut first } else { &mut needed };
        into.extend(repair.needed);
        tried.extend(repair.tried.into_iter().filter(|change| !matches!(change, Change::MarkRole { .. })));
    }
    let mut all = if access.is_some() { [first, needed].concat() } else { [needed, first].concat() };
    all.dedup();
    let mut once = Vec::new();
    tried.retain(|change: &Change| {
        let is_new = !once.contains(change);
        once.push(change.clone());
        is_new
    });
    Repair { needed: all, tried }
}

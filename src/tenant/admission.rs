//! A role that somebody else made, and that is let into a tenant's database: what is right of it there, and how that is brought
//! about. What it is elsewhere is nobody's here. Pure.

use std::collections::BTreeMap;

use crate::postgres::RoleName;
use crate::postgres::catalog::snapshot::Membership;
use crate::postgres::fact::{Fact, Kind, Objects, Options};

use super::access::{Access, Holding};
use super::change::{Change, Grantee};
use super::control::Control;
use super::diff::{self, Charter, Deviation, Finding, Repair};
use super::marker::Marker;
use super::names::Names;
use super::observed::Observed;
use super::repair::leave;

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
            (Deviation::Unexpected(seen), Fact::Membership { options, .. }) => {
                let names = Names { role: own, ..self.tenant.names.clone() };
                return leave(self.tenant, &names, (self.own, self.role, *options), seen.ours);
            }
            _ => None,
        };
        let again = change.as_ref().and_then(|change| self.holding()?.again(change, self.connects()));
        change.into_iter().chain(again).collect()
    }

    /// Whether it gets in now: of a tenant that is shut out it is shut out too.
    fn connects(&self) -> bool {
        self.tenant.role.as_ref().is_some_and(|role| role.login)
    }

    fn is_tenants(&self, objects: &Objects) -> bool {
        objects.name().is_some_and(|name| self.tenant.owns_schema(name))
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
        if self.connects() {
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
            Fact::Membership { .. } => access == Access::Owner && self.is_member(),
            Fact::Grant { objects, privilege, grantable: false, .. } if !objects.original => match objects.kind {
                // Each is required by its name.
                Kind::Database => false,
                Kind::Schema if self.tenant.inside.is_ok() => false,
                _ => self.tenant.inside.is_err() || access.on(&objects.kind).contains(&privilege.as_str()),
            },
            Fact::DefaultGrant { owner, schema: None, kind, privileges, .. } if owner == self.own => {
                let allowed = access.on(kind);
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
        let rows = self.tenant.memberships.iter().filter(|row| row.role == self.own && row.member == self.role);
        let is_plain = |row: &Membership| !row.admin && row.set.unwrap_or(true);
        rows.fold(None, |all, row| Some(all.unwrap_or(true) && is_plain(row))).unwrap_or(false)
    }
}

/// Whether the record of one more has room in the marker: of a comment so many characters are read.
pub fn fits(role: &RoleName, tenant: &Observed) -> bool {
    // Another access is another word, and what guardrails and a password add is left free.
    const MOST: usize = 4096 - 256;
    let marker =
        AdmissionCharter::new(role.as_str(), Some(Access::Connect), tenant).and_then(|charter| charter.marker());
    marker.is_none_or(|marker| marker.text().chars().count() <= MOST)
}

/// What was found of each control of a role that is let in.
pub fn findings(role: &RoleName, access: Access, tenant: &Observed) -> BTreeMap<Control, Finding> {
    of(role, Some(access), tenant)
}

fn of(role: &RoleName, access: Option<Access>, tenant: &Observed) -> BTreeMap<Control, Finding> {
    let Some(charter) = AdmissionCharter::new(role.as_str(), access, tenant) else {
        return diff::unseen(&CONTROLS, "its tenant is missing");
    };
    let facts: Vec<_> = tenant.facts().into_iter().filter(|seen| charter.concerns(&seen.fact)).collect();
    let changes = |drift: &[&Deviation]| {
        let mut changes: Vec<Change> = drift.iter().flat_map(|deviation| charter.changes(deviation)).collect();
        changes.sort_by_key(Change::gives);
        changes
    };
    let holds_up = charter.connects();
    diff::findings(&charter, &facts, &CONTROLS, changes, |change| holds_up && change.can_be_held_up())
}

/// The next changes on the way to what is wanted: `access` is `None` for a role that is to be let in no more.
pub fn repair(role: &RoleName, access: Option<Access>, tenant: &Observed) -> Repair {
    let (mut first, mut needed, mut tried) = (Vec::new(), Vec::new(), Vec::new());
    for (control, finding) in of(role, access, tenant) {
        let repair = finding.repair;
        // Before it has anything it is on record that it may; and until it has nothing any more.
        let into = if control == Control::Registered { &mut first } else { &mut needed };
        into.extend(repair.needed);
        for change in repair.tried {
            if !tried.contains(&change) {
                tried.push(change);
            }
        }
    }
    let mut all = if access.is_some() { [first, needed].concat() } else { [needed, first].concat() };
    all.dedup();
    Repair { needed: all, tried }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::catalog::inside::{DefaultPrivilege, Relations};
    use crate::postgres::catalog::snapshot::Snapshot;
    use crate::tenant::Marker;
    use crate::tenant::fixture::{self, grant, membership, texts};
    use crate::tenant::{Desired, Goal, Stage};

    /// A tenant that lets a reporting role read, which is as it should be.
    fn snapshot(admitted: &[(&str, Access)]) -> Snapshot {
        let mut snapshot = fixture::snapshot();
        let admitted: BTreeMap<String, Access> =
            admitted.iter().map(|(role, access)| ((*role).to_owned(), *access)).collect();
        snapshot.admitted = admitted.keys().cloned().collect();
        let marker = Marker { admitted, ..fixture::marker(&fixture::names(), Stage::Ready) };
        snapshot.roles[0].comment = Some(marker.text());
        snapshot.databases[0].acl.push(grant(Some("report"), "CONNECT"));
        snapshot
    }

    fn seen(snapshot: &Snapshot, change: impl FnOnce(&mut crate::postgres::Inside)) -> Observed {
        let mut tenant = Observed {
            inside: fixture::observed().inside,
            login: fixture::observed().login,
            ..Observed::locate(snapshot, &fixture::names())
        };
        let inside = tenant.inside.as_mut().unwrap();
        inside.schemas[0].acl.push(grant(Some("report"), "USAGE"));
        let (schema, owner) = ("app".to_owned(), "acme".to_owned());
        inside.relations = vec![Relations { kind: "r".into(), schema: schema.clone(), owner: owner.clone(), count: 1 }];
        inside.grants = vec![held("SELECT")];
        let default = |(kind, privilege): (&str, &str)| DefaultPrivilege {
            owner: "acme".into(),
            owner_usable: false,
            schema: None,
            kind: kind.into(),
            grantee: Some("report".into()),
            privileges: vec![privilege.into()],
        };
        inside.defaults = [("r", "SELECT"), ("S", "SELECT"), ("n", "USAGE")].map(default).into();
        change(inside);
        tenant
    }

    fn held(privilege: &str) -> crate::postgres::catalog::inside::ObjectGrant {
        crate::postgres::catalog::inside::ObjectGrant {
            kind: "r".into(),
            original: false,
            schema: Some("app".into()),
            owner: "acme".into(),
            owner_usable: false,
            grantee: Some("report".into()),
            privilege: privilege.into(),
            grantable: false,
            count: 1,
            names: vec!["t".into()],
        }
    }

    fn role() -> RoleName {
        "report".parse().unwrap()
    }

    /// What is drift of the role that is let in, and what of the tenant.
    #[track_caller]
    fn check(tenant: &Observed, of_role: &[&str], of_tenant: &[&str]) {
        let told = |findings: BTreeMap<Control, Finding>| -> Vec<String> {
            let drift = findings.into_values().filter(|finding| finding.status.is_drift());
            drift.map(|finding| format!("{}: {}", finding.control, finding.describe())).collect()
        };
        assert_eq!(told(findings(&role(), Access::Read, tenant)), of_role, "of the role");
        assert_eq!(told(crate::tenant::findings(&fixture::desired(), tenant)), of_tenant, "of the tenant");
    }

    #[test]
    fn what_is_given_is_no_drift_and_more_is() {
        let read = || snapshot(&[("report", Access::Read)]);
        let tenant = seen(&read(), |_| {});
        check(&tenant, &[], &[]);
        assert_eq!(repair(&role(), Some(Access::Read), &tenant), Repair::default());
        assert_eq!(crate::tenant::repair(&fixture::desired(), &tenant), Repair::default());
        let more = "found: report has INSERT on relation t";
        let tenant = seen(&read(), |inside| inside.grants.push(held("INSERT")));
        check(&tenant, &[&format!("other_roles: {more}")], &[&format!("other_roles: {more}")]);
        let Repair { tried, .. } = crate::tenant::repair(&fixture::desired(), &tenant);
        let keeps = |change: &Change| matches!(change, Change::GiveAccess { access: Access::Read, home: Some(home), .. } if !home.contains("report"));
        assert!(matches!(&tried[..], [change] if keeps(change)), "it keeps what its access takes: {tried:?}");
        let mut joined = read();
        joined.memberships.push(membership("acme", "report"));
        let said = "memberships: found: report is a member of acme";
        check(&seen(&joined, |_| {}), &[said], &[said]);
        let mut temporary = read();
        temporary.databases[0].acl.push(grant(Some("report"), "TEMPORARY"));
        let said = "other_privileges: found: report has TEMPORARY on database acme";
        let tenant = seen(&temporary, |_| {});
        check(&tenant, &[said], &[said]);
        let again = [
            "REVOKE ALL ON DATABASE \"acme\" FROM \"report\" CASCADE",
            "GRANT CONNECT ON DATABASE \"acme\" TO \"report\"",
        ];
        assert_eq!(texts(&crate::tenant::repair(&fixture::desired(), &tenant).needed), again);
        assert_eq!(texts(&repair(&role(), Some(Access::Read), &tenant).needed), again);
    }

    #[test]
    fn what_it_lacks_is_given() {
        let mut shut = snapshot(&[("report", Access::Read)]);
        shut.databases[0].acl.retain(|grant| grant.grantee.as_deref() != Some("report"));
        let said = "other_privileges: found: report lacks CONNECT on database acme";
        check(&seen(&shut, |_| {}), &[said], &[said]);
        let tenant = seen(&snapshot(&[("report", Access::Read)]), |inside| inside.grants.clear());
        check(&tenant, &["other_roles: found: report lacks SELECT on 1 relation"], &[]);
        // It is on record before it has anything.
        let new = seen(&snapshot(&[]), |_| {});
        let first = texts(&repair(&role(), Some(Access::Read), &new).needed);
        assert!(first[0].contains("\"admitted\":{\"report\":\"read\"}"), "{first:?}");
    }

    #[test]
    fn who_is_let_in_no_more_loses_all_and_the_record_last() {
        let tenant = seen(&snapshot(&[("report", Access::Read)]), |_| {});
        let Repair { needed, tried } = repair(&role(), None, &tenant);
        let needed = texts(&needed);
        assert_eq!(
            needed[..2],
            [
                "REVOKE ALL ON DATABASE \"acme\" FROM \"report\" CASCADE".to_owned(),
                "REVOKE ALL ON SCHEMA \"app\" FROM \"report\" CASCADE".to_owned()
            ]
        );
        assert!(needed[2].starts_with("COMMENT ON ROLE \"acme\"") && !needed[2].contains("admitted"), "{needed:?}");
        assert!(matches!(&tried[..], [Change::Tidy { home, .. }] if !home.contains("report")), "{tried:?}");
    }

    #[test]
    fn a_tenant_that_is_shut_out_is_closed_to_it() {
        let mut tenant = seen(&snapshot(&[("report", Access::Read)]), |_| {});
        tenant.role.as_mut().unwrap().login = false;
        tenant.connected = vec![fixture::connected("report", Some("acme"))];
        let suspended = Desired { goal: Goal::Suspended, ..fixture::desired() };
        let Repair { needed, tried } = crate::tenant::repair(&suspended, &tenant);
        assert_eq!(texts(&needed), ["REVOKE ALL ON DATABASE \"acme\" FROM \"report\" CASCADE"]);
        assert!(matches!(tried[..], [Change::EndDatabaseSessions { .. }]), "{tried:?}");
    }

    /// Whoever gets its name later is another: the record goes with the role.
    #[test]
    fn the_record_of_a_role_that_is_gone_is_struck() {
        let mut gone = snapshot(&[("report", Access::Read)]);
        gone.admitted.clear();
        gone.databases[0].acl.retain(|grant| grant.grantee.as_deref() != Some("report"));
        let mut tenant = seen(&gone, |_| {});
        let inside = tenant.inside.as_mut().unwrap();
        inside.schemas[0].acl.retain(|grant| grant.grantee.as_deref() != Some("report"));
        (inside.grants, inside.defaults) = (Vec::new(), Vec::new());
        let needed = texts(&crate::tenant::repair(&fixture::desired(), &tenant).needed);
        assert!(
            matches!(&needed[..], [mark] if mark.starts_with("COMMENT ON ROLE") && !mark.contains("report")),
            "{needed:?}"
        );
    }

    #[test]
    fn a_record_has_room_for_so_many() {
        let names: Vec<String> = (0..300).map(|number| format!("a_role_of_some_name_{number}")).collect();
        let all: Vec<(&str, Access)> = names.iter().map(|name| (name.as_str(), Access::Read)).collect();
        let fits = |count: usize| fits(&role(), &seen(&snapshot(&all[..count]), |_| {}));
        assert!(fits(50) && !fits(120));
    }
}

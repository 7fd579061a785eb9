//! A snapshot that was sorted once. Each refresh looks for one tenant, and a cluster has thousands: to go through all rows for
//! each of them takes a time that grows with the square of their number.
//!
//! Invariant: what [`Observed`] finds in a whole snapshot, it finds in the part of it that is the tenant's.

use std::collections::{BTreeSet, HashMap};
use std::ops::Deref;
use std::sync::Arc;

use crate::postgres::{RoleName, Snapshot};

use super::marker::Marker;
use super::names::{Names, TenantName};
use super::observed::Observed;

/// A snapshot, and which of its rows belong to which names.
pub struct Sorted {
    snapshot: Arc<Snapshot>,
    databases: By,
    databases_of_tenant: By,
    /// By those whom the database's privileges name.
    databases_of_grantee: By,
    roles: By,
    roles_of_tenant: By,
    settings_of_role: By,
    /// Those for a database and any role.
    settings_of_database: By,
    memberships_of_role: By,
    memberships_of_member: By,
    dependencies_of_role: By,
    dependencies_in_database: By,
    server_grants: By,
    slots: By,
    subscriptions: By,
}

impl Deref for Sorted {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}

impl Sorted {
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        let all = &*snapshot;
        Sorted {
            databases: By::of(&all.databases, |database| [database.name.as_str()]),
            databases_of_tenant: By::of(&all.databases, |database| tenants(database.comment.as_deref())),
            databases_of_grantee: By::of(&all.databases, |database| {
                database.acl.iter().filter_map(|grant| grant.grantee.as_deref())
            }),
            roles: By::of(&all.roles, |role| [role.name.as_str()]),
            roles_of_tenant: By::of(&all.roles, |role| tenants(role.comment.as_deref())),
            settings_of_role: By::of(&all.settings, |setting| setting.role.as_deref()),
            settings_of_database: By::of(&all.settings, |setting| {
                setting.database.as_deref().filter(|_| setting.role.is_none())
            }),
            memberships_of_role: By::of(&all.memberships, |membership| [membership.role.as_str()]),
            memberships_of_member: By::of(&all.memberships, |membership| [membership.member.as_str()]),
            dependencies_of_role: By::of(&all.dependencies, |dependency| [dependency.role.as_str()]),
            dependencies_in_database: By::of(&all.dependencies, |dependency| dependency.database.as_deref()),
            server_grants: By::of(&all.server_grants, |grant| grant.grantee.as_deref()),
            slots: By::of(&all.slots, |slot| [slot.database.as_str()]),
            subscriptions: By::of(&all.subscriptions, |subscription| [subscription.database.as_str()]),
            snapshot,
        }
    }

    /// Whether it was made of this one.
    pub fn is_of(&self, snapshot: &Arc<Snapshot>) -> bool {
        Arc::ptr_eq(&self.snapshot, snapshot)
    }

    /// All that tells anything of the tenant of these names.
    pub fn part(&self, names: &Names) -> Snapshot {
        self.part_with([names.tenant.as_str()], [names.database.as_str()], [names.role.as_str()])
    }

    /// The same of a tenant of which its name is known, or the one that it had, and of a few roles beside its own.
    pub fn part_of(&self, tenant: &TenantName, roles: &[&RoleName]) -> Snapshot {
        let plain = Names::of(tenant);
        let names = Observed::marked(&self.part(&plain), tenant).unwrap_or(plain);
        let roles = roles.iter().map(|role| role.as_str()).chain([names.role.as_str()]);
        self.part_with([tenant.as_str(), names.tenant.as_str()], [names.database.as_str()], roles)
    }

    fn part_with<'a>(
        &self,
        tenants: impl IntoIterator<Item = &'a str>,
        databases: impl IntoIterator<Item = &'a str>,
        roles: impl IntoIterator<Item = &'a str>,
    ) -> Snapshot {
        let all = &*self.snapshot;
        let tenants: BTreeSet<&str> = tenants.into_iter().collect();
        let mut databases = self.databases.rows(databases);
        databases.extend(self.databases_of_tenant.rows(tenants.iter().copied()));
        let mut own = self.roles.rows(roles);
        own.extend(self.roles_of_tenant.rows(tenants.iter().copied()));
        // What still carries the name that the tenant had is its own too.
        let markers = own.iter().filter_map(|&at| Marker::parse(all.roles[at].comment.as_deref()));
        let markers: Vec<Marker> = markers.collect();
        own.extend(self.roles_of_tenant.rows(markers.iter().filter_map(|marker| marker.was.as_deref())));

        let own: BTreeSet<&str> = own.into_iter().map(|at| all.roles[at].name.as_str()).collect();
        let reached = self.reached(&own);
        let everyone = || own.union(&reached).copied();
        databases.extend(self.databases_of_grantee.rows(everyone()));
        let places: BTreeSet<&str> = databases.iter().map(|&at| all.databases[at].name.as_str()).collect();
        let mut settings = self.settings_of_role.rows(own.iter().copied());
        settings.extend(self.settings_of_database.rows(places.iter().copied()));
        let mut memberships = self.memberships_of_role.rows(own.iter().copied());
        memberships.extend(self.memberships_of_member.rows(everyone()));
        let mut dependencies = self.dependencies_of_role.rows(everyone());
        dependencies.extend(self.dependencies_in_database.rows(places.iter().copied()));
        let admitted = markers.iter().flat_map(|marker| marker.admitted.keys());
        let oversized = own.iter().filter_map(|role| all.oversized.get_key_value(*role));
        Snapshot {
            server: all.server.clone(),
            databases: picked(&all.databases, &databases),
            roles: picked(&all.roles, &self.roles.rows(everyone())),
            admitted: admitted.filter(|role| all.admitted.contains(*role)).cloned().collect(),
            settings: picked(&all.settings, &settings),
            privileged: all.privileged.clone(),
            oversized: oversized.map(|(role, count)| (role.clone(), *count)).collect(),
            memberships: picked(&all.memberships, &memberships),
            dependencies: picked(&all.dependencies, &dependencies),
            server_grants: picked(&all.server_grants, &self.server_grants.rows(everyone())),
            slots: picked(&all.slots, &self.slots.rows(places.iter().copied())),
            subscriptions: picked(&all.subscriptions, &self.subscriptions.rows(places.iter().copied())),
            connected: all.connected.clone(),
            prepared: all.prepared.clone(),
        }
    }

    /// The roles that some reach by memberships, of any length.
    fn reached<'a>(&'a self, roles: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&str> = roles.iter().copied().collect();
        while let Some(member) = next.pop() {
            for at in self.memberships_of_member.rows([member]) {
                let role = self.snapshot.memberships[at].role.as_str();
                if reached.insert(role) {
                    next.push(role);
                }
            }
        }
        reached
    }
}

/// The tenants that a comment speaks of, if it is a marker: by the name that it has, and by the one that it had.
fn tenants(comment: Option<&str>) -> Vec<String> {
    Marker::parse(comment)
        .map_or_else(Vec::new, |marker| [Some(marker.tenant), marker.was].into_iter().flatten().collect())
}

fn picked<T: Clone>(rows: &[T], which: &BTreeSet<usize>) -> Vec<T> {
    which.iter().map(|&at| rows[at].clone()).collect()
}

/// The numbers of rows by a name in them.
struct By(HashMap<String, Vec<usize>>);

impl By {
    fn of<'a, T, I>(rows: &'a [T], names: impl Fn(&'a T) -> I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let mut by: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            for name in names(row) {
                by.entry(name.into()).or_default().push(at);
            }
        }
        By(by)
    }

    fn rows<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> BTreeSet<usize> {
        names.into_iter().filter_map(|name| self.0.get(name)).flatten().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;
    use crate::postgres::catalog::snapshot::{Database, Membership, Placed, Role, ServerGrant};
    use crate::tenant::fixture::{self, dependency, grant, membership, names_of, setting};
    use crate::tenant::{Access, Stage};

    /// Few, so that they meet.
    const NAMES: [&str; 6] = ["acme", "acme_old", "globex", "acme_ro", "group", "outer"];

    fn name() -> impl Strategy<Value = &'static str> {
        select(&NAMES[..])
    }

    fn marker() -> impl Strategy<Value = Option<String>> {
        let stage = select(vec![Stage::Creating, Stage::Made, Stage::Ready, Stage::Archived]);
        let access = prop::option::weighted(0.3, select(vec![Access::Read, Access::Owner]));
        let made =
            (name(), prop::option::weighted(0.3, name()), stage, name(), name(), access, prop::option::of(name()));
        let text = made.prop_map(|(tenant, was, stage, database, role, access, admitted)| {
            let names = Names { database: database.parse().unwrap(), role: role.parse().unwrap(), ..names_of(tenant) };
            let admitted = admitted.into_iter().map(|role| (role.to_owned(), Access::Read)).collect();
            let was = was.map(str::to_owned);
            Marker { was, access, admitted, ..fixture::marker(&names, stage) }.text()
        });
        prop::option::weighted(0.8, text)
    }

    fn databases() -> impl Strategy<Value = Vec<Database>> {
        let one = (marker(), any::<bool>(), prop::option::of(name()));
        (subsequence(&NAMES[..], 0..=4), prop::collection::vec(one, 4)).prop_map(|(names, rows)| {
            let made = names.into_iter().zip(rows).map(|(name, (comment, owner_usable, grantee))| Database {
                owner_usable,
                acl: grantee.map(|grantee| grant(Some(grantee), "CONNECT")).into_iter().collect(),
                ..fixture::database(name, comment)
            });
            made.collect()
        })
    }

    fn roles() -> impl Strategy<Value = Vec<Role>> {
        let one = (marker(), prop::bool::weighted(0.8));
        (subsequence(&NAMES[..], 0..=6), prop::collection::vec(one, 6)).prop_map(|(names, rows)| {
            let made = names.into_iter().zip(rows);
            made.map(|(name, (comment, manageable))| Role { manageable, ..fixture::role(name, comment) }).collect()
        })
    }

    prop_compose! {
        fn snapshot()(
            databases in databases(),
            roles in roles(),
            memberships in prop::collection::vec((name(), name(), any::<bool>()), 0..6),
            settings in prop::collection::vec((prop::option::of(name()), prop::option::of(name())), 0..6),
            dependencies in prop::collection::vec((name(), prop::option::of(name())), 0..6),
            grants in prop::collection::vec(prop::option::of(name()), 0..3),
            placed in prop::collection::vec(name(), 0..3),
            oversized in subsequence(&NAMES[..], 0..=2),
            admitted in subsequence(&NAMES[..], 0..=3),
        ) -> Snapshot {
            let slots: Vec<Placed> =
                placed.into_iter().map(|database| Placed { name: "s".to_owned(), database: database.to_owned() }).collect();
            let server_grant = |grantee: Option<&str>| ServerGrant {
                class: "tablespace".to_owned(),
                name: "fast".to_owned(),
                owner_usable: true,
                grantee: grantee.map(str::to_owned),
                privilege: "CREATE".to_owned(),
                grantable: false,
            };
            Snapshot {
                databases,
                roles,
                memberships: memberships
                    .into_iter()
                    .map(|(role, member, automatic)| Membership { automatic, ..membership(role, member) })
                    .collect(),
                settings: settings.into_iter().map(|(database, role)| setting(database, role, "work_mem", "1")).collect(),
                dependencies: dependencies
                    .into_iter()
                    .map(|(role, database)| dependency(role, database, "pg_class", "o", 1))
                    .collect(),
                server_grants: grants.into_iter().map(server_grant).collect(),
                subscriptions: slots.clone(),
                slots,
                oversized: oversized.into_iter().map(|role| (role.to_owned(), 300)).collect(),
                admitted: admitted.into_iter().map(str::to_owned).collect(),
                ..fixture::bare()
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn in_its_part_a_tenant_is_found_as_in_the_whole(
            snapshot in snapshot(), tenant in name(), database in name(), role in name(), further in name(),
        ) {
            let sorted = Sorted::new(Arc::new(snapshot.clone()));
            let names = Names { database: database.parse().unwrap(), role: role.parse().unwrap(), ..names_of(tenant) };
            let (whole, part) = (Observed::locate(&snapshot, &names), sorted.part(&names));
            prop_assert_eq!(&Observed::locate(&part, &names), &whole);
            prop_assert_eq!(whole.conflict(&part, &names), whole.conflict(&snapshot, &names));
            let (name, further) = (&names.tenant, further.parse().unwrap());
            let part = sorted.part_of(name, &[&further]);
            prop_assert_eq!(Observed::find(&part, name), Observed::find(&snapshot, name));
            let whole = Observed::find_or_rest(&snapshot, name);
            prop_assert_eq!(&Observed::find_or_rest(&part, name), &whole);
            prop_assert_eq!(Observed::companion(&part, &whole, &further), Observed::companion(&snapshot, &whole, &further));
        }
    }

    #[test]
    fn a_part_holds_nothing_of_others() {
        let mut snapshot = fixture::snapshot();
        for number in 0..50 {
            let name = format!("other{number}");
            let comment = Some(fixture::marker(&names_of(&name), Stage::Ready).text());
            snapshot.databases.push(fixture::database(&name, comment.clone()));
            snapshot.roles.push(fixture::role(&name, comment));
            snapshot.memberships.push(membership("group", &name));
            snapshot.settings.push(setting(Some(&name), Some(&name), "search_path", "app"));
            snapshot.dependencies.push(dependency(&name, Some(&name), "pg_namespace", "a", 1));
        }
        snapshot.roles.push(fixture::role("group", None));
        snapshot.memberships.push(membership("group", "acme"));
        let sorted = Sorted::new(Arc::new(snapshot));
        let part = sorted.part(&names_of("acme"));
        let sizes = [part.databases.len(), part.roles.len(), part.memberships.len(), part.dependencies.len()];
        assert_eq!(sizes, [1, 2, 1, 1]);
    }
}

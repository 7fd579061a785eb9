//! Capacity: what the tenants may take together, against what the server has for them.

use std::collections::{BTreeMap, BTreeSet};

use crate::postgres::catalog::capacity::Capacity;
use crate::postgres::catalog::snapshot::Role;
use crate::postgres::{RoleName, Snapshot};

use super::TenantName;
use super::observed::{Place, places};

/// What one tenant may take, and takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The CONNECTION LIMIT of its own role and of its further ones, together; `None` is no limit.
    pub allowed: Option<i64>,
    /// Of its further ones.
    pub further: i64,
    pub used: i64,
}

/// The share of every tenant that has a role: suspended and half-made ones too, for they may be let in
/// at any time.
pub fn shares(snapshot: &Snapshot, capacity: &Capacity) -> BTreeMap<String, Share> {
    let share = |role: &Role| Share {
        allowed: u32::try_from(role.connection_limit).ok().map(i64::from),
        further: 0,
        used: i64::from(capacity.by_role.get(&role.name).copied().unwrap_or_default()),
    };
    let sum = |sum: Share, other: Share| Share {
        allowed: sum.allowed.zip(other.allowed).map(|(sum, other)| sum + other),
        further: sum.further + other.allowed.unwrap_or_default(),
        used: sum.used + other.used,
    };
    let all = |place: Place<'_>| Some(place.companions.iter().copied().map(share).fold(share(place.role?), sum));
    places(snapshot).into_iter().filter_map(|(tenant, place)| Some((tenant, all(place)?))).collect()
}

/// How many connections there are for roles that nothing is kept back for.
pub fn available(capacity: &Capacity) -> i64 {
    let kept_back = [Some(capacity.superuser_reserved), capacity.reserved, capacity.rds_reserved];
    kept_back.into_iter().flatten().map(i64::from).fold(i64::from(capacity.max_connections), |left, kept| left - kept)
}

/// What these limits come to. A tenant without one may take everything that is available.
fn committed(allowed: impl IntoIterator<Item = Option<i64>>, available: i64) -> i64 {
    allowed.into_iter().map(|limit| limit.unwrap_or(available)).sum()
}

/// What the tenants may open together, and how many connections there are for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sums {
    pub committed: i64,
    pub available: i64,
}

impl Sums {
    pub fn of(shares: &BTreeMap<String, Share>, capacity: &Capacity) -> Self {
        let available = available(capacity);
        Sums { committed: committed(shares.values().map(|share| share.allowed), available), available }
    }

    pub fn headroom(self) -> i64 {
        self.available - self.committed
    }
}

/// The limits on record, and those that a plan raises.
///
/// What a plan lowers, and the tenants that it destroys, count as they are: the writes of an apply come
/// in any order, and so do the plans of its resources. What is allowed thus does not hang on that order.
#[derive(Clone, Debug)]
pub struct Budget {
    capacity: Capacity,
    shares: BTreeMap<String, Share>,
    raised: BTreeMap<TenantName, Raised>,
    /// The limits of further roles on record, and by how much those that are planned are more.
    roles: BTreeMap<String, i64>,
    more: BTreeMap<String, i64>,
}

#[derive(Clone, Debug)]
struct Raised {
    limit: i64,
    formerly: Option<TenantName>,
}

/// That the tenants may open more connections than there are for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overcommitment {
    pub committed: i64,
    pub available: i64,
    pub capacity: Capacity,
    /// Tenants without a limit.
    pub unlimited: BTreeSet<String>,
}

impl Budget {
    pub fn new(snapshot: &Snapshot, capacity: Capacity) -> Self {
        let further = places(snapshot).into_values().flat_map(|place| place.companions);
        let roles = further.map(|role| (role.name.clone(), i64::from(role.connection_limit.max(0)))).collect();
        let (raised, more) = (BTreeMap::new(), BTreeMap::new());
        Budget { shares: shares(snapshot, &capacity), capacity, raised, roles, more }
    }

    /// Notes that `tenant`, which may have been called otherwise before, is to have `limit` connections.
    /// If that is more than it has on record: whether what is planned so far is too much for the server.
    pub fn plan(&mut self, tenant: &TenantName, formerly: Option<&TenantName>, limit: i64) -> Option<Overcommitment> {
        let available = available(&self.capacity);
        // Guardrails whose tenant was renamed, and not some that turn to another tenant.
        let formerly = formerly.filter(|_| !self.shares.contains_key(tenant.as_str()));
        let on_record = self.shares.get(formerly.unwrap_or(tenant).as_str());
        let own = |share: &Share| share.allowed.map_or(available, |allowed| allowed - share.further);
        if on_record.is_some_and(|share| own(share) >= limit) {
            self.raised.remove(tenant);
            return None;
        }
        let limit = limit + on_record.map_or(0, |share| share.further);
        self.raised.insert(tenant.clone(), Raised { limit, formerly: formerly.cloned() });
        self.too_much()
    }

    /// The same for a further role.
    pub fn plan_role(&mut self, role: &RoleName, formerly: &RoleName, limit: i64) -> Option<Overcommitment> {
        let on_record = [role, formerly].into_iter().find_map(|name| self.roles.get(name.as_str()));
        let more = limit - on_record.copied().unwrap_or_default();
        if more <= 0 {
            return None;
        }
        self.more.insert(role.to_string(), more);
        self.too_much()
    }

    fn too_much(&self) -> Option<Overcommitment> {
        let available = available(&self.capacity);
        let mut planned: BTreeMap<&str, Option<i64>> =
            self.shares.iter().map(|(tenant, share)| (tenant.as_str(), share.allowed)).collect();
        for (tenant, Raised { limit, formerly }) in &self.raised {
            if let Some(formerly) = formerly {
                planned.remove(formerly.as_str());
            }
            planned.insert(tenant.as_str(), Some(*limit));
        }
        let committed = committed(planned.values().copied(), available) + self.more.values().sum::<i64>();
        let unlimited = planned.iter().filter(|(_, limit)| limit.is_none()).map(|(tenant, _)| (*tenant).to_owned());
        (committed > available).then(|| Overcommitment {
            committed,
            available,
            capacity: self.capacity.clone(),
            unlimited: unlimited.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::{Access, Marker, Stage, fixture};

    fn name(text: &str) -> TenantName {
        text.parse().unwrap()
    }

    /// A server for 40, of which 8 are kept back: 32 are available.
    fn capacity() -> Capacity {
        Capacity {
            max_connections: 40,
            superuser_reserved: 3,
            reserved: Some(5),
            rds_reserved: None,
            in_use: 9,
            hidden: false,
            by_role: [("a".to_owned(), 4), ("admin".to_owned(), 5)].into(),
        }
    }

    /// Tenants with these limits.
    fn snapshot(limits: &[(&str, Stage, i32)]) -> Snapshot {
        let role = |(tenant, stage, limit): &(&str, Stage, i32)| {
            let names = fixture::names_of(tenant);
            let comment = Marker::new(&names, *stage, None).text();
            Role { connection_limit: *limit, ..fixture::role(tenant, Some(comment)) }
        };
        Snapshot { roles: limits.iter().map(role).collect(), ..fixture::bare() }
    }

    #[test]
    fn what_is_kept_back_is_not_available() {
        let check = |reserved, rds_reserved, expected| {
            assert_eq!(available(&Capacity { reserved, rds_reserved, ..capacity() }), expected);
        };
        check(None, None, 37);
        check(Some(0), None, 37);
        check(Some(5), None, 32);
        check(None, Some(2), 35);
        check(Some(5), Some(2), 30);
    }

    #[test]
    fn every_tenant_that_has_a_role_has_a_share() {
        let mut snapshot = snapshot(&[
            ("a", Stage::Ready, 10),
            ("b", Stage::Creating, 20),
            ("c", Stage::Archived, 30),
            ("d", Stage::Ready, -1),
        ]);
        // Somebody took the comment of its role away; the one of its database says whose it is.
        let database = fixture::observed().database.unwrap();
        snapshot.databases.push(database);
        snapshot.roles.push(Role { name: "acme".into(), comment: None, ..fixture::observed().role.unwrap() });
        let share = |allowed, used| Share { allowed, further: 0, used };
        assert_eq!(
            shares(&snapshot, &capacity()),
            [
                ("a".to_owned(), share(Some(10), 4)),
                ("acme".to_owned(), share(Some(10), 0)),
                ("b".to_owned(), share(Some(20), 0)),
                ("d".to_owned(), share(None, 0)),
            ]
            .into()
        );
    }

    /// Tenant `a` with a further role of 3 connections.
    fn with_further() -> Snapshot {
        let mut snapshot = snapshot(&[("a", Stage::Ready, 10), ("b", Stage::Ready, 15)]);
        let marker = Marker { access: Some(Access::Read), ..Marker::new(&fixture::names_of("a"), Stage::Ready, None) };
        snapshot.roles.push(Role { connection_limit: 3, ..fixture::role("a_ro", Some(marker.text())) });
        snapshot
    }

    #[test]
    fn further_roles_count_for_their_tenant() {
        let by_role = [("a".to_owned(), 4), ("a_ro".to_owned(), 2)].into();
        let shares = shares(&with_further(), &Capacity { by_role, ..capacity() });
        assert_eq!(shares["a"], Share { allowed: Some(13), further: 3, used: 6 });
        // 13 and 15 of 32: there are 4 more.
        let budget = || Budget::new(&with_further(), capacity());
        let committed = |found: Option<Overcommitment>| found.map(|found| found.committed);
        let role = |name: &str| name.parse::<RoleName>().unwrap();
        assert_eq!(committed(budget().plan(&name("a"), None, 14)), None);
        assert_eq!(committed(budget().plan(&name("a"), None, 15)), Some(33));
        assert_eq!(committed(budget().plan_role(&role("a_new"), &role("a_new"), 4)), None);
        assert_eq!(committed(budget().plan_role(&role("a_new"), &role("a_new"), 5)), Some(33));
        // What it has on record is counted already, by the name that it had too.
        assert_eq!(committed(budget().plan_role(&role("a_ro"), &role("a_ro"), 7)), None);
        assert_eq!(committed(budget().plan_role(&role("a_rw"), &role("a_ro"), 8)), Some(33));
        assert_eq!(committed(budget().plan_role(&role("a_ro"), &role("a_ro"), 1)), None);
        // Both together, whichever is planned first.
        let mut both = budget();
        assert_eq!(committed(both.plan(&name("a"), None, 12)), None);
        assert_eq!(committed(both.plan_role(&role("a_new"), &role("a_new"), 3)), Some(33));
    }

    #[test]
    fn without_a_limit_counts_as_all_that_is_available() {
        assert_eq!(committed([Some(10), None, Some(1)], 32), 43);
        assert_eq!(committed([], 32), 0);
    }

    /// Plans these (tenant, former name, limit) on a server where `a` has 10 and `b` 20, and demands
    /// what is said to be committed where that is too much.
    #[track_caller]
    fn check(planned: &[(&str, Option<&str>, i64)], expected: &[Option<i64>]) {
        let mut budget = Budget::new(&snapshot(&[("a", Stage::Ready, 10), ("b", Stage::Ready, 20)]), capacity());
        let found: Vec<_> = planned
            .iter()
            .map(|(tenant, formerly, limit)| {
                budget.plan(&name(tenant), formerly.map(name).as_ref(), *limit).map(|too_much| too_much.committed)
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_plan_may_commit_all_and_no_more() {
        check(&[("a", None, 12)], &[None]);
        check(&[("a", None, 13)], &[Some(33)]);
        check(&[("c", None, 2)], &[None]);
        check(&[("c", None, 3)], &[Some(33)]);
        check(&[("c", None, 1), ("a", None, 11)], &[None, None]);
        check(&[("c", None, 1), ("a", None, 12)], &[None, Some(33)]);
    }

    #[test]
    fn a_limit_that_is_not_raised_is_never_too_much() {
        let mut budget = Budget::new(&snapshot(&[("a", Stage::Ready, 100), ("b", Stage::Ready, -1)]), capacity());
        for (tenant, limit) in [("a", 100), ("a", 1), ("b", 32), ("b", 1)] {
            assert_eq!(budget.plan(&name(tenant), None, limit), None, "{tenant} {limit}");
        }
        let too_much = budget.plan(&name("c"), None, 1).unwrap();
        assert_eq!((too_much.committed, too_much.unlimited), (133, ["b".to_owned()].into()));
    }

    #[test]
    fn what_is_lowered_counts_until_that_is_applied_whichever_is_planned_first() {
        check(&[("b", None, 1), ("a", None, 13)], &[None, Some(33)]);
        check(&[("a", None, 13), ("b", None, 1)], &[Some(33), None]);
    }

    #[test]
    fn a_renamed_tenant_takes_its_limit_along() {
        check(&[("z", Some("a"), 10)], &[None]);
        check(&[("z", Some("a"), 12)], &[None]);
        check(&[("z", Some("a"), 13)], &[Some(33)]);
        // Not renamed: guardrails that turn to another tenant, and leave the first one as it was.
        check(&[("a", Some("b"), 12)], &[None]);
    }
}

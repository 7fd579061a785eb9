//! Signals: whose sessions wait, block and linger. A session belongs to the tenant whose role it has,
//! in whichever database it is.

use std::collections::BTreeMap;

use crate::postgres::catalog::signals::{Blocked, Signals, Transaction};

use super::observed::Place;

/// The tenants by their roles.
pub struct Roles<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Roles<'a> {
    pub fn of(places: &'a BTreeMap<String, Place<'a>>) -> Self {
        let pairs = |(tenant, place): (&'a String, &'a Place<'a>)| {
            place.roles().map(move |role| (role.name.as_str(), tenant.as_str()))
        };
        Roles(places.iter().flat_map(pairs).collect())
    }

    /// The tenant whose role that is.
    pub fn tenant(&self, role: Option<&str>) -> Option<&'a str> {
        self.0.get(role?).copied()
    }

    /// The oldest transaction: of `only`, or of all roles.
    pub fn oldest<'s>(&self, signals: &'s Signals, only: Option<&str>) -> Option<&'s Transaction> {
        let of = |transaction: &&Transaction| only.is_none() || self.tenant(Some(&transaction.role)) == only;
        signals.transactions.iter().filter(of).max_by(|one, other| one.seconds.total_cmp(&other.seconds))
    }

    /// Who waits for whom: those of whom `only` is one, or all.
    pub fn blocked<'s>(&self, signals: &'s Signals, only: Option<&str>) -> Vec<&'s Blocked> {
        let of = |blocked: &&Blocked| {
            let roles = [&blocked.role, &blocked.blocking_role];
            only.is_none() || roles.iter().any(|role| self.tenant(role.as_deref()) == only)
        };
        signals.blocked.iter().filter(of).collect()
    }
}

/// The part of the blocks asked for that was in shared buffers; `None` where none was asked for.
pub fn cache_hit_ratio(hit: i64, read: i64) -> Option<f64> {
    let all = hit.saturating_add(read);
    #[allow(clippy::cast_precision_loss)] // a ratio of four places
    (all > 0).then(|| (hit as f64 / all as f64 * 10_000.0).round() / 10_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::catalog::snapshot::Role;
    use crate::tenant::fixture;

    /// Asks about tenants `a` and `b`, whose roles are `role_a` and `role_b`, and the admin.
    fn check(only: Option<&str>, oldest: Option<i64>, blocked: &[i64]) {
        let role = |name: &str| Role { name: name.to_owned(), ..fixture::observed().role.unwrap() };
        let (role_a, role_b) = (role("role_a"), role("role_b"));
        let place = |role| Place { role: Some(role), companions: Vec::new(), database: None };
        let places = [("a".to_owned(), place(&role_a)), ("b".to_owned(), place(&role_b))].into();
        let transaction = |role: &str, pid, seconds| Transaction {
            role: role.to_owned(),
            pid,
            application_name: None,
            state: None,
            seconds,
        };
        let pair = |pid, role: Option<&str>, blocking_role: Option<&str>| Blocked {
            role: role.map(str::to_owned),
            kind: None,
            pid,
            waited: Some(1.0),
            blocking_role: blocking_role.map(str::to_owned),
            blocking_kind: None,
            blocking_pid: 9,
            blocking_state: None,
            blocking_transaction: None,
        };
        let signals = Signals {
            transactions: vec![transaction("role_a", 1, 5.5), transaction("admin", 2, 7.0)],
            blocked: vec![
                pair(3, Some("role_a"), Some("role_b")),
                pair(4, Some("admin"), Some("role_a")),
                pair(5, Some("role_b"), None),
            ],
            ..Signals::default()
        };
        let roles = Roles::of(&places);
        assert_eq!(roles.oldest(&signals, only).map(|transaction| transaction.pid), oldest);
        assert_eq!(roles.blocked(&signals, only).iter().map(|pair| pair.pid).collect::<Vec<_>>(), blocked);
    }

    #[test]
    fn sessions_belong_to_the_tenant_of_their_role() {
        check(None, Some(2), &[3, 4, 5]);
        check(Some("a"), Some(1), &[3, 4]);
        check(Some("b"), None, &[3, 5]);
        // A role's name is no tenant's.
        check(Some("role_a"), None, &[]);
    }

    #[test]
    fn a_ratio_needs_something_to_be_a_part_of() {
        assert_eq!(cache_hit_ratio(0, 0), None);
        assert_eq!(cache_hit_ratio(0, 7), Some(0.0));
        assert_eq!(cache_hit_ratio(2, 1), Some(0.6667));
        assert_eq!(cache_hit_ratio(i64::MAX, 1), Some(1.0));
    }
}

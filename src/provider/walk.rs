//! What Terraform has read and planned in one walk. It hands over resources one by one, and without their addresses: what they
//! mean for each other is known here alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::tenant::TenantName;
use crate::tf_provider::Diagnostic;

/// What only one resource of a configuration may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    Tenant,
    Database,
    Role,
    Guardrails,
    /// A server has one.
    Baseline,
    Watchdog,
}

/// A tenant that the state has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub password_version: Option<i64>,
    pub presence: Presence,
}

impl Known {
    pub(super) fn is_there(self) -> bool {
        self.presence != Presence::Gone
    }
}

/// How much of it is on the server, as far as Terraform has heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Complete,
    HalfMade,
    Gone,
}

#[derive(Debug, Default)]
pub(super) struct Walk {
    claims: BTreeSet<(Claim, String)>,
    known: BTreeMap<TenantName, Known>,
    made: BTreeSet<TenantName>,
    completed: BTreeSet<TenantName>,
    governed: BTreeSet<TenantName>,
}

impl Walk {
    /// Notes that a resource plans to have this. `false` if another one does already.
    pub(super) fn claim(&mut self, claim: Claim, name: &str) -> bool {
        self.claims.insert((claim, name.to_owned()))
    }

    /// Notes that the state has this tenant. What was read says more than what is planned after it.
    pub(super) fn note(&mut self, tenant: TenantName, known: Known) {
        self.known.entry(tenant).or_insert(known);
    }

    pub(super) fn known(&self, tenant: &TenantName) -> Option<Known> {
        self.known.get(tenant).copied()
    }

    /// Notes that this tenant is planned to be made, or made anew.
    pub(super) fn make(&mut self, tenant: TenantName) {
        self.made.insert(tenant);
    }

    pub(super) fn makes(&self, tenant: &TenantName) -> bool {
        self.made.contains(tenant)
    }

    /// Notes that this tenant was made, and is complete.
    pub(super) fn complete(&mut self, tenant: TenantName) {
        self.completed.insert(tenant);
    }

    pub(super) fn completed(&self, tenant: &TenantName) -> bool {
        self.completed.contains(tenant)
    }

    /// Notes that guardrails were set for this tenant.
    pub(super) fn govern(&mut self, tenant: TenantName) {
        self.governed.insert(tenant);
    }

    pub(super) fn governs(&self, tenant: &TenantName) -> bool {
        self.governed.contains(tenant)
    }
}

/// What a configuration has two of, and a server one.
pub(super) fn two_of(resource: &str) -> Diagnostic {
    Diagnostic::error(
        format!("Two `{resource}` for one server"),
        "Each would undo what the other does. Make them one, or give the one of another server a provider block of its own \
         (`alias`).",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_claimed_once_for_each_kind() {
        let mut walk = Walk::default();
        assert!(walk.claim(Claim::Tenant, "acme") && walk.claim(Claim::Role, "acme"));
        assert!(!walk.claim(Claim::Tenant, "acme") && walk.claim(Claim::Tenant, "globex"));
    }

    #[test]
    fn what_was_read_of_a_tenant_stays() {
        let mut walk = Walk::default();
        let acme: TenantName = "acme".parse().unwrap();
        let read = Known { password_version: Some(1), presence: Presence::HalfMade };
        walk.note(acme.clone(), read);
        walk.note(acme.clone(), Known { presence: Presence::Complete, ..read });
        assert_eq!(walk.known(&acme), Some(read));
        assert!(!walk.makes(&acme));
        walk.make(acme.clone());
        assert!(walk.makes(&acme));
    }
}

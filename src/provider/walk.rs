//! What Terraform has read and planned in one walk. It hands over resources one by one, and without their addresses: what they
//! mean for each other is known here alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::tenant::TenantName;

/// What only one resource of a configuration may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    Tenant,
    Database,
    Role,
    Guardrails,
}

/// A tenant that the state has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub password_version: Option<i64>,
    /// Not half-made.
    pub complete: bool,
}

#[derive(Debug, Default)]
pub(super) struct Walk {
    claims: BTreeSet<(Claim, String)>,
    known: BTreeMap<TenantName, Known>,
    made: BTreeSet<TenantName>,
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
        let read = Known { password_version: Some(1), complete: false };
        walk.note(acme.clone(), read);
        walk.note(acme.clone(), Known { complete: true, ..read });
        assert_eq!(walk.known(&acme), Some(read));
        assert!(!walk.makes(&acme));
        walk.make(acme.clone());
        assert!(walk.makes(&acme));
    }
}

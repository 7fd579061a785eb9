//! What differs between the major versions that are served, in one table.

/// Something that not every served major has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    IdleSessionTimeout,
    TransactionTimeout,
    LocaleProviders,
    BuiltinLocales,
    /// Privileges on single parameters.
    ParameterAcl,
    /// The schema `public` belongs to the owner of its database.
    OwnedPublicSchema,
    /// A membership is on record for each grantor, and revoked from that one; who makes a role becomes
    /// its member with the ADMIN option, and needs that to alter it.
    MembershipsByGrantor,
}

/// The oldest major that is served.
pub const OLDEST: u32 = 13;

impl Feature {
    /// The first major that has it.
    pub fn since(self) -> u32 {
        match self {
            Feature::IdleSessionTimeout => 14,
            Feature::LocaleProviders | Feature::ParameterAcl | Feature::OwnedPublicSchema => 15,
            Feature::MembershipsByGrantor => 16,
            Feature::TransactionTimeout | Feature::BuiltinLocales => 17,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// <https://www.postgresql.org/docs/release/>
    #[test]
    fn majors_have_what_their_release_notes_say() {
        for (feature, since) in [
            (Feature::IdleSessionTimeout, 14),
            (Feature::LocaleProviders, 15),
            (Feature::ParameterAcl, 15),
            (Feature::OwnedPublicSchema, 15),
            (Feature::MembershipsByGrantor, 16),
            (Feature::TransactionTimeout, 17),
            (Feature::BuiltinLocales, 17),
        ] {
            assert_eq!(feature.since(), since, "{feature:?}");
            assert!(since > OLDEST);
        }
    }
}

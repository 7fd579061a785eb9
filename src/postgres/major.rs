//! What differs between the major versions that are served, in one table.

/// Something that not every served major has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    IdleSessionTimeout,
    TransactionTimeout,
    IcuDatabases,
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
            Feature::IcuDatabases | Feature::ParameterAcl | Feature::OwnedPublicSchema => 15,
            Feature::MembershipsByGrantor => 16,
            Feature::TransactionTimeout | Feature::BuiltinLocales => 17,
        }
    }
}

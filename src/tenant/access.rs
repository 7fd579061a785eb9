//! What a further role of a tenant may do in its database, beside the role that the tenant itself logs in with. Where these
//! privileges are required and allowed is said in `charter` and `companion`.

use serde::{Deserialize, Serialize};

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

    /// The privileges on tables and what is like them, in the order of their names.
    pub fn on_relations(self) -> &'static [&'static str] {
        match self {
            Access::Write => &["DELETE", "INSERT", "SELECT", "UPDATE"],
            Access::Read => &["SELECT"],
            Access::Owner | Access::Connect => &[],
        }
    }

    /// Those on sequences. Who writes takes their next values.
    pub fn on_sequences(self) -> &'static [&'static str] {
        match self {
            Access::Write => &["SELECT", "UPDATE", "USAGE"],
            Access::Read => &["SELECT"],
            Access::Owner | Access::Connect => &[],
        }
    }

    /// Those on schemas.
    pub fn on_schemas(self) -> &'static [&'static str] {
        match self {
            Access::Write | Access::Read => &["USAGE"],
            Access::Owner | Access::Connect => &[],
        }
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
            for privileges in [access.on_relations(), access.on_sequences(), access.on_schemas()] {
                assert!(privileges.is_sorted(), "{access:?}: {privileges:?}");
            }
        }
        assert_eq!(Access::named("admin"), None);
    }
}

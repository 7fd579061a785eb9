//! How a tenant is meant to prove who it is. What a server asks for is `postgres::Authentication`; which of them holds for a role is
//! `pg_hba.conf`'s to say, which no role changes by SQL.

use serde::{Deserialize, Serialize};

use crate::postgres::RoleName;

/// The group whose members RDS and Aurora ask for a token of IAM.
pub const RDS_IAM: &str = "rds_iam";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By a password, proved by SCRAM-SHA-256.
    #[default]
    Password,
    /// By a token of IAM that the server asks for in clear text, within TLS.
    RdsIam,
    /// By a certificate that the client shows within TLS.
    Certificate,
}

impl Method {
    pub const ALL: [Method; 3] = [Method::Password, Method::RdsIam, Method::Certificate];

    /// As in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Method::Password => "password",
            Method::RdsIam => RDS_IAM,
            Method::Certificate => "certificate",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    pub fn is_password(self) -> bool {
        self == Method::Password
    }

    /// The group by which the server knows it.
    pub fn group(self) -> Option<RoleName> {
        (self == Method::RdsIam).then(|| RDS_IAM.parse().expect("a name"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for method in Method::ALL {
            assert_eq!(Method::named(method.name()), Some(method));
            assert_eq!(serde_json::to_value(method).unwrap(), method.name());
        }
        assert_eq!(Method::named("md5"), None);
    }
}

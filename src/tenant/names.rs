//! The four names of a tenant, and the names that no tenant may have.

use std::fmt;
use std::str::FromStr;

use crate::postgres::name::InvalidName;
use crate::postgres::{DatabaseName, RoleName, SchemaName};

/// The schema that extensions are installed in: owned by the admin, usable by the tenant, so that no
/// extension's script ever runs where the tenant can plant objects.
pub const EXTENSIONS_SCHEMA: &str = "extensions";

/// The schema of PostgreSQL's own objects, in which a few extensions belong. Every role finds it, and none may create there.
pub const SYSTEM_SCHEMA: &str = "pg_catalog";

/// What the tenant is called in Terraform and in the markers on its objects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TenantName(String);

impl TenantName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        // It is the default of the database and the role, and so keeps their rules.
        text.parse::<DatabaseName>().map(|name| TenantName(name.as_str().to_owned()))
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub tenant: TenantName,
    pub database: DatabaseName,
    pub role: RoleName,
    pub schema: SchemaName,
}

impl Names {
    /// Where a tenant of which nothing is known would be.
    pub fn of(tenant: &TenantName) -> Self {
        let named = || tenant.as_str();
        Names {
            tenant: tenant.clone(),
            database: named().parse().expect("a tenant's name is an identifier"),
            role: named().parse().expect("a tenant's name is an identifier"),
            schema: "app".parse().expect("an identifier"),
        }
    }

    /// Those that are the whole server's: no two tenants have one of them.
    pub fn shared(&self) -> [&str; 3] {
        [self.tenant.as_str(), self.database.as_str(), self.role.as_str()]
    }
}

/// Whether PostgreSQL, RDS or every other database depends on this name: `postgres`, `template0`,
/// `template1`, `rdsadmin`, and whatever begins with `rds_` or `pg_`, in any case; and `public`,
/// which SQL does not take for a role.
pub fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["postgres", "template0", "template1", "rdsadmin", "public", "none"].contains(&name.as_str())
        || name.starts_with("rds_")
        || name.starts_with("pg_")
}

/// Whether a schema of this name is PostgreSQL's own or the one for extensions.
pub fn is_reserved_schema(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("pg_") || name == "information_schema" || name == EXTENSIONS_SCHEMA
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names() {
        for name in [
            "postgres",
            "Postgres",
            "template0",
            "template1",
            "rdsadmin",
            "rds_iam",
            "pg_monitor",
            "public",
            "none",
            "NONE",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["acme", "postgres2", "pgtenant", "rds", "my_pg_"] {
            assert!(!is_reserved(name), "{name}");
        }
        for name in ["pg_toast", "PG_x", "information_schema", "extensions"] {
            assert!(is_reserved_schema(name), "{name}");
        }
        assert!(!is_reserved_schema("public") && !is_reserved_schema("app"));
    }
}

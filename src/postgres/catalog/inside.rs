//! What only a session inside a database sees: its schemas and extensions.

use std::collections::BTreeSet;

use serde::Deserialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_util::sync::CancellationToken;

use super::acl::Grant;
use crate::postgres::SchemaName;
use crate::postgres::error::Error;
use crate::postgres::session::Session;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Inside {
    pub schemas: Vec<Schema>,
    /// Without `plpgsql`, which every database has.
    pub extensions: BTreeSet<String>,
    /// Of roles that are no owner of the object, and not among those that may.
    pub grants: BTreeSet<ObjectGrant>,
    pub default_privileges: BTreeSet<DefaultPrivilege>,
}

/// That a role holds privileges on an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct ObjectGrant {
    /// As `pg_identify_object` says it: `table`, `sequence`, `function`.
    pub class: String,
    pub object: ObjectIdentity,
    pub grantee: String,
    /// `None`: the bootstrap superuser, whose objects are not on record.
    pub owner: Option<String>,
}

/// What objects that `role` makes later grant to `grantee`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct DefaultPrivilege {
    pub role: String,
    /// `None`: in every schema.
    pub schema: Option<String>,
    /// `pg_default_acl.defaclobjtype`: `r` tables, `S` sequences, `f` routines, `T` types, `n` schemas.
    pub class: String,
    /// `None` is PUBLIC.
    pub grantee: Option<String>,
}

/// An object's name as the server wrote and quoted it, fit to stand in SQL. Made from a catalog's answer
/// only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct ObjectIdentity(String);

impl ObjectIdentity {
    /// The name, quoted where it must be, with its schema and, for a routine, its arguments.
    pub fn quoted(&self) -> &str {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn of_test(text: &str) -> Self {
        ObjectIdentity(text.to_owned())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Schema {
    pub name: String,
    pub owner: String,
    /// Whether the admin has the privileges of the owner.
    pub owner_usable: bool,
    pub comment: Option<String>,
    /// Without the owner's own privileges.
    pub acl: Vec<Grant>,
}

/// What to look at inside a database.
#[derive(Clone, Debug, Default)]
pub struct Look<'a> {
    /// These schemas, `public`, and those whose comment begins with `comment_prefix`.
    pub schemas: &'a [&'a SchemaName],
    pub comment_prefix: Option<&'a str>,
    /// What roles other than these hold; `None`: what roles hold is not looked at.
    pub expected_roles: Option<&'a [String]>,
}

pub(in crate::postgres) async fn read(
    session: &Session,
    look: &Look<'_>,
    cancel: &CancellationToken,
) -> Result<Inside, Error> {
    const SUMMARY: &str = "read the database's schemas and extensions";
    let Look { schemas, comment_prefix, expected_roles } = look;
    let names: Vec<&str> = schemas.iter().map(|name| name.as_str()).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&names, Type::TEXT_ARRAY), (comment_prefix, Type::TEXT), (expected_roles, Type::TEXT_ARRAY)];
    let rows = session.query(SUMMARY, include_str!("inside.sql"), &parameters, cancel).await?;
    super::decode(SUMMARY, &rows)
}

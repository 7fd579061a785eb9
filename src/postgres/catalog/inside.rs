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

/// Reads `schemas` and those whose comment begins with `comment_prefix`.
pub(in crate::postgres) async fn read(
    session: &Session,
    schemas: &[&SchemaName],
    comment_prefix: &str,
    cancel: &CancellationToken,
) -> Result<Inside, Error> {
    const SUMMARY: &str = "read the database's schemas and extensions";
    let names: Vec<&str> = schemas.iter().map(|name| name.as_str()).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&names, Type::TEXT_ARRAY), (&comment_prefix, Type::TEXT)];
    let rows = session.query(SUMMARY, include_str!("inside.sql"), &parameters, cancel).await?;
    super::decode(SUMMARY, &rows)
}

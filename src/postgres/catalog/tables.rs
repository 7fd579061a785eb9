//! Dead rows of one database's tables, and the room that they are likely to take.

use serde::Deserialize;
use tokio_postgres::types::Type;
use tokio_util::sync::CancellationToken;

use crate::postgres::error::Error;
use crate::postgres::session::Session;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tables {
    pub live_tuples: i64,
    pub dead_tuples: i64,
    pub estimated_bloat_bytes: i64,
    /// Those with the most estimated bloat, the worst first.
    pub worst: Vec<Table>,
}

/// A table or materialized view; sizes are with its TOAST table and without indexes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Table {
    pub schema: String,
    pub table: String,
    pub live_tuples: i64,
    pub dead_tuples: i64,
    /// As of the last VACUUM or ANALYZE; before the first one, from the number and likely width of rows.
    pub size_bytes: i64,
    /// The part of the size that dead rows have among all rows.
    pub estimated_bloat_bytes: i64,
    /// RFC 3339. `None`: never.
    pub last_vacuum: Option<String>,
    pub last_autovacuum: Option<String>,
}

/// Reads the database that the session is with, and names at most `most` tables.
pub(in crate::postgres) async fn read(
    session: &Session,
    most: i64,
    cancel: &CancellationToken,
) -> Result<Tables, Error> {
    const SUMMARY: &str = "read the database's dead rows";
    let rows = session.query(SUMMARY, include_str!("tables.sql"), &[(&most, Type::INT8)], cancel).await?;
    super::decode(SUMMARY, &rows)
}

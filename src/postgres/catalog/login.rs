//! The role that logged in: another than the admin where the provider assumes a role.

use std::collections::BTreeSet;

use serde::Deserialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_util::sync::CancellationToken;

use crate::postgres::DatabaseName;
use crate::postgres::error::Error;
use crate::postgres::session::Session;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Login {
    pub role: String,
    /// The databases, of those that were asked about, that it may connect to whatever PUBLIC may.
    pub admitted: BTreeSet<String>,
}

pub(in crate::postgres) async fn read(
    session: &Session,
    databases: &[&DatabaseName],
    cancel: &CancellationToken,
) -> Result<Login, Error> {
    const SUMMARY: &str = "read which databases admit the role that logged in";
    let names: Vec<&str> = databases.iter().map(|name| name.as_str()).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&names, Type::TEXT_ARRAY)];
    let rows = session.query(SUMMARY, include_str!("login.sql"), &parameters, cancel).await?;
    super::decode(SUMMARY, &rows)
}

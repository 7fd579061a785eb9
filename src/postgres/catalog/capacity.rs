//! The connections of a server: how many there are, which are kept back, and how many each role holds.

use std::collections::BTreeMap;

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::postgres::error::Error;
use crate::postgres::session::Session;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Capacity {
    pub max_connections: u32,
    /// `superuser_reserved_connections`
    pub superuser_reserved: u32,
    /// `reserved_connections`; `None` before PostgreSQL 16.
    pub reserved: Option<u32>,
    /// `rds.rds_superuser_reserved_connections`; `None` where there is no such setting.
    pub rds_reserved: Option<u32>,
    /// Of all roles, this session among them.
    pub in_use: u32,
    /// Whether the admin may not see of which kind others' sessions are: parallel workers are then
    /// counted too.
    pub hidden: bool,
    /// How many connections each role holds that holds any.
    pub by_role: BTreeMap<String, u32>,
}

pub(in crate::postgres) async fn read(session: &Session, cancel: &CancellationToken) -> Result<Capacity, Error> {
    const SUMMARY: &str = "read how many connections the server takes";
    let rows = session.query(SUMMARY, include_str!("capacity.sql"), &[], cancel).await?;
    super::decode(SUMMARY, &rows)
}

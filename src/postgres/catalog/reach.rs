//! Which databases some roles can reach beside their own, whatever lets them: a grant, a membership, or
//! PUBLIC.

use std::collections::BTreeSet;

use serde::Deserialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_util::sync::CancellationToken;

use crate::postgres::error::Error;
use crate::postgres::session::Session;
use crate::postgres::{DatabaseName, RoleName};

/// A role and the database that is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    pub role: RoleName,
    pub database: Option<DatabaseName>,
}

#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
pub struct Reach {
    /// How many pairs of a role and a database were looked at.
    pub pairs: u64,
    /// What is allowed, in the order of roles and databases.
    pub allowed: Vec<Allowed>,
}

/// What one role may do on one database.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Allowed {
    pub role: String,
    pub database: String,
    /// On how many databases the role may do anything: the first ten are named.
    pub count: u64,
    pub privileges: BTreeSet<String>,
    /// What PUBLIC holds on the database.
    pub public: BTreeSet<String>,
}

pub(in crate::postgres) async fn read(
    session: &Session,
    homes: &[Home],
    except: &[&str],
    cancel: &CancellationToken,
) -> Result<Reach, Error> {
    const SUMMARY: &str = "read which databases the roles may connect to";
    let roles: Vec<&str> = homes.iter().map(|home| home.role.as_str()).collect();
    let own: Vec<Option<&str>> = homes.iter().map(|home| home.database.as_ref().map(DatabaseName::as_str)).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&roles, Type::TEXT_ARRAY), (&own, Type::TEXT_ARRAY), (&except, Type::TEXT_ARRAY)];
    let rows = session.query(SUMMARY, include_str!("reach.sql"), &parameters, cancel).await?;
    super::decode(SUMMARY, &rows)
}

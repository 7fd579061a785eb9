//! pg_cron: whether it is to be had, what a schema for its jobs holds, and one job.

use serde::Deserialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_util::sync::CancellationToken;

use super::acl::Grant;
use crate::postgres::SchemaName;
use crate::postgres::error::Error;
use crate::postgres::session::Session;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // privileges are held or not
pub struct Cron {
    /// The role that logged in, as which jobs run.
    pub login: String,
    /// The role that acts: that one, or the one that it assumed.
    pub admin: String,
    /// The database that was looked at.
    pub database: String,
    /// `cron.database_name`; `None` if pg_cron is not loaded, or this role may not see it.
    pub home: Option<String>,
    /// `cron.host`, where jobs connect to; `None` as for `home`.
    pub host: Option<String>,
    /// The server's port.
    pub port: i32,
    /// Whether this role sees all settings.
    pub sees_settings: bool,
    /// The version that CREATE EXTENSION would install.
    pub available: Option<String>,
    /// The version in this database.
    pub installed: Option<String>,
    /// Whether the role that logged in may use the schema `cron`.
    pub usable: bool,
    /// Whether the schema's owner, or the admin where there is no schema, sees what the sessions of others do
    /// (`pg_read_all_stats`).
    pub sees_sessions: bool,
    /// Whether it may end them (`pg_signal_backend`).
    pub ends_sessions: bool,
    /// Whether the admin may create schemas in this database.
    pub creates: bool,
    pub schema: Option<Schema>,
    /// The relation `actions` of that schema.
    pub actions: Option<Relation>,
    /// The routine `sweep(boolean, bigint, interval, jsonb)` of that schema.
    pub sweep: Option<Routine>,
    /// Whatever else the schema holds; the first fifty.
    pub others: Vec<Object>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Schema {
    pub owner: String,
    /// Whether the admin has the privileges of the owner.
    pub owner_usable: bool,
    pub comment: Option<String>,
    /// With the owner's own privileges.
    pub acl: Vec<Grant>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Relation {
    pub owner: String,
    pub owner_usable: bool,
    /// A table that is logged and no partition.
    pub ordinary: bool,
    /// Enabled, or forced.
    pub row_security: bool,
    /// `recorded timestamp with time zone NOT NULL DEFAULT clock_timestamp()`
    pub columns: Vec<String>,
    /// As `pg_get_constraintdef` has them, without NOT NULL.
    pub constraints: Vec<String>,
    /// As `pg_get_indexdef` has them, without their names.
    pub indexes: Vec<String>,
    /// What depends on it beside its parts and views; the first twenty.
    pub attached: Vec<Object>,
    /// With the owner's own privileges.
    pub acl: Vec<Grant>,
    /// What others hold on columns, without saying on which.
    pub column_acl: Vec<Grant>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Routine {
    pub owner: String,
    pub owner_usable: bool,
    /// As `pg_get_functiondef` has it; `None` for an aggregate.
    pub definition: Option<String>,
    /// With the owner's own privileges.
    pub acl: Vec<Grant>,
}

/// As `pg_identify_object` has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Object {
    /// `table`, `trigger`, ...
    pub kind: String,
    /// Quoted where that is needed.
    pub identity: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Job {
    pub schedule: String,
    pub command: String,
    pub database: String,
    /// Where it connects to, if it is no background worker.
    pub host: String,
    pub port: i32,
    pub active: bool,
    pub last_run: Option<Run>,
    /// `None`: none is on record.
    pub seconds_since_success: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Run {
    /// `succeeded` or `failed`.
    pub status: String,
    pub message: Option<String>,
}

pub(in crate::postgres) async fn read(
    session: &Session,
    schema: &SchemaName,
    cancel: &CancellationToken,
) -> Result<Cron, Error> {
    const SUMMARY: &str = "read what pg_cron is here";
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&schema.as_str(), Type::TEXT)];
    let rows = session.query(SUMMARY, include_str!("cron.sql"), &parameters, cancel).await?;
    super::decode(SUMMARY, &rows)
}

/// Only where pg_cron is installed: its tables do not exist elsewhere.
pub(in crate::postgres) async fn read_job(
    session: &Session,
    name: &str,
    cancel: &CancellationToken,
) -> Result<Option<Job>, Error> {
    const SUMMARY: &str = "read the job of pg_cron";
    #[derive(Deserialize)]
    struct Answer {
        job: Option<Job>,
    }
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&name, Type::TEXT)];
    let rows = session.query_as_login(SUMMARY, include_str!("job.sql"), &parameters, cancel).await?;
    super::decode::<Answer>(SUMMARY, &rows).map(|answer| answer.job)
}

//! What the sessions of a cluster do now, who waits for whom, and what its databases have counted: one
//! statement from the maintenance database.

use serde::Deserialize;
use tokio_postgres::types::Type;
use tokio_util::sync::CancellationToken;

use crate::postgres::error::Error;
use crate::postgres::session::Session;

/// Durations are in seconds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Signals {
    /// Of each role that has a session.
    pub roles: Vec<Sessions>,
    /// The oldest of each role that is in a transaction.
    pub transactions: Vec<Transaction>,
    /// The longest waits for a lock, those first that wait for somebody who does not wait.
    pub blocked: Vec<Blocked>,
    pub databases: Vec<Counters>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Sessions {
    pub role: String,
    pub connections: i64,
    pub active: i64,
    pub idle: i64,
    pub idle_in_transaction: i64,
    pub waiting_on_locks: i64,
    pub longest_statement: Option<f64>,
    pub longest_transaction: Option<f64>,
    /// Whether the admin may not see what they do: `connections` is then all that counts.
    pub hidden: bool,
}

impl Sessions {
    /// Those of two roles together, by the name of the first.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Sessions {
            role: self.role,
            connections: self.connections + other.connections,
            active: self.active + other.active,
            idle: self.idle + other.idle,
            idle_in_transaction: self.idle_in_transaction + other.idle_in_transaction,
            waiting_on_locks: self.waiting_on_locks + other.waiting_on_locks,
            longest_statement: longest(self.longest_statement, other.longest_statement),
            longest_transaction: longest(self.longest_transaction, other.longest_transaction),
            hidden: self.hidden || other.hidden,
        }
    }
}

fn longest(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Transaction {
    pub role: String,
    pub pid: i64,
    /// Cut at 64 characters.
    pub application_name: Option<String>,
    pub state: Option<String>,
    pub seconds: f64,
}

/// One session that waits for a lock, and one that holds it or is before it in the queue.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Blocked {
    /// `None`: a process of the server's own, as `kind` says.
    pub role: Option<String>,
    /// `pg_stat_activity.backend_type`
    pub kind: Option<String>,
    pub pid: i64,
    pub waited: Option<f64>,
    pub blocking_role: Option<String>,
    pub blocking_kind: Option<String>,
    /// 0: a prepared transaction.
    pub blocking_pid: i64,
    pub blocking_state: Option<String>,
    pub blocking_transaction: Option<f64>,
}

/// What `pg_stat_database` has counted since `stats_reset`, and what holds now.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Counters {
    pub name: String,
    pub commits: i64,
    pub rollbacks: i64,
    pub deadlocks: i64,
    pub temp_files: i64,
    pub temp_bytes: i64,
    pub blocks_read: i64,
    pub blocks_hit: i64,
    /// RFC 3339. `None`: never reset.
    pub stats_reset: Option<String>,
    pub transaction_id_age: i64,
    /// `None`: this admin may not ask.
    pub size_bytes: Option<i64>,
}

pub(in crate::postgres) async fn read(
    session: &Session,
    databases: &[&str],
    cancel: &CancellationToken,
) -> Result<Signals, Error> {
    const SUMMARY: &str = "read what the sessions do and the databases have counted";
    let rows = session.query(SUMMARY, include_str!("signals.sql"), &[(&databases, Type::TEXT_ARRAY)], cancel).await?;
    super::decode(SUMMARY, &rows)
}

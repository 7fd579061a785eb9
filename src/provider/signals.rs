//! Data source `pgtenant_signals`: what each tenant's sessions do, who waits for whom, and what its
//! database has counted. What alerts are made of that the machine's own metrics cannot tell.

use std::sync::Arc;

use crate::postgres::catalog::signals::{Blocked, Counters, Sessions, Transaction};
use crate::postgres::catalog::tables::{Table, Tables};
use crate::postgres::{Cluster, Error};
use crate::tenant::TenantName;
use crate::tenant::observed::{Place, places};
use crate::tenant::signals::{Roles, cache_hit_ratio};
use crate::tf_provider::{
    Attributes, Context, DataSource, Diagnostic, Diagnostics, Field, Path, Schema, State, Value, async_trait, model,
    object,
};

use super::connection::Connection;
use super::{diagnose, names};

/// How many of a tenant's tables are named.
const TABLES: i64 = 10;

pub(super) struct SignalsDataSource {
    connection: Arc<Connection>,
}

impl SignalsDataSource {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        SignalsDataSource { connection }
    }
}

fn schema() -> Schema {
    Model::schema(
        0,
        "What goes on in each tenant, as PostgreSQL itself sees it: sessions and locks now, counters since \
         their last reset. A session belongs to the tenant whose role it has, counters to the tenant's \
         database. One query for all tenants, which reads statistics and shared catalogs only: no \
         tenant's table, and no query's text, for that may hold customers' data. Durations are in \
         seconds, to the millisecond. The admin needs `pg_read_all_stats` (`pg_monitor` holds it; on RDS, \
         so does `rds_superuser`): without it, what other roles' sessions do is null, with a warning.",
    )
}

model! {
    struct Model {
        tenant: Field<String> = optional(
            "Only this tenant: its row, its oldest transaction, and the locks for which it waits or is waited for. \
             Default: all tenants, and in the last two all other roles as well."
        ),
        deep: Field<bool> = optional(
            "Whether to enter each tenant's database and look at its tables: one connection and one query for each, \
             which reads catalogs and statistics and waits for no lock of the tenant's. Names of tables then stand \
             in the state. Default: `false`."
        ),
        oldest_transaction: Field<TransactionRow> = computed(
            "The transaction that is open the longest, null if there is none. `tenant` is null for a role that is no \
             tenant's; `role` and `pid` say whose it is, `state` what it does (`active`, `idle in transaction`), \
             `application_name` what the client calls itself, and `seconds` how long it is open."
        ),
        blocked: Field<Vec<BlockedRow>> = computed(
            "Who waits for a lock, and for whom: one row for each session that waits and each that holds the lock or \
             is before it in the queue. Those first that wait for somebody who does not wait, then the longest \
             waits; at most 100 rows, of the 100 longest waits on the server. `waiting_seconds` is how long the \
             lock is waited for (on PostgreSQL 13, how long the statement that waits has run). \
             `blocking_state` is what the other one does: `idle in transaction` has been forgotten, and \
             `blocking_transaction_seconds` is since when. `tenant` and `blocking_tenant` are null for a role that \
             is no tenant's; `role` and `blocking_role` then say whose session it is, or what: `autovacuum worker`, \
             or `prepared transaction`, whose `blocking_pid` is 0."
        ),
        tenants: Field<Vec<TenantRow>> = computed(
            "The tenants in the order of their names. Of the role's sessions: `connections`, and of those `active`, \
             `idle`, `idle_in_transaction` and `waiting_on_locks` (which are `active` too); \
             `longest_statement_seconds` and `longest_transaction_seconds`, null if there is none. Of the database, \
             counted since `stats_reset` (RFC 3339; null if never reset: then since it was made, or since the \
             server last crashed): `commits`, `rollbacks`, `deadlocks`, `temp_files` and `temp_bytes` that were \
             spilled to disk, and `cache_hit_ratio`, the part from 0 to 1 of the blocks read that were in shared \
             buffers, null if none was read. Of the database now: `size_bytes`, and `transaction_id_age`, the \
             transactions since its oldest row was frozen (autovacuum forces a freeze at 200 million unless told \
             otherwise; the server stops writing before 2 billion). With `deep`, else null, and null where the \
             admin may not connect: `live_tuples`, `dead_tuples`, `estimated_bloat_bytes` of all tables, \
             and `tables`, the 10 with the most estimated bloat among those with dead rows. The \
             estimate is the table's size times dead rows by all rows, TOAST included and indexes not. It does not \
             see room that was freed before and is not used again; the extension `pgstattuple` does. `size_bytes` \
             of a table is as of its last VACUUM or ANALYZE, manual or automatic; before the first one it is \
             guessed from the number of rows and the types of the columns. `last_vacuum` and `last_autovacuum` \
             (RFC 3339) are null if there was none. A session reports what it counts between its \
             transactions: a long one shows late."
        ),
    }
}

object! {
    struct TransactionRow {
        tenant: Option<String>,
        role: String,
        pid: i64,
        application_name: Option<String>,
        state: Option<String>,
        seconds: f64,
    }
}

object! {
    struct BlockedRow {
        tenant: Option<String>,
        role: Option<String>,
        pid: i64,
        waiting_seconds: Option<f64>,
        blocking_tenant: Option<String>,
        blocking_role: Option<String>,
        blocking_pid: i64,
        blocking_state: Option<String>,
        blocking_transaction_seconds: Option<f64>,
    }
}

object! {
    struct TenantRow {
        name: String,
        connections: i64,
        active: Option<i64>,
        idle: Option<i64>,
        idle_in_transaction: Option<i64>,
        waiting_on_locks: Option<i64>,
        longest_statement_seconds: Option<f64>,
        longest_transaction_seconds: Option<f64>,
        deadlocks: Option<i64>,
        temp_bytes: Option<i64>,
        temp_files: Option<i64>,
        cache_hit_ratio: Option<f64>,
        commits: Option<i64>,
        rollbacks: Option<i64>,
        transaction_id_age: Option<i64>,
        size_bytes: Option<i64>,
        stats_reset: Option<String>,
        live_tuples: Option<i64>,
        dead_tuples: Option<i64>,
        estimated_bloat_bytes: Option<i64>,
        tables: Option<Vec<TableRow>>,
    }
}

object! {
    struct TableRow {
        schema: String,
        table: String,
        live_tuples: i64,
        dead_tuples: i64,
        size_bytes: i64,
        estimated_bloat_bytes: i64,
        last_vacuum: Option<String>,
        last_autovacuum: Option<String>,
    }
}

#[async_trait]
impl DataSource for SignalsDataSource {
    fn type_name(&self) -> &'static str {
        "pgtenant_signals"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let tenant = match Model::decode(config) {
            Ok(config) => config.tenant,
            Err(diagnostics) => return diagnostics,
        };
        let Field::Known(text) = tenant else { return Diagnostics::default() };
        names::parse::<TenantName>(Path::attribute("tenant"), &text)
            .map_or_else(Diagnostics::from, |_| Diagnostics::default())
    }

    async fn read(&self, cx: &Context, config: Value) -> Result<State, Diagnostics> {
        let failed = |error: Error| diagnose::error("read the tenants' signals", &error, cx);
        let config = Model::decode(&config)?;
        let cluster = self.connection.cluster().await.map_err(failed)?.ok_or_else(diagnose::not_known)?;
        let snapshot = cluster.snapshot(&cx.cancel).await.map_err(failed)?;
        let places = places(&snapshot);
        let only = config.tenant.as_known().map(String::as_str);
        if let Some(only) = only.filter(|only| !places.contains_key(*only)) {
            return Err(missing(only).into());
        }
        let wanted = || places.iter().filter(|(name, _)| only.is_none_or(|only| only == *name));
        let databases: Vec<&str> =
            wanted().filter_map(|(_, place)| place.database.map(|database| database.name.as_str())).collect();
        let signals = cluster.inspect_signals(&databases, &cx.cancel).await.map_err(failed)?;
        let roles = Roles::of(&places);

        let mut diagnostics = Diagnostics::default();
        if signals.roles.iter().any(|sessions| sessions.hidden) {
            diagnostics.push(hidden());
        }
        let mut rows = Vec::new();
        for (name, place) in wanted() {
            let is_own = |row: &&Sessions| place.roles().any(|role| role.name == row.role);
            let sessions = signals.roles.iter().filter(is_own).cloned().reduce(Sessions::and);
            let counters =
                signals.databases.iter().find(|row| place.database.is_some_and(|found| found.name == row.name));
            let tables = if config.deep == Field::Known(true) {
                match enter(&cluster, place, cx).await {
                    Ok(tables) => tables,
                    // One database is full, was dropped meanwhile, or holds what cannot be read: no reason to say nothing of the
                    // others.
                    Err(error) if !error.is_cancelled() => {
                        diagnostics.push(not_entered(name, &error));
                        None
                    }
                    Err(error) => return Err(failed(error).into()),
                }
            } else {
                None
            };
            rows.push(TenantRow::of(name, sessions.as_ref(), counters, tables));
        }
        let blocked = roles.blocked(&signals, only).into_iter().map(|found| BlockedRow::of(&roles, found));
        let model = Model {
            oldest_transaction: roles.oldest(&signals, only).map(|found| TransactionRow::of(&roles, found)).into(),
            blocked: blocked.collect::<Vec<_>>().into(),
            tenants: rows.into(),
            ..config
        };
        Ok(State { value: model.encode(), diagnostics, ..State::default() })
    }
}

/// The tables of a tenant's database, if there is one and the admin may connect.
async fn enter(cluster: &Cluster, place: &Place<'_>, cx: &Context) -> Result<Option<Tables>, Error> {
    let database = place.database.filter(|database| database.connectable);
    let Some(name) = database.and_then(|database| database.name.parse().ok()) else { return Ok(None) };
    cluster.inspect_tables(&name, TABLES, &cx.cancel).await.map(Some)
}

impl TransactionRow {
    fn of(roles: &Roles<'_>, found: &Transaction) -> Self {
        TransactionRow {
            tenant: roles.tenant(Some(&found.role)).map(str::to_owned),
            role: found.role.clone(),
            pid: found.pid,
            application_name: found.application_name.clone(),
            state: found.state.clone(),
            seconds: found.seconds,
        }
    }
}

impl BlockedRow {
    fn of(roles: &Roles<'_>, found: &Blocked) -> Self {
        let tenant = |role: &Option<String>| roles.tenant(role.as_deref()).map(str::to_owned);
        let whose = |role: &Option<String>, kind: &Option<String>| role.clone().or_else(|| kind.clone());
        BlockedRow {
            tenant: tenant(&found.role),
            role: whose(&found.role, &found.kind),
            pid: found.pid,
            waiting_seconds: found.waited,
            blocking_tenant: tenant(&found.blocking_role),
            blocking_role: whose(&found.blocking_role, &found.blocking_kind),
            blocking_pid: found.blocking_pid,
            blocking_state: found.blocking_state.clone(),
            blocking_transaction_seconds: found.blocking_transaction,
        }
    }
}

impl TenantRow {
    /// Without a session the numbers of sessions are 0; where they are hidden they are null.
    fn of(name: &str, sessions: Option<&Sessions>, counters: Option<&Counters>, tables: Option<Tables>) -> Self {
        let seen = sessions.filter(|sessions| !sessions.hidden);
        let count = |of: fn(&Sessions) -> i64| match sessions {
            None => Some(0),
            Some(_) => seen.map(of),
        };
        TenantRow {
            name: name.to_owned(),
            connections: sessions.map_or(0, |sessions| sessions.connections),
            active: count(|sessions| sessions.active),
            idle: count(|sessions| sessions.idle),
            idle_in_transaction: count(|sessions| sessions.idle_in_transaction),
            waiting_on_locks: count(|sessions| sessions.waiting_on_locks),
            longest_statement_seconds: seen.and_then(|sessions| sessions.longest_statement),
            longest_transaction_seconds: seen.and_then(|sessions| sessions.longest_transaction),
            deadlocks: counters.map(|counters| counters.deadlocks),
            temp_bytes: counters.map(|counters| counters.temp_bytes),
            temp_files: counters.map(|counters| counters.temp_files),
            cache_hit_ratio: counters.and_then(|counters| cache_hit_ratio(counters.blocks_hit, counters.blocks_read)),
            commits: counters.map(|counters| counters.commits),
            rollbacks: counters.map(|counters| counters.rollbacks),
            transaction_id_age: counters.map(|counters| counters.transaction_id_age),
            size_bytes: counters.and_then(|counters| counters.size_bytes),
            stats_reset: counters.and_then(|counters| counters.stats_reset.clone()),
            live_tuples: tables.as_ref().map(|tables| tables.live_tuples),
            dead_tuples: tables.as_ref().map(|tables| tables.dead_tuples),
            estimated_bloat_bytes: tables.as_ref().map(|tables| tables.estimated_bloat_bytes),
            tables: tables.map(|tables| tables.worst.into_iter().map(TableRow::from).collect()),
        }
    }
}

impl From<Table> for TableRow {
    fn from(found: Table) -> Self {
        TableRow {
            schema: found.schema,
            table: found.table,
            live_tuples: found.live_tuples,
            dead_tuples: found.dead_tuples,
            size_bytes: found.size_bytes,
            estimated_bloat_bytes: found.estimated_bloat_bytes,
            last_vacuum: found.last_vacuum,
            last_autovacuum: found.last_autovacuum,
        }
    }
}

fn missing(tenant: &str) -> Diagnostic {
    Diagnostic::error(
        format!("There is no tenant {tenant:?}"),
        "Signals are of a tenant that `pgtenant_tenant` made. Write `tenant = pgtenant_tenant.<name>.name`, so that \
         Terraform makes it first; `pgtenant_tenants` lists those that there are.",
    )
    .at_attribute("tenant")
}

fn hidden() -> Diagnostic {
    Diagnostic::warning(
        "What other roles' sessions do is hidden from this admin",
        "It sees how many there are (parallel workers among them), and neither what they do nor who waits for whom. \
         Grant it pg_read_all_stats (pg_monitor holds it; on RDS, so does rds_superuser).",
    )
}

fn not_entered(tenant: &str, error: &Error) -> Diagnostic {
    Diagnostic::warning(
        format!("The tables of tenant {tenant:?} were not looked at"),
        format!("{error}. What `deep` asks for is null for this tenant; everything else was read."),
    )
}

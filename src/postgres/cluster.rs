//! One cluster: a bounded set of sessions over all its databases, and the snapshot that reads are
//! served from.

pub mod lock;
mod pool;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;
use tokio_postgres::types::Type;
use tokio_util::sync::CancellationToken;

use self::pool::{Pool, Slot};
use super::catalog::capacity::{self, Capacity};
use super::catalog::cron::{self, Cron, Job};
use super::catalog::inside::{self, Inside};
use super::catalog::login::{self, Login};
use super::catalog::offer::{self, Offer, Update};
use super::catalog::reach::{self, Home, Reach};
use super::catalog::setup::{self, Setup};
use super::catalog::signals::{self, Signals};
use super::catalog::snapshot::{self, Filter, Server, Snapshot};
use super::catalog::tables::{self, Tables};
use super::connect::TargetSession;
use super::connector::Connector;
use super::error::{ConnectError, Error, SqlState};
use super::outage::{Outage, Way};
use super::session::Session;
use super::{
    Authentication, ConnectOptions, DatabaseName, ParameterName, Proof, RoleName, SchemaName, Script, Step, Whole,
};

/// How long a `DROP DATABASE` may go on after it was interrupted behind its point of no return.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// How long it may take to see whether it is there.
const SOON: Duration = Duration::from_secs(2);

/// How often a step is run again when it met another session's write.
const ATTEMPTS: u32 = 5;

/// How long the reading of one database may take: what is in it is for others to make large.
const READING: Duration = Duration::from_secs(15);

/// How long work that changes something waits for a server that went away: a failover takes a minute or two.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Cluster {
    connector: Arc<Connector>,
    /// All sessions but the one that holds the advisory locks.
    pool: Pool,
    locks: lock::Locks,
    snapshot: Mutex<Option<Arc<Snapshot>>>,
    insides: Mutex<BTreeMap<DatabaseName, Arc<OnceCell<Inside>>>>,
    server: Mutex<Option<Server>>,
    way: Mutex<Way>,
    is_patient: AtomicBool,
}

impl Cluster {
    /// `max_connections` bounds all sessions of this process with the cluster; at least 1.
    pub fn new(options: ConnectOptions, max_connections: usize) -> Result<Self, ConnectError> {
        Ok(Cluster {
            pool: Pool::new(options.database.clone(), max_connections),
            connector: Arc::new(Connector::new(options)?),
            locks: lock::Locks::default(),
            snapshot: Mutex::new(None),
            insides: Mutex::default(),
            server: Mutex::new(None),
            way: Mutex::new(Way::Untried),
            is_patient: AtomicBool::new(false),
        })
    }

    /// From now on a server that went away is waited for longer than `connect_timeout`, and a standby will not do: something
    /// is changed, and half of it may be done.
    pub fn be_patient(&self) {
        self.is_patient.store(true, Ordering::Relaxed);
    }

    fn is_patient(&self) -> bool {
        self.is_patient.load(Ordering::Relaxed)
    }

    /// All tenants and whatever else is on the cluster, as of the first call: one query, whoever asks
    /// and however often, until this process writes.
    pub async fn snapshot(&self, cancel: &CancellationToken) -> Result<Arc<Snapshot>, Error> {
        let mut cached = self.snapshot.lock().await;
        if let Some(snapshot) = &*cached {
            return Ok(Arc::clone(snapshot));
        }
        let snapshot = Arc::new(self.inspect(&Filter::Everything, cancel).await?);
        *cached = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// The server, as of the last look at its catalogs: what is asked of it alone does not change while this process runs.
    pub async fn server(&self, cancel: &CancellationToken) -> Result<Server, Error> {
        let known = self.server.lock().await.clone();
        match known {
            Some(server) => Ok(server),
            None => Ok(self.snapshot(cancel).await?.server.clone()),
        }
    }

    /// What the shared catalogs say now.
    pub async fn inspect(&self, filter: &Filter, cancel: &CancellationToken) -> Result<Snapshot, Error> {
        let read = self.read(None, cancel, async |session| snapshot::read(session, filter, cancel).await).await?;
        *self.server.lock().await = Some(read.server.clone());
        Ok(read)
    }

    /// What the catalogs of one database say, as of the first call: one query, whoever asks, until this process writes.
    pub async fn inside(&self, database: &DatabaseName, cancel: &CancellationToken) -> Result<Inside, Error> {
        let cell = Arc::clone(self.insides.lock().await.entry(database.clone()).or_default());
        cell.get_or_try_init(|| self.inspect_inside(database, cancel)).await.cloned()
    }

    /// What the catalogs of one database say now. To say it may take 15 s; a connection is waited for beside that.
    pub async fn inspect_inside(&self, database: &DatabaseName, cancel: &CancellationToken) -> Result<Inside, Error> {
        self.read(Some(database), cancel, async |session| {
            let limit = cancel.child_token();
            let over = async {
                tokio::time::sleep(READING).await;
                limit.cancel();
                std::future::pending().await
            };
            let read = tokio::select! {
                read = inside::read(session, &limit) => read,
                () = over => unreachable!("it waits for the other"),
            };
            match read {
                Err(error) if error.is_cancelled() && !cancel.is_cancelled() => {
                    Err(Error::TooSlow { summary: "read what is in the database".to_owned(), after: READING })
                }
                read => read,
            }
        })
        .await
    }

    /// What the server asks of whoever begins to log in as a role, and shows of its password; and whether that is the one of
    /// `proof`.
    pub async fn begin_login(
        &self,
        role: &RoleName,
        database: &DatabaseName,
        proof: Option<&Proof>,
        cancel: &CancellationToken,
    ) -> Result<Authentication, Error> {
        let begin = || self.connector.begin_login(role, database, proof, cancel);
        loop {
            let (slot, _) = self.pool.enter(database, true, cancel).await?;
            match self.reach(database, cancel, &begin).await {
                Err(error) if error.is_full() && self.pool.has_others() => shrink(slot, &self.pool),
                asked => return Ok(asked?),
            }
        }
    }

    /// How many connections the server takes, and who holds how many now.
    pub async fn inspect_capacity(&self, cancel: &CancellationToken) -> Result<Capacity, Error> {
        self.read(None, cancel, async |session| capacity::read(session, cancel).await).await
    }

    /// What all sessions do now, and what these databases have counted.
    pub async fn inspect_signals(&self, databases: &[&str], cancel: &CancellationToken) -> Result<Signals, Error> {
        self.read(None, cancel, async |session| signals::read(session, databases, cancel).await).await
    }

    /// The dead rows of one database, and the `most` tables that they are likely to bloat the worst.
    pub async fn inspect_tables(
        &self,
        database: &DatabaseName,
        most: i64,
        cancel: &CancellationToken,
    ) -> Result<Tables, Error> {
        self.read(Some(database), cancel, async |session| tables::read(session, most, cancel).await).await
    }

    /// Which role logged in, and which of `databases` admit it whatever PUBLIC may.
    pub async fn inspect_login(&self, databases: &[&DatabaseName], cancel: &CancellationToken) -> Result<Login, Error> {
        self.read(None, cancel, async |session| login::read(session, databases, cancel).await).await
    }

    /// What pg_cron is in the maintenance database, what `schema` holds there, and the job of that name.
    pub async fn inspect_cron(
        &self,
        schema: &SchemaName,
        job: &str,
        cancel: &CancellationToken,
    ) -> Result<(Cron, Option<Job>), Error> {
        self.read(None, cancel, async |session| {
            let cron = cron::read(session, schema, cancel).await?;
            let readable = cron.installed.is_some() && cron.usable;
            let job = if readable { cron::read_job(session, job, cancel).await? } else { None };
            Ok((cron, job))
        })
        .await
    }

    /// What these roles may do on databases other than their own, whatever lets them.
    pub async fn inspect_reach(
        &self,
        homes: &[Home],
        except: &[&str],
        cancel: &CancellationToken,
    ) -> Result<Reach, Error> {
        self.read(None, cancel, async |session| reach::read(session, homes, except, cancel).await).await
    }

    /// What the server offers to a database that is to be made.
    pub async fn inspect_offer(&self, cancel: &CancellationToken) -> Result<Offer, Error> {
        self.read(None, cancel, async |session| offer::read(session, cancel).await).await
    }

    /// Those of these roles that are there, and whether this admin may grant each.
    pub async fn inspect_grantable(
        &self,
        roles: &BTreeSet<RoleName>,
        cancel: &CancellationToken,
    ) -> Result<BTreeMap<String, bool>, Error> {
        self.read(None, cancel, async |session| offer::read_grantable(session, roles, cancel).await).await
    }

    /// Those of these updates of extensions that the server has no scripts for.
    pub async fn inspect_missing_updates(
        &self,
        updates: &[Update],
        cancel: &CancellationToken,
    ) -> Result<Vec<Update>, Error> {
        self.read(None, cancel, async |session| offer::read_missing_updates(session, updates, cancel).await).await
    }

    /// How the server is set up, as far as these parameters say.
    pub async fn inspect_setup(&self, parameters: &[&str], cancel: &CancellationToken) -> Result<Setup, Error> {
        self.read(None, cancel, async |session| setup::read(session, parameters, cancel).await).await
    }

    /// Whether the server takes `value` for the parameter `name` from this admin, for a role or a database.
    pub async fn try_parameter(
        &self,
        name: &ParameterName,
        value: &str,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let summary = format!("check the value of parameter {name}");
        let name = name.as_str();
        self.read(None, cancel, async |session| {
            let sql = setup::try_parameter(session.major);
            let rows = session.query(&summary, &sql, &[(&name, Type::TEXT), (&value, Type::TEXT)], cancel).await?;
            match rows.first().and_then(|row| row.try_get("may_record").ok()) {
                Some(true) => Ok(()),
                _ => Err(Error::NotPermitted {
                    summary: summary.clone(),
                    state: SqlState::INSUFFICIENT_PRIVILEGE,
                    message: "no module of the server knows it, so only a superuser sets it for a role or a database"
                        .to_owned(),
                }),
            }
        })
        .await
    }

    /// Runs a script, step by step, and ends at the first step that fails.
    pub async fn run(&self, script: &Script, cancel: &CancellationToken) -> Result<(), Error> {
        let mut result = Ok(());
        for step in &script.0 {
            result = self.run_step(step, cancel).await;
            if result.is_err() {
                break;
            }
        }
        if !script.is_empty() {
            *self.snapshot.lock().await = None;
            self.insides.lock().await.clear();
        }
        result
    }

    async fn run_step(&self, step: &Step, cancel: &CancellationToken) -> Result<(), Error> {
        if let Some(Whole::Renames(database) | Whole::Drops(database)) = &step.whole {
            self.leave(database).await;
        }
        let mut attempt = 1;
        loop {
            let result = match &step.whole {
                Some(Whole::Drops(database)) => self.run_drop(step, database, cancel).await,
                _ => {
                    self.with_session(step.database.as_ref(), cancel, async |session| session.run(step, cancel).await)
                        .await
                }
            };
            match result {
                Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                    tracing::debug!("{error}; running it again");
                    wait(Duration::from_millis(20 << attempt), cancel).await?;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// Drops a database. Behind its point of no return that is waited for: interrupted there, it leaves a database that nobody
    /// can enter.
    async fn run_drop(&self, step: &Step, database: &DatabaseName, cancel: &CancellationToken) -> Result<(), Error> {
        let end = CancellationToken::new();
        let dropped = self.with_session(None, &end, async |session| session.run(step, &end).await);
        let interrupted = async {
            cancel.cancelled().await;
            if self.is_invalid(database).await {
                tokio::time::sleep(LAST_WAIT).await;
            }
            end.cancel();
            std::future::pending().await
        };
        tokio::select! {
            dropped = dropped => dropped,
            () = interrupted => unreachable!("it waits for the other"),
        }
    }

    /// Whether a `DROP DATABASE` of it is behind its point of no return, as far as can be told soon.
    async fn is_invalid(&self, database: &DatabaseName) -> bool {
        let soon = CancellationToken::new();
        let name = database.as_str();
        let sql = "SELECT datconnlimit = -2 FROM pg_catalog.pg_database WHERE datname = $1";
        let asked = self.connector.connect(self.maintenance(), true, &soon);
        let asked = async {
            let session = asked.await.ok()?;
            let rows = session.query("look whether it is dropped", sql, &[(&name, Type::TEXT)], &soon).await;
            session.close().await;
            rows.ok()?.first()?.try_get(0).ok()
        };
        tokio::time::timeout(SOON, asked).await.ok().flatten().unwrap_or(false)
    }

    /// Ends this process's own idle sessions with `database`, which may then be renamed or dropped.
    pub async fn leave(&self, database: &DatabaseName) {
        self.pool.leave(database).await;
    }

    /// What changes nothing: when the answer is lost, it is asked for again in another session.
    async fn read<T>(
        &self,
        database: Option<&DatabaseName>,
        cancel: &CancellationToken,
        work: impl AsyncFnOnce(&Session) -> Result<T, Error> + Copy,
    ) -> Result<T, Error> {
        match self.with_session(database, cancel, work).await {
            Err(error) if error.is_lost() => {
                tracing::debug!("{error}; asking again");
                self.with_session(database, cancel, work).await
            }
            result => result,
        }
    }

    /// Hands `work` a session with `database` (`None`: the maintenance database) and keeps the session
    /// for the next one, unless it broke or was left with a cancelled statement.
    async fn with_session<T>(
        &self,
        database: Option<&DatabaseName>,
        cancel: &CancellationToken,
        work: impl AsyncFnOnce(&Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (slot, session) = self.enter(database.unwrap_or(self.maintenance()), cancel).await?;
        let result = work(&session).await;
        let is_misled = result.as_ref().is_err_and(Error::is_of_standby);
        if session.is_usable() && !is_misled {
            slot.keep(session);
        } else {
            if session.is_silent() || is_misled {
                // The others are likely to be as dead, or with the same server: whoever comes next gets a new one.
                self.pool.forget_idle();
            }
            session.close().await;
        }
        result
    }

    /// An idle session with `database` or a new one, and the right to it.
    async fn enter(
        &self,
        database: &DatabaseName,
        cancel: &CancellationToken,
    ) -> Result<(Slot<'_>, Session), ConnectError> {
        let connect = || self.connector.connect(database, self.is_patient(), cancel);
        let wanted = self.connector.options().target_session;
        let writes_elsewhere = || wanted.of_session(self.is_patient()) == TargetSession::Primary;
        loop {
            let (slot, session) = self.pool.enter(database, false, cancel).await?;
            match session {
                // It was opened to read, before something was to be changed.
                Some(session) if session.is_standby && writes_elsewhere() => session.close().await,
                Some(session) => return Ok((slot, session)),
                None => {}
            }
            match self.reach(database, cancel, &connect).await {
                Err(error) if error.is_full() && self.pool.has_others() => shrink(slot, &self.pool),
                session => return Ok((slot, session?)),
            }
        }
    }

    /// Makes `attempt` until it succeeds, or there is no hope, or patience is at its end. While nobody has got through one
    /// tries for all, and the others are told what that one was told.
    async fn reach<T, F>(
        &self,
        database: &DatabaseName,
        cancel: &CancellationToken,
        attempt: impl Fn() -> F,
    ) -> Result<T, ConnectError>
    where
        F: Future<Output = Result<T, ConnectError>>,
    {
        let is_shared = |error: &ConnectError| match error {
            ConnectError::Cancelled => false,
            error => database == self.maintenance() || error.is_of_server(),
        };
        loop {
            let mut way = tokio::select! {
                way = self.way.lock() => way,
                () = cancel.cancelled() => return Err(ConnectError::Cancelled),
            };
            let begun = Instant::now();
            if let Way::Open = *way {
                drop(way);
                match attempt().await {
                    Err(error) if is_shared(&error) => {
                        way = self.way.lock().await;
                        if let Way::Open = *way {
                            *way = Way::Blocked(Outage::new(begun, error));
                        }
                    }
                    result => return result,
                }
            } else if !way.is_blocked(begun) {
                match attempt().await {
                    Err(error) if is_shared(&error) => way.block(begun, error),
                    result => {
                        if result.is_ok() {
                            *way = Way::Open;
                        }
                        return result;
                    }
                }
            }
            let Way::Blocked(outage) = &mut *way else { continue };
            if outage.error.is_full() {
                if self.pool.end_an_idle_one().await {
                    outage.again = Instant::now();
                    continue;
                }
                if self.pool.has_others() {
                    // One of ours will be free: that the server is full is none of their business.
                    let error = outage.error.clone();
                    *way = Way::Open;
                    return Err(error);
                }
                if self.give_up_locks().await {
                    outage.again = Instant::now();
                    continue;
                }
            }
            let patience = if self.is_patient() { PATIENCE } else { Duration::ZERO };
            let patience = patience.max(self.connector.options().connect_timeout);
            if !outage.error.is_passing() || outage.since.elapsed() >= patience {
                return Err(outage.error.clone());
            }
            tracing::debug!("{}; trying again", outage.error);
            let again = outage.again;
            drop(way);
            wait(again - Instant::now(), cancel).await?;
        }
    }

    /// Where the server is, as `host:port` or the path of its socket.
    pub fn address(&self) -> String {
        self.connector.address()
    }

    /// The roles that this provider logs in and acts as.
    pub fn own_roles(&self) -> impl Iterator<Item = &RoleName> {
        let options = self.connector.options();
        std::iter::once(&options.username).chain(&options.assume_role)
    }

    pub fn maintenance(&self) -> &DatabaseName {
        &self.connector.options().database
    }
}

/// The server has not as many connections as there may be sessions.
fn shrink(slot: Slot<'_>, pool: &Pool) {
    slot.take_away(None);
    tracing::warn!("the server has no more connections for this process; going on with {}", pool.most());
}

async fn wait(pause: Duration, cancel: &CancellationToken) -> Result<(), ConnectError> {
    tokio::select! {
        () = tokio::time::sleep(pause) => Ok(()),
        () = cancel.cancelled() => Err(ConnectError::Cancelled),
    }
}

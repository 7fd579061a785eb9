//! One cluster: a bounded set of sessions over all its databases, and the snapshot that reads are
//! served from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio_postgres::types::Type;
use tokio_util::sync::CancellationToken;

use super::catalog::capacity::{self, Capacity};
use super::catalog::cron::{self, Cron, Job};
use super::catalog::inside::{self, Inside};
use super::catalog::login::{self, Login};
use super::catalog::offer::{self, Offer};
use super::catalog::reach::{self, Home, Reach};
use super::catalog::setup::{self, Setup};
use super::catalog::signals::{self, Signals};
use super::catalog::snapshot::{self, Filter, Snapshot};
use super::catalog::tables::{self, Tables};
use super::error::{ConnectError, Error, SqlState};
use super::session::{Connector, Session};
use super::{Authentication, ConnectOptions, DatabaseName, ParameterName, RoleName, SchemaName, Script, Step};

/// How often a step is run again when it met another session's write.
const ATTEMPTS: u32 = 5;

pub struct Cluster {
    connector: Arc<Connector>,
    /// One permit for each session in use. Sessions in use and idle ones together never exceed the
    /// number of permits there were at first.
    in_use: Semaphore,
    max_connections: usize,
    idle: Mutex<Vec<Session>>,
    snapshot: Mutex<Option<Arc<Snapshot>>>,
    /// The first failure to connect that is none of the moment: a hundred resources do not wait for a
    /// hundred time-outs.
    refused: Mutex<Option<ConnectError>>,
}

impl Cluster {
    /// `max_connections` bounds all sessions of this process with the cluster; at least 1.
    pub fn new(options: ConnectOptions, max_connections: usize) -> Result<Self, ConnectError> {
        Ok(Cluster {
            connector: Arc::new(Connector::new(options)?),
            in_use: Semaphore::new(max_connections.max(1)),
            max_connections: max_connections.max(1),
            idle: Mutex::new(Vec::new()),
            snapshot: Mutex::new(None),
            refused: Mutex::new(None),
        })
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

    /// What the shared catalogs say now.
    pub async fn inspect(&self, filter: &Filter, cancel: &CancellationToken) -> Result<Snapshot, Error> {
        self.with_session(None, cancel, async |session| snapshot::read(session, filter, cancel).await).await
    }

    /// What the catalogs of one database say now.
    pub async fn inspect_inside(&self, database: &DatabaseName, cancel: &CancellationToken) -> Result<Inside, Error> {
        self.with_session(Some(database), cancel, async |session| inside::read(session, cancel).await).await
    }

    /// What the server asks of whoever begins to log in as a role, and shows of its password.
    pub async fn begin_login(
        &self,
        role: &RoleName,
        database: &DatabaseName,
        cancel: &CancellationToken,
    ) -> Result<Authentication, Error> {
        let _permit = self.permit(cancel).await?;
        self.make_room(&mut *self.idle.lock().await).await;
        Ok(self.connector.begin_login(role, database, cancel).await?)
    }

    /// How many connections the server takes, and who holds how many now.
    pub async fn inspect_capacity(&self, cancel: &CancellationToken) -> Result<Capacity, Error> {
        self.with_session(None, cancel, async |session| capacity::read(session, cancel).await).await
    }

    /// What all sessions do now, and what these databases have counted.
    pub async fn inspect_signals(&self, databases: &[&str], cancel: &CancellationToken) -> Result<Signals, Error> {
        self.with_session(None, cancel, async |session| signals::read(session, databases, cancel).await).await
    }

    /// The dead rows of one database, and the `most` tables that they are likely to bloat the worst.
    pub async fn inspect_tables(
        &self,
        database: &DatabaseName,
        most: i64,
        cancel: &CancellationToken,
    ) -> Result<Tables, Error> {
        self.with_session(Some(database), cancel, async |session| tables::read(session, most, cancel).await).await
    }

    /// Which role logged in, and which of `databases` admit it whatever PUBLIC may.
    pub async fn inspect_login(&self, databases: &[&DatabaseName], cancel: &CancellationToken) -> Result<Login, Error> {
        self.with_session(None, cancel, async |session| login::read(session, databases, cancel).await).await
    }

    /// What pg_cron is in the maintenance database, what `schema` holds there, and the job of that name.
    pub async fn inspect_cron(
        &self,
        schema: &SchemaName,
        job: &str,
        cancel: &CancellationToken,
    ) -> Result<(Cron, Option<Job>), Error> {
        self.with_session(None, cancel, async |session| {
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
        self.with_session(None, cancel, async |session| reach::read(session, homes, except, cancel).await).await
    }

    /// What the server offers to a database that is to be made.
    pub async fn inspect_offer(&self, cancel: &CancellationToken) -> Result<Offer, Error> {
        self.with_session(None, cancel, async |session| offer::read(session, cancel).await).await
    }

    /// Those of these roles that are there, and whether this admin may grant each.
    pub async fn inspect_grantable(
        &self,
        roles: &BTreeSet<RoleName>,
        cancel: &CancellationToken,
    ) -> Result<BTreeMap<String, bool>, Error> {
        self.with_session(None, cancel, async |session| offer::read_grantable(session, roles, cancel).await).await
    }

    /// How the server is set up, as far as these parameters say.
    pub async fn inspect_setup(&self, parameters: &[&str], cancel: &CancellationToken) -> Result<Setup, Error> {
        self.with_session(None, cancel, async |session| setup::read(session, parameters, cancel).await).await
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
        self.with_session(None, cancel, async |session| {
            let sql = setup::try_parameter(session.major);
            let rows = session.query(&summary, &sql, &[(&name, Type::TEXT), (&value, Type::TEXT)], cancel).await?;
            match rows.first().and_then(|row| row.try_get("may_record").ok()) {
                Some(true) => Ok(()),
                _ => Err(Error::NotPermitted {
                    summary,
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
        }
        result
    }

    async fn run_step(&self, step: &Step, cancel: &CancellationToken) -> Result<(), Error> {
        let mut attempt = 1;
        loop {
            let result = self
                .with_session(step.database.as_ref(), cancel, async |session| session.run(step, cancel).await)
                .await;
            match result {
                Err(error) if error.is_transient() && attempt < ATTEMPTS => {
                    tracing::debug!("{error}; running it again");
                    tokio::time::sleep(Duration::from_millis(20 << attempt)).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// Ends this process's own idle sessions with `database`, which may then be renamed or dropped.
    pub async fn leave(&self, database: &DatabaseName) {
        let mut idle = self.idle.lock().await;
        while let Some(at) = idle.iter().position(|session| session.database == *database) {
            idle.swap_remove(at).close().await;
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
        let permit = self.permit(cancel).await?;
        let session = self.take_or_connect(database.unwrap_or(self.maintenance()), cancel).await?;
        let result = work(&session).await;
        match &result {
            Err(Error::Cancelled { .. } | Error::Lost { .. }) => session.close().await,
            _ => self.idle.lock().await.push(session),
        }
        drop(permit);
        result
    }

    async fn permit(&self, cancel: &CancellationToken) -> Result<SemaphorePermit<'_>, ConnectError> {
        tokio::select! {
            permit = self.in_use.acquire() => Ok(permit.expect("the semaphore is never closed")),
            () = cancel.cancelled() => Err(ConnectError::Cancelled),
        }
    }

    async fn take_or_connect(
        &self,
        database: &DatabaseName,
        cancel: &CancellationToken,
    ) -> Result<Session, ConnectError> {
        {
            let mut idle = self.idle.lock().await;
            idle.retain(|session| !session.is_closed());
            if let Some(at) = idle.iter().position(|session| session.database == *database) {
                return Ok(idle.swap_remove(at));
            }
            self.make_room(&mut idle).await;
        }
        if database != self.maintenance() {
            return self.connector.connect(database, cancel).await;
        }
        let mut refused = self.refused.lock().await;
        if let Some(error) = &*refused {
            return Err(error.clone());
        }
        let session = self.connector.connect(database, cancel).await;
        if let Err(error) = &session
            && !matches!(error, ConnectError::Cancelled)
            && !error.is_passing()
        {
            *refused = Some(error.clone());
        }
        session
    }

    /// Closes idle sessions until one more may be opened. The caller holds a permit, so the permits
    /// that are out stand for the sessions in use, its own to come among them.
    async fn make_room(&self, idle: &mut Vec<Session>) {
        let in_use = self.max_connections - self.in_use.available_permits();
        while idle.len() + in_use > self.max_connections && !idle.is_empty() {
            idle.remove(0).close().await;
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

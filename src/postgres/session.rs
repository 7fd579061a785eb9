//! One session with one database: the only place that sends SQL.
//!
//! A session reads the warnings that come with each answer, ends its statement on the server when the
//! operation is cancelled, and closes so that the server has let go of it when `close` returns.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Connection, Row, Statement};
use tokio_util::sync::CancellationToken;

use super::DatabaseName;
use super::connector::{Connector, Target};
use super::error::{Error, bounded};
use super::socket::{Bounded, Secured, Socket, Wire};
use super::statement::Step;

/// How long the answer of a cancelled statement is waited for.
const GRACE: Duration = Duration::from_secs(3);

/// How long a closed session is waited for.
const GOODBYE: Duration = Duration::from_secs(2);

pub struct Session {
    client: Client,
    heard: Arc<Mutex<Heard>>,
    prepared: Mutex<HashMap<String, Statement>>,
    connection: JoinHandle<()>,
    /// A second handle to the socket: it reaches its end when the server has closed the other side.
    socket: Option<Socket>,
    canceller: Canceller,
    /// A cancel request was sent: it may arrive late, and hit the next statement.
    spent: AtomicBool,
    /// A statement was not answered even after the cancel request.
    silent: AtomicBool,
    pub database: DatabaseName,
    /// The server's major version.
    pub major: u32,
    /// Whether the server is a standby, as far as was seen at the login.
    pub is_standby: bool,
}

/// What the server said beside its answers.
#[derive(Default)]
struct Heard {
    /// The first warning since the last statement that nothing was granted or revoked.
    ignored: Option<(SqlState, String)>,
    /// Why the session ended, if it did.
    end: Option<tokio_postgres::Error>,
}

/// What it takes to send a cancel request: a connection of its own, to the same address.
#[derive(Clone)]
struct Canceller {
    token: tokio_postgres::CancelToken,
    way: (Arc<Connector>, Target),
}

impl Session {
    /// A session from what the driver has logged in.
    pub(super) fn new(
        client: Client,
        mut connection: Connection<Bounded<Wire>, Bounded<Wire>>,
        socket: Option<Socket>,
        way: (Arc<Connector>, Target),
        database: &DatabaseName,
        major: u32,
    ) -> Session {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let canceller = Canceller { token: client.cancel_token(), way };
        let hearing = Arc::clone(&heard);
        // Warnings arrive in order with the answers they belong to: each is stored before the answer
        // behind it reaches the client. So is the end of the session.
        let connection = tokio::spawn(async move {
            loop {
                match std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                    Some(Ok(AsyncMessage::Notice(notice)))
                        if [SqlState::WARNING_PRIVILEGE_NOT_REVOKED, SqlState::WARNING_PRIVILEGE_NOT_GRANTED]
                            .contains(notice.code()) =>
                    {
                        let ignored = (notice.code().clone(), bounded(notice.message()));
                        hearing.lock().expect("no panic while held").ignored.get_or_insert(ignored);
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        hearing.lock().expect("no panic while held").end = Some(error);
                        break;
                    }
                    None => break,
                }
            }
        });
        let (prepared, spent, silent) = Default::default();
        Session {
            client,
            heard,
            prepared,
            connection,
            socket,
            canceller,
            spent,
            silent,
            database: database.clone(),
            major,
            is_standby: false,
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Runs a step as one query, which is one transaction. Fails when the server refuses, and when it
    /// says yes but warns that a privilege was not granted or not revoked.
    pub async fn run(&self, step: &Step, cancel: &CancellationToken) -> Result<(), Error> {
        let summary = step.summary();
        tracing::debug!(database = %self.database, "{summary}");
        self.heard.lock().expect("no panic while held").ignored = None;
        self.cancellable(&summary, cancel, self.client.batch_execute(&step.text())).await?;
        match self.heard.lock().expect("no panic while held").ignored.take() {
            Some((state, message)) => Err(Error::NotPermitted { summary, state, message }),
            None => Ok(()),
        }
    }

    /// Reads rows with one statement, which is parsed and planned once for each session: that takes longer than to run it.
    pub async fn query(
        &self,
        summary: &str,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
        cancel: &CancellationToken,
    ) -> Result<Vec<Row>, Error> {
        tracing::trace!(database = %self.database, "{summary}");
        let answer = async {
            let known = self.prepared.lock().expect("no panic while held").get(sql).cloned();
            let statement = match known {
                Some(statement) => statement,
                None => {
                    let types: Vec<Type> = parameters.iter().map(|(_, of)| of.clone()).collect();
                    let statement = self.client.prepare_typed(sql, &types).await?;
                    let mut prepared = self.prepared.lock().expect("no panic while held");
                    prepared.entry(sql.to_owned()).or_insert(statement).clone()
                }
            };
            let values: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
            self.client.query(&statement, &values).await
        };
        self.cancellable(summary, cancel, answer).await
    }

    /// The same, as the role that logged in: without the one that the session has assumed.
    pub async fn query_as_login(
        &self,
        summary: &str,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
        cancel: &CancellationToken,
    ) -> Result<Vec<Row>, Error> {
        self.cancellable(summary, cancel, self.client.batch_execute("SET ROLE NONE")).await?;
        let rows = self.query(summary, sql, parameters, cancel).await;
        if !self.is_usable() {
            return rows;
        }
        // Back to the role of the startup options: a session that does not get there is not used again.
        let back = self.cancellable(summary, cancel, self.client.batch_execute("RESET ROLE")).await;
        back.inspect_err(|_| self.spent.store(true, Ordering::Relaxed))?;
        rows
    }

    /// Awaits an answer; when the operation is cancelled, ends the statement on the server first.
    async fn cancellable<T>(
        &self,
        summary: &str,
        cancel: &CancellationToken,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        if cancel.is_cancelled() {
            return Err(Error::NotSent { summary: summary.to_owned() });
        }
        let mut answer = std::pin::pin!(answer);
        let abandoned = Abandoned(Some(self.canceller.clone()));
        let answered = tokio::select! {
            answer = &mut answer => Some(answer),
            () = cancel.cancelled() => {
                self.spent.store(true, Ordering::Relaxed);
                let ended = async {
                    tokio::select! {
                        answer = &mut answer => answer,
                        () = self.canceller.cancel() => answer.await,
                    }
                };
                tokio::time::timeout(GRACE, ended).await.ok()
            }
        };
        abandoned.answered();
        let Some(answer) = answered else {
            self.silent.store(true, Ordering::Relaxed);
            return Err(Error::Cancelled { summary: summary.to_owned() });
        };
        let heard = self.heard.lock().expect("no panic while held");
        match answer.map_err(|error| Error::of_statement(summary, &error, heard.end.as_ref())) {
            // Before the request arrived it was done, or refused for another reason.
            Err(Error::Sql { state, .. }) if state == SqlState::QUERY_CANCELED && cancel.is_cancelled() => {
                Err(Error::Cancelled { summary: summary.to_owned() })
            }
            Err(Error::Lost { .. }) if cancel.is_cancelled() => Err(Error::Cancelled { summary: summary.to_owned() }),
            answer => {
                if matches!(answer, Err(Error::Lost { .. })) {
                    self.spent.store(true, Ordering::Relaxed);
                }
                answer
            }
        }
    }

    /// Whether the next statement may be sent: the session is there, and nothing is under way in it.
    pub fn is_usable(&self) -> bool {
        !self.client.is_closed() && !self.spent.load(Ordering::Relaxed)
    }

    /// Whether the server did not answer even a cancel request.
    pub fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    /// Says good-bye and waits until the server has let go, so that the slot is free and the
    /// database is no longer in use.
    pub async fn close(self) {
        if self.is_silent() {
            self.connection.abort();
            return;
        }
        drop(self.client);
        let Some(mut socket) = self.socket else { return };
        let gone = async {
            let _ = self.connection.await;
            let mut rest = [0; 512];
            while matches!(socket.read(&mut rest).await, Ok(count) if count > 0) {}
        };
        let _ = tokio::time::timeout(GOODBYE, gone).await;
    }
}

impl Canceller {
    async fn cancel(&self) {
        let (connector, target) = &self.way;
        let sent = async {
            match connector.open(target).await {
                Ok((_, wire)) => {
                    let sent = self.token.cancel_query_raw(Bounded::new(wire), Secured).await;
                    sent.map_err(|error| error.to_string())
                }
                Err(error) => Err(error.to_string()),
            }
        };
        if let Ok(Err(error)) = tokio::time::timeout(GRACE, sent).await {
            tracing::warn!("the cancel request was not sent: {error}");
        }
    }
}

/// Ends a statement on the server when nobody waits for its answer any more: the RPC that it belongs to
/// is dropped when Terraform is killed, and PostgreSQL would not notice before it has an answer.
struct Abandoned(Option<Canceller>);

impl Abandoned {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let (Some(canceller), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { canceller.cancel().await });
        }
    }
}

//! One session with one database: the only place that sends SQL.
//!
//! A session reads the warnings that come with each answer, ends its statement on the server when the
//! operation is cancelled, and closes so that the server has let go of it when `close` returns.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::tls::{MakeTlsConnect, NoTls, TlsConnect};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{AsyncMessage, Client, Config, Row};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::CancellationToken;

use super::connect::{ConnectOptions, SslMode};
use super::error::{ConnectError, Error};
use super::statement::Step;
use super::{Authentication, DatabaseName, RoleName, major, scram, tls};

/// How long a cancelled statement, or a closed session, is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// How to make sessions: the options with their TLS configuration read once.
pub struct Connector {
    options: ConnectOptions,
    tls: Option<MakeRustlsConnect>,
}

/// An encrypted stream or a plain one.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub struct Session {
    client: Client,
    warnings: Arc<Mutex<Vec<DbError>>>,
    connection: JoinHandle<()>,
    /// A second handle to the socket: it reaches its end when the server has closed the other side.
    socket: Option<Socket>,
    canceller: Canceller,
    pub database: DatabaseName,
    /// The server's major version.
    pub major: u32,
}

/// What it takes to send a cancel request: a connection of its own.
#[derive(Clone)]
struct Canceller {
    token: tokio_postgres::CancelToken,
    connector: Arc<Connector>,
}

impl Connector {
    pub fn new(options: ConnectOptions) -> Result<Self, ConnectError> {
        // A unix socket has no TLS, in libpq as here.
        let mode = if options.is_unix_socket() { SslMode::Disable } else { options.sslmode };
        let tls = tls::client_config(mode, &options.sslrootcert)?.map(MakeRustlsConnect::new);
        Ok(Connector { options, tls })
    }

    pub fn options(&self) -> &ConnectOptions {
        &self.options
    }

    pub fn address(&self) -> String {
        let ConnectOptions { host, port, .. } = &self.options;
        if self.options.is_unix_socket() { format!("{host}/.s.PGSQL.{port}") } else { format!("{host}:{port}") }
    }

    /// Opens a session with `database`, within `connect_timeout`.
    pub async fn connect(
        self: &Arc<Self>,
        database: &DatabaseName,
        cancel: &CancellationToken,
    ) -> Result<Session, ConnectError> {
        let after = self.options.connect_timeout;
        tokio::select! {
            () = cancel.cancelled() => Err(ConnectError::Cancelled),
            session = tokio::time::timeout(after, self.try_connect(database)) => {
                session.unwrap_or_else(|_| Err(ConnectError::TimedOut { address: self.address(), after }))
            }
        }
    }

    async fn try_connect(self: &Arc<Self>, database: &DatabaseName) -> Result<Session, ConnectError> {
        let mut config = Config::new();
        config
            .user(self.options.username.as_str())
            .dbname(database.as_str())
            .application_name("terraform-provider-pgtenant")
            .options(self.options.startup_options())
            .ssl_mode(if self.tls.is_some() {
                tokio_postgres::config::SslMode::Require
            } else {
                tokio_postgres::config::SslMode::Disable
            });
        if let Some(password) = &self.options.password {
            config.password(password.expose());
        }
        let stream = self.open().await?;
        let socket = stream.second_handle().ok();
        match self.tls.clone() {
            Some(tls) => {
                let tls = make_tls(tls, &self.options.host).map_err(|message| self.other(message))?;
                self.finish(&config, stream, tls, socket, database).await
            }
            None => self.finish(&config, stream, NoTls, socket, database).await,
        }
    }

    async fn finish<T>(
        self: &Arc<Self>,
        config: &Config,
        stream: Socket,
        tls: T,
        socket: Option<Socket>,
        database: &DatabaseName,
    ) -> Result<Session, ConnectError>
    where
        T: TlsConnect<Socket>,
        T::Stream: Send + 'static,
    {
        let has_password = self.options.password.is_some();
        let (client, mut connection) = config.connect_raw(stream, tls).await.map_err(|error| {
            if self.tls.is_some() && is_tls_refusal(&error) {
                return ConnectError::NoTls { address: self.address() };
            }
            ConnectError::of_startup(&self.address(), &error, has_password)
        })?;
        let version = connection.parameter("server_version").unwrap_or_default().to_owned();
        let major = version.split(|c: char| !c.is_ascii_digit()).next().and_then(|text| text.parse::<u32>().ok());
        let Some(major) = major.filter(|major| *major >= major::OLDEST) else {
            return Err(ConnectError::TooOld { address: self.address(), version });
        };
        let warnings = Arc::new(Mutex::new(Vec::new()));
        let canceller = Canceller { token: client.cancel_token(), connector: Arc::clone(self) };
        let heard = Arc::clone(&warnings);
        // Warnings arrive in order with the answers they belong to: each is stored before the answer
        // behind it reaches the client.
        let connection = tokio::spawn(async move {
            while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notice(notice) = message {
                    heard.lock().expect("no panic while held").push(notice);
                }
            }
        });
        Ok(Session { client, warnings, connection, socket, canceller, database: database.clone(), major })
    }

    /// Begins a login of `role` and leaves it: what the server asks, and shows of its password.
    pub(super) async fn begin_login(
        &self,
        role: &RoleName,
        database: &DatabaseName,
        cancel: &CancellationToken,
    ) -> Result<Authentication, ConnectError> {
        let after = self.options.connect_timeout;
        let begun = async {
            let mut stream = self.open_secured().await?;
            scram::begin_login(&mut stream, role, database).await.map_err(|error| self.other(error.to_string()))
        };
        tokio::select! {
            () = cancel.cancelled() => Err(ConnectError::Cancelled),
            begun = tokio::time::timeout(after, begun) => {
                begun.unwrap_or_else(|_| Err(ConnectError::TimedOut { address: self.address(), after }))
            }
        }
    }

    /// A stream with TLS, if the options ask for it, and nothing said yet.
    async fn open_secured(&self) -> Result<Box<dyn Stream>, ConnectError> {
        let mut stream = self.open().await?;
        let Some(tls) = self.tls.clone() else { return Ok(Box::new(stream)) };
        let failed = |error: io::Error| self.other(error.to_string());
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        stream.write_all(&request).await.map_err(failed)?;
        if stream.read_u8().await.map_err(failed)? != b'S' {
            return Err(ConnectError::NoTls { address: self.address() });
        }
        let tls = make_tls(tls, &self.options.host).map_err(|message| self.other(message))?;
        Ok(Box::new(tls.connect(stream).await.map_err(failed)?))
    }

    /// Tries each address of the host in turn, as libpq does.
    async fn open(&self) -> Result<Socket, ConnectError> {
        let unreachable = |error: io::Error| ConnectError::Unreachable {
            address: self.address(),
            message: error.to_string().split(" (os error").next().unwrap_or_default().to_owned(),
        };
        if self.options.is_unix_socket() {
            return UnixStream::connect(self.address()).await.map(Socket::Unix).map_err(unreachable);
        }
        let stream = TcpStream::connect((self.options.host.as_str(), self.options.port)).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        Ok(Socket::Tcp(stream))
    }

    fn other(&self, message: String) -> ConnectError {
        ConnectError::Other { address: self.address(), message }
    }
}

fn make_tls(
    mut tls: MakeRustlsConnect,
    host: &str,
) -> Result<<MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect, String> {
    MakeTlsConnect::<Socket>::make_tls_connect(&mut tls, host).map_err(|error| error.to_string())
}

/// The server answered `N` to the TLS request: tokio-postgres then fails before any TLS began, and
/// without a cause that has a type of its own.
fn is_tls_refusal(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_none()
        && std::error::Error::source(error)
            .is_some_and(|source| !source.is::<io::Error>() && !source.is::<rustls::Error>())
        && error.to_string().starts_with("error performing TLS handshake")
}

impl Session {
    /// Runs a step as one query, which is one transaction. Fails when the server refuses, and when it
    /// says yes but warns that a privilege was not granted or not revoked.
    pub async fn run(&self, step: &Step, cancel: &CancellationToken) -> Result<(), Error> {
        let summary = step.summary();
        tracing::debug!(database = %self.database, "{summary}");
        self.warnings.lock().expect("no panic while held").clear();
        self.cancellable(&summary, cancel, self.client.batch_execute(&step.text())).await?;
        let warnings = std::mem::take(&mut *self.warnings.lock().expect("no panic while held"));
        let ignored = warnings.iter().find(|warning| {
            [SqlState::WARNING_PRIVILEGE_NOT_REVOKED, SqlState::WARNING_PRIVILEGE_NOT_GRANTED].contains(warning.code())
        });
        match ignored {
            Some(warning) => Err(Error::NotPermitted {
                summary,
                state: warning.code().clone(),
                message: warning.message().to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Reads rows with one statement in one round trip.
    pub async fn query(
        &self,
        summary: &str,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
        cancel: &CancellationToken,
    ) -> Result<Vec<Row>, Error> {
        tracing::trace!(database = %self.database, "{summary}");
        self.cancellable(summary, cancel, self.client.query_typed(sql, parameters)).await
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
        if matches!(rows, Err(Error::Cancelled { .. } | Error::Lost { .. })) {
            // The session is not used again.
            return rows;
        }
        // Back to the role of the startup options: a session that does not get there is not used again either.
        self.cancellable(summary, cancel, self.client.batch_execute("RESET ROLE")).await.map_err(
            |error| match error {
                error @ Error::Cancelled { .. } => error,
                error => Error::Lost { summary: summary.to_owned(), message: error.to_string() },
            },
        )?;
        rows
    }

    /// Awaits an answer; when the operation is cancelled, ends the statement on the server first.
    async fn cancellable<T>(
        &self,
        summary: &str,
        cancel: &CancellationToken,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        let cancelled = || Error::Cancelled { summary: summary.to_owned() };
        if cancel.is_cancelled() {
            return Err(cancelled());
        }
        let mut answer = std::pin::pin!(answer);
        let abandoned = Abandoned(Some(self.canceller.clone()));
        let outcome = tokio::select! {
            answer = &mut answer => answer.map_err(|error| Error::of_statement(summary, &error)),
            () = cancel.cancelled() => {
                self.canceller.cancel().await;
                match tokio::time::timeout(GRACE, answer).await {
                    // It was done before the request arrived.
                    Ok(Ok(value)) => Ok(value),
                    Ok(Err(_)) | Err(_) => Err(cancelled()),
                }
            }
        };
        abandoned.answered();
        outcome
    }

    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Says good-bye and waits until the server has let go, so that the slot is free and the
    /// database is no longer in use.
    pub async fn close(self) {
        drop(self.client);
        let Some(mut socket) = self.socket else { return };
        let gone = async {
            let _ = self.connection.await;
            let mut rest = [0; 512];
            while matches!(socket.read(&mut rest).await, Ok(count) if count > 0) {}
        };
        let _ = tokio::time::timeout(GRACE, gone).await;
    }
}

impl Canceller {
    async fn cancel(&self) {
        let sent = async {
            let Ok(stream) = self.connector.open().await else { return };
            let result = match self.connector.tls.clone() {
                Some(tls) => match make_tls(tls, &self.connector.options.host) {
                    Ok(tls) => self.token.cancel_query_raw(stream, tls).await,
                    Err(_) => return,
                },
                None => self.token.cancel_query_raw(stream, NoTls).await,
            };
            if let Err(error) = result {
                tracing::warn!("the cancel request was not sent: {error}");
            }
        };
        let _ = tokio::time::timeout(GRACE, sent).await;
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

/// A TCP connection or a unix socket.
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn second_handle(&self) -> io::Result<Socket> {
        Ok(match self {
            Socket::Tcp(stream) => {
                let fd: OwnedFd = stream.as_fd().try_clone_to_owned()?;
                Socket::Tcp(TcpStream::from_std(fd.into())?)
            }
            Socket::Unix(stream) => {
                let fd: OwnedFd = stream.as_fd().try_clone_to_owned()?;
                Socket::Unix(UnixStream::from_std(fd.into())?)
            }
        })
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Socket::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

//! How sessions come about: the addresses of a name, TLS, the login, and what each session sets for itself.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use tokio_postgres::config::{ChannelBinding as DriverChannelBinding, SslMode as DriverSslMode, SslNegotiation};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::CancellationToken;

use super::connect::{ChannelBinding, ConnectOptions, SslMode};
use super::error::{ConnectError, bounded};
use super::session::Session;
use super::socket::{Bounded, Secured, Socket, Wire};
use super::{Authentication, DatabaseName, Feature, RoleName, major, scram, tls};

/// How to make sessions: the options with their TLS configuration read once.
pub struct Connector {
    options: ConnectOptions,
    tls: Option<MakeRustlsConnect>,
    /// Where the last session was opened: that address is tried first.
    good: Mutex<Option<SocketAddr>>,
}

/// One place where the server may be.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// An address of a host, whose name its certificate is to have.
    Tcp {
        host: String,
        address: SocketAddr,
    },
    Unix(PathBuf),
}

impl Connector {
    pub fn new(options: ConnectOptions) -> Result<Self, ConnectError> {
        // A unix socket has no TLS, in libpq as here.
        let mode = if options.is_unix_socket() { SslMode::Disable } else { options.sslmode };
        let tls = tls::client_config(mode, &options.sslrootcert)?.map(MakeRustlsConnect::new);
        Ok(Connector { options, tls, good: Mutex::default() })
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
        self.at_some_address(cancel, |target| self.log_in(target, database)).await
    }

    /// Begins a login of `role` and leaves it: what the server asks, and shows of its password.
    pub(super) async fn begin_login(
        &self,
        role: &RoleName,
        database: &DatabaseName,
        cancel: &CancellationToken,
    ) -> Result<Authentication, ConnectError> {
        let begun = self.at_some_address(cancel, |target| async move {
            let mut stream = Bounded::new(self.open(&target).await?.1);
            let begun = scram::begin_login(&mut stream, role, database).await;
            begun.map_err(|error| ConnectError::of_stream(&self.address(), &error))
        });
        match begun.await? {
            // It was not the login that was refused.
            Authentication::Refused { state, message } => {
                match ConnectError::of_refusal(&self.address(), state.clone(), &message, None) {
                    error if error.is_passing() => Err(error),
                    _ => Ok(Authentication::Refused { state, message }),
                }
            }
            asked => Ok(asked),
        }
    }

    /// Tries each address of the host in turn, as libpq does, each within its share of `connect_timeout`.
    async fn at_some_address<T, F>(
        &self,
        cancel: &CancellationToken,
        attempt: impl Fn(Target) -> F,
    ) -> Result<T, ConnectError>
    where
        F: Future<Output = Result<T, ConnectError>>,
    {
        let after = self.options.connect_timeout;
        let end = Instant::now() + after;
        let timed_out = || ConnectError::TimedOut { address: self.address(), after };
        let tried = async {
            let targets = tokio::time::timeout_at(end, self.targets()).await.map_err(|_| timed_out())??;
            let mut failed = timed_out();
            for (left, target) in (1..=targets.len()).rev().zip(targets) {
                let share = (end - Instant::now()) / u32::try_from(left).unwrap_or(u32::MAX);
                match tokio::time::timeout(share, attempt(target)).await {
                    Ok(Err(error)) if error.is_of_address() => failed = error,
                    Ok(result) => return result,
                    Err(_) => failed = timed_out(),
                }
            }
            Err(failed)
        };
        tokio::select! {
            () = cancel.cancelled() => Err(ConnectError::Cancelled),
            tried = tried => tried,
        }
    }

    /// All addresses of all hosts, the present ones: a name may have moved since the last time.
    async fn targets(&self) -> Result<Vec<Target>, ConnectError> {
        if self.options.is_unix_socket() {
            return Ok(vec![Target::Unix(self.address().into())]);
        }
        let mut targets = Vec::new();
        let mut failed = None;
        for host in self.options.host.split(',') {
            match tokio::net::lookup_host((host, self.options.port)).await {
                Ok(found) => targets.extend(found.map(|address| Target::Tcp { host: host.to_owned(), address })),
                Err(error) => failed = Some(self.unreachable(&error)),
            }
        }
        let good = *self.good.lock().expect("no panic while held");
        // Stable: the rest stays in the resolver's order.
        targets.sort_by_key(|target| !matches!(target, Target::Tcp { address, .. } if good == Some(*address)));
        failed.filter(|_| targets.is_empty()).map_or(Ok(targets), Err)
    }

    /// A second handle to the connection, and the connection with TLS if the options ask for it.
    pub(super) async fn open(&self, target: &Target) -> Result<(Option<Socket>, Wire), ConnectError> {
        let (mut stream, host) = match target {
            Target::Unix(path) => (Socket::unix(path).await.map_err(|error| self.unreachable(&error))?, ""),
            Target::Tcp { host, address } => {
                (Socket::tcp(*address).await.map_err(|error| self.unreachable(&error))?, host.as_str())
            }
        };
        let second_handle = stream.second_handle().ok();
        let Some(mut tls) = self.tls.clone() else { return Ok((second_handle, Wire::Plain(stream))) };
        let failed = |error: io::Error| ConnectError::of_stream(&self.address(), &error);
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        stream.write_all(&request).await.map_err(failed)?;
        match stream.read_u8().await.map_err(failed)? {
            b'S' => {}
            b'N' => return Err(ConnectError::NoTls { address: self.address() }),
            _ => return Err(self.other("the request for TLS was answered with neither yes nor no")),
        }
        let tls = MakeTlsConnect::<Socket>::make_tls_connect(&mut tls, host);
        let stream = tls.map_err(|error| self.other(error))?.connect(stream).await.map_err(failed)?;
        Ok((second_handle, Wire::Tls(Box::new(stream))))
    }

    async fn log_in(self: &Arc<Self>, target: Target, database: &DatabaseName) -> Result<Session, ConnectError> {
        let (socket, wire) = self.open(&target).await?;
        let mut config = Config::new();
        config
            .user(self.options.username.as_str())
            .dbname(database.as_str())
            .application_name("terraform-provider-pgtenant")
            .options(self.options.startup_options())
            // To the driver all streams have TLS, made already.
            .ssl_mode(DriverSslMode::Require)
            .ssl_negotiation(SslNegotiation::Direct)
            .channel_binding(match self.options.channel_binding {
                ChannelBinding::Disable => DriverChannelBinding::Disable,
                ChannelBinding::Prefer => DriverChannelBinding::Prefer,
                ChannelBinding::Require => DriverChannelBinding::Require,
            });
        if let Some(password) = &self.options.password {
            config.password(password.expose());
        }
        let failed = |error: tokio_postgres::Error| {
            ConnectError::of_startup(&self.address(), &error, self.options.password.is_some())
        };
        let (client, connection) =
            config.connect_raw(Bounded::guarded(wire, self.options.allowed()), Secured).await.map_err(failed)?;
        let version = connection.parameter("server_version").unwrap_or_default().to_owned();
        let major = version.split(|c: char| !c.is_ascii_digit()).next().and_then(|text| text.parse::<u32>().ok());
        let Some(major) = major.filter(|major| *major >= major::OLDEST) else {
            return Err(ConnectError::TooOld { address: self.address(), version: bounded(&version) });
        };
        if let Target::Tcp { address, .. } = target {
            *self.good.lock().expect("no panic while held") = Some(address);
        }
        let session = Session::new(client, connection, socket, (Arc::clone(self), target), database, major);
        self.settle(session.client(), major).await?;
        Ok(session)
    }

    /// Lifts the limits that older majors do not know, and looks whether what was asked for at the beginning is in force:
    /// one round trip.
    async fn settle(&self, client: &Client, major: u32) -> Result<(), ConnectError> {
        let answer = client
            .simple_query(&settling(major))
            .await
            .map_err(|error| ConnectError::of_startup(&self.address(), &error, self.options.password.is_some()))?;
        let row = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let row = row.ok_or_else(|| self.other("a session does not know its settings"))?;
        let role = self.options.assume_role.as_ref().map(RoleName::as_str);
        let wanted = [Some("pg_catalog"), Some("warning"), role];
        for (column, (name, wanted)) in
            ["search_path", "client_min_messages", "role"].into_iter().zip(wanted).enumerate()
        {
            let found = row.try_get(column).ok().flatten().unwrap_or_default();
            if wanted.is_some_and(|wanted| wanted != found) {
                let message = format!("{name} is {:?}", bounded(found));
                return Err(ConnectError::Pooler { address: self.address(), message });
            }
        }
        Ok(())
    }

    fn unreachable(&self, error: &io::Error) -> ConnectError {
        let message = error.to_string().split(" (os error").next().unwrap_or_default().to_owned();
        ConnectError::Unreachable { address: self.address(), message }
    }

    fn other(&self, message: impl ToString) -> ConnectError {
        ConnectError::Other { address: self.address(), message: message.to_string() }
    }
}

/// The first query of a session. Its startup options hold what every major knows.
fn settling(major: u32) -> String {
    let lifted: String =
        [(Feature::IdleSessionTimeout, "idle_session_timeout"), (Feature::TransactionTimeout, "transaction_timeout")]
            .iter()
            .filter(|(feature, _)| major >= feature.since())
            .map(|(_, name)| format!(", pg_catalog.set_config('{name}', '0', false)"))
            .collect();
    format!("{ASKED}{lifted}")
}

const ASKED: &str = "SELECT pg_catalog.current_setting('search_path'), \
                     pg_catalog.current_setting('client_min_messages'), current_user";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_major_lifts_the_limits_that_it_has() {
        let check = |major, lifted: &str| {
            assert_eq!(settling(major), format!("{ASKED}{lifted}"));
        };
        let idle = ", pg_catalog.set_config('idle_session_timeout', '0', false)";
        check(13, "");
        check(14, idle);
        check(16, idle);
        check(17, &format!("{idle}, pg_catalog.set_config('transaction_timeout', '0', false)"));
    }
}

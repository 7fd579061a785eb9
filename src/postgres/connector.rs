//! How sessions come about: the addresses of a name, TLS, the login, and what each session sets for itself.

use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::config::{ChannelBinding as DriverChannelBinding, SslMode as DriverSslMode, SslNegotiation};
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::CancellationToken;

use super::connect::{ChannelBinding, ConnectOptions, Host, Password, TargetSession};
use super::error::{ConnectError, bounded};
use super::iam::Tokens;
use super::session::Session;
use super::socket::{Bounded, Secured, Socket, Wire};
use super::{Authentication, DatabaseName, Feature, Proof, RoleName, major, scram, tls};

/// How to make sessions: the options with their TLS configuration read once.
pub struct Connector {
    options: ConnectOptions,
    tls: Option<MakeRustlsConnect>,
    tokens: Option<Tokens>,
    /// Where the last session was opened: that address is tried first.
    good: Mutex<Option<SocketAddr>>,
}

/// One address of a host; none for a unix socket.
#[derive(Clone, Debug)]
pub(super) struct Target {
    host: Host,
    address: Option<SocketAddr>,
}

impl Connector {
    pub fn new(options: ConnectOptions) -> Result<Self, ConnectError> {
        // A unix socket has no TLS, in libpq as here.
        let has_tls = !options.hosts.iter().all(Host::is_unix_socket);
        let tls = if has_tls { tls::client_config(&options.tls)?.map(MakeRustlsConnect::new) } else { None };
        let tokens = match &options.password {
            Password::Token(auth) => Some(Tokens::new(auth, &options.hosts)?),
            _ => None,
        };
        Ok(Connector { options, tls, tokens, good: Mutex::default() })
    }

    pub fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// Where the server is, or may be.
    pub fn address(&self) -> String {
        self.options.hosts.iter().map(Host::to_string).collect::<Vec<_>>().join(", ")
    }

    /// Opens a session with `database`, within `connect_timeout` for each address. What is to write is led to a primary,
    /// unless the options want a standby.
    pub async fn connect(
        self: &Arc<Self>,
        database: &DatabaseName,
        writes: bool,
        cancel: &CancellationToken,
    ) -> Result<Session, ConnectError> {
        if let Some(tokens) = &self.tokens {
            tokio::select! {
                () = cancel.cancelled() => return Err(ConnectError::Cancelled),
                ready = Box::pin(tokens.prepare()) => ready?,
            }
        }
        let target_session = self.options.target_session.of_session(writes);
        match self.at_some_address(cancel, |target| self.log_in(target, database, target_session)).await {
            Err(error) if error.is_of_address() && target_session == TargetSession::PreferStandby => {
                self.at_some_address(cancel, |target| self.log_in(target, database, TargetSession::Any)).await
            }
            result => result,
        }
    }

    /// Begins a login of `role` and leaves it: what the server asks, and shows of its password.
    pub(super) async fn begin_login(
        &self,
        role: &RoleName,
        database: &DatabaseName,
        proof: Option<&Proof>,
        cancel: &CancellationToken,
    ) -> Result<Authentication, ConnectError> {
        // A proof that is not tied to the connection can be passed on.
        let proof = proof.filter(|_| self.options.channel_binding != ChannelBinding::Require);
        let begun = self.at_some_address(cancel, |target| async move {
            let mut stream = Bounded::new(self.open(&target).await?.1);
            let begun = scram::begin_login(&mut stream, role, database, proof).await;
            begun.map_err(|error| ConnectError::of_stream(&target.host.to_string(), &error))
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

    /// Tries each address of each host in turn, as libpq does, each for `connect_timeout`.
    async fn at_some_address<T, F>(
        &self,
        cancel: &CancellationToken,
        attempt: impl Fn(Target) -> F,
    ) -> Result<T, ConnectError>
    where
        F: Future<Output = Result<T, ConnectError>>,
    {
        let after = self.options.connect_timeout;
        let timed_out = |address: String| ConnectError::TimedOut { address, after };
        let tried = async {
            let targets = tokio::time::timeout(after, self.targets()).await;
            let targets = targets.map_err(|_| timed_out(self.address()))??;
            let mut failed = None;
            for target in targets {
                let address = target.host.to_string();
                match tokio::time::timeout(after, attempt(target)).await {
                    // That one is no such server says less than why another is none.
                    Ok(Err(ConnectError::WrongServer { .. })) if failed.is_some() => {}
                    Ok(Err(error)) if error.is_of_address() => failed = Some(error),
                    Ok(result) => return result,
                    Err(_) => failed = Some(timed_out(address)),
                }
            }
            Err(failed.unwrap_or_else(|| timed_out(self.address())))
        };
        tokio::select! {
            () = cancel.cancelled() => Err(ConnectError::Cancelled),
            tried = tried => tried,
        }
    }

    /// All addresses of all hosts, the present ones: a name may have moved since the last time.
    async fn targets(&self) -> Result<Vec<Target>, ConnectError> {
        let mut targets = Vec::new();
        let mut failed = None;
        for host in &self.options.hosts {
            let target = |address| Target { host: host.clone(), address };
            if host.is_unix_socket() {
                targets.push(target(None));
            } else if let Some(address) = host.address {
                targets.push(target(Some(SocketAddr::new(address, host.port))));
            } else {
                match tokio::net::lookup_host((host.name.as_str(), host.port)).await {
                    Ok(found) => targets.extend(found.map(|address| target(Some(address)))),
                    Err(error) => failed = Some(unreachable(host, &error)),
                }
            }
        }
        if self.options.load_balance {
            shuffle(&mut targets);
        }
        let good = *self.good.lock().expect("no panic while held");
        // Stable: the rest stays in its order.
        targets.sort_by_key(|target| target.address.is_none() || target.address != good);
        failed.filter(|_| targets.is_empty()).map_or(Ok(targets), Err)
    }

    /// A second handle to the connection, and the connection with TLS if the options ask for it.
    pub(super) async fn open(&self, target: &Target) -> Result<(Option<Socket>, Wire), ConnectError> {
        let host = &target.host;
        let opened = match target.address {
            None => Socket::unix(Path::new(&host.to_string())).await,
            Some(address) => Socket::tcp(address).await,
        };
        let mut stream = opened.map_err(|error| unreachable(host, &error))?;
        let second_handle = stream.second_handle().ok();
        let tls = self.tls.clone().filter(|_| target.address.is_some());
        let Some(mut tls) = tls else { return Ok((second_handle, Wire::Plain(stream))) };
        let failed = |error: io::Error| ConnectError::of_stream(&host.to_string(), &error);
        if !self.options.tls.direct {
            let mut request = BytesMut::new();
            frontend::ssl_request(&mut request);
            stream.write_all(&request).await.map_err(failed)?;
            match stream.read_u8().await.map_err(failed)? {
                b'S' => {}
                b'N' => return Err(ConnectError::NoTls { address: host.to_string() }),
                _ => return Err(other(host, "the request for TLS was answered with neither yes nor no")),
            }
        }
        let tls = MakeTlsConnect::<Socket>::make_tls_connect(&mut tls, &host.name);
        let stream = tls.map_err(|error| other(host, error))?.connect(stream).await.map_err(failed)?;
        Ok((second_handle, Wire::Tls(Box::new(stream))))
    }

    async fn log_in(
        self: &Arc<Self>,
        target: Target,
        database: &DatabaseName,
        target_session: TargetSession,
    ) -> Result<Session, ConnectError> {
        let host = target.host.clone();
        let password = match &self.tokens {
            Some(tokens) => Some(Cow::Owned(Box::pin(tokens.token(&host, &self.options.username)).await?)),
            None => self.options.password(&host, database).map(Cow::Borrowed),
        };
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
        if let Some(password) = &password {
            config.password(password.expose());
        }
        let failed = |error: tokio_postgres::Error| {
            let error = ConnectError::of_startup(&host.to_string(), &error, password.is_some());
            if self.tokens.is_some() { error.of_token() } else { error }
        };
        let (client, connection) =
            config.connect_raw(Bounded::guarded(wire, self.options.allowed(&host)), Secured).await.map_err(failed)?;
        let version = connection.parameter("server_version").unwrap_or_default().to_owned();
        let major = version.split(|c: char| !c.is_ascii_digit()).next().and_then(|text| text.parse::<u32>().ok());
        let Some(major) = major.filter(|major| *major >= major::OLDEST) else {
            return Err(ConnectError::TooOld { address: host.to_string(), version: bounded(&version) });
        };
        let address = target.address;
        let mut session = Session::new(client, connection, socket, (Arc::clone(self), target), database, major);
        let is_standby = self.settle(session.client(), major, &host).await?;
        session.is_standby = is_standby;
        let wanted = match target_session {
            TargetSession::Any => None,
            TargetSession::Primary => Some(false),
            TargetSession::Standby | TargetSession::PreferStandby => Some(true),
        };
        if wanted.is_some_and(|wanted| wanted != is_standby) {
            session.close().await;
            return Err(ConnectError::WrongServer { address: host.to_string(), is_standby });
        }
        if address.is_some() {
            *self.good.lock().expect("no panic while held") = address;
        }
        Ok(session)
    }

    /// Lifts the limits that older majors do not know, and looks whether what was asked for at the beginning is in force:
    /// one round trip. Says whether the server is a standby.
    async fn settle(&self, client: &Client, major: u32, host: &Host) -> Result<bool, ConnectError> {
        let answer = client
            .simple_query(&settling(major))
            .await
            .map_err(|error| ConnectError::of_startup(&host.to_string(), &error, true))?;
        let row = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let row = row.ok_or_else(|| other(host, "a session does not know its settings"))?;
        let role = self.options.assume_role.as_ref().map(RoleName::as_str);
        let wanted = [Some("pg_catalog"), Some("warning"), role];
        for (column, (name, wanted)) in
            ["search_path", "client_min_messages", "role"].into_iter().zip(wanted).enumerate()
        {
            let found = row.try_get(column).ok().flatten().unwrap_or_default();
            if wanted.is_some_and(|wanted| wanted != found) {
                let message = format!("{name} is {:?}", bounded(found));
                return Err(ConnectError::Pooler { address: host.to_string(), message });
            }
        }
        Ok(row.try_get(3).ok().flatten() == Some("t"))
    }
}

fn unreachable(host: &Host, error: &io::Error) -> ConnectError {
    let message = error.to_string().split(" (os error").next().unwrap_or_default().to_owned();
    ConnectError::Unreachable { address: host.to_string(), message }
}

fn other(host: &Host, message: impl ToString) -> ConnectError {
    ConnectError::Other { address: host.to_string(), message: message.to_string() }
}

fn shuffle<T>(items: &mut [T]) {
    for last in (1..items.len()).rev() {
        let mut random = [0; 4];
        // Without random numbers they stay as they are.
        if getrandom::fill(&mut random).is_ok() {
            items.swap(last, u32::from_ne_bytes(random) as usize % (last + 1));
        }
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
                     pg_catalog.current_setting('client_min_messages'), current_user, \
                     pg_catalog.pg_is_in_recovery()";

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

//! What can go wrong between this provider and a server. Errors are told apart by kind and SQLSTATE,
//! never by their text.

use std::io;
use std::time::Duration;

use rustls::CertificateError;
use tokio_postgres::error::{DbError, Severity};

pub use tokio_postgres::error::SqlState;

use super::auth::AuthMethod;
use super::catalog::lock::Holder;
use super::socket::{TooLarge, Unwanted};

/// How many bytes are kept of one text of the server's.
const MOST: usize = 8 * 1024;

/// A statement could not be sent, was refused, or did less than it was asked to.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server refused it.
    #[error("{summary}: {message} (SQLSTATE {})", .state.code())]
    Sql { summary: String, state: SqlState, message: String, detail: Option<String>, hint: Option<String> },
    /// The server said yes, and warned that nothing was revoked or granted (SQLSTATE 01006 or 01007).
    #[error("{summary}: {message} (SQLSTATE {})", .state.code())]
    NotPermitted { summary: String, state: SqlState, message: String },
    /// The operation was cancelled, and with it the statement on the server.
    #[error("{summary}: cancelled")]
    Cancelled { summary: String },
    /// The operation was cancelled before the statement was sent.
    #[error("{summary}: not begun")]
    NotSent { summary: String },
    /// It took longer than it may.
    #[error("{summary}: it took longer than {} s", .after.as_secs())]
    TooSlow { summary: String, after: Duration },
    /// The session ended before the answer: whether the statement was executed is not known.
    #[error("{summary}: the connection to the server was lost: {message}")]
    Lost { summary: String, message: String },
    /// Another process holds the advisory lock.
    #[error("another process of {:?} holds the lock, as pid {}", .holder.role, .holder.pid)]
    Locked { holder: Box<Holder> },
    /// The catalogs answered something that this version does not understand.
    #[error("{summary}: the server's answer was not understood: {message}")]
    Unreadable { summary: String, message: String },
}

impl Error {
    /// The SQLSTATE, if the server gave one.
    pub fn sqlstate(&self) -> Option<&SqlState> {
        match self {
            Error::Sql { state, .. } | Error::NotPermitted { state, .. } => Some(state),
            Error::Connect(error) => error.sqlstate(),
            _ => None,
        }
    }

    /// Whether the operation was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Error::Cancelled { .. } | Error::NotSent { .. } | Error::Connect(ConnectError::Cancelled))
    }

    /// Whether the session was lost, or led to a standby: only looking at the server again, in another one, tells what is done.
    pub fn is_lost(&self) -> bool {
        matches!(self, Error::Lost { .. }) || self.is_of_standby()
    }

    /// Whether it was to be written to a standby. Each session says that its transactions may write, so it is nothing else.
    pub(super) fn is_of_standby(&self) -> bool {
        matches!(self, Error::Sql { state, .. } if *state == SqlState::READ_ONLY_SQL_TRANSACTION)
    }

    /// Whether the same transaction may succeed when it is run again: a deadlock, a serialization
    /// failure, or two sessions that wrote the same catalog row (internal error XX000).
    pub(super) fn is_transient(&self) -> bool {
        matches!(
            self.sqlstate(),
            Some(&(SqlState::T_R_DEADLOCK_DETECTED | SqlState::T_R_SERIALIZATION_FAILURE | SqlState::INTERNAL_ERROR))
        )
    }

    /// `end` is why the session ended, if it did.
    pub(super) fn of_statement(
        summary: &str,
        error: &tokio_postgres::Error,
        end: Option<&tokio_postgres::Error>,
    ) -> Self {
        let summary = summary.to_owned();
        if let Some(db) = error.as_db_error().filter(|db| !ends_session(db)) {
            return Error::Sql {
                summary,
                state: db.code().clone(),
                message: bounded(db.message()),
                detail: db.detail().map(bounded),
                hint: db.hint().map(bounded),
            };
        }
        let cause = if error.as_db_error().is_some() { error } else { end.unwrap_or(error) };
        match cause.as_db_error() {
            Some(db) => {
                let message = format!("{} (SQLSTATE {})", bounded(db.message()), db.code().code());
                Error::Lost { summary, message }
            }
            None if is_too_large(cause) => Error::Unreadable { summary, message: TooLarge.to_string() },
            None => Error::Lost { summary, message: chain(cause) },
        }
    }
}

/// Whether the server closes the connection after this error: by its severity, or because an operator or a shutdown
/// ends the session (57P01 to 57P05).
fn ends_session(error: &DbError) -> bool {
    matches!(error.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) || error.code().code().starts_with("57P")
}

/// A text of the server's, cut where it is longer than anybody reads.
pub(super) fn bounded(text: &str) -> String {
    if text.len() <= MOST {
        return text.to_owned();
    }
    let end = (0..=MOST).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{}... ({} bytes more)", &text[..end], text.len() - end)
}

/// Why there is no session.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("nothing answers at {address}: {message}")]
    Unreachable { address: String, message: String },
    #[error("{address} did not answer within {}s", .after.as_secs_f32())]
    TimedOut { address: String, after: Duration },
    /// Somebody answered, and closed the connection before there was a session.
    #[error("{address} closed the connection: {message}")]
    Dropped { address: String, message: String },
    #[error("the server at {address} does not offer TLS")]
    NoTls { address: String },
    #[error("the certificate of {address} is not trusted: {message}")]
    UntrustedCertificate { address: String, why: Distrust, message: String },
    #[error("TLS with {address} failed: {message}")]
    Tls { address: String, message: String },
    /// The certificates of `sslrootcert` could not be used.
    #[error("{message}")]
    RootCertificates { message: String },
    /// The certificate and key of `sslcert` and `sslkey` could not be used.
    #[error("{message}")]
    Certificate { message: String },
    /// The server answered, and refused. `28P01` is a wrong password.
    #[error("the server at {address} refused the connection: {message} (SQLSTATE {})", .state.code())]
    Refused { address: String, state: SqlState, message: String },
    /// The server has no slot for one more session (53300).
    #[error("the server at {address} refused the connection: {message} (SQLSTATE 53300)")]
    Full { address: String, of: Slots, message: String },
    /// There is no token of IAM to log in with.
    #[error("there is no token of IAM to log in with: {message}")]
    NoToken { message: String },
    /// The server was shown a token of IAM, and refused it.
    #[error("the server at {address} refused the token of IAM: {message} (SQLSTATE {})", .state.code())]
    TokenRefused { address: String, state: SqlState, message: String },
    /// What answers does not keep what a session asks for when it begins.
    #[error("{address} does not keep the settings of a session: {message}")]
    Pooler { address: String, message: String },
    /// It is not the one of several that is wanted.
    #[error("{address} is a {}", if *.is_standby { "standby" } else { "primary" })]
    WrongServer { address: String, is_standby: bool },
    /// The server asked for something that it is not to have.
    #[error("the server at {address} asks for {asked}")]
    Unwanted { address: String, asked: AuthMethod },
    #[error("the server at {address} asked for a password, and none is set")]
    NoPassword { address: String },
    #[error("the server at {address} is PostgreSQL {version}; this provider needs 13 or newer")]
    TooOld { address: String, version: String },
    #[error("the connection was not made: cancelled")]
    Cancelled,
    #[error("connecting to {address} failed: {message}")]
    Other { address: String, message: String },
}

/// Why a server's certificate is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// Nobody who is trusted signed it.
    Issuer,
    /// It is for other names. A common name is none.
    Name,
    /// It has expired, or is not valid yet.
    Time,
    /// It is an authority's own, which OpenSSL takes for a server's all the same.
    Authority,
    Other,
}

impl Distrust {
    fn of(error: &CertificateError) -> Self {
        use CertificateError::{
            BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
            NotValidYetContext, Other, UnknownIssuer,
        };
        match error {
            // A signature that does not fit is that of another authority of the same name.
            UnknownIssuer | BadSignature => Distrust::Issuer,
            NotValidForName | NotValidForNameContext { .. } => Distrust::Name,
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. } => Distrust::Time,
            Other(error) if error.0.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity) => Distrust::Authority,
            _ => Distrust::Other,
        }
    }
}

/// Whose connections are all taken, where none is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slots {
    /// The server's (`max_connections`), or those that it does not keep for superusers.
    Server,
    /// The ones that the role's `CONNECTION LIMIT` lets it have.
    Role,
    /// The ones that the database's `CONNECTION LIMIT` lets it have.
    Database,
}

impl ConnectError {
    pub fn sqlstate(&self) -> Option<&SqlState> {
        match self {
            ConnectError::Refused { state, .. } | ConnectError::TokenRefused { state, .. } => Some(state),
            ConnectError::Full { .. } => Some(&SqlState::TOO_MANY_CONNECTIONS),
            _ => None,
        }
    }

    /// The same where a token of IAM was shown: what is refused then is the token.
    pub(super) fn of_token(self) -> Self {
        match self {
            ConnectError::Refused { address, state, message } if state.code().starts_with("28") => {
                ConnectError::TokenRefused { address, state, message }
            }
            error => error,
        }
    }

    /// Whether this process could have a session if it had fewer.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, ConnectError::Full { of: Slots::Server | Slots::Role, .. })
    }

    /// Whether the next attempt may well succeed: nobody answers yet, or the server is starting, stopping or full.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            ConnectError::Unreachable { .. } | ConnectError::TimedOut { .. } | ConnectError::Dropped { .. } => true,
            // A failover is under way.
            ConnectError::WrongServer { .. } => true,
            // Class 57 is operator intervention, 53 insufficient resources. A time limit that a database has for its
            // sessions can end one before it is lifted.
            ConnectError::Refused { state, .. } => {
                ["53", "57", "25P04"].iter().any(|class| state.code().starts_with(class))
            }
            error => error.is_full(),
        }
    }

    /// Whether whoever asks for another database would be told the same.
    pub(super) fn is_of_server(&self) -> bool {
        match self {
            ConnectError::Cancelled | ConnectError::Full { of: Slots::Database, .. } => false,
            ConnectError::Refused { .. } | ConnectError::TokenRefused { .. } => self.is_passing(),
            _ => true,
        }
    }

    /// Whether another address of the same name may answer better.
    pub(super) fn is_of_address(&self) -> bool {
        match self {
            ConnectError::Unreachable { .. }
            | ConnectError::TimedOut { .. }
            | ConnectError::Dropped { .. }
            | ConnectError::WrongServer { .. } => true,
            ConnectError::Refused { state, .. } => *state == SqlState::CANNOT_CONNECT_NOW,
            _ => false,
        }
    }

    /// The server refused: `routine` is the function of its own that did.
    pub(super) fn of_refusal(address: &str, state: SqlState, message: &str, routine: Option<&str>) -> Self {
        let (address, message) = (address.to_owned(), bounded(message));
        match state {
            // One SQLSTATE for three limits, and the text is translated.
            SqlState::TOO_MANY_CONNECTIONS => {
                let of = match routine {
                    Some("CheckMyDatabase") => Slots::Database,
                    Some("InitializeSessionUserId") => Slots::Role,
                    _ => Slots::Server,
                };
                ConnectError::Full { address, of, message }
            }
            // PostgreSQL takes every startup parameter that we send; pgBouncer and RDS Proxy do not.
            SqlState::PROTOCOL_VIOLATION | SqlState::FEATURE_NOT_SUPPORTED => {
                ConnectError::Pooler { address, message: format!("{message} (SQLSTATE {})", state.code()) }
            }
            state => ConnectError::Refused { address, state, message },
        }
    }

    pub(super) fn of_startup(address: &str, error: &tokio_postgres::Error, has_password: bool) -> Self {
        if let Some(db) = error.as_db_error() {
            return Self::of_refusal(address, db.code().clone(), db.message(), db.routine());
        }
        // What is left has no public kind: the two that users meet are told by what was asked for.
        if !has_password && is_configuration(error) {
            return ConnectError::NoPassword { address: address.to_owned() };
        }
        match std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>()) {
            Some(source) => Self::of_stream(address, source),
            None if error.is_closed() => ConnectError::Dropped { address: address.to_owned(), message: chain(error) },
            None => ConnectError::Other { address: address.to_owned(), message: chain(error) },
        }
    }

    /// The stream broke, or TLS over it.
    pub(super) fn of_stream(address: &str, error: &io::Error) -> Self {
        let address = address.to_owned();
        let inner = error.get_ref();
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            let message = tls.to_string();
            return match tls {
                rustls::Error::InvalidCertificate(error) => {
                    ConnectError::UntrustedCertificate { address, why: Distrust::of(error), message }
                }
                _ => ConnectError::Tls { address, message },
            };
        }
        if let Some(Unwanted(asked)) = inner.and_then(|inner| inner.downcast_ref::<Unwanted>()) {
            return ConnectError::Unwanted { address, asked: *asked };
        }
        let message = chain(error);
        match error.kind() {
            // What was read was no message of PostgreSQL's, or too large for one.
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
                ConnectError::Other { address, message }
            }
            _ => ConnectError::Dropped { address, message },
        }
    }
}

/// tokio-postgres keeps its kinds private; `Display` of a kind is fixed, and the cause comes after it.
fn is_configuration(error: &tokio_postgres::Error) -> bool {
    error.to_string().starts_with("invalid configuration")
}

fn is_too_large(error: &tokio_postgres::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<TooLarge>())
}

/// An error and its causes in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(state: SqlState) -> Error {
        Error::Sql { summary: "do it".into(), state, message: "no".into(), detail: None, hint: None }
    }

    fn refused(state: SqlState) -> ConnectError {
        ConnectError::Refused { address: "db:5432".into(), state, message: "no".into() }
    }

    #[test]
    fn what_may_succeed_when_it_is_run_again() {
        for (code, expected) in
            [("40P01", true), ("40001", true), ("XX000", true), ("42501", false), ("55P03", false), ("57014", false)]
        {
            assert_eq!(sql(SqlState::from_code(code)).is_transient(), expected, "{code}");
        }
        for other in [
            Error::Cancelled { summary: "do it".into() },
            Error::NotSent { summary: "do it".into() },
            Error::Lost { summary: "do it".into(), message: "reset".into() },
            Error::Connect(refused(SqlState::INVALID_PASSWORD)),
        ] {
            assert!(!other.is_transient(), "{other}");
        }
    }

    #[test]
    fn what_another_session_has_to_look_at() {
        let lost = Error::Lost { summary: "do it".into(), message: "reset".into() };
        assert!(lost.is_lost() && !lost.is_of_standby());
        for (code, expected) in [("25006", true), ("25001", false), ("57014", false), ("3D000", false)] {
            assert_eq!(sql(SqlState::from_code(code)).is_lost(), expected, "{code}");
        }
    }

    #[test]
    fn what_may_succeed_at_the_next_attempt_to_connect() {
        for (code, expected) in
            [("53300", true), ("57P03", true), ("57P01", true), ("28P01", false), ("3D000", false), ("42501", false)]
        {
            assert_eq!(refused(SqlState::from_code(code)).is_passing(), expected, "{code}");
        }
        let (address, message) = (String::new(), String::new());
        assert!(ConnectError::Unreachable { address: address.clone(), message: message.clone() }.is_passing());
        assert!(ConnectError::TimedOut { address: address.clone(), after: Duration::from_secs(1) }.is_passing());
        assert!(ConnectError::Dropped { address: address.clone(), message: message.clone() }.is_passing());
        assert!(!ConnectError::UntrustedCertificate { address, why: Distrust::Issuer, message }.is_passing());
        assert!(!ConnectError::Cancelled.is_passing());
    }

    #[test]
    fn a_refusal_says_whose_connections_are_taken() {
        let check = |routine: Option<&str>, expected: Slots, waits: bool| {
            let state = SqlState::TOO_MANY_CONNECTIONS;
            let error = ConnectError::of_refusal("db:5432", state.clone(), "zu viele Verbindungen", routine);
            assert!(matches!(&error, ConnectError::Full { of, .. } if *of == expected), "{error:?}");
            assert_eq!((error.is_full(), error.is_passing(), error.is_of_server()), (waits, waits, waits));
            assert_eq!(error.sqlstate(), Some(&state));
        };
        check(Some("InitProcess"), Slots::Server, true);
        check(Some("InitPostgres"), Slots::Server, true);
        check(None, Slots::Server, true);
        check(Some("InitializeSessionUserId"), Slots::Role, true);
        check(Some("CheckMyDatabase"), Slots::Database, false);
    }

    #[test]
    fn a_token_is_refused_for_one_database() {
        let token = |code| refused(SqlState::from_code(code)).of_token();
        assert!(matches!(token("28000"), ConnectError::TokenRefused { .. }));
        assert!(matches!(token("28P01"), ConnectError::TokenRefused { .. }));
        assert!(matches!(token("57P03"), ConnectError::Refused { .. }));
        assert!(!token("28000").is_of_server() && !token("28000").is_passing());
    }

    #[test]
    fn a_pooler_is_told_by_what_it_does_not_take() {
        for code in ["08P01", "0A000"] {
            let error = ConnectError::of_refusal("db:6432", SqlState::from_code(code), "options", None);
            assert!(matches!(&error, ConnectError::Pooler { message, .. } if message.contains(code)), "{error:?}");
            assert!(!error.is_passing());
        }
    }

    #[test]
    fn a_text_of_the_servers_is_cut() {
        assert_eq!(bounded("short"), "short");
        let cut = bounded(&"\u{e4}".repeat(MOST));
        assert!(cut.len() < MOST + 40 && cut.ends_with("\u{e4}... (8192 bytes more)"), "{cut}");
    }

    #[test]
    fn the_sqlstate_is_the_servers() {
        let state = SqlState::INSUFFICIENT_PRIVILEGE;
        assert_eq!(sql(state.clone()).sqlstate(), Some(&state));
        assert_eq!(Error::Connect(refused(state.clone())).sqlstate(), Some(&state));
        let warned = Error::NotPermitted { summary: "do it".into(), state: state.clone(), message: "no".into() };
        assert_eq!(warned.sqlstate(), Some(&state));
        assert_eq!(Error::Connect(ConnectError::Cancelled).sqlstate(), None);
        assert_eq!(Error::Unreadable { summary: "read".into(), message: "no".into() }.sqlstate(), None);
    }

    #[test]
    fn a_chain_says_each_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Link(&'static str, #[source] Option<Box<Link>>);
        let link = |text, source: Option<Link>| Link(text, source.map(Box::new));
        assert_eq!(chain(&link("a", Some(link("b", Some(link("c", None)))))), "a: b: c");
        assert_eq!(chain(&link("failed: b", Some(link("b", None)))), "failed: b");
    }
}

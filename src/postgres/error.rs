//! What can go wrong between this provider and a server. Errors are told apart by kind and SQLSTATE,
//! never by their text.

use std::io;
use std::time::Duration;

pub use tokio_postgres::error::SqlState;

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
    /// The operation was cancelled: by `Stop`, or because its time ran out.
    #[error("{summary}: cancelled")]
    Cancelled { summary: String },
    /// It took longer than it may.
    #[error("{summary}: it took longer than {} s", .after.as_secs())]
    TooSlow { summary: String, after: Duration },
    /// The connection broke.
    #[error("{summary}: the connection to the server was lost: {message}")]
    Lost { summary: String, message: String },
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
        matches!(self, Error::Cancelled { .. } | Error::Connect(ConnectError::Cancelled))
    }

    /// Whether the connection broke: what was sent may have been done.
    pub fn is_lost(&self) -> bool {
        matches!(self, Error::Lost { .. })
    }

    /// Whether the same transaction may succeed when it is run again: a deadlock, a serialization
    /// failure, or two sessions that wrote the same catalog row (internal error XX000).
    pub(super) fn is_transient(&self) -> bool {
        matches!(
            self.sqlstate(),
            Some(&(SqlState::T_R_DEADLOCK_DETECTED | SqlState::T_R_SERIALIZATION_FAILURE | SqlState::INTERNAL_ERROR))
        )
    }

    pub(super) fn of_statement(summary: &str, error: &tokio_postgres::Error) -> Self {
        let summary = summary.to_owned();
        match error.as_db_error() {
            Some(db) => Error::Sql {
                summary,
                state: db.code().clone(),
                message: db.message().to_owned(),
                detail: db.detail().map(str::to_owned),
                hint: db.hint().map(str::to_owned),
            },
            None => Error::Lost { summary, message: chain(error) },
        }
    }
}

/// Why there is no session.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("nothing answers at {address}: {message}")]
    Unreachable { address: String, message: String },
    #[error("{address} did not answer within {}s", .after.as_secs_f32())]
    TimedOut { address: String, after: Duration },
    #[error("the server at {address} does not offer TLS")]
    NoTls { address: String },
    #[error("the certificate of {address} is not trusted: {message}")]
    UntrustedCertificate { address: String, message: String },
    #[error("TLS with {address} failed: {message}")]
    Tls { address: String, message: String },
    /// The certificates of `sslrootcert` could not be used.
    #[error("{message}")]
    RootCertificates { message: String },
    /// The server answered, and refused. `28P01` is a wrong password.
    #[error("the server at {address} refused the connection: {message} (SQLSTATE {})", .state.code())]
    Refused { address: String, state: SqlState, message: String },
    #[error("the server at {address} asked for a password, and none is set")]
    NoPassword { address: String },
    #[error("the server at {address} is PostgreSQL {version}; this provider needs 13 or newer")]
    TooOld { address: String, version: String },
    #[error("the connection was not made: cancelled")]
    Cancelled,
    #[error("connecting to {address} failed: {message}")]
    Other { address: String, message: String },
}

impl ConnectError {
    pub fn sqlstate(&self) -> Option<&SqlState> {
        match self {
            ConnectError::Refused { state, .. } => Some(state),
            _ => None,
        }
    }

    /// Whether the next attempt may well succeed: the server is starting, stopping, or full.
    pub(super) fn is_passing(&self) -> bool {
        // Classes 53 (insufficient resources) and 57 (operator intervention).
        self.sqlstate().is_some_and(|state| state.code().starts_with("53") || state.code().starts_with("57"))
    }

    pub(super) fn of_startup(address: &str, error: &tokio_postgres::Error, has_password: bool) -> Self {
        let address = address.to_owned();
        if let Some(db) = error.as_db_error() {
            return ConnectError::Refused { address, state: db.code().clone(), message: db.message().to_owned() };
        }
        if let Some(tls) = rustls_error(error) {
            let message = tls.to_string();
            return match tls {
                rustls::Error::InvalidCertificate(_) | rustls::Error::InvalidCertRevocationList(_) => {
                    ConnectError::UntrustedCertificate { address, message }
                }
                _ => ConnectError::Tls { address, message },
            };
        }
        // What is left has no public kind: the two that users meet are told by what was asked for.
        if !has_password && is_configuration(error) {
            return ConnectError::NoPassword { address };
        }
        ConnectError::Other { address, message: chain(error) }
    }
}

/// tokio-postgres keeps its kinds private; `Display` of a kind is fixed, and the cause comes after it.
fn is_configuration(error: &tokio_postgres::Error) -> bool {
    error.to_string().starts_with("invalid configuration")
}

fn rustls_error(error: &tokio_postgres::Error) -> Option<&rustls::Error> {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        // io::Error hides its payload from `source()`.
        if let Some(tls) = inner
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .and_then(|e| e.downcast_ref::<rustls::Error>())
        {
            return Some(tls);
        }
        source = inner.source();
    }
    None
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
            Error::Lost { summary: "do it".into(), message: "reset".into() },
            Error::Connect(refused(SqlState::INVALID_PASSWORD)),
        ] {
            assert!(!other.is_transient(), "{other}");
        }
    }

    #[test]
    fn what_may_succeed_at_the_next_attempt_to_connect() {
        for (code, expected) in
            [("53300", true), ("57P03", true), ("57P01", true), ("28P01", false), ("3D000", false), ("42501", false)]
        {
            assert_eq!(refused(SqlState::from_code(code)).is_passing(), expected, "{code}");
        }
        assert!(!ConnectError::Unreachable { address: "db:5432".into(), message: "refused".into() }.is_passing());
        assert!(!ConnectError::Cancelled.is_passing());
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

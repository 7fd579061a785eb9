//! How to reach a cluster, in libpq's words.

use std::time::Duration;

use super::{DatabaseName, RequireAuth, RoleName, Secret};

/// libpq's `sslmode`, without `allow` and `prefer`: those fall back to clear text unasked.
///
/// <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SslMode {
    /// Clear text.
    Disable,
    /// Encrypted, with whoever answers.
    Require,
    /// Encrypted, the certificate is from a trusted authority.
    VerifyCa,
    /// Encrypted, the certificate is from a trusted authority and for this host.
    #[default]
    VerifyFull,
}

impl SslMode {
    pub const ALL: [(&str, SslMode); 4] = [
        ("disable", SslMode::Disable),
        ("require", SslMode::Require),
        ("verify-ca", SslMode::VerifyCa),
        ("verify-full", SslMode::VerifyFull),
    ];

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, mode)| *mode)
    }
}

/// libpq's `channel_binding`: whether a login is tied to the TLS connection that it runs over, so that nobody in between can pass
/// it on.
///
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-CHANNEL-BINDING>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ChannelBinding {
    Disable,
    /// If the server offers it.
    #[default]
    Prefer,
    Require,
}

impl ChannelBinding {
    pub const ALL: [(&str, ChannelBinding); 3] = [
        ("disable", ChannelBinding::Disable),
        ("prefer", ChannelBinding::Prefer),
        ("require", ChannelBinding::Require),
    ];

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice)
    }
}

/// The authorities that a server's certificate may come from.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum SslRootCert {
    /// The operating system's store.
    #[default]
    System,
    /// Certificates in PEM form.
    Pem(String),
}

/// What a session needs to come about.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// A host name, an address, or the directory of a unix socket (begins with `/`).
    pub host: String,
    pub port: u16,
    /// The maintenance database.
    pub database: DatabaseName,
    pub username: RoleName,
    pub password: Option<Secret>,
    pub sslmode: SslMode,
    pub sslrootcert: SslRootCert,
    /// What the server may ask for; `None`: SCRAM, and anything where TLS has verified it or nothing is in between.
    pub require_auth: Option<RequireAuth>,
    pub channel_binding: ChannelBinding,
    pub connect_timeout: Duration,
    /// `SET ROLE` before anything else.
    pub assume_role: Option<RoleName>,
}

impl ConnectOptions {
    /// What the server may ask for before it lets this admin in.
    pub(super) fn allowed(&self) -> RequireAuth {
        let is_verified = matches!(self.sslmode, SslMode::VerifyCa | SslMode::VerifyFull) || self.is_unix_socket();
        let default = if is_verified { RequireAuth::any() } else { RequireAuth::scram() };
        self.require_auth.clone().unwrap_or(default)
    }

    pub fn is_unix_socket(&self) -> bool {
        self.host.starts_with('/')
    }

    /// `options` of the startup packet. These outrank what a database or role has set: a tenant's
    /// guardrails must not end the admin's own work in its database, nor may a `search_path` that
    /// somebody planted there decide which function the admin calls.
    pub(super) fn startup_options(&self) -> String {
        let mut settings = vec![
            ("search_path".to_owned(), "pg_catalog".to_owned()),
            ("client_min_messages".to_owned(), "warning".to_owned()),
            ("default_transaction_read_only".to_owned(), "off".to_owned()),
            ("statement_timeout".to_owned(), "0".to_owned()),
            ("lock_timeout".to_owned(), "0".to_owned()),
            ("idle_in_transaction_session_timeout".to_owned(), "0".to_owned()),
            // A query of the catalogs is planned once for all its parameters, and never compiled.
            ("plan_cache_mode".to_owned(), "force_generic_plan".to_owned()),
            ("jit".to_owned(), "off".to_owned()),
        ];
        if let Some(role) = &self.assume_role {
            settings.push(("role".to_owned(), role.as_str().to_owned()));
        }
        settings
            .into_iter()
            .map(|(name, value)| format!("-c {name}={}", escape_option(&value)))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Blanks and backslashes end an option unless a backslash stands before them.
fn escape_option(value: &str) -> String {
    value.chars().fold(String::new(), |mut escaped, c| {
        if c == '\\' || c.is_whitespace() {
            escaped.push('\\');
        }
        escaped.push(c);
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_values_are_escaped() {
        assert_eq!(escape_option("plain"), "plain");
        assert_eq!(escape_option("two words\\"), "two\\ words\\\\");
    }

    fn options() -> ConnectOptions {
        ConnectOptions {
            host: "db.example.com".into(),
            port: 5432,
            database: "postgres".parse().unwrap(),
            username: "admin".parse().unwrap(),
            password: None,
            sslmode: SslMode::Disable,
            sslrootcert: SslRootCert::System,
            require_auth: None,
            channel_binding: ChannelBinding::Prefer,
            connect_timeout: Duration::from_secs(10),
            assume_role: None,
        }
    }

    #[test]
    fn a_session_obeys_nothing_that_a_database_or_role_has_set() {
        let options =
            |role: Option<&str>| ConnectOptions { assume_role: role.map(|role| role.parse().unwrap()), ..options() };
        let expected = "-c search_path=pg_catalog -c client_min_messages=warning -c default_transaction_read_only=off -c \
                        statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 \
                        -c plan_cache_mode=force_generic_plan -c jit=off";
        assert_eq!(options(None).startup_options(), expected);
        assert_eq!(options(Some("the ops")).startup_options(), format!("{expected} -c role=the\\ ops"));
    }

    #[test]
    fn modes_are_called_as_libpq_calls_them() {
        for (name, mode) in SslMode::ALL {
            assert_eq!(SslMode::parse(name), Some(mode));
        }
        assert_eq!(SslMode::parse("prefer"), None);
    }

    #[test]
    fn without_a_verified_server_the_password_stays_here() {
        let allowed = |sslmode, host: &str, require_auth: Option<&str>| {
            let require_auth = require_auth.map(|text| text.parse().unwrap());
            ConnectOptions { sslmode, host: host.to_owned(), require_auth, ..options() }.allowed()
        };
        for (mode, is_verified) in [
            (SslMode::Disable, false),
            (SslMode::Require, false),
            (SslMode::VerifyCa, true),
            (SslMode::VerifyFull, true),
        ] {
            let expected = if is_verified { RequireAuth::any() } else { RequireAuth::scram() };
            assert_eq!(allowed(mode, "db", None), expected, "{mode:?}");
            assert_eq!(allowed(mode, "/var/run/postgresql", None), RequireAuth::any());
            assert_eq!(allowed(mode, "db", Some("md5")), "md5".parse().unwrap());
        }
    }

    #[test]
    fn a_path_is_a_socket() {
        let host = |host: &str| ConnectOptions { host: host.to_owned(), ..options() }.is_unix_socket();
        assert!(host("/var/run/postgresql") && !host("db.example.com") && !host(""));
    }
}

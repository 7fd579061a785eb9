//! How to reach a cluster, in libpq's words.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{DatabaseName, IamAuth, Passfile, RequireAuth, RoleName, Secret};

/// What one of libpq's words stands for. An error lists them all.
pub fn choice<T: Copy>(words: &[(&str, T)], text: &str) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
    found.ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("{text:?} is not one of {}", words.join(", "))
    })
}

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

/// libpq's `target_session_attrs`: which of several servers will do. The provider's sessions write unless the server is a standby,
/// so `read-write` is `primary` and `read-only` is `standby`.
///
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-TARGET-SESSION-ATTRS>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TargetSession {
    #[default]
    Any,
    Primary,
    Standby,
    /// A standby if there is one.
    PreferStandby,
}

impl TargetSession {
    pub const ALL: [(&str, TargetSession); 6] = [
        ("any", TargetSession::Any),
        ("read-write", TargetSession::Primary),
        ("read-only", TargetSession::Standby),
        ("primary", TargetSession::Primary),
        ("standby", TargetSession::Standby),
        ("prefer-standby", TargetSession::PreferStandby),
    ];

    /// Which server will do for a session. One that writes needs a primary; a standby that is demanded all the same refuses it.
    pub(super) fn of_session(self, writes: bool) -> TargetSession {
        match self {
            TargetSession::Any | TargetSession::PreferStandby if writes => TargetSession::Primary,
            wanted => wanted,
        }
    }
}

/// What the provider shows a server that asks for a certificate.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// Certificates in PEM form, its own first.
    pub certificates: String,
    /// The private key in PEM form, not encrypted.
    pub key: Secret,
}

/// libpq's `ssl_min_protocol_version`. What is older than TLS 1.2 is not spoken at all.
///
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-SSL-MIN-PROTOCOL-VERSION>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TlsVersion {
    #[default]
    V1_2,
    V1_3,
}

impl TlsVersion {
    pub const ALL: [(&str, TlsVersion); 4] = [
        ("TLSv1", TlsVersion::V1_2),
        ("TLSv1.1", TlsVersion::V1_2),
        ("TLSv1.2", TlsVersion::V1_2),
        ("TLSv1.3", TlsVersion::V1_3),
    ];
}

/// How TLS comes about.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    pub mode: SslMode,
    pub roots: SslRootCert,
    pub certificate: Option<ClientCertificate>,
    pub oldest: TlsVersion,
    /// Without asking the server first whether it speaks TLS (PostgreSQL 17 and newer): libpq's `sslnegotiation=direct`.
    pub direct: bool,
}

/// One place where the server may be: one of libpq's `host`, with its `hostaddr` and `port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name, an address, or the directory of a unix socket (begins with `/`). The server's certificate is to be for it.
    pub name: String,
    /// Where it is, if that is not asked of the resolver: the other end of a tunnel.
    pub address: Option<IpAddr>,
    pub port: u16,
}

impl Host {
    pub fn is_unix_socket(&self) -> bool {
        self.name.starts_with('/')
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Host { name, address, port } = self;
        match address {
            _ if self.is_unix_socket() => write!(f, "{name}/.s.PGSQL.{port}"),
            Some(address) if *name != address.to_string() => write!(f, "{name}:{port} (at {address})"),
            _ => write!(f, "{name}:{port}"),
        }
    }
}

/// The password, or where it is found.
#[derive(Clone, Debug)]
pub enum Password {
    None,
    Given(Secret),
    /// libpq's password file.
    File(Passfile),
    /// A token of IAM, made for each login.
    Token(IamAuth),
}

/// What a session needs to come about.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// They are tried in this order.
    pub hosts: Vec<Host>,
    pub target_session: TargetSession,
    /// The hosts and their addresses are tried in random order.
    pub load_balance: bool,
    /// The maintenance database.
    pub database: DatabaseName,
    pub username: RoleName,
    pub password: Password,
    pub tls: Tls,
    /// What the server may ask for; `None`: SCRAM, and anything where TLS has verified it or nothing is in between.
    pub require_auth: Option<RequireAuth>,
    pub channel_binding: ChannelBinding,
    pub connect_timeout: Duration,
    /// `SET ROLE` before anything else.
    pub assume_role: Option<RoleName>,
}

impl ConnectOptions {
    /// What the server there may ask for before it lets this admin in.
    pub(super) fn allowed(&self, host: &Host) -> RequireAuth {
        let is_verified = matches!(self.tls.mode, SslMode::VerifyCa | SslMode::VerifyFull) || host.is_unix_socket();
        let default = if is_verified { RequireAuth::any() } else { RequireAuth::scram() };
        self.require_auth.clone().unwrap_or(default)
    }

    /// The password for a database there, where there is one.
    pub fn password(&self, host: &Host, database: &DatabaseName) -> Option<&Secret> {
        match &self.password {
            Password::None | Password::Token(_) => None,
            Password::Given(password) => Some(password),
            Password::File(file) => file.password(host, database.as_str(), self.username.as_str()),
        }
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
pub(super) mod fixture {
    use super::*;

    pub fn host(name: &str) -> Host {
        Host { name: name.to_owned(), address: None, port: 5432 }
    }

    pub fn options() -> ConnectOptions {
        ConnectOptions {
            hosts: vec![host("db.example.com")],
            target_session: TargetSession::Any,
            load_balance: false,
            database: "postgres".parse().unwrap(),
            username: "admin".parse().unwrap(),
            password: Password::None,
            tls: Tls { mode: SslMode::Disable, ..Tls::default() },
            require_auth: None,
            channel_binding: ChannelBinding::Prefer,
            connect_timeout: Duration::from_secs(10),
            assume_role: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::{host, options};
    use super::*;

    #[test]
    fn option_values_are_escaped() {
        assert_eq!(escape_option("plain"), "plain");
        assert_eq!(escape_option("two words\\"), "two\\ words\\\\");
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
    fn what_writes_is_led_to_a_primary_unless_a_standby_is_demanded() {
        use TargetSession::{Any, PreferStandby, Primary, Standby};
        for (asked, to_read, to_write) in [
            (Any, Any, Primary),
            (Primary, Primary, Primary),
            (Standby, Standby, Standby),
            (PreferStandby, PreferStandby, Primary),
        ] {
            assert_eq!((asked.of_session(false), asked.of_session(true)), (to_read, to_write), "{asked:?}");
        }
    }

    #[test]
    fn words_are_libpqs() {
        assert_eq!(choice(&SslMode::ALL, "verify-ca"), Ok(SslMode::VerifyCa));
        let refused = "\"prefer\" is not one of disable, require, verify-ca, verify-full".to_owned();
        assert_eq!(choice(&SslMode::ALL, "prefer"), Err(refused));
        assert_eq!(choice(&TargetSession::ALL, "read-write"), Ok(TargetSession::Primary));
    }

    #[test]
    fn without_a_verified_server_the_password_stays_here() {
        let allowed = |sslmode, name: &str, require_auth: Option<&str>| {
            let require_auth = require_auth.map(|text| text.parse().unwrap());
            ConnectOptions { tls: Tls { mode: sslmode, ..Tls::default() }, require_auth, ..options() }
                .allowed(&host(name))
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
        assert!(host("/var/run/postgresql").is_unix_socket() && !host("db.example.com").is_unix_socket());
        assert_eq!(host("/run").to_string(), "/run/.s.PGSQL.5432");
        let tunnel = |name: &str| Host { address: Some("127.0.0.1".parse().unwrap()), ..host(name) }.to_string();
        assert_eq!((tunnel("db"), tunnel("127.0.0.1")), ("db:5432 (at 127.0.0.1)".into(), "127.0.0.1:5432".into()));
    }
}

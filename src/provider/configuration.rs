//! The provider block: its schema, and how it becomes connect options. Attribute before environment
//! variable before default.

use std::path::PathBuf;
use std::time::Duration;

use crate::postgres::{self, ChannelBinding, ConnectOptions, RequireAuth, Secret, SslMode, SslRootCert};
use crate::tf_provider::{Attributes, Diagnostic, Diagnostics, Field, Schema, Value, model};

/// What the provider block comes to.
#[derive(Debug)]
pub(super) struct Configured {
    /// `None` while something is not known until apply.
    pub options: Option<ConnectOptions>,
    pub max_connections: usize,
    pub deep_verify: bool,
    pub connection_budget: ConnectionBudget,
}

/// What becomes of a plan with which the tenants may open more connections than the server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConnectionBudget {
    Warn,
    Error,
    Off,
}

impl ConnectionBudget {
    const ALL: [(&str, ConnectionBudget); 3] =
        [("warn", ConnectionBudget::Warn), ("error", ConnectionBudget::Error), ("off", ConnectionBudget::Off)];

    fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, budget)| *budget);
        found.ok_or_else(|| format!("{text:?} is not one of {}", Self::ALL.map(|(name, _)| name).join(", ")))
    }
}

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// One setting of the connection: its attribute, libpq's environment variable and the default.
struct Setting {
    attribute: &'static str,
    variable: Option<&'static str>,
    default: Option<&'static str>,
}

const HOST: Setting = Setting { attribute: "host", variable: Some("PGHOST"), default: Some("localhost") };
const PORT: Setting = Setting { attribute: "port", variable: Some("PGPORT"), default: Some("5432") };
const DATABASE: Setting = Setting { attribute: "database", variable: Some("PGDATABASE"), default: Some("postgres") };
const USERNAME: Setting = Setting { attribute: "username", variable: Some("PGUSER"), default: None };
const PASSWORD: Setting = Setting { attribute: "password", variable: Some("PGPASSWORD"), default: None };
const SSLMODE: Setting = Setting { attribute: "sslmode", variable: Some("PGSSLMODE"), default: Some("verify-full") };
const SSLROOTCERT: Setting = Setting { attribute: "sslrootcert", variable: Some("PGSSLROOTCERT"), default: None };
const REQUIRE_AUTH: Setting = Setting { attribute: "require_auth", variable: Some("PGREQUIREAUTH"), default: None };
const CHANNEL_BINDING: Setting =
    Setting { attribute: "channel_binding", variable: Some("PGCHANNELBINDING"), default: Some("prefer") };
const CONNECT_TIMEOUT: Setting =
    Setting { attribute: "connect_timeout", variable: Some("PGCONNECT_TIMEOUT"), default: Some("10s") };
const MAX_CONNECTIONS: Setting = Setting { attribute: "max_connections", variable: None, default: Some("4") };
const ASSUME_ROLE: Setting = Setting { attribute: "assume_role", variable: None, default: None };
const CONNECTION_BUDGET: Setting = Setting { attribute: "connection_budget", variable: None, default: Some("warn") };

impl Setting {
    /// The description of its attribute.
    fn about(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(variable) = self.variable {
            text.push_str(&format!(" Environment variable: `{variable}`."));
        }
        if let Some(default) = self.default {
            text.push_str(&format!(" Default: `{default}`."));
        }
        text
    }
}

pub(super) fn schema() -> Schema {
    Model::schema(
        0,
        "Tenants of a shared PostgreSQL server: a database, a role and a schema for each, isolated and \
         governed.",
    )
}

model! {
    /// The provider block.
    #[derive(Clone, Debug, Default)]
    pub(super) struct Model {
        pub(super) host: Field<String> = optional(HOST.about(
            "Host name or address of the server, or several with commas between them: each address of each is tried until \
             one answers. A path is the directory of its unix socket. May be unknown while planning: a server that is made \
             in the same apply."
        )),
        pub(super) port: Field<i64> = optional(PORT.about("Port of the server.")),
        pub(super) database: Field<String> = optional(DATABASE.about(
            "The maintenance database: where the provider connects first, and where it makes databases from."
        )),
        pub(super) username: Field<String> = optional(USERNAME.about(
            "The role to log in as. It needs `CREATEDB` and `CREATEROLE`, and membership in `pg_signal_backend` to end \
             tenants' sessions. It need not be a superuser: RDS's master user will do."
        )),
        pub(super) password: Field<Secret> = optional(PASSWORD.about("The password of that role.")).sensitive(),
        pub(super) sslmode: Field<String> = optional(SSLMODE.about(
            "How the connection is secured, in libpq's words: `disable`, `require`, `verify-ca` or `verify-full`. \
             Anything weaker than `verify-full` lets somebody in between read or change what is sent. `require` with an \
             `sslrootcert` verifies as `verify-ca` does; neither goes with the operating system's store, from which anybody \
             can have a certificate."
        )),
        pub(super) sslrootcert: Field<String> = optional(SSLROOTCERT.about(
            "The certificate authorities to trust: a file's path, certificates in PEM form, or `system` for the \
             operating system's store. Those of RDS are in no store: give the path of its `global-bundle.pem`. Default: \
             `~/.postgresql/root.crt` if there is such a file, else `system`."
        )),
        pub(super) require_auth: Field<String> = optional(REQUIRE_AUTH.about(
            "What the server may ask for before it lets the provider in, in libpq's words: `scram-sha-256`, `password` (in clear \
             text), `md5`, `none` (nothing), several with commas between them, or with a `!` before each those that it may not \
             ask for. Left out, it may ask for anything where `sslmode` verifies it or `host` is a unix socket, and elsewhere \
             for `scram-sha-256` only: whoever answers there must not learn the password."
        )),
        pub(super) channel_binding: Field<String> = optional(CHANNEL_BINDING.about(
            "Whether the login is tied to the TLS connection, so that nobody in between can pass it on: `disable`, `prefer` or \
             `require`."
        )),
        pub(super) connect_timeout: Field<String> = optional(CONNECT_TIMEOUT.about(
            "How long to wait for a connection, as `10s`, further attempts included while the server cannot be reached, \
             starts or is full. An apply that is under way waits up to two minutes for a server that went away. The \
             environment variable is in seconds."
        )),
        pub(super) max_connections: Field<i64> = optional(MAX_CONNECTIONS.about(
            "How many connections the provider holds at most, over all databases and whatever Terraform's parallelism. While \
             something is changed, one of them keeps the locks by which two runs that change one tenant do it one after \
             the other; with 1 nothing is locked."
        )),
        pub(super) assume_role: Field<String> = optional(ASSUME_ROLE.about(
            "A role to become after logging in (`SET ROLE`). It then owns what is made, and the role that logs in can \
             be replaced."
        )),
        pub(super) connection_budget: Field<String> = optional(CONNECTION_BUDGET.about(
            "What becomes of a plan that raises a tenant's `connection_limit` so that all limits together exceed the \
             connections that the server has for tenants: `max_connections` less `superuser_reserved_connections`, \
             `reserved_connections` (PostgreSQL 16 and newer) and `rds.rds_superuser_reserved_connections` (RDS). \
             `warn` says so, `error` refuses the plan, `off` asks nothing. Every tenant on the server counts, \
             suspended ones too, in whichever Terraform state it is. A tenant counts with the limit that it has, or \
             the one planned for it if that is more: what a plan lowers or destroys counts until it is applied, for an \
             apply comes in any order. A new tenant counts with its `pgtenant_guardrails`; one without, which has 10 \
             connections, from when it exists. A limit, or a server, that is not known while planning is not checked."
        )),
        pub(super) deep_verify: Field<bool> = optional(
            "Whether a refresh looks into each tenant's database: at schemas, privileges on objects, default privileges, \
             extensions and whatever else acts there, and by a login that is begun and left, whether its password was \
             changed. That is two connections and two statements for each tenant. With `false` a refresh is one query for \
             all; it still sees what the shared catalogs tell, and `isolation` says `not inspected` of the rest. Default: \
             `true`."
        ),
    }
}

/// Checks what is known of the block, without the environment.
pub(super) fn validate(config: &Value) -> Diagnostics {
    match Model::decode(config).and_then(|config| resolve_with(&config, &|_| None, false)) {
        Ok(_) => Diagnostics::default(),
        Err(diagnostics) => diagnostics,
    }
}

/// Reads the block and the environment.
pub(super) fn resolve(config: &Model, environment: Environment) -> Result<Configured, Diagnostics> {
    resolve_with(config, environment, true)
}

fn resolve_with(config: &Model, environment: Environment, complete: bool) -> Result<Configured, Diagnostics> {
    let mut reader = Reader { environment, diagnostics: Diagnostics::default(), unknown: false };
    let host = reader.parse(&HOST, &config.host, parse_hosts);
    let port = reader.parse(&PORT, &config.port, |text| {
        text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| "a port is a number from 1 to 65535".to_owned())
    });
    let database = reader
        .parse(&DATABASE, &config.database, |text| text.parse::<postgres::DatabaseName>().map_err(|e| e.to_string()));
    let username =
        reader.parse(&USERNAME, &config.username, |text| text.parse::<postgres::RoleName>().map_err(|e| e.to_string()));
    let password = reader.parse(&PASSWORD, &config.password, |text| Ok(Secret::new(text)));
    let sslmode = reader.parse(&SSLMODE, &config.sslmode, |text| {
        SslMode::parse(text).ok_or_else(|| {
            let modes = SslMode::ALL.map(|(name, _)| name).join(", ");
            format!("{text:?} is not one of {modes}; `allow` and `prefer` are not offered, for they fall back to clear text unasked")
        })
    });
    let sslrootcert = reader.parse(&SSLROOTCERT, &config.sslrootcert, |text| read_roots(text, complete));
    let sslrootcert = sslrootcert.or_else(|| if complete { roots_at_home(environment) } else { None });
    let is_settled = complete && !config.sslrootcert.is_unknown() && !reader.diagnostics.has_errors();
    let sslmode =
        sslmode.and_then(|mode| if is_settled { reader.verified(mode, sslrootcert.as_ref()) } else { Some(mode) });
    let require_auth = reader.parse(&REQUIRE_AUTH, &config.require_auth, str::parse::<RequireAuth>);
    let channel_binding = reader.parse(&CHANNEL_BINDING, &config.channel_binding, |text| {
        ChannelBinding::parse(text)
            .ok_or_else(|| format!("{text:?} is not one of {}", ChannelBinding::ALL.map(|(name, _)| name).join(", ")))
    });
    let connect_timeout = reader.parse(&CONNECT_TIMEOUT, &config.connect_timeout, parse_timeout);
    let max_connections = reader.parse(&MAX_CONNECTIONS, &config.max_connections, |text| {
        text.parse::<usize>()
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| "it is a whole number, 1 or more".to_owned())
    });
    let assume_role = reader
        .parse(&ASSUME_ROLE, &config.assume_role, |text| text.parse::<postgres::RoleName>().map_err(|e| e.to_string()));
    let connection_budget = reader.parse(&CONNECTION_BUDGET, &config.connection_budget, ConnectionBudget::parse);
    if complete && username.is_none() && !reader.unknown {
        reader.diagnostics.push(
            Diagnostic::error(
                "No role to log in as",
                "Set `username` in the provider block, or the environment variable PGUSER.",
            )
            .at_attribute("username"),
        );
    }
    if reader.diagnostics.has_errors() {
        return Err(reader.diagnostics);
    }
    let known = (!reader.unknown).then_some(());
    let options = known.and_then(|()| {
        Some(ConnectOptions {
            host: host?,
            port: port?,
            database: database?,
            username: username?,
            password,
            sslmode: sslmode?,
            sslrootcert: sslrootcert.unwrap_or_default(),
            require_auth,
            channel_binding: channel_binding?,
            connect_timeout: connect_timeout?,
            assume_role,
        })
    });
    let deep_verify = config.deep_verify.known().unwrap_or(true);
    Ok(Configured {
        options,
        max_connections: max_connections.unwrap_or(4),
        deep_verify,
        connection_budget: connection_budget.unwrap_or(ConnectionBudget::Warn),
    })
}

/// What an attribute and an environment variable have in common.
trait Text {
    fn text(&self) -> String;
}

impl Text for String {
    fn text(&self) -> String {
        self.clone()
    }
}

impl Text for i64 {
    fn text(&self) -> String {
        self.to_string()
    }
}

impl Text for Secret {
    fn text(&self) -> String {
        self.expose().to_owned()
    }
}

struct Reader<'a> {
    environment: Environment<'a>,
    diagnostics: Diagnostics,
    unknown: bool,
}

impl Reader<'_> {
    /// The setting's value, if it has one and it is understood. Says what is wrong, and notes what is
    /// unknown.
    fn parse<A: Text, T>(
        &mut self,
        setting: &Setting,
        attribute: &Field<A>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let attribute = match attribute {
            Field::Unknown => {
                self.unknown = true;
                return None;
            }
            Field::Null => None,
            Field::Known(value) => Some(value.text()),
        };
        let from_environment = || setting.variable.and_then(self.environment).filter(|text| !text.is_empty());
        let (text, is_variable) = match attribute {
            Some(text) => (text, false),
            None => match from_environment() {
                Some(text) => (text, true),
                None => (setting.default?.to_owned(), false),
            },
        };
        // libpq's variable for the time-out is in seconds, without a unit.
        let seconds = is_variable && setting.attribute == CONNECT_TIMEOUT.attribute && text.parse::<u32>().is_ok();
        let text = if seconds { format!("{text}s") } else { text };
        parse(&text)
            .map_err(|why| {
                let name = setting.attribute;
                let source = match setting.variable {
                    Some(variable) if is_variable => {
                        format!("It comes from the environment variable {variable}; the attribute `{name}` goes before it.")
                    }
                    Some(variable) => {
                        format!("It is set by the attribute `{name}` or, where that is left out, by the environment variable {variable}.")
                    }
                    None => format!("It is set by the attribute `{name}`."),
                };
                self.diagnostics.push(
                    Diagnostic::error(format!("`{name}` is not usable"), format!("{}. {source}", capitalised(&why)))
                        .at_attribute(name),
                );
            })
            .ok()
    }
}

impl Reader<'_> {
    /// What a mode comes to with the authorities that are set. As in libpq: to name them means to verify.
    fn verified(&mut self, mode: SslMode, roots: Option<&SslRootCert>) -> Option<SslMode> {
        match (mode, roots) {
            (SslMode::Require, Some(SslRootCert::Pem(_))) => Some(SslMode::VerifyCa),
            (SslMode::Require, Some(SslRootCert::System)) | (SslMode::VerifyCa, None | Some(SslRootCert::System)) => {
                self.diagnostics.push(
                    Diagnostic::error(
                        "`sslmode` is weaker than it looks",
                        "It does not look at the name in the server's certificate, and anybody can have a certificate of an \
                         authority that the operating system trusts. Set `sslmode = \"verify-full\"`, or `sslrootcert` to the \
                         authority of this server alone.",
                    )
                    .at_attribute("sslmode"),
                );
                None
            }
            (mode, _) => Some(mode),
        }
    }
}

/// Where libpq looks for them.
fn roots_at_home(environment: Environment) -> Option<SslRootCert> {
    let path = PathBuf::from(environment("HOME")?).join(".postgresql/root.crt");
    std::fs::read_to_string(path).map(SslRootCert::Pem).ok()
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn parse_hosts(text: &str) -> Result<String, String> {
    if text.starts_with('/') {
        return Ok(text.to_owned());
    }
    for host in text.split(',') {
        if host.is_empty() {
            return Err("it is empty".to_owned());
        }
        // An IPv6 address has more than one colon.
        if let Some((_, port)) = host.split_once(':').filter(|(_, rest)| !rest.contains(':')) {
            return Err(format!("{host:?} is a host and a port: the port {port:?} is set by `port`"));
        }
    }
    Ok(text.to_owned())
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<postgres::Duration>().map_err(|error| error.to_string())?;
    match u64::try_from(duration.as_millis()) {
        Ok(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        _ => Err("it is more than 0".to_owned()),
    }
}

fn read_roots(text: &str, read_file: bool) -> Result<SslRootCert, String> {
    if text == "system" {
        return Ok(SslRootCert::System);
    }
    if text.contains("-----BEGIN") || !read_file {
        return Ok(SslRootCert::Pem(text.to_owned()));
    }
    std::fs::read_to_string(text)
        .map(SslRootCert::Pem)
        .map_err(|error| format!("the file {text:?} could not be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve_from(config: &[(&str, Value)], environment: &[(&str, &str)]) -> Result<Configured, Diagnostics> {
        let config = Value::Map(config.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect());
        let variable = |name: &str| {
            environment.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        };
        resolve(&Model::decode(&config)?, &variable)
    }

    #[test]
    fn a_host_is_without_its_port() {
        for host in ["db.example.com", "10.0.0.1", "::1", "fe80::1%eth0", "a,b,::1", "/var/run/postgresql"] {
            assert_eq!(parse_hosts(host), Ok(host.to_owned()));
        }
        for (host, why) in [("", "empty"), ("a,,b", "empty"), ("db:5432", "`port`"), ("a,b:5432", "\"5432\"")] {
            assert!(parse_hosts(host).is_err_and(|said| said.contains(why)), "{host}");
        }
    }

    #[test]
    fn attribute_before_environment_before_default() {
        let options = resolve_from(
            &[("host", "db".into()), ("username", "admin".into())],
            &[("PGHOST", "other"), ("PGPORT", "6543"), ("PGCONNECT_TIMEOUT", "7"), ("PGPASSWORD", "pw")],
        )
        .unwrap()
        .options
        .unwrap();
        assert_eq!((options.host.as_str(), options.port), ("db", 6543));
        assert_eq!(options.connect_timeout, Duration::from_secs(7));
        assert_eq!((options.sslmode, options.sslrootcert), (SslMode::VerifyFull, SslRootCert::System));
        assert_eq!(options.database.as_str(), "postgres");
        assert!(options.password.is_some());
    }

    #[test]
    fn authorities_that_are_named_verify() {
        let mode = |mode: &str, roots: Option<&str>| {
            let mut config = vec![("username", Value::from("admin")), ("sslmode", mode.into())];
            config.extend(roots.map(|roots| ("sslrootcert", roots.into())));
            resolve_from(&config, &[]).map(|configured| configured.options.unwrap().sslmode)
        };
        let pem = Some("-----BEGIN CERTIFICATE-----");
        for (text, without, with) in [
            ("disable", SslMode::Disable, SslMode::Disable),
            ("require", SslMode::Require, SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull, SslMode::VerifyFull),
        ] {
            assert_eq!((mode(text, None).unwrap(), mode(text, pem).unwrap()), (without, with), "{text}");
        }
        assert_eq!(mode("verify-ca", pem).unwrap(), SslMode::VerifyCa);
        for (text, roots) in [("require", Some("system")), ("verify-ca", Some("system")), ("verify-ca", None)] {
            let refused = mode(text, roots).unwrap_err();
            assert_eq!(refused.0[0].path, Some(crate::tf_provider::Path::attribute("sslmode")), "{text}");
        }
        // Not known yet, or only in the environment, which `validate` does not read.
        let config =
            |roots: Value| Value::Map([("sslmode".into(), "verify-ca".into()), ("sslrootcert".into(), roots)].into());
        assert!(!validate(&config(Value::Unknown)).has_errors() && !validate(&config(Value::Null)).has_errors());
    }

    #[test]
    fn unknown_values_are_waited_for() {
        let configured = resolve_from(&[("host", Value::Unknown)], &[]).unwrap();
        assert!(configured.options.is_none());
    }

    #[test]
    fn wrong_values_name_attribute_and_variable() {
        let check = |config: &[(&str, Value)], environment: &[(&str, &str)], attribute: &str, words: &[&str]| {
            let diagnostics = resolve_from(config, environment).unwrap_err();
            let diagnostic = &diagnostics.0[0];
            assert_eq!(diagnostic.path, Some(crate::tf_provider::Path::attribute(attribute)));
            for word in words {
                assert!(diagnostic.detail.contains(word), "{word} in {}", diagnostic.detail);
            }
        };
        check(&[], &[], "username", &["`username`", "PGUSER"]);
        check(&[("sslmode", "prefer".into())], &[], "sslmode", &["verify-full", "PGSSLMODE"]);
        check(&[], &[("PGSSLMODE", "prefer")], "sslmode", &["comes from the environment variable PGSSLMODE"]);
        check(&[], &[("PGPORT", "seventy")], "port", &["65535", "PGPORT"]);
        check(&[("connect_timeout", "10".into())], &[], "connect_timeout", &["no unit", "PGCONNECT_TIMEOUT"]);
        check(&[("max_connections", 0.into())], &[], "max_connections", &["1 or more"]);
        check(&[("connection_budget", "fail".into())], &[], "connection_budget", &["warn, error, off"]);
        check(&[("sslrootcert", "/nowhere.pem".into())], &[], "sslrootcert", &["could not be read", "PGSSLROOTCERT"]);
    }
}

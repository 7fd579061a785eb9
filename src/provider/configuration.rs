//! The provider block: its schema, and how it becomes connect options. Where what is left out comes from is `reader`.

mod reader;

use reader::{Reader, parse_timeout, read_roots, roots_at_home};

use crate::postgres::connect::choice;
use crate::postgres::{
    self, ChannelBinding, ConnectOptions, IamAuth, Password, RequireAuth, Secret, SslMode, SslRootCert, TargetSession,
    Tls, TlsVersion,
};
use crate::tf_provider::{
    Attribute, Attributes, Block, Diagnostic, Diagnostics, Field, NestedBlock, Nesting, Schema, Severity, Type, Value,
    model,
};

/// What the provider block comes to.
#[derive(Debug)]
pub(super) struct Configured {
    /// `None` while something is not known until apply.
    pub options: Option<ConnectOptions>,
    /// Warnings.
    pub said: Diagnostics,
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
    /// Of what is said of too many connections; `None` where nothing is.
    pub(super) fn severity(self) -> Option<Severity> {
        match self {
            ConnectionBudget::Warn => Some(Severity::Warning),
            ConnectionBudget::Error => Some(Severity::Error),
            ConnectionBudget::Off => None,
        }
    }

    const ALL: [(&str, ConnectionBudget); 3] =
        [("warn", ConnectionBudget::Warn), ("error", ConnectionBudget::Error), ("off", ConnectionBudget::Off)];
}

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// One setting of the connection: its attribute, what it is called in libpq, and the default.
struct Setting {
    attribute: &'static str,
    /// libpq's keyword, which a service file has, and its environment variable.
    libpq: Option<(&'static str, &'static str)>,
    default: Option<&'static str>,
}

const HOST: Setting = Setting { attribute: "host", libpq: Some(("host", "PGHOST")), default: Some("localhost") };
const HOSTADDR: Setting = Setting { attribute: "hostaddr", libpq: Some(("hostaddr", "PGHOSTADDR")), default: None };
const TARGET_SESSION_ATTRS: Setting = Setting {
    attribute: "target_session_attrs",
    libpq: Some(("target_session_attrs", "PGTARGETSESSIONATTRS")),
    default: Some("any"),
};
const LOAD_BALANCE_HOSTS: Setting = Setting {
    attribute: "load_balance_hosts",
    libpq: Some(("load_balance_hosts", "PGLOADBALANCEHOSTS")),
    default: Some("disable"),
};
const PASSFILE: Setting = Setting { attribute: "passfile", libpq: Some(("passfile", "PGPASSFILE")), default: None };
const SERVICE: Setting = Setting { attribute: "service", libpq: Some(("service", "PGSERVICE")), default: None };
const PORT: Setting = Setting { attribute: "port", libpq: Some(("port", "PGPORT")), default: Some("5432") };
const DATABASE: Setting =
    Setting { attribute: "database", libpq: Some(("dbname", "PGDATABASE")), default: Some("postgres") };
const USERNAME: Setting = Setting { attribute: "username", libpq: Some(("user", "PGUSER")), default: None };
const PASSWORD: Setting = Setting { attribute: "password", libpq: Some(("password", "PGPASSWORD")), default: None };
const SSLMODE: Setting =
    Setting { attribute: "sslmode", libpq: Some(("sslmode", "PGSSLMODE")), default: Some("verify-full") };
const SSLROOTCERT: Setting =
    Setting { attribute: "sslrootcert", libpq: Some(("sslrootcert", "PGSSLROOTCERT")), default: None };
const SSLCERT: Setting = Setting { attribute: "sslcert", libpq: Some(("sslcert", "PGSSLCERT")), default: None };
const SSLKEY: Setting = Setting { attribute: "sslkey", libpq: Some(("sslkey", "PGSSLKEY")), default: None };
const SSL_MIN_PROTOCOL_VERSION: Setting = Setting {
    attribute: "ssl_min_protocol_version",
    libpq: Some(("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION")),
    default: Some("TLSv1.2"),
};
const SSLNEGOTIATION: Setting = Setting {
    attribute: "sslnegotiation",
    libpq: Some(("sslnegotiation", "PGSSLNEGOTIATION")),
    default: Some("postgres"),
};
const REQUIRE_AUTH: Setting =
    Setting { attribute: "require_auth", libpq: Some(("require_auth", "PGREQUIREAUTH")), default: None };
const CHANNEL_BINDING: Setting = Setting {
    attribute: "channel_binding",
    libpq: Some(("channel_binding", "PGCHANNELBINDING")),
    default: Some("prefer"),
};
const CONNECT_TIMEOUT: Setting = Setting {
    attribute: "connect_timeout",
    libpq: Some(("connect_timeout", "PGCONNECT_TIMEOUT")),
    default: Some("10s"),
};
const MAX_CONNECTIONS: Setting = Setting { attribute: "max_connections", libpq: None, default: Some("4") };
const ASSUME_ROLE: Setting = Setting { attribute: "assume_role", libpq: None, default: None };
const CONNECTION_BUDGET: Setting = Setting { attribute: "connection_budget", libpq: None, default: Some("warn") };

impl Setting {
    /// The description of its attribute.
    fn about(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some((_, variable)) = self.libpq {
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
        pub(super) hostaddr: Field<String> = optional(HOSTADDR.about(
            "The address where `host` is, if that is not to be asked of the resolver, or one for each `host`: the near end of a \
             tunnel, through which the server's certificate is verified for `host` all the same."
        )),
        pub(super) port: Field<String> = optional(PORT.about("Port of the server: one for all, or one for each `host`.")),
        pub(super) target_session_attrs: Field<String> = optional(TARGET_SESSION_ATTRS.about(
            "Which of several servers will do: `any`, `read-write` or `primary`, `read-only` or `standby`, `prefer-standby`. An \
             apply waits for a primary with each of them but `read-only` and `standby`, with which it fails."
        )),
        pub(super) load_balance_hosts: Field<String> = optional(LOAD_BALANCE_HOSTS.about(
            "The order in which hosts and their addresses are tried: as they are given (`disable`) or by chance (`random`). The \
             one that answered first is kept to."
        )),
        pub(super) database: Field<String> = optional(DATABASE.about(
            "The maintenance database: where the provider connects first, and where it makes databases from."
        )),
        pub(super) username: Field<String> = optional(USERNAME.about(
            "The role to log in as. It needs `CREATEDB` and `CREATEROLE`, and membership in `pg_signal_backend` to end \
             tenants' sessions. It need not be a superuser: RDS's master user will do."
        )),
        pub(super) password: Field<Secret> = optional(PASSWORD.about("The password of that role.")).sensitive(),
        pub(super) passfile: Field<String> = optional(PASSFILE.about(
            "libpq's password file, for when no password is set otherwise. Nobody but its owner may read it. Default: \
             `~/.pgpass`, if there is such a file."
        )),
        pub(super) service: Field<String> = optional(SERVICE.about(
            "The name of a service in libpq's service file: `PGSERVICEFILE`, `~/.pg_service.conf`, or `pg_service.conf` in \
             `PGSYSCONFDIR`. It takes precedence over the environment, and this block over it."
        )),
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
        pub(super) sslcert: Field<String> = optional(SSLCERT.about(
            "The certificate that the provider shows a server that asks for one: a file's path, or certificates in PEM form, its \
             own first. Default: `~/.postgresql/postgresql.crt`, if there is such a file."
        )),
        pub(super) sslkey: Field<Secret> = optional(SSLKEY.about(
            "The private key of `sslcert`, not encrypted: a file's path, which nobody but its owner may read, or a text in PEM \
             form. Default: `~/.postgresql/postgresql.key`."
        )).sensitive(),
        pub(super) ssl_min_protocol_version: Field<String> = optional(SSL_MIN_PROTOCOL_VERSION.about(
            "The oldest version of TLS that will do: `TLSv1.2` or `TLSv1.3`. Older ones are never spoken."
        )),
        pub(super) sslnegotiation: Field<String> = optional(SSLNEGOTIATION.about(
            "`direct`: TLS begins at once, which PostgreSQL 17 and newer understand. `postgres`: the server is asked first."
        )),
        pub(super) require_auth: Field<String> = optional(REQUIRE_AUTH.about(
            "What the server may ask for before it lets the provider in, in libpq's words: `scram-sha-256`, `password` (in clear \
             text), `md5`, `none` (nothing), several with commas between them, or with a `!` before each those that it may not \
             ask for. Left out, it may ask for anything where `sslmode` verifies it or `host` is a unix socket, and elsewhere \
             for `scram-sha-256` only: a server that is not verified must not learn the password."
        )),
        pub(super) channel_binding: Field<String> = optional(CHANNEL_BINDING.about(
            "Whether the login is tied to the TLS connection, so that nobody in between can pass it on: `disable`, `prefer` or \
             `require`."
        )),
        pub(super) connect_timeout: Field<String> = optional(CONNECT_TIMEOUT.about(
            "How long to wait for each address of the server, as `10s`, and for further attempts while it cannot be reached, \
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
            "What happens to a plan that raises a tenant's `connection_limit` so that all limits together exceed the \
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
        pub(super) aws_iam_auth: Value = block(iam_auth()),
    }
}

const AWS_IAM_AUTH: &str = "aws_iam_auth";

fn iam_auth() -> NestedBlock {
    let text = |name, about: &str| Attribute::optional(name, Type::String, about);
    NestedBlock {
        name: AWS_IAM_AUTH,
        nesting: Nesting::Single,
        block: Block {
            description: "Log in to RDS or Aurora by IAM, in the place of a password: each login has a token of its own, made here from \
                          the credentials that AWS's tools would find. The role is to be a member of `rds_iam`, and `sslmode` \
                          `verify-full`. A token is for `host` and `port` as they are set: a tunnel needs the server's port at its \
                          near end too."
                .to_owned(),
            attributes: vec![
                text("region", "The server's region. Default: the one in `host`, if RDS named it, else AWS_REGION or the profile's."),
                text("profile", "The profile of AWS's configuration files. Default: AWS_PROFILE, or `default`."),
                text("role_arn", "A role of IAM to assume first."),
            ],
            ..Block::default()
        },
        min_items: 0,
        max_items: 0,
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
    let mut reader = Reader::new(environment);
    if complete {
        reader.read_service(&config.service);
    }
    let hosts = reader.hosts(config);
    let is_nameless = reader.has(&config.hostaddr, &HOSTADDR) && !reader.has(&config.host, &HOST);
    let target_session =
        reader.parse(&TARGET_SESSION_ATTRS, &config.target_session_attrs, |text| choice(&TargetSession::ALL, text));
    let load_balance = reader.parse(&LOAD_BALANCE_HOSTS, &config.load_balance_hosts, |text| {
        choice(&[("disable", false), ("random", true)], text)
    });
    let database = reader
        .parse(&DATABASE, &config.database, |text| text.parse::<postgres::DatabaseName>().map_err(|e| e.to_string()));
    let username =
        reader.parse(&USERNAME, &config.username, |text| text.parse::<postgres::RoleName>().map_err(|e| e.to_string()));
    let password = reader.parse(&PASSWORD, &config.password, |text| Ok(Secret::new(text)));
    let iam_auth = reader.iam_auth(&config.aws_iam_auth);
    if iam_auth.is_some() && config.password.as_known().is_some() {
        reader.refuse(PASSWORD.attribute, format!("`{AWS_IAM_AUTH}` takes its place. Leave one of them out."));
    }
    let password = match (iam_auth, password) {
        (Some(auth), _) => Password::Token(auth),
        (None, Some(password)) => Password::Given(password),
        (None, None) if complete && !config.password.is_unknown() => reader.passfile(&config.passfile),
        (None, None) => Password::None,
    };
    let sslmode = reader.parse(&SSLMODE, &config.sslmode, |text| {
        choice(&SslMode::ALL, text).map_err(|why| {
            format!("{why}; `allow` and `prefer` are not offered, for they fall back to clear text unasked")
        })
    });
    let sslrootcert = reader.parse(&SSLROOTCERT, &config.sslrootcert, |text| read_roots(text, complete));
    let sslrootcert = sslrootcert.or_else(|| if complete { roots_at_home(environment) } else { None });
    let is_settled = complete && !config.sslrootcert.is_unknown() && !reader.diagnostics.has_errors();
    let sslmode =
        sslmode.and_then(|mode| if is_settled { reader.verified(mode, sslrootcert.as_ref()) } else { Some(mode) });
    let certificate = if complete { reader.certificate(config) } else { None };
    let oldest = reader.parse(&SSL_MIN_PROTOCOL_VERSION, &config.ssl_min_protocol_version, |text| {
        let known = TlsVersion::ALL.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        choice(&TlsVersion::ALL, known.map_or(text, |(word, _)| *word))
    });
    let direct = reader
        .parse(&SSLNEGOTIATION, &config.sslnegotiation, |text| choice(&[("postgres", false), ("direct", true)], text));
    if complete && direct == Some(true) && sslmode == Some(SslMode::Disable) {
        reader.refuse(SSLNEGOTIATION.attribute, "`direct` is about TLS, and `sslmode` is `disable`.".to_owned());
    }
    let require_auth = reader.parse(&REQUIRE_AUTH, &config.require_auth, str::parse::<RequireAuth>);
    let channel_binding =
        reader.parse(&CHANNEL_BINDING, &config.channel_binding, |text| choice(&ChannelBinding::ALL, text));
    if matches!(password, Password::Token(_)) {
        reader.check_tokens(sslmode, hosts.as_deref());
        reader.check_login(require_auth.as_ref(), channel_binding);
    }
    let connect_timeout = reader.parse(&CONNECT_TIMEOUT, &config.connect_timeout, parse_timeout);
    let max_connections = reader.parse(&MAX_CONNECTIONS, &config.max_connections, |text| {
        text.parse::<usize>()
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| "it is a whole number, 1 or more".to_owned())
    });
    let assume_role = reader
        .parse(&ASSUME_ROLE, &config.assume_role, |text| text.parse::<postgres::RoleName>().map_err(|e| e.to_string()));
    let connection_budget =
        reader.parse(&CONNECTION_BUDGET, &config.connection_budget, |text| choice(&ConnectionBudget::ALL, text));
    if complete && is_nameless && sslmode == Some(SslMode::VerifyFull) {
        let detail =
            "`sslmode` verifies the name in the server's certificate, and an address is none. Set `host` to that name.";
        reader.refuse(HOSTADDR.attribute, detail.to_owned());
    }
    if complete {
        reader.warn_of_unheeded();
    }
    if complete && username.is_none() && !reader.unknown && !reader.diagnostics.has_errors() {
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
            hosts: hosts?,
            target_session: target_session?,
            load_balance: load_balance?,
            database: database?,
            username: username?,
            password,
            tls: Tls {
                mode: sslmode?,
                roots: sslrootcert.unwrap_or_default(),
                certificate,
                oldest: oldest?,
                direct: direct?,
            },
            require_auth,
            channel_binding: channel_binding?,
            connect_timeout: connect_timeout?,
            assume_role,
        })
    });
    let deep_verify = config.deep_verify.known().unwrap_or(true);
    Ok(Configured {
        options,
        said: reader.diagnostics,
        max_connections: max_connections.unwrap_or(4),
        deep_verify,
        connection_budget: connection_budget.unwrap_or(ConnectionBudget::Warn),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::postgres::Host;
    use reader::parse_hosts;

    fn resolve_from(config: &[(&str, Value)], environment: &[(&str, &str)]) -> Result<Configured, Diagnostics> {
        let config = Value::Map(config.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect());
        let variable = |name: &str| {
            environment.iter().find(|(variable, _)| *variable == name).map(|(_, value)| (*value).to_owned())
        };
        resolve(&Model::decode(&config)?, &variable)
    }

    #[test]
    fn a_host_is_without_its_port() {
        for (host, count) in [
            ("db.example.com", 1),
            ("10.0.0.1", 1),
            ("::1", 1),
            ("fe80::1%eth0", 1),
            ("a,b,::1", 3),
            ("/var/run/postgresql", 1),
        ] {
            assert_eq!(parse_hosts(host).map(|hosts| (hosts.join(","), hosts.len())), Ok((host.to_owned(), count)));
        }
        for (host, why) in [
            ("", "empty"),
            ("a,,b", "empty"),
            ("db:5432", "`port`"),
            ("a,b:5432", "\"5432\""),
            ("[::1]:5432", "brackets"),
        ] {
            assert!(parse_hosts(host).is_err_and(|said| said.contains(why)), "{host}");
        }
    }

    #[test]
    fn hosts_have_addresses_and_ports() {
        let hosts = |config: &[(&str, Value)], environment: &[(&str, &str)]| {
            let config = [config, &[("username", "admin".into()), ("sslmode", "disable".into())]].concat();
            resolve_from(&config, environment).map(|configured| {
                configured.options.unwrap().hosts.iter().map(Host::to_string).collect::<Vec<_>>().join(" ")
            })
        };
        assert_eq!(hosts(&[], &[]).unwrap(), "localhost:5432");
        assert_eq!(hosts(&[("host", "a,b".into())], &[("PGPORT", "1,2")]).unwrap(), "a:1 b:2");
        assert_eq!(hosts(&[], &[("PGHOST", "a,/run"), ("PGPORT", "7")]).unwrap(), "a:7 /run/.s.PGSQL.7");
        let tunnel = hosts(&[("host", "db".into()), ("hostaddr", "::1".into())], &[]);
        assert_eq!(tunnel.unwrap(), "db:5432 (at ::1)");
        assert_eq!(hosts(&[("hostaddr", "10.0.0.1".into())], &[]).unwrap(), "10.0.0.1:5432");
        for (config, attribute) in [
            (vec![("host", "a,b".into()), ("port", "1,2,3".into())], "port"),
            (vec![("host", "a,b".into()), ("hostaddr", "::1".into())], "hostaddr"),
            (vec![("hostaddr", "db".into())], "hostaddr"),
            (vec![("port", "1,x".into())], "port"),
        ] {
            let refused: Diagnostics = hosts(&config, &[]).unwrap_err();
            assert_eq!(refused.0[0].path, Some(crate::tf_provider::Path::attribute(attribute)), "{config:?}");
        }
        let nameless = resolve_from(&[("username", "admin".into())], &[("PGHOSTADDR", "10.0.0.1")]).unwrap_err();
        assert!(nameless.0[0].detail.contains("Set `host`"));
    }

    /// A directory of this test's own, removed when dropped.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("pgtenant-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Directory(path)
        }

        /// A file that its owner alone may read.
        fn file(&self, name: &str, text: &str, mode: u32) -> String {
            use std::os::unix::fs::PermissionsExt;
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path.to_str().unwrap().to_owned()
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_service_goes_before_the_environment_and_behind_the_block() {
        let directory = Directory::new("service");
        let file = directory.file(
            "services",
            "[lab]\nhost=db\nport=6000\nuser=ops\ndbname=home\nconnect_timeout=3\n[odd]\nsslcrl=x\n",
            0o644,
        );
        let resolve = |service: &str, more: &[(&str, Value)]| {
            let config = [more, &[("service", service.into())]].concat();
            resolve_from(
                &config,
                &[("PGSERVICEFILE", &file), ("PGHOST", "other"), ("PGUSER", "nobody"), ("PGSSLMODE", "require")],
            )
        };
        let options = resolve("lab", &[("port", "7000".into())]).unwrap().options.unwrap();
        assert_eq!(options.hosts[0].to_string(), "db:7000");
        assert_eq!((options.username.as_str(), options.database.as_str()), ("ops", "home"));
        assert_eq!((options.tls.mode, options.connect_timeout), (SslMode::Require, Duration::from_secs(3)));
        for (service, words) in [("none", ["\"none\"", "PGSERVICEFILE"]), ("odd", ["`sslcrl`", "not heed"])] {
            let refused = resolve(service, &[]).unwrap_err();
            assert_eq!(refused.0[0].path, Some(crate::tf_provider::Path::attribute("service")));
            assert!(words.iter().all(|word| refused.0[0].detail.contains(word)), "{}", refused.0[0].detail);
        }
    }

    #[test]
    fn a_password_file_is_read_where_no_password_is_set() {
        let directory = Directory::new("passfile");
        let line = "db:5432:*:admin:from the file\n";
        let (private, shared) = (directory.file("private", line, 0o600), directory.file("shared", line, 0o640));
        let resolve = |passfile: &str, more: &[(&str, Value)]| {
            let config =
                [more, &[("username", "admin".into()), ("host", "db".into()), ("sslmode", "disable".into())]].concat();
            resolve_from(&config, &[("PGPASSFILE", passfile)]).map(|configured| {
                let options = configured.options.unwrap();
                let found = options.password(&options.hosts[0], &options.database);
                found.map(|password| password.expose().to_owned())
            })
        };
        assert_eq!(resolve(&private, &[]).unwrap().as_deref(), Some("from the file"));
        assert_eq!(resolve(&shared, &[("password", "said".into())]).unwrap().as_deref(), Some("said"));
        for (path, why) in [(shared.as_str(), "chmod 600"), ("/nowhere/pass", "could not be read")] {
            let refused = resolve(path, &[]).unwrap_err();
            assert_eq!(refused.0[0].path, Some(crate::tf_provider::Path::attribute("passfile")));
            assert!(refused.0[0].detail.contains(why) && !refused.0[0].detail.contains("from the file"));
        }
        // The one at home counts only if nobody else may read it.
        let at_home = |mode| {
            directory.file(".pgpass", "*:*:*:*:at home", mode);
            let home = directory.0.to_str().unwrap();
            let config = [("username", "admin".into()), ("sslmode", "disable".into())];
            let configured = resolve_from(&config, &[("HOME", home)]).unwrap();
            let options = configured.options.unwrap();
            (options.password(&options.hosts[0], &options.database).is_some(), configured.said.0.len())
        };
        assert_eq!((at_home(0o600), at_home(0o644)), ((true, 0), (false, 1)));
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let directory = Directory::new("certificate");
        let certificate = directory.file("crt", "-----BEGIN CERTIFICATE-----", 0o644);
        let (private, shared) =
            (directory.file("key", "secret key", 0o600), directory.file("shared", "secret key", 0o644));
        let resolve = |environment: &[(&str, &str)]| {
            let resolved = resolve_from(&[("username", "admin".into())], environment);
            resolved.map(|configured| configured.options.unwrap().tls.certificate)
        };
        assert!(resolve(&[]).unwrap().is_none());
        let found = resolve(&[("PGSSLCERT", &certificate), ("PGSSLKEY", &private)]).unwrap().unwrap();
        assert_eq!((found.certificates.as_str(), found.key.expose()), ("-----BEGIN CERTIFICATE-----", "secret key"));
        for (environment, attribute, why) in [
            (vec![("PGSSLCERT", certificate.as_str()), ("PGSSLKEY", &shared)], "sslkey", "chmod 600"),
            (vec![("PGSSLCERT", certificate.as_str())], "sslkey", "no key"),
            (vec![("PGSSLKEY", private.as_str())], "sslcert", "no certificate"),
            (vec![("PGSSLCERT", "/nowhere"), ("PGSSLKEY", &private)], "sslcert", "could not be read"),
        ] {
            let refused = resolve(&environment).unwrap_err();
            assert_eq!(refused.0[0].path, Some(crate::tf_provider::Path::attribute(attribute)), "{environment:?}");
            assert!(refused.0[0].detail.contains(why), "{}", refused.0[0].detail);
        }
        directory.file("postgresql.crt", "at home", 0o644);
        directory.file("postgresql.key", "its key", 0o600);
        let home = directory.0.join("home");
        fs::create_dir(&home).unwrap();
        std::os::unix::fs::symlink(&directory.0, home.join(".postgresql")).unwrap();
        assert_eq!(resolve(&[("HOME", home.to_str().unwrap())]).unwrap().unwrap().key.expose(), "its key");
    }

    #[test]
    fn what_is_not_heeded_is_warned_of() {
        let said =
            |environment: &[(&str, &str)]| resolve_from(&[("username", "admin".into())], environment).unwrap().said;
        assert!(said(&[("PGSSLMODE", "require")]).0.is_empty());
        let warned = said(&[("PGSSLCRL", "/crl.pem"), ("PGREQUIREPEER", "postgres"), ("PGSSLCRLDIR", "")]);
        assert!(warned.0[0].detail.contains("does not heed: PGSSLCRL, PGREQUIREPEER."), "{}", warned.0[0].detail);
        assert!(
            said(&[("PGGSSENCMODE", "disable")]).0.is_empty() && !said(&[("PGGSSENCMODE", "require")]).0.is_empty()
        );
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
        assert_eq!(options.hosts[0].to_string(), "db:6543");
        assert_eq!(options.connect_timeout, Duration::from_secs(7));
        assert_eq!((options.tls.mode, options.tls.roots), (SslMode::VerifyFull, SslRootCert::System));
        assert_eq!(options.database.as_str(), "postgres");
        assert!(matches!(options.password, Password::Given(_)));
    }

    #[test]
    fn authorities_that_are_named_verify() {
        let mode = |mode: &str, roots: Option<&str>| {
            let mut config = vec![("username", Value::from("admin")), ("sslmode", mode.into())];
            config.extend(roots.map(|roots| ("sslrootcert", roots.into())));
            resolve_from(&config, &[]).map(|configured| configured.options.unwrap().tls.mode)
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
    fn tokens_go_to_nobody_but_the_server() {
        let block = |name: &str, value: Value| Value::Map([(name.to_owned(), value)].into());
        let check = |config: &[(&str, Value)], environment: &[(&str, &str)], expected: Result<IamAuth, &str>| {
            let config = [&[("username", Value::from("admin"))], config].concat();
            match (resolve_from(&config, environment).map(|configured| configured.options.unwrap().password), expected)
            {
                (Ok(Password::Token(found)), Ok(expected)) => assert_eq!(found, expected),
                (Err(refused), Err(path)) => {
                    let found: Vec<_> = refused.0.iter().map(|one| one.path.as_ref().unwrap().to_string()).collect();
                    assert_eq!(found, [path], "{config:?}");
                }
                (found, _) => panic!("{config:?}: {found:?}"),
            }
        };
        let auth = |auth: Value| ("aws_iam_auth", auth);
        let empty = || auth(Value::Map([].into()));
        check(&[empty()], &[], Ok(IamAuth::default()));
        let region = Some("eu-central-1".to_owned());
        let given = IamAuth { region, ..IamAuth::default() };
        check(&[auth(block("region", "eu-central-1".into()))], &[("PGPASSWORD", "x")], Ok(given));
        check(&[empty(), ("password", "x".into())], &[], Err("password"));
        for weak in ["disable", "require"] {
            check(&[empty(), ("sslmode", weak.into())], &[], Err("aws_iam_auth"));
            check(&[empty()], &[("PGSSLMODE", weak)], Err("aws_iam_auth"));
        }
        check(&[empty(), ("host", "/run/postgresql".into())], &[], Err("aws_iam_auth"));
        check(&[empty(), ("require_auth", "scram-sha-256".into())], &[], Err("require_auth"));
        check(&[empty()], &[("PGCHANNELBINDING", "require")], Err("channel_binding"));
        check(&[auth(block("region", "".into()))], &[], Err("aws_iam_auth.region"));
        check(&[auth(block("role_arn", "admin".into()))], &[], Err("aws_iam_auth.role_arn"));
    }

    #[test]
    fn unknown_values_are_waited_for() {
        for config in
            [("host", Value::Unknown), ("aws_iam_auth", Value::Map([("region".to_owned(), Value::Unknown)].into()))]
        {
            let configured = resolve_from(&[config, ("username", "admin".into())], &[]).unwrap();
            assert!(configured.options.is_none());
        }
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

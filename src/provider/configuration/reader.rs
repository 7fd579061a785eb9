//! Where a setting comes from: the provider block, libpq's service, libpq's environment variables, a default; and the files that
//! libpq looks into. What each setting means is `configuration.rs`.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::*;
use crate::postgres::service::{self, Service};
use crate::postgres::{AuthMethod, ClientCertificate, Host, Passfile};
use crate::tf_provider;

/// What an attribute and an environment variable have in common.
pub(super) trait Text {
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

pub(super) struct Reader<'a> {
    environment: Environment<'a>,
    service: Service,
    pub diagnostics: Diagnostics,
    /// Something is not known until apply.
    pub unknown: bool,
}

impl<'a> Reader<'a> {
    pub fn new(environment: Environment<'a>) -> Self {
        let (service, diagnostics) = (Service::new(), Diagnostics::default());
        Reader { environment, service, diagnostics, unknown: false }
    }

    /// The setting's value, if it has one and it is understood. Says what is wrong, and notes what is
    /// unknown.
    pub fn parse<A: Text, T>(
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
        let (text, source) = match attribute {
            Some(text) => (text, Source::Attribute),
            None => match self.libpqs(setting) {
                Some(found) => found,
                None => (setting.default?.to_owned(), Source::Attribute),
            },
        };
        // libpq's time-out is in seconds, without a unit.
        let seconds = source != Source::Attribute
            && setting.attribute == CONNECT_TIMEOUT.attribute
            && text.parse::<u32>().is_ok();
        // It may be the password.
        let text = Zeroizing::new(if seconds { format!("{text}s") } else { text });
        parse(&text)
            .map_err(|why| {
                let name = setting.attribute;
                let source = match (source, setting.libpq) {
                    (Source::Variable, Some((_, variable))) => {
                        format!("It comes from the environment variable {variable}; the attribute `{name}` takes precedence over it.")
                    }
                    (Source::Service, Some((keyword, _))) => {
                        format!("It comes from `{keyword}` of the service; the attribute `{name}` takes precedence over it.")
                    }
                    (_, Some((_, variable))) => {
                        format!("It is set by the attribute `{name}` or, where that is left out, by the environment variable {variable}.")
                    }
                    (_, None) => format!("It is set by the attribute `{name}`."),
                };
                self.refuse(name, format!("{}. {source}", capitalised(&why)));
            })
            .ok()
    }

    /// Whether a setting is more than its default.
    pub fn has<A>(&self, attribute: &Field<A>, setting: &Setting) -> bool {
        !attribute.is_null() || self.libpqs(setting).is_some()
    }

    pub fn refuse(&mut self, name: &str, detail: String) {
        self.diagnostics.push(Diagnostic::error(format!("`{name}` is not usable"), detail).at_attribute(name));
    }

    /// What libpq would take where nothing is said to it directly: the service goes before the environment.
    fn libpqs(&self, setting: &Setting) -> Option<(String, Source)> {
        let (keyword, variable) = setting.libpq?;
        let service = self.service.get(keyword).map(|text| (text.clone(), Source::Service));
        let variable = || (self.environment)(variable).map(|text| (text, Source::Variable));
        service.or_else(variable).filter(|(text, _)| !text.is_empty())
    }

    /// Whose tokens are shown in the place of a password, if that is what the block says.
    pub fn iam_auth(&mut self, block: &Value) -> Option<IamAuth> {
        self.unknown |= block.is_unknown();
        if block.is_null() || block.is_unknown() {
            return None;
        }
        let mut text = |name: &str| {
            let value = block.get(name);
            self.unknown |= value.is_unknown();
            let text = value.as_str()?.to_owned();
            let why = if text.trim().is_empty() {
                Some("It is empty. Leave it out, or set it.")
            } else if name == "role_arn" && !(text.starts_with("arn:") && text.contains(":role/")) {
                Some(
                    "An ARN of a role begins with `arn:` and has `:role/` in it: `arn:aws:iam::123456789012:role/name`.",
                )
            } else {
                None
            };
            if let Some(why) = why {
                let path = tf_provider::Path::attribute(AWS_IAM_AUTH).then(name);
                self.diagnostics.push(Diagnostic::error(format!("`{name}` is not usable"), why).at(path));
            }
            Some(text)
        };
        Some(IamAuth { region: text("region"), profile: text("profile"), role_arn: text("role_arn") })
    }

    /// A token is told to whoever answers: that must be the server.
    pub fn check_tokens(&mut self, mode: Option<SslMode>, hosts: Option<&[Host]>) {
        let is_socket = hosts.is_some_and(|hosts| hosts.iter().any(Host::is_unix_socket));
        if is_socket || mode.is_some_and(|mode| mode != SslMode::VerifyFull) {
            let detail = "A token is shown to the server as it is. Only that server may answer: set `sslmode` to `verify-full`, \
                          and `host` to its name.";
            self.refuse(AWS_IAM_AUTH, detail.to_owned());
        }
    }

    /// A token is asked for as a password in clear text is, and tied to nothing.
    pub fn check_login(&mut self, require_auth: Option<&RequireAuth>, binding: Option<ChannelBinding>) {
        let detail = format!(
            "`{AWS_IAM_AUTH}` shows a token in clear text within TLS, which this does not allow. Leave one of them out."
        );
        if require_auth.is_some_and(|allowed| !allowed.allows(AuthMethod::Password)) {
            self.refuse(REQUIRE_AUTH.attribute, detail);
        } else if binding == Some(ChannelBinding::Require) {
            self.refuse(CHANNEL_BINDING.attribute, detail);
        }
    }

    /// A file at home, where libpq looks for it.
    fn at_home(&self, path: &str) -> Option<PathBuf> {
        (self.environment)("HOME").map(|home| PathBuf::from(home).join(path))
    }

    /// Reads the service that is named, if one is.
    pub fn read_service(&mut self, attribute: &Field<String>) {
        let Some(name) = self.parse(&SERVICE, attribute, |text| Ok::<_, String>(text.to_owned())) else { return };
        let explicit = (self.environment)("PGSERVICEFILE").filter(|path| !path.is_empty()).map(PathBuf::from);
        let of_the_system = (self.environment)("PGSYSCONFDIR").map(|dir| PathBuf::from(dir).join("pg_service.conf"));
        let files: Vec<PathBuf> = match explicit {
            Some(file) => vec![file],
            None => [self.at_home(".pg_service.conf"), of_the_system]
                .into_iter()
                .flatten()
                .filter(|file| file.exists())
                .collect(),
        };
        for file in &files {
            let read = fs::read_to_string(file).map_err(|error| format!("it could not be read: {error}"));
            match read.and_then(|text| service::find(&text, &name)) {
                Ok(Some(service)) => {
                    self.check_service(&service, file);
                    self.service = service;
                    return;
                }
                Ok(None) => {}
                Err(why) => {
                    let detail = format!("The service file {} cannot be used: {why}.", file.display());
                    return self.refuse(SERVICE.attribute, detail);
                }
            }
        }
        let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        let looked = if files.is_empty() {
            "there is no service file".to_owned()
        } else {
            format!("not in {}", files.join(", "))
        };
        self.refuse(
            SERVICE.attribute,
            format!("There is no service {name:?}: {looked}. PGSERVICEFILE says where the file is."),
        );
    }

    /// What a service sets and this provider does not heed is told, unless it makes no difference here.
    fn check_service(&mut self, service: &Service, file: &Path) {
        let heeded = |keyword: &str| {
            SETTINGS.iter().any(|setting| setting.libpq.is_some_and(|(known, _)| known == keyword))
                || ["application_name", "fallback_application_name", "client_encoding", "options"].contains(&keyword)
                || keyword.starts_with("keepalives")
                || keyword == "tcp_user_timeout"
        };
        let unknown: Vec<_> = service.keys().filter(|keyword| !heeded(keyword)).map(|one| format!("`{one}`")).collect();
        if !unknown.is_empty() {
            let detail = format!(
                "The service in {} sets {}, which the provider does not heed. Take it out, or set what is needed by the \
                 attributes of the provider block.",
                file.display(),
                unknown.join(", ")
            );
            self.refuse(SERVICE.attribute, detail);
        }
    }

    /// Says which of libpq's variables make no difference here though they are meant to make it safer.
    pub fn warn_of_unheeded(&mut self) {
        let value = |name: &str| (self.environment)(name).filter(|text| !text.is_empty());
        let is_meant = |harmless: &[&str], text: &str| !harmless.contains(&text);
        let set: Vec<_> = UNHEEDED
            .into_iter()
            .filter(|(name, harmless)| value(name).is_some_and(|text| is_meant(harmless, &text)))
            .map(|(name, _)| name)
            .collect();
        if !set.is_empty() {
            self.warn(
                "Environment variables of libpq that are not heeded",
                format!(
                    "The provider does not heed: {}. To psql they mean a safer connection. Unset them for Terraform, so that nobody \
                     relies on them here.",
                    set.join(", ")
                ),
            );
        }
    }

    fn warn(&mut self, summary: &str, detail: String) {
        self.diagnostics.push(Diagnostic::warning(summary, detail));
    }

    /// The hosts with their addresses and ports.
    pub fn hosts(&mut self, config: &Model) -> Option<Vec<Host>> {
        let addresses = self.parse(&HOSTADDR, &config.hostaddr, parse_addresses);
        let is_host_set = self.has(&config.host, &HOST);
        let names = match &addresses {
            // As in libpq: the address then stands for the name, and no certificate is for it.
            Some(addresses) if !is_host_set => Some(addresses.iter().map(IpAddr::to_string).collect()),
            _ => self.parse(&HOST, &config.host, parse_hosts),
        };
        let ports = self.parse(&PORT, &config.port, parse_ports);
        let (names, ports): (Vec<String>, _) = (names?, ports?);
        if ports.len() > 1 && ports.len() != names.len() {
            let detail =
                format!("There are {} ports for {}: one for all, or one for each.", ports.len(), hosts(names.len()));
            self.refuse(PORT.attribute, detail);
            return None;
        }
        if let Some(addresses) = &addresses
            && addresses.len() != names.len()
        {
            let detail =
                format!("There are {} addresses for {}: it takes one for each.", addresses.len(), hosts(names.len()));
            self.refuse(HOSTADDR.attribute, detail);
            return None;
        }
        let host = |(at, name)| Host {
            name,
            address: addresses.as_ref().map(|addresses| addresses[at]),
            port: if ports.len() == 1 { ports[0] } else { ports[at] },
        };
        Some(names.into_iter().enumerate().map(host).collect())
    }

    /// What the provider shows a server that asks for a certificate.
    pub fn certificate(&mut self, config: &Model) -> Option<ClientCertificate> {
        let is_pem = |text: &str| text.contains("-----BEGIN");
        let unreadable = |error: std::io::Error| format!("the file could not be read: {error}");
        let certificates = self.parse(&SSLCERT, &config.sslcert, |text| match is_pem(text) {
            true => Ok(text.to_owned()),
            false => fs::read_to_string(text).map_err(unreadable),
        });
        let key = self.parse(&SSLKEY, &config.sslkey, |text| match is_pem(text) {
            true => Ok(Secret::new(text)),
            false => read_private(Path::new(text)).map(Secret::new).map_err(|why| format!("the file {why}")),
        });
        if self.unknown || self.diagnostics.has_errors() {
            return None;
        }
        match (certificates, key) {
            (Some(certificates), Some(key)) => Some(ClientCertificate { certificates, key }),
            (Some(_), None) => {
                self.refuse(SSLKEY.attribute, "There is no key for `sslcert`: set it, or PGSSLKEY.".to_owned());
                None
            }
            (None, Some(_)) => {
                self.refuse(
                    SSLCERT.attribute,
                    "There is no certificate for `sslkey`: set it, or PGSSLCERT.".to_owned(),
                );
                None
            }
            (None, None) => {
                let certificates = fs::read_to_string(self.at_home(".postgresql/postgresql.crt")?).ok()?;
                match read_private(&self.at_home(".postgresql/postgresql.key")?) {
                    Ok(key) => Some(ClientCertificate { certificates, key: Secret::new(key) }),
                    Err(why) => {
                        let detail = format!(
                            "The private key ~/.postgresql/postgresql.key {why}. Servers are shown no certificate."
                        );
                        self.warn("A private key is not used", detail);
                        None
                    }
                }
            }
        }
    }

    /// The password file, where no password is set.
    pub fn passfile(&mut self, attribute: &Field<String>) -> Password {
        let named = self.parse(&PASSFILE, attribute, |text| Ok::<_, String>(PathBuf::from(text)));
        let Some(path) = named.clone().or_else(|| self.at_home(".pgpass").filter(|path| path.exists())) else {
            return Password::None;
        };
        match read_private(&path) {
            Ok(text) => Password::File(Passfile::parse(&text)),
            Err(why) if named.is_some() => {
                self.refuse(PASSFILE.attribute, format!("The password file {} {why}.", path.display()));
                Password::None
            }
            Err(why) => {
                self.warn("A password file is not used", format!("The password file {} {why}.", path.display()));
                Password::None
            }
        }
    }

    /// What a mode comes to with the authorities that are set. As in libpq: to name them means to verify.
    pub fn verified(&mut self, mode: SslMode, roots: Option<&SslRootCert>) -> Option<SslMode> {
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
pub(super) fn roots_at_home(environment: Environment) -> Option<SslRootCert> {
    let path = PathBuf::from(environment("HOME")?).join(".postgresql/root.crt");
    fs::read_to_string(path).map(SslRootCert::Pem).ok()
}

/// Where a setting comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Or its default.
    Attribute,
    Service,
    Variable,
}

/// Those that libpq has too.
const SETTINGS: [&Setting; 19] = [
    &HOST,
    &HOSTADDR,
    &PORT,
    &TARGET_SESSION_ATTRS,
    &LOAD_BALANCE_HOSTS,
    &DATABASE,
    &USERNAME,
    &PASSWORD,
    &PASSFILE,
    &SERVICE,
    &SSLMODE,
    &SSLROOTCERT,
    &SSLCERT,
    &SSLKEY,
    &SSL_MIN_PROTOCOL_VERSION,
    &SSLNEGOTIATION,
    &REQUIRE_AUTH,
    &CHANNEL_BINDING,
    &CONNECT_TIMEOUT,
];

/// Variables of libpq that are about security and not known here, and the values of each that ask for nothing.
const UNHEEDED: [(&str, &[&str]); 6] = [
    ("PGSSLCRL", &[]),
    ("PGSSLCRLDIR", &[]),
    ("PGSSLCERTMODE", &["allow"]),
    ("PGREQUIREPEER", &[]),
    ("PGREQUIRESSL", &["0"]),
    ("PGGSSENCMODE", &["disable", "prefer"]),
];

/// The text of a file that holds a secret: nobody but its owner may read it.
fn read_private(path: &Path) -> Result<String, String> {
    use std::os::unix::fs::PermissionsExt;
    let unreadable = |error: std::io::Error| format!("could not be read: {error}");
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("may be read by others (mode {:04o}): `chmod 600` it", mode & 0o7777));
    }
    fs::read_to_string(path).map_err(unreadable)
}

fn hosts(count: usize) -> String {
    if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

pub(super) fn parse_hosts(text: &str) -> Result<Vec<String>, String> {
    let parse = |host: &str| {
        if host.is_empty() {
            return Err("it is empty".to_owned());
        }
        if host.starts_with('/') {
            return Ok(host.to_owned());
        }
        if host.starts_with('[') {
            return Err(format!("{host:?} is in brackets: write the address alone, and the port as `port`"));
        }
        // An IPv6 address has more than one colon.
        if let Some((_, port)) = host.split_once(':').filter(|(_, rest)| !rest.contains(':')) {
            return Err(format!("{host:?} is a host and a port: the port {port:?} is set by `port`"));
        }
        Ok(host.to_owned())
    };
    text.split(',').map(parse).collect()
}

fn parse_addresses(text: &str) -> Result<Vec<IpAddr>, String> {
    text.split(',').map(|text| text.parse().map_err(|_| format!("{text:?} is no IP address"))).collect()
}

fn parse_ports(text: &str) -> Result<Vec<u16>, String> {
    let parse = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    let ports: Option<_> = text.split(',').map(parse).collect();
    ports.ok_or_else(|| "a port is a number from 1 to 65535".to_owned())
}

pub(super) fn parse_timeout(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<postgres::Duration>().map_err(|error| error.to_string())?;
    match u64::try_from(duration.as_millis()) {
        Ok(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        _ => Err("it is more than 0".to_owned()),
    }
}

pub(super) fn read_roots(text: &str, read_file: bool) -> Result<SslRootCert, String> {
    if text == "system" {
        return Ok(SslRootCert::System);
    }
    if text.contains("-----BEGIN") || !read_file {
        return Ok(SslRootCert::Pem(text.to_owned()));
    }
    fs::read_to_string(text)
        .map(SslRootCert::Pem)
        .map_err(|error| format!("the file {text:?} could not be read: {error}"))
}

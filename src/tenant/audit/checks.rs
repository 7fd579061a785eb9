//! How the audit's own controls are told, one function each. The others are findings: of a tenant's charter, or of the baseline.

use std::collections::BTreeMap;

use crate::postgres::catalog::setup::Setup;
use crate::postgres::error::SqlState;
use crate::postgres::{Authentication, Duration};
use crate::tenant::limits::{self, Limits, OnRecord};
use crate::tenant::{Control, Finding, Marker, Method, Observed, Stage, Status};

use super::Evidence;

/// What one control comes to for one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    AsExpected,
    Found(String),
    Accepted(String),
    NotChecked(String),
}

impl Verdict {
    fn of(found: Vec<String>) -> Self {
        if found.is_empty() { Verdict::AsExpected } else { Verdict::Found(found.join("; ")) }
    }
}

impl From<&Finding> for Verdict {
    fn from(finding: &Finding) -> Self {
        match &finding.status {
            Status::Enforced => Verdict::AsExpected,
            Status::Found => Verdict::Found(finding.what()),
            Status::NotPermitted => Verdict::Found(format!("{} (an apply does not repair all of it)", finding.what())),
            Status::Accepted(reason) => Verdict::Accepted(format!("{} ({reason})", finding.what())),
            Status::NotInspected(why) => Verdict::NotChecked(why.clone()),
        }
    }
}

/// A tenant with what was found of it.
pub(super) struct Seen<'a> {
    pub observed: &'a Observed,
    pub evidence: &'a Evidence,
    pub findings: BTreeMap<Control, Finding>,
}

impl Seen<'_> {
    /// A control of the tenant's charter.
    fn charter(&self, control: Control) -> Verdict {
        match (&self.observed.inside, self.findings.get(&control)) {
            // Which extensions there are, and so what the path is to be, is seen from inside only.
            (Err(why), Some(_)) if control == Control::SearchPath => Verdict::NotChecked(why.clone()),
            (_, Some(finding)) => finding.into(),
            (_, None) => Verdict::NotChecked("not looked at".to_owned()),
        }
    }

    pub fn verdict(&self, control: Control) -> Verdict {
        match control {
            Control::Complete => complete(self),
            Control::Names => names(self),
            Control::Authentication => authentication(self),
            Control::ConnectionLimit => connection_limit(self),
            Control::TimeLimits => time_limits(self),
            Control::Overrides => overrides(self),
            Control::ClusterCrossAccess => cross_access(self),
            control => self.charter(control),
        }
    }
}

/// A control of the server as a whole that no resource tells.
pub(super) fn of_server(control: Control, evidence: &Evidence) -> Verdict {
    let server = Parameters(&evidence.setup);
    match control {
        Control::ClusterConnectionBudget => connection_budget(evidence),
        Control::ClusterTls => tls(&server),
        Control::ClusterTlsVersion => tls_version(&server),
        Control::ClusterPasswordEncryption => password_encryption(&server),
        Control::ClusterLogConnections => log_connections(&server),
        Control::ClusterLogDisconnections => log_disconnections(&server),
        Control::ClusterLogLinePrefix => log_line_prefix(&server),
        _ => Verdict::NotChecked("not looked at".to_owned()),
    }
}

fn complete(seen: &Seen) -> Verdict {
    let observed = seen.observed;
    let found = match (&observed.database, &observed.role) {
        (None, _) => "half-made: its database is missing",
        (_, None) => "half-made: its role is missing",
        (Some(database), Some(role)) => {
            // Whoever owns them: that is another control's.
            let stages = [&database.comment, &role.comment].map(|comment| Marker::parse(comment.as_deref()));
            let stages = stages.map(|marker| marker.map(|marker| marker.stage));
            if stages == [Some(Stage::Ready), Some(Stage::Ready)] {
                return Verdict::AsExpected;
            }
            if stages.contains(&Some(Stage::Creating)) {
                "half-made: the next apply finishes it"
            } else {
                "its database or its role carries no marker"
            }
        }
    };
    Verdict::Found(found.to_owned())
}

fn names(seen: &Seen) -> Verdict {
    let observed = seen.observed;
    let names = &observed.names;
    let pairs = [
        ("database", names.database.as_str(), observed.database.as_ref().map(|database| database.name.as_str())),
        ("role", names.role.as_str(), observed.role.as_ref().map(|role| role.name.as_str())),
        ("schema", names.schema.as_str(), observed.schema(names).map(|schema| schema.name.as_str())),
    ];
    let differs = |(what, recorded, found): (&str, &str, Option<&str>)| {
        let found = found.filter(|found| *found != recorded)?;
        Some(format!("its {what} is called {found}, on record {recorded}"))
    };
    Verdict::of(pairs.into_iter().filter_map(differs).collect())
}

fn authentication(seen: &Seen) -> Verdict {
    let asks = match &seen.observed.login {
        Err(why) => return Verdict::NotChecked(why.clone()),
        Ok(asks) => asks,
    };
    let meant = seen.observed.role_marker().map(|marker| marker.authentication).unwrap_or_default();
    let found = match (asks, meant) {
        (Authentication::Scram(_) | Authentication::WrongPassword, Method::Password) => return Verdict::AsExpected,
        // A token is asked for in clear text, and is no password.
        (Authentication::ClearText, Method::RdsIam) if seen.evidence.setup.encrypted => return Verdict::AsExpected,
        // Who shows no certificate, or another's, is refused before anything is asked.
        (Authentication::Refused { state, .. }, Method::Certificate)
            if *state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION =>
        {
            return Verdict::AsExpected;
        }
        (Authentication::Scram(_) | Authentication::WrongPassword, Method::RdsIam) => {
            "the server asks for a password, and not for a token of IAM"
        }
        (Authentication::Scram(_) | Authentication::WrongPassword, Method::Certificate) => {
            "the server asks for a password, and not for a certificate"
        }
        (Authentication::Nothing, _) => "the server asks for nothing, and accepts every connection",
        (Authentication::ClearText, _) => "the server asks for a password in clear text",
        (Authentication::Md5, _) => "the server asks for an MD5 password",
        (Authentication::Other, _) => {
            return Verdict::NotChecked("the server asks for something other than a password".to_owned());
        }
        (Authentication::Refused { state, message }, _) => {
            let state = state.code();
            return Verdict::NotChecked(format!("the server refuses before it asks: {message} (SQLSTATE {state})"));
        }
    };
    Verdict::Found(found.to_owned())
}

fn on_record(seen: &Seen, check: impl FnOnce(&OnRecord) -> Vec<String>) -> Verdict {
    match OnRecord::of(seen.observed) {
        Some(limits) => Verdict::of(check(&limits)),
        None => Verdict::NotChecked("its role or its database is missing".to_owned()),
    }
}

fn connection_limit(seen: &Seen) -> Verdict {
    on_record(seen, |limits| if limits.connection_limit < 0 { vec!["no limit".to_owned()] } else { Vec::new() })
}

fn connection_budget(evidence: &Evidence) -> Verdict {
    let connections = evidence.connections;
    if connections.headroom() >= 0 {
        return Verdict::AsExpected;
    }
    Verdict::Found(format!(
        "the limits add up to {}, and there are {} connections for tenants",
        connections.committed, connections.available
    ))
}

fn time_limits(seen: &Seen) -> Verdict {
    on_record(seen, |limits| {
        let wrong = |timeout: &limits::Timeout| match (limits.timeouts.get(timeout), limits.timeout(*timeout)) {
            (None, _) => Some(format!("{} is not set", timeout.name())),
            (Some(text), None) => Some(format!("{} = {text} cannot be read", timeout.name())),
            (_, Some(Duration::OFF)) => Some(format!("{} is 0", timeout.name())),
            _ => None,
        };
        Limits::safe().timeouts.keys().filter_map(wrong).collect()
    })
}

fn overrides(seen: &Seen) -> Verdict {
    on_record(seen, |limits| {
        let found = limits::overrides_on_record(limits, seen.observed);
        found.into_iter().map(|(key, finding)| format!("{key}: {}", finding.what())).collect()
    })
}

fn cross_access(seen: &Seen) -> Verdict {
    let Some(role) = &seen.observed.role else { return Verdict::NotChecked("its role is missing".to_owned()) };
    let mut found = Vec::new();
    let mut count = 0;
    let mut last = None;
    let is_own = |name: &str| name == role.name || seen.observed.access_of(name).is_some();
    for allowed in seen.evidence.reach.allowed.iter().filter(|allowed| is_own(&allowed.role)) {
        let privileges = allowed.privileges.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let by = if allowed.privileges.is_subset(&allowed.public) { " as PUBLIC" } else { "" };
        let who = if allowed.role == role.name { String::new() } else { format!("{}: ", allowed.role) };
        found.push(format!("{who}{privileges} on database {}{by}", allowed.database));
        // Each role says on how many, in all its rows.
        if last.replace(&allowed.role) != Some(&allowed.role) {
            count += allowed.count;
        }
    }
    let more = count.saturating_sub(found.len() as u64);
    if more > 0 {
        found.push(format!("and on {more} more"));
    }
    Verdict::of(found)
}

/// Parameters of the server, as far as it shows them.
struct Parameters<'a>(pub &'a Setup);

impl Parameters<'_> {
    /// `None` if the server does not have it, or does not show it to this admin.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.parameters.get(name).map(String::as_str)
    }

    fn check(&self, name: &str, is_expected: impl FnOnce(&str) -> bool) -> Verdict {
        match self.get(name) {
            None => Verdict::NotChecked(format!("the server does not show {name} to this admin")),
            Some(value) if is_expected(value) => Verdict::AsExpected,
            Some(value) => Verdict::Found(format!("{name} = {value}")),
        }
    }

    fn listens_on_tcp(&self) -> bool {
        self.get("listen_addresses") != Some("")
    }
}

fn tls(server: &Parameters) -> Verdict {
    if server.listens_on_tcp() { server.check("ssl", |value| value == "on") } else { Verdict::AsExpected }
}

fn tls_version(server: &Parameters) -> Verdict {
    if !server.listens_on_tcp() {
        return Verdict::AsExpected;
    }
    if server.get("ssl") == Some("off") {
        return Verdict::NotChecked("TLS is off".to_owned());
    }
    server.check("ssl_min_protocol_version", |value| ["TLSv1.2", "TLSv1.3"].contains(&value))
}

fn password_encryption(server: &Parameters) -> Verdict {
    server.check("password_encryption", |value| value == "scram-sha-256")
}

fn log_connections(server: &Parameters) -> Verdict {
    server.check("log_connections", |value| {
        let parts: Vec<_> = value.split(',').map(|part| part.trim().to_ascii_lowercase()).collect();
        let has = |part: &&str| parts.iter().any(|found| found == part);
        ["on", "true", "yes", "1", "all"].iter().any(has)
            || ["receipt", "authentication", "authorization"].iter().all(has)
    })
}

fn log_disconnections(server: &Parameters) -> Verdict {
    server.check("log_disconnections", |value| value == "on")
}

fn log_line_prefix(server: &Parameters) -> Verdict {
    let destinations = server.get("log_destination").unwrap_or("stderr").to_ascii_lowercase();
    let mut destinations = destinations.split(',').map(str::trim).peekable();
    let (mut named, mut timed) = (true, true);
    let prefix = server.get("log_line_prefix").unwrap_or_default();
    let has = |wanted: &[char]| escapes(prefix).any(|found| wanted.contains(&found));
    // Nothing is logged anywhere.
    if destinations.peek().is_none_or(|first| first.is_empty()) {
        named = false;
    }
    for destination in destinations.filter(|destination| !["csvlog", "jsonlog"].contains(destination)) {
        named &= has(&['u']) && has(&['d']);
        timed &= destination != "stderr" || has(&['m', 't', 'n']);
    }
    server.check("log_line_prefix", |_| named && timed)
}

/// The letters of the escapes in a prefix: `%m [%p] %q%-10u` has `m`, `p`, `q`, `u`.
fn escapes(prefix: &str) -> impl Iterator<Item = char> {
    let mut rest = prefix.chars();
    std::iter::from_fn(move || {
        rest.by_ref().find(|c| *c == '%')?;
        rest.by_ref().find(|c| !(c.is_ascii_digit() || *c == '-'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(check: fn(&Parameters) -> Verdict, parameters: &[(&str, &str)], expected: Verdict) {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let setup = Setup { parameters, encrypted: false };
        assert_eq!(check(&Parameters(&setup)), expected, "{setup:?}");
    }

    fn found(text: &str) -> Verdict {
        Verdict::Found(text.to_owned())
    }

    #[test]
    fn a_server_encrypts_or_does_not_listen() {
        check(tls, &[("ssl", "on"), ("listen_addresses", "*")], Verdict::AsExpected);
        check(tls, &[("ssl", "off"), ("listen_addresses", "")], Verdict::AsExpected);
        check(tls, &[("ssl", "off"), ("listen_addresses", "*")], found("ssl = off"));
        check(tls, &[("ssl", "off")], found("ssl = off"));
        check(tls, &[], Verdict::NotChecked("the server does not show ssl to this admin".to_owned()));
        check(tls_version, &[("ssl", "on"), ("ssl_min_protocol_version", "TLSv1.2")], Verdict::AsExpected);
        check(tls_version, &[("ssl", "off"), ("listen_addresses", "")], Verdict::AsExpected);
        check(tls_version, &[("ssl", "off")], Verdict::NotChecked("TLS is off".to_owned()));
        for weak in ["TLSv1.1", ""] {
            let parameters = [("ssl", "on"), ("ssl_min_protocol_version", weak)];
            check(tls_version, &parameters, found(&format!("ssl_min_protocol_version = {weak}")));
        }
    }

    #[test]
    fn passwords_are_scram() {
        check(password_encryption, &[("password_encryption", "scram-sha-256")], Verdict::AsExpected);
        check(password_encryption, &[("password_encryption", "md5")], found("password_encryption = md5"));
    }

    #[test]
    fn connections_are_logged_in_full() {
        for value in [
            "on",
            "all",
            "receipt, authentication,Authorization",
            "receipt,authentication,authorization,setup_durations",
        ] {
            check(log_connections, &[("log_connections", value)], Verdict::AsExpected);
        }
        for value in ["off", "", "receipt", "receipt,authentication"] {
            check(log_connections, &[("log_connections", value)], found(&format!("log_connections = {value}")));
        }
        check(log_disconnections, &[("log_disconnections", "on")], Verdict::AsExpected);
        check(log_disconnections, &[("log_disconnections", "off")], found("log_disconnections = off"));
    }

    #[test]
    fn the_log_says_when_who_and_where() {
        let told = |destination: &str, prefix: &str, expected: Verdict| {
            check(log_line_prefix, &[("log_destination", destination), ("log_line_prefix", prefix)], expected);
        };
        for prefix in ["%m [%p] %q%u@%d/%a ", "%t:%r:%u@%d:[%p]:", "%n %-10u %5d "] {
            told("stderr", prefix, Verdict::AsExpected);
        }
        for prefix in ["%m [%p] ", "%u@%d ", "%m %%u %%d ", ""] {
            told("stderr", prefix, found(&format!("log_line_prefix = {prefix}")));
            told("csvlog, jsonlog", prefix, Verdict::AsExpected);
            told("csvlog,stderr", prefix, found(&format!("log_line_prefix = {prefix}")));
        }
        told("syslog", "%u@%d ", Verdict::AsExpected);
        told("", "%m %u@%d ", found("log_line_prefix = %m %u@%d "));
    }
}

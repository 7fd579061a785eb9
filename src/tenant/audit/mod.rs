//! The isolation audit: from what was read of a server (`Evidence`) to what is told of it, control by
//! control (`Report`), and the report as text, JSON and HTML. Pure; who reads the server is the provider.

mod checks;
mod html;
mod json;
mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::postgres::catalog::inside::Extension;
use crate::postgres::catalog::reach::Reach;
use crate::postgres::catalog::setup::Setup;
use crate::postgres::catalog::snapshot::Server;
use crate::postgres::text::plain;
use crate::postgres::{DatabaseName, RoleName};

use super::baseline::{self, Accept};
use super::capacity::Sums;
use super::companion::{self, Wanted};
use super::control::{CONTROLS, Row};
use super::{Control, Desired, Finding, Goal, Locale, Observed, Of, Password, Pin, Stage, findings, watchdog};
use checks::{Seen, Verdict};

pub use html::html;
pub use json::json;
pub use text::text;

/// What was read of a server.
pub struct Evidence {
    pub server: Server,
    /// `host:port`, or the path of a socket.
    pub address: String,
    /// The maintenance database.
    pub database: DatabaseName,
    /// In the order of their names.
    pub tenants: Vec<Observed>,
    /// Their further roles, each in the place of its tenant's own.
    pub companions: Vec<Observed>,
    /// The roles that tenants may be members of.
    pub member_of: BTreeSet<RoleName>,
    /// What is accepted of each tenant, and why.
    pub accept: BTreeMap<String, BTreeMap<Control, String>>,
    /// What is accepted of the cluster.
    pub accept_cluster: Accept,
    /// Those of the databases that every server has which this one has, and what holds for all roles.
    pub baseline: baseline::Observed,
    /// `None`: there is none, and nothing is claimed of it.
    pub watchdog: Option<watchdog::Observed>,
    pub reach: Reach,
    pub setup: Setup,
    /// Of all tenants, whichever are looked at.
    pub connections: Sums,
}

/// A tenant as it would be wanted: what is a choice is as it was found.
fn desired(observed: &Observed, evidence: &Evidence) -> Desired {
    let extensions = observed.inside.iter().flat_map(|inside| &inside.extensions).filter(|found| found.owner_usable);
    let recorded = observed.role_marker().map(|marker| marker.extension_schemas).unwrap_or_default();
    let pin = |found: &Extension| {
        let schema = recorded.contains(&found.schema).then(|| found.schema.parse().ok()).flatten();
        Some((found.name.parse().ok()?, Pin { schema, version: None }))
    };
    let known_as = match observed.role_marker() {
        Some(marker) if marker.stage == Stage::Made => None,
        marker => marker.and_then(|marker| marker.was?.parse().ok()).or_else(|| Some(observed.names.tenant.clone())),
    };
    Desired {
        names: observed.names.clone(),
        goal: if observed.role.as_ref().is_some_and(|role| role.login) { Goal::Present } else { Goal::Suspended },
        force: false,
        known_as,
        temporary: false,
        creates_schemas: observed.creates_schemas(),
        replicates: observed.replicates(),
        admin_connections: observed.admin_connections(),
        extensions: extensions.filter_map(pin).collect(),
        offered: BTreeMap::new(),
        schemas: observed.recorded_schemas().iter().filter_map(|schema| schema.parse().ok()).collect(),
        given_up: BTreeSet::new(),
        member_of: evidence.member_of.iter().filter(|group| observed.is_member_of(group)).cloned().collect(),
        authentication: observed.role_marker().map(|marker| marker.authentication).unwrap_or_default(),
        template: None,
        valid_until: observed.role_marker().and_then(|marker| marker.valid_until),
        comment: None,
        locale: Locale::default(),
        password: Password::Keep,
        password_version: observed.role_marker().and_then(|marker| marker.password_version),
        accept: evidence.accept.get(observed.names.tenant.as_str()).cloned().unwrap_or_default(),
    }
}

/// A further role as it would be wanted, in the same way.
fn wanted(companion: &Observed, evidence: &Evidence) -> Option<Wanted> {
    let marker = companion.role_marker()?;
    let role = companion.role.as_ref()?;
    let set = companion.settings.iter().filter(|setting| {
        setting.database.is_none()
            && setting.role.as_ref() == Some(&role.name)
            && marker.parameters.contains(&setting.name)
    });
    let known_as = (marker.stage != Stage::Made).then(|| companion.names.tenant.clone());
    Some(Wanted {
        role: Desired {
            creates_schemas: false,
            replicates: false,
            schemas: BTreeSet::new(),
            known_as,
            ..desired(companion, evidence)
        },
        access: marker.access?,
        login: !marker.nologin,
        connection_limit: role.connection_limit.max(0),
        parameters: set.filter_map(|set| Some((set.name.parse().ok()?, set.value.clone()))).collect(),
    })
}

/// What was found of a tenant and its further roles, together.
fn of_all(observed: &Observed, evidence: &Evidence) -> BTreeMap<Control, Finding> {
    let mut all = findings(&desired(observed, evidence), observed);
    for companion in evidence.companions.iter().filter(|companion| companion.names.tenant == observed.names.tenant) {
        let Some(wanted) = wanted(companion, evidence) else { continue };
        for (control, found) in companion::findings(&wanted, companion, observed) {
            let Some(own) = all.get_mut(&control) else { continue };
            join(own, found);
        }
    }
    all
}

/// Adds what was found of another role. Drift of either is told, all of it, before what is accepted or could not be looked at.
fn join(own: &mut Finding, other: Finding) {
    let rank = |status: &super::Status| match status {
        super::Status::Enforced => 0,
        super::Status::Accepted(_) => 1,
        super::Status::NotInspected(_) => 2,
        super::Status::Found => 3,
        super::Status::NotPermitted => 4,
    };
    if own.status.is_drift() && other.status.is_drift() || own.status == other.status {
        own.facts.extend(other.facts);
        own.status = [own.status.clone(), other.status].into_iter().max_by_key(rank).expect("there are two");
    } else if rank(&own.status) < rank(&other.status) {
        *own = other;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pass,
    /// Not as expected, and meant to be so: the reason is told.
    Accepted,
    Fail,
    NotChecked,
}

impl Status {
    pub const ALL: [Status; 4] = [Status::Pass, Status::Accepted, Status::Fail, Status::NotChecked];

    /// As data: `not_checked`.
    pub fn name(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Accepted => "accepted",
            Status::Fail => "fail",
            Status::NotChecked => "not_checked",
        }
    }
}

/// As words: `not checked`.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().replace('_', " "))
    }
}

/// What is told of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub address: String,
    pub database: String,
    /// The role that asked.
    pub role: String,
    pub version: String,
    /// The server's time, as `20260131T235959Z`.
    pub time: String,
    /// Those that were looked at, in order.
    pub tenants: Vec<String>,
    /// In the order of the table.
    pub results: Vec<Outcome>,
}

/// What one control comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `tenant.public_privileges`
    pub id: String,
    pub title: &'static str,
    pub about: &'static str,
    pub expected: &'static str,
    /// How many of what.
    pub checked: String,
    pub found: String,
    pub status: Status,
    pub nist: Vec<&'static str>,
    /// The rules for this server's major.
    pub stig: Vec<String>,
    /// Whether it is told of each tenant.
    pub of_tenants: bool,
    /// Where it is not as expected, or could not be looked at.
    pub findings: Vec<Found>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The tenant, the database, or `server`.
    pub subject: String,
    /// Never `Pass`.
    pub status: Status,
    pub found: String,
}

impl Report {
    pub fn of(evidence: &Evidence) -> Self {
        let seen: Vec<Seen> = evidence
            .tenants
            .iter()
            .map(|observed| Seen { observed, evidence, findings: of_all(observed, evidence) })
            .collect();
        Report {
            address: plain(&evidence.address, usize::MAX),
            database: evidence.database.to_string(),
            role: plain(&evidence.server.admin, usize::MAX),
            version: plain(&evidence.server.version, usize::MAX),
            time: to_the_second(&evidence.server.now),
            tenants: evidence.tenants.iter().map(|tenant| plain(tenant.names.tenant.as_str(), usize::MAX)).collect(),
            results: CONTROLS
                .iter()
                .filter(|row| row.of != Of::Watchdog || evidence.watchdog.is_some())
                .map(|row| outcome(row, evidence, &seen))
                .collect(),
        }
    }

    /// Whether all could be looked at, and all was as expected or accepted.
    pub fn passed(&self) -> bool {
        self.count(Status::Pass) + self.count(Status::Accepted) == self.results.len()
    }

    /// How many controls have that status.
    pub fn count(&self, status: Status) -> usize {
        self.results.iter().filter(|outcome| outcome.status == status).count()
    }
}

fn outcome(row: &Row, evidence: &Evidence, seen: &[Seen]) -> Outcome {
    let (unit, verdicts): ((&str, &str), Vec<(String, Verdict)>) = match row.of {
        Of::Tenant | Of::AuditedTenant => {
            let verdict = |seen: &Seen| (seen.observed.names.tenant.to_string(), seen.verdict(row.control));
            (TENANTS, seen.iter().map(verdict).collect())
        }
        Of::Database => (("database", "databases"), of_databases(row.control, evidence)),
        Of::Cluster => (SERVER, of_cluster(row.control, evidence)),
        Of::Watchdog => (SERVER, of_watchdog(row.control, evidence)),
        Of::Server(_) => (SERVER, vec![("server".to_owned(), checks::of_server(row.control, evidence))]),
    };
    let total = verdicts.len();
    let none = total == 0 && unit == TENANTS;
    let mut findings: Vec<Found> = verdicts
        .into_iter()
        .filter_map(|(subject, verdict)| {
            let (status, found) = match verdict {
                Verdict::AsExpected => return None,
                Verdict::Found(found) => (Status::Fail, found),
                Verdict::Accepted(found) => (Status::Accepted, found),
                Verdict::NotChecked(why) => (Status::NotChecked, why),
            };
            Some(Found { subject: plain(&subject, usize::MAX), status, found: plain(&found, SHOWN) })
        })
        .collect();
    let rank = |status: Status| [Status::Fail, Status::NotChecked, Status::Accepted].iter().position(|s| *s == status);
    findings.sort_by_key(|found| rank(found.status));
    let unchecked = findings.iter().filter(|found| found.status == Status::NotChecked).count();
    let parameters: &[&str] = if let Of::Server(names) = row.of { names } else { &[] };
    let checked = match row.control {
        Control::ClusterCrossAccess => {
            counted(evidence.reach.pairs, ("pair of role and database", "pairs of role and database"))
        }
        _ if !parameters.is_empty() => counted(parameters.len() as u64, ("parameter", "parameters")),
        _ if unchecked > 0 => format!("{} of {}", total - unchecked, counted(total as u64, unit)),
        _ => counted(total as u64, unit),
    };
    let as_expected =
        if parameters.is_empty() { "as expected".to_owned() } else { values(parameters, &evidence.setup) };
    Outcome {
        id: row.id(),
        title: row.title,
        about: row.about,
        expected: row.expected,
        checked,
        found: if none {
            format!("not checked: there is no {}", unit.0)
        } else {
            summary(&findings, total, unit).unwrap_or(as_expected)
        },
        // Of what is not there, nothing is claimed.
        status: findings.first().map_or(if none { Status::NotChecked } else { Status::Pass }, |found| found.status),
        nist: row.nist.to_vec(),
        stig: row.stig.iter().map(|stig| stig.cited(evidence.server.major())).collect(),
        of_tenants: matches!(row.of, Of::Tenant | Of::AuditedTenant),
        findings,
    }
}

const TENANTS: (&str, &str) = ("tenant", "tenants");
const SERVER: (&str, &str) = ("server", "servers");

fn of_databases(control: Control, evidence: &Evidence) -> Vec<(String, Verdict)> {
    let findings = baseline::assess(&evidence.baseline, &evidence.accept_cluster);
    let told = |name: &DatabaseName| {
        let finding = findings.get(&format!("{name}.{control}"))?;
        Some((name.to_string(), finding.into()))
    };
    evidence.baseline.databases.keys().filter_map(told).collect()
}

fn of_cluster(control: Control, evidence: &Evidence) -> Vec<(String, Verdict)> {
    let findings = baseline::assess(&evidence.baseline, &evidence.accept_cluster);
    findings.get(control.name()).map(|finding| ("server".to_owned(), finding.into())).into_iter().collect()
}

fn of_watchdog(control: Control, evidence: &Evidence) -> Vec<(String, Verdict)> {
    let assess = |observed: &watchdog::Observed| watchdog::assess(&observed.as_found(), observed).remove(&control);
    let finding = evidence.watchdog.as_ref().and_then(assess);
    finding.map(|finding| ("server".to_owned(), (&finding).into())).into_iter().collect()
}

/// How many there are, and the first. The findings are those that fail, then those that were not checked.
fn summary(findings: &[Found], total: usize, unit: (&str, &str)) -> Option<String> {
    let told = |status: Status, verb: &str| {
        let found: Vec<_> = findings.iter().filter(|found| found.status == status).collect();
        let first = found.first()?;
        Some(if unit == SERVER {
            format!("{verb}{}", first.found)
        } else {
            let of = if found.len() == total { String::new() } else { format!("{} of ", found.len()) };
            let of = format!("{verb}{of}{}", counted(total as u64, unit));
            format!("{of}, first {}: {}", first.subject, first.found)
        })
    };
    let parts =
        [told(Status::Fail, ""), told(Status::NotChecked, "not checked: "), told(Status::Accepted, "accepted: ")];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn counted(count: u64, (one, many): (&str, &str)) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn values(names: &[&str], setup: &Setup) -> String {
    let value = |name: &&str| Some(format!("{name} = {}", setup.parameters.get(*name)?));
    plain(&names.iter().filter_map(value).collect::<Vec<_>>().join("; "), SHOWN)
}

/// How much of one finding is shown: a tenant could make some as long as it likes.
const SHOWN: usize = 300;

/// `20260131T235959Z` of `20260131T235959.123Z`.
fn to_the_second(time: &str) -> String {
    time.split_once('.').map_or_else(|| time.to_owned(), |(whole, _)| format!("{whole}Z"))
}

/// `2026-01-31 23:59:59 UTC` of `20260131T235959Z`; what is not written so is left as it is.
fn readable(time: &str) -> String {
    let part = |from: usize, to: usize| time.get(from..to).unwrap_or_default();
    if time.len() != 16 || !time.is_ascii() {
        return time.to_owned();
    }
    let (date, clock) =
        ([part(0, 4), part(4, 6), part(6, 8)].join("-"), [part(9, 11), part(11, 13), part(13, 15)].join(":"));
    format!("{date} {clock} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Authentication;
    use crate::postgres::catalog::reach::Allowed;
    use crate::postgres::catalog::snapshot::Role;
    use crate::tenant::{Access, Marker, Method, fixture};

    fn tenant(name: &str) -> Observed {
        let mut observed = fixture::observed();
        observed.names.tenant = name.parse().unwrap();
        let comment = Some(fixture::marker(&observed.names, crate::tenant::Stage::Ready).text());
        observed.database.as_mut().unwrap().comment.clone_from(&comment);
        observed.role.as_mut().unwrap().comment.clone_from(&comment);
        observed.inside.as_mut().unwrap().schemas[0].comment = comment;
        observed
    }

    fn clean() -> Evidence {
        let parameters = [
            ("listen_addresses", "*"),
            ("log_connections", "on"),
            ("log_destination", "stderr"),
            ("log_disconnections", "on"),
            ("log_line_prefix", "%m %u@%d "),
            ("password_encryption", "scram-sha-256"),
            ("ssl", "on"),
            ("ssl_min_protocol_version", "TLSv1.2"),
        ];
        assert_eq!(parameters.map(|(name, _)| name).to_vec(), crate::tenant::control::parameters());
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let tenants = vec![tenant("acme"), tenant("<b>&\"it's\"</b>")];
        Evidence {
            server: tenants[0].server.clone(),
            address: "db.example.com:5432".to_owned(),
            database: "postgres".parse().unwrap(),
            tenants,
            companions: Vec::new(),
            member_of: BTreeSet::new(),
            accept: BTreeMap::new(),
            accept_cluster: Accept::new(),
            baseline: baseline::Observed::locate(&fixture::snapshot(), &BTreeSet::new()),
            watchdog: None,
            reach: Reach { pairs: 4, allowed: Vec::new() },
            setup: Setup { parameters, encrypted: true },
            connections: Sums { committed: 20, available: 97 },
        }
    }

    fn acme(evidence: &mut Evidence) -> &mut Observed {
        &mut evidence.tenants[0]
    }

    /// Changes one fact; which controls are then not as expected, with what is found.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Evidence), expected: &[(&str, Status, &str)]) -> Report {
        let mut evidence = clean();
        change(&mut evidence);
        let report = Report::of(&evidence);
        let found: Vec<_> = report
            .results
            .iter()
            .filter(|outcome| outcome.status != Status::Pass)
            .map(|outcome| (outcome.id.as_str(), outcome.status, outcome.found.as_str()))
            .collect();
        assert_eq!(found, expected);
        assert_eq!(report.passed(), expected.is_empty());
        report
    }

    #[test]
    fn what_is_clean_passes() {
        let report = check(|_| {}, &[]);
        let told = |id: &str| {
            let outcome = report.results.iter().find(|outcome| outcome.id == id).unwrap();
            (outcome.checked.clone(), outcome.found.clone())
        };
        let as_expected = |checked: &str| (checked.to_owned(), "as expected".to_owned());
        assert_eq!(told("tenant.role"), as_expected("2 tenants"));
        assert_eq!(told("cluster.cross_access"), as_expected("4 pairs of role and database"));
        assert_eq!(told("cluster.tls"), ("2 parameters".to_owned(), "listen_addresses = *; ssl = on".to_owned()));
    }

    #[test]
    fn a_watchdog_is_told_of_where_there_is_one() {
        use Status::{Fail, NotChecked};
        check(|evidence| evidence.watchdog = Some(watchdog::fixture()), &[]);
        let blind = |evidence: &mut Evidence| {
            let mut observed = watchdog::fixture();
            observed.cron.sees_sessions = false;
            observed.job.as_mut().unwrap().last_run = None;
            evidence.watchdog = Some(observed);
        };
        check(
            blind,
            &[
                (
                    "watchdog.owner",
                    Fail,
                    "admin lacks USAGE on role pg_read_all_stats (an apply does not repair all of it)",
                ),
                ("watchdog.runs", NotChecked, "not checked: pg_cron has no run of the job on record"),
            ],
        );
    }

    #[test]
    fn where_there_is_no_tenant_nothing_is_claimed_of_tenants() {
        let report = Report::of(&Evidence { tenants: Vec::new(), ..clean() });
        assert!(!report.passed());
        for outcome in &report.results {
            let expected = if outcome.of_tenants { Status::NotChecked } else { Status::Pass };
            assert_eq!(outcome.status, expected, "{}: {}", outcome.id, outcome.found);
        }
    }

    /// A further role of `acme`, as the plan of its resource sees it.
    fn with_reader(evidence: &mut Evidence, change: impl FnOnce(&mut Role)) {
        let marker = Marker {
            access: Some(Access::Connect),
            role: "acme_ro".to_owned(),
            ..fixture::marker(&fixture::names(), Stage::Ready)
        };
        let mut role = Role { connection_limit: 5, ..fixture::role("acme_ro", Some(marker.text())) };
        let mut snapshot = fixture::snapshot();
        change(&mut role);
        snapshot.roles.push(role);
        snapshot.databases[0].acl.push(fixture::grant(Some("acme_ro"), "CONNECT"));
        snapshot.databases[0].connection_limit = 20;
        snapshot.settings.push(fixture::setting(Some("acme"), Some("acme_ro"), "search_path", "app"));
        let tenant = Observed::locate(&snapshot, &fixture::names());
        let seen = acme(evidence);
        *seen = Observed { inside: seen.inside.clone(), login: seen.login.clone(), ..tenant };
        let mut companion = Observed::companion(&snapshot, seen, &"acme_ro".parse().unwrap());
        companion.login = seen.login.clone();
        evidence.companions = vec![companion];
    }

    #[test]
    fn what_is_found_of_a_further_role_is_told_of_its_tenant() {
        use Status::Fail;
        check(|evidence| with_reader(evidence, |_| {}), &[]);
        check(
            |evidence| with_reader(evidence, |role| role.create_role = true),
            &[("tenant.role_attributes", Fail, "1 of 2 tenants, first acme: acme_ro has CREATEROLE")],
        );
        // And all that is found of the tenant's own beside it, whoever may repair which.
        check(
            |evidence| {
                with_reader(evidence, |role| role.superuser = true);
                acme(evidence).role.as_mut().unwrap().create_role = true;
            },
            &[(
                "tenant.role_attributes",
                Fail,
                "1 of 2 tenants, first acme: acme has CREATEROLE; acme_ro has SUPERUSER (an apply does not repair all of it)",
            )],
        );
        // Of whom it reaches, too.
        let reaches = |evidence: &mut Evidence| {
            with_reader(evidence, |_| {});
            let allowed = Allowed {
                role: "acme_ro".into(),
                database: "globex".into(),
                count: 12,
                privileges: ["CONNECT".to_owned()].into(),
                public: BTreeSet::new(),
            };
            evidence.reach.allowed = vec![allowed];
        };
        let told = "1 of 2 tenants, first acme: acme_ro: CONNECT on database globex; and on 11 more";
        check(reaches, &[("cluster.cross_access", Fail, told)]);
    }

    #[test]
    fn what_is_found_is_counted_and_the_first_is_named() {
        use Status::{Fail, NotChecked};
        check(
            |evidence| acme(evidence).role.as_mut().unwrap().create_role = true,
            &[("tenant.role_attributes", Fail, "1 of 2 tenants, first acme: acme has CREATEROLE")],
        );
        check(
            |evidence| {
                for tenant in &mut evidence.tenants {
                    tenant.login = Ok(Authentication::Md5);
                }
            },
            &[
                ("tenant.authentication", Fail, "2 tenants, first acme: the server asks for an MD5 password"),
                (
                    "tenant.password",
                    Fail,
                    "2 tenants, first acme: the password of acme was changed by somebody else (an apply does not repair all of it)",
                ),
            ],
        );
        let allowed = |database: &str| Allowed {
            role: "acme".to_owned(),
            database: database.to_owned(),
            count: 12,
            privileges: ["CONNECT".to_owned()].into(),
            public: ["CONNECT".to_owned(), "TEMPORARY".to_owned()].into(),
        };
        check(
            |evidence| evidence.reach.allowed = vec![allowed("postgres"), allowed("template1")],
            &[(
                "cluster.cross_access",
                Fail,
                "2 tenants, first acme: CONNECT on database postgres as PUBLIC; CONNECT on database template1 as PUBLIC; \
                 and on 10 more",
            )],
        );
        check(
            |evidence| drop(evidence.setup.parameters.remove("ssl")),
            &[("cluster.tls", NotChecked, "not checked: the server does not show ssl to this admin")],
        );
    }

    #[test]
    fn what_was_not_looked_at_does_not_pass() {
        let why = "not checked: 1 of 2 tenants, first acme: too many clients";
        let report = check(
            |evidence| {
                acme(evidence).inside = Err("too many clients".to_owned());
            },
            &[
                ("tenant.schema_privileges", Status::NotChecked, why),
                ("tenant.public_schema", Status::NotChecked, why),
                ("tenant.system_privileges", Status::NotChecked, why),
                ("tenant.other_roles", Status::NotChecked, why),
                ("tenant.default_privileges", Status::NotChecked, why),
                ("tenant.objects", Status::NotChecked, why),
                ("tenant.extensions", Status::NotChecked, why),
                ("tenant.search_path", Status::NotChecked, why),
            ],
        );
        let row = report.results.iter().find(|outcome| outcome.id == "tenant.search_path").unwrap();
        assert_eq!(row.checked, "1 of 2 tenants");
    }

    #[test]
    fn tokens_are_expected_of_whom_they_are_meant_for() {
        let member = |method: Method| {
            move |evidence: &mut Evidence| {
                let acme = acme(evidence);
                acme.login = Ok(Authentication::ClearText);
                let membership = fixture::membership("rds_iam", "acme");
                let membership = crate::postgres::catalog::snapshot::Membership { revocable: false, ..membership };
                acme.memberships.push(membership);
                let text = registered(acme, method);
                acme.role.as_mut().unwrap().comment = Some(text.clone());
                acme.database.as_mut().unwrap().comment = Some(text.clone());
                acme.inside.as_mut().unwrap().schemas[0].comment = Some(text);
            }
        };
        check(member(Method::RdsIam), &[]);
        let clear_text = "1 of 2 tenants, first acme: the server asks for a password in clear text";
        let found = ("tenant.authentication", Status::Fail, clear_text);
        check(
            |evidence| {
                member(Method::RdsIam)(evidence);
                evidence.setup.encrypted = false;
            },
            &[found],
        );
        // Where none are expected, there is no salt either by which the password could be told.
        let password =
            "not checked: 1 of 2 tenants, first acme: the server does not ask for a password by SCRAM-SHA-256";
        let password = ("tenant.password", Status::NotChecked, password);
        let membership = "1 of 2 tenants, first acme: acme is a member of rds_iam (an apply does not repair all of it)";
        check(member(Method::Password), &[("tenant.memberships", Status::Fail, membership), found, password]);
    }

    #[test]
    fn what_a_login_is_asked_is_held_against_what_is_meant() {
        let scram = || Authentication::Scram(fixture::challenge());
        let refused = |state| Authentication::Refused { state, message: "no certificate".to_owned() };
        let without_certificate = || refused(crate::postgres::error::SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
        let other = || refused(crate::postgres::error::SqlState::TOO_MANY_CONNECTIONS);
        for (method, asks, expected) in [
            (Method::Password, scram(), "pass: as expected"),
            (Method::Password, without_certificate(), "not checked"),
            (Method::RdsIam, Authentication::ClearText, "pass: as expected"),
            (
                Method::RdsIam,
                scram(),
                "fail: 1 of 2 tenants, first acme: the server asks for a password, and not for a token of IAM",
            ),
            (Method::Certificate, without_certificate(), "pass: as expected"),
            (Method::Certificate, other(), "not checked"),
            (
                Method::Certificate,
                scram(),
                "fail: 1 of 2 tenants, first acme: the server asks for a password, and not for a certificate",
            ),
            (
                Method::Certificate,
                Authentication::ClearText,
                "fail: 1 of 2 tenants, first acme: the server asks for a password in clear text",
            ),
            (
                Method::Certificate,
                Authentication::Nothing,
                "fail: 1 of 2 tenants, first acme: the server asks for nothing",
            ),
        ] {
            let mut evidence = clean();
            let acme = acme(&mut evidence);
            acme.role.as_mut().unwrap().comment = Some(registered(acme, method));
            acme.login = Ok(asks);
            let report = Report::of(&evidence);
            let row = report.results.iter().find(|row| row.id == "tenant.authentication").unwrap();
            let said = format!("{}: {}", row.status, row.found);
            assert!(said.starts_with(expected), "{method:?}: {said}");
        }
    }

    /// The marker of a tenant that is meant to prove who it is in this way.
    fn registered(tenant: &Observed, method: Method) -> String {
        Marker { authentication: method, ..tenant.role_marker().unwrap() }.text()
    }

    #[test]
    fn what_others_wrote_stays_in_its_place() {
        assert_eq!(plain("a\u{1b}[2J\u{202e}b\nc", usize::MAX), "a\u{fffd}[2J\u{fffd}b\u{fffd}c");
        assert_eq!(plain("abc", 3), "abc");
        assert_eq!(plain("abcd", 3), "abc…");
        assert_eq!(readable("20260131T235959Z"), "2026-01-31 23:59:59 UTC");
        assert_eq!(readable("yesterday"), "yesterday");
    }

    fn with_findings() -> Report {
        let mut evidence = clean();
        evidence.tenants[1].role.as_mut().unwrap().connection_limit = -1;
        acme(&mut evidence).login = Err("<script>".to_owned());
        Report::of(&evidence)
    }

    #[test]
    fn the_text_says_what_where() {
        let text = text(&with_findings());
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[..3],
            [
                "Isolation audit of db.example.com:5432: PostgreSQL 15.18, database postgres, asked as admin, 2026-01-31 \
                 12:00:00 UTC",
                "2 tenants, 43 controls: 38 pass, 0 accepted, 3 fail, 2 not checked",
                ""
            ]
        );
        let at = lines.iter().position(|line| line.starts_with("FAIL         guardrails.connection_limit  2")).unwrap();
        assert_eq!(
            lines[at + 1..at + 3],
            ["             expected: It is set.", "             <b>&\"it's\"</b>: no limit"]
        );
        assert!(lines.contains(&"             acme: not checked: <script>"), "{text}");
    }

    #[test]
    fn the_data_is_stable() {
        let document: serde_json::Value = serde_json::from_str(&json(&with_findings())).unwrap();
        assert_eq!(document["format"], 1);
        assert_eq!(document["counts"], serde_json::json!({ "pass": 38, "accepted": 0, "fail": 3, "not_checked": 2 }));
        let controls = document["controls"].as_array().unwrap();
        assert_eq!(controls.len(), CONTROLS.iter().filter(|row| row.of != Of::Watchdog).count());
        assert_eq!(
            *controls.iter().find(|control| control["id"] == "guardrails.connection_limit").unwrap(),
            serde_json::json!({
                "id": "guardrails.connection_limit",
                "title": "Connections are limited",
                "expected": "It is set.",
                "checked": "2 tenants",
                "found": "1 of 2 tenants, first <b>&\"it's\"</b>: no limit",
                "status": "fail",
                "nist": ["AC-10", "SC-5"],
                "stig": ["CD12-00-001200 (V-233522)"],
                "findings": [{ "subject": "<b>&\"it's\"</b>", "status": "fail", "found": "no limit" }],
            })
        );
    }

    #[test]
    fn the_page_needs_nothing_and_runs_nothing() {
        let page = html(&with_findings(), true);
        for forbidden in ["http", "<script", "src=", "url(", "@import", "<link", "<b>"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        for expected in [
            "&lt;b&gt;&amp;&quot;it&#39;s&quot;&lt;/b&gt;: no limit",
            "<th scope=\"row\">acme</th><td>pass</td>",
            "<td class=\"not_checked\">not<br>checked</td>",
            "<td>&lt;script&gt;</td>",
            "fail: 3 controls not as expected",
            "<div><span class=\"ids\">CD12-00-001200</span> <span class=\"ids\">(V-233522)</span> </div>",
            "<dt>Tenants checked</dt><dd>2</dd>",
        ] {
            assert!(page.contains(expected), "{expected}");
        }
        assert!(page.contains("2026-01-31 12:00:00 UTC") && !html(&with_findings(), false).contains("2026"));
    }

    /// One control of the first of two tenants fails, or could not be told, and says this.
    #[track_caller]
    fn check_acme(control: &str, status: Status, found: &str, change: impl FnOnce(&mut Observed)) {
        let unchecked = if status == Status::NotChecked { "not checked: " } else { "" };
        let mut evidence = clean();
        change(acme(&mut evidence));
        let report = Report::of(&evidence);
        let row = report.results.iter().find(|outcome| outcome.id == control).unwrap();
        assert_eq!(row.found, format!("{unchecked}1 of 2 tenants, first acme: {found}"));
        assert_eq!(row.status, status);
    }

    #[test]
    fn what_the_audit_alone_tells_of_a_tenant() {
        use crate::tenant::Stage;
        use Status::{Fail, NotChecked};
        let creating = || Some(fixture::marker(&fixture::names(), Stage::Creating).text());
        let comment =
            |observed: &mut Observed, comment: Option<String>| observed.role.as_mut().unwrap().comment = comment;
        check_acme("tenant.complete", Fail, "half-made: its database is missing", |o| o.database = None);
        check_acme("tenant.complete", Fail, "half-made: its role is missing", |o| o.role = None);
        check_acme("tenant.complete", Fail, "half-made: the next apply finishes it", |o| comment(o, creating()));
        check_acme("tenant.complete", Fail, "its database or its role carries no marker", |o| comment(o, None));
        check_acme("tenant.names", Fail, "its database is called x, on record acme", |o| {
            o.database.as_mut().unwrap().name = "x".to_owned();
        });
        check_acme(
            "tenant.names",
            Fail,
            "its role is called x, on record acme; its schema is called y, on record app",
            |o| {
                o.role.as_mut().unwrap().name = "x".to_owned();
                o.inside.as_mut().unwrap().schemas[0].name = "y".to_owned();
            },
        );
        let login = "tenant.authentication";
        let asks = |asks: Authentication| move |o: &mut Observed| o.login = Ok(asks);
        check_acme(
            login,
            Fail,
            "the server asks for nothing, and accepts every connection",
            asks(Authentication::Nothing),
        );
        check_acme(login, Fail, "the server asks for a password in clear text", asks(Authentication::ClearText));
        let other = "the server asks for something other than a password";
        check_acme(login, NotChecked, other, asks(Authentication::Other));
        let refused = Authentication::Refused {
            state: crate::postgres::error::SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            message: "no entry".to_owned(),
        };
        let said = "the server refuses before it asks: no entry (SQLSTATE 28000)";
        check_acme(login, NotChecked, said, asks(refused));
        check_acme(login, NotChecked, "no route", |o| o.login = Err("no route".to_owned()));
        check_acme("guardrails.connection_limit", Fail, "no limit", |o| o.role.as_mut().unwrap().connection_limit = -1);
        let missing = "its role or its database is missing";
        check_acme("guardrails.connection_limit", NotChecked, missing, |o| o.role = None);
        check_acme(
            "guardrails.time_limits",
            Fail,
            "statement_timeout is 0; lock_timeout = \"soon\" cannot be read",
            |o| {
                for setting in o.settings.iter_mut().filter(|setting| setting.role.is_none()) {
                    match setting.name.as_str() {
                        "statement_timeout" => setting.value = "0".to_owned(),
                        "lock_timeout" => setting.value = "soon".to_owned(),
                        _ => {}
                    }
                }
            },
        );
        check_acme("guardrails.time_limits", Fail, "lock_timeout is not set", |o| {
            o.settings.retain(|setting| setting.role.is_some() || setting.name != "lock_timeout");
        });
        check_acme(
            "guardrails.overrides",
            Fail,
            "role_in_database.lock_timeout: lock_timeout = \"0\" for role acme in database acme",
            |o| o.settings.push(fixture::setting(Some("acme"), Some("acme"), "lock_timeout", "0")),
        );
        check_acme(
            "tenant.database_owner",
            Fail,
            "rdsadmin owns database acme (an apply does not repair all of it)",
            |o| {
                let database = o.database.as_mut().unwrap();
                (database.owner, database.owner_usable) = ("rdsadmin".to_owned(), false);
            },
        );
    }

    #[test]
    fn what_is_reached_elsewhere_is_told_of_who_reaches_it() {
        let allowed = |role: &str, database: &str, privileges: &[&str], public: &[&str]| Allowed {
            role: role.to_owned(),
            database: database.to_owned(),
            count: 2,
            privileges: privileges.iter().map(|name| (*name).to_owned()).collect(),
            public: public.iter().map(|name| (*name).to_owned()).collect(),
        };
        check(
            |evidence| {
                evidence.reach.allowed = vec![
                    allowed("acme", "a", &["CONNECT"], &["CONNECT"]),
                    allowed("acme", "b", &["CONNECT", "CREATE"], &["CONNECT"]),
                    allowed("x", "c", &["CONNECT"], &[]),
                ];
                evidence.tenants.truncate(1);
            },
            &[(
                "cluster.cross_access",
                Status::Fail,
                "1 tenant, first acme: CONNECT on database a as PUBLIC; CONNECT, CREATE on database b",
            )],
        );
    }

    #[test]
    fn the_server_and_what_is_accepted_are_told() {
        use Status::{Accepted, Fail};
        check(
            |evidence| evidence.connections = Sums { committed: 98, available: 97 },
            &[("cluster.connection_budget", Fail, "the limits add up to 98, and there are 97 connections for tenants")],
        );
        check(|evidence| evidence.connections = Sums { committed: 97, available: 97 }, &[]);
        let open = |evidence: &mut Evidence| {
            let mut snapshot = fixture::snapshot();
            let mut database = fixture::database("postgres", None);
            database.acl.push(fixture::grant(None, "CONNECT"));
            database.allow_connections = true;
            snapshot.databases.push(database);
            snapshot.settings.push(fixture::setting(None, None, "work_mem", "1GB"));
            evidence.baseline = baseline::Observed::locate(&snapshot, &["postgres".parse().unwrap()].into());
        };
        let inside = "not checked: 1 of 1 database, first postgres: it was not entered";
        let inside = inside.replace("1 of 1", "1");
        check(
            open,
            &[
                (
                    "cluster.public_privileges",
                    Fail,
                    "1 database, first postgres: PUBLIC has CONNECT on database postgres",
                ),
                ("cluster.public_schema", Status::NotChecked, &inside),
                ("cluster.parameters", Fail, "work_mem = \"1GB\" for all roles (an apply does not repair all of it)"),
            ],
        );
        let report = check(
            |evidence| {
                open(evidence);
                let why = |key: &str| (key.to_owned(), "why".to_owned());
                evidence.accept_cluster = ["postgres.public_privileges", "parameters"].map(why).into();
                let why = [(Control::RoleAttributes, "why".to_owned())].into();
                evidence.accept = [("acme".to_owned(), why)].into();
                acme(evidence).role.as_mut().unwrap().inherit = true;
            },
            &[
                ("tenant.role_attributes", Accepted, "accepted: 1 of 2 tenants, first acme: acme has INHERIT (why)"),
                (
                    "cluster.public_privileges",
                    Accepted,
                    "accepted: 1 database, first postgres: PUBLIC has CONNECT on database postgres (why)",
                ),
                ("cluster.public_schema", Status::NotChecked, &inside),
                ("cluster.parameters", Accepted, "accepted: work_mem = \"1GB\" for all roles (why)"),
            ],
        );
        assert_eq!(report.count(Accepted), 3);
        let text = text(&report);
        assert!(text.contains("\naccepted     tenant.role_attributes"), "{text}");
        assert!(text.contains("             acme: accepted: acme has INHERIT (why)\n"), "{text}");
    }

    #[test]
    fn what_is_accepted_alone_passes() {
        let mut evidence = clean();
        evidence.accept = [("acme".to_owned(), [(Control::RoleAttributes, "why".to_owned())].into())].into();
        acme(&mut evidence).role.as_mut().unwrap().inherit = true;
        let report = Report::of(&evidence);
        assert!(report.passed());
        assert_eq!(report.count(Status::Accepted), 1);
    }

    /// Which schemas are the tenant's beside the first, its role's marker says.
    #[test]
    fn other_schemas_are_the_tenants_if_they_are_on_record() {
        let jobs = |evidence: &mut Evidence| {
            let inside = acme(evidence).inside.as_mut().unwrap();
            let jobs = crate::postgres::catalog::inside::Schema {
                name: "jobs".into(),
                comment: None,
                ..inside.schemas[0].clone()
            };
            inside.schemas.push(jobs);
        };
        let mut evidence = clean();
        jobs(&mut evidence);
        let other = Report::of(&evidence).results.into_iter().find(|outcome| outcome.id == "tenant.objects").unwrap();
        assert_eq!(other.status, Status::Fail, "{}", other.found);
        let on_record = |evidence: &mut Evidence| {
            jobs(evidence);
            let acme = acme(evidence);
            let marker = acme.role_marker().unwrap();
            let comment = Some(crate::tenant::Marker { schemas: ["jobs".to_owned()].into(), ..marker }.text());
            acme.database.as_mut().unwrap().comment.clone_from(&comment);
            acme.role.as_mut().unwrap().comment.clone_from(&comment);
            acme.inside.as_mut().unwrap().schemas[0].comment = comment;
        };
        check(on_record, &[]);
    }

    #[test]
    fn what_fails_is_told_before_what_was_not_checked_and_what_is_accepted() {
        let mut evidence = clean();
        evidence.tenants = ["a", "b", "c", "d"].map(tenant).into();
        evidence.accept = [("a".to_owned(), [(Control::Extensions, "why".to_owned())].into())].into();
        for at in [0, 2] {
            evidence.tenants[at].inside.as_mut().unwrap().extensions =
                vec![crate::postgres::catalog::inside::Extension {
                    name: "e".into(),
                    schema: "app".into(),
                    version: "1".into(),
                    owner: "admin".into(),
                    owner_usable: true,
                    ..Default::default()
                }];
        }
        evidence.tenants[1].inside = Err("closed".to_owned());
        let report = Report::of(&evidence);
        let row = report.results.iter().find(|outcome| outcome.id == "tenant.extensions").unwrap();
        let subjects: Vec<_> = row.findings.iter().map(|found| (found.subject.as_str(), found.status)).collect();
        assert_eq!(subjects, [("c", Status::Fail), ("b", Status::NotChecked), ("a", Status::Accepted)]);
        assert_eq!(row.status, Status::Fail);
        assert_eq!(row.checked, "3 of 4 tenants");
    }
}

//! Guardrails: what a tenant may take, where each limit is written, and what overrides it.
//!
//! Each limit stands at two levels. The database's rows are the record: the tenant owns neither the
//! database nor those rows. The role's rows are the tenant's own default in every database; it may
//! change them, and that is an override.

use std::collections::BTreeMap;

use crate::postgres::fact::{Attribute, DatabaseAttribute, Fact, Kind, Level, Objects, Text};
use crate::postgres::{DatabaseName, Duration, Feature, ParameterName, RoleName};

use super::control::Control;
use super::diff::{Charter, Deviation, Finding, Repair, Status, diff};
use super::{Change, Marker, Observed, Scope, Setting};

/// A time limit that PostgreSQL keeps for each session.
///
/// <https://www.postgresql.org/docs/current/runtime-config-client.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timeout {
    Statement,
    Lock,
    IdleInTransaction,
    IdleSession,
    Transaction,
}

impl Timeout {
    /// Each with its parameter, and what a server must have to know it.
    pub const ALL: [(Timeout, &'static str, Option<Feature>); 5] = [
        (Timeout::Statement, "statement_timeout", None),
        (Timeout::Lock, "lock_timeout", None),
        (Timeout::IdleInTransaction, "idle_in_transaction_session_timeout", None),
        (Timeout::IdleSession, "idle_session_timeout", Some(Feature::IdleSessionTimeout)),
        (Timeout::Transaction, "transaction_timeout", Some(Feature::TransactionTimeout)),
    ];

    /// The parameter's name, which is the attribute's name too.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// What a server must have to know it; `None`: every served major does.
    pub fn needs(self) -> Option<Feature> {
        self.row().2
    }

    /// The one that a parameter is, in whatever case its name is written.
    pub fn of(parameter: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name, _)| parameter.eq_ignore_ascii_case(name)).map(|row| row.0)
    }

    /// Whether a parameter is one of the limits that every tenant has.
    pub fn is_safe(parameter: &str) -> bool {
        Self::of(parameter).is_some_and(|timeout| Limits::safe().timeouts.contains_key(&timeout))
    }

    fn row(self) -> &'static (Timeout, &'static str, Option<Feature>) {
        Self::ALL.iter().find(|row| row.0 == self).expect("every timeout is in the table")
    }
}

/// How many more connections the database allows than the role: PostgreSQL counts the admin's own
/// sessions against the database's limit.
pub const ADMIN_CONNECTIONS: i32 = 5;

/// The limits of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub connection_limit: i32,
    pub timeouts: BTreeMap<Timeout, Duration>,
    pub parameters: BTreeMap<ParameterName, String>,
}

impl Limits {
    /// What a tenant has from its first moment, and goes back to when its guardrails are destroyed.
    pub fn safe() -> Self {
        Limits {
            connection_limit: 10,
            timeouts: [
                (Timeout::Statement, Duration::from_millis(60_000)),
                (Timeout::Lock, Duration::from_millis(10_000)),
                (Timeout::IdleInTransaction, Duration::from_millis(60_000)),
            ]
            .into(),
            parameters: BTreeMap::new(),
        }
    }

    /// Every guarded name with the value it is to have.
    pub fn settings(&self) -> BTreeMap<ParameterName, Setting> {
        let timeouts =
            self.timeouts.iter().map(|(timeout, duration)| (parameter(timeout.name()), Setting::Duration(*duration)));
        let parameters = self.parameters.iter().map(|(name, value)| (name.clone(), Setting::Text(value.clone())));
        timeouts.chain(parameters).collect()
    }
}

pub(super) fn parameter(name: &str) -> ParameterName {
    name.parse().expect("a parameter of ours")
}

/// The limits on record: the role's CONNECTION LIMIT and the database's rows, as they are spelled there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnRecord {
    pub connection_limit: i32,
    pub timeouts: BTreeMap<Timeout, Text>,
    pub parameters: BTreeMap<ParameterName, Text>,
}

impl OnRecord {
    /// `None` without both role and database.
    pub fn of(observed: &Observed) -> Option<Self> {
        let database = observed.database.as_ref()?;
        let mut found = OnRecord {
            connection_limit: observed.role.as_ref()?.connection_limit,
            timeouts: BTreeMap::new(),
            parameters: BTreeMap::new(),
        };
        let rows = observed
            .settings
            .iter()
            .filter(|setting| setting.role.is_none() && setting.database.as_ref() == Some(&database.name));
        for row in rows {
            match (Timeout::of(&row.name), row.name.parse::<ParameterName>()) {
                (Some(timeout), _) => drop(found.timeouts.insert(timeout, row.text())),
                // The tenant's own affair is where its names are looked up; its resource tells.
                (None, Ok(name)) if name != parameter("search_path") => drop(found.parameters.insert(name, row.text())),
                _ => {}
            }
        }
        Some(found)
    }

    /// A time limit in milliseconds; `None` if there is none, or none that can be read.
    pub fn timeout(&self, timeout: Timeout) -> Option<Duration> {
        Duration::from_catalog(self.timeouts.get(&timeout)?.as_whole()?)
    }

    /// The limits that are meant by them, as far as they can be read.
    pub fn limits(&self) -> Limits {
        let timeouts = self.timeouts.keys().filter_map(|timeout| Some((*timeout, self.timeout(*timeout)?)));
        let whole = |(name, text): (&ParameterName, &Text)| Some((name.clone(), text.as_whole()?.to_owned()));
        Limits {
            connection_limit: self.connection_limit,
            timeouts: timeouts.collect(),
            parameters: self.parameters.iter().filter_map(whole).collect(),
        }
    }
}

/// What is right for the limits of one tenant: each guarded parameter at both levels, and nothing that stands against it.
struct LimitsCharter<'a> {
    guarded: BTreeMap<ParameterName, Setting>,
    connection_limit: i32,
    role: &'a str,
    database: &'a str,
    /// Whether the role's marker is to say that guardrails say what the limits are.
    noted: bool,
    observed: &'a Observed,
}

impl LimitsCharter<'_> {
    fn is_guarded(&self, name: &str) -> bool {
        self.guarded.keys().any(|guarded| guarded.as_str().eq_ignore_ascii_case(name))
    }
}

impl Charter for LimitsCharter<'_> {
    fn required(&self) -> Vec<(Control, Fact)> {
        let levels = [Level::Database(self.database.to_owned()), Level::Role(self.role.to_owned())];
        let mut required: Vec<Fact> = Vec::new();
        for (name, value) in &self.guarded {
            required.extend(levels.iter().map(|level| Fact::Parameter {
                level: level.clone(),
                name: name.to_string(),
                value: Text::whole(value.text()),
            }));
        }
        // Without the note the tenant's own charter has the safe limits.
        if self.noted != self.observed.is_guarded() {
            let text = note(self.noted, self.observed).as_ref().map(Marker::text).unwrap_or_default();
            required.push(Fact::Marker { objects: Objects::one(Kind::Role, self.role), text });
        }
        required.into_iter().map(|fact| (Control::Overrides, fact)).collect()
    }

    fn allows(&self, fact: &Fact) -> bool {
        match fact {
            // What this admin may not reset is no limit of its own; the tenant's resource tells.
            Fact::Parameter { level: Level::Database(_), name, .. } => {
                name.eq_ignore_ascii_case("search_path") || !self.is_guarded(name) && !self.observed.may_set(name)
            }
            // The tenant's own `search_path` in its database is how it finds its schema: no limit, whatever the database has.
            Fact::Parameter { level: Level::Role(_) | Level::RoleInDatabase(..), name, .. } => {
                !self.is_guarded(name) || name.eq_ignore_ascii_case("search_path")
            }
            Fact::Attribute { attribute: Attribute::ConnectionLimit(limit), .. } => *limit == self.connection_limit,
            Fact::Database { attribute: DatabaseAttribute::ConnectionLimit(limit), .. } => {
                *limit == self.observed.database_limit(self.connection_limit, self.observed.admin_connections())
            }
            // The rest is the tenant's charter's.
            _ => true,
        }
    }

    fn may_repair(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Parameter { level: Level::Database(_), .. } => self.observed.owns_database(),
            Fact::Parameter { .. } | Fact::Marker { .. } => self.observed.alters_role(),
            _ => true,
        }
    }

    fn control(&self, _: &Fact) -> Control {
        Control::Overrides
    }
}

/// The marker of the role with the note whether there are guardrails. If it is gone, the database's says the same but for that.
fn note(guardrails: bool, observed: &Observed) -> Option<Marker> {
    let marker = observed.role_marker().or_else(|| observed.database_marker())?;
    Some(Marker { guardrails, ..marker })
}

fn drift(desired: &Limits, noted: bool, observed: &Observed) -> Vec<Deviation> {
    let (Some(database), Some(role)) = (&observed.database, &observed.role) else { return Vec::new() };
    let charter = LimitsCharter {
        guarded: desired.settings(),
        connection_limit: desired.connection_limit,
        role: &role.name,
        database: &database.name,
        noted,
        observed,
    };
    diff(&charter, &observed.facts()).remove(&Control::Overrides).unwrap_or_default()
}

/// What must change for a tenant to have exactly these limits. `previous` are the limits it had
/// before: what is no longer among them is reset at the role too.
pub fn repair(desired: &Limits, previous: Option<&Limits>, observed: &Observed) -> Repair {
    repair_noted(desired, true, previous, observed)
}

/// What must change for a tenant to have the safe limits, and no guardrails.
pub fn release(previous: &Limits, observed: &Observed) -> Repair {
    repair_noted(&Limits::safe(), false, Some(previous), observed)
}

fn repair_noted(desired: &Limits, noted: bool, previous: Option<&Limits>, observed: &Observed) -> Repair {
    let (Some(database), Some(role)) = (observed.database_name(), observed.role_name()) else {
        return Repair::default();
    };
    let guarded = desired.settings();
    let (ours, theirs): (Vec<Deviation>, Vec<Deviation>) =
        drift(desired, noted, observed).into_iter().partition(Deviation::is_ours);
    let marker = note(noted, observed);
    let changes = |drift: &[Deviation]| {
        let change = |deviation: &Deviation| match (deviation.fact(), &marker) {
            (Fact::Marker { .. }, Some(marker)) => {
                Some(Change::MarkRole { role: role.clone(), marker: marker.clone() })
            }
            _ => change(desired, observed, &guarded, deviation, &database, &role),
        };
        drift.iter().filter_map(change).collect()
    };
    let mut ours: Vec<Change> = changes(&ours);
    for name in previous.map(Limits::settings).unwrap_or_default().keys().filter(|name| !guarded.contains_key(name)) {
        if observed.setting(None, Some(role.as_str()), name.as_str()).is_some() {
            ours.push(Change::Reset { scope: Scope::Role(role.clone()), name: name.clone() });
        }
    }
    let mut repair = Repair::default();
    repair.extend(ours, changes(&theirs), Change::can_be_held_up);
    repair
}

fn change(
    desired: &Limits,
    observed: &Observed,
    guarded: &BTreeMap<ParameterName, Setting>,
    deviation: &Deviation,
    database: &DatabaseName,
    role: &RoleName,
) -> Option<Change> {
    let is_missing = matches!(deviation, Deviation::Missing(_));
    match deviation.fact() {
        Fact::Parameter { level, name, .. } => {
            let name: ParameterName = name.parse().ok()?;
            let scope = match level {
                Level::Database(_) => Scope::Database(database.clone()),
                Level::Role(_) => Scope::Role(role.clone()),
                Level::RoleInDatabase(_, place) => Scope::RoleInDatabase(role.clone(), place.parse().ok()?),
                Level::Everything => return None,
            };
            match guarded.get(&name).filter(|_| !matches!(level, Level::RoleInDatabase(..))) {
                // Said once: by the fact that is missing.
                Some(value) if is_missing => Some(Change::Set { scope, name, value: value.clone() }),
                Some(_) => None,
                None => Some(Change::Reset { scope, name }),
            }
        }
        Fact::Attribute { .. } => Some(Change::LimitRole { role: role.clone(), connections: desired.connection_limit }),
        Fact::Database { .. } => {
            let connections = observed.database_limit(desired.connection_limit, observed.admin_connections());
            Some(Change::LimitDatabase { database: database.clone(), connections })
        }
        _ => None,
    }
}

/// What stands against `expected` where the tenant, or somebody else, may have written: by level and parameter, as
/// `role.statement_timeout`; and that the role's marker does not say that there are guardrails.
pub fn overrides(expected: &Limits, observed: &Observed) -> BTreeMap<String, Finding> {
    against(expected, true, observed)
}

/// What stands against the limits on record, whether there are guardrails or not.
pub fn overrides_on_record(record: &OnRecord, observed: &Observed) -> BTreeMap<String, Finding> {
    against(&record.limits(), observed.is_guarded(), observed)
}

fn against(expected: &Limits, noted: bool, observed: &Observed) -> BTreeMap<String, Finding> {
    let mut found: BTreeMap<String, Vec<Deviation>> = BTreeMap::new();
    for deviation in drift(expected, noted, observed) {
        let key = match deviation.fact() {
            Fact::Parameter { level: Level::Role(_), name, .. } => format!("role.{}", name.to_ascii_lowercase()),
            Fact::Parameter { level: Level::RoleInDatabase(..), name, .. } => {
                format!("role_in_database.{}", name.to_ascii_lowercase())
            }
            Fact::Database { .. } => "database.connection_limit".to_owned(),
            Fact::Marker { .. } => "role.marker".to_owned(),
            // Attributes of their own.
            _ => continue,
        };
        found.entry(key).or_default().push(deviation);
    }
    let finding = |facts: Vec<Deviation>| {
        let status = if facts.iter().all(Deviation::is_ours) { Status::Found } else { Status::NotPermitted };
        Finding { control: Control::Overrides, status, facts, repair: Repair::default() }
    };
    found.into_iter().map(|(key, facts)| (key, finding(facts))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::Stage;
    use crate::tenant::fixture::{self, texts};

    /// A tenant with its limits, and the note that guardrails say them.
    fn guarded() -> Observed {
        let mut observed = fixture::observed();
        let marker = Marker { guardrails: true, ..fixture::marker(&fixture::names(), Stage::Ready) };
        observed.role.as_mut().unwrap().comment = Some(marker.text());
        observed
    }

    #[track_caller]
    fn check(desired: &Limits, previous: Option<&Limits>, observed: &Observed, needed: &[&str], tried: &[&str]) {
        let repair = repair(desired, previous, observed);
        assert_eq!(texts(&repair.needed), needed, "needed");
        assert_eq!(texts(&repair.tried), tried, "tried");
    }

    fn with_work_mem(value: &str) -> Limits {
        let mut limits = Limits::safe();
        limits.parameters.insert(parameter("work_mem"), value.to_owned());
        limits
    }

    #[test]
    fn a_tenant_with_its_limits_needs_nothing() {
        check(&Limits::safe(), None, &guarded(), &[], &[]);
        assert_eq!(OnRecord::of(&guarded()).unwrap().limits(), Limits::safe());
        assert_eq!(overrides(&Limits::safe(), &guarded()), BTreeMap::new());
    }

    #[test]
    fn a_limit_is_written_at_both_levels() {
        let mut limits = with_work_mem("16MB");
        limits.timeouts.insert(Timeout::Transaction, Duration::from_millis(300_000));
        limits.connection_limit = 20;
        check(
            &limits,
            None,
            &guarded(),
            &[
                "ALTER DATABASE \"acme\" SET \"transaction_timeout\" = 300000",
                "ALTER DATABASE \"acme\" SET \"work_mem\" = '16MB'",
                "ALTER DATABASE \"acme\" CONNECTION LIMIT 25",
            ],
            &[
                "ALTER ROLE \"acme\" SET \"transaction_timeout\" = 300000",
                "ALTER ROLE \"acme\" SET \"work_mem\" = '16MB'",
                "ALTER ROLE \"acme\" CONNECTION LIMIT 20",
            ],
        );
    }

    #[test]
    fn a_limit_that_is_no_longer_wanted_is_reset_at_both_levels() {
        let mut observed = guarded();
        observed.settings.push(fixture::setting(Some("acme"), None, "work_mem", "16MB"));
        observed.settings.push(fixture::setting(None, Some("acme"), "work_mem", "16MB"));
        check(
            &Limits::safe(),
            Some(&with_work_mem("16MB")),
            &observed,
            &["ALTER DATABASE \"acme\" RESET \"work_mem\""],
            &["ALTER ROLE \"acme\" RESET \"work_mem\""],
        );
        // A name that was never guarded is the tenant's own to set for itself.
        check(&Limits::safe(), None, &observed, &["ALTER DATABASE \"acme\" RESET \"work_mem\""], &[]);
    }

    #[test]
    fn the_admins_share_of_a_database_is_as_it_is_on_record() {
        for (share, limit) in [(Some(1), 11), (Some(-1), -1), (None, 15)] {
            let mut observed = guarded();
            let marker = Marker { admin_connections: share, ..observed.role_marker().unwrap() };
            observed.role.as_mut().unwrap().comment = Some(marker.text());
            let database = observed.database.as_mut().unwrap();
            database.connection_limit = limit;
            check(&Limits::safe(), None, &observed, &[], &[]);
            observed.database.as_mut().unwrap().connection_limit = 12;
            let statement = format!("ALTER DATABASE \"acme\" CONNECTION LIMIT {limit}");
            check(&Limits::safe(), None, &observed, &[&statement], &[]);
        }
    }

    #[test]
    fn overrides_are_found_and_taken_back() {
        let mut observed = guarded();
        observed.settings.retain(|setting| !(setting.role.is_some() && setting.name == "lock_timeout"));
        for setting in observed.settings.iter_mut().filter(|s| s.role.is_some() && s.name == "statement_timeout") {
            setting.value = "0".to_owned();
        }
        observed.settings.push(fixture::setting(Some("acme"), Some("acme"), "statement_timeout", &"9".repeat(200)));
        observed.settings.push(fixture::setting(Some("other"), Some("acme"), "lock_timeout", "0"));
        observed.database.as_mut().unwrap().connection_limit = -1;
        let found: Vec<_> =
            overrides(&Limits::safe(), &observed).into_iter().map(|(key, finding)| (key, finding.describe())).collect();
        let expected = [
            ("database.connection_limit", "database acme has CONNECTION LIMIT -1"),
            ("role.lock_timeout", "lock_timeout is not as required for role acme"),
            ("role.statement_timeout", "statement_timeout = \"0\" for role acme"),
            ("role_in_database.lock_timeout", "lock_timeout = \"0\" for role acme in database other"),
            (
                "role_in_database.statement_timeout",
                &format!("statement_timeout = \"{}…\" for role acme in database acme", "9".repeat(80)),
            ),
        ];
        assert_eq!(found, expected.map(|(key, what)| (key.to_owned(), format!("found: {what}"))));
        check(
            &Limits::safe(),
            None,
            &observed,
            &["ALTER DATABASE \"acme\" CONNECTION LIMIT 15"],
            &[
                "ALTER ROLE \"acme\" SET \"lock_timeout\" = 10000",
                "ALTER ROLE \"acme\" SET \"statement_timeout\" = 60000",
                "ALTER ROLE \"acme\" IN DATABASE \"acme\" RESET \"statement_timeout\"",
                "ALTER ROLE \"acme\" IN DATABASE \"other\" RESET \"lock_timeout\"",
            ],
        );
    }

    #[test]
    fn what_this_admin_may_not_reset_is_the_tenants_resource_to_tell() {
        let mut observed = guarded();
        observed.settings.push(fixture::setting(Some("acme"), None, "log_statement", "none"));
        check(&Limits::safe(), None, &observed, &["ALTER DATABASE \"acme\" RESET \"log_statement\""], &[]);
        observed.privileged.insert("log_statement".to_owned());
        check(&Limits::safe(), None, &observed, &[], &[]);
    }

    #[test]
    fn spelling_of_durations_does_not_matter() {
        let mut observed = guarded();
        for setting in observed.settings.iter_mut().filter(|s| s.name == "statement_timeout") {
            setting.value = "1 min".to_owned();
        }
        check(&Limits::safe(), None, &observed, &[], &[]);
    }

    #[test]
    fn what_is_on_record_is_read_whole_or_not_at_all() {
        let mut observed = guarded();
        let long = "x".repeat(600);
        let set = |name: &str, value: &str| fixture::setting(Some("acme"), None, name, value);
        observed.settings.extend([
            set("app.tenant_id", "42"),
            set("search_path", "x"),
            set("idle_session_timeout", "soon"),
        ]);
        observed.settings.push(fixture::setting(None, Some("acme"), "jit", "off"));
        observed.settings.push(fixture::setting(Some("other"), None, "jit", "on"));
        let mut cut = set("application_name", &long[..512]);
        cut.digest = Some("00".repeat(32));
        observed.settings.push(cut.clone());
        let found = OnRecord::of(&observed).unwrap();
        let names: Vec<_> = found.parameters.keys().map(ParameterName::as_str).collect();
        assert_eq!(names, ["app.tenant_id", "application_name"]);
        assert_eq!(found.parameters[&parameter("application_name")], cut.text());
        assert_eq!(found.timeouts[&Timeout::IdleSession], Text::whole("soon"));
        assert_eq!(found.timeout(Timeout::IdleSession), None, "it is there, and cannot be read");
        assert_eq!(found.timeout(Timeout::Transaction), None);
        assert_eq!(found.timeout(Timeout::Lock), Some(Duration::from_millis(10_000)));
        let limits = found.limits();
        assert_eq!(limits.parameters, [(parameter("app.tenant_id"), "42".to_owned())].into());
        assert_eq!((limits.timeouts, limits.connection_limit), (Limits::safe().timeouts, 10));
        observed.role = None;
        assert_eq!(OnRecord::of(&observed), None);
        assert_eq!(OnRecord::of(&Observed { database: None, ..guarded() }), None);
    }

    fn with_parameter(name: &str, value: &str) -> Limits {
        Limits { parameters: [(parameter(name), value.to_owned())].into(), ..Limits::safe() }
    }

    fn at_both(observed: &mut Observed, name: &str, value: &str, digest: Option<&str>) {
        for mut row in
            [fixture::setting(Some("acme"), None, name, value), fixture::setting(None, Some("acme"), name, value)]
        {
            row.digest = digest.map(str::to_owned);
            observed.settings.push(row);
        }
    }

    #[test]
    fn dotted_and_long_parameters_are_set_once() {
        let dotted = with_parameter("app.tenant_id", "42");
        check(
            &dotted,
            None,
            &guarded(),
            &["ALTER DATABASE \"acme\" SET \"app\".\"tenant_id\" = '42'"],
            &["ALTER ROLE \"acme\" SET \"app\".\"tenant_id\" = '42'"],
        );
        let mut observed = guarded();
        at_both(&mut observed, "app.Tenant_Id", "42", None);
        check(&dotted, None, &observed, &[], &[]);
        assert_eq!(overrides(&dotted, &observed), BTreeMap::new());
        let (long, begin) = (with_parameter("application_name", &"x".repeat(600)), "x".repeat(512));
        let mut observed = guarded();
        at_both(&mut observed, "application_name", &begin, Some(&sha256(&"x".repeat(600))));
        check(&long, None, &observed, &[], &[]);
        let mut observed = guarded();
        at_both(&mut observed, "application_name", &begin, Some(&sha256("x")));
        assert_eq!(overrides(&long, &observed).keys().collect::<Vec<_>>(), ["role.application_name"]);
    }

    fn sha256(text: &str) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn keys_are_identifiers_whatever_is_stored() {
        let key = |level: (Option<&str>, Option<&str>), name: &str, value: &str| {
            let mut observed = guarded();
            observed.settings.push(fixture::setting(level.0, level.1, name, value));
            let limits = with_parameter("work_mem", "4MB");
            let mut found = overrides(&limits, &observed);
            // What is not set at the role is missing there.
            let missing = found.remove("role.work_mem");
            assert!(missing.is_some());
            found.keys().cloned().collect::<Vec<_>>()
        };
        assert_eq!(key((Some("acme"), Some("acme")), "Work_Mem", "enforced"), ["role_in_database.work_mem"]);
        assert_eq!(key((Some("ot\u{1b}her"), Some("acme")), "work_mem", "x"), ["role_in_database.work_mem"]);
        assert_eq!(key((Some("acme"), Some("acme")), "jit", "off"), [""; 0], "not guarded");
        assert_eq!(key((Some("acme"), None), "jit", "off"), [""; 0], "the database's rows are attributes of their own");
        assert_eq!(key((Some("acme"), None), "work_mem", "1GB"), [""; 0]);
    }

    #[test]
    fn a_role_that_is_not_to_be_altered_is_told_so() {
        let mut observed = guarded();
        observed.role.as_mut().unwrap().manageable = false;
        observed.settings.push(fixture::setting(Some("acme"), Some("acme"), "lock_timeout", "0"));
        let found = overrides(&Limits::safe(), &observed);
        assert_eq!(found["role_in_database.lock_timeout"].status, Status::NotPermitted);
        observed.role.as_mut().unwrap().manageable = true;
        let found = overrides(&Limits::safe(), &observed);
        assert_eq!(found["role_in_database.lock_timeout"].status, Status::Found);
    }

    #[test]
    fn the_marker_of_the_role_says_whether_there_are_guardrails() {
        let text = |guardrails: bool| {
            let marker = Marker { guardrails, ..fixture::marker(&fixture::names(), Stage::Ready) };
            format!("COMMENT ON ROLE \"acme\" IS '{}'", marker.text())
        };
        let unguarded = fixture::observed();
        check(&Limits::safe(), None, &unguarded, &[&text(true)], &[]);
        let missing = "found: the marker of role acme is missing or not up to date";
        let found = overrides(&Limits::safe(), &unguarded);
        assert_eq!(
            found.iter().map(|(key, found)| (&**key, found.describe())).collect::<Vec<_>>(),
            [("role.marker", missing.to_owned())]
        );
        assert_eq!(overrides_on_record(&OnRecord::of(&unguarded).unwrap(), &unguarded), BTreeMap::new());
        assert_eq!(texts(&release(&Limits::safe(), &guarded()).needed), [text(false)]);
        assert!(release(&Limits::safe(), &unguarded).is_empty());
        // One that is gone is written anew.
        let mut unmarked = fixture::observed();
        unmarked.role.as_mut().unwrap().comment = None;
        check(&Limits::safe(), None, &unmarked, &[&text(true)], &[]);
        assert_eq!(overrides(&Limits::safe(), &unmarked)["role.marker"].describe(), missing);
    }

    #[test]
    fn search_path_is_the_tenants_unless_it_is_guarded() {
        let mut observed = guarded();
        observed.settings.push(fixture::setting(Some("acme"), None, "search_path", "x"));
        observed.settings.push(fixture::setting(None, Some("acme"), "search_path", "y"));
        check(&Limits::safe(), None, &observed, &[], &[]);
        // Its own in its database stays, whatever the database has.
        check(
            &with_parameter("search_path", "z"),
            None,
            &observed,
            &["ALTER DATABASE \"acme\" SET \"search_path\" = 'z'"],
            &["ALTER ROLE \"acme\" SET \"search_path\" = 'z'"],
        );
    }

    #[test]
    fn what_was_guarded_before_is_reset_at_the_role_only_if_it_is_there() {
        let before = with_work_mem("16MB");
        check(&Limits::safe(), Some(&before), &guarded(), &[], &[]);
        let mut observed = guarded();
        observed.settings.push(fixture::setting(None, Some("acme"), "work_mem", "16MB"));
        check(&Limits::safe(), Some(&before), &observed, &[], &["ALTER ROLE \"acme\" RESET \"work_mem\""]);
        let set = "ALTER DATABASE \"acme\" SET \"work_mem\" = '16MB'";
        check(&with_work_mem("16MB"), Some(&before), &observed, &[set], &[]);
        observed.role = None;
        check(&Limits::safe(), Some(&before), &observed, &[], &[]);
    }

    #[test]
    fn limits_of_connections_do_not_overflow() {
        let limits = Limits { connection_limit: i32::MAX, ..Limits::safe() };
        check(
            &limits,
            None,
            &guarded(),
            &["ALTER DATABASE \"acme\" CONNECTION LIMIT 2147483647"],
            &["ALTER ROLE \"acme\" CONNECTION LIMIT 2147483647"],
        );
    }

    #[test]
    fn timeouts_are_parameters() {
        for (timeout, name, needs) in Timeout::ALL {
            assert_eq!((timeout.name(), timeout.needs()), (name, needs));
            assert_eq!(Timeout::of(&name.to_uppercase()), Some(timeout));
        }
        assert_eq!(Timeout::of("work_mem"), None);
        assert!(
            Timeout::is_safe("LOCK_timeout") && !Timeout::is_safe("transaction_timeout") && !Timeout::is_safe("jit")
        );
    }
}

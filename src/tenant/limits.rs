//! Guardrails: what a tenant may take, where each limit is written, and what overrides it.
//!
//! Each limit stands at two levels. The database's rows are the record: the tenant owns neither the
//! database nor those rows. The role's rows are the tenant's own default in every database; it may
//! change them, and that is an override.

use std::collections::BTreeMap;

use crate::postgres::{DatabaseName, Duration, Feature, ParameterName, RoleName};

use super::{Change, Observed, Scope, Setting};

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

    /// The limits on record: the role's CONNECTION LIMIT and the database's rows. `None` without both
    /// role and database.
    pub fn observed(observed: &Observed) -> Option<Self> {
        let database = observed.database.as_ref()?;
        let role = observed.role.as_ref()?;
        let rows = observed
            .settings
            .iter()
            .filter(|setting| setting.role.is_none() && setting.database.as_deref() == Some(database.name.as_str()));
        let mut limits =
            Limits { connection_limit: role.connection_limit, timeouts: BTreeMap::new(), parameters: BTreeMap::new() };
        for row in rows {
            let timeout = Timeout::ALL.iter().find(|(_, name, _)| row.name.eq_ignore_ascii_case(name));
            if let Some((timeout, ..)) = timeout {
                if let Some(duration) = Duration::from_catalog(&row.value) {
                    limits.timeouts.insert(*timeout, duration);
                }
            } else if let Ok(name) = row.name.parse() {
                limits.parameters.insert(name, row.value.clone());
            }
        }
        Some(limits)
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

/// Whether a catalog's text means this value. Durations are compared in milliseconds.
fn means(setting: &Setting, text: &str) -> bool {
    match setting {
        Setting::Duration(duration) => Duration::from_catalog(text) == Some(*duration),
        Setting::Text(value) => value == text,
        Setting::Schemas(schemas) => crate::postgres::name::parse_list(text)
            .is_some_and(|names| names.iter().map(String::as_str).eq(schemas.iter().map(|schema| schema.as_str()))),
    }
}

/// What must change for a tenant to have exactly these limits. `previous` are the limits it had
/// before: what is no longer among them is reset at the role too.
pub fn diff(desired: &Limits, previous: Option<&Limits>, observed: &Observed) -> Vec<Change> {
    let (Some(database), Some(role)) = (observed.database_name(), observed.role_name()) else { return Vec::new() };
    let mut changes = Vec::new();
    let guarded = desired.settings();
    let on_record = Limits::observed(observed).map(|limits| limits.settings()).unwrap_or_default();
    for (name, value) in &guarded {
        let as_meant = |text: Option<&str>| text.is_some_and(|text| means(value, text));
        if !as_meant(observed.setting(Some(database.as_str()), None, name.as_str())) {
            changes.push(set(Scope::Database(database.clone()), name, value));
        }
        if !as_meant(observed.setting(None, Some(role.as_str()), name.as_str())) {
            changes.push(set(Scope::Role(role.clone()), name, value));
        }
    }
    for name in on_record.keys().filter(|name| !guarded.contains_key(name)) {
        changes.push(Change::Reset { scope: Scope::Database(database.clone()), name: name.clone() });
    }
    for name in previous.map(Limits::settings).unwrap_or_default().keys().filter(|name| !guarded.contains_key(name)) {
        if observed.setting(None, Some(role.as_str()), name.as_str()).is_some() {
            changes.push(Change::Reset { scope: Scope::Role(role.clone()), name: name.clone() });
        }
    }
    for (name, elsewhere) in in_one_database(&guarded, observed, &role) {
        changes.push(Change::Reset { scope: Scope::RoleInDatabase(role.clone(), elsewhere), name });
    }
    if observed.role.as_ref().is_some_and(|facts| facts.connection_limit != desired.connection_limit) {
        changes.push(Change::LimitRole { role, connections: desired.connection_limit });
    }
    let connections = database_connections(desired);
    if observed.database.as_ref().is_some_and(|facts| facts.connection_limit != connections) {
        changes.push(Change::LimitDatabase { database, connections });
    }
    changes
}

fn set(scope: Scope, name: &ParameterName, value: &Setting) -> Change {
    Change::Set { scope, name: name.clone(), value: value.clone() }
}

fn database_connections(limits: &Limits) -> i32 {
    limits.connection_limit.saturating_add(ADMIN_CONNECTIONS)
}

/// Rows of guarded names that hold for the role in one database only: nobody but the tenant, or
/// whoever means to loosen a limit, writes those.
fn in_one_database<'a>(
    guarded: &'a BTreeMap<ParameterName, Setting>,
    observed: &'a Observed,
    role: &'a RoleName,
) -> impl Iterator<Item = (ParameterName, DatabaseName)> + 'a {
    observed.settings.iter().filter_map(move |setting| {
        let database: DatabaseName = setting.database.as_ref()?.parse().ok()?;
        // The tenant's own, in its database, is how it finds its schema: no limit, whatever the database has.
        let name: ParameterName = setting.name.parse().ok().filter(|name| *name != parameter("search_path"))?;
        (setting.role.as_deref() == Some(role.as_str()) && guarded.contains_key(&name)).then_some((name, database))
    })
}

/// How much of an override's value is shown.
const SHOWN: usize = 80;

/// What stands against `expected` where the tenant, or somebody else, may have written: the guarded
/// name and level, and what was found there.
pub fn overrides(expected: &Limits, observed: &Observed) -> BTreeMap<String, String> {
    let (Some(database), Some(role)) = (&observed.database, observed.role_name()) else { return BTreeMap::new() };
    let guarded = expected.settings();
    let mut found = BTreeMap::new();
    for (name, value) in &guarded {
        match observed.setting(None, Some(role.as_str()), name.as_str()) {
            Some(text) if means(value, text) => {}
            Some(text) => drop(found.insert(format!("{name} of the role"), cut(text))),
            None => drop(found.insert(format!("{name} of the role"), "unset".to_owned())),
        }
    }
    for (name, elsewhere) in in_one_database(&guarded, observed, &role) {
        let text = observed.setting(Some(elsewhere.as_str()), Some(role.as_str()), name.as_str()).unwrap_or_default();
        found.insert(format!("{name} of the role in database {elsewhere}"), cut(text));
    }
    if database.connection_limit != database_connections(expected) {
        found.insert("connection limit of the database".to_owned(), database.connection_limit.to_string());
    }
    found
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::{fixture, render};

    fn check(desired: &Limits, previous: Option<&Limits>, observed: &Observed, expected: &[&str]) {
        let script = render(&diff(desired, previous, observed));
        let texts: Vec<&str> = script.0.iter().flat_map(|step| &step.statements).map(|s| s.text.as_str()).collect();
        assert_eq!(texts, expected);
    }

    fn with_work_mem(value: &str) -> Limits {
        let mut limits = Limits::safe();
        limits.parameters.insert(parameter("work_mem"), value.to_owned());
        limits
    }

    #[test]
    fn a_tenant_with_its_limits_needs_nothing() {
        check(&Limits::safe(), None, &fixture::observed(), &[]);
        assert_eq!(Limits::observed(&fixture::observed()), Some(Limits::safe()));
        assert_eq!(overrides(&Limits::safe(), &fixture::observed()), BTreeMap::new());
    }

    #[test]
    fn a_limit_is_written_at_both_levels() {
        let mut limits = with_work_mem("16MB");
        limits.timeouts.insert(Timeout::Transaction, Duration::from_millis(300_000));
        limits.connection_limit = 20;
        check(
            &limits,
            None,
            &fixture::observed(),
            &[
                "ALTER DATABASE \"acme\" SET \"transaction_timeout\" = 300000",
                "ALTER ROLE \"acme\" SET \"transaction_timeout\" = 300000",
                "ALTER DATABASE \"acme\" SET \"work_mem\" = '16MB'",
                "ALTER ROLE \"acme\" SET \"work_mem\" = '16MB'",
                "ALTER ROLE \"acme\" CONNECTION LIMIT 20",
                "ALTER DATABASE \"acme\" CONNECTION LIMIT 25",
            ],
        );
    }

    #[test]
    fn a_limit_that_is_no_longer_wanted_is_reset_at_both_levels() {
        let mut observed = fixture::observed();
        observed.settings.push(fixture::setting(Some("acme"), None, "work_mem", "16MB"));
        observed.settings.push(fixture::setting(None, Some("acme"), "work_mem", "16MB"));
        check(
            &Limits::safe(),
            Some(&with_work_mem("16MB")),
            &observed,
            &["ALTER DATABASE \"acme\" RESET \"work_mem\"", "ALTER ROLE \"acme\" RESET \"work_mem\""],
        );
        // A name that was never guarded is the tenant's own to set for itself.
        check(&Limits::safe(), None, &observed, &["ALTER DATABASE \"acme\" RESET \"work_mem\""]);
    }

    #[test]
    fn overrides_are_found_and_taken_back() {
        let mut observed = fixture::observed();
        observed.settings.retain(|setting| !(setting.role.is_some() && setting.name == "lock_timeout"));
        for setting in observed.settings.iter_mut().filter(|s| s.role.is_some() && s.name == "statement_timeout") {
            setting.value = "0".to_owned();
        }
        observed.settings.push(fixture::setting(Some("acme"), Some("acme"), "statement_timeout", &"9".repeat(200)));
        observed.settings.push(fixture::setting(Some("other"), Some("acme"), "lock_timeout", "0"));
        observed.database.as_mut().unwrap().connection_limit = -1;
        let found = overrides(&Limits::safe(), &observed);
        let expected = [
            ("connection limit of the database", "-1".to_owned()),
            ("lock_timeout of the role", "unset".to_owned()),
            ("lock_timeout of the role in database other", "0".to_owned()),
            ("statement_timeout of the role", "0".to_owned()),
            ("statement_timeout of the role in database acme", format!("{}…", "9".repeat(80))),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)).into());
        check(
            &Limits::safe(),
            None,
            &observed,
            &[
                "ALTER ROLE \"acme\" SET \"lock_timeout\" = 10000",
                "ALTER ROLE \"acme\" SET \"statement_timeout\" = 60000",
                "ALTER ROLE \"acme\" IN DATABASE \"acme\" RESET \"statement_timeout\"",
                "ALTER ROLE \"acme\" IN DATABASE \"other\" RESET \"lock_timeout\"",
                "ALTER DATABASE \"acme\" CONNECTION LIMIT 15",
            ],
        );
    }

    #[test]
    fn spelling_of_durations_does_not_matter() {
        let mut observed = fixture::observed();
        for setting in observed.settings.iter_mut().filter(|s| s.name == "statement_timeout") {
            setting.value = "1 min".to_owned();
        }
        check(&Limits::safe(), None, &observed, &[]);
    }
}

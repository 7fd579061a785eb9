//! The watchdog: a job of pg_cron in the maintenance database that ends what exceeds the limits on record. What is
//! installed, how it is told from what should be, and how it is repaired. What it does is `sweep.sql`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use postgres_protocol::escape::escape_literal;

use crate::postgres::catalog::acl::Grant;
use crate::postgres::catalog::cron::{Cron, Job, Object, Relation};
use crate::postgres::fact::{Fact, Kind, Objects};
use crate::postgres::text::quoted;
use crate::postgres::{Duration, RoleName, SchemaName, Script, Statement, Step};

use super::diff::{Charter, Deviation, Repair, diff, status};
use super::observed::Seen;
use super::{Control, Finding, Of};

/// The schema's name, and the job's.
pub const NAME: &str = "pgtenant_watchdog";

/// The comment by which the schema is recognised.
const MARKER: &str = "{\"pgtenant_watchdog\":1}";

const ACTIONS: &str = include_str!("actions.sql");
const SWEEP: &str = include_str!("sweep.sql");

/// How the name of a table begins that was set aside.
const ASIDE: &str = "actions_before_";

/// What `actions.sql` makes, as the catalogs spell it.
const COLUMNS: [&str; 15] = [
    "id bigint NOT NULL IDENTITY",
    "recorded timestamp with time zone NOT NULL DEFAULT clock_timestamp()",
    "tenant text NOT NULL",
    "role text NOT NULL",
    "reason text NOT NULL",
    "expected text",
    "observed text",
    "pid integer",
    "database text",
    "application_name text",
    "client_addr inet",
    "started timestamp with time zone",
    "signaled timestamp with time zone",
    "ended timestamp with time zone",
    "sqlstate text",
];
const CONSTRAINTS: [&str; 1] = ["PRIMARY KEY (id)"];
const INDEXES: [&str; 4] = [
    "CREATE INDEX ON pgtenant_watchdog.actions USING btree (recorded)",
    "CREATE INDEX ON pgtenant_watchdog.actions USING btree (role, reason) WHERE (ended IS NULL)",
    "CREATE INDEX ON pgtenant_watchdog.actions USING btree (tenant, id)",
    "CREATE UNIQUE INDEX ON pgtenant_watchdog.actions USING btree (id)",
];

/// What the function's owner needs to see sessions, and to end them.
const SEE: &str = "pg_read_all_stats";
const END: &str = "pg_signal_backend";

/// What `sweep.sql` says from CREATE on, which is how `pg_get_functiondef` spells it.
fn definition() -> &'static str {
    SWEEP.find("CREATE OR REPLACE").map_or(SWEEP, |start| &SWEEP[start..])
}

/// pg_cron keeps a row for each run, for ever: of this job's those go that ten thousand runs have followed. They are found by
/// their key, however many rows there are.
const PURGE: &str = "DELETE FROM cron.job_run_details WHERE runid < (SELECT pg_catalog.max(runid) FROM cron.job_run_details) - 10000 \
                     AND jobid IN (SELECT jobid FROM cron.job WHERE jobname = 'pgtenant_watchdog')";

/// The first version of pg_cron that takes intervals in seconds.
pub const SECONDS_SINCE: (u32, u32) = (1, 5);

/// How often the watchdog looks: what pg_cron can express.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// 1 to 59.
    Seconds(i32),
    /// A divisor of 60: the minutes of an hour are counted anew.
    Minutes(i32),
}

/// Why a text is not an interval.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInterval {
    #[error(transparent)]
    Duration(#[from] crate::postgres::parameter::InvalidDuration),
    #[error(
        "pg_cron takes 1 to 59 whole seconds, or a number of minutes that divides an hour: 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60"
    )]
    NotASchedule,
}

impl TryFrom<Duration> for Interval {
    type Error = InvalidInterval;

    fn try_from(duration: Duration) -> Result<Self, InvalidInterval> {
        match (duration.as_millis() / 1_000, duration.as_millis() % 1_000) {
            (seconds @ 1..=59, 0) => Ok(Interval::Seconds(seconds)),
            (seconds, 0) if seconds > 0 && seconds % 60 == 0 && 3_600 % seconds == 0 => {
                Ok(Interval::Minutes(seconds / 60))
            }
            _ => Err(InvalidInterval::NotASchedule),
        }
    }
}

impl FromStr for Interval {
    type Err = InvalidInterval;

    fn from_str(text: &str) -> Result<Self, InvalidInterval> {
        text.parse::<Duration>()?.try_into()
    }
}

impl Interval {
    pub fn duration(self) -> Duration {
        match self {
            Interval::Seconds(seconds) => Duration::from_millis(seconds * 1_000),
            Interval::Minutes(minutes) => Duration::from_millis(minutes * 60_000),
        }
    }

    /// As pg_cron has it.
    fn schedule(self) -> String {
        match self {
            Interval::Seconds(seconds) => format!("{seconds} seconds"),
            Interval::Minutes(1) => "* * * * *".to_owned(),
            Interval::Minutes(60) => "0 * * * *".to_owned(),
            Interval::Minutes(minutes) => format!("*/{minutes} * * * *"),
        }
    }

    fn of_schedule(schedule: &str) -> Option<Self> {
        let every = (1..60).map(Interval::Seconds).chain((1..=60).map(Interval::Minutes));
        every.into_iter().find(|interval| interval.schedule() == schedule)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.duration().fmt(f)
    }
}

/// What the watchdog measures and tells in the server's log, by the name that it has in a line and in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    Connections,
    DatabaseAge,
    LockWait,
    Statement,
    Transaction,
    XminAge,
}

/// Why a text is no threshold of a signal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidThreshold {
    #[error(transparent)]
    Duration(#[from] crate::postgres::parameter::InvalidDuration),
    #[error("whole seconds are needed")]
    NotSeconds,
    #[error("a percentage is a whole number from 1 to 100, or 0 for no lines")]
    NotAPercentage,
    #[error("an age is a whole number of transactions from 1 to 2000000000, or 0 for no lines")]
    NotAnAge,
}

impl Signal {
    pub const ALL: [Signal; 6] = [
        Signal::Connections,
        Signal::DatabaseAge,
        Signal::LockWait,
        Signal::Statement,
        Signal::Transaction,
        Signal::XminAge,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Signal::Connections => "connections",
            Signal::LockWait => "lock_wait",
            Signal::Statement => "statement",
            Signal::Transaction => "transaction",
            Signal::DatabaseAge => "database_age",
            Signal::XminAge => "xmin_age",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Signal::ALL.into_iter().find(|signal| signal.name() == name)
    }

    /// What is measured, for the documentation.
    pub fn about(self) -> &'static str {
        match self {
            Signal::Connections => {
                "sessions of one of the tenant's roles, or of all roles in its database, in per cent of the CONNECTION LIMIT of \
                 that role or database; 1 to 100"
            }
            Signal::LockWait => {
                "how long a session has waited for a lock (PostgreSQL 13: how long its statement has run); whole seconds, as \
                 `90s`"
            }
            Signal::Statement => "how long a statement has run; whole seconds, as `5min`",
            Signal::Transaction => {
                "how long a transaction has been open, prepared transactions included; whole seconds, as `1h`"
            }
            Signal::DatabaseAge => {
                "the age of a database, `age(datfrozenxid)`, which VACUUM lowers; transactions, 1 to 2000000000"
            }
            Signal::XminAge => {
                "the age of the oldest snapshot that a session, a prepared transaction or a replication slot holds: VACUUM \
                 removes no row that died after it, in the database of the session or the transaction, in all databases for a \
                 slot; transactions, 1 to 2000000000"
            }
        }
    }

    /// Where nothing else is said. An age of 200 million is where autovacuum freezes by itself.
    pub fn default_threshold(self) -> u32 {
        match self {
            Signal::Connections => 90,
            Signal::LockWait => 60,
            Signal::Statement => 900,
            Signal::Transaction => 1_800,
            Signal::DatabaseAge => 500_000_000,
            Signal::XminAge => 10_000_000,
        }
    }

    fn is_duration(self) -> bool {
        matches!(self, Signal::LockWait | Signal::Statement | Signal::Transaction)
    }

    /// A threshold as the configuration spells it; 0 is none.
    pub fn parse(self, text: &str) -> Result<u32, InvalidThreshold> {
        if self.is_duration() {
            let millis = text.parse::<Duration>()?.as_millis();
            let seconds = u32::try_from(millis / 1_000).map_err(|_| InvalidThreshold::NotSeconds)?;
            return if millis % 1_000 == 0 { Ok(seconds) } else { Err(InvalidThreshold::NotSeconds) };
        }
        let number = text.parse::<u32>().ok();
        match self {
            Signal::Connections => number.filter(|share| *share <= 100).ok_or(InvalidThreshold::NotAPercentage),
            _ => number.filter(|age| *age <= 2_000_000_000).ok_or(InvalidThreshold::NotAnAge),
        }
    }

    /// As the configuration spells it.
    pub fn spell(self, threshold: u32) -> String {
        match i32::try_from(u64::from(threshold) * 1_000) {
            Ok(millis) if self.is_duration() => Duration::from_millis(millis).to_string(),
            _ => threshold.to_string(),
        }
    }
}

/// From which value on a signal is a line in the server's log; none for a signal that is not here.
pub type Thresholds = BTreeMap<Signal, u32>;

/// How the watchdog is to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    pub interval: Interval,
    /// Records what it would do, and does nothing.
    pub dry_run: bool,
    /// For tenants that have no `transaction_timeout` on record.
    pub transaction_timeout: Option<Duration>,
    /// How many days a row of what was done is kept.
    pub retention_days: u32,
    /// None is 0.
    pub report: Thresholds,
}

impl Default for Desired {
    fn default() -> Self {
        Desired {
            interval: Interval::Minutes(1),
            dry_run: false,
            transaction_timeout: None,
            retention_days: 90,
            report: Signal::ALL.map(|signal| (signal, signal.default_threshold())).into(),
        }
    }
}

impl Desired {
    /// What the job runs.
    fn command(&self) -> String {
        let transaction = self.transaction_timeout.map_or("NULL".to_owned(), |limit| limit.as_millis().to_string());
        let report: Vec<_> =
            self.report.iter().map(|(signal, limit)| format!("\"{}\":{limit}", signal.name())).collect();
        // With its type, so that no other function of that name is meant.
        format!(
            "SELECT {NAME}.sweep({}, {transaction}::bigint, interval '{} days', '{{{}}}'::jsonb); {PURGE}",
            self.dry_run,
            self.retention_days,
            report.join(",")
        )
    }

    /// What a job that this provider scheduled is told to do; `None` for any other.
    pub fn of_job(job: &Job) -> Option<Self> {
        let arguments = job.command.strip_prefix(&format!("SELECT {NAME}.sweep("))?;
        let mut arguments = arguments.split(", ");
        let desired = Desired {
            interval: Interval::of_schedule(&job.schedule)?,
            dry_run: arguments.next()?.parse().ok()?,
            transaction_timeout: match arguments.next()?.strip_suffix("::bigint")? {
                "NULL" => None,
                millis => Some(Duration::from_catalog(millis)?),
            },
            retention_days: arguments.next()?.strip_prefix("interval '")?.split_once(' ')?.0.parse().ok()?,
            report: {
                let (report, _) = arguments.next()?.strip_prefix('\'')?.split_once('\'')?;
                let report: BTreeMap<String, u32> = serde_json::from_str(report).ok()?;
                report.into_iter().map(|(name, limit)| Some((Signal::of_name(&name)?, limit))).collect::<Option<_>>()?
            },
        };
        (desired.command() == job.command).then_some(desired)
    }
}

/// What is there of the watchdog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub cron: Cron,
    pub job: Option<Job>,
}

/// What keeps the watchdog from being installed, and is not for this provider to mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// `shared_preload_libraries` has no pg_cron.
    NotLoaded,
    /// pg_cron keeps its jobs in another database.
    OtherDatabase(String),
    /// The role that logged in may not use the schema `cron`.
    NoUsage { login: String },
    /// This version of pg_cron takes whole minutes only.
    NoSeconds { version: String },
    /// The admin does not see what sessions do, or may not end them. Where the watchdog is there already, that is a finding.
    Blind { missing: &'static str },
    /// The admin may not create a schema.
    NoCreate,
    /// Somebody else made a schema of that name.
    Foreign,
}

impl Observed {
    /// What stands in the way.
    pub fn obstacle(&self, interval: Option<Interval>) -> Option<Obstacle> {
        let cron = &self.cron;
        if !self.is_loaded() {
            return Some(Obstacle::NotLoaded);
        }
        if let Some(home) = cron.home.as_ref().filter(|home| **home != cron.database) {
            return Some(Obstacle::OtherDatabase(home.clone()));
        }
        if cron.installed.is_some() && !cron.usable {
            return Some(Obstacle::NoUsage { login: cron.login.clone() });
        }
        let version = cron.installed.as_ref().or(cron.available.as_ref());
        if let (Some(Interval::Seconds(_)), Some(version)) = (interval, version)
            && parse_version(version).is_some_and(|version| version < SECONDS_SINCE)
        {
            return Some(Obstacle::NoSeconds { version: version.clone() });
        }
        if !self.exists() {
            if !cron.sees_sessions {
                return Some(Obstacle::Blind { missing: SEE });
            }
            if !cron.ends_sessions {
                return Some(Obstacle::Blind { missing: END });
            }
        }
        match &cron.schema {
            None if !cron.creates => Some(Obstacle::NoCreate),
            Some(schema) if !schema.owner_usable || !self.is_marked() && self.job.is_none() => Some(Obstacle::Foreign),
            _ => None,
        }
    }

    /// What the job is told to do, or the provider's defaults where that cannot be read.
    pub fn as_found(&self) -> Desired {
        self.job.as_ref().and_then(Desired::of_job).unwrap_or_default()
    }

    /// Whether anything of it is there.
    pub fn exists(&self) -> bool {
        self.job.is_some() || self.is_marked() && self.cron.sweep.is_some()
    }

    fn is_marked(&self) -> bool {
        self.cron.schema.as_ref().is_some_and(|schema| schema.comment.as_deref() == Some(MARKER))
    }

    fn is_loaded(&self) -> bool {
        self.cron.home.is_some() || self.cron.installed.is_some() && !self.cron.sees_settings
    }

    /// As which the function runs.
    fn owner(&self) -> &str {
        self.cron.schema.as_ref().filter(|schema| schema.owner_usable).map_or(&self.cron.admin, |schema| &schema.owner)
    }

    fn overloads(&self) -> impl Iterator<Item = &Object> {
        self.cron.others.iter().filter(|other| other.identity.starts_with("pgtenant_watchdog.sweep("))
    }

    /// The tables that were set aside.
    fn set_aside(&self) -> impl Iterator<Item = &str> {
        self.cron.others.iter().filter(|other| other.kind == "table").filter_map(|other| {
            let name = other.identity.strip_prefix("pgtenant_watchdog.")?;
            name.strip_prefix(ASIDE)?.parse::<u32>().ok().map(|_| name)
        })
    }
}

/// `1.4-1` is 1.4.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// What is right for the watchdog: its parts are there as this version makes them, nobody but the admin may use them, and there
/// is nothing beside them.
struct WatchdogCharter<'a> {
    observed: &'a Observed,
}

/// The parts, each with the control that it belongs to.
const PARTS: [(Control, Kind, &str); 5] = [
    (Control::WatchdogExtension, Kind::Extension, "pg_cron"),
    (Control::WatchdogSchema, Kind::Schema, NAME),
    (Control::WatchdogActions, Kind::Relation, "actions"),
    (Control::WatchdogSweep, Kind::Routine, "sweep"),
    (Control::WatchdogJob, Kind::Job, NAME),
];

/// The name of pg_cron's own schema.
const CRON: &str = "cron";

impl WatchdogCharter<'_> {
    /// The role as which the job runs needs to be let in, where that is another than the owner.
    fn is_admitted(&self, kind: &Kind, grantee: Option<&str>, privilege: &str, grantable: bool) -> bool {
        let wanted = match kind {
            Kind::Schema => "USAGE",
            Kind::Routine => "EXECUTE",
            _ => return false,
        };
        grantee == Some(&self.observed.cron.login) && privilege == wanted && !grantable
    }
}

/// What the owner of a part may be taken from and needs.
fn needs(kind: &Kind) -> &'static [&'static str] {
    match kind {
        Kind::Schema => &["USAGE"],
        Kind::Relation => &["DELETE", "INSERT", "SELECT", "UPDATE"],
        Kind::Routine => &["EXECUTE"],
        _ => &[],
    }
}

impl Charter for WatchdogCharter<'_> {
    fn required(&self) -> Vec<(Control, Fact)> {
        let cron = &self.observed.cron;
        // Who may not use the schema `cron` sees no job.
        let is_seen = |kind: &Kind| *kind != Kind::Job || cron.usable || cron.installed.is_none();
        let mut required: Vec<(Control, Fact)> = PARTS
            .iter()
            .filter(|(_, kind, _)| is_seen(kind))
            .map(|(control, kind, name)| (*control, Fact::Present(Objects::one(kind.clone(), *name))))
            .collect();
        let owner = self.observed.owner();
        for privilege in [SEE, END] {
            required.push((Control::WatchdogOwner, has(Objects::one(Kind::Role, privilege), owner, "USAGE")));
        }
        if cron.installed.is_some() {
            required.push((Control::WatchdogExtension, has(Objects::one(Kind::Schema, CRON), &cron.login, "USAGE")));
        }
        for (control, kind, name) in PARTS {
            let Some(held_by) = self.observed.owner_of(&kind) else { continue };
            let objects = || Objects::one(kind.clone(), name);
            required.push((control, Fact::Owner { objects: objects(), owner: owner.to_owned() }));
            required.extend(needs(&kind).iter().map(|privilege| (control, has(objects(), held_by, privilege))));
            if cron.login != owner {
                let wanted = match kind {
                    Kind::Schema => "USAGE",
                    Kind::Routine => "EXECUTE",
                    _ => continue,
                };
                required.push((control, has(objects(), &cron.login, wanted)));
            }
        }
        if cron.schema.is_some() {
            let marker = Fact::Marker { objects: Objects::one(Kind::Schema, NAME), text: MARKER.to_owned() };
            required.push((Control::WatchdogSchema, marker));
        }
        required
    }

    fn allows(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Grant { objects, grantee, privilege, grantable } => {
                self.is_admitted(&objects.kind, grantee.as_deref(), privilege, *grantable)
            }
            _ => false,
        }
    }

    fn control(&self, fact: &Fact) -> Control {
        let (Fact::Grant { objects, .. } | Fact::Differs { objects, .. } | Fact::Owner { objects, .. }) = fact else {
            return Control::WatchdogJob;
        };
        match &objects.kind {
            Kind::Column => Control::WatchdogActions,
            Kind::Other(_) => Control::WatchdogRuns,
            kind => {
                PARTS.iter().find(|(_, part, _)| part == kind).map_or(Control::WatchdogJob, |(control, ..)| *control)
            }
        }
    }

    fn may_repair(&self, fact: &Fact) -> bool {
        let cron = &self.observed.cron;
        let owns_schema = cron.schema.as_ref().is_none_or(|schema| schema.owner_usable);
        match fact {
            Fact::Grant { objects, .. } if objects.kind == Kind::Role || objects.is(Kind::Schema, CRON) => false,
            Fact::Grant { objects, .. } | Fact::Owner { objects, .. } | Fact::Marker { objects, .. } => {
                match objects.kind {
                    Kind::Relation => owns_schema && cron.actions.as_ref().is_some_and(|actions| actions.owner_usable),
                    _ => owns_schema,
                }
            }
            _ => true,
        }
    }

    fn unseen(&self, control: Control) -> Option<String> {
        let Observed { cron, job } = self.observed;
        match (control, job) {
            (Control::WatchdogJob | Control::WatchdogRuns, _) if cron.installed.is_some() && !cron.usable => {
                Some("the provider may not use the schema cron".to_owned())
            }
            (Control::WatchdogJob, Some(job)) if cron.host.is_none() && job.host != "localhost" => {
                Some("this admin does not see cron.host, where jobs connect to".to_owned())
            }
            (Control::WatchdogRuns, None) => Some("there is no job".to_owned()),
            (Control::WatchdogRuns, Some(job)) if job.last_run.is_none() => {
                Some("pg_cron has no run of the job on record".to_owned())
            }
            _ => None,
        }
    }
}

fn has(objects: Objects, grantee: &str, privilege: &str) -> Fact {
    Fact::Grant { objects, grantee: Some(grantee.to_owned()), privilege: privilege.to_owned(), grantable: false }
}

fn grant(objects: Objects, held: &Grant) -> Fact {
    Fact::Grant { objects, grantee: held.grantee.clone(), privilege: held.privilege.clone(), grantable: held.grantable }
}

impl Observed {
    fn owner_of(&self, kind: &Kind) -> Option<&String> {
        match kind {
            Kind::Schema => self.cron.schema.as_ref().map(|schema| &schema.owner),
            Kind::Relation => self.cron.actions.as_ref().map(|actions| &actions.owner),
            Kind::Routine => self.cron.sweep.as_ref().map(|sweep| &sweep.owner),
            _ => None,
        }
    }

    fn acl_of(&self, kind: &Kind) -> &[Grant] {
        let acl = match kind {
            Kind::Schema => self.cron.schema.as_ref().map(|schema| &schema.acl),
            Kind::Relation => self.cron.actions.as_ref().map(|actions| &actions.acl),
            Kind::Routine => self.cron.sweep.as_ref().map(|sweep| &sweep.acl),
            _ => None,
        };
        acl.map(Vec::as_slice).unwrap_or_default()
    }

    fn has(&self, kind: &Kind) -> bool {
        match kind {
            Kind::Extension => self.cron.installed.is_some(),
            Kind::Job => self.job.is_some(),
            kind => self.owner_of(kind).is_some(),
        }
    }

    /// What is there of the parts, in which way they are not as they should be, who may use them, and what is beside them.
    fn facts(&self, desired: &Desired) -> Vec<Seen> {
        let cron = &self.cron;
        let mut seen = Vec::new();
        let mut push = |fact: Fact, ours: bool| seen.push(Seen { fact, ours });
        for (_, kind, name) in PARTS {
            let objects = || Objects::one(kind.clone(), name);
            if !self.has(&kind) {
                continue;
            }
            push(Fact::Present(objects()), true);
            let ours = match kind {
                Kind::Relation => cron.actions.as_ref().is_some_and(|actions| actions.owner_usable),
                _ => true,
            };
            if let Some(owner) = self.owner_of(&kind) {
                push(Fact::Owner { objects: objects(), owner: owner.clone() }, ours);
                for held in self.acl_of(&kind) {
                    // An owner can take from itself what it needs, and have no more than it is owed.
                    let is_owners = held.grantee.as_ref() == Some(owner);
                    if !is_owners || needs(&kind).contains(&held.privilege.as_str()) && !held.grantable {
                        push(grant(objects(), held), ours);
                    }
                }
            }
        }
        let differs = |kind: Kind, name: &str, how: String| Fact::Differs { objects: Objects::one(kind, name), how };
        for (holds, role) in [(cron.sees_sessions, SEE), (cron.ends_sessions, END)] {
            if holds {
                push(has(Objects::one(Kind::Role, role), self.owner(), "USAGE"), false);
            }
        }
        if cron.installed.is_some() && cron.usable {
            push(has(Objects::one(Kind::Schema, CRON), &cron.login, "USAGE"), false);
        }
        if cron.installed.is_some() && !self.is_loaded() {
            push(differs(Kind::Extension, "pg_cron", "is not loaded by the server".to_owned()), false);
        }
        if let Some(home) = cron.home.as_ref().filter(|home| **home != cron.database) {
            push(differs(Kind::Extension, "pg_cron", format!("keeps its jobs in database {}", quoted(home))), false);
        }
        if self.is_marked() {
            push(Fact::Marker { objects: Objects::one(Kind::Schema, NAME), text: MARKER.to_owned() }, true);
        }
        let aside: Vec<String> = self.set_aside().map(|name| format!("{NAME}.{name}")).collect();
        for other in &cron.others {
            if self.overloads().any(|overload| overload == other) {
                push(differs(Kind::Routine, "sweep", format!("has a namesake, {}", said(other))), true);
            } else if !aside.contains(&other.identity) {
                // Whose it is and what for, somebody else knows: it is told, and left.
                push(differs(Kind::Schema, NAME, format!("holds {}", said(other))), false);
            }
        }
        if let Some(actions) = &cron.actions {
            for held in &actions.column_acl {
                push(grant(Objects::one(Kind::Column, "actions"), held), actions.owner_usable);
            }
            for how in ways(actions) {
                push(differs(Kind::Relation, "actions", how), actions.owner_usable);
            }
        }
        if cron.sweep.as_ref().is_some_and(|sweep| sweep.definition.as_deref() != Some(definition())) {
            push(differs(Kind::Routine, "sweep", "is another than this version's".to_owned()), true);
        }
        if let Some(job) = &self.job {
            for how in self.ways_of_job(desired, job) {
                push(differs(Kind::Job, NAME, how), true);
            }
            for how in ways_of_runs(desired, job) {
                push(differs(Kind::Other("the last run of job".to_owned()), NAME, how), false);
            }
        }
        seen
    }

    /// In which ways the job is not as it is wanted.
    fn ways_of_job(&self, desired: &Desired, job: &Job) -> Vec<String> {
        let cron = &self.cron;
        let mut ways = Vec::new();
        if !job.active {
            ways.push("is not active".to_owned());
        }
        if job.database != cron.database {
            ways.push(format!("runs in database {}", quoted(&job.database)));
        }
        if cron.host.as_ref().is_some_and(|host| *host != job.host) {
            ways.push(format!("connects to host {}", quoted(&job.host)));
        }
        if job.port != cron.port {
            ways.push(format!("connects to port {}", job.port));
        }
        if job.schedule != desired.interval.schedule() || job.command != desired.command() {
            ways.push("is another than the configuration's".to_owned());
        }
        ways
    }
}

fn said(object: &Object) -> String {
    format!("{} {}", object.kind, quoted(&object.identity))
}

/// In which ways the table is not what `actions.sql` makes.
fn ways(actions: &Relation) -> Vec<String> {
    let mut ways = Vec::new();
    let mut tell = |is_right: bool, how: &str| {
        if !is_right {
            ways.push(how.to_owned());
        }
    };
    tell(actions.ordinary, "is no ordinary table");
    tell(actions.columns == COLUMNS, "has other columns");
    tell(actions.constraints == CONSTRAINTS, "has other constraints");
    tell(actions.indexes == INDEXES, "has other indexes");
    tell(!actions.row_security, "has row-level security");
    ways.extend(actions.attached.iter().map(|object| format!("has {}", said(object))));
    ways
}

/// In which ways the job's runs are not as they should be: three that did not come, and a minute, are silence. pg_cron counts whole
/// minutes, and a server takes a while to start.
fn ways_of_runs(desired: &Desired, job: &Job) -> Vec<String> {
    let Some(run) = &job.last_run else { return Vec::new() };
    let patience = i64::from(desired.interval.duration().as_millis()) * 3 / 1_000 + 60;
    let mut ways = Vec::new();
    if run.status == "failed" {
        ways.push(format!("failed: {}", quoted(run.message.as_deref().unwrap_or_default().trim_end())));
    } else if job.active && job.seconds_since_success.is_some_and(|seconds| seconds > patience) {
        ways.push("is long ago".to_owned());
    }
    ways
}

/// What each control was found to be.
pub fn assess(desired: &Desired, observed: &Observed) -> BTreeMap<Control, Finding> {
    let charter = WatchdogCharter { observed };
    let mut drift = diff(&charter, &observed.facts(desired));
    Control::all(Of::Watchdog)
        .map(|control| {
            let facts = drift.remove(&control).unwrap_or_default();
            let status = status(&charter, control, &facts);
            (control, Finding { control, status, facts, repair: Repair::default() })
        })
        .collect()
}

/// What is to be run for the watchdog to be as it should, as far as this admin may; the job's is a step of its own.
pub fn repair(desired: &Desired, observed: &Observed) -> Script {
    let mut steps = [Vec::new(), Vec::new()];
    for Finding { control, mut facts, .. } in assess(desired, observed).into_values() {
        facts.retain(Deviation::is_ours);
        steps[usize::from(control == Control::WatchdogJob)].extend(repair_part(desired, observed, control, &facts));
    }
    script(steps)
}

/// What is to be run for nothing to be left but, if that is wanted, the table of what was done.
pub fn remove(keep_actions: bool, observed: &Observed) -> Script {
    let unschedule = observed.job.iter().flat_map(|_| as_login(unschedule())).collect();
    let mut rest: Vec<Statement> = observed.cron.sweep.iter().map(|_| drop_sweep()).collect();
    if !keep_actions {
        // Without CASCADE, and by their names: what somebody else put there is not dropped unasked.
        let tables = observed.cron.actions.iter().map(|_| "actions").chain(observed.set_aside());
        rest.extend(tables.map(|table| {
            Statement::new("drop the table of what the watchdog did", format!("DROP TABLE {NAME}.{table}"))
        }));
        rest.push(Statement::new("drop the watchdog's schema", format!("DROP SCHEMA {NAME}")));
    }
    script([unschedule, if observed.cron.schema.is_some() { rest } else { Vec::new() }])
}

/// Each group of statements as one transaction in the maintenance database.
fn script(steps: [Vec<Statement>; 2]) -> Script {
    let steps = steps.into_iter().filter(|statements| !statements.is_empty());
    Script(steps.map(|statements| Step { database: None, statements, whole: None }).collect())
}

/// Drops whatever else is called as the watchdog's function is. The server names them: no name that it showed is in our SQL.
const NAMESAKES: &str = "
DECLARE
  other pg_catalog.regprocedure;
BEGIN
  FOR other IN
    SELECT p.oid
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'pgtenant_watchdog' AND p.proname = 'sweep'
      AND pg_catalog.oidvectortypes(p.proargtypes) <> 'boolean, bigint, interval, jsonb'
  LOOP
    EXECUTE pg_catalog.format('DROP ROUTINE %s', other);
  END LOOP;
END";

/// The statements that repair one part.
fn repair_part(desired: &Desired, observed: &Observed, control: Control, drift: &[Deviation]) -> Vec<Statement> {
    let Some((_, kind, _)) = PARTS.into_iter().find(|(part, ..)| *part == control) else { return Vec::new() };
    let is_missing = drift
        .iter()
        .any(|deviation| matches!(deviation, Deviation::Missing(seen) if matches!(seen.fact, Fact::Present(_))));
    let differs = drift.iter().any(|deviation| matches!(deviation.fact(), Fact::Differs { .. }));
    let is_anothers = drift.iter().any(|deviation| matches!(deviation.fact(), Fact::Owner { .. }));
    match control {
        Control::WatchdogExtension if is_missing => {
            vec![Statement::new("create extension pg_cron", "CREATE EXTENSION pg_cron")]
        }
        Control::WatchdogSchema if is_missing => {
            let create = Statement::new("create the watchdog's schema", format!("CREATE SCHEMA {NAME}"));
            [create, mark()].into_iter().chain(admit(observed, "USAGE", &object(&kind))).collect()
        }
        Control::WatchdogActions if is_missing => vec![create_actions()],
        Control::WatchdogActions if differs => {
            // What is in it was written by another version, or under other rules: kept beside the new one.
            let free = (1..).map(|number| format!("{ASIDE}{number}"));
            let free =
                free.into_iter().find(|name| !observed.set_aside().any(|taken| taken == name)).unwrap_or_default();
            let aside = format!("ALTER TABLE {NAME}.actions RENAME TO {free}");
            vec![Statement::new("put the table of what the watchdog did aside", aside), create_actions()]
        }
        Control::WatchdogActions if is_anothers => {
            let owner = observed.owner().parse().map(|owner: RoleName| owner.quoted());
            let own = |owner| format!("ALTER TABLE {NAME}.actions OWNER TO {owner}");
            owner
                .map(|owner| Statement::new("own the table of what the watchdog did", own(owner)))
                .into_iter()
                .collect()
        }
        Control::WatchdogSweep if is_missing || differs || is_anothers => {
            let namesakes = observed.overloads().next().map(|_| {
                Statement::new(
                    "drop the namesakes of the watchdog's function",
                    format!("DO {}", escape_literal(NAMESAKES)),
                )
            });
            let object = object(&kind);
            let close = format!("REVOKE ALL ON {object} FROM PUBLIC");
            let define = [
                drop_sweep(),
                Statement::new("define the watchdog's function", SWEEP),
                Statement::new("keep others from the watchdog's function", close),
            ];
            namesakes.into_iter().chain(define).chain(admit(observed, "EXECUTE", &object)).collect()
        }
        Control::WatchdogJob if is_missing => as_login(schedule(desired)),
        // pg_cron's own way to make a job active again is not open to everybody.
        Control::WatchdogJob if differs => [as_login(unschedule()), vec![schedule(desired)]].concat(),
        _ => repair_access(observed, &kind, drift),
    }
}

/// Whom a part is taken from, whom it is given to, and the schema's marker.
fn repair_access(observed: &Observed, kind: &Kind, drift: &[Deviation]) -> Vec<Statement> {
    let object = object(kind);
    let (mut taken, mut given) = (Vec::new(), Vec::new());
    for deviation in drift {
        match (deviation, deviation.fact()) {
            (Deviation::Missing(_), Fact::Marker { .. }) => given.push(mark()),
            (Deviation::Missing(_), Fact::Grant { grantee: Some(grantee), privilege, .. }) => {
                given.extend(give(grantee, privilege, &object));
            }
            (Deviation::Unexpected(_), Fact::Grant { grantee, .. }) => {
                taken.extend(revoke(grantee.as_deref(), &object));
                if grantee.as_ref() == Some(&observed.cron.login) && *kind != Kind::Relation {
                    given.extend(admit(observed, if *kind == Kind::Schema { "USAGE" } else { "EXECUTE" }, &object));
                }
            }
            _ => {}
        }
    }
    taken.dedup();
    given.dedup();
    [taken, given].concat()
}

/// As GRANT and REVOKE name it.
fn object(kind: &Kind) -> String {
    match kind {
        Kind::Relation => format!("{NAME}.actions"),
        Kind::Routine => format!("FUNCTION {NAME}.sweep(boolean, bigint, interval, jsonb)"),
        _ => format!("SCHEMA {NAME}"),
    }
}

fn mark() -> Statement {
    Statement::new("mark the watchdog's schema", format!("COMMENT ON SCHEMA {NAME} IS {}", escape_literal(MARKER)))
}

fn create_actions() -> Statement {
    Statement::new("create the table of what the watchdog did", ACTIONS)
}

fn drop_sweep() -> Statement {
    let text = format!("DROP ROUTINE IF EXISTS {NAME}.sweep(boolean, bigint, interval, jsonb)");
    Statement::new("drop the watchdog's function", text)
}

fn schedule(desired: &Desired) -> Statement {
    let (schedule, command) = (escape_literal(&desired.interval.schedule()), escape_literal(&desired.command()));
    Statement::new("schedule the watchdog", format!("SELECT cron.schedule('{NAME}', {schedule}, {command})"))
}

fn revoke(grantee: Option<&str>, object: &str) -> Option<Statement> {
    let who = match grantee {
        None => "PUBLIC".to_owned(),
        Some(name) => name.parse::<RoleName>().ok()?.quoted(),
    };
    let text = format!("REVOKE ALL ON {object} FROM {who} CASCADE");
    Some(Statement::new(format!("revoke all on {object} from {who}"), text))
}

fn unschedule() -> Statement {
    Statement::new("unschedule the watchdog", format!("SELECT cron.unschedule('{NAME}')"))
}

/// Jobs belong to the role that logged in, as which they run: a role that the session assumed may not be able to
/// log in. For the rest of a transaction.
fn as_login(statement: Statement) -> Vec<Statement> {
    vec![Statement::new("act as the role that logged in", "SET LOCAL ROLE NONE"), statement]
}

/// Lets in the role as which the job runs, where that is another than the owner.
fn admit(observed: &Observed, privilege: &str, object: &str) -> Option<Statement> {
    let login = &observed.cron.login;
    (login != observed.owner()).then(|| give(login, privilege, object)).flatten()
}

fn give(grantee: &str, privilege: &str, object: &str) -> Option<Statement> {
    let who: RoleName = grantee.parse().ok()?;
    let text = format!("GRANT {privilege} ON {object} TO {}", who.quoted());
    Some(Statement::new(format!("grant {privilege} on {object} to {}", who.quoted()), text))
}

/// The schema as a name.
pub fn schema_name() -> SchemaName {
    NAME.parse().expect("a name")
}

/// Installed by an admin who logs in as itself.
#[cfg(test)]
pub(super) fn fixture() -> Observed {
    use crate::postgres::catalog::cron::{Routine, Run, Schema};
    use crate::tenant::fixture::grant;
    let own = |privileges: &[&str]| privileges.iter().map(|what| grant(Some("admin"), what)).collect();
    let job = Job {
        schedule: "* * * * *".to_owned(),
        command: Desired::default().command(),
        database: "postgres".to_owned(),
        host: "localhost".to_owned(),
        port: 5432,
        active: true,
        last_run: Some(Run { status: "succeeded".to_owned(), message: None }),
        seconds_since_success: Some(30),
    };
    let cron = Cron {
        login: "admin".to_owned(),
        admin: "admin".to_owned(),
        database: "postgres".to_owned(),
        home: Some("postgres".to_owned()),
        host: Some("localhost".to_owned()),
        port: 5432,
        sees_settings: true,
        available: Some("1.6".to_owned()),
        installed: Some("1.4-1".to_owned()),
        usable: true,
        sees_sessions: true,
        ends_sessions: true,
        creates: true,
        schema: Some(Schema {
            owner: "admin".to_owned(),
            owner_usable: true,
            comment: Some(MARKER.to_owned()),
            acl: own(&["USAGE", "CREATE"]),
        }),
        actions: Some(Relation {
            owner: "admin".to_owned(),
            owner_usable: true,
            ordinary: true,
            row_security: false,
            columns: COLUMNS.map(str::to_owned).into(),
            constraints: CONSTRAINTS.map(str::to_owned).into(),
            indexes: INDEXES.map(str::to_owned).into(),
            attached: Vec::new(),
            acl: own(&["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"]),
            column_acl: Vec::new(),
        }),
        sweep: Some(Routine {
            owner: "admin".to_owned(),
            owner_usable: true,
            definition: Some(definition().to_owned()),
            acl: own(&["EXECUTE"]),
        }),
        others: Vec::new(),
    };
    Observed { cron, job: Some(job) }
}

#[cfg(test)]
mod tests {
    use super::fixture as observed;
    use super::*;
    use crate::postgres::catalog::cron::{Routine, Run, Schema};
    use crate::tenant::Status;
    use crate::tenant::fixture::grant;

    fn other(kind: &str, identity: &str) -> Object {
        Object { kind: kind.to_owned(), identity: identity.to_owned() }
    }

    fn schema(observed: &mut Observed) -> &mut Schema {
        observed.cron.schema.as_mut().unwrap()
    }

    fn actions(observed: &mut Observed) -> &mut Relation {
        observed.cron.actions.as_mut().unwrap()
    }

    fn sweep(observed: &mut Observed) -> &mut Routine {
        observed.cron.sweep.as_mut().unwrap()
    }

    fn job(observed: &mut Observed) -> &mut Job {
        observed.job.as_mut().unwrap()
    }

    /// Nothing is there but a server with pg_cron to be had.
    fn bare() -> Observed {
        let mut observed = observed();
        observed.job = None;
        (observed.cron.installed, observed.cron.usable) = (None, false);
        (observed.cron.schema, observed.cron.actions, observed.cron.sweep) = (None, None, None);
        observed
    }

    /// Changes one fact of what is installed; which control tells, and the summaries of what is run.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Observed), told: &[&str], steps: &[&str]) {
        let mut observed = observed();
        change(&mut observed);
        let found: Vec<_> = assess(&Desired::default(), &observed)
            .into_values()
            .filter(|finding| finding.status != Status::Enforced)
            .map(|finding| format!("{}: {}", finding.control, finding.describe()))
            .collect();
        assert_eq!(found, told);
        let script = repair(&Desired::default(), &observed);
        assert_eq!(script.0.iter().map(Step::summary).collect::<Vec<_>>(), steps);
    }

    const SCHEDULE: &str = "act as the role that logged in, schedule the watchdog";
    const AGAIN: &str = "act as the role that logged in, unschedule the watchdog, schedule the watchdog";
    const ASIDE_AND_ANEW: &str =
        "put the table of what the watchdog did aside, create the table of what the watchdog did";
    const DEFINE: &str = "drop the watchdog's function, define the watchdog's function, keep others from the watchdog's \
                          function";
    const FUNCTION: &str = "FUNCTION pgtenant_watchdog.sweep(boolean, bigint, interval, jsonb)";

    #[test]
    fn what_is_as_it_should_be_needs_nothing() {
        check(|_| {}, &[], &[]);
    }

    #[test]
    fn a_server_without_it_gets_all_of_it_and_the_job_last() {
        check(
            |observed| *observed = bare(),
            &[
                "extension: found: extension pg_cron is missing",
                "schema: found: schema pgtenant_watchdog is missing",
                "actions: found: relation actions is missing",
                "sweep: found: routine sweep is missing",
                "job: found: job pgtenant_watchdog is missing",
                "runs: not inspected: there is no job",
            ],
            &[
                &format!(
                    "create extension pg_cron, create the watchdog's schema, mark the watchdog's schema, create the table of \
                     what the watchdog did, {DEFINE}"
                ),
                SCHEDULE,
            ],
        );
    }

    #[test]
    fn a_blind_watchdog_is_told() {
        let lacks = |role: &str| format!("owner: not permitted: admin lacks USAGE on role {role}");
        check(|o| o.cron.sees_sessions = false, &[&lacks(SEE)], &[]);
        check(|o| o.cron.ends_sessions = false, &[&lacks(END)], &[]);
        check(
            |o| (o.cron.sees_sessions, o.cron.ends_sessions) = (false, false),
            &[&format!("{}; admin lacks USAGE on role {END}", lacks(SEE))],
            &[],
        );
    }

    #[test]
    fn an_extension_that_does_not_work_is_told() {
        check(
            |o| o.cron.home = None,
            &["extension: not permitted: extension pg_cron is not loaded by the server"],
            &[],
        );
        check(
            |o| o.cron.home = Some("jobs".to_owned()),
            &["extension: not permitted: extension pg_cron keeps its jobs in database \"jobs\""],
            &[],
        );
        check(
            |o| (o.cron.usable, o.job) = (false, None),
            &[
                "extension: not permitted: admin lacks USAGE on schema cron",
                "job: not inspected: the provider may not use the schema cron",
                "runs: not inspected: the provider may not use the schema cron",
            ],
            &[],
        );
    }

    #[test]
    fn what_the_schema_holds_beside_its_own_is_told() {
        check(
            |o| {
                o.cron.others = vec![
                    other("table", "pgtenant_watchdog.actions_before_1"),
                    other("table", "pgtenant_watchdog.actions_before_x"),
                    other("default acl", "for role admin in schema pgtenant_watchdog on tables"),
                ];
            },
            &[
                "schema: not permitted: schema pgtenant_watchdog holds default acl \"for role admin in schema pgtenant_watchdog \
               on tables\"; schema pgtenant_watchdog holds table \"pgtenant_watchdog.actions_before_x\"",
            ],
            &[],
        );
        check(
            |o| schema(o).comment = None,
            &["schema: found: the marker of schema pgtenant_watchdog is missing or not up to date"],
            &["mark the watchdog's schema"],
        );
        check(
            |o| schema(o).acl.clear(),
            &["schema: found: admin lacks USAGE on schema pgtenant_watchdog"],
            &["grant USAGE on SCHEMA pgtenant_watchdog to \"admin\""],
        );
        check(
            |o| {
                (schema(o).owner, schema(o).owner_usable, schema(o).acl) = ("boss".to_owned(), false, Vec::new());
            },
            &[
                "schema: not permitted: schema pgtenant_watchdog is not owned by admin; boss lacks USAGE on schema pgtenant_watchdog; boss owns schema pgtenant_watchdog",
            ],
            &[],
        );
    }

    #[test]
    fn whatever_acts_on_the_table_is_told_and_leaves_it_aside() {
        let found = |how: &str| format!("actions: found: relation actions {how}");
        let check_table = |change: fn(&mut Relation), how: &str| {
            check(|o| change(actions(o)), &[&found(how)], &[ASIDE_AND_ANEW]);
        };
        check_table(|table| table.columns.truncate(3), "has other columns");
        check_table(|table| table.columns[4] = "reason text".to_owned(), "has other columns");
        check_table(|table| table.constraints.push("CHECK (false)".to_owned()), "has other constraints");
        check_table(|table| table.indexes.truncate(1), "has other indexes");
        check_table(|table| table.row_security = true, "has row-level security");
        check_table(|table| table.ordinary = false, "is no ordinary table");
        check_table(
            |table| table.attached.push(other("trigger", "evil on pgtenant_watchdog.actions")),
            "has trigger \"evil on pgtenant_watchdog.actions\"",
        );
        check(
            |o| o.cron.actions = None,
            &["actions: found: relation actions is missing"],
            &["create the table of what the watchdog did"],
        );
        check(
            |o| actions(o).acl.push(grant(Some("guest"), "SELECT")),
            &["actions: found: guest has SELECT on relation actions"],
            &["revoke all on pgtenant_watchdog.actions from \"guest\""],
        );
        check(
            |o| actions(o).column_acl.push(grant(Some("guest"), "UPDATE")),
            &["actions: found: guest has UPDATE on columns of relation actions"],
            &["revoke all on pgtenant_watchdog.actions from \"guest\""],
        );
        check(
            |o| actions(o).acl.retain(|grant| grant.privilege != "INSERT"),
            &["actions: found: admin lacks INSERT on relation actions"],
            &["grant INSERT on pgtenant_watchdog.actions to \"admin\""],
        );
    }

    #[test]
    fn a_table_of_somebody_elses_is_told_and_kept() {
        let given = |observed: &mut Observed, usable: bool| {
            (actions(observed).owner, actions(observed).owner_usable) = ("boss".to_owned(), usable);
            actions(observed).acl =
                ["SELECT", "INSERT", "UPDATE", "DELETE"].map(|what| grant(Some("boss"), what)).into();
        };
        let told = "relation actions is not owned by admin; boss owns relation actions";
        check(|o| given(o, true), &[&format!("actions: found: {told}")], &["own the table of what the watchdog did"]);
        check(|o| given(o, false), &[&format!("actions: not permitted: {told}")], &[]);
        check(
            |o| {
                given(o, false);
                actions(o).row_security = true;
            },
            &[
                "actions: not permitted: relation actions is not owned by admin; boss owns relation actions; relation actions \
               has row-level security",
            ],
            &[],
        );
    }

    #[test]
    fn any_other_function_is_made_anew() {
        let another = "sweep: found: routine sweep is another than this version's";
        check(|o| sweep(o).definition.as_mut().unwrap().push(' '), &[another], &[DEFINE]);
        check(|o| sweep(o).definition = None, &[another], &[DEFINE]);
        let strict = definition().replacen(" SECURITY DEFINER", " STRICT SECURITY DEFINER", 1);
        check(|o| sweep(o).definition = Some(strict), &[another], &[DEFINE]);
        check(|o| o.cron.sweep = None, &["sweep: found: routine sweep is missing"], &[DEFINE]);
        check(
            |o| {
                sweep(o).owner = "boss".to_owned();
                sweep(o).acl = vec![grant(Some("boss"), "EXECUTE")];
                sweep(o).owner_usable = false;
            },
            &["sweep: found: routine sweep is not owned by admin; boss owns routine sweep"],
            &[DEFINE],
        );
        let namesake = "pgtenant_watchdog.sweep(boolean,integer,interval)";
        check(
            |o| o.cron.others.push(other("function", namesake)),
            &[&format!("sweep: found: routine sweep has a namesake, function \"{namesake}\"")],
            &[&format!("drop the namesakes of the watchdog's function, {DEFINE}")],
        );
        check(
            |o| sweep(o).acl.push(grant(None, "EXECUTE")),
            &["sweep: found: PUBLIC has EXECUTE on routine sweep"],
            &[&format!("revoke all on {FUNCTION} from PUBLIC")],
        );
        check(
            |o| sweep(o).acl.clear(),
            &["sweep: found: admin lacks EXECUTE on routine sweep"],
            &[&format!("grant EXECUTE on {FUNCTION} to \"admin\"")],
        );
    }

    #[test]
    fn a_job_that_is_another_is_scheduled_anew() {
        let found = |how: &str| format!("job: found: job pgtenant_watchdog {how}");
        let check_job = |change: fn(&mut Job), how: &str| check(|o| change(job(o)), &[&found(how)], &[AGAIN]);
        check_job(|job| job.active = false, "is not active");
        check_job(|job| job.command.clear(), "is another than the configuration's");
        check_job(|job| job.schedule = "*/2 * * * *".to_owned(), "is another than the configuration's");
        check_job(|job| job.database = "jobs".to_owned(), "runs in database \"jobs\"");
        check_job(|job| job.host = "elsewhere".to_owned(), "connects to host \"elsewhere\"");
        check_job(|job| job.port = 5433, "connects to port 5433");
        check(
            |o| {
                o.cron.host = None;
                job(o).host = "elsewhere".to_owned();
            },
            &["job: not inspected: this admin does not see cron.host, where jobs connect to"],
            &[],
        );
        check(|o| o.cron.host = None, &[], &[]);
        check(
            |o| o.job = None,
            &["job: found: job pgtenant_watchdog is missing", "runs: not inspected: there is no job"],
            &[SCHEDULE],
        );
    }

    #[test]
    fn silence_is_no_success() {
        let last = "the last run of job pgtenant_watchdog";
        let run = |status: &str, message: Option<&str>| {
            Some(Run { status: status.to_owned(), message: message.map(str::to_owned) })
        };
        check(|o| job(o).last_run = None, &["runs: not inspected: pg_cron has no run of the job on record"], &[]);
        check(
            |o| job(o).last_run = run("failed", Some("connection failed\n")),
            &[&format!("runs: not permitted: {last} failed: \"connection failed\"")],
            &[],
        );
        check(|o| job(o).seconds_since_success = Some(240), &[], &[]);
        check(
            |o| job(o).seconds_since_success = Some(241),
            &[&format!("runs: not permitted: {last} is long ago")],
            &[],
        );
        let stopped = |o: &mut Observed| (job(o).active, job(o).seconds_since_success) = (false, Some(9_000));
        check(stopped, &["job: found: job pgtenant_watchdog is not active"], &[AGAIN]);
    }

    #[test]
    fn a_role_that_logs_in_for_the_owner_is_let_in() {
        let group = |observed: &mut Observed| {
            observed.cron.admin = "group".to_owned();
            for (owner, acl) in [
                {
                    let schema = observed.cron.schema.as_mut().unwrap();
                    (&mut schema.owner, &mut schema.acl)
                },
                {
                    let actions = observed.cron.actions.as_mut().unwrap();
                    (&mut actions.owner, &mut actions.acl)
                },
                {
                    let sweep = observed.cron.sweep.as_mut().unwrap();
                    (&mut sweep.owner, &mut sweep.acl)
                },
            ] {
                *owner = "group".to_owned();
                acl.iter_mut().for_each(|held| held.grantee = Some("group".to_owned()));
            }
        };
        let (on_schema, on_function) = ("SCHEMA pgtenant_watchdog", FUNCTION);
        check(
            group,
            &[
                "schema: found: admin lacks USAGE on schema pgtenant_watchdog",
                "sweep: found: admin lacks EXECUTE on routine sweep",
            ],
            &[&format!("grant USAGE on {on_schema} to \"admin\", grant EXECUTE on {on_function} to \"admin\"")],
        );
        let admitted = |observed: &mut Observed| {
            group(observed);
            schema(observed).acl.push(grant(Some("admin"), "USAGE"));
            sweep(observed).acl.push(grant(Some("admin"), "EXECUTE"));
        };
        check(admitted, &[], &[]);
        // Whoever else is let in is turned out, and the one that runs the job let in again.
        check(
            |o| {
                admitted(o);
                schema(o).acl.push(grant(None, "USAGE"));
                schema(o).acl.push(grant(Some("x"), "CREATE"));
                schema(o).acl.push(grant(Some("x"), "USAGE"));
            },
            &[
                "schema: found: PUBLIC has USAGE on schema pgtenant_watchdog; x has CREATE, USAGE on schema pgtenant_watchdog",
            ],
            &[&format!("revoke all on {on_schema} from PUBLIC, revoke all on {on_schema} from \"x\"")],
        );
        check(
            |o| {
                admitted(o);
                schema(o).acl.push(grant(Some("admin"), "CREATE"));
            },
            &["schema: found: admin has CREATE on schema pgtenant_watchdog"],
            &[&format!("revoke all on {on_schema} from \"admin\", grant USAGE on {on_schema} to \"admin\"")],
        );
        check(
            |o| {
                admitted(o);
                sweep(o).acl.last_mut().unwrap().grantable = true;
            },
            &[
                "sweep: found: admin lacks EXECUTE on routine sweep; admin has EXECUTE WITH GRANT OPTION on routine sweep",
            ],
            &[&format!("revoke all on {on_function} from \"admin\", grant EXECUTE on {on_function} to \"admin\"")],
        );
        // To the table nobody is let in, the job neither: its function acts as the owner.
        check(
            |o| {
                admitted(o);
                actions(o).acl.push(grant(Some("admin"), "SELECT"));
            },
            &["actions: found: admin has SELECT on relation actions"],
            &["revoke all on pgtenant_watchdog.actions from \"admin\""],
        );
    }

    #[test]
    fn what_was_done_is_dropped_when_that_is_asked_for() {
        let steps = |keep, observed: &Observed| {
            remove(keep, observed).0.iter().map(Step::summary).collect::<Vec<_>>().join("; ")
        };
        let kept = "act as the role that logged in, unschedule the watchdog; drop the watchdog's function";
        assert_eq!(steps(true, &observed()), kept);
        let dropped = format!("{kept}, drop the table of what the watchdog did, drop the watchdog's schema");
        assert_eq!(steps(false, &observed()), dropped);
        let mut more = observed();
        more.cron.others = vec![
            other("table", "pgtenant_watchdog.actions_before_1"),
            other("table", "pgtenant_watchdog.actions_of_mine"),
            other("view", "pgtenant_watchdog.actions_before_2"),
        ];
        let texts: Vec<_> = remove(false, &more).0.iter().map(Step::text).collect();
        assert!(texts[1].contains("DROP TABLE pgtenant_watchdog.actions_before_1"), "{texts:?}");
        assert!(!texts[1].contains("of_mine") && !texts[1].contains("before_2"), "{texts:?}");
        let mut gone = observed();
        gone.job = None;
        gone.cron.schema = None;
        assert_eq!(steps(false, &gone), "");
    }

    #[test]
    fn what_stands_in_the_way() {
        let check = |change: fn(&mut Observed), seconds: bool, expected: Option<Obstacle>| {
            let mut observed = observed();
            change(&mut observed);
            let interval = if seconds { Interval::Seconds(10) } else { Interval::Minutes(1) };
            assert_eq!(observed.obstacle(Some(interval)), expected);
        };
        check(|_| {}, false, None);
        check(|o| o.cron.home = None, false, Some(Obstacle::NotLoaded));
        let hidden = |o: &mut Observed| (o.cron.home, o.cron.sees_settings) = (None, false);
        check(hidden, false, None);
        check(|o| o.cron.home = Some("jobs".into()), false, Some(Obstacle::OtherDatabase("jobs".into())));
        check(|o| o.cron.usable = false, false, Some(Obstacle::NoUsage { login: "admin".into() }));
        check(|_| {}, true, Some(Obstacle::NoSeconds { version: "1.4-1".into() }));
        check(|o| o.cron.installed = Some("1.5".into()), true, None);
        check(|o| o.cron.installed = None, true, None);
        // One that is there already and has become blind is told, and the rest of it repaired.
        check(|o| o.cron.sees_sessions = false, false, None);
        let blind = |o: &mut Observed| (*o, o.cron.sees_sessions) = (bare(), false);
        check(blind, false, Some(Obstacle::Blind { missing: SEE }));
        let powerless = |o: &mut Observed| (*o, o.cron.ends_sessions) = (bare(), false);
        check(powerless, false, Some(Obstacle::Blind { missing: END }));
        check(|o| schema(o).owner_usable = false, false, Some(Obstacle::Foreign));
        check(|o| (schema(o).comment, o.job) = (None, None), false, Some(Obstacle::Foreign));
        check(|o| schema(o).comment = None, false, None);
        check(|o| (o.cron.schema, o.cron.creates) = (None, false), false, Some(Obstacle::NoCreate));
    }

    #[test]
    fn intervals_are_what_pg_cron_can_express() {
        let check = |text: &str, schedule: Option<&str>| {
            let interval = text.parse::<Interval>().ok();
            assert_eq!(interval.map(Interval::schedule).as_deref(), schedule, "{text}");
            if let Some(interval) = interval {
                assert_eq!(Interval::of_schedule(&interval.schedule()), Some(interval));
            }
        };
        check("10s", Some("10 seconds"));
        check("60s", Some("* * * * *"));
        check("5min", Some("*/5 * * * *"));
        check("1h", Some("0 * * * *"));
        for text in ["0", "500ms", "90s", "7min", "2h", "5"] {
            check(text, None);
        }
    }

    #[test]
    fn what_a_job_is_told_is_read_back() {
        let told = Desired {
            interval: Interval::Seconds(15),
            dry_run: true,
            transaction_timeout: Some(Duration::from_millis(600_000)),
            retention_days: 7,
            report: [(Signal::Statement, 60), (Signal::XminAge, 5)].into(),
        };
        let mut job = observed().job.unwrap();
        assert_eq!(Desired::of_job(&job), Some(Desired::default()));
        (job.schedule, job.command) = (told.interval.schedule(), told.command());
        assert_eq!(Desired::of_job(&job), Some(told));
        job.command.push_str("; DROP TABLE actions");
        assert_eq!(Desired::of_job(&job), None);
    }

    #[test]
    fn thresholds_are_read_in_the_unit_of_their_signal() {
        let check = |signal: Signal, text: &str, threshold: Option<u32>| {
            assert_eq!(signal.parse(text).ok(), threshold, "{} = {text}", signal.name());
            if let Some(threshold) = threshold {
                assert_eq!(signal.parse(&signal.spell(threshold)), Ok(threshold));
            }
        };
        check(Signal::Statement, "5min", Some(300));
        check(Signal::Transaction, "90s", Some(90));
        check(Signal::LockWait, "0", Some(0));
        check(Signal::LockWait, "1500ms", None);
        check(Signal::Statement, "300", None);
        check(Signal::Connections, "100", Some(100));
        check(Signal::Connections, "101", None);
        check(Signal::Connections, "0.5", None);
        check(Signal::DatabaseAge, "2000000000", Some(2_000_000_000));
        check(Signal::DatabaseAge, "2000000001", None);
        check(Signal::XminAge, "-1", None);
        check(Signal::XminAge, "1min", None);
        for signal in Signal::ALL {
            assert_eq!(Signal::of_name(signal.name()), Some(signal));
            assert!(SWEEP.contains(&format!("'{}'", signal.name())), "the sweep measures {}", signal.name());
        }
    }

    #[test]
    fn only_what_the_provider_made_is_its_own() {
        let exists = |change: fn(&mut Observed)| {
            let mut observed = observed();
            change(&mut observed);
            observed.exists()
        };
        assert!(exists(|_| {}));
        assert!(exists(|o| o.job = None));
        assert!(exists(|o| o.cron.schema = None));
        assert!(!exists(|o| (o.job, o.cron.schema) = (None, None)));
        assert!(!exists(|o| (o.job, schema(o).comment) = (None, None)));
        assert!(!exists(|o| (o.job, o.cron.sweep) = (None, None)));
        let obstacle = |change: fn(&mut Observed)| {
            let mut observed = observed();
            change(&mut observed);
            observed.obstacle(None)
        };
        assert_eq!(obstacle(|o| (o.cron.home, o.cron.installed) = (None, None)), Some(Obstacle::NotLoaded));
        assert_eq!(obstacle(|o| (o.cron.installed, o.cron.usable) = (None, false)), None);
        assert_eq!(obstacle(|o| o.cron.creates = false), None, "the schema is there");
        assert_eq!(parse_version("1.4-1"), Some((1, 4)));
        assert_eq!(parse_version("12.30"), Some((12, 30)));
        assert_eq!(parse_version("x"), None);
    }

    #[test]
    fn what_is_sent_is_what_is_meant() {
        let mut other = bare();
        other.cron.login = "login".to_owned();
        let texts: Vec<_> = repair(&Desired::default(), &other).0.iter().map(Step::text).collect();
        for sent in [
            "CREATE SCHEMA pgtenant_watchdog;\n",
            "COMMENT ON SCHEMA pgtenant_watchdog IS '{\"pgtenant_watchdog\":1}';\n",
            "GRANT USAGE ON SCHEMA pgtenant_watchdog TO \"login\";\n",
            "DROP ROUTINE IF EXISTS pgtenant_watchdog.sweep(boolean, bigint, interval, jsonb);\n",
            "REVOKE ALL ON FUNCTION pgtenant_watchdog.sweep(boolean, bigint, interval, jsonb) FROM PUBLIC;\n",
            "GRANT EXECUTE ON FUNCTION pgtenant_watchdog.sweep(boolean, bigint, interval, jsonb) TO \"login\"",
        ] {
            assert!(texts[0].contains(sent), "{sent}: {}", texts[0]);
        }
        assert!(texts[0].contains(ACTIONS) && texts[0].contains(SWEEP));
        let scheduled = "SET LOCAL ROLE NONE;\nSELECT cron.schedule('pgtenant_watchdog', '* * * * *', 'SELECT \
                         pgtenant_watchdog.sweep(false, NULL::bigint, interval ''90 days'', ''{\"connections\":90,\
                         \"database_age\":500000000,\"lock_wait\":60,\"statement\":900,\"transaction\":1800,\
                         \"xmin_age\":10000000}''::jsonb); DELETE FROM cron.job_run_details ";
        assert!(texts[1].starts_with(scheduled), "{}", texts[1]);
        let removed: Vec<_> = remove(false, &observed()).0.iter().map(Step::text).collect();
        assert_eq!(removed[0], "SET LOCAL ROLE NONE;\nSELECT cron.unschedule('pgtenant_watchdog')");
        assert!(
            removed[1].ends_with("DROP TABLE pgtenant_watchdog.actions;\nDROP SCHEMA pgtenant_watchdog"),
            "{}",
            removed[1]
        );
        assert_eq!(schema_name().as_str(), NAME);
    }

    #[test]
    fn a_table_is_put_aside_under_the_first_name_that_is_free() {
        let mut observed = observed();
        actions(&mut observed).columns.clear();
        for name in ["actions_before_1", "actions_before_3"] {
            observed.cron.others.push(other("table", &format!("pgtenant_watchdog.{name}")));
        }
        let text = repair(&Desired::default(), &observed).0[0].text();
        assert!(text.starts_with("ALTER TABLE pgtenant_watchdog.actions RENAME TO actions_before_2;\n"), "{text}");
    }

    #[test]
    fn intervals_are_durations() {
        for (text, millis, said) in
            [("10s", 10_000, "10s"), ("59s", 59_000, "59s"), ("60s", 60_000, "1min"), ("1h", 3_600_000, "1h")]
        {
            let interval: Interval = text.parse().unwrap();
            assert_eq!((interval.duration().as_millis(), interval.to_string().as_str()), (millis, said));
        }
    }
}

//! The watchdog: a job of pg_cron in the maintenance database that ends what exceeds the limits on record. What is
//! installed, how it is told from what should be, and how it is repaired. What it does is `sweep.sql`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use postgres_protocol::escape::escape_literal;

use crate::postgres::catalog::cron::{Cron, Job, Routine};
use crate::postgres::fact::{Fact, Kind, Objects};
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

/// The columns of `actions.sql`.
const COLUMNS: [&str; 14] = [
    "id",
    "recorded",
    "tenant",
    "role",
    "reason",
    "expected",
    "observed",
    "pid",
    "database",
    "application_name",
    "client_addr",
    "started",
    "ended",
    "sqlstate",
];

/// What `sweep.sql` declares, as the catalogs spell it.
const ARGUMENTS: &str = "record_only boolean, transaction_limit bigint, retention interval";
const SETTINGS: [&str; 2] = ["search_path=pg_catalog, pg_temp", "lock_timeout=200ms"];

/// pg_cron keeps a row for each run, for ever: those of this job go after a week, and those of runs that could not
/// start, which have no time, after many more.
const PURGE: &str = "DELETE FROM cron.job_run_details d WHERE jobid IN (SELECT jobid FROM cron.job WHERE jobname = \
                     'pgtenant_watchdog') AND (end_time < now() - interval '7 days' OR status = 'failed' AND end_time IS \
                     NULL AND runid < (SELECT max(runid) FROM cron.job_run_details) - 10000)";

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
}

impl Desired {
    /// What the job runs.
    fn command(&self) -> String {
        let transaction = self.transaction_timeout.map_or("NULL".to_owned(), |limit| limit.as_millis().to_string());
        format!(
            "SELECT {NAME}.sweep({}, {transaction}, interval '{} days'); {PURGE}",
            self.dry_run, self.retention_days
        )
    }

    /// What a job that this provider scheduled is told to do; `None` for any other.
    pub fn of_job(job: &Job) -> Option<Self> {
        let arguments = job.command.strip_prefix(&format!("SELECT {NAME}.sweep("))?;
        let mut arguments = arguments.split(", ");
        let desired = Desired {
            interval: Interval::of_schedule(&job.schedule)?,
            dry_run: arguments.next()?.parse().ok()?,
            transaction_timeout: match arguments.next()? {
                "NULL" => None,
                millis => Some(Duration::from_catalog(millis)?),
            },
            retention_days: arguments.next()?.strip_prefix("interval '")?.split_once(' ')?.0.parse().ok()?,
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
    /// The admin does not see what sessions do, or may not end them.
    Blind { missing: &'static str },
    /// The admin may not create a schema.
    NoCreate,
    /// Somebody else made a schema of that name.
    Foreign,
}

impl Observed {
    /// What stands in the way. `database` is the one that this provider connects to.
    pub fn obstacle(&self, interval: Option<Interval>, database: &str) -> Option<Obstacle> {
        let cron = &self.cron;
        if cron.home.is_none() && (cron.installed.is_none() || cron.sees_settings) {
            return Some(Obstacle::NotLoaded);
        }
        if let Some(home) = cron.home.as_ref().filter(|home| *home != database) {
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
        if !cron.sees_sessions {
            return Some(Obstacle::Blind { missing: "pg_read_all_stats" });
        }
        if !cron.ends_sessions {
            return Some(Obstacle::Blind { missing: "pg_signal_backend" });
        }
        match &cron.schema {
            None if !cron.creates => Some(Obstacle::NoCreate),
            Some(schema) if !schema.owner_usable || schema.comment.as_deref() != Some(MARKER) => {
                Some(Obstacle::Foreign)
            }
            _ => None,
        }
    }

    /// Whether anything of it is there.
    pub fn exists(&self) -> bool {
        let marked = self.cron.schema.as_ref().is_some_and(|schema| schema.comment.as_deref() == Some(MARKER));
        self.job.is_some() || marked && !self.cron.routines.is_empty()
    }
}

/// `1.4-1` is 1.4.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// What is right for the watchdog: its parts are there as this version makes them, and nobody but the admin may use them.
struct WatchdogCharter<'a> {
    desired: &'a Desired,
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

impl Charter for WatchdogCharter<'_> {
    fn required(&self) -> Vec<(Control, Fact)> {
        let mut required: Vec<(Control, Fact)> = PARTS
            .iter()
            .map(|(control, kind, name)| (*control, Fact::Present(Objects::one(kind.clone(), *name))))
            .collect();
        let cron = &self.observed.cron;
        let is_owner = cron.schema.as_ref().is_some_and(|schema| schema.owner == cron.login);
        let there = |control: Control| self.observed.part(self.desired, control).is_some();
        if !is_owner {
            for (control, kind, name, privilege) in [
                (Control::WatchdogSchema, Kind::Schema, NAME, "USAGE"),
                (Control::WatchdogSweep, Kind::Routine, "sweep", "EXECUTE"),
            ] {
                if there(control) {
                    required
                        .push((control, grant(Objects::one(kind, name), Some(cron.login.clone()), privilege, false)));
                }
            }
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
        let kind = match fact {
            Fact::Grant { objects, .. } | Fact::Differs { objects, .. } => &objects.kind,
            _ => &Kind::Job,
        };
        PARTS.iter().find(|(_, part, _)| part == kind).map_or(Control::WatchdogJob, |(control, ..)| *control)
    }
}

fn grant(objects: Objects, grantee: Option<String>, privilege: &str, grantable: bool) -> Fact {
    Fact::Grant { objects, grantee, privilege: privilege.to_owned(), grantable }
}

impl Observed {
    /// How a part is there: as it should be (`Ok`), or in which way not. `None`: it is not there.
    fn part(&self, desired: &Desired, control: Control) -> Option<Result<(), &'static str>> {
        let cron = &self.cron;
        let as_is = |is_right: bool, how: &'static str| if is_right { Ok(()) } else { Err(how) };
        match control {
            Control::WatchdogExtension => cron.installed.as_ref().map(|_| Ok(())),
            Control::WatchdogSchema => cron.schema.as_ref().map(|_| Ok(())),
            Control::WatchdogActions => {
                let table = cron.relations.iter().find(|relation| relation.name == "actions")?;
                Some(as_is(table.columns == COLUMNS, "has other columns"))
            }
            Control::WatchdogSweep => {
                let found = self.sweep()?;
                let body = SWEEP.split("$sweep$").nth(1).unwrap_or_default();
                let is_right = found.source == body && found.definer && found.settings == SETTINGS;
                Some(as_is(is_right, "is another than this version's"))
            }
            _ => {
                let job = self.job.as_ref()?;
                let is_right = job.schedule == desired.interval.schedule() && job.command == desired.command();
                Some(as_is(job.active, "is not active").and(as_is(is_right, "is another than the configuration's")))
            }
        }
    }

    fn sweep(&self) -> Option<&Routine> {
        self.cron.routines.iter().find(|routine| routine.name == "sweep" && routine.arguments == ARGUMENTS)
    }

    /// What is there of the parts, and who may use them.
    fn facts(&self, desired: &Desired) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut push = |fact: Fact| seen.push(Seen { fact, ours: true });
        for (control, kind, name) in PARTS {
            let objects = || Objects::one(kind.clone(), name);
            let Some(part) = self.part(desired, control) else { continue };
            push(Fact::Present(objects()));
            if let Err(how) = part {
                push(Fact::Differs { objects: objects(), how: how.to_owned() });
            }
            let acl = match control {
                Control::WatchdogSchema => self.cron.schema.as_ref().map(|schema| &schema.acl),
                Control::WatchdogActions => {
                    self.cron.relations.iter().find(|relation| relation.name == "actions").map(|table| &table.acl)
                }
                Control::WatchdogSweep => self.sweep().map(|routine| &routine.acl),
                _ => None,
            };
            for held in acl.into_iter().flatten() {
                push(grant(objects(), held.grantee.clone(), &held.privilege, held.grantable));
            }
        }
        seen
    }
}

/// What each control was found to be.
pub fn assess(desired: &Desired, observed: &Observed) -> BTreeMap<Control, Finding> {
    let charter = WatchdogCharter { desired, observed };
    let mut drift = diff(&charter, &observed.facts(desired));
    Control::all(Of::Watchdog)
        .map(|control| {
            let facts = drift.remove(&control).unwrap_or_default();
            let status = status(&charter, control, &facts);
            (control, Finding { control, status, facts, repair: Repair::default() })
        })
        .collect()
}

/// What is to be run for the watchdog to be as it should; the job's is a step of its own.
pub fn repair(desired: &Desired, observed: &Observed) -> Script {
    let mut steps = [Vec::new(), Vec::new()];
    for Finding { control, facts, .. } in assess(desired, observed).into_values() {
        steps[usize::from(control == Control::WatchdogJob)].extend(repair_part(desired, observed, control, &facts));
    }
    script(steps)
}

/// What is to be run for nothing to be left but, if that is wanted, the table of what was done.
pub fn remove(keep_actions: bool, observed: &Observed) -> Script {
    let unschedule = observed.job.iter().flat_map(|_| as_login(unschedule())).collect();
    let routine = format!("DROP FUNCTION IF EXISTS {NAME}.sweep(boolean, bigint, interval)");
    let mut rest = vec![Statement::new("drop the watchdog's function", routine)];
    if !keep_actions {
        // Without CASCADE, and by their names: what somebody else put there is not dropped unasked.
        let ours =
            |name: &str| name == "actions" || name.strip_prefix(ASIDE).is_some_and(|rest| rest.parse::<u32>().is_ok());
        let tables = observed.cron.relations.iter().map(|relation| relation.name.as_str()).filter(|name| ours(name));
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
    Script(steps.map(|statements| Step { database: None, statements, vacates: None, drops: None }).collect())
}

/// The statements that repair one part.
fn repair_part(desired: &Desired, observed: &Observed, control: Control, drift: &[Deviation]) -> Vec<Statement> {
    let Some((_, kind, _)) = PARTS.into_iter().find(|(part, ..)| *part == control) else { return Vec::new() };
    let object = match kind {
        Kind::Relation => format!("{NAME}.actions"),
        Kind::Routine => format!("FUNCTION {NAME}.sweep(boolean, bigint, interval)"),
        _ => format!("SCHEMA {NAME}"),
    };
    let mut statements = Vec::new();
    for deviation in drift {
        match (deviation, deviation.fact()) {
            (Deviation::Missing(_), Fact::Present(_)) => statements.extend(make(desired, observed, control, &object)),
            (Deviation::Missing(_), Fact::Grant { privilege, .. }) => {
                statements.extend(admit(observed, privilege, &object));
            }
            (Deviation::Unexpected(_), Fact::Differs { .. }) => {
                statements.extend(make_anew(desired, observed, control));
            }
            (Deviation::Unexpected(_), Fact::Grant { grantee, .. }) => {
                statements.extend(revoke(grantee.as_deref(), &object));
                if grantee.as_ref() == Some(&observed.cron.login) {
                    let privilege = if kind == Kind::Schema { "USAGE" } else { "EXECUTE" };
                    statements.extend(admit(observed, privilege, &object).filter(|_| kind != Kind::Relation));
                }
            }
            _ => {}
        }
    }
    let mut once = Vec::new();
    for statement in statements {
        if !once.contains(&statement) {
            once.push(statement);
        }
    }
    once
}

fn make(desired: &Desired, observed: &Observed, control: Control, object: &str) -> Vec<Statement> {
    match control {
        Control::WatchdogExtension => vec![Statement::new("create extension pg_cron", "CREATE EXTENSION pg_cron")],
        Control::WatchdogSchema => {
            let create = [
                Statement::new("create the watchdog's schema", format!("CREATE SCHEMA {NAME}")),
                Statement::new(
                    "mark the watchdog's schema",
                    format!("COMMENT ON SCHEMA {NAME} IS {}", escape_literal(MARKER)),
                ),
            ];
            create.into_iter().chain(admit(observed, "USAGE", object)).collect()
        }
        Control::WatchdogActions => vec![Statement::new("create the table of what the watchdog did", ACTIONS)],
        Control::WatchdogSweep => {
            let close = format!("REVOKE ALL ON {object} FROM PUBLIC");
            let define = [define_sweep(), Statement::new("keep others from the watchdog's function", close)];
            define.into_iter().chain(admit(observed, "EXECUTE", object)).collect()
        }
        _ => as_login(schedule(desired)),
    }
}

fn make_anew(desired: &Desired, observed: &Observed, control: Control) -> Vec<Statement> {
    match control {
        Control::WatchdogActions => {
            // What is in it was written by another version, or by somebody: kept beside the new one.
            let taken = |name: &String| observed.cron.relations.iter().any(|relation| relation.name == *name);
            let free = (1..).map(|number| format!("{ASIDE}{number}")).find(|name| !taken(name)).unwrap_or_default();
            let aside = format!("ALTER TABLE {NAME}.actions RENAME TO {free}");
            vec![
                Statement::new("put the table of what the watchdog did aside", aside),
                Statement::new("create the table of what the watchdog did", ACTIONS),
            ]
        }
        Control::WatchdogSweep => vec![define_sweep()],
        // pg_cron's own way to make a job active again is not open to everybody.
        _ => [as_login(unschedule()), vec![schedule(desired)]].concat(),
    }
}

fn define_sweep() -> Statement {
    Statement::new("define the watchdog's function", SWEEP)
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
    let login: RoleName = observed.cron.login.parse().ok()?;
    let text = format!("GRANT {privilege} ON {object} TO {}", login.quoted());
    Some(Statement::new(format!("let {} run the watchdog", login.quoted()), text))
}

/// The schema as a name.
pub fn schema_name() -> SchemaName {
    NAME.parse().expect("a name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::catalog::cron::{Relation, Routine, Run, Schema};
    use crate::tenant::Status;
    use crate::tenant::fixture::grant;

    fn desired() -> Desired {
        Desired { interval: Interval::Minutes(1), dry_run: false, transaction_timeout: None, retention_days: 90 }
    }

    /// Installed by an admin who logs in as itself.
    fn observed() -> Observed {
        let job = Job {
            schedule: "* * * * *".to_owned(),
            command: desired().command(),
            database: "postgres".to_owned(),
            active: true,
            last_run: Some(Run { status: "succeeded".to_owned(), message: None }),
            seconds_since_success: Some(30),
        };
        let cron = Cron {
            login: "admin".to_owned(),
            home: Some("postgres".to_owned()),
            sees_settings: true,
            available: Some("1.6".to_owned()),
            installed: Some("1.4-1".to_owned()),
            usable: true,
            sees_sessions: true,
            ends_sessions: true,
            creates: true,
            schema: Some(Schema {
                name: NAME.to_owned(),
                owner: "admin".to_owned(),
                owner_usable: true,
                comment: Some(MARKER.to_owned()),
                acl: Vec::new(),
            }),
            relations: vec![Relation {
                name: "actions".to_owned(),
                columns: COLUMNS.map(str::to_owned).into(),
                acl: Vec::new(),
            }],
            routines: vec![Routine {
                name: "sweep".to_owned(),
                arguments: ARGUMENTS.to_owned(),
                source: SWEEP.split("$sweep$").nth(1).unwrap().to_owned(),
                definer: true,
                settings: SETTINGS.map(str::to_owned).into(),
                acl: Vec::new(),
            }],
        };
        Observed { cron, job: Some(job) }
    }

    /// Changes one fact of what is installed; which control tells, and the summaries of what is run.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Observed), told: &[&str], steps: &[&str]) {
        let mut observed = observed();
        change(&mut observed);
        let found: Vec<_> = assess(&desired(), &observed)
            .into_values()
            .filter(|finding| finding.status != Status::Enforced)
            .map(|finding| format!("{}: {}", finding.control, finding.describe()))
            .collect();
        assert_eq!(found, told);
        let script = repair(&desired(), &observed);
        assert_eq!(script.0.iter().map(Step::summary).collect::<Vec<_>>(), steps);
    }

    const SCHEDULE: &str = "act as the role that logged in, schedule the watchdog";

    #[test]
    fn what_is_as_it_should_be_needs_nothing() {
        check(|_| {}, &[], &[]);
    }

    #[test]
    fn a_server_without_it_gets_all_of_it_and_the_job_last() {
        check(
            |observed| {
                observed.job = None;
                observed.cron.installed = None;
                observed.cron.schema = None;
                observed.cron.relations.clear();
                observed.cron.routines.clear();
            },
            &[
                "extension: found: extension pg_cron is missing",
                "schema: found: schema pgtenant_watchdog is missing",
                "actions: found: relation actions is missing",
                "sweep: found: routine sweep is missing",
                "job: found: job pgtenant_watchdog is missing",
            ],
            &[
                "create extension pg_cron, create the watchdog's schema, mark the watchdog's schema, let \"admin\" run the \
                 watchdog, create the table of what the watchdog did, define the watchdog's function, keep others from the \
                 watchdog's function, let \"admin\" run the watchdog",
                SCHEDULE,
            ],
        );
    }

    #[test]
    fn each_part_is_told_and_repaired() {
        let routine = |observed: &mut Observed, change: fn(&mut Routine)| change(&mut observed.cron.routines[0]);
        let another = "sweep: found: routine sweep is another than this version's";
        let define = "define the watchdog's function";
        check(|o| routine(o, |sweep| sweep.source.push(' ')), &[another], &[define]);
        check(|o| routine(o, |sweep| sweep.settings.clear()), &[another], &[define]);
        check(
            |o| o.cron.routines[0].acl.push(grant(None, "EXECUTE")),
            &["sweep: found: PUBLIC has EXECUTE on routine sweep"],
            &["revoke all on FUNCTION pgtenant_watchdog.sweep(boolean, bigint, interval) from PUBLIC"],
        );
        check(
            |o| o.cron.relations[0].acl.push(grant(Some("guest"), "SELECT")),
            &["actions: found: guest has SELECT on relation actions"],
            &["revoke all on pgtenant_watchdog.actions from \"guest\""],
        );
        check(
            |o| o.cron.relations[0].columns.truncate(3),
            &["actions: found: relation actions has other columns"],
            &["put the table of what the watchdog did aside, create the table of what the watchdog did"],
        );
        let again = "act as the role that logged in, unschedule the watchdog, schedule the watchdog";
        check(
            |o| o.job.as_mut().unwrap().active = false,
            &["job: found: job pgtenant_watchdog is not active"],
            &[again],
        );
        check(
            |o| o.job.as_mut().unwrap().command.clear(),
            &["job: found: job pgtenant_watchdog is another than the configuration's"],
            &[again],
        );
    }

    #[test]
    fn a_role_that_logs_in_for_the_owner_is_let_in() {
        let group = |observed: &mut Observed| observed.cron.schema.as_mut().unwrap().owner = "group".to_owned();
        let lacks = |control: &str, privilege: &str, object: &str| {
            format!("{control}: found: admin lacks {privilege} on {object}")
        };
        check(
            group,
            &[&lacks("schema", "USAGE", "schema pgtenant_watchdog"), &lacks("sweep", "EXECUTE", "routine sweep")],
            &["let \"admin\" run the watchdog, let \"admin\" run the watchdog"],
        );
        let admitted = |observed: &mut Observed| {
            group(observed);
            observed.cron.schema.as_mut().unwrap().acl.push(grant(Some("admin"), "USAGE"));
            observed.cron.routines[0].acl.push(grant(Some("admin"), "EXECUTE"));
        };
        check(admitted, &[], &[]);
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
        for name in ["actions_before_1", "actions_of_mine"] {
            let table = more.cron.relations[0].clone();
            more.cron.relations.push(Relation { name: name.to_owned(), ..table });
        }
        let texts: Vec<_> = remove(false, &more).0.iter().map(Step::text).collect();
        assert!(texts[1].contains("actions_before_1") && !texts[1].contains("of_mine"), "{texts:?}");
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
            assert_eq!(observed.obstacle(Some(interval), "postgres"), expected);
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
        check(|o| o.cron.sees_sessions = false, false, Some(Obstacle::Blind { missing: "pg_read_all_stats" }));
        check(|o| o.cron.ends_sessions = false, false, Some(Obstacle::Blind { missing: "pg_signal_backend" }));
        check(|o| o.cron.schema.as_mut().unwrap().comment = None, false, Some(Obstacle::Foreign));
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
        };
        let mut job = observed().job.unwrap();
        assert_eq!(Desired::of_job(&job), Some(desired()));
        (job.schedule, job.command) = (told.interval.schedule(), told.command());
        assert_eq!(Desired::of_job(&job), Some(told));
        job.command.push_str("; DROP TABLE actions");
        assert_eq!(Desired::of_job(&job), None);
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
        let unmarked = |o: &mut Observed| {
            o.job = None;
            o.cron.schema.as_mut().unwrap().comment = None;
        };
        assert!(!exists(unmarked));
        assert!(!exists(|o| {
            o.job = None;
            o.cron.routines.clear();
        }));
        let obstacle = |change: fn(&mut Observed)| {
            let mut observed = observed();
            change(&mut observed);
            observed.obstacle(None, "postgres")
        };
        assert_eq!(obstacle(|o| o.cron.schema.as_mut().unwrap().owner_usable = false), Some(Obstacle::Foreign));
        assert_eq!(obstacle(|o| (o.cron.home, o.cron.installed) = (None, None)), Some(Obstacle::NotLoaded));
        assert_eq!(obstacle(|o| (o.cron.installed, o.cron.usable) = (None, false)), None);
        assert_eq!(obstacle(|o| o.cron.creates = false), None, "the schema is there");
        assert_eq!(parse_version("1.4-1"), Some((1, 4)));
        assert_eq!(parse_version("12.30"), Some((12, 30)));
        assert_eq!(parse_version("x"), None);
    }

    #[test]
    fn what_is_like_a_part_is_none() {
        let missing = "sweep: found: routine sweep is missing";
        let make =
            "define the watchdog's function, keep others from the watchdog's function, let \"admin\" run the watchdog";
        check(|o| o.cron.routines[0].arguments.push_str(", x text"), &[missing], &[make]);
        check(|o| o.cron.routines[0].name.push('2'), &[missing], &[make]);
        let another = "sweep: found: routine sweep is another than this version's";
        check(|o| o.cron.routines[0].definer = false, &[another], &["define the watchdog's function"]);
        check(
            |o| o.cron.relations[0].name.push('2'),
            &["actions: found: relation actions is missing"],
            &["create the table of what the watchdog did"],
        );
        let again = "act as the role that logged in, unschedule the watchdog, schedule the watchdog";
        let other = "job: found: job pgtenant_watchdog is another than the configuration's";
        check(|o| o.job.as_mut().unwrap().schedule = "*/2 * * * *".to_owned(), &[other], &[again]);
    }

    #[test]
    fn whoever_else_is_let_in_is_turned_out_and_the_job_let_in_again() {
        let of_schema = |grants: Vec<crate::postgres::catalog::acl::Grant>| {
            move |o: &mut Observed| o.cron.schema.as_mut().unwrap().acl = grants
        };
        let grantable =
            |privilege| crate::postgres::catalog::acl::Grant { grantable: true, ..grant(Some("admin"), privilege) };
        let revoke = "revoke all on SCHEMA pgtenant_watchdog from";
        check(
            of_schema(vec![grant(None, "USAGE"), grant(Some("admin"), "USAGE")]),
            &["schema: found: PUBLIC has USAGE on schema pgtenant_watchdog"],
            &[&format!("{revoke} PUBLIC")],
        );
        check(
            of_schema(vec![grant(Some("admin"), "CREATE")]),
            &["schema: found: admin has CREATE on schema pgtenant_watchdog"],
            &[&format!("{revoke} \"admin\", let \"admin\" run the watchdog")],
        );
        check(
            of_schema(vec![grantable("USAGE")]),
            &["schema: found: admin has USAGE WITH GRANT OPTION on schema pgtenant_watchdog"],
            &[&format!("{revoke} \"admin\", let \"admin\" run the watchdog")],
        );
        check(
            of_schema(vec![grant(Some("x"), "CREATE"), grant(Some("x"), "USAGE")]),
            &["schema: found: x has CREATE, USAGE on schema pgtenant_watchdog"],
            &[&format!("{revoke} \"x\"")],
        );
        // To the table nobody is let in, the job neither: its function acts as the owner.
        check(
            |o| o.cron.relations[0].acl = vec![grant(Some("admin"), "SELECT")],
            &["actions: found: admin has SELECT on relation actions"],
            &["revoke all on pgtenant_watchdog.actions from \"admin\""],
        );
        check(
            |o| o.cron.routines[0].acl = vec![grantable("EXECUTE")],
            &["sweep: found: admin has EXECUTE WITH GRANT OPTION on routine sweep"],
            &[
                "revoke all on FUNCTION pgtenant_watchdog.sweep(boolean, bigint, interval) from \"admin\", let \"admin\" run the \
               watchdog",
            ],
        );
    }

    #[test]
    fn what_is_sent_is_what_is_meant() {
        let mut bare = observed();
        bare.job = None;
        bare.cron.schema = None;
        bare.cron.relations.clear();
        bare.cron.routines.clear();
        let texts: Vec<_> = repair(&desired(), &bare).0.iter().map(Step::text).collect();
        for sent in [
            "CREATE SCHEMA pgtenant_watchdog;\n",
            "COMMENT ON SCHEMA pgtenant_watchdog IS '{\"pgtenant_watchdog\":1}';\n",
            "GRANT USAGE ON SCHEMA pgtenant_watchdog TO \"admin\";\n",
            "REVOKE ALL ON FUNCTION pgtenant_watchdog.sweep(boolean, bigint, interval) FROM PUBLIC;\n",
            "GRANT EXECUTE ON FUNCTION pgtenant_watchdog.sweep(boolean, bigint, interval) TO \"admin\"",
        ] {
            assert!(texts[0].contains(sent), "{sent}: {}", texts[0]);
        }
        assert!(texts[0].contains(ACTIONS) && texts[0].contains(SWEEP));
        let scheduled = "SET LOCAL ROLE NONE;\nSELECT cron.schedule('pgtenant_watchdog', '* * * * *', 'SELECT \
                         pgtenant_watchdog.sweep(false, NULL, interval ''90 days''); DELETE FROM cron.job_run_details ";
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
        observed.cron.relations[0].columns.clear();
        for name in ["actions_before_1", "actions_before_3"] {
            let table = observed.cron.relations[0].clone();
            observed.cron.relations.push(Relation { name: name.to_owned(), ..table });
        }
        let text = repair(&desired(), &observed).0[0].text();
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

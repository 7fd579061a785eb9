//! The watchdog: a job of pg_cron in the maintenance database that ends what exceeds the limits on record. What is
//! installed, how it is told from what should be, and how it is repaired. What it does is `sweep.sql`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use postgres_protocol::escape::escape_literal;

use crate::postgres::catalog::acl::Grant;
use crate::postgres::catalog::cron::{Cron, Job};
use crate::postgres::{Duration, RoleName, SchemaName, Script, Statement, Step};

use super::isolation::{ENFORCED, list};

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

/// What one control was found to be, and the SQL that repairs it.
struct Finding {
    what: String,
    repair: Vec<Statement>,
}

/// Everything is as it should be, or this is what is not.
type Check = fn(&Desired, &Observed) -> Option<Finding>;

/// Every control: its name, what it says, and how it is told. In the order in which repairs are run; the job's is a
/// step of its own.
const TABLE: [(&str, &str, Check); 5] = [
    ("extension", "pg_cron is installed in the maintenance database.", extension),
    ("schema", "The schema `pgtenant_watchdog` is there, and nobody but the admin may use it.", schema),
    ("actions", "The table of what was done is there, and nobody but the admin may read or write it.", actions),
    ("sweep", "The function is the one of this version of the provider, and nobody but the admin may call it.", sweep),
    ("job", "The job is scheduled as the configuration says, and active.", job),
];

/// Every control with what it says, in the order of the repairs.
pub fn controls() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.iter().map(|(name, about, _)| (*name, *about))
}

/// What each control was found to be.
pub fn assess(desired: &Desired, observed: &Observed) -> BTreeMap<String, String> {
    let told = |check: Check| check(desired, observed).map_or(ENFORCED.to_owned(), |finding| finding.what);
    TABLE.iter().map(|(name, _, check)| ((*name).to_owned(), told(*check))).collect()
}

/// What each control is planned to be.
pub fn enforced() -> BTreeMap<String, String> {
    TABLE.iter().map(|(name, ..)| ((*name).to_owned(), ENFORCED.to_owned())).collect()
}

/// What is to be run for the watchdog to be as it should.
pub fn diff(desired: &Desired, observed: &Observed) -> Script {
    let repairs = |checks: &[(&str, &str, Check)]| -> Vec<Statement> {
        checks.iter().filter_map(|(.., check)| check(desired, observed)).flat_map(|finding| finding.repair).collect()
    };
    let (job, rest) = TABLE.split_last().expect("there are controls");
    script([repairs(rest), repairs(std::slice::from_ref(job))])
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
    Script(steps.map(|statements| Step { database: None, statements }).collect())
}

fn extension(_: &Desired, observed: &Observed) -> Option<Finding> {
    if observed.cron.installed.is_some() {
        return None;
    }
    let create = Statement::new("create extension pg_cron", "CREATE EXTENSION pg_cron");
    Some(Finding { what: "the extension is missing".to_owned(), repair: vec![create] })
}

fn schema(_: &Desired, observed: &Observed) -> Option<Finding> {
    let Some(schema) = &observed.cron.schema else {
        let create = vec![
            Statement::new("create the watchdog's schema", format!("CREATE SCHEMA {NAME}")),
            Statement::new(
                "mark the watchdog's schema",
                format!("COMMENT ON SCHEMA {NAME} IS {}", escape_literal(MARKER)),
            ),
        ];
        let grants = admit(observed, "USAGE", &format!("SCHEMA {NAME}"));
        return Some(Finding {
            what: "the schema is missing".to_owned(),
            repair: create.into_iter().chain(grants).collect(),
        });
    };
    admission(observed, &schema.acl, "USAGE", &format!("SCHEMA {NAME}"))
}

fn actions(_: &Desired, observed: &Observed) -> Option<Finding> {
    match observed.cron.relations.iter().find(|relation| relation.name == "actions") {
        None => {
            let create = Statement::new("create the table of what the watchdog did", ACTIONS);
            Some(Finding { what: "the table is missing".to_owned(), repair: vec![create] })
        }
        Some(table) if table.columns != COLUMNS => {
            // What is in it was written by another version, or by somebody: kept beside the new one.
            let taken = |name: &String| observed.cron.relations.iter().any(|relation| relation.name == *name);
            let free = (1..).map(|number| format!("{ASIDE}{number}")).find(|name| !taken(name)).unwrap_or_default();
            let aside = format!("ALTER TABLE {NAME}.actions RENAME TO {free}");
            let repair = vec![
                Statement::new("put the table of what the watchdog did aside", aside),
                Statement::new("create the table of what the watchdog did", ACTIONS),
            ];
            Some(Finding { what: "the table has other columns".to_owned(), repair })
        }
        Some(table) => revoked(&table.acl, |_| false, &format!("{NAME}.actions")),
    }
}

fn sweep(_: &Desired, observed: &Observed) -> Option<Finding> {
    let object = format!("FUNCTION {NAME}.sweep(boolean, bigint, interval)");
    let define = || Statement::new("define the watchdog's function", SWEEP);
    let close =
        || Statement::new("keep others from the watchdog's function", format!("REVOKE ALL ON {object} FROM PUBLIC"));
    let found = observed.cron.routines.iter().find(|routine| routine.name == "sweep" && routine.arguments == ARGUMENTS);
    let Some(found) = found else {
        let repair = [define(), close()].into_iter().chain(admit(observed, "EXECUTE", &object)).collect();
        return Some(Finding { what: "the function is missing".to_owned(), repair });
    };
    let body = SWEEP.split("$sweep$").nth(1).unwrap_or_default();
    if found.source != body || !found.definer || found.settings != SETTINGS {
        return Some(Finding { what: "the function is another".to_owned(), repair: vec![define()] });
    }
    admission(observed, &found.acl, "EXECUTE", &object)
}

fn job(desired: &Desired, observed: &Observed) -> Option<Finding> {
    let schedule = || {
        let (schedule, command) = (escape_literal(&desired.interval.schedule()), escape_literal(&desired.command()));
        Statement::new("schedule the watchdog", format!("SELECT cron.schedule('{NAME}', {schedule}, {command})"))
    };
    let Some(job) = &observed.job else {
        return Some(Finding { what: "the job is missing".to_owned(), repair: as_login(schedule()) });
    };
    let what = if !job.active {
        "the job is not active"
    } else if job.schedule != desired.interval.schedule() || job.command != desired.command() {
        "the job is another"
    } else {
        return None;
    };
    // pg_cron's own way to make a job active again is not open to everybody.
    let mut repair = as_login(unschedule());
    repair.push(schedule());
    Some(Finding { what: what.to_owned(), repair })
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

/// That the role as which the job runs is let in, and nobody else.
fn admission(observed: &Observed, acl: &[Grant], privilege: &str, object: &str) -> Option<Finding> {
    let login = observed.cron.login.as_str();
    let is_owner = observed.cron.schema.as_ref().is_some_and(|schema| schema.owner == login);
    let ours =
        |grant: &Grant| grant.grantee.as_deref() == Some(login) && grant.privilege == privilege && !grant.grantable;
    if let Some(finding) = revoked(acl, ours, object) {
        return Some(finding);
    }
    if is_owner || acl.iter().any(ours) {
        return None;
    }
    let what = format!("{login}, as which the job runs, lacks {privilege}");
    Some(Finding { what, repair: admit(observed, privilege, object).into_iter().collect() })
}

/// That nobody holds anything but what is `expected`.
fn revoked(acl: &[Grant], expected: impl Fn(&Grant) -> bool, object: &str) -> Option<Finding> {
    let mut held: BTreeMap<Option<&str>, Vec<&Grant>> = BTreeMap::new();
    for grant in acl.iter().filter(|grant| !expected(grant)) {
        held.entry(grant.grantee.as_deref()).or_default().push(grant);
    }
    if held.is_empty() {
        return None;
    }
    let what = held
        .iter()
        .map(|(grantee, grants)| format!("{} has {}", grantee.unwrap_or("PUBLIC"), list(grants.iter().copied())))
        .collect::<Vec<_>>()
        .join("; ");
    let revoke = |grantee: &Option<&str>| {
        let who = match grantee {
            None => "PUBLIC".to_owned(),
            Some(name) => name.parse::<RoleName>().ok()?.quoted(),
        };
        Some(Statement::new(
            format!("revoke all on {object} from {who}"),
            format!("REVOKE ALL ON {object} FROM {who} CASCADE"),
        ))
    };
    Some(Finding { what, repair: held.keys().filter_map(revoke).collect() })
}

/// The schema as a name.
pub fn schema_name() -> SchemaName {
    NAME.parse().expect("a name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::catalog::cron::{Relation, Routine, Run};
    use crate::postgres::catalog::inside::Schema;

    fn desired() -> Desired {
        Desired { interval: Interval::Minutes(1), dry_run: false, transaction_timeout: None, retention_days: 90 }
    }

    fn grant(grantee: Option<&str>, privilege: &str) -> Grant {
        Grant { grantee: grantee.map(str::to_owned), privilege: privilege.to_owned(), grantable: false }
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
    fn check(change: impl FnOnce(&mut Observed), told: &[(&str, &str)], steps: &[&str]) {
        let mut observed = observed();
        change(&mut observed);
        let found: Vec<_> = assess(&desired(), &observed).into_iter().filter(|(_, found)| found != ENFORCED).collect();
        let told: Vec<_> = told.iter().map(|(name, found)| ((*name).to_owned(), (*found).to_owned())).collect();
        assert_eq!(found, told);
        let script = diff(&desired(), &observed);
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
                ("actions", "the table is missing"),
                ("extension", "the extension is missing"),
                ("job", "the job is missing"),
                ("schema", "the schema is missing"),
                ("sweep", "the function is missing"),
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
        let another = ("sweep", "the function is another");
        let define = "define the watchdog's function";
        check(|o| routine(o, |sweep| sweep.source.push(' ')), &[another], &[define]);
        check(|o| routine(o, |sweep| sweep.settings.clear()), &[another], &[define]);
        check(
            |o| o.cron.routines[0].acl.push(grant(None, "EXECUTE")),
            &[("sweep", "PUBLIC has EXECUTE")],
            &["revoke all on FUNCTION pgtenant_watchdog.sweep(boolean, bigint, interval) from PUBLIC"],
        );
        check(
            |o| o.cron.relations[0].acl.push(grant(Some("guest"), "SELECT")),
            &[("actions", "guest has SELECT")],
            &["revoke all on pgtenant_watchdog.actions from \"guest\""],
        );
        check(
            |o| o.cron.relations[0].columns.truncate(3),
            &[("actions", "the table has other columns")],
            &["put the table of what the watchdog did aside, create the table of what the watchdog did"],
        );
        let again = "act as the role that logged in, unschedule the watchdog, schedule the watchdog";
        check(|o| o.job.as_mut().unwrap().active = false, &[("job", "the job is not active")], &[again]);
        check(|o| o.job.as_mut().unwrap().command.clear(), &[("job", "the job is another")], &[again]);
    }

    #[test]
    fn a_role_that_logs_in_for_the_owner_is_let_in() {
        let group = |observed: &mut Observed| observed.cron.schema.as_mut().unwrap().owner = "group".to_owned();
        let lacks = |privilege: &str| format!("admin, as which the job runs, lacks {privilege}");
        check(
            group,
            &[("schema", &lacks("USAGE")), ("sweep", &lacks("EXECUTE"))],
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
}

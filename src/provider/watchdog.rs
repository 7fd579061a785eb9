//! `pgtenant_watchdog`: enforcement of what a tenant can set aside for itself, by a job of pg_cron on the server.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::postgres::error::SqlState;
use crate::postgres::{Cluster, Duration, Error, RoleName, Script};
use crate::tenant::watchdog::{self, Desired, Interval, NAME, Observed, Obstacle, SECONDS_SINCE, Signal};
use crate::tenant::{Control, Finding, Of};
use crate::tf_provider::{
    Applied, ApplyRequest, Attributes, Context, Diagnostic, Diagnostics, Field, Item, Path, PlanRequest, Planned,
    Resource, Schema, Severity, State, Value, async_trait, model, timeouts,
};

use super::connection::Connection;
use super::controls::{self, Controls, Statuses};
use super::diagnose;
use super::reconcile::{Next, Reached, Subject, reconcile};
use super::remembered::Remembered;
use super::walk::{self, Claim};

/// There is one of it.
const ID: &str = "cluster";

const MOST_DAYS: i64 = 3_650;

pub(super) struct WatchdogResource {
    connection: Arc<Connection>,
}

impl WatchdogResource {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        WatchdogResource { connection }
    }
}

fn schema() -> Schema {
    Model::schema(
        0,
        "Ends what exceeds its limits and cannot be ended otherwise: a tenant may set its own time limits aside, and \
         catch the cancellation of a statement. A function in the maintenance database, run by \
         [pg_cron](https://github.com/citusdata/pg_cron), measures the sessions of every tenant's roles against the limits in its \
         database's settings, which no role of the tenant can write: `statement_timeout`, `transaction_timeout`, \
         `idle_in_transaction_session_timeout` and `idle_session_timeout`. It terminates those beyond them, and takes \
         back what the tenant's role, or a further role of it, has set against any parameter that is on record, but for the \
         `parameters` of its `pgtenant_role`. One for each server is enough, \
         for all tenants. The server shows neither what a client means nor where one statement of a batch \
         ends: a dump as the tenant's own role is held to its limits as well, and statements that are sent as one \
         simple query count as one.\n\n\
         Each action is a row of `pgtenant_watchdog.actions` in the maintenance database: `tenant`, `role`, `reason` \
         (the limit, or `override of` a parameter), what was `expected` and `observed`, `pid`, `database`, \
         `application_name`, `client_addr`, `started` (when the statement, the transaction or the idling began), \
         `signaled` (when the session was first told to end), `ended` (when the session was seen to be gone, or the \
         setting was taken back), and the `sqlstate` of what failed. A session with `signaled` and without `ended` does \
         not look at signals: see the guide \"Limits of roles\". The last 10000 rows of each tenant are kept. No \
         statement's text is kept.\n\n\
         The watchdog also writes a line to the server's log for each action, and for each threshold of `report` that is \
         reached, so that alarms can count them (module `rds-log-metrics`): `pgtenant_watchdog: <event> <signal> <tenant> <value> <limit> role=<role> \
         database=<database> pid=<pid>`. A line always has these nine words: in a name, each byte other than ASCII \
         letters, digits and `_.-` is written as `%` and two hexadecimal digits. `-` stands for a value that does not exist. The \
         events are `signaled` (a session was told to end; the signal is its limit, the value how many seconds it took), \
         `ended` (it is gone), `reset` (an override was taken back; the signal is the parameter), `failed`, `found` (with \
         `dry_run`), `over` (a threshold was reached) and `cut` (more than 100 actions in one run: the table has the rest). \
         A line `over` is repeated at each run \
         as long as it holds; one run writes at most one for each tenant and signal, and 20 for each signal. The tenant is `-` for \
         what belongs to no tenant, such as a session of the admin or a replication slot. The level is LOG: \
         `log_min_messages = fatal` and `panic` suppress it. PostgreSQL adds to each line a CONTEXT line, unless \
         `log_error_verbosity = terse`, and a STATEMENT line, unless `log_min_error_statement` is `fatal` or `panic`: three lines \
         in all with the defaults. The watchdog cannot count dead rows, because it runs in the maintenance database: `xmin_age` \
         says what keeps VACUUM from removing them, `database_age` in which database vacuuming is behind, and the data source \
         `pgtenant_signals` counts them.\n\n\
         The server must have pg_cron in `shared_preload_libraries`, and `cron.database_name` must be the maintenance \
         database. With `cron.use_background_workers = on` the job needs no password, but a free slot of \
         `max_worker_processes`, all of which one tenant's parallel queries can hold; with `off` it logs in \
         (pg_hba.conf, .pgpass) and needs a connection, which `connection_budget` keeps free. Prefer `off` where it \
         can log in. Every refresh reports a job that does not run. The admin needs `pg_signal_backend`, \
         `pg_read_all_stats` (both in RDS's `rds_superuser`) and CREATE on the maintenance database; where it may not \
         create the extension, a superuser does, and grants USAGE on the schema `cron`. The job belongs to the role \
         that logs in: when that one is replaced (`assume_role`), apply again as the new one.",
    )
}

model! {
    #[derive(Clone, Debug, Default)]
    struct Model {
        /// As the user spells it, like `transaction_timeout`.
        interval: Field<String> = optional_computed(format!(
            "How often the server looks: a number of minutes that divides an hour, as `1min` or `5min`, or 1 to 59 \
             seconds, as `10s`, with pg_cron {}.{} or newer. A session may outlive its limit by this much, and one \
             second of grace.",
            SECONDS_SINCE.0, SECONDS_SINCE.1
        ))
        .default(Desired::default().interval.to_string()),
        dry_run: Field<bool> = optional_computed(
            "Whether it only records what it would do: rows without `ended`, one for each session or setting. Begin \
             with this on a server whose tenants were not watched before."
        )
        .default(false),
        transaction_timeout: Field<String> = optional(
            "How long a transaction may take of a tenant that has no `transaction_timeout` on record, as `10min`: on \
             PostgreSQL 13 to 16 the only limit there is. Default: none."
        ),
        retention_days: Field<i64> = optional_computed(format!(
            "How many days the rows of what was done are kept, 1 to {MOST_DAYS}."
        ))
        .default(i64::from(Desired::default().retention_days)),
        report: Field<BTreeMap<String, Item<String>>> = optional(format!(
            "Thresholds by signal, such as `{{ statement = \"5min\", connections = 80 }}`: a signal that reaches its threshold is a \
             line `over` in the server's log. `0` writes no line. A signal that is left out has its default. A change holds from the \
             next run on.\n\n{}",
            Signal::ALL
                .map(|signal| format!(
                    "  - `{}`: {}. Default: `{}`.",
                    signal.name(),
                    signal.about(),
                    signal.spell(signal.default_threshold())
                ))
                .join("\n")
        )),
        keep_actions: Field<bool> = optional_computed(
            "Whether a destroy leaves the table of what was done, and its schema: it is evidence. The next watchdog \
             goes on with it. To have it dropped, set this to `false` and apply before you destroy."
        )
        .default(true),
        controls: Controls = computed(format!(
            "What was found of each part: `enforced`, or what was found instead. `found: ` is what an apply repairs. `not \
             permitted: ` is what this admin may not change, or what must be repaired on the server. `not inspected: ` \
             could not be told; the reason follows.\n\n{}",
            Control::all(Of::Watchdog).map(Control::row).map(|row| format!("  - `{}`: {} {}", row.name, row.about, row.expected))
                .collect::<Vec<_>>().join("\n")
        )),
        id: Field<String> = computed(format!("Always `{ID}`.")),
        timeouts: Value = block(timeouts::block(&["create", "read", "update", "delete"])),
    }
}

impl Model {
    /// What is wanted; the defaults where that is not known or not well formed, of which `validate` has told.
    fn desired(&self) -> Desired {
        let default = Desired::default();
        let days = self.retention_days.known().and_then(|days| u32::try_from(days).ok());
        Desired {
            interval: self.interval.as_known().and_then(|text| text.parse().ok()).unwrap_or(default.interval),
            dry_run: self.dry_run.known().unwrap_or(default.dry_run),
            transaction_timeout: self.transaction_timeout.as_known().and_then(|text| text.parse().ok()),
            retention_days: days.unwrap_or(default.retention_days),
            report: {
                let said = self.report.known_entries().unwrap_or_default();
                let said = said.iter().filter_map(|(name, text)| {
                    let signal = Signal::of_name(name)?;
                    Some((signal, signal.parse(text).ok()?))
                });
                default.report.into_iter().chain(said).collect()
            },
        }
    }

    /// This state with what was observed. Spellings stay where they mean what was found.
    fn observe(mut self, observed: &Observed) -> (Self, Statuses) {
        let expected = self.desired();
        // What a job that can be read is told to do is said by the attributes, not by its control.
        let found = observed.job.as_ref().and_then(Desired::of_job).unwrap_or_else(|| expected.clone());
        let findings = findings(&found, observed);
        self.controls = controls::described(&findings);
        if found.interval != expected.interval {
            self.interval = Field::Known(found.interval.to_string());
        }
        if found.transaction_timeout != expected.transaction_timeout {
            self.transaction_timeout = found.transaction_timeout.map(|limit| limit.to_string()).into();
        }
        if found.report != expected.report {
            // What the configuration has, and what is not as it would be without a word of it.
            let said = self.report.known_entries().unwrap_or_default();
            let spelled: BTreeMap<_, _> = Signal::ALL
                .into_iter()
                .map(|signal| (signal, found.report.get(&signal).copied().unwrap_or_default()))
                .filter(|(signal, found)| said.contains_key(signal.name()) || *found != signal.default_threshold())
                .map(|(signal, found)| (signal.name().to_owned(), Item::Known(signal.spell(found))))
                .collect();
            self.report = if spelled.is_empty() { Field::Null } else { Field::Known(spelled) };
        }
        self.dry_run = Field::Known(found.dry_run);
        self.retention_days = Field::Known(i64::from(found.retention_days));
        (self, Statuses::of(&findings))
    }
}

#[async_trait]
impl Resource for WatchdogResource {
    fn type_name(&self) -> &'static str {
        "pgtenant_watchdog"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let config = match Model::decode(config) {
            Ok(config) => config,
            Err(diagnostics) => return diagnostics,
        };
        let mut diagnostics = Diagnostics::default();
        if let Field::Known(text) = &config.interval
            && let Err(error) = text.parse::<Interval>()
        {
            diagnostics.push(
                Diagnostic::error(format!("Not an interval: {text:?}"), format!("`interval`: {error}."))
                    .at_attribute("interval"),
            );
        }
        if let Field::Known(text) = &config.transaction_timeout {
            let problem = match text.parse::<Duration>() {
                Err(error) => Some(error.to_string()),
                Ok(Duration::OFF) => Some("leave it out for no limit".to_owned()),
                Ok(_) => None,
            };
            if let Some(problem) = problem {
                diagnostics.push(
                    Diagnostic::error(format!("Not a limit: {text:?}"), format!("`transaction_timeout`: {problem}."))
                        .at_attribute("transaction_timeout"),
                );
            }
        }
        for (name, text) in config.report.known_entries().unwrap_or_default() {
            let problem = match Signal::of_name(&name) {
                None => {
                    let names = Signal::ALL.map(|signal| format!("`{}`", signal.name())).join(", ");
                    Some((format!("Not a signal: {name:?}"), format!("A signal is one of {names}.")))
                }
                Some(signal) => signal
                    .parse(&text)
                    .err()
                    .map(|error| (format!("Not a threshold: {text:?}"), format!("`report` of `{name}`: {error}."))),
            };
            if let Some((summary, detail)) = problem {
                let path = Path::attribute("report").key(&name);
                diagnostics.push(Diagnostic::error(summary, detail).at(path));
            }
        }
        if config.retention_days.as_known().is_some_and(|days| !(1..=MOST_DAYS).contains(days)) {
            diagnostics.push(
                Diagnostic::error("Not a number of days", format!("It is a whole number, 1 to {MOST_DAYS}."))
                    .at_attribute("retention_days"),
            );
        }
        diagnostics
    }

    async fn read(&self, cx: &Context, state: State) -> Result<Option<State>, Diagnostics> {
        let failed = |error: Error| diagnose::error("read the watchdog", &error, cx);
        let Some(cluster) = self.connection.cluster().await.map_err(failed)? else {
            return Ok(Some(State { diagnostics: diagnose::not_refreshed().into(), ..state }));
        };
        let observed = inspect(&cluster, &cx.cancel).await.map_err(failed)?;
        if !observed.exists() {
            return Ok(None);
        }
        let (model, statuses) = Model::decode(&state.value)?.observe(&observed);
        let diagnostics = failing(&model.desired(), &observed);
        Ok(Some(State { value: model.encode(), private: statuses.encode(), diagnostics }))
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> Planned {
        let (prior, mut model) = match request.models::<Model>() {
            Ok(models) => models,
            Err(diagnostics) => return request.refused(diagnostics),
        };
        model.id = Field::Known(ID.to_owned());
        model.controls = Field::Unknown;
        let is_there = prior.is_some();
        // A duration that means what it meant before is no change, however it is spelled.
        if let Some(prior) = prior {
            let none = (&Field::Null, &Field::Null);
            model.controls = controls::planned(&prior.controls, &Statuses::decode(&request.private), none, false);
            let (wanted, before) = (model.desired(), prior.desired());
            if !model.interval.is_unknown() && wanted.interval == before.interval {
                model.interval = prior.interval;
            }
            if !model.transaction_timeout.is_unknown() && wanted.transaction_timeout == before.transaction_timeout {
                model.transaction_timeout = prior.transaction_timeout;
            }
            if model.report.is_wholly_known() && wanted.report == before.report {
                model.report = prior.report;
            }
        }
        let value = model.clone().encode();
        let mut diagnostics = Diagnostics::default();
        if !request.is_second() && !self.connection.walk().await.claim(Claim::Watchdog, ID) {
            diagnostics.push(walk::two_of("pgtenant_watchdog"));
        }
        if request.prior.as_ref() != Some(&value)
            && let Err(mut diagnostic) = self.check_plan(cx, &model).await
        {
            if is_there {
                // Terraform plans this before a destroy as well, which an error would refuse.
                diagnostic.severity = Severity::Warning;
            }
            diagnostics.push(diagnostic);
        }
        Planned { value, private: request.private, diagnostics, ..Planned::default() }
    }

    async fn apply(&self, cx: &Context, request: ApplyRequest) -> Applied {
        let cluster = match self.connection.required(cx).await {
            Ok(cluster) => cluster,
            Err(diagnostic) => return request.unchanged(diagnostic),
        };
        let (prior, planned) = match request.models::<Model>() {
            Ok(models) => models,
            Err(diagnostics) => return request.unchanged(diagnostics),
        };
        let mut watchdog = Watchdog {
            model: planned,
            keeps_actions: prior.as_ref().and_then(|prior| prior.keep_actions.known()).unwrap_or(true),
            database: cluster.maintenance().quoted(),
            creates: None,
        };
        let Reached { observed, outcome } = reconcile(cx, &cluster, &mut watchdog).await;
        let Some(model) = watchdog.model else {
            return match outcome {
                Ok(diagnostics) => Applied { diagnostics, ..Applied::default() },
                Err(diagnostic) => request.unchanged(diagnostic),
            };
        };
        match (outcome, observed) {
            (Ok(said), Some(observed)) => {
                let (state, statuses, mut diagnostics) = installed(&model, &observed);
                diagnostics.extend(said);
                Applied { state: Some(state.encode()), private: statuses.encode(), diagnostics }
            }
            // A create that failed half-way is in the state as well: the next apply goes on from there.
            (Err(diagnostic), Some(observed)) if prior.is_some() || observed.exists() => {
                let (state, statuses) = prior.unwrap_or(model).observe(&observed);
                Applied { state: Some(state.encode()), private: statuses.encode(), diagnostics: diagnostic.into() }
            }
            (Err(diagnostic), _) => request.unchanged(diagnostic),
            (Ok(_), None) => unreachable!("a goal is reached where it was seen"),
        }
    }

    async fn import(&self, cx: &Context, id: &str) -> Result<State, Diagnostics> {
        let failed = |error: Error| diagnose::error("import the watchdog", &error, cx);
        if id != ID {
            return Err(Diagnostic::error(
                format!("There is no watchdog {id:?}"),
                format!("A server has one, and its ID is `{ID}`."),
            )
            .into());
        }
        let cluster = self.connection.required(cx).await?;
        let observed = inspect(&cluster, &cx.cancel).await.map_err(failed)?;
        if !observed.exists() {
            return Err(Diagnostic::error(
                "There is no watchdog on this server",
                "None that belongs to the role that logs in. Leave the import out: an apply installs one.",
            )
            .into());
        }
        let model = Model {
            interval: Field::Known(Desired::default().interval.to_string()),
            keep_actions: Field::Known(true),
            id: Field::Known(ID.to_owned()),
            ..Model::default()
        };
        let (model, statuses) = model.observe(&observed);
        Ok(State { private: statuses.encode(), ..State::from(model.encode()) })
    }
}

impl WatchdogResource {
    /// What can be known at plan time: that nothing stands in the way.
    async fn check_plan(&self, cx: &Context, model: &Model) -> Result<(), Diagnostic> {
        let failed = |error: Error| diagnose::error("plan the watchdog", &error, cx);
        let Some(cluster) = self.connection.cluster().await.map_err(failed)? else { return Ok(()) };
        let observed = inspect(&cluster, &cx.cancel).await.map_err(failed)?;
        check(model, &observed, &cluster.maintenance().quoted())
    }
}

/// What is there of the watchdog now.
pub(super) async fn inspect(cluster: &Cluster, cancel: &CancellationToken) -> Result<Observed, Error> {
    let (cron, job) = cluster.inspect_cron(&watchdog::schema_name(), NAME, cancel).await?;
    Ok(Observed { cron, job })
}

/// What was found of each control, by its name.
fn findings(desired: &Desired, observed: &Observed) -> BTreeMap<String, Finding> {
    let named = |(control, finding): (Control, Finding)| (control.name().to_owned(), finding);
    watchdog::assess(desired, observed).into_iter().map(named).collect()
}

/// The watchdog on its way to being as it is planned, or gone.
struct Watchdog {
    /// `None`: it is to be gone.
    model: Option<Model>,
    /// Whether the table of what it did stays then.
    keeps_actions: bool,
    /// The maintenance database, quoted.
    database: String,
    /// As of the last look.
    creates: Option<Observed>,
}

impl Subject for Watchdog {
    type Observed = Observed;

    fn what(&self) -> String {
        format!("{} the watchdog", if self.model.is_some() { "install" } else { "remove" })
    }

    async fn observe(&mut self, cluster: &Cluster, cancel: &CancellationToken) -> Result<Observed, Error> {
        inspect(cluster, cancel).await
    }

    fn next(&mut self, observed: &Observed) -> Result<Next, Diagnostic> {
        let needed = match &self.model {
            Some(model) => {
                check(model, observed, &self.database)?;
                self.creates = observed.cron.installed.is_none().then(|| observed.clone());
                watchdog::repair(&model.desired(), observed)
            }
            None => watchdog::remove(self.keeps_actions, observed),
        };
        Ok(Next { needed, tried: Vec::new() })
    }

    fn failed(&self, error: &Error, _script: &Script, cx: &Context) -> Diagnostic {
        let denied = error.sqlstate() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
        match &self.creates {
            Some(observed) if denied => not_creatable(error, observed),
            _ => diagnose::error(&self.what(), error, cx),
        }
    }
}

/// What Terraform is told of a watchdog that is as planned.
fn installed(model: &Model, observed: &Observed) -> (Model, Statuses, Diagnostics) {
    let findings = findings(&model.desired(), observed);
    let advice = "To repair it, ask a superuser or the object's owner; what does not belong into the watchdog's schema, move \
                  elsewhere.";
    let (controls, statuses, diagnostics) = controls::settled("controls", &model.controls, &findings, advice);
    let (reached, _) = model.clone().observe(observed);
    (Model { controls, ..reached }, statuses, diagnostics)
}

/// That nothing stands in the way.
fn check(model: &Model, observed: &Observed, database: &str) -> Result<(), Diagnostic> {
    let interval = model.interval.as_known().and_then(|text| text.parse().ok());
    match observed.obstacle(interval) {
        None => Ok(()),
        Some(obstacle) => Err(describe(&obstacle, database)),
    }
}

fn describe(obstacle: &Obstacle, database: &str) -> Diagnostic {
    match obstacle {
        Obstacle::NotLoaded => Diagnostic::error(
            "The server has not loaded pg_cron",
            format!(
                "The watchdog is a job of pg_cron. In postgresql.conf or, on RDS, in the instance's parameter group, \
                 add pg_cron to `shared_preload_libraries`, and set `cron.database_name` to the maintenance database \
                 {database}. Restart the server, and apply again. Elsewhere than on RDS the package comes first: \
                 postgresql-<major>-cron on Debian, pg_cron_<major> on Red Hat."
            ),
        ),
        Obstacle::OtherDatabase(home) => Diagnostic::error(
            format!("pg_cron keeps its jobs in database {home:?}"),
            format!(
                "The watchdog belongs where the provider connects, which is {database}. Set `cron.database_name` to \
                 that and restart the server, or give the provider `database = {home:?}`."
            ),
        ),
        Obstacle::NoUsage { login } => {
            let role = login.parse().map_or_else(|_| login.clone(), |role: RoleName| role.quoted());
            Diagnostic::error(
                "The provider may not use pg_cron",
                format!(
                    "It logs in as {login:?}, which lacks USAGE on the schema `cron`. As the one who created the \
                     extension, in database {database}: GRANT USAGE ON SCHEMA cron TO {role};"
                ),
            )
        }
        Obstacle::NoSeconds { version } => Diagnostic::error(
            format!("pg_cron {version} takes whole minutes only"),
            format!(
                "Intervals in seconds came with pg_cron {}.{}. Set `interval` to `1min` or more, or update the extension.",
                SECONDS_SINCE.0, SECONDS_SINCE.1
            ),
        )
        .at_attribute("interval"),
        Obstacle::Blind { missing } => Diagnostic::error(
            format!("The admin lacks {missing}"),
            format!(
                "Without it the watchdog would see nothing, or end nothing. As a superuser or, on RDS, the master \
                 user: GRANT {missing} TO the role that the provider acts as, which must inherit it."
            ),
        ),
        Obstacle::NoCreate => Diagnostic::error(
            format!("The admin may not create a schema in database {database}"),
            format!("As the database's owner or a superuser: GRANT CREATE ON DATABASE {database} TO the admin role."),
        ),
        Obstacle::Foreign => Diagnostic::error(
            format!("There is a schema {NAME:?} that is not the watchdog's"),
            "Somebody else made it, or another admin owns it. Rename it, drop it, or apply as its owner.",
        ),
    }
}

fn not_creatable(error: &Error, observed: &Observed) -> Diagnostic {
    let login = &observed.cron.login;
    let role = login.parse().map_or_else(|_| login.clone(), |role: RoleName| role.quoted());
    Diagnostic::error(
        "This admin may not create the extension pg_cron",
        format!(
            "{error}.\n\n\
             Have a superuser do it in the maintenance database, then apply again: CREATE EXTENSION pg_cron; GRANT \
             USAGE ON SCHEMA cron TO {role};"
        ),
    )
}

/// A word on a job that fails, or does not run: nothing that an apply repairs.
fn failing(desired: &Desired, observed: &Observed) -> Diagnostics {
    const MORE: &str = "Nothing is ended meanwhile. With `cron.use_background_workers = on` the job needs a free slot of \
                        `max_worker_processes`, with `off` a connection and a way to log in (pg_hba.conf, .pgpass); `SELECT * \
                        FROM cron.job_run_details ORDER BY runid DESC LIMIT 5` has more.";
    let runs = watchdog::assess(desired, observed).remove(&Control::WatchdogRuns);
    let run = observed.job.as_ref().and_then(|job| Some((job, job.last_run.as_ref()?)));
    let Some((job, run)) = run.filter(|_| runs.is_some_and(|finding| finding.status.is_drift())) else {
        return Diagnostics::default();
    };
    if run.status == "failed" {
        let said = run.message.as_deref().unwrap_or("nothing").trim_end_matches(['\n', '.']);
        return Diagnostic::warning("The watchdog's last run failed", format!("pg_cron says: {said}. {MORE}")).into();
    }
    let since = job.seconds_since_success.unwrap_or_default();
    Diagnostic::warning(
        "The watchdog does not run",
        format!("The last run was {since} s ago; it is due every {}. {MORE}", desired.interval),
    )
    .into()
}

//! Every metric filter pattern of `examples/modules/rds-log-metrics`, over the lines that a real PostgreSQL
//! writes when it is driven into each condition, and over those of the real watchdog: a pattern matches its condition's lines
//! and no other's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::pattern::{Fields, Pattern, Words};
use crate::planned;
use crate::support::binaries::Binaries;
use crate::support::postgres::{Options, Rows, SUPERUSER, Server, Session, SqlError};
use crate::support::{eventually, skip};

const TENANTS: [&str; 2] = ["acme", "globex"];

/// The log as RDS has it: its prefix, no statements but those of errors, and what its parameter group turns on.
macro_rules! as_on_rds {
    () => {
        "
log_line_prefix = '%t:%r:%u@%d:[%p]:'
log_statement = none
log_lock_waits = on
log_autovacuum_min_duration = 0
deadlock_timeout = 3s
autovacuum = off
autovacuum_freeze_max_age = 100000
max_connections = 12
"
    };
}
const CONF: &str = as_on_rds!();
/// From 16 on there are two kinds of reserved slots, each with its own words.
const CONF_16: &str = concat!(as_on_rds!(), "reserved_connections = 2\n");

/// A condition, and how PostgreSQL is driven into it.
struct Condition {
    name: &'static str,
    since: u32,
    drive: fn(&Bench),
    /// How many lines say so, by the role that did it, or by the tenant that the watchdog names.
    lines: &'static [(&'static str, usize)],
}

const CONDITIONS: &[Condition] = &[
    condition("statement_timeout", 13, statement_timeout, &[("acme", 1), ("globex", 1)]),
    condition("lock_timeout", 13, lock_timeout, &[("acme", 1)]),
    condition("idle_in_transaction_timeout", 13, idle_in_transaction_timeout, &[("acme", 1)]),
    condition("idle_session_timeout", 14, idle_session_timeout, &[("acme", 1)]),
    condition("transaction_timeout", 17, transaction_timeout, &[("acme", 1)]),
    condition("role_connection_limit", 13, role_connection_limit, &[("acme", 1)]),
    condition("database_connection_limit", 13, database_connection_limit, &[("acme", 1)]),
    condition("slots_reserved", 13, slots_reserved, &[("acme", 1), ("globex", 1)]),
    condition("too_many_clients", 13, too_many_clients, &[("acme", 1)]),
    condition("deadlock", 13, deadlock, &[("acme", 1)]),
    condition("lock_wait", 13, lock_wait, &[("acme", 1)]),
    condition("permission_denied", 13, permission_denied, &[("acme", 2), ("globex", 1)]),
    condition("failed_login", 13, failed_login, &[("acme", 1), ("nobody", 1)]),
    condition("login_not_permitted", 13, login_not_permitted, &[("globex", 1)]),
    condition("temp_file_limit", 13, temp_file_limit, &[("acme", 1)]),
    condition("slow_statement", 13, slow_statement, &[("acme", 1)]),
    condition("long_statement", 13, long_statement, &[("acme", 1)]),
    condition("long_transaction", 13, long_transaction, &[("acme", 1)]),
    condition("long_lock_wait", 13, long_lock_wait, &[("acme", 1)]),
    condition("connections_near_limit", 13, connections_near_limit, &[("acme", 1)]),
    condition("database_age", 13, database_age, &[("-", 1), ("acme", 1), ("globex", 1)]),
    condition("xmin_age", 13, xmin_age, &[("acme", 1)]),
    condition("ended_by_watchdog", 13, ended_by_watchdog, &[("acme", 1)]),
    condition("watchdog_failed", 13, watchdog_failed, &[("acme", 1)]),
];

/// The watchdog as the provider makes it.
const WATCHDOG: &str = concat!(
    "CREATE SCHEMA pgtenant_watchdog;\n",
    include_str!("../../src/tenant/watchdog/actions.sql"),
    ";\n",
    include_str!("../../src/tenant/watchdog/sweep.sql")
);

const fn condition(
    name: &'static str,
    since: u32,
    drive: fn(&Bench),
    lines: &'static [(&'static str, usize)],
) -> Condition {
    Condition { name, since, drive, lines }
}

macro_rules! on_majors {
    ($($name:ident: $major:literal),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                if let Err(reason) = Binaries::find(Some($major)) {
                    return skip(concat!(module_path!(), "::", stringify!($name)), &reason);
                }
                replay($major);
            }
        )+
    };
}
on_majors! { pg13: 13, pg14: 14, pg15: 15, pg16: 16, pg17: 17, pg18: 18 }

struct Bench {
    server: Server,
    /// Stays open: also when all slots are taken it looks on.
    watch: Session,
    /// A comment with the words of every condition. It stands in the statements, which PostgreSQL repeats in
    /// the log behind each error.
    decoy: String,
}

fn replay(major: u32) {
    let module = Module::plan();
    let extra_conf = if major < 16 { CONF } else { CONF_16 };
    let server = Server::start(Options { major: Some(major), extra_conf, ..Options::default() }).unwrap();
    for tenant in TENANTS {
        server.superuser(&format!("CREATE ROLE {tenant} LOGIN PASSWORD 'x'"));
        server.superuser(&format!("CREATE DATABASE {tenant}"));
        server.superuser(&format!("REVOKE ALL ON DATABASE {tenant} FROM PUBLIC"));
        server.superuser(&format!("GRANT CONNECT, TEMPORARY ON DATABASE {tenant} TO {tenant}"));
        let inside = "CREATE SCHEMA closed CREATE TABLE t (a int); CREATE SCHEMA app; CREATE TABLE app.secret (a int);
                      CREATE TABLE app.t (a int PRIMARY KEY, b int); INSERT INTO app.t VALUES (1), (2);";
        let grant = format!("GRANT USAGE ON SCHEMA app TO {tenant}; GRANT ALL ON app.t TO {tenant};");
        server.sql(tenant, SUPERUSER, &format!("{inside}{grant}")).unwrap();
        let marker = format!(
            r#"{{"pgtenant":"{tenant}","stage":"ready","database":"{tenant}","role":"{tenant}","schema":"app"}}"#
        );
        server
            .superuser(&format!("COMMENT ON ROLE {tenant} IS '{marker}'; COMMENT ON DATABASE {tenant} IS '{marker}'"));
    }
    server.superuser(WATCHDOG);
    let watch = server.session("postgres", SUPERUSER).unwrap();
    let words = module.instance.values().flat_map(Pattern::required).cloned().collect::<Vec<_>>().join(" ");
    let start = server.log_mark();
    let bench = Bench { server, watch, decoy: format!("/* {words} */") };

    let mut driven = Vec::new();
    for condition in CONDITIONS.iter().filter(|condition| condition.since <= major) {
        let mark = bench.server.log_mark();
        (condition.drive)(&bench);
        let expected: usize = condition.lines.iter().map(|(_, lines)| lines).sum();
        let own = &module.instance[condition.name];
        bench.rest();
        // The log is written by those who end, and all of them have ended: what comes late is seen below.
        let told = || records(&bench.server.log_since(mark)).iter().filter(|record| own.matches(record)).count();
        let patience = Instant::now() + Duration::from_secs(5);
        while told() < expected && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(10));
        }
        let log = bench.server.log_since(mark);
        module.check(condition.name, Some(condition.lines), &log, major);
        driven.push(condition.name);
    }
    let mark = bench.server.log_mark();
    let own = &module.instance["wraparound_vacuum"];
    wraparound_vacuum(&bench);
    eventually("autovacuum freezes", || {
        let log = bench.server.log_since(mark);
        records(&log).iter().any(|record| own.matches(record) && record.contains("\"acme.app.t\""))
    });
    module.check("wraparound_vacuum", None, &bench.server.log_since(mark), major);
    driven.push("wraparound_vacuum");

    let later = CONDITIONS.iter().filter(|condition| condition.since > major).map(|condition| condition.name);
    driven.extend(later);
    driven.sort_unstable();
    assert_eq!(driven, module.instance.keys().collect::<Vec<_>>(), "every pattern of the module is replayed");
    module.check_parse(&bench.server.log_since(start), &bench.watch);
}

/// What the module would make, as Terraform plans it.
struct Module {
    instance: BTreeMap<String, Pattern>,
    /// Over the lines that are taken apart, by condition.
    roles: BTreeMap<String, Fields>,
    /// Over the words of the watchdog, by condition.
    tenants: BTreeMap<String, Words>,
    queries: Vec<String>,
}

impl Module {
    fn plan() -> Module {
        let plan = planned::module(
            "rds-log-metrics",
            r#"
            db_instance_identifier = "pgtenant"
            tenant_conditions      = [
              "statement_timeout", "lock_timeout", "idle_in_transaction_timeout", "idle_session_timeout",
              "transaction_timeout", "role_connection_limit", "database_connection_limit", "slots_reserved",
              "deadlock", "lock_wait", "permission_denied", "login_not_permitted", "temp_file_limit", "slow_statement",
              "long_statement", "long_transaction", "long_lock_wait", "connections_near_limit", "database_age", "xmin_age",
              "ended_by_watchdog", "watchdog_failed",
            ]
            "#,
        );
        let mut module =
            Module { instance: BTreeMap::new(), roles: BTreeMap::new(), tenants: BTreeMap::new(), queries: Vec::new() };
        for resource in plan.of_type("aws_cloudwatch_log_metric_filter") {
            let (key, values) = (resource["index"].as_str().unwrap().to_owned(), &resource["values"]);
            let pattern = values["pattern"].as_str().unwrap();
            let dimensions = &values["metric_transformation"][0]["dimensions"];
            match resource["name"].as_str().unwrap() {
                "instance" => drop(module.instance.insert(key, Pattern::parse(pattern).unwrap())),
                "role" => {
                    assert_eq!(
                        (&dimensions["role"], &values["apply_on_transformed_logs"]),
                        (&json!("$.userName"), &json!(true))
                    );
                    module.roles.insert(key, Fields::parse(pattern).unwrap());
                }
                _ => {
                    assert_eq!(dimensions["tenant"], "$tenant");
                    module.tenants.insert(key, Words::parse(pattern).unwrap());
                }
            }
        }
        let transformers = plan.of_type("aws_cloudwatch_log_transformer");
        let steps = &transformers[0]["values"]["transformer_config"];
        assert_eq!((transformers.len(), steps.as_array().unwrap().len()), (1, 2));
        assert_eq!(steps[0]["parse_postgres"].as_array().unwrap().len(), 1);
        assert_eq!(steps[1]["grok"][0]["match"], GROK);
        let queries = plan.of_type("aws_cloudwatch_query_definition");
        module.queries =
            queries.iter().map(|query| query["values"]["query_string"].as_str().unwrap().to_owned()).collect();
        assert_eq!((module.instance.len(), module.roles.len(), module.tenants.len()), (25, 14, 8));
        assert!(module.queries.len() > 5);
        module
    }

    /// The log of one condition: its own pattern counts `lines` (or some, where their number is PostgreSQL's
    /// to choose), every other none; the tenants' patterns count by role.
    #[track_caller]
    fn check(&self, condition: &str, lines: Option<&[(&str, usize)]>, log: &str, major: u32) {
        // Whether CloudWatch is given a message with all its lines as one event, or line by line, must not
        // matter. Further lines may be a tenant's own text from end to end: no pattern tells those.
        let messages = records(log);
        let first_lines =
            messages.iter().map(|message| message.lines().next().unwrap_or_default().to_owned()).collect();
        for events in [messages, first_lines] {
            for (name, pattern) in &self.instance {
                let matched: Vec<_> = events.iter().filter(|event| pattern.matches(event)).collect();
                let right = match (name == condition, lines) {
                    (false, _) => matched.is_empty(),
                    (true, None) => !matched.is_empty(),
                    (true, Some(lines)) => matched.len() == lines.iter().map(|(_, lines)| *lines).sum::<usize>(),
                };
                assert!(
                    right,
                    "PostgreSQL {major}, {condition}: the pattern of {name} matches {matched:#?}\nof\n{log}"
                );
            }
            let expected = |name: &str| match (name == condition, lines) {
                (true, Some(lines)) => lines.iter().map(|(who, lines)| ((*who).to_owned(), *lines)).collect(),
                _ => BTreeMap::new(),
            };
            for (name, pattern) in &self.roles {
                let matched =
                    events.iter().filter_map(|event| transformed(event)).filter(|fields| pattern.matches(fields));
                let counted = count(matched.map(|fields| fields["userName"].clone()));
                assert_eq!(counted, expected(name), "PostgreSQL {major}, {condition}: by role, {name} of\n{log}");
            }
            for (name, pattern) in &self.tenants {
                let matched = events.iter().filter_map(|event| pattern.matches(event));
                let values = matched.map(|words| {
                    assert!(words["value"] == "-" || words["value"].parse::<f64>().is_ok(), "{words:?}");
                    words["tenant"].to_owned()
                });
                assert_eq!(
                    count(values),
                    expected(name),
                    "PostgreSQL {major}, {condition}: by tenant, {name} of\n{log}"
                );
            }
        }
    }

    /// The regular expression with which the saved queries take a line apart, run by PostgreSQL: its groups
    /// are plain ones there.
    fn check_parse(&self, log: &str, session: &Session) {
        for query in &self.queries {
            let (_, rest) = query.split_once("parse @message /").unwrap();
            let (regex, _) = rest.split_once("/\n").unwrap();
            let names: Vec<&str> = regex.split("(?<").skip(1).map(|rest| rest.split_once('>').unwrap().0).collect();
            assert_eq!(names, ["role", "database", "pid", "level", "text"]);
            if query != &self.queries[0] {
                assert!(query.contains(regex));
                continue;
            }
            let plain = names.iter().fold(regex.to_owned(), |regex, name| regex.replace(&format!("(?<{name}>"), "("));
            let records = records(log);
            let values: Vec<String> = records.iter().map(|record| format!("($log${record}$log$)")).collect();
            let parsed = session
                .sql(&format!(
                    "SELECT (regexp_match(line, $re${plain}$re$))[1:4] FROM (VALUES {}) AS log (line)",
                    values.join(",")
                ))
                .unwrap();
            for (record, row) in records.iter().zip(&parsed) {
                let parts = row[0].as_deref().unwrap_or_else(|| panic!("not taken apart: {record}"));
                let who = parts.trim_matches(['{', '}']).split(',').take(2).collect::<Vec<_>>();
                let who = format!(":{}@{}:[", who[0].trim_matches('"'), who[1].trim_matches('"'));
                assert!(record.contains(&who), "{parts} of {record}");
            }
        }
    }
}

fn count(names: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    names.fold(BTreeMap::new(), |mut counted, name| {
        *counted.entry(name).or_default() += 1;
        counted
    })
}

const GROK: &str = "%{DATA}]:%{WORD}:%{SPACE}%{GREEDYDATA_MULTILINE:text}";

/// A line as the transformer leaves it, as AWS documents it: the fields of ParsePostgres, and what `GROK` finds.
fn transformed(event: &str) -> Option<BTreeMap<String, String>> {
    let ends = event.match_indices("]:").map(|(end, _)| end);
    let is_level = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let (end, level, text) = ends.into_iter().find_map(|end| {
        let (level, text) = event[end + 2..].split_once(':')?;
        is_level(level).then(|| (end, level, text.trim_start()))
    })?;
    let (origin, process) = event[..end].rsplit_once(":[")?;
    let (time, origin) = origin.split_once(" UTC:")?;
    let (origin, database) = origin.rsplit_once('@')?;
    let (client, role) = origin.rsplit_once(':')?;
    let time = format!("{time} UTC");
    let fields = [
        ("logTime", time.as_str()),
        ("srcIp", client),
        ("userName", role),
        ("dbName", database),
        ("processId", process),
        ("logLevel", level),
        ("text", text),
    ];
    Some(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
}

/// The messages of a log: each begins with a time, its further lines do not.
fn records(log: &str) -> Vec<String> {
    let begins = |line: &str| line.get(4..5) == Some("-") && line.get(10..11) == Some(" ") && line.contains(" UTC:");
    let mut records: Vec<String> = Vec::new();
    for line in log.lines() {
        match records.last_mut() {
            Some(record) if !begins(line) => record.extend(["\n", line]),
            _ => records.push(line.to_owned()),
        }
    }
    records
}

impl Bench {
    fn acme(&self) -> Session {
        self.server.session("acme", "acme").unwrap()
    }

    /// Waits until nobody but `watch` is connected.
    fn rest(&self) {
        eventually("all sessions have ended", || {
            let others = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
            self.watch.sql(others).unwrap() == [[Some("0".to_owned())]]
        });
    }

    /// Waits until somebody waits for a lock.
    fn blocked(&self) {
        eventually("somebody waits", || {
            self.watch.sql("SELECT count(*) FROM pg_locks WHERE NOT granted").unwrap() != [[Some("0".to_owned())]]
        });
    }

    /// A statement that carries the words of all conditions.
    fn with_decoy(&self, statement: &str) -> String {
        format!("{statement} {}", self.decoy)
    }

    /// Opens sessions as one role until it is refused.
    fn fill(&self, database: &str, role: &str) -> Vec<Session> {
        let mut sessions = Vec::new();
        loop {
            match self.server.session(database, role) {
                Ok(session) => sessions.push(session),
                Err(error) => {
                    assert_eq!(error.sqlstate, "53300", "{error}");
                    return sessions;
                }
            }
        }
    }
}

#[track_caller]
fn refused<T>(result: Result<T, SqlError>, sqlstate: &str) {
    match result {
        Ok(_) => panic!("should have failed with {sqlstate}"),
        Err(error) => assert_eq!(error.sqlstate, sqlstate, "{error}"),
    }
}

fn statement_timeout(bench: &Bench) {
    for tenant in TENANTS {
        let session = bench.server.session(tenant, tenant).unwrap();
        session.sql("SET statement_timeout = '50ms'").unwrap();
        refused(session.sql(&bench.with_decoy("SELECT pg_sleep(60)")), "57014");
    }
}

fn lock_timeout(bench: &Bench) {
    let (holder, waiter) = (bench.acme(), bench.acme());
    holder.sql("BEGIN; UPDATE app.t SET b = 1 WHERE a = 1").unwrap();
    waiter.sql("SET lock_timeout = '50ms'").unwrap();
    refused(waiter.sql(&bench.with_decoy("UPDATE app.t SET b = 2 WHERE a = 1")), "55P03");
}

/// A session that the server ends while it does nothing: it is gone before it says a word.
fn ended(bench: &Bench, session: &Session) {
    bench.rest();
    assert!(session.sql("SELECT 1").is_err());
}

fn idle_in_transaction_timeout(bench: &Bench) {
    let session = bench.acme();
    session.sql("SET idle_in_transaction_session_timeout = '50ms'").unwrap();
    session.sql(&bench.with_decoy("BEGIN")).unwrap();
    ended(bench, &session);
}

fn idle_session_timeout(bench: &Bench) {
    let session = bench.acme();
    session.sql(&bench.with_decoy("SET idle_session_timeout = '50ms'")).unwrap();
    ended(bench, &session);
}

fn transaction_timeout(bench: &Bench) {
    let session = bench.acme();
    session.sql("SET transaction_timeout = '50ms'").unwrap();
    assert!(session.sql(&bench.with_decoy("SELECT pg_sleep(60)")).is_err());
}

fn role_connection_limit(bench: &Bench) {
    bench.server.superuser("ALTER ROLE acme CONNECTION LIMIT 1");
    assert_eq!(bench.fill("acme", "acme").len(), 1);
    bench.server.superuser("ALTER ROLE acme CONNECTION LIMIT -1");
}

fn database_connection_limit(bench: &Bench) {
    bench.server.superuser("ALTER DATABASE acme CONNECTION LIMIT 1");
    assert_eq!(bench.fill("acme", "acme").len(), 1);
    bench.server.superuser("ALTER DATABASE acme CONNECTION LIMIT -1");
}

/// Tenants are shut out by the one kind of reserve, and from 16 on who may use that one by the other.
fn slots_reserved(bench: &Bench) {
    let privileged = bench.server.major >= 16;
    if privileged {
        bench.server.superuser("GRANT pg_use_reserved_connections TO globex");
        bench.rest();
    }
    let sessions = bench.fill("acme", "acme");
    assert!(sessions.len() > 2);
    let more = bench.fill("globex", "globex");
    assert_eq!(more.len(), if privileged { 2 } else { 0 });
    drop((sessions, more));
    if privileged {
        bench.rest();
        bench.server.superuser("REVOKE pg_use_reserved_connections FROM globex");
    }
}

fn too_many_clients(bench: &Bench) {
    // Superusers may take the last slot; who comes then is not even looked at.
    let mut sessions = Vec::new();
    for _ in 0..11 {
        sessions.push(bench.server.session("postgres", SUPERUSER).unwrap());
    }
    refused(bench.server.session("acme", "acme"), "53300");
}

fn deadlock(bench: &Bench) {
    let (one, other) = (bench.acme(), bench.acme());
    one.sql("BEGIN; UPDATE app.t SET b = 1 WHERE a = 1").unwrap();
    other.sql("BEGIN; UPDATE app.t SET b = 1 WHERE a = 2").unwrap();
    let outcomes = std::thread::scope(|scope| {
        let statement = bench.with_decoy("UPDATE app.t SET b = 2 WHERE a = 2");
        let first = scope.spawn(move || one.sql(&statement));
        bench.blocked();
        // Each looks for a deadlock when it has waited for deadlock_timeout. Half of it apart, the first finds it,
        // and has given way long before the other would complain of waiting.
        std::thread::sleep(Duration::from_millis(1500));
        let second = other.sql(&bench.with_decoy("UPDATE app.t SET b = 2 WHERE a = 1"));
        drop(other);
        [first.join().unwrap(), second]
    });
    let failed: Vec<_> = outcomes.into_iter().filter_map(Result::err).map(|error| error.sqlstate).collect();
    assert_eq!(failed, ["40P01"]);
}

fn lock_wait(bench: &Bench) {
    let (holder, waiter) = (bench.acme(), bench.acme());
    let mark = bench.server.log_mark();
    holder.sql("BEGIN; UPDATE app.t SET b = 1 WHERE a = 1").unwrap();
    std::thread::scope(|scope| {
        let statement = bench.with_decoy("UPDATE app.t SET b = 2 WHERE a = 1");
        let waiting = scope.spawn(move || waiter.sql(&statement));
        eventually("the wait is logged", || bench.server.log_since(mark).contains("still waiting for ShareLock"));
        holder.sql("COMMIT").unwrap();
        waiting.join().unwrap().unwrap();
    });
}

fn permission_denied(bench: &Bench) {
    let session = bench.acme();
    refused(session.sql(&bench.with_decoy("SELECT * FROM closed.t")), "42501");
    refused(session.sql(&bench.with_decoy("SELECT * FROM app.secret")), "42501");
    refused(bench.server.session("acme", "globex"), "42501");
}

fn failed_login(bench: &Bench) {
    refused(bench.server.session_with_password("acme", "acme", "wrong"), "28P01");
    refused(bench.server.session_with_password("acme", "nobody", "wrong"), "28P01");
}

fn login_not_permitted(bench: &Bench) {
    bench.server.superuser("ALTER ROLE globex NOLOGIN");
    refused(bench.server.session("globex", "globex"), "28000");
    bench.server.superuser("ALTER ROLE globex LOGIN");
}

fn temp_file_limit(bench: &Bench) {
    bench.server.superuser("ALTER ROLE acme SET temp_file_limit = '64kB'");
    let session = bench.acme();
    session.sql("SET work_mem = '64kB'").unwrap();
    let sort = "SELECT count(*) FROM (SELECT md5(g::text) AS h FROM generate_series(1, 50000) g ORDER BY h) s";
    refused(session.sql(&bench.with_decoy(sort)), "53400");
    bench.server.superuser("ALTER ROLE acme RESET temp_file_limit");
}

fn slow_statement(bench: &Bench) {
    bench.server.superuser("ALTER ROLE acme SET log_min_duration_statement = '20ms'");
    let session = bench.acme();
    let slept: Rows = session.sql(&bench.with_decoy("SELECT pg_sleep(0.1)")).unwrap();
    assert_eq!(slept.len(), 1);
    bench.server.superuser("ALTER ROLE acme RESET log_min_duration_statement");
}

impl Bench {
    /// One run of the watchdog, with these thresholds.
    fn sweep(&self, report: &str) {
        self.watch.sql(&format!("SELECT pgtenant_watchdog.sweep(false, NULL, '90 days', '{report}')")).unwrap();
    }

    /// Waits until a session of acme is older than two seconds in what `since` says.
    fn until_late(&self, since: &str) {
        eventually("it is late", || {
            let late = format!(
                "SELECT count(*) FROM pg_stat_activity
                 WHERE usename = 'acme' AND clock_timestamp() - {since} > interval '2.1 s'"
            );
            self.watch.sql(&late).unwrap() == [[Some("1".to_owned())]]
        });
    }
}

fn long_statement(bench: &Bench) {
    let session = bench.acme();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| session.sql(&bench.with_decoy("SELECT pg_advisory_lock(1), pg_sleep(60)")));
        bench.until_late("query_start");
        bench.sweep(r#"{"statement":2}"#);
        bench.watch.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'acme'").unwrap();
        refused(running.join().unwrap(), "57014");
    });
}

fn long_transaction(bench: &Bench) {
    let session = bench.acme();
    session.sql(&bench.with_decoy("BEGIN")).unwrap();
    bench.until_late("xact_start");
    bench.sweep(r#"{"transaction":2}"#);
}

fn long_lock_wait(bench: &Bench) {
    // PostgreSQL itself does not complain meanwhile.
    bench.server.superuser("ALTER ROLE acme SET deadlock_timeout = '1h'");
    let (holder, waiter) = (bench.acme(), bench.acme());
    holder.sql("SELECT pg_advisory_lock(1)").unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| waiter.sql(&bench.with_decoy("SELECT pg_advisory_lock(1)")));
        bench.until_late("CASE WHEN wait_event_type = 'Lock' THEN query_start END");
        bench.sweep(r#"{"lock_wait":2}"#);
        holder.sql("SELECT pg_advisory_unlock(1)").unwrap();
        waiting.join().unwrap().unwrap();
    });
    bench.server.superuser("ALTER ROLE acme RESET deadlock_timeout");
}

fn connections_near_limit(bench: &Bench) {
    bench.server.superuser("ALTER ROLE acme CONNECTION LIMIT 1");
    let _session = bench.acme();
    bench.sweep(r#"{"connections":100}"#);
    bench.server.superuser("ALTER ROLE acme CONNECTION LIMIT -1");
}

/// Each tenant's, and the oldest of the rest.
fn database_age(bench: &Bench) {
    bench.sweep(r#"{"database_age":1}"#);
}

fn xmin_age(bench: &Bench) {
    let session = bench.acme();
    session.sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").unwrap();
    for _ in 0..3 {
        bench.watch.sql("SELECT txid_current()").unwrap();
    }
    bench.sweep(r#"{"xmin_age":3}"#);
}

fn ended_by_watchdog(bench: &Bench) {
    bench.server.superuser("ALTER DATABASE acme SET idle_in_transaction_session_timeout = '1s'");
    let session = bench.acme();
    session.sql("SET idle_in_transaction_session_timeout = 0").unwrap();
    session.sql(&bench.with_decoy("BEGIN")).unwrap();
    bench.until_late("state_change");
    bench.sweep("{}");
    ended(bench, &session);
    bench.sweep("{}");
    bench.server.superuser("ALTER DATABASE acme RESET idle_in_transaction_session_timeout");
}

/// Somebody's open transaction has written what is to be taken back.
fn watchdog_failed(bench: &Bench) {
    bench
        .server
        .superuser("ALTER DATABASE acme SET statement_timeout = '1h'; ALTER ROLE acme SET statement_timeout = 0");
    let holder = bench.acme();
    holder.sql("BEGIN; ALTER ROLE acme SET statement_timeout = 5").unwrap();
    bench.sweep("{}");
    drop(holder);
    bench.rest();
    bench.server.superuser("ALTER DATABASE acme RESET statement_timeout; ALTER ROLE acme RESET statement_timeout");
}

/// Spends transaction IDs until every table is older than `autovacuum_freeze_max_age`: then PostgreSQL
/// freezes, although autovacuum is off.
fn wraparound_vacuum(bench: &Bench) {
    let spend = "DO $$ BEGIN FOR i IN 1..200000 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$";
    bench.watch.sql(spend).unwrap();
}

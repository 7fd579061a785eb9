//! The watchdog: installed, kept as it is, and at work, with the real pg_cron; and what its function does on every
//! major.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::fixture::{CRON, CRON_LOGS_IN, outcome, value, workspace};
use crate::support::postgres::{ADMIN, Options, SUPERUSER, Server, Session, SqlError};
use crate::support::terraform::Workspace;
use crate::support::{eventually, signal, skip};

const THIS: &str = "pgtenant_watchdog.this";

/// What catches its cancellation and goes on.
const TRAP: &str = "SET statement_timeout = 0;
    DO $$ BEGIN
      LOOP
        BEGIN PERFORM pg_sleep(300); EXCEPTION WHEN query_canceled THEN NULL; END;
      END LOOP;
    END $$";

fn watchdog(more: &str) -> String {
    format!("resource \"pgtenant_watchdog\" \"this\" {{\n  {more}\n}}\n")
}

/// Two tenants: one whose statements may take a second, and one that is within its limits on the slowest machine.
fn tenants() -> String {
    let tenant = |name: &str, limit: &str| {
        format!(
            "resource \"pgtenant_tenant\" \"{name}\" {{
               name                = \"{name}\"
               deletion_protection = false
             }}
             resource \"pgtenant_guardrails\" \"{name}\" {{
               tenant                              = pgtenant_tenant.{name}.name
               statement_timeout                   = \"{limit}\"
               idle_in_transaction_session_timeout = \"{limit}\"
               parameters                          = {{ work_mem = \"8MB\" }}
             }}\n"
        )
    };
    tenant("rogue", "1s") + &tenant("neighbour", "1h")
}

/// A server with pg_cron, or the test is skipped by name.
fn server(name: &str, options: Options) -> Option<Server> {
    let extra_conf = if options.extra_conf.is_empty() { CRON } else { options.extra_conf };
    let started = Server::start(Options { admin_owns_maintenance: true, extra_conf, ..options });
    started.inspect_err(|reason| skip(name, &format!("no pg_cron: {reason}"))).ok()
}

/// As a superuser does it where the admin may not.
fn create_extension(server: &Server, admin: &str) {
    server.superuser(&format!("CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO {admin}"));
}

fn count(server: &Server, what: &str) -> String {
    value(server, "postgres", &format!("SELECT count(*) FROM pgtenant_watchdog.actions WHERE {what}"))
}

/// A thread that runs a statement for as long as it is let.
fn busy(server: &Server, role: &str, sql: &'static str) -> std::thread::JoinHandle<Result<(), SqlError>> {
    let session = server.session(role, role).unwrap();
    std::thread::spawn(move || session.sql(sql).map(drop))
}

fn pid(session: &Session) -> String {
    session.sql("SELECT pg_backend_pid()").unwrap()[0][0].clone().unwrap()
}

/// Waits until so many sessions of a role are what they are for longer than the second that they may, and the second of grace.
#[track_caller]
fn until_late(server: &Server, role: &str, sessions: u32) {
    let late = format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE usename = '{role}' AND state <> 'idle' AND clock_timestamp() - state_change > interval '2.1 s'"
    );
    eventually("they are late", || value(server, "postgres", &late) == sessions.to_string());
}

/// Waits for longer than an interval takes, on the slowest machine.
#[track_caller]
fn within_an_interval(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(300), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_cannot_be_cancelled_is_ended_within_one_interval() {
    const NAME: &str = "watchdog::what_cannot_be_cancelled_is_ended_within_one_interval";
    let Some(server) = server(NAME, Options { extra_conf: CRON_LOGS_IN, ..Options::default() }) else { return };
    create_extension(&server, ADMIN);
    let workspace = workspace(&server);
    workspace.write("main.tf", &(tenants() + &watchdog("")));
    workspace.apply();

    let neighbour = server.session("neighbour", "neighbour").unwrap();
    let before = pid(&neighbour);
    let trap = busy(&server, "rogue", TRAP);
    let idler = server.session("rogue", "rogue").unwrap();
    idler.sql("SET idle_in_transaction_session_timeout = 0; SET application_name = 'forgetful'").unwrap();
    idler.sql("BEGIN; SELECT 1").unwrap();
    server.sql("rogue", "rogue", "ALTER ROLE rogue SET statement_timeout = 0").unwrap();
    within_an_interval("both are ended", || {
        neighbour.sql("SELECT 1").expect("a well-behaved neighbour is left alone");
        trap.is_finished() && idler.sql("SELECT 1").is_err()
    });
    assert!(trap.join().unwrap().is_err());
    assert_eq!(pid(&neighbour), before);

    // They are gone before the sweep that ended them has committed.
    let active = "tenant = 'rogue' AND reason = 'statement_timeout' AND observed = 'active'";
    eventually("it is on record", || count(&server, active) == "1");
    let idle =
        "reason = 'idle_in_transaction_session_timeout' AND application_name = 'forgetful' AND expected = '1000ms'";
    assert_eq!(count(&server, idle), "1");
    assert_eq!(count(&server, "reason = 'override of statement_timeout' AND observed = '0' AND pid IS NULL"), "1");
    within_an_interval("that is seen", || count(&server, "ended IS NULL") == "0");
    assert_eq!(count(&server, "tenant <> 'rogue' OR sqlstate IS NOT NULL OR signaled > ended"), "0");
    // Each of it is a line in the server's log.
    let log = server.log_since(0);
    let told = |event: &str| log.matches(&format!("LOG:  pgtenant_watchdog: {event} rogue ")).count();
    for (signal, lines) in [("statement_timeout", 1), ("idle_in_transaction_session_timeout", 1)] {
        assert_eq!((told(&format!("signaled {signal}")), told(&format!("ended {signal}"))), (lines, lines), "{log}");
    }
    assert_eq!(told("reset statement_timeout"), 1, "{log}");
    // No run that began when the limit and the second of grace were over has left it to a later one.
    let late = "SELECT count(*) FROM pgtenant_watchdog.actions a, cron.job_run_details d
                WHERE a.pid IS NOT NULL AND d.start_time > a.started + interval '2 s' AND d.end_time < a.signaled";
    assert_eq!(value(&server, "postgres", late), "0");
    // The override went the same way: there is nothing left to plan.
    workspace.assert_empty_plan();
}

/// With a role that cannot log in as the owner of everything: the job runs as the one that does.
#[test]
fn a_dry_run_ends_nobody() {
    let Some(server) = server("watchdog::a_dry_run_ends_nobody", Options::default()) else { return };
    create_extension(&server, ADMIN);
    server.superuser(&format!(
        "CREATE ROLE pgtenant_admin NOLOGIN CREATEDB CREATEROLE; GRANT rds_superuser TO pgtenant_admin;
         GRANT pgtenant_admin TO {ADMIN}; GRANT CREATE ON DATABASE postgres TO pgtenant_admin"
    ));
    let workspace = workspace(&server);
    workspace.write("provider.tf", "provider \"pgtenant\" { assume_role = \"pgtenant_admin\" }\n");
    workspace.write("main.tf", &(tenants() + &watchdog("dry_run = true")));
    workspace.apply();
    let owner = "SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'pgtenant_watchdog'";
    assert_eq!(value(&server, "postgres", owner), "pgtenant_admin");
    assert_eq!(value(&server, "postgres", "SELECT username FROM cron.job"), ADMIN);

    let idler = server.session("rogue", "rogue").unwrap();
    idler.sql("SET idle_in_transaction_session_timeout = 0").unwrap();
    server.sql("rogue", "rogue", "ALTER ROLE rogue IN DATABASE rogue SET work_mem = '1GB'").unwrap();
    idler.sql("BEGIN; SELECT 1").unwrap();
    within_an_interval("it is recorded", || count(&server, "pid IS NOT NULL") == "1");
    assert_eq!(count(&server, "tenant = 'rogue' AND signaled IS NULL AND ended IS NULL AND sqlstate IS NULL"), "2");
    assert_eq!(count(&server, "reason = 'override of work_mem' AND database = 'rogue' AND observed = '1GB'"), "1");
    idler.sql("SELECT 1").expect("it is not ended");
    // Once is enough.
    let command = value(&server, "postgres", "SELECT command FROM cron.job");
    server.sql("postgres", ADMIN, &command).unwrap();
    assert_eq!(count(&server, "true"), "2");
    let plan = workspace.plan();
    assert_eq!(
        plan.addresses(),
        ["pgtenant_guardrails.rogue"],
        "the override is still there, and still Terraform's to repair"
    );
}

/// Each part broken behind the provider's back, named by the plan, and repaired.
#[test]
fn every_part_is_seen_when_it_drifts() {
    let Some(server) = server("watchdog::every_part_is_seen_when_it_drifts", Options::default()) else { return };
    create_extension(&server, ADMIN);
    server.superuser("CREATE ROLE bystander LOGIN");
    let workspace = workspace(&server);
    workspace.write("main.tf", &watchdog("interval = \"1h\"\n  transaction_timeout = \"10min\""));
    assert_eq!(workspace.plan().actions(THIS), ["create"]);
    workspace.apply();
    assert_eq!(workspace.resource(THIS)["id"], "cluster");
    assert_eq!(outcome(&server, "postgres", "bystander", "SELECT * FROM pgtenant_watchdog.actions"), "42501");
    assert_eq!(
        outcome(&server, "postgres", "bystander", "SELECT pgtenant_watchdog.sweep(false, 1, '1 d', '{}')"),
        "42501"
    );
    workspace.import_fresh(&[(THIS, "cluster")], &[], &[]);

    let job = "SELECT jobid FROM cron.job";
    server.superuser("CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
    for (sql, control, found) in [
        (
            "CREATE TRIGGER evil BEFORE INSERT ON pgtenant_watchdog.actions FOR EACH ROW EXECUTE FUNCTION public.nothing()",
            "actions",
            "found: relation actions has trigger \"evil on pgtenant_watchdog.actions\"",
        ),
        (
            "CREATE RULE evil AS ON INSERT TO pgtenant_watchdog.actions DO INSTEAD NOTHING",
            "actions",
            "found: relation actions has rule \"evil on pgtenant_watchdog.actions\"",
        ),
        (
            "ALTER TABLE pgtenant_watchdog.actions FORCE ROW LEVEL SECURITY, ENABLE ROW LEVEL SECURITY",
            "actions",
            "found: relation actions has row-level security",
        ),
        (
            "ALTER TABLE pgtenant_watchdog.actions ADD CHECK (tenant <> 'rogue') NOT VALID",
            "actions",
            "found: relation actions has other constraints",
        ),
        (
            "GRANT UPDATE (ended) ON pgtenant_watchdog.actions TO bystander",
            "actions",
            "found: bystander has UPDATE on columns of relation actions",
        ),
        (
            "REVOKE INSERT ON pgtenant_watchdog.actions FROM platform_admin",
            "actions",
            "found: platform_admin lacks INSERT on relation actions",
        ),
        (
            "ALTER FUNCTION pgtenant_watchdog.sweep OWNER TO rdsadmin",
            "sweep",
            "found: routine sweep is not owned by platform_admin; rdsadmin owns routine sweep",
        ),
        (
            "ALTER FUNCTION pgtenant_watchdog.sweep STRICT",
            "sweep",
            "found: routine sweep is another than this version's",
        ),
        (
            "CREATE FUNCTION pgtenant_watchdog.sweep(boolean, integer, interval) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'",
            "sweep",
            "found: routine sweep has a namesake, function \"pgtenant_watchdog.sweep(boolean,integer,interval)\"",
        ),
        (
            "COMMENT ON SCHEMA pgtenant_watchdog IS NULL",
            "schema",
            "found: the marker of schema pgtenant_watchdog is missing or not up to date",
        ),
        (
            "UPDATE cron.job SET database = 'template1'",
            "job",
            "found: job pgtenant_watchdog runs in database \"template1\"",
        ),
        (
            "UPDATE cron.job SET nodename = 'elsewhere', nodeport = 1",
            "job",
            "found: job pgtenant_watchdog connects to host \"elsewhere\"; job pgtenant_watchdog connects to port 1",
        ),
        ("DROP FUNCTION pgtenant_watchdog.sweep", "sweep", "found: routine sweep is missing"),
        (
            "ALTER FUNCTION pgtenant_watchdog.sweep SECURITY INVOKER",
            "sweep",
            "found: routine sweep is another than this version's",
        ),
        (
            "ALTER FUNCTION pgtenant_watchdog.sweep RESET search_path",
            "sweep",
            "found: routine sweep is another than this version's",
        ),
        (
            "GRANT EXECUTE ON FUNCTION pgtenant_watchdog.sweep TO PUBLIC",
            "sweep",
            "found: PUBLIC has EXECUTE on routine sweep",
        ),
        (
            "GRANT USAGE ON SCHEMA pgtenant_watchdog TO bystander",
            "schema",
            "found: bystander has USAGE on schema pgtenant_watchdog",
        ),
        (
            "GRANT DELETE ON pgtenant_watchdog.actions TO bystander",
            "actions",
            "found: bystander has DELETE on relation actions",
        ),
        ("DROP TABLE pgtenant_watchdog.actions", "actions", "found: relation actions is missing"),
        ("ALTER TABLE pgtenant_watchdog.actions ADD more text", "actions", "found: relation actions has other columns"),
        (&format!("SELECT cron.unschedule(({job}))"), "job", "found: job pgtenant_watchdog is missing"),
        ("UPDATE cron.job SET active = false", "job", "found: job pgtenant_watchdog is not active"),
        (
            "UPDATE cron.job SET command = 'SELECT 1'",
            "job",
            "found: job pgtenant_watchdog is another than the configuration's",
        ),
    ] {
        server.sql("postgres", SUPERUSER, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let plan = workspace.plan();
        let changes: Vec<_> = plan.diff(THIS).into_iter().map(|change| (change.path, change.before)).collect();
        assert_eq!(changes, [(format!("controls.{control}"), found.into())], "{sql}");
        workspace.apply();
    }
    // What the configuration says is read back from the job itself.
    server.superuser("UPDATE cron.job SET schedule = '* * * * *'");
    assert_eq!(workspace.plan().changes(THIS), ["interval"]);
    workspace.apply();
    assert_eq!(value(&server, "postgres", "SELECT schedule FROM cron.job"), "0 * * * *");

    let report = "report = { statement = \"5min\", connections = 80 }";
    workspace.write("main.tf", &watchdog(&format!("interval = \"1h\"\n  transaction_timeout = \"10min\"\n  {report}")));
    assert_eq!(workspace.plan().changes(THIS), ["report.connections", "report.statement"]);
    workspace.apply();
    workspace.write(
        "main.tf",
        &watchdog(&format!(
            "interval = \"1h\"\n  transaction_timeout = \"10min\"\n  {}",
            report.replace("5min", "300s")
        )),
    );
    workspace.assert_empty_plan();
    server.superuser("UPDATE cron.job SET command = replace(command, '\"statement\":300', '\"statement\":0')");
    assert_eq!(workspace.plan().changes(THIS), ["report.statement"]);
    workspace.apply();

    workspace.write("main.tf", &watchdog("dry_run = true\n  retention_days = 7"));
    assert_eq!(
        workspace.plan().changes(THIS),
        ["dry_run", "interval", "report.connections", "report.statement", "retention_days", "transaction_timeout"]
    );
    workspace.apply();
    let command = value(&server, "postgres", "SELECT command FROM cron.job");
    assert!(
        command
            .starts_with("SELECT pgtenant_watchdog.sweep(true, NULL::bigint, interval '7 days', '{\"connections\":90,"),
        "{command}"
    );

    // What it did is evidence: dropped when that is asked for.
    workspace.destroy();
    assert_eq!(value(&server, "postgres", "SELECT count(*) FROM cron.job"), "0");
    assert_eq!(count(&server, "true"), "0");
    let routines = "SELECT count(*) FROM pg_proc WHERE pronamespace = 'pgtenant_watchdog'::regnamespace";
    assert_eq!(value(&server, "postgres", routines), "0");
    workspace.write("main.tf", &watchdog("keep_actions = false"));
    workspace.apply();
    workspace.destroy();
    assert_eq!(value(&server, "postgres", "SELECT to_regnamespace('pgtenant_watchdog')"), "");
}

/// What blinds or disarms it and is not this admin's to repair: told by the plan, warned of by the apply, and told again.
#[test]
fn what_this_admin_may_not_repair_stays_in_the_plan() {
    let name = "watchdog::what_this_admin_may_not_repair_stays_in_the_plan";
    let Some(server) = server(name, Options::default()) else { return };
    create_extension(&server, ADMIN);
    let workspace = workspace(&server);
    workspace.write("main.tf", &watchdog("interval = \"1h\""));
    workspace.apply();
    for (break_it, mend_it, control, found) in [
        (
            "REVOKE pg_monitor FROM rds_superuser; GRANT pg_read_all_settings TO rds_superuser",
            "GRANT pg_monitor TO rds_superuser",
            "owner",
            "not permitted: platform_admin lacks USAGE on role pg_read_all_stats",
        ),
        (
            "ALTER ROLE platform_admin NOINHERIT",
            "ALTER ROLE platform_admin INHERIT",
            "owner",
            "not permitted: platform_admin lacks USAGE on role pg_read_all_stats; platform_admin lacks USAGE on role \
             pg_signal_backend",
        ),
        (
            "ALTER TABLE pgtenant_watchdog.actions OWNER TO rdsadmin",
            "ALTER TABLE pgtenant_watchdog.actions OWNER TO platform_admin",
            "actions",
            "not permitted: relation actions is not owned by platform_admin; rdsadmin owns relation actions",
        ),
        (
            "CREATE VIEW pgtenant_watchdog.report AS SELECT 1 AS one",
            "DROP VIEW pgtenant_watchdog.report",
            "schema",
            "not permitted: schema pgtenant_watchdog holds view \"pgtenant_watchdog.report\"",
        ),
    ] {
        server.superuser(break_it);
        for _ in 0..2 {
            let changes = workspace.plan().diff(THIS);
            let changes: Vec<_> = changes.into_iter().map(|change| (change.path, change.before)).collect();
            assert_eq!(changes, [(format!("controls.{control}"), found.into())], "{break_it}");
            let applied = workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
            let warning = format!("Warning: Control \"{control}\" is not enforced");
            assert!(applied.stdout.contains(&warning), "{}", applied.stdout);
        }
        assert!(crate::audit::failing(&server, &[]).contains(&format!("watchdog.{control}")));
        server.superuser(mend_it);
        workspace.apply();
    }
}

#[test]
fn a_job_that_fails_is_told() {
    let Some(server) = server("watchdog::a_job_that_fails_is_told", Options::default()) else { return };
    create_extension(&server, ADMIN);
    let workspace = workspace(&server);
    workspace.write("main.tf", &watchdog(""));
    workspace.apply();
    let runs = || workspace.resource(THIS)["controls"]["runs"].clone();
    assert_eq!(runs(), "not inspected: pg_cron has no run of the job on record");
    server.superuser("ALTER TABLE pgtenant_watchdog.actions RENAME TO gone");
    let failed = "SELECT count(*) FROM cron.job_run_details WHERE status = 'failed'";
    within_an_interval("it fails", || value(&server, "postgres", failed) != "0");
    let run = workspace.run(&["plan", "-no-color"]);
    assert!(run.stdout.contains("The watchdog's last run failed"), "{}", run.stdout);
    assert!(run.stdout.contains("found: relation actions is missing"), "{}", run.stdout);
    assert!(run.stdout.contains("not permitted: the last run of job pgtenant_watchdog failed"), "{}", run.stdout);
    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    server.superuser("DROP TABLE pgtenant_watchdog.gone");
    // The last one: an earlier run may have come before the table was renamed.
    let last = "SELECT status FROM cron.job_run_details ORDER BY runid DESC LIMIT 1";
    within_an_interval("it succeeds", || value(&server, "postgres", last) == "succeeded");
    workspace.apply();
    workspace.run(&["apply", "-refresh-only", "-auto-approve"]).ok().unwrap();
    assert_eq!(runs(), "enforced");

    // A run that could not start has no times, and is told all the same.
    server.superuser(
        "INSERT INTO cron.job_run_details (jobid, runid, username, status, return_message)
         SELECT jobid, nextval('cron.runid_seq'), username, 'failed', 'connection failed' FROM cron.job",
    );
    let run = workspace.run(&["plan", "-no-color"]);
    assert!(run.stdout.contains("pg_cron says: connection failed"), "{}", run.stdout);
    // Nor is silence taken for success.
    server.superuser(
        "DELETE FROM cron.job_run_details;
         INSERT INTO cron.job_run_details (jobid, runid, username, status, start_time, end_time)
         SELECT jobid, nextval('cron.runid_seq'), username, 'succeeded', now() - interval '1 h', now() - interval '1 h'
         FROM cron.job",
    );
    let run = workspace.run(&["plan", "-no-color"]);
    assert!(run.stdout.contains("The watchdog does not run"), "{}", run.stdout);
}

#[test]
fn what_stands_in_the_way_is_said_with_the_way_out() {
    let name = "watchdog::what_stands_in_the_way_is_said_with_the_way_out";
    let Some(server) = server(name, Options::default()) else { return };
    let refused = |workspace: &Workspace, words: &[&str]| {
        let message = workspace.plan_error();
        for word in words {
            assert!(message.contains(word), "{word} in {message}");
        }
    };
    let watched = workspace(&server);
    watched.write("main.tf", &watchdog(""));
    // An admin who is no superuser may not create the extension: seen when it is tried.
    let message = watched.apply_error();
    assert!(message.contains("CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO"), "{message}");
    server.superuser("CREATE EXTENSION pg_cron");
    refused(&watched, &["lacks USAGE on the schema `cron`", "GRANT USAGE ON SCHEMA cron TO"]);
    server.superuser(&format!("GRANT USAGE ON SCHEMA cron TO {ADMIN}"));
    if value(&server, "postgres", "SELECT extversion < '1.5' FROM pg_extension WHERE extname = 'pg_cron'") == "t" {
        watched.write("main.tf", &watchdog("interval = \"10s\""));
        refused(&watched, &["takes whole minutes only", "came with pg_cron 1.5"]);
    }
    for (more, words) in [
        ("interval = \"7min\"", "divides an hour"),
        ("interval = \"60\"", "has no unit"),
        ("transaction_timeout = \"0\"", "leave it out for no limit"),
        ("retention_days = 0", "a whole number, 1 to 3650"),
        ("report = { statements = \"5min\" }", "A signal is one of `connections`, `database_age`, `lock_wait`"),
        ("report = { statement = \"300\" }", "has no unit"),
        ("report = { lock_wait = \"1500ms\" }", "whole seconds are needed"),
        ("report = { connections = 101 }", "a whole number from 1 to 100"),
        ("report = { xmin_age = -1 }", "a whole number of transactions from 1 to 2000000000"),
    ] {
        watched.write("main.tf", &watchdog(more));
        refused(&watched, &[words]);
    }
    watched.write("main.tf", &watchdog(""));
    server.superuser("REVOKE pg_monitor FROM rds_superuser; GRANT pg_read_all_settings TO rds_superuser");
    refused(&watched, &["The admin lacks pg_read_all_stats"]);
    server.superuser("GRANT pg_monitor TO rds_superuser; CREATE SCHEMA pgtenant_watchdog");
    refused(&watched, &["that is not the watchdog's"]);
    server.superuser(&format!("DROP SCHEMA pgtenant_watchdog; ALTER DATABASE postgres OWNER TO {SUPERUSER}"));
    refused(&watched, &["may not create a schema", "GRANT CREATE ON DATABASE \"postgres\""]);
    server.superuser("CREATE DATABASE elsewhere");
    let mut elsewhere = workspace(&server);
    elsewhere.env("PGDATABASE", "elsewhere").write("main.tf", &watchdog(""));
    refused(&elsewhere, &["pg_cron keeps its jobs in database \"postgres\"", "database = \"postgres\""]);

    // And a server that has none.
    let bare = workspace(Server::shared());
    bare.write("main.tf", &watchdog(""));
    refused(&bare, &["has not loaded pg_cron", "`shared_preload_libraries`", "`cron.database_name`"]);
}

const INSTALL: &str = concat!(
    "CREATE SCHEMA pgtenant_watchdog;\n",
    include_str!("../../src/tenant/watchdog/actions.sql"),
    ";\n",
    include_str!("../../src/tenant/watchdog/sweep.sql")
);

/// The function by itself, where pg_cron is not to be had: each limit, each override, and nobody else's.
fn sweep(major: u32) {
    let options = Options { major: Some(major), admin_owns_maintenance: true, ..Options::default() };
    let server = Server::start(options).unwrap();
    let workspace = workspace(&server);
    workspace.write("main.tf", &tenants());
    workspace.apply();
    let admin = |sql: &str| server.sql("postgres", ADMIN, sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
    let sweep = |transaction: &str| {
        admin(&format!("SELECT pgtenant_watchdog.sweep(false, {transaction}, '90 days', '{{}}')"))[0][0]
            .clone()
            .unwrap()
    };
    admin(INSTALL);
    assert_eq!(sweep("NULL"), "0");

    let neighbour = server.session("neighbour", "neighbour").unwrap();
    neighbour.sql("SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0").unwrap();
    let trap = busy(&server, "rogue", TRAP);
    let idler = server.session("rogue", "rogue").unwrap();
    idler.sql("SET idle_in_transaction_session_timeout = 0").unwrap();
    idler.sql("BEGIN; SELECT 1").unwrap();
    server.sql("rogue", "rogue", "ALTER ROLE rogue SET \"statement_timeout\" = '0.5h'").unwrap();
    server.sql("rogue", "rogue", "ALTER ROLE rogue IN DATABASE postgres SET work_mem = '1GB'").unwrap();
    // The same in other words, and what is not on record: no override, and the plan's to tell where it matters.
    let own =
        "ALTER ROLE rogue SET idle_in_transaction_session_timeout = ' 1 s'; ALTER ROLE rogue SET enable_sort = off";
    server.sql("rogue", "rogue", own).unwrap();
    // It holds up whoever writes the same row, and is told to end before that is tried.
    idler.sql("ALTER ROLE rogue SET lock_timeout = 0").unwrap();
    until_late(&server, "rogue", 2);
    assert_eq!(sweep("NULL"), "4");
    eventually("both are gone", || trap.is_finished() && idler.sql("SELECT 1").is_err());
    eventually("that is seen, and the rest is done", || {
        sweep("NULL");
        count(&server, "ended IS NULL") == "0"
    });
    let rows = admin(
        "SELECT tenant, reason, expected, observed, database, pid IS NOT NULL, started < signaled AND signaled <= ended
         FROM pgtenant_watchdog.actions ORDER BY reason, database",
    );
    let rows: Vec<String> = rows
        .into_iter()
        .map(|row| row.into_iter().map(|cell| cell.unwrap_or_else(|| "-".to_owned())).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        rows,
        [
            "rogue idle_in_transaction_session_timeout 1000ms idle in transaction rogue t t",
            "rogue override of statement_timeout 1000 0.5h - f -",
            "rogue override of work_mem 8MB 1GB postgres f -",
            "rogue statement_timeout 1000ms active rogue t t",
        ]
    );
    assert!(trap.join().unwrap().is_err());
    assert_eq!(sweep("NULL"), "0");

    // Within each statement's limit, and yet too long.
    neighbour.sql("BEGIN").unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        neighbour.sql("SELECT 1").unwrap();
    }
    if major < 17 {
        assert_eq!(sweep("NULL"), "0");
        assert_eq!(sweep("3600000"), "0");
    }
    assert_eq!(sweep("1500"), "1");
    assert_eq!(count(&server, "tenant = 'neighbour' AND reason = 'transaction_timeout' AND expected = '1500ms'"), "1");
    eventually("it is gone", || neighbour.sql("SELECT 1").is_err());

    // A signal sent is not a session ended. This one is stopped, and looks at none.
    let stuck = server.session("rogue", "rogue").unwrap();
    stuck.sql("SET idle_in_transaction_session_timeout = 0").unwrap();
    stuck.sql("BEGIN; SELECT 1").unwrap();
    let pid = pid(&stuck);
    signal(pid.parse().unwrap(), libc::SIGSTOP);
    until_late(&server, "rogue", 1);
    assert_eq!(sweep("NULL"), "1");
    let row = |condition: &str| count(&server, &format!("pid = {pid} AND signaled IS NOT NULL AND {condition}"));
    assert_eq!(row("ended IS NULL"), "1");
    assert_eq!(sweep("NULL"), "0");
    assert_eq!((row("ended IS NULL"), row("true")), ("1".to_owned(), "1".to_owned()));
    signal(pid.parse().unwrap(), libc::SIGCONT);
    eventually("it is gone", || stuck.sql("SELECT 1").is_err());
    eventually("that is seen", || {
        sweep("NULL");
        row("ended IS NOT NULL") == "1"
    });

    // A row that somebody's open transaction has written is left to the next sweep, and told.
    let holder = server.session("rogue", "rogue").unwrap();
    holder.sql("SET idle_in_transaction_session_timeout = 0; BEGIN").unwrap();
    server.sql("rogue", "rogue", "ALTER ROLE rogue SET statement_timeout = 0").unwrap();
    holder.sql("ALTER ROLE rogue SET statement_timeout = 5000").unwrap();
    assert_eq!(sweep("NULL"), "1");
    assert_eq!(
        count(&server, "reason = 'override of statement_timeout' AND ended IS NULL AND sqlstate = '55P03'"),
        "1"
    );
    end(&server, holder);
    assert_eq!(sweep("NULL"), "1");
    assert_eq!(
        count(&server, "reason = 'override of statement_timeout' AND ended IS NOT NULL AND sqlstate = '55P03'"),
        "1"
    );
    assert_eq!(sweep("NULL"), "0");

    // However many offences there are of one tenant, the last ten thousand are kept, and all of the others'.
    admin(
        "INSERT INTO pgtenant_watchdog.actions (tenant, role, reason, ended)
         SELECT 'rogue', 'rogue', 'flood', now() FROM generate_series(1, 10100)",
    );
    server.sql("rogue", "rogue", "ALTER ROLE rogue SET statement_timeout = 0").unwrap();
    assert_eq!(sweep("NULL"), "1");
    assert_eq!(count(&server, "tenant = 'rogue'"), "10000");
    assert_eq!(count(&server, "tenant = 'rogue' AND reason <> 'flood'"), "1");
    assert_eq!(count(&server, "tenant = 'neighbour'"), "1");

    // Old rows go.
    admin("UPDATE pgtenant_watchdog.actions SET recorded = recorded - interval '91 days' WHERE tenant = 'rogue'");
    sweep("NULL");
    assert_eq!(count(&server, "true"), "1");
    // Nothing is left of the overrides; what no limit is on record for is Terraform's to take back.
    let plan = workspace.plan();
    assert_eq!(plan.addresses(), ["pgtenant_tenant.rogue"]);
    assert_eq!(plan.changes("pgtenant_tenant.rogue"), ["isolation.parameters"]);
    further_roles(&server, &workspace, &sweep);
}

/// The limits hold for a tenant's further roles, but for what one was given otherwise; whoever else is let in has its own.
fn further_roles(server: &Server, workspace: &Workspace, sweep: &dyn Fn(&str) -> String) {
    server.superuser("CREATE ROLE abbot LOGIN; CREATE ROLE access LOGIN");
    let role = |name: &str, more: &str| {
        format!(
            "resource \"pgtenant_role\" \"{name}\" {{\n  tenant = pgtenant_tenant.rogue.name\n  name = \"{name}\"\n  access = \"write\"\n  {more}\n}}\n"
        )
    };
    let visit = |name: &str| {
        format!(
            "resource \"pgtenant_access\" \"{name}\" {{\n  tenant = pgtenant_tenant.rogue.name\n  role = \"{name}\"\n  access = \"read\"\n}}\n"
        )
    };
    let roles = role("rogue_writer", "") + &role("rogue_report", "parameters = { statement_timeout = \"5s\" }");
    workspace.write("main.tf", &(tenants() + &roles + &visit("abbot") + &visit("access")));
    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    assert_eq!(sweep("NULL"), "0");
    for role in ["rogue", "rogue_writer", "rogue_report", "access"] {
        server.sql("rogue", role, &format!("ALTER ROLE {role} SET statement_timeout = 0")).unwrap();
    }
    let idler = server.session("rogue", "rogue_report").unwrap();
    idler.sql("SET idle_in_transaction_session_timeout = 0").unwrap();
    idler.sql("BEGIN; SELECT 1").unwrap();
    let visitor = server.session("rogue", "access").unwrap();
    visitor.sql("SET idle_in_transaction_session_timeout = 0").unwrap();
    visitor.sql("BEGIN; SELECT 1").unwrap();
    until_late(server, "rogue_report", 1);
    assert_eq!(sweep("NULL"), "3");
    for row in [
        "role = 'rogue' AND reason = 'override of statement_timeout'",
        "role = 'rogue_writer' AND reason = 'override of statement_timeout'",
        "role = 'rogue_report' AND reason = 'idle_in_transaction_session_timeout'",
    ] {
        assert_ne!(count(server, &format!("tenant = 'rogue' AND {row}")), "0", "{row}");
    }
    eventually("it is gone", || idler.sql("SELECT 1").is_err());
    visitor.sql("SELECT 1").unwrap();
    drop(visitor);
    eventually("that is seen", || {
        sweep("NULL");
        count(server, "ended IS NULL") == "0"
    });
}

/// Ends a session, and waits until it is gone: one whose client is dropped may be there for a while.
#[track_caller]
fn end(server: &Server, session: Session) {
    let there = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {}", pid(&session));
    drop(session);
    eventually("it is gone", || value(server, "postgres", &there) == "0");
}

/// Calls pg_sleep by the fast path, which is a message of its own and no query.
struct FastPath(UnixStream);

impl FastPath {
    fn open(server: &Server, role: &str) -> Self {
        let mut stream = UnixStream::connect(server.dir.join(format!(".s.PGSQL.{}", server.port))).unwrap();
        let startup = format!("user\0{role}\0database\0{role}\0options\0-c statement_timeout=0\0\0");
        let mut message = (startup.len() as u32 + 8).to_be_bytes().to_vec();
        message.extend(196_608_u32.to_be_bytes());
        message.extend(startup.as_bytes());
        stream.write_all(&message).unwrap();
        // Everything up to ReadyForQuery.
        let mut head = [0; 5];
        loop {
            stream.read_exact(&mut head).unwrap();
            let mut rest = vec![0; u32::from_be_bytes(head[1..].try_into().unwrap()) as usize - 4];
            stream.read_exact(&mut rest).unwrap();
            match head[0] {
                b'Z' => return FastPath(stream),
                b'E' => panic!("{}", String::from_utf8_lossy(&rest)),
                _ => {}
            }
        }
    }

    fn sleep(&mut self, seconds: &str) {
        const PG_SLEEP: u32 = 2626;
        let mut body = PG_SLEEP.to_be_bytes().to_vec();
        // No format codes, so the one argument is text; and so is the result.
        body.extend([0, 0, 0, 1]);
        body.extend((seconds.len() as u32).to_be_bytes());
        body.extend(seconds.as_bytes());
        body.extend([0, 0]);
        let mut message = vec![b'F'];
        message.extend((body.len() as u32 + 4).to_be_bytes());
        message.extend(body);
        self.0.write_all(&message).unwrap();
    }
}

/// What a tenant may try against the sweep: to be overlooked by it, to hold it up, and to break it.
fn evasions(major: u32) {
    let options = Options { major: Some(major), admin_owns_maintenance: true, ..Options::default() };
    let server = Server::start(options).unwrap();
    let workspace = workspace(&server);
    let other_encoding = "resource \"pgtenant_tenant\" \"latin\" {
      name                = \"latin\"
      encoding            = \"LATIN1\"
      lc_collate          = \"C\"
      lc_ctype            = \"C\"
      deletion_protection = false
    }\n";
    workspace.write("main.tf", &(tenants() + other_encoding));
    workspace.apply();
    let admin = |sql: &str| server.sql("postgres", ADMIN, sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
    let tenant = |role: &str, sql: &str| server.sql(role, role, sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
    let sweep = || admin("SELECT pgtenant_watchdog.sweep(false, NULL, '90 days', '{}')")[0][0].clone().unwrap();
    admin(INSTALL);

    let there = "SELECT count(*) FROM pg_stat_activity WHERE state = 'fastpath function call'";
    let mut busy = FastPath::open(&server, "rogue");
    busy.sleep("300");
    until_late(&server, "rogue", 1);
    assert_eq!(sweep(), "1");
    assert_eq!(count(&server, "tenant = 'rogue' AND reason = 'statement_timeout'"), "1");
    eventually("it is gone", || value(&server, "postgres", there) == "0");

    // One that has been idle for longer than a statement may take has not begun one then. On a machine that takes as long for
    // a sweep, that shows nothing: again.
    let may_take = |limit: &str| {
        admin(&format!(
            "ALTER DATABASE neighbour SET statement_timeout = '{limit}'; ALTER ROLE neighbour SET statement_timeout = '{limit}'"
        ))
    };
    may_take("4s");
    let is_left_alone = || {
        let mut rested = FastPath::open(&server, "neighbour");
        std::thread::sleep(Duration::from_millis(5_500));
        let begun = Instant::now();
        rested.sleep("300");
        eventually("it is seen", || value(&server, "postgres", there) == "1");
        sweep();
        let (is_left, took) = (count(&server, "tenant = 'neighbour'") == "0", begun.elapsed());
        server
            .superuser("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'fastpath function call'");
        eventually("it is gone", || value(&server, "postgres", there) == "0");
        admin("DELETE FROM pgtenant_watchdog.actions WHERE tenant = 'neighbour'");
        (took < Duration::from_secs(5)).then_some(is_left)
    };
    assert!((0..10).find_map(|_| is_left_alone()).expect("a sweep takes less than five seconds"));
    may_take("1h");

    // Another encoding breaks neither the sweep nor the provider's reading.
    tenant("latin", "ALTER ROLE latin IN DATABASE latin SET search_path = 'caf\u{e9}'");
    tenant("latin", "ALTER ROLE latin IN DATABASE postgres SET statement_timeout = 0");
    assert_eq!(sweep(), "1");
    assert_eq!(
        count(&server, "tenant = 'latin' AND reason = 'override of statement_timeout' AND database = 'postgres'"),
        "1"
    );
    assert_eq!(workspace.plan().changes("pgtenant_tenant.latin"), ["isolation.search_path"]);
    workspace.apply();

    // The provider's own row is no override, whatever stands above it.
    server.superuser("ALTER DATABASE neighbour SET search_path = 'elsewhere'");
    assert_eq!(sweep(), "0");
    server.superuser("ALTER DATABASE neighbour RESET search_path");

    // A tenant that holds its rows is waited for once, however many there are.
    let everywhere = |value: i32| {
        let set = |database: &&str| {
            ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]
                .map(|name| format!("ALTER ROLE rogue IN DATABASE {database} SET {name} = {value};"))
                .concat()
        };
        ["rogue", "neighbour", "latin", "postgres", "template1"].iter().map(set).collect::<String>()
    };
    tenant("rogue", &everywhere(0));
    let holder = server.session("rogue", "rogue").unwrap();
    holder.sql("SET idle_in_transaction_session_timeout = 0; BEGIN").unwrap();
    holder.sql(&everywhere(1)).unwrap();
    assert_eq!(sweep(), "1");
    assert_eq!(count(&server, "ended IS NULL AND sqlstate = '55P03'"), "1");
    end(&server, holder);
    assert_eq!(sweep(), "15");

    // What nobody would need is taken back as a whole.
    tenant(
        "rogue",
        "DO $$ BEGIN
           EXECUTE (SELECT format('ALTER ROLE rogue SET search_path = %L', string_agg(md5(i::text), ''))
                    FROM generate_series(1, 10000) i);
         END $$; ALTER ROLE rogue SET statement_timeout = 0",
    );
    assert_eq!(sweep(), "1");
    assert_eq!(count(&server, "reason = 'override of everything' AND ended IS NOT NULL AND database IS NULL"), "1");
    let rows = "SELECT count(*) FROM pg_db_role_setting WHERE setrole = 'rogue'::regrole AND setdatabase = 0";
    assert_eq!(value(&server, "postgres", rows), "0");

    // However small it is compressed: as it is stored, this has less than the 100000 bytes.
    tenant(
        "rogue",
        "DO $$ BEGIN EXECUTE format('ALTER ROLE rogue SET search_path = %L', repeat('x', 1000000)); END $$",
    );
    assert_eq!(sweep(), "1");
    assert_eq!(count(&server, "reason = 'override of everything' AND ended IS NOT NULL AND database IS NULL"), "2");
    assert_eq!(value(&server, "postgres", rows), "0");
    workspace.apply();
}

/// Whoever owns another database or role can write a tenant's marker on it, and settings for it.
fn forgeries(major: u32) {
    let options = Options { major: Some(major), admin_owns_maintenance: true, ..Options::default() };
    let server = Server::start(options).unwrap();
    let workspace = workspace(&server);
    workspace.write("main.tf", &tenants());
    workspace.apply();
    let admin = |sql: &str| server.sql("postgres", ADMIN, sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
    let tenant = |role: &str, sql: &str| server.sql(role, role, sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
    let sweep = || admin("SELECT pgtenant_watchdog.sweep(false, NULL, '90 days', '{}')")[0][0].clone().unwrap();
    admin(INSTALL);
    let settings = || {
        server.superuser(
            "SELECT setdatabase::text, setrole::text, setconfig::text FROM pg_db_role_setting
             WHERE setrole = 'neighbour'::regrole ORDER BY setdatabase",
        )
    };
    let before = settings();

    server.superuser("CREATE ROLE eve LOGIN CREATEROLE");
    server.superuser("CREATE DATABASE eve OWNER eve");
    let marker = |of: &str| {
        value(
            &server,
            "postgres",
            &format!("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{of}'"),
        )
    };
    let idle = if major >= 14 { "ALTER DATABASE eve SET idle_session_timeout = 1;" } else { "" };
    tenant(
        "eve",
        &format!(
            "COMMENT ON DATABASE eve IS '{}'; ALTER DATABASE eve SET statement_timeout = 1;
             ALTER DATABASE eve SET idle_in_transaction_session_timeout = 1; ALTER DATABASE eve SET lock_timeout = 1; {idle}",
            marker("neighbour")
        ),
    );
    let session = server.session("neighbour", "neighbour").unwrap();
    let working = busy(&server, "neighbour", "SELECT pg_sleep(5)");
    let waiting = server.session("neighbour", "neighbour").unwrap();
    waiting.sql("BEGIN; SELECT 1").unwrap();
    until_late(&server, "neighbour", 2);
    assert_eq!(sweep(), "0");
    session.sql("SELECT 1").expect("an idle session is left alone");
    waiting.sql("COMMIT").expect("a transaction within its limit is left alone");
    working.join().unwrap().expect("a statement within its limit is left alone");
    assert_eq!(settings(), before);

    // Of two databases of the admin's with one marker, the one that the role's marker names.
    admin("CREATE DATABASE another");
    admin(&format!(
        "COMMENT ON DATABASE another IS '{}'; ALTER DATABASE another SET statement_timeout = 1",
        marker("rogue")
    ));
    // From 16 on a marker on a role of one's own is no better. Before, CREATEROLE is power over every role anyway.
    if major >= 16 {
        let role = format!("CREATE ROLE mallory; COMMENT ON ROLE mallory IS '{}'", marker("rogue"));
        server.sql("postgres", "eve", &role).unwrap();
    }
    assert_eq!(sweep(), "0");
    assert_eq!(settings(), before);

    // The real limits hold all the same, in PostgreSQL's reading: here octal, once 512 ms and once 1000.
    tenant("rogue", "ALTER ROLE rogue SET statement_timeout = '01000'");
    tenant("rogue", "ALTER ROLE rogue SET idle_in_transaction_session_timeout = '01750'");
    // What people wrote beside its marker is none.
    server.superuser(
        "DO $$ BEGIN EXECUTE format('COMMENT ON ROLE rogue IS %L', shobj_description('rogue'::regrole, 'pg_authid')
                                    || E'\n{\"was\":\"neighbour\",\"access\":\"read\"}'); END $$",
    );
    assert_eq!(sweep(), "1");
    assert_eq!(count(&server, "tenant = 'rogue' AND observed = '01000' AND expected = '1000'"), "1");
    for (on_record, of_role, is_the_same) in [
        ("010s", "8 s", true),
        ("1e3", "1s", true),
        ("1.5min", "90000", true),
        ("0.5001min", "30s", true),
        ("0x3E8", "1000", true),
        ("1.5min", "1min", false),
        ("1e3", "1e4", false),
    ] {
        admin(&format!("ALTER DATABASE rogue SET statement_timeout = '{on_record}'"));
        tenant("rogue", &format!("ALTER ROLE rogue SET statement_timeout = '{of_role}'"));
        assert_eq!(sweep(), if is_the_same { "0" } else { "1" }, "{on_record} and {of_role}");
    }
    // And the sweep keeps none of it.
    admin(
        "DO $$ BEGIN
           PERFORM set_config('idle_in_transaction_session_timeout', '7min', true);
           PERFORM pgtenant_watchdog.sweep(false, NULL, '90 days', '{}');
           ASSERT current_setting('idle_in_transaction_session_timeout') = '7min';
         END $$",
    );
}

/// What a call of the function writes to the server's log, without the prefix and the head of each line.
fn told(server: &Server, call: &str) -> Vec<String> {
    let mark = server.log_mark();
    server
        .sql("postgres", ADMIN, &format!("SELECT pgtenant_watchdog.{call}"))
        .unwrap_or_else(|error| panic!("{error}"));
    let log = server.log_since(mark);
    // PostgreSQL itself writes a role's name into the prefix as it is: who wrote a line is told by all that is before its level.
    let own = |line: &str| {
        let (prefix, rest) = line.split_once("LOG:  pgtenant_watchdog: ")?;
        prefix.contains(&format!("{ADMIN}@postgres")).then(|| rest.to_owned())
    };
    log.lines().filter_map(own).collect()
}

/// The same with its numbers of seconds and processes left out.
fn without_numbers(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let [event, signal, tenant, _, limit, role, database, pid] = words[..] else {
        panic!("{line} has not eight words")
    };
    let pid = if pid == "pid=-" { pid } else { "pid=N" };
    [event, signal, tenant, limit, role, database, pid].join(" ")
}

/// Each signal is a line from its threshold on, and not below; each action is one; and no name ends a word or a line.
fn reports(major: u32) {
    let extra_conf = "max_prepared_transactions = 2\n";
    let options = Options { major: Some(major), admin_owns_maintenance: true, extra_conf, ..Options::default() };
    let server = Server::start(options).unwrap();
    let workspace = workspace(&server);
    workspace.write("main.tf", &tenants());
    workspace.apply();
    let admin = |sql: &str| server.sql("postgres", ADMIN, sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
    admin(INSTALL);
    let over = |signal: &str, threshold: i64| {
        let report = format!("sweep(false, NULL, '90 days', '{{\"{signal}\":{threshold}}}')");
        let lines = told(&server, &report).into_iter();
        lines.filter(|line| line.contains(" neighbour ")).map(|line| without_numbers(&line)).collect::<Vec<_>>()
    };
    let at_and_below = |signal: &str, at: i64, line: &str, below: i64| {
        eventually("it is told at the threshold", || over(signal, at) == [line]);
        assert_eq!(over(signal, below), [""; 0], "{signal} below {below}");
        assert_eq!(over(signal, 0), [""; 0], "{signal} is off");
    };

    let idle = server.session("neighbour", "neighbour").unwrap();
    let here = "role=neighbour database=neighbour pid=N";
    idle.sql("SELECT pg_advisory_lock(1)").unwrap();
    idle.sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").unwrap();
    let waiting = busy(&server, "neighbour", "SET lock_timeout = 0; SELECT pg_advisory_lock(1)");
    at_and_below("statement", 2, &format!("over statement neighbour 2 {here}"), 3600);
    at_and_below("transaction", 2, &format!("over transaction neighbour 2 {here}"), 3600);
    at_and_below("lock_wait", 2, &format!("over lock_wait neighbour 2 {here}"), 3600);
    server.superuser("DO $$ BEGIN FOR i IN 1..200 LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$");
    at_and_below("xmin_age", 200, &format!("over xmin_age neighbour 200 {here}"), 1_000_000);
    let database = "over database_age neighbour 1 role=- database=neighbour pid=-";
    at_and_below("database_age", 1, database, 2_000_000_000);
    admin("ALTER ROLE neighbour CONNECTION LIMIT 4; ALTER DATABASE neighbour CONNECTION LIMIT -1");
    at_and_below("connections", 50, "over connections neighbour 50 role=neighbour database=- pid=-", 51);
    admin("ALTER ROLE neighbour CONNECTION LIMIT -1; ALTER DATABASE neighbour CONNECTION LIMIT 4");
    at_and_below("connections", 50, "over connections neighbour 50 role=- database=neighbour pid=-", 51);
    idle.sql("ROLLBACK").unwrap();
    idle.sql("SELECT pg_advisory_unlock(1)").unwrap();
    waiting.join().unwrap().unwrap();
    // What nobody is connected for holds up as much.
    idle.sql("BEGIN").unwrap();
    idle.sql("SELECT txid_current()").unwrap();
    idle.sql("PREPARE TRANSACTION 'forgotten'").unwrap();
    let nobody = "role=neighbour database=neighbour pid=-";
    at_and_below("transaction", 1, &format!("over transaction neighbour 1 {nobody}"), 3600);
    idle.sql("ROLLBACK PREPARED 'forgotten'").unwrap();

    // What PostgreSQL adds to each line.
    let added = |parameters: &str| {
        server.superuser(&format!("ALTER ROLE {ADMIN} {parameters}"));
        let mark = server.log_mark();
        admin("SELECT pgtenant_watchdog.sweep(false, NULL, '90 days', '{\"database_age\":1}')");
        let log = server.log_since(mark);
        let count = |head: &str, of: &str| log.lines().filter(|line| line.contains(head) && line.contains(of)).count();
        let lines = count("LOG:  ", "pgtenant_watchdog: over database_age ");
        assert!(lines > 1, "{log}");
        let function = "pgtenant_watchdog.sweep(";
        (count("CONTEXT:  ", function) / lines, count("STATEMENT:  ", function) / lines)
    };
    assert_eq!(added("RESET ALL"), (1, 1));
    assert_eq!(added("SET log_error_verbosity = terse"), (0, 1));
    assert_eq!(added("RESET ALL"), (1, 1));
    assert_eq!(added("SET log_min_error_statement = fatal"), (1, 0));
    server.superuser(&format!("ALTER ROLE {ADMIN} RESET ALL"));

    // What is done, once each.
    let sweep = |dry: bool| -> Vec<String> {
        let lines = told(&server, &format!("sweep({dry}, NULL, '90 days', '{{}}')")).into_iter();
        lines.map(|line| without_numbers(&line)).collect()
    };
    let idler = server.session("rogue", "rogue").unwrap();
    idler.sql("SET idle_in_transaction_session_timeout = 0").unwrap();
    idler.sql("BEGIN; SELECT 1").unwrap();
    server.sql("rogue", "rogue", "ALTER ROLE rogue SET statement_timeout = 0").unwrap();
    until_late(&server, "rogue", 1);
    let session =
        |event: &str| format!("{event} idle_in_transaction_session_timeout rogue 1 role=rogue database=rogue pid=N");
    let setting = |event: &str| format!("{event} statement_timeout rogue - role=rogue database=- pid=-");
    assert_eq!(sweep(true), [session("found"), setting("found")]);
    assert_eq!(sweep(true), [""; 0]);
    let mut lines = sweep(false);
    eventually("it is gone, and told", || {
        lines.extend(sweep(false));
        lines.len() >= 3
    });
    assert_eq!(lines, [session("signaled"), setting("reset"), session("ended")]);

    // Names that would end a word, a line or a field of a pattern. Only a superuser can give them behind the provider's back.
    let forged = "x\n9:LOG:  pgtenant_watchdog: over statement globex 9 1";
    server.superuser(&format!(
        "ALTER ROLE rogue RENAME TO \"{forged}\"; ALTER DATABASE rogue RENAME TO \"d b\"\"\r[]\u{e9}\""
    ));
    for object in [format!("ROLE \"{forged}\""), "DATABASE \"d b\"\"\r[]\u{e9}\"".to_owned()] {
        let marker = r#"{"pgtenant":"a \" b]%","stage":"ready","database":"rogue","role":"rogue","schema":"app"}"#;
        server.superuser(&format!("COMMENT ON {object} IS '{marker}'"));
    }
    let session = server.session("d b\"\r[]\u{e9}", forged).unwrap();
    session.sql("SET idle_in_transaction_session_timeout = 0").unwrap();
    session.sql("BEGIN; SELECT 1").unwrap();
    until_late(&server, forged, 1);
    let name = "x%0A9%3ALOG%3A%20%20pgtenant_watchdog%3A%20over%20statement%20globex%209%201";
    let lines = told(&server, "sweep(false, NULL, '90 days', '{\"transaction\":1}')");
    let lines: Vec<_> = lines.iter().map(|line| without_numbers(line)).collect();
    let line = |event: &str| {
        format!("{event} 1 role={name} database=d%20b%22%0D%5B%5D%C3%A9 pid=N").replacen(
            " 1 ",
            " a%20%22%20b%5D%25 1 ",
            1,
        )
    };
    assert_eq!(lines[0], line("signaled idle_in_transaction_session_timeout"));
    assert!(lines[1..].iter().all(|told| *told == line("ended idle_in_transaction_session_timeout") || *told == line("over transaction")), "{lines:?}");
    drop(session);

    // However much there is to tell, a run tells so much and no more.
    admin(
        "INSERT INTO pgtenant_watchdog.actions (tenant, role, reason, expected, pid, started, signaled)
         SELECT 'rogue', 'rogue', 'statement_timeout', '1000ms', 9999999, now(), now() FROM generate_series(1, 101)",
    );
    let lines = told(&server, "sweep(false, NULL, '90 days', '{}')");
    assert_eq!(lines.iter().filter(|line| line.starts_with("ended statement_timeout rogue ")).count(), 100);
    assert_eq!(lines.last().unwrap(), "cut lines - 101 100 role=- database=- pid=-");
    for number in 0..21 {
        let marker = format!(
            r#"{{"pgtenant":"t{number}","stage":"ready","database":"t{number}","role":"t{number}","schema":"app"}}"#
        );
        admin(&format!("CREATE ROLE t{number}"));
        admin(&format!("CREATE DATABASE t{number}"));
        admin(&format!("COMMENT ON ROLE t{number} IS '{marker}'; COMMENT ON DATABASE t{number} IS '{marker}'"));
    }
    assert_eq!(told(&server, "sweep(false, NULL, '90 days', '{\"database_age\":1}')").len(), 20);
}

macro_rules! on_a_server_of_its_own {
    ($($test:ident: $body:ident($major:literal)),+ $(,)?) => {
        $(
            #[test]
            fn $test() {
                let name = concat!(module_path!(), "::", stringify!($test));
                if crate::majors::is_there(name, $major) {
                    $body($major);
                }
            }
        )+
    };
}

on_a_server_of_its_own! {
    a_sweep_ends_what_is_beyond_its_limits_on_13: sweep(13),
    a_sweep_ends_what_is_beyond_its_limits_on_14: sweep(14),
    a_sweep_ends_what_is_beyond_its_limits_on_15: sweep(15),
    a_sweep_ends_what_is_beyond_its_limits_on_16: sweep(16),
    a_sweep_ends_what_is_beyond_its_limits_on_17: sweep(17),
    a_sweep_ends_what_is_beyond_its_limits_on_18: sweep(18),
    a_sweep_is_neither_evaded_nor_held_up_on_13: evasions(13),
    a_sweep_is_neither_evaded_nor_held_up_on_15: evasions(15),
    a_sweep_is_neither_evaded_nor_held_up_on_18: evasions(18),
    a_sweep_believes_no_forged_marker_on_13: forgeries(13),
    a_sweep_believes_no_forged_marker_on_15: forgeries(15),
    a_sweep_believes_no_forged_marker_on_18: forgeries(18),
    a_sweep_tells_the_log_on_13: reports(13),
    a_sweep_tells_the_log_on_15: reports(15),
    a_sweep_tells_the_log_on_18: reports(18),
}

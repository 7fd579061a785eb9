//! The life of guardrails, and that PostgreSQL holds a tenant to them.

use std::time::{Duration, Instant};

use crate::fixture::{assert_enforced, guardrails, outcome, tenant, value, workspace};
use crate::support::postgres::Server;

const THIS: &str = "pgtenant_guardrails.this";

on_every_major! {
    limits_are_written_at_both_levels_changed_in_place_and_given_back,
    spelling_is_the_users,
    limits_that_were_written_half_way_are_finished,
    guardrails_that_turn_to_another_tenant_leave_the_first_one_safe,
    guardrails_without_a_tenant_are_refused,
    the_server_holds_a_tenant_to_its_limits,
    a_transaction_is_ended_since_17,
    the_admin_has_its_own_share_of_a_database,
}

/// The rows that hold for a database whatever the role, or for a role whatever the database.
fn rows(server: &Server, of: &str) -> Vec<String> {
    let sql = format!(
        "SELECT unnest(setconfig) FROM pg_db_role_setting
         WHERE setdatabase = coalesce((SELECT oid FROM pg_database WHERE datname = '{of}'), 0)
           AND setrole = coalesce((SELECT oid FROM pg_roles WHERE rolname = '{of}'), 0) ORDER BY 1"
    );
    server.superuser(&sql).into_iter().flatten().flatten().collect()
}

fn limits_are_written_at_both_levels_changed_in_place_and_given_back(server: &Server) {
    let workspace = workspace(server);
    let tenant = tenant("governed", "role = \"governed_role\"");
    workspace.write(
        "main.tf",
        &(tenant.clone()
            + &guardrails(
                "connection_limit = 20
                 statement_timeout = \"30s\"
                 lock_timeout = \"0\"
                 parameters = { work_mem = \"16MB\", TimeZone = \"UTC\" }",
            )),
    );
    workspace.apply();
    let expected = [
        "TimeZone=UTC",
        "idle_in_transaction_session_timeout=60000",
        "lock_timeout=0",
        "statement_timeout=30000",
        "work_mem=16MB",
    ];
    assert_eq!(rows(server, "governed"), expected);
    assert_eq!(rows(server, "governed_role"), expected);
    let limit = |sql: &str| value(server, "postgres", sql);
    assert_eq!(limit("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'governed_role'"), "20");
    assert_eq!(limit("SELECT datconnlimit FROM pg_database WHERE datname = 'governed'"), "25");
    workspace.import_fresh(&[("pgtenant_tenant.this", "governed"), (THIS, "governed")], &[], &["deletion_protection"]);

    workspace.write("main.tf", &(tenant.clone() + &guardrails("parameters = { work_mem = \"32MB\" }")));
    let plan = workspace.plan();
    assert_eq!(
        plan.changes(THIS),
        ["connection_limit", "lock_timeout", "parameters.TimeZone", "parameters.work_mem", "statement_timeout"]
    );
    workspace.apply();
    let expected =
        ["idle_in_transaction_session_timeout=60000", "lock_timeout=10000", "statement_timeout=60000", "work_mem=32MB"];
    assert_eq!(rows(server, "governed"), expected);
    assert_eq!(rows(server, "governed_role"), expected);

    workspace.write("main.tf", &(tenant.clone() + &guardrails("connection_limit = 3\n  statement_timeout = \"5s\"")));
    workspace.apply();
    // Never ungoverned: without guardrails the safe limits hold.
    workspace.write("main.tf", &tenant);
    workspace.apply();
    let safe = ["idle_in_transaction_session_timeout=60000", "lock_timeout=10000", "statement_timeout=60000"];
    assert_eq!(rows(server, "governed"), safe);
    assert_eq!(rows(server, "governed_role"), safe);
    assert_eq!(limit("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'governed_role'"), "10");
    workspace.destroy();
}

fn spelling_is_the_users(server: &Server) {
    let workspace = workspace(server);
    let config = |timeout: &str| tenant("spelled", "") + &guardrails(&format!("statement_timeout = {timeout:?}"));
    workspace.write("main.tf", &config("60s"));
    workspace.apply();
    assert_eq!(workspace.resource(THIS)["statement_timeout"], "60s");
    for same in ["1min", "60000ms", "1 min"] {
        workspace.write("main.tf", &config(same));
        workspace.assert_empty_plan();
    }
    // As a person types it in psql.
    server.superuser("ALTER DATABASE spelled SET statement_timeout = '1 min'");
    workspace.assert_empty_plan();
    workspace.write("main.tf", &config("61s"));
    assert_eq!(workspace.plan().changes(THIS), ["statement_timeout"]);
}

/// As an apply leaves it that is killed between the database's row and the role's: what is on record is what is wanted, and the
/// role's own setting is what it was.
fn limits_that_were_written_half_way_are_finished(server: &Server) {
    let workspace = workspace(server);
    let config = |timeout: &str| {
        tenant("halfway", "role = \"halfway_role\"") + &guardrails(&format!("statement_timeout = {timeout:?}"))
    };
    workspace.write("main.tf", &config("60s"));
    workspace.apply();
    server.superuser("ALTER DATABASE halfway SET statement_timeout = 90000");
    // Where the first value is wanted still, it is drift of the database alone.
    assert_eq!(workspace.plan().changes(THIS), ["statement_timeout"]);
    workspace.write("main.tf", &config("90s"));
    assert_eq!(workspace.plan().changes(THIS), ["overrides"]);
    workspace.apply();
    for level in ["halfway", "halfway_role"] {
        assert!(rows(server, level).contains(&"statement_timeout=90000".to_owned()), "{level}");
    }
}

fn guardrails_that_turn_to_another_tenant_leave_the_first_one_safe(server: &Server) {
    let workspace = workspace(server);
    let config = |governed: &str| {
        format!(
            "resource \"pgtenant_tenant\" \"all\" {{
               for_each = toset([\"turn_a\", \"turn_b\"])
               name = each.key
               deletion_protection = false
             }}
             resource \"pgtenant_guardrails\" \"this\" {{
               tenant = pgtenant_tenant.all[{governed:?}].name
               connection_limit = 33
             }}"
        )
    };
    workspace.write("main.tf", &config("turn_a"));
    workspace.apply();
    workspace.write("main.tf", &config("turn_b"));
    workspace.apply();
    let limit =
        |role| value(server, "postgres", &format!("SELECT rolconnlimit FROM pg_roles WHERE rolname = '{role}'"));
    assert_eq!((limit("turn_a"), limit("turn_b")), ("10".to_owned(), "33".to_owned()));
}

fn guardrails_without_a_tenant_are_refused(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", "resource \"pgtenant_guardrails\" \"this\" {\n  tenant = \"nobody\"\n}\n");
    let message = workspace.apply_error();
    assert!(message.contains("There is no tenant \"nobody\""), "{message}");
}

fn the_server_holds_a_tenant_to_its_limits(server: &Server) {
    let workspace = workspace(server);
    let since_14 = if server.major >= 14 { "idle_session_timeout = \"2s\"" } else { "" };
    workspace.write(
        "main.tf",
        &(tenant("held", "")
            + &guardrails(&format!(
                "connection_limit = 3
                 statement_timeout = \"300ms\"
                 lock_timeout = \"100ms\"
                 idle_in_transaction_session_timeout = \"200ms\"
                 {since_14}"
            ))),
    );
    workspace.apply();

    // More connections than it may have.
    let sessions: Vec<_> = (0..3).map(|_| server.session("held", "held").unwrap()).collect();
    assert_eq!(server.session("held", "held").err().map(|error| error.sqlstate), Some("53300".to_owned()));
    drop(sessions);

    // A runaway query.
    eventually_free(server);
    assert_eq!(outcome(server, "held", "held", "SELECT pg_sleep(30)"), "57014");

    // A lock that somebody else holds.
    server.sql("held", "held", "CREATE TABLE contended ()").unwrap();
    let holder = server.session("held", "rdsadmin").unwrap();
    holder.sql("SET idle_in_transaction_session_timeout = 0").unwrap();
    holder.sql("BEGIN").unwrap();
    holder.sql("LOCK TABLE app.contended").unwrap();
    assert_eq!(outcome(server, "held", "held", "SELECT FROM contended"), "55P03");
    drop(holder);

    // A forgotten transaction, and a forgotten session.
    let idle: &[&str] = if server.major >= 14 { &["BEGIN", "SELECT 1"] } else { &["BEGIN"] };
    for begin in idle {
        let forgotten = server.session("held", "held").unwrap();
        forgotten.sql(begin).unwrap();
        let started = Instant::now();
        let count = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'held'";
        while value(server, "postgres", count) != "0" {
            assert!(started.elapsed() < Duration::from_secs(30), "{begin}: the session is still there");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(forgotten.sql("SELECT 1").is_err());
    }
}

/// Waits until the tenant's ended sessions have given up their slots.
fn eventually_free(server: &Server) {
    let started = Instant::now();
    while value(server, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE usename = 'held'") != "0" {
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn a_transaction_is_ended_since_17(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &(tenant("brief", "") + &guardrails("transaction_timeout = \"300ms\"")));
    if server.major < 17 {
        let message = workspace.plan_error();
        assert!(message.contains("`transaction_timeout` needs PostgreSQL 17"), "{message}");
        return;
    }
    workspace.apply();
    let session = server.session("brief", "brief").unwrap();
    session.sql("BEGIN").unwrap();
    let ended = session.sql("SELECT pg_sleep(30)").unwrap_err();
    assert_eq!(ended.sqlstate, "25P04");
}

/// What the admin works with in parallel is not refused because the tenant's own limit is low.
fn the_admin_has_its_own_share_of_a_database(server: &Server) {
    let workspace = workspace(server);
    let role = "resource \"pgtenant_role\" \"reader\" {\n  tenant = pgtenant_tenant.this.name\n  name = \"roomy_reader\"\n  \
                access = \"read\"\n  connection_limit = 1\n}\n";
    let governed = |share: &str| tenant("roomy", share) + &guardrails("connection_limit = 2") + role;
    let limit = || value(server, "postgres", "SELECT datconnlimit FROM pg_database WHERE datname = 'roomy'");
    for refused in ["0", "-2", "262144"] {
        workspace.write("main.tf", &governed(&format!("admin_connections = {refused}")));
        let error = workspace.plan_error();
        assert!(error.contains("Not a number of connections"), "{error}");
    }
    workspace.write("main.tf", &governed("admin_connections = -1"));
    workspace.apply();
    assert_eq!(limit(), "-1");
    assert_enforced(server, &workspace);
    let audited = crate::audit::failing(server, &["--tenant", "roomy"]);
    let imports = [(THIS, "roomy"), ("pgtenant_tenant.this", "roomy"), ("pgtenant_role.reader", "roomy/roomy_reader")];
    workspace.import_fresh(&imports, &[], &["deletion_protection"]);

    // A limit that somebody sets is drift, as none would be elsewhere.
    server.superuser("ALTER DATABASE roomy CONNECTION LIMIT 8");
    assert!(!workspace.plan().is_empty());
    workspace.apply();
    assert_eq!(limit(), "-1");

    // The tenant's two, the reader's one and the admin's.
    for (share, expected) in [("admin_connections = 2", "5"), ("", "8"), ("admin_connections = -1", "-1"), ("", "8")] {
        workspace.write("main.tf", &governed(share));
        workspace.apply();
        assert_eq!(limit(), expected, "{share}");
        assert_eq!(crate::audit::failing(server, &["--tenant", "roomy"]), audited, "{share}");
    }
    workspace.write("main.tf", &(tenant("roomy", "admin_connections = 1") + role));
    workspace.apply();
    assert_eq!(limit(), "12");
    workspace.destroy();
}

//! Signals, held against sessions, locks and tables that were made to show in them.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{PROVIDER, value, workspace};
use crate::support::eventually;
use crate::support::postgres::{Rows, SUPERUSER, Server, Session, SqlError};
use crate::support::terraform::Workspace;

on_every_major! {
    who_waits_and_for_whom_is_named,
    in_a_queue_the_first_cause_comes_first,
    the_oldest_transaction_and_what_sessions_do_are_seen,
    counters_count_until_they_are_reset,
    the_bloated_table_is_named_while_it_is_locked,
    what_is_hidden_from_the_admin_is_null_and_said,
}

/// Makes tenants, each with a role of its own name: `<tenant>_role`.
fn tenants(server: &Server, names: &[&str]) -> Workspace {
    let workspace = workspace(server);
    let block = |name: &&str| {
        format!(
            "resource \"pgtenant_tenant\" {name:?} {{
               name = {name:?}
               role = \"{name}_role\"
               deletion_protection = false
             }}\n"
        )
    };
    workspace.write("main.tf", &names.iter().map(block).collect::<String>());
    workspace.apply();
    workspace
}

/// What the data source answers, read by a workspace that has nothing else.
#[track_caller]
fn signals(server: &Server, arguments: &str) -> Value {
    let workspace = workspace(server);
    workspace.write("main.tf", &format!("data \"pgtenant_signals\" \"now\" {{\n  {arguments}\n}}\n"));
    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    workspace.resource("data.pgtenant_signals.now")
}

/// The row of one tenant, asked for alone.
#[track_caller]
fn of_tenant(server: &Server, tenant: &str, deep: bool) -> Value {
    let found = signals(server, &format!("tenant = {tenant:?}\n  deep = {deep}"));
    let rows = found["tenants"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["name"]), (1, &json!(tenant)));
    rows[0].clone()
}

/// A session of a role that nothing ends.
fn patient(server: &Server, database: &str, role: &str) -> Session {
    let session = server.session(database, role).unwrap();
    session
        .sql("SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        .unwrap();
    session
}

fn pid(session: &Session) -> i64 {
    session.sql("SELECT pg_backend_pid()").unwrap()[0][0].as_ref().unwrap().parse().unwrap()
}

/// For how many seconds something has gone on that began then, by the server's own clock.
fn seconds_since(server: &Server, began: &str) -> f64 {
    let sql = format!("SELECT extract(epoch FROM clock_timestamp() - ({began}))::float8");
    value(server, "postgres", &sql).parse().unwrap()
}

/// Sends a statement that is to wait, and does not.
fn send(session: Session, sql: &'static str) -> thread::JoinHandle<Result<Rows, SqlError>> {
    thread::spawn(move || session.sql(sql))
}

fn who_waits_and_for_whom_is_named(server: &Server) {
    let _tenants = tenants(server, &["sig_one", "sig_two"]);
    let one = |database| patient(server, database, "sig_one_role");
    let two = |database| patient(server, database, "sig_two_role");
    one("sig_one").sql("CREATE TABLE app.t (); CREATE TABLE app.u ()").unwrap();
    two("sig_two").sql("CREATE TABLE app.t ()").unwrap();
    let admin = |database| server.session(database, SUPERUSER).unwrap();

    // A tenant's own transaction, forgotten.
    let own = one("sig_one");
    own.sql("BEGIN; LOCK TABLE app.t").unwrap();
    // Another tenant, where both may go; it does nothing, in no transaction.
    let other = two("postgres");
    other.sql("SELECT pg_advisory_lock(70001)").unwrap();
    // The admin, in a tenant's database.
    let above = admin("sig_two");
    above.sql("BEGIN; LOCK TABLE app.t").unwrap();
    // A tenant that keeps the admin from changing its role.
    let below = two("sig_two");
    below.sql("BEGIN; ALTER ROLE CURRENT_USER SET work_mem = '8MB'").unwrap();
    // A transaction that has no session.
    let prepared = one("sig_one");
    prepared.sql("BEGIN; LOCK TABLE app.u; PREPARE TRANSACTION 'sig'").unwrap();
    let holders = [pid(&own), pid(&other), pid(&above), pid(&below), 0];

    let waiting = [
        (one("sig_one"), "SELECT pg_sleep(1); SELECT FROM app.t"),
        (one("postgres"), "SELECT pg_advisory_lock(70001)"),
        (two("sig_two"), "SELECT FROM app.t"),
        (admin("postgres"), "ALTER ROLE sig_two_role SET work_mem = '9MB'"),
        (one("sig_one"), "SELECT FROM app.u"),
    ];
    let waiters = waiting.each_ref().map(|(session, _)| pid(session));
    let sent = waiting.map(|(session, sql)| send(session, sql));
    let pids = waiters.map(|pid| pid.to_string()).join(", ");
    let wait = format!("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid IN ({pids})");
    eventually("all five wait", || server.superuser(&wait).len() == waiters.len());

    // Up to 13 nobody notes when the waiting began, after a second of sleep for the first: only when the statement did.
    let waits = waiters.map(|pid| {
        let began = if server.major >= 14 {
            format!("SELECT min(waitstart) FROM pg_locks WHERE pid = {pid} AND NOT granted")
        } else {
            format!("SELECT query_start FROM pg_stat_activity WHERE pid = {pid}")
        };
        move || seconds_since(server, &began)
    });
    let at_least = waits.each_ref().map(|waits| waits());
    let found = signals(server, "");
    let at_most = waits.each_ref().map(|waits| waits());
    let expected = [
        ("sig_one", "sig_one_role", "sig_one", "sig_one_role", "idle in transaction"),
        ("sig_one", "sig_one_role", "sig_two", "sig_two_role", "idle"),
        ("sig_two", "sig_two_role", "", SUPERUSER, "idle in transaction"),
        ("", SUPERUSER, "sig_two", "sig_two_role", "idle in transaction"),
        ("sig_one", "sig_one_role", "", "prepared transaction", ""),
    ];
    let name = |name: &str| if name.is_empty() { Value::Null } else { json!(name) };
    for (at, (tenant, role, blocking_tenant, blocking_role, state)) in expected.into_iter().enumerate() {
        let rows: Vec<_> =
            found["blocked"].as_array().unwrap().iter().filter(|row| row["pid"] == waiters[at]).collect();
        let [row] = rows[..] else { panic!("{tenant} and {blocking_tenant}: {found:#}") };
        let ends = [&row["tenant"], &row["role"], &row["blocking_tenant"], &row["blocking_role"]];
        assert_eq!(ends, [&name(tenant), &name(role), &name(blocking_tenant), &name(blocking_role)]);
        assert_eq!((&row["blocking_pid"], &row["blocking_state"]), (&json!(holders[at]), &name(state)));
        let waited = row["waiting_seconds"].as_f64().unwrap();
        let possible = at_least[at] - 0.01..at_most[at] + 0.01;
        assert!(possible.contains(&waited), "{waited} of {possible:?}");
        let open = row["blocking_transaction_seconds"].as_f64();
        assert_eq!(open.is_some(), state == "idle in transaction", "{row:#}");
        assert!(open.is_none_or(|open| open > waited), "{row:#}");
    }
    let pairs = |tenant: &str| -> Vec<Value> {
        let rows = signals(server, &format!("tenant = {tenant:?}"))["blocked"].as_array().unwrap().clone();
        let mut pids: Vec<_> = rows.into_iter().map(|row| row["pid"].clone()).collect();
        pids.sort_by_key(Value::as_i64);
        pids
    };
    let sorted = |at: &[usize]| -> Vec<Value> {
        let mut pids: Vec<_> = at.iter().map(|at| waiters[*at]).collect();
        pids.sort_unstable();
        pids.into_iter().map(Value::from).collect()
    };
    assert_eq!(pairs("sig_one"), sorted(&[0, 1, 4]));
    assert_eq!(pairs("sig_two"), sorted(&[1, 2, 3]));
    assert_eq!(of_tenant(server, "sig_one", false)["waiting_on_locks"], 3);
    assert_eq!(of_tenant(server, "sig_two", false)["waiting_on_locks"], 1);

    drop((own, other, above, below));
    prepared.sql("ROLLBACK PREPARED 'sig'").unwrap();
    for answer in sent {
        answer.join().unwrap().unwrap();
    }
    server.superuser("ALTER ROLE sig_two_role RESET work_mem");
    let quiet = signals(server, "tenant = \"sig_one\"");
    assert_eq!((&quiet["blocked"], &quiet["tenants"][0]["waiting_on_locks"]), (&json!([]), &json!(0)));
}

fn in_a_queue_the_first_cause_comes_first(server: &Server) {
    let _tenants = tenants(server, &["sig_queue"]);
    let session = || patient(server, "sig_queue", "sig_queue_role");
    let holder = session();
    holder.sql("CREATE TABLE app.t ()").unwrap();
    holder.sql("BEGIN; LOCK TABLE app.t").unwrap();
    let (first, second) = (session(), session());
    let pids = [pid(&holder), pid(&first), pid(&second)];
    let mut sent = Vec::new();
    for (waiting, (session, sql)) in
        [(first, "SELECT FROM app.t"), (second, "BEGIN; LOCK TABLE app.t; COMMIT")].into_iter().enumerate()
    {
        sent.push(send(session, sql));
        let wait = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = 'sig_queue_role'";
        eventually("it waits", || server.superuser(wait).len() == waiting + 1);
    }
    let found = signals(server, "tenant = \"sig_queue\"");
    let rows: Vec<_> = found["blocked"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["pid"].as_i64().unwrap(), row["blocking_pid"].as_i64().unwrap(), row["blocking_state"].clone()))
        .collect();
    let forgotten = json!("idle in transaction");
    let expected =
        [(pids[1], pids[0], forgotten.clone()), (pids[2], pids[0], forgotten), (pids[2], pids[1], json!("active"))];
    assert_eq!(rows, expected);
    drop(holder);
    for answer in sent {
        answer.join().unwrap().unwrap();
    }
}

fn the_oldest_transaction_and_what_sessions_do_are_seen(server: &Server) {
    let _tenants = tenants(server, &["sig_old"]);
    let none = signals(server, "tenant = \"sig_old\"");
    assert_eq!(none["oldest_transaction"], Value::Null);
    let row = &none["tenants"][0];
    for count in ["connections", "active", "idle", "idle_in_transaction", "waiting_on_locks"] {
        assert_eq!(row[count], 0, "{count}");
    }
    for absent in ["longest_statement_seconds", "longest_transaction_seconds", "tables", "dead_tuples"] {
        assert_eq!(row[absent], Value::Null, "{absent}");
    }

    let session = || patient(server, "sig_old", "sig_old_role");
    let forgotten = session();
    forgotten.sql(&format!("SET application_name = '{}'", "worker ".repeat(20))).unwrap();
    forgotten.sql("BEGIN; SELECT 1").unwrap();
    let pid = pid(&forgotten);
    let failed = session();
    failed.sql("BEGIN").unwrap();
    failed.sql("SELECT 1/0").unwrap_err();
    let _idle = session();
    thread::sleep(Duration::from_secs(1));
    let sleeping = send(session(), "SELECT pg_sleep(60)");
    let asleep = "SELECT FROM pg_stat_activity WHERE usename = 'sig_old_role' AND wait_event = 'PgSleep'";
    eventually("the last one sleeps", || server.superuser(asleep).len() == 1);
    thread::sleep(Duration::from_millis(300));

    let age = || seconds_since(server, &format!("SELECT xact_start FROM pg_stat_activity WHERE pid = {pid}"));
    let at_least = age();
    let found = signals(server, "tenant = \"sig_old\"");
    let possible = at_least - 0.01..age() + 0.01;
    let oldest = &found["oldest_transaction"];
    assert_eq!(oldest["pid"], pid);
    assert_eq!((&oldest["tenant"], &oldest["role"]), (&json!("sig_old"), &json!("sig_old_role")));
    assert_eq!(oldest["state"], "idle in transaction");
    // PostgreSQL keeps 63 bytes of it.
    assert_eq!(oldest["application_name"], "worker ".repeat(9));
    let seconds = oldest["seconds"].as_f64().unwrap();
    assert!(possible.contains(&seconds), "{seconds} of {possible:?}");
    let row = &found["tenants"][0];
    for (count, expected) in
        [("connections", 4), ("active", 1), ("idle", 1), ("idle_in_transaction", 2), ("waiting_on_locks", 0)]
    {
        assert_eq!(row[count], expected, "{count}");
    }
    assert_eq!(row["longest_transaction_seconds"], oldest["seconds"]);
    let statement = row["longest_statement_seconds"].as_f64().unwrap();
    assert!((0.3..seconds - 0.9).contains(&statement), "{statement}");
    // Of all, it is this one or an older one.
    let all = signals(server, "");
    assert!(all["oldest_transaction"]["seconds"].as_f64().unwrap() > seconds);
    assert!(all["tenants"].as_array().unwrap().iter().any(|row| row["name"] == "sig_old"));

    server.superuser("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'sig_old_role'");
    assert!(sleeping.join().unwrap().is_err());
    let reader = workspace(server);
    reader.write("main.tf", "data \"pgtenant_signals\" \"now\" {\n  tenant = \"nobody\"\n}\n");
    assert!(reader.plan_error().contains("There is no tenant \"nobody\""));
}

fn counters_count_until_they_are_reset(server: &Server) {
    let _tenants = tenants(server, &["sig_count"]);
    let session = || patient(server, "sig_count", "sig_count_role");
    assert_eq!(of_tenant(server, "sig_count", false)["deadlocks"], 0);

    let (one, two) = (session(), session());
    one.sql("CREATE TABLE app.a (); CREATE TABLE app.b ()").unwrap();
    one.sql("BEGIN; LOCK TABLE app.a").unwrap();
    two.sql("BEGIN; LOCK TABLE app.b").unwrap();
    let one = send(one, "LOCK TABLE app.b; COMMIT");
    let second = two.sql("LOCK TABLE app.a; COMMIT").map(drop);
    drop(two);
    let first = one.join().unwrap().map(drop);
    let states: Vec<_> = [first, second].into_iter().filter_map(Result::err).map(|error| error.sqlstate).collect();
    assert_eq!(states, ["40P01"]);
    let sorter = session();
    sorter.sql("SET work_mem = '64kB'").unwrap();
    sorter
        .sql("SELECT FROM (SELECT g FROM generate_series(1, 200000) g ORDER BY md5(g::text)) s OFFSET 199999")
        .unwrap();
    drop(sorter);

    let row = || of_tenant(server, "sig_count", false);
    eventually("a deadlock and a sort are counted", || {
        let row = row();
        row["deadlocks"] == 1 && row["temp_bytes"].as_i64().unwrap() > 1_000_000
    });
    let counted = row();
    let statistics = |column: &str| {
        value(server, "postgres", &format!("SELECT {column} FROM pg_stat_database WHERE datname = 'sig_count'"))
    };
    for column in ["deadlocks", "temp_bytes", "temp_files"] {
        assert_eq!(counted[column].to_string(), statistics(column), "{column}");
    }
    assert!(counted["commits"].as_i64().unwrap() > 0 && counted["rollbacks"].as_i64().unwrap() > 0, "{counted:#}");
    let ratio = counted["cache_hit_ratio"].as_f64().unwrap();
    assert!(ratio > 0.0 && ratio <= 1.0, "{ratio}");
    let size: i64 = value(server, "postgres", "SELECT pg_database_size('sig_count')").parse().unwrap();
    assert!((counted["size_bytes"].as_i64().unwrap() - size).abs() < 1 << 20, "{size}: {counted:#}");
    let age = "SELECT age(datfrozenxid) FROM pg_database WHERE datname = 'sig_count'";
    let age: i64 = value(server, "postgres", age).parse().unwrap();
    let seen = counted["transaction_id_age"].as_i64().unwrap();
    assert!((0..=age).contains(&seen) && age - seen < 10_000, "{seen} of {age}");

    let reset = "coalesce(to_char(stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), 'null')";
    assert_eq!(counted["stats_reset"].as_str().unwrap_or("null"), statistics(reset));
    // A second is what the time is told in.
    thread::sleep(Duration::from_millis(1100));
    server.sql("sig_count", SUPERUSER, "SELECT pg_stat_reset()").unwrap();
    eventually("the counters are reset", || row()["deadlocks"] == 0);
    let after = row();
    assert_eq!(after["temp_bytes"], 0);
    assert_eq!(after["stats_reset"].as_str(), Some(statistics(reset).as_str()));
    assert_ne!(after["stats_reset"], counted["stats_reset"]);
}

fn the_bloated_table_is_named_while_it_is_locked(server: &Server) {
    let _tenants = tenants(server, &["sig_bloat"]);
    let session = || patient(server, "sig_bloat", "sig_bloat_role");
    let making = session();
    for sql in [
        "CREATE TABLE app.healthy AS SELECT g AS id FROM generate_series(1, 20000) g",
        "CREATE TABLE app.bloated (id int, filler text) WITH (autovacuum_enabled = false)",
        "INSERT INTO app.bloated SELECT g, repeat('x', 31) FROM generate_series(1, 20000) g",
        "UPDATE app.bloated SET id = -id",
        "UPDATE app.bloated SET id = -id",
    ] {
        making.sql(sql).unwrap();
    }
    drop(making);
    let asked = |column: &str, table: &str| -> i64 {
        let sql = format!("SELECT {column} FROM pg_stat_all_tables WHERE relid = 'app.{table}'::regclass");
        value(server, "sig_bloat", &sql).parse().unwrap()
    };
    eventually("the dead rows are counted", || asked("n_dead_tup", "bloated") > 20_000);
    let (live, dead) = (asked("n_live_tup", "bloated"), asked("n_dead_tup", "bloated"));
    let size = asked("pg_relation_size(relid)", "bloated");

    // Whoever locks a table holds up its own sessions, and not what looks on.
    let locking = session();
    locking.sql("BEGIN; LOCK TABLE app.bloated").unwrap();
    let row = of_tenant(server, "sig_bloat", true);
    let tables = row["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 1, "{row:#}");
    let worst = &tables[0];
    assert_eq!((&worst["schema"], &worst["table"]), (&json!("app"), &json!("bloated")));
    assert_eq!((&worst["live_tuples"], &worst["dead_tuples"]), (&json!(live), &json!(dead)));
    assert_eq!((&worst["last_vacuum"], &worst["last_autovacuum"]), (&Value::Null, &Value::Null));
    // Never analysed: a guess, and not far off.
    let guessed = worst["size_bytes"].as_i64().unwrap();
    assert!((size / 2..size * 2).contains(&guessed), "{guessed} for {size}");
    assert_eq!(row["dead_tuples"], dead);
    assert_eq!(row["estimated_bloat_bytes"], worst["estimated_bloat_bytes"]);
    drop(locking);

    session().sql("ANALYZE app.bloated").unwrap();
    eventually("the analysis is counted", || asked("analyze_count", "bloated") == 1);
    let (live, dead) = (asked("n_live_tup", "bloated"), asked("n_dead_tup", "bloated"));
    let worst = of_tenant(server, "sig_bloat", true)["tables"][0].clone();
    assert_eq!(worst["size_bytes"], size);
    let part = size * dead / (live + dead);
    assert!((worst["estimated_bloat_bytes"].as_i64().unwrap() - part).abs() <= 1, "{part}: {worst:#}");

    // Large values are beside the table.
    let making = session();
    for sql in [
        "CREATE TABLE app.fat (v text) WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false)",
        "ALTER TABLE app.fat ALTER COLUMN v SET STORAGE EXTERNAL",
        "INSERT INTO app.fat SELECT repeat('x', 20000) FROM generate_series(1, 300)",
        "UPDATE app.fat SET v = repeat('y', 20000)",
    ] {
        making.sql(sql).unwrap();
    }
    drop(making);
    eventually("the dead values are counted", || asked("n_dead_tup", "fat") == 300);
    let toast = asked("pg_relation_size((SELECT reltoastrelid FROM pg_class WHERE oid = relid))", "fat");
    let worst = of_tenant(server, "sig_bloat", true)["tables"].clone();
    let order: Vec<_> = worst.as_array().unwrap().iter().map(|table| table["table"].as_str().unwrap()).collect();
    assert_eq!(order, ["fat", "bloated"]);
    let estimated = worst[0]["estimated_bloat_bytes"].as_i64().unwrap();
    assert!((toast * 4 / 10..toast * 6 / 10).contains(&estimated), "{estimated} of {toast}");

    for table in ["bloated", "fat"] {
        session().sql(&format!("VACUUM app.{table}")).unwrap();
        eventually("the vacuum is counted", || asked("vacuum_count", table) == 1);
    }
    server.sql("sig_bloat", SUPERUSER, "DELETE FROM app.bloated WHERE id <= 10").unwrap();
    eventually("a few rows are dead", || asked("n_dead_tup", "bloated") == 10);
    let row = of_tenant(server, "sig_bloat", true);
    assert_eq!((&row["dead_tuples"], &row["tables"][0]["table"]), (&json!(10), &json!("bloated")));
    assert!(row["tables"][0]["last_vacuum"].as_str().is_some_and(|time| time.ends_with('Z')), "{row:#}");
}

fn what_is_hidden_from_the_admin_is_null_and_said(server: &Server) {
    let _tenants = tenants(server, &["sig_hidden"]);
    let role = "sig_short_sighted";
    let verifier = postgres_protocol::password::scram_sha_256(server.admin_password.as_bytes());
    server.superuser(&format!("CREATE ROLE {role} LOGIN CREATEDB CREATEROLE PASSWORD '{verifier}'"));
    // A marker is believed on what the admin owns or administers; that alone shows it no sessions, and lets it in nowhere.
    server.superuser(&format!(
        "ALTER DATABASE sig_hidden OWNER TO {role}; REVOKE CONNECT ON DATABASE sig_hidden FROM {role}"
    ));
    if server.major >= 16 {
        server.superuser(&format!("GRANT sig_hidden_role TO {role} WITH ADMIN TRUE, INHERIT FALSE"));
    }
    let busy = patient(server, "sig_hidden", "sig_hidden_role");
    busy.sql("BEGIN").unwrap();

    let mut reader = Workspace::new(PROVIDER);
    reader.envs(server.env()).env("PGUSER", role);
    reader.write("main.tf", "data \"pgtenant_signals\" \"now\" {\n  tenant = \"sig_hidden\"\n  deep = true\n}\n");
    let diagnostics = reader.run(&["plan", "-json"]).ok().unwrap().diagnostics();
    assert_eq!(diagnostics.len(), 1, "{diagnostics:#?}");
    assert_eq!(diagnostics[0]["severity"], "warning");
    assert!(diagnostics[0]["detail"].as_str().unwrap().contains("pg_read_all_stats"), "{diagnostics:#?}");
    reader.run(&["apply", "-auto-approve"]).ok().unwrap();
    let found = reader.resource("data.pgtenant_signals.now");
    assert_eq!(found["oldest_transaction"], Value::Null);
    let row = &found["tenants"][0];
    assert_eq!((&row["connections"], &row["deadlocks"]), (&json!(1), &json!(0)));
    for hidden in ["active", "idle_in_transaction", "longest_transaction_seconds", "size_bytes", "tables"] {
        assert_eq!(row[hidden], Value::Null, "{hidden}");
    }
    let admin = crate::support::postgres::ADMIN;
    server.superuser(&format!("ALTER DATABASE sig_hidden OWNER TO {admin}"));
}

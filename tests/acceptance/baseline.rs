//! The baseline of a server: closed, kept closed, and given back when that is asked for.

use crate::fixture::{outcome, tenant, value, workspace};
use crate::support::postgres::{ADMIN, Admin, Options, SUPERUSER, Server};
use crate::support::terraform::Workspace;
use crate::support::{children, eventually, signal};

const THIS: &str = "pgtenant_cluster_baseline.this";
/// PUBLIC's part in what a new server grants: what is there before, and after it was given back.
const OPEN: &str = "postgres CONNECT, postgres TEMPORARY, template1 CONNECT";

fn baseline(more: &str) -> String {
    format!("resource \"pgtenant_cluster_baseline\" \"this\" {{\n  {more}\n}}\n")
}

/// A server of its own, for its baseline is the whole server's, with a role that was granted nothing.
fn server(options: Options) -> Server {
    let server = Server::start(options).unwrap();
    server.superuser("CREATE ROLE bystander LOGIN");
    server
}

fn owned(major: u32) -> Options {
    Options { major: Some(major), admin_owns_maintenance: true, ..Options::default() }
}

/// What PUBLIC holds on the two databases.
fn public(server: &Server) -> String {
    value(
        server,
        "postgres",
        "SELECT string_agg(datname || ' ' || privilege_type, ', ' ORDER BY datname, privilege_type)
         FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
         WHERE grantee = 0 AND datname IN ('postgres', 'template1')",
    )
}

fn creates_in_public(server: &Server, database: &str) -> String {
    value(server, database, "SELECT has_schema_privilege('public', 'public', 'CREATE')")
}

/// The controls of the server as a whole, which are enforced in all of these tests but where they say otherwise.
const CLUSTER: [&str; 4] = ["markers", "other_databases", "parameters", "server_privileges"];

#[track_caller]
fn assert_controls(workspace: &Workspace, expected: [(&str, &str); 4]) {
    let found = workspace.resource(THIS)["controls"].clone();
    let cluster = CLUSTER.map(|control| (control, "enforced"));
    let expected: serde_json::Map<_, _> =
        expected.into_iter().chain(cluster).map(|(control, found)| (control.to_owned(), found.into())).collect();
    assert_eq!(found, serde_json::Value::Object(expected));
}

const ENFORCED: [(&str, &str); 4] = [
    ("postgres.public_privileges", "enforced"),
    ("postgres.public_schema", "enforced"),
    ("template1.public_privileges", "enforced"),
    ("template1.public_schema", "enforced"),
];

fn life(major: u32) {
    let server = server(owned(major));
    let workspace = workspace(&server);
    workspace.write("tenant.tf", &tenant("visitor", ""));
    workspace.apply();
    let visits = |database: &str, sql: &str| outcome(&server, database, "visitor", sql);
    assert_eq!(public(&server), OPEN);
    for database in ["postgres", "template1"] {
        assert_eq!(visits(database, "SELECT 1"), "1");
        let may_create = if server.major < 15 { "ok" } else { "42501" };
        assert_eq!(visits(database, "CREATE TABLE public.planted (); DROP TABLE public.planted"), may_create);
        if server.major < 15 {
            // A superuser owns it there. What an admin meets who does not own it is tried below.
            server.sql(database, SUPERUSER, &format!("ALTER SCHEMA public OWNER TO {ADMIN}")).unwrap();
        }
    }
    workspace.write("main.tf", &baseline(""));
    assert_eq!(workspace.plan().actions(THIS), ["create"]);
    workspace.apply();
    assert_eq!(workspace.resource(THIS)["id"], "cluster");
    assert_controls(&workspace, ENFORCED);
    for database in ["postgres", "template1"] {
        assert_eq!(visits(database, "SELECT 1"), "42501");
        // Who is let in by name still creates nothing.
        server.superuser(&format!("GRANT CONNECT ON DATABASE {database} TO bystander"));
        assert_eq!(outcome(&server, database, "bystander", "SELECT 1"), "1");
        assert_eq!(outcome(&server, database, "bystander", "CREATE TABLE public.planted ()"), "42501");
    }
    workspace.assert_empty_plan();
    let imports = [(THIS, "cluster"), ("pgtenant_tenant.this", "visitor")];
    workspace.import_fresh(&imports, &[], &["deletion_protection"]);
    let unknown = workspace.run(&["import", THIS, "postgres"]);
    assert!(unknown.message().contains("its ID is `cluster`"), "{}", unknown.message());

    for (database, sql, control, found) in [
        (
            "postgres",
            "GRANT CONNECT ON DATABASE postgres TO PUBLIC",
            ENFORCED[0].0,
            "found: PUBLIC has CONNECT on database postgres",
        ),
        (
            "postgres",
            "GRANT CREATE, TEMPORARY ON DATABASE template1 TO PUBLIC",
            ENFORCED[2].0,
            "found: PUBLIC has CREATE, TEMPORARY on database template1",
        ),
        (
            "postgres",
            "GRANT CREATE ON SCHEMA public TO PUBLIC",
            ENFORCED[1].0,
            "found: PUBLIC has CREATE on schema public",
        ),
        (
            "template1",
            "GRANT CREATE ON SCHEMA public TO PUBLIC",
            ENFORCED[3].0,
            "found: PUBLIC has CREATE on schema public",
        ),
    ] {
        server.sql(database, SUPERUSER, sql).unwrap();
        let plan = workspace.plan();
        assert_eq!(plan.actions(THIS), ["update"], "{sql}");
        let changes: Vec<_> = plan.diff(THIS).into_iter().map(|change| (change.path, change.before)).collect();
        assert_eq!(changes, [(format!("controls.{control}"), found.into())], "{sql}");
        workspace.apply();
    }
    // To read in `public` is left to everybody.
    assert_eq!(value(&server, "postgres", "SELECT has_schema_privilege('public', 'public', 'USAGE')"), "t");

    // What was granted since the databases were closed is not what was taken.
    workspace.write("main.tf", &baseline("restore_on_destroy = true"));
    assert_eq!(workspace.plan().changes(THIS), ["restore_on_destroy"]);
    workspace.apply();
    workspace.destroy();
    assert_eq!(public(&server), OPEN);
    let before = if server.major < 15 { "t" } else { "f" };
    for database in ["postgres", "template1"] {
        assert_eq!(creates_in_public(&server, database), before, "{database}");
    }

    workspace.write("main.tf", &baseline(""));
    workspace.apply();
    workspace.destroy();
    assert_eq!(public(&server), "");
    assert_eq!(creates_in_public(&server, "template1"), "f");
}

/// On every major, each with a server of its own.
macro_rules! life_on {
    ($($test:ident: $major:literal),+ $(,)?) => {
        $(
            #[test]
            fn $test() {
                let name = concat!(module_path!(), "::", stringify!($test));
                if crate::majors::is_there(name, $major) {
                    life($major);
                }
            }
        )+
    };
}

life_on! {
    closed_kept_closed_and_given_back_on_13: 13,
    closed_kept_closed_and_given_back_on_14: 14,
    closed_kept_closed_and_given_back_on_15: 15,
    closed_kept_closed_and_given_back_on_16: 16,
    closed_kept_closed_and_given_back_on_17: 17,
    closed_kept_closed_and_given_back_on_18: 18,
}

/// An admin who owns neither the databases nor their schemas: what it may not change stays in the plan until it is accepted.
#[test]
fn what_this_admin_may_not_change_stays_in_the_plan_until_it_is_accepted() {
    let name = "baseline::what_this_admin_may_not_change_stays_in_the_plan_until_it_is_accepted";
    for major in [15, 13].into_iter().filter(|major| crate::majors::is_there(name, *major)) {
        let server = server(Options { major: Some(major), ..Options::default() });
        let workspace = workspace(&server);
        workspace.write("main.tf", &baseline(""));
        let applied = workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
        let theirs = "accepted: PUBLIC has CREATE on schema public (PostgreSQL 13 and 14: a superuser owns the schema public of \
                      each new database, and no other admin may change it)";
        let schema = if server.major < 15 { theirs } else { "enforced" };
        assert_controls(
            &workspace,
            [
                (ENFORCED[0].0, "not permitted: PUBLIC has CONNECT, TEMPORARY on database postgres"),
                (ENFORCED[1].0, schema),
                (ENFORCED[2].0, "not permitted: PUBLIC has CONNECT on database template1"),
                (ENFORCED[3].0, schema),
            ],
        );
        let doors = [ENFORCED[0].0, ENFORCED[2].0];
        for control in doors {
            let warning = format!("Warning: Control \"{control}\" is not enforced");
            assert!(applied.stdout.contains(&warning), "{}", applied.stdout);
        }
        assert_eq!(public(&server), OPEN);
        for _ in 0..2 {
            assert_eq!(workspace.plan().changes(THIS), doors.map(|control| format!("controls.{control}")));
            workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
        }
        let accept = "accept = {
            \"postgres.public_privileges\"  = \"a database of others\"
            \"template1.public_privileges\" = \"a database of others\"
          }";
        workspace.write("main.tf", &baseline(accept));
        workspace.apply();
        let found = workspace.resource(THIS)["controls"]["template1.public_privileges"].clone();
        assert_eq!(found, "accepted: PUBLIC has CONNECT on database template1 (a database of others)");
        workspace.write("main.tf", &baseline("accept = { doors = \"open\" }"));
        assert!(workspace.plan_error().contains("No control \"doors\""), "{}", workspace.plan_error());

        // Once the admin owns one, it is closed, and that is remembered to be given back.
        server.superuser(&format!("ALTER DATABASE postgres OWNER TO {ADMIN}"));
        let rest = "restore_on_destroy = true
          accept = { \"template1.public_privileges\" = \"a database of others\" }";
        workspace.write("main.tf", &baseline(rest));
        workspace.apply();
        assert_eq!(public(&server), "template1 CONNECT");
        workspace.destroy();
        assert_eq!(public(&server), OPEN);
    }
}

#[test]
fn a_superuser_closes_everything() {
    let there = |major: &u32| crate::majors::is_there("baseline::a_superuser_closes_everything", *major);
    for major in [15, 13].into_iter().filter(there) {
        let server = server(Options { major: Some(major), admin: Admin::Superuser, ..Options::default() });
        let workspace = workspace(&server);
        workspace.write("main.tf", &baseline("restore_on_destroy = true"));
        workspace.apply();
        assert_controls(&workspace, ENFORCED);
        assert_eq!(outcome(&server, "template1", "bystander", "SELECT 1"), "42501");
        assert_eq!(creates_in_public(&server, "postgres"), "f");
        workspace.destroy();
        assert_eq!(public(&server), OPEN);
    }
}

#[test]
fn databases_are_chosen_and_must_exist() {
    let server = server(owned(15));
    server.sql("postgres", ADMIN, "CREATE DATABASE shared").unwrap();
    server.sql("postgres", ADMIN, "CREATE DATABASE retired ALLOW_CONNECTIONS false").unwrap();
    let workspace = workspace(&server);
    for (databases, words) in [
        ("[\"postgres\", \"absent\"]", "There is no database \"absent\""),
        ("[]", "No databases to close"),
        ("[\"\"]", "The name is empty"),
        ("[\"a\\nb\"]", "has a control character"),
    ] {
        workspace.write("main.tf", &baseline(&format!("databases = {databases}")));
        let message = workspace.plan_error();
        assert!(message.contains(words) && message.contains("databases"), "{message}");
    }
    let of = |databases: &str| {
        let accept = "accept = { other_databases = \"for everybody\" }";
        baseline(&format!("databases = {databases}\n  restore_on_destroy = true\n  {accept}"))
    };
    workspace.write("main.tf", &of("[\"postgres\", \"shared\", \"retired\"]"));
    workspace.apply();
    assert_eq!(outcome(&server, "shared", "bystander", "SELECT 1"), "42501");
    assert_eq!(workspace.resource(THIS)["controls"]["retired.public_schema"], "enforced");
    assert_eq!(public(&server), "template1 CONNECT");
    assert_eq!(
        workspace.resource(THIS)["controls"]["other_databases"],
        "accepted: PUBLIC has CONNECT on database template1 (for everybody)"
    );

    // What is taken off the list is given back, and what is put on it is closed.
    workspace.write("main.tf", &of("[\"shared\", \"template1\"]"));
    workspace.apply();
    assert_eq!(public(&server), "postgres CONNECT, postgres TEMPORARY");
    assert_eq!(outcome(&server, "shared", "bystander", "SELECT 1"), "42501");

    // One that was dropped since is told by its name, and keeps nothing else from being given back.
    server.superuser("DROP DATABASE shared");
    let gone = ["controls.shared.public_privileges", "controls.shared.public_schema"];
    assert_eq!(workspace.plan().changes(THIS), gone);
    let message = workspace.apply_error();
    assert!(message.contains("Error: There is no database \"shared\""), "{message}");
    workspace.destroy();
    assert_eq!(public(&server), OPEN);
}

/// PostgreSQL asks the role that logs in for CONNECT, not the one that it assumes.
#[test]
fn the_provider_is_not_locked_out() {
    let server = server(owned(15));
    let verifier = postgres_protocol::password::scram_sha_256(b"rotated");
    server.superuser(&format!(
        "CREATE ROLE platform_team NOLOGIN CREATEDB CREATEROLE;
         CREATE ROLE \"Operator\" LOGIN NOINHERIT PASSWORD '{verifier}';
         GRANT platform_team TO \"Operator\";
         ALTER DATABASE postgres OWNER TO platform_team;
         ALTER DATABASE template1 OWNER TO platform_team"
    ));
    let mut workspace = workspace(&server);
    workspace.env("PGUSER", "Operator").env("PGPASSWORD", "rotated");
    workspace
        .write("main.tf", &format!("provider \"pgtenant\" {{ assume_role = \"platform_team\" }}\n{}", baseline("")));
    for message in [workspace.plan_error(), workspace.apply_error()] {
        assert!(message.contains("Closing database \"postgres\" would lock this provider out"), "{message}");
        assert!(message.contains("GRANT CONNECT ON DATABASE \"postgres\" TO \"Operator\""), "{message}");
    }
    assert_eq!(public(&server), OPEN);
    server.superuser("GRANT CONNECT ON DATABASE \"postgres\" TO \"Operator\"");
    assert!(workspace.plan_error().contains("Closing database \"template1\""));
    server.superuser("GRANT CONNECT ON DATABASE \"template1\" TO \"Operator\"");
    workspace.apply();
    assert_controls(&workspace, ENFORCED);
    assert_eq!(public(&server), "");
    // Shut out of one by somebody else: told, and everything else goes on.
    server.superuser("REVOKE CONNECT ON DATABASE template1 FROM \"Operator\"");
    workspace.assert_empty_plan();
    workspace.run(&["apply", "-refresh-only", "-auto-approve"]).ok().unwrap();
    let found = workspace.resource(THIS)["controls"]["template1.public_schema"].clone();
    assert_eq!(found, "not inspected: this admin is not let in to look");
}

/// The comment on a database, and that on its schema `public`.
fn comments(server: &Server, database: &str) -> String {
    value(
        server,
        database,
        "SELECT concat_ws('; ', shobj_description(d.oid, 'pg_database'), obj_description('public'::regnamespace))
         FROM pg_database d WHERE datname = current_database()",
    )
}

/// A create that fails is in the state, and what it took is noted on the server.
#[test]
fn a_create_that_fails_is_gone_on_with() {
    let server = server(owned(15));
    server.superuser("CREATE ROLE deputy; GRANT CONNECT ON DATABASE template1 TO deputy WITH GRANT OPTION");
    server.superuser("SET ROLE deputy; GRANT CONNECT ON DATABASE template1 TO PUBLIC");
    let workspace = workspace(&server);
    workspace.write("main.tf", &baseline("restore_on_destroy = true"));
    let message = workspace.apply_error();
    assert!(
        message.contains("PUBLIC has again what was revoked from it") && message.contains("WITH GRANT OPTION"),
        "{message}"
    );
    assert_eq!(public(&server), "template1 CONNECT");
    server.superuser("REVOKE CONNECT ON DATABASE template1 FROM deputy CASCADE");
    workspace.apply();
    assert_controls(&workspace, ENFORCED);
    assert_eq!(public(&server), "");
    workspace.destroy();
    assert_eq!(public(&server), OPEN);
}

/// Killed before the second of its transactions, and once more with all of them committed and nothing in the state: what was
/// taken is noted on the server, where the comments that were there stay.
fn interrupted(major: u32) {
    let server = server(owned(major));
    for database in ["postgres", "template1"] {
        server.sql(database, SUPERUSER, &format!("ALTER SCHEMA public OWNER TO {ADMIN}")).unwrap();
        server.sql(database, SUPERUSER, "GRANT CREATE ON SCHEMA public TO PUBLIC").unwrap();
    }
    server.superuser(
        "COMMENT ON DATABASE postgres IS E'ours, 100%\n{\"a\": \\'b\\'}'; COMMENT ON DATABASE template1 IS NULL",
    );
    let before = ["postgres", "template1"].map(|database| comments(&server, database));
    let workspace = workspace(&server);
    workspace.write("main.tf", &baseline("restore_on_destroy = true"));

    let holder = server.session("template1", SUPERUSER).unwrap();
    holder.sql("BEGIN; COMMENT ON SCHEMA public IS 'held'").unwrap();
    let mut running = workspace.spawn(&["apply", "-auto-approve"]);
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'template1' AND wait_event_type = 'Lock'";
    eventually("it waits", || value(&server, "postgres", waits) == "1" || !running.is_running());
    assert!(running.is_running(), "{:#?}", running.wait());
    let providers = children(running.pid());
    assert_eq!(providers.len(), 1, "Terraform runs one provider");
    signal(providers[0] as i32, libc::SIGKILL);
    assert!(!running.wait().status.success());
    // What has come to the server is done there, unless that is ended too.
    server.superuser("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    eventually("its session is gone", || value(&server, "postgres", waits) == "0");
    holder.sql("ROLLBACK").unwrap();
    assert_eq!(creates_in_public(&server, "template1"), "t");
    assert_eq!(public(&server), "");
    assert_eq!(workspace.resource(THIS), serde_json::Value::Null);

    workspace.apply();
    assert_controls(&workspace, ENFORCED);
    // As if the answer had been lost: the next apply finds nothing that is left to take.
    workspace.run(&["state", "rm", THIS]).ok().unwrap();
    workspace.apply();
    assert!(comments(&server, "postgres").contains("ours, 100%\n{\"a\": 'b'}; "));
    workspace.destroy();
    assert_eq!(public(&server), OPEN);
    for (database, before) in ["postgres", "template1"].into_iter().zip(before) {
        assert_eq!(creates_in_public(&server, database), "t", "{database}");
        assert_eq!(comments(&server, database), before);
    }
}

#[test]
fn what_was_taken_is_given_back_after_an_interruption() {
    let name = "baseline::what_was_taken_is_given_back_after_an_interruption";
    for major in [15, 18].into_iter().filter(|major| crate::majors::is_there(name, *major)) {
        interrupted(major);
    }
}

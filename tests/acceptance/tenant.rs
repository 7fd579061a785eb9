//! The life of a tenant: made, used, changed in place, imported, archived, destroyed.

use crate::fixture::{
    admin_is_superuser, assert_enforced, closes_public, guardrails, outcome, tenant, value, workspace,
};
use crate::support::postgres::{ADMIN, SUPERUSER, Server};

const THIS: &str = "pgtenant_tenant.this";

on_every_major! {
    a_tenant_is_isolated_and_governed_from_the_first_moment,
    everything_is_changed_in_place_and_data_stays,
    a_database_in_use_is_not_renamed,
    suspending_ends_sessions_and_keeps_data,
    passwords_change_with_their_version,
    a_tenant_has_more_schemas,
    a_tenant_may_make_schemas,
    a_tenant_is_imported_by_name,
    what_the_provider_did_not_make_is_left_alone_until_it_is_imported,
    a_half_made_tenant_is_finished,
    the_data_source_lists_every_tenant,
    a_protected_tenant_is_not_destroyed,
    a_tenant_in_use_is_destroyed_only_by_force,
    a_destroy_that_fails_leaves_the_tenant_open,
    data_in_another_database_is_not_dropped,
    an_archived_tenant_is_closed_renamed_and_kept,
    a_tenant_is_a_member_of_the_roles_it_is_given,
    locale_is_chosen_when_the_database_is_made,
    an_extension_that_is_not_there_is_told,
}

fn a_tenant_is_isolated_and_governed_from_the_first_moment(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("first", "password_wo = \"correct horse\"\n  password_wo_version = 1"));
    workspace.apply();

    let state = workspace.resource(THIS);
    assert_eq!(state["database"], "first");
    assert_eq!(state["role"], "first");
    assert_eq!(state["schema"], "app");
    assert_eq!(state["encoding"], "UTF8");
    assert_eq!(state["password_wo"], serde_json::Value::Null);
    assert_enforced(server, &workspace);
    // What PostgreSQL says of it.
    let role = "SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolinherit, \
                rolconnlimit FROM pg_roles WHERE rolname = 'first'";
    assert_eq!(
        server.superuser(role)[0].iter().flatten().map(String::as_str).collect::<Vec<_>>(),
        ["t", "f", "f", "f", "f", "f", "f", "10"]
    );
    let owner = |sql| value(server, "first", sql);
    assert_eq!(owner("SELECT datdba::regrole FROM pg_database WHERE datname = 'first'"), ADMIN);
    assert_eq!(owner("SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'app'"), ADMIN);
    assert_eq!(owner("SELECT has_database_privilege('public', 'first', 'CONNECT')"), "f");

    // What the tenant meets.
    let logged_in = server.session_with_password("first", "first", "correct horse").unwrap();
    logged_in.sql("CREATE TABLE here (); INSERT INTO here DEFAULT VALUES").unwrap();
    let asks = |sql| outcome(server, "first", "first", sql);
    assert_eq!(asks("SELECT 'app.here'::regclass"), "here");
    assert_eq!(asks("SHOW statement_timeout"), "1min");
    let there = asks("CREATE TABLE public.there ()");
    assert_eq!(there, if closes_public(server) { "42501" } else { "ok" });
    assert_eq!(asks("CREATE TEMPORARY TABLE there ()"), "42501");
    assert_eq!(asks("CREATE SCHEMA mine"), "42501");
    assert_eq!(asks("ALTER DATABASE first SET statement_timeout = 0"), "42501");
    assert_eq!(asks("ALTER ROLE first CONNECTION LIMIT 100"), "42501");
    assert_eq!(outcome(server, "first", "first", "DROP SCHEMA app CASCADE"), "42501");
}

fn everything_is_changed_in_place_and_data_stays(server: &Server) {
    let workspace = workspace(server);
    workspace.write(
        "main.tf",
        &(tenant("before", "password_wo = \"first one\"\n  password_wo_version = 1") + &guardrails("")),
    );
    workspace.apply();
    server.sql("before", "before", "CREATE TABLE kept AS SELECT 42 AS answer").unwrap();

    workspace.write(
        "main.tf",
        &(tenant(
            "after",
            "database = \"after_db\"
             role = \"after_role\"
             schema = \"main\"
             password_wo = \"first one\"
             password_wo_version = 1
             allow_temporary_tables = true
             extensions = [\"pgcrypto\", \"citext\"]",
        ) + &guardrails("")),
    );
    let plan = workspace.plan();
    assert_eq!(plan.actions(THIS), ["update"]);
    assert_eq!(plan.actions("pgtenant_guardrails.this"), ["update"]);
    assert_eq!(
        plan.changes(THIS),
        ["allow_temporary_tables", "database", "extensions[0]", "extensions[1]", "id", "name", "role", "schema"]
    );
    workspace.apply();
    assert_eq!(outcome(server, "after_db", "after_role", "SELECT answer FROM main.kept"), "42");
    assert_eq!(outcome(server, "after_db", "after_role", "SELECT current_schemas(false)"), "{main,extensions}");
    assert_eq!(outcome(server, "after_db", "after_role", "SELECT length(gen_random_bytes(8))"), "8");
    assert_eq!(outcome(server, "after_db", "after_role", "CREATE TEMPORARY TABLE t ()"), "ok");
    assert_eq!(
        outcome(
            server,
            "after_db",
            "after_role",
            "CREATE FUNCTION extensions.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        ),
        "42501"
    );
    // A rename keeps the password.
    server.session_with_password("after_db", "after_role", "first one").unwrap();

    workspace.write(
        "main.tf",
        &tenant(
            "after",
            "database = \"after_db\"\n  role = \"after_role\"\n  schema = \"main\"\n  extensions = [\"pgcrypto\"]",
        ),
    );
    workspace.apply();
    assert_eq!(value(server, "after_db", "SELECT count(*) FROM pg_extension WHERE extname = 'citext'"), "0");
    assert_eq!(outcome(server, "after_db", "after_role", "CREATE TEMPORARY TABLE t ()"), "42501");
    workspace.destroy();
    let left = "SELECT count(*) FROM (SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles) n WHERE datname ~ '^(before|after)'";
    assert_eq!(value(server, "postgres", left), "0");
}

fn a_database_in_use_is_not_renamed(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("busy", ""));
    workspace.apply();
    let session = server.session("busy", "busy").unwrap();
    workspace.write("main.tf", &tenant("busy", "database = \"idle\""));
    let message = workspace.apply_error();
    assert!(message.contains("55006") && message.contains("suspended = true"), "{message}");
    drop(session);
    workspace.apply();
}

fn suspending_ends_sessions_and_keeps_data(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("paused", ""));
    workspace.apply();
    let session = server.session("paused", "paused").unwrap();
    session.sql("CREATE TABLE kept ()").unwrap();
    workspace.write("main.tf", &tenant("paused", "suspended = true"));
    workspace.apply();
    assert!(session.sql("SELECT 1").is_err(), "the session was ended");
    assert_eq!(outcome(server, "paused", "paused", "SELECT 1"), "28000");
    workspace.write("main.tf", &tenant("paused", ""));
    workspace.apply();
    assert_eq!(outcome(server, "paused", "paused", "SELECT 'kept'::regclass"), "kept");
}

fn passwords_change_with_their_version(server: &Server) {
    let workspace = workspace(server);
    let config = |password: &str, version: u32| {
        tenant("keys", &format!("password_wo = {password:?}\n  password_wo_version = {version}"))
    };
    workspace.write("main.tf", &config("one", 1));
    workspace.apply();
    let works = |password| server.session_with_password("keys", "keys", password).is_ok();
    assert!(works("one"));
    workspace.write("main.tf", &config("two", 1));
    workspace.assert_empty_plan();
    workspace.write("main.tf", &config("two", 2));
    assert_eq!(workspace.plan().changes(THIS), ["password_wo_version"]);
    workspace.apply();
    assert!(works("two") && !works("one"));
    let verifier = postgres_protocol::password::scram_sha_256(b"three");
    workspace.write("main.tf", &config(&verifier, 3));
    workspace.apply();
    assert!(works("three"));
}

fn a_tenant_has_more_schemas(server: &Server) {
    let workspace = workspace(server);
    let config = |schemas: &str| tenant("wide", &format!("schemas = [{schemas}]\n  extensions = [\"citext\"]"));
    workspace.write("main.tf", &config("\"jobs\", \"Audit Log\", \"spare\""));
    workspace.apply();
    assert_enforced(server, &workspace);
    workspace.assert_empty_plan();
    let asks = |sql: &str| outcome(server, "wide", "wide", sql);
    assert_eq!(asks("CREATE TABLE jobs.queue AS SELECT 42 AS answer; CREATE TABLE \"Audit Log\".lines ()"), "ok");
    assert_eq!(asks("SELECT current_schemas(false)"), "{app,extensions}");
    for (sql, state) in [
        ("DROP SCHEMA jobs CASCADE", "42501"),
        ("ALTER SCHEMA jobs RENAME TO mine", "42501"),
        ("CREATE SCHEMA mine", "42501"),
    ] {
        assert_eq!(asks(sql), state, "{sql}");
    }

    // Others get in only behind Terraform's back, and not for long; one that was lost is made again.
    server.superuser("CREATE ROLE wide_guest");
    server.sql("wide", SUPERUSER, "GRANT USAGE ON SCHEMA jobs TO wide_guest; DROP SCHEMA spare").unwrap();
    let changes = workspace.plan().changes(THIS);
    for changed in ["isolation.schema", "isolation.schema_privileges", "schemas[2]"] {
        assert!(changes.contains(&changed.to_owned()), "{changed} is not in {changes:?}");
    }
    workspace.apply();
    assert_enforced(server, &workspace);
    assert_eq!(value(server, "wide", "SELECT has_schema_privilege('wide_guest', 'jobs', 'USAGE')"), "f");
    assert_eq!(asks("CREATE TABLE spare.t (); DROP TABLE spare.t"), "ok");
    workspace.import_fresh(&[(THIS, "wide")], &[], &["deletion_protection"]);
    // Left out, those that were imported stay.
    workspace.write("main.tf", &tenant("wide", ""));
    workspace.run(&["state", "rm", THIS]).ok().unwrap();
    workspace.run(&["import", THIS, "wide"]).ok().unwrap();
    assert_eq!(workspace.resource(THIS)["schemas"], serde_json::json!(["Audit Log", "jobs", "spare"]));
    workspace.apply();
    assert_eq!(asks("SELECT answer FROM jobs.queue"), "42");

    // What is taken off the list is dropped if it is empty, and closed if it is not.
    workspace.write("main.tf", &config("\"Audit Log\""));
    let warned = workspace.run(&["apply", "-auto-approve", "-json"]).ok().unwrap();
    let said: Vec<String> =
        warned.diagnostics().iter().map(|one| format!("{}: {}", one["summary"], one["detail"])).collect();
    assert!(said.iter().any(|one| one.contains("gives up schemas") && one.contains("\\\"jobs\\\"")), "{said:#?}");
    assert!(said.iter().any(|one| one.contains("drop schema") && one.contains("2BP01")), "{said:#?}");
    assert_eq!(
        value(
            server,
            "wide",
            "SELECT string_agg(nspname, ',' ORDER BY nspname) FROM pg_namespace WHERE nspname IN ('jobs', 'spare')"
        ),
        "jobs"
    );
    assert_eq!(asks("SELECT answer FROM jobs.queue"), "42501");
    let objects = workspace.resource(THIS)["isolation"]["objects"].clone();
    assert!(objects.as_str().unwrap().contains("schema jobs"), "{objects}");
    workspace.destroy();
    server.superuser("DROP ROLE wide_guest");
}

/// As migration tools do; and others get no further in than before.
fn a_tenant_may_make_schemas(server: &Server) {
    let workspace = workspace(server);
    let config = |more: &str| tenant("maker", more);
    workspace.write("main.tf", &config("allow_create_schema = true"));
    workspace.apply();
    let asks = |sql: &str| outcome(server, "maker", "maker", sql);
    for sql in [
        "CREATE SCHEMA IF NOT EXISTS hdb_catalog; CREATE TABLE hdb_catalog.hdb_version (id int)",
        "CREATE SCHEMA IF NOT EXISTS \"Own\"; CREATE TABLE \"Own\".t AS SELECT 42 AS answer",
        "CREATE EXTENSION hstore SCHEMA hdb_catalog; CREATE TABLE hdb_catalog.h (h hdb_catalog.hstore)",
        "CREATE PUBLICATION own FOR TABLE \"Own\".t",
    ] {
        assert_eq!(asks(sql), "ok", "{sql}");
    }
    for (sql, state) in [
        ("CREATE EXTENSION dblink SCHEMA \"Own\"", "42501"),
        ("CREATE PUBLICATION every FOR ALL TABLES", "42501"),
        ("DROP SCHEMA app CASCADE", "42501"),
        // Where the admin's extensions go nothing is planted.
        ("CREATE SCHEMA extensions", "42P06"),
        ("CREATE TABLE extensions.t ()", "42501"),
        (
            "CREATE FUNCTION \"Own\".f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
          CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION \"Own\".f()",
            "42501",
        ),
    ] {
        assert_eq!(asks(sql), state, "{sql}");
    }
    workspace.assert_empty_plan();
    assert_enforced(server, &workspace);
    workspace.import_fresh(&[(THIS, "maker")], &[], &["deletion_protection"]);

    // A neighbour is let in, in each way that there is, and shut out again.
    server.superuser("CREATE ROLE maker_guest");
    let lets_in = "GRANT USAGE, CREATE ON SCHEMA \"Own\" TO maker_guest WITH GRANT OPTION; GRANT USAGE ON SCHEMA hdb_catalog TO PUBLIC;
                   GRANT SELECT ON \"Own\".t TO maker_guest;
                   ALTER DEFAULT PRIVILEGES IN SCHEMA \"Own\" GRANT SELECT ON TABLES TO maker_guest;
                   CREATE TABLE hdb_catalog.hidden (); GRANT SELECT ON hdb_catalog.hidden TO maker_guest;
                   ALTER EXTENSION hstore ADD TABLE hdb_catalog.hidden; ALTER EXTENSION hstore ADD SCHEMA \"Own\"";
    assert_eq!(asks(lets_in), "ok");
    let changes = workspace.plan().changes(THIS);
    for control in ["objects", "other_roles", "default_privileges"] {
        assert!(changes.contains(&format!("isolation.{control}")), "{control} is not in {changes:?}");
    }
    workspace.apply();
    workspace.assert_empty_plan();
    assert_enforced(server, &workspace);
    let held = "SELECT has_schema_privilege('maker_guest', 'Own', 'USAGE') OR has_schema_privilege('maker_guest', 'hdb_catalog', 'USAGE')
                OR has_table_privilege('maker_guest', '\"Own\".t', 'SELECT')
                OR has_table_privilege('maker_guest', 'hdb_catalog.hidden', 'SELECT')";
    assert_eq!(value(server, "maker", held), "f");
    assert_eq!(asks("SELECT answer FROM \"Own\".t"), "42");

    // What it says of its own schemas, and lends to the admin, is nobody's concern.
    let says = "COMMENT ON SCHEMA hdb_catalog IS '{\"pgtenant\":\"maker\",\"stage\":\"ready\",\"database\":\"maker\",\"role\":\"maker\",\"schema\":\"app\"}';
                GRANT USAGE ON SCHEMA hdb_catalog TO platform_admin";
    assert_eq!(asks(says), "ok");
    workspace.assert_empty_plan();

    // So many that not all are read: that is told, and hides none that is meant.
    assert_eq!(asks("DO $$ BEGIN FOR i IN 1..120 LOOP EXECUTE 'CREATE SCHEMA many' || i; END LOOP; END $$"), "ok");
    workspace.write("main.tf", &config("allow_create_schema = true\n  schemas = [\"late\"]"));
    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    let told = workspace.resource(THIS)["isolation"]["objects"].clone();
    // app, extensions, late, hdb_catalog and Own, and public.
    assert!(told.as_str().unwrap().contains("there are 126 schemas"), "{told}");
    assert_eq!(asks("CREATE TABLE late.t ()"), "ok");
    assert_eq!(asks("DO $$ BEGIN FOR i IN 1..120 LOOP EXECUTE 'DROP SCHEMA many' || i; END LOOP; END $$"), "ok");

    // Nothing is installed beside an extension in which the tenant may have planted something.
    workspace.write(
        "main.tf",
        &config("allow_create_schema = true\n  schemas = [\"late\"]\n  extensions = [\"hstore\", \"citext\"]"),
    );
    let said = workspace.run(&["apply", "-auto-approve", "-json"]).ok().unwrap();
    let told = |text: &str| said.diagnostics().iter().any(|one| one["detail"].as_str().unwrap().contains(text));
    assert!(told("These were not installed: citext."), "{said:?}");
    assert_eq!(value(server, "maker", "SELECT count(*) FROM pg_extension WHERE extname = 'citext'"), "0");
    let changes = workspace.plan().changes(THIS);
    assert!(changes.contains(&"extensions[0]".to_owned()), "{changes:?}");

    // A name that is taken is not taken again.
    workspace.write("main.tf", &config("allow_create_schema = true\n  schema = \"late\""));
    assert!(workspace.plan_error().contains("Schema \"late\" exists already"));

    // Taken away, what is listed stays open, and nothing is dropped.
    workspace.write("main.tf", &config("schemas = [\"late\", \"Own\"]"));
    let said = workspace.run(&["apply", "-auto-approve", "-json"]).ok().unwrap();
    let told = |text: &str| said.diagnostics().iter().any(|one| one["summary"].as_str().unwrap().contains(text));
    assert!(told("may no longer make schemas"), "{said:?}");
    assert_eq!(asks("SELECT answer FROM \"Own\".t"), "42");
    assert_eq!(asks("SELECT count(*) FROM hdb_catalog.hdb_version"), "42501");
    assert_eq!(asks("CREATE SCHEMA more"), "42501");
    let owner =
        "SELECT string_agg(nspowner::regrole::text, ',') FROM pg_namespace WHERE nspname IN ('Own', 'hdb_catalog')";
    assert_eq!(value(server, "maker", owner), format!("{ADMIN},{ADMIN}"));
    workspace.destroy();
    server.superuser("DROP ROLE maker_guest");
}

fn a_tenant_is_imported_by_name(server: &Server) {
    let workspace = workspace(server);
    workspace.write(
        "main.tf",
        &(tenant(
            "known",
            "database = \"known_db\"
             role = \"known_role\"
             schema = \"main\"
             password_wo = \"secret\"
             password_wo_version = 3
             extensions = [\"pgcrypto\"]",
        ) + &guardrails("statement_timeout = \"90s\"\n  parameters = { work_mem = \"8MB\" }")),
    );
    workspace.apply();
    workspace.import_fresh(&[(THIS, "known"), ("pgtenant_guardrails.this", "known")], &[], &["deletion_protection"]);
    let missing = workspace.run(&["import", THIS, "unknown"]);
    assert!(!missing.status.success(), "{missing:?}");
}

fn what_the_provider_did_not_make_is_left_alone_until_it_is_imported(server: &Server) {
    server.sql("postgres", ADMIN, "CREATE ROLE legacy LOGIN INHERIT").unwrap();
    server.sql("postgres", ADMIN, "CREATE DATABASE legacy").unwrap();
    server.sql("legacy", ADMIN, "CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO legacy").unwrap();
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("legacy", ""));
    // The plan only warns: it is made before a destroy as well.
    let plan = workspace.run(&["plan"]).ok().unwrap();
    let warning = plan.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for message in [warning, workspace.apply_error()] {
        assert!(message.contains("There is a role \"legacy\" already"), "{message}");
        assert!(message.contains("import {") && message.contains("id = \"legacy/legacy/legacy/app\""), "{message}");
    }
    let imported = workspace.run(&["import", THIS, "legacy/legacy/legacy/app"]);
    assert!(imported.status.success(), "{imported:?}");
    let changes = workspace.plan().changes(THIS);
    for control in
        ["governed", "public_privileges", "registered", "role_attributes", "schema_privileges", "search_path"]
    {
        assert!(changes.contains(&format!("isolation.{control}")), "{control} is not in {changes:?}");
    }
    workspace.apply();
    assert_enforced(server, &workspace);
    // The same tenant from a second state: complete, and so not taken over unasked.
    let second = crate::fixture::workspace(server);
    second.write("main.tf", &tenant("legacy", ""));
    let message = second.apply_error();
    assert!(
        message.contains("There is a tenant \"legacy\" already") && message.contains("id = \"legacy\""),
        "{message}"
    );
}

fn a_half_made_tenant_is_finished(server: &Server) {
    let marker =
        "{\"pgtenant\":\"half\",\"stage\":\"creating\",\"database\":\"half\",\"role\":\"half\",\"schema\":\"app\"}";
    // As a run leaves it that is killed after CREATE DATABASE.
    server
        .sql("postgres", ADMIN, &format!("CREATE ROLE half NOLOGIN NOINHERIT; COMMENT ON ROLE half IS '{marker}'"))
        .unwrap();
    server.sql("postgres", ADMIN, "CREATE DATABASE half TEMPLATE template0 ALLOW_CONNECTIONS false").unwrap();
    let workspace = workspace(server);
    workspace.write("main.tf", &(tenant("half", "") + "data \"pgtenant_tenants\" \"all\" {}\n"));
    let row = |state: serde_json::Value| {
        let rows = state["tenants"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["name"] == "half").unwrap()
    };
    let plan = workspace.plan();
    assert_eq!(plan.actions(THIS), ["create"]);
    workspace.apply();
    assert_eq!(outcome(server, "half", "half", "CREATE TABLE t ()"), "ok");
    workspace.apply();
    assert_eq!(row(workspace.resource("data.pgtenant_tenants.all"))["complete"], true);
    // Half-made again: the data source says so.
    let creating = marker.replace('\'', "''");
    server.superuser(&format!("COMMENT ON ROLE half IS '{creating}'"));
    workspace.run(&["apply", "-refresh-only", "-auto-approve"]).ok().unwrap();
    let half = row(workspace.resource("data.pgtenant_tenants.all"));
    assert_eq!((&half["complete"], &half["suspended"]), (&false.into(), &false.into()));
}

fn the_data_source_lists_every_tenant(server: &Server) {
    let workspace = workspace(server);
    workspace.write(
        "main.tf",
        &(tenant("listed", "role = \"listed_role\"\n  suspended = true")
            + &guardrails("connection_limit = 7\n  statement_timeout = \"45s\"")
            + "data \"pgtenant_tenants\" \"all\" {\n  depends_on = [pgtenant_guardrails.this]\n}\n"),
    );
    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    let all = workspace.resource("data.pgtenant_tenants.all");
    let listed = all["tenants"].as_array().unwrap().iter().find(|row| row["name"] == "listed").unwrap();
    assert_eq!(listed["database"], "listed");
    assert_eq!(listed["role"], "listed_role");
    assert_eq!(listed["schema"], "app");
    assert_eq!(listed["connection_limit"], 7);
    assert_eq!(listed["statement_timeout"], "45s");
    assert_eq!(listed["suspended"], true);
    assert_eq!(listed["complete"], true);
}

fn a_protected_tenant_is_not_destroyed(server: &Server) {
    let workspace = workspace(server);
    let protected = tenant("dear", "").replace("deletion_protection = false", "");
    workspace.write("main.tf", &protected);
    workspace.apply();
    let refused = workspace.run(&["destroy", "-auto-approve"]);
    assert!(!refused.status.success());
    assert!(refused.message().contains("protected against deletion"), "{}", refused.message());
    // Nor replaced, which would drop its data as well.
    workspace.write(
        "main.tf",
        &protected.replace("\n}", "\n  encoding = \"SQL_ASCII\"\n  lc_collate = \"C\"\n  lc_ctype = \"C\"\n}"),
    );
    let message = workspace.apply_error();
    assert!(message.contains("protected against deletion"), "{message}");
    assert_eq!(value(server, "postgres", "SELECT count(*) FROM pg_database WHERE datname = 'dear'"), "1");
    workspace.write("main.tf", &tenant("dear", ""));
    workspace.apply();
    workspace.destroy();
}

fn a_tenant_in_use_is_destroyed_only_by_force(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("used", ""));
    workspace.apply();
    let session = server.session("used", "used").unwrap();
    let refused = workspace.run(&["destroy", "-auto-approve"]);
    assert!(!refused.status.success());
    assert!(refused.message().contains("Its database is in use: \"used\" as pid "), "{}", refused.message());
    session.sql("SELECT 1").unwrap();
    workspace.assert_empty_plan();
    workspace.write("main.tf", &tenant("used", "force_destroy = true"));
    workspace.apply();
    workspace.destroy();
    assert_eq!(value(server, "postgres", "SELECT count(*) FROM pg_database WHERE datname = 'used'"), "0");
}

fn a_destroy_that_fails_leaves_the_tenant_open(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("stuck", "force_destroy = true"));
    workspace.apply();
    // A superuser's session is not this admin's to end.
    let session = server.session("stuck", SUPERUSER).unwrap();
    if admin_is_superuser(server) {
        workspace.destroy();
        return;
    }
    let refused = workspace.run(&["destroy", "-auto-approve"]);
    assert!(!refused.status.success(), "{refused:?}");
    assert_eq!(outcome(server, "stuck", "stuck", "SELECT 1"), "1");
    workspace.assert_empty_plan();
    drop(session);
    workspace.destroy();
}

fn data_in_another_database_is_not_dropped(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("spread", ""));
    workspace.apply();
    server.superuser("CREATE TABLE public.spread_data (); ALTER TABLE public.spread_data OWNER TO spread");
    let refused = workspace.run(&["destroy", "-auto-approve"]);
    assert!(!refused.status.success());
    assert!(refused.message().contains("1 in postgres"), "{}", refused.message());
    assert_eq!(outcome(server, "spread", "spread", "SELECT 1"), "1");
    // A grant there is no data: it is taken back.
    server.superuser(
        "ALTER TABLE public.spread_data OWNER TO platform_admin; GRANT SELECT ON public.spread_data TO spread",
    );
    workspace.destroy();
    server.superuser("DROP TABLE public.spread_data");
}

fn an_archived_tenant_is_closed_renamed_and_kept(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("retired", "on_destroy = \"archive\""));
    workspace.apply();
    server.sql("retired", "retired", "CREATE TABLE kept AS SELECT 7 AS n").unwrap();
    workspace.destroy();
    let name = value(
        server,
        "postgres",
        "SELECT datname FROM pg_database WHERE datname ~ '^retired_archived_' AND NOT datallowconn",
    );
    assert!(!name.is_empty());
    assert_eq!(value(server, "postgres", &format!("SELECT rolcanlogin FROM pg_roles WHERE rolname = '{name}'")), "f");
    server.superuser(&format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS true"));
    assert_eq!(value(server, &name, "SELECT n FROM app.kept"), "7");
    // The names are free again.
    workspace.apply();
    workspace.destroy();
}

fn a_tenant_is_a_member_of_the_roles_it_is_given(server: &Server) {
    // As RDS's `rds_iam`: a role that the admin may grant.
    server.sql("postgres", ADMIN, "CREATE ROLE tokens").unwrap();
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("carded", "member_of = [\"tokens\"]"));
    workspace.apply();
    let is_member = || value(server, "postgres", "SELECT pg_has_role('carded', 'tokens', 'MEMBER')");
    assert_eq!(is_member(), "t");
    workspace.import_fresh(&[(THIS, "carded")], &[], &["deletion_protection"]);
    server.sql("postgres", ADMIN, "REVOKE tokens FROM carded").unwrap();
    let plan = workspace.plan();
    assert_eq!(plan.before(THIS)["isolation"]["memberships"], "found: carded is not a member of tokens");
    workspace.apply();
    assert_eq!(is_member(), "t");
    workspace.write("main.tf", &tenant("carded", ""));
    workspace.apply();
    assert_eq!(is_member(), "f");
}

fn locale_is_chosen_when_the_database_is_made(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("sorted", "lc_collate = \"C\"\n  lc_ctype = \"C\"\n  encoding = \"utf-8\""));
    workspace.apply();
    assert_eq!(workspace.resource(THIS)["locale_provider"], "libc");
    assert_eq!(value(server, "postgres", "SELECT datcollate FROM pg_database WHERE datname = 'sorted'"), "C");
    // Only a new database can have another.
    workspace.write("main.tf", &tenant("sorted", "lc_collate = \"C.UTF-8\"\n  lc_ctype = \"C\""));
    assert_eq!(workspace.plan().actions(THIS), ["delete", "create"]);
    workspace.apply();
    assert_eq!(value(server, "postgres", "SELECT datcollate FROM pg_database WHERE datname = 'sorted'"), "C.UTF-8");
    workspace.run(&["apply", "-auto-approve", "-replace", THIS]).ok().unwrap();
}

fn an_extension_that_is_not_there_is_told(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("extended", "extensions = [\"no_such_extension\"]"));
    let message = workspace.plan_error();
    assert!(message.contains("pg_available_extensions") && message.contains("extensions"), "{message}");
    // Untrusted ones take a superuser.
    workspace.write("main.tf", &tenant("extended", "extensions = [\"file_fdw\"]"));
    if !admin_is_superuser(server) {
        let message = workspace.apply_error();
        assert!(message.contains("42501") && message.contains("trusted"), "{message}");
    }
    workspace.write("main.tf", &tenant("extended", ""));
    workspace.apply();
}

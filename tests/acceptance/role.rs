//! Further roles of a tenant: what each may do, what is drift of it, and how they go along with the tenant.

use serde_json::Value;

use crate::audit;
use crate::fixture::{assert_enforced, outcome, tenant, value, workspace};
use crate::support::postgres::{ADMIN, Server};
use crate::support::terraform::Workspace;

on_every_major! {
    each_has_its_access_and_no_more,
    what_a_role_has_beyond_its_access_is_told_and_taken_back,
    they_go_along_with_the_tenant,
    a_role_is_changed_in_place,
    a_role_of_somebody_else_is_let_in,
    a_role_that_is_taken_over_keeps_its_access_alone,
    who_loses_an_access_does_not_hold_that_up,
    who_moves_to_another_tenant_has_nothing_left_in_the_first,
}

/// One further role, called as its resource with the tenant's name before it.
fn role(name: &str, access: &str, more: &str) -> String {
    format!(
        "resource \"pgtenant_role\" {name:?} {{\n  tenant = pgtenant_tenant.this.name\n  name = \"${{pgtenant_tenant.this.name}}_{name}\"\n  \
         access = {access:?}\n  {more}\n}}\n"
    )
}

fn five(tenant_name: &str, more: &str) -> String {
    let roles =
        [("migrator", "owner"), ("second", "owner"), ("worker", "write"), ("reader", "read"), ("exporter", "connect")];
    let roles = roles.map(|(name, access)| role(name, access, "")).concat();
    format!("{}{roles}", tenant(tenant_name, more))
}

/// Demands that every control of every further role holds.
#[track_caller]
fn assert_roles_enforced(workspace: &Workspace, names: &[&str]) {
    for name in names {
        let isolation = workspace.resource(&format!("pgtenant_role.{name}"))["isolation"].clone();
        for (control, found) in isolation.as_object().expect("a map") {
            assert_eq!(found, &Value::from("enforced"), "{name}: {control}");
        }
    }
}

const ALL: [&str; 5] = ["migrator", "second", "worker", "reader", "exporter"];

fn each_has_its_access_and_no_more(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("five", ""));
    workspace.apply();
    // Some of it is there before they are.
    let owns =
        "CREATE TABLE before (id int GENERATED ALWAYS AS IDENTITY, note text); INSERT INTO before (note) VALUES ('x');
                CREATE SEQUENCE numbers; CREATE VIEW seen AS SELECT * FROM before";
    assert_eq!(outcome(server, "five", "five", owns), "ok");
    workspace.write("main.tf", &five("five", ""));
    workspace.apply();
    assert_enforced(server, &workspace);
    assert_roles_enforced(&workspace, &ALL);

    let asks = |role: &str, sql: &str| outcome(server, "five", &format!("five_{role}"), sql);
    // What an owner makes is the tenant's, and what is made later is everybody's as the first was.
    assert_eq!(
        asks("migrator", "CREATE TABLE later (id serial, note text); INSERT INTO later (note) VALUES ('y')"),
        "ok"
    );
    assert_eq!(asks("second", "ALTER TABLE later ADD more int; DROP TABLE IF EXISTS none"), "ok");
    assert_eq!(value(server, "five", "SELECT tableowner FROM pg_tables WHERE tablename = 'later'"), "five");
    for table in ["before", "later"] {
        for (role, reads, writes) in
            [("migrator", "1", "ok"), ("worker", "1", "ok"), ("reader", "1", "42501"), ("exporter", "42P01", "42P01")]
        {
            let count = asks(role, &format!("SELECT count(note) FROM {table} WHERE note IN ('x', 'y')"));
            assert_eq!(count, reads, "{role} reads {table}");
            let insert =
                format!("INSERT INTO {table} (note) VALUES ('z'); UPDATE {table} SET note = 'zz' WHERE note = 'z'");
            assert_eq!(asks(role, &insert), writes, "{role} writes {table}");
        }
    }
    for (role, sql, state) in [
        ("worker", "SELECT nextval('numbers')", "1"),
        ("worker", "DELETE FROM before WHERE note = 'zz'", "ok"),
        ("worker", "TRUNCATE before", "42501"),
        ("worker", "CREATE TABLE app.mine ()", "42501"),
        ("worker", "CREATE TEMPORARY TABLE mine ()", "42501"),
        ("worker", "SET ROLE five", "42501"),
        ("reader", "SELECT nextval('numbers')", "42501"),
        ("reader", "SELECT count(*) FROM seen WHERE note = 'x'", "1"),
        ("reader", "CREATE TABLE app.mine ()", "42501"),
        ("reader", "SET ROLE five", "42501"),
        ("exporter", "SELECT count(*) FROM app.before", "42501"),
        ("exporter", "SELECT 1", "1"),
        // Who acts as the tenant, and leaves that, has nothing of its own.
        ("migrator", "SET ROLE NONE; CREATE TABLE app.mine ()", "42501"),
        ("migrator", "CREATE SCHEMA mine", "42501"),
        ("migrator", "SHOW statement_timeout", "1min"),
    ] {
        assert_eq!(asks(role, sql), state, "{role}: {sql}");
    }
    // The database allows as many more.
    let limit = value(server, "five", "SELECT datconnlimit FROM pg_database WHERE datname = 'five'");
    assert_eq!(limit, (10 + 5 + 5 * 5).to_string());
    workspace.assert_empty_plan();
    let ids = ALL.map(|name| (format!("pgtenant_role.{name}"), format!("five/five_{name}")));
    let ids = ids.iter().map(|(address, id)| (address.as_str(), id.as_str()));
    let ids: Vec<_> = [("pgtenant_tenant.this", "five")].into_iter().chain(ids).collect();
    workspace.import_fresh(&ids, &[], &["deletion_protection"]);

    // What the tenant gives among its roles is its own affair.
    assert_eq!(outcome(server, "five", "five", "GRANT INSERT ON before TO five_reader; CREATE TABLE hidden ()"), "ok");
    workspace.assert_empty_plan();
    // What it takes from them is found, and given again.
    assert_eq!(outcome(server, "five", "five", "REVOKE SELECT ON later FROM five_reader"), "ok");
    assert_eq!(workspace.plan().changes("pgtenant_role.reader"), ["isolation.other_roles"]);
    workspace.apply();
    assert_eq!(asks("reader", "SELECT count(*) FROM later WHERE note = 'y'"), "1");
    workspace.destroy();
    assert_eq!(value(server, "postgres", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'five%'"), "0");
}

fn what_a_role_has_beyond_its_access_is_told_and_taken_back(server: &Server) {
    let workspace = workspace(server);
    let config = format!("{}{}", tenant("beyond", ""), role("reader", "read", ""));
    workspace.write("main.tf", &config);
    workspace.apply();
    assert_eq!(outcome(server, "beyond", "beyond", "CREATE TABLE t AS SELECT 42 AS answer"), "ok");
    server.superuser("CREATE ROLE beyond_group");
    for (sql, control, of_tenant) in [
        ("ALTER ROLE beyond_reader CREATEDB", "role_attributes", false),
        // What the database allows beside is told of the tenant.
        ("ALTER ROLE beyond_reader CONNECTION LIMIT -1", "connection_limit", true),
        ("GRANT TEMPORARY ON DATABASE beyond TO beyond_reader", "tenant_privileges", true),
        ("GRANT beyond TO beyond_reader", "memberships", true),
        ("ALTER ROLE beyond_reader SET work_mem = '1GB'", "parameters", false),
        ("ALTER ROLE beyond_reader IN DATABASE beyond SET search_path = other", "search_path", false),
        ("GRANT CONNECT ON DATABASE postgres TO beyond_reader", "elsewhere", false),
        ("COMMENT ON ROLE beyond_reader IS NULL", "registered", true),
    ] {
        // From 16 on a membership is taken back by whoever granted it.
        if sql.starts_with("GRANT beyond") {
            server.sql("postgres", ADMIN, sql).unwrap()
        } else {
            server.superuser(sql)
        };
        // What the plan sees, the audit says: of one that carries no marker, that a stranger is in.
        let told = match control {
            "connection_limit" => "governed",
            "registered" => "other_privileges",
            control => control,
        };
        let failing = audit::failing(server, &["--tenant", "beyond"]);
        assert!(failing.contains(&format!("tenant.{told}")), "{sql}: {failing:?}");
        let plan = workspace.plan();
        let changes = plan.changes("pgtenant_role.reader");
        let expected = if control == "connection_limit" { control.to_owned() } else { format!("isolation.{control}") };
        assert!(changes.contains(&expected), "{sql}: {changes:?}");
        assert_eq!(!plan.changes("pgtenant_tenant.this").is_empty(), of_tenant, "{sql}");
        workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
        let again = workspace.plan();
        if sql.contains("DATABASE postgres") {
            // The admin owns it where it is a superuser alone.
            server.superuser("REVOKE ALL ON DATABASE postgres FROM beyond_reader");
        } else {
            assert!(again.is_empty(), "{sql}: {:?}", again.addresses());
        }
        workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
        workspace.assert_empty_plan();
    }
    assert_eq!(outcome(server, "beyond", "beyond_reader", "SELECT answer FROM t"), "42");
    // A stranger is one as before.
    server.superuser("GRANT CONNECT ON DATABASE beyond TO beyond_group");
    assert_eq!(workspace.plan().changes("pgtenant_tenant.this"), ["isolation.other_privileges"]);
    workspace.apply();
    workspace.destroy();
    server.superuser("DROP ROLE beyond_group");
}

fn they_go_along_with_the_tenant(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &five("along", ""));
    workspace.apply();
    let session = server.session("along", "along_reader").unwrap();
    workspace.write("main.tf", &five("along", "suspended = true"));
    workspace.apply();
    assert!(session.sql("SELECT 1").is_err(), "its sessions are ended");
    let logins = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'along%' AND rolcanlogin";
    assert_eq!(value(server, "postgres", logins), "0");
    workspace.assert_empty_plan();
    workspace.write("main.tf", &five("along", ""));
    workspace.apply();
    assert_eq!(value(server, "postgres", logins), "6");
    assert_eq!(outcome(server, "along", "along_migrator", "CREATE TABLE t ()"), "ok");

    // One that is known to no state goes when the tenant goes; and a tenant that is made anew has them again.
    workspace.write("main.tf", &five("along", "encoding = \"LATIN1\"\n  lc_collate = \"C\"\n  lc_ctype = \"C\""));
    workspace.apply();
    assert_roles_enforced(&workspace, &ALL);
    assert_eq!(outcome(server, "along", "along_worker", "SELECT 1"), "1");
    let addresses: Vec<String> = ALL.iter().map(|name| format!("pgtenant_role.{name}")).collect();
    for address in &addresses {
        workspace.run(&["state", "rm", address]).ok().unwrap();
    }
    workspace.write("main.tf", &tenant("along", ""));
    workspace.destroy();
    assert_eq!(value(server, "postgres", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'along%'"), "0");
}

fn a_role_is_changed_in_place(server: &Server) {
    let workspace = workspace(server);
    let write = |tenant_name: &str, access: &str, more: &str| {
        workspace.write("main.tf", &format!("{}{}", tenant(tenant_name, ""), role("one", access, more)));
    };
    let password =
        |version: u32| format!("password_wo = \"battery staple {version}\"\n  password_wo_version = {version}");
    write("turns", "write", &password(1));
    workspace.apply();
    assert_eq!(outcome(server, "turns", "turns", "CREATE TABLE t AS SELECT 42 AS answer"), "ok");
    let asks = |sql: &str| outcome(server, "turns", "turns_one", sql);
    assert_eq!(asks("UPDATE t SET answer = 43"), "ok");
    assert!(server.session_with_password("turns", "turns_one", "battery staple 1").is_ok());
    write("turns", "write", &password(2));
    workspace.apply();
    assert!(server.session_with_password("turns", "turns_one", "battery staple 2").is_ok());
    assert!(server.session_with_password("turns", "turns_one", "battery staple 1").is_err());

    // Each access takes what the one before gave, what the tenant gave it beside included.
    for (access, reads, writes) in
        [("read", "43", "42501"), ("connect", "42501", "42501"), ("owner", "43", "ok"), ("read", "43", "42501")]
    {
        write("turns", access, &format!("{}\n  parameters = {{ work_mem = \"8MB\" }}", password(2)));
        workspace.apply();
        assert_eq!(asks("SELECT answer FROM app.t"), reads, "{access}");
        assert_eq!(asks("UPDATE app.t SET answer = 43"), writes, "{access}");
        assert_eq!(asks("SHOW work_mem"), "8MB");
        assert_roles_enforced(&workspace, &["one"]);
    }
    write("turns", "read", &format!("{}\n  login = false\n  connection_limit = 2", password(2)));
    workspace.apply();
    assert_eq!(asks("SELECT 1"), "28000");
    assert_eq!(value(server, "postgres", "SELECT datconnlimit FROM pg_database WHERE datname = 'turns'"), "17");

    // The tenant's name is in the role's: both are renamed, and it is the same role.
    let oid = |name: &str| value(server, "postgres", &format!("SELECT oid FROM pg_roles WHERE rolname = '{name}'"));
    let before = oid("turns_one");
    write("turned", "read", &password(2));
    workspace.apply();
    assert_eq!(oid("turned_one"), before);
    assert_eq!(outcome(server, "turned", "turned_one", "SELECT answer FROM t"), "43");
    workspace.destroy();
}

/// Over two tenants: what is given is no drift, and all else is.
fn a_role_of_somebody_else_is_let_in(server: &Server) {
    let workspace = workspace(server);
    server.superuser("CREATE ROLE report LOGIN; CREATE ROLE probe LOGIN");
    let one = |tenant: &str, role: &str, access: &str| {
        format!(
            "resource \"pgtenant_access\" \"{tenant}_{role}\" {{\n  tenant = pgtenant_tenant.{tenant}.name\n  role = {role:?}\n  \
             access = {access:?}\n}}\n"
        )
    };
    let tenants = |more: &str| {
        ["let_a", "let_b"].map(|name| {
            format!("resource \"pgtenant_tenant\" {name:?} {{\n  name = {name:?}\n  deletion_protection = false\n  {more}\n}}\n")
        })
    };
    let write = |more: &str, access: &str| {
        let access = [one("let_a", "report", access), one("let_b", "report", "read"), one("let_a", "probe", "connect")];
        workspace.write("main.tf", &[tenants(more).concat(), access.concat()].concat());
    };
    write("", "read");
    workspace.apply();
    for tenant in ["let_a", "let_b"] {
        assert_eq!(outcome(server, tenant, tenant, "CREATE TABLE t AS SELECT 42 AS answer"), "ok");
        assert_eq!(outcome(server, tenant, "report", "SELECT answer FROM app.t"), "42");
        assert_eq!(outcome(server, tenant, "report", "UPDATE app.t SET answer = 1"), "42501");
    }
    assert_eq!(outcome(server, "let_a", "probe", "SELECT 1"), "1");
    assert_eq!(outcome(server, "let_a", "probe", "SELECT answer FROM app.t"), "42501");
    assert_eq!(outcome(server, "let_b", "probe", "SELECT 1"), "42501");
    workspace.assert_empty_plan();
    workspace.import_fresh(
        &[
            ("pgtenant_tenant.let_a", "let_a"),
            ("pgtenant_tenant.let_b", "let_b"),
            ("pgtenant_access.let_a_report", "let_a/report"),
            ("pgtenant_access.let_b_report", "let_b/report"),
            ("pgtenant_access.let_a_probe", "let_a/probe"),
        ],
        &[],
        &["deletion_protection"],
    );

    // More than that is drift: of the tenant, and of the role in it.
    assert_eq!(outcome(server, "let_a", "let_a", "GRANT INSERT ON t TO report"), "ok");
    let plan = workspace.plan();
    assert_eq!(plan.changes("pgtenant_tenant.let_a"), ["isolation.other_roles"]);
    assert_eq!(plan.changes("pgtenant_access.let_a_report"), ["isolation.other_roles"]);
    workspace.apply();
    assert_eq!(outcome(server, "let_a", "report", "INSERT INTO app.t VALUES (1)"), "42501");
    assert_eq!(outcome(server, "let_a", "report", "SELECT answer FROM app.t"), "42");

    for (access, reads, writes) in [("write", "42", "ok"), ("connect", "42501", "42501"), ("read", "42", "42501")] {
        write("", access);
        workspace.apply();
        assert_eq!(outcome(server, "let_a", "report", "SELECT answer FROM app.t"), reads, "{access}");
        assert_eq!(outcome(server, "let_a", "report", "UPDATE app.t SET answer = 42"), writes, "{access}");
    }
    write("", "owner");
    workspace.apply();
    assert_eq!(outcome(server, "let_a", "report", "SET ROLE let_a; CREATE TABLE app.made ()"), "ok");
    assert_eq!(value(server, "let_a", "SELECT tableowner FROM pg_tables WHERE tablename = 'made'"), "let_a");
    write("", "read");
    workspace.apply();
    assert_eq!(outcome(server, "let_a", "report", "SET ROLE let_a"), "42501");

    // A tenant that is shut out is closed to it.
    let session = server.session("let_a", "report").unwrap();
    write("suspended = true", "read");
    workspace.apply();
    assert!(session.sql("SELECT 1").is_err(), "its sessions are ended");
    assert_eq!(outcome(server, "let_a", "report", "SELECT 1"), "42501");
    workspace.assert_empty_plan();
    write("", "read");
    workspace.apply();
    assert_eq!(outcome(server, "let_a", "report", "SELECT answer FROM app.t"), "42");

    // By another name it is the same tenant: nothing is taken from anybody.
    let renamed = |text: String| text.replace("name = \"let_a\"", "name = \"let_c\"");
    let access = [one("let_a", "report", "read"), one("let_b", "report", "read"), one("let_a", "probe", "connect")];
    workspace.write("main.tf", &renamed([tenants("").concat(), access.concat()].concat()));
    assert_eq!(workspace.plan().actions("pgtenant_access.let_a_report"), ["update"]);
    workspace.apply();
    assert_eq!(outcome(server, "let_c", "report", "SELECT answer FROM app.t"), "42");
    assert_eq!(outcome(server, "let_c", "probe", "SELECT 1"), "1");
    write("", "read");
    workspace.apply();

    // What is let in no more has nothing, and the role is still there.
    workspace.write("main.tf", &tenants("").concat());
    workspace.apply();
    assert_eq!(outcome(server, "let_a", "report", "SELECT 1"), "42501");
    let held = "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'report'::regrole";
    assert_eq!(value(server, "let_a", held), "0");
    workspace.destroy();
    server.superuser("DROP ROLE report; DROP ROLE probe");
}

fn a_role_that_is_taken_over_keeps_its_access_alone(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("takes", ""));
    workspace.apply();
    let makes = "CREATE TABLE t AS SELECT 42 AS answer; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
                 REVOKE EXECUTE ON FUNCTION f() FROM PUBLIC";
    assert_eq!(outcome(server, "takes", "takes", makes), "ok");
    // As somebody made it by hand, with more than one limit's worth of connections.
    server.sql("postgres", ADMIN, "CREATE ROLE takes_reader LOGIN INHERIT CONNECTION LIMIT 50").unwrap();
    server.sql("postgres", ADMIN, "GRANT CONNECT, TEMPORARY ON DATABASE takes TO takes_reader").unwrap();
    let gives = "GRANT INSERT, SELECT, TRUNCATE ON t TO takes_reader; GRANT SELECT (answer) ON t TO takes_reader;
                 GRANT EXECUTE ON FUNCTION f() TO takes_reader;
                 ALTER DEFAULT PRIVILEGES GRANT INSERT ON TABLES TO takes_reader";
    assert_eq!(outcome(server, "takes", "takes", gives), "ok");
    server.sql("takes", ADMIN, "GRANT USAGE, CREATE ON SCHEMA app TO takes_reader").unwrap();
    // What the configuration does not say of it, it keeps.
    server.sql("postgres", ADMIN, "CREATE ROLE takes_group").unwrap();
    server.sql("postgres", ADMIN, "GRANT takes_group TO takes_reader").unwrap();
    assert!(!workspace.plan().changes("pgtenant_tenant.this").is_empty());
    let session = server.session("takes", "takes_reader").unwrap();

    let config = format!("{}{}", tenant("takes", ""), role("reader", "read", ""));
    workspace.write("main.tf", &config);
    assert!(workspace.apply_error().contains("There is a role \"takes_reader\" already"));
    workspace.write(
        "main.tf",
        &format!("{config}import {{\n  to = pgtenant_role.reader\n  id = \"takes/takes_reader\"\n}}\n"),
    );
    workspace.apply();
    assert_enforced(server, &workspace);
    assert_roles_enforced(&workspace, &["reader"]);
    assert_eq!(value(server, "postgres", "SELECT pg_has_role('takes_reader', 'takes_group', 'MEMBER')"), "t");
    // Whoever was at work goes on, with what it is to have.
    assert_eq!(session.sql("SELECT answer FROM app.t").unwrap()[0][0].as_deref(), Some("42"));
    assert_eq!(outcome(server, "takes", "takes", "CREATE TABLE later AS SELECT 1 AS answer"), "ok");
    let asks = |sql: &str| outcome(server, "takes", "takes_reader", sql);
    for (sql, expected) in [
        ("SELECT answer FROM later", "1"),
        ("INSERT INTO t VALUES (1)", "42501"),
        ("TRUNCATE t", "42501"),
        ("SELECT app.f()", "42501"),
        ("INSERT INTO later VALUES (1)", "42501"),
        ("CREATE TABLE app.mine ()", "42501"),
        ("CREATE TEMPORARY TABLE mine ()", "42501"),
    ] {
        assert_eq!(asks(sql), expected, "{sql}");
    }
    workspace.assert_empty_plan();
    workspace.destroy();
    server.superuser("DROP ROLE takes_group");
}

/// Not by a lock on what it acts on as the tenant.
fn who_loses_an_access_does_not_hold_that_up(server: &Server) {
    let workspace = workspace(server);
    let write = |access: &str| {
        workspace.write("main.tf", &format!("{}{}", tenant("loses", ""), role("one", access, "")));
    };
    write("owner");
    workspace.apply();
    assert_eq!(outcome(server, "loses", "loses", "CREATE TABLE t AS SELECT 42 AS answer"), "ok");
    let session = server.session("loses", "loses_one").unwrap();
    let holds = "SET idle_in_transaction_session_timeout = 0; BEGIN; ALTER TABLE t ADD more int;
                 ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC";
    session.sql(holds).unwrap();
    write("read");
    workspace.apply();
    assert!(session.sql("SELECT 1").is_err(), "its sessions are ended");
    assert_eq!(outcome(server, "loses", "loses_one", "SET ROLE loses"), "42501");
    assert_eq!(outcome(server, "loses", "loses_one", "SELECT answer FROM app.t"), "42");
    assert_roles_enforced(&workspace, &["one"]);
    workspace.destroy();
}

fn who_moves_to_another_tenant_has_nothing_left_in_the_first(server: &Server) {
    let workspace = workspace(server);
    server.superuser("CREATE ROLE moves_report LOGIN");
    let write = |to: &str| {
        let tenants = ["moves_a", "moves_b"].map(|name| {
            format!("resource \"pgtenant_tenant\" {name:?} {{\n  name = {name:?}\n  deletion_protection = false\n}}\n")
        });
        let role = format!(
            "resource \"pgtenant_role\" \"one\" {{\n  tenant = pgtenant_tenant.{to}.name\n  name = \"moves_one\"\n  access = \"read\"\n}}\n\
             resource \"pgtenant_access\" \"report\" {{\n  tenant = pgtenant_tenant.{to}.name\n  role = \"moves_report\"\n  access = \
             \"read\"\n}}\n"
        );
        workspace.write("main.tf", &[tenants.concat(), role].concat());
    };
    write("moves_a");
    workspace.apply();
    for tenant in ["moves_a", "moves_b"] {
        let makes = format!("CREATE TABLE t AS SELECT '{tenant}' AS whose");
        assert_eq!(outcome(server, tenant, tenant, &makes), "ok");
    }
    write("moves_b");
    workspace.apply();
    assert_roles_enforced(&workspace, &["one"]);
    for role in ["moves_one", "moves_report"] {
        assert_eq!(outcome(server, "moves_b", role, "SELECT whose FROM app.t"), "moves_b");
        assert_eq!(outcome(server, "moves_a", role, "SELECT 1"), "42501", "{role}");
        let held = format!(
            "SELECT count(*) FROM pg_shdepend JOIN pg_database d ON d.oid = dbid
             WHERE refobjid = '{role}'::regrole AND datname = 'moves_a'"
        );
        assert_eq!(value(server, "moves_a", &held), "0", "{role}");
    }
    workspace.destroy();
    server.superuser("DROP ROLE moves_report");
}

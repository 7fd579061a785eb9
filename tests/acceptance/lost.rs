//! Nothing is lost and nothing left: what an operation that was cut off, or a hand on the server, leaves behind is seen, named
//! and finished by the next apply or destroy.

use crate::fixture::{guardrails, outcome, tenant, value, workspace};
use crate::support::postgres::{ADMIN, Options, SUPERUSER, Server};

on_two_majors! {
    an_interrupted_drop_is_named_and_finished,
    a_tenant_is_gone_when_neither_role_nor_database_is_there,
    what_keeps_the_role_is_found_before_data_is_dropped,
    a_create_that_failed_is_in_the_state_and_finished_with_its_password,
    a_half_made_tenant_is_removed_whatever_was_planned_for_it,
    a_password_is_written_once_for_each_version,
    a_database_that_is_adopted_is_not_closed_by_what_fails_inside,
    a_limit_that_keeps_everybody_out_is_put_right_from_outside,
    a_tenant_that_terraform_never_heard_of_is_taken_up,
}

/// How many roles and databases of a name there are.
fn there(server: &Server, name: &str) -> [String; 2] {
    let count = |catalog: &str, column: &str| {
        value(server, "postgres", &format!("SELECT count(*) FROM {catalog} WHERE {column} = '{name}'"))
    };
    [count("pg_roles", "rolname"), count("pg_database", "datname")]
}

fn verifier(server: &Server, role: &str) -> String {
    value(server, "postgres", &format!("SELECT COALESCE(rolpassword, 'none') FROM pg_authid WHERE rolname = '{role}'"))
}

/// A tenant with a password, of a version.
fn with_password(name: &str, password: &str, version: u32) -> String {
    tenant(name, &format!("password_wo = \"{password}\"\n  password_wo_version = {version}"))
}

fn an_interrupted_drop_is_named_and_finished(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("cut", ""));
    workspace.apply();
    // What a DROP DATABASE leaves that was ended behind its point of no return.
    let invalidate = "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'cut'";
    server.superuser(invalidate);
    let plan = workspace.run(&["plan", "-no-color"]);
    let said = plan.stdout.replace(['\n', '│'], " ");
    assert!(said.contains("database cut is invalid: a DROP DATABASE was interrupted"), "{said}");
    workspace.destroy();
    assert_eq!(there(server, "cut"), ["0", "0"]);
    // Nothing else but a new one helps a tenant that stays.
    workspace.apply();
    server.superuser(invalidate);
    workspace.apply();
    assert_eq!(outcome(server, "cut", "cut", "SELECT 1"), "1");
    workspace.destroy();
}

fn a_tenant_is_gone_when_neither_role_nor_database_is_there(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("half", ""));
    workspace.apply();
    server.superuser("DROP DATABASE half");
    let plan = workspace.run(&["plan", "-no-color"]);
    let said = plan.stdout.replace(['\n', '│'], " ");
    assert!(said.contains("0 to add, 1 to change, 0 to destroy"), "{said}");
    workspace.apply();
    server.superuser("DROP DATABASE half");
    workspace.destroy();
    assert_eq!(there(server, "half"), ["0", "0"]);
}

fn what_keeps_the_role_is_found_before_data_is_dropped(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("guest", ""));
    workspace.apply();
    server.superuser("CREATE DATABASE guest_elsewhere OWNER platform_admin");
    server.sql("guest_elsewhere", ADMIN, "GRANT USAGE ON SCHEMA public TO guest").unwrap();
    server.superuser("ALTER DATABASE guest_elsewhere ALLOW_CONNECTIONS false");
    let refused = workspace.run(&["destroy", "-auto-approve"]);
    assert!(!refused.status.success());
    let message = refused.message();
    assert!(
        message.contains("accept no connections: \"guest_elsewhere\"") && message.contains("nothing was changed"),
        "{message}"
    );
    assert_eq!(outcome(server, "guest", "guest", "SELECT 1"), "1");
    server.superuser("ALTER DATABASE guest_elsewhere ALLOW_CONNECTIONS true");
    workspace.destroy();
    assert_eq!(there(server, "guest"), ["0", "0"]);
    server.superuser("DROP DATABASE guest_elsewhere");
}

fn a_create_that_failed_is_in_the_state_and_finished_with_its_password(server: &Server) {
    let workspace = workspace(server);
    let config = |password: &str, more: &str| {
        format!(
            "resource \"pgtenant_tenant\" \"this\" {{\n  name = \"begun\"\n  password_wo = \"{password}\"\n  \
             password_wo_version = 1\n  {more}\n}}\n"
        )
    };
    // It is not trusted: only a superuser may create it.
    workspace.write("main.tf", &config("correct horse", "extensions = [\"pageinspect\"]"));
    let failed = workspace.run(&["apply", "-auto-approve"]);
    assert!(!failed.status.success());
    assert_eq!(workspace.resource("pgtenant_tenant.this")["name"], "begun");
    let set = verifier(server, "begun");
    assert!(set.starts_with("SCRAM-SHA-256$"), "{set}");
    // Another value under the same version, as of an ephemeral resource: the first one may be in a secret store already.
    workspace.write("main.tf", &config("another horse", ""));
    workspace.apply();
    assert_eq!(verifier(server, "begun"), set);
    assert!(server.session_with_password("begun", "begun", "correct horse").is_ok());
    workspace.write("main.tf", &config("another horse", "deletion_protection = false"));
    workspace.apply();
    workspace.destroy();
}

fn a_half_made_tenant_is_removed_whatever_was_planned_for_it(server: &Server) {
    let workspace = workspace(server);
    let config = |extensions: &str, lifecycle: &str| {
        format!(
            "resource \"pgtenant_tenant\" \"this\" {{\n  name = \"begging\"\n  extensions = {extensions}\n  {lifecycle}\n}}\n"
        )
    };
    // It is not trusted: only a superuser may create it.
    workspace.write("main.tf", &config("[\"pageinspect\"]", ""));
    assert!(!workspace.run(&["apply", "-auto-approve"]).status.success());
    // The second is a replacement that fails as well.
    assert!(!workspace.run(&["apply", "-auto-approve"]).status.success());
    // Nothing in it is protected.
    workspace.destroy();
    assert_eq!(there(server, "begging"), ["0", "0"]);
    // Finished before it is destroyed, it is not destroyed.
    let first = "lifecycle { create_before_destroy = true }";
    workspace.write("main.tf", &config("[\"pageinspect\"]", first));
    assert!(!workspace.run(&["apply", "-auto-approve"]).status.success());
    workspace.write("main.tf", &config("[]", &format!("deletion_protection = false\n  {first}")));
    workspace.apply();
    assert_eq!(outcome(server, "begging", "begging", "SELECT 1"), "1");
    workspace.destroy();
    assert_eq!(there(server, "begging"), ["0", "0"]);
}

fn a_password_is_written_once_for_each_version(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &with_password("kept", "correct horse", 1));
    workspace.apply();
    // Somebody else's is told, and not replaced by one that nobody has.
    server.superuser("ALTER ROLE kept PASSWORD 'tampered'");
    let tampered = verifier(server, "kept");
    let plan = workspace.run(&["plan", "-no-color", "-detailed-exitcode"]);
    assert_eq!(plan.status.code(), Some(2));
    let said = plan.stdout.replace(['\n', '│'], " ");
    assert!(said.contains("does not have its password of version 1"), "{said}");
    assert!(workspace.run(&["apply", "-auto-approve"]).status.success());
    assert_eq!(verifier(server, "kept"), tampered);
    workspace.write("main.tf", &with_password("kept", "another horse", 2));
    workspace.apply();
    assert!(server.session_with_password("kept", "kept", "another horse").is_ok());
    // A role that is made again has none until the version is raised.
    server.sql("kept", SUPERUSER, "DROP OWNED BY kept").unwrap();
    server.superuser("DROP OWNED BY kept; DROP ROLE kept");
    assert!(workspace.run(&["apply", "-auto-approve"]).status.success());
    assert_eq!(verifier(server, "kept"), "none");
    let plan = workspace.run(&["plan", "-no-color"]);
    let said = plan.stdout.replace(['\n', '│'], " ");
    assert!(said.contains("kept was made without the password of version 2"), "{said}");
    workspace.write("main.tf", &with_password("kept", "third horse", 3));
    workspace.apply();
    assert!(server.session_with_password("kept", "kept", "third horse").is_ok());
    // Left out, it is taken away.
    workspace.write("main.tf", &tenant("kept", ""));
    let plan = workspace.run(&["plan", "-no-color"]);
    let said = plan.stdout.replace(['\n', '│'], " ");
    assert!(said.contains("The password of tenant \"kept\" is taken away"), "{said}");
    workspace.apply();
    assert_eq!(verifier(server, "kept"), "none");
    workspace.destroy();
}

fn a_database_that_is_adopted_is_not_closed_by_what_fails_inside(server: &Server) {
    let workspace = workspace(server);
    server.superuser(
        "CREATE ROLE live LOGIN; GRANT live TO platform_admin WITH ADMIN OPTION; CREATE ROLE live_reports LOGIN",
    );
    server.superuser("CREATE DATABASE live OWNER live");
    server.sql("live", "live", "CREATE EXTENSION pg_trgm").unwrap();
    let import = "import {\n  to = pgtenant_tenant.this\n  id = \"live/live/live/public\"\n}\n";
    let config = |more: &str| format!("{import}{}", tenant("live", &format!("schema = \"public\"\n  {more}")));
    workspace.write("main.tf", &config("extensions = [\"pg_trgm\", \"pageinspect\"]"));
    let failed = workspace.run(&["apply", "-auto-approve"]);
    assert!(!failed.status.success());
    assert_eq!(outcome(server, "live", "live", "SELECT 1"), "1");
    assert_eq!(outcome(server, "live", "live_reports", "SELECT 1"), "1", "PUBLIC goes last");
    // What is left out is left as it is.
    let controls = ["extensions", "memberships", "objects"].map(|control| format!("{control} = \"as it was\""));
    let accept = format!("accept = {{ {} }}", controls.join(", "));
    workspace.write("main.tf", &config(&accept));
    workspace.apply();
    assert_eq!(value(server, "live", "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'"), "1");
    assert_eq!(outcome(server, "live", "live", "SELECT 1"), "1");
    assert_eq!(outcome(server, "live", "live_reports", "SELECT 1"), "42501");
    workspace.destroy();
    server.superuser("DROP ROLE live_reports");
}

fn a_limit_that_keeps_everybody_out_is_put_right_from_outside(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &format!("{}{}", tenant("narrow", ""), guardrails("connection_limit = 3")));
    workspace.apply();
    server.superuser("ALTER DATABASE narrow CONNECTION LIMIT 0");
    workspace.apply();
    let limit = value(server, "postgres", "SELECT datconnlimit FROM pg_database WHERE datname = 'narrow'");
    assert_eq!(limit, "8");
    workspace.destroy();
}

fn a_tenant_that_terraform_never_heard_of_is_taken_up(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &with_password("orphan", "correct horse", 1));
    workspace.apply();
    let comment = || {
        let sql = "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = 'orphan'";
        value(server, "postgres", sql)
    };
    assert!(comment().contains("\"stage\":\"ready\""), "Terraform ended the provider in order: {}", comment());
    server.sql("orphan", "orphan", "CREATE TABLE app.kept AS SELECT 1").unwrap();
    let set = verifier(server, "orphan");
    // As it is when the provider is killed before it has answered.
    let made = comment().replace("\"ready\"", "\"made\"");
    server.superuser(&format!("COMMENT ON ROLE orphan IS '{made}'"));
    assert!(workspace.run(&["state", "rm", "pgtenant_tenant.this"]).status.success());
    workspace.apply();
    assert_eq!((verifier(server, "orphan"), comment().contains("\"stage\":\"ready\"")), (set, true));
    assert_eq!(value(server, "orphan", "SELECT count(*) FROM app.kept"), "1");
    workspace.destroy();
}

#[test]
fn a_prepared_transaction_is_named_with_the_way_to_end_it() {
    let options = Options { extra_conf: "max_prepared_transactions = 5", ..Options::default() };
    let server = Server::start(options).unwrap();
    let workspace = workspace(&server);
    workspace.write("main.tf", &tenant("prepared", "force_destroy = true"));
    workspace.apply();
    server.sql("prepared", "prepared", "BEGIN; CREATE TABLE app.t (); PREPARE TRANSACTION 'two phases'").unwrap();
    let refused = workspace.run(&["destroy", "-auto-approve"]);
    assert!(!refused.status.success());
    let message = refused.message();
    assert!(message.contains("'two phases' of \"prepared\"") && message.contains("ROLLBACK PREPARED"), "{message}");
    assert_eq!(outcome(&server, "prepared", "prepared", "SELECT 1"), "1");
    server.sql("prepared", "prepared", "ROLLBACK PREPARED 'two phases'").unwrap();
    workspace.destroy();
    server.stop();
}

//! Databases that grew by hand become governed tenants, while those who use them go on: as the guide "Adopting" says it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::fixture::{closes_public, outcome, value, workspace};
use crate::support::postgres::{ADMIN, Server};
use crate::support::terraform::Workspace;

on_every_major! {
    a_grown_database_is_adopted_and_nobody_is_refused,
}

/// Connects anew and asks, again and again, until it is told to stop: how often, and what it was refused.
fn ask(server: &Server, stop: &AtomicBool, role: &str, sql: &str) -> (usize, Vec<String>) {
    let (mut asked, mut refused) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        asked += 1;
        if let Err(error) = server.sql("grown", role, sql) {
            refused.push(error.to_string());
        }
        thread::sleep(Duration::from_millis(20));
    }
    (asked, refused)
}

/// What grew: an application that owns its database and lives in one schema, a reader with grants of its own, and a role that
/// reports on several databases and gets in by PUBLIC.
const GROWN: &str = "CREATE SCHEMA IF NOT EXISTS {schema}; CREATE TABLE {schema}.orders AS SELECT 42 AS id;
                     GRANT USAGE ON SCHEMA {schema} TO grown_reader, grown_report;
                     GRANT SELECT ON {schema}.orders TO grown_reader, grown_report;
                     ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO grown_reader, grown_report";

fn config(schema: &str, accept: bool, roles: bool) -> String {
    let accept = if accept {
        "accept = { for control in [\"public_privileges\", \"other_privileges\", \"schema_privileges\", \"public_schema\", \"other_roles\", \
         \"default_privileges\"] : control => \"adoption, until all who use it are named\" }"
    } else {
        ""
    };
    let tenant = format!(
        "resource \"pgtenant_tenant\" \"grown\" {{\n  name = \"grown\"\n  role = \"grown_app\"\n  schema = {schema:?}\n  \
         deletion_protection = false\n  {accept}\n}}\nimport {{\n  to = pgtenant_tenant.grown\n  id = \
         \"grown/grown/grown_app/{schema}\"\n}}\n"
    );
    let roles = if roles {
        "resource \"pgtenant_role\" \"reader\" {\n  tenant = pgtenant_tenant.grown.name\n  name = \"grown_reader\"\n  access = \"read\"\n}\n\
         import {\n  to = pgtenant_role.reader\n  id = \"grown/grown_reader\"\n}\n\
         resource \"pgtenant_access\" \"report\" {\n  tenant = pgtenant_tenant.grown.name\n  role = \"grown_report\"\n  access = \"read\"\n}\n"
    } else {
        ""
    };
    format!("{tenant}{roles}")
}

fn apply(workspace: &Workspace, text: &str) {
    workspace.write("main.tf", text);
    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
}

fn a_grown_database_is_adopted_and_nobody_is_refused(server: &Server) {
    let workspace = workspace(server);
    for sql in [
        "CREATE ROLE grown_app LOGIN",
        "CREATE ROLE grown_reader LOGIN",
        "CREATE ROLE grown_report LOGIN",
        "GRANT grown_app TO CURRENT_USER",
        "CREATE DATABASE grown OWNER grown_app",
        "REVOKE grown_app FROM CURRENT_USER",
    ] {
        server.sql("postgres", ADMIN, sql).unwrap();
    }
    // Up to 14 a superuser owns `public` in every database, and no other admin governs it.
    let schema = if closes_public(server) { "public" } else { "app" };
    assert_eq!(outcome(server, "grown", "grown_app", &GROWN.replace("{schema}", schema)), "ok");
    let stop = AtomicBool::new(false);
    let asks = format!("SELECT id FROM {schema}.orders");
    thread::scope(|scope| {
        let asking = ["grown_app", "grown_reader", "grown_report"].map(|role| {
            let (stop, asks) = (&stop, &asks);
            (role, scope.spawn(move || ask(server, stop, role, asks)))
        });
        let adopted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            // It is a tenant, and nobody is shut out; then those who use it are named; then the doors are closed.
            apply(&workspace, &config(schema, true, false));
            let owner = "SELECT datdba::regrole FROM pg_database WHERE datname = 'grown'";
            assert_eq!(value(server, "postgres", owner), ADMIN);
            apply(&workspace, &config(schema, true, true));
            apply(&workspace, &config(schema, false, true));
            workspace.assert_empty_plan();
        }));
        stop.store(true, Ordering::Relaxed);
        for (role, asking) in asking {
            let (asked, refused) = asking.join().unwrap();
            assert!(asked > 20 && refused.is_empty(), "{role}: {} of {asked}: {refused:?}", refused.len());
        }
        adopted.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });

    assert_eq!(outcome(server, "grown", "grown_app", &format!("CREATE TABLE {schema}.later AS SELECT 1 AS id")), "ok");
    for role in ["grown_reader", "grown_report"] {
        assert_eq!(outcome(server, "grown", role, &format!("SELECT id FROM {schema}.later")), "1", "{role}");
        assert_eq!(
            outcome(server, "grown", role, &format!("INSERT INTO {schema}.later VALUES (2)")),
            "42501",
            "{role}"
        );
    }
    server.superuser("CREATE ROLE grown_stranger LOGIN");
    assert_eq!(outcome(server, "grown", "grown_stranger", "SELECT 1"), "42501");
    workspace.destroy();
    server.superuser("DROP ROLE grown_stranger; DROP ROLE grown_report");
}

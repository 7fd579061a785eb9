//! A workspace against a server, and what most tests ask of the two.

use crate::support::postgres::Server;
use crate::support::terraform::Workspace;

pub const PROVIDER: &str = env!("CARGO_BIN_EXE_terraform-provider-pgtenant");

/// What a server needs for pg_cron; one that does not have it does not start. Jobs run in background workers.
pub const CRON: &str = "shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.use_background_workers = on
";

/// The same with jobs that log in, which is what pg_cron does unless it is told otherwise.
pub const CRON_LOGS_IN: &str = "shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
";

/// A workspace whose provider block is empty: the environment says where the server is.
pub fn workspace(server: &Server) -> Workspace {
    let mut workspace = Workspace::new(PROVIDER);
    workspace.envs(server.env());
    workspace
}

/// One tenant, with whatever else is to stand in its block.
pub fn tenant(name: &str, more: &str) -> String {
    format!(
        "resource \"pgtenant_tenant\" \"this\" {{\n  name = {name:?}\n  deletion_protection = false\n  {more}\n}}\n"
    )
}

/// Guardrails for it.
pub fn guardrails(more: &str) -> String {
    format!("resource \"pgtenant_guardrails\" \"this\" {{\n  tenant = pgtenant_tenant.this.name\n  {more}\n}}\n")
}

/// The one value that a query answers with.
#[track_caller]
pub fn value(server: &Server, database: &str, sql: &str) -> String {
    let rows = server.sql(database, crate::support::postgres::SUPERUSER, sql).unwrap_or_else(|e| panic!("{e}\n{sql}"));
    rows[0][0].clone().unwrap_or_default()
}

/// The SQLSTATE with which a role is refused, or what it is answered.
pub fn outcome(server: &Server, database: &str, role: &str, sql: &str) -> String {
    match server.sql(database, role, sql) {
        Ok(rows) => rows.first().and_then(|row| row.first()).cloned().flatten().unwrap_or_else(|| "ok".to_owned()),
        Err(error) => error.sqlstate,
    }
}

pub fn admin_is_superuser(server: &Server) -> bool {
    value(server, "postgres", "SELECT rolsuper FROM pg_roles WHERE rolname = 'platform_admin'") == "t"
}

/// Whether this admin may close the schema `public` of a tenant's database: up to 14 a superuser owns it.
pub fn closes_public(server: &Server) -> bool {
    server.major >= 15 || admin_is_superuser(server)
}

/// Demands that every control of the tenant holds, but for what no admin of this major may change.
#[track_caller]
pub fn assert_enforced(server: &Server, workspace: &Workspace) {
    let isolation = workspace.resource("pgtenant_tenant.this")["isolation"].clone();
    for (control, found) in isolation.as_object().expect("a map") {
        let found = found.as_str().expect("a sentence");
        if control == "public_schema" && !closes_public(server) {
            let expected = "accepted: PUBLIC has CREATE, USAGE on schema public (PostgreSQL 13 and 14: ";
            assert!(found.starts_with(expected), "{control}: {found}");
        } else {
            assert_eq!(found, "enforced", "{control}");
        }
    }
}

/// Demands that every control of every resource holds, whatever the major.
#[track_caller]
pub fn assert_all_enforced(workspace: &Workspace) {
    let state = workspace.state();
    let resources = state["values"]["root_module"]["resources"].as_array().expect("resources");
    let isolated = resources.iter().filter_map(|one| Some((&one["address"], one["values"]["isolation"].as_object()?)));
    let isolated: Vec<_> = isolated.collect();
    assert!(!isolated.is_empty(), "there is nothing to hold");
    for (address, controls) in isolated {
        for (control, found) in controls {
            assert_eq!(found, "enforced", "{address}: {control}");
        }
    }
}

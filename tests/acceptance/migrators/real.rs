//! Prisma Migrate and Drizzle from npm. Neither is built for the server's version: two majors are enough.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Tenant, assert_made, config};
use crate::fixture::{outcome, value, workspace};
use crate::support::postgres::Server;
use crate::support::terraform::copy_tree;
use crate::support::{npm, scratch, skip};

on_two_majors! {
    two_migrations_are_applied_once,
}

struct Tool {
    tenant: Tenant,
    /// In the directory of the tool's fixture.
    command: &'static [&'static str],
    history: &'static str,
    /// What is written to a table of the migrations.
    writes: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        tenant: Tenant {
            name: "mig_real_prisma",
            more: "",
            tables: &[r#"app."_prisma_migrations""#, r#"app."Account""#, r#"billing."Order""#],
        },
        command: &["../node_modules/prisma/build/index.js", "migrate", "deploy", "--config", "prisma.config.mjs"],
        history: r#"app."_prisma_migrations""#,
        writes: r#"INSERT INTO billing."Order" (note, state) VALUES ('x', 'VOID')"#,
    },
    Tool {
        tenant: Tenant {
            name: "mig_real_drizzle",
            more: "",
            tables: &["drizzle.__drizzle_migrations", "app.orders", "billing.accounts"],
        },
        command: &["migrate.mjs"],
        history: "drizzle.__drizzle_migrations",
        writes: "INSERT INTO orders (note, state) VALUES ('x', 'void')",
    },
];

/// Which rows of the catalogs there are, and which transaction wrote each last.
const CATALOGS: &str = "
    SELECT string_agg(format('%s %s', oid, xmin), ',' ORDER BY oid)
    FROM (SELECT oid, xmin FROM pg_class UNION ALL SELECT oid, xmin FROM pg_type UNION ALL SELECT oid, xmin FROM pg_enum
          UNION ALL SELECT oid, xmin FROM pg_namespace) AS rows
    WHERE oid >= 16384";

fn two_migrations_are_applied_once(server: &Server) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/acceptance/migrators/tools");
    let modules = match npm::modules(&fixture) {
        Ok(modules) => modules,
        Err(reason) => return skip(&format!("{}::pg{}", module_path!(), server.major), &reason),
    };
    let dir = scratch::directory("migrators").unwrap();
    copy_tree(&fixture, &dir).unwrap();
    std::os::unix::fs::symlink(modules, dir.join("node_modules")).unwrap();

    let workspace = workspace(server);
    workspace.write("main.tf", &TOOLS.iter().map(|tool| config(&tool.tenant)).collect::<String>());
    workspace.apply();
    for tool in TOOLS {
        let name = tool.tenant.name;
        run(tool, &dir, server);
        assert_made(server, &tool.tenant);
        assert_eq!(outcome(server, name, &format!("{name}_migrator"), tool.writes), "ok");

        let history = || value(server, name, &format!("SELECT count(*) FROM {}", tool.history));
        let before = (value(server, name, CATALOGS), history());
        assert_eq!(before.1, "2", "{name}");
        run(tool, &dir, server);
        assert_eq!((value(server, name, CATALOGS), history()), before, "{name} has nothing to do a second time");
    }
    workspace.assert_empty_plan();
    workspace.destroy();
}

/// Over TCP with the password, as from a pipeline.
#[track_caller]
fn run(tool: &Tool, dir: &Path, server: &Server) {
    let name = tool.tenant.name;
    let directory = name.trim_start_matches("mig_real_");
    let url = format!("postgresql://{name}_migrator:horse@{}:{}/{name}", server.host, server.port);
    let mut command = Command::new("node");
    command.args(tool.command).current_dir(dir.join(directory)).env("DATABASE_URL", url).stdin(Stdio::null());
    // Prisma looks for its native engines at each start, and for a newer version of itself; it needs neither.
    command.env("CHECKPOINT_DISABLE", "1");
    for engine in ["PRISMA_QUERY_ENGINE_LIBRARY", "PRISMA_SCHEMA_ENGINE_BINARY"] {
        command.env(engine, "/dev/null");
    }
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{name}: {said}");
}

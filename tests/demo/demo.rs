//! `cargo demo`: the quickstart played on a throwaway server, from nothing to nothing. What it claims it
//! has tried: by logging in as the tenants, and by reading the catalogs.

#[path = "../support/mod.rs"]
mod support;

use std::fmt::Display;
use std::io::{IsTerminal, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use support::postgres::{ADMIN, Options, Rows, SUPERUSER, Server};
use support::terraform::{Installation, Plan, Workspace, find_terraform};
use support::{built_provider, scratch};

const TENANTS: [&str; 2] = ["acme", "globex"];
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn main() -> ExitCode {
    let started = Instant::now();
    let told = tour(&mut Story { steps: 0, colour: stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() });
    // Ctrl-C needs nothing here: the scratch directory's watchdog outlives this process.
    scratch::clear();
    match told {
        Ok(()) => {
            println!(
                "\nAll of it in {:.1} s. The configuration is in examples/quickstart.",
                started.elapsed().as_secs_f32()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\nThe demo failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tour(story: &mut Story) -> Result<(), String> {
    find_terraform()?;
    let provider = story.step("Build the provider", |_| built_provider("demo"))?;
    let server = story.step("Start a PostgreSQL server", |story| {
        let server = Server::start(Options::default())?;
        story.say(format!("PostgreSQL {} on port {}.", server.major, server.port));
        story.say(format!("The admin, {ADMIN}, may create roles and databases and is no superuser, as on RDS."));
        Ok(server)
    })?;
    let before = catalogs(&server)?;

    let workspace = story.step("Install the provider: terraform init", |_| {
        let mut workspace = Workspace::with(&provider, Installation::Mirror)?;
        workspace.envs(server.env()).copy_from(&Path::new(ROOT).join("examples/quickstart"))?;
        workspace.try_run(&["init"])?.ok()?;
        Ok(workspace)
    })?;
    story.step("Make two tenants, acme and globex: terraform apply", |story| {
        workspace.try_apply()?;
        story.say("Two more plans, with and without a look at the server, find nothing left to do.");
        Ok(())
    })?;
    story.step("Who can connect where? Every role tries every database", |story| {
        connections(story, &server);
        story.say("The maintenance database admits everybody, until pgtenant_cluster_baseline closes it.");
        isolated(&server)
    })?;

    story.step("Change things behind Terraform's back", |story| {
        for (role, database, statement) in [
            (ADMIN, "postgres", "GRANT CONNECT ON DATABASE acme TO PUBLIC"),
            (ADMIN, "postgres", "ALTER ROLE acme CONNECTION LIMIT 500"),
            ("acme", "acme", "ALTER ROLE acme SET statement_timeout = 0"),
        ] {
            server.sql(database, role, statement).map_err(|error| format!("{statement}: {error}"))?;
            story.say(format!("{role:<15} {statement}"));
        }
        connections(story, &server);
        Ok(())
    })?;
    story.step("See it: terraform plan", |story| drift(story, &workspace.try_plan()?))?;
    story.step("Repair it: terraform apply", |story| {
        workspace.try_apply()?;
        connections(story, &server);
        isolated(&server)
    })?;

    story.step("Remove the tenants: terraform destroy", |story| {
        workspace.try_run(&["destroy", "-auto-approve"])?.ok()?;
        let after = catalogs(&server)?;
        if after != before {
            return Err(format!("the server is not as it was. Before: {before:?}. After: {after:?}"));
        }
        story.say("Roles, databases, their settings, privileges and comments are exactly what they were before.");
        Ok(())
    })?;
    story.step("Stop the server and remove its files", |_| {
        let dir = server.dir.clone();
        server.stop();
        scratch::clear();
        if dir.exists() { Err(format!("{} is still there", dir.display())) } else { Ok(()) }
    })
}

/// All that a tenant leaves in the catalogs that the whole cluster shares.
fn catalogs(server: &Server) -> Result<Rows, String> {
    let text = "
        SELECT 'role', rolname::text, rolconfig::text FROM pg_roles
        UNION ALL SELECT 'database', datname, datacl::text FROM pg_database
        UNION ALL SELECT 'setting', setdatabase::text || '/' || setrole::text, setconfig::text FROM pg_db_role_setting
        UNION ALL SELECT 'member', roleid::regrole::text, member::regrole::text FROM pg_auth_members
        UNION ALL SELECT 'comment', classoid::regclass::text || '/' || objoid::text, description FROM pg_shdescription
        ORDER BY 1, 2, 3";
    server.sql("postgres", SUPERUSER, text).map_err(|error| format!("cannot read the catalogs: {error}"))
}

/// "connects", or the SQLSTATE with which PostgreSQL refuses.
fn attempt(server: &Server, role: &str, database: &str) -> Result<(), String> {
    server.session(database, role).map(drop).map_err(|error| error.sqlstate)
}

fn connections(story: &Story, server: &Server) {
    for role in TENANTS {
        for database in ["acme", "globex", "postgres"] {
            let (outcome, good) = match attempt(server, role, database) {
                // The maintenance database holds nothing of a tenant's; its owner decides who may enter.
                Ok(()) => ("connects".to_owned(), role == database || database == "postgres"),
                Err(sqlstate) => (format!("refused ({sqlstate})"), role != database),
            };
            let colour = if good { GREEN } else { RED };
            story.say(format!("{role:>6} -> {database:<8}  {}", story.paint(colour, outcome)));
        }
    }
}

fn isolated(server: &Server) -> Result<(), String> {
    for role in TENANTS {
        for database in TENANTS {
            let expected = if role == database { Ok(()) } else { Err("42501".to_owned()) };
            let found = attempt(server, role, database);
            if found != expected {
                return Err(format!("{role} -> {database} should be {expected:?} and is {found:?}"));
            }
        }
    }
    Ok(())
}

fn drift(story: &Story, plan: &Plan) -> Result<(), String> {
    for address in plan.addresses() {
        story.say(story.paint(BOLD, &address));
        for change in plan.diff(&address) {
            let after = change.after.map_or("(known after apply)".to_owned(), |after| after.to_string());
            story.say(format!("  {}: {} -> {after}", change.path, change.before));
        }
    }
    let expected = ["pgtenant_guardrails.this[\"acme\"]", "pgtenant_tenant.this[\"acme\"]"];
    let mut found = plan.addresses();
    found.sort();
    if found == expected { Ok(()) } else { Err(format!("the plan should change {expected:?} and changes {found:?}")) }
}

const BOLD: &str = "1";
const RED: &str = "31";
const GREEN: &str = "32";

/// Numbered steps on stdout.
struct Story {
    steps: u32,
    colour: bool,
}

impl Story {
    fn step<T>(&mut self, title: &str, work: impl FnOnce(&Story) -> Result<T, String>) -> Result<T, String> {
        self.steps += 1;
        println!("\n{}", self.paint(BOLD, format!("{}. {title}", self.steps)));
        let started = Instant::now();
        let result = work(self)?;
        println!("   {:.1} s", started.elapsed().as_secs_f32());
        Ok(result)
    }

    fn say(&self, line: impl Display) {
        println!("   {line}");
    }

    fn paint(&self, colour: &str, text: impl Display) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_string() }
    }
}

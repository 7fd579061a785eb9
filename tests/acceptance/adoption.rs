//! Databases that grew by hand become governed tenants, while those who use them go on: as the guide "Adopting" says it.

mod grown;

use std::time::Duration;

use crate::clients::{Client, nobody_is_refused};
use crate::fixture::{assert_enforced, closes_public, outcome, tenant, value, workspace};
use crate::support::postgres::{ADMIN, Options, SUPERUSER, Server};
use crate::support::terraform::Workspace;

use grown::{DATABASES, Grown};

on_every_major! {
    a_plan_tells_what_an_adoption_changes,
    a_grown_database_is_adopted_and_nobody_is_refused,
    half_of_a_tenant_is_taken_up_and_the_rest_is_made,
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
    let asks = format!("SELECT id FROM {schema}.orders");
    let clients = ["grown_app", "grown_reader", "grown_report"].map(|role| Client::new("grown", role, &asks));
    nobody_is_refused(server, &clients, Duration::from_millis(20), || {
        // It is a tenant, and nobody is shut out; then those who use it are named; then the doors are closed.
        apply(&workspace, &config(schema, true, false));
        let owner = "SELECT datdba::regrole FROM pg_database WHERE datname = 'grown'";
        assert_eq!(value(server, "postgres", owner), ADMIN);
        apply(&workspace, &config(schema, true, true));
        apply(&workspace, &config(schema, false, true));
        workspace.assert_empty_plan();
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

/// Severity, summary and detail of what a plan says.
fn told(workspace: &Workspace) -> Vec<[String; 3]> {
    let plan = workspace.run(&["plan", "-json"]);
    let text = |found: &serde_json::Value, key: &str| found[key].as_str().unwrap_or_default().to_owned();
    plan.diagnostics().iter().map(|found| ["severity", "summary", "detail"].map(|key| text(found, key))).collect()
}

/// The block that a refused create proposes, for the resource `this`.
fn proposed(workspace: &Workspace) -> String {
    let told = told(workspace);
    let refused = |[_, summary, _]: &&[String; 3]| summary.starts_with("There is a ");
    let [severity, _, detail] = told.iter().find(refused).expect("a refused create");
    assert_eq!(severity, "warning", "{detail}");
    let block = detail.split_once("import {").expect("an import block").1;
    format!("import {{{}\n", block.replace("pgtenant_tenant.<name>", "pgtenant_tenant.this"))
}

/// As RDS makes its first database, or another team its roles: the hint of a create leads to the end.
fn half_of_a_tenant_is_taken_up_and_the_rest_is_made(server: &Server) {
    for (name, make, keeps) in [
        (
            "half_database",
            ["CREATE DATABASE half_database", "CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions; CREATE TABLE kept AS SELECT 7 AS id"]
                .as_slice(),
            "SELECT id FROM public.kept",
        ),
        ("half_role", ["CREATE ROLE half_role LOGIN"].as_slice(), "SELECT 7"),
    ] {
        let workspace = workspace(server);
        for (number, sql) in make.iter().enumerate() {
            server.sql(if number == 0 { "postgres" } else { name }, ADMIN, sql).unwrap();
        }
        let block = tenant(name, "password_wo = \"Ha1f-pw-Zq7\"\n  password_wo_version = 1");
        workspace.write("main.tf", &block);
        let import = proposed(&workspace);
        assert!(import.contains(&format!("id = \"{name}/{name}/{name}/app\"")), "{import}");
        workspace.write("main.tf", &format!("{block}{import}"));
        workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
        workspace.assert_empty_plan();
        assert_enforced(server, &workspace);
        server.session_with_password(name, name, "Ha1f-pw-Zq7").unwrap();
        assert_eq!(value(server, name, keeps), "7");
        if name == "half_database" {
            // What it had is kept where the configuration does not say.
            assert_eq!(value(server, name, "SELECT count(*) FROM pg_extension WHERE extname = 'citext'"), "1");
        }
        workspace.destroy();
    }
}

/// Those who use it now are told by name and number what they will lose, before it is done; and what to write instead leads to an
/// adoption that says nothing.
fn a_plan_tells_what_an_adoption_changes(server: &Server) {
    let workspace = workspace(server);
    for sql in [
        "CREATE ROLE warned_app LOGIN CREATEDB",
        "CREATE ROLE warned_reader LOGIN",
        "CREATE ROLE warned_visitor LOGIN",
        "ALTER ROLE warned_app SET work_mem = '8MB'",
        "GRANT warned_app TO CURRENT_USER",
        "CREATE DATABASE warned OWNER warned_app",
        "REVOKE warned_app FROM CURRENT_USER",
    ] {
        server.sql("postgres", ADMIN, sql).unwrap();
    }
    let grown = "CREATE TABLE public.orders AS SELECT 1 AS id; CREATE TABLE public.lines (id serial);
                 GRANT SELECT ON public.orders TO warned_reader";
    assert_eq!(outcome(server, "warned", "warned_app", grown), "ok");
    let visitor = server.session("warned", "warned_visitor").unwrap();

    // The hint finds the role and the schema.
    workspace.write("main.tf", &tenant("warned", ""));
    let [_, _, message] = told(&workspace).remove(0);
    let (set, id) = if closes_public(server) {
        let both = "Set `role = \"warned_app\"` (the owner of the database) and `schema = \"public\"` (the schema with the role's tables).";
        (both, "\"warned/warned/warned_app/public\"")
    } else {
        ("Set `role = \"warned_app\"` (the owner of the database).", "\"warned/warned/warned_app/app\"")
    };
    assert!(message.contains(set), "{message}");
    assert!(proposed(&workspace).contains(id));

    // Whoever imports it otherwise is told.
    let warned = |schema: &str| {
        let block = tenant("warned", &format!("role = \"warned_app\"\n  schema = {schema:?}"));
        let import =
            format!("import {{\n  to = pgtenant_tenant.this\n  id = \"warned/warned/warned_app/{schema}\"\n}}\n");
        workspace.write("main.tf", &format!("{block}{import}"));
        let told = told(&workspace);
        let summary = "Database warned is in use: the import changes what its users can do";
        let [_, _, detail] = told.into_iter().find(|[_, found, _]| found == summary).expect("a warning");
        detail
    };
    let detail = warned("app");
    let access = "To keep its access, add a `pgtenant_role` if it is this tenant's alone, or a `pgtenant_access`.";
    let tables = if closes_public(server) {
        "Role warned_app can no longer reach its 3 tables and sequences in schema public. To keep them, set `schema = \"public\"`."
    } else {
        "Role warned_app no longer finds its 3 tables and sequences in schema public unless a query names the schema"
    };
    for line in [
        tables,
        "The admin becomes the owner of database warned; now it is role warned_app.",
        "Role warned_app loses CREATEDB.",
        "PUBLIC loses CONNECT",
        &format!("Role warned_reader loses privileges on 1 object. {access}"),
        &format!("Role warned_visitor loses its way in (1 session now). {access}"),
        "Temporary tables are refused. To keep them, set `allow_temporary_tables = true`.",
        "Parameters of the role or the database are reset: work_mem.",
    ] {
        assert!(detail.contains(line), "{line:?} is not in:\n{detail}");
    }
    drop(visitor);
    // Where no admin governs `public`, its tables move before the database is imported.
    if !closes_public(server) {
        return;
    }
    assert!(!warned("public").contains("can no longer reach"));

    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    assert_eq!(told(&workspace), Vec::<[String; 3]>::new());
    assert_eq!(outcome(server, "warned", "warned_app", "SELECT id FROM orders"), "1");
    workspace.destroy();
    server.superuser("DROP ROLE warned_reader; DROP ROLE warned_visitor");
}

/// The same in the configuration of many, as the guide says: `for_each` over what is known of each.
const MANY: &str = r#"
variable "stage" { type = number }

locals {
  accept = var.stage == 3 ? [] : [
    "public_privileges", "other_privileges", "schema_privileges", "public_schema", "other_roles", "default_privileges",
  ]
}

resource "pgtenant_tenant" "grown" {
  for_each = local.grown

  name                   = each.key
  role                   = each.value.role
  schema                 = each.value.schema
  schemas                = try(each.value.schemas, null)
  allow_temporary_tables = try(each.value.allow_temporary_tables, false)
  allow_create_schema    = try(each.value.allow_create_schema, false)
  accept                 = { for control in concat(local.accept, try(each.value.keeps, [])) : control => "as it grew" }
  deletion_protection    = false
}

import {
  for_each = local.grown
  to       = pgtenant_tenant.grown[each.key]
  id       = "${each.key}/${each.key}/${each.value.role}/${each.value.schema}"
}

resource "pgtenant_guardrails" "grown" {
  for_each = { for name, grown in local.grown : name => grown if can(grown.connection_limit) || can(grown.parameters) }

  tenant           = pgtenant_tenant.grown[each.key].name
  connection_limit = try(each.value.connection_limit, 10)
  parameters       = try(each.value.parameters, null)
}
"#;

const MANY_ROLES: &str = r#"
resource "pgtenant_role" "grown" {
  for_each = local.roles

  tenant = pgtenant_tenant.grown[each.value.tenant].name
  name   = each.key
  access = each.value.access
}

import {
  for_each = local.roles
  to       = pgtenant_role.grown[each.key]
  id       = "${each.value.tenant}/${each.key}"
}

resource "pgtenant_access" "grown" {
  for_each = local.visits

  tenant = pgtenant_tenant.grown[each.key].name
  role   = "grown_all"
  access = each.value
}
"#;

fn app(grown: &Grown) -> String {
    format!("{}_app", grown.database)
}

/// What is known of each, as locals.
fn known() -> String {
    let tenants = DATABASES.iter().map(|grown| {
        let (Grown { database, schema, more, .. }, app) = (grown, app(grown));
        format!("    {database:?} = {{\n      role = {app:?}\n      schema = {schema:?}\n      {more}\n    }}\n")
    });
    let others = || DATABASES.iter().flat_map(|grown| grown.others.iter().map(move |other| (grown.database, other)));
    let roles = others().filter(|(_, other)| !other.visits).map(|(database, other)| {
        format!("    {:?} = {{ tenant = {database:?}, access = {:?} }}\n", other.role, other.access)
    });
    let visits = others().filter(|(_, other)| other.visits);
    let visits = visits.map(|(database, other)| format!("    {database:?} = {:?}\n", other.access));
    let (tenants, roles, visits) = (tenants.collect::<String>(), roles.collect::<String>(), visits.collect::<String>());
    format!("locals {{\n  grown = {{\n{tenants}  }}\n  roles = {{\n{roles}  }}\n  visits = {{\n{visits}  }}\n}}\n")
}

/// As people did it over the years.
fn grow(server: &Server) {
    server.superuser("CREATE ROLE grown_all LOGIN");
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    for grown in DATABASES {
        let (database, app) = (quoted(grown.database), quoted(&app(grown)));
        let run = |database: &str, role: &str, sql: &str| {
            server.sql(database, role, sql).unwrap_or_else(|error| panic!("{}: {error}\n{sql}", grown.database))
        };
        run("postgres", ADMIN, &format!("CREATE ROLE {app} LOGIN; GRANT {app} TO CURRENT_USER"));
        run("postgres", ADMIN, &grown.around.replace("{app}", &app));
        let template = if grown.options.contains('\'') { "TEMPLATE template0" } else { "" };
        run("postgres", ADMIN, &format!("CREATE DATABASE {database} OWNER {app} {template} {}", grown.options));
        run(grown.database, SUPERUSER, &format!("SET SESSION AUTHORIZATION {app}; {}", grown.within));
    }
}

#[test]
fn databases_that_grew_for_years_are_adopted_and_nobody_is_refused() {
    if !crate::majors::is_there("adoption::databases_that_grew_for_years_are_adopted_and_nobody_is_refused", 16) {
        return;
    }
    let options = Options { major: Some(16), extra_conf: "max_connections = 300", ..Options::default() };
    let server = Server::start(options).unwrap();
    grow(&server);
    let workspace = workspace(&server);
    workspace.write("known.tf", &known()).write("main.tf", MANY);
    let own = DATABASES.iter().map(|grown| Client::new(grown.database, &app(grown), grown.asks));
    let pooled = own.clone().map(Client::keeping_its_connection);
    let others = DATABASES
        .iter()
        .flat_map(|grown| grown.others.iter().map(|other| Client::new(grown.database, other.role, other.asks)));
    let clients: Vec<_> = own.chain(pooled).chain(others).collect();
    let at = |command: &[&str], stage: u32| {
        let variable = format!("stage={stage}");
        workspace.run(&[command, &["-var", &variable]].concat()).ok().unwrap()
    };
    nobody_is_refused(&server, &clients, Duration::from_millis(500), || {
        at(&["apply", "-auto-approve"], 1);
        workspace.write("roles.tf", MANY_ROLES);
        at(&["apply", "-auto-approve"], 2);
        at(&["apply", "-auto-approve"], 3);
        at(&["plan", "-detailed-exitcode"], 3);
    });

    let state = workspace.state();
    for resource in state["values"]["root_module"]["resources"].as_array().unwrap() {
        for (control, found) in resource["values"]["isolation"].as_object().into_iter().flatten() {
            let found = found.as_str().unwrap();
            let is_kept = found.starts_with("accepted: ") && ["extensions", "objects"].contains(&control.as_str());
            assert!(found == "enforced" || is_kept, "{}: {control}: {found}", resource["address"]);
        }
    }
    server.superuser("CREATE ROLE grown_stranger LOGIN");
    for grown in DATABASES {
        let asks = |role: &str, sql: &str| outcome(&server, grown.database, role, sql);
        let later = format!("CREATE TABLE {}.later AS SELECT 43 AS id", grown.schema);
        assert_eq!(asks(&app(grown), &later), "ok", "{}", grown.database);
        for other in grown.others {
            let expected = if other.access == "connect" { "42501" } else { "43" };
            let reads = format!("SELECT id FROM {}.later", grown.schema);
            assert_eq!(asks(other.role, &reads), expected, "{} in {}", other.role, grown.database);
        }
        let visits = grown.others.iter().any(|other| other.visits);
        assert_eq!(asks("grown_all", "SELECT 1"), if visits { "1" } else { "42501" }, "{}", grown.database);
        assert_eq!(asks("grown_stranger", "SELECT 1"), "42501", "{}", grown.database);
    }
    server.stop();
}

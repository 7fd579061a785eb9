//! Tenants store generated texts at every place that they can write: none is read as a status, and none comes raw
//! to a terminal.

use std::process::Command;

use serde_json::Value;

use super::hostile::{Texts, identifier, literal, raw};
use crate::fixture::{PROVIDER, workspace};
use crate::support::postgres::{ADMIN, Options, Server, Session};
use crate::support::terraform::{Plan, Workspace};

const TENANTS: usize = 20;
/// Objects of each kind in each tenant's schema: 1000 texts among all of them.
const EACH: usize = 1000 / TENANTS;

/// Settings that take what they are given, in each of these places.
const PARAMETERS: &[&str] = &[
    "application_name",
    "default_tablespace",
    "temp_tablespaces",
    "default_table_access_method",
    "default_text_search_config",
];

const CONFIG: &str = r#"
provider "pgtenant" {
  deep_verify = true
}

resource "pgtenant_cluster_baseline" "this" {}

resource "pgtenant_tenant" "this" {
  for_each            = toset([for number in range(20) : format("t%02d", number)])
  name                = each.key
  deletion_protection = false
}

resource "pgtenant_guardrails" "this" {
  for_each          = pgtenant_tenant.this
  tenant            = each.value.name
  connection_limit  = 5
  statement_timeout = "50s"
}
"#;

fn tenants() -> Vec<String> {
    (0..TENANTS).map(|number| format!("t{number:02}")).collect()
}

/// Names, labels, columns, comments: what bystander may read, so that somebody has to speak of it.
fn objects(texts: &mut Texts, others: &mut Texts) -> String {
    let mut script = String::new();
    let mut labels = Vec::new();
    for _ in 0..EACH {
        let text = texts.text();
        let (name, said) = (identifier(&text), literal(&text));
        let kind = identifier(&others.text());
        labels.push(said.clone());
        script += &format!(
            "CREATE TABLE app.{name} ({name} int CONSTRAINT {name} CHECK ({name} > 0));
             COMMENT ON TABLE app.{name} IS {said};
             COMMENT ON COLUMN app.{name}.{name} IS {said};
             GRANT SELECT, UPDATE ({name}) ON app.{name} TO bystander;
             CREATE FUNCTION app.{name}({name} int) RETURNS int LANGUAGE sql AS 'SELECT 1';
             COMMENT ON FUNCTION app.{name}(int) IS {said};
             GRANT EXECUTE ON FUNCTION app.{name}(int) TO bystander;\n"
        );
        // A table's row type has its name already.
        if let Some(kind) = Some(kind).filter(|kind| !script.contains(&format!("app.{kind} "))) {
            script += &format!(
                "DO $x$ BEGIN CREATE TYPE app.{kind} AS ENUM ({said});
                   GRANT USAGE ON TYPE app.{kind} TO bystander;
                 EXCEPTION WHEN duplicate_object THEN NULL; END $x$;\n"
            );
        }
    }
    script
        + &format!(
            "CREATE TYPE app.\"all labels\" AS ENUM ({}); GRANT USAGE ON TYPE app.\"all labels\" TO bystander",
            labels.join(", ")
        )
}

struct Stored {
    texts: usize,
    refused: usize,
    /// Whose `search_path` and whose other parameters were changed.
    paths: Vec<String>,
    parameters: Vec<String>,
}

/// One text for each parameter that takes it; `search_path` has this round's place for itself.
fn settings(server: &Server, texts: &mut Texts, round: usize) -> Stored {
    let mut stored = Stored { texts: 0, refused: 0, paths: Vec::new(), parameters: Vec::new() };
    for tenant in tenants() {
        let session = server.session(&tenant, &tenant).unwrap();
        let places = ["", &format!("IN DATABASE {tenant} "), "IN DATABASE postgres "];
        let mut store = |place: &str, parameter: &str, text: &str| {
            let done = session.sql(&format!("ALTER ROLE {tenant} {place}SET {parameter} = {}", literal(text))).is_ok();
            stored.texts += usize::from(done);
            stored.refused += usize::from(!done);
            done
        };
        if store(places[round % places.len()], "search_path", &texts.text()) {
            stored.paths.push(tenant.clone());
        }
        let mut more = 0;
        for parameter in PARAMETERS {
            for place in &places {
                more += usize::from(store(place, parameter, &texts.text()) && *parameter != "application_name");
            }
        }
        // Up to 14 everybody may make up parameters.
        more += usize::from(store("", "enforced.enforced", &texts.text()));
        if more > 0 {
            stored.parameters.push(tenant.clone());
        }
    }
    stored
}

/// Sessions that call themselves something.
fn sessions(server: &Server, texts: &mut Texts) -> Vec<Session> {
    let named = |tenant: String| {
        let session = server.session(&tenant, &tenant).unwrap();
        session.sql(&format!("SET application_name = {}", literal(&texts.text()))).unwrap();
        session
    };
    tenants().into_iter().map(named).collect()
}

/// All that a person sees of it, and that it is clean.
fn shown(server: &Server, workspace: &Workspace, what: &[&[&str]], problems: &mut Vec<String>) {
    for arguments in what {
        let run = workspace.run(arguments);
        let name = arguments.join(" ");
        if !run.status.success() {
            problems.push(format!("terraform {name} fails: {}", run.message()));
        }
        problems.extend(
            [&run.stdout, &run.stderr]
                .into_iter()
                .filter_map(|text| raw(text))
                .map(|text| format!("terraform {name}: {text}")),
        );
    }
    for format in ["text", "json", "html"] {
        let mut command = Command::new(PROVIDER);
        let output = command.env_clear().envs(server.env()).args(["audit", "--format", format]).output().unwrap();
        let texts = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
        problems.extend(texts.iter().filter_map(|text| raw(text)).map(|text| format!("audit {format}: {text}")));
        if output.status.code() != Some(1) {
            problems.push(format!("audit {format} ends with {:?}: {}", output.status.code(), texts[1]));
        }
    }
}

fn planned(workspace: &Workspace) -> Plan {
    let shown = workspace.run(&["show", "-json", "planned"]).ok().unwrap();
    Plan { json: serde_json::from_str(&shown.stdout).unwrap() }
}

/// Demands that the plan changes that control, and that it is found to be wrong.
fn differs(plan: &Plan, tenant: &str, control: &str, problems: &mut Vec<String>) {
    let address = format!("pgtenant_tenant.this[{tenant:?}]");
    let path = format!("isolation.{control}");
    let change = plan.diff(&address).into_iter().find(|change| change.path == path);
    let before = change.map(|change| change.before).unwrap_or(Value::Null);
    if !before.as_str().is_some_and(|before| before.starts_with("found: ")) {
        problems.push(format!("{address} {control}: {before}"));
    }
}

fn on(major: u32) {
    if !crate::majors::is_there("facts::forging", major) {
        return;
    }
    let options = Options { major: Some(major), admin_owns_maintenance: true, ..Options::default() };
    let server = Server::start(options).unwrap();
    server.superuser("CREATE ROLE bystander LOGIN");
    server.sql("postgres", ADMIN, "GRANT CONNECT ON DATABASE postgres TO platform_admin").unwrap();
    let workspace = workspace(&server);
    workspace.write("main.tf", CONFIG);
    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();

    let (mut texts, mut others) = (Texts::seeded(10), Texts::seeded(1));
    for tenant in tenants() {
        server
            .sql(&tenant, &tenant, &objects(&mut texts, &mut others))
            .unwrap_or_else(|error| panic!("{tenant}: {error}"));
    }
    let mut problems = Vec::new();
    let (mut stored, mut refused) = (0, 0);
    let mut texts = Texts::seeded(major.into());
    for round in 0..3 {
        let now = settings(&server, &mut texts, round);
        let live = sessions(&server, &mut texts);
        (stored, refused) = (stored + now.texts + live.len(), refused + now.refused);
        shown(&server, &workspace, &[&["plan", "-out=planned"]], &mut problems);
        let plan = planned(&workspace);
        for (tenants, control) in [(&now.paths, "search_path"), (&now.parameters, "parameters")] {
            tenants.iter().for_each(|tenant| differs(&plan, tenant, control, &mut problems));
        }
        if round == 0 {
            tenants().iter().for_each(|tenant| differs(&plan, tenant, "other_roles", &mut problems));
        }
        let more: &[&[&str]] = if round == 0 {
            &[&["plan", "-json"], &["show", "planned"], &["apply", "-auto-approve"], &["show"]]
        } else {
            &[&["apply", "-auto-approve"]]
        };
        shown(&server, &workspace, more, &mut problems);
        let paths = server.superuser(
            "SELECT DISTINCT setting FROM pg_db_role_setting, unnest(setconfig) AS setting
             WHERE setrole <> 0 AND setting LIKE 'search\\_path=%'",
        );
        if paths.len() != 1 {
            problems.push(format!("round {round}: a search_path is left: {paths:?}"));
        }
    }
    println!(
        "{major}: {} texts in names, labels and comments, {stored} in settings and sessions; {refused} refused by the server",
        2 * TENANTS * EACH
    );
    assert!(stored >= 500, "{stored}");
    problems.dedup();
    assert!(problems.is_empty(), "{} problems on {major}:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn no_text_of_a_tenant_is_a_status_or_comes_raw_on_13() {
    on(13);
}

#[test]
fn no_text_of_a_tenant_is_a_status_or_comes_raw_on_18() {
    on(18);
}

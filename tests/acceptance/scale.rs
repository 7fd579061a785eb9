//! Many tenants: a refresh costs the server the same however many there are, and the provider never
//! holds more connections than it may.

use std::time::{Duration, Instant};

use crate::fixture::PROVIDER;
use crate::support::postgres::{ADMIN, Options, SUPERUSER, Server};
use crate::support::terraform::Workspace;
use crate::support::traffic::traffic;

const CONFIG: &str = r#"
variable "tenants" {
  type = number
}

variable "max_connections" {
  type = number
}

provider "pgtenant" {
  max_connections = var.max_connections
}

resource "pgtenant_tenant" "this" {
  for_each            = toset([for number in range(var.tenants) : format("scale_%02d", number)])
  name                = each.key
  deletion_protection = false
}

resource "pgtenant_guardrails" "this" {
  for_each          = pgtenant_tenant.this
  tenant            = each.value.name
  connection_limit  = 5
  statement_timeout = "30s"
  parameters        = { work_mem = "8MB" }
}
"#;

fn set(workspace: &mut Workspace, tenants: u32) {
    workspace.env("TF_VAR_tenants", &tenants.to_string());
}

fn tenants(server: &Server) -> usize {
    server.superuser("SELECT FROM pg_database WHERE datname LIKE 'scale\\_%'").len()
}

#[test]
fn fifty_tenants_cost_no_more_connections_than_allowed_and_a_refresh_no_more_than_two() {
    let server = Server::start(Options::default()).unwrap();
    let mut workspace = Workspace::new(PROVIDER);
    // To look inside costs two connections for each tenant.
    let shallow = CONFIG.replace("provider \"pgtenant\" {", "provider \"pgtenant\" {\n  deep_verify = false");
    workspace.envs(server.env()).env("TF_VAR_max_connections", "4").write("main.tf", &shallow);
    let plan = |workspace: &Workspace| {
        let mark = server.log_mark();
        workspace.run(&["plan"]).ok().unwrap();
        traffic(&server.log_since(mark), ADMIN)
    };

    set(&mut workspace, 2);
    let planning_two = plan(&workspace);
    workspace.apply();
    let refreshing_two = plan(&workspace);
    assert_eq!((refreshing_two.connections, refreshing_two.statements > 0), (1, true), "{refreshing_two:?}");

    workspace.destroy();
    set(&mut workspace, 50);
    assert_eq!(plan(&workspace), planning_two);

    // The server's own view, as fast as it answers.
    let session = server.session("postgres", SUPERUSER).unwrap();
    session.sql("SET log_statement = 'none'").unwrap();
    let now = format!("SELECT FROM pg_stat_activity WHERE usename = '{ADMIN}'");
    let (mark, started, mut most) = (server.log_mark(), Instant::now(), 0);
    let mut running = workspace.spawn(&["apply", "-auto-approve", "-parallelism=10"]);
    while running.is_running() && started.elapsed() < Duration::from_secs(300) {
        most = most.max(session.sql(&now).unwrap().len());
    }
    running.wait().ok().unwrap();
    assert!((2..=4).contains(&most), "{most} connections at a time");
    let traffic = traffic(&server.log_since(mark), ADMIN);
    assert!((2..=4).contains(&traffic.most), "{traffic:?}");
    assert_eq!(tenants(&server), 50);

    assert_eq!(plan(&workspace), refreshing_two);
    workspace.assert_empty_plan();
    println!("a refresh of 2 and of 50 tenants: {refreshing_two:?}; the apply held {most} connections at the most");
}

/// What is in a tenant's database is read once, however many of its roles are looked at.
#[test]
fn further_roles_cost_no_statement_more() {
    let server = Server::start(Options::default()).unwrap();
    let mut workspace = Workspace::new(PROVIDER);
    workspace.envs(server.env()).env("TF_VAR_max_connections", "4").env("TF_VAR_tenants", "3");
    let roles = "resource \"pgtenant_role\" \"this\" {
  for_each = { for pair in setproduct(keys(pgtenant_tenant.this), [\"owner\", \"write\", \"read\"]) : join(\"_\", pair) => pair }
  tenant   = pgtenant_tenant.this[each.value[0]].name
  name     = each.key
  access   = each.value[1]
}
";
    let plan = |workspace: &Workspace| {
        workspace.apply();
        let mark = server.log_mark();
        workspace.run(&["plan"]).ok().unwrap();
        traffic(&server.log_since(mark), ADMIN)
    };
    workspace.write("main.tf", CONFIG);
    let without = plan(&workspace);
    workspace.write("main.tf", &[CONFIG, roles].concat());
    let with = plan(&workspace);
    assert_eq!(with.statements, without.statements, "{with:?}");
    assert_eq!(with.connections, without.connections, "{with:?}");
    println!("a refresh of 3 tenants, without roles and with 3 each: {without:?}, {with:?}");
    workspace.destroy();
}

#[test]
fn five_tenants_share_one_connection() {
    let server = Server::shared();
    let mut workspace = Workspace::new(PROVIDER);
    workspace.envs(server.another_admin("scale_single")).env("TF_VAR_max_connections", "1");
    set(&mut workspace, 5);
    workspace.write("main.tf", CONFIG);
    let mark = server.log_mark();
    workspace.apply();
    assert_eq!(tenants(server), 5);
    workspace.destroy();
    assert_eq!(tenants(server), 0);
    assert_eq!(traffic(&server.log_since(mark), "scale_single").most, 1);
}

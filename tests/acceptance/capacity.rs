//! Capacity: what the server has for its tenants, what they may take of it, and what becomes of a plan
//! that promises more. Each test has a server of its own: the sum is the whole server's.

use serde_json::{Value, json};

use crate::fixture::{PROVIDER, value};
use crate::support::eventually;
use crate::support::postgres::{ADMIN, Options, Server};
use crate::support::terraform::Workspace;

const DATA: &str = "data.pgtenant_capacity.now";
const SOURCE: &str = "data \"pgtenant_capacity\" \"now\" {}\n";
/// One line of the query that the check costs.
const QUERY: &str = "-- How many connections the server takes, which of them it keeps back";

fn workspace(server: &Server) -> Workspace {
    let mut workspace = Workspace::new(PROVIDER);
    workspace.envs(server.env());
    workspace
}

/// Tenants with these limits; one without has no guardrails.
fn config(budget: &str, tenants: &[(&str, Option<i64>)]) -> String {
    let mut text = format!("provider \"pgtenant\" {{\n  connection_budget = {budget:?}\n  deep_verify = false\n}}\n");
    for (name, limit) in tenants {
        text += &format!(
            "resource \"pgtenant_tenant\" {name:?} {{\n  name = {name:?}\n  deletion_protection = false\n}}\n"
        );
        if let Some(limit) = limit {
            text += &format!(
                "resource \"pgtenant_guardrails\" {name:?} {{
                   tenant = pgtenant_tenant.{name}.name
                   connection_limit = {limit}
                 }}\n"
            );
        }
    }
    text
}

/// What a plan says, and whether it was made.
fn planned(workspace: &Workspace, config: &str) -> (bool, Vec<Value>) {
    workspace.write("main.tf", config);
    let run = workspace.run(&["plan", "-json"]);
    (run.status.success(), run.diagnostics())
}

/// Demands a plan that says nothing.
#[track_caller]
fn assert_silent(workspace: &Workspace, config: &str) {
    assert_eq!(planned(workspace, config), (true, Vec::new()));
}

/// Demands that there is one diagnostic, at a `connection_limit`, that names these numbers.
#[track_caller]
fn assert_too_much(workspace: &Workspace, config: &str, severity: &str, committed: i64, available: i64) {
    let (made, diagnostics) = planned(workspace, config);
    assert_eq!(made, severity == "warning");
    assert_eq!(diagnostics.len(), 1, "{diagnostics:#?}");
    let diagnostic = &diagnostics[0];
    assert_eq!(diagnostic["severity"], severity);
    let place = diagnostic["snippet"]["code"].as_str().unwrap_or_default();
    assert!(place.contains("connection_limit = "), "{diagnostic:#}");
    let detail = diagnostic["detail"].as_str().unwrap_or_default();
    for words in [
        format!("the limits of all tenants add up to {committed} connections"),
        format!("The server has {available} for them: 40 (max_connections), less 3 (superuser_reserved_connections)"),
        format!("That is {} too many", committed - available),
    ] {
        assert!(detail.contains(&words), "{words:?} in {detail}");
    }
}

fn limit(server: &Server, role: &str) -> String {
    value(server, "postgres", &format!("SELECT rolconnlimit FROM pg_roles WHERE rolname = '{role}'"))
}

/// Waits until nobody else is connected: who has left is still counted for a moment.
fn alone(server: &Server) {
    let clients = "SELECT FROM pg_stat_activity WHERE backend_type = 'client backend'";
    eventually("all others have left", || server.superuser(clients).len() == 1);
}

/// The attributes of the data source, as of a new read.
#[track_caller]
fn capacity(workspace: &Workspace) -> Value {
    workspace.run(&["apply", "-auto-approve", "-refresh-only"]).ok().unwrap();
    workspace.resource(DATA)
}

fn the_sum_is_right(major: u32) {
    let keeps_back = major >= 16;
    let extra_conf =
        if keeps_back { "max_connections = 40\nreserved_connections = 5\n" } else { "max_connections = 40\n" };
    let server = Server::start(Options { major: Some(major), extra_conf, ..Options::default() }).unwrap();
    server.superuser("CREATE ROLE bystander LOGIN");
    let all: i64 = if keeps_back { 32 } else { 37 };
    let workspace = workspace(&server);
    let two = |budget, a: i64, b: i64| config(budget, &[("a", Some(a)), ("b", Some(b))]);

    // New tenants, to the last connection.
    assert_silent(&workspace, &two("error", 10, all - 10));
    let mark = server.log_mark();
    assert_too_much(&workspace, &two("warn", 10, all - 9), "warning", all + 1, all);
    let log = server.log_since(mark);
    assert_eq!(log.matches(QUERY).count(), 1, "one query, however many tenants");
    assert_eq!(log.matches(&format!("connection authorized: user={ADMIN} ")).count(), 1);
    assert_too_much(&workspace, &two("error", 10, all - 9), "error", all + 1, all);
    let mark = server.log_mark();
    assert_silent(&workspace, &two("off", 10, all - 9));
    assert_eq!(server.log_since(mark).matches(QUERY).count(), 0);
    workspace.write("main.tf", &two("error", 10, all - 10));
    workspace.apply();

    // What the data source says is what the server does.
    workspace.write("data.tf", SOURCE);
    alone(&server);
    let found = capacity(&workspace);
    alone(&server);
    let sessions: Vec<_> =
        (0..all).map(|at| if at < 10 { "a" } else { "b" }).map(|role| server.session(role, role).unwrap()).collect();
    let refused = server.session("postgres", "bystander").err().map(|error| error.sqlstate);
    assert_eq!(refused.as_deref(), Some("53300"));
    drop(sessions);
    alone(&server);
    assert_eq!(
        found,
        json!({
            "max_connections": 40, "superuser_reserved": 3, "reserved": keeps_back.then_some(5), "rds_reserved": null,
            "available": all, "committed": all, "headroom": 0, "over_committed": false, "in_use": 1,
            "tenants": [{"name": "a", "allowed": 10, "used": 0}, {"name": "b", "allowed": all - 10, "used": 0}],
        })
    );

    // A tenant that is renamed takes its connections along.
    workspace.write("renamed_override.tf", "resource \"pgtenant_tenant\" \"a\" {\n  name = \"z\"\n}\n");
    assert_eq!(workspace.plan().addresses(), ["pgtenant_guardrails.a", "pgtenant_tenant.a"]);
    assert_silent(&workspace, &two("error", 10, all - 10));
    workspace.write("renamed_override.tf", "");

    // One more for a tenant that is there. What is refused has changed nothing.
    assert_too_much(&workspace, &two("error", 10, all - 9), "error", all + 1, all);
    let message = workspace.apply_error();
    assert!(message.contains("The tenants may open more connections than there are"), "{message}");
    assert_eq!(limit(&server, "b"), (all - 10).to_string());
    assert_silent(&workspace, &two("off", 10, all - 9));
    // What is lowered in the same plan counts until it is applied, whichever is planned first.
    assert_too_much(&workspace, &two("warn", 1, all - 9), "warning", all + 1, all);
    assert_too_much(&workspace, &two("warn", 11, 1), "warning", all + 1, all);
    assert_too_much(&workspace, &two("warn", 10, all - 9), "warning", all + 1, all);
    workspace.apply();

    // Too much is promised now. To leave that, or to make it less, is not warned of.
    alone(&server);
    let held: Vec<_> = (0..3).map(|_| server.session("a", "a").unwrap()).collect();
    let found = capacity(&workspace);
    assert_eq!((&found["headroom"], &found["over_committed"]), (&json!(-1), &json!(true)));
    assert_eq!(found["tenants"][0], json!({"name": "a", "allowed": 10, "used": 3}));
    assert_eq!(found["in_use"], 4);
    drop(held);
    assert_silent(&workspace, &two("error", 10, all - 9));
    assert_silent(&workspace, &two("error", 9, all - 9));
    // A third one is, and one without a limit counts as all there is.
    let third = config("warn", &[("a", Some(10)), ("b", Some(all - 9)), ("c", Some(1))]);
    assert_too_much(&workspace, &third, "warning", all + 2, all);
    server.superuser("ALTER ROLE a CONNECTION LIMIT -1");
    let found = capacity(&workspace);
    assert_eq!(found["tenants"][0]["allowed"], Value::Null);
    assert_eq!(found["committed"], all + all - 9);

    // What a plan allowed is not refused on the way: `c` comes into being with 10, and `a` is raised
    // after that.
    workspace.write("main.tf", &two("off", 5, 5));
    workspace.apply();
    let after = "resource \"pgtenant_guardrails\" \"a\" {\n  tenant = pgtenant_tenant.c.id == \"c\" ? pgtenant_tenant.a.name : \"\"\n}\n";
    workspace.write("after_override.tf", after);
    workspace.write("main.tf", &config("error", &[("a", Some(all - 5)), ("b", Some(5)), ("c", None)]));
    workspace.apply();
    assert_eq!((limit(&server, "a"), limit(&server, "c")), ((all - 5).to_string(), "10".to_owned()));
    workspace.destroy();
}

/// On every major, each with a server of its own.
macro_rules! the_sum_is_right_on {
    ($($test:ident: $major:literal),+ $(,)?) => {
        $(
            #[test]
            fn $test() {
                let name = concat!(module_path!(), "::", stringify!($test));
                if crate::majors::is_there(name, $major) {
                    the_sum_is_right($major);
                }
            }
        )+
    };
}

the_sum_is_right_on! {
    a_plan_may_promise_all_connections_and_no_more_on_13: 13,
    a_plan_may_promise_all_connections_and_no_more_on_14: 14,
    a_plan_may_promise_all_connections_and_no_more_on_15: 15,
    a_plan_may_promise_all_connections_and_no_more_on_16: 16,
    a_plan_may_promise_all_connections_and_no_more_on_17: 17,
    a_plan_may_promise_all_connections_and_no_more_on_18: 18,
}

#[test]
fn what_rds_keeps_back_counts_and_what_is_hidden_is_said() {
    let extra_conf = "max_connections = 40\nrds.rds_superuser_reserved_connections = 2\n";
    let server = Server::start(Options { extra_conf, ..Options::default() }).unwrap();
    let mut workspace = workspace(&server);
    assert_silent(&workspace, SOURCE);
    let found = capacity(&workspace);
    assert_eq!((&found["rds_reserved"], &found["available"]), (&json!(2), &json!(35)));

    let verifier = postgres_protocol::password::scram_sha_256(server.admin_password.as_bytes());
    server.superuser(&format!("CREATE ROLE short_sighted LOGIN CREATEDB CREATEROLE PASSWORD '{verifier}'"));
    workspace.env("PGUSER", "short_sighted");
    let other = server.session("postgres", ADMIN).unwrap();
    let (made, diagnostics) = planned(&workspace, SOURCE);
    assert!(made);
    assert_eq!(diagnostics[0]["severity"], "warning");
    assert!(diagnostics[0]["detail"].as_str().unwrap().contains("pg_read_all_stats"), "{diagnostics:#?}");
    drop(other);
}

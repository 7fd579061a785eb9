//! Processes that change the same tenant at the same time: one does, and the others are told who.

use crate::fixture::{guardrails, outcome, tenant, workspace};
use crate::support::postgres::{ADMIN, Server};
use crate::support::terraform::{Run, Workspace};

on_two_majors! {
    of_two_that_make_a_tenant_one_has_it,
    whoever_holds_the_lock_is_named,
    a_tenant_has_no_say_in_it,
}

const RACED: usize = 5;

/// What the lock of a tenant is called on the server.
fn key(name: &str) -> String {
    format!("pg_catalog.hashtextextended('{name}', 8101110116)")
}

/// A message in one line.
fn said(run: &Run) -> String {
    run.message().split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

fn of_two_that_make_a_tenant_one_has_it(server: &Server) {
    let config = format!(
        "resource \"pgtenant_tenant\" \"this\" {{\n  for_each = toset([for number in range({RACED}) : \"raced${{number}}\"])\n  \
         name = each.key\n  deletion_protection = false\n}}\n"
    );
    let rivals = [workspace(server), workspace(server)];
    for rival in &rivals {
        rival.write("main.tf", &config);
    }
    let runs = rivals.each_ref().map(|rival| rival.spawn(&["apply", "-auto-approve"])).map(|running| running.wait());
    let known = |rival: &Workspace| match rival.state()["values"]["root_module"]["resources"].as_array() {
        Some(resources) => resources.iter().map(|one| one["values"]["name"].as_str().unwrap().to_owned()).collect(),
        None => Vec::new(),
    };
    let [first, second] = rivals.each_ref().map(known);
    assert_eq!(first.len() + second.len(), RACED, "{first:?} and {second:?}\n{}\n{}", said(&runs[0]), said(&runs[1]));
    assert!(first.iter().all(|name| !second.contains(name)), "{first:?} and {second:?}");
    for run in &runs {
        let said = said(run);
        assert!(!said.contains("SQLSTATE"), "{said}");
        if !run.status.success() {
            assert!(said.contains("Another process is changing it") || said.contains("import {"), "{said}");
        }
    }
    for (rival, mine) in rivals.iter().zip([&first, &second]) {
        for name in mine {
            assert_eq!(outcome(server, name, name, "SELECT 1"), "1");
        }
        rival.destroy();
    }
}

fn whoever_holds_the_lock_is_named(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &(tenant("contended", "") + &guardrails("connection_limit = 3")));
    let other = server.session("postgres", ADMIN).unwrap();
    other.sql(&format!("SET application_name = 'another run'; SELECT pg_advisory_lock({})", key("contended"))).unwrap();
    let pid = other.sql("SELECT pg_backend_pid()").unwrap()[0][0].clone().unwrap();
    let refused = workspace.run(&["apply", "-auto-approve"]);
    let told = said(&refused);
    assert!(!refused.status.success());
    assert!(told.contains(&format!("role \"{ADMIN}\" as pid {pid}, with application_name \"another run\"")), "{told}");
    assert!(told.contains("Could not create tenant \"contended\""), "{told}");
    drop(other);
    workspace.apply();
    // What was made is locked no longer, and guardrails lock like their tenant.
    let other = server.session("postgres", ADMIN).unwrap();
    other.sql(&format!("SELECT pg_advisory_lock({})", key("contended"))).unwrap();
    workspace.write("main.tf", &(tenant("contended", "") + &guardrails("connection_limit = 4")));
    let refused = workspace.run(&["apply", "-auto-approve"]);
    assert!(said(&refused).contains("Could not set the guardrails of tenant \"contended\""), "{}", said(&refused));
    drop(other);
    workspace.apply();
    workspace.destroy();
}

fn a_tenant_has_no_say_in_it(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("meddler", ""));
    workspace.apply();
    // Without a baseline everybody may connect to the maintenance database.
    let meddler = server.session("postgres", "meddler").unwrap();
    meddler.sql(&format!("SELECT pg_advisory_lock({})", key("meddler"))).unwrap();
    workspace.write("main.tf", &tenant("meddler", "suspended = true"));
    workspace.apply();
    assert_eq!(outcome(server, "meddler", "meddler", "SELECT 1"), "28000");
    workspace.destroy();
}

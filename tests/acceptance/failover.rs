//! A primary that goes while tenants are made: through the list of all hosts, and through what stands before them.

use std::time::Instant;

use crate::fixture::PROVIDER;
use crate::support::patroni::{Cluster, Programs};
use crate::support::postgres::ADMIN;
use crate::support::terraform::Workspace;
use crate::support::{eventually, skip};

const TENANTS: usize = 120;

fn tenants(count: usize) -> String {
    format!(
        "resource \"pgtenant_tenant\" \"this\" {{
           count               = {count}
           name                = \"failover_${{count.index}}\"
           deletion_protection = false
         }}"
    )
}

/// Applies tenants, lets something happen in the middle, and demands that the apply goes through by itself.
#[track_caller]
fn check_goes_through(workspace: &Workspace, what: &str, happens: impl FnOnce()) {
    workspace.write("main.tf", &tenants(TENANTS));
    let started = Instant::now();
    let running = workspace.spawn(&["apply", "-auto-approve"]);
    eventually("some tenants are made", || running.stdout().matches("Creation complete").count() >= TENANTS / 6);
    let happened = Instant::now();
    happens();
    let gone = happened.elapsed();
    running.wait().ok().unwrap();
    println!(
        "{what}: another primary after {:.1} s; the apply of {TENANTS} tenants took {:.1} s",
        gone.as_secs_f32(),
        started.elapsed().as_secs_f32()
    );
    workspace.assert_empty_plan();
    workspace.destroy();
}

#[test]
fn an_apply_goes_on_with_another_primary() {
    let programs = match Programs::find() {
        Ok(programs) => programs,
        Err(why) => return skip("failover::an_apply_goes_on_with_another_primary", &why),
    };
    let mut cluster = Cluster::start(programs).unwrap();
    let workspace = |hosts: &str, ports: &str, wanted: &str| {
        let mut workspace = Workspace::new(PROVIDER);
        for (name, value) in [
            ("PGHOST", hosts),
            ("PGPORT", ports),
            ("PGTARGETSESSIONATTRS", wanted),
            ("PGDATABASE", "postgres"),
            ("PGUSER", ADMIN),
            ("PGPASSWORD", &cluster.admin_password),
            ("PGSSLMODE", "disable"),
        ] {
            workspace.env(name, value);
        }
        workspace
    };
    let (hosts, ports) = cluster.hosts();
    let listed = workspace(&hosts, &ports, "read-write");
    let balanced = workspace("127.0.0.1", &cluster.port.to_string(), "any");
    // A plan takes the standby that comes first, and the apply behind it the primary all the same.
    let any = workspace(&hosts, &ports, "any");
    any.write("main.tf", &tenants(3));
    any.apply();
    any.destroy();
    check_goes_through(&listed, "hosts, switchover", || cluster.switch_over().unwrap());
    check_goes_through(&balanced, "HAProxy, switchover", || cluster.switch_over().unwrap());
    let mut killed = None;
    check_goes_through(&listed, "hosts, killed primary", || killed = Some(cluster.kill_primary().unwrap()));
    cluster.replace(killed.expect("another primary")).unwrap();
    check_goes_through(&balanced, "HAProxy, killed primary", || killed = Some(cluster.kill_primary().unwrap()));
}

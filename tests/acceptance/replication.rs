//! Logical replication out of a tenant's database, as change data capture does it: the tenant publishes its tables, and a role of the
//! platform's reads them.

use crate::fixture::{assert_enforced, outcome, tenant, value, workspace};
use crate::majors::is_there;
use crate::planning::{THIS, told};
use crate::support::postgres::{Options, Server};

const LOGICAL: &str = "wal_level = logical\nmax_replication_slots = 10\nmax_slot_wal_keep_size = 64MB\n";

const TENANT: &str = "replication = true\n  allow_create_schema = true";

const CAPTURE: &str = "resource \"pgtenant_access\" \"capture\" {\n  tenant = pgtenant_tenant.this.name\n  role = \"capture\"\n  access = \"read\"\n}\n";

#[test]
fn changes_are_captured_by_a_role_of_the_platforms() {
    for major in [13, 17] {
        if !is_there(&format!("replication::changes_are_captured_by_a_role_of_the_platforms on {major}"), major) {
            continue;
        }
        let server = Server::start(Options { major: Some(major), extra_conf: LOGICAL, ..Options::default() }).unwrap();
        server.superuser("CREATE ROLE capture LOGIN REPLICATION");
        let workspace = workspace(&server);
        workspace.write("main.tf", &(tenant("captured", TENANT) + CAPTURE));
        assert_eq!(told(&workspace.run(&["plan", "-json"])), []);
        workspace.apply();
        let publish = "CREATE TABLE orders (id int PRIMARY KEY); CREATE PUBLICATION changes FOR TABLE orders";
        assert_eq!(outcome(&server, "captured", "captured", publish), "ok");
        let slot = "SELECT slot_name FROM pg_create_logical_replication_slot('captured_slot', 'pgoutput')";
        assert_eq!(outcome(&server, "captured", "captured", slot), "42501");
        assert_eq!(outcome(&server, "captured", "capture", slot), "captured_slot");
        // What is not flushed yet is not decoded.
        let insert = "SET synchronous_commit = on; INSERT INTO orders VALUES (42)";
        assert_eq!(outcome(&server, "captured", "captured", insert), "ok");
        let read = "SELECT count(*) > 0 FROM pg_logical_slot_get_binary_changes('captured_slot', NULL, NULL, 'proto_version', '1', \
                    'publication_names', 'changes')";
        assert_eq!(outcome(&server, "captured", "capture", read), "t");
        assert_eq!(outcome(&server, "captured", "capture", "SELECT id FROM app.orders"), "42");

        // It is meant, and the audit knows that from the marker.
        workspace.assert_empty_plan();
        assert_enforced(&server, &workspace);
        let failing = crate::audit::failing(&server, &["--tenant", "captured"]);
        assert!(!failing.iter().any(|control| control.contains("objects")), "{failing:?}");

        // Not meant, it is told. What nobody uses goes with its database.
        workspace.write("main.tf", &(tenant("captured", "allow_create_schema = true") + CAPTURE));
        workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
        let isolation = workspace.resource(THIS)["isolation"]["objects"].clone();
        assert_eq!(isolation, "not permitted: replication slot captured_slot exists");
        workspace.destroy();
        assert_eq!(value(&server, "postgres", "SELECT count(*) FROM pg_replication_slots"), "0");
    }
}

/// What a server lacks is said by the plan, and what would keep a destroy from ending before it begins.
#[test]
fn what_replication_lacks_is_told_before() {
    let server = Server::shared();
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("lagging", TENANT));
    let told = told(&workspace.run(&["plan", "-json"]));
    let expected = ["The server has `wal_level = replica`", "A replication slot can fill the server's disk"]
        .map(|summary| ("warning".to_owned(), summary.to_owned(), "replication".to_owned()));
    assert_eq!(told, expected);
    workspace.apply();
    server
        .sql(
            "lagging",
            crate::support::postgres::SUPERUSER,
            "CREATE SUBSCRIPTION lagging_sub CONNECTION 'host=127.0.0.1 port=1 dbname=none' PUBLICATION none
             WITH (connect = false, slot_name = NONE, enabled = false)",
        )
        .unwrap();
    let refused = workspace.run(&["destroy", "-auto-approve"]);
    assert!(refused.message().contains("Its database has subscriptions: lagging_sub."), "{}", refused.message());
    assert_eq!(outcome(server, "lagging", "lagging", "SELECT 7"), "7");
    server.sql("lagging", crate::support::postgres::SUPERUSER, "DROP SUBSCRIPTION lagging_sub").unwrap();
    workspace.destroy();
}

//! What was made with another provider becomes tenants, by the blocks of the guide "Migrating from cyrilgdn/postgresql".
//! That provider's place is taken by a stand-in, `migrating/stub.rs`, and what it would have made is made here, as SQL.

use std::path::Path;
use std::time::Duration;

use crate::clients::{Client, nobody_is_refused};
use crate::fixture::{PROVIDER, outcome, value};
use crate::majors;
use crate::support::built_example;
use crate::support::postgres::{ADMIN, Admin, Server};
use crate::support::terraform::{Installation, Provider, Workspace};

const GUIDE: &str = include_str!("../../docs/guides/migrating-from-postgresql-provider.md");

const VERSIONS: &str = r#"terraform {
  required_providers {
    pgtenant   = { source = "pgtenant/pgtenant" }
    postgresql = { source = "cyrilgdn/postgresql" }
  }
}
"#;

/// What the old provider does for the first block, as the admin, which is a member of the owner for as long as that takes.
const MADE: &[(&str, &str)] = &[
    (
        "postgres",
        "CREATE ROLE bakery LOGIN PASSWORD 'rye'; CREATE ROLE bakery_ro LOGIN PASSWORD 'rye';
         CREATE ROLE bakery_report LOGIN PASSWORD 'rye'; CREATE ROLE bakery_stranger LOGIN; GRANT bakery TO CURRENT_USER",
    ),
    ("postgres", "CREATE DATABASE bakery OWNER bakery"),
    (
        "bakery",
        "CREATE SCHEMA oven AUTHORIZATION bakery; CREATE EXTENSION citext SCHEMA oven;
         GRANT USAGE ON SCHEMA oven TO bakery_ro, bakery_report;
         ALTER DEFAULT PRIVILEGES FOR ROLE bakery IN SCHEMA oven GRANT SELECT ON TABLES TO bakery_ro, bakery_report",
    ),
    ("postgres", "REVOKE bakery FROM CURRENT_USER"),
];

/// The guide's blocks of configuration, in their order.
fn blocks() -> [&'static str; 6] {
    let blocks = GUIDE.split("```terraform\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    blocks.collect::<Vec<_>>().try_into().expect("the guide has six blocks")
}

/// A block's own parts: `variable`, `resource`, `import` or `removed`.
fn parts(block: &str) -> impl Iterator<Item = &str> {
    block.split_inclusive("\n}\n").map(str::trim_start)
}

fn without_imports(block: &str) -> String {
    parts(block).filter(|part| !part.starts_with("import")).collect()
}

/// `resource "<type>" "<name>" {` as an address.
fn address(part: &str) -> Option<String> {
    let mut words = part.lines().find(|line| line.starts_with("resource"))?.split('"').skip(1).step_by(2);
    Some(format!("{}.{}", words.next()?, words.next()?))
}

#[test]
fn what_another_provider_made_becomes_a_tenant_and_nobody_is_refused() {
    let name = "migrating::what_another_provider_made_becomes_a_tenant_and_nobody_is_refused";
    majors::run(name, 15, Admin::RdsLike, migrated);
}

fn migrated(server: &Server) {
    let [before, removed, tenant, others, closed, passwords] = blocks();
    let old = Provider { source: "cyrilgdn/postgresql", version: "1.26.0", binary: built_example("postgresql-stub") };
    let providers = vec![Provider::pgtenant(Path::new(PROVIDER)), old];
    let mut workspace = Workspace::of(providers, Installation::Override).unwrap_or_else(|error| panic!("{error}"));
    workspace.envs(server.env()).write("versions.tf", VERSIONS);
    workspace.env("TF_VAR_passwords", r#"{ "bakery": "rye", "bakery_ro": "rye", "bakery_report": "rye" }"#);
    // Not the guide's, so that the test can end.
    let write = |text: &str| {
        let tenant = "resource \"pgtenant_tenant\" \"bakery\" {\n";
        workspace.write("main.tf", &text.replace(tenant, &format!("{tenant}  deletion_protection = false\n")));
    };

    write(before);
    workspace.apply();
    for (database, sql) in MADE {
        server.sql(database, ADMIN, sql).unwrap();
    }
    let makes = "CREATE TABLE oven.bread AS SELECT 42 AS id, oven.citext 'Rye' AS name";
    assert_eq!(outcome(server, "bakery", "bakery", makes), "ok");
    assert!(workspace.state_file().contains("rye"));
    // Why the blocks are not just deleted.
    let addresses: Vec<_> = parts(removed).filter_map(|part| part.split("from = ").nth(1)?.lines().next()).collect();
    let kept: String =
        parts(before).filter(|part| !address(part).is_some_and(|of| addresses.contains(&of.as_str()))).collect();
    write(&kept);
    assert_eq!(workspace.plan().actions("postgresql_database.bakery"), ["delete"]);

    let asks = "SELECT id FROM oven.bread";
    let clients = ["bakery", "bakery_ro", "bakery_report"].map(|role| Client::new("bakery", role, asks));
    let others_imported = without_imports(others);
    nobody_is_refused(server, &clients, Duration::from_millis(20), || {
        write(&[&kept, removed, tenant].concat());
        let plan = workspace.plan();
        for address in plan.addresses() {
            let expected = if address == "pgtenant_tenant.bakery" { "update" } else { "forget" };
            assert_eq!(plan.actions(&address), [expected], "{address}");
        }
        // Three of the removed blocks are of two instances each.
        assert_eq!(plan.addresses().len(), addresses.len() + 3 + 1);
        workspace.apply();
        write(&[&kept, removed, tenant, others].concat());
        workspace.apply();
        assert_eq!(outcome(server, "bakery", "bakery_stranger", "SELECT 1"), "1");
        write(&[&kept, closed, &*others_imported].concat());
        workspace.apply();
    });
    let isolation = |address: &str| workspace.resource(address)["isolation"].as_object().expect("a map").clone();
    for address in ["pgtenant_tenant.bakery", "pgtenant_role.bakery_ro", "pgtenant_access.bakery_report"] {
        for (control, found) in isolation(address).iter().filter(|(control, _)| *control != "extensions") {
            assert_eq!(found, "enforced", "{address}: {control}");
        }
    }

    // Everybody does what they did, and nobody else gets in.
    assert_eq!(
        outcome(server, "bakery", "bakery", "CREATE TABLE cake (name citext); INSERT INTO cake VALUES ('Bundt')"),
        "ok"
    );
    for role in ["bakery_ro", "bakery_report"] {
        assert_eq!(outcome(server, "bakery", role, "SELECT name FROM oven.cake WHERE name::text = 'Bundt'"), "Bundt");
        assert_eq!(outcome(server, "bakery", role, "DELETE FROM oven.cake"), "42501");
    }
    assert_eq!(outcome(server, "bakery", "bakery_stranger", "SELECT 1"), "42501");
    for role in ["bakery", "bakery_ro", "bakery_report"] {
        assert!(server.session_with_password("bakery", role, "rye").is_ok(), "{role}");
    }

    write(&[&kept, &*others_imported, passwords].concat());
    workspace.apply();
    assert!(server.session_with_password("bakery", "bakery", "rye").is_err());

    // The stand-in destroys nothing.
    workspace.run(&["state", "rm", "postgresql_role.bakery_report"]).ok().unwrap();
    workspace.destroy();
    server.superuser("DROP ROLE bakery_report; DROP ROLE bakery_stranger");
    assert_eq!(value(server, "postgres", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'bakery%'"), "0");
}

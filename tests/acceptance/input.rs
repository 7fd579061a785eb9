//! Bad input: told while planning, with the attribute and what to do, and nothing is made.

use crate::fixture::{guardrails, tenant, workspace};
use crate::support::postgres::Server;

/// What stands in the configuration, and words that the error has.
fn check(config: &str, words: &[&str]) {
    let workspace = workspace(Server::shared());
    workspace.write("main.tf", config);
    let message = workspace.plan_error();
    for word in words {
        assert!(message.contains(word), "{word:?} is not in:\n{message}\n{config}");
    }
}

fn with_guardrails(more: &str) -> String {
    tenant("input", "") + &guardrails(more)
}

#[test]
fn names() {
    let name = |name: &str| tenant(name, "");
    check(&name(""), &["The name is empty", "name"]);
    check(&name(&"x".repeat(64)), &["64 bytes", "shorter"]);
    check(&name(&"ü".repeat(32)), &["64 bytes"]);
    for reserved in ["postgres", "Postgres", "template0", "template1", "rdsadmin", "rds_iam", "pg_monitor"] {
        check(&name(reserved), &[&format!("The name \"{reserved}\" is reserved"), "Choose another"]);
    }
    check(&tenant("input", "database = \"template1\""), &["reserved", "database"]);
    check(&tenant("input", "role = \"rds_superuser\""), &["reserved", "role"]);
    check(&tenant("input", "schema = \"pg_app\""), &["reserved", "schema"]);
    check(&tenant("input", "schema = \"extensions\""), &["reserved", "schema"]);
}

#[test]
fn limits() {
    check(&with_guardrails("connection_limit = 0"), &["connection_limit = 0", "1 or more", "suspended"]);
    check(&with_guardrails("connection_limit = -1"), &["1 or more"]);
    check(&with_guardrails("connection_limit = 2.5"), &["whole number"]);
    check(&with_guardrails("statement_timeout = \"30\""), &["no unit", "30s", "30ms"]);
    check(&with_guardrails("statement_timeout = \"30sec\""), &["not a unit", "ms, s, min, h, d"]);
    check(&with_guardrails("lock_timeout = \"soon\""), &["Not a duration", "lock_timeout"]);
    check(&with_guardrails("lock_timeout = \"400us\""), &["one millisecond", "no limit"]);
    check(&with_guardrails("lock_timeout = \"-5s\""), &["not negative"]);
    check(&with_guardrails("statement_timeout = \"30d\""), &["24 days"]);
    check(&guardrails("").replace("pgtenant_tenant.this.name", "\"\""), &["The name is empty"]);
}

#[test]
fn parameters() {
    let parameter = |name: &str, value: &str| with_guardrails(&format!("parameters = {{ {name} = {value:?} }}"));
    check(&parameter("wurk_mem", "16MB"), &["There is no parameter \"wurk_mem\"", "42704"]);
    check(&parameter("work_mem", "lots"), &["does not take this value", "22023", "work_mem"]);
    check(&parameter("shared_buffers", "1GB"), &["cannot be set for a tenant", "parameter group"]);
    check(&parameter("log_statement", "none"), &["This admin may not set", "42501"]);
    check(&parameter("statement_timeout", "30s"), &["attribute of its own"]);
    check(&parameter("search_path", "public"), &["pgtenant_tenant"]);
    check(&parameter("role", "postgres"), &["as whom the tenant acts"]);
    check(&parameter("\"work_mem; DROP\"", "1"), &["Not a parameter's name"]);
}

#[test]
fn limits_of_a_later_major() {
    let server = Server::shared();
    assert!(server.major < 17, "the shared server is not the newest");
    check(
        &tenant("input", "locale_provider = \"builtin\"\n  locale = \"C.UTF-8\""),
        &["`locale_provider = \"builtin\"` needs PostgreSQL 17"],
    );
    check(
        &with_guardrails("transaction_timeout = \"5min\""),
        &["`transaction_timeout` needs PostgreSQL 17", &format!("The server runs {}", server.major)],
    );
}

#[test]
fn the_rest_of_a_tenant() {
    check(&tenant("input", "on_destroy = \"keep\""), &["on_destroy", "\"drop\", \"archive\""]);
    check(&tenant("input", "locale_provider = \"posix\""), &["\"libc\", \"icu\", \"builtin\""]);
    check(&tenant("input", "locale = \"en-US\""), &["needs a locale provider"]);
    check(&tenant("input", "password_wo = \"\""), &["The password is empty"]);
    check(&tenant("input", "password_wo = \"SCRAM-SHA-256$4096:oops\""), &["Not a SCRAM verifier"]);
    check(&tenant("input", "password_wo_version = 1"), &["without `password_wo`"]);
    check(&tenant("input", "extensions = [\"\"]"), &["The name is empty"]);
    check(&tenant("input", "timeouts { create = \"soon\" }"), &["soon", "create"]);
}

#[test]
fn the_provider_block() {
    let provider = |block: &str| format!("provider \"pgtenant\" {{\n  {block}\n}}\n{}", tenant("input", ""));
    check(&provider("sslmode = \"prefer\""), &["sslmode", "PGSSLMODE", "verify-full"]);
    check(&provider("port = 70000"), &["port", "65535", "PGPORT"]);
    check(&provider("connect_timeout = \"10\""), &["connect_timeout", "no unit", "PGCONNECT_TIMEOUT"]);
    check(&provider("max_connections = 0"), &["max_connections", "1 or more"]);
}

#[test]
fn ephemeral_passwords() {
    let password =
        |more: &str| format!("ephemeral \"pgtenant_password\" \"this\" {{\n  {more}\n}}\n") + &tenant("input", "");
    check(&password("length = 3"), &["from 12 to 256"]);
    check(&password("override_special = \"ab\""), &["neither letters nor digits"]);
    check(
        &password("lower = false\n  upper = false\n  numeric = false\n  special = false"),
        &["No characters to choose from"],
    );
}

#[test]
fn names_that_need_quoting_work() {
    let server = Server::shared();
    for name in ["Upper Case", "a.b", "quo\\\"te's", "日本語", "semi;colon--", "b\\\\slash", "tab/slash"] {
        let workspace = workspace(server);
        let config = format!(
            "resource \"pgtenant_tenant\" \"this\" {{\n  name = \"{name}\"\n  schema = \"{name}\"\n  deletion_protection = false\n}}\n"
        );
        workspace.write("main.tf", &(config + &guardrails("parameters = { application_name = \"it's\" }")));
        workspace.apply();
        let id = workspace.resource("pgtenant_tenant.this")["id"].as_str().unwrap().to_owned();
        let made = server.sql(&id, &id, "CREATE TABLE t (); SELECT current_schema()").unwrap();
        assert_eq!(made[0][0].as_deref(), Some(id.as_str()));
        workspace.import_fresh(
            &[("pgtenant_tenant.this", &id), ("pgtenant_guardrails.this", &id)],
            &[],
            &["deletion_protection"],
        );
        workspace.destroy();
    }
}

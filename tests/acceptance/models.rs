//! What Terraform may send of a collection and of a number: unknown elements are planned and applied, nulls and
//! fractions are refused with their path. On one major, for none of it depends on the server.

use crate::fixture::{guardrails, tenant, value, workspace};
use crate::support::postgres::{Options, Server};

#[test]
fn unknown_elements_are_planned_and_applied() {
    let options = Options { admin_owns_maintenance: true, ..Options::default() };
    let server = Server::start(options).unwrap();
    server.superuser("CREATE ROLE tokens; GRANT tokens TO platform_admin WITH ADMIN OPTION");
    let workspace = workspace(&server);
    let later = "resource \"terraform_data\" \"later\" {
  input = { extension = \"citext\", role = \"tokens\", work_mem = \"16MB\", database = \"postgres\", why = \"meant\" }
}
";
    let tenant = tenant(
        "partly",
        "extensions = [\"pgcrypto\", terraform_data.later.output.extension]
  member_of = [terraform_data.later.output.role]
  accept = { parameters = terraform_data.later.output.why, objects = \"known\" }",
    );
    let guardrails =
        guardrails("parameters = { work_mem = terraform_data.later.output.work_mem, application_name = \"known\" }");
    let baseline = "resource \"pgtenant_cluster_baseline\" \"this\" {
  databases = [\"template1\", terraform_data.later.output.database]
  accept = { markers = terraform_data.later.output.why }
}
";
    workspace.write("main.tf", &[later, &tenant, &guardrails, baseline].concat());

    let plan = workspace.plan();
    let of_tenant = plan.after_unknown("pgtenant_tenant.this");
    assert_eq!(of_tenant["member_of"], serde_json::json!([true]));
    assert_eq!(of_tenant["accept"], serde_json::json!({ "parameters": true }));
    let of_guardrails = plan.after_unknown("pgtenant_guardrails.this");
    assert_eq!(of_guardrails["parameters"], serde_json::json!({ "work_mem": true }));
    assert_eq!(plan.after("pgtenant_guardrails.this")["parameters"]["application_name"], "known");
    workspace.apply();

    let state = |address: &str, attribute: &str| workspace.resource(address)[attribute].clone();
    assert_eq!(state("pgtenant_tenant.this", "extensions"), serde_json::json!(["citext", "pgcrypto"]));
    assert_eq!(state("pgtenant_tenant.this", "member_of"), serde_json::json!(["tokens"]));
    assert_eq!(
        state("pgtenant_guardrails.this", "parameters"),
        serde_json::json!({ "application_name": "known", "work_mem": "16MB" })
    );
    assert_eq!(
        state("pgtenant_tenant.this", "accept"),
        serde_json::json!({ "objects": "known", "parameters": "meant" })
    );
    assert_eq!(state("pgtenant_cluster_baseline.this", "databases"), serde_json::json!(["postgres", "template1"]));
    assert_eq!(state("pgtenant_cluster_baseline.this", "accept"), serde_json::json!({ "markers": "meant" }));

    // A reason that is not known while planning may make what is found accepted.
    server.superuser("ALTER ROLE partly SET work_mem = '1GB'; ALTER DATABASE partly SET log_statement = 'none'");
    let changed = [&later.replace("meant", "still meant"), &*tenant, &*guardrails, baseline].concat();
    workspace.write("main.tf", &changed);
    let plan = workspace.plan();
    assert_eq!(plan.after_unknown("pgtenant_tenant.this")["isolation"]["parameters"], true);
    workspace.apply();
    let said = state("pgtenant_tenant.this", "isolation")["parameters"].to_string();
    assert!(said.starts_with("\"accepted: ") && said.ends_with("(still meant)\""), "{said}");
    assert_eq!(
        value(&server, "partly", "SELECT count(*) FROM pg_extension WHERE extname IN ('citext', 'pgcrypto')"),
        "2"
    );
    assert_eq!(value(&server, "postgres", "SELECT pg_has_role('partly', 'tokens', 'MEMBER')"), "t");
}

/// What stands in the configuration, and the path that the error has.
fn check(config: &str, path: &str, words: &str) {
    let workspace = workspace(Server::shared());
    workspace.write("main.tf", config);
    let message = workspace.plan_error();
    for word in [&format!("`{path}` must"), words] {
        // Terraform breaks lines where it likes.
        let message = message.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert!(message.contains(word), "{word:?} is not in:\n{message}\n{config}");
    }
}

#[test]
fn what_a_model_cannot_hold_is_refused() {
    const WHOLE: &str = "be a whole number";
    const NULL: &str = "not be null";
    let of_tenant = |more: &str| tenant("refused", more);
    let with_password =
        |version: &str| of_tenant(&format!("password_wo = \"s3cret\"\n  password_wo_version = {version}"));
    check(&with_password("1.5"), "password_wo_version", WHOLE);
    check(&with_password("9223372036854775808"), "password_wo_version", WHOLE);
    check(&of_tenant("extensions = [null]"), "extensions[0]", NULL);
    check(&of_tenant("member_of = [\"a\", null]"), "member_of[1]", NULL);
    let of_guardrails = |more: &str| of_tenant("") + &guardrails(more);
    check(&of_guardrails("parameters = { work_mem = null }"), "parameters[\"work_mem\"]", NULL);
    check(&of_guardrails("connection_limit = 1e30"), "connection_limit", WHOLE);
    let of = |resource: &str, more: &str| format!("resource \"{resource}\" \"this\" {{\n  {more}\n}}\n");
    check(&of("pgtenant_cluster_baseline", "databases = [null]"), "databases[0]", NULL);
    check(&of("pgtenant_watchdog", "retention_days = 0.5"), "retention_days", WHOLE);
    let password = "ephemeral \"pgtenant_password\" \"this\" {\n  length = 12.5\n}\n";
    check(&(password.to_owned() + &of_tenant("")), "length", WHOLE);
    let of_provider = |more: &str| format!("provider \"pgtenant\" {{\n  {more}\n}}\n{}", of_tenant(""));
    check(&of_provider("max_connections = 2.5"), "max_connections", WHOLE);
}

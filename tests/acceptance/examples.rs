//! What the documentation shows works: every example is applied as it stands, every import command is
//! run, and every attribute is described. Modules and compositions are the business of `tests/modules`.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::fixture::{self, CRON, PROVIDER};
use crate::support::postgres::{ADMIN, Options, Server};
use crate::support::terraform::Workspace;
use crate::support::{examples, skip};

/// The `(address, id)` pairs of the `terraform import` commands in an example's `import.sh`.
fn imports(example: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(examples::root().join(example).join("import.sh")).unwrap();
    let commands = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let imports = commands.map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
        ["terraform", "import", address, id] => (address.to_owned(), id.to_owned()),
        _ => panic!("not an import: {line}"),
    });
    imports.collect()
}

/// Applies examples, and remembers which.
struct Reader<'a> {
    server: &'a Server,
    read: BTreeSet<String>,
}

impl Reader<'_> {
    /// The example in a workspace, with `more` that its reader is taken to have. A file whose name ends
    /// in `override.tf` changes arguments of what the others declare.
    #[track_caller]
    fn apply(&mut self, example: &str, env: &[(&str, &str)], more: &[(&str, &str)]) -> Workspace {
        let mut workspace = Workspace::new(PROVIDER);
        workspace.envs(self.server.env()).envs(env.iter().copied());
        workspace.copy_from(&examples::root().join(example)).unwrap();
        // It imports what the example makes, and needs Terraform 1.12.
        let _ = fs::remove_file(workspace.dir.join("import-by-identity.tf"));
        for (name, text) in more {
            workspace.write(name, text);
        }
        workspace.apply();
        self.read.insert(example.to_owned());
        workspace
    }
}

/// Lets the next example have the same names.
const UNPROTECTED: (&str, &str) =
    ("protection_override.tf", "resource \"pgtenant_tenant\" \"acme\" { deletion_protection = false }\n");

/// One after the other: they share names, as examples do.
#[test]
fn every_example_can_be_applied() {
    let server =
        Server::start(Options { tls_names: &["localhost"], admin_owns_maintenance: true, ..Options::default() })
            .unwrap();
    let mut reader = Reader { server: &server, read: BTreeSet::new() };

    for _ in 0..2 {
        let workspace = reader.apply("quickstart", &[], &[]);
        for tenant in ["acme", "globex"] {
            server.sql(tenant, tenant, "CREATE TABLE t (a int)").unwrap();
        }
        workspace.destroy();
        assert_eq!(tenants(&server), Vec::<String>::new());
    }

    let workspace = reader.apply("rotation", &[], &[]);
    let secret = fs::read_to_string(workspace.dir.join("secrets/current.json")).unwrap();
    let secret: Value = serde_json::from_str(&secret).unwrap();
    assert_eq!(secret["username"], "acme_blue");
    server.session_with_password("acme", "acme_blue", secret["password"].as_str().unwrap()).unwrap();
    workspace.destroy();

    let tenant = "resources/pgtenant_tenant";
    let workspace = reader.apply(tenant, &[], &[UNPROTECTED]);
    let made = imports(tenant);
    let unreadable = ["deletion_protection", "on_destroy"];
    assert_eq!(made.len(), 2);
    workspace.import_fresh(&by_reference(&made), &[], &unreadable);

    let source = reader.apply("data-sources/pgtenant_tenants", &[], &[]);
    let outputs: Value = serde_json::from_str(&source.run(&["output", "-json"]).ok().unwrap().stdout).unwrap();
    assert_eq!(outputs["committed_connections"]["value"], 20);
    assert_eq!(outputs["incomplete"]["value"], serde_json::json!([]));
    assert_eq!(outputs["suspended"]["value"], serde_json::json!([]));
    let source = reader.apply("data-sources/pgtenant_capacity", &[], &[]);
    let outputs: Value = serde_json::from_str(&source.run(&["output", "-json"]).ok().unwrap().stdout).unwrap();
    assert_eq!(outputs["headroom"]["value"], 200 - 3 - 20);

    let source = reader.apply("data-sources/pgtenant_signals", &[], &[]);
    let outputs: Value = serde_json::from_str(&source.run(&["output", "-json"]).ok().unwrap().stdout).unwrap();
    assert_eq!(outputs["bloated"]["value"], serde_json::json!([]));
    workspace.destroy();
    let left = tenants(&server);
    assert!(left.len() == 1 && left[0].starts_with("globex_production"), "one is archived: {left:?}");

    let guardrails = "resources/pgtenant_guardrails";
    let without = "resource \"pgtenant_guardrails\" \"acme\" { idle_session_timeout = null }\n";
    let older = [UNPROTECTED, ("older_override.tf", without)];
    let workspace = reader.apply(guardrails, &[], if server.major < 14 { &older } else { &[UNPROTECTED] });
    let of_tenant: Vec<_> = made.iter().filter(|(address, _)| address == "pgtenant_tenant.acme").cloned().collect();
    let made = [of_tenant, imports(guardrails)].concat();
    assert_eq!(made.len(), 2);
    workspace.import_fresh(&by_reference(&made), &[], &unreadable);
    workspace.destroy();

    reader.apply("ephemeral-resources/pgtenant_password", &[], &[UNPROTECTED]).destroy();

    // A verifier is good when one can log in with the password that it was made of.
    let tenant = "resource \"pgtenant_tenant\" \"acme\" {\n  name = \"acme\"\n  password_wo = local.verifier\n  password_wo_version = 1\n}\n";
    let password = [("TF_VAR_password", "correct horse")];
    let workspace = reader.apply("functions/scram_verifier", &password, &[("tenant.tf", tenant), UNPROTECTED]);
    server.session_with_password("acme", "acme", "correct horse").unwrap();
    workspace.destroy();

    // What it says of the network is another network; the rest holds here.
    server
        .superuser(&format!("CREATE ROLE pgtenant_admin NOLOGIN CREATEDB CREATEROLE; GRANT pgtenant_admin TO {ADMIN}"));
    let certificates = fs::read_to_string(server.ca()).unwrap();
    let more = [
        ("global-bundle.pem", certificates.as_str()),
        ("network_override.tf", "provider \"pgtenant\" { host = \"localhost\" }\n"),
        ("tenant.tf", "resource \"pgtenant_tenant\" \"acme\" { name = \"acme\" }\n"),
        UNPROTECTED,
        ("versions.tf", ""),
    ];
    let password =
        [("TF_VAR_admin_password", server.admin_password.as_str()), ("PGPASSWORD", ""), ("PGSSLROOTCERT", "")];
    let workspace = reader.apply("provider", &password, &more);
    let owner = "SELECT datdba::regrole FROM pg_database WHERE datname = 'acme'";
    assert_eq!(server.superuser(owner), [[Some("pgtenant_admin".to_owned())]]);
    workspace.destroy();

    let baseline = "resources/pgtenant_cluster_baseline";
    let workspace = reader.apply(baseline, &[], &[]);
    let made = imports(baseline);
    assert!(!made.is_empty());
    workspace.import_fresh(&by_reference(&made), &[], &["restore_on_destroy"]);

    let both = [UNPROTECTED, ("globex_override.tf", &*UNPROTECTED.1.replace("acme", "globex"))];
    for (further, more) in [("resources/pgtenant_role", &both[..1]), ("resources/pgtenant_access", &both)] {
        server.superuser("CREATE ROLE reporting");
        let workspace = reader.apply(further, &[], more);
        let id = imports(further).remove(0).1;
        let (tenant, role) = id.split_once('/').unwrap();
        let gets_in = format!("SELECT has_database_privilege('{role}', '{tenant}', 'CONNECT')");
        assert_eq!(server.superuser(&gets_in), [[Some("t".to_owned())]]);
        workspace.destroy();
        server.superuser("DROP ROLE reporting");
    }

    let audited = fixture::workspace(&server);
    audited.write("main.tf", &fixture::tenant("audited", ""));
    audited.apply();
    let source = reader.apply("data-sources/pgtenant_isolation_audit", &[], &[]);
    let outputs: Value = serde_json::from_str(&source.run(&["output", "-json"]).ok().unwrap().stdout).unwrap();
    assert_eq!(outputs["not_as_expected"]["value"], serde_json::json!({}));
    let evidence = reader.apply("evidence", &[], &[]);
    let output = |name: &str| evidence.run(&["output", "-raw", name]).ok().unwrap().stdout;
    assert_eq!(serde_json::from_str::<Value>(&output("json")).unwrap()["passed"], true);
    assert!(output("html").starts_with("<!DOCTYPE html>"));
    // The check names what is not as expected, and stops nothing.
    server.superuser("GRANT CONNECT ON DATABASE postgres TO PUBLIC");
    let plan = evidence.run(&["plan"]).ok().unwrap().stdout;
    assert!(plan.contains("Check block assertion failed"), "{plan}");
    assert!(plan.contains("cluster.public_privileges: fail: 1 of 2 databases, first postgres"), "{plan}");
    audited.destroy();
    workspace.destroy();

    let watchdog = "resources/pgtenant_watchdog";
    let options = Options { admin_owns_maintenance: true, extra_conf: CRON, ..Options::default() };
    match Server::start(options) {
        Ok(server) => {
            server.superuser(&format!("CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO {ADMIN}"));
            let mut on_cron = Reader { server: &server, read: BTreeSet::new() };
            let workspace = on_cron.apply(watchdog, &[], &[]);
            let made = imports(watchdog);
            assert!(!made.is_empty());
            // Whether its job has run until then is a matter of time.
            workspace.import_fresh(&by_reference(&made), &[], &["controls"]);
            workspace.destroy();
            reader.read.append(&mut on_cron.read);
        }
        Err(reason) => {
            skip(&format!("examples::every_example_can_be_applied ({watchdog})"), &format!("no pg_cron: {reason}"));
            reader.read.insert(watchdog.to_owned());
        }
    }

    assert_eq!(reader.read, examples::applied());
}

fn by_reference(imports: &[(String, String)]) -> Vec<(&str, &str)> {
    imports.iter().map(|(address, id)| (address.as_str(), id.as_str())).collect()
}

/// The databases beside those that every server has.
fn tenants(server: &Server) -> Vec<String> {
    let rows = server.superuser("SELECT datname FROM pg_database WHERE datname <> 'postgres' AND NOT datistemplate");
    rows.into_iter().flatten().flatten().collect()
}

#[test]
fn examples_are_formatted() {
    let root = examples::root().display().to_string();
    Workspace::new(PROVIDER).run(&["fmt", "-check", "-diff", "-recursive", &root]).ok().unwrap();
}

/// In the schema as Terraform has it, from which editors and the registry take their help.
#[test]
fn everything_is_described() {
    let run = Workspace::new(PROVIDER).run(&["providers", "schema", "-json"]).ok().unwrap();
    let schemas: Value = serde_json::from_str(&run.stdout).unwrap();
    let providers = schemas["provider_schemas"].as_object().unwrap();
    let provider = providers.iter().find(|(address, _)| address.ends_with("/pgtenant/pgtenant")).unwrap().1;
    let mut attributes = 0;
    described("provider", &provider["provider"]["block"], &mut attributes);
    for kind in ["resource_schemas", "data_source_schemas", "ephemeral_resource_schemas"] {
        let blocks = provider[kind].as_object().unwrap_or_else(|| panic!("no {kind} in {provider:#}"));
        assert!(!blocks.is_empty(), "{kind}");
        for (name, schema) in blocks {
            assert!(!text(&schema["block"]["description"]).is_empty(), "{name} is not described");
            described(name, &schema["block"], &mut attributes);
        }
    }
    assert!(attributes > 50, "{attributes} attributes");
    let functions = provider["functions"].as_object().unwrap();
    assert!(!functions.is_empty());
    for (name, function) in functions {
        assert!(!text(&function["description"]).is_empty(), "{name} is not described");
        for parameter in function["parameters"].as_array().unwrap() {
            assert!(!text(&parameter["description"]).is_empty(), "{name}: {parameter} is not described");
        }
    }
}

fn described(of: &str, block: &Value, attributes: &mut usize) {
    for (name, attribute) in block["attributes"].as_object().into_iter().flatten() {
        assert!(!text(&attribute["description"]).is_empty(), "{of}.{name} is not described");
        *attributes += 1;
    }
    for (name, nested) in block["block_types"].as_object().into_iter().flatten() {
        assert!(!text(&nested["block"]["description"]).is_empty(), "{of}.{name} is not described");
        described(&format!("{of}.{name}"), &nested["block"], attributes);
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

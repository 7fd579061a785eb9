//! The isolation audit: what it says of clean servers, and that it finds what is planted, by the data source
//! and by the command.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fixture::{self, PROVIDER, workspace};
use crate::support::postgres::{ADMIN, Options, SUPERUSER, Server};
use crate::support::terraform::Workspace;
use crate::support::traffic::traffic;
use crate::support::{eventually, signal};

/// The command with the environment that reaches the server, and no other.
fn command(env: &BTreeMap<&'static str, String>, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROVIDER);
    command.env_clear().envs(env).arg("audit").args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What the command said: its exit code, stdout and stderr.
#[derive(Debug)]
struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

fn audit_with(env: &BTreeMap<&'static str, String>, arguments: &[&str]) -> Said {
    Said::of(command(env, arguments).output().unwrap())
}

fn audit(server: &Server, arguments: &[&str]) -> Said {
    audit_with(&server.env(), arguments)
}

/// The report as data.
#[track_caller]
fn report(said: &Said) -> Value {
    let report: Value = serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said:?}"));
    let counted = |status: &str| with_status(&report, status).len() as u64;
    let expected = match (counted("fail"), counted("not_checked")) {
        (0, 0) => 0,
        (0, _) => 2,
        _ => 1,
    };
    assert_eq!((said.code, said.stderr.as_str()), (expected, ""), "{report:#}");
    assert_eq!(report["passed"], expected == 0);
    for status in ["pass", "fail", "not_checked"] {
        assert_eq!(report["counts"][status], counted(status));
    }
    report
}

fn controls(report: &Value) -> &Vec<Value> {
    report["controls"].as_array().expect("a list")
}

/// The ids of the controls of that status.
fn with_status<'a>(report: &'a Value, status: &str) -> BTreeSet<&'a str> {
    let found = controls(report).iter().filter(|control| control["status"] == status);
    found.map(|control| control["id"].as_str().unwrap()).collect()
}

/// The ids of the controls that fail on a server, for the audit with these arguments.
#[track_caller]
pub fn failing(server: &Server, arguments: &[&str]) -> BTreeSet<String> {
    let report = report(&audit(server, &[&["--format", "json"], arguments].concat()));
    with_status(&report, "fail").into_iter().map(str::to_owned).collect()
}

#[track_caller]
fn assert_clean(server: &Server, arguments: &[&str]) -> Value {
    let report = report(&audit(server, &[&["--format", "json"], arguments].concat()));
    let not_passed: Vec<_> = controls(&report).iter().filter(|control| control["status"] != "pass").collect();
    assert!(not_passed.is_empty(), "{not_passed:#?}");
    report
}

/// A server on which nothing is to be found, once its baseline is closed.
fn hardened(major: u32) -> Server {
    let options = Options {
        major: Some(major),
        tls_names: &["localhost"],
        admin_owns_maintenance: true,
        // For a hundred tenants within their limits.
        extra_conf: "max_connections = 1200\n",
        ..Options::default()
    };
    Server::start(options).unwrap()
}

const BASELINE: &str = "resource \"pgtenant_cluster_baseline\" \"this\" {}\n";

fn tenants(names: &str) -> String {
    format!(
        "resource \"pgtenant_tenant\" \"this\" {{
          for_each            = toset({names})
          name                = each.key
          deletion_protection = false
        }}\n"
    )
}

fn value<'a>(state: &'a Value, output: &str) -> &'a Value {
    &state["values"]["outputs"][output]["value"]
}

#[test]
fn a_hundred_tenants_are_clean() {
    if !crate::majors::is_there("audit::a_hundred_tenants_are_clean", 17) {
        return;
    }
    let server = hardened(17);
    let workspace = workspace(&server);
    let names = "[for number in range(100) : format(\"tenant_%02d\", number)]";
    let guardrails = "resource \"pgtenant_guardrails\" \"this\" {
      for_each          = { for name, tenant in pgtenant_tenant.this : name => tenant if endswith(name, \"0\") }
      tenant            = each.value.name
      connection_limit  = 20
      statement_timeout = \"30s\"
      parameters        = { work_mem = \"8MB\" }
    }\n";
    let source = "data \"pgtenant_isolation_audit\" \"all\" {
      depends_on = [pgtenant_cluster_baseline.this, pgtenant_guardrails.this, pgtenant_tenant.this]
    }
    output \"passed\" { value = data.pgtenant_isolation_audit.all.passed }
    output \"controls\" { value = data.pgtenant_isolation_audit.all.controls }
    output \"tenants\" { value = data.pgtenant_isolation_audit.all.tenants }\n";
    workspace.write("main.tf", &format!("{BASELINE}{}{guardrails}", tenants(names)));
    workspace.run(&["apply", "-auto-approve", "-parallelism=8"]).ok().unwrap();

    let mark = server.log_mark();
    let started = Instant::now();
    let by_command = assert_clean(&server, &[]);
    let elapsed = started.elapsed();
    let traffic = traffic(&server.log_since(mark), ADMIN);
    println!("100 tenants audited in {:.1} s: {traffic:?}", elapsed.as_secs_f32());
    assert!(elapsed < Duration::from_secs(60), "{elapsed:?}");
    assert!((2..=4).contains(&traffic.most), "{traffic:?}");
    assert_eq!(by_command["tenants"].as_array().unwrap().len(), 100);
    let row = |id: &str| controls(&by_command).iter().find(|control| control["id"] == id).unwrap();
    // Each with postgres, template1 and the 99 others.
    assert_eq!(row("cluster.cross_access")["checked"], "10100 pairs of role and database");
    assert_eq!(row("tenant.default_privileges")["checked"], "100 tenants");
    assert_eq!(row("cluster.public_schema")["checked"], "2 databases");
    assert_eq!(row("cluster.log_disconnections")["found"], "log_disconnections = on");

    workspace.write("audit.tf", source);
    let started = Instant::now();
    workspace.apply();
    println!("an apply and two plans with the data source took {:.1} s", started.elapsed().as_secs_f32());
    let state = workspace.state();
    assert_eq!(value(&state, "passed"), true);
    assert_eq!(value(&state, "tenants"), &by_command["tenants"]);
    assert_eq!(value(&state, "controls"), &by_command["controls"]);
}

/// A weakness: what plants it and what takes it away, each in a database and as a role, and what is found.
struct Plant {
    what: &'static str,
    plant: &'static [(&'static str, &'static str, &'static str)],
    undo: &'static [(&'static str, &'static str, &'static str)],
    fails: &'static [&'static str],
    /// A part of what the first of those says.
    says: &'static str,
    not_checked: &'static [&'static str],
}

const INSIDE: &[&str] = &[
    "tenant.default_privileges",
    "tenant.extensions",
    "tenant.objects",
    "tenant.other_roles",
    "tenant.public_schema",
    "tenant.schema_privileges",
    "tenant.search_path",
    "tenant.system_privileges",
];
const ROOT: &str = SUPERUSER;

const PLANTS: &[Plant] = &[
    Plant {
        what: "PUBLIC may connect to a tenant's database",
        plant: &[("postgres", ROOT, "GRANT CONNECT ON DATABASE acme TO PUBLIC")],
        undo: &[("postgres", ROOT, "REVOKE CONNECT ON DATABASE acme FROM PUBLIC")],
        fails: &["tenant.public_privileges", "cluster.cross_access"],
        says: "acme: PUBLIC has CONNECT",
        not_checked: &[],
    },
    Plant {
        what: "one tenant may connect to another's database",
        plant: &[("postgres", ROOT, "GRANT CONNECT ON DATABASE acme TO globex")],
        undo: &[("postgres", ROOT, "REVOKE CONNECT ON DATABASE acme FROM globex")],
        fails: &["cluster.cross_access", "tenant.elsewhere", "tenant.other_privileges"],
        says: "globex: CONNECT on database acme",
        not_checked: &[],
    },
    Plant {
        what: "a role that is no tenant's may connect to a tenant's database",
        plant: &[("postgres", ROOT, "GRANT TEMPORARY ON DATABASE acme TO bystander")],
        undo: &[("postgres", ROOT, "REVOKE TEMPORARY ON DATABASE acme FROM bystander")],
        fails: &["tenant.other_privileges"],
        says: "acme: bystander has TEMPORARY",
        not_checked: &[],
    },
    Plant {
        what: "a tenant reaches another's database by a membership",
        plant: &[("postgres", ROOT, "ALTER ROLE acme INHERIT; GRANT globex TO acme")],
        undo: &[("postgres", ROOT, "ALTER ROLE acme NOINHERIT; REVOKE globex FROM acme")],
        fails: &["cluster.cross_access", "tenant.memberships", "tenant.role_attributes"],
        says: "acme: CONNECT on database globex",
        not_checked: &[],
    },
    Plant {
        what: "a tenant may read all data",
        plant: &[("postgres", ROOT, "GRANT pg_read_all_data TO acme")],
        undo: &[("postgres", ROOT, "REVOKE pg_read_all_data FROM acme")],
        fails: &["tenant.memberships"],
        says: "acme: acme is a member of pg_read_all_data",
        not_checked: &[],
    },
    Plant {
        what: "a tenant owns its database",
        plant: &[("postgres", ROOT, "ALTER DATABASE acme OWNER TO acme")],
        undo: &[
            ("postgres", ROOT, "ALTER DATABASE acme OWNER TO platform_admin"),
            ("postgres", ROOT, "REVOKE ALL ON DATABASE acme FROM acme; GRANT CONNECT ON DATABASE acme TO acme"),
        ],
        fails: &["tenant.database_owner"],
        says: "acme: acme owns database acme",
        // The admin's own way in was that it owned it.
        not_checked: INSIDE,
    },
    Plant {
        what: "a tenant may make databases",
        plant: &[("postgres", ROOT, "ALTER ROLE acme CREATEDB")],
        undo: &[("postgres", ROOT, "ALTER ROLE acme NOCREATEDB")],
        fails: &["tenant.role_attributes"],
        says: "acme: acme has CREATEDB",
        not_checked: &[],
    },
    Plant {
        what: "a tenant is a superuser",
        plant: &[("postgres", ROOT, "ALTER ROLE acme SUPERUSER")],
        undo: &[("postgres", ROOT, "ALTER ROLE acme NOSUPERUSER")],
        fails: &["tenant.role_attributes", "cluster.cross_access"],
        says: "acme: acme has SUPERUSER (an apply does not repair all of it)",
        not_checked: &[],
    },
    Plant {
        what: "a tenant's database may be copied",
        plant: &[("postgres", ROOT, "ALTER DATABASE acme IS_TEMPLATE true")],
        undo: &[("postgres", ROOT, "ALTER DATABASE acme IS_TEMPLATE false")],
        fails: &["tenant.database_open"],
        says: "acme: database acme is a template",
        not_checked: &[],
    },
    Plant {
        what: "a tenant's database is closed, so that nobody can look inside",
        plant: &[("postgres", ROOT, "ALTER DATABASE acme ALLOW_CONNECTIONS false")],
        undo: &[("postgres", ROOT, "ALTER DATABASE acme ALLOW_CONNECTIONS true")],
        fails: &["tenant.database_open"],
        says: "acme: database acme accepts no connections",
        not_checked: INSIDE,
    },
    Plant {
        what: "a tenant may create schemas",
        plant: &[("postgres", ROOT, "GRANT CREATE ON DATABASE acme TO acme")],
        undo: &[("postgres", ROOT, "REVOKE CREATE ON DATABASE acme FROM acme")],
        fails: &["tenant.tenant_privileges"],
        says: "acme: acme has CREATE on database acme",
        not_checked: &[],
    },
    Plant {
        what: "a tenant shares a table",
        plant: &[("acme", "acme", "CREATE TABLE shared (); GRANT SELECT ON shared TO globex")],
        undo: &[("acme", "acme", "DROP TABLE shared")],
        fails: &["tenant.other_roles", "tenant.elsewhere"],
        says: "acme: globex has SELECT on relation shared",
        not_checked: &[],
    },
    Plant {
        what: "a tenant shares what it will make",
        plant: &[("acme", "acme", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC")],
        undo: &[("acme", "acme", "ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC")],
        fails: &["tenant.default_privileges"],
        says: "acme: PUBLIC gets SELECT on each new relation of acme",
        not_checked: &[],
    },
    Plant {
        what: "a tenant owns its schema",
        plant: &[("acme", ROOT, "ALTER SCHEMA app OWNER TO acme")],
        undo: &[
            ("acme", ROOT, "ALTER SCHEMA app OWNER TO platform_admin; REVOKE ALL ON SCHEMA app FROM acme"),
            ("acme", ADMIN, "GRANT USAGE, CREATE ON SCHEMA app TO acme"),
        ],
        fails: &["tenant.schema_privileges"],
        says: "acme: acme owns schema app",
        not_checked: &[],
    },
    Plant {
        what: "everybody creates in public",
        plant: &[("acme", ROOT, "GRANT CREATE ON SCHEMA public TO PUBLIC")],
        undo: &[("acme", ROOT, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")],
        fails: &["tenant.public_schema"],
        says: "acme: PUBLIC has CREATE on schema public",
        not_checked: &[],
    },
    Plant {
        what: "a tenant's schema was put aside",
        plant: &[("acme", ROOT, "COMMENT ON SCHEMA app IS NULL; ALTER SCHEMA app RENAME TO aside")],
        undo: &[
            ("acme", ROOT, "ALTER SCHEMA aside RENAME TO app"),
            (
                "acme",
                ROOT,
                "DO $$ BEGIN EXECUTE format('COMMENT ON SCHEMA app IS %L',
                 shobj_description((SELECT oid FROM pg_database WHERE datname = 'acme'), 'pg_database')); END $$",
            ),
        ],
        fails: &["tenant.schema", "tenant.objects", "tenant.registered", "tenant.schema_privileges"],
        says: "acme: schema app is missing",
        not_checked: &[],
    },
    Plant {
        what: "a tenant's names are looked up elsewhere",
        plant: &[("acme", "acme", "ALTER ROLE acme IN DATABASE acme SET search_path = public, app")],
        undo: &[("postgres", ROOT, "ALTER ROLE acme IN DATABASE acme SET search_path = app")],
        fails: &["tenant.search_path"],
        says: "acme: search_path = \"public, app\" for role acme in database acme",
        not_checked: &[],
    },
    Plant {
        what: "a tenant has lifted its own limit",
        plant: &[("acme", "acme", "ALTER ROLE acme SET statement_timeout = 0")],
        undo: &[("postgres", ROOT, "ALTER ROLE acme SET statement_timeout = 60000")],
        fails: &["guardrails.overrides", "tenant.governed"],
        says: "acme: role.statement_timeout: statement_timeout = \"0\" for role acme",
        not_checked: &[],
    },
    Plant {
        what: "a limit on record is none",
        plant: &[("postgres", ROOT, "ALTER DATABASE acme SET lock_timeout = 0; ALTER ROLE acme SET lock_timeout = 0")],
        undo: &[(
            "postgres",
            ROOT,
            "ALTER DATABASE acme SET lock_timeout = 10000; ALTER ROLE acme SET lock_timeout = 10000",
        )],
        fails: &["guardrails.time_limits", "tenant.governed"],
        says: "acme: lock_timeout is 0",
        not_checked: &[],
    },
    Plant {
        what: "a limit is not on record any more",
        plant: &[("postgres", ROOT, "ALTER DATABASE acme RESET idle_in_transaction_session_timeout")],
        undo: &[("postgres", ROOT, "ALTER DATABASE acme SET idle_in_transaction_session_timeout = 60000")],
        fails: &["guardrails.time_limits", "tenant.governed"],
        says: "acme: idle_in_transaction_session_timeout is not set",
        not_checked: &[],
    },
    Plant {
        what: "a tenant may open any number of connections",
        plant: &[("postgres", ROOT, "ALTER ROLE acme CONNECTION LIMIT -1")],
        undo: &[("postgres", ROOT, "ALTER ROLE acme CONNECTION LIMIT 10")],
        fails: &[
            "guardrails.connection_limit",
            "cluster.connection_budget",
            "guardrails.overrides",
            "tenant.governed",
        ],
        says: "acme: no limit",
        not_checked: &[],
    },
    Plant {
        what: "all limits together are more than the server has",
        plant: &[("postgres", ROOT, "ALTER ROLE acme CONNECTION LIMIT 1190; ALTER DATABASE acme CONNECTION LIMIT 1195")],
        undo: &[("postgres", ROOT, "ALTER ROLE acme CONNECTION LIMIT 10; ALTER DATABASE acme CONNECTION LIMIT 15")],
        fails: &["cluster.connection_budget", "tenant.governed"],
        says: "server: the limits add up to 1210, and there are 1197 connections for tenants",
        not_checked: &[],
    },
    Plant {
        what: "a tenant's database has lost its marker",
        plant: &[("postgres", ROOT, "COMMENT ON DATABASE acme IS NULL")],
        undo: &[(
            "postgres",
            ROOT,
            "DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE acme IS %L',
             shobj_description('acme'::regrole, 'pg_authid')); END $$",
        )],
        fails: &["tenant.complete", "tenant.registered"],
        says: "acme: its database or its role carries no marker",
        not_checked: &[],
    },
    Plant {
        what: "a tenant's database was renamed",
        plant: &[("postgres", ROOT, "ALTER DATABASE acme RENAME TO \"moved <b>\"")],
        undo: &[("postgres", ROOT, "ALTER DATABASE \"moved <b>\" RENAME TO acme")],
        fails: &["tenant.names"],
        says: "acme: its database is called moved <b>, on record acme",
        not_checked: &[],
    },
    Plant {
        what: "a tenant is half-made",
        plant: &[(
            "postgres",
            ROOT,
            "CREATE ROLE half_made CONNECTION LIMIT 10; COMMENT ON ROLE half_made IS
             '{\"pgtenant\":\"half_made\",\"stage\":\"creating\",\"database\":\"half_made\",\"role\":\"half_made\",\"schema\":\"app\"}'",
        )],
        undo: &[("postgres", ROOT, "DROP ROLE half_made")],
        fails: &["tenant.complete", "tenant.database_open"],
        says: "half_made: half-made: its database is missing",
        not_checked: &[
            "guardrails.connection_limit",
            "guardrails.overrides",
            "guardrails.time_limits",
            "tenant.authentication",
            "tenant.database_owner",
            "tenant.default_privileges",
            "tenant.elsewhere",
            "tenant.extensions",
            "tenant.governed",
            "tenant.memberships",
            "tenant.objects",
            "tenant.other_privileges",
            "tenant.other_roles",
            "tenant.parameters",
            "tenant.password",
            "tenant.public_privileges",
            "tenant.public_schema",
            "tenant.registered",
            "tenant.role_attributes",
            "tenant.schema",
            "tenant.schema_privileges",
            "tenant.search_path",
            "tenant.server_privileges",
            "tenant.system_privileges",
            "tenant.tenant_privileges",
        ],
    },
    Plant {
        what: "everybody may connect to postgres",
        plant: &[("postgres", ROOT, "GRANT CONNECT ON DATABASE postgres TO PUBLIC")],
        undo: &[("postgres", ROOT, "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC")],
        fails: &["cluster.public_privileges", "cluster.cross_access"],
        says: "postgres: PUBLIC has CONNECT",
        not_checked: &[],
    },
    Plant {
        what: "everybody may connect to a database that is nobody's",
        plant: &[("postgres", ROOT, "CREATE DATABASE reports TEMPLATE template0")],
        undo: &[("postgres", ROOT, "DROP DATABASE reports")],
        fails: &["cluster.cross_access", "cluster.other_databases"],
        says: "acme: CONNECT, TEMPORARY on database reports as PUBLIC",
        not_checked: &[],
    },
    Plant {
        what: "everybody plants in template1",
        plant: &[("template1", ROOT, "GRANT CREATE ON SCHEMA public TO PUBLIC")],
        undo: &[("template1", ROOT, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")],
        fails: &["cluster.public_schema"],
        says: "template1: PUBLIC has CREATE on schema public",
        not_checked: &[],
    },
];

/// A server with three tenants and a role that is none's.
fn planted() -> Option<Server> {
    if !crate::majors::is_there("audit", 15) {
        return None;
    }
    let server = hardened(15);
    server.superuser("CREATE ROLE bystander LOGIN");
    Some(server)
}

fn three_tenants(server: &Server) -> Workspace {
    let workspace = workspace(server);
    workspace.write("main.tf", &format!("{BASELINE}{}", tenants("[\"acme\", \"globex\", \"initech\"]")));
    workspace.apply();
    workspace
}

/// In which way the findings are not exactly these.
fn misfit(
    report: &Value,
    what: &str,
    fails: &[&'static str],
    says: &str,
    not_checked: &[&'static str],
) -> Option<String> {
    let set = |ids: &[&'static str]| ids.iter().copied().collect::<BTreeSet<_>>();
    let first = controls(report).iter().find(|control| control["id"] == fails[0]).unwrap();
    let said =
        |finding: &Value| format!("{}: {}", finding["subject"].as_str().unwrap(), finding["found"].as_str().unwrap());
    let found: Vec<String> = first["findings"].as_array().unwrap().iter().map(said).collect();
    let (failed, unchecked) = (with_status(report, "fail"), with_status(report, "not_checked"));
    let fits = failed == set(fails) && unchecked == set(not_checked) && found.iter().any(|found| found.contains(says));
    (!fits).then(|| format!("{what}: fail {failed:?}, not checked {unchecked:?}, {found:?}"))
}

/// Demands exactly these findings.
#[track_caller]
fn assert_found(report: &Value, what: &str, fails: &[&'static str], says: &str, not_checked: &[&'static str]) {
    assert_eq!(misfit(report, what, fails, says, not_checked), None);
}

#[test]
fn every_planted_weakness_is_found_by_its_name() {
    let Some(server) = planted() else { return };
    let workspace = three_tenants(&server);
    assert_clean(&server, &[]);
    let run = |steps: &[(&str, &str, &str)]| {
        for (database, role, sql) in steps {
            server.sql(database, role, sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
        }
    };
    let mut wrong = Vec::new();
    for plant in PLANTS {
        run(plant.plant);
        let report = report(&audit(&server, &["--format=json"]));
        wrong.extend(misfit(&report, plant.what, plant.fails, plant.says, plant.not_checked));
        run(plant.undo);
        assert_clean(&server, &[]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{} weaknesses were planted in databases and roles", PLANTS.len());
    // And nothing is left of all that.
    workspace.assert_empty_plan();
}

#[test]
fn a_server_that_is_set_up_weakly_is_found() {
    let Some(server) = planted() else { return };
    three_tenants(&server);
    let mut plain = server.env();
    plain.insert("PGSSLMODE", "disable".to_owned());
    for (parameter, weak, control, not_checked) in [
        ("log_connections", "off", "cluster.log_connections", &[][..]),
        ("log_disconnections", "off", "cluster.log_disconnections", &[]),
        ("log_line_prefix", "%m [%p] ", "cluster.log_line_prefix", &[]),
        ("password_encryption", "md5", "cluster.password_encryption", &[]),
        ("ssl_min_protocol_version", "TLSv1.1", "cluster.tls_version", &[]),
        ("ssl", "off", "cluster.tls", &["cluster.tls_version"]),
    ] {
        server.superuser(&format!("ALTER SYSTEM SET {parameter} = '{weak}'"));
        server.reload();
        let report = report(&audit_with(&plain, &["--format", "json"]));
        let says = format!("server: {parameter} = {}", weak.trim());
        assert_found(&report, parameter, &[control], &says, not_checked);
        server.superuser(&format!("ALTER SYSTEM RESET {parameter}"));
        server.reload();
    }
    assert_clean(&server, &[]);
}

#[test]
fn what_a_login_is_asked_is_found() {
    let Some(server) = planted() else { return };
    three_tenants(&server);
    let file = server.dir.join("data/pg_hba.conf");
    let original = fs::read_to_string(&file).unwrap();
    let with = |line: &str| {
        fs::write(&file, format!("{line}\n{original}")).unwrap();
        server.reload();
        report(&audit(&server, &["--format", "json"]))
    };
    const CONTROL: &[&str] = &["tenant.authentication"];
    for (method, says) in [
        ("trust", "acme: the server asks for nothing"),
        ("password", "acme: the server asks for a password in clear text"),
    ] {
        let line = format!("hostssl acme acme 127.0.0.1/32 {method}");
        assert_found(&with(&line), &line, CONTROL, says, &["tenant.password"]);
    }
    // Where the line says md5, what is stored decides: nothing, so it is what password_encryption says.
    let md5 = "hostssl acme acme 127.0.0.1/32 md5";
    assert_eq!(with(md5)["passed"], true);
    server.superuser("SET password_encryption = 'md5'; ALTER ROLE acme PASSWORD 'of old'");
    let changed = ["tenant.authentication", "tenant.password"];
    assert_found(&with(md5), md5, &changed, "acme: the server asks for an MD5 password", &[]);
    fs::write(&file, &original).unwrap();
    server.reload();
}

#[test]
fn the_command_says_what_it_found_in_three_formats() {
    let Some(server) = planted() else { return };
    let workspace = workspace(&server);
    let hostile = "<b>&\\\"it's\\\"</b>";
    workspace.write("main.tf", &format!("{BASELINE}{}", tenants(&format!("[\"acme\", \"{hostile}\"]"))));
    workspace.apply();
    let text = audit(&server, &[]);
    assert_eq!((text.code, text.stderr.as_str()), (0, ""), "{}", text.stdout);
    assert!(
        text.stdout.contains("2 tenants, 43 controls: 43 pass, 0 accepted, 0 fail, 0 not checked"),
        "{}",
        text.stdout
    );
    assert!(text.stdout.contains("PostgreSQL 15."), "{}", text.stdout);

    // A tenant may write what it likes into its own settings.
    server.sql("acme", "acme", "ALTER ROLE acme SET statement_timeout = '1'").unwrap();
    server.sql("acme", "acme", "ALTER ROLE acme IN DATABASE acme SET search_path = E'<script>\\x1b[2J&'").unwrap();
    let text = audit(&server, &[]);
    assert_eq!(text.code, 1);
    assert!(text.stdout.contains("FAIL         guardrails.overrides"), "{}", text.stdout);
    assert!(
        text.stdout.contains("acme: role.statement_timeout: statement_timeout = \"1\" for role acme\n"),
        "{}",
        text.stdout
    );
    assert!(text.stdout.contains("<script>\\u{1b}[2J&") && !text.stdout.contains('\u{1b}'), "{}", text.stdout);

    let page = audit(&server, &["--format", "html"]);
    assert_eq!((page.code, page.stderr.as_str()), (1, ""));
    let page = page.stdout;
    for forbidden in ["http", "<script", "src=", "url(", "@import", "<link", "<b>", "<iframe"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    for expected in [
        "<!DOCTYPE html>",
        "&lt;b&gt;&amp;&quot;it&#39;s&quot;&lt;/b&gt;",
        "&lt;script&gt;",
        "prefers-color-scheme: dark",
        "@media print",
        "Time of the server",
        "<td class=\"status fail\">fail</td>",
        "<span class=\"ids\">CD12-00-001200</span> <span class=\"ids\">(V-233522)</span>",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    let of_one = audit(&server, &["--tenant", "<b>&\"it's\"</b>", "--format", "json"]);
    let of_one = report(&of_one);
    assert_eq!((of_one["tenants"].clone(), &of_one["passed"]), (json!(["<b>&\"it's\"</b>"]), &json!(true)));
    assert_eq!(of_one["server"]["database"], "postgres");

    // The same by the data source, for one of them and by whoever did not make it.
    let source = "data \"pgtenant_isolation_audit\" \"one\" {
      tenant    = \"acme\"
      member_of = [\"bystander\"]
    }
    output \"one\" { value = data.pgtenant_isolation_audit.one }\n";
    let reader = fixture::workspace(&server);
    reader.write("main.tf", source);
    reader.apply();
    let state = reader.state();
    let one = value(&state, "one");
    let of_one = report(&audit(&server, &["--tenant", "acme", "--format", "json"]));
    assert_eq!((&one["passed"], &one["tenants"]), (&json!(false), &json!(["acme"])));
    assert_eq!(one["controls"], of_one["controls"]);
    assert_eq!(one["server_version"], of_one["server"]["version"]);
    let page = one["html"].as_str().unwrap();
    assert!(page.contains("Tenants checked") && !page.contains("Time of the server"));
    reader.write("main.tf", "data \"pgtenant_isolation_audit\" \"one\" { tenant = \"nobody\" }\n");
    assert!(reader.plan_error().contains("There is no tenant \"nobody\""));
}

#[test]
fn the_exit_code_says_how_it_ended() {
    let Some(server) = planted() else { return };
    three_tenants(&server);
    let env = server.env();
    let but = |name: &'static str, value: &str| {
        let mut env = env.clone();
        env.insert(name, value.to_owned());
        env
    };
    let check = |env: &BTreeMap<&'static str, String>, arguments: &[&str], code: i32, stderr: &str| {
        let said = audit_with(env, arguments);
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.stderr.contains(stderr), "{said:?}");
        assert_eq!(said.stdout.is_empty(), !stderr.is_empty(), "{said:?}");
        assert!(!said.stderr.contains(&server.admin_password), "{said:?}");
    };
    check(&env, &[], 0, "");
    check(&env, &["--help"], 0, "");
    check(&env, &["--format", "xml"], 2, "not one of text, json, html");
    check(&env, &["everything"], 2, "Usage: terraform-provider-pgtenant audit");
    check(&env, &["--tenant", "nobody"], 2, "There is no tenant \"nobody\"");
    check(&env, &["--assume-role", "no_such_role"], 2, "Check `assume_role`");
    check(&but("PGPASSWORD", "not-the-password"), &[], 2, "The PostgreSQL server refused the login");
    check(&but("PGPORT", "1"), &[], 2, "Cannot reach the PostgreSQL server");
    check(&but("PGUSER", ""), &[], 2, "No role to log in as");
    server.superuser("GRANT CONNECT ON DATABASE acme TO bystander");
    check(&env, &[], 1, "");
    check(&env, &["--tenant", "globex"], 0, "");
    server.superuser("REVOKE CONNECT ON DATABASE acme FROM bystander");

    // What could not be looked at is not taken for good.
    let file = server.dir.join("data/pg_hba.conf");
    let original = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("host all acme 127.0.0.1/32 reject\n{original}")).unwrap();
    server.reload();
    let said = audit(&server, &["--format", "json"]);
    let report = report(&said);
    assert_eq!(
        (said.code, with_status(&report, "not_checked")),
        (2, ["tenant.authentication", "tenant.password"].into())
    );
    assert_eq!(with_status(&report, "fail"), BTreeSet::new());
    let row = controls(&report).iter().find(|control| control["id"] == "tenant.authentication").unwrap();
    assert_eq!(row["checked"], "2 of 3 tenants");
    assert!(row["found"].as_str().unwrap().contains("(SQLSTATE 28000)"), "{row:#}");
    fs::write(&file, original).unwrap();
    server.reload();
}

/// Ctrl-C while the server does not answer.
#[test]
fn an_interrupted_audit_ends_at_once_and_leaves_nothing_running() {
    let server = Server::start(Options::default()).unwrap();
    let blocker = server.session("postgres", SUPERUSER).unwrap();
    blocker.sql("BEGIN; LOCK TABLE pg_catalog.pg_shdepend IN ACCESS EXCLUSIVE MODE").unwrap();
    let child: Child = command(&server.env(), &[]).spawn().unwrap();
    let waits = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'pg_shdepend'::regclass";
    eventually("the audit waits", || !blocker.sql(waits).unwrap().is_empty());
    let started = Instant::now();
    signal(child.id() as i32, libc::SIGINT);
    let said = Said::of(child.wait_with_output().unwrap());
    assert_eq!((said.code, said.stdout.as_str(), said.stderr.as_str()), (2, "", "Interrupted.\n"));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    eventually("the server has ended the statement", || blocker.sql(waits).unwrap().is_empty());
}

#[test]
fn roles_that_tenants_may_be_members_of_are_said() {
    let Some(server) = planted() else { return };
    server.superuser("CREATE ROLE readers");
    let workspace = workspace(&server);
    workspace.write("main.tf", &format!("{BASELINE}{}", tenants("[\"acme\", \"globex\"]")));
    workspace.apply();
    server.superuser("GRANT readers TO acme");
    assert_clean(&server, &["--member-of", "readers"]);
    let without = report(&audit(&server, &["--format", "json"]));
    assert_found(&without, "without", &["tenant.memberships"], "acme: acme is a member of readers", &[]);
}

/// What is found of a fresh tenant on a server as it comes.
fn a_fresh_tenant(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &fixture::tenant("audit_fresh", "extensions = [\"citext\"]"));
    workspace.apply();
    let report = report(&audit(server, &["--tenant", "audit_fresh", "--format", "json"]));
    let expected: BTreeSet<&str> = ["cluster.cross_access", "cluster.public_privileges", "cluster.tls"].into();
    // What else is on the shared server at the time is none of this one's doing.
    const OTHERS: [&str; 5] = [
        "cluster.connection_budget",
        "cluster.markers",
        "cluster.other_databases",
        "cluster.parameters",
        "cluster.server_privileges",
    ];
    let fails = |report: &Value| -> BTreeSet<String> {
        let fails = with_status(report, "fail").into_iter().filter(|id| !OTHERS.contains(id));
        fails.map(str::to_owned).collect()
    };
    let expected: BTreeSet<String> = expected.into_iter().map(str::to_owned).collect();
    assert_eq!(fails(&report), expected, "{report:#}");
    assert_eq!(with_status(&report, "not_checked"), ["cluster.tls_version"].into());
    let row = |id: &str| controls(&report).iter().find(|control| control["id"] == id).unwrap();
    assert_eq!(row("cluster.log_connections")["found"], "log_connections = on");
    let stig = &row("guardrails.connection_limit")["stig"][0];
    assert_eq!(stig.as_str().unwrap().contains("CD12-"), server.major < 16, "{stig}");
    // A role that may not log in is asked all the same.
    workspace.write("main.tf", &fixture::tenant("audit_fresh", "extensions = [\"citext\"]\nsuspended = true"));
    workspace.apply();
    let suspended = self::report(&audit(server, &["--tenant", "audit_fresh", "--format", "json"]));
    assert_eq!(fails(&suspended), expected);
    workspace.destroy();
}

on_every_major! { a_fresh_tenant }

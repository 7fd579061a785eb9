//! The compositions, applied: AWS is the stand-in, which names a real PostgreSQL on this machine as the
//! address of the instance, so that the provider connects in the middle of the apply.

use serde_json::{Value, json};

use crate::check::{copy, files, read};
use crate::readme::blocks;
use crate::readme_blocks::AUTHORITY;
use crate::stub::workspace;
use crate::support::postgres::{ADMIN, Options, Server};
use crate::support::terraform::{Plan, Workspace};
use crate::support::{examples, skip};

/// What pg_cron needs; a server without it does not start.
const CRON: &str = "shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.use_background_workers = on
max_connections = 400
";

const PASSWORD: &str = "correct horse battery";

/// A server as RDS gives it out, with TLS for "localhost", and with pg_cron where this machine has it.
fn server(test: &str) -> (Server, bool) {
    let options = || Options { tls_names: &["localhost"], admin_owns_maintenance: true, ..Options::default() };
    match Server::start(Options { extra_conf: CRON, ..options() }) {
        Ok(server) => {
            server.superuser(&format!("CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO {ADMIN}"));
            (server, true)
        }
        Err(reason) => {
            skip(&format!("compositions::{test} (watchdog)"), &format!("no pg_cron: {reason}"));
            let options = Options { extra_conf: "max_connections = 400\n", ..options() };
            (Server::start(options).unwrap_or_else(|error| panic!("{error}")), false)
        }
    }
}

/// The composition in a workspace, initialised, with these variables.
fn furnish(composition: &str, server: &Server, variables: &Value) -> Workspace {
    let mut workspace = workspace();
    let root = workspace.dir.join("examples");
    copy(&examples::root(), &root);
    workspace.dir = root.join(composition);
    workspace.write("test.auto.tfvars.json", &variables.to_string());
    workspace.env("AWS_STUB_DB_ADDRESS", "localhost").env("AWS_STUB_DB_PASSWORD", &server.admin_password);
    let secrets = workspace.dir.join("secrets-manager");
    std::fs::create_dir(&secrets).unwrap();
    workspace.env("AWS_STUB_SECRETS", &secrets.display().to_string());
    workspace.run(&["init"]).ok().unwrap_or_else(|error| panic!("{error}"));
    workspace
}

fn tenants(server: &Server) -> Vec<String> {
    let rows = server.superuser("SELECT datname FROM pg_database WHERE datname <> 'postgres' AND NOT datistemplate");
    let mut names: Vec<String> = rows.into_iter().flatten().flatten().collect();
    names.sort();
    names
}

/// A destroy is refused for the sake of the keys, until they are taken out of the state: then it leaves them.
fn destroy(workspace: &Workspace) {
    let refused = workspace.run(&["destroy", "-auto-approve"]).failed().unwrap_or_else(|error| panic!("{error}"));
    assert!(refused.message().contains("lifecycle.prevent_destroy"), "{}", refused.message());
    workspace.run(&["state", "rm", "module.key"]).ok().unwrap_or_else(|error| panic!("{error}"));
    workspace.destroy();
}

/// What the tenants of a composition must come to on the server.
fn assert_governed(server: &Server, workspace: &Workspace) {
    assert_eq!(tenants(server), ["acme", "globex"]);
    server.session_with_password("acme", "acme", PASSWORD).map(drop).unwrap();
    let elsewhere = server.session_with_password("globex", "acme", PASSWORD).err().expect("another tenant's database");
    assert_eq!(elsewhere.sqlstate, "42501");
    let shared = server.session_with_password("postgres", "acme", PASSWORD).err().expect("the baseline has closed it");
    assert_eq!(shared.sqlstate, "42501");
    let limits = "SELECT rolconnlimit::text FROM pg_roles WHERE rolname = 'acme'
                  UNION ALL SELECT setting FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase,
                  unnest(setconfig) setting WHERE datname = 'acme' AND setrole = 0 AND setting LIKE 'statement_timeout=%'";
    let limits: Vec<_> = server.superuser(limits).into_iter().flatten().flatten().collect();
    assert_eq!(limits, ["20", "statement_timeout=30000"]);
    let isolation = &workspace.state()["values"]["outputs"]["isolation"]["value"]["acme"];
    let controls = isolation.as_object().unwrap_or_else(|| panic!("no isolation: {isolation}"));
    assert!(controls.len() > 5, "{controls:?}");
    let broken: Vec<_> =
        controls.iter().filter(|(name, found)| *found != "enforced" && *name != "public_schema").collect();
    assert!(broken.is_empty(), "{broken:?}");
}

/// That every alarm of a composition notifies somebody.
fn assert_alarms_are_heard(workspace: &Workspace) {
    fn walk<'a>(module: &'a Value, found: &mut Vec<&'a Value>) {
        found.extend(module["resources"].as_array().into_iter().flatten());
        module["child_modules"].as_array().into_iter().flatten().for_each(|child| walk(child, found));
    }
    let state = workspace.state();
    let mut resources = Vec::new();
    walk(&state["values"]["root_module"], &mut resources);
    let alarms: Vec<_> = resources.iter().filter(|it| it["type"] == "aws_cloudwatch_metric_alarm").collect();
    assert!(alarms.len() > 20, "{} alarms", alarms.len());
    for alarm in alarms {
        let actions = alarm["values"]["alarm_actions"].as_array();
        assert!(actions.is_some_and(|actions| !actions.is_empty()), "{} notifies nobody", alarm["address"]);
    }
}

/// What Secrets Manager has for a login.
fn secret(workspace: &Workspace, login: &str) -> Value {
    let version = workspace.resource(&format!("aws_secretsmanager_secret_version.login[\"{login}\"]"));
    let file = workspace.dir.join("secrets-manager").join(version["version_id"].as_str().unwrap());
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// What complete-rds needs to be told.
fn complete_rds() -> Value {
    json!({
        "region": "eu-west-1",
        "vpc_id": "vpc-0123456789abcdef0",
        "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "allowed_security_group_ids": { "pgbouncer": "sg-0123456789abcdef0" },
        "pgbouncer_networks": ["192.0.2.0/24"],
        "roles": {
            "dba": ["arn:aws:iam::123456789012:role/dba"],
            "break_glass": ["arn:aws:iam::123456789012:role/break-glass"],
            "terraform": ["arn:aws:iam::123456789012:role/terraform"],
        },
        "tenants": { "acme": { "connection_limit": 20, "statement_timeout": "30s" }, "globex": {} },
        "passwords": { "acme": PASSWORD, "globex": PASSWORD },
        "watchdog_report": { "statement": "5min" },
    })
}

#[test]
fn complete_rds_leads_from_nothing_to_governed_tenants() {
    let (server, watchdog) = server("complete_rds_leads_from_nothing_to_governed_tenants");
    let mut variables = complete_rds();
    variables["port"] = server.port.into();
    variables["sslrootcert"] = json!(server.ca());
    variables["watchdog"] = watchdog.into();
    let workspace = furnish("complete-rds", &server, &variables);

    // Nothing is there, not even an address to connect to: planned all the same.
    let plan = workspace.plan();
    assert_eq!(plan.after_unknown("module.postgres.aws_db_instance.this[0]")["address"], true);
    assert_eq!(plan.actions("module.tenants.pgtenant_tenant.this[\"acme\"]"), ["create"]);
    assert_eq!(tenants(&server), Vec::<String>::new());

    workspace.apply();
    assert_governed(&server, &workspace);
    assert_alarms_are_heard(&workspace);
    if watchdog {
        let jobs = "SELECT count(*)::text FROM cron.job WHERE active AND command LIKE '%\"statement\":300%'";
        let jobs = server.superuser(jobs);
        assert_eq!(jobs, [[Some("1".to_owned())]]);
    }
    let key = workspace.state_file().replace("\\\"", "\"");
    assert!(key.contains("AdministratorsDoNotDecrypt"), "the key has not the policy of snapshot-guard");
    let rendered = |name: &str| std::fs::read_to_string(workspace.dir.join("rendered").join(name)).unwrap();
    assert!(rendered("pgbouncer.ini").contains("acme = host=localhost"), "{}", rendered("pgbouncer.ini"));
    let verifier = server.superuser("SELECT rolpassword FROM pg_authid WHERE rolname = 'acme'")[0][0].clone().unwrap();
    assert!(rendered("userlist.txt").contains(&verifier), "pgBouncer has another verifier than the server");
    let state = workspace.state_file();
    for secret in [PASSWORD, &server.admin_password, &verifier] {
        assert!(!state.contains(secret), "in the state: {secret}");
    }

    let found = secret(&workspace, "acme");
    let expected = json!({ "engine": "postgres", "dbname": "acme", "username": "acme", "password": PASSWORD });
    assert_eq!(found, expected);

    // One tenant's password is rotated: on the server, in its secret and for pgBouncer, and nobody else's.
    let (old, new) = (PASSWORD, "another correct horse battery");
    variables["passwords"]["acme"] = new.into();
    variables["tenants"]["acme"]["password_version"] = 1.into();
    workspace.write("test.auto.tfvars.json", &variables.to_string());
    let plan = workspace.plan();
    let mut changed = plan.addresses();
    changed.sort();
    let expected = [
        "aws_secretsmanager_secret_version.login[\"acme\"]",
        "module.tenants.pgtenant_tenant.this[\"acme\"]",
        "terraform_data.pgbouncer",
    ];
    assert_eq!(changed, expected);
    workspace.apply();
    server.session_with_password("acme", "acme", new).map(drop).unwrap();
    server.session_with_password("globex", "globex", PASSWORD).map(drop).unwrap();
    let refused = server.session_with_password("acme", "acme", old).err().expect("the old password");
    assert_eq!(refused.sqlstate, "28P01");
    assert_eq!(secret(&workspace, "acme")["password"], new);
    assert_eq!(secret(&workspace, "globex")["password"], PASSWORD);
    let verifier = server.superuser("SELECT rolpassword FROM pg_authid WHERE rolname = 'acme'")[0][0].clone().unwrap();
    assert!(rendered("userlist.txt").contains(&verifier), "pgBouncer has another verifier than the server");
    for secret in [old, new, &verifier] {
        assert!(!workspace.state_file().contains(secret), "in the state: {secret}");
    }

    variables["tenants_deletion_protection"] = false.into();
    variables["postgres"] = json!({ "deletion_protection": false });
    workspace.write("test.auto.tfvars.json", &variables.to_string());
    workspace.apply();
    destroy(&workspace);
    let left = tenants(&server);
    assert!(left.iter().all(|name| !["acme", "globex"].contains(&name.as_str())), "{left:?}");
}

/// Variables of complete-rds alone upgrade the instance, grow it, restore it and let it be destroyed. There is no server:
/// `-target` leaves out what needs one.
#[test]
fn complete_rds_is_upgraded_grown_restored_and_destroyed_by_variables() {
    const INSTANCE: &str = "module.postgres.aws_db_instance.this[0]";
    let mut workspace = workspace();
    let root = workspace.dir.join("examples");
    copy(&examples::root(), &root);
    workspace.dir = root.join("complete-rds");
    let set = |postgres: Value| {
        let mut variables = complete_rds();
        variables["postgres"] = postgres;
        workspace.write("test.auto.tfvars.json", &variables.to_string());
    };
    let run = |args: &[&str]| workspace.run(args).ok().unwrap_or_else(|error| panic!("{error}"));
    let plan = || {
        run(&["plan", "-target=module.postgres", "-out=planned"]);
        Plan { json: serde_json::from_str(&run(&["show", "-json", "planned"]).stdout).unwrap() }
    };
    run(&["init"]);

    // Restored: from a snapshot, or from another instance's backups at a moment.
    set(json!({ "snapshot_identifier": "final-tenants-0a1b2c3d" }));
    assert_eq!(plan().after(INSTANCE)["snapshot_identifier"], "final-tenants-0a1b2c3d");
    set(json!({ "restore_to_point_in_time": {
        "source_db_instance_identifier": "tenants-old", "restore_time": "2026-01-31T12:00:00Z",
    } }));
    let restored = plan().after(INSTANCE)["restore_to_point_in_time"][0].clone();
    assert_eq!(restored["source_db_instance_identifier"], "tenants-old");
    assert_eq!(restored["restore_time"], "2026-01-31T12:00:00Z");

    // What is null is the module's default, and not AWS's.
    set(json!({ "deletion_protection": null, "multi_az": null, "backup_retention_period": null }));
    let made = plan();
    let made = made.after(INSTANCE);
    assert_eq!((&made["deletion_protection"], &made["multi_az"]), (&json!(true), &json!(true)));
    assert_eq!(made["backup_retention_period"], 14);
    run(&["apply", "-target=module.postgres", "-auto-approve"]);

    // Upgraded in place, with a parameter group of the new family, made before the old one goes.
    set(json!({ "engine_version": "18", "allow_major_version_upgrade": true, "apply_immediately": true }));
    let upgraded = plan();
    assert_eq!(upgraded.actions(INSTANCE), ["update"]);
    let after = upgraded.after(INSTANCE);
    assert_eq!((&after["engine_version"], &after["apply_immediately"]), (&json!("18"), &json!(true)));
    assert_eq!(after["allow_major_version_upgrade"], true);
    let group = upgraded.addresses().into_iter().find(|it| it.contains("aws_db_parameter_group")).unwrap();
    assert_eq!(upgraded.actions(&group), ["create", "delete"]);
    assert_eq!(upgraded.after(&group)["family"], "postgres18");

    // Grown over 400 GiB, where RDS takes no other IOPS and throughput than those of that size.
    set(json!({ "allocated_storage": 500, "max_allocated_storage": 1000 }));
    let grown = plan();
    assert_eq!(grown.actions(INSTANCE), ["update"]);
    let after = grown.after(INSTANCE);
    assert_eq!(
        (&after["allocated_storage"], &after["iops"], &after["storage_throughput"]),
        (&json!(500), &json!(12000), &json!(500)),
    );

    // Destroyed, once its protection is off.
    set(json!({ "deletion_protection": false }));
    assert_eq!(plan().changes(INSTANCE), ["deletion_protection"]);
    run(&["apply", "-target=module.postgres", "-auto-approve"]);
    run(&["destroy", "-target=module.postgres", "-auto-approve"]);
    let left = workspace.state_file();
    assert!(!left.contains("\"aws_db_instance\"") && left.contains("\"aws_kms_key\""), "{left}");
}

/// Everything that the module takes is an attribute of the variable, of the same type, and reaches the module; but for
/// what the composition decides itself, or has a variable of its own for.
#[track_caller]
fn assert_handed_through(composition: &str, variable: &str, from: &str, decided: &[&str]) {
    let variables = |dir: &str| blocks("variable", &read(&examples::root().join(dir).join("variables.tf")));
    let main = read(&examples::root().join(composition).join("main.tf"));
    let lines: Vec<String> = main.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let object = variables(composition).into_iter().find(|it| it.name == variable).expect("the variable");
    let (ty, mut handed, mut missing) = (object.argument("type"), 0, Vec::new());
    for variable in variables("modules/rds-postgres") {
        let name = &variable.name;
        if decided.contains(&name.as_str()) {
            continue;
        }
        handed += 1;
        let attribute = format!(" {name} = optional({}", variable.argument("type"));
        let argument = format!("{name} = {from}.{name}");
        if !ty.contains(&attribute) || !lines.iter().any(|line| line.starts_with(&argument)) {
            missing.push(attribute);
        }
    }
    assert!(missing.is_empty(), "{composition} does not hand these through: {missing:#?}");
    assert!(handed > 50, "only {handed}");
}

#[test]
fn complete_aurora_leads_from_nothing_to_governed_tenants() {
    let (server, watchdog) = server("complete_aurora_leads_from_nothing_to_governed_tenants");
    let mut variables = json!({
        "region": "eu-west-1",
        "vpc_id": "vpc-0123456789abcdef0",
        "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "allowed_security_group_ids": { "applications": "sg-0123456789abcdef0" },
        "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000",
        "port": server.port,
        "roles": {
            "dba": ["arn:aws:iam::123456789012:role/dba"],
            "break_glass": ["arn:aws:iam::123456789012:role/break-glass"],
            "terraform": ["arn:aws:iam::123456789012:role/terraform"],
        },
        "sslrootcert": server.ca(),
        "tenants": { "acme": { "connection_limit": 20, "statement_timeout": "30s" }, "globex": {} },
        "passwords": { "acme": PASSWORD, "globex": PASSWORD },
        "watchdog": watchdog,
    });
    let workspace = furnish("complete-aurora", &server, &variables);
    let plan = workspace.plan();
    assert_eq!(plan.after_unknown("module.aurora.aws_rds_cluster.this[0]")["endpoint"], true);
    assert_eq!(plan.actions("module.tenants.pgtenant_tenant.this[\"acme\"]"), ["create"]);
    assert_eq!(tenants(&server), Vec::<String>::new());

    workspace.apply();
    assert_governed(&server, &workspace);
    assert_alarms_are_heard(&workspace);
    let state = workspace.state_file();
    for secret in [PASSWORD, &server.admin_password] {
        assert!(!state.contains(secret), "in the state: {secret}");
    }

    // Larger instances and a third one: nothing is made anew, and no tenant is touched.
    variables["cluster"] =
        json!({ "instance_class": "db.r7g.xlarge", "instances": { "one": {}, "two": {}, "three": {} } });
    workspace.write("test.auto.tfvars.json", &variables.to_string());
    let plan = workspace.plan();
    for (address, action) in [
        ("module.aurora.aws_rds_cluster_instance.this[\"one\"]", "update"),
        ("module.aurora.aws_rds_cluster_instance.this[\"three\"]", "create"),
    ] {
        assert_eq!(plan.actions(address), [action], "{address}");
    }
    let changes = plan.json["resource_changes"].as_array().unwrap();
    let gone: Vec<_> = changes
        .iter()
        .filter(|it| it["change"]["actions"].as_array().is_some_and(|actions| actions.contains(&json!("delete"))))
        .map(|it| &it["address"])
        .collect();
    assert!(gone.is_empty(), "{gone:?}");
    workspace.apply();
    assert_governed(&server, &workspace);

    // A destroy leaves the key, the log groups and a snapshot of a name that was free.
    variables["cluster"]["deletion_protection"] = false.into();
    variables["tenants_deletion_protection"] = false.into();
    workspace.write("test.auto.tfvars.json", &variables.to_string());
    workspace.apply();
    let state = workspace.state();
    let snapshot = state["values"]["outputs"]["final_snapshot_identifier"]["value"].as_str().unwrap();
    assert!(snapshot.starts_with("final-tenants-"), "{snapshot}");
    let keys = workspace.state_file().matches("\"type\": \"aws_kms_key\"").count();
    assert_eq!(keys, 1, "only the key of the alarms' topic may go with a destroy");
    workspace.destroy();
}

#[test]
fn compositions_hand_every_variable_of_rds_postgres_through() {
    let everywhere =
        ["allowed_security_group_ids", "create", "cron", "identifier", "kms_key_arn", "subnet_ids", "tags", "vpc_id"];
    assert_handed_through("cells", "cells", "each.value", &everywhere);
    let own = ["instance_class", "max_connections", "port", "reserved_connections"];
    assert_handed_through("complete-rds", "postgres", "var.postgres", &[&everywhere[..], &own].concat());
}

/// Whatever `tenants` takes can be set in each composition; but for `baseline`, which those decide that own their server.
#[test]
fn compositions_hand_every_variable_of_tenants_through() {
    let (mut missing, mut calls) = (Vec::new(), 0);
    let variables = blocks("variable", &read(&examples::root().join("modules/tenants/variables.tf")));
    for composition in examples::modules().iter().filter(|dir| !dir.starts_with("modules/")) {
        for file in files(&examples::root().join(composition), "tf") {
            let text = read(&file);
            for call in blocks("module", &text).into_iter().filter(|it| it.text("source") == "../modules/tenants") {
                calls += 1;
                for variable in &variables {
                    let name = &variable.name;
                    if call.argument(name).is_empty() && !(name == "baseline" && composition != "existing-instance") {
                        missing.push(format!("{}: {}.{name}", file.display(), call.name));
                    }
                }
            }
        }
    }
    assert!(missing.is_empty(), "not handed through: {missing:#?}");
    assert_eq!(calls, 5, "calls of the module");
}

/// As README.md says: nothing changes for the other cells, and a cell without its file is refused.
#[test]
fn a_cell_is_added_as_its_readme_says() {
    let mut workspace = workspace();
    let root = workspace.dir.join("examples");
    copy(&examples::root(), &root);
    workspace.dir = root.join("cells");
    let variables = |cells: Value, tenants: Value| {
        let variables = json!({
            "region": "eu-west-1",
            "network": {
                "vpc_id": "vpc-0123456789abcdef0",
                "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
                "allowed_security_group_ids": { "pgbouncer": "sg-0123456789abcdef0" },
            },
            "roles": {
                "dba": ["arn:aws:iam::123456789012:role/dba"],
                "break_glass": ["arn:aws:iam::123456789012:role/break-glass"],
                "terraform": ["arn:aws:iam::123456789012:role/terraform"],
            },
            "cells": cells,
            "tenants": tenants,
            "passwords": { "acme": PASSWORD },
        });
        workspace.write("test.auto.tfvars.json", &variables.to_string());
    };
    workspace.write("global-bundle.pem", &AUTHORITY);
    variables(json!({ "blue": {}, "green": {} }), json!({}));
    workspace.run(&["init"]).ok().unwrap_or_else(|error| panic!("{error}"));
    // What needs no server: the rest is not planned before it is there.
    let apply = ["apply", "-auto-approve", "-target=module.postgres", "-target=module.key"];
    workspace.run(&apply).ok().unwrap_or_else(|error| panic!("{error}"));

    variables(json!({ "blue": {}, "green": {}, "red": {} }), json!({ "acme": { "cell": "red" } }));
    assert!(workspace.plan_error().contains("A cell has no file"), "{}", workspace.plan_error());
    let readme = read(&workspace.dir.join("README.md"));
    let command = readme.lines().map(str::trim).find(|line| line.starts_with("sed ")).expect("the command");
    let made = std::process::Command::new("sh").args(["-c", command]).current_dir(&workspace.dir).status().unwrap();
    assert!(made.success());
    workspace.run(&["init"]).ok().unwrap_or_else(|error| panic!("{error}"));
    let targets = ["-target=module.postgres", "-target=module.key", "-target=module.tenants_red"];
    let run = workspace.run(&[&["plan", "-out=planned"], &targets[..]].concat());
    run.ok().unwrap_or_else(|error| panic!("{error}"));
    let shown = workspace.run(&["show", "-json", "planned"]).ok().unwrap();
    let plan = Plan { json: serde_json::from_str(&shown.stdout).unwrap() };
    assert_eq!(plan.actions("module.postgres[\"red\"].aws_db_instance.this[0]"), ["create"]);
    assert_eq!(plan.actions("module.tenants_red.pgtenant_tenant.this[\"acme\"]"), ["create"]);
    let others: Vec<_> = plan.addresses().into_iter().filter(|it| !it.contains("red")).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn tenants_move_into_an_instance_that_exists() {
    let (server, watchdog) = server("tenants_move_into_an_instance_that_exists");
    let mut variables = json!({
        "region": "eu-west-1",
        "instance": {
            "identifier": "legacy",
            "resource_id": "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "instance_class": "db.r7g.large",
            "allocated_storage": 200,
            "kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000",
            "address": "localhost",
            "port": server.port,
            "max_connections": 400,
        },
        "roles": {
            "dba": ["arn:aws:iam::123456789012:role/dba"],
            "break_glass": ["arn:aws:iam::123456789012:role/break-glass"],
            "terraform": ["arn:aws:iam::123456789012:role/terraform"],
        },
        "admin_secret_arn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:legacy-AbCdEf",
        "sslrootcert": server.ca(),
        "tenants": { "acme": { "connection_limit": 20, "statement_timeout": "30s" }, "globex": {} },
        "passwords": { "acme": PASSWORD, "globex": PASSWORD },
        "baseline": true,
        "watchdog": watchdog,
    });
    let workspace = furnish("existing-instance", &server, &variables);
    workspace.apply();
    assert_governed(&server, &workspace);
    assert_alarms_are_heard(&workspace);
    let headroom = workspace.state()["values"]["outputs"]["headroom"]["value"].as_i64().unwrap();
    assert!(headroom > 300, "{headroom}");

    // More than a log group has filters for: those are for the tenants that are named.
    let names: Vec<String> = (0..17).map(|number| format!("tenant_{number}")).collect();
    let more = |value: Value| names.iter().map(|name| (name.clone(), value.clone())).collect::<Value>();
    let mut crowded = variables.clone();
    (crowded["tenants"], crowded["passwords"]) = (more(json!({ "connection_limit": 5 })), more(json!(PASSWORD)));
    crowded["tenants_deletion_protection"] = false.into();
    for name in ["acme", "globex"] {
        (crowded["tenants"][name], crowded["passwords"][name]) = (variables["tenants"][name].clone(), json!(PASSWORD));
    }
    workspace.write("test.auto.tfvars.json", &crowded.to_string());
    assert_eq!(workspace.plan().actions("module.tenants.pgtenant_tenant.this[\"tenant_16\"]"), ["create"]);

    variables["tenants_deletion_protection"] = false.into();
    workspace.write("test.auto.tfvars.json", &variables.to_string());
    workspace.apply();
    workspace.destroy();
}

/// Two servers under one name: the port tells them apart, and the stand-in knows one password only.
#[test]
fn each_cell_has_its_own_tenants() {
    let test = "each_cell_has_its_own_tenants";
    let ((blue, watchdog), (green, _)) = (server(test), server(test));
    green.superuser(&format!("ALTER ROLE {ADMIN} PASSWORD '{}'", blue.admin_password));
    let authorities = [blue.ca(), green.ca()].map(|file| std::fs::read_to_string(file).unwrap()).concat();
    let mut variables = json!({
        "region": "eu-west-1",
        "network": {
            "vpc_id": "vpc-0123456789abcdef0",
            "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
            "allowed_security_group_ids": { "pgbouncer": "sg-0123456789abcdef0" },
        },
        "cells": { "blue": { "port": blue.port }, "green": { "port": green.port } },
        "roles": {
            "dba": ["arn:aws:iam::123456789012:role/dba"],
            "break_glass": ["arn:aws:iam::123456789012:role/break-glass"],
            "terraform": ["arn:aws:iam::123456789012:role/terraform"],
        },
        "sslrootcert": "authorities.pem",
        "tenants": { "acme": { "cell": "blue" }, "globex": { "cell": "green" }, "initech": { "cell": "green" } },
        "passwords": { "acme": PASSWORD, "globex": PASSWORD, "initech": PASSWORD },
        "watchdog": watchdog,
    });
    let workspace = furnish("cells", &blue, &variables);
    workspace.write("authorities.pem", &authorities);
    workspace.apply();
    assert_eq!(tenants(&blue), ["acme"]);
    assert_eq!(tenants(&green), ["globex", "initech"]);
    assert_alarms_are_heard(&workspace);

    // A tenant with its data does not change cells by an edit.
    let moved = json!({ "acme": { "cell": "green" }, "globex": { "cell": "green" }, "initech": { "cell": "green" } });
    let there = std::mem::replace(&mut variables["tenants"], moved);
    workspace.write("test.auto.tfvars.json", &variables.to_string());
    assert!(workspace.plan_error().contains("deletion_protection"), "{}", workspace.plan_error());
    variables["tenants"] = there;
    variables["tenants_deletion_protection"] = false.into();
    for cell in ["blue", "green"] {
        variables["cells"][cell]["deletion_protection"] = false.into();
    }
    workspace.write("test.auto.tfvars.json", &variables.to_string());
    workspace.apply();

    // A cell is removed as its README says, and the other one stays as it is.
    variables["tenants"] = json!({ "acme": { "cell": "blue" } });
    workspace.write("test.auto.tfvars.json", &variables.to_string());
    workspace.apply();
    let readme = read(&workspace.dir.join("README.md"));
    let (_, removing) = readme.split_once("## Removing a cell").expect("the section");
    let commands = removing.lines().filter_map(|line| line.trim().strip_prefix("terraform "));
    let commands: Vec<String> = commands.map(|command| command.replace("red", "green").replace('\'', "")).collect();
    assert_eq!(commands.len(), 2, "{commands:?}");
    for command in &commands {
        let approved = command.starts_with("destroy").then_some("-auto-approve");
        let words: Vec<&str> = command.split(' ').chain(approved).collect();
        workspace.run(&words).ok().unwrap_or_else(|error| panic!("{error}"));
    }
    variables["cells"] = json!({ "blue": variables["cells"]["blue"] });
    workspace.write("test.auto.tfvars.json", &variables.to_string());
    std::fs::remove_file(workspace.dir.join("green.tf")).unwrap();
    let planned = workspace.plan();
    assert_eq!(planned.actions("module.postgres[\"green\"].aws_db_instance.this[0]"), ["delete"]);
    assert_eq!(planned.actions("module.postgres[\"blue\"].aws_db_instance.this[0]"), ["no-op"]);
    workspace.apply();
    assert_eq!(tenants(&blue), ["acme"]);
    destroy(&workspace);
}

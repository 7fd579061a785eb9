//! What a developer, a DBA and a break-glass role may do with snapshots and their key: the policies of the module
//! snapshot-guard, as Terraform renders them, evaluated by `@cloud-copilot/iam-simulate`. That one is AGPL: the test
//! fetches it from npm and runs it as a program of its own; it is not shipped, and nothing is linked with it.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::planned;
use crate::stub::ROOT;
use crate::support::{on_path, skip};

const VARIABLES: &str = r#"
dba_role_arns               = ["arn:aws:iam::123456789012:role/dba"]
break_glass_role_arns       = ["arn:aws:iam::123456789012:role/break-glass"]
key_administrator_role_arns = ["arn:aws:iam::123456789012:role/terraform"]
topic_arn                   = "arn:aws:sns:eu-west-1:123456789012:tenants-alarms"
"#;

/// A column of the table. `Everything` is what a careless administrator gives: `rds:*`, `kms:*` and `iam:*`.
struct Principal {
    title: &'static str,
    role: &'static str,
    policy: Identity,
    mfa: bool,
    guarded: bool,
}

enum Identity {
    Everything,
    /// An output of the module.
    Of(&'static str),
}

const PRINCIPALS: &[Principal] = &[
    principal("developer with everything, no guard", "developer", Identity::Everything, false, false),
    principal("developer with everything", "developer", Identity::Everything, true, true),
    principal("DBA", "dba", Identity::Of("dba_policy_json"), true, true),
    principal("DBA with everything", "dba", Identity::Everything, true, true),
    principal("break-glass without MFA", "break-glass", Identity::Of("break_glass_policy_json"), false, true),
    principal("break-glass", "break-glass", Identity::Of("break_glass_policy_json"), true, true),
    principal("key administrator with everything", "terraform", Identity::Everything, true, true),
];

const fn principal(title: &'static str, role: &'static str, policy: Identity, mfa: bool, guarded: bool) -> Principal {
    Principal { title, role, policy, mfa, guarded }
}

/// How one comes to use the key.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Direct,
    ThroughRds,
    ThroughPerformanceInsights,
    /// RDS asks for a grant of its own.
    GrantToRds,
}

const SNAPSHOT: &str = "arn:aws:rds:eu-west-1:123456789012:snapshot:tenants-1";
const CLUSTER_SNAPSHOT: &str = "arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:tenants-1";
const INSTANCE: &str = "arn:aws:rds:eu-west-1:123456789012:db:tenants";
const BACKUP: &str = "arn:aws:rds:eu-west-1:123456789012:auto-backup:ab-tenants";
const DEPLOYMENT: &str = "arn:aws:rds:eu-west-1:123456789012:deployment:tenants";
const INTEGRATION: &str = "arn:aws:rds:eu-west-1:123456789012:integration:00000000-0000-0000-0000-000000000000";
const DBA: &str = "arn:aws:iam::123456789012:role/dba";
const BREAK_GLASS: &str = "arn:aws:iam::123456789012:role/break-glass";
const DEVELOPER: &str = "arn:aws:iam::123456789012:role/developer";
const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000";

/// Rows: the action, on what, how, and for each of `PRINCIPALS` whether it may: `+` or `-`.
const ROWS: &[(&str, &str, Way, &str)] = &[
    ("rds:DescribeDBSnapshots", SNAPSHOT, Way::Direct, "+++++++"),
    ("rds:CreateDBSnapshot", SNAPSHOT, Way::Direct, "+-++++-"),
    ("rds:CreateDBSnapshot", INSTANCE, Way::Direct, "+-++++-"),
    ("rds:CopyDBSnapshot", SNAPSHOT, Way::Direct, "+-++++-"),
    ("rds:ModifyDBSnapshot", SNAPSHOT, Way::Direct, "+-++++-"),
    ("rds:RestoreDBInstanceFromDBSnapshot", SNAPSHOT, Way::Direct, "+-++++-"),
    ("rds:RestoreDBInstanceFromDBSnapshot", INSTANCE, Way::Direct, "+-++++-"),
    ("rds:RestoreDBInstanceToPointInTime", BACKUP, Way::Direct, "+-++++-"),
    ("rds:RestoreDBClusterFromSnapshot", CLUSTER_SNAPSHOT, Way::Direct, "+-++++-"),
    ("rds:StartDBInstanceAutomatedBackupsReplication", BACKUP, Way::Direct, "+-++++-"),
    ("rds:CreateDBInstanceReadReplica", INSTANCE, Way::Direct, "+-++++-"),
    ("rds:CreateBlueGreenDeployment", INSTANCE, Way::Direct, "+-++++-"),
    ("rds:CreateBlueGreenDeployment", DEPLOYMENT, Way::Direct, "+-++++-"),
    ("rds:CreateIntegration", INTEGRATION, Way::Direct, "+-++++-"),
    ("rds:DeleteDBSnapshot", SNAPSHOT, Way::Direct, "+----+-"),
    ("rds:DeleteDBInstanceAutomatedBackup", BACKUP, Way::Direct, "+----+-"),
    ("rds:StartExportTask", SNAPSHOT, Way::Direct, "+----+-"),
    ("rds:RestoreDBInstanceFromS3", INSTANCE, Way::Direct, "+----+-"),
    ("rds:ModifyDBSnapshotAttribute", SNAPSHOT, Way::Direct, "+------"),
    ("rds:ModifyDBClusterSnapshotAttribute", CLUSTER_SNAPSHOT, Way::Direct, "+------"),
    ("kms:DescribeKey", KEY, Way::Direct, "++-++++"),
    ("kms:Decrypt", KEY, Way::Direct, "-------"),
    ("kms:Decrypt", KEY, Way::ThroughRds, "--++++-"),
    ("kms:GenerateDataKey", KEY, Way::ThroughRds, "--++++-"),
    ("kms:CreateGrant", KEY, Way::Direct, "-------"),
    ("kms:CreateGrant", KEY, Way::ThroughRds, "-------"),
    ("kms:CreateGrant", KEY, Way::GrantToRds, "--++++-"),
    ("kms:PutKeyPolicy", KEY, Way::Direct, "----+++"),
    ("kms:DisableKey", KEY, Way::Direct, "----+++"),
    ("kms:ScheduleKeyDeletion", KEY, Way::Direct, "----+++"),
    ("iam:UpdateAssumeRolePolicy", DBA, Way::Direct, "+-----+"),
    ("iam:UpdateAssumeRolePolicy", BREAK_GLASS, Way::Direct, "+-----+"),
    ("iam:UpdateAssumeRolePolicy", DEVELOPER, Way::Direct, "++-+--+"),
    ("iam:CreateRole", DBA, Way::Direct, "+-----+"),
    ("iam:DeleteRolePermissionsBoundary", DBA, Way::Direct, "+-----+"),
    ("iam:GetRole", DBA, Way::Direct, "++-+--+"),
];

#[test]
fn what_each_role_may_do_with_snapshots() {
    let name = concat!(module_path!(), "::what_each_role_may_do_with_snapshots");
    let simulator = match simulator() {
        Ok(dir) => dir,
        Err(reason) => return skip(name, &reason),
    };
    let plan = planned::module("snapshot-guard", VARIABLES);
    let document = |output: &str| -> Value {
        let text = plan.output(output).as_str().unwrap_or_else(|| panic!("{output} is not known when planning"));
        serde_json::from_str(text).unwrap()
    };
    let guards = [Guard::Organisation(document("scp_json")), Guard::Boundary(document("boundary_json"))];
    let key_policy = document("key_policy_json");

    let mut simulations = Vec::new();
    for guard in &guards {
        for (action, resource, way, _) in ROWS {
            for principal in PRINCIPALS {
                let policy = match principal.policy {
                    Identity::Everything => allow(&["rds:*", "kms:*", "iam:*"]),
                    Identity::Of(output) => document(output),
                };
                simulations.push(simulation(principal, &policy, guard, &key_policy, (action, resource, *way)));
            }
        }
    }
    let found = run(&simulator, &simulations);
    assert_eq!(found.len(), simulations.len());
    let found: Vec<_> = found.chunks(PRINCIPALS.len()).collect();
    let (by_organisation, by_boundary) = found.split_at(ROWS.len());

    let mut table = String::from("| action | on |");
    for principal in PRINCIPALS {
        let _ = write!(table, " {} |", principal.title);
    }
    let _ = write!(table, "\n|---|---|{}", "---|".repeat(PRINCIPALS.len()));
    let mut failures = Vec::new();
    for (number, (action, resource, way, expected)) in ROWS.iter().enumerate() {
        let kind = resource.split(':').nth(5).unwrap_or_default().split('/').next().unwrap_or_default();
        let on = match way {
            Way::Direct => kind.to_owned(),
            Way::ThroughRds => format!("{kind}, through RDS"),
            Way::ThroughPerformanceInsights => format!("{kind}, through Performance Insights"),
            Way::GrantToRds => format!("{kind}, for RDS"),
        };
        let on = if kind == "role" { resource.rsplit(':').next().unwrap_or_default().replace('/', " ") } else { on };
        let _ = write!(table, "\n| `{action}` | {on} |");
        for result in by_organisation[number] {
            let _ = write!(table, " {} |", if result == "Allowed" { "allow" } else { "deny" });
        }
        for (guard, found) in [("SCP", by_organisation[number]), ("boundary", by_boundary[number])] {
            let signs: String = found.iter().map(|result| if result == "Allowed" { '+' } else { '-' }).collect();
            if signs != *expected {
                failures.push(format!("{action} on {on}, {guard}: {expected} was expected, {signs} found"));
            }
        }
    }
    table.push('\n');
    let dir = Path::new(ROOT).join("target/modules");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("policies.md"), &table).unwrap();
    println!("{table}");
    assert!(failures.is_empty(), "{}\n{table}", failures.join("\n"));
}

/// The statement for alarms has everybody as its principal: what its conditions leave of that.
#[test]
fn alarms_use_the_key_through_performance_insights() {
    const ALARMS: &str =
        "aws-service-role/pi-db.metrics.cloudwatch.amazonaws.com/AWSServiceRoleForCloudWatchMetrics_DbPerfInsights";
    const CASES: &[(&str, &str, Way, &str)] = &[
        (ALARMS, "kms:Decrypt", Way::ThroughPerformanceInsights, "Allowed"),
        (ALARMS, "kms:GenerateDataKey", Way::ThroughPerformanceInsights, "Allowed"),
        (ALARMS, "kms:CreateGrant", Way::ThroughPerformanceInsights, "ImplicitlyDenied"),
        // As which of the two services Performance Insights asks, AWS does not say for certain.
        (ALARMS, "kms:Decrypt", Way::ThroughRds, "Allowed"),
        (ALARMS, "kms:Decrypt", Way::Direct, "ImplicitlyDenied"),
        ("developer", "kms:Decrypt", Way::ThroughPerformanceInsights, "ImplicitlyDenied"),
        ("developer", "kms:Decrypt", Way::ThroughRds, "ImplicitlyDenied"),
    ];
    let name = concat!(module_path!(), "::alarms_use_the_key_through_performance_insights");
    let simulator = match simulator() {
        Ok(dir) => dir,
        Err(reason) => return skip(name, &reason),
    };
    let plan = planned::module("snapshot-guard", VARIABLES);
    let key_policy: Value = serde_json::from_str(plan.output("key_policy_json").as_str().unwrap()).unwrap();
    let simulations: Vec<_> = CASES
        .iter()
        .map(|(role, action, way, _)| {
            let principal = principal("", role, Identity::Everything, false, false);
            let guard = Guard::Organisation(allow(&["*"]));
            simulation(&principal, &allow(&["pi:*"]), &guard, &key_policy, (action, KEY, *way))
        })
        .collect();
    let expected: Vec<_> = CASES.iter().map(|(.., expected)| *expected).collect();
    assert_eq!(run(&simulator, &simulations), expected);
}

/// How the guard is put up.
enum Guard {
    Organisation(Value),
    Boundary(Value),
}

fn allow(actions: &[&str]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] })
}

fn simulation(
    principal: &Principal,
    policy: &Value,
    guard: &Guard,
    key_policy: &Value,
    (action, resource, way): (&str, &str, Way),
) -> Value {
    let role = format!("arn:aws:iam::123456789012:role/{}", principal.role);
    let mut context = json!({
        "aws:PrincipalArn": role,
        "aws:PrincipalAccount": "123456789012",
        "aws:PrincipalIsAWSService": "false",
    });
    // A session without MFA says so, or says nothing: this one says nothing, as a plain AssumeRole.
    if principal.mfa {
        context["aws:MultiFactorAuthPresent"] = json!("true");
    }
    if action.starts_with("kms:") {
        context["kms:CallerAccount"] = json!("123456789012");
    }
    match way {
        Way::Direct => {}
        Way::ThroughRds | Way::GrantToRds => context["kms:ViaService"] = json!("rds.eu-west-1.amazonaws.com"),
        Way::ThroughPerformanceInsights => context["kms:ViaService"] = json!("pi.eu-west-1.amazonaws.com"),
    }
    if action == "kms:CreateGrant" {
        context["kms:GrantIsForAWSResource"] = json!((way == Way::GrantToRds).to_string());
    }
    let everything = json!({ "name": "FullAWSAccess", "policy": allow(&["*"]) });
    let mut organisation = vec![everything];
    let mut simulation = json!({
        "request": {
            "principal": role,
            "action": action,
            "resource": { "resource": resource, "accountId": "123456789012" },
            "contextVariables": context,
        },
        "identityPolicies": [{ "name": "own", "policy": policy }],
        "resourceControlPolicies": [],
    });
    match guard {
        _ if !principal.guarded => {}
        Guard::Organisation(policy) => organisation.push(json!({ "name": "guard", "policy": policy })),
        Guard::Boundary(policy) => {
            simulation["permissionBoundaryPolicies"] = json!([{ "name": "guard", "policy": policy }]);
        }
    }
    simulation["serviceControlPolicies"] = json!([{ "orgIdentifier": "r-root", "policies": organisation }]);
    if resource == KEY {
        simulation["resourcePolicy"] = key_policy.clone();
    }
    simulation
}

fn run(simulator: &Path, simulations: &[Value]) -> Vec<String> {
    let mut child = Command::new("node")
        .arg("simulate.mjs")
        .current_dir(simulator)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let input = serde_json::to_vec(simulations).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    writer.join().unwrap().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A directory with the simulator in it, of the versions in its lock file.
fn simulator() -> Result<PathBuf, String> {
    static INSTALLED: LazyLock<Result<PathBuf, String>> = LazyLock::new(install);
    INSTALLED.clone()
}

fn install() -> Result<PathBuf, String> {
    for program in ["node", "npm"] {
        on_path(program).ok_or_else(|| format!("there is no {program} on PATH"))?;
    }
    let dir = Path::new(ROOT).join("target/modules/iam-simulate");
    let text = |error: std::io::Error| error.to_string();
    fs::create_dir_all(&dir).map_err(text)?;
    let source = Path::new(ROOT).join("tests/modules/iam");
    let lock = "package-lock.json";
    // The mark is written last: an installation that was cut off is made anew.
    let mark = dir.join("installed.json");
    let wanted = fs::read(source.join(lock)).map_err(text)?;
    for file in ["package.json", lock, "simulate.mjs"] {
        fs::copy(source.join(file), dir.join(file)).map_err(text)?;
    }
    if fs::read(&mark).ok().as_ref() != Some(&wanted) {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        let output = npm.current_dir(&dir).stdin(Stdio::null()).output().map_err(text)?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr).trim().replace('\n', " ");
            return Err(format!("npm did not give @cloud-copilot/iam-simulate: {complaint}"));
        }
        fs::write(&mark, wanted).map_err(text)?;
    }
    Ok(dir)
}

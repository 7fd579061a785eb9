//! Which events the rules of the module snapshot-guard send on: the patterns, as Terraform renders them, over events as
//! AWS documents them. What EventBridge does with a pattern is told here in the operators that the rules use.

use serde_json::{Value, json};

use crate::planned;

const VARIABLES: &str = r#"
db_instance_identifiers     = ["tenants"]
dba_role_arns               = ["arn:aws:iam::123456789012:role/dba"]
break_glass_role_arns       = ["arn:aws:iam::123456789012:role/break-glass"]
key_administrator_role_arns = ["arn:aws:iam::123456789012:role/terraform"]
backup_copy_vault_arns      = ["arn:aws:backup:eu-central-1:210987654321:backup-vault:known"]
topic_arn                   = "arn:aws:sns:eu-west-1:123456789012:tenants-alarms"
"#;

fn snapshot(kind: &str, id: &str, name: &str) -> Value {
    let detail_type = format!("RDS {kind} Snapshot Event");
    let detail = json!({ "EventID": format!("RDS-EVENT-{id}"), "SourceIdentifier": name, "SourceType": "SNAPSHOT" });
    json!({ "source": "aws.rds", "detail-type": detail_type, "detail": detail })
}

fn of_instance(id: &str, name: &str) -> Value {
    snapshot("DB", id, name)
}

fn call(service: &str, name: &str) -> Value {
    json!({
        "source": format!("aws.{service}"),
        "detail-type": "AWS API Call via CloudTrail",
        "detail": {
            "eventSource": format!("{service}.amazonaws.com"),
            "eventName": name,
            "userIdentity": { "type": "AssumedRole", "arn": "arn:aws:sts::123456789012:assumed-role/developer/eve" },
        },
    })
}

fn with(mut event: Value, pointer: &str, value: &str) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[key] = value.into();
    event
}

fn job(detail_type: &str, kind: &str, state: &str, vault: &str) -> Value {
    let detail = json!({
        "resourceType": kind, "state": state, "status": state,
        "destinationBackupVaultArn": format!("arn:aws:backup:{vault}"),
    });
    json!({ "source": "aws.backup", "detail-type": detail_type, "detail": detail })
}

/// The names of the rules that an event matches.
fn heard(rules: &[(String, Value)], event: &Value) -> Vec<String> {
    let matching = rules.iter().filter(|(_, pattern)| matches(pattern, Some(event)));
    matching.map(|(name, _)| name.strip_prefix("snapshot-guard-").unwrap().to_owned()).collect()
}

fn rules(variables: &str) -> Vec<(String, Value)> {
    let plan = planned::module("snapshot-guard", variables);
    let rule = |rule: &&Value| {
        let text = |name: &str| rule["values"][name].as_str().unwrap().to_owned();
        (text("name"), serde_json::from_str(&text("event_pattern")).unwrap())
    };
    plan.of_type("aws_cloudwatch_event_rule").iter().map(rule).collect()
}

#[track_caller]
fn check(rules: &[(String, Value)], cases: &[(Value, &[&str])]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(event, expected)| (event, *expected, heard(rules, event)))
        .filter(|(_, expected, found)| found != expected)
        .map(|(event, expected, found)| format!("{event}\n    matches {found:?}, not {expected:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn snapshots_notify_and_routine_does_not() {
    const NONE: &[&str] = &[];
    let rules = rules(VARIABLES);
    let cases: Vec<(Value, &[&str])> = vec![
        // The automated snapshot of each day, and what AWS Backup makes.
        (of_instance("0090", "rds:tenants-2026-11-27-03-00"), NONE),
        (of_instance("0091", "rds:tenants-2026-11-27-03-00"), NONE),
        (snapshot("DB Cluster", "0169", "rds:tenants-2026-11-27-03-00"), NONE),
        (of_instance("0042", "awsbackup:job-1"), NONE),
        (snapshot("DB Cluster", "0075", "awsbackup:job-1"), NONE),
        (with(call("rds", "CreateDBSnapshot"), "/detail/userIdentity/invokedBy", "backup.amazonaws.com"), NONE),
        (job("Backup Job State Change", "RDS", "COMPLETED", "eu-west-1:123456789012:backup-vault:own"), NONE),
        (job("Copy Job State Change", "RDS", "COMPLETED", "eu-central-1:123456789012:backup-vault:own"), NONE),
        (job("Copy Job State Change", "RDS", "COMPLETED", "eu-central-1:210987654321:backup-vault:known"), NONE),
        (job("Copy Job State Change", "RDS", "RUNNING", "eu-central-1:999999999999:backup-vault:other"), NONE),
        (job("Restore Job State Change", "S3", "COMPLETED", ""), NONE),
        // What people did.
        (of_instance("0040", "before-the-release"), &["snapshots"]),
        (of_instance("0042", "before-the-release"), &["snapshots"]),
        (snapshot("DB Cluster", "0075", "before-the-release"), &["snapshots"]),
        (of_instance("0041", "before-the-release"), &["snapshots"]),
        (of_instance("0043", "awsbackup:job-1"), &["snapshots"]),
        (of_instance("0060", "copied"), &["snapshots"]),
        (of_instance("0161", "rds:tenants-2026-11-27-03-00"), &["snapshots"]),
        (call("rds", "CreateDBSnapshot"), &["calls"]),
        (
            with(call("rds", "CopyDBSnapshot"), "/detail/userIdentity/invokedBy", "cloudformation.amazonaws.com"),
            &["calls"],
        ),
        (with(call("rds", "StartExportTask"), "/detail/errorCode", "AccessDenied"), &["calls"]),
        (call("rds", "CreateDBInstanceReadReplica"), &["calls"]),
        (call("rds", "DeleteDBClusterAutomatedBackup"), &["calls"]),
        (call("rds", "RestoreDBClusterFromS3"), &["calls"]),
        (call("rds", "ModifyDBSnapshotAttribute"), &["sharing"]),
        (with(call("rds", "ModifyDBClusterSnapshotAttribute"), "/detail/errorCode", "AccessDenied"), &["sharing"]),
        (call("rds", "DescribeDBSnapshots"), NONE),
        // Who reads the log works; who is refused is of interest.
        (call("rds", "DownloadDBLogFilePortion"), NONE),
        (with(call("rds", "DownloadDBLogFilePortion"), "/detail/errorCode", "AccessDenied"), &["downloads"]),
        (with(call("rds", "DownloadCompleteDBLogFile"), "/detail/errorCode", "AccessDeniedException"), &["downloads"]),
        (call("kms", "ScheduleKeyDeletion"), &["keys"]),
        (call("kms", "Decrypt"), NONE),
        (call("backup", "StartBackupJob"), &["backups"]),
        (call("backup", "StartCopyJob"), &["backups"]),
        (call("backup", "CreateBackupPlan"), &["backups"]),
        (call("backup", "DeleteRecoveryPoint"), &["backups"]),
        (call("backup", "PutBackupVaultAccessPolicy"), &["backup-sharing"]),
        (call("backup", "ListBackupJobs"), NONE),
        (job("Restore Job State Change", "RDS", "COMPLETED", ""), &["backup-jobs"]),
        (job("Copy Job State Change", "RDS", "COMPLETED", "eu-west-1:999999999999:backup-vault:own"), &["backup-jobs"]),
        (
            job("Copy Job State Change", "Aurora", "COMPLETED", "eu-west-1:210987654321:backup-vault:other"),
            &["backup-jobs"],
        ),
    ];
    check(&rules, &cases);
}

#[test]
fn other_instances_are_left_out_by_name() {
    let rules = rules(&format!("{VARIABLES}snapshot_name_prefixes = [\"tenants-\", \"rds:tenants-\"]\n"));
    let cases: Vec<(Value, &[&str])> = vec![
        (of_instance("0042", "tenants-before-the-release"), &["snapshots"]),
        (of_instance("0043", "rds:tenants-2026-11-27-03-00"), &["snapshots"]),
        (of_instance("0091", "rds:tenants-2026-11-27-03-00"), &[]),
        (of_instance("0042", "shop-before-the-release"), &[]),
        (of_instance("0043", "rds:shop-2026-11-27-03-00"), &[]),
        // A name is no way around: the call is heard of.
        (with(call("rds", "CreateDBSnapshot"), "/detail/requestParameters", "shop"), &["calls"]),
    ];
    check(&rules, &cases);
}

/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>: all fields of a pattern
/// match, of a field's list one does.
fn matches(pattern: &Value, value: Option<&Value>) -> bool {
    match pattern {
        Value::Object(fields) => fields.iter().all(|(name, pattern)| match name.as_str() {
            "$or" => pattern.as_array().unwrap().iter().any(|pattern| matches(pattern, value)),
            name => matches(pattern, value.and_then(|value| value.get(name))),
        }),
        Value::Array(any) => any.iter().any(|matcher| leaf(matcher, value)),
        other => panic!("EventBridge takes no {other} here"),
    }
}

fn leaf(matcher: &Value, value: Option<&Value>) -> bool {
    let Value::Object(operator) = matcher else { return value == Some(matcher) };
    let (operator, operand) = operator.iter().next().unwrap();
    let text = value.and_then(Value::as_str);
    match operator.as_str() {
        "exists" => operand.as_bool().unwrap() == value.is_some(),
        "prefix" => text.is_some_and(|text| text.starts_with(operand.as_str().unwrap())),
        "wildcard" => text.is_some_and(|text| wildcard(operand.as_str().unwrap(), text)),
        // A field that is not there is not anything but.
        "anything-but" => value.is_some() && !each(operand).iter().any(|operand| leaf(operand, value)),
        other => panic!("the rules used no {other} so far"),
    }
}

/// What `anything-but` excludes: values, or one operator with a value or a list of them.
fn each(operand: &Value) -> Vec<Value> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    match operand {
        Value::Object(operator) => {
            let (operator, operand) = operator.iter().next().unwrap();
            list(operand).into_iter().map(|value| json!({ operator.as_str(): value })).collect()
        }
        values => list(values),
    }
}

fn wildcard(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).any(|start| rest.get(start..).is_some_and(|rest| wildcard(after, rest)))
        }),
    }
}

//! What others know of AWS: checkov reads the configuration, cfn-lint the planned values in the words of
//! CloudFormation. What is suppressed in a module says why, in place.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Map, Value, json};

use crate::check::{CHECKED, Planned, files, read};
use crate::matrix::{Outcome, record};
use crate::support::python::tool;
use crate::support::{examples, scratch, skip};

/// The tool, or the columns of the table marked and the reason noted.
fn found(name: &str) -> Option<PathBuf> {
    tool(name)
        .inspect_err(|why| {
            for module in examples::modules() {
                record(&module, name, Outcome::Skipped);
            }
            skip(&format!("modules::scanners::{name}"), why);
        })
        .ok()
}

/// What the tool wrote to stdout, which must be JSON. Its status says only whether it found something.
fn answer(command: &mut Command) -> Value {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(&text)
        .unwrap_or_else(|why| panic!("{command:?} does not answer in JSON ({why}):\n{text}{error}"))
}

#[track_caller]
fn report(failures: Vec<String>) {
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn checkov_finds_nothing() {
    let Some(checkov) = found("checkov") else { return };
    let mut failures = Vec::new();
    for module in examples::modules() {
        let dir = examples::root().join(&module);
        let (passed, skipped, failed) = checkov_at(&checkov, &dir);
        let complaints = failed.into_iter().chain(unexplained(&dir));
        let complaints: Vec<String> = complaints.map(|complaint| format!("{module}: {complaint}")).collect();
        let outcome = match (complaints.is_empty(), passed + skipped) {
            (false, _) => Outcome::Failed,
            (true, 0) => Outcome::Nothing,
            (true, _) => Outcome::Passed(format!("{passed} passed, {skipped} explained")),
        };
        record(&module, "checkov", outcome);
        failures.extend(complaints);
    }
    report(failures);
}

/// How many checks passed and were suppressed, and those that failed. Modules that this one calls have
/// their own turn.
fn checkov_at(checkov: &Path, dir: &Path) -> (u64, u64, Vec<String>) {
    let mut command = Command::new(checkov);
    command.args(["--framework", "terraform", "--quiet", "--output", "json", "--skip-download", "--directory"]);
    let answer = answer(command.arg(dir));
    // For a directory without a resource that it knows, the answer holds no results.
    let results = &answer["results"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut failed: Vec<String> = results["parsing_errors"].as_array().into_iter().flatten().map(&text).collect();
    for check in results["failed_checks"].as_array().into_iter().flatten() {
        failed.push(format!(
            "{} at {}: {}",
            text(&check["check_id"]),
            text(&check["resource"]),
            text(&check["check_name"])
        ));
    }
    let count = |name: &str| answer["summary"][name].as_u64().unwrap_or(0);
    (count("passed"), count("skipped"), failed)
}

/// Suppressions without a reason.
fn unexplained(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for file in files(dir, "tf") {
        for line in read(&file).lines().filter(|line| line.contains("checkov:skip")) {
            let reason = line.split_once("checkov:skip=").and_then(|(_, rest)| rest.split_once(':'));
            if reason.is_none_or(|(_, reason)| reason.split_whitespace().count() < 3) {
                found.push(format!("no reason in {:?}", line.trim()));
            }
        }
    }
    found
}

#[test]
fn checkov_finds_what_is_wrong() {
    let Some(checkov) = found("checkov") else { return };
    let dir = scratch::directory("checkov").unwrap();
    fs::write(dir.join("main.tf"), "resource \"aws_db_instance\" \"this\" {\n  publicly_accessible = true\n}\n")
        .unwrap();
    let (_, _, failed) = checkov_at(&checkov, &dir);
    for id in ["CKV_AWS_16 ", "CKV_AWS_17 "] {
        assert!(failed.iter().any(|failure| failure.starts_with(id)), "{id}: {failed:#?}");
    }
}

#[test]
fn cfn_lint_finds_nothing() {
    let Some(lint) = found("cfn-lint") else { return };
    let mut failures = Vec::new();
    for (module, checked) in &*CHECKED {
        let resources = template(&checked.planned);
        let count = resources.len();
        let complaints: Vec<String> = if count == 0 { Vec::new() } else { cfn_lint(&lint, resources) };
        record(
            module,
            "cfn-lint",
            match (complaints.is_empty(), count) {
                (false, _) => Outcome::Failed,
                (true, 0) => Outcome::Nothing,
                (true, _) => Outcome::Passed(format!("{count} resources")),
            },
        );
        failures.extend(complaints.into_iter().map(|complaint| format!("{module}: {complaint}")));
    }
    report(failures);
}

/// Values that the schema of Terraform's provider lets through.
#[test]
fn cfn_lint_finds_what_is_wrong() {
    let Some(lint) = found("cfn-lint") else { return };
    let one = |type_name: &str, values: Value| {
        let planned = Planned { address: "this".to_owned(), type_name: type_name.to_owned(), values };
        cfn_lint(&lint, template(&[planned])).join("\n")
    };
    let instance = |class: &str, version: &str| {
        let values = json!({ "engine": "postgres", "engine_version": version, "instance_class": class,
                             "allocated_storage": 100, "username": "a", "manage_master_user_password": true });
        one("aws_db_instance", values)
    };
    let alarm = |operator: &str, period: u64| {
        let values = json!({ "alarm_name": "a", "comparison_operator": operator, "evaluation_periods": 1, "period": period,
                             "metric_name": "CPUUtilization", "namespace": "AWS/RDS", "statistic": "Average", "threshold": 9 });
        one("aws_cloudwatch_metric_alarm", values)
    };
    assert_eq!(instance("db.m7g.large", "17"), "");
    let cluster = |version: &str, window: &str| {
        let values = json!({ "engine": "aurora-postgresql", "engine_version": version, "master_username": "a",
                             "manage_master_user_password": true, "preferred_maintenance_window": window });
        one("aws_rds_cluster", values)
    };
    let member = |class: &str| {
        let values = json!({ "engine": "aurora-postgresql", "instance_class": class, "cluster_identifier": "a" });
        one("aws_rds_cluster_instance", values)
    };
    assert_eq!(alarm("GreaterThanThreshold", 60), "");
    assert_eq!(cluster("17", "sun:04:00-sun:05:00"), "");
    assert_eq!(member("db.serverless"), "");
    for (wrong, word) in [
        (instance("db.m7g.tiny", "17"), "db.m7g.tiny"),
        (instance("db.m7g.large", "17.99"), "17.99"),
        (cluster("17.99", "sun:04:00-sun:05:00"), "17.99"),
        (member("db.r7g.tiny"), "db.r7g.tiny"),
        (alarm("GreaterThan", 60), "GreaterThan"),
        (alarm("GreaterThanThreshold", 45), "45"),
    ] {
        assert!(wrong.contains(word), "{word}: {wrong:?}");
    }
}

/// What cfn-lint holds against these resources, by their names.
fn cfn_lint(lint: &Path, resources: Map<String, Value>) -> Vec<String> {
    let names: BTreeMap<String, String> =
        resources.iter().map(|(id, resource)| (id.clone(), resource["Metadata"]["Address"].to_string())).collect();
    let file = scratch::directory("cfn-lint").unwrap().join("template.json");
    let template = json!({ "AWSTemplateFormatVersion": "2010-09-09", "Resources": resources });
    fs::write(&file, serde_json::to_string_pretty(&template).unwrap()).unwrap();
    // W: what a template should do otherwise than these values can. I: advice. E3019: a name is there twice
    // where two plans of a module's tests have it, which are not one stack.
    let answer = answer(
        Command::new(lint)
            .args(["--format", "json", "--regions", "eu-west-1", "--ignore-checks", "W", "I", "E3019"])
            .arg("--template")
            .arg(&file),
    );
    let complaint = |found: &Value| {
        let path = found["Location"]["Path"].as_array().cloned().unwrap_or_default();
        let id = path.get(1).and_then(Value::as_str).unwrap_or_default();
        let address = names.get(id).map_or(id, String::as_str);
        format!("{} at {address} {path:?}: {}", found["Rule"]["Id"], found["Message"])
    };
    answer.as_array().into_iter().flatten().map(complaint).collect()
}

/// Attribute, property, and how its value is written there.
type Attributes = &'static [(&'static str, &'static str, As)];

/// Terraform's types and attributes in CloudFormation's words. What is not here has no counterpart, or none
/// whose values cfn-lint checks.
const TYPES: &[(&str, &str, Attributes)] = &[
    (
        "aws_db_instance",
        "AWS::RDS::DBInstance",
        &[
            ("allocated_storage", "AllocatedStorage", As::Text),
            ("allow_major_version_upgrade", "AllowMajorVersionUpgrade", As::It),
            ("auto_minor_version_upgrade", "AutoMinorVersionUpgrade", As::It),
            ("backup_retention_period", "BackupRetentionPeriod", As::It),
            ("backup_window", "PreferredBackupWindow", As::It),
            ("ca_cert_identifier", "CACertificateIdentifier", As::It),
            ("copy_tags_to_snapshot", "CopyTagsToSnapshot", As::It),
            ("database_insights_mode", "DatabaseInsightsMode", As::It),
            ("delete_automated_backups", "DeleteAutomatedBackups", As::It),
            ("deletion_protection", "DeletionProtection", As::It),
            ("enabled_cloudwatch_logs_exports", "EnableCloudwatchLogsExports", As::It),
            ("engine", "Engine", As::It),
            ("engine_version", "EngineVersion", As::It),
            ("iam_database_authentication_enabled", "EnableIAMDatabaseAuthentication", As::It),
            ("identifier", "DBInstanceIdentifier", As::It),
            ("instance_class", "DBInstanceClass", As::It),
            ("iops", "Iops", As::It),
            ("kms_key_id", "KmsKeyId", As::It),
            ("maintenance_window", "PreferredMaintenanceWindow", As::It),
            ("manage_master_user_password", "ManageMasterUserPassword", As::It),
            ("max_allocated_storage", "MaxAllocatedStorage", As::It),
            ("monitoring_interval", "MonitoringInterval", As::It),
            ("monitoring_role_arn", "MonitoringRoleArn", As::It),
            ("multi_az", "MultiAZ", As::It),
            ("performance_insights_enabled", "EnablePerformanceInsights", As::It),
            ("performance_insights_retention_period", "PerformanceInsightsRetentionPeriod", As::It),
            ("port", "Port", As::Text),
            ("publicly_accessible", "PubliclyAccessible", As::It),
            ("storage_encrypted", "StorageEncrypted", As::It),
            ("storage_throughput", "StorageThroughput", As::It),
            ("storage_type", "StorageType", As::It),
            ("username", "MasterUsername", As::It),
        ],
    ),
    (
        "aws_db_parameter_group",
        "AWS::RDS::DBParameterGroup",
        &[("description", "Description", As::It), ("family", "Family", As::It), ("parameter", "Parameters", As::Pairs)],
    ),
    (
        "aws_rds_cluster",
        "AWS::RDS::DBCluster",
        &[
            ("backup_retention_period", "BackupRetentionPeriod", As::It),
            ("cluster_identifier", "DBClusterIdentifier", As::It),
            ("copy_tags_to_snapshot", "CopyTagsToSnapshot", As::It),
            ("database_insights_mode", "DatabaseInsightsMode", As::It),
            ("delete_automated_backups", "DeleteAutomatedBackups", As::It),
            ("deletion_protection", "DeletionProtection", As::It),
            ("enabled_cloudwatch_logs_exports", "EnableCloudwatchLogsExports", As::It),
            ("engine", "Engine", As::It),
            ("engine_lifecycle_support", "EngineLifecycleSupport", As::It),
            ("engine_mode", "EngineMode", As::It),
            ("engine_version", "EngineVersion", As::It),
            ("iam_database_authentication_enabled", "EnableIAMDatabaseAuthentication", As::It),
            ("kms_key_id", "KmsKeyId", As::It),
            ("manage_master_user_password", "ManageMasterUserPassword", As::It),
            ("master_username", "MasterUsername", As::It),
            ("network_type", "NetworkType", As::It),
            ("performance_insights_enabled", "PerformanceInsightsEnabled", As::It),
            ("performance_insights_retention_period", "PerformanceInsightsRetentionPeriod", As::It),
            ("port", "Port", As::It),
            ("preferred_backup_window", "PreferredBackupWindow", As::It),
            ("preferred_maintenance_window", "PreferredMaintenanceWindow", As::It),
            (
                "serverlessv2_scaling_configuration",
                "ServerlessV2ScalingConfiguration",
                As::Block(&[("max_capacity", "MaxCapacity", As::It), ("min_capacity", "MinCapacity", As::It)]),
            ),
            ("storage_encrypted", "StorageEncrypted", As::It),
            ("storage_type", "StorageType", As::It),
        ],
    ),
    (
        "aws_rds_cluster_instance",
        "AWS::RDS::DBInstance",
        &[
            ("auto_minor_version_upgrade", "AutoMinorVersionUpgrade", As::It),
            ("ca_cert_identifier", "CACertificateIdentifier", As::It),
            ("cluster_identifier", "DBClusterIdentifier", As::It),
            ("engine", "Engine", As::It),
            ("identifier", "DBInstanceIdentifier", As::It),
            ("instance_class", "DBInstanceClass", As::It),
            ("monitoring_interval", "MonitoringInterval", As::It),
            ("monitoring_role_arn", "MonitoringRoleArn", As::It),
            ("performance_insights_enabled", "EnablePerformanceInsights", As::It),
            ("performance_insights_retention_period", "PerformanceInsightsRetentionPeriod", As::It),
            ("promotion_tier", "PromotionTier", As::It),
            ("publicly_accessible", "PubliclyAccessible", As::It),
        ],
    ),
    (
        "aws_rds_cluster_parameter_group",
        "AWS::RDS::DBClusterParameterGroup",
        &[("description", "Description", As::It), ("family", "Family", As::It), ("parameter", "Parameters", As::Pairs)],
    ),
    (
        "aws_cloudwatch_metric_alarm",
        "AWS::CloudWatch::Alarm",
        &[
            ("actions_enabled", "ActionsEnabled", As::It),
            ("alarm_description", "AlarmDescription", As::It),
            ("alarm_name", "AlarmName", As::It),
            ("comparison_operator", "ComparisonOperator", As::It),
            ("datapoints_to_alarm", "DatapointsToAlarm", As::It),
            ("dimensions", "Dimensions", As::Names),
            ("evaluation_periods", "EvaluationPeriods", As::It),
            ("extended_statistic", "ExtendedStatistic", As::It),
            ("metric_name", "MetricName", As::It),
            (
                "metric_query",
                "Metrics",
                As::Blocks(&[
                    ("expression", "Expression", As::It),
                    ("id", "Id", As::It),
                    ("label", "Label", As::It),
                    (
                        "metric",
                        "MetricStat",
                        As::Block(&[
                            ("period", "Period", As::It),
                            ("stat", "Stat", As::It),
                            ("unit", "Unit", As::It),
                            (
                                "",
                                "Metric",
                                As::Rest(&[
                                    ("dimensions", "Dimensions", As::Names),
                                    ("metric_name", "MetricName", As::It),
                                    ("namespace", "Namespace", As::It),
                                ]),
                            ),
                        ]),
                    ),
                    ("period", "Period", As::It),
                    ("return_data", "ReturnData", As::It),
                ]),
            ),
            ("namespace", "Namespace", As::It),
            ("period", "Period", As::It),
            ("statistic", "Statistic", As::It),
            ("threshold", "Threshold", As::It),
            ("treat_missing_data", "TreatMissingData", As::It),
            ("unit", "Unit", As::It),
        ],
    ),
    (
        "aws_cloudwatch_log_group",
        "AWS::Logs::LogGroup",
        &[("name", "LogGroupName", As::It), ("retention_in_days", "RetentionInDays", As::It)],
    ),
    (
        "aws_cloudwatch_log_metric_filter",
        "AWS::Logs::MetricFilter",
        &[
            ("log_group_name", "LogGroupName", As::It),
            (
                "metric_transformation",
                "MetricTransformations",
                As::Blocks(&[
                    ("default_value", "DefaultValue", As::Number),
                    ("name", "MetricName", As::It),
                    ("namespace", "MetricNamespace", As::It),
                    ("unit", "Unit", As::It),
                    ("value", "MetricValue", As::It),
                ]),
            ),
            ("name", "FilterName", As::It),
            ("pattern", "FilterPattern", As::It),
        ],
    ),
    (
        "aws_cloudwatch_event_rule",
        "AWS::Events::Rule",
        &[
            ("description", "Description", As::It),
            ("event_pattern", "EventPattern", As::Json),
            ("name", "Name", As::It),
            ("schedule_expression", "ScheduleExpression", As::It),
            ("state", "State", As::It),
        ],
    ),
    (
        "aws_kms_key",
        "AWS::KMS::Key",
        &[
            ("deletion_window_in_days", "PendingWindowInDays", As::It),
            ("description", "Description", As::It),
            ("enable_key_rotation", "EnableKeyRotation", As::It),
            ("policy", "KeyPolicy", As::Json),
        ],
    ),
    (
        "aws_iam_role",
        "AWS::IAM::Role",
        &[
            ("assume_role_policy", "AssumeRolePolicyDocument", As::Json),
            ("max_session_duration", "MaxSessionDuration", As::It),
            ("path", "Path", As::It),
        ],
    ),
    (
        "aws_iam_policy",
        "AWS::IAM::ManagedPolicy",
        &[("description", "Description", As::It), ("policy", "PolicyDocument", As::Json)],
    ),
    (
        "aws_vpc_security_group_ingress_rule",
        "AWS::EC2::SecurityGroupIngress",
        &[
            ("cidr_ipv4", "CidrIp", As::It),
            ("cidr_ipv6", "CidrIpv6", As::It),
            ("description", "Description", As::It),
            ("from_port", "FromPort", As::It),
            ("ip_protocol", "IpProtocol", As::It),
            ("referenced_security_group_id", "SourceSecurityGroupId", As::It),
            ("security_group_id", "GroupId", As::It),
            ("to_port", "ToPort", As::It),
        ],
    ),
];

/// How a value is written there.
#[derive(Clone, Copy)]
enum As {
    It,
    /// A number or flag as text.
    Text,
    /// A text as a number.
    Number,
    /// The text of a JSON document as the document.
    Json,
    /// `name` and `value` of blocks as an object.
    Pairs,
    /// A map as a list of `Name` and `Value`.
    Names,
    Blocks(Attributes),
    /// The first block.
    Block(Attributes),
    /// An object made of attributes of this very block.
    Rest(Attributes),
}

/// What CloudFormation demands, and a plan does not know yet.
const UNKNOWN: &[(&str, &str, &str)] = &[
    ("AWS::RDS::DBInstance", "MonitoringRoleArn", "arn:aws:iam::123456789012:role/monitoring"),
    ("AWS::EC2::SecurityGroupIngress", "GroupId", "sg-0123456789abcdef0"),
    ("AWS::Logs::MetricFilter", "LogGroupName", "/aws/rds/instance/tenants/postgresql"),
];

/// The resources of a template; the same twice is there once.
fn template(planned: &[Planned]) -> Map<String, Value> {
    let mut seen = Vec::new();
    let mut resources = Map::new();
    for resource in planned {
        let Some((_, type_name, attributes)) = TYPES.iter().find(|(name, ..)| *name == resource.type_name) else {
            continue;
        };
        let mut properties = object(attributes, &resource.values);
        for (_, name, value) in UNKNOWN.iter().filter(|(of, ..)| of == type_name) {
            properties.entry((*name).to_owned()).or_insert_with(|| (*value).into());
        }
        if seen.contains(&(type_name, properties.clone())) {
            continue;
        }
        seen.push((type_name, properties.clone()));
        let metadata = json!({ "Address": resource.address });
        let resource = json!({ "Type": type_name, "Metadata": metadata, "Properties": properties });
        resources.insert(format!("R{}", resources.len()), resource);
    }
    resources
}

fn object(attributes: &[(&str, &str, As)], values: &Value) -> Map<String, Value> {
    let properties =
        attributes.iter().filter_map(|(from, to, how)| Some(((*to).to_owned(), property(values, from, *how)?)));
    properties.collect()
}

fn property(values: &Value, from: &str, how: As) -> Option<Value> {
    if let As::Rest(attributes) = how {
        return Some(object(attributes, values).into());
    }
    let value = values.get(from).filter(|value| !value.is_null())?;
    let elements = || value.as_array().into_iter().flatten();
    let written = match how {
        As::It => value.clone(),
        As::Text => value.as_str().map_or_else(|| value.to_string(), str::to_owned).into(),
        As::Number => serde_json::from_str(value.as_str()?).ok()?,
        As::Json => serde_json::from_str(value.as_str()?).ok()?,
        As::Pairs => {
            let pair = |block: &Value| Some((block["name"].as_str()?.to_owned(), block["value"].clone()));
            Value::Object(elements().filter_map(pair).collect())
        }
        As::Names => {
            let pairs = value.as_object().into_iter().flatten();
            pairs.map(|(name, value)| json!({ "Name": name, "Value": value })).collect()
        }
        As::Blocks(attributes) => elements().map(|block| Value::from(object(attributes, block))).collect(),
        As::Block(attributes) => object(attributes, elements().next()?).into(),
        As::Rest(_) => return None,
    };
    // An empty list is an absent block.
    Some(written).filter(|written| written.as_array().is_none_or(|list| !list.is_empty()))
}

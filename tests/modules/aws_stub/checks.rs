//! The few values that are refused, at validation, as the real provider or AWS itself refuses them.

use pgtenant::tf_provider::{Block, Diagnostic, Diagnostics, Nesting, Path, Value};

use crate::{rds, values};

/// What AWS takes as JSON text.
const JSON: &[&str] =
    &["assume_role_policy", "content", "dashboard_body", "event_pattern", "filter_policy", "policy", "policy_document"];

/// Type, attribute (in a block, if any), values.
const WORDS: &[(&str, &str, &[&str])] = &[
    (
        "aws_cloudwatch_metric_alarm",
        "comparison_operator",
        &[
            "GreaterThanOrEqualToThreshold",
            "GreaterThanThreshold",
            "LessThanThreshold",
            "LessThanOrEqualToThreshold",
            "LessThanLowerOrGreaterThanUpperThreshold",
            "LessThanLowerThreshold",
            "GreaterThanUpperThreshold",
        ],
    ),
    ("aws_cloudwatch_metric_alarm", "treat_missing_data", &["breaching", "notBreaching", "ignore", "missing"]),
    ("aws_cloudwatch_metric_alarm", "statistic", &["SampleCount", "Average", "Sum", "Minimum", "Maximum"]),
    ("aws_appautoscaling_policy", "policy_type", &["StepScaling", "TargetTrackingScaling", "PredictiveScaling"]),
    (
        "aws_appautoscaling_policy",
        "predefined_metric_type",
        &["RDSReaderAverageCPUUtilization", "RDSReaderAverageDatabaseConnections"],
    ),
    ("aws_appautoscaling_target", "scalable_dimension", &["rds:cluster:ReadReplicaCount"]),
    ("aws_appautoscaling_target", "service_namespace", &["rds"]),
    ("aws_db_parameter_group", "apply_method", &["immediate", "pending-reboot"]),
    ("aws_db_instance", "database_insights_mode", &["standard", "advanced"]),
    (
        "aws_db_instance",
        "ca_cert_identifier",
        &["rds-ca-2019", "rds-ca-ecc384-g1", "rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1"],
    ),
    (
        "aws_db_instance",
        "engine_lifecycle_support",
        &["open-source-rds-extended-support", "open-source-rds-extended-support-disabled"],
    ),
    ("aws_db_instance", "network_type", &["DUAL", "IPV4"]),
    ("aws_rds_cluster", "database_insights_mode", &["standard", "advanced"]),
    ("aws_rds_cluster", "enabled_cloudwatch_logs_exports", &["iam-db-auth-error", "instance", "postgresql"]),
    ("aws_rds_cluster", "engine", &["aurora-mysql", "aurora-postgresql", "mysql", "postgres"]),
    (
        "aws_rds_cluster",
        "engine_lifecycle_support",
        &["open-source-rds-extended-support", "open-source-rds-extended-support-disabled"],
    ),
    ("aws_rds_cluster", "network_type", &["IPV4", "DUAL"]),
    ("aws_rds_cluster", "restore_type", &["copy-on-write", "full-copy"]),
    ("aws_rds_cluster", "storage_type", &["", "aurora", "aurora-iopt1", "io1", "io2"]),
    ("aws_rds_cluster_instance", "engine", &["aurora-mysql", "aurora-postgresql", "mysql", "postgres"]),
    ("aws_rds_cluster_parameter_group", "apply_method", &["immediate", "pending-reboot"]),
    ("aws_db_instance", "storage_type", &["standard", "gp2", "gp3", "io1", "io2"]),
    ("aws_cloudwatch_log_group", "log_group_class", &["STANDARD", "INFREQUENT_ACCESS", "DELIVERY"]),
];

/// Days for which CloudWatch can keep a log; 0 is for ever.
const RETENTION: &[i64] =
    &[0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

pub fn check(type_name: &str, block: &Block, config: &Value) -> Diagnostics {
    let mut found = Diagnostics::default();
    walk(type_name, block, config, &Path::default(), &mut found);
    rds::check(type_name, config, &mut found);
    if type_name == "aws_cloudwatch_log_group"
        && let Some(days) = values::known::<i64>(config, "retention_in_days")
        && !RETENTION.contains(&days)
    {
        let detail = format!("CloudWatch keeps a log for one of these numbers of days: {RETENTION:?}; got {days}.");
        found.push(Diagnostic::error("Invalid retention", detail).at_attribute("retention_in_days"));
    }
    found
}

fn walk(type_name: &str, block: &Block, value: &Value, at: &Path, found: &mut Diagnostics) {
    for attribute in &block.attributes {
        let (name, path) = (attribute.name, at.clone().then(attribute.name));
        let words = WORDS.iter().find(|(of, attribute, _)| *of == type_name && *attribute == name);
        if let (Some((_, _, words)), Value::List(elements)) = (words, value.get(name)) {
            for text in elements.iter().filter_map(Value::as_str).filter(|text| !words.contains(text)) {
                let detail = format!("{path} may hold {}; got {text:?}.", words.join(", "));
                found.push(Diagnostic::error("Invalid value", detail).at(path.clone()));
            }
        }
        let Some(text) = value.get(name).as_str() else { continue };
        if JSON.contains(&name)
            && let Err(error) = serde_json::from_str::<serde_json::Value>(text)
        {
            found.push(Diagnostic::error("Invalid JSON", format!("{path} must be JSON: {error}.")).at(path.clone()));
        }
        if let Some((_, _, words)) = words
            && !words.contains(&text)
        {
            let detail = format!("{path} must be one of {}; got {text:?}.", words.join(", "));
            found.push(Diagnostic::error("Invalid value", detail).at(path));
        }
    }
    match type_name {
        "aws_cloudwatch_log_metric_filter" => transformation(value, at, found),
        "aws_cloudwatch_log_transformer" => processors(value, at, found),
        _ => {}
    }
    for nested in &block.blocks {
        match (nested.nesting, value.get(nested.name)) {
            (Nesting::List, Value::List(blocks)) => {
                for (index, value) in (0..).zip(blocks) {
                    walk(type_name, &nested.block, value, &at.clone().then(nested.name).index(index), found);
                }
            }
            (_, Value::List(blocks)) => {
                for value in blocks {
                    walk(type_name, &nested.block, value, &at.clone().then(nested.name), found);
                }
            }
            (_, value) => walk(type_name, &nested.block, value, &at.clone().then(nested.name), found),
        }
    }
}

/// A metric with dimensions has no default value, and at most three of them.
fn transformation(value: &Value, at: &Path, found: &mut Diagnostics) {
    let Value::Map(dimensions) = value.get("dimensions") else { return };
    let mut refuse = |detail: String| found.push(Diagnostic::error("Invalid metric", detail).at(at.clone()));
    if !dimensions.is_empty() && *value.get("default_value") != Value::Null {
        refuse(format!("{at} has dimensions, and then takes no default_value."));
    }
    if dimensions.len() > 3 {
        refuse(format!("{at} has {} dimensions; CloudWatch takes three.", dimensions.len()));
    }
}

/// Each step of a transformer is one processor, and what parses lines of an AWS service comes first.
fn processors(value: &Value, at: &Path, found: &mut Diagnostics) {
    let Value::List(steps) = value.get("transformer_config") else { return };
    for (index, step) in steps.iter().enumerate() {
        let has = |name: &str| matches!(step.get(name), Value::List(blocks) if !blocks.is_empty());
        let held = ["grok", "parse_postgres"].into_iter().filter(|name| has(name)).count();
        let mut refuse = |detail: &str| {
            found.push(Diagnostic::error("Invalid transformer", detail).at(at.clone().then("transformer_config")));
        };
        if held != 1 {
            refuse("Each transformer_config holds one processor.");
        }
        if index > 0 && has("parse_postgres") {
            refuse("parse_postgres must be the first processor.");
        }
    }
}

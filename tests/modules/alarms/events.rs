//! Which of RDS's events the rules of `rds-alarms` and `aurora-alarms` match.

use serde_json::{Value, json};

use crate::planned;

const VARIABLES: &str = r#"
db_instance_identifier = "tenants"
instance_class         = "db.m7g.large"
allocated_storage      = 100
resource_id            = "db-A"
replica_identifiers    = ["tenants-replica"]
parameter_group_names  = ["tenants-postgres17"]
"#;

/// EventBridge's patterns, as far as they are used: every key must be there, each with one of its values; `$or`;
/// `wildcard`; `prefix`.
fn matches(pattern: &Value, event: &Value) -> bool {
    pattern.as_object().expect("a pattern is an object").iter().all(|(key, wanted)| match wanted {
        Value::Array(patterns) if key == "$or" => patterns.iter().any(|pattern| matches(pattern, event)),
        Value::Array(values) => {
            let found = &event[key];
            let found = found.as_array().cloned().unwrap_or_else(|| vec![found.clone()]);
            found.iter().any(|found| values.iter().any(|value| is(value, found)))
        }
        nested => matches(nested, &event[key]),
    })
}

fn is(value: &Value, found: &Value) -> bool {
    if let Some(prefix) = value["prefix"].as_str() {
        return found.as_str().is_some_and(|found| found.starts_with(prefix));
    }
    let Some(pattern) = value.get("wildcard") else { return value == found };
    let (Some(pattern), Some(mut rest)) = (pattern.as_str(), found.as_str()) else { return false };
    let (first, parts) = pattern.split_once('*').unwrap_or((pattern, ""));
    let Some(after) = rest.strip_prefix(first) else { return false };
    rest = after;
    for part in parts.split('*').filter(|part| !part.is_empty()) {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    pattern.ends_with('*') || rest.is_empty()
}

/// Source type, who it is of, categories, number, message; the rules that must match without and with autoscaling.
type Case = (&'static str, &'static str, &'static [&'static str], u32, &'static str, [Option<&'static str>; 2]);

const RINGS: [Option<&str>; 2] = [Some("instance"); 2];
const QUIET: [Option<&str>; 2] = [None; 2];

const CASES: &[Case] = &[
    ("Instance", "tenants", &["failover"], 13, "Multi-AZ instance failover started.", RINGS),
    ("Instance", "tenants", &["failover"], 49, "Multi-AZ instance failover completed", RINGS),
    ("Instance", "tenants", &["failure"], 31, "The instance has failed.", RINGS),
    ("Instance", "tenants", &["recovery"], 20, "Recovery of the DB instance has started.", RINGS),
    ("Instance", "tenants", &["maintenance"], 26, "Applying off-line patches to DB instance", RINGS),
    ("Instance", "tenants-replica", &["read replica"], 45, "Replication has stopped.", RINGS),
    ("Instance", "tenants-replica", &["read replica"], 57, "Replication streaming has been terminated.", RINGS),
    ("Instance", "tenants", &["low storage"], 7, "Allocated storage has been exhausted", RINGS),
    ("Instance", "tenants", &["low storage"], 89, "The free storage capacity is low at 9 %", [Some("instance"), None]),
    ("Instance", "tenants", &["failure"], 223, "Storage autoscaling is unable to scale the storage", RINGS),
    ("Instance", "tenants", &["failure"], 224, "will reach or exceed the maximum storage threshold", RINGS),
    ("Instance", "tenants", &["notification"], 225, "approaching the maximum storage threshold 500 GB", RINGS),
    ("Instance", "tenants", &["availability"], 6, "DB instance restarted", RINGS),
    ("Instance", "tenants", &["notification"], 87, "DB instance stopped", RINGS),
    ("Instance", "tenants", &["backup"], 1, "Backing up DB instance", QUIET),
    ("Instance", "tenants", &["configuration change"], 217, "Applying autoscaling-initiated modification", QUIET),
    ("Instance", "other", &["failover"], 13, "Multi-AZ instance failover started.", QUIET),
    ("Snapshot", "tenants", &["failure"], 40, "Creating automated snapshot", QUIET),
    (
        "Parameter Group",
        "tenants-postgres17",
        &["configuration change"],
        37,
        "Updated parameter max_connections to 500 with apply method pending-reboot",
        [Some("pending-reboot"); 2],
    ),
    (
        "Parameter Group",
        "tenants-postgres17",
        &["configuration change"],
        37,
        "Updated parameter work_mem to 4096 with apply method immediate",
        QUIET,
    ),
    (
        "Parameter Group",
        "other",
        &["configuration change"],
        37,
        "Updated parameter max_connections to 500 with apply method pending-reboot",
        QUIET,
    ),
];

#[test]
fn events_that_somebody_must_know_of_are_sent() {
    for (autoscaling, maximum) in [0, 500].into_iter().enumerate() {
        let planned = planned::module("rds-alarms", &format!("{VARIABLES}max_allocated_storage = {maximum}\n"));
        let rules: Vec<(&str, Value)> = planned
            .of_type("aws_cloudwatch_event_rule")
            .into_iter()
            .map(|rule| {
                let pattern = rule["values"]["event_pattern"].as_str().unwrap();
                (rule["index"].as_str().unwrap(), serde_json::from_str(pattern).unwrap())
            })
            .collect();
        assert_eq!(rules.len(), 2);
        for (kind, of, categories, number, message, expected) in CASES {
            let event = json!({
                "source": "aws.rds",
                "detail-type": format!("RDS DB {kind} Event"),
                "detail": {
                    "SourceIdentifier": of,
                    "EventCategories": categories,
                    "EventID": format!("RDS-EVENT-{number:04}"),
                    "Message": message,
                },
            });
            let matched: Vec<&str> =
                rules.iter().filter(|(_, pattern)| matches(pattern, &event)).map(|(name, _)| *name).collect();
            let expected: Vec<&str> = expected[autoscaling].into_iter().collect();
            assert_eq!(matched, expected, "{message}, of {of}, growing up to {maximum} GiB");
        }
    }
}

const CLUSTER: &str = r#"
cluster_identifier      = "tenants"
instance_class          = "db.r7g.large"
connections_for_tenants = 395
parameter_group_names   = ["tenants-aurora-postgresql17"]
"#;

/// Source type, who it is of, category, message; the rule that must match.
const OF_CLUSTERS: &[(&str, &str, &str, &str, Option<&str>)] = &[
    ("Cluster", "tenants", "failover", "Started cross AZ failover to DB instance: tenants-two", Some("cluster")),
    ("Cluster", "tenants", "failure", "The DB cluster is unable to become available.", Some("cluster")),
    ("Cluster", "tenants", "maintenance", "Database cluster engine version has been upgraded", Some("cluster")),
    ("Cluster", "tenants", "notification", "DB cluster stopped", Some("cluster")),
    ("Cluster", "tenants", "creation", "DB cluster created", None),
    ("Cluster", "tenants-other", "failover", "Started cross AZ failover", None),
    ("Instance", "tenants-one", "availability", "DB instance restarted", Some("instances")),
    ("Instance", "tenants-one", "failure", "The instance has failed.", Some("instances")),
    ("Instance", "tenants-two", "recovery", "Recovery of the DB instance is complete.", Some("instances")),
    ("Instance", "tenants-one", "backup", "Backing up DB instance", None),
    ("Instance", "other-one", "failure", "The instance has failed.", None),
    ("Cluster Snapshot", "rds:tenants-2026", "backup", "Creating automated cluster snapshot", None),
    (
        "Parameter Group",
        "tenants-aurora-postgresql17",
        "configuration change",
        "Updated parameter max_connections to 500 with apply method pending-reboot",
        Some("pending-reboot"),
    ),
    (
        "Parameter Group",
        "tenants-aurora-postgresql17",
        "configuration change",
        "Updated parameter work_mem to 4096 with apply method immediate",
        None,
    ),
];

#[test]
fn events_of_a_cluster_that_somebody_must_know_of_are_sent() {
    let planned = planned::module("aurora-alarms", CLUSTER);
    let rules = planned.of_type("aws_cloudwatch_event_rule");
    assert_eq!(rules.len(), 3);
    for (kind, of, category, message, expected) in OF_CLUSTERS {
        let number = if *kind == "Parameter Group" { "RDS-EVENT-0037" } else { "RDS-EVENT-0000" };
        let event = json!({
            "source": "aws.rds",
            "detail-type": format!("RDS DB {kind} Event"),
            "detail": { "SourceIdentifier": of, "EventCategories": [category], "EventID": number, "Message": message },
        });
        let pattern = |rule: &Value| serde_json::from_str(rule["values"]["event_pattern"].as_str().unwrap()).unwrap();
        let matching = rules.iter().filter(|rule| matches(&pattern(rule), &event));
        let matched: Vec<&str> = matching.map(|rule| rule["index"].as_str().unwrap()).collect();
        assert_eq!(matched, expected.iter().copied().collect::<Vec<_>>(), "{message}, of {of}");
    }
}

//! The stand-in for `hashicorp/aws`: how Terraform finds it, and what it refuses.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::built_example;
use crate::support::terraform::{Installation, Provider, Workspace};

pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");
pub const PGTENANT: &str = env!("CARGO_BIN_EXE_terraform-provider-pgtenant");

/// The built stand-in.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| built_example("aws-stub"))
}

/// A workspace in whose mirror there are our provider and the stand-in, and nothing else. Empty, and not
/// yet initialised.
pub fn workspace() -> Workspace {
    let aws = Provider { source: "hashicorp/aws", version: "6.25.0", binary: binary().to_owned() };
    let providers = vec![Provider::pgtenant(Path::new(PGTENANT)), aws];
    Workspace::of(providers, Installation::Mirror).unwrap_or_else(|error| panic!("{error}"))
}

const VERSIONS: &str = r#"terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}
"#;

fn with(config: &str) -> Workspace {
    let workspace = workspace();
    workspace.write("versions.tf", VERSIONS).write("main.tf", config);
    workspace.run(&["init"]).ok().unwrap_or_else(|error| panic!("{error}"));
    workspace
}

/// One resource, with what Terraform says of it.
#[track_caller]
fn refused(workspace: &Workspace, config: &str, expected: &str) {
    workspace.write("main.tf", config);
    let run = workspace.run(&["validate"]);
    let said = format!("{} {}", run.message(), run.stdout.split_whitespace().collect::<Vec<_>>().join(" "));
    assert!(!run.status.success(), "taken: {config}");
    assert!(said.contains(expected), "{config}\n{expected}\n{said}");
}

#[test]
fn what_the_real_provider_refuses_is_refused() {
    let workspace = with("");
    let check = |config: &str, expected: &str| refused(&workspace, config, expected);
    let instance = |more: &str| format!("resource \"aws_db_instance\" \"this\" {{\n{more}\n}}\n");
    let alarm = |more: &str| {
        format!(
            "resource \"aws_cloudwatch_metric_alarm\" \"this\" {{\n  alarm_name = \"a\"\n  evaluation_periods = 1\n\
             {more}\n}}\n"
        )
    };
    let parameter = |more: &str| {
        format!(
            "resource \"aws_db_parameter_group\" \"this\" {{\n  family = \"postgres17\"\n  parameter {{\n{more}\n  }}\n}}\n"
        )
    };
    let cluster = |more: &str| {
        format!(
            "resource \"aws_rds_cluster\" \"this\" {{\n  engine = \"aurora-postgresql\"\n  skip_final_snapshot = true\n{more}\n}}\n"
        )
    };
    let of_cluster = |family: &str, more: &str| {
        format!(
            "resource \"aws_rds_cluster_parameter_group\" \"this\" {{\n  family = \"{family}\"\n  parameter {{\n{more}\n  }}\n}}\n"
        )
    };
    let capacity = |min: &str, max: &str| {
        cluster(&format!(
            "  serverlessv2_scaling_configuration {{\n  min_capacity = {min}\n  max_capacity = {max}\n  }}"
        ))
    };
    check(&cluster("  engine_lifecycle_support = \"none\""), "engine_lifecycle_support must be one of");
    check(&cluster("  network_type = \"IPV6\""), "network_type must be one of");
    check(&cluster("  storage_type = \"gp3\""), "storage_type must be one of");
    check(&cluster("  enabled_cloudwatch_logs_exports = [\"upgrade\"]"), "enabled_cloudwatch_logs_exports may hold");
    check(&cluster("  backup_retention_period = 36"), "Backups of a cluster are kept for 1 to 35 days");
    check(&cluster("  database_insights_mode = \"advanced\""), "advanced needs");
    check(&cluster("  final_snapshot_identifier = \"a--b\""), "is no name of a snapshot");
    check(&capacity("4", "2"), "Capacity is from 0 to 256 ACUs");
    check(&capacity("0.5", "7.3"), "Capacity is from 0 to 256 ACUs");
    check("resource \"aws_rds_cluster\" \"this\" {\n  engine = \"aurora-postgresql\"\n}", "is required unless");
    check(
        &of_cluster("aurora-postgresql17", "name = \"rds.logical_replication\"\n  value = 1"),
        "counts from a restart only",
    );
    check(
        &of_cluster("aurora-postgresql18", "name = \"log_connections\"\n  value = 1"),
        "Invalid parameter value: 1 for: log_connections",
    );
    check(&instance("instance_class = \"db.t4g.small\"\n  instance_clas = 1"), "Unsupported argument");
    check(&instance("engine = \"postgres\""), "The argument \"instance_class\" is required");
    check(&instance("instance_class = \"x\"\n  address = \"y\""), "Read-only attribute");
    check(&instance("instance_class = \"x\"\n  allocated_storage = \"much\""), "a number is required");
    check(&instance("instance_class = \"x\"\n  storage {}"), "Unsupported block type");
    check("resource \"aws_rds_proxy\" \"this\" {}", "does not support resource type \"aws_rds_proxy\"");
    let filter = "resource \"aws_cloudwatch_log_metric_filter\" \"this\" {\n  name = \"a\"\n  pattern = \"b\"\n  \
                  log_group_name = \"c\"\n}";
    check(filter, "At least 1 \"metric_transformation\" blocks are required");
    let metric = |more: &str| {
        let named = "name = \"a\"\n  namespace = \"b\"\n  value = \"1\"";
        format!("{}\n  metric_transformation {{\n  {named}\n  {more}\n  }}\n}}\n", filter.trim_end_matches("\n}"))
    };
    check(&metric("default_value = \"0\"\n  dimensions = { a = \"$.a\" }"), "takes no default_value");
    let four = "dimensions = { a = \"$.a\", b = \"$.b\", c = \"$.c\", d = \"$.d\" }";
    check(&metric(four), "CloudWatch takes three");
    let transformer = |steps: &str| {
        format!("resource \"aws_cloudwatch_log_transformer\" \"this\" {{\n  log_group_arn = \"a\"\n{steps}\n}}\n")
    };
    let grok = "transformer_config {\n  grok {\n  match = \"a\"\n  }\n  }\n";
    let parse = "transformer_config {\n  parse_postgres {}\n  }\n";
    check(&transformer(&format!("{grok}{parse}")), "parse_postgres must be the first processor");
    check(&transformer("transformer_config {}"), "holds one processor");
    check(&alarm("comparison_operator = \"GreaterThan\""), "comparison_operator must be one of");
    check(
        &alarm("comparison_operator = \"GreaterThanThreshold\"\n  treat_missing_data = \"not_breaching\""),
        "treat_missing_data must be one of",
    );
    check(&parameter("name = \"max_connections\"\n  value = 50"), "counts from a restart only");
    let of = |family: &str, name: &str, value: &str| {
        format!(
            "resource \"aws_db_parameter_group\" \"this\" {{\n  family = \"postgres{family}\"\n  parameter {{\n    name = \"{name}\"\n    \
             value = \"{value}\"\n    apply_method = \"pending-reboot\"\n  }}\n}}\n"
        )
    };
    // Word for word what AWS says.
    let logins = "Invalid parameter value: 1 for: log_connections allowed values are:";
    check(&of("18", "log_connections", "1"), logins);
    for (family, name, value) in [
        ("17", "log_connections", "all"),
        ("17", "checkpoint_timeout", "5"),
        ("17", "work_mem", "64MB"),
        ("17", "pgaudit.log", "ddl,misc_set"),
        ("17", "track_functions", "some"),
    ] {
        check(&of(family, name, value), &format!("Invalid parameter value: {value} for: {name}"));
    }
    check(&of("16", "transaction_timeout", "1000"), "postgres16 has no parameter transaction_timeout");
    let disk = |kind: &str, size: u32, more: &str| {
        instance(&format!("instance_class = \"x\"\n  storage_type = \"{kind}\"\n  allocated_storage = {size}\n{more}"))
    };
    for (kind, size, more, expected) in [
        ("gp3", 100, "iops = 12000", "Invalid iops value"),
        ("gp3", 400, "iops = 3000", "Invalid iops value"),
        ("gp3", 400, "iops = 12000\n  storage_throughput = 4000", "Invalid storage throughput value"),
        ("gp3", 100, "storage_throughput = 500", "Invalid storage throughput value"),
        ("gp3", 100, "max_allocated_storage = 105", "Max storage size"),
        ("io1", 100, "iops = 6000", "Invalid iops value"),
        ("io2", 100, "", "needs iops"),
        ("io2", 100, "iops = 3000\n  storage_throughput = 500", "Invalid storage throughput value"),
    ] {
        check(&disk(kind, size, more), expected);
    }
    check(
        &parameter("name = \"log_lock_waits\"\n  value = 1\n  apply_method = \"now\""),
        "apply_method must be one of",
    );
    check("resource \"aws_cloudwatch_log_group\" \"this\" {\n  retention_in_days = 100\n}", "Invalid retention");
    check("resource \"aws_sns_topic\" \"this\" {\n  policy = \"{\"\n}", "policy must be JSON");
    check(
        "provider \"aws\" {\n  regoin = \"eu-west-1\"\n}\nresource \"aws_kms_key\" \"this\" {}",
        "Unsupported argument",
    );
}

const INSTANCE: &str = r#"
provider "aws" {
  region = "eu-central-1"
  default_tags {
    tags = { owner = "platform", stage = "test" }
  }
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_availability_zones" "this" {}
data "aws_kms_key" "this" { key_id = "alias/aws/rds" }

resource "aws_kms_key" "this" {}

resource "aws_db_parameter_group" "this" {
  name_prefix = "tenants-"
  family      = "postgres17"
  parameter {
    name         = "max_connections"
    value        = "200"
    apply_method = "pending-reboot"
  }
  lifecycle { create_before_destroy = true }
}

resource "aws_db_instance" "this" {
  identifier                  = "tenants"
  instance_class              = "db.m7g.large"
  engine_version              = "17"
  kms_key_id                  = aws_kms_key.this.arn
  parameter_group_name        = aws_db_parameter_group.this.name
  manage_master_user_password = true
  skip_final_snapshot         = true
  tags                        = { stage = "live" }
}

resource "aws_security_group" "this" {
  name = "tenants"
}

ephemeral "aws_secretsmanager_secret_version" "this" {
  secret_id = aws_db_instance.this.master_user_secret[0].secret_arn
}

output "zones" {
  value = join(" ", data.aws_availability_zones.this.names)
}

output "caller" {
  value = "${data.aws_partition.this.partition} ${data.aws_region.this.region} ${data.aws_caller_identity.this.account_id}"
}
"#;

#[test]
fn what_aws_answers_is_made_up() {
    let workspace = with(INSTANCE);
    let plan = workspace.plan();
    let (after, unknown) = (plan.after("aws_db_instance.this"), plan.after_unknown("aws_db_instance.this"));
    assert_eq!(after["tags_all"], serde_json::json!({ "owner": "platform", "stage": "live" }));
    assert_eq!(after["region"], "eu-central-1");
    assert_eq!(after["storage_type"], Value::Null);
    for attribute in ["address", "arn", "endpoint", "resource_id", "port", "master_user_secret"] {
        assert_eq!(unknown[attribute], true, "{attribute}");
    }
    workspace.apply();

    let instance = workspace.resource("aws_db_instance.this");
    let text = |attribute: &str| instance[attribute].as_str().unwrap_or_default().to_owned();
    assert_eq!(text("arn"), "arn:aws:rds:eu-central-1:123456789012:db:tenants");
    assert_eq!(text("address"), "tenants.abc123.eu-central-1.rds.amazonaws.com");
    assert_eq!(text("endpoint"), format!("{}:5432", text("address")));
    assert!(text("resource_id").starts_with("db-") && text("resource_id").len() == 29, "{instance:#}");
    assert_eq!(text("engine_version_actual"), "17.4");
    let secret = instance["master_user_secret"][0]["secret_arn"].as_str().unwrap();
    assert!(secret.starts_with("arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-"), "{secret}");
    let key = workspace.resource("aws_kms_key.this");
    assert_eq!(text("kms_key_id"), key["arn"].as_str().unwrap());
    let group = workspace.resource("aws_db_parameter_group.this")["name"].as_str().unwrap().to_owned();
    assert!(group.starts_with("tenants-") && group.len() == "tenants-".len() + 26, "{group}");
    let outputs = workspace.state()["values"]["outputs"].clone();
    assert_eq!(outputs["zones"]["value"], "eu-central-1a eu-central-1b eu-central-1c");
    assert_eq!(outputs["caller"]["value"], "aws eu-central-1 123456789012");

    workspace.write("main.tf", &INSTANCE.replace("postgres17", "postgres18"));
    assert_eq!(workspace.plan().actions("aws_db_parameter_group.this"), ["create", "delete"]);
    workspace.apply();
    assert_ne!(workspace.resource("aws_db_parameter_group.this")["name"], group.as_str());
    workspace.destroy();
}

const POLICY: &str = r#"
data "aws_iam_policy_document" "source" {
  statement {
    sid       = "One"
    actions   = ["rds:CopyDBSnapshot", "kms:Decrypt"]
    resources = ["*"]
  }
  statement {
    sid       = "Two"
    actions   = ["rds:CreateDBSnapshot"]
    resources = ["*"]
  }
}

data "aws_iam_policy_document" "this" {
  source_policy_documents = [data.aws_iam_policy_document.source.json]
  statement {
    sid         = "Two"
    effect      = "Deny"
    not_actions = ["rds:Describe*"]
    resources   = ["arn:aws:rds:*:*:snapshot:&{aws:PrincipalTag/team}-*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::123456789012:root"]
    }
    principals {
      type        = "Service"
      identifiers = ["rds.amazonaws.com", "export.rds.amazonaws.com"]
    }
    condition {
      test     = "ArnNotLike"
      variable = "aws:PrincipalArn"
      values   = ["arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b"]
    }
    condition {
      test     = "BoolIfExists"
      variable = "aws:PrincipalIsAWSService"
      values   = ["false"]
    }
  }
  statement {
    actions   = ["sns:Publish"]
    resources = ["*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
}

output "json" {
  value = jsondecode(data.aws_iam_policy_document.this.json)
}

output "same" {
  value = jsondecode(data.aws_iam_policy_document.this.minified_json) == jsondecode(data.aws_iam_policy_document.this.json)
}
"#;

#[test]
fn policies_are_rendered() {
    let workspace = with(POLICY);
    workspace.apply();
    let outputs = workspace.state()["values"]["outputs"].clone();
    assert_eq!(outputs["same"]["value"], true);
    let expected = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "One",
                "Effect": "Allow",
                "Action": ["kms:Decrypt", "rds:CopyDBSnapshot"],
                "Resource": "*",
            },
            {
                "Sid": "Two",
                "Effect": "Deny",
                "NotAction": "rds:Describe*",
                "Resource": "arn:aws:rds:*:*:snapshot:${aws:PrincipalTag/team}-*",
                "Principal": {
                    "AWS": "arn:aws:iam::123456789012:root",
                    "Service": ["export.rds.amazonaws.com", "rds.amazonaws.com"],
                },
                "Condition": {
                    "ArnNotLike": {
                        "aws:PrincipalArn": ["arn:aws:iam::123456789012:role/a", "arn:aws:iam::123456789012:role/b"],
                    },
                    "BoolIfExists": { "aws:PrincipalIsAWSService": "false" },
                },
            },
            { "Effect": "Allow", "Action": "sns:Publish", "Resource": "*", "Principal": "*" },
        ],
    });
    assert_eq!(outputs["json"]["value"], expected, "{:#}", outputs["json"]["value"]);
}

/// hashicorp/aws sends the IOPS that the storage had before, which RDS refuses for the new size.
#[test]
fn storage_that_grows_past_400_gib_needs_its_baseline() {
    let of = |more: &str| {
        format!(
            "resource \"aws_db_instance\" \"this\" {{\n  instance_class = \"db.m7g.large\"\n  storage_type = \"gp3\"\n  \
             skip_final_snapshot = true\n  {more}\n}}\n"
        )
    };
    let workspace = with(&of("allocated_storage = 100"));
    workspace.apply();
    assert_eq!(workspace.resource("aws_db_instance.this")["iops"], 3000);
    workspace.write("main.tf", &of("allocated_storage = 500"));
    let said = workspace.apply_error();
    assert!(said.contains("Invalid iops value for engine name postgres and storage type gp3: 3000"), "{said}");
    workspace.write("main.tf", &of("allocated_storage = 500\n  iops = 12000\n  storage_throughput = 500"));
    workspace.apply();
    assert_eq!(workspace.resource("aws_db_instance.this")["iops"], 12000);
}

//! What AWS would have answered: names, ids and ARNs of the right shape, the same for the same
//! configuration.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use pgtenant::tf_provider::{Block, Type, Value};

use crate::{rds, values};

pub const ACCOUNT: &str = "123456789012";

/// Where a database instance is to be found, instead of a made-up name: a test that lets another provider
/// connect to it has a real server there.
const ADDRESS: &str = "AWS_STUB_DB_ADDRESS";

/// How an object is identified.
enum Id {
    Name,
    Arn,
    /// `sg-0123...`: the prefix, and that many characters.
    Made(&'static str, usize),
    Uuid,
}

/// Type; id; service; whether its ARN names a region; what its ARN ends in, where `{}` is the name and
/// `{id}` the id.
const OBJECTS: &[(&str, Id, &str, bool, &str)] = &[
    ("aws_appautoscaling_policy", Id::Name, "autoscaling", true, "scalingPolicy:{id}:policyName/{}"),
    ("aws_appautoscaling_target", Id::Name, "application-autoscaling", true, "scalable-target/{}"),
    ("aws_backup_plan", Id::Uuid, "backup", true, "backup-plan:{id}"),
    ("aws_backup_selection", Id::Uuid, "", false, ""),
    ("aws_backup_vault", Id::Name, "backup", true, "backup-vault:{}"),
    ("aws_cloudwatch_composite_alarm", Id::Name, "cloudwatch", true, "alarm:{}"),
    ("aws_cloudwatch_dashboard", Id::Name, "cloudwatch", false, "dashboard/{}"),
    ("aws_cloudwatch_event_rule", Id::Name, "events", true, "rule/{}"),
    ("aws_cloudwatch_log_group", Id::Name, "logs", true, "log-group:{}"),
    ("aws_cloudwatch_metric_alarm", Id::Name, "cloudwatch", true, "alarm:{}"),
    ("aws_cloudwatch_query_definition", Id::Uuid, "", false, ""),
    ("aws_db_event_subscription", Id::Name, "rds", true, "es:{}"),
    ("aws_db_instance", Id::Made("db-", 26), "rds", true, "db:{}"),
    ("aws_db_option_group", Id::Name, "rds", true, "og:{}"),
    ("aws_db_parameter_group", Id::Name, "rds", true, "pg:{}"),
    ("aws_db_snapshot", Id::Name, "rds", true, "snapshot:{}"),
    ("aws_db_subnet_group", Id::Name, "rds", true, "subgrp:{}"),
    ("aws_iam_policy", Id::Arn, "iam", false, "policy/{}"),
    ("aws_iam_role", Id::Name, "iam", false, "role/{}"),
    ("aws_kms_alias", Id::Name, "kms", true, "{}"),
    ("aws_kms_key", Id::Uuid, "kms", true, "key/{id}"),
    ("aws_organizations_policy", Id::Made("p-", 8), "organizations", false, "policy/o-exampleorg/{id}"),
    ("aws_rds_cluster", Id::Name, "rds", true, "cluster:{}"),
    ("aws_rds_cluster_instance", Id::Name, "rds", true, "db:{}"),
    ("aws_rds_cluster_parameter_group", Id::Name, "rds", true, "cluster-pg:{}"),
    ("aws_secretsmanager_secret", Id::Arn, "secretsmanager", true, "secret:{}-AbCdEf"),
    ("aws_security_group", Id::Made("sg-", 17), "ec2", true, "security-group/{id}"),
    ("aws_sns_topic", Id::Arn, "sns", true, "{}"),
    ("aws_sns_topic_subscription", Id::Arn, "sns", true, "topic:{id}"),
    ("aws_vpc_security_group_egress_rule", Id::Made("sgr-", 17), "ec2", true, "security-group-rule/{id}"),
    ("aws_vpc_security_group_ingress_rule", Id::Made("sgr-", 17), "ec2", true, "security-group-rule/{id}"),
];

pub fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

pub fn arn(region: &str, service: &str, regional: bool, resource: &str) -> String {
    let within = if regional { region } else { "" };
    format!("arn:{}:{service}:{within}:{ACCOUNT}:{resource}", partition(region))
}

/// The region that an object has before AWS is asked: its own argument's, or else the provider's.
pub fn region(config: &Value, provider: &str) -> Value {
    match config.get("region") {
        Value::Null => provider.into(),
        value => value.clone(),
    }
}

/// Puts an answer in the place of everything that was unknown in the plan.
pub fn fill_in(type_name: &str, block: &Block, planned: &mut Value, provider_region: &str) {
    let region = region(planned, provider_region).as_str().unwrap_or(provider_region).to_owned();
    let made = Made::of(type_name, planned, &region);
    let Value::Map(values) = planned else { return };
    let known = Value::Map(values.clone());
    for (name, value) in values.iter_mut().filter(|(_, value)| value.is_unknown()) {
        if let Some(answer) = made.answer(name, &known) {
            *value = answer;
        }
    }
    settle(&block.ty(), planned);
}

struct Made<'a> {
    type_name: &'a str,
    region: &'a str,
    hash: String,
    name: String,
    id: String,
    arn: String,
}

impl<'a> Made<'a> {
    fn of(type_name: &'a str, planned: &Value, region: &'a str) -> Made<'a> {
        let hash = hex(&format!("{type_name} {planned:?}"));
        let name = name(planned, &hash);
        let (id, service, regional, resource) = OBJECTS
            .iter()
            .find(|(of, ..)| *of == type_name)
            .map_or((&Id::Uuid, "", true, ""), |(_, id, service, regional, resource)| {
                (id, *service, *regional, *resource)
            });
        let own = match id {
            Id::Name => name.clone(),
            Id::Made("db-", length) => format!("db-{}", hash[..*length].to_uppercase()),
            Id::Made(prefix, length) => format!("{prefix}{}", &hash[..*length]),
            Id::Arn | Id::Uuid => uuid(&hash),
        };
        let arn = arn(region, service, regional, &resource.replace("{id}", &own).replace("{}", &name));
        let id = if matches!(id, Id::Arn) { arn.clone() } else { own };
        Made { type_name, region, hash, name, id, arn }
    }

    /// `None`: nothing that anybody refers to.
    fn answer(&self, attribute: &str, known: &Value) -> Option<Value> {
        let port = || values::known(known, "port").unwrap_or(5432);
        let address = || {
            let made_up = format!("{}.abc123.{}.rds.amazonaws.com", self.name, self.region);
            std::env::var(ADDRESS).unwrap_or(made_up)
        };
        Some(match attribute {
            "arn" if self.type_name == "aws_secretsmanager_secret_version" => known.get("secret_id").clone(),
            "version_id" => uuid(&self.hash).into(),
            "id" => self.id.as_str().into(),
            "region" => self.region.into(),
            "name" | "identifier" | "cluster_identifier" => self.name.as_str().into(),
            "arn" | "dashboard_arn" | "db_snapshot_arn" => self.arn.as_str().into(),
            "owner" | "owner_id" | "customer_aws_id" => ACCOUNT.into(),
            "address" => address().into(),
            // A cluster has no port in its endpoints, and a reader's name of its own.
            "endpoint" if self.type_name.starts_with("aws_rds_cluster") => address().into(),
            "reader_endpoint" => address().replacen(&self.name, &format!("{}-ro", self.name), 1).into(),
            "endpoint" => format!("{}:{}", address(), port()).into(),
            "port" => port().into(),
            "hosted_zone_id" => "Z29XKXDKYMONMX".into(),
            "resource_id" | "key_id" | "security_group_rule_id" | "query_definition_id" => self.id.as_str().into(),
            "cluster_resource_id" => format!("cluster-{}", self.hash[..26].to_uppercase()).into(),
            "dbi_resource_id" => format!("db-{}", self.hash[..26].to_uppercase()).into(),
            "availability_zone" => format!("{}a", self.region).into(),
            "ca_cert_identifier" => "rds-ca-rsa2048-g1".into(),
            "status" => "available".into(),
            "iops" if self.type_name == "aws_db_instance" => rds::baseline(known).0.into(),
            "storage_throughput" => rds::baseline(known).1.into(),
            "engine_version_actual" => match values::known::<String>(known, "engine_version") {
                Some(version) if version.contains('.') => version.into(),
                Some(major) => format!("{major}.4").into(),
                None => "17.4".into(),
            },
            "master_user_secret" => self.master_secret(known),
            "vpc_id" => format!("vpc-{}", &self.hash[..17]).into(),
            "unique_id" => format!("AROA{}", self.hash[..17].to_uppercase()).into(),
            "policy_id" => format!("ANPA{}", self.hash[..17].to_uppercase()).into(),
            "create_date" | "latest_restorable_time" => "2026-01-01T00:00:00Z".into(),
            "target_key_arn" => {
                let key = values::known::<String>(known, "target_key_id").unwrap_or_default();
                if key.starts_with("arn:") { key.into() } else { self.sibling("kms", &format!("key/{key}")) }
            }
            "backup_vault_arn" => {
                let vault = values::known::<String>(known, "backup_vault_name").unwrap_or_default();
                self.sibling("backup", &format!("backup-vault:{vault}"))
            }
            "rotation_enabled" => true.into(),
            _ => return None,
        })
    }

    fn sibling(&self, service: &str, resource: &str) -> Value {
        arn(self.region, service, true, resource).into()
    }

    fn master_secret(&self, known: &Value) -> Value {
        let kind = match self.type_name {
            "aws_db_instance" => "",
            "aws_rds_cluster" => "cluster-",
            _ => return Value::List(Vec::new()),
        };
        if values::known(known, "manage_master_user_password") != Some(true) {
            return Value::List(Vec::new());
        }
        let secret = format!("secret:rds!{kind}{}-AbCdEf", self.id.to_lowercase());
        let key = values::known::<String>(known, "master_user_secret_kms_key_id");
        Value::List(vec![Value::object([
            ("kms_key_id", key.map_or_else(|| self.sibling("kms", "alias/aws/secretsmanager"), Value::from)),
            ("secret_arn", self.sibling("secretsmanager", &secret)),
            ("secret_status", "active".into()),
        ])])
    }
}

/// As configured, or as Terraform makes one: the prefix and 26 digits.
fn name(planned: &Value, hash: &str) -> String {
    let names = [
        "name",
        "identifier",
        "alarm_name",
        "dashboard_name",
        "db_snapshot_identifier",
        "rule",
        "policy_name",
        "cluster_identifier",
        "resource_id",
    ];
    let of = |names: &[&str]| names.iter().find_map(|name| values::known::<String>(planned, name));
    of(&names).unwrap_or_else(|| {
        let prefix = of(&["name_prefix", "identifier_prefix", "cluster_identifier_prefix"])
            .unwrap_or_else(|| "terraform-".to_owned());
        format!("{prefix}{}", &hash[..26])
    })
}

/// What nobody asks for is empty.
fn settle(ty: &Type, value: &mut Value) {
    match (ty, value) {
        (ty, value) if value.is_unknown() => {
            *value = match ty {
                Type::Bool => false.into(),
                Type::Number => 0.into(),
                Type::List(_) | Type::Set(_) => Value::List(Vec::new()),
                Type::Map(_) => Value::Map(BTreeMap::new()),
                Type::String => "".into(),
                _ => Value::Null,
            }
        }
        (Type::Object(types), Value::Map(values)) => {
            for (name, value) in values {
                settle(&types[name], value);
            }
        }
        (Type::Map(element), Value::Map(values)) => values.values_mut().for_each(|value| settle(element, value)),
        (Type::List(element) | Type::Set(element), Value::List(values)) => {
            values.iter_mut().for_each(|value| settle(element, value));
        }
        _ => {}
    }
}

fn hex(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn uuid(hash: &str) -> String {
    format!("{}-{}-4{}-8{}-{}", &hash[..8], &hash[8..12], &hash[13..16], &hash[17..20], &hash[20..32])
}

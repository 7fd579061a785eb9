//! The schema file as schemas. It holds, of each block, `attrs` (type, required, optional, computed) and
//! `blocks` (nesting, min, max).

use std::sync::LazyLock;

use pgtenant::tf_provider::codec::decode_type;
use pgtenant::tf_provider::{Attribute, Block, NestedBlock, Nesting, Schema};
use serde_json::Value as Json;

static FILE: LazyLock<Json> =
    LazyLock::new(|| serde_json::from_str(include_str!("schema.json")).expect("the schema file is JSON"));

const FILLED_IN_EVERYWHERE: &[&str] = &["id", "region", "tags_all"];

/// What AWS settles when it is left out, and the configuration of something else may want to refer to.
const FILLED_IN: &[(&str, &[&str])] = &[
    ("aws_cloudwatch_event_rule", &["name"]),
    ("aws_cloudwatch_log_group", &["name"]),
    ("aws_db_event_subscription", &["name"]),
    (
        "aws_db_instance",
        &["identifier", "port", "ca_cert_identifier", "availability_zone", "iops", "storage_throughput"],
    ),
    ("aws_db_option_group", &["name"]),
    ("aws_db_parameter_group", &["name"]),
    ("aws_db_subnet_group", &["name"]),
    ("aws_iam_policy", &["name"]),
    ("aws_iam_role", &["name"]),
    ("aws_iam_role_policy", &["name"]),
    ("aws_kms_alias", &["name"]),
    ("aws_rds_cluster", &["cluster_identifier", "port"]),
    ("aws_rds_cluster_instance", &["identifier", "availability_zone", "ca_cert_identifier"]),
    ("aws_rds_cluster_parameter_group", &["name"]),
    ("aws_secretsmanager_secret", &["name"]),
    ("aws_security_group", &["name"]),
    ("aws_sns_topic", &["name"]),
];

/// Where a change makes the object anew. What is not here is changed in place.
const REPLACES: &[(&str, &[&str])] = &[
    ("aws_cloudwatch_log_group", &["name", "name_prefix"]),
    (
        "aws_db_instance",
        &[
            "availability_zone",
            "backup_target",
            "character_set_name",
            "custom_iam_instance_profile",
            "db_name",
            "engine",
            "identifier_prefix",
            "kms_key_id",
            "nchar_character_set_name",
            "snapshot_identifier",
            "storage_encrypted",
            "timezone",
            "username",
        ],
    ),
    ("aws_db_option_group", &["engine_name", "major_engine_version", "name", "name_prefix"]),
    ("aws_db_parameter_group", &["name", "name_prefix", "family", "description"]),
    ("aws_db_subnet_group", &["name", "name_prefix"]),
    ("aws_iam_role", &["name", "name_prefix", "path"]),
    ("aws_kms_key", &["customer_master_key_spec", "key_usage", "multi_region"]),
    (
        "aws_rds_cluster",
        &[
            "cluster_identifier",
            "cluster_identifier_prefix",
            "database_name",
            "db_subnet_group_name",
            "engine",
            "engine_mode",
            "kms_key_id",
            "master_username",
            "snapshot_identifier",
            "storage_encrypted",
        ],
    ),
    (
        "aws_rds_cluster_instance",
        &[
            "identifier",
            "identifier_prefix",
            "cluster_identifier",
            "engine",
            "availability_zone",
            "db_subnet_group_name",
        ],
    ),
    ("aws_rds_cluster_parameter_group", &["name", "name_prefix", "family", "description"]),
    ("aws_secretsmanager_secret_version", &["secret_id", "secret_binary", "secret_string", "secret_string_wo_version"]),
    ("aws_security_group", &["name", "name_prefix", "description", "vpc_id"]),
    ("aws_sns_topic", &["name", "name_prefix"]),
];

fn named(table: &[(&str, &'static [&'static str])], of: &str) -> &'static [&'static str] {
    table.iter().find(|(name, _)| *name == of).map_or(&[], |(_, names)| names)
}

fn names(kind: &'static str) -> impl Iterator<Item = &'static str> {
    FILE[kind].as_object().into_iter().flat_map(|entries| entries.keys()).map(String::as_str)
}

pub fn resources() -> impl Iterator<Item = &'static str> {
    names("resources")
}

pub fn data_sources() -> impl Iterator<Item = &'static str> {
    names("data")
}

/// Nothing is computed in a provider block, and `alias` is Terraform's own.
pub fn provider() -> Schema {
    let mut block = block(None, &FILE["provider"]);
    block.attributes.retain(|attribute| attribute.name != "alias");
    Schema { version: 0, block }
}

pub fn resource(name: &'static str) -> Schema {
    let mut block = block(Some(name), &FILE["resources"][name]);
    for attribute in &mut block.attributes {
        attribute.requires_replace = named(REPLACES, name).contains(&attribute.name);
        attribute.keeps_prior = true;
    }
    Schema { version: 0, block }
}

pub fn data_source(name: &'static str) -> Schema {
    Schema { version: 0, block: block(Some(name), &FILE["data"][name]) }
}

/// `of` is the type whose outermost block this is. A nested block is of none: its `id` or `region` is an
/// argument like any other.
fn block(of: Option<&'static str>, json: &'static Json) -> Block {
    let entries = |key: &str| json[key].as_object().into_iter().flatten();
    Block {
        attributes: entries("attrs").map(|(name, json)| attribute(of, name, json)).collect(),
        blocks: entries("blocks").map(|(name, json)| nested(name, json)).collect(),
        ..Block::default()
    }
}

fn attribute(of: Option<&str>, name: &'static str, json: &Json) -> Attribute {
    let ty = decode_type(json["type"].to_string().as_bytes()).expect("a type of Terraform's");
    let is = |key: &str| json[key] == true;
    let filled_in = of.is_some_and(|of| FILLED_IN_EVERYWHERE.contains(&name) || named(FILLED_IN, of).contains(&name));
    let attribute = match (is("req"), is("opt")) {
        (true, _) => Attribute::required(name, ty, ""),
        (false, true) if filled_in => Attribute::optional_computed(name, ty, ""),
        (false, true) => Attribute::optional(name, ty, ""),
        (false, false) => Attribute::computed(name, ty, ""),
    };
    match name {
        "password" | "secret_key" | "token" => attribute.sensitive(),
        name if name.ends_with("_wo") => attribute.sensitive().write_only(),
        _ => attribute,
    }
}

fn nested(name: &'static str, json: &'static Json) -> NestedBlock {
    let nesting = match json["nesting"].as_str() {
        Some("single") => Nesting::Single,
        Some("list") => Nesting::List,
        Some("set") => Nesting::Set,
        other => panic!("{name} is nested as {other:?}"),
    };
    let items = |key: &str| json[key].as_i64().unwrap_or(0);
    NestedBlock { name, nesting, block: block(None, json), min_items: items("min"), max_items: items("max") }
}

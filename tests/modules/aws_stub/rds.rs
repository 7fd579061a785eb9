//! What RDS refuses beyond the schema: parameters that a family does not take, storage that it does not make, and a
//! delete that would lose something. And what a delete leaves behind.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::sync::LazyLock;

use pgtenant::tf_provider::{Diagnostic, Diagnostics, Path, Value};
use serde_json::Value as Json;

use crate::values::known;

/// The table that the module `rds-postgres` reads, with the sources of what it says.
static PARAMETERS: LazyLock<Vec<Json>> = LazyLock::new(|| {
    let file = include_str!("../../../examples/modules/rds-postgres/parameters.json");
    let table: Json = serde_json::from_str(file).expect("the table of parameters is JSON");
    table["parameters"].as_array().expect("parameters").clone()
});

/// A file with a line for each thing that deletes have left, so that a test can look at them, and that what is created
/// after them meets them. Without it nothing is remembered.
const REMAINS: &str = "AWS_STUB_REMAINS";

pub fn check(type_name: &str, config: &Value, found: &mut Diagnostics) {
    match type_name {
        "aws_db_parameter_group" | "aws_rds_cluster_parameter_group" => parameters(config, found),
        "aws_db_instance" => storage(config, found),
        "aws_rds_cluster" => cluster(config, found),
        _ => {}
    }
}

fn parameters(group: &Value, found: &mut Diagnostics) {
    let (family, Value::List(blocks)) = (known::<String>(group, "family"), group.get("parameter")) else { return };
    // Aurora's families are taken to be as RDS's: what is told of one of them alone is not in the table.
    let Some(family) = family else { return };
    let of_engine = family.strip_prefix("aurora-postgresql").or_else(|| family.strip_prefix("postgres"));
    let Some(major) = of_engine.and_then(|major| major.parse::<i64>().ok()) else { return };
    for block in blocks {
        let (Some(name), value) = (block.get("name").as_str(), block.get("value").as_str()) else { continue };
        if let Err(why) = parameter(&family, major, name, value, block.get("apply_method")) {
            found.push(Diagnostic::error("Parameter refused", why).at(Path::attribute("parameter")));
        }
    }
    let number = |wanted: &str| {
        let block = blocks.iter().find(|block| block.get("name").as_str() == Some(wanted));
        block.and_then(|block| block.get("value").as_str()?.parse::<i64>().ok())
    };
    // Three are for superusers.
    if let (Some(all), Some(reserved)) = (number("max_connections"), number("reserved_connections"))
        && reserved + 3 >= all
    {
        let detail = format!("reserved_connections = {reserved} leaves nothing of max_connections = {all}.");
        found.push(Diagnostic::error("Parameter refused", detail).at(Path::attribute("parameter")));
    }
}

/// Left out, the apply method is `immediate`. A name that the table does not have may be one that RDS has.
fn parameter(family: &str, major: i64, name: &str, value: Option<&str>, method: &Value) -> Result<(), String> {
    let rows = PARAMETERS.iter().filter(|row| row["name"] == name);
    let of_family =
        |row: &&Json| (row["from"].as_i64().unwrap_or(13)..=row["to"].as_i64().unwrap_or(18)).contains(&major);
    let Some(row) = rows.clone().find(of_family) else {
        return if rows.count() == 0 { Ok(()) } else { Err(format!("{family} has no parameter {name}.")) };
    };
    let immediate = method.is_null() || method.as_str() == Some("immediate");
    if immediate && row["apply"] == "static" {
        return Err(format!("{name} counts from a restart only: its apply_method must be \"pending-reboot\"."));
    }
    match value {
        Some(value) if !takes(row, value) => {
            let allowed = match row["values"].as_array() {
                Some(words) => words.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", "),
                None => format!("{}-{}", row["min"], row["max"]),
            };
            Err(format!("Invalid parameter value: {value} for: {name} allowed values are: {allowed}"))
        }
        _ => Ok(()),
    }
}

/// A formula, as `{DBInstanceClassMemory/32768}`, is not evaluated.
fn takes(row: &Json, value: &str) -> bool {
    if value.contains('{') {
        return true;
    }
    let words = row["values"].as_array();
    let is_word = |value: &str| words.is_some_and(|words| words.iter().any(|word| word == value));
    let number = || value.parse::<f64>().ok();
    let within = |number: f64| {
        row["min"].as_f64().is_none_or(|min| number >= min) && row["max"].as_f64().is_none_or(|max| number <= max)
    };
    match row["type"].as_str() {
        Some("list") => value.split(',').all(is_word),
        Some("boolean" | "enum") => is_word(value),
        Some("integer") => number().is_some_and(|number| number.fract() == 0.0 && within(number)),
        Some("real") => number().is_some_and(within),
        _ => true,
    }
}

/// From this size on gp3 of RDS for PostgreSQL has its higher baseline, and takes no less.
const LARGE: i64 = 400;

/// What gp3 has when nothing is said: IOPS and MiB/s.
pub fn baseline(instance: &Value) -> (i64, i64) {
    let size: i64 = known(instance, "allocated_storage").unwrap_or(0);
    match known::<String>(instance, "storage_type").as_deref() {
        Some("gp3") if size >= LARGE => (12000, 500),
        Some("gp3") => (3000, 125),
        _ => (0, 0),
    }
}

fn storage(instance: &Value, found: &mut Diagnostics) {
    let number = |name: &str| known::<i64>(instance, name);
    let (Some(kind), Some(size)) = (known::<String>(instance, "storage_type"), number("allocated_storage")) else {
        return;
    };
    let (iops, throughput) = (number("iops"), number("storage_throughput"));
    let invalid = |what: &str, value: i64| {
        format!("Invalid {what} value for engine name postgres and storage type {kind}: {value}")
    };
    let mut refuse = |why: String| found.push(Diagnostic::error("InvalidParameterCombination", why));
    let limits = match kind.as_str() {
        "gp3" if size >= LARGE => Some((12000, 64000, 500)),
        "gp3" => Some((3000, 3000, 500)),
        "io1" => Some((1000, 256_000, 50)),
        "io2" => Some((1000, 256_000, 1000)),
        _ => None,
    };
    match (limits, iops) {
        (Some((least, most, per_gib)), Some(iops)) if !(least..=most).contains(&iops) || iops > per_gib * size => {
            refuse(invalid("iops", iops));
        }
        (Some(_), None) if kind.starts_with("io") && !instance.get("iops").is_unknown() => {
            refuse(format!("Storage type {kind} needs iops."));
        }
        _ => {}
    }
    if let Some(throughput) = throughput.filter(|throughput| *throughput != 0) {
        let least = if size < LARGE { 125..=125 } else { 500..=4000 };
        let too_much = iops.is_some_and(|iops| throughput * 4 > iops);
        if kind != "gp3" || !least.contains(&throughput) || size >= LARGE && too_much {
            refuse(invalid("storage throughput", throughput));
        }
    }
    if let Some(most) = number("max_allocated_storage").filter(|most| *most != 0)
        && most * 10 < size * 11
    {
        refuse(format!("Max storage size must be 10 % above {size} at least; got {most}."));
    }
}

/// What a cluster may not have together, and ranges.
fn cluster(config: &Value, found: &mut Diagnostics) {
    let mut refuse = |attribute: &'static str, detail: String| {
        found.push(Diagnostic::error("Invalid cluster", detail).at_attribute(attribute));
    };
    if let Some(days) = known::<i64>(config, "backup_retention_period")
        && !(1..=35).contains(&days)
    {
        refuse("backup_retention_period", format!("Backups of a cluster are kept for 1 to 35 days; got {days}."));
    }
    let final_snapshot = config.get("final_snapshot_identifier");
    if known::<bool>(config, "skip_final_snapshot") != Some(true) && final_snapshot.is_null() {
        let detail = "final_snapshot_identifier is required unless skip_final_snapshot is true.";
        refuse("final_snapshot_identifier", detail.to_owned());
    }
    if let Some(name) = final_snapshot.as_str()
        && (!name.starts_with(|c: char| c.is_ascii_alphabetic())
            || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            || name.contains("--")
            || name.ends_with('-'))
    {
        refuse("final_snapshot_identifier", format!("{name:?} is no name of a snapshot."));
    }
    let insights = known::<i64>(config, "performance_insights_retention_period").unwrap_or(7);
    if config.get("database_insights_mode").as_str() == Some("advanced") && insights < 465 {
        refuse("database_insights_mode", "advanced needs performance_insights_retention_period of 465.".to_owned());
    }
    if let Value::List(blocks) = config.get("serverlessv2_scaling_configuration") {
        let of = |block: &Value, name: &str| known::<f64>(block, name);
        for (min, max) in blocks.iter().filter_map(|it| Some((of(it, "min_capacity")?, of(it, "max_capacity")?))) {
            let halves = [min, max].iter().all(|capacity| (capacity * 2.0).fract() == 0.0);
            if !halves || min > max || !(1.0..=256.0).contains(&max) || min < 0.0 {
                let detail = format!("Capacity is from 0 to 256 ACUs by halves, min before max; got {min} and {max}.");
                refuse("serverlessv2_scaling_configuration", detail);
            }
        }
    }
}

/// What AWS says to what was planned: values that hashicorp/aws keeps from before a change are among it.
pub fn apply(type_name: &str, prior: Option<&Value>, planned: Option<&Value>) -> Diagnostics {
    let mut found = Diagnostics::default();
    let name = |value: &Value, attribute: &str| known::<String>(value, attribute).unwrap_or_default();
    match (type_name, prior, planned) {
        ("aws_db_instance", _, Some(planned)) => storage(planned, &mut found),
        ("aws_db_instance", Some(prior), None) => delete_instance(prior, &mut found),
        ("aws_rds_cluster", Some(prior), None) => delete_cluster(prior, &mut found),
        ("aws_cloudwatch_log_group", Some(prior), None) if known(prior, "skip_destroy") == Some(true) => {
            leave(&format!("{type_name} {}", name(prior, "name")));
        }
        ("aws_cloudwatch_log_group", None, Some(planned))
            if remains().contains(&format!("{type_name} {}", name(planned, "name"))) =>
        {
            let detail = format!("The log group {} is there already.", name(planned, "name"));
            found.push(Diagnostic::error("ResourceAlreadyExistsException", detail));
        }
        ("aws_kms_key", Some(prior), None) => leave(&format!("{type_name} {} is to be deleted", name(prior, "arn"))),
        _ => {}
    }
    found
}

fn delete_instance(instance: &Value, found: &mut Diagnostics) {
    let text = |attribute: &str| known::<String>(instance, attribute).unwrap_or_default();
    let is = |attribute: &str| known(instance, attribute) == Some(true);
    if is("deletion_protection") {
        let detail =
            format!("Cannot delete protected DB Instance {}: disable deletion protection.", text("identifier"));
        found.push(Diagnostic::error("InvalidParameterCombination", detail));
        return;
    }
    let snapshot = format!("aws_db_snapshot {} with {}", text("final_snapshot_identifier"), text("kms_key_id"));
    if !is("skip_final_snapshot") && known::<String>(instance, "replicate_source_db").is_none() {
        if text("final_snapshot_identifier").is_empty() {
            let detail = "final_snapshot_identifier is required when skip_final_snapshot is false";
            found.push(Diagnostic::error("Deleting an instance", detail));
            return;
        }
        if remains().contains(&snapshot) {
            let detail = format!("Cannot create the snapshot {}: it is there.", text("final_snapshot_identifier"));
            found.push(Diagnostic::error("DBSnapshotAlreadyExists", detail));
            return;
        }
        leave(&snapshot);
    }
    // AWS deletes them unless it is told otherwise.
    if known(instance, "delete_automated_backups") == Some(false) {
        leave(&format!(
            "automated backups of {} for {} days",
            text("resource_id"),
            known::<i64>(instance, "backup_retention_period").unwrap_or(0)
        ));
    }
}

fn delete_cluster(cluster: &Value, found: &mut Diagnostics) {
    let text = |attribute: &str| known::<String>(cluster, attribute).unwrap_or_default();
    let is = |attribute: &str| known(cluster, attribute) == Some(true);
    let mut refuse = |summary: &str, detail: String| found.push(Diagnostic::error(summary, detail));
    if is("deletion_protection") {
        let detail = format!("Cannot delete protected Cluster {}.", text("cluster_identifier"));
        return refuse("InvalidParameterCombination", detail);
    }
    if !is("skip_final_snapshot") {
        let snapshot = text("final_snapshot_identifier");
        let left = format!("aws_db_cluster_snapshot {snapshot} with {}", text("kms_key_id"));
        // The name alone must be free, whatever the key.
        let taken = format!("aws_db_cluster_snapshot {snapshot} ");
        if remains().iter().any(|line| line.starts_with(&taken)) {
            let detail = format!("Cannot create the cluster snapshot {snapshot}: it is there.");
            return refuse("DBClusterSnapshotAlreadyExistsFault", detail);
        }
        leave(&left);
    }
    if known(cluster, "delete_automated_backups") == Some(false) {
        let days = known::<i64>(cluster, "backup_retention_period").unwrap_or(1);
        leave(&format!("automated backups of {} for {days} days", text("cluster_resource_id")));
    }
}

fn remains() -> Vec<String> {
    let file = std::env::var_os(REMAINS);
    let text = file.and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn leave(what: &str) {
    let Some(file) = std::env::var_os(REMAINS) else { return };
    let opened = OpenOptions::new().create(true).append(true).open(&file);
    let written = opened.and_then(|mut file| writeln!(file, "{what}"));
    written.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

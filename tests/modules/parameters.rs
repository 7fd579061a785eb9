//! The table of what RDS takes: held against a PostgreSQL that is here, against itself, and against what the module
//! sends for every major.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::check::copy;
use crate::stub::{ROOT, workspace};
use crate::support::postgres::{Options, Server};

const MAJORS: std::ops::RangeInclusive<i64> = 13..=18;

fn table() -> Value {
    let file = Path::new(ROOT).join("examples/modules/rds-postgres/parameters.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

fn rows(table: &Value) -> &Vec<Value> {
    table["parameters"].as_array().unwrap()
}

/// Whether the row is one of this major's family.
fn of(row: &Value, major: i64) -> bool {
    (row["from"].as_i64().unwrap_or(13)..=row["to"].as_i64().unwrap_or(18)).contains(&major)
}

#[test]
fn every_row_says_what_rds_takes_and_where_that_was_found() {
    let table = table();
    for row in rows(&table) {
        let sources = table["sources"].as_object().unwrap();
        assert!(sources.contains_key(row["source"].as_str().unwrap()), "{row}");
        assert!(["dynamic", "static"].contains(&row["apply"].as_str().unwrap()), "{row}");
        match row["type"].as_str().unwrap() {
            "boolean" => assert_eq!(row["values"], serde_json::json!(["0", "1"]), "{row}"),
            "enum" | "list" => assert!(row["values"].as_array().is_some_and(|values| !values.is_empty()), "{row}"),
            "integer" => assert!(row["min"].is_i64() && row["max"].is_i64(), "{row}"),
            "real" => assert!(row["min"].is_number(), "{row}"),
            "string" => {}
            other => panic!("{other}: {row}"),
        }
    }
    for major in MAJORS {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for row in rows(&table).iter().filter(|row| of(row, major)) {
            *seen.entry(row["name"].as_str().unwrap()).or_default() += 1;
        }
        let twice: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "postgres{major} has two rows of {twice:?}");
    }
}

/// What PostgreSQL needs a restart for, RDS cannot apply at once; and RDS takes nothing that PostgreSQL does not.
#[test]
fn the_table_promises_nothing_that_postgresql_does_not_do() {
    let server = Server::start(Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let text = |query: &str| {
        server
            .superuser(query)
            .into_iter()
            .map(|row| row.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>())
    };
    let version = text("SHOW server_version_num").next().unwrap()[0].parse::<i64>().unwrap() / 10000;
    let settings = "SELECT name, context, vartype, coalesce(min_val, ''), coalesce(max_val, ''), array_to_string(enumvals, ',') FROM pg_settings";
    let settings: BTreeMap<String, Vec<String>> = text(settings).map(|row| (row[0].clone(), row)).collect();
    let (table, mut compared) = (table(), 0);
    for row in rows(&table).iter().filter(|row| of(row, version)) {
        let name = row["name"].as_str().unwrap();
        // An extension's, or RDS's own.
        if name.contains('.') {
            continue;
        }
        let setting = settings.get(name).unwrap_or_else(|| panic!("PostgreSQL {version} has no {name}"));
        let [_, context, kind, min, max, words] = &setting[..] else { unreachable!() };
        assert!(context != "postmaster" || row["apply"] == "static", "{name} needs a restart");
        assert_ne!(context, "internal", "{name} cannot be set");
        let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
        for (bound, least) in [(&row["min"], true), (&row["max"], false)] {
            let Some(bound) = bound.as_f64() else { continue };
            let held = if least { bound >= number(min) } else { bound <= number(max) };
            assert!(held, "{name}: {bound} is outside of {min} to {max}");
        }
        let kinds: &[&str] = match kind.as_str() {
            "bool" => &["boolean"],
            "integer" => &["integer"],
            "real" => &["real"],
            "enum" => &["boolean", "enum", "string"],
            _ => &["enum", "list", "string"],
        };
        assert!(kinds.contains(&row["type"].as_str().unwrap()), "{name} is {kind}: {row}");
        if kind == "enum" && row["type"] == "enum" {
            let words: Vec<&str> = words.split(',').collect();
            let values = row["values"].as_array().unwrap().iter().map(|value| value.as_str().unwrap());
            for value in values {
                assert!(words.contains(&value), "{name} does not take {value}: {words:?}");
            }
        }
        compared += 1;
    }
    assert!(compared > 60, "{compared}");
}

/// By the stand-in, which refuses what the table does.
#[test]
fn every_family_takes_what_the_module_sends() {
    let workspace = workspace();
    copy(&Path::new(ROOT).join("examples/modules/rds-postgres"), &workspace.dir.join("rds-postgres"));
    let majors: Vec<String> = MAJORS.map(|major| format!("\"{major}\"")).collect();
    workspace.write(
        "main.tf",
        &format!(
            "module \"postgres\" {{\n  source = \"./rds-postgres\"\n  for_each = toset([{}])\n  engine_version = each.key\n  \
             identifier = \"tenants\"\n  vpc_id = \"vpc-0123456789abcdef0\"\n  \
             subnet_ids = [\"subnet-0123456789abcdef0\", \"subnet-0123456789abcdef1\"]\n  \
             kms_key_arn = \"arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-4333-8444-555555555555\"\n}}\n",
            majors.join(", ")
        ),
    );
    workspace.run(&["init"]).ok().unwrap_or_else(|error| panic!("{error}"));
    let plan = workspace.plan();
    for major in MAJORS {
        let group = plan.after(&format!("module.postgres[\"{major}\"].aws_db_parameter_group.this[0]"));
        let sent = group["parameter"].as_array().unwrap();
        let value = |name: &str| sent.iter().find(|it| it["name"] == name).map(|it| it["value"].as_str().unwrap());
        assert_eq!(value("log_connections"), Some(if major >= 18 { "all" } else { "1" }), "{major}");
        assert_eq!(value("reserved_connections"), (major >= 16).then_some("10"), "{major}");
        assert_eq!(group["family"], format!("postgres{major}"));
    }
}

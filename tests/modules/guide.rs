//! `docs/guides/rds.md` tells people to set variables of `examples/complete-rds`, and those are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::check::read;
use crate::readme::blocks;
use crate::stub::ROOT;
use crate::support::examples;

/// Names of PostgreSQL's and AWS's that the guide has, and that are nobody's to set here.
const ELSEWHERE: &[&str] = &["pg_cron", "pg_dump", "rds_pgaudit", "rds_superuser"];

#[test]
fn the_guide_names_variables_that_are_there() {
    let composition = examples::root().join("complete-rds");
    let variables = blocks("variable", &read(&composition.join("variables.tf")));
    let attributes = |name: &str| -> BTreeSet<String> {
        let variable = variables.iter().find(|variable| variable.name == name);
        variable.map(|variable| words_before_equals(&variable.argument("type"))).unwrap_or_default()
    };
    let variable = |name: &str| variables.iter().any(|variable| variable.name == name);
    let known: BTreeSet<String> = outputs().into_iter().chain(attributes("tenants")).chain(documented()).collect();

    let (guide, mut named, mut wrong) = (read(&Path::new(ROOT).join("docs/guides/rds.md")), 0, Vec::new());
    for name in names(&guide) {
        let there = match name.split_once('.') {
            Some((of, attribute)) => attributes(of).contains(attribute),
            None => variable(&name) || known.contains(&name) || ELSEWHERE.contains(&&*name),
        };
        named += 1;
        if !there {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "complete-rds has no such variables: {wrong:?}");
    assert!(named > 15, "only {named} names were found");
}

/// In inline code: what is set (`name = value`, `variable.attribute = value`), an attribute of a variable, and what looks
/// like a variable, with an underscore. No file, command or SQL.
fn names(page: &str) -> BTreeSet<String> {
    let prose = page.split("\n```").step_by(2).collect::<Vec<_>>().join("\n");
    let name = |code: &str| {
        let (name, set) = code.split_once(" = ").map_or((code, false), |(name, _)| (name, true));
        let word = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        let is_name = match name.split_once('.') {
            Some((of, attribute)) => word(of) && word(attribute) && (set || attribute.contains('_')),
            None => word(name) && (set || name.contains('_')),
        };
        is_name.then(|| name.to_owned())
    };
    prose.split('`').skip(1).step_by(2).filter_map(name).collect()
}

/// The attributes in the type of an object, at any depth.
fn words_before_equals(ty: &str) -> BTreeSet<String> {
    let ends = ty.match_indices(" = ").map(|(at, _)| &ty[..at]);
    ends.filter_map(|text| text.rsplit([' ', '(', '{']).next()).map(str::to_owned).collect()
}

/// Outputs of modules and compositions.
fn outputs() -> BTreeSet<String> {
    let files = examples::modules().into_iter().map(|module| examples::root().join(module).join("outputs.tf"));
    files
        .filter_map(|file| fs::read_to_string(file).ok())
        .flat_map(|text| blocks("output", &text))
        .map(|it| it.name)
        .collect()
}

/// What the provider documents: its arguments, and the names of its resources.
fn documented() -> BTreeSet<String> {
    let pages = |kind: &str| fs::read_dir(Path::new(ROOT).join("docs").join(kind)).unwrap();
    let name = |page: fs::DirEntry| page.path().file_stem().map(|name| format!("pgtenant_{}", name.display()));
    let mut found: BTreeSet<String> = pages("resources").filter_map(|page| name(page.unwrap())).collect();
    for page in ["index.md", "resources/tenant.md", "resources/guardrails.md", "resources/watchdog.md"] {
        let text = read(&Path::new(ROOT).join("docs").join(page));
        found.extend(text.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    found
}

#[test]
fn names_in_a_guide_are_found() {
    let page = "Set `a.b_c` and `one = 1`, `two_words`, not `file.tf`, `pg dump`, `x.y`, `word`.\n```sh\n`no_name`\n```\nThen `a.b = 2`.";
    assert_eq!(names(page), ["a.b", "a.b_c", "one", "two_words"].map(str::to_owned).into());
    let ty = "object({ a = optional(string), b = optional(object({ c_d = number })) })";
    assert_eq!(words_before_equals(ty), ["a", "b", "c_d"].map(str::to_owned).into());
}

//! Every module and composition: formatted, valid against the schema of hashicorp/aws, and its own tests
//! run. Every condition that a module makes must be seen to refuse something.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;

use crate::matrix::{Outcome, record};
use crate::stub::workspace;
use crate::support::examples;
use crate::support::terraform::{Run, Workspace};

#[test]
fn every_module_is_valid_and_passes_its_tests() {
    assert!(!CHECKED.is_empty());
    let mut failures = Vec::new();
    for (module, checked) in &*CHECKED {
        for (check, found) in &checked.checks {
            let outcome = found.clone().map(Outcome::Passed).unwrap_or_else(|error| {
                failures.push(format!("{module}, {check}: {error}"));
                Outcome::Failed
            });
            record(module, check, outcome);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// What Terraform says of every module. Asked once: others look at the same plans.
pub static CHECKED: LazyLock<BTreeMap<String, Checked>> = LazyLock::new(|| {
    let mut workspace = workspace();
    let examples = workspace.dir.join("examples");
    copy(&examples::root(), &examples);
    let check = |module: String| {
        workspace.dir = examples.join(&module);
        let checked = checked(&workspace, &examples::root().join(&module));
        (module, checked)
    };
    examples::modules().into_iter().map(check).collect()
});

/// What was found at a module.
#[derive(Default)]
pub struct Checked {
    /// By check: a word on how much was checked, or what is wrong.
    pub checks: Vec<(&'static str, Result<String, String>)>,
    /// Every resource that the module's tests plan or make.
    pub planned: Vec<Planned>,
}

/// One resource with its values, those that are not known left out.
pub struct Planned {
    pub address: String,
    pub type_name: String,
    pub values: Value,
}

/// One after the other; what follows a failed `init` has no ground to stand on.
fn checked(workspace: &Workspace, module: &Path) -> Checked {
    let ok = |args: &[&str]| workspace.try_run(args).and_then(Run::ok).map(|_| "ok".to_owned());
    let mut found = Checked::default();
    found.checks.push(("fmt", ok(&["fmt", "-check", "-diff", "-recursive"])));
    found.checks.push(("refusals", refusals(module)));
    let initialised = ok(&["init"]);
    let ready = initialised.is_ok();
    found.checks.push(("init", initialised));
    if ready {
        found.checks.push(("validate", ok(&["validate"])));
        let run = workspace.try_run(&["test", "-json", "-verbose"]);
        let lines = run.map(|run| (run.stdout.lines().filter_map(json).collect::<Vec<_>>(), run.stderr));
        let tested = lines.and_then(|(lines, stderr)| {
            found.planned = lines.iter().flat_map(planned).collect();
            passed(&lines).map_err(|why| format!("{why}\n{stderr}"))
        });
        found.checks.push(("test", tested));
    }
    found
}

fn json(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok()
}

/// Of the lines that `terraform test -json` writes, the summary; or what is wrong, as one would read it.
fn passed(lines: &[Value]) -> Result<String, String> {
    let summary = lines.iter().map(|line| &line["test_summary"]).find(|summary| summary.is_object());
    let summary = summary.ok_or("`terraform test` came to no end")?;
    let count = |name: &str| summary[name].as_u64().unwrap_or(0);
    if summary["status"] == "pass" && count("passed") > 0 && count("skipped") == 0 {
        let runs = if count("passed") == 1 { "run" } else { "runs" };
        return Ok(format!("{} {runs}", count("passed")));
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let complaint = |line: &Value| {
        let diagnostic = &line["diagnostic"];
        let place = format!("{}:{}", text(&diagnostic["range"]["filename"]), diagnostic["range"]["start"]["line"]);
        format!(
            "{} {place}: {}: {}",
            text(&line["@testrun"]),
            text(&diagnostic["summary"]),
            text(&diagnostic["detail"])
        )
    };
    let complaints = lines.iter().filter(|line| line["type"] == "diagnostic").map(complaint);
    Err(complaints.chain([summary.to_string()]).collect::<Vec<_>>().join("\n"))
}

/// The resources in a line of `terraform test -json -verbose`, which holds a plan, a state or neither.
fn planned(line: &Value) -> Vec<Planned> {
    fn of_module(module: &Value, found: &mut Vec<Planned>) {
        for resource in module["resources"].as_array().into_iter().flatten() {
            found.extend(one(resource, &resource["values"]));
        }
        for child in module["child_modules"].as_array().into_iter().flatten() {
            of_module(child, found);
        }
    }
    fn one(resource: &Value, values: &Value) -> Option<Planned> {
        let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
        let managed = resource["mode"] == "managed" && values.is_object();
        managed.then(|| Planned { address: text("address"), type_name: text("type"), values: values.clone() })
    }
    let mut found = Vec::new();
    for change in line["test_plan"]["resource_changes"].as_array().into_iter().flatten() {
        found.extend(one(change, &change["change"]["after"]));
    }
    of_module(&line["test_state"]["root_module"], &mut found);
    found
}

/// For each `validation`, `precondition`, `postcondition` and `check` there must be a run of its own in
/// the module's tests that expects it to fail.
fn refusals(module: &Path) -> Result<String, String> {
    let mut conditions: BTreeMap<String, usize> = BTreeMap::new();
    for file in files(module, "tf") {
        for address in conditions_of(&read(&file)) {
            *conditions.entry(address).or_default() += 1;
        }
    }
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for file in files(&module.join("tests"), "hcl") {
        for address in expected_failures(&read(&file)) {
            *refused.entry(address).or_default() += 1;
        }
    }
    let missing: Vec<String> = conditions
        .iter()
        .filter_map(|(address, wanted)| {
            let found = refused.get(address).copied().unwrap_or(0);
            (found < *wanted).then(|| format!("{address} has {wanted} conditions, and {found} runs expect it to fail"))
        })
        .collect();
    if missing.is_empty() {
        Ok(format!("{} of {0}", conditions.values().sum::<usize>()))
    } else {
        Err(missing.join("\n"))
    }
}

/// The address under which `expect_failures` knows each condition of a formatted file: one that stands in
/// it twice has two conditions.
fn conditions_of(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block = String::new();
    for line in text.lines() {
        // A formatted block of the outermost level begins at the margin.
        if let Some(head) = line.strip_suffix('{').filter(|line| !line.starts_with(' ')) {
            let words: Vec<&str> = head.split_whitespace().map(|word| word.trim_matches('"')).collect();
            block = match words[..] {
                ["variable", name] => format!("var.{name}"),
                ["resource", ty, name] => format!("{ty}.{name}"),
                ["data", ty, name] => format!("data.{ty}.{name}"),
                ["output", name] => format!("output.{name}"),
                ["check", name] => {
                    found.push(format!("check.{name}"));
                    String::new()
                }
                _ => String::new(),
            };
        }
        let inner = line.trim();
        if ["validation {", "precondition {", "postcondition {"].contains(&inner) && !block.is_empty() {
            found.push(block.clone());
        }
    }
    found
}

/// The addresses in the `expect_failures` lists, without the key of an instance.
fn expected_failures(text: &str) -> Vec<String> {
    let lists = text.split("expect_failures").skip(1).filter_map(|rest| {
        let (_, list) = rest.split_once('[')?;
        // The list ends at a bracket of its own: what is in an address is a key.
        let end = list.char_indices().scan(0, |depth, (at, c)| {
            *depth += match c {
                '[' => 1,
                ']' => -1,
                _ => 0,
            };
            Some((at, *depth))
        });
        let end = end.into_iter().find(|(_, depth)| *depth < 0)?.0;
        Some(&list[..end])
    });
    let address = |text: &str| text.split('[').next().unwrap_or_default().trim().to_owned();
    lists.flat_map(|list| list.split(',')).map(address).filter(|address| !address.is_empty()).collect()
}

/// The files of a directory whose names end so, sorted; none where there is no directory.
pub fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

pub fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// All of a directory but what Terraform has left in it.
pub fn copy(from: &Path, to: &Path) {
    let copied = || {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let name = entry.file_name();
            let left = [".terraform", ".terraform.lock.hcl", "terraform.tfstate"].iter().any(|left| name == *left);
            match entry.file_type()?.is_dir() {
                _ if left => {}
                true => copy(&entry.path(), &to.join(name)),
                false => fs::copy(entry.path(), to.join(name)).map(drop)?,
            }
        }
        Ok(())
    };
    copied().unwrap_or_else(|error: std::io::Error| panic!("cannot copy {}: {error}", from.display()));
}

/// What is written beside a configuration, such as verifiers, is not to be committed with a copy of it.
#[test]
fn what_an_example_writes_beside_itself_is_ignored_by_git() {
    let mut written = 0;
    for dir in fs::read_dir(examples::root()).unwrap().map(|entry| entry.unwrap().path()) {
        let ignored = fs::read_to_string(dir.join(".gitignore")).unwrap_or_default();
        let text: String = files(&dir, "tf").iter().map(|file| read(file)).collect();
        // What a name is put into is read.
        let places = text.split("\"${path.module}/").skip(1).filter_map(|rest| rest.split('"').next());
        for place in places.filter(|place| !place.contains("${")) {
            written += 1;
            let line = format!("/{place}");
            assert!(ignored.lines().any(|it| it == line), "{}: .gitignore lacks {line}", dir.display());
        }
    }
    assert!(written >= 3, "only {written} places were found");
}

/// A root module pins the providers that it needs; a module of others says from which version on.
#[test]
fn every_required_provider_has_a_version() {
    let all = examples::modules().into_iter().chain(examples::applied());
    for dir in all {
        for file in files(&examples::root().join(&dir), "tf") {
            let text = read(&file);
            if !text.contains("required_providers") {
                continue;
            }
            let (sources, versions) = (text.matches(" source  = \"").count(), text.matches(" version = \"").count());
            let unpinned = text.matches(" source = \"").count();
            assert!(unpinned == 0 && sources == versions, "{}: a provider has no version", file.display());
        }
    }
}

/// A configuration that admits an older provider than a module that it calls says something that is not true.
#[test]
fn a_caller_requires_the_versions_that_its_modules_require() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for dir in examples::modules() {
        let (here, own) = (examples::root().join(&dir), minimums(&examples::root().join(&dir)));
        for module in called(&here) {
            for (provider, least) in minimums(&here.join(&module)) {
                seen += 1;
                if own.get(&provider).is_none_or(|own| *own < least) {
                    wrong.push(format!(
                        "{dir}: {module} requires {provider} {least:?}, and it {:?}",
                        own.get(&provider)
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 20, "only {seen} requirements of modules were found");
}

/// The least version of each provider that the files of a directory require.
fn minimums(dir: &Path) -> BTreeMap<String, Vec<u32>> {
    let mut found = BTreeMap::new();
    for file in files(dir, "tf") {
        let text = read(&file);
        let Some((_, providers)) = text.split_once("required_providers {") else { continue };
        let value = |line: &str| line.split('"').nth(1).unwrap_or_default().to_owned();
        let mut source = String::new();
        for line in providers.lines().map(str::trim) {
            if line.starts_with("source ") {
                source = value(line);
            } else if line.starts_with("version ") {
                let version = value(line);
                let number = version.trim_start_matches([' ', '>', '=', '~']);
                let parts = number.split('.').map(|part| part.parse().unwrap_or_else(|_| panic!("{dir:?}: {version}")));
                found.insert(source.clone(), parts.collect());
            }
        }
    }
    found
}

/// The modules that the files of a directory call, as the sources say it.
fn called(dir: &Path) -> Vec<String> {
    let text: String = files(dir, "tf").iter().map(|file| read(file)).collect();
    let sources = text.lines().filter_map(|line| line.trim().strip_prefix("source")?.split('"').nth(1));
    let local: BTreeSet<_> = sources.filter(|source| source.starts_with("../")).collect();
    local.into_iter().map(str::to_owned).collect()
}

#[test]
fn conditions_and_the_runs_that_meet_them_are_found() {
    let module = r#"
variable "size" {
  type = number
  validation {
    condition = var.size > 0
  }
  validation {
    condition = var.size < 9
  }
}

resource "aws_db_instance" "this" {
  lifecycle {
    precondition {
      condition = true
    }
  }
}

output "address" {
  precondition {
    condition = true
  }
}

check "health" {
  assert {
    condition = true
  }
}
"#;
    let all = ["var.size", "var.size", "aws_db_instance.this", "output.address", "check.health"];
    assert_eq!(conditions_of(module), all);
    let tests = "run \"a\" {\n  expect_failures = [var.size]\n}\nrun \"b\" {\n  expect_failures = [\n    var.size,\n    \
                 aws_db_instance.this[\"a\"],\n  ]\n}\n";
    assert_eq!(expected_failures(tests), ["var.size", "var.size", "aws_db_instance.this"]);
}

#[test]
fn tests_count_as_passed_only_if_there_are_some_and_all_were_run() {
    let summary = |status: &str, count: u32, skipped: u32| {
        passed(&[serde_json::json!({ "test_summary": { "status": status, "passed": count, "skipped": skipped } })])
    };
    assert_eq!(summary("pass", 2, 0).unwrap(), "2 runs");
    for refused in [summary("pass", 0, 0), summary("fail", 2, 0), summary("pass", 2, 1), passed(&[])] {
        refused.unwrap_err();
    }
}

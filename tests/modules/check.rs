//! Every module and composition: formatted, valid against the schema of hashicorp/aws, and its own tests
//! run. Every condition that a module makes must be seen to refuse something.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::matrix::{Outcome, record};
use crate::stub::workspace;
use crate::support::examples;
use crate::support::terraform::{Run, Workspace};

#[test]
fn every_module_is_valid_and_passes_its_tests() {
    let modules = examples::modules();
    assert!(!modules.is_empty());
    let mut workspace = workspace();
    let examples = workspace.dir.join("examples");
    copy(&examples::root(), &examples);
    let mut failures = Vec::new();
    for module in &modules {
        workspace.dir = examples.join(module);
        for (check, found) in checks(&workspace, &examples::root().join(module)) {
            let outcome = found.map(Outcome::Passed).unwrap_or_else(|error| {
                failures.push(format!("{module}, {check}: {error}"));
                Outcome::Failed
            });
            record(module, check, outcome);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// One after the other; what follows a failed `init` has no ground to stand on.
fn checks(workspace: &Workspace, module: &Path) -> Vec<(&'static str, Result<String, String>)> {
    let run = |args: &[&str]| workspace.try_run(args).and_then(Run::ok);
    let mut found = vec![
        ("fmt", run(&["fmt", "-check", "-diff", "-recursive"]).map(|_| "ok".to_owned())),
        ("refusals", refusals(module)),
        ("init", run(&["init"]).map(|_| "ok".to_owned())),
    ];
    if found.iter().all(|(check, result)| *check != "init" || result.is_ok()) {
        found.push(("validate", run(&["validate"]).map(|_| "ok".to_owned())));
        found.push(("test", run(&["test"]).and_then(|run| passed(&run))));
    }
    found
}

/// `Success! 12 passed, 0 failed.`
fn passed(run: &Run) -> Result<String, String> {
    let line = run.stdout.lines().find(|line| line.starts_with("Success!")).unwrap_or_default();
    let number: Option<u32> = line.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    match number {
        Some(number) if number > 0 && !line.contains("skipped") => Ok(format!("{number} runs")),
        _ => Err(format!("no test was run: {}", run.stdout)),
    }
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

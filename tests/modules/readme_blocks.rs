//! The blocks of Terraform in every README, planned as they stand. AWS is the stand-in, and there is no server: the
//! provider's host is made a value that only an apply knows, so that a plan does not connect.
//!
//! A fence in [`LANGUAGES`] is planned. If it has assignments only, it is the `terraform.tfvars` of the configuration
//! beside the README, with the `export TF_VAR_...` lines of the same README. Otherwise it is a whole configuration in a
//! directory that has `modules` in it. A fence that cannot be planned says why: "```terraform untested: <reason>".

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::check::{copy, files, read};
use crate::matrix::{Outcome, record};
use crate::stub::{ROOT, workspace};
use crate::support::examples;
use crate::support::postgres::pem;
use crate::support::terraform::Workspace;

const LANGUAGES: &[&str] = &["hcl", "terraform", "tfvars"];
const UNTESTED: &str = "untested:";
/// Where somebody who copies a block finds the modules.
const PUBLISHED: &str = "github.com/pgtenant/terraform-provider-pgtenant//examples/modules/";

const VERSIONS: &str = r#"terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
    pgtenant = {
      source  = "pgtenant/pgtenant"
      version = "~> 0.1"
    }
  }
}

provider "aws" {
  region = "eu-west-1"
}
"#;
const NOWHERE: &str = "resource \"terraform_data\" \"nowhere\" {}\n";
/// The warnings that there being no server makes: a check has nothing to look at.
const OF_NO_SERVER: &[&str] = &["The provider is not configured yet", "Check block assertion known after apply"];
const NO_SERVER: &str = "provider \"pgtenant\" {\n  host = terraform_data.nowhere.id\n}\n";

/// What RDS's bundle of certificates is in a README.
pub static AUTHORITY: LazyLock<String> = LazyLock::new(|| {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    pem("CERTIFICATE", certified.cert.der())
});

#[test]
fn every_block_of_every_readme_can_be_planned() {
    let mut failures = Vec::new();
    let mut planned = 0;
    for readme in readmes() {
        let name = readme.strip_prefix(ROOT).unwrap().display().to_string();
        let (text, dir) = (read(&readme), readme.parent().unwrap());
        let exports = exports(&text);
        let (mut count, mut failed) = (0, false);
        for found in blocks(&text) {
            let checked = found.and_then(|block| match block {
                Block { terraform: false, .. } => Ok(()),
                Block { text, .. } => {
                    count += 1;
                    plan(dir, text, &exports).map_err(|why| format!("{why}\nThe block is:\n{text}"))
                }
            });
            if let Err(why) = checked {
                failed = true;
                failures.push(format!("{name}: {why}"));
            }
        }
        planned += count;
        if let Some(module) = dir.strip_prefix(examples::root()).ok().and_then(Path::to_str)
            && examples::modules().contains(module)
        {
            let outcome = match count {
                _ if failed => Outcome::Failed,
                0 => Outcome::Nothing,
                _ => Outcome::Passed(format!("{count} planned")),
            };
            record(module, "README blocks", outcome);
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(planned >= 12, "only {planned} blocks were found");
}

fn readmes() -> Vec<PathBuf> {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                walk(&path, found);
            } else if path.file_name().is_some_and(|name| name == "README.md") {
                found.push(path);
            }
        }
    }
    let mut found = vec![Path::new(ROOT).join("README.md")];
    walk(&examples::root(), &mut found);
    found.sort();
    found
}

/// A fenced block of a page, without its fences.
#[derive(Debug, PartialEq)]
struct Block<'a> {
    /// Whether it is Terraform that must be planned.
    terraform: bool,
    text: &'a str,
}

/// The blocks of a page, or what is wrong with a fence.
fn blocks(page: &str) -> Vec<Result<Block<'_>, String>> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once("\n```") {
        let (info, after) = after.split_once('\n').unwrap_or((after, ""));
        let (text, after) = after.split_once("\n```").unwrap_or((after, ""));
        rest = after;
        let (language, remark) = info.split_once(' ').unwrap_or((info, ""));
        let reason = remark.trim().strip_prefix(UNTESTED).map(str::trim);
        found.push(match (language, remark, reason) {
            ("", ..) => Err(format!("a fence has no language, before: {text}")),
            (language, "", _) => Ok(Block { terraform: LANGUAGES.contains(&language), text }),
            (_, _, Some(reason)) if !reason.is_empty() => Ok(Block { terraform: false, text }),
            _ => Err(format!("```{info} must be a language, and \"{UNTESTED} <reason>\" if it is not to be planned")),
        });
    }
    found
}

/// The `export TF_VAR_<name>='<value>'` lines of a page.
fn exports(page: &str) -> BTreeMap<String, String> {
    let line = |line: &str| {
        let (name, value) = line.strip_prefix("export ")?.split_once("='")?;
        let value = value.split_once('\'')?.0;
        name.starts_with("TF_VAR_").then(|| (name.to_owned(), value.to_owned()))
    };
    page.lines().filter_map(line).collect()
}

/// Nothing at the margin but assignments and what closes them.
fn is_variables(block: &str) -> bool {
    block.lines().all(|line| line.is_empty() || line.starts_with([' ', '#', '}', ']']) || line.contains(" = "))
}

fn plan(dir: &Path, block: &str, exports: &BTreeMap<String, String>) -> Result<(), String> {
    let mut workspace = workspace();
    workspace.dir = workspace.dir.join("examples");
    copy(&examples::root(), &workspace.dir);
    if is_variables(block) {
        let beside = dir.strip_prefix(examples::root()).map_err(|_| "there is no configuration for these variables")?;
        workspace.dir = workspace.dir.join(beside);
        workspace.write("terraform.tfvars", block);
    } else {
        workspace.write("main.tf", &block.replace(PUBLISHED, "./modules/"));
        if !block.contains("required_providers") {
            workspace.write("versions.tf", VERSIONS);
        }
    }
    workspace.envs(exports).write("global-bundle.pem", &AUTHORITY);
    without_server(&workspace);
    workspace.try_run(&["init"])?.ok()?;
    let run = workspace.try_run(&["plan", "-json"])?;
    // Any other warning is of a variable that is not declared, or of what is deprecated.
    let diagnostics =
        run.diagnostics().into_iter().filter(|said| !OF_NO_SERVER.iter().any(|it| said["summary"] == *it));
    let said: Vec<String> = diagnostics.map(|said| format!("{}: {}", said["summary"], said["detail"])).collect();
    if run.status.success() && said.is_empty() { Ok(()) } else { Err(said.join("\n")) }
}

/// A provider that is configured gets another host; one that is not, which would take PGHOST, gets a block.
fn without_server(workspace: &Workspace) {
    let configured = files(&workspace.dir, "tf").iter().any(|file| read(file).contains("\nprovider \"pgtenant\" {"));
    let file = if configured { "nowhere_override.tf" } else { "provider.tf" };
    workspace.write("nowhere.tf", NOWHERE).write(file, NO_SERVER);
}

#[test]
fn blocks_and_their_kinds_are_read() {
    let page = "\n```hcl\na = 1\n```\n\n```sh\nexport TF_VAR_a='{\"b\": \"c\"}'   # why\n```\n\n```terraform untested: half of it\nx\n```\n\
                \n```terraform untested:\nx\n```\n\n```\nx\n```\n\n```terraform once\nx\n```\n";
    let found = blocks(page);
    assert_eq!(found[0], Ok(Block { terraform: true, text: "a = 1" }));
    assert!(found[1..3].iter().all(|block| block.as_ref().is_ok_and(|block| !block.terraform)), "{found:?}");
    assert!(found[3..].iter().all(Result::is_err) && found.len() == 6, "{found:?}");
    assert_eq!(exports(page), BTreeMap::from([("TF_VAR_a".to_owned(), "{\"b\": \"c\"}".to_owned())]));
    assert!(is_variables("# why\na = 1\nb = {\n  c = 2\n}\n\nd = [\n]"));
    assert!(!is_variables("module \"a\" {\n  b = 1\n}"));
}

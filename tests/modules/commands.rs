//! The `aws` commands that the guides and the modules' READMEs tell to run, against the model of AWS's API.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stub::ROOT;
use crate::support::{examples, skip};

#[test]
fn every_aws_command_is_one_that_the_api_has() {
    let python = match crate::support::python::with_botocore() {
        Ok(python) => python,
        Err(reason) => return skip("commands::every_aws_command_is_one_that_the_api_has", &reason),
    };
    let guides = fs::read_dir(Path::new(ROOT).join("docs/guides")).unwrap().map(|entry| entry.unwrap().path());
    let guides = guides.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let readmes = examples::modules().into_iter().map(|module| examples::root().join(module).join("README.md"));
    let pages: Vec<PathBuf> = guides.chain(readmes).collect();
    let mut check = Command::new(python);
    let output = check.arg(Path::new(ROOT).join("tests/modules/commands.py")).args(pages).output().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{complained}");
    let mut lines: Vec<&str> = said.lines().collect();
    let count: usize = lines.pop().expect("a number").parse().unwrap();
    assert_eq!(lines, Vec::<&str>::new());
    assert!(count > 20, "{count} commands");
}

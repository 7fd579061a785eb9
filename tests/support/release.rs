//! The script that makes a release.

use std::path::Path;
use std::process::{Command, Stdio};

use super::on_path;

/// `scripts/release.py` with these arguments; what it printed.
pub fn release(args: &[&str], env: &[(&str, &str)]) -> String {
    let mut command = Command::new(on_path("python3").expect("python3 is on PATH"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/release.py")).args(args);
    let output = command.envs(env.iter().copied()).stdin(Stdio::null()).output().expect("Python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "release.py {args:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

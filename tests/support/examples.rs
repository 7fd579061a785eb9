//! The directories under `examples/` that hold configuration, and which tests answer for which of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Compose modules.
const COMPOSITIONS: &[&str] = &["cells", "complete-aurora", "complete-rds", "existing-instance", "pgbouncer"];

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// What `tests/acceptance/examples.rs` applies to a real server, relative to `examples`.
pub fn applied() -> BTreeSet<String> {
    directories().into_iter().filter(|dir| !is_module(dir)).collect()
}

/// What `tests/modules` checks, relative to `examples`: all the others.
pub fn modules() -> BTreeSet<String> {
    directories().into_iter().filter(|dir| is_module(dir)).collect()
}

/// A module or a composition, and not a directory within one.
fn is_module(dir: &str) -> bool {
    match dir.split('/').collect::<Vec<_>>()[..] {
        ["modules", _] => true,
        [name] => COMPOSITIONS.contains(&name),
        _ => false,
    }
}

/// Every directory with configuration, but for those that a module's own tests need.
fn directories() -> BTreeSet<String> {
    fn walk(dir: &Path, found: &mut BTreeSet<String>) {
        let name = dir.strip_prefix(root()).unwrap_or(dir).display().to_string();
        let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        for path in entries.map(|entry| entry.expect("an entry of a directory").path()) {
            let of_tests = is_module(&name) && path.ends_with("tests");
            if path.is_dir() && !of_tests && !path.ends_with(".terraform") {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "tf") {
                found.insert(name.clone());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(&root(), &mut found);
    found
}

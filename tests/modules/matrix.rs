//! The table of modules and checks: printed when the tests end, and written to `target/modules/matrix.md`.
//! Holds what this very run has found and nothing older.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::stub::ROOT;

/// What a check found at a module.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// With a word on how much was checked: "12 runs".
    Passed(String),
    Failed,
    /// The check has nothing to look at in this module.
    Nothing,
    /// The check could not run at all.
    Skipped,
}

/// The columns, in the order in which one reads them. Others come behind.
const CHECKS: &[&str] = &["fmt", "init", "validate", "test", "refusals", "readme", "checkov", "cfn-lint"];

type Table = BTreeMap<String, BTreeMap<String, Outcome>>;

static TABLE: Mutex<Table> = Mutex::new(Table::new());

/// Notes what `check` found at `module`.
pub fn record(module: &str, check: &str, outcome: Outcome) {
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner);
    if table.is_empty() {
        // SAFETY: a function without arguments, which touches nothing but the table, a file and stderr.
        #[allow(unsafe_code)]
        unsafe {
            libc::atexit(publish)
        };
    }
    table.entry(module.to_owned()).or_default().insert(check.to_owned(), outcome);
}

/// Outside the tests' own captured output, once, after the last of them.
extern "C" fn publish() {
    let text = render(&TABLE.lock().unwrap_or_else(PoisonError::into_inner));
    let dir = Path::new(ROOT).join("target/modules");
    let _ = fs::create_dir_all(&dir).and_then(|()| fs::write(dir.join("matrix.md"), &text));
    eprintln!("{text}");
}

fn render(table: &Table) -> String {
    let found: BTreeSet<&str> = table.values().flat_map(BTreeMap::keys).map(String::as_str).collect();
    let known = CHECKS.iter().copied().filter(|check| found.contains(check));
    let checks: Vec<&str> = known.chain(found.iter().copied().filter(|check| !CHECKS.contains(check))).collect();
    let mut text = "| module |".to_owned();
    for check in &checks {
        let _ = write!(text, " {check} |");
    }
    text += "\n|---|";
    text += &"---|".repeat(checks.len());
    for (module, outcomes) in table {
        let _ = write!(text, "\n| {module} |");
        for check in &checks {
            let cell = match outcomes.get(*check) {
                Some(Outcome::Passed(how)) => how.as_str(),
                Some(Outcome::Failed) => "**FAILED**",
                Some(Outcome::Nothing) => "-",
                Some(Outcome::Skipped) => "skipped",
                None => "",
            };
            let _ = write!(text, " {cell} |");
        }
    }
    text + "\n"
}

#[test]
fn a_table_has_a_row_for_each_module() {
    let row = |outcomes: &[(&str, Outcome)]| {
        outcomes.iter().map(|(check, outcome)| ((*check).to_owned(), outcome.clone())).collect()
    };
    let table = Table::from([
        ("b".to_owned(), row(&[("fmt", Outcome::Failed)])),
        ("a".to_owned(), row(&[("fmt", Outcome::Passed("ok".into())), ("lint", Outcome::Nothing)])),
    ]);
    assert_eq!(render(&table), "| module | fmt | lint |\n|---|---|---|\n| a | ok | - |\n| b | **FAILED** |  |\n");
}

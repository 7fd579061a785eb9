//! `docs/guides`: front matter as the registry reads it, links that lead somewhere, and a threat model
//! that speaks of the attacks that there are.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const GUIDES: [&str; 17] = [
    "adopting.md",
    "aurora.md",
    "compliance.md",
    "limits-of-roles.md",
    "migrating-from-postgresql-provider.md",
    "moving-a-tenant.md",
    "operations.md",
    "rds-proxy.md",
    "rds.md",
    "regulated.md",
    "rotation.md",
    "routine.md",
    "sizing.md",
    "table-design.md",
    "threat-model.md",
    "upgrading.md",
    "when-not-to-use.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn guide(name: &str) -> String {
    let path = root().join("docs/guides").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `tests/attacks` fails when its table has other attacks than these.
fn attacks() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("tests/attacks/names.txt")).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Whatever stands in backticks in this text and may be an attack's name.
fn mentioned(text: &str) -> BTreeSet<String> {
    let is_name = |text: &&str| {
        text.contains('_') && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    text.split('`').skip(1).step_by(2).filter(is_name).map(str::to_owned).collect()
}

/// The cells of a Markdown table's row, or nothing.
fn cells(line: &str) -> Vec<&str> {
    let row = line.strip_prefix('|').and_then(|line| line.strip_suffix('|'));
    row.map(|row| row.split('|').map(str::trim).collect()).unwrap_or_default()
}

/// What the headings of a page are called in links.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let words = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-"));
    words.map(|word| word.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()).collect()
}

#[test]
fn every_guide_says_what_it_is() {
    for name in GUIDES {
        let text = guide(name);
        let head = text.strip_prefix("---\n").and_then(|text| text.split("\n---\n").next()).expect("front matter");
        for key in ["page_title: \"", "subcategory: \"", "description: |-\n  "] {
            assert!(head.contains(key), "{name} has no {key}");
        }
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    for name in GUIDES {
        let text = guide(name);
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap_or_default()) {
            let (page, place) = link.split_once('#').unwrap_or((link, ""));
            let target: PathBuf = root().join("docs/guides").join(if page.is_empty() { name } else { page });
            assert!(target.is_file(), "{name} links to {link}");
            let page = fs::read_to_string(&target).unwrap();
            assert!(place.is_empty() || anchors(&page).contains(place), "{name} links to {link}");
        }
    }
}

#[test]
fn the_threat_model_names_every_attack_and_no_other() {
    let text = guide("threat-model.md");
    let (mut column, mut named) = (None, BTreeSet::new());
    for line in text.lines() {
        let cells = cells(line);
        if let Some(at) = cells.iter().position(|cell| *cell == "attacks") {
            column = Some(at);
        } else if cells.is_empty() {
            column = None;
        } else if let Some(at) = column {
            named.extend(mentioned(cells[at]));
        }
    }
    let attacks = attacks();
    assert_eq!(named.difference(&attacks).collect::<Vec<_>>(), Vec::<&String>::new(), "there are no such attacks");
    assert_eq!(attacks.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new(), "the threat model lacks these");
}

#[test]
fn the_limits_of_roles_speak_of_attacks_that_are_documented_or_detected() {
    let text = guide("limits-of-roles.md");
    let attacks = attacks();
    // In parentheses, as what shows a sentence.
    let shown: BTreeSet<String> =
        text.split('(').skip(1).filter_map(|rest| rest.split(')').next()).flat_map(mentioned).collect();
    let settings = ["reserved_connections"];
    let unknown: Vec<_> =
        shown.iter().filter(|name| !attacks.contains(*name) && !settings.contains(&name.as_str())).collect();
    assert!(shown.len() > 10 && unknown.is_empty(), "{unknown:?}");
}

/// Every alarm and every rule that the example modules can make, as its name ends. Where one is declared, `says` or
/// `description` stands within its braces; the local values of the modules have no other objects with these.
fn signals() -> BTreeSet<String> {
    let mut signals = BTreeSet::new();
    let entries = |path: &Path| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    for module in entries(&root().join("examples/modules")) {
        let prefix = if module.ends_with("rds-log-metrics") { "log-" } else { "" };
        for file in entries(&module).into_iter().filter(|file| file.extension().is_some_and(|it| it == "tf")) {
            let text = fs::read_to_string(file).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            let indent = |line: &str| line.len() - line.trim_start().len();
            for (at, line) in lines.iter().enumerate() {
                let key = line.split_whitespace().next().unwrap_or_default();
                // Those of variables, outputs and resources are not as deep.
                let least = if key == "says" { 4 } else { 6 };
                if !["says", "description"].contains(&key) || indent(line) < least {
                    continue;
                }
                let opens = |other: &&&str| indent(other) == indent(line) - 2 && other.ends_with('{');
                let head = lines[..at].iter().rev().find(opens).unwrap();
                // `"replica_lag/${replica}" => {` is one for each replica; `name => {` has its names elsewhere.
                let named = head.split('"').nth(1).map(|name| name.split('/').next().unwrap_or_default());
                let name = named.unwrap_or_else(|| head.split_whitespace().next().unwrap_or_default());
                if name != "for" {
                    signals.insert(format!("{prefix}{}", name.replace('_', "-")));
                }
            }
        }
    }
    signals
}

#[test]
fn every_alarm_has_a_row_that_leads_to_a_runbook() {
    let text = guide("operations.md");
    let section = text.split("\n## ").find(|section| section.starts_with("From the alarm to the runbook\n")).unwrap();
    let mut listed = BTreeSet::new();
    for row in section.lines().map(cells).filter(|cells| cells.first().is_some_and(|cell| cell.starts_with('`'))) {
        assert!(row.len() == 4 && row[2].contains("](") && !row[3].is_empty(), "{row:?}");
        for name in row[0].split('`').skip(1).step_by(2) {
            assert!(listed.insert(name.to_owned()), "{name} has two rows");
        }
    }
    let signals = signals();
    assert!(signals.len() > 35, "{signals:?}");
    assert_eq!(signals.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new(), "these have no row");
}

/// `PGTENANT_UPDATE_DOCS=1` writes them anew.
#[test]
fn drawings_are_what_their_script_draws() {
    let images = root().join("docs/guides/images");
    let update = std::env::var_os("PGTENANT_UPDATE_DOCS").is_some();
    let drawn = if update { images.clone() } else { Path::new(env!("CARGO_TARGET_TMPDIR")).join("drawings") };
    fs::create_dir_all(&drawn).unwrap();
    let python = Command::new("python3").arg(images.join("draw.py")).arg(&drawn).status();
    assert!(python.expect("python3 draws the drawings").success());
    let mut names: Vec<_> = fs::read_dir(&images).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.retain(|name| Path::new(name).extension().is_some_and(|extension| extension == "svg"));
    assert!(names.len() >= 4, "{names:?}");
    let shown: String = GUIDES.iter().map(|name| guide(name)).collect();
    for name in names {
        let read = |dir: &Path| fs::read_to_string(dir.join(&name)).unwrap_or_else(|error| panic!("{name:?}: {error}"));
        assert_eq!(read(&images), read(&drawn), "{name:?} is stale: PGTENANT_UPDATE_DOCS=1 cargo test --test project");
        assert!(shown.contains(&format!("](images/{})", name.to_string_lossy())), "no guide shows {name:?}");
    }
}

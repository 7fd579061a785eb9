//! The matrix attack x server: gathered from tests that run side by side, printed, and kept as a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::attack::{Attack, Outcome, Seen};
use crate::rights::RIGHTS;
use crate::support::binaries::MAJORS;
use crate::team::HANDS;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    pub major: u32,
    pub superuser: bool,
}

/// What came of one attack on one server.
pub struct Cell {
    /// The further role that tried it; `None` for a tenant's own.
    hand: Option<&'static str>,
    row: (&'static str, &'static str),
    text: String,
    unexpected: bool,
    /// What contains it, or why it gains nothing.
    about: &'static str,
    took: Duration,
}

/// Every major as the usual admin, and one as a superuser.
const COLUMNS: usize = (*MAJORS.end() - *MAJORS.start()) as usize + 2;

type Row = BTreeMap<Column, (String, bool)>;

/// What came of one attack by each further role, on each server.
type Hands = BTreeMap<&'static str, Row>;

#[derive(Default)]
struct Matrix {
    columns: BTreeSet<Column>,
    skipped: BTreeMap<Column, String>,
    rows: BTreeMap<(&'static str, &'static str), Row>,
    hands: BTreeMap<(&'static str, &'static str), Hands>,
    abouts: BTreeMap<(&'static str, &'static str), BTreeSet<&'static str>>,
}

static MATRIX: Mutex<Option<Matrix>> = Mutex::new(None);

impl Cell {
    pub fn new(attack: &Attack, expected: Outcome, seen: Result<Seen, String>, took: Duration) -> Cell {
        let met = seen.as_ref().is_ok_and(|seen| expected.matches(seen));
        let (text, about) = (expected.text(), expected.about());
        let text = if met { text } else { unexpected(&format!("{seen:?}, not {text}")) };
        Cell { hand: None, row: (attack.category, attack.name), text, unexpected: !met, about, took }
    }

    /// What came of it by a further role: as was expected, or why not.
    pub fn by(
        hand: &'static str,
        row: (&'static str, &'static str),
        text: String,
        result: Result<(), String>,
        about: &'static str,
        took: Duration,
    ) -> Cell {
        let mut cell = Cell { hand: Some(hand), row, text, unexpected: false, about, took };
        cell.then(result);
        cell
    }

    /// What was not expected, with who and what.
    pub fn surprise(self) -> Option<String> {
        let by = self.hand.map(|hand| format!(" by {hand}")).unwrap_or_default();
        self.unexpected.then(|| format!("{}{by}: {}", self.row.1, self.text))
    }

    /// What came of it later.
    pub fn then(&mut self, result: Result<(), String>) {
        if let (Err(why), false) = (result, self.unexpected) {
            (self.text, self.unexpected) = (unexpected(&format!("not {}: {why}", self.text)), true);
        }
    }
}

/// One line of it, the end where that is too long: a command's last words say why it failed.
fn unexpected(what: &str) -> String {
    let words: Vec<&str> = what.split_whitespace().collect();
    let line = words.join(" ").replace('|', "/");
    let tail: String = line.chars().skip(line.chars().count().saturating_sub(600)).collect();
    format!("UNEXPECTED: {tail}")
}

impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{}{}", self.major, if self.superuser { " superuser" } else { "" }))
    }
}

/// A version that is not here: a hole in the evidence, which the summary and the matrix name.
pub fn skip(column: Column, why: &str) {
    crate::support::skip(&format!("attacks on PostgreSQL {column}"), why);
    with_matrix(|matrix| {
        matrix.skipped.insert(column, why.to_owned());
        matrix.keep();
    });
}

/// Adds a server's column, writes the file, prints, and fails on whatever was not expected.
pub fn contribute(column: Column, cells: Vec<Cell>, notes: &[String], took: Duration) {
    let unexpected = cells.iter().filter(|cell| cell.unexpected).count();
    let by_hand = cells.iter().filter(|cell| cell.hand.is_some()).count();
    let count = cells.len() - by_hand;
    let mut text = String::new();
    for cell in &cells {
        let (category, name) = cell.row;
        writeln!(
            text,
            "{column:<14} {category:10} {name:44} {:27} {:>5} ms  {}",
            cell.hand.unwrap_or_default(),
            cell.took.as_millis(),
            cell.text
        )
        .unwrap();
    }
    println!("{text}");
    let mut summary = format!(
        "attacks: PostgreSQL {column}: {count} attacks, {by_hand} by further roles, unexpected = {unexpected}, in {:.0} s\n",
        took.as_secs_f64()
    );
    for note in notes {
        writeln!(summary, "  {note}").unwrap();
    }
    announce(&summary);
    with_matrix(|matrix| {
        matrix.columns.insert(column);
        for cell in &cells {
            let row = match cell.hand {
                None => matrix.rows.entry(cell.row).or_default(),
                Some(hand) => matrix.hands.entry(cell.row).or_default().entry(hand).or_default(),
            };
            row.insert(column, (cell.text.clone(), cell.unexpected));
            if !cell.about.is_empty() {
                matrix.abouts.entry(cell.row).or_default().insert(cell.about);
            }
        }
        matrix.keep();
    });
    let surprises: Vec<String> = cells.into_iter().filter_map(Cell::surprise).collect();
    assert!(surprises.is_empty(), "on PostgreSQL {column}:\n{}", surprises.join("\n"));
}

impl Matrix {
    /// Writes down what there is until now; prints it when that is all.
    fn keep(&self) {
        let (path, text) = (file(), self.markdown());
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("the artefact's directory");
        std::fs::write(&path, &text).expect("the artefact");
        if self.columns.len() + self.skipped.len() == COLUMNS {
            announce(&format!("{text}\nkept as {}\n", path.display()));
        }
    }

    fn markdown(&self) -> String {
        let mut text = String::from("# Attacks\n\n");
        let rows = self.rows.values().chain(self.hands.values().flat_map(BTreeMap::values));
        let unexpected = rows.flat_map(BTreeMap::values).filter(|(_, unexpected)| *unexpected).count();
        let servers = self.columns.iter().map(Column::to_string).collect::<Vec<_>>().join(", ");
        let attacks: BTreeSet<_> = self.rows.keys().chain(self.hands.keys()).filter(|(of, _)| *of != RIGHTS).collect();
        writeln!(text, "{} attacks on PostgreSQL {servers}; unexpected = {unexpected}.", attacks.len()).unwrap();
        for (column, why) in &self.skipped {
            writeln!(text, "\nPostgreSQL {column} is skipped: {why}.").unwrap();
        }
        let columns = || self.columns.iter();
        let heads: String = columns().map(|column| format!(" {column} |")).collect();
        writeln!(text, "\n| | attack |{heads}\n|---|---|{}", "---|".repeat(self.columns.len())).unwrap();
        for ((category, name), row) in &self.rows {
            let cells: String =
                columns().map(|column| format!(" {} |", row.get(column).map_or("", |(text, _)| text))).collect();
            writeln!(text, "| {category} | {name} |{cells}").unwrap();
        }
        self.by_further_roles(&mut text);
        text.push_str("\n## What is not refused\n\n");
        for ((_, name), abouts) in &self.abouts {
            writeln!(text, "- {name}: {}", abouts.iter().copied().collect::<Vec<_>>().join("; ")).unwrap();
        }
        text
    }

    /// The same by the further roles of one tenant, and what each may do with what that has.
    fn by_further_roles(&self, text: &mut String) {
        let hands = HANDS.iter().map(|hand| hand.name);
        let heads: String = hands.clone().map(|hand| format!(" {hand} |")).collect();
        writeln!(text, "\n## By further roles\n\n| | attack |{heads}\n|---|---|{}", "---|".repeat(HANDS.len()))
            .unwrap();
        for ((category, name), row) in &self.hands {
            let cells: String =
                hands.clone().map(|hand| format!(" {} |", row.get(hand).map_or_else(String::new, on_each))).collect();
            writeln!(text, "| {category} | {name} |{cells}").unwrap();
        }
    }
}

/// On all servers, or, where they differ, on which.
fn on_each(row: &Row) -> String {
    let mut texts: Vec<(&str, Vec<String>)> = Vec::new();
    for (column, (text, _)) in row {
        match texts.iter_mut().find(|(seen, _)| seen == text) {
            Some((_, columns)) => columns.push(column.to_string()),
            None => texts.push((text, vec![column.to_string()])),
        }
    }
    match &texts[..] {
        [(text, _)] => (*text).to_owned(),
        texts => texts.iter().map(|(text, on)| format!("{}: {text}", on.join(", "))).collect::<Vec<_>>().join("; "),
    }
}

fn file() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    target.join("attacks/matrix.md")
}

fn with_matrix<T>(work: impl FnOnce(&mut Matrix) -> T) -> T {
    // A test that failed has said why; the others' columns count none the less.
    work(MATRIX.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
}

/// Past the test harness, which keeps to itself what tests that pass print.
fn announce(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

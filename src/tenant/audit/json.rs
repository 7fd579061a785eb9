//! The report as data. Stable: what is there keeps its name and meaning; more may come.

use serde::Serialize;

use super::{Found, Outcome, Report, Status};

/// Raised when something that was there changes its name or meaning.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    passed: bool,
    server: Server<'a>,
    /// The server's, in UTC.
    time: &'a str,
    counts: Counts,
    tenants: &'a [String],
    controls: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Server<'a> {
    address: &'a str,
    version: &'a str,
    database: &'a str,
    role: &'a str,
}

#[derive(Serialize)]
struct Counts {
    pass: usize,
    accepted: usize,
    fail: usize,
    not_checked: usize,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    title: &'a str,
    expected: &'a str,
    checked: &'a str,
    found: &'a str,
    status: &'a str,
    nist: &'a [&'a str],
    stig: &'a [String],
    findings: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    subject: &'a str,
    status: &'a str,
    found: &'a str,
}

pub fn json(report: &Report) -> String {
    let document = Document {
        format: FORMAT,
        passed: report.passed(),
        server: Server {
            address: &report.address,
            version: &report.version,
            database: &report.database,
            role: &report.role,
        },
        time: &report.time,
        counts: Counts {
            pass: report.count(Status::Pass),
            accepted: report.count(Status::Accepted),
            fail: report.count(Status::Fail),
            not_checked: report.count(Status::NotChecked),
        },
        tenants: &report.tenants,
        controls: report.results.iter().map(row).collect(),
    };
    let mut text = serde_json::to_string_pretty(&document).expect("texts and numbers serialise");
    text.push('\n');
    text
}

fn row(outcome: &Outcome) -> Row<'_> {
    Row {
        id: &outcome.id,
        title: outcome.title,
        expected: outcome.expected,
        checked: &outcome.checked,
        found: &outcome.found,
        status: outcome.status.name(),
        nist: &outcome.nist,
        stig: &outcome.stig,
        findings: outcome.findings.iter().map(finding).collect(),
    }
}

fn finding(found: &Found) -> Finding<'_> {
    Finding { subject: &found.subject, status: found.status.name(), found: &found.found }
}

//! The report for a terminal.

use std::fmt::Write as _;

use super::{Report, Status, TENANTS, counted, readable};

/// Control by control, and below each what was found where.
pub fn text(report: &Report) -> String {
    let mut text = format!(
        "Isolation audit of {}: PostgreSQL {}, database {}, asked as {}, {}\n{}, {} controls: {}\n\n",
        report.address,
        report.version,
        report.database,
        report.role,
        readable(&report.time),
        counted(report.tenants.len() as u64, TENANTS),
        report.results.len(),
        Status::ALL.map(|status| format!("{} {status}", report.count(status))).join(", "),
    );
    let width = report.results.iter().map(|outcome| outcome.id.len()).max().unwrap_or_default();
    for outcome in &report.results {
        let status = match outcome.status {
            Status::Fail => "FAIL".to_owned(),
            status => status.to_string(),
        };
        let (id, checked) = (&outcome.id, &outcome.checked);
        writeln!(text, "{status:<11}  {id:<width$}  {checked}").expect("a text takes all");
        if outcome.status != Status::Pass {
            writeln!(text, "             expected: {}", outcome.expected).expect("a text takes all");
        }
        for found in &outcome.findings {
            let status = match found.status {
                Status::NotChecked => "not checked: ",
                Status::Accepted => "accepted: ",
                _ => "",
            };
            writeln!(text, "             {}: {status}{}", found.subject, found.found).expect("a text takes all");
        }
    }
    text
}

//! The report as a page: one file without scripts that fetches nothing, for a screen, light or dark, and
//! for paper.

use std::collections::BTreeMap;
use std::fmt;

use super::{Outcome, Report, Status, TENANTS, counted, readable};

/// The page. `time` is left out where it would make two pages of the same findings differ.
pub fn html(report: &Report, with_time: bool) -> String {
    let mut page = String::new();
    let title = format!("Isolation audit of {}", Escaped(&report.address));
    page += &format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>\n{}</style>\n</head>\n<body>\n\
         <main>\n<h1>{title}</h1>\n",
        include_str!("html.css"),
    );
    page += &head(report, with_time);
    page += &controls(report);
    page += &findings(report);
    page += &matrix(report);
    page += NOTES;
    page += "</main>\n</body>\n</html>\n";
    page
}

const NOTES: &str = "<h2>How to read this</h2>\n\
    <p>Each control is a fact that was read from the server&#39;s catalogs, settings and answers when the audit ran. <em>fail</em>: \
    not as expected. <em>not checked</em>: could not be looked at, for the reason that is given; nothing is claimed of it.</p>\n\
    <p>The NIST SP 800-53 Rev. 5 controls are those that a fact supports with evidence; no fact satisfies one by itself. The STIG \
    rules, of the Crunchy Data PostgreSQL STIGs, are those whose own check finds something where the control fails, or the part \
    of it that the provider&#39;s guide on compliance names; a rule may want more, as that guide says. This page is evidence, and no assessment.</p>\n";

/// Text as it may stand in an element or a quoted attribute.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

fn head(report: &Report, with_time: bool) -> String {
    let counts = Status::ALL.map(|status| format!("{} {status}", report.count(status))).join(", ");
    let verdict = match (report.passed(), report.count(Status::Fail)) {
        (true, _) => ("pass", "pass: every control is as expected".to_owned()),
        (false, 0) => ("not_checked", "not checked: some controls could not be looked at".to_owned()),
        (false, failed) => {
            ("fail", format!("fail: {} not as expected", counted(failed as u64, ("control", "controls"))))
        }
    };
    let mut rows = vec![
        ("Server", report.address.clone()),
        ("PostgreSQL", report.version.clone()),
        ("Database asked", report.database.clone()),
        ("Asked as", report.role.clone()),
    ];
    if with_time {
        rows.push(("Time of the server", readable(&report.time)));
    }
    rows.push(("Tenants checked", report.tenants.len().to_string()));
    rows.push(("Controls", format!("{}: {counts}", report.results.len())));
    let rows: String =
        rows.iter().map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>\n", Escaped(value))).collect();
    format!("<p class=\"verdict\"><span class=\"{}\">{}</span></p>\n<dl>\n{rows}</dl>\n", verdict.0, verdict.1)
}

/// A rule's identifier and number, each on one line.
fn unbroken(rule: &str) -> String {
    rule.split(' ').map(|part| format!("<span class=\"ids\">{}</span> ", Escaped(part))).collect()
}

/// A table with these heads and rows.
fn table(class: &str, caption: &str, heads: &[impl fmt::Display], rows: impl Iterator<Item = String>) -> String {
    let heads: String = heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    let rows: String = rows.map(|row| format!("<tr>{row}</tr>\n")).collect();
    format!(
        "<h2>{caption}</h2>\n<div{class}>\n<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n\
         </div>\n"
    )
}

fn controls(report: &Report) -> String {
    let row = |outcome: &Outcome| {
        let nist: String = outcome.nist.iter().map(|id| format!("{id}<br>")).collect();
        let stig: String = outcome.stig.iter().map(|rule| format!("<div>{}</div>", unbroken(rule))).collect();
        format!(
            "<th scope=\"row\"><code>{}</code><br>{}<small>{}</small></th><td class=\"status {}\">{}</td><td>{}</td>\
             <td>{}</td><td>{}</td><td class=\"ids\">{}</td><td>{stig}</td>",
            outcome.id,
            Escaped(outcome.title),
            Escaped(outcome.about),
            outcome.status.name(),
            outcome.status,
            Escaped(outcome.expected),
            Escaped(&outcome.checked),
            Escaped(&outcome.found),
            nist.trim_end_matches("<br>"),
        )
    };
    let heads = ["Control", "Status", "Expected", "Checked", "Found", "NIST SP 800-53", "STIG"];
    table("", "Controls", &heads, report.results.iter().map(row))
}

fn findings(report: &Report) -> String {
    let found = |outcome: &Outcome| {
        let id = &outcome.id;
        let row = move |found: &super::Found| {
            format!(
                "<td><code>{id}</code></td><th scope=\"row\">{}</th><td class=\"status {}\">{}</td><td>{}</td>",
                Escaped(&found.subject),
                found.status.name(),
                found.status,
                Escaped(&found.found),
            )
        };
        outcome.findings.iter().map(row).collect::<Vec<_>>()
    };
    let rows: Vec<_> = report.results.iter().flat_map(found).collect();
    if rows.is_empty() {
        return "<h2>Findings</h2>\n<p>None.</p>\n".to_owned();
    }
    table("", "Findings", &["Control", "Where", "Status", "Found"], rows.into_iter())
}

/// Every tenant with every control that is told of tenants.
fn matrix(report: &Report) -> String {
    let of_tenants: Vec<_> = report.results.iter().filter(|outcome| outcome.of_tenants).collect();
    let statuses: Vec<BTreeMap<&str, Status>> = of_tenants
        .iter()
        .map(|outcome| outcome.findings.iter().map(|found| (found.subject.as_str(), found.status)).collect())
        .collect();
    let row = |tenant: &String| {
        let cells: String = statuses
            .iter()
            .map(|statuses| match statuses.get(tenant.as_str()) {
                None => "<td>pass</td>".to_owned(),
                Some(status) => {
                    let words = status.to_string().replace(' ', "<br>");
                    format!("<td class=\"{}\">{words}</td>", status.name())
                }
            })
            .collect();
        format!("<th scope=\"row\">{}</th>{cells}", Escaped(tenant))
    };
    let ids = of_tenants.iter().map(|outcome| format!("<span>{}</span>", outcome.id));
    let heads: Vec<String> = std::iter::once("Tenant".to_owned()).chain(ids).collect();
    let caption = format!("Tenant by tenant: {}", counted(report.tenants.len() as u64, TENANTS));
    table(" class=\"matrix\"", &caption, &heads, report.tenants.iter().map(row))
}

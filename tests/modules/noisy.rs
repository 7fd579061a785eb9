//! `cargo noisy-neighbour` in its shortest form: it comes to an end and tells what it saw. How long
//! anything took is not asserted.

use std::path::Path;

#[path = "../noisy_neighbour/simulation/mod.rs"]
mod simulation;

use crate::stub::PGTENANT;
use crate::support::pgbouncer::find_pgbouncer;
use crate::support::skip;

#[test]
fn it_ends_with_a_table_and_a_picture() {
    let there = simulation::find_pgbench().and_then(|_| find_pgbouncer());
    if let Err(reason) = there {
        return skip("noisy::it_ends_with_a_table_and_a_picture", &reason);
    }
    let report =
        simulation::play(Path::new(PGTENANT), *simulation::SECONDS.start(), *simulation::ROUNDS.start(), &|_| ())
            .unwrap();
    let (table, chart) = (report.table(), report.chart());
    let runs = ["without guardrails", "with the module's defaults", "with narrow guardrails", "narrow, with pgBouncer"];
    // Where this machine has no pg_cron, the report says so.
    let watched = "overridden, with the watchdog";
    let there = report.missing.iter().all(|missing| !missing.starts_with(watched));
    if !there {
        skip("noisy::it_ends_with_a_table_and_a_picture (watchdog)", &report.missing.join(", "));
    }
    let runs = runs.into_iter().chain(there.then_some(watched));
    for run in runs {
        assert_eq!(table.lines().filter(|line| line.starts_with(&format!("| {run} |"))).count(), 1, "{table}");
        assert!(chart.contains(&format!(">{run}</text>")), "{run}");
    }
    for wave in ["quiet", "connection storm", "heavy queries", "lock hoarding", "idle in transaction"] {
        let row = table.lines().find(|line| line.starts_with(&format!("| {wave} |")));
        assert!(row.is_some() && chart.contains(&format!(">{wave}</text>")), "{wave}: {table}");
    }
    assert!(table.starts_with("Done of what was due while the neighbour misbehaved: "), "{table}");
    assert_eq!(report.busy().is_some(), chart.contains("too busy"));
    assert!(chart.matches("<polyline").count() >= 4 && chart.trim_end().ends_with("</svg>"));
    // Self-contained: the namespace is the only address in it. And drawn by renderers that know no variables.
    assert_eq!(chart.matches("http").count(), 1);
    assert!(!chart.contains("var(") && !chart.contains("--"), "CSS variables are drawn black");
}

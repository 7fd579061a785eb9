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
    let report = simulation::play(Path::new(PGTENANT), *simulation::SECONDS.start(), &|_| ()).unwrap();
    let (table, chart) = (report.table(), report.chart());
    for run in ["without guardrails", "with guardrails", "with guardrails and pgBouncer"] {
        assert_eq!(table.lines().filter(|line| line.starts_with(&format!("| {run} |"))).count(), 1, "{table}");
        assert!(chart.contains(&format!(">{run}</text>")), "{run}");
    }
    for wave in ["quiet", "connection storm", "heavy queries", "lock hoarding", "idle in transaction"] {
        let row = table.lines().find(|line| line.starts_with(&format!("| {wave} |")));
        assert!(row.is_some() && chart.contains(&format!(">{wave}</text>")), "{wave}: {table}");
    }
    // Where nobody misbehaves everything is done.
    let quiet = table.lines().find(|line| line.starts_with("| quiet |")).unwrap();
    assert_eq!(quiet.matches(", 0 |").count(), 3, "{table}");
    assert!(chart.matches("<polyline").count() >= 3 && chart.trim_end().ends_with("</svg>"));
    // Self-contained: the namespace is the only address in it.
    assert_eq!(chart.matches("http").count(), 1);
}

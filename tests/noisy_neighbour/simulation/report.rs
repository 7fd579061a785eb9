//! What was measured, as a table.

use std::fmt::Write as _;

/// A transaction of the victim's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was due, in seconds since the run began.
    pub at: f64,
    /// From then to its end: with the wait for a connection.
    pub ms: f64,
}

pub struct Run {
    pub name: &'static str,
    /// In the order in which they were due.
    pub samples: Vec<Sample>,
    /// When a transaction failed, in seconds since the run began.
    pub failures: Vec<f64>,
}

pub struct Report {
    /// How long a wave lasts, in seconds.
    pub wave: f64,
    pub waves: Vec<&'static str>,
    pub runs: Vec<Run>,
    /// Why there is no run with pgBouncer.
    pub missing: Option<String>,
}

impl Report {
    /// The victim's latency while the other misbehaves, and then wave by wave.
    pub fn table(&self) -> String {
        let mut text = "The victim's transactions while its neighbour misbehaves:\n\n\
                        | run | done | failed | p50 ms | p95 ms | p99 ms |\n|---|---:|---:|---:|---:|---:|\n"
            .to_owned();
        // The first wave is the one in which nothing happens.
        let whole = self.wave..self.wave * self.waves.len() as f64;
        for run in &self.runs {
            let (latencies, failed) = run.within(&whole);
            let _ = write!(text, "| {} | {} | {failed} |", run.name, latencies.len());
            for rank in [50.0, 95.0, 99.0] {
                let _ = write!(text, " {} |", milliseconds(percentile(&latencies, rank)));
            }
            text.push('\n');
        }
        if let Some(reason) = &self.missing {
            let _ = writeln!(text, "\nNot run with pgBouncer: {reason}.");
        }
        text += "\nWave by wave, p95 in milliseconds, and how many failed:\n\n| wave |";
        for run in &self.runs {
            let _ = write!(text, " {} |", run.name);
        }
        let _ = write!(text, "\n|---|{}\n", "---:|".repeat(self.runs.len()));
        for (number, wave) in self.waves.iter().enumerate() {
            let _ = write!(text, "| {wave} |");
            for run in &self.runs {
                let began = self.wave * number as f64;
                let (latencies, failed) = run.within(&(began..began + self.wave));
                let _ = write!(text, " {}, {failed} |", milliseconds(percentile(&latencies, 95.0)));
            }
            text.push('\n');
        }
        text
    }
}

impl Run {
    /// The latencies in that part of the run, smallest first, and how many transactions failed in it.
    pub fn within(&self, part: &std::ops::Range<f64>) -> (Vec<f64>, usize) {
        let within = self.samples.iter().filter(|sample| part.contains(&sample.at));
        let mut latencies: Vec<f64> = within.map(|sample| sample.ms).collect();
        latencies.sort_by(f64::total_cmp);
        (latencies, self.failures.iter().filter(|at| part.contains(at)).count())
    }
}

/// By nearest rank; nothing of nothing.
pub fn percentile(sorted: &[f64], rank: f64) -> Option<f64> {
    let at = (rank / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(at.max(1) - 1).copied()
}

fn milliseconds(value: Option<f64>) -> String {
    match value {
        Some(ms) if ms < 100.0 => format!("{ms:.1}"),
        Some(ms) => format!("{ms:.0}"),
        None => "none done".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_what_was_measured() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        for (rank, expected) in [(50.0, 50.0), (95.0, 95.0), (99.0, 99.0), (100.0, 100.0), (0.0, 1.0)] {
            assert_eq!(percentile(&hundred, rank), Some(expected));
        }
        assert_eq!(percentile(&[7.0], 99.0), Some(7.0));
        assert_eq!(percentile(&[], 50.0), None);
    }
}

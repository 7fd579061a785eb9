//! What was measured, as a table, and in one sentence.

use std::fmt::Write as _;
use std::ops::Range;

use super::load::DUE;

/// A transaction of the victim's that was done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was due, in seconds since its run began.
    pub at: f64,
    /// From then to its end: with the wait for a connection.
    pub ms: f64,
}

pub struct Run {
    pub name: &'static str,
    /// Whether the victim connects to the server itself.
    pub direct: bool,
    /// Of all rounds.
    pub samples: Vec<Sample>,
}

pub struct Report {
    /// How long a wave lasts, and the pause after it, in seconds.
    pub wave: f64,
    pub pause: f64,
    pub waves: Vec<&'static str>,
    pub rounds: u32,
    pub runs: Vec<Run>,
    /// Which runs there are not, and why.
    pub missing: Vec<String>,
}

/// What the victim did in a part of a run.
pub struct Part {
    /// Smallest first.
    pub latencies: Vec<f64>,
    /// How many transactions were due, on average: pgbench spreads them at random.
    pub due: f64,
}

impl Part {
    /// In per cent of what was due.
    pub fn done(&self) -> f64 {
        (100.0 * self.latencies.len() as f64 / self.due).min(100.0)
    }

    pub fn p(&self, rank: f64) -> Option<f64> {
        percentile(&self.latencies, rank)
    }
}

/// Quiet runs that differ by more than this were not measured on the same machine, so to speak.
const SPREAD: f64 = 2.0;
/// And where nobody misbehaves, this is slow (ms), and this is little (per cent).
const SLOW: f64 = 100.0;
const LITTLE: f64 = 95.0;

impl Report {
    /// When the other does its wave of that number.
    pub fn span(&self, wave: usize) -> Range<f64> {
        let began = (self.wave + self.pause) * wave as f64;
        began..began + self.wave
    }

    pub fn length(&self) -> f64 {
        (self.wave + self.pause) * self.waves.len() as f64
    }

    pub fn part(&self, run: &Run, spans: &[Range<f64>]) -> Part {
        let within = |sample: &&Sample| spans.iter().any(|span| span.contains(&sample.at));
        let mut latencies: Vec<f64> = run.samples.iter().filter(within).map(|sample| sample.ms).collect();
        latencies.sort_by(f64::total_cmp);
        let seconds: f64 = spans.iter().map(|span| span.end - span.start).sum();
        Part { latencies, due: DUE * seconds * f64::from(self.rounds) }
    }

    /// While the other misbehaves; the first wave is the one in which nothing happens.
    pub fn misbehaving(&self, run: &Run) -> Part {
        let spans: Vec<_> = (1..self.waves.len()).map(|wave| self.span(wave)).collect();
        self.part(run, &spans)
    }

    pub fn headline(&self) -> String {
        let share = |run: &Run| format!("{:.0} % {}", self.misbehaving(run).done(), run.name);
        let shares: Vec<_> = self.runs.iter().map(share).collect();
        format!("Done of what was due while the neighbour misbehaved: {}.", shares.join(", "))
    }

    /// Whether the machine had other things to do: the runs in which nobody misbehaves are compared with each other.
    /// Through pgBouncer a connection costs less, so that run is not compared.
    pub fn busy(&self) -> Option<String> {
        let quiet = |run: &Run| self.part(run, &[self.span(0)]);
        let direct: Vec<_> = self.runs.iter().filter(|run| run.direct).map(|run| (run.name, quiet(run))).collect();
        let slowest = |part: &Part| part.p(95.0).unwrap_or(f64::INFINITY);
        let (best, least) = direct.iter().min_by(|a, b| slowest(&a.1).total_cmp(&slowest(&b.1)))?;
        let (worst, most) = direct.iter().max_by(|a, b| slowest(&a.1).total_cmp(&slowest(&b.1)))?;
        let idle = direct.iter().map(|(_, part)| part.done()).fold(100.0, f64::min);
        let (least, most) = (slowest(least), slowest(most));
        (most > SLOW || most > SPREAD * least || idle < LITTLE).then(|| {
            format!(
                "This machine was too busy: while nobody misbehaved, p95 was {} ms in one run ({best}) and {} ms in \
                 another ({worst}), and {idle:.0} % of what was due got done in the worst. The runs are not comparable. \
                 Run it again when nothing else runs.",
                milliseconds(Some(least)),
                milliseconds(Some(most))
            )
        })
    }

    /// The victim's latency while the other misbehaves, and then wave by wave.
    pub fn table(&self) -> String {
        let mut text = format!("{}\n", self.headline());
        if let Some(warning) = self.busy() {
            let _ = writeln!(text, "\n**{warning}**");
        }
        text += "\nThe victim's transactions while its neighbour misbehaves:\n\n\
                 | run | due | done | not done | p50 ms | p95 ms | p99 ms |\n|---|---:|---:|---:|---:|---:|---:|\n";
        for run in &self.runs {
            let part = self.misbehaving(run);
            let (due, done) = (part.due, part.latencies.len());
            let _ = write!(text, "| {} | {due:.0} | {done} | {:.0} % |", run.name, 100.0 - part.done());
            for rank in [50.0, 95.0, 99.0] {
                let _ = write!(text, " {} |", milliseconds(part.p(rank)));
            }
            text.push('\n');
        }
        for missing in &self.missing {
            let _ = writeln!(text, "\nNot run: {missing}.");
        }
        text += "\nWave by wave, p95 in milliseconds, and how much of what was due was not done:\n\n| wave |";
        for run in &self.runs {
            let _ = write!(text, " {} |", run.name);
        }
        let _ = write!(text, "\n|---|{}\n", "---:|".repeat(self.runs.len()));
        for (number, wave) in self.waves.iter().enumerate() {
            let _ = write!(text, "| {wave} |");
            for run in &self.runs {
                let part = self.part(run, &[self.span(number)]);
                let _ = write!(text, " {}, {:.0} % |", milliseconds(part.p(95.0)), 100.0 - part.done());
            }
            text.push('\n');
        }
        text
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
        None => "nothing done".to_owned(),
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

    /// A run in which a share of what is due is done in each wave, with one latency.
    fn run(report: &Report, name: &'static str, ms: f64, shares: [f64; 2]) -> Run {
        let each = |wave: usize| {
            let span = report.span(wave);
            let count = (DUE * report.wave * shares[wave]).round() as u32;
            (0..count).map(move |_| Sample { at: span.start, ms }).collect::<Vec<_>>()
        };
        Run { name, direct: true, samples: [each(0), each(1)].concat() }
    }

    fn report(runs: &[(&'static str, f64, [f64; 2])]) -> Report {
        let waves = vec!["quiet", "storm"];
        let mut report = Report { wave: 1.0, pause: 0.5, waves, rounds: 1, runs: Vec::new(), missing: Vec::new() };
        report.runs = runs.iter().map(|(name, ms, shares)| run(&report, name, *ms, *shares)).collect();
        report
    }

    #[test]
    fn what_was_not_done_is_counted_and_told_first() {
        let report = report(&[("ungoverned", 10.0, [1.0, 0.25]), ("governed", 11.0, [1.0, 1.0])]);
        assert_eq!(report.busy(), None);
        assert!(report.headline().ends_with(": 25 % ungoverned, 100 % governed."), "{}", report.headline());
        assert!(report.table().contains("| ungoverned | 80 | 20 | 75 % | 10.0 |"), "{}", report.table());
        assert!(report.table().contains("| storm | 10.0, 75 % | 11.0, 0 % |"), "{}", report.table());
    }

    #[test]
    fn a_machine_that_is_busy_is_told() {
        for runs in [
            [("one", 10.0, [1.0, 1.0]), ("other", 25.0, [1.0, 1.0])],
            [("one", 120.0, [1.0, 1.0]), ("other", 120.0, [1.0, 1.0])],
            [("one", 10.0, [0.9, 1.0]), ("other", 10.0, [1.0, 1.0])],
            [("one", 10.0, [0.0, 1.0]), ("other", 10.0, [1.0, 1.0])],
        ] {
            let report = report(&runs);
            assert!(report.busy().is_some_and(|text| report.table().contains(&text)), "{runs:?}");
        }
    }
}

//! `cargo noisy-neighbour`: what one tenant can do to another on a throwaway server, without guardrails,
//! with them, with the watchdog, and with pgBouncer. See `examples/noisy-neighbour/README.md`.

#[path = "../support/mod.rs"]
mod support;

mod simulation;

use std::path::Path;
use std::process::ExitCode;

use support::scratch;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const USAGE: &str = "usage: cargo noisy-neighbour [--seconds N] [--rounds M]
  --seconds N   seconds for each run, 5 to 300 (default: 30); its pauses take a third more
  --rounds M    how often each run is played, 1 to 9 (default: 3)";

fn main() -> ExitCode {
    let told = arguments(std::env::args().skip(1)).and_then(|(seconds, rounds)| play(seconds, rounds));
    // Ctrl-C needs nothing here: the scratch directory's watchdog outlives this process.
    scratch::clear();
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\n{error}");
            ExitCode::FAILURE
        }
    }
}

/// Seconds and rounds.
fn arguments(mut arguments: impl Iterator<Item = String>) -> Result<(u32, u32), String> {
    let (mut seconds, mut rounds) = (30, 3);
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        let (place, range) = match name.as_str() {
            "--seconds" => (&mut seconds, simulation::SECONDS),
            "--rounds" => (&mut rounds, simulation::ROUNDS),
            _ => return Err(USAGE.to_owned()),
        };
        *place = value.filter(|value| range.contains(value)).ok_or(USAGE)?;
    }
    Ok((seconds, rounds))
}

fn play(seconds: u32, rounds: u32) -> Result<(), String> {
    simulation::find_pgbench()?;
    println!("Building the provider.");
    let report =
        simulation::play(&support::built_provider("noisy-neighbour")?, seconds, rounds, &|line| println!("{line}"))?;
    let chart = Path::new(ROOT).join("target/noisy-neighbour.svg");
    std::fs::write(&chart, report.chart()).map_err(|error| format!("cannot write {}: {error}", chart.display()))?;
    println!("\n{}\nThe picture is in {}.", report.table(), chart.display());
    Ok(())
}

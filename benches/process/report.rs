//! What was measured: a table on the terminal, row by row as it comes, and all of it under `target/bench/` as JSON and as a picture.
//! Nothing here measures.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::plot::{self, Curve};

/// All figures of one run.
#[derive(Default)]
pub struct Report {
    figures: Vec<Value>,
    curves: Vec<Curve>,
    /// What is beyond its limit.
    failures: Vec<String>,
}

/// One measured quantity.
#[derive(Clone, Copy)]
pub enum Quantity {
    Time(Duration),
    Bytes(u64),
}

impl Quantity {
    /// In seconds or bytes.
    fn number(self) -> f64 {
        match self {
            Quantity::Time(time) => time.as_secs_f64(),
            Quantity::Bytes(bytes) => bytes as f64,
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Quantity::Time(_) => "s",
            Quantity::Bytes(_) => "B",
        }
    }
}

impl Display for Quantity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Quantity::Time(time) if *time < Duration::from_millis(1) => {
                write!(f, "{:.1} µs", time.as_secs_f64() * 1e6)
            }
            Quantity::Time(time) if *time < Duration::from_secs(1) => write!(f, "{:.1} ms", time.as_secs_f64() * 1e3),
            Quantity::Time(time) => write!(f, "{:.2} s", time.as_secs_f64()),
            Quantity::Bytes(bytes) => write!(f, "{:.1} MB", *bytes as f64 / 1e6),
        }
    }
}

impl Report {
    /// A figure without a floor.
    pub fn figure(&mut self, what: &str, value: Quantity, remark: &str) {
        row(what, &value.to_string(), remark);
        self.figures.push(json!({ "what": what, "value": value.number(), "unit": value.unit(), "remark": remark }));
    }

    /// A time beside a floor that was measured in the same run. A remark says more of it.
    pub fn against(&mut self, what: &str, value: Duration, floor: Duration, of: &str, remark: &str) {
        let ratio = value.as_secs_f64() / floor.as_secs_f64();
        let (value, floor) = (Quantity::Time(value), Quantity::Time(floor));
        row(what, &value.to_string(), &format!("{ratio:.2} x {of} ({floor})"));
        if !remark.is_empty() {
            row("", "", remark);
        }
        self.figures.push(json!({
            "what": what, "value": value.number(), "unit": value.unit(), "remark": remark,
            "floor": floor.number(), "floor_of": of, "ratio": ratio,
        }));
    }

    /// A quantity that must not be more than `limit`. The run goes on, and fails at its end.
    pub fn limited(&mut self, what: &str, value: Quantity, limit: Quantity) {
        row(what, &value.to_string(), &format!("limit {limit}"));
        if value.number() > limit.number() && !cfg!(debug_assertions) {
            self.failures.push(format!("{what}: {value}, and the limit is {limit}"));
        }
        self.figures
            .push(json!({ "what": what, "value": value.number(), "unit": value.unit(), "limit": limit.number() }));
    }

    /// What could not be measured, and why.
    pub fn missing(&mut self, what: &str, why: &str) {
        row(what, "-", why);
        self.figures.push(json!({ "what": what, "value": null, "remark": why }));
    }

    /// A point of the picture.
    pub fn point(&mut self, curve: &str, tenants: usize, time: Duration) {
        let point = (tenants as f64, time.as_secs_f64());
        match self.curves.iter_mut().find(|known| known.name == curve) {
            Some(known) => known.points.push(point),
            None => self.curves.push(Curve { name: curve.to_owned(), points: vec![point] }),
        }
    }

    /// Writes what was measured, and fails if anything is beyond its limit.
    pub fn publish(self) -> Result<(), String> {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
        let write = |name: &str, text: String| {
            let file = dir.join(name);
            fs::create_dir_all(&dir)
                .and_then(|()| fs::write(&file, text))
                .map_err(|error| format!("cannot write {}: {error}", file.display()))
        };
        let figures = json!({ "version": env!("CARGO_PKG_VERSION"), "figures": self.figures });
        write("figures.json", format!("{figures:#}\n"))?;
        write(
            "plans.svg",
            plot::draw("A plan in which nothing changes", "tenants with their guardrails", &self.curves),
        )?;
        println!("\nThe figures are in {0}/figures.json, the picture in {0}/plans.svg.", dir.display());
        if self.failures.is_empty() { Ok(()) } else { Err(self.failures.join("\n")) }
    }
}

fn row(what: &str, value: &str, remark: &str) {
    println!("{what:<44} {value:>10}   {remark}");
}

//! The picture: the victim's latency over time, one line for each run, and below it what failed. An SVG
//! that needs nothing beside itself and follows the reader's light or dark.

use std::fmt::Write as _;

use super::report::{Report, Run, percentile};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 560.0;
/// The plot's own frame.
const LEFT: f64 = 76.0;
const RIGHT: f64 = 940.0;
const TOP: f64 = 104.0;
const BOTTOM: f64 = 396.0;
/// The rows of failures below it.
const ROW: f64 = 30.0;

/// From Okabe and Ito's colours, which colour-blind readers can tell apart; a dash of its own for each.
const STYLE: &str = "
    svg { --ink: #1f2328; --soft: #59636e; --grid: #d1d9e0; --band: #f0f2f5; --paper: #ffffff;
          --a: #d55e00; --b: #0072b2; --c: #00805c; }
    @media (prefers-color-scheme: dark) {
      svg { --ink: #e6edf3; --soft: #9aa4af; --grid: #3d444d; --band: #1b222b; --paper: #0d1117;
            --a: #f28e4c; --b: #56b4e9; --c: #2fd0a0; }
    }
    text { font: 13px system-ui, sans-serif; fill: var(--ink); }
    .title { font-size: 17px; font-weight: 600; }
    .soft { fill: var(--soft); }
    .paper { fill: var(--paper); }
    .band { fill: var(--band); }
    .grid { stroke: var(--grid); }
    .line { fill: none; stroke-width: 2.25; stroke-linejoin: round; stroke-linecap: round; }
    .a.line { stroke: var(--a); } .b.line { stroke: var(--b); stroke-dasharray: 7 4; }
    .c.line { stroke: var(--c); stroke-dasharray: 1 5; stroke-width: 3; }
    .a.mark { fill: var(--a); } .b.mark { fill: var(--b); } .c.mark { fill: var(--c); }
";
const CLASSES: [&str; 3] = ["a", "b", "c"];

/// A part of the run, and what happened in it.
struct Bucket {
    middle: f64,
    p95: Option<f64>,
    failed: usize,
}

impl Report {
    pub fn chart(&self) -> String {
        let length = self.wave * self.waves.len() as f64;
        let width = (length / 60.0).max(0.25);
        let runs: Vec<(&str, &Run, Vec<Bucket>)> =
            CLASSES.into_iter().zip(&self.runs).map(|(class, run)| (class, run, buckets(run, length, width))).collect();
        let highest = runs.iter().flat_map(|(.., buckets)| buckets).filter_map(|bucket| bucket.p95);
        let decades = highest.fold(10.0, f64::max).log10().ceil().clamp(2.0, 6.0);
        let x = |seconds: f64| LEFT + (RIGHT - LEFT) * (seconds / length).clamp(0.0, 1.0);
        let y = |ms: f64| BOTTOM - (BOTTOM - TOP) * (ms.log10() / decades).clamp(0.0, 1.0);

        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-labelledby=\"title\">\n<title id=\"title\">Latency of a tenant whose neighbour misbehaves</title>\n\
             <style>{STYLE}</style>\n<rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n\
             <text class=\"title\" x=\"{LEFT}\" y=\"28\">Latency of a tenant whose neighbour misbehaves</text>\n"
        );
        let foot = BOTTOM + 40.0 + ROW * runs.len() as f64;
        self.bands(&mut svg, foot, &x);
        grid(&mut svg, decades, length, foot, &x, &y);
        let most = runs.iter().flat_map(|(.., buckets)| buckets).map(|bucket| bucket.failed).max().unwrap_or(0);
        for (number, (class, run, buckets)) in runs.iter().enumerate() {
            legend(&mut svg, number, class, run.name);
            for line in lines(buckets) {
                let points = line.iter().map(|(at, ms)| format!("{:.1},{:.1}", x(*at), y(*ms)));
                let points = points.collect::<Vec<_>>().join(" ");
                let _ = writeln!(svg, "<polyline class=\"{class} line\" points=\"{points}\"/>");
            }
            let base = BOTTOM + 26.0 + ROW * (number as f64 + 1.0);
            let _ = writeln!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{base}\" y2=\"{base}\"/>");
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{base}\" text-anchor=\"end\">{}</text>",
                LEFT - 10.0,
                run.failures.len()
            );
            for bucket in buckets.iter().filter(|bucket| bucket.failed > 0) {
                let height = (ROW - 8.0) * bucket.failed as f64 / most as f64;
                let (left, right) = (x(bucket.middle - width / 2.0), x(bucket.middle + width / 2.0));
                let _ = writeln!(
                    svg,
                    "<rect class=\"{class} mark\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
                    base - height,
                    (right - left - 1.0).max(1.0)
                );
            }
        }
        let _ = writeln!(
            svg,
            "<text class=\"soft\" transform=\"translate(20 {:.1}) rotate(-90)\" text-anchor=\"middle\">p95 of the \
             latency, ms</text>\n<text class=\"soft\" transform=\"translate(20 {:.1}) rotate(-90)\" \
             text-anchor=\"middle\">failed</text>\n<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\">time, s</text>\n</svg>",
            (TOP + BOTTOM) / 2.0,
            (BOTTOM + 26.0 + foot) / 2.0 - 7.0,
            (LEFT + RIGHT) / 2.0,
            foot + 34.0
        );
        svg
    }

    /// Every other wave on a ground of its own, each with its name above.
    fn bands(&self, svg: &mut String, foot: f64, x: &dyn Fn(f64) -> f64) {
        for (number, wave) in self.waves.iter().enumerate() {
            let (left, right) = (x(self.wave * number as f64), x(self.wave * (number as f64 + 1.0)));
            if number % 2 == 1 {
                let _ = writeln!(
                    svg,
                    "<rect class=\"band\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                    TOP - 24.0,
                    right - left,
                    foot - TOP + 24.0
                );
            }
            let _ = writeln!(
                svg,
                "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{wave}</text>",
                (left + right) / 2.0,
                TOP - 8.0
            );
        }
    }
}

fn legend(svg: &mut String, number: usize, class: &str, name: &str) {
    let left = LEFT + 250.0 * number as f64;
    let _ = writeln!(
        svg,
        "<line class=\"{class} line\" x1=\"{left}\" x2=\"{}\" y1=\"53\" y2=\"53\"/>\n<text x=\"{}\" y=\"57\">{name}</text>",
        left + 34.0,
        left + 42.0
    );
}

/// A line for each power of ten, and a mark for each round number of seconds.
fn grid(svg: &mut String, decades: f64, length: f64, foot: f64, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) {
    for decade in 0..=decades as i32 {
        let (ms, at) = (10_f64.powi(decade), y(10_f64.powi(decade)));
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\n\
             <text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{ms}</text>",
            LEFT - 10.0,
            at + 4.5
        );
    }
    let step = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].into_iter().find(|step| length / step <= 15.0).unwrap_or(100.0);
    for second in (0..).map(|number| f64::from(number) * step).take_while(|second| *second <= length) {
        let _ = writeln!(
            svg,
            "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{second}</text>",
            x(second),
            foot + 14.0
        );
    }
}

fn buckets(run: &Run, length: f64, width: f64) -> Vec<Bucket> {
    let count = (length / width).ceil() as u32;
    let bucket = |number: u32| {
        let began = f64::from(number) * width;
        let (latencies, failed) = run.within(&(began..began + width));
        Bucket { middle: began + width / 2.0, p95: percentile(&latencies, 95.0), failed }
    };
    (0..count).map(bucket).collect()
}

/// The stretches without a gap: where nothing was done there is nothing to draw. A point by itself is
/// drawn as a short line.
fn lines(buckets: &[Bucket]) -> Vec<Vec<(f64, f64)>> {
    let stretches = buckets.split(|bucket| bucket.p95.is_none()).filter(|stretch| !stretch.is_empty());
    let points = |stretch: &[Bucket]| {
        let mut points: Vec<_> =
            stretch.iter().filter_map(|bucket| Some((bucket.middle, bucket.p95?.max(1.0)))).collect();
        if let [(at, ms)] = points[..] {
            points.push((at + 0.05, ms));
        }
        points
    };
    stretches.map(points).collect()
}

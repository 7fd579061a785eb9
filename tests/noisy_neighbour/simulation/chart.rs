//! The picture: the victim's latency over time, one line for each run, and below it what was not done, as a share of
//! what was due. An SVG that needs nothing beside itself: plain colours, which every renderer draws, and others for
//! readers in the dark.

use std::fmt::Write as _;

use super::report::{Report, Run};

const WIDTH: f64 = 960.0;
/// The plot's own frame.
const LEFT: f64 = 92.0;
const RIGHT: f64 = 940.0;
const TOP: f64 = 168.0;
const BOTTOM: f64 = 460.0;
/// The rows of what was not done below it.
const ROW: f64 = 34.0;
/// The legend: entries of one row, and how far they are apart.
const COLUMNS: usize = 3;
const COLUMN: f64 = 288.0;

/// Each run has a colour that colour-blind readers can tell apart (from Okabe and Ito's, darker), and a dash of its own.
/// No CSS variables: renderers that know none would draw black.
const STYLE: &str = "
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-size: 17px; font-weight: 600; }
    .warning { font-weight: 600; fill: #a40e26; }
    .soft { fill: #59636e; }
    .paper { fill: #ffffff; }
    .band { fill: #f0f2f5; }
    .grid { stroke: #d1d9e0; }
    .line { fill: none; stroke-width: 2.25; stroke-linejoin: round; stroke-linecap: round; }
    .a.line { stroke: #d55e00; }
    .b.line { stroke: #a8457c; stroke-dasharray: 12 4 2 4; }
    .c.line { stroke: #0072b2; stroke-dasharray: 7 4; }
    .d.line { stroke: #6b6100; stroke-dasharray: 3 3; }
    .e.line { stroke: #00805c; stroke-dasharray: 1 5; stroke-width: 3; }
    .a.mark { fill: #d55e00; } .b.mark { fill: #a8457c; } .c.mark { fill: #0072b2; }
    .d.mark { fill: #6b6100; } .e.mark { fill: #00805c; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .warning { fill: #ff7b72; }
      .soft { fill: #9aa4af; }
      .paper { fill: #0d1117; }
      .band { fill: #1b222b; }
      .grid { stroke: #3d444d; }
      .a.line { stroke: #f28e4c; } .b.line { stroke: #e38fbd; } .c.line { stroke: #56b4e9; }
      .d.line { stroke: #d8c93a; } .e.line { stroke: #2fd0a0; }
      .a.mark { fill: #f28e4c; } .b.mark { fill: #e38fbd; } .c.mark { fill: #56b4e9; }
      .d.mark { fill: #d8c93a; } .e.mark { fill: #2fd0a0; }
    }
";
const CLASSES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A part of the run, and what happened in it.
struct Bucket {
    middle: f64,
    p95: Option<f64>,
    /// Of what was due, 0 to 1.
    undone: f64,
}

/// Seconds without a single transaction that are worth a word.
const WORTH_A_WORD: f64 = 1.0;

impl Report {
    pub fn chart(&self) -> String {
        let length = self.length();
        let runs: Vec<(&str, &Run, Vec<Bucket>)> =
            CLASSES.into_iter().zip(&self.runs).map(|(class, run)| (class, run, self.buckets(run))).collect();
        let highest = runs.iter().flat_map(|(.., buckets)| buckets).filter_map(|bucket| bucket.p95);
        let decades = highest.fold(10.0, f64::max).log10().ceil().clamp(2.0, 6.0);
        let x = |seconds: f64| LEFT + (RIGHT - LEFT) * (seconds / length).clamp(0.0, 1.0);
        let y = |ms: f64| BOTTOM - (BOTTOM - TOP) * (ms.log10() / decades).clamp(0.0, 1.0);
        let foot = BOTTOM + 40.0 + ROW * runs.len() as f64;

        let mut svg = self.head(foot + 52.0);
        self.bands(&mut svg, foot, &x);
        grid(&mut svg, decades, length, foot, &x, &y);
        for (number, (class, run, buckets)) in runs.iter().enumerate() {
            self.legend(&mut svg, number, class, run);
            for line in lines(buckets) {
                let points = line.iter().map(|(at, ms)| format!("{:.1},{:.1}", x(*at), y(*ms)));
                let points = points.collect::<Vec<_>>().join(" ");
                let _ = writeln!(svg, "<polyline class=\"{class} line\" points=\"{points}\"/>");
            }
            self.undone(&mut svg, number, class, run, buckets, &x);
        }
        let _ = writeln!(
            svg,
            "<text class=\"soft\" transform=\"translate(20 {:.1}) rotate(-90)\" text-anchor=\"middle\">p95 of the \
             latency, ms</text>\n<text class=\"soft\" transform=\"translate(20 {:.1}) rotate(-90)\" \
             text-anchor=\"middle\">not done, % of due</text>\n<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\">time, s</text>\n</svg>",
            (TOP + BOTTOM) / 2.0,
            (BOTTOM + 26.0 + foot) / 2.0,
            (LEFT + RIGHT) / 2.0,
            foot + 34.0
        );
        svg
    }

    /// The title, what came out, and whether it is to be believed.
    fn head(&self, height: f64) -> String {
        let title = "A tenant whose neighbour misbehaves";
        let result = match (self.runs.first(), self.runs.iter().max_by(|a, b| self.rank(a).total_cmp(&self.rank(b)))) {
            (Some(first), Some(best)) => format!(
                "Of what was due while it misbehaved, {:.0} % got done {}, {:.0} % {}.",
                self.rank(first),
                first.name,
                self.rank(best),
                best.name
            ),
            _ => String::new(),
        };
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
             aria-labelledby=\"title\">\n<title id=\"title\">{title}</title>\n<style>{STYLE}</style>\n\
             <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
             <text class=\"title\" x=\"{LEFT}\" y=\"28\">{title}</text>\n\
             <text x=\"{LEFT}\" y=\"50\">{result}</text>\n"
        );
        if self.busy().is_some() {
            let _ = writeln!(
                svg,
                "<text class=\"warning\" x=\"{LEFT}\" y=\"70\">The machine was too busy, as the quiet wave shows. \
                 Do not compare these lines.</text>"
            );
        }
        svg
    }

    fn rank(&self, run: &Run) -> f64 {
        self.misbehaving(run).done()
    }

    /// Each wave on a ground of its own, with its name above; between them are the pauses.
    fn bands(&self, svg: &mut String, foot: f64, x: &dyn Fn(f64) -> f64) {
        for (number, wave) in self.waves.iter().enumerate() {
            let span = self.span(number);
            let (left, right) = (x(span.start), x(span.end));
            let _ = writeln!(
                svg,
                "<rect class=\"band\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>\n\
                 <text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{wave}</text>",
                TOP - 24.0,
                right - left,
                foot - TOP + 24.0,
                (left + right) / 2.0,
                TOP - 8.0
            );
        }
    }

    fn legend(&self, svg: &mut String, number: usize, class: &str, run: &Run) {
        let left = LEFT + COLUMN * (number % COLUMNS) as f64;
        let base = 96.0 + 22.0 * (number / COLUMNS) as f64;
        let _ = writeln!(
            svg,
            "<line class=\"{class} line\" x1=\"{left}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>\n<text x=\"{}\" \
             y=\"{base}\">{}</text>",
            left + 34.0,
            base - 4.0,
            base - 4.0,
            left + 42.0,
            run.name
        );
    }

    /// A row of bars, full where nothing was done; at its left the share of the whole time in which somebody misbehaved.
    fn undone(
        &self,
        svg: &mut String,
        number: usize,
        class: &str,
        run: &Run,
        buckets: &[Bucket],
        x: &dyn Fn(f64) -> f64,
    ) {
        let width = self.width();
        let base = BOTTOM + 26.0 + ROW * (number as f64 + 1.0);
        let full = ROW - 8.0;
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{base}\" y2=\"{base}\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} %</text>",
            LEFT - 10.0,
            base - 4.0,
            100.0 - self.rank(run)
        );
        // Below that it is the chance by which pgbench spreads what is due.
        for bucket in buckets.iter().filter(|bucket| bucket.undone > 0.25) {
            let height = full * bucket.undone;
            let (left, right) = (x(bucket.middle - width / 2.0), x(bucket.middle + width / 2.0));
            let _ = writeln!(
                svg,
                "<rect class=\"{class} mark\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
                base - height,
                (right - left - 1.0).max(1.0)
            );
        }
        for gap in buckets.chunk_by(|a, b| a.p95.is_none() && b.p95.is_none()) {
            let [first, .., last] = gap else { continue };
            if first.p95.is_none() && last.middle - first.middle + width >= WORTH_A_WORD {
                let _ = writeln!(
                    svg,
                    "<text class=\"{class} mark\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">nothing done</text>",
                    x((first.middle + last.middle) / 2.0),
                    TOP + 16.0 + 16.0 * number as f64
                );
            }
        }
    }

    /// Of a bucket, in seconds.
    fn width(&self) -> f64 {
        (self.length() / 60.0).max(0.25)
    }

    fn buckets(&self, run: &Run) -> Vec<Bucket> {
        let width = self.width();
        let count = (self.length() / width).ceil() as u32;
        let bucket = |number: u32| {
            let began = f64::from(number) * width;
            let part = self.part(run, &[began..began + width]);
            Bucket { middle: began + width / 2.0, p95: part.p(95.0), undone: 1.0 - part.done() / 100.0 }
        };
        (0..count).map(bucket).collect()
    }
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

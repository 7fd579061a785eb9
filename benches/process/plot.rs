//! A picture of times over a number of things, both on a scale of decades: a straight line at 45 degrees grows as the number does.
//! An SVG that needs nothing beside itself.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 480.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 400.0;

/// Colours that colour-blind readers can tell apart, and others for the dark. No CSS variables: some renderers know none.
const STYLE: &str = "
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-size: 17px; font-weight: 600; }
    .soft { fill: #59636e; }
    .paper { fill: #ffffff; }
    .grid { stroke: #d1d9e0; }
    .line { fill: none; stroke-width: 2.25; stroke-linejoin: round; }
    .a { stroke: #59636e; } .b { stroke: #0072b2; } .c { stroke: #d55e00; } .d { stroke: #00805c; }
    .b.line { stroke-dasharray: 8 4; } .c.line { stroke-dasharray: 3 3; } .d.line { stroke-dasharray: 1 5; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .soft { fill: #9aa4af; }
      .paper { fill: #0d1117; }
      .grid { stroke: #3d444d; }
      .a { stroke: #9aa4af; } .b { stroke: #56b4e9; } .c { stroke: #f28e4c; } .d { stroke: #2fd0a0; }
    }
";
const CLASSES: [&str; 4] = ["a", "b", "c", "d"];

/// A line of the picture.
pub struct Curve {
    pub name: String,
    /// Number of things, seconds.
    pub points: Vec<(f64, f64)>,
}

/// One axis: from a power of ten to another.
struct Decades {
    first: i32,
    last: i32,
}

impl Decades {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = values.fold((f64::MAX, f64::MIN), |(least, most), v| (least.min(v), most.max(v)));
        if least > most || least <= 0.0 {
            return Decades { first: 0, last: 1 };
        }
        let first = least.log10().floor() as i32;
        Decades { first, last: (most.log10().ceil() as i32).max(first + 1) }
    }

    /// 0 to 1.
    fn share(&self, value: f64) -> f64 {
        (value.log10() - f64::from(self.first)) / f64::from(self.last - self.first)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.first..=self.last).map(|power| 10f64.powi(power))
    }
}

pub fn draw(title: &str, things: &str, curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let (across, up) = (Decades::of(points().map(|p| p.0)), Decades::of(points().map(|p| p.1)));
    let x = |value: f64| LEFT + (RIGHT - LEFT) * across.share(value);
    let y = |value: f64| BOTTOM - (BOTTOM - TOP) * up.share(value);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-labelledby=\"title\">\n<title id=\"title\">{title}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"30\">{title}</text>\n"
    );
    for tick in across.ticks() {
        let at = x(tick);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{BOTTOM}\"/>\
             <text class=\"soft\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>",
            BOTTOM + 20.0
        );
    }
    for tick in up.ticks() {
        let at = y(tick);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\"/>\
             <text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{tick} s</text>",
            LEFT - 8.0,
            at + 4.0
        );
    }
    let _ = writeln!(
        svg,
        "<text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{things}</text>",
        (LEFT + RIGHT) / 2.0,
        BOTTOM + 42.0
    );
    for ((number, curve), class) in curves.iter().enumerate().zip(CLASSES) {
        let line: Vec<String> = curve.points.iter().map(|(a, b)| format!("{:.1},{:.1}", x(*a), y(*b))).collect();
        let key = TOP + 12.0 + 26.0 * number as f64;
        let _ = writeln!(
            svg,
            "<polyline class=\"{class} line\" points=\"{}\"/>\
             <line class=\"{class} line\" x1=\"{:.1}\" y1=\"{key}\" x2=\"{:.1}\" y2=\"{key}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            line.join(" "),
            RIGHT + 24.0,
            RIGHT + 64.0,
            RIGHT + 74.0,
            key + 4.0,
            curve.name
        );
    }
    svg + "</svg>\n"
}

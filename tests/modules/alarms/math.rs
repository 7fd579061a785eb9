//! CloudWatch's metric math, as far as the modules' alarms use it: numbers, ids, `+ - * /`, one comparison, `IF`, `RATE`
//! of an id, and `DB_PERF_INSIGHTS`. What is computed from something missing is missing.

type Lookup<'a> = dyn Fn(&str) -> Option<f64> + 'a;
type Counter<'a> = dyn Fn(&str, &str) -> Option<f64> + 'a;

/// `id` is asked for the queries that the expression names, `rate` for how much one changes in a second, `counter` for a
/// resource's counter.
pub fn evaluate(text: &str, id: &Lookup, rate: &Lookup, counter: &Counter) -> Option<f64> {
    let mut parser = Parser { text, rest: text, id, rate, counter };
    let value = parser.comparison();
    assert!(parser.rest.trim().is_empty(), "{:?} is left of {text}", parser.rest);
    value
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    id: &'a Lookup<'a>,
    rate: &'a Lookup<'a>,
    counter: &'a Counter<'a>,
}

impl<'a> Parser<'a> {
    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start().strip_prefix(token);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn needs(&mut self, token: &str) {
        assert!(self.takes(token), "{token} should be before {:?} in {}", self.rest, self.text);
    }

    fn word(&mut self) -> &'a str {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_alphanumeric() && !"_.".contains(c)).unwrap_or(rest.len());
        self.rest = &rest[end..];
        &rest[..end]
    }

    fn quoted(&mut self) -> &'a str {
        self.needs("'");
        let (quoted, rest) = self.rest.split_once('\'').unwrap_or_else(|| panic!("no end of a text in {}", self.text));
        self.rest = rest;
        quoted
    }

    fn comparison(&mut self) -> Option<f64> {
        let left = self.sum();
        let holds: fn(f64, f64) -> bool = match () {
            () if self.takes(">=") => |a, b| a >= b,
            () if self.takes("<=") => |a, b| a <= b,
            () if self.takes(">") => |a, b| a > b,
            () if self.takes("<") => |a, b| a < b,
            () => return left,
        };
        let right = self.sum();
        Some(f64::from(u8::from(holds(left?, right?))))
    }

    fn sum(&mut self) -> Option<f64> {
        let mut value = self.product();
        loop {
            let apply: fn(f64, f64) -> f64 = match () {
                () if self.takes("+") => |a, b| a + b,
                () if self.takes("-") => |a, b| a - b,
                () => return value,
            };
            let right = self.product();
            value = value.and_then(|left| Some(apply(left, right?)));
        }
    }

    fn product(&mut self) -> Option<f64> {
        let mut value = self.atom();
        loop {
            let apply: fn(f64, f64) -> f64 = match () {
                () if self.takes("*") => |a, b| a * b,
                () if self.takes("/") => |a, b| a / b,
                () => return value,
            };
            let right = self.atom();
            value = value.and_then(|left| Some(apply(left, right?)));
        }
    }

    fn atom(&mut self) -> Option<f64> {
        if self.takes("(") {
            let value = self.comparison();
            self.needs(")");
            return value;
        }
        match self.word() {
            "IF" => {
                self.needs("(");
                let condition = self.comparison();
                self.needs(",");
                let then = self.comparison();
                self.needs(",");
                let otherwise = self.comparison();
                self.needs(")");
                if condition? == 0.0 { otherwise } else { then }
            }
            "RATE" => {
                self.needs("(");
                let of = self.word();
                self.needs(")");
                (self.rate)(of)
            }
            "DB_PERF_INSIGHTS" => {
                self.needs("(");
                assert_eq!(self.quoted(), "RDS");
                self.needs(",");
                let resource = self.quoted();
                self.needs(",");
                let counter = self.quoted();
                self.needs(")");
                (self.counter)(resource, counter)
            }
            "" => panic!("a value should be before {:?} in {}", self.rest, self.text),
            number if number.starts_with(|c: char| c.is_ascii_digit()) => {
                Some(number.parse().unwrap_or_else(|error| panic!("{number} in {}: {error}", self.text)))
            }
            id => (self.id)(id),
        }
    }
}

#[test]
fn expressions() {
    let id = |id: &str| match id {
        "reads" => Some(30.0),
        "writes" => Some(6.0),
        _ => None,
    };
    let rate = |id: &str| (id == "reads").then_some(0.5);
    let counter = |resource: &str, counter: &str| (resource == "db-A" && counter == "db.a.avg").then_some(7.0);
    let check =
        |text: &str, expected: Option<f64>| assert_eq!(evaluate(text, &id, &rate, &counter), expected, "{text}");
    check("100 * (reads + writes) / 72", Some(50.0));
    check("reads - writes - 4", Some(20.0));
    check("reads + none", None);
    check("IF(reads > 29.5, writes, 1)", Some(6.0));
    check("IF(reads <= 29.5, none, 1)", Some(1.0));
    check("IF(none > 1, 2, 3)", None);
    check("IF(reads > 30, 0, 300 * RATE(reads))", Some(150.0));
    check("RATE(none)", None);
    check("DB_PERF_INSIGHTS('RDS', 'db-A', 'db.a.avg')", Some(7.0));
    check("DB_PERF_INSIGHTS('RDS', 'db-B', 'db.a.avg')", None);
}

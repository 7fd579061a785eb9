//! `tracing` events as hclog's JSON lines on stderr, which Terraform reads and shows at their level.

use std::fmt;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value as Json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};

use super::shown::shown;

/// What carries our messages speaks of little but their bytes, which may hold secrets; and the SDK of AWS shows whole requests. Each
/// stands for all targets that begin so.
const TRANSPORT: [&str; 6] = ["aws_", "h2", "hyper", "tonic", "tower", "rustls"];

/// Logs from now on what `level` lets through: the value of `TF_LOG_PROVIDER` or `TF_LOG`.
/// Does nothing if it is off, or if the process logs already.
pub fn start(level: Option<&str>) {
    let level = filter(level);
    if level == LevelFilter::OFF {
        return;
    }
    let transport = TRANSPORT.map(|target| (target, level.min(LevelFilter::WARN)));
    let targets = Targets::new().with_default(level).with_targets(transport);
    let subscriber = tracing_subscriber::registry().with(Hclog.with_filter(targets));
    // An error means that somebody was first, a test perhaps; it is their log then.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Terraform's level names in any case. `JSON` is its word for trace in another format.
fn filter(level: Option<&str>) -> LevelFilter {
    match level.unwrap_or_default().to_ascii_uppercase().as_str() {
        "TRACE" | "JSON" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "INFO" => LevelFilter::INFO,
        "WARN" => LevelFilter::WARN,
        "ERROR" => LevelFilter::ERROR,
        _ => LevelFilter::OFF,
    }
}

struct Hclog;

impl<S: Subscriber> Layer<S> for Hclog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let level = match *metadata.level() {
            Level::TRACE => "trace",
            Level::DEBUG => "debug",
            Level::INFO => "info",
            Level::WARN => "warn",
            Level::ERROR => "error",
        };
        write_line(level, &fields.message, &metadata.target().replace("::", "."), fields.others);
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Json>,
}

impl Fields {
    fn set(&mut self, field: &Field, value: Json) {
        match (field.name(), value) {
            ("message", Json::String(text)) => self.message = text,
            (name, value) => {
                self.others.insert(name.to_owned(), value);
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }
}

/// One line in one write, so that lines of several threads do not mix.
pub(super) fn write_line(level: &str, message: &str, module: &str, fields: Map<String, Json>) {
    let line = line(level, message, module, SystemTime::now(), fields);
    // If nobody reads stderr any more, there is nobody to tell.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

fn line(level: &str, message: &str, module: &str, at: SystemTime, fields: Map<String, Json>) -> String {
    let mut all = fields;
    for value in all.values_mut() {
        if let Json::String(text) = value {
            *text = shown(text);
        }
    }
    all.insert("@level".into(), level.into());
    all.insert("@message".into(), shown(message).into());
    all.insert("@module".into(), module.into());
    all.insert("@timestamp".into(), timestamp(at).into());
    format!("{}\n", Json::Object(all))
}

/// RFC 3339 with microseconds, in UTC.
fn timestamp(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z", since.subsec_micros())
}

/// The Gregorian date of a day counted from 1970-01-01. Years are counted from March, so that the
/// leap day is the last of its year and months follow one formula.
/// <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468; // from 0000-03-01
    const DAYS_IN_ERA: u64 = 146_097; // 400 years
    let days = days + DAYS_TO_1970;
    let (era, day_of_era) = (days / DAYS_IN_ERA, days % DAYS_IN_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_foreign_in_a_line_is_made_safe() {
        let mut fields = Map::new();
        fields.insert("database".into(), "d\u{9b}".into());
        assert_eq!(
            line("info", "\u{1b}[2J\u{202e}", "a", UNIX_EPOCH, fields),
            "{\"@level\":\"info\",\"@message\":\"\\\\u{1b}[2J\\\\u{202e}\",\"@module\":\"a\",\
             \"@timestamp\":\"1970-01-01T00:00:00.000000Z\",\"database\":\"d\\\\u{9b}\"}\n"
        );
    }

    #[test]
    fn timestamps() {
        let check = |micros: u64, text: &str| {
            assert_eq!(timestamp(UNIX_EPOCH + Duration::from_micros(micros)), text);
        };
        check(0, "1970-01-01T00:00:00.000000Z");
        check(951_782_399_000_001, "2000-02-28T23:59:59.000001Z");
        check(951_782_400_000_000, "2000-02-29T00:00:00.000000Z");
        check(1_709_251_199_999_999, "2024-02-29T23:59:59.999999Z");
        check(4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z");
        check(1_798_761_599_000_000, "2026-12-31T23:59:59.000000Z");
    }

    #[test]
    fn a_line_is_what_hclog_reads() {
        let mut fields = Map::new();
        fields.insert("rows".into(), 3.into());
        assert_eq!(
            line("info", "two\nlines", "a.b", UNIX_EPOCH, fields),
            "{\"@level\":\"info\",\"@message\":\"two\\nlines\",\"@module\":\"a.b\",\
             \"@timestamp\":\"1970-01-01T00:00:00.000000Z\",\"rows\":3}\n"
        );
    }

    #[test]
    fn levels() {
        let check = |text: Option<&str>, level| assert_eq!(filter(text), level, "{text:?}");
        check(None, LevelFilter::OFF);
        check(Some(""), LevelFilter::OFF);
        check(Some("off"), LevelFilter::OFF);
        check(Some("debug"), LevelFilter::DEBUG);
        check(Some("JSON"), LevelFilter::TRACE);
        check(Some("WARN"), LevelFilter::WARN);
    }
}

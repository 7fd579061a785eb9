//! Server parameters: their names, and durations in the units that PostgreSQL takes.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use super::guc;

/// A duration parameter's value: whole milliseconds, 0 = off.
///
/// Written as PostgreSQL writes it: a number and one of `ms`, `s`, `min`, `h`, `d`. A bare number is
/// refused, for nobody can tell whether it means seconds or milliseconds.
///
/// <https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-NAMES-VALUES>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(i32);

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDuration {
    #[error("{0:?} is not a duration: write a number and one of the units ms, s, min, h, d, as in \"30s\" or \"5min\"")]
    NotANumber(String),
    #[error("{0:?} has no unit: write \"{0}s\" or \"{0}ms\"")]
    NoUnit(String),
    #[error("{0:?} is not a unit: the units are ms, s, min, h, d")]
    UnknownUnit(String),
    #[error("a duration is not negative; \"0\" switches the limit off")]
    Negative,
    #[error(
        "{0:?} is under one millisecond, which PostgreSQL rounds to 0, and 0 means no limit: write \"0\" if that is meant"
    )]
    UnderOneMillisecond(String),
    #[error(
        "PostgreSQL reads {0:?} as {1}: a leading zero makes a number octal, and a fraction is rounded to the next smaller \
         unit. Write \"{1}\" if that is meant"
    )]
    ReadOtherwise(String, Duration),
    #[error("{0:?} is longer than PostgreSQL takes: 2147483647 ms, some 24 days")]
    TooLong(String),
}

impl Duration {
    pub const OFF: Duration = Duration(0);

    /// Whole milliseconds; a negative number becomes 0.
    pub const fn from_millis(millis: i32) -> Self {
        Duration(if millis < 0 { 0 } else { millis })
    }

    pub const fn as_millis(self) -> i32 {
        self.0
    }

    /// Reads a value as PostgreSQL reads what a catalog keeps, where a bare number means milliseconds. `None` if
    /// it cannot be read, which does not mean that nothing is set.
    pub fn from_catalog(text: &str) -> Option<Self> {
        guc::milliseconds(text).map(Duration)
    }
}

impl FromStr for Duration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let not_a_number = || InvalidDuration::NotANumber(text.to_owned());
        let spelled = text.trim_matches(guc::is_space);
        let end =
            spelled.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(spelled.len());
        let (number, unit) = spelled.split_at(end);
        let (number, unit) =
            (number.parse::<f64>().map_err(|_| not_a_number())?, unit.trim_start_matches(guc::is_space));
        if number < 0.0 {
            return Err(InvalidDuration::Negative);
        }
        if unit.is_empty() && number != 0.0 {
            return Err(InvalidDuration::NoUnit(spelled.to_owned()));
        }
        let factor = if unit.is_empty() { Some(0.0) } else { guc::unit(unit) };
        let millis = number * factor.ok_or_else(|| InvalidDuration::UnknownUnit(unit.to_owned()))?;
        if millis > 0.0 && millis < 1.0 {
            return Err(InvalidDuration::UnderOneMillisecond(text.to_owned()));
        }
        let millis = millis.round_ties_even();
        if millis > f64::from(i32::MAX) {
            return Err(InvalidDuration::TooLong(text.to_owned()));
        }
        match Self::from_catalog(text) {
            Some(read) if f64::from(read.0) == millis => Ok(read),
            Some(read) => Err(InvalidDuration::ReadOtherwise(text.to_owned(), read)),
            None => Err(not_a_number()),
        }
    }
}

/// The largest unit that divides it: `1min`, `90s`, `1500ms`, `0`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, millis) in [("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)] {
            if self.0 != 0 && self.0 % millis == 0 {
                return write!(f, "{}{unit}", self.0 / millis);
            }
        }
        match self.0 {
            0 => f.write_str("0"),
            millis => write!(f, "{millis}ms"),
        }
    }
}

/// The name of a server parameter: letters, digits, `_` and `$`, and dots for an extension's. Kept as
/// it is spelled (`TimeZone`), and compared as PostgreSQL does: in any case.
#[derive(Clone, Debug)]
pub struct ParameterName(String);

impl PartialEq for ParameterName {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ParameterName {}

impl PartialOrd for ParameterName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ParameterName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.to_ascii_lowercase().cmp(&other.0.to_ascii_lowercase())
    }
}

/// Why a text is not a parameter's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a parameter")]
pub struct InvalidParameterName(String);

impl ParameterName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in SQL: each part in double quotes.
    pub fn quoted(&self) -> String {
        self.0.split('.').map(postgres_protocol::escape::escape_identifier).collect::<Vec<_>>().join(".")
    }
}

impl FromStr for ParameterName {
    type Err = InvalidParameterName;

    fn from_str(text: &str) -> Result<Self, InvalidParameterName> {
        let valid = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$'))
        };
        if text.len() <= super::name::MAX_BYTES && text.split('.').all(valid) {
            Ok(ParameterName(text.to_owned()))
        } else {
            Err(InvalidParameterName(text.to_owned()))
        }
    }
}

impl fmt::Display for ParameterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_in_postgres_units() {
        let millis = |text: &str| text.parse::<Duration>().map(Duration::as_millis);
        assert_eq!(millis("30s"), Ok(30_000));
        assert_eq!(millis("30 s"), Ok(30_000));
        assert_eq!(millis("0.5min"), Ok(30_000));
        assert_eq!(millis("1h"), Ok(3_600_000));
        assert_eq!(millis("1d"), Ok(86_400_000));
        assert_eq!(millis("1500us"), Ok(2));
        assert_eq!(millis("0"), Ok(0));
        assert_eq!(millis("0s"), Ok(0));
        assert_eq!(millis("2147483647ms"), Ok(i32::MAX));
        assert_eq!(millis("400us"), Err(InvalidDuration::UnderOneMillisecond("400us".to_owned())));
        assert_eq!(millis("30"), Err(InvalidDuration::NoUnit("30".to_owned())));
        assert_eq!(millis("30sec"), Err(InvalidDuration::UnknownUnit("sec".to_owned())));
        assert_eq!(millis("30S"), Err(InvalidDuration::UnknownUnit("S".to_owned())));
        assert_eq!(millis("-1s"), Err(InvalidDuration::Negative));
        assert_eq!(millis("25d"), Err(InvalidDuration::TooLong("25d".to_owned())));
        let otherwise = |text: &str, millis| Err(InvalidDuration::ReadOtherwise(text.to_owned(), Duration(millis)));
        assert_eq!(millis("010s"), otherwise("010s", 8_000));
        assert_eq!(millis("0.5001min"), otherwise("0.5001min", 30_000));
        assert_eq!(millis("1.0001d"), otherwise("1.0001d", 86_400_000));
        for text in ["08s", " .5s", "5\u{a0}s", "24.855d"] {
            assert!(millis(text).is_err(), "{text:?}");
        }
        assert_eq!(
            "010s".parse::<Duration>().unwrap_err().to_string(),
            "PostgreSQL reads \"010s\" as 8s: a leading zero makes a number octal, and a fraction is rounded to the next \
             smaller unit. Write \"8s\" if that is meant"
        );
        assert_eq!(millis("soon"), Err(InvalidDuration::NotANumber("soon".to_owned())));
        assert_eq!(millis(""), Err(InvalidDuration::NotANumber(String::new())));
    }

    #[test]
    fn durations_are_written_in_the_largest_unit() {
        let text = |millis| Duration::from_millis(millis).to_string();
        assert_eq!(text(60_000), "1min");
        assert_eq!(text(90_000), "90s");
        assert_eq!(text(1_500), "1500ms");
        assert_eq!(text(0), "0");
        assert_eq!(text(172_800_000), "2d");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(millis in 0..=i32::MAX) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(duration.to_string().parse(), Ok(duration));
            prop_assert_eq!(Duration::from_catalog(&duration.to_string()), Some(duration));
        }

        #[test]
        fn what_users_may_write_is_read_by_postgresql_as_the_same(text in "[ +]?[0-9]{0,4}[.]?[0-9]{0,4}[ ]?(us|ms|s|min|h|d)?") {
            if let Ok(duration) = text.parse::<Duration>() {
                prop_assert_eq!(Duration::from_catalog(&text), Some(duration));
            }
        }
    }

    #[test]
    fn parameter_names_are_checked() {
        let quoted = |text: &str| text.parse::<ParameterName>().map(|name| name.quoted()).ok();
        assert_eq!(quoted("work_mem"), Some("\"work_mem\"".to_owned()));
        assert_eq!(quoted("TimeZone"), Some("\"TimeZone\"".to_owned()));
        assert_eq!("TimeZone".parse::<ParameterName>(), "timezone".parse());
        assert_eq!(quoted("app.tenant"), Some("\"app\".\"tenant\"".to_owned()));
        assert_eq!(quoted("a = 1; DROP"), None);
        assert_eq!(quoted(""), None);
        assert_eq!(quoted("a."), None);
    }
}

//! When a role's password expires (`VALID UNTIL`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// An instant in the years 1 to 9999 in whole microseconds, as PostgreSQL keeps them. Read as RFC 3339, and written so in UTC,
/// which PostgreSQL takes whatever `DateStyle` and `TimeZone` are.
///
/// <https://www.postgresql.org/docs/current/sql-createrole.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expiry(OffsetDateTime);

/// Why a text is not such an instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidExpiry {
    #[error("{0:?} is not a time by RFC 3339: write date, time and offset from UTC, as in \"2027-01-31T00:00:00Z\"")]
    NotATime(String),
    #[error(
        "{0:?} has parts of a microsecond, which PostgreSQL does not keep: write six digits or fewer after the point"
    )]
    TooFine(String),
    #[error("{0:?} is not in the years 1 to 9999 UTC. For a password that does not expire, leave it out")]
    OutOfRange(String),
}

impl Expiry {
    /// By the clock of this machine.
    pub fn has_passed(self) -> bool {
        self.0 <= OffsetDateTime::now_utc()
    }
}

impl FromStr for Expiry {
    type Err = InvalidExpiry;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidExpiry::NotATime(text.to_owned()))?;
        if time.nanosecond() % 1000 != 0 {
            return Err(InvalidExpiry::TooFine(text.to_owned()));
        }
        let time = time.checked_to_offset(UtcOffset::UTC).filter(|time| (1..=9999).contains(&time.year()));
        time.map(Expiry).ok_or_else(|| InvalidExpiry::OutOfRange(text.to_owned()))
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl TryFrom<String> for Expiry {
    type Error = InvalidExpiry;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Expiry> for String {
    fn from(expiry: Expiry) -> Self {
        expiry.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_has_many_spellings_and_one_text() {
        for (text, utc) in [
            ("2027-01-31T00:00:00Z", "2027-01-31T00:00:00Z"),
            ("2027-01-31t01:00:00+01:00", "2027-01-31T00:00:00Z"),
            ("2027-01-31 00:00:00-00:00", "2027-01-31T00:00:00Z"),
            ("2027-01-30T18:30:00.000-05:30", "2027-01-31T00:00:00Z"),
            // As the server writes fractions.
            ("2027-01-31T00:00:00.500Z", "2027-01-31T00:00:00.5Z"),
            ("2027-01-31T00:00:00.000001Z", "2027-01-31T00:00:00.000001Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ] {
            let expiry: Expiry = text.parse().unwrap();
            assert_eq!(expiry.to_string(), utc);
            assert_eq!(utc.parse(), Ok(expiry));
            assert_eq!(serde_json::from_str::<Expiry>(&serde_json::to_string(&expiry).unwrap()).unwrap(), expiry);
        }
        let passed = |text: &str| text.parse::<Expiry>().unwrap().has_passed();
        assert!(passed("2020-01-01T00:00:00Z") && !passed("9999-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in
            ["", "infinity", "-infinity", "2027-01-31", "2027-01-31T00:00:00", "2027-02-30T00:00:00Z", "tomorrow"]
        {
            assert_eq!(text.parse::<Expiry>(), Err(InvalidExpiry::NotATime(text.to_owned())));
        }
        for text in ["2027-01-31T00:00:00.0000001Z", "2016-12-31T23:59:60Z"] {
            assert_eq!(text.parse::<Expiry>(), Err(InvalidExpiry::TooFine(text.to_owned())));
        }
        for text in ["0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"] {
            assert_eq!(text.parse::<Expiry>(), Err(InvalidExpiry::OutOfRange(text.to_owned())));
        }
        assert!(serde_json::from_str::<Expiry>("\"never\"").is_err());
    }
}

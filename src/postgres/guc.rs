//! How PostgreSQL reads the value of a parameter that is a duration: `parse_int` of its `guc.c`. What it reads
//! otherwise than a person would (octal numbers, fractions of a unit) is read so here too.
//!
//! Held against real servers by `tests/acceptance/syntax.rs`.
//!
//! <https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-NAMES-VALUES>

/// The units of time with their milliseconds, largest first.
const UNITS: [(&str, f64); 6] =
    [("d", 86_400_000.0), ("h", 3_600_000.0), ("min", 60_000.0), ("s", 1_000.0), ("ms", 1.0), ("us", 1.0 / 1_000.0)];

/// What C's `isspace` takes for white space.
pub fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// The milliseconds of a unit.
pub fn unit(name: &str) -> Option<f64> {
    UNITS.iter().find(|(unit, _)| *unit == name).map(|(_, millis)| *millis)
}

/// The milliseconds that PostgreSQL reads where a bare number means milliseconds. `None` for what it refuses,
/// for less than 0, and for what not every build of it reads alike: hexadecimal fractions and binary numbers.
pub fn milliseconds(text: &str) -> Option<i32> {
    let (number, rest) = number(text)?;
    let name = rest.trim_matches(is_space);
    let value = if name.is_empty() { number } else { in_milliseconds(number, name)? };
    let whole = value.round_ties_even();
    #[allow(clippy::cast_possible_truncation)] // whole, and in range
    (0.0..=f64::from(i32::MAX)).contains(&whole).then_some(whole as i32)
}

/// A number of some unit, rounded to a multiple of the next smaller unit: `0.5001min` is 30 s.
fn in_milliseconds(number: f64, name: &str) -> Option<f64> {
    let at = UNITS.iter().position(|(unit, _)| *unit == name)?;
    let value = number * UNITS[at].1;
    Some(UNITS.get(at + 1).map_or(value, |(_, smaller)| (value / smaller).round_ties_even() * smaller))
}

/// The number that a text begins with, and what follows. As C's `strtol` with base 0 reads it, where 010 is 8 and 0x10
/// is 16; and where that stops at a fraction or an exponent or finds too many digits, as `strtod`.
fn number(text: &str) -> Option<(f64, &str)> {
    // Without a digit `strtol` stops where it began, before white space and sign.
    if text.starts_with('.') {
        return decimal(text);
    }
    let signed = text.trim_start_matches(is_space);
    let unsigned = signed.strip_prefix(['+', '-']).unwrap_or(signed);
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => (16, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => return None,
        [b'0', ..] => (8, unsigned),
        _ => (10, unsigned),
    };
    let (digits, rest) = split(digits, radix);
    if digits.is_empty() {
        return None;
    }
    let (number, rest) = match i64::from_str_radix(digits, radix) {
        #[allow(clippy::cast_precision_loss)] // as C does it
        Ok(integer) if !rest.starts_with(['.', 'e', 'E']) => (integer as f64, rest),
        _ if radix == 16 => return None,
        _ => decimal(unsigned)?,
    };
    Some((if signed.starts_with('-') { -number } else { number }, rest))
}

/// As `strtod` reads decimal digits, without a sign. What a double cannot hold is an error, not 0 or infinity.
fn decimal(text: &str) -> Option<(f64, &str)> {
    let (whole, rest) = split(text, 10);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), |rest| split(rest, 10));
    let exponent = rest.strip_prefix(['e', 'E']).and_then(|rest| {
        let (digits, rest) = split(rest.strip_prefix(['+', '-']).unwrap_or(rest), 10);
        (!digits.is_empty()).then_some(rest)
    });
    let rest = exponent.unwrap_or(rest);
    let number: f64 = text[..text.len() - rest.len()].parse().ok()?;
    let is_zero = whole.chars().chain(fraction.chars()).all(|digit| digit == '0');
    (number.is_normal() || is_zero).then_some((number, rest))
}

/// The digits that a text begins with, and the rest.
fn split(text: &str, radix: u32) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_digit(radix)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_as_the_server_reads_them() {
        for (text, millis) in [
            ("0", 0),
            ("30000", 30_000),
            ("1min", 60_000),
            ("30 s", 30_000),
            ("\t+30s\x0b", 30_000),
            ("2147483647", i32::MAX),
            ("2147483647499us", i32::MAX),
            // A leading zero makes it octal, unless there is a fraction or an exponent.
            ("010s", 8_000),
            ("0010000", 4_096),
            ("010.5s", 10_500),
            ("010e1s", 100_000),
            ("0x10", 16),
            ("0XfFs", 255_000),
            ("0x1e5", 485),
            // A fraction becomes a whole number of the next smaller unit.
            ("0.5min", 30_000),
            ("0.5001min", 30_000),
            ("1.23456min", 74_000),
            ("1.0001d", 86_400_000),
            (".5s", 500),
            ("5.", 5),
            ("1e3", 1_000),
            ("1.5E+1s", 15_000),
            ("99999999999999999999e-18s", 100_000),
            // To the even one.
            ("1500us", 2),
            ("2.5ms", 2),
            ("0.5", 0),
            ("400us", 0),
            ("-0", 0),
            ("-0.4ms", 0),
        ] {
            assert_eq!(milliseconds(text), Some(millis), "{text:?}");
        }
    }

    #[test]
    fn what_the_server_refuses_is_refused() {
        for text in [
            "",
            " ",
            "-",
            "s",
            "-1",
            "-1s",
            "nonsense",
            "inf",
            "nan",
            "08",
            "09s",
            "08.5",
            " .5s",
            "-.5s",
            "+.5",
            "1e",
            "1e+",
            "e5",
            ".",
            ".e5",
            "1e999",
            "1e-999",
            "1.5.5",
            "24.855d",
            "25d",
            "2147483648",
            "2147483647500us",
            "1 0",
            "1sec",
            "1S",
            "1mins",
            "1m s",
            "5s x",
            "5\u{a0}s",
            "\u{a0}5s",
            "5s\0",
            "1_000",
            "99999999999999999999",
            "0x",
            "0xg",
            "٣s",
        ] {
            assert_eq!(milliseconds(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_builds_read_differently_is_not_read() {
        for text in ["0b101", "0B1s", "0x1.8s", "0x1.8p1", "0xffffffffffffffffff"] {
            assert_eq!(milliseconds(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn whole_milliseconds_are_what_they_say(millis in 0..=i32::MAX) {
            prop_assert_eq!(milliseconds(&millis.to_string()), Some(millis));
            prop_assert_eq!(milliseconds(&format!("{millis}ms")), Some(millis));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = milliseconds(&text);
        }

        /// Nothing but its spelling tells two numbers apart: white space around number and unit does not count.
        #[test]
        fn white_space_does_not_count(number in "[0-9]{1,6}", unit in "(us|ms|s|min|h|d)?", space in "[ \t\n\r\x0b\x0c]{0,3}") {
            prop_assert_eq!(
                milliseconds(&format!("{space}{number}{space}{unit}{space}")),
                milliseconds(&format!("{number}{unit}"))
            );
        }
    }
}

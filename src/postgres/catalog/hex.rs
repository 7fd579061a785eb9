//! Bytes in hexadecimal digits: names and values that were written in any encoding, as text.

use serde::{Deserialize, Deserializer};

/// A text; what is not UTF-8 in it is replaced.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    decode(&String::deserialize(deserializer)?).ok_or_else(|| serde::de::Error::custom("not in hexadecimal digits"))
}

pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let digits = Option::<String>::deserialize(deserializer)?;
    let text = |digits: String| decode(&digits).ok_or_else(|| serde::de::Error::custom("not in hexadecimal digits"));
    digits.map(text).transpose()
}

pub(super) fn list<'de, D: Deserializer<'de>, L: FromIterator<String>>(deserializer: D) -> Result<L, D::Error> {
    let texts = Option::<Vec<String>>::deserialize(deserializer)?.unwrap_or_default();
    let text = |digits: &String| decode(digits).ok_or_else(|| serde::de::Error::custom("not in hexadecimal digits"));
    texts.iter().map(text).collect()
}

fn decode(digits: &str) -> Option<String> {
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let digit = |at: usize| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(digit).collect();
    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_as_text() {
        assert_eq!(decode("616263").as_deref(), Some("abc"));
        assert_eq!(decode("").as_deref(), Some(""));
        assert_eq!(decode("c3bc81ff").as_deref(), Some("ü\u{fffd}\u{fffd}"));
        assert_eq!(decode("6"), None);
        assert_eq!(decode("zz"), None);
    }
}

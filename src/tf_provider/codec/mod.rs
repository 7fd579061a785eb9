//! Values and types to bytes and back, as go-cty writes them. Pure; knows nothing of RPCs.
//!
//! Input is not trusted: nesting is limited, a claimed length allocates nothing, and whatever is
//! wrong is an [`Error`] with the path to the value.

pub mod json;
pub mod msgpack;
mod types;

use super::{Number, Path, Step, Type};

pub use types::{decode_type, encode_type};

/// Deeper values are refused. Terraform's own nest a handful of levels.
const MAX_DEPTH: usize = 100;

/// What is wrong with a value, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}{}: {why}", place(.path))]
pub struct Error {
    what: &'static str,
    why: String,
    path: Path,
}

impl Error {
    /// The way from the outermost value to the wrong one.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn place(path: &Path) -> String {
    if path.0.is_empty() { String::new() } else { format!(" at {path}") }
}

/// Where in a value the codec is; makes the errors.
#[derive(Default)]
struct Position(Vec<Step>);

impl Position {
    /// Runs `work` one step further in.
    fn within<T, W>(&mut self, step: Step, work: W) -> Result<T, Error>
    where
        W: FnOnce(&mut Self) -> Result<T, Error>,
    {
        self.0.push(step);
        if self.0.len() > MAX_DEPTH {
            return Err(self.error("too deep a value", format!("values nest at most {MAX_DEPTH} levels")));
        }
        let result = work(self)?;
        self.0.pop();
        Ok(result)
    }

    fn error(&self, what: &'static str, why: impl Into<String>) -> Error {
        Error { what, why: why.into(), path: Path(self.0.clone()) }
    }

    fn wrong_type(&self, expected: &Type, got: &str) -> Error {
        self.error("wrong type", format!("expected {}, got {got}", name(expected)))
    }
}

fn name(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "bool",
        Type::Number => "number",
        Type::String => "string",
        Type::Dynamic => "a value with its type",
        Type::List(_) => "list",
        Type::Set(_) => "set",
        Type::Map(_) => "map",
        Type::Object(_) => "object",
        Type::Tuple(_) => "tuple",
    }
}

/// The one way in which a number is held, so that equal numbers compare equal: `i64` if it fits,
/// then `f64`, then the text. `None` if it is not a number that Terraform has.
pub(super) fn number_from_float(number: f64) -> Option<Number> {
    const I64_END: f64 = 9_223_372_036_854_775_808.0; // 2^63; every whole float below it is an i64
    if number.is_nan() {
        return None;
    }
    if number.fract() == 0.0 && (-I64_END..I64_END).contains(&number) {
        #[allow(clippy::cast_possible_truncation)] // whole and in range, as just checked
        return Some(Number::Int(number as i64));
    }
    Some(Number::Float(number))
}

/// See [`number_from_float`]. A decimal becomes a float only if that float is written the same.
pub(super) fn number_from_text(text: &str) -> Option<Number> {
    if let Ok(number) = text.parse() {
        return Some(Number::Int(number));
    }
    let looks_decimal = text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    let float: f64 = text.parse().ok().filter(|_| looks_decimal)?;
    if float.is_finite() && float.to_string() == text {
        return number_from_float(float);
    }
    Some(Number::Decimal(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{decode_type, encode_type, json, msgpack};
    use crate::tf_provider::arbitrary::{self, Known};
    use crate::tf_provider::{Type, Value};

    fn typed(known: Known) -> impl Strategy<Value = (Type, Value)> {
        arbitrary::ty().prop_flat_map(move |ty| (Just(ty.clone()), arbitrary::value(&ty, known)))
    }

    proptest! {
        #[test]
        fn types_come_back_as_they_were(ty in arbitrary::ty()) {
            prop_assert_eq!(decode_type(&encode_type(&ty)).unwrap(), ty);
        }

        #[test]
        fn values_come_back_from_msgpack_as_they_were((ty, value) in typed(Known::Partly)) {
            prop_assert_eq!(msgpack::decode(&msgpack::encode(&value, &ty).unwrap(), &ty).unwrap(), value);
        }

        #[test]
        fn values_come_back_from_json_as_they_were((ty, value) in typed(Known::Wholly)) {
            let text = json::encode(&value, &ty).unwrap();
            prop_assert_eq!(json::decode(&text, &ty, json::Extra::Refuse).unwrap(), value);
        }

        #[test]
        fn bytes_are_read_or_refused(ty in arbitrary::ty(), bytes in any::<Vec<u8>>()) {
            let _ = msgpack::decode(&bytes, &ty);
            let _ = json::decode(&bytes, &ty, json::Extra::Drop);
        }
    }
}

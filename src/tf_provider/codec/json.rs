//! `DynamicValue.json` and `RawState.json`: go-cty's JSON mapping. JSON has no unknown values.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::msgpack::unexpected_attribute;
use super::types::{from_json, to_json};
use super::{Error, Position, number_from_text};
use crate::tf_provider::{Number, Step, Type, Value};

/// What to do with object attributes that the type does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    Refuse,
    /// State that another version wrote may hold attributes that are no more.
    Drop,
}

/// Parses the bytes first; see [`from_value`].
pub fn decode(bytes: &[u8], ty: &Type, extra: Extra) -> Result<Value, Error> {
    from_value(&parse(bytes)?, ty, extra)
}

/// JSON text, not yet steered by a type.
pub fn parse(bytes: &[u8]) -> Result<Json, Error> {
    serde_json::from_slice(bytes).map_err(|error| Position::default().error("malformed JSON", error.to_string()))
}

/// The value of type `ty` that this JSON stands for. Absent attributes are null.
pub fn from_value(json: &Json, ty: &Type, extra: Extra) -> Result<Value, Error> {
    read(&mut Position::default(), json, ty, extra)
}

/// The JSON of `value` as `ty`. An error means that the value is not wholly known, or does not
/// have that type.
pub fn encode(value: &Value, ty: &Type) -> Result<Vec<u8>, Error> {
    Ok(write(&mut Position::default(), value, ty)?.to_string().into_bytes())
}

fn read(at: &mut Position, json: &Json, ty: &Type, extra: Extra) -> Result<Value, Error> {
    Ok(match (ty, json) {
        (Type::Dynamic, Json::Object(parts)) => match (parts.get("type"), parts.get("value")) {
            (Some(ty), Some(value)) => {
                let ty = from_json(ty).map_err(|error| at.error("not a type", error.why))?;
                let value = at.within(Step::Attribute("value".into()), |at| read(at, value, &ty, extra))?;
                Value::Dynamic(Box::new((ty, value)))
            }
            _ => return Err(at.wrong_type(ty, "an object without one")),
        },
        (_, Json::Null) => Value::Null,
        (Type::Bool, Json::Bool(flag)) => Value::Bool(*flag),
        (Type::String, Json::String(text)) => Value::String(text.clone()),
        (Type::Number, Json::Number(number)) => read_number(at, &number.to_string())?,
        (Type::Number, Json::String(text)) => read_number(at, text)?,
        (Type::List(element) | Type::Set(element), Json::Array(values)) => {
            let read = |(index, json)| at.within(Step::Index(index), |at| read(at, json, element, extra));
            Value::List((0..).zip(values).map(read).collect::<Result<_, _>>()?)
        }
        (Type::Tuple(types), Json::Array(values)) if types.len() == values.len() => {
            let read = |(index, (json, ty))| at.within(Step::Index(index), |at| read(at, json, ty, extra));
            Value::List((0..).zip(values.iter().zip(types)).map(read).collect::<Result<_, _>>()?)
        }
        (Type::Map(element), Json::Object(values)) => {
            let read = |(key, json): (&String, _)| {
                let value = at.within(Step::Key(key.clone()), |at| read(at, json, element, extra))?;
                Ok((key.clone(), value))
            };
            Value::Map(values.iter().map(read).collect::<Result<_, _>>()?)
        }
        (Type::Object(types), Json::Object(values)) => {
            let unexpected = values.keys().find(|name| !types.contains_key(*name));
            if let (Extra::Refuse, Some(name)) = (extra, unexpected) {
                return Err(unexpected_attribute(at, name));
            }
            let read = |(name, ty): (&String, _)| {
                let json = values.get(name).unwrap_or(&Json::Null);
                let value = at.within(Step::Attribute(name.clone()), |at| read(at, json, ty, extra))?;
                Ok((name.clone(), value))
            };
            Value::Map(types.iter().map(read).collect::<Result<BTreeMap<_, _>, _>>()?)
        }
        (_, json) => return Err(at.wrong_type(ty, kind(json))),
    })
}

fn read_number(at: &Position, text: &str) -> Result<Value, Error> {
    let number = number_from_text(text);
    number.map(Value::Number).ok_or_else(|| at.wrong_type(&Type::Number, "a string that is not a decimal number"))
}

fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "a list",
        Json::Object(_) => "a map",
    }
}

fn write(at: &mut Position, value: &Value, ty: &Type) -> Result<Json, Error> {
    Ok(match (ty, value) {
        (_, Value::Null) => Json::Null,
        (_, Value::Unknown) => return Err(at.error("wrong value", "JSON has no unknown values")),
        (Type::Bool, Value::Bool(flag)) => Json::Bool(*flag),
        (Type::String, Value::String(text)) => Json::String(text.clone()),
        (Type::Number, Value::Number(number)) => write_number(at, number)?,
        (Type::List(element) | Type::Set(element), Value::List(values)) => {
            let write = |(index, value)| at.within(Step::Index(index), |at| write(at, value, element));
            Json::Array((0..).zip(values).map(write).collect::<Result<_, _>>()?)
        }
        (Type::Tuple(types), Value::List(values)) if types.len() == values.len() => {
            let write = |(index, (value, ty))| at.within(Step::Index(index), |at| write(at, value, ty));
            Json::Array((0..).zip(values.iter().zip(types)).map(write).collect::<Result<_, _>>()?)
        }
        (Type::Map(element), Value::Map(values)) => {
            let write = |(key, value): (&String, _)| {
                Ok((key.clone(), at.within(Step::Key(key.clone()), |at| write(at, value, element))?))
            };
            Json::Object(values.iter().map(write).collect::<Result<_, _>>()?)
        }
        (Type::Object(types), Value::Map(values)) => {
            if let Some(name) = values.keys().find(|name| !types.contains_key(*name)) {
                return Err(unexpected_attribute(at, name));
            }
            let write = |(name, ty): (&String, _)| {
                let json = at.within(Step::Attribute(name.clone()), |at| write(at, value.get(name), ty))?;
                Ok((name.clone(), json))
            };
            Json::Object(types.iter().map(write).collect::<Result<_, _>>()?)
        }
        (Type::Dynamic, Value::Dynamic(inner)) => {
            let (ty, value) = inner.as_ref();
            let value = at.within(Step::Attribute("value".into()), |at| write(at, value, ty))?;
            serde_json::json!({ "type": to_json(ty), "value": value })
        }
        (_, value) => return Err(at.wrong_type(ty, super::msgpack::kind(value))),
    })
}

fn write_number(at: &Position, number: &Number) -> Result<Json, Error> {
    match number {
        Number::Int(number) => Ok(Json::from(*number)),
        // Without an exponent, as `number_from_text` knows it again.
        Number::Float(number) if number.is_finite() => write_decimal(at, &number.to_string()),
        Number::Float(_) => Err(at.error("wrong value", "JSON has finite numbers only")),
        Number::Decimal(text) => write_decimal(at, text),
    }
}

/// `serde_json` keeps all the digits.
fn write_decimal(at: &Position, text: &str) -> Result<Json, Error> {
    serde_json::from_str(text).map_err(|_| at.error("wrong value", "not a decimal number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ty: &Type, value: &Value, text: &str) {
        assert_eq!(String::from_utf8(encode(value, ty).unwrap()).unwrap(), text);
        assert_eq!(&decode(text.as_bytes(), ty, Extra::Refuse).unwrap(), value);
    }

    #[test]
    fn values_round_trip() {
        check(&Type::String, &Value::Null, "null");
        check(&Type::Bool, &true.into(), "true");
        check(&Type::Number, &7.into(), "7");
        check(&Type::Number, &Value::Number(Number::Float(0.5)), "0.5");
        check(&Type::Number, &Value::Number(Number::Float(1e-7)), "0.0000001");
        check(&Type::Number, &Value::Number(Number::Float(1e20)), "100000000000000000000");
        let digits = "123456789012345678901234567890.5";
        check(&Type::Number, &Value::Number(Number::Decimal(digits.into())), digits);
        check(&Type::set(Type::String), &vec!["a", "b"].into(), r#"["a","b"]"#);
        check(&Type::map(Type::Bool), &Value::object([("k", true.into())]), r#"{"k":true}"#);
        check(
            &Type::object([("a", Type::Bool), ("b", Type::String)]),
            &Value::object([("a", Value::Null), ("b", "x".into())]),
            r#"{"a":null,"b":"x"}"#,
        );
        check(&Type::Tuple(vec![Type::Bool]), &vec![false].into(), "[false]");
        let dynamic = Value::Dynamic(Box::new((Type::String, "x".into())));
        check(&Type::Dynamic, &dynamic, r#"{"type":"string","value":"x"}"#);
    }

    #[test]
    fn attributes_that_are_no_more_can_be_dropped() {
        let ty = Type::object([("a", Type::list(Type::object([("b", Type::String)])))]);
        let text = br#"{"old":1,"a":[{"old":2}]}"#;
        let value = Value::object([("a", Value::List(vec![Value::object([("b", Value::Null)])]))]);
        assert_eq!(decode(text, &ty, Extra::Drop).unwrap(), value);
        let error = decode(text, &ty, Extra::Refuse).unwrap_err();
        assert_eq!(error.to_string(), "wrong type: there is no attribute \"old\"");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_path() {
        let ty = Type::object([("a", Type::list(Type::Number))]);
        let error = decode(br#"{"a":[1,"x"]}"#, &ty, Extra::Refuse).unwrap_err();
        assert_eq!(error.to_string(), "wrong type at a[1]: expected number, got a string that is not a decimal number");
        let error = encode(&Value::object([("a", Value::Unknown)]), &ty).unwrap_err();
        assert_eq!(error.to_string(), "wrong value at a: JSON has no unknown values");
        assert!(decode("[".repeat(100_000).as_bytes(), &ty, Extra::Refuse).is_err());
    }
}

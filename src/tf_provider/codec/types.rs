//! Type constraints as cty's JSON: `"string"`, `["list","string"]`, `["object",{"a":"bool"}]`.

use serde_json::Value as Json;

use super::{Error, Position};
use crate::tf_provider::Type;

/// The JSON text of a type; object attributes sorted.
pub fn encode_type(ty: &Type) -> Vec<u8> {
    to_json(ty).to_string().into_bytes()
}

/// Reads the JSON text of a type. Optional object attributes, which only module variables have,
/// count as attributes.
pub fn decode_type(bytes: &[u8]) -> Result<Type, Error> {
    let json: Json = serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))?;
    from_json(&json)
}

pub(super) fn to_json(ty: &Type) -> Json {
    match ty {
        Type::Bool => "bool".into(),
        Type::Number => "number".into(),
        Type::String => "string".into(),
        Type::Dynamic => "dynamic".into(),
        Type::List(element) => Json::Array(vec!["list".into(), to_json(element)]),
        Type::Set(element) => Json::Array(vec!["set".into(), to_json(element)]),
        Type::Map(element) => Json::Array(vec!["map".into(), to_json(element)]),
        Type::Object(attributes) => {
            let attributes = attributes.iter().map(|(name, ty)| (name.clone(), to_json(ty))).collect();
            Json::Array(vec!["object".into(), Json::Object(attributes)])
        }
        Type::Tuple(elements) => Json::Array(vec!["tuple".into(), Json::Array(elements.iter().map(to_json).collect())]),
    }
}

/// Recurses no deeper than `serde_json` did when it read the text: 128 levels.
pub(super) fn from_json(json: &Json) -> Result<Type, Error> {
    match json {
        Json::String(name) => match name.as_str() {
            "bool" => Ok(Type::Bool),
            "number" => Ok(Type::Number),
            "string" => Ok(Type::String),
            "dynamic" => Ok(Type::Dynamic),
            _ => Err(invalid(format!("there is no type {json}"))),
        },
        Json::Array(parts) => match (parts.first().and_then(Json::as_str), parts.get(1)) {
            (Some("list"), Some(element)) => Ok(Type::list(from_json(element)?)),
            (Some("set"), Some(element)) => Ok(Type::set(from_json(element)?)),
            (Some("map"), Some(element)) => Ok(Type::map(from_json(element)?)),
            (Some("object"), Some(Json::Object(attributes))) => attributes
                .iter()
                .map(|(name, ty)| Ok((name.clone(), from_json(ty)?)))
                .collect::<Result<_, _>>()
                .map(Type::Object),
            (Some("tuple"), Some(Json::Array(elements))) => {
                elements.iter().map(from_json).collect::<Result<_, _>>().map(Type::Tuple)
            }
            _ => Err(invalid(format!("there is no type {json}"))),
        },
        _ => Err(invalid(format!("there is no type {json}"))),
    }
}

fn invalid(why: String) -> Error {
    Position::default().error("not a type", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ty: &Type, text: &str) {
        assert_eq!(String::from_utf8(encode_type(ty)).unwrap(), text);
        assert_eq!(&decode_type(text.as_bytes()).unwrap(), ty);
    }

    #[test]
    fn types_round_trip() {
        check(&Type::Bool, r#""bool""#);
        check(&Type::Dynamic, r#""dynamic""#);
        check(&Type::list(Type::String), r#"["list","string"]"#);
        check(&Type::map(Type::set(Type::Number)), r#"["map",["set","number"]]"#);
        check(&Type::object([("b", Type::Bool), ("a", Type::String)]), r#"["object",{"a":"string","b":"bool"}]"#);
        check(&Type::Tuple(vec![Type::Bool, Type::String]), r#"["tuple",["bool","string"]]"#);
    }

    #[test]
    fn what_is_not_a_type_is_an_error() {
        let deep = format!("{}\"string\"{}", "[\"list\",".repeat(100_000), "]".repeat(100_000));
        for text in ["", "{}", "7", r#""text""#, "[]", r#"["list"]"#, r#"["object",["string"]]"#, deep.as_str()] {
            decode_type(text.as_bytes()).unwrap_err();
        }
    }
}

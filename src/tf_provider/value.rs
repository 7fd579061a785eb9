//! Terraform's types and values, as the provider sees them. Not their encoding: see `codec`.

use std::collections::BTreeMap;

/// A Terraform type constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Bool,
    Number,
    String,
    /// Any type; a value of it carries its own type with it.
    Dynamic,
    List(Box<Type>),
    Set(Box<Type>),
    Map(Box<Type>),
    Object(BTreeMap<String, Type>),
    Tuple(Vec<Type>),
}

impl Type {
    pub fn list(element: Type) -> Self {
        Type::List(Box::new(element))
    }

    pub fn set(element: Type) -> Self {
        Type::Set(Box::new(element))
    }

    pub fn map(element: Type) -> Self {
        Type::Map(Box::new(element))
    }

    pub fn object<const N: usize>(attributes: [(&str, Type); N]) -> Self {
        Type::Object(attributes.map(|(name, ty)| (name.to_owned(), ty)).into())
    }
}

/// A Terraform number. Terraform's are decimal with any precision; what fits `i64` or `f64` is kept
/// as such, the rest as the decimal text that came over the wire.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    Int(i64),
    Float(f64),
    Decimal(String),
}

/// A Terraform value. Lists, sets and tuples are [`Value::List`]; maps and objects are [`Value::Map`].
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Value {
    /// Not known until apply.
    Unknown,
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
    Dynamic(Box<(Type, Value)>),
}

static NULL: Value = Value::Null;

impl Value {
    pub fn object<const N: usize>(attributes: [(&str, Value); N]) -> Self {
        Value::Map(attributes.map(|(name, value)| (name.to_owned(), value)).into())
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Whether this value itself is unknown; its elements may be unknown even if this is false.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Value::Unknown)
    }

    /// Whether nothing in this value, at any depth, is unknown.
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Value::Unknown => false,
            Value::List(elements) => elements.iter().all(Value::is_wholly_known),
            Value::Map(elements) => elements.values().all(Value::is_wholly_known),
            Value::Dynamic(inner) => inner.1.is_wholly_known(),
            _ => true,
        }
    }

    /// The attribute or element of that name; null if there is none, unknown if `self` is unknown.
    pub fn get(&self, name: &str) -> &Value {
        match self {
            Value::Map(elements) => elements.get(name).unwrap_or(&NULL),
            Value::Unknown => self,
            _ => &NULL,
        }
    }

    /// Sets an attribute of an object or an element of a map; does nothing on any other value.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        if let Value::Map(elements) = self {
            elements.insert(name.to_owned(), value.into());
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Value::Bool(flag)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Number(Number::Int(number))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::String(text)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(elements: Vec<T>) -> Self {
        Value::List(elements.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<BTreeMap<String, T>> for Value {
    fn from(elements: BTreeMap<String, T>) -> Self {
        Value::Map(elements.into_iter().map(|(key, value)| (key, value.into())).collect())
    }
}

/// One attribute of a model: a value that may be unset, or not known until apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Field<T> {
    Unknown,
    #[default]
    Null,
    Known(T),
}

impl<T> Field<T> {
    pub fn known(self) -> Option<T> {
        match self {
            Field::Known(value) => Some(value),
            _ => None,
        }
    }

    pub fn as_known(&self) -> Option<&T> {
        match self {
            Field::Known(value) => Some(value),
            _ => None,
        }
    }

    pub fn is_unknown(&self) -> bool {
        matches!(self, Field::Unknown)
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Field::Null)
    }
}

impl<T> From<T> for Field<T> {
    fn from(value: T) -> Self {
        Field::Known(value)
    }
}

impl<T> From<Option<T>> for Field<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Field::Null, Field::Known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wholly_known_at_every_depth() {
        let holds = |inner: Value| {
            [
                inner.clone(),
                Value::List(vec!["a".into(), inner.clone()]),
                Value::object([("a", "a".into()), ("b", inner.clone())]),
                Value::Dynamic(Box::new((Type::String, inner.clone()))),
                Value::List(vec![Value::object([("a", Value::List(vec![inner]))])]),
            ]
        };
        for known in [Value::Null, true.into(), 7.into(), "text".into(), Value::List(Vec::new()), Value::object([])] {
            assert!(holds(known).iter().all(Value::is_wholly_known));
        }
        assert!(!holds(Value::Unknown).iter().any(Value::is_wholly_known));
    }
}

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

    pub fn string(&self, name: &str) -> Field<String> {
        self.field(name, |value| match value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        })
    }

    pub fn bool(&self, name: &str) -> Field<bool> {
        self.field(name, |value| match value {
            Value::Bool(flag) => Some(*flag),
            _ => None,
        })
    }

    /// The whole number at `name`. A fraction, or a number beyond `i64`, counts as null: reject it
    /// in validation with [`Value::get`].
    pub fn int(&self, name: &str) -> Field<i64> {
        self.field(name, |value| match value {
            Value::Number(Number::Int(number)) => Some(*number),
            Value::Number(Number::Float(number)) if number.fract() == 0.0 && number.abs() < 9e15 => {
                #[allow(clippy::cast_possible_truncation)] // whole and within 2^53
                Some(*number as i64)
            }
            _ => None,
        })
    }

    /// The elements of a list or set of strings. Unknown if any element is.
    pub fn strings(&self, name: &str) -> Field<Vec<String>> {
        let value = self.get(name);
        if !value.is_wholly_known() {
            return Field::Unknown;
        }
        self.field(name, |value| match value {
            Value::List(elements) => Some(elements.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            _ => None,
        })
    }

    /// The elements of a map of strings. Unknown if any element is.
    pub fn string_map(&self, name: &str) -> Field<BTreeMap<String, String>> {
        let value = self.get(name);
        if !value.is_wholly_known() {
            return Field::Unknown;
        }
        self.field(name, |value| match value {
            Value::Map(elements) => Some(
                elements.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect(),
            ),
            _ => None,
        })
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    fn field<T>(&self, name: &str, known: impl Fn(&Value) -> Option<T>) -> Field<T> {
        match self.get(name) {
            Value::Unknown => Field::Unknown,
            value => known(value).map_or(Field::Null, Field::Known),
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

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl<T: Into<Value>> From<Field<T>> for Value {
    fn from(field: Field<T>) -> Self {
        match field {
            Field::Unknown => Value::Unknown,
            Field::Null => Value::Null,
            Field::Known(value) => value.into(),
        }
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

impl<T> From<Option<T>> for Field<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Field::Null, Field::Known)
    }
}

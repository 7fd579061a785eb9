//! `DynamicValue.msgpack`: go-cty's MessagePack mapping, steered by the type.
//! <https://github.com/hashicorp/terraform/blob/main/docs/plugin-protocol/object-wire-format.md>

use std::collections::BTreeMap;

use rmp::{Marker, encode};

use super::{Error, Position, decode_type, encode_type, number_from_float, number_from_text};
use crate::tf_provider::{Number, Step, Type, Value};

/// What go-cty writes for an unknown value: an extension of type 0 with one byte of nothing.
const UNKNOWN: [u8; 3] = [0xd4, 0x00, 0x00];

/// The bytes of `value` as `ty`. Attributes that an object lacks are null. An error means that the
/// value does not have that type.
pub fn encode(value: &Value, ty: &Type) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    write(&mut out, &mut Position::default(), value, ty)?;
    Ok(out)
}

/// Reads one value of type `ty`, and nothing after it.
pub fn decode(bytes: &[u8], ty: &Type) -> Result<Value, Error> {
    let mut at = Position::default();
    let mut input = Input { rest: bytes };
    let value = read(&mut input, &mut at, ty)?;
    if input.rest.is_empty() { Ok(value) } else { Err(malformed(&at, "there are bytes after the value")) }
}

fn write(out: &mut Vec<u8>, at: &mut Position, value: &Value, ty: &Type) -> Result<(), Error> {
    match (ty, value) {
        (_, Value::Null) => sure(encode::write_nil(out)),
        (_, Value::Unknown) => out.extend(UNKNOWN),
        (Type::Bool, Value::Bool(flag)) => sure(encode::write_bool(out, *flag)),
        (Type::Number, Value::Number(number)) => write_number(out, at, number)?,
        (Type::String, Value::String(text)) => {
            length(at, text.len())?;
            sure(encode::write_str(out, text));
        }
        (Type::List(element) | Type::Set(element), Value::List(values)) => {
            sure(encode::write_array_len(out, length(at, values.len())?));
            for (index, value) in (0..).zip(values) {
                at.within(Step::Index(index), |at| write(out, at, value, element))?;
            }
        }
        (Type::Tuple(types), Value::List(values)) if types.len() == values.len() => {
            sure(encode::write_array_len(out, length(at, values.len())?));
            for (index, (value, ty)) in (0..).zip(values.iter().zip(types)) {
                at.within(Step::Index(index), |at| write(out, at, value, ty))?;
            }
        }
        (Type::Map(element), Value::Map(values)) => {
            sure(encode::write_map_len(out, length(at, values.len())?));
            for (key, value) in values {
                sure(encode::write_str(out, key));
                at.within(Step::Key(key.clone()), |at| write(out, at, value, element))?;
            }
        }
        (Type::Object(types), Value::Map(values)) => {
            if let Some(name) = values.keys().find(|name| !types.contains_key(*name)) {
                return Err(unexpected_attribute(at, name));
            }
            sure(encode::write_map_len(out, length(at, types.len())?));
            for (name, ty) in types {
                sure(encode::write_str(out, name));
                at.within(Step::Attribute(name.clone()), |at| write(out, at, value.get(name), ty))?;
            }
        }
        (Type::Dynamic, Value::Dynamic(inner)) => {
            let (ty, value) = inner.as_ref();
            sure(encode::write_array_len(out, 2));
            sure(encode::write_bin(out, &encode_type(ty)));
            write(out, at, value, ty)?;
        }
        _ => return Err(at.wrong_type(ty, kind(value))),
    }
    Ok(())
}

fn write_number(out: &mut Vec<u8>, at: &Position, number: &Number) -> Result<(), Error> {
    match number {
        Number::Int(number) => {
            sure(encode::write_sint(out, *number));
        }
        // go-cty would panic on it.
        Number::Float(number) if number.is_nan() => return Err(at.error("wrong value", "NaN is not a number")),
        Number::Float(number) => sure(encode::write_f64(out, *number)),
        Number::Decimal(text) => match number_from_text(text) {
            Some(_) => sure(encode::write_str(out, text)),
            None => return Err(at.error("wrong value", "not a decimal number")),
        },
    }
    Ok(())
}

/// MessagePack counts with 32 bits.
fn length(at: &Position, len: usize) -> Result<u32, Error> {
    u32::try_from(len).map_err(|_| at.error("too long a value", "more than 2^32 bytes or elements"))
}

fn sure<T, E: std::fmt::Debug>(written: Result<T, E>) -> T {
    written.expect("a Vec takes every write")
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Unknown => "an unknown value",
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Dynamic(_) => "a value with its type",
    }
}

/// The head of a MessagePack value: everything of a scalar, the length of a collection.
enum Head<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    /// Beyond `i64`.
    Unsigned(u64),
    Float(f64),
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    Array(usize),
    Map(usize),
    Extension,
}

impl Head<'_> {
    fn kind(&self) -> &'static str {
        match self {
            Head::Nil => "null",
            Head::Bool(_) => "a bool",
            Head::Int(_) | Head::Unsigned(_) | Head::Float(_) => "a number",
            Head::Text(_) => "a string",
            Head::Bytes(_) => "bytes",
            Head::Array(_) => "a list",
            Head::Map(_) => "a map",
            Head::Extension => "an unknown value",
        }
    }
}

fn read(input: &mut Input<'_>, at: &mut Position, ty: &Type) -> Result<Value, Error> {
    let head = input.head().map_err(|why| malformed(at, why))?;
    Ok(match (ty, head) {
        (_, Head::Nil) => Value::Null,
        (_, Head::Extension) => Value::Unknown,
        (Type::Bool, Head::Bool(flag)) => Value::Bool(flag),
        (Type::String, Head::Text(text)) => Value::String(utf8(at, text)?.to_owned()),
        (Type::Number, Head::Int(number)) => Value::Number(Number::Int(number)),
        (Type::Number, Head::Unsigned(number)) => Value::Number(Number::Decimal(number.to_string())),
        (Type::Number, Head::Float(number)) => {
            Value::Number(number_from_float(number).ok_or_else(|| at.error("wrong value", "NaN is not a number"))?)
        }
        (Type::Number, Head::Text(text)) => match number_from_text(utf8(at, text)?) {
            Some(number) => Value::Number(number),
            None => return Err(at.wrong_type(ty, "a string that is not a decimal number")),
        },
        (Type::List(element) | Type::Set(element), Head::Array(len)) => {
            // Grown as elements are read, not as the input claims.
            let mut values = Vec::new();
            for index in 0..len {
                values.push(at.within(step(index), |at| read(input, at, element))?);
            }
            Value::List(values)
        }
        (Type::Tuple(types), Head::Array(len)) => {
            if len != types.len() {
                return Err(at.error("wrong length", format!("expected {} elements, got {len}", types.len())));
            }
            let read = |(index, ty)| at.within(step(index), |at| read(input, at, ty));
            Value::List(types.iter().enumerate().map(read).collect::<Result<_, _>>()?)
        }
        (Type::Map(element), Head::Map(len)) => {
            let mut values = BTreeMap::new();
            for _ in 0..len {
                let key = read_key(input, at)?;
                let value = at.within(Step::Key(key.clone()), |at| read(input, at, element))?;
                values.insert(key, value);
            }
            Value::Map(values)
        }
        (Type::Object(types), Head::Map(len)) => {
            let mut values: BTreeMap<_, _> = types.keys().map(|name| (name.clone(), Value::Null)).collect();
            for _ in 0..len {
                let name = read_key(input, at)?;
                let ty = types.get(&name).ok_or_else(|| unexpected_attribute(at, &name))?;
                let value = at.within(Step::Attribute(name.clone()), |at| read(input, at, ty))?;
                values.insert(name, value);
            }
            Value::Map(values)
        }
        (Type::Dynamic, Head::Array(2)) => {
            let ty = match input.head().map_err(|why| malformed(at, why))? {
                Head::Bytes(json) | Head::Text(json) => {
                    decode_type(json).map_err(|error| at.error("not a type", error.why))?
                }
                other => return Err(at.error("not a type", format!("expected its JSON, got {}", other.kind()))),
            };
            // Dynamic in dynamic in dynamic takes no step, yet must not nest without end.
            if ty == Type::Dynamic {
                return Err(at.error("not a type", "a dynamic value has a type of its own"));
            }
            let value = read(input, at, &ty)?;
            Value::Dynamic(Box::new((ty, value)))
        }
        (_, head) => return Err(at.wrong_type(ty, head.kind())),
    })
}

fn read_key(input: &mut Input<'_>, at: &Position) -> Result<String, Error> {
    match input.head().map_err(|why| malformed(at, why))? {
        Head::Text(text) => Ok(utf8(at, text)?.to_owned()),
        other => Err(at.error("wrong key", format!("expected a string, got {}", other.kind()))),
    }
}

fn step(index: usize) -> Step {
    Step::Index(i64::try_from(index).unwrap_or(i64::MAX))
}

fn utf8<'a>(at: &Position, text: &'a [u8]) -> Result<&'a str, Error> {
    std::str::from_utf8(text).map_err(|_| at.error("wrong value", "not UTF-8"))
}

fn malformed(at: &Position, why: &str) -> Error {
    at.error("malformed MessagePack", why)
}

pub(super) fn unexpected_attribute(at: &Position, name: &str) -> Error {
    at.error("wrong type", format!("there is no attribute {name:?}"))
}

/// The bytes yet to be read.
struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn head(&mut self) -> Result<Head<'a>, &'static str> {
        Ok(match Marker::from_u8(self.byte()?) {
            Marker::Null => Head::Nil,
            Marker::True => Head::Bool(true),
            Marker::False => Head::Bool(false),
            Marker::FixPos(number) => Head::Int(number.into()),
            Marker::FixNeg(number) => Head::Int(number.into()),
            Marker::U8 => Head::Int(self.byte()?.into()),
            Marker::U16 => Head::Int(u16::from_be_bytes(self.array()?).into()),
            Marker::U32 => Head::Int(u32::from_be_bytes(self.array()?).into()),
            Marker::U64 => {
                let number = u64::from_be_bytes(self.array()?);
                i64::try_from(number).map_or(Head::Unsigned(number), Head::Int)
            }
            Marker::I8 => Head::Int(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Head::Int(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Head::Int(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Head::Int(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Head::Float(f32::from_be_bytes(self.array()?).into()),
            Marker::F64 => Head::Float(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(len) => Head::Text(self.take(len.into())?),
            Marker::Str8 => Head::Text(self.counted::<1>()?),
            Marker::Str16 => Head::Text(self.counted::<2>()?),
            Marker::Str32 => Head::Text(self.counted::<4>()?),
            Marker::Bin8 => Head::Bytes(self.counted::<1>()?),
            Marker::Bin16 => Head::Bytes(self.counted::<2>()?),
            Marker::Bin32 => Head::Bytes(self.counted::<4>()?),
            Marker::FixArray(len) => Head::Array(self.elements(len.into())?),
            Marker::Array16 => Head::Array(self.claimed::<2>()?),
            Marker::Array32 => Head::Array(self.claimed::<4>()?),
            Marker::FixMap(len) => Head::Map(self.elements(len.into())?),
            Marker::Map16 => Head::Map(self.claimed::<2>()?),
            Marker::Map32 => Head::Map(self.claimed::<4>()?),
            Marker::FixExt1 => self.extension(1)?,
            Marker::FixExt2 => self.extension(2)?,
            Marker::FixExt4 => self.extension(4)?,
            Marker::FixExt8 => self.extension(8)?,
            Marker::FixExt16 => self.extension(16)?,
            Marker::Ext8 => self.counted_extension::<1>()?,
            Marker::Ext16 => self.counted_extension::<2>()?,
            Marker::Ext32 => self.counted_extension::<4>()?,
            Marker::Reserved => return Err("0xc1 is no value"),
        })
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or("it ends in the middle of a value")?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        Ok(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        self.take(N).map(|bytes| bytes.try_into().expect("as many as were taken"))
    }

    /// A length of `N` bytes.
    fn length<const N: usize>(&mut self) -> Result<usize, &'static str> {
        Ok(self.take(N)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    fn counted<const N: usize>(&mut self) -> Result<&'a [u8], &'static str> {
        let len = self.length::<N>()?;
        self.take(len)
    }

    fn claimed<const N: usize>(&mut self) -> Result<usize, &'static str> {
        let len = self.length::<N>()?;
        self.elements(len)
    }

    /// Every element takes a byte at least.
    fn elements(&self, len: usize) -> Result<usize, &'static str> {
        if len <= self.rest.len() { Ok(len) } else { Err("it claims more elements than it has bytes") }
    }

    fn counted_extension<const N: usize>(&mut self) -> Result<Head<'a>, &'static str> {
        let len = self.length::<N>()?;
        self.extension(len)
    }

    /// Terraform's extensions (0 unknown, 12 unknown with refinements) all mean unknown here.
    fn extension(&mut self, len: usize) -> Result<Head<'a>, &'static str> {
        self.byte()?;
        self.take(len)?;
        Ok(Head::Extension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(ty: &Type, value: &Value, bytes: &[u8]) {
        assert_eq!(encode(value, ty).unwrap(), bytes, "{value:?}");
        assert_eq!(&decode(bytes, ty).unwrap(), value);
    }

    fn refuse(ty: &Type, bytes: &[u8], message: &str) {
        assert_eq!(decode(bytes, ty).unwrap_err().to_string(), message);
    }

    #[test]
    fn scalars() {
        round_trip(&Type::String, &Value::Null, &[0xc0]);
        round_trip(&Type::String, &Value::Unknown, &[0xd4, 0, 0]);
        round_trip(&Type::Bool, &true.into(), &[0xc3]);
        round_trip(&Type::String, &"hi".into(), b"\xa2hi");
        round_trip(&Type::Number, &7.into(), &[7]);
        round_trip(&Type::Number, &(-1).into(), &[0xff]);
        round_trip(&Type::Number, &i64::MIN.into(), b"\xd3\x80\0\0\0\0\0\0\0");
        round_trip(&Type::Number, &Value::Number(Number::Float(0.5)), b"\xcb\x3f\xe0\0\0\0\0\0\0");
        let pi = "3.14159265358979323846264338327950288";
        let text = [b"\xd9\x25", pi.as_bytes()].concat();
        round_trip(&Type::Number, &Value::Number(Number::Decimal(pi.into())), &text);
    }

    #[test]
    fn equal_numbers_are_held_the_same() {
        let one = Value::from(1);
        for bytes in [&b"\x01"[..], b"\xcc\x01", b"\xa11", b"\xcb\x3f\xf0\0\0\0\0\0\0", b"\xca\x3f\x80\0\0"] {
            assert_eq!(decode(bytes, &Type::Number).unwrap(), one);
        }
        let big = Value::Number(Number::Decimal(u64::MAX.to_string()));
        assert_eq!(decode(&[0xcf, 255, 255, 255, 255, 255, 255, 255, 255], &Type::Number).unwrap(), big);
    }

    #[test]
    fn collections() {
        round_trip(&Type::list(Type::Bool), &vec![true, false].into(), &[0x92, 0xc3, 0xc2]);
        round_trip(&Type::set(Type::Bool), &Value::List(vec![Value::Unknown]), &[0x91, 0xd4, 0, 0]);
        round_trip(
            &Type::map(Type::Bool),
            &Value::object([("b", true.into()), ("a", Value::Null)]),
            b"\x82\xa1a\xc0\xa1b\xc3",
        );
        round_trip(
            &Type::Tuple(vec![Type::Bool, Type::String]),
            &Value::List(vec![true.into(), "x".into()]),
            b"\x92\xc3\xa1x",
        );
        let dynamic = Value::Dynamic(Box::new((Type::list(Type::String), vec!["x"].into())));
        round_trip(&Type::Dynamic, &dynamic, b"\x92\xc4\x11[\"list\",\"string\"]\x91\xa1x");
    }

    #[test]
    fn objects_are_sorted_and_whole() {
        let ty = Type::object([("b", Type::Bool), ("a", Type::String)]);
        assert_eq!(encode(&Value::object([("b", true.into())]), &ty).unwrap(), b"\x82\xa1a\xc0\xa1b\xc3");
        let value = Value::object([("a", Value::Null), ("b", true.into())]);
        assert_eq!(decode(b"\x81\xa1b\xc3", &ty).unwrap(), value);
    }

    #[test]
    fn every_extension_is_unknown() {
        for bytes in [&[0xd4, 0, 0][..], &[0xc7, 3, 12, 1, 2, 3], &[0xd5, 9, 1, 2], &[0xc7, 0, 12]] {
            assert_eq!(decode(bytes, &Type::list(Type::String)).unwrap(), Value::Unknown);
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_path() {
        let ty = Type::object([
            ("parent", Type::object([("name", Type::String)])),
            ("tags", Type::map(Type::list(Type::Bool))),
        ]);
        refuse(&ty, b"\x81\xa6parent\x81\xa4name\x07", "wrong type at parent.name: expected string, got a number");
        refuse(&ty, b"\x81\xa4tags\x81\xa1k\x92\xc3\xa1x", "wrong type at tags[\"k\"][1]: expected bool, got a string");
        refuse(&ty, b"\x07", "wrong type: expected object, got a number");
        refuse(&ty, b"\x81\xa4name\xc0", "wrong type: there is no attribute \"name\"");
        refuse(&Type::Number, b"\xa3abc", "wrong type: expected number, got a string that is not a decimal number");
        refuse(&Type::Bool, b"\xc3\xc3", "malformed MessagePack: there are bytes after the value");
        refuse(&Type::Tuple(vec![Type::Bool]), b"\x90", "wrong length: expected 1 elements, got 0");
        let error = encode(&Value::object([("parent", Value::object([("name", 1.into())]))]), &ty).unwrap_err();
        assert_eq!(error.to_string(), "wrong type at parent.name: expected string, got a number");
    }

    #[test]
    fn hostile_input_is_an_error() {
        let dynamic = Type::Dynamic;
        let list = Type::list(Type::Bool);
        refuse(&list, b"\xdd\xff\xff\xff\xff\xc3", "malformed MessagePack: it claims more elements than it has bytes");
        refuse(&Type::String, b"\xdb\xff\xff\xff\xffx", "malformed MessagePack: it ends in the middle of a value");
        refuse(&Type::String, b"\xc1", "malformed MessagePack: 0xc1 is no value");
        refuse(&Type::String, b"\xa1\xff", "wrong value: not UTF-8");
        refuse(&Type::String, b"", "malformed MessagePack: it ends in the middle of a value");
        refuse(&Type::map(Type::Bool), b"\x81\x01\xc3", "wrong key: expected a string, got a number");
        refuse(&Type::Number, b"\xcb\x7f\xf8\0\0\0\0\0\0", "wrong value: NaN is not a number");

        let nested_dynamic: Vec<u8> = b"\x92\xc4\x09\"dynamic\"".repeat(100_000);
        assert!(decode(&nested_dynamic, &dynamic).is_err());
        let tuple: Vec<u8> = b"\x92\xc4\x13[\"tuple\",[\"dynamic\"]]\x91".repeat(100_000);
        assert!(decode(&tuple, &dynamic).is_err());
        let list_of_dynamic: Vec<u8> = b"\x92\xc4\x12[\"list\",\"dynamic\"]\x91".repeat(100_000);
        assert!(decode(&list_of_dynamic, &dynamic).unwrap_err().to_string().starts_with("too deep a value"));
    }

    /// Every cut and every flipped byte of a valid value: an answer, never a panic.
    #[test]
    fn damaged_input_never_panics() {
        let ty = Type::object([("d", Type::Dynamic), ("l", Type::list(Type::String)), ("n", Type::Number)]);
        let dynamic = Value::Dynamic(Box::new((Type::Tuple(vec![Type::Bool]), vec![true].into())));
        let value =
            Value::object([("d", dynamic), ("l", vec!["a", "b"].into()), ("n", Value::Number(Number::Float(1.5)))]);
        let bytes = encode(&value, &ty).unwrap();
        let mut refused = 0;
        for index in 0..bytes.len() {
            assert!(decode(&bytes[..index], &ty).is_err());
            for byte in 0..=255 {
                let mut damaged = bytes.clone();
                damaged[index] = byte;
                refused += usize::from(decode(&damaged, &ty).is_err());
            }
        }
        assert!(refused > 1000, "only {refused} refused");
    }

    #[test]
    fn nan_and_nonsense_are_not_encoded() {
        for number in [Number::Float(f64::NAN), Number::Decimal("1; drop".into()), Number::Decimal(String::new())] {
            assert!(encode(&Value::Number(number), &Type::Number).is_err());
        }
    }
}

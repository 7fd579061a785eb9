//! Typed models: one declaration gives an attribute's schema, how its value is read and how it is answered.
//!
//! [`model!`](crate::model) declares the attributes of a resource, a data source, an ephemeral resource or the
//! provider; [`object!`](crate::object) those of an object inside an attribute. The types of the fields say what can
//! be: a [`Field`] may be null or unknown, an [`Item`] unknown, anything else neither. What a type cannot hold is an
//! error with the path of the value, and what was read is written as it was. Not which values are meant: a resource
//! checks that itself.

use std::collections::BTreeMap;

use super::{Block, Diagnostic, Diagnostics, Field, Number, Path, Schema, Step, Type, Value, codec};

/// A Rust type that stands for one of Terraform's.
pub trait Typed: Sized {
    fn ty() -> Type;

    /// `None` after [`Decoder::refuse`] for what the type cannot hold.
    fn from_value(value: &Value, at: &mut Decoder) -> Option<Self>;

    /// The exact inverse of [`Typed::from_value`].
    fn into_value(self) -> Value;

    /// Whether nothing in it, at any depth, is unknown.
    fn is_wholly_known(&self) -> bool {
        true
    }
}

/// Attributes that are declared, read and written together: a model or a part of one.
pub trait Attributes: Sized {
    /// Adds the attributes, and the blocks, to a block of the schema.
    fn declare(block: &mut Block);

    fn read(value: &Value, at: &mut Decoder) -> Option<Self>;

    fn write(self, values: &mut BTreeMap<String, Value>);

    fn schema(version: i64, description: impl Into<String>) -> Schema {
        let mut block = Block { description: description.into(), ..Block::default() };
        Self::declare(&mut block);
        Schema { version, block }
    }

    /// All that the model cannot hold is told, not only the first.
    fn decode(value: &Value) -> Result<Self, Diagnostics> {
        let mut at = Decoder::default();
        Self::read(value, &mut at).ok_or(at.diagnostics)
    }

    /// The exact inverse of [`Attributes::decode`].
    fn encode(self) -> Value {
        let mut values = BTreeMap::new();
        self.write(&mut values);
        Value::Map(values)
    }
}

/// Where in a value the reading is, and what was refused so far.
#[derive(Debug, Default)]
pub struct Decoder {
    path: Path,
    /// How many steps of it Terraform follows: up to a set, whose elements it addresses by their value.
    followed: Option<usize>,
    diagnostics: Diagnostics,
}

impl Decoder {
    /// Reads one step further in.
    pub fn within<T>(&mut self, step: Step, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.0.push(step);
        let read = read(self);
        self.path.0.pop();
        read
    }

    /// Reads the elements of a set.
    pub fn within_set<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.followed;
        self.followed = outer.or(Some(self.path.0.len()));
        let read = read(self);
        self.followed = outer;
        read
    }

    /// Reads an attribute of an object.
    pub fn attribute<T: Typed>(&mut self, object: &Value, name: &str) -> Option<T> {
        self.within(Step::Attribute(name.to_owned()), |at| T::from_value(object.get(name), at))
    }

    /// Notes that the type cannot hold the value. `must` ends the sentence "It must ...".
    pub fn refuse<T>(&mut self, must: &str) -> Option<T> {
        let detail = format!("`{}` must {must}.", self.path);
        let followed = self.followed.unwrap_or(self.path.0.len());
        let path = Path(self.path.0[..followed].to_vec());
        self.diagnostics.push(Diagnostic::error("Invalid value", detail).at(path));
        None
    }

    /// Notes that the value has another type, or is null or unknown where it must not be.
    pub fn mismatch<T>(&mut self, expected: &str, value: &Value) -> Option<T> {
        match value {
            Value::Null => self.refuse("not be null. Give it a value, or remove it"),
            Value::Unknown => self.refuse("be known"),
            _ => self.refuse(&format!("be {expected}")),
        }
    }
}

/// An element of a collection: known, or not known until apply; never null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<T> {
    Unknown,
    Known(T),
}

impl<T> Item<T> {
    pub fn as_known(&self) -> Option<&T> {
        match self {
            Item::Known(value) => Some(value),
            Item::Unknown => None,
        }
    }
}

/// The elements of a set as Terraform sends them: in its order, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<T>(pub Vec<T>);

impl<T> Default for Set<T> {
    fn default() -> Self {
        Set(Vec::new())
    }
}

impl<T> Set<T> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Field<Set<Item<T>>> {
    /// Those elements that are known; none if the set is null or unknown.
    pub fn known_elements(&self) -> impl Iterator<Item = &T> {
        self.as_known().into_iter().flat_map(|set| &set.0).filter_map(Item::as_known)
    }
}

impl<T: Clone> Field<BTreeMap<String, Item<T>>> {
    /// Those entries that are known; `None` if the map is null or unknown.
    pub fn known_entries(&self) -> Option<BTreeMap<String, T>> {
        let known = |(key, value): (&String, &Item<T>)| Some((key.clone(), value.as_known()?.clone()));
        self.as_known().map(|map| map.iter().filter_map(known).collect())
    }
}

impl<T> FromIterator<T> for Field<Set<Item<T>>> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Field::Known(Set(elements.into_iter().map(Item::Known).collect()))
    }
}

impl<T> FromIterator<(String, T)> for Field<BTreeMap<String, Item<T>>> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(elements: I) -> Self {
        Field::Known(elements.into_iter().map(|(key, value)| (key, Item::Known(value))).collect())
    }
}

impl<T: Typed> Field<T> {
    /// Whether nothing in it, at any depth, is unknown.
    pub fn is_wholly_known(&self) -> bool {
        Typed::is_wholly_known(self)
    }
}

impl<T: Typed> Typed for Field<T> {
    fn ty() -> Type {
        T::ty()
    }

    fn from_value(value: &Value, at: &mut Decoder) -> Option<Self> {
        match value {
            Value::Unknown => Some(Field::Unknown),
            Value::Null => Some(Field::Null),
            value => T::from_value(value, at).map(Field::Known),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Field::Unknown => Value::Unknown,
            Field::Null => Value::Null,
            Field::Known(value) => value.into_value(),
        }
    }

    fn is_wholly_known(&self) -> bool {
        match self {
            Field::Unknown => false,
            Field::Null => true,
            Field::Known(value) => value.is_wholly_known(),
        }
    }
}

impl<T: Typed> Typed for Item<T> {
    fn ty() -> Type {
        T::ty()
    }

    fn from_value(value: &Value, at: &mut Decoder) -> Option<Self> {
        match value {
            Value::Unknown => Some(Item::Unknown),
            value => T::from_value(value, at).map(Item::Known),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Item::Unknown => Value::Unknown,
            Item::Known(value) => value.into_value(),
        }
    }

    fn is_wholly_known(&self) -> bool {
        self.as_known().is_some_and(Typed::is_wholly_known)
    }
}

impl<T: Typed> Typed for Option<T> {
    fn ty() -> Type {
        T::ty()
    }

    fn from_value(value: &Value, at: &mut Decoder) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value, at).map(Some),
        }
    }

    fn into_value(self) -> Value {
        self.map_or(Value::Null, Typed::into_value)
    }

    fn is_wholly_known(&self) -> bool {
        self.as_ref().is_none_or(Typed::is_wholly_known)
    }
}

impl Typed for bool {
    fn ty() -> Type {
        Type::Bool
    }

    fn from_value(value: &Value, at: &mut Decoder) -> Option<Self> {
        match value {
            Value::Bool(flag) => Some(*flag),
            value => at.mismatch("true or false", value),
        }
    }

    fn into_value(self) -> Value {
        self.into()
    }
}

impl Typed for String {
    fn ty() -> Type {
        Type::String
    }

    fn from_value(value: &Value, at: &mut Decoder) -> Option<Self> {
        match value {
            Value::String(text) => Some(text.clone()),
            value => at.mismatch("a string", value),
        }
    }

    fn into_value(self) -> Value {
        self.into()
    }
}

impl Typed for i64 {
    fn ty() -> Type {
        Type::Number
    }

    fn from_value(value: &Value, at: &mut Decoder) -> Option<Self> {
        match value {
            Value::Number(Number::Int(number)) => Some(*number),
            value => at.mismatch("a whole number of at most 64 bits", value),
        }
    }

    fn into_value(self) -> Value {
        self.into()
    }
}

impl Typed for f64 {
    fn ty() -> Type {
        Type::Number
    }

    fn from_value(value: &Value, at: &mut Decoder) -> Option<Self> {
        match value {
            Value::Number(Number::Float(number)) => Some(*number),
            #[allow(clippy::cast_precision_loss)] // as the guard sees to
            Value::Number(Number::Int(number)) if number.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS => {
                Some(*number as f64)
            }
            value => at.mismatch("a number of at most 53 bits", value),
        }
    }

    fn into_value(self) -> Value {
        // The codec says what is wrong with one that is no number.
        Value::Number(codec::number_from_float(self).unwrap_or(Number::Float(self)))
    }
}

impl<T: Typed> Typed for Vec<T> {
    fn ty() -> Type {
        Type::list(T::ty())
    }

    fn from_value(value: &Value, at: &mut Decoder) -> Option<Self> {
        match value {
            Value::List(values) => {
                let read = |(index, value)| at.within(Step::Index(index), |at| T::from_value(value, at));
                // All are read before the first that was refused ends it.
                let read: Vec<Option<T>> = (0..).zip(values).map(read).collect();
                read.into_iter().collect()
            }
            value => at.mismatch("a list", value),
        }
    }

    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(Typed::into_value).collect())
    }

    fn is_wholly_known(&self) -> bool {
        self.iter().all(Typed::is_wholly_known)
    }
}

impl<T: Typed> Typed for Set<T> {
    fn ty() -> Type {
        Type::set(T::ty())
    }

    fn from_value(value: &Value, at: &mut Decoder) -> Option<Self> {
        at.within_set(|at| Vec::from_value(value, at)).map(Set)
    }

    fn into_value(self) -> Value {
        self.0.into_value()
    }

    fn is_wholly_known(&self) -> bool {
        self.0.is_wholly_known()
    }
}

impl<T: Typed> Typed for BTreeMap<String, T> {
    fn ty() -> Type {
        Type::map(T::ty())
    }

    fn from_value(value: &Value, at: &mut Decoder) -> Option<Self> {
        match value {
            Value::Map(values) => {
                let read = |(key, value): (&String, &Value)| {
                    let read = at.within(Step::Key(key.clone()), |at| T::from_value(value, at));
                    read.map(|read| (key.clone(), read))
                };
                let read: Vec<Option<(String, T)>> = values.iter().map(read).collect();
                read.into_iter().collect()
            }
            value => at.mismatch("a map", value),
        }
    }

    fn into_value(self) -> Value {
        Value::Map(self.into_iter().map(|(key, value)| (key, value.into_value())).collect())
    }

    fn is_wholly_known(&self) -> bool {
        self.values().all(Typed::is_wholly_known)
    }
}

/// Declares a model: each attribute once, with its name, type, mode, description, default and flags.
///
/// An attribute is `name: Type = mode("description").flag()`, where the modes and flags are the constructors and
/// methods of [`Attribute`](crate::tf_provider::Attribute). Beside the modes, `name: Value = block(...)` is a nested
/// block that is kept as it is, and `name: T = part()` the attributes that `T` declares.
#[macro_export]
macro_rules! model {
    (@declare $block:ident, $field:ident, $ty:ty, block($nested:expr)) => {{
        let nested: $crate::tf_provider::NestedBlock = $nested;
        debug_assert_eq!(nested.name, stringify!($field));
        $block.blocks.push(nested);
    }};
    (@declare $block:ident, $field:ident, $ty:ty, part()) => {
        <$ty as $crate::tf_provider::Attributes>::declare($block)
    };
    (@declare $block:ident, $field:ident, $ty:ty, $mode:ident($text:expr) $(.$flag:ident($($value:expr)?))*) => {{
        let ty = <$ty as $crate::tf_provider::Typed>::ty();
        let attribute = $crate::tf_provider::Attribute::$mode(stringify!($field), ty, $text);
        $block.attributes.push(attribute$(.$flag($($value)?))*);
    }};
    (@read $value:ident, $at:ident, $field:ident, block) => { Some($value.get(stringify!($field)).clone()) };
    (@read $value:ident, $at:ident, $field:ident, part) => { $crate::tf_provider::Attributes::read($value, $at) };
    (@read $value:ident, $at:ident, $field:ident, $mode:ident) => { $at.attribute($value, stringify!($field)) };
    (@write $model:ident, $values:ident, $field:ident, block) => {
        $values.insert(stringify!($field).to_owned(), $model.$field)
    };
    (@write $model:ident, $values:ident, $field:ident, part) => {
        $crate::tf_provider::Attributes::write($model.$field, $values)
    };
    (@write $model:ident, $values:ident, $field:ident, $mode:ident) => {
        $values.insert(stringify!($field).to_owned(), $crate::tf_provider::Typed::into_value($model.$field))
    };
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $(
                $(#[$field_meta:meta])*
                $field_visibility:vis $field:ident: $ty:ty =
                    $mode:ident($($argument:tt)*) $(.$flag:ident($($value:tt)*))*
            ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        $visibility struct $name {
            $($(#[$field_meta])* $field_visibility $field: $ty),*
        }

        impl $crate::tf_provider::Attributes for $name {
            fn declare(block: &mut $crate::tf_provider::Block) {
                $($crate::model!(@declare block, $field, $ty, $mode($($argument)*) $(.$flag($($value)*))*);)*
            }

            fn read(value: &$crate::tf_provider::Value, at: &mut $crate::tf_provider::model::Decoder) -> Option<Self> {
                $(let $field = $crate::model!(@read value, at, $field, $mode);)*
                Some($name { $($field: $field?),* })
            }

            fn write(self, values: &mut std::collections::BTreeMap<String, $crate::tf_provider::Value>) {
                $($crate::model!(@write self, values, $field, $mode);)*
            }
        }
    };
}

/// Declares an object inside an attribute, such as a row of a computed list: a struct whose fields are its attributes.
#[macro_export]
macro_rules! object {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_visibility:vis $field:ident: $ty:ty),* $(,)?
        }
    ) => {
        $(#[$meta])*
        $visibility struct $name {
            $($(#[$field_meta])* $field_visibility $field: $ty),*
        }

        impl $crate::tf_provider::Typed for $name {
            fn ty() -> $crate::tf_provider::Type {
                $crate::tf_provider::Type::object([
                    $((stringify!($field), <$ty as $crate::tf_provider::Typed>::ty())),*
                ])
            }

            fn from_value(
                value: &$crate::tf_provider::Value,
                at: &mut $crate::tf_provider::model::Decoder,
            ) -> Option<Self> {
                if !matches!(value, $crate::tf_provider::Value::Map(_)) {
                    return at.mismatch("an object", value);
                }
                $(let $field = at.attribute(value, stringify!($field));)*
                Some($name { $($field: $field?),* })
            }

            fn into_value(self) -> $crate::tf_provider::Value {
                $crate::tf_provider::Value::object([
                    $((stringify!($field), $crate::tf_provider::Typed::into_value(self.$field))),*
                ])
            }

            fn is_wholly_known(&self) -> bool {
                true $(&& $crate::tf_provider::Typed::is_wholly_known(&self.$field))*
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tf_provider::arbitrary::{self, Known};
    use crate::tf_provider::{Mode, timeouts};

    model! {
        struct Sample {
            flag: Field<bool> = optional("A flag."),
            count: Field<i64> = optional_computed("A count.").default(7).keeps_prior(),
            ratio: Field<f64> = optional("A ratio."),
            text: Field<String> = required("A text.").requires_replace().sensitive(),
            deep: Field<BTreeMap<String, Field<Vec<Field<String>>>>> = optional("Lists in a map."),
            names: Field<Set<Item<String>>> = optional("Names."),
            settings: Field<BTreeMap<String, Item<i64>>> = optional("Settings."),
            rows: Field<Vec<Row>> = computed("Rows."),
            more: Part = part(),
            timeouts: Value = block(timeouts::block(&["create"])),
        }
    }

    object! {
        struct Row {
            name: String,
            size: Option<i64>,
        }
    }

    model! {
        struct Part {
            last: Field<bool> = optional("The last."),
        }
    }

    #[test]
    fn a_declaration_is_the_schema() {
        let block = Sample::schema(3, "A sample.").block;
        let names: Vec<_> = block.attributes.iter().map(|attribute| attribute.name).collect();
        assert_eq!(names, ["flag", "count", "ratio", "text", "deep", "names", "settings", "rows", "last"]);
        let attribute = |name| block.attribute(name).unwrap();
        let count = attribute("count");
        assert_eq!((count.mode, &count.default, count.keeps_prior), (Mode::OptionalComputed, &Some(7.into()), true));
        let text = attribute("text");
        assert_eq!((text.mode, text.sensitive, text.requires_replace), (Mode::Required, true, true));
        assert_eq!(text.description, "A text.");
        assert_eq!(attribute("deep").ty, Type::map(Type::list(Type::String)));
        assert_eq!(attribute("names").ty, Type::set(Type::String));
        let row = Type::object([("name", Type::String), ("size", Type::Number)]);
        assert_eq!((attribute("rows").mode, &attribute("rows").ty), (Mode::Computed, &Type::list(row)));
        assert_eq!(block.blocks[0].name, "timeouts");
    }

    /// What is said of a sample with this value for an attribute.
    fn check(name: &str, value: Value, expected: &[&str]) {
        let whole = Value::object([(name, value)]);
        let said = match Sample::decode(&whole) {
            Ok(_) => Vec::new(),
            Err(diagnostics) => diagnostics.0,
        };
        let told: Vec<_> = said.iter().map(|diagnostic| diagnostic.detail.as_str()).collect();
        assert_eq!(told, expected);
        for diagnostic in &said {
            let path = diagnostic.path.as_ref().unwrap().to_string();
            // Terraform follows no path into a set.
            let end = if name == "names" { "[" } else { "` must " };
            assert!(diagnostic.detail.starts_with(&format!("`{path}{end}")), "{path}: {}", diagnostic.detail);
        }
    }

    #[test]
    fn what_a_type_cannot_hold_is_refused_where_it_is() {
        let number = Value::Number;
        let list = |values: &[Value]| Value::List(values.to_vec());
        let whole = "`count` must be a whole number of at most 64 bits.";
        check("count", number(Number::Float(1.5)), &[whole]);
        check("count", number(Number::Decimal("9223372036854775808".into())), &[whole]);
        check("count", number(Number::Float(1e30)), &[whole]);
        check("count", i64::MIN.into(), &[]);
        check("ratio", (1 << 53).into(), &[]);
        check("ratio", ((1 << 53) + 1).into(), &["`ratio` must be a number of at most 53 bits."]);
        let null = |path: &str| format!("`{path}` must not be null. Give it a value, or remove it.");
        check("names", list(&["a".into(), Value::Null, Value::Unknown]), &[&null("names[1]")]);
        check("names", list(&[Value::Null, Value::Null]), &[&null("names[0]"), &null("names[1]")]);
        check("settings", Value::object([("k", Value::Null)]), &[&null("settings[\"k\"]")]);
        check(
            "settings",
            Value::object([("k", number(Number::Float(0.5)))]),
            &["`settings[\"k\"]` must be a whole number of at most 64 bits."],
        );
        check("deep", Value::object([("k", list(&[Value::Null, Value::Unknown])), ("l", Value::Null)]), &[]);
        check("deep", Value::object([("k", list(&[true.into()]))]), &["`deep[\"k\"][0]` must be a string."]);
        check("rows", list(&[Value::object([("size", 7.into())])]), &[&null("rows[0].name")]);
        check(
            "rows",
            list(&[Value::object([("name", "a".into()), ("size", Value::Unknown)])]),
            &["`rows[0].size` must be known."],
        );
        check("last", "no".into(), &["`last` must be true or false."]);
    }

    #[test]
    fn a_value_that_is_null_or_unknown_throughout() {
        let unknown = Sample::decode(&Value::Unknown).unwrap();
        assert!(unknown.text.is_unknown() && unknown.names.is_unknown() && unknown.more.last.is_unknown());
        let null = Sample::decode(&Value::Null).unwrap();
        assert!(null.text.is_null() && null.names.is_null() && null.timeouts.is_null());
    }

    #[test]
    fn known_elements_are_had_without_the_others() {
        let names: Field<Set<Item<i64>>> = Field::Known(Set(vec![Item::Known(1), Item::Unknown, Item::Known(3)]));
        assert_eq!(names.known_elements().collect::<Vec<_>>(), [&1, &3]);
        assert!(!names.is_wholly_known());
        let names: Field<Set<Item<i64>>> = [1, 2].into_iter().collect();
        assert!(names.is_wholly_known() && !names.as_known().unwrap().is_empty());
        let map = |value| Field::Known(BTreeMap::from([("a".to_owned(), Item::Known(1)), ("b".to_owned(), value)]));
        assert_eq!(map(Item::Unknown).known_entries(), Some([("a".to_owned(), 1)].into()));
        assert_eq!(map(Item::Known(2)).known_entries().map(|entries| entries.len()), Some(2));
        assert_eq!(Field::<BTreeMap<String, Item<i64>>>::Unknown.known_entries(), None);
    }

    /// Reads and writes: the same value, as wholly known as it was, or why not.
    fn there_and_back<T: Typed>(value: &Value) -> Result<(), TestCaseError> {
        let mut at = Decoder::default();
        match T::from_value(value, &mut at) {
            Some(read) => {
                prop_assert!(at.diagnostics.is_empty());
                prop_assert_eq!(read.is_wholly_known(), value.is_wholly_known());
                prop_assert_eq!(&read.into_value(), value);
            }
            None => prop_assert!(at.diagnostics.has_errors()),
        }
        prop_assert!(at.path.0.is_empty());
        Ok(())
    }

    type Everything = Field<BTreeMap<String, Field<Vec<Field<Set<Field<String>>>>>>>;

    proptest! {
        #[test]
        fn what_was_read_is_written_as_it_was(
            value in arbitrary::value(&Sample::schema(0, "").block.ty(), Known::Partly)
        ) {
            match Sample::decode(&value) {
                Ok(sample) if matches!(value, Value::Map(_)) => prop_assert_eq!(sample.encode(), value),
                Ok(_) => {}
                Err(diagnostics) => prop_assert!(diagnostics.has_errors()),
            }
        }

        #[test]
        fn whatever_a_type_holds_comes_back(
            count in arbitrary::value(&Type::Number, Known::Partly),
            names in arbitrary::value(&Type::set(Type::String), Known::Partly),
            rows in arbitrary::value(&Vec::<Row>::ty(), Known::Partly),
        ) {
            there_and_back::<Field<i64>>(&count)?;
            there_and_back::<Field<f64>>(&count)?;
            there_and_back::<Option<i64>>(&count)?;
            there_and_back::<Field<Set<Item<String>>>>(&names)?;
            there_and_back::<Field<Vec<Item<Row>>>>(&rows)?;
        }

        /// Fields throughout hold whatever Terraform sends.
        #[test]
        fn a_field_at_every_level_refuses_nothing(
            value in arbitrary::value(&Everything::ty(), Known::Partly)
        ) {
            let mut at = Decoder::default();
            prop_assert!(Everything::from_value(&value, &mut at).is_some());
            there_and_back::<Everything>(&value)?;
        }
    }
}

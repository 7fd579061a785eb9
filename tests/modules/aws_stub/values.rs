//! What is known of a value whose schema is not known here: the schema file's, of which no model is declared.

use pgtenant::tf_provider::model::Decoder;
use pgtenant::tf_provider::{Item, Set, Typed, Value};

/// The attribute, if it is known, set, and such a value.
pub fn known<T: Typed>(object: &Value, name: &str) -> Option<T> {
    Decoder::default().attribute(object, name)
}

/// The known elements of a list or a set of strings.
pub fn texts(object: &Value, name: &str) -> Vec<String> {
    let elements = known::<Set<Item<String>>>(object, name).unwrap_or_default();
    elements.0.iter().filter_map(Item::as_known).cloned().collect()
}

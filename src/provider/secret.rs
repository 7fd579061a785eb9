//! How a secret is read from a configuration: into a [`Secret`], which shows itself to nobody.

use crate::postgres::Secret;
use crate::tf_provider::model::Decoder;
use crate::tf_provider::{Type, Typed, Value};

impl Typed for Secret {
    fn ty() -> Type {
        Type::String
    }

    fn from_value(value: &Value, at: &mut Decoder) -> Option<Self> {
        String::from_value(value, at).map(Secret::new)
    }

    fn into_value(self) -> Value {
        self.expose().into()
    }
}

//! What a provider offers, by name.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::{convert, wire};
use crate::tf_provider::{
    DataSource, Diagnostic, Diagnostics, EphemeralResource, Function, Provider, Resource, Schema, Type, Value,
};

pub(super) type Entries<T> = BTreeMap<&'static str, Entry<T>>;

pub(super) struct Catalog {
    pub(super) provider: Shape,
    pub(super) resources: Entries<dyn Resource>,
    pub(super) data_sources: Entries<dyn DataSource>,
    pub(super) ephemeral_resources: Entries<dyn EphemeralResource>,
    pub(super) functions: BTreeMap<&'static str, Box<dyn Function>>,
}

impl Catalog {
    pub(super) fn of(provider: &dyn Provider) -> Self {
        Catalog {
            provider: Shape::of(provider.schema()),
            resources: entries(provider.resources()),
            data_sources: entries(provider.data_sources()),
            ephemeral_resources: entries(provider.ephemeral_resources()),
            functions: provider.functions().into_iter().map(|function| (function.name(), function)).collect(),
        }
    }

    pub(super) fn resource(&self, type_name: &str) -> Result<&Entry<dyn Resource>, Diagnostics> {
        self.resources.get(type_name).ok_or_else(|| missing("resource", type_name))
    }

    pub(super) fn data_source(&self, type_name: &str) -> Result<&Entry<dyn DataSource>, Diagnostics> {
        self.data_sources.get(type_name).ok_or_else(|| missing("data source", type_name))
    }

    pub(super) fn ephemeral_resource(&self, type_name: &str) -> Result<&Entry<dyn EphemeralResource>, Diagnostics> {
        self.ephemeral_resources.get(type_name).ok_or_else(|| missing("ephemeral resource", type_name))
    }
}

fn missing(what: &str, type_name: &str) -> Diagnostics {
    let detail = format!(
        "This provider has no {what} {type_name:?}. Another version of it may: check the version in \
         required_providers."
    );
    Diagnostic::error(format!("Unknown {what}"), detail).into()
}

fn entries<T: Described + ?Sized>(handlers: Vec<Box<T>>) -> Entries<T> {
    let entry = |handler: Box<T>| (handler.type_name(), Entry { handler, shape: OnceLock::new() });
    handlers.into_iter().map(entry).collect()
}

/// What all kinds of entries have in common.
pub(super) trait Described {
    fn type_name(&self) -> &'static str;
    fn schema(&self) -> Schema;
}

macro_rules! described {
    ($($kind:ident),+) => {$(
        impl Described for dyn $kind {
            fn type_name(&self) -> &'static str {
                $kind::type_name(self)
            }

            fn schema(&self) -> Schema {
                $kind::schema(self)
            }
        }
    )+};
}

described!(Resource, DataSource, EphemeralResource);

pub(super) struct Entry<T: ?Sized> {
    pub(super) handler: Box<T>,
    shape: OnceLock<Shape>,
}

impl<T: Described + ?Sized> Entry<T> {
    pub(super) fn shape(&self) -> &Shape {
        self.shape.get_or_init(|| Shape::of(self.handler.schema()))
    }
}

/// A schema and the type that its values have.
pub(super) struct Shape {
    pub(super) schema: Schema,
    pub(super) ty: Type,
}

impl Shape {
    fn of(schema: Schema) -> Self {
        Shape { ty: schema.block.ty(), schema }
    }

    pub(super) fn decode(&self, value: Option<&wire::DynamicValue>) -> Result<Value, Diagnostics> {
        convert::decode(value, &self.ty)
    }

    pub(super) fn encode(&self, value: &Value) -> Result<Option<wire::DynamicValue>, Diagnostics> {
        convert::encode(value, &self.ty).map(Some)
    }
}

//! What the provider has: names, schemas, functions.

use std::collections::HashMap;

use super::catalog::{Catalog, Described, Entries};
use super::{convert, wire};

/// Each is true: a destroy is planned, a client may skip `GetSchema` because nothing here depends
/// on its having been called, and `MoveResourceState` answers.
const CAPABILITIES: wire::ServerCapabilities =
    wire::ServerCapabilities { plan_destroy: true, get_provider_schema_optional: true, move_resource_state: true };

pub(super) fn metadata(catalog: &Catalog) -> wire::get_metadata::Response {
    let functions = catalog.functions.keys();
    wire::get_metadata::Response {
        server_capabilities: Some(CAPABILITIES),
        diagnostics: Vec::new(),
        data_sources: names(&catalog.data_sources),
        resources: names(&catalog.resources),
        functions: functions.map(|name| wire::get_metadata::NamedFunction { name: (*name).to_owned() }).collect(),
        ephemeral_resources: names(&catalog.ephemeral_resources),
    }
}

fn names<T: ?Sized>(entries: &Entries<T>) -> Vec<wire::get_metadata::Named> {
    entries.keys().map(|name| wire::get_metadata::Named { type_name: (*name).to_owned() }).collect()
}

pub(super) fn schemas(catalog: &Catalog) -> wire::get_provider_schema::Response {
    wire::get_provider_schema::Response {
        provider: Some(convert::schema(&catalog.provider.schema)),
        resource_schemas: by_name(&catalog.resources),
        data_source_schemas: by_name(&catalog.data_sources),
        diagnostics: Vec::new(),
        provider_meta: None,
        server_capabilities: Some(CAPABILITIES),
        functions: functions(catalog).functions,
        ephemeral_resource_schemas: by_name(&catalog.ephemeral_resources),
    }
}

fn by_name<T: Described + ?Sized>(entries: &Entries<T>) -> HashMap<String, wire::Schema> {
    entries.iter().map(|(name, entry)| ((*name).to_owned(), convert::schema(&entry.shape().schema))).collect()
}

pub(super) fn functions(catalog: &Catalog) -> wire::get_functions::Response {
    let function = |(name, function): (&&str, &Box<_>)| ((*name).to_owned(), convert::function(&**function));
    wire::get_functions::Response {
        functions: catalog.functions.iter().map(function).collect(),
        diagnostics: Vec::new(),
    }
}

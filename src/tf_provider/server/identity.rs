//! What tells one object of a resource from all others: those attributes of its state that identify it.

use super::catalog::Catalog;
use super::wire::{self, get_resource_identity_schemas, upgrade_resource_identity};
use super::{Server, convert};
use crate::tf_provider::codec::{encode_type, json};
use crate::tf_provider::{Attribute, Block, Diagnostic, Diagnostics, Path, Type, Value};

/// All identities are at their first version: their attributes are the state's, and were never others.
const VERSION: i64 = 0;

pub(super) fn schemas(catalog: &Catalog) -> get_resource_identity_schemas::Response {
    let schema = |block: &Block| wire::ResourceIdentitySchema {
        version: VERSION,
        identity_attributes: parts(block).map(attribute).collect(),
    };
    let resources = catalog.resources.iter().map(|(name, resource)| (name, &resource.shape().schema.block));
    let identified = resources.filter(|(_, block)| parts(block).next().is_some());
    get_resource_identity_schemas::Response {
        identity_schemas: identified.map(|(name, block)| ((*name).to_owned(), schema(block))).collect(),
        diagnostics: Vec::new(),
    }
}

fn attribute(from: &Attribute) -> wire::resource_identity_schema::IdentityAttribute {
    wire::resource_identity_schema::IdentityAttribute {
        name: from.name.to_owned(),
        r#type: encode_type(&from.ty),
        required_for_import: true,
        optional_for_import: false,
        description: from.description.clone(),
    }
}

fn parts(block: &Block) -> impl Iterator<Item = &Attribute> {
    block.attributes.iter().filter(|attribute| attribute.identifies)
}

fn ty(block: &Block) -> Type {
    Type::Object(parts(block).map(|part| (part.name.to_owned(), part.ty.clone())).collect())
}

/// The identity of an object in this state. None of what has none, or of which it is not yet wholly known.
pub(super) fn of(block: &Block, state: &Value) -> Result<Option<wire::ResourceIdentityData>, Diagnostics> {
    let identity = Value::Map(parts(block).map(|part| (part.name.to_owned(), state.get(part.name).clone())).collect());
    let whole = parts(block).all(|part| !state.get(part.name).is_null() && state.get(part.name).is_wholly_known());
    if parts(block).next().is_none() || !whole {
        return Ok(None);
    }
    Ok(Some(wire::ResourceIdentityData { identity_data: Some(convert::encode(&identity, &ty(block))?) }))
}

/// The import ID that an identity stands for: its parts, joined by slashes.
pub(super) fn import_id(block: &Block, identity: &wire::ResourceIdentityData) -> Result<String, Diagnostics> {
    let identity = convert::decode(identity.identity_data.as_ref(), &ty(block))?;
    let mut diagnostics = Diagnostics::default();
    let mut id = Vec::new();
    for part in parts(block) {
        match identity.get(part.name).as_str() {
            Some(text) if !text.is_empty() => id.push(text.to_owned()),
            _ => {
                let detail = format!("Set `{}` in the `identity` of the `import` block.", part.name);
                diagnostics.push(Diagnostic::error("Incomplete identity", detail).at(Path::attribute(part.name)));
            }
        }
    }
    if diagnostics.has_errors() { Err(diagnostics) } else { Ok(id.join("/")) }
}

pub(super) fn upgrade(
    server: &Server,
    request: &upgrade_resource_identity::Request,
) -> Result<upgrade_resource_identity::Response, Diagnostics> {
    let resource = server.catalog().resource(&request.type_name)?;
    if request.version > VERSION {
        let detail = format!(
            "The identity of this {} has version {}; this version of the provider knows {VERSION}. Use the version of \
             the provider that wrote the state, or a newer one.",
            request.type_name, request.version
        );
        return Err(Diagnostic::error("Identity was written by a newer provider", detail).into());
    }
    let ty = ty(&resource.shape().schema.block);
    let raw = request.raw_identity.as_ref().map_or(&[][..], |raw| &raw.json);
    let identity = json::decode(raw, &ty, json::Extra::Drop).map_err(|error| {
        let detail = format!("{error}. Restore the state from a backup, or remove and import this resource.");
        convert::wrong_value("The stored identity cannot be read", detail, &error)
    })?;
    let identity = wire::ResourceIdentityData { identity_data: Some(convert::encode(&identity, &ty)?) };
    Ok(upgrade_resource_identity::Response { upgraded_identity: Some(identity), diagnostics: Vec::new() })
}

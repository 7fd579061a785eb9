//! The framework's types to the wire's, and values both ways.

use super::wire;
use crate::tf_provider::codec::{self, encode_type, json, msgpack};
use crate::tf_provider::{
    Attribute, Block, Diagnostic, Diagnostics, Function, Mode, NestedBlock, Nesting, Path, Schema, Severity, Step,
    Type, Value,
};

/// An absent value is null.
pub(super) fn decode(value: Option<&wire::DynamicValue>, ty: &Type) -> Result<Value, Diagnostics> {
    let decoded = match value {
        Some(value) if !value.msgpack.is_empty() => msgpack::decode(&value.msgpack, ty),
        Some(value) if !value.json.is_empty() => json::decode(&value.json, ty, json::Extra::Refuse),
        _ => Ok(Value::Null),
    };
    decoded.map_err(|error| {
        let detail = format!("Terraform sent a value that does not fit the schema: {error}.");
        wrong_value("Value does not fit the schema", detail, &error)
    })
}

pub(super) fn encode(value: &Value, ty: &Type) -> Result<wire::DynamicValue, Diagnostics> {
    let encoded = msgpack::encode(value, ty).map_err(|error| {
        let detail = format!("{error}.\n\nThis is a bug in the provider, please report it.");
        wrong_value("The provider made a value that does not fit its schema", detail, &error)
    })?;
    Ok(wire::DynamicValue { msgpack: encoded.into(), ..Default::default() })
}

pub(super) fn wrong_value(summary: &str, detail: String, error: &codec::Error) -> Diagnostics {
    Diagnostic::error(summary, detail).at(error.path().clone()).into()
}

pub(super) fn diagnostics(diagnostics: Diagnostics) -> impl Iterator<Item = wire::Diagnostic> {
    diagnostics.0.into_iter().map(|diagnostic| wire::Diagnostic {
        severity: match diagnostic.severity {
            Severity::Error => wire::diagnostic::Severity::Error.into(),
            Severity::Warning => wire::diagnostic::Severity::Warning.into(),
        },
        summary: diagnostic.summary,
        detail: diagnostic.detail,
        attribute: diagnostic.path.filter(|path| !path.0.is_empty()).map(path),
    })
}

pub(super) fn path(path: Path) -> wire::AttributePath {
    use wire::attribute_path::step::Selector;
    let step = |step| wire::attribute_path::Step {
        selector: Some(match step {
            Step::Attribute(name) => Selector::AttributeName(name),
            Step::Key(key) => Selector::ElementKeyString(key),
            Step::Index(index) => Selector::ElementKeyInt(index),
        }),
    };
    wire::AttributePath { steps: path.0.into_iter().map(step).collect() }
}

pub(super) fn schema(schema: &Schema) -> wire::Schema {
    wire::Schema { version: schema.version, block: Some(block(&schema.block)) }
}

fn block(from: &Block) -> wire::schema::Block {
    wire::schema::Block {
        // Terraform reads the version of the schema, not the one here.
        version: 0,
        attributes: from.attributes.iter().map(attribute).collect(),
        block_types: from.blocks.iter().map(nested_block).collect(),
        description: from.description.clone(),
        description_kind: wire::StringKind::Markdown.into(),
        deprecated: from.deprecated,
    }
}

fn attribute(from: &Attribute) -> wire::schema::Attribute {
    wire::schema::Attribute {
        name: from.name.to_owned(),
        r#type: encode_type(&from.ty),
        description: from.description.clone(),
        required: from.mode == Mode::Required,
        optional: matches!(from.mode, Mode::Optional | Mode::OptionalComputed),
        computed: matches!(from.mode, Mode::Computed | Mode::OptionalComputed),
        sensitive: from.sensitive,
        description_kind: wire::StringKind::Markdown.into(),
        deprecated: from.deprecated,
        write_only: from.write_only,
    }
}

fn nested_block(from: &NestedBlock) -> wire::schema::NestedBlock {
    use wire::schema::nested_block::NestingMode;
    let nesting = match from.nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
        Nesting::Set => NestingMode::Set,
        Nesting::Map => NestingMode::Map,
        Nesting::Group => NestingMode::Group,
    };
    wire::schema::NestedBlock {
        type_name: from.name.to_owned(),
        block: Some(block(&from.block)),
        nesting: nesting.into(),
        min_items: from.min_items,
        max_items: from.max_items,
    }
}

pub(super) fn function(from: &dyn Function) -> wire::Function {
    let parameter = |parameter: crate::tf_provider::Parameter| wire::function::Parameter {
        name: parameter.name.to_owned(),
        r#type: encode_type(&parameter.ty),
        allow_null_value: false,
        allow_unknown_values: false,
        description: parameter.description.to_owned(),
        description_kind: wire::StringKind::Markdown.into(),
    };
    wire::Function {
        parameters: from.parameters().into_iter().map(parameter).collect(),
        variadic_parameter: None,
        r#return: Some(wire::function::Return { r#type: encode_type(&from.returns()) }),
        summary: from.summary().to_owned(),
        description: from.description().to_owned(),
        description_kind: wire::StringKind::Markdown.into(),
        deprecation_message: String::new(),
    }
}

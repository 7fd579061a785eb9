//! The framework's types to the wire's, and values both ways.

use super::wire;
use crate::tf_provider::codec::{self, encode_type, json, msgpack};
use crate::tf_provider::shown::shown;
use crate::tf_provider::{
    Attribute, Block, Diagnostic, Diagnostics, Function, FunctionError, Mode, NestedBlock, Nesting, Path, Schema,
    Severity, Step, Type, Value,
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
        summary: shown(&diagnostic.summary),
        detail: shown(&diagnostic.detail),
        attribute: diagnostic.path.filter(|path| !path.0.is_empty()).map(shown_path),
    })
}

/// A path that is only shown, and not followed.
fn shown_path(path: Path) -> wire::AttributePath {
    let safe = |step| match step {
        Step::Attribute(name) => Step::Attribute(shown(&name)),
        Step::Key(key) => Step::Key(shown(&key)),
        Step::Index(index) => Step::Index(index),
    };
    self::path(Path(path.0.into_iter().map(safe).collect()))
}

/// What is wrong with a call of a function.
pub(super) fn function_error(error: FunctionError) -> wire::FunctionError {
    wire::FunctionError { text: shown(&error.text), function_argument: error.argument }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_foreign_in_a_diagnostic_is_made_safe() {
        let path = Path::attribute("parameters").key("k\u{9b}").index(1);
        let diagnostic =
            Diagnostic::error("There is a role \u{1b}[2J", "It says \u{202e}no\u{0}".repeat(2000)).at(path);
        let sent = diagnostics(diagnostic.into()).next().unwrap();
        assert_eq!(sent.summary, "There is a role \\u{1b}[2J");
        assert!(sent.detail.starts_with("It says \\u{202e}no\\u{0}It"), "{}", sent.detail);
        assert!(sent.detail.ends_with(" bytes more were cut)"), "{}", sent.detail);
        assert_eq!(sent.attribute, Some(self::path(Path::attribute("parameters").key("k\\u{9b}").index(1))));
        let error = FunctionError { text: "no \u{7f}".to_owned(), argument: Some(0) };
        assert_eq!(function_error(error).text, "no \\u{7f}");
    }
}

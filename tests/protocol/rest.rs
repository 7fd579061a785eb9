//! Schemas, the provider block, data sources, ephemeral resources and functions, in process.

use std::collections::BTreeSet;

use pgtenant::tf_provider::codec::{decode_type, msgpack};
use pgtenant::tf_provider::wire::tfplugin5 as wire;
use pgtenant::tf_provider::wire::tfplugin5::provider_server::Provider as _;
use pgtenant::tf_provider::{Provider, Resource, Type, Value};
use tonic::Request;

use super::toy::{Thing, Toy, said, server};

fn encode(value: &Value, ty: &Type) -> wire::DynamicValue {
    wire::DynamicValue { msgpack: msgpack::encode(value, ty).unwrap().into(), ..Default::default() }
}

#[tokio::test]
async fn the_schema_says_what_the_table_says() {
    let schemas = server().get_schema(Request::new(wire::get_provider_schema::Request {})).await.unwrap().into_inner();
    let thing = &schemas.resource_schemas["toy_thing"];
    assert_eq!(thing.version, 2);
    let block = thing.block.as_ref().unwrap();
    assert_eq!((block.description.as_str(), block.description_kind()), ("A *thing*.", wire::StringKind::Markdown));
    let table = Thing.schema().block;
    assert_eq!(block.attributes.len(), table.attributes.len());
    for (sent, stated) in block.attributes.iter().zip(&table.attributes) {
        assert_eq!(sent.name, stated.name);
        assert_eq!(decode_type(&sent.r#type).unwrap(), stated.ty);
        assert_eq!((sent.write_only, sent.sensitive), (stated.write_only, stated.sensitive));
    }
    let flags = |name: &str| {
        let attribute = block.attributes.iter().find(|attribute| attribute.name == name).unwrap();
        (attribute.required, attribute.optional, attribute.computed)
    };
    assert_eq!(flags("name"), (true, false, false));
    assert_eq!(flags("note"), (false, true, false));
    assert_eq!(flags("size"), (false, true, true));
    assert_eq!(flags("id"), (false, false, true));
    let nesting: Vec<_> =
        block.block_types.iter().map(|nested| (nested.type_name.as_str(), nested.nesting())).collect();
    use wire::schema::nested_block::NestingMode;
    assert_eq!(nesting, [("rule", NestingMode::List), ("timeouts", NestingMode::Single)]);
    assert_eq!(schemas.provider.unwrap().block.unwrap().attributes.len(), Toy.schema().block.attributes.len());
    assert!(schemas.data_source_schemas.contains_key("toy_length"));
    assert!(schemas.ephemeral_resource_schemas.contains_key("toy_token"));
    assert_eq!(schemas.functions["shout"].parameters[0].name, "text");
    let able =
        wire::ServerCapabilities { plan_destroy: true, get_provider_schema_optional: true, move_resource_state: true };
    assert_eq!(schemas.server_capabilities, Some(able));
}

#[tokio::test]
async fn metadata_and_functions_name_what_the_schema_has() {
    let server = server();
    let metadata = server.get_metadata(Request::new(wire::get_metadata::Request {})).await.unwrap().into_inner();
    let names: BTreeSet<_> = [metadata.resources, metadata.data_sources, metadata.ephemeral_resources]
        .concat()
        .into_iter()
        .map(|named| named.type_name)
        .collect();
    assert_eq!(names, BTreeSet::from(["toy_length", "toy_thing", "toy_token"].map(str::to_owned)));
    assert_eq!(metadata.functions[0].name, "shout");
    let functions = server.get_functions(Request::new(wire::get_functions::Request {})).await.unwrap().into_inner();
    assert_eq!(functions.functions["shout"].summary, "Shouts");
}

#[tokio::test]
async fn the_provider_block_is_validated_echoed_and_configured() {
    let ty = Toy.schema().block.ty();
    let prepare = async |address: Value| {
        let config = Some(encode(&Value::object([("address", address)]), &ty));
        let request = wire::prepare_provider_config::Request { config: config.clone() };
        let response = server().prepare_provider_config(Request::new(request)).await.unwrap().into_inner();
        assert_eq!(response.prepared_config, config);
        said(&response.diagnostics)
    };
    assert!(prepare("here".into()).await.is_empty());
    assert!(prepare(Value::Unknown).await.is_empty());
    assert_eq!(prepare("nowhere".into()).await, ["No such address at address"]);

    let config = Some(encode(&Value::object([("address", Value::Unknown)]), &ty));
    let request = wire::configure::Request { config, ..Default::default() };
    let response = server().configure(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(said(&response.diagnostics), ["Connecting later"]);
    assert_eq!(response.diagnostics[0].severity(), wire::diagnostic::Severity::Warning);
}

#[tokio::test]
async fn names_that_are_not_there_are_errors() {
    let server = server();
    let type_name = "toy_nothing".to_owned();
    let request = wire::read_resource::Request { type_name: type_name.clone(), ..Default::default() };
    let response = server.read_resource(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(said(&response.diagnostics), ["Unknown resource"]);
    let request = wire::read_data_source::Request { type_name: type_name.clone(), ..Default::default() };
    let response = server.read_data_source(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(said(&response.diagnostics), ["Unknown data source"]);
    let request = wire::open_ephemeral_resource::Request { type_name, ..Default::default() };
    let response = server.open_ephemeral_resource(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(said(&response.diagnostics), ["Unknown ephemeral resource"]);
    let request = wire::call_function::Request { name: "whisper".into(), arguments: Vec::new() };
    let response = server.call_function(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(response.error.unwrap().text, "this provider has no function \"whisper\"");
}

#[tokio::test]
async fn a_data_source_is_read() {
    let ty = Type::object([("length", Type::Number), ("text", Type::String)]);
    let config = Some(encode(&Value::object([("text", "four".into())]), &ty));
    let request = wire::read_data_source::Request { type_name: "toy_length".into(), config, ..Default::default() };
    let response = server().read_data_source(Request::new(request)).await.unwrap().into_inner();
    let state = msgpack::decode(&response.state.unwrap().msgpack, &ty).unwrap();
    assert_eq!(state.get("length"), &Value::from(4));
}

#[tokio::test]
async fn an_ephemeral_resource_is_opened_renewed_and_closed() {
    let server = server();
    let type_name = "toy_token".to_owned();
    let ty = Type::object([("result", Type::String)]);
    let config = Some(encode(&Value::object([]), &ty));
    let request = wire::open_ephemeral_resource::Request { type_name: type_name.clone(), config, ..Default::default() };
    let opened = server.open_ephemeral_resource(Request::new(request)).await.unwrap().into_inner();
    let result = msgpack::decode(&opened.result.unwrap().msgpack, &ty).unwrap();
    assert_eq!(result.get("result").as_str(), Some("t0k3n"));
    assert!(opened.renew_at.is_none());
    let request = wire::renew_ephemeral_resource::Request { type_name: type_name.clone(), private: None };
    assert!(server.renew_ephemeral_resource(Request::new(request)).await.unwrap().into_inner().diagnostics.is_empty());
    let request = wire::close_ephemeral_resource::Request { type_name, private: None };
    assert!(server.close_ephemeral_resource(Request::new(request)).await.unwrap().into_inner().diagnostics.is_empty());
}

#[tokio::test]
async fn a_function_is_called() {
    let call = async |arguments: Vec<Value>| {
        let arguments = arguments.iter().map(|value| encode(value, &Type::String)).collect();
        let request = wire::call_function::Request { name: "shout".into(), arguments };
        let response = server().call_function(Request::new(request)).await.unwrap().into_inner();
        match (response.result, response.error) {
            (Some(result), None) => Ok(msgpack::decode(&result.msgpack, &Type::String).unwrap()),
            (None, Some(error)) => Err((error.text, error.function_argument)),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(call(vec!["hey".into()]).await, Ok("HEY".into()));
    assert_eq!(call(vec!["".into()]).await, Err(("nothing to shout".into(), Some(0))));
    assert_eq!(call(vec![Value::Null]).await, Err(("must not be null".into(), Some(0))));
    assert_eq!(call(vec![Value::Unknown]).await, Err(("must be known".into(), Some(0))));
    assert_eq!(call(Vec::new()).await, Err(("shout takes 1 arguments, not 0".into(), None)));
    let (text, argument) = call(vec!["panic".into()]).await.unwrap_err();
    assert!(text.starts_with("The provider panicked: lost its voice"), "{text}");
    assert_eq!(argument, None);
}

//! Managed resources: what each RPC answers, in process.

use std::time::Duration;

use pgtenant::tf_provider::codec::{json, msgpack};
use pgtenant::tf_provider::wire::tfplugin5 as wire;
use pgtenant::tf_provider::wire::tfplugin5::provider_server::Provider as _;
use pgtenant::tf_provider::{Number, Type, Value, panics};
use tonic::Request;

use super::toy::{decode, encode, said, server, thing};

const TYPE: &str = "toy_thing";

fn capable() -> Option<wire::ClientCapabilities> {
    Some(wire::ClientCapabilities { deferral_allowed: false, write_only_attributes_allowed: true })
}

async fn validate(config: &str, capabilities: Option<wire::ClientCapabilities>) -> Vec<String> {
    let config = encode(&thing(config));
    let request = wire::validate_resource_type_config::Request {
        type_name: TYPE.into(),
        config,
        client_capabilities: capabilities,
    };
    said(&server().validate_resource_type_config(Request::new(request)).await.unwrap().into_inner().diagnostics)
}

async fn plan(config: Value, prior: Value, proposed: Value) -> wire::plan_resource_change::Response {
    let request = wire::plan_resource_change::Request {
        type_name: TYPE.into(),
        prior_state: encode(&prior),
        proposed_new_state: encode(&proposed),
        config: encode(&config),
        prior_private: b"kept".to_vec(),
        ..Default::default()
    };
    server().plan_resource_change(Request::new(request)).await.unwrap().into_inner()
}

fn apply_request(config: Value, prior: Value, planned: Value) -> Request<wire::apply_resource_change::Request> {
    Request::new(wire::apply_resource_change::Request {
        type_name: TYPE.into(),
        prior_state: encode(&prior),
        planned_state: encode(&planned),
        config: encode(&config),
        ..Default::default()
    })
}

async fn apply(config: Value, prior: Value, planned: Value) -> wire::apply_resource_change::Response {
    server().apply_resource_change(apply_request(config, prior, planned)).await.unwrap().into_inner()
}

async fn read(state: &str) -> wire::read_resource::Response {
    let request = wire::read_resource::Request {
        type_name: TYPE.into(),
        current_state: encode(&thing(state)),
        private: b"kept".to_vec(),
        ..Default::default()
    };
    server().read_resource(Request::new(request)).await.unwrap().into_inner()
}

async fn upgrade(version: i64, state: &str) -> wire::upgrade_resource_state::Response {
    let raw_state = Some(wire::RawState { json: state.into(), ..Default::default() });
    let request = wire::upgrade_resource_state::Request { type_name: TYPE.into(), version, raw_state };
    server().upgrade_resource_state(Request::new(request)).await.unwrap().into_inner()
}

#[tokio::test]
async fn validation_tolerates_unknown_and_null() {
    assert!(validate(r#"{"name":"?","tags":{"k":"?"},"labels":["?"]}"#, capable()).await.is_empty());
    assert!(validate(r#"{"name":null,"timeouts":{"create":"?"}}"#, capable()).await.is_empty());
    assert_eq!(validate(r#"{"name":""}"#, capable()).await, ["Empty name at name"]);
}

#[tokio::test]
async fn whole_collections_and_blocks_may_be_unknown() {
    let mut config = thing(r#"{"name":"a"}"#);
    for name in ["tags", "labels", "steps", "any", "rule", "timeouts"] {
        config.set(name, Value::Unknown);
    }
    let planned = plan(config.clone(), Value::Null, config.clone()).await;
    assert!(planned.diagnostics.is_empty(), "{:?}", planned.diagnostics);
    let planned = decode(planned.planned_state.as_ref());
    for name in ["tags", "labels", "steps", "any", "rule", "timeouts"] {
        assert!(planned.get(name).is_unknown(), "{name}");
    }
}

#[tokio::test]
async fn a_wrong_timeout_is_shown_where_it_is() {
    let config = r#"{"name":"a","timeouts":{"create":"soon"}}"#;
    assert_eq!(validate(config, capable()).await, ["Invalid timeout at timeouts.create"]);
}

#[tokio::test]
async fn write_only_values_are_refused_to_older_clients() {
    let config = r#"{"name":"a","secret":"?","rule":[{"note":"n","token":"t"}]}"#;
    let refused = "Write-only attribute not supported by this client at";
    let expected = [format!("{refused} secret"), format!("{refused} rule.0.token")];
    assert_eq!(validate(config, None).await, expected);
    assert!(validate(config, capable()).await.is_empty());
    assert!(validate(r#"{"name":"a"}"#, None).await.is_empty());
}

#[tokio::test]
async fn what_only_the_provider_sets_is_refused() {
    assert_eq!(validate(r#"{"name":"a","seen":"x"}"#, capable()).await, ["Read-only attribute at seen"]);
    assert!(validate(r#"{"name":"a","size":3}"#, capable()).await.is_empty());
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_an_error_with_its_path() {
    let object = Type::object([("name", Type::Number)]);
    let bytes = pgtenant::tf_provider::codec::msgpack::encode(&Value::object([("name", 7.into())]), &object).unwrap();
    let config = |msgpack: Vec<u8>| Some(wire::DynamicValue { msgpack: msgpack.into(), ..Default::default() });
    for (msgpack, expected) in [(bytes, " at name"), (vec![0xc1], ""), (vec![0xdf, 255, 255, 255, 255], "")] {
        let request = wire::validate_resource_type_config::Request {
            type_name: TYPE.into(),
            config: config(msgpack),
            client_capabilities: capable(),
        };
        let response = server().validate_resource_type_config(Request::new(request)).await.unwrap().into_inner();
        assert_eq!(said(&response.diagnostics), [format!("Value does not fit the schema{expected}")]);
    }
}

#[tokio::test]
async fn json_values_are_read_too() {
    let config = wire::DynamicValue { json: br#"{"name":""}"#[..].into(), ..Default::default() };
    let request = wire::validate_resource_type_config::Request {
        type_name: TYPE.into(),
        config: Some(config),
        client_capabilities: capable(),
    };
    let response = server().validate_resource_type_config(Request::new(request)).await.unwrap().into_inner();
    assert_eq!(said(&response.diagnostics), ["Empty name at name"]);
}

#[tokio::test]
async fn a_create_is_planned_and_applied() {
    let any = Value::Dynamic(Box::new((Type::Tuple(vec![Type::Bool]), vec![true].into())));
    let mut config =
        thing(r#"{"name":"a","secret":"s3","tags":{"k":"v"},"labels":["x","?"],"steps":[1,2.5],"rule":[]}"#);
    config.set("any", any.clone());
    let planned = plan(config.clone(), Value::Null, config.clone()).await;
    assert!(planned.diagnostics.is_empty(), "{:?}", planned.diagnostics);
    assert!(planned.requires_replace.is_empty());
    let planned = decode(planned.planned_state.as_ref());
    let mut expected = config.clone();
    for (name, value) in
        [("id", Value::Unknown), ("seen", Value::Unknown), ("size", 10.into()), ("secret", Value::Null)]
    {
        expected.set(name, value);
    }
    assert_eq!(planned, expected);
    assert_eq!(planned.get("steps"), &Value::List(vec![1.into(), Value::Number(Number::Float(2.5))]));

    let applied = apply(config, Value::Null, planned.clone()).await;
    let state = decode(applied.new_state.as_ref());
    expected.set("id", "1");
    expected.set("seen", "a secret");
    assert_eq!(state, expected, "the write-only value is null, whatever the resource answered");
    assert_eq!(applied.private, b"mine");
}

#[tokio::test]
async fn an_update_names_what_it_replaces() {
    let prior = thing(r#"{"id":"1","name":"a","size":10,"seen":"s","rule":[]}"#);
    let with = |name: &str, value: &str| {
        let mut changed = prior.clone();
        changed.set(name, value);
        changed
    };
    let replaced = async |proposed: Value| {
        let response = plan(proposed.clone(), prior.clone(), proposed).await;
        let paths = response.requires_replace.into_iter();
        let paths = paths.map(|path| wire::Diagnostic { attribute: Some(path), ..Default::default() });
        said(&paths.collect::<Vec<_>>())
    };
    assert!(replaced(prior.clone()).await.is_empty());
    assert!(replaced(with("note", "n")).await.is_empty());
    assert_eq!(replaced(with("name", "b")).await, [" at name"]);
    assert_eq!(replaced(with("note", "anew")).await, [" at note"]);
}

#[tokio::test]
async fn an_unchanged_resource_is_planned_as_it_is() {
    let prior = thing(r#"{"id":"1","name":"a","size":10,"seen":"s","rule":[]}"#);
    let config = thing(r#"{"name":"a","secret":"changes every time"}"#);
    let mut proposed = prior.clone();
    proposed.set("secret", "changes every time");
    let planned = plan(config, prior.clone(), proposed).await;
    assert_eq!(decode(planned.planned_state.as_ref()), prior);
    assert_eq!(planned.planned_private, b"kept");
}

#[tokio::test]
async fn a_destroy_is_planned_and_can_be_refused() {
    let planned = plan(Value::Null, thing(r#"{"name":"a"}"#), Value::Null).await;
    assert!(planned.diagnostics.is_empty());
    assert_eq!(decode(planned.planned_state.as_ref()), Value::Null);
    assert_eq!(planned.planned_private, b"kept");
    let refused = plan(Value::Null, thing(r#"{"name":"protected"}"#), Value::Null).await;
    assert_eq!(said(&refused.diagnostics), ["Protected"]);
}

#[tokio::test]
async fn a_destroy_leaves_nothing_unless_it_fails() {
    let destroyed = apply(Value::Null, thing(r#"{"name":"a"}"#), Value::Null).await;
    assert!(destroyed.diagnostics.is_empty());
    assert_eq!(decode(destroyed.new_state.as_ref()), Value::Null);
    let prior = thing(r#"{"name":"stuck","rule":[]}"#);
    let failed = apply(Value::Null, prior.clone(), Value::Null).await;
    assert_eq!(said(&failed.diagnostics), ["Stuck"]);
    assert_eq!(decode(failed.new_state.as_ref()), prior);
}

#[tokio::test]
async fn a_state_that_does_not_fit_the_schema_is_an_error() {
    let planned = thing(r#"{"name":"misshapen"}"#);
    let applied = apply(planned.clone(), Value::Null, planned).await;
    assert_eq!(said(&applied.diagnostics), ["The provider made a value that does not fit its schema at size"]);
}

#[tokio::test]
async fn gone_and_could_not_tell_differ() {
    assert_eq!(decode(read(r#"{"name":"gone"}"#).await.new_state.as_ref()), Value::Null);
    let unclear = read(r#"{"name":"unclear"}"#).await;
    assert_eq!(decode(unclear.new_state.as_ref()), thing(r#"{"name":"unclear"}"#));
    assert_eq!(unclear.private, b"kept");
    assert_eq!(said(&unclear.diagnostics), ["Could not tell"]);
    let there = read(r#"{"name":"a"}"#).await;
    assert_eq!(decode(there.new_state.as_ref()), thing(r#"{"name":"a","rule":[]}"#));
    assert_eq!(there.private, b"kept");
    assert_eq!(said(&there.diagnostics), ["Read"]);
}

#[tokio::test]
async fn a_panic_is_a_diagnostic_and_the_next_call_works() {
    panics::install_hook();
    assert_eq!(validate(r#"{"name":"panic in validate"}"#, capable()).await, ["The provider panicked"]);

    let planned = plan(thing(r#"{"name":"panic in plan"}"#), Value::Null, thing(r#"{"name":"panic in plan"}"#)).await;
    assert_eq!(said(&planned.diagnostics), ["The provider panicked"]);
    let detail = &planned.diagnostics[0].detail;
    assert!(detail.starts_with("plan is out of order (tests/protocol/toy.rs:"), "{detail}");
    assert!(detail.ends_with("This is a bug in the provider, please report it."), "{detail}");

    let state = r#"{"name":"panic in read"}"#;
    let unread = read(state).await;
    assert_eq!(said(&unread.diagnostics), ["The provider panicked"]);
    assert_eq!(decode(unread.new_state.as_ref()), thing(state));

    let server = server();
    let prior = thing(r#"{"name":"panic in apply"}"#);
    let request = apply_request(prior.clone(), prior.clone(), prior.clone());
    let unapplied = server.apply_resource_change(request).await.unwrap().into_inner();
    assert_eq!(said(&unapplied.diagnostics), ["The provider panicked"]);
    assert_eq!(decode(unapplied.new_state.as_ref()), prior);

    let fine = thing(r#"{"name":"a","rule":[]}"#);
    let applied = server.apply_resource_change(apply_request(fine.clone(), Value::Null, fine)).await.unwrap();
    assert!(applied.into_inner().diagnostics.is_empty());
}

#[tokio::test]
async fn stop_cancels_what_runs_and_nothing_after_it() {
    let server = server();
    let slow = thing(r#"{"name":"slow"}"#);
    let running = server.apply_resource_change(apply_request(slow.clone(), Value::Null, slow));
    let stopping = async {
        // Polled second: by now the other one waits.
        server.stop(Request::new(wire::stop::Request {})).await.unwrap()
    };
    let (stopped, _) = tokio::join!(biased; running, stopping);
    assert_eq!(said(&stopped.unwrap().into_inner().diagnostics), ["stopped"]);

    let slow = thing(r#"{"name":"slow","timeouts":{"create":"1ms"}}"#);
    let later = server.apply_resource_change(apply_request(slow.clone(), Value::Null, slow)).await.unwrap();
    assert_eq!(said(&later.into_inner().diagnostics), ["timed out after 1ms"]);
}

#[tokio::test(start_paused = true)]
async fn each_operation_has_its_timeout() {
    let check = async |prior: Value, planned: Value, expected: &str| {
        let started = tokio::time::Instant::now();
        let applied = apply(planned.clone(), prior, planned).await;
        assert_eq!(said(&applied.diagnostics), [format!("timed out after {expected}")]);
        started.elapsed()
    };
    let thing = |timeouts: &str| thing(&format!(r#"{{"name":"slow","timeouts":{timeouts}}}"#));
    let timeouts = r#"{"create":"1h30m","delete":"90s","read":"500ms"}"#;
    assert_eq!(check(Value::Null, thing(timeouts), "5400s").await.as_secs(), 5400);
    assert_eq!(check(thing(timeouts), Value::Null, "90s").await.as_secs(), 90);
    assert_eq!(check(Value::Null, thing("null"), "1200s").await.as_secs(), 1200);
    // There is no `update` in this block, so the default holds.
    assert_eq!(check(thing(timeouts), thing(timeouts), "1200s").await.as_secs(), 1200);

    let started = tokio::time::Instant::now();
    let unread = read(&format!(r#"{{"name":"slow","timeouts":{timeouts}}}"#)).await;
    assert_eq!(said(&unread.diagnostics), ["timed out after 500ms"]);
    assert_eq!(started.elapsed().as_secs(), 0);
    assert!(started.elapsed() >= Duration::from_millis(500));
}

#[tokio::test]
async fn stored_state_is_brought_into_the_present_shape() {
    let check = async |version, state: &str, expected: &str| {
        let upgraded = upgrade(version, state).await;
        assert!(upgraded.diagnostics.is_empty(), "{:?}", upgraded.diagnostics);
        assert_eq!(decode(upgraded.upgraded_state.as_ref()), thing(expected));
    };
    check(2, r#"{"name":"a"}"#, r#"{"name":"a","rule":[]}"#).await;
    check(2, r#"{"name":"a","removed":[{"x":1}],"size":3}"#, r#"{"name":"a","size":3,"rule":[]}"#).await;
    check(2, r#"{"name":"a","secret":"stored by mistake"}"#, r#"{"name":"a","rule":[]}"#).await;
    check(
        1,
        r#"{"title":"a","any":{"type":"bool","value":true}}"#,
        r#"{"name":"a","any":{"type":"bool","value":true},"rule":[]}"#,
    )
    .await;
    check(2, "null", "null").await;
    check(0, "null", "null").await;
}

#[tokio::test]
async fn state_that_cannot_be_read_says_why() {
    let check = async |version, state: &str, expected: &str| {
        assert_eq!(said(&upgrade(version, state).await.diagnostics), [expected]);
    };
    check(3, r#"{"name":"a"}"#, "State was written by a newer provider").await;
    check(1, "{}", "No title in version 1").await;
    check(2, r#"{"name":["a"]}"#, "The stored state cannot be read at name").await;
    check(2, "{", "The stored state cannot be read").await;
}

#[tokio::test]
async fn an_import_is_one_resource() {
    let import = async |id: &str| {
        let request =
            wire::import_resource_state::Request { type_name: TYPE.into(), id: id.into(), ..Default::default() };
        server().import_resource_state(Request::new(request)).await.unwrap().into_inner()
    };
    let imported = import("a").await;
    assert_eq!(imported.imported_resources.len(), 1);
    assert_eq!(imported.imported_resources[0].type_name, TYPE);
    assert_eq!(decode(imported.imported_resources[0].state.as_ref()), thing(r#"{"name":"a","rule":[]}"#));
    let absent = import("absent").await;
    assert!(absent.imported_resources.is_empty());
    assert_eq!(said(&absent.diagnostics), ["No such thing"]);
}

#[tokio::test]
async fn a_move_is_taken_over_or_refused() {
    let move_state = async |source: &str| {
        let request = wire::move_resource_state::Request {
            source_provider_address: "registry.terraform.io/acme/other".into(),
            source_type_name: source.into(),
            source_state: Some(wire::RawState { json: br#"{"label":"a"}"#.to_vec(), ..Default::default() }),
            target_type_name: TYPE.into(),
            ..Default::default()
        };
        server().move_resource_state(Request::new(request)).await.unwrap().into_inner()
    };
    assert_eq!(decode(move_state("other_thing").await.target_state.as_ref()), thing(r#"{"name":"a","rule":[]}"#));
    let refused = move_state("other_rock").await;
    assert_eq!(said(&refused.diagnostics), ["Resource cannot be moved"]);
    assert!(refused.target_state.is_none());
}

#[tokio::test]
async fn identities_are_the_attributes_that_identify() {
    let request = Request::new(wire::get_resource_identity_schemas::Request {});
    let schemas = server().get_resource_identity_schemas(request).await.unwrap().into_inner().identity_schemas;
    let attributes = &schemas[TYPE].identity_attributes;
    assert_eq!((schemas.len(), attributes.len()), (1, 1));
    assert_eq!((attributes[0].name.as_str(), attributes[0].required_for_import), ("name", true));
    let planned = async |name: &str| {
        let config = thing(&format!(r#"{{"name":"{name}"}}"#));
        plan(config.clone(), Value::Null, config).await.planned_identity
    };
    assert_eq!(planned("a").await, Some(identity(r#"{"name":"a"}"#)));
    assert_eq!(planned("?").await, None);
}

#[tokio::test]
async fn an_import_takes_an_identity_or_an_id() {
    let import = async |type_name: &str, id: &str, identity: Option<wire::ResourceIdentityData>| {
        let request = wire::import_resource_state::Request {
            type_name: type_name.into(),
            id: id.into(),
            identity,
            ..Default::default()
        };
        server().import_resource_state(Request::new(request)).await.unwrap().into_inner()
    };
    let a = identity(r#"{"name":"a"}"#);
    for imported in [import(TYPE, "", Some(a.clone())).await, import(TYPE, "a", None).await] {
        assert_eq!(said(&imported.diagnostics), [""; 0]);
        assert_eq!(imported.imported_resources[0].identity, Some(a.clone()));
    }
    for (type_name, wrong, expected) in [
        (TYPE, r#"{"name":""}"#, "Incomplete identity at name"),
        (TYPE, r#"{"name":null}"#, "Incomplete identity at name"),
        (TYPE, "{}", "Incomplete identity at name"),
        (TYPE, r#"{"name":["a"]}"#, "Value does not fit the schema at name"),
        (TYPE, r#"{"label":"a"}"#, "Value does not fit the schema"),
        ("toy_rock", r#"{"name":"a"}"#, "Unknown resource"),
    ] {
        assert_eq!(said(&import(type_name, "", Some(raw_identity(wrong))).await.diagnostics), [expected], "{wrong}");
    }
}

#[tokio::test]
async fn a_stored_identity_is_read_or_refused() {
    let upgrade = async |type_name: &str, version: i64, json: &str| {
        let raw_identity = Some(wire::RawState { json: json.into(), ..Default::default() });
        let request = wire::upgrade_resource_identity::Request { type_name: type_name.into(), version, raw_identity };
        server().upgrade_resource_identity(Request::new(request)).await.unwrap().into_inner()
    };
    let read = upgrade(TYPE, 0, r#"{"name":"a"}"#).await;
    assert_eq!(read.upgraded_identity, Some(identity(r#"{"name":"a"}"#)));
    for (type_name, version, json, expected) in [
        (TYPE, 1, r#"{"name":"a"}"#, "Identity was written by a newer provider"),
        (TYPE, 0, "{", "The stored identity cannot be read"),
        (TYPE, 0, r#"{"name":{}}"#, "The stored identity cannot be read at name"),
        ("toy_rock", 0, "{}", "Unknown resource"),
    ] {
        assert_eq!(said(&upgrade(type_name, version, json).await.diagnostics), [expected], "{json}");
    }
}

/// As the server writes it.
fn identity(json: &str) -> wire::ResourceIdentityData {
    let ty = Type::object([("name", Type::String)]);
    let value = json::decode(json.as_bytes(), &ty, json::Extra::Refuse).unwrap();
    let msgpack = msgpack::encode(&value, &ty).unwrap();
    wire::ResourceIdentityData {
        identity_data: Some(wire::DynamicValue { msgpack: msgpack.into(), ..Default::default() }),
    }
}

/// Whatever Terraform might send.
fn raw_identity(json: &str) -> wire::ResourceIdentityData {
    let identity_data = Some(wire::DynamicValue { json: json.to_owned().into_bytes().into(), ..Default::default() });
    wire::ResourceIdentityData { identity_data }
}

//! The toy provider over a real socket: big messages, many at once, and the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pgtenant::tf_provider::codec::msgpack;
use pgtenant::tf_provider::transport::{self, Ending, Socket};
use pgtenant::tf_provider::wire::plugin;
use pgtenant::tf_provider::wire::tfplugin5 as wire;
use pgtenant::tf_provider::{Number, Type, Value};
use tonic::Code;

use super::client::Client;
use super::toy;

const READ_DATA_SOURCE: &str = "/tfplugin5.Provider/ReadDataSource";

struct Serving {
    client: Client,
    ending: Ending,
    socket: PathBuf,
    served: tokio::task::JoinHandle<()>,
}

async fn serving() -> Serving {
    let socket = Socket::bind(&[std::env::temp_dir()]).unwrap();
    let path = socket.path();
    let ending = Ending::default();
    let serve = transport::serve(socket, None, Arc::new(toy::server()), ending.clone());
    let served = tokio::spawn(async move { serve.await.unwrap() });
    Serving { client: Client::connect(path.clone(), None).await.unwrap(), ending, socket: path, served }
}

fn length_type() -> Type {
    Type::object([("length", Type::Number), ("text", Type::String)])
}

async fn length_of(client: &Client, text: String) -> i64 {
    let msgpack = msgpack::encode(&Value::object([("text", text.into())]), &length_type()).unwrap();
    let config = Some(wire::DynamicValue { msgpack: msgpack.into(), ..Default::default() });
    let request = wire::read_data_source::Request { type_name: "toy_length".into(), config, ..Default::default() };
    let response: wire::read_data_source::Response = client.call(READ_DATA_SOURCE, request).await.unwrap();
    let state = msgpack::decode(&response.state.unwrap().msgpack, &length_type()).unwrap();
    match state.get("length") {
        Value::Number(Number::Int(length)) => *length,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_100_mb_goes_both_ways() {
    let serving = serving().await;
    assert_eq!(length_of(&serving.client, "x".repeat(100_000_000)).await, 100_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_calls_at_once_are_all_answered() {
    let serving = serving().await;
    let mut calls = tokio::task::JoinSet::new();
    for length in 0..200 {
        let client = serving.client.clone();
        calls.spawn(async move { (length, length_of(&client, "x".repeat(length)).await) });
    }
    let answers = calls.join_all().await;
    assert_eq!(answers.len(), 200);
    assert!(answers.into_iter().all(|(length, answer)| i64::try_from(length) == Ok(answer)));
}

#[tokio::test]
async fn an_rpc_of_a_newer_protocol_is_unimplemented() {
    let serving = serving().await;
    let request = wire::stop::Request {};
    let answer = serving.client.call::<_, wire::stop::Response>("/tfplugin5.Provider/ListResource", request).await;
    assert_eq!(answer.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn the_end_closes_streams_and_removes_the_socket() {
    let Serving { client, ending, socket, served } = serving().await;
    let mut stdio = client.stream::<_, plugin::StdioData>("/plugin.GRPCStdio/StreamStdio", ()).await.unwrap();
    let mut broker = client
        .stream::<_, plugin::ConnInfo>("/plugin.GRPCBroker/StartStream", plugin::ConnInfo::default())
        .await
        .unwrap();
    let _: plugin::Empty = client.call("/plugin.GRPCController/Shutdown", plugin::Empty {}).await.unwrap();
    assert!(ending.requested.is_cancelled());
    assert!(!ending.begun.is_cancelled(), "the process decides");
    assert_eq!(length_of(&client, "still here".into()).await, 10);

    ending.begun.cancel();
    assert!(stdio.message().await.unwrap().is_none());
    assert!(broker.message().await.unwrap().is_none());
    tokio::time::timeout(Duration::from_secs(2), served).await.unwrap().unwrap();
    assert!(!socket.parent().unwrap().exists());
}

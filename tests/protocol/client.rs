//! A gRPC client: one call at a time by its path, over a unix socket, with TLS or without.

use std::path::PathBuf;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint, Error};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

const MAX_MESSAGE: usize = 256 << 20;

#[derive(Clone)]
pub struct Client(Grpc<Channel>);

impl Client {
    pub async fn connect(socket: PathBuf, tls: Option<Arc<ClientConfig>>) -> Result<Self, Error> {
        let connector = tower::service_fn(move |_| {
            let (socket, tls) = (socket.clone(), tls.clone());
            async move {
                let stream = UnixStream::connect(socket).await?;
                let stream: Box<dyn Duplex> = match tls {
                    None => Box::new(stream),
                    Some(config) => {
                        let name = ServerName::try_from("localhost").unwrap();
                        Box::new(TlsConnector::from(config).connect(name, stream).await?)
                    }
                };
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        });
        // The address is never looked up: the connector knows the socket.
        let channel = Endpoint::from_static("http://localhost").connect_with_connector(connector).await?;
        let grpc = Grpc::new(channel).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
        Ok(Client(grpc))
    }

    pub async fn call<Q, A>(&self, path: &'static str, request: Q) -> Result<A, Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut grpc = self.0.clone();
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::from_static(path);
        grpc.unary(Request::new(request), path, ProstCodec::<Q, A>::default()).await.map(Response::into_inner)
    }

    pub async fn stream<Q, A>(&self, path: &'static str, request: Q) -> Result<Streaming<A>, Status>
    where
        Q: prost::Message + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut grpc = self.0.clone();
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::from_static(path);
        grpc.server_streaming(Request::new(request), path, ProstCodec::<Q, A>::default())
            .await
            .map(Response::into_inner)
    }
}

trait Duplex: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Duplex for T {}

//! The socket: where it lies, who may speak on it, and the services behind it.

use std::convert::Infallible;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::server::{MAX_MESSAGE, Server};
use super::side_services::{Broker, Controller, Stdio};
use super::wire::plugin::grpc_broker_server::GrpcBrokerServer;
use super::wire::plugin::grpc_controller_server::GrpcControllerServer;
use super::wire::plugin::grpc_stdio_server::GrpcStdioServer;
use super::wire::tfplugin5::provider_server::ProviderServer;

/// A client on the same machine needs milliseconds.
const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A listening unix socket in a directory that only its owner may enter. Dropping it removes both.
pub struct Socket {
    directory: TempDir,
    listener: UnixListener,
}

impl Socket {
    /// In the first of these directories that can hold a socket. One whose path is too long for a
    /// socket address (108 bytes on Linux, 104 on macOS) cannot. Needs a Tokio runtime.
    pub fn bind(directories: &[PathBuf]) -> io::Result<Self> {
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "no directory for the socket was given");
        for directory in directories {
            match Self::bind_in(directory) {
                Ok(socket) => return Ok(socket),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn bind_in(directory: &Path) -> io::Result<Self> {
        // The handshake is a line of text that has its parts between bars.
        let directory = std::path::absolute(directory)?;
        if !directory.to_str().is_some_and(|text| text.chars().all(|c| c != '|' && !c.is_control())) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the handshake cannot carry this path"));
        }
        let mut builder = tempfile::Builder::new();
        let owner_only = std::fs::Permissions::from_mode(0o700);
        let directory = builder.prefix("plugin-").rand_bytes(12).permissions(owner_only).tempdir_in(directory)?;
        let listener = UnixListener::bind(directory.path().join("s"))?;
        Ok(Socket { directory, listener })
    }

    /// Where clients connect to.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("s")
    }
}

/// When serving is to end, and who may say so.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// Cancelled by the client's `Shutdown`. It is up to the process to heed it.
    pub requested: CancellationToken,
    /// Once cancelled, open streams end, running requests are answered and no new ones taken.
    pub begun: CancellationToken,
}

/// Serves all of a plugin's services on the socket until the end has begun and the last request is
/// answered. Without `tls` it speaks plaintext.
pub async fn serve(
    socket: Socket,
    tls: Option<Arc<ServerConfig>>,
    server: Arc<Server>,
    ending: Ending,
) -> Result<(), tonic::transport::Error> {
    let health = HealthReporter::new();
    health.set_service_status("plugin", ServingStatus::Serving).await;
    let health = tonic_health::pb::health_server::HealthServer::new(
        tonic_health::server::HealthService::from_health_reporter(health),
    );
    let provider =
        ProviderServer::from_arc(server).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE);
    let (sender, connections) = mpsc::channel(16);
    let served = tonic::transport::Server::builder()
        .add_service(provider)
        .add_service(health)
        .add_service(GrpcControllerServer::new(Controller { requested: ending.requested }))
        .add_service(GrpcStdioServer::new(Stdio { ended: ending.begun.clone() }))
        .add_service(GrpcBrokerServer::new(Broker { ended: ending.begun.clone() }))
        .serve_with_incoming_shutdown(
            ReceiverStream::new(connections).map(Ok::<_, io::Error>),
            ending.begun.cancelled_owned(),
        );
    // Not a task of its own: the socket is to be gone when this future is, however it ends.
    tokio::select! {
        served = served => served,
        never = accept(&socket.listener, tls.map(TlsAcceptor::from), sender) => match never {},
    }
}

async fn accept(
    listener: &UnixListener,
    tls: Option<TlsAcceptor>,
    connections: mpsc::Sender<Connection>,
) -> Infallible {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: give others time to close theirs.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (tls, connections) = (tls.clone(), connections.clone());
        // Beside the loop, so that a client that is slow to shake hands keeps nobody waiting.
        tokio::spawn(async move {
            if let Some(connection) = secure(stream, tls).await {
                // Nobody takes it when the server has ended meanwhile.
                let _ = connections.send(connection).await;
            }
        });
    }
}

async fn secure(stream: UnixStream, tls: Option<TlsAcceptor>) -> Option<Connection> {
    let Some(tls) = tls else { return Some(Connection(Box::pin(stream))) };
    match tokio::time::timeout(TLS_HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => Some(Connection(Box::pin(stream))),
        Ok(Err(error)) => {
            tracing::warn!(%error, "refused a connection");
            None
        }
        Err(_) => {
            tracing::warn!("refused a connection: no TLS handshake in time");
            None
        }
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

/// A client's stream, encrypted or not.
struct Connection(Pin<Box<dyn Duplex>>);

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

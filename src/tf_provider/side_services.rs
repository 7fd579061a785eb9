//! What go-plugin expects beside the provider: a controller, a stdio stream and a broker. The last
//! two have nothing to say; they stay open until the process ends.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::wire::plugin::{ConnInfo, Empty, StdioData, grpc_broker_server, grpc_controller_server, grpc_stdio_server};

/// Passes on the client's wish that the process end.
pub(super) struct Controller {
    pub(super) requested: CancellationToken,
}

#[async_trait]
impl grpc_controller_server::GrpcController for Controller {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        self.requested.cancel();
        Ok(Response::new(Empty {}))
    }
}

/// stdout carries the handshake only and stderr is read by go-plugin itself: nothing to stream.
pub(super) struct Stdio {
    pub(super) ended: CancellationToken,
}

#[async_trait]
impl grpc_stdio_server::GrpcStdio for Stdio {
    type StreamStdioStream = ReceiverStream<Result<StdioData, Status>>;

    async fn stream_stdio(&self, _: Request<()>) -> Result<Response<Self::StreamStdioStream>, Status> {
        Ok(Response::new(open_until(self.ended.clone())))
    }
}

/// Brokers further connections between the two sides, which Terraform's providers do not need.
pub(super) struct Broker {
    pub(super) ended: CancellationToken,
}

#[async_trait]
impl grpc_broker_server::GrpcBroker for Broker {
    type StartStreamStream = ReceiverStream<Result<ConnInfo, Status>>;

    async fn start_stream(&self, _: Request<Streaming<ConnInfo>>) -> Result<Response<Self::StartStreamStream>, Status> {
        Ok(Response::new(open_until(self.ended.clone())))
    }
}

/// A stream of nothing that ends with the process, or when the client leaves it.
fn open_until<T: Send + 'static>(ended: CancellationToken) -> ReceiverStream<T> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        tokio::select! {
            () = ended.cancelled() => {}
            () = sender.closed() => {}
        }
    });
    ReceiverStream::new(receiver)
}

//! What a session speaks over: a TCP connection or a unix socket, with or without TLS, of which no answer
//! may be larger than it can sensibly be.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::auth::{AuthMethod, RequireAuth};

/// A host that vanished is noticed after a minute: this long without a word, then so many probes so far apart.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(60);

/// A TCP connection or a unix socket.
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub(super) async fn tcp(address: SocketAddr) -> io::Result<Socket> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
        socket.set_tcp_keepalive(&keepalive.with_retries(KEEPALIVE_PROBES))?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
        Ok(Socket::Tcp(stream))
    }

    pub(super) async fn unix(path: &Path) -> io::Result<Socket> {
        UnixStream::connect(path).await.map(Socket::Unix)
    }

    /// A second handle to the same connection: it reaches its end when the other side has closed.
    pub(super) fn second_handle(&self) -> io::Result<Socket> {
        Ok(match self {
            Socket::Tcp(stream) => {
                let fd: OwnedFd = stream.as_fd().try_clone_to_owned()?;
                Socket::Tcp(TcpStream::from_std(fd.into())?)
            }
            Socket::Unix(stream) => {
                let fd: OwnedFd = stream.as_fd().try_clone_to_owned()?;
                Socket::Unix(UnixStream::from_std(fd.into())?)
            }
        })
    }
}

/// A socket as it is, or TLS over it.
pub(super) enum Wire {
    Plain(Socket),
    Tls(Box<<MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>),
}

/// The largest answer to one message of ours, and the largest message in it that is no row. A server that
/// sends more is no PostgreSQL, or not one that this provider asked.
const ANSWER: usize = 64 << 20;
const MESSAGE: usize = 1 << 20;

/// What a message costs us beside its bytes.
const OVERHEAD: usize = 256;

/// A stream of the server's messages that ends with an error when an answer becomes too large: the driver
/// reads whatever it is sent.
pub(super) struct Bounded<S> {
    stream: S,
    answer: Answer,
}

impl<S> Bounded<S> {
    pub(super) fn new(stream: S) -> Self {
        Bounded { stream, answer: Answer::default() }
    }

    /// One that also ends with an error before anything is said to a server that asks for what is not allowed.
    pub(super) fn guarded(stream: S, allowed: RequireAuth) -> Self {
        let answer = Answer { allowed: Some(allowed), ..Answer::default() };
        Bounded { stream, answer }
    }
}

/// How far the answer is read: each message is a tag, its length in four bytes, and the rest.
///
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html>
#[derive(Default)]
struct Answer {
    size: usize,
    header: Vec<u8>,
    /// How many bytes of the present message are still to come.
    left: usize,
    /// What the server may ask for; `None` once it has asked.
    allowed: Option<RequireAuth>,
    /// The number of what it asks for, as far as it is read.
    asked: Vec<u8>,
    asks: bool,
}

impl Answer {
    fn read(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.left == 0 {
                let more = bytes.len().min(5 - self.header.len());
                self.header.extend_from_slice(&bytes[..more]);
                bytes = &bytes[more..];
                if let [tag, length @ ..] = &self.header[..]
                    && let Ok(length) = <[u8; 4]>::try_from(length)
                {
                    // The length counts itself.
                    let length = u32::from_be_bytes(length) as usize;
                    self.left = length.saturating_sub(4);
                    self.size = self.size.saturating_add(length + OVERHEAD);
                    let too_large = *tag != b'D' && length > MESSAGE;
                    self.asks = *tag == b'R' && self.allowed.is_some();
                    self.header.clear();
                    if too_large || self.size > ANSWER {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, TooLarge));
                    }
                }
            }
            let more = bytes.len().min(self.left);
            if self.asks {
                self.hear(&bytes[..more])?;
            }
            self.left -= more;
            bytes = &bytes[more..];
        }
        Ok(())
    }

    /// Reads what the server asks for.
    fn hear(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.asked.extend(bytes.iter().take(4 - self.asked.len()));
        let Ok(number) = <[u8; 4]>::try_from(&self.asked[..]) else { return Ok(()) };
        self.asks = false;
        match (AuthMethod::asked(u32::from_be_bytes(number)), self.allowed.take()) {
            (Some(method), Some(allowed)) if !allowed.allows(method) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, Unwanted(method)))
            }
            _ => Ok(()),
        }
    }
}

/// The server asks for what it is not to have.
#[derive(Debug, thiserror::Error)]
#[error("the server asks for {0}")]
pub(super) struct Unwanted(pub AuthMethod);

/// The server's answer is larger than any that it has reason to give.
#[derive(Debug, thiserror::Error)]
#[error("the answer is larger than {} MB", ANSWER >> 20)]
pub(super) struct TooLarge;

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        Poll::Ready(self.answer.read(&buf.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.answer.size = 0;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl TlsStream for Bounded<Wire> {
    fn channel_binding(&self) -> ChannelBinding {
        match &self.stream {
            Wire::Plain(_) => ChannelBinding::none(),
            Wire::Tls(stream) => stream.channel_binding(),
        }
    }
}

/// For the driver, which makes its own TLS: it is made already, or not asked for.
pub(super) struct Secured;

impl TlsConnect<Bounded<Wire>> for Secured {
    type Stream = Bounded<Wire>;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Bounded<Wire>>>;

    fn connect(self, stream: Bounded<Wire>) -> Self::Future {
        std::future::ready(Ok(stream))
    }
}

/// Passes what is asked of an enum of streams on to the stream.
macro_rules! passed_on {
    ($name:ident: $($variant:ident),+) => {
        impl AsyncRead for $name {
            fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($name::$variant(stream) => Pin::new(stream).poll_read(cx, buf),)+
                }
            }
        }

        impl AsyncWrite for $name {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                match self.get_mut() {
                    $($name::$variant(stream) => Pin::new(stream).poll_write(cx, buf),)+
                }
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($name::$variant(stream) => Pin::new(stream).poll_flush(cx),)+
                }
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                match self.get_mut() {
                    $($name::$variant(stream) => Pin::new(stream).poll_shutdown(cx),)+
                }
            }
        }
    };
}

passed_on!(Socket: Tcp, Unix);
passed_on!(Wire: Plain, Tls);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(tag: u8, length: usize) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.extend(u32::try_from(length).unwrap().to_be_bytes());
        bytes.resize(1 + length, 0);
        bytes
    }

    #[test]
    fn an_answer_may_be_large_and_no_larger() {
        let rows = |count: usize, length: usize| {
            let mut answer = Answer::default();
            (0..count).try_for_each(|_| answer.read(&message(b'D', length))).is_ok()
        };
        assert!(rows(1, ANSWER - OVERHEAD) && !rows(1, ANSWER));
        assert!(rows(63, 1_000_000) && !rows(70, 1_000_000));
        assert!(!rows(1_000_000, 10), "many small rows cost more than their bytes");
        assert!(Answer::default().read(&message(b'E', MESSAGE)).is_ok());
        assert!(Answer::default().read(&message(b'E', MESSAGE + 1)).is_err());
    }

    #[test]
    fn a_length_is_enough_to_refuse() {
        let mut answer = Answer::default();
        assert!(answer.read(&[b'D', 0x7f, 0xff]).is_ok());
        assert!(answer.read(&[0xff, 0xff]).is_err());
        assert!(Answer::default().read(&[b'D', 0xff, 0xff, 0xff, 0xff]).is_err());
    }

    #[test]
    fn a_server_gets_what_is_allowed() {
        let asks = |number: u32| [&[b'R', 0, 0, 0, 8][..], &number.to_be_bytes()].concat();
        let said = |allowed: &str, numbers: &[u32], piece: usize| {
            let mut answer = Answer { allowed: Some(allowed.parse().unwrap()), ..Answer::default() };
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| asks(*number)).collect();
            let read = bytes.chunks(piece).try_for_each(|piece| answer.read(piece));
            read.map_err(|error| error.get_ref().unwrap().downcast_ref::<Unwanted>().unwrap().0)
        };
        for piece in [1, 3, 100] {
            assert_eq!(said("scram-sha-256", &[10, 11, 12, 0], piece), Ok(()));
            assert_eq!(said("scram-sha-256", &[3], piece), Err(AuthMethod::Password));
            assert_eq!(said("scram-sha-256", &[5], piece), Err(AuthMethod::Md5));
            assert_eq!(said("scram-sha-256", &[0], piece), Err(AuthMethod::None));
            assert_eq!(said("none", &[10], piece), Err(AuthMethod::ScramSha256));
            assert_eq!(said("!password", &[5, 0], piece), Ok(()));
        }
    }

    proptest! {
        /// However the bytes come in, the same messages are seen.
        #[test]
        fn pieces_are_counted_as_the_whole(
            lengths in prop::collection::vec(4_usize..300, 0..20),
            piece in 1_usize..40,
        ) {
            let bytes: Vec<u8> = lengths.iter().flat_map(|length| message(b'D', *length)).collect();
            let mut answer = Answer::default();
            bytes.chunks(piece).try_for_each(|piece| answer.read(piece)).unwrap();
            prop_assert_eq!(answer.size, lengths.iter().map(|length| length + OVERHEAD).sum::<usize>());
            prop_assert_eq!((answer.left, answer.header.len()), (0, 0));
        }
    }
}

//! A TCP proxy before a throwaway server, which counts what is asked of the server and strikes at one message.
//! It speaks the [protocol](https://www.postgresql.org/docs/current/protocol-message-formats.html) without TLS.
//!
//! A message is what the server answers as one: a startup, a query, or all up to a Sync. Each connection passes
//! one at a time, so the same run has the same count.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What becomes of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// The connection ends before the message reaches the server.
    Drop,
    /// The server executes it. The connection ends without the answer.
    DropAfter,
    /// The server executes it. The answer is held until [`Proxy::release`].
    HoldAfter,
    /// From here on nothing passes. New connections are accepted and stay silent.
    Freeze,
    /// The server executes it. Then every connection ends, and every new one at once.
    CutAfter,
    /// The message is answered with this SQLSTATE and never reaches the server.
    Refuse(&'static str),
}

/// What a run is watched for.
#[derive(Clone, Copy, Debug)]
pub enum Watch {
    /// Nothing: every message passes, and is counted.
    Count,
    /// Every message is held before it passes, until [`Proxy::release`].
    Step,
    /// The n-th message, counted from one.
    At(usize, Strike),
}

pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
    runtime: Runtime,
}

struct Shared {
    server: AtomicU16,
    watched: Mutex<Watched>,
}

/// A run with its connections: what comes belongs to one run, also at the moment when the next one begins.
struct Watched {
    run: Arc<Run>,
    connections: JoinSet<()>,
}

struct Run {
    tally: Mutex<Tally>,
    passage: watch::Sender<Passage>,
    /// Whether a message or an answer is held.
    held: watch::Sender<bool>,
}

struct Tally {
    watch: Watch,
    messages: usize,
    struck: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Passage {
    Open,
    Frozen,
    Cut,
}

impl Proxy {
    /// Before the server that listens on that port of this machine.
    pub fn before(server: u16) -> io::Result<Proxy> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let port = listener.local_addr()?.port();
        let shared =
            Arc::new(Shared { server: AtomicU16::new(server), watched: Mutex::new(Watched::new(Watch::Count)) });
        let accepting = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = accepting.server.load(Ordering::SeqCst);
                let mut watched = accepting.watched();
                let run = Arc::clone(&watched.run);
                watched.connections.spawn(async move { run.connection(client, server).await });
            }
        });
        Ok(Proxy { port, shared, runtime })
    }

    /// Ends all connections, lets new ones pass again, and begins to count anew.
    pub fn begin(&self, watch: Watch) {
        let mut old = std::mem::replace(&mut *self.shared.watched(), Watched::new(watch));
        self.runtime.block_on(old.connections.shutdown());
    }

    /// New connections lead to another server, as when a name has moved.
    pub fn lead_to(&self, server: u16) {
        self.shared.server.store(server, Ordering::SeqCst);
    }

    /// How many messages there were.
    pub fn messages(&self) -> usize {
        self.run().tally().messages
    }

    /// Whether the message was reached that is struck at.
    pub fn struck(&self) -> bool {
        self.run().tally().struck
    }

    /// Whether a message or an answer waits for [`Proxy::release`].
    pub fn holds(&self) -> bool {
        *self.run().held.borrow()
    }

    pub fn release(&self) {
        self.run().held.send_replace(false);
    }

    fn run(&self) -> Arc<Run> {
        Arc::clone(&self.shared.watched().run)
    }
}

impl Shared {
    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn new(watch: Watch) -> Watched {
        let run = Run {
            tally: Mutex::new(Tally { watch, messages: 0, struck: false }),
            passage: watch::Sender::new(Passage::Open),
            held: watch::Sender::new(false),
        };
        Watched { run: Arc::new(run), connections: JoinSet::new() }
    }
}

impl Run {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a message, and says what becomes of it.
    async fn count(&self) -> Option<Strike> {
        let strike = {
            let mut tally = self.tally();
            tally.messages += 1;
            match tally.watch {
                Watch::At(at, strike) if at == tally.messages => {
                    tally.struck = true;
                    return Some(strike);
                }
                Watch::Step => true,
                _ => false,
            }
        };
        if strike {
            self.hold().await;
        }
        None
    }

    async fn hold(&self) {
        let mut held = self.held.subscribe();
        self.held.send_replace(true);
        let _ = held.wait_for(|held| !held).await;
    }

    async fn connection(&self, client: TcpStream, server: u16) {
        let mut passage = self.passage.subscribe();
        let mut relayed = std::pin::pin!(self.relay(client, server));
        let closed = tokio::select! {
            biased;
            passage = passage.wait_for(|passage| *passage != Passage::Open) => passage.map(|passage| *passage),
            // A connection that broke is a connection that ended.
            _ = &mut relayed => return,
        };
        if closed.is_ok_and(|closed| closed == Passage::Frozen) {
            // The sockets stay open until the next run begins.
            std::future::pending::<()>().await;
        }
    }

    /// Passes the messages of one connection until either side ends it.
    async fn relay(&self, client: TcpStream, server: u16) -> io::Result<()> {
        let mut client = Wire::new(client)?;
        let startup = client.startup().await?;
        let mut server = Wire::new(TcpStream::connect(("127.0.0.1", server)).await?)?;
        if startup.is_cancel_request() {
            server.send(&startup.0).await?;
            // The server closes the connection when it has sent the signal.
            while server.fill().await? {}
            return Ok(());
        }
        let mut status = IDLE;
        let mut message = startup;
        loop {
            let strike = self.count().await;
            match strike {
                Some(Strike::Drop) => return Ok(()),
                Some(Strike::Freeze) => {
                    self.passage.send_replace(Passage::Frozen);
                    std::future::pending::<()>().await;
                }
                Some(Strike::Refuse(sqlstate)) if message.is_startup() || sqlstate == ADMIN_SHUTDOWN => {
                    return client.send(&error("FATAL", sqlstate)).await;
                }
                Some(Strike::Refuse(sqlstate)) => {
                    if status == IN_TRANSACTION {
                        status = fail(&mut server, &message).await?;
                    }
                    client.send(&[error("ERROR", sqlstate), frame(READY, &[status])].concat()).await?;
                }
                Some(Strike::DropAfter | Strike::HoldAfter | Strike::CutAfter) | None => {
                    server.send(&message.0).await?;
                    let answer = answer(&mut client, &mut server, message.is_startup()).await?;
                    match strike {
                        Some(Strike::DropAfter) => return Ok(()),
                        Some(Strike::CutAfter) => {
                            self.passage.send_replace(Passage::Cut);
                            return Ok(());
                        }
                        Some(Strike::HoldAfter) => self.hold().await,
                        _ => {}
                    }
                    status = answer.last().copied().unwrap_or(status);
                    client.send(&answer).await?;
                }
            }
            message = loop {
                tokio::select! {
                    message = client.message() => break message?,
                    // What the server says unasked: a parameter, a notification, why it ends the session.
                    said = server.frame() => client.send(&said?).await?,
                }
            };
            if message.0.first() == Some(&TERMINATE) {
                return server.send(&message.0).await;
            }
        }
    }
}

const TERMINATE: u8 = b'X';
const QUERY: u8 = b'Q';
const SYNC: u8 = b'S';
const READY: u8 = b'Z';
const IDLE: u8 = b'I';
const IN_TRANSACTION: u8 = b'T';
const ADMIN_SHUTDOWN: &str = "57P01";
const CANCEL_REQUEST: [u8; 4] = 80_877_102_u32.to_be_bytes();

/// What the client sends to be answered as one.
struct Message(Vec<u8>);

impl Message {
    /// A startup has no letter: it begins with its length, which is short.
    fn is_startup(&self) -> bool {
        self.0.first() == Some(&0)
    }

    fn is_cancel_request(&self) -> bool {
        self.0.get(4..8) == Some(&CANCEL_REQUEST)
    }

    fn commits(&self) -> bool {
        self.0.get(5..).is_some_and(|text| self.0[0] == QUERY && text.to_ascii_uppercase().starts_with(b"COMMIT"))
    }
}

/// The server's answer, with the ReadyForQuery that ends it. During a startup both sides speak: all but that end
/// passes at once.
async fn answer(client: &mut Wire, server: &mut Wire, is_startup: bool) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    loop {
        tokio::select! {
            said = server.frame() => match said {
                Ok(said) if said.first() == Some(&READY) => return Ok([answer, said].concat()),
                Ok(said) if is_startup => client.send(&said).await?,
                Ok(said) => answer.extend(said),
                // The last words of a server that ends the session.
                Err(error) => {
                    client.send(&answer).await?;
                    return Err(error);
                }
            },
            password = client.frame(), if is_startup => server.send(&password?).await?,
        }
    }
}

/// Makes the server's transaction fail as the client is told that it did, and gives its status.
async fn fail(server: &mut Wire, message: &Message) -> io::Result<u8> {
    let text: &[u8] = if message.commits() { b"ROLLBACK\0" } else { b"SELECT 1 / 0\0" };
    server.send(&frame(QUERY, text)).await?;
    loop {
        let said = server.frame().await?;
        if said.first() == Some(&READY) {
            return Ok(said.last().copied().unwrap_or(IDLE));
        }
    }
}

fn error(severity: &str, sqlstate: &str) -> Vec<u8> {
    frame(b'E', format!("S{severity}\0V{severity}\0C{sqlstate}\0Ma fault, by the proxy\0\0").as_bytes())
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

/// One side of a connection. What was read of a message stays here when the reading is given up.
struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    fn new(stream: TcpStream) -> io::Result<Wire> {
        stream.set_nodelay(true)?;
        Ok(Wire { stream, buffer: Vec::new() })
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads more; `false` at the end.
    async fn fill(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    /// Takes the first bytes as soon as all that `length` counts of what has come so far are there.
    async fn take(&mut self, length: impl Fn(&[u8]) -> Option<usize>) -> io::Result<Vec<u8>> {
        loop {
            if let Some(length) = length(&self.buffer).filter(|length| *length <= self.buffer.len()) {
                return Ok(self.buffer.drain(..length).collect());
            }
            if !self.fill().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn startup(&mut self) -> io::Result<Message> {
        self.take(|bytes| length_at(bytes, 0)).await.map(Message)
    }

    async fn frame(&mut self) -> io::Result<Vec<u8>> {
        self.take(|bytes| Some(length_at(bytes, 1)? + 1)).await
    }

    async fn message(&mut self) -> io::Result<Message> {
        let whole = |bytes: &[u8]| {
            let mut at = 0;
            loop {
                let kind = *bytes.get(at)?;
                at += 1;
                at += length_at(bytes, at)?;
                if [QUERY, SYNC, TERMINATE].contains(&kind) {
                    return Some(at);
                }
            }
        };
        self.take(whole).await.map(Message)
    }
}

/// The length that stands there, which counts itself.
fn length_at(bytes: &[u8], at: usize) -> Option<usize> {
    let length: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(u32::from_be_bytes(length) as usize)
}

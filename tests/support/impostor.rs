//! Somebody who answers in the place of a server, and means no good: a thread for each connection, which speaks the
//! [protocol](https://www.postgresql.org/docs/current/protocol-message-formats.html) without TLS and asks for no password.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

/// What it does, instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trick {
    /// Says nothing.
    Silence,
    /// Begins a message and does not end it.
    HalfMessage,
    /// Says that 2 GB follow, and sends as much as is taken.
    EndlessMessage,
    /// An error of 100 MB.
    LargeError,
    /// One parameter after another, without end.
    EndlessParameters,
    /// One warning after another, without end.
    EndlessNotices,
    /// One row after another, without end.
    EndlessRows,
    /// A row of one byte every half second, without end.
    SlowRows,
}

/// When it does that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// In answer to the startup.
    AtStartup,
    /// In answer to the first query after the session has come about.
    AtQuery,
}

/// Listens, and gives the port. It goes on until the process ends.
pub fn start(when: When, trick: Trick) -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // That the other side leaves is how it should end.
            std::thread::spawn(move || serve(stream, when, trick).ok());
        }
    });
    Ok(port)
}

fn serve(mut stream: TcpStream, when: When, trick: Trick) -> io::Result<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    take(&mut stream, length)?;
    if when == When::AtStartup {
        return play(&mut stream, trick);
    }
    stream.write_all(&message(b'R', &[0, 0, 0, 0]))?;
    stream.write_all(&message(b'S', b"server_version\x0017.0\0"))?;
    stream.write_all(&message(b'K', &[0; 8]))?;
    stream.write_all(&message(b'Z', b"I"))?;
    // The session asks for its settings first.
    take_message(&mut stream)?;
    stream.write_all(&columns(5))?;
    let values = ["pg_catalog", "warning", "nobody", "0", "0"];
    let mut row = vec![0, 5];
    for value in values {
        row.extend(u32::try_from(value.len()).expect("short").to_be_bytes());
        row.extend(value.as_bytes());
    }
    stream.write_all(&message(b'D', &row))?;
    stream.write_all(&message(b'C', b"SELECT 1\0"))?;
    stream.write_all(&message(b'Z', b"I"))?;
    // What it prepares has two parameters, lists of text.
    while take_message(&mut stream)? != b'S' {}
    stream.write_all(&message(b'1', &[]))?;
    stream.write_all(&message(b't', &[0, 2, 0, 0, 3, 0xf1, 0, 0, 3, 0xf1]))?;
    stream.write_all(&columns(1))?;
    stream.write_all(&message(b'Z', b"I"))?;
    while take_message(&mut stream)? != b'S' {}
    stream.write_all(&message(b'2', &[]))?;
    play(&mut stream, trick)
}

fn play(stream: &mut TcpStream, trick: Trick) -> io::Result<()> {
    let row = message(b'D', &[&[0, 1, 0, 0, 0x40, 0][..], &[b'x'; 0x4000]].concat());
    match trick {
        Trick::Silence => {}
        Trick::HalfMessage => stream.write_all(&row[..100])?,
        Trick::EndlessMessage => {
            stream.write_all(&[b'D', 0x7f, 0xff, 0xff, 0xff])?;
            endless(stream, &[b'x'; 0x10000])?;
        }
        Trick::LargeError => {
            let text = "x".repeat(100 << 20);
            stream.write_all(&message(b'E', format!("SERROR\0VERROR\0CXX000\0M{text}\0\0").as_bytes()))?;
        }
        Trick::EndlessParameters => {
            for number in 0.. {
                stream.write_all(&message(b'S', format!("parameter_{number}\0{number:01000}\0").as_bytes()))?;
            }
        }
        Trick::EndlessNotices => {
            let notice = message(b'N', b"SWARNING\0VWARNING\0C01006\0Mno privileges could be revoked\0\0");
            endless(stream, &notice.repeat(100))?;
        }
        Trick::EndlessRows => endless(stream, &message(b'D', &[0, 1, 0, 0, 0, 1, b'x']).repeat(1000))?,
        Trick::SlowRows => loop {
            stream.write_all(&message(b'D', &[0, 1, 0, 0, 0, 1, b'x']))?;
            std::thread::sleep(std::time::Duration::from_millis(500));
        },
    }
    // Nothing more is said, and nothing is closed.
    io::copy(stream, &mut io::sink()).map(drop)
}

fn endless(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(bytes)?;
    }
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("less than 4 GB");
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

/// Columns of type text.
fn columns(count: u16) -> Vec<u8> {
    let column = b"c\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0";
    message(b'T', &[&count.to_be_bytes()[..], &column.repeat(count.into())].concat())
}

/// Reads a message, and gives its tag.
fn take_message(stream: &mut TcpStream) -> io::Result<u8> {
    let mut header = [0; 5];
    stream.read_exact(&mut header)?;
    let [tag, length @ ..] = header;
    take(stream, length)?;
    Ok(tag)
}

fn take(stream: &mut TcpStream, length: [u8; 4]) -> io::Result<()> {
    let rest = u64::from(u32::from_be_bytes(length)) - 4;
    io::copy(&mut stream.take(rest), &mut io::sink()).map(drop)
}

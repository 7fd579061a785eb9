//! The first half of a SCRAM login: what the server shows of a role's password to whoever begins.
//!
//! Nobody logs in: the exchange is left before the proof, takes no slot of the role's and leaves no
//! failed login in the log.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::sasl;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{DatabaseName, RoleName};

/// What a verifier begins with. A role without a password has one too, made up by the server and
/// always the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    pub iterations: u32,
    pub salt: Vec<u8>,
}

impl Challenge {
    /// From the server's first message: `r=<nonce>,s=<salt>,i=<iterations>` (RFC 5802, section 7).
    fn parse(message: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(message).ok()?;
        let field = |name: &str| text.split(',').find_map(|part| part.strip_prefix(name));
        Some(Challenge { iterations: field("i=")?.parse().ok()?, salt: BASE64.decode(field("s=")?).ok()? })
    }
}

/// Begins a login. `None` if the server asks for something other than SCRAM-SHA-256.
pub(super) async fn challenge<S>(
    stream: &mut S,
    role: &RoleName,
    database: &DatabaseName,
) -> io::Result<Option<Challenge>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut out = BytesMut::new();
    let parameters = [("user", role.as_str()), ("database", database.as_str()), ("client_encoding", "UTF8")];
    frontend::startup_message(parameters, &mut out)?;
    stream.write_all(&out).await?;
    let mut buffer = BytesMut::new();
    loop {
        match next(stream, &mut buffer).await? {
            Message::AuthenticationSasl(body) => {
                if !body.mechanisms().any(|name| Ok(name == sasl::SCRAM_SHA_256))? {
                    return Ok(None);
                }
                let mut nonce = [0; 18];
                getrandom::fill(&mut nonce).map_err(|error| io::Error::other(error.to_string()))?;
                let first = format!("n,,n=,r={}", BASE64.encode(nonce));
                out.clear();
                frontend::sasl_initial_response(sasl::SCRAM_SHA_256, first.as_bytes(), &mut out)?;
                stream.write_all(&out).await?;
            }
            Message::AuthenticationSaslContinue(body) => return Ok(Challenge::parse(body.data())),
            _ => return Ok(None),
        }
    }
}

async fn next<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut BytesMut) -> io::Result<Message> {
    loop {
        if let Some(message) = Message::parse(buffer)? {
            return Ok(message);
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_is_read() {
        let challenge = Challenge::parse(b"r=abc,s=c2FsdA==,i=4096");
        assert_eq!(challenge, Some(Challenge { iterations: 4096, salt: b"salt".to_vec() }));
        assert_eq!(Challenge::parse(b"r=abc,s=c2FsdA=="), None);
        assert_eq!(Challenge::parse(b"e=other-error"), None);
    }
}

//! The first half of a login: what the server asks of whoever begins one as a role, and what it shows of
//! the role's password.
//!
//! Nobody logs in: the exchange is left before the proof, takes no slot of the role's and leaves no
//! failed login in the log. Only a server that asks nothing lets in, and is left at once.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::sasl;
use postgres_protocol::message::backend::{ErrorResponseBody, Message};
use postgres_protocol::message::frontend;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_postgres::error::SqlState;

use super::{DatabaseName, RoleName};

/// What a verifier begins with. A role without a password has one too, made up by the server and
/// always the same.
///
/// As text, and so in JSON: `4096:<salt in Base64>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Challenge {
    pub iterations: u32,
    pub salt: Vec<u8>,
}

impl From<Challenge> for String {
    fn from(challenge: Challenge) -> String {
        format!("{}:{}", challenge.iterations, BASE64.encode(challenge.salt))
    }
}

impl TryFrom<String> for Challenge {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parts = || {
            let (iterations, salt) = text.split_once(':')?;
            Some(Challenge { iterations: iterations.parse().ok()?, salt: BASE64.decode(salt).ok()? })
        };
        parts().ok_or("not a number of iterations and a salt")
    }
}

impl Challenge {
    /// From the server's first message: `r=<nonce>,s=<salt>,i=<iterations>` (RFC 5802, section 7).
    fn parse(message: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(message).ok()?;
        let field = |name: &str| text.split(',').find_map(|part| part.strip_prefix(name));
        Some(Challenge { iterations: field("i=")?.parse().ok()?, salt: BASE64.decode(field("s=")?).ok()? })
    }
}

/// What a server asks of whoever begins to log in as a role. It asks before it looks whether the role may
/// log in, whether it has a password, and whether its database takes connections.
///
/// <https://www.postgresql.org/docs/current/auth-methods.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// SCRAM-SHA-256, with what it shows of the verifier.
    Scram(Challenge),
    /// Nothing: whoever comes is let in.
    Nothing,
    /// A password in clear text. PAM, LDAP and RADIUS ask for one too.
    ClearText,
    Md5,
    /// What this provider does not speak: GSSAPI, SSPI, OAuth.
    Other,
    /// It refuses before it asks: no line for this address, or a certificate is wanted first.
    Refused {
        state: SqlState,
        message: String,
    },
}

/// Begins a login, and leaves it once it is clear what is asked.
pub(super) async fn begin_login<S>(
    stream: &mut S,
    role: &RoleName,
    database: &DatabaseName,
) -> io::Result<Authentication>
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
                    return Ok(Authentication::Other);
                }
                let mut nonce = [0; 18];
                getrandom::fill(&mut nonce).map_err(|error| io::Error::other(error.to_string()))?;
                let first = format!("n,,n=,r={}", BASE64.encode(nonce));
                out.clear();
                frontend::sasl_initial_response(sasl::SCRAM_SHA_256, first.as_bytes(), &mut out)?;
                stream.write_all(&out).await?;
            }
            Message::AuthenticationSaslContinue(body) => {
                return Ok(Challenge::parse(body.data()).map_or(Authentication::Other, Authentication::Scram));
            }
            Message::AuthenticationOk => {
                out.clear();
                frontend::terminate(&mut out);
                stream.write_all(&out).await?;
                return Ok(Authentication::Nothing);
            }
            Message::AuthenticationCleartextPassword => return Ok(Authentication::ClearText),
            Message::AuthenticationMd5Password(_) => return Ok(Authentication::Md5),
            Message::ErrorResponse(body) => return refusal(&body),
            _ => return Ok(Authentication::Other),
        }
    }
}

fn refusal(body: &ErrorResponseBody) -> io::Result<Authentication> {
    let (mut state, mut message) = (SqlState::CONNECTION_EXCEPTION, String::new());
    let mut fields = body.fields();
    while let Some(field) = fields.next()? {
        let text = String::from_utf8_lossy(field.value_bytes());
        match field.type_() {
            b'C' => state = SqlState::from_code(&text),
            b'M' => message = text.into_owned(),
            _ => {}
        }
    }
    Ok(Authentication::Refused { state, message })
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

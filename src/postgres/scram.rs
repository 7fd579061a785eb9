//! The first part of a login: what the server asks of whoever begins one as a role, what it shows of the role's password, and
//! whether that is the one that is known.
//!
//! Nobody logs in: the exchange is left before the proof, takes no slot of the role's and leaves no
//! failed login in the log. Only a server that asks nothing lets in, and is left at once. Where the password is proved as well,
//! the session ends before it takes a statement; for that moment it takes a slot.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::sasl::{self, ScramSha256};
use postgres_protocol::message::backend::{ErrorResponseBody, Message};
use postgres_protocol::message::frontend;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_postgres::error::SqlState;

use super::{DatabaseName, RoleName, Secret};

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
    /// SCRAM-SHA-256, and the password that was proved is not the role's.
    WrongPassword,
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

/// A password, and what the server shows of it where it is the role's.
#[derive(Clone, Debug)]
pub struct Proof {
    pub password: Secret,
    pub challenge: Challenge,
}

/// An option without a value. The server looks at options when it knows who logs in, and ends the session (42601).
const NO_SESSION: (&str, &str) = ("options", "-c pgtenant");

/// Begins a login, and leaves it once it is clear what is asked. What the server shows of the password is proved if it is what
/// `proof` says: another password with the same salt is refused.
pub(super) async fn begin_login<S>(
    stream: &mut S,
    role: &RoleName,
    database: &DatabaseName,
    proof: Option<&Proof>,
) -> io::Result<Authentication>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut out = BytesMut::new();
    let parameters = [("user", role.as_str()), ("database", database.as_str()), ("client_encoding", "UTF8")];
    frontend::startup_message(parameters.into_iter().chain(proof.map(|_| NO_SESSION)), &mut out)?;
    stream.write_all(&out).await?;
    let password = proof.map(|proof| proof.password.expose()).unwrap_or_default();
    let mut scram = ScramSha256::new(password.as_bytes(), sasl::ChannelBinding::unsupported());
    let mut proved = None;
    let mut buffer = BytesMut::new();
    loop {
        out.clear();
        match next(stream, &mut buffer).await? {
            Message::AuthenticationSasl(body) => {
                if !body.mechanisms().any(|name| Ok(name == sasl::SCRAM_SHA_256))? {
                    return Ok(Authentication::Other);
                }
                frontend::sasl_initial_response(sasl::SCRAM_SHA_256, scram.message(), &mut out)?;
                stream.write_all(&out).await?;
            }
            Message::AuthenticationSaslContinue(body) => {
                let Some(shown) = Challenge::parse(body.data()) else { return Ok(Authentication::Other) };
                if proof.is_none_or(|proof| proof.challenge != shown) {
                    return Ok(Authentication::Scram(shown));
                }
                scram.update(body.data())?;
                frontend::sasl_response(scram.message(), &mut out)?;
                stream.write_all(&out).await?;
                proved = Some(shown);
            }
            Message::AuthenticationSaslFinal(body) => {
                scram.finish(body.data())?;
                return Ok(proved.map_or(Authentication::Other, Authentication::Scram));
            }
            Message::AuthenticationOk => {
                frontend::terminate(&mut out);
                stream.write_all(&out).await?;
                return Ok(Authentication::Nothing);
            }
            Message::AuthenticationCleartextPassword => return Ok(Authentication::ClearText),
            Message::AuthenticationMd5Password(_) => return Ok(Authentication::Md5),
            Message::ErrorResponse(body) => {
                return match (refusal(&body)?, proved) {
                    (Authentication::Refused { state: SqlState::INVALID_PASSWORD, .. }, Some(_)) => {
                        Ok(Authentication::WrongPassword)
                    }
                    (refused, _) => Ok(refused),
                };
            }
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

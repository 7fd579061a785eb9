//! Secrets: clear-text passwords, which never leave this process, and the SCRAM verifiers that do.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use super::scram::Challenge;

/// A clear-text secret: no `Display`, a redacted `Debug`, one way to look at it, and nothing left of it in memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Secret(Zeroizing::new(text.into()))
    }

    /// The secret itself. Search for this word to find every place that handles one.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A SCRAM-SHA-256 verifier: what PostgreSQL stores in place of a password, and takes in `PASSWORD`.
///
/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`, the last three in Base64.
///
/// <https://www.postgresql.org/docs/current/catalog-pg-authid.html>
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier(String);

/// The bytes of a salt for one role, from a text that is no secret. It is not given the password: a server
/// shows the salt to whoever begins a login, and a salt that depends on the password is a fast hash of it.
fn salt_for(role: &str, salt: &str) -> [u8; SALT_BYTES] {
    let hash = digest::digest(&digest::SHA256, format!("pgtenant scram salt\0{role}\0{salt}").as_bytes());
    hash.as_ref()[..SALT_BYTES].try_into().expect("a hash is longer than a salt")
}

/// A text that claims to be a verifier and is not. PostgreSQL would silently take it for a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SCRAM verifier has the form SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>")]
pub struct InvalidVerifier;

const PREFIX: &str = "SCRAM-SHA-256$";
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
/// As many as PostgreSQL takes for a salt of its own.
const SALT_BYTES: usize = 16;
const KEY_BYTES: usize = digest::SHA256_OUTPUT_LEN;

impl Verifier {
    /// A verifier with a random salt, of a password; a text that begins like a verifier is one
    /// already, and checked.
    pub fn from_password_or_verifier(secret: &Secret) -> Result<Self, InvalidVerifier> {
        if secret.expose().starts_with(PREFIX) {
            return secret.expose().parse();
        }
        Ok(Verifier(postgres_protocol::password::scram_sha_256(secret.expose().as_bytes())))
    }

    /// Whether [`Self::from_password_or_verifier`] would take it, without the work of making one.
    pub fn check_password_or_verifier(secret: &Secret) -> Result<(), InvalidVerifier> {
        if secret.expose().starts_with(PREFIX) { secret.expose().parse::<Verifier>().map(|_| ()) } else { Ok(()) }
    }

    /// The verifier of a password with the salt of `salt_for`, the same at every call. For where a
    /// result must be repeatable; else a random salt is the better one.
    pub fn salted(password: &Secret, role: &str, salt: &str) -> Self {
        Self::with_salt(password, &salt_for(role, salt))
    }

    /// RFC 5802, section 3, with SHA-256. `postgres-protocol` keeps its own with a chosen salt private.
    fn with_salt(password: &Secret, salt: &[u8]) -> Self {
        let prepared = stringprep::saslprep(password.expose()).unwrap_or(std::borrow::Cow::Borrowed(password.expose()));
        let mut salted = [0; KEY_BYTES];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, salt, prepared.as_bytes(), &mut salted);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        let stored = digest::digest(&digest::SHA256, hmac::sign(&key, b"Client Key").as_ref());
        let server = hmac::sign(&key, b"Server Key");
        Verifier(format!(
            "{PREFIX}{ITERATIONS}:{}${}:{}",
            BASE64.encode(salt),
            BASE64.encode(stored.as_ref()),
            BASE64.encode(server.as_ref())
        ))
    }

    /// What the server shows of it to whoever begins to log in.
    pub fn challenge(&self) -> Challenge {
        let (iterations, salt) =
            self.0[PREFIX.len()..].split('$').next().and_then(|head| head.split_once(':')).unwrap_or_default();
        Challenge { iterations: iterations.parse().unwrap_or_default(), salt: BASE64.decode(salt).unwrap_or_default() }
    }

    /// The verifier as `PASSWORD '...'` takes it. Not a password, but enough to guess one offline.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(..)")
    }
}

impl FromStr for Verifier {
    type Err = InvalidVerifier;

    fn from_str(text: &str) -> Result<Self, InvalidVerifier> {
        let parts = || {
            let (head, keys) = text.strip_prefix(PREFIX)?.split_once('$')?;
            let (iterations, salt) = head.split_once(':')?;
            let (stored, server) = keys.split_once(':')?;
            let is_key = |key: &str| BASE64.decode(key).is_ok_and(|bytes| bytes.len() == KEY_BYTES);
            let valid = iterations.parse::<u32>().is_ok_and(|count| count > 0 && count <= i32::MAX as u32)
                && BASE64.decode(salt).is_ok_and(|bytes| !bytes.is_empty())
                && is_key(stored)
                && is_key(server);
            valid.then(|| Verifier(text.to_owned()))
        };
        parts().ok_or(InvalidVerifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `postgres-protocol` computes for the same password and salt, as its own tests hold it.
    #[test]
    fn salted_verifiers_agree_with_postgres_protocol() {
        let theirs = postgres_protocol::password::scram_sha_256(b"secret");
        let salt = theirs[PREFIX.len()..].split([':', '$']).nth(1).unwrap();
        let ours = Verifier::with_salt(&Secret::new("secret"), &BASE64.decode(salt).unwrap());
        assert_eq!(ours.expose(), theirs);
    }

    #[test]
    fn salted_verifiers_repeat_and_differ_by_each_argument() {
        let made = |password, role, salt| Verifier::salted(&Secret::new(password), role, salt).expose().to_owned();
        let verifier = made("secret", "acme", "one");
        assert_eq!(verifier, made("secret", "acme", "one"));
        for other in [made("secret", "globex", "one"), made("secret2", "acme", "one"), made("secret", "acme", "two")] {
            assert_ne!(verifier, other);
        }
        assert!(verifier.parse::<Verifier>().is_ok());
    }

    #[test]
    fn the_salt_follows_from_role_and_salt_alone() {
        let shown = |password, role, salt| Verifier::salted(&Secret::new(password), role, salt).challenge();
        let challenge = shown("secret", "acme", "one");
        for password in ["secret2", "", "Winter2026!", "acme", "one"] {
            assert_eq!(shown(password, "acme", "one"), challenge, "{password}");
        }
        assert_ne!(shown("secret", "globex", "one"), challenge);
        assert_ne!(shown("secret", "acme", "two"), challenge);
        // Where role ends and salt begins is part of it.
        assert_ne!(shown("secret", "acmeo", "ne"), challenge);
    }

    #[test]
    fn a_salt_of_its_own_is_random() {
        let shown = || Verifier::from_password_or_verifier(&Secret::new("secret")).unwrap().challenge();
        assert_ne!(shown(), shown());
    }

    #[test]
    fn malformed_verifiers_are_refused() {
        let good = postgres_protocol::password::scram_sha_256(b"secret");
        assert!(good.parse::<Verifier>().is_ok());
        for bad in ["SCRAM-SHA-256$", "SCRAM-SHA-256$4096:c2FsdA==$abc:def", "secret", &good[..good.len() - 4]] {
            assert_eq!(Verifier::from_str(bad), Err(InvalidVerifier), "{bad}");
        }
        assert!(Verifier::from_password_or_verifier(&Secret::new("SCRAM-SHA-256$oops")).is_err());
    }

    #[test]
    fn secrets_do_not_show_in_debug_output() {
        let shown = format!("{:?} {:?}", Secret::new("hunter2"), Verifier::salted(&Secret::new("hunter2"), "a", "b"));
        assert_eq!(shown, "Secret(..) Verifier(..)");
    }
}

//! libpq's `require_auth`: what a server may ask for before it lets this admin in.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::connect::choice;

/// A way to say who one is.
///
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-REQUIRE-AUTH>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthMethod {
    /// The password itself.
    Password,
    /// Its MD5 hash: whoever has seen it, or the server's copy, can log in.
    Md5,
    Gss,
    Sspi,
    /// A proof that one knows it (SCRAM), and the server's that it does.
    ScramSha256,
    /// Nothing: the server trusts the address, the operating system or a client certificate.
    None,
}

impl AuthMethod {
    const ALL: [(&str, AuthMethod); 6] = [
        ("password", AuthMethod::Password),
        ("md5", AuthMethod::Md5),
        ("gss", AuthMethod::Gss),
        ("sspi", AuthMethod::Sspi),
        ("scram-sha-256", AuthMethod::ScramSha256),
        ("none", AuthMethod::None),
    ];

    /// What a server asks for, by the number in its first answer; `None` for one that goes on with what it has begun.
    ///
    /// <https://www.postgresql.org/docs/current/protocol-message-formats.html>
    pub(super) fn asked(number: u32) -> Option<Self> {
        match number {
            0 => Some(AuthMethod::None),
            3 => Some(AuthMethod::Password),
            5 => Some(AuthMethod::Md5),
            7 | 8 => Some(AuthMethod::Gss),
            9 => Some(AuthMethod::Sspi),
            10 => Some(AuthMethod::ScramSha256),
            _ => None,
        }
    }
}

impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AuthMethod::Password => "the password in clear text",
            AuthMethod::Md5 => "an MD5 hash of the password",
            AuthMethod::Gss => "GSSAPI",
            AuthMethod::Sspi => "SSPI",
            AuthMethod::ScramSha256 => "SCRAM-SHA-256",
            AuthMethod::None => "no proof at all",
        })
    }
}

/// The ways that are allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequireAuth(BTreeSet<AuthMethod>);

impl RequireAuth {
    pub fn any() -> Self {
        RequireAuth(AuthMethod::ALL.map(|(_, method)| method).into())
    }

    /// Only what tells nobody the password.
    pub fn scram() -> Self {
        RequireAuth([AuthMethod::ScramSha256].into())
    }

    pub fn allows(&self, method: AuthMethod) -> bool {
        self.0.contains(&method)
    }
}

impl FromStr for RequireAuth {
    type Err = String;

    /// Names with commas between them: the ways that are allowed, or each with a `!` the ways that are not.
    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(',').collect();
        let negated = words.iter().filter(|word| word.starts_with('!')).count();
        if negated > 0 && negated < words.len() {
            return Err("some of its names have a ! and some have none: either all or none do".to_owned());
        }
        let named: Vec<AuthMethod> = words
            .iter()
            .map(|word| choice(&AuthMethod::ALL, word.trim_start_matches('!')))
            .collect::<Result<_, _>>()?;
        let set: BTreeSet<AuthMethod> = named.iter().copied().collect();
        if set.len() < named.len() {
            return Err("it has a name twice".to_owned());
        }
        if negated == 0 {
            return Ok(RequireAuth(set));
        }
        Ok(RequireAuth(Self::any().0.difference(&set).copied().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_named_or_excluded() {
        let check = |text: &str, allowed: &[AuthMethod]| {
            assert_eq!(text.parse(), Ok(RequireAuth(allowed.iter().copied().collect())), "{text}");
        };
        use AuthMethod::{Gss, Md5, None, Password, ScramSha256, Sspi};
        check("scram-sha-256", &[ScramSha256]);
        check("scram-sha-256,none", &[ScramSha256, None]);
        check("!password,!md5", &[Gss, Sspi, ScramSha256, None]);
        check("!none", &[Password, Md5, Gss, Sspi, ScramSha256]);
        for (text, why) in [
            ("", "\"\" is not one of"),
            ("scram-sha-256, none", "\" none\" is not one of"),
            ("scram", "\"scram\" is not one of password, md5"),
            ("md5,!none", "either all or none"),
            ("md5,md5", "twice"),
            ("md5,,none", "\"\" is not one of"),
        ] {
            assert!(text.parse::<RequireAuth>().is_err_and(|said| said.contains(why)), "{text}");
        }
    }

    #[test]
    fn scram_is_the_only_way_that_tells_nothing() {
        for (_, method) in AuthMethod::ALL {
            assert_eq!(RequireAuth::scram().allows(method), method == AuthMethod::ScramSha256);
            assert!(RequireAuth::any().allows(method));
        }
    }
}

//! Validated identifiers. Nothing else that a user or a catalog names is interpolated into SQL.

use std::fmt;
use std::str::FromStr;

use postgres_protocol::escape::escape_identifier;

/// The longest identifier, in bytes, that PostgreSQL keeps (`NAMEDATALEN - 1`).
///
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>
pub const MAX_BYTES: usize = 63;

/// Why a text is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("the name is empty")]
    Empty,
    #[error("the name has {0} bytes; PostgreSQL keeps 63 and would cut the rest")]
    TooLong(usize),
    #[error("the name has a control character")]
    ControlCharacter,
}

fn check(text: &str) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(InvalidName::TooLong(text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidName::ControlCharacter);
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as it stands in the catalogs.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name as it stands in SQL, always in double quotes.
            pub fn quoted(&self) -> String {
                escape_identifier(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// The name of a database.
    DatabaseName
}
name! {
    /// The name of a role.
    RoleName
}
name! {
    /// The name of a schema inside a database (not Terraform's schema).
    SchemaName
}
name! {
    /// The name of an extension.
    ExtensionName
}
name! {
    /// The version of an extension, which SQL takes as a name too.
    ExtensionVersion
}

/// Reads a list of identifiers as PostgreSQL reads what `pg_db_role_setting` keeps: `app, "My Schema"`
/// (`SplitIdentifierString` in its `varlena.c`). `None` for what it refuses, and for what it reads by the
/// encoding of the database or by its major: capitals beyond ASCII without quotes, names beyond ASCII that are too
/// long, and vertical tabs between names.
///
/// Held against real servers by `tests/acceptance/syntax.rs`.
pub fn parse_list(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let (name, after) = if let Some(quoted) = rest.strip_prefix('"') {
            split_quoted(quoted)?
        } else {
            let (name, after) = rest.split_at(rest.find(|c| c == ',' || is_space(c)).unwrap_or(rest.len()));
            let ambiguous = |c: char| c == '\x0b' || !c.is_ascii() && !c.to_lowercase().eq([c]);
            if name.is_empty() || name.contains(ambiguous) {
                return None;
            }
            (name.to_ascii_lowercase(), after)
        };
        names.push(truncated(name)?);
        rest = after.trim_start_matches(is_space);
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start_matches(is_space),
            None if rest.is_empty() => return Some(names),
            None => return None,
        }
    }
}

/// White space between names. Later majors take a vertical tab too.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}

/// The name as far as PostgreSQL keeps it. Where that is, counts in bytes of the database's encoding.
fn truncated(mut name: String) -> Option<String> {
    if name.len() > MAX_BYTES {
        if !name.is_ascii() {
            return None;
        }
        name.truncate(MAX_BYTES);
    }
    Some(name)
}

/// The text up to the closing quote, doubled quotes undone, and what follows that quote.
fn split_quoted(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            name.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == '"') {
            chars.next();
            name.push('"');
        } else {
            return Some((name, &text[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_checked_and_quoted() {
        let quoted = |text: &str| text.parse::<RoleName>().map(|name| name.quoted());
        assert_eq!(quoted("acme"), Ok("\"acme\"".to_owned()));
        assert_eq!(quoted("A \"b\".c"), Ok("\"A \"\"b\"\".c\"".to_owned()));
        assert_eq!(quoted("müller"), Ok("\"müller\"".to_owned()));
        assert_eq!(quoted(""), Err(InvalidName::Empty));
        assert_eq!(quoted("a\0b"), Err(InvalidName::ControlCharacter));
        assert!(quoted(&"x".repeat(63)).is_ok());
        assert_eq!(quoted(&"x".repeat(64)), Err(InvalidName::TooLong(64)));
        assert_eq!(quoted(&"ü".repeat(32)), Err(InvalidName::TooLong(64)));
    }

    #[test]
    fn lists_of_identifiers_are_read_as_the_catalog_keeps_them() {
        let list = |text: &str| parse_list(text).map(|names| names.join("|"));
        assert_eq!(list("app"), Some("app".to_owned()));
        assert_eq!(list("app, extensions"), Some("app|extensions".to_owned()));
        assert_eq!(list("\"My, \"\"Schema\"\"\",b"), Some("My, \"Schema\"|b".to_owned()));
        assert_eq!(list("\"$user\", public"), Some("$user|public".to_owned()));
        assert_eq!(list("App , PUBLIC\t"), Some("app|public".to_owned()));
        assert_eq!(list("a\"b, \"\""), Some("a\"b|".to_owned()));
        assert_eq!(list("müller, \"Ünal\""), Some("müller|Ünal".to_owned()));
        assert_eq!(list(&"X".repeat(70)), Some("x".repeat(63)));
        assert_eq!(list(&format!("\"{}\"", "X".repeat(70))), Some("X".repeat(63)));
        assert_eq!(parse_list(" "), Some(Vec::new()));
        for refused in ["a,", ",a", "a,,b", "a b", "\"a\"b", "a\u{a0}, b,", "\"", "\"a\"\"", "a \"b\""] {
            assert_eq!(parse_list(refused), None, "{refused:?}");
        }
        // In LATIN1 the server may read them otherwise than in UTF-8; which of the two counts is not in the text.
        for ambiguous in ["Ünal".to_owned(), "a,\x0bb".to_owned(), "ü".repeat(32), format!("\"{}\"", "ü".repeat(32))]
        {
            assert_eq!(parse_list(&ambiguous), None, "{ambiguous:?}");
        }
        assert_eq!(list("\"a"), None);
        assert_eq!(list("\"a\" b"), None);
    }

    proptest! {
        #[test]
        fn quoted_names_are_read_as_they_are(names in prop::collection::vec("[^\\x00]{1,15}", 0..5)) {
            let text = names.iter().map(|name| escape_identifier(name)).collect::<Vec<_>>().join(", ");
            prop_assert_eq!(parse_list(&text), Some(names));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            if let Some(names) = parse_list(&text) {
                prop_assert!(names.iter().all(|name| name.len() <= MAX_BYTES));
            }
        }
    }
}

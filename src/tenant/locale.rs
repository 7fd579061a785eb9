//! How a tenant's database encodes and sorts text.

use postgres_protocol::escape::escape_literal;

/// How a database encodes and sorts text; fixed when it is made. What is `None` comes from the server.
///
/// <https://www.postgresql.org/docs/current/sql-createdatabase.html>
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Locale {
    pub encoding: Option<String>,
    /// `libc`, `icu` or `builtin`: PostgreSQL 15, 15 and 17.
    pub provider: Option<String>,
    pub collate: Option<String>,
    pub ctype: Option<String>,
    /// Of the ICU or builtin provider.
    pub locale: Option<String>,
}

impl Locale {
    pub(super) fn clauses(&self) -> String {
        // ICU_LOCALE until 16, where LOCALE meant libc's; BUILTIN_LOCALE came with 17. ICU_LOCALE is
        // still taken by later majors.
        let locale_word = match self.provider.as_deref() {
            Some("icu") => "ICU_LOCALE",
            Some("builtin") => "BUILTIN_LOCALE",
            _ => "LOCALE",
        };
        [
            ("ENCODING", &self.encoding),
            ("LOCALE_PROVIDER", &self.provider),
            ("LC_COLLATE", &self.collate),
            ("LC_CTYPE", &self.ctype),
            (locale_word, &self.locale),
        ]
        .into_iter()
        .filter_map(|(word, value)| Some(format!(" {word} {}", escape_literal(value.as_ref()?))))
        .collect()
    }
}

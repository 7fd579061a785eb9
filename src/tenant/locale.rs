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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_has_its_own_word() {
        let of = |provider: Option<&str>| {
            let text = |text: &str| Some(text.to_owned());
            let (encoding, collate, ctype) = (text("UTF8"), text("C"), text("it's"));
            Locale { encoding, provider: provider.map(str::to_owned), collate, ctype, locale: text("x") }.clauses()
        };
        assert_eq!(of(None), " ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'it''s' LOCALE 'x'");
        for (provider, word) in [("libc", "LOCALE"), ("icu", "ICU_LOCALE"), ("builtin", "BUILTIN_LOCALE")] {
            let expected =
                format!(" ENCODING 'UTF8' LOCALE_PROVIDER '{provider}' LC_COLLATE 'C' LC_CTYPE 'it''s' {word} 'x'");
            assert_eq!(of(Some(provider)), expected);
        }
        assert_eq!(Locale::default().clauses(), "");
    }
}

//! Character encodings by PostgreSQL's names for them.
//!
//! Held against real servers by `tests/acceptance/syntax.rs`.
//!
//! <https://www.postgresql.org/docs/current/multibyte.html#MULTIBYTE-CHARSET-SUPPORTED>

use std::fmt;

/// An encoding that PostgreSQL knows, in its spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Encoding(&'static str);

impl Encoding {
    pub const UTF8: Encoding = Encoding("UTF8");
    pub const SQL_ASCII: Encoding = Encoding("SQL_ASCII");

    /// Those that a database may have, in the order of their numbers on the server.
    pub const OF_DATABASES: [Encoding; 35] = [
        Encoding::SQL_ASCII,
        Encoding("EUC_JP"),
        Encoding("EUC_CN"),
        Encoding("EUC_KR"),
        Encoding("EUC_TW"),
        Encoding("EUC_JIS_2004"),
        Encoding::UTF8,
        Encoding("MULE_INTERNAL"),
        Encoding("LATIN1"),
        Encoding("LATIN2"),
        Encoding("LATIN3"),
        Encoding("LATIN4"),
        Encoding("LATIN5"),
        Encoding("LATIN6"),
        Encoding("LATIN7"),
        Encoding("LATIN8"),
        Encoding("LATIN9"),
        Encoding("LATIN10"),
        Encoding("WIN1256"),
        Encoding("WIN1258"),
        Encoding("WIN866"),
        Encoding("WIN874"),
        Encoding("KOI8R"),
        Encoding("WIN1251"),
        Encoding("WIN1252"),
        Encoding("ISO_8859_5"),
        Encoding("ISO_8859_6"),
        Encoding("ISO_8859_7"),
        Encoding("ISO_8859_8"),
        Encoding("WIN1250"),
        Encoding("WIN1253"),
        Encoding("WIN1254"),
        Encoding("WIN1255"),
        Encoding("WIN1257"),
        Encoding("KOI8U"),
    ];

    /// Those that only a client may have.
    const OF_CLIENTS: [Encoding; 7] = [
        Encoding("SJIS"),
        Encoding("BIG5"),
        Encoding("GBK"),
        Encoding("UHC"),
        Encoding("GB18030"),
        Encoding("JOHAB"),
        Encoding("SHIFT_JIS_2004"),
    ];

    /// Other names, as [`bare`] has them. `windows...` is `win...`.
    const ALIASES: [(&'static str, &'static str); 24] = [
        ("abc", "WIN1258"),
        ("alt", "WIN866"),
        ("iso88591", "LATIN1"),
        ("iso885910", "LATIN6"),
        ("iso885913", "LATIN7"),
        ("iso885914", "LATIN8"),
        ("iso885915", "LATIN9"),
        ("iso885916", "LATIN10"),
        ("iso88592", "LATIN2"),
        ("iso88593", "LATIN3"),
        ("iso88594", "LATIN4"),
        ("iso88599", "LATIN5"),
        ("koi8", "KOI8R"),
        ("mskanji", "SJIS"),
        ("shiftjis", "SJIS"),
        ("tcvn", "WIN1258"),
        ("tcvn5712", "WIN1258"),
        ("unicode", "UTF8"),
        ("vscii", "WIN1258"),
        ("win", "WIN1251"),
        ("win932", "SJIS"),
        ("win936", "GBK"),
        ("win949", "UHC"),
        ("win950", "BIG5"),
    ];

    /// The encoding of a name. As the server does, only letters and digits count, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        if name.len() > super::name::MAX_BYTES {
            return None;
        }
        let bare = bare(name);
        let bare = match bare.strip_prefix("windows") {
            Some(number) if !number.is_empty() => format!("win{number}"),
            _ => bare,
        };
        let alias = Self::ALIASES.iter().find(|(alias, _)| *alias == bare).map(|(_, name)| *name);
        let all = || Self::OF_DATABASES.into_iter().chain(Self::OF_CLIENTS);
        match alias {
            Some(name) => all().find(|encoding| encoding.0 == name),
            None => all().find(|encoding| self::bare(encoding.0) == bare),
        }
    }

    /// The encoding that the name of a libc locale says, as `de_DE.ISO-8859-1@euro` does. `C` and `POSIX` go with any.
    pub fn of_locale(name: &str) -> Option<Self> {
        if ["C", "POSIX"].contains(&name) {
            return Some(Encoding::SQL_ASCII);
        }
        let codeset = name.split_once('.')?.1;
        let codeset = codeset.split('@').next().unwrap_or_default();
        let bare = bare(codeset);
        match bare.strip_prefix("cp") {
            Some(page) => Self::parse(&format!("win{page}")),
            None => Self::parse(&bare),
        }
    }

    pub fn name(self) -> &'static str {
        self.0
    }

    /// Whether a database may have it.
    pub fn is_of_databases(self) -> bool {
        Self::OF_DATABASES.contains(&self)
    }

    /// Whether the ICU provider knows it.
    pub fn is_known_to_icu(self) -> bool {
        let unknown = ["SQL_ASCII", "EUC_JIS_2004", "MULE_INTERNAL", "LATIN10", "WIN874"];
        self.is_of_databases() && !unknown.contains(&self.0)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn bare(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_the_server_reads_them() {
        for (name, encoding) in [
            ("UTF8", Some("UTF8")),
            ("utf-8", Some("UTF8")),
            ("Unicode", Some("UTF8")),
            ("sql_ascii", Some("SQL_ASCII")),
            ("ISO 8859-1", Some("LATIN1")),
            ("iso-8859-5", Some("ISO_8859_5")),
            ("Windows-1252", Some("WIN1252")),
            ("windows", None),
            ("shift_jis", Some("SJIS")),
            ("UTF9", None),
            ("", None),
            ("-", None),
        ] {
            assert_eq!(Encoding::parse(name).map(Encoding::name), encoding, "{name}");
        }
        assert_eq!(Encoding::parse(&format!("UTF8{}", "-".repeat(60))), None);
        assert!(Encoding::UTF8.is_of_databases() && !Encoding::parse("GBK").unwrap().is_of_databases());
    }

    #[test]
    fn a_locale_may_say_its_encoding() {
        for (locale, encoding) in [
            ("C", Some("SQL_ASCII")),
            ("POSIX", Some("SQL_ASCII")),
            ("C.UTF-8", Some("UTF8")),
            ("en_US.utf8", Some("UTF8")),
            ("de_DE.ISO-8859-15@euro", Some("LATIN9")),
            ("ru_RU.CP1251", Some("WIN1251")),
            ("ja_JP.eucJP", Some("EUC_JP")),
            ("th_TH.TIS-620", None),
            ("en_US", None),
        ] {
            assert_eq!(Encoding::of_locale(locale).map(Encoding::name), encoding, "{locale}");
        }
    }
}

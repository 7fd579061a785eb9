//! Names in a configuration: parsed, or told what is wrong with them and where.

use std::str::FromStr;

use crate::postgres::name::InvalidName;
use crate::tenant::names::{is_reserved, is_reserved_schema};
use crate::tf_provider::{Diagnostic, Diagnostics, Field, Path};

/// Checks the known ones of a tenant's names, each with its attribute.
pub(super) fn validate<const N: usize>(names: [(&str, &Field<String>); N], diagnostics: &mut Diagnostics) {
    for (attribute, field) in names {
        let Field::Known(text) = field else { continue };
        if let Err(diagnostic) = check(attribute, text) {
            diagnostics.push(diagnostic);
        }
    }
}

fn check(attribute: &str, text: &str) -> Result<(), Diagnostic> {
    parse::<crate::postgres::DatabaseName>(Path::attribute(attribute), text)?;
    let reserved = if attribute == "schema" { is_reserved_schema(text) } else { is_reserved(text) };
    if !reserved {
        return Ok(());
    }
    let detail = if attribute == "schema" {
        "PostgreSQL keeps schemas that begin with `pg_`, and `information_schema`, for itself; `extensions` is where \
         the provider installs extensions. Choose another name, or leave it out for `app`."
    } else {
        "PostgreSQL and RDS keep `postgres`, `template0`, `template1`, `public`, `rdsadmin` and what begins with `pg_` \
         or `rds_` for themselves. Choose another name."
    };
    Err(Diagnostic::error(format!("The name {text:?} is reserved"), detail).at_attribute(attribute))
}

/// The two names that an ID may be: either may have a slash in it.
pub(super) fn pairs<A: FromStr, B: FromStr>(id: &str) -> impl Iterator<Item = (A, B)> {
    let parts = id.match_indices('/').map(|(at, _)| (&id[..at], &id[at + 1..]));
    parts.filter_map(|(first, second)| Some((first.parse().ok()?, second.parse().ok()?)))
}

/// Parses a name, or says what is wrong with it.
pub(super) fn parse<T: FromStr<Err = InvalidName>>(path: Path, text: &str) -> Result<T, Diagnostic> {
    text.parse().map_err(|error: InvalidName| {
        let remedy = match error {
            InvalidName::Empty => "Give it a name, or leave it out for the default.",
            InvalidName::TooLong(_) => "Choose a shorter one; letters outside ASCII take two bytes or more.",
            InvalidName::ControlCharacter => "Remove it; anything that can be seen is allowed.",
        };
        let what = error.to_string();
        Diagnostic::error(
            "Not a name that PostgreSQL keeps",
            format!("{}{}. {remedy}", what[..1].to_uppercase(), &what[1..]),
        )
        .at(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::RoleName;

    #[test]
    fn an_id_of_two_names_may_be_read_in_several_ways() {
        let read = |id: &str| pairs::<RoleName, RoleName>(id).map(|(a, b)| format!("{a} {b}")).collect::<Vec<_>>();
        assert_eq!(read("a/b"), ["a b"]);
        assert_eq!(read("a/b/c"), ["a b/c", "a/b c"]);
        assert_eq!(read("a"), [""; 0]);
        assert_eq!(read("/a/"), ["/a "; 0]);
    }

    #[test]
    fn names_that_cannot_be_are_told_with_their_attribute() {
        for (attribute, text, summary, detail) in [
            ("name", "acme", "", ""),
            ("schema", "public", "", ""),
            ("name", "none", "The name \"none\" is reserved", "PostgreSQL and RDS"),
            ("role", "PG_x", "The name \"PG_x\" is reserved", "PostgreSQL and RDS"),
            ("schema", "extensions", "The name \"extensions\" is reserved", "where the provider installs"),
            ("database", "", "Not a name that PostgreSQL keeps", "The name is empty. Give it"),
            ("database", "a\nb", "Not a name that PostgreSQL keeps", "The name has a control character. Remove"),
        ] {
            let mut diagnostics = Diagnostics::default();
            let known = Field::Known(text.to_owned());
            let (null, unknown) = (Field::Null, Field::Unknown);
            validate([(attribute, &known), ("a", &null), ("b", &unknown), ("c", &null)], &mut diagnostics);
            let found: Vec<_> = diagnostics.0.iter().map(|found| found.summary.as_str()).collect();
            assert_eq!(found.concat(), summary, "{text:?}");
            for found in &diagnostics.0 {
                assert!(found.detail.contains(detail), "{}", found.detail);
                assert_eq!(found.path, Some(Path::attribute(attribute)));
            }
        }
    }
}

//! The attribute `comment`: what people wrote into the comment of the tenant's database.

use crate::tenant::Marker;
use crate::tf_provider::{Diagnostic, Field};

/// How much of it there may be, and is shown.
const MOST_BYTES: usize = 4096;

/// What is wrong with a text that is to be written.
pub(super) fn validate(comment: &Field<String>) -> Option<Diagnostic> {
    let text = comment.as_known()?;
    let (summary, detail) = if text.len() > MOST_BYTES {
        ("The comment is too long", format!("It has {} bytes. Give it at most {MOST_BYTES}.", text.len()))
    } else if text.contains('\0') {
        ("The comment has a NUL character", "PostgreSQL stores none. Take it out.".to_owned())
    } else if Marker::line(text).is_some() {
        let detail = "With this begins the line of the provider's own that stands before it. Begin it otherwise.";
        ("The comment begins as a marker does", detail.to_owned())
    } else {
        return None;
    };
    Some(Diagnostic::error(summary, detail).at_attribute("comment"))
}

/// What is found. One that is cut is longer than one that may be written: a configuration that is made of it is refused, for it would
/// cut the text on the server.
pub(super) fn shown(before: &Field<String>, found: &str) -> Field<String> {
    let is_cut = found.len() > MOST_BYTES;
    let end = (0..=MOST_BYTES.min(found.len())).rev().find(|end| found.is_char_boundary(*end)).unwrap_or_default();
    match (found, is_cut) {
        // One that is to be empty is as empty as none.
        ("", _) => before.as_known().filter(|before| before.is_empty()).cloned().into(),
        (found, false) => Field::Known(found.to_owned()),
        (found, true) => Field::Known(format!("{} (cut)", &found[..end])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_stand_beside_a_marker_is_refused() {
        let said = |text: &str| validate(&Field::Known(text.to_owned())).map(|found| found.summary);
        for text in ["", "owner: shop", "a\n{\"pgtenant\":1}", &"ü".repeat(2048)] {
            assert_eq!(said(text), None, "{text:?}");
        }
        assert_eq!(said(&format!("{}x", "ü".repeat(2048))).as_deref(), Some("The comment is too long"));
        assert_eq!(said("a\0b").as_deref(), Some("The comment has a NUL character"));
        assert_eq!(said("{\"pgtenant\":1}").as_deref(), Some("The comment begins as a marker does"));
        assert_eq!(validate(&Field::Null), None);
        assert_eq!(validate(&Field::Unknown), None);
    }

    #[test]
    fn what_is_found_is_shown_as_far_as_it_may_be_written() {
        let known = |text: &str| Field::Known(text.to_owned());
        assert_eq!(shown(&Field::Null, "owner: shop"), known("owner: shop"));
        assert_eq!(shown(&known("x"), ""), Field::Null);
        assert_eq!(shown(&known(""), ""), known(""));
        assert_eq!(shown(&Field::Null, &"x".repeat(4096)), known(&"x".repeat(4096)));
        let cut = shown(&Field::Null, &format!("x{}", "ü".repeat(3000)));
        assert_eq!(cut, Field::Known(format!("x{} (cut)", "ü".repeat(2047))));
        assert!(validate(&cut).is_some());
    }
}

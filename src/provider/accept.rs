//! `accept` of a configuration: the controls whose findings are meant to be, each with its reason. Which they may be, and what
//! a plan knows of them. What is accepted is decided in `tenant`.

use std::collections::BTreeMap;

use crate::tenant::{Control, Of};
use crate::tf_provider::{Diagnostic, Diagnostics, Field, Item, Path};

/// The reasons by the controls' keys.
pub(super) type Reasons = Field<BTreeMap<String, Item<String>>>;

/// Whose controls are accepted.
#[derive(Clone, Copy)]
pub(super) enum Whose {
    Tenant,
    Cluster,
}

impl Whose {
    fn has(self, key: &str) -> bool {
        match self {
            Whose::Tenant => Control::named(Of::Tenant, key).is_some(),
            Whose::Cluster => {
                let of_database = key.rsplit_once('.').and_then(|(_, name)| Control::named(Of::Database, name));
                Control::named(Of::Cluster, key).or(of_database).is_some()
            }
        }
    }

    fn keys(self) -> Vec<String> {
        let all = |of| Control::all(of).map(|control| control.to_string());
        match self {
            Whose::Tenant => all(Of::Tenant).collect(),
            Whose::Cluster => {
                all(Of::Database).map(|name| format!("<database>.{name}")).chain(all(Of::Cluster)).collect()
            }
        }
    }

    /// That the key is a control's, and that there is a reason, as far as that is known. `path` is where they stand.
    pub(super) fn check(self, path: Path, key: &str, reason: Option<&str>) -> Result<(), Diagnostic> {
        if !self.has(key) {
            let detail = format!("The controls are {}.", self.keys().join(", "));
            Err(Diagnostic::error(format!("No control {key:?}"), detail).at(path))
        } else if reason.is_some_and(|reason| reason.trim().is_empty()) {
            let detail = "The reason is part of the evidence: say why what is found may be.";
            Err(Diagnostic::error(format!("No reason to accept {key:?}"), detail).at(path))
        } else {
            Ok(())
        }
    }

    /// What is wrong with the attribute `accept` of a resource.
    pub(super) fn check_all(self, accept: &Reasons) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        for (key, item) in accept.as_known().into_iter().flatten() {
            let reason = item.as_known().map(String::as_str);
            if let Err(diagnostic) = self.check(Path::attribute("accept").key(key), key, reason) {
                diagnostics.push(diagnostic);
            }
        }
        diagnostics
    }
}

/// Whether the reason to accept a control is another one than before, or may turn out to be.
pub(super) fn changes(before: &Reasons, after: &Reasons, key: &str) -> bool {
    let reason = |accept: &Reasons| match accept {
        Field::Unknown => Some(Item::Unknown),
        accept => accept.as_known().and_then(|known| known.get(key).cloned()),
    };
    let after = reason(after);
    after == Some(Item::Unknown) || reason(before) != after
}

/// Whether a control is accepted, or may turn out to be.
pub(super) fn names(accept: &Reasons, key: &str) -> bool {
    accept.is_unknown() || accept.as_known().is_some_and(|known| known.contains_key(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_the_table() {
        for (whose, key, expected) in [
            (Whose::Tenant, "memberships", true),
            (Whose::Tenant, "postgres.public_schema", false),
            (Whose::Tenant, "tls", false),
            (Whose::Cluster, "memberships", false),
            (Whose::Cluster, "postgres.public_schema", true),
            (Whose::Cluster, "a.b.public_schema", true),
            (Whose::Cluster, "public_schema", false),
            (Whose::Cluster, "postgres.memberships", false),
            (Whose::Cluster, "markers", true),
        ] {
            assert_eq!(whose.check(Path::default(), key, Some("why")).is_ok(), expected, "{key}");
            assert_eq!(whose.check(Path::default(), key, None).is_ok(), expected, "{key}");
            let no_reason = whose.check(Path::default(), key, Some(" ")).unwrap_err();
            assert_eq!(no_reason.summary.starts_with("No reason"), expected, "{key}");
        }
        let known = Whose::Cluster.keys();
        assert!(known.contains(&"<database>.public_schema".to_owned()) && known.contains(&"markers".to_owned()));
    }

    #[test]
    fn what_is_not_known_yet_may_change() {
        let entries = |item: Item<&str>| {
            let item = match item {
                Item::Known(reason) => Item::Known(reason.to_owned()),
                Item::Unknown => Item::Unknown,
            };
            Field::Known(BTreeMap::from([("schema".to_owned(), item)]))
        };
        let why = || entries(Item::Known("why"));
        for (before, after, expected) in [
            (Field::Null, Field::Null, false),
            (why(), why(), false),
            (Field::Null, why(), true),
            (why(), Field::Null, true),
            (why(), entries(Item::Known("because")), true),
            (why(), entries(Item::Unknown), true),
            (why(), Field::Unknown, true),
            (Field::Null, Field::Unknown, true),
        ] {
            assert_eq!(changes(&before, &after, "schema"), expected, "{before:?} {after:?}");
        }
        assert!(!changes(&why(), &entries(Item::Unknown), "memberships"));
    }
}

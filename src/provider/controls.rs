//! Controls in a resource's state, by name: what is planned of them, and what is said of those that an
//! apply could not enforce.

use std::collections::BTreeMap;

use crate::tenant::isolation::{ENFORCED, NOT_PERMITTED};
use crate::tf_provider::{Diagnostic, Diagnostics, Path};

/// What each control is planned to be: enforced, but for what this admin may not change.
pub(super) fn planned(prior: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let planned = |found: &String| if found.ends_with(NOT_PERMITTED) { found.clone() } else { ENFORCED.to_owned() };
    prior.iter().map(|(control, found)| (control.clone(), planned(found))).collect()
}

/// The controls after an apply, and a word on those that are not enforced: a warning where nothing was
/// planned of them (`planned` is `None`), else an error. `advice` ends what is said.
pub(super) fn settled(
    attribute: &str,
    planned: Option<&BTreeMap<String, String>>,
    mut found: BTreeMap<String, String>,
    advice: &str,
) -> (BTreeMap<String, String>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    // What could be inspected only since the plan comes with the next refresh.
    found.retain(|control, _| planned.is_none_or(|planned| planned.contains_key(control)));
    for (control, found) in &mut found {
        let expected = planned.and_then(|planned| planned.get(control));
        if expected == Some(found) {
            continue;
        }
        let foreign = expected.filter(|expected| expected.ends_with(NOT_PERMITTED));
        if let Some(expected) = expected.filter(|_| foreign.is_some() || found == ENFORCED) {
            // It got better since the plan, or others changed what only they may: no tenant shall make the
            // apply of another fail by that. Terraform takes nothing but what was planned; the next
            // refresh tells.
            found.clone_from(expected);
            continue;
        }
        if found == ENFORCED {
            continue;
        }
        let summary = format!("Control {control:?} is not enforced");
        let detail = format!("Found: {found}. {advice}");
        let diagnostic =
            if planned.is_some() { Diagnostic::error(summary, detail) } else { Diagnostic::warning(summary, detail) };
        diagnostics.push(diagnostic.at(Path::attribute(attribute).key(control)));
    }
    (found, diagnostics)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tf_provider::Severity;

    const FOREIGN: &str = "PUBLIC has CONNECT (not this admin's to change)";

    fn map(found: &str) -> BTreeMap<String, String> {
        [("door".to_owned(), found.to_owned())].into()
    }

    fn check(planned: Option<&str>, found: &str, state: &str, said: Option<Severity>) {
        let planned = planned.map(map);
        let (settled, diagnostics) = settled("controls", planned.as_ref(), map(found), "Ask its owner.");
        assert_eq!(settled, map(state));
        assert_eq!(diagnostics.0.first().map(|diagnostic| diagnostic.severity), said);
    }

    #[test]
    fn what_may_not_be_changed_is_not_planned() {
        assert_eq!(planned(&map(FOREIGN)), map(FOREIGN));
        assert_eq!(planned(&map("PUBLIC has CONNECT")), map(ENFORCED));
        assert_eq!(planned(&map(ENFORCED)), map(ENFORCED));
    }

    #[test]
    fn what_is_not_enforced_is_told_once() {
        check(None, ENFORCED, ENFORCED, None);
        check(None, FOREIGN, FOREIGN, Some(Severity::Warning));
        check(Some(FOREIGN), FOREIGN, FOREIGN, None);
        check(Some(ENFORCED), ENFORCED, ENFORCED, None);
        check(Some(ENFORCED), FOREIGN, FOREIGN, Some(Severity::Error));
    }

    #[test]
    fn what_got_better_since_the_plan_is_told_by_the_next_refresh() {
        check(Some(FOREIGN), ENFORCED, FOREIGN, None);
    }

    #[test]
    fn what_others_change_since_the_plan_is_told_by_the_next_refresh() {
        check(Some(FOREIGN), "PUBLIC has CONNECT, TEMPORARY (not this admin's to change)", FOREIGN, None);
    }
}

//! Controls in a resource's state: sentences for people, and beside them, in the provider's private bytes, their status as
//! data. What is planned of them, and what is said of those that an apply left as they were.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::tenant::diff::ENFORCED;
use crate::tenant::{Control, Finding, Status};
use crate::tf_provider::{Diagnostic, Diagnostics, Field, Item, Path};

use super::accept::{self, Reasons};
use super::remembered::Remembered;

/// A map of sentences by the control's name, as it stands in state.
pub(super) type Controls = Field<BTreeMap<String, Item<String>>>;

/// The status of a control, without what a person reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Known {
    Enforced,
    Found,
    NotPermitted,
    Accepted,
    NotInspected,
}

impl From<&Status> for Known {
    fn from(status: &Status) -> Self {
        match status {
            Status::Enforced => Known::Enforced,
            Status::Found => Known::Found,
            Status::NotPermitted => Known::NotPermitted,
            Status::Accepted(_) => Known::Accepted,
            Status::NotInspected(_) => Known::NotInspected,
        }
    }
}

/// The statuses that belong to the sentences in state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Statuses(BTreeMap<String, Known>);

impl Remembered for Statuses {}

impl Statuses {
    pub(super) fn of(findings: &BTreeMap<String, Finding>) -> Self {
        Statuses(findings.iter().map(|(name, finding)| (name.clone(), (&finding.status).into())).collect())
    }

    /// The controls that are found otherwise than they should be here, and enforced there.
    pub(super) fn found_beside(&self, there: &Statuses) -> BTreeSet<String> {
        let here = self.0.iter().filter(|(_, status)| **status == Known::Found).map(|(name, _)| name);
        here.filter(|name| there.0.get(*name) == Some(&Known::Enforced)).cloned().collect()
    }

    pub(super) fn is_enforced(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Known::Enforced)
    }

    /// Whether a control was not as it should be, and an apply does not mend it.
    pub(super) fn is_left(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Known::NotPermitted)
    }
}

/// Findings by the names that they have in state.
pub(super) fn named(findings: BTreeMap<Control, Finding>) -> BTreeMap<String, Finding> {
    findings.into_iter().map(|(control, finding)| (control.name().to_owned(), finding)).collect()
}

/// What stands in state of these findings.
pub(super) fn described(findings: &BTreeMap<String, Finding>) -> Controls {
    findings.iter().map(|(name, finding)| (name.clone(), finding.describe())).collect()
}

/// What each control is planned to be: enforced, or unknown where this admin may not repair it, so that the plan goes on
/// showing it. `accept` says which reasons changed: their sentences will. `applies` is whether something else is to be applied:
/// then what could not be looked at may be.
pub(super) fn planned(prior: &Controls, statuses: &Statuses, accept: (&Reasons, &Reasons), applies: bool) -> Controls {
    let Some(prior) = prior.as_known() else { return Field::Unknown };
    let planned = |(name, said): (&String, &Item<String>)| {
        let item = match statuses.0.get(name) {
            Some(Known::Enforced) => Item::Known(ENFORCED.to_owned()),
            _ if accept::changes(accept.0, accept.1, name) => Item::Unknown,
            // What is repaired may leave what is accepted.
            Some(Known::Found) if accept::names(accept.1, name) => Item::Unknown,
            Some(Known::Found) => Item::Known(ENFORCED.to_owned()),
            Some(Known::NotInspected) if applies => Item::Unknown,
            Some(Known::Accepted | Known::NotInspected) => said.clone(),
            Some(Known::NotPermitted) | None => Item::Unknown,
        };
        (name.clone(), item)
    };
    Field::Known(prior.iter().map(planned).collect())
}

/// The controls after an apply, and a warning for each that is not as it should be. What was planned stands: Terraform takes
/// nothing else, and what others changed meanwhile is no failure of this apply; the next refresh tells. `advice` ends what is
/// said.
pub(super) fn settled(
    attribute: &str,
    planned: &Controls,
    findings: &BTreeMap<String, Finding>,
    advice: &str,
) -> (Controls, Statuses, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    for (name, finding) in findings.iter().filter(|(_, finding)| finding.status.is_drift()) {
        let detail = format!("{}. {advice}", capitalised(&finding.describe()));
        let warning = Diagnostic::warning(format!("Control {name:?} is not enforced"), detail);
        diagnostics.push(warning.at(Path::attribute(attribute).key(name)));
    }
    let mut statuses = Statuses::of(findings);
    let Some(planned) = planned.as_known() else { return (described(findings), statuses, diagnostics) };
    let mut settled = BTreeMap::new();
    for (name, item) in planned {
        let found = findings.get(name).map(Finding::describe).unwrap_or_default();
        let said = item.as_known().cloned().unwrap_or_else(|| found.clone());
        if said != found {
            // The status is that of what stands in state.
            let status = if said == ENFORCED { Known::Enforced } else { Known::Accepted };
            statuses.0.insert(name.clone(), status);
        }
        settled.insert(name.clone(), Item::Known(said));
    }
    (Field::Known(settled), statuses, diagnostics)
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::Fact;
    use crate::postgres::fact::{Kind, Objects};
    use crate::tenant::Repair;
    use crate::tenant::diff::Deviation;
    use crate::tenant::observed::Seen;

    fn finding(status: Status) -> BTreeMap<String, Finding> {
        let fact = Fact::Present(Objects::one(Kind::Schema, "app"));
        let facts = vec![Deviation::Missing(Seen { fact, ours: true })];
        let finding = Finding { control: Control::Schema, status, facts, repair: Repair::default() };
        [("schema".to_owned(), finding)].into()
    }

    /// What is planned of a control with this status, and what state and how many warnings follow an apply that leaves it
    /// with another.
    fn check(before: Status, planned_as: Option<&str>, after: Status, state: &str, warnings: usize) {
        let before = finding(before);
        let none = (&Field::Null, &Field::Null);
        let planned = planned(&described(&before), &Statuses::of(&before), none, false);
        let item = planned.as_known().unwrap()["schema"].clone();
        assert_eq!(item.as_known().map(String::as_str), planned_as);
        let (settled, _, diagnostics) = settled("isolation", &planned, &finding(after), "Ask its owner.");
        assert_eq!(settled, [("schema".to_owned(), state.to_owned())].into_iter().collect());
        assert_eq!(diagnostics.0.len(), warnings);
        assert!(!diagnostics.has_errors());
    }

    #[test]
    fn what_is_planned_comes_from_the_status_and_what_is_said_from_the_findings() {
        check(Status::Enforced, Some("enforced"), Status::Enforced, "enforced", 0);
        check(Status::Found, Some("enforced"), Status::Enforced, "enforced", 0);
        check(Status::Found, Some("enforced"), Status::NotPermitted, "enforced", 1);
        check(Status::NotPermitted, None, Status::NotPermitted, "not permitted: schema app is missing", 1);
        check(Status::NotPermitted, None, Status::Enforced, "enforced", 0);
    }

    #[test]
    fn a_reason_that_changed_changes_what_is_said() {
        let accepted = finding(Status::Accepted("why".to_owned()));
        let because = |reason: &str| Field::from_iter([("schema".to_owned(), reason.to_owned())]);
        let of = |before: &Reasons, after: &Reasons| {
            let planned = planned(&described(&accepted), &Statuses::of(&accepted), (before, after), false);
            planned.as_known().unwrap()["schema"].as_known().cloned()
        };
        assert_eq!(of(&because("why"), &because("why")).as_deref(), Some("accepted: schema app is missing (why)"));
        assert_eq!(of(&because("why"), &because("because")), None);
        assert_eq!(of(&because("why"), &Field::Null), None);
        // What an apply repairs of an accepted control may leave what is accepted.
        let found = finding(Status::Found);
        let planned = |accept: &Reasons| {
            let planned = planned(&described(&found), &Statuses::of(&found), (accept, accept), false);
            planned.as_known().unwrap()["schema"].as_known().cloned()
        };
        assert_eq!(planned(&Field::Null).as_deref(), Some("enforced"));
        assert_eq!(planned(&because("why")), None);
    }

    #[test]
    fn what_could_not_be_looked_at_may_be_when_something_is_applied() {
        let closed = finding(Status::NotInspected("closed".to_owned()));
        let none = (&Field::Null, &Field::Null);
        let of = |applies| {
            let planned = planned(&described(&closed), &Statuses::of(&closed), none, applies);
            planned.as_known().unwrap()["schema"].as_known().cloned()
        };
        assert_eq!(of(false).as_deref(), Some("not inspected: closed"));
        assert_eq!(of(true), None);
    }

    #[test]
    fn what_is_not_on_record_is_not_read_out_of_a_sentence() {
        let prior: Controls = [("schema".to_owned(), ENFORCED.to_owned())].into_iter().collect();
        let planned = planned(&prior, &Statuses::default(), (&Field::Null, &Field::Null), false);
        assert_eq!(planned.as_known().unwrap()["schema"].as_known(), None);
    }
}

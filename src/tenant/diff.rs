//! The equation: `drift = (required - observed) + (observed that nothing allows)`. Who says what is required and allowed is a
//! [`Charter`]; what becomes of the drift of one control is a [`Finding`].

use std::collections::BTreeMap;

use crate::postgres::fact::{Fact, Text};
use crate::postgres::{Duration, name};

use super::change::Change;
use super::control::Control;
use super::limits::Timeout;
use super::observed::Seen;

/// What a configuration says of facts. What it does not know, it does not allow.
pub trait Charter {
    /// What must be so, with its control.
    fn required(&self) -> Vec<(Control, Fact)>;

    /// Whether a fact that nobody requires may be.
    fn allows(&self, fact: &Fact) -> bool;

    /// The control that a fact which is not allowed belongs to.
    fn control(&self, fact: &Fact) -> Control;

    /// Why this drift of a control is accepted, if it is.
    fn accepted(&self, control: Control, drift: &[Deviation]) -> Option<String>;

    /// Why a control cannot be told whole, if it cannot.
    fn unseen(&self, control: Control) -> Option<String>;
}

/// One fact too few, or one too many.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deviation {
    Missing(Fact),
    Unexpected(Seen),
}

impl Deviation {
    /// Whether this admin may undo it.
    pub fn is_ours(&self) -> bool {
        match self {
            Deviation::Missing(_) => true,
            Deviation::Unexpected(seen) => seen.ours,
        }
    }
}

/// What became of one control.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Enforced,
    /// Not as it should be; the finding's changes repair it.
    Found,
    /// Not as it should be, and not this admin's to change.
    NotPermitted,
    /// Not as it should be, and meant to be so, for this reason.
    Accepted(String),
    /// It could not be looked at, for this reason.
    NotInspected(String),
}

impl Status {
    /// Whether a plan has something to say of it.
    pub fn is_drift(&self) -> bool {
        matches!(self, Status::Found | Status::NotPermitted)
    }
}

/// What was found of one control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub control: Control,
    pub status: Status,
    pub facts: Vec<Deviation>,
    pub repair: Vec<Change>,
}

/// How much of one finding is said: the rest is counted.
const SAID: usize = 6;

/// What a control that holds is called in state.
pub const ENFORCED: &str = "enforced";

impl Finding {
    /// For a person: a fixed head, and behind it what was found, with foreign text quoted.
    pub fn describe(&self) -> String {
        match &self.status {
            Status::Enforced => ENFORCED.to_owned(),
            Status::Found => format!("found: {}", self.what()),
            Status::NotPermitted => format!("not permitted: {}", self.what()),
            Status::Accepted(reason) => format!("accepted: {} ({reason})", self.what()),
            Status::NotInspected(why) => format!("not inspected: {why}"),
        }
    }

    /// What was found, without the head.
    pub fn what(&self) -> String {
        sentences(&self.facts)
    }
}

/// The drift, by control.
pub fn diff(charter: &impl Charter, seen: &[Seen]) -> BTreeMap<Control, Vec<Deviation>> {
    let required = charter.required();
    let mut drift: BTreeMap<Control, Vec<Deviation>> = BTreeMap::new();
    for (control, fact) in &required {
        if !seen.iter().any(|seen| satisfies(fact, &seen.fact)) {
            drift.entry(*control).or_default().push(Deviation::Missing(fact.clone()));
        }
    }
    for seen in seen {
        let meant = required.iter().any(|(_, fact)| satisfies(fact, &seen.fact));
        if !meant && !charter.allows(&seen.fact) {
            drift.entry(charter.control(&seen.fact)).or_default().push(Deviation::Unexpected(seen.clone()));
        }
    }
    drift.values_mut().for_each(|deviations| deviations.sort());
    drift
}

/// The status of a control with this drift.
pub fn status(charter: &impl Charter, control: Control, drift: &[Deviation]) -> Status {
    if drift.is_empty() {
        return charter.unseen(control).map_or(Status::Enforced, Status::NotInspected);
    }
    if let Some(reason) = charter.accepted(control, drift) {
        return Status::Accepted(reason);
    }
    if drift.iter().any(Deviation::is_ours) { Status::Found } else { Status::NotPermitted }
}

/// Whether what is seen is what is required, however it is spelled.
pub fn satisfies(required: &Fact, seen: &Fact) -> bool {
    match (required, seen) {
        (
            Fact::Parameter { level, name, value },
            Fact::Parameter { level: at, name: found, value: text },
        ) => level == at && name.eq_ignore_ascii_case(found) && means(name, value, text),
        (
            Fact::Membership { role, member, .. },
            Fact::Membership { role: of, member: who, options },
        ) => role == of && member == who && !options.admin && !options.inherit,
        (required, seen) => required == seen,
    }
}

/// Whether a text that the server holds means the value that we write: it is that very text, or PostgreSQL reads it as the
/// same.
pub fn means(parameter: &str, wanted: &Text, found: &Text) -> bool {
    let Some(wanted) = wanted.as_whole() else { return false };
    if found.is(wanted) {
        return true;
    }
    let Some(found) = found.as_whole() else { return false };
    if Timeout::of(parameter).is_some() {
        return Duration::from_catalog(found).is_some_and(|found| Duration::from_catalog(wanted) == Some(found));
    }
    parameter.eq_ignore_ascii_case("search_path")
        && name::parse_list(found).is_some_and(|found| name::parse_list(wanted) == Some(found))
}

/// The facts in words: privileges of one grantee on one object together, and a parameter's value rather than that another was
/// wanted.
fn sentences(facts: &[Deviation]) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut privileges: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for deviation in facts {
        match deviation {
            Deviation::Missing(Fact::Parameter { level, name, .. }) if is_told(facts, level, name) => {}
            Deviation::Missing(fact) => said.push(fact.missing()),
            Deviation::Unexpected(Seen { fact: Fact::Grant { objects, grantee, privilege, grantable }, .. }) => {
                let who = grantee.as_deref().map_or("PUBLIC".to_owned(), crate::postgres::text::name);
                let option = if *grantable { " WITH GRANT OPTION" } else { "" };
                privileges.entry(format!("{who}\0{objects}")).or_default().push(format!("{privilege}{option}"));
            }
            Deviation::Unexpected(seen) => said.push(seen.fact.to_string()),
        }
    }
    for (key, held) in privileges {
        let (who, objects) = key.split_once('\0').unwrap_or_default();
        said.push(format!("{who} has {} on {objects}", held.join(", ")));
    }
    let more = said.len().saturating_sub(SAID);
    said.truncate(SAID);
    if more > 0 {
        said.push(format!("and {more} more"));
    }
    said.join("; ")
}

/// Whether another value of the parameter is there, and so told.
fn is_told(facts: &[Deviation], level: &crate::postgres::fact::Level, name: &str) -> bool {
    facts.iter().any(|deviation| {
        matches!(deviation, Deviation::Unexpected(Seen { fact: Fact::Parameter { level: at, name: found, .. }, .. })
            if at == level && found.eq_ignore_ascii_case(name))
    })
}

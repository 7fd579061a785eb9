//! The equation: `drift = (required - observed) + (observed that nothing allows)`. Who says what is required and allowed is a
//! [`Charter`]; what becomes of the drift of one control is a [`Finding`].

use std::collections::BTreeMap;

use crate::postgres::fact::{Fact, Text};
use crate::postgres::text::plain;
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

    /// Whether this admin may make a fact that is missing, or unmake one that it may undo as far as the fact itself says.
    fn may_repair(&self, _fact: &Fact) -> bool {
        true
    }

    /// Why this drift of a control is accepted, if it is.
    fn accepted(&self, _control: Control, _drift: &[Deviation]) -> Option<String> {
        None
    }

    /// Why a control cannot be told whole, if it cannot.
    fn unseen(&self, _control: Control) -> Option<String> {
        None
    }
}

/// One fact too few, or one too many.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deviation {
    Missing(Seen),
    Unexpected(Seen),
}

impl Deviation {
    pub fn fact(&self) -> &Fact {
        let (Deviation::Missing(seen) | Deviation::Unexpected(seen)) = self;
        &seen.fact
    }

    /// Whether this admin may repair it.
    pub fn is_ours(&self) -> bool {
        let (Deviation::Missing(seen) | Deviation::Unexpected(seen)) = self;
        seen.ours
    }
}

/// What became of one control.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Enforced,
    /// Not as it should be; the finding's changes repair all of it.
    Found,
    /// Not as it should be, and at least in part not this admin's to change.
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
    pub repair: Repair,
}

/// What is to be run for something to be as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Repair {
    /// In order; a failure ends the operation.
    pub needed: Vec<Change>,
    /// What others may hold up or refuse: what the tenant itself can write, and what may not be this admin's to change. Each by
    /// itself, once, and a failure is told and no more: nobody keeps a tenant from being governed by it.
    pub tried: Vec<Change>,
}

impl Repair {
    pub fn is_empty(&self) -> bool {
        self.needed.is_empty() && self.tried.is_empty()
    }

    /// Adds the changes of one finding: `ours` are for what this admin may repair, of which those that somebody may hold up are
    /// tried too.
    pub fn extend(&mut self, ours: Vec<Change>, theirs: Vec<Change>, is_held_up: impl Fn(&Change) -> bool) {
        let (tried, needed): (Vec<Change>, Vec<Change>) = ours.into_iter().partition(is_held_up);
        self.needed.extend(needed);
        for change in tried.into_iter().chain(theirs) {
            if !self.needed.contains(&change) && !self.tried.contains(&change) {
                self.tried.push(change);
            }
        }
    }
}

/// How much of one finding is said: the rest is counted.
const SAID: usize = 6;

/// How much of an error is said, which may quote what a tenant wrote. In characters.
const REASON: usize = 500;

/// What a control that holds is called in state.
pub const ENFORCED: &str = "enforced";

impl Finding {
    /// For a person: a fixed head, and behind it what was found, with foreign text quoted.
    pub fn describe(&self) -> String {
        let whole = |text: &str| plain(text, usize::MAX);
        match &self.status {
            Status::Enforced => ENFORCED.to_owned(),
            Status::Found => format!("found: {}", self.what()),
            Status::NotPermitted => format!("not permitted: {}", self.what()),
            Status::Accepted(reason) => format!("accepted: {} ({})", self.what(), whole(reason)),
            Status::NotInspected(why) => format!("not inspected: {}", plain(why, REASON)),
        }
    }

    /// What was found, without the head.
    pub fn what(&self) -> String {
        plain(&sentences(&self.facts), usize::MAX)
    }
}

/// The drift, by control.
pub fn diff(charter: &impl Charter, seen: &[Seen]) -> BTreeMap<Control, Vec<Deviation>> {
    let required = charter.required();
    let mut drift: BTreeMap<Control, Vec<Deviation>> = BTreeMap::new();
    for (control, fact) in &required {
        if !seen.iter().any(|seen| satisfies(fact, &seen.fact)) {
            let missing = Seen { fact: fact.clone(), ours: charter.may_repair(fact) };
            drift.entry(*control).or_default().push(Deviation::Missing(missing));
        }
    }
    for seen in seen {
        let meant = required.iter().any(|(_, fact)| satisfies(fact, &seen.fact));
        if !meant && !charter.allows(&seen.fact) {
            let ours = seen.ours && charter.may_repair(&seen.fact);
            let unexpected = Seen { fact: seen.fact.clone(), ours };
            drift.entry(charter.control(&seen.fact)).or_default().push(Deviation::Unexpected(unexpected));
        }
    }
    drift.values_mut().for_each(|deviations| deviations.sort());
    drift
}

/// What was found of these controls, with what is to be run for it: `changes` are those for some of the drift of one, and those of
/// them that somebody may hold up are tried.
pub fn findings(
    charter: &impl Charter,
    seen: &[Seen],
    controls: &[Control],
    changes: impl Fn(&[&Deviation]) -> Vec<Change>,
    is_held_up: impl Fn(&Change) -> bool,
) -> BTreeMap<Control, Finding> {
    let mut drift = diff(charter, seen);
    let found = |control: &Control| {
        let facts = drift.remove(control).unwrap_or_default();
        let status = status(charter, *control, &facts);
        let mut repair = Repair::default();
        if status.is_drift() {
            let (ours, theirs): (Vec<_>, Vec<_>) = facts.iter().partition(|deviation| deviation.is_ours());
            repair.extend(changes(&ours), changes(&theirs), &is_held_up);
        }
        (*control, Finding { control: *control, status, facts, repair })
    };
    controls.iter().map(found).collect()
}

/// What is told of controls that cannot be looked at.
pub fn unseen(controls: &[Control], why: &str) -> BTreeMap<Control, Finding> {
    let status = || Status::NotInspected(why.to_owned());
    let finding =
        |control: Control| Finding { control, status: status(), facts: Vec::new(), repair: Repair::default() };
    controls.iter().map(|control| (*control, finding(*control))).collect()
}

/// The status of a control with this drift.
pub fn status(charter: &impl Charter, control: Control, drift: &[Deviation]) -> Status {
    if drift.is_empty() {
        return charter.unseen(control).map_or(Status::Enforced, Status::NotInspected);
    }
    if let Some(reason) = charter.accepted(control, drift) {
        return Status::Accepted(reason);
    }
    if drift.iter().all(Deviation::is_ours) { Status::Found } else { Status::NotPermitted }
}

/// Whether what is seen is what is required, however it is spelled.
pub fn satisfies(required: &Fact, seen: &Fact) -> bool {
    match (required, seen) {
        (Fact::Parameter { level, name, value }, Fact::Parameter { level: at, name: found, value: text }) => {
            level == at && name.eq_ignore_ascii_case(found) && means(name, value, text)
        }
        (Fact::Membership { role, member, options: least }, Fact::Membership { role: of, member: who, options }) => {
            role == of && member == who && !options.admin && !options.inherit && (options.set || !least.set)
        }
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

/// Whether a privilege is missing that its grantee has as the owner, which is told.
pub fn is_owners(deviation: &Deviation, drift: &[Deviation]) -> bool {
    let Deviation::Missing(Seen { fact: Fact::Grant { objects, grantee: Some(grantee), .. }, .. }) = deviation else {
        return false;
    };
    drift.iter().any(|other| match other {
        Deviation::Unexpected(Seen { fact: Fact::Owner { objects: of, owner }, .. }) => {
            of == objects && owner == grantee
        }
        _ => false,
    })
}

/// Whether something else is there in the place of a fact that is missing: another value, or the same with other options.
pub fn is_replaced(missing: &Fact, drift: &[Deviation]) -> bool {
    drift.iter().any(|deviation| match (deviation, missing) {
        (Deviation::Missing(_), _) => false,
        (
            Deviation::Unexpected(Seen { fact: Fact::Membership { role, member, .. }, .. }),
            Fact::Membership { role: of, member: who, .. },
        ) => role == of && member == who,
        (
            Deviation::Unexpected(Seen { fact: Fact::Grant { objects, grantee, privilege, .. }, .. }),
            Fact::Grant { objects: on, grantee: who, privilege: what, .. },
        ) => objects == on && grantee == who && privilege == what,
        (
            Deviation::Unexpected(Seen { fact: Fact::Extension { name, .. }, .. }),
            Fact::Extension { name: extension, .. },
        ) => name == extension,
        (_, Fact::Parameter { level, name, .. }) => is_told(drift, level, name),
        _ => false,
    })
}

/// The facts in words: privileges of one grantee on one object together, and a parameter's value rather than that another was
/// wanted.
fn sentences(facts: &[Deviation]) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut privileges: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for deviation in facts {
        match (deviation, deviation.fact()) {
            (Deviation::Missing(_), Fact::Parameter { level, name, .. }) if is_told(facts, level, name) => {}
            // Where it is, and of which version, is told.
            (Deviation::Missing(_), fact @ Fact::Extension { .. }) if is_replaced(fact, facts) => {}
            (Deviation::Missing(_), fact) => said.push(fact.missing()),
            (Deviation::Unexpected(_), Fact::Grant { objects, grantee, privilege, grantable }) => {
                let who = grantee.as_deref().map_or("PUBLIC".to_owned(), crate::postgres::text::name);
                let option = if *grantable { " WITH GRANT OPTION" } else { "" };
                privileges.entry((who, objects.to_string())).or_default().push(format!("{privilege}{option}"));
            }
            (Deviation::Unexpected(_), fact) => said.push(fact.to_string()),
        }
    }
    for ((who, objects), held) in privileges {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::postgres::fact::{Kind, Level, Objects, Options};
    use crate::tenant::charter::TenantCharter;
    use crate::tenant::{Of, fixture};

    fn is_read_as(parameter: &str, wanted: &str, found: &str) -> bool {
        means(parameter, &Text::whole(wanted), &Text::whole(found))
    }

    #[test]
    fn a_value_is_equal_if_it_is_the_text_or_read_as_the_same() {
        for (parameter, wanted, found, expected) in [
            ("statement_timeout", "60000", "60000", true),
            ("statement_timeout", "60000", " 1min ", true),
            ("Statement_Timeout", "60000", "60s", true),
            ("statement_timeout", "8000", "010s", true),
            ("statement_timeout", "10000", "010s", false),
            ("statement_timeout", "60000", "60001", false),
            ("statement_timeout", "60000", "enforced", false),
            ("statement_timeout", "0", "", false),
            ("transaction_timeout", "300000", "5min", true),
            ("search_path", "\"app\"", "app", true),
            ("SEARCH_PATH", "app", "APP", true),
            ("search_path", "app", "\"App\"", false),
            ("search_path", "app", "app, public", false),
            ("search_path", "app", "", false),
            ("search_path", "app", "\"", false),
            ("work_mem", "16MB", "16MB", true),
            // Of others only the server knows which spellings are the same.
            ("work_mem", "16MB", "16384kB", false),
            ("work_mem", "app", "\"app\"", false),
            ("work_mem", "60000", "1min", false),
        ] {
            assert_eq!(is_read_as(parameter, wanted, found), expected, "{parameter}: {wanted} and {found}");
        }
    }

    #[test]
    fn what_was_cut_is_equal_by_its_digest_alone() {
        let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let cut = |text: &str, digest: &str| Text { text: text.to_owned(), digest: Some(digest.to_owned()) };
        assert!(means("work_mem", &Text::whole("hello"), &cut("hel", digest)));
        assert!(!means("work_mem", &Text::whole("hello"), &cut("hello", &"0".repeat(64))));
        assert!(!means("work_mem", &Text::whole("help"), &cut("hel", digest)));
        // A beginning that reads the same says nothing of the rest.
        assert!(!means("search_path", &Text::whole("app"), &cut("\"app\"", &"0".repeat(64))));
        assert!(!means("statement_timeout", &Text::whole("60000"), &cut("1min", &"0".repeat(64))));
        // What is required is always whole.
        assert!(!means("work_mem", &cut("hello", digest), &Text::whole("hello")));
    }

    #[test]
    fn what_satisfies_what() {
        let parameter = |level: Level, name: &str, value: &str| Fact::Parameter {
            level,
            name: name.to_owned(),
            value: Text::whole(value),
        };
        let role = || Level::Role("acme".into());
        let wanted = parameter(role(), "lock_timeout", "10000");
        assert!(satisfies(&wanted, &parameter(role(), "LOCK_TIMEOUT", "10s")));
        assert!(!satisfies(&wanted, &parameter(Level::Database("acme".into()), "lock_timeout", "10s")));
        assert!(!satisfies(&wanted, &parameter(role(), "statement_timeout", "10s")));
        let member = |role: &str, member: &str, admin, inherit, set| Fact::Membership {
            role: role.to_owned(),
            member: member.to_owned(),
            options: Options { admin, inherit, set },
        };
        let wanted = member("r", "m", false, false, false);
        assert!(satisfies(&wanted, &member("r", "m", false, false, true)));
        for other in [
            member("r", "m", true, false, true),
            member("r", "m", false, true, true),
            member("x", "m", false, false, true),
            member("r", "x", false, false, true),
        ] {
            assert!(!satisfies(&wanted, &other), "{other}");
        }
        let present = |name: &str| Fact::Present(Objects::one(Kind::Schema, name));
        assert!(satisfies(&present("app"), &present("app")) && !satisfies(&present("app"), &present("App")));
    }

    fn heads(status: &Status) -> &'static str {
        match status {
            Status::Enforced => "enforced",
            Status::Found => "found: ",
            Status::NotPermitted => "not permitted: ",
            Status::Accepted(_) => "accepted: ",
            Status::NotInspected(_) => "not inspected: ",
        }
    }

    fn any_status() -> impl Strategy<Value = Status> {
        prop_oneof![
            Just(Status::Enforced),
            Just(Status::Found),
            Just(Status::NotPermitted),
            any::<String>().prop_map(Status::Accepted),
            any::<String>().prop_map(Status::NotInspected),
        ]
    }

    fn any_deviation() -> impl Strategy<Value = Deviation> {
        (fixture::any_fact(), any::<bool>(), any::<bool>()).prop_map(|(fact, missing, ours)| {
            let seen = Seen { fact, ours };
            if missing { Deviation::Missing(seen) } else { Deviation::Unexpected(seen) }
        })
    }

    /// Moves a cursor, or turns the direction of writing.
    fn is_raw(c: char) -> bool {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        /// Any text that a tenant can store is drift, unless it is what is required or PostgreSQL reads it as the same.
        #[test]
        fn any_other_text_is_drift(text in fixture::any_text(), at in 0..7_usize) {
            let (desired, mut observed) = (fixture::desired(), fixture::observed());
            let row = &mut observed.settings[at];
            let required = row.value.clone();
            (row.value, row.digest) = (text.text.clone(), text.digest.clone());
            let name = row.name.clone();
            let drift = diff(&TenantCharter::new(&desired, &observed), &observed.facts());
            let same = text.digest.is_none() && match name.as_str() {
                "search_path" => name::parse_list(&text.text) == Some(vec!["app".to_owned()]),
                _ => Duration::from_catalog(&text.text) == Duration::from_catalog(&required),
            };
            prop_assert_eq!(drift.is_empty(), same, "{} = {:?}: {:?}", name, text, drift);
        }

        #[test]
        fn a_sentence_begins_with_its_status_and_moves_nothing(
            status in any_status(),
            facts in prop::collection::vec(any_deviation(), 0..9),
        ) {
            let head = heads(&status);
            let finding = Finding { control: Control::Objects, status, facts, repair: Repair::default() };
            let said = finding.describe();
            prop_assert!(said.starts_with(head), "{:?}", said);
            prop_assert!(!said.chars().any(is_raw), "{:?}", said);
            prop_assert!(!finding.what().chars().any(is_raw));
        }

        #[test]
        fn the_status_says_whose_the_drift_is(
            facts in prop::collection::vec(any_deviation(), 0..4),
            accepted in any::<bool>(),
            entered in any::<bool>(),
            at in 0..100_usize,
        ) {
            let controls: Vec<Control> = Control::all(Of::Tenant).collect();
            let control = controls[at % controls.len()];
            let (mut desired, mut observed) = (fixture::desired(), fixture::observed());
            if accepted {
                desired.accept = [(control, "why".to_owned())].into();
            }
            if !entered {
                observed.inside = Err("closed".to_owned());
            }
            let found = status(&TenantCharter::new(&desired, &observed), control, &facts);
            let is_ours = |deviation: &Deviation| {
                matches!(deviation, Deviation::Missing(Seen { ours: true, .. }) | Deviation::Unexpected(Seen { ours: true, .. }))
            };
            let expected = match (facts.is_empty(), accepted, facts.iter().all(is_ours)) {
                (true, ..) if !entered && control.is_inside() => Status::NotInspected("closed".to_owned()),
                (true, ..) => Status::Enforced,
                (_, true, _) => Status::Accepted("why".to_owned()),
                (_, _, true) => Status::Found,
                (_, _, false) => Status::NotPermitted,
            };
            prop_assert_eq!(found.is_drift(), matches!(expected, Status::Found | Status::NotPermitted));
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_is_said_is_bounded_and_says_how_much_is_left_out() {
        let finding = |count: u64| {
            let present = |n: u64| {
                let fact = Fact::Present(Objects::one(Kind::Schema, format!("s{n}")));
                Deviation::Missing(Seen { fact, ours: true })
            };
            let facts = (0..count).map(present).collect();
            Finding { control: Control::Schema, status: Status::Found, facts, repair: Repair::default() }.what()
        };
        assert_eq!(finding(0), "");
        assert!(finding(6).ends_with("schema s5 is missing"), "{}", finding(6));
        assert!(finding(7).ends_with("schema s5 is missing; and 1 more"), "{}", finding(7));
        assert!(finding(9).ends_with("; and 3 more"), "{}", finding(9));
    }

    #[test]
    fn privileges_of_one_grantee_are_said_together_and_a_value_once() {
        let unexpected = |fact: Fact| Deviation::Unexpected(Seen { fact, ours: true });
        let grant = |grantee: Option<&str>, privilege: &str, grantable: bool| {
            let objects = Objects::one(Kind::Database, "acme");
            unexpected(Fact::Grant {
                objects,
                grantee: grantee.map(str::to_owned),
                privilege: privilege.to_owned(),
                grantable,
            })
        };
        assert_eq!(
            sentences(&[
                grant(None, "CONNECT", false),
                grant(Some("X"), "CREATE", false),
                grant(None, "TEMPORARY", true)
            ]),
            "\"X\" has CREATE on database acme; PUBLIC has CONNECT, TEMPORARY WITH GRANT OPTION on database acme"
        );
        let parameter =
            |level: Level, name: &str| Fact::Parameter { level, name: name.to_owned(), value: Text::whole("1") };
        let role = |name: &str| Level::Role(name.to_owned());
        let missing = || Deviation::Missing(Seen { fact: parameter(role("acme"), "work_mem"), ours: true });
        let said = |other: Fact| sentences(&[missing(), unexpected(other)]);
        assert_eq!(said(parameter(role("acme"), "WORK_MEM")), "\"WORK_MEM\" = \"1\" for role acme");
        let not_told = "work_mem is not as required for role acme; ";
        assert!(said(parameter(role("acme"), "lock_timeout")).starts_with(not_told));
        assert!(said(parameter(Level::Database("acme".into()), "work_mem")).starts_with(not_told));
    }
}

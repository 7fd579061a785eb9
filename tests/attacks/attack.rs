//! What an attack is, and what can come of it.

use std::ops::RangeInclusive;

use crate::ground::Ground;
use crate::support::binaries::MAJORS;

#[derive(Clone)]
pub struct Attack {
    /// By this name the threat model speaks of it.
    pub name: &'static str,
    pub category: &'static str,
    /// The tenant that tries.
    pub by: &'static str,
    pub tries: Tries,
    expected: Vec<(RangeInclusive<u32>, Outcome)>,
    /// Takes the server down: behind everything else.
    pub last: bool,
}

#[derive(Clone)]
pub enum Tries {
    /// Each by itself, in the tenant's own database: all of them come to the same.
    Each(&'static [&'static str]),
    /// What takes more than that, and any login of a tenant may try.
    As(ActAs),
    /// What takes several sessions, or Terraform. `Err` is a surprise of another kind: a premise that
    /// does not hold, or a recovery that does not work.
    Act(Act),
}

pub type Act = fn(&Ground) -> Result<Seen, String>;
pub type ActAs = fn(&Ground, By) -> Result<Seen, String>;

/// Who tries: a login, in the database of its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    pub tenant: &'static str,
    pub login: &'static str,
    /// In whose name: its own, or the tenant's.
    pub acts_as: &'static str,
}

/// A resource's address and the path of one of its attributes.
pub type PlanPath = (&'static str, &'static str);

/// What is expected of an attack.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// Refused with this SQLSTATE.
    Stopped(&'static str),
    /// Not refused, and nothing is gained.
    Fruitless(&'static str),
    /// It works; the next plan names it here, and the apply takes it back.
    Detected(&'static [PlanPath]),
    /// It works, and roles cannot stop it: what contains it, or recovers from it.
    Documented(&'static str),
}

impl By {
    /// The tenant's own role.
    pub const fn tenant(name: &'static str) -> By {
        By { tenant: name, login: name, acts_as: name }
    }

    /// What `tenant` says of itself, said by this one.
    pub fn says(&self, tenant: &str, statement: &str) -> String {
        let (theirs, ours) = (format!("DATABASE {tenant}"), format!("DATABASE {}", self.tenant));
        let parts: Vec<String> = statement.split(&theirs).map(|part| part.replace(tenant, self.acts_as)).collect();
        parts.join(&ours)
    }
}

/// What was seen when it was tried.
#[derive(Clone, Debug)]
pub enum Seen {
    Stopped(String),
    Fruitless,
    /// It has its effect; where that can be recovered from, it was.
    Worked,
}

pub fn attack(name: &'static str, category: &'static str, tries: Tries) -> Attack {
    Attack { name, category, by: "attacker", tries, expected: Vec::new(), last: false }
}

impl Attack {
    /// Expected on every major for which nothing else is.
    pub fn comes_to(self, outcome: Outcome) -> Attack {
        self.on(MAJORS, outcome)
    }

    /// Expected on these majors. What is said later counts.
    pub fn on(mut self, majors: RangeInclusive<u32>, outcome: Outcome) -> Attack {
        self.expected.push((majors, outcome));
        self
    }

    pub fn by(mut self, tenant: &'static str) -> Attack {
        self.by = tenant;
        self
    }

    pub fn last(mut self) -> Attack {
        self.last = true;
        self
    }

    pub fn expected(&self, major: u32) -> Option<Outcome> {
        self.expected.iter().rev().find(|(majors, _)| majors.contains(&major)).map(|(_, outcome)| *outcome)
    }
}

impl Outcome {
    /// As the matrix has it.
    pub fn text(&self) -> String {
        match self {
            Outcome::Stopped(state) => format!("stopped {state}"),
            Outcome::Fruitless(_) => "nothing gained".to_owned(),
            Outcome::Detected(_) => "detected".to_owned(),
            Outcome::Documented(_) => "documented".to_owned(),
        }
    }

    /// What contains it, or why it gains nothing.
    pub fn about(&self) -> &'static str {
        match self {
            Outcome::Fruitless(why) | Outcome::Documented(why) => why,
            Outcome::Stopped(_) | Outcome::Detected(_) => "",
        }
    }

    /// Whether this is what was seen. What is to be detected has worked, and is then looked for in a plan.
    pub fn matches(&self, seen: &Seen) -> bool {
        match (self, seen) {
            (Outcome::Stopped(expected), Seen::Stopped(state)) => expected == state,
            (Outcome::Fruitless(_), Seen::Fruitless)
            | (Outcome::Detected(_) | Outcome::Documented(_), Seen::Worked) => true,
            _ => false,
        }
    }
}

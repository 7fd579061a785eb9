//! The baseline: what every tenant can reach beside its own database because PUBLIC may, which is
//! everybody with a role on the server. PUBLIC's privileges on the maintenance databases, and its CREATE
//! in their schema `public`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::postgres::catalog::acl::Grant;
use crate::postgres::catalog::inside::{Inside, Schema};
use crate::postgres::catalog::login::Login;
use crate::postgres::catalog::snapshot::{Database, Snapshot};
use crate::postgres::{DatabaseName, SchemaName};

use super::isolation::list;
use super::{Change, Finding, Grantee};

/// The databases that every server has and no tenant needs.
pub const DATABASES: [&str; 2] = ["postgres", "template1"];

const PUBLIC: &str = "public";

/// What PUBLIC can hold on a database or a schema.
const PRIVILEGES: [&str; 4] = ["CONNECT", "CREATE", "TEMPORARY", "USAGE"];

/// One named fact of a database's baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    PublicPrivileges,
    PublicSchema,
}

impl Control {
    /// Every control with its name and what it says, in the order in which repairs are run: the door
    /// first.
    pub const ALL: [(Control, &'static str, &'static str); 2] = [
        (
            Control::PublicPrivileges,
            "public_privileges",
            "PUBLIC, and with it every tenant, holds no privilege on the database.",
        ),
        (
            Control::PublicSchema,
            "public_schema",
            "PUBLIC does not hold CREATE on the database's schema `public`. A server that was made as PostgreSQL 13 or \
             14 grants it, even once it is upgraded, and there a superuser owns that schema, so that no other admin \
             may change it; on one that was made as 15 or newer the database's owner may.",
        ),
    ];

    /// What it is called for one database: `postgres.public_schema`.
    fn of(self, database: &DatabaseName) -> String {
        let (_, name, _) = Self::ALL.iter().find(|row| row.0 == self).expect("every control is in the table");
        format!("{database}.{name}")
    }
}

/// The databases that are to be closed, as they are. `None` is one that does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub databases: BTreeMap<DatabaseName, Option<Place>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub database: Database,
    /// `None` if the admin was not let in.
    pub inside: Option<Inside>,
}

impl Observed {
    /// Without what only a session inside sees.
    pub fn locate(snapshot: &Snapshot, databases: &BTreeSet<DatabaseName>) -> Self {
        let place = |name: &DatabaseName| {
            let database = snapshot.databases.iter().find(|database| database.name == name.as_str())?;
            Some(Place { database: database.clone(), inside: None })
        };
        Observed { databases: databases.iter().map(|name| (name.clone(), place(name))).collect() }
    }

    pub fn missing(&self) -> Vec<&DatabaseName> {
        self.databases.iter().filter(|(_, place)| place.is_none()).map(|(name, _)| name).collect()
    }

    /// Databases that the role which logs in could not connect to any more, once they are closed.
    pub fn locks_out(&self, login: &Login) -> Vec<&DatabaseName> {
        let relies_on_public = |name: &DatabaseName, place: &Place| {
            let open = held(Control::PublicPrivileges, place).iter().any(|grant| grant.privilege == "CONNECT");
            open && place.database.owner_usable && !login.admitted.contains(name.as_str())
        };
        let places = self.databases.iter().filter_map(|(name, place)| Some((name, place.as_ref()?)));
        places.filter(|(name, place)| relies_on_public(name, place)).map(|(name, _)| name).collect()
    }
}

/// The controls of all the databases in the order in which they are repaired.
pub(super) fn assess_in_order(observed: &Observed) -> Vec<(Control, &DatabaseName, Finding)> {
    let controls = Control::ALL.into_iter().map(|(control, ..)| control);
    controls
        .flat_map(|control| {
            observed.databases.iter().map(move |(name, place)| {
                let finding = match place {
                    Some(place) => check(control, name, place),
                    None => Finding::Found { what: "the database is missing".to_owned(), repair: Vec::new() },
                };
                (control, name, finding)
            })
        })
        .collect()
}

/// What each control of each database was found to be, as `postgres.public_schema`.
pub fn assess(observed: &Observed) -> BTreeMap<String, Finding> {
    assess_in_order(observed).into_iter().map(|(control, name, finding)| (control.of(name), finding)).collect()
}

/// What is to be run for the databases to be closed, as far as this admin may.
pub fn diff(observed: &Observed) -> Vec<Change> {
    let repair = |finding| match finding {
        Finding::Found { repair, .. } => repair,
        _ => Vec::new(),
    };
    assess_in_order(observed).into_iter().flat_map(|(.., finding)| repair(finding)).collect()
}

fn check(control: Control, name: &DatabaseName, place: &Place) -> Finding {
    let held = held(control, place);
    let found = |on: &str, owner_usable: bool, repair: Change| {
        let what = format!("PUBLIC has {}{on}", list(held.iter().copied()));
        if owner_usable { Finding::Found { what, repair: vec![repair] } } else { Finding::NotPermitted { what } }
    };
    let database = name.clone();
    match control {
        // What admits nobody is closed, whoever might create in it.
        Control::PublicSchema if place.inside.is_none() && place.database.allow_connections => {
            Finding::NotPermitted { what: "this admin is not let in to look".to_owned() }
        }
        _ if held.is_empty() => Finding::Enforced,
        Control::PublicPrivileges => {
            let privileges = vec!["ALL".to_owned()];
            let revoke = Change::RevokeDatabase { database, privileges, grantee: Grantee::Public };
            found("", place.database.owner_usable, revoke)
        }
        Control::PublicSchema => {
            let owner_usable = schema(place).is_some_and(|schema| schema.owner_usable);
            let revoke = Change::RevokeSchemaCreate { database, schema: public(), grantee: Grantee::Public };
            found(" on public", owner_usable, revoke)
        }
    }
}

/// What PUBLIC holds of what the control is about.
fn held(control: Control, place: &Place) -> Vec<&Grant> {
    let acl = match control {
        Control::PublicPrivileges => place.database.acl.as_slice(),
        Control::PublicSchema => schema(place).map(|schema| schema.acl.as_slice()).unwrap_or_default(),
    };
    // To read in `public` is nobody's loss.
    let matters = |grant: &&Grant| control == Control::PublicPrivileges || grant.privilege == "CREATE";
    acl.iter().filter(|grant| grant.grantee.is_none()).filter(matters).collect()
}

fn schema(place: &Place) -> Option<&Schema> {
    place.inside.as_ref()?.schemas.iter().find(|schema| schema.name == PUBLIC)
}

fn public() -> SchemaName {
    PUBLIC.parse().expect("a name")
}

/// What was taken from PUBLIC when each database was first closed, to be given back. Nothing of what was
/// closed already: whoever opens that later is undone for good.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Taken(BTreeMap<String, BTreeMap<Control, BTreeSet<String>>>);

impl Taken {
    /// Nothing was taken where nothing is remembered.
    pub fn parse(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings serialise")
    }

    /// The databases of which something is remembered.
    pub fn databases(&self) -> BTreeSet<DatabaseName> {
        self.0.keys().filter_map(|name| name.parse().ok()).collect()
    }

    /// Notes what the changes of [`diff`] are about to take.
    pub fn note(&mut self, observed: &Observed) {
        self.note_closed(observed);
        self.enter(observed, |finding| matches!(finding, Finding::Found { .. }));
    }

    /// Notes what there is nothing to take of.
    pub fn note_closed(&mut self, observed: &Observed) {
        self.enter(observed, |finding| *finding == Finding::Enforced);
    }

    fn enter(&mut self, observed: &Observed, applies: impl Fn(&Finding) -> bool) {
        for (control, name, finding) in assess_in_order(observed) {
            let Some(Some(place)) = observed.databases.get(name) else { continue };
            if applies(&finding) {
                let privileges = || held(control, place).iter().map(|grant| grant.privilege.clone()).collect();
                let controls = self.0.entry(name.as_str().to_owned()).or_default();
                controls.entry(control).or_insert_with(privileges);
            }
        }
    }

    /// Gives back what was taken of one database.
    pub fn give_back(&self, database: &DatabaseName) -> Vec<Change> {
        let give = |(control, privileges): (&Control, &BTreeSet<String>)| {
            let privileges: Vec<_> =
                PRIVILEGES.into_iter().filter(|privilege| privileges.contains(*privilege)).collect();
            let schema = (*control == Control::PublicSchema).then(public);
            let change = Change::GrantToPublic { database: database.clone(), schema, privileges: privileges.clone() };
            (!privileges.is_empty()).then_some(change)
        };
        self.0.get(database.as_str()).into_iter().flatten().filter_map(give).collect()
    }

    pub fn forget(&mut self, database: &DatabaseName) {
        self.0.remove(database.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::{fixture, render};

    fn grant(grantee: Option<&str>, privilege: &str) -> Grant {
        Grant { grantee: grantee.map(str::to_owned), privilege: privilege.to_owned(), grantable: false }
    }

    fn place(name: &str, privileges: &[&str], on_public: &[&str]) -> Place {
        let tenant = fixture::observed();
        let mut database = Database { name: name.to_owned(), ..tenant.database.unwrap() };
        database.acl = privileges.iter().map(|privilege| grant(None, privilege)).collect();
        database.acl.push(grant(Some("monitoring"), "CONNECT"));
        let mut inside = tenant.inside.unwrap();
        inside.schemas.retain(|schema| schema.name == PUBLIC);
        inside.schemas[0].acl = on_public.iter().map(|privilege| grant(None, privilege)).collect();
        Place { database, inside: Some(inside) }
    }

    /// As `initdb` of PostgreSQL 14 leaves it, with an admin who owns all of it.
    fn stock() -> Observed {
        let places = [
            place("postgres", &["CONNECT", "TEMPORARY"], &["CREATE", "USAGE"]),
            place("template1", &["CONNECT"], &["CREATE", "USAGE"]),
        ];
        Observed {
            databases: places.map(|place| (place.database.name.parse().unwrap(), Some(place))).into_iter().collect(),
        }
    }

    fn name(text: &str) -> DatabaseName {
        text.parse().unwrap()
    }

    fn postgres(observed: &mut Observed) -> &mut Place {
        observed.databases.get_mut(&name("postgres")).unwrap().as_mut().unwrap()
    }

    fn text(changes: &[Change]) -> Vec<String> {
        let step = |step: &crate::postgres::Step| {
            let place = step.database.as_ref().map_or("-", DatabaseName::as_str);
            format!("[{place}] {}", step.text().replace('\n', " "))
        };
        render(changes).0.iter().map(step).collect()
    }

    /// Changes one fact of the stock server; what the controls then say, and what is run.
    fn check(change: impl FnOnce(&mut Observed), expected: [&str; 4], script: &[&str]) -> Observed {
        let mut observed = stock();
        change(&mut observed);
        let found: Vec<_> = assess(&observed)
            .into_iter()
            .map(|(control, finding)| format!("{control}: {}", finding.describe().unwrap()))
            .collect();
        let controls = [
            "postgres.public_privileges",
            "postgres.public_schema",
            "template1.public_privileges",
            "template1.public_schema",
        ];
        let expected: Vec<_> =
            controls.iter().zip(expected).map(|(control, found)| format!("{control}: {found}")).collect();
        assert_eq!(found, expected);
        assert_eq!(text(&diff(&observed)), script);
        observed
    }

    const CLOSE_TEMPLATE1: &str = "REVOKE ALL ON DATABASE \"template1\" FROM PUBLIC CASCADE";

    #[test]
    fn a_stock_server_is_closed_door_first() {
        check(
            |_| {},
            [
                "PUBLIC has CONNECT, TEMPORARY",
                "PUBLIC has CREATE on public",
                "PUBLIC has CONNECT",
                "PUBLIC has CREATE on public",
            ],
            &[
                &format!("[-] REVOKE ALL ON DATABASE \"postgres\" FROM PUBLIC CASCADE; {CLOSE_TEMPLATE1}"),
                "[postgres] REVOKE CREATE ON SCHEMA \"public\" FROM PUBLIC CASCADE",
                "[template1] REVOKE CREATE ON SCHEMA \"public\" FROM PUBLIC CASCADE",
            ],
        );
    }

    #[test]
    fn what_is_closed_needs_nothing() {
        let closed = |observed: &mut Observed| {
            observed.databases =
                DATABASES.map(|database| (name(database), Some(place(database, &[], &["USAGE"])))).into();
        };
        check(closed, ["enforced"; 4], &[]);
        // One that admits nobody, and one without a schema `public`.
        let bare = |observed: &mut Observed| {
            closed(observed);
            postgres(observed).database.allow_connections = false;
            postgres(observed).inside = None;
            let template1 = observed.databases.get_mut(&name("template1")).unwrap().as_mut().unwrap();
            template1.inside.as_mut().unwrap().schemas.clear();
        };
        check(bare, ["enforced"; 4], &[]);
    }

    #[test]
    fn what_is_not_this_admins_is_told_and_left() {
        let template1 = ["PUBLIC has CONNECT", "PUBLIC has CREATE on public"];
        let close_template1 = &format!("[-] {CLOSE_TEMPLATE1}");
        let rest = "[template1] REVOKE CREATE ON SCHEMA \"public\" FROM PUBLIC CASCADE";
        check(
            |observed| {
                postgres(observed).database.owner_usable = false;
                postgres(observed).inside.as_mut().unwrap().schemas[0].owner_usable = false;
            },
            [
                "PUBLIC has CONNECT, TEMPORARY (not this admin's to change)",
                "PUBLIC has CREATE on public (not this admin's to change)",
                template1[0],
                template1[1],
            ],
            &[close_template1, rest],
        );
        check(
            |observed| {
                postgres(observed).database.acl.clear();
                postgres(observed).inside = None;
            },
            ["enforced", "this admin is not let in to look (not this admin's to change)", template1[0], template1[1]],
            &[close_template1, rest],
        );
    }

    #[test]
    fn a_database_that_does_not_exist_is_told() {
        let missing = "the database is missing";
        let observed = check(
            |observed| observed.databases.values_mut().for_each(|place| *place = None),
            [missing, missing, missing, missing],
            &[],
        );
        assert_eq!(observed.missing(), [&name("postgres"), &name("template1")]);
    }

    #[test]
    fn who_logs_in_must_be_admitted_without_public() {
        let locked_out = |admitted: &[&str], change: fn(&mut Observed)| {
            let mut observed = stock();
            change(&mut observed);
            let admitted = admitted.iter().map(|name| (*name).to_owned()).collect();
            let login = Login { role: "operator".to_owned(), admitted };
            observed.locks_out(&login).into_iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(locked_out(&["postgres", "template1"], |_| {}), "");
        assert_eq!(locked_out(&["template1"], |_| {}), "postgres");
        assert_eq!(locked_out(&[], |_| {}), "postgres template1");
        // What is not closed by this admin, or was closed before, keeps nobody out.
        assert_eq!(locked_out(&["template1"], |observed| postgres(observed).database.owner_usable = false), "");
        assert_eq!(locked_out(&["template1"], |observed| postgres(observed).database.acl.clear()), "");
    }

    #[test]
    fn what_was_taken_is_given_back_and_nothing_else() {
        let mut taken = Taken::default();
        let mut observed = stock();
        postgres(&mut observed).inside.as_mut().unwrap().schemas[0].acl.clear();
        taken.note(&observed);
        // Later, somebody opens more: that is undone, and stays so.
        let mut tampered = stock();
        postgres(&mut tampered).database.acl.push(grant(None, "CREATE"));
        taken.note(&tampered);
        let mut taken = Taken::parse(&taken.bytes());
        assert_eq!(taken.databases(), [name("postgres"), name("template1")].into());
        assert_eq!(
            text(&taken.give_back(&name("postgres"))),
            ["[-] GRANT CONNECT, TEMPORARY ON DATABASE \"postgres\" TO PUBLIC"]
        );
        assert_eq!(
            text(&taken.give_back(&name("template1"))),
            [
                "[-] GRANT CONNECT ON DATABASE \"template1\" TO PUBLIC",
                "[template1] GRANT CREATE ON SCHEMA \"public\" TO PUBLIC"
            ]
        );
        taken.forget(&name("template1"));
        assert_eq!(text(&taken.give_back(&name("template1"))), [""; 0]);
        assert_eq!(Taken::parse(b""), Taken::default());
    }

    #[test]
    fn what_may_not_be_taken_is_noted_once_it_may() {
        let mut taken = Taken::default();
        let mut observed = stock();
        postgres(&mut observed).database.owner_usable = false;
        taken.note(&observed);
        assert!(!text(&taken.give_back(&name("postgres"))).concat().contains("DATABASE"));
        taken.note(&stock());
        assert!(text(&taken.give_back(&name("postgres"))).concat().contains("DATABASE"));
    }
}

//! The same attacks by the further roles of a tenant, and those that only they can try: on the tenant and on each other.
//!
//! Two of the five are owners. Each of these tries everything twice: in the tenant's name, which is how it logs in, and in its
//! own (`SET ROLE NONE`).

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::attack::{Attack, By, Outcome, Seen, Tries, attack};
use crate::ground::{Ground, PASSWORD, attempt, ensure, must, password, value, workspace};
use crate::matrix::Cell;
use crate::rights;
use crate::support::binaries::MAJORS;
use crate::support::postgres::Session;
use crate::support::terraform::Workspace;

const TEAM: &str = "team";
const FURTHER: &str = "further";

/// What a login acts as: what it may is a matter of that alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acts {
    /// An owner as it logs in.
    AsTheTenant,
    /// An owner that has left that.
    AsItself,
    Write,
    Read,
    Connect,
}

pub struct Hand {
    pub by: By,
    pub acts: Acts,
    /// Its column of the matrix.
    pub name: &'static str,
    /// Of its resource.
    label: &'static str,
}

const fn hand(login: &'static str, label: &'static str, acts: Acts, name: &'static str) -> Hand {
    let acts_as = if matches!(acts, Acts::AsTheTenant) { TEAM } else { login };
    Hand { by: By { tenant: TEAM, login, acts_as }, acts, name, label }
}

pub const HANDS: [Hand; 7] = [
    hand("team_migrator", "migrator", Acts::AsTheTenant, "owner"),
    hand("team_second", "second", Acts::AsTheTenant, "second owner"),
    hand("team_migrator", "migrator", Acts::AsItself, "owner, SET ROLE NONE"),
    hand("team_second", "second", Acts::AsItself, "second owner, SET ROLE NONE"),
    hand("team_worker", "worker", Acts::Write, "write"),
    hand("team_reader", "reader", Acts::Read, "read"),
    hand("team_exporter", "exporter", Acts::Connect, "connect"),
];

const ROLES: [(&str, &str); 5] =
    [("migrator", "owner"), ("second", "owner"), ("worker", "write"), ("reader", "read"), ("exporter", "connect")];

const TENANT: &str = "pgtenant_tenant.team";
const GUARDRAILS: &str = "pgtenant_guardrails.team";
/// The limit of each further role: what was refused takes a moment to be gone, and the next comes at once.
pub const CONNECTIONS: usize = 15;
const RACE: &str = "race_past_the_connection_limit";

/// What is expected of one hand.
#[derive(Clone, Copy)]
enum Expected {
    To(Outcome),
    /// It works; the next plan names this control of the role's own resource, and the apply takes it back.
    Told(&'static str),
}

/// Where a hand meets something else than the tenant's own role does: at this attack, or at this statement of one.
struct Otherwise {
    at: &'static str,
    hands: &'static [Acts],
    majors: RangeInclusive<u32>,
    expected: Expected,
}

const fn otherwise(
    at: &'static str,
    hands: &'static [Acts],
    majors: RangeInclusive<u32>,
    expected: Expected,
) -> Otherwise {
    Otherwise { at, hands, majors, expected }
}

const AS_THE_TENANT: &[Acts] = &[Acts::AsTheTenant];
const OWN_NAME: &[Acts] = &[Acts::AsItself, Acts::Write, Acts::Read, Acts::Connect];
const OWNERS: &[Acts] = &[Acts::AsTheTenant, Acts::AsItself];
/// Those that may use none of the schemas in their `search_path`: what they make without naming one they make nowhere.
const NO_SCHEMA: &[Acts] = &[Acts::AsItself, Acts::Connect];
const GRANTEES: &[Acts] = &[Acts::Write, Acts::Read];
const STOPPED: Expected = Expected::To(Outcome::Stopped("42501"));
const NOWHERE: Expected = Expected::To(Outcome::Stopped("3F000"));
const SCHEMAS: Expected = Expected::To(Outcome::Documented(
    "allow_create_schema: schemas, trusted extensions and publications of its own tables are the tenant's affair, and an owner's",
));
const IS_THE_TENANT: Expected = Expected::To(Outcome::Documented(
    "an owner is the tenant by another login: what the tenant's own role may do it may",
));

/// The last that fits counts.
const OTHERWISE: &[Otherwise] = &[
    otherwise("CREATE SCHEMA mine", AS_THE_TENANT, MAJORS, SCHEMAS),
    otherwise("CREATE EXTENSION citext", AS_THE_TENANT, MAJORS, SCHEMAS),
    otherwise("CREATE EXTENSION hstore SCHEMA app", AS_THE_TENANT, MAJORS, SCHEMAS),
    otherwise("CREATE PUBLICATION mine", AS_THE_TENANT, MAJORS, SCHEMAS),
    otherwise("SET ROLE team", OWNERS, MAJORS, IS_THE_TENANT),
    otherwise("SELECT set_config('role', 'team', false)", OWNERS, MAJORS, IS_THE_TENANT),
    otherwise("end_sessions_of_the_tenant", AS_THE_TENANT, MAJORS, IS_THE_TENANT),
    otherwise("read_queries_of_the_tenant", AS_THE_TENANT, MAJORS, IS_THE_TENANT),
    otherwise("raise_its_own_access", AS_THE_TENANT, MAJORS, IS_THE_TENANT),
    // There membership is enough for ALTER DEFAULT PRIVILEGES FOR ROLE, whether it inherits or not.
    otherwise("raise_its_own_access", &[Acts::AsItself], 13..=15, IS_THE_TENANT),
    otherwise("share_objects_with_another_tenant", OWN_NAME, MAJORS, STOPPED),
    otherwise(
        "share_objects_with_another_tenant",
        AS_THE_TENANT,
        MAJORS,
        Expected::To(Outcome::Detected(&[(TENANT, "isolation.default_privileges"), (TENANT, "isolation.other_roles")])),
    ),
    otherwise("gain_by_security_definer", OWN_NAME, MAJORS, STOPPED),
    otherwise("grant_itself_away", OWN_NAME, 13..=14, Expected::Told("memberships")),
    otherwise("lend_itself_to_another_role_of_the_tenant", OWN_NAME, 13..=14, Expected::Told("memberships")),
    // The one that all others lent themselves to: nobody is a member of its own member.
    otherwise(
        "lend_itself_to_another_role_of_the_tenant",
        &[Acts::Connect],
        13..=14,
        Expected::To(Outcome::Stopped("0LP01")),
    ),
    // Only a session's own user is an admin of itself there.
    otherwise("grant_itself_away", AS_THE_TENANT, MAJORS, STOPPED),
    otherwise("change_its_own_password", OWN_NAME, MAJORS, Expected::Told("password")),
    otherwise(
        "change_its_own_password",
        AS_THE_TENANT,
        MAJORS,
        Expected::To(Outcome::Detected(&[(TENANT, "isolation.password")])),
    ),
    // Default privileges for itself go with DROP OWNED, whoever gave them.
    otherwise("discard_its_own_rights", GRANTEES, MAJORS, Expected::Told("default_privileges")),
    otherwise("set_its_own_limits_persistently", OWN_NAME, MAJORS, Expected::Told("parameters")),
    otherwise(
        "set_its_own_limits_persistently",
        AS_THE_TENANT,
        MAJORS,
        Expected::To(Outcome::Detected(&[
            (GUARDRAILS, "overrides.role.statement_timeout"),
            (GUARDRAILS, "overrides.role.lock_timeout"),
            (GUARDRAILS, "overrides.role.idle_in_transaction_session_timeout"),
        ])),
    ),
    otherwise("set_its_own_idle_limit_persistently", OWN_NAME, 14..=18, Expected::Told("parameters")),
    otherwise(
        "set_its_own_idle_limit_persistently",
        AS_THE_TENANT,
        14..=18,
        Expected::To(Outcome::Detected(&[(GUARDRAILS, "overrides.role.idle_session_timeout")])),
    ),
    otherwise("set_its_own_transaction_limit_persistently", OWN_NAME, 17..=18, Expected::Told("parameters")),
    otherwise(
        "set_its_own_transaction_limit_persistently",
        AS_THE_TENANT,
        17..=18,
        Expected::To(Outcome::Detected(&[(GUARDRAILS, "overrides.role.transaction_timeout")])),
    ),
    otherwise("set_its_own_limits_in_its_database", OWN_NAME, MAJORS, Expected::Told("parameters")),
    otherwise("set_its_own_limits_in_another_database", OWN_NAME, MAJORS, Expected::Told("parameters")),
    otherwise(
        "set_its_own_limits_in_its_database",
        AS_THE_TENANT,
        MAJORS,
        Expected::To(Outcome::Detected(&[
            (GUARDRAILS, "overrides.role_in_database.statement_timeout"),
            (GUARDRAILS, "overrides.role_in_database.lock_timeout"),
        ])),
    ),
    otherwise(
        "set_its_own_limits_in_another_database",
        AS_THE_TENANT,
        MAJORS,
        Expected::To(Outcome::Detected(&[
            (GUARDRAILS, "overrides.role_in_database.statement_timeout"),
            (GUARDRAILS, "overrides.role_in_database.lock_timeout"),
        ])),
    ),
    otherwise("move_its_own_search_path", OWN_NAME, MAJORS, Expected::Told("search_path")),
    otherwise(
        "move_its_own_search_path",
        AS_THE_TENANT,
        MAJORS,
        Expected::To(Outcome::Detected(&[(TENANT, "isolation.search_path")])),
    ),
    otherwise("reset_all_its_settings_in_its_database", OWN_NAME, MAJORS, Expected::Told("search_path")),
    otherwise(
        "reset_all_its_settings_in_its_database",
        AS_THE_TENANT,
        MAJORS,
        Expected::To(Outcome::Detected(&[(TENANT, "isolation.search_path")])),
    ),
    otherwise("reset_all_its_settings", OWN_NAME, MAJORS, Expected::Told("parameters")),
    otherwise(
        "reset_all_its_settings",
        AS_THE_TENANT,
        MAJORS,
        Expected::To(Outcome::Detected(&[
            (GUARDRAILS, "overrides.role.statement_timeout"),
            (GUARDRAILS, "overrides.role.lock_timeout"),
            (GUARDRAILS, "overrides.role.idle_in_transaction_session_timeout"),
        ])),
    ),
    otherwise("gain_by_security_definer", NO_SCHEMA, MAJORS, NOWHERE),
    otherwise("share_objects_with_another_tenant", NO_SCHEMA, MAJORS, NOWHERE),
    otherwise("give_objects_to_another_role", NO_SCHEMA, MAJORS, NOWHERE),
    otherwise("create_functions_in_c", NO_SCHEMA, MAJORS, NOWHERE),
    otherwise("CREATE FUNCTION planted() RETURNS int LANGUAGE internal AS 'now'", NO_SCHEMA, MAJORS, NOWHERE),
    otherwise("CREATE FUNCTION planted() RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 1'", NO_SCHEMA, MAJORS, NOWHERE),
    otherwise("create_an_extension", NO_SCHEMA, MAJORS, NOWHERE),
    otherwise("CREATE EXTENSION citext", NO_SCHEMA, MAJORS, NOWHERE),
    otherwise("create_an_event_trigger", NO_SCHEMA, MAJORS, NOWHERE),
    otherwise("CREATE TABLE lines (line text); COPY lines FROM '/etc/passwd'", NO_SCHEMA, MAJORS, NOWHERE),
    otherwise("CREATE TABLE lines (line text); COPY lines FROM PROGRAM 'id'", NO_SCHEMA, MAJORS, NOWHERE),
];

/// Those that only a further role can try. They say `attacker` for the role, like all others.
pub fn attacks() -> Vec<Attack> {
    let by_any = |name, act| attack(name, FURTHER, Tries::As(act));
    let stopped = Outcome::Stopped("42501");
    vec![
        attack(
            "become_the_tenant",
            FURTHER,
            Tries::Each(&[
                "SET ROLE team",
                "SELECT set_config('role', 'team', false)",
                "SET SESSION AUTHORIZATION team",
                "GRANT team TO attacker",
                "GRANT team TO team_exporter",
            ]),
        )
        .comes_to(stopped),
        by_any("become_another_role_of_the_tenant", |ground, by| {
            to_each_other(ground, by, &["SET ROLE OTHER", "SET SESSION AUTHORIZATION OTHER", "GRANT OTHER TO ITSELF"])
        })
        .comes_to(stopped),
        by_any("alter_another_role_of_the_tenant", |ground, by| {
            to_each_other(
                ground,
                by,
                &[
                    "ALTER ROLE OTHER PASSWORD 'mine'",
                    "ALTER ROLE OTHER NOLOGIN",
                    "ALTER ROLE OTHER CONNECTION LIMIT 0",
                    "ALTER ROLE OTHER SET search_path = public",
                    "ALTER ROLE OTHER IN DATABASE team SET role = 'team'",
                    "ALTER ROLE OTHER IN DATABASE team RESET ALL",
                    "COMMENT ON ROLE OTHER IS NULL",
                    "DROP ROLE OTHER",
                    "DROP OWNED BY OTHER",
                    "REASSIGN OWNED BY OTHER TO ITSELF",
                ],
            )
        })
        .comes_to(stopped),
        by_any("lend_itself_to_another_role_of_the_tenant", |ground, by| {
            let other = others(by).next().ok_or("it is alone")?;
            Ok(attempt(&ground.enter(by)?, &format!("GRANT {} TO {other}", by.acts_as)))
        })
        .comes_to(stopped),
        by_any("end_sessions_of_the_tenant", |ground, by| end_sessions(ground, by, &[TEAM])).comes_to(stopped),
        by_any("end_sessions_of_another_role_of_the_tenant", |ground, by| {
            let others: Vec<&str> = others(by).collect();
            end_sessions(ground, by, &others)
        })
        .comes_to(stopped),
        by_any("read_queries_of_the_tenant", read_queries_of_the_tenant)
            .comes_to(Outcome::Fruitless("pg_stat_activity keeps the tenant's queries from its further roles too")),
        by_any("raise_its_own_access", raise_its_own_access)
            .comes_to(Outcome::Fruitless("what the tenant gave it came without a grant option")),
    ]
}

/// The logins of the tenant's further roles but this one.
fn others(by: By) -> impl Iterator<Item = &'static str> {
    let logins: BTreeSet<&str> = HANDS.iter().map(|hand| hand.by.login).collect();
    logins.into_iter().filter(move |login| *login != by.login)
}

fn to_each_other(ground: &Ground, by: By, statements: &[&str]) -> Result<Seen, String> {
    let session = ground.enter(by)?;
    // An owner may become the tenant: what that is, is tried by itself.
    let is_owner = HANDS.iter().any(|hand| hand.by.login == by.login && hand.acts == Acts::AsTheTenant);
    let others = others(by).chain((!is_owner).then_some(TEAM));
    let mut states = BTreeSet::new();
    for other in others {
        for statement in statements {
            let statement = statement.replace("OTHER", other).replace("ITSELF", by.acts_as);
            match attempt(&session, &statement) {
                Seen::Stopped(state) => drop(states.insert(state)),
                seen => return Err(format!("{seen:?} for {statement}")),
            }
        }
    }
    Ok(Seen::Stopped(states.into_iter().collect::<Vec<_>>().join(", ")))
}

fn end_sessions(ground: &Ground, by: By, of: &[&'static str]) -> Result<Seen, String> {
    let session = ground.enter(by)?;
    let mut seen = Vec::new();
    for login in of {
        let one = ground.enter(By { tenant: TEAM, login, acts_as: login })?;
        let pid = value(&one, "SELECT pg_backend_pid()")?;
        for function in ["pg_cancel_backend", "pg_terminate_backend"] {
            seen.push(attempt(&session, &format!("SELECT {function}({pid})")));
        }
    }
    let first = seen.first().cloned().ok_or("nobody is there")?;
    let same = seen.iter().all(|seen| format!("{seen:?}") == format!("{first:?}"));
    if same { Ok(first) } else { Err(format!("{seen:?}")) }
}

fn read_queries_of_the_tenant(ground: &Ground, by: By) -> Result<Seen, String> {
    let tenant = ground.enter(By::tenant(TEAM))?;
    must(&tenant, &["SELECT 'a secret of the tenant'"])?;
    let pid = value(&tenant, "SELECT pg_backend_pid()")?;
    let seen = format!("SELECT concat(query, ' ', client_addr, ' ', state) FROM pg_stat_activity WHERE pid = {pid}");
    let seen = value(&ground.enter(by)?, &seen)?;
    Ok(if seen.trim() == "<insufficient privilege>" { Seen::Fruitless } else { Seen::Worked })
}

/// Whatever it says, no privilege in the database is another than before.
fn raise_its_own_access(ground: &Ground, by: By) -> Result<Seen, String> {
    let session = ground.enter(by)?;
    let rights = "SELECT md5(concat(
        (SELECT string_agg(concat(oid, relacl), ',' ORDER BY oid) FROM pg_class),
        (SELECT string_agg(concat(oid, nspacl), ',' ORDER BY oid) FROM pg_namespace),
        (SELECT string_agg(concat(oid, defaclacl), ',' ORDER BY oid) FROM pg_default_acl),
        (SELECT string_agg(concat(oid, datacl), ',' ORDER BY oid) FROM pg_database)))";
    let mut changed = Vec::new();
    for schema in rights::SCHEMAS {
        for statement in [
            "GRANT ALL ON ALL TABLES IN SCHEMA WHERE TO ITSELF",
            "GRANT ALL ON ALL TABLES IN SCHEMA WHERE TO PUBLIC",
            "GRANT ALL ON ALL SEQUENCES IN SCHEMA WHERE TO ITSELF",
            "GRANT ALL ON SCHEMA WHERE TO ITSELF",
            "ALTER DEFAULT PRIVILEGES FOR ROLE team IN SCHEMA WHERE GRANT ALL ON TABLES TO ITSELF",
            "GRANT ALL ON DATABASE team TO ITSELF",
        ] {
            let statement = statement.replace("WHERE", schema).replace("ITSELF", by.login);
            must(&session, &["BEGIN"])?;
            let before = value(&session, rights)?;
            if matches!(attempt(&session, &statement), Seen::Worked) && value(&session, rights)? != before {
                changed.push(statement);
            }
            must(&session, &["ROLLBACK"])?;
        }
    }
    Ok(if changed.is_empty() { Seen::Fruitless } else { Seen::Worked })
}

/// The tenant, with its further roles or before them.
fn configuration(major: u32, roles: bool, version: u32) -> String {
    let password = |name: &str| format!("password_wo = \"{PASSWORD}{name}\"\n  password_wo_version = {version}");
    // What is no limit on record, when a tenant sets it, is told of its parameters.
    let newer = [(14, "idle_session_timeout = \"10min\""), (17, "transaction_timeout = \"5min\"")];
    let newer: Vec<&str> = newer.iter().filter(|(since, _)| *since <= major).map(|(_, text)| *text).collect();
    let mut text = format!(
        "provider \"pgtenant\" {{\n  deep_verify = true\n}}
resource \"pgtenant_tenant\" \"team\" {{
  name = \"team\"
  {}
  deletion_protection = false
  allow_create_schema = true
  schemas = [\"jobs\"]
  extensions = [\"pgcrypto\"]
}}
resource \"pgtenant_guardrails\" \"team\" {{
  tenant = pgtenant_tenant.team.name
  statement_timeout = \"2s\"
  {}
}}
",
        password(TEAM),
        newer.join("\n  ")
    );
    for (label, access) in ROLES.iter().filter(|_| roles) {
        let name = format!("team_{label}");
        text.push_str(&format!(
            "resource \"pgtenant_role\" \"{label}\" {{
  tenant = pgtenant_tenant.team.name
  name = \"{name}\"
  access = \"{access}\"
  connection_limit = {CONNECTIONS}
  parameters = {{ work_mem = \"8MB\" }}
  {}
}}
",
            password(&name)
        ));
    }
    text
}

fn prepare(ground: &Ground) -> Result<Workspace, String> {
    let workspace = workspace(&ground.server);
    workspace.write("main.tf", &configuration(ground.server.major, false, 1));
    workspace.try_run(&["apply", "-auto-approve"])?.ok()?;
    must(&ground.enter(By::tenant(TEAM))?, rights::BEFORE)?;
    workspace.write("main.tf", &configuration(ground.server.major, true, 1));
    workspace.try_run(&["apply", "-auto-approve"])?.ok()?;
    must(&ground.enter(By::tenant(TEAM))?, rights::LATER)?;
    must(&ground.enter(HANDS[0].by)?, rights::MIGRATED)?;
    // What is made later needs nothing of Terraform.
    workspace.try_run(&["plan", "-detailed-exitcode"])?.ok()?;
    Ok(workspace)
}

fn expected(attack: &Attack, statement: Option<&str>, hand: &Hand, major: u32) -> Expected {
    let fits = |one: &&Otherwise| {
        let at =
            if Some(one.at) == statement { Some(one.at) } else { Some(attack.name).filter(|name| *name == one.at) };
        at.is_some() && one.hands.contains(&hand.acts) && one.majors.contains(&major)
    };
    let otherwise = OTHERWISE.iter().rev().find(fits).map(|one| one.expected);
    otherwise
        .unwrap_or_else(|| Expected::To(attack.expected(major).expect("every attack has an outcome on every major")))
}

impl Expected {
    fn text(self) -> String {
        match self {
            Expected::To(outcome) => outcome.text(),
            Expected::Told(_) => "detected".to_owned(),
        }
    }

    fn matches(self, seen: &Seen) -> bool {
        match self {
            Expected::To(outcome) => outcome.matches(seen),
            Expected::Told(_) => matches!(seen, Seen::Worked),
        }
    }

    fn paths(self, hand: &Hand) -> Vec<(String, String)> {
        match self {
            Expected::To(Outcome::Detected(paths)) => {
                paths.iter().map(|(address, path)| ((*address).to_owned(), (*path).to_owned())).collect()
            }
            Expected::Told(control) => {
                vec![(format!("pgtenant_role.{}", hand.label), format!("isolation.{control}"))]
            }
            Expected::To(_) => Vec::new(),
        }
    }

    fn about(self) -> &'static str {
        match self {
            Expected::To(outcome) => outcome.about(),
            Expected::Told(_) => "",
        }
    }
}

/// What was expected of one hand at one attack, and what came of it.
struct Tried {
    attack: Attack,
    hand: &'static Hand,
    expected: Vec<Expected>,
    result: Result<(), String>,
}

impl Tried {
    /// Where a plan is to name what was done.
    fn paths(&self) -> BTreeSet<(String, String)> {
        self.expected.iter().flat_map(|expected| expected.paths(self.hand)).collect()
    }

    fn cell(self, took: Duration) -> Cell {
        let texts: BTreeSet<String> = self.expected.iter().map(|expected| expected.text()).collect();
        let about = self.expected.iter().map(|expected| expected.about()).find(|about| !about.is_empty());
        let text = texts.into_iter().collect::<Vec<_>>().join(", ");
        let row = (self.attack.category, self.attack.name);
        Cell::by(self.hand.name, row, text, self.result, about.unwrap_or_default(), took)
    }
}

/// `session` is the hand's own, for what takes no more than that.
fn attempt_as(ground: &Ground, session: &Session, attack: &Attack, hand: &'static Hand) -> Tried {
    let major = ground.server.major;
    let (expected, result) = match &attack.tries {
        Tries::Each(statements) => try_each(session, attack, statements, hand, major),
        Tries::As(act) => {
            let expected = expected(attack, None, hand, major);
            (vec![expected], act(ground, hand.by).and_then(|seen| judge(expected, &seen, attack.name)))
        }
        Tries::Act(_) => (Vec::new(), Err("it is no login's to try".to_owned())),
    };
    Tried { attack: attack.clone(), hand, expected, result }
}

fn judge(expected: Expected, seen: &Seen, what: &str) -> Result<(), String> {
    ensure(expected.matches(seen), format!("{seen:?}, not {}: {what}", expected.text()))
}

fn try_each(
    session: &Session,
    attack: &Attack,
    statements: &[&str],
    hand: &Hand,
    major: u32,
) -> (Vec<Expected>, Result<(), String>) {
    let all: Vec<Expected> =
        statements.iter().map(|statement| expected(attack, Some(statement), hand, major)).collect();
    let try_all = || {
        let mut surprises = Vec::new();
        for (statement, expected) in statements.iter().zip(&all) {
            // What is let through, and is no plan's to take back, is taken back at once.
            let is_undone = matches!(expected, Expected::To(Outcome::Documented(_) | Outcome::Fruitless(_)));
            let statement = hand.by.says(attack.by, statement);
            must(session, if is_undone { &["BEGIN"] } else { &[] })?;
            let seen = attempt(session, &statement);
            must(session, if is_undone { &["ROLLBACK"] } else { &[] })?;
            surprises.extend(judge(*expected, &seen, &statement).err());
        }
        ensure(value(session, "SELECT current_user")? == hand.by.acts_as, "it is another by now")?;
        ensure(surprises.is_empty(), surprises.join("; "))
    };
    let result = try_all();
    (all, result)
}

/// DROP OWNED BY the tenant is the end of its tables, whoever says it.
fn is_left_to_the_tenant(attack: &Attack, hand: &Hand) -> bool {
    attack.name == "discard_its_own_rights" && hand.acts == Acts::AsTheTenant
}

/// Everything that the five can try, on one server; what a plan is to tell is told by one plan.
pub fn run(ground: &Ground, table: Vec<Attack>) -> Result<Vec<Cell>, String> {
    let major = ground.server.major;
    let workspace = prepare(ground)?;
    let mut cells = rights::tried(ground)?;
    let all = table.into_iter().chain(attacks()).filter(|attack| !matches!(attack.tries, Tries::Act(_)));
    let is_told =
        |attack: &Attack| HANDS.iter().any(|hand| !expected(attack, None, hand, major).paths(hand).is_empty());
    let (mut told, others): (Vec<Attack>, Vec<Attack>) = all.partition(is_told);
    // All the connections that there are: before any session stays.
    let (race, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|attack| attack.name == RACE);
    for attack in &race {
        let started = Instant::now();
        for hand in &HANDS {
            cells.push(attempt_as(ground, &ground.enter(By::tenant(TEAM))?, attack, hand).cell(started.elapsed()));
        }
    }
    let sessions = HANDS.iter().map(|hand| ground.enter(hand.by)).collect::<Result<Vec<Session>, String>>()?;
    let by_all = || HANDS.iter().zip(&sessions);
    for attack in &others {
        let started = Instant::now();
        let try_it = |(hand, session)| attempt_as(ground, session, attack, hand);
        let tried: Vec<Tried> = if attack.name == "run_beyond_statement_timeout" {
            // As long as the limit lets each wait: all at once.
            std::thread::scope(|scope| {
                let threads: Vec<_> = by_all().map(|pair| scope.spawn(move || try_it(pair))).collect();
                threads.into_iter().map(|thread| thread.join().expect("it reports what fails")).collect()
            })
        } else {
            by_all().map(try_it).collect()
        };
        cells.extend(tried.into_iter().map(|tried| tried.cell(started.elapsed())));
    }
    // What takes all settings back would hide what was set: before that, and behind what needs the settings. A password comes
    // last: all others log in with the one before.
    told.sort_by_key(|attack| match attack.name {
        "change_its_own_password" => 3,
        name if ["set_", "move_", "lend_"].iter().any(|start| name.starts_with(start)) => 2,
        name => u32::from(name.starts_with("reset_all")),
    });
    let mut tried = Vec::new();
    for attack in &told {
        for (hand, session) in by_all().filter(|(hand, _)| !is_left_to_the_tenant(attack, hand)) {
            let started = Instant::now();
            tried.push((attempt_as(ground, session, attack, hand), started.elapsed()));
        }
    }
    drop(sessions);
    let paths = tried.iter().flat_map(|(tried, _)| tried.paths()).collect();
    let found = told_and_taken_back(ground, &workspace, &paths);
    for (mut tried, took) in tried {
        let paths = tried.paths();
        if !paths.is_empty() && tried.result.is_ok() {
            tried.result = found.as_ref().map_err(Clone::clone).and_then(|found| {
                let missing: Vec<_> = paths.difference(found).collect();
                ensure(missing.is_empty(), format!("the plan does not name {missing:?}"))
            });
        }
        cells.push(tried.cell(took));
    }
    Ok(cells)
}

/// As [`Ground::detect_and_repair`], of the team.
fn told_and_taken_back(
    ground: &Ground,
    workspace: &Workspace,
    expected: &BTreeSet<(String, String)>,
) -> Result<BTreeSet<(String, String)>, String> {
    let plan = workspace.try_plan()?;
    let changes = |address: String| plan.changes(&address).into_iter().map(move |path| (address.clone(), path));
    let found: BTreeSet<(String, String)> = plan.addresses().into_iter().flat_map(changes).collect();
    let more: Vec<_> = found.difference(expected).collect();
    ensure(more.is_empty(), format!("the plan names what nobody changed: {more:?}"))?;
    workspace.write("main.tf", &configuration(ground.server.major, true, 2));
    let applied = workspace.try_run(&["apply", "-auto-approve"])?.ok();
    applied
        .and_then(|_| workspace.try_run(&["plan", "-detailed-exitcode"])?.ok())
        .map_err(|error| format!("not repaired: {error}"))?;
    for login in [TEAM].into_iter().chain(HANDS.iter().map(|hand| hand.by.login)) {
        let entered = ground.log_in(TEAM, login, &password(login));
        entered.map_err(|error| format!("{login} cannot log in: {error}"))?;
    }
    // Each has again what its access is, and no more.
    let surprises: Vec<String> = rights::tried(ground)?.into_iter().filter_map(Cell::surprise).collect();
    ensure(surprises.is_empty(), format!("after the apply: {}", surprises.join("; ")))?;
    Ok(found)
}

//! What each further role may do with what the tenant has: a small table, tried on all of it. Nothing that is tried lasts.

use std::ops::RangeInclusive;
use std::time::Instant;

use crate::ground::{Ground, first, must};
use crate::matrix::Cell;
use crate::support::binaries::MAJORS;
use crate::support::postgres::Session;
use crate::team::HANDS;

/// What the matrix has these under.
pub const RIGHTS: &str = "rights";

/// The tenant's schemas: its first, one on its list, one that it made before the roles, one after, and one that an owner made.
pub const SCHEMAS: [&str; 5] = ["app", "jobs", "own", "newer", "others"];

/// There before the roles are.
pub const BEFORE: &[&str] = &[
    "CREATE SCHEMA own",
    "CREATE TABLE app.before (note text); INSERT INTO app.before VALUES ('x'); CREATE SEQUENCE app.numbers",
    "CREATE TABLE jobs.before (note text); INSERT INTO jobs.before VALUES ('x'); CREATE SEQUENCE jobs.numbers",
    "CREATE TABLE own.before (note text); INSERT INTO own.before VALUES ('x'); CREATE SEQUENCE own.numbers",
    "CREATE TABLE app.parted (note text) PARTITION BY LIST (note); CREATE TABLE app.part PARTITION OF app.parted DEFAULT;
     INSERT INTO app.parted VALUES ('x')",
    "CREATE TABLE app.base (note text); INSERT INTO app.base VALUES ('x'); CREATE VIEW app.seen AS SELECT note FROM app.base;
     CREATE MATERIALIZED VIEW app.counted AS SELECT note FROM app.base",
    "SELECT nextval('app.numbers'), nextval('jobs.numbers'), nextval('own.numbers')",
    "SELECT lo_from_bytea(4711, 'x')",
    "ANALYZE app.before, own.before",
];

pub const LATER: &[&str] = &[
    "CREATE SCHEMA newer",
    "CREATE TABLE app.later (note text); INSERT INTO app.later VALUES ('x')",
    "CREATE TABLE jobs.later (note text); INSERT INTO jobs.later VALUES ('x')",
    "CREATE TABLE own.later (note text); INSERT INTO own.later VALUES ('x')",
    "CREATE TABLE newer.later (note text); INSERT INTO newer.later VALUES ('x'); CREATE SEQUENCE newer.numbers",
];

/// By an owner.
pub const MIGRATED: &[&str] = &[
    "CREATE SCHEMA others",
    "CREATE TABLE app.migrated (note text); INSERT INTO app.migrated VALUES ('x')",
    "CREATE TABLE others.migrated (note text); INSERT INTO others.migrated VALUES ('x'); CREATE SEQUENCE others.numbers",
];

/// Each has one row.
const TABLES: &[&str] = &[
    "app.before",
    "jobs.before",
    "own.before",
    "app.parted",
    "app.later",
    "jobs.later",
    "own.later",
    "newer.later",
    "app.migrated",
    "others.migrated",
];
const VIEWS: &[&str] = &["app.seen"];
const MATERIALIZED: &[&str] = &["app.counted", "app.part"];
const SEQUENCES: &[&str] = &["app.numbers", "jobs.numbers", "own.numbers", "newer.numbers", "others.numbers"];
/// Those that are the tenant's own to drop.
const MADE: &[&str] = &["own", "newer", "others"];
const FOREIGN: &[&str] = &["extensions", "pg_catalog", "information_schema", "pg_toast"];

/// What is tried, `THIS` being each of `on`, and what each answers: a value, `ok`, or an SQLSTATE.
struct Right {
    name: &'static str,
    statement: &'static str,
    on: &'static [&'static [&'static str]],
    majors: RangeInclusive<u32>,
    /// In the order of [`crate::team::Acts`].
    answers: [&'static str; 5],
}

const fn right(
    name: &'static str,
    statement: &'static str,
    on: &'static [&'static [&'static str]],
    answers: [&'static str; 5],
) -> Right {
    Right { name, statement, on, majors: MAJORS, answers }
}

const NO: &str = "42501";
const ALL_READ: &[&[&str]] = &[TABLES, VIEWS, MATERIALIZED];
const ALL_WRITTEN: &[&[&str]] = &[TABLES, VIEWS];
const OWNER_ONLY: [&str; 5] = ["ok", NO, NO, NO, NO];
const NOBODY: [&str; 5] = [NO; 5];
const ONCE: &[&[&str]] = &[&["once"]];

const ALL: &[Right] = &[
    right("SELECT", "SELECT count(note) FROM THIS WHERE note = 'x'", ALL_READ, ["1", NO, "1", "1", NO]),
    right("SELECT as XML", "SELECT table_to_xml('THIS', true, false, '') IS NULL", ALL_READ, ["f", NO, "f", "f", NO]),
    right(
        "SELECT FOR UPDATE",
        "SELECT count(*) FROM (SELECT FROM THIS FOR UPDATE) rows",
        ALL_WRITTEN,
        ["1", NO, "1", NO, NO],
    ),
    right("INSERT", "INSERT INTO THIS (note) VALUES ('y')", ALL_WRITTEN, ["ok", NO, "ok", NO, NO]),
    right("UPDATE", "UPDATE THIS SET note = 'y'", ALL_WRITTEN, ["ok", NO, "ok", NO, NO]),
    right("DELETE", "DELETE FROM THIS", ALL_WRITTEN, ["ok", NO, "ok", NO, NO]),
    right("TRUNCATE", "TRUNCATE THIS", &[TABLES], OWNER_ONLY),
    right("LOCK IN ACCESS SHARE MODE", "LOCK THIS IN ACCESS SHARE MODE", &[TABLES], ["ok", NO, "ok", "ok", NO]),
    // UPDATE, DELETE and TRUNCATE come with every lock.
    right("LOCK IN ACCESS EXCLUSIVE MODE", "LOCK THIS IN ACCESS EXCLUSIVE MODE", &[TABLES], ["ok", NO, "ok", NO, NO]),
    right("ALTER TABLE", "ALTER TABLE THIS ADD more int", &[TABLES], OWNER_ONLY),
    right("ALTER TABLE DISABLE TRIGGER", "ALTER TABLE THIS DISABLE TRIGGER USER", &[TABLES], OWNER_ONLY),
    right("DROP TABLE", "DROP TABLE THIS", &[TABLES], OWNER_ONLY),
    right("COMMENT ON TABLE", "COMMENT ON TABLE THIS IS 'mine'", &[TABLES], OWNER_ONLY),
    right("CREATE INDEX", "CREATE INDEX ON THIS (note)", &[TABLES], OWNER_ONLY),
    right(
        "CREATE TRIGGER",
        "CREATE TRIGGER planted AFTER INSERT ON THIS FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        &[TABLES],
        OWNER_ONLY,
    ),
    right("CREATE RULE", "CREATE RULE planted AS ON INSERT TO THIS DO ALSO NOTHING", &[TABLES], OWNER_ONLY),
    right("CREATE POLICY", "CREATE POLICY planted ON THIS", &[TABLES], OWNER_ONLY),
    right("REFRESH MATERIALIZED VIEW", "REFRESH MATERIALIZED VIEW app.counted", ONCE, OWNER_ONLY),
    right("last_value of a sequence", "SELECT last_value FROM THIS", &[SEQUENCES], ["1", NO, "1", "1", NO]),
    right("nextval", "SELECT nextval('THIS') > 0", &[SEQUENCES], ["t", NO, "t", NO, NO]),
    right("setval", "SELECT setval('THIS', 1)", &[SEQUENCES], ["1", NO, "1", NO, NO]),
    right("CREATE TABLE", "CREATE TABLE THIS.planted ()", &[&SCHEMAS], OWNER_ONLY),
    right("CREATE VIEW", "CREATE VIEW THIS.planted AS SELECT 1 AS one", &[&SCHEMAS], OWNER_ONLY),
    right("CREATE SEQUENCE", "CREATE SEQUENCE THIS.planted", &[&SCHEMAS], OWNER_ONLY),
    right("CREATE TYPE", "CREATE TYPE THIS.planted AS (one int)", &[&SCHEMAS], OWNER_ONLY),
    right(
        "CREATE FUNCTION",
        "CREATE FUNCTION THIS.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        &[&SCHEMAS],
        OWNER_ONLY,
    ),
    right("CREATE in others' schemas", "CREATE TABLE THIS.planted ()", &[FOREIGN], NOBODY),
    Right { majors: 15..=18, ..right("CREATE in public", "CREATE TABLE public.planted ()", ONCE, NOBODY) },
    // PUBLIC's CREATE there is a superuser's to revoke: see `create_in_public`.
    Right { majors: 13..=14, ..right("CREATE in public", "CREATE TABLE public.planted ()", ONCE, ["ok"; 5]) },
    right("CREATE SCHEMA", "CREATE SCHEMA mine", ONCE, OWNER_ONLY),
    right("DROP SCHEMA", "DROP SCHEMA THIS CASCADE", &[MADE], OWNER_ONLY),
    right("ALTER SCHEMA", "ALTER SCHEMA THIS RENAME TO mine", &[MADE], OWNER_ONLY),
    right("CREATE TEMPORARY TABLE", "CREATE TEMPORARY TABLE mine ()", ONCE, NOBODY),
    right("CREATE EXTENSION", "CREATE EXTENSION citext SCHEMA own", ONCE, OWNER_ONLY),
    right("CREATE PUBLICATION", "CREATE PUBLICATION mine FOR TABLE own.before", ONCE, OWNER_ONLY),
    right("lo_get of the tenant's", "SELECT length(lo_get(4711))", ONCE, ["1", NO, NO, NO, NO]),
    right("lo_put into the tenant's", "SELECT lo_put(4711, 0, 'y')", ONCE, OWNER_ONLY),
    right("lo_unlink of the tenant's", "SELECT lo_unlink(4711)", ONCE, ["1", NO, NO, NO, NO]),
    // PUBLIC may call it, as everywhere: what it makes is its own.
    right("lo_create of its own", "SELECT lo_create(4712)", ONCE, ["4712"; 5]),
    right(
        "statistics of values",
        "SELECT count(*) > 0 FROM pg_stats WHERE schemaname IN ('app', 'own')",
        ONCE,
        ["t", "f", "t", "t", "f"],
    ),
    right(
        "values of sequences",
        "SELECT count(last_value) > 0 FROM pg_sequences WHERE sequencename = 'numbers'",
        ONCE,
        ["t", "f", "t", "t", "f"],
    ),
];

pub fn tried(ground: &Ground) -> Result<Vec<Cell>, String> {
    let mut cells = Vec::new();
    for hand in &HANDS {
        let session = ground.enter(hand.by)?;
        for right in ALL.iter().filter(|right| right.majors.contains(&ground.server.major)) {
            let started = Instant::now();
            let expected = right.answers[hand.acts as usize];
            let mut surprises = Vec::new();
            for this in right.on.iter().copied().flatten() {
                let answer = answer(&session, &right.statement.replace("THIS", this))?;
                if answer != expected {
                    surprises.push(format!("{answer} for {this}"));
                }
            }
            let text = match expected {
                "ok" => "yes".to_owned(),
                NO => format!("stopped {NO}"),
                value => value.to_owned(),
            };
            let result = if surprises.is_empty() { Ok(()) } else { Err(surprises.join("; ")) };
            cells.push(Cell::by(hand.name, (RIGHTS, right.name), text, result, "", started.elapsed()));
        }
    }
    Ok(cells)
}

/// The one value, `ok` where there is none, or the SQLSTATE; and it is as before.
fn answer(session: &Session, statement: &str) -> Result<String, String> {
    must(session, &["BEGIN"])?;
    let answer = session.sql(statement);
    must(session, &["ROLLBACK"])?;
    Ok(match answer {
        Ok(rows) => Some(first(&rows)).filter(|value| !value.is_empty()).unwrap_or_else(|| "ok".to_owned()),
        Err(error) => error.sqlstate,
    })
}

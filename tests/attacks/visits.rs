//! What waits for an admin who comes by.

use std::time::{Duration, Instant};

use crate::attack::{Attack, Outcome, Seen, Tries, attack};
use crate::ground::{Ground, attempt, ensure, must, until, value};
use crate::reach::suspend_the_vandal;
use crate::support::postgres::ADMIN;

const VISITS: &str = "visits";

pub fn attacks() -> Vec<Attack> {
    let act = |name, act| attack(name, VISITS, Tries::Act(act));
    vec![
        act("hijack_the_search_path_of_a_visitor", hijack_the_search_path_of_a_visitor).comes_to(Outcome::Fruitless(
            "the provider's sessions look in pg_catalog only, whatever is planted and wherever",
        )),
        act("lure_the_admin_into_a_view", lure_the_admin_into_a_view).comes_to(Outcome::Documented(
            "whoever reads a tenant's view runs its functions as himself: the provider reads none; let people read \
             as the tenant (SET ROLE)",
        )),
        act("act_through_maintenance", act_through_maintenance)
            .comes_to(Outcome::Fruitless("ANALYZE and REINDEX by a superuser run a table's functions as its owner")),
        act("poison_shared_catalogs", poison_shared_catalogs)
            .by("vandal")
            .comes_to(Outcome::Detected(&[("pgtenant_tenant.vandal", "isolation.search_path")])),
        act("spoil_the_apply_of_another", spoil_the_apply_of_another).comes_to(Outcome::Fruitless(
            "what a tenant grants to another shows there, and is left; the other's changes are applied all the same",
        )),
        act("hold_up_the_admin", hold_up_the_admin).by("vandal").comes_to(Outcome::Documented(
            "an open transaction that changes its own role makes others wait who change it; suspended = true ends the \
             tenant's sessions first",
        )),
    ]
}

/// Counts calls in a sequence, which no rollback takes back, as the tenant, whoever calls.
const TRAP: &[&str] = &[
    "CREATE SEQUENCE app.sprung",
    "CREATE FUNCTION app.spring() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
     AS 'BEGIN PERFORM nextval(''app.sprung''); RETURN true; END'",
    "GRANT EXECUTE ON FUNCTION app.spring() TO PUBLIC",
];

/// What the provider's own SQL, and that of extensions, calls without saying where it is, if it ever did.
const PLANTED: &[&str] = &[
    "FUNCTION left(text, int) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM app.spring(); RETURN $1; END'",
    "FUNCTION starts_with(text, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN app.spring(); END'",
    "FUNCTION pg_get_userbyid(oid) RETURNS name LANGUAGE plpgsql AS 'BEGIN PERFORM app.spring(); RETURN ''x''; END'",
    "FUNCTION pg_has_role(oid, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN app.spring(); END'",
    "FUNCTION set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql
     AS 'BEGIN PERFORM app.spring(); RETURN $2; END'",
    "FUNCTION pg_terminate_backend(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN app.spring(); END'",
    "FUNCTION lower(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM app.spring(); RETURN $1; END'",
    "FUNCTION same(name, name) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN app.spring(); END'",
    "FUNCTION same(name, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN app.spring(); END'",
    "FUNCTION same(oid, oid) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN app.spring(); END'",
    "OPERATOR SCHEMA.= (LEFTARG = name, RIGHTARG = name, FUNCTION = SCHEMA.same)",
    "OPERATOR SCHEMA.= (LEFTARG = name, RIGHTARG = text, FUNCTION = SCHEMA.same)",
    "OPERATOR SCHEMA.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = SCHEMA.same)",
    "VIEW SCHEMA.pg_namespace AS SELECT * FROM pg_catalog.pg_namespace WHERE app.spring()",
    "VIEW SCHEMA.pg_extension AS SELECT * FROM pg_catalog.pg_extension WHERE app.spring()",
    "VIEW SCHEMA.pg_description AS SELECT * FROM pg_catalog.pg_description WHERE app.spring()",
    "VIEW SCHEMA.pg_database AS SELECT * FROM pg_catalog.pg_database WHERE app.spring()",
    "DOMAIN SCHEMA.regclass AS pg_catalog.text CHECK (app.spring())",
    "DOMAIN SCHEMA.jsonb AS pg_catalog.text CHECK (app.spring())",
];

fn hijack_the_search_path_of_a_visitor(ground: &Ground) -> Result<Seen, String> {
    let session = ground.tenant("attacker")?;
    must(&session, TRAP)?;
    let mut planted = 0;
    for schema in ["app", "public", "pg_temp"] {
        for object in PLANTED {
            let object = object.replace("FUNCTION ", &format!("FUNCTION {schema}.")).replace("SCHEMA", schema);
            // An operator's function has been given its schema above; in public it is not to be planted
            // on every major.
            let object = object.replace(&format!("FUNCTION {schema}.= "), "FUNCTION = ");
            planted += usize::from(matches!(attempt(&session, &format!("CREATE {object}")), Seen::Worked));
        }
    }
    ensure(planted >= 2 * PLANTED.len(), format!("only {planted} objects are planted"))?;
    // The admin's own defaults, and the database's, are not the tenant's to set; its own are.
    must(&session, &["ALTER ROLE attacker SET search_path = app, public, pg_catalog"])?;

    let called =
        || ground.admin("attacker", "SELECT last_value, is_called FROM app.sprung").map(|rows| rows[0].clone());
    must(&session, &["GRANT SELECT ON SEQUENCE app.sprung TO platform_admin"])?;
    let before = called()?;
    // Everything that enters the tenant's database: the refresh, an extension more, and one less.
    ground.configure("deep_verify = true", |text| {
        text.replace("[\"pgcrypto\"]", "[\"citext\", \"hstore\", \"pgcrypto\"]")
    });
    let visited = ground.server.log_mark();
    ground.workspace.try_apply()?;
    ground.configure("deep_verify = true", |text| text);
    ground.workspace.try_apply()?;
    let log = ground.server.log_since(visited);
    let visits =
        log.lines().filter(|line| line.contains("connection authorized: user=platform_admin database=attacker"));
    ensure(visits.count() >= 4, "the provider has not been there")?;
    let sprung = called()? != before;

    // That nothing was called shows something only if the trap works.
    must(
        &session,
        &["SET search_path = app, pg_catalog", "SELECT starts_with('a'::text, 'b'::text)", "RESET search_path"],
    )?;
    ensure(called()? != before, "the trap does not spring")?;
    must(&session, &["ALTER ROLE attacker RESET search_path"])?;
    // What is planted stays: all that is done from here on meets it.
    Ok(if sprung { Seen::Worked } else { Seen::Fruitless })
}

fn lure_the_admin_into_a_view(ground: &Ground) -> Result<Seen, String> {
    let session = ground.tenant("attacker")?;
    must(
        &session,
        &[
            "CREATE FUNCTION bait() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN current_user; END'",
            "CREATE VIEW bait AS SELECT app.bait() AS taken_by",
            "GRANT SELECT ON bait TO platform_admin",
        ],
    )?;
    let acts_as = ground.admin("attacker", "SELECT taken_by FROM app.bait")?;
    let admin = ground.server.session("attacker", ADMIN).map_err(|error| error.to_string())?;
    // As the tenant the admin reads the same and risks nothing.
    must(&admin, &["BEGIN; GRANT attacker TO CURRENT_USER; SET LOCAL ROLE attacker"])?;
    let contained = value(&admin, "SELECT taken_by FROM app.bait")?;
    must(&admin, &["ROLLBACK"])?;
    must(&session, &["DROP VIEW bait", "DROP FUNCTION bait()"])?;
    ensure(contained == "attacker", format!("as the tenant it runs as {contained}"))?;
    Ok(if acts_as[0][0].as_deref() == Some(ADMIN) { Seen::Worked } else { Seen::Fruitless })
}

/// Functions in an index, and the owner's triggers, run when somebody maintains the table.
fn act_through_maintenance(ground: &Ground) -> Result<Seen, String> {
    let session = ground.tenant("attacker")?;
    must(
        &session,
        &[
            "CREATE SEQUENCE app.noticed",
            "CREATE FUNCTION app.indexed(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
             'BEGIN IF current_user <> ''attacker'' THEN PERFORM nextval(''app.noticed''); END IF; RETURN $1; END'",
            "CREATE TABLE app.maintained (number int)",
            "INSERT INTO app.maintained SELECT generate_series(1, 100)",
            "CREATE INDEX ON app.maintained (app.indexed(number))",
        ],
    )?;
    let superuser = |text: &str| {
        let done = ground.server.sql("attacker", crate::support::postgres::SUPERUSER, text);
        done.map(drop).map_err(|error| format!("{error}: {text}"))
    };
    for maintenance in
        ["ANALYZE app.maintained", "REINDEX TABLE app.maintained", "VACUUM (FULL, ANALYZE) app.maintained"]
    {
        superuser(maintenance)?;
    }
    let called = "SELECT is_called FROM app.noticed";
    let sprung = value(&session, called)? == "t";
    superuser("SELECT app.indexed(1)")?;
    ensure(value(&session, called)? == "t", "the trap does not spring")?;
    must(&session, &["DROP TABLE app.maintained", "DROP FUNCTION app.indexed(int)", "DROP SEQUENCE app.noticed"])?;
    Ok(if sprung { Seen::Worked } else { Seen::Fruitless })
}

/// A role's settings lie in a catalog that all databases share, with values of any size.
fn poison_shared_catalogs(ground: &Ground) -> Result<Seen, String> {
    const MEGABYTES: usize = 50;
    let session = ground.tenant("vandal")?;
    let huge = |settings: &str| {
        format!(
            "DO $$ BEGIN EXECUTE 'ALTER ROLE vandal {settings} = ' || quote_literal(repeat('x', {MEGABYTES} * 1024 * 1024)); END $$"
        )
    };
    must(&session, &[&huge("IN DATABASE vandal SET search_path"), &huge("SET search_path")])?;
    let size = ground.ask("SELECT max(length(c)) FROM pg_db_role_setting, unnest(setconfig) c")?;
    ensure(size.parse::<usize>().is_ok_and(|size| size > MEGABYTES << 20), format!("only {size} bytes"))?;

    let started = Instant::now();
    let plan = ground.workspace.try_plan()?;
    let took = started.elapsed();
    let diff = plan.diff("pgtenant_tenant.vandal");
    let found = diff.iter().find(|change| change.path == "isolation.search_path").ok_or("not in the plan")?;
    let shown = found.before.as_str().map_or(0, str::len);
    ensure((1..=400).contains(&shown), format!("{shown} bytes are shown"))?;
    ensure(plan.json.to_string().len() < 1 << 20, "the plan is huge")?;
    ensure(took < Duration::from_secs(30), format!("the plan took {took:?}"))?;
    ground.note(format!("a plan with {MEGABYTES} MB in two settings of a role took {:.1} s", took.as_secs_f64()));
    // A role's search_path for all databases is no guardrail: in its own, the row there counts.
    must(&session, &["ALTER ROLE vandal RESET search_path"])?;
    Ok(Seen::Worked)
}

/// What is granted to a tenant in another's database is seen at that tenant too, where nobody can
/// take it back: between plan and apply it is made to change.
fn spoil_the_apply_of_another(ground: &Ground) -> Result<Seen, String> {
    let session = ground.tenant("attacker")?;
    must(&session, &["CREATE TABLE gift ()", "CREATE TABLE another_gift ()", "GRANT SELECT ON gift TO victim"])?;
    let temporary =
        |text: String| text.replace("  name = \"victim\"\n", "  name = \"victim\"\n  allow_temporary_tables = true\n");
    ground.configure("", temporary);
    // Nothing but the victim: the attacker's own apply would take the gifts back.
    let only = "-target=pgtenant_tenant.victim";
    ground.workspace.try_run(&["plan", only, "-out=to-be-spoilt"])?.ok()?;
    must(&session, &["GRANT SELECT ON another_gift TO victim"])?;
    let applied = ground.workspace.try_run(&["apply", "to-be-spoilt"])?;
    let found = ground.workspace.resource("pgtenant_tenant.victim")["isolation"]["elsewhere"].to_string();
    ensure(found.contains("in database attacker"), format!("the victim's isolation does not tell: {found}"))?;
    must(&session, &["DROP TABLE gift, another_gift"])?;
    ground.configure("", |text| text);
    ground.apply_once()?;
    Ok(if applied.status.success() { Seen::Fruitless } else { Seen::Worked })
}

/// The rows of the tenant's own role stay locked for as long as its transaction is open.
fn hold_up_the_admin(ground: &Ground) -> Result<Seen, String> {
    let session = ground.tenant("vandal")?;
    must(&session, &["SET idle_in_transaction_session_timeout = 0", "BEGIN"])?;
    for statement in ["ALTER ROLE vandal PASSWORD 'whatever'", "ALTER ROLE vandal SET work_mem = '1MB'"] {
        if let stopped @ Seen::Stopped(_) = attempt(&session, statement) {
            return Ok(stopped);
        }
    }
    let waits = |text: &str| {
        let mut text = format!("SET lock_timeout = '50ms'; {text}");
        text.push_str("; RESET lock_timeout");
        let waits = ground.server.sql("postgres", ADMIN, &text).map_err(|error| error.sqlstate);
        waits.err().is_some_and(|state| state == "55P03")
    };
    ensure(waits("ALTER ROLE vandal NOLOGIN"), "nobody waits for the role")?;
    ensure(waits("ALTER ROLE vandal SET lock_timeout = 10000"), "nobody waits for its settings")?;

    ground.configure("", suspend_the_vandal);
    let suspended = ground.apply_once();
    let ended = attempt(&session, "COMMIT");
    drop(session);
    ground.configure("", |text| text);
    ground.apply_once()?;
    suspended?;
    ensure(matches!(&ended, Seen::Stopped(_)), "its session lives on")?;
    until("it is let in again", || Ok(ground.tenant("vandal").is_ok()))?;
    Ok(Seen::Worked)
}

//! Objects where they do not belong, and objects that act for others.

use crate::attack::{Attack, By, Outcome, Seen, Tries, attack};
use crate::ground::{Ground, attempt, ensure, entered, must, password, value};
use crate::support::postgres::SUPERUSER;

const OBJECTS: &str = "objects";

pub fn attacks() -> Vec<Attack> {
    let stopped = Outcome::Stopped("42501");
    let each = |name, statements| attack(name, OBJECTS, Tries::Each(statements)).comes_to(stopped);
    let act = |name, act| attack(name, OBJECTS, Tries::As(act));
    vec![
        act("create_in_public", create_in_public)
            .on(
                13..=14,
                Outcome::Documented(
                    "until 15 the superuser owns public in every database: PUBLIC's CREATE is not the admin's to \
                     revoke there; it is the tenant's own database, and a superuser can revoke it",
                ),
            )
            .on(15..=18, stopped),
        each(
            "create_in_the_extensions_schema",
            &[
                "CREATE TABLE extensions.planted ()",
                "CREATE FUNCTION extensions.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                "ALTER SCHEMA extensions OWNER TO attacker",
                "DROP SCHEMA extensions CASCADE",
                "CREATE OR REPLACE FUNCTION extensions.digest(text, text) RETURNS bytea LANGUAGE sql AS 'SELECT NULL'",
                "DROP EXTENSION pgcrypto",
                "ALTER EXTENSION pgcrypto SET SCHEMA app",
            ],
        ),
        each(
            "alter_its_own_schema",
            &[
                "ALTER SCHEMA app OWNER TO attacker",
                "ALTER SCHEMA app RENAME TO mine",
                "DROP SCHEMA app CASCADE",
                "DROP SCHEMA public CASCADE",
                "CREATE SCHEMA mine",
            ],
        ),
        each("create_temporary_tables", &["CREATE TEMPORARY TABLE mine ()", "CREATE TEMPORARY SEQUENCE mine"])
            .by("hasty"),
        each(
            "create_in_pg_catalog",
            &[
                "CREATE FUNCTION pg_catalog.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                "CREATE TABLE pg_catalog.planted ()",
                "CREATE OR REPLACE FUNCTION pg_catalog.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL'",
                "ALTER FUNCTION pg_catalog.now() RENAME TO planted",
                "ALTER FUNCTION pg_catalog.now() OWNER TO attacker",
                "CREATE OPERATOR pg_catalog.= (LEFTARG = name, RIGHTARG = text, FUNCTION = pg_catalog.nameeqtext)",
                "CREATE FUNCTION information_schema.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                "CREATE CAST (text AS int) WITH INOUT AS IMPLICIT",
            ],
        ),
        each("create_functions_in_c", &["CREATE FUNCTION planted() RETURNS int LANGUAGE c AS 'libc.so.6', 'system'"]),
        each(
            "create_a_language",
            &[
                "CREATE LANGUAGE mine HANDLER pg_catalog.plpgsql_call_handler",
                "CREATE FUNCTION planted() RETURNS int LANGUAGE internal AS 'now'",
                "CREATE FUNCTION planted() RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT 1'",
                "LOAD 'dblink'",
            ],
        ),
        each(
            "create_an_extension",
            &[
                "CREATE EXTENSION dblink",
                "CREATE EXTENSION postgres_fdw",
                "CREATE EXTENSION file_fdw",
                "CREATE EXTENSION pg_stat_statements",
            ],
        ),
        each("create_a_trusted_extension", &["CREATE EXTENSION citext", "CREATE EXTENSION hstore SCHEMA app"]),
        each(
            "reach_out_through_a_foreign_server",
            &["CREATE FOREIGN DATA WRAPPER mine", "CREATE FOREIGN DATA WRAPPER mine HANDLER pg_catalog.now"],
        ),
        each(
            "create_an_event_trigger",
            &["CREATE FUNCTION planted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; \
                 CREATE EVENT TRIGGER planted ON ddl_command_end EXECUTE FUNCTION planted()"],
        ),
        each("switch_triggers_off", &["SET session_replication_role = replica"]),
        act("gain_by_security_definer", gain_by_security_definer).comes_to(Outcome::Fruitless(
            "a SECURITY DEFINER function of a tenant acts as that tenant, and nobody else can come to call it",
        )),
        act("give_objects_to_another_role", give_objects_to_another_role).comes_to(stopped),
        act("use_large_objects", use_large_objects)
            .comes_to(Outcome::Documented("large objects are the tenant's own, in its own database; they go with it")),
    ]
}

fn create_in_public(ground: &Ground, by: By) -> Result<Seen, String> {
    let session = ground.enter(by)?;
    if let stopped @ Seen::Stopped(_) = attempt(&session, "CREATE TABLE public.planted (secret text)") {
        return Ok(stopped);
    }
    let outside = entered(ground.log_in(by.tenant, "victim", &password("victim")));
    ensure(matches!(outside, Seen::Stopped(_)), "the victim can come and see")?;
    must(&session, &["DROP TABLE public.planted"])?;
    let revoke = "REVOKE CREATE ON SCHEMA public FROM PUBLIC";
    ground.server.sql("vandal", SUPERUSER, revoke).map_err(|error| error.to_string())?;
    let closed = attempt(&ground.tenant("vandal")?, "CREATE TABLE public.planted ()");
    let open = "GRANT CREATE ON SCHEMA public TO PUBLIC";
    ground.server.sql("vandal", SUPERUSER, open).map_err(|error| error.to_string())?;
    ensure(matches!(closed, Seen::Stopped(_)), "a superuser cannot revoke it either")?;
    Ok(Seen::Worked)
}

fn gain_by_security_definer(ground: &Ground, by: By) -> Result<Seen, String> {
    let session = ground.enter(by)?;
    let whoami = "CREATE FUNCTION whoami() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text'";
    if let stopped @ Seen::Stopped(_) = attempt(&session, whoami) {
        return Ok(stopped);
    }
    must(
        &session,
        &[
            "CREATE FUNCTION verifiers() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER
             AS 'SELECT rolpassword FROM pg_catalog.pg_authid'",
            "CREATE FUNCTION becomes() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
             AS 'BEGIN SET LOCAL ROLE platform_admin; END'",
            "GRANT EXECUTE ON FUNCTION whoami() TO PUBLIC",
        ],
    )?;
    let acts_as = value(&session, "SELECT whoami()")?;
    let refused = ["SELECT verifiers()", "SELECT becomes()"]
        .iter()
        .all(|call| matches!(attempt(&session, call), Seen::Stopped(state) if state == "42501"));
    let outside = entered(ground.log_in(by.tenant, "victim", &password("victim")));
    must(&session, &["DROP FUNCTION whoami(), verifiers(), becomes()"])?;
    let harmless = acts_as == by.acts_as && refused && matches!(outside, Seen::Stopped(_));
    Ok(if harmless { Seen::Fruitless } else { Seen::Worked })
}

/// An object that belongs to another acts as that other.
fn give_objects_to_another_role(ground: &Ground, by: By) -> Result<Seen, String> {
    let session = ground.enter(by)?;
    if let stopped @ Seen::Stopped(_) = attempt(&session, "CREATE TABLE given ()") {
        return Ok(stopped);
    }
    must(
        &session,
        &[
            "CREATE VIEW given_view AS SELECT 1 AS one",
            "CREATE FUNCTION given() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text'",
        ],
    )?;
    let mut seen = Vec::new();
    for object in ["TABLE given", "VIEW given_view", "FUNCTION given()"] {
        for role in ["victim", "platform_admin", "rdsadmin"] {
            seen.push(attempt(&session, &format!("ALTER {object} OWNER TO {role}")));
        }
    }
    must(&session, &["DROP TABLE given", "DROP VIEW given_view", "DROP FUNCTION given()"])?;
    let refused = seen.iter().all(|seen| matches!(seen, Seen::Stopped(state) if state == "42501"));
    Ok(if refused { Seen::Stopped("42501".to_owned()) } else { Seen::Worked })
}

fn use_large_objects(ground: &Ground, by: By) -> Result<Seen, String> {
    let session = ground.enter(by)?;
    let made = attempt(&session, "SELECT lo_from_bytea(4242, 'in here')");
    if let stopped @ Seen::Stopped(_) = made {
        return Ok(stopped);
    }
    let elsewhere = ground.tenant("victim")?;
    let unseen = attempt(&elsewhere, "SELECT lo_get(4242)");
    ensure(matches!(&unseen, Seen::Stopped(state) if state == "42704"), format!("the victim: {unseen:?}"))?;
    let count = "SELECT count(*) FROM pg_largeobject_metadata WHERE oid = 4242";
    ensure(value(&session, count)? == "1", "it is nowhere")?;
    must(&session, &["SELECT lo_unlink(4242)"])?;
    ensure(value(&session, count)? == "0", "it stays")?;
    Ok(Seen::Worked)
}

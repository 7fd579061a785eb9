//! What all tenants of a server share.

use crate::attack::{Attack, By, Outcome, Seen, Tries, attack};
use crate::ground::{Ground, attempt, ensure, entered, must, password, until, value};
use crate::support::postgres::{ADMIN, SUPERUSER, Session};

const SHARED: &str = "shared";

pub fn attacks() -> Vec<Attack> {
    let act = |name, act| attack(name, SHARED, Tries::Act(act));
    let by_any = |name, act| attack(name, SHARED, Tries::As(act));
    vec![
        by_any("end_sessions_of_others", end_sessions_of_others).comes_to(Outcome::Stopped("42501")),
        by_any("notify_another_tenant", notify_another_tenant)
            .comes_to(Outcome::Fruitless("a channel is its database's own; the queue behind all of them is shared")),
        by_any("take_advisory_locks_of_others", take_advisory_locks_of_others)
            .comes_to(Outcome::Fruitless("an advisory lock is its database's own; the lock table is shared")),
        act("prepare_transactions", prepare_transactions).comes_to(Outcome::Documented(
            "max_prepared_transactions = 0, the default, forbids them; otherwise they hold locks until the admin, as \
             the tenant, rolls them back",
        )),
        by_any("finish_a_prepared_transaction_of_another", finish_a_prepared_transaction_of_another)
            .comes_to(Outcome::Stopped("42501")),
        act("hold_up_drop_database", hold_up_drop_database)
            .on(13..=14, Outcome::Fruitless("DROP DATABASE waits for nobody's sessions elsewhere before 15"))
            .on(
                15..=18,
                Outcome::Documented(
                    "a session that does not read its answer holds up every DROP DATABASE; pg_terminate_backend ends it",
                ),
            ),
        act("hold_up_drop_role", hold_up_drop_role).comes_to(Outcome::Documented(
            "an open transaction that grants something to a role keeps it from being dropped; idle_in_transaction_\
             session_timeout ends it, or else pg_terminate_backend",
        )),
        act("exhaust_the_lock_table", exhaust_the_lock_table)
            .comes_to(Outcome::Documented(
                "one session fills the lock table that all share, and nobody connects any more; a session that the \
                 admin already has finds it with pg_lock_status() and ends it",
            ))
            .last(),
    ]
}

fn end_sessions_of_others(ground: &Ground, by: By) -> Result<Seen, String> {
    let victim = ground.tenant("victim")?;
    let superuser = ground.server.session("postgres", SUPERUSER).map_err(|error| error.to_string())?;
    let admin = ground.server.session("postgres", ADMIN).map_err(|error| error.to_string())?;
    let mut pids = Vec::new();
    for session in [&victim, &superuser, &admin] {
        pids.push(value(session, "SELECT pg_backend_pid()")?);
    }
    let attacker = ground.enter(by)?;
    let mut seen = Vec::new();
    for function in ["pg_terminate_backend", "pg_cancel_backend"] {
        seen.extend(pids.iter().map(|pid| attempt(&attacker, &format!("SELECT {function}({pid})"))));
    }
    must(&victim, &["SELECT 1"])?;
    let refused = seen.iter().all(|seen| matches!(seen, Seen::Stopped(state) if state == "42501"));
    if refused { Ok(Seen::Stopped("42501".to_owned())) } else { Err(format!("{seen:?}")) }
}

fn notify_another_tenant(ground: &Ground, by: By) -> Result<Seen, String> {
    let victim = ground.tenant("victim")?;
    must(&victim, &["LISTEN orders"])?;
    let (attacker, listener) = (ground.enter(by)?, ground.enter(by)?);
    must(&listener, &["LISTEN orders"])?;
    must(&attacker, &["NOTIFY orders, 'forged'"])?;
    until("the attacker's own listener hears it", || {
        listener.sql("SELECT 1").map_err(|error| error.to_string())?;
        Ok(listener.notifications().iter().any(|heard| heard == "forged"))
    })?;
    must(&victim, &["SELECT 1"])?;
    Ok(if victim.notifications().is_empty() { Seen::Fruitless } else { Seen::Worked })
}

fn take_advisory_locks_of_others(ground: &Ground, by: By) -> Result<Seen, String> {
    let (attacker, victim) = (ground.enter(by)?, ground.tenant("victim")?);
    must(&attacker, &["SELECT pg_advisory_lock(42)"])?;
    let free = value(&victim, "SELECT pg_try_advisory_lock(42)")? == "t";
    let elsewhere = ground.ask("SELECT pg_try_advisory_lock(42)")? == "t";
    Ok(if free && elsewhere { Seen::Fruitless } else { Seen::Worked })
}

fn prepare_transactions(ground: &Ground) -> Result<Seen, String> {
    let session = ground.tenant("attacker")?;
    must(&session, &["CREATE TABLE prepared ()", "BEGIN", "LOCK TABLE prepared"])?;
    if let stopped @ Seen::Stopped(_) = attempt(&session, "PREPARE TRANSACTION 'left behind'") {
        return Ok(stopped);
    }
    drop(session);
    // It holds its lock without a session.
    let next = ground.tenant("attacker")?;
    let waits = attempt(&next, "SET lock_timeout = '50ms'; SELECT FROM prepared");
    ensure(matches!(&waits, Seen::Stopped(state) if state == "55P03"), format!("it holds nothing: {waits:?}"))?;
    let seen = ground.ask("SELECT gid FROM pg_prepared_xacts WHERE owner = 'attacker' AND database = 'attacker'")?;
    ensure(seen == "left behind", "the admin does not see it")?;
    let admin = ground.server.session("attacker", ADMIN).map_err(|error| error.to_string())?;
    must(
        &admin,
        &[
            "GRANT attacker TO CURRENT_USER",
            "SET ROLE attacker",
            "ROLLBACK PREPARED 'left behind'",
            "RESET ROLE",
            "REVOKE attacker FROM CURRENT_USER",
        ],
    )?;
    must(&next, &["DROP TABLE prepared"])?;
    Ok(Seen::Worked)
}

fn finish_a_prepared_transaction_of_another(ground: &Ground, by: By) -> Result<Seen, String> {
    let victim = ground.tenant("victim")?;
    must(&victim, &["BEGIN; CREATE TABLE booked (); PREPARE TRANSACTION 'a booking'"])?;
    let attacker = ground.enter(by)?;
    let seen = [attempt(&attacker, "ROLLBACK PREPARED 'a booking'"), attempt(&attacker, "COMMIT PREPARED 'a booking'")];
    must(&victim, &["ROLLBACK PREPARED 'a booking'"])?;
    let [one, other] = seen;
    if format!("{one:?}") == format!("{other:?}") { Ok(one) } else { Err(format!("{one:?}, {other:?}")) }
}

/// Since 15 every session must answer before a dropped database's files may go, and one that is
/// stuck writing to its client does not.
fn hold_up_drop_database(ground: &Ground) -> Result<Seen, String> {
    ground.admin("postgres", "CREATE DATABASE doomed TEMPLATE template0")?;
    let mut deaf = ground.raw(&[("user", "attacker"), ("database", "attacker")])?;
    deaf.ask_and_not_listen("SELECT repeat('x', 1000) FROM generate_series(1, 100000)")?;
    let stuck = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'attacker' AND wait_event = 'ClientWrite'";
    until("it is stuck", || Ok(ground.ask(stuck)? == "1"))?;
    std::thread::scope(|scope| {
        let dropped = scope.spawn(|| ground.admin("postgres", "DROP DATABASE doomed"));
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE query = 'DROP DATABASE doomed'
            AND wait_event = 'ProcSignalBarrier' AND clock_timestamp() - query_start > interval '1 s'";
        until("it is done or waits", || Ok(dropped.is_finished() || ground.ask(waiting)? == "1"))?;
        let held_up = !dropped.is_finished();
        ground.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'attacker'")?;
        dropped.join().map_err(|_| "the admin's thread")??;
        drop(deaf);
        Ok(if held_up { Seen::Worked } else { Seen::Fruitless })
    })
}

/// Whoever is granted anything, by anybody anywhere, is locked until that is committed.
fn hold_up_drop_role(ground: &Ground) -> Result<Seen, String> {
    ground.admin("postgres", "CREATE ROLE leaving")?;
    let session = ground.tenant("attacker")?;
    must(&session, &["SET idle_in_transaction_session_timeout = 0", "CREATE TABLE given_away ()", "BEGIN"])?;
    if let stopped @ Seen::Stopped(_) = attempt(&session, "GRANT SELECT ON given_away TO leaving") {
        return Ok(stopped);
    }
    let waiting = ground.server.sql("postgres", ADMIN, "SET lock_timeout = '50ms'; DROP ROLE leaving");
    ensure(waiting.is_err_and(|error| error.sqlstate == "55P03"), "nobody waits")?;
    ground.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'attacker'")?;
    ground.admin("postgres", "DROP ROLE leaving")?;
    must(&ground.tenant("attacker")?, &["DROP TABLE given_away"])?;
    Ok(Seen::Worked)
}

/// Of functions only, which need no lock on a shared catalog themselves, unlike the views over them.
const END_THE_GREEDIEST: &str = "SELECT pg_terminate_backend(pid) FROM
    (SELECT pid FROM pg_lock_status() GROUP BY pid HAVING count(*) > 1000 ORDER BY count(*) DESC LIMIT 1) greediest";

fn exhaust_the_lock_table(ground: &Ground) -> Result<Seen, String> {
    let fill = |session: &Session, from: u32| {
        let text = format!("SELECT count(pg_advisory_lock(i)) FROM generate_series({from}, {from} + 10000000) i");
        let seen = attempt(session, &text);
        ensure(matches!(&seen, Seen::Stopped(state) if state == "53200"), format!("the lock table holds it: {seen:?}"))
    };
    let log_in = || entered(ground.log_in("victim", "victim", &password("victim")));
    let admin = ground.server.session("postgres", ADMIN).map_err(|error| error.to_string())?;
    let attacker = ground.tenant("attacker")?;
    // A session that looks now and then has in its caches what it takes.
    must(&admin, &[END_THE_GREEDIEST, "SELECT pg_get_userbyid(oid), pg_has_role(oid, 'USAGE') FROM pg_roles"])?;

    fill(&attacker, 0)?;
    // What others let go of in between lets one in, perhaps; then it is over.
    until("nobody can log in", || {
        fill(&attacker, 20_000_000)?;
        Ok(matches!(log_in(), Seen::Stopped(state) if state == "53200"))
    })?;
    let admins = entered(ground.server.session("postgres", ADMIN));
    ensure(
        matches!(&admins, Seen::Stopped(state) if state == "53200"),
        format!("a new session of the admin: {admins:?}"),
    )?;
    must(&admin, &[END_THE_GREEDIEST])?;
    until("the victim is let in again", || Ok(matches!(log_in(), Seen::Worked)))?;
    Ok(Seen::Worked)
}

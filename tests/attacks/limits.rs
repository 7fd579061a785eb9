//! What a tenant may take, and how it takes more.

use crate::attack::{Attack, Outcome, Seen, Tries, attack};
use crate::ground::{Ground, attempt, ensure, must, until, value};
use crate::support::postgres::Session;

const LIMITS: &str = "limits";

/// Catches every cancellation, and says so where the admin sees it.
const TRAP: &str = "DO $$
DECLARE caught int := 0;
BEGIN
  LOOP
    BEGIN
      PERFORM pg_sleep(60);
    EXCEPTION WHEN query_canceled THEN
      caught := caught + 1;
      PERFORM set_config('application_name', 'caught ' || caught, false);
    END;
  END LOOP;
END $$";

pub fn attacks() -> Vec<Attack> {
    let hasty = |name, act| attack(name, LIMITS, Tries::Act(act)).by("hasty");
    vec![
        attack("run_beyond_statement_timeout", LIMITS, Tries::Each(&["SELECT pg_sleep(30)"]))
            .by("hasty")
            .comes_to(Outcome::Stopped("57014")),
        hasty("wait_beyond_lock_timeout", wait_beyond_lock_timeout).comes_to(Outcome::Stopped("55P03")),
        hasty("idle_in_a_transaction", idle_in_a_transaction).comes_to(Outcome::Stopped("25P03")),
        hasty("override_limits_in_session", override_limits_in_session).comes_to(Outcome::Documented(
            "SET is everybody's: the database's rows still say what the limit is, and who exceeds it can be ended",
        )),
        hasty("override_limits_at_startup", override_limits_at_startup)
            .comes_to(Outcome::Documented("so are startup options: the same record, and the same end")),
        attack("trap_cancellation", LIMITS, Tries::Act(trap_cancellation)).comes_to(Outcome::Documented(
            "plpgsql may catch statement_timeout and pg_cancel_backend; pg_terminate_backend ends it",
        )),
        hasty("trap_the_end_of_a_transaction", trap_the_end_of_a_transaction)
            .on(13..=16, Outcome::Documented("there is no transaction_timeout before 17; pg_terminate_backend ends it"))
            .on(17..=18, Outcome::Stopped("25P04")),
        attack(
            "raise_limits_of_the_server",
            LIMITS,
            Tries::Each(&[
                "SET temp_file_limit = -1",
                "SET session_preload_libraries = 'auto_explain'",
                "SET commit_delay = 1000",
                "SET zero_damaged_pages = on",
                "SET deadlock_timeout = '1h'",
                "ALTER ROLE attacker SET temp_file_limit = -1",
            ]),
        )
        .comes_to(Outcome::Stopped("42501")),
        attack("change_characteristics_of_the_session", LIMITS, Tries::Act(change_characteristics_of_the_session))
            .comes_to(Outcome::Fruitless("they end with the session")),
        attack("fill_temporary_files", LIMITS, Tries::Act(fill_temporary_files)).comes_to(Outcome::Documented(
            "temp_file_limit is a superuser's to set; the files go with the statement that made them, and \
             pg_terminate_backend ends that",
        )),
    ]
}

fn wait_beyond_lock_timeout(ground: &Ground) -> Result<Seen, String> {
    let holder = ground.tenant("hasty")?;
    must(&holder, &["CREATE TABLE contended ()", "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0"])?;
    must(&holder, &["LOCK TABLE contended"])?;
    let seen = attempt(&ground.tenant("hasty")?, "SELECT FROM contended");
    must(&holder, &["ROLLBACK; DROP TABLE contended"])?;
    Ok(seen)
}

fn idle_in_a_transaction(ground: &Ground) -> Result<Seen, String> {
    let session = ground.tenant("hasty")?;
    must(&session, &["BEGIN"])?;
    until("the idle session is ended", || Ok(sessions(ground, "hasty")? == "0"))?;
    let log = ground.server.log();
    let said = "terminating connection due to idle-in-transaction timeout";
    ensure(log.lines().any(|line| line.contains("hasty@hasty") && line.contains(said)), "ended for another reason")?;
    Ok(match attempt(&session, "SELECT 1") {
        // The last word of the server, 25P03, may be lost with the connection that it closes.
        Seen::Stopped(state) if state == "08001" || state == "25P03" => Seen::Stopped("25P03".to_owned()),
        seen => seen,
    })
}

fn sessions(ground: &Ground, role: &str) -> Result<String, String> {
    ground.ask(&format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'"))
}

const TIMEOUTS: [(&str, u32); 5] = [
    ("statement_timeout", 13),
    ("lock_timeout", 13),
    ("idle_in_transaction_session_timeout", 13),
    ("idle_session_timeout", 14),
    ("transaction_timeout", 17),
];

fn override_limits_in_session(ground: &Ground) -> Result<Seen, String> {
    let session = ground.tenant("hasty")?;
    for (name, _) in TIMEOUTS.iter().filter(|(_, since)| *since <= ground.server.major) {
        if let stopped @ Seen::Stopped(_) = attempt(&session, &format!("SET {name} = 0")) {
            return Ok(stopped);
        }
    }
    exceeds_until_it_is_ended(ground, session)
}

fn override_limits_at_startup(ground: &Ground) -> Result<Seen, String> {
    let options: Vec<String> = TIMEOUTS
        .iter()
        .filter(|(_, since)| *since <= ground.server.major)
        .map(|(name, _)| format!("-c {name}=0"))
        .collect();
    match ground.server.session_with_options("hasty", "hasty", &options.join(" ")) {
        Ok(session) => exceeds_until_it_is_ended(ground, session),
        Err(error) => Ok(Seen::Stopped(error.sqlstate)),
    }
}

/// The session runs beyond each limit on record; who reads the record finds and ends it.
fn exceeds_until_it_is_ended(ground: &Ground, session: Session) -> Result<Seen, String> {
    for (name, _) in TIMEOUTS.iter().filter(|(_, since)| *since <= ground.server.major) {
        let now = value(&session, &format!("SHOW {name}"))?;
        ensure(now == "0", format!("{name} is {now}"))?;
    }
    must(&session, &["SELECT pg_sleep(0.5)"])?;
    let runaway = std::thread::spawn(move || attempt(&session, "SELECT pg_sleep(60)"));
    let exceeded = "SELECT count(pg_terminate_backend(a.pid))
        FROM pg_stat_activity a
        JOIN pg_database d ON d.oid = a.datid
        JOIN pg_db_role_setting s ON s.setdatabase = d.oid AND s.setrole = 0
        CROSS JOIN unnest(s.setconfig) c
        WHERE a.usename = 'hasty' AND a.state = 'active' AND c LIKE 'statement_timeout=%'
        AND clock_timestamp() - a.query_start > 2 * split_part(c, '=', 2)::int * interval '1 ms'";
    until("the record shows who exceeds it", || Ok(ground.ask(exceeded)? == "1"))?;
    let ended = runaway.join().map_err(|_| "the session's thread")?;
    ensure(matches!(&ended, Seen::Stopped(state) if state == "57P01" || state == "08001"), format!("{ended:?}"))?;
    Ok(Seen::Worked)
}

fn trap_cancellation(ground: &Ground) -> Result<Seen, String> {
    let session = ground.tenant("attacker")?;
    must(&session, &["SET statement_timeout = '100ms'"])?;
    let trap = std::thread::spawn(move || attempt(&session, TRAP));
    let signal = |function: &str, caught: u32| {
        let text = format!(
            "SELECT count({function}(pid)) FROM pg_stat_activity
             WHERE usename = 'attacker' AND application_name = 'caught {caught}' AND state = 'active'"
        );
        until("the cancellation is caught", || Ok(trap.is_finished() || ground.ask(&text)? == "1"))
    };
    // The first that it catches is the time-out; then the admin's cancellation.
    signal("pg_cancel_backend", 1)?;
    signal("pg_terminate_backend", 2)?;
    match trap.join().map_err(|_| "the session's thread")? {
        Seen::Stopped(state) if state == "57P01" || state == "08001" => Ok(Seen::Worked),
        seen => Ok(seen),
    }
}

fn trap_the_end_of_a_transaction(ground: &Ground) -> Result<Seen, String> {
    let session = ground.tenant("hasty")?;
    let trap = std::thread::spawn(move || attempt(&session, TRAP));
    // Twice what transaction_timeout allows.
    let terminate = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE usename = 'hasty' AND application_name = 'caught 1'
        AND clock_timestamp() - xact_start > interval '2 s'";
    until("it is ended", || Ok(trap.is_finished() || ground.ask(terminate)? == "1"))?;
    match trap.join().map_err(|_| "the session's thread")? {
        Seen::Stopped(state) if state == "57P01" || state == "08001" => Ok(Seen::Worked),
        seen => Ok(seen),
    }
}

fn change_characteristics_of_the_session(ground: &Ground) -> Result<Seen, String> {
    let characteristics = "SELECT concat(current_setting('default_transaction_isolation'),
        current_setting('default_transaction_read_only'), current_setting('default_transaction_deferrable'))";
    let before = value(&ground.tenant("attacker")?, characteristics)?;
    let session = ground.tenant("attacker")?;
    must(
        &session,
        &["SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE"],
    )?;
    ensure(value(&session, characteristics)? != before, "nothing changed in the session")?;
    let after = value(&ground.tenant("attacker")?, characteristics)?;
    let elsewhere = value(&ground.tenant("victim")?, characteristics)?;
    Ok(if after == before && elsewhere == before { Seen::Fruitless } else { Seen::Worked })
}

fn fill_temporary_files(ground: &Ground) -> Result<Seen, String> {
    let session = ground.tenant("attacker")?;
    must(&session, &["SET work_mem = '64kB'", "BEGIN"])?;
    let sorted = "DECLARE spilling CURSOR FOR SELECT i FROM generate_series(1, 300000) i ORDER BY i % 1000";
    must(&session, &[sorted, "FETCH 1 FROM spilling"])?;
    let files = "SELECT count(*) FROM pg_ls_tmpdir()";
    ensure(ground.ask(files)? != "0", "it spills nowhere")?;
    ground.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'attacker'")?;
    until("the files are gone", || Ok(ground.ask(files)? == "0"))?;
    drop(session);
    Ok(Seen::Worked)
}

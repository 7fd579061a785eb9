//! Getting in where one does not belong.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use crate::attack::{Attack, By, Outcome, Seen, Tries, attack};
use crate::ground::{CONNECTION_LIMIT, Ground, attempt, ensure, entered, must, password, value, workspace};
use crate::support::postgres::Session;
use crate::team;

const REACH: &str = "reach";

pub fn attacks() -> Vec<Attack> {
    let reach = |name, act| attack(name, REACH, Tries::Act(act));
    let by_any = |name, act| attack(name, REACH, Tries::As(act));
    vec![
        by_any("connect_to_another_tenant", |ground, by| into(ground, by, "victim"))
            .comes_to(Outcome::Stopped("42501")),
        by_any("connect_to_postgres", |ground, by| into(ground, by, "postgres")).comes_to(Outcome::Stopped("42501")),
        by_any("connect_to_template1", |ground, by| into(ground, by, "template1")).comes_to(Outcome::Stopped("42501")),
        by_any("connect_to_template0", |ground, by| into(ground, by, "template0")).comes_to(Outcome::Stopped("55000")),
        by_any("log_in_as_another_tenant", |ground, by| {
            Ok(entered(ground.log_in("victim", "victim", &password(by.login))))
        })
        .comes_to(Outcome::Stopped("28P01")),
        by_any("become_another_role_at_startup", become_another_role_at_startup).comes_to(Outcome::Stopped("42501")),
        by_any("open_a_replication_connection", |ground, by| {
            let parameters = [("user", by.login), ("database", by.tenant), ("replication", "database")];
            Ok(ground.raw(&parameters)?.refused.map_or(Seen::Worked, Seen::Stopped))
        })
        .comes_to(Outcome::Stopped("42501")),
        reach("race_into_a_new_database", race_into_a_new_database)
            .comes_to(Outcome::Fruitless("at least 1000 logins while tenants are made, and not one gets in")),
        reach("race_into_a_suspended_tenant", race_into_a_suspended_tenant)
            .comes_to(Outcome::Fruitless("no session outlives the suspension, however fast the tenant comes back"))
            .by("vandal"),
        by_any("race_past_the_connection_limit", race_past_the_connection_limit)
            .comes_to(Outcome::Stopped("53300"))
            .by("hasty"),
        by_any("let_another_tenant_in", let_another_tenant_in)
            .comes_to(Outcome::Fruitless("granted without a grant option: a warning, and the other stays out")),
        by_any("share_objects_with_another_tenant", share_objects_with_another_tenant).comes_to(Outcome::Detected(&[
            ("pgtenant_tenant.attacker", "isolation.default_privileges"),
            ("pgtenant_tenant.attacker", "isolation.other_roles"),
            ("pgtenant_tenant.victim", "isolation.elsewhere"),
        ])),
    ]
}

fn into(ground: &Ground, by: By, database: &str) -> Result<Seen, String> {
    Ok(entered(ground.log_in(database, by.login, &password(by.login))))
}

fn become_another_role_at_startup(ground: &Ground, by: By) -> Result<Seen, String> {
    let mut seen = Vec::new();
    for option in ["-c role=victim", "-c role=platform_admin", "-c session_authorization=rdsadmin"] {
        let parameters = [("user", by.login), ("database", by.tenant), ("options", option)];
        seen.push(ground.raw(&parameters)?.refused.unwrap_or_else(|| format!("none for {option}")));
    }
    seen.dedup();
    Ok(Seen::Stopped(seen.join(", ")))
}

/// Other tenants' databases come to be while four threads try to get in, over the socket, where
/// nothing but the database's own doors is in the way.
fn race_into_a_new_database(ground: &Ground) -> Result<Seen, String> {
    const WANTED: usize = 1000;
    let workspace = workspace(&ground.server);
    let (mut all, mut inside) = (BTreeMap::<String, usize>::new(), 0);
    let mut config = String::new();
    for round in 0..10 {
        let names: Vec<String> = (0..5).map(|number| format!("raced_{round}_{number}")).collect();
        for name in &names {
            config.push_str(&format!(
                "resource \"pgtenant_tenant\" {name:?} {{\n  name = {name:?}\n  deletion_protection = false\n}}\n"
            ));
        }
        workspace.write("main.tf", &config);
        let done = AtomicBool::new(false);
        let (answers, entries) = (Mutex::new(BTreeMap::<String, usize>::new()), AtomicUsize::new(0));
        let race = || {
            let mut own = BTreeMap::<String, usize>::new();
            while !done.load(Ordering::Relaxed) {
                for name in &names {
                    match ground.server.session(name, "attacker") {
                        Ok(_) => drop(entries.fetch_add(1, Ordering::Relaxed)),
                        Err(error) => *own.entry(error.sqlstate).or_default() += 1,
                    }
                }
            }
            let mut answers = answers.lock().expect("no panic while held");
            own.into_iter().for_each(|(state, count)| *answers.entry(state).or_default() += count);
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(race);
            }
            let applied = workspace.try_run(&["apply", "-auto-approve"]).and_then(|run| run.ok().map(drop));
            done.store(true, Ordering::Relaxed);
            applied
        })?;
        for (state, count) in answers.into_inner().expect("no panic while held") {
            *all.entry(state).or_default() += count;
        }
        inside += entries.into_inner();
        if all.values().sum::<usize>() >= WANTED {
            break;
        }
    }
    let attempts: usize = all.values().sum::<usize>() + inside;
    let answers: Vec<String> = all.iter().map(|(state, count)| format!("{count} x {state}")).collect();
    ground.note(format!("racing into new databases: {attempts} attempts, {inside} got in; {}", answers.join(", ")));
    ensure(attempts >= WANTED, format!("only {attempts} attempts"))?;
    // Not there yet, there and closed, open and not for the attacker: the race met all three.
    for state in ["3D000", "55000", "42501"] {
        ensure(all.contains_key(state), format!("no attempt met {state}: {answers:?}"))?;
    }
    ensure(all.len() == 3, format!("something else came of it: {answers:?}"))?;
    Ok(if inside == 0 { Seen::Fruitless } else { Seen::Worked })
}

/// The tenant comes back as fast as it can while it is suspended.
fn race_into_a_suspended_tenant(ground: &Ground) -> Result<Seen, String> {
    let done = AtomicBool::new(false);
    let held = Mutex::new(Vec::<Session>::new());
    let race = || {
        while !done.load(Ordering::Relaxed) {
            if let Ok(session) = ground.server.session("vandal", "vandal") {
                // Never more than a few, so that there is a slot for the one that matters.
                let mut held = held.lock().expect("no panic while held");
                held.push(session);
                let surplus = held.len().saturating_sub(4);
                held.drain(..surplus);
            }
        }
    };
    ground.configure("", suspend_the_vandal);
    let (applied, survivors) = std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(race);
        }
        let applied = ground.apply_once();
        // What was ended takes a moment to be gone; what was not stays.
        let count = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'vandal'";
        let started = Instant::now();
        let survivors = loop {
            let survivors = ground.ask(count);
            let gone = survivors.as_ref().is_ok_and(|count| count == "0");
            if gone || started.elapsed() > Duration::from_secs(5) {
                break survivors;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        done.store(true, Ordering::Relaxed);
        (applied, survivors)
    });
    drop(held);
    let seen = if survivors? == "0" { Seen::Fruitless } else { Seen::Worked };
    applied?;
    ground.configure("", |text| text);
    ground.apply_once()?;
    Ok(seen)
}

pub fn suspend_the_vandal(text: String) -> String {
    text.replace(
        "  name = \"vandal\"\n",
        "  name = \"vandal\"\n  suspended = true\n  timeouts {\n    update = \"30s\"\n  }\n",
    )
}

/// Sixty at once, each trying again until it is in or the limit is reached by those that are.
fn race_past_the_connection_limit(ground: &Ground, by: By) -> Result<Seen, String> {
    const RACERS: usize = 60;
    let limit = if by.login == by.tenant { CONNECTION_LIMIT } else { team::CONNECTIONS };
    let barrier = Barrier::new(RACERS);
    let (inside, refused) = (Mutex::new(Vec::<Session>::new()), AtomicUsize::new(0));
    let others = Mutex::new(Vec::new());
    let count = || inside.lock().expect("no panic while held").len();
    let race = || {
        barrier.wait();
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(30) {
            match ground.server.session(by.tenant, by.login) {
                Ok(session) => return inside.lock().expect("no panic while held").push(session),
                Err(error) if error.sqlstate == "53300" => {
                    refused.fetch_add(1, Ordering::Relaxed);
                    if count() >= limit {
                        return;
                    }
                }
                Err(error) => return others.lock().expect("no panic while held").push(error.to_string()),
            }
        }
        others.lock().expect("no panic while held").push("neither in nor out".to_owned());
    };
    std::thread::scope(|scope| (0..RACERS).for_each(|_| drop(scope.spawn(race))));
    let others = others.into_inner().expect("no panic while held");
    ensure(others.is_empty(), format!("{others:?}"))?;
    let (inside, refused) = (inside.into_inner().expect("no panic while held"), refused.into_inner());
    ground.note(format!(
        "{RACERS} logins of {} racing for {limit} connections: {} inside, {refused} refusals",
        by.login,
        inside.len()
    ));
    let count = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{}'", by.login);
    let seen_by_the_server = ground.ask(&count)?;
    ensure(seen_by_the_server == inside.len().to_string(), format!("{seen_by_the_server} sessions on the server"))?;
    if inside.len() == limit {
        return Ok(entered(ground.server.session(by.tenant, by.login)));
    }
    Ok(Seen::Worked)
}

/// Without a grant option a GRANT warns and does nothing.
fn let_another_tenant_in(ground: &Ground, by: By) -> Result<Seen, String> {
    let session = ground.enter(by)?;
    let rights = "SELECT concat(datacl::text, (SELECT string_agg(nspacl::text, ' ' ORDER BY nspname) FROM pg_namespace
                  WHERE nspname IN ('app', 'extensions'))) FROM pg_database WHERE datname = current_database()";
    let before = ground.admin(by.tenant, rights)?;
    for grant in [
        "GRANT CONNECT ON DATABASE attacker TO victim",
        "GRANT ALL ON DATABASE attacker TO PUBLIC",
        "GRANT CONNECT ON DATABASE attacker TO victim WITH GRANT OPTION",
        "GRANT USAGE ON SCHEMA app TO victim",
        "GRANT ALL ON SCHEMA app TO PUBLIC",
        "GRANT USAGE ON SCHEMA extensions TO victim",
        "REVOKE CONNECT ON DATABASE attacker FROM platform_admin",
        "REVOKE ALL ON SCHEMA app FROM platform_admin",
    ] {
        attempt(&session, &by.says("attacker", grant));
    }
    let unchanged = ground.admin(by.tenant, rights)? == before;
    let outside = entered(ground.log_in(by.tenant, "victim", &password("victim")));
    ensure(matches!(&outside, Seen::Stopped(state) if state == "42501"), format!("the victim: {outside:?}"))?;
    Ok(if unchanged { Seen::Fruitless } else { Seen::Worked })
}

/// Its own tables are its own to share; the other still does not get in.
fn share_objects_with_another_tenant(ground: &Ground, by: By) -> Result<Seen, String> {
    let session = ground.enter(by)?;
    if let stopped @ Seen::Stopped(_) = attempt(&session, "CREATE TABLE IF NOT EXISTS shared ()") {
        return Ok(stopped);
    }
    must(&session, &["GRANT ALL ON shared TO victim"])?;
    must(&session, &["ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT ALL ON TABLES TO victim"])?;
    let granted = value(&session, "SELECT has_table_privilege('victim', 'app.shared', 'SELECT')")?;
    let outside = entered(ground.log_in(by.tenant, "victim", &password("victim")));
    ensure(matches!(&outside, Seen::Stopped(state) if state == "42501"), format!("the victim: {outside:?}"))?;
    Ok(if granted == "t" { Seen::Worked } else { Seen::Fruitless })
}

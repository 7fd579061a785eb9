//! Two tenants on one server: one misbehaves in waves, the other measures how long its transactions
//! take. Played without guardrails, with those that the module `tenants` gives by default, with narrow ones, with
//! the watchdog, and with pgBouncer; in several rounds, each of which begins with another one.

mod chart;
mod load;
mod report;

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::pgbouncer::{Pooled, find_pgbouncer};
use crate::support::postgres::{ADMIN, Options, SUPERUSER, Server};

pub use load::find_pgbench;
pub use report::Report;

use load::{Target, Wave};
use report::Run;

/// How long each run may be, without its pauses.
pub const SECONDS: RangeInclusive<u32> = 5..=300;
pub const ROUNDS: RangeInclusive<u32> = 1..=9;

const VICTIM: &str = "victim";
const NOISY: &str = "noisy";

/// What the noisy tenant does, each for the same part of a run. `{seconds}` is how long a wave lasts.
const WAVES: [Wave; 5] = [
    Wave { name: "quiet", crowds: &[], script: "" },
    Wave { name: "connection storm", crowds: &[(8, 12)], script: "SELECT 1;\n\\sleep 200 ms\n" },
    Wave {
        name: "heavy queries",
        crowds: &[(4, 6)],
        script: "SELECT count(*) FROM (SELECT md5(a::text) FROM generate_series(1, 300000) a ORDER BY 1) s;\n",
    },
    Wave {
        name: "lock hoarding",
        crowds: &[(30, 1)],
        // Each takes up to 1000, or what is left of the table of locks that all databases share.
        script: "\\set hoard random(1, 1000000000)\nBEGIN;\nDO $$ BEGIN FOR i IN 1..1000 LOOP BEGIN \
                 PERFORM pg_advisory_xact_lock(:hoard, i); \
                 EXCEPTION WHEN out_of_memory THEN EXIT; END; END LOOP; END $$;\n\\sleep {seconds} s\nEND;\n",
    },
    Wave {
        name: "idle in transaction",
        crowds: &[(8, 8), (8, 1)],
        script: "BEGIN;\nSELECT 1;\n\\sleep {seconds} s\nEND;\n",
    },
];

/// A small application: short transactions, and a connection of its own for each, as one has without a pool.
const WORK: &str = "\\set id random(1, 10000)\nBEGIN;\nUPDATE account SET balance = balance + 1 WHERE id = :id;\n\
                    SELECT balance FROM account WHERE id = :id;\nEND;\n";

/// Few enough connections that one tenant can have them all.
const CONF: &str = "max_connections = 60
max_locks_per_transaction = 64
log_statement = none
log_connections = off
log_disconnections = off
";

/// The same, with what the watchdog needs; a server without pg_cron does not start.
const CONF_WITH_CRON: &str = "max_connections = 60
max_locks_per_transaction = 64
log_statement = none
log_connections = off
log_disconnections = off
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.use_background_workers = on
cron.log_run = off
";

/// Looks each minute, as any pg_cron can; [`sweep`] has it look each second, as pg_cron 1.5 does with `interval = "1s"`.
const WATCHDOG: &str = "resource \"pgtenant_watchdog\" \"this\" {}\n";

/// How the noisy tenant is governed.
struct Rule {
    name: &'static str,
    limits: Limits,
    /// The noisy tenant sets its time limits aside, and the watchdog holds it to those on record.
    watched: bool,
    pooled: bool,
}

#[derive(PartialEq)]
enum Limits {
    /// Lifted by SQL, as on a server that nobody governs.
    None,
    /// Those of the module `tenants`, where nothing is said.
    Defaults,
    /// Those that fit short transactions.
    Narrow,
}

const RULES: [Rule; 5] = [
    Rule { name: "without guardrails", limits: Limits::None, watched: false, pooled: false },
    Rule { name: "with the module's defaults", limits: Limits::Defaults, watched: false, pooled: false },
    Rule { name: "with narrow guardrails", limits: Limits::Narrow, watched: false, pooled: false },
    Rule { name: "overridden, with the watchdog", limits: Limits::Narrow, watched: true, pooled: false },
    Rule { name: "narrow, with pgBouncer", limits: Limits::Narrow, watched: false, pooled: true },
];

impl Limits {
    fn tenants(&self) -> Value {
        let noisy = match self {
            Limits::None | Limits::Defaults => json!({
                "connection_limit": 10,
                "statement_timeout": "60s",
                "lock_timeout": "10s",
                "idle_in_transaction_session_timeout": "60s",
            }),
            Limits::Narrow => json!({
                "connection_limit": 6,
                "statement_timeout": "500ms",
                "lock_timeout": "500ms",
                "idle_in_transaction_session_timeout": "1s",
            }),
        };
        json!({ VICTIM: { "connection_limit": 10, "statement_timeout": "5s" }, NOISY: noisy })
    }
}

/// `provider` is the built binary; `say` is told what is going on.
pub fn play(provider: &Path, seconds: u32, rounds: u32, say: &dyn Fn(&str)) -> Result<Report, String> {
    let pgbench = find_pgbench()?;
    let (server, cron) =
        match Server::start(Options { extra_conf: CONF_WITH_CRON, admin_owns_maintenance: true, ..Options::default() })
        {
            Ok(server) => (server, None),
            Err(_) => (
                Server::start(Options { extra_conf: CONF, ..Options::default() })?,
                Some("there is no pg_cron".to_owned()),
            ),
        };
    if cron.is_none() {
        let extension = format!("CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO {ADMIN}");
        server.sql("postgres", SUPERUSER, &extension).map_err(|error| format!("cannot install pg_cron: {error}"))?;
    }
    say(&format!("PostgreSQL {} on a port of this machine, with room for 60 connections.", server.major));
    let mut pooled = Pooled::prepare(provider, &server, &Limits::Narrow.tenants(), "")?;
    pooled.workspace.try_apply()?;
    server
        .sql(
            VICTIM,
            VICTIM,
            "CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL) WITH (fillfactor = 50);
             INSERT INTO account SELECT id, 0 FROM generate_series(1, 10000) id",
        )
        .map_err(|error| format!("cannot make the victim's table: {error}"))?;

    let wave = Duration::from_secs_f64(f64::from(seconds) / WAVES.len() as f64);
    let pause = wave / 3;
    let pooler = find_pgbouncer().err();
    let why_not = |rule: &Rule| if rule.pooled { pooler.clone() } else { cron.clone().filter(|_| rule.watched) };
    let missing = RULES.iter().filter_map(|rule| Some(format!("{}: {}", rule.name, why_not(rule)?))).collect();
    let rules: Vec<&Rule> = RULES.iter().filter(|rule| why_not(rule).is_none()).collect();
    let mut runs: Vec<Run> =
        rules.iter().map(|rule| Run { name: rule.name, direct: !rule.pooled, samples: Vec::new() }).collect();
    for round in 0..rounds {
        for turn in 0..rules.len() {
            let number = (turn + round as usize) % rules.len();
            let rule = rules[number];
            say(&format!("Round {} of {rounds}, {}: {seconds} s.", round + 1, rule.name));
            govern(&mut pooled, &server, rule)?;
            let port = if rule.pooled { pooled.port } else { server.port };
            let passwords = &pooled.passwords;
            let target = Target { server: &server, port, passwords, pgbench: &pgbench, overriding: rule.watched };
            // What is measured first would else pay for cold caches.
            target.play(&WAVES[..1], pause, Duration::ZERO)?;
            let play = || target.play(&WAVES, wave, pause);
            runs[number].samples.extend(if rule.watched { sweep(&server, play)? } else { play()? });
            pooled.stop();
        }
    }
    let waves = WAVES.iter().map(|wave| wave.name).collect();
    Ok(Report { wave: wave.as_secs_f64(), pause: pause.as_secs_f64(), waves, rounds, runs, missing })
}

/// An apply also puts back what was lifted behind Terraform's back.
fn govern(pooled: &mut Pooled, server: &Server, rule: &Rule) -> Result<(), String> {
    pooled.set("tenants", &rule.limits.tenants());
    pooled.workspace.write("watchdog.tf", if rule.watched { WATCHDOG } else { "" });
    if rule.pooled {
        return pooled.start();
    }
    pooled.workspace.try_apply()?;
    if rule.limits == Limits::None { lift(server) } else { Ok(()) }
}

/// Has the watchdog's job done each second while it is played.
fn sweep<T>(server: &Server, play: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let jobs =
        server.sql("postgres", SUPERUSER, "SELECT command FROM cron.job WHERE command LIKE '%pgtenant_watchdog%'");
    let jobs = jobs.map_err(|error| format!("cannot find the watchdog's job: {error}"))?;
    let [[Some(job)]] = jobs.iter().map(Vec::as_slice).collect::<Vec<_>>()[..] else {
        return Err(format!("the watchdog has not one job: {jobs:?}"));
    };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                // Where the tenant has all that there is, it has to wait as pg_cron would.
                let _ = server.sql("postgres", ADMIN, job);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        let played = play();
        over.store(true, Ordering::Relaxed);
        played
    })
}

/// The noisy tenant as a server without guardrails has it.
fn lift(server: &Server) -> Result<(), String> {
    let lifted = format!(
        "ALTER ROLE {NOISY} CONNECTION LIMIT -1; ALTER ROLE {NOISY} RESET ALL;
         ALTER DATABASE {NOISY} CONNECTION LIMIT -1; ALTER DATABASE {NOISY} RESET ALL"
    );
    let done = server.sql("postgres", SUPERUSER, &lifted);
    done.map(drop).map_err(|error| format!("cannot lift the guardrails: {error}"))
}

//! Two tenants on one server: one misbehaves in waves, the other measures how long its transactions
//! take. Played three times: without guardrails, with them, and with pgBouncer as well.

mod chart;
mod load;
mod report;

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::support::pgbouncer::{Pooled, find_pgbouncer};
use crate::support::postgres::{Options, Server};

pub use load::find_pgbench;
pub use report::Report;

use load::{Target, Wave};
use report::Run;

/// How long each run may be.
pub const SECONDS: RangeInclusive<u32> = 5..=300;

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

/// `provider` is the built binary; `say` is told what is going on.
pub fn play(provider: &Path, seconds: u32, say: &dyn Fn(&str)) -> Result<Report, String> {
    let pgbench = find_pgbench()?;
    let pooler = find_pgbouncer();
    let server = Server::start(Options { extra_conf: CONF, ..Options::default() })?;
    say(&format!("PostgreSQL {} on a port of this machine, with room for 60 connections.", server.major));
    let tenants = json!({
        VICTIM: { "connection_limit": 10, "statement_timeout": "5s" },
        NOISY: {
            "connection_limit": 6,
            "statement_timeout": "500ms",
            "lock_timeout": "500ms",
            "idle_in_transaction_session_timeout": "1s",
        },
    });
    let mut pooled = Pooled::prepare(provider, &server, &tenants, "")?;
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
    let run = |name, pooled: &Pooled, port| {
        say(&format!("{name}: {seconds} s."));
        let target = Target { server: &server, port, passwords: &pooled.passwords, pgbench: &pgbench };
        let (samples, failures) = target.play(&WAVES, wave)?;
        Ok::<_, String>(Run { name, samples, failures })
    };
    lift(&server)?;
    let mut runs = vec![run("without guardrails", &pooled, server.port)?];
    // What was lifted behind Terraform's back, an apply puts back.
    pooled.workspace.try_apply()?;
    runs.push(run("with guardrails", &pooled, server.port)?);
    let missing = match pooler {
        Ok(_) => {
            pooled.start()?;
            runs.push(run("with guardrails and pgBouncer", &pooled, pooled.port)?);
            None
        }
        Err(reason) => Some(reason),
    };
    let waves = WAVES.iter().map(|wave| wave.name).collect();
    Ok(Report { wave: wave.as_secs_f64(), waves, runs, missing })
}

/// The noisy tenant as a server without guardrails has it.
fn lift(server: &Server) -> Result<(), String> {
    let lifted = format!(
        "ALTER ROLE {NOISY} CONNECTION LIMIT -1; ALTER ROLE {NOISY} RESET ALL;
         ALTER DATABASE {NOISY} CONNECTION LIMIT -1; ALTER DATABASE {NOISY} RESET ALL"
    );
    let done = server.sql("postgres", crate::support::postgres::SUPERUSER, &lifted);
    done.map(drop).map_err(|error| format!("cannot lift the guardrails: {error}"))
}

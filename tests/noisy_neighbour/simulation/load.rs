//! The load: pgbench, many of it. A pgbench that is refused ends, and is begun anew until its time is over.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::report::Sample;
use super::{NOISY, VICTIM, WORK};
use crate::support::binaries::installed;
use crate::support::postgres::{SUPERUSER, Server};
use crate::support::scratch;

/// One kind of misbehaviour.
pub struct Wave {
    pub name: &'static str,
    /// `(processes, clients of each)`
    pub crowds: &'static [(u32, u32)],
    pub script: &'static str,
}

/// Where the tenants connect to.
pub struct Target<'a> {
    pub server: &'a Server,
    pub port: u16,
    pub passwords: &'a BTreeMap<String, String>,
    pub pgbench: &'a Path,
    /// Whether the noisy tenant sets its own time limits aside, as any role may in its sessions.
    pub overriding: bool,
}

/// The victim's processes, and how many transactions each begins in a second.
const WORKERS: u32 = 4;
const RATE: u32 = 20;
/// How many transactions of the victim's are due in a second, on average.
pub const DUE: f64 = (WORKERS * RATE) as f64;
/// A transaction that could not begin for so many milliseconds is given up.
const LIMIT: u32 = 1000;
/// Between one pgbench that was refused and the next: the victim tries again at its own rate, the noisy
/// tenant less often, for starting processes costs the machine too.
const PAUSE: Duration = Duration::from_millis(50);
const NOISY_PAUSE: Duration = Duration::from_millis(250);
/// What any role may say when it logs in.
const OVERRIDES: &str = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0";
/// For what is still under way when a run is over.
const GRACE: Duration = Duration::from_secs(6);

/// The program, or a sentence on where to get it.
pub fn find_pgbench() -> Result<PathBuf, String> {
    let wish = std::env::var_os("PGTENANT_TEST_PGBENCH").map(PathBuf::from).into_iter();
    let mut files = wish.chain(installed().into_iter().map(|dir| dir.join("pgbench")));
    files.find(|file| file.is_file()).ok_or_else(|| {
        "there is no pgbench: install it (Debian: apt install postgresql, in whose /usr/lib/postgresql/*/bin it is; \
         macOS: brew install postgresql@17) or set PGTENANT_TEST_PGBENCH to the program"
            .to_owned()
    })
}

impl Target<'_> {
    /// One run: the victim works all the time, the noisy tenant does one wave after the other, with a pause after
    /// each in which the victim catches up. The victim's transactions that were done.
    pub fn play(&self, waves: &[Wave], wave: Duration, pause: Duration) -> Result<Vec<Sample>, String> {
        let dir = scratch::directory("load")?;
        let write = |name: &str, text: &str| {
            fs::write(dir.join(name), text).map_err(|error| format!("cannot write {name}: {error}"))
        };
        write("work.sql", WORK)?;
        let seconds = wave.as_secs_f64().ceil().to_string();
        for wave in waves {
            write(&format!("{}.sql", wave.name), &wave.script.replace("{seconds}", &seconds))?;
        }
        // What was there before is not to be measured.
        self.clean();
        let began = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        let start = Instant::now();
        let end = start + (wave + pause) * waves.len() as u32;
        std::thread::scope(|scope| {
            for worker in 0..WORKERS {
                let dir = &dir;
                scope.spawn(move || self.work(dir, worker, end));
            }
            for (number, wave_of) in waves.iter().enumerate() {
                let next = start + (wave + pause) * (number as u32 + 1);
                self.misbehave(&dir, wave_of, next - pause);
                self.clean();
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        let samples = samples(&dir, began).map_err(|error| format!("cannot read pgbench's log: {error}"))?;
        let _ = fs::remove_dir_all(&dir);
        Ok(samples)
    }

    /// The victim's share of one process.
    fn work(&self, dir: &Path, worker: u32, end: Instant) {
        let mut attempt = 0;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| *left > PAUSE) {
            attempt += 1;
            let log = dir.join(format!("victim-{worker}-{attempt}"));
            let mut command = self.command(dir, VICTIM, "work.sql", left);
            command.args(["--client=1", "--connect", "--log"]).arg(format!("--rate={RATE}"));
            command.arg(format!("--latency-limit={LIMIT}"));
            command.arg(format!("--log-prefix={}", log.display()));
            if command.spawn().is_ok_and(|child| wait(child, end + GRACE)) {
                break;
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Comes back when the wave is over.
    fn misbehave(&self, dir: &Path, wave: &Wave, over: Instant) {
        std::thread::scope(|scope| {
            for (processes, clients) in wave.crowds {
                for _ in 0..*processes {
                    scope.spawn(move || {
                        while let Some(left) = over.checked_duration_since(Instant::now()) {
                            let mut command = self.command(dir, NOISY, &format!("{}.sql", wave.name), left);
                            // Those clients that are refused give up one by one, and leave the others.
                            command.arg(format!("--client={clients}")).arg("--connect");
                            if self.overriding {
                                command.env("PGOPTIONS", OVERRIDES);
                            }
                            if let Ok(child) = command.spawn() {
                                wait(child, over);
                            }
                            std::thread::sleep(NOISY_PAUSE.min(over.saturating_duration_since(Instant::now())));
                        }
                    });
                }
            }
            std::thread::sleep(over.saturating_duration_since(Instant::now()));
        });
    }

    fn command(&self, dir: &Path, role: &str, script: &str, left: Duration) -> Command {
        let mut command = Command::new(self.pgbench);
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(dir);
        command.env("PGHOST", "127.0.0.1").env("PGPORT", self.port.to_string()).env("PGUSER", role);
        command.env("PGDATABASE", role).env("PGPASSWORD", &self.passwords[role]);
        command.env("PGSSLMODE", "disable").env("PGGSSENCMODE", "disable").env("PGCONNECT_TIMEOUT", "5");
        command.args(["--no-vacuum", "--jobs=1"]).arg(format!("--file={script}"));
        command.arg(format!("--time={}", left.as_secs_f64().ceil().max(1.0)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Ends what the noisy tenant still has on the server, so that each wave begins with nothing.
    fn clean(&self) {
        let text = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{NOISY}'");
        // The superuser has connections in reserve, but no locks: where there are none, this is tried again.
        for _ in 0..20 {
            if self.server.sql("postgres", SUPERUSER, &text).is_ok_and(|ended| ended.is_empty()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Whether it came to a good end. What is not done by then is killed.
fn wait(mut child: Child, until: Instant) -> bool {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

/// From pgbench's logs, by the moment in which each transaction was due. One that was given up has no
/// time taken, and is none that was done.
///
/// <https://www.postgresql.org/docs/current/pgbench.html#id-1.9.4.11.8.8>
fn samples(dir: &Path, began: f64) -> std::io::Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with("victim-") {
            continue;
        }
        for line in fs::read_to_string(entry.path())?.lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, _, taken, _, seconds, micros, ..] = fields[..] else { continue };
            let (Ok(seconds), Ok(micros)) = (seconds.parse::<f64>(), micros.parse::<f64>()) else { continue };
            let ended = seconds + micros / 1e6 - began;
            if let Ok(taken) = taken.parse::<f64>() {
                samples.push(Sample { at: ended - taken / 1e6, ms: taken / 1e3 });
            }
        }
    }
    Ok(samples)
}

//! What the acceptance tests, the benchmarks and the demo stand on: throwaway PostgreSQL servers, and
//! workspaces for the real `terraform`. Knows the provider by its binary only.

// Compiled into every test binary, benchmark and demo; each uses its own part of it.
#![allow(dead_code)]

pub mod binaries;
pub mod examples;
pub mod fault_proxy;
pub mod iam;
pub mod impostor;
pub mod npm;
pub mod patroni;
pub mod pgbouncer;
pub mod postgres;
pub mod python;
pub mod release;
pub mod scratch;
pub mod terraform;
pub mod traffic;
pub mod tunnel;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// PostgreSQL refuses to run as root, so as root the server gets an account of its own.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether the account that the server runs as may enter `dir`. Only root's server has another account
/// than ours, and to that one every directory on the way must be open.
pub fn open_to_server(dir: &Path) -> bool {
    let open = |dir: &Path| dir.metadata().is_ok_and(|meta| meta.is_dir() && meta.mode() & 0o001 != 0);
    match dir.canonicalize() {
        Ok(dir) => !is_root() || dir.ancestors().all(open),
        Err(_) => false,
    }
}

/// The program of that name in the first directory of `PATH` that has it.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// The binary of one of this package's examples. `cargo test --test <name>` does not build them, so it is asked for here.
pub fn built_example(name: &str) -> PathBuf {
    let profile: &[&str] = if cfg!(debug_assertions) { &[] } else { &["--release"] };
    built(name, &[&["--quiet"], profile].concat(), name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The provider's binary, for an example that runs. Asked for together with it: without an example Cargo builds all that the provider
/// depends on once more, without what only tests need of it.
pub fn built_provider(example: &str) -> Result<PathBuf, String> {
    let provider = env!("CARGO_PKG_NAME");
    built(provider, &["--bin", provider], example)
}

/// The path of a binary that `cargo build` makes, from Cargo, which knows where it puts things.
fn built(binary: &str, arguments: &[&str], example: &str) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.arg("build").args(arguments).args(["--example", example, "--message-format=json-render-diagnostics"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).stderr(Stdio::inherit());
    // What Cargo sets for what it runs would make build scripts run anew, and all that depends on them.
    for (variable, _) in std::env::vars_os() {
        let is_cargos =
            |name: &str| name == "OUT_DIR" || ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|p| name.starts_with(p));
        if variable.to_str().is_some_and(is_cargos) {
            command.env_remove(variable);
        }
    }
    let output = command.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err("it does not build".to_owned());
    }
    let messages = output.stdout.split(|byte| *byte == b'\n');
    let messages = messages.filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
    let mut executables = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    let found = executables.find(|path| path.file_stem().is_some_and(|stem| stem == binary));
    found.ok_or_else(|| "cargo names no executable".to_owned())
}

/// Sends a signal to a process, or with a negative number to a process group.
pub fn signal(pid: i32, signal: i32) {
    use rustix::process::{Pid, Signal, kill_process, kill_process_group};

    let signal = Signal::from_named_raw(signal).expect("a signal that has a name");
    let target = Pid::from_raw(pid.abs()).expect("a process is not 0");
    // A process that is gone is an error, which is fine here.
    let _ = if pid < 0 { kill_process_group(target, signal) } else { kill_process(target, signal) };
}

pub fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).expect("the system's random numbers");
    buffer.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Waits for something that comes about by itself, and fails when it does not within a minute.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A process that nobody has waited for yet is still there for `kill`, but runs no more.
pub fn is_running(pid: u32) -> bool {
    processes().iter().any(|process| process.pid == pid && !process.state.starts_with('Z'))
}

/// The running processes that `pid` has started.
pub fn children(pid: u32) -> Vec<u32> {
    let processes = processes().into_iter();
    processes
        .filter(|process| process.parent == pid && !process.state.starts_with('Z'))
        .map(|child| child.pid)
        .collect()
}

struct Process {
    pid: u32,
    parent: u32,
    state: String,
}

fn processes() -> Vec<Process> {
    let output = Command::new("ps").args(["-A", "-o", "pid=,ppid=,stat="]).output().expect("ps runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let process = |line: &str| {
        let mut words = line.split_whitespace();
        Some(Process {
            pid: words.next()?.parse().ok()?,
            parent: words.next()?.parse().ok()?,
            state: words.next()?.to_owned(),
        })
    };
    text.lines().filter_map(process).collect()
}

/// Notes that a test could not run, and why: said behind the summary. Where `CI` is set it fails instead.
pub fn skip(name: &str, reason: &str) {
    static SKIPPED: Mutex<Vec<String>> = Mutex::new(Vec::new());
    extern "C" fn tell() {
        let skipped = SKIPPED.lock().map(|skipped| skipped.clone()).unwrap_or_default();
        eprintln!("{} tests were skipped:\n{}\n", skipped.len(), skipped.join("\n"));
    }
    assert!(std::env::var_os("CI").is_none(), "{name} cannot run: {reason}");
    let mut skipped = SKIPPED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if skipped.is_empty() {
        // SAFETY: a function without arguments, which touches nothing but the list and stderr.
        #[allow(unsafe_code)]
        unsafe {
            libc::atexit(tell)
        };
    }
    skipped.push(format!("  {name}: {reason}"));
}

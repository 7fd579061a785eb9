//! Servers that mean no good, or are none: whatever they send, the provider ends with an error, in time and in bounds.

use std::fs;
use std::time::{Duration, Instant};

use crate::fixture::{PROVIDER, tenant};
use crate::support::impostor::{self, Trick, When};
use crate::support::terraform::Workspace;

/// The most memory that the provider may ever have had, in kB.
const MEMORY: u64 = 150_000;

/// How long a plan may take: twice `connect_timeout` and the resource's own time, and as much for a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(40);

/// The most memory that a process has had, in kB; `None` when it is gone.
fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
}

/// The processes that one has started, without another process that would have to be started for that: a provider may
/// live for a moment only.
fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    children.flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Plans a tenant with whoever answers there.
#[track_caller]
fn check(when: When, trick: Trick) {
    let port = impostor::start(when, trick).unwrap().to_string();
    let mut workspace = Workspace::new(PROVIDER);
    let env = [("PGHOST", "127.0.0.1"), ("PGPORT", &port), ("PGUSER", "nobody"), ("PGSSLMODE", "disable")];
    // It lets in whoever comes.
    workspace.envs(env).env("PGREQUIREAUTH", "none").env("PGCONNECT_TIMEOUT", "4");
    workspace.write("main.tf", &tenant("hostile", "timeouts { read = \"4s\" }"));
    let started = Instant::now();
    let mut running = workspace.spawn(&["plan"]);
    let mut most = 0;
    while running.is_running() {
        most = children(running.pid()).into_iter().filter_map(peak).chain([most]).max().unwrap_or_default();
        std::thread::sleep(Duration::from_millis(2));
    }
    let (run, elapsed) = (running.wait(), started.elapsed());
    println!("{when:?} {trick:?}: {} MB, {:.1} s: {}", most / 1000, elapsed.as_secs_f32(), run.message());
    assert!(!run.status.success(), "{when:?} {trick:?}");
    assert!(most > 0 && most <= MEMORY, "{when:?} {trick:?}: {most} kB");
    assert!(elapsed < PATIENCE, "{when:?} {trick:?}: {elapsed:?}");
    let said = format!("{}{}", run.stdout, run.stderr);
    assert!(!said.contains("panic") && said.len() < 50_000, "{when:?} {trick:?}: {}", &said[..said.len().min(5000)]);
}

/// Where there is no `/proc` nobody says what a process has had.
#[cfg(target_os = "linux")]
#[test]
fn whoever_answers_gets_an_error_in_time_and_in_bounds() {
    for trick in
        [Trick::Silence, Trick::HalfMessage, Trick::EndlessMessage, Trick::LargeError, Trick::EndlessParameters]
    {
        check(When::AtStartup, trick);
    }
    for trick in [
        Trick::Silence,
        Trick::HalfMessage,
        Trick::EndlessMessage,
        Trick::LargeError,
        Trick::EndlessParameters,
        Trick::EndlessNotices,
        Trick::EndlessRows,
        Trick::SlowRows,
    ] {
        check(When::AtQuery, trick);
    }
}

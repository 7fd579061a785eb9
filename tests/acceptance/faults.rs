//! Faults between the provider and the server, one at a time: at every message of every operation the connection is
//! lost, the server answers with an error or not at all, or a process is killed. Whatever it was, the next run of
//! the same configuration ends where a run without a fault ends.
//!
//! A sample is tried in every run of the tests. `PGTENANT_TEST_FAULTS` selects other points:
//!
//! ```sh
//! PGTENANT_TEST_FAULTS=all cargo test --test acceptance faults::
//! PGTENANT_TEST_FAULTS='17/create/drop_after/apply-9 15/rename_*/*/apply-*' cargo test --test acceptance faults::
//! ```
//!
//! The table of what was injected and what converged is in `target/faults`.

mod operations;
mod point;
mod remains;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use operations::{Ground, Operation, operations};
use point::{Bench, FAULTS, Outcome, Reference};

use crate::support::eventually;
use crate::support::fault_proxy::{Proxy, Strike, Watch};
use crate::support::postgres::{ADMIN, Server, Session};

const MAJORS: [u32; 2] = [15, 17];
/// How many tenants are made at a time.
const BATCH: usize = 20;

/// One fault at one message of one operation.
struct Point {
    major: u32,
    operation: &'static str,
    fault: usize,
    /// Counted from the first message of the plan.
    at: usize,
    /// How many of them are the plan's.
    planning: usize,
}

impl Point {
    /// `17/create/drop_after/apply-9`, the name by which it can be tried again.
    fn name(&self) -> String {
        let at = match self.at.checked_sub(self.planning) {
            None | Some(0) => format!("plan-{}", self.at),
            Some(at) => format!("apply-{at}"),
        };
        format!("{}/{}/{}/{at}", self.major, self.operation, FAULTS[self.fault].0)
    }
}

/// Which points are tried.
enum Selection {
    /// Of each operation the end, where the server is ahead of Terraform, and one place on the way.
    Sample,
    Named(Vec<String>),
}

impl Selection {
    fn from_env() -> Selection {
        match std::env::var("PGTENANT_TEST_FAULTS").as_deref() {
            Err(_) | Ok("") => Selection::Sample,
            Ok("all") => Selection::Named(vec!["*".to_owned()]),
            Ok(names) => Selection::Named(names.split_whitespace().map(str::to_owned).collect()),
        }
    }

    fn wants_operation(&self, major: u32, number: usize, operation: &Operation) -> bool {
        match self {
            Selection::Sample => MAJORS[number % MAJORS.len()] == major || operation.ground == Ground::Cron,
            Selection::Named(names) => names.iter().any(|name| {
                let mut parts = name.split('/');
                matches(parts.next(), &major.to_string()) && matches(parts.next(), operation.name)
            }),
        }
    }

    /// The points of an operation that has that many messages.
    fn points(&self, major: u32, number: usize, operation: &'static Operation, reference: &Reference) -> Vec<Point> {
        let Reference { planning, messages, .. } = *reference;
        let faults: Vec<usize> = (0..FAULTS.len()).filter(|fault| FAULTS[*fault].1.fits(operation)).collect();
        let point = |fault: usize, at: usize| Point { major, operation: operation.name, fault, at, planning };
        match self {
            Selection::Sample => {
                let end = point(faults[1 + number % 3], messages - number % 3);
                let way = point(faults[number % faults.len()], 1 + number * 5 % messages);
                vec![end, way]
            }
            Selection::Named(names) => {
                let all = (1..=messages).flat_map(|at| faults.iter().map(move |fault| point(*fault, at)));
                all.filter(|point| {
                    names.iter().any(|name| {
                        let point = point.name();
                        let mut parts = name.split('/');
                        point.split('/').all(|part| matches(parts.next(), part))
                    })
                })
                .collect()
            }
        }
    }
}

/// Whether a part of a name is meant: by itself, by its beginning and `*`, or by nothing.
fn matches(pattern: Option<&str>, part: &str) -> bool {
    match pattern {
        None => true,
        Some(pattern) => pattern.strip_suffix('*').map_or(pattern == part, |start| part.starts_with(start)),
    }
}

/// What came of the points.
#[derive(Default)]
struct Table {
    /// By major and number of the operation.
    rows: BTreeMap<(u32, usize), Row>,
    /// The points that did not converge, and why.
    failed: Vec<(String, String)>,
    slowest: Duration,
}

#[derive(Default)]
struct Row {
    operation: &'static str,
    /// Of the plan and of the rest.
    messages: String,
    /// By fault.
    injected: [usize; FAULTS.len()],
    converged: [usize; FAULTS.len()],
}

impl Table {
    fn add(&mut self, number: usize, reference: &Reference, point: &Point, outcome: Outcome) {
        let row = self.rows.entry((point.major, number)).or_default();
        row.operation = point.operation;
        row.messages = format!("{} + {}", reference.planning, reference.messages - reference.planning);
        row.injected[point.fault] += usize::from(outcome.injected);
        row.converged[point.fault] += usize::from(outcome.injected && outcome.failed.is_none());
        self.failed.extend(outcome.failed.map(|why| (point.name(), why)));
        self.slowest = self.slowest.max(outcome.ended_after);
    }

    fn text(&self) -> String {
        let mut text = String::from("# Faults: converged / injected\n");
        let mut major = 0;
        for ((of, _), row) in &self.rows {
            if *of != major {
                major = *of;
                let faults = FAULTS.map(|(name, _)| name).join(" | ");
                let rule = "---|".repeat(FAULTS.len() + 2);
                let _ = write!(text, "\n## PostgreSQL {major}\n\n| operation | messages | {faults} |\n|{rule}\n");
            }
            let cells = row.converged.iter().zip(row.injected).map(|cell| match cell {
                (_, 0) => String::new(),
                (converged, injected) => format!("{converged}/{injected}"),
            });
            let _ =
                writeln!(text, "| {} | {} | {} |", row.operation, row.messages, cells.collect::<Vec<_>>().join(" | "));
        }
        let sum = |count: fn(&Row) -> &[usize]| self.rows.values().flat_map(count).sum::<usize>();
        let _ = writeln!(
            text,
            "\n{} of {} converged. The slowest run ended {:.1} s after its fault.",
            sum(|row| &row.converged),
            sum(|row| &row.injected),
            self.slowest.as_secs_f64()
        );
        if !self.failed.is_empty() {
            text += "\n## Not converged\n\nTo try one again: `PGTENANT_TEST_FAULTS=<point> cargo test --test acceptance \
                     faults::`\n\n";
        }
        for (point, why) in &self.failed {
            let _ = writeln!(text, "- `{point}`: {}", why.replace('\n', " "));
        }
        text
    }

    fn write(&self, selection: &Selection) {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target").join("faults");
        let name = if matches!(selection, Selection::Sample) { "sample.md" } else { "table.md" };
        let written = fs::create_dir_all(&target).and_then(|()| fs::write(target.join(name), self.text()));
        written.unwrap_or_else(|error| panic!("cannot write the table: {error}"));
    }
}

#[test]
fn every_fault_is_got_over_by_the_next_run() {
    let selection = Selection::from_env();
    let operations: &'static [Operation] = Box::leak(operations().into_boxed_slice());
    let name = "faults::every_fault_is_got_over_by_the_next_run";
    let is_there: BTreeMap<u32, bool> = MAJORS.map(|major| (major, crate::majors::is_there(name, major))).into();
    let mut work: Vec<(u32, usize)> = Vec::new();
    for (number, operation) in operations.iter().enumerate() {
        for major in MAJORS {
            // Of pg_cron there is a package for the distribution's major.
            let has_cron = operation.ground != Ground::Cron || major == 15;
            if has_cron && is_there[&major] && selection.wants_operation(major, number, operation) {
                work.push((major, number));
            }
        }
    }
    let (work, table) = (Mutex::new(work.into_iter()), Mutex::new(Table::default()));
    // Much of it is waiting.
    let workers = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut bench = None;
                loop {
                    let next = work.lock().unwrap().next();
                    let Some((major, number)) = next else { break };
                    let tried = try_operation(&mut bench, major, (number, &operations[number]), &selection, &table);
                    let mut table = table.lock().unwrap();
                    if let Err(why) = tried {
                        bench = None;
                        table.failed.push((format!("{major}/{}", operations[number].name), why));
                    }
                    table.write(&selection);
                }
            });
        }
    });
    let table = table.into_inner().unwrap();
    assert!(table.failed.is_empty(), "{}", table.text());
    assert!(!is_there.values().any(|is_there| *is_there) || !table.rows.is_empty(), "no point has such a name");
}

/// Tries the points of one operation that are selected. A server is used for as long as it is clean.
fn try_operation(
    slot: &mut Option<Bench>,
    major: u32,
    (number, operation): (usize, &'static Operation),
    selection: &Selection,
    table: &Mutex<Table>,
) -> Result<(), String> {
    let reference = bench(slot, major, operation)?.measure(operation)?;
    let points = selection.points(major, number, operation, &reference);
    let mut ready = Vec::new();
    for (at, point) in points.iter().enumerate() {
        let bench = bench(slot, major, operation)?;
        if ready.is_empty() {
            let batch = if operation.ground.is_shared() { 1 } else { BATCH };
            ready = bench.prepare(operation, batch.min(points.len() - at))?;
        }
        let Some(prepared) = ready.pop() else { break };
        let tried = bench.point(operation, &prepared, (FAULTS[point.fault].1, point.at), &reference);
        let outcome = tried.unwrap_or_else(|why| {
            *slot = None;
            ready.clear();
            Outcome { injected: true, failed: Some(why), ended_after: Duration::ZERO }
        });
        table.lock().unwrap().add(number, &reference, point, outcome);
    }
    Ok(())
}

/// The server of that kind that is there, or a new one.
fn bench<'a>(slot: &'a mut Option<Bench>, major: u32, operation: &Operation) -> Result<&'a Bench, String> {
    let cron = operation.ground == Ground::Cron;
    if slot.as_ref().is_none_or(|bench| (bench.major(), bench.has_cron) != (major, cron)) {
        // The old one first: two take twice the room.
        *slot = None;
        *slot = Some(Bench::new(major, operation.ground)?);
    }
    slot.as_ref().ok_or_else(|| "no server".to_owned())
}

/// The proxy itself, with a client that has nothing to hide.
#[test]
fn the_proxy_strikes_at_the_message_that_it_is_told() {
    let server = Server::shared();
    server.superuser("CREATE SEQUENCE struck");
    let proxy = Proxy::before(server.port).unwrap();
    let session = || Session::over_tcp(proxy.port, "postgres", ADMIN, &server.admin_password);
    let executed = |watch, text: &str| {
        let before = server.superuser("SELECT setval('struck', nextval('struck'))")[0][0].clone().unwrap();
        proxy.begin(watch);
        let answer = session().and_then(|session| session.sql(text)).map(|_| ()).map_err(|error| error.sqlstate);
        let after = server.superuser("SELECT nextval('struck')")[0][0].clone().unwrap();
        let number = |text: String| text.parse::<i64>().unwrap();
        (answer, number(after) - number(before) == 2)
    };
    server.superuser(&format!("GRANT USAGE ON SEQUENCE struck TO {ADMIN}"));
    const NEXT: &str = "SELECT nextval('struck')";
    let lost = Err("08001".to_owned());

    assert_eq!(executed(Watch::Count, NEXT), (Ok(()), true));
    assert_eq!(proxy.messages(), 2, "the startup and the query");
    assert_eq!(executed(Watch::At(1, Strike::Drop), NEXT), (lost.clone(), false));
    assert_eq!(executed(Watch::At(2, Strike::Drop), NEXT), (lost.clone(), false));
    assert_eq!(executed(Watch::At(1, Strike::DropAfter), NEXT), (lost.clone(), false));
    assert_eq!(executed(Watch::At(2, Strike::DropAfter), NEXT), (lost.clone(), true));
    assert_eq!(executed(Watch::At(2, Strike::CutAfter), NEXT), (lost.clone(), true));
    assert_eq!(session().err().map(|error| error.sqlstate), Some("08001".to_owned()), "nothing passes");
    for at in [1, 2] {
        for sqlstate in ["53300", "57P01", "40001"] {
            let refused = Err(sqlstate.to_owned());
            assert_eq!(executed(Watch::At(at, Strike::Refuse(sqlstate)), NEXT), (refused, false));
        }
    }
    assert_eq!(executed(Watch::At(3, Strike::Drop), NEXT), (Ok(()), true));
    assert!(!proxy.struck());

    // A refusal within a transaction is one for the server too.
    proxy.begin(Watch::At(3, Strike::Refuse("40001")));
    let session_in = session().unwrap();
    session_in.sql("BEGIN").unwrap();
    assert_eq!(session_in.sql(NEXT).unwrap_err().sqlstate, "40001");
    assert_eq!(session_in.sql(NEXT).unwrap_err().sqlstate, "25P02");
    session_in.sql("ROLLBACK").unwrap();

    // What is held waits; what is frozen as well, until the next run begins.
    proxy.begin(Watch::At(2, Strike::HoldAfter));
    let session_in = session().unwrap();
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| session_in.sql("SELECT 1"));
        eventually("the answer is held", || proxy.holds());
        assert!(!answer.is_finished());
        proxy.release();
        answer.join().unwrap().unwrap();
    });
    proxy.begin(Watch::At(2, Strike::Freeze));
    let session_in = session().unwrap();
    std::thread::scope(|scope| {
        let silent = scope.spawn(|| session_in.sql("SELECT 1"));
        eventually("it is frozen", || proxy.struck());
        let new = scope.spawn(|| session().map(drop));
        assert!(!silent.is_finished() && !new.is_finished());
        proxy.begin(Watch::Count);
        assert_eq!(silent.join().unwrap().unwrap_err().sqlstate, "08001");
        let _ = new.join().unwrap();
    });
    server.superuser("DROP SEQUENCE struck");
}

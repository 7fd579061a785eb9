//! Clients that go on asking while something changes, and are to be refused nothing.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::postgres::Server;

/// Who asks what of which database.
#[derive(Clone, Debug)]
pub struct Client {
    pub database: String,
    pub role: String,
    pub sql: String,
}

impl Client {
    pub fn new(database: &str, role: &str, sql: &str) -> Client {
        Client { database: database.to_owned(), role: role.to_owned(), sql: sql.to_owned() }
    }

    /// Connects anew and asks, again and again, until it is told to stop: how often, and what it was refused.
    fn ask(&self, server: &Server, pause: Duration, stop: &AtomicBool) -> (usize, Vec<String>) {
        let (mut asked, mut refused) = (0, Vec::new());
        while !stop.load(Ordering::Relaxed) {
            asked += 1;
            if let Err(error) = server.sql(&self.database, &self.role, &self.sql) {
                refused.push(error.to_string());
            }
            thread::sleep(pause);
        }
        (asked, refused)
    }
}

/// Does something while each of these asks, and demands that each did so and got an answer every time.
#[track_caller]
pub fn nobody_is_refused(server: &Server, clients: &[Client], pause: Duration, change: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let asking: Vec<_> =
            clients.iter().map(|client| (client, scope.spawn(|| client.ask(server, pause, &stop)))).collect();
        let changed = catch_unwind(AssertUnwindSafe(change));
        stop.store(true, Ordering::Relaxed);
        let asked =
            asking.into_iter().map(|(client, asking)| (client, asking.join().expect("a client does not panic")));
        let asked: Vec<_> = asked.collect();
        changed.unwrap_or_else(|panic| resume_unwind(panic));
        let refused: Vec<_> = asked.iter().filter(|(_, (_, refused))| !refused.is_empty()).collect();
        assert!(refused.is_empty(), "{refused:#?}");
        assert!(asked.iter().all(|(_, (asked, _))| *asked > 5), "somebody hardly asked");
    });
}

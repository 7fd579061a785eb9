//! Clients that go on asking while something changes, and are to be refused nothing.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::postgres::Server;

/// Who asks what of which database.
#[derive(Clone, Debug)]
pub struct Client {
    database: String,
    role: String,
    sql: String,
    keeps: bool,
}

impl Client {
    pub fn new(database: &str, role: &str, sql: &str) -> Client {
        Client { database: database.to_owned(), role: role.to_owned(), sql: sql.to_owned(), keeps: false }
    }

    /// With one connection for all that it asks, as out of a pool, in place of a new one each time.
    pub fn keeping_its_connection(self) -> Client {
        Client { keeps: true, ..self }
    }

    /// Asks again and again until it is told to stop: how often, and what it was refused.
    fn ask(&self, server: &Server, pause: Duration, stop: &AtomicBool) -> (usize, Vec<String>) {
        let (mut asked, mut refused) = (0, Vec::new());
        let mut session = None;
        while !stop.load(Ordering::Relaxed) {
            asked += 1;
            let answered = match session.take() {
                Some(session) => Ok(session),
                None => server.session(&self.database, &self.role),
            };
            let answered = answered.and_then(|open| open.sql(&self.sql).map(|_| open));
            match answered {
                Ok(open) => session = Some(open).filter(|_| self.keeps),
                Err(error) => refused.push(error.to_string()),
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

//! The sessions of this process with the cluster: how many there are, and which one makes room for which. No SQL here.
//!
//! There is always room for the maintenance database, in which most of the work is done; and a session with a database that
//! something is done to is kept until that is done. So whoever works at a tenant connects to its database once, and waits for a
//! session rather than end one that is needed in a moment.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::postgres::DatabaseName;
use crate::postgres::error::ConnectError;
use crate::postgres::session::Session;

/// How long a session that is kept for somebody keeps others waiting: those for whom it is kept may be waiting themselves.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Pool {
    /// The maintenance database.
    home: DatabaseName,
    state: Mutex<State<Session>>,
    /// Something was given back.
    changed: Notify,
}

/// Sessions that are busy are in use, being opened or being closed; they and the idle ones together are never more than `most`.
struct State<S> {
    most: usize,
    idle: Vec<S>,
    busy: usize,
    /// How many of those that are busy are with the maintenance database.
    at_home: usize,
    /// How many wait for a session with another database.
    waiting: usize,
    /// Databases that something is done to, and how many do it.
    worked_at: BTreeMap<String, usize>,
}

/// The right to one session; given back when dropped.
pub(super) struct Slot<'a> {
    pool: &'a Pool,
    is_at_home: bool,
}

/// Somebody waits for a session with a database; until dropped.
struct Waiting<'a>(Option<&'a Pool>);

/// What whoever asks for a session gets.
#[derive(Debug, PartialEq, Eq)]
enum Room<S> {
    /// One that is there already.
    Session(S),
    /// Room for a new one.
    New,
    /// The same, once this one is closed.
    InsteadOf(S),
    /// Nothing before another is given back.
    Later,
}

/// What decides about a session.
trait At {
    fn database(&self) -> &str;
}

impl At for Session {
    fn database(&self) -> &str {
        self.database.as_str()
    }
}

impl Pool {
    pub fn new(home: DatabaseName, most: usize) -> Self {
        let (idle, busy, at_home, waiting, worked_at) = Default::default();
        let state = Mutex::new(State { most: most.max(1), idle, busy, at_home, waiting, worked_at });
        Pool { home, state, changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<Session>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle session with `database` or room for a new one, and the right to it. `anew`: none that is there will do.
    pub async fn enter(
        &self,
        database: &DatabaseName,
        anew: bool,
        cancel: &CancellationToken,
    ) -> Result<(Slot<'_>, Option<Session>), ConnectError> {
        let mut is_late = false;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on nothing is missed.
            changed.as_mut().enable();
            let room = {
                let mut state = self.state();
                // One that the server has ended meanwhile is replaced by a new one.
                state.idle.retain(Session::is_usable);
                state.room(database.as_str(), self.home.as_str(), anew, is_late)
            };
            let slot = || Slot { pool: self, is_at_home: *database == self.home };
            match room {
                Room::Session(session) => return Ok((slot(), Some(session))),
                Room::New => return Ok((slot(), None)),
                Room::InsteadOf(other) => {
                    let slot = slot();
                    other.close().await;
                    return Ok((slot, None));
                }
                Room::Later => {}
            }
            let _waiting = Waiting::new(self, database);
            tokio::select! {
                () = changed => {}
                () = tokio::time::sleep(PATIENCE) => is_late = true,
                () = cancel.cancelled() => return Err(ConnectError::Cancelled),
            }
        }
    }

    /// Takes the idle sessions out that `which` says, with the rights to them.
    fn take(&self, mut which: impl FnMut(&Session) -> bool) -> Vec<(Slot<'_>, Session)> {
        let mut state = self.state();
        let taken: Vec<Session> = state.idle.extract_if(.., |session| which(session)).collect();
        state.busy += taken.len();
        let slot = |session: &Session| Slot { pool: self, is_at_home: session.database == self.home };
        let taken: Vec<_> = taken.into_iter().map(|session| (slot(&session), session)).collect();
        state.at_home += taken.iter().filter(|(slot, _)| slot.is_at_home).count();
        taken
    }

    /// Ends the idle sessions with `database`.
    pub async fn leave(&self, database: &DatabaseName) {
        for (slot, session) in self.take(|session| session.database == *database) {
            session.close().await;
            drop(slot);
        }
    }

    /// Ends one idle session, if there is one.
    pub async fn end_an_idle_one(&self) -> bool {
        let mut found = false;
        let taken = self.take(|_| !std::mem::replace(&mut found, true));
        for (slot, session) in taken {
            session.close().await;
            drop(slot);
        }
        found
    }

    /// Ends all idle sessions, without waiting.
    pub fn forget_idle(&self) {
        for session in std::mem::take(&mut self.state().idle) {
            tokio::spawn(session.close());
        }
        self.changed.notify_waiters();
    }

    /// Whether other work than the caller's has a session, or is about to have one.
    pub fn has_others(&self) -> bool {
        self.state().busy > 1
    }

    /// How many sessions there may be.
    pub fn most(&self) -> usize {
        self.state().most
    }

    /// One more session, idle from now on.
    pub fn grow(&self, session: Option<Session>) {
        let mut state = self.state();
        state.most += 1;
        state.idle.extend(session);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Sessions with this database are kept until [`Pool::done`].
    pub fn begin(&self, database: &str) {
        *self.state().worked_at.entry(database.to_owned()).or_default() += 1;
    }

    pub fn done(&self, database: &str) {
        let mut state = self.state();
        if let Some(count) = state.worked_at.get_mut(database) {
            *count -= 1;
            if *count == 0 {
                state.worked_at.remove(database);
            }
        }
        drop(state);
        self.changed.notify_waiters();
    }
}

impl Slot<'_> {
    /// Gives the session back with the right to it.
    pub fn keep(self, session: Session) {
        self.pool.state().idle.push(session);
    }

    /// From now on there is one session less, unless this is the only one: then it is idle.
    pub fn take_away(self, session: Option<Session>) -> Option<Session> {
        let mut state = self.pool.state();
        if state.most > 1 {
            state.most -= 1;
            return session;
        }
        state.idle.extend(session);
        None
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.busy -= 1;
        state.at_home -= usize::from(self.is_at_home);
        drop(state);
        self.pool.changed.notify_waiters();
    }
}

impl<'a> Waiting<'a> {
    fn new(pool: &'a Pool, database: &DatabaseName) -> Self {
        let counts = *database != pool.home;
        pool.state().waiting += usize::from(counts);
        Waiting(counts.then_some(pool))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(pool) = self.0 {
            pool.state().waiting -= 1;
        }
    }
}

impl<S: At> State<S> {
    /// Decides who gets what, and counts it as busy unless that is nothing.
    fn room(&mut self, database: &str, home: &str, anew: bool, is_late: bool) -> Room<S> {
        let room = self.find(database, home, anew, is_late);
        if !matches!(room, Room::Later) {
            self.busy += 1;
            self.at_home += usize::from(database == home);
        }
        room
    }

    fn find(&mut self, database: &str, home: &str, anew: bool, is_late: bool) -> Room<S> {
        let position = |which: &dyn Fn(&S) -> bool| self.idle.iter().position(which);
        let same = position(&|session| session.database() == database);
        if let (Some(at), false) = (same, anew) {
            return Room::Session(self.idle.swap_remove(at));
        }
        // One more at home would have to make room for whoever waits.
        let others = if database == home && self.at_home > 0 { self.waiting } else { 0 };
        if self.idle.len() + self.busy + others < self.most {
            return Room::New;
        }
        let is_kept = |session: &S| self.worked_at.contains_key(session.database());
        let is_home = |session: &S| session.database() == home;
        let unneeded = position(&|session| !is_home(session) && !is_kept(session));
        let any = (!self.idle.is_empty()).then_some(0);
        let at = if database == home {
            // Whoever is there is done soon.
            unneeded.or(any.filter(|_| self.at_home == 0))
        } else {
            // Those who keep one go on at home.
            let homes = self.at_home + self.idle.iter().filter(|session| is_home(session)).count();
            let is_nobodys = self.busy == 0 && !self.idle.iter().any(is_kept);
            same.or(unneeded).or(position(&is_home).filter(|_| homes > 1 || is_nobodys))
        };
        match at.or(any.filter(|_| is_late)) {
            Some(at) => Room::InsteadOf(self.idle.swap_remove(at)),
            None => Room::Later,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl At for &'static str {
        fn database(&self) -> &str {
            self
        }
    }

    /// Three sessions at most; something is done to `acme` and `globex`.
    fn state(idle: &[&'static str], busy: usize, at_home: usize) -> State<&'static str> {
        let worked_at = ["acme", "globex"].map(|name| (name.to_owned(), 1)).into();
        State { most: 3, idle: idle.to_vec(), busy, at_home, waiting: 0, worked_at }
    }

    #[test]
    fn who_gets_what() {
        use Room::{InsteadOf, Later, New, Session};
        let check = |idle: &[&'static str], (busy, at_home), database: &str, expected: Room<&'static str>| {
            let mut state = state(idle, busy, at_home);
            let room = state.room(database, "postgres", false, false);
            assert_eq!(room, expected, "{database} with {idle:?} and {busy} busy");
            assert_eq!(state.busy - busy, usize::from(room != Later));
            assert_eq!(state.at_home - at_home, usize::from(room != Later && database == "postgres"));
            let sessions = state.idle.len() + state.busy;
            assert!(sessions <= state.most);
        };
        // One that is there, or room.
        check(&["postgres", "acme"], (0, 0), "acme", Session("acme"));
        check(&["postgres"], (1, 0), "acme", New);
        check(&[], (2, 2), "postgres", New);
        // What nobody needs any more goes first.
        check(&["old", "postgres", "acme"], (0, 0), "globex", InsteadOf("old"));
        check(&["acme", "old"], (1, 1), "postgres", InsteadOf("old"));
        // One of several at home; the last one only where nobody goes on there.
        check(&["postgres", "acme"], (1, 1), "globex", InsteadOf("postgres"));
        check(&["postgres", "acme"], (1, 0), "globex", Later);
        check(&["postgres"], (2, 0), "globex", Later);
        // What is kept stays, unless nobody could go on.
        check(&["acme"], (2, 1), "postgres", Later);
        check(&["acme"], (2, 0), "postgres", InsteadOf("acme"));
        check(&["acme", "globex"], (1, 1), "other", Later);
        check(&[], (3, 0), "postgres", Later);
    }

    #[test]
    fn room_is_left_for_those_who_wait() {
        let room =
            |at_home, waiting| State { waiting, ..state(&[], 1, at_home) }.room("postgres", "postgres", false, false);
        assert_eq!(room(1, 0), Room::New);
        assert_eq!(room(1, 1), Room::New);
        assert_eq!(room(1, 2), Room::Later);
        assert_eq!(room(0, 2), Room::New);
    }

    #[test]
    fn with_one_session_each_makes_room_for_the_next() {
        let mut state = State { most: 1, ..state(&["postgres"], 0, 0) };
        assert_eq!(state.room("acme", "postgres", false, false), Room::InsteadOf("postgres"));
        assert_eq!(state.room("postgres", "postgres", false, false), Room::Later);
        (state.busy, state.idle) = (0, vec!["acme"]);
        assert_eq!(state.room("postgres", "postgres", false, false), Room::InsteadOf("acme"));
    }

    #[test]
    fn a_login_is_begun_instead_of_the_session_that_is_there() {
        let begin = |idle, database| state(idle, 0, 0).room(database, "postgres", true, false);
        assert_eq!(begin(&["postgres", "acme", "globex"], "acme"), Room::InsteadOf("acme"));
        assert_eq!(begin(&["postgres"], "acme"), Room::New);
    }

    #[test]
    fn nobody_waits_for_ever() {
        let mut state = state(&["acme", "globex"], 1, 1);
        assert_eq!(state.room("other", "postgres", false, false), Room::Later);
        assert_eq!(state.room("other", "postgres", false, true), Room::InsteadOf("acme"));
        (state.busy, state.idle) = (3, vec![]);
        assert_eq!(state.room("other", "postgres", false, true), Room::Later);
    }
}

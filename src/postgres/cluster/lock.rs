//! Advisory locks, by which processes that change one thing do it one after the other. All those of a process are held by one
//! session of its own pool, while there are any: when the process ends, however it ends, the server lets go of them.
//!
//! They keep this provider out of its own way and nobody else: <https://www.postgresql.org/docs/current/explicit-locking.html>.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard, OwnedMutexGuard};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Cluster, wait};
use crate::postgres::catalog::lock::{self, Holder};
use crate::postgres::error::{ConnectError, Error, SqlState};
use crate::postgres::session::Session;

/// How long a lock is waited for that another process holds.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long until it is tried again.
const PAUSE: Duration = Duration::from_millis(200);

/// How long the server may take to let go of one, before the whole session is closed.
const GOODBYE: Duration = Duration::from_millis(500);

/// What is locked: any texts, the same ones in every process. It is held until [`Cluster::unlock`].
#[derive(Debug)]
pub struct Lock {
    names: BTreeSet<String>,
    /// Whether something is done to them meanwhile.
    works: bool,
}

#[derive(Default)]
pub(super) struct Locks {
    /// How many locks of this process are for each text. Apart from the session: whoever waits for a server that is silent keeps
    /// nobody else from beginning or ending.
    users: Mutex<BTreeMap<String, usize>>,
    keeper: AsyncMutex<Keeper>,
    /// Whose turn it is within this process, for each text.
    turns: Mutex<BTreeMap<String, Arc<AsyncMutex<()>>>>,
}

/// That nobody else in this process works on what is locked.
pub struct Turn {
    _guards: Vec<OwnedMutexGuard<()>>,
}

#[derive(Default)]
struct Keeper {
    session: Option<Session>,
    /// What the session holds on the server.
    held: BTreeSet<String>,
    /// The server was so full that the session was needed for the work itself: this process locks nothing any more.
    has_given_up: bool,
}

enum Answer {
    Held,
    /// By another process of an admin like this one.
    Taken(Box<Holder>),
    /// By nobody that has a say in it: whoever may connect can hold any lock. Or by nobody any more.
    Blocked,
}

impl Cluster {
    /// Notes what [`Cluster::hold`] is to lock. A session with a database of one of these names is kept until it is unlocked.
    pub fn lock(&self, names: BTreeSet<String>) -> Lock {
        for name in &names {
            self.pool.begin(name);
        }
        Lock { works: true, ..self.keep_locked(names) }
    }

    /// Notes what is to stay locked when it is: nothing is done to it any more.
    pub fn keep_locked(&self, names: BTreeSet<String>) -> Lock {
        let mut users = self.lock_users();
        for name in &names {
            *users.entry(name.clone()).or_default() += 1;
        }
        Lock { names, works: false }
    }

    /// Waits until nobody else in this process works on one of these: the locks of a process are its own together.
    pub async fn turn(&self, names: &BTreeSet<String>, cancel: &CancellationToken) -> Result<Turn, Error> {
        let mut guards = Vec::new();
        // In the order of the names, which is everybody's.
        for name in names {
            let turn =
                Arc::clone(self.locks.turns.lock().expect("no panic while held").entry(name.clone()).or_default());
            tokio::select! {
                guard = turn.lock_owned() => guards.push(guard),
                () = cancel.cancelled() => return Err(ConnectError::Cancelled.into()),
            }
        }
        Ok(Turn { _guards: guards })
    }

    fn lock_users(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.locks.users.lock().expect("no panic while held")
    }

    /// Takes a lock on the server, unless this process has it already. Another process is waited for 5 seconds.
    ///
    /// Without a session to spare (`max_connections` of 1, or a server that is full) nothing is locked.
    pub async fn hold(&self, lock: &Lock, cancel: &CancellationToken) -> Result<(), Error> {
        let begun = Instant::now();
        let mut was_blocked = false;
        loop {
            let answer = match self.try_to_hold(lock, cancel).await {
                // Somebody has hardened the server beyond what PostgreSQL comes with.
                Err(error) if error.sqlstate() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Answer::Blocked,
                answer => answer?,
            };
            match answer {
                Answer::Held => return Ok(()),
                Answer::Taken(holder) if begun.elapsed() >= PATIENCE => return Err(Error::Locked { holder }),
                Answer::Taken(_) => {}
                Answer::Blocked if was_blocked => {
                    tracing::warn!("no advisory lock can be taken for {:?}; going on without", lock.names);
                    return Ok(());
                }
                Answer::Blocked => was_blocked = true,
            }
            wait(PAUSE, cancel).await?;
        }
    }

    async fn try_to_hold(&self, lock: &Lock, cancel: &CancellationToken) -> Result<Answer, Error> {
        let mut keeper = self.keeper(cancel).await?;
        let Keeper { session: Some(session), held, .. } = &mut *keeper else { return Ok(Answer::Held) };
        let missing: Vec<&str> = lock.names.iter().filter(|name| !held.contains(*name)).map(String::as_str).collect();
        if missing.is_empty() {
            return Ok(Answer::Held);
        }
        let tried = lock::take(session, &missing, cancel).await?;
        let taken = tried.iter().filter(|one| one.taken).map(|one| one.name.clone());
        if tried.iter().all(|one| one.taken) {
            held.extend(taken);
            return Ok(Answer::Held);
        }
        // All or nothing: two that have half of it each would wait for each other.
        if !keeper.let_go(taken.collect()).await {
            self.lose(&mut keeper);
        }
        let holder = tried.into_iter().find_map(|one| one.holder);
        Ok(holder.map_or(Answer::Blocked, |holder| Answer::Taken(Box::new(holder))))
    }

    /// The keeper, with its session if there can be one.
    async fn keeper(&self, cancel: &CancellationToken) -> Result<AsyncMutexGuard<'_, Keeper>, Error> {
        loop {
            let mut keeper = tokio::select! {
                keeper = self.locks.keeper.lock() => keeper,
                () = cancel.cancelled() => return Err(ConnectError::Cancelled.into()),
            };
            if keeper.session.as_ref().is_some_and(|session| !session.is_usable()) {
                self.lose(&mut keeper);
            }
            if keeper.session.is_some() || keeper.has_given_up || self.pool.most() < 2 {
                return Ok(keeper);
            }
            // Whoever waits for a slot must not keep others from giving up theirs.
            drop(keeper);
            let (slot, session) = self.enter(self.maintenance(), cancel).await?;
            let mut keeper = self.locks.keeper.lock().await;
            if keeper.session.is_some() {
                slot.keep(session);
            } else {
                keeper.session = slot.take_away(Some(session));
            }
        }
    }

    /// Lets go of a lock. If the server is silent meanwhile, it is let go of with the next one.
    pub async fn unlock(&self, lock: Lock) {
        {
            let mut users = self.lock_users();
            for name in lock.names {
                if lock.works {
                    self.pool.done(&name);
                }
                if let Some(count) = users.get_mut(&name) {
                    *count -= 1;
                }
            }
            users.retain(|_, count| *count > 0);
        }
        let Ok(mut keeper) = tokio::time::timeout(GOODBYE, self.locks.keeper.lock()).await else { return };
        let (unused, is_last): (Vec<String>, bool) = {
            let users = self.lock_users();
            (keeper.held.iter().filter(|name| !users.contains_key(*name)).cloned().collect(), users.is_empty())
        };
        keeper.held.retain(|name| !unused.contains(name));
        if !keeper.let_go(unused).await {
            self.lose(&mut keeper);
        } else if is_last && let Some(session) = keeper.session.take() {
            self.pool.grow(Some(session));
        }
    }

    /// The session is gone, or is to be, and what it held with it. Whoever needs that takes it again.
    fn lose(&self, keeper: &mut Keeper) {
        if let Some(session) = keeper.session.take() {
            tokio::spawn(session.close());
            self.pool.grow(None);
        }
        keeper.held.clear();
    }

    /// Ends the session of the locks, so that the work can go on where the server has one slot only.
    pub(super) async fn give_up_locks(&self) -> bool {
        let Ok(mut keeper) = self.locks.keeper.try_lock() else { return false };
        let Some(session) = keeper.session.take() else { return false };
        tracing::warn!("the server has one connection for this process: going on without advisory locks");
        keeper.has_given_up = true;
        keeper.held.clear();
        session.close().await;
        self.pool.grow(None);
        true
    }
}

impl Keeper {
    /// Whether the server let go of them.
    async fn let_go(&self, names: Vec<String>) -> bool {
        let (Some(session), false) = (&self.session, names.is_empty()) else { return true };
        matches!(tokio::time::timeout(GOODBYE, lock::let_go(session, &names)).await, Ok(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::connect::fixture::options;

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_a_silent_server_holds_nobody_up() {
        let cluster = Cluster::new(options(), 4).unwrap();
        let waiting = cluster.locks.keeper.lock().await;
        let begun = Instant::now();
        let names = || BTreeSet::from(["acme".to_owned()]);
        let (first, second) = (cluster.lock(names()), cluster.keep_locked(names()));
        cluster.unlock(first).await;
        assert_eq!(cluster.lock_users().get("acme"), Some(&1));
        cluster.unlock(second).await;
        assert!(cluster.lock_users().is_empty());
        assert!(begun.elapsed() <= GOODBYE * 3, "{:?}", begun.elapsed());
        drop(waiting);
    }
}

//! The one loop of all resources: observe, decide, run, and observe again, until nothing differs or nothing moves. What is
//! there and what comes next is said by a [`Subject`]; what Terraform is told of it, by the resource.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::postgres::error::SqlState;
use crate::postgres::{Cluster, Error, Lock, Script, Step};
use crate::tenant::Change;
use crate::tf_provider::{Context, Diagnostic, Diagnostics};

use super::diagnose;
use super::trying::Attempt;

/// How often the same changes are run in a row before somebody else is said to undo them.
const PATIENCE: usize = 5;

/// How often an operation goes on after its connection was lost, or a lock was not to be had.
const LOSSES: usize = 5;

/// How long until it does.
const PAUSE: Duration = Duration::from_millis(100);

/// How long an operation that failed may look at what it leaves, and put it back. Its own time is over.
const GRACE: Duration = Duration::from_secs(5);

/// What is to be run next.
#[derive(Default)]
pub(super) struct Next {
    /// A failure ends the operation.
    pub needed: Script,
    /// Each is tried once, when nothing else is needed any more; a failure is told and no more.
    pub tried: Vec<Change>,
}

/// One thing on the server that a resource is about, and what is to become of it.
pub(super) trait Subject: Send {
    type Observed: Send + Sync;

    /// What fails when it fails: `create tenant "acme"`.
    fn what(&self) -> String;

    /// The names of what it may change: another process that is about to change one of them is kept out. Nothing has the empty
    /// name, which stands for what is the whole cluster's.
    fn locked(&self) -> BTreeSet<String> {
        BTreeSet::from([String::new()])
    }

    /// What is there now.
    fn observe(
        &mut self,
        cluster: &Cluster,
        cancel: &CancellationToken,
    ) -> impl Future<Output = Result<Self::Observed, Error>> + Send;

    /// What comes next on the way to the goal. An error ends the operation, and undoes what was changed until then.
    fn next(&mut self, observed: &Self::Observed) -> Result<Next, Diagnostic>;

    /// Tries what others may refuse or hold up. Only an interruption is an error.
    fn attempt(
        &mut self,
        cluster: &Cluster,
        _observed: &Self::Observed,
        tried: Vec<Change>,
        cancel: &CancellationToken,
    ) -> impl Future<Output = Result<Diagnostics, Error>> + Send {
        async move { Attempt::new(cluster, cancel).all(&tried).await }
    }

    /// How to leave it as it was found, as far as that is possible and meant.
    fn undo(&self, _before: &Self::Observed, _after: &Self::Observed) -> Script {
        Script::default()
    }

    /// Why what was run may still be to be done, and what to do then.
    fn undone(&self) -> &'static str {
        "Something else on the server holds it up or changes it back. Run `terraform apply` again."
    }

    /// The failure of a script as a diagnostic.
    fn failed(&self, error: &Error, _script: &Script, cx: &Context) -> Diagnostic {
        diagnose::error(&self.what(), error, cx)
    }
}

/// Where an operation got to.
pub(super) struct Reached<O> {
    /// What was seen last; `None` if that could not be looked at.
    pub observed: Option<O>,
    /// What is to be said of what did not go, or why the goal was not reached.
    pub outcome: Result<Diagnostics, Diagnostic>,
}

/// Brings a subject to its goal.
pub(super) async fn reconcile<S: Subject>(cx: &Context, cluster: &Cluster, subject: &mut S) -> Reached<S::Observed> {
    let lock = cluster.lock(subject.locked());
    let reached = match cluster.turn(&subject.locked(), &cx.cancel).await {
        Ok(_turn) => bring(cx, cluster, subject, &lock).await,
        Err(error) => {
            let diagnostic = subject.failed(&error, &Script::default(), cx);
            Reached { observed: None, outcome: Err(diagnostic) }
        }
    };
    cluster.unlock(lock).await;
    reached
}

async fn bring<S: Subject>(cx: &Context, cluster: &Cluster, subject: &mut S, lock: &Lock) -> Reached<S::Observed> {
    let mut first = None;
    let mut said: Option<Diagnostics> = None;
    let (mut last, mut repeated, mut losses) = (Script::default(), 0, 0);
    loop {
        // It may be lost with its session.
        let seen = match cluster.hold(lock, &cx.cancel).await {
            Ok(()) => subject.observe(cluster, &cx.cancel).await,
            Err(error) => Err(error),
        };
        let observed = match seen {
            Ok(observed) => observed,
            Err(error) if passes(&error) && losses < LOSSES => {
                losses += 1;
                pause(cx).await;
                continue;
            }
            Err(error) => {
                let diagnostic = subject.failed(&error, &Script::default(), cx);
                return fail(cluster, subject, first, diagnostic).await;
            }
        };
        let next = match subject.next(&observed) {
            Ok(next) => next,
            Err(diagnostic) if first.is_none() => {
                return Reached { observed: Some(observed), outcome: Err(diagnostic) };
            }
            // What came up on the way.
            Err(diagnostic) => return fail(cluster, subject, first, diagnostic).await,
        };
        if next.needed.is_empty() && (next.tried.is_empty() || said.is_some()) {
            return Reached { observed: Some(observed), outcome: Ok(said.unwrap_or_default()) };
        }
        let ran = if next.needed.is_empty() {
            subject
                .attempt(cluster, &observed, next.tried, &cx.cancel)
                .await
                .map(|diagnostics| said = Some(diagnostics))
        } else {
            repeated = if last == next.needed { repeated + 1 } else { 0 };
            last = next.needed;
            if repeated == PATIENCE {
                let diagnostic = undone(subject, &last);
                return fail(cluster, subject, first.or(Some(observed)), diagnostic).await;
            }
            cluster.run(&last, &cx.cancel).await
        };
        match ran {
            Ok(()) => {}
            Err(error) if passes(&error) && losses < LOSSES => {
                tracing::debug!("{error}; looking again");
                losses += 1;
                pause(cx).await;
            }
            Err(error) => {
                let diagnostic = subject.failed(&error, &last, cx);
                return fail(cluster, subject, first.or(Some(observed)), diagnostic).await;
            }
        }
        first = first.or(Some(observed));
    }
}

/// Who looks again at once may see a standby that is behind, or what is about to end.
async fn pause(cx: &Context) {
    tokio::select! {
        () = tokio::time::sleep(PAUSE) => {}
        () = cx.cancel.cancelled() => {}
    }
}

/// Whether to look again: what became of a change whose answer was lost is seen on a new connection, a lock that was not to be
/// had may be free now, and a database that was seen and is not there, or is not open, was dropped or closed meanwhile, or is not
/// so on this standby yet.
fn passes(error: &Error) -> bool {
    let passing =
        [SqlState::LOCK_NOT_AVAILABLE, SqlState::INVALID_CATALOG_NAME, SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE];
    error.is_lost() || error.sqlstate().is_some_and(|state| passing.contains(state))
}

/// Puts back what an operation leaves half done, where that is meant, and looks what is there now.
async fn fail<S: Subject>(
    cluster: &Cluster,
    subject: &mut S,
    before: Option<S::Observed>,
    mut diagnostic: Diagnostic,
) -> Reached<S::Observed> {
    let grace = grace();
    let mut observed = subject.observe(cluster, &grace).await.ok();
    if let (Some(before), Some(after)) = (&before, &observed) {
        let undo = subject.undo(before, after);
        if !undo.is_empty() {
            if let Err(error) = cluster.run(&undo, &grace).await {
                diagnostic.detail.push_str(&format!("\n\nIt could not be put back as it was: {error}."));
            }
            observed = subject.observe(cluster, &grace).await.ok().or(observed);
        }
    }
    Reached { observed, outcome: Err(diagnostic) }
}

/// A token that is cancelled when the time for cleaning up is over.
pub(super) fn grace() -> CancellationToken {
    let token = CancellationToken::new();
    let over = token.clone();
    tokio::spawn(async move {
        tokio::time::sleep(GRACE).await;
        over.cancel();
    });
    token
}

fn undone(subject: &impl Subject, left: &Script) -> Diagnostic {
    let left = left.0.iter().map(Step::summary).collect::<Vec<_>>().join(", ");
    Diagnostic::error(
        format!("Could not {}", subject.what()),
        format!("This was run {PATIENCE} times and is still to be done: {left}. {}", subject.undone()),
    )
}

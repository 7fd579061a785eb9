//! Changes that others may refuse or hold up: each is tried once, the later ones with less patience, and what did not go is told.
//! Which changes those are is decided in `tenant`.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::postgres::{Cluster, Error};
use crate::tenant::{Change, render_patiently};
use crate::tf_provider::Diagnostics;

use super::diagnose;

/// How long the changes of one operation may take together before those that are left wait for nobody.
const BOUND: Duration = Duration::from_secs(10);

/// How long a change waits for a lock, which the tenant itself can hold.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long it waits after the bound.
const HASTE: Duration = Duration::from_millis(100);

pub(super) struct Attempt<'a> {
    cluster: &'a Cluster,
    cancel: &'a CancellationToken,
    begun: Instant,
    /// What is to be said of those that did not go.
    pub said: Diagnostics,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(cluster: &'a Cluster, cancel: &'a CancellationToken) -> Self {
        Attempt { cluster, cancel, begun: Instant::now(), said: Diagnostics::default() }
    }

    pub(super) fn has_time(&self) -> bool {
        self.begun.elapsed() < BOUND
    }

    /// Whether the change went. Only an interruption is an error.
    pub(super) async fn change(&mut self, change: &Change) -> Result<bool, Error> {
        let script = render_patiently(change, if self.has_time() { PATIENCE } else { HASTE });
        let mut result = self.cluster.run(&script, self.cancel).await;
        if result.as_ref().is_err_and(Error::is_lost) {
            // To do it twice is to do it once.
            result = self.cluster.run(&script, self.cancel).await;
        }
        match result {
            Ok(()) => Ok(true),
            Err(error) if error.is_cancelled() => Err(error),
            Err(error) => {
                self.said.push(diagnose::not_done(&script, &error));
                Ok(false)
            }
        }
    }

    pub(super) async fn all(mut self, changes: &[Change]) -> Result<Diagnostics, Error> {
        for change in changes {
            self.change(change).await?;
        }
        Ok(self.said)
    }
}

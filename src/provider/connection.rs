//! The provider's way to the cluster: late, because the server may be made in the same apply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, MutexGuard, RwLock};
use tokio_util::sync::CancellationToken;

use crate::postgres::catalog::offer::Offer;
use crate::postgres::catalog::snapshot::Filter;
use crate::postgres::{Cluster, Error, Lock, ParameterName, RoleName};
use crate::tenant::capacity::{Budget, Overcommitment};
use crate::tenant::{Names, Observed, Sorted, TenantName, Trace, destroy, render};
use crate::tf_provider::{Context, Diagnostic};

use super::configuration::{Configured, ConnectionBudget};
use super::walk::Walk;
use super::{diagnose, reconcile};

/// How many tenants are kept locked after they were made: the server's table of locks is the tenants' as well.
const MOST_LOCKS: usize = 256;

/// Shared by all resources of the provider.
#[derive(Default)]
pub struct Connection {
    configured: RwLock<Option<Arc<Configured>>>,
    cluster: RwLock<Option<Arc<Cluster>>>,
    /// The cluster's snapshot, as it was asked for last.
    sorted: Mutex<Option<Arc<Sorted>>>,
    /// What the server said to a parameter's value, so that fifty tenants ask once.
    parameters: Mutex<BTreeMap<(ParameterName, String), Result<(), Error>>>,
    offer: Mutex<Option<Arc<Offer>>>,
    /// Roles that this admin may grant, as far as they were asked for.
    grantable: Mutex<BTreeSet<RoleName>>,
    walk: Mutex<Walk>,
    /// The tenants' limits, with those that were planned so far; `None` until a plan raises one.
    budget: Mutex<Option<Budget>>,
    /// Whether something was applied since the provider block came.
    applying: AtomicBool,
    /// Tenants of which Terraform was just told something that it has not written to its state yet, and the lock that keeps other
    /// processes out until then: one that makes the same tenant would take it up.
    unsettled: Mutex<BTreeMap<TenantName, (Names, Option<Lock>)>>,
}

impl Connection {
    /// Takes a new provider block. Terraform sends one for each walk; what was read before is stale.
    pub(super) async fn configure(&self, configured: Configured) {
        // Of an earlier run of Terraform that this process outlived.
        self.settle().await;
        *self.cluster.write().await = None;
        *self.sorted.lock().await = None;
        self.parameters.lock().await.clear();
        *self.offer.lock().await = None;
        self.grantable.lock().await.clear();
        *self.walk.lock().await = Walk::default();
        *self.budget.lock().await = None;
        self.applying.store(false, Ordering::SeqCst);
        *self.configured.write().await = Some(Arc::new(configured));
    }

    /// The cluster; `None` while the provider block holds values that are not known until apply.
    pub(super) async fn cluster(&self) -> Result<Option<Arc<Cluster>>, Error> {
        let cluster = self.present_cluster().await?;
        if let Some(cluster) = &cluster
            && self.applying.load(Ordering::SeqCst)
        {
            cluster.be_patient();
        }
        Ok(cluster)
    }

    async fn present_cluster(&self) -> Result<Option<Arc<Cluster>>, Error> {
        if let Some(cluster) = &*self.cluster.read().await {
            return Ok(Some(Arc::clone(cluster)));
        }
        let mut slot = self.cluster.write().await;
        if let Some(cluster) = &*slot {
            return Ok(Some(Arc::clone(cluster)));
        }
        let configured = self.configured.read().await.clone();
        let Some(configured) = configured else { return Ok(None) };
        let Some(options) = configured.options.clone() else { return Ok(None) };
        let cluster = Arc::new(Cluster::new(options, configured.max_connections)?);
        *slot = Some(Arc::clone(&cluster));
        Ok(Some(cluster))
    }

    /// The snapshot that reads are served from, for whoever looks for one tenant in it.
    pub(super) async fn sorted(&self, cluster: &Cluster, cancel: &CancellationToken) -> Result<Arc<Sorted>, Error> {
        let mut sorted = self.sorted.lock().await;
        let snapshot = cluster.snapshot(cancel).await?;
        match &*sorted {
            Some(sorted) if sorted.is_of(&snapshot) => Ok(Arc::clone(sorted)),
            _ => Ok(Arc::clone(sorted.insert(Arc::new(Sorted::new(snapshot))))),
        }
    }

    /// The cluster, for what cannot do without.
    pub(super) async fn required(&self, cx: &Context) -> Result<Arc<Cluster>, Diagnostic> {
        let cluster = self.cluster().await.map_err(|error| diagnose::error("connect", &error, cx))?;
        cluster.ok_or_else(diagnose::not_known)
    }

    /// Notes a tenant that Terraform was told of in this walk for the first time, or by a new name.
    pub(super) async fn unsettled(&self, names: Names) {
        let cluster = self.cluster().await.ok().flatten();
        let mut unsettled = self.unsettled.lock().await;
        let cluster = cluster.filter(|_| unsettled.len() < MOST_LOCKS);
        let lock = cluster.map(|cluster| cluster.keep_locked(names.shared().map(str::to_owned).into()));
        unsettled.insert(names.tenant.clone(), (names, lock));
    }

    /// Notes on the server that Terraform has heard of what it was told: it ends the provider in order.
    pub(super) async fn settle(&self) {
        let unsettled = std::mem::take(&mut *self.unsettled.lock().await);
        if unsettled.is_empty() {
            return;
        }
        let Ok(Some(cluster)) = self.cluster().await else { return };
        let comments = unsettled.keys().map(|tenant| Trace::of(tenant).now().to_owned()).collect();
        let cancel = reconcile::grace();
        let settled = async {
            let snapshot = cluster.inspect(&Filter::Only { names: Vec::new(), comments }, &cancel).await?;
            let changes: Vec<_> = unsettled
                .values()
                .flat_map(|(names, _)| destroy::settle(&Observed::locate(&snapshot, names)))
                .collect();
            cluster.run(&render(&changes), &cancel).await
        };
        if let Err(error) = settled.await {
            tracing::warn!("the next apply notes on the server what Terraform knows: {error}");
        }
    }

    /// What this walk has read and planned so far.
    pub(super) async fn walk(&self) -> MutexGuard<'_, Walk> {
        self.walk.lock().await
    }

    pub(super) async fn deep_verify(&self) -> bool {
        self.configured.read().await.as_ref().is_some_and(|configured| configured.deep_verify)
    }

    /// Notes that this walk applies. Terraform plans each resource once more before it applies it, and what was
    /// allowed in the plan is not to be refused when half of it is done.
    pub(super) fn note_apply(&self) {
        self.applying.store(true, Ordering::SeqCst);
    }

    /// Whether this walk has begun to apply.
    pub(super) fn is_applying(&self) -> bool {
        self.applying.load(Ordering::SeqCst)
    }

    pub(super) async fn connection_budget(&self) -> ConnectionBudget {
        self.configured.read().await.as_ref().map_or(ConnectionBudget::Off, |configured| configured.connection_budget)
    }

    /// Whether `tenant`, with `limit` connections, would take part in committing more than the server has:
    /// one query for all tenants of a plan. See [`Budget::plan`].
    pub(super) async fn overcommitment(
        &self,
        cluster: &Cluster,
        tenant: &TenantName,
        formerly: Option<&TenantName>,
        limit: i64,
        cancel: &CancellationToken,
    ) -> Result<Option<Overcommitment>, Error> {
        self.budgeted(cluster, cancel, |budget| budget.plan(tenant, formerly, limit)).await
    }

    /// The same of a further role of a tenant.
    pub(super) async fn overcommitment_by_role(
        &self,
        cluster: &Cluster,
        (role, formerly): (&RoleName, &RoleName),
        limit: i64,
        cancel: &CancellationToken,
    ) -> Result<Option<Overcommitment>, Error> {
        self.budgeted(cluster, cancel, |budget| budget.plan_role(role, formerly, limit)).await
    }

    async fn budgeted(
        &self,
        cluster: &Cluster,
        cancel: &CancellationToken,
        plan: impl FnOnce(&mut Budget) -> Option<Overcommitment>,
    ) -> Result<Option<Overcommitment>, Error> {
        if self.is_applying() {
            return Ok(None);
        }
        let mut budget = self.budget.lock().await;
        let budget = match &mut *budget {
            Some(budget) => budget,
            None => {
                let snapshot = cluster.snapshot(cancel).await?;
                budget.insert(Budget::new(&snapshot, cluster.inspect_capacity(cancel).await?))
            }
        };
        let found = plan(budget);
        // An apply that began meanwhile may show in what was read.
        Ok(found.filter(|_| !self.is_applying()))
    }

    /// Whether the server takes a parameter's value from this admin; asked once for each value.
    pub(super) async fn try_parameter(
        &self,
        cluster: &Cluster,
        name: &ParameterName,
        value: &str,
        cancel: &CancellationToken,
    ) -> Result<(), Error> {
        let mut answers = self.parameters.lock().await;
        let key = (name.clone(), value.to_owned());
        if let Some(answer) = answers.get(&key) {
            return answer.clone();
        }
        let answer = cluster.try_parameter(name, value, cancel).await;
        // What is not the server's answer may be another the next time.
        if matches!(answer, Ok(()) | Err(Error::Sql { .. })) {
            answers.insert(key, answer.clone());
        }
        answer
    }

    /// What the server offers to a tenant that is to be made; asked once.
    pub(super) async fn offer(&self, cluster: &Cluster, cancel: &CancellationToken) -> Result<Arc<Offer>, Error> {
        let mut offer = self.offer.lock().await;
        if let Some(offer) = &*offer {
            return Ok(Arc::clone(offer));
        }
        let read = Arc::new(cluster.inspect_offer(cancel).await?);
        *offer = Some(Arc::clone(&read));
        Ok(read)
    }

    /// Those of these roles that are there, and whether this admin may grant each. Only a yes is remembered: Terraform may make
    /// a role, or grant it, meanwhile.
    pub(super) async fn grantable(
        &self,
        cluster: &Cluster,
        roles: &BTreeSet<RoleName>,
        cancel: &CancellationToken,
    ) -> Result<BTreeMap<String, bool>, Error> {
        let mut known = self.grantable.lock().await;
        let unknown: BTreeSet<RoleName> = roles.difference(&known).cloned().collect();
        let mut grantable: BTreeMap<String, bool> =
            roles.intersection(&known).map(|role| (role.to_string(), true)).collect();
        if !unknown.is_empty() {
            grantable.extend(cluster.inspect_grantable(&unknown, cancel).await?);
        }
        known.extend(unknown.into_iter().filter(|role| grantable.get(role.as_str()) == Some(&true)));
        Ok(grantable)
    }
}

//! What the audit reads of a server: the shared catalogs once, then each tenant's database and what a login
//! as the tenant is asked, as many at a time as the provider may hold connections.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::postgres::catalog::reach::Home;
use crate::postgres::catalog::snapshot::{Filter, Snapshot};
use crate::postgres::{Cluster, DatabaseName, Error};
use crate::tenant::audit::Evidence;
use crate::tenant::capacity::{Sums, shares};
use crate::tenant::observed::Companion;
use crate::tenant::{Observed, Sorted, baseline, control, observed};
use crate::tf_provider::{Context, Diagnostic};

use super::super::tenant::operations;
use super::super::{cluster_baseline, diagnose, watchdog};
use super::Scope;

/// RDS's own database: it accepts connections, but pg_hba.conf there refuses everybody.
const CLOSED_OTHERWISE: [&str; 1] = ["rdsadmin"];

/// Reads what the audit needs. What one tenant's database does not answer is noted; what the server does
/// not answer ends it.
pub(super) async fn gather(cx: &Context, cluster: &Arc<Cluster>, scope: Scope) -> Result<Evidence, Diagnostic> {
    let failed = |error: Error| diagnose::error("audit the isolation", &error, cx);
    // As of now: what an earlier read of this process saw is no evidence.
    let snapshot = cluster.inspect(&Filter::Everything, &cx.cancel).await.map_err(failed)?;
    let snapshot = Sorted::new(Arc::new(snapshot));
    let tenants: Vec<Observed> = observed::tenants(&snapshot)
        .into_values()
        .filter(|names| scope.tenant.as_ref().is_none_or(|tenant| *tenant == names.tenant))
        .map(|names| Observed::locate(&snapshot.part(&names), &names))
        .collect();
    if let (Some(tenant), true) = (&scope.tenant, tenants.is_empty()) {
        return Err(missing(tenant.as_str()));
    }
    read(cluster, snapshot, tenants, scope, &cx.cancel).await.map_err(failed)
}

async fn read(
    cluster: &Arc<Cluster>,
    snapshot: Sorted,
    tenants: Vec<Observed>,
    scope: Scope,
    cancel: &CancellationToken,
) -> Result<Evidence, Error> {
    let home = |observed: &Observed| Some(Home { role: observed.role_name()?, database: observed.database_name() });
    let further = tenants.iter().flat_map(|observed| {
        let roles = observed.companions.iter().filter_map(Companion::name);
        roles.map(|role| Home { role, database: observed.database_name() })
    });
    let homes: Vec<_> = tenants.iter().filter_map(home).chain(further).collect();
    let reach = cluster.inspect_reach(&homes, &CLOSED_OTHERWISE, cancel).await?;
    let setup = cluster.inspect_setup(&control::parameters(), cancel).await?;
    let capacity = cluster.inspect_capacity(cancel).await?;
    let connections = Sums::of(&shares(&snapshot, &capacity), &capacity);
    let baseline = read_baseline(cluster, &snapshot, cancel).await?;
    let watchdog = Some(watchdog::inspect(cluster, cancel).await?).filter(|observed| observed.exists());
    let snapshot = Arc::new(snapshot);
    let (tenants, companions): (Vec<_>, Vec<_>) =
        visit_all(cluster, tenants, &snapshot, cancel).await?.into_iter().unzip();
    Ok(Evidence {
        server: snapshot.server.clone(),
        address: cluster.address(),
        database: cluster.maintenance().clone(),
        tenants,
        companions: companions.into_iter().flatten().collect(),
        member_of: scope.member_of,
        accept: scope.accept,
        accept_cluster: scope.accept_cluster,
        baseline,
        watchdog,
        reach,
        setup,
        connections,
    })
}

/// Those of the databases that every server has which are there, and why some were not entered.
async fn read_baseline(
    cluster: &Cluster,
    snapshot: &Snapshot,
    cancel: &CancellationToken,
) -> Result<baseline::Observed, Error> {
    let names = baseline::DATABASES.map(|name| name.parse::<DatabaseName>().expect("a name"));
    let mut observed = baseline::Observed::locate(snapshot, &names.clone().into());
    observed.databases.retain(|_, place| place.is_some());
    for name in names {
        let mut one = observed.clone();
        one.databases.retain(|other, _| *other == name);
        let entered = cluster_baseline::enter(cluster, &mut one, cancel).await;
        let Some(mut place) = one.databases.remove(&name).flatten() else { continue };
        if let Some(why) = noted(entered)? {
            place.inside = Err(why);
        }
        observed.databases.insert(name, Some(place));
    }
    Ok(observed)
}

/// Visits every tenant. The cluster lets in as many at a time as it may hold connections.
async fn visit_all(
    cluster: &Arc<Cluster>,
    tenants: Vec<Observed>,
    snapshot: &Arc<Sorted>,
    cancel: &CancellationToken,
) -> Result<Vec<(Observed, Vec<Observed>)>, Error> {
    let mut visits = JoinSet::new();
    for (number, observed) in tenants.into_iter().enumerate() {
        let (cluster, snapshot, cancel) = (Arc::clone(cluster), Arc::clone(snapshot), cancel.clone());
        let visit = async move { visit(&cluster, &snapshot, observed, &cancel).await.map(|tenant| (number, tenant)) };
        visits.spawn(visit);
    }
    let mut visited = BTreeMap::new();
    while let Some(joined) = visits.join_next().await {
        let (number, tenant) = joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        visited.insert(number, tenant);
    }
    Ok(visited.into_values().collect())
}

/// A tenant, and its further roles.
async fn visit(
    cluster: &Cluster,
    snapshot: &Sorted,
    mut observed: Observed,
    cancel: &CancellationToken,
) -> Result<(Observed, Vec<Observed>), Error> {
    let looked = operations::look(cluster, &mut observed, true, cancel).await;
    let mut companions = Vec::new();
    for role in observed.companions.iter().filter_map(Companion::name) {
        let part = snapshot.part_of(&observed.names.tenant, &[&role]);
        let mut companion = Observed::companion(&part, &observed, &role);
        if let Some(database) = observed.database_name() {
            let asked = cluster.begin_login(&role, &database, None, cancel).await;
            companion.login = asked.map_err(|error| error.to_string());
        }
        companions.push(companion);
    }
    operations::leave(cluster, &observed).await;
    if cancel.is_cancelled() {
        looked?;
    }
    Ok((observed, companions))
}

/// Why something could not be looked at. That the audit was interrupted ends it.
fn noted(result: Result<(), Error>) -> Result<Option<String>, Error> {
    match result {
        Ok(()) => Ok(None),
        Err(error) if error.is_cancelled() => Err(error),
        Err(error) => Ok(Some(error.to_string())),
    }
}

fn missing(tenant: &str) -> Diagnostic {
    Diagnostic::error(
        format!("There is no tenant {tenant:?}"),
        "No database and no role on this server carry the marker of a tenant of that name. Leave it out to look at all; \
         the data source `pgtenant_tenants` lists them.",
    )
    .at_attribute("tenant")
}

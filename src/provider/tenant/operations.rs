//! What becomes of a tenant on the server: made, changed, finished, destroyed. What Terraform is told of
//! it is `tenant.rs`.

use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;

use crate::postgres::catalog::inside::Look;
use crate::postgres::catalog::snapshot::{Filter, Snapshot};
use crate::postgres::{Challenge, Cluster, Error, SchemaName, Secret, Verifier};
use crate::tenant::marker::ANY_PREFIX;
use crate::tenant::{Change, Desired, Marker, Names, Observed, destroy, diff, render};
use crate::tf_provider::{Context, Diagnostic, Diagnostics};

use super::super::{controls, diagnose};
use super::{Model, Private, occupied, protected};

/// More rounds than any tenant needs: make, open, fill, and one to see that nothing is left.
const ROUNDS: usize = 6;

/// Observes, runs what differs, and observes again, until nothing differs: the one path of create,
/// update and finishing what was interrupted.
pub(super) async fn converge(
    cx: &Context,
    cluster: &Cluster,
    model: &Model,
    prior: Option<&Model>,
    password: Option<&Secret>,
    private: &mut Private,
    deep: bool,
) -> Result<(Model, Diagnostics), Diagnostic> {
    let mut desired = model.desired()?;
    let verb = if prior.is_some() { "update" } else { "create" };
    let what = format!("{verb} tenant {:?}", desired.names.tenant.as_str());
    let before = match prior {
        Some(prior) => prior.names()?,
        None => desired.names.clone(),
    };
    let verifier = password
        .map(Verifier::from_password_or_verifier)
        .transpose()
        .map_err(|error| Diagnostic::error("Not a SCRAM verifier", error.to_string()).at_attribute("password_wo"))?;
    if prior.is_none_or(|prior| prior.password_wo_version != model.password_wo_version) {
        desired.password.clone_from(&verifier);
    }
    desired.password_if_changed.clone_from(&verifier);
    let failed = |error: Error| diagnose::error(&what, &error, cx);
    for round in 0..ROUNDS {
        let (snapshot, mut observed) = inspect(cluster, &before, &desired.names, &cx.cancel).await.map_err(&failed)?;
        if round == 0
            && prior.is_none()
            && let Some(conflict) = observed.conflict(&snapshot, &desired.names)
        {
            return Err(occupied(&conflict, &desired.names));
        }
        if observed.role.is_none() {
            desired.password.clone_from(&verifier);
        }
        enter(cluster, &before, &mut observed, &cx.cancel).await.map_err(&failed)?;
        if deep {
            let set_last = private.password.as_ref();
            probe_password(cluster, &mut observed, set_last, &cx.cancel).await.map_err(&failed)?;
        }
        let changes = diff(&desired, &observed);
        if changes.is_empty() {
            leave(cluster, &observed).await;
            return Ok(finished(model, &desired, &observed));
        }
        if round + 1 == ROUNDS {
            let left = render(&changes).0.iter().map(crate::postgres::Step::summary).collect::<Vec<_>>().join(", ");
            return Err(Diagnostic::error(
                format!("Could not {what}"),
                format!(
                    "Something else on the server undoes what is done: this is left after {ROUNDS} rounds: {left}."
                ),
            ));
        }
        if changes.iter().any(|change| matches!(change, Change::RenameDatabase { .. })) {
            // Which it cannot be while we are in it.
            leave(cluster, &observed).await;
        }
        let result = cluster.run(&render(&changes), &cx.cancel).await;
        if result.is_err() {
            leave(cluster, &observed).await;
        }
        result.map_err(|error| about_extensions(failed(error.clone()), &error, &changes))?;
        let set = changes.iter().rev().find_map(|change| match change {
            Change::SetPassword { verifier, .. } => Some(verifier),
            Change::CreateRole { password, .. } => password.as_ref(),
            _ => None,
        });
        private.password = set.map(Verifier::challenge).or(private.password.take());
        desired.password = None;
    }
    unreachable!("the last round returns")
}

/// The state after an update that failed: what is there, as far as that can be told.
pub(super) async fn reached(cluster: &Cluster, prior: &Model, model: &Model) -> Model {
    let cancel = CancellationToken::new();
    let (Ok(before), Ok(after)) = (prior.names(), model.names()) else { return prior.clone() };
    let Ok((_, mut observed)) = inspect(cluster, &before, &after, &cancel).await else { return prior.clone() };
    let Ok(expected) = prior.desired() else { return prior.clone() };
    let _ = enter(cluster, &before, &mut observed, &cancel).await;
    leave(cluster, &observed).await;
    prior.clone().observe(&expected, &observed)
}

pub(super) async fn destroy(cx: &Context, cluster: &Cluster, model: &Model) -> Result<(), Diagnostic> {
    if let Some(diagnostic) = protected(model) {
        return Err(diagnostic);
    }
    let names = model.names()?;
    let archive = model.on_destroy.as_known().is_some_and(|choice| choice == "archive");
    let force = model.force_destroy.known().unwrap_or(false);
    let what = format!("{} tenant {:?}", if archive { "archive" } else { "destroy" }, names.tenant.as_str());
    let failed = |error: Error| diagnose::error(&what, &error, cx);
    let (_, observed) = inspect(cluster, &names, &names, &cx.cancel).await.map_err(failed)?;
    if let (Some(database), false) = (&observed.database, force)
        && database.sessions > 0
    {
        return Err(Diagnostic::error(
            format!("Could not {what}"),
            format!(
                "Sessions are connected to database {:?}: {}. End them, or set `force_destroy = true` and apply; \
                 nothing was changed.",
                database.name, database.sessions
            ),
        )
        .at_attribute("force_destroy"));
    }
    if archive {
        let script = render(&destroy::archive(&names, &observed));
        return cluster.run(&script, &cx.cancel).await.map_err(failed);
    }
    let elsewhere = destroy::owned_elsewhere(&observed);
    if !elsewhere.is_empty() {
        let places =
            elsewhere.iter().map(|(place, count)| format!("{count} in {place}")).collect::<Vec<_>>().join(", ");
        return Err(Diagnostic::error(
            format!("Could not {what}"),
            format!(
                "Its role owns objects outside its own database: {places}. Drop them, or give them to another role \
                 (REASSIGN OWNED); nothing was changed."
            ),
        ));
    }
    if let Some(database) = observed.database_name() {
        let close = if force { destroy::close_by_force(&observed) } else { destroy::close(&observed) };
        cluster.run(&render(&close), &cx.cancel).await.map_err(failed)?;
        let drop = render(&[Change::DropDatabase { database, force }]);
        if let Err(error) = cluster.run(&drop, &cx.cancel).await {
            // Interrupted or not: a tenant that is still there is not left shut out.
            let reopened = cluster.run(&render(&destroy::reopen(&observed)), &CancellationToken::new()).await;
            let mut diagnostic = failed(error);
            if let Err(error) = reopened {
                diagnostic.detail.push_str(&format!("\n\nThe tenant was left closed: {error}."));
            }
            return Err(diagnostic);
        }
    }
    let (_, observed) = inspect(cluster, &names, &names, &cx.cancel).await.map_err(failed)?;
    cluster.run(&render(&destroy::drop_role(&observed)), &cx.cancel).await.map_err(failed)
}

/// Points a failure at `extensions`, where extensions were being made and SQLSTATE fits.
fn about_extensions(diagnostic: Diagnostic, error: &Error, changes: &[Change]) -> Diagnostic {
    const STATES: [SqlState; 3] =
        [SqlState::UNDEFINED_FILE, SqlState::FEATURE_NOT_SUPPORTED, SqlState::INSUFFICIENT_PRIVILEGE];
    let makes_some = changes.iter().any(|change| matches!(change, Change::CreateExtension { .. }));
    if !makes_some || !error.sqlstate().is_some_and(|state| STATES.contains(state)) {
        return diagnostic;
    }
    let mut diagnostic = diagnostic.at_attribute("extensions");
    diagnostic.detail.push_str(
        "\n\nIf it is about an extension: the server must have it installed (`SELECT name FROM \
         pg_available_extensions`), and it must be a trusted one unless the admin is a superuser.",
    );
    diagnostic
}

/// What the shared catalogs say now of a tenant that had the names `before` and is to have `after`.
async fn inspect(
    cluster: &Cluster,
    before: &Names,
    after: &Names,
    cancel: &CancellationToken,
) -> Result<(Snapshot, Observed), Error> {
    let both = [before, after];
    let filter = Filter::Only {
        names: both.iter().flat_map(|n| [n.database.as_str().to_owned(), n.role.as_str().to_owned()]).collect(),
        comment_prefixes: both.iter().map(|names| Marker::prefix(&names.tenant)).collect(),
    };
    let snapshot = cluster.inspect(&filter, cancel).await?;
    let observed = Observed::locate(&snapshot, before);
    // Once the markers carry the new name, nothing is found by the old one.
    let observed = if observed.database.is_none() { Observed::locate(&snapshot, after) } else { observed };
    Ok((snapshot, observed))
}

/// Adds what only a session inside the database sees, if one is let in.
pub(in super::super) async fn enter(
    cluster: &Cluster,
    names: &Names,
    observed: &mut Observed,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let let_in = observed.database.as_ref().is_some_and(|database| database.connectable);
    let Some(database) = observed.database_name().filter(|_| let_in && observed.role.is_some()) else { return Ok(()) };
    let extensions: SchemaName = crate::tenant::names::EXTENSIONS_SCHEMA.parse().expect("a name");
    let at_home = observed.at_home();
    let look = Look {
        schemas: &[&names.schema, &extensions],
        comment_prefix: Some(ANY_PREFIX),
        expected_roles: Some(&at_home),
    };
    observed.inside = Some(cluster.inspect_inside(&database, &look, cancel).await?);
    Ok(())
}

/// Adds whether the server holds another password than the one that was set last.
pub(super) async fn probe_password(
    cluster: &Cluster,
    observed: &mut Observed,
    set_last: Option<&Challenge>,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let (Some(set_last), Some(role), Some(database)) = (set_last, observed.role_name(), observed.database_name())
    else {
        return Ok(());
    };
    // A server that does not ask this role for SCRAM tells nothing.
    observed.password_changed =
        cluster.begin_login(&role, &database, cancel).await?.challenge().map(|found| found != *set_last);
    Ok(())
}

/// Ends our own sessions with the tenant's database.
pub(in super::super) async fn leave(cluster: &Cluster, observed: &Observed) {
    if let Some(database) = observed.database_name() {
        cluster.leave(&database).await;
    }
}

/// The state that was reached, and a word on what this admin could not enforce.
fn finished(model: &Model, desired: &Desired, observed: &Observed) -> (Model, Diagnostics) {
    let mut state = model.clone().observe(desired, observed);
    let found = state.isolation.known_entries().unwrap_or_default();
    let planned = model.isolation.known_entries();
    let rest = "The rest of the tenant is as it should be.";
    let (isolation, diagnostics) = controls::settled("isolation", planned.as_ref(), found, rest);
    state.isolation = isolation.into_iter().collect();
    (state, diagnostics)
}

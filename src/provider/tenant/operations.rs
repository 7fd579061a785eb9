//! What becomes of a tenant on the server: made, changed, finished, destroyed. What Terraform is told of
//! it is `tenant.rs`.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::postgres::catalog::snapshot::{Filter, Snapshot};
use crate::postgres::error::SqlState;
use crate::postgres::{Cluster, Error, Secret, Verifier};
use crate::tenant::{Change, Desired, Marker, Names, Observed, Repair, destroy, findings, render, repair};
use crate::tf_provider::{Context, Diagnostic, Diagnostics, Field};

use super::super::controls::{self, Statuses};
use super::super::diagnose;
use super::super::trying::Attempt;
use super::taken::occupied;
use super::{Model, protected};

/// More rounds than any tenant needs: rename, make, open, fill, and one to see that nothing is left.
const ROUNDS: usize = 7;

/// How long the reading of one database may take: what is in it is the tenant's to make large.
const PATIENCE: Duration = Duration::from_secs(15);

/// What an apply reached: the state, the statuses of its controls, and what is to be said.
pub(super) struct Reached {
    pub state: Model,
    pub statuses: Statuses,
    pub diagnostics: Diagnostics,
}

/// Observes, runs what is needed, and observes again, until nothing is; then tries what others may refuse or hold up. The one
/// path of create, update and finishing what was interrupted.
pub(super) async fn converge(
    cx: &Context,
    cluster: &Cluster,
    model: &Model,
    prior: Option<&Model>,
    password: Option<&Secret>,
    deep: bool,
) -> Result<Reached, Diagnostic> {
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
    let failed = |error: Error| diagnose::error(&what, &error, cx);
    let mut tried: Option<Diagnostics> = None;
    let mut suspends = false;
    // What the server asks of a login, once it was asked.
    let mut login = None;
    for round in 0..ROUNDS {
        let (snapshot, mut observed) = inspect(cluster, &before, &desired.names, &cx.cancel).await.map_err(&failed)?;
        if round == 0
            && prior.is_none()
            && let Some(conflict) = observed.conflict(&snapshot, &desired.names)
        {
            return Err(occupied(&conflict, &snapshot, &desired.names));
        }
        if observed.role.is_none() {
            desired.password.clone_from(&verifier);
        }
        let must_leave = !desired.login && observed.role.as_ref().is_some_and(|role| role.login);
        suspends |= must_leave;
        // Who is to be shut out is shut out before anything of it is read.
        if !must_leave {
            let looked = look(cluster, &mut observed, deep && login.is_none(), &cx.cancel).await;
            observed.login = login.take().unwrap_or(observed.login);
            if let Err(error) = looked
                // A tenant that is not complete cannot be finished unseen.
                && (cx.cancel.is_cancelled() || !observed.is_complete())
            {
                leave(cluster, &observed).await;
                return Err(failed(error));
            }
            login = Some(observed.login.clone());
        }
        if observed.password_changed() == Some(true) {
            desired.password.clone_from(&verifier);
        }
        let mut repair = repair(&desired, &observed);
        if tried.is_some() {
            repair.tried.clear();
        }
        if suspends {
            // To shut a tenant out is urgent, and what it stored can take long to tidy: that is the next apply's.
            repair.tried.retain(|change| !matches!(change, Change::Tidy { .. }));
        }
        if repair.is_empty() {
            leave(cluster, &observed).await;
            return Ok(finished(model, &desired, &observed, tried.unwrap_or_default()));
        }
        if round + 1 == ROUNDS {
            let left =
                render(&repair.needed).0.iter().map(crate::postgres::Step::summary).collect::<Vec<_>>().join(", ");
            return Err(Diagnostic::error(
                format!("Could not {what}"),
                format!(
                    "Something else on the server undoes what is done: this is left after {ROUNDS} rounds: {left}."
                ),
            ));
        }
        if repair.needed.iter().chain(&repair.tried).any(Change::changes_login) {
            login = None;
        }
        if repair.needed.is_empty() {
            let said = attempt(cx, cluster, &desired, &observed, repair).await;
            if cx.cancel.is_cancelled() {
                leave(cluster, &observed).await;
            }
            tried = Some(said.map_err(&failed)?);
            continue;
        }
        let changes = &repair.needed;
        if changes.iter().any(|change| matches!(change, Change::RenameDatabase { .. })) {
            // Which it cannot be while we are in it.
            leave(cluster, &observed).await;
        }
        let result = cluster.run(&render(changes), &cx.cancel).await;
        if result.is_err() {
            leave(cluster, &observed).await;
        }
        result.map_err(|error| about_extensions(failed(error.clone()), &error, changes))?;
        desired.password = None;
    }
    unreachable!("the last round returns")
}

/// Tries each change once, and says which did not go. Only an interruption ends it.
async fn attempt(
    cx: &Context,
    cluster: &Cluster,
    desired: &Desired,
    observed: &Observed,
    repair: Repair,
) -> Result<Diagnostics, Error> {
    let mut attempt = Attempt::new(cluster, &cx.cancel);
    for change in repair.tried {
        let mut went = attempt.change(&change).await?;
        let mut left = observed.inside.clone();
        // A batch at a time, until nothing moves.
        while went && matches!(change, Change::Tidy { .. }) && attempt.has_time() {
            let mut again = observed.clone();
            match look(cluster, &mut again, false, &cx.cancel).await {
                Err(error) if error.is_cancelled() => return Err(error),
                // The state says that it could not be read.
                Err(_) => break,
                Ok(()) => {}
            }
            let is_left = crate::tenant::repair(desired, &again).tried.contains(&change);
            if !is_left || again.inside == left {
                break;
            }
            left = again.inside;
            went = attempt.change(&change).await?;
        }
    }
    Ok(attempt.said)
}

/// The state after an update that failed: what is there, as far as that can be told.
pub(super) async fn reached(cluster: &Cluster, prior: &Model, model: &Model) -> Option<(Model, Statuses)> {
    let cancel = CancellationToken::new();
    let (before, after, expected) = (prior.names().ok()?, model.names().ok()?, prior.desired().ok()?);
    let (_, mut observed) = inspect(cluster, &before, &after, &cancel).await.ok()?;
    let _ = look(cluster, &mut observed, false, &cancel).await;
    leave(cluster, &observed).await;
    Some(prior.clone().observe(&expected, &observed))
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

/// Adds what only a session inside the database sees, if one is let in, and with `deep` what the server asks of a login. What
/// cannot be read is noted with the reason, and told as an error as well.
pub(in super::super) async fn look(
    cluster: &Cluster,
    observed: &mut Observed,
    deep: bool,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let entered = enter(cluster, observed, cancel).await;
    if deep && let (Some(role), Some(database)) = (observed.role_name(), observed.database_name()) {
        let asked = cluster.begin_login(&role, &database, cancel).await;
        observed.login = asked.map_err(|error| error.to_string());
    }
    entered
}

async fn enter(cluster: &Cluster, observed: &mut Observed, cancel: &CancellationToken) -> Result<(), Error> {
    let Some(database) = observed.database_name().filter(|_| observed.is_enterable()) else {
        observed.inside = Err(why_not_entered(observed).to_owned());
        return Ok(());
    };
    let limit = cancel.child_token();
    let read = cluster.inspect_inside(&database, &limit);
    let inside = tokio::select! {
        inside = read => inside,
        () = async { tokio::time::sleep(PATIENCE).await; limit.cancel(); std::future::pending().await } => unreachable!(),
    };
    match inside {
        Ok(inside) => {
            observed.inside = Ok(inside);
            Ok(())
        }
        Err(error) => {
            let error = match error {
                Error::Cancelled { summary } if !cancel.is_cancelled() => Error::TooSlow { summary, after: PATIENCE },
                error => error,
            };
            observed.inside = Err(error.to_string());
            Err(error)
        }
    }
}

fn why_not_entered(observed: &Observed) -> &'static str {
    match (&observed.database, &observed.role) {
        (None, _) => "its database is missing",
        (_, None) => "its role is missing",
        (Some(database), _) if !database.allow_connections => "its database accepts no connections",
        _ => "this admin may not connect to its database",
    }
}

/// Ends our own sessions with the tenant's database.
pub(in super::super) async fn leave(cluster: &Cluster, observed: &Observed) {
    if let Some(database) = observed.database_name() {
        cluster.leave(&database).await;
    }
}

/// The state that was reached, and a word on what could not be enforced. What was planned stands.
fn finished(model: &Model, desired: &Desired, observed: &Observed, tried: Diagnostics) -> Reached {
    let findings = super::named(findings(desired, observed));
    let rest = "To repair it, ask a superuser or the object's owner; to keep it, give the reason in `accept`.";
    let (isolation, statuses, mut diagnostics) = controls::settled("isolation", &model.isolation, &findings, rest);
    diagnostics.extend(tried);
    let (found, _) = model.clone().observe(desired, observed);
    let settle = |planned: &Field<String>, found: Field<String>| {
        if planned.is_unknown() { found } else { planned.clone() }
    };
    let state = Model {
        isolation,
        encoding: settle(&model.encoding, found.encoding),
        locale_provider: settle(&model.locale_provider, found.locale_provider),
        lc_collate: settle(&model.lc_collate, found.lc_collate),
        lc_ctype: settle(&model.lc_ctype, found.lc_ctype),
        locale: settle(&model.locale, found.locale),
        ..model.clone()
    };
    Reached { state, statuses, diagnostics }
}

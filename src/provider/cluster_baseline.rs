//! `pgtenant_cluster_baseline`: closes what every tenant can reach because everybody can.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::postgres::catalog::login::Login;
use crate::postgres::catalog::snapshot::Filter;
use crate::postgres::error::SqlState;
use crate::postgres::{Cluster, ConnectError, DatabaseName, Error, RoleName, Script};
use crate::tenant::baseline::{self, Accept, DATABASES, Observed};
use crate::tenant::{Control, Of, render};
use crate::tf_provider::{
    Applied, ApplyRequest, Attributes, Context, Diagnostic, Diagnostics, Field, Item, Path, PlanRequest, Planned,
    Resource, Schema, Set, Severity, State, Value, async_trait, model, timeouts,
};

use super::accept::{Reasons, Whose};
use super::connection::Connection;
use super::controls::{self, Controls, Statuses};
use super::reconcile::{Next, Reached, Subject, reconcile};
use super::remembered::Remembered;
use super::walk::{self, Claim};
use super::{diagnose, names};

/// There is one of it.
const ID: &str = "cluster";

pub(super) struct BaselineResource {
    connection: Arc<Connection>,
}

impl BaselineResource {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        BaselineResource { connection }
    }
}

fn schema() -> Schema {
    Model::schema(
        0,
        "Closes what every tenant can reach outside its own database. A new server lets every role \
         connect to `postgres` and `template1`, and one that was made before PostgreSQL 15 lets it \
         create objects there. This takes all of PUBLIC's privileges on those databases, and its \
         CREATE in their schema `public`; a refresh enters each of them for a moment to see. One for \
         each server is enough.\n\n\
         Every role that is not named in a grant is kept out then. Before you apply, let those in by \
         name that do work there, such as monitoring: `GRANT CONNECT ON DATABASE postgres TO \
         monitoring`. The role that this provider logs in as is looked after: closing a database that \
         it could not enter any more is refused. Existing sessions are not ended.",
    )
}

model! {
    #[derive(Clone, Debug, Default)]
    struct Model {
        databases: Field<Set<Item<String>>> = optional_computed(
            "The databases that are closed, each of which must exist. Default: `[\"postgres\", \"template1\"]`. One \
             that is taken off the list stays closed, unless `restore_on_destroy` is set."
        )
        .default(DATABASES.to_vec()),
        restore_on_destroy: Field<bool> = optional_computed(
            "Whether a destroy gives back what was taken from PUBLIC when the databases were first closed, and nothing \
             else; what somebody granted later, and an apply took back, is not given. By default a destroy changes \
             nothing on the server: the databases stay closed. Set it to `true` and apply before you destroy. What was taken \
             stands on the server, as the first line of the comment on the database and on its schema `public`; the \
             rest of the comment stays as it is. Without that line nothing is given back."
        )
        .default(false),
        accept: Reasons = optional(
            "Keys of `controls` whose findings are meant to be, each with the reason: `{ other_databases = \"reports are for \
             everybody\" }`. What is found then is not repaired and is no drift; the reason is part of the evidence."
        ),
        controls: Controls = computed(format!(
            "What was found of each control: of each database, and of the server. The value is `enforced`, or begins with one of \
             these: `found: ` is what an apply repairs. `not permitted: ` is what this admin may not change, because it does \
             not own the object: it stays in the plan until it is repaired or accepted. `accepted: ` is what `accept` \
             names, or what only a superuser may change on this major of PostgreSQL. `not inspected: ` could not be read; \
             the reason follows.\n\n{}\n{}",
            Control::all(Of::Database).map(Control::row).map(|row| format!("  - `<database>.{}`: {} {}", row.name, row.about, row.expected))
                .collect::<Vec<_>>().join("\n"),
            Control::all(Of::Cluster).map(Control::row).map(|row| format!("  - `{}`: {} {}", row.name, row.about, row.expected))
                .collect::<Vec<_>>().join("\n")
        )),
        id: Field<String> = computed(format!("Always `{ID}`.")),
        timeouts: Value = block(timeouts::block(&["create", "read", "update", "delete"])),
    }
}

impl Model {
    /// The databases that are known.
    fn databases(&self) -> Result<BTreeSet<DatabaseName>, Diagnostic> {
        let names = self.databases.known_elements();
        names.map(|name| names::parse(Path::attribute("databases"), name)).collect()
    }

    fn restores(&self) -> bool {
        self.restore_on_destroy == Field::Known(true)
    }

    /// What is accepted, by the keys of `controls`.
    fn accepted(&self) -> Accept {
        self.accept.known_entries().unwrap_or_default()
    }

    /// This state with what was observed.
    fn observe(mut self, observed: &Observed) -> (Self, Statuses) {
        let findings = baseline::assess(observed, &self.accepted());
        self.controls = controls::described(&findings);
        (self, Statuses::of(&findings))
    }
}

#[async_trait]
impl Resource for BaselineResource {
    fn type_name(&self) -> &'static str {
        "pgtenant_cluster_baseline"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let config = match Model::decode(config) {
            Ok(config) => config,
            Err(diagnostics) => return diagnostics,
        };
        let mut diagnostics = Diagnostics::default();
        if config.databases.as_known().is_some_and(Set::is_empty) {
            diagnostics.push(
                Diagnostic::error(
                    "No databases to close",
                    "Name at least one, or leave `databases` out for `postgres` and `template1`.",
                )
                .at_attribute("databases"),
            );
        }
        for name in config.databases.known_elements() {
            if let Err(diagnostic) = names::parse::<DatabaseName>(Path::attribute("databases"), name) {
                diagnostics.push(diagnostic);
            }
        }
        diagnostics.extend(Whose::Cluster.check_all(&config.accept));
        diagnostics
    }

    async fn read(&self, cx: &Context, state: State) -> Result<Option<State>, Diagnostics> {
        let failed = |error: Error| diagnose::error("read the baseline", &error, cx);
        let Some(cluster) = self.connection.cluster().await.map_err(failed)? else {
            return Ok(Some(State { diagnostics: diagnose::not_refreshed().into(), ..state }));
        };
        let model = Model::decode(&state.value)?;
        let snapshot = cluster.snapshot(&cx.cancel).await.map_err(failed)?;
        let mut observed = Observed::locate(&snapshot, &model.databases()?);
        enter(&cluster, &mut observed, &cx.cancel).await.map_err(failed)?;
        let (model, statuses) = model.observe(&observed);
        Ok(Some(State { value: model.encode(), private: statuses.encode(), ..state }))
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> Planned {
        let (prior, mut model) = match request.models::<Model>() {
            Ok(models) => models,
            Err(diagnostics) => return request.refused(diagnostics),
        };
        model.id = Field::Known(ID.to_owned());
        let unchanged = prior.as_ref().filter(|prior| prior.databases == model.databases);
        let statuses = Statuses::decode(&request.private);
        if let Some(before) = unchanged {
            let accept = (&before.accept, &model.accept.clone());
            model.controls = controls::planned(&before.controls, &statuses, accept, false);
            if request.prior.as_ref() != Some(&model.clone().encode()) {
                model.controls = controls::planned(&before.controls, &statuses, accept, true);
            }
        } else {
            model.controls = Field::Unknown;
        }
        let mut diagnostics = Diagnostics::default();
        if !request.is_second() && !self.connection.walk().await.claim(Claim::Baseline, ID) {
            diagnostics.push(walk::two_of("pgtenant_cluster_baseline"));
        }
        let value = model.clone().encode();
        if request.prior.as_ref() != Some(&value)
            && let Err(error) = self.check_plan(cx, &model, prior.as_ref(), &mut diagnostics).await
        {
            diagnostics.push(diagnose::error("plan the baseline", &error, cx));
        }
        Planned { value, private: request.private, diagnostics, ..Planned::default() }
    }

    async fn apply(&self, cx: &Context, request: ApplyRequest) -> Applied {
        let (prior, planned) = match request.models::<Model>() {
            Ok(models) => models,
            Err(diagnostics) => return request.unchanged(diagnostics),
        };
        if planned.is_none() && !prior.as_ref().is_some_and(Model::restores) {
            // Nothing to do, even where the server is gone.
            return Applied::default();
        }
        let cluster = match self.connection.required(cx).await {
            Ok(cluster) => cluster,
            Err(diagnostic) => return request.unchanged(diagnostic),
        };
        let before = prior.as_ref().and_then(|prior| prior.databases().ok()).unwrap_or_default();
        let Some(model) = planned else {
            return match give_back(cx, &cluster, before, BTreeSet::new()).await {
                Ok(diagnostics) => Applied { diagnostics, ..Applied::default() },
                Err(diagnostic) => request.unchanged(diagnostic),
            };
        };
        let databases = match model.databases() {
            Ok(databases) => databases,
            Err(diagnostic) => return request.unchanged(diagnostic),
        };
        let mut closing = Closing { databases: databases.clone(), accept: model.accepted() };
        let Reached { observed, outcome } = reconcile(cx, &cluster, &mut closing).await;
        match (outcome, observed) {
            (Ok(said), Some(Doors { observed, .. })) => {
                let (state, statuses, mut diagnostics) = finished(&model, &observed, said);
                if model.restores() {
                    match give_back(cx, &cluster, before, databases).await {
                        Ok(said) => diagnostics.extend(said),
                        Err(diagnostic) => diagnostics.push(diagnostic),
                    }
                }
                Applied { state: Some(state.encode()), private: statuses.encode(), diagnostics }
            }
            // A create that failed is in the state as well: the next apply goes on from there.
            (Err(diagnostic), Some(Doors { observed, .. })) => {
                let (state, statuses) = prior.unwrap_or(model).observe(&observed);
                Applied { state: Some(state.encode()), private: statuses.encode(), diagnostics: diagnostic.into() }
            }
            (Err(diagnostic), None) => request.unchanged(diagnostic),
            (Ok(_), None) => unreachable!("a goal is reached where it was seen"),
        }
    }

    async fn import(&self, cx: &Context, id: &str) -> Result<State, Diagnostics> {
        let failed = |error: Error| diagnose::error("import the baseline", &error, cx);
        if id != ID {
            return Err(Diagnostic::error(
                format!("There is no baseline {id:?}"),
                format!("A server has one, and its ID is `{ID}`."),
            )
            .into());
        }
        let cluster = self.connection.cluster().await.map_err(failed)?.ok_or_else(diagnose::not_known)?;
        let snapshot = cluster.snapshot(&cx.cancel).await.map_err(failed)?;
        let mut observed = Observed::locate(&snapshot, &DATABASES.map(|name| name.parse().expect("a name")).into());
        // A server may do without one of them.
        observed.databases.retain(|_, place| place.is_some());
        enter(&cluster, &mut observed, &cx.cancel).await.map_err(failed)?;
        let model = Model {
            databases: observed.databases.keys().map(ToString::to_string).collect(),
            restore_on_destroy: Field::Known(false),
            id: Field::Known(ID.to_owned()),
            ..Model::default()
        };
        let (model, statuses) = model.observe(&observed);
        Ok(State { private: statuses.encode(), ..State::from(model.encode()) })
    }
}

impl BaselineResource {
    /// What can be known at plan time: that the databases exist, and that closing them keeps us in.
    async fn check_plan(
        &self,
        cx: &Context,
        model: &Model,
        prior: Option<&Model>,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Error> {
        if !model.databases.is_wholly_known() || !model.accept.is_wholly_known() {
            return Ok(());
        }
        let Ok(databases) = model.databases() else { return Ok(()) };
        let Some(cluster) = self.connection.cluster().await? else { return Ok(()) };
        let observed = Observed::locate(&*cluster.snapshot(&cx.cancel).await?, &databases);
        let login = login(&cluster, &observed, &cx.cancel).await?;
        if let Err(mut diagnostic) = check(&Doors { observed, login }, &model.accepted()) {
            if prior.is_some_and(|prior| prior.databases == model.databases) {
                // Terraform plans this before a destroy as well, which an error would refuse.
                diagnostic.severity = Severity::Warning;
            }
            diagnostics.push(diagnostic);
        }
        Ok(())
    }
}

/// Who this provider is to the databases, if all are there.
async fn login(cluster: &Cluster, observed: &Observed, cancel: &CancellationToken) -> Result<Option<Login>, Error> {
    if !observed.missing().is_empty() {
        return Ok(None);
    }
    let names: Vec<&DatabaseName> = observed.databases.keys().collect();
    cluster.inspect_login(&names, cancel).await.map(Some)
}

/// That closing these databases is possible and keeps us in.
fn check(doors: &Doors, accept: &Accept) -> Result<(), Diagnostic> {
    if let Some(name) = doors.observed.missing().first() {
        return Err(missing(name));
    }
    let Some(login) = &doors.login else { return Ok(()) };
    doors.observed.locks_out(login, accept).first().map_or(Ok(()), |name| Err(locked_out(name, login)))
}

fn missing(database: &DatabaseName) -> Diagnostic {
    Diagnostic::error(
        format!("There is no database {:?}", database.as_str()),
        "Name those that exist, or leave `databases` out for `postgres` and `template1`.",
    )
    .at_attribute("databases")
}

fn locked_out(database: &DatabaseName, login: &Login) -> Diagnostic {
    let role = login.role.parse().map_or_else(|_| login.role.clone(), |role: RoleName| role.quoted());
    Diagnostic::error(
        format!("Closing database {:?} would lock this provider out", database.as_str()),
        format!(
            "It logs in as {:?}, which may connect only because everybody may; PostgreSQL asks that before it takes \
             `assume_role` into account. Let it in by name first, as the database's owner or a superuser: GRANT \
             CONNECT ON DATABASE {} TO {role}; nothing was changed.",
            login.role,
            database.quoted()
        ),
    )
    .at_attribute("databases")
}

fn not_looked_into(database: &DatabaseName, why: &str) -> Diagnostic {
    Diagnostic::warning(
        format!("Could not look into database {:?}", database.as_str()),
        format!(
            "What was taken from PUBLIC on its schema public, if anything, is not given back: {why}. The comment on that \
             schema says what it was."
        ),
    )
}

/// Databases on their way to being closed.
struct Closing {
    databases: BTreeSet<DatabaseName>,
    accept: Accept,
}

/// What is there of them, and who this provider is to them.
struct Doors {
    observed: Observed,
    /// `None` where a database is missing.
    login: Option<Login>,
}

impl Subject for Closing {
    type Observed = Doors;

    fn what(&self) -> String {
        "close the databases".to_owned()
    }

    async fn observe(&mut self, cluster: &Cluster, cancel: &CancellationToken) -> Result<Doors, Error> {
        let observed = inspect(cluster, &self.databases, cancel).await?;
        let login = login(cluster, &observed, cancel).await?;
        Ok(Doors { observed, login })
    }

    fn next(&mut self, doors: &Doors) -> Result<Next, Diagnostic> {
        check(doors, &self.accept)?;
        let repair = baseline::repair(&doors.observed, &self.accept);
        Ok(Next { needed: render(&repair.needed), tried: repair.tried })
    }

    fn undone(&self) -> &'static str {
        "PUBLIC has again what was revoked from it: something else on the server grants it at the same time, or a role that holds a \
         privilege WITH GRANT OPTION granted it on, and only that role, or a revoke from it, takes it back (`SELECT datname, \
         datacl FROM pg_database` says who granted what)."
    }
}

/// Databases that get back what was taken of them, as the notes on them say.
struct Opening {
    /// Those that were listed before.
    before: BTreeSet<DatabaseName>,
    /// Those that are to stay closed.
    wanted: BTreeSet<DatabaseName>,
}

impl Subject for Opening {
    type Observed = Observed;

    fn what(&self) -> String {
        "give back what was taken from PUBLIC".to_owned()
    }

    async fn observe(&mut self, cluster: &Cluster, cancel: &CancellationToken) -> Result<Observed, Error> {
        let snapshot = cluster.inspect(&Filter::Everything, cancel).await?;
        let mut unwanted = self.before.clone();
        unwanted.extend(baseline::noted(&snapshot));
        unwanted.retain(|name| !self.wanted.contains(name));
        let mut observed = Observed::locate(&snapshot, &unwanted);
        enter(cluster, &mut observed, cancel).await?;
        Ok(observed)
    }

    fn next(&mut self, observed: &Observed) -> Result<Next, Diagnostic> {
        Ok(Next { needed: render(&baseline::give_back(observed)), tried: Vec::new() })
    }

    fn failed(&self, error: &Error, _script: &Script, cx: &Context) -> Diagnostic {
        let mut diagnostic = diagnose::error(&self.what(), error, cx);
        diagnostic.detail.push_str("\n\nTo leave it closed, set `restore_on_destroy = false`, apply, and try again.");
        diagnostic.at_attribute("restore_on_destroy")
    }
}

/// Gives back what was taken of the databases that were listed `before`, or carry a note, and are not `wanted` closed.
async fn give_back(
    cx: &Context,
    cluster: &Cluster,
    before: BTreeSet<DatabaseName>,
    wanted: BTreeSet<DatabaseName>,
) -> Result<Diagnostics, Diagnostic> {
    let Reached { observed, outcome } = reconcile(cx, cluster, &mut Opening { before, wanted }).await;
    let mut diagnostics = outcome?;
    let places = observed.iter().flat_map(|observed| &observed.databases);
    let unseen = places.filter_map(|(name, place)| Some((name, place.as_ref()?.inside.as_ref().err()?)));
    diagnostics.0.extend(unseen.map(|(name, why)| not_looked_into(name, why)));
    Ok(diagnostics)
}

/// The state that was reached, and a word on what this admin could not enforce.
fn finished(model: &Model, observed: &Observed, tried: Diagnostics) -> (Model, Statuses, Diagnostics) {
    let findings = baseline::assess(observed, &model.accepted());
    let advice = "To repair it, ask a superuser or the object's owner; to keep it, give the reason in `accept`.";
    let (controls, statuses, mut diagnostics) = controls::settled("controls", &model.controls, &findings, advice);
    diagnostics.extend(tried);
    (Model { controls, ..model.clone() }, statuses, diagnostics)
}

async fn inspect(
    cluster: &Cluster,
    databases: &BTreeSet<DatabaseName>,
    cancel: &CancellationToken,
) -> Result<Observed, Error> {
    let mut observed = Observed::locate(&cluster.inspect(&Filter::Everything, cancel).await?, databases);
    enter(cluster, &mut observed, cancel).await?;
    Ok(observed)
}

/// Adds what only a session inside each database sees, and stays in none of them.
pub(super) async fn enter(cluster: &Cluster, observed: &mut Observed, cancel: &CancellationToken) -> Result<(), Error> {
    for (name, place) in &mut observed.databases {
        let Some(place) = place.as_mut().filter(|place| place.database.allow_connections) else { continue };
        let inside = cluster.inspect_inside(name, cancel).await;
        leave(cluster, [name]).await;
        place.inside = match inside {
            Ok(inside) => Ok(inside),
            Err(Error::Connect(ConnectError::Refused { state, .. })) if is_not_let_in(&state) => {
                Err("this admin is not let in to look".to_owned())
            }
            Err(error) => return Err(error),
        };
    }
    Ok(())
}

/// No privilege to connect, or no line for it in pg_hba.conf.
fn is_not_let_in(state: &SqlState) -> bool {
    [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::INVALID_AUTHORIZATION_SPECIFICATION].contains(state)
}

/// Ends our own sessions with all but the maintenance database: while anybody is connected to
/// `template1`, nobody makes a database from it.
async fn leave(cluster: &Cluster, databases: impl IntoIterator<Item = &DatabaseName>) {
    for name in databases.into_iter().filter(|name| *name != cluster.maintenance()) {
        cluster.leave(name).await;
    }
}

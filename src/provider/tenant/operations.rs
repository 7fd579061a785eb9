//! What becomes of a tenant on the server: made, changed, finished, suspended, archived, dropped. What Terraform is told of
//! it is `tenant.rs`.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use crate::postgres::catalog::snapshot::{Connected, Filter, Snapshot};
use crate::postgres::error::SqlState;
use crate::postgres::{Authentication, Cluster, ConnectError, Error, Inside, Proof, Script};
use crate::tenant::destroy::{self, Obstacle};
use crate::tenant::{Change, Desired, Goal, Names, Observed, Trace, must_shut, render, repair};
use crate::tf_provider::{Context, Diagnostic, Diagnostics};

use super::super::diagnose;
use super::super::reconcile::{Next, Subject};
use super::super::trying::Attempt;
use super::taken::in_the_way;
use super::{Model, protected};

/// Why nothing of a tenant's inside is known, where nobody looks.
pub(in super::super) const NOT_DEEP: &str = "the provider block has deep_verify = false";

/// A tenant on its way to a goal.
pub(super) struct Tenant {
    pub desired: Desired,
    /// The names by which it is looked for first: those that Terraform knows.
    before: Names,
    /// Whether to ask what the server asks of a login.
    deep: bool,
    /// The password that is being set.
    pub proof: Option<Proof>,
    /// Whether what is planned cannot be done without entering the database.
    pub changes_inside: bool,
    /// What the server asked, once it was asked.
    login: Option<Result<Authentication, String>>,
    /// What is in the way of making it, as of the first look.
    conflict: Option<Diagnostic>,
    is_first: bool,
    suspends: bool,
    /// Whether anything was to be run: what is there of it then is its own.
    made: bool,
    ending: Option<Ending>,
}

/// What the state says of its end.
struct Ending {
    /// Why a tenant that is complete is not dropped.
    protected: Option<Diagnostic>,
    /// Whether another follows in its place.
    replaced: bool,
}

impl Tenant {
    pub(super) fn new(desired: Desired, before: Names, deep: bool) -> Self {
        Tenant {
            desired,
            before,
            deep,
            proof: None,
            changes_inside: false,
            login: None,
            conflict: None,
            is_first: true,
            suspends: false,
            made: false,
            ending: None,
        }
    }

    /// Turns to the end that its state says. Of a half-made tenant nothing is kept, but for the role of one that is replaced: the
    /// create that follows finishes it, with the password that it has.
    pub(super) fn ends(&mut self, prior: &Model, replaced: bool) {
        let archives = prior.on_destroy.as_known().is_some_and(|choice| choice == "archive");
        self.desired.goal = if archives { Goal::Archived } else { Goal::Gone };
        self.ending = Some(Ending { protected: protected(prior), replaced });
    }

    /// Whether anything was run for it.
    pub(super) fn made(&self) -> bool {
        self.made
    }

    fn is_ending(&self) -> bool {
        matches!(self.desired.goal, Goal::Gone | Goal::Archived | Goal::Emptied)
    }

    fn refused(&self, obstacle: &Obstacle) -> Diagnostic {
        let (detail, attribute) = match obstacle {
            Obstacle::Connected(connected) => (
                format!(
                    "Its database is in use: {}. End these sessions, or set `force_destroy = true` and apply; nothing was \
                     changed.",
                    list(connected)
                ),
                Some("force_destroy"),
            ),
            Obstacle::Prepared(prepared) => {
                let each = prepared.iter().map(|transaction| {
                    let id = postgres_protocol::escape::escape_literal(&transaction.id);
                    format!("{id} of {:?}, since {} UTC", transaction.owner, transaction.since)
                });
                let detail = format!(
                    "Transactions are prepared in its database: {}. PostgreSQL neither drops nor renames a database that holds \
                     one. The role that prepared it, or a superuser connected to that database, ends it: ROLLBACK PREPARED <its \
                     name>, or COMMIT PREPARED; nothing was changed.",
                    each.collect::<Vec<_>>().join("; ")
                );
                (detail, None)
            }
            Obstacle::Subscribed(subscriptions) => {
                let names: Vec<_> = subscriptions.iter().map(|name| name.escape_debug().to_string()).collect();
                let detail = format!(
                    "Its database has subscriptions: {}. PostgreSQL drops no database that has one. Their owner, or a superuser \
                     connected to that database, drops them: DROP SUBSCRIPTION; nothing was changed.",
                    names.join(", ")
                );
                (detail, None)
            }
            Obstacle::OwnsElsewhere(places) => {
                let places: Vec<_> = places.iter().map(|(place, count)| format!("{count} in {place}")).collect();
                let detail = format!(
                    "Its role owns objects outside its own database: {}. Drop them, or give them to another role (REASSIGN \
                     OWNED); nothing was changed.",
                    places.join(", ")
                );
                (detail, None)
            }
            Obstacle::GrantedElsewhere(places) => {
                let places: Vec<_> = places.iter().map(|place| format!("{place:?}")).collect();
                let detail = format!(
                    "Its role was granted something in databases that this admin may not enter, or that accept no \
                     connections: {}. PostgreSQL drops no role that holds anything. Open them, or have it taken back there \
                     (DROP OWNED BY, as a superuser); nothing was changed.",
                    places.join(", ")
                );
                (detail, None)
            }
        };
        let diagnostic = Diagnostic::error(format!("Could not {}", self.what()), detail);
        match attribute {
            Some(attribute) => diagnostic.at_attribute(attribute),
            None => diagnostic,
        }
    }
}

/// Sessions for a person: who, as which process, since when.
pub(super) fn list<'a>(connected: impl IntoIterator<Item = &'a Connected>) -> String {
    let each = connected.into_iter().map(|session| {
        let since = session.since.as_ref().map(|since| format!(" since {since} UTC")).unwrap_or_default();
        format!("{:?} as pid {}{since}", session.role, session.pid)
    });
    each.collect::<Vec<_>>().join(", ")
}

impl Subject for Tenant {
    type Observed = Observed;

    fn what(&self) -> String {
        let verb = match (self.desired.goal, &self.desired.known_as) {
            (Goal::Gone | Goal::Emptied, _) => "destroy",
            (Goal::Archived, _) => "archive",
            (_, None) => "create",
            (_, Some(_)) => "update",
        };
        format!("{verb} tenant {:?}", self.before.tenant.as_str())
    }

    fn locked(&self) -> BTreeSet<String> {
        [&self.before, &self.desired.names].into_iter().flat_map(Names::shared).map(str::to_owned).collect()
    }

    async fn observe(&mut self, cluster: &Cluster, cancel: &CancellationToken) -> Result<Observed, Error> {
        let (snapshot, mut observed) = inspect(cluster, &self.before, &self.desired.names, cancel).await?;
        if self.is_ending() {
            return Ok(observed);
        }
        if std::mem::take(&mut self.is_first) && self.desired.known_as.is_none() {
            let conflict = observed.conflict(&snapshot, &self.desired.names);
            if let Some(conflict) = conflict {
                self.conflict = Some(in_the_way(cluster, &conflict, &snapshot, &self.desired.names, cancel).await);
            }
            if self.conflict.is_some() {
                return Ok(observed);
            }
        }
        // Who is to be shut out is shut out before anything of it is read.
        if must_shut(&self.desired, &observed) {
            return Ok(observed);
        }
        let deep = self.deep && self.login.is_none();
        let looked = look_with(cluster, &mut observed, deep, self.proof.as_ref(), cancel).await;
        observed.login = self.login.take().unwrap_or(observed.login);
        if let Err(error) = looked
            // A tenant that is not complete cannot be finished unseen.
            && (cancel.is_cancelled() || !observed.is_complete())
        {
            return Err(error);
        }
        self.login = Some(observed.login.clone());
        Ok(observed)
    }

    fn next(&mut self, observed: &Observed) -> Result<Next, Diagnostic> {
        if let Some(conflict) = self.conflict.take() {
            return Err(conflict);
        }
        if let Some(ending) = self.ending.take() {
            match ending.protected {
                _ if observed.is_half_made() => {
                    self.desired.goal = if ending.replaced { Goal::Emptied } else { Goal::Gone };
                }
                // It is complete, and its create could not say so: the one that follows takes it up.
                _ if ending.replaced && observed.is_unclaimed() => return Ok(Next::default()),
                Some(protected) if observed.exists() => return Err(protected),
                _ => {}
            }
        }
        if self.is_ending()
            && observed.exists()
            && let Some(obstacle) = destroy::obstacle(&self.desired, observed)
        {
            return Err(self.refused(&obstacle));
        }
        let mut repair = repair(&self.desired, observed);
        self.suspends |= must_shut(&self.desired, observed);
        if self.suspends {
            // To shut a tenant out is urgent, and what it stored can take long to tidy: that is the next apply's.
            repair.tried.retain(|change| !matches!(change, Change::Tidy { .. }));
        }
        if repair.needed.iter().chain(&repair.tried).any(Change::changes_login) {
            self.login = None;
        }
        if let (Err(why), true, true) = (&observed.inside, self.changes_inside, repair.needed.is_empty()) {
            let detail = format!(
                "Its database was not entered ({why}), so what is to be changed in it was not. Mend that, and apply again."
            );
            return Err(Diagnostic::error(format!("Could not {}", self.what()), detail));
        }
        self.made |= !repair.needed.is_empty();
        Ok(Next { needed: render(&repair.needed), tried: repair.tried })
    }

    async fn attempt(
        &mut self,
        cluster: &Cluster,
        observed: &Observed,
        tried: Vec<Change>,
        cancel: &CancellationToken,
    ) -> Result<Diagnostics, Error> {
        let mut attempt = Attempt::new(cluster, cancel);
        for change in tried {
            let mut went = attempt.change(&change).await?;
            let mut left = observed.inside.clone();
            // A batch at a time, until nothing moves.
            while went && matches!(change, Change::Tidy { .. }) && attempt.has_time() {
                let mut again = observed.clone();
                match look(cluster, &mut again, false, cancel).await {
                    Err(error) if error.is_cancelled() => return Err(error),
                    // The state says that it could not be read.
                    Err(_) => break,
                    Ok(()) => {}
                }
                let is_left = repair(&self.desired, &again).tried.contains(&change);
                if !is_left || again.inside == left {
                    break;
                }
                left = again.inside;
                went = attempt.change(&change).await?;
            }
        }
        Ok(attempt.said)
    }

    fn undo(&self, before: &Observed, after: &Observed) -> Script {
        if self.is_ending() { render(&destroy::undo(before, after)) } else { Script::default() }
    }

    /// Points a failure at `extensions`, where extensions were being made and SQLSTATE fits.
    fn failed(&self, error: &Error, script: &Script, cx: &Context) -> Diagnostic {
        const STATES: [SqlState; 3] =
            [SqlState::UNDEFINED_FILE, SqlState::FEATURE_NOT_SUPPORTED, SqlState::INSUFFICIENT_PRIVILEGE];
        let diagnostic = diagnose::error(&self.what(), error, cx);
        let makes_some =
            script.0.iter().flat_map(|step| &step.statements).any(|one| one.text.starts_with("CREATE EXTENSION"));
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
}

/// What the shared catalogs say now of a tenant that had the names `before` and is to have `after`.
pub(super) async fn inspect(
    cluster: &Cluster,
    before: &Names,
    after: &Names,
    cancel: &CancellationToken,
) -> Result<(Snapshot, Observed), Error> {
    let both = [before, after];
    let filter = Filter::Only {
        names: both.iter().flat_map(|n| [n.database.as_str().to_owned(), n.role.as_str().to_owned()]).collect(),
        comments: both.iter().flat_map(|names| Trace::of(&names.tenant).texts()).collect(),
    };
    let snapshot = cluster.inspect(&filter, cancel).await?;
    let observed = Observed::locate(&snapshot, before);
    // Once the markers carry the new name, nothing may be found by the old one.
    let observed = if observed.exists() { observed } else { Observed::locate(&snapshot, after) };
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
    look_with(cluster, observed, deep, None, cancel).await
}

/// The same as it was when this process first looked, if that was since it last wrote: for a refresh, in which several resources
/// look into one database.
pub(in super::super) async fn look_once(
    cluster: &Cluster,
    observed: &mut Observed,
    deep: bool,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let entered = match observed.database_name().filter(|_| observed.is_enterable()) {
        Some(database) => keep(observed, cluster.inside(&database, cancel).await),
        None => enter(cluster, observed, cancel).await,
    };
    ask(cluster, observed, entered, deep, None, cancel).await
}

/// The same with a password at hand, which is proved where the server shows that it is the one.
async fn look_with(
    cluster: &Cluster,
    observed: &mut Observed,
    deep: bool,
    proof: Option<&Proof>,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let entered = enter(cluster, observed, cancel).await;
    ask(cluster, observed, entered, deep, proof, cancel).await
}

/// Adds to what was seen inside, with `deep`, what the server asks of a login.
async fn ask(
    cluster: &Cluster,
    observed: &mut Observed,
    entered: Result<(), Error>,
    deep: bool,
    proof: Option<&Proof>,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    if let Err(error) = &entered
        && deep
        && is_silent(error)
    {
        // Nor will it answer whoever begins to log in.
        observed.login = Err(error.to_string());
        return entered;
    }
    if deep && let (Some(role), Some(database)) = (observed.role_name(), observed.database_name()) {
        let asked = cluster.begin_login(&role, &database, proof, cancel).await;
        observed.login = asked.map_err(|error| error.to_string());
    }
    entered
}

/// Whether nothing answered, in time or at all.
fn is_silent(error: &Error) -> bool {
    matches!(
        error,
        Error::TooSlow { .. }
            | Error::Lost { .. }
            | Error::Connect(
                ConnectError::TimedOut { .. } | ConnectError::Unreachable { .. } | ConnectError::Dropped { .. }
            )
    )
}

async fn enter(cluster: &Cluster, observed: &mut Observed, cancel: &CancellationToken) -> Result<(), Error> {
    let Some(database) = observed.database_name().filter(|_| observed.is_enterable()) else {
        observed.inside = Err(why_not_entered(observed).to_owned());
        return Ok(());
    };
    let read = cluster.inspect_inside(&database, cancel).await;
    keep(observed, read)
}

fn keep(observed: &mut Observed, read: Result<Inside, Error>) -> Result<(), Error> {
    match read {
        Ok(inside) => {
            observed.inside = Ok(inside);
            Ok(())
        }
        Err(error) => {
            observed.inside = Err(error.to_string());
            Err(error)
        }
    }
}

fn why_not_entered(observed: &Observed) -> &'static str {
    match &observed.database {
        None => "its database is missing",
        Some(database) if database.is_invalid() => "its database is invalid",
        Some(database) if !database.allow_connections => "its database accepts no connections",
        Some(_) => "this admin may not connect to its database",
    }
}

/// Ends our own sessions with the tenant's database.
pub(in super::super) async fn leave(cluster: &Cluster, observed: &Observed) {
    if let Some(database) = observed.database_name() {
        cluster.leave(&database).await;
    }
}

//! `pgtenant_guardrails`: what a tenant may take.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::postgres::catalog::snapshot::{Filter, Server, Snapshot};
use crate::postgres::fact::Text;
use crate::postgres::{Cluster, Duration, Error, ParameterName};
use crate::tenant::limits::{self, Limits, OnRecord, Timeout};
use crate::tenant::{Observed, Repair, TenantName, Trace, render};
use crate::tf_provider::model::Decoder;
use crate::tf_provider::{
    Applied, ApplyRequest, Attribute, Attributes, Block, Context, Diagnostic, Diagnostics, Field, Item, Path,
    PlanRequest, Planned, Resource, Schema, State, Typed, Value, async_trait, model, timeouts,
};

use super::connection::Connection;
use super::controls::{self, Controls};
use super::reconcile::{Next, Reached, Subject, reconcile};
use super::remembered::Remembered;
use super::walk::Claim;
use super::{capacity, diagnose, names};

pub(super) struct GuardrailsResource {
    connection: Arc<Connection>,
}

impl GuardrailsResource {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        GuardrailsResource { connection }
    }
}

fn schema() -> Schema {
    Model::schema(
        0,
        "The limits of one tenant. Each is written for the database, where the tenant cannot change it, and \
         for the role, as its default in every database. A session may still set its own time-outs; the \
         database's rows are the record of what they should be. Destroying the guardrails goes back to the \
         safe limits that every tenant begins with, never to none.",
    )
}

model! {
    #[derive(Clone, Debug, Default)]
    struct Model {
        tenant: Field<String> = required("The tenant's name: `pgtenant_tenant.<name>.name`."),
        connection_limit: Field<i64> = optional_computed(format!(
            "How many connections the tenant's role may hold at once, 1 or more. Its database allows more: the limits of the \
             tenant's further roles, and `admin_connections` of `pgtenant_tenant` (default: {}). The tenant cannot change it. `connection_budget` of the provider controls what happens \
             when the limits of all tenants add up to more connections than the server has.",
            limits::ADMIN_CONNECTIONS
        ))
        .default(i64::from(Limits::safe().connection_limit)),
        durations: Durations = part(),
        parameters: Field<BTreeMap<String, Item<String>>> = optional(
            "Other parameters for the tenant's sessions, as `{ work_mem = \"16MB\" }`. Whether the server has them, \
             takes the value and lets this admin set them is checked while planning. A parameter that is set for the \
             database and not listed here is reset."
        ),
        overrides: Controls = computed(
            "What stands against these limits where the tenant, or somebody else, may write. The keys are \
             `role.<parameter>` (the role's own setting), `role_in_database.<parameter>` (its setting in one database), \
             `database.connection_limit`, and `role.marker` (the comment that says that there are guardrails); the values \
             begin with `found: `, or with `not permitted: ` for what this admin may not change. Empty when nothing does; an apply takes back what does. Values are cut at 80 characters."
        ),
        id: Field<String> = computed("The tenant's name."),
        timeouts: Value = block(timeouts::block(&["create", "read", "update", "delete"])),
    }
}

/// The time limits, as the user spells them: one attribute for each [`Timeout`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Durations(BTreeMap<Timeout, Field<String>>);

impl Attributes for Durations {
    fn declare(block: &mut Block) {
        let safe = Limits::safe();
        block.attributes.extend(Timeout::ALL.map(|(timeout, name, needs)| {
            let about = match timeout {
                Timeout::Statement => "How long a statement may take.",
                Timeout::Lock => "How long a statement may wait for a lock.",
                Timeout::IdleInTransaction => {
                    "How long a session may sit idle in a transaction, holding locks and keeping VACUUM from its work."
                }
                Timeout::IdleSession => {
                    "How long a session may sit idle outside a transaction. Mind connection pools: they keep idle sessions."
                }
                Timeout::Transaction => "How long a transaction may take.",
            };
            let mut text =
                format!("{about} A number and a unit (`ms`, `s`, `min`, `h`, `d`), as `30s`; `0` switches it off.");
            if let Some(feature) = needs {
                text.push_str(&format!(" PostgreSQL {} and newer. Default: not set.", feature.since()));
            }
            let ty = Field::<String>::ty();
            match safe.timeouts.get(&timeout) {
                Some(duration) => Attribute::optional_computed(name, ty, text).default(duration.to_string()),
                None => Attribute::optional(name, ty, text),
            }
        }));
    }

    fn read(value: &Value, at: &mut Decoder) -> Option<Self> {
        let read = Timeout::ALL.map(|(timeout, name, _)| Some((timeout, at.attribute(value, name)?)));
        read.into_iter().collect::<Option<_>>().map(Durations)
    }

    fn write(self, values: &mut BTreeMap<String, Value>) {
        values.extend(self.0.into_iter().map(|(timeout, field)| (timeout.name().to_owned(), field.into_value())));
    }
}

impl Model {
    fn tenant(&self) -> Result<TenantName, Diagnostic> {
        names::parse(Path::attribute("tenant"), self.tenant.as_known().map(String::as_str).unwrap_or_default())
    }

    /// The limits, where they are known and well formed; the safe ones elsewhere. `validate` has said
    /// what is not well formed.
    fn limits(&self) -> Limits {
        let mut limits = Limits::safe();
        if let Some(limit) = self.connection_limit.known().and_then(|limit| i32::try_from(limit).ok()) {
            limits.connection_limit = limit;
        }
        for (timeout, field) in &self.durations.0 {
            match field.as_known().and_then(|text| text.parse().ok()) {
                Some(duration) => drop(limits.timeouts.insert(*timeout, duration)),
                None => drop(limits.timeouts.remove(timeout)),
            }
        }
        let parameters = self.parameters.known_entries().unwrap_or_default();
        limits.parameters =
            parameters.into_iter().filter_map(|(name, value)| Some((name.parse().ok()?, value))).collect();
        limits
    }

    /// This state with what was observed. Spellings stay where they mean what was found.
    fn observe(mut self, observed: &Observed) -> Self {
        let expected = self.limits();
        let Some(mut found) = OnRecord::of(observed) else { return self };
        // What was set by others and is not this admin's to reset: the tenant's resource tells.
        found.parameters.retain(|name, _| expected.parameters.contains_key(name) || observed.may_set(name.as_str()));
        self.connection_limit = Field::Known(i64::from(found.connection_limit));
        for (timeout, field) in &mut self.durations.0 {
            *field = respelled(field, found.timeouts.get(timeout));
        }
        let spelled = self.parameters.known_entries().unwrap_or_default();
        let spelling = |name: &ParameterName| {
            let known = spelled.keys().find(|key| key.eq_ignore_ascii_case(name.as_str()));
            known.cloned().unwrap_or_else(|| name.to_string())
        };
        let unset = found.parameters.is_empty() && self.parameters.as_known().is_none_or(|map| !map.is_empty());
        let value = |key: &str, text: &Text| match spelled.get(key) {
            Some(value) if text.is(value) => value.clone(),
            _ => text.as_whole().map_or_else(|| text.to_string(), str::to_owned),
        };
        self.parameters = match unset {
            true => Field::Null,
            false => found
                .parameters
                .iter()
                .map(|(name, text)| (spelling(name), text))
                .map(|(key, text)| (key.clone(), value(&key, text)))
                .collect(),
        };
        self.overrides = controls::described(&limits::overrides(&expected, observed));
        self
    }
}

/// The text that a duration has: as before, if that means the same; as the server has it, if it cannot be read.
fn respelled(before: &Field<String>, found: Option<&Text>) -> Field<String> {
    let Some(text) = found else { return Field::Null };
    let duration = text.as_whole().and_then(Duration::from_catalog);
    match (before.as_known(), duration) {
        (Some(spelled), Some(found)) if spelled.parse() == Ok(found) => before.clone(),
        (_, Some(found)) => Field::Known(found.to_string()),
        (_, None) => Field::Known(text.to_string()),
    }
}

/// Parameters that something else here sets, or that would change who is acting.
fn refusal(name: &str) -> Option<&'static str> {
    const LISTS: &str = "It takes a list of names, which a text cannot be; set it for the server.";
    match name.to_ascii_lowercase().as_str() {
        name if Timeout::ALL.iter().any(|(_, timeout, _)| *timeout == name) => {
            Some("It is an attribute of its own: set that.")
        }
        "search_path" => Some("`pgtenant_tenant` sets it to the tenant's schema."),
        "role" | "session_authorization" => Some("It would change as whom the tenant acts."),
        "temp_tablespaces" | "local_preload_libraries" | "session_preload_libraries" => Some(LISTS),
        _ => None,
    }
}

/// What the provider remembers beside the state.
#[derive(Default, Serialize, Deserialize)]
struct Private {
    /// The role's own settings are not those on record. A refresh takes over what is on record, and so what an interrupted
    /// apply had written: that it was not done shows here alone.
    behind: bool,
}

impl Remembered for Private {}

#[async_trait]
impl Resource for GuardrailsResource {
    fn type_name(&self) -> &'static str {
        "pgtenant_guardrails"
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
        let mut complain = |diagnostic: Diagnostic| diagnostics.push(diagnostic);
        if let Field::Known(text) = &config.tenant
            && let Err(diagnostic) = names::parse::<TenantName>(Path::attribute("tenant"), text)
        {
            complain(diagnostic);
        }
        let most = i64::from(i32::MAX - limits::ADMIN_CONNECTIONS);
        if config.connection_limit.as_known().is_some_and(|limit| !(1..=most).contains(limit)) {
            complain(
                Diagnostic::error(
                    "Not a connection limit",
                    "It is a whole number, 1 or more. To shut a tenant out, set `suspended = true` on its \
                     `pgtenant_tenant`.",
                )
                .at_attribute("connection_limit"),
            );
        }
        for (timeout, field) in &config.durations.0 {
            let name = timeout.name();
            if let Field::Known(text) = field
                && let Err(error) = text.parse::<Duration>()
            {
                complain(
                    Diagnostic::error(format!("Not a duration: {text:?}"), format!("`{name}`: {error}."))
                        .at_attribute(name),
                );
            }
        }
        if let Field::Known(parameters) = &config.parameters {
            for name in parameters.keys() {
                let path = Path::attribute("parameters").key(name);
                if let Err(error) = name.parse::<ParameterName>() {
                    complain(
                        Diagnostic::error("Not a parameter's name", format!("{error}: letters, digits and `_`."))
                            .at(path),
                    );
                } else if let Some(why) = refusal(name) {
                    complain(Diagnostic::error(format!("Parameter {name:?} is not set here"), why).at(path));
                }
            }
        }
        diagnostics
    }

    async fn read(&self, cx: &Context, state: State) -> Result<Option<State>, Diagnostics> {
        let failed = |error: Error| diagnose::error("read the guardrails", &error, cx);
        let Some(cluster) = self.connection.cluster().await.map_err(failed)? else {
            return Ok(Some(State { diagnostics: diagnose::not_refreshed().into(), ..state }));
        };
        let model = Model::decode(&state.value)?;
        let tenant = model.tenant()?;
        let snapshot = self.connection.sorted(&cluster, &cx.cancel).await.map_err(failed)?.part_of(&tenant, &[]);
        let Some(observed) = find(&snapshot, &tenant) else { return Ok(None) };
        let model = model.observe(&observed);
        let is_silent = model.overrides.as_known().is_some_and(BTreeMap::is_empty);
        let behind = is_silent && !limits::overrides(&model.limits(), &observed).is_empty();
        Ok(Some(State { value: model.encode(), private: Private { behind }.encode(), ..state }))
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> Planned {
        let (prior, mut model) = match request.models::<Model>() {
            Ok(models) => models,
            Err(diagnostics) => return request.refused(diagnostics),
        };
        // A duration that means what it meant before is no change, however it is spelled.
        for (timeout, field) in &mut model.durations.0 {
            let before = prior.as_ref().and_then(|prior| prior.durations.0.get(timeout));
            let same = |before: &Field<String>| {
                let millis = |field: &Field<String>| field.as_known().and_then(|text| text.parse::<Duration>().ok());
                millis(before).is_some() && millis(before) == millis(field)
            };
            if let Some(before) = before.filter(|before| same(before)) {
                *field = before.clone();
            }
        }
        model.id = model.tenant.clone();
        let mut diagnostics = Diagnostics::default();
        model.overrides = self.plan_overrides(&request, &model, prior.as_ref(), &mut diagnostics).await;
        let mut checked = self.check_plan(cx, &model, prior.as_ref(), &mut diagnostics).await;
        if checked.is_ok() {
            checked = self.check_budget(cx, &model, prior.as_ref(), &mut diagnostics).await;
        }
        if let Err(error) = checked {
            diagnostics.push(diagnose::error("plan the guardrails", &error, cx));
        }
        Planned { value: model.encode(), private: request.private, diagnostics, ..Planned::default() }
    }

    async fn apply(&self, cx: &Context, request: ApplyRequest) -> Applied {
        self.connection.note_apply();
        let cluster = match self.connection.required(cx).await {
            Ok(cluster) => cluster,
            Err(diagnostic) => return request.unchanged(diagnostic),
        };
        let (prior, planned) = match request.models::<Model>() {
            Ok(models) => models,
            Err(diagnostics) => return request.unchanged(diagnostics),
        };
        let Some(model) = planned else {
            let prior = prior.unwrap_or_default();
            // Made anew before this one goes (`create_before_destroy`): the limits are the new one's.
            if let Ok(tenant) = prior.tenant()
                && self.connection.walk().await.governs(&tenant)
            {
                return Applied::default();
            }
            let mut released = match Guardrails::released(&prior) {
                Ok(released) => released,
                Err(diagnostic) => return request.unchanged(diagnostic),
            };
            return match reconcile(cx, &cluster, &mut released).await.outcome {
                Ok(diagnostics) => Applied { diagnostics, ..Applied::default() },
                Err(diagnostic) => request.unchanged(diagnostic),
            };
        };
        if let Err(diagnostic) = self.check_server(cx, &model, prior.as_ref()).await {
            return request.unchanged(diagnostic);
        }
        let Reached { observed, outcome } = match self.bring(cx, &cluster, &model, prior.as_ref()).await {
            Ok(reached) => reached,
            Err(diagnostic) => return request.unchanged(diagnostic),
        };
        let (state, diagnostics) = match (outcome, observed.flatten(), prior) {
            (Ok(said), Some(observed), _) => {
                let (model, diagnostics) = settled(&model, &observed, said);
                if let Ok(tenant) = model.tenant() {
                    self.connection.walk().await.govern(tenant);
                }
                (Some(model), diagnostics)
            }
            (Err(diagnostic), Some(observed), Some(prior)) => (Some(prior.observe(&observed)), diagnostic.into()),
            // What a create left behind holds, and the next apply finds it: no state to remember.
            (Err(diagnostic), _, prior) => (prior, diagnostic.into()),
            (Ok(_), None, _) => unreachable!("limits are set for a tenant that exists"),
        };
        Applied { state: state.map(Model::encode), private: Private::default().encode(), diagnostics }
    }

    async fn import(&self, cx: &Context, id: &str) -> Result<State, Diagnostics> {
        let failed = |error: Error| diagnose::error(&format!("import the guardrails of {id:?}"), &error, cx);
        let cluster = self.connection.cluster().await.map_err(failed)?.ok_or_else(diagnose::not_known)?;
        let snapshot = cluster.snapshot(&cx.cancel).await.map_err(failed)?;
        let name = names::parse(Path::attribute("id"), id)?;
        let observed = find(&snapshot, &name).ok_or_else(|| missing(id))?;
        let limits = OnRecord::of(&observed).map_or_else(Limits::safe, |found| found.limits());
        let known = |timeout| limits.timeouts.get(&timeout).map(Duration::to_string).into();
        let model = Model {
            id: Field::Known(id.to_owned()),
            tenant: Field::Known(id.to_owned()),
            connection_limit: Field::Known(i64::from(limits.connection_limit)),
            durations: Durations(Timeout::ALL.map(|(timeout, ..)| (timeout, known(timeout))).into()),
            parameters: match limits.parameters.is_empty() {
                true => Field::Null,
                false => limits.parameters.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
            },
            ..Model::default()
        };
        Ok(State::from(model.observe(&observed).encode()))
    }
}

impl GuardrailsResource {
    /// Sets the limits that are planned, and releases those of a tenant that they were for before.
    async fn bring(
        &self,
        cx: &Context,
        cluster: &Cluster,
        model: &Model,
        prior: Option<&Model>,
    ) -> Result<Reached<Option<Observed>>, Diagnostic> {
        let mut said = Diagnostics::default();
        if let Some(before) = prior.filter(|prior| prior.tenant != model.tenant) {
            let reached = reconcile(cx, cluster, &mut Guardrails::released(before)?).await;
            match reached.outcome {
                Ok(diagnostics) => said = diagnostics,
                Err(diagnostic) => return Ok(Reached { outcome: Err(diagnostic), ..reached }),
            }
        }
        let previous = prior.map(Model::limits);
        let mut guardrails = Guardrails { tenant: model.tenant()?, desired: Some(model.limits()), previous };
        let mut reached = reconcile(cx, cluster, &mut guardrails).await;
        if let Ok(diagnostics) = &mut reached.outcome {
            diagnostics.extend(said);
        }
        Ok(reached)
    }

    /// What stands against the limits after the apply: nothing, or what a tenant turns out to have that is made in the same
    /// apply, or was left behind. Unknown makes Terraform set the limits of that one, though they are those that the state has.
    async fn plan_overrides(
        &self,
        request: &PlanRequest,
        model: &Model,
        prior: Option<&Model>,
        diagnostics: &mut Diagnostics,
    ) -> Controls {
        let nothing = Field::Known(BTreeMap::new());
        let Ok(tenant) = model.tenant() else { return nothing };
        let mut walk = self.connection.walk().await;
        if !request.is_second() && !walk.claim(Claim::Guardrails, tenant.as_str()) {
            diagnostics.push(
                Diagnostic::error(
                    format!("Tenant {:?} has two guardrails", tenant.as_str()),
                    "Another `pgtenant_guardrails` of this configuration is for it as well, and each would undo what the other \
                     sets. Make them one.",
                )
                .at_attribute("tenant"),
            );
        }
        let Some(prior) = prior else { return nothing };
        let is_behind = Private::decode(&request.private).behind && prior.limits() == model.limits();
        if is_behind || walk.makes(&tenant) { Field::Unknown } else { nothing }
    }

    /// What can be known at plan time: that the server has each limit, and takes each parameter.
    async fn check_plan(
        &self,
        cx: &Context,
        model: &Model,
        prior: Option<&Model>,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Error> {
        let unchanged =
            prior.is_some_and(|prior| prior.durations == model.durations && prior.parameters == model.parameters);
        if unchanged {
            return Ok(());
        }
        let Some(cluster) = self.connection.cluster().await? else { return Ok(()) };
        diagnostics.extend(too_new(model, &cluster.server(&cx.cancel).await?));
        let before = prior.and_then(|prior| prior.parameters.known_entries()).unwrap_or_default();
        // What is not known yet is checked by the apply.
        for (name, value) in &model.parameters.known_entries().unwrap_or_default() {
            if before.get(name) == Some(value) {
                continue;
            }
            let Ok(parameter) = name.parse::<ParameterName>() else { continue };
            if let Err(error) = self.connection.try_parameter(&cluster, &parameter, value, &cx.cancel).await {
                let path = Path::attribute("parameters").key(name);
                diagnostics.push(diagnose::parameter(name, &error, path, cx));
            }
        }
        Ok(())
    }

    /// Whether the server has the connections that this plan promises, if it promises more than before.
    async fn check_budget(
        &self,
        cx: &Context,
        model: &Model,
        prior: Option<&Model>,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Error> {
        let Some(severity) = self.connection.connection_budget().await.severity() else { return Ok(()) };
        let (Some(limit), Ok(tenant)) = (model.connection_limit.as_known(), model.tenant()) else { return Ok(()) };
        let formerly = prior.and_then(|prior| prior.tenant().ok()).filter(|formerly| *formerly != tenant);
        let before = prior.filter(|_| formerly.is_none()).and_then(|prior| prior.connection_limit.as_known());
        if before.is_some_and(|before| before >= limit) {
            return Ok(());
        }
        let Some(cluster) = self.connection.cluster().await? else { return Ok(()) };
        let found = self.connection.overcommitment(&cluster, &tenant, formerly.as_ref(), *limit, &cx.cancel).await?;
        diagnostics.0.extend(found.map(|found| Diagnostic { severity, ..capacity::overcommitted(&found) }));
        Ok(())
    }

    /// The same checks for a server that was not there when the plan was made.
    async fn check_server(&self, cx: &Context, model: &Model, prior: Option<&Model>) -> Result<(), Diagnostic> {
        let mut diagnostics = Diagnostics::default();
        self.check_plan(cx, model, prior, &mut diagnostics)
            .await
            .map_err(|error| diagnose::error("check the guardrails", &error, cx))?;
        diagnostics.0.into_iter().next().map_or(Ok(()), Err)
    }
}

/// Limits that came with a later major than the server's.
fn too_new(model: &Model, server: &Server) -> Diagnostics {
    let set = model.durations.0.iter().filter(|(_, field)| !field.is_null());
    let missing =
        set.filter_map(|(timeout, _)| Some((timeout, timeout.needs().filter(|needed| !server.has(*needed))?)));
    Diagnostics(
        missing
            .map(|(timeout, needed)| diagnose::too_old(timeout.name(), needed, server).at_attribute(timeout.name()))
            .collect(),
    )
}

fn missing(tenant: &str) -> Diagnostic {
    Diagnostic::error(
        format!("There is no tenant {tenant:?}"),
        "Guardrails are for a tenant that `pgtenant_tenant` made, or has imported and applied. Write \
         `tenant = pgtenant_tenant.<name>.name`, so that Terraform makes it first.",
    )
    .at_attribute("tenant")
}

/// The limits of one tenant on their way to what is planned, or back to the safe ones.
struct Guardrails {
    tenant: TenantName,
    /// `None`: back to the safe ones.
    desired: Option<Limits>,
    previous: Option<Limits>,
}

impl Guardrails {
    /// Back to the safe limits. Nothing to do for a tenant that is gone. What does not go is told, and from now on drift of the
    /// tenant's own.
    fn released(prior: &Model) -> Result<Self, Diagnostic> {
        Ok(Guardrails { tenant: prior.tenant()?, desired: None, previous: Some(prior.limits()) })
    }
}

impl Subject for Guardrails {
    type Observed = Option<Observed>;

    fn what(&self) -> String {
        let verb = if self.desired.is_some() { "set" } else { "release" };
        format!("{verb} the guardrails of tenant {:?}", self.tenant.as_str())
    }

    fn locked(&self) -> BTreeSet<String> {
        BTreeSet::from([self.tenant.to_string()])
    }

    async fn observe(&mut self, cluster: &Cluster, cancel: &CancellationToken) -> Result<Self::Observed, Error> {
        let comments = Trace::of(&self.tenant).texts().into();
        let snapshot = cluster.inspect(&Filter::Only { names: Vec::new(), comments }, cancel).await?;
        Ok(find(&snapshot, &self.tenant))
    }

    fn next(&mut self, observed: &Self::Observed) -> Result<Next, Diagnostic> {
        let repair = match (&self.desired, observed) {
            (Some(desired), Some(observed)) => limits::repair(desired, self.previous.as_ref(), observed),
            (Some(_), None) => return Err(missing(self.tenant.as_str())),
            // One of another name was renamed, and is governed by that.
            (None, Some(observed)) if observed.names.tenant == self.tenant => {
                limits::release(&self.previous.clone().unwrap_or_else(Limits::safe), observed)
            }
            (None, _) => Repair::default(),
        };
        Ok(Next { needed: render(&repair.needed), tried: repair.tried })
    }
}

/// A tenant whose database can be altered.
fn find(snapshot: &Snapshot, tenant: &TenantName) -> Option<Observed> {
    Observed::find(snapshot, tenant).filter(|observed| !observed.is_invalid())
}

/// What Terraform is told of limits that are as planned.
fn settled(model: &Model, observed: &Observed, said: Diagnostics) -> (Model, Diagnostics) {
    let (overrides, _, mut diagnostics) = controls::settled(
        "overrides",
        &model.overrides,
        &limits::overrides(&model.limits(), observed),
        "The limits on record hold for the rest. `suspended = true` on the tenant keeps it out meanwhile.",
    );
    diagnostics.extend(said);
    (Model { overrides, ..model.clone() }, diagnostics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_is_kept_where_it_means_the_same() {
        let text = |text: &str| Field::Known(text.to_owned());
        let minute = Text::whole("60000");
        assert_eq!(respelled(&text("60s"), Some(&minute)), text("60s"));
        assert_eq!(respelled(&text("30s"), Some(&minute)), text("1min"));
        assert_eq!(respelled(&Field::Null, Some(&minute)), text("1min"));
        // PostgreSQL may read it; here it is another text, and so drift.
        assert_eq!(respelled(&text("60s"), Some(&Text::whole("enforced"))), text("\"enforced\""));
        assert_eq!(respelled(&text("30s"), None), Field::Null);
    }

    #[test]
    fn parameters_that_belong_elsewhere_are_refused() {
        for name in ["statement_timeout", "Search_Path", "role", "temp_tablespaces"] {
            assert!(refusal(name).is_some(), "{name}");
        }
        assert_eq!(refusal("work_mem"), None);
    }
}

//! `pgtenant_role`: one more role of one tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::postgres::catalog::snapshot::{Filter, Snapshot};
use crate::postgres::{Authentication, Cluster, Error, Expiry, ParameterName, Proof, RoleName, Secret, Verifier};
use crate::tenant::companion::{self, Wanted};
use crate::tenant::foresight;
use crate::tenant::limits::ADMIN_CONNECTIONS;
use crate::tenant::method::{Method, RDS_IAM};
use crate::tenant::observed::any_marker;
use crate::tenant::{Access, Control, Desired, Goal, Locale, Names, Observed, Of, Password, TenantName, Trace, render};
use crate::tf_provider::{
    Applied, ApplyRequest, Attributes, Context, Diagnostic, Diagnostics, Field, Item, Path, PlanRequest, Planned,
    Resource, Schema, Set, Severity, State, Value, async_trait, model, timeouts,
};

use super::accept::{Reasons, Whose};
use super::connection::Connection;
use super::controls::{self, Controls, Statuses};
use super::login::{self, Decided, Login, decide, expiry, one_of, reaches_beyond, respelled};
use super::reconcile::{Next, Reached, Subject, reconcile};
use super::remembered::Remembered;
use super::tenant::operations;
use super::walk::Claim;
use super::{capacity, diagnose, names};

pub(super) struct RoleResource {
    connection: Arc<Connection>,
}

impl RoleResource {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        RoleResource { connection }
    }
}

fn schema() -> Schema {
    Model::schema(
        0,
        "One more role of a tenant, in addition to the one that the tenant itself logs in with: a reader for reports, an exporter, the login \
         of a migration tool, the second of two between which a password is rotated. What it may do is its `access`, and nothing \
         in the tenant's database is drift of the tenant for it; what it reaches elsewhere is. Suspending, archiving and destroying \
         the tenant takes it along. Its connections count: the tenant's database allows as many more, and the tenant's share of \
         the server is the sum.",
    )
}

model! {
    /// A role's configuration, plan or state. The write-only password is in none but the first.
    #[derive(Clone, Debug, Default)]
    struct Model {
        tenant: Field<String> = required(
            "The tenant's name: `pgtenant_tenant.<name>.name`. Given to another tenant, it loses all that it has with the first."
        ),
        name: Field<String> = required(
            "The role's name. Up to 63 bytes, any visible characters. Changing it renames in place."
        ),
        access: Field<String> = required(
            "What it may do in the tenant's database. `owner`: it acts as the tenant (`role` is set for it there, and it may `SET \
             ROLE`): what it makes is the tenant's. `write`: it reads and writes what the tenant's own role has there and will have \
             (SELECT, INSERT, UPDATE, DELETE; the values of sequences), and makes nothing. `read`: it reads that. `connect`: it gets \
             in, and no more. What the tenant itself grants them on its own objects is the tenant's affair."
        ),
        login: Field<bool> = optional_computed(
            "Whether it may log in. While the tenant is suspended it may not, whatever this says."
        )
        .default(true),
        password_wo: Field<Secret> = optional(
            "The role's password, in clear text or as a SCRAM-SHA-256 verifier. Write-only: never in state or plan. The server is \
             sent a verifier that is made here. It is written when the role is made and when `password_wo_version` changes, and at \
             no other time. Taken out of the configuration, it is taken away on the server (`PASSWORD NULL`)."
        )
        .sensitive()
        .write_only(),
        password_wo_version: Field<i64> = optional(
            "Required with `password_wo`. Change this number to set the password again: a write-only value cannot be compared."
        ),
        authentication: Field<String> = optional_computed(
            "How the role proves who it is: `password`, `rds_iam` or `certificate`, as of `pgtenant_tenant`. Default: `password`; for a role \
             that was imported, what it had then."
        )
        .default(Method::default().name()),
        valid_until: Field<String> = optional_computed(
            "When the role's password expires, as of `pgtenant_tenant`. Default: never; for a role that was imported, when it did then."
        ),
        connection_limit: Field<i64> = optional_computed(
            "How many connections the role may hold at once, 0 or more. The tenant's database allows as many more, and they count \
             for `connection_budget`."
        )
        .default(i64::from(CONNECTIONS)),
        parameters: Field<BTreeMap<String, Item<String>>> = optional(
            "Parameters for the role's sessions, as `{ statement_timeout = \"5min\" }`. They stand before those of the tenant's \
             database; a session may set others. Whether the server takes each from this admin is checked while planning."
        ),
        member_of: Field<Set<Item<String>>> = optional_computed(
            "Roles that the role is a member of; the admin needs the ADMIN option on them. Default: none; for a role that was imported, \
             those that it was a member of then. Mind that it may become each of them (`SET ROLE`)."
        )
        .default(Value::List(Vec::new())),
        accept: Reasons = optional(
            "Controls of `isolation` whose findings are meant to be, each with the reason, as of `pgtenant_tenant`."
        ),
        id: Field<String> = computed("The tenant's name and the role's: `<tenant>/<name>`."),
        isolation: Controls = computed(format!(
            "What was found of each control: the same for this role as `pgtenant_tenant` has for the tenant's own, in the same words. The \
             controls are {}.",
            companion::CONTROLS.map(|control| format!("`{control}`")).join(", ")
        )),
        timeouts: Value = block(timeouts::block(&["create", "read", "update", "delete"])),
    }
}

/// How long the names of a role's parameters may be together: of its comment 4096 characters are read.
const MOST_BYTES: usize = 1500;

/// How many connections a role may hold where nothing is said.
const CONNECTIONS: i32 = 5;

impl Model {
    fn tenant(&self) -> Result<TenantName, Diagnostic> {
        names::parse(Path::attribute("tenant"), self.tenant.as_known().map(String::as_str).unwrap_or_default())
    }

    fn role(&self) -> Result<RoleName, Diagnostic> {
        names::parse(Path::attribute("name"), self.name.as_known().map(String::as_str).unwrap_or_default())
    }

    fn method(&self) -> Option<Method> {
        self.authentication.as_known().and_then(|name| Method::named(name))
    }

    /// What this configuration says of how the role logs in.
    fn login(&self, method: Option<Method>) -> Login<'_> {
        Login {
            password: &self.password_wo,
            version: &self.password_wo_version,
            valid_until: &self.valid_until,
            method,
            role: &self.name,
            member_of: &self.member_of,
        }
    }

    fn parameters(&self) -> BTreeMap<ParameterName, String> {
        let known = self.parameters.known_entries().unwrap_or_default();
        known.into_iter().filter_map(|(name, value)| Some((name.parse().ok()?, value))).collect()
    }

    /// What is wanted. Where the tenant is, is known when it was seen: see [`placed`].
    fn wanted(&self, is_known: bool) -> Result<Wanted, Diagnostic> {
        let (tenant, role) = (self.tenant()?, self.role()?);
        let mut member_of = BTreeSet::new();
        for name in self.member_of.known_elements() {
            member_of.insert(names::parse::<RoleName>(Path::attribute("member_of"), name)?);
        }
        let accept = self.accept.known_entries().into_iter().flatten();
        Ok(Wanted {
            role: Desired {
                names: Names { role, ..Names::of(&tenant) },
                goal: Goal::Present,
                force: false,
                known_as: is_known.then_some(tenant),
                temporary: false,
                creates_schemas: false,
                replicates: false,
                admin_connections: ADMIN_CONNECTIONS,
                extensions: BTreeMap::new(),
                offered: BTreeMap::new(),
                schemas: BTreeSet::new(),
                given_up: BTreeSet::new(),
                member_of,
                authentication: self.method().unwrap_or_default(),
                template: None,
                valid_until: expiry(&self.valid_until),
                comment: None,
                locale: Locale::default(),
                password: Password::Keep,
                password_version: self.password_wo_version.known(),
                accept: accept
                    .filter_map(|(name, reason)| Some((Control::named(Of::Tenant, &name)?, reason)))
                    .collect(),
            },
            access: self.access.as_known().and_then(|name| Access::named(name)).unwrap_or(Access::Connect),
            login: self.login.known().unwrap_or(true),
            connection_limit: self
                .connection_limit
                .known()
                .and_then(|limit| i32::try_from(limit).ok())
                .unwrap_or(CONNECTIONS),
            parameters: self.parameters(),
        })
    }

    /// This state with what was observed in place of what was remembered.
    fn observe(mut self, wanted: &Wanted, seen: &Both) -> (Self, Statuses) {
        let findings =
            controls::named(companion::findings(&placed(wanted.clone(), &seen.tenant), &seen.role, &seen.tenant));
        if let Some(role) = &seen.role.role {
            self.name = Field::Known(role.name.clone());
            self.connection_limit = Field::Known(i64::from(role.connection_limit));
            self.valid_until = respelled(&self.valid_until, role.valid_until.as_deref());
            let marker = seen.role.role_marker();
            if let Some(access) = marker.as_ref().and_then(|marker| marker.access) {
                self.access = Field::Known(access.name().to_owned());
            }
            // The tenant's own role says whether all are shut out.
            if role.login || seen.tenant.role.as_ref().is_some_and(|own| own.login) {
                self.login = Field::Known(role.login);
            }
        }
        self.isolation = controls::described(&findings);
        (self, Statuses::of(&findings))
    }
}

/// What the provider remembers beside the state.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Private {
    /// The statuses of the controls in `isolation`.
    statuses: Statuses,
    /// What a role that was imported had: what it keeps where the configuration does not say.
    #[serde(default)]
    imported: Option<Imported>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Imported {
    member_of: BTreeSet<String>,
    authentication: String,
    #[serde(default)]
    valid_until: Option<Expiry>,
}

impl Remembered for Private {}

/// With the names that the tenant's objects have.
fn placed(mut wanted: Wanted, tenant: &Observed) -> Wanted {
    let names = &mut wanted.role.names;
    if let Some(database) = tenant.database_name() {
        names.database = database;
    }
    names.schema = tenant.names.schema.clone();
    wanted
}

/// A tenant, and its further role in the place of its own.
struct Both {
    tenant: Observed,
    role: Observed,
}

/// What a snapshot has of a role, by the name that Terraform knows, or else by the one that it is to have.
fn find(snapshot: &Snapshot, tenant: &TenantName, before: &RoleName, after: &RoleName) -> Both {
    let tenant = Observed::find_or_rest(snapshot, tenant);
    let role = Observed::companion(snapshot, &tenant, before);
    let role = if role.role.is_some() { role } else { Observed::companion(snapshot, &tenant, after) };
    Both { tenant, role }
}

/// Looks into the tenant's database, and with `deep` at what the server asks of a login.
async fn look(
    cluster: &Cluster,
    both: &mut Both,
    deep: bool,
    proof: Option<&Proof>,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    let entered = operations::look(cluster, &mut both.tenant, false, cancel).await;
    ask(cluster, both, entered, deep, proof, cancel).await
}

/// Hands on what was seen inside, and with `deep` asks what a login is asked.
async fn ask(
    cluster: &Cluster,
    both: &mut Both,
    entered: Result<(), Error>,
    deep: bool,
    proof: Option<&Proof>,
    cancel: &CancellationToken,
) -> Result<(), Error> {
    both.role.inside = both.tenant.inside.clone();
    if deep && let (Some(role), Some(database)) = (both.role.role_name(), both.tenant.database_name()) {
        let asked = cluster.begin_login(&role, &database, proof, cancel).await;
        both.role.login = asked.map_err(|error| error.to_string());
    }
    entered
}

#[async_trait]
impl Resource for RoleResource {
    fn type_name(&self) -> &'static str {
        "pgtenant_role"
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
        names::validate([("tenant", &config.tenant), ("name", &config.name)], &mut diagnostics);
        one_of("access", &config.access, &Access::ALL.map(Access::name), &mut diagnostics);
        one_of("authentication", &config.authentication, &Method::ALL.map(Method::name), &mut diagnostics);
        diagnostics.extend(Whose::Tenant.check_all(&config.accept));
        let method = if config.authentication.is_null() { Some(Method::default()) } else { config.method() };
        diagnostics.extend(config.login(method).validate());
        if config.connection_limit.as_known().is_some_and(|limit| !(0..=i64::from(i32::MAX)).contains(limit)) {
            let detail = "It is a whole number, 0 or more.";
            diagnostics.push(Diagnostic::error("Not a connection limit", detail).at_attribute("connection_limit"));
        }
        let parameters = config.parameters.known_entries().unwrap_or_default();
        if parameters.keys().map(String::len).sum::<usize>() > MOST_BYTES {
            let detail =
                format!("Their names are on record in the role's comment. Give at most {MOST_BYTES} bytes of them.");
            diagnostics.push(Diagnostic::error("Too many parameters", detail).at_attribute("parameters"));
        }
        for name in parameters.keys() {
            let path = Path::attribute("parameters").key(name);
            if name.parse::<ParameterName>().is_err() {
                let detail = "It has letters, digits and `_`.";
                diagnostics.push(Diagnostic::error("Not a parameter's name", detail).at(path));
            } else if ["role", "search_path", "session_authorization"].contains(&name.to_ascii_lowercase().as_str()) {
                let detail = "It follows from `access`, and from the tenant.";
                diagnostics.push(Diagnostic::error(format!("Parameter {name:?} is not set here"), detail).at(path));
            }
        }
        diagnostics
    }

    async fn read(&self, cx: &Context, state: State) -> Result<Option<State>, Diagnostics> {
        let failed = |error: Error| diagnose::error("read the role", &error, cx);
        let Some(cluster) = self.connection.cluster().await.map_err(failed)? else {
            return Ok(Some(State { diagnostics: diagnose::not_refreshed().into(), ..state }));
        };
        let mut model = Model::decode(&state.value)?;
        let snapshot = self.connection.sorted(&cluster, &cx.cancel).await.map_err(failed)?;
        let (tenant, role) = (model.tenant()?, model.role()?);
        let part = snapshot.part_of(&tenant, &[&role]);
        let mut both = find(&part, &tenant, &role, &role);
        if both.role.role.is_none() {
            // Its tenant has another name, and it was told of that alone.
            let marker = part.roles.iter().find(|found| found.name == role.as_str()).and_then(any_marker);
            let Some(tenant) = marker.filter(|marker| marker.access.is_some()).and_then(|one| one.tenant.parse().ok())
            else {
                return Ok(None);
            };
            both = find(&snapshot.part_of(&tenant, &[&role]), &tenant, &role, &role);
            if both.role.role.is_none() {
                return Ok(None);
            }
            model.tenant = Field::Known(tenant.to_string());
        }
        let mut diagnostics = Diagnostics::default();
        if self.connection.deep_verify().await {
            let looked = operations::look_once(&cluster, &mut both.tenant, false, &cx.cancel).await;
            if let Err(error) = ask(&cluster, &mut both, looked, true, None, &cx.cancel).await {
                if cx.cancel.is_cancelled() {
                    return Err(failed(error).into());
                }
                diagnostics.push(diagnose::not_entered(both.tenant.names.tenant.as_str(), &both.tenant, &error));
            }
            operations::leave(&cluster, &both.tenant).await;
        } else {
            both.tenant.inside = Err(operations::NOT_DEEP.to_owned());
            both.role.inside.clone_from(&both.tenant.inside);
            both.role.login = Err(operations::NOT_DEEP.to_owned());
        }
        let wanted = model.wanted(true)?;
        let (model, statuses) = model.observe(&wanted, &both);
        let private = Private { statuses, ..Private::decode(&state.private) };
        Ok(Some(State { value: model.encode(), private: private.encode(), diagnostics }))
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> Planned {
        let (models, config) = (request.models::<Model>(), Model::decode(&request.config));
        let (prior, mut model, config) = match (models, config) {
            (Ok((prior, model)), Ok(config)) => (prior, model, config),
            (Err(diagnostics), _) | (_, Err(diagnostics)) => return request.refused(diagnostics),
        };
        model.id = match (model.tenant.as_known(), model.name.as_known()) {
            (Some(tenant), Some(name)) => Field::Known(format!("{tenant}/{name}")),
            _ => Field::Unknown,
        };
        let Private { statuses, imported } = Private::decode(&request.private);
        model.valid_until = login::planned_expiry(
            &config.valid_until,
            prior.as_ref().map(|prior| &prior.valid_until),
            imported.as_ref().and_then(|imported| imported.valid_until),
        );
        if let Some(imported) = imported {
            if request.config.get("member_of").is_null() {
                model.member_of = imported.member_of.into_iter().collect();
            }
            if request.config.get("authentication").is_null() {
                model.authentication = Field::Known(imported.authentication);
            }
        }
        model.isolation = Field::Unknown;
        if let Some(before) = &prior {
            let accept = (&before.accept, &model.accept.clone());
            model.isolation = controls::planned(&before.isolation, &statuses, accept, false);
            if request.prior.as_ref() != Some(&model.clone().encode()) {
                model.isolation = controls::planned(&before.isolation, &statuses, accept, true);
            }
            // What a tenant has that is made anew is to be given to it again.
            if let Ok(tenant) = model.tenant()
                && self.connection.walk().await.makes(&tenant)
            {
                model.isolation = Field::Unknown;
            }
        }
        let mut diagnostics = self.foresee(cx, &request, &config, prior.as_ref(), &model).await;
        diagnostics.0.extend(login::expired(&model.name, &model.valid_until));
        Planned { value: model.encode(), private: request.private, diagnostics, ..Planned::default() }
    }

    async fn apply(&self, cx: &Context, request: ApplyRequest) -> Applied {
        self.connection.note_apply();
        let cluster = match self.connection.required(cx).await {
            Ok(cluster) => cluster,
            Err(diagnostic) => return request.unchanged(diagnostic),
        };
        let (models, config) = (request.models::<Model>(), Model::decode(&request.config));
        let (prior, planned, config) = match (models, config) {
            (Ok((prior, planned)), Ok(config)) => (prior, planned, config),
            (Err(diagnostics), _) | (_, Err(diagnostics)) => return request.unchanged(diagnostics),
        };
        let ends = planned.is_none();
        let private = Private::decode(&request.private);
        let model = planned.or_else(|| prior.clone()).unwrap_or_default();
        let password = config.password_wo.known().filter(|_| !ends);
        let mut role = match self.subject(&model, prior.as_ref(), password.as_ref()).await {
            Ok(role) => FurtherRole { ends, ..role },
            Err(diagnostic) => return request.unchanged(diagnostic),
        };
        if let Some(before) = prior.as_ref().filter(|before| !ends && before.tenant != model.tenant) {
            let mut left = match self.subject(before, Some(before), None).await {
                Ok(left) => FurtherRole { ends: true, moves: true, ..left },
                Err(diagnostic) => return request.unchanged(diagnostic),
            };
            if let Err(diagnostic) = reconcile(cx, &cluster, &mut left).await.outcome {
                return request.unchanged(diagnostic);
            }
        }
        let Reached { observed, outcome } = reconcile(cx, &cluster, &mut role).await;
        if let Some(both) = &observed {
            operations::leave(&cluster, &both.tenant).await;
        }
        match (outcome, observed) {
            (Ok(diagnostics), _) if ends => Applied { diagnostics, ..Applied::default() },
            (Err(_), Some(both)) if ends && both.role.role.is_none() => Applied::default(),
            (Ok(said), Some(both)) => {
                if prior.is_none() {
                    self.connection.unsettled(both.tenant.names.clone()).await;
                }
                finished(&model, &role.wanted, &both, said, private)
            }
            // What was made is in the state: tainted, it may be destroyed, or made anew.
            (Err(diagnostic), Some(both)) if both.role.role.is_some() && (prior.is_some() || role.made) => {
                let before = prior.unwrap_or(model);
                let Ok(wanted) = before.wanted(true) else { return request.unchanged(diagnostic) };
                let (state, statuses) = before.observe(&wanted, &both);
                let private = Private { statuses, ..private }.encode();
                Applied { state: Some(state.encode()), private, diagnostics: diagnostic.into() }
            }
            (Err(diagnostic), _) => request.unchanged(diagnostic),
            (Ok(_), None) => unreachable!("a goal is reached where it was seen"),
        }
    }

    async fn import(&self, cx: &Context, id: &str) -> Result<State, Diagnostics> {
        let failed = |error: Error| diagnose::error(&format!("import role {id:?}"), &error, cx);
        let cluster = self.connection.cluster().await.map_err(failed)?.ok_or_else(diagnose::not_known)?;
        let snapshot = cluster.snapshot(&cx.cancel).await.map_err(failed)?;
        let found =
            names::pairs(id).map(|(tenant, role): (TenantName, RoleName)| find(&snapshot, &tenant, &role, &role));
        let found = found.filter(|both| both.tenant.role.is_some()).find(|both| both.role.role.is_some());
        let Some(mut both) = found else { return Err(not_importable(id).into()) };
        let own = cluster.own_roles().any(|own| both.role.role.as_ref().is_some_and(|role| role.name == own.as_str()));
        if own || both.role.role.as_ref().is_some_and(|role| role.superuser || !role.manageable) {
            return Err(not_ours(id).into());
        }
        look(&cluster, &mut both, true, None, &cx.cancel).await.map_err(failed)?;
        operations::leave(&cluster, &both.tenant).await;
        let marker = both.role.role_marker();
        let role = both.role.role.as_ref().expect("it was found");
        let own = both.tenant.role.as_ref().expect("it was found").name.clone();
        let direct = both.role.memberships.iter().filter(|one| !one.automatic && one.member == role.name);
        let mut groups: BTreeSet<String> = direct.map(|one| one.role.clone()).filter(|group| *group != own).collect();
        let registered = marker.as_ref().map(|marker| marker.authentication).unwrap_or_default();
        let method = if groups.remove(RDS_IAM) { Method::RdsIam } else { registered };
        let imported = Imported {
            member_of: groups,
            authentication: method.name().to_owned(),
            valid_until: role.valid_until.as_ref().and_then(|until| until.parse().ok()),
        };
        let access = marker.as_ref().and_then(|marker| marker.access).unwrap_or(Access::Connect);
        let model = Model {
            id: Field::Known(format!("{}/{}", both.tenant.names.tenant, role.name)),
            tenant: Field::Known(both.tenant.names.tenant.to_string()),
            name: Field::Known(role.name.clone()),
            access: Field::Known(access.name().to_owned()),
            login: Field::Known(marker.as_ref().map_or(role.login, |marker| !marker.nologin)),
            password_wo_version: marker.as_ref().and_then(|marker| marker.password_version).into(),
            authentication: Field::Known(imported.authentication.clone()),
            connection_limit: Field::Known(i64::from(role.connection_limit)),
            member_of: imported.member_of.iter().cloned().collect(),
            ..Model::default()
        };
        let wanted = model.wanted(true)?;
        let (model, statuses) = model.observe(&wanted, &both);
        let private = Private { statuses, imported: Some(imported) };
        Ok(State { private: private.encode(), ..State::from(model.encode()) })
    }
}

impl RoleResource {
    /// What is to be said of a plan.
    async fn foresee(
        &self,
        cx: &Context,
        request: &PlanRequest,
        config: &Model,
        prior: Option<&Model>,
        planned: &Model,
    ) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        if let Some(name) = planned.name.as_known().filter(|_| !request.is_second())
            && !self.connection.walk().await.claim(Claim::Role, name)
        {
            let detail = "Another resource of this configuration has it as well. Give each role its own name.";
            diagnostics.push(Diagnostic::error(format!("Two have the role {name:?}"), detail).at_attribute("name"));
        }
        let version = |model: &Model| model.password_wo_version.known();
        let before = prior.and_then(version);
        // One that was imported may log in otherwise than the configuration alone says.
        diagnostics.extend(config.login(planned.method()).validate());
        if let Some(after) = version(planned).filter(|after| Some(*after) != before && config.password_wo.is_null()) {
            let detail = format!("There is no password to set for version {after}. Set both, or neither.");
            let diagnostic = Diagnostic::error("`password_wo_version` without `password_wo`", detail);
            diagnostics.push(diagnostic.at_attribute("password_wo_version"));
        }
        if diagnostics.has_errors() || self.connection.is_applying() {
            return diagnostics;
        }
        match self.foresee_on_server(cx, prior, planned).await {
            Ok(more) => diagnostics.extend(more),
            Err(error) => diagnostics.push(diagnose::error("plan the role", &error, cx)),
        }
        diagnostics
    }

    async fn foresee_on_server(
        &self,
        cx: &Context,
        prior: Option<&Model>,
        planned: &Model,
    ) -> Result<Diagnostics, Error> {
        let mut diagnostics = Diagnostics::default();
        let Some(cluster) = self.connection.cluster().await? else { return Ok(diagnostics) };
        let Ok(role) = planned.role() else { return Ok(diagnostics) };
        if cluster.own_roles().any(|own| *own == role) {
            diagnostics.push(not_ours(role.as_str()).at_attribute("name"));
            return Ok(diagnostics);
        }
        let groups = |model: &Model| -> BTreeSet<RoleName> {
            model.member_of.known_elements().filter_map(|name| name.parse().ok()).collect()
        };
        let new = &groups(planned) - &prior.map(groups).unwrap_or_default();
        diagnostics.0.extend(new.iter().filter(|role| foresight::reaches_beyond(role)).map(reaches_beyond));
        diagnostics.0.extend(self.over_budget(cx, &cluster, prior, planned, &role).await?);
        let before = prior.map(Model::parameters).unwrap_or_default();
        for (name, value) in planned.parameters() {
            if before.get(&name) == Some(&value) {
                continue;
            }
            if let Err(error) = self.connection.try_parameter(&cluster, &name, &value, &cx.cancel).await {
                let path = Path::attribute("parameters").key(name.as_str());
                diagnostics.push(diagnose::parameter(name.as_str(), &error, path, cx));
            }
        }
        if prior.is_none() {
            let snapshot = self.connection.sorted(&cluster, &cx.cancel).await?;
            if let Ok(tenant) = planned.tenant() {
                let snapshot = snapshot.part_of(&tenant, &[&role]);
                let both = find(&snapshot, &tenant, &role, &role);
                if let Some(mut conflict) = conflict(&snapshot, &both, &tenant, &role) {
                    conflict.severity = Severity::Warning;
                    diagnostics.push(conflict);
                }
            }
        }
        Ok(diagnostics)
    }

    /// Whether the server has the connections that this plan promises, if it promises more than before.
    async fn over_budget(
        &self,
        cx: &Context,
        cluster: &Cluster,
        prior: Option<&Model>,
        planned: &Model,
        role: &RoleName,
    ) -> Result<Option<Diagnostic>, Error> {
        let Some(severity) = self.connection.connection_budget().await.severity() else { return Ok(None) };
        let Some(limit) = planned.connection_limit.as_known() else { return Ok(None) };
        if prior.and_then(|prior| prior.connection_limit.known()).is_some_and(|before| before >= *limit) {
            return Ok(None);
        }
        let formerly = prior.and_then(|prior| prior.role().ok()).unwrap_or_else(|| role.clone());
        let found = self.connection.overcommitment_by_role(cluster, (role, &formerly), *limit, &cx.cancel).await?;
        Ok(found.map(|found| Diagnostic { severity, ..capacity::overcommitted(&found) }))
    }

    async fn subject(
        &self,
        model: &Model,
        prior: Option<&Model>,
        password: Option<&Secret>,
    ) -> Result<FurtherRole, Diagnostic> {
        let mut wanted = model.wanted(prior.is_some())?;
        let before = prior.map(Model::role).transpose()?.unwrap_or_else(|| wanted.role.names.role.clone());
        let version = |model: &Model| model.password_wo_version.known();
        let Decided { password, verifier, proof } =
            decide(password, wanted.role.authentication, prior.map(version), version(model))?;
        wanted.role.password = password;
        Ok(FurtherRole {
            tenant: model.tenant()?,
            before,
            wanted,
            verifier,
            deep: self.connection.deep_verify().await,
            proof,
            login: None,
            is_first: prior.is_none(),
            conflict: None,
            made: false,
            ends: false,
            moves: false,
        })
    }
}

/// A further role on its way to what is planned, or to its end.
struct FurtherRole {
    tenant: TenantName,
    /// The name by which it is looked for first.
    before: RoleName,
    wanted: Wanted,
    /// Of the password at hand, for a role that is gone and is made again.
    verifier: Option<Verifier>,
    deep: bool,
    proof: Option<Proof>,
    /// What the server asked, once it was asked.
    login: Option<Result<Authentication, String>>,
    /// Whether it is still to be looked what is in its way.
    is_first: bool,
    conflict: Option<Diagnostic>,
    made: bool,
    ends: bool,
    /// Whether it ends for this tenant only. One that was renamed is another by name alone.
    moves: bool,
}

impl Subject for FurtherRole {
    type Observed = Both;

    fn what(&self) -> String {
        let verb = match (self.ends, &self.wanted.role.known_as) {
            (true, _) => "destroy",
            (false, None) => "create",
            (false, Some(_)) => "update",
        };
        format!("{verb} role {:?} of tenant {:?}", self.before.as_str(), self.tenant.as_str())
    }

    fn locked(&self) -> BTreeSet<String> {
        let roles = [&self.before, &self.wanted.role.names.role].map(ToString::to_string);
        roles.into_iter().chain([self.tenant.to_string()]).collect()
    }

    async fn observe(&mut self, cluster: &Cluster, cancel: &CancellationToken) -> Result<Both, Error> {
        let role = &self.wanted.role.names.role;
        let names = [&self.before, role].map(ToString::to_string).into();
        let comments = Trace::of(&self.tenant).texts().into();
        let snapshot = cluster.inspect(&Filter::Only { names, comments }, cancel).await?;
        let mut both = find(&snapshot, &self.tenant, &self.before, role);
        if std::mem::take(&mut self.is_first) {
            self.conflict = conflict(&snapshot, &both, &self.tenant, role);
        }
        if self.ends || self.conflict.is_some() || both.tenant.role.is_none() {
            return Ok(both);
        }
        let deep = self.deep && self.login.is_none();
        let looked = look(cluster, &mut both, deep, self.proof.as_ref(), cancel).await;
        both.role.login = self.login.take().unwrap_or(both.role.login);
        let is_complete = both.role.role_marker().is_some_and(|marker| marker.stage.is_complete());
        if let Err(error) = looked
            && (cancel.is_cancelled() || !is_complete)
        {
            return Err(error);
        }
        self.login = Some(both.role.login.clone());
        Ok(both)
    }

    fn next(&mut self, both: &Both) -> Result<Next, Diagnostic> {
        if let Some(conflict) = self.conflict.take() {
            return Err(conflict);
        }
        if self.moves && both.tenant.names.tenant != self.tenant {
            return Ok(Next::default());
        }
        if self.ends {
            let owned = companion::owned(&both.role);
            if both.role.role.is_some() && !owned.is_empty() {
                return Err(self.owns(&owned));
            }
            return Ok(Next { needed: render(&companion::remove(&both.role, &both.tenant)), tried: Vec::new() });
        }
        if both.tenant.role.is_none() || both.tenant.database.is_none() {
            return Err(no_tenant(self.tenant.as_str()));
        }
        if let (None, Some(verifier)) = (&both.role.role, &self.verifier) {
            self.wanted.role.password = Password::Set(verifier.clone());
        }
        let repair = companion::repair(&placed(self.wanted.clone(), &both.tenant), &both.role, &both.tenant);
        if repair.needed.iter().chain(&repair.tried).any(crate::tenant::Change::changes_login) {
            self.login = None;
        }
        self.made |= !repair.needed.is_empty();
        Ok(Next { needed: render(&repair.needed), tried: repair.tried })
    }
}

impl FurtherRole {
    fn owns(&self, owned: &BTreeMap<String, u64>) -> Diagnostic {
        let places: Vec<_> = owned.iter().map(|(place, count)| format!("{count} in {place}")).collect();
        let detail = format!(
            "It owns objects: {}. Drop them, or give them to another role (REASSIGN OWNED); nothing \
             was changed.",
            places.join(", ")
        );
        Diagnostic::error(format!("Could not {}", self.what()), detail)
    }
}

/// What stands where the role is to be made: one that is no further role of this tenant, or that some state has.
fn conflict(snapshot: &Snapshot, both: &Both, tenant: &TenantName, role: &RoleName) -> Option<Diagnostic> {
    let found = snapshot.roles.iter().find(|found| found.name == role.as_str())?;
    let is_ours = both.role.role.as_ref().is_some_and(|role| role.name == found.name);
    let marker = both.role.role_marker().filter(|_| is_ours);
    if marker.is_some_and(|marker| marker.access.is_some() && marker.stage != crate::tenant::Stage::Ready) {
        return None;
    }
    let id = serde_json::Value::String(format!("{tenant}/{role}"));
    let detail = format!(
        "If it is to be a role of this tenant, take it over: what it has beyond its `access` is taken from it.\n\nimport {{\n  to = \
         pgtenant_role.<name>\n  id = {id}\n}}"
    );
    let summary = format!("There is a role {:?} already", role.as_str());
    Some(Diagnostic::error(summary, detail).at_attribute("name"))
}

fn no_tenant(tenant: &str) -> Diagnostic {
    Diagnostic::error(
        format!("There is no tenant {tenant:?}"),
        "A further role is for a tenant that `pgtenant_tenant` made, or has imported and applied. Write \
         `tenant = pgtenant_tenant.<name>.name`, so that Terraform makes it first.",
    )
    .at_attribute("tenant")
}

fn not_importable(id: &str) -> Diagnostic {
    Diagnostic::error(
        format!("There is nothing to import as {id:?}"),
        "The ID is `<tenant>/<role>`: a tenant of this provider, and an existing role that is no tenant's own.",
    )
}

fn not_ours(role: &str) -> Diagnostic {
    Diagnostic::error(
        format!("{role:?} is no tenant's role"),
        "It is the provider's own, a superuser's, or one that this admin may not alter. `pgtenant_role` is for roles that it manages \
         from their first moment to their end.",
    )
}

/// The state that was reached, and a word on what could not be enforced. What was planned stands.
fn finished(model: &Model, wanted: &Wanted, both: &Both, said: Diagnostics, private: Private) -> Applied {
    let findings =
        controls::named(companion::findings(&placed(wanted.clone(), &both.tenant), &both.role, &both.tenant));
    let rest = "To repair it, ask a superuser or the object's owner; to keep it, give the reason in `accept`.";
    let (isolation, statuses, mut diagnostics) = controls::settled("isolation", &model.isolation, &findings, rest);
    diagnostics.extend(said);
    let state = Model { isolation, ..model.clone() };
    let private = Private { statuses, ..private }.encode();
    Applied { state: Some(state.encode()), private, diagnostics }
}

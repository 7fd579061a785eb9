//! `pgtenant_access`: what a role that somebody else made may do in one tenant's database.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::postgres::catalog::snapshot::{Filter, Snapshot};
use crate::postgres::{Cluster, Error, RoleName};
use crate::tenant::admission;
use crate::tenant::observed::any_marker;
use crate::tenant::{Access, Observed, TenantName, Trace, render};
use crate::tf_provider::{
    Applied, ApplyRequest, Attributes, Context, Diagnostic, Diagnostics, Field, Path, PlanRequest, Planned, Resource,
    Schema, State, Value, async_trait, model, timeouts,
};

use super::connection::Connection;
use super::controls::{self, Controls, Statuses};
use super::login::one_of;
use super::reconcile::{Next, Reached, Subject, reconcile};
use super::remembered::Remembered;
use super::tenant::operations;
use super::{diagnose, names};

pub(super) struct AccessResource {
    connection: Arc<Connection>,
}

impl AccessResource {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        AccessResource { connection }
    }
}

fn schema() -> Schema {
    Model::schema(
        0,
        "Lets a role that somebody else made into one tenant's database: a reporting role over many tenants, an exporter that is a \
         member of `pg_monitor`. What is given is no drift of the tenant; whatever else it has there is. The role itself is left \
         alone: its attributes, its password, its limits and its `search_path` are its maker's. A suspended tenant is closed to it. \
         For a role that is one tenant's alone, write `pgtenant_role`.",
    )
}

model! {
    #[derive(Clone, Debug, Default)]
    struct Model {
        tenant: Field<String> = required(
            "The tenant's name: `pgtenant_tenant.<name>.name`. For another tenant, the role is shut out of the first."
        ),
        role: Field<String> = required("The role's name.").requires_replace(),
        access: Field<String> = required(
            "What it may do in the tenant's database. `owner`: it may become the tenant (`SET ROLE`). `write`: it reads and writes \
             what the tenant's own role has there and will have (SELECT, INSERT, UPDATE, DELETE; the values of sequences). `read`: it \
             reads that. `connect`: it gets in, and no more."
        ),
        id: Field<String> = computed("The tenant's name and the role's: `<tenant>/<role>`."),
        isolation: Controls = computed(format!(
            "What was found of each control, of this role in the tenant's database, in the words of `pgtenant_tenant`. The controls \
             are {}.",
            admission::CONTROLS.map(|control| format!("`{control}`")).join(", ")
        )),
        timeouts: Value = block(timeouts::block(&["create", "read", "update", "delete"])),
    }
}

impl Model {
    fn tenant(&self) -> Result<TenantName, Diagnostic> {
        names::parse(Path::attribute("tenant"), self.tenant.as_known().map(String::as_str).unwrap_or_default())
    }

    fn role(&self) -> Result<RoleName, Diagnostic> {
        names::parse(Path::attribute("role"), self.role.as_known().map(String::as_str).unwrap_or_default())
    }

    fn access(&self) -> Access {
        self.access.as_known().and_then(|name| Access::named(name)).unwrap_or(Access::Connect)
    }

    fn observe(mut self, role: &RoleName, tenant: &Observed) -> (Self, Statuses) {
        let access = tenant.admits(role.as_str()).unwrap_or(self.access());
        self.access = Field::Known(access.name().to_owned());
        let findings = controls::named(admission::findings(role, access, tenant));
        self.isolation = controls::described(&findings);
        (self, Statuses::of(&findings))
    }
}

/// A tenant, and whether the role is there.
struct Seen {
    tenant: Observed,
    exists: bool,
    /// Whether it is a tenant's, or owns the database.
    is_anybodys: bool,
}

fn find(snapshot: &Snapshot, tenant: &TenantName, role: &RoleName) -> Seen {
    let found = snapshot.roles.iter().find(|found| found.name == role.as_str());
    let tenant = Observed::find_or_rest(snapshot, tenant);
    let owns = tenant.database.as_ref().is_some_and(|database| database.owner == role.as_str());
    let is_own = tenant.role.as_ref().is_some_and(|own| own.name == role.as_str());
    Seen { exists: found.is_some(), is_anybodys: owns || is_own || found.and_then(any_marker).is_some(), tenant }
}

#[async_trait]
impl Resource for AccessResource {
    fn type_name(&self) -> &'static str {
        "pgtenant_access"
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
        names::validate([("tenant", &config.tenant)], &mut diagnostics);
        if let Some(name) = config.role.as_known()
            && let Err(diagnostic) = names::parse::<RoleName>(Path::attribute("role"), name)
        {
            diagnostics.push(diagnostic);
        }
        one_of("access", &config.access, &Access::ALL.map(Access::name), &mut diagnostics);
        diagnostics
    }

    async fn read(&self, cx: &Context, state: State) -> Result<Option<State>, Diagnostics> {
        let failed = |error: Error| diagnose::error("read the access", &error, cx);
        let Some(cluster) = self.connection.cluster().await.map_err(failed)? else {
            return Ok(Some(State { diagnostics: diagnose::not_refreshed().into(), ..state }));
        };
        let model = Model::decode(&state.value)?;
        let (tenant, role) = (model.tenant()?, model.role()?);
        let snapshot = self.connection.sorted(&cluster, &cx.cancel).await.map_err(failed)?.part_of(&tenant, &[&role]);
        let Seen { mut tenant, exists, .. } = find(&snapshot, &tenant, &role);
        if !exists || tenant.role.is_none() {
            return Ok(None);
        }
        let mut diagnostics = Diagnostics::default();
        if self.connection.deep_verify().await {
            if let Err(error) = operations::look_once(&cluster, &mut tenant, false, &cx.cancel).await {
                if cx.cancel.is_cancelled() {
                    return Err(failed(error).into());
                }
                diagnostics.push(diagnose::not_entered(tenant.names.tenant.as_str(), &tenant, &error));
            }
            operations::leave(&cluster, &tenant).await;
        } else {
            tenant.inside = Err(operations::NOT_DEEP.to_owned());
        }
        let (model, statuses) = model.observe(&role, &tenant);
        Ok(Some(State { value: model.encode(), private: statuses.encode(), diagnostics }))
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> Planned {
        let (prior, mut model) = match request.models::<Model>() {
            Ok(models) => models,
            Err(diagnostics) => return request.refused(diagnostics),
        };
        model.id = match (model.tenant.as_known(), model.role.as_known()) {
            (Some(tenant), Some(role)) => Field::Known(format!("{tenant}/{role}")),
            _ => Field::Unknown,
        };
        model.isolation = Field::Unknown;
        if let Some(before) = &prior {
            let nothing = (&Field::Null, &Field::Null);
            let applies = (&before.tenant, &before.access) != (&model.tenant, &model.access);
            model.isolation =
                controls::planned(&before.isolation, &Statuses::decode(&request.private), nothing, applies);
            // What a tenant has that is made anew is to be given again.
            if let Ok(tenant) = model.tenant()
                && self.connection.walk().await.makes(&tenant)
            {
                model.isolation = Field::Unknown;
            }
        }
        let mut diagnostics = Diagnostics::default();
        match self.foresee(cx, prior.as_ref(), &model).await {
            Ok(said) => diagnostics.0.extend(said),
            Err(error) => diagnostics.push(diagnose::error("plan the access", &error, cx)),
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
        let ends = planned.is_none();
        let model = planned.or_else(|| prior.clone()).unwrap_or_default();
        let (tenant, role) = match (model.tenant(), model.role()) {
            (Ok(tenant), Ok(role)) => (tenant, role),
            (Err(diagnostic), _) | (_, Err(diagnostic)) => return request.unchanged(diagnostic),
        };
        let is_own = cluster.own_roles().any(|own| *own == role);
        if let Some(Ok(before)) =
            prior.as_ref().map(Model::tenant).filter(|before| before.as_ref().ok() != Some(&tenant))
        {
            let mut left = Admission { tenant: before, role: role.clone(), access: None, is_own, moves: true };
            if let Err(diagnostic) = reconcile(cx, &cluster, &mut left).await.outcome {
                return request.unchanged(diagnostic);
            }
        }
        let mut admission = Admission { tenant, role, access: (!ends).then(|| model.access()), is_own, moves: false };
        let Reached { observed, outcome } = reconcile(cx, &cluster, &mut admission).await;
        if let Some(seen) = &observed {
            operations::leave(&cluster, &seen.tenant).await;
        }
        match (outcome, observed) {
            (Ok(diagnostics), _) if ends => Applied { diagnostics, ..Applied::default() },
            (Ok(said), Some(seen)) => {
                let findings = controls::named(admission::findings(&admission.role, model.access(), &seen.tenant));
                let rest = "To repair it, ask a superuser or the object's owner.";
                let (isolation, statuses, mut diagnostics) =
                    controls::settled("isolation", &model.isolation, &findings, rest);
                diagnostics.extend(said);
                let state = Model { isolation, ..model };
                Applied { state: Some(state.encode()), private: statuses.encode(), diagnostics }
            }
            (Err(diagnostic), Some(seen)) if seen.tenant.admits(admission.role.as_str()).is_some() => {
                let (state, statuses) = prior.unwrap_or(model).observe(&admission.role, &seen.tenant);
                Applied { state: Some(state.encode()), private: statuses.encode(), diagnostics: diagnostic.into() }
            }
            (Err(diagnostic), _) => request.unchanged(diagnostic),
            (Ok(_), None) => unreachable!("a goal is reached where it was seen"),
        }
    }

    async fn import(&self, cx: &Context, id: &str) -> Result<State, Diagnostics> {
        let failed = |error: Error| diagnose::error(&format!("import access {id:?}"), &error, cx);
        let cluster = self.connection.cluster().await.map_err(failed)?.ok_or_else(diagnose::not_known)?;
        let snapshot = cluster.snapshot(&cx.cancel).await.map_err(failed)?;
        let found =
            names::pairs(id).map(|(tenant, role): (TenantName, RoleName)| (find(&snapshot, &tenant, &role), role));
        let Some((mut seen, role)) = found.filter(|(seen, _)| seen.exists).find(|(seen, _)| seen.tenant.role.is_some())
        else {
            let detail = "The ID is `<tenant>/<role>`: a tenant of this provider, and an existing role.";
            return Err(Diagnostic::error(format!("There is nothing to import as {id:?}"), detail).into());
        };
        operations::look(&cluster, &mut seen.tenant, false, &cx.cancel).await.map_err(failed)?;
        operations::leave(&cluster, &seen.tenant).await;
        let model = Model {
            id: Field::Known(format!("{}/{role}", seen.tenant.names.tenant)),
            tenant: Field::Known(seen.tenant.names.tenant.to_string()),
            role: Field::Known(role.to_string()),
            ..Model::default()
        };
        let (model, statuses) = model.observe(&role, &seen.tenant);
        Ok(State { private: statuses.encode(), ..State::from(model.encode()) })
    }
}

impl AccessResource {
    async fn foresee(&self, cx: &Context, prior: Option<&Model>, planned: &Model) -> Result<Option<Diagnostic>, Error> {
        let (None, Ok(role), false) = (prior, planned.role(), self.connection.is_applying()) else { return Ok(None) };
        let Some(cluster) = self.connection.cluster().await? else { return Ok(None) };
        let snapshot = cluster.snapshot(&cx.cancel).await?;
        let there = snapshot.roles.iter().find(|found| found.name == role.as_str());
        Ok(match there {
            None if role.as_str().starts_with("pg_") => Some(not_for(role.as_str())),
            Some(found) if found.superuser => Some(no_need(role.as_str())),
            _ => None,
        })
    }
}

/// A role that is let in, or is to be let in no more.
struct Admission {
    tenant: TenantName,
    role: RoleName,
    access: Option<Access>,
    /// Whether the provider itself is this role.
    is_own: bool,
    /// Whether it is let into another tenant instead. One that was renamed is another by name alone.
    moves: bool,
}

impl Subject for Admission {
    type Observed = Seen;

    fn what(&self) -> String {
        let (role, tenant) = (self.role.as_str(), self.tenant.as_str());
        match self.access {
            Some(_) => format!("let role {role:?} into tenant {tenant:?}"),
            None => format!("shut role {role:?} out of tenant {tenant:?}"),
        }
    }

    fn locked(&self) -> BTreeSet<String> {
        BTreeSet::from([self.tenant.to_string()])
    }

    async fn observe(&mut self, cluster: &Cluster, cancel: &CancellationToken) -> Result<Seen, Error> {
        let comments = Trace::of(&self.tenant).texts().into();
        let filter = Filter::Only { names: vec![self.role.to_string()], comments };
        let snapshot = cluster.inspect(&filter, cancel).await?;
        let mut seen = find(&snapshot, &self.tenant, &self.role);
        if seen.tenant.role.is_some() && (seen.exists || self.access.is_none()) {
            let looked = operations::look(cluster, &mut seen.tenant, false, cancel).await;
            // Who is in can fill the database; out it is put by the shared catalogs all the same.
            let known = self.access.is_none() || seen.tenant.admits(self.role.as_str()).is_some();
            if cancel.is_cancelled() || !known {
                looked?;
            }
        }
        Ok(seen)
    }

    fn next(&mut self, seen: &Seen) -> Result<Next, Diagnostic> {
        if self.moves && seen.tenant.names.tenant != self.tenant {
            return Ok(Next::default());
        }
        if seen.tenant.role.is_none() || seen.tenant.database.is_none() {
            return match self.access {
                Some(_) => Err(no_tenant(self.tenant.as_str())),
                None => Ok(Next::default()),
            };
        }
        if self.access.is_some() && !seen.exists {
            return Err(no_role(self.role.as_str()));
        }
        if self.access.is_some() && (self.is_own || seen.is_anybodys) {
            return Err(somebodys(self.role.as_str()));
        }
        if self.access.is_some() && !admission::fits(&self.role, &seen.tenant) {
            return Err(too_many(self.tenant.as_str()));
        }
        let repair = admission::repair(&self.role, self.access, &seen.tenant);
        Ok(Next { needed: render(&repair.needed), tried: repair.tried })
    }
}

fn no_tenant(tenant: &str) -> Diagnostic {
    Diagnostic::error(
        format!("There is no tenant {tenant:?}"),
        "Write `tenant = pgtenant_tenant.<name>.name`, so that Terraform makes it first.",
    )
    .at_attribute("tenant")
}

fn no_role(role: &str) -> Diagnostic {
    Diagnostic::error(
        format!("There is no role {role:?}"),
        "It is somebody else's to make, before this; for a role that is one tenant's alone, write `pgtenant_role`.",
    )
    .at_attribute("role")
}

fn too_many(tenant: &str) -> Diagnostic {
    Diagnostic::error(
        format!("Too many roles have access to tenant {tenant:?}"),
        "They are on record in the comment of the tenant's role, of which 4096 characters are read. Let in a group of them, or write \
         `pgtenant_role` for those that are this tenant's alone.",
    )
    .at_attribute("role")
}

fn somebodys(role: &str) -> Diagnostic {
    Diagnostic::error(
        format!("Role {role:?} cannot get access"),
        "It is a tenant's own, a further role of one, the provider's or the database's owner. What a further role of a tenant may do, its \
         `pgtenant_role` says; no role of one tenant gets into another.",
    )
    .at_attribute("role")
}

fn not_for(role: &str) -> Diagnostic {
    Diagnostic::error(
        format!("Role {role:?} is PostgreSQL's own"),
        "Nobody logs in as it, and all its members would get access. Name the role that logs in.",
    )
    .at_attribute("role")
}

fn no_need(role: &str) -> Diagnostic {
    Diagnostic::warning(
        format!("Role {role:?} is a superuser"),
        "It may do everything in every database already. What is given to it here limits it in nothing.",
    )
    .at_attribute("role")
}

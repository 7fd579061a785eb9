//! `pgtenant_tenant`: a database, a role and a schema for one tenant, isolated from all others.

pub(super) mod operations;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::postgres::catalog::snapshot::Snapshot;
use crate::postgres::{Challenge, Error, ExtensionName, Feature, RoleName, Secret, Verifier};
use crate::tenant::isolation;
use crate::tenant::{Conflict, Control, Desired, Locale, Names, Observed};
use crate::tf_provider::{
    Applied, ApplyRequest, Attribute, Block, Context, Diagnostic, Diagnostics, Field, Path, PlanRequest, Planned,
    Resource, Schema, State, Type, Value, async_trait, timeouts,
};

use super::connection::Connection;
use super::{controls, diagnose, names};

pub(super) struct TenantResource {
    connection: Arc<Connection>,
}

impl TenantResource {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        TenantResource { connection }
    }
}

fn schema() -> Schema {
    let controls = Control::all()
        .into_iter()
        .map(|(_, name, about)| format!("  - `{name}`: {about}"))
        .collect::<Vec<_>>()
        .join("\n");
    let create_time = |name, text: &str| {
        Attribute::optional_computed(
            name,
            Type::String,
            format!("{text} Only when the database is made; a change makes it anew."),
        )
        .requires_replace()
        .keeps_prior()
    };
    let attributes = vec![
        Attribute::required(
            "name",
            Type::String,
            "What the tenant is called. Database and role are called the same where nothing else is said. Up to 63 \
             bytes, any characters that can be seen. Changing it renames in place. Visible to every role on the server, \
             as are all names: no customer data in it.",
        ),
        Attribute::optional_computed(
            "database",
            Type::String,
            "The tenant's database. Default: `name`. A change renames it in place, which needs that nobody is connected \
             to it.",
        ),
        Attribute::optional_computed(
            "role",
            Type::String,
            "The tenant's role, with which it logs in. Default: `name`. A change renames it in place; its password stays.",
        ),
        Attribute::optional_computed(
            "schema",
            Type::String,
            "The schema in which the tenant makes its objects. A change renames it in place.",
        )
        .default("app"),
        Attribute::optional(
            "password_wo",
            Type::String,
            "The role's password, in clear text or as a SCRAM-SHA-256 verifier. Write-only: never in state or plan. The \
             server is sent a verifier that is made here. Without one, the role cannot log in with a password. It is set \
             when the role is made and when `password_wo_version` changes.",
        )
        .sensitive()
        .write_only(),
        Attribute::optional(
            "password_wo_version",
            Type::Number,
            "Change this number to set the password again: a write-only value cannot be compared.",
        ),
        Attribute::optional_computed(
            "suspended",
            Type::Bool,
            "Whether the tenant is shut out: `NOLOGIN`, its sessions ended, its data kept.",
        )
        .default(false),
        Attribute::optional_computed(
            "allow_temporary_tables",
            Type::Bool,
            "Whether the tenant may make temporary tables (`TEMPORARY` on the database). They fill the server's disk \
             all the same.",
        )
        .default(false),
        Attribute::optional_computed(
            "extensions",
            Type::set(Type::String),
            "The extensions in the tenant's database, all of them but `plpgsql`. They are installed in a schema \
             `extensions`, which the admin owns. What is taken off the list is dropped, unless something depends on it.",
        )
        .default(Value::List(Vec::new())),
        Attribute::optional_computed(
            "member_of",
            Type::set(Type::String),
            "Roles that the tenant's role is a member of, such as `rds_iam` for a login with IAM tokens; the admin needs \
             the ADMIN option on them. Mind that a tenant may become each of them (`SET ROLE`), and that from PostgreSQL \
             16 on the role that made the tenant counts as a member of `rds_iam` as well, which refuses its password.",
        )
        .default(Value::List(Vec::new())),
        create_time("encoding", "The database's character encoding. Default: `UTF8`.").default("UTF8"),
        create_time("locale_provider", "`libc`, `icu` (PostgreSQL 15 and newer) or `builtin` (17 and newer). Default: the server's."),
        create_time("lc_collate", "The sort order (`LC_COLLATE`). Default: the server's."),
        create_time("lc_ctype", "The character classes (`LC_CTYPE`). Default: the server's."),
        create_time("locale", "The locale of the `icu` or `builtin` provider, as `en-US` or `C.UTF-8`."),
        Attribute::optional_computed(
            "deletion_protection",
            Type::Bool,
            "Whether a destroy is refused. Set it to `false` and apply before you destroy.",
        )
        .default(true),
        Attribute::optional_computed(
            "on_destroy",
            Type::String,
            "What a destroy does: `drop` drops database and role; `archive` closes them, renames them with the date, and \
             keeps them.",
        )
        .default("drop"),
        Attribute::optional_computed(
            "force_destroy",
            Type::Bool,
            "Whether a destroy ends the sessions that are connected to the database, rather than being refused.",
        )
        .default(false),
        Attribute::computed("id", Type::String, "The tenant's name."),
        Attribute::computed(
            "isolation",
            Type::map(Type::String),
            format!(
                "What was found of each control: `\"enforced\"`, or a short description of what was found instead. A plan \
                 shows what will be repaired. What this admin may not change is said to be so, and left.\n\n{controls}"
            ),
        ),
    ];
    Schema {
        version: 0,
        block: Block {
            description: "One tenant: a database, a role and a schema of its own. The admin owns the database and the \
                          schema; the tenant may connect, use its schema and create in it, and nobody else may do \
                          anything. It has safe limits from its first moment: 10 connections, `statement_timeout` 60 s, \
                          `lock_timeout` 10 s, `idle_in_transaction_session_timeout` 60 s; `pgtenant_guardrails` sets \
                          others."
                .to_owned(),
            attributes,
            blocks: vec![timeouts::block(&["create", "read", "update", "delete"])],
            deprecated: false,
        },
    }
}

/// The state of a tenant. The write-only password is not part of it.
#[derive(Clone, Debug, Default)]
struct Model {
    name: Field<String>,
    database: Field<String>,
    role: Field<String>,
    schema: Field<String>,
    password_wo_version: Field<i64>,
    suspended: Field<bool>,
    allow_temporary_tables: Field<bool>,
    extensions: Field<Vec<String>>,
    member_of: Field<Vec<String>>,
    locale: BTreeMap<&'static str, Field<String>>,
    deletion_protection: Field<bool>,
    on_destroy: Field<String>,
    force_destroy: Field<bool>,
    isolation: Field<BTreeMap<String, String>>,
    timeouts: Value,
}

const LOCALE: [&str; 5] = ["encoding", "locale_provider", "lc_collate", "lc_ctype", "locale"];

impl Model {
    fn decode(value: &Value) -> Self {
        Model {
            name: value.string("name"),
            database: value.string("database"),
            role: value.string("role"),
            schema: value.string("schema"),
            password_wo_version: value.int("password_wo_version"),
            suspended: value.bool("suspended"),
            allow_temporary_tables: value.bool("allow_temporary_tables"),
            extensions: value.strings("extensions"),
            member_of: value.strings("member_of"),
            locale: LOCALE.map(|name| (name, value.string(name))).into(),
            deletion_protection: value.bool("deletion_protection"),
            on_destroy: value.string("on_destroy"),
            force_destroy: value.bool("force_destroy"),
            isolation: value.string_map("isolation"),
            timeouts: value.get("timeouts").clone(),
        }
    }

    fn encode(self) -> Value {
        let mut value = Value::object([
            ("id", self.name.clone().into()),
            ("name", self.name.into()),
            ("database", self.database.into()),
            ("role", self.role.into()),
            ("schema", self.schema.into()),
            ("password_wo", Value::Null),
            ("password_wo_version", self.password_wo_version.into()),
            ("suspended", self.suspended.into()),
            ("allow_temporary_tables", self.allow_temporary_tables.into()),
            ("extensions", self.extensions.into()),
            ("member_of", self.member_of.into()),
            ("deletion_protection", self.deletion_protection.into()),
            ("on_destroy", self.on_destroy.into()),
            ("force_destroy", self.force_destroy.into()),
            ("isolation", self.isolation.into()),
            ("timeouts", self.timeouts),
        ]);
        for (name, field) in self.locale {
            value.set(name, field);
        }
        value
    }

    /// The names, if all are known. They were checked when the configuration was.
    fn names(&self) -> Result<Names, Diagnostic> {
        let text = |attribute: &str, field: &Field<String>| {
            let text = field.as_known().cloned().unwrap_or_default();
            (Path::attribute(attribute), text)
        };
        let (path, tenant) = text("name", &self.name);
        let tenant = names::parse(path, &tenant)?;
        let (path, database) = text("database", &self.database);
        let database = names::parse(path, &database)?;
        let (path, role) = text("role", &self.role);
        let role = names::parse(path, &role)?;
        let (path, schema) = text("schema", &self.schema);
        Ok(Names { tenant, database, role, schema: names::parse(path, &schema)? })
    }

    fn desired(&self) -> Result<Desired, Diagnostic> {
        let mut extensions = BTreeSet::new();
        for name in self.extensions.as_known().into_iter().flatten() {
            extensions.insert(names::parse::<ExtensionName>(Path::attribute("extensions"), name)?);
        }
        let mut member_of = BTreeSet::new();
        for name in self.member_of.as_known().into_iter().flatten() {
            member_of.insert(names::parse::<RoleName>(Path::attribute("member_of"), name)?);
        }
        let locale = |name: &str| self.locale.get(name).and_then(Field::as_known).cloned();
        Ok(Desired {
            names: self.names()?,
            login: !self.suspended.known().unwrap_or(false),
            temporary: self.allow_temporary_tables.known().unwrap_or(false),
            extensions,
            member_of,
            locale: Locale {
                encoding: locale("encoding"),
                provider: locale("locale_provider"),
                collate: locale("lc_collate"),
                ctype: locale("lc_ctype"),
                locale: locale("locale"),
            },
            password: None,
            password_if_changed: None,
            password_version: self.password_wo_version.known(),
        })
    }

    /// This state with what was observed in place of what was remembered. `self` says what is to be
    /// expected, and keeps what cannot be observed.
    fn observe(mut self, expected: &Desired, observed: &Observed) -> Self {
        let findings = isolation::assess(expected, observed);
        if let Some(database) = &observed.database {
            self.database = Field::Known(database.name.clone());
            let provider = match database.locale_provider.as_str() {
                "i" => "icu",
                "b" => "builtin",
                _ => "libc",
            };
            let facts = [
                ("encoding", Some(database.encoding.clone())),
                ("locale_provider", Some(provider.to_owned())),
                ("lc_collate", Some(database.lc_collate.clone())),
                ("lc_ctype", Some(database.lc_ctype.clone())),
                ("locale", database.locale.clone()),
            ];
            for (name, fact) in facts {
                // Nothing changes these once the database is made. The server has its own spelling
                // of some ("UTF-8" is UTF8): the user's is kept.
                let known = self.locale.get(name).is_some_and(|field| field.as_known().is_some());
                if !known {
                    self.locale.insert(name, fact.into());
                }
            }
        }
        if let Some(role) = &observed.role {
            self.role = Field::Known(role.name.clone());
            self.suspended = Field::Known(!role.login);
            let acl = observed.database.as_ref().map(|database| database.acl.as_slice()).unwrap_or_default();
            let temporary =
                acl.iter().any(|grant| grant.privilege == "TEMPORARY" && grant.grantee.as_ref() == Some(&role.name));
            self.allow_temporary_tables = Field::Known(temporary);
        }
        if let Some(inside) = &observed.inside {
            if let Some(schema) = observed.schema(&expected.names) {
                self.schema = Field::Known(schema.name.clone());
            }
            self.extensions = Field::Known(inside.extensions.iter().cloned().collect());
        }
        let before = self.isolation.known().unwrap_or_default();
        // What was never looked at is left out: nothing is claimed of it.
        let isolation = findings
            .into_iter()
            .filter_map(|(control, finding)| {
                let found = finding.describe().or_else(|| before.get(control.name()).cloned())?;
                Some((control.name().to_owned(), found))
            })
            .collect();
        self.isolation = Field::Known(isolation);
        self
    }
}

/// What the provider remembers beside the state.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Private {
    /// What the server shows of the password that was set last.
    password: Option<Challenge>,
}

impl Private {
    /// Nothing is remembered of a tenant that was imported.
    fn decode(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers serialise")
    }
}

#[async_trait]
impl Resource for TenantResource {
    fn type_name(&self) -> &'static str {
        "pgtenant_tenant"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut diagnostics = Diagnostics::default();
        names::validate(config, &mut diagnostics);
        if let Field::Known(password) = config.string("password_wo") {
            if password.is_empty() {
                diagnostics.push(
                    Diagnostic::error("The password is empty", "Give it one, or leave `password_wo` out.")
                        .at_attribute("password_wo"),
                );
            } else if let Err(error) = Verifier::check_password_or_verifier(&Secret::new(password)) {
                diagnostics.push(
                    Diagnostic::error(
                        "Not a SCRAM verifier",
                        format!("It begins like one, but {error}. PostgreSQL would take it for a clear-text password."),
                    )
                    .at_attribute("password_wo"),
                );
            }
        }
        for attribute in ["extensions", "member_of"] {
            for name in config.strings(attribute).known().into_iter().flatten() {
                if let Err(diagnostic) = names::parse::<ExtensionName>(Path::attribute(attribute), &name) {
                    diagnostics.push(diagnostic);
                }
            }
        }
        one_of(config, "on_destroy", &["drop", "archive"], &mut diagnostics);
        one_of(config, "locale_provider", &["libc", "icu", "builtin"], &mut diagnostics);
        let provider = config.string("locale_provider");
        if config.string("locale").as_known().is_some()
            && !provider.is_unknown()
            && provider.as_known().is_none_or(|provider| provider == "libc")
        {
            diagnostics.push(
                Diagnostic::error(
                    "`locale` needs a locale provider",
                    "Set `locale_provider` to \"icu\" or \"builtin\"; for libc set `lc_collate` and `lc_ctype`.",
                )
                .at_attribute("locale"),
            );
        }
        if config.get("password_wo").is_null() && !config.get("password_wo_version").is_null() {
            diagnostics.push(
                Diagnostic::error("`password_wo_version` without `password_wo`", "Set both, or neither.")
                    .at_attribute("password_wo_version"),
            );
        }
        diagnostics
    }

    async fn read(&self, cx: &Context, state: State) -> Result<Option<State>, Diagnostics> {
        let what = "read the tenant";
        let failed = |error: Error| diagnose::error(what, &error, cx);
        let Some(cluster) = self.connection.cluster().await.map_err(failed)? else {
            return Ok(Some(State { diagnostics: diagnose::not_refreshed().into(), ..state }));
        };
        let model = Model::decode(&state.value);
        let expected = model.desired()?;
        let snapshot = cluster.snapshot(&cx.cancel).await.map_err(failed)?;
        let mut observed = Observed::locate(&snapshot, &expected.names);
        if observed.database.is_none() {
            return Ok(None);
        }
        if self.connection.deep_verify().await {
            operations::enter(&cluster, &expected.names, &mut observed, &cx.cancel).await.map_err(failed)?;
            operations::leave(&cluster, &observed).await;
            let set_last = Private::decode(&state.private).password;
            operations::probe_password(&cluster, &mut observed, set_last.as_ref(), &cx.cancel).await.map_err(failed)?;
        }
        let value = model.observe(&expected, &observed).encode();
        Ok(Some(State { value, ..state }))
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> Planned {
        let mut model = Model::decode(&request.proposed);
        let prior = request.prior.as_ref().map(Model::decode);
        for (field, attribute) in [(&mut model.database, "database"), (&mut model.role, "role")] {
            if request.config.get(attribute).is_null() {
                *field = model.name.clone();
            }
        }
        if let Some(prior) = &prior {
            model.isolation = prior.isolation.as_known().map(controls::planned).into();
        } else {
            model.isolation = Field::Unknown;
        }
        let mut diagnostics = Diagnostics::default();
        if let Some(prior) = &prior
            && prior.locale.iter().any(|(name, before)| model.locale.get(name) != Some(before))
            && let Some(diagnostic) = protected(prior)
        {
            diagnostics.push(diagnostic);
        }
        if let Err(error) = self.check_plan(cx, &model, prior.as_ref(), &mut diagnostics).await {
            diagnostics.push(diagnose::error("plan the tenant", &error, cx));
        }
        Planned { value: model.encode(), private: request.private, diagnostics, ..Planned::default() }
    }

    async fn plan_destroy(&self, _cx: &Context, prior: &Value) -> Diagnostics {
        let model = Model::decode(prior);
        match protected(&model) {
            Some(diagnostic) => diagnostic.into(),
            None => Diagnostics::default(),
        }
    }

    async fn apply(&self, cx: &Context, request: ApplyRequest) -> Applied {
        self.connection.note_apply();
        let cluster = match self.connection.required(cx).await {
            Ok(cluster) => cluster,
            Err(diagnostic) => return request.unchanged(diagnostic),
        };
        let Some(planned) = &request.planned else {
            let model = Model::decode(request.prior.as_ref().unwrap_or(&Value::Null));
            return match operations::destroy(cx, &cluster, &model).await {
                Ok(()) => Applied::default(),
                Err(diagnostic) => request.unchanged(diagnostic),
            };
        };
        let model = Model::decode(planned);
        let prior = request.prior.as_ref().map(Model::decode);
        let password = request.config.string("password_wo").known().map(Secret::new);
        let mut private = Private::decode(&request.private);
        let deep = self.connection.deep_verify().await;
        let converged =
            operations::converge(cx, &cluster, &model, prior.as_ref(), password.as_ref(), &mut private, deep).await;
        let private = private.encode();
        match converged {
            Ok((state, diagnostics)) => Applied { state: Some(state.encode()), private, diagnostics },
            Err(diagnostic) => {
                let state = match &prior {
                    // Terraform would plan to destroy what it hears of here; the next apply finishes it instead.
                    None => None,
                    Some(prior) => Some(operations::reached(&cluster, prior, &model).await.encode()),
                };
                Applied { state, private, diagnostics: diagnostic.into() }
            }
        }
    }

    async fn import(&self, cx: &Context, id: &str) -> Result<State, Diagnostics> {
        let failed = |error: Error| diagnose::error(&format!("import tenant {id:?}"), &error, cx);
        let cluster = self.connection.cluster().await.map_err(failed)?.ok_or_else(diagnose::not_known)?;
        let snapshot = cluster.snapshot(&cx.cancel).await.map_err(failed)?;
        let names = import_names(&snapshot, id)?;
        let mut observed = Observed::locate(&snapshot, &names);
        if observed.database.is_none() || observed.role.is_none() {
            return Err(Diagnostic::error(
                "Nothing to import",
                format!(
                    "There is no database {:?} with a role {:?}, or another tenant has them.",
                    names.database.as_str(),
                    names.role.as_str()
                ),
            )
            .into());
        }
        operations::enter(&cluster, &names, &mut observed, &cx.cancel).await.map_err(failed)?;
        operations::leave(&cluster, &observed).await;
        let model = Model {
            name: Field::Known(names.tenant.to_string()),
            schema: Field::Known(names.schema.to_string()),
            password_wo_version: observed.role_marker().and_then(|marker| marker.password_version).into(),
            deletion_protection: Field::Known(true),
            on_destroy: Field::Known("drop".to_owned()),
            force_destroy: Field::Known(false),
            extensions: Field::Known(
                observed.inside.iter().flat_map(|inside| inside.extensions.iter().cloned()).collect(),
            ),
            // What it is a member of may be meant: it is taken over, and shown.
            member_of: Field::Known(
                observed
                    .memberships
                    .iter()
                    .filter(|membership| !membership.automatic && membership.member == names.role.as_str())
                    .map(|membership| membership.role.clone())
                    .collect(),
            ),
            database: Field::Known(names.database.to_string()),
            role: Field::Known(names.role.to_string()),
            ..Model::default()
        };
        let expected = model.desired()?;
        Ok(State::from(model.observe(&expected, &observed).encode()))
    }
}

impl TenantResource {
    /// What can be known at plan time: that the names are free.
    async fn check_plan(
        &self,
        cx: &Context,
        model: &Model,
        prior: Option<&Model>,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Error> {
        if let Some(Ok(before)) = prior.map(Model::names) {
            self.connection.note(before.tenant).await;
        }
        let Ok(names) = model.names() else { return Ok(()) };
        let unchanged = prior.is_some_and(|prior| {
            (&prior.name, &prior.database, &prior.role) == (&model.name, &model.database, &model.role)
        });
        if unchanged {
            return Ok(());
        }
        let Some(cluster) = self.connection.cluster().await? else { return Ok(()) };
        let snapshot = cluster.snapshot(&cx.cancel).await?;
        let provider = model.locale.get("locale_provider").and_then(|field| field.as_known());
        let needed = match provider.map(String::as_str) {
            Some("icu") => Some(Feature::IcuDatabases),
            Some("builtin") => Some(Feature::BuiltinLocales),
            _ => None,
        };
        if let Some(needed) = needed.filter(|needed| !snapshot.server.has(*needed)) {
            let what = provider.map(String::as_str).unwrap_or_default();
            diagnostics.push(
                diagnose::too_old(&format!("locale_provider = \"{what}\""), needed, &snapshot.server)
                    .at_attribute("locale_provider"),
            );
        }
        match prior.map(Model::names) {
            // Terraform plans a replacement twice: with the old object, and as if it were gone.
            None if self.connection.has_noted(&names.tenant).await => {}
            None => {
                if let Some(conflict) = Observed::locate(&snapshot, &names).conflict(&snapshot, &names) {
                    diagnostics.push(occupied(&conflict, &names));
                }
            }
            Some(Ok(before)) => {
                let own = Observed::locate(&snapshot, &before);
                let taken = |object: &str, attribute: &str, name: &str| {
                    Diagnostic::error(
                        format!("There is a {object} {name:?} already"),
                        "A rename needs a free name. Choose another, or rename or import that one.",
                    )
                    .at_attribute(attribute)
                };
                let database = names.database.as_str();
                if own.database.is_some_and(|own| own.name != database)
                    && snapshot.databases.iter().any(|other| other.name == database)
                {
                    diagnostics.push(taken("database", "database", database));
                }
                let role = names.role.as_str();
                if own.role.is_some_and(|own| own.name != role) && snapshot.roles.iter().any(|other| other.name == role)
                {
                    diagnostics.push(taken("role", "role", role));
                }
            }
            Some(Err(_)) => {}
        }
        Ok(())
    }
}

fn one_of(config: &Value, attribute: &str, choices: &[&str], diagnostics: &mut Diagnostics) {
    if let Field::Known(text) = config.string(attribute)
        && !choices.contains(&text.as_str())
    {
        let choices = choices.iter().map(|choice| format!("{choice:?}")).collect::<Vec<_>>().join(", ");
        diagnostics.push(
            Diagnostic::error(format!("`{attribute}` cannot be {text:?}"), format!("It is one of {choices}."))
                .at_attribute(attribute),
        );
    }
}

fn protected(model: &Model) -> Option<Diagnostic> {
    // Only a known `false` lifts the protection.
    if model.deletion_protection == Field::Known(false) {
        return None;
    }
    let name = model.name.as_known().map(String::as_str).unwrap_or_default();
    Some(
        Diagnostic::error(
            format!("Tenant {name:?} is protected against deletion"),
            "Destroying it, or replacing it because its encoding or locale changes, would drop its database with all \
             data. If that is meant, set `deletion_protection = false`, apply, and try again. `on_destroy = \"archive\"` \
             keeps the data.",
        )
        .at_attribute("deletion_protection"),
    )
}

/// An object that stands in the way, with the way to take it over.
fn occupied(conflict: &Conflict, names: &Names) -> Diagnostic {
    let tenant = names.tenant.as_str();
    let import =
        |id: String| format!("import {{\n  to = pgtenant_tenant.<name>\n  id = {}\n}}", serde_json::Value::String(id));
    match conflict {
        Conflict::Tenant(_) => Diagnostic::error(
            format!("There is a tenant {tenant:?} already"),
            format!(
                "This provider made it, and it is complete. If it is another Terraform state's, choose another name. To \
                 take it into this one:\n\n{}",
                import(tenant.to_owned())
            ),
        )
        .at_attribute("name"),
        Conflict::OtherTenant { object, name, tenant: other } => Diagnostic::error(
            format!("There is a {object} {name:?} already"),
            format!("It belongs to tenant {other:?}. Choose another name."),
        )
        .at_attribute(*object),
        Conflict::Foreign { object, name } => Diagnostic::error(
            format!("There is a {object} {name:?} already"),
            format!(
                "This provider did not make it, and leaves it alone. Choose another name, or, to make it a tenant with \
                 all that is in it:\n\n{}",
                import(format!("{tenant}/{}/{}/{}", names.database, names.role, names.schema))
            ),
        )
        .at_attribute(*object),
    }
}

/// The names behind an import ID: `name`, or `name/database/role/schema` for what carries no marker.
fn import_names(snapshot: &Snapshot, id: &str) -> Result<Names, Diagnostic> {
    let path = || Path::attribute("id");
    if let [tenant, database, role, schema] = id.split('/').collect::<Vec<_>>()[..] {
        return Ok(Names {
            tenant: names::parse(path(), tenant)?,
            database: names::parse(path(), database)?,
            role: names::parse(path(), role)?,
            schema: names::parse(path(), schema)?,
        });
    }
    let found = names::parse(path(), id).map(|tenant| Observed::find(snapshot, &tenant))?;
    found.map(|observed| observed.names).ok_or_else(|| {
        Diagnostic::error(
            format!("There is no tenant {id:?}"),
            "No database and role on this server carry the marker of a tenant of that name. To import what the \
             provider did not make, write `name/database/role/schema`.",
        )
    })
}

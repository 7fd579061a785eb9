//! `pgtenant_tenant`: a database, a role and a schema for one tenant, isolated from all others.

mod adoption;
mod comment;
mod extension;
mod foresight;
pub(super) mod operations;
mod schemas;
mod taken;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::postgres::catalog::offer::Available;
use crate::postgres::catalog::snapshot::Connected;
use crate::postgres::{Cluster, DatabaseName, Error, Expiry, ExtensionName, RoleName, SchemaName, Secret};
use crate::tenant::extensions::is_at_default;
use crate::tenant::limits::ADMIN_CONNECTIONS;
use crate::tenant::method::{Method, RDS_IAM};
use crate::tenant::{Control, Desired, Goal, Locale, Names, Observed, Of, Password, TenantName, findings};
use crate::tf_provider::{
    Applied, ApplyRequest, Attributes, Context, Diagnostic, Diagnostics, Field, Item, Path, PlanRequest, Planned,
    Resource, Schema, Set, Severity, State, Value, async_trait, model, timeouts,
};

use super::accept::{Reasons, Whose};
use super::connection::Connection;
use super::controls::{self, Controls, Statuses};
use super::login::{self, decide, expiry, one_of, respelled};
use super::reconcile::{Reached, Subject, reconcile};
use super::remembered::Remembered;
use super::{diagnose, names};
use extension::Block;
use operations::Tenant;

pub(super) struct TenantResource {
    connection: Arc<Connection>,
}

impl TenantResource {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        TenantResource { connection }
    }
}

fn schema() -> Schema {
    Model::schema(
        0,
        "One tenant: a database, a role and a schema of its own. The admin owns the database and the \
         schema; the tenant may connect, use its schema and create in it, and nobody else may do \
         anything. It has safe limits from its first moment: 10 connections, `statement_timeout` 60 s, \
         `lock_timeout` 10 s, `idle_in_transaction_session_timeout` 60 s; `pgtenant_guardrails` sets \
         others.",
    )
}

/// The most is `MAX_BACKENDS` of PostgreSQL: no server has more connections.
const ADMIN_RANGE: RangeInclusive<i64> = 1..=262_143;

model! {
    /// A tenant's configuration, plan or state. The write-only password is in none but the first.
    #[derive(Clone, Debug, Default)]
    struct Model {
        name: Field<String> = required(
            "The tenant's name. `database` and `role` default to this name. Up to 63 bytes, any visible characters. \
             Changing it renames in place. Visible to every role on the \
             server, as are all names: no customer data in it."
        )
        .identifies(),
        database: Field<String> = optional_computed(
            "The tenant's database. Default: `name`. A change renames it in place, which needs that nobody is \
             connected to it."
        ),
        role: Field<String> = optional_computed(
            "The tenant's role, with which it logs in. Default: `name`. A change renames it in place; its password \
             stays."
        ),
        schema: Field<String> = optional_computed(
            "The schema in which the tenant makes its objects. A change renames it in place. On PostgreSQL 13 and 14 the admin cannot \
             govern `public` unless it is a superuser or owns it; the plan warns of that."
        )
        .default("app"),
        schemas: Field<Set<Item<String>>> = optional_computed(
            "More schemas in which the tenant makes its objects: the admin owns them, and the tenant has USAGE and CREATE. They are \
             not in its `search_path`. One that is taken off the list is dropped if it is empty; else it stays, closed to the tenant, \
             and `isolation.objects` names it. A change of a name is one off and one on the list. Default: none; for a tenant that \
             was imported, those on record, or of what was no tenant those that its role owned or might use."
        )
        .default(Value::List(Vec::new())),
        password_wo: Field<Secret> = optional(
            "The role's password, in clear text or as a SCRAM-SHA-256 verifier. Write-only: never in state or plan. \
             The server is sent a verifier that is made here. Without one, the role cannot log in with a password. It \
             is written when the tenant is first made and when `password_wo_version` changes, and at no other time. Taken \
             out of the configuration, it is taken away on the server (`PASSWORD NULL`)."
        )
        .sensitive()
        .write_only(),
        password_wo_version: Field<i64> = optional(
            "Required with `password_wo`. Change this number to set the password again: a write-only value cannot be compared. A \
             replacement needs a new one, for its new role gets the password again. Without `password_wo` it may only be the \
             version that was set last, as after an import."
        ),
        authentication: Field<String> = optional_computed(
            "How the tenant proves who it is: `password`; `rds_iam` by a token of IAM, for which the role is made a member of `rds_iam`; \
             `certificate` by a client certificate. With the latter two the role has no password, and one that it had is taken away \
             (`PASSWORD NULL`). What a server asks for is `pg_hba.conf`'s to say: RDS asks members of `rds_iam` for a token, and has \
             no certificates of clients. From PostgreSQL 16 on the role that made another is a member of it: `rds_iam` is refused unless \
             the admin logs in with IAM itself, for its password would be refused from then on. Default: `password`; for a tenant \
             that was imported, what it had then."
        )
        .default(Method::default().name()),
        valid_until: Field<String> = optional_computed(
            "When the role's password expires (`VALID UNTIL`), by RFC 3339: `2027-01-31T00:00:00Z`. From then on the server refuses the \
             password; sessions that are open go on. A new password does not change it. It limits passwords alone, and is refused \
             with an `authentication` that uses none. Another spelling of the same time is no change. Default: never; for a tenant \
             that was imported, when it did then."
        ),
        comment: Field<String> = optional_computed(
            "The text of the database's comment (`COMMENT ON DATABASE`) after the first line, which is the provider's: the \
             owner, the cost centre. Up to 4096 bytes. If it is omitted, the existing text is shown and never overwritten; nor is what people wrote \
             into the comments of the role and the schema, in any case. Visible to every role on the server: no customer data in it. \
             What is found beyond 4096 bytes stays, and is not shown."
        ),
        suspended: Field<bool> = optional_computed(
            "Whether the tenant is shut out: `NOLOGIN`, its sessions ended, its data kept."
        )
        .default(false),
        allow_temporary_tables: Field<bool> = optional_computed(
            "Whether the tenant may make temporary tables (`TEMPORARY` on the database). They fill the server's disk \
             all the same."
        )
        .default(false),
        allow_create_schema: Field<bool> = optional_computed(
            "Whether the tenant may make schemas itself (`CREATE` on the database), as migration tools do with `CREATE SCHEMA IF NOT \
             EXISTS`. The same privilege lets it install trusted extensions in them and publish its tables: what it makes is its \
             own affair, and no part of `schemas` or `extensions`. It still lets nobody else in. Taken away, its schemas become the \
             admin's, and are closed to the tenant unless they are in `schemas`; its extensions and publications stay, and \
             `isolation` names them."
        )
        .default(false),
        replication: Field<bool> = optional_computed(
            "Whether logical replication out of the tenant's database is meant: its publications and logical replication slots are \
             no drift then. It needs `wal_level = logical` (on RDS `rds.logical_replication`), which the plan checks. The tenant \
             makes publications itself, with `allow_create_schema`. A slot needs a role with REPLICATION (on RDS a member of \
             `rds_replication`). Tenants do not get that: it lets them drop their neighbours' slots, and copy the whole server where \
             `pg_hba.conf` allows it. Let the platform's own role in with `pgtenant_access`. A slot that nobody reads keeps WAL for \
             ever unless `max_slot_wal_keep_size` is set: the plan warns of that."
        )
        .default(false),
        admin_connections: Field<i64> = optional_computed(
            "How many connections the tenant's database allows in addition to the `connection_limit` of each of the tenant's roles: for the \
             admin's own work, such as a parallel `pg_dump`, and for the roles of `pgtenant_access`. 1 to 262143. `-1`: the database \
             has no CONNECTION LIMIT, and only the limits of the roles hold. The provider and the audit need one each. PostgreSQL \
             refuses no superuser by this limit. A change sets the database's CONNECTION LIMIT and ends no session."
        )
        .default(i64::from(ADMIN_CONNECTIONS)),
        extensions: Field<Set<Item<String>>> = optional_computed(
            "The extensions in the tenant's database, all of them but `plpgsql`. They are installed in a schema \
             `extensions`, which the admin owns. What is taken off the list is dropped, unless something depends on it. The plan \
             checks that the server has each, and that what it requires is on the list. Default: none; for a tenant that was \
             imported, those that it had then."
        )
        .default(Value::List(Vec::new())),
        extension: Field<Set<Item<Block>>> = optional_computed(
            "Extensions with a schema or a version of their own, in addition to `extensions`: blocks `extension`, each with a `name`, a `schema` \
             and a `version`. What requires another is installed after it, whichever of the two attributes has them. `schema`: the admin \
             owns it, and the tenant has USAGE; it is in the `search_path` after `extensions`, in the order of the names, but for \
             `pg_catalog`, which every role finds. It is made if it is missing, and dropped when no block names it any more and it is \
             empty. It must not be one in which the tenant may create (`schema`, `schemas`, `public`): the script of an extension runs \
             with the rights of a superuser. One that exists already when the tenant is imported stays there, and \
             `isolation.extensions` names it. Default: `extensions`, or the schema that the extension's control file fixes. A change \
             moves the extension (`ALTER EXTENSION ... SET SCHEMA`): of those that are relocatable a superuser may move each, another admin \
             only what takes no superuser to install. `version`: default: the server's for a new one, \
             and the installed one from then on. A change updates the extension in place (`ALTER EXTENSION ... UPDATE TO`). The plan \
             checks that the server has the version, and an update path to it from the installed one. A block that is removed drops its \
             extension, unless something depends on it. Default: none; for a tenant that was imported, the extensions that it had in \
             other schemas."
        )
        .default(Value::List(Vec::new())),
        member_of: Field<Set<Item<String>>> = optional_computed(
            "Roles that the tenant's role is a member of; the admin needs the ADMIN option on them. Default: none; for a tenant that \
             was imported, those that it was a member of then. Mind that a tenant may become each of them (`SET ROLE`). `rds_iam` \
             is what `authentication` is for."
        )
        .default(Value::List(Vec::new())),
        template: Field<String> = optional(
            "The database that the tenant's database is copied from, with all that is in it. It must be a template or belong to the \
             admin, and nobody may be connected to it. The copy has its encoding and locale. What is copied keeps its owner: of what \
             the admin owns, the tenant may use functions and types, and no tables. The plan warns of extensions and schemas that \
             this resource does not list. Used when the database is made; a later change does nothing. Default: `template0`, which is \
             empty."
        ),
        encoding: Field<String> = optional_computed(when_made(
            "The database's character encoding. Default: `UTF8`; for a tenant that was imported, what it had then."
        ))
            .requires_replace()
            .keeps_prior()
            .default("UTF8"),
        locale_provider: Field<String> = optional_computed(when_made(
            "`libc`, `icu` (PostgreSQL 15 and newer) or `builtin` (17 and newer). Default: the server's."
        ))
        .requires_replace()
        .keeps_prior(),
        lc_collate: Field<String> = optional_computed(when_made(
            "The sort order (`LC_COLLATE`). Default: the server's."
        ))
        .requires_replace()
        .keeps_prior(),
        lc_ctype: Field<String> = optional_computed(when_made(
            "The character classes (`LC_CTYPE`). Default: the server's."
        ))
        .requires_replace()
        .keeps_prior(),
        locale: Field<String> = optional_computed(when_made(
            "The locale of the `icu` or `builtin` provider, as `en-US` or `C.UTF-8`."
        ))
        .requires_replace()
        .keeps_prior(),
        deletion_protection: Field<bool> = optional_computed(
            "Whether a destroy is refused. Set it to `false` and apply before you destroy."
        )
        .default(true),
        on_destroy: Field<String> = optional_computed(
            "What a destroy does: `drop` drops database and role; `archive` closes them, renames them with the date, \
             and keeps them."
        )
        .default("drop"),
        force_destroy: Field<bool> = optional_computed(
            "Whether a destroy ends the sessions that are connected to the database, rather than being refused."
        )
        .default(false),
        id: Field<String> = computed("The tenant's name."),
        accept: Reasons = optional(
            "Controls of `isolation` whose findings are meant to be, each with the reason: `{ memberships = \"the reporting \
             role, ticket 4711\" }`. What is found then is not repaired and is no drift; the reason is part of the evidence."
        ),
        isolation: Controls = computed(format!(
            "What was found of each control. The value is `enforced`, or begins with one of these: `found: ` is what an \
             apply repairs. `not permitted: ` is what this admin may not change: it stays in the plan until it is \
             repaired or accepted. `accepted: ` is what `accept` names, or what only a superuser may change on this major \
             of PostgreSQL. `not inspected: ` could not be read; the reason follows.\n\n{}",
            Control::all(Of::Tenant).map(Control::row).map(|row| format!("  - `{}`: {} {}", row.name, row.about, row.expected))
                .collect::<Vec<_>>().join("\n")
        )),
        timeouts: Value = block(timeouts::block(&["create", "read", "update", "delete"])),
    }
}

/// The description of what only `CREATE DATABASE` sets.
fn when_made(text: &str) -> String {
    format!(
        "{text} Only when the database is made; a change replaces the database. The plan checks that the server can."
    )
}

impl Model {
    /// Whether another database is made to go from this state to `planned`.
    fn is_replaced_by(&self, planned: &Model) -> bool {
        let made = |model: &Model| {
            let locale = [&model.locale_provider, &model.lc_collate, &model.lc_ctype, &model.locale];
            (model.encoding.clone(), locale.map(Clone::clone))
        };
        made(self) != made(planned)
    }

    /// How the tenant proves who it is, if that is known.
    fn method(&self) -> Option<Method> {
        self.authentication.as_known().and_then(|name| Method::named(name))
    }

    /// What the database is made from, unless that is `template0`.
    fn template(&self) -> Result<Option<DatabaseName>, Diagnostic> {
        let named = self.template.as_known().filter(|name| *name != "template0");
        named.map(|name| names::parse(Path::attribute("template"), name)).transpose()
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

    /// What is wanted of a tenant that Terraform knows by this name; by none while it is created.
    fn desired(&self, known_as: Option<TenantName>) -> Result<Desired, Diagnostic> {
        let mut schemas = BTreeSet::new();
        for name in self.schemas.known_elements() {
            schemas.insert(names::parse::<SchemaName>(Path::attribute("schemas"), name)?);
        }
        let mut member_of = BTreeSet::new();
        for name in self.member_of.known_elements() {
            member_of.insert(names::parse::<RoleName>(Path::attribute("member_of"), name)?);
        }
        Ok(Desired {
            names: self.names()?,
            goal: if self.suspended.known().unwrap_or(false) { Goal::Suspended } else { Goal::Present },
            force: self.force_destroy.known().unwrap_or(false),
            known_as,
            temporary: self.allow_temporary_tables.known().unwrap_or(false),
            creates_schemas: self.allow_create_schema.known().unwrap_or(false),
            replicates: self.replication.known().unwrap_or(false),
            admin_connections: self.admin_connections(),
            extensions: extension::pins(self)?,
            offered: BTreeMap::new(),
            schemas,
            given_up: BTreeSet::new(),
            member_of,
            authentication: self.method().unwrap_or_default(),
            template: self.template()?,
            valid_until: expiry(&self.valid_until),
            comment: None,
            locale: Locale {
                encoding: self.encoding.as_known().cloned(),
                provider: self.locale_provider.as_known().cloned(),
                collate: self.lc_collate.as_known().cloned(),
                ctype: self.lc_ctype.as_known().cloned(),
                locale: self.locale.as_known().cloned(),
            },
            password: Password::Keep,
            password_version: self.password_wo_version.known(),
            accept: self
                .accept
                .known_entries()
                .into_iter()
                .flatten()
                .filter_map(|(name, reason)| Some((Control::named(Of::Tenant, &name)?, reason)))
                .collect(),
        })
    }

    /// What `validate` lets through; the default where nothing is said.
    fn admin_connections(&self) -> i32 {
        self.admin_connections.known().and_then(|number| i32::try_from(number).ok()).unwrap_or(ADMIN_CONNECTIONS)
    }

    /// What was wanted of a tenant that is in state.
    fn known(&self) -> Result<Desired, Diagnostic> {
        self.desired(Some(self.names()?.tenant))
    }

    /// This state with what was observed in place of what was remembered. `self` says what is to be
    /// expected, and keeps what cannot be observed.
    fn observe(mut self, expected: &Desired, observed: &Observed) -> (Self, Statuses) {
        let findings = controls::named(findings(expected, observed));
        if let Some(database) = &observed.database {
            self.database = Field::Known(database.name.clone());
            self.comment = comment::shown(&self.comment, observed.comment());
            let facts = [
                (&mut self.encoding, Some(database.encoding.clone())),
                (&mut self.locale_provider, Some(database.provider().to_owned())),
                (&mut self.lc_collate, Some(database.lc_collate.clone())),
                (&mut self.lc_ctype, Some(database.lc_ctype.clone())),
                (&mut self.locale, database.locale.clone()),
            ];
            for (field, fact) in facts {
                // Nothing changes these once the database is made. The server has its own spelling
                // of some ("UTF-8" is UTF8): the user's is kept.
                if field.as_known().is_none() {
                    *field = fact.into();
                }
            }
        }
        if let Some(role) = &observed.role {
            self.role = Field::Known(role.name.clone());
            // A door that stands open while it is shut out is told by that.
            let companions = observed.companions.iter().any(|companion| companion.role.login);
            self.suspended = Field::Known(!role.login && !companions);
            self.valid_until = respelled(&self.valid_until, role.valid_until.as_deref());
            let acl = observed.database.as_ref().map(|database| database.acl.as_slice()).unwrap_or_default();
            let temporary =
                acl.iter().any(|grant| grant.privilege == "TEMPORARY" && grant.grantee.as_ref() == Some(&role.name));
            self.allow_temporary_tables = Field::Known(temporary);
        }
        if let Ok(inside) = &observed.inside {
            if let Some(schema) = observed.schema(&expected.names) {
                self.schema = Field::Known(schema.name.clone());
            }
            let chosen: BTreeSet<String> = self.schemas.known_elements().cloned().collect();
            let there = inside.schemas.iter().map(|schema| schema.name.clone());
            self.schemas = there.filter(|name| chosen.contains(name)).collect();
            extension::observe(&mut self, expected, observed, inside);
        }
        self.isolation = controls::described(&findings);
        (self, Statuses::of(&findings))
    }
}

/// The state of a tenant of which less became than was planned: what is there.
fn left(prior: &Model, observed: &Observed, private: Private, diagnostic: Diagnostic) -> Applied {
    let (state, statuses) = match prior.known() {
        Ok(expected) => prior.clone().observe(&expected, observed),
        Err(_) => (prior.clone(), private.statuses.clone()),
    };
    let private = Private { statuses, replaced: false, ..private }.encode();
    Applied { state: Some(state.encode()), private, diagnostics: diagnostic.into() }
}

/// The state of a tenant whose creation failed half-way: Terraform marks it as tainted, and replaces or destroys it. There is
/// nothing to protect in it. Where it could not be looked at, there are its names, by which the next refresh looks.
fn unfinished(
    model: &Model,
    desired: &Desired,
    observed: Option<&Observed>,
    private: Private,
    diagnostic: Diagnostic,
) -> Applied {
    let (found, statuses) = match observed {
        Some(observed) => model.clone().observe(desired, observed),
        None => (Model { isolation: Field::Known(BTreeMap::new()), ..model.clone() }, Statuses::default()),
    };
    let settled = |field: Field<String>| field.as_known().cloned().into();
    let state = Model {
        deletion_protection: Field::Known(false),
        encoding: settled(found.encoding),
        locale_provider: settled(found.locale_provider),
        lc_collate: settled(found.lc_collate),
        lc_ctype: settled(found.lc_ctype),
        locale: settled(found.locale),
        ..found
    };
    Applied {
        state: Some(state.encode()),
        private: Private { statuses, replaced: false, ..private }.encode(),
        diagnostics: diagnostic.into(),
    }
}

/// The state that was reached, and a word on what could not be enforced. What was planned stands.
fn finished(model: &Model, desired: &Desired, observed: &Observed, said: Diagnostics, private: Private) -> Applied {
    let findings = controls::named(findings(desired, observed));
    let rest = "To repair it, ask a superuser or the object's owner; to keep it, give the reason in `accept`.";
    let (isolation, statuses, mut diagnostics) = controls::settled("isolation", &model.isolation, &findings, rest);
    diagnostics.extend(said);
    diagnostics.0.extend(not_installed(model, desired, observed));
    let left: Vec<_> = observed.as_role().collect();
    if desired.goal == Goal::Suspended && !left.is_empty() {
        diagnostics.push(still_connected(desired, left));
    }
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
    let private = Private { statuses, behind: BTreeSet::new(), replaced: false, ..private };
    Applied { state: Some(state.encode()), private: private.encode(), diagnostics }
}

/// Extensions that an apply left out: the next plan has them again.
fn not_installed(model: &Model, desired: &Desired, observed: &Observed) -> Option<Diagnostic> {
    let found = &observed.inside.as_ref().ok()?.extensions;
    let is_there = |wanted: &&ExtensionName| found.iter().any(|found| found.name == wanted.as_str());
    let missing: Vec<_> = desired.extensions.keys().filter(|wanted| !is_there(wanted)).collect();
    let attribute = extension::attribute(model, missing.first()?);
    let detail = format!(
        "These were not installed: {}. Something in a schema of extensions belongs to the tenant, or it installed one of these extensions \
         itself: what it may have planted there would run with the rights of a superuser. Drop it, or remove the extension from the \
         configuration.",
        missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    );
    let name = desired.names.tenant.as_str();
    Some(Diagnostic::warning(format!("Tenant {name:?} lacks extensions"), detail).at_attribute(attribute))
}

/// What a plan says of a password that an apply takes away, or does not set again.
fn about_password(prior: &Model, planned: &Model, statuses: &Statuses) -> Option<Diagnostic> {
    let version = |model: &Model| model.password_wo_version.known();
    let name = planned.name.as_known().map(String::as_str).unwrap_or_default();
    let (summary, detail) = match (version(prior), version(planned)) {
        (Some(_), None) if planned.password_wo_version.is_null() => (
            format!("The password of tenant {name:?} is taken away"),
            "`password_wo` and `password_wo_version` are no longer set: its role keeps no password (`PASSWORD NULL`), and cannot \
             log in with one."
                .to_owned(),
        ),
        (Some(before), Some(after)) if before == after && statuses.is_left("password") => (
            format!("Tenant {name:?} does not have its password of version {after}"),
            "`isolation` says why. An apply does not set it again under the same version: what else keeps the password by its \
             version, such as a secret store, would go on with another. Raise `password_wo_version`."
                .to_owned(),
        ),
        _ => return None,
    };
    Some(Diagnostic::warning(summary, detail).at_attribute("password_wo_version"))
}

/// Sessions of a suspended tenant that took no notice of the signal to end.
fn still_connected(desired: &Desired, left: Vec<&Connected>) -> Diagnostic {
    Diagnostic::warning(
        format!("Sessions of tenant {:?} have not ended", desired.names.tenant.as_str()),
        format!(
            "The tenant is shut out, and these were told to end and are still there: {}. PostgreSQL ends a session when it next \
             looks; one that waits for the disk or runs foreign code may not look. The tenant stays shut out; another apply tells \
             them again, and only a restart of the server is sure to end them.",
            operations::list(left)
        ),
    )
    .at_attribute("suspended")
}

/// What the provider remembers beside the state.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Private {
    /// The statuses of the controls in `isolation`.
    statuses: Statuses,
    /// The controls that are as the state was, and not as it is since the last refresh. That takes over what it finds, and so what
    /// an interrupted apply had changed: that the rest was not done shows here alone.
    #[serde(default)]
    behind: BTreeSet<String>,
    /// What a tenant that was imported had: what it keeps where the configuration does not say.
    #[serde(default)]
    imported: Imported,
    /// Whether a destroy is the first half of a replacement.
    #[serde(default)]
    replaced: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Imported {
    extensions: BTreeSet<String>,
    /// Those in other schemas than they are in by default, and the schemas.
    #[serde(default)]
    placed: BTreeMap<String, String>,
    #[serde(default)]
    schemas: BTreeSet<String>,
    member_of: BTreeSet<String>,
    authentication: Option<String>,
    #[serde(default)]
    valid_until: Option<Expiry>,
    encoding: Option<String>,
}

impl Remembered for Private {}

#[async_trait]
impl Resource for TenantResource {
    fn type_name(&self) -> &'static str {
        "pgtenant_tenant"
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
        let names = [
            ("name", &config.name),
            ("database", &config.database),
            ("role", &config.role),
            ("schema", &config.schema),
        ];
        names::validate(names, &mut diagnostics);
        diagnostics.0.extend(config.template().err());
        for name in config.schemas.known_elements() {
            if let Err(diagnostic) = names::parse::<SchemaName>(Path::attribute("schemas"), name) {
                diagnostics.push(diagnostic);
            }
        }
        diagnostics.extend(extension::validate(&config));
        diagnostics.extend(Whose::Tenant.check_all(&config.accept));
        one_of("authentication", &config.authentication, &Method::ALL.map(Method::name), &mut diagnostics);
        one_of("on_destroy", &config.on_destroy, &["drop", "archive"], &mut diagnostics);
        one_of("locale_provider", &config.locale_provider, &["libc", "icu", "builtin"], &mut diagnostics);
        if config.admin_connections.as_known().is_some_and(|number| !ADMIN_RANGE.contains(number) && *number != -1) {
            diagnostics.push(
                Diagnostic::error(
                    "Not a number of connections",
                    format!(
                        "Set `admin_connections` to a whole number from {} to {}, or to -1 for a database without a CONNECTION LIMIT. \
                         With 0, a tenant that uses all of its own connections would lock the provider out.",
                        ADMIN_RANGE.start(),
                        ADMIN_RANGE.end()
                    ),
                )
                .at_attribute("admin_connections"),
            );
        }
        let provider = &config.locale_provider;
        if config.locale.as_known().is_some()
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
        diagnostics.extend(foresight::validate(&config, config.method()));
        diagnostics
    }

    async fn read(&self, cx: &Context, state: State) -> Result<Option<State>, Diagnostics> {
        let what = "read the tenant";
        let failed = |error: Error| diagnose::error(what, &error, cx);
        let Some(cluster) = self.connection.cluster().await.map_err(failed)? else {
            return Ok(Some(State { diagnostics: diagnose::not_refreshed().into(), ..state }));
        };
        let model = Model::decode(&state.value)?;
        let expected = model.known()?;
        let snapshot = self.connection.sorted(&cluster, &cx.cancel).await.map_err(failed)?.part(&expected.names);
        let mut observed = Observed::locate(&snapshot, &expected.names);
        self.note(&model, &expected.names, &observed).await;
        if !observed.exists() {
            return Ok(None);
        }
        let mut diagnostics = Diagnostics::default();
        if self.connection.deep_verify().await {
            if let Err(error) = operations::look_once(&cluster, &mut observed, true, &cx.cancel).await {
                if cx.cancel.is_cancelled() {
                    return Err(failed(error).into());
                }
                diagnostics.push(diagnose::not_entered(expected.names.tenant.as_str(), &observed, &error));
            }
            operations::leave(&cluster, &observed).await;
        } else {
            observed.inside = Err(operations::NOT_DEEP.to_owned());
            observed.login = Err(operations::NOT_DEEP.to_owned());
        }
        let (model, statuses) = model.observe(&expected, &observed);
        let behind = Statuses::of(&controls::named(findings(&model.known()?, &observed))).found_beside(&statuses);
        let private = Private { statuses, behind, ..Private::decode(&state.private) };
        Ok(Some(State { value: model.encode(), private: private.encode(), diagnostics }))
    }

    async fn plan(&self, cx: &Context, request: PlanRequest) -> Planned {
        let (models, config) = (request.models::<Model>(), Model::decode(&request.config));
        let (prior, mut model, config) = match (models, config) {
            (Ok((prior, model)), Ok(config)) => (prior, model, config),
            (Err(diagnostics), _) | (_, Err(diagnostics)) => return request.refused(diagnostics),
        };
        for (field, attribute) in [(&mut model.database, "database"), (&mut model.role, "role")] {
            if request.config.get(attribute).is_null() {
                *field = model.name.clone();
            }
        }
        model.id = model.name.clone();
        let mut private = Private::decode(&request.private);
        for (field, attribute, imported) in [
            (&mut model.extensions, "extensions", &private.imported.extensions),
            (&mut model.schemas, "schemas", &private.imported.schemas),
            (&mut model.member_of, "member_of", &private.imported.member_of),
        ] {
            if request.config.get(attribute).is_null() {
                *field = imported.iter().cloned().collect();
            }
        }
        // What the configuration has in one of the two attributes is in the other no more.
        let placed = private.imported.placed.iter();
        if request.config.get("extension").is_null() {
            let listed: BTreeSet<&String> = model.extensions.known_elements().collect();
            let kept = placed.filter(|(name, _)| !listed.contains(name));
            model.extension = kept.map(|(name, schema)| Block::found(name, schema)).collect();
        } else if request.config.get("extensions").is_null() {
            let blocks: BTreeSet<&str> = model.extension.known_elements().filter_map(Block::name).collect();
            let kept = private.imported.extensions.iter().filter(|name| !blocks.contains(name.as_str()));
            model.extensions = kept.cloned().collect();
        }
        for (field, attribute, imported) in [
            (&mut model.authentication, "authentication", &private.imported.authentication),
            (&mut model.encoding, "encoding", &private.imported.encoding),
        ] {
            if request.config.get(attribute).is_null()
                && let Some(imported) = imported
            {
                *field = Field::Known(imported.clone());
            }
        }
        model.valid_until = login::planned_expiry(
            &config.valid_until,
            prior.as_ref().map(|prior| &prior.valid_until),
            private.imported.valid_until,
        );
        if config.comment.is_null() {
            model.comment = prior.as_ref().map_or(Field::Null, |prior| prior.comment.clone());
        }
        let statuses = &private.statuses;
        if let Some(before) = &prior {
            let accept = (&before.accept, &model.accept.clone());
            model.isolation = controls::planned(&before.isolation, statuses, accept, false);
            if request.prior.as_ref() != Some(&model.clone().encode()) {
                model.isolation = controls::planned(&before.isolation, statuses, accept, true);
            } else if let Field::Known(controls) = &mut model.isolation {
                controls.extend(private.behind.iter().map(|name| (name.clone(), Item::Unknown)));
            }
            let unsettled = schemas::unsettled(before, &model);
            if let Field::Known(controls) = &mut model.isolation {
                controls.extend(unsettled.iter().map(|control| (control.name().to_owned(), Item::Unknown)));
            }
        } else {
            model.isolation = Field::Unknown;
        }
        let mut diagnostics = Diagnostics::default();
        if let Some(prior) = &prior
            && prior.is_replaced_by(&model)
            && let Some(diagnostic) = protected(prior)
        {
            diagnostics.push(diagnostic);
        }
        diagnostics.0.extend(prior.as_ref().and_then(|prior| about_password(prior, &model, statuses)));
        diagnostics.0.extend(login::expired(&model.role, &model.valid_until));
        diagnostics.extend(prior.as_ref().map(|prior| schemas::foresee(prior, &model)).unwrap_or_default());
        diagnostics.extend(self.foresee(cx, &request, &config, prior.as_ref(), &model).await);
        private.replaced = prior.is_none() && self.is_known(&model).await;
        Planned { value: model.encode(), private: private.encode(), diagnostics, ..Planned::default() }
    }

    async fn plan_destroy(&self, _cx: &Context, prior: &Value) -> Diagnostics {
        match Model::decode(prior).map(|model| protected(&model)) {
            Ok(Some(diagnostic)) => diagnostic.into(),
            Ok(None) => Diagnostics::default(),
            Err(diagnostics) => diagnostics,
        }
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
        let private = Private::decode(&request.private);
        let Some(model) = planned else {
            return self.end(cx, &cluster, &prior.unwrap_or_default(), private, &request).await;
        };
        if let Err(diagnostics) = self.refuse(cx, &cluster, &config, prior.as_ref(), &model).await {
            return request.unchanged(diagnostics);
        }
        let password = config.password_wo.known();
        let mut tenant = match self.subject(&model, prior.as_ref(), password.as_ref()).await {
            Ok(tenant) => tenant,
            Err(diagnostic) => return request.unchanged(diagnostic),
        };
        // What the plan knows of it may be what was found.
        tenant.desired.comment = config.comment.known();
        match self.offered(cx, &cluster, &tenant.desired).await {
            Ok(offered) => tenant.desired.offered = offered,
            Err(diagnostic) => return request.unchanged(diagnostic),
        }
        // Until it is known whether Terraform is still to hear of it.
        let lock = cluster.keep_locked(tenant.locked());
        let Reached { observed, outcome } = reconcile(cx, &cluster, &mut tenant).await;
        if let Some(observed) = &observed {
            operations::leave(&cluster, observed).await;
        }
        let is_new = prior.is_none() && tenant.made();
        let applied = match (outcome, observed) {
            (Ok(said), Some(observed)) => self.complete(&model, &tenant.desired, &observed, said, private).await,
            // It is complete: what could not be verified is no failure of its creation.
            (Err(mut diagnostic), Some(observed)) if is_new && observed.is_complete() => {
                diagnostic.severity = Severity::Warning;
                self.complete(&model, &tenant.desired, &observed, diagnostic.into(), private).await
            }
            (Err(diagnostic), observed) if is_new && observed.as_ref().is_none_or(Observed::exists) => {
                unfinished(&model, &tenant.desired, observed.as_ref(), private, diagnostic)
            }
            (Err(diagnostic), observed) => match (prior, observed) {
                (Some(prior), Some(observed)) if observed.exists() => left(&prior, &observed, private, diagnostic),
                _ => request.unchanged(diagnostic),
            },
            (Ok(_), None) => unreachable!("a goal is reached where it was seen"),
        };
        cluster.unlock(lock).await;
        applied
    }

    async fn import(&self, cx: &Context, id: &str) -> Result<State, Diagnostics> {
        let failed = |error: Error| diagnose::error(&format!("import tenant {id:?}"), &error, cx);
        let cluster = self.connection.cluster().await.map_err(failed)?.ok_or_else(diagnose::not_known)?;
        let snapshot = cluster.snapshot(&cx.cancel).await.map_err(failed)?;
        let mut observed = taken::importable(&cluster, &snapshot, id)?;
        let names = observed.names.clone();
        let looked = operations::look(&cluster, &mut observed, true, &cx.cancel).await;
        operations::leave(&cluster, &observed).await;
        looked.map_err(failed)?;
        // What it is a member of may be meant: it is taken over, and shown.
        let memberships = observed.memberships.iter();
        let memberships =
            memberships.filter(|membership| !membership.automatic && membership.member == names.role.as_str());
        let groups: BTreeSet<String> = memberships.map(|membership| membership.role.clone()).collect();
        let tokens = BTreeSet::from([RDS_IAM.to_owned()]);
        let registered = observed.role_marker().map(|marker| marker.authentication).unwrap_or_default();
        let method = if groups.is_superset(&tokens) { Method::RdsIam } else { registered };
        let extensions = observed.inside.iter().flat_map(|inside| &inside.extensions);
        let extensions = extensions.filter(|one| !(observed.creates_schemas() && one.owner == names.role.as_str()));
        let (at_default, placed): (Vec<_>, Vec<_>) = extensions.partition(|one| is_at_default(one));
        let imported = Imported {
            extensions: at_default.into_iter().map(|one| one.name.clone()).collect(),
            placed: placed.into_iter().map(|one| (one.name.clone(), one.schema.clone())).collect(),
            schemas: observed.further_schemas().map(|schema| schema.name.clone()).collect(),
            member_of: groups.difference(&tokens).cloned().collect(),
            authentication: Some(method.name().to_owned()),
            valid_until: observed.role.as_ref().and_then(|role| role.valid_until.as_ref()?.parse().ok()),
            encoding: observed.database.as_ref().map(|database| database.encoding.clone()),
        };
        let model = Model {
            id: Field::Known(names.tenant.to_string()),
            name: Field::Known(names.tenant.to_string()),
            schema: Field::Known(names.schema.to_string()),
            password_wo_version: observed.role_marker().and_then(|marker| marker.password_version).into(),
            deletion_protection: Field::Known(true),
            on_destroy: Field::Known("drop".to_owned()),
            allow_create_schema: Field::Known(observed.creates_schemas()),
            replication: Field::Known(observed.replicates()),
            admin_connections: Field::Known(i64::from(observed.admin_connections())),
            force_destroy: Field::Known(false),
            extensions: imported.extensions.iter().cloned().collect(),
            extension: imported.placed.iter().map(|(name, schema)| Block::found(name, schema)).collect(),
            schemas: imported.schemas.iter().cloned().collect(),
            member_of: imported.member_of.iter().cloned().collect(),
            authentication: imported.authentication.clone().into(),
            database: Field::Known(names.database.to_string()),
            role: Field::Known(names.role.to_string()),
            // That of a database which the apply makes: what else is left out is the server's choice.
            encoding: observed.database.is_none().then(|| "UTF8".to_owned()).into(),
            ..Model::default()
        };
        let expected = model.known()?;
        let (model, statuses) = model.observe(&expected, &observed);
        let private = Private { statuses, behind: BTreeSet::new(), imported, replaced: false };
        Ok(State { private: private.encode(), ..State::from(model.encode()) })
    }
}

impl TenantResource {
    /// Whether the state has a tenant of this name: one that is planned as new takes its place. Terraform plans what is tainted
    /// as if it had never been.
    async fn is_known(&self, model: &Model) -> bool {
        let Ok(names) = model.names() else { return false };
        self.connection.walk().await.known(&names.tenant).is_some()
    }

    /// A tenant on its way to what is planned.
    async fn subject(
        &self,
        model: &Model,
        prior: Option<&Model>,
        password: Option<&Secret>,
    ) -> Result<Tenant, Diagnostic> {
        let before = prior.map(Model::names).transpose()?;
        let mut desired = model.desired(before.as_ref().map(|names| names.tenant.clone()))?;
        let version = |model: &Model| model.password_wo_version.known();
        let decided = decide(password, desired.authentication, prior.map(version), version(model))?;
        desired.password = decided.password;
        let before = before.unwrap_or_else(|| desired.names.clone());
        let mut tenant = Tenant::new(desired, before, self.connection.deep_verify().await);
        tenant.proof = decided.proof;
        if let Some(prior) = prior {
            let given_up = &schemas::given_up(prior, model) | &extension::given_up(prior, model);
            tenant.desired.given_up = given_up.iter().filter_map(|name| name.parse().ok()).collect();
        }
        let inside = |model: &Model| {
            let extensions = (model.extensions.clone(), model.extension.clone());
            (extensions, model.schema.clone(), model.schemas.clone(), model.allow_create_schema)
        };
        tenant.changes_inside = prior.is_some_and(|prior| inside(prior) != inside(model));
        Ok(tenant)
    }

    /// What the server offers of the extensions that are wanted.
    async fn offered(
        &self,
        cx: &Context,
        cluster: &Cluster,
        desired: &Desired,
    ) -> Result<BTreeMap<String, Available>, Diagnostic> {
        if desired.extensions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let offer = self.connection.offer(cluster, &cx.cancel).await;
        let offer = offer.map_err(|error| diagnose::error("look at what the server offers", &error, cx))?;
        let wanted = desired.extensions.keys().map(ExtensionName::as_str);
        Ok(wanted.filter_map(|name| Some((name.to_owned(), offer.extensions.get(name)?.clone()))).collect())
    }

    /// What Terraform is told of a tenant that is complete.
    async fn complete(
        &self,
        model: &Model,
        desired: &Desired,
        observed: &Observed,
        said: Diagnostics,
        private: Private,
    ) -> Applied {
        if desired.known_as.is_none() {
            self.connection.walk().await.complete(desired.names.tenant.clone());
        }
        if observed.role_marker().is_some_and(|marker| marker.is_unsettled()) {
            self.connection.unsettled(desired.names.clone()).await;
        }
        finished(model, desired, observed, said, private)
    }

    /// Ends a tenant, as its state says how.
    async fn end(
        &self,
        cx: &Context,
        cluster: &Cluster,
        prior: &Model,
        private: Private,
        request: &ApplyRequest,
    ) -> Applied {
        let desired = match prior.known() {
            Ok(desired) => desired,
            Err(diagnostic) => return request.unchanged(diagnostic),
        };
        let before = desired.names.clone();
        // Made anew before this one goes (`create_before_destroy`): what is there is the new one.
        if self.connection.walk().await.completed(&before.tenant) {
            return Applied::default();
        }
        let mut tenant = Tenant::new(desired, before, false);
        tenant.ends(prior, private.replaced);
        let Reached { observed, outcome } = reconcile(cx, cluster, &mut tenant).await;
        match (outcome, observed) {
            (Ok(diagnostics), _) => Applied { diagnostics, ..Applied::default() },
            // The answer was lost, and all is done.
            (Err(_), Some(observed)) if !observed.exists() => Applied::default(),
            (Err(diagnostic), Some(observed)) => left(prior, &observed, private, diagnostic),
            (Err(diagnostic), None) => request.unchanged(diagnostic),
        }
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
             data. If that is meant, set `deletion_protection = false`, apply, and try again. `on_destroy = \
             \"archive\"` keeps the data.",
        )
        .at_attribute("deletion_protection"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_false_lifts_the_deletion_protection() {
        for (deletion_protection, lifted) in
            [(Field::Known(false), true), (Field::Known(true), false), (Field::Unknown, false), (Field::Null, false)]
        {
            let model = Model { deletion_protection, ..Model::default() };
            assert_eq!(protected(&model).is_none(), lifted, "{deletion_protection:?}");
        }
    }
}

//! Data source `pgtenant_isolation_audit`: what holds of the isolation of one tenant or all, control by
//! control. What is read of the server is `audit/evidence.rs`, the same for a terminal `audit/command.rs`.

pub(super) mod command;
mod evidence;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::postgres::{Error, RoleName};
use crate::tenant::audit::{Found, Outcome, Report, html};
use crate::tenant::baseline::Accept;
use crate::tenant::{Control, Of, TenantName};
use crate::tf_provider::{
    Attributes, Context, DataSource, Diagnostic, Diagnostics, Field, Item, Path, Schema, Set, State, Value,
    async_trait, model, object,
};

use super::accept::{Reasons, Whose};
use super::connection::Connection;
use super::{diagnose, names};

/// Which tenants are looked at, and what is taken for meant.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// `None`: all.
    pub tenant: Option<TenantName>,
    /// The roles that tenants may be members of.
    pub member_of: BTreeSet<RoleName>,
    /// What is accepted of each tenant, and why.
    pub accept: BTreeMap<String, BTreeMap<Control, String>>,
    /// What is accepted of the cluster, and why.
    pub accept_cluster: Accept,
}

pub(super) struct AuditDataSource {
    connection: Arc<Connection>,
}

impl AuditDataSource {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        AuditDataSource { connection }
    }
}

fn schema() -> Schema {
    Model::schema(
        0,
        "What holds of the tenants' isolation, control by control: what was looked at, what is expected, what \
         was found. Everything is read from the server at the time of the read; nothing is changed. It \
         enters each tenant's database for a moment, begins a login as each tenant and leaves it before \
         the proof, and holds no more connections than `max_connections`: about as many connections as \
         two for each tenant, one after the other. The same without Terraform is \
         `terraform-provider-pgtenant audit`. The guide on compliance lists the controls and what \
         they support.\n\n\
         Tenants are known by the markers on their databases and roles. Archived ones are left out; one that \
         another apply is making at the time is found to be half-made. A login that is begun says what the \
         server asks of connections from here: from other addresses its pg_hba.conf may ask for something \
         else.",
    )
}

model! {
    struct Model {
        tenant: Field<String> = optional(
            "The name of the one tenant to look at. Default: all. The controls of the cluster are reported in either case."
        ),
        member_of: Field<Set<Item<String>>> = optional(
            "The roles that tenants may be members of, in addition to that of their `authentication`: `member_of` of `pgtenant_tenant` is in \
             Terraform's state, not on the server. Any other membership is a finding. Default: none."
        ),
        accept: Field<BTreeMap<String, Item<BTreeMap<String, Item<String>>>>> = optional(
            "What is accepted of each tenant, by its name: `{ acme = pgtenant_tenant.acme.accept }`. It is in Terraform's \
             state, not on the server. Default: nothing."
        ),
        accept_cluster: Reasons = optional(
            "What is accepted of the cluster, as `accept` of `pgtenant_cluster_baseline`. Default: nothing."
        ),
        passed: Field<bool> = computed(
            "Whether every control could be looked at, and was as expected or accepted."
        ),
        controls: Field<Vec<ControlRow>> = computed(
            "The controls, always the same and in the same order; those of the watchdog where there is one. `id`, as `tenant.public_privileges`; `title`; `expected`; \
             `checked`, how many of what were looked at; `found`, `\"as expected\"`, the server's parameters, or how many are \
             not as expected and the first of them; `status`, `pass`, `accepted`, `fail` or `not_checked`; `nist`, the controls of NIST SP \
             800-53 Rev. 5 that it supports; `stig`, the rules of the PostgreSQL STIG whose own check finds something where \
             this fails, or the part of it that the guide names; `findings`, for each tenant, database or `server` that is not as expected: `subject`, `status` \
             (`fail`, `not_checked` or `accepted`, with the reason) and `found`. What was found is cut at 300 characters."
        ),
        tenants: Field<Vec<String>> = computed("The names of the tenants that were looked at, in order."),
        server_version: Field<String> = computed("The server's version, as `17.5`."),
        html: Field<String> = computed(
            "All of it as one HTML page that needs nothing else: write it to a file. Without the time, which would \
             make it another with each plan; the page that `terraform-provider-pgtenant audit --format html` writes \
             has it."
        ),
    }
}

object! {
    struct ControlRow {
        id: String,
        title: String,
        expected: String,
        checked: String,
        found: String,
        status: String,
        nist: Vec<String>,
        stig: Vec<String>,
        findings: Vec<FindingRow>,
    }
}

object! {
    struct FindingRow {
        subject: String,
        status: String,
        found: String,
    }
}

/// The scope that a configuration, or a command, asks for, with nothing accepted.
fn scope<'a>(tenant: Option<&str>, member_of: impl IntoIterator<Item = &'a String>) -> Result<Scope, Diagnostic> {
    let tenant = tenant.map(|name| names::parse(Path::attribute("tenant"), name)).transpose()?;
    let role = |name: &String| names::parse(Path::attribute("member_of"), name);
    Ok(Scope { tenant, member_of: member_of.into_iter().map(role).collect::<Result<_, _>>()?, ..Scope::default() })
}

impl Scope {
    /// Accepts what one control of a tenant finds.
    fn accept(&mut self, tenant: &str, control: &str, reason: Option<&str>) -> Result<(), Diagnostic> {
        Whose::Tenant.check(Path::attribute("accept").key(tenant).key(control), control, reason)?;
        let accepted = self.accept.entry(tenant.to_owned()).or_default();
        accepted.extend(Control::named(Of::Tenant, control).zip(reason.map(str::to_owned)));
        Ok(())
    }

    /// Accepts what one control of the cluster finds.
    fn accept_cluster(&mut self, key: &str, reason: Option<&str>) -> Result<(), Diagnostic> {
        Whose::Cluster.check(Path::attribute("accept_cluster").key(key), key, reason)?;
        self.accept_cluster.extend(reason.map(|reason| (key.to_owned(), reason.to_owned())));
        Ok(())
    }
}

#[async_trait]
impl DataSource for AuditDataSource {
    fn type_name(&self) -> &'static str {
        "pgtenant_isolation_audit"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let config = match Model::decode(config) {
            Ok(config) => config,
            Err(diagnostics) => return diagnostics,
        };
        config.scope().err().map_or_else(Diagnostics::default, Into::into)
    }

    async fn read(&self, cx: &Context, config: Value) -> Result<State, Diagnostics> {
        let config = Model::decode(&config)?;
        let scope = config.scope()?;
        let failed = |error: Error| diagnose::error("audit the isolation", &error, cx);
        let cluster = self.connection.cluster().await.map_err(failed)?.ok_or_else(diagnose::not_known)?;
        let report = Report::of(&evidence::gather(cx, &cluster, scope).await?);
        Ok(config.with(&report).encode().into())
    }
}

impl Model {
    fn scope(&self) -> Result<Scope, Diagnostic> {
        let mut scope = scope(self.tenant.as_known().map(String::as_str), self.member_of.known_elements())?;
        for (tenant, accepted) in self.accept.as_known().into_iter().flatten() {
            for (control, reason) in accepted.as_known().into_iter().flatten() {
                scope.accept(tenant, control, reason.as_known().map(String::as_str))?;
            }
        }
        for (key, reason) in self.accept_cluster.as_known().into_iter().flatten() {
            scope.accept_cluster(key, reason.as_known().map(String::as_str))?;
        }
        Ok(scope)
    }

    /// This configuration with what was found.
    fn with(self, report: &Report) -> Self {
        Model {
            passed: report.passed().into(),
            controls: report.results.iter().map(ControlRow::of).collect::<Vec<_>>().into(),
            tenants: report.tenants.clone().into(),
            server_version: report.version.clone().into(),
            html: html(report, false).into(),
            ..self
        }
    }
}

impl ControlRow {
    fn of(outcome: &Outcome) -> Self {
        ControlRow {
            id: outcome.id.clone(),
            title: outcome.title.to_owned(),
            expected: outcome.expected.to_owned(),
            checked: outcome.checked.clone(),
            found: outcome.found.clone(),
            status: outcome.status.name().to_owned(),
            nist: outcome.nist.iter().map(|id| (*id).to_owned()).collect(),
            stig: outcome.stig.clone(),
            findings: outcome.findings.iter().map(FindingRow::of).collect(),
        }
    }
}

impl FindingRow {
    fn of(found: &Found) -> Self {
        FindingRow {
            subject: found.subject.clone(),
            status: found.status.name().to_owned(),
            found: found.found.clone(),
        }
    }
}

//! Data source `pgtenant_isolation_audit`: what holds of the isolation of one tenant or all, control by
//! control. What is read of the server is `audit/evidence.rs`, the same for a terminal `audit/command.rs`.

pub(super) mod command;
mod evidence;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::postgres::{Error, RoleName};
use crate::tenant::TenantName;
use crate::tenant::audit::{Found, Outcome, Report, html};
use crate::tf_provider::{
    Attribute, Block, Context, DataSource, Diagnostic, Diagnostics, Field, Path, Schema, State, Type, Value,
    async_trait,
};

use super::connection::Connection;
use super::{diagnose, names};

/// Which tenants are looked at, and what is taken for meant.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// `None`: all.
    pub tenant: Option<TenantName>,
    /// The roles that tenants may be members of.
    pub member_of: BTreeSet<RoleName>,
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
    let texts = || Type::list(Type::String);
    let finding = Type::object([("subject", Type::String), ("status", Type::String), ("found", Type::String)]);
    let control = Type::object([
        ("id", Type::String),
        ("title", Type::String),
        ("expected", Type::String),
        ("checked", Type::String),
        ("found", Type::String),
        ("status", Type::String),
        ("nist", texts()),
        ("stig", texts()),
        ("findings", Type::list(finding)),
    ]);
    let attributes = vec![
        Attribute::optional(
            "tenant",
            Type::String,
            "The name of the one tenant to look at. Default: all. The controls of the cluster are told in either case.",
        ),
        Attribute::optional(
            "member_of",
            Type::set(Type::String),
            "The roles that tenants may be members of, such as `rds_iam`: `member_of` of `pgtenant_tenant` is in Terraform's \
             state, not on the server. Any other membership is a finding. Default: none.",
        ),
        Attribute::computed("passed", Type::Bool, "Whether every control could be looked at, and was as expected."),
        Attribute::computed(
            "controls",
            Type::list(control),
            "The controls, always the same and in the same order. `id`, as `tenant.public_privileges`; `title`; `expected`; \
             `checked`, how many of what were looked at; `found`, `\"as expected\"`, the server's parameters, or how many are \
             not as expected and the first of them; `status`, `pass`, `fail` or `not_checked`; `nist`, the controls of NIST SP \
             800-53 Rev. 5 that it supports; `stig`, the rules of the PostgreSQL STIG whose own check finds something where \
             this fails, or the part of it that the guide names; `findings`, for each tenant, database or `server` that is not as expected: `subject`, `status` \
             (`fail` or `not_checked`) and `found`. What was found is cut at 300 characters.",
        ),
        Attribute::computed("tenants", texts(), "The names of the tenants that were looked at, in order."),
        Attribute::computed("server_version", Type::String, "The server's version, as `17.5`."),
        Attribute::computed(
            "html",
            Type::String,
            "All of it as one HTML page that needs nothing else: write it to a file. Without the time, which would make it \
             another with each plan; the page that `terraform-provider-pgtenant audit --format html` writes has it.",
        ),
    ];
    Schema {
        version: 0,
        block: Block {
            description: "What holds of the tenants' isolation, control by control: what was looked at, what is expected, what \
                          was found. Everything is read from the server at the time of the read; nothing is changed. It \
                          enters each tenant's database for a moment, begins a login as each tenant and leaves it before \
                          the proof, and holds no more connections than `max_connections`: about as many connections as \
                          two for each tenant, one after the other. The same without Terraform is \
                          `terraform-provider-pgtenant audit`. Which controls there are, and what they support, says the \
                          guide on compliance.\n\n\
                          Tenants are known by the markers on their databases and roles. Archived ones are left out; one that \
                          another apply is making at the time is found to be half-made. A login that is begun says what the \
                          server asks of connections from here: from other addresses its pg_hba.conf may ask for something \
                          else."
                .to_owned(),
            attributes,
            ..Block::default()
        },
    }
}

/// The scope that a configuration, or a command, asks for.
fn scope(tenant: Option<&str>, member_of: &[String]) -> Result<Scope, Diagnostic> {
    let tenant = tenant.map(|name| names::parse(Path::attribute("tenant"), name)).transpose()?;
    let role = |name: &String| names::parse(Path::attribute("member_of"), name);
    Ok(Scope { tenant, member_of: member_of.iter().map(role).collect::<Result<_, _>>()? })
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
        let tenant = config.string("tenant").known();
        let member_of = config.strings("member_of").known().unwrap_or_default();
        scope(tenant.as_deref(), &member_of).err().map_or_else(Diagnostics::default, Into::into)
    }

    async fn read(&self, cx: &Context, config: Value) -> Result<State, Diagnostics> {
        let tenant = config.string("tenant");
        let member_of = config.strings("member_of");
        let scope = scope(tenant.as_known().map(String::as_str), &member_of.clone().known().unwrap_or_default())?;
        let failed = |error: Error| diagnose::error("audit the isolation", &error, cx);
        let cluster = self.connection.cluster().await.map_err(failed)?.ok_or_else(diagnose::not_known)?;
        let report = Report::of(&evidence::gather(cx, &cluster, scope).await?);
        Ok(encode(&report, tenant, member_of).into())
    }
}

fn encode(report: &Report, tenant: Field<String>, member_of: Field<Vec<String>>) -> Value {
    Value::object([
        ("tenant", tenant.into()),
        ("member_of", member_of.into()),
        ("passed", report.passed().into()),
        ("controls", Value::List(report.results.iter().map(control).collect())),
        ("tenants", report.tenants.clone().into()),
        ("server_version", report.version.clone().into()),
        ("html", html(report, false).into()),
    ])
}

fn control(outcome: &Outcome) -> Value {
    let finding = |found: &Found| {
        Value::object([
            ("subject", found.subject.clone().into()),
            ("status", found.status.name().into()),
            ("found", found.found.clone().into()),
        ])
    };
    Value::object([
        ("id", outcome.id.into()),
        ("title", outcome.title.into()),
        ("expected", outcome.expected.into()),
        ("checked", outcome.checked.clone().into()),
        ("found", outcome.found.clone().into()),
        ("status", outcome.status.name().into()),
        ("nist", outcome.nist.clone().into()),
        ("stig", outcome.stig.clone().into()),
        ("findings", Value::List(outcome.findings.iter().map(finding).collect())),
    ])
}

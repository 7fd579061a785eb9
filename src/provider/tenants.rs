//! Data source `pgtenant_tenants`: every tenant on the cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::postgres::Error;
use crate::tenant::Observed;
use crate::tenant::limits::Timeout;
use crate::tenant::observed::tenants;
use crate::tf_provider::{Attribute, Block, Context, DataSource, Diagnostics, Schema, State, Type, Value, async_trait};

use super::connection::Connection;
use super::{diagnose, guardrails};

pub(super) struct TenantsDataSource {
    connection: Arc<Connection>,
}

impl TenantsDataSource {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        TenantsDataSource { connection }
    }
}

fn row_type() -> Type {
    let texts = ["name", "database", "role", "schema"].into_iter().chain(Timeout::ALL.map(|(_, name, _)| name));
    let mut attributes: BTreeMap<String, Type> = texts.map(|name| (name.to_owned(), Type::String)).collect();
    attributes.insert("connection_limit".to_owned(), Type::Number);
    attributes.insert("suspended".to_owned(), Type::Bool);
    attributes.insert("complete".to_owned(), Type::Bool);
    Type::Object(attributes)
}

#[async_trait]
impl DataSource for TenantsDataSource {
    fn type_name(&self) -> &'static str {
        "pgtenant_tenants"
    }

    fn schema(&self) -> Schema {
        Schema {
            version: 0,
            block: Block {
                description: "Every tenant on the server that this provider made, whichever Terraform state it is in. \
                              Archived ones are left out."
                    .to_owned(),
                attributes: vec![Attribute::computed(
                    "tenants",
                    Type::list(row_type()),
                    "The tenants in the order of their names. `suspended` is true for one that may not log in; \
                     `complete` is false for one that is half-made: closed, and finished by the next apply. A limit that \
                     is not set is null.",
                )],
                ..Block::default()
            },
        }
    }

    async fn read(&self, cx: &Context, _config: Value) -> Result<State, Diagnostics> {
        let failed = |error: Error| diagnose::error("list the tenants", &error, cx);
        let cluster = self.connection.cluster().await.map_err(failed)?.ok_or_else(diagnose::not_known)?;
        let snapshot = cluster.snapshot(&cx.cancel).await.map_err(failed)?;
        let rows: Vec<Value> = tenants(&snapshot)
            .into_iter()
            .map(|(name, names)| {
                let observed = Observed::locate(&snapshot, &names);
                let database = observed.database.as_ref().map(|database| database.name.clone());
                let role = observed.role.as_ref().map(|role| role.name.clone());
                let mut row = Value::object([
                    ("name", name.into()),
                    ("database", database.into()),
                    ("role", role.into()),
                    ("schema", names.schema.as_str().into()),
                    ("suspended", observed.role.as_ref().is_none_or(|role| !role.login).into()),
                    ("complete", observed.is_complete().into()),
                ]);
                for (limit, value) in guardrails::describe(&observed) {
                    row.set(limit, value);
                }
                row
            })
            .collect();
        Ok(Value::object([("tenants", Value::List(rows))]).into())
    }
}

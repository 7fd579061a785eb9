//! Data source `pgtenant_tenants`: every tenant on the cluster.

use std::sync::Arc;

use crate::postgres::Error;
use crate::tenant::limits::{OnRecord, Timeout};
use crate::tenant::observed::tenants;
use crate::tenant::{Names, Observed};
use crate::tf_provider::{
    Attributes, Context, DataSource, Diagnostics, Field, Schema, State, Value, async_trait, model, object,
};

use super::connection::Connection;
use super::diagnose;

pub(super) struct TenantsDataSource {
    connection: Arc<Connection>,
}

impl TenantsDataSource {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        TenantsDataSource { connection }
    }
}

model! {
    struct Model {
        tenants: Field<Vec<Row>> = computed(
            "The tenants in the order of their names. `roles` are its further ones, of `pgtenant_role`. `suspended` is true for one that may not log in; \
             `complete` is false for one that is half-made: closed, and finished by the next apply. A limit that \
             is not set is null."
        ),
    }
}

object! {
    struct Row {
        name: String,
        database: Option<String>,
        role: Option<String>,
        roles: Vec<String>,
        schema: String,
        suspended: bool,
        complete: bool,
        connection_limit: Option<i64>,
        statement_timeout: Option<String>,
        lock_timeout: Option<String>,
        idle_in_transaction_session_timeout: Option<String>,
        idle_session_timeout: Option<String>,
        transaction_timeout: Option<String>,
    }
}

impl Row {
    fn of(name: String, names: &Names, observed: &Observed) -> Self {
        let limits = OnRecord::of(observed);
        let timeout = |timeout| {
            let limits = limits.as_ref()?;
            let text = limits.timeouts.get(&timeout)?;
            Some(limits.timeout(timeout).map_or_else(|| text.to_string(), |duration| duration.to_string()))
        };
        Row {
            name,
            database: observed.database.as_ref().map(|database| database.name.clone()),
            role: observed.role.as_ref().map(|role| role.name.clone()),
            roles: observed.companions.iter().map(|companion| companion.role.name.clone()).collect(),
            schema: names.schema.to_string(),
            suspended: observed.role.as_ref().is_none_or(|role| !role.login),
            complete: observed.is_complete(),
            connection_limit: limits.as_ref().map(|limits| limits.connection_limit.into()),
            statement_timeout: timeout(Timeout::Statement),
            lock_timeout: timeout(Timeout::Lock),
            idle_in_transaction_session_timeout: timeout(Timeout::IdleInTransaction),
            idle_session_timeout: timeout(Timeout::IdleSession),
            transaction_timeout: timeout(Timeout::Transaction),
        }
    }
}

#[async_trait]
impl DataSource for TenantsDataSource {
    fn type_name(&self) -> &'static str {
        "pgtenant_tenants"
    }

    fn schema(&self) -> Schema {
        Model::schema(
            0,
            "Every tenant on the server that this provider made, whichever Terraform state it is in. \
             Archived ones are left out.",
        )
    }

    async fn read(&self, cx: &Context, _config: Value) -> Result<State, Diagnostics> {
        let failed = |error: Error| diagnose::error("list the tenants", &error, cx);
        let cluster = self.connection.cluster().await.map_err(failed)?.ok_or_else(diagnose::not_known)?;
        let snapshot = self.connection.sorted(&cluster, &cx.cancel).await.map_err(failed)?;
        let row = |(name, names)| Row::of(name, &names, &Observed::locate(&snapshot.part(&names), &names));
        let tenants: Vec<Row> = tenants(&snapshot).into_iter().map(row).collect();
        Ok(Model { tenants: tenants.into() }.encode().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tf_provider::{Type, Typed};

    #[test]
    fn a_row_has_every_limit() {
        let Type::Object(attributes) = Row::ty() else { panic!("not an object") };
        for (_, name, _) in Timeout::ALL {
            assert_eq!(attributes.get(name), Some(&Type::String), "{name}");
        }
    }
}

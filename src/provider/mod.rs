//! The provider: its block, and one file for each resource, data source, ephemeral resource and
//! function. The only room that knows both Terraform and tenants.

mod accept;
mod configuration;
pub mod connection;
mod controls;
mod diagnose;
mod login;
mod names;
mod reconcile;
mod remembered;
mod secret;
mod trying;
mod walk;

mod access;
mod audit;
mod capacity;
mod cluster_baseline;
mod guardrails;
mod password;
mod role;
mod scram_verifier;
mod signals;
mod tenant;
mod tenants;
mod watchdog;

use std::sync::Arc;

use crate::tf_provider::{
    Attributes, Context, DataSource, Diagnostics, EphemeralResource, Function, Provider, Resource, Schema, Value,
    async_trait,
};

use crate::tf_provider::serve::Subcommand;

use connection::Connection;

/// What the binary does beside serving Terraform.
pub const SUBCOMMANDS: [Subcommand; 1] = [audit::command::COMMAND];

/// The provider `pgtenant`.
#[derive(Default)]
pub struct PgTenant {
    connection: Arc<Connection>,
}

#[async_trait]
impl Provider for PgTenant {
    fn schema(&self) -> Schema {
        configuration::schema()
    }

    fn resources(&self) -> Vec<Box<dyn Resource>> {
        vec![
            Box::new(tenant::TenantResource::new(Arc::clone(&self.connection))),
            Box::new(role::RoleResource::new(Arc::clone(&self.connection))),
            Box::new(access::AccessResource::new(Arc::clone(&self.connection))),
            Box::new(guardrails::GuardrailsResource::new(Arc::clone(&self.connection))),
            Box::new(cluster_baseline::BaselineResource::new(Arc::clone(&self.connection))),
            Box::new(watchdog::WatchdogResource::new(Arc::clone(&self.connection))),
        ]
    }

    fn data_sources(&self) -> Vec<Box<dyn DataSource>> {
        vec![
            Box::new(tenants::TenantsDataSource::new(Arc::clone(&self.connection))),
            Box::new(audit::AuditDataSource::new(Arc::clone(&self.connection))),
            Box::new(capacity::CapacityDataSource::new(Arc::clone(&self.connection))),
            Box::new(signals::SignalsDataSource::new(Arc::clone(&self.connection))),
        ]
    }

    fn ephemeral_resources(&self) -> Vec<Box<dyn EphemeralResource>> {
        vec![Box::new(password::PasswordResource)]
    }

    fn functions(&self) -> Vec<Box<dyn Function>> {
        vec![Box::new(scram_verifier::ScramVerifier)]
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        configuration::validate(config)
    }

    async fn configure(&self, _cx: &Context, config: Value) -> Diagnostics {
        let configured = configuration::Model::decode(&config)
            .and_then(|config| configuration::resolve(&config, &|name| std::env::var(name).ok()));
        match configured {
            Ok(mut configured) => {
                let said = std::mem::take(&mut configured.said);
                self.connection.configure(configured).await;
                said
            }
            Err(diagnostics) => diagnostics,
        }
    }

    async fn close(&self) {
        self.connection.settle().await;
    }
}

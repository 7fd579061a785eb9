//! A stand-in for `hashicorp/aws` 6.25, for checking modules without AWS: the schema of the real one, a
//! plan that keeps the configuration, and an apply that makes up what AWS would have answered.
//!
//! Refused, as by the real one: arguments and blocks that the schema lacks, missing required ones, wrong
//! types, too many or too few blocks, JSON that does not parse, and the few values in [`checks`]. As by AWS itself:
//! parameters and storage that RDS does not take, and deletes that it refuses, in [`rds`].
//!
//! **Not** checked: all other values (instance classes, engine versions, names, ranges), other arguments that
//! exclude or need each other, whether what an id names exists, permissions, quotas. The schema does not
//! tell optional attributes from those that AWS fills in when they are left out: here these stay null, but
//! for those in [`answers`], and no default of the real provider is set. Nor does it tell what replaces an
//! object: [`schema`] names some.

mod answers;
mod checks;
mod data_sources;
mod policy_document;
mod rds;
mod resource;
mod schema;
mod values;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use pgtenant::tf_provider::{
    Context, DataSource, Diagnostics, EphemeralResource, Provider, Resource, Schema, Value, async_trait, serve,
};

fn main() -> ExitCode {
    let options = serve::Options {
        name: "terraform-provider-aws",
        address: "registry.terraform.io/hashicorp/aws",
        version: "6.25.0",
        about: "A stand-in that makes nothing, for tests of modules.",
        subcommands: &[],
    };
    serve::run(options, Stub::default)
}

/// What the provider block says, as far as anything here depends on it.
#[derive(Clone, Debug)]
pub struct Settings {
    pub region: String,
    pub default_tags: BTreeMap<String, Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { region: "eu-west-1".to_owned(), default_tags: BTreeMap::new() }
    }
}

#[derive(Clone, Default)]
pub struct Configured(Arc<Mutex<Settings>>);

impl Configured {
    pub fn settings(&self) -> Settings {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Default)]
struct Stub {
    configured: Configured,
}

#[async_trait]
impl Provider for Stub {
    fn schema(&self) -> Schema {
        schema::provider()
    }

    fn resources(&self) -> Vec<Box<dyn Resource>> {
        let resource = |name| Box::new(resource::Stubbed::new(name, self.configured.clone())) as Box<dyn Resource>;
        schema::resources().map(resource).collect()
    }

    fn data_sources(&self) -> Vec<Box<dyn DataSource>> {
        let source = |name| Box::new(data_sources::Stubbed::new(name, self.configured.clone())) as Box<dyn DataSource>;
        schema::data_sources().map(source).collect()
    }

    fn ephemeral_resources(&self) -> Vec<Box<dyn EphemeralResource>> {
        vec![Box::new(data_sources::SecretVersion)]
    }

    async fn configure(&self, _: &Context, config: Value) -> Diagnostics {
        let mut settings = Settings::default();
        if let Some(region) = values::known(&config, "region") {
            settings.region = region;
        }
        if let Value::List(blocks) = config.get("default_tags")
            && let Some(Value::Map(tags)) = blocks.first().map(|block| block.get("tags"))
        {
            settings.default_tags = tags.clone();
        }
        *self.configured.0.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        Diagnostics::default()
    }
}

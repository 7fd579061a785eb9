use std::process::ExitCode;

use pgtenant::tf_provider::{Context, Diagnostics, Provider, Resource, Schema, Value, async_trait, serve};

struct Empty;

#[async_trait]
impl Provider for Empty {
    fn schema(&self) -> Schema {
        Schema::default()
    }

    fn resources(&self) -> Vec<Box<dyn Resource>> {
        Vec::new()
    }

    async fn configure(&self, _: &Context, _: Value) -> Diagnostics {
        Diagnostics::default()
    }
}

fn main() -> ExitCode {
    let options = serve::Options {
        name: env!("CARGO_PKG_NAME"),
        address: "registry.terraform.io/pgtenant/pgtenant",
        version: env!("CARGO_PKG_VERSION"),
        about: env!("CARGO_PKG_DESCRIPTION"),
    };
    serve::run(options, || Empty)
}

//! The plugin binary. Terraform starts it; by hand it says what it is, or audits a server.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use pgtenant::provider::{self, PgTenant};
use pgtenant::tf_provider::serve;

fn main() -> ExitCode {
    let options = serve::Options {
        name: env!("CARGO_PKG_NAME"),
        address: "registry.terraform.io/pgtenant/pgtenant",
        version: env!("CARGO_PKG_VERSION"),
        about: env!("CARGO_PKG_DESCRIPTION"),
        subcommands: &provider::SUBCOMMANDS,
    };
    serve::run(options, PgTenant::default)
}

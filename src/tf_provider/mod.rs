//! A small framework for Terraform providers that speak plugin protocol 5 (tfplugin5 5.9).
//!
//! Knows Terraform: go-plugin, tfplugin5, schema, values, planning rules common to all resources.
//! Has never heard of PostgreSQL or of tenants, and could leave this repository as a crate.
//!
//! A provider implements the traits of [`interface`] and hands itself to [`serve::run`]. From there
//! [`serve`] shakes hands and decides when the process ends, [`transport`] and [`mtls`] admit
//! Terraform and nobody else, and [`server`] answers: [`codec`] decodes, [`planning`] applies what
//! the schema states, the provider does the rest. Schemas and typed values come from one declaration
//! each: [`model`](mod@model).
//!
//! Why our own, and not the published crate of that name: that one speaks protocol 6 only, needs
//! `protoc` to build, does not insist on Terraform's client certificate, dies on Ctrl-C, waits some
//! 44 ms in every call (no TCP_NODELAY), cannot upgrade state, and knows neither write-only attributes
//! nor ephemeral resources. None of that can be mended from outside of it.

#[cfg(test)]
mod arbitrary;
pub mod codec;
pub mod diagnostic;
pub mod interface;
pub mod logging;
pub mod model;
pub mod mtls;
pub mod panics;
pub mod planning;
pub mod schema;
pub mod serve;
pub mod server;
pub mod shown;
mod side_services;
pub mod timeouts;
pub mod transport;
pub mod value;
pub mod wire;

pub use diagnostic::{Diagnostic, Diagnostics, Path, Severity, Step};
pub use interface::{
    Applied, ApplyRequest, Context, DataSource, EphemeralResource, Function, FunctionError, Interruption, Parameter,
    PlanRequest, Planned, Provider, Resource, State, Work,
};
pub use model::{Attributes, Item, Set, Typed};
pub use schema::{Attribute, Block, Mode, NestedBlock, Nesting, Schema};
pub use value::{Field, Number, Type, Value};

pub use crate::{model, object};

pub use tonic::async_trait;

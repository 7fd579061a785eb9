//! The framework as Terraform meets it: RPCs in process against a toy provider, the wire over a
//! real socket, and the life of the spawned binary.

mod binary;
mod client;
mod resources;
mod rest;
mod toy;
mod wire;

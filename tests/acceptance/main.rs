//! The provider as its users meet it: the real `terraform` and a real server, from the outside.

#[path = "../support/mod.rs"]
mod support;

mod baseline;
mod drift;
mod fixture;
mod guardrails;
mod harness;
mod input;
mod tenant;

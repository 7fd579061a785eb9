//! The example modules, run for real where that needs nothing but this machine.

#[path = "../support/mod.rs"]
mod support;

mod bouncer;

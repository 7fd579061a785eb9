//! The example modules and compositions, checked without AWS.

#[path = "../support/mod.rs"]
mod support;

mod bouncer;
mod check;
mod matrix;
mod noisy;
mod stub;

//! The example modules and compositions, checked without AWS.

#[path = "../support/mod.rs"]
mod support;

mod check;
mod matrix;
mod readme;
mod stub;

//! The example modules and compositions, checked without AWS.

#[path = "../support/mod.rs"]
mod support;

mod check;
mod export;
mod logs;
mod matrix;
mod pattern;
mod planned;
mod policies;
mod readme;
mod stub;

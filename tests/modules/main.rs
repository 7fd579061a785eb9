//! The example modules and compositions, checked without AWS.

#[path = "../support/mod.rs"]
mod support;

mod logs;
mod pattern;
mod planned;
mod stub;

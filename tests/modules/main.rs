//! The example modules and compositions, checked without AWS.

#[path = "../support/mod.rs"]
mod support;

mod alarms;
mod bouncer;
mod check;
mod commands;
mod compositions;
mod conventions;
mod events;
mod export;
mod guide;
mod kept;
mod logs;
mod matrix;
mod noisy;
mod parameters;
mod pattern;
mod planned;
mod policies;
mod readme;
mod readme_blocks;
mod scanners;
mod stub;

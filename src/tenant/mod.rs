//! What a tenant is, and what its guardrails are: all pure.
//!
//! `Desired` and `Observed` go in, a list of `Change`s comes out, and `render` turns it into a
//! `Script`. Nothing here talks to a server or has heard of Terraform.
//!
//! Invariant: creating, updating and finishing a half-made tenant are one path. `diff` says only what
//! can be said from what is observed; the caller runs it, observes again, and is done when `diff` is
//! empty.

pub mod audit;
pub mod baseline;
pub mod capacity;
pub mod change;
pub mod destroy;
pub mod diff;
pub mod isolation;
pub mod limits;
pub mod marker;
pub mod names;
pub mod observed;
pub mod signals;
pub mod watchdog;

#[cfg(test)]
mod fixture;

pub use change::{Change, Grantee, Scope, Setting, render};
pub use diff::{Desired, Locale, diff};
pub use isolation::{Control, Finding};
pub use limits::{Limits, Timeout};
pub use marker::{Marker, Stage};
pub use names::{Names, TenantName};
pub use observed::{Conflict, Observed};

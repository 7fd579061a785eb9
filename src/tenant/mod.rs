//! What a tenant is, and what its guardrails are: all pure.
//!
//! A `Charter` says which facts are required and allowed; `diff` holds it against the facts that are `Observed` and answers with
//! `Finding`s; `repair` turns those into `Change`s, and `render` into a `Script`. Nothing here talks to a server or has heard
//! of Terraform.
//!
//! Invariant: what no rule knows is drift. Creating, updating and finishing a half-made tenant are one path: the caller runs
//! what `repair` says, observes again, and is done when nothing is left to run.

pub mod access;
pub mod admission;
pub mod adoption;
pub mod audit;
pub mod baseline;
pub mod capacity;
pub mod change;
pub mod charter;
pub mod companion;
pub mod control;
pub mod destroy;
pub mod diff;
pub mod extensions;
pub mod foresight;
pub mod limits;
pub mod locale;
pub mod marker;
pub mod method;
pub mod names;
pub mod observed;
pub mod repair;
pub mod signals;
pub mod sorted;
pub mod watchdog;

#[cfg(test)]
pub(crate) mod fixture;

pub use access::Access;
pub use change::{Change, Grantee, Scope, Setting, render, render_patiently};
pub use charter::{Desired, Goal, Password};
pub use control::{Control, Of};
pub use diff::{Finding, Repair, Status};
pub use extensions::Pin;
pub use limits::{Limits, Timeout};
pub use locale::Locale;
pub use marker::{Marker, Stage, Trace};
pub use method::Method;
pub use names::{Names, TenantName};
pub use observed::{Conflict, Observed};
pub use repair::{findings, must_shut, repair};
pub use sorted::Sorted;

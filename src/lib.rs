//! terraform-provider-pgtenant: tenants of a shared PostgreSQL, isolated and governed.
//!
//! # Rooms
//!
//! A folder is named for the world it knows.
//!
//! | room | knows | never heard of |
//! |---|---|---|
//! | [`tf_provider`] | Terraform: go-plugin, tfplugin5 | PostgreSQL, tenants |
//! | [`postgres`] | PostgreSQL: roles, databases, ACLs, settings, SCRAM, SQLSTATE | Terraform, tenants |
//! | [`tenant`] | what a tenant is, what a guardrail is; pure | Terraform, sockets |
//! | [`provider`] | all three: one file for each resource | |
//!
//! `provider` uses the other three, `tenant` the pure parts of `postgres`, and those two nothing of
//! ours. `tests/project/arrows.rs` reads the source and fails on any other arrow.
//!
//! # How data flows
//!
//! ```text
//! gRPC request -> codec -> Model (may hold unknowns) -> Desired (all known) -> charter: what is right
//!              -> inspect: catalog rows -> Observed -> facts: what is so
//!              -> diff(charter, facts) -> findings by control -> what state, plan and warnings say
//!              -> repair -> Vec<Change> -> render -> Script (statements with one-line summaries)
//!              -> session.run(Script) -> inspect again -> Model -> codec -> response
//! ```
//!
//! The last two lines are one loop for all resources and all goals (present, suspended, archived, gone): `provider/reconcile.rs`
//! runs what is to be done next until nothing differs or nothing moves, puts back what must not stay half done, and answers with
//! what was seen last, whatever the outcome.
//!
//! The equation is [`tenant::diff`]: drift is what the charter requires and is not so, and what is so and the charter does
//! not allow. A fact that no rule knows is drift. Isolation, guardrails, the baseline, the watchdog and the audit each have
//! a charter; the words of a control, and what it supports, stand in one table, [`tenant::control`].
//!
//! The audit changes nothing: the same findings, and what logins are asked -> Evidence -> Report -> a data source, or text,
//! JSON or a page by the binary's own subcommand.
//!
//! # Invariants
//!
//! - Making, changing, finishing and ending are one path: observe, diff, run what differs, until nothing does. What the
//!   tenant can hold up is tried once, and told if it did not go.
//! - Intent is on the server before the act: a marker says that a tenant is being made, renamed or archived, and whether
//!   Terraform is known to have it. A killed process leaves nothing that the next run does not finish.
//! - Nothing is silent: what this admin may not repair is planned as unknown, warned of, and planned again, until it is
//!   gone or accepted with a reason.
//! - A read answers "gone" or "could not tell", and never takes one for the other. Reads are served from
//!   one snapshot of the cluster, taken by one statement; a write of our own makes it stale.
//! - SQL is data, made of validated identifiers and escaped literals, before any session sees it.
//!   [`postgres::session`] is the only place that sends it, always with `search_path=pg_catalog`.
//! - No tenant's relation is read and no tenant's function called.
//! - A REVOKE that only warns is a failure. Errors are told apart by SQLSTATE.
//! - A clear-text password leaves this process never; a SCRAM verifier goes to the server only.
//! - Everything is ordered: the same input gives the same bytes.

#![forbid(unsafe_code)]

pub mod postgres;
pub mod provider;
pub mod tenant;
pub mod tf_provider;

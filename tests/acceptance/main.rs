//! The provider as its users meet it: the real `terraform` and a real server, from the outside.

#[path = "../support/mod.rs"]
mod support;

#[macro_use]
mod majors;

mod adoption;
mod audit;
mod authentication;
mod baseline;
mod capacity;
mod clients;
mod comment;
mod connection;
mod drift;
mod examples;
mod expiry;
mod extension;
mod facts;
mod failover;
mod faults;
mod fixture;
mod framework;
mod guardrails;
mod harness;
mod hostile;
mod iam;
mod input;
mod interrupt;
mod libpq;
mod lost;
mod migrating;
mod migrators;
mod models;
mod moving;
mod outage;
mod planning;
mod ported;
mod replication;
mod rivals;
mod role;
mod rotation;
mod scale;
mod secrets;
mod signals;
mod syntax;
mod tenant;
mod watchdog;

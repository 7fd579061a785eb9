//! What a release is made of, and how Terraform installs from it: `scripts/release.py`, with the binary under test in place
//! of one that takes minutes to link.

#[path = "../support/mod.rs"]
mod support;

mod checks;
mod installing;
mod packing;
mod static_glibc;

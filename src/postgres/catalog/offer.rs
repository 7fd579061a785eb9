//! What the server offers to a database that is to be made: locales and extensions; and whether this admin may make one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_util::sync::CancellationToken;

use super::snapshot::{SERVER, Server};
use crate::postgres::error::Error;
use crate::postgres::session::Session;
use crate::postgres::{ExtensionName, ExtensionVersion, RoleName};

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Offer {
    pub server: Server,
    pub create_database: bool,
    pub create_role: bool,
    /// Whether whoever logged in is a member of `rds_iam` already.
    pub takes_tokens: bool,
    pub wal_level: String,
    /// Whether a replication slot that nobody reads keeps no more than so much WAL (`max_slot_wal_keep_size`).
    pub bounds_slots: bool,
    pub template: Template,
    /// Whether the server was built with ICU.
    pub icu: bool,
    /// The encodings of the operating system's locales, as far as initdb found them.
    pub libc: BTreeMap<String, String>,
    /// Whether the service that runs the server lets this admin install more than the trusted extensions, as far as can be told.
    pub privileged: bool,
    /// Those that can be installed.
    pub extensions: BTreeMap<String, Available>,
}

/// The locale of `template0`, which a new database has unless it is given another.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Template {
    /// `pg_database.datlocprovider`
    pub provider: String,
    pub lc_collate: String,
    pub lc_ctype: String,
    /// Of ICU or the builtin provider.
    pub locale: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Available {
    pub default_version: String,
    pub versions: BTreeMap<String, AvailableVersion>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AvailableVersion {
    /// It is not a trusted one.
    pub needs_superuser: bool,
    pub requires: BTreeSet<String>,
    /// The only schema that it can be installed in.
    pub schema: Option<String>,
    /// Whether this admin can move it to another schema.
    pub movable: bool,
}

impl Available {
    /// That version, or without one the one that the server installs.
    pub fn version(&self, wanted: Option<&str>) -> Option<&AvailableVersion> {
        self.versions.get(wanted.unwrap_or(&self.default_version))
    }
}

/// A version that is there, and one that it is to become.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Update {
    pub extension: ExtensionName,
    pub from: String,
    pub to: ExtensionVersion,
}

pub(in crate::postgres) async fn read(session: &Session, cancel: &CancellationToken) -> Result<Offer, Error> {
    const SUMMARY: &str = "read what the server offers to a new database";
    let sql = include_str!("offer.sql").replace("{server}", SERVER);
    let rows = session.query(SUMMARY, &sql, &[], cancel).await?;
    super::decode(SUMMARY, &rows)
}

/// Those of these roles that are there, and whether this admin may grant each.
pub(in crate::postgres) async fn read_grantable(
    session: &Session,
    roles: &BTreeSet<RoleName>,
    cancel: &CancellationToken,
) -> Result<BTreeMap<String, bool>, Error> {
    const SUMMARY: &str = "read which roles may be granted";
    let names: Vec<&str> = roles.iter().map(RoleName::as_str).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&names, Type::TEXT_ARRAY)];
    let rows = session.query(SUMMARY, include_str!("grantable.sql"), &parameters, cancel).await?;
    super::decode(SUMMARY, &rows)
}

/// Those of these updates that no chain of scripts makes.
pub(in crate::postgres) async fn read_missing_updates(
    session: &Session,
    updates: &[Update],
    cancel: &CancellationToken,
) -> Result<Vec<Update>, Error> {
    const SUMMARY: &str = "read which versions extensions can be updated to";
    let names: Vec<&str> = updates.iter().map(|update| update.extension.as_str()).collect();
    let from: Vec<&str> = updates.iter().map(|update| update.from.as_str()).collect();
    let to: Vec<&str> = updates.iter().map(|update| update.to.as_str()).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&names, Type::TEXT_ARRAY), (&from, Type::TEXT_ARRAY), (&to, Type::TEXT_ARRAY)];
    let rows = session.query(SUMMARY, include_str!("missing_updates.sql"), &parameters, cancel).await?;
    let missing: BTreeSet<usize> = super::decode(SUMMARY, &rows)?;
    // SQL counts from one.
    Ok((1..).zip(updates).filter(|(number, _)| missing.contains(number)).map(|(_, update)| update.clone()).collect())
}

//! The shared catalogs at one moment: databases, roles, settings and dependencies of a whole cluster,
//! or of a few names, read by one statement from the maintenance database.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_util::sync::CancellationToken;

use super::acl::Grant;
use super::hex;
use crate::postgres::Feature;
use crate::postgres::error::Error;
use crate::postgres::fact::{Options, Text};
use crate::postgres::session::Session;

/// Which databases and roles a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    Everything,
    /// Those with one of these names, and those whose comment holds one of `comments`. With who is connected to them.
    Only {
        names: Vec<String>,
        comments: Vec<String>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Snapshot {
    pub server: Server,
    pub databases: Vec<Database>,
    pub roles: Vec<Role>,
    /// Roles that a marker among them lets in, as far as they are there.
    pub admitted: BTreeSet<String>,
    pub settings: Vec<Setting>,
    /// Of the parameters that are set: those that take a superuser, or a grant, to set and reset, which this admin has not.
    #[serde(deserialize_with = "hex::list")]
    pub privileged: BTreeSet<String>,
    /// Roles for which more parameters are set than were read, and how many.
    pub oversized: BTreeMap<String, u64>,
    pub memberships: Vec<Membership>,
    pub dependencies: Vec<Dependency>,
    pub server_grants: Vec<ServerGrant>,
    /// Logical replication slots.
    pub slots: Vec<Placed>,
    pub subscriptions: Vec<Placed>,
    /// Of those that were asked for, up to 50.
    pub connected: Vec<Connected>,
    /// Up to 20.
    pub prepared: Vec<Prepared>,
}

/// What [`Server`] is read from, for whatever statement asks for it.
pub(super) const SERVER: &str = include_str!("server.sql");

/// The beginning of a comment: a marker of 4096 characters, and as many bytes of what people wrote, and one more. As bytes: it is in
/// the encoding of the database from which it was written, whatever that is.
const COMMENT: &str = "pg_catalog.substr(pg_catalog.textsend(c.description), 1, 4 * 4096 + 1 + 4096 + 1)";

/// The server, and who this provider is on it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Server {
    /// `server_version_num`: 150018 is 15.18.
    pub version_num: u32,
    pub version: String,
    /// The role that this provider acts as, after `SET ROLE`.
    pub admin: String,
    pub superuser: bool,
    /// The superuser that initdb made.
    pub bootstrap: String,
    /// The server's time in UTC, as `20260131T235959.123Z`.
    pub now: String,
}

impl Server {
    pub fn major(&self) -> u32 {
        self.version_num / 10_000
    }

    pub fn has(&self, feature: Feature) -> bool {
        self.major() >= feature.since()
    }

    /// Whether this admin may change the schema `public` of a database that it owns.
    pub fn governs_public(&self) -> bool {
        self.superuser || self.has(Feature::OwnedPublicSchema)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // PostgreSQL's flags are
pub struct Database {
    pub name: String,
    pub owner: String,
    /// Whether the admin has the privileges of the owner.
    pub owner_usable: bool,
    /// Whether the admin may open a session with it.
    pub connectable: bool,
    pub allow_connections: bool,
    pub is_template: bool,
    /// -1 is no limit; see [`Database::is_invalid`].
    pub connection_limit: i32,
    pub encoding: String,
    /// `pg_database.datlocprovider`: `c` libc, `i` ICU, `b` builtin (17+).
    pub locale_provider: String,
    pub lc_collate: String,
    pub lc_ctype: String,
    /// The locale of ICU or the builtin provider.
    pub locale: Option<String>,
    /// Its beginning; what is not UTF-8 is replaced.
    #[serde(deserialize_with = "hex::optional")]
    pub comment: Option<String>,
    /// Without the owner's own privileges.
    pub acl: Vec<Grant>,
}

impl Database {
    /// Whether a `DROP DATABASE` was interrupted behind its point of no return: nobody may enter it or alter it, and only
    /// another `DROP DATABASE` helps (`DATCONNLIMIT_INVALID_DB` in `pg_database.h`).
    pub fn is_invalid(&self) -> bool {
        self.connection_limit == -2
    }

    /// The name of its locale provider.
    pub fn provider(&self) -> &'static str {
        match self.locale_provider.as_str() {
            "i" => "icu",
            "b" => "builtin",
            _ => "libc",
        }
    }
}

/// Somebody who is connected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Connected {
    pub pid: i32,
    pub role: String,
    /// `None` for those that replicate a whole server.
    pub database: Option<String>,
    /// In UTC, as `2026-01-31 23:59:59`; `None` where this admin may not see it.
    pub since: Option<String>,
}

/// A transaction that was prepared for a second phase: it holds its locks until somebody ends it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Prepared {
    #[serde(deserialize_with = "hex::text")]
    pub id: String,
    pub owner: String,
    pub database: String,
    /// In UTC, as `2026-01-31 23:59:59`.
    pub since: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // PostgreSQL's role attributes are
pub struct Role {
    pub name: String,
    /// Whether the admin may alter it: from 16 on that takes the ADMIN option.
    pub manageable: bool,
    pub superuser: bool,
    pub inherit: bool,
    pub create_role: bool,
    pub create_database: bool,
    pub login: bool,
    pub replication: bool,
    pub bypass_rls: bool,
    /// -1 is no limit.
    pub connection_limit: i32,
    /// Until when its password is, as [`Expiry`](crate::postgres::Expiry) writes it where that can; `None`: for ever.
    pub valid_until: Option<String>,
    /// Whether that is over, by the server's clock.
    pub expired: bool,
    /// Its beginning; what is not UTF-8 is replaced.
    #[serde(deserialize_with = "hex::optional")]
    pub comment: Option<String>,
}

/// One parameter in `pg_db_role_setting`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Setting {
    /// `None`: in every database.
    pub database: Option<String>,
    /// `None`: for every role.
    pub role: Option<String>,
    #[serde(deserialize_with = "hex::text")]
    pub name: String,
    /// As typed: the database's up to 64 kB, a role's up to 512 bytes. What is not UTF-8 is replaced.
    #[serde(deserialize_with = "hex::text")]
    pub value: String,
    /// SHA-256 of the whole value, in hexadecimal digits, where it is longer.
    #[serde(default)]
    pub digest: Option<String>,
}

impl Setting {
    pub fn text(&self) -> Text {
        Text { text: self.value.clone(), digest: self.digest.clone() }
    }
}

/// That one role is a member of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Membership {
    pub role: String,
    pub member: String,
    pub grantor: Option<String>,
    pub admin: bool,
    /// `None` before PostgreSQL 16, as `set` is.
    pub inherit: Option<bool>,
    pub set: Option<bool>,
    /// The creator's, from 16 on: it may administer the role, and neither inherits from it nor becomes it.
    pub automatic: bool,
    /// Whether the admin may take it back.
    pub revocable: bool,
}

impl Membership {
    pub fn options(&self) -> Options {
        Options { admin: self.admin, inherit: self.inherit.unwrap_or(false), set: self.set.unwrap_or(false) }
    }
}

/// How many objects of one catalog depend on a role, from `pg_shdepend`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Dependency {
    pub role: String,
    /// `None`: shared objects.
    pub database: Option<String>,
    /// The catalog, as `pg_namespace`.
    pub class: String,
    /// `o` the role owns it, `a` the role is in its ACL, `r` a policy names it, ...
    pub kind: String,
    /// Objects that initdb made.
    pub original: bool,
    pub count: u64,
    /// Whether this admin may enter the database; `None` for shared objects.
    #[serde(default)]
    pub enterable: Option<bool>,
}

/// That a role may do something with a tablespace or a parameter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct ServerGrant {
    /// `tablespace` or `parameter`.
    pub class: String,
    pub name: String,
    pub owner_usable: bool,
    /// `None` is PUBLIC.
    pub grantee: Option<String>,
    pub privilege: String,
    pub grantable: bool,
}

/// Something shared that belongs to one database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Placed {
    pub name: String,
    pub database: String,
}

pub(in crate::postgres) async fn read(
    session: &Session,
    filter: &Filter,
    cancel: &CancellationToken,
) -> Result<Snapshot, Error> {
    const SUMMARY: &str = "read the shared catalogs";
    let (names, comments) = match filter {
        Filter::Everything => (None, &Vec::new()),
        Filter::Only { names, comments } => (Some(names), comments),
    };
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&names, Type::TEXT_ARRAY), (&comments, Type::TEXT_ARRAY)];
    let rows = session.query(SUMMARY, &statement(session.major), &parameters, cancel).await?;
    super::decode(SUMMARY, &rows)
}

/// The statement for a major: a catalog that the server does not have cannot stand in it.
fn statement(major: u32) -> String {
    const NONE: &str = "SELECT NULL, NULL, NULL::pg_catalog.oid, NULL::pg_catalog.aclitem[] WHERE false";
    let has_parameter_acl = major >= Feature::ParameterAcl.since();
    let parameter_acl = if has_parameter_acl { include_str!("parameter_acl.sql") } else { NONE };
    let may_set = if has_parameter_acl { "pg_catalog.has_parameter_privilege(s.plain, 'SET')" } else { "false" };
    let sql = include_str!("snapshot.sql").replace("{server}", SERVER).replace("{comment}", COMMENT);
    sql.replace("{parameter_acl}", parameter_acl).replace("{may_set}", may_set)
}

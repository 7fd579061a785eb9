//! What only a session inside a database sees: its schemas, extensions and default privileges, who holds what on its objects
//! and owns which, and the things that act in it.

use serde::Deserialize;
use tokio_postgres::types::{ToSql, Type};
use tokio_util::sync::CancellationToken;

use super::acl::Grant;
use super::hex;
use crate::postgres::error::Error;
use crate::postgres::session::Session;

#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
pub struct Inside {
    /// Without PostgreSQL's own; the first hundred, those of the database's owner before others.
    pub schemas: Vec<Schema>,
    /// How many schemas there are.
    pub count_of_schemas: u64,
    /// Without `plpgsql`, which every database has.
    pub extensions: Vec<Extension>,
    /// Beyond what objects are given when they are made; the first thousand kinds.
    pub grants: Vec<ObjectGrant>,
    /// How many kinds of grants there are.
    pub groups_of_grants: u64,
    pub owners: Vec<ObjectOwner>,
    /// How many tables and sequences each owner has in each schema, without those of extensions; the first thousand.
    pub relations: Vec<Relations>,
    pub defaults: Vec<DefaultPrivilege>,
    pub things: Vec<Thing>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Schema {
    #[serde(deserialize_with = "hex::text")]
    pub name: String,
    #[serde(deserialize_with = "hex::text")]
    pub owner: String,
    /// Whether the admin has the privileges of the owner.
    pub owner_usable: bool,
    #[serde(deserialize_with = "hex::optional")]
    pub comment: Option<String>,
    /// Without the owner's own privileges.
    #[serde(deserialize_with = "grants")]
    pub acl: Vec<Grant>,
    /// Whether something in it belongs to others than the admin, the bootstrap superuser and extensions.
    pub planted: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Extension {
    #[serde(deserialize_with = "hex::text")]
    pub name: String,
    #[serde(deserialize_with = "hex::text")]
    pub schema: String,
    pub version: String,
    #[serde(deserialize_with = "hex::text")]
    pub owner: String,
    pub owner_usable: bool,
    /// Whether this admin can move it to another schema: who is no superuser has to own all that is in it.
    pub movable: bool,
    /// The schema that its control file fixes; not asked for one that is in the schema `extensions`.
    pub fixed: Option<String>,
    /// The extensions that it depends on.
    #[serde(deserialize_with = "hex::list")]
    pub requires: Vec<String>,
}

/// That a role holds a privilege on objects of one kind, in one schema and of one owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct ObjectGrant {
    /// The letter that `acldefault` has for it.
    pub kind: String,
    /// Objects of PostgreSQL or of an extension.
    pub original: bool,
    #[serde(deserialize_with = "hex::optional")]
    pub schema: Option<String>,
    #[serde(deserialize_with = "hex::text")]
    pub owner: String,
    pub owner_usable: bool,
    /// `None` is PUBLIC.
    #[serde(deserialize_with = "hex::optional")]
    pub grantee: Option<String>,
    pub privilege: String,
    pub grantable: bool,
    pub count: u64,
    #[serde(deserialize_with = "hex::list")]
    pub names: Vec<String>,
}

/// How many tables, and what is like them, or sequences a role owns in a schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Relations {
    /// The letter that `acldefault` has for them.
    pub kind: String,
    #[serde(deserialize_with = "hex::text")]
    pub schema: String,
    #[serde(deserialize_with = "hex::text")]
    pub owner: String,
    pub count: u64,
}

/// Who owns objects of one kind: the bootstrap superuser, or whoever made routines that act as their owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct ObjectOwner {
    /// The catalog, as `pg_class`.
    pub class: String,
    #[serde(deserialize_with = "hex::text")]
    pub owner: String,
    /// SECURITY DEFINER.
    pub definer: bool,
    /// Of an extension, and neither the bootstrap superuser's nor its maker's.
    pub original: bool,
    pub count: u64,
    #[serde(deserialize_with = "hex::list")]
    pub names: Vec<String>,
}

/// What objects that `owner` makes later grant to `grantee`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct DefaultPrivilege {
    #[serde(deserialize_with = "hex::text")]
    pub owner: String,
    pub owner_usable: bool,
    /// `None`: in every schema.
    #[serde(deserialize_with = "hex::optional")]
    pub schema: Option<String>,
    /// `pg_default_acl.defaclobjtype`.
    pub kind: String,
    /// `None` is PUBLIC.
    #[serde(deserialize_with = "hex::optional")]
    pub grantee: Option<String>,
    /// With `*` behind those that may be granted on.
    pub privileges: Vec<String>,
}

/// An event trigger, a publication, a foreign-data wrapper, a foreign server, a language, an access method or a cast.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Thing {
    /// The catalog, as `pg_publication`.
    pub class: String,
    #[serde(deserialize_with = "hex::text")]
    pub name: String,
    /// Of a publication.
    #[serde(deserialize_with = "hex::optional")]
    pub owner: Option<String>,
}

/// Those of a schema, whose grantees are bytes as all names here are.
fn grants<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Grant>, D::Error> {
    #[derive(Deserialize)]
    struct Row {
        #[serde(deserialize_with = "hex::optional")]
        grantee: Option<String>,
        privilege: String,
        grantable: bool,
    }
    let grant = |Row { grantee, privilege, grantable }| Grant { grantee, privilege, grantable };
    Ok(Vec::<Row>::deserialize(deserializer)?.into_iter().map(grant).collect())
}

/// How many names of each kind are read.
const NAMES: i32 = 3;

pub(in crate::postgres) async fn read(session: &Session, cancel: &CancellationToken) -> Result<Inside, Error> {
    const SUMMARY: &str = "read what is in the database";
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&NAMES, Type::INT4)];
    let rows = session.query(SUMMARY, &with_held(include_str!("inside.sql")), &parameters, cancel).await?;
    super::decode(SUMMARY, &rows)
}

/// The statement that takes back what strangers hold: see `tidy.sql`.
pub fn tidy() -> String {
    with_held(include_str!("tidy.sql"))
}

/// The statement that gives a further role of a tenant what it may do: see `give.sql`.
pub fn give() -> String {
    include_str!("give.sql").to_owned()
}

fn with_held(statement: &str) -> String {
    statement.replace("{held}", include_str!("held.sql"))
}

//! Facts: single things that are true of a server, as values. What is right is not decided here; a fact says itself in a
//! sentence, with foreign text quoted.

use std::fmt;
use std::fmt::Write as _;

use aws_lc_rs::digest;

use super::text;

/// One thing that is true of a server. Roles are called by their names as the server has them; a grantee that is `None` is
/// PUBLIC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// Objects are there.
    Present(Objects),
    Owner {
        objects: Objects,
        owner: String,
    },
    /// A grantee may do something with objects, whose owner is another.
    Grant {
        objects: Objects,
        grantee: Option<String>,
        privilege: String,
        grantable: bool,
    },
    /// What objects that `owner` makes later will grant.
    DefaultGrant {
        owner: String,
        schema: Option<String>,
        kind: Kind,
        grantee: Option<String>,
        privileges: Vec<String>,
    },
    /// Other roles stand in the policies of tables.
    Policy {
        role: String,
        count: u64,
    },
    Attribute {
        role: String,
        attribute: Attribute,
    },
    /// `member` is a member of `role`.
    Membership {
        role: String,
        member: String,
        options: Options,
    },
    Database {
        database: String,
        attribute: DatabaseAttribute,
    },
    Parameter {
        level: Level,
        name: String,
        value: Text,
    },
    /// More parameters are set for a role than were read.
    ManyParameters {
        role: String,
        count: u64,
    },
    /// An extension, its version, and the schema of its objects.
    Extension {
        name: String,
        version: String,
        schema: String,
    },
    /// The comment of an object begins with this line of the provider's.
    Marker {
        objects: Objects,
        text: String,
    },
    /// The password of this version was set for the role.
    Password {
        role: String,
        version: i64,
    },
    /// The server shows another salt than the password has that was set last.
    ForeignPassword {
        role: String,
    },
    /// An object is there, and not as it should be.
    Differs {
        objects: Objects,
        how: String,
    },
    /// More schemas than were read.
    ManySchemas {
        count: u64,
    },
    /// More groups of grants than were read.
    ManyGrants {
        count: u64,
    },
}

/// Objects of one kind that a fact is about, the first few by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Objects {
    pub kind: Kind,
    /// The database that they live in; `None` for the shared ones, and for those of the database that is spoken of.
    pub database: Option<String>,
    /// `None`: in none, or it does not matter.
    pub schema: Option<String>,
    /// Empty where only their number is known.
    pub names: Vec<String>,
    pub count: u64,
    /// Made by initdb or by an extension.
    pub original: bool,
}

impl Objects {
    pub fn one(kind: Kind, name: impl Into<String>) -> Self {
        Objects { kind, database: None, schema: None, names: vec![name.into()], count: 1, original: false }
    }

    pub fn many(kind: Kind, count: u64) -> Self {
        Objects { kind, database: None, schema: None, names: Vec::new(), count, original: false }
    }

    #[must_use]
    pub fn within(self, database: &str) -> Self {
        Objects { database: Some(database.to_owned()), ..self }
    }

    /// The name, of a single one.
    pub fn name(&self) -> Option<&str> {
        match self.names.as_slice() {
            [name] if self.count == 1 => Some(name),
            _ => None,
        }
    }

    /// Whether it is this one, shared or in the database that is spoken of.
    pub fn is(&self, kind: Kind, name: &str) -> bool {
        self.kind == kind && self.name() == Some(name) && self.database.is_none()
    }
}

/// What kinds of objects there are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Role,
    Database,
    Tablespace,
    Parameter,
    Schema,
    Relation,
    Column,
    Sequence,
    Routine,
    /// A routine that acts as its owner (SECURITY DEFINER).
    DefinerRoutine,
    Type,
    LargeObject,
    Language,
    ForeignDataWrapper,
    ForeignServer,
    UserMapping,
    EventTrigger,
    Publication,
    Subscription,
    ReplicationSlot,
    DefaultPrivileges,
    AccessMethod,
    Cast,
    Extension,
    /// Of pg_cron.
    Job,
    /// A catalog that no rule knows.
    Other(String),
}

impl Kind {
    /// Of a catalog, as `pg_class`.
    pub fn of_catalog(catalog: &str) -> Self {
        match catalog {
            "pg_authid" => Kind::Role,
            "pg_database" => Kind::Database,
            "pg_tablespace" => Kind::Tablespace,
            "pg_parameter_acl" => Kind::Parameter,
            "pg_namespace" => Kind::Schema,
            "pg_class" => Kind::Relation,
            "pg_proc" => Kind::Routine,
            "pg_type" => Kind::Type,
            "pg_largeobject" | "pg_largeobject_metadata" => Kind::LargeObject,
            "pg_language" => Kind::Language,
            "pg_foreign_data_wrapper" => Kind::ForeignDataWrapper,
            "pg_foreign_server" => Kind::ForeignServer,
            "pg_user_mapping" => Kind::UserMapping,
            "pg_event_trigger" => Kind::EventTrigger,
            "pg_publication" => Kind::Publication,
            "pg_subscription" => Kind::Subscription,
            "pg_am" => Kind::AccessMethod,
            "pg_cast" => Kind::Cast,
            "pg_extension" => Kind::Extension,
            "pg_default_acl" => Kind::DefaultPrivileges,
            other => Kind::Other(other.to_owned()),
        }
    }

    /// Of the letter that `acldefault` and `pg_default_acl.defaclobjtype` have for it.
    ///
    /// <https://www.postgresql.org/docs/current/catalog-pg-default-acl.html>
    pub fn of_letter(letter: &str) -> Self {
        match letter {
            "r" => Kind::Relation,
            "c" => Kind::Column,
            "s" | "S" => Kind::Sequence,
            "f" => Kind::Routine,
            "T" => Kind::Type,
            "n" => Kind::Schema,
            "l" => Kind::Language,
            "F" => Kind::ForeignDataWrapper,
            "L" => Kind::LargeObject,
            other => Kind::Other(other.to_owned()),
        }
    }

    /// Singular and plural.
    fn words(&self) -> (&str, &str) {
        match self {
            Kind::Role => ("role", "roles"),
            Kind::Database => ("database", "databases"),
            Kind::Tablespace => ("tablespace", "tablespaces"),
            Kind::Parameter => ("parameter", "parameters"),
            Kind::Schema => ("schema", "schemas"),
            Kind::Relation => ("relation", "relations"),
            Kind::Column => ("columns of relation", "columns of relations"),
            Kind::Sequence => ("sequence", "sequences"),
            Kind::Routine => ("routine", "routines"),
            Kind::DefinerRoutine => ("SECURITY DEFINER routine", "SECURITY DEFINER routines"),
            Kind::Type => ("type", "types"),
            Kind::LargeObject => ("large object", "large objects"),
            Kind::Language => ("language", "languages"),
            Kind::ForeignDataWrapper => ("foreign-data wrapper", "foreign-data wrappers"),
            Kind::ForeignServer => ("foreign server", "foreign servers"),
            Kind::UserMapping => ("user mapping", "user mappings"),
            Kind::EventTrigger => ("event trigger", "event triggers"),
            Kind::Publication => ("publication", "publications"),
            Kind::Subscription => ("subscription", "subscriptions"),
            Kind::ReplicationSlot => ("replication slot", "replication slots"),
            Kind::DefaultPrivileges => ("set of default privileges", "sets of default privileges"),
            Kind::AccessMethod => ("access method", "access methods"),
            Kind::Cast => ("cast", "casts"),
            Kind::Extension => ("extension", "extensions"),
            Kind::Job => ("job", "jobs"),
            Kind::Other(catalog) => (catalog, catalog),
        }
    }
}

/// What a role may be beside a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attribute {
    Superuser,
    CreateDb,
    CreateRole,
    Replication,
    BypassRls,
    Inherit,
    /// -1: none.
    ConnectionLimit(i32),
    /// In UTC.
    ValidUntil(String),
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attribute::Superuser => f.write_str("SUPERUSER"),
            Attribute::CreateDb => f.write_str("CREATEDB"),
            Attribute::CreateRole => f.write_str("CREATEROLE"),
            Attribute::Replication => f.write_str("REPLICATION"),
            Attribute::BypassRls => f.write_str("BYPASSRLS"),
            Attribute::Inherit => f.write_str("INHERIT"),
            Attribute::ConnectionLimit(limit) => write!(f, "CONNECTION LIMIT {limit}"),
            Attribute::ValidUntil(time) => write!(f, "VALID UNTIL {}", text::quoted(time)),
        }
    }
}

/// The options of a membership. Before PostgreSQL 16 there is ADMIN alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Options {
    pub admin: bool,
    pub inherit: bool,
    pub set: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DatabaseAttribute {
    /// It accepts no connections.
    Closed,
    /// A DROP DATABASE was interrupted: nothing but another one helps.
    Invalid,
    Template,
    /// -1: none.
    ConnectionLimit(i32),
}

/// Where a parameter is set. What is further down wins when a session starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `ALTER ROLE ALL`
    Everything,
    Database(String),
    Role(String),
    RoleInDatabase(String, String),
}

/// A text as far as it was read. Two are the same text only if both are whole, or their digests agree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text {
    pub text: String,
    /// SHA-256 of the whole, in hexadecimal digits, where `text` is only its beginning.
    pub digest: Option<String>,
}

impl Text {
    pub fn whole(text: impl Into<String>) -> Self {
        Text { text: text.into(), digest: None }
    }

    /// Whether this is that text.
    pub fn is(&self, whole: &str) -> bool {
        match &self.digest {
            None => self.text == whole,
            Some(digest) => *digest == sha256(whole),
        }
    }

    /// The text, if all of it was read.
    pub fn as_whole(&self) -> Option<&str> {
        self.digest.is_none().then_some(self.text.as_str())
    }
}

fn sha256(text: &str) -> String {
    digest::digest(&digest::SHA256, text.as_bytes()).as_ref().iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a text takes all");
        digits
    })
}

/// As it is shown: quoted, and marked where it was cut.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::quoted(&self.text))?;
        if self.digest.is_some() { f.write_str(" (cut)") } else { Ok(()) }
    }
}

fn role(grantee: Option<&str>) -> String {
    grantee.map_or("PUBLIC".to_owned(), text::name)
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, many) = self.kind.words();
        let names: Vec<String> = self.names.iter().map(|name| text::name(name)).collect();
        match names.as_slice() {
            [name] if self.count == 1 => write!(f, "{one} {name}")?,
            [] => write!(f, "{} {}", self.count, if self.count == 1 { one } else { many })?,
            names if names.len() as u64 == self.count => write!(f, "{many} {}", names.join(", "))?,
            names => write!(f, "{} {many} ({}, ...)", self.count, names.join(", "))?,
        }
        match &self.database {
            Some(database) => write!(f, " in database {}", text::name(database)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Level::Everything => f.write_str("all roles"),
            Level::Database(database) => write!(f, "database {}", text::name(database)),
            Level::Role(role) => write!(f, "role {}", text::name(role)),
            Level::RoleInDatabase(role, database) => {
                write!(f, "role {} in database {}", text::name(role), text::name(database))
            }
        }
    }
}

/// What is so.
impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Present(objects) => write!(f, "{objects} {}", if objects.count == 1 { "exists" } else { "exist" }),
            Fact::Owner { objects, owner } => write!(f, "{} owns {objects}", text::name(owner)),
            Fact::Grant { objects, grantee, privilege, grantable } => {
                let option = if *grantable { " WITH GRANT OPTION" } else { "" };
                write!(f, "{} has {privilege}{option} on {objects}", role(grantee.as_deref()))
            }
            Fact::DefaultGrant { owner, schema, kind, grantee, privileges } => {
                let (who, whose) = (role(grantee.as_deref()), text::name(owner));
                write!(f, "{who} gets {} on each new {} of {whose}", privileges.join(", "), kind.words().0)?;
                schema.as_ref().map_or(Ok(()), |schema| write!(f, " in schema {}", text::name(schema)))
            }
            Fact::Policy { role, count } => write!(f, "{count} policies name {}", text::name(role)),
            Fact::Attribute { role, attribute } => write!(f, "{} has {attribute}", text::name(role)),
            Fact::Membership { role, member, options } => {
                write!(f, "{} is a member of {}", text::name(member), text::name(role))?;
                let options = [(options.admin, "ADMIN"), (options.inherit, "INHERIT"), (options.set, "SET")];
                let names: Vec<&str> = options.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect();
                if names.is_empty() { Ok(()) } else { write!(f, " with {}", names.join(", ")) }
            }
            Fact::Database { database, attribute } => {
                let name = text::name(database);
                match attribute {
                    DatabaseAttribute::Invalid => {
                        write!(f, "database {name} is invalid: a DROP DATABASE was interrupted")
                    }
                    DatabaseAttribute::Closed => write!(f, "database {name} accepts no connections"),
                    DatabaseAttribute::Template => write!(f, "database {name} is a template"),
                    DatabaseAttribute::ConnectionLimit(limit) => {
                        write!(f, "database {name} has CONNECTION LIMIT {limit}")
                    }
                }
            }
            Fact::Parameter { level, name, value } => write!(f, "{} = {value} for {level}", text::name(name)),
            Fact::ManyParameters { role, count } => {
                write!(f, "{count} parameters are set for role {}", text::name(role))
            }
            Fact::Extension { name, version, schema } => {
                let [name, version, schema] = [name, version, schema].map(|part| text::name(part));
                write!(f, "extension {name} {version} is in schema {schema}")
            }
            Fact::Marker { objects, .. } => write!(f, "{objects} carries a tenant's marker"),
            Fact::Password { role, version } => {
                write!(f, "{} has the password of version {version}", text::name(role))
            }
            Fact::ForeignPassword { role } => {
                write!(f, "the password of {} was changed by somebody else", text::name(role))
            }
            Fact::Differs { objects, how } => write!(f, "{objects} {how}"),
            Fact::ManySchemas { count } => write!(f, "there are {count} schemas"),
            Fact::ManyGrants { count } => write!(f, "there are {count} different kinds of grants"),
        }
    }
}

impl Fact {
    /// What is so where this is not.
    pub fn missing(&self) -> String {
        match self {
            Fact::Present(objects) => format!("{objects} is missing"),
            Fact::Owner { objects, owner } => format!("{objects} is not owned by {}", text::name(owner)),
            Fact::Password { role, version } => {
                format!("{} was made without the password of version {version}", text::name(role))
            }
            Fact::Grant { objects, grantee, privilege, .. } => {
                format!("{} lacks {privilege} on {objects}", role(grantee.as_deref()))
            }
            Fact::Membership { role, member, .. } => {
                format!("{} is not a member of {}", text::name(member), text::name(role))
            }
            Fact::Parameter { level, name, .. } => format!("{} is not as required for {level}", text::name(name)),
            Fact::Marker { objects, .. } => format!("the marker of {objects} is missing or not up to date"),
            Fact::Attribute { role, attribute } => format!("{} lacks {attribute}", text::name(role)),
            fact => format!("not so: {fact}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn few(kind: Kind, names: &[&str], count: u64) -> Objects {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Objects { kind, database: None, schema: None, names, count, original: false }
    }

    #[test]
    fn objects_are_said_by_name_or_number() {
        for (objects, said) in [
            (Objects::one(Kind::Role, "acme"), "role acme"),
            (Objects::one(Kind::Role, "A\u{1b}c"), "role \"A\\u{1b}c\""),
            (Objects::many(Kind::Routine, 1), "1 routine"),
            (Objects::many(Kind::Routine, 2).within("x"), "2 routines in database x"),
            (few(Kind::Relation, &["a", "b"], 2), "relations a, b"),
            (few(Kind::Relation, &["a", "b"], 5), "5 relations (a, b, ...)"),
            (few(Kind::Relation, &["a"], 5), "5 relations (a, ...)"),
            (few(Kind::Column, &["t"], 1), "columns of relation t"),
            (Objects::many(Kind::Other("pg_policy".into()), 3), "3 pg_policy"),
        ] {
            assert_eq!(objects.to_string(), said);
        }
        assert_eq!(few(Kind::Relation, &["a"], 1).name(), Some("a"));
        assert_eq!(few(Kind::Relation, &["a"], 2).name(), None);
        assert!(Objects::one(Kind::Role, "a").is(Kind::Role, "a"));
        assert!(!Objects::one(Kind::Role, "a").is(Kind::Database, "a"));
        assert!(!Objects::one(Kind::Role, "a").is(Kind::Role, "b"));
        assert!(!Objects::one(Kind::Schema, "a").within("x").is(Kind::Schema, "a"));
    }

    /// Each fact: what is said where it is so, and where it is not.
    #[test]
    fn facts_say_themselves() {
        let text = str::to_owned;
        let schema = || Objects::one(Kind::Schema, "app");
        let grant = |grantee: Option<&str>, grantable| Fact::Grant {
            objects: schema(),
            grantee: grantee.map(str::to_owned),
            privilege: text("USAGE"),
            grantable,
        };
        let attribute = |attribute| Fact::Attribute { role: text("a"), attribute };
        let member = |admin, inherit, set| Fact::Membership {
            role: text("r"),
            member: text("m"),
            options: Options { admin, inherit, set },
        };
        let database = |attribute| Fact::Database { database: text("d"), attribute };
        let parameter = |level, value| Fact::Parameter { level, name: text("jit"), value };
        let default = |schema: Option<&str>| Fact::DefaultGrant {
            owner: text("a"),
            schema: schema.map(str::to_owned),
            kind: Kind::Relation,
            grantee: None,
            privileges: vec![text("SELECT"), text("INSERT*")],
        };
        let cut = Text { text: text("x"), digest: Some(text("00")) };
        for (fact, so, missing) in [
            (Fact::Present(schema()), "schema app exists", "schema app is missing"),
            (Fact::Present(Objects::many(Kind::Role, 2)), "2 roles exist", "2 roles is missing"),
            (Fact::Owner { objects: schema(), owner: text("a") }, "a owns schema app", "schema app is not owned by a"),
            (grant(None, false), "PUBLIC has USAGE on schema app", "PUBLIC lacks USAGE on schema app"),
            (grant(Some("a"), true), "a has USAGE WITH GRANT OPTION on schema app", "a lacks USAGE on schema app"),
            (
                default(Some("app")),
                "PUBLIC gets SELECT, INSERT* on each new relation of a in schema app",
                "not so: PUBLIC gets SELECT, INSERT* on each new relation of a in schema app",
            ),
            (
                default(None),
                "PUBLIC gets SELECT, INSERT* on each new relation of a",
                "not so: PUBLIC gets SELECT, INSERT* on each new relation of a",
            ),
            (Fact::Policy { role: text("a"), count: 2 }, "2 policies name a", "not so: 2 policies name a"),
            (attribute(Attribute::Superuser), "a has SUPERUSER", "a lacks SUPERUSER"),
            (attribute(Attribute::CreateDb), "a has CREATEDB", "a lacks CREATEDB"),
            (attribute(Attribute::CreateRole), "a has CREATEROLE", "a lacks CREATEROLE"),
            (attribute(Attribute::Replication), "a has REPLICATION", "a lacks REPLICATION"),
            (attribute(Attribute::BypassRls), "a has BYPASSRLS", "a lacks BYPASSRLS"),
            (attribute(Attribute::Inherit), "a has INHERIT", "a lacks INHERIT"),
            (attribute(Attribute::ConnectionLimit(-1)), "a has CONNECTION LIMIT -1", "a lacks CONNECTION LIMIT -1"),
            (attribute(Attribute::ValidUntil(text("x"))), "a has VALID UNTIL \"x\"", "a lacks VALID UNTIL \"x\""),
            (member(false, false, false), "m is a member of r", "m is not a member of r"),
            (member(true, true, true), "m is a member of r with ADMIN, INHERIT, SET", "m is not a member of r"),
            (member(false, true, false), "m is a member of r with INHERIT", "m is not a member of r"),
            (
                database(DatabaseAttribute::Closed),
                "database d accepts no connections",
                "not so: database d accepts no connections",
            ),
            (database(DatabaseAttribute::Template), "database d is a template", "not so: database d is a template"),
            (
                database(DatabaseAttribute::ConnectionLimit(3)),
                "database d has CONNECTION LIMIT 3",
                "not so: database d has CONNECTION LIMIT 3",
            ),
            (
                parameter(Level::Everything, Text::whole("on")),
                "jit = \"on\" for all roles",
                "jit is not as required for all roles",
            ),
            (
                parameter(Level::Database(text("d")), cut),
                "jit = \"x\" (cut) for database d",
                "jit is not as required for database d",
            ),
            (
                parameter(Level::Role(text("A")), Text::whole("on")),
                "jit = \"on\" for role \"A\"",
                "jit is not as required for role \"A\"",
            ),
            (
                parameter(Level::RoleInDatabase(text("a"), text("d")), Text::whole("on")),
                "jit = \"on\" for role a in database d",
                "jit is not as required for role a in database d",
            ),
            (
                Fact::ManyParameters { role: text("a"), count: 300 },
                "300 parameters are set for role a",
                "not so: 300 parameters are set for role a",
            ),
            (
                Fact::Extension { name: text("e"), version: text("1.2"), schema: text("s") },
                "extension e \"1.2\" is in schema s",
                "not so: extension e \"1.2\" is in schema s",
            ),
            (
                Fact::Marker { objects: schema(), text: text("x") },
                "schema app carries a tenant's marker",
                "the marker of schema app is missing or not up to date",
            ),
            (
                Fact::Password { role: text("a"), version: 2 },
                "a has the password of version 2",
                "a was made without the password of version 2",
            ),
            (
                Fact::ForeignPassword { role: text("a") },
                "the password of a was changed by somebody else",
                "not so: the password of a was changed by somebody else",
            ),
            (
                Fact::Differs { objects: schema(), how: text("is another") },
                "schema app is another",
                "not so: schema app is another",
            ),
            (Fact::ManySchemas { count: 300 }, "there are 300 schemas", "not so: there are 300 schemas"),
            (
                Fact::ManyGrants { count: 300 },
                "there are 300 different kinds of grants",
                "not so: there are 300 different kinds of grants",
            ),
        ] {
            assert_eq!((fact.to_string().as_str(), fact.missing().as_str()), (so, missing));
        }
    }

    #[test]
    fn kinds_are_known_by_their_catalogs_and_letters() {
        for (catalog, one, many) in [
            ("pg_authid", "role", "roles"),
            ("pg_database", "database", "databases"),
            ("pg_tablespace", "tablespace", "tablespaces"),
            ("pg_parameter_acl", "parameter", "parameters"),
            ("pg_namespace", "schema", "schemas"),
            ("pg_class", "relation", "relations"),
            ("pg_proc", "routine", "routines"),
            ("pg_type", "type", "types"),
            ("pg_largeobject", "large object", "large objects"),
            ("pg_largeobject_metadata", "large object", "large objects"),
            ("pg_language", "language", "languages"),
            ("pg_foreign_data_wrapper", "foreign-data wrapper", "foreign-data wrappers"),
            ("pg_foreign_server", "foreign server", "foreign servers"),
            ("pg_user_mapping", "user mapping", "user mappings"),
            ("pg_event_trigger", "event trigger", "event triggers"),
            ("pg_publication", "publication", "publications"),
            ("pg_subscription", "subscription", "subscriptions"),
            ("pg_extension", "extension", "extensions"),
            ("pg_default_acl", "set of default privileges", "sets of default privileges"),
            ("pg_am", "access method", "access methods"),
            ("pg_cast", "cast", "casts"),
            ("pg_policy", "pg_policy", "pg_policy"),
        ] {
            assert_eq!(Kind::of_catalog(catalog).words(), (one, many));
        }
        for (letter, one) in [
            ("r", "relation"),
            ("c", "columns of relation"),
            ("s", "sequence"),
            ("S", "sequence"),
            ("f", "routine"),
            ("T", "type"),
            ("n", "schema"),
            ("l", "language"),
            ("F", "foreign-data wrapper"),
            ("L", "large object"),
            ("?", "?"),
        ] {
            assert_eq!(Kind::of_letter(letter).words().0, one);
        }
    }

    #[test]
    fn a_text_is_another_if_it_is_whole_or_has_its_digest() {
        let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let cut = |digest: &str| Text { text: "hel".to_owned(), digest: Some(digest.to_owned()) };
        assert!(cut(hello).is("hello") && !cut(hello).is("hel") && !cut("00").is("hello"));
        assert!(Text::whole("hello").is("hello") && !Text::whole("hello").is("hel"));
        assert_eq!((cut(hello).as_whole(), Text::whole("x").as_whole()), (None, Some("x")));
    }
}

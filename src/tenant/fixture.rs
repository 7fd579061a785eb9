//! A tenant that is as it should be, for tests to break one fact of; and any fact at all.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::postgres::catalog::acl::Grant;
use crate::postgres::catalog::inside::{self, Inside, Schema};
use crate::postgres::catalog::snapshot::{
    Connected, Database, Dependency, Membership, Role, Server, Setting, Snapshot,
};
use crate::postgres::fact::{Attribute, DatabaseAttribute, Fact, Kind, Level, Objects, Options, Text};
use crate::postgres::{Authentication, Challenge, ExtensionName};

use super::limits::ADMIN_CONNECTIONS;
use super::{Change, Desired, Goal, Locale, Marker, Method, Names, Observed, Password, Pin, Stage, render};

pub(crate) fn names() -> Names {
    Names {
        tenant: "acme".parse().unwrap(),
        database: "acme".parse().unwrap(),
        role: "acme".parse().unwrap(),
        schema: "app".parse().unwrap(),
    }
}

/// Of a tenant whose database and role are called as it is.
pub(super) fn names_of(tenant: &str) -> Names {
    Names {
        tenant: tenant.parse().unwrap(),
        database: tenant.parse().unwrap(),
        role: tenant.parse().unwrap(),
        ..names()
    }
}

pub(super) fn desired() -> Desired {
    Desired {
        names: names(),
        goal: Goal::Present,
        force: false,
        known_as: Some(names().tenant),
        temporary: false,
        creates_schemas: false,
        replicates: false,
        admin_connections: ADMIN_CONNECTIONS,
        extensions: BTreeMap::new(),
        offered: BTreeMap::new(),
        schemas: BTreeSet::new(),
        given_up: BTreeSet::new(),
        member_of: BTreeSet::new(),
        authentication: Method::default(),
        template: None,
        valid_until: None,
        comment: None,
        locale: Locale { encoding: Some("UTF8".into()), ..Locale::default() },
        password: Password::Keep,
        password_version: None,
        accept: BTreeMap::new(),
    }
}

pub(super) fn setting(database: Option<&str>, role: Option<&str>, name: &str, value: &str) -> Setting {
    Setting {
        database: database.map(str::to_owned),
        role: role.map(str::to_owned),
        name: name.to_owned(),
        value: value.to_owned(),
        digest: None,
    }
}

pub(super) fn grant(grantee: Option<&str>, privilege: &str) -> Grant {
    Grant { grantee: grantee.map(str::to_owned), privilege: privilege.to_owned(), grantable: false }
}

pub(super) fn membership(role: &str, member: &str) -> Membership {
    Membership {
        role: role.to_owned(),
        member: member.to_owned(),
        grantor: Some("admin".to_owned()),
        admin: false,
        inherit: None,
        set: None,
        automatic: false,
        revocable: true,
    }
}

/// Somebody who is connected.
pub(super) fn connected(role: &str, database: Option<&str>) -> Connected {
    let (role, database) = (role.to_owned(), database.map(str::to_owned));
    Connected { pid: 7, role, database, since: Some("2026-01-31 12:00:00".to_owned()) }
}

pub(super) fn dependency(role: &str, database: Option<&str>, class: &str, kind: &str, count: u64) -> Dependency {
    Dependency {
        role: role.to_owned(),
        database: database.map(str::to_owned),
        class: class.to_owned(),
        kind: kind.to_owned(),
        original: false,
        count,
        enterable: database.map(|_| true),
    }
}

/// What the server shows of the password that was set last.
pub(super) fn challenge() -> Challenge {
    Challenge { iterations: 4096, salt: b"salt".to_vec() }
}

/// The marker of the tenant of these names.
pub(super) fn marker(names: &Names, stage: Stage) -> Marker {
    Marker { password: Some(challenge()), ..Marker::new(names, stage, None) }
}

pub(super) fn database(name: &str, comment: Option<String>) -> Database {
    Database {
        name: name.to_owned(),
        owner: "admin".into(),
        owner_usable: true,
        connectable: true,
        allow_connections: true,
        is_template: false,
        connection_limit: 15,
        encoding: "UTF8".into(),
        locale_provider: "c".into(),
        lc_collate: "C.UTF-8".into(),
        lc_ctype: "C.UTF-8".into(),
        locale: None,
        comment,
        acl: Vec::new(),
    }
}

pub(super) fn role(name: &str, comment: Option<String>) -> Role {
    Role {
        name: name.to_owned(),
        manageable: true,
        superuser: false,
        inherit: false,
        create_role: false,
        create_database: false,
        login: true,
        replication: false,
        bypass_rls: false,
        connection_limit: 10,
        valid_until: None,
        expired: false,
        comment,
    }
}

/// A cluster with that tenant alone.
pub(crate) fn snapshot() -> Snapshot {
    let comment = Some(marker(&names(), Stage::Ready).text());
    let mut settings = vec![setting(Some("acme"), Some("acme"), "search_path", "app")];
    for (name, value) in
        [("statement_timeout", "60000"), ("lock_timeout", "10000"), ("idle_in_transaction_session_timeout", "60000")]
    {
        settings.push(setting(Some("acme"), None, name, value));
        settings.push(setting(None, Some("acme"), name, value));
    }
    Snapshot {
        server: Server {
            version_num: 150_018,
            version: "15.18".into(),
            admin: "admin".into(),
            superuser: false,
            bootstrap: "postgres".into(),
            now: "20260131T120000.123Z".into(),
        },
        databases: vec![Database { acl: vec![grant(Some("acme"), "CONNECT")], ..database("acme", comment.clone()) }],
        roles: vec![role("acme", comment)],
        admitted: BTreeSet::new(),
        settings,
        privileged: BTreeSet::new(),
        oversized: BTreeMap::new(),
        memberships: Vec::new(),
        dependencies: vec![dependency("acme", Some("acme"), "pg_namespace", "a", 1)],
        server_grants: Vec::new(),
        slots: Vec::new(),
        subscriptions: Vec::new(),
        connected: Vec::new(),
        prepared: Vec::new(),
    }
}

/// A cluster without tenants.
pub(super) fn bare() -> Snapshot {
    let mut snapshot = snapshot();
    (snapshot.databases, snapshot.roles) = (Vec::new(), Vec::new());
    (snapshot.settings, snapshot.dependencies) = (Vec::new(), Vec::new());
    snapshot
}

pub(super) fn inside() -> Inside {
    let schema = |name: &str, owner: &str, comment: Option<String>, acl: Vec<Grant>| Schema {
        name: name.to_owned(),
        owner: owner.to_owned(),
        owner_usable: true,
        comment,
        acl,
        planted: false,
    };
    let comment = Some(marker(&names(), Stage::Ready).text());
    Inside {
        schemas: vec![
            schema("app", "admin", comment, vec![grant(Some("acme"), "USAGE"), grant(Some("acme"), "CREATE")]),
            schema("public", "pg_database_owner", None, Vec::new()),
        ],
        ..Inside::default()
    }
}

pub(super) fn observed() -> Observed {
    Observed {
        inside: Ok(inside()),
        login: Ok(Authentication::Scram(challenge())),
        ..Observed::locate(&snapshot(), &names())
    }
}

/// The statements that changes are, the long one by a word.
pub(super) fn texts(changes: &[Change]) -> Vec<String> {
    let tidy = inside::tidy();
    let text = |text: &String| if *text == tidy { "TIDY".to_owned() } else { text.clone() };
    let comment = |object: String, marker: &Marker| vec![format!("COMMENT ON {object} IS '{}'", marker.text())];
    let all = changes.iter().flat_map(|change| match change {
        // What else there is in the comment stays.
        Change::MarkDatabase { database, marker } => comment(format!("DATABASE {}", database.quoted()), marker),
        Change::MarkRole { role, marker } => comment(format!("ROLE {}", role.quoted()), marker),
        Change::MarkSchema { schema, marker, .. } => comment(format!("SCHEMA {}", schema.quoted()), marker),
        change => {
            let script = render(std::slice::from_ref(change));
            script.0.iter().flat_map(|step| &step.statements).map(|statement| text(&statement.text)).collect()
        }
    });
    all.collect()
}

/// Extensions of which nothing but the names is said.
pub(crate) fn extensions<const N: usize>(names: [&str; N]) -> BTreeMap<ExtensionName, Pin> {
    names.map(|name| (name.parse().unwrap(), Pin::default())).into()
}

/// Names that mean something to a tenant, those that are like them, and any.
fn name() -> impl Strategy<Value = String> {
    let known = [
        "acme",
        "Acme",
        "acme ",
        "app",
        "extensions",
        "public",
        "admin",
        "postgres",
        "pg_database_owner",
        "pg_monitor",
        "globex",
        "pg_catalog",
        "",
    ];
    prop_oneof![4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

fn kind() -> impl Strategy<Value = Kind> {
    let known = [
        Kind::Role,
        Kind::Database,
        Kind::Tablespace,
        Kind::Parameter,
        Kind::Schema,
        Kind::Relation,
        Kind::Column,
        Kind::Sequence,
        Kind::Routine,
        Kind::DefinerRoutine,
        Kind::Type,
        Kind::LargeObject,
        Kind::Language,
        Kind::ForeignDataWrapper,
        Kind::ForeignServer,
        Kind::UserMapping,
        Kind::EventTrigger,
        Kind::Publication,
        Kind::Subscription,
        Kind::ReplicationSlot,
        Kind::DefaultPrivileges,
        Kind::Extension,
        Kind::Job,
    ];
    let other = prop_oneof![Just("pg_operator".to_owned()), Just("pg_opclass".to_owned()), any::<String>()];
    prop_oneof![9 => prop::sample::select(known.to_vec()), 1 => other.prop_map(Kind::Other)]
}

fn objects() -> impl Strategy<Value = Objects> {
    let database = prop_oneof![3 => Just(None), 1 => name().prop_map(Some)];
    let schema = prop_oneof![1 => Just(None), 1 => name().prop_map(Some)];
    let names = prop_oneof![3 => name().prop_map(|name| vec![name]), 1 => prop::collection::vec(name(), 0..4)];
    (kind(), database, schema, names, 0..3_u64, prop::bool::weighted(0.2)).prop_map(
        |(kind, database, schema, names, more, original)| {
            let count = names.len() as u64 + more / 2;
            Objects { kind, database, schema, names, count, original }
        },
    )
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![
        Just(Level::Everything),
        name().prop_map(Level::Database),
        name().prop_map(Level::Role),
        (name(), name()).prop_map(|(role, database)| Level::RoleInDatabase(role, database)),
    ]
}

fn attribute() -> impl Strategy<Value = Attribute> {
    prop_oneof![
        Just(Attribute::Superuser),
        Just(Attribute::CreateDb),
        Just(Attribute::CreateRole),
        Just(Attribute::Replication),
        Just(Attribute::BypassRls),
        Just(Attribute::Inherit),
        prop_oneof![Just(-1), Just(10), any::<i32>()].prop_map(Attribute::ConnectionLimit),
        any::<String>().prop_map(Attribute::ValidUntil),
    ]
}

pub(super) fn any_text() -> impl Strategy<Value = Text> {
    let text = prop_oneof![
        prop::sample::select(vec!["app", "\"app\"", "60000", "1min", "60s", "0", "", "enforced", "app, public"])
            .prop_map(str::to_owned),
        any::<String>(),
    ];
    let digest = prop_oneof![4 => Just(None), 1 => "[0-9a-f]{64}".prop_map(Some)];
    (text, digest).prop_map(|(text, digest)| Text { text, digest })
}

/// Any fact, and often one of a tenant.
pub(super) fn any_fact() -> impl Strategy<Value = Fact> {
    let grantee = || prop_oneof![1 => Just(None), 3 => name().prop_map(Some)];
    let privilege = || {
        prop::sample::select(vec!["CONNECT", "TEMPORARY", "CREATE", "USAGE", "SELECT", "EXECUTE", "SET", "privileges"])
            .prop_map(str::to_owned)
    };
    let parameter = prop_oneof![
        prop::sample::select(vec![
            "search_path",
            "Search_Path",
            "statement_timeout",
            "lock_timeout",
            "idle_in_transaction_session_timeout",
            "work_mem",
            "role",
            "session_replication_role",
            "TimeZone",
            "application_name",
            "app.tenant_id",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let options =
        (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(admin, inherit, set)| Options { admin, inherit, set });
    let database_attribute = prop_oneof![
        Just(DatabaseAttribute::Closed),
        Just(DatabaseAttribute::Invalid),
        Just(DatabaseAttribute::Template),
        prop_oneof![Just(-1), Just(15), any::<i32>()].prop_map(DatabaseAttribute::ConnectionLimit),
    ];
    prop_oneof![
        objects().prop_map(Fact::Present),
        (objects(), name()).prop_map(|(objects, owner)| Fact::Owner { objects, owner }),
        (objects(), grantee(), privilege(), prop::bool::weighted(0.3)).prop_map(
            |(objects, grantee, privilege, grantable)| Fact::Grant { objects, grantee, privilege, grantable }
        ),
        (name(), prop::option::of(name()), kind(), grantee(), prop::collection::vec(privilege(), 1..3)).prop_map(
            |(owner, schema, kind, grantee, privileges)| Fact::DefaultGrant {
                owner,
                schema,
                kind,
                grantee,
                privileges
            }
        ),
        (name(), any::<u64>()).prop_map(|(role, count)| Fact::Policy { role, count }),
        (name(), attribute()).prop_map(|(role, attribute)| Fact::Attribute { role, attribute }),
        (name(), name(), options).prop_map(|(role, member, options)| Fact::Membership { role, member, options }),
        (name(), database_attribute).prop_map(|(database, attribute)| Fact::Database { database, attribute }),
        (level(), parameter, any_text()).prop_map(|(level, name, value)| Fact::Parameter { level, name, value }),
        (name(), any::<u64>()).prop_map(|(role, count)| Fact::ManyParameters { role, count }),
        (name(), name(), name()).prop_map(|(name, version, schema)| Fact::Extension { name, version, schema }),
        (objects(), any::<String>()).prop_map(|(objects, text)| Fact::Marker { objects, text }),
        name().prop_map(|role| Fact::ForeignPassword { role }),
        (name(), any::<i64>()).prop_map(|(role, version)| Fact::Password { role, version }),
        (objects(), any::<String>()).prop_map(|(objects, how)| Fact::Differs { objects, how }),
        any::<u64>().prop_map(|count| Fact::ManyGrants { count }),
        any::<u64>().prop_map(|count| Fact::ManySchemas { count }),
    ]
}

//! A tenant that is as it should be, for tests to break one fact of.

use std::collections::BTreeSet;

use crate::postgres::catalog::acl::Grant;
use crate::postgres::catalog::inside::{Inside, Schema};
use crate::postgres::catalog::snapshot::{Database, Dependency, Role, Server, Setting};

use super::{Desired, Locale, Marker, Names, Observed, Stage};

pub(super) fn names() -> Names {
    Names {
        tenant: "acme".parse().unwrap(),
        database: "acme".parse().unwrap(),
        role: "acme".parse().unwrap(),
        schema: "app".parse().unwrap(),
    }
}

pub(super) fn desired() -> Desired {
    Desired {
        names: names(),
        login: true,
        temporary: false,
        extensions: BTreeSet::new(),
        member_of: BTreeSet::new(),
        locale: Locale { encoding: Some("UTF8".into()), ..Locale::default() },
        password: None,
        password_if_changed: None,
        password_version: None,
    }
}

pub(super) fn setting(database: Option<&str>, role: Option<&str>, name: &str, value: &str) -> Setting {
    Setting {
        database: database.map(str::to_owned),
        role: role.map(str::to_owned),
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn grant(privilege: &str) -> Grant {
    Grant { grantee: Some("acme".into()), privilege: privilege.into(), grantable: false }
}

pub(super) fn observed() -> Observed {
    let comment = Some(Marker::new(&names(), Stage::Ready, None).text());
    let mut settings = vec![setting(Some("acme"), Some("acme"), "search_path", "app")];
    for (name, value) in
        [("statement_timeout", "60000"), ("lock_timeout", "10000"), ("idle_in_transaction_session_timeout", "60000")]
    {
        settings.push(setting(Some("acme"), None, name, value));
        settings.push(setting(None, Some("acme"), name, value));
    }
    let schema = |name: &str, comment: Option<String>, acl: Vec<Grant>| Schema {
        name: name.to_owned(),
        owner: "admin".into(),
        owner_usable: true,
        comment,
        acl,
    };
    Observed {
        names: names(),
        server: Server {
            version_num: 150_018,
            version: "15.18".into(),
            admin: "admin".into(),
            superuser: false,
            now: "20260131T120000.123Z".into(),
        },
        database: Some(Database {
            name: "acme".into(),
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
            comment: comment.clone(),
            sessions: 0,
            acl: vec![grant("CONNECT")],
        }),
        role: Some(Role {
            name: "acme".into(),
            manageable: true,
            superuser: false,
            inherit: false,
            create_role: false,
            create_database: false,
            login: true,
            replication: false,
            bypass_rls: false,
            connection_limit: 10,
            comment: comment.clone(),
        }),
        settings,
        memberships: Vec::new(),
        guests: Vec::new(),
        elsewhere: Vec::new(),
        dependencies: vec![Dependency {
            role: "acme".into(),
            database: Some("acme".into()),
            class: "pg_namespace".into(),
            kind: "a".into(),
            count: 1,
        }],
        inside: Some(Inside {
            schemas: vec![
                schema("app", comment, vec![grant("USAGE"), grant("CREATE")]),
                schema("public", None, Vec::new()),
            ],
            extensions: BTreeSet::new(),
            grants: BTreeSet::new(),
            default_privileges: BTreeSet::new(),
        }),
        password_changed: Some(false),
    }
}

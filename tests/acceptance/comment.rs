//! Comments: the provider's marker is their first line, and what people wrote stays, whatever becomes of the tenant.

use crate::fixture::{assert_enforced, tenant, value, workspace};
use crate::support::postgres::{ADMIN, SUPERUSER, Server};

on_two_majors! {
    what_people_wrote_stays_whatever_becomes_of_the_tenant,
    an_import_keeps_what_people_wrote,
}

/// The comments of a tenant that is called like its database: of that, its role, its further role and its schema. Each has the
/// marker as its first line; what follows.
#[track_caller]
fn beside(server: &Server, name: &str, reader: &str) -> [String; 4] {
    let shared = |catalog: &str, column: &str, name: &str| {
        let sql = format!("SELECT shobj_description(oid, '{catalog}') FROM {catalog} WHERE {column} = '{name}'");
        value(server, "postgres", &sql)
    };
    let comments = [
        shared("pg_database", "datname", name),
        shared("pg_authid", "rolname", name),
        shared("pg_authid", "rolname", reader),
        value(server, name, "SELECT obj_description('app'::regnamespace, 'pg_namespace')"),
    ];
    comments.map(|comment| {
        let (marker, rest) = comment.split_once('\n').unwrap_or((&comment, ""));
        let marker: serde_json::Value =
            serde_json::from_str(marker).unwrap_or_else(|error| panic!("{error}: {comment}"));
        assert!(marker["pgtenant"].is_string(), "{comment}");
        rest.to_owned()
    })
}

fn config(name: &str, more: &str) -> String {
    let reader = "resource \"pgtenant_role\" \"reader\" {\n  tenant = pgtenant_tenant.this.name\n  name = \"commented_reader\"\n  access \
                  = \"read\"\n}\n";
    format!("{}{reader}", tenant(name, more))
}

fn what_people_wrote_stays_whatever_becomes_of_the_tenant(server: &Server) {
    let workspace = workspace(server);
    let [address, reader] = ["pgtenant_tenant.this", "pgtenant_role.reader"];
    let apply = |name: &str, more: &str| {
        workspace.write("main.tf", &config(name, more));
        workspace.apply();
    };
    apply("commented", "comment = \"owner: team-shop\\ncost centre: 100% 'ours' \\\\\"");
    let none = String::new;
    let written = "owner: team-shop\ncost centre: 100% 'ours' \\".to_owned();
    assert_eq!(beside(server, "commented", "commented_reader"), [written, none(), none(), none()]);
    assert_enforced(server, &workspace);
    let refused = |text: &str| {
        workspace.write("main.tf", &config("commented", &format!("comment = {text}")));
        workspace.plan_error()
    };
    assert!(refused("format(\"%4097s\", \"x\")").contains("The comment is too long"));
    assert!(refused("\"{\\\"pgtenant\\\":\"").contains("The comment begins as a marker does"));

    // What is written in the configuration is repaired.
    apply("commented", "comment = \"owner: team-new\"");
    server.superuser("COMMENT ON DATABASE commented IS 'mine'");
    let plan = workspace.plan();
    assert_eq!(plan.before(address)["comment"], "mine");
    assert_eq!(plan.changes(address), ["comment", "isolation.registered"]);
    workspace.apply();
    assert_eq!(beside(server, "commented", "commented_reader")[0], "owner: team-new");
    // Taken out of it, it stays.
    apply("commented", "");
    assert_eq!(workspace.resource(address)["comment"], "owner: team-new");
    assert_eq!(beside(server, "commented", "commented_reader")[0], "owner: team-new");

    // What people wrote in the place of a marker from a database of another encoding, and more than is read.
    server
        .superuser("CREATE DATABASE commented_latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    server.sql("commented_latin", SUPERUSER, "COMMENT ON ROLE commented IS 'Größe: 100%'").unwrap();
    let long = format!("owner: \"shop\" \\\n{}", "é".repeat(9000));
    server.superuser(&format!("COMMENT ON DATABASE commented IS '{long}'"));
    workspace.apply();
    assert_enforced(server, &workspace);
    let of_role = "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = 'commented'";
    let of_role = value(server, "commented_latin", of_role);
    assert!(of_role.starts_with("{\"pgtenant\":") && of_role.ends_with("\nGröße: 100%"), "{of_role}");
    server.superuser("DROP DATABASE commented_latin");
    server.superuser("COMMENT ON ROLE commented IS 'it''s a role'");
    let whole = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'commented'";
    assert!(value(server, "postgres", whole).ends_with(&format!("}}\n{long}")), "not all of it");
    let shown = workspace.plan().before(address)["comment"].as_str().unwrap().to_owned();
    assert!(shown.starts_with("owner: \"shop\" \\\né") && shown.ends_with("é (cut)"), "{shown}");

    workspace.apply();

    let written = ["owner: team-shop", "it's a role", "\nit's \"a\" reader\n", "the\nschema"].map(str::to_owned);
    server.superuser(&format!(
        "COMMENT ON DATABASE commented IS '{}'; COMMENT ON ROLE commented_reader IS '{}'",
        written[0],
        written[2].replace('\'', "''")
    ));
    server.sql("commented", SUPERUSER, &format!("COMMENT ON SCHEMA app IS '{}'", written[3])).unwrap();
    let plan = workspace.plan();
    for address in [address, reader] {
        assert!(plan.changes(address).contains(&"isolation.registered".to_owned()), "{:?}", plan.changes(address));
    }
    workspace.apply();
    assert_enforced(server, &workspace);
    assert_eq!(workspace.resource(address)["comment"], "owner: team-shop");
    assert_eq!(beside(server, "commented", "commented_reader"), written);

    apply("renamed", "password_wo = \"T3nant-pw-Zq7-16\"\n  password_wo_version = 1");
    assert_eq!(beside(server, "renamed", "commented_reader"), written);
    apply("renamed", "suspended = true\n  on_destroy = \"archive\"");
    assert_eq!(beside(server, "renamed", "commented_reader"), written);
    workspace.destroy();
    let kept = "SELECT string_agg(substr(c.description, strpos(c.description, chr(10)) + 1), '|' ORDER BY c.description) \
                FROM pg_shdescription c WHERE c.description LIKE '{\"pgtenant\":\"renamed\",\"stage\":\"archived\"%'";
    let kept = value(server, "postgres", kept);
    for text in &written[..2] {
        assert!(kept.contains(text), "{kept}");
    }
}

fn an_import_keeps_what_people_wrote(server: &Server) {
    let workspace = workspace(server);
    for sql in [
        "CREATE ROLE described LOGIN",
        "CREATE DATABASE described",
        "COMMENT ON DATABASE described IS 'owner: team-shop'",
        "COMMENT ON ROLE described IS 'the shop''s'",
    ] {
        server.sql("postgres", ADMIN, sql).unwrap();
    }
    server.sql("described", ADMIN, "CREATE SCHEMA app; COMMENT ON SCHEMA app IS 'tables'").unwrap();
    let import = "import {\n  to = pgtenant_tenant.this\n  id = \"described/described/described/app\"\n}\n";
    workspace.write("main.tf", &format!("{}{import}", tenant("described", "")));
    assert_eq!(workspace.plan().after("pgtenant_tenant.this")["comment"], "owner: team-shop");
    workspace.apply();
    let written = ["owner: team-shop", "the shop's", "the shop's", "tables"].map(str::to_owned);
    assert_eq!(beside(server, "described", "described"), written);
    workspace.destroy();
}

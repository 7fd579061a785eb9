//! Extensions with a schema and a version of their own: installed, moved, updated, kept where they were before, dropped.

use std::fs;

use crate::fixture::{admin_is_superuser, assert_enforced, outcome, tenant, value, workspace};
use crate::support::postgres::{ADMIN, Options, SUPERUSER, Server};
use crate::support::skip;
use crate::support::terraform::Workspace;

const THIS: &str = "pgtenant_tenant.this";

on_every_major! { @column pg13, 13, RdsLike: a_block_says_where_and_which, what_was_there_is_kept_where_it_is }
on_every_major! { @column pg15, 15, RdsLike: what_was_there_is_kept_where_it_is, bad_input_is_refused_where_it_is }
on_every_major! { @column pg16_superuser, 16, Superuser: a_block_says_where_and_which, what_was_there_is_kept_where_it_is }

/// What a database has of extensions beside `plpgsql`, each with its version and its schema.
fn installed(server: &Server, database: &str) -> String {
    let sql =
        "SELECT string_agg(concat_ws(' ', extname, extversion, extnamespace::regnamespace), ', ' ORDER BY extname)
               FROM pg_extension WHERE extname <> 'plpgsql'";
    value(server, database, sql)
}

fn block(name: &str, more: &str) -> String {
    format!("extension {{\n    name = {name:?}\n    {more}\n  }}\n  ")
}

fn pinned(name: &str, schema: &str, version: &str) -> String {
    block(name, &format!("schema = {schema:?}\n    version = {version:?}"))
}

/// The changes of the tenant that a plan has.
fn changes(workspace: &Workspace) -> Vec<String> {
    workspace.plan().changes(THIS)
}

fn a_block_says_where_and_which(server: &Server) {
    let workspace = workspace(server);
    let config = |more: &str| workspace.write("main.tf", &tenant("pinned", more));
    config(&(pinned("hstore", "gis", "1.6") + "extensions = [\"citext\"]"));
    workspace.apply();
    assert_enforced(server, &workspace);
    assert!(installed(server, "pinned").contains("hstore 1.6 gis"), "{}", installed(server, "pinned"));
    let asks = |sql: &str| outcome(server, "pinned", "pinned", sql);
    assert_eq!(asks("SELECT current_schemas(false)"), "{app,extensions,gis}");
    assert_eq!(asks("CREATE TABLE t AS SELECT 'a=>1'::hstore AS h; SELECT h -> 'a' FROM t"), "1");
    assert_eq!(asks("CREATE TABLE gis.t ()"), "42501");
    let owner = "SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'gis'";
    assert_eq!(value(server, "pinned", owner), ADMIN);
    // A further role finds what the tenant finds.
    let role = "resource \"pgtenant_role\" \"reader\" {\n  tenant = pgtenant_tenant.this.name\n  name = \"pinned_reader\"\n  access = \"read\"\n}\n";
    workspace.write("role.tf", role);
    workspace.apply();
    assert_eq!(outcome(server, "pinned", "pinned_reader", "SELECT h -> 'a' FROM t"), "1");
    fs::remove_file(workspace.dir.join("role.tf")).unwrap();

    // What somebody moves, opens or drops is told, and put right. What a superuser's hand made only a superuser moves.
    let moved = "ALTER EXTENSION hstore SET SCHEMA extensions";
    let moves = admin_is_superuser(server).then_some(moved);
    for drift in moves.into_iter().chain(["GRANT CREATE ON SCHEMA gis TO pinned", "DROP EXTENSION hstore CASCADE"]) {
        server.sql("pinned", SUPERUSER, &format!("SET ROLE {ADMIN}; {drift}")).unwrap();
        assert!(!changes(&workspace).is_empty(), "{drift}");
        workspace.apply();
        assert_enforced(server, &workspace);
        assert!(installed(server, "pinned").contains("hstore 1.6 gis"), "{drift}: {}", installed(server, "pinned"));
    }

    // Updated and moved in place: what uses it stays.
    assert_eq!(asks("CREATE TABLE u AS SELECT 'a=>2'::hstore AS h"), "ok");
    config(&(pinned("hstore", "maps", "1.7") + "extensions = [\"citext\"]"));
    let schema = if admin_is_superuser(server) {
        "maps"
    } else {
        assert!(workspace.plan_error().contains("cannot be moved to schema \"maps\""), "{}", workspace.plan_error());
        "gis"
    };
    config(&(pinned("hstore", schema, "1.7") + "extensions = [\"citext\"]"));
    assert_eq!(workspace.plan().actions(THIS), ["update"]);
    workspace.apply();
    assert_enforced(server, &workspace);
    assert!(installed(server, "pinned").contains(&format!("hstore 1.7 {schema}")), "{}", installed(server, "pinned"));
    assert_eq!(asks("SELECT h -> 'a' FROM u"), "2");
    let schemas = "SELECT string_agg(nspname, ',') FROM pg_namespace WHERE nspname IN ('gis', 'maps')";
    assert_eq!(value(server, "pinned", schemas), schema);
    // There is no way back, and the plan says so.
    config(&(pinned("hstore", schema, "1.6") + "extensions = [\"citext\"]"));
    let message = workspace.plan_error().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(message.contains("cannot be updated to version \"1.6\""), "{message}");
    // Which version it has is not the configuration's to say any more.
    config(&(block("hstore", &format!("schema = {schema:?}")) + "extensions = [\"citext\"]"));
    workspace.apply();
    server.sql("pinned", SUPERUSER, &format!("SET ROLE {ADMIN}; ALTER EXTENSION hstore UPDATE")).unwrap();
    assert!(workspace.plan().is_empty(), "{:?}", changes(&workspace));
    workspace.import_fresh(&[(THIS, "pinned")], &[], &["deletion_protection"]);

    // Off the list it is dropped, and its schema with it.
    assert_eq!(asks("DROP TABLE u"), "ok");
    config("extensions = [\"citext\"]");
    workspace.apply();
    assert_enforced(server, &workspace);
    assert!(!installed(server, "pinned").contains("hstore"), "{}", installed(server, "pinned"));
    assert_eq!(value(server, "pinned", schemas), "");
    workspace.destroy();
}

fn what_was_there_is_kept_where_it_is(server: &Server) {
    let workspace = workspace(server);
    for sql in ["CREATE ROLE placed LOGIN", "CREATE DATABASE placed"] {
        server.sql("postgres", ADMIN, sql).unwrap();
    }
    let grown =
        "CREATE SCHEMA app; CREATE SCHEMA gis; GRANT USAGE ON SCHEMA gis TO placed; CREATE EXTENSION hstore SCHEMA gis;
                 CREATE EXTENSION citext SCHEMA public";
    server.sql("placed", ADMIN, grown).unwrap();
    let import = "import {\n  to = pgtenant_tenant.this\n  id = \"placed/placed/placed/app\"\n}\n";
    let before = installed(server, "placed");
    // With the configuration that Terraform writes of it, and with one that says nothing of extensions.
    workspace.write("main.tf", import);
    workspace.run(&["plan", "-generate-config-out=generated.tf"]).ok().unwrap();
    let generated = fs::read_to_string(workspace.dir.join("generated.tf")).unwrap();
    assert!(generated.contains("extension ") && generated.contains("\"gis\""), "{generated}");
    workspace.run(&["plan"]).ok().unwrap();
    fs::remove_file(workspace.dir.join("generated.tf")).unwrap();
    workspace.write("main.tf", &(tenant("placed", "") + import));
    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    assert_eq!(installed(server, "placed"), before);
    assert_eq!(outcome(server, "placed", "placed", "SELECT 'a=>1'::hstore -> 'a'"), "1");
    assert_eq!(outcome(server, "placed", "placed", "SELECT 'A'::citext = 'a'"), "t");
    let told = workspace.resource(THIS)["isolation"]["extensions"].as_str().unwrap().to_owned();
    let version = value(server, "placed", "SELECT extversion FROM pg_extension WHERE extname = 'citext'");
    assert_eq!(told, format!("not permitted: extension citext \"{version}\" is in schema public"));
    // Where it is to be moved from there, that is done by who may.
    workspace.write(
        "main.tf",
        &tenant("placed", &(block("hstore", "schema = \"gis\"") + &block("citext", "schema = \"extensions\""))),
    );
    if admin_is_superuser(server) {
        workspace.apply();
        assert_enforced(server, &workspace);
        assert!(installed(server, "placed").contains("citext 1.6 extensions"), "{}", installed(server, "placed"));
    } else {
        assert!(workspace.plan_error().contains("cannot be moved to schema \"extensions\""));
        workspace.write("main.tf", &tenant("placed", ""));
    }
    workspace.destroy();
}

fn bad_input_is_refused_where_it_is(server: &Server) {
    let workspace = workspace(server);
    let check = |config: &str, attribute: &str, summary: &str| {
        workspace.write("main.tf", &tenant("unfit", config));
        let run = workspace.run(&["plan", "-json"]);
        assert!(!run.status.success(), "{config}\n{}", run.stdout);
        let told = run.diagnostics();
        let is_it = |one: &serde_json::Value| {
            one["severity"] == "error" && one["summary"].as_str().is_some_and(|text| text.contains(summary))
        };
        let it = told.iter().find(|one| is_it(one)).unwrap_or_else(|| panic!("{summary:?} is not in {told:#?}"));
        let code = it["snippet"]["code"].as_str().unwrap_or_default();
        // Terraform shows an attribute that is written as blocks by the resource that it is in.
        let shown = if config.contains("extension {") && attribute == "extension" { "resource" } else { attribute };
        assert!(code.trim_start().starts_with(shown), "{config}: {code:?}");
    };
    let twice = block("hstore", "") + &block("hstore", "schema = \"gis\"");
    check(&twice, "extension", "Extension \"hstore\" is declared twice");
    check(&(block("hstore", "") + "extensions = [\"hstore\"]"), "extension", "Extension \"hstore\" is declared twice");
    check("extension {\n    schema = \"gis\"\n  }", "extension", "Invalid value");
    let written = "extension = [{ name = \"hstore\", schema = \"pg_toast\", version = null }]";
    check(written, "extension", "No extension can be in schema \"pg_toast\"");
    check(&block("", ""), "extension", "Not a name that PostgreSQL keeps");
    check(&block("hstore", "schema = \"pg_toast\""), "extension", "No extension can be in schema \"pg_toast\"");
    check(&block("hstore", "version = \"1--2\""), "extension", "is no version of an extension");
    check(&block("hstore", "version = \"0.7\""), "extension", "Extension \"hstore\" has no version \"0.7\"");
    check(&block("hstore", "schema = \"pg_catalog\""), "extension", "cannot be in schema \"pg_catalog\"");
    for schema in ["app", "jobs", "public"] {
        let config = block("hstore", &format!("schema = {schema:?}")) + "schemas = [\"jobs\"]";
        check(&config, "extension", "would be where the tenant plants objects");
    }
    check("extensions = [\"vector_of_nobody\"]", "extensions", "Extension \"vector_of_nobody\" is not available");
    check(&block("vector_of_nobody", ""), "extension", "Extension \"vector_of_nobody\" is not available");
    check(&block("earthdistance", ""), "extension", "Extension \"earthdistance\" needs \"cube\"");
    assert_eq!(value(server, "postgres", "SELECT count(*) FROM pg_database WHERE datname = 'unfit'"), "0");

    // What is not known yet is no error, and is known when it is applied.
    workspace.write(
        "main.tf",
        &("resource \"terraform_data\" \"later\" {\n  input = \"gis\"\n}\n".to_owned()
            + &tenant(
                "unfit",
                "dynamic \"extension\" {\n    for_each = toset([\"hstore\"])\n    content {\n      name = extension.key\n      schema = terraform_data.later.output\n    }\n  }",
            )),
    );
    workspace.apply();
    assert!(installed(server, "unfit").ends_with(" gis"), "{}", installed(server, "unfit"));
    // An admin to whom no service gives more than its attributes installs trusted extensions only.
    server.superuser("CREATE ROLE unfit_admin LOGIN CREATEDB CREATEROLE");
    let mut plain = crate::fixture::workspace(server);
    plain.envs([("PGUSER", "unfit_admin"), ("PGHOST", server.dir.to_str().unwrap())]);
    plain.write("main.tf", &tenant("unfit_plain", "extensions = [\"file_fdw\"]"));
    let message = plain.plan_error();
    assert!(message.contains("Extension \"file_fdw\" takes a superuser"), "{message}");
    server.superuser("DROP ROLE unfit_admin");
    workspace.destroy();
}

/// Extensions that only this server has: as `name`, what its control file says beside, and its scripts as `version` or `from--to`.
fn stand_ins(server: &Server, all: &[(&str, &str, &[&str])]) {
    let dir = server.dir.join("share");
    fs::create_dir_all(dir.join("extension")).unwrap();
    for (name, control, scripts) in all {
        let file = |end: &str| dir.join("extension").join(format!("{name}{end}"));
        fs::write(file(".control"), format!("default_version = '1.0'\ntrusted = true\n{control}\n")).unwrap();
        for script in *scripts {
            let version = script.rsplit("--").next().unwrap();
            let sql =
                format!("CREATE OR REPLACE FUNCTION {name}_v() RETURNS text LANGUAGE sql AS 'SELECT ''{version}''';");
            fs::write(file(&format!("--{script}.sql")), sql).unwrap();
        }
    }
    server.superuser(&format!("ALTER SYSTEM SET extension_control_path = '$system:{}'", dir.display()));
    server.reload();
}

#[test]
fn extensions_are_made_in_order_and_where_their_control_files_say() {
    let server = match Server::start(Options { major: Some(18), ..Options::default() }) {
        Ok(server) => server,
        Err(reason) => {
            return skip("extension::extensions_are_made_in_order_and_where_their_control_files_say", &reason);
        }
    };
    stand_ins(
        &server,
        &[
            ("geo", "relocatable = true\nsuperuser = false", &["1.0", "1.1", "1.0--1.1", "1.1--1.0", "2.0"]),
            ("arouting", "relocatable = true\nrequires = 'geo'", &["1.0"]),
            ("fixed", "relocatable = false\nschema = 'topology'", &["1.0"]),
            ("system", "relocatable = false\nschema = 'pg_catalog'", &["1.0"]),
            ("stays", "relocatable = false", &["1.0"]),
        ],
    );
    let workspace = workspace(&server);
    let config = |more: &str| workspace.write("main.tf", &tenant("ordered", more));
    // In the order of what they require, whichever attribute has them; where only one schema will do, that one.
    config(
        &("extensions = [\"arouting\", \"system\"]\n  ".to_owned()
            + &pinned("geo", "gis", "1.0")
            + &block("fixed", "")
            + &block("stays", "schema = \"gis\"")),
    );
    workspace.apply();
    assert_enforced(&server, &workspace);
    let expected = "arouting 1.0 extensions, fixed 1.0 topology, geo 1.0 gis, stays 1.0 gis, system 1.0 pg_catalog";
    assert_eq!(installed(&server, "ordered"), expected);
    let asks = |sql: &str| outcome(&server, "ordered", "ordered", sql);
    assert_eq!(asks("SELECT current_schemas(false)"), "{app,extensions,gis,topology}");
    for function in ["arouting_v", "fixed_v", "geo_v", "system_v"] {
        assert_eq!(asks(&format!("SELECT {function}()")), "1.0", "{function}");
    }
    // Versions that there is no way to, and schemas that will not do, are refused while planning.
    for (more, summary) in [
        (pinned("geo", "gis", "2.0"), "Extension \"geo\" cannot be updated to version \"2.0\""),
        (block("fixed", "schema = \"gis\""), "Extension \"fixed\" cannot be in schema \"gis\""),
        (block("stays", "schema = \"maps\""), "Extension \"stays\" cannot be moved to schema \"maps\""),
    ] {
        config(&more);
        let message = workspace.plan_error().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(message.contains(summary), "{summary:?} is not in {message}");
    }
    // What took no superuser to install is moved, and updated, in one step.
    config(&("extensions = [\"arouting\"]\n  ".to_owned() + &pinned("geo", "maps", "1.1")));
    workspace.apply();
    assert_enforced(&server, &workspace);
    assert_eq!(installed(&server, "ordered"), "arouting 1.0 extensions, geo 1.1 maps");
    for drift in ["ALTER EXTENSION geo SET SCHEMA extensions", "ALTER EXTENSION geo UPDATE TO '1.0'"] {
        server.sql("ordered", ADMIN, drift).unwrap();
        let changed = changes(&workspace);
        assert!(changed.contains(&"isolation.extensions".to_owned()), "{changed:?}");
        workspace.apply();
        assert_eq!(installed(&server, "ordered"), "arouting 1.0 extensions, geo 1.1 maps");
    }
    assert_eq!(asks("SELECT geo_v()"), "1.1");
    assert_eq!(value(&server, "ordered", "SELECT count(*) FROM pg_namespace WHERE nspname = 'topology'"), "0");
    // What requires another goes before it.
    config("");
    workspace.apply();
    assert_eq!(installed(&server, "ordered"), "");
    assert_enforced(&server, &workspace);

    // No script runs among what a tenant planted while it might create there.
    config("schemas = [\"gis\"]");
    workspace.apply();
    assert_eq!(asks("CREATE FUNCTION gis.trap() RETURNS int LANGUAGE sql AS 'SELECT 1'"), "ok");
    config(&block("geo", "schema = \"gis\""));
    assert!(workspace.plan_error().contains("would be where the tenant plants objects"));
    config("");
    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    config(&block("geo", "schema = \"gis\""));
    let applied = workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    assert!(applied.stdout.contains("lacks extensions"), "{applied:?}");
    assert_eq!(installed(&server, "ordered"), "");
    workspace.destroy();
}

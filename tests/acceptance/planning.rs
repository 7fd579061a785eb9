//! What a plan refuses, and what it does not: nothing is dropped before what follows is known to be possible, and nothing that is
//! not made yet keeps what is from being destroyed.

use crate::fixture::{
    admin_is_superuser, assert_all_enforced, assert_enforced, closes_public, guardrails, outcome, tenant, value,
    workspace,
};
use crate::support::postgres::{ADMIN, SUPERUSER, Server};
use crate::support::terraform::Run;

pub const THIS: &str = "pgtenant_tenant.this";
const GUARDRAILS: &str = "pgtenant_guardrails.this";

on_every_major! {
    what_create_database_refuses_is_refused_while_planning,
    what_create_extension_refuses_is_refused_while_planning,
    roles_that_cannot_be_granted_are_told,
    a_replacement_that_cannot_follow_drops_nothing,
    parameters_that_no_module_knows_take_a_grant,
    a_schema_that_the_admin_cannot_govern_is_told_while_planning,
}

fn count(server: &Server, name: &str) -> String {
    let sql = format!(
        "SELECT (SELECT count(*) FROM pg_database WHERE datname = '{name}')
              + (SELECT count(*) FROM pg_roles WHERE rolname = '{name}')"
    );
    value(server, "postgres", &sql)
}

/// The summary and the attribute of each diagnostic of a run with `-json`.
pub fn told(run: &Run) -> Vec<(String, String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    run.diagnostics()
        .iter()
        .map(|found| {
            let context = text(&found["snippet"]["code"]);
            let attribute = context.split('=').next().unwrap_or_default().trim().to_owned();
            (text(&found["severity"]), text(&found["summary"]), attribute)
        })
        .collect()
}

/// What PostgreSQL says to a database like this, asked without the provider.
fn creates(server: &Server, clauses: &str) -> bool {
    let made = server.sql("postgres", ADMIN, &format!("CREATE DATABASE judged TEMPLATE template0 {clauses}"));
    if made.is_ok() {
        server.superuser("DROP DATABASE judged");
    }
    made.is_ok()
}

/// The plan holds for bad what the server holds for bad, and for good what it holds for good.
fn what_create_database_refuses_is_refused_while_planning(server: &Server) {
    let workspace = workspace(server);
    let mut cases = vec![
        ("encoding = \"LATIN1\"", "ENCODING 'LATIN1'"),
        ("encoding = \"SQL_ASCII\"", "ENCODING 'SQL_ASCII'"),
        (
            "encoding = \"EUC_JP\"\n  lc_collate = \"C\"\n  lc_ctype = \"POSIX\"",
            "ENCODING 'EUC_JP' LC_COLLATE 'C' LC_CTYPE 'POSIX'",
        ),
        ("encoding = \"utf-8\"\n  lc_collate = \"C.utf8\"", "ENCODING 'utf-8' LC_COLLATE 'C.utf8'"),
        ("lc_collate = \"xx_YY\"", "LC_COLLATE 'xx_YY'"),
        ("lc_ctype = \"C.ISO-8859-1\"", "LC_CTYPE 'C.ISO-8859-1'"),
        ("locale_provider = \"libc\"", "LOCALE_PROVIDER libc"),
        ("locale_provider = \"icu\"", "LOCALE_PROVIDER icu"),
        ("locale_provider = \"icu\"\n  locale = \"de\"", "LOCALE_PROVIDER icu ICU_LOCALE 'de'"),
        (
            "encoding = \"LATIN10\"\n  locale_provider = \"icu\"\n  locale = \"de\"\n  lc_collate = \"C\"\n  lc_ctype = \"C\"",
            "ENCODING 'LATIN10' LOCALE_PROVIDER icu ICU_LOCALE 'de' LC_COLLATE 'C' LC_CTYPE 'C'",
        ),
        ("locale_provider = \"builtin\"", "LOCALE_PROVIDER builtin"),
    ];
    for locale in ["C", "C.UTF-8", "C.UTF8", "PG_UNICODE_FAST", "de"] {
        for encoding in ["UTF8", "LATIN2"] {
            let config = format!(
                "encoding = {encoding:?}\n  locale_provider = \"builtin\"\n  locale = {locale:?}\n  lc_collate = \"C\"\n  lc_ctype = \"C\""
            );
            let clauses = format!(
                "ENCODING {encoding} LOCALE_PROVIDER builtin BUILTIN_LOCALE '{locale}' LC_COLLATE 'C' LC_CTYPE 'C'"
            );
            cases.push((config.leak(), clauses.leak()));
        }
    }
    for (config, clauses) in cases {
        workspace.write("main.tf", &tenant("judged", config));
        let plan = workspace.run(&["plan"]);
        assert_eq!(plan.status.success(), creates(server, clauses), "{config}:\n{}\n{}", clauses, plan.message());
    }
}

fn what_create_extension_refuses_is_refused_while_planning(server: &Server) {
    let workspace = workspace(server);
    let plan = |extensions: &str| {
        workspace.write("main.tf", &tenant("planned_extensions", &format!("extensions = {extensions}")));
        told(&workspace.run(&["plan", "-json"]))
    };
    let said = |severity: &str, summary: &str| vec![(severity.to_owned(), summary.to_owned(), "extensions".to_owned())];
    assert_eq!(plan("[\"vector_of_nobody\"]"), said("error", "Extension \"vector_of_nobody\" is not available"));
    let needs = &said("error", "Extension \"earthdistance\" needs \"cube\"")[0];
    assert!(plan("[\"earthdistance\"]").contains(needs));
    assert!(!plan("[\"earthdistance\", \"cube\"]").contains(needs));
    assert_eq!(plan("[\"cube\", \"pgcrypto\"]"), []);
    let untrusted = if admin_is_superuser(server) {
        Vec::new()
    } else {
        said("warning", "Extension \"file_fdw\" takes a superuser")
    };
    assert_eq!(plan("[\"file_fdw\"]"), untrusted);
}

fn roles_that_cannot_be_granted_are_told(server: &Server) {
    server.superuser("CREATE ROLE planned_group; CREATE ROLE planned_boss SUPERUSER");
    let workspace = workspace(server);
    let plan = |role: &str| {
        workspace.write("main.tf", &tenant("planned_roles", &format!("member_of = [{role:?}]")));
        told(&workspace.run(&["plan", "-json"]))
    };
    let said = |summary: &str| vec![("warning".to_owned(), summary.to_owned(), "member_of".to_owned())];
    assert_eq!(plan("planned_nobody"), said("There is no role \"planned_nobody\""));
    let refused = workspace.apply_error();
    assert!(refused.contains("There is no role \"planned_nobody\""), "{refused}");
    assert_eq!(count(server, "planned_roles"), "0");
    let grants = |role: &str| {
        let made =
            server.sql("postgres", ADMIN, &format!("CREATE ROLE planned_member; GRANT {role} TO planned_member"));
        if made.is_ok() {
            server.superuser("DROP ROLE planned_member");
        }
        made.is_ok()
    };
    for role in ["planned_group", "planned_boss", "pg_monitor", "pg_read_all_data"] {
        if role == "pg_read_all_data" && server.major < 14 {
            continue;
        }
        let mut expected = Vec::new();
        if role.starts_with("pg_") {
            expected.extend(said(&format!("Role {role:?} reaches beyond the tenant")));
        }
        if !grants(role) {
            expected.extend(said(&format!("This admin may not grant role {role:?}")));
        }
        assert_eq!(plan(role), expected, "{role}");
    }
    workspace.write("main.tf", &tenant("planned_roles", "member_of = [\"planned_roles\"]"));
    assert!(workspace.plan_error().contains("is the one itself"));
}

fn a_replacement_that_cannot_follow_drops_nothing(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("precious", ""));
    workspace.apply();
    server.sql("precious", "precious", "CREATE TABLE kept AS SELECT 7 AS n").unwrap();
    for more in [
        "encoding = \"UTF9\"",
        "encoding = \"GBK\"",
        "encoding = \"LATIN1\"",
        "lc_collate = \"xx_YY\"",
        "lc_collate = \"C\"\n  extensions = [\"vector_of_nobody\"]",
        "lc_collate = \"C\"\n  member_of = [\"nobody_at_all\"]",
        "lc_collate = \"C\"\n  database = \"postgres\"",
        "lc_collate = \"C\"\n  role = \"platform_admin\"",
        "lc_collate = \"C\"\n  role = \"rdsadmin\"",
    ] {
        workspace.write("main.tf", &tenant("precious", more));
        workspace.apply_error();
        assert_eq!(value(server, "precious", "SELECT n FROM app.kept"), "7", "{more}");
    }
    workspace.write("main.tf", &tenant("precious", "extensions = [\"vector_of_nobody\"]"));
    let refused = workspace.run(&["apply", "-auto-approve", "-replace", THIS]);
    assert!(!refused.status.success());
    assert_eq!(value(server, "precious", "SELECT n FROM app.kept"), "7");
}

fn parameters_that_no_module_knows_take_a_grant(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &(tenant("labelled", "") + &guardrails("parameters = { \"app.planned_id\" = \"42\" }")));
    server.superuser("CREATE ROLE labelled_by_hand");
    server.superuser("GRANT labelled_by_hand TO platform_admin WITH ADMIN OPTION");
    let by_hand = server.sql("postgres", ADMIN, "ALTER ROLE labelled_by_hand SET \"app.planned_id\" = 42");
    server.superuser("DROP ROLE labelled_by_hand");
    let plan = workspace.run(&["plan"]);
    assert_eq!(plan.status.success(), by_hand.is_ok(), "{by_hand:?} {}", plan.message());
    if by_hand.is_err() {
        assert!(plan.message().contains("This admin may not set parameter \"app.planned_id\""), "{}", plan.message());
    }
    if server.major >= 15 {
        server.superuser("GRANT SET ON PARAMETER app.planned_id TO platform_admin");
        workspace.apply();
        workspace.destroy();
        server.superuser("REVOKE SET ON PARAMETER app.planned_id FROM platform_admin");
    }
}

/// A tenant and its guardrails, replaced in every way there is: the guardrails hold after that apply.
/// Up to 14 a superuser owns `public` in each new database.
fn a_schema_that_the_admin_cannot_govern_is_told_while_planning(server: &Server) {
    let workspace = workspace(server);
    let config = |more: &str| tenant("in_public", &format!("schema = \"public\"\n  {more}"));
    workspace.write("main.tf", &config(""));
    let found = told(&workspace.run(&["plan", "-json"]).ok().unwrap());
    let expected = ["warning", "This admin cannot govern the schema \"public\"", "schema"].map(str::to_owned);
    assert_eq!(found.contains(&expected.into()), !closes_public(server), "{found:?}");
    if !closes_public(server) {
        // It works all the same, what is not as it should be is said, and may be accepted.
        workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
        let not_permitted = ["isolation.registered", "isolation.schema_privileges"];
        assert_eq!(workspace.plan().changes(THIS), not_permitted);
        assert_eq!(outcome(server, "in_public", "in_public", "CREATE TABLE t AS SELECT 42 AS answer"), "ok");
        let accepted = "accept = { registered = \"a superuser's\", schema_privileges = \"a superuser's\" }";
        workspace.write("main.tf", &config(accepted));
        workspace.apply();
        workspace.write("main.tf", &config(""));
        // What helps is what the warning says.
        let helps = format!("ALTER SCHEMA public OWNER TO {ADMIN}");
        server.sql("in_public", SUPERUSER, &helps).unwrap();
    }
    workspace.apply();
    assert_all_enforced(&workspace);
    workspace.destroy();
}

#[test]
fn guardrails_hold_after_a_replacement() {
    let server = Server::shared();
    let workspace = workspace(server);
    let limits = || value(server, "postgres", "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'renewed'");
    let config =
        |more: &str| tenant("renewed", more) + &guardrails("connection_limit = 3\n  statement_timeout = \"5s\"");
    workspace.write("main.tf", &config(""));
    workspace.apply();
    let oid = || value(server, "postgres", "SELECT oid FROM pg_database WHERE datname = 'renewed'");
    let mut before = oid();
    let mut demand = |how: &str| {
        assert_ne!(oid(), before, "{how}: not replaced");
        before = oid();
        assert_eq!(limits(), "3", "{how}");
        workspace.assert_empty_plan();
    };
    workspace.run(&["apply", "-auto-approve", "-replace", THIS]).ok().unwrap();
    demand("-replace");
    workspace.run(&["taint", THIS]).ok().unwrap();
    workspace.apply();
    demand("taint");
    workspace.write("main.tf", &config("lc_collate = \"C\""));
    let plan = workspace.plan();
    assert_eq!(
        (plan.actions(THIS), plan.actions(GUARDRAILS)),
        (vec!["delete".into(), "create".into()], vec!["update".into()])
    );
    workspace.run(&["apply", "planned"]).ok().unwrap();
    demand("another locale");
    workspace.run(&["apply", "-auto-approve", "-replace", THIS, "-replace", GUARDRAILS]).ok().unwrap();
    demand("-replace of both");
    // Gone behind Terraform's back.
    server.superuser("DROP DATABASE renewed");
    server.superuser("DROP ROLE renewed");
    workspace.apply();
    demand("dropped by hand");
    workspace.destroy();
}

/// The old guardrails go when the new ones are set, and leave those.
#[test]
fn guardrails_that_are_made_anew_before_the_old_ones_go_hold() {
    let server = Server::shared();
    let workspace = workspace(server);
    let more = "connection_limit = 3\n  lifecycle { create_before_destroy = true }";
    workspace.write("main.tf", &(tenant("relaid", "") + &guardrails(more)));
    workspace.apply();
    workspace.run(&["apply", "-auto-approve", "-replace", GUARDRAILS]).ok().unwrap();
    assert_eq!(value(server, "postgres", "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'relaid'"), "3");
    workspace.assert_empty_plan();
    workspace.destroy();
}

/// Terraform makes the new one first, which cannot be: it is told, and the old one stays in the state.
#[test]
fn create_before_destroy_strands_nothing() {
    let server = Server::shared();
    let workspace = workspace(server);
    let config = |more: &str| tenant("first_come", &format!("lifecycle {{ create_before_destroy = true }}\n  {more}"));
    workspace.write("main.tf", &config(""));
    workspace.apply();
    server.sql("first_come", "first_come", "CREATE TABLE kept AS SELECT 7 AS n").unwrap();
    workspace.write("main.tf", &config("lc_collate = \"C\""));
    let refused = workspace.apply_error();
    assert!(refused.contains("There is a tenant \"first_come\" already"), "{refused}");
    assert!(refused.contains("remove `create_before_destroy`"), "{refused}");
    assert!(!workspace.state_file().contains("deposed"), "{}", workspace.state_file());
    workspace.write("main.tf", &config(""));
    workspace.assert_empty_plan();
    assert_eq!(value(server, "first_come", "SELECT n FROM app.kept"), "7");
    // Under other names there is room for both.
    let other = "name = \"second_come\"";
    workspace.write("main.tf", &config("lc_collate = \"C\"").replace("name = \"first_come\"", other));
    workspace.apply();
    assert_eq!((count(server, "first_come"), count(server, "second_come")), ("0".to_owned(), "2".to_owned()));
    workspace.destroy();
}

/// Terraform plans the whole configuration before it destroys: what is not made yet keeps nothing.
#[test]
fn what_is_not_made_yet_keeps_nothing_from_being_destroyed() {
    let server = Server::shared();
    server.superuser("CREATE DATABASE foreign_database");
    server.superuser("CREATE ROLE foreign_role");
    let workspace = workspace(server);
    let more = |name: &str, more: &str| tenant(name, more).replace("\"this\"", &format!("{name:?}"));
    workspace.write("main.tf", &tenant("destroyed", ""));
    workspace.apply();
    let unmade = [
        more("foreign_database", ""),
        more("unmade_role", "role = \"foreign_role\""),
        more("unmade_member", "member_of = [\"nobody_yet\"]"),
    ];
    workspace.write("main.tf", &(tenant("destroyed", "") + &unmade.concat()));
    let told = told(&workspace.run(&["plan", "-json"]));
    let mut summaries: Vec<_> = told.iter().map(|(severity, summary, _)| format!("{severity}: {summary}")).collect();
    summaries.sort();
    assert_eq!(
        summaries,
        [
            "warning: There is a database \"foreign_database\" already",
            "warning: There is a role \"foreign_role\" already",
            "warning: There is no role \"nobody_yet\"",
        ]
    );
    let refused = workspace.apply_error();
    assert!(refused.contains("foreign_role") && refused.contains("nobody_yet"), "{refused}");
    assert_eq!((count(server, "unmade_role"), count(server, "unmade_member")), ("0".to_owned(), "0".to_owned()));
    workspace.destroy();
    assert_eq!(count(server, "destroyed"), "0");
    server.superuser("DROP DATABASE foreign_database");
    server.superuser("DROP ROLE foreign_role");
}

#[test]
fn two_of_one_name_are_refused_while_planning() {
    let server = Server::shared();
    let workspace = workspace(server);
    let check = |config: &str, summary: &str| {
        workspace.write("main.tf", config);
        let message = workspace.plan_error();
        assert!(message.contains(summary), "{summary:?} is not in:\n{message}\n{config}");
    };
    let resource = |label: &str, name: &str, more: &str| tenant(name, more).replace("\"this\"", &format!("{label:?}"));
    let two = |one: &str, other: &str| resource("a", "twin_a", one) + &resource("b", "twin_b", other);
    check(&(resource("a", "twin", "") + &resource("b", "twin", "")), "Two tenants have the name \"twin\"");
    check(&two("role = \"shared\"", "role = \"shared\""), "Two tenants have the role \"shared\"");
    check(&two("database = \"shared\"", "database = \"shared\""), "Two tenants have the database \"shared\"");
    check(&two("", "database = \"twin_a\""), "Two tenants have the database \"twin_a\"");
    let two_of = |resource: &str| ["a", "b"].map(|label| format!("resource \"{resource}\" {label:?} {{}}\n")).concat();
    check(&two_of("pgtenant_cluster_baseline"), "Two `pgtenant_cluster_baseline` for one server");
    let instances = "resource \"pgtenant_tenant\" \"each\" {
  for_each = { one = \"twin\", two = \"twin\" }
  name     = each.value
}
";
    check(instances, "Two tenants have the name \"twin\"");
    let guardrails = |label: &str| {
        guardrails("").replace("\"pgtenant_guardrails\" \"this\"", &format!("\"pgtenant_guardrails\" {label:?}"))
    };
    let governed = tenant("twin", "");
    check(&(governed.clone() + &guardrails("a") + &guardrails("b")), "Tenant \"twin\" has two guardrails");
    // One that is there and one that is new; and what a replacement plans twice is no second.
    workspace.write("main.tf", &(governed.clone() + &guardrails("a")));
    workspace.apply();
    workspace.run(&["plan", "-replace", THIS, "-replace", "pgtenant_guardrails.a"]).ok().unwrap();
    check(&(governed.clone() + &guardrails("a") + &guardrails("b")), "Tenant \"twin\" has two guardrails");
    check(&(governed.clone() + &resource("b", "twin", "")), "Two tenants have the name \"twin\"");
    // Names may change hands.
    workspace.write("main.tf", &governed);
    workspace.destroy();
}

#[test]
fn a_password_has_a_version_and_a_replacement_a_new_one() {
    let server = Server::shared();
    let workspace = workspace(server);
    let config = |more: &str| tenant("versioned", more);
    let refused = |more: &str, words: &str| {
        workspace.write("main.tf", &config(more));
        let message = workspace.plan_error();
        assert!(message.contains(words), "{words:?} is not in:\n{message}");
    };
    let with = |version: u32| format!("password_wo = \"s3cret\"\n  password_wo_version = {version}");
    refused("password_wo = \"s3cret\"", "`password_wo` without `password_wo_version`");
    refused("password_wo_version = 1", "`password_wo_version` without `password_wo`");
    workspace.write("main.tf", &config(&with(1)));
    workspace.apply();
    // The version that is on record may stand alone.
    workspace.write("main.tf", &config("password_wo_version = 1"));
    workspace.assert_empty_plan();
    refused("password_wo_version = 2", "`password_wo_version` without `password_wo`");
    const NEW: &str = "A replacement needs a new `password_wo_version`";
    refused(&format!("{}\n  lc_collate = \"C\"", with(1)), NEW);
    refused("password_wo_version = 1\n  lc_collate = \"C\"", NEW);
    workspace.write("main.tf", &config(&with(1)));
    let replaced = workspace.run(&["plan", "-replace", THIS]);
    assert!(!replaced.status.success() && replaced.message().contains(NEW), "{replaced:?}");
    workspace.run(&["taint", THIS]).ok().unwrap();
    assert!(workspace.plan_error().contains(NEW));
    workspace.write("main.tf", &config(&with(2)));
    workspace.apply();
    server.session_with_password("versioned", "versioned", "s3cret").unwrap();
    workspace.write("main.tf", &config(&format!("{}\n  lc_collate = \"C\"", with(3))));
    workspace.apply();
    workspace.destroy();
}

#[test]
fn an_imported_tenant_with_a_generated_configuration_has_nothing_to_change() {
    let server = Server::shared();
    let workspace = workspace(server);
    workspace.write(
        "main.tf",
        &tenant("generated", "password_wo = \"s3cret\"\n  password_wo_version = 4\n  extensions = [\"citext\"]"),
    );
    workspace.apply();
    let fresh = crate::fixture::workspace(server);
    fresh.write("main.tf", "import {\n  to = pgtenant_tenant.this\n  id = \"generated\"\n}\n");
    fresh.run(&["plan", "-generate-config-out=generated.tf"]).ok().unwrap();
    let plan = fresh.plan();
    assert!(plan.is_empty(), "{:?}", plan.changes(THIS));
    fresh.run(&["apply", "-auto-approve"]).ok().unwrap();
    server.session_with_password("generated", "generated", "s3cret").unwrap();
    workspace.destroy();
}

#[test]
fn what_is_the_providers_own_is_no_tenants() {
    let server = Server::shared();
    server.superuser("CREATE ROLE own_boss SUPERUSER; CREATE ROLE own_role");
    server.superuser("CREATE DATABASE own_database");
    server.superuser("CREATE ROLE own_pair");
    server.superuser("CREATE DATABASE own_one OWNER own_pair");
    server.superuser("CREATE DATABASE own_two OWNER own_pair");
    let workspace = workspace(server);
    for (more, words) in [
        ("database = \"own_database\"", "Database \"own_database\" is no tenant's"),
        ("role = \"platform_admin\"", "Role \"platform_admin\" is no tenant's"),
    ] {
        let provider = "provider \"pgtenant\" {\n  database = \"own_database\"\n}\n";
        workspace.write("main.tf", &(provider.to_owned() + &tenant("own", more)));
        let message = workspace.plan_error();
        assert!(message.contains(words), "{words:?} is not in:\n{message}");
    }
    workspace.write("main.tf", &tenant("own", ""));
    for (id, words) in [
        ("own/postgres/own_role/app", "The name \"postgres\" is reserved"),
        ("own/own_database/pg_monitor/app", "The name \"pg_monitor\" is reserved"),
        ("own/own_database/own_role/pg_catalog", "The name \"pg_catalog\" is reserved"),
        ("own/own_database/platform_admin/app", "Role \"platform_admin\" is no tenant's"),
        ("own/own_database/own_boss/app", "It is a superuser"),
        ("own/own_database/own_role/app", "It belongs to role rdsadmin, for whom this admin may not act"),
        ("own/own_two/own_pair/app", "Role \"own_pair\" owns other databases"),
        ("own/nowhere/nobody/app", "There is neither a database \"nowhere\" nor a role \"nobody\""),
    ] {
        let refused = workspace.run(&["import", THIS, id]);
        assert!(!refused.status.success(), "{id}");
        assert!(refused.message().contains(words), "{words:?} is not in:\n{}", refused.message());
    }
    server.superuser("DROP ROLE own_boss, own_role");
    for database in ["own_database", "own_one", "own_two"] {
        server.superuser(&format!("DROP DATABASE {database}"));
    }
    server.superuser("DROP ROLE own_pair");
}

#[test]
fn an_admin_that_cannot_make_tenants_is_told() {
    let server = Server::shared();
    let mut env = server.env();
    env.extend(server.another_admin("weak_admin"));
    let mut workspace = workspace(server);
    workspace.envs(env);
    workspace.write("main.tf", &tenant("weak", ""));
    workspace.apply();
    for attribute in ["CREATEDB", "CREATEROLE"] {
        server.superuser(&format!("ALTER ROLE weak_admin NO{attribute}"));
        let summary = format!("The admin role lacks {attribute}");
        workspace.write("main.tf", &(tenant("weak", "") + &tenant("weaker", "").replace("\"this\"", "\"weaker\"")));
        let told = told(&workspace.run(&["plan", "-json"]));
        assert!(told.iter().any(|(severity, found, _)| severity == "warning" && *found == summary), "{told:?}");
        assert!(workspace.apply_error().contains(&summary));
        assert_eq!(count(server, "weaker"), "0");
        // What is there is not dropped for what cannot follow.
        workspace.write("main.tf", &tenant("weak", "lc_collate = \"C\""));
        assert!(workspace.plan_error().contains(&summary));
        server.superuser(&format!("ALTER ROLE weak_admin {attribute}"));
    }
    workspace.write("main.tf", &tenant("weak", ""));
    workspace.destroy();
}

/// A server that is made in the same apply is asked before anything is made on it.
#[test]
fn what_is_not_known_while_planning_is_refused_before_anything_is_made() {
    let server = Server::shared();
    let workspace = workspace(server);
    let config = |more: &str| {
        let host = format!(
            "resource \"terraform_data\" \"host\" {{ input = {{ host = {:?}, list = [\"vector_of_nobody\"] }} }}\n",
            server.host
        );
        host + "provider \"pgtenant\" { host = terraform_data.host.output.host }\n" + &tenant("belated", more)
    };
    for (more, summary) in [
        ("encoding = \"LATIN1\"", "does not go with encoding LATIN1"),
        ("extensions = [\"vector_of_nobody\"]", "Extension \"vector_of_nobody\" is not available"),
        ("extensions = terraform_data.host.output.list", "Extension \"vector_of_nobody\" is not available"),
        ("member_of = [\"nobody_at_all\"]", "There is no role \"nobody_at_all\""),
    ] {
        workspace.write("main.tf", &config(more));
        workspace.plan();
        let message = workspace.apply_error();
        assert!(message.contains(summary), "{summary:?} is not in:\n{message}");
        assert_eq!(count(server, "belated"), "0");
        // Bad input has to be mended, or not to be planned, before all is destroyed.
        workspace.run(&["destroy", "-auto-approve", "-refresh=false"]).ok().unwrap();
    }
}

/// The hint leads to an import that works, whichever half is there.
#[test]
fn a_hint_to_import_leads_somewhere() {
    let server = Server::shared();
    let workspace = workspace(server);
    for made in ["CREATE DATABASE hinted", "CREATE ROLE hinted_app"] {
        server.sql("postgres", ADMIN, made).unwrap();
        workspace.write("main.tf", &tenant("hinted", "role = \"hinted_app\""));
        let hint = workspace.apply_error();
        assert!(hint.contains("id = \"hinted/hinted/hinted_app/app\""), "{hint}");
        workspace.run(&["import", THIS, "hinted/hinted/hinted_app/app"]).ok().unwrap();
        workspace.apply();
        assert_enforced(server, &workspace);
        // By its marker it is found under no other name.
        let other = crate::fixture::workspace(server);
        other.write("main.tf", &tenant("hinted", ""));
        let wrong = other.run(&["import", THIS, "hinted/postgres2/hinted_app/app"]);
        assert!(wrong.message().contains("Tenant \"hinted\" has another database"), "{}", wrong.message());
        workspace.destroy();
    }
}

/// A copy has what its template has, and is governed like every tenant; what cannot be copied is refused before.
#[test]
fn a_tenant_is_copied_from_a_template() {
    let server = Server::shared();
    server.sql("postgres", ADMIN, "CREATE DATABASE golden TEMPLATE template0").unwrap();
    let golden =
        "CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions; CREATE SCHEMA app; CREATE SCHEMA jobs;
                  CREATE FUNCTION app.answer() RETURNS int LANGUAGE sql AS 'SELECT 42';
                  CREATE TABLE app.plans AS SELECT 'free' AS name";
    server.sql("golden", ADMIN, golden).unwrap();
    server.superuser("CREATE DATABASE golden_of_others TEMPLATE template0");
    let workspace = workspace(server);
    for (more, severity, summary) in [
        ("template = \"golden_nowhere\"", "warning", "There is no database \"golden_nowhere\" to copy"),
        ("template = \"golden_of_others\"", "warning", "This admin may not copy database \"golden_of_others\""),
        (
            "template = \"golden\"\n  encoding = \"LATIN1\"",
            "error",
            "The template does not have `encoding = \"LATIN1\"`",
        ),
        ("template = \"golden\"", "warning", "Template \"golden\" brings extension \"citext\" along"),
        ("template = \"golden\"", "warning", "Template \"golden\" brings schema \"jobs\" along"),
    ] {
        workspace.write("main.tf", &tenant("copied", more));
        let told = told(&workspace.run(&["plan", "-json"]));
        assert!(told.iter().any(|(how, what, _)| how == severity && what == summary), "{summary}: {told:?}");
    }
    workspace.write("main.tf", &tenant("copied", "template = \"golden_of_others\""));
    assert!(workspace.apply_error().contains("may not copy"));
    assert_eq!(count(server, "copied"), "0");

    let listed = "template = \"golden\"\n  extensions = [\"citext\"]\n  schemas = [\"jobs\"]";
    workspace.write("main.tf", &tenant("copied", listed));
    assert!(told(&workspace.run(&["plan", "-json"])).is_empty());
    workspace.apply();
    workspace.assert_empty_plan();
    assert_enforced(server, &workspace);
    for (sql, expected) in [
        ("SELECT app.answer()", "42"),
        ("SELECT 'A'::citext = 'a'", "t"),
        ("CREATE TABLE jobs.own (i int)", "ok"),
        ("SELECT name FROM app.plans", "42501"),
    ] {
        assert_eq!(crate::fixture::outcome(server, "copied", "copied", sql), expected, "{sql}");
    }
    // It is made once.
    workspace.write("main.tf", &tenant("copied", &listed.replace("\"golden\"", "\"template0\"")));
    workspace.apply();
    assert_eq!(crate::fixture::outcome(server, "copied", "copied", "SELECT app.answer()"), "42");
    // Nor is one tenant's database a template for another.
    workspace.write(
        "main.tf",
        &(tenant("copied", listed) + &tenant("copied_again", "template = \"copied\"").replace("\"this\"", "\"again\"")),
    );
    assert!(workspace.plan_error().contains("Database \"copied\" belongs to tenant \"copied\""));
    workspace.write("main.tf", &tenant("copied", listed));
    workspace.destroy();
    server.superuser("DROP DATABASE golden");
    server.superuser("DROP DATABASE golden_of_others");
}

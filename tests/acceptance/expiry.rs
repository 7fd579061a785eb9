//! `valid_until`: a password that expires when the configuration says, and is told of when somebody else let it expire.

use crate::audit;
use crate::fixture::{assert_enforced, tenant, value, workspace};
use crate::support::postgres::{ADMIN, Server};

on_two_majors! {
    a_password_is_valid_as_long_as_the_configuration_says,
    an_import_keeps_when_a_password_expires,
}

const PASSWORD: &str = "T3nant-pw-Zq7-16";
const DEEP: &str = "provider \"pgtenant\" {\n  deep_verify = true\n}\n";

fn config(tenant_until: &str, role_until: &str) -> String {
    let until = |text: &str| if text.is_empty() { String::new() } else { format!("valid_until = {text:?}") };
    let password = format!("password_wo = {PASSWORD:?}\n  password_wo_version = 1");
    let role = format!(
        "resource \"pgtenant_role\" \"reader\" {{\n  tenant = pgtenant_tenant.this.name\n  name = \"expiring_reader\"\n  access = \
         \"read\"\n  {password}\n  {}\n}}\n",
        until(role_until)
    );
    format!("{DEEP}{}{role}", tenant("expiring", &format!("{password}\n  {}", until(tenant_until))))
}

/// When the password of a role expires, in UTC.
fn until(server: &Server, role: &str) -> String {
    value(
        server,
        "postgres",
        &format!("SELECT rolvaliduntil AT TIME ZONE 'UTC' FROM pg_roles WHERE rolname = '{role}'"),
    )
}

fn login(server: &Server, role: &str) -> String {
    match server.session_with_password("expiring", role, PASSWORD) {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.sqlstate,
    }
}

fn a_password_is_valid_as_long_as_the_configuration_says(server: &Server) {
    let workspace = workspace(server);
    let both = ["expiring", "expiring_reader"];
    let set = config("2999-01-31T01:00:00+01:00", "2999-06-30T00:00:00.25Z");
    workspace.write("main.tf", &set);
    workspace.apply();
    assert_enforced(server, &workspace);
    assert_eq!(both.map(|role| until(server, role)), ["2999-01-31 00:00:00", "2999-06-30 00:00:00.25"]);
    assert_eq!(both.map(|role| login(server, role)), ["ok", "ok"]);
    let [address, reader] = ["pgtenant_tenant.this", "pgtenant_role.reader"];
    assert_eq!(workspace.resource(address)["valid_until"], "2999-01-31T01:00:00+01:00");
    workspace.import_fresh(
        &[(address, "expiring"), (reader, "expiring/expiring_reader")],
        &[("main.tf", &config("2999-01-31T00:00:00Z", "2999-06-30T00:00:00.25Z"))],
        &["deletion_protection", "valid_until"],
    );
    // The same time in other words.
    workspace.write("main.tf", &config("2999-01-31T00:00:00Z", "2999-06-30T02:00:00.250+02:00"));
    workspace.assert_empty_plan();

    // Somebody lets both expire: it is told as that, and as no wrong password.
    server
        .superuser("ALTER ROLE expiring VALID UNTIL '2020-01-01Z'; ALTER ROLE expiring_reader VALID UNTIL '-infinity'");
    assert_eq!(both.map(|role| login(server, role)), ["28P01", "28P01"]);
    let failing = audit::failing(server, &["--tenant", "expiring"]);
    assert!(failing.contains("tenant.role_attributes") && !failing.contains("tenant.password"), "{failing:?}");
    let plan = workspace.plan();
    for (address, found) in [(address, "2020-01-01T00:00:00Z"), (reader, "-infinity")] {
        let before = plan.before(address);
        assert_eq!(before["valid_until"], found);
        let said = ["role_attributes", "password"].map(|control| before["isolation"][control].as_str().unwrap());
        assert!(said[0].contains(&format!(" has VALID UNTIL \"{found}\"")), "{said:?}");
        assert!(said[1].starts_with(&format!("not inspected: the password expired at \"{found}\"")), "{said:?}");
        let changes = plan.changes(address);
        assert!(changes.contains(&"valid_until".to_owned()), "{changes:?}");
    }
    workspace.apply();
    assert_enforced(server, &workspace);
    assert_eq!(both.map(|role| login(server, role)), ["ok", "ok"]);

    // One that is to have expired: every plan says so, and the audit finds what is meant.
    workspace.write("main.tf", &config("2020-01-01T00:00:00Z", ""));
    workspace.apply();
    assert_eq!(both.map(|role| login(server, role)), ["28P01", "ok"]);
    assert_eq!(until(server, "expiring_reader"), "infinity");
    let said = workspace.run(&["plan", "-no-color"]).stdout;
    assert!(said.contains("The password of role \"expiring\" has expired"), "{said}");
    assert!(!said.contains("expiring_reader\" has expired"), "{said}");
    let found = workspace.plan().before(address)["isolation"].clone();
    assert_eq!(found["role_attributes"], "enforced");
    assert!(found["password"].as_str().unwrap().starts_with("not inspected: the password expired"), "{found}");
    assert!(!audit::failing(server, &["--tenant", "expiring"]).contains("tenant.role_attributes"));

    workspace.write("main.tf", &config("", ""));
    workspace.apply();
    assert_eq!(both.map(|role| until(server, role)), ["infinity", "infinity"]);
    assert_enforced(server, &workspace);
    for (more, summary) in [
        ("valid_until = \"2027-01-31\"", "Not a time"),
        (
            "valid_until = \"2027-01-31T00:00:00Z\"\n  authentication = \"certificate\"",
            "`valid_until` for a role that uses no password",
        ),
    ] {
        workspace.write("main.tf", &tenant("expiring", more));
        let refused = workspace.plan_error();
        assert!(refused.contains(summary) && refused.contains("valid_until = "), "{refused}");
    }
    workspace.write("main.tf", &config("", ""));
    workspace.destroy();
}

fn an_import_keeps_when_a_password_expires(server: &Server) {
    let workspace = workspace(server);
    for sql in ["CREATE ROLE lasting LOGIN VALID UNTIL '2999-01-31Z'", "CREATE DATABASE lasting"] {
        server.sql("postgres", ADMIN, sql).unwrap();
    }
    let import = "import {\n  to = pgtenant_tenant.this\n  id = \"lasting/lasting/lasting/app\"\n}\n";
    workspace.write("main.tf", &format!("{}{import}", tenant("lasting", "")));
    assert_eq!(workspace.plan().after("pgtenant_tenant.this")["valid_until"], "2999-01-31T00:00:00Z");
    workspace.apply();
    assert_eq!(until(server, "lasting"), "2999-01-31 00:00:00");
    server.superuser("ALTER ROLE lasting VALID UNTIL 'infinity'");
    assert_eq!(workspace.plan().changes("pgtenant_tenant.this"), ["isolation.role_attributes", "valid_until"]);
    workspace.apply();
    assert_eq!(until(server, "lasting"), "2999-01-31 00:00:00");
    workspace.write("main.tf", &tenant("lasting", "valid_until = \"2999-12-31T00:00:00Z\""));
    workspace.apply();
    assert_eq!(until(server, "lasting"), "2999-12-31 00:00:00");
    workspace.destroy();
}

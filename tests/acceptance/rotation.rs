//! Two logins of a tenant in turn: `examples/rotation`, with a client that reads its secret anew for each connection; and what a
//! rotation that somebody else does comes to, statement by statement as AWS Secrets Manager's alternating-users function has it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fixture::{assert_enforced, outcome, tenant, value, workspace};
use crate::support::examples;
use crate::support::postgres::{ADMIN, Server, Session, SqlError};
use crate::support::terraform::Workspace;

on_two_majors! {
    two_rotations_refuse_no_connection,
    what_a_function_alternates_is_told_and_may_be_accepted,
    a_clone_that_a_function_makes_is_drift,
}

/// What an application finds in the store.
struct Secret(Value);

impl Secret {
    fn read(store: &Path, name: &str) -> Secret {
        let text = fs::read_to_string(store.join(name)).expect("a secret");
        Secret(serde_json::from_str(&text).expect("JSON"))
    }

    fn of(&self, key: &str) -> &str {
        self.0[key].as_str().expect("a text")
    }

    fn log_in(&self, server: &Server) -> Result<Session, SqlError> {
        server.session_with_password(self.of("dbname"), self.of("username"), self.of("password"))
    }
}

/// How many connections a client opened, and how many of them were refused.
#[derive(Debug, Default)]
struct Client {
    opened: usize,
    by_login: BTreeMap<String, usize>,
    refused: Vec<String>,
}

impl Client {
    /// Opens one every 50 ms until `done`, each with the secret that is current then.
    fn run(server: &Server, store: &Path, done: &AtomicBool) -> Client {
        let mut client = Client::default();
        while !done.load(Ordering::Relaxed) {
            let next = Instant::now() + Duration::from_millis(50);
            let secret = Secret::read(store, "current.json");
            let write = |session: Session| session.sql("INSERT INTO orders DEFAULT VALUES");
            match secret.log_in(server).and_then(write) {
                Ok(_) => *client.by_login.entry(secret.of("username").to_owned()).or_default() += 1,
                Err(error) => client.refused.push(format!("{}: {error}", secret.of("username"))),
            }
            client.opened += 1;
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        client
    }
}

fn two_rotations_refuse_no_connection(server: &Server) {
    let mut workspace = workspace(server);
    workspace.copy_from(&examples::root().join("rotation")).unwrap();
    workspace.env("TF_VAR_tenant", "rot");
    let write = |blue: &Value, green: &Value, active: &str| {
        let variables = json!({ "logins": { "blue": blue, "green": green }, "active": active });
        workspace.write("terraform.tfvars.json", &variables.to_string());
    };
    let version = |version: u32| json!({ "version": version });
    let apply = |blue: u32, green: u32, active: &str| {
        write(&version(blue), &version(green), active);
        workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    };
    apply(1, 1, "blue");
    assert_enforced(server, &workspace);
    let store = workspace.dir.join("secrets");
    let first = Secret::read(&store, "blue.json");
    let old = first.log_in(server).unwrap();
    old.sql("CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY)").unwrap();

    let done = AtomicBool::new(false);
    let client = std::thread::scope(|scope| {
        let client = scope.spawn(|| Client::run(server, &store, &done));
        // Also when an apply fails: the scope waits for the client.
        let stop = Stop(&done);
        apply(1, 2, "blue");
        apply(1, 2, "green");
        assert_eq!(old.sql("SELECT current_user").unwrap(), [[Some("rot".to_owned())]], "what is open stays open");
        // The old password is good until its own turn: who has read it before may still connect.
        assert!(first.log_in(server).is_ok());
        apply(2, 2, "green");
        assert_eq!(first.log_in(server).err().unwrap().sqlstate, "28P01");
        assert!(old.sql("SELECT 1").is_ok(), "a session outlives the password that it began with");
        apply(2, 2, "blue");
        drop(stop);
        client.join().unwrap()
    });
    println!("a client through two rotations on {}: {client:?}", server.major);
    assert_eq!(client.refused, Vec::<String>::new());
    assert!(client.opened > 20 && client.by_login.len() == 2, "{client:?}");
    assert_eq!(value(server, "rot", "SELECT count(*) FROM app.orders"), client.opened.to_string());
    assert_eq!(value(server, "rot", "SELECT tableowner FROM pg_tables WHERE tablename = 'orders'"), "rot");
    workspace.assert_empty_plan();

    // The one that is active cannot be closed; the other one is, with the sessions that it has.
    let green = Secret::read(&store, "green.json").log_in(server).unwrap();
    let shut = json!({ "version": 2, "login": false });
    write(&shut, &version(2), "blue");
    assert!(workspace.plan_error().contains("The active login may not log in"));
    write(&version(2), &shut, "blue");
    workspace.apply();
    assert!(green.sql("SELECT 1").is_err(), "its sessions are ended");
    assert_eq!(outcome(server, "rot", "rot_green", "SELECT 1"), "28000");
    assert!(Secret::read(&store, "current.json").log_in(server).is_ok());
    // Its next turn opens it again, with the new password.
    write(&version(2), &version(3), "blue");
    workspace.apply();
    assert!(Secret::read(&store, "green.json").log_in(server).is_ok());

    pooled_sessions_stay_the_tenants(server);
    workspace.destroy();
    assert_eq!(value(server, "postgres", "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'rot\\_%'"), "0");
}

/// Ends the client when it goes.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whatever a pool runs between two clients of one session, the next one acts as the tenant too.
fn pooled_sessions_stay_the_tenants(server: &Server) {
    let session = server.session("rot", "rot_blue").unwrap();
    for reset in ["SELECT 1", "RESET ALL", "DISCARD ALL", "SET ROLE NONE; RESET ROLE"] {
        session.sql(reset).unwrap();
        let acts_as = session.sql("SELECT current_user").unwrap();
        assert_eq!(acts_as, [[Some("rot".to_owned())]], "after {reset}");
    }
}

/// `username` and `username_clone`, as the function calls them.
fn pair(name: &str, accept: &str) -> String {
    let one = |resource: &str, role: &str| {
        format!(
            "resource \"pgtenant_role\" {resource:?} {{\n  tenant = pgtenant_tenant.this.name\n  name = {role:?}\n  access = \"owner\"\n  \
             password_wo = \"the first one\"\n  password_wo_version = 1\n  {accept}\n}}\n"
        )
    };
    let (app, clone) = (format!("{name}_app"), format!("{name}_app_clone"));
    format!("{}{}{}", tenant(name, ""), one("app", &app), one("clone", &clone))
}

/// The function's last step, with the secret of a superuser or, as here, of the admin who made the role.
fn alter(server: &Server, role: &str, password: &str) {
    server.sql("postgres", ADMIN, &format!("ALTER USER {role} WITH PASSWORD '{password}'")).unwrap();
}

fn password_of(workspace: &Workspace, resource: &str) -> String {
    workspace.resource(resource)["isolation"]["password"].as_str().unwrap().to_owned()
}

fn what_a_function_alternates_is_told_and_may_be_accepted(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &pair("rotated", ""));
    workspace.apply();
    let logs_in = |role: &str, password: &str| server.session_with_password("rotated", role, password).is_ok();
    let (app, clone) = ("pgtenant_role.app", "pgtenant_role.clone");

    alter(server, "rotated_app_clone", "the second one");
    let plan = workspace.plan();
    assert_eq!(plan.addresses(), [clone]);
    assert_eq!(plan.changes(clone), ["isolation.password"]);
    // Told, and left: whoever holds the new one is not locked out.
    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    let told = "not permitted: the password of rotated_app_clone was changed by somebody else";
    assert_eq!(password_of(&workspace, clone), told);
    assert!(logs_in("rotated_app_clone", "the second one"));
    assert_eq!(workspace.plan().addresses(), [clone], "until it is accepted");

    let accept = "accept = { password = \"rotated by Secrets Manager\" }";
    workspace.write("main.tf", &pair("rotated", accept));
    workspace.apply();
    let accepted = |role: &str| {
        format!("accepted: the password of {role} was changed by somebody else (rotated by Secrets Manager)")
    };
    assert_eq!(password_of(&workspace, clone), accepted("rotated_app_clone"));
    assert_eq!(password_of(&workspace, app), "enforced");
    // The next turns are no drift, and an apply leaves each as it is.
    for (role, password) in [("rotated_app", "the third one"), ("rotated_app_clone", "the fourth one")] {
        alter(server, role, password);
        workspace.assert_empty_plan();
        workspace.apply();
        assert!(logs_in(role, password), "{role}");
    }
    assert!(logs_in("rotated_app", "the third one") && !logs_in("rotated_app", "the first one"));
    assert_eq!(password_of(&workspace, app), accepted("rotated_app"));

    // From 16 on it takes the ADMIN option, which another admin does not have of itself.
    server.superuser("CREATE ROLE rotated_admin LOGIN CREATEROLE");
    let another = outcome(server, "postgres", "rotated_admin", "ALTER USER rotated_app WITH PASSWORD 'the fifth one'");
    assert_eq!(another, if server.major < 16 { "ok" } else { "42501" });
    server.superuser("DROP ROLE rotated_admin");

    // A new version sets the configuration's again.
    workspace.write("main.tf", &pair("rotated", accept).replace("version = 1", "version = 2"));
    workspace.apply();
    assert!(logs_in("rotated_app", "the first one") && logs_in("rotated_app_clone", "the first one"));
    workspace.destroy();
}

fn a_clone_that_a_function_makes_is_drift(server: &Server) {
    let workspace = workspace(server);
    workspace.write("main.tf", &tenant("rotcl", ""));
    workspace.apply();
    let made = "CREATE ROLE rotcl_clone WITH LOGIN PASSWORD 'the second one'";
    server.sql("postgres", ADMIN, made).unwrap();
    server.sql("postgres", ADMIN, "GRANT rotcl TO rotcl_clone").unwrap();
    // It has the tenant's privileges, and nothing else of the tenant's: no search_path, no limit, no ownership.
    assert_eq!(outcome(server, "rotcl", "rotcl_clone", "SHOW search_path"), "\"$user\", public");
    assert_eq!(outcome(server, "rotcl", "rotcl_clone", "CREATE TABLE app.t ()"), "ok");
    assert_eq!(value(server, "rotcl", "SELECT tableowner FROM pg_tables WHERE tablename = 't'"), "rotcl_clone");
    assert_eq!(outcome(server, "rotcl", "rotcl", "ALTER TABLE app.t ADD a int"), "42501");
    let limit = "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'rotcl_clone'";
    assert_eq!(value(server, "postgres", limit), "-1");

    let plan = workspace.plan();
    assert_eq!(plan.changes("pgtenant_tenant.this"), ["isolation.memberships", "isolation.other_roles"]);
    // The apply that repairs it is the end of the application's logins.
    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    let isolation = workspace.resource("pgtenant_tenant.this")["isolation"].clone();
    assert_eq!(isolation["memberships"], "enforced");
    assert_eq!(isolation["other_roles"], "not permitted: rotcl_clone owns 1 relation");
    assert_eq!(outcome(server, "rotcl", "rotcl_clone", "SELECT 1"), "42501");
    workspace.destroy();
    server.superuser("DROP ROLE rotcl_clone");
}

//! Work that is ended before its time: by Ctrl-C, by a timeout, by `kill -9`. Nothing of it goes on at
//! the server, and the next apply finishes what was begun.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::fixture::{self, PROVIDER, value};
use crate::support::postgres::{Options, SUPERUSER, Server, Session};
use crate::support::terraform::{Running, Workspace};
use crate::support::{children, eventually, is_running, signal};

/// A server of its own, for these tests hold what others would wait for. With TLS: cancel requests must
/// be encrypted too.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(Options { tls_names: &["localhost"], ..Options::default() }).unwrap())
}

/// What a statement of the provider waits for, until it is released.
struct Held {
    session: Session,
    _turn: Option<MutexGuard<'static, ()>>,
}

impl Held {
    /// Keeps every `CREATE DATABASE` waiting: it takes a share lock on its template, which a COMMENT on
    /// that conflicts with. One test at a time.
    fn template() -> Held {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let session = server().session("postgres", SUPERUSER).unwrap();
        session.sql("BEGIN; COMMENT ON DATABASE template0 IS 'x'").unwrap();
        Held { session, _turn: Some(turn) }
    }

    /// Keeps every `ALTER ROLE` of that role waiting.
    fn role(name: &str) -> Held {
        let session = server().session("postgres", SUPERUSER).unwrap();
        session.sql(&format!("BEGIN; ALTER ROLE {name} CONNECTION LIMIT 3")).unwrap();
        Held { session, _turn: None }
    }

    fn release(&self) {
        self.session.sql("ROLLBACK").unwrap();
    }
}

/// An admin of its own for each test, so that its backends can be told from those of others.
struct Admin {
    name: &'static str,
    env: BTreeMap<&'static str, String>,
}

impl Admin {
    fn new(name: &'static str) -> Admin {
        Admin { name, env: server().another_admin(name) }
    }

    fn workspace(&self, config: &str) -> Workspace {
        let mut workspace = Workspace::new(PROVIDER);
        workspace.envs(&self.env).write("main.tf", config);
        workspace
    }

    /// How many of the provider's backends there are, or of them wait for a lock.
    fn backends(&self, condition: &str) -> u32 {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity
             WHERE application_name = 'terraform-provider-pgtenant' AND usename = '{}' AND {condition}",
            self.name
        );
        value(server(), "postgres", &sql).parse().unwrap()
    }

    /// Starts `terraform apply` and comes back when one of its statements waits for a lock.
    #[track_caller]
    fn apply_until_waiting(&self, workspace: &Workspace, statement: &str) -> Running {
        let mut running = workspace.spawn(&["apply", "-auto-approve"]);
        let waits = format!("wait_event_type = 'Lock' AND query LIKE '%{statement}%'");
        eventually("the statement waits", || self.backends(&waits) == 1 || !running.is_running());
        if !running.is_running() {
            panic!("{statement} did not wait: {:#?}", running.wait());
        }
        running
    }
}

/// What there is of a tenant half-made: the role's OID, which tells whether it is the same one later.
fn role_oid(name: &str) -> String {
    value(server(), "postgres", &format!("SELECT oid FROM pg_roles WHERE rolname = '{name}'"))
}

/// The tenant is whole, the role the same as when it was begun, and lets its owner in.
#[track_caller]
fn check_resumed(workspace: &Workspace, name: &str, begun: &str) {
    workspace.apply();
    assert_eq!(role_oid(name), begun, "the half-made tenant was finished, not made again");
    server().sql(name, name, "CREATE TABLE app.t (a int)").unwrap();
}

fn within(limit: Duration, since: Instant) {
    assert!(since.elapsed() < limit, "it took {:?}", since.elapsed());
}

#[test]
fn ctrl_c_ends_a_create_and_the_next_apply_finishes_it() {
    let admin = Admin::new("interrupt_create");
    // One connection: the second tenant waits for the first, and is to be told to stop as well.
    let workspace = admin.workspace(
        "provider \"pgtenant\" { max_connections = 1 }
        resource \"pgtenant_tenant\" \"this\" {
          for_each            = toset([\"interrupt_a\", \"interrupt_b\"])
          name                = each.key
          deletion_protection = false
        }",
    );
    let held = Held::template();
    let running = admin.apply_until_waiting(&workspace, "CREATE DATABASE");
    eventually("both are under way", || running.stdout().matches("Creating...").count() == 2);
    let interrupted = Instant::now();
    running.interrupt();
    let run = running.wait();
    within(Duration::from_secs(10), interrupted);
    assert!(!run.status.success());
    let message = run.message();
    assert_eq!(message.matches("Stopped before it could create tenant \"interrupt_").count(), 2, "{message}");
    assert!(message.contains("The server was asked to cancel the statement"), "{message}");
    assert_eq!(admin.backends("true"), 0, "nothing goes on at the server, which still waits");
    let databases = "SELECT count(*) FROM pg_database WHERE datname IN ('interrupt_a', 'interrupt_b')";
    assert_eq!(value(server(), "postgres", databases), "0");

    let roles = "SELECT max(rolname) FROM pg_roles WHERE rolname IN ('interrupt_a', 'interrupt_b')";
    let begun = value(server(), "postgres", roles);
    let oid = role_oid(&begun);
    held.release();
    check_resumed(&workspace, &begun, &oid);
    workspace.destroy();
}

#[test]
fn ctrl_c_ends_an_update_and_the_next_apply_makes_it() {
    let admin = Admin::new("interrupt_update");
    let config = |suspended: bool| fixture::tenant("interrupt_changed", &format!("suspended = {suspended}"));
    let workspace = admin.workspace(&config(false));
    workspace.apply();

    let held = Held::role("interrupt_changed");
    workspace.write("main.tf", &config(true));
    let running = admin.apply_until_waiting(&workspace, "ALTER ROLE \"interrupt_changed\"");
    let interrupted = Instant::now();
    running.interrupt();
    let run = running.wait();
    within(Duration::from_secs(10), interrupted);
    let message = run.message();
    assert!(message.contains("Stopped before it could update tenant \"interrupt_changed\""), "{message}");
    assert_eq!(admin.backends("true"), 0, "nothing goes on at the server");
    assert_eq!(workspace.resource("pgtenant_tenant.this")["suspended"], false, "the state is what was reached");

    held.release();
    // Its database was closed first, and stays so until it is decided.
    let changes = workspace.plan().changes("pgtenant_tenant.this");
    assert!(changes.contains(&"suspended".to_owned()), "{changes:?}");
    workspace.apply();
    let login = "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'interrupt_changed'";
    assert_eq!(value(server(), "postgres", login), "f");
    workspace.destroy();
}

#[test]
fn ctrl_c_ends_guardrails() {
    let admin = Admin::new("interrupt_rails");
    let tenant = fixture::tenant("interrupt_governed", "");
    let workspace = admin.workspace(&tenant);
    workspace.apply();

    let held = Held::role("interrupt_governed");
    workspace.write("main.tf", &(tenant + &fixture::guardrails("connection_limit = 7")));
    let running = admin.apply_until_waiting(&workspace, "CONNECTION LIMIT 7");
    let interrupted = Instant::now();
    running.interrupt();
    let message = running.wait().message();
    within(Duration::from_secs(10), interrupted);
    let expected = "Stopped before it could set the guardrails of tenant \"interrupt_governed\"";
    assert!(message.contains(expected), "{message}");
    assert_eq!(admin.backends("true"), 0, "nothing goes on at the server");

    held.release();
    workspace.apply();
    assert_eq!(workspace.resource("pgtenant_guardrails.this")["connection_limit"], 7);
    workspace.destroy();
}

#[test]
fn a_timeout_ends_a_create_and_the_next_apply_finishes_it() {
    let admin = Admin::new("interrupt_timeout");
    let name = "interrupt_slow";
    let workspace = admin.workspace(&fixture::tenant(name, "timeouts { create = \"2s\" }"));
    let held = Held::template();
    let started = Instant::now();
    let message = workspace.apply_error();
    within(Duration::from_secs(15), started);
    assert!(message.contains("Could not create tenant \"interrupt_slow\" in time"), "{message}");
    assert!(message.contains("It took longer than 2 s.") && message.contains("`timeouts` block"), "{message}");
    assert_eq!(admin.backends("true"), 0, "nothing goes on at the server, which still waits");
    assert_eq!(workspace.resource("pgtenant_tenant.this")["name"], name, "tainted: what was begun is in the state");

    let begun = role_oid(name);
    held.release();
    workspace.write("main.tf", &fixture::tenant(name, ""));
    check_resumed(&workspace, name, &begun);
    workspace.destroy();
}

#[test]
fn a_provider_that_is_killed_leaves_a_tenant_that_is_finished() {
    let admin = Admin::new("interrupt_provider");
    let name = "interrupt_half";
    let workspace = admin.workspace(&fixture::tenant(name, ""));
    let held = Held::template();
    let running = admin.apply_until_waiting(&workspace, "CREATE DATABASE");
    let providers = children(running.pid());
    assert_eq!(providers.len(), 1, "Terraform runs one provider");
    signal(providers[0] as i32, libc::SIGKILL);
    assert!(!running.wait().status.success());
    assert_eq!(workspace.resource("pgtenant_tenant.this"), serde_json::Value::Null);

    let begun = role_oid(name);
    held.release();
    // Nobody told the server: its backend sees that the client is gone when it has an answer.
    eventually("the server has noticed", || admin.backends("true") == 0);
    check_resumed(&workspace, name, &begun);
    workspace.destroy();
}

#[test]
fn a_provider_does_not_outlive_a_terraform_that_is_killed() {
    let admin = Admin::new("interrupt_terraform");
    let name = "interrupt_orphan";
    let workspace = admin.workspace(&fixture::tenant(name, ""));
    let held = Held::template();
    let running = admin.apply_until_waiting(&workspace, "CREATE DATABASE");
    let providers = children(running.pid());
    assert_eq!(providers.len(), 1, "Terraform runs one provider");
    let killed = Instant::now();
    signal(running.pid() as i32, libc::SIGKILL);
    assert!(!running.wait().status.success());
    eventually("the provider is gone", || !is_running(providers[0]));
    within(Duration::from_secs(5), killed);
    // It has ended its statement before it went; the lock is still held.
    assert_eq!(admin.backends("true"), 0, "nothing goes on at the server, which still waits");

    let begun = role_oid(name);
    held.release();
    check_resumed(&workspace, name, &begun);
    workspace.destroy();
}

/// As an apply leaves it that is killed when the database is renamed and the markers are not written.
#[test]
fn a_rename_that_was_made_half_way_is_finished() {
    let admin = Admin::new("interrupt_rename");
    let config = |database: &str| fixture::tenant("interrupt_moved", &format!("database = {database:?}"));
    let workspace = admin.workspace(&config("interrupt_moved"));
    workspace.apply();
    server().superuser("ALTER DATABASE interrupt_moved RENAME TO interrupt_there");
    // Where the first name is wanted still, only that is wrong.
    assert_eq!(workspace.plan().changes("pgtenant_tenant.this"), ["database"]);
    workspace.write("main.tf", &config("interrupt_there"));
    assert_eq!(workspace.plan().changes("pgtenant_tenant.this"), ["isolation.registered"]);
    workspace.apply();
    let marker = "SELECT shobj_description(oid, 'pg_database')::jsonb ->> 'database' FROM pg_database
                  WHERE datname = 'interrupt_there'";
    assert_eq!(value(server(), "postgres", marker), "interrupt_there");
    workspace.destroy();
}

//! Servers that are away for a while, that are full, that fall silent, and what stands before them.

use std::time::{Duration, Instant};

use crate::fixture::{self, value};
use crate::support::fault_proxy::{Proxy, Strike, Watch};
use crate::support::pgbouncer::{Plain, find_pgbouncer};
use crate::support::postgres::{ADMIN, Admin, Options, SUPERUSER, Server, free_port};
use crate::support::terraform::Workspace;
use crate::support::{children, eventually, is_running, signal, skip};

const TENANTS: &str = "
resource \"pgtenant_tenant\" \"this\" {
  count               = 12
  name                = \"outage_${count.index}\"
  deletion_protection = false
}
resource \"pgtenant_guardrails\" \"this\" {
  count            = 12
  tenant           = pgtenant_tenant.this[count.index].name
  connection_limit = 7
}
";

fn workspace(server: &Server, config: &str) -> Workspace {
    let workspace = fixture::workspace(server);
    workspace.write("main.tf", config);
    workspace
}

/// Applies twelve tenants, lets something happen after the third, and demands that the apply goes through all the same.
#[track_caller]
fn check_goes_through(workspace: &Workspace, what: &str, happens: impl FnOnce()) {
    workspace.write("main.tf", TENANTS);
    let started = Instant::now();
    let running = workspace.spawn(&["apply", "-auto-approve"]);
    eventually("some tenants are made", || running.stdout().matches("pgtenant_tenant.this").count() > 12 + 3);
    let happened = Instant::now();
    happens();
    println!("{what} took {:.1} s", happened.elapsed().as_secs_f32());
    running.wait().ok().unwrap();
    println!("with {what} the apply of 12 tenants took {:.1} s", started.elapsed().as_secs_f32());
    workspace.assert_empty_plan();
    workspace.destroy();
}

#[test]
fn a_restart_is_waited_for() {
    let mut server = Server::start(Options::default()).unwrap();
    let workspace = workspace(&server, TENANTS);
    let port = server.port;
    check_goes_through(&workspace, "a fast restart", || server.restart(libc::SIGINT, port).unwrap());
    check_goes_through(&workspace, "an immediate restart", || server.restart(libc::SIGQUIT, port).unwrap());
}

/// The proxy's address is the name; the server that it leads to is elsewhere after a failover.
#[test]
fn a_name_that_moves_is_followed() {
    let mut server = Server::start(Options::default()).unwrap();
    let proxy = Proxy::before(server.port).unwrap();
    let mut workspace = workspace(&server, TENANTS);
    workspace.env("PGPORT", &proxy.port.to_string());
    check_goes_through(&workspace, "a failover", || {
        server.restart(libc::SIGQUIT, free_port().unwrap()).unwrap();
        proxy.lead_to(server.port);
    });
}

#[test]
fn a_server_with_two_connections_left_is_used_with_two() {
    let conf = "max_connections = 12\nsuperuser_reserved_connections = 3";
    let server = Server::start(Options { extra_conf: conf, ..Options::default() }).unwrap();
    server.another_admin("outage_others");
    let others: Vec<_> = (0..7).map(|_| server.session("postgres", "outage_others").unwrap()).collect();
    let config = "
        resource \"pgtenant_tenant\" \"this\" {
          count               = 6
          name                = \"outage_full_${count.index}\"
          deletion_protection = false
        }";
    let workspace = workspace(&server, config);
    let started = Instant::now();
    workspace.apply();
    println!("with two connections left an apply of 6 tenants took {:.1} s", started.elapsed().as_secs_f32());

    // None left: it waits until there is one.
    let more: Vec<_> = (0..2).map(|_| server.session("postgres", "outage_others").unwrap()).collect();
    let mark = server.log_mark();
    let running = workspace.spawn(&["destroy", "-auto-approve"]);
    eventually("the provider is refused", || {
        server
            .log_since(mark)
            .lines()
            .any(|line| line.contains("FATAL") && line.contains("53300") || line.contains("slots"))
    });
    drop(more);
    running.wait().ok().unwrap();
    drop(others);
}

/// Updates through a proxy that falls silent.
struct Frozen {
    _server: Server,
    proxy: Proxy,
    workspace: Workspace,
    limit: u32,
}

impl Frozen {
    fn new() -> Frozen {
        let server = Server::start(Options::default()).unwrap();
        let proxy = Proxy::before(server.port).unwrap();
        let mut workspace = fixture::workspace(&server);
        workspace.env("PGPORT", &proxy.port.to_string());
        let mut frozen = Frozen { _server: server, proxy, workspace, limit: 2 };
        frozen.write("");
        frozen.workspace.apply();
        frozen
    }

    /// Another update than the last one.
    fn write(&mut self, more: &str) {
        self.limit += 1;
        let rails = fixture::guardrails(&format!("connection_limit = {}\n{more}", self.limit));
        self.workspace.write("main.tf", &(fixture::tenant("outage_frozen", more) + &rails));
    }

    /// How many messages it takes to apply an update that is planned. Terraform does not pass Ctrl-C on while an apply
    /// still plans.
    fn messages(&mut self) -> usize {
        self.write("");
        self.workspace.plan();
        self.proxy.begin(Watch::Count);
        self.workspace.run(&["apply", "planned"]).ok().unwrap();
        self.proxy.messages()
    }

    /// Runs a command until the host is silent, from message `at` on, and gives how long after that it ended.
    #[track_caller]
    fn run(&self, command: &[&str], at: usize, then: impl FnOnce(u32)) -> Duration {
        self.proxy.begin(Watch::At(at, Strike::Freeze));
        let running = self.workspace.spawn(command);
        eventually("the host is silent", || self.proxy.struck());
        let since = Instant::now();
        then(running.pid());
        let run = running.wait();
        let elapsed = since.elapsed();
        self.proxy.begin(Watch::Count);
        assert!(!run.status.success(), "{run:?}");
        println!("{command:?}, silent from message {at} on: {:.1} s: {}", elapsed.as_secs_f32(), run.message());
        elapsed
    }

    /// Plans another update, and has the host fall silent while it is applied.
    #[track_caller]
    fn apply(&mut self, at: usize, more: &str, then: impl FnOnce(u32)) -> Duration {
        self.write(more);
        self.workspace.plan();
        self.run(&["apply", "planned"], at, then)
    }
}

#[test]
fn ctrl_c_ends_what_waits_for_a_silent_host() {
    let mut frozen = Frozen::new();
    let messages = frozen.messages();
    let interrupt = |pid: u32| signal(-(pid as i32), libc::SIGINT);
    for at in [2, messages / 2, messages] {
        let elapsed = frozen.apply(at, "", interrupt);
        assert!(elapsed < Duration::from_secs(10), "at {at} of {messages}: {elapsed:?}");
    }
    for at in [2, 3] {
        let elapsed = frozen.run(&["plan"], at, interrupt);
        assert!(elapsed < Duration::from_secs(10), "a plan at {at}: {elapsed:?}");
    }
    frozen.write("");
    frozen.workspace.apply();
}

#[test]
fn timeouts_end_what_waits_for_a_silent_host() {
    let mut frozen = Frozen::new();
    let messages = frozen.messages();
    let timeouts = "timeouts {\n  read = \"4s\"\n  update = \"4s\"\n}";
    for at in [2, messages / 2, messages] {
        let elapsed = frozen.apply(at, timeouts, |_| {});
        assert!(elapsed < Duration::from_secs(15), "at {at} of {messages}: {elapsed:?}");
    }
    let elapsed = frozen.run(&["plan"], 3, |_| {});
    assert!(elapsed < Duration::from_secs(15), "a plan: {elapsed:?}");
    frozen.write("");
    frozen.workspace.apply();
}

/// With the terminal goes what its processes have begun.
#[test]
fn a_closed_terminal_leaves_nothing_running() {
    let server = Server::start(Options::default()).unwrap();
    let workspace = workspace(&server, &fixture::tenant("outage_hangup", ""));
    let holder = server.session("postgres", SUPERUSER).unwrap();
    holder.sql("BEGIN; COMMENT ON DATABASE template0 IS 'x'").unwrap();
    let running = workspace.spawn(&["apply", "-auto-approve"]);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'terraform-provider-pgtenant'
                   AND query LIKE 'CREATE DATABASE%' AND state = 'active'";
    eventually("the statement waits", || value(&server, "postgres", waiting) == "1");
    let providers = children(running.pid());
    signal(-(running.pid() as i32), libc::SIGHUP);
    assert!(!running.wait().status.success());
    eventually("the provider is gone", || !providers.iter().any(|pid| is_running(*pid)));
    assert_eq!(value(&server, "postgres", waiting), "0");
    holder.sql("ROLLBACK").unwrap();
}

/// What is told of a server that is not there is told in full once.
#[test]
fn one_cause_is_told_in_full_once() {
    let server = Server::shared();
    let closed = free_port().unwrap().to_string();
    let mut workspace = workspace(server, TENANTS);
    workspace.env("PGPORT", &closed).env("PGCONNECT_TIMEOUT", "1");
    let started = Instant::now();
    let run = workspace.run(&["plan", "-json"]);
    let diagnostics = run.diagnostics();
    println!("{} errors after {:.1} s", diagnostics.len(), started.elapsed().as_secs_f32());
    assert_eq!(diagnostics.len(), 12, "{diagnostics:#?}");
    let detail = |diagnostic: &serde_json::Value| diagnostic["detail"].as_str().unwrap().to_owned();
    let in_full = diagnostics.iter().filter(|diagnostic| detail(diagnostic).contains("Check `host`")).count();
    let in_short = diagnostics.iter().filter(|diagnostic| !detail(diagnostic).contains('\n')).count();
    assert_eq!((in_full, in_short), (1, 11), "{diagnostics:#?}");
}

/// The first address never answers: it has its time, and once.
#[test]
fn every_host_is_tried() {
    let server = Server::shared();
    // Connections are accepted by the system, and nobody ever looks at them.
    let silent = std::net::TcpListener::bind(("127.0.0.2", server.port));
    let mut workspace = workspace(server, "data \"pgtenant_tenants\" \"all\" {}");
    workspace.env("PGHOST", "127.0.0.2,127.0.0.1").env("PGCONNECT_TIMEOUT", "10");
    workspace.run(&["plan"]).ok().unwrap();
    drop(silent);
    workspace.env("PGHOST", "nowhere.invalid,127.0.0.2,127.0.0.1");
    workspace.run(&["plan"]).ok().unwrap();
}

#[test]
fn a_pooler_is_refused_by_name() {
    if let Err(reason) = find_pgbouncer() {
        return skip("outage::a_pooler_is_refused_by_name", &reason);
    }
    let server = Server::shared();
    server.superuser(&format!("CREATE ROLE outage_group NOLOGIN CREATEDB CREATEROLE; GRANT outage_group TO {ADMIN};"));
    for settings in [
        "pool_mode = session",
        "pool_mode = session\nignore_startup_parameters = options",
        "pool_mode = transaction\nignore_startup_parameters = options",
        "pool_mode = statement\nignore_startup_parameters = options",
    ] {
        let pooler = Plain::before(server, ADMIN, &server.admin_password, settings).unwrap();
        let assume = "provider \"pgtenant\" { assume_role = \"outage_group\" }\n";
        let mut workspace = workspace(server, &format!("{assume}{}", fixture::tenant("outage_pooled", "")));
        workspace.env("PGPORT", &pooler.port.to_string());
        let message = workspace.plan_error();
        assert!(message.contains("A connection pooler stands before the PostgreSQL server"), "{settings}: {message}");
        assert!(message.contains("Connect directly to PostgreSQL"), "{settings}: {message}");
    }
}

/// The limits of a tenant's database hold for the provider's sessions too, unless it lifts them.
#[test]
fn the_limits_of_a_tenant_do_not_end_the_providers_work() {
    crate::majors::run("outage::the_limits_of_a_tenant", 17, Admin::RdsLike, |server| {
        let rails = fixture::guardrails("transaction_timeout = \"50ms\"\n  idle_session_timeout = \"50ms\"");
        let config =
            |extensions: &str| fixture::tenant("outage_limited", &format!("extensions = [{extensions}]")) + &rails;
        let workspace = workspace(server, &config(""));
        workspace.apply();
        workspace.write("main.tf", &config("\"pgcrypto\", \"citext\", \"hstore\", \"ltree\""));
        workspace.apply();
        workspace.destroy();
    });
}

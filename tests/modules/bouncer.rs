//! The module `pgbouncer` with a real pgBouncer: the tenants are made by `examples/pgbouncer`, which
//! renders the files that the program then reads.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stub::PGTENANT;
use crate::support::pgbouncer::{Pooled, STATS, find_pgbouncer};
use crate::support::postgres::{Options, Server, Session, SqlError};
use crate::support::terraform::Workspace;
use crate::support::{eventually, examples, skip};

/// What pgBouncer itself refuses has this SQLSTATE; what the server refuses keeps the server's.
const POOLER: &str = "08P01";

/// All tests share it, so that each has tenants of its own names.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let options = Options { tls_names: &["127.0.0.1"], ..Options::default() };
    SERVER.get_or_init(|| Server::start(options).unwrap_or_else(|error| panic!("{error}")))
}

/// Runs a test with a pgBouncer before the server, and without one skips it by name.
fn pooled(name: &str, tenants: Value, overrides: &str, test: impl FnOnce(&mut Pooled)) {
    if let Err(reason) = find_pgbouncer() {
        return skip(&format!("bouncer::{name}"), &reason);
    }
    let mut pooled = Pooled::prepare(Path::new(PGTENANT), server(), &tenants, overrides).unwrap();
    pooled.start().unwrap();
    test(&mut pooled);
}

/// Arguments of the module that the example does not ask its reader.
fn module(arguments: &str) -> String {
    format!("module \"pgbouncer\" {{\n  {arguments}\n}}\n")
}

/// The SQLSTATE with which something is refused.
#[track_caller]
fn refused<T>(result: Result<T, SqlError>) -> String {
    result.err().expect("should be refused").sqlstate
}

/// The one value that a query answers with.
#[track_caller]
fn value(session: &Session, sql: &str) -> String {
    let rows = session.sql(sql).unwrap_or_else(|error| panic!("{error}\n{sql}"));
    rows[0][0].clone().unwrap_or_default()
}

/// The tenant's sessions on the server, the only place where they are counted.
fn sessions(tenant: &str) -> usize {
    server().superuser(&format!("SELECT FROM pg_stat_activity WHERE usename = '{tenant}'")).len()
}

#[test]
fn a_tenant_works_through_it_with_tls_and_scram() {
    let dir = server().dir.display();
    let overrides = module(&format!(
        "client_tls_sslmode = \"require\"
         client_tls_cert_file = \"{dir}/server.pem\"
         client_tls_key_file = \"{dir}/server.key\"
         server_tls_sslmode = \"verify-full\"
         server_tls_ca_file = \"{dir}/ca.pem\""
    ));
    // Of two connections one is left to logins past the pool.
    let tenants = json!({ "pool_tls": { "connection_limit": 2 } });
    pooled("a_tenant_works_through_it_with_tls_and_scram", tenants, &overrides, |pooled| {
        let password = pooled.passwords["pool_tls"].clone();
        let login = || Session::over_tls(pooled.port, "pool_tls", "pool_tls", &password, &server().ca());
        let (one, other) = (login().unwrap(), login().unwrap());
        one.sql("CREATE TABLE t (a int)").unwrap();
        assert_eq!(value(&other, "INSERT INTO t VALUES (1) RETURNING current_user"), "pool_tls");
        // Two clients, one session of the server, handed over after each transaction.
        let backend = value(&one, "SELECT pg_backend_pid()");
        assert_eq!(value(&other, "SELECT pg_backend_pid()"), backend);
        assert_eq!(sessions("pool_tls"), 1);
        let encrypted = format!("SELECT ssl FROM pg_stat_ssl WHERE pid = {backend}");
        assert_eq!(server().superuser(&encrypted), [[Some("t".to_owned())]]);

        assert_eq!(refused(pooled.session("pool_tls")), POOLER, "without TLS");
        let wrong_ca = Session::over_tls(pooled.port, "pool_tls", "pool_tls", &password, &server().wrong_ca());
        assert_eq!(refused(wrong_ca), "08001");
    });
}

#[test]
fn a_server_that_shows_another_certificate_is_not_sent_a_login() {
    let overrides = module(&format!(
        "query_wait_timeout = 2\n  server_tls_sslmode = \"verify-full\"\n  server_tls_ca_file = \"{}\"",
        server().wrong_ca().display()
    ));
    let tenants = json!({ "pool_wrong_ca": {} });
    pooled("a_server_that_shows_another_certificate_is_not_sent_a_login", tenants, &overrides, |pooled| {
        // The provider has begun a login for each tenant before.
        let mark = server().log_mark();
        assert_eq!(refused(pooled.session("pool_wrong_ca").and_then(|session| session.sql("SELECT 1"))), POOLER);
        assert!(!server().log_since(mark).contains("pool_wrong_ca@"));
    });
}

#[test]
fn nobody_else_gets_in() {
    let tenants = json!({ "pool_in": {}, "pool_out": {} });
    pooled("nobody_else_gets_in", tenants, "", |pooled| {
        let mark = server().log_mark();
        let login = |database: &str, role: &str, password: &str| {
            refused(Session::over_tcp(pooled.port, database, role, password))
        };
        let own = pooled.passwords["pool_in"].as_str();
        assert_eq!(login("pool_in", "pool_in", "wrong"), POOLER);
        assert_eq!(login("pool_in", "nobody", own), POOLER);
        for elsewhere in ["pool_out", "postgres", "pgbouncer", "nowhere"] {
            assert_eq!(login(elsewhere, "pool_in", own), POOLER, "{elsewhere}");
        }
        assert_eq!(login("pool_out", "pool_in", &pooled.passwords["pool_out"]), POOLER);
        // What reads the statistics is a role of the console alone.
        assert_eq!(login("pool_in", STATS, &pooled.passwords[STATS]), POOLER);
        assert!(!server().log_since(mark).contains("pool_in@"), "the server was asked");

        // Settings at login would pass by what the pool keeps track of.
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(pooled.port).dbname("pool_in").user("pool_in").password(own);
        config.options("-c statement_timeout=0");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let with_options = runtime.block_on(config.connect(tokio_postgres::NoTls)).map(drop);
        assert_eq!(refused(with_options.map_err(SqlError::from)), POOLER);

        let console = Session::over_tcp(pooled.port, "pgbouncer", STATS, &pooled.passwords[STATS]).unwrap();
        assert!(console.sql("SHOW POOLS").is_ok());
        assert!(console.sql("PAUSE").is_err());
        assert_eq!(value(&pooled.session("pool_in").unwrap(), "SELECT current_database()"), "pool_in");
    });
}

#[test]
fn no_password_is_in_a_file_or_the_state() {
    let tenants = json!({ "pool_secret": {} });
    pooled("no_password_is_in_a_file_or_the_state", tenants, "", |pooled| {
        let verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = 'pool_secret'";
        let verifier = server().superuser(verifier)[0][0].clone().unwrap();
        assert!(pooled.read("userlist.txt").contains(&format!("\"pool_secret\" \"{verifier}\"\n")));
        let state = pooled.workspace.state_file();
        for (what, text) in [
            ("the state", state.as_str()),
            ("userlist.txt", &pooled.read("userlist.txt")),
            ("pgbouncer.ini", &pooled.read("pgbouncer.ini")),
            ("the log", &pooled.log()),
        ] {
            assert!(!text.contains(&pooled.passwords["pool_secret"]), "the password is in {what}");
            assert!(what == "userlist.txt" || !text.contains("SCRAM-SHA-256$"), "a verifier is in {what}");
        }
    });
}

/// With SCRAM, pgBouncer logs in with what it learns from the client's login: that is of use only where
/// salt and iterations are the same.
#[test]
fn another_verifier_of_the_same_password_does_not_do() {
    let tenants = json!({ "pool_salt": {} });
    pooled("another_verifier_of_the_same_password_does_not_do", tenants, "", |pooled| {
        let password = pooled.passwords["pool_salt"].clone();
        let another = postgres_protocol::password::scram_sha_256(password.as_bytes());
        server().superuser(&format!("ALTER ROLE pool_salt PASSWORD '{another}'"));
        assert!(server().session_with_password("pool_salt", "pool_salt", &password).is_ok());
        let mark = server().log_mark();
        assert!(pooled.session("pool_salt").and_then(|session| session.sql("SELECT 1")).is_err());
        let refused = "password authentication failed for user \"pool_salt\"";
        assert!(server().log_since(mark).contains(refused), "{}", pooled.log());
    });
}

#[test]
fn a_new_password_reaches_both_in_one_apply() {
    let tenants = json!({ "pool_rotated": {} });
    pooled("a_new_password_reaches_both_in_one_apply", tenants, "", |pooled| {
        let before = pooled.passwords["pool_rotated"].clone();
        pooled.session("pool_rotated").unwrap().sql("SELECT 1").unwrap();
        pooled.passwords.insert("pool_rotated".to_owned(), "another one".to_owned());
        pooled.set_passwords();
        pooled.set("passwords_version", &json!(2));
        pooled.apply();
        pooled.reload();
        assert_eq!(value(&pooled.session("pool_rotated").unwrap(), "SELECT 1"), "1");
        assert_eq!(refused(Session::over_tcp(pooled.port, "pool_rotated", "pool_rotated", &before)), POOLER);
    });
}

#[test]
fn guardrails_hold_through_it() {
    let limits = json!({
        "connection_limit": 2,
        "statement_timeout": "300ms",
        "lock_timeout": "100ms",
        "idle_in_transaction_session_timeout": "200ms",
    });
    pooled("guardrails_hold_through_it", json!({ "pool_held": limits }), "", |pooled| {
        let (one, other) = (pooled.session("pool_held").unwrap(), pooled.session("pool_held").unwrap());
        assert_eq!(refused(one.sql("SELECT pg_sleep(30)")), "57014");

        one.sql("CREATE TABLE contended ()").unwrap();
        let holder = server().session("pool_held", "rdsadmin").unwrap();
        holder.sql("SET idle_in_transaction_session_timeout = 0").unwrap();
        holder.sql("BEGIN; LOCK TABLE app.contended").unwrap();
        assert_eq!(refused(one.sql("SELECT FROM contended")), "55P03");
        drop(holder);

        // What a client sets for its session ends with its transaction, for itself and for all others.
        one.sql("SET statement_timeout = 0").unwrap();
        for session in [&one, &other] {
            assert_eq!(value(session, "SHOW statement_timeout"), "300ms");
        }
        one.sql("SELECT pg_advisory_lock(1)").unwrap();
        assert_eq!(server().superuser("SELECT FROM pg_locks WHERE locktype = 'advisory'"), Vec::<Vec<_>>::new());
        // Within one transaction it holds, as everywhere.
        assert!(one.sql("BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_sleep(0.5); COMMIT").is_ok());

        one.sql("BEGIN").unwrap();
        eventually("the forgotten transaction is ended", || sessions("pool_held") == 0);
        assert!(one.sql("SELECT 1").is_err());
        assert_eq!(value(&other, "SELECT 1"), "1");
    });
}

/// Why the module has pgBouncer clean up after every transaction.
#[test]
fn without_a_reset_after_each_transaction_settings_pass_to_the_next_client() {
    let name = "without_a_reset_after_each_transaction_settings_pass_to_the_next_client";
    let overrides = module("server_reset_query_always = false");
    pooled(name, json!({ "pool_leak": { "connection_limit": 2 } }), &overrides, |pooled| {
        let (one, other) = (pooled.session("pool_leak").unwrap(), pooled.session("pool_leak").unwrap());
        one.sql("SET statement_timeout = '7min'").unwrap();
        assert_eq!(value(&other, "SHOW statement_timeout"), "7min");
    });
}

/// A tenant may lift its own statement_timeout, but not pgBouncer's. The server only notices that nobody
/// waits any more where it is told to look.
#[test]
fn a_query_beyond_all_limits_is_cut_off() {
    if server().major < 14 {
        return;
    }
    let looks = json!({ "parameters": { "client_connection_check_interval": "100ms" } });
    let tenants = json!({ "pool_cut": {}, "pool_cut_and_seen": looks });
    let overrides = module("query_timeout = 1");
    pooled("a_query_beyond_all_limits_is_cut_off", tenants, &overrides, |pooled| {
        let started = Instant::now();
        for tenant in ["pool_cut", "pool_cut_and_seen"] {
            let session = pooled.session(tenant).unwrap();
            assert!(session.sql("BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_sleep(60)").is_err());
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
        eventually("the server sees that nobody waits", || sessions("pool_cut_and_seen") == 0);
        assert_eq!(sessions("pool_cut"), 1, "the server works on, for nobody");
    });
}

#[test]
fn the_pool_limit_holds() {
    let tenants = json!({ "pool_crowd": { "connection_limit": 5 }, "pool_calm": { "connection_limit": 2 } });
    pooled("the_pool_limit_holds", tenants, "", |pooled| {
        let done = AtomicBool::new(false);
        let (most, calm) = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..40)
                .map(|_| {
                    scope.spawn(|| {
                        let session = pooled.session("pool_crowd")?;
                        (0..5).try_for_each(|_| session.sql("SELECT pg_sleep(0.02)").map(drop))
                    })
                })
                .collect();
            let most = scope.spawn(|| {
                let mut most = 0;
                while !done.load(Ordering::Relaxed) {
                    most = most.max(sessions("pool_crowd"));
                }
                most
            });
            let calm = pooled.session("pool_calm").and_then(|session| session.sql("SELECT 1"));
            let crowd: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
            done.store(true, Ordering::Relaxed);
            assert!(crowd.iter().all(Result::is_ok), "{crowd:?}");
            (most.join().unwrap(), calm)
        });
        assert_eq!(most, 4, "five connections, one of them left to logins past the pool");
        assert!(calm.is_ok(), "{calm:?}");
    });
}

#[test]
fn a_suspended_tenant_is_kept_out() {
    let tenants = |suspended: bool| json!({ "pool_shut": { "suspended": suspended }, "pool_open": {} });
    pooled("a_suspended_tenant_is_kept_out", tenants(false), "", |pooled| {
        let before = pooled.session("pool_shut").unwrap();
        before.sql("SELECT 1").unwrap();
        pooled.set("tenants", &tenants(true));
        pooled.apply();
        // Before pgBouncer knows, the server refuses.
        assert!(before.sql("SELECT 1").is_err());
        assert!(pooled.session("pool_shut").and_then(|session| session.sql("SELECT 1")).is_err());
        assert_eq!(sessions("pool_shut"), 0);
        pooled.reload();
        let mark = server().log_mark();
        assert_eq!(refused(pooled.session("pool_shut")), POOLER);
        // A session that was ended says so when it is on no list any more.
        let log = server().log_since(mark);
        let mut asked = log.lines().filter(|line| line.contains("pool_shut@") && !line.contains(" disconnection: "));
        assert_eq!(asked.next(), None, "the server was asked");
        assert!(pooled.session("pool_open").unwrap().sql("SELECT 1").is_ok());

        pooled.set("tenants", &tenants(false));
        pooled.apply();
        pooled.reload();
        eventually("the tenant is back", || {
            pooled.session("pool_shut").is_ok_and(|session| session.sql("SELECT 1").is_ok())
        });
    });
}

/// Terraform reads the YAML; docker itself is not asked.
#[test]
fn the_compose_file_agrees_with_what_is_rendered() {
    let workspace = Workspace::new(PGTENANT);
    workspace.copy_beside(&examples::root(), "pgbouncer").unwrap();
    workspace.copy_beside(&examples::root(), "modules/pgbouncer").unwrap();
    workspace.write(
        "main.tf",
        "locals {
           compose = yamldecode(file(\"../pgbouncer/docker-compose.yml\"))
         }
         module \"pgbouncer\" {
           source      = \"../modules/pgbouncer\"
           tenants     = { acme = {} }
           host        = \"postgres\"
           listen_addr = \"*\"
           client_tls_sslmode = \"disable\"
           server_tls_sslmode = \"disable\"
         }
         output \"compose\" { value = local.compose }
         output \"ini\" { value = module.pgbouncer.pgbouncer_ini }\n",
    );
    workspace.run(&["get"]).ok().unwrap();
    workspace.run(&["apply", "-auto-approve"]).ok().unwrap();
    let outputs = workspace.state()["values"]["outputs"].clone();
    let services = &outputs["compose"]["value"]["services"];
    let names: BTreeSet<&str> = services.as_object().unwrap().keys().map(String::as_str).collect();
    let ini = outputs["ini"]["value"].as_str().unwrap();
    let setting = |name: &str| {
        let line = ini.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
        line.unwrap_or_else(|| panic!("no {name} in {ini}"))
    };
    let pooler = &services["pgbouncer"];
    assert_eq!(pooler["profiles"], json!(["pgbouncer"]));
    assert_eq!(services["postgres"]["profiles"], Value::Null);
    // The directory of the module's default is where the rendered files are mounted and read.
    assert_eq!(pooler["volumes"], json!(["./rendered:/etc/pgbouncer:ro"]));
    assert_eq!(pooler["command"], json!(["pgbouncer", "/etc/pgbouncer/pgbouncer.ini"]));
    assert_eq!(setting("auth_file"), "/etc/pgbouncer/userlist.txt");
    assert_eq!(setting("auth_hba_file"), "/etc/pgbouncer/pg_hba.conf");
    assert_eq!(pooler["ports"], json!([format!("127.0.0.1:6432:{}", setting("listen_port"))]));
    // The host that the example names is a service, and the default of its variable.
    assert!(names.contains("postgres") && ini.contains("acme = host=postgres port=5432 "), "{ini}");
    let variables = std::fs::read_to_string(examples::root().join("pgbouncer/variables.tf")).unwrap();
    assert!(variables.contains("{ host = \"postgres\", port = 5432 }") && variables.contains("\"/etc/pgbouncer\""));
}

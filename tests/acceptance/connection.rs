//! How the provider reaches a server, and what it says when it cannot: TLS as libpq has it, the settings
//! by attribute and by environment, and servers that are not there yet.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::fixture::{self, PROVIDER};
use crate::support::postgres::{ADMIN, Options, SUPERUSER, Server, pem};
use crate::support::terraform::Workspace;
use crate::support::tunnel::{Programs, Tunnel};
use crate::support::{scratch, skip};

type Env = BTreeMap<&'static str, String>;

/// Reads one thing from the server.
const READ: &str = "data \"pgtenant_tenants\" \"all\" {}\n";
/// With a provider block: to an error of the provider, Terraform adds one of its own where there is none.
const BARE: &str = "provider \"pgtenant\" {}\n data \"pgtenant_tenants\" \"all\" {}\n";

fn workspace(env: &Env, config: &str) -> Workspace {
    let mut workspace = Workspace::new(PROVIDER);
    workspace.envs(env).write("main.tf", config);
    workspace
}

/// A file that nobody but its owner may read.
fn private_file(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The environment with some of its variables set to something else; to nothing, they are left out.
fn but(env: &Env, changes: &[(&'static str, &str)]) -> Env {
    let mut env = env.clone();
    for (name, value) in changes {
        match *value {
            "" => drop(env.remove(name)),
            value => drop(env.insert(name, value.to_owned())),
        }
    }
    env
}

/// Planning fails with one error that holds all these words, and with no secret anywhere.
#[track_caller]
fn check_refused(env: &Env, config: &str, summary: &str, words: &[&str]) {
    let run = workspace(env, config).run(&["plan", "-json"]);
    let diagnostics = run.diagnostics();
    let [error] = &diagnostics[..] else { panic!("one diagnostic, for {summary}: {diagnostics:#?}") };
    assert_eq!((error["severity"].as_str(), error["summary"].as_str()), (Some("error"), Some(summary)), "{error:#}");
    let detail = error["detail"].as_str().unwrap();
    for word in words {
        assert!(detail.contains(word), "{word:?} in {detail:?}");
    }
    if let Some(password) = env.get("PGPASSWORD") {
        assert!(!run.stdout.contains(password) && !run.stderr.contains(password), "{}{}", run.stdout, run.stderr);
    }
}

#[track_caller]
fn check_accepted(env: &Env, config: &str) {
    workspace(env, config).run(&["plan"]).ok().unwrap();
}

#[test]
fn a_server_that_cannot_be_reached_or_refuses_is_one_clear_error() {
    let server = Server::shared();
    let env = server.env();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    server.superuser("CREATE ROLE connection_stranger NOLOGIN");

    let refused = "The PostgreSQL server refused the login";
    let words = ["28P01", "`username`", "PGUSER", "`password`", "PGPASSWORD"];
    check_refused(&but(&env, &[("PGPASSWORD", "not-the-password")]), READ, refused, &words);
    check_refused(&but(&env, &[("PGUSER", "nobody_of_that_name")]), READ, refused, &words);
    let words = ["`password`", "PGPASSWORD"];
    check_refused(&but(&env, &[("PGPASSWORD", "")]), READ, "The PostgreSQL server wants a password", &words);

    let unreachable = "Cannot reach the PostgreSQL server";
    // As long as nobody answers it is tried again.
    let hasty = but(&env, &[("PGCONNECT_TIMEOUT", "1")]);
    let words = ["`host`", "PGHOST", "`port`", "PGPORT"];
    check_refused(
        &but(&hasty, &[("PGPORT", &closed)]),
        READ,
        unreachable,
        &[&words[..], &["refused", &closed]].concat(),
    );
    let words = [&words[..], &["nowhere.invalid"]].concat();
    check_refused(&but(&hasty, &[("PGHOST", "nowhere.invalid")]), READ, unreachable, &words);
    check_refused(&but(&hasty, &[("PGHOST", "/nowhere")]), READ, unreachable, &["/nowhere/.s.PGSQL."]);

    let words = ["3D000", "no_such_database", "`database`", "PGDATABASE"];
    let missing = "The database does not exist";
    check_refused(&but(&env, &[("PGDATABASE", "no_such_database")]), READ, missing, &words);

    let refused = "The PostgreSQL server refused the session";
    for (role, sqlstate) in [("no_such_role", "22023"), ("connection_stranger", "42501")] {
        let config = format!("provider \"pgtenant\" {{\n  assume_role = {role:?}\n}}\n{READ}");
        check_refused(&env, &config, refused, &["`assume_role`", role, sqlstate]);
    }

    let words = ["`sslmode = \"disable\"`", "PGSSLMODE"];
    check_refused(&but(&env, &[("PGSSLMODE", "")]), READ, "The PostgreSQL server does not offer TLS", &words);
    let words = ["`username`", "PGUSER"];
    check_refused(&but(&env, &[("PGUSER", "")]), BARE, "No role to log in as", &words);
}

/// Resources ask the server at other times than data sources do, and each error is one all the same.
#[test]
fn a_wrong_password_is_one_error_for_a_resource() {
    let server = Server::shared();
    let env = but(&server.env(), &[("PGPASSWORD", "not-the-password")]);
    let config = "
        resource \"pgtenant_tenant\" \"a\" { name = \"connection_wrong\" }
        resource \"pgtenant_guardrails\" \"a\" { tenant = pgtenant_tenant.a.name }";
    check_refused(&env, config, "The PostgreSQL server refused the login", &["28P01"]);
}

/// In one test, because it is the server's log that tells who encrypted.
#[test]
fn tls_is_what_sslmode_says() {
    let server = Server::start(Options { tls_names: &["localhost"], ..Options::default() }).unwrap();
    let env = server.env();
    let (ca, wrong_ca) = (server.ca().display().to_string(), server.wrong_ca().display().to_string());
    assert_eq!((env["PGSSLMODE"].as_str(), &env["PGSSLROOTCERT"]), ("verify-full", &ca));

    let untrusted = "The PostgreSQL server's certificate is not trusted";
    let words = ["`sslrootcert`", "PGSSLROOTCERT"];
    for mode in ["", "verify-full", "verify-ca"] {
        let env = but(&env, &[("PGSSLMODE", mode), ("PGSSLROOTCERT", &wrong_ca)]);
        check_refused(&env, READ, untrusted, &words);
    }
    let other_name = but(&env, &[("PGHOST", "127.0.0.1")]);
    check_refused(&other_name, READ, untrusted, &["`host`", "`hostaddr`", "127.0.0.1", "localhost"]);
    let unreadable = but(&env, &[("PGSSLROOTCERT", "/nowhere/ca.pem")]);
    check_refused(&unreadable, BARE, "`sslrootcert` is not usable", &["/nowhere/ca.pem", "PGSSLROOTCERT"]);
    let not_pem = but(&env, &[("PGSSLROOTCERT", "/dev/null")]);
    check_refused(&not_pem, BARE, "`sslrootcert` is not usable", &["no certificate", "PGSSLROOTCERT"]);

    let check = |env: &Env, attributes: &str, encrypted: bool| {
        let mark = server.log_mark();
        check_accepted(env, &format!("provider \"pgtenant\" {{\n{attributes}\n}}\n{READ}"));
        let log = server.log_since(mark);
        let authorized: Vec<&str> = log.lines().filter(|line| line.contains("connection authorized")).collect();
        assert!(!authorized.is_empty());
        assert!(
            authorized.iter().all(|line| line.contains("SSL enabled") == encrypted),
            "{attributes}: {authorized:#?}"
        );
    };
    check(&env, "", true);
    check(&but(&env, &[("PGSSLMODE", "")]), "", true);
    let bare = but(&env, &[("PGSSLMODE", ""), ("PGSSLROOTCERT", "")]);
    check(&bare, &format!("sslrootcert = {ca:?}"), true);
    check(&bare, &format!("sslrootcert = file({ca:?})"), true);
    check(&other_name, "sslmode = \"verify-ca\"", true);
    // Whoever names an authority means it.
    let require = but(&other_name, &[("PGSSLMODE", "require"), ("PGSSLROOTCERT", &wrong_ca)]);
    check_refused(&require, READ, untrusted, &words);
    check(&other_name, "sslmode = \"require\"", true);
    check(&but(&other_name, &[("PGSSLROOTCERT", "")]), "sslmode = \"require\"", true);
    let weak = but(&env, &[("PGSSLMODE", "verify-ca"), ("PGSSLROOTCERT", "")]);
    check_refused(&weak, BARE, "`sslmode` is weaker than it looks", &["verify-full", "`sslrootcert`"]);
    check(&bare, "sslmode = \"disable\"", false);

    // Tenants are made over it, not only looked at.
    let workspace = workspace(&env, &fixture::tenant("a", "extensions = [\"pgcrypto\"]"));
    workspace.apply();
    workspace.destroy();
}

/// A bastion in between: the server's certificate is verified for its name all the same.
#[test]
fn a_tunnel_leads_to_the_server() {
    let server = Server::start(Options { tls_names: &["db.internal.example"], ..Options::default() }).unwrap();
    let programs = match Programs::find() {
        Ok(programs) => programs,
        Err(why) => return skip("connection::a_tunnel_leads_to_the_server", &why),
    };
    let tunnel = Tunnel::to(server.port, &programs).unwrap();
    let port = tunnel.port.to_string();
    let env = but(&server.env(), &[("PGHOSTADDR", "127.0.0.1"), ("PGPORT", &port)]);
    let workspace = workspace(&env, &fixture::tenant("tunnelled", ""));
    workspace.apply();
    let mark = server.log_mark();
    workspace.assert_empty_plan();
    let log = server.log_since(mark);
    assert!(log.lines().filter(|line| line.contains("connection authorized")).all(|line| line.contains("SSL enabled")));
    workspace.destroy();
    let near = but(&env, &[("PGHOST", "localhost")]);
    check_refused(
        &near,
        READ,
        "The PostgreSQL server's certificate is not trusted",
        &["`hostaddr`", "db.internal.example"],
    );
}

/// What psql finds its way by, the provider does.
#[test]
fn libpqs_files_and_addresses_lead_to_the_server() {
    let server = Server::start(Options { tls_names: &["db.internal.example"], ..Options::default() }).unwrap();
    let env = server.env();
    // Nobody resolves that name.
    check_refused(&env, READ, "Cannot reach the PostgreSQL server", &["db.internal.example"]);
    let tunnel = but(&env, &[("PGHOSTADDR", "127.0.0.1")]);
    check_accepted(&tunnel, READ);
    let other = but(&tunnel, &[("PGHOST", "other.example")]);
    check_refused(&other, READ, "The PostgreSQL server's certificate is not trusted", &["other.example"]);

    let files = scratch::directory("libpq").unwrap();
    let file = |name: &str, text: &str| private_file(&files, name, text);
    let password = &server.admin_password;
    let passfile =
        file("passfile", &format!("elsewhere:*:*:*:no\ndb.internal.example:{}:*:{ADMIN}:{password}\n", server.port));
    let by_passfile = but(&tunnel, &[("PGPASSWORD", ""), ("PGPASSFILE", &passfile)]);
    check_accepted(&by_passfile, READ);
    let elsewhere = but(&by_passfile, &[("PGUSER", "nobody")]);
    check_refused(&elsewhere, READ, "The PostgreSQL server wants a password", &["`password`", "`passfile`"]);
    let services = file(
        "services",
        &format!(
            "[lab]\nhost=db.internal.example\nhostaddr=127.0.0.1\nport={}\nuser={ADMIN}\npassword={password}\ndbname=postgres\n\
             sslmode=verify-full\nsslrootcert={}\n",
            server.port,
            server.ca().display()
        ),
    );
    let nothing: Vec<_> = env.keys().map(|name| (*name, "")).filter(|(name, _)| name.starts_with("PG")).collect();
    let by_service = but(&but(&env, &nothing), &[("PGSERVICEFILE", &services), ("PGSERVICE", "lab")]);
    check_accepted(&by_service, READ);
    check_refused(
        &but(&by_service, &[("PGSERVICE", "labs")]),
        BARE,
        "`service` is not usable",
        &["\"labs\"", &services],
    );

    // Two hosts at one address; at the first one's port nobody listens.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ports = format!("{closed},{}", server.port);
    let two = but(
        &tunnel,
        &[("PGHOST", "first.example,db.internal.example"), ("PGHOSTADDR", "127.0.0.1,127.0.0.1"), ("PGPORT", &ports)],
    );
    check_accepted(&two, READ);
    for (wanted, is_there) in [("primary", true), ("read-write", true), ("prefer-standby", true), ("standby", false)] {
        let env = but(&two, &[("PGTARGETSESSIONATTRS", wanted), ("PGCONNECT_TIMEOUT", "2")]);
        if is_there {
            check_accepted(&env, READ);
        } else {
            check_refused(&env, READ, "Cannot reach the PostgreSQL server", &["first.example"]);
            let one = but(
                &env,
                &[("PGHOST", "db.internal.example"), ("PGHOSTADDR", "127.0.0.1"), ("PGPORT", &server.port.to_string())],
            );
            let summary = "No PostgreSQL server of the wanted kind";
            check_refused(&one, READ, summary, &["is a primary", "`target_session_attrs`"]);
        }
    }
}

/// A server that wants a certificate gets the one that it trusts, in whatever way TLS begins.
#[test]
fn a_server_that_asks_for_a_certificate_gets_one() {
    let options = |major| Options { major, tls_names: &["localhost"], ..Options::default() };
    let server = Server::start(options(Some(17))).or_else(|_| Server::start(options(None))).unwrap();
    let authority = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = params.self_signed(&authority).unwrap();
    let issuer = Issuer::new(params, &authority);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, ADMIN);
    let certificate = pem("CERTIFICATE", params.signed_by(&key, &issuer).unwrap().der());

    let trusted = server.dir.join("clients.pem");
    fs::write(&trusted, pem("CERTIFICATE", root.der())).unwrap();
    server.superuser(&format!("ALTER SYSTEM SET ssl_ca_file = '{}'", trusted.display()));
    server.hba("hostssl all all all cert");

    let env = but(&server.env(), &[("PGPASSWORD", "")]);
    check_refused(&env, READ, "The PostgreSQL server refused the login", &["28000"]);
    let files = scratch::directory("certificates").unwrap();
    let file = |name: &str, text: &str| private_file(&files, name, text);
    let (certificate, key) = (file("crt", &certificate), file("key", &pem("PRIVATE KEY", &key.serialize_der())));
    let shown = but(&env, &[("PGSSLCERT", &certificate), ("PGSSLKEY", &key)]);
    check_accepted(&shown, READ);
    check_accepted(&but(&shown, &[("PGSSLMINPROTOCOLVERSION", "TLSv1.3")]), READ);
    if server.major >= 17 {
        check_accepted(&but(&shown, &[("PGSSLNEGOTIATION", "direct")]), READ);
    }
    let text =
        format!("provider \"pgtenant\" {{\n  sslcert = file({certificate:?})\n  sslkey = file({key:?})\n}}\n{READ}");
    check_accepted(&env, &text);
    let encrypted =
        file("encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let summary = "The provider's own certificate is not usable";
    check_refused(&but(&shown, &[("PGSSLKEY", &encrypted)]), READ, summary, &["encrypted", "openssl pkey"]);
    server.superuser("ALTER SYSTEM SET ssl_max_protocol_version = 'TLSv1.2'");
    server.reload();
    let new = but(&shown, &[("PGSSLMINPROTOCOLVERSION", "TLSv1.3")]);
    check_refused(&new, READ, "TLS with the PostgreSQL server failed", &["localhost"]);
}

/// Without TLS that verifies it, a server is not told the password, nor trusted for nothing.
#[test]
fn a_server_gets_the_proof_that_it_may_ask_for() {
    let server = Server::start(Options { tls_names: &["localhost"], ..Options::default() }).unwrap();
    let asks = |method: &str| server.hba(&format!("host all all all {method}"));
    let env = server.env();
    let clear = but(&env, &[("PGSSLMODE", "disable")]);
    let unverified = but(&env, &[("PGSSLMODE", "require"), ("PGSSLROOTCERT", "")]);
    let summary = "The PostgreSQL server asks for a login that is not allowed";
    let check = |name: &str, asked: &str| {
        for env in [&clear, &unverified] {
            check_refused(env, READ, summary, &[asked, "PGREQUIREAUTH", "verify-full"]);
            check_accepted(&but(env, &[("PGREQUIREAUTH", name)]), READ);
        }
        check_accepted(&env, READ);
        check_refused(&but(&env, &[("PGREQUIREAUTH", "scram-sha-256")]), READ, summary, &[asked]);
        let bound = workspace(&but(&env, &[("PGCHANNELBINDING", "require")]), READ).run(&["plan"]);
        assert!(!bound.status.success(), "{asked} is bound to nothing");
    };
    asks("scram-sha-256");
    for env in [&clear, &unverified, &env] {
        check_accepted(env, READ);
    }
    check_accepted(&but(&env, &[("PGCHANNELBINDING", "require")]), READ);
    check_refused(&but(&env, &[("PGREQUIREAUTH", "!scram-sha-256")]), READ, summary, &["SCRAM-SHA-256"]);
    asks("password");
    check("password", "the password in clear text");
    asks("trust");
    check("none", "no proof at all");
    let set = format!("SET password_encryption = md5; ALTER ROLE {ADMIN} PASSWORD '{}'", server.admin_password);
    server.superuser(&set);
    asks("md5");
    check("md5", "an MD5 hash of the password");
}

/// There is such a package for this platform only.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn a_server_that_is_too_old_is_one_clear_error() {
    if !crate::majors::is_there("connection::a_server_that_is_too_old_is_one_clear_error", 12) {
        return;
    }
    let server = Server::start(Options { major: Some(12), ..Options::default() }).unwrap();
    check_refused(&server.env(), READ, "The PostgreSQL server is too old", &["PostgreSQL 12.", "13"]);
    let config = "resource \"pgtenant_tenant\" \"a\" { name = \"a\" }";
    check_refused(&server.env(), config, "The PostgreSQL server is too old", &["PostgreSQL 12.", "13"]);
}

#[test]
fn attributes_go_before_the_environment() {
    let server = Server::shared();
    let mut env: Env = server.env().into_keys().map(|name| (name, "/nowhere".to_owned())).collect();
    env.insert("TF_VAR_password", server.admin_password.clone());
    let config = format!(
        "variable \"password\" {{ sensitive = true }}
        provider \"pgtenant\" {{
          host = {:?}
          port = {}
          database = \"postgres\"
          username = {ADMIN:?}
          password = var.password
          sslmode = \"disable\"
          sslrootcert = \"system\"
        }}
        {READ}",
        server.host, server.port
    );
    // That the environment does not do is what the missing `port` shows.
    let port = format!("port = {}\n", server.port);
    let run = workspace(&env, &config.replace(&port, "\n")).run(&["plan", "-json"]);
    assert!(run.diagnostics()[0]["detail"].as_str().unwrap().contains("the environment variable PGPORT"));
    check_accepted(&env, &config);
}

#[test]
fn a_unix_socket_is_a_host() {
    let server = Server::shared();
    // No sslmode, whose default is verify-full: a socket has no TLS. And no password: it asks for none.
    let env = but(&server.env(), &[("PGHOST", ""), ("PGSSLMODE", ""), ("PGPASSWORD", "")]);
    let config = format!(
        "provider \"pgtenant\" {{ host = {:?} }}
        resource \"pgtenant_tenant\" \"a\" {{
          name = \"connection_socket\"
          deletion_protection = false
        }}",
        server.dir
    );
    let workspace = workspace(&env, &config);
    workspace.apply();
    workspace.destroy();
    assert_eq!(server.superuser("SELECT FROM pg_roles WHERE rolname = 'connection_socket'").len(), 0);
}

/// Work in the tenant's database and in the maintenance database takes turns on the one connection.
#[test]
fn one_connection_is_enough() {
    let server = Server::shared();
    let env = server.another_admin("connection_frugal");
    let config = |limit: u32| {
        format!(
            "provider \"pgtenant\" {{
              max_connections = 1
              deep_verify     = true
            }}
            resource \"pgtenant_tenant\" \"a\" {{
              name                = \"connection_one\"
              extensions          = [\"citext\", \"pgcrypto\"]
              deletion_protection = false
            }}
            resource \"pgtenant_guardrails\" \"a\" {{
              tenant           = pgtenant_tenant.a.name
              connection_limit = {limit}
              parameters       = {{ work_mem = \"8MB\" }}
            }}
            {READ}"
        )
    };
    let workspace = workspace(&env, &config(3));
    workspace.apply();
    workspace.write("main.tf", &config(4).replace("connection_one", "connection_uno"));
    workspace.apply();
    workspace.destroy();
}

#[test]
fn admins_of_one_group_take_turns() {
    let server = Server::shared();
    let (first, second) = (server.another_admin("connection_first"), server.another_admin("connection_second"));
    server.superuser(
        "CREATE ROLE connection_group NOLOGIN CREATEDB CREATEROLE;
         GRANT rds_superuser TO connection_group;
         GRANT connection_group TO connection_first, connection_second;
         ALTER ROLE connection_first NOCREATEDB NOCREATEROLE;
         ALTER ROLE connection_second NOCREATEDB NOCREATEROLE;",
    );
    let config = |more: &str| {
        format!(
            "provider \"pgtenant\" {{ assume_role = \"connection_group\" }}
            resource \"pgtenant_tenant\" \"a\" {{
              name                = \"connection_rotated\"
              deletion_protection = false
              {more}
            }}
            resource \"pgtenant_guardrails\" \"a\" {{ tenant = pgtenant_tenant.a.name }}"
        )
    };
    let mut workspace = workspace(&first, &config("extensions = [\"pgcrypto\"]"));
    workspace.apply();
    let owners = "SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()
                  UNION ALL SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname IN ('app', 'extensions')
                  UNION ALL SELECT extowner::regrole::text FROM pg_extension WHERE extname = 'pgcrypto'";
    let owners = server.sql("connection_rotated", SUPERUSER, owners).unwrap();
    assert_eq!(owners, vec![vec![Some("connection_group".to_owned())]; 4]);

    server.superuser("DROP OWNED BY connection_first; DROP ROLE connection_first");
    workspace
        .envs(&second)
        .write("main.tf", &config("extensions = []\nsuspended = true\nallow_temporary_tables = true"));
    workspace.apply();
    let login = "SELECT rolcanlogin FROM pg_roles WHERE rolname = 'connection_rotated'";
    assert_eq!(server.superuser(login), [[Some("f".to_owned())]]);
    workspace.destroy();
    assert_eq!(server.superuser(login).len(), 0);
}

/// As with a server that is made in the same apply. `terraform_data` knows its output after apply only.
#[test]
fn a_host_that_is_not_known_yet_is_waited_for() {
    let server = Server::shared();
    let env = but(&server.env(), &[("PGHOST", "")]);
    let config = |generation: u32, limit: u32| {
        format!(
            "resource \"terraform_data\" \"host\" {{
              input            = {:?}
              triggers_replace = {generation}
            }}
            provider \"pgtenant\" {{ host = terraform_data.host.output }}
            resource \"pgtenant_tenant\" \"a\" {{
              name                = \"connection_later\"
              deletion_protection = false
            }}
            resource \"pgtenant_guardrails\" \"a\" {{
              tenant           = pgtenant_tenant.a.name
              connection_limit = {limit}
              parameters       = {{ work_mem = \"8MB\" }}
            }}",
            server.host
        )
    };
    let workspace = workspace(&env, &config(1, 3));
    let all = ["pgtenant_guardrails.a", "pgtenant_tenant.a", "terraform_data.host"];
    assert_eq!(workspace.plan().addresses(), all);
    workspace.apply();

    // Made again, so unknown again: what is there already stays as the state has it, with a word on that.
    workspace.write("main.tf", &config(2, 3));
    assert_eq!(workspace.plan().addresses(), ["terraform_data.host"]);
    let warnings = workspace.run(&["plan", "-json"]).diagnostics();
    assert!(!warnings.is_empty() && warnings.iter().all(|warning| warning["severity"] == "warning"), "{warnings:#?}");
    assert!(
        warnings
            .iter()
            .all(|warning| warning["summary"] == "Refresh skipped: the provider configuration is not known yet"),
        "{warnings:#?}"
    );
    workspace.apply();

    // And a change that waits for the host along with it.
    workspace.write("main.tf", &config(3, 4));
    assert_eq!(workspace.plan().addresses(), ["pgtenant_guardrails.a", "terraform_data.host"]);
    workspace.apply();
    let limit = "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'connection_later'";
    assert_eq!(server.superuser(limit), [[Some("4".to_owned())]]);
    workspace.destroy();

    // What only the server can refuse is refused when it is there.
    workspace.write("main.tf", &config(4, 4).replace("8MB", "enormous"));
    assert_eq!(workspace.plan().addresses(), all);
    assert!(workspace.apply_error().contains("Parameter \"work_mem\" does not take this value"));
    workspace.write("main.tf", &config(4, 4));
    workspace.destroy();
}

//! The ground that the other tests stand on: the server, what it leaves behind, and the workspace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::support::postgres::{ADMIN, Options, SUPERUSER, Server};
use crate::support::terraform::{Installation, Workspace};
use crate::support::{eventually, is_running, signal};

const PROVIDER: &str = env!("CARGO_BIN_EXE_terraform-provider-pgtenant");

#[test]
fn the_admin_is_what_a_managed_service_gives_out() {
    let server = Server::shared();
    let row = |text| server.sql("postgres", ADMIN, text).unwrap().remove(0).into_iter().flatten().collect::<Vec<_>>();

    assert_eq!(row("SHOW server_version_num")[0][..2], server.major.to_string());
    let attributes = "SELECT rolcanlogin, rolcreatedb, rolcreaterole, rolsuper, rolreplication, rolbypassrls
                      FROM pg_roles WHERE rolname = current_user";
    assert_eq!(row(attributes), ["t", "t", "t", "f", "f", "f"]);
    let memberships = "SELECT r, pg_has_role(current_user, r, 'MEMBER')
                       FROM unnest(ARRAY['rds_superuser', 'pg_monitor', 'pg_signal_backend']) AS r
                       WHERE NOT pg_has_role(current_user, r, 'MEMBER')";
    assert_eq!(server.sql("postgres", ADMIN, memberships).unwrap(), Vec::<Vec<_>>::new());
    assert_eq!(row("SELECT rolname FROM pg_roles WHERE rolsuper"), [SUPERUSER]);

    let refused = server.sql("postgres", ADMIN, "ALTER SYSTEM SET jit = off");
    assert_eq!(refused.unwrap_err().sqlstate, "42501");
}

#[test]
fn passwords_count_over_tcp_and_statements_are_logged() {
    let server = Server::shared();
    let mark = server.log_mark();
    let session = server.session_with_password("postgres", ADMIN, &server.admin_password).unwrap();
    session.sql("SELECT 'seen in the log'").unwrap();
    drop(session);
    assert!(server.log_since(mark).contains("seen in the log"));
    assert!(!server.log().contains(&server.admin_password));
    let error = server.session_with_password("postgres", ADMIN, "wrong").err().expect("a wrong password is refused");
    assert_eq!(error.sqlstate, "28P01");
}

#[test]
fn a_server_can_have_a_certificate_and_be_stopped() {
    let options = Options {
        tls_names: &["localhost"],
        admin_owns_maintenance: true,
        extra_conf: "work_mem = 5MB",
        ..Options::default()
    };
    let server = Server::start(options).unwrap();
    assert_eq!(server.superuser("SHOW ssl; SHOW work_mem"), [[Some("on".to_owned())], [Some("5MB".to_owned())]]);
    let owners = "SELECT DISTINCT datdba::regrole FROM pg_database WHERE datname <> 'template0'";
    assert_eq!(server.superuser(owners), [[Some(ADMIN.to_owned())]]);
    assert_eq!(trusts(&server, &server.ca()), Ok(()));
    assert_ne!(trusts(&server, &server.wrong_ca()), Ok(()));

    let (pid, dir) = (server.pid(), server.dir.clone());
    server.stop();
    assert!(!is_running(pid) && !dir.exists());
}

/// Whether a client that knows that authority only would talk to the server.
fn trusts(server: &Server, ca: &Path) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let mut config = tokio_postgres::Config::new();
    config.host(server.host).port(server.port).user(ADMIN).password(&server.admin_password).dbname("postgres");
    config.ssl_mode(tokio_postgres::config::SslMode::Require);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connected = runtime.block_on(config.connect(MakeRustlsConnect::new(tls)));
    connected.map(drop).map_err(|error| error.to_string())
}

/// Runs this very test in processes of their own, as `MARK` tells them, and ends them without warning.
#[test]
fn a_process_that_is_killed_leaves_nothing_behind() {
    const MARK: &str = "PGTENANT_TEST_LEAVES_BEHIND";
    if let Some(report) = std::env::var_os(MARK).map(PathBuf::from) {
        let server = Server::start(Options::default()).unwrap();
        let line = format!("{} {}", server.pid(), server.dir.display());
        fs::write(report.with_extension("tmp"), line).unwrap();
        fs::rename(report.with_extension("tmp"), &report).unwrap();
        loop {
            std::thread::park();
        }
    }

    let reports = crate::support::scratch::directory("reports").unwrap();
    let start = |name: &str| -> (Child, PathBuf) {
        let report = reports.join(name);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "harness::a_process_that_is_killed_leaves_nothing_behind"]).env(MARK, &report);
        (command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap(), report)
    };
    let end = |(mut child, report): (Child, PathBuf), number: i32| {
        eventually("the child has a server", || report.exists());
        let text = fs::read_to_string(report).unwrap();
        let (pid, dir) = text.split_once(' ').unwrap();
        let (pid, dir) = (pid.parse().unwrap(), Path::new(dir));
        assert!(is_running(pid) && dir.exists());
        signal(child.id() as i32, number);
        child.wait().unwrap();
        eventually("the server is gone", || !is_running(pid));
        eventually("the scratch directory is gone", || !dir.parent().unwrap().exists());
    };
    let (killed, interrupted) = (start("killed"), start("interrupted"));
    end(killed, libc::SIGKILL);
    end(interrupted, libc::SIGINT);
}

/// `terraform_data` is built into Terraform: what is tried here is the workspace, without our provider.
fn without_provider() -> Workspace {
    let workspace = Workspace::new(PROVIDER);
    workspace.write("versions.tf", "");
    workspace
}

#[test]
fn a_workspace_plans_applies_imports_and_destroys() {
    let workspace = without_provider();
    let config = |input: &str| format!("resource \"terraform_data\" \"one\" {{\n  input = {input}\n}}\n");
    workspace.write("main.tf", &config("{ a = 1, b = [1, 2] }"));
    assert_eq!(workspace.plan().actions("terraform_data.one"), ["create"]);
    workspace.apply();
    assert_eq!(workspace.resource("terraform_data.one")["output"]["a"], 1);
    assert!(workspace.plan().is_empty());

    workspace.write("main.tf", &config("{ a = 1, b = [1, 3] }"));
    let plan = workspace.plan();
    assert_eq!(plan.addresses(), ["terraform_data.one"]);
    assert_eq!(plan.changes("terraform_data.one"), ["input.b[1]", "output"]);
    assert_eq!(plan.diff("terraform_data.one")[0].after, Some(3.into()));
    workspace.apply();

    let id = workspace.resource("terraform_data.one")["id"].as_str().unwrap().to_owned();
    workspace.import_fresh(&[("terraform_data.one", &id)], &[], &["input", "output"]);

    workspace.write("main.tf", &config("file(\"absent\")"));
    assert!(workspace.plan_error().contains("no file exists at"), "{}", workspace.plan_error());
    assert!(workspace.apply_error().contains("no file exists at"));
    workspace.write("main.tf", "");
    workspace.destroy();
    assert_eq!(workspace.resource("terraform_data.one"), serde_json::Value::Null);
}

/// An expression that is new every time is what a provider that never settles looks like.
#[test]
fn an_apply_that_leaves_something_to_change_is_an_error() {
    let workspace = without_provider();
    workspace.write("main.tf", "resource \"terraform_data\" \"restless\" {\n  input = timestamp()\n}\n");
    let error = workspace.try_apply().expect_err("the second plan is not empty");
    assert!(error.contains("the plan after apply is not empty"), "{error}");
    assert!(error.contains("terraform_data.restless will be updated in-place"), "{error}");
}

#[test]
fn a_spawned_terraform_can_be_interrupted_as_with_ctrl_c() {
    let workspace = without_provider();
    let provisioner = "provisioner \"local-exec\" {\n    command = \"touch started && sleep 100\"\n  }";
    workspace.write("main.tf", &format!("resource \"terraform_data\" \"slow\" {{\n  {provisioner}\n}}\n"));
    let mut running = workspace.spawn(&["apply", "-auto-approve"]);
    eventually("the provisioner runs", || workspace.dir.join("started").exists());
    assert!(running.is_running());
    let interrupted = Instant::now();
    running.interrupt();
    let run = running.wait();
    assert!(!run.status.success() && run.stdout.contains("Interrupt received"), "{run:?}");
    assert!(interrupted.elapsed() < Duration::from_secs(50));
}

#[test]
fn a_mirror_installs_the_provider_and_locks_it() {
    let workspace = Workspace::with(Path::new(PROVIDER), Installation::Mirror).unwrap();
    workspace.run(&["init"]).ok().unwrap();
    let lock = fs::read_to_string(workspace.dir.join(".terraform.lock.hcl")).unwrap();
    assert!(lock.contains("/pgtenant/pgtenant\" {"), "{lock}");
    assert!(lock.contains(env!("CARGO_PKG_VERSION")), "{lock}");
}

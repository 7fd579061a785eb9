//! The binary as Terraform starts it: handshake, mTLS, and how it ends. Does not depend on what
//! the provider offers.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use pgtenant::tf_provider::wire::{plugin, tfplugin5 as wire};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P521_SHA512};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use super::client::Client;

const BINARY: &str = env!("CARGO_BIN_EXE_terraform-provider-pgtenant");
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// A client's certificate as Terraform makes it: P-521, self-signed, a CA.
struct Certificate {
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl Certificate {
    fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap();
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Certificate { der: parameters.self_signed(&key).unwrap().der().clone(), key }
    }

    fn pem(&self) -> String {
        let text = STANDARD.encode(&self.der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }
}

/// The binary with the environment that Terraform gives it, and no other.
fn command() -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().env("TF_PLUGIN_MAGIC_COOKIE", COOKIE).env("PLUGIN_PROTOCOL_VERSIONS", "5,6");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A started binary that has shaken hands. Ended when dropped, so that it removes its socket.
struct Plugin {
    child: Child,
    parts: Vec<String>,
}

impl Plugin {
    fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let line = line.strip_suffix('\n').expect("a whole line");
        Plugin { child, parts: line.split('|').map(str::to_owned).collect() }
    }

    fn socket(&self) -> PathBuf {
        PathBuf::from(&self.parts[3])
    }

    fn signal(&self, signal: i32) {
        send(self.child.id(), signal);
    }

    fn ended_within(&mut self, time: Duration) -> Option<ExitStatus> {
        poll(time, || self.child.try_wait().unwrap())
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(15);
            if self.ended_within(Duration::from_secs(5)).is_none() {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
            }
        }
    }
}

fn send(pid: u32, signal: i32) {
    let status = Command::new("kill").arg(format!("-{signal}")).arg(pid.to_string()).status().unwrap();
    assert!(status.success());
}

/// Asks again and again, until there is an answer or the time is over.
fn poll<T>(time: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        match ask() {
            None if started.elapsed() < time => std::thread::sleep(Duration::from_millis(10)),
            answer => return answer,
        }
    }
}

fn tls(
    plugin: &Plugin,
    certificate: Option<&Certificate>,
    version: &'static SupportedProtocolVersion,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(STANDARD_NO_PAD.decode(&plugin.parts[5]).unwrap())).unwrap();
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(crypto).with_protocol_versions(&[version]).unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match certificate {
        None => builder.with_no_client_auth(),
        Some(certificate) => {
            let key = PrivateKeyDer::Pkcs8(certificate.key.serialize_der().into());
            builder.with_client_auth_cert(vec![certificate.der.clone()], key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// The provider's schema. An error if the connection was refused, at once or, as TLS 1.3 does,
/// with the first call.
async fn get_schema(
    plugin: &Plugin,
    tls: Option<Arc<ClientConfig>>,
) -> Result<wire::get_provider_schema::Response, String> {
    let client = Client::connect(plugin.socket(), tls).await.map_err(|error| format!("{error:?}"))?;
    let request = wire::get_provider_schema::Request {};
    client.call("/tfplugin5.Provider/GetSchema", request).await.map_err(|status| format!("{status:?}"))
}

#[tokio::test]
async fn the_handshake_is_one_line_that_leads_to_the_provider() {
    let plugin = Plugin::start(&mut command());
    assert_eq!(plugin.parts.len(), 6, "{:?}", plugin.parts);
    assert_eq!(plugin.parts[..3], ["1", "5", "unix"]);
    assert_eq!(plugin.parts[4..], ["grpc", ""]);
    let directory = std::fs::metadata(plugin.socket().parent().unwrap()).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&directory.permissions()) & 0o777, 0o700);
    let schema = get_schema(&plugin, None).await.unwrap();
    assert!(schema.provider.is_some() && schema.diagnostics.is_empty());
}

#[test]
fn without_terraform_it_says_what_it_is_and_fails() {
    let check = |command: &mut Command, text: &str| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(output.stdout, b"");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(text), "{stderr}");
    };
    check(command().env_remove("TF_PLUGIN_MAGIC_COOKIE"), "This is a Terraform provider");
    check(command().env("TF_PLUGIN_MAGIC_COOKIE", "another"), "This is a Terraform provider");
    check(command().env("PLUGIN_PROTOCOL_VERSIONS", "6"), "speaks plugin protocol 5");
    check(command().env("PLUGIN_CLIENT_CERT", "no PEM"), "PLUGIN_CLIENT_CERT is not a PEM certificate");
    check(command().arg("--no-such-option"), "unknown arguments");
}

#[test]
fn it_tells_its_version_and_its_usage() {
    let check = |argument: &str, text: &str| {
        let output = command().env_clear().arg(argument).output().unwrap();
        assert!(output.status.success());
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.contains(text), "{stdout}");
    };
    check("--version", concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")));
    check("--help", "--debug");
}

#[tokio::test]
async fn mtls_admits_the_one_client_and_nobody_else() {
    let (client, other) = (Certificate::new(), Certificate::new());
    let plugin = Plugin::start(command().env("PLUGIN_CLIENT_CERT", client.pem()));
    for version in [&TLS12, &TLS13] {
        let schema = get_schema(&plugin, Some(tls(&plugin, Some(&client), version))).await.unwrap();
        assert!(schema.provider.is_some());
        get_schema(&plugin, Some(tls(&plugin, Some(&other), version))).await.unwrap_err();
        get_schema(&plugin, Some(tls(&plugin, None, version))).await.unwrap_err();
    }
    get_schema(&plugin, None).await.unwrap_err();
    // Those who were refused did it no harm.
    get_schema(&plugin, Some(tls(&plugin, Some(&client), &TLS13))).await.unwrap();
}

#[tokio::test]
async fn it_is_healthy() {
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
    let certificate = Certificate::new();
    let plugin = Plugin::start(command().env("PLUGIN_CLIENT_CERT", certificate.pem()));
    let tls = tls(&plugin, Some(&certificate), &TLS13);
    let client = Client::connect(plugin.socket(), Some(tls)).await.unwrap();
    let request = HealthCheckRequest { service: "plugin".to_owned() };
    let health: HealthCheckResponse = client.call("/grpc.health.v1.Health/Check", request).await.unwrap();
    assert_eq!(health.status(), ServingStatus::Serving);
}

#[tokio::test]
async fn shutdown_ends_it_and_leaves_nothing_behind() {
    let certificate = Certificate::new();
    let mut plugin = Plugin::start(command().env("PLUGIN_CLIENT_CERT", certificate.pem()));
    let tls = tls(&plugin, Some(&certificate), &TLS13);
    let client = Client::connect(plugin.socket(), Some(tls)).await.unwrap();
    let mut stdio = client.stream::<_, plugin::StdioData>("/plugin.GRPCStdio/StreamStdio", ()).await.unwrap();
    let _: plugin::Empty = client.call("/plugin.GRPCController/Shutdown", plugin::Empty {}).await.unwrap();
    // The end of the stream, or of the connection with it.
    assert!(!matches!(stdio.message().await, Ok(Some(_))));
    let status =
        plugin.ended_within(Duration::from_secs(2)).expect("ends within 2 s, though the client is still there");
    assert!(status.success(), "{status}");
    assert!(!plugin.socket().parent().unwrap().exists());
}

#[tokio::test]
async fn ctrl_c_does_not_end_it_but_sigterm_does() {
    let mut plugin = Plugin::start(&mut command());
    for _ in 0..3 {
        plugin.signal(2);
        get_schema(&plugin, None).await.unwrap();
    }
    assert!(plugin.child.try_wait().unwrap().is_none());
    plugin.signal(15);
    let status = plugin.ended_within(Duration::from_secs(2)).expect("ends within 2 s");
    assert!(status.success(), "{status}");
    assert!(!plugin.socket().parent().unwrap().exists());
}

/// What it holds in memory is in no file that a crash leaves.
#[cfg(target_os = "linux")]
#[test]
fn it_leaves_no_core_dump() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    // What cannot be dumped belongs to root in /proc: to be told from what root started, it is started by another.
    let directory = tempfile::tempdir().unwrap();
    let binary = directory.path().join("provider");
    std::fs::copy(BINARY, &binary).unwrap();
    let mut command = Command::new(&binary);
    command.env_clear().env("TF_PLUGIN_MAGIC_COOKIE", COOKIE).env("PLUGIN_PROTOCOL_VERSIONS", "5");
    command.env("TMPDIR", directory.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    if std::fs::metadata(directory.path()).unwrap().uid() == 0 {
        const NOBODY: u32 = 65534;
        chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    let plugin = Plugin::start(&mut command);
    let proc = PathBuf::from(format!("/proc/{}", plugin.child.id()));
    let limits = std::fs::read_to_string(proc.join("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    assert_eq!(std::fs::metadata(proc.join("environ")).unwrap().uid(), 0);
}

#[test]
fn when_terraform_is_killed_it_ends_too() {
    let mut shell = Command::new("sh");
    // The shell stands for Terraform: it starts the binary and tells its process ID on stderr.
    shell.args(["-c", "\"$0\" & echo $! >&2; wait", BINARY]);
    shell.env("TF_PLUGIN_MAGIC_COOKIE", COOKIE).env("PLUGIN_PROTOCOL_VERSIONS", "5");
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut shell = Plugin::start(&mut shell);
    let mut pid = String::new();
    BufReader::new(shell.child.stderr.take().unwrap()).read_line(&mut pid).unwrap();
    let socket = shell.socket();
    assert!(socket.exists());

    shell.signal(9);
    assert_eq!(shell.child.wait().unwrap().signal(), Some(9));
    let gone = || is_gone(pid.trim()).then_some(());
    poll(Duration::from_secs(5), gone).expect("ends within 5 s of Terraform's death");
    assert!(!socket.parent().unwrap().exists());
}

/// A process that ended without anybody asking for its status is gone, too.
fn is_gone(pid: &str) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
    let state = String::from_utf8(output.stdout).unwrap();
    state.trim().is_empty() || state.trim().starts_with('Z')
}

#[tokio::test]
async fn the_socket_lies_where_it_was_asked_for_if_it_can() {
    let asked = tempfile::tempdir().unwrap();
    let plugin = Plugin::start(command().env("PLUGIN_UNIX_SOCKET_DIR", asked.path()));
    assert!(plugin.socket().starts_with(asked.path()));

    let long = asked.path().join("x".repeat(100));
    std::fs::create_dir(&long).unwrap();
    let plugin = Plugin::start(command().env("TMPDIR", &long));
    assert!(plugin.socket().starts_with("/tmp"), "{:?}", plugin.socket());
    assert!(std::fs::read_dir(&long).unwrap().next().is_none(), "nothing is left where it did not fit");
    get_schema(&plugin, None).await.unwrap();
}

#[tokio::test]
async fn in_debug_mode_terraform_attaches_and_cannot_end_it() {
    let mut child = command().env_clear().arg("--debug").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.find_map(|line| line.unwrap().trim().strip_prefix("TF_REATTACH_PROVIDERS=").map(str::to_owned));
    let json: serde_json::Value = serde_json::from_str(line.unwrap().trim_matches('\'')).unwrap();
    let (address, attach) = json.as_object().unwrap().iter().next().unwrap();
    assert_eq!(address, "registry.terraform.io/pgtenant/pgtenant");
    assert_eq!(attach["Protocol"], "grpc");
    assert_eq!(attach["ProtocolVersion"], 5);
    assert_eq!(attach["Pid"], child.id());
    assert_eq!(attach["Test"], true);
    assert_eq!(attach["Addr"]["Network"], "unix");
    let socket = attach["Addr"]["String"].as_str().unwrap().to_owned();
    let mut plugin = Plugin { child, parts: vec![String::new(), String::new(), String::new(), socket] };

    let client = Client::connect(plugin.socket(), None).await.unwrap();
    let _: plugin::Empty = client.call("/plugin.GRPCController/Shutdown", plugin::Empty {}).await.unwrap();
    drop(client);
    get_schema(&plugin, None).await.unwrap();

    plugin.signal(2);
    let status = plugin.ended_within(Duration::from_secs(2)).expect("Ctrl-C ends it here");
    assert!(status.success(), "{status}");
    assert!(!Path::new(&plugin.socket()).exists());
}

#[test]
fn what_it_logs_is_hclog() {
    let mut plugin =
        Plugin::start(command().env("TF_LOG_PROVIDER", "TRACE").env("PLUGIN_CLIENT_CERT", Certificate::new().pem()));
    // Not a TLS client: refusing it is worth a line.
    drop(std::os::unix::net::UnixStream::connect(plugin.socket()).unwrap());
    let mut line = String::new();
    let stderr = plugin.child.stderr.take().unwrap();
    let mut stderr = BufReader::new(stderr.take(1 << 20));
    stderr.read_line(&mut line).unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    for key in ["@level", "@message", "@module", "@timestamp"] {
        assert!(line[key].is_string(), "{line}");
    }
}

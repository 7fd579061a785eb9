//! `terraform init` from a release: by a folder, and by a network mirror that is served here.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::packing::{VERSION, packed};
use crate::support::postgres::pem;
use crate::support::release::release;
use crate::support::scratch;
use crate::support::terraform::{Installation, Workspace};

/// Files over HTTPS on loopback, for as long as the process runs.
struct Served {
    url: String,
    /// The authority that a client has to trust.
    ca: PathBuf,
}

fn serve(root: PathBuf) -> Served {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let ca = scratch::directory("authority").unwrap().join("ca.pem");
    fs::write(&ca, pem("CERTIFICATE", authority.der())).unwrap();

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let private = PrivatePkcs8KeyDer::from(key.serialize_der());
    let chain = vec![certificate.der().clone()];
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, private.into()).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
            let _ = answer(&mut stream, &root);
        }
    });
    Served { url, ca }
}

/// One request for one file.
fn answer(stream: &mut StreamOwned<ServerConnection, std::net::TcpStream>, root: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(&mut *stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    drop(lines);
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let (status, body) = match fs::read(root.join(path)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let kind = if path.ends_with(".json") { "application/json" } else { "application/zip" };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)?;
    stream.conn.send_close_notify();
    stream.flush()
}

/// A workspace that installs in this way and no other.
fn workspace(installation: &str) -> Workspace {
    let mut workspace = Workspace::of(Vec::new(), Installation::Mirror).unwrap_or_else(|error| panic!("{error}"));
    let file = scratch::directory("rc").unwrap().join("terraform.rc");
    fs::write(&file, format!("provider_installation {{\n  {installation}\n}}\n")).unwrap();
    workspace.env("TF_CLI_CONFIG_FILE", file.to_str().unwrap());
    workspace
}

fn mirror(network: bool) -> PathBuf {
    let to = scratch::directory("mirror").unwrap();
    let mut args = vec!["mirror", "--out", packed().to_str().unwrap(), "--to", to.to_str().unwrap()];
    if network {
        args.push("--network");
    }
    release(&args, &[]);
    to
}

/// What stands in the lock file as sums, and that the installed provider answers.
fn installed(workspace: &Workspace, init: &[&str]) -> Vec<String> {
    workspace.run(init).ok().unwrap_or_else(|error| panic!("{error}"));
    let schema = workspace.run(&["providers", "schema", "-json"]).json().unwrap_or_else(|error| panic!("{error}"));
    let schemas = schema["provider_schemas"].as_object().expect("schemas");
    let ours = schemas.iter().find(|(name, _)| name.ends_with("/pgtenant/pgtenant")).expect("ours");
    assert!(!ours.1["resource_schemas"]["pgtenant_tenant"].is_null());
    let lock = fs::read_to_string(workspace.dir.join(".terraform.lock.hcl")).unwrap();
    assert!(lock.contains(&format!("version = \"{VERSION}\"")), "{lock}");
    let sums = lock.split('"').filter(|word| ["h1:", "zh:"].iter().any(|scheme| word.starts_with(scheme)));
    sums.map(str::to_owned).collect()
}

#[test]
fn a_lock_file_of_the_folder_holds_for_the_network_and_the_other_way_round() {
    let folder = workspace(&format!("filesystem_mirror {{ path = {:?} }}", mirror(false)));
    let of_folder = installed(&folder, &["init"]);
    assert!(of_folder.iter().all(|sum| sum.starts_with("h1:")) && of_folder.len() == 1, "{of_folder:?}");

    let served = serve(mirror(true));
    let mut network = workspace(&format!("network_mirror {{ url = {:?} }}", served.url));
    network.env("SSL_CERT_FILE", served.ca.to_str().unwrap());
    let of_network = installed(&network, &["init"]);
    assert!(of_network.contains(&of_folder[0]), "{of_network:?} lacks {of_folder:?}");

    let lock = ".terraform.lock.hcl";
    for (from, to) in [(&folder, &network), (&network, &folder)] {
        let text = fs::read_to_string(from.dir.join(lock)).unwrap();
        fs::remove_dir_all(to.dir.join(".terraform")).unwrap();
        to.write(lock, &text);
        installed(to, &["init", "-lockfile=readonly"]);
        assert_eq!(fs::read_to_string(to.dir.join(lock)).unwrap(), text);
    }
}

#[test]
fn an_archive_that_was_changed_is_refused_by_the_lock_file() {
    let to = mirror(false);
    let workspace = workspace(&format!("filesystem_mirror {{ path = {to:?} }}"));
    installed(&workspace, &["init"]);
    let lock = workspace.dir.join(".terraform.lock.hcl");
    let text = fs::read_to_string(&lock).unwrap();
    let sum = text.split('"').find(|word| word.starts_with("h1:")).unwrap();
    let other: String = sum.chars().map(|c| if c == sum.chars().nth(3).unwrap() { 'x' } else { c }).collect();
    fs::write(&lock, text.replace(sum, &other)).unwrap();
    fs::remove_dir_all(workspace.dir.join(".terraform")).unwrap();
    let run = workspace.run(&["init"]).failed().unwrap_or_else(|error| panic!("{error}"));
    assert!(run.message().contains("checksums previously recorded in the dependency lock file"), "{}", run.message());
}

//! The files of a release: their names, their sums, and that they are the same each time.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};

use crate::support::release::release;
use crate::support::terraform::platform;
use crate::support::{on_path, scratch};

pub const VERSION: &str = env!("CARGO_PKG_VERSION");
const PGTENANT: &str = env!("CARGO_BIN_EXE_terraform-provider-pgtenant");

/// What is packed where nobody installs it: small, for the binary under test is not.
const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/release.py");

fn pack(binary: &str, out: &Path) -> PathBuf {
    let out_arg = out.to_str().expect("UTF-8");
    release(&["pack", "--binary", binary, "--platform", &platform(), "--out", out_arg], &[]);
    out.join(format!("terraform-provider-pgtenant_{VERSION}_{}.zip", platform()))
}

/// A folder with a release of this platform, sealed and not signed.
pub fn packed() -> &'static Path {
    static PACKED: OnceLock<PathBuf> = OnceLock::new();
    PACKED.get_or_init(|| {
        let out = scratch::directory("dist").expect("a directory");
        pack(PGTENANT, &out);
        release(&["seal", "--out", out.to_str().expect("UTF-8")], &[]);
        out
    })
}

fn sha256(file: &Path) -> String {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    digest(&SHA256, &bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn json_of(name: &str) -> Value {
    serde_json::from_slice(&fs::read(packed().join(name)).unwrap()).unwrap()
}

#[test]
fn the_sums_are_those_of_every_file_that_the_registry_reads() {
    let prefix = format!("terraform-provider-pgtenant_{VERSION}");
    let sums = fs::read_to_string(packed().join(format!("{prefix}_SHA256SUMS"))).unwrap();
    let names: Vec<&str> = sums.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    let archive = format!("{prefix}_{}.zip", platform());
    assert_eq!(names, [archive, format!("{prefix}_manifest.json"), format!("{prefix}_sbom.cdx.json")]);
    for line in sums.lines() {
        let (sum, name) = line.split_once("  ").unwrap();
        assert_eq!(sum, sha256(&packed().join(name)), "{name}");
    }
    let manifest = json!({ "version": 1, "metadata": { "protocol_versions": ["5.0"] } });
    assert_eq!(json_of("terraform-registry-manifest.json"), manifest);
    assert_eq!(json_of(&format!("{prefix}_manifest.json")), manifest);
}

#[test]
fn the_same_binary_makes_the_same_archive_at_another_time_in_another_folder() {
    let copied = scratch::directory("copied").unwrap().join("provider");
    fs::write(&copied, fs::read(SMALL).unwrap()).unwrap();
    fs::set_permissions(&copied, Permissions::from_mode(0o600)).unwrap();
    let archives = [SMALL, copied.to_str().unwrap()].map(|binary| pack(binary, &scratch::directory("dist").unwrap()));
    assert_eq!(sha256(&archives[0]), sha256(&archives[1]));
}

#[test]
fn the_bill_of_materials_names_what_is_linked_and_nothing_that_only_tests_use() {
    let bill = json_of(&format!("terraform-provider-pgtenant_{VERSION}_sbom.cdx.json"));
    let components = bill["components"].as_array().unwrap();
    let names: Vec<&str> = components.iter().map(|component| component["name"].as_str().unwrap()).collect();
    for linked in ["aws-lc-sys", "rustls", "tokio-postgres", "tonic"] {
        assert!(names.contains(&linked), "{linked} is missing");
    }
    for other in ["proptest", "protox", "miniz_oxide"] {
        assert!(!names.contains(&other), "{other} is not linked");
    }
    for component in components {
        let known = ["licenses", "hashes", "purl"].iter().all(|key| !component[key].is_null());
        assert!(known, "{component}");
    }
}

/// RSA, for the registry takes no other than RSA and DSA.
#[test]
fn a_signature_can_be_verified_and_none_outlives_its_sums() {
    let Some(gpg) = on_path("gpg") else {
        return crate::support::skip(
            "a_signature_can_be_verified",
            "there is no gpg on PATH (Debian: apt install gnupg)",
        );
    };
    let home = scratch::directory("gpg").unwrap();
    fs::set_permissions(&home, Permissions::from_mode(0o700)).unwrap();
    let gpg = |args: &[&str]| {
        let output = Command::new(&gpg).arg("--batch").args(args).env("GNUPGHOME", &home).output().expect("gpg runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let key = "release@example.com";
    let made = gpg(&["--passphrase", "", "--quick-generate-key", key, "rsa2048", "sign", "never"]);
    assert!(made.0, "{}", made.1);
    let out = scratch::directory("signed").unwrap();
    pack(SMALL, &out);
    let out_arg = out.to_str().unwrap();
    release(&["seal", "--out", out_arg, "--key", key], &[("GNUPGHOME", home.to_str().unwrap())]);
    let sums = out.join(format!("terraform-provider-pgtenant_{VERSION}_SHA256SUMS"));
    let signature = out.join(format!("terraform-provider-pgtenant_{VERSION}_SHA256SUMS.sig"));
    let verified = || gpg(&["--verify", signature.to_str().unwrap(), sums.to_str().unwrap()]);
    assert!(verified().0, "{}", verified().1);
    release(&["seal", "--out", out_arg], &[]);
    assert!(!signature.exists());
    let _ = Command::new("gpgconf").args(["--kill", "gpg-agent"]).env("GNUPGHOME", &home).status();
}

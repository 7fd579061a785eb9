//! The released Linux binary in a root without any libc, or in an old one: it starts, resolves a name, applies and destroys.
//!
//! Linking it takes minutes, so `cargo test` leaves this out: `cargo test --test released` tries the release in `target/dist`, or in the
//! folder that `PGTENANT_TEST_RELEASE` names. `PGTENANT_TEST_ROOT` names a userland to try it in, such as one made by `debootstrap`;
//! without it, the root holds no program but Terraform.

#[path = "../support/mod.rs"]
mod support;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::postgres::{Options, Server};
use crate::support::release::release;
use crate::support::terraform::find_terraform;
use crate::support::{is_root, scratch};

const MAIN_TF: &str = r#"
terraform {
  required_providers {
    pgtenant = {
      source = "pgtenant/pgtenant"
    }
  }
}

provider "pgtenant" {}

resource "pgtenant_tenant" "acme" {
  name                = "acme"
  deletion_protection = false
}
"#;

#[test]
fn the_released_binary_needs_no_libc() {
    let dist = env::var_os("PGTENANT_TEST_RELEASE").unwrap_or_else(|| "target/dist".into());
    let dist = fs::canonicalize(dist).expect("scripts/release.py all makes a release");
    assert!(is_root(), "only root may chroot");
    let userland = env::var_os("PGTENANT_TEST_ROOT").map(PathBuf::from);
    let root = userland.clone().unwrap_or_else(|| scratch::directory("root").unwrap());
    let (work, mirror) = (root.join("pgtenant/work"), root.join("pgtenant/mirror"));
    let _ = fs::remove_dir_all(root.join("pgtenant"));
    for dir in [&work, &mirror, &root.join("etc"), &root.join("tmp")] {
        fs::create_dir_all(dir).unwrap();
    }
    if userland.is_none() {
        make_devices(&root);
    }
    release(&["mirror", "--out", dist.to_str().unwrap(), "--to", mirror.to_str().unwrap()], &[]);
    fs::copy(find_terraform().unwrap(), root.join("pgtenant/terraform")).unwrap();
    // Modules that a host with systemd-resolved names, and that a libc other than the binary's would bring.
    fs::write(root.join("etc/nsswitch.conf"), "hosts: mymachines resolve [!UNAVAIL=return] myhostname\n").unwrap();
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost db.example.test\n").unwrap();
    fs::write(work.join("main.tf"), MAIN_TF).unwrap();
    let installation = "provider_installation {\n  filesystem_mirror { path = \"/pgtenant/mirror\" }\n}\n";
    fs::write(root.join("pgtenant/terraform.rc"), installation).unwrap();

    let server = Server::start(Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let terraform = |args: &[&str]| run(&root, &server, args);
    terraform(&["init", "-no-color"]);
    terraform(&["apply", "-no-color", "-auto-approve"]);
    terraform(&["plan", "-no-color", "-detailed-exitcode"]);
    let tenants = || server.superuser("SELECT FROM pg_database WHERE datname = 'acme'").len();
    assert_eq!(tenants(), 1);
    terraform(&["destroy", "-no-color", "-auto-approve"]);
    assert_eq!(tenants(), 0);
    if let Some(userland) = userland {
        fs::remove_dir_all(userland.join("pgtenant")).unwrap();
    }
    println!("{} runs in {}", dist.display(), root.display());
}

/// Every container has them, and this root nothing yet.
fn make_devices(root: &Path) {
    fs::create_dir(root.join("dev")).unwrap();
    for (name, minor) in [("null", "3"), ("random", "8"), ("urandom", "9")] {
        let mut mknod = Command::new("mknod");
        mknod.args(["-m", "666"]).arg(root.join("dev").join(name)).args(["c", "1", minor]);
        assert!(mknod.status().expect("mknod runs").success());
    }
}

fn run(root: &Path, server: &Server, args: &[&str]) {
    let mut chroot = Command::new("chroot");
    chroot.arg(root).args(["/pgtenant/terraform", "-chdir=/pgtenant/work"]).args(args).env_clear().envs(server.env());
    chroot.env("PATH", env::var_os("PATH").unwrap_or_default()).env("HOME", "/pgtenant");
    chroot.env("TF_CLI_CONFIG_FILE", "/pgtenant/terraform.rc").env("CHECKPOINT_DISABLE", "1");
    // By its name, which only /etc/hosts has.
    chroot.env("PGHOST", "db.example.test").stdin(Stdio::null());
    let output = chroot.output().expect("chroot runs");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{args:?}:\n{said}");
}

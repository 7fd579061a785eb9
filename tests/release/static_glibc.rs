//! `src/name_services.c`, in a static program as the released Linux binaries are: names are looked up in the files whatever
//! the host's nsswitch.conf says.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{is_root, on_path, scratch, skip};

const LOOKUP: &str = r#"
#include <netdb.h>
#include <stddef.h>
int main(void) {
    struct addrinfo *found = NULL;
    return getaddrinfo("db.example.test", "5432", NULL, &found) == 0 ? 0 : 1;
}
"#;

fn compile(dir: &Path, name: &str, sources: &[&Path]) {
    let mut cc = Command::new("cc");
    let output = cc.args(["-static-pie", "-o"]).arg(dir.join(name)).args(sources).output().expect("cc runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_static_binary_looks_names_up_in_what_is_built_into_it() {
    const NAME: &str = "a_static_binary_looks_names_up_in_what_is_built_into_it";
    if !cfg!(all(target_os = "linux", target_env = "gnu")) || on_path("cc").is_none() {
        return skip(NAME, "it is about glibc, and needs cc");
    }
    if !is_root() {
        return skip(NAME, "only root may chroot");
    }
    let root = scratch::directory("root").unwrap();
    fs::create_dir(root.join("etc")).unwrap();
    // A module that this root does not have, as systemd-resolved's hosts name it.
    fs::write(root.join("etc/nsswitch.conf"), "hosts: resolve\n").unwrap();
    fs::write(root.join("etc/hosts"), "192.0.2.5 db.example.test\n").unwrap();
    let source = root.join("lookup.c");
    fs::write(&source, LOOKUP).unwrap();
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/name_services.c");
    compile(&root, "without", &[&source]);
    compile(&root, "with", &[&source, &ours]);
    let finds = |program: &str| {
        let status = Command::new("chroot").arg(&root).arg(program).stdin(Stdio::null()).status();
        status.expect("chroot runs").success()
    };
    assert!(!finds("/without"), "the control: without it, nsswitch.conf decides");
    assert!(finds("/with"));
}

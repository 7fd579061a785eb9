//! Compiles `proto/` without `protoc`: protox parses, tonic-prost-build writes the Rust. Gives a static binary its name services.

use std::env;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["tfplugin5.proto", "goplugin.proto"], ["proto"])?;
    tonic_prost_build::configure().build_client(false).bytes(".tfplugin5.DynamicValue").compile_fds(files)?;
    if is_static_glibc() {
        link_name_services()?;
    }
    Ok(())
}

fn is_static_glibc() -> bool {
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu") && features.split(',').any(|one| one == "crt-static")
}

/// As objects: the linker leaves out of an archive what nothing refers to, and nothing refers to a constructor.
fn link_name_services() -> Result<(), Box<dyn std::error::Error>> {
    const SOURCE: &str = "src/name_services.c";
    println!("cargo:rerun-if-changed={SOURCE}");
    for object in cc::Build::new().file(SOURCE).warnings(true).try_compile_intermediates()? {
        println!("cargo:rustc-link-arg-bins={}", object.display());
    }
    Ok(())
}

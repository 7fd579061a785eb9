//! Compiles `proto/` without `protoc`: protox parses, tonic-prost-build writes the Rust.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["tfplugin5.proto", "goplugin.proto"], ["proto"])?;
    tonic_prost_build::configure().build_client(false).bytes(".tfplugin5.DynamicValue").compile_fds(files)?;
    Ok(())
}

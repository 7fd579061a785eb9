//! The generated messages and services of `proto/`. Nothing here is written by hand.

/// Terraform's plugin protocol 5.
#[allow(missing_docs, clippy::all, clippy::pedantic, rustdoc::all)]
pub mod tfplugin5 {
    tonic::include_proto!("tfplugin5");
}

/// go-plugin's side services.
#[allow(missing_docs, clippy::all, clippy::pedantic, rustdoc::all)]
pub mod plugin {
    tonic::include_proto!("plugin");
}

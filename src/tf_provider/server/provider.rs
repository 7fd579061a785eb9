//! The provider block: validation and configuration.

use super::wire::{configure, prepare_provider_config};
use super::{Server, convert, within};
use crate::tf_provider::{Diagnostics, Work, timeouts};

pub(super) fn prepare(
    server: &Server,
    request: prepare_provider_config::Request,
) -> Result<prepare_provider_config::Response, Diagnostics> {
    let config = server.catalog().provider.decode(request.config.as_ref())?;
    let diagnostics = convert::diagnostics(server.provider.validate(&config)).collect();
    Ok(prepare_provider_config::Response { prepared_config: request.config, diagnostics })
}

pub(super) async fn configure(
    server: &Server,
    request: configure::Request,
) -> Result<configure::Response, Diagnostics> {
    let config = server.catalog().provider.decode(request.config.as_ref())?;
    server.told.forget();
    let cx = server.context(timeouts::DEFAULT_LOOK, Work::Look);
    let diagnostics = within(&cx, server.provider.configure(&cx, config)).await;
    Ok(configure::Response { diagnostics: convert::diagnostics(diagnostics).collect() })
}

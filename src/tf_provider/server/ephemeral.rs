//! Ephemeral resources: opened for one run of Terraform, never stored. They hold nothing that would
//! have to be renewed or closed.

use super::wire::{
    close_ephemeral_resource, open_ephemeral_resource, renew_ephemeral_resource, validate_ephemeral_resource_config,
};
use super::{Server, convert, within};
use crate::tf_provider::{Diagnostics, Work, planning, timeouts};

pub(super) fn validate(
    server: &Server,
    request: validate_ephemeral_resource_config::Request,
) -> Result<validate_ephemeral_resource_config::Response, Diagnostics> {
    let resource = server.catalog().ephemeral_resource(&request.type_name)?;
    let shape = resource.shape();
    let config = shape.decode(request.config.as_ref())?;
    let mut diagnostics = planning::read_only_values(&shape.schema.block, &config);
    diagnostics.extend(resource.handler.validate(&config));
    let diagnostics = convert::diagnostics(diagnostics).collect();
    Ok(validate_ephemeral_resource_config::Response { diagnostics })
}

pub(super) async fn open(
    server: &Server,
    request: open_ephemeral_resource::Request,
) -> Result<open_ephemeral_resource::Response, Diagnostics> {
    let resource = server.catalog().ephemeral_resource(&request.type_name)?;
    let shape = resource.shape();
    let config = shape.decode(request.config.as_ref())?;
    let cx = server.context(timeouts::DEFAULT_LOOK, Work::Look);
    let mut state = within(&cx, resource.handler.open(&cx, config)).await?;
    planning::settle(&shape.schema.block, &mut state.value);
    Ok(open_ephemeral_resource::Response {
        diagnostics: convert::diagnostics(state.diagnostics).collect(),
        renew_at: None,
        result: shape.encode(&state.value)?,
        private: Some(state.private),
        deferred: None,
    })
}

pub(super) fn renew(
    server: &Server,
    request: renew_ephemeral_resource::Request,
) -> Result<renew_ephemeral_resource::Response, Diagnostics> {
    server.catalog().ephemeral_resource(&request.type_name)?;
    Ok(renew_ephemeral_resource::Response { diagnostics: Vec::new(), renew_at: None, private: request.private })
}

pub(super) fn close(
    server: &Server,
    request: &close_ephemeral_resource::Request,
) -> Result<close_ephemeral_resource::Response, Diagnostics> {
    server.catalog().ephemeral_resource(&request.type_name)?;
    Ok(close_ephemeral_resource::Response::default())
}

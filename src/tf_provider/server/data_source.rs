//! Data sources: validation and reading.

use super::wire::{read_data_source, validate_data_source_config};
use super::{Server, convert, within};
use crate::tf_provider::timeouts::{self, Operation};
use crate::tf_provider::{Diagnostics, Work, planning};

pub(super) fn validate(
    server: &Server,
    request: validate_data_source_config::Request,
) -> Result<validate_data_source_config::Response, Diagnostics> {
    let data_source = server.catalog().data_source(&request.type_name)?;
    let shape = data_source.shape();
    let config = shape.decode(request.config.as_ref())?;
    let mut diagnostics = planning::read_only_values(&shape.schema.block, &config);
    diagnostics.extend(timeouts::validate(&shape.schema.block, &config));
    diagnostics.extend(data_source.handler.validate(&config));
    Ok(validate_data_source_config::Response { diagnostics: convert::diagnostics(diagnostics).collect() })
}

pub(super) async fn read(
    server: &Server,
    request: read_data_source::Request,
) -> Result<read_data_source::Response, Diagnostics> {
    let data_source = server.catalog().data_source(&request.type_name)?;
    let shape = data_source.shape();
    let config = shape.decode(request.config.as_ref())?;
    let cx = server.context(timeouts::of(&shape.schema.block, &config, Operation::Read), Work::Look);
    let mut state = within(&cx, data_source.handler.read(&cx, config)).await?;
    planning::settle(&shape.schema.block, &mut state.value);
    Ok(read_data_source::Response {
        state: shape.encode(&state.value)?,
        diagnostics: convert::diagnostics(state.diagnostics).collect(),
        deferred: None,
    })
}

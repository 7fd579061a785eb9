//! From what a handler returns, or from its panic, to the response of the RPC.

use tonic::{Response, Status};

use super::convert;
use super::wire;
use crate::tf_provider::{Diagnostics, FunctionError, panics};

/// A response that can say what went wrong.
pub(super) trait Complain: Default {
    fn complain(&mut self, diagnostics: Diagnostics);
}

macro_rules! with_diagnostics {
    ($($message:ident),+ $(,)?) => {$(
        impl Complain for wire::$message::Response {
            fn complain(&mut self, diagnostics: Diagnostics) {
                self.diagnostics.extend(convert::diagnostics(diagnostics));
            }
        }
    )+};
}

with_diagnostics!(
    get_metadata,
    get_provider_schema,
    prepare_provider_config,
    configure,
    validate_resource_type_config,
    upgrade_resource_state,
    read_resource,
    plan_resource_change,
    apply_resource_change,
    import_resource_state,
    move_resource_state,
    validate_data_source_config,
    read_data_source,
    validate_ephemeral_resource_config,
    open_ephemeral_resource,
    renew_ephemeral_resource,
    close_ephemeral_resource,
    get_functions,
);

impl Complain for wire::call_function::Response {
    fn complain(&mut self, diagnostics: Diagnostics) {
        let text: Vec<_> = diagnostics.0.into_iter().map(|d| format!("{}: {}", d.summary, d.detail)).collect();
        self.error = Some(convert::function_error(FunctionError { text: text.join("\n"), argument: None }));
    }
}

/// The response, or one that holds nothing but the diagnostics.
pub(super) async fn answer<T: Complain>(
    handler: impl Future<Output = Result<T, Diagnostics>>,
) -> Result<Response<T>, Status> {
    answer_or(T::default(), handler).await
}

/// The response, or `fallback` with the diagnostics.
pub(super) async fn answer_or<T: Complain>(
    fallback: T,
    handler: impl Future<Output = Result<T, Diagnostics>>,
) -> Result<Response<T>, Status> {
    let outcome = panics::caught(handler).await.unwrap_or_else(|panic| Err(panic.into()));
    Ok(Response::new(outcome.unwrap_or_else(|diagnostics| {
        let mut response = fallback;
        response.complain(diagnostics);
        response
    })))
}

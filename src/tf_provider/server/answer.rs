//! From what a handler returns, or from its panic, to the response of the RPC.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tonic::{Response, Status};

use super::{Server, convert, wire};
use crate::tf_provider::{Diagnostics, FunctionError, panics};

/// A response that can say what went wrong.
pub(super) trait Complain: Default {
    fn complain(&mut self, diagnostics: Diagnostics);

    fn diagnostics(&mut self) -> &mut [wire::Diagnostic];
}

macro_rules! with_diagnostics {
    ($($message:ident),+ $(,)?) => {$(
        impl Complain for wire::$message::Response {
            fn complain(&mut self, diagnostics: Diagnostics) {
                self.diagnostics.extend(convert::diagnostics(diagnostics));
            }

            fn diagnostics(&mut self) -> &mut [wire::Diagnostic] {
                &mut self.diagnostics
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
    get_resource_identity_schemas,
    upgrade_resource_identity,
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

    fn diagnostics(&mut self) -> &mut [wire::Diagnostic] {
        &mut []
    }
}

impl Server {
    /// The response, or one that holds nothing but the diagnostics.
    pub(super) async fn answer<T: Complain>(
        &self,
        handler: impl Future<Output = Result<T, Diagnostics>>,
    ) -> Result<Response<T>, Status> {
        self.answer_or(T::default(), handler).await
    }

    /// The response, or `fallback` with the diagnostics.
    pub(super) async fn answer_or<T: Complain>(
        &self,
        fallback: T,
        handler: impl Future<Output = Result<T, Diagnostics>>,
    ) -> Result<Response<T>, Status> {
        let outcome = panics::caught(handler).await.unwrap_or_else(|panic| Err(panic.into()));
        let mut response = outcome.unwrap_or_else(|diagnostics| {
            let mut response = fallback;
            response.complain(diagnostics);
            response
        });
        self.told.shorten(response.diagnostics());
        Ok(Response::new(response))
    }
}

/// The errors of this run that were told in full. What fails a hundred resources for one reason is told in full once,
/// and by its first paragraph in the others.
#[derive(Default)]
pub(super) struct Told(Mutex<BTreeSet<(String, String)>>);

impl Told {
    /// A new run begins.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn shorten(&self, diagnostics: &mut [wire::Diagnostic]) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for diagnostic in diagnostics {
            if let Some(end) = diagnostic.detail.find("\n\n")
                && !told.insert((diagnostic.summary.clone(), diagnostic.detail.clone()))
            {
                diagnostic.detail.truncate(end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_in_full_is_told_in_short() {
        let told = Told::default();
        let check = |summary: &str, detail: &str, expected: &str| {
            let mut diagnostics = [wire::Diagnostic {
                summary: summary.to_owned(),
                detail: detail.to_owned(),
                ..wire::Diagnostic::default()
            }];
            told.shorten(&mut diagnostics);
            assert_eq!(diagnostics[0].detail, expected);
        };
        check("It does not answer", "At db:5432.\n\nCheck it.", "At db:5432.\n\nCheck it.");
        check("It does not answer", "At db:5432.\n\nCheck it.", "At db:5432.");
        check("It does not answer", "At db:5433.\n\nCheck it.", "At db:5433.\n\nCheck it.");
        check("Could not", "At db:5432.\n\nCheck it.", "At db:5432.\n\nCheck it.");
        check("Could not", "One paragraph.", "One paragraph.");
        check("Could not", "One paragraph.", "One paragraph.");
        told.forget();
        check("It does not answer", "At db:5432.\n\nCheck it.", "At db:5432.\n\nCheck it.");
    }
}

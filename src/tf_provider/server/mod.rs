//! The service `tfplugin5.Provider` over a [`Provider`]: an RPC is decode, delegate, encode. One
//! file per group of RPCs. Nothing here listens on a socket.

mod answer;
mod catalog;
mod convert;
mod data_source;
mod ephemeral;
mod function;
mod identity;
mod provider;
mod resource;
mod schema;

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait};

use super::wire::tfplugin5 as wire;
use super::{Context, Provider, Work};
use answer::Told;
use catalog::Catalog;

/// The largest message, in bytes, that is read or written: 256 MiB, as Terraform itself takes.
pub const MAX_MESSAGE: usize = 256 << 20;

/// Serves one provider. Schemas are built when they are first asked for.
pub struct Server {
    provider: Box<dyn Provider>,
    catalog: OnceLock<Catalog>,
    /// Cancelled and replaced by `Stop`: work that comes after it runs.
    stop: Mutex<CancellationToken>,
    told: Told,
}

impl Server {
    pub fn new(provider: impl Provider) -> Self {
        Server { provider: Box::new(provider), catalog: OnceLock::new(), stop: Mutex::default(), told: Told::default() }
    }

    /// Asks all running operations to end. Later ones run as ever.
    pub fn stop_operations(&self) {
        std::mem::take(&mut *self.stop.lock().unwrap_or_else(PoisonError::into_inner)).cancel();
    }

    /// Lets the provider finish what it has to, when Terraform ends it in order.
    pub async fn close(&self) {
        self.provider.close().await;
    }

    fn catalog(&self) -> &Catalog {
        self.catalog.get_or_init(|| Catalog::of(&*self.provider))
    }

    fn context(&self, timeout: Duration, work: Work) -> Context {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Context { cancel: stop.child_token(), stop, timeout: Some(timeout), work }
    }
}

/// Runs an operation, and cancels it when its time runs out. It still is to answer then.
async fn within<T>(cx: &Context, operation: impl Future<Output = T>) -> T {
    let mut operation = std::pin::pin!(operation);
    if let Some(timeout) = cx.timeout {
        match tokio::time::timeout(timeout, &mut operation).await {
            Ok(answer) => return answer,
            Err(_) => cx.cancel.cancel(),
        }
    }
    operation.await
}

type Answer<T> = Result<Response<T>, Status>;

#[async_trait]
impl wire::provider_server::Provider for Server {
    async fn get_metadata(&self, _: Request<wire::get_metadata::Request>) -> Answer<wire::get_metadata::Response> {
        self.answer(async { Ok(schema::metadata(self.catalog())) }).await
    }

    async fn get_schema(
        &self,
        _: Request<wire::get_provider_schema::Request>,
    ) -> Answer<wire::get_provider_schema::Response> {
        self.answer(async { Ok(schema::schemas(self.catalog())) }).await
    }

    async fn prepare_provider_config(
        &self,
        request: Request<wire::prepare_provider_config::Request>,
    ) -> Answer<wire::prepare_provider_config::Response> {
        self.answer(async { provider::prepare(self, request.into_inner()) }).await
    }

    async fn configure(&self, request: Request<wire::configure::Request>) -> Answer<wire::configure::Response> {
        self.answer(provider::configure(self, request.into_inner())).await
    }

    async fn validate_resource_type_config(
        &self,
        request: Request<wire::validate_resource_type_config::Request>,
    ) -> Answer<wire::validate_resource_type_config::Response> {
        self.answer(async { resource::validate(self, request.into_inner()) }).await
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<wire::upgrade_resource_state::Request>,
    ) -> Answer<wire::upgrade_resource_state::Response> {
        self.answer(async { resource::upgrade(self, request.into_inner()) }).await
    }

    async fn read_resource(
        &self,
        request: Request<wire::read_resource::Request>,
    ) -> Answer<wire::read_resource::Response> {
        let request = request.into_inner();
        self.answer_or(resource::unread(&request), resource::read(self, request)).await
    }

    async fn plan_resource_change(
        &self,
        request: Request<wire::plan_resource_change::Request>,
    ) -> Answer<wire::plan_resource_change::Response> {
        self.answer(resource::plan(self, request.into_inner())).await
    }

    async fn apply_resource_change(
        &self,
        request: Request<wire::apply_resource_change::Request>,
    ) -> Answer<wire::apply_resource_change::Response> {
        let request = request.into_inner();
        self.answer_or(resource::unapplied(&request), resource::apply(self, request)).await
    }

    async fn import_resource_state(
        &self,
        request: Request<wire::import_resource_state::Request>,
    ) -> Answer<wire::import_resource_state::Response> {
        self.answer(resource::import(self, request.into_inner())).await
    }

    async fn move_resource_state(
        &self,
        request: Request<wire::move_resource_state::Request>,
    ) -> Answer<wire::move_resource_state::Response> {
        self.answer(async { resource::move_state(self, &request.into_inner()) }).await
    }

    async fn get_resource_identity_schemas(
        &self,
        _: Request<wire::get_resource_identity_schemas::Request>,
    ) -> Answer<wire::get_resource_identity_schemas::Response> {
        self.answer(async { Ok(identity::schemas(self.catalog())) }).await
    }

    async fn upgrade_resource_identity(
        &self,
        request: Request<wire::upgrade_resource_identity::Request>,
    ) -> Answer<wire::upgrade_resource_identity::Response> {
        self.answer(async { identity::upgrade(self, &request.into_inner()) }).await
    }

    async fn validate_data_source_config(
        &self,
        request: Request<wire::validate_data_source_config::Request>,
    ) -> Answer<wire::validate_data_source_config::Response> {
        self.answer(async { data_source::validate(self, request.into_inner()) }).await
    }

    async fn read_data_source(
        &self,
        request: Request<wire::read_data_source::Request>,
    ) -> Answer<wire::read_data_source::Response> {
        self.answer(data_source::read(self, request.into_inner())).await
    }

    async fn validate_ephemeral_resource_config(
        &self,
        request: Request<wire::validate_ephemeral_resource_config::Request>,
    ) -> Answer<wire::validate_ephemeral_resource_config::Response> {
        self.answer(async { ephemeral::validate(self, request.into_inner()) }).await
    }

    async fn open_ephemeral_resource(
        &self,
        request: Request<wire::open_ephemeral_resource::Request>,
    ) -> Answer<wire::open_ephemeral_resource::Response> {
        self.answer(ephemeral::open(self, request.into_inner())).await
    }

    async fn renew_ephemeral_resource(
        &self,
        request: Request<wire::renew_ephemeral_resource::Request>,
    ) -> Answer<wire::renew_ephemeral_resource::Response> {
        self.answer(async { ephemeral::renew(self, request.into_inner()) }).await
    }

    async fn close_ephemeral_resource(
        &self,
        request: Request<wire::close_ephemeral_resource::Request>,
    ) -> Answer<wire::close_ephemeral_resource::Response> {
        self.answer(async { ephemeral::close(self, &request.into_inner()) }).await
    }

    async fn get_functions(&self, _: Request<wire::get_functions::Request>) -> Answer<wire::get_functions::Response> {
        self.answer(async { Ok(schema::functions(self.catalog())) }).await
    }

    async fn call_function(
        &self,
        request: Request<wire::call_function::Request>,
    ) -> Answer<wire::call_function::Response> {
        self.answer(async { Ok(function::call(self, &request.into_inner())) }).await
    }

    async fn stop(&self, _: Request<wire::stop::Request>) -> Answer<wire::stop::Response> {
        self.stop_operations();
        Ok(Response::new(wire::stop::Response::default()))
    }
}

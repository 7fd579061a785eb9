//! What a provider implements: the provider itself, resources, data sources, ephemeral resources
//! and functions. The RPC server decodes, delegates to these, and encodes.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::async_trait;

use super::{Attributes, Diagnostics, Schema, Type, Value};

/// Why an operation was asked to end early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// Terraform sent `Stop` (the user pressed Ctrl-C).
    Stopped,
    /// The operation's `timeouts` entry ran out.
    TimedOut(Duration),
}

/// What every operation is given first.
#[derive(Clone, Debug)]
pub struct Context {
    /// Cancelled by `Stop` and when the operation's timeout runs out. The operation then ends its
    /// work, on the server too, and answers with the state that was reached.
    pub cancel: CancellationToken,
    /// Cancelled by `Stop` only: tells the two apart.
    pub stop: CancellationToken,
    /// The operation's timeout.
    pub timeout: Option<Duration>,
    pub work: Work,
}

/// What an operation does with the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// It reads, or plans.
    Look,
    /// It changes what is there.
    Apply,
}

impl Context {
    /// Without a timeout: what a person started, who will end it.
    pub fn by_hand(cancel: CancellationToken, work: Work) -> Self {
        Context { stop: cancel.clone(), cancel, timeout: None, work }
    }

    /// Why `cancel` is cancelled, if it is.
    pub fn interruption(&self) -> Option<Interruption> {
        match (self.stop.is_cancelled(), self.cancel.is_cancelled(), self.timeout) {
            (true, ..) => Some(Interruption::Stopped),
            (false, true, Some(timeout)) => Some(Interruption::TimedOut(timeout)),
            (false, true, None) => Some(Interruption::Stopped),
            (false, false, _) => None,
        }
    }
}

/// A resource's state as Terraform stores it, and the provider's private bytes beside it.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub value: Value,
    pub private: Vec<u8>,
    /// Warnings only.
    pub diagnostics: Diagnostics,
}

impl From<Value> for State {
    fn from(value: Value) -> Self {
        State { value, ..State::default() }
    }
}

/// A create (`prior` is `None`) or an update to be planned. Destroying is [`Resource::plan_destroy`].
pub struct PlanRequest {
    pub config: Value,
    pub prior: Option<Value>,
    /// What Terraform proposes, after the planning rules of the schema were applied to it: defaults
    /// set, write-only values null, computed values unknown where they may change.
    pub proposed: Value,
    pub private: Vec<u8>,
}

impl PlanRequest {
    /// The prior and the proposed state as a model.
    pub fn models<M: Attributes>(&self) -> Result<(Option<M>, M), Diagnostics> {
        Ok((self.prior.as_ref().map(M::decode).transpose()?, M::decode(&self.proposed)?))
    }

    /// Whether this is the second plan of a replacement. Terraform plans one with its prior state, and again as if there
    /// were nothing; only the private bytes, those of the first answer, tell that from a create.
    pub fn is_second(&self) -> bool {
        self.prior.is_none() && !self.private.is_empty()
    }

    /// The answer to what cannot be planned.
    pub fn refused(self, diagnostics: impl Into<Diagnostics>) -> Planned {
        let diagnostics = diagnostics.into();
        Planned { value: self.proposed, private: self.private, diagnostics, ..Planned::default() }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Planned {
    pub value: Value,
    /// Names of attributes whose change makes the object anew, beside those that the schema names.
    pub requires_replace: Vec<String>,
    pub private: Vec<u8>,
    pub diagnostics: Diagnostics,
}

/// `prior` is `None` for a create, `planned` is `None` for a destroy.
pub struct ApplyRequest {
    /// Null for a destroy. Carries the write-only values.
    pub config: Value,
    pub prior: Option<Value>,
    pub planned: Option<Value>,
    pub private: Vec<u8>,
}

impl ApplyRequest {
    /// The prior and the planned state as a model.
    pub fn models<M: Attributes>(&self) -> Result<(Option<M>, Option<M>), Diagnostics> {
        let model = |value: &Option<Value>| value.as_ref().map(M::decode).transpose();
        Ok((model(&self.prior)?, model(&self.planned)?))
    }

    /// The answer of an apply that changed nothing.
    pub fn unchanged(&self, diagnostics: impl Into<Diagnostics>) -> Applied {
        Applied { state: self.prior.clone(), private: self.private.clone(), diagnostics: diagnostics.into() }
    }
}

/// The state that was reached, and what is to be said about it. `state` is `None` when nothing (or
/// nothing usable) is there; a failed create that answers with a state is marked tainted by Terraform.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    pub state: Option<Value>,
    pub private: Vec<u8>,
    pub diagnostics: Diagnostics,
}

#[async_trait]
pub trait Provider: Send + Sync + 'static {
    fn schema(&self) -> Schema;

    fn resources(&self) -> Vec<Box<dyn Resource>>;

    fn data_sources(&self) -> Vec<Box<dyn DataSource>> {
        Vec::new()
    }

    fn ephemeral_resources(&self) -> Vec<Box<dyn EphemeralResource>> {
        Vec::new()
    }

    fn functions(&self) -> Vec<Box<dyn Function>> {
        Vec::new()
    }

    /// Must tolerate unknown values.
    fn validate(&self, _config: &Value) -> Diagnostics {
        Diagnostics::default()
    }

    /// Must tolerate unknown values: a server made in the same apply has no address yet.
    async fn configure(&self, cx: &Context, config: Value) -> Diagnostics;

    /// Terraform has all answers and ends the process, which has a good second for this.
    async fn close(&self) {}
}

#[async_trait]
pub trait Resource: Send + Sync + 'static {
    /// With the provider's prefix: `example_thing`.
    fn type_name(&self) -> &'static str;

    fn schema(&self) -> Schema;

    /// Checks that need nothing but the configuration. Must tolerate unknown values.
    fn validate(&self, _config: &Value) -> Diagnostics {
        Diagnostics::default()
    }

    /// Turns state that an older version of this resource wrote (its JSON, and its schema version)
    /// into the present shape. Called for older versions only.
    fn upgrade(&self, _version: i64, state: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        Ok(state)
    }

    /// Turns the state of another provider's resource into this one (`moved` blocks). `None` if this
    /// resource does not take that one over.
    fn move_from(
        &self,
        _provider: &str,
        _type_name: &str,
        _state: &serde_json::Value,
    ) -> Option<Result<Value, Diagnostics>> {
        None
    }

    /// `Ok(None)`: the object is gone. `Err`: could not tell.
    async fn read(&self, cx: &Context, state: State) -> Result<Option<State>, Diagnostics>;

    async fn plan(&self, cx: &Context, request: PlanRequest) -> Planned;

    /// Called when a destroy is planned; errors refuse it.
    async fn plan_destroy(&self, _cx: &Context, _prior: &Value) -> Diagnostics {
        Diagnostics::default()
    }

    async fn apply(&self, cx: &Context, request: ApplyRequest) -> Applied;

    async fn import(&self, cx: &Context, id: &str) -> Result<State, Diagnostics>;
}

#[async_trait]
pub trait DataSource: Send + Sync + 'static {
    fn type_name(&self) -> &'static str;

    fn schema(&self) -> Schema;

    fn validate(&self, _config: &Value) -> Diagnostics {
        Diagnostics::default()
    }

    /// The configuration is wholly known. Warnings come beside the value.
    async fn read(&self, cx: &Context, config: Value) -> Result<State, Diagnostics>;
}

#[async_trait]
pub trait EphemeralResource: Send + Sync + 'static {
    fn type_name(&self) -> &'static str;

    fn schema(&self) -> Schema;

    fn validate(&self, _config: &Value) -> Diagnostics {
        Diagnostics::default()
    }

    async fn open(&self, cx: &Context, config: Value) -> Result<State, Diagnostics>;
}

/// One parameter of a [`Function`].
pub struct Parameter {
    pub name: &'static str,
    pub ty: Type,
    pub description: &'static str,
}

/// What is wrong with a call, and the zero-based argument it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    pub text: String,
    pub argument: Option<i64>,
}

/// A pure function: the same arguments give the same result (Terraform checks).
pub trait Function: Send + Sync + 'static {
    fn name(&self) -> &'static str;

    fn parameters(&self) -> Vec<Parameter>;

    fn returns(&self) -> Type;

    fn summary(&self) -> &'static str;

    fn description(&self) -> &'static str;

    /// No argument is null or unknown.
    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError>;
}

//! Every resource: what is configured is planned and kept, what AWS answers is made up.

use pgtenant::tf_provider::{
    Applied, ApplyRequest, Context, Diagnostic, Diagnostics, PlanRequest, Planned, Resource, Schema, State, Value,
    async_trait,
};

use crate::{Configured, answers, checks, rds, schema};

pub struct Stubbed {
    type_name: &'static str,
    configured: Configured,
}

impl Stubbed {
    pub fn new(type_name: &'static str, configured: Configured) -> Self {
        Stubbed { type_name, configured }
    }

    fn has(&self, attribute: &str) -> bool {
        self.schema().block.attribute(attribute).is_some()
    }
}

#[async_trait]
impl Resource for Stubbed {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn schema(&self) -> Schema {
        schema::resource(self.type_name)
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        checks::check(self.type_name, &self.schema().block, config)
    }

    async fn read(&self, _: &Context, state: State) -> Result<Option<State>, Diagnostics> {
        Ok(Some(state))
    }

    /// The region and all tags are known before AWS is asked.
    async fn plan(&self, _: &Context, request: PlanRequest) -> Planned {
        let settings = self.configured.settings();
        let mut value = request.proposed;
        if self.has("region") {
            value.set("region", answers::region(&request.config, &settings.region));
        }
        if self.has("tags_all") {
            let all = match request.config.get("tags") {
                Value::Unknown => Value::Unknown,
                Value::Map(tags) => {
                    let mut all = settings.default_tags;
                    all.extend(tags.clone());
                    Value::Map(all)
                }
                _ => Value::Map(settings.default_tags),
            };
            value.set("tags_all", all);
        }
        // A new major version, say, is told only when it runs.
        if let Some(prior) = &request.prior
            && prior.get("engine_version") != value.get("engine_version")
        {
            value.set("engine_version_actual", Value::Unknown);
        }
        Planned { value, private: request.private, ..Planned::default() }
    }

    async fn apply(&self, _: &Context, request: ApplyRequest) -> Applied {
        let refused = rds::apply(self.type_name, request.prior.as_ref(), request.planned.as_ref());
        if refused.has_errors() {
            return Applied { state: request.prior, private: request.private, diagnostics: refused };
        }
        let state = request.planned.map(|mut planned| {
            answers::fill_in(self.type_name, &self.schema().block, &mut planned, &self.configured.settings().region);
            planned
        });
        Applied { state, private: request.private, ..Applied::default() }
    }

    async fn import(&self, _: &Context, _: &str) -> Result<State, Diagnostics> {
        Err(Diagnostic::error("Nothing to import", "This stand-in for hashicorp/aws keeps nothing.").into())
    }
}

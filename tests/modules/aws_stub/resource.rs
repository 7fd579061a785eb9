//! Every resource: what is configured is planned and kept, what AWS answers is made up.

use pgtenant::tf_provider::{
    Applied, ApplyRequest, Context, Diagnostic, Diagnostics, PlanRequest, Planned, Resource, Schema, State, Value,
    async_trait,
};

use crate::{Configured, answers, checks, rds, schema, values};

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
            if self.type_name == "aws_secretsmanager_secret_version" {
                keep(&request.config, &planned);
            }
            planned
        });
        Applied { state, private: request.private, ..Applied::default() }
    }

    async fn import(&self, _: &Context, _: &str) -> Result<State, Diagnostics> {
        Err(Diagnostic::error("Nothing to import", "This stand-in for hashicorp/aws keeps nothing.").into())
    }
}

/// The directory in which a test finds what a version of a secret says, in a file by the version's id.
const SECRETS: &str = "AWS_STUB_SECRETS";

fn keep(config: &Value, planned: &Value) {
    let Some(directory) = std::env::var_os(SECRETS) else { return };
    let text = |value: &Value, name: &str| values::known::<String>(value, name).unwrap_or_default();
    let file = std::path::Path::new(&directory).join(text(planned, "version_id"));
    let said = std::fs::write(&file, text(config, "secret_string_wo"));
    said.unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
}

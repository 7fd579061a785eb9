//! A whole provider on `tf_provider`, to learn from: `example_file` keeps a file as the configuration says.

use std::io::ErrorKind;
use std::process::ExitCode;

use pgtenant::model;
use pgtenant::tf_provider::serve::{self, Options};
use pgtenant::tf_provider::{
    Applied, ApplyRequest, Attributes, Context, Diagnostic, Diagnostics, Field, PlanRequest, Planned, Provider,
    Resource, Schema, State, Value, async_trait,
};
use tokio::fs;

fn main() -> ExitCode {
    let options = Options {
        name: "terraform-provider-file",
        address: "registry.terraform.io/example/file",
        version: "0.1.0",
        about: "Keeps files.",
        subcommands: &[],
    };
    serve::run(options, || Files)
}

struct Files;

#[async_trait]
impl Provider for Files {
    fn schema(&self) -> Schema {
        Schema::default()
    }

    fn resources(&self) -> Vec<Box<dyn Resource>> {
        vec![Box::new(File)]
    }

    async fn configure(&self, _cx: &Context, _config: Value) -> Diagnostics {
        Diagnostics::default()
    }
}

// The one declaration of the attributes: from it come the schema, decoding, encoding and the documentation.
model! {
    #[derive(Clone)]
    struct Model {
        id: Field<String> = computed("The path.").keeps_prior(),
        path: Field<String> = required("Where the file is. A change makes it anew.").requires_replace(),
        content: Field<String> = optional_computed("What is in it. Default: nothing.").default(""),
        size: Field<i64> = computed("How many bytes it has."),
    }
}

impl Model {
    /// What is there at a path.
    fn of(path: &str, content: String) -> Self {
        Model {
            id: Field::Known(path.to_owned()),
            path: Field::Known(path.to_owned()),
            size: Field::Known(content.len() as i64),
            content: Field::Known(content),
        }
    }
}

struct File;

#[async_trait]
impl Resource for File {
    fn type_name(&self) -> &'static str {
        "example_file"
    }

    fn schema(&self) -> Schema {
        Model::schema(0, "A file.")
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        match config.get("path").as_str() {
            Some("") => Diagnostic::error("Empty path", "Name a file.").at_attribute("path").into(),
            _ => Diagnostics::default(),
        }
    }

    async fn read(&self, _cx: &Context, state: State) -> Result<Option<State>, Diagnostics> {
        let path = Model::decode(&state.value)?.path.known().unwrap_or_default();
        Ok(look(&path).await?.map(|model| State { value: model.encode(), ..state }))
    }

    async fn plan(&self, _cx: &Context, request: PlanRequest) -> Planned {
        let mut model = match request.models::<Model>() {
            Ok((_, model)) => model,
            Err(diagnostics) => return request.refused(diagnostics),
        };
        model.id = model.path.clone();
        if let Some(content) = model.content.as_known() {
            model.size = Field::Known(content.len() as i64);
        }
        Planned { value: model.encode(), private: request.private, ..Planned::default() }
    }

    async fn apply(&self, _cx: &Context, request: ApplyRequest) -> Applied {
        let (prior, planned) = match request.models::<Model>() {
            Ok(models) => models,
            Err(diagnostics) => return request.unchanged(diagnostics),
        };
        let Some(path) = planned.as_ref().or(prior.as_ref()).and_then(|model| model.path.clone().known()) else {
            return request
                .unchanged(Diagnostic::error("The path is not known", "It is known when a file is applied."));
        };
        let done = match &planned {
            Some(model) => fs::write(&path, model.content.as_known().map_or("", String::as_str)).await,
            None => fs::remove_file(&path).await,
        };
        // What was reached is what is there now, and not what was hoped for.
        match (done, look(&path).await) {
            (Ok(()), Ok(model)) => Applied { state: model.map(Model::encode), ..Applied::default() },
            (Ok(()), Err(diagnostics)) => request.unchanged(diagnostics),
            (Err(error), _) => request.unchanged(Diagnostic::error(format!("{path}: {error}"), "Nothing was changed.")),
        }
    }

    async fn import(&self, _cx: &Context, id: &str) -> Result<State, Diagnostics> {
        let found = look(id).await?.map(|model| State::from(model.encode()));
        found.ok_or_else(|| Diagnostic::error(format!("There is no file {id}"), "The ID is its path.").into())
    }
}

/// `None` if there is no such file. That it cannot be read is an error: it may be there.
async fn look(path: &str) -> Result<Option<Model>, Diagnostics> {
    match fs::read_to_string(path).await {
        Ok(content) => Ok(Some(Model::of(path, content))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Diagnostic::error(format!("Cannot read {path}"), error.to_string()).into()),
    }
}

//! A stand-in for `cyrilgdn/postgresql`: the types of resources that the guide on migrating names, kept in the state as they
//! are written, and nothing of them on any server. Whoever would destroy one is refused: the real one drops databases.

use std::process::ExitCode;

use pgtenant::tf_provider::{
    Applied, ApplyRequest, Attribute, Block, Context, DataSource, Diagnostic, Diagnostics, EphemeralResource,
    PlanRequest, Planned, Provider, Resource, Schema, State, Type, Value, async_trait, serve,
};

/// Those of its attributes that the guide uses.
const RESOURCES: [(&str, &[&str]); 6] = [
    ("postgresql_role", &["name", "password"]),
    ("postgresql_database", &["name", "owner"]),
    ("postgresql_schema", &["name", "database", "owner"]),
    ("postgresql_extension", &["name", "database", "schema"]),
    ("postgresql_grant", &["database", "role", "schema", "object_type"]),
    ("postgresql_default_privileges", &["database", "role", "owner", "schema", "object_type"]),
];

fn main() -> ExitCode {
    let options = serve::Options {
        name: "terraform-provider-postgresql",
        address: "registry.terraform.io/cyrilgdn/postgresql",
        version: "1.26.0",
        about: "A stand-in that makes nothing, for a test of a guide.",
        subcommands: &[],
    };
    serve::run(options, || Stub)
}

struct Stub;

#[async_trait]
impl Provider for Stub {
    fn schema(&self) -> Schema {
        Schema::default()
    }

    fn resources(&self) -> Vec<Box<dyn Resource>> {
        let resource = |(name, texts)| Box::new(Kept { name, texts }) as Box<dyn Resource>;
        RESOURCES.into_iter().map(resource).collect()
    }

    fn data_sources(&self) -> Vec<Box<dyn DataSource>> {
        Vec::new()
    }

    fn ephemeral_resources(&self) -> Vec<Box<dyn EphemeralResource>> {
        Vec::new()
    }

    async fn configure(&self, _: &Context, _: Value) -> Diagnostics {
        Diagnostics::default()
    }
}

struct Kept {
    name: &'static str,
    texts: &'static [&'static str],
}

#[async_trait]
impl Resource for Kept {
    fn type_name(&self) -> &'static str {
        self.name
    }

    fn schema(&self) -> Schema {
        let optional = |name, ty| Attribute::optional(name, ty, "As it is written.");
        let mut attributes = vec![
            Attribute::computed("id", Type::String, "The type's name.").keeps_prior(),
            optional("login", Type::Bool),
            optional("connection_limit", Type::Number),
            optional("privileges", Type::set(Type::String)),
        ];
        attributes.extend(self.texts.iter().map(|name| optional(name, Type::String)));
        Schema { version: 0, block: Block { attributes, ..Block::default() } }
    }

    async fn read(&self, _: &Context, state: State) -> Result<Option<State>, Diagnostics> {
        Ok(Some(state))
    }

    async fn plan(&self, _: &Context, request: PlanRequest) -> Planned {
        Planned { value: request.proposed, private: request.private, ..Planned::default() }
    }

    async fn apply(&self, _: &Context, request: ApplyRequest) -> Applied {
        let Some(mut planned) = request.planned else {
            let refused = Diagnostic::error(format!("{} is destroyed", self.name), "It was to be forgotten only.");
            return Applied { state: request.prior, private: request.private, diagnostics: refused.into() };
        };
        planned.set("id", self.name);
        Applied { state: Some(planned), private: request.private, ..Applied::default() }
    }

    async fn import(&self, _: &Context, _: &str) -> Result<State, Diagnostics> {
        Err(Diagnostic::error("Nothing to import", "This stand-in keeps nothing.").into())
    }
}

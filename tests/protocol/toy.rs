//! A provider that owns nothing: what a resource is named decides how it behaves.

use std::collections::BTreeMap;

use pgtenant::tf_provider::codec::{json, msgpack};
use pgtenant::tf_provider::server::Server;
use pgtenant::tf_provider::wire::tfplugin5 as wire;
use pgtenant::tf_provider::{
    Applied, ApplyRequest, Attribute, Attributes, Block, Context, DataSource, Diagnostic, Diagnostics,
    EphemeralResource, Field, Function, FunctionError, Interruption, NestedBlock, Nesting, Parameter, PlanRequest,
    Planned, Provider, Resource, Schema, State, Type, Value, async_trait, model, timeouts,
};

pub fn server() -> Server {
    Server::new(Toy)
}

/// A value of the thing's type. `"?"` is unknown.
pub fn thing(text: &str) -> Value {
    fn unknown(value: &mut Value) {
        match value {
            Value::String(text) if text == "?" => *value = Value::Unknown,
            Value::List(elements) => elements.iter_mut().for_each(unknown),
            Value::Map(elements) => elements.values_mut().for_each(unknown),
            _ => {}
        }
    }
    let mut value = json::decode(text.as_bytes(), &Thing.schema().block.ty(), json::Extra::Refuse).unwrap();
    unknown(&mut value);
    value
}

pub fn encode(value: &Value) -> Option<wire::DynamicValue> {
    let msgpack = msgpack::encode(value, &Thing.schema().block.ty()).unwrap();
    Some(wire::DynamicValue { msgpack: msgpack.into(), ..Default::default() })
}

pub fn decode(value: Option<&wire::DynamicValue>) -> Value {
    value.map_or(Value::Null, |value| msgpack::decode(&value.msgpack, &Thing.schema().block.ty()).unwrap())
}

/// The summaries of the diagnostics, each with its path.
pub fn said(diagnostics: &[wire::Diagnostic]) -> Vec<String> {
    use wire::attribute_path::step::Selector;
    let step = |step: &wire::attribute_path::Step| match step.selector.as_ref().unwrap() {
        Selector::AttributeName(name) => name.clone(),
        Selector::ElementKeyString(key) => key.clone(),
        Selector::ElementKeyInt(index) => index.to_string(),
    };
    let one = |diagnostic: &wire::Diagnostic| match &diagnostic.attribute {
        Some(path) => {
            let path: Vec<_> = path.steps.iter().map(step).collect();
            format!("{} at {}", diagnostic.summary, path.join("."))
        }
        None => diagnostic.summary.clone(),
    };
    diagnostics.iter().map(one).collect()
}

pub struct Toy;

#[async_trait]
impl Provider for Toy {
    fn schema(&self) -> Schema {
        let attributes = vec![Attribute::optional("address", Type::String, "Where.")];
        Schema { version: 0, block: Block { attributes, ..Block::default() } }
    }

    fn resources(&self) -> Vec<Box<dyn Resource>> {
        vec![Box::new(Thing)]
    }

    fn data_sources(&self) -> Vec<Box<dyn DataSource>> {
        vec![Box::new(Length)]
    }

    fn ephemeral_resources(&self) -> Vec<Box<dyn EphemeralResource>> {
        vec![Box::new(Token)]
    }

    fn functions(&self) -> Vec<Box<dyn Function>> {
        vec![Box::new(Shout)]
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        match config.get("address").as_str() {
            Some("nowhere") => Diagnostic::error("No such address", "").at_attribute("address").into(),
            _ => Diagnostics::default(),
        }
    }

    async fn configure(&self, _: &Context, config: Value) -> Diagnostics {
        match config.get("address") {
            Value::Unknown => Diagnostic::warning("Connecting later", "").into(),
            _ => Diagnostics::default(),
        }
    }
}

pub struct Thing;

#[async_trait]
impl Resource for Thing {
    fn type_name(&self) -> &'static str {
        "toy_thing"
    }

    fn schema(&self) -> Schema {
        let rule = Block {
            attributes: vec![
                Attribute::required("note", Type::String, "A note."),
                Attribute::optional("token", Type::String, "A token.").write_only(),
            ],
            ..Block::default()
        };
        Schema {
            version: 2,
            block: Block {
                description: "A *thing*.".to_owned(),
                attributes: vec![
                    Attribute::computed("id", Type::String, "The ID.").keeps_prior(),
                    Attribute::required("name", Type::String, "The name.").requires_replace().identifies(),
                    Attribute::optional("note", Type::String, "A note."),
                    Attribute::optional_computed("size", Type::Number, "The size.").default(10),
                    Attribute::computed("seen", Type::String, "What apply saw."),
                    Attribute::optional("secret", Type::String, "A secret.").write_only().sensitive(),
                    Attribute::optional("tags", Type::map(Type::String), "Tags."),
                    Attribute::optional("labels", Type::set(Type::String), "Labels."),
                    Attribute::optional("steps", Type::list(Type::Number), "Steps."),
                    Attribute::optional("any", Type::Dynamic, "Anything."),
                ],
                blocks: vec![
                    NestedBlock { name: "rule", nesting: Nesting::List, block: rule, min_items: 0, max_items: 3 },
                    timeouts::block(&["create", "read", "delete"]),
                ],
                ..Block::default()
            },
        }
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        match config.get("name").as_str() {
            Some("panic in validate") => panic!("validate is out of order"),
            Some("") => Diagnostic::error("Empty name", "").at_attribute("name").into(),
            _ => Diagnostics::default(),
        }
    }

    fn upgrade(&self, version: i64, mut state: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        let Some(title) = state.as_object_mut().and_then(|state| state.remove("title")) else {
            return Err(Diagnostic::error(format!("No title in version {version}"), "").into());
        };
        state["name"] = title;
        Ok(state)
    }

    fn move_from(
        &self,
        provider: &str,
        type_name: &str,
        state: &serde_json::Value,
    ) -> Option<Result<Value, Diagnostics>> {
        (provider.ends_with("/other") && type_name == "other_thing")
            .then(|| Ok(Value::object([("name", state["label"].as_str().unwrap_or_default().into())])))
    }

    async fn read(&self, cx: &Context, state: State) -> Result<Option<State>, Diagnostics> {
        match state.value.get("name").as_str() {
            Some("gone") => Ok(None),
            Some("unclear") => Err(Diagnostic::error("Could not tell", "").into()),
            Some("slow") => Err(interrupted(cx).await),
            Some("panic in read") => panic!("read is out of order"),
            _ => {
                let mut state = state;
                state.value.set("secret", "leaked by read");
                state.diagnostics = Diagnostic::warning("Read", "").into();
                Ok(Some(state))
            }
        }
    }

    async fn plan(&self, _: &Context, request: PlanRequest) -> Planned {
        if request.config.get("name").as_str() == Some("panic in plan") {
            panic!("plan is out of order");
        }
        let mut value = request.proposed;
        // A careless resource.
        value.set("secret", request.config.get("secret").clone());
        let requires_replace = match request.config.get("note").as_str() {
            Some("anew") => vec!["note".to_owned()],
            _ => Vec::new(),
        };
        Planned { value, requires_replace, private: request.private, diagnostics: Diagnostics::default() }
    }

    async fn plan_destroy(&self, _: &Context, prior: &Value) -> Diagnostics {
        match prior.get("name").as_str() {
            Some("protected") => Diagnostic::error("Protected", "").into(),
            _ => Diagnostics::default(),
        }
    }

    async fn apply(&self, cx: &Context, request: ApplyRequest) -> Applied {
        let value = request.planned.as_ref().or(request.prior.as_ref()).unwrap();
        match value.get("name").as_str() {
            Some("panic in apply") => panic!("apply is out of order"),
            Some("slow") => return Applied { diagnostics: interrupted(cx).await, ..Applied::default() },
            Some("stuck") => {
                return Applied { diagnostics: Diagnostic::error("Stuck", "").into(), ..Applied::default() };
            }
            Some("misshapen") => {
                return Applied { state: Some(Value::object([("size", "big".into())])), ..Applied::default() };
            }
            _ => {}
        }
        let state = request.planned.map(|mut state| {
            let secret = request.config.get("secret").clone();
            state.set("id", "1");
            state.set("seen", secret.as_str().map_or("no secret", |_| "a secret"));
            // A careless resource.
            state.set("secret", secret);
            state
        });
        Applied { state, private: b"mine".to_vec(), diagnostics: Diagnostics::default() }
    }

    async fn import(&self, _: &Context, id: &str) -> Result<State, Diagnostics> {
        match id {
            "absent" => Err(Diagnostic::error("No such thing", "").into()),
            id => Ok(Value::object([("name", id.into()), ("secret", "leaked by import".into())]).into()),
        }
    }
}

/// Waits to be interrupted, and says why it was.
async fn interrupted(cx: &Context) -> Diagnostics {
    cx.cancel.cancelled().await;
    let why = match cx.interruption() {
        Some(Interruption::Stopped) => "stopped".to_owned(),
        Some(Interruption::TimedOut(after)) => format!("timed out after {after:?}"),
        None => "not interrupted".to_owned(),
    };
    Diagnostic::error(why, "").into()
}

/// The length of a text, which may be long.
struct Length;

model! {
    struct Measured {
        text: Field<String> = required("A text."),
        length: Field<i64> = computed("Its length in bytes."),
    }
}

#[async_trait]
impl DataSource for Length {
    fn type_name(&self) -> &'static str {
        "toy_length"
    }

    fn schema(&self) -> Schema {
        Measured::schema(0, "A length.")
    }

    async fn read(&self, _: &Context, config: Value) -> Result<State, Diagnostics> {
        let config = Measured::decode(&config)?;
        let length = config.text.as_known().map_or(0, String::len);
        Ok(Measured { length: i64::try_from(length).unwrap().into(), ..config }.encode().into())
    }
}

struct Token;

#[async_trait]
impl EphemeralResource for Token {
    fn type_name(&self) -> &'static str {
        "toy_token"
    }

    fn schema(&self) -> Schema {
        let attributes = vec![Attribute::computed("result", Type::String, "The token.").sensitive()];
        Schema { version: 0, block: Block { attributes, ..Block::default() } }
    }

    async fn open(&self, _: &Context, _: Value) -> Result<State, Diagnostics> {
        Ok(Value::Map(BTreeMap::from([("result".to_owned(), "t0k3n".into())])).into())
    }
}

struct Shout;

impl Function for Shout {
    fn name(&self) -> &'static str {
        "shout"
    }

    fn parameters(&self) -> Vec<Parameter> {
        vec![Parameter { name: "text", ty: Type::String, description: "What to shout." }]
    }

    fn returns(&self) -> Type {
        Type::String
    }

    fn summary(&self) -> &'static str {
        "Shouts"
    }

    fn description(&self) -> &'static str {
        "In capitals."
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        match arguments[0].as_str() {
            Some("panic") => panic!("lost its voice"),
            Some("") => Err(FunctionError { text: "nothing to shout".to_owned(), argument: Some(0) }),
            text => Ok(text.unwrap_or_default().to_uppercase().into()),
        }
    }
}

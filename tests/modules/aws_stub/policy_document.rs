//! `aws_iam_policy_document`: statements to the JSON of a policy.

use pgtenant::tf_provider::{Diagnostic, Diagnostics, Value};
use serde_json::{Map, Value as Json};

use crate::values::{known, texts};

const VERSION: &str = "2012-10-17";

pub fn read(config: Value) -> Result<Value, Diagnostics> {
    let mut document = Document::default();
    let texts = |name: &str| texts(&config, name);
    let one = |name: &str| known::<String>(&config, name);

    for (name, text) in one("source_json")
        .into_iter()
        .map(|text| ("source_json", text))
        .chain(texts("source_policy_documents").into_iter().map(|text| ("source_policy_documents", text)))
    {
        document.merge(Document::parse(name, &text)?, Overlap::Refuse)?;
    }
    let own = Document {
        id: one("policy_id"),
        version: one("version"),
        statements: blocks(&config, "statement").iter().map(statement).collect::<Result<_, _>>()?,
    };
    document.merge(own, Overlap::Replace)?;
    for (name, text) in texts("override_policy_documents")
        .into_iter()
        .map(|text| ("override_policy_documents", text))
        .chain(one("override_json").into_iter().map(|text| ("override_json", text)))
    {
        document.merge(Document::parse(name, &text)?, Overlap::Replace)?;
    }

    let json = document.json();
    let pretty = serde_json::to_string_pretty(&json).expect("JSON can be written");
    let mut value = config;
    value.set("id", format!("{}", pretty.len()));
    value.set("minified_json", json.to_string());
    value.set("json", pretty);
    if value.get("version").is_null() {
        value.set("version", VERSION);
    }
    Ok(value)
}

#[derive(Default)]
struct Document {
    id: Option<String>,
    version: Option<String>,
    statements: Vec<Map<String, Json>>,
}

/// What becomes of two statements with one Sid.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overlap {
    Refuse,
    Replace,
}

impl Document {
    fn parse(attribute: &str, text: &str) -> Result<Document, Diagnostics> {
        let wrong = |why: String| Diagnostics::from(Diagnostic::error("Not a policy", why).at_attribute(attribute));
        // An empty text is no document, as with the real one.
        if text.is_empty() {
            return Ok(Document::default());
        }
        let json: Json = serde_json::from_str(text).map_err(|error| wrong(format!("{error}: {text}")))?;
        let statements = match &json["Statement"] {
            Json::Array(statements) => statements.clone(),
            Json::Null => Vec::new(),
            one => vec![one.clone()],
        };
        let object = |statement: Json| match statement {
            Json::Object(statement) => Ok(statement),
            other => Err(wrong(format!("a statement is an object, not {other}"))),
        };
        Ok(Document {
            id: json["Id"].as_str().map(str::to_owned),
            version: json["Version"].as_str().map(str::to_owned),
            statements: statements.into_iter().map(object).collect::<Result<_, _>>()?,
        })
    }

    fn merge(&mut self, other: Document, overlap: Overlap) -> Result<(), Diagnostics> {
        self.id = other.id.or_else(|| self.id.take());
        self.version = other.version.or_else(|| self.version.take());
        let mut own: Vec<String> = Vec::new();
        for statement in other.statements {
            let sid = statement.get("Sid").and_then(Json::as_str).unwrap_or_default().to_owned();
            let same = self.statements.iter().position(|s| !sid.is_empty() && s.get("Sid") == statement.get("Sid"));
            match same {
                Some(_) if overlap == Overlap::Refuse || own.contains(&sid) => {
                    let detail = format!("Two statements have the Sid {sid:?}.");
                    return Err(Diagnostic::error("Duplicate Sid", detail).into());
                }
                Some(at) => self.statements[at] = statement,
                None => self.statements.push(statement),
            }
            own.push(sid);
        }
        Ok(())
    }

    fn json(self) -> Json {
        let mut json = Map::new();
        json.insert("Version".to_owned(), self.version.unwrap_or_else(|| VERSION.to_owned()).into());
        if let Some(id) = self.id {
            json.insert("Id".to_owned(), id.into());
        }
        json.insert("Statement".to_owned(), Json::Array(self.statements.into_iter().map(Json::Object).collect()));
        Json::Object(json)
    }
}

fn blocks<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    match value.get(name) {
        Value::List(blocks) => blocks,
        _ => &[],
    }
}

fn statement(block: &Value) -> Result<Map<String, Json>, Diagnostics> {
    let mut statement = Map::new();
    if let Some(sid) = known::<String>(block, "sid").filter(|sid| !sid.is_empty()) {
        statement.insert("Sid".to_owned(), sid.into());
    }
    let effect = known(block, "effect").unwrap_or_else(|| "Allow".to_owned());
    if !["Allow", "Deny"].contains(&effect.as_str()) {
        let detail = format!("The effect of a statement is Allow or Deny, not {effect:?}.");
        return Err(Diagnostic::error("Invalid effect", detail).at_attribute("statement").into());
    }
    statement.insert("Effect".to_owned(), effect.into());
    for (attribute, key) in [
        ("actions", "Action"),
        ("not_actions", "NotAction"),
        ("resources", "Resource"),
        ("not_resources", "NotResource"),
    ] {
        let texts = texts(block, attribute);
        if !texts.is_empty() {
            statement.insert(key.to_owned(), one_or_all(sorted(texts)));
        }
    }
    for (name, key) in [("principals", "Principal"), ("not_principals", "NotPrincipal")] {
        if let Some(principals) = principals(blocks(block, name)) {
            statement.insert(key.to_owned(), principals);
        }
    }
    let mut conditions: Map<String, Json> = Map::new();
    for condition in blocks(block, "condition") {
        let text = |name: &str| known::<String>(condition, name).unwrap_or_default();
        let values = texts(condition, "values");
        let of_test = conditions.entry(text("test")).or_insert_with(|| Json::Object(Map::new()));
        if let Json::Object(variables) = of_test {
            variables.insert(text("variable"), one_or_all(values));
        }
    }
    if !conditions.is_empty() {
        statement.insert("Condition".to_owned(), Json::Object(conditions));
    }
    Ok(statement)
}

fn principals(blocks: &[Value]) -> Option<Json> {
    let of = |block: &Value| {
        let identifiers = texts(block, "identifiers");
        (known::<String>(block, "type").unwrap_or_default(), identifiers)
    };
    if blocks.is_empty() {
        return None;
    }
    let mut principals: Map<String, Json> = Map::new();
    for (kind, identifiers) in blocks.iter().map(of) {
        if kind == "*" && identifiers == ["*"] {
            return Some("*".into());
        }
        principals.insert(kind, one_or_all(sorted(identifiers)));
    }
    Some(Json::Object(principals))
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

/// A single text stands by itself. `&{...}` is how Terraform's configuration writes IAM's `${...}`.
fn one_or_all(texts: Vec<String>) -> Json {
    let mut texts: Vec<Json> = texts.into_iter().map(|text| text.replace("&{", "${").into()).collect();
    if texts.len() == 1 { texts.remove(0) } else { Json::Array(texts) }
}

//! The `timeouts` block: its schema, its durations, and which of them an operation has.

use std::time::Duration;

use super::{Attribute, Block, Diagnostic, Diagnostics, NestedBlock, Nesting, Path, Type, Value};

/// How long an operation that changes something may take when the configuration does not say.
pub const DEFAULT: Duration = Duration::from_secs(20 * 60);

/// The same for what only looks: a refresh, a plan, an import, a data source, the provider's own configuration.
pub const DEFAULT_LOOK: Duration = Duration::from_secs(2 * 60);

const NAME: &str = "timeouts";

/// What a resource can be asked to do with its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Read,
    Update,
    Delete,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Read => "read",
            Operation::Update => "update",
            Operation::Delete => "delete",
        }
    }

    fn default(self) -> Duration {
        match self {
            Operation::Read => DEFAULT_LOOK,
            Operation::Create | Operation::Update | Operation::Delete => DEFAULT,
        }
    }
}

/// The `timeouts` block for those of `create`, `read`, `update` and `delete` that are named.
pub fn block(operations: &[&'static str]) -> NestedBlock {
    let attribute = |name: &&'static str| {
        let (what, default) = if *name == Operation::Read.name() { ("read or a plan", "2m") } else { (*name, "20m") };
        let what = format!("How long a {what} may take, like `90s` or `1h30m`. Defaults to `{default}`.");
        Attribute::optional(name, Type::String, what)
    };
    NestedBlock {
        name: NAME,
        nesting: Nesting::Single,
        block: Block {
            description: "How long operations may take before they are cancelled.".to_owned(),
            attributes: operations.iter().map(attribute).collect(),
            ..Block::default()
        },
        min_items: 0,
        max_items: 0,
    }
}

/// The timeout of an operation, from the configuration or state that holds its `timeouts` block, if the schema has one.
pub(super) fn of(schema: &Block, value: &Value, operation: Operation) -> Duration {
    let text = has_block(schema).then(|| value.get(NAME).get(operation.name()).as_str()).flatten();
    // What does not parse was refused when the configuration was validated.
    text.and_then(|text| parse(text).ok()).unwrap_or(operation.default())
}

pub(super) fn validate(schema: &Block, config: &Value) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let (true, Value::Map(timeouts)) = (has_block(schema), config.get(NAME)) else { return diagnostics };
    for (name, value) in timeouts {
        if let Some(Err(why)) = value.as_str().map(parse) {
            let path = Path::attribute(NAME).then(name);
            diagnostics.push(Diagnostic::error("Invalid timeout", why).at(path));
        }
    }
    diagnostics
}

fn has_block(schema: &Block) -> bool {
    schema.blocks.iter().any(|nested| nested.name == NAME && nested.nesting == Nesting::Single)
}

/// A duration as Go writes it: numbers, each with its unit (`ns us ms s m h`). Must not be zero or
/// negative.
fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a duration: write numbers with their units, like \"90s\" or \"1h30m\".");
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let unit_start = rest.find(|c: char| c != '.' && !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(unit_start);
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let number: f64 = number.parse().map_err(|_| wrong())?;
        seconds += number
            * match unit {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(wrong()),
            };
        rest = after;
    }
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if text.is_empty() || duration.is_zero() => {
            Err(format!("{text:?} leaves no time at all: leave it out for the default of 20m."))
        }
        Ok(duration) => Ok(duration),
        Err(_) => Err(format!("{text:?} is too long.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, millis: u64| assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        check("20m", 1_200_000);
        check("1h30m", 5_400_000);
        check("90s", 90_000);
        check("500ms", 500);
        check("1.5s", 1_500);
        check("1h0m0.25s", 3_600_250);
    }

    #[test]
    fn what_is_no_duration_says_so() {
        for text in
            ["", "0s", "20", "m", "20 m", "1d", "-5s", "1..5s", "five minutes", "1e3s", "999999999999999999999h"]
        {
            let why = parse(text).expect_err(text);
            assert!(why.contains(text), "{why}");
        }
    }

    #[test]
    fn each_operation_has_its_own() {
        let schema = Block { blocks: vec![block(&["create", "delete"])], ..Block::default() };
        let value = Value::object([(NAME, Value::object([("create", "90s".into()), ("delete", Value::Null)]))]);
        assert_eq!(of(&schema, &value, Operation::Create), Duration::from_secs(90));
        assert_eq!(of(&schema, &value, Operation::Delete), DEFAULT);
        assert_eq!(of(&schema, &Value::Null, Operation::Create), DEFAULT);
        assert_eq!(of(&schema, &value, Operation::Read), DEFAULT_LOOK);
        assert_eq!(of(&Block::default(), &value, Operation::Create), DEFAULT);
    }

    #[test]
    fn a_wrong_one_is_shown_where_it_is() {
        let schema = Block { blocks: vec![block(&["create", "delete"])], ..Block::default() };
        let value = Value::object([(NAME, Value::object([("create", "soon".into()), ("delete", Value::Unknown)]))]);
        let diagnostics = validate(&schema, &value);
        let paths: Vec<_> = diagnostics.0.iter().map(|d| d.path.as_ref().unwrap().to_string()).collect();
        assert_eq!(paths, ["timeouts.create"]);
    }
}

//! The planning rules that hold for every resource, as its schema states them. Pure; what only one
//! resource knows is in its `plan`.

use super::{Attribute, Block, Diagnostic, Diagnostics, Mode, NestedBlock, Nesting, Path, Step, Value};

/// What a resource is asked to plan, from what Terraform proposes (the configuration laid over the
/// prior state):
///
/// - write-only values are null;
/// - an attribute that the configuration leaves out has its default;
/// - an update that changes nothing is the prior state;
/// - otherwise a computed attribute is unknown, unless it [keeps its prior value](Attribute::keeps_prior)
///   or replaces the object when it changes: only the configuration may ask for that.
pub fn propose(block: &Block, config: &Value, prior: Option<&Value>, proposed: Value) -> Value {
    let mut planned = proposed;
    settle(block, &mut planned);
    set_defaults(block, config, &mut planned);
    match prior {
        Some(prior) if planned == *prior => {}
        prior => set_unknown(block, config, prior.unwrap_or(&Value::Null), &mut planned),
    }
    planned
}

/// The attributes that make an update a replacement: flagged in the schema, and planned otherwise
/// than they were (unknown counts as otherwise).
pub fn replacements(block: &Block, prior: &Value, planned: &Value) -> Vec<Path> {
    let mut found = Vec::new();
    find_replacements(block, prior, planned, &Path::default(), &mut found);
    found
}

/// Brings a value into the shape in which Terraform stores it: write-only values null, absent
/// repeated blocks empty, absent groups present.
pub fn settle(block: &Block, value: &mut Value) {
    let Value::Map(values) = value else { return };
    for attribute in block.attributes.iter().filter(|attribute| attribute.write_only) {
        values.insert(attribute.name.to_owned(), Value::Null);
    }
    for nested in &block.blocks {
        let inner = values.entry(nested.name.to_owned()).or_default();
        match nested.nesting {
            Nesting::List | Nesting::Set if inner.is_null() => *inner = Value::List(Vec::new()),
            Nesting::Map | Nesting::Group if inner.is_null() => *inner = Value::Map([].into()),
            _ => {}
        }
        for (_, inner) in instances_mut(nested, inner) {
            settle(&nested.block, inner);
        }
    }
}

/// Where write-only values are set.
pub fn write_only_values(block: &Block, config: &Value) -> Vec<Path> {
    let mut found = Vec::new();
    find(block, config, &Path::default(), |attribute| attribute.write_only, &mut found);
    found
}

/// Where values are set that only the provider may set: Terraform itself lets them through.
pub fn read_only_values(block: &Block, config: &Value) -> Diagnostics {
    let mut found = Vec::new();
    find(block, config, &Path::default(), |attribute| attribute.mode == Mode::Computed, &mut found);
    let refuse = |path: Path| {
        let detail = format!("`{path}` is read-only. Remove it from the configuration.");
        Diagnostic::error("Read-only attribute", detail).at(path)
    };
    Diagnostics(found.into_iter().map(refuse).collect())
}

/// The elements of a set have no name by which to find them in the configuration; there, what is
/// proposed as null counts as left out, here and in [`set_unknown`].
fn set_defaults(block: &Block, config: &Value, planned: &mut Value) {
    for attribute in &block.attributes {
        if let Some(default) = &attribute.default
            && config.get(attribute.name).is_null()
        {
            planned.set(attribute.name, default.clone());
        }
    }
    each_nested(block, planned, |nested, step, inner| {
        let proposed = inner.clone();
        let config = counterpart(nested, config, &step).unwrap_or(&proposed);
        set_defaults(&nested.block, config, inner);
    });
}

fn set_unknown(block: &Block, config: &Value, prior: &Value, planned: &mut Value) {
    for attribute in block.attributes.iter().filter(|attribute| is_computed(attribute)) {
        // What replaces the object stays null where it was null: becoming known is no reason to.
        let kept = match prior {
            Value::Map(_) if attribute.requires_replace => true,
            prior => attribute.keeps_prior && !prior.get(attribute.name).is_null(),
        };
        if !kept && attribute.default.is_none() && config.get(attribute.name).is_null() {
            planned.set(attribute.name, Value::Unknown);
        }
    }
    each_nested(block, planned, |nested, step, inner| {
        let proposed = inner.clone();
        let config = counterpart(nested, config, &step).unwrap_or(&proposed);
        let prior = counterpart(nested, prior, &step).unwrap_or(&Value::Null);
        set_unknown(&nested.block, config, prior, inner);
    });
}

fn is_computed(attribute: &Attribute) -> bool {
    matches!(attribute.mode, Mode::Computed | Mode::OptionalComputed) && !attribute.write_only
}

fn find_replacements(block: &Block, prior: &Value, planned: &Value, at: &Path, found: &mut Vec<Path>) {
    for attribute in block.attributes.iter().filter(|attribute| attribute.requires_replace) {
        if prior.get(attribute.name) != planned.get(attribute.name) {
            found.push(at.clone().then(attribute.name));
        }
    }
    for nested in &block.blocks {
        for (step, inner) in instances(nested, planned.get(nested.name)) {
            let prior = counterpart(nested, prior, &step).unwrap_or(&Value::Null);
            find_replacements(&nested.block, prior, inner, &path(at, nested, step), found);
        }
    }
}

/// Where attributes of a kind are set. In a block that is unknown as a whole, nothing is known to be.
fn find(block: &Block, config: &Value, at: &Path, kind: fn(&Attribute) -> bool, found: &mut Vec<Path>) {
    if config.is_unknown() {
        return;
    }
    for attribute in block.attributes.iter().filter(|attribute| kind(attribute)) {
        if !config.get(attribute.name).is_null() {
            found.push(at.clone().then(attribute.name));
        }
    }
    for nested in &block.blocks {
        for (step, inner) in instances(nested, config.get(nested.name)) {
            find(&nested.block, inner, &path(at, nested, step), kind, found);
        }
    }
}

fn each_nested(block: &Block, value: &mut Value, mut work: impl FnMut(&NestedBlock, Option<Step>, &mut Value)) {
    let Value::Map(values) = value else { return };
    for nested in &block.blocks {
        let Some(inner) = values.get_mut(nested.name) else { continue };
        for (step, inner) in instances_mut(nested, inner) {
            work(nested, step, inner);
        }
    }
}

/// The blocks of that name, each with the step that tells it from the others.
fn instances<'a>(nested: &NestedBlock, value: &'a Value) -> Vec<(Option<Step>, &'a Value)> {
    match (nested.nesting, value) {
        (Nesting::Single | Nesting::Group, Value::Map(_)) => vec![(None, value)],
        (Nesting::List | Nesting::Set, Value::List(elements)) => {
            (0..).zip(elements).map(|(index, element)| (Some(Step::Index(index)), element)).collect()
        }
        (Nesting::Map, Value::Map(elements)) => {
            elements.iter().map(|(key, element)| (Some(Step::Key(key.clone())), element)).collect()
        }
        _ => Vec::new(),
    }
}

fn instances_mut<'a>(nested: &NestedBlock, value: &'a mut Value) -> Vec<(Option<Step>, &'a mut Value)> {
    match (nested.nesting, value) {
        (Nesting::Single | Nesting::Group, value @ Value::Map(_)) => vec![(None, value)],
        (Nesting::List | Nesting::Set, Value::List(elements)) => {
            (0..).zip(elements).map(|(index, element)| (Some(Step::Index(index)), element)).collect()
        }
        (Nesting::Map, Value::Map(elements)) => {
            elements.iter_mut().map(|(key, element)| (Some(Step::Key(key.clone())), element)).collect()
        }
        _ => Vec::new(),
    }
}

/// The same block in another value of the resource. None in a set, and where there is none.
fn counterpart<'a>(nested: &NestedBlock, value: &'a Value, step: &Option<Step>) -> Option<&'a Value> {
    let blocks = value.get(nested.name);
    match (nested.nesting, blocks, step) {
        (Nesting::Single | Nesting::Group, Value::Map(_), None) => Some(blocks),
        (Nesting::List, Value::List(elements), Some(Step::Index(index))) => elements.get(usize::try_from(*index).ok()?),
        (Nesting::Map, Value::Map(elements), Some(Step::Key(key))) => elements.get(key),
        _ => None,
    }
}

/// Terraform addresses the elements of a set by their value, so a set is as far as a path goes.
fn path(at: &Path, nested: &NestedBlock, step: Option<Step>) -> Path {
    let mut path = at.clone().then(nested.name);
    if nested.nesting != Nesting::Set {
        path.0.extend(step);
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tf_provider::Type;
    use crate::tf_provider::arbitrary::{self, Known};
    use crate::tf_provider::codec::json::Extra;

    /// name: required, replaces; limit: default 10; mode: optional and computed; id: keeps; seen: computed;
    /// secret: write-only; encoding: optional and computed, replaces; rule: a list block with note and hash.
    fn block() -> Block {
        let rule = Block {
            attributes: vec![
                Attribute::required("note", Type::String, "").requires_replace(),
                Attribute::computed("hash", Type::String, ""),
                Attribute::optional("token", Type::String, "").write_only(),
            ],
            ..Block::default()
        };
        Block {
            attributes: vec![
                Attribute::required("name", Type::String, "").requires_replace(),
                Attribute::optional_computed("limit", Type::Number, "").default(10),
                Attribute::optional_computed("mode", Type::String, ""),
                Attribute::computed("id", Type::String, "").keeps_prior(),
                Attribute::computed("seen", Type::String, ""),
                Attribute::optional("secret", Type::String, "").write_only(),
                Attribute::optional_computed("encoding", Type::String, "").requires_replace(),
            ],
            blocks: vec![NestedBlock { name: "rule", nesting: Nesting::List, block: rule, min_items: 0, max_items: 0 }],
            ..Block::default()
        }
    }

    /// A value from JSON, where `"?"` is unknown.
    fn value(text: &str) -> Value {
        fn unknown(value: &mut Value) {
            match value {
                Value::String(text) if text == "?" => *value = Value::Unknown,
                Value::List(elements) => elements.iter_mut().for_each(unknown),
                Value::Map(elements) => elements.values_mut().for_each(unknown),
                _ => {}
            }
        }
        let ty = block().ty();
        let mut value = crate::tf_provider::codec::json::decode(text.as_bytes(), &ty, Extra::Refuse).unwrap();
        unknown(&mut value);
        value
    }

    /// Checks the plan and what it replaces. An empty `prior` is a create.
    fn check(config: &str, prior: &str, proposed: &str, planned: &str, replaces: &[&str]) {
        let block = block();
        let prior = (!prior.is_empty()).then(|| value(prior));
        let got = propose(&block, &value(config), prior.as_ref(), value(proposed));
        assert_eq!(got, value(planned));
        let replaced = prior.map_or(Vec::new(), |prior| replacements(&block, &prior, &got));
        assert_eq!(replaced.iter().map(Path::to_string).collect::<Vec<_>>(), replaces);
    }

    const PRIOR: &str = r#"{"name":"a","limit":10,"mode":"m","id":"1","seen":"s","encoding":"e","rule":[]}"#;

    #[test]
    fn a_create_knows_what_is_configured_and_the_defaults() {
        check(
            r#"{"name":"a"}"#,
            "",
            r#"{"name":"a","rule":[]}"#,
            r#"{"name":"a","limit":10,"mode":"?","id":"?","seen":"?","encoding":"?","rule":[]}"#,
            &[],
        );
        check(
            r#"{"name":"?","limit":"7","mode":"x","secret":"s3"}"#,
            "",
            r#"{"name":"?","limit":"7","mode":"x","secret":"s3","rule":[]}"#,
            r#"{"name":"?","limit":"7","mode":"x","id":"?","seen":"?","encoding":"?","rule":[]}"#,
            &[],
        );
    }

    #[test]
    fn an_update_that_changes_nothing_is_the_prior_state() {
        check(r#"{"name":"a"}"#, PRIOR, PRIOR, PRIOR, &[]);
        // A write-only value is no change: it is never compared.
        let proposed = PRIOR.replace("\"rule\"", "\"secret\":\"new\",\"rule\"");
        check(r#"{"name":"a","secret":"new"}"#, PRIOR, &proposed, PRIOR, &[]);
    }

    #[test]
    fn an_update_keeps_what_does_not_change_once_known() {
        check(
            r#"{"name":"a","limit":20}"#,
            PRIOR,
            &PRIOR.replace("10", "20"),
            r#"{"name":"a","limit":20,"mode":"?","id":"1","seen":"?","encoding":"e","rule":[]}"#,
            &[],
        );
    }

    #[test]
    fn a_removed_setting_goes_back_to_its_default() {
        let prior = PRIOR.replace("10", "20");
        check(
            r#"{"name":"a","mode":"m"}"#,
            &prior,
            &prior,
            r#"{"name":"a","limit":10,"mode":"m","id":"1","seen":"?","encoding":"e","rule":[]}"#,
            &[],
        );
    }

    #[test]
    fn flagged_changes_replace() {
        for name in ["b", "?"] {
            check(
                &format!(r#"{{"name":"{name}","mode":"m","encoding":"f"}}"#),
                PRIOR,
                &format!(r#"{{"name":"{name}","limit":10,"mode":"m","id":"1","seen":"s","encoding":"f","rule":[]}}"#),
                &format!(r#"{{"name":"{name}","limit":10,"mode":"m","id":"1","seen":"?","encoding":"f","rule":[]}}"#),
                &["name", "encoding"],
            );
        }
    }

    #[test]
    fn a_kept_value_that_was_never_known_is_unknown() {
        let prior = PRIOR.replace(r#""1""#, "null");
        check(
            r#"{"name":"a","limit":20,"mode":"m"}"#,
            &prior,
            &prior.replace("10", "20"),
            r#"{"name":"a","limit":20,"mode":"m","id":"?","seen":"?","encoding":"e","rule":[]}"#,
            &[],
        );
    }

    #[test]
    fn nested_blocks_follow_the_same_rules() {
        let with = |rules: &str| PRIOR.replace("[]", rules);
        check(
            r#"{"name":"a","mode":"m","rule":[{"note":"n","token":"t"},{"note":"o"}]}"#,
            &with(r#"[{"note":"was","hash":"h"}]"#),
            &with(r#"[{"note":"n","hash":"h","token":"t"},{"note":"o"}]"#),
            &with(r#"[{"note":"n","hash":"?"},{"note":"o","hash":"?"}]"#).replace(r#""s""#, r#""?""#),
            &["rule[0].note", "rule[1].note"],
        );
    }

    #[test]
    fn write_only_values_are_found_where_they_are() {
        let config = value(r#"{"name":"a","secret":"?","rule":[{"note":"n"},{"note":"n","token":"t"}]}"#);
        let found = write_only_values(&block(), &config);
        assert_eq!(found.iter().map(Path::to_string).collect::<Vec<_>>(), ["secret", "rule[1].token"]);
    }

    const NESTINGS: [(Nesting, &str); 5] = [
        (Nesting::Single, "single"),
        (Nesting::List, "list"),
        (Nesting::Set, "set"),
        (Nesting::Map, "map"),
        (Nesting::Group, "group"),
    ];

    /// A block with blocks of every nesting, each with a write-only `token`, a `note` that replaces, a `size` with
    /// a default and a computed `hash`.
    fn nested() -> Block {
        let block = Block {
            attributes: vec![
                Attribute::optional("token", Type::String, "").write_only(),
                Attribute::optional("note", Type::String, "").requires_replace(),
                Attribute::optional_computed("size", Type::Number, "").default(1),
                Attribute::computed("hash", Type::String, ""),
            ],
            ..Block::default()
        };
        let nested = |(nesting, name)| NestedBlock { name, nesting, block: block.clone(), min_items: 0, max_items: 0 };
        Block { blocks: NESTINGS.map(nested).into(), ..Block::default() }
    }

    /// One block of a nesting that holds `attributes`.
    fn one(nesting: Nesting, attributes: Value) -> Value {
        match nesting {
            Nesting::Single | Nesting::Group => attributes,
            Nesting::List | Nesting::Set => Value::List(vec![attributes]),
            Nesting::Map => Value::object([("k", attributes)]),
        }
    }

    fn inside(nesting: Nesting, value: &Value) -> &Value {
        match (nesting, value) {
            (Nesting::List | Nesting::Set, Value::List(elements)) => &elements[0],
            (Nesting::Map, value) => value.get("k"),
            (_, value) => value,
        }
    }

    #[test]
    fn absent_blocks_have_the_shape_that_terraform_stores() {
        let mut value = Value::object([]);
        settle(&nested(), &mut value);
        let null = Value::object([("token", Value::Null)]);
        for (name, expected) in [
            ("single", Value::Null),
            ("list", Value::List(Vec::new())),
            ("set", Value::List(Vec::new())),
            ("map", Value::object([])),
            ("group", null),
        ] {
            assert_eq!(value.get(name), &expected, "{name}");
        }
    }

    #[test]
    fn blocks_of_every_nesting_follow_the_rules() {
        for (nesting, name) in NESTINGS {
            let block = |token: &str, note: &str, hash: Value| {
                let attributes =
                    [("token", token.into()), ("note", note.into()), ("size", Value::Null), ("hash", hash)];
                Value::object([(name, one(nesting, Value::object(attributes)))])
            };
            let (mut prior, config) = (block("", "was", "h".into()), block("t", "is", Value::Null));
            settle(&nested(), &mut prior);
            let mut proposed = block("t", "is", "h".into());
            let planned = propose(&nested(), &config, Some(&prior), proposed.clone());
            let expected = Value::object([
                ("token", Value::Null),
                ("note", "is".into()),
                ("size", 1.into()),
                ("hash", if nesting == Nesting::Set { "h".into() } else { Value::Unknown }),
            ]);
            assert_eq!(inside(nesting, planned.get(name)), &expected, "{name}");
            settle(&nested(), &mut proposed);
            assert_eq!(inside(nesting, proposed.get(name)).get("token"), &Value::Null, "{name}");

            let at = match nesting {
                Nesting::Single | Nesting::Group | Nesting::Set => format!("{name}.note"),
                Nesting::List => format!("{name}[0].note"),
                Nesting::Map => format!("{name}[\"k\"].note"),
            };
            let replaced = replacements(&nested(), &prior, &planned);
            assert_eq!(replaced.iter().map(Path::to_string).collect::<Vec<_>>(), std::slice::from_ref(&at), "{name}");
            let written = write_only_values(&nested(), &config);
            assert_eq!(written.iter().map(Path::to_string).collect::<Vec<_>>(), [at.replace("note", "token")]);
        }
    }

    #[test]
    fn what_is_computed_is_refused_where_it_is_set() {
        let config = value(r#"{"name":"a","seen":"x","mode":"m","rule":[{"hash":"?"}]}"#);
        let refused = read_only_values(&block(), &config);
        let paths: Vec<_> = refused.0.iter().map(|refused| refused.path.as_ref().unwrap().to_string()).collect();
        assert_eq!(paths, ["seen", "rule[0].hash"]);
    }

    proptest! {
        #[test]
        fn to_settle_twice_is_to_settle_once(value in arbitrary::value(&nested().ty(), Known::Partly)) {
            let mut once = value;
            settle(&nested(), &mut once);
            prop_assert!(write_only_values(&nested(), &once).is_empty());
            let mut twice = once.clone();
            settle(&nested(), &mut twice);
            prop_assert_eq!(twice, once);
        }

        #[test]
        fn what_is_configured_is_planned_as_it_is(config in arbitrary::value(&block().ty(), Known::Partly)) {
            let planned = propose(&block(), &config, None, config.clone());
            for attribute in &block().attributes {
                let (said, planned) = (config.get(attribute.name), planned.get(attribute.name));
                let expected = match (&attribute.default, attribute.mode) {
                    _ if attribute.write_only => &Value::Null,
                    _ if !said.is_null() => said,
                    _ if config.is_null() => &Value::Null,
                    (Some(default), _) => default,
                    (None, Mode::Computed | Mode::OptionalComputed) => &Value::Unknown,
                    (None, _) => &Value::Null,
                };
                // An unknown object stays one: it has no attributes to set.
                prop_assert!(planned == expected || config.is_unknown(), "{}: {planned:?}", attribute.name);
            }
        }

        #[test]
        fn flagged_and_changed_is_replaced(
            prior in arbitrary::value(&block().ty(), Known::Wholly),
            planned in arbitrary::value(&block().ty(), Known::Partly),
        ) {
            let replaced = replacements(&block(), &prior, &planned);
            for attribute in &block().attributes {
                let changed = prior.get(attribute.name) != planned.get(attribute.name);
                let found = replaced.contains(&Path::attribute(attribute.name));
                prop_assert_eq!(found, attribute.requires_replace && changed, "{}", attribute.name);
            }
            prop_assert!(replacements(&block(), &planned, &planned).is_empty());
        }
    }
}

//! CloudWatch's filter patterns, as far as AWS documents them and the modules use them. For unstructured events: words and
//! quoted phrases that an event must hold, `-` before what it must not, `?` before alternatives. For events of words with
//! blanks between: `[..., name = "value", name]`. For JSON: `{ ($.field = "value" || ...) && (...) }`. Case matters.

use std::collections::BTreeMap;

/// Either everything of `required` and nothing of `excluded`, or anything of `alternatives`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    required: Vec<String>,
    excluded: Vec<String>,
    alternatives: Vec<String>,
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Pattern, String> {
        let mut pattern = Pattern::default();
        let mut rest = text.trim_start();
        if rest.starts_with(['[', '{', '%']) {
            return Err(format!("not a pattern of words and phrases: {text}"));
        }
        while let Some(first) = rest.chars().next() {
            let (terms, after) = match first {
                '-' => (&mut pattern.excluded, &rest[1..]),
                '?' => (&mut pattern.alternatives, &rest[1..]),
                _ => (&mut pattern.required, rest),
            };
            let (term, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(|| format!("a quote is not closed: {text}"))?,
                None => after.split_at(after.find(' ').unwrap_or(after.len())),
            };
            let bare = !rest.trim_start_matches(['-', '?']).starts_with('"');
            if term.is_empty() || bare && !term.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(format!("{term:?} must be quoted: {text}"));
            }
            if !after.is_empty() && !after.starts_with(' ') {
                return Err(format!("no blank behind {term:?}: {text}"));
            }
            terms.push(term.to_owned());
            rest = after.trim_start();
        }
        // CloudWatch takes such a pattern, and ignores a part of it.
        let others = pattern.required.len() + pattern.excluded.len();
        if !pattern.alternatives.is_empty() && others > 0 {
            return Err(format!("? cannot be combined with other terms: {text}"));
        }
        Ok(pattern)
    }

    pub fn matches(&self, event: &str) -> bool {
        let holds = |term: &String| event.contains(term.as_str());
        if self.alternatives.is_empty() {
            self.required.iter().all(holds) && !self.excluded.iter().any(holds)
        } else {
            self.alternatives.iter().any(holds)
        }
    }

    pub fn required(&self) -> &[String] {
        &self.required
    }
}

/// The last words of an event, each with its name, and some with the value that they must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(Vec<(String, Option<String>)>);

impl Words {
    pub fn parse(text: &str) -> Result<Words, String> {
        let inside = text.strip_prefix("[..., ").and_then(|rest| rest.strip_suffix(']'));
        let word = |word: &str| match word.split_once(" = ") {
            None => Some((word.to_owned(), None)),
            Some((name, value)) => {
                let value = value.strip_prefix('"')?.strip_suffix('"')?;
                Some((name.to_owned(), Some(value.to_owned())))
            }
        };
        let words: Option<Vec<_>> = inside.and_then(|inside| inside.split(", ").map(word).collect());
        let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match words.filter(|words| words.iter().all(|(name, _)| is_name(name))) {
            Some(words) => Ok(Words(words)),
            None => Err(format!("not a pattern of named words: {text}")),
        }
    }

    /// The named words of an event that matches.
    pub fn matches<'a>(&self, event: &'a str) -> Option<BTreeMap<&str, &'a str>> {
        let all: Vec<&str> = event.split_whitespace().collect();
        let last = &all[all.len().checked_sub(self.0.len())?..];
        let pairs: BTreeMap<_, _> = self.0.iter().map(|(name, _)| name.as_str()).zip(last.iter().copied()).collect();
        let holds =
            |(name, value): &(String, Option<String>)| value.as_ref().is_none_or(|value| pairs[name.as_str()] == value);
        self.0.iter().all(holds).then_some(pairs)
    }
}

/// One of each group must be as it says: field and value, where * at either end stands for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields(Vec<Vec<(String, String)>>);

impl Fields {
    pub fn parse(text: &str) -> Result<Fields, String> {
        let inside = text.strip_prefix("{ (").and_then(|rest| rest.strip_suffix(") }"));
        let term = |term: &str| {
            let (field, value) = term.strip_prefix("$.")?.split_once(" = ")?;
            let value = value.strip_prefix('"')?.strip_suffix('"')?;
            let inner = value.strip_prefix('*').unwrap_or(value);
            let inner = inner.strip_suffix('*').unwrap_or(inner);
            (!inner.contains(['*', '"', '(', ')'])).then(|| (field.to_owned(), value.to_owned()))
        };
        let group = |group: &str| group.split(" || ").map(term).collect::<Option<Vec<_>>>();
        let groups = inside.and_then(|inside| inside.split(") && (").map(group).collect());
        groups.map(Fields).ok_or_else(|| format!("not a pattern of fields: {text}"))
    }

    pub fn matches(&self, fields: &BTreeMap<String, String>) -> bool {
        let holds = |(field, pattern): &(String, String)| {
            let Some(value) = fields.get(field) else { return false };
            match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
                (None, None) => value == pattern,
                (None, Some(start)) => value.starts_with(start),
                (Some(end), None) => value.ends_with(end),
                (Some(rest), Some(_)) => value.contains(rest.trim_end_matches('*')),
            }
        };
        self.0.iter().all(|group| group.iter().any(holds))
    }
}

#[test]
fn words_and_fields_match_what_they_say() {
    let words = Words::parse("[..., head = \"x:\", event, value]").unwrap();
    assert_eq!(words.matches("1 UTC:[7]:LOG:  x: over 5").map(|words| words["value"]), Some("5"));
    assert_eq!(words.matches("x: over 5").map(|words| words["event"]), Some("over"));
    for event in ["x: over 5 6", "y: over 5", "over 5", ""] {
        assert_eq!(words.matches(event), None, "{event}");
    }
    for pattern in ["[head, event]", "[..., head = x]", "[..., a-b]", "{ a }"] {
        assert!(Words::parse(pattern).is_err(), "{pattern}");
    }
    let fields = |level: &str, text: &str| {
        BTreeMap::from([("level".to_owned(), level.to_owned()), ("text".to_owned(), text.to_owned())])
    };
    let pattern =
        Fields::parse("{ ($.level = \"A\" || $.level = \"B\") && ($.text = \"due to*\") && ($.text = \"*lock*\") }");
    let pattern = pattern.unwrap();
    assert!(pattern.matches(&fields("B", "due to lock timeout")));
    for (level, text) in [("C", "due to lock"), ("A", "lock due to"), ("A", "due to time")] {
        assert!(!pattern.matches(&fields(level, text)), "{level} {text}");
    }
    assert!(!pattern.matches(&BTreeMap::new()));
    for pattern in ["{ $.a = \"b\" }", "{ ($.a = b) }", "{ ($.a = \"b*c\") }", "[a]"] {
        assert!(Fields::parse(pattern).is_err(), "{pattern}");
    }
}

#[test]
fn patterns_match_what_they_say() {
    #[track_caller]
    fn check(pattern: &str, event: &str, matches: bool) {
        assert_eq!(Pattern::parse(pattern).map(|pattern| pattern.matches(event)), Ok(matches), "{pattern} on {event}");
    }
    check("", "anything", true);
    check("ERROR", "an ERROR here", true);
    check("ERROR", "an error here", false);
    check("ERROR deadlock", "deadlock: ERROR", true);
    check("ERROR deadlock", "ERROR", false);
    check("\"lock timeout\"", "due to lock timeout", true);
    check("\"lock timeout\"", "timeout of a lock", false);
    check("ERROR -\"]:STATEMENT:\"", "[1]:ERROR:  no", true);
    check("ERROR -\"]:STATEMENT:\"", "[1]:STATEMENT:  SELECT 'ERROR'", false);
    check("?ERROR ?\"FATAL:\"", "[1]:FATAL:  no", true);
    check("?ERROR ?\"FATAL:\"", "[1]:LOG:  yes", false);
    check("-LOG", "[1]:ERROR:  no", true);
}

#[test]
fn patterns_that_cloudwatch_takes_otherwise_are_refused() {
    #[track_caller]
    fn check(pattern: &str) {
        assert!(Pattern::parse(pattern).is_err(), "{pattern}");
    }
    check("\"open");
    check("ERROR: no");
    check("?ERROR FATAL");
    check("?ERROR -FATAL");
    check("{ $.level = \"ERROR\" }");
    check("[time, level]");
    check("%ERROR%");
    check("\"a\"\"b\"");
    check("\"\"");
}

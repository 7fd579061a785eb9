//! CloudWatch's filter patterns for unstructured events, as far as AWS documents them: words and quoted phrases that
//! an event must hold, `-` before what it must not, `?` before alternatives. Case matters.

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

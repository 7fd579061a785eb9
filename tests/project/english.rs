//! Words that a reader has to read twice, in whatever a user meets, each with what to write instead.

use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// In lower case, as whole words.
const PHRASES: [(&str, &str); 30] = [
    ("and the like", "name them, or: and similar ones"),
    ("anew", "again"),
    ("are there already", "exist already"),
    ("are told", "say who tells what"),
    ("becomes of", "happens to"),
    ("beside", "in addition to; next to; compared with"),
    ("come to more", "add up to more"),
    ("goes before", "takes precedence over"),
    ("is asked for its", "say who asks"),
    ("is asked for that", "needs"),
    ("is let in", "say what it may do: connect, read"),
    ("is there already", "exists already"),
    ("is there again", "exists again"),
    ("is told by", "turn it round: ... reports it"),
    ("let in by name", "name the privilege: CONNECT"),
    ("let into", "say what it may do: connect, read"),
    ("made by hand", "say who made it, or how"),
    ("may come to", "can"),
    ("of which they are", "say it in a sentence of its own"),
    ("says the", "turn it round: the ... says"),
    ("stranger", "another role; another session; anybody"),
    ("strangers", "others; anybody"),
    ("tells of", "names; reports"),
    ("that are there", "that exist; existing"),
    ("that is there", "that exists; existing"),
    ("that there is", "possible; existing"),
    ("to be had", "available"),
    ("told by", "turn it round: ... reports it"),
    ("which is there", "which exists"),
    ("whoever", "everybody who; the role that; no matter who"),
];

/// The phrases in a text, each with the number of its line.
fn found(text: &str) -> Vec<(usize, &'static str)> {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut hits = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.to_lowercase();
        for (phrase, _) in PHRASES {
            let whole = line.match_indices(phrase).any(|(at, _)| {
                !is_part(line[..at].chars().next_back()) && !is_part(line[at + phrase.len()..].chars().next())
            });
            hits.extend(whole.then_some((number, phrase)));
        }
    }
    hits
}

/// A page without its blocks of code, line for line.
fn prose(page: &str) -> String {
    let mut fenced = false;
    let mut kept = |line: &str| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if fenced || fence { String::new() } else { line.to_owned() }
    };
    page.lines().map(|line| kept(line) + "\n").collect()
}

/// What Rust code says at run time: its literals, line for line; not what tests say.
fn literals(code: &str) -> String {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let mut said = String::new();
    let mut rest = code.chars().peekable();
    let mut in_literal = false;
    while let Some(c) = rest.next() {
        match (c, in_literal) {
            ('\n', _) => said.push('\n'),
            ('\\', true) => said.extend(rest.next_if_eq(&'\n').or_else(|| rest.next().map(|_| ' '))),
            ('"', _) => {
                in_literal = !in_literal;
                said.push(' ');
            }
            (c, true) => said.push(c),
            // A quote as a character, and a comment.
            ('\'', false) => drop(rest.next_if_eq(&'"').and_then(|_| rest.next_if_eq(&'\''))),
            ('/', false) if rest.peek() == Some(&'/') => while rest.next_if(|c| *c != '\n').is_some() {},
            _ => {}
        }
    }
    said
}

/// What a configuration says to people: comments, and the texts that Terraform shows.
fn told(configuration: &str) -> String {
    let is_told = |line: &&str| {
        let line = line.trim_start();
        line.starts_with('#') || ["description", "error_message", "summary"].iter().any(|word| line.starts_with(word))
    };
    configuration.lines().map(|line| if is_told(&line) { line } else { "" }.to_owned() + "\n").collect()
}

fn files(dir: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files(&path, extensions, found);
        } else if path.extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted)) {
            found.push(path);
        }
    }
}

#[test]
fn nothing_has_to_be_read_twice() {
    let root = Path::new(ROOT);
    let mut all: Vec<PathBuf> =
        ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].iter().map(|name| root.join(name)).collect();
    files(&root.join("docs"), &["md"], &mut all);
    files(&root.join("examples"), &["md", "tf"], &mut all);
    files(&root.join("src"), &["rs", "md"], &mut all);
    let mut hits = Vec::new();
    for path in all {
        let text = fs::read_to_string(&path).unwrap();
        let text = match path.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => literals(&text),
            Some("tf") => told(&text),
            _ => prose(&text),
        };
        for (line, phrase) in found(&text) {
            let instead = PHRASES.iter().find(|(known, _)| *known == phrase).unwrap().1;
            hits.push(format!("{}:{line}: {phrase:?}; rather: {instead}", path.strip_prefix(root).unwrap().display()));
        }
    }
    assert!(hits.is_empty(), "{}", hits.join("\n"));
}

#[test]
fn phrases_are_found_as_whole_words_in_prose_only() {
    for (text, expected) in [
        ("Whoever comes", vec![(1, "whoever")]),
        ("besides, renewed", vec![]),
        ("a\nIt is there already.", vec![(2, "is there already")]),
        ("a stranger, strangers", vec![(1, "stranger"), (1, "strangers")]),
    ] {
        assert_eq!(found(text), expected, "{text}");
    }
    assert_eq!(prose("one\n```sql\nanew\n```\ntwo\n"), "one\n\n\n\ntwo\n");
    assert_eq!(told("# a comment\nname = \"anew\"\n  description = \"b\"\n"), "# a comment\n\n  description = \"b\"\n");
    let code = "let a = 1; // anew\nsay(\"one \\\n  two\", '\"', \"th\\\"ree\");\n#[cfg(test)]\nsay(\"anew\")";
    assert_eq!(literals(code).split_whitespace().collect::<Vec<_>>(), ["one", "two", "th", "ree"]);
}

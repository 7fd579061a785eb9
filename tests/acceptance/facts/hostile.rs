//! Text that somebody would store to be taken for something else, and what must never come out of a program raw.

use std::collections::BTreeSet;

/// What the texts are made of: words of our own, words of the languages around us, and characters that act.
const PIECES: &[&str] = &[
    "enforced",
    "found: ",
    "found: enforced",
    "not permitted: x",
    "accepted: because",
    "not inspected: closed",
    "null",
    "{\"pgtenant\":\"t00\",\"stage\":\"ready\"}",
    "[\"enforced\"]",
    "{}",
    "\"",
    "'",
    "''",
    "`",
    "\\",
    "\\\"",
    "\"\"",
    "\n",
    "\r",
    "\r\n",
    "\t",
    "\u{b}",
    "\u{c}",
    "\u{1}",
    "\u{7}",
    "\u{8}",
    "\u{e}",
    "\u{1b}",
    "\u{1f}",
    "\u{7f}",
    "\u{1b}[2J",
    "\u{1b}[31mError: \u{1b}[0m",
    "\u{1b}]0;owned\u{7}",
    "\u{1b}]8;;http://x\u{1b}\\",
    "\u{80}",
    "\u{85}",
    "\u{90}",
    "\u{9b}2J",
    "\u{9d}",
    "\u{9f}",
    "\u{61c}",
    "\u{200e}",
    "\u{200f}",
    "\u{202a}",
    "\u{202b}",
    "\u{202c}",
    "\u{202d}",
    "\u{202e}",
    "\u{2066}",
    "\u{2067}",
    "\u{2068}",
    "\u{2069}",
    "\u{200b}",
    "\u{feff}",
    "\u{2028}",
    "\u{2029}",
    "\u{fffd}",
    "\u{e0001}",
    "e\u{301}",
    "\u{1f600}",
    "ſ",
    "İ",
    "%",
    "%s%n%d",
    "%%",
    "%{ if true }",
    "${",
    "${var.x}",
    "$${",
    "$$",
    "$1",
    "<script>",
    "</td>",
    "&amp;",
    "-->",
    "--",
    "/*",
    "; DROP SCHEMA app",
    "EOT",
    "~ ",
    "+ ",
    "│ Error: ",
    "Apply complete!",
    "No changes.",
    "app",
    "app, extensions",
    "\"$user\"",
    "pg_catalog",
    " ",
    "  ",
    "x",
    "yz",
    "0",
    "-1",
    "::error::",
    "##[error]",
    "\u{1b}P",
    "\u{1b}_",
];

/// The same for the same seed: xorshift, as good as any here.
pub struct Texts {
    state: u64,
    made: BTreeSet<String>,
}

impl Texts {
    pub fn seeded(seed: u64) -> Texts {
        Texts { state: seed.max(1), made: BTreeSet::new() }
    }

    fn next(&mut self) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 16) as usize
    }

    /// Never empty, never the same twice, and short enough for a name. Every piece comes once alone.
    pub fn text(&mut self) -> String {
        loop {
            let mut text = match PIECES.get(self.made.len()) {
                Some(piece) => (*piece).to_owned(),
                None => {
                    let pieces = 1 + self.next() % 6;
                    (0..pieces).map(|_| PIECES[self.next() % PIECES.len()]).collect()
                }
            };
            let mut end = text.len().min(63);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            if self.made.insert(text.clone()) {
                return text;
            }
        }
    }
}

pub fn identifier(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The first character that acts on a terminal, or on the order of what is read, with what stands around it.
pub fn raw(output: &str) -> Option<String> {
    let acts = |c: char| {
        matches!(c, '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let at = output.find(acts)?;
    let before: String = output[..at].chars().rev().take(80).collect::<Vec<_>>().into_iter().rev().collect();
    Some(format!("{:?}", before + &output[at..].chars().take(20).collect::<String>()))
}

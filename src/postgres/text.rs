//! Foreign text, fit to be shown: what roles wrote into names and values of the server, escaped and cut.

use std::fmt::Write as _;

/// How much of a value is shown.
const SHOWN: usize = 80;

/// A name as SQL writes it: bare where it needs no quotes, else in double quotes and escaped.
pub fn name(name: &str) -> String {
    let bare = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A text in double quotes, escaped and cut at 80 characters.
pub fn quoted(text: &str) -> String {
    let mut shown = String::from("\"");
    for (number, c) in text.chars().enumerate() {
        if number == SHOWN {
            shown.push('…');
            break;
        }
        match c {
            '"' | '\\' => shown.extend(['\\', c]),
            c if is_unsafe(c) => write!(shown, "\\u{{{:x}}}", u32::from(c)).expect("a text takes all"),
            c => shown.push(c),
        }
    }
    shown.push('"');
    shown
}

/// A text without quotes, with what moves or hides replaced, and cut: for names and sentences of ours that hold some.
pub fn plain(text: &str, at_most: usize) -> String {
    let mut shown: String = text.chars().take(at_most).map(|c| if is_unsafe(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(at_most).is_some() {
        shown.push('…');
    }
    shown
}

/// Whether a character moves a terminal's cursor, turns the direction of writing, or shows nothing.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_bare_where_they_can_be() {
        for bare in ["acme", "pg_monitor", "a1"] {
            assert_eq!(name(bare), bare);
        }
        for (text, shown) in [("", "\"\""), ("1a", "\"1a\""), ("Acme", "\"Acme\""), ("a\"b\\", "\"a\\\"b\\\\\"")] {
            assert_eq!(name(text), shown);
        }
    }

    #[test]
    fn what_moves_the_cursor_is_escaped_and_what_is_long_is_cut() {
        assert_eq!(quoted("a\u{1b}[2J\u{202e}\n\u{9b}"), "\"a\\u{1b}[2J\\u{202e}\\u{a}\\u{9b}\"");
        assert_eq!(quoted(&"x".repeat(80)).len(), 82);
        assert_eq!(quoted(&"x".repeat(81)), format!("\"{}…\"", "x".repeat(80)));
    }

    proptest! {
        #[test]
        fn nothing_shown_is_unsafe_and_quotes_cannot_be_left(text in any::<String>()) {
            let shown = quoted(&text);
            prop_assert!(!shown.chars().any(is_unsafe));
            let inner = &shown[1..shown.len() - 1];
            let mut escaped = false;
            for c in inner.chars() {
                prop_assert!(escaped || c != '"');
                escaped = !escaped && c == '\\';
            }
            prop_assert!(!escaped);
        }
    }
}

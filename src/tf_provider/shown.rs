//! What leaves for a terminal: text that may be foreign, made safe and bounded. Every diagnostic and every log line
//! passes here, at the place where it leaves.

use std::fmt::Write as _;

/// How many bytes are shown of one text.
pub const MOST: usize = 8 * 1024;

/// The text without what a terminal would obey or a reader would not see, each such character as `\u{1b}`; cut after
/// [`MOST`] bytes, with a note of how many are missing.
pub fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len().min(MOST));
    for (at, c) in text.char_indices() {
        let before = safe.len();
        if is_hidden(c) {
            let _ = write!(safe, "{}", c.escape_unicode());
        } else {
            safe.push(c);
        }
        if safe.len() > MOST {
            safe.truncate(before);
            let _ = write!(safe, "... ({} bytes more were cut)", text.len() - at);
            break;
        }
    }
    safe
}

/// Control characters but newline and tab; line and paragraph separators; what changes the direction of text; what
/// takes no room.
fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{ad}' // soft hyphen
        | '\u{61c}' // Arabic letter mark
        | '\u{180e}' // Mongolian vowel separator
        | '\u{200b}'..='\u{200f}' // zero-width, left-to-right and right-to-left marks
        | '\u{2028}'..='\u{202e}' // separators, embeddings and overrides
        | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, isolates
        | '\u{feff}' // byte order mark
        | '\u{fff9}'..='\u{fffb}' // interlinear annotation
        | '\u{e0000}'..='\u{e007f}' => true, // tags
        c => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(shown(text), expected, "{text:?}");
    }

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        check("", "");
        check("plain, `code` \"quoted\"\n\tsecond line", "plain, `code` \"quoted\"\n\tsecond line");
        check("Grüße, 日本語 🐘", "Grüße, 日本語 🐘");
        check("\u{1b}[2J\u{7}", "\\u{1b}[2J\\u{7}");
        check("a\rb\0c\u{7f}", "a\\u{d}b\\u{0}c\\u{7f}");
        check("\u{80}\u{9b}31m\u{9f}\u{a0}", "\\u{80}\\u{9b}31m\\u{9f}\u{a0}");
        check("\u{61c}\u{200e}\u{200f}", "\\u{61c}\\u{200e}\\u{200f}");
        check("\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}", "\\u{202a}\\u{202b}\\u{202c}\\u{202d}\\u{202e}");
        check("\u{2066}\u{2067}\u{2068}\u{2069}", "\\u{2066}\\u{2067}\\u{2068}\\u{2069}");
        check("\u{2028}\u{2029}\u{202f}", "\\u{2028}\\u{2029}\u{202f}");
        check("\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}", "\\u{200b}\\u{200c}\\u{200d}\\u{2060}\\u{feff}");
        check("\u{ad}\u{180e}\u{2061}\u{fff9}\u{e0041}", "\\u{ad}\\u{180e}\\u{2061}\\u{fff9}\\u{e0041}");
    }

    #[test]
    fn what_is_long_is_cut_and_says_so() {
        let most = "x".repeat(MOST);
        check(&most, &most);
        check(&format!("{most}yz"), &format!("{most}... (2 bytes more were cut)"));
        // Neither a character nor its spelling is cut in two.
        let most = "x".repeat(MOST - 1);
        check(&format!("{most}ü"), &format!("{most}... (2 bytes more were cut)"));
        check(&format!("{most}\u{1b}ü"), &format!("{most}... (3 bytes more were cut)"));
    }

    proptest! {
        #[test]
        fn nothing_shown_is_hidden(text in prop::collection::vec(any::<char>(), 0..64)) {
            let text: String = text.into_iter().collect();
            let safe = shown(&text);
            prop_assert!(!safe.chars().any(is_hidden));
            prop_assert!(!safe.bytes().any(|byte| (byte < 0x20 && byte != b'\n' && byte != b'\t') || byte == 0x7f));
            prop_assert_eq!(shown(&safe), safe.clone());
            if !text.chars().any(is_hidden) {
                prop_assert_eq!(safe, text);
            }
        }

        #[test]
        fn whatever_is_shown_is_bounded(unit in "\\PC|\\x1b|\u{202e}", times in 0..20_000_usize) {
            prop_assert!(shown(&unit.repeat(times)).len() <= MOST + 64);
        }
    }
}

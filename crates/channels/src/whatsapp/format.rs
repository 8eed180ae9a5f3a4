//! From a model's Markdown to messages that WhatsApp takes.

use crate::long;
use crate::markdown::{Style, render};

/// Longest body of a text message; the rest is room for the fences that a cut may add.
pub(super) const TEXT_MAX: usize = 4_096;
const PART_MAX: usize = 4_000;
/// More are a flood, and each has its price.
pub(super) const MESSAGES_MAX: usize = 3;
/// Longest text below a file is 1,024.
const BEGINNING_MAX: usize = 800;

/// WhatsApp's markup cannot be escaped: what looks like it is it.
struct WhatsApp;

impl Style for WhatsApp {
    const BOLD: (&'static str, &'static str) = ("*", "*");
    const ITALIC: (&'static str, &'static str) = ("_", "_");
    const STRUCK: (&'static str, &'static str) = ("~", "~");
    const CODE: (&'static str, &'static str) = ("`", "`");
    const BLOCK: (&'static str, &'static str) = ("```\n", "```");

    fn text(text: &str, out: &mut String) {
        out.push_str(text);
    }

    fn link(url: &str, text: &str) -> (String, String) {
        if text == url || url.is_empty() { Default::default() } else { (String::new(), format!(" ({url})")) }
    }
}

/// The same text always gives the same parts.
pub(super) fn parts(markdown: &str) -> Vec<String> {
    long::messages(&rendered(markdown), PART_MAX, PART_MAX)
}

/// What stands below a file with the whole answer.
pub(super) fn caption(markdown: &str) -> String {
    long::beginning(&rendered(markdown), BEGINNING_MAX)
}

/// What is nothing but markup is shown as it is: an empty message is refused.
pub(super) fn rendered(markdown: &str) -> String {
    let text = render::<WhatsApp>(markdown);
    if text.is_empty() { markdown.to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markdown_becomes_whatsapps_markup() {
        let cases = [
            ("**bold** and *italic* and ~~gone~~", "*bold* and _italic_ and ~gone~"),
            ("__bold__ _italic_", "*bold* _italic_"),
            ("# Title\n\ntext", "*Title*\n\ntext"),
            ("- one\n- two\n  - deep\n\nend", "- one\n- two\n  - deep\n\nend"),
            ("3. three\n4. four", "3. three\n4. four"),
            ("[docs](https://a.example)", "docs (https://a.example)"),
            ("<https://a.example>", "https://a.example"),
            ("`x*y` and\n```rust\nlet a = \"*\";\n```", "`x*y` and\n\n```\nlet a = \"*\";\n```"),
            ("2 * 3 < 7 & 8", "2 * 3 < 7 & 8"),
            ("first\nsecond\n\nthird", "first\nsecond\n\nthird"),
        ];
        for (markdown, expected) in cases {
            assert_eq!(parts(markdown), [expected]);
        }
    }

    proptest! {
        #[test]
        fn every_part_fits_and_none_is_empty(markdown in "[a-z #*_~`\\[\\]()\n😀-]{1,300}", times in 1_usize..60) {
            let parts = parts(&markdown.repeat(times));
            let fits = |part: &String| part.encode_utf16().count() <= TEXT_MAX;
            prop_assert!(parts.iter().all(fits));
            prop_assert!(parts.len() == 1 || parts.iter().all(|part| !part.is_empty()));
        }
    }
}

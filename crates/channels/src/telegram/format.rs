//! From a model's Markdown to messages that Telegram takes.

use crate::long;
use crate::markdown::{Style, render};

/// Longest text of a message, after its markup was read.
pub(super) const TEXT_MAX: usize = 4_096;
const PART_MAX: usize = 4_000;
/// More are a flood.
pub(super) const MESSAGES_MAX: usize = 4;
/// Longest text below a file is 1,024, after its markup was read; some of it may grow when it is translated.
const BEGINNING_MAX: usize = 800;

/// Telegram's HTML: of its three kinds of markup the one in which everything can be escaped.
struct Html;

impl Style for Html {
    const BOLD: (&'static str, &'static str) = ("<b>", "</b>");
    const ITALIC: (&'static str, &'static str) = ("<i>", "</i>");
    const STRUCK: (&'static str, &'static str) = ("<s>", "</s>");
    const CODE: (&'static str, &'static str) = ("<code>", "</code>");
    const BLOCK: (&'static str, &'static str) = ("<pre>", "</pre>");

    fn text(text: &str, out: &mut String) {
        for character in text.chars() {
            match character {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                other => out.push(other),
            }
        }
    }

    fn link(url: &str, _text: &str) -> (String, String) {
        let mut before = "<a href=\"".to_owned();
        Self::text(url, &mut before);
        before.push_str("\">");
        (before, "</a>".to_owned())
    }
}

/// A part as HTML, and as it is for the case that Telegram cannot read the HTML.
pub(super) struct Part {
    pub html: String,
    pub plain: String,
}

/// The Markdown is cut, not the HTML: no tag is open at a cut. The same text always gives the same parts.
pub(super) fn parts(markdown: &str) -> Vec<Part> {
    long::messages(markdown, PART_MAX, PART_MAX).into_iter().map(Part::new).collect()
}

/// What stands below a file with the whole answer.
pub(super) fn caption(markdown: &str) -> Part {
    Part::new(long::beginning(markdown, BEGINNING_MAX))
}

impl Part {
    fn new(plain: String) -> Self {
        Self { html: render::<Html>(&plain), plain }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markdown_becomes_telegrams_html() {
        let cases = [
            ("**bold** *italic* ~~gone~~ `a<b`", "<b>bold</b> <i>italic</i> <s>gone</s> <code>a&lt;b</code>"),
            ("[docs](https://a.example/?a=1&b=2)", "<a href=\"https://a.example/?a=1&amp;b=2\">docs</a>"),
            ("```\n1 < 2\n```", "<pre>1 &lt; 2\n</pre>"),
            ("# Title", "<b>Title</b>"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ];
        for (markdown, expected) in cases {
            assert_eq!(parts(markdown)[0].html, expected);
        }
    }

    proptest! {
        #[test]
        fn every_tag_that_opens_closes(markdown in "[a-z #*_~`<>&\\[\\]()\n-]{0,200}") {
            for part in parts(&markdown) {
                for tag in ["b", "i", "s", "code", "pre"] {
                    let opened = part.html.matches(&format!("<{tag}>")).count();
                    prop_assert_eq!(opened, part.html.matches(&format!("</{tag}>")).count());
                }
            }
        }
    }
}

//! From a model's Markdown to the markup of platforms that have their own.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// How a platform writes what Markdown means.
pub(crate) trait Style {
    /// Around bold, italic, struck-out and code.
    const BOLD: (&'static str, &'static str);
    const ITALIC: (&'static str, &'static str);
    const STRUCK: (&'static str, &'static str);
    const CODE: (&'static str, &'static str);
    const BLOCK: (&'static str, &'static str);

    /// Plain text, with what would read as markup made harmless where that is possible.
    fn text(text: &str, out: &mut String);

    /// Before and after a link's text.
    fn link(url: &str, text: &str) -> (String, String);
}

/// Translates a text. What a platform has no markup for stays readable as plain text.
pub(crate) fn render<S: Style>(markdown: &str) -> String {
    let mut out = Renderer::<S>::default();
    for event in Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH) {
        out.event(event);
    }
    out.text.trim().to_owned()
}

struct Renderer<S> {
    text: String,
    /// Numbers of the lists that are open; bullets have none.
    lists: Vec<Option<u64>>,
    /// Where the text of the open link begins, and its address.
    link: Option<(usize, String)>,
    style: std::marker::PhantomData<S>,
}

impl<S> Default for Renderer<S> {
    fn default() -> Self {
        Self { text: String::new(), lists: Vec::new(), link: None, style: std::marker::PhantomData }
    }
}

impl<S: Style> Renderer<S> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => S::text(&text, &mut self.text),
            Event::Code(code) => {
                self.text.push_str(S::CODE.0);
                S::text(&code, &mut self.text);
                self.text.push_str(S::CODE.1);
            }
            Event::SoftBreak | Event::HardBreak => self.text.push('\n'),
            Event::Rule => {
                self.gap(2);
                self.text.push_str("———");
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph if self.lists.is_empty() => self.gap(2),
            Tag::Heading { .. } => {
                self.gap(2);
                self.text.push_str(S::BOLD.0);
            }
            Tag::BlockQuote(_) => self.gap(2),
            Tag::CodeBlock(kind) => {
                self.gap(2);
                self.text.push_str(S::BLOCK.0);
                // The language would show as the first line of the code.
                drop::<CodeBlockKind<'_>>(kind);
            }
            Tag::List(first) => {
                self.gap(if self.lists.is_empty() { 2 } else { 1 });
                self.lists.push(first);
            }
            Tag::Item => self.item(),
            Tag::Strong => self.text.push_str(S::BOLD.0),
            Tag::Emphasis => self.text.push_str(S::ITALIC.0),
            Tag::Strikethrough => self.text.push_str(S::STRUCK.0),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.link = Some((self.text.len(), dest_url.into_string()));
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) | TagEnd::Strong => self.text.push_str(S::BOLD.1),
            TagEnd::Emphasis => self.text.push_str(S::ITALIC.1),
            TagEnd::Strikethrough => self.text.push_str(S::STRUCK.1),
            TagEnd::CodeBlock => {
                self.gap(1);
                self.text.push_str(S::BLOCK.1);
            }
            TagEnd::List(_) => drop(self.lists.pop()),
            TagEnd::Link | TagEnd::Image => {
                if let Some((start, url)) = self.link.take() {
                    let (before, after) = S::link(&url, &self.text[start..]);
                    self.text.insert_str(start, &before);
                    self.text.push_str(&after);
                }
            }
            _ => {}
        }
    }

    fn item(&mut self) {
        self.gap(1);
        let depth = self.lists.len().saturating_sub(1).min(8);
        self.text.push_str(&"  ".repeat(depth));
        match self.lists.last_mut() {
            Some(Some(number)) => {
                self.text.push_str(&number.to_string());
                self.text.push_str(". ");
                *number = number.saturating_add(1);
            }
            _ => self.text.push_str("- "),
        }
    }

    /// So many line ends after what is there.
    fn gap(&mut self, lines: usize) {
        if self.text.is_empty() || self.text.ends_with("- ") {
            return;
        }
        let there = self.text.len() - self.text.trim_end_matches('\n').len();
        self.text.push_str(&"\n".repeat(lines.saturating_sub(there)));
    }
}

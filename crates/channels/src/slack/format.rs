//! From a model's Markdown to messages that Slack takes and that disturb nobody.

use konstruct_domain::message::truncate;

/// Slack takes 12,000 characters in the Markdown blocks of a message. The rest is room for the fences that a cut may add, and for
/// characters that Slack counts twice.
pub(super) const PART_MAX: usize = 10_000;

/// More are a flood.
pub(super) const MESSAGES_MAX: usize = 3;
/// What of an answer that goes as a file is shown.
pub(super) const BEGINNING_MAX: usize = 3_000;

/// Slack's advice for `text`.
const FALLBACK_MAX: usize = 4_000;

/// Mentions that ring for everybody in a channel.
const MASS_MENTIONS: [&str; 5] = ["channel", "here", "everyone", "group", "subteam"];

/// Invisible; after an `@` it keeps the word readable and keeps Slack from making a mention of it.
const WORD_JOINER: char = '\u{2060}';

/// Takes the effect out of mass mentions and leaves their words.
pub(super) fn neutralise(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(['<', '@']) {
        safe.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some((word, after)) = bracketed(rest).or_else(|| plain(rest, &safe)) {
            safe.push('@');
            safe.push(WORD_JOINER);
            safe.push_str(word);
            rest = after;
        } else {
            safe.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    safe.push_str(rest);
    safe
}

/// What can be shown of a text that goes on in any way: whole words, so that no half of a mention is let through, and no more than
/// one message holds.
pub(super) fn showable(text: &str) -> String {
    let text = truncate(text, PART_MAX);
    let whole = text.rfind(char::is_whitespace).map_or("", |end| &text[..end]);
    neutralise(whole.trim_end())
}

/// `<!channel>`, `<!here|here>`, `<!subteam^S1|@ops>`: the word, and what follows the closing bracket.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let (word, after) = mass_mention(text.strip_prefix("<!")?)?;
    if !after.starts_with(['>', '|', '^']) {
        return None;
    }
    Some((word, after.split_once('>').map_or(after, |(_, after)| after)))
}

/// `@channel`, but not in `me@channel.example` or `@channels`.
fn plain<'a>(text: &'a str, before: &str) -> Option<(&'a str, &'a str)> {
    let in_word = |character: char| character.is_alphanumeric() || character == '_';
    if before.ends_with(in_word) {
        return None;
    }
    mass_mention(text.strip_prefix('@')?).filter(|(_, after)| !after.starts_with(in_word))
}

fn mass_mention(text: &str) -> Option<(&str, &str)> {
    MASS_MENTIONS.iter().find_map(|word| {
        let (start, after) = text.split_at_checked(word.len())?;
        start.eq_ignore_ascii_case(word).then_some((start, after))
    })
}

/// What notifications, screen readers and clients without blocks show: plain text in Slack's escapes.
pub(super) fn fallback(text: &str) -> String {
    truncate(text, FALLBACK_MAX).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mass_mentions_lose_their_effect_and_keep_their_words() {
        let cases = [
            ("<!channel> hi", "@\u{2060}channel hi"),
            ("<!here|here>", "@\u{2060}here"),
            ("<!EVERYONE>", "@\u{2060}EVERYONE"),
            ("<!subteam^S123|@ops> look", "@\u{2060}subteam look"),
            ("@channel, @here and @everyone!", "@\u{2060}channel, @\u{2060}here and @\u{2060}everyone!"),
            ("<!<!here>here>", "<!@\u{2060}herehere>"),
            ("<!channel", "<!channel"),
            ("me@here.example and @channels", "me@here.example and @channels"),
            ("<@U1> <#C1> <https://a.example> a < b @ c", "<@U1> <#C1> <https://a.example> a < b @ c"),
            ("<!date^1^{date}|today>", "<!date^1^{date}|today>"),
        ];
        for (text, expected) in cases {
            assert_eq!(neutralise(text), expected);
        }
    }

    #[test]
    fn half_a_word_is_not_shown() {
        assert_eq!(showable("Hello <!chan"), "Hello");
        assert_eq!(showable("Hello <!channel> you"), "Hello @\u{2060}channel");
        assert_eq!([showable("Hello"), showable(" "), showable("")], ["", "", ""]);
        assert!(showable(&"word ".repeat(PART_MAX)).chars().count() <= PART_MAX);
    }

    #[test]
    fn the_fallback_is_plain_text_of_bounded_length() {
        assert_eq!(fallback("a < b && <@U1>"), "a &lt; b &amp;&amp; &lt;@U1&gt;");
        assert_eq!(fallback(&"<".repeat(PART_MAX)).len(), 4 * FALLBACK_MAX);
    }

    proptest! {
        /// Added piece by piece, as a stream is.
        #[test]
        fn no_mass_mention_grows_together(
            text in "([<!@>| a]{0,3}(channel|here|everyone|subteam\\^S1)[<!@>| a]{0,3}){1,3}",
        ) {
            let mut shown = String::new();
            for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
                if let Some(more) = showable(&text[..end]).strip_prefix(shown.as_str()) {
                    shown.push_str(more);
                }
                for word in ["<!channel", "<!here", "<!everyone", "<!subteam"] {
                    for after in [">", "|", "^"] {
                        prop_assert!(!shown.contains(&format!("{word}{after}")), "{shown}");
                    }
                }
            }
        }

        #[test]
        fn no_mass_mention_survives(text in "[<!@>| a]{0,6}(channel|here|everyone)[<!@>| a]{0,6}") {
            let safe = neutralise(&text);
            for word in ["<!channel>", "<!here>", "<!everyone>", "<!channel|", "<!here|", "<!everyone|"] {
                prop_assert!(!safe.contains(word), "{safe}");
            }
        }
    }
}

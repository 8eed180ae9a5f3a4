//! From Slack's markup to plain text for a model: `<@U1|ada>` becomes `@ada`, `&amp;` becomes `&`.

/// Translates a text and leaves out mentions of `own_user`.
pub(super) fn plain(text: &str, own_user: Option<&str>) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        unescape(&rest[..start], &mut plain);
        let inside = &rest[start + 1..];
        let Some(end) = inside.find('>') else {
            rest = &rest[start..];
            break;
        };
        rest = &inside[end + 1..];
        if is_mention_of(&inside[..end], own_user) {
            if plain.is_empty() || plain.ends_with(char::is_whitespace) {
                rest = rest.strip_prefix(' ').unwrap_or(rest);
            }
        } else {
            reference(&inside[..end], &mut plain);
        }
    }
    unescape(rest, &mut plain);
    plain.trim().to_owned()
}

/// Whether a text mentions the user.
pub(super) fn mentions(text: &str, user: Option<&str>) -> bool {
    text.split('<')
        .skip(1)
        .filter_map(|after| after.split_once('>'))
        .any(|(inside, _)| is_mention_of(inside, user))
}

fn is_mention_of(inside: &str, user: Option<&str>) -> bool {
    let Some(mentioned) = inside.strip_prefix('@') else { return false };
    let id = mentioned.split_once('|').map_or(mentioned, |(id, _)| id);
    user == Some(id)
}

/// What stands between angle brackets: a user, a channel, a group, a date or a link.
fn reference(inside: &str, plain: &mut String) {
    let (target, label) = match inside.split_once('|') {
        Some((target, label)) if !label.is_empty() => (target, Some(label)),
        Some((target, _)) => (target, None),
        None => (inside, None),
    };
    let mut chars = target.chars();
    match (chars.next(), label) {
        (Some(sigil @ ('@' | '#')), Some(label)) => {
            plain.push(sigil);
            unescape(label.trim_start_matches(sigil), plain);
        }
        (Some('@' | '#'), None) => plain.push_str(target),
        (Some('!'), Some(label)) => unescape(label, plain),
        (Some('!'), None) => {
            plain.push('@');
            plain.push_str(chars.as_str());
        }
        (_, Some(label)) if label != target => {
            unescape(label, plain);
            plain.push_str(" (");
            unescape(target, plain);
            plain.push(')');
        }
        _ => unescape(target, plain),
    }
}

/// Slack escapes these three characters and no others.
fn unescape(text: &str, plain: &mut String) {
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let entities = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>')];
        if let Some((entity, character)) = entities.into_iter().find(|(entity, _)| rest.starts_with(entity)) {
            plain.push(character);
            rest = &rest[entity.len()..];
        } else {
            plain.push('&');
            rest = &rest[1..];
        }
    }
    plain.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_plain_text() {
        let cases = [
            ("<@UBOT> hello", "hello"),
            ("<@UBOT|ada>  hello", "hello"),
            ("hey <@UBOT> what's up", "hey what's up"),
            ("thanks <@UBOT>", "thanks"),
            ("ask <@U2> or <@U3|bob>", "ask @U2 or @bob"),
            ("see <#C1|general> and <#C2>", "see #general and #C2"),
            ("<https://a.example/?x=1&amp;y=2|docs>", "docs (https://a.example/?x=1&y=2)"),
            ("<https://a.example>", "https://a.example"),
            ("<mailto:a@b.example|a@b.example>", "a@b.example (mailto:a@b.example)"),
            ("<!here> <!subteam^S1|@ops> <!date^1^{date}|today>", "@here @ops today"),
            ("1 &lt; 2 &amp;&amp; 3 &gt; 2 &amp;lt; & &nbsp;", "1 < 2 && 3 > 2 &lt; & &nbsp;"),
            ("unclosed <@U1", "unclosed <@U1"),
            ("<>", ""),
            ("", ""),
        ];
        for (markup, expected) in cases {
            assert_eq!(plain(markup, Some("UBOT")), expected, "{markup}");
        }
    }

    #[test]
    fn a_mention_is_found_with_and_without_a_label() {
        assert!(mentions("hi <@UBOT>", Some("UBOT")));
        assert!(mentions("hi <@UBOT|ada>", Some("UBOT")));
        assert!(!mentions("hi <@UBOT2>", Some("UBOT")));
        assert!(!mentions("hi @UBOT", Some("UBOT")));
        assert!(!mentions("hi <@UBOT>", None));
    }
}

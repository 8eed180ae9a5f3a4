//! Telegram's HTML: what people read of it, or why it cannot be read.

const TAGS: [&str; 15] = [
    "b",
    "strong",
    "i",
    "em",
    "u",
    "ins",
    "s",
    "strike",
    "del",
    "code",
    "pre",
    "a",
    "blockquote",
    "tg-spoiler",
    "span",
];

pub(super) fn plain(html: &str) -> Result<String, String> {
    let mut open: Vec<String> = Vec::new();
    let mut plain = String::new();
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(tag) = rest.strip_prefix('<') {
            let (inside, after) = tag.split_once('>').ok_or("Unclosed start tag")?;
            rest = after;
            if let Some(name) = inside.strip_prefix('/') {
                if open.pop().as_deref() != Some(name) {
                    return Err(format!("Unexpected end tag \"{name}\""));
                }
            } else {
                let name = inside.split_whitespace().next().unwrap_or_default();
                if !TAGS.contains(&name) {
                    return Err(format!("Unsupported start tag \"{name}\""));
                }
                open.push(name.to_owned());
            }
        } else {
            let entities = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"')];
            if let Some((entity, character)) =
                entities.into_iter().find(|(entity, _)| rest.starts_with(entity))
            {
                plain.push(character);
                rest = &rest[entity.len()..];
            } else {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    if open.is_empty() { Ok(plain) } else { Err("Can't find end tag".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_markup_is_read_and_bad_is_refused() {
        assert_eq!(plain("<b>1 &lt; 2</b> <a href=\"x\">y</a>").unwrap(), "1 < 2 y");
        for bad in ["<b>", "</b>", "<b></i>", "<p>x</p>", "a < b"] {
            assert!(plain(bad).is_err(), "{bad}");
        }
    }
}

//! Long texts as several messages.

/// Cuts a text into parts of about `max` characters, at a paragraph, a line or a space where there is one near the
/// end. Characters are counted as UTF-16 does: no platform counts more. A code block that is cut is closed, and opened
/// again in the next part. The same text is always cut alike.
pub(crate) fn split(text: &str, max: usize) -> Vec<String> {
    split_after(text, max, max)
}

/// The same with a first part of another length.
pub(crate) fn split_after(text: &str, first: usize, max: usize) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut fence: Option<&str> = None;
    loop {
        let (chunk, after) = cut(rest, if parts.is_empty() { first } else { max });
        if chunk.is_empty() && !after.is_empty() {
            // Nothing but blank lines; platforms refuse a message without text.
            rest = after;
            continue;
        }
        let mut part = fence.map_or_else(String::new, |fence| format!("{fence}\n"));
        part.push_str(chunk);
        fence = open_fence(fence, chunk);
        if after.is_empty() {
            parts.push(part);
            return parts;
        }
        if fence.is_some() {
            part.push_str("\n```");
        }
        parts.push(part);
        rest = after;
    }
}

/// The first part and the rest, without the whitespace between them.
fn cut(text: &str, max: usize) -> (&str, &str) {
    let mut units = 0;
    let beyond = text.char_indices().find(|(_, character)| {
        units += character.len_utf16();
        units > max
    });
    let Some((end, _)) = beyond else { return (text, "") };
    let head = &text[..end];
    let at = ["\n\n", "\n", " "]
        .into_iter()
        .filter_map(|boundary| head.rfind(boundary))
        .find(|at| *at > end / 2)
        .unwrap_or(end);
    (text[..at].trim_end(), text[at..].trim_start_matches(['\n', ' ']))
}

/// The line that opened the code block which is still open at the end of `chunk`.
fn open_fence<'a>(before: Option<&'a str>, chunk: &'a str) -> Option<&'a str> {
    chunk.lines().map(str::trim_start).filter(|line| line.starts_with("```")).fold(before, |open, line| {
        match open {
            Some(_) => None,
            // A fence names a language at most; anything longer would not fit the room that is left for it.
            None => Some(if line.len() <= 40 { line } else { "```" }),
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_text_is_one_message() {
        assert_eq!(split("hello", 10), ["hello"]);
        assert_eq!(split("", 10), [""]);
    }

    #[test]
    fn a_long_text_is_cut_where_it_reads_well() {
        assert_eq!(split("aaaa bbbb\n\ncccc dddd", 12), ["aaaa bbbb", "cccc dddd"]);
        assert_eq!(split("aaaa bbbb cccc", 10), ["aaaa bbbb", "cccc"]);
        assert_eq!(split("aaaaaaaaaabb", 10), ["aaaaaaaaaa", "bb"]);
    }

    #[test]
    fn a_code_block_stays_one_on_both_sides_of_a_cut() {
        let parts = split("```rust\nlet a = 1;\nlet b = 2;\n```\nend", 20);
        assert_eq!(parts, ["```rust\nlet a = 1;\n```", "```rust\nlet b = 2;\n```\nend"]);
    }

    #[test]
    fn the_first_part_may_be_shorter_than_the_others() {
        assert_eq!(split_after("aaaa bbbb cccc dddd", 5, 10), ["aaaa", "bbbb cccc", "dddd"]);
    }

    #[test]
    fn a_character_outside_the_basic_plane_counts_twice() {
        assert_eq!(split("😀😀😀", 4), ["😀😀", "😀"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_every_part_fits(text in "[a-z \n`ü]{0,400}", max in 20_usize..80) {
            let parts = split(&text, max);
            let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).collect::<String>();
            prop_assert!(parts.iter().all(|part| part.chars().count() <= max + 50));
            if !text.contains("```") {
                prop_assert_eq!(letters(&parts.concat()), letters(&text));
            }
        }
    }
}

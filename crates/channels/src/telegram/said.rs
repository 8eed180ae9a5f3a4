//! What a message says: its words, its files, and a note for what is neither.

use konstruct_domain::message::{Attachment, truncate};
use serde_json::Value;

use crate::json::{id, list, text};

/// What may be attached, with the type of those that come without one.
const FILES: [(&str, Option<&str>); 7] = [
    ("document", None),
    ("video", Some("video/mp4")),
    ("animation", Some("video/mp4")),
    ("audio", Some("audio/mpeg")),
    ("voice", Some("audio/ogg")),
    ("video_note", Some("video/mp4")),
    ("sticker", Some("image/webp")),
];

/// Words and files; else why there is nothing to answer.
pub(super) fn read(message: &Value) -> Result<(String, Vec<Attachment>), &'static str> {
    let words = text(message, "text").or_else(|| text(message, "caption")).unwrap_or_default();
    if let Some(attachment) = file(message) {
        return Ok((words.to_owned(), vec![attachment]));
    }
    if message["location"].is_object() && words.is_empty() {
        return Ok(("[shared a place]".to_owned(), Vec::new()));
    }
    if message["contact"].is_object() && words.is_empty() {
        return Ok(("[shared a contact]".to_owned(), Vec::new()));
    }
    // Somebody joined, a title changed: nothing that was said.
    if words.trim().is_empty() { Err("ignored_message_type") } else { Ok((words.to_owned(), Vec::new())) }
}

fn file(message: &Value) -> Option<Attachment> {
    let size = |photo: &&Value| photo["width"].as_u64().unwrap_or(0) * photo["height"].as_u64().unwrap_or(0);
    if let Some(photo) = list(message, "photo").iter().max_by_key(size) {
        return attachment(photo, Some("image/jpeg"));
    }
    FILES.iter().find_map(|(kind, media_type)| attachment(&message[*kind], *media_type))
}

fn attachment(file: &Value, media_type: Option<&str>) -> Option<Attachment> {
    Some(Attachment {
        reference: id(file, "file_id")?.to_owned(),
        media_type: text(file, "mime_type").or(media_type).map(str::to_owned),
        name: text(file, "file_name").map(|name| truncate(name, 200).to_owned()),
        size: file["file_size"].as_u64(),
        sha256: None,
    })
}

/// The words without mentions of the bot; `None` when it is not mentioned. `/help@the_bot` mentions it, too.
pub(super) fn without_mention(words: &str, bot: &str) -> Option<String> {
    let in_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut left = String::with_capacity(words.len());
    let mut rest = words;
    let mut mentioned = false;
    while let Some(at) = rest.find('@') {
        let after = &rest[at + 1..];
        let end = after.find(|character| !in_name(character)).unwrap_or(after.len());
        if after[..end].eq_ignore_ascii_case(bot) {
            mentioned = true;
            left.push_str(&rest[..at]);
            rest = &after[end..];
            if left.is_empty() || left.ends_with(char::is_whitespace) {
                rest = rest.strip_prefix(' ').unwrap_or(rest);
            }
        } else {
            left.push_str(&rest[..=at]);
            rest = after;
        }
    }
    left.push_str(rest);
    mentioned.then(|| left.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_name_is_found_whole_and_left_out() {
        let cases = [
            ("@ada_bot hello", Some("hello")),
            ("hey @Ada_Bot, hello", Some("hey , hello")),
            ("/help@ada_bot", Some("/help")),
            ("@ada_bot", Some("")),
            ("@ada_bot2 hello", None),
            ("mail me@ada.example", None),
            ("@@ada_bot", Some("@")),
            ("😀 @ada_bot 😀", Some("😀 😀")),
        ];
        for (words, expected) in cases {
            assert_eq!(without_mention(words, "ada_bot").as_deref(), expected, "{words}");
        }
    }
}

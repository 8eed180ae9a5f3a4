//! What a message of ours consists of.

use konstruct_domain::ids::ReplyId;
use serde_json::{Value, json};

use super::format;
use super::send::METADATA_EVENT_TYPE;
use crate::Question;

/// One part of a reply. Its mark is how it is found again.
pub(super) fn part(reply: ReplyId, parts: &[String], index: usize) -> Value {
    let text = parts.get(index).map_or("", String::as_str);
    message(text, &json!({ "reply_id": reply.to_string(), "part": index, "parts": parts.len() }))
}

/// A reply that is still being written: nobody may take it for the whole.
pub(super) fn unfinished(reply: ReplyId, text: &str) -> Value {
    message(text, &json!({ "reply_id": reply.to_string(), "unfinished": true }))
}

/// A text with buttons below it.
pub(super) fn question(question: &Question<'_>) -> Value {
    let text = format::neutralise(question.text);
    let button = |(place, choice): (usize, &crate::Choice<'_>)| {
        json!({
            "type": "button", "action_id": format!("choice.{place}"), "value": choice.value,
            "text": { "type": "plain_text", "text": choice.title },
        })
    };
    let buttons: Vec<_> = question.choices.iter().enumerate().map(button).collect();
    json!({
        "text": format::fallback(&text),
        "blocks": [{ "type": "markdown", "text": text }, { "type": "actions", "elements": buttons }],
        "unfurl_links": false,
    })
}

fn message(text: &str, mark: &Value) -> Value {
    json!({
        "text": format::fallback(text),
        "blocks": [{ "type": "markdown", "text": text }],
        "unfurl_links": false,
        "metadata": { "event_type": METADATA_EVENT_TYPE, "event_payload": mark },
    })
}

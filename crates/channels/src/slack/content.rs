//! What a message of ours consists of.

use konstruct_domain::ids::ReplyId;
use serde_json::{Value, json};

use super::format;
use super::send::METADATA_EVENT_TYPE;

/// One part of a reply. Its mark is how it is found again.
pub(super) fn part(reply: ReplyId, parts: &[String], index: usize) -> Value {
    let text = parts.get(index).map_or("", String::as_str);
    message(text, &json!({ "reply_id": reply.to_string(), "part": index, "parts": parts.len() }))
}

/// A reply that is still being written: nobody may take it for the whole.
pub(super) fn unfinished(reply: ReplyId, text: &str) -> Value {
    message(text, &json!({ "reply_id": reply.to_string(), "unfinished": true }))
}

fn message(text: &str, mark: &Value) -> Value {
    json!({
        "text": format::fallback(text),
        "blocks": [{ "type": "markdown", "text": text }],
        "unfurl_links": false,
        "metadata": { "event_type": METADATA_EVENT_TYPE, "event_payload": mark },
    })
}

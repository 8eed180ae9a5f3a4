//! What may be sent, as strict as Meta's pages describe it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use super::state::{Inner, Number, SentMessage};
use super::template;

const TEXT_MAX: usize = 4_096;
const CAPTION_MAX: usize = 1_024;
const QUESTION_MAX: usize = 1_024;
const CALLBACK_MAX: usize = 512;

/// Code and words.
pub(super) type Refusal = (i64, &'static str);

pub(super) fn take(state: &mut Inner, number: &Number, message: &Value) -> Result<Value, Refusal> {
    if message["messaging_product"] != "whatsapp" {
        return Err((100, "The parameter messaging_product is required."));
    }
    if message["status"].is_string() {
        return read(state, message);
    }
    let recipient = recipient(message)?;
    let callback_data = text(message, "biz_opaque_callback_data");
    if callback_data.is_some_and(|data| data.len() > CALLBACK_MAX) {
        return Err((100, "Param biz_opaque_callback_data must be at most 512 characters long."));
    }
    let kind = text(message, "type").unwrap_or("text");
    let body = &message[kind];
    let mut document = None;
    let shown = match kind {
        "text" => {
            let words = text(body, "body").ok_or((100, "The parameter text['body'] is required."))?;
            if words.encode_utf16().count() > TEXT_MAX {
                return Err((100, "Param text['body'] must be at most 4096 characters long."));
            }
            if !state.window_is_open(recipient) {
                return Err((131_047, "Re-engagement message"));
            }
            words.to_owned()
        }
        "document" => {
            let id = text(body, "id").ok_or((100, "The parameter document['id'] is required."))?;
            let media = state.media.get(id).filter(|media| media.phone_number_id == number.phone_number_id);
            let file = media.ok_or((131_053, "Media upload error: the id is not known"))?;
            let caption = text(body, "caption").unwrap_or_default();
            if caption.chars().count() > CAPTION_MAX {
                return Err((100, "Param document['caption'] must be at most 1024 characters long."));
            }
            if !state.window_is_open(recipient) {
                return Err((131_047, "Re-engagement message"));
            }
            document = Some(String::from_utf8_lossy(&file.bytes).into_owned());
            caption.to_owned()
        }
        "interactive" => {
            let words = buttons(body)?.to_owned();
            if !state.window_is_open(recipient) {
                return Err((131_047, "Re-engagement message"));
            }
            words
        }
        "template" => {
            let name = text(body, "name").ok_or((100, "The parameter template['name'] is required."))?;
            text(&body["language"], "code")
                .ok_or((100, "The parameter template['language'] is required."))?;
            let template = number.templates.iter().find(|template| template.name == name);
            let template = template.ok_or((132_001, "Template name does not exist in the translation"))?;
            template::check(template, body)?;
            name.to_owned()
        }
        _ => return Err((131_051, "Unsupported message type")),
    };
    if state.is_too_fast(&number.phone_number_id, recipient) {
        return Err((131_056, "(Business Account, Consumer Account) pair rate limit hit"));
    }
    let sent = SentMessage {
        id: format!("wamid.{}", Uuid::new_v4().simple()),
        phone_number_id: number.phone_number_id.clone(),
        recipient: recipient.to_owned(),
        kind: kind.to_owned(),
        text: shown,
        document,
        callback_data: callback_data.map(str::to_owned),
        whole: message.clone(),
    };
    let answer = json!({
        "messaging_product": "whatsapp",
        "contacts": [{ "input": recipient, "wa_id": recipient }],
        "messages": [{ "id": sent.id }],
    });
    state.sent.push(sent);
    Ok(answer)
}

/// Reply buttons below a text, which it returns.
fn buttons(body: &Value) -> Result<&str, Refusal> {
    if body["type"] != "button" {
        return Err((131_051, "Unsupported message type"));
    }
    let words = text(&body["body"], "text").ok_or((100, "The parameter interactive['body'] is required."))?;
    if words.encode_utf16().count() > QUESTION_MAX {
        return Err((131_009, "Body text length invalid. Min length: 1, Max length: 1024"));
    }
    let buttons = body["action"]["buttons"].as_array().map_or(&[][..], Vec::as_slice);
    if !(1..=3).contains(&buttons.len()) {
        return Err((131_009, "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3"));
    }
    let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for button in buttons {
        let reply = &button["reply"];
        let (Some(id), Some(title)) = (text(reply, "id"), text(reply, "title")) else {
            return Err((100, "The parameters id and title are required."));
        };
        if button["type"] != "reply" || id.len() > 256 {
            return Err((100, "Invalid parameter"));
        }
        if title.encode_utf16().count() > 20 {
            return Err((131_009, "Button title length invalid. Min length: 1, Max length: 20"));
        }
        if !ids.insert(id) || !titles.insert(title) {
            return Err((131_009, "Duplicate value of buttons"));
        }
    }
    Ok(words)
}

/// A mark that a message was read, with or without a sign of typing.
fn read(state: &mut Inner, message: &Value) -> Result<Value, Refusal> {
    let id = text(message, "message_id").ok_or((100, "The parameter message_id is required."))?;
    if message["status"] != "read" {
        return Err((100, "Param status must be one of {READ}."));
    }
    if message["typing_indicator"].is_object() {
        if message["typing_indicator"]["type"] != "text" {
            return Err((100, "Param typing_indicator['type'] must be one of {TEXT}."));
        }
        state.typing.push(id.to_owned());
    }
    Ok(json!({ "success": true }))
}

/// A number in `to`, or a person's id in `recipient`, and not both.
fn recipient(message: &Value) -> Result<&str, Refusal> {
    match (text(message, "to"), text(message, "recipient")) {
        (Some(to), None) if to.trim_start_matches('+').bytes().all(|byte| byte.is_ascii_digit()) => Ok(to),
        (Some(_), None) => Err((131_009, "Parameter value is not valid")),
        (None, Some(id)) if id.contains('.') => Ok(id),
        (None, Some(_)) => Err((131_062, "Recipient is not a valid business-scoped user id")),
        _ => Err((100, "The parameter to is required.")),
    }
}

fn text<'a>(object: &'a Value, field: &str) -> Option<&'a str> {
    object[field].as_str().filter(|text| !text.is_empty())
}

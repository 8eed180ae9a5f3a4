//! What a message says: its words, its files, and a note for what is neither.

use konstruct_domain::delivery::Contact;
use konstruct_domain::message::{Attachment, TEXT_MAX, truncate};
use serde_json::Value;

use crate::json::{id, list, text};
use crate::question::value_of;

/// Words and files; else why there is nothing to answer.
pub(super) fn read(message: &Value) -> Result<(String, Vec<Attachment>), &'static str> {
    let kind = text(message, "type").unwrap_or_default();
    let body = &message[kind];
    let words = match kind {
        "text" => text(body, "body").map(str::to_owned),
        "button" => text(body, "text").or_else(|| text(body, "payload")).map(str::to_owned),
        "interactive" => chosen(body).map(str::to_owned),
        "image" | "video" | "audio" | "document" | "sticker" => return Ok(file(kind, body)),
        "location" => Some(location(body)),
        "contacts" => Some("[shared a contact]".to_owned()),
        "order" => Some(format!("[placed an order of {} products]", list(body, "product_items").len())),
        "reaction" => return Err("ignored_reaction"),
        "system" => return Err("ignored_system"),
        "unsupported" => return Err("ignored_unsupported"),
        _ => return Err("ignored_message_type"),
    };
    let words = words.filter(|words| !words.trim().is_empty()).ok_or("ignored_incomplete")?;
    Ok((truncate(&words, TEXT_MAX).to_owned(), Vec::new()))
}

/// What a person goes by now: with a new number they also get a new id.
pub(super) fn new_ids(message: &Value) -> Option<Contact> {
    const CHANGED: [&str; 3] = ["user_changed_number", "customer_changed_number", "user_changed_user_id"];
    let system = &message["system"];
    let kind = text(system, "type").filter(|_| text(message, "type") == Some("system"))?;
    let user_id = id(system, "user_id").map(str::to_owned);
    let phone = id(system, "wa_id").or_else(|| id(system, "new_wa_id")).map(str::to_owned);
    let told = user_id.is_some() || phone.is_some();
    (CHANGED.contains(&kind) && told).then(|| Contact { user_id, phone, ..Contact::default() })
}

/// The value of a button that belongs to a question of ours.
pub(super) fn offered(message: &Value) -> Option<&str> {
    let reply = &message["interactive"]["button_reply"];
    text(message, "type").filter(|kind| *kind == "interactive")?;
    id(reply, "id").and_then(value_of)
}

/// The title of a button or of an entry of a list. It may come without anything.
fn chosen(body: &Value) -> Option<&str> {
    let kind = text(body, "type")?;
    text(&body[kind], "title").or_else(|| text(&body[kind], "name")).or_else(|| id(&body[kind], "id"))
}

fn file(kind: &str, body: &Value) -> (String, Vec<Attachment>) {
    let media_type = text(body, "mime_type").or(match kind {
        "image" => Some("image/jpeg"),
        "sticker" => Some("image/webp"),
        "audio" => Some("audio/ogg"),
        "video" => Some("video/mp4"),
        _ => None,
    });
    let attachment = Attachment {
        // Without an id there is a file that cannot be fetched, and that is said.
        reference: id(body, "id").unwrap_or_default().to_owned(),
        media_type: media_type.map(str::to_owned),
        name: text(body, "filename").map(|name| truncate(name, 200).to_owned()),
        size: None,
        sha256: text(body, "sha256").and_then(super::media::hex_digest),
    };
    let words = text(body, "caption").unwrap_or_default();
    (truncate(words, TEXT_MAX).to_owned(), vec![attachment])
}

fn location(body: &Value) -> String {
    let place =
        [text(body, "name"), text(body, "address")].into_iter().flatten().collect::<Vec<_>>().join(", ");
    match (body["latitude"].as_f64(), body["longitude"].as_f64()) {
        (Some(latitude), Some(longitude)) => format!("[shared a place: {latitude}, {longitude} {place}]"),
        _ => format!("[shared a place: {place}]"),
    }
}

//! The methods, as strict as Telegram's pages describe them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::state::{Bot, Document, Inner, SentText, Webhook};
use super::{html, keyboard};
use crate::form::Upload;
use crate::slack::seconds_now;

const TEXT_MAX: usize = 4_096;
const CAPTION_MAX: usize = 1_024;
/// Larger files are not for bots.
const FILE_MAX: usize = 20 << 20;

/// The `error_code` and the `description`, with what goes into `parameters`.
pub(super) struct Refusal(pub u16, pub String, pub Value);

pub(super) type Answer = Result<Value, Refusal>;

pub(super) fn bad(description: &str) -> Refusal {
    Refusal(400, format!("Bad Request: {description}"), Value::Null)
}

pub(super) fn call(
    state: &mut Inner,
    bot: &Bot,
    method: &str,
    arguments: &Map<String, Value>,
    files: &HashMap<String, Upload>,
) -> Answer {
    match method {
        "getMe" => Ok(me(bot)),
        "setWebhook" => set_webhook(state, bot, arguments),
        "deleteWebhook" => {
            state.webhooks.remove(&bot.username);
            Ok(json!(true))
        }
        "getWebhookInfo" => {
            let url = state.webhooks.get(&bot.username).map_or("", |webhook| webhook.url.as_str());
            Ok(json!({ "url": url, "has_custom_certificate": false, "pending_update_count": 0 }))
        }
        "getUpdates" => get_updates(state, bot, arguments),
        "sendMessage" => send_message(state, bot, arguments),
        "sendDocument" => send_document(state, bot, arguments, files),
        "sendChatAction" => {
            chat(state, bot, arguments)?;
            let known = ["typing", "upload_photo", "upload_document", "find_location", "choose_sticker"];
            let action = arguments.get("action").and_then(Value::as_str).unwrap_or_default();
            if known.contains(&action) {
                Ok(json!(true))
            } else {
                Err(bad("wrong parameter action in request"))
            }
        }
        "answerCallbackQuery" => keyboard::answer(state, arguments),
        "editMessageReplyMarkup" => {
            let markup = arguments.get("reply_markup").map(object);
            markup.iter().try_for_each(keyboard::check)?;
            keyboard::edit(state, bot, arguments, markup)
        }
        "getFile" => get_file(state, arguments),
        _ => Err(Refusal(404, "Not Found".to_owned(), Value::Null)),
    }
}

fn me(bot: &Bot) -> Value {
    let id: i64 = bot.token.split(':').next().and_then(|id| id.parse().ok()).unwrap_or_default();
    json!({ "id": id, "is_bot": true, "first_name": "Bot", "username": bot.username,
        "can_join_groups": true, "can_read_all_group_messages": false, "supports_inline_queries": false })
}

fn set_webhook(state: &mut Inner, bot: &Bot, arguments: &Map<String, Value>) -> Answer {
    let url = arguments.get("url").and_then(Value::as_str).unwrap_or_default();
    let secret = arguments.get("secret_token").and_then(Value::as_str);
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    if secret.is_some_and(|secret| secret.is_empty() || secret.len() > 256 || !secret.chars().all(allowed)) {
        return Err(bad("secret token contains unallowed characters"));
    }
    if !url.starts_with("https://") {
        return Err(bad("bad webhook: An HTTPS URL must be provided for webhook"));
    }
    let webhook = Webhook { url: url.to_owned(), secret_token: secret.map(str::to_owned) };
    state.webhooks.insert(bot.username.clone(), webhook);
    Ok(json!(true))
}

fn get_updates(state: &mut Inner, bot: &Bot, arguments: &Map<String, Value>) -> Answer {
    if state.webhooks.contains_key(&bot.username) {
        let why = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first";
        return Err(Refusal(409, why.to_owned(), Value::Null));
    }
    let waiting = state.waiting.entry(bot.username.clone()).or_default();
    if let Some(offset) = arguments.get("offset").and_then(number) {
        waiting.retain(|update| update["update_id"].as_i64() >= Some(offset));
    }
    let limit = arguments.get("limit").and_then(number).unwrap_or(100).clamp(1, 100);
    Ok(waiting.iter().take(usize::try_from(limit).unwrap_or(100)).cloned().collect())
}

fn send_message(state: &mut Inner, bot: &Bot, arguments: &Map<String, Value>) -> Answer {
    let text = marked_up(arguments, "text")?;
    if text.trim().is_empty() {
        return Err(bad("message text is empty"));
    }
    if text.encode_utf16().count() > TEXT_MAX {
        return Err(bad("message is too long"));
    }
    send(state, bot, arguments, text, None)
}

/// A file that comes with the call; those that are named by an id or an address are not for us.
fn send_document(
    state: &mut Inner,
    bot: &Bot,
    arguments: &Map<String, Value>,
    files: &HashMap<String, Upload>,
) -> Answer {
    let document = files.get("document").ok_or_else(|| bad("there is no document in the request"))?;
    if document.bytes.is_empty() {
        return Err(bad("file must be non-empty"));
    }
    let caption = marked_up(arguments, "caption")?;
    if caption.encode_utf16().count() > CAPTION_MAX {
        return Err(bad("message caption is too long"));
    }
    send(state, bot, arguments, caption, Some(Document::from(document)))
}

/// As people read it.
fn marked_up(arguments: &Map<String, Value>, field: &str) -> Result<String, Refusal> {
    let text = arguments.get(field).and_then(Value::as_str).unwrap_or_default();
    match arguments.get("parse_mode").and_then(Value::as_str) {
        Some("HTML") => html::plain(text).map_err(|why| bad(&format!("can't parse entities: {why}"))),
        Some(_) => Err(bad("unsupported parse_mode")),
        None => Ok(text.to_owned()),
    }
}

fn send(
    state: &mut Inner,
    bot: &Bot,
    arguments: &Map<String, Value>,
    text: String,
    document: Option<Document>,
) -> Answer {
    let chat_id = chat(state, bot, arguments)?;
    let reply_markup = arguments.get("reply_markup").map(object);
    reply_markup.iter().try_for_each(keyboard::check)?;
    if let Some(seconds) = too_fast(state, bot, chat_id) {
        let why = format!("Too Many Requests: retry after {seconds}");
        return Err(Refusal(429, why, json!({ "retry_after": seconds })));
    }
    let message_id = state.next_id();
    let answers = arguments.get("reply_parameters").map(object);
    let sent = SentText {
        bot: bot.username.clone(),
        chat_id,
        message_thread_id: arguments.get("message_thread_id").and_then(number),
        answers: answers.and_then(|answers| number(&answers["message_id"])),
        message_id,
        text,
        reply_markup,
        document,
    };
    let kind = if chat_id < 0 { "supergroup" } else { "private" };
    let mut answer = json!({ "message_id": message_id, "date": seconds_now(), "from": me(bot),
        "chat": { "id": chat_id, "type": kind, "first_name": "Ada", "title": "Group" } });
    if let Some(document) = &sent.document {
        let id = format!("document_{message_id}");
        answer["caption"] = json!(sent.text);
        answer["document"] = json!({ "file_id": id, "file_unique_id": id, "file_name": document.name,
            "mime_type": document.media_type, "file_size": document.text.len() });
    } else {
        answer["text"] = json!(sent.text);
    }
    state.sent.push(sent);
    Ok(answer)
}

fn chat(state: &Inner, bot: &Bot, arguments: &Map<String, Value>) -> Result<i64, Refusal> {
    let chat_id = arguments.get("chat_id").and_then(number).ok_or_else(|| bad("chat_id is empty"))?;
    let known = state.chats.get(&bot.username).is_some_and(|chats| chats.contains(&chat_id));
    if known { Ok(chat_id) } else { Err(bad("chat not found")) }
}

/// One a second in a chat, with a short burst, and twenty a minute in a group.
fn too_fast(state: &mut Inner, bot: &Bot, chat_id: i64) -> Option<u64> {
    let limits: &[(Duration, usize)] = if chat_id < 0 {
        &[(Duration::from_mins(1), 20)]
    } else {
        &[(Duration::from_secs(3), 5), (Duration::from_secs(30), 31)]
    };
    let limited = state.limit_rate;
    let posts = state.posts.entry((bot.username.clone(), chat_id)).or_default();
    let over =
        |(time, most): &(Duration, usize)| posts.iter().filter(|at| at.elapsed() < *time).count() >= *most;
    if limited && limits.iter().any(over) {
        return Some(3);
    }
    posts.push(Instant::now());
    None
}

fn get_file(state: &Inner, arguments: &Map<String, Value>) -> Answer {
    let id = arguments.get("file_id").and_then(Value::as_str).unwrap_or_default();
    let bytes = state.files.get(id).ok_or_else(|| bad("invalid file_id"))?;
    if bytes.len() > FILE_MAX {
        return Err(bad("file is too big"));
    }
    Ok(
        json!({ "file_id": id, "file_unique_id": id, "file_size": bytes.len(), "file_path": format!("documents/{id}") }),
    )
}

/// Given as a number or, in a form, as its digits.
pub(super) fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// Given as an object or, in a form, as its JSON.
fn object(value: &Value) -> Value {
    let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok());
    parsed.unwrap_or_else(|| value.clone())
}

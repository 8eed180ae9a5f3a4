//! From an update's bytes to a message for an employee.

use bytes::Bytes;
use konstruct_domain::message::{Addressing, InboundMessage, ReplyTarget, TEXT_MAX, truncate};
use serde_json::Value;

use super::buttons::{BELOW, QUERY};
use super::said;
use crate::json::{id, text};
use crate::question::value_of;
use crate::{Action, Event, Malformed};

/// Reads an update that was verified. `bot` is our own name there, in lower case and without the `@`.
pub(super) fn parse(body: &Bytes, bot: &str) -> Result<Event, Malformed> {
    let update: Value = serde_json::from_slice(body)?;
    let Some(update_id) = update["update_id"].as_i64() else {
        return Ok(Event::Ignored("ignored_incomplete"));
    };
    let read = if update["message"].is_object() {
        message(&update["message"], bot)
    } else if update["callback_query"].is_object() {
        let query = &update["callback_query"];
        if let Some(value) = text(query, "data").and_then(value_of) {
            return Ok(action(query, value, bot));
        }
        pressed(query)
    } else {
        Err("ignored_update_type")
    };
    Ok(match read {
        Ok(message) => {
            let message =
                Box::new(InboundMessage { event_id: update_id.to_string(), raw: body.clone(), ..message });
            match album(&update["message"]) {
                Some(album) => Event::AlbumPart { account: bot.into(), album, message },
                None => Event::Message { account: bot.into(), message, contact: None },
            }
        }
        Err(reason) => Event::Ignored(reason),
    })
}

/// In a private chat each part counts anyway.
fn album(message: &Value) -> Option<String> {
    let place = Place::of(message).filter(|place| !place.is_private)?;
    Some(format!("{}:{}", place.chat, id(message, "media_group_id")?))
}

/// Where something was said.
struct Place {
    chat: String,
    thread: Option<String>,
    is_private: bool,
}

impl Place {
    fn of(message: &Value) -> Option<Self> {
        let chat = &message["chat"];
        // In a group without topics the number of a thread is only that of the message that was answered.
        let topic = message["is_topic_message"] == true;
        Some(Self {
            chat: chat["id"].as_i64()?.to_string(),
            thread: message["message_thread_id"].as_i64().filter(|_| topic).map(|id| id.to_string()),
            is_private: text(chat, "type") == Some("private"),
        })
    }

    fn conversation_key(&self) -> String {
        match &self.thread {
            Some(thread) => format!("{}:{thread}", self.chat),
            None => self.chat.clone(),
        }
    }

    fn reply_target(&self, message_id: i64) -> ReplyTarget {
        let mut target = ReplyTarget::new("telegram", [("chat", self.chat.as_str())]);
        if let Some(thread) = &self.thread {
            target.set("thread", thread);
        }
        if !self.is_private {
            // In a group it has to be seen who is answered.
            target.set("answers", &message_id.to_string());
        }
        target
    }
}

fn message(message: &Value, bot: &str) -> Result<InboundMessage, &'static str> {
    let author = &message["from"];
    if author["is_bot"] == true || message["sender_chat"].is_object() {
        return Err("ignored_bot");
    }
    let (Some(place), Some(message_id), Some(author_id)) =
        (Place::of(message), message["message_id"].as_i64(), author["id"].as_i64())
    else {
        return Err("ignored_incomplete");
    };
    let (words, attachments) = said::read(message)?;
    let mention = said::without_mention(&words, bot);
    let answers_us = text(&message["reply_to_message"]["from"], "username")
        .is_some_and(|username| username.eq_ignore_ascii_case(bot));
    let addressing = match (place.is_private || mention.is_some() || answers_us, album(message)) {
        (true, _) => Addressing::Addressed,
        (false, Some(_)) => Addressing::FollowUp,
        (false, None) => return Err("ignored_not_addressed"),
    };
    let mut words = mention.unwrap_or(words);
    if words.is_empty() && attachments.is_empty() {
        "[mentioned you without writing anything]".clone_into(&mut words);
    }
    Ok(InboundMessage {
        event_id: String::new(),
        message_id: format!("{}:{message_id}", place.chat),
        conversation_key: place.conversation_key(),
        author_id: author_id.to_string(),
        text: truncate(&words, TEXT_MAX).to_owned(),
        attachments,
        language: id(author, "language_code").map(str::to_owned),
        addressing,
        reply_to: place.reply_target(message_id),
        raw: Bytes::new(),
    })
}

/// A button of a question. Its value is not to be believed: anybody in the chat may send any.
fn action(query: &Value, value: &str, bot: &str) -> Event {
    let shown = &query["message"];
    let (Some(query_id), Some(place), Some(message_id), Some(by)) =
        (id(query, "id"), Place::of(shown), shown["message_id"].as_i64(), query["from"]["id"].as_i64())
    else {
        return Event::Ignored("ignored_incomplete");
    };
    let below = message_id.to_string();
    let mut at = ReplyTarget::new("telegram", [("chat", &*place.chat), (QUERY, query_id), (BELOW, &*below)]);
    if let Some(thread) = &place.thread {
        at.set("thread", thread);
    }
    let action = Action { value: value.to_owned(), by: by.to_string(), place: at };
    Event::Action { account: bot.into(), action, contact: None }
}

/// A button below one of our messages: what it stands for is what was said.
fn pressed(query: &Value) -> Result<InboundMessage, &'static str> {
    let shown = &query["message"];
    let (Some(query_id), Some(place), Some(message_id), Some(author_id), Some(data)) = (
        id(query, "id"),
        Place::of(shown),
        shown["message_id"].as_i64(),
        query["from"]["id"].as_i64(),
        text(query, "data"),
    ) else {
        return Err("ignored_incomplete");
    };
    Ok(InboundMessage {
        event_id: String::new(),
        message_id: format!("{PRESSED}{query_id}"),
        conversation_key: place.conversation_key(),
        author_id: author_id.to_string(),
        text: truncate(data, TEXT_MAX).to_owned(),
        attachments: Vec::new(),
        language: id(&query["from"], "language_code").map(str::to_owned),
        addressing: Addressing::Addressed,
        reply_to: place.reply_target(message_id),
        raw: Bytes::new(),
    })
}

/// Before the id of a pressed button, in place of a message's.
pub(super) const PRESSED: &str = "callback:";

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;

//! From a delivery's bytes to events: entries, their changes, and the messages and statuses of each change.

use bytes::Bytes;
use konstruct_domain::delivery::Contact;
use konstruct_domain::message::{Addressing, InboundMessage, ReplyTarget};
use serde_json::Value;

use super::{said, status};
use crate::json::{id, list, printable, text};
use crate::{AccountId, Action, Event};

/// How long after a person's message they may be answered with any text.
pub(super) const WINDOW_SECONDS: i64 = 24 * 60 * 60;

/// Reads a delivery that was verified. There is no delivery that is refused: Meta would send it again for a week.
pub(super) fn parse(body: &Bytes) -> Vec<Event> {
    let Ok(delivery) = serde_json::from_slice::<Value>(body) else {
        return vec![Event::Ignored("ignored_malformed")];
    };
    if text(&delivery, "object") != Some("whatsapp_business_account") {
        return vec![Event::Ignored("ignored_object")];
    }
    let mut events = Vec::new();
    for entry in list(&delivery, "entry") {
        for change in list(entry, "changes") {
            Change::of(entry, change, body).read(&mut events);
        }
    }
    if events.is_empty() {
        events.push(Event::Ignored("ignored_empty"));
    }
    events
}

struct Change<'a> {
    account: AccountId,
    field: &'a str,
    value: &'a Value,
    body: &'a Bytes,
}

impl<'a> Change<'a> {
    fn of(entry: &Value, change: &'a Value, body: &'a Bytes) -> Self {
        let value = &change["value"];
        let account = AccountId {
            id: id(&value["metadata"], "phone_number_id").unwrap_or_default().to_owned(),
            // Present even when unreadable, so that it never counts as the right one.
            parent: Some(id(entry, "id").unwrap_or_default().to_owned()),
        };
        Self { account, field: text(change, "field").unwrap_or_default(), value, body }
    }

    fn read(&self, events: &mut Vec<Event>) {
        let before = events.len();
        match self.field {
            "messages" => {
                events.extend(list(self.value, "messages").iter().map(|message| self.message(message)));
                for report in list(self.value, "statuses") {
                    status::read(&self.account, report, events);
                }
            }
            "user_id_update" => self.new_ids(events),
            "account_update" => events.push(self.account_update()),
            "smb_message_echoes" => events.push(Event::Ignored("ignored_echo")),
            _ => events.push(Event::Ignored("ignored_field")),
        }
        if events.len() == before {
            events.push(Event::Ignored("ignored_empty_change"));
        }
    }

    fn message(&self, message: &Value) -> Event {
        let Some(message_id) = id(message, "id") else { return Event::Ignored("ignored_incomplete") };
        let mut contact = self.contact(message);
        if let Some(current) = said::new_ids(message) {
            return Event::Renamed { account: self.account.clone(), previous: contact, current };
        }
        let Some(author) = contact.user_id.clone().or_else(|| contact.phone.clone()) else {
            return Event::Ignored("ignored_incomplete");
        };
        let sent_at = text(message, "timestamp").and_then(|seconds| seconds.parse::<i64>().ok());
        contact.window_until = sent_at.and_then(|at| at.checked_add(WINDOW_SECONDS));
        contact.key.clone_from(&author);
        if let Some(value) = said::offered(message) {
            return self.action(value, author, contact);
        }
        let (words, attachments) = match said::read(message) {
            Ok(said) => said,
            Err(reason) => return Event::Ignored(reason),
        };
        let message = InboundMessage {
            event_id: message_id.to_owned(),
            message_id: message_id.to_owned(),
            conversation_key: author.clone(),
            author_id: author,
            text: words,
            attachments,
            language: None,
            addressing: Addressing::Addressed,
            reply_to: ReplyTarget::new("whatsapp", []),
            raw: self.body.clone(),
        };
        Event::Message { account: self.account.clone(), message: Box::new(message), contact: Some(contact) }
    }

    fn action(&self, value: &str, by: String, contact: Contact) -> Event {
        let mut place = ReplyTarget::new("whatsapp", []);
        for (part, id) in [("user", &contact.user_id), ("phone", &contact.phone)] {
            if let Some(id) = id {
                place.set(part, id);
            }
        }
        let action = Action { value: value.to_owned(), by, place };
        Event::Action { account: self.account.clone(), action, contact: Some(contact) }
    }

    /// Who wrote a message. The person's id is the identity; a number may be missing, or belong to somebody else one day.
    fn contact(&self, message: &Value) -> Contact {
        let phone = id(message, "from");
        let user_id = id(message, "from_user_id");
        let contacts = list(self.value, "contacts");
        let matches = |contact: &&Value| {
            user_id.is_some_and(|user| id(contact, "user_id") == Some(user))
                || phone.is_some_and(|phone| id(contact, "wa_id") == Some(phone))
        };
        // Without anything to tell them apart there is one.
        let only = match contacts {
            [contact] if phone.is_none() && user_id.is_none() => Some(contact),
            _ => None,
        };
        let listed = contacts.iter().find(matches).or(only);
        let of_contact = |field: &str| listed.and_then(|contact| id(contact, field));
        Contact {
            user_id: user_id.or_else(|| of_contact("user_id")).map(str::to_owned),
            phone: phone.or_else(|| of_contact("wa_id")).map(str::to_owned),
            ..Contact::default()
        }
    }

    fn new_ids(&self, events: &mut Vec<Event>) {
        let updates = match &self.value["user_id_update"] {
            Value::Array(updates) => updates.as_slice(),
            Value::Object(_) => std::slice::from_ref(&self.value["user_id_update"]),
            _ => std::slice::from_ref(self.value),
        };
        for update in updates {
            let ids = &update["user_id"];
            let (Some(previous), Some(current)) = (id(ids, "previous"), id(ids, "current")) else {
                events.push(Event::Ignored("ignored_incomplete"));
                continue;
            };
            let phone = id(update, "wa_id").map(str::to_owned);
            let contact = |user_id: &str, phone: Option<String>| Contact {
                user_id: Some(user_id.to_owned()),
                phone,
                ..Contact::default()
            };
            events.push(Event::Renamed {
                account: self.account.clone(),
                previous: contact(previous, phone.clone()),
                current: contact(current, phone),
            });
        }
    }

    /// It concerns the business account, and so all of its numbers.
    fn account_update(&self) -> Event {
        let what = text(self.value, "event").unwrap_or_default();
        let account = AccountId { id: String::new(), parent: self.account.parent.clone() };
        let reason = format!("WhatsApp reports {}", printable(what));
        match what {
            "PARTNER_REMOVED" | "PARTNER_APP_UNINSTALLED" => Event::Revoked { account, reason },
            "ACCOUNT_VIOLATION" | "ACCOUNT_RESTRICTION" | "ACCOUNT_DELETED" | "DISABLED_UPDATE" => {
                Event::Restricted { account, reason }
            }
            _ => Event::Ignored("ignored_account_update"),
        }
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;

//! The pictures of the messages that a turn answers. Their bytes never come here: the model's door knows where they are.

use konstruct_domain::message::PICTURE;
use konstruct_store::{Claim, Error};
use uuid::Uuid;

use crate::wire::{Message, Role};
use crate::worker::Worker;

/// Most that one prompt has; the newest count.
const MOST: usize = 8;

/// Asks PostgreSQL only where a message says that it has one.
pub(crate) async fn load(worker: &Worker, claim: &Claim) -> Result<Vec<Uuid>, Error> {
    if !claim.messages.iter().any(|message| message.text.contains(PICTURE)) {
        return Ok(Vec::new());
    }
    let mut pictures = worker.health.seen(worker.store.pictures(claim).await)?;
    pictures.drain(..pictures.len().saturating_sub(MOST));
    Ok(pictures)
}

/// Everything that waits for an answer is the last message of a prompt.
pub(crate) fn attach(messages: &mut [Message], pictures: Vec<Uuid>) {
    if let Some(last) = messages.last_mut().filter(|message| message.role == Role::User) {
        last.pictures = pictures;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_go_with_what_the_person_said_last() {
        let id = Uuid::nil();
        let mut messages = [Message::new(Role::System, "s"), Message::new(Role::User, "look\n[picture]")];
        attach(&mut messages, vec![id]);
        let sent = serde_json::to_value(&messages).unwrap();
        assert_eq!(sent[0], serde_json::json!({"role": "system", "content": "s"}));
        assert_eq!(
            sent[1]["content"],
            serde_json::json!([
                {"type": "text", "text": "look\n[picture]"},
                {"type": "image_url", "image_url": {"url": format!("media:{id}")}},
            ])
        );
    }
}

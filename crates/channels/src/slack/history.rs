//! What was written while nobody listened, in the form in which Slack would have delivered it.

use futures::future::BoxFuture;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::api::Client;
use super::envelope::text;
use super::parse::conversation_key;
use crate::{History, Part, Place, Remembered, SendError};

/// All that an app gets at once which is distributed outside of Slack's marketplace.
const PART: &str = "15";

/// The conversations of one installation.
pub(super) struct Memory<'a> {
    client: &'a Client,
    token: &'a SecretString,
    /// The workspace, or for an org-wide install the enterprise.
    account: &'a str,
    own_user: Option<String>,
}

impl<'a> Memory<'a> {
    pub(super) async fn of(
        client: &'a Client,
        token: &'a SecretString,
        account: &'a str,
    ) -> Result<Self, SendError> {
        let own_user = client.identity(token).await?.user_id;
        Ok(Self { client, token, account, own_user })
    }

    async fn ask(&self, place: Place<'_>, since: i64, after: Option<&str>) -> Result<Part, SendError> {
        let (method, channel, root) = match place {
            Place::Room(channel) => ("conversations.history", channel, None),
            Place::Conversation(key) => match key.split_once(':') {
                Some((channel, root)) => ("conversations.replies", channel, Some(root)),
                None => return Ok(Part::default()),
            },
        };
        let oldest = format!("{since}.000000");
        let mut arguments = vec![("channel", channel), ("oldest", oldest.as_str()), ("limit", PART)];
        arguments.extend(root.map(|root| ("ts", root)));
        arguments.extend(after.map(|after| ("cursor", after)));
        let answer = self.client.get(method, self.token, &arguments).await.map_err(about_a_place)?;
        let messages = answer["messages"].as_array().map_or(&[][..], Vec::as_slice).iter();
        // A thread's first message comes with each part of it, however old it is.
        let fresh: Vec<(u64, &Value)> = messages
            .filter_map(|message| Some((micros(text(message, "ts")?)?, message)))
            .filter(|(at, _)| i64::try_from(*at / 1_000_000).is_ok_and(|at| at >= since))
            .collect();
        let went_on =
            fresh.iter().filter(|(_, message)| root.is_none() && message["reply_count"].as_u64() > Some(0));
        let next = text(&answer["response_metadata"], "next_cursor");
        Ok(Part {
            went_on: went_on
                .filter_map(|(_, message)| Some(conversation_key(channel, text(message, "ts")?)))
                .collect(),
            messages: fresh.iter().map(|(at, message)| self.remembered(*at, channel, message)).collect(),
            next: next.map(str::to_owned),
        })
    }

    /// A late delivery of the same message has another event id and the same message id: the two are one.
    fn remembered(&self, at: u64, channel: &str, message: &Value) -> Remembered {
        let mut event = message.clone();
        event["channel"] = json!(channel);
        let envelope = json!({
            "type": "event_callback",
            "event_id": format!("missed:{channel}:{}", text(message, "ts").unwrap_or_default()),
            "event": event,
            "authorizations": [{
                "team_id": self.account, "enterprise_id": self.account, "user_id": self.own_user,
                "is_enterprise_install": self.account.starts_with('E'),
            }],
        });
        Remembered { at, delivery: envelope.to_string().into() }
    }
}

impl History for Memory<'_> {
    fn room_of<'a>(&self, conversation_key: &'a str) -> Option<&'a str> {
        conversation_key.split_once(':').map(|(channel, _)| channel)
    }

    fn part<'a>(
        &'a self,
        place: Place<'a>,
        since: i64,
        after: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Part, SendError>> {
        Box::pin(self.ask(place, since, after))
    }
}

/// Reading has no outcome that could be in doubt. A scope may be missing for one sort of channel only.
fn about_a_place(error: SendError) -> SendError {
    match error {
        SendError::CredentialsRejected { reason } if reason == "missing_scope" => {
            SendError::Rejected { reason }
        }
        other => other.undelivered(),
    }
}

fn micros(ts: &str) -> Option<u64> {
    let (seconds, micros) = ts.split_once('.')?;
    let micros = (micros.len() == 6).then(|| micros.parse::<u64>().ok())??;
    seconds.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(micros)
}

#[cfg(test)]
mod tests {
    use super::super::parse::{Delivery, parse};
    use super::*;

    #[test]
    fn what_is_remembered_is_read_like_a_delivery_and_has_the_same_identity() {
        let (client, token) = (Client::new("http://unused").unwrap(), SecretString::from("xoxb-1"));
        let memory =
            Memory { client: &client, token: &token, account: "T1", own_user: Some("UBOT".to_owned()) };
        let message =
            json!({"type": "message", "user": "U1", "text": "<@UBOT> hi", "ts": "5.000001", "team": "T1"});
        let delivered = json!({
            "type": "event_callback", "event_id": "Ev1", "team_id": "T1",
            "authorizations": [{"team_id": "T1", "user_id": "UBOT", "is_enterprise_install": false}],
            "event": {"type": "app_mention", "user": "U1", "text": "<@UBOT> hi", "ts": "5.000001", "channel": "C1"},
        });
        let read = |body: &[u8]| match parse(body).unwrap() {
            Delivery::Message { account, message } => {
                let konstruct_domain::message::InboundMessage { message_id, conversation_key, text, .. } =
                    *message;
                (account, message_id, conversation_key, text)
            }
            other => panic!("{other:?}"),
        };
        let remembered = memory.remembered(5_000_001, "C1", &message);
        assert_eq!(read(&remembered.delivery), read(delivered.to_string().as_bytes()));
        assert_eq!(memory.room_of("C1:5.000001"), Some("C1"));
    }

    #[test]
    fn times_are_read_exactly() {
        assert_eq!(micros("1763740800.000100"), Some(1_763_740_800_000_100));
        for odd in ["", "1", "1.1", "x.000001", "99999999999999999999.000001", "18446744073709551615.000001"]
        {
            assert_eq!(micros(odd), None, "{odd}");
        }
    }
}

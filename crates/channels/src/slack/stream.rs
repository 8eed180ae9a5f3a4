//! Answers that grow in a thread. Slack's own streams where the app may use them, a message that is edited elsewhere.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::future::BoxFuture;
use konstruct_domain::delivery::StreamedMessage;
use konstruct_domain::ids::ReplyId;
use konstruct_domain::message::ReplyTarget;
use konstruct_domain::snapshot::SecretField;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::adapter::{Slack, thread};
use super::api::Client;
use super::envelope::text;
use super::send::{self, METADATA_EVENT_TYPE};
use super::{content, format};
use crate::pace::Rate;
use crate::{Account, Failure, Ledger, SendError, Stream, Streaming};

/// As often as a message may be edited.
const PACE: Duration = Duration::from_millis(1200);
/// A workspace takes 20 begins and 20 ends a minute, 50 edits and 100 additions. Some room is for other gateways.
const BEGINS: Rate = Rate { every: Duration::from_secs(4), burst: 5 };
const EDITS: Rate = Rate { every: Duration::from_secs(2), burst: 5 };
const ADDITIONS: Rate = Rate { every: Duration::from_millis(750), burst: 20 };

/// Longer than a call of somebody who has begun a message or changes it.
const CALL: Duration = Duration::from_secs(12);
const LOOK: Duration = Duration::from_millis(100);
/// Slack's clock and ours are no further apart.
const CLOCKS: f64 = 60.0;

impl Streaming for Slack {
    fn pace(&self) -> Duration {
        PACE
    }

    fn showable(&self, text: &str) -> String {
        format::showable(text)
    }

    fn begin<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
        reply: ReplyId,
        text: &'a str,
    ) -> BoxFuture<'a, Result<Stream, SendError>> {
        Box::pin(async move {
            let token = account.secrets.require(SecretField::SlackBotToken)?;
            self.in_time("begin", account, BEGINS)?;
            match self.client.start_stream(token, target, text).await {
                // The app or this place has no streams.
                Err(SendError::Rejected { .. } | SendError::CredentialsRejected { .. }) => {
                    self.client.post_begun(token, target, reply, text).await
                }
                begun => begun,
            }
        })
    }

    fn extend<'a>(
        &'a self,
        account: &'a Account<'a>,
        target: &'a ReplyTarget,
        reply: ReplyId,
        stream: &'a mut Stream,
        text: &'a str,
    ) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let token = account.secrets.require(SecretField::SlackBotToken)?;
            let channel = thread(target)?.channel;
            if stream.edited {
                self.in_time("edit", account, EDITS)?;
                let mut arguments = content::unfinished(reply, text);
                arguments["channel"] = json!(channel);
                arguments["ts"] = json!(stream.message_id);
                self.client.post("chat.update", token, &arguments).await?;
            } else {
                // What was said otherwise meanwhile cannot be taken back; the reply puts it right.
                let Some(more) = text.strip_prefix(stream.shown.as_str()).filter(|more| !more.is_empty())
                else {
                    return Ok(());
                };
                self.in_time("add", account, ADDITIONS)?;
                let arguments = json!({ "channel": channel, "ts": stream.message_id, "markdown_text": more });
                self.client.post("chat.appendStream", token, &arguments).await?;
            }
            text.clone_into(&mut stream.shown);
            Ok(())
        })
    }
}

impl Slack {
    fn in_time(&self, what: &str, account: &Account<'_>, rate: Rate) -> Result<(), SendError> {
        let scope = format!("{what} {}", account.connection.channel.account().unwrap_or_default());
        self.pace.take(&[(&scope, rate)]).map_err(|after| SendError::RetryAfter { after })
    }

    /// Makes the message in which the reply was shown while it was written show its first part as it is. Returns its ts;
    /// none where there is no such message.
    pub(super) async fn finish(
        &self,
        token: &SecretString,
        reply: &send::Reply<'_>,
        ledger: &dyn Ledger,
    ) -> Result<Option<String>, Failure> {
        let doubtful = |error| Failure { error, maybe_visible: true };
        let Some(streamed) = at_rest(ledger).await.map_err(doubtful)? else { return Ok(None) };
        let begun = match &streamed.message_id {
            Some(ts) => Some(ts.clone()),
            None => self.client.find_begun(token, reply, &streamed).await.map_err(doubtful)?,
        };
        let finished = match begun {
            Some(ts) => self.client.finish(token, reply, &streamed, ts).await.map_err(doubtful)?,
            None => None,
        };
        ledger.stream_ended().await.map_err(doubtful)?;
        Ok(finished)
    }
}

/// Waits until nobody is in the middle of beginning or changing the message.
async fn at_rest(ledger: &dyn Ledger) -> Result<Option<StreamedMessage>, SendError> {
    let mut waited = Duration::ZERO;
    loop {
        let Some(streamed) = ledger.take_stream().await? else { return Ok(None) };
        let beginning = streamed.message_id.is_none() && streamed.begun_seconds_ago < CALL.as_secs();
        if !(beginning || streamed.busy) || waited > CALL {
            return Ok(Some(streamed));
        }
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
}

impl Client {
    async fn start_stream(
        &self,
        token: &SecretString,
        target: &ReplyTarget,
        said: &str,
    ) -> Result<Stream, SendError> {
        let thread = thread(target)?;
        let arguments = json!({
            "channel": thread.channel, "thread_ts": thread.ts, "markdown_text": said,
            "recipient_user_id": target.get("user"), "recipient_team_id": target.get("team"),
        });
        let answer = self.post("chat.startStream", token, &arguments).await?;
        begun(&answer, said, false)
    }

    async fn post_begun(
        &self,
        token: &SecretString,
        target: &ReplyTarget,
        reply: ReplyId,
        said: &str,
    ) -> Result<Stream, SendError> {
        let thread = thread(target)?;
        let mut arguments = content::unfinished(reply, said);
        arguments["channel"] = json!(thread.channel);
        arguments["thread_ts"] = json!(thread.ts);
        let answer = self.post("chat.postMessage", token, &arguments).await?;
        begun(&answer, said, true)
    }

    /// The message that was begun for a reply, if it was: ours, of that time, and without the mark of a reply. Or with the mark
    /// of one that is not finished.
    async fn find_begun(
        &self,
        token: &SecretString,
        reply: &send::Reply<'_>,
        streamed: &StreamedMessage,
    ) -> Result<Option<String>, SendError> {
        let own = self.identity(token).await?.user_id;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let begun_at = now - Duration::from_secs(streamed.begun_seconds_ago).as_secs_f64();
        let in_time = |ts: &str| ts.parse::<f64>().is_ok_and(|ts| (ts - begun_at).abs() < CLOCKS);
        let mut found = None;
        let visit = &mut |message: &Value| {
            let (Some(ts), Some(user)) = (text(message, "ts"), text(message, "user")) else { return };
            let metadata = &message["metadata"];
            let unfinished = match text(metadata, "event_type") {
                None => own.as_deref() == Some(user) && in_time(ts),
                Some(kind) => kind == METADATA_EVENT_TYPE && metadata["event_payload"]["unfinished"] == true,
            };
            if unfinished {
                found = Some(ts.to_owned());
            }
        };
        self.search(token, reply, visit).await?;
        Ok(found)
    }

    /// Ends the stream and writes the message anew, which is the same however much of it was shown. None when the message
    /// cannot be written any more: somebody has deleted it.
    async fn finish(
        &self,
        token: &SecretString,
        reply: &send::Reply<'_>,
        streamed: &StreamedMessage,
        ts: String,
    ) -> Result<Option<String>, SendError> {
        if !streamed.edited {
            let arguments = json!({ "channel": reply.channel, "ts": ts });
            match self.post("chat.stopStream", token, &arguments).await {
                // It has ended already: by an earlier try, by a person, or because Slack lets none be longer than five
                // minutes.
                Ok(_) | Err(SendError::Rejected { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        match self.show_beginning(token, reply, &ts).await {
            Ok(()) => Ok(Some(ts)),
            Err(SendError::Rejected { reason }) if reason == "streaming_state_conflict" => {
                Err(SendError::Transient { reason })
            }
            Err(SendError::Rejected { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a message show the reply's first part as it is.
    pub(super) async fn show_beginning(
        &self,
        token: &SecretString,
        reply: &send::Reply<'_>,
        ts: &str,
    ) -> Result<(), SendError> {
        let mut arguments = content::part(reply.id, &reply.parts(), 0);
        arguments["channel"] = json!(reply.channel);
        arguments["ts"] = json!(ts);
        self.post("chat.update", token, &arguments).await.map(drop)
    }
}

fn begun(answer: &Value, said: &str, edited: bool) -> Result<Stream, SendError> {
    let ts =
        text(answer, "ts").ok_or_else(|| SendError::InDoubt { reason: "the answer has no ts".to_owned() })?;
    Ok(Stream { message_id: ts.to_owned(), edited, shown: said.to_owned() })
}

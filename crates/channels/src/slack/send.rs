//! A reply on its way to a thread, visible exactly once.
//!
//! Every message carries the reply's id in its metadata. After a crash or an unclear answer, the thread is searched
//! for that id, and only the parts that are not there are posted.

use std::collections::HashMap;
use std::time::Duration;

use konstruct_domain::ids::ReplyId;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::api::Client;
use super::envelope::text;
use super::status::Thread;
use super::{content, format};
use crate::{Failure, SendError, long};

pub const METADATA_EVENT_TYPE: &str = "konstruct_reply";

/// Slack takes about one message a second in a channel.
const BETWEEN_PARTS: Duration = Duration::from_millis(1100);

/// A thread of 10,000 messages is searched to its end.
const PAGES_MAX: usize = 50;
const PAGE: &str = "200";

/// What to post where.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    pub id: ReplyId,
    pub channel: &'a str,
    pub thread_ts: &'a str,
    /// Markdown, as a model writes it.
    pub text: &'a str,
    /// An earlier try may have succeeded.
    pub in_doubt: bool,
    /// The message that shows the first part already.
    pub first: Option<&'a str>,
    pub shape: Shape,
}

/// How a reply is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Messages,
    /// Its beginning, beside a file with the whole.
    Beginning,
    /// The same beginning and everything else as messages, because there can be no file.
    BeginningAndRest,
}

impl Reply<'_> {
    /// What each message of the reply shows.
    pub(super) fn parts(&self) -> Vec<String> {
        let text = format::neutralise(self.text);
        match self.shape {
            Shape::Messages => long::messages(&text, format::PART_MAX, format::PART_MAX),
            Shape::Beginning => vec![long::beginning(&text, format::BEGINNING_MAX)],
            Shape::BeginningAndRest => long::messages(&text, format::BEGINNING_MAX, format::PART_MAX),
        }
    }
}

impl Client {
    /// Posts what is not there yet. Returns the `ts` of the first message.
    pub async fn deliver(&self, token: &SecretString, reply: &Reply<'_>) -> Result<Option<String>, Failure> {
        let parts = reply.parts();
        let mut posted = if reply.in_doubt {
            self.find(token, reply).await.map_err(|error| Failure { error, maybe_visible: true })?
        } else {
            HashMap::new()
        };
        posted.extend(reply.first.map(|ts| (0, ts.to_owned())));
        for index in 0..parts.len() {
            if posted.contains_key(&index) {
                continue;
            }
            if index > 0 {
                tokio::time::sleep(BETWEEN_PARTS).await;
            }
            match self.post_part(token, reply, &parts, index).await {
                Ok(ts) => drop(posted.insert(index, ts)),
                Err(error) => {
                    let failure = Failure::from(error);
                    return Err(Failure {
                        maybe_visible: failure.maybe_visible || !posted.is_empty(),
                        ..failure
                    });
                }
            }
        }
        Ok(posted.remove(&0))
    }

    async fn post_part(
        &self,
        token: &SecretString,
        reply: &Reply<'_>,
        parts: &[String],
        index: usize,
    ) -> Result<String, SendError> {
        let thread = Thread { channel: reply.channel, ts: reply.thread_ts };
        self.post_message(token, thread, content::part(reply.id, parts, index)).await
    }

    /// Returns the `ts` of the message.
    pub(super) async fn post_message(
        &self,
        token: &SecretString,
        thread: Thread<'_>,
        mut message: Value,
    ) -> Result<String, SendError> {
        message["channel"] = json!(thread.channel);
        message["thread_ts"] = json!(thread.ts);
        let answer = self.post("chat.postMessage", token, &message).await?;
        let ts = text(&answer, "ts");
        ts.map(str::to_owned).ok_or_else(|| SendError::InDoubt { reason: "the answer has no ts".to_owned() })
    }

    /// Which parts of a reply its thread shows, with their `ts`.
    async fn find(
        &self,
        token: &SecretString,
        reply: &Reply<'_>,
    ) -> Result<HashMap<usize, String>, SendError> {
        let wanted = reply.id.to_string();
        let mut found = HashMap::new();
        self.search(token, reply, &mut |message| found.extend(part_of(message, &wanted))).await?;
        Ok(found)
    }

    /// Visits the messages of the reply's thread.
    pub(super) async fn search(
        &self,
        token: &SecretString,
        reply: &Reply<'_>,
        visit: &mut (dyn FnMut(&Value) + Send),
    ) -> Result<(), SendError> {
        let mut cursor = String::new();
        for _ in 0..PAGES_MAX {
            let page = match self.replies(token, reply, &cursor).await {
                // The thread's first message was deleted, and the thread with it.
                Err(SendError::Rejected { reason }) if reason == "thread_not_found" => return Ok(()),
                page => page.map_err(SendError::undelivered)?,
            };
            page["messages"].as_array().map_or(&[][..], Vec::as_slice).iter().for_each(&mut *visit);
            match text(&page["response_metadata"], "next_cursor") {
                Some(next) => next.clone_into(&mut cursor),
                None => return Ok(()),
            }
        }
        Err(SendError::Transient { reason: "the thread is too long to search for an earlier try".to_owned() })
    }

    async fn replies(
        &self,
        token: &SecretString,
        reply: &Reply<'_>,
        cursor: &str,
    ) -> Result<Value, SendError> {
        let mut arguments = vec![
            ("channel", reply.channel),
            ("ts", reply.thread_ts),
            ("include_all_metadata", "true"),
            ("limit", PAGE),
        ];
        if !cursor.is_empty() {
            arguments.push(("cursor", cursor));
        }
        self.get("conversations.replies", token, &arguments).await
    }
}

/// Which part of the wanted reply a message of a thread is.
pub(super) fn part_of(message: &Value, wanted: &str) -> Option<(usize, String)> {
    let metadata = &message["metadata"];
    let payload = &metadata["event_payload"];
    let ours = text(metadata, "event_type") == Some(METADATA_EVENT_TYPE)
        && text(payload, "reply_id") == Some(wanted);
    let part = usize::try_from(payload["part"].as_u64()?).ok()?;
    ours.then_some((part, text(message, "ts")?.to_owned()))
}

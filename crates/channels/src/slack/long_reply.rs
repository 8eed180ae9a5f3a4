//! A reply that would be a flood of messages: its beginning, and a file with the whole below it.
//!
//! The bytes are laid down first, where nobody sees them: only a file that Slack takes is announced. What a try has left
//! behind is found by the file's name in the thread, and by the ledger.

use std::time::Duration;

use konstruct_domain::delivery::SentPart;
use secrecy::SecretString;

use super::adapter::Slack;
use super::send::{Reply, Shape, part_of};
use super::status::Thread;
use crate::long::{self, FILE_PART, Standing};
use crate::parts;
use crate::{Failure, Ledger, SendError};

/// A file that is not shown within that time will not be.
const SHOWN_WITHIN: Duration = Duration::from_mins(1);

impl Slack {
    pub(super) async fn post_long(
        &self,
        token: &SecretString,
        reply: Reply<'_>,
        attempt: u32,
        ledger: &dyn Ledger,
    ) -> Result<Option<String>, Failure> {
        let visible = |error| Failure { error, maybe_visible: true };
        let file = match self.standing(token, &reply, ledger).await.map_err(visible)? {
            Standing::Open => {
                let name = file_name(&reply);
                match self.client.upload(&self.files, token, &name, reply.text).await {
                    Ok(file) => Some(file),
                    Err(error) if long::gives_way(&error, attempt) => {
                        return self.post_messages(token, reply, ledger).await;
                    }
                    Err(error) => return Err(Failure { error, maybe_visible: reply.in_doubt }),
                }
            }
            Standing::GivenUp => return self.post_messages(token, reply, ledger).await,
            Standing::Sent(_) => None,
        };
        let reply = Reply { shape: Shape::Beginning, ..reply };
        let first = self.finish(token, &reply, ledger).await?;
        let first = self.client.deliver(token, &Reply { first: first.as_deref(), ..reply }).await?;
        let Some(file) = file else { return Ok(first) };
        let thread = Thread { channel: reply.channel, ts: reply.thread_ts };
        let sharing = Box::pin(self.client.share(token, thread, &file));
        match parts::one(ledger, FILE_PART, sharing).await {
            Ok(_) => Ok(first),
            Err(failure) if long::gives_way(&failure.error, attempt) => {
                let reply = Reply { shape: Shape::BeginningAndRest, first: first.as_deref(), ..reply };
                if let Some(first) = reply.first {
                    // It speaks of a file. That this may fail does no harm.
                    let _ = self.client.show_beginning(token, &reply, first).await;
                }
                self.client.deliver(token, &reply).await.map_err(|failure| visible(failure.error))
            }
            Err(failure) => Err(visible(failure.error)),
        }
    }

    /// The beginning is the same, whichever try has posted it.
    async fn post_messages(
        &self,
        token: &SecretString,
        reply: Reply<'_>,
        ledger: &dyn Ledger,
    ) -> Result<Option<String>, Failure> {
        let reply = Reply { shape: Shape::BeginningAndRest, ..reply };
        let first = self.finish(token, &reply, ledger).await?;
        self.client.deliver(token, &Reply { first: first.as_deref(), ..reply }).await
    }

    async fn standing(
        &self,
        token: &SecretString,
        reply: &Reply<'_>,
        ledger: &dyn Ledger,
    ) -> Result<Standing, SendError> {
        let known = ledger.parts().await?;
        let since = match known.into_iter().find(|known| known.part == FILE_PART) {
            Some(SentPart { message_id: Some(file), .. }) => return Ok(Standing::Sent(file)),
            Some(SentPart { tried_seconds_ago, .. }) => Some(Duration::from_secs(tried_seconds_ago)),
            None if !reply.in_doubt => return Ok(Standing::Open),
            None => None,
        };
        let (name, wanted) = (file_name(reply), reply.id.to_string());
        let (mut shown, mut rest) = (None, false);
        let visit = &mut |message: &serde_json::Value| {
            let files = message["files"].as_array().map_or(&[][..], Vec::as_slice);
            if let Some(file) = files.iter().find(|file| file["name"] == name.as_str()) {
                shown = Some(file["id"].as_str().unwrap_or_default().to_owned());
            }
            rest |= part_of(message, &wanted).is_some_and(|(part, _)| part > 0);
        };
        self.client.search(token, reply, visit).await?;
        match (shown, since) {
            (Some(file), _) => Ok(Standing::Sent(file)),
            (None, _) if rest => Ok(Standing::GivenUp),
            (None, Some(since)) if since < SHOWN_WITHIN => {
                Err(SendError::RetryAfter { after: SHOWN_WITHIN.saturating_sub(since) })
            }
            (None, _) => Ok(Standing::Open),
        }
    }
}

/// By which it is found again.
fn file_name(reply: &Reply<'_>) -> String {
    format!("answer-{}.txt", reply.id)
}

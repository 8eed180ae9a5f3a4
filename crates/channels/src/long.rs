//! Answers for which messages are not enough: a file with the whole, and its beginning for whoever does not open it.
//!
//! The file is one more part of the reply in the ledger. Where the platform does not take it, messages have to do.

use std::time::Duration;

use futures::future::BoxFuture;
use konstruct_domain::delivery::SentPart;
use reqwest::multipart::Part;

use crate::parts::{Doubt, doubtful, unknown_before};
use crate::split::{split, split_after};
use crate::{Failure, Ledger, SendError};

/// The part under which the ledger has the file; messages have lower numbers.
pub(crate) const FILE_PART: u16 = 20_000;
pub(crate) const MEDIA_TYPE: &str = "text/plain";
pub(crate) const NAME: &str = "answer.txt";
/// For an upload, which takes longer than other calls.
pub(crate) const TIME: Duration = Duration::from_secs(25);

/// Follows the beginning.
const NOTE: &str = "_The whole answer is in the file._";
/// Tries after which a platform that does not take the file, without saying that it never will, gets messages.
const PATIENCE: u32 = 4;
/// Where no file is taken: more messages than a model fills.
const MESSAGES_MAX: usize = 60;
const CUT: &str = "_The rest is left out: it is too much for messages, and no file could be sent._";

/// The beginning of an answer, of about `max` characters, with where to find the rest.
pub(crate) fn beginning(markdown: &str, max: usize) -> String {
    let first = split(markdown, max).into_iter().next().unwrap_or_default();
    format!("{first}\n\n{NOTE}")
}

/// The answer as messages, the first of which may be shorter than the others.
pub(crate) fn messages(markdown: &str, first: usize, max: usize) -> Vec<String> {
    let mut parts = split_after(markdown, first, max);
    if parts.len() > MESSAGES_MAX {
        parts.truncate(MESSAGES_MAX - 1);
        parts.push(CUT.to_owned());
    }
    parts
}

/// How far earlier tries have come with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The platform has it.
    Sent(String),
    /// It has been given up for messages, of which there are some.
    GivenUp,
    Open,
}

impl Standing {
    /// By the ledger alone.
    pub(crate) fn of(known: &[SentPart], doubt: Doubt) -> Result<Self, Failure> {
        match known.iter().find(|known| known.part == FILE_PART) {
            Some(SentPart { message_id: Some(id), .. }) => Ok(Self::Sent(id.clone())),
            Some(SentPart { message_id: None, tried_seconds_ago, .. }) => {
                Err(doubtful(doubt, Duration::from_secs(*tried_seconds_ago)))
            }
            None if known.iter().any(|known| known.part < FILE_PART) => Ok(Self::GivenUp),
            None => Ok(Self::Open),
        }
    }
}

/// Sends the file where it is the only message, unless an earlier try has. `None`: messages have to do.
pub(crate) async fn send(
    ledger: &dyn Ledger,
    doubt: Doubt,
    attempt: u32,
    may_leave: &(dyn Fn() -> Result<(), SendError> + Sync),
    sending: BoxFuture<'_, Result<String, Failure>>,
) -> Result<Option<String>, Failure> {
    let known = ledger.parts().await.map_err(unknown_before)?;
    match Standing::of(&known, doubt)? {
        Standing::Sent(message_id) => return Ok(Some(message_id)),
        Standing::GivenUp => return Ok(None),
        Standing::Open => may_leave()?,
    }
    match sending.await {
        Ok(message_id) => Ok(Some(message_id)),
        Err(failure) if gives_way(&failure.error, attempt) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// The whole answer as a part of a form.
pub(crate) fn file(text: &str) -> Result<Part, SendError> {
    let file = Part::text(text.to_owned()).file_name(NAME).mime_str(MEDIA_TYPE);
    file.map_err(|error| SendError::Rejected { reason: format!("the file cannot be sent: {error}") })
}

/// Whether messages have to do after a failed try to send a file. Without a credential they will fail too, and say so.
pub(crate) fn gives_way(error: &SendError, attempt: u32) -> bool {
    match error {
        SendError::Rejected { .. } | SendError::CredentialsRejected { .. } => true,
        SendError::Transient { .. } => attempt >= PATIENCE,
        SendError::RetryAfter { .. }
        | SendError::AccountRestricted { .. }
        | SendError::InDoubt { .. }
        | SendError::Unresolved { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_says_where_the_rest_is_and_messages_say_what_they_leave_out() {
        assert_eq!(beginning("aaaa bbbb", 5), format!("aaaa\n\n{NOTE}"));
        assert_eq!(messages("aaaa bbbb cccc", 4, 9), ["aaaa", "bbbb cccc"]);
        let flood = messages(&"aaaa ".repeat(200), 4, 4);
        assert_eq!((flood.len(), flood[58].as_str(), flood[59].as_str()), (MESSAGES_MAX, "aaaa", CUT));
    }

    #[test]
    fn a_file_is_not_begun_where_messages_are_and_not_sent_twice() {
        let doubt = Doubt { within: Duration::from_mins(1), look: Duration::from_secs(20) };
        let part = |part, id: Option<&str>| SentPart {
            part,
            message_id: id.map(str::to_owned),
            tried_seconds_ago: 61,
        };
        assert_eq!(Standing::of(&[], doubt), Ok(Standing::Open));
        assert_eq!(Standing::of(&[part(30_000, Some("t"))], doubt), Ok(Standing::Open));
        assert_eq!(Standing::of(&[part(1, None)], doubt), Ok(Standing::GivenUp));
        let sent = Standing::of(&[part(0, Some("a")), part(FILE_PART, Some("f"))], doubt);
        assert_eq!(sent, Ok(Standing::Sent("f".to_owned())));
        let failure = Standing::of(&[part(FILE_PART, None)], doubt).unwrap_err();
        assert!(matches!(failure.error, SendError::Unresolved { .. }));
    }
}

//! A reply as several messages, for platforms that cannot be asked what they have taken: each part is written down
//! before it leaves and after it was taken.

use std::time::Duration;

use futures::future::BoxFuture;
use konstruct_domain::delivery::SentPart;

use crate::{Failure, Ledger, SendError};

/// How long a report about a part whose fate is unknown may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doubt {
    /// Reports that come at all come within this time.
    pub within: Duration,
    /// How often to look.
    pub look: Duration,
}

/// Sends one part and returns the platform's id of it.
pub(crate) type SendPart<'a> = dyn Fn(usize) -> BoxFuture<'a, Result<String, SendError>> + Send + Sync + 'a;

/// Sends those of `count` parts that were not sent before, in order. `may_leave` says whether the next one may.
pub(crate) async fn send<'a>(
    ledger: &'a dyn Ledger,
    count: usize,
    doubt: Doubt,
    may_leave: &(dyn Fn() -> Result<(), SendError> + Send + Sync),
    send_part: &SendPart<'a>,
) -> Result<Option<String>, Failure> {
    let known = ledger.parts().await.map_err(unknown_before)?;
    let mut first = None;
    for index in 0..count {
        let part = u16::try_from(index).map_err(|_| too_long())?;
        let message_id = match known.iter().find(|known| known.part == part) {
            Some(SentPart { message_id: Some(message_id), .. }) => message_id.clone(),
            Some(SentPart { message_id: None, tried_seconds_ago, .. }) => {
                return Err(doubtful(doubt, Duration::from_secs(*tried_seconds_ago)));
            }
            None => {
                may_leave()?;
                one(ledger, part, send_part(index)).await?
            }
        };
        if index == 0 {
            first = Some(message_id);
        }
    }
    Ok(first)
}

/// Sends one part, with its records.
pub(crate) async fn one(
    ledger: &dyn Ledger,
    part: u16,
    sending: BoxFuture<'_, Result<String, SendError>>,
) -> Result<String, Failure> {
    ledger.begin(part).await?;
    match sending.await {
        Ok(message_id) => match ledger.taken(part, &message_id).await {
            Ok(()) => Ok(message_id),
            Err(_) => {
                Err(SendError::InDoubt { reason: "the platform's answer was not recorded".to_owned() }.into())
            }
        },
        Err(error @ SendError::InDoubt { .. }) => Err(error.into()),
        Err(error) => {
            // Left as it is, the part is in doubt, which is no worse than not knowing.
            if let Err(SendError::Transient { reason }) = ledger.not_taken(part).await {
                return Err(SendError::InDoubt { reason }.into());
            }
            Err(error.into())
        }
    }
}

/// Waits for a report, but not for ever.
pub(crate) fn doubtful(doubt: Doubt, since: Duration) -> Failure {
    if since < doubt.within {
        let after = doubt.within.saturating_sub(since).min(doubt.look).max(Duration::from_secs(1));
        return Failure { error: SendError::RetryAfter { after }, maybe_visible: true };
    }
    let reason = format!(
        "the platform did not tell within {} s whether it took the message; look there, then send it again or drop it",
        doubt.within.as_secs()
    );
    SendError::Unresolved { reason }.into()
}

/// The ledger could not be read: nothing was sent by this try.
pub(crate) fn unknown_before(error: SendError) -> Failure {
    Failure { error, maybe_visible: true }
}

fn too_long() -> Failure {
    SendError::Rejected { reason: "the reply has too many parts".to_owned() }.into()
}

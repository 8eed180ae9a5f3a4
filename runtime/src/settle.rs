//! The end of a turn: its effects, all at once, and then the news of them.

use std::time::{Duration, Instant};

use konstruct_queue::Signal;
use konstruct_store::{Claim, Completed, Error as StoreError};

use crate::backoff::Backoff;
use crate::turn::{Draft, Next, again};
use crate::worker::Worker;
use crate::{metrics, window};

/// How long an answer waits for PostgreSQL to come back before the model is asked again later.
const PATIENCE: Duration = Duration::from_mins(1);

/// Commits the turn if the lease is still held. An answer has been paid for, so an outage of PostgreSQL is waited out.
pub(crate) async fn commit(worker: &Worker, claim: &Claim, draft: Draft) -> Next {
    let began = Instant::now();
    let mut backoff = Backoff::new();
    let mut in_doubt = false;
    loop {
        let outcome = worker.health.seen(worker.store.complete(claim, &draft.turn).await);
        let error = match outcome {
            Ok(completed) => return announce(worker, claim, draft, completed).await,
            Err(error) => error,
        };
        match error {
            StoreError::LeaseLost => return overtaken(worker, claim, in_doubt).await,
            error
                if error.is_unavailable() && began.elapsed() < PATIENCE && !worker.release.is_cancelled() =>
            {
                // The connection may have broken after the commit.
                in_doubt = true;
                tokio::select! {
                    () = tokio::time::sleep(backoff.pause()) => {}
                    () = worker.release.cancelled() => {}
                }
            }
            error => {
                tracing::error!(conversation = %claim.conversation, %error, "a turn was not committed");
                return again(worker, claim, error.is_unavailable()).await;
            }
        }
    }
}

/// Nothing of this turn was written by this try. By an earlier one that was in doubt, perhaps: then its reply waits for
/// somebody to send it.
async fn overtaken(worker: &Worker, claim: &Claim, in_doubt: bool) -> Next {
    tracing::warn!(conversation = %claim.conversation, "the lease was lost before the turn was committed");
    metrics::TURNS.inc(["lease_lost"]);
    if in_doubt {
        worker.bus.publish(Signal::Outbox(worker.tenant)).await;
    }
    Next::Now
}

async fn announce(worker: &Worker, claim: &Claim, draft: Draft, completed: Completed) -> Next {
    konstruct_faults::point("settle.committed");
    worker.bus.announce(Signal::Outbox(worker.tenant));
    konstruct_faults::point("settle.announced");
    let took = draft.started.elapsed().saturating_sub(draft.model_time);
    metrics::TURN_SECONDS.observe_duration([], took);
    metrics::TURNS.inc([draft.outcome]);
    let (before, limit) = draft.window;
    window::keep(worker, claim, before, limit, &draft.turn.reply, completed.last_seq).await;
    konstruct_faults::point("settle.kept");
    if let Some(observation) = &draft.observation {
        worker.observer.report(&claim.agent, observation).await;
    }
    Next::Now
}

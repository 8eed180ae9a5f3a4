//! A paused agent: what it is asked waits. Whoever wrote was told so by the gateway.

use std::time::Duration;

use konstruct_store::{Claim, Error};

use crate::metrics;
use crate::turn::Next;
use crate::worker::Worker;

/// An agent that works again answers what has waited within this time.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

pub(crate) async fn hold(worker: &Worker, claim: &Claim) -> Next {
    metrics::TURNS.inc(["paused"]);
    match worker.health.seen(worker.store.hold(claim, LOOK_AGAIN).await) {
        Ok(()) => Next::After(LOOK_AGAIN),
        Err(Error::LeaseLost) => Next::Now,
        Err(error) => {
            tracing::warn!(conversation = %claim.conversation, %error, "a lease was not given back; it runs out");
            Next::After(worker.timing.lease)
        }
    }
}

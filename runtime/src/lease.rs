//! Keeping a conversation while a turn works on it.

use konstruct_store::{Claim, Error};

use crate::worker::Worker;

/// A lease is renewed this often in its time, so that two renewals may fail.
const RENEWALS: u32 = 3;

/// Renews the lease for as long as it is polled. Returns when somebody else has it.
pub(crate) async fn lost(worker: &Worker, claim: &Claim) {
    loop {
        tokio::time::sleep(worker.timing.lease / RENEWALS).await;
        match worker.health.seen(worker.store.renew(claim, worker.timing.lease).await) {
            Ok(()) => {}
            Err(Error::LeaseLost) => return,
            // Perhaps it runs out meanwhile. The fencing token decides when the turn is committed.
            Err(error) => {
                tracing::warn!(conversation = %claim.conversation, %error, "a lease was not renewed");
            }
        }
    }
}

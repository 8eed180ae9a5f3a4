//! The readiness checks of a runtime.

use std::sync::Arc;
use std::time::Duration;

use konstruct_store::Error as StoreError;
use konstruct_telemetry::{Check, Readiness};
use tokio_util::sync::CancellationToken;

use crate::worker::Worker;

/// How often an ai-gateway that failed is asked whether it is back.
const PROBE_EVERY: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) redis: Check,
    pub(crate) postgres: Check,
    pub(crate) ai_gateway: Check,
    pub(crate) configuration: Check,
}

impl Health {
    pub(crate) fn new(readiness: &Readiness) -> Self {
        let health = Self {
            redis: readiness.check("redis"),
            postgres: readiness.check("postgres"),
            ai_gateway: readiness.check("ai-gateway"),
            configuration: readiness.check("configuration"),
        };
        // Asked only when there is something to answer.
        health.ai_gateway.idle();
        health
    }

    /// Reports what an operation said about PostgreSQL, and passes it on.
    pub(crate) fn seen<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        match &outcome {
            Err(StoreError::LeaseLost) | Ok(_) => self.postgres.ok(),
            Err(error) if error.is_unavailable() => {
                self.postgres.failed("PostgreSQL does not answer; messages wait in it and nothing is lost");
            }
            Err(error) => self.postgres.failed(format!("{error}; see the log of this pod")),
        }
        outcome
    }
}

/// Without a message there is no call that would show that the ai-gateway works again, so a failed one is asked.
pub(crate) async fn probe_ai_gateway(worker: Arc<Worker>, shutdown: CancellationToken) {
    let probing = async {
        loop {
            worker.model.failed().await;
            tokio::time::sleep(PROBE_EVERY).await;
            worker.model.probe().await;
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = probing => {}
    }
}

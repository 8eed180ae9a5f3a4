//! Looks at PostgreSQL and Redis now and then, for the readiness probe.

use std::time::Duration;

use konstruct_queue::Bus;
use konstruct_store::Store;
use konstruct_telemetry::Readiness;
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) async fn probe(store: Store, bus: Bus, readiness: Readiness, shutdown: CancellationToken) {
    let (postgres, redis) = (readiness.check("postgres"), readiness.check("redis"));
    loop {
        match tokio::time::timeout(TIMEOUT, store.ping()).await {
            Ok(Ok(())) => postgres.ok(),
            Ok(Err(error)) => postgres.failed(error.to_string()),
            Err(_) => postgres.failed("PostgreSQL does not answer"),
        }
        match tokio::time::timeout(TIMEOUT, bus.ping()).await {
            Ok(Ok(())) => redis.ok(),
            Ok(Err(error)) => redis.failed(error.to_string()),
            Err(_) => redis.failed("Redis does not answer"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

//! Callers that go away in the middle, as visitors and deadlines do.

use std::pin::pin;
use std::time::Duration;

use konstruct_domain::Kind;
use serde_json::Value;
use tokio::time::sleep;

use crate::world::World;

#[tokio::test]
async fn a_caller_that_goes_away_leaves_no_transaction_open() {
    let world = World::new().await;
    for patience in (1..12).cycle().take(120) {
        let mut call = pin!(world.gateway.head::<Value>(world.acme.id, Kind::Tenant, "nobody"));
        for _ in 0..patience {
            if futures::poll!(call.as_mut()).is_ready() {
                break;
            }
            sleep(Duration::from_millis(1)).await;
        }
    }
    sleep(Duration::from_millis(300)).await;
    let open = "select query from pg_stat_activity
                where datname = current_database() and state like 'idle in transaction%'";
    assert_eq!(world.database.texts(open).await, [""; 0]);
}

//! A conversation whose employee is paused: its messages wait, and no try at them is counted.

use std::time::Duration;

use crate::conversation::held;
use crate::{Claim, Result, TenantStore};

impl TenantStore {
    /// Gives the lease back as if it had not been taken, for a while.
    pub async fn hold(&self, claim: &Claim, delay: Duration) -> Result<()> {
        let released = sqlx::query!(
            "update konstruct.conversation_state
             set lease_owner = null, lease_until = null, attempt = 0,
                 retry_at = greatest(retry_at, now() + make_interval(secs => $3))
             where conversation_id = $1 and fence = $2 and lease_owner is not null",
            claim.conversation.as_uuid(),
            claim.fence,
            delay.as_secs_f64()
        )
        .execute(self.pool())
        .await?;
        held(released.rows_affected())
    }
}

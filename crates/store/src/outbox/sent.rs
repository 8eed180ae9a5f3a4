//! Sent replies leave the outbox, those of all tenants together.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use konstruct_domain::TenantId;
use konstruct_domain::ids::ReplyId;
use sqlx::PgPool;
use uuid::Uuid;

use crate::Result;
use crate::batch::Commit;

#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) tenant: TenantId,
    pub(crate) reply: ReplyId,
    pub(crate) fence: i64,
    pub(crate) message_id: Option<String>,
}

/// The commit of a batch, for a pool: whether each one's fencing token was still good.
pub(crate) fn commit_to(pool: PgPool) -> Commit<Sent, bool> {
    Box::new(move |sent: Arc<[Sent]>, range: Range<usize>| {
        let pool = pool.clone();
        Box::pin(async move { commit(&pool, &sent[range]).await })
    })
}

async fn commit(pool: &PgPool, sent: &[Sent]) -> Result<Vec<bool>> {
    let tenants: Vec<Uuid> = sent.iter().map(|s| s.tenant.as_uuid()).collect();
    let replies: Vec<Uuid> = sent.iter().map(|s| s.reply.as_uuid()).collect();
    let fences: Vec<i64> = sent.iter().map(|s| s.fence).collect();
    let message_ids: Vec<Option<&str>> = sent.iter().map(|s| s.message_id.as_deref()).collect();
    let recorded: HashSet<Uuid> = sqlx::query_scalar!(
        r#"select reply as "reply!" from konstruct.sent($1, $2, $3, $4) as reply"#,
        &tenants,
        &replies,
        &fences,
        message_ids as Vec<Option<&str>>
    )
    .fetch_all(pool)
    .await?
    .into_iter()
    .collect();
    Ok(replies.iter().map(|reply| recorded.contains(reply)).collect())
}

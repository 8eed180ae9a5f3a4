//! The inbox: what is committed here is never lost and never taken twice.

mod alone;
mod arrival;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use konstruct_domain::message::InboundMessage;
use konstruct_domain::snapshot::ConnectionSnapshot;
use konstruct_domain::{ConversationId, TenantId};
use sqlx::types::Json;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use crate::batch::Commit;
use crate::{Error, Result, Store};

use alone::With;
pub(crate) use arrival::{Arrival, storable};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Committed. Wake the tenant's runtime, and with `notice` the outbox: the sender is told that nobody answers now.
    New { conversation: ConversationId, notice: bool },
    /// This delivery, or this message in another delivery, is committed already.
    Duplicate,
    /// A message in a thread that the employee takes no part in. Nothing was stored.
    NotAddressed,
}

impl Store {
    /// Commits the message, with the delivery as it came, which is kept for an audit. What comes at the same time, of
    /// whatever tenant, shares a transaction. Its files are wanted from then on, and it rests until they are there, for
    /// [`FILES_WAIT`](crate::FILES_WAIT) at most.
    pub async fn accept(
        &self,
        tenant: TenantId,
        connection: &ConnectionSnapshot,
        message: &InboundMessage,
    ) -> Result<Accepted> {
        let arrival = Arrival::new(tenant, connection, message);
        let with = With { pause: connection.pause.as_ref(), files: &message.attachments };
        if with.pause.is_none() && with.files.is_empty() {
            return self.intake().submit(arrival).await?.ok_or(Error::TenantLeaving);
        }
        self.accept_alone(arrival, connection, with).await
    }
}

/// The commit of a batch, for a pool.
pub(crate) fn commit_to(pool: PgPool) -> Commit<Arrival, Option<Accepted>> {
    Box::new(move |arrivals: Arc<[Arrival]>, range: Range<usize>| {
        let pool = pool.clone();
        Box::pin(async move { take_in(&pool, &arrivals[range]).await })
    })
}

/// One statement: the transaction begins and ends with it. None for what was not taken in, because its tenant is being
/// erased.
async fn take_in(executor: impl PgExecutor<'_>, arrivals: &[Arrival]) -> Result<Vec<Option<Accepted>>> {
    let column = |part: fn(&Arrival) -> &str| arrivals.iter().map(part).collect::<Vec<&str>>();
    let tenants: Vec<Uuid> = arrivals.iter().map(|a| a.tenant.as_uuid()).collect();
    let conversations: Vec<Uuid> = arrivals.iter().map(|a| a.conversation.as_uuid()).collect();
    let targets: Vec<_> = arrivals.iter().map(|a| Json(&a.target)).collect();
    let opens: Vec<bool> = arrivals.iter().map(|a| a.opens).collect();
    let payloads: Vec<Option<&[u8]>> = arrivals.iter().map(|a| a.payload.as_deref()).collect();
    let outcomes = sqlx::query!(
        r#"select place as "place!", outcome as "outcome!"
           from konstruct.accept($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"#,
        &tenants,
        &conversations,
        column(|a| &a.connection) as Vec<&str>,
        column(|a| a.channel_type) as Vec<&str>,
        column(|a| &a.key) as Vec<&str>,
        column(|a| &a.agent) as Vec<&str>,
        targets as Vec<Json<&konstruct_domain::message::ReplyTarget>>,
        &opens,
        column(|a| &a.event_id) as Vec<&str>,
        column(|a| &a.message_id) as Vec<&str>,
        column(|a| &a.author_id) as Vec<&str>,
        column(|a| &a.body) as Vec<&str>,
        payloads as Vec<Option<&[u8]>>,
    )
    .fetch_all(executor)
    .await?;
    let outcomes: HashMap<i64, String> = outcomes.into_iter().map(|row| (row.place, row.outcome)).collect();
    Ok((1..).zip(arrivals).map(|(place, arrival)| accepted(arrival, outcomes.get(&place))).collect())
}

fn accepted(arrival: &Arrival, outcome: Option<&String>) -> Option<Accepted> {
    match outcome?.as_str() {
        "new" => Some(Accepted::New { conversation: arrival.conversation, notice: false }),
        "duplicate" => Some(Accepted::Duplicate),
        "not_addressed" => Some(Accepted::NotAddressed),
        _ => None,
    }
}

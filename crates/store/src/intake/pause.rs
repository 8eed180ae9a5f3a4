//! A message to somebody who has paused: it is taken in, and its sender is told once that nobody answers now.

use konstruct_domain::ids::ReplyId;
use konstruct_domain::snapshot::{ConnectionSnapshot, Pause};

use super::{Accepted, Arrival, take_in};
use crate::{Error, Result, Store, notice};

impl Store {
    /// In a transaction of its own: a pause is rare, and its notice belongs to the message.
    pub(super) async fn accept_in_pause(
        &self,
        arrival: Arrival,
        connection: &ConnectionSnapshot,
        pause: &Pause,
    ) -> Result<Accepted> {
        let mut transaction = self.begin(arrival.tenant).await?;
        let mut accepted = take_in(&mut *transaction, std::slice::from_ref(&arrival)).await?;
        let accepted = accepted.pop().flatten().ok_or(Error::TenantLeaving)?;
        let Accepted::New { conversation, .. } = accepted else {
            return Ok(accepted);
        };
        let reply = ReplyId::of_pause(conversation, &pause.id);
        let target = &arrival.target;
        let notice =
            notice::queue(&mut transaction, conversation, connection, target, reply, &pause.notice).await?;
        if notice {
            notice::append(&mut transaction, conversation, &pause.notice).await?;
        }
        transaction.commit().await?;
        Ok(Accepted::New { conversation, notice })
    }
}

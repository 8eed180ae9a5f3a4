//! A message that more belongs to than itself: files, or the notice of a pause. It has a transaction of its own, because
//! the one must not be committed without the other.

use konstruct_domain::ids::ReplyId;
use konstruct_domain::message::Attachment;
use konstruct_domain::snapshot::{ConnectionSnapshot, Pause};
use sqlx::PgConnection;

use super::{Accepted, Arrival, take_in};
use crate::{Error, Result, Store, file, notice};

/// What comes with a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct With<'a> {
    pub pause: Option<&'a Pause>,
    pub files: &'a [Attachment],
}

impl Store {
    pub(super) async fn accept_alone(
        &self,
        arrival: Arrival,
        connection: &ConnectionSnapshot,
        with: With<'_>,
    ) -> Result<Accepted> {
        let mut transaction = self.begin(arrival.tenant).await?;
        let mut accepted = take_in(&mut *transaction, std::slice::from_ref(&arrival)).await?;
        let accepted = accepted.pop().flatten().ok_or(Error::TenantLeaving)?;
        let Accepted::New { conversation, .. } = accepted else {
            return Ok(accepted);
        };
        file::want(&mut transaction, &arrival, with.files).await?;
        let notice = match with.pause {
            Some(pause) => tell(&mut transaction, &arrival, connection, pause).await?,
            None => false,
        };
        transaction.commit().await?;
        Ok(Accepted::New { conversation, notice })
    }
}

/// Tells the sender, once, that nobody answers now.
async fn tell(
    transaction: &mut PgConnection,
    arrival: &Arrival,
    connection: &ConnectionSnapshot,
    pause: &Pause,
) -> Result<bool> {
    let (conversation, target) = (arrival.conversation, &arrival.target);
    let reply = ReplyId::of_pause(conversation, &pause.id);
    let notice =
        notice::queue(&mut *transaction, conversation, connection, target, reply, &pause.notice).await?;
    if notice {
        notice::append(transaction, conversation, &pause.notice).await?;
    }
    Ok(notice)
}

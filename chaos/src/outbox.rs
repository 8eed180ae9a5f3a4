//! What the outbox still has.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::check::Token;
use crate::world::World;

/// Replies that are going to be sent.
pub(crate) async fn waiting(world: &World) -> Result<i64> {
    let mut waiting = 0;
    for tenant in &world.tenants {
        waiting += world.store.outbox_depth(tenant.id).await?.pending;
    }
    Ok(waiting)
}

/// What is answered by dead letters that somebody has to look at, because a platform that cannot be asked may have taken
/// them: the sending was interrupted.
pub(crate) async fn flagged(world: &World) -> BTreeSet<Token> {
    let bodies = world.database.texts(
        "select body from konstruct.outbox
         where state = 'dead' and in_doubt and connection in ('whatsapp', 'telegram')",
    );
    bodies.await.iter().flat_map(|body| Token::all_in(body)).collect()
}

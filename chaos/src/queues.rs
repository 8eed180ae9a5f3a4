//! What the database still has of messages and replies.

use std::collections::{BTreeMap, BTreeSet};

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

/// Where in the database messages and their replies are: what waits for what, or why it was given up.
pub(crate) async fn whereabouts(world: &World, tokens: &BTreeSet<Token>) -> BTreeMap<Token, Vec<String>> {
    let lines = world.database.texts(
        "select format('inbox; conversation: attempt %s, again in %s, leased for %s, files for %s', s.attempt,
             nullif(s.retry_at, '-infinity') - now(), s.lease_until - now(), c.files_until - now()) || E'\\n' || i.body
         from konstruct.inbox i join konstruct.conversation c using (tenant_id, conversation_id)
         left join konstruct.conversation_state s using (tenant_id, conversation_id)
         union all
         select format('outbox of %s: %s, attempt %s, waits %s, in doubt %s, due in %s, leased for %s, last error %s',
             connection, state, attempt, waits, in_doubt, due_at - now(), lease_until - now(), last_error) || E'\\n' || body
         from konstruct.outbox
         union all
         select format('set aside: %s', reason) || E'\\n' || body from konstruct.parked
         union all
         select format('sent over %s as %s', connection, platform_message_id) || E'\\n' || body from konstruct.outbox_sent
         union all
         select 'history: ' || speaker || E'\\n' || body from konstruct.history",
    );
    let mut found: BTreeMap<Token, Vec<String>> = tokens.iter().map(|token| (*token, Vec::new())).collect();
    for line in lines.await {
        let (place, body) = line.split_once('\n').unwrap_or((&line, ""));
        for token in Token::all_in(body) {
            if let Some(places) = found.get_mut(&token) {
                places.push(place.to_owned());
            }
        }
    }
    found
}

//! The last lines of a conversation: from Redis when they are there and current, else from PostgreSQL.

use konstruct_domain::message::{HistoryLine, Speaker};
use konstruct_store::{Claim, Error};

use crate::worker::Worker;

/// The lines before the claimed messages, at most `limit`, oldest first.
pub(crate) async fn load(worker: &Worker, claim: &Claim, limit: u16) -> Result<Vec<HistoryLine>, Error> {
    let wanted = usize::from(limit).min(usize::try_from(claim.last_seq).unwrap_or(usize::MAX));
    if wanted == 0 {
        return Ok(Vec::new());
    }
    let kept = worker.bus.window(worker.tenant, claim.conversation, claim.last_seq).await;
    // A window kept under a smaller limit is current and still too short.
    if let Some(lines) = kept.filter(|lines| lines.len() >= wanted) {
        return Ok(last(lines, wanted));
    }
    worker.health.seen(worker.store.history(claim.conversation, limit).await)
}

/// Keeps the window as it is after a turn.
pub(crate) async fn keep(
    worker: &Worker,
    claim: &Claim,
    before: Vec<HistoryLine>,
    limit: u16,
    reply: &str,
    seq: i64,
) {
    let asked = claim
        .messages
        .iter()
        .map(|message| HistoryLine { speaker: Speaker::Person, text: message.text.clone() });
    let answered = HistoryLine { speaker: Speaker::Employee, text: reply.to_owned() };
    let lines: Vec<_> = before.into_iter().chain(asked).chain([answered]).collect();
    let lines = last(lines, usize::from(limit));
    worker.bus.put_window(worker.tenant, claim.conversation, seq, &lines).await;
}

fn last(mut lines: Vec<HistoryLine>, count: usize) -> Vec<HistoryLine> {
    lines.drain(..lines.len().saturating_sub(count));
    lines
}

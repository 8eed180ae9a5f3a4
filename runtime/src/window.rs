//! The last lines of a conversation: from Redis when they are there and current, else from PostgreSQL.

use konstruct_domain::message::{HistoryLine, Speaker, TEXT_MAX, truncate};
use konstruct_store::{Claim, Error};

use crate::worker::Worker;

/// Ends a line of which a prompt has only the beginning, so that the model does not take it for the whole.
const CUT: &str = "\n\n[The rest of this message is left out here because it is too long.]";

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
    let lines = worker.health.seen(worker.store.history(claim.conversation, limit).await)?;
    Ok(lines.into_iter().map(remembered).collect())
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
    let answered = remembered(HistoryLine { speaker: Speaker::Employee, text: reply.to_owned() });
    let lines: Vec<_> = before.into_iter().chain(asked).chain([answered]).collect();
    let lines = last(lines, usize::from(limit));
    worker.bus.put_window(worker.tenant, claim.conversation, seq, &lines).await;
}

/// A very long answer must not push out of the prompt what was said before it.
fn remembered(mut line: HistoryLine) -> HistoryLine {
    let kept = truncate(&line.text, TEXT_MAX).len();
    if kept < line.text.len() {
        line.text.truncate(kept);
        line.text.push_str(CUT);
    }
    line
}

fn last(mut lines: Vec<HistoryLine>, count: usize) -> Vec<HistoryLine> {
    lines.drain(..lines.len().saturating_sub(count));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_very_long_line_the_beginning_is_remembered() {
        let line = |text: String| remembered(HistoryLine { speaker: Speaker::Employee, text }).text;
        assert_eq!(line("ä".repeat(TEXT_MAX)), "ä".repeat(TEXT_MAX));
        assert_eq!(line("ä".repeat(TEXT_MAX + 1)), "ä".repeat(TEXT_MAX) + CUT);
    }
}

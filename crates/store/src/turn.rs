//! The end of a turn: everything it did, in one transaction, which it shares with turns that end at the same time.

mod commit;

use std::time::Duration;

use konstruct_domain::ids::ReplyId;
use konstruct_domain::revision::Revision;
use uuid::Uuid;

use crate::conversation::Claim;
use crate::{Error, Result, TenantStore};

pub(crate) use commit::{Ended, commit_to};

/// What a turn came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What the person reads.
    pub reply: String,
    pub outcome: TurnOutcome,
    pub agent_revision: Revision,
    pub provider: Option<String>,
    pub model: Option<String>,
    pub tokens_in: i64,
    pub tokens_out: i64,
    pub elapsed: Duration,
    /// Files that it has told as what has become of them. No later turn does.
    pub files: Vec<Uuid>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurnOutcome {
    Answered,
    /// No model could be reached; the person was told.
    ModelUnavailable,
    /// A person stopped it; what was written until then is the reply.
    Stopped,
    /// The turn failed too often; its messages are kept aside and the person was told.
    Parked {
        reason: String,
    },
}

impl TurnOutcome {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::ModelUnavailable => "model_unavailable",
            Self::Stopped => "stopped",
            Self::Parked { .. } => "parked",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completed {
    /// Lines of history after this turn.
    pub last_seq: i64,
    pub reply: ReplyId,
}

impl TenantStore {
    /// Commits history, reply, usage, audit and the end of the messages together, if the lease is still held.
    pub async fn complete(&self, claim: &Claim, turn: &Turn) -> Result<Completed> {
        let reply = claim.reply();
        let last_seq = self.turns().submit(Ended::new(claim, turn, reply)).await?;
        last_seq.map(|last_seq| Completed { last_seq, reply }).ok_or(Error::LeaseLost)
    }
}

//! What was said.

use konstruct_domain::message::{HistoryLine, Speaker};
use konstruct_domain::{ConversationId, TenantId};

use crate::{Error, Result, Store, TenantStore};

/// One line of a conversation as a web chat shows it. Numbered from 1 without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatLine {
    pub seq: i64,
    pub speaker: Speaker,
    pub text: String,
}

fn speaker(text: &str) -> Result<Speaker> {
    match text {
        "person" => Ok(Speaker::Person),
        "employee" => Ok(Speaker::Employee),
        other => Err(Error::Corrupt(format!("a speaker {other:?}"))),
    }
}

impl Store {
    pub async fn chat_lines(
        &self,
        tenant: TenantId,
        conversation: ConversationId,
        after_seq: i64,
    ) -> Result<Vec<ChatLine>> {
        let mut transaction = self.begin(tenant).await?;
        sqlx::query!(
            "select seq, speaker, body from konstruct.history where conversation_id = $1 and seq > $2 order by seq",
            conversation.as_uuid(),
            after_seq
        )
        .fetch_all(&mut *transaction)
        .await?
        .into_iter()
        .map(|row| Ok(ChatLine { seq: row.seq, speaker: speaker(&row.speaker)?, text: row.body }))
        .collect()
    }
}

impl TenantStore {
    /// The last `limit` lines, oldest first.
    pub async fn history(&self, conversation: ConversationId, limit: u16) -> Result<Vec<HistoryLine>> {
        sqlx::query!(
            r#"select speaker as "speaker!", body as "body!" from
               (select seq, speaker, body from konstruct.history where conversation_id = $1
                order by seq desc limit $2) recent order by seq"#,
            conversation.as_uuid(),
            i64::from(limit)
        )
        .fetch_all(self.pool())
        .await?
        .into_iter()
        .map(|row| Ok(HistoryLine { speaker: speaker(&row.speaker)?, text: row.body }))
        .collect()
    }
}

//! Files that people send. Telegram gives bots files of 20 MB at most.

use konstruct_domain::message::Attachment;
use secrecy::SecretString;
use serde_json::json;

use super::api::Client;
use crate::http_client::limited;
use crate::json::text;
use crate::{File, SendError};

impl Client {
    pub(super) async fn fetch(
        &self,
        token: &SecretString,
        attachment: &Attachment,
        max: u64,
    ) -> Result<File, SendError> {
        let rejected = |reason: &str| SendError::Rejected { reason: reason.to_owned() };
        let file = self.call("getFile", token, &json!({ "file_id": attachment.reference })).await?;
        if file["file_size"].as_u64().is_some_and(|size| size > max) {
            return Err(rejected("the file is larger than allowed"));
        }
        let path = text(&file, "file_path").filter(|path| is_path(path));
        let path = path.ok_or_else(|| rejected("Telegram names no place for the file"))?;
        let transient =
            |error: reqwest::Error| SendError::Transient { reason: error.without_url().to_string() };
        let response = self.http.get(self.file_url(token, path)).send().await.map_err(transient)?;
        if !response.status().is_success() {
            return Err(SendError::Transient { reason: format!("HTTP {}", response.status()) });
        }
        let bytes = limited(response, max).await?;
        Ok(File { bytes, media_type: attachment.media_type.clone() })
    }
}

/// Below the bot's own files, and nowhere else.
fn is_path(path: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-');
    path.bytes().all(safe) && !path.contains("..") && !path.starts_with('/')
}

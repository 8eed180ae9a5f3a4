//! Files that people send. Telegram gives bots files of 20 MB at most.

use konstruct_domain::message::Attachment;
use secrecy::SecretString;
use serde_json::json;

use super::api::Client;
use crate::download::{Announced, Downloads, NoFile, rejected};
use crate::json::text;
use crate::{File, SendError};

impl Client {
    pub(super) async fn fetch(
        &self,
        files: &Downloads,
        token: &SecretString,
        attachment: &Attachment,
        max: u64,
    ) -> Result<File, SendError> {
        let file = self.call("getFile", token, &json!({ "file_id": attachment.reference })).await;
        let file = file.map_err(SendError::from)?;
        let announced = Announced::new(file["file_size"].as_u64(), max)?;
        let path = text(&file, "file_path").filter(|path| is_path(path));
        let path = path.ok_or_else(|| rejected("Telegram names no place for it"))?;
        // A place is good for an hour, and was named just now.
        let fetched = files.get(&self.file_url(token, path), None, max).await.map_err(NoFile::error)?;
        announced.check(&fetched, "Telegram")?;
        Ok(File { bytes: fetched.body, media_type: attachment.media_type.clone() })
    }
}

/// Below the bot's own files, and nowhere else.
fn is_path(path: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-');
    path.bytes().all(safe) && !path.contains("..") && !path.starts_with('/')
}

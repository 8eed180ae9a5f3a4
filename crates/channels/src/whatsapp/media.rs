//! Files that people send. Their ids are good for seven days, the addresses behind them for five minutes.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use konstruct_domain::message::Attachment;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

use super::adapter::plain;
use super::api::Client;
use crate::download::{Announced, Downloads, NoFile, rejected};
use crate::json::text;
use crate::{File, SendError};

/// A digest in the one spelling that is compared. Meta writes base64 in one place and hexadecimal digits in another.
pub(super) fn hex_digest(text: &str) -> Option<String> {
    let bytes = if text.len() == 64 { hex::decode(text).ok() } else { BASE64_STANDARD.decode(text).ok() };
    bytes.filter(|bytes| bytes.len() == 32).map(hex::encode)
}

impl Client {
    /// The bytes, if they are what Meta and the delivery promised.
    pub(super) async fn fetch(
        &self,
        files: &Downloads,
        token: &SecretString,
        phone_number_id: &str,
        attachment: &Attachment,
        max: u64,
    ) -> Result<File, SendError> {
        // An address may have gone by the time it is used; its successor is asked for once.
        let once = || self.fetch_once(files, token, phone_number_id, attachment, max);
        match once().await {
            Err(NoFile::Missing) => once().await.map_err(NoFile::error),
            other => other.map_err(NoFile::error),
        }
    }

    async fn fetch_once(
        &self,
        files: &Downloads,
        token: &SecretString,
        phone_number_id: &str,
        attachment: &Attachment,
        max: u64,
    ) -> Result<File, NoFile> {
        if attachment.reference.is_empty() {
            return Err(rejected("WhatsApp did not say which one it is").into());
        }
        let query = [("phone_number_id", phone_number_id)];
        let media =
            self.get(&attachment.reference, token, &query).await.map_err(|meaning| match plain(meaning) {
                // Whatever Meta's words for it: another's file, or none any more.
                SendError::Rejected { .. } => NoFile::Failed(NoFile::Missing.error()),
                error => error.undelivered().into(),
            })?;
        let announced = Announced::new(media["file_size"].as_u64(), max)?;
        let fetched = files.get(text(&media, "url").unwrap_or_default(), Some(token), max).await?;
        announced.check(&fetched, "WhatsApp")?;
        let digest = hex::encode(Sha256::digest(&fetched.body));
        let promised = [attachment.sha256.clone(), text(&media, "sha256").and_then(hex_digest)];
        if promised.into_iter().flatten().any(|promised| promised != digest) {
            return Err(rejected("it is not the one whose SHA-256 was announced").into());
        }
        Ok(File { bytes: fetched.body, media_type: text(&media, "mime_type").map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_spelling() {
        let digest = Sha256::digest(b"x");
        assert_eq!(hex_digest(&BASE64_STANDARD.encode(digest)), Some(hex::encode(digest)));
        assert_eq!(hex_digest(&hex::encode(digest).to_uppercase()), Some(hex::encode(digest)));
        assert_eq!(hex_digest("x"), None);
        assert_eq!(hex_digest(""), None);
    }
}

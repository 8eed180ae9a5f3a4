//! Files that people send. Their ids are good for seven days, the addresses behind them for five minutes.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use konstruct_domain::message::Attachment;
use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::adapter::plain;
use super::api::Client;
use crate::http_client::limited;
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
        token: &SecretString,
        phone_number_id: &str,
        attachment: &Attachment,
        max: u64,
    ) -> Result<File, SendError> {
        // An address may have gone by the time it is used; its successor is asked for once.
        match self.fetch_once(token, phone_number_id, attachment, max).await {
            Err(Fetch::AddressGone) => {
                self.fetch_once(token, phone_number_id, attachment, max).await.map_err(Fetch::error)
            }
            other => other.map_err(Fetch::error),
        }
    }

    async fn fetch_once(
        &self,
        token: &SecretString,
        phone_number_id: &str,
        attachment: &Attachment,
        max: u64,
    ) -> Result<File, Fetch> {
        let query = [("phone_number_id", phone_number_id)];
        let media = self.get(&attachment.reference, token, &query).await.map_err(plain)?;
        if media["file_size"].as_u64().is_some_and(|size| size > max) {
            return Err(rejected("the file is larger than allowed"));
        }
        let url = text(&media, "url").and_then(|url| Url::parse(url).ok()).filter(|url| self.is_own(url));
        let url = url.ok_or_else(|| rejected("the address of the file is not one of Meta's"))?;
        let transient =
            |error: reqwest::Error| SendError::Transient { reason: error.without_url().to_string() };
        let request = self.http.get(url).bearer_auth(token.expose_secret());
        let response = request.send().await.map_err(transient)?;
        match response.status() {
            status if status.is_success() => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Fetch::AddressGone),
            status => return Err(SendError::Transient { reason: format!("HTTP {status}") }.into()),
        }
        let bytes = limited(response, max).await?;
        let digest = hex::encode(Sha256::digest(&bytes));
        let promised = [attachment.sha256.clone(), text(&media, "sha256").and_then(hex_digest)];
        if promised.into_iter().flatten().any(|promised| promised != digest) {
            return Err(rejected("the file is not the one whose SHA-256 was announced"));
        }
        Ok(File { bytes, media_type: media_type(&media) })
    }
}

fn media_type(media: &Value) -> Option<String> {
    text(media, "mime_type").map(str::to_owned)
}

enum Fetch {
    AddressGone,
    Failed(SendError),
}

impl Fetch {
    fn error(self) -> SendError {
        match self {
            Self::AddressGone => SendError::Rejected { reason: "the file is not there any more".to_owned() },
            Self::Failed(error) => error,
        }
    }
}

impl From<SendError> for Fetch {
    fn from(error: SendError) -> Self {
        Self::Failed(error)
    }
}

fn rejected(reason: &str) -> Fetch {
    SendError::Rejected { reason: reason.to_owned() }.into()
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

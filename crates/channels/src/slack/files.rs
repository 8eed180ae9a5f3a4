//! Files that people attach.

use konstruct_domain::message::Attachment;
use secrecy::SecretString;

use super::Client;
use super::envelope::text;
use crate::download::{Downloads, NoFile, rejected};
use crate::{File, SendError};

/// The only host that gets to see the token on the way to a file.
pub(super) const HOST: &str = "files.slack.com";

impl Client {
    /// By the file's address; by its id where the delivery has only that, as for files of another company in a shared
    /// channel.
    pub(super) async fn fetch(
        &self,
        files: &Downloads,
        token: &SecretString,
        attachment: &Attachment,
        max: u64,
    ) -> Result<File, SendError> {
        let url = match attachment.reference.as_str() {
            "" => return Err(rejected("Slack did not say where it is")),
            url if url.contains("://") => url.to_owned(),
            id => self.address_of(token, id).await?,
        };
        // Without the scope, Slack shows or leads to the page where people sign in.
        let fetched = match files.get(&url, Some(token), max).await {
            Err(NoFile::Elsewhere) if files.has(&url) => return Err(no_scope()),
            other => other.map_err(NoFile::error)?,
        };
        let page = |media_type: &Option<String>| {
            media_type.as_deref().is_some_and(|media_type| media_type.starts_with("text/html"))
        };
        if page(&fetched.content_type) && !page(&attachment.media_type) {
            return Err(no_scope());
        }
        Ok(File { bytes: fetched.body, media_type: fetched.content_type })
    }

    async fn address_of(&self, token: &SecretString, id: &str) -> Result<String, SendError> {
        let answer = self.get("files.info", token, &[("file", id)]).await.map_err(|error| match error {
            SendError::Rejected { .. } => rejected("it is not there any more, or not for this app"),
            error => error.undelivered(),
        })?;
        let file = &answer["file"];
        let url = text(file, "url_private_download").or_else(|| text(file, "url_private"));
        url.map(str::to_owned).ok_or_else(|| rejected("Slack names no address for it"))
    }
}

fn no_scope() -> SendError {
    let reason =
        "the app may not read files: an administrator has to give it the scope files:read".to_owned();
    SendError::CredentialsRejected { reason }
}

//! Files that people attach.

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret, SecretString};

use super::api::{Client, check_status};
use crate::http_client::limited;
use crate::{File, SendError};

/// The only host that gets to see the token on the way to a file.
const HOST: &str = "files.slack.com";

impl Client {
    pub(super) async fn fetch(&self, token: &SecretString, url: &str, max: u64) -> Result<File, SendError> {
        let url = Url::parse(url).ok().filter(|url| self.is_own(url)).ok_or_else(|| SendError::Rejected {
            reason: "the address of the file is not one of Slack's".to_owned(),
        })?;
        let transient =
            |error: reqwest::Error| SendError::Transient { reason: error.without_url().to_string() };
        let request = self.http().get(url).bearer_auth(token.expose_secret());
        let response = request.send().await.map_err(transient)?;
        check_status(&response)?;
        let media_type =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        // Without the scope files:read, Slack answers with the page where people sign in.
        if media_type.as_deref().is_some_and(|media_type| media_type.starts_with("text/html")) {
            let reason =
                "Slack shows a page in place of the file: give the app the scope files:read".to_owned();
            return Err(SendError::CredentialsRejected { reason });
        }
        let bytes = limited(response, max).await?;
        Ok(File { bytes, media_type })
    }

    /// At Slack, or at whatever stands for it.
    fn is_own(&self, url: &Url) -> bool {
        url.host_str() == Some(HOST) && url.scheme() == "https"
            || Url::parse(self.base_url()).is_ok_and(|base| base.origin() == url.origin())
    }
}

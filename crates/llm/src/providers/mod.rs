//! One file per provider type; this one holds what they have in common.

mod anthropic;
mod openai;
mod scripted;

use std::time::Duration;

use konstruct_domain::snapshot::ProviderEndpoint;
use reqwest::Url;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::answer::ChunkStream;
use crate::chat::ChatRequest;
use crate::error::Error;
use crate::http::HttpClient;

use anthropic::Anthropic;
use openai::OpenAi;
use scripted::Scripted;

pub use scripted::DISCLAIMER;

/// A provider ready to be called. `Debug` shows no key.
#[derive(Debug)]
pub struct Provider(Endpoint);

#[derive(Debug)]
enum Endpoint {
    Anthropic(Anthropic),
    OpenAi(OpenAi),
    Scripted(Scripted),
}

/// One try: what is asked, of which model, within which limits.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub request: &'a ChatRequest,
    pub model: &'a str,
    pub max_output_tokens: u32,
    pub temperature: Option<f32>,
    /// Longest wait for the first byte of the answer, and for each further one.
    pub wait: Duration,
    pub render_as: RenderAs<'a>,
}

/// Who answers, for scripted replies. Other models learn it from the system message.
#[derive(Clone, Copy, Debug)]
pub struct RenderAs<'a> {
    pub name: &'a str,
    pub role: &'a str,
}

/// What asking for the list of models has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The provider answers and accepts the key.
    Accepted,
    /// The provider answers but has no such list, so nothing is known about the key.
    Reachable,
}

/// Why a provider cannot be set up. The text names the field and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("baseUrl is not an http or https address without query and user: correct it")]
    BaseUrl,
    #[error("apiKeyRef is missing: create a Secret with the API key and name it")]
    KeyMissing,
    #[error("the API key holds characters that cannot be sent, such as a line break: store the key alone")]
    KeyMalformed,
    #[error("scripted.rules[{index}].match is not a regular expression of at most 1 MiB: correct it")]
    Rule { index: usize },
}

impl Provider {
    pub fn new(
        endpoint: &ProviderEndpoint,
        key: Option<&SecretString>,
        http: &HttpClient,
    ) -> Result<Self, Invalid> {
        Ok(Self(match endpoint {
            ProviderEndpoint::Anthropic { base_url, .. } => {
                let key = key.ok_or(Invalid::KeyMissing)?;
                Endpoint::Anthropic(Anthropic::new(base_url, key, http.clone())?)
            }
            ProviderEndpoint::OpenAi { base_url, api_key } => {
                if api_key.is_some() && key.is_none() {
                    return Err(Invalid::KeyMissing);
                }
                Endpoint::OpenAi(OpenAi::new(base_url, key, http.clone())?)
            }
            ProviderEndpoint::Scripted { rules } => Endpoint::Scripted(Scripted::new(rules)?),
        }))
    }

    /// Resolves when the provider has begun to answer. An error that follows is an item of the stream.
    pub async fn stream(&self, call: Call<'_>) -> Result<ChunkStream, Error> {
        match &self.0 {
            Endpoint::Anthropic(anthropic) => anthropic.stream(call).await,
            Endpoint::OpenAi(openai) => openai.stream(call).await,
            Endpoint::Scripted(scripted) => Ok(scripted.stream(call)),
        }
    }

    /// Finds out, at no cost, whether the provider can be reached and takes the key.
    pub async fn probe(&self, wait: Duration) -> Result<Probe, Error> {
        let answer = match &self.0 {
            Endpoint::Anthropic(anthropic) => anthropic.list_models(wait).await,
            Endpoint::OpenAi(openai) => openai.list_models(wait).await,
            Endpoint::Scripted(_) => Ok(()),
        };
        match answer {
            Ok(()) => Ok(Probe::Accepted),
            Err(Error::Rejected { status: 404 | 405, .. } | Error::Status(501)) => Ok(Probe::Reachable),
            Err(error) => Err(error),
        }
    }

    /// The type's name in metrics.
    pub const fn type_name(&self) -> &'static str {
        match self.0 {
            Endpoint::Anthropic(_) => "anthropic",
            Endpoint::OpenAi(_) => "openai",
            Endpoint::Scripted(_) => "scripted",
        }
    }

    pub const fn is_scripted(&self) -> bool {
        matches!(self.0, Endpoint::Scripted(_))
    }
}

/// `base` with a path appended.
fn address(base: &str, path: &str) -> Result<Url, Invalid> {
    let mut url: Url = base.parse().map_err(|_| Invalid::BaseUrl)?;
    let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !(plain && url.has_host() && matches!(url.scheme(), "http" | "https")) {
        return Err(Invalid::BaseUrl);
    }
    url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
    Ok(url)
}

/// A key as a header that no log shows. White space around it, such as the line break that `kubectl create secret
/// --from-file` keeps, is not part of it.
fn key_header(prefix: &str, key: &SecretString) -> Result<HeaderValue, Invalid> {
    let key = key.expose_secret().trim();
    if key.is_empty() {
        return Err(Invalid::KeyMissing);
    }
    let mut value = HeaderValue::from_str(&format!("{prefix}{key}")).map_err(|_| Invalid::KeyMalformed)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain_and_joined_with_one_slash() {
        assert_eq!(address("http://h:1/v1/", "/x").unwrap().as_str(), "http://h:1/v1/x");
        for bad in ["", "h/v1", "ftp://h", "http://u@h", "http://h?a=b", "http://h#f", "http://"] {
            assert_eq!(address(bad, "/x"), Err(Invalid::BaseUrl), "{bad}");
        }
    }

    #[test]
    fn a_key_is_trimmed_checked_and_sensitive() {
        let header = key_header("Bearer ", &"sk-1\n".into()).unwrap();
        assert_eq!(header.as_bytes(), b"Bearer sk-1");
        assert!(header.is_sensitive() && !format!("{header:?}").contains("sk-1"));
        assert_eq!(key_header("", &" \n".into()), Err(Invalid::KeyMissing));
        assert_eq!(key_header("", &"a\nb".into()), Err(Invalid::KeyMalformed));
    }
}

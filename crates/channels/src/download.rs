//! Files from a platform's own sites, and from nowhere else.
//!
//! The address of a file comes from a delivery or from an answer of the platform. Neither may lead us into the network
//! around us, nor a token to somebody else.

use std::time::Duration;

use konstruct_guard::{FetchError, Fetched, Guard, Limits, fetch};
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::{SendError, SetUp};

/// The largest files take that long on a slow line.
const TIME: Duration = Duration::from_secs(20);
const REDIRECTS: u8 = 3;
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Where one platform has its files.
#[derive(Clone, Debug)]
pub(crate) struct Downloads {
    guard: Guard,
    client: reqwest::Client,
    /// Hosts, those below them included.
    sites: &'static [&'static str],
}

/// Why there is no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoFile {
    /// The address is not one of the platform's, or led away from there.
    Elsewhere,
    /// The platform knows none at this address, any more or for us.
    Missing,
    Failed(SendError),
}

impl Downloads {
    /// `api` is where the platform is reached. If that is not the real one, its administrator has said what stands for
    /// it, and that is trusted wherever it is.
    pub(crate) fn new(api: &str, real_api: &str, sites: &'static [&'static str]) -> Result<Self, SetUp> {
        let stands_for_it = Url::parse(api).ok().filter(|_| api != real_api);
        let guard = stands_for_it.map_or_else(Guard::default, Guard::trusting);
        let client = guard.client(crate::http_client::builder())?;
        Ok(Self { guard, client, sites })
    }

    pub(crate) async fn get(
        &self,
        url: &str,
        token: Option<&SecretString>,
        max: u64,
    ) -> Result<Fetched, NoFile> {
        let url = Url::parse(url).map_err(|_| NoFile::Elsewhere)?;
        let bytes = usize::try_from(max).unwrap_or(usize::MAX);
        let limits = Limits { bytes, time: TIME, redirects: REDIRECTS, unencrypted: false };
        let may = |url: &Url| self.is_own(url);
        fetch(&self.guard, &self.client, url, bearer(token), limits, &may)
            .await
            .map_err(|error| no_file(&error))
    }

    /// Whether an address is one of the platform's.
    pub(crate) fn has(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.is_own(&url))
    }

    fn is_own(&self, url: &Url) -> bool {
        let below = |host: &str, site: &str| host.strip_suffix(site).is_some_and(|rest| rest.ends_with('.'));
        self.guard.trusts(url)
            || url
                .host_str()
                .is_some_and(|host| self.sites.iter().any(|site| host == *site || below(host, site)))
    }
}

fn bearer(token: Option<&SecretString>) -> HeaderMap {
    let value =
        token.and_then(|token| HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).ok());
    let mut headers = HeaderMap::new();
    if let Some(mut value) = value {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    headers
}

fn no_file(error: &FetchError) -> NoFile {
    let reason = error.to_string();
    NoFile::Failed(match error {
        FetchError::Refused(_) | FetchError::TooManyRedirects => return NoFile::Elsewhere,
        FetchError::Status(404 | 410) => return NoFile::Missing,
        FetchError::TooLarge(max) => {
            SendError::Rejected { reason: format!("it has more than {} MB", max >> 20) }
        }
        FetchError::Status(429) => SendError::RetryAfter { after: RETRY_AFTER },
        FetchError::Status(401 | 403) => {
            SendError::CredentialsRejected { reason: "the platform does not let it be read".to_owned() }
        }
        FetchError::Status(_) | FetchError::TooSlow | FetchError::Connection(_) => {
            SendError::Transient { reason }
        }
    })
}

impl NoFile {
    /// For those who have nothing more to say about it.
    pub(crate) fn error(self) -> SendError {
        match self {
            Self::Elsewhere => rejected("its address is not one of the platform's"),
            Self::Missing => rejected("it has expired, or is not there any more"),
            Self::Failed(error) => error,
        }
    }
}

impl From<SendError> for NoFile {
    fn from(error: SendError) -> Self {
        Self::Failed(error)
    }
}

/// How large the platform says that a file is, if it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announced(Option<u64>);

impl Announced {
    /// What is announced as too large is not asked for.
    pub(crate) fn new(size: Option<u64>, max: u64) -> Result<Self, SendError> {
        if size.is_some_and(|size| size > max) {
            return Err(rejected(&format!("it has more than {} MB", max >> 20)));
        }
        Ok(Self(size))
    }

    /// Whether the platform has kept its word.
    pub(crate) fn check(self, fetched: &Fetched, platform: &str) -> Result<(), SendError> {
        if self.0.is_some_and(|size| size != fetched.body.len() as u64) {
            return Err(rejected(&format!("it is not as large as {platform} says")));
        }
        Ok(())
    }
}

/// In the words of somebody who tells a person why a file cannot be looked at.
pub(crate) fn rejected(reason: &str) -> SendError {
    SendError::Rejected { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_platforms_own_sites_are_asked() {
        let real = Downloads::new("https://api.test/v1", "https://api.test/v1", &["files.test"]).unwrap();
        let own = |downloads: &Downloads, url: &str| downloads.is_own(&url.parse().unwrap());
        for url in ["https://files.test/a", "https://eu.files.test/a"] {
            assert!(own(&real, url), "{url}");
        }
        for url in [
            "https://evilfiles.test/a",
            "https://files.test.evil/a",
            "https://api.test/v1",
            "https://10.0.0.1/",
        ] {
            assert!(!own(&real, url), "{url}");
        }
        let standing_in =
            Downloads::new("http://10.0.0.7:81/v1", "https://api.test/v1", &["files.test"]).unwrap();
        assert!(own(&standing_in, "http://10.0.0.7:81/other") && !own(&standing_in, "http://10.0.0.7:82/"));
    }

    #[tokio::test]
    async fn an_inward_address_is_not_asked_even_if_its_name_is_the_platforms() {
        let downloads =
            Downloads::new("https://api.test", "https://api.test", &["localhost", "127.0.0.1"]).unwrap();
        for url in ["https://localhost/", "https://127.0.0.1/", "http://[::1]/", "not a URL"] {
            assert_eq!(downloads.get(url, None, 1).await, Err(NoFile::Elsewhere), "{url}");
        }
    }
}

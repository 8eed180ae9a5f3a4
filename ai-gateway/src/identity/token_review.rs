//! Asks the Kubernetes API whose token it is.

use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, TokenReviewStatus};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Denied;
use super::cache::{Cache, key};
use crate::metrics::TOKEN_REVIEWS;

const LIMIT: Duration = Duration::from_secs(5);

/// Most reviews at the same time.
const CONCURRENT: usize = 16;

/// The service account of every runtime, in its tenant's namespace.
const SERVICE_ACCOUNT: &str = "konstruct-runtime";

pub(super) struct Reviewer {
    reviews: Api<TokenReview>,
    audience: String,
    cache: Cache<Result<String, Denied>>,
    permits: Semaphore,
}

impl Reviewer {
    pub(super) fn new(client: Client, audience: String) -> Self {
        let permits = Semaphore::new(CONCURRENT);
        Self { reviews: Api::all(client), audience, cache: Cache::new(), permits }
    }

    /// The namespace whose runtime this token is.
    pub(super) async fn namespace(&self, token: &str) -> Result<String, Denied> {
        let key = key(token);
        if let Some(known) = self.cache.get(&key, Instant::now()) {
            return known;
        }
        let _permit = self.permits.acquire().await.map_err(|_| Denied::Unavailable)?;
        // Somebody else may have asked while this one waited.
        if let Some(known) = self.cache.get(&key, Instant::now()) {
            return known;
        }
        let outcome = match self.review(token).await {
            Ok(status) => runtime_namespace(&status, &self.audience),
            Err(reason) => {
                tracing::warn!(reason, "cannot review a token");
                TOKEN_REVIEWS.inc(["unavailable"]);
                return Err(Denied::Unavailable);
            }
        };
        TOKEN_REVIEWS.inc([if outcome.is_ok() { "accepted" } else { "refused" }]);
        self.cache.put(key, outcome.clone(), outcome.is_err(), Instant::now());
        outcome
    }

    /// Reviews a token that cannot be valid: what counts is that the API answers.
    pub(super) async fn check(&self) -> Result<(), String> {
        self.review("readiness-check").await.map(drop)
    }

    async fn review(&self, token: &str) -> Result<TokenReviewStatus, String> {
        let spec =
            TokenReviewSpec { token: Some(token.to_owned()), audiences: Some(vec![self.audience.clone()]) };
        let review = TokenReview { spec, ..TokenReview::default() };
        let answer = timeout(LIMIT, self.reviews.create(&PostParams::default(), &review)).await;
        match answer {
            Ok(Ok(review)) => Ok(review.status.unwrap_or_default()),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
                Err("may not review tokens: allow the ai-gateway's service account to create \
                     tokenreviews.authentication.k8s.io"
                    .to_owned())
            }
            Ok(Err(kube::Error::Api(status))) => {
                Err(format!("the Kubernetes API answers {} ({})", status.code, status.reason))
            }
            // The error's text could repeat the request, which holds the token.
            Ok(Err(_)) => Err("the Kubernetes API cannot be reached".to_owned()),
            Err(_) => Err("the Kubernetes API does not answer in time".to_owned()),
        }
    }
}

/// An API server that knows nothing of audiences returns none; its word is not enough.
fn runtime_namespace(status: &TokenReviewStatus, audience: &str) -> Result<String, Denied> {
    let audiences = status.audiences.as_deref().unwrap_or_default();
    if status.authenticated != Some(true) || !audiences.iter().any(|made_for| made_for == audience) {
        return Err(Denied::Invalid);
    }
    let username = status.user.as_ref().and_then(|user| user.username.as_deref()).ok_or(Denied::Invalid)?;
    let account = username.strip_prefix("system:serviceaccount:").ok_or(Denied::NotARuntime)?;
    match account.split_once(':') {
        Some((namespace, SERVICE_ACCOUNT)) if !namespace.is_empty() => Ok(namespace.to_owned()),
        _ => Err(Denied::NotARuntime),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::authentication::v1::UserInfo;

    use super::*;

    fn status(username: &str, audiences: &[&str], authenticated: bool) -> TokenReviewStatus {
        TokenReviewStatus {
            authenticated: Some(authenticated),
            audiences: Some(audiences.iter().map(|&audience| audience.to_owned()).collect()),
            user: Some(UserInfo { username: Some(username.to_owned()), ..UserInfo::default() }),
            error: None,
        }
    }

    #[test]
    fn only_a_runtime_with_a_token_made_for_us_has_a_namespace() {
        const RUNTIME: &str = "system:serviceaccount:kt-acme:konstruct-runtime";
        let namespace = |status: TokenReviewStatus| runtime_namespace(&status, "us");
        assert_eq!(namespace(status(RUNTIME, &["us", "others"], true)), Ok("kt-acme".to_owned()));
        assert_eq!(namespace(status(RUNTIME, &["others"], true)), Err(Denied::Invalid));
        assert_eq!(namespace(status(RUNTIME, &[], true)), Err(Denied::Invalid));
        assert_eq!(namespace(status(RUNTIME, &["us"], false)), Err(Denied::Invalid));
        assert_eq!(namespace(TokenReviewStatus::default()), Err(Denied::Invalid));
        for stranger in [
            "system:serviceaccount:kt-acme:default",
            "system:serviceaccount:kt-acme:konstruct-runtime:x",
            "system:serviceaccount::konstruct-runtime",
            "system:admin",
            "kt-acme:konstruct-runtime",
        ] {
            assert_eq!(namespace(status(stranger, &["us"], true)), Err(Denied::NotARuntime), "{stranger}");
        }
    }
}

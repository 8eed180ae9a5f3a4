//! Who is asking. The tenant comes from a verified token and from nothing else in a request.

mod cache;
mod local;
mod token_review;

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use konstruct_domain::TenantId;
use kube::Client;

pub use local::LocalTokens;

use crate::catalogue::{Loader, Tenant};
use token_review::Reviewer;

/// Longest token that is looked at. A projected service-account token has about 1,200 bytes.
const TOKEN_MAX: usize = 16 * 1024;

/// How callers prove who they are.
pub enum Identity {
    /// With a service-account token made for `audience`, which the Kubernetes API reviews.
    TokenReview { client: Client, audience: String },
    /// With a token of our own, where there is no Kubernetes.
    Local(LocalTokens),
}

/// Why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    Missing,
    Invalid,
    /// A valid token of somebody who is not the runtime of a tenant.
    NotARuntime,
    /// The Kubernetes API does not answer, so nothing is known about the token.
    Unavailable,
    /// PostgreSQL does not answer, so nothing is known about the tenant.
    NoDirectory,
}

/// Whose namespace or id a token has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Proven {
    Namespace(String),
    Tenant(TenantId),
}

pub(crate) struct Authenticator {
    method: Method,
    loader: Arc<Loader>,
}

enum Method {
    Review(Box<Reviewer>),
    Local(LocalTokens),
}

impl Authenticator {
    pub(crate) fn new(identity: Identity, loader: Arc<Loader>) -> Self {
        let method = match identity {
            Identity::TokenReview { client, audience } => {
                Method::Review(Box::new(Reviewer::new(client, audience)))
            }
            Identity::Local(tokens) => Method::Local(tokens),
        };
        Self { method, loader }
    }

    pub(crate) async fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Tenant>, Denied> {
        let token = bearer(headers)?;
        let proven = match &self.method {
            Method::Review(reviewer) => Proven::Namespace(reviewer.namespace(token).await?),
            Method::Local(tokens) => Proven::Tenant(tokens.verify(token).ok_or(Denied::Invalid)?),
        };
        if let Some(tenant) = self.find(&proven) {
            return Ok(tenant);
        }
        if let Err(error) = self.loader.look_again_for_tenants().await {
            tracing::warn!(%error, "cannot look for a caller's tenant");
            return Err(Denied::NoDirectory);
        }
        self.find(&proven).ok_or(Denied::NotARuntime)
    }

    fn find(&self, proven: &Proven) -> Option<Arc<Tenant>> {
        let catalogue = self.loader.catalogue();
        match proven {
            Proven::Namespace(namespace) => catalogue.tenant_of_namespace(namespace),
            Proven::Tenant(tenant) => catalogue.tenant(*tenant),
        }
    }

    pub(crate) const fn asks_kubernetes(&self) -> bool {
        matches!(self.method, Method::Review(_))
    }

    /// Whether tokens can be verified now, or what to do so that they can.
    pub(crate) async fn check(&self) -> Result<(), String> {
        match &self.method {
            Method::Review(reviewer) => reviewer.check().await,
            Method::Local(_) => Ok(()),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, Denied> {
    let value = headers.get(header::AUTHORIZATION).ok_or(Denied::Missing)?;
    let value = value.to_str().map_err(|_| Denied::Invalid)?;
    let (scheme, token) = value.split_once(' ').ok_or(Denied::Invalid)?;
    let token = token.trim();
    let usable = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= TOKEN_MAX;
    if usable { Ok(token) } else { Err(Denied::Invalid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Result<String, Denied> {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        bearer(&headers).map(str::to_owned)
    }

    #[test]
    fn only_a_bearer_token_of_sane_length_is_looked_at() {
        assert_eq!(of("Bearer abc"), Ok("abc".into()));
        assert_eq!(of("bearer  abc "), Ok("abc".into()));
        for bad in ["abc", "Basic abc", "Bearer ", &format!("Bearer {}", "x".repeat(TOKEN_MAX + 1))] {
            assert_eq!(of(bad), Err(Denied::Invalid), "{bad}");
        }
        assert_eq!(bearer(&HeaderMap::new()), Err(Denied::Missing));
    }
}

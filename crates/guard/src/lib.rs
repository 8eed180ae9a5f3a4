//! Requests to addresses that somebody else named: a tenant's model provider, a file that a message links to.
//!
//! Such a request must not reach the cluster, the network around it or a cloud's metadata. So the URL is checked, every
//! address that its name resolves to is checked, the connection is made to one of just these addresses, and a redirect is
//! a new URL with all of that again. What is public is decided in `konstruct_domain::addresses`.

mod fetch;
mod resolver;

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use konstruct_domain::addresses::refused_address;
use reqwest::{ClientBuilder, Url, redirect};

pub use fetch::{FetchError, Fetched, Limits, fetch};
pub use ipnet::IpNet as Network;

use resolver::CheckedNames;

/// Why an address is not asked. The text goes to whoever named it, and tells nothing about the network here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the address is not an http or https URL: write one")]
    Scheme,
    #[error("the address is not an https URL: write one that begins with https://")]
    NotEncrypted,
    #[error("the address has no host: write a full URL")]
    NoHost,
    #[error("the address has a user name or password in it: remove it")]
    Credentials,
    #[error("port {0} is not allowed: use the standard port")]
    Port(u16),
    #[error("the address leads to {0}: name a public one")]
    NotPublic(&'static str),
    #[error("the name leads to no address: check it")]
    NoAddress,
    #[error("the address is of another site than the one that is asked: name one of that site")]
    Elsewhere,
}

/// What may be reached. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// Networks that count as public here although they are not.
    allowed: Arc<[IpNet]>,
    /// A site that the administrator named: it may be anywhere.
    trusted: Option<Arc<Url>>,
}

impl Guard {
    /// Public addresses, and those of networks that the administrator allows.
    pub fn allowing(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self { allowed: networks.into_iter().collect(), trusted: None }
    }

    /// Public addresses, and one site wherever it is, such as what stands for a platform.
    pub fn trusting(site: Url) -> Self {
        Self { allowed: Arc::default(), trusted: Some(site.into()) }
    }

    /// Whether a URL is of the trusted site: the same scheme, host and port.
    pub fn trusts(&self, url: &Url) -> bool {
        self.trusted.as_ref().is_some_and(|site| site.origin() == url.origin())
    }

    /// A name of which nobody needs to know where it leads.
    pub(crate) fn trusts_name(&self, name: &str) -> bool {
        self.trusted.as_ref().is_some_and(|site| site.host_str() == Some(name))
    }

    /// What an address has that keeps it from being asked, if anything.
    pub fn refuses(&self, address: IpAddr) -> Option<&'static str> {
        if self.allowed.iter().any(|network| network.contains(&address)) {
            return None;
        }
        refused_address(address)
    }

    /// What can be said of a URL without asking DNS. Numbers are addresses in every notation that a URL has for them:
    /// decimal, octal, hexadecimal, short.
    pub fn check(&self, url: &Url) -> Result<(), Refused> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::Credentials);
        }
        let host = url.host_str().ok_or(Refused::NoHost)?;
        if self.trusts(url) {
            return Ok(());
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match literal.ok().and_then(|address| self.refuses(address)) {
            Some(what) => Err(Refused::NotPublic(what)),
            None => Ok(()),
        }
    }

    /// A client that connects to checked addresses only. It follows no redirect and knows no proxy: either would be
    /// another's choice of where to go. An address in the URL itself is not looked up: [`check`](Self::check) it.
    pub fn client(&self, builder: ClientBuilder) -> reqwest::Result<reqwest::Client> {
        builder
            .no_proxy()
            .redirect(redirect::Policy::none())
            .dns_resolver(Arc::new(CheckedNames::new(self.clone())))
            .build()
    }
}

/// The refusal behind a client's error, if it is one.
pub fn refusal(error: &reqwest::Error) -> Option<Refused> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return Some(refused.clone());
        }
        source = error.source();
    }
    None
}

#[cfg(test)]
mod cases;

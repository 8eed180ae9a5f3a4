//! The address of whoever asks, for limits. Proxies in front of the gateway append it to X-Forwarded-For; what stands
//! further left there anybody can have written.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::app::App;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Address(pub(crate) IpAddr);

impl FromRequestParts<Arc<App>> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip());
        Ok(Self(forwarded(&parts.headers, app.trusted_proxies).unwrap_or(peer)))
    }
}

/// What the outermost of our own proxies has seen.
fn forwarded(headers: &HeaderMap, proxies: usize) -> Option<IpAddr> {
    let lines = headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
    let hops: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let index = hops.len().checked_sub(proxies.max(1)).filter(|_| proxies > 0)?;
    hops[index].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_our_own_proxies_wrote_counts() {
        let mut headers = HeaderMap::new();
        assert_eq!(forwarded(&headers, 1), None);
        headers.append("x-forwarded-for", "1.1.1.1, 2.2.2.2".parse().unwrap());
        headers.append("x-forwarded-for", "2001:db8::3".parse().unwrap());
        let address = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert_eq!(forwarded(&headers, 0), None);
        assert_eq!(forwarded(&headers, 1), address("2001:db8::3"));
        assert_eq!(forwarded(&headers, 2), address("2.2.2.2"));
        assert_eq!(forwarded(&headers, 3), address("1.1.1.1"));
        assert_eq!(forwarded(&headers, 4), None);
    }
}

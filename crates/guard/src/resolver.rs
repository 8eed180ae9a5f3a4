//! Names to addresses that may be reached. A name of which one address may not is refused as a whole: whoever answers
//! with such an address means harm, and may answer in another order the next time.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::{Guard, Refused};

/// A name that takes longer is not found.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct CheckedNames {
    guard: Guard,
    /// Instead of DNS, in tests.
    #[cfg(test)]
    pub(crate) known: std::collections::HashMap<String, Vec<IpAddr>>,
}

impl CheckedNames {
    pub(crate) fn new(guard: Guard) -> Self {
        Self {
            guard,
            #[cfg(test)]
            known: std::collections::HashMap::default(),
        }
    }

    #[cfg(test)]
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        match self.known.get(name) {
            Some(addresses) => Ok(addresses.clone()),
            None => ask(name).await,
        }
    }

    #[cfg(not(test))]
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        ask(name).await
    }
}

async fn ask(name: &str) -> std::io::Result<Vec<IpAddr>> {
    match timeout(PATIENCE, lookup_host((name, 0))).await {
        Ok(found) => Ok(found?.map(|address| address.ip()).collect()),
        Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
    }
}

/// All of them, or none.
pub(crate) fn checked(guard: &Guard, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, Refused> {
    if addresses.is_empty() {
        return Err(Refused::NoAddress);
    }
    match addresses.iter().find_map(|address| guard.refuses(*address)) {
        Some(what) => Err(Refused::NotPublic(what)),
        None => Ok(addresses),
    }
}

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.guard.clone();
        let this = Self {
            guard: guard.clone(),
            #[cfg(test)]
            known: self.known.clone(),
        };
        Box::pin(async move {
            let mut addresses = this.addresses(name.as_str()).await?;
            if !guard.trusts_name(name.as_str()) {
                addresses = checked(&guard, addresses)?;
            }
            // The client takes the port from the URL.
            let sockets = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(sockets.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

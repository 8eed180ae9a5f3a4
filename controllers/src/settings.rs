//! What the operator's flags decide about the objects it makes.

use std::collections::{BTreeMap, BTreeSet};

/// Port on which every role answers probes and metrics.
pub const ADMIN_PORT: u16 = 9090;
/// Audience of the runtimes' tokens: no other service accepts them.
pub const TOKEN_AUDIENCE: &str = "konstruct-ai-gateway";
/// Pod Security is pinned, so that a new Kubernetes does not change what runs.
pub const POD_SECURITY_VERSION: &str = "v1.34";

#[derive(Clone, Debug)]
pub struct Settings {
    /// The operator's own namespace. LLMProviders there are shared.
    pub system_namespace: String,
    /// The workload controller's service account, which is bound in each tenant's namespace.
    pub service_account: String,
    pub namespaces: TenantNamespaces,
    pub runtime: RuntimeSettings,
    pub network: NetworkSettings,
    /// PostgreSQL as runtimes reach it: `postgres://host:5432/konstruct`, without user and password.
    pub tenant_database_url: String,
    /// Redis as runtimes reach it: `redis://host:6379`, without user and password.
    pub tenant_redis_url: String,
    /// Reconciliations at one time, for each controller.
    pub concurrency: u16,
}

#[derive(Clone, Debug)]
pub struct RuntimeSettings {
    pub image: String,
    pub image_pull_policy: String,
    pub ai_gateway_url: String,
    pub cpu_request: String,
    pub cpu_limit: String,
    pub memory_request: String,
    pub memory_limit: String,
}

/// Which tenants an operator is for, by their namespaces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TenantNamespaces {
    #[default]
    All,
    /// Tenants of other namespaces are left alone.
    Only {
        names: BTreeSet<String>,
        /// They are made by whoever installs the platform, with the operator's rights in them: a namespace is taken over
        /// for its Tenant, and never made.
        given: bool,
    },
}

impl TenantNamespaces {
    pub fn has(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only { names, .. } => names.contains(namespace),
        }
    }

    pub const fn are_given(&self) -> bool {
        matches!(self, Self::Only { given: true, .. })
    }

    /// None: all of them.
    pub const fn names(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::All => None,
            Self::Only { names, .. } => Some(names),
        }
    }
}

/// Where a runtime may connect to, and who may connect to it.
#[derive(Clone, Debug)]
pub struct NetworkSettings {
    pub postgres: Destination,
    pub redis: Destination,
    pub ai_gateway: Destination,
    pub dns_namespace: String,
    pub monitoring_namespace: String,
}

/// One service that a runtime needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    pub peer: Peer,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    Pods {
        namespace: String,
        labels: BTreeMap<String, String>,
    },
    /// A service outside the cluster.
    Cidr(String),
}

/// Why a destination could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no destination: write namespace/label=value[,label=value]:port, or cidr:port such as 10.0.0.5/32:5432"
)]
pub struct InvalidDestination {
    text: String,
}

impl std::str::FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| InvalidDestination { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<Destination> {
    let (peer, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let (namespace, rest) = peer.split_once('/')?;
    let peer = if rest.contains('=') {
        let labels = rest.split(',').map(|pair| pair.split_once('=')).collect::<Option<Vec<_>>>()?;
        let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Peer::Pods { namespace: namespace.to_owned(), labels }
    } else {
        namespace.parse::<std::net::IpAddr>().ok()?;
        rest.parse::<u8>().ok().filter(|bits| *bits <= 128)?;
        Peer::Cidr(peer.to_owned())
    };
    Some(Destination { peer, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_pods_or_addresses() {
        let pods: Destination = "konstruct-system/app=postgres,tier=db:5432".parse().unwrap();
        assert_eq!(pods.port, 5432);
        assert!(
            matches!(pods.peer, Peer::Pods { namespace, labels } if namespace == "konstruct-system" && labels.len() == 2)
        );
        assert_eq!(
            "10.0.0.5/32:6379".parse(),
            Ok(Destination { peer: Peer::Cidr("10.0.0.5/32".to_owned()), port: 6379 })
        );
        for bad in
            ["", "postgres:5432", "ns/app=x", "ns/app=x:0", "10.0.0.5:6379", "10.0.0.5/x:1", "ns/app:1"]
        {
            assert!(bad.parse::<Destination>().is_err(), "{bad}");
        }
    }
}

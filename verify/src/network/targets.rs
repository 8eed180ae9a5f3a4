//! Addresses to try: what a runtime needs, and what it must not reach.

use k8s_openapi::api::core::v1::{Pod, Service};
use konstruct_controllers::Settings;
use konstruct_controllers::settings::ADMIN_PORT;
use kube::api::ListParams;
use kube::{Api, Client};
use secrecy::ExposeSecret;

use crate::error::Obstacle;
use crate::subject::{Credentials, DATABASE_URL, REDIS_URL, Subject};

/// Where clouds hand out what a machine may do.
const METADATA: &str = "169.254.169.254:80";
/// Pods of other tenants that are tried.
const NEIGHBOURS: usize = 3;

pub(super) struct Targets {
    pub(super) needs: Vec<String>,
    pub(super) tenants: Vec<String>,
    pub(super) api: Vec<String>,
    pub(super) metadata: Vec<String>,
    pub(super) internet: Vec<String>,
}

impl Targets {
    pub(super) async fn find(
        client: &Client,
        others: &[&Subject],
        credentials: &Credentials,
        settings: &Settings,
        internet: &str,
    ) -> Result<Self, Obstacle> {
        let url = |key| credentials.url(key).map_err(Obstacle::Missing);
        let needs = [
            address(url(DATABASE_URL)?.expose_secret(), 5432)?,
            address(url(REDIS_URL)?.expose_secret(), 6379)?,
            address(&settings.runtime.ai_gateway_url, 80)?,
        ];
        Ok(Self {
            needs: needs.to_vec(),
            tenants: neighbours(client, others).await?,
            api: api_server(client).await?,
            metadata: vec![METADATA.to_owned()],
            internet: vec![internet.to_owned()],
        })
    }

    pub(super) fn forbids(&self) -> Vec<String> {
        [&self.tenants, &self.api, &self.metadata, &self.internet].into_iter().flatten().cloned().collect()
    }
}

/// `host:port` of a URL, without the login in it.
fn address(url: &str, default_port: u16) -> Result<String, Obstacle> {
    let rest = url.split_once("://").map(|(_, rest)| rest);
    let authority = rest.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    if place.is_empty() {
        return Err(Obstacle::Missing(
            "an address of the runtime has no host: see the operator's flags".to_owned(),
        ));
    }
    let has_port = place.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(if has_port { place.to_owned() } else { format!("{place}:{default_port}") })
}

/// Runtimes of other tenants, at the port on which every role answers probes.
async fn neighbours(client: &Client, others: &[&Subject]) -> Result<Vec<String>, Obstacle> {
    let mut found = Vec::new();
    for other in others {
        let pods: Api<Pod> = Api::namespaced(client.clone(), &other.namespace());
        let pods = pods.list(&ListParams::default().fields("status.phase=Running")).await;
        let pods = pods.map_err(Obstacle::of("cannot list pods of other tenants: allow it"))?;
        let addresses = pods.items.into_iter().filter_map(|pod| pod.status?.pod_ip);
        found.extend(addresses.map(|ip| with_port(&ip, ADMIN_PORT)));
        if found.len() >= NEIGHBOURS {
            break;
        }
    }
    found.truncate(NEIGHBOURS);
    Ok(found)
}

async fn api_server(client: &Client) -> Result<Vec<String>, Obstacle> {
    let services: Api<Service> = Api::namespaced(client.clone(), "default");
    let service = services.get("kubernetes").await;
    let spec = service.map_err(Obstacle::of("cannot read the Service default/kubernetes: allow get"))?.spec;
    let address = spec.and_then(|spec| Some(with_port(&spec.cluster_ip?, 443)));
    Ok(address.into_iter().collect())
}

fn with_port(ip: &str, port: u16) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_login_and_always_a_port() {
        assert_eq!(address("postgres://u:p@postgres.data:5433/k?x=y", 5432).unwrap(), "postgres.data:5433");
        assert_eq!(address("redis://u:p@redis", 6379).unwrap(), "redis:6379");
        assert_eq!(address("http://ai-gateway:8081", 80).unwrap(), "ai-gateway:8081");
        assert!(address("nonsense", 80).is_err());
        assert_eq!(with_port("fd00::1", 80), "[fd00::1]:80");
    }
}

//! Who may talk to whom in a tenant's namespace: nobody, and then one policy for each thing that is needed.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::framework::names::{RESOLVED_HOSTS, TenantRef, every_runtime};
use crate::settings::{ADMIN_PORT, Destination, NetworkSettings, Peer};
use crate::tenant::egress::{self, Opening};

const DNS_PORT: u16 = 53;
/// NodeLocal DNSCache. It is no pod, so no pod selector reaches it.
const NODE_LOCAL_DNS: &str = "169.254.20.10/32";

/// In the order of creation: the door is shut before any window is opened.
pub(super) fn build(tenant: &TenantRef, network: &NetworkSettings, extra: &[Opening]) -> Vec<NetworkPolicy> {
    let mut policies = vec![
        default_deny(tenant),
        allow_dns(tenant, &network.dns_namespace),
        allow_postgres(tenant, &network.postgres),
        allow_redis(tenant, &network.redis),
        allow_ai_gateway(tenant, &network.ai_gateway),
        allow_metrics(tenant, &network.monitoring_namespace),
    ];
    policies.extend(allow_extra_egress(tenant, extra));
    policies
}

/// Nothing in, nothing out, for every pod there is or will be. Also shuts the metadata address of clouds.
fn default_deny(tenant: &TenantRef) -> NetworkPolicy {
    let spec = NetworkPolicySpec {
        pod_selector: Some(LabelSelector::default()),
        policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
        ..NetworkPolicySpec::default()
    };
    NetworkPolicy { metadata: tenant.child("default-deny"), spec: Some(spec) }
}

/// Names are needed to find everything else. TCP too: answers that do not fit a datagram come that way.
fn allow_dns(tenant: &TenantRef, dns_namespace: &str) -> NetworkPolicy {
    let to = vec![peer_namespace(dns_namespace), peer_cidr(NODE_LOCAL_DNS)];
    egress(tenant, "allow-dns", to, vec![port("UDP", DNS_PORT), port("TCP", DNS_PORT)])
}

/// Inbox, outbox, conversations. The login role sees the tenant's rows only.
fn allow_postgres(tenant: &TenantRef, destination: &Destination) -> NetworkPolicy {
    allow(tenant, "allow-postgres", destination)
}

/// Wake-ups and windows. The user reaches the tenant's keys and channels only.
fn allow_redis(tenant: &TenantRef, destination: &Destination) -> NetworkPolicy {
    allow(tenant, "allow-redis", destination)
}

/// The only way to a model: the runtime has no key and no internet.
fn allow_ai_gateway(tenant: &TenantRef, destination: &Destination) -> NetworkPolicy {
    allow(tenant, "allow-ai-gateway", destination)
}

/// Scraping, from the monitoring namespace. Probes come from the node, which policies do not apply to.
fn allow_metrics(tenant: &TenantRef, monitoring_namespace: &str) -> NetworkPolicy {
    let rule = NetworkPolicyIngressRule {
        from: Some(vec![peer_namespace(monitoring_namespace)]),
        ports: Some(vec![port("TCP", ADMIN_PORT)]),
    };
    let spec = NetworkPolicySpec {
        pod_selector: Some(selector(every_runtime())),
        policy_types: Some(vec!["Ingress".to_owned()]),
        ingress: Some(vec![rule]),
        ..NetworkPolicySpec::default()
    };
    NetworkPolicy { metadata: tenant.child("allow-metrics"), spec: Some(spec) }
}

/// What the Tenant itself asks for. A rule without addresses would open the port to everywhere, so a host that was not
/// found has none.
fn allow_extra_egress(tenant: &TenantRef, extra: &[Opening]) -> Option<NetworkPolicy> {
    let rules: Vec<NetworkPolicyEgressRule> = extra
        .iter()
        .filter(|opening| !opening.blocks.is_empty())
        .map(|opening| NetworkPolicyEgressRule {
            to: Some(opening.blocks.iter().map(|block| peer_cidr(&block.to_string())).collect()),
            ports: Some(vec![port("TCP", opening.port)]),
        })
        .collect();
    if rules.is_empty() {
        return None;
    }
    let mut metadata = tenant.child(egress::POLICY);
    if let Some(hosts) = egress::record(extra) {
        metadata.annotations.get_or_insert_default().insert(RESOLVED_HOSTS.to_owned(), hosts);
    }
    Some(NetworkPolicy { metadata, spec: Some(egress_spec(rules)) })
}

fn allow(tenant: &TenantRef, name: &str, destination: &Destination) -> NetworkPolicy {
    let peer = match &destination.peer {
        Peer::Pods { namespace, labels } => {
            NetworkPolicyPeer { pod_selector: Some(selector(labels.clone())), ..peer_namespace(namespace) }
        }
        Peer::Cidr(cidr) => peer_cidr(cidr),
    };
    egress(tenant, name, vec![peer], vec![port("TCP", destination.port)])
}

/// From the runtimes' pods only: what else may run in the namespace one day gets nothing by accident.
fn egress(
    tenant: &TenantRef,
    name: &str,
    to: Vec<NetworkPolicyPeer>,
    ports: Vec<NetworkPolicyPort>,
) -> NetworkPolicy {
    let rule = NetworkPolicyEgressRule { to: Some(to), ports: Some(ports) };
    NetworkPolicy { metadata: tenant.child(name), spec: Some(egress_spec(vec![rule])) }
}

fn egress_spec(rules: Vec<NetworkPolicyEgressRule>) -> NetworkPolicySpec {
    NetworkPolicySpec {
        pod_selector: Some(selector(every_runtime())),
        policy_types: Some(vec!["Egress".to_owned()]),
        egress: Some(rules),
        ..NetworkPolicySpec::default()
    }
}

fn peer_namespace(name: &str) -> NetworkPolicyPeer {
    // The API server sets this label itself, so nobody can claim to be another namespace.
    let labels = BTreeMap::from([("kubernetes.io/metadata.name".to_owned(), name.to_owned())]);
    NetworkPolicyPeer { namespace_selector: Some(selector(labels)), ..NetworkPolicyPeer::default() }
}

fn peer_cidr(cidr: &str) -> NetworkPolicyPeer {
    let block = IPBlock { cidr: cidr.to_owned(), ..IPBlock::default() };
    NetworkPolicyPeer { ip_block: Some(block), ..NetworkPolicyPeer::default() }
}

fn port(protocol: &str, port: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(i32::from(port))),
        ..NetworkPolicyPort::default()
    }
}

fn selector(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}

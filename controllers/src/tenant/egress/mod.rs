//! Where a tenant's pods may go beyond the platform. Network policies know addresses and no names, so a host's addresses
//! are looked up here, checked, and looked up again; what is not public is refused whoever answers with it.

mod known;
pub(crate) mod resolver;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use konstruct_crds::{EgressDestination, Reason};
use konstruct_domain::addresses;
use kube::ResourceExt;

use crate::Problem;
use crate::framework::names::RESOLVED_HOSTS;

/// The policy that opens them.
pub const POLICY: &str = "allow-extra-egress";

/// What is known of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Public ones only.
    pub addresses: BTreeSet<IpAddr>,
    pub fault: Option<Fault>,
}

/// Why a host is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// In the resolver's words.
    NotResolved(String),
    Refused {
        address: IpAddr,
        what: &'static str,
    },
}

/// Hosts by name.
pub type Hosts = BTreeMap<String, Resolved>;

/// One entry of `spec.extraEgress`, checked and looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// None for a block of addresses.
    pub(super) host: Option<String>,
    pub(super) blocks: Vec<IpNet>,
    pub(super) port: u16,
    pub(super) fault: Option<Fault>,
}

/// From what is declared and what is known of its hosts to what is opened. Pure. The schema refuses the same, but for
/// objects that are older than it.
pub fn openings(declared: &[EgressDestination], hosts: &Hosts) -> Result<Vec<Opening>, Vec<Problem>> {
    let (mut openings, mut problems) = (Vec::new(), Vec::new());
    for (index, EgressDestination { host, cidr, port }) in declared.iter().enumerate() {
        let field = |name: &str| format!("spec.extraEgress[{index}]{name}");
        let invalid = |name, message: String| Problem::new(Reason::InvalidSpec, field(name), message);
        match (host, cidr) {
            (Some(host), None) => {
                let Resolved { addresses, fault } = hosts.get(host).cloned().unwrap_or_default();
                let blocks = addresses.into_iter().map(IpNet::from).collect();
                openings.push(Opening { host: Some(host.clone()), blocks, port: *port, fault });
            }
            (None, Some(cidr)) => match cidr.parse::<IpNet>() {
                Err(_) => problems.push(invalid(".cidr", format!("{cidr:?} is no block of addresses"))),
                Ok(block) => match addresses::refused(&block) {
                    Some(what) => {
                        problems.push(invalid(".cidr", format!("{cidr} has {what}: name public addresses")));
                    }
                    None => openings.push(Opening {
                        host: None,
                        blocks: vec![block.trunc()],
                        port: *port,
                        fault: None,
                    }),
                },
            },
            _ => problems.push(invalid("", "name either host or cidr".to_owned())),
        }
    }
    if problems.is_empty() { Ok(openings) } else { Err(problems) }
}

/// What the policy in force opens for each host, so that an operator that has just started keeps it while DNS is down.
/// It is checked again: somebody may have written to the policy.
pub fn in_force(policy: &NetworkPolicy) -> Hosts {
    let recorded: BTreeMap<String, BTreeSet<IpAddr>> = policy
        .annotations()
        .get(RESOLVED_HOSTS)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let public = |addresses: BTreeSet<IpAddr>| {
        addresses.into_iter().filter(|address| addresses::refused(&IpNet::from(*address)).is_none()).collect()
    };
    let resolved = |addresses| Resolved { addresses: public(addresses), fault: None };
    recorded.into_iter().map(|(host, addresses)| (host, resolved(addresses))).collect()
}

/// The annotation that [`in_force`] reads. None without hosts.
pub(super) fn record(openings: &[Opening]) -> Option<String> {
    let hosts: BTreeMap<&str, Vec<IpAddr>> = openings
        .iter()
        .filter_map(|opening| {
            let addresses = opening.blocks.iter().map(IpNet::addr).collect();
            Some((opening.host.as_deref()?, addresses))
        })
        .collect();
    (!hosts.is_empty()).then(|| serde_json::json!(hosts).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn declared(entries: Value) -> Vec<EgressDestination> {
        serde_json::from_value(entries).unwrap()
    }

    fn known(host: &str, addresses: &[&str]) -> Hosts {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        [(host.to_owned(), Resolved { addresses, fault: None })].into()
    }

    #[test]
    fn blocks_are_taken_as_they_are_and_hosts_as_they_resolve() {
        let entries = json!([{"cidr": "8.8.8.0/24", "port": 443}, {"host": "api.example.com", "port": 8443}]);
        let hosts = known("api.example.com", &["1.1.1.1", "2606:4700::1"]);
        let found = openings(&declared(entries), &hosts).unwrap();
        let blocks = |opening: &Opening| opening.blocks.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!((blocks(&found[0]), found[0].port), (vec!["8.8.8.0/24".to_owned()], 443));
        let both = vec!["1.1.1.1/32".to_owned(), "2606:4700::1/128".to_owned()];
        assert_eq!((blocks(&found[1]), found[1].port), (both, 8443));
    }

    #[test]
    fn what_the_schema_would_have_refused_is_a_problem_with_its_field() {
        let entries = json!([
            {"cidr": "10.0.0.0/8", "port": 1}, {"cidr": "nonsense", "port": 1}, {"port": 1},
            {"cidr": "8.8.8.0/24", "host": "a.example", "port": 1},
        ]);
        let problems = openings(&declared(entries), &Hosts::new()).unwrap_err();
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        let all = ["[0].cidr", "[1].cidr", "[2]", "[3]"].map(|part| format!("spec.extraEgress{part}"));
        assert_eq!(fields, all);
        assert!(problems[0].message.contains("private"), "{}", problems[0].message);
    }

    #[test]
    fn what_is_in_force_is_read_back_without_what_must_not_be_there() {
        let hosts = known("api.example.com", &["1.1.1.1"]);
        let entries = declared(json!([{"host": "api.example.com", "port": 443}]));
        let text = record(&openings(&entries, &hosts).unwrap()).unwrap();
        let policy = |text: &str| -> NetworkPolicy {
            serde_json::from_value(json!({"metadata": {"annotations": {RESOLVED_HOSTS: text}}})).unwrap()
        };
        assert_eq!(in_force(&policy(&text)), hosts);
        let forged = text.replace("\"1.1.1.1\"", "\"1.1.1.1\",\"169.254.169.254\"");
        assert_eq!(in_force(&policy(&forged)), hosts);
        assert_eq!(in_force(&policy("{")), Hosts::new());
        assert_eq!(record(&[]), None);
    }
}

//! The network policies: exactly those that the operator makes. One more opens a door, since policies add up.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicySpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use konstruct_controllers::tenant::egress;
use kube::ResourceExt;
use kube::api::ListParams;

use super::{Scene, same};
use crate::error::Obstacle;
use crate::family::{Family, Findings};

pub(super) async fn claims(family: &mut Family<Scene<'_>>) {
    family
        .claim("k8s-default-deny", "a policy denies everything, in and out, for every pod", default_deny)
        .await;
    family.claim("k8s-policies", "its policies are the operator's and no others", exact_set).await;
}

async fn policies(scene: &Scene<'_>) -> Result<Vec<NetworkPolicy>, Obstacle> {
    let found = scene.inside::<NetworkPolicy>().list(&ListParams::default()).await;
    Ok(found.map_err(Obstacle::of("cannot list network policies: allow it"))?.items)
}

async fn default_deny(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let specs: Vec<NetworkPolicySpec> =
        policies(scene).await?.into_iter().filter_map(|policy| policy.spec).collect();
    let denied = |direction: &str| {
        specs.iter().any(|spec| {
            let selects_all = same(&spec.pod_selector, &Some(LabelSelector::default()));
            let applies = spec.policy_types.iter().flatten().any(|kind| kind == direction);
            let lets_through = match direction {
                "Ingress" => spec.ingress.as_ref().is_some_and(|rules| !rules.is_empty()),
                _ => spec.egress.as_ref().is_some_and(|rules| !rules.is_empty()),
            };
            selects_all && applies && !lets_through
        })
    };
    let open = ["Ingress", "Egress"].into_iter().filter(|direction| !denied(direction));
    Ok(open.map(|direction| format!("no policy denies {direction} for every pod")).collect())
}

async fn exact_set(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let mut found: BTreeMap<String, NetworkPolicy> =
        policies(scene).await?.into_iter().map(|policy| (policy.name_any(), policy)).collect();
    // Which addresses a host has is the operator's to find out; that they are public is checked here again.
    let hosts = found.get(egress::POLICY).map(egress::in_force).unwrap_or_default();
    let wanted = scene.rendered_with(hosts)?.1.network_policies;
    let mut findings = Vec::new();
    for policy in wanted {
        let name = policy.name_any();
        match found.remove(&name) {
            None => findings.push(format!("policy {name} is missing")),
            Some(live) if !same(&live.spec, &policy.spec) => {
                findings.push(format!("policy {name} is not as the operator makes it"));
            }
            Some(_) => {}
        }
    }
    findings.extend(found.into_keys().map(|name| format!("policy {name} is not the operator's")));
    Ok(findings)
}

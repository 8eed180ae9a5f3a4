//! The namespace itself: whose it is, its labels, quota, limits and service account (MTB-PL1-CC-FNS-1, FNS-2).

use k8s_openapi::api::core::v1::{LimitRange, Namespace, ResourceQuota, ServiceAccount};
use konstruct_controllers::framework::ownership::{Ownership, ownership};
use kube::{Api, ResourceExt};

use super::{Scene, has, same};
use crate::error::Obstacle;
use crate::family::{Family, Findings};

pub(super) async fn claims(family: &mut Family<Scene<'_>>) {
    family.claim("k8s-namespace", "its namespace was made for this Tenant", owner).await;
    family.claim("k8s-labels", "its namespace enforces pod security and says whose it is", labels).await;
    family.claim("k8s-quota", "its quota is as declared", quota).await;
    family.claim("k8s-limits", "its pods get limits if they name none", limits).await;
    family.claim("k8s-account", "its service account mounts no token by itself", account).await;
}

async fn namespace(scene: &Scene<'_>) -> Result<Namespace, Obstacle> {
    let name = scene.subject.namespace();
    let namespaces: Api<Namespace> = Api::all(scene.client.clone());
    namespaces.get(&name).await.map_err(Obstacle::of(format!("cannot read namespace {name}")))
}

async fn owner(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let found = namespace(scene).await?;
    let ours = ownership(Some(&found), scene.subject.id) == Ownership::Ours;
    Ok(finding(!ours, || format!("{} does not name the Tenant's UID, or is being deleted", found.name_any())))
}

async fn labels(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let wanted = scene.rendered()?.1.namespace;
    let found = namespace(scene).await?;
    let wrong = wanted.labels().iter().filter(|(name, value)| found.labels().get(*name) != Some(value));
    Ok(wrong
        .map(|(name, value)| {
            let there = found.labels().get(name).map_or("is missing", String::as_str);
            format!("label {name} must be {value}: {there}")
        })
        .collect())
}

async fn quota(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let wanted = scene.rendered()?.1.resource_quota;
    let name = wanted.name_any();
    let found: Option<ResourceQuota> =
        scene.inside().get_opt(&name).await.map_err(Obstacle::of("cannot read the ResourceQuota"))?;
    Ok(match found {
        None => vec![format!("there is no ResourceQuota {name}")],
        Some(found) => finding(!same(&found.spec, &wanted.spec), || {
            format!("ResourceQuota {name} is not as the operator makes it")
        }),
    })
}

async fn limits(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let wanted = scene.rendered()?.1.limit_range;
    let name = wanted.name_any();
    let found: Option<LimitRange> =
        scene.inside().get_opt(&name).await.map_err(Obstacle::of("cannot read the LimitRange"))?;
    Ok(match found {
        None => vec![format!("there is no LimitRange {name}")],
        Some(found) => finding(!has(&found.spec, &wanted.spec), || {
            format!("LimitRange {name} is not as the operator makes it")
        }),
    })
}

async fn account(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let wanted = scene.rendered()?.1.service_account;
    let name = wanted.name_any();
    let found: ServiceAccount =
        scene.inside().get(&name).await.map_err(Obstacle::of("cannot read the service account"))?;
    Ok(finding(found.automount_service_account_token != Some(false), || {
        format!(
            "service account {name} mounts a token of the Kubernetes API into each pod that does not object"
        )
    }))
}

fn finding(open: bool, what: impl FnOnce() -> String) -> Findings {
    if open { vec![what()] } else { Vec::new() }
}

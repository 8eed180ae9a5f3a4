//! Who is bound to what: nobody from outside in the tenant's namespace, and nobody of the tenant anywhere.

use std::fmt::Debug;

use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, Subject as Bound};
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::{Scene, same};
use crate::error::Obstacle;
use crate::family::{Family, Findings};

pub(super) async fn claims(family: &mut Family<Scene<'_>>) {
    family
        .claim("k8s-bindings-inside", "its namespace is open to the operator and nobody else outside", inside)
        .await;
    family.claim("k8s-bindings-anywhere", "no binding anywhere names its service accounts", anywhere).await;
}

async fn inside(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let (_, boundary) = scene.rendered()?;
    let namespace = scene.subject.namespace();
    let mut findings = Vec::new();
    let mut is_bound = false;
    for binding in all::<RoleBinding>(&scene.inside()).await? {
        if binding.name_any() == boundary.role_binding.name_any() {
            is_bound = true;
            if !same(&binding.role_ref, &boundary.role_binding.role_ref)
                || !same(&binding.subjects, &boundary.role_binding.subjects)
            {
                findings.push(format!("RoleBinding {} is not as the operator makes it", binding.name_any()));
            }
            continue;
        }
        let outside = binding.subjects.iter().flatten().filter(|subject| !is_inside(subject, &namespace));
        findings.extend(outside.map(|subject| {
            format!("RoleBinding {} is for {} {}", binding.name_any(), subject.kind, subject.name)
        }));
    }
    if !is_bound {
        return Err(Obstacle::Missing(
            "the operator's RoleBinding is missing: see the Tenant's conditions".to_owned(),
        ));
    }
    Ok(findings)
}

async fn anywhere(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let namespace = scene.subject.namespace();
    let client = scene.client;
    let mut findings = Vec::new();
    for binding in all::<RoleBinding>(&Api::all(client.clone())).await? {
        let place = binding.namespace().unwrap_or_default();
        if names(binding.subjects.as_deref(), &namespace) {
            findings.push(format!("RoleBinding {place}/{}", binding.name_any()));
        }
    }
    for binding in all::<ClusterRoleBinding>(&Api::all(client.clone())).await? {
        if names(binding.subjects.as_deref(), &namespace) {
            findings.push(format!("ClusterRoleBinding {}", binding.name_any()));
        }
    }
    Ok(findings)
}

fn is_inside(subject: &Bound, namespace: &str) -> bool {
    subject.kind == "ServiceAccount" && subject.namespace.as_deref() == Some(namespace)
}

/// By itself or by the group of its namespace. Groups of all service accounts are met by the can-i matrix.
fn names(subjects: Option<&[Bound]>, namespace: &str) -> bool {
    let group = format!("system:serviceaccounts:{namespace}");
    let user = format!("system:serviceaccount:{namespace}:");
    subjects.into_iter().flatten().any(|subject| {
        is_inside(subject, namespace)
            || subject.kind == "Group" && subject.name == group
            || subject.kind == "User" && subject.name.starts_with(&user)
    })
}

async fn all<K>(api: &Api<K>) -> Result<Vec<K>, Obstacle>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let plural = K::plural(&());
    let found = api.list(&ListParams::default()).await;
    Ok(found.map_err(Obstacle::of(format!("cannot list {plural}: allow it")))?.items)
}

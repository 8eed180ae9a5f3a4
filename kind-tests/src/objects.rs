//! Kubernetes objects as data: the tests see what any client sees, not the operator's own types.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::await_condition;
use kube::{Client, core::GroupVersionKind};
use serde_json::Value;

/// Our kinds and those of Kubernetes that the tests look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Tenant,
    Agent,
    ChannelConnection,
    LLMProvider,
    Namespace,
    Deployment,
    Pod,
    Secret,
    ServiceAccount,
    ResourceQuota,
    LimitRange,
    NetworkPolicy,
    RoleBinding,
    Node,
    Event,
    Plan,
    Kustomization,
}

impl Kind {
    /// As it is written in YAML: `group/version`.
    pub fn api_version(self) -> String {
        self.resource().api_version
    }

    pub fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = match self {
            Self::Tenant => ("konstruct.dev", "v1alpha1", "Tenant", "tenants"),
            Self::Agent => ("konstruct.dev", "v1alpha1", "Agent", "agents"),
            Self::ChannelConnection => {
                ("konstruct.dev", "v1alpha1", "ChannelConnection", "channelconnections")
            }
            Self::LLMProvider => ("konstruct.dev", "v1alpha1", "LLMProvider", "llmproviders"),
            Self::Namespace => ("", "v1", "Namespace", "namespaces"),
            Self::Deployment => ("apps", "v1", "Deployment", "deployments"),
            Self::Pod => ("", "v1", "Pod", "pods"),
            Self::Secret => ("", "v1", "Secret", "secrets"),
            Self::ServiceAccount => ("", "v1", "ServiceAccount", "serviceaccounts"),
            Self::ResourceQuota => ("", "v1", "ResourceQuota", "resourcequotas"),
            Self::LimitRange => ("", "v1", "LimitRange", "limitranges"),
            Self::NetworkPolicy => ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
            Self::RoleBinding => ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings"),
            Self::Node => ("", "v1", "Node", "nodes"),
            Self::Event => ("events.k8s.io", "v1", "Event", "events"),
            Self::Plan => ("konstruct.dev", "v1alpha1", "Plan", "plans"),
            Self::Kustomization => ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations"),
        };
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
    }
}

/// The objects of a kind, in a namespace or of the cluster.
pub fn api(client: &Client, kind: Kind, namespace: Option<&str>) -> Api<DynamicObject> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind.resource()),
        None => Api::all_with(client.clone(), &kind.resource()),
    }
}

/// One condition of an object's status, if it is about the object's newest generation.
pub fn condition<'a>(object: &'a DynamicObject, name: &str) -> Option<&'a Value> {
    let conditions = object.data.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|condition| condition["type"] == name)?;
    let current = object.metadata.generation;
    let observed = found.get("observedGeneration").and_then(Value::as_i64);
    (observed == current || observed.is_none()).then_some(found)
}

/// A field of a condition as text; empty when there is none.
pub fn text<'a>(condition: &'a Value, field: &str) -> &'a str {
    condition[field].as_str().unwrap_or_default()
}

/// Watches an object until a condition has the status (`True` or `False`); returns the condition.
pub async fn await_status(
    api: &Api<DynamicObject>,
    name: &str,
    wanted: &str,
    status: &str,
    within: Duration,
) -> Result<Value> {
    let reached = |object: Option<&DynamicObject>| {
        object.and_then(|object| condition(object, wanted)).is_some_and(|c| c["status"] == status)
    };
    let object = await_object(api, name, &format!("{wanted}={status}"), reached, within).await?;
    condition(&object, wanted).cloned().context("the condition went away")
}

/// Watches an object until it is as wanted; returns it.
pub async fn await_object(
    api: &Api<DynamicObject>,
    name: &str,
    what: &str,
    wanted: impl Fn(Option<&DynamicObject>) -> bool,
    within: Duration,
) -> Result<DynamicObject> {
    let kind = api.resource_url().to_owned();
    let watch = await_condition(api.clone(), name, |object: Option<&DynamicObject>| wanted(object));
    match tokio::time::timeout(within, watch).await {
        Ok(object) => object
            .with_context(|| format!("watching {kind}/{name}"))?
            .with_context(|| format!("{kind}/{name} went away")),
        Err(_) => Err(unreached(api, name, what, within).await),
    }
}

/// Watches until an object that may still be there is gone.
pub async fn await_gone(api: &Api<DynamicObject>, name: &str, within: Duration) -> Result<()> {
    let Some(object) = api.get_opt(name).await? else { return Ok(()) };
    let uid = object.metadata.uid.context("an object without a UID")?;
    match tokio::time::timeout(within, await_condition(api.clone(), name, is_deleted(&uid))).await {
        Ok(result) => result.map(drop).context("watching a deletion"),
        Err(_) => Err(unreached(api, name, "gone", within).await),
    }
}

async fn unreached(api: &Api<DynamicObject>, name: &str, what: &str, within: Duration) -> anyhow::Error {
    let seen = match api.get_opt(name).await {
        Ok(Some(object)) => {
            object.data.get("status").map_or_else(|| "no status".to_owned(), |s| format!("{s:#}"))
        }
        Ok(None) => "no such object".to_owned(),
        Err(error) => error.to_string(),
    };
    anyhow!("{}/{name} is not {what} within {within:?}; last seen: {seen}", api.resource_url())
}

//! The API server's audit log: who wrote what.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

/// One finished request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub verb: String,
    pub user: User,
    pub object_ref: Option<ObjectRef>,
    pub request_received_timestamp: jiff::Timestamp,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    pub response_status: Option<ResponseStatus>,
}

#[derive(Debug, Deserialize)]
pub struct ResponseStatus {
    pub code: Option<u16>,
}

#[derive(Debug, Deserialize)]
pub struct User {
    pub username: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    pub resource: String,
    /// Empty for the core group.
    #[serde(default)]
    pub api_group: String,
    pub subresource: Option<String>,
    pub namespace: Option<String>,
    pub name: Option<String>,
}

impl Request {
    /// Whether it asked for a change, even one that changed nothing.
    fn mutates(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
    }

    /// Renewing the lease of leader election is what a leader does for as long as it leads, whatever the objects are.
    fn is_lease(&self) -> bool {
        self.object_ref.as_ref().is_some_and(|object| object.resource == "leases")
    }

    /// Whether the object was not there before.
    pub fn created(&self) -> bool {
        self.response_status.as_ref().and_then(|status| status.code) == Some(201)
    }

    /// The role that allowed it, as the authorizer says: `ClusterRole/konstruct-operator`.
    pub fn allowed_by(&self) -> Option<String> {
        let reason = self.annotations.get("authorization.k8s.io/reason")?;
        let (_, role) = reason.strip_prefix("RBAC: allowed by ")?.split_once(" of ")?;
        let (kind, rest) = role.split_once(" \"")?;
        let (name, _) = rest.split_once('"')?;
        Some(format!("{kind}/{name}"))
    }

    fn describe(&self) -> String {
        let Some(object) = &self.object_ref else { return self.verb.clone() };
        let part = |text: &Option<String>| text.as_ref().map(|t| format!("/{t}")).unwrap_or_default();
        format!(
            "{} {}{}{}{}",
            self.verb,
            object.resource,
            part(&object.subresource),
            part(&object.namespace),
            part(&object.name)
        )
    }
}

/// Where the log is: what `KONSTRUCT_AUDIT_LOG` names.
pub fn log() -> Result<PathBuf> {
    std::env::var("KONSTRUCT_AUDIT_LOG").map(PathBuf::from).context(
        "KONSTRUCT_AUDIT_LOG must name the API server's audit log (level Metadata or above): kind-tests/run sets it for \
         the clusters of kind-tests/cluster",
    )
}

/// All requests of a user since a moment, oldest first.
pub fn requests(user: &str, since: jiff::Timestamp) -> Result<Vec<Request>> {
    let path = log()?;
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    // The last line may be half written.
    // A log of tens of megabytes is looked at many times: what names nobody of interest is not parsed.
    let named = text.lines().filter(|line| line.contains(user));
    let parsed = named.filter_map(|line| serde_json::from_str::<Request>(line).ok());
    Ok(parsed.filter(|r| r.user.username == user && r.request_received_timestamp >= since).collect())
}

/// How often a user asked for which change of which kind since a moment, leases apart.
pub fn mutations_by_kind(user: &str, since: jiff::Timestamp) -> Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for request in requests(user, since)?.iter().filter(|r| r.mutates() && !r.is_lease()) {
        let kind = request.object_ref.as_ref().map_or_else(String::new, |object| {
            let part = object.subresource.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
            format!("{}{part}", object.resource)
        });
        *counts.entry(format!("{} {kind}", request.verb)).or_default() += 1;
    }
    Ok(counts)
}

/// How often a user asked for which change since a moment, leases apart.
pub fn mutations(user: &str, since: jiff::Timestamp) -> Result<BTreeMap<String, usize>> {
    let mut counts = BTreeMap::new();
    for request in requests(user, since)?.iter().filter(|r| r.mutates() && !r.is_lease()) {
        *counts.entry(request.describe()).or_default() += 1;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_that_allowed_a_request_is_read_from_the_authorizers_reason() {
        let request: Request = serde_json::from_value(serde_json::json!({
            "verb": "patch", "user": {"username": "u"}, "requestReceivedTimestamp": "2026-01-01T00:00:00.000000Z",
            "objectRef": {"resource": "secrets", "namespace": "kt-a"}, "responseStatus": {"code": 201},
            "annotations": {"authorization.k8s.io/reason": "RBAC: allowed by RoleBinding \"konstruct-operator/kt-a\" of \
                ClusterRole \"konstruct-tenant-workload\" to ServiceAccount \"konstruct-operator/konstruct-system\""},
        }))
        .unwrap();
        assert_eq!(request.allowed_by().as_deref(), Some("ClusterRole/konstruct-tenant-workload"));
        assert!(request.created());
    }
}

//! Whose namespace is it? A namespace is a tenant's only through the UID in its annotation.

use k8s_openapi::api::core::v1::Namespace;
use konstruct_domain::TenantId;
use kube::ResourceExt;

use super::names::TENANT_UID;

/// What stands where the tenant's namespace belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Nothing: it may be created.
    Vacant,
    /// Made for this Tenant.
    Ours,
    /// Made for this Tenant and being deleted.
    Terminating,
    /// Made by somebody else, or for a Tenant that had the same slug. Nothing in it is touched.
    Foreign,
}

pub fn ownership(namespace: Option<&Namespace>, id: TenantId) -> Ownership {
    let Some(namespace) = namespace else { return Ownership::Vacant };
    if owner(namespace) != Some(id) {
        Ownership::Foreign
    } else if namespace.metadata.deletion_timestamp.is_some() {
        Ownership::Terminating
    } else {
        Ownership::Ours
    }
}

/// The tenant that a namespace says it was made for.
pub fn owner(namespace: &Namespace) -> Option<TenantId> {
    namespace.annotations().get(TENANT_UID)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[allow(clippy::needless_pass_by_value, reason = "a fixture reads best as `namespace(json!(…))`")]
    fn namespace(metadata: serde_json::Value) -> Namespace {
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    }

    #[test]
    fn only_our_uid_makes_a_namespace_ours() {
        let id = TenantId::new(Uuid::from_u128(7));
        let ours = json!({"konstruct.dev/tenant-uid": id.to_string()});
        assert_eq!(ownership(None, id), Ownership::Vacant);
        assert_eq!(ownership(Some(&namespace(json!({"annotations": ours}))), id), Ownership::Ours);
        assert_eq!(
            ownership(
                Some(&namespace(json!({"annotations": ours, "deletionTimestamp": "2026-01-01T00:00:00Z"}))),
                id
            ),
            Ownership::Terminating
        );
        for forged in [
            json!({}),
            json!({"labels": {"konstruct.dev/tenant": "acme", "app.kubernetes.io/managed-by": "konstruct"}}),
            json!({"annotations": {"konstruct.dev/tenant-uid": ""}}),
            json!({"annotations": {"konstruct.dev/tenant-uid": Uuid::from_u128(8).to_string()}}),
        ] {
            assert_eq!(ownership(Some(&namespace(forged.clone())), id), Ownership::Foreign, "{forged}");
        }
    }
}

//! Whose namespace is it? A namespace is a tenant's only through the UID in its annotation.
//!
//! Where namespaces are given, one without such an annotation is the Tenant's whose slug it is named after: that it is in the
//! operator's list is the installer's word.

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
    /// Given for whichever Tenant has the slug, and nobody's yet.
    Given,
    /// To be given, and not there.
    Missing,
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

/// The same where namespaces are given.
pub fn ownership_of_given(namespace: Option<&Namespace>, id: TenantId) -> Ownership {
    match (ownership(namespace, id), namespace) {
        (Ownership::Vacant, _) => Ownership::Missing,
        (Ownership::Foreign, Some(namespace)) if is_nobodys(namespace) => Ownership::Given,
        (other, _) => other,
    }
}

fn is_nobodys(namespace: &Namespace) -> bool {
    !namespace.annotations().contains_key(TENANT_UID) && namespace.metadata.deletion_timestamp.is_none()
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

    #[test]
    fn a_given_namespace_is_taken_over_once_and_never_from_somebody() {
        let id = TenantId::new(Uuid::from_u128(7));
        let of = |metadata| ownership_of_given(Some(&namespace(metadata)), id);
        assert_eq!(ownership_of_given(None, id), Ownership::Missing);
        assert_eq!(of(json!({"labels": {"team": "platform"}})), Ownership::Given);
        assert_eq!(of(json!({"annotations": {"konstruct.dev/tenant-uid": id.to_string()}})), Ownership::Ours);
        for taken in [
            json!({"annotations": {"konstruct.dev/tenant-uid": Uuid::from_u128(8).to_string()}}),
            json!({"annotations": {"konstruct.dev/tenant-uid": ""}}),
            json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        ] {
            assert_eq!(of(taken.clone()), Ownership::Foreign, "{taken}");
        }
    }
}

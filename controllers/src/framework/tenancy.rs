//! Which tenant an object belongs to. Decided by the namespace and nothing that the object itself says.

use konstruct_crds::{Tenant, TenantState};
use konstruct_domain::{Slug, TenantId};
use kube::ResourceExt;

use super::caches::Caches;
use super::names::{TENANT_NAME, TenantRef};
use super::ownership::owner;

/// Whose an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tenancy {
    Tenant(TenantRef),
    /// Configured and not in force: nothing is taken in and nothing runs.
    Archived(TenantRef),
    /// The tenant is being deleted: nothing new is put in force.
    Leaving(TenantRef),
    /// The operator's own namespace.
    Platform,
    Nobody,
}

impl Tenancy {
    /// Of a namespaced object.
    pub fn of_namespace(caches: &Caches, system_namespace: &str, namespace: &str) -> Self {
        if namespace == system_namespace {
            return Self::Platform;
        }
        let Some(space) = caches.namespaces.get("", namespace) else { return Self::Nobody };
        let tenant = space.annotations().get(TENANT_NAME).and_then(|name| caches.tenants.get("", name));
        let Some(tenant) = tenant else { return Self::Nobody };
        let Some(reference) = tenant_ref(&tenant) else { return Self::Nobody };
        if owner(&space) != Some(reference.id) || reference.namespace() != namespace {
            Self::Nobody
        } else if tenant.metadata.deletion_timestamp.is_some() {
            Self::Leaving(reference)
        } else if tenant.spec.state == TenantState::Archived {
            Self::Archived(reference)
        } else {
            Self::Tenant(reference)
        }
    }

    /// The tenant, in whatever state it is.
    pub const fn tenant(&self) -> Option<&TenantRef> {
        match self {
            Self::Tenant(tenant) | Self::Archived(tenant) | Self::Leaving(tenant) => Some(tenant),
            Self::Platform | Self::Nobody => None,
        }
    }

    /// Under which id the object's rows are stored.
    pub fn id(&self) -> Option<TenantId> {
        match self {
            Self::Platform => Some(TenantId::PLATFORM),
            other => other.tenant().map(|tenant| tenant.id),
        }
    }
}

/// The Tenant that a namespace was made for, even while that is not valid. What the namespace says of itself counts only
/// if the Tenant's status agrees.
pub fn made_for(caches: &Caches, namespace: &str) -> Option<TenantId> {
    let id = owner(&*caches.namespaces.get("", namespace)?)?;
    let tenant = caches.tenants.get_by_uid(&id.to_string())?;
    let made = tenant.status.as_ref()?.namespace.as_deref();
    (made == Some(namespace)).then_some(id)
}

/// Name, id and slug of a Tenant. None while it has no UID or if its slug is not valid.
pub fn tenant_ref(tenant: &Tenant) -> Option<TenantRef> {
    let id = tenant.uid()?.parse().ok()?;
    let slug: Slug = tenant.spec.slug.parse().ok()?;
    Some(TenantRef { name: tenant.name_any(), id, slug })
}

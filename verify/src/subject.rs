//! The tenants that are there, and what one of them holds.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use konstruct_controllers::framework::names::RUNTIME;
use konstruct_crds::Tenant;
use konstruct_domain::{Slug, TenantId};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use secrecy::SecretString;

use crate::Error;

/// Keys of the Secret with a runtime's logins.
pub(crate) const DATABASE_URL: &str = "database-url";
pub(crate) const REDIS_URL: &str = "redis-url";

pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) id: TenantId,
    pub(crate) slug: Slug,
    pub(crate) tenant: Tenant,
}

impl Subject {
    pub(crate) fn namespace(&self) -> String {
        self.slug.namespace()
    }

    /// It is being deleted, so what belongs to it goes away at any time.
    pub(crate) const fn leaves(&self) -> bool {
        self.tenant.metadata.deletion_timestamp.is_some()
    }

    /// Who the tenant's runtime is at the API server.
    pub(crate) fn user(&self) -> String {
        format!("system:serviceaccount:{}:{RUNTIME}", self.namespace())
    }

    pub(crate) async fn credentials(&self, client: &Client) -> Result<Credentials, String> {
        let namespace = self.namespace();
        let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
        let secret = secrets.get(RUNTIME).await.map_err(|error| {
            format!("the Secret {RUNTIME} in namespace {namespace} cannot be read: wait until the Tenant is Ready, and allow get ({error})")
        })?;
        Ok(Credentials { data: secret.data.unwrap_or_default() })
    }
}

/// The tenant's own logins.
pub(crate) struct Credentials {
    data: BTreeMap<String, ByteString>,
}

impl Credentials {
    pub(crate) fn url(&self, key: &str) -> Result<SecretString, String> {
        let value = self.data.get(key).and_then(|value| std::str::from_utf8(&value.0).ok());
        value
            .map(SecretString::from)
            .ok_or_else(|| format!("the Secret {RUNTIME} has no {key}: see the Tenant's conditions"))
    }
}

/// Every Tenant with a name for everything it owns. The operator has refused the others.
pub(crate) async fn all(client: &Client) -> Result<Vec<Subject>, Error> {
    let tenants: Api<Tenant> = Api::all(client.clone());
    let tenants = tenants.list(&ListParams::default()).await.map_err(Error::ListTenants)?;
    Ok(tenants.items.into_iter().filter_map(subject).collect())
}

fn subject(tenant: Tenant) -> Option<Subject> {
    let slug = tenant.spec.slug.parse().ok()?;
    let id = tenant.uid()?.parse().ok()?;
    Some(Subject { name: tenant.name_any(), id, slug, tenant })
}

/// A tenant to keep away from. The platform's own rows are always there.
pub(crate) fn somebody_else(others: &[&Subject]) -> TenantId {
    others.first().map_or(TenantId::PLATFORM, |other| other.id)
}

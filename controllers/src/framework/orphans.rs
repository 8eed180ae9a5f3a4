//! Children that an earlier version made and this one does not want any more.

use std::collections::HashSet;

use kube::{Api, Client, ResourceExt};

use super::apply::{Applier, Child};
use super::cache::Cache;
use super::names::{MANAGED_BY, MANAGED_BY_US, TENANT_LABEL, TenantRef};
use crate::Error;

/// A tenant's children, to be swept after all that is wanted was applied.
pub struct Sweep<'a> {
    pub applier: &'a Applier,
    pub client: &'a Client,
    pub tenant: &'a TenantRef,
}

impl Sweep<'_> {
    /// Deletes the children of one kind that are not named. Only those that carry both our labels: what else lives in
    /// the namespace is somebody else's.
    pub async fn keep<K: Child>(&self, cache: &Cache<K>, wanted: HashSet<String>) -> Result<(), Error> {
        let namespace = self.tenant.namespace();
        for object in cache.in_namespace(&namespace) {
            let name = object.name_any();
            if self.is_ours(&*object) && !wanted.contains(&name) && object.meta().deletion_timestamp.is_none()
            {
                tracing::info!(kind = %K::kind(&()), namespace, name, "deleting what is no longer wanted");
                self.applier.delete(&Api::namespaced(self.client.clone(), &namespace), &*object).await?;
            }
        }
        Ok(())
    }

    fn is_ours<K: Child>(&self, object: &K) -> bool {
        let labels = object.labels();
        labels.get(MANAGED_BY).is_some_and(|value| value == MANAGED_BY_US)
            && labels.get(TENANT_LABEL).is_some_and(|value| value == self.tenant.slug.as_str())
    }
}

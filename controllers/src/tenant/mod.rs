//! Tenant: one customer with a namespace, a database role, a cache user and a runtime of its own. Two controllers share
//! it: [`boundary`] makes the walls, this one what is inside.

mod apply;
pub(crate) mod boundary;
pub mod build;
pub(crate) mod dedicated;
mod delete;
pub mod dereference;
pub mod egress;
pub mod entitlement;
pub(crate) mod logins;
mod status;
pub mod validate;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use konstruct_crds::{Tenant, TenantStatus};
use konstruct_domain::Slug;
use kube::{Api, ResourceExt};

pub use dereference::{Dereferenced, PlanLookup, RuntimeNeeds, Surplus};
pub use entitlement::TenantLimits;
pub use validate::Validated;

use delete::{Afterlife, Progress};
use egress::Hosts;
use logins::Logins;

use crate::context::Cluster;
use crate::framework::apply::Applier;
use crate::framework::cache::Cache;
use crate::framework::controller::{Next, Reconciler};
use crate::framework::finalizer;
use crate::framework::names::TENANT_NAME;
use crate::framework::status::Share;
use crate::{Context, Error, leftovers};

/// Who owns the fields of all children, whichever identity writes them.
pub(crate) const CHILDREN: &str = "konstruct-tenant";
/// In case a watch missed something. Costs one read of the tenant's Secret.
const ANYWAY: Duration = Duration::from_mins(10);

pub(crate) struct Tenants {
    pub(crate) context: Arc<Context>,
    pub(crate) applier: Applier,
    pub(crate) logins: Arc<Logins>,
}

impl Reconciler for Tenants {
    type Object = Tenant;
    const NAME: &'static str = "tenant";
    const SHARE: Share<TenantStatus> = Share { manager: "konstruct-tenant", of: status::share };

    fn cache(&self) -> &Cache<Tenant> {
        &self.context.caches.tenants
    }

    fn api(&self, _: &Tenant) -> Api<Tenant> {
        Api::all(self.context.client.clone())
    }

    async fn reconcile(&self, tenant: Arc<Tenant>) -> Result<Next, Error> {
        if tenant.metadata.deletion_timestamp.is_some() {
            return self.clean_up(&tenant).await;
        }
        let found = dereference::dereference(&self.context, &tenant, Hosts::new()).await?;
        let valid = match validate::validate(&tenant, &found) {
            Ok(valid) => valid,
            Err(problems) => {
                self.write(&tenant, &status::invalid(&tenant, &problems)).await?;
                return Ok(status::next_with_problems(&problems));
            }
        };
        if let Err(status) = status::handed_over(&tenant, found.namespace) {
            if let Some(status) = status {
                self.write(&tenant, &status).await?;
            }
            return Ok(Next::Waiting);
        }
        let outcome = apply::apply(&self.context, &self.applier, &self.logins, &valid).await?;
        self.write(&tenant, &status::applied(&tenant, &valid, &outcome)).await?;
        if outcome.database.is_done() {
            leftovers::withdraw(&self.context, valid.tenant.id, &valid.tenant.namespace()).await?;
        }
        Ok(
            match (
                outcome.database.is_done() && outcome.cache.is_done(),
                status::is_complete(&valid, &outcome),
            ) {
                (false, _) => Next::Retry,
                (true, false) => Next::Waiting,
                (true, true) => Next::After(ANYWAY),
            },
        )
    }

    fn requeue_dependents(&self, tenant: &Tenant) {
        requeue_objects(&self.context, tenant);
    }
}

impl Tenants {
    async fn clean_up(&self, tenant: &Tenant) -> Result<Next, Error> {
        if !tenant.finalizers().iter().any(|name| name == crate::framework::names::FINALIZER) {
            return Ok(Next::Gone);
        }
        let afterlife = Afterlife::of(&tenant.spec);
        if let Some(reference) = delete::reference(tenant) {
            match delete::take_apart(&self.context, &self.applier, &self.logins, &reference, afterlife)
                .await?
            {
                Progress::Waiting { message, stopped, again } => {
                    self.write(tenant, &status::deleting(tenant, stopped, &message)).await?;
                    return Ok(Next::After(again));
                }
                Progress::Done => {}
            }
        }
        finalizer::release(&self.api(tenant), self.cache(), tenant).await?;
        self.context.requeue_tenants_with_slug(&tenant.spec.slug);
        Ok(Next::Gone)
    }

    async fn write(&self, tenant: &Tenant, status: &TenantStatus) -> Result<(), Error> {
        let api = self.api(tenant);
        if crate::framework::status::write(&api, self.cache(), &Self::SHARE, tenant, status).await? {
            self.context.queues.boundaries.add_object(tenant);
        }
        Ok(())
    }
}

/// The tenant's objects depend on whether it is there.
pub(crate) fn requeue_objects(cluster: &Cluster, tenant: &Tenant) {
    cluster.requeue_objects_in(&tenant.spec.namespace());
}

/// The Tenant that a namespace was made for, whatever somebody has done to its annotations since.
pub(crate) fn requeue_owner(cluster: &Cluster, namespace: &Namespace) {
    if let Some(name) = namespace.annotations().get(TENANT_NAME) {
        cluster.queues.tenants.add("", name);
    }
    if let Some(slug) = Slug::of_namespace(&namespace.name_any()) {
        cluster.requeue_tenants_with_slug(slug.as_str());
    }
}

#[cfg(test)]
mod tests;

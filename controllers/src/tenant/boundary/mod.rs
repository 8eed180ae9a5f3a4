//! The provisioner's part of a Tenant: the walls, and the right of the workload controller to work inside them. Reaches
//! the Kubernetes API and nothing else. `NamespaceReady` hands over; deletion is handed back by `RuntimeStopped`.

mod apply;
pub(super) mod status;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use konstruct_crds::{Tenant, TenantStatus};
use kube::Api;

use super::egress::resolver::Resolver;
use super::{build, delete, dereference, validate};
use crate::Error;
use crate::context::Cluster;
use crate::framework::apply::Applier;
use crate::framework::cache::Cache;
use crate::framework::controller::{Next, Reconciler};
use crate::framework::finalizer;
use crate::framework::ownership::{Ownership, ownership};
use crate::framework::status::Share;

/// In case a watch missed something.
const ANYWAY: Duration = Duration::from_mins(10);

pub(crate) struct Boundaries {
    pub(crate) cluster: Arc<Cluster>,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) applier: Applier,
}

impl Reconciler for Boundaries {
    type Object = Tenant;
    const NAME: &'static str = "boundary";
    const SHARE: Share<TenantStatus> = Share { manager: "konstruct-provisioner", of: status::share };

    fn cache(&self) -> &Cache<Tenant> {
        &self.cluster.caches.tenants
    }

    fn api(&self, _: &Tenant) -> Api<Tenant> {
        Api::all(self.cluster.client.clone())
    }

    async fn reconcile(&self, tenant: Arc<Tenant>) -> Result<Next, Error> {
        if tenant.metadata.deletion_timestamp.is_some() {
            return self.take_down(&tenant).await;
        }
        let hosts = self.resolver.hosts_of(&self.cluster, &tenant).await;
        let found = dereference::dereference(&self.cluster, &tenant, hosts).await?;
        let valid = match validate::validate(&tenant, &found) {
            Ok(valid) => valid,
            Err(problems) => {
                self.write(&tenant, &status::invalid(&tenant, &problems)).await?;
                return Ok(super::status::next_with_problems(&problems));
            }
        };
        let tenant = finalizer::ensure(&self.api(&tenant), self.cache(), tenant).await?;
        let wanted = build::boundary(&valid, &self.cluster.settings);
        let applied = apply::apply(&self.cluster, &self.applier, &valid.tenant, wanted).await?;
        self.write(&tenant, &status::applied(&tenant, &valid.egress, &applied)).await?;
        Ok(Next::After(ANYWAY))
    }

    fn after_failure(tenant: &Tenant, error: &Error) -> TenantStatus {
        status::after_failure(tenant, error)
    }

    /// Nothing depends on walls but what the workload controller puts inside, which `write` tells.
    fn requeue_dependents(&self, _: &Tenant) {}
}

impl Boundaries {
    /// Not before nothing runs inside any more. The workload controller releases the Tenant when the namespace is gone.
    async fn take_down(&self, tenant: &Tenant) -> Result<Next, Error> {
        let Some(reference) = delete::reference(tenant) else { return Ok(Next::Gone) };
        if !super::status::is_stopped(tenant) {
            return Ok(Next::Waiting);
        }
        let namespace = dereference::find_namespace(&self.cluster, &reference.slug).await?;
        if let (Ownership::Ours, Some(namespace)) = (ownership(namespace.as_ref(), reference.id), namespace) {
            let api: Api<Namespace> = Api::all(self.cluster.client.clone());
            self.applier.delete(&api, &namespace).await?;
        }
        Ok(Next::Waiting)
    }

    async fn write(&self, tenant: &Tenant, status: &TenantStatus) -> Result<(), Error> {
        let api = self.api(tenant);
        if crate::framework::status::write(&api, self.cache(), &Self::SHARE, tenant, status).await? {
            self.cluster.queues.workloads.add_object(tenant);
        }
        Ok(())
    }
}

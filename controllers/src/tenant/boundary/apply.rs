//! Builds a tenant's walls: namespace, network policies, quota, limits, the runtime's account, and the right of the
//! workload controller to work inside.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use crate::Error;
use crate::context::Cluster;
use crate::framework::apply::{Applier, is_up_to_date, stamped};
use crate::framework::cache::namespace_of;
use crate::framework::names::TenantRef;
use crate::framework::orphans;
use crate::framework::ownership::Ownership;
use crate::tenant::CHILDREN;
use crate::tenant::build::{Applied, Boundary, Prepared};
use crate::tenant::dereference::{find_namespace, ownership_in};

/// The quota controller takes a moment for a new quota, and for a kind that it has not counted before.
const COUNT_TRIES: u32 = 20;
const COUNT_PAUSE: Duration = Duration::from_millis(100);

/// Every prefix is safe: no right to put anything inside before all walls stand.
pub(super) async fn apply(
    cluster: &Cluster,
    applier: &Applier,
    tenant: &TenantRef,
    wanted: Boundary<Prepared>,
) -> Result<Boundary<Applied>, Error> {
    // Named one by one: a child that nobody applies does not compile.
    let Boundary {
        namespace,
        network_policies,
        resource_quota,
        limit_range,
        service_account,
        role_binding,
        stage: _,
    } = wanted;
    let caches = &cluster.caches;
    let namespace = apply_namespace(cluster, applier, tenant, &namespace).await?;
    let mut policies: Vec<NetworkPolicy> = Vec::new();
    for policy in &network_policies {
        policies.push((*applier.apply(&caches.network_policies, policy).await?).clone());
    }
    let live_quota = applier.apply(&caches.resource_quotas, &resource_quota).await?;
    await_count(cluster, applier, &resource_quota).await?;
    let resource_quota = (*live_quota).clone();
    let limit_range = (*applier.apply(&caches.limit_ranges, &limit_range).await?).clone();
    let service_account = (*applier.apply(&caches.service_accounts, &service_account).await?).clone();
    // The right to put something inside comes last.
    let role_binding = (*applier.apply(&caches.role_bindings, &role_binding).await?).clone();
    let boundary = Boundary {
        namespace,
        network_policies: policies,
        resource_quota,
        limit_range,
        role_binding,
        service_account,
        stage: PhantomData,
    };
    delete_orphans(cluster, applier, tenant, &boundary).await?;
    Ok(boundary)
}

/// Until Kubernetes has counted what there is of each thing in a quota, it refuses to add any.
async fn await_count(cluster: &Cluster, applier: &Applier, quota: &ResourceQuota) -> Result<(), Error> {
    let (namespace, name) = (namespace_of(quota), quota.name_any());
    let api: Api<ResourceQuota> = Api::namespaced(cluster.client.clone(), namespace);
    let mut newest = cluster.caches.resource_quotas.get(namespace, &name).map(|quota| (*quota).clone());
    for _ in 0..COUNT_TRIES {
        if newest.as_ref().is_some_and(|newest| is_counted(newest, quota)) {
            return Ok(());
        }
        tokio::time::sleep(COUNT_PAUSE).await;
        newest = api.get_opt(&name).await.map_err(|error| Error::read::<ResourceQuota>(&name, error))?;
    }
    if let Some(newest) = newest {
        ask_to_count_again(cluster, applier, &newest, quota).await?;
    }
    Err(Error::NotCounted(namespace.to_owned()))
}

/// The quota controller finds out about new kinds twice a minute, and looks again at a quota that it could not count only
/// when that quota changes, or after minutes. So what is not counted is taken out, and the next pass puts it in again.
async fn ask_to_count_again(
    cluster: &Cluster,
    applier: &Applier,
    newest: &ResourceQuota,
    quota: &ResourceQuota,
) -> Result<(), Error> {
    let mut fewer = quota.clone();
    if let Some(hard) = fewer.spec.as_mut().and_then(|spec| spec.hard.as_mut()) {
        hard.retain(|what, _| counts(newest, what));
    }
    applier.apply(&cluster.caches.resource_quotas, &fewer).await?;
    Ok(())
}

fn is_counted(newest: &ResourceQuota, wanted: &ResourceQuota) -> bool {
    let limited = wanted.spec.as_ref().and_then(|spec| spec.hard.as_ref());
    limited.into_iter().flatten().all(|(what, _)| counts(newest, what))
}

fn counts(quota: &ResourceQuota, what: &str) -> bool {
    let used = quota.status.as_ref().and_then(|status| status.used.as_ref());
    used.is_some_and(|used| used.contains_key(what))
}

/// A namespace is created, and adopted only where namespaces are given: creating fails where applying would take over what
/// somebody else has made since we looked.
async fn apply_namespace(
    cluster: &Cluster,
    applier: &Applier,
    tenant: &TenantRef,
    wanted: &Namespace,
) -> Result<Namespace, Error> {
    let api: Api<Namespace> = Api::all(cluster.client.clone());
    let name = tenant.namespace();
    let mut desired = stamped(wanted)?;
    let live = find_namespace(cluster, &tenant.slug).await?;
    match (ownership_in(cluster, live.as_ref(), tenant.id), live) {
        (Ownership::Vacant, _) => {
            let object = serde_json::from_value(desired).map_err(Error::Serialize)?;
            let params = PostParams { field_manager: Some(CHILDREN.to_owned()), ..PostParams::default() };
            let created = api
                .create(&params, &object)
                .await
                .map_err(|error| Error::apply::<Namespace>(&name, error))?;
            tracing::info!(tenant = tenant.name, namespace = name, "created the namespace");
            Ok((*cluster.caches.namespaces.wrote(created)).clone())
        }
        (owned @ (Ownership::Ours | Ownership::Given), Some(live)) => {
            if is_up_to_date(&live, &desired)? {
                return Ok(live);
            }
            // Exactly the one that was looked at, and one that was nobody's is so still.
            desired["metadata"]["uid"] = live.uid().into();
            if owned == Ownership::Given {
                desired["metadata"]["resourceVersion"] = live.resource_version().into();
                tracing::info!(
                    tenant = tenant.name,
                    namespace = name,
                    "takes over the namespace that it was given"
                );
            }
            let written = applier.patch(&api, &name, &desired).await?;
            Ok((*cluster.caches.namespaces.wrote(written)).clone())
        }
        // The next pass says what is in the way.
        _ => Err(Error::NamespaceTaken(name)),
    }
}

/// What an earlier version made here and this one does not want.
async fn delete_orphans(
    cluster: &Cluster,
    applier: &Applier,
    tenant: &TenantRef,
    boundary: &Boundary<Applied>,
) -> Result<(), Error> {
    let caches = &cluster.caches;
    let policies = boundary.network_policies.iter().map(ResourceExt::name_any).collect();
    let only = |name: String| HashSet::from([name]);
    let sweep = orphans::Sweep { applier, client: &cluster.client, tenant };
    sweep.keep(&caches.network_policies, policies).await?;
    sweep.keep(&caches.resource_quotas, only(boundary.resource_quota.name_any())).await?;
    sweep.keep(&caches.limit_ranges, only(boundary.limit_range.name_any())).await?;
    sweep.keep(&caches.service_accounts, only(boundary.service_account.name_any())).await?;
    sweep.keep(&caches.role_bindings, only(boundary.role_binding.name_any())).await
}

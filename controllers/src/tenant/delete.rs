//! Takes a tenant apart, in the order in which nothing runs without its walls and nothing is left behind: pods, the
//! namespace by the provisioner, logins, rows, and the finalizer last.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use konstruct_crds::{DeletionPolicy, Tenant, TenantSpec};
use konstruct_domain::Slug;
use konstruct_queue::Signal;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::dereference::find_namespace;
use super::logins::Logins;
use crate::framework::apply::Applier;
use crate::framework::names::{EVERY_RUNTIME, TenantRef};
use crate::framework::ownership::{Ownership, ownership};
use crate::{Context, Error};

const PODS_AGAIN: Duration = Duration::from_secs(1);
const NAMESPACE_AGAIN: Duration = Duration::from_secs(5);

/// How far it got.
pub(super) enum Progress {
    /// While something runs the walls stay.
    Waiting {
        message: String,
        stopped: bool,
        again: Duration,
    },
    Done,
}

pub(super) async fn take_apart(
    context: &Context,
    applier: &Applier,
    logins: &Logins,
    tenant: &TenantRef,
    afterlife: Afterlife,
) -> Result<Progress, Error> {
    let namespace = find_namespace(context, &tenant.slug).await?;
    let ownership = ownership(namespace.as_ref(), tenant.id);
    if ownership == Ownership::Ours
        && let Some(message) = stop_pods(context, applier, tenant).await?
    {
        return Ok(Progress::Waiting { message, stopped: false, again: PODS_AGAIN });
    }
    // Another one is not ours, or there is none.
    if let (Ownership::Ours | Ownership::Terminating, Some(namespace)) = (ownership, namespace) {
        let message = what_blocks(&namespace);
        return Ok(Progress::Waiting { message, stopped: true, again: NAMESPACE_AGAIN });
    }
    logins.forget(tenant.id);
    clear_out(context, tenant, afterlife).await?;
    Ok(Progress::Done)
}

/// What is still running, if anything is.
async fn stop_pods(
    context: &Context,
    applier: &Applier,
    tenant: &TenantRef,
) -> Result<Option<String>, Error> {
    let namespace = tenant.namespace();
    let deployments = context.caches.deployments.in_namespace(&namespace);
    for deployment in deployments.iter().filter(|deployment| deployment.metadata.deletion_timestamp.is_none())
    {
        applier.delete(&Api::namespaced(context.client.clone(), &namespace), &**deployment).await?;
    }
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let selector = ListParams::default().labels(EVERY_RUNTIME);
    let left =
        match pods.list_metadata(&selector).await.map_err(|error| Error::read::<Pod>(&namespace, error)) {
            // Our right to look ends with the RoleBinding, which was removed by hand: the namespace's deletion stops the
            // pods first in any case.
            Err(error) if error.is_forbidden() => return Ok(None),
            other => other?.items.len(),
        };
    let message = || {
        let pods = if left == 1 { "pod" } else { "pods" };
        format!("waiting for {left} {pods} of the runtime in namespace {namespace:?} to stop")
    };
    Ok((left > 0).then(message))
}

/// The namespace controller knows what holds a namespace: a foreign finalizer, an API that does not answer.
fn what_blocks(namespace: &Namespace) -> String {
    let conditions = namespace.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let blockers: Vec<&str> = conditions
        .filter(|condition| condition.status == "True")
        .filter_map(|condition| condition.message.as_deref())
        .collect();
    let name = namespace.name_any();
    if blockers.is_empty() {
        format!("waiting for namespace {name:?} to be deleted")
    } else {
        format!("waiting for namespace {name:?} to be deleted: {}", blockers.join("; "))
    }
}

/// What becomes of what was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Afterlife {
    Erased,
    Retained { legal_hold: bool },
}

impl Afterlife {
    /// A hold counts more than the policy, whoever managed to set both.
    pub(super) const fn of(spec: &TenantSpec) -> Self {
        match (spec.legal_hold, spec.deletion_policy) {
            (false, DeletionPolicy::Delete) => Self::Erased,
            (legal_hold, _) => Self::Retained { legal_hold },
        }
    }
}

/// Everything outside the cluster. The directory row goes last: while it is there, a pass that was interrupted
/// knows that there is something left to do.
async fn clear_out(context: &Context, tenant: &TenantRef, afterlife: Afterlife) -> Result<(), Error> {
    let record = context.store.tenant_of_namespace(&tenant.namespace()).await?;
    if record.is_none_or(|record| record.id != tenant.id) {
        // Another Tenant of the same slug has the logins, or nothing was ever made.
        return Ok(());
    }
    context.fence.check()?;
    context.store.drop_database_role(&tenant.slug).await?;
    context.bus.drop_cache_user(&tenant.slug).await?;
    context.bus.erase_keys(tenant.id).await?;
    match afterlife {
        Afterlife::Erased => context.store.erase_tenant(tenant.id).await?,
        Afterlife::Retained { legal_hold } => context.store.retain_tenant(tenant.id, legal_hold).await?,
    }
    context.bus.publish(Signal::Config(tenant.id)).await;
    tracing::info!(tenant = tenant.name, ?afterlife, "cleared the tenant out");
    Ok(())
}

/// None if nothing can have been made for this object: its slug never was valid.
pub(super) fn reference(tenant: &Tenant) -> Option<TenantRef> {
    let slug: Slug = tenant.spec.slug.parse().ok()?;
    let id = tenant.uid()?.parse().ok()?;
    Some(TenantRef { name: tenant.name_any(), id, slug })
}

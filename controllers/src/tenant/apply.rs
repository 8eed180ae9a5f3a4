//! Makes a tenant, in an order in which every prefix is safe: walls, then logins, then what runs.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, ResourceQuota, Secret};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use konstruct_crds::Reason;
use konstruct_domain::Kind;
use konstruct_store::TenantRecord;
use kube::api::PostParams;
use kube::{Api, ResourceExt};

use super::build::{self, Applied, Boundary, Credentials, Prepared, Workload};
use super::dereference::find_namespace;
use super::provision::Provisioner;
use super::validate::Validated;
use crate::framework::apply::{Applier, is_up_to_date, stamped};
use crate::framework::cache::namespace_of;
use crate::framework::names::{RUNTIME, TenantRef};
use crate::framework::ownership::{Ownership, ownership};
use crate::framework::{orphans, publish};
use crate::{Context, Error};

/// A fresh RoleBinding takes a moment to reach the API server's authorizer.
const BINDING_TRIES: u32 = 20;
const BINDING_PAUSE: Duration = Duration::from_millis(100);
/// The quota controller takes a moment for a new quota, and for a kind that it has not counted before.
const COUNT_TRIES: u32 = 20;
const COUNT_PAUSE: Duration = Duration::from_millis(100);

/// What is there now. Only [`apply`] makes one.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) boundary: Boundary<Applied>,
    pub(super) database: Step,
    pub(super) cache: Step,
    /// None while the logins that it needs are missing.
    pub(super) deployment: Option<Deployment>,
    /// Of the agents that have a pod of their own, as far as they are there.
    pub(super) dedicated: Vec<Deployment>,
    /// None while PostgreSQL is unavailable.
    pub(super) snapshot: Option<publish::Applied>,
}

/// One thing outside the cluster. A failure there is a condition, not the end of the pass.
#[derive(Debug)]
pub(super) enum Step {
    Done,
    Failed { reason: Reason, message: String },
}

impl Step {
    fn of(result: Result<(), Error>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(error) => {
                tracing::warn!(
                    error = crate::error::with_sources(&error),
                    "a tenant's login could not be made"
                );
                Self::Failed { reason: error.reason(), message: error.advice() }
            }
        }
    }

    pub(super) const fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

pub(super) async fn apply(
    context: &Context,
    applier: &Applier,
    provisioner: &Provisioner,
    valid: &Validated,
) -> Result<Outcome, Error> {
    let tenant = &valid.tenant;
    let boundary =
        apply_boundary(context, applier, tenant, build::boundary(valid, &context.settings)).await?;
    let live = read_secret(context, tenant).await?;
    let credentials = credentials(tenant, live.as_ref());
    let workload = build::workload(valid, &context.settings, &credentials);
    // Before the logins exist the passwords do: a pass that ends here makes the same logins the next time.
    let Workload { secret, deployment, dedicated, stage: _ } = workload;
    applier.apply_over(live, &secret).await?;

    let database = Step::of(provisioner.database(context, &record(valid), &credentials).await);
    let cache = Step::of(provisioner.cache(context, tenant, &credentials).await);
    let snapshot = match database {
        Step::Done => Some(publish_snapshot(context, valid).await?),
        Step::Failed { .. } => None,
    };
    let has_logins = database.is_done() && cache.is_done();
    let names: HashSet<String> = dedicated.iter().map(ResourceExt::name_any).collect();
    // What is no longer wanted goes first: the quota may have room for nothing more.
    delete_orphans(context, applier, tenant, &boundary, names).await?;
    let deployment = run(context, applier, &deployment, has_logins).await?;
    let mut running = Vec::new();
    for deployment in &dedicated {
        running.extend(run(context, applier, deployment, has_logins).await?);
    }
    Ok(Outcome { boundary, database, cache, deployment, dedicated: running, snapshot })
}

/// Without logins nothing starts and nothing changes.
async fn run(
    context: &Context,
    applier: &Applier,
    wanted: &Deployment,
    has_logins: bool,
) -> Result<Option<Deployment>, Error> {
    let cache = &context.caches.deployments;
    Ok(if has_logins {
        Some(Deployment::clone(&*applier.apply(cache, wanted).await?))
    } else {
        cache.get(namespace_of(wanted), &wanted.name_any()).map(|running| (*running).clone())
    })
}

async fn apply_boundary(
    context: &Context,
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
    let caches = &context.caches;
    let namespace = apply_namespace(context, applier, tenant, &namespace).await?;
    let mut applied_policies: Vec<NetworkPolicy> = Vec::new();
    for policy in &network_policies {
        applied_policies.push((*applier.apply(&caches.network_policies, policy).await?).clone());
    }
    let resource_quota = (*applier.apply(&caches.resource_quotas, &resource_quota).await?).clone();
    await_count(context, &resource_quota).await?;
    let limit_range = (*applier.apply(&caches.limit_ranges, &limit_range).await?).clone();
    // The right to write what follows comes with the binding.
    let role_binding = (*applier.apply(&caches.role_bindings, &role_binding).await?).clone();
    let mut patience = Patience::default();
    let service_account = loop {
        match applier.apply(&caches.service_accounts, &service_account).await {
            Err(error) if patience.allows(&error).await => {}
            other => break (*other?).clone(),
        }
    };
    Ok(Boundary {
        namespace,
        network_policies: applied_policies,
        resource_quota,
        limit_range,
        role_binding,
        service_account,
        stage: PhantomData,
    })
}

/// Until Kubernetes has counted what there is of each thing in a quota, it refuses to add any.
async fn await_count(context: &Context, quota: &ResourceQuota) -> Result<(), Error> {
    let (namespace, name) = (namespace_of(quota), quota.name_any());
    let api: Api<ResourceQuota> = Api::namespaced(context.client.clone(), namespace);
    let mut newest = context.caches.resource_quotas.get(namespace, &name).map(|quota| (*quota).clone());
    for _ in 0..COUNT_TRIES {
        if newest.as_ref().is_some_and(|newest| is_counted(newest, quota)) {
            return Ok(());
        }
        tokio::time::sleep(COUNT_PAUSE).await;
        newest = api.get_opt(&name).await.map_err(|error| Error::read::<ResourceQuota>(&name, error))?;
    }
    Err(Error::NotCounted(namespace.to_owned()))
}

fn is_counted(newest: &ResourceQuota, wanted: &ResourceQuota) -> bool {
    let counted = newest.status.as_ref().and_then(|status| status.used.as_ref());
    let limited = wanted.spec.as_ref().and_then(|spec| spec.hard.as_ref());
    limited.into_iter().flatten().all(|(what, _)| counted.is_some_and(|counted| counted.contains_key(what)))
}

/// A namespace is created, never adopted: creating fails where applying would take over what somebody else has made
/// since we looked.
async fn apply_namespace(
    context: &Context,
    applier: &Applier,
    tenant: &TenantRef,
    wanted: &Namespace,
) -> Result<Namespace, Error> {
    let api: Api<Namespace> = Api::all(context.client.clone());
    let name = tenant.namespace();
    let mut desired = stamped(wanted)?;
    let live = find_namespace(context, &tenant.slug).await?;
    match (ownership(live.as_ref(), tenant.id), live) {
        (Ownership::Vacant, _) => {
            let object = serde_json::from_value(desired).map_err(Error::Serialize)?;
            let params =
                PostParams { field_manager: Some(super::MANAGER.to_owned()), ..PostParams::default() };
            let created = api
                .create(&params, &object)
                .await
                .map_err(|error| Error::apply::<Namespace>(&name, error))?;
            tracing::info!(tenant = tenant.name, namespace = name, "created the namespace");
            Ok((*context.caches.namespaces.wrote(created)).clone())
        }
        (Ownership::Ours, Some(live)) => {
            if is_up_to_date(&live, &desired)? {
                return Ok(live);
            }
            // Exactly the one that was looked at.
            desired["metadata"]["uid"] = live.uid().into();
            let repaired = applier.patch(&api, &name, &desired).await?;
            Ok((*context.caches.namespaces.wrote(repaired)).clone())
        }
        // The next pass says what is in the way.
        _ => Err(Error::NamespaceTaken(name)),
    }
}

async fn read_secret(context: &Context, tenant: &TenantRef) -> Result<Option<Secret>, Error> {
    let api: Api<Secret> = Api::namespaced(context.client.clone(), &tenant.namespace());
    let mut patience = Patience::default();
    loop {
        match api.get_opt(RUNTIME).await.map_err(|error| Error::read::<Secret>(RUNTIME, error)) {
            Err(error) if patience.allows(&error).await => {}
            other => return other,
        }
    }
}

/// With what a RoleBinding of this pass allows, until the API server knows of it.
#[derive(Default)]
struct Patience {
    tries: u32,
}

impl Patience {
    async fn allows(&mut self, error: &Error) -> bool {
        self.tries += 1;
        let allows = error.is_forbidden() && self.tries <= BINDING_TRIES;
        if allows {
            tokio::time::sleep(BINDING_PAUSE).await;
        }
        allows
    }
}

/// The passwords that exist, else new ones.
fn credentials(tenant: &TenantRef, secret: Option<&Secret>) -> Credentials {
    let known = secret.and_then(|secret| Credentials::read(secret, tenant));
    if secret.is_some() && known.is_none() {
        tracing::warn!(
            tenant = tenant.name,
            "the runtime's Secret was not valid any more: making new passwords"
        );
    }
    known.unwrap_or_else(Credentials::generate)
}

fn record(valid: &Validated) -> TenantRecord {
    TenantRecord {
        id: valid.tenant.id,
        slug: valid.tenant.slug.clone(),
        namespace: valid.tenant.namespace(),
        display_name: valid.display_name.clone(),
    }
}

async fn publish_snapshot(context: &Context, valid: &Validated) -> Result<publish::Applied, Error> {
    let prepared = publish::Prepared {
        tenant: valid.tenant.id,
        kind: Kind::Tenant,
        name: valid.tenant.slug.to_string(),
        snapshot: build::snapshot(valid),
        secrets: Vec::new(),
    };
    publish::publish(context, &prepared).await
}

/// What an earlier version made here and this one does not want.
async fn delete_orphans(
    context: &Context,
    applier: &Applier,
    tenant: &TenantRef,
    boundary: &Boundary<Applied>,
    mut deployments: HashSet<String>,
) -> Result<(), Error> {
    let caches = &context.caches;
    let policies = boundary.network_policies.iter().map(ResourceExt::name_any).collect();
    let only = |name: String| HashSet::from([name]);
    let sweep = orphans::Sweep { applier, client: &context.client, tenant };
    sweep.keep(&caches.network_policies, policies).await?;
    sweep.keep(&caches.resource_quotas, only(boundary.resource_quota.name_any())).await?;
    sweep.keep(&caches.limit_ranges, only(boundary.limit_range.name_any())).await?;
    sweep.keep(&caches.service_accounts, only(boundary.service_account.name_any())).await?;
    sweep.keep(&caches.role_bindings, only(boundary.role_binding.name_any())).await?;
    deployments.insert(RUNTIME.to_owned());
    sweep.keep(&caches.deployments, deployments).await
}

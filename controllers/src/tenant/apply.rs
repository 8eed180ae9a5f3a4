//! Makes what is inside a tenant's walls, in an order in which every prefix is safe: logins, then what runs.

use std::collections::HashSet;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use konstruct_crds::Reason;
use konstruct_domain::Kind;
use konstruct_store::TenantRecord;
use kube::{Api, ResourceExt};

use super::build::{self, Credentials, Workload};
use super::logins::Logins;
use super::validate::Validated;
use crate::framework::apply::Applier;
use crate::framework::cache::namespace_of;
use crate::framework::names::{RUNTIME, TenantRef};
use crate::framework::{orphans, publish};
use crate::{Context, Error};

/// A fresh RoleBinding takes a moment to reach the API server's authorizer.
const BINDING_TRIES: u32 = 20;
const BINDING_PAUSE: Duration = Duration::from_millis(100);

/// What is there now. Only [`apply`] makes one.
#[derive(Debug)]
pub(super) struct Outcome {
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
    logins: &Logins,
    valid: &Validated,
) -> Result<Outcome, Error> {
    let tenant = &valid.tenant;
    let live = read_secret(context, tenant).await?;
    let credentials = credentials(tenant, live.as_ref());
    let workload = build::workload(valid, &context.settings, &credentials);
    // Before the logins exist the passwords do: a pass that ends here makes the same logins the next time.
    let Workload { secret, deployment, dedicated, stage: _ } = workload;
    applier.apply_over(live, &secret).await?;

    let database = Step::of(logins.database(context, &record(valid), &credentials).await);
    let cache = Step::of(logins.cache(context, tenant, &credentials).await);
    let snapshot = match database {
        Step::Done => Some(publish_snapshot(context, valid).await?),
        Step::Failed { .. } => None,
    };
    let has_logins = database.is_done() && cache.is_done();
    let names: HashSet<String> =
        [&deployment].into_iter().chain(&dedicated).map(ResourceExt::name_any).collect();
    // What is no longer wanted goes first: the quota may have room for nothing more.
    let sweep = orphans::Sweep { applier, client: &context.client, tenant };
    sweep.keep(&context.caches.deployments, names).await?;
    let deployment = run(context, applier, &deployment, has_logins).await?;
    let mut running = Vec::new();
    for deployment in &dedicated {
        running.extend(run(context, applier, deployment, has_logins).await?);
    }
    Ok(Outcome { database, cache, deployment, dedicated: running, snapshot })
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

/// With what the namespace's RoleBinding allows, until the API server knows of it.
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

//! The operator: runs the controllers in one of its replicas, and says what it waits for in all of them.

mod args;
mod client;
mod definitions;
mod health;
mod leader;
mod metrics;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use konstruct_controllers::{Backends, Fence, Parts, Role, Settings};
use konstruct_telemetry::{Check, Readiness};
use tokio_util::sync::CancellationToken;

pub use args::{Args, run};

use leader::{Candidate, Leadership, Standing};

const DEFINITIONS_AGAIN: Duration = Duration::from_secs(2);

/// The parts an operator is made of.
pub struct Config {
    pub kubernetes: kube::Config,
    /// Which identity it has.
    pub role: Role,
    pub readiness: Readiness,
    pub settings: Settings,
    /// Who holds the lease and publishes events: the pod's name. Two replicas never share it.
    pub identity: String,
}

/// Why the operator cannot run. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("--{0} is missing: every role but the provisioner needs it")]
    Missing(&'static str),
    #[error("cannot read {path} given by --{flag}: {source}")]
    ReadSecretFile { flag: &'static str, path: String, source: std::io::Error },
    #[error("cannot use the database address in the file of --database-url-file: {0}")]
    OpenStore(#[source] konstruct_store::Error),
    #[error("cannot use a key of --channel-key-file or --provider-key-file: {0}")]
    Keys(#[source] konstruct_store::KeyError),
    #[error("cannot use the Redis address in the file of --redis-url-file: {0}")]
    OpenBus(#[source] konstruct_queue::Error),
    #[error("cannot listen on {address}: {source}: choose another --admin-listen")]
    Listen { address: std::net::SocketAddr, source: std::io::Error },
    #[error("the admin server ended: {0}")]
    ServeAdmin(#[source] std::io::Error),
    #[error(
        "--{flag} {address:?} must be {expected}, without user and password: the operator adds the tenant's own"
    )]
    Address { flag: &'static str, address: String, expected: &'static str },
    #[error(
        "--watch-namespaces has {0:?}, which is no tenant's namespace: write kt- and the tenant's slug, such as kt-acme"
    )]
    NotATenants(String),
    #[error("no Kubernetes cluster: run in a pod or set KUBECONFIG ({0})")]
    FindKubernetes(#[source] kube::config::InferConfigError),
    #[error("cannot set up the Kubernetes client: {0}")]
    Client(#[source] kube::Error),
    #[error("the retry policy is not valid")]
    RetryPolicy,
}

/// Works until shutdown. While another replica leads, it waits.
pub fn serve(config: Config, shutdown: CancellationToken) -> BoxFuture<'static, Result<(), Error>> {
    // Boxed, so that it is compiled here and not once more in each crate that awaits it.
    Box::pin(serving(config, shutdown))
}

async fn serving(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let leadership = Leadership::default();
    let elector = client::client(config.kubernetes.clone(), None)?;
    let namespace = config.settings.system_namespace.clone();
    let lease = lease(&config.role);
    let mut candidate =
        Candidate::new(elector.clone(), &namespace, lease, config.identity.clone(), leadership.clone());
    let prober = config.role.backends().cloned().map(|Backends { store, bus }| {
        tokio::spawn(health::probe(store, bus, config.readiness.clone(), shutdown.clone()))
    });
    let ended = shutdown.run_until_cancelled(work(&config, &leadership, &elector, &mut candidate)).await;
    metrics::leading(false);
    if let Some(prober) = prober {
        prober.abort();
    }
    if let Err(error) = candidate.resign().await {
        tracing::warn!(%error, "the lease was not given back: another replica takes over when it has expired");
    }
    ended.unwrap_or(Ok(()))
}

/// Each identity has a leader of its own.
const fn lease(role: &Role) -> &'static str {
    match role {
        Role::Provisioner => "konstruct-provisioner",
        Role::Workload(_) | Role::All(_) => "konstruct-operator",
    }
}

async fn work(
    config: &Config,
    leadership: &Leadership,
    elector: &kube::Client,
    candidate: &mut Candidate,
) -> Result<(), Error> {
    wait_for_definitions(elector, &config.role, &config.readiness.check("custom resource definitions")).await;
    let (election, caches) = (config.readiness.check("leader election"), config.readiness.check("caches"));
    loop {
        follow(candidate, &election, &caches).await;
        tracing::info!(identity = config.identity, "leading");
        metrics::leading(true);
        // A client of its own each time: nothing that an earlier reign left in flight is sent in a later one.
        let client = client::client(config.kubernetes.clone(), Some(leadership.clone()))?;
        tokio::select! {
            // Dropping the controllers stops them wherever they are.
            () = reign(config, client, leadership.clone(), caches.clone()) => {}
            () = keep(candidate, leadership, &election) => {}
        }
        metrics::leading(false);
        tracing::warn!(identity = config.identity, "not leading any more");
    }
}

async fn wait_for_definitions(client: &kube::Client, role: &Role, check: &Check) {
    let mut said = None;
    while let Some(missing) = definitions::missing(client, role).await {
        check.failed(missing.clone());
        if said.as_ref() != Some(&missing) {
            tracing::warn!(missing, "waiting");
            said = Some(missing);
        }
        tokio::time::sleep(DEFINITIONS_AGAIN).await;
    }
    check.ok();
}

/// Returns when this replica leads. One that only waits for its turn is ready: it does all it has to.
async fn follow(candidate: &mut Candidate, election: &Check, caches: &Check) {
    loop {
        match candidate.stand().await {
            Ok(Standing::Leader) => {
                election.ok();
                return;
            }
            Ok(Standing::Follower { leader }) => {
                tracing::debug!(leader, "following");
                election.ok();
                caches.idle();
            }
            Err(error) => {
                tracing::warn!(%error, "cannot look at the lease");
                election.failed("the lease cannot be read or written: see the operator's log");
            }
        }
        tokio::time::sleep(leader::EVERY).await;
    }
}

/// Renews the lease; returns when it is lost.
async fn keep(candidate: &mut Candidate, leadership: &Leadership, election: &Check) {
    while leadership.is_valid() {
        tokio::time::sleep(leader::EVERY).await;
        // A renewal that hangs must not outlast the lease.
        match tokio::time::timeout(leader::EVERY, candidate.stand()).await {
            Ok(Ok(Standing::Leader)) => election.ok(),
            Ok(Ok(Standing::Follower { leader })) => {
                tracing::warn!(leader, "the lease is held by another replica");
                return;
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the lease was not renewed");
                election.failed("the lease cannot be renewed: see the operator's log");
            }
            Err(_) => {
                tracing::warn!("the lease was not renewed in time");
                election.failed("the lease cannot be renewed: the Kubernetes API is slow");
            }
        }
    }
}

async fn reign(config: &Config, client: kube::Client, leadership: Leadership, caches: Check) {
    caches.failed("filling");
    let parts = Parts {
        client,
        role: config.role.clone(),
        settings: config.settings.clone(),
        metrics: Arc::new(metrics::Passes),
        instance: config.identity.clone(),
        fence: Fence::new(move || leadership.is_valid()),
        on_ready: Box::new(move || caches.ok()),
    };
    konstruct_controllers::run(parts, CancellationToken::new()).await;
}

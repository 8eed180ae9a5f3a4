//! Starts everything: the watches, one controller for each of our kinds, and the ear for the data plane.

use std::sync::Arc;

use futures::future::BoxFuture;
use konstruct_queue::{Bus, Topics};
use konstruct_store::Store;
use kube::Client;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::agent::Agents;
use crate::channel_connection::ChannelConnections;
use crate::context::{Cluster, Context, Queues};
use crate::framework::apply::Applier;
use crate::framework::caches::Caches;
use crate::framework::controller::{self, Metrics};
use crate::framework::events::Events;
use crate::framework::fence::Fence;
use crate::framework::queue::Queue;
use crate::llm_provider::LLMProviders;
use crate::settings::Settings;
use crate::tenant::boundary::Boundaries;
use crate::tenant::egress::resolver::{self, Resolver};
use crate::tenant::logins::Logins;
use crate::tenant::{self, Tenants};
use crate::{leftovers, signals, watches};

/// Where tenants' data is.
#[derive(Clone)]
pub struct Backends {
    pub store: Store,
    pub bus: Bus,
}

/// Which of the operator's two identities a process has.
#[derive(Clone)]
pub enum Role {
    /// Makes tenants' namespaces with their walls, and gives the workload controller its rights in them.
    Provisioner,
    /// Everything inside the walls, and all of our kinds.
    Workload(Backends),
    /// Both in one process, for development and tests.
    All(Backends),
}

impl Role {
    pub const fn provisions(&self) -> bool {
        matches!(self, Self::Provisioner | Self::All(_))
    }

    pub const fn backends(&self) -> Option<&Backends> {
        match self {
            Self::Provisioner => None,
            Self::Workload(backends) | Self::All(backends) => Some(backends),
        }
    }
}

/// What the controllers work with.
pub struct Parts {
    pub client: Client,
    pub role: Role,
    pub settings: Settings,
    pub metrics: Arc<dyn Metrics>,
    /// Who publishes events: the pod's name.
    pub instance: String,
    /// Whether this process may write.
    pub fence: Fence,
    /// Called once, when every cache is filled.
    pub on_ready: Box<dyn FnOnce() + Send>,
}

/// Runs all controllers until `shutdown`, or until the future is dropped: then nothing of it goes on.
pub fn run(parts: Parts, shutdown: CancellationToken) -> BoxFuture<'static, ()> {
    // Boxed, so that it is compiled here and not once more in each crate that awaits it.
    Box::pin(running(parts, shutdown))
}

async fn running(parts: Parts, shutdown: CancellationToken) {
    let Parts { client, role, settings, metrics, instance, fence, on_ready } = parts;
    let (caches, writers) = Caches::new();
    let (boundaries, boundary_requests) = Queue::new();
    let (workloads, workload_requests) = Queue::new();
    let tenants = Queue::both(&boundaries, &workloads);
    let (agents, agent_requests) = Queue::new();
    let (connections, connection_requests) = Queue::new();
    let (providers, provider_requests) = Queue::new();
    let queues = Queues { tenants, boundaries, workloads, agents, connections, providers };
    let concurrency = settings.concurrency;
    let cluster = Arc::new(Cluster { client: client.clone(), settings, caches, queues, fence });

    let mut tasks = JoinSet::new();
    watches::start(&mut tasks, &cluster, writers, &role);
    let caches_ready = {
        let cluster = Arc::clone(&cluster);
        async move { cluster.caches.ready().await }
    };
    tokio::select! {
        () = shutdown.cancelled() => return,
        // A watch ends only with the runtime.
        _ = caches_ready => on_ready(),
    }

    let events = Events::new(client.clone(), instance);
    macro_rules! start {
        ($reconciler:expr, $requests:expr) => {
            let reconciler = Arc::new($reconciler);
            tasks.spawn(controller::run(
                reconciler,
                $requests,
                concurrency,
                events.clone(),
                Arc::clone(&metrics),
            ));
        };
    }
    let applier = Applier::new(client, tenant::CHILDREN);
    if role.provisions() {
        let (cluster, resolver) = (Arc::clone(&cluster), Arc::new(Resolver::default()));
        tasks.spawn(resolver::refresh(Arc::clone(&cluster), Arc::clone(&resolver)));
        start!(Boundaries { cluster, resolver, applier: applier.clone() }, boundary_requests);
    }
    if let Some(Backends { store, bus }) = role.backends().cloned() {
        let context = Arc::new(Context { cluster, store, bus });
        tasks.spawn(leftovers::keep_platform_clean(Arc::clone(&context)));
        let logins = Arc::new(Logins::default());
        let heard = context.bus.subscribe(Topics::Operator, shutdown.clone());
        tasks.spawn(signals::listen(Arc::clone(&context), Arc::clone(&logins), heard));
        start!(Tenants { context: Arc::clone(&context), applier, logins }, workload_requests);
        start!(LLMProviders { context: Arc::clone(&context) }, provider_requests);
        start!(Agents { context: Arc::clone(&context) }, agent_requests);
        start!(ChannelConnections { context }, connection_requests);
    }
    tokio::select! {
        () = shutdown.cancelled() => {}
        ended = tasks.join_next() => tracing::error!(?ended, "a part of the operator ended by itself"),
    }
}

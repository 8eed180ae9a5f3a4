//! Starts everything: the watches, one controller for each of our kinds, and the ear for the data plane.

use std::sync::Arc;

use konstruct_queue::{Bus, Topics};
use konstruct_store::Store;
use kube::Client;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::agent::Agents;
use crate::channel_connection::ChannelConnections;
use crate::context::{Context, Queues};
use crate::framework::apply::Applier;
use crate::framework::caches::Caches;
use crate::framework::controller::{self, Metrics};
use crate::framework::events::Events;
use crate::framework::fence::Fence;
use crate::framework::queue::Queue;
use crate::llm_provider::LLMProviders;
use crate::settings::Settings;
use crate::tenant::egress::resolver::{self, Resolver};
use crate::tenant::provision::Provisioner;
use crate::tenant::{self, Tenants};
use crate::{signals, watches};

/// What the controllers work with.
pub struct Parts {
    pub client: Client,
    pub store: Store,
    pub bus: Bus,
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
pub async fn run(parts: Parts, shutdown: CancellationToken) {
    let Parts { client, store, bus, settings, metrics, instance, fence, on_ready } = parts;
    let (caches, writers) = Caches::new();
    let (tenants, tenant_requests) = Queue::new();
    let (agents, agent_requests) = Queue::new();
    let (connections, connection_requests) = Queue::new();
    let (providers, provider_requests) = Queue::new();
    let queues = Queues { tenants, agents, connections, providers };
    let concurrency = settings.concurrency;
    let resolver = Resolver::default();
    let context =
        Arc::new(Context { client: client.clone(), store, bus, settings, caches, queues, fence, resolver });
    let provisioner = Arc::new(Provisioner::default());

    let mut tasks = JoinSet::new();
    watches::start(&mut tasks, &context, writers);
    let caches_ready = {
        let context = Arc::clone(&context);
        async move { context.caches.ready().await }
    };
    tokio::select! {
        () = shutdown.cancelled() => return,
        // A watch ends only with the runtime.
        _ = caches_ready => on_ready(),
    }

    let events = Events::new(client.clone(), instance);
    let heard = context.bus.subscribe(Topics::Operator, shutdown.clone());
    tasks.spawn(resolver::refresh(Arc::clone(&context)));
    tasks.spawn(signals::listen(Arc::clone(&context), Arc::clone(&provisioner), heard));
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
    let applier = Applier::new(client, tenant::MANAGER);
    start!(Tenants { context: Arc::clone(&context), applier, provisioner }, tenant_requests);
    start!(LLMProviders { context: Arc::clone(&context) }, provider_requests);
    start!(Agents { context: Arc::clone(&context) }, agent_requests);
    start!(ChannelConnections { context: Arc::clone(&context) }, connection_requests);
    tokio::select! {
        () = shutdown.cancelled() => {}
        ended = tasks.join_next() => tracing::error!(?ended, "a part of the operator ended by itself"),
    }
}

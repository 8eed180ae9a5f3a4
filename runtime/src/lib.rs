//! The AI employees of one tenant.
//!
//! A wake-up over Redis lets the [consumer](consumer::Consumer) lease a conversation; everything that waits in it
//! becomes one [turn](turn::run): configuration, window, prompt, model, and one transaction with all its effects.
//! Between wake-ups nothing is asked and no PostgreSQL connection is held.

mod agents;
mod args;
mod backoff;
mod consumer;
mod files;
mod health;
mod hold;
mod lease;
mod metrics;
mod model;
mod observe;
mod partial;
mod prompt;
mod reply;
mod settle;
mod stop;
mod token;
mod turn;
mod turns;
mod window;
mod wire;
mod worker;

use std::time::Duration;

use futures::future::BoxFuture;
use konstruct_domain::TenantId;
use konstruct_queue::{Bus, Topics};
use konstruct_store::TenantStore;
use konstruct_telemetry::Readiness;
use tokio_util::sync::CancellationToken;

pub use args::{Args, run};
pub use token::TokenSource;

use consumer::Consumer;
use worker::Worker;

/// The parts a runtime is made of.
#[derive(Clone, Debug)]
pub struct Config {
    pub tenant: TenantId,
    /// Also says for which agents it is: all, or one that has a runtime of its own.
    pub store: TenantStore,
    pub bus: Bus,
    pub readiness: Readiness,
    /// Without a path: `http://host:port`.
    pub ai_gateway_url: String,
    /// What proves to the ai-gateway who asks.
    pub token: TokenSource,
    /// Who holds a lease; for people who look into the database. The fencing token decides, not this name.
    pub owner: String,
    /// Most turns at the same time.
    pub concurrency: usize,
    /// Most messages that one turn answers.
    pub messages_per_turn: u32,
}

/// People write in bursts, and platforms deliver the images of an album one by one. Short against a model's time.
const QUIET: Duration = Duration::from_millis(200);

/// Most messages that one turn answers, where nobody says otherwise.
pub const MESSAGES_PER_TURN: u32 = 50;

/// How long things take. The defaults are right; tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// After the death of a runtime its conversations are free again after this time.
    pub lease: Duration,
    /// How often to look for work while Redis is down.
    pub poll: Duration,
    /// How long running turns may go on after shutdown. Kubernetes kills after 30 s.
    pub grace: Duration,
    /// The first pause after an internal failure; later ones are longer.
    pub retry: Duration,
    /// The first pause after the ai-gateway could not be reached; it doubles.
    pub model_retry: Duration,
    /// How long to go on trying to reach the ai-gateway before the person is told.
    pub model_patience: Duration,
    /// How long a conversation rests after its last message before it is answered: what is written in one go, and the
    /// images of one album, are answered in one go.
    pub quiet: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            poll: Duration::from_secs(2),
            grace: Duration::from_secs(20),
            retry: Duration::from_millis(500),
            model_retry: Duration::from_millis(250),
            model_patience: Duration::from_secs(8),
            quiet: QUIET,
        }
    }
}

/// Why a runtime cannot start. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path} given by --{flag}: {reason}")]
    ReadSecretFile { flag: &'static str, path: String, reason: std::io::Error },
    #[error("cannot use the database address in the file of --database-url-file: {0}")]
    OpenStore(#[source] konstruct_store::Error),
    #[error("cannot use the Redis address in the file of --redis-url-file: {0}")]
    OpenBus(#[source] konstruct_queue::Error),
    #[error("cannot listen on {address}: {reason}: choose another --admin-listen")]
    Listen { address: std::net::SocketAddr, reason: std::io::Error },
    #[error("the admin server ended: {0}")]
    ServeAdmin(#[source] std::io::Error),
    #[error(
        "{0:?} is not an address of an ai-gateway: give --ai-gateway-url something like http://konstruct-ai-gateway.konstruct-system:8081"
    )]
    AiGatewayUrl(String),
    #[error(transparent)]
    Fault(#[from] konstruct_faults::Error),
    #[error("cannot set up the HTTP client: {0}")]
    BuildHttpClient(#[source] reqwest::Error),
}

/// Works until shutdown, then finishes or releases the turns that have begun.
pub async fn serve(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    serve_with(config, Timing::default(), shutdown).await
}

/// [`serve`] at another pace.
pub fn serve_with(
    config: Config,
    timing: Timing,
    shutdown: CancellationToken,
) -> BoxFuture<'static, Result<(), Error>> {
    // Boxed, so that it is compiled here and not once more in each crate that awaits it.
    Box::pin(serving(config, timing, shutdown))
}

async fn serving(config: Config, timing: Timing, shutdown: CancellationToken) -> Result<(), Error> {
    let events = config.bus.subscribe(Topics::Tenant(config.tenant), shutdown.clone());
    let (concurrency, messages) = (config.concurrency.max(1), config.messages_per_turn.max(1));
    let worker = Worker::new(config, timing)?;
    let prober = tokio::spawn(health::probe_ai_gateway(worker.clone(), shutdown.clone()));
    Consumer::new(worker, events, concurrency, messages).run(&shutdown).await;
    prober.abort();
    Ok(())
}

//! The command line of `konstruct runtime`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use konstruct_domain::{AgentName, TenantId};
use konstruct_queue::Bus;
use konstruct_store::TenantStore;
use konstruct_telemetry::{Readiness, serve_admin};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{Config, Error, Timing, TokenSource, serve_with};

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The tenant whose employees run here: the UID of its Tenant.
    #[arg(long, env = "KONSTRUCT_TENANT", value_name = "UID")]
    tenant: TenantId,
    /// The one agent that runs here. Absent: all that have no runtime of their own.
    #[arg(long, env = "KONSTRUCT_AGENT", value_name = "NAME")]
    agent: Option<AgentName>,
    /// File with the PostgreSQL address of the tenant's own login role.
    #[arg(long, env = "KONSTRUCT_DATABASE_URL_FILE", value_name = "PATH")]
    database_url_file: PathBuf,
    /// File with the Redis address of the tenant's own user.
    #[arg(long, env = "KONSTRUCT_REDIS_URL_FILE", value_name = "PATH")]
    redis_url_file: PathBuf,
    /// Where the ai-gateway listens.
    #[arg(
        long,
        env = "KONSTRUCT_AI_GATEWAY_URL",
        value_name = "URL",
        default_value = "http://konstruct-ai-gateway.konstruct-system:8081"
    )]
    ai_gateway_url: String,
    /// File with the projected service-account token for the ai-gateway. Read again for every call.
    #[arg(
        long,
        env = "KONSTRUCT_TOKEN_FILE",
        value_name = "PATH",
        default_value = "/var/run/secrets/konstruct/token"
    )]
    token_file: PathBuf,
    /// Where /livez, /readyz and /metrics are served.
    #[arg(long, env = "KONSTRUCT_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:9090")]
    admin_listen: SocketAddr,
    /// Most conversations that are worked on at the same time.
    #[arg(
        long,
        env = "KONSTRUCT_CONCURRENCY",
        value_name = "TURNS",
        default_value_t = 16,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024)
    )]
    concurrency: usize,
    /// Most messages of a conversation that one turn answers. The rest follow in the next.
    #[arg(
        long,
        env = "KONSTRUCT_MESSAGES_PER_TURN",
        value_name = "MESSAGES",
        default_value_t = crate::MESSAGES_PER_TURN,
        value_parser = clap::value_parser!(u32).range(1..=1000)
    )]
    messages_per_turn: u32,
    /// How long a conversation rests after its last message before it is answered, in milliseconds. What is written in
    /// one go is answered in one go; somebody who goes on writing waits ten times as long at most.
    #[arg(
        long,
        env = "KONSTRUCT_QUIET_MS",
        value_name = "MILLISECONDS",
        default_value_t = 200,
        value_parser = clap::value_parser!(u64).range(0..=60_000)
    )]
    quiet_ms: u64,
    /// The name that this process holds leases under, such as the pod's.
    #[arg(long, env = "HOSTNAME", value_name = "NAME", default_value = "runtime")]
    owner: String,
}

/// Runs as a process of its own.
pub async fn run(args: Args, shutdown: CancellationToken) -> Result<(), Error> {
    konstruct_faults::check()?;
    let database_url = read_secret("database-url-file", &args.database_url_file)?;
    let redis_url = read_secret("redis-url-file", &args.redis_url_file)?;
    let address = args.admin_listen;
    let admin = TcpListener::bind(address).await.map_err(|reason| Error::Listen { address, reason })?;
    let readiness = Readiness::new();
    let store = TenantStore::connect(&database_url).map_err(Error::OpenStore)?;
    let config = Config {
        tenant: args.tenant,
        store: match args.agent {
            Some(agent) => store.dedicated_to(agent),
            None => store,
        },
        bus: Bus::connect(&redis_url).map_err(Error::OpenBus)?,
        readiness: readiness.clone(),
        ai_gateway_url: args.ai_gateway_url,
        token: TokenSource::file(args.token_file),
        // A restarted container has the same host name.
        owner: format!("{}/{}", args.owner, Uuid::new_v4().simple()),
        concurrency: args.concurrency,
        messages_per_turn: args.messages_per_turn,
    };
    // Probes are answered until the last turn has ended.
    let finished = CancellationToken::new();
    let admin = tokio::spawn(serve_admin(admin, readiness, finished.clone()));
    let timing = Timing { quiet: Duration::from_millis(args.quiet_ms), ..Timing::default() };
    let outcome = serve_with(config, timing, shutdown).await;
    finished.cancel();
    if let Ok(served) = admin.await {
        served.map_err(Error::ServeAdmin)?;
    }
    outcome
}

fn read_secret(flag: &'static str, path: &Path) -> Result<SecretString, Error> {
    let text = std::fs::read_to_string(path).map_err(|reason| Error::ReadSecretFile {
        flag,
        path: path.display().to_string(),
        reason,
    })?;
    Ok(text.trim().into())
}

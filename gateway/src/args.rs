//! `konstruct gateway`: flags, files with secrets, ports.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args as ClapArgs;
use konstruct_channels::Settings;
use konstruct_media::Place;
use konstruct_queue::Bus;
use konstruct_store::{Keyring, Store};
use konstruct_telemetry::{Readiness, serve_admin};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Allowances, Config, Error, serve};

/// Receives messages from channels and sends the replies.
#[derive(Clone, Debug, ClapArgs)]
pub struct Args {
    /// Where channels reach the gateway.
    #[arg(long, env = "KONSTRUCT_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Where probes and scrapers reach it. Never public.
    #[arg(long, env = "KONSTRUCT_ADMIN_LISTEN", default_value = "0.0.0.0:9090")]
    admin_listen: SocketAddr,
    /// File with the PostgreSQL URL, of the role konstruct_gateway.
    #[arg(long, env = "KONSTRUCT_DATABASE_URL_FILE")]
    database_url_file: PathBuf,
    /// File with the Redis URL.
    #[arg(long, env = "KONSTRUCT_REDIS_URL_FILE")]
    redis_url_file: PathBuf,
    /// File with the key that encrypts channel secrets: 64 hexadecimal digits.
    #[arg(long, env = "KONSTRUCT_CHANNEL_KEY_FILE")]
    channel_key_file: PathBuf,
    /// Where platforms reach the gateway, such as https://chat.example.com: told to those that want to be told.
    #[arg(long, env = "KONSTRUCT_PUBLIC_ADDRESS")]
    public_address: Option<String>,
    #[command(flatten)]
    channels: Settings,
    /// Most connections to PostgreSQL.
    #[arg(long, env = "KONSTRUCT_DATABASE_CONNECTIONS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(2..=1000))]
    database_connections: u32,
    /// Where files that people send lie: s3://BUCKET/PREFIX, with endpoint and credentials from AWS_ENDPOINT_URL,
    /// AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a folder. Without it no files are taken. The ai-gateway
    /// needs the same.
    #[arg(long, env = "KONSTRUCT_MEDIA_PLACE")]
    media_place: Option<String>,
    /// After how many days files are deleted.
    #[arg(long, env = "KONSTRUCT_MEDIA_RETENTION_DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    media_retention_days: u32,
    /// How many proxies of yours stand in front of the gateway and append to X-Forwarded-For. With 0 the limits of
    /// addresses count who connects, which behind a proxy is that proxy.
    #[arg(long, env = "KONSTRUCT_TRUSTED_PROXIES", default_value_t = 0)]
    trusted_proxies: usize,
    #[command(flatten)]
    allowances: Allowances,
}

/// Runs the role until shutdown.
pub async fn run(args: Args, shutdown: CancellationToken) -> Result<(), Error> {
    konstruct_faults::check()?;
    let keyring = Keyring::from_hex(Some(&read_secret(&args.channel_key_file)?), None)?;
    let store = Store::connect(&read_secret(&args.database_url_file)?, args.database_connections, keyring)?;
    let bus = Bus::connect(&read_secret(&args.redis_url_file)?)?;
    let readiness = Readiness::new();
    let admin = serve_admin(listen(args.admin_listen).await?, readiness.clone(), shutdown.clone());
    let config = Config {
        listener: listen(args.listen).await?,
        store,
        bus,
        readiness,
        channels: args.channels,
        public_url: args.public_address,
        owner: owner(),
        allowances: args.allowances,
        media: args.media_place.as_deref().map(Place::open).transpose()?,
        media_retention: Duration::from_hours(24) * args.media_retention_days,
        trusted_proxies: args.trusted_proxies,
    };
    let (served, observed) = tokio::join!(serve(config, shutdown), admin);
    served.and(observed.map_err(Error::Serve))
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

fn read_secret(path: &Path) -> Result<SecretString, Error> {
    let text =
        fs::read_to_string(path).map_err(|source| Error::ReadSecretFile { path: path.to_owned(), source })?;
    let value = text.trim();
    if value.is_empty() {
        return Err(Error::EmptySecretFile { path: path.to_owned() });
    }
    Ok(value.into())
}

/// Names this process on the rows that it leases: the pod, and a part that a restarted pod does not share.
fn owner() -> String {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "gateway".to_owned());
    format!("{host}/{}", uuid::Uuid::new_v4().simple())
}

//! `konstruct ai-gateway`: flags, files with secrets, ports.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use konstruct_guard::Network;
use konstruct_media::Place;
use konstruct_queue::Bus;
use konstruct_store::{Keyring, Store};
use konstruct_telemetry::{Readiness, serve_admin};
use kube::{Client, Config as KubeConfig};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Config, Error, Identity, serve};

/// Passes requests of runtimes on to model providers, and meters them.
#[derive(Clone, Debug, ClapArgs)]
pub struct Args {
    /// Where runtimes reach the ai-gateway.
    #[arg(long, env = "KONSTRUCT_LISTEN", default_value = "0.0.0.0:8081")]
    listen: SocketAddr,
    /// Where probes and scrapers reach it. Never public.
    #[arg(long, env = "KONSTRUCT_ADMIN_LISTEN", default_value = "0.0.0.0:9090")]
    admin_listen: SocketAddr,
    /// File with the PostgreSQL URL, of the role konstruct_ai_gateway.
    #[arg(long, env = "KONSTRUCT_DATABASE_URL_FILE")]
    database_url_file: PathBuf,
    /// File with the Redis URL.
    #[arg(long, env = "KONSTRUCT_REDIS_URL_FILE")]
    redis_url_file: PathBuf,
    /// File with the key that encrypts provider secrets: 64 hexadecimal digits.
    #[arg(long, env = "KONSTRUCT_PROVIDER_KEY_FILE")]
    provider_key_file: PathBuf,
    /// Audience that a runtime's service-account token must be made for.
    #[arg(long, env = "KONSTRUCT_AUDIENCE", default_value = "konstruct-ai-gateway")]
    audience: String,
    /// Let providers of the type `scripted` answer. They are for demos and tests, not for people.
    #[arg(long, env = "KONSTRUCT_ALLOW_SCRIPTED_MODELS")]
    allow_scripted_models: bool,
    /// Where the gateway keeps files, as its own flag says: s3://BUCKET/PREFIX or a folder. Without it models are told that
    /// there was a picture, and do not see it.
    #[arg(long, env = "KONSTRUCT_MEDIA_PLACE")]
    media_place: Option<String>,
    /// Networks such as 10.20.0.0/16 in which tenants' own providers may be although they are not public; several with
    /// commas. Providers that the platform shares may be anywhere.
    #[arg(long, env = "KONSTRUCT_PROVIDER_NETWORKS", value_delimiter = ',')]
    provider_networks: Vec<Network>,
    /// Most connections to PostgreSQL.
    #[arg(long, env = "KONSTRUCT_DATABASE_CONNECTIONS", default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=1000))]
    database_connections: u32,
}

/// Runs the role until shutdown.
pub async fn run(args: Args, shutdown: CancellationToken) -> Result<(), Error> {
    let keyring = Keyring::from_hex(None, Some(&read_secret(&args.provider_key_file)?))?;
    let store = Store::connect(&read_secret(&args.database_url_file)?, args.database_connections, keyring)?;
    let bus = Bus::connect(&read_secret(&args.redis_url_file)?)?;
    let kubernetes = KubeConfig::infer().await.map_err(Error::KubernetesConfig)?;
    let client = Client::try_from(kubernetes).map_err(Error::Kubernetes)?;
    let readiness = Readiness::new();
    let admin = serve_admin(listen(args.admin_listen).await?, readiness.clone(), shutdown.clone());
    let config = Config {
        listener: listen(args.listen).await?,
        store,
        bus,
        readiness,
        identity: Identity::TokenReview { client, audience: args.audience },
        allow_scripted: args.allow_scripted_models,
        provider_networks: args.provider_networks,
        media: args.media_place.as_deref().map(Place::open).transpose()?,
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

//! The shared roles, in this process on loopback.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use konstruct_ai_gateway::{Identity, LocalTokens};
use konstruct_gateway::{ChannelSettings, SlackSettings};
use konstruct_queue::Bus;
use konstruct_store::{Keyring, Store};
use konstruct_telemetry::Readiness;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::keys::Keys;
use super::services::{AI_GATEWAY, GATEWAY, OPERATOR, Services};
use super::slack::{self, Room};
use super::{Args, terminal};

const CONNECTIONS: u32 = 8;
/// How many ports after the wanted one are tried.
const PORTS_TRIED: u16 = 50;
const LOCAL: [&str; 5] = ["127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
pub(crate) const SLACK: &str = "https://slack.com/api";

/// Listeners and parts, made before anything runs.
pub(crate) struct Platform {
    gateway: TcpListener,
    ai_gateway: TcpListener,
    /// The stand-in's; None when replies go to a Slack that is not ours.
    slack: Option<TcpListener>,
    slack_base_url: String,
    shared_signing_secret: SecretString,
    tokens: LocalTokens,
}

/// Where the platform is reached.
pub(crate) struct Addresses {
    pub(crate) gateway: String,
    pub(crate) ai_gateway: String,
    /// The stand-in's page.
    pub(crate) slack_page: Option<String>,
}

/// Which keys a role gets, as in a cluster.
fn keyring(keys: &Keys, channel: bool, provider: bool) -> Keyring {
    let key = |wanted: bool, purpose: &str| wanted.then(|| keys.bytes(purpose));
    Keyring::new(key(channel, "channel-key"), key(provider, "provider-key"))
}

pub(crate) fn operator_store(services: &Services, keys: &Keys) -> Result<Store> {
    store(services, keys, OPERATOR, keyring(keys, true, true))
}

fn store(services: &Services, keys: &Keys, role: &str, keyring: Keyring) -> Result<Store> {
    Ok(Store::connect(&services.database_url(role, &keys.password(role))?, CONNECTIONS, keyring)?)
}

impl Platform {
    /// Binds all ports. `slack` is the address of a Slack that is not ours; without one the stand-in takes its place.
    pub(crate) async fn bind(
        args: &Args,
        slack: Option<String>,
        shared_signing_secret: SecretString,
        tokens: LocalTokens,
    ) -> Result<(Self, Addresses)> {
        let gateway = bind(args.port).await?;
        let ai_gateway = bind(0).await?;
        let stand_in = if slack.is_some() { None } else { Some(bind(args.slack_port).await?) };
        let addresses = Addresses {
            gateway: url(&gateway)?,
            ai_gateway: url(&ai_gateway)?,
            slack_page: stand_in.as_ref().map(url).transpose()?,
        };
        let stand_in_api = addresses.slack_page.as_ref().map(|page| format!("{page}/api"));
        let slack_base_url = slack.or(stand_in_api).unwrap_or_else(|| SLACK.to_owned());
        let platform =
            Self { gateway, ai_gateway, slack: stand_in, slack_base_url, shared_signing_secret, tokens };
        Ok((platform, addresses))
    }

    /// Starts the roles. A role that ends before shutdown takes the others with it: see [`first_failure`].
    pub(crate) fn start(
        self,
        services: &Services,
        keys: &Keys,
        room: Arc<Room>,
        shutdown: &CancellationToken,
    ) -> Result<Roles> {
        let (gateway_ready, ai_gateway_ready) = (Readiness::new(), Readiness::new());
        let media = konstruct_media::Place::open(&services.media_folder())?;
        let gateway = konstruct_gateway::Config {
            listener: self.gateway,
            store: store(services, keys, GATEWAY, keyring(keys, true, false))?,
            bus: Bus::connect(services.redis_url())?,
            readiness: gateway_ready.clone(),
            channels: ChannelSettings {
                slack: SlackSettings {
                    base_url: self.slack_base_url,
                    signing_secret: Some(self.shared_signing_secret),
                    ..SlackSettings::default()
                },
                ..ChannelSettings::default()
            },
            public_url: None,
            owner: "dev".to_owned(),
            allowances: konstruct_gateway::Allowances::default(),
            media: Some(media.clone()),
            media_retention: std::time::Duration::from_hours(24 * 90),
            trusted_proxies: 0,
        };
        let ai_gateway = konstruct_ai_gateway::Config {
            listener: self.ai_gateway,
            store: store(services, keys, AI_GATEWAY, keyring(keys, false, true))?,
            bus: Bus::connect(services.redis_url())?,
            readiness: ai_gateway_ready.clone(),
            identity: Identity::Local(self.tokens),
            allow_scripted: true,
            media: Some(media),
            // Everything is on this machine, models too.
            provider_networks: LOCAL.map(str::parse).into_iter().collect::<Result<_, _>>()?,
        };
        let mut tasks = JoinSet::new();
        let stop = shutdown.clone();
        tasks.spawn(async { konstruct_gateway::serve(gateway, stop).await.context("the gateway ended") });
        let stop = shutdown.clone();
        tasks.spawn(async {
            konstruct_ai_gateway::serve(ai_gateway, stop).await.context("the ai-gateway ended")
        });
        if let Some(listener) = self.slack {
            let stop = shutdown.clone();
            tasks.spawn(async {
                slack::serve(listener, room, stop).await.context("the Slack stand-in ended")
            });
        }
        Ok(Roles { tasks, ready: [gateway_ready, ai_gateway_ready] })
    }
}

/// The shared roles while they run.
pub(crate) struct Roles {
    tasks: JoinSet<Result<()>>,
    ready: [Readiness; 2],
}

impl Roles {
    pub(crate) async fn wait_until_ready(&self) {
        for readiness in &self.ready {
            readiness.wait_until_ready().await;
        }
    }

    /// What the roles wait for, for a person whose patience is over.
    pub(crate) fn report(&self) -> String {
        self.ready.iter().map(Readiness::report).collect()
    }

    /// Returns when a role has ended that should not have.
    pub(crate) async fn first_failure(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Ok(Ok(()))) => anyhow!("a role ended by itself"),
            Some(Ok(Err(error))) => error,
            Some(Err(error)) => anyhow!(error).context("a role crashed"),
            None => anyhow!("no role runs"),
        }
    }

    /// Waits for all roles, after shutdown was asked for.
    pub(crate) async fn finish(mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok(Err(error)) = ended {
                tracing::warn!(error = format!("{error:#}"), "while stopping");
            }
        }
    }
}

fn url(listener: &TcpListener) -> Result<String> {
    let address = listener.local_addr().context("a listener has no address")?;
    Ok(format!("http://{address}"))
}

/// Binds the wanted loopback port or the next free one.
async fn bind(wanted: u16) -> Result<TcpListener> {
    let last = wanted.saturating_add(PORTS_TRIED);
    for port in wanted..=last {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Ok(listener) => {
                if port != wanted {
                    terminal::say(&format!("Port {wanted} is in use, so this is port {port}"));
                }
                return Ok(listener);
            }
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error).with_context(|| format!("cannot listen on 127.0.0.1:{port}")),
        }
    }
    Err(anyhow!("the ports {wanted} to {last} of 127.0.0.1 are all in use: choose another with --port"))
}

//! Three tenants with Slack and web chat, the platform's processes around them, and doubles of what is outside.

use std::fs;
use std::net::TcpListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use konstruct_domain::snapshot::{
    AgentSnapshot, ChannelSnapshot, ConnectionSnapshot, Manners, ModelChoice, ProviderOwner, SecretField,
    SecretPurpose, SecretVersion, SlackSnapshot, TenantSnapshot, WebChatSnapshot,
};
use konstruct_domain::{Kind, TenantId};
use konstruct_local_services::{Dir, LocalServices, Options};
use konstruct_store::{Keyring, Store, TenantRecord};
use konstruct_testkit::slack::{App, SlackDouble, Workspace};
use konstruct_testkit::{TestDatabase, unique_slug};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::role::Role;
use crate::{Args, model};

pub(crate) const TENANTS: usize = 3;
const KEY: [u8; 32] = [7; 32];
const SIGNING_SECRET: &str = "chaos-signing-secret";
const PASSWORD: &str = "tenant-password";
const START: Duration = Duration::from_mins(1);
/// All write from one address, and in a tenant's Slack as one person.
const LIMITS: [&str; 4] = [
    "--messages-per-minute-connection",
    "--messages-per-minute-conversation",
    "--messages-per-minute-person",
    "--requests-per-minute-address",
];

pub(crate) struct World {
    pub(crate) services: Arc<LocalServices>,
    pub(crate) store: Store,
    pub(crate) slack: SlackDouble,
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) gateway_url: String,
    /// The gateway first, then the runtimes.
    pub(crate) roles: Mutex<Vec<Role>>,
    pub(crate) http: reqwest::Client,
    folder: Mutex<Option<tempfile::TempDir>>,
    logs: PathBuf,
}

pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) app: App,
    pub(crate) web_chat: ConnectionSnapshot,
}

impl World {
    pub(crate) async fn start(args: &Args) -> Result<Self> {
        let executable = fs::canonicalize(&args.executable)
            .with_context(|| format!("{} is not there: build it", args.executable.display()))?;
        let services = tokio::task::spawn_blocking(|| {
            LocalServices::start(&Options { dir: Dir::Temporary, durable: true })
        });
        let services = Arc::new(services.await??);
        let database = TestDatabase::create_on(services.database_url()).await;
        let keyring = Keyring::new(Some(KEY), None);
        let operator = Store::connect(&database.operator_url(), 4, keyring.clone())?;
        let store = Store::connect(&database.gateway_url(), 4, keyring)?;
        let slack = SlackDouble::start().await;
        let folder = tempfile::tempdir()?;
        let logs = folder.path().to_owned();
        let files = Files { folder: logs.clone() };
        let model = model::serve().await?;
        let (gateway, admin) = (free_port()?, free_port()?);
        let redis = files.write("redis-url", services.redis_url())?;
        let mut arguments = vec!["gateway".to_owned()];
        arguments.extend(flag("--listen", &format!("127.0.0.1:{gateway}")));
        arguments.extend(flag("--admin-listen", &format!("127.0.0.1:{admin}")));
        let url = database.gateway_url();
        arguments.extend(flag("--database-url-file", &files.write("gateway-url", url.expose_secret())?));
        arguments.extend(flag("--redis-url-file", &redis));
        arguments.extend(flag("--channel-key-file", &files.write("channel-key", &"07".repeat(32))?));
        arguments.extend(flag("--slack-signing-secret-file", &files.write("signing", SIGNING_SECRET)?));
        arguments.extend(flag("--slack-base-url", &slack.base_url()));
        for limited in LIMITS {
            arguments.extend(flag(limited, "1000000"));
        }
        let mut roles = vec![Role::new("gateway", &konstruct_faults::GATEWAY, &executable, arguments, &logs)];
        let mut tenants = Vec::new();
        for number in 0..TENANTS {
            let (tenant, url) = employ(&operator, &database, &slack, number, args.conversations).await?;
            let url = files.write(&format!("runtime-{number}-url"), url.expose_secret())?;
            // The first tenant has two runtimes: one takes over what the other holds while that is paused.
            for twin in 0..if number == 0 { 2 } else { 1 } {
                let mut arguments = vec!["runtime".to_owned()];
                arguments.extend(flag("--tenant", &tenant.id.to_string()));
                arguments.extend(flag("--database-url-file", &url));
                arguments.extend(flag("--redis-url-file", &redis));
                arguments.extend(flag("--ai-gateway-url", &model));
                arguments.extend(flag("--token-file", &files.write("token", "token")?));
                arguments.extend(flag("--admin-listen", &format!("127.0.0.1:{}", free_port()?)));
                let name = format!("runtime-{number}-{twin}");
                roles.push(Role::new(&name, &konstruct_faults::RUNTIME, &executable, arguments, &logs));
            }
            tenants.push(tenant);
        }
        for role in &mut roles {
            role.start(None)?;
        }
        let world = Self {
            services,
            store,
            slack,
            tenants,
            gateway_url: format!("http://127.0.0.1:{gateway}"),
            roles: Mutex::new(roles),
            http: reqwest::Client::builder().timeout(Duration::from_secs(3)).build()?,
            folder: Mutex::new(Some(folder)),
            logs,
        };
        world.wait_until_ready(admin).await?;
        Ok(world)
    }

    async fn wait_until_ready(&self, admin: u16) -> Result<()> {
        let url = format!("http://127.0.0.1:{admin}/readyz");
        let began = std::time::Instant::now();
        while began.elapsed() < START {
            if self.http.get(&url).send().await.is_ok_and(|response| response.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the gateway is not ready after {START:?}: see {}", self.logs.display())
    }

    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }

    /// Everything runs, and nothing fails any more.
    pub(crate) async fn calm(&self) -> Result<()> {
        let mut roles = self.roles.lock().await;
        for role in roles.iter_mut() {
            role.kill().await;
            role.start(None)?;
        }
        Ok(())
    }

    pub(crate) fn keep_logs(&self) {
        if let Some(folder) = self.folder.try_lock().ok().and_then(|mut folder| folder.take()) {
            println!("logs are kept in {}", folder.keep().display());
        }
    }
}

struct Files {
    folder: PathBuf,
}

impl Files {
    fn write(&self, name: &str, content: &str) -> Result<String> {
        let path = self.folder.join(name);
        fs::write(&path, content)?;
        Ok(path.display().to_string())
    }
}

fn flag(name: &str, value: &str) -> [String; 2] {
    [name.to_owned(), value.to_owned()]
}

fn free_port() -> Result<u16> {
    Ok(StdListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// What the operator does for a tenant with one employee, on Slack and in a web chat.
async fn employ(
    operator: &Store,
    database: &TestDatabase,
    slack: &SlackDouble,
    number: usize,
    conversations: usize,
) -> Result<(Tenant, SecretString)> {
    let slug = unique_slug("chaos");
    let id = TenantId::from_slug(&slug);
    let display_name = format!("Company {number}");
    let record = TenantRecord {
        id,
        slug: slug.clone(),
        namespace: slug.namespace(),
        display_name: display_name.clone(),
    };
    operator.upsert_tenant(&record).await?;
    operator.ensure_database_role(id, &slug, &PASSWORD.into()).await?;
    let tenant = TenantSnapshot {
        slug: slug.clone(),
        display_name,
        concurrent_turns: None,
        tokens_per_month: None,
        spend_per_month: None,
    };
    operator.publish(id, Kind::Tenant, slug.as_str(), &tenant, &[]).await?;
    let agent = agent()?;
    operator.publish(id, Kind::Agent, agent.name.as_str(), &agent, &[]).await?;

    let mut workspace = Workspace::new(&format!("T{number}"));
    workspace.channels.extend((0..conversations).map(channel));
    slack.add_workspace(workspace.clone());
    let token = SecretString::from(workspace.bot_token.clone());
    let version = operator.keyring().fingerprint(SecretPurpose::Channel, &token)?;
    let channel = ChannelSnapshot::Slack(SlackSnapshot {
        team_id: workspace.team_id.clone(),
        bot_token: SecretVersion { field: SecretField::SlackBotToken, version },
        signing_secret: None,
    });
    let connect = |name: &str, channel| -> Result<ConnectionSnapshot> {
        let public_id = operator.keyring().public_id(id, name)?;
        Ok(ConnectionSnapshot {
            name: name.parse()?,
            agent: agent.name.clone(),
            public_id,
            channel,
            pause: None,
            manners: Manners::default(),
        })
    };
    let connection = connect("slack", channel)?;
    let secrets = [(SecretField::SlackBotToken, token)];
    operator.publish(id, Kind::ChannelConnection, "slack", &connection, &secrets).await?;
    let page = WebChatSnapshot { title: "Chat".to_owned(), ..WebChatSnapshot::default() };
    let web_chat = connect("web", ChannelSnapshot::WebChat(page))?;
    operator.publish(id, Kind::ChannelConnection, "web", &web_chat, &[]).await?;
    let url = database.url_for(&slug.database_role(), PASSWORD);
    Ok((Tenant { id, app: App::new(&workspace, SIGNING_SECRET), web_chat }, url))
}

/// A channel for each conversation: Slack takes one message a second in each.
pub(crate) fn channel(conversation: usize) -> String {
    format!("C{conversation:05}")
}

fn agent() -> Result<AgentSnapshot> {
    let model = ModelChoice {
        provider: "chaos".parse()?,
        owner: ProviderOwner::Tenant,
        model: "repeating".to_owned(),
        max_output_tokens: 1024,
        temperature_milli: None,
    };
    Ok(AgentSnapshot {
        name: "ada".parse()?,
        display_name: "Ada".to_owned(),
        role: "Front desk".to_owned(),
        persona: String::new(),
        instructions: String::new(),
        models: vec![model],
        window_messages: 10,
        dedicated: false,
        paused: false,
    })
}

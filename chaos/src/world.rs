//! Three tenants with four channels each, the platform's processes around them, and doubles of what is outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use konstruct_local_services::{Dir, LocalServices, Options, free_port};
use konstruct_store::{Keyring, Store};
use konstruct_testkit::TestDatabase;
use konstruct_testkit::slack::SlackDouble;
use konstruct_testkit::telegram::TelegramDouble;
use konstruct_testkit::whatsapp::WhatsAppDouble;
use secrecy::ExposeSecret;
use tokio::sync::Mutex;

use crate::role::Role;
use crate::tenant::{META_APP_SECRET, Platforms, SLACK_SIGNING_SECRET, Tenant, employ};
use crate::{Args, model};

pub(crate) const TENANTS: usize = 3;
const KEY: [u8; 32] = [7; 32];
/// Where Telegram believes the gateway to be.
pub(crate) const PUBLIC_ADDRESS: &str = "https://chat.example";
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
    /// As the superuser sees it.
    pub(crate) database: TestDatabase,
    pub(crate) platforms: Platforms,
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) gateway_url: String,
    /// The gateway first, then the runtimes.
    pub(crate) roles: Mutex<Vec<Role>>,
    pub(crate) http: reqwest::Client,
    folder: Mutex<Option<tempfile::TempDir>>,
    logs: PathBuf,
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
        let platforms = Platforms {
            slack: SlackDouble::start().await,
            whatsapp: WhatsAppDouble::start().await,
            telegram: TelegramDouble::start().await,
        };
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
        arguments.extend(flag("--slack-signing-secret-file", &files.write("signing", SLACK_SIGNING_SECRET)?));
        arguments.extend(flag("--slack-base-url", &platforms.slack.base_url()));
        arguments.extend(flag("--whatsapp-app-secret-file", &files.write("meta", META_APP_SECRET)?));
        arguments.extend(flag("--whatsapp-verify-token-file", &files.write("verify", "chaos-verify-token")?));
        // The double reports within a second.
        arguments.extend(flag("--whatsapp-report-within-seconds", "20"));
        arguments.extend(flag("--whatsapp-base-url", &platforms.whatsapp.base_url()));
        arguments.extend(flag("--telegram-base-url", &platforms.telegram.base_url()));
        arguments.extend(flag("--public-address", PUBLIC_ADDRESS));
        arguments.extend(flag("--media-place", &files.folder("media")?));
        for limited in LIMITS {
            arguments.extend(flag(limited, "1000000"));
        }
        let mut roles = vec![Role::new("gateway", &konstruct_faults::GATEWAY, &executable, arguments, &logs)];
        let mut tenants = Vec::new();
        for number in 0..TENANTS {
            let tenant = employ(&operator, &database, &platforms, number, args.conversations).await?;
            let url = tenant.database_url.expose_secret();
            let url = files.write(&format!("runtime-{number}-url"), url)?;
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
            database,
            platforms,
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
            let ready = self.http.get(&url).send().await.is_ok_and(|response| response.status().is_success());
            if ready && self.bots_are_connected() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the gateway is not ready after {START:?}: see {}", self.logs.display())
    }

    fn bots_are_connected(&self) -> bool {
        let telegram = &self.platforms.telegram;
        let polled = telegram.calls("getUpdates") > 0;
        let connected = |tenant: &Tenant| {
            if tenant.has_webhook { telegram.webhook(&tenant.bot.username).is_some() } else { polled }
        };
        self.tenants.iter().all(connected)
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

    fn folder(&self, name: &str) -> Result<String> {
        let path = self.folder.join(name);
        fs::create_dir(&path)?;
        Ok(path.display().to_string())
    }
}

fn flag(name: &str, value: &str) -> [String; 2] {
    [name.to_owned(), value.to_owned()]
}

//! A gateway on a port of its own, with tenants, connections and somebody who answers.

use std::future::Future;
use std::time::{Duration, Instant};

use konstruct_domain::revision::Revision;
use konstruct_domain::snapshot::{
    ChannelSnapshot, ConnectionSnapshot, Manners, SecretField, SecretPurpose, SecretVersion, SlackSnapshot,
    WebChatSnapshot,
};
use konstruct_domain::{Kind, TenantId};
use konstruct_gateway::{Allowances, ChannelSettings, Config, SlackSettings, serve};
use konstruct_media::Place;
use konstruct_queue::{Bus, Signal};
use konstruct_store::{Claim, Keyring, Store, TenantRecord, TenantStore, Turn, TurnOutcome};
use konstruct_telemetry::Readiness;
use konstruct_testkit::slack::{App, SignedRequest, SlackDouble, Workspace};
use konstruct_testkit::telegram::TelegramDouble;
use konstruct_testkit::whatsapp::WhatsAppDouble;
use konstruct_testkit::{TestDatabase, redis_url, unique_slug};
use reqwest::{Response, StatusCode};
use secrecy::SecretString;
use serde_json::Value;
use sqlx::PgConnection;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

const PASSWORD: &str = "tenant-password";
pub(crate) const SHARED_SECRET: &str = "shared-signing-secret";
pub(crate) const SHARED_APP_SECRET: &str = "shared-app-secret";
pub(crate) const SHARED_VERIFY_TOKEN: &str = "shared-verify-token";
pub(crate) const PUBLIC_URL: &str = "https://chat.example.com";
const LEASE: Duration = Duration::from_secs(30);
const MEDIA_RETENTION: Duration = Duration::from_hours(1);
/// Longest that anything may take on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) operator: Store,
    pub(crate) gateway_store: Store,
    pub(crate) bus: Bus,
    pub(crate) slack: SlackDouble,
    pub(crate) whatsapp: WhatsAppDouble,
    pub(crate) telegram: TelegramDouble,
    pub(crate) channels: ChannelSettings,
    pub(crate) readiness: Readiness,
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    /// Where pictures lie.
    pub(crate) files: tempfile::TempDir,
    /// None: it was stopped.
    shutdown: Option<DropGuard>,
}

pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) runtime: TenantStore,
}

/// A Slack connection with the app that delivers to it.
pub(crate) struct SlackConnection {
    pub(crate) snapshot: ConnectionSnapshot,
    pub(crate) app: App,
    /// Where the app delivers.
    pub(crate) path: String,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_on(TestDatabase::create().await, &redis_url()).await
    }

    pub(crate) async fn start_on(database: TestDatabase, redis_url: &SecretString) -> Self {
        let keyring = Keyring::new(Some([7; 32]), None);
        let operator = Store::connect(&database.operator_url(), 4, keyring.clone()).unwrap();
        let gateway_store = Store::connect(&database.gateway_url(), 8, keyring).unwrap();
        let bus = Bus::connect(redis_url).unwrap();
        let slack = SlackDouble::start().await;
        let (whatsapp, telegram) = (WhatsAppDouble::start().await, TelegramDouble::start().await);
        let mut channels = ChannelSettings {
            slack: SlackSettings {
                base_url: slack.base_url(),
                signing_secret: Some(SHARED_SECRET.into()),
                ..SlackSettings::default()
            },
            ..ChannelSettings::default()
        };
        channels.whatsapp.base_url = whatsapp.base_url();
        channels.whatsapp.app_secret = Some(SHARED_APP_SECRET.into());
        channels.whatsapp.verify_token = Some(SHARED_VERIFY_TOKEN.into());
        channels.telegram.base_url = telegram.base_url();
        let readiness = Readiness::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let files = tempfile::tempdir().unwrap();
        let config = Config {
            listener,
            store: gateway_store.clone(),
            bus: bus.clone(),
            readiness: readiness.clone(),
            channels: channels.clone(),
            public_url: Some(PUBLIC_URL.to_owned()),
            owner: "test-gateway".to_owned(),
            allowances: Allowances::default(),
            media: Some(Place::open(files.path().to_str().unwrap()).unwrap()),
            media_retention: MEDIA_RETENTION,
            trusted_proxies: 1,
        };
        tokio::spawn(serve(config, shutdown.clone()));
        timeout(PATIENCE, readiness.wait_until_ready()).await.unwrap();
        let http = reqwest::Client::new();
        Self {
            database,
            operator,
            gateway_store,
            bus,
            slack,
            whatsapp,
            telegram,
            channels,
            readiness,
            http,
            url,
            files,
            shutdown: Some(shutdown.drop_guard()),
        }
    }

    pub(crate) fn stop_gateway(&mut self) {
        self.shutdown = None;
    }

    /// The next one, in its place.
    pub(crate) async fn start_gateway(&mut self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.url = format!("http://{}", listener.local_addr().unwrap());
        self.shutdown = Some(self.gateway_on(listener).await);
    }

    /// Another gateway on the same databases and files, until the guard is dropped.
    pub(crate) async fn another_gateway(&self) -> DropGuard {
        self.gateway_on(TcpListener::bind("127.0.0.1:0").await.unwrap()).await
    }

    async fn gateway_on(&self, listener: TcpListener) -> DropGuard {
        let (readiness, shutdown) = (Readiness::new(), CancellationToken::new());
        let config = Config {
            listener,
            store: self.gateway_store.clone(),
            bus: self.bus.clone(),
            readiness: readiness.clone(),
            channels: self.channels.clone(),
            public_url: Some(PUBLIC_URL.to_owned()),
            owner: "other-gateway".to_owned(),
            allowances: Allowances::default(),
            media: Some(self.place()),
            media_retention: MEDIA_RETENTION,
            trusted_proxies: 1,
        };
        tokio::spawn(serve(config, shutdown.clone()));
        timeout(PATIENCE, readiness.wait_until_ready()).await.unwrap();
        shutdown.drop_guard()
    }

    /// Where files lie.
    pub(crate) fn place(&self) -> Place {
        Place::open(self.files.path().to_str().unwrap()).unwrap()
    }

    pub(crate) async fn tenant(&self, stem: &str) -> Tenant {
        let slug = unique_slug(stem);
        let id = TenantId::from_slug(&slug);
        let (namespace, display_name) = (slug.namespace(), stem.to_owned());
        self.operator
            .upsert_tenant(&TenantRecord { id, slug: slug.clone(), namespace, display_name })
            .await
            .unwrap();
        self.operator.ensure_database_role(id, &slug, &PASSWORD.into()).await.unwrap();
        let runtime = TenantStore::connect(&self.database.url_for(&slug.database_role(), PASSWORD)).unwrap();
        Tenant { id, runtime }
    }

    /// A connection to a workspace through the platform's app.
    pub(crate) async fn connect_slack(&self, tenant: &Tenant, team_id: &str) -> SlackConnection {
        self.connect(tenant, Workspace::new(team_id), None).await
    }

    /// A connection to a workspace through an app of its own.
    pub(crate) async fn connect_own_slack(&self, tenant: &Tenant, team_id: &str) -> SlackConnection {
        let own = (SecretField::SlackSigningSecret, "own-signing-secret");
        self.connect(tenant, Workspace::new(team_id), Some(own)).await
    }

    /// A connection to a workspace through Socket Mode.
    pub(crate) async fn connect_slack_socket(
        &self,
        tenant: &Tenant,
        workspace: Workspace,
        app_token: &str,
    ) -> SlackConnection {
        self.connect(tenant, workspace, Some((SecretField::SlackAppToken, app_token))).await
    }

    async fn connect(
        &self,
        tenant: &Tenant,
        workspace: Workspace,
        own: Option<(SecretField, &str)>,
    ) -> SlackConnection {
        self.slack.add_workspace(workspace.clone());
        let team_id = workspace.team_id.as_str();
        let name = format!("slack-{}", team_id.to_lowercase());
        let own_secret = |field| own.filter(|(of, _)| *of == field).map(|(_, secret)| secret);
        let signing_secret = own_secret(SecretField::SlackSigningSecret);
        let snapshot = ConnectionSnapshot {
            agent: "ada".parse().unwrap(),
            public_id: self.operator.keyring().public_id(tenant.id, &name).unwrap(),
            channel: ChannelSnapshot::Slack(SlackSnapshot {
                team_id: team_id.to_owned(),
                bot_token: self.version(SecretField::SlackBotToken, &workspace.bot_token),
                signing_secret: signing_secret
                    .map(|secret| self.version(SecretField::SlackSigningSecret, secret)),
                app_token: own_secret(SecretField::SlackAppToken)
                    .map(|token| self.version(SecretField::SlackAppToken, token)),
            }),
            name: name.parse().unwrap(),
            pause: None,
            manners: Manners::default(),
        };
        let mut secrets = vec![(SecretField::SlackBotToken, SecretString::from(workspace.bot_token.clone()))];
        secrets.extend(own.map(|(field, secret)| (field, secret.into())));
        self.publish(tenant, &snapshot, &secrets).await;
        let path = match own {
            Some(_) => format!("/slack/{}/events", snapshot.public_id),
            None => "/slack/events".to_owned(),
        };
        SlackConnection { app: App::new(&workspace, signing_secret.unwrap_or(SHARED_SECRET)), snapshot, path }
    }

    /// The bot token that a connection to the workspace is published with.
    pub(crate) fn slack_token(team_id: &str) -> (SecretField, SecretString) {
        (SecretField::SlackBotToken, Workspace::new(team_id).bot_token.into())
    }

    pub(crate) fn version(&self, field: SecretField, value: &str) -> SecretVersion {
        let version = self.operator.keyring().fingerprint(SecretPurpose::Channel, &value.into()).unwrap();
        SecretVersion { field, version }
    }

    pub(crate) async fn connect_webchat(&self, tenant: &Tenant) -> ConnectionSnapshot {
        let snapshot = ConnectionSnapshot {
            name: "web".parse().unwrap(),
            agent: "ada".parse().unwrap(),
            public_id: self.operator.keyring().public_id(tenant.id, "web").unwrap(),
            channel: ChannelSnapshot::WebChat(WebChatSnapshot {
                title: "Ask <Ada> & co".to_owned(),
                greeting: "Hello, I'm \"Ada\".".to_owned(),
                ..WebChatSnapshot::default()
            }),
            pause: None,
            manners: Manners::default(),
        };
        self.publish(tenant, &snapshot, &[]).await;
        snapshot
    }

    /// Puts a connection in force and waits until the gateway says that it has loaded it.
    pub(crate) async fn publish(
        &self,
        tenant: &Tenant,
        snapshot: &ConnectionSnapshot,
        secrets: &[(SecretField, SecretString)],
    ) {
        let (kind, name) = (Kind::ChannelConnection, snapshot.name.as_str());
        let published = self.operator.publish(tenant.id, kind, name, snapshot, secrets).await.unwrap();
        self.bus.publish(Signal::Config(tenant.id)).await;
        eventually("the gateway loads the connection", async || {
            self.operator.standing(tenant.id, kind, name).await.unwrap().loaded.as_ref()
                == Some(&published.revision)
        })
        .await;
    }

    pub(crate) async fn post(&self, path: &str, request: SignedRequest) -> Response {
        let request = self
            .http
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .header("x-slack-request-timestamp", request.timestamp)
            .header("x-slack-signature", request.signature)
            .body(request.body);
        request.send().await.unwrap()
    }

    /// Posts a delivery with the headers that prove where it comes from, again when the gateway is too busy.
    pub(crate) async fn post_signed(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> StatusCode {
        for _ in 0..20 {
            let mut request = self.http.post(format!("{}{path}", self.url));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let status = request.body(body.to_vec()).send().await.unwrap().status();
            if status != StatusCode::SERVICE_UNAVAILABLE {
                return status;
            }
            sleep(Duration::from_millis(500)).await;
        }
        StatusCode::SERVICE_UNAVAILABLE
    }

    /// As if nobody had to wait for the next try.
    pub(crate) async fn make_due(&self, tenant: &Tenant) {
        self.execute(
            // Not what is being sent: it would be taken from its sender again and again.
            "update konstruct.outbox set due_at = now() where state = 'pending' and lease_owner is null",
        )
        .await;
        self.bus.publish(Signal::Outbox(tenant.id)).await;
    }

    pub(crate) async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&mut self.admin().await).await.unwrap();
    }

    /// One number that a query returns.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&mut self.admin().await).await.unwrap()
    }

    /// Delivers an event as Slack does: again when the gateway is too busy to commit it in time.
    pub(crate) async fn deliver(&self, connection: &SlackConnection, event: &Value) -> StatusCode {
        for _ in 0..20 {
            let status = self.post(&connection.path, connection.app.sign(event)).await.status();
            if status != StatusCode::SERVICE_UNAVAILABLE {
                return status;
            }
            sleep(Duration::from_millis(500)).await;
        }
        StatusCode::SERVICE_UNAVAILABLE
    }

    pub(crate) async fn inbox(&self) -> Vec<InboxRow> {
        sqlx::query_as("select tenant_id, connection, author_id, body from konstruct.inbox order by inbox_id")
            .fetch_all(&mut self.admin().await)
            .await
            .unwrap()
    }

    pub(crate) async fn outbox(&self) -> Vec<OutboxRow> {
        sqlx::query_as(
            "select state, attempt, last_error, platform_message_id from (
                 select outbox_seq, state, attempt + waits as attempt, last_error, null as platform_message_id
                 from konstruct.outbox
                 union all
                 select outbox_seq, 'sent', attempt, null, platform_message_id from konstruct.outbox_sent) o
             order by outbox_seq",
        )
        .fetch_all(&mut self.admin().await)
        .await
        .unwrap()
    }

    pub(crate) async fn admin(&self) -> PgConnection {
        self.database.admin().await
    }

    /// Answers the message that waits longest, as a runtime does.
    pub(crate) async fn answer(&self, tenant: &Tenant, reply: &str) {
        let claim = self.claim(tenant).await;
        tenant.runtime.complete(&claim, &turn(reply)).await.unwrap();
        self.bus.publish(Signal::Outbox(tenant.id)).await;
    }

    pub(crate) async fn claim(&self, tenant: &Tenant) -> Claim {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(claim) = tenant.runtime.claim("test-runtime", LEASE).await.unwrap() {
                return claim;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("no message waits");
    }
}

pub(crate) fn turn(reply: &str) -> Turn {
    Turn {
        reply: reply.to_owned(),
        outcome: TurnOutcome::Answered,
        agent_revision: Revision::of(&"agent").unwrap(),
        provider: None,
        model: None,
        tokens_in: 0,
        tokens_out: 0,
        elapsed: Duration::ZERO,
        files: Vec::new(),
    }
}

#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct InboxRow {
    pub(crate) tenant_id: uuid::Uuid,
    pub(crate) connection: String,
    pub(crate) author_id: String,
    pub(crate) body: String,
}

#[derive(Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct OutboxRow {
    pub(crate) state: String,
    pub(crate) attempt: i32,
    pub(crate) last_error: Option<String>,
    pub(crate) platform_message_id: Option<String>,
}

/// Waits for something to become true.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if condition().await {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain: {what}");
}

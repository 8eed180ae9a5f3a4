//! One tenant with one employee, the roles around its runtime, and eyes on the database.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use konstruct_domain::message::{Addressing, Attachment, InboundMessage, ReplyTarget};
use konstruct_domain::snapshot::{AgentSnapshot, TenantSnapshot};
use konstruct_domain::{ConversationId, Kind, Slug, TenantId};
use konstruct_queue::{Bus, Signal};
use konstruct_runtime::{Config, Timing, TokenSource, serve_with};
use konstruct_store::{Accepted, Keyring, Store, TenantRecord, TenantStore};
use konstruct_telemetry::{LogFormat, Readiness};
use konstruct_testkit::{TestDatabase, redis_url, unique_slug};
use secrecy::SecretString;
use sqlx::{PgConnection, Row};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::ai_gateway::{AGENT, AiGateway, TOKEN};
use crate::employee;

const PASSWORD: &str = "of-the-tenant";
pub(crate) const FIRST_CONTACT: &str = "I'm Ada, an AI employee of Acme Ltd.\n\n";

/// Everything fast, and a lease that outlives any hiccup of the test machine.
pub(crate) fn timing() -> Timing {
    Timing {
        lease: Duration::from_secs(30),
        poll: Duration::from_millis(100),
        grace: Duration::from_secs(10),
        retry: Duration::from_millis(5),
        model_retry: Duration::from_millis(20),
        model_patience: Duration::from_millis(300),
        quiet: Duration::ZERO,
    }
}

pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) tenant: TenantId,
    pub(crate) slug: Slug,
    pub(crate) operator: Store,
    pub(crate) gateway: Store,
    pub(crate) bus: Bus,
    pub(crate) ai_gateway: AiGateway,
    redis_url: SecretString,
}

/// A running runtime. Dropped: killed.
pub(crate) struct Running {
    pub(crate) readiness: Readiness,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// As SIGTERM does, and waits for the end.
    pub(crate) async fn shut_down(mut self) {
        self.shutdown.cancel();
        (&mut self.task).await.unwrap();
    }

    /// As SIGKILL does.
    pub(crate) async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::on(TestDatabase::create().await, redis_url()).await
    }

    pub(crate) async fn on(database: TestDatabase, redis_url: SecretString) -> Self {
        if std::env::var_os("KONSTRUCT_LOG").is_some() {
            // Only the first test of the process can.
            let _ = konstruct_telemetry::init(LogFormat::Text);
        }
        let slug = unique_slug("rt");
        let tenant = TenantId::from_slug(&slug);
        let keyring = Keyring::new(Some([1; 32]), Some([2; 32]));
        let operator = Store::connect(&database.operator_url(), 2, keyring.clone()).unwrap();
        let gateway = Store::connect(&database.gateway_url(), 2, keyring).unwrap();
        let record = TenantRecord {
            id: tenant,
            namespace: slug.namespace(),
            slug: slug.clone(),
            display_name: "Acme Ltd".into(),
        };
        operator.upsert_tenant(&record).await.unwrap();
        operator.ensure_database_role(tenant, &slug, &PASSWORD.to_owned().into()).await.unwrap();
        let snapshot = TenantSnapshot {
            slug: slug.clone(),
            display_name: "Acme Ltd".into(),
            concurrent_turns: None,
            tokens_per_month: None,
            spend_per_month: None,
        };
        operator.publish(tenant, Kind::Tenant, slug.as_str(), &snapshot, &[]).await.unwrap();
        let bus = Bus::connect(&redis_url).unwrap();
        let ai_gateway = AiGateway::start().await;
        let world = Self { database, tenant, slug, operator, gateway, bus, ai_gateway, redis_url };
        world.publish(&employee::agent("Be brief.")).await;
        world
    }

    /// What the operator does when an Agent changes.
    pub(crate) async fn publish(&self, agent: &AgentSnapshot) {
        let name = agent.name.as_str();
        self.operator.publish(self.tenant, Kind::Agent, name, agent, &[]).await.unwrap();
        self.bus.publish(Signal::Config(self.tenant)).await;
    }

    pub(crate) fn config(&self) -> Config {
        let url = self.database.url_for(&self.slug.database_role(), PASSWORD);
        Config {
            tenant: self.tenant,
            store: TenantStore::connect(&url).unwrap(),
            bus: Bus::connect(&self.redis_url).unwrap(),
            readiness: Readiness::new(),
            ai_gateway_url: self.ai_gateway.url(),
            token: TokenSource::Fixed(TOKEN.to_owned().into()),
            owner: "test".into(),
            concurrency: 4,
            messages_per_turn: 50,
        }
    }

    pub(crate) fn start(&self, timing: Timing) -> Running {
        run(self.config(), timing)
    }

    /// The runtime of one agent that has its own.
    pub(crate) fn start_for(&self, agent: &str) -> Running {
        let config = self.config();
        run(Config { store: config.store.clone().dedicated_to(agent.parse().unwrap()), ..config }, timing())
    }

    pub(crate) fn start_with_token_file(&self, path: &Path) -> Running {
        run(Config { token: TokenSource::file(path.to_owned()), ..self.config() }, timing())
    }

    /// A person writes.
    pub(crate) async fn say(&self, conversation: &str, text: &str) -> ConversationId {
        self.say_to(AGENT, conversation, text).await
    }

    pub(crate) async fn say_to(&self, agent: &str, conversation: &str, text: &str) -> ConversationId {
        let id = self.commit(agent, conversation, text).await;
        self.bus.publish(Signal::Inbox(self.tenant)).await;
        id
    }

    /// A message without its wake-up.
    pub(crate) async fn commit(&self, agent: &str, conversation: &str, text: &str) -> ConversationId {
        self.commit_with(agent, conversation, text, Vec::new()).await
    }

    /// One with files that are still at their platform.
    pub(crate) async fn commit_with(
        &self,
        agent: &str,
        conversation: &str,
        text: &str,
        attachments: Vec<Attachment>,
    ) -> ConversationId {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let message = InboundMessage {
            event_id: format!("event-{number}"),
            message_id: format!("message-{number}"),
            conversation_key: conversation.into(),
            author_id: "visitor".into(),
            text: text.into(),
            attachments,
            language: None,
            addressing: Addressing::Addressed,
            reply_to: ReplyTarget::new("web_chat", []),
            raw: Vec::new().into(),
        };
        let connection = employee::connection(agent);
        // As a platform does that got no 2xx: deliver again.
        let accepted = eventually("the message to be committed", async || {
            match self.gateway.accept(self.tenant, &connection, &message).await {
                Err(error) if error.is_unavailable() => None,
                accepted => Some(accepted.unwrap()),
            }
        })
        .await;
        assert_ne!(accepted, Accepted::NotAddressed);
        ConversationId::derive(self.tenant, &connection.name, conversation)
    }

    /// Waits for that many replies in the outbox and checks that there are not more.
    pub(crate) async fn replies(&self, count: usize) -> Vec<String> {
        let replies = eventually(&format!("{count} replies"), async || {
            let replies = self.replies_now().await;
            (replies.len() >= count).then_some(replies)
        })
        .await;
        assert_eq!(replies.len(), count, "{replies:?}");
        replies
    }

    pub(crate) async fn replies_now(&self) -> Vec<String> {
        self.column("select body from konstruct.outbox where tenant_id = $1 order by outbox_seq").await
    }

    /// `outcome/messages` of each turn.
    pub(crate) async fn turns(&self) -> Vec<String> {
        self.column(
            "select outcome || '/' || messages from konstruct.turn where tenant_id = $1 order by finished_at",
        )
        .await
    }

    /// The states of the inbox, one a message.
    pub(crate) async fn inbox(&self) -> Vec<String> {
        self.column(
            "select case when i.inbox_id is not null then 'pending' when p.inbox_id is not null then 'parked'
                 else 'done' end
             from konstruct.delivery d left join konstruct.inbox i using (tenant_id, inbox_id)
             left join konstruct.parked p using (tenant_id, inbox_id)
             where d.tenant_id = $1 order by d.inbox_id",
        )
        .await
    }

    pub(crate) async fn history(&self) -> Vec<String> {
        self.column("select body from konstruct.history where tenant_id = $1 order by seq").await
    }

    pub(crate) async fn column(&self, query: &'static str) -> Vec<String> {
        let rows =
            sqlx::query(query).bind(self.tenant.as_uuid()).fetch_all(&mut self.admin().await).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    pub(crate) async fn change(&self, statement: &'static str) {
        sqlx::query(statement).bind(self.tenant.as_uuid()).execute(&mut self.admin().await).await.unwrap();
    }

    pub(crate) async fn admin(&self) -> PgConnection {
        self.database.admin().await
    }

    /// The agent's ModelAvailable, once it has this reason.
    pub(crate) async fn wait_for_observation(&self, reason: &str) -> String {
        eventually(&format!("the observation {reason}"), async || {
            let seen = self.operator.standing(self.tenant, Kind::Agent, AGENT).await.unwrap().observations;
            seen.into_iter()
                .find(|seen| seen.reason == reason)
                .map(|seen| format!("{} {}", seen.ok, seen.message))
        })
        .await
    }
}

fn run(config: Config, timing: Timing) -> Running {
    let (readiness, shutdown) = (config.readiness.clone(), CancellationToken::new());
    let served = serve_with(config, timing, shutdown.clone());
    let task = tokio::spawn(async move { served.await.unwrap() });
    Running { readiness, shutdown, task }
}

/// Looks until there is something to see. The limit is for a machine under load; nothing depends on it.
pub(crate) async fn eventually<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), looking)
        .await
        .unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

//! A running ai-gateway with what it needs, and the operator's part in it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use konstruct_ai_gateway::{Config, Identity, LocalTokens, serve};
use konstruct_domain::observation::Observation;
use konstruct_domain::revision::Revision;
use konstruct_domain::snapshot::{
    AgentSnapshot, AllowedTenants, ModelChoice, ProviderEndpoint, ProviderOwner, ProviderSnapshot,
    ScriptedRule, SecretField, SecretPurpose, SecretVersion,
};
use konstruct_domain::{Kind, TenantId};
use konstruct_queue::{Bus, Signal};
use konstruct_store::{Keyring, Store, TenantRecord};
use konstruct_telemetry::Readiness;
use konstruct_testkit::llm::{API_KEY, LlmDouble, MODEL};
use konstruct_testkit::{TestDatabase, redis_url, unique_slug};
use reqwest::{Client, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::Row;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

const CHANNEL_KEY: [u8; 32] = [1; 32];
const PROVIDER_KEY: [u8; 32] = [2; 32];
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct World {
    pub(crate) database: TestDatabase,
    pub(crate) operator: Store,
    pub(crate) bus: Bus,
    pub(crate) readiness: Readiness,
    pub(crate) url: String,
    pub(crate) client: Client,
    tokens: LocalTokens,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    _stop: DropGuard,
}

pub(crate) struct Setup {
    pub(crate) database: TestDatabase,
    pub(crate) redis: SecretString,
    pub(crate) identity: Option<Identity>,
    pub(crate) allow_scripted: bool,
}

impl Setup {
    pub(crate) async fn usual() -> Self {
        Self {
            database: TestDatabase::create().await,
            redis: redis_url(),
            identity: None,
            allow_scripted: true,
        }
    }

    pub(crate) async fn start(self) -> World {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let tokens = LocalTokens::new([3; 32]);
        let operator_keys = Keyring::new(Some(CHANNEL_KEY), Some(PROVIDER_KEY));
        let operator = Store::connect(&self.database.operator_url(), 4, operator_keys).unwrap();
        let keys = Keyring::new(None, Some(PROVIDER_KEY));
        let readiness = Readiness::new();
        let config = Config {
            listener,
            store: Store::connect(&self.database.ai_gateway_url(), 8, keys).unwrap(),
            bus: Bus::connect(&self.redis).unwrap(),
            readiness: readiness.clone(),
            identity: self.identity.unwrap_or_else(|| Identity::Local(tokens.clone())),
            allow_scripted: self.allow_scripted,
            media: None,
            // Where the doubles are.
            provider_networks: vec!["127.0.0.0/8".parse().unwrap()],
        };
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let task = tokio::spawn(async move { serve(config, stop).await.unwrap() });
        World {
            database: self.database,
            operator,
            bus: Bus::connect(&self.redis).unwrap(),
            readiness,
            url,
            client: Client::builder().no_proxy().build().unwrap(),
            tokens,
            _stop: shutdown.clone().drop_guard(),
            shutdown,
            task,
        }
    }
}

pub(crate) struct Tenant {
    pub(crate) record: TenantRecord,
    pub(crate) token: SecretString,
}

impl Tenant {
    pub(crate) fn id(&self) -> TenantId {
        self.record.id
    }
}

/// Polls until there is something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The operator's patience with a database on a busy machine.
async fn patiently<T>(mut call: impl AsyncFnMut() -> Result<T, konstruct_store::Error>) -> T {
    eventually("PostgreSQL", async || match call().await {
        Err(error) if error.is_unavailable() => None,
        done => Some(done.unwrap()),
    })
    .await
}

pub(crate) fn anthropic(double: &LlmDouble, key: &SecretVersion) -> ProviderEndpoint {
    ProviderEndpoint::Anthropic { base_url: double.base_url(), api_key: key.clone() }
}

pub(crate) fn openai(double: &LlmDouble, key: &SecretVersion) -> ProviderEndpoint {
    ProviderEndpoint::OpenAi { base_url: double.base_url(), api_key: Some(key.clone()) }
}

pub(crate) fn scripted(reply: &str) -> ProviderEndpoint {
    ProviderEndpoint::Scripted { rules: vec![ScriptedRule { pattern: None, reply: reply.into() }] }
}

pub(crate) fn provider(name: &str, endpoint: ProviderEndpoint) -> ProviderSnapshot {
    ProviderSnapshot {
        name: name.parse().unwrap(),
        endpoint,
        models: vec![MODEL.into()],
        image_models: Vec::new(),
        timeout_seconds: 1,
        allowed_tenants: AllowedTenants::None,
        prices: BTreeMap::new(),
    }
}

pub(crate) fn choice(provider: &str, owner: ProviderOwner) -> ModelChoice {
    ModelChoice {
        provider: provider.parse().unwrap(),
        owner,
        model: MODEL.into(),
        max_output_tokens: 100,
        temperature_milli: Some(500),
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Setup::usual().await.start().await
    }

    pub(crate) async fn tenant(&self) -> Tenant {
        let slug = unique_slug("aigw");
        let id = TenantId::from_slug(&slug);
        let record = TenantRecord { id, namespace: slug.namespace(), slug, display_name: "Acme".into() };
        patiently(async || self.operator.upsert_tenant(&record).await).await;
        Tenant { record, token: self.tokens.issue(id) }
    }

    pub(crate) fn key_version(&self, key: &str) -> SecretVersion {
        let version = self.operator.keyring().fingerprint(SecretPurpose::Provider, &key.into()).unwrap();
        SecretVersion { field: SecretField::ProviderApiKey, version }
    }

    /// Publishes a provider as the operator does, with its key and the wake-up.
    pub(crate) async fn publish_provider(
        &self,
        owner: TenantId,
        snapshot: &ProviderSnapshot,
        key: &str,
    ) -> Revision {
        let secrets: &[_] = match &snapshot.endpoint {
            ProviderEndpoint::Scripted { .. } | ProviderEndpoint::OpenAi { api_key: None, .. } => &[],
            _ => &[(SecretField::ProviderApiKey, SecretString::from(key))],
        };
        let name = snapshot.name.as_str();
        let published = patiently(async || {
            self.operator.publish(owner, Kind::LLMProvider, name, snapshot, secrets).await
        })
        .await;
        self.bus.publish(Signal::Config(owner)).await;
        published.revision
    }

    /// The same, and waits until the ai-gateway says that it has loaded it.
    pub(crate) async fn load_provider(&self, owner: TenantId, snapshot: &ProviderSnapshot, key: &str) {
        let revision = self.publish_provider(owner, snapshot, key).await;
        self.until_loaded(owner, snapshot.name.as_str(), &revision).await;
    }

    pub(crate) async fn until_loaded(&self, owner: TenantId, name: &str, revision: &Revision) {
        eventually("the provider to be loaded", async || {
            let loaded =
                patiently(async || self.operator.standing(owner, Kind::LLMProvider, name).await).await.loaded;
            (loaded.as_ref() == Some(revision)).then_some(())
        })
        .await;
    }

    pub(crate) async fn publish_agent(&self, tenant: &Tenant, name: &str, models: Vec<ModelChoice>) {
        let snapshot = AgentSnapshot {
            name: name.parse().unwrap(),
            display_name: "Ada".into(),
            role: "the librarian".into(),
            persona: String::new(),
            instructions: String::new(),
            models,
            window_messages: 30,
            dedicated: false,
            paused: false,
        };
        patiently(async || self.operator.publish(tenant.id(), Kind::Agent, name, &snapshot, &[]).await).await;
        self.bus.publish(Signal::Config(tenant.id())).await;
    }

    /// A tenant whose agent `ada` has the doubles as its chain, in order.
    pub(crate) async fn with_chain(&self, doubles: &[&LlmDouble]) -> Tenant {
        let tenant = self.tenant().await;
        let mut chain = Vec::new();
        for (index, double) in doubles.iter().enumerate() {
            let name = format!("p{index}");
            let key = self.key_version(API_KEY);
            let endpoint = if double.base_url().ends_with("/v1") {
                openai(double, &key)
            } else {
                anthropic(double, &key)
            };
            self.load_provider(tenant.id(), &provider(&name, endpoint), API_KEY).await;
            chain.push(choice(&name, ProviderOwner::Tenant));
        }
        self.publish_agent(&tenant, "ada", chain).await;
        tenant
    }

    pub(crate) async fn observations(&self, owner: TenantId, name: &str) -> Vec<Observation> {
        patiently(async || self.operator.standing(owner, Kind::LLMProvider, name).await).await.observations
    }

    pub(crate) fn post(&self, tenant: &Tenant, body: &Value) -> RequestBuilder {
        let url = format!("{}/v1/chat/completions", self.url);
        self.client.post(url).bearer_auth(tenant.token.expose_secret()).json(body)
    }

    pub(crate) async fn ask(&self, tenant: &Tenant, body: &Value) -> (u16, Value) {
        answer(self.post(tenant, body).send().await.unwrap()).await
    }

    pub(crate) async fn ask_ada(&self, tenant: &Tenant) -> (u16, Value) {
        self.ask(tenant, &hello()).await
    }

    /// The `data` of the events of a streamed answer.
    pub(crate) async fn stream_ada(&self, tenant: &Tenant) -> Vec<String> {
        let mut body = hello();
        body["stream"] = json!(true);
        body["stream_options"] = json!({"include_usage": true});
        let response = self.post(tenant, &body).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let text = response.text().await.unwrap();
        text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).map(str::to_owned).collect()
    }

    /// What is on record of the tenant's calls: provider, outcome, tokens in and out.
    pub(crate) async fn calls(&self, tenant: &Tenant) -> Vec<(String, String, i64, i64)> {
        let mut admin = self.database.admin().await;
        sqlx::query(
            "select provider, outcome, tokens_in, tokens_out from konstruct.model_call
             where tenant_id = $1 and agent = 'ada' order by request_id",
        )
        .bind(tenant.id().as_uuid())
        .fetch_all(&mut admin)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
        .collect()
    }

    /// Waits for so many records.
    pub(crate) async fn until_calls(&self, tenant: &Tenant, count: usize) -> Vec<(String, String, i64, i64)> {
        eventually("records of model calls", async || {
            let calls = self.calls(tenant).await;
            (calls.len() >= count).then_some(calls)
        })
        .await
    }

    /// Stops the ai-gateway and waits for its end.
    pub(crate) async fn stop(self) -> TestDatabase {
        self.shutdown.cancel();
        self.task.await.unwrap();
        self.database
    }
}

pub(crate) async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

pub(crate) fn hello() -> Value {
    json!({"model": "agent/ada", "messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "PERSONAL-TEXT hello"}]})
}

pub(crate) fn text(body: &Value) -> &str {
    body["choices"][0]["message"]["content"].as_str().unwrap()
}

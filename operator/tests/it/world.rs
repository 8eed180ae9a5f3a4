//! One operator for all tests, and access to what it works on.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use konstruct_controllers::settings::{NetworkSettings, RuntimeSettings, TenantNamespaces};
use konstruct_controllers::{Backends, Role, Settings};
use konstruct_crds::conditions::ResourceStatus;
use konstruct_crds::{Condition, ConditionType, Tenant};
use konstruct_domain::{Slug, TenantId};
use konstruct_queue::Bus;
use konstruct_store::{Keyring, Store};
use konstruct_telemetry::Readiness;
use konstruct_testkit::{TestDatabase, redis_url, unique_slug};
use kube::api::{DeleteParams, PostParams};
use kube::core::object::HasStatus;
use kube::{Api, Client, Config, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::{installation, standins};

const WORKLOAD: &str = "system:serviceaccount:konstruct-system:konstruct-operator";
const PROVISIONER: &str = "system:serviceaccount:konstruct-system:konstruct-provisioner";
const PATIENCE: Duration = Duration::from_mins(1);
const OFTEN: Duration = Duration::from_millis(50);

pub(crate) struct World {
    pub(crate) client: Client,
    pub(crate) store: Store,
    pub(crate) bus: Bus,
    pub(crate) database: Arc<TestDatabase>,
}

/// The world of this test process. The first test that asks makes it. It has a thread of its own, since each test has
/// a runtime that ends with it.
pub(crate) fn world() -> World {
    static ORIGIN: OnceLock<(Config, Arc<TestDatabase>)> = OnceLock::new();
    let (config, database) = ORIGIN.get_or_init(begin);
    World::connect(config, database)
}

impl World {
    fn connect(config: &Config, database: &Arc<TestDatabase>) -> Self {
        let keyring = Keyring::new(Some([1; 32]), Some([2; 32]));
        Self {
            client: Client::try_from(config.clone()).unwrap(),
            store: Store::connect(&database.operator_url(), 4, keyring).unwrap(),
            bus: Bus::connect(&redis_url()).unwrap(),
            database: Arc::clone(database),
        }
    }

    pub(crate) fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    pub(crate) fn everywhere<K: Resource<DynamicType = ()>>(&self) -> Api<K> {
        Api::all(self.client.clone())
    }

    /// A Tenant of the test's own, as a user declares it.
    pub(crate) async fn declare_tenant(&self, stem: &str) -> (Tenant, Slug) {
        let slug = unique_slug(stem);
        let tenant = json!({"metadata": {"name": slug.as_str()}, "spec": {"displayName": stem, "slug": slug, "deletionPolicy": "Delete"}});
        (create(&self.everywhere(), tenant).await, slug)
    }

    /// A Tenant that is ready.
    pub(crate) async fn tenant(&self, stem: &str) -> (TenantId, Slug) {
        let (tenant, slug) = self.declare_tenant(stem).await;
        let tenant: Tenant = ready(&self.everywhere(), &tenant.name_any()).await;
        (tenant.uid().unwrap().parse().unwrap(), slug)
    }
}

fn begin() -> (Config, Arc<TestDatabase>) {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async move {
            // Not captured: captured output is lost with the test that happened to come first.
            let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
            let _ = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).try_init();
            let config = Config::infer().await.unwrap();
            let database = Arc::new(TestDatabase::create().await);
            let (world, own) = (World::connect(&config, &database), World::connect(&config, &database));
            installation::install(&world.client).await;
            let workload = Role::Workload(Backends { store: own.store, bus: own.bus });
            let workload = operator(&config, WORKLOAD, workload);
            let provisioner = operator(&config, PROVISIONER, Role::Provisioner);
            sender.send((config, database)).unwrap();
            tokio::join!(
                async { konstruct_operator::serve(provisioner, CancellationToken::new()).await.unwrap() },
                async { konstruct_operator::serve(workload, CancellationToken::new()).await.unwrap() },
                standins::kubelet(&world),
                standins::data_plane(&world),
            );
        });
    });
    receiver.recv().unwrap()
}

fn operator(config: &Config, user: &str, role: Role) -> konstruct_operator::Config {
    let mut kubernetes = config.clone();
    kubernetes.auth_info.impersonate = Some(user.to_owned());
    konstruct_operator::Config {
        kubernetes,
        role,
        readiness: Readiness::new(),
        settings: settings(),
        identity: format!("test-{}", std::process::id()),
    }
}

fn settings() -> Settings {
    let address = |url: &str| url.rsplit_once('@').map_or(url, |(_, place)| place).replace("redis://", "");
    let redis = redis_url();
    Settings {
        system_namespace: "konstruct-system".to_owned(),
        service_account: "konstruct-operator".to_owned(),
        namespaces: TenantNamespaces::All,
        runtime: RuntimeSettings {
            image: "localhost/konstruct:none".to_owned(),
            image_pull_policy: "Never".to_owned(),
            ai_gateway_url: "http://konstruct-ai-gateway.konstruct-system:8081".to_owned(),
            cpu_request: "10m".to_owned(),
            cpu_limit: "500m".to_owned(),
            memory_request: "40Mi".to_owned(),
            memory_limit: "128Mi".to_owned(),
        },
        network: NetworkSettings {
            postgres: "data/app=postgres:5432".parse().unwrap(),
            redis: "10.0.0.6/32:6379".parse().unwrap(),
            ai_gateway: "konstruct-system/app=ai-gateway:8081".parse().unwrap(),
            dns_namespace: "kube-system".to_owned(),
            monitoring_namespace: "monitoring".to_owned(),
        },
        tenant_database_url: "postgres://database.example:5432/konstruct".to_owned(),
        tenant_redis_url: format!("redis://{}", address(secrecy::ExposeSecret::expose_secret(&redis))),
        concurrency: 8,
    }
}

/// Creates an object from JSON.
pub(crate) async fn create<K>(api: &Api<K>, object: Value) -> K
where
    K: Clone + DeserializeOwned + Debug + Serialize,
{
    api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap()
}

/// Applies a change as a user's merge patch.
pub(crate) async fn change<K: Clone + DeserializeOwned + Debug>(api: &Api<K>, name: &str, patch: Value) -> K {
    api.patch(name, &kube::api::PatchParams::default(), &kube::api::Patch::Merge(patch)).await.unwrap()
}

pub(crate) async fn delete<K: Clone + DeserializeOwned + Debug>(api: &Api<K>, name: &str) {
    api.delete(name, &DeleteParams::default()).await.unwrap();
}

/// Waits until `look` finds something. What it saw last is the message of a failure.
pub(crate) async fn until<T, S: Debug>(what: &str, mut look: impl AsyncFnMut() -> Result<T, S>) -> T {
    let begun = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) if begun.elapsed() > PATIENCE => panic!("waited in vain for {what}: {seen:#?}"),
            Err(_) => tokio::time::sleep(OFTEN).await,
        }
    }
}

/// Waits until a condition of the current generation is as expected: `("Ready", "False", "MissingSecret")`.
pub(crate) async fn condition<K>(
    api: &Api<K>,
    name: &str,
    type_: ConditionType,
    status: &str,
    reason: &str,
) -> Condition
where
    K: Resource<DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Debug
        + HasStatus<Status: ResourceStatus + Debug>,
{
    until(&format!("{} {name}: {type_}={status} {reason}", K::kind(&())), async || {
        let object = api.get(name).await.unwrap();
        let seen = object.status().and_then(|status| status.condition(type_)).cloned();
        let fits = |seen: &Condition| {
            seen.status.as_str() == status
                && seen.reason == reason
                && Some(seen.observed_generation) == object.meta().generation
        };
        seen.filter(fits).ok_or(object)
    })
    .await
}

pub(crate) async fn ready<K>(api: &Api<K>, name: &str) -> K
where
    K: Resource<DynamicType = ()>
        + Clone
        + DeserializeOwned
        + Debug
        + HasStatus<Status: ResourceStatus + Debug>,
{
    condition(api, name, ConditionType::Ready, "True", "Succeeded").await;
    api.get(name).await.unwrap()
}

pub(crate) async fn gone<K: Clone + DeserializeOwned + Debug>(api: &Api<K>, name: &str) {
    until(&format!("{name} being gone"), async || match api.get_opt(name).await.unwrap() {
        None => Ok(()),
        Some(object) => Err(object),
    })
    .await;
}

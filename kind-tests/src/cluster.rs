//! The cluster as one test sees it.

use std::sync::LazyLock;

use anyhow::{Context, Result};
use kube::Client;
use kube::api::{Api, DynamicObject};
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::forward::Forward;
use crate::objects::{self, Kind};
use crate::platform;

static DEFINED: OnceCell<()> = OnceCell::const_new();
static INSTALLED: OnceCell<()> = OnceCell::const_new();
static IN_USE: LazyLock<RwLock<()>> = LazyLock::new(RwLock::default);

/// Whether the operator runs as a process on a cluster without a node (`kind-tests/control-plane`): no pod ever starts.
pub fn control_plane_only() -> bool {
    std::env::var_os("KONSTRUCT_CONTROL_PLANE_ONLY").is_some()
}

/// Whether other tests may run beside this one.
enum Use {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

/// A cluster with the platform installed.
pub struct Cluster {
    pub client: Client,
    _use: Use,
}

impl Cluster {
    /// For a test that minds only its own tenants.
    pub async fn shared() -> Result<Self> {
        Self::enter(Use::Shared { _guard: IN_USE.read().await }).await
    }

    /// For a test that watches or stops what the others need.
    pub async fn alone() -> Result<Self> {
        Self::enter(Use::Alone { _guard: IN_USE.write().await }).await
    }

    /// For a test that needs the API server and our definitions in it, and none of our processes.
    pub async fn with_definitions() -> Result<Self> {
        Self::defined(Use::Shared { _guard: IN_USE.read().await }).await
    }

    async fn defined(usage: Use) -> Result<Self> {
        let client =
            Client::try_default().await.context("no cluster: set KUBECONFIG or run kind-tests/cluster/up")?;
        DEFINED.get_or_try_init(platform::define).await?;
        Ok(Self { client, _use: usage })
    }

    async fn enter(usage: Use) -> Result<Self> {
        let cluster = Self::defined(usage).await?;
        if control_plane_only() {
            return Ok(cluster);
        }
        INSTALLED.get_or_try_init(|| platform::install(&cluster.client)).await?;
        Ok(cluster)
    }

    pub fn api(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        objects::api(&self.client, kind, Some(namespace))
    }

    pub fn cluster_api(&self, kind: Kind) -> Api<DynamicObject> {
        objects::api(&self.client, kind, None)
    }

    pub async fn gateway(&self) -> Result<Forward> {
        Forward::open(platform::NAMESPACE, "konstruct-gateway", 8080).await
    }

    pub async fn slack(&self) -> Result<Forward> {
        Forward::open(platform::COUNTERPARTS, "slack", 3000).await
    }
}

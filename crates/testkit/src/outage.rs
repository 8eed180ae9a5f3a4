//! Servers of a test's own, to stop and start while something uses them.

use std::sync::Arc;

use konstruct_local_services::{Dir, LocalServices, Options};

/// A private PostgreSQL and Redis. Clones are the same servers.
#[derive(Clone)]
pub struct Servers(Arc<LocalServices>);

impl Servers {
    pub async fn start() -> Self {
        let start = || LocalServices::start(&Options { dir: Dir::Temporary, durable: false }).unwrap();
        Self(Arc::new(tokio::task::spawn_blocking(start).await.unwrap()))
    }

    pub fn database_url(&self) -> &str {
        self.0.database_url()
    }

    pub fn redis_url(&self) -> &str {
        self.0.redis_url()
    }

    pub async fn stop_postgres(&self) {
        self.with(LocalServices::stop_postgres).await;
    }

    pub async fn start_postgres(&self) {
        self.with(LocalServices::start_postgres).await;
    }

    pub async fn stop_redis(&self) {
        self.with(LocalServices::stop_redis).await;
    }

    pub async fn start_redis(&self) {
        self.with(LocalServices::start_redis).await;
    }

    async fn with(
        &self,
        change: impl FnOnce(&LocalServices) -> Result<(), konstruct_local_services::Error> + Send + 'static,
    ) {
        let servers = self.0.clone();
        tokio::task::spawn_blocking(move || change(&servers)).await.unwrap().unwrap();
    }
}

//! Keeps the registry equal to the snapshots in force, and reports what was loaded.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use konstruct_domain::snapshot::{ConnectionSnapshot, Reader};
use konstruct_domain::{Kind, TenantId};
use konstruct_queue::{Bus, Signal};
use konstruct_store::{Error, Store};
use konstruct_telemetry::Check;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::connection::Connection;
use crate::credentials::Credentials;
use crate::registry::Registry;

const RETRY: Duration = Duration::from_secs(1);
const CONCURRENT_READS: usize = 8;

pub(crate) struct Reloader {
    store: Store,
    bus: Bus,
    registry: Arc<Registry>,
    credentials: Credentials,
    check: Check,
    wanted: Mutex<Wanted>,
    work: Notify,
}

/// What is to be read again. Requests that come while one is worked on become one.
#[derive(Debug, Default)]
struct Wanted {
    tenants: BTreeSet<TenantId>,
    everything: Option<Record>,
}

/// Which loaded revisions to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Record {
    /// Those that changed.
    Changed,
    /// All: a record goes when its connection is withdrawn, also when the same one comes back at once.
    All,
}

impl Reloader {
    pub(crate) fn new(
        store: Store,
        bus: Bus,
        registry: Arc<Registry>,
        credentials: Credentials,
        check: Check,
    ) -> Self {
        Self { store, bus, registry, credentials, check, wanted: Mutex::default(), work: Notify::new() }
    }

    pub(crate) fn tenant(&self, tenant: TenantId) {
        self.request(|wanted| wanted.tenants.extend([tenant]));
    }

    pub(crate) fn everything(&self, record: Record) {
        self.request(|wanted| wanted.everything = wanted.everything.max(Some(record)));
    }

    fn request(&self, add: impl FnOnce(&mut Wanted)) {
        add(&mut self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
        self.work.notify_one();
    }

    /// Works on requests for ever.
    pub(crate) async fn run(&self) {
        loop {
            self.work.notified().await;
            let wanted = std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
            if let Err(error) = self.reload(&wanted).await {
                tracing::warn!(%error, "cannot read the configuration; what was loaded before stays in force");
                sleep(RETRY).await;
                self.request(|again| {
                    again.tenants.extend(wanted.tenants);
                    again.everything = again.everything.max(wanted.everything);
                });
            }
        }
    }

    async fn reload(&self, wanted: &Wanted) -> Result<(), Error> {
        let before = self.registry.routes();
        let mut connections = match &before {
            Some(routes) => routes.by_tenant().clone(),
            None => HashMap::new(),
        };
        let everything = wanted.everything.is_some() || before.is_none();
        let tenants = if everything {
            let tenants: Vec<TenantId> =
                self.store.tenants().await?.into_iter().map(|tenant| tenant.id).collect();
            connections.retain(|tenant, _| tenants.contains(tenant));
            tenants
        } else {
            wanted.tenants.iter().copied().collect()
        };
        let mut reads = futures::stream::iter(tenants)
            .map(|tenant| async move { (tenant, self.read(tenant).await) })
            .buffer_unordered(CONCURRENT_READS);
        let mut changed = Vec::new();
        while let Some((tenant, read)) = reads.next().await {
            let read = match read {
                Err(error) if !error.is_unavailable() => {
                    // One tenant's unreadable snapshot must not hold up the others.
                    tracing::error!(%tenant, %error, "a connection cannot be read; its tenant keeps what was loaded");
                    continue;
                }
                read => read?,
            };
            let known = connections.entry(tenant).or_default();
            let merged = merge(known, read, |new| changed.push(Arc::clone(new)));
            *known = merged;
        }
        connections.retain(|_, connections| !connections.is_empty());
        self.registry.replace(connections);
        self.check.ok();
        for connection in &changed {
            self.credentials.check_soon(Arc::clone(connection));
        }
        self.report(wanted, &changed).await
    }

    async fn read(&self, tenant: TenantId) -> Result<Vec<Connection>, Error> {
        let heads = self.store.heads::<ConnectionSnapshot>(tenant, Kind::ChannelConnection).await?;
        Ok(heads.into_iter().map(|head| Connection::new(tenant, head)).collect())
    }

    /// Records what is loaded, and tells the operator.
    async fn report(&self, wanted: &Wanted, changed: &[Arc<Connection>]) -> Result<(), Error> {
        let Some(routes) = self.registry.routes() else { return Ok(()) };
        let all = wanted.everything == Some(Record::All);
        let mut due: Vec<Arc<Connection>> = routes.by_tenant().values().flatten().cloned().collect();
        due.retain(|connection| {
            all || wanted.tenants.contains(&connection.tenant)
                || changed.iter().any(|new| Arc::ptr_eq(new, connection))
        });
        let reported: BTreeSet<TenantId> = futures::stream::iter(due)
            .map(|connection| self.record(connection))
            .buffer_unordered(CONCURRENT_READS)
            .try_collect()
            .await?;
        for tenant in reported {
            self.bus.publish(Signal::Loaded(tenant)).await;
        }
        Ok(())
    }

    async fn record(&self, connection: Arc<Connection>) -> Result<TenantId, Error> {
        let (kind, reader) = (Kind::ChannelConnection, Reader::Gateway);
        let (tenant, revision) = (connection.tenant, &connection.revision);
        self.store.record_loaded(tenant, kind, connection.name(), reader, revision).await?;
        Ok(tenant)
    }
}

/// Keeps what has not changed, with the secrets that are cached in it.
fn merge(
    known: &[Arc<Connection>],
    read: Vec<Connection>,
    mut changed: impl FnMut(&Arc<Connection>),
) -> Vec<Arc<Connection>> {
    read.into_iter()
        .map(|new| {
            let same = known.iter().find(|old| old.name() == new.name() && old.revision == new.revision);
            same.cloned().unwrap_or_else(|| {
                let new = Arc::new(new);
                changed(&new);
                new
            })
        })
        .collect()
}

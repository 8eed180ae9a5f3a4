//! Applying what is compiled: a snapshot row in PostgreSQL and a signal to its readers.

use konstruct_domain::observation::Observation;
use konstruct_domain::revision::Revision;
use konstruct_domain::snapshot::SecretField;
use konstruct_domain::{Kind, TenantId};
use konstruct_queue::Signal;
use konstruct_store::Published;
use secrecy::SecretString;
use serde::Serialize;

use crate::{Context, Error};

/// A snapshot that is to be put in force.
#[derive(Debug)]
pub struct Prepared<S> {
    pub tenant: TenantId,
    pub kind: Kind,
    pub name: String,
    pub snapshot: S,
    pub secrets: Vec<(SecretField, SecretString)>,
}

/// A snapshot that is in force. Only [`publish`] makes one, so a status cannot describe what was merely wished.
#[derive(Debug)]
pub struct Applied(Published);

impl Applied {
    pub const fn revision(&self) -> &Revision {
        &self.0.revision
    }

    /// Whether it was put in force just now: nobody can have had the time to load it.
    pub const fn changed(&self) -> bool {
        self.0.changed
    }

    /// Whether the role that serves this kind works with this very revision.
    pub const fn loaded(&self) -> bool {
        self.0.loaded
    }

    pub fn observations(&self) -> &[Observation] {
        &self.0.observations
    }

    #[cfg(test)]
    pub(crate) fn for_test(revision: &str, loaded: bool, observations: Vec<Observation>) -> Self {
        let revision = Revision::from_stored(revision.to_owned());
        Self(Published { revision, changed: false, loaded, observations })
    }
}

/// Puts the snapshot in force, unless it is.
pub async fn publish<S: Serialize + Sync>(
    context: &Context,
    prepared: &Prepared<S>,
) -> Result<Applied, Error> {
    let Context { store, bus, .. } = context;
    context.fence.check()?;
    let Prepared { tenant, kind, name, snapshot, secrets } = prepared;
    let published = store.publish(*tenant, *kind, name, snapshot, secrets).await?;
    if published.changed {
        tracing::info!(%kind, name, revision = %published.revision, "published");
        bus.publish(Signal::Config(*tenant)).await;
    }
    Ok(Applied(published))
}

/// Takes a snapshot out of force.
pub async fn withdraw(context: &Context, tenant: TenantId, kind: Kind, name: &str) -> Result<(), Error> {
    let Context { store, bus, .. } = context;
    context.fence.check()?;
    if store.withdraw(tenant, kind, name).await? {
        tracing::info!(%kind, name, "withdrawn");
        bus.publish(Signal::Config(tenant)).await;
    }
    Ok(())
}

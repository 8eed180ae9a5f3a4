//! Files whose time is over, and files of tenants that are gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use konstruct_domain::TenantId;
use konstruct_media::Place;
use tokio::time::sleep;

use crate::app::App;

const AGAIN: Duration = Duration::from_mins(10);
/// An upload that no message came for.
const UPLOADS: Duration = Duration::from_hours(24);

/// For ever. Every gateway does it: what another has deleted is deleted already.
pub(crate) async fn run(app: Arc<App>) {
    let Some(place) = app.media.clone() else { return };
    loop {
        if let Err(error) = erase_unknown(&app, &place).await {
            tracing::warn!(%error, "files of tenants that are gone were not erased; trying again");
        }
        if let Err(error) = expire(&app, &place).await {
            tracing::warn!(%error, "files whose time is over were not deleted; trying again");
        }
        sleep(AGAIN).await;
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Store(#[from] konstruct_store::Error),
    #[error(transparent)]
    Place(#[from] konstruct_media::Error),
}

/// A tenant that is in no row, not even as one whose data is retained, was erased.
pub(crate) async fn erase_unknown(app: &App, place: &Place) -> Result<(), Error> {
    let stored = place.tenants().await?;
    if stored.is_empty() {
        return Ok(());
    }
    let known: BTreeSet<TenantId> = app.store.all_tenants().await?.into_iter().collect();
    for tenant in stored.into_iter().filter(|tenant| !known.contains(tenant)) {
        place.erase(tenant).await?;
        tracing::info!(%tenant, "the files of a tenant that is gone were erased");
    }
    Ok(())
}

async fn expire(app: &App, place: &Place) -> Result<(), Error> {
    for tenant in place.tenants().await? {
        let expired = app.store.expired_media(tenant, app.media_retention, UPLOADS).await?;
        for file in &expired {
            place.delete(tenant, *file).await?;
        }
        if !expired.is_empty() {
            app.store.forget_media(tenant, &expired).await?;
        }
    }
    Ok(())
}

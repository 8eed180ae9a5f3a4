//! Holds an object until what it made is gone.

use std::fmt::Debug;
use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::apply::pruned;
use super::cache::{Cache, Cached};
use super::names::FINALIZER;
use crate::Error;

/// Adds ours. Nothing that would have to be cleaned up may be made before.
pub async fn ensure<K: Cached + DeserializeOwned + Debug>(
    api: &Api<K>,
    cache: &Cache<K>,
    object: Arc<K>,
) -> Result<Arc<K>, Error> {
    if object.finalizers().iter().any(|name| name == FINALIZER) {
        return Ok(object);
    }
    let finalizers = object.finalizers().iter().map(String::as_str).chain([FINALIZER]).collect();
    write(api, cache, &*object, finalizers).await
}

/// Removes ours. An object without others is gone then.
pub async fn release<K: Cached + DeserializeOwned + Debug>(
    api: &Api<K>,
    cache: &Cache<K>,
    object: &K,
) -> Result<(), Error> {
    let name = object.name_any();
    // Our own status writes are newer than what a watch may have seen, and a stale version is refused.
    let live = api.get_metadata_opt(&name).await.map_err(|error| Error::read::<K>(&name, error))?;
    let Some(live) = live.filter(|live| live.uid() == object.uid()) else { return Ok(()) };
    if !live.finalizers().iter().any(|name| name == FINALIZER) {
        return Ok(());
    }
    let rest: Vec<&str> =
        live.finalizers().iter().map(String::as_str).filter(|name| *name != FINALIZER).collect();
    let patch = patch(live.resource_version().as_deref(), &rest);
    match api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(written) => {
            if !rest.is_empty() {
                cache.wrote(pruned(written));
            }
            Ok(())
        }
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(Error::apply::<K>(&name, error)),
    }
}

async fn write<K: Cached + DeserializeOwned + Debug>(
    api: &Api<K>,
    cache: &Cache<K>,
    object: &K,
    finalizers: Vec<&str>,
) -> Result<Arc<K>, Error> {
    let name = object.name_any();
    let patch = patch(object.resource_version().as_deref(), &finalizers);
    let written = api
        .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
        .await
        .map_err(|error| Error::apply::<K>(&name, error))?;
    Ok(cache.wrote(pruned(written)))
}

/// A merge patch replaces the whole list, so it names the version it was made from: nobody else's finalizer is lost.
fn patch(version: Option<&str>, finalizers: &[&str]) -> serde_json::Value {
    json!({"metadata": {"resourceVersion": version, "finalizers": finalizers}})
}

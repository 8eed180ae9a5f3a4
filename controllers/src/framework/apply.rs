//! The one place that writes children. Server-side apply, forced, and only when something would change.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::cache::{Cache, Cached, namespace_of};
use super::compare;
use super::names::APPLIED_HASH;
use crate::Error;

/// A kind of child in a tenant's namespace.
pub trait Child: Cached + Resource<Scope = NamespaceResourceScope> + DeserializeOwned + Debug {}
impl<K: Cached + Resource<Scope = NamespaceResourceScope> + DeserializeOwned + Debug> Child for K {}

/// Writes as one field manager.
#[derive(Clone)]
pub struct Applier {
    client: Client,
    manager: &'static str,
}

impl Applier {
    pub const fn new(client: Client, manager: &'static str) -> Self {
        Self { client, manager }
    }

    /// Brings one child to the desired state. Sends nothing when the cached copy has it already.
    pub async fn apply<K: Child>(&self, cache: &Cache<K>, desired: &K) -> Result<Arc<K>, Error> {
        let (namespace, name) = (namespace_of(desired), desired.name_any());
        let desired = stamped(desired)?;
        if let Some(live) = cache.get(namespace, &name)
            && is_up_to_date(&*live, &desired)?
        {
            return Ok(live);
        }
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        Ok(cache.wrote(self.patch(&api, &name, &desired).await?))
    }

    /// The same for a kind that is not watched: compares with what was read.
    pub async fn apply_over<K: Child>(&self, live: Option<K>, desired: &K) -> Result<K, Error> {
        let (namespace, name) = (namespace_of(desired), desired.name_any());
        let desired = stamped(desired)?;
        match live {
            Some(live) if is_up_to_date(&live, &desired)? => Ok(live),
            _ => self.patch(&Api::namespaced(self.client.clone(), namespace), &name, &desired).await,
        }
    }

    pub(crate) async fn patch<K: Cached + DeserializeOwned + Debug>(
        &self,
        api: &Api<K>,
        name: &str,
        desired: &Value,
    ) -> Result<K, Error> {
        let applied = api
            .patch(name, &PatchParams::apply(self.manager).force(), &Patch::Apply(desired))
            .await
            .map_err(|error| Error::apply::<K>(name, error))?;
        tracing::debug!(kind = %K::kind(&()), name, "applied");
        Ok(pruned(applied))
    }

    /// Deletes exactly the object that was looked at. One that is gone or was replaced meanwhile is left alone.
    pub async fn delete<K: Cached + DeserializeOwned + Debug>(
        &self,
        api: &Api<K>,
        object: &K,
    ) -> Result<(), Error> {
        let params = DeleteParams {
            preconditions: Some(Preconditions { uid: object.uid(), resource_version: None }),
            ..DeleteParams::background()
        };
        match api.delete(&object.name_any(), &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() || status.is_conflict() => Ok(()),
            Err(error) => Err(Error::delete::<K>(&object.name_any(), error)),
        }
    }
}

/// The desired object as it is sent, with its fingerprint.
pub(crate) fn stamped<K: Cached>(desired: &K) -> Result<Value, Error> {
    let mut value = serde_json::to_value(desired).map_err(Error::Serialize)?;
    let hash = compare::fingerprint(&value);
    value["metadata"]["annotations"][APPLIED_HASH] = Value::String(hash);
    Ok(value)
}

/// Nothing of ours is missing or changed, and nothing of ours is left over from an earlier version.
pub(crate) fn is_up_to_date<K: Cached>(live: &K, desired: &Value) -> Result<bool, Error> {
    let asked_before = live.annotations().get(APPLIED_HASH).map(String::as_str);
    if asked_before != desired["metadata"]["annotations"][APPLIED_HASH].as_str() {
        return Ok(false);
    }
    Ok(compare::covers(&serde_json::to_value(live).map_err(Error::Serialize)?, desired))
}

/// Without what we never look at: half of an object's metadata is about who owns which field.
pub(crate) fn pruned<K: Cached>(mut object: K) -> K {
    object.managed_fields_mut().clear();
    object
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ServiceAccount;
    use serde_json::json;

    use super::*;

    fn account(value: Value) -> ServiceAccount {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_was_applied_is_up_to_date_until_either_side_changes() {
        let desired = account(
            json!({"metadata": {"name": "a", "namespace": "n"}, "automountServiceAccountToken": false}),
        );
        let sent = stamped(&desired).unwrap();
        let live = account(sent.clone());
        assert!(is_up_to_date(&live, &sent).unwrap());

        let drifted = ServiceAccount { automount_service_account_token: Some(true), ..live.clone() };
        assert!(!is_up_to_date(&drifted, &sent).unwrap());

        let no_longer_asked =
            stamped(&account(json!({"metadata": {"name": "a", "namespace": "n"}}))).unwrap();
        assert!(!is_up_to_date(&live, &no_longer_asked).unwrap());
    }
}

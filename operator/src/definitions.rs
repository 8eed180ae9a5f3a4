//! Are our kinds known to the API server, and may we read them?

use std::fmt::Debug;

use konstruct_controllers::Role;
use konstruct_crds::{Agent, ChannelConnection, LLMProvider, Plan, Tenant};
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

/// What is missing of the kinds that the role works with, in words that say what to do; None when all is there.
pub(crate) async fn missing(client: &Client, role: &Role) -> Option<String> {
    let mut found = vec![known::<Plan>(client).await, known::<Tenant>(client).await];
    if role.backends().is_some() {
        found.push(known::<Agent>(client).await);
        found.push(known::<ChannelConnection>(client).await);
        found.push(known::<LLMProvider>(client).await);
    }
    let mut unknown = Vec::new();
    for (kind, outcome) in found {
        match outcome {
            Ok(()) => {}
            Err(kube::Error::Api(status)) if status.is_not_found() => unknown.push(kind),
            Err(kube::Error::Api(status)) => {
                return Some(format!("{kind} cannot be read: {}", status.message));
            }
            Err(error) => return Some(format!("the Kubernetes API cannot be reached: {error}")),
        }
    }
    (!unknown.is_empty()).then(|| {
        format!(
            "no CustomResourceDefinition for {}: run `konstruct crd | kubectl apply --server-side -f -`",
            unknown.join(", ")
        )
    })
}

async fn known<K>(client: &Client) -> (String, kube::Result<()>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::all(client.clone());
    let listed = api.list_metadata(&ListParams::default().limit(1)).await;
    (K::plural(&()).into_owned() + "." + konstruct_crds::GROUP, listed.map(|_| ()))
}

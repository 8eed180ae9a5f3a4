//! One cache a kind that is watched. Secrets are not: no watch of ours may read them.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{LimitRange, Namespace, ResourceQuota, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::RoleBinding;
use konstruct_crds::{Agent, ChannelConnection, LLMProvider, Plan, Tenant};
use kube::runtime::reflector::store::Writer;

use super::cache::Cache;

macro_rules! caches {
    ($($(#[$meta:meta])* $field:ident: $kind:ty),* $(,)?) => {
        pub struct Caches {
            $($(#[$meta])* pub $field: Arc<Cache<$kind>>,)*
        }

        /// What the watches fill the caches with.
        pub struct Writers {
            $(pub(crate) $field: Writer<$kind>,)*
        }

        impl Caches {
            pub fn new() -> (Self, Writers) {
                $(let $field = Cache::new();)*
                (Self { $($field: $field.0,)* }, Writers { $($field: $field.1,)* })
            }

            /// Waits until every kind has been listed once. False when a watch has ended.
            pub async fn ready(&self) -> bool {
                $(if self.$field.store().wait_until_ready().await.is_err() {
                    return false;
                })*
                true
            }
        }
    };
}

caches! {
    plans: Plan,
    tenants: Tenant,
    agents: Agent,
    connections: ChannelConnection,
    providers: LLMProvider,
    /// Of the tenants only: those with our label.
    namespaces: Namespace,
    network_policies: NetworkPolicy,
    resource_quotas: ResourceQuota,
    limit_ranges: LimitRange,
    service_accounts: ServiceAccount,
    role_bindings: RoleBinding,
    deployments: Deployment,
}

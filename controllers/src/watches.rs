//! The watches, and who is looked at again when they see something.

use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use konstruct_crds::{Agent, ChannelConnection, LLMProvider, Plan, Tenant};
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use tokio::task::JoinSet;

use crate::context::Cluster;
use crate::framework::cache::namespace_of;
use crate::framework::caches::Writers;
use crate::framework::names::AGENT_LABEL;
use crate::framework::watch::{self, Scope, Seen, Source, watch};
use crate::run::Role;
use crate::tenant;

/// Our own kinds: all of them, and only what the user changes.
const ROOTS: Scope = Scope { only_ours: false, ignore_status: true };
/// Tenants: the provisioner and the workload controller hand over to each other in the status.
const SHARED_ROOTS: Scope = Scope { only_ours: false, ignore_status: false };
/// Children whose status says nothing that matters.
const CHILDREN: Scope = Scope { only_ours: true, ignore_status: true };
/// Children whose status is looked at.
const LIVE_CHILDREN: Scope = Scope { only_ours: true, ignore_status: false };

/// Each identity watches what it works with, and no more. The caches of the other kinds stay empty. Of our own kinds, what is
/// of other tenants is not kept; of the others, it is not even asked for.
pub(crate) fn start(tasks: &mut JoinSet<()>, cluster: &Arc<Cluster>, writers: Writers, role: &Role) {
    macro_rules! start {
        ($field:ident, $scope:expr, $sources:expr, $wanted:expr, $seen:expr, $works:expr) => {
            let mut writer = writers.$field;
            let cache = Arc::clone(&cluster.caches.$field);
            if $works {
                let (sources, cluster) = ($sources(cluster), Arc::clone(cluster));
                tasks.spawn(async move {
                    let wanted = |object: &_| $wanted(&cluster, object);
                    let seen = |seen: Seen<'_, _>| $seen(&cluster, &seen);
                    watch(&cluster.client, sources, $scope, wanted, cache, writer, seen).await;
                });
            } else {
                cache.receive(&mut writer, &Event::InitDone, false);
            }
        };
    }
    let (provisions, works) = (role.provisions(), role.backends().is_some());
    start!(plans, ROOTS, all, any, plan_seen, true);
    start!(tenants, SHARED_ROOTS, all, is_our_tenant, tenant_seen, true);
    start!(agents, ROOTS, all, is_in_our_namespace, agent_seen, works);
    start!(connections, ROOTS, all, is_in_our_namespace, connection_seen, works);
    start!(providers, ROOTS, all, is_in_our_namespace, provider_seen, works);
    start!(namespaces, LIVE_CHILDREN, our_namespaces, any, namespace_seen, true);
    start!(network_policies, CHILDREN, in_our_namespaces, any, child_seen, provisions);
    start!(resource_quotas, CHILDREN, in_our_namespaces, any, child_seen, provisions);
    start!(limit_ranges, CHILDREN, in_our_namespaces, any, child_seen, provisions);
    start!(service_accounts, CHILDREN, in_our_namespaces, any, child_seen, provisions);
    start!(role_bindings, CHILDREN, in_our_namespaces, any, child_seen, provisions);
    start!(deployments, LIVE_CHILDREN, in_our_namespaces, any, deployment_seen, works);
}

fn all<K: Resource<DynamicType = ()>>(cluster: &Cluster) -> Vec<Source<K>> {
    watch::everywhere(&cluster.client)
}

fn our_namespaces(cluster: &Cluster) -> Vec<Source<Namespace>> {
    match cluster.settings.namespaces.names() {
        None => all(cluster),
        Some(names) => watch::namespaces(&cluster.client, names),
    }
}

fn in_our_namespaces<K>(cluster: &Cluster) -> Vec<Source<K>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    match cluster.settings.namespaces.names() {
        None => all(cluster),
        Some(names) => watch::inside(&cluster.client, names),
    }
}

const fn any<K>(_: &Cluster, _: &K) -> bool {
    true
}

fn is_our_tenant(cluster: &Cluster, tenant: &Tenant) -> bool {
    cluster.settings.namespaces.has(&tenant.spec.namespace())
}

fn is_in_our_namespace<K: Resource>(cluster: &Cluster, object: &K) -> bool {
    let namespace = namespace_of(object);
    namespace == cluster.settings.system_namespace || cluster.settings.namespaces.has(namespace)
}

/// What changes for a tenant changes for what it has.
fn plan_seen(cluster: &Cluster, seen: &Seen<'_, Plan>) {
    match seen {
        Seen::Changed(plan) => cluster.requeue_tenants_on(&plan.name_any()),
        Seen::Listed => cluster.requeue_all_tenants(),
    }
}

fn tenant_seen(cluster: &Cluster, seen: &Seen<'_, Tenant>) {
    match seen {
        Seen::Changed(tenant) => {
            cluster.queues.tenants.add_object(tenant);
            cluster.requeue_tenants_with_slug(&tenant.spec.slug);
            tenant::requeue_objects(cluster, tenant);
        }
        Seen::Listed => cluster.requeue_all_tenants(),
    }
}

fn agent_seen(cluster: &Cluster, seen: &Seen<'_, Agent>) {
    match seen {
        Seen::Changed(agent) => {
            cluster.queues.agents.add_object(agent);
            cluster.requeue_connections_naming(agent);
            cluster.requeue_about_own_pod(agent);
            cluster.requeue_competitors(&cluster.caches.agents, &cluster.queues.agents, *agent);
        }
        Seen::Listed => cluster.requeue_all_agents(),
    }
}

fn connection_seen(cluster: &Cluster, seen: &Seen<'_, ChannelConnection>) {
    match seen {
        Seen::Changed(connection) => {
            cluster.queues.connections.add_object(connection);
            cluster.requeue_competitors(
                &cluster.caches.connections,
                &cluster.queues.connections,
                *connection,
            );
            cluster.requeue_connections_claiming(connection);
        }
        Seen::Listed => cluster.requeue_all_connections(),
    }
}

fn provider_seen(cluster: &Cluster, seen: &Seen<'_, LLMProvider>) {
    match seen {
        Seen::Changed(provider) => {
            cluster.queues.providers.add_object(provider);
            cluster.requeue_agents_naming(provider);
        }
        Seen::Listed => cluster.requeue_all_providers(),
    }
}

fn namespace_seen(cluster: &Cluster, seen: &Seen<'_, Namespace>) {
    match seen {
        Seen::Changed(namespace) => {
            tenant::requeue_owner(cluster, namespace);
            cluster.requeue_objects_in(&namespace.name_any());
        }
        Seen::Listed => cluster.requeue_all_tenants(),
    }
}

/// The agent whose own pod it runs, if it is one of those, tells how that pod is.
fn deployment_seen(cluster: &Cluster, seen: &Seen<'_, Deployment>) {
    if let Seen::Changed(deployment) = seen
        && let Some(agent) = deployment.labels().get(AGENT_LABEL)
    {
        cluster.queues.agents.add(namespace_of(*deployment), agent);
    }
    child_seen(cluster, seen);
}

fn child_seen<K: Resource>(cluster: &Cluster, seen: &Seen<'_, K>) {
    match seen {
        Seen::Changed(child) => cluster.requeue_tenant_of(namespace_of(*child)),
        Seen::Listed => cluster.requeue_all_tenants(),
    }
}

//! The watches, and who is looked at again when they see something.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use konstruct_crds::{Agent, ChannelConnection, LLMProvider, Plan, Tenant};
use kube::{Resource, ResourceExt};
use tokio::task::JoinSet;

use crate::framework::cache::namespace_of;
use crate::framework::caches::Writers;
use crate::framework::names::AGENT_LABEL;
use crate::framework::watch::{Scope, Seen, everywhere, watch};
use crate::{Context, tenant};

/// Our own kinds: all of them, and only what the user changes.
const ROOTS: Scope = Scope { only_ours: false, ignore_status: true };
/// Children whose status says nothing that matters.
const CHILDREN: Scope = Scope { only_ours: true, ignore_status: true };
/// Children whose status is looked at.
const LIVE_CHILDREN: Scope = Scope { only_ours: true, ignore_status: false };

pub(crate) fn start(tasks: &mut JoinSet<()>, context: &Arc<Context>, writers: Writers) {
    macro_rules! start {
        ($field:ident, $scope:expr, $seen:expr) => {
            let (context, writer) = (Arc::clone(context), writers.$field);
            let (api, cache) = (everywhere(&context.client), Arc::clone(&context.caches.$field));
            tasks.spawn(async move {
                watch(api, $scope, cache, writer, |seen| $seen(&context, &seen)).await;
            });
        };
    }
    start!(plans, ROOTS, plan_seen);
    start!(tenants, ROOTS, tenant_seen);
    start!(agents, ROOTS, agent_seen);
    start!(connections, ROOTS, connection_seen);
    start!(providers, ROOTS, provider_seen);
    start!(namespaces, LIVE_CHILDREN, namespace_seen);
    start!(network_policies, CHILDREN, child_seen);
    start!(resource_quotas, CHILDREN, child_seen);
    start!(limit_ranges, CHILDREN, child_seen);
    start!(service_accounts, CHILDREN, child_seen);
    start!(role_bindings, CHILDREN, child_seen);
    start!(deployments, LIVE_CHILDREN, deployment_seen);
}

/// What changes for a tenant changes for what it has.
fn plan_seen(context: &Context, seen: &Seen<'_, Plan>) {
    match seen {
        Seen::Changed(plan) => context.requeue_tenants_on(&plan.name_any()),
        Seen::Listed => context.requeue_all_tenants(),
    }
}

fn tenant_seen(context: &Context, seen: &Seen<'_, Tenant>) {
    match seen {
        Seen::Changed(tenant) => {
            context.queues.tenants.add_object(tenant);
            context.requeue_tenants_with_slug(&tenant.spec.slug);
            tenant::requeue_objects(context, tenant);
        }
        Seen::Listed => context.requeue_all_tenants(),
    }
}

fn agent_seen(context: &Context, seen: &Seen<'_, Agent>) {
    match seen {
        Seen::Changed(agent) => {
            context.queues.agents.add_object(agent);
            context.requeue_connections_naming(agent);
            context.requeue_about_own_pod(agent);
            context.requeue_competitors(&context.caches.agents, &context.queues.agents, *agent);
        }
        Seen::Listed => context.requeue_all_agents(),
    }
}

fn connection_seen(context: &Context, seen: &Seen<'_, ChannelConnection>) {
    match seen {
        Seen::Changed(connection) => {
            context.queues.connections.add_object(connection);
            context.requeue_competitors(
                &context.caches.connections,
                &context.queues.connections,
                *connection,
            );
            if let Some(slack) = &connection.spec.slack {
                context.requeue_connections_claiming(&slack.team_id);
            }
        }
        Seen::Listed => context.requeue_all_connections(),
    }
}

fn provider_seen(context: &Context, seen: &Seen<'_, LLMProvider>) {
    match seen {
        Seen::Changed(provider) => {
            context.queues.providers.add_object(provider);
            context.requeue_agents_naming(provider);
        }
        Seen::Listed => context.requeue_all_providers(),
    }
}

fn namespace_seen(context: &Context, seen: &Seen<'_, Namespace>) {
    match seen {
        Seen::Changed(namespace) => {
            tenant::requeue_owner(context, namespace);
            context.requeue_objects_in(&namespace.name_any());
        }
        Seen::Listed => context.requeue_all_tenants(),
    }
}

/// The agent whose own pod it runs, if it is one of those, tells how that pod is.
fn deployment_seen(context: &Context, seen: &Seen<'_, Deployment>) {
    if let Seen::Changed(deployment) = seen
        && let Some(agent) = deployment.labels().get(AGENT_LABEL)
    {
        context.queues.agents.add(namespace_of(*deployment), agent);
    }
    child_seen(context, seen);
}

fn child_seen<K: Resource>(context: &Context, seen: &Seen<'_, K>) {
    match seen {
        Seen::Changed(child) => context.requeue_tenant_of(namespace_of(*child)),
        Seen::Listed => context.requeue_all_tenants(),
    }
}

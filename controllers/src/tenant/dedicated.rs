//! Which agents get a pod of their own: the oldest ones that ask for it, as many as the quota has room for beside the
//! tenant's shared pod. More would take that pod's place when it restarts.

use std::sync::Arc;

use konstruct_crds::{Agent, Isolation};
use konstruct_domain::AgentName;
use kube::ResourceExt;

use super::build::runtime_deployment::EPHEMERAL_STORAGE_LIMIT;
use super::dereference::RuntimeNeeds;
use super::entitlement::Entitlement;
use crate::context::Cluster;
use crate::framework::names::TenantRef;
use crate::framework::quantity;
use crate::framework::surplus::{age, surplus};

/// Who has a pod, and who asks for one in vain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allotted {
    pub(crate) agents: Vec<AgentName>,
    pub(crate) without_room: Vec<AgentName>,
}

pub(crate) fn allotted(cluster: &Cluster, tenant: &TenantRef) -> Allotted {
    let agents = cluster.caches.agents.in_namespace(&tenant.namespace());
    if !agents.iter().any(|agent| asks(agent)) {
        return Allotted::default();
    }
    // Until the tenant's plan is known nothing of the tenant changes.
    let Some(entitlement) = cluster.entitlement(tenant) else { return Allotted::default() };
    let runtime = &cluster.settings.runtime;
    let needs = RuntimeNeeds { cpu: runtime.cpu_limit.clone(), memory: runtime.memory_limit.clone() };
    allot(&agents, entitlement.limits.agents, room(&entitlement, &needs))
}

pub(crate) fn asks(agent: &Agent) -> bool {
    agent.spec.isolation == Isolation::Dedicated
}

fn allot(agents: &[Arc<Agent>], limit: Option<u16>, room: usize) -> Allotted {
    let stopped = limit.map_or_else(Vec::new, |limit| surplus(agents, limit));
    let mut asking: Vec<&Arc<Agent>> = agents
        .iter()
        .filter(|agent| asks(agent) && agent.metadata.deletion_timestamp.is_none())
        .filter(|agent| !stopped.contains(&agent.name_any()))
        .collect();
    asking.sort_by(|one, other| age(&***one).cmp(&age(&***other)));
    let mut agents: Vec<AgentName> =
        asking.iter().filter_map(|agent| agent.name_any().parse().ok()).collect();
    let without_room = agents.split_off(room.min(agents.len()));
    Allotted { agents, without_room }
}

/// Pods of the runtime's size that the quota has room for, beside the shared one.
fn room(entitlement: &Entitlement, default: &RuntimeNeeds) -> usize {
    let (quota, size) = (&entitlement.quota, entitlement.runtime.as_ref());
    let cpu = size.map_or(&default.cpu, |size| &size.cpu);
    let memory = size.map_or(&default.memory, |size| &size.memory);
    let times = |total: &str, one: &str| match (quantity::milli(total), quantity::milli(one)) {
        (Some(total), Some(one)) if one > 0 => usize::try_from(total / one).unwrap_or(0),
        _ => 0,
    };
    let pods = usize::from(quota.pods)
        .min(times(&quota.cpu, cpu))
        .min(times(&quota.memory, memory))
        .min(times(&quota.ephemeral_storage, EPHEMERAL_STORAGE_LIMIT));
    pods.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tenant::entitlement::entitlement;

    fn agent(name: &str, second: u8, isolation: &str) -> Arc<Agent> {
        let object = json!({
            "metadata": {"name": name, "uid": name, "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z")},
            "spec": {"displayName": "A", "models": [], "isolation": isolation},
        });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    fn names(agents: &[AgentName]) -> Vec<&str> {
        agents.iter().map(AgentName::as_str).collect()
    }

    #[test]
    fn the_oldest_that_ask_get_a_pod_and_a_stopped_one_gets_none() {
        let agents = [
            agent("new", 3, "Dedicated"),
            agent("shared", 0, "Shared"),
            agent("old", 1, "Dedicated"),
            agent("middle", 2, "Dedicated"),
        ];
        let found = allot(&agents, None, 2);
        assert_eq!((names(&found.agents), names(&found.without_room)), (vec!["old", "middle"], vec!["new"]));
        let found = allot(&agents, Some(3), 9);
        assert_eq!((names(&found.agents), found.without_room.len()), (vec!["old", "middle"], 0));
        assert_eq!(names(&allot(&agents, None, 0).agents), Vec::<&str>::new());
    }

    #[test]
    fn the_shared_pod_keeps_its_place_in_the_quota() {
        let needs = RuntimeNeeds { cpu: "500m".to_owned(), memory: "128Mi".to_owned() };
        let room = |quota: serde_json::Value| {
            let spec = json!({"displayName": "A", "slug": "a", "quota": quota});
            room(&entitlement(&serde_json::from_value(spec).unwrap(), None).unwrap(), &needs)
        };
        assert_eq!(room(json!({"pods": 1})), 0);
        assert_eq!(room(json!({"pods": 3})), 2);
        assert_eq!(room(json!({"pods": 9, "cpu": "1500m"})), 2);
        assert_eq!(room(json!({"pods": 9, "memory": "300Mi"})), 1);
        assert_eq!(room(json!({"pods": 9, "ephemeralStorage": "64Mi"})), 0);
    }
}

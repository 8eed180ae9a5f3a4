//! Names, labels and annotations that we put on objects of the cluster, and the field managers that own our fields.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use konstruct_domain::{AgentName, Slug, TenantId};
use sha2::{Digest, Sha256};

/// On every object we make: how our watches find them.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub const MANAGED_BY_US: &str = "konstruct";
/// The same, as a selector.
pub const MANAGED_SELECTOR: &str = "app.kubernetes.io/managed-by=konstruct";
/// The slug of the tenant an object belongs to.
pub const TENANT_LABEL: &str = "konstruct.dev/tenant";
/// On the namespace: the UID of the Tenant it was made for. The only proof of ownership.
pub const TENANT_UID: &str = "konstruct.dev/tenant-uid";
/// The Tenant object's name, so that a child's event finds its tenant without a search.
pub const TENANT_NAME: &str = "konstruct.dev/tenant-name";
/// Hash of what we last asked for. A field that we no longer ask for shows in it and nowhere else.
pub const APPLIED_HASH: &str = "konstruct.dev/applied-hash";
/// On the runtime's pods: hash of the Secret's content, so that a changed password restarts them.
pub const SECRET_HASH: &str = "konstruct.dev/secret-hash";
/// On the policy of a tenant's extra egress: the addresses that were found for each host.
pub const RESOLVED_HOSTS: &str = "konstruct.dev/resolved-hosts";
/// Holds an object until what it made outside the cluster is gone.
pub const FINALIZER: &str = "konstruct.dev/cleanup";

/// ServiceAccount, Secret and Deployment of a tenant's runtime. The ai-gateway knows a runtime by this account.
pub const RUNTIME: &str = "konstruct-runtime";
/// On the pods of an agent that has one of its own: its name.
pub const AGENT_LABEL: &str = "konstruct.dev/agent";
/// How the Deployments of such agents begin.
const DEDICATED: &str = "konstruct-agent-";
/// The RoleBinding that lets the operator work inside one tenant's namespace, and the ClusterRole it binds.
pub const OPERATOR_BINDING: &str = "konstruct-operator";
pub const WORKLOAD_CLUSTER_ROLE: &str = "konstruct-tenant-workload";

/// Whom a child belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantRef {
    /// The Tenant object's name, which is not its slug.
    pub name: String,
    pub id: TenantId,
    pub slug: Slug,
}

impl TenantRef {
    pub fn namespace(&self) -> String {
        self.slug.namespace()
    }

    pub fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (MANAGED_BY.to_owned(), MANAGED_BY_US.to_owned()),
            (TENANT_LABEL.to_owned(), self.slug.to_string()),
        ])
    }

    /// Metadata of a child in the tenant's namespace.
    pub fn child(&self, name: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.namespace()),
            labels: Some(self.labels()),
            annotations: Some(BTreeMap::from([(TENANT_NAME.to_owned(), self.name.clone())])),
            ..ObjectMeta::default()
        }
    }
}

/// Labels of the pods of the tenant's runtime: what its Deployment selects.
pub fn runtime_labels() -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "konstruct".to_owned()),
        ("app.kubernetes.io/component".to_owned(), "runtime".to_owned()),
    ])
}

/// The same for the runtime of one agent. No selector matches the pods of another Deployment.
pub fn dedicated_labels(agent: &AgentName) -> BTreeMap<String, String> {
    let mut labels = every_runtime();
    labels.insert("app.kubernetes.io/name".to_owned(), "konstruct-agent".to_owned());
    labels.insert(AGENT_LABEL.to_owned(), agent.to_string());
    labels
}

/// What all runtimes have, shared or not: what the network policies name.
pub fn every_runtime() -> BTreeMap<String, String> {
    BTreeMap::from([("app.kubernetes.io/component".to_owned(), "runtime".to_owned())])
}

/// [`every_runtime`], as a selector.
pub const EVERY_RUNTIME: &str = "app.kubernetes.io/component=runtime";

/// The Deployment of an agent that has a pod of its own: a DNS label, another one for each agent. One that would be too
/// long ends in a hash and has a length that no other has.
pub fn dedicated_name(agent: &AgentName) -> String {
    const LABEL_MAX: usize = 63;
    const HASH_BYTES: usize = 8;
    let (name, whole) = (agent.as_str(), format!("{DEDICATED}{agent}"));
    if whole.len() < LABEL_MAX {
        return whole;
    }
    let hash = hex::encode(&Sha256::digest(name.as_bytes())[..HASH_BYTES]);
    let room = LABEL_MAX - DEDICATED.len() - 1 - hash.len();
    format!("{DEDICATED}{}-{hash}", &name[..room])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_of_dedicated_runtimes_are_labels_and_never_the_same() {
        let long = "a".repeat(46);
        let mut agents: Vec<String> = (1..=63).map(|length| "a".repeat(length)).collect();
        agents.extend(["b", "runtime", "konstruct-runtime"].map(str::to_owned));
        agents.extend((0..16).map(|last| format!("{}{last:x}", "a".repeat(62))));
        // The shortened name of another one, as a name of its own.
        let shortened = dedicated_name(&"a".repeat(63).parse().unwrap());
        agents.push(shortened[DEDICATED.len()..].to_owned());
        agents.push(format!("{}-x", &long[..44]));
        let distinct: HashSet<&String> = agents.iter().collect();
        let names: HashSet<String> =
            agents.iter().map(|agent| dedicated_name(&agent.parse().unwrap())).collect();
        assert_eq!(names.len(), distinct.len());
        let is_label = |name: &String| name.len() <= 63 && name.bytes().last() != Some(b'-');
        assert!(names.iter().all(is_label), "{names:?}");
        assert!(!names.contains(RUNTIME));
    }

    #[test]
    fn the_shared_deployment_does_not_select_dedicated_pods() {
        let pods = dedicated_labels(&"ada".parse().unwrap());
        let selects = |selector: BTreeMap<String, String>| {
            selector.iter().all(|(name, value)| pods.get(name) == Some(value))
        };
        assert!(!selects(runtime_labels()) && selects(every_runtime()));
    }
}

//! What an API server would do with the documents: refuse what the schema refuses, keep the object as it was then,
//! and give new objects a UID and an age.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use konstruct_crds::{Agent, ChannelConnection, LLMProvider, Plan, Tenant, admission};
use konstruct_domain::{Slug, TenantId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::document::{Document, Source};
use super::folder::Reading;
use super::problem::Problem;

/// An object and where it is declared.
#[derive(Clone, Debug)]
pub(crate) struct Object<K> {
    pub(crate) object: K,
    pub(crate) source: Source,
}

/// Namespace and name of a Secret, to its keys.
pub(crate) type Secrets = HashMap<(String, String), BTreeMap<String, Vec<u8>>>;

/// Everything that is declared, in the order of the files.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    pub(crate) plans: Vec<Object<Plan>>,
    pub(crate) tenants: Vec<Object<Tenant>>,
    pub(crate) providers: Vec<Object<LLMProvider>>,
    pub(crate) agents: Vec<Object<Agent>>,
    pub(crate) connections: Vec<Object<ChannelConnection>>,
    pub(crate) secrets: Secrets,
}

/// Remembers what it has accepted, as etcd would.
#[derive(Debug)]
pub(crate) struct Admission {
    accepted: HashMap<Identity, Accepted>,
    /// Whether a document was refused that has never been accepted: what it declares is unknown, so nothing may be
    /// taken for deleted.
    unknown: bool,
    started: Timestamp,
    age: i64,
}

/// Kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Identity {
    kind: String,
    namespace: String,
    name: String,
}

#[derive(Clone, Debug)]
struct Accepted {
    value: Value,
    source: Source,
    created: Timestamp,
}

impl Admission {
    pub(crate) fn new() -> Self {
        Self { accepted: HashMap::new(), unknown: false, started: Timestamp::now(), age: 0 }
    }

    /// Takes in what the folder says now.
    pub(crate) fn admit(&mut self, reading: &Reading) -> (Objects, Vec<Problem>) {
        let mut problems = Vec::new();
        let mut objects = Objects::default();
        let mut seen = HashSet::new();
        self.unknown = !reading.complete;
        for document in &reading.documents {
            let kind = document.value["kind"].as_str().unwrap_or_default();
            let api_version = document.value["apiVersion"].as_str().unwrap_or_default();
            if kind == "Secret" && api_version == "v1" {
                read_secret(document, &mut objects.secrets, &mut problems);
            } else if api_version.starts_with(&format!("{}/", konstruct_crds::GROUP)) {
                self.admit_one(document, kind, &mut seen, &mut problems);
            } else if api_version.is_empty() || kind.is_empty() {
                problems.push(
                    document.source.problem("", "has no apiVersion or no kind: is it a Kubernetes manifest?"),
                );
            } else {
                tracing::debug!(kind, api_version, "not of ours");
            }
        }
        self.accepted.retain(|identity, _| seen.contains(identity));
        self.collect(&mut objects, &mut problems);
        (objects, problems)
    }

    /// Whether everything that is declared is known, so that what is missing was deleted.
    pub(crate) const fn is_complete(&self) -> bool {
        !self.unknown
    }

    fn admit_one(
        &mut self,
        document: &Document,
        kind: &str,
        seen: &mut HashSet<Identity>,
        problems: &mut Vec<Problem>,
    ) {
        let Document { value, source } = document;
        let text = |field: &str| value["metadata"][field].as_str().unwrap_or_default().to_owned();
        let identity = Identity { kind: kind.to_owned(), namespace: text("namespace"), name: text("name") };
        if identity.name.is_empty() {
            self.unknown = true;
            return problems.push(source.problem("metadata.name", "is missing: give the object a name"));
        }
        if !matches!(kind, "Tenant" | "Plan") && identity.namespace.is_empty() {
            let message = "is missing: write the tenant's namespace, kt- and its slug";
            return problems.push(source.problem("metadata.namespace", message));
        }
        if !seen.insert(identity.clone()) {
            let message = format!("{kind} {:?} is declared twice: remove one of the two", identity.name);
            return problems.push(source.problem("metadata.name", message));
        }
        let before = self.accepted.get(&identity);
        let refusals = admission::review(value, before.map(|before| &before.value));
        if !refusals.is_empty() {
            self.unknown |= before.is_none();
            return problems.extend(refusals.into_iter().map(|one| source.problem(&one.field, one.message)));
        }
        let created =
            before.map_or_else(|| self.started + SignedDuration::from_secs(self.age), |b| b.created);
        // Objects that appear together are as old as their order says.
        self.age += 1;
        self.accepted.insert(identity, Accepted { value: value.clone(), source: source.clone(), created });
    }

    fn collect(&self, objects: &mut Objects, problems: &mut Vec<Problem>) {
        let mut all: Vec<(&Identity, &Accepted)> = self.accepted.iter().collect();
        all.sort_by_key(|(_, accepted)| accepted.created);
        for (identity, accepted) in all {
            match identity.kind.as_str() {
                "Plan" => keep(&mut objects.plans, identity, accepted, problems),
                "Tenant" => keep(&mut objects.tenants, identity, accepted, problems),
                "LLMProvider" => keep(&mut objects.providers, identity, accepted, problems),
                "Agent" => keep(&mut objects.agents, identity, accepted, problems),
                "ChannelConnection" => keep(&mut objects.connections, identity, accepted, problems),
                _ => {}
            }
        }
    }
}

fn keep<K: DeserializeOwned>(
    objects: &mut Vec<Object<K>>,
    identity: &Identity,
    accepted: &Accepted,
    problems: &mut Vec<Problem>,
) {
    let mut value = accepted.value.clone();
    value["metadata"]["uid"] = uid(identity, &value).to_string().into();
    value["metadata"]["creationTimestamp"] = json!(accepted.created);
    match serde_path_to_error::deserialize(value) {
        Ok(object) => objects.push(Object { object, source: accepted.source.clone() }),
        Err(error) => {
            let field = error.path().to_string();
            problems.push(accepted.source.problem(&field, format!("cannot be read: {}", error.into_inner())));
        }
    }
}

/// The same object has the same UID after a restart, and a tenant's is its id.
fn uid(identity: &Identity, value: &Value) -> Uuid {
    let slug = value["spec"]["slug"].as_str().and_then(|slug| slug.parse::<Slug>().ok());
    match slug {
        Some(slug) if identity.kind == "Tenant" => TenantId::from_slug(&slug).as_uuid(),
        _ => {
            let Identity { kind, namespace, name } = identity;
            Uuid::new_v5(&Uuid::NAMESPACE_DNS, format!("{name}.{namespace}.{kind}.konstruct.dev").as_bytes())
        }
    }
}

fn read_secret(document: &Document, secrets: &mut Secrets, problems: &mut Vec<Problem>) {
    let secret: Secret = match serde_path_to_error::deserialize(&document.value) {
        Ok(secret) => secret,
        Err(error) => {
            // The error's own text may quote the value.
            let message = "cannot be read: values of data are base64, values of stringData are text";
            return problems.push(document.source.problem(&error.path().to_string(), message));
        }
    };
    let (Some(namespace), Some(name)) = (secret.metadata.namespace, secret.metadata.name) else {
        return problems.push(document.source.problem("metadata", "needs a namespace and a name"));
    };
    let data = secret.data.into_iter().flatten().map(|(key, value)| (key, value.0));
    // As the API server does, stringData wins.
    let text = secret.string_data.into_iter().flatten().map(|(key, value)| (key, value.into_bytes()));
    secrets.insert((namespace, name), data.chain(text).collect());
}

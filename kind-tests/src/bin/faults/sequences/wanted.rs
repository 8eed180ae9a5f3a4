//! What a user wants of one tenant, how that changes, and how it is written to the API server.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use konstruct_kind_tests::Cluster;
use konstruct_kind_tests::objects::{Kind, await_status};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use crate::bench::PATIENCE;
use crate::scenario::Subject;

const AGENTS: [&str; 3] = ["ada", "bob", "cleo"];
/// The last one is nobody: a reference that leads nowhere.
const PROVIDERS: [&str; 3] = ["llm", "spare", "nobody"];
const QUOTAS: [&str; 3] = ["2", "3", "4500m"];

/// The resources of one tenant. None where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    suspended: bool,
    cpu: &'static str,
    agents: [Option<Agent>; AGENTS.len()],
    /// Whether `llm` and `spare` exist.
    providers: [bool; 2],
    /// The agent that the channel is bound to.
    channel: Option<&'static str>,
    key: Option<&'static str>,
    token: Option<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Agent {
    instructions: &'static str,
    provider: &'static str,
    role: &'static str,
}

impl Wanted {
    pub(super) const fn first() -> Self {
        let ada = Agent { instructions: "Be brief.", provider: "llm", role: "Clerk" };
        Self {
            suspended: false,
            cpu: QUOTAS[0],
            agents: [Some(ada), None, None],
            providers: [true, false],
            channel: Some("ada"),
            key: Some("first"),
            token: Some("xoxb-first"),
        }
    }

    /// One thing is another.
    pub(super) fn changed(&self, random: &mut SmallRng) -> Self {
        loop {
            let mut next = self.clone();
            next.change(random);
            if next != *self {
                return next;
            }
        }
    }

    fn change(&mut self, random: &mut SmallRng) {
        let pick =
            |from: &[&'static str], random: &mut SmallRng| from.choose(random).copied().unwrap_or_default();
        match random.random_range(0..10) {
            0 => self.suspended = !self.suspended,
            1 => self.cpu = pick(&QUOTAS, random),
            2 => {
                let at = random.random_range(0..self.providers.len());
                self.providers[at] = !self.providers[at];
            }
            3 => self.channel = random.random_bool(0.7).then(|| pick(&AGENTS, random)),
            4 => self.key = random.random_bool(0.7).then(|| pick(&["first", "second"], random)),
            5 => self.token = random.random_bool(0.7).then(|| pick(&["xoxb-first", "xoxb-second"], random)),
            _ => {
                let at = random.random_range(0..self.agents.len());
                self.agents[at] = random.random_bool(0.8).then(|| Agent {
                    instructions: pick(&["Be brief.", "Be polite.", "Ärger vermeiden 🙂"], random),
                    provider: pick(&PROVIDERS, random),
                    role: pick(&["Clerk", "Seller"], random),
                });
            }
        }
    }

    /// With everything there that something names. What is invalid has no fresh counterpart: its last valid revision
    /// serves on.
    pub(super) fn mended(&self) -> Self {
        let mut mended = Self {
            key: self.key.or(Some("first")),
            token: self.token.or(Some("xoxb-first")),
            ..self.clone()
        };
        for agent in mended.agents.iter_mut().flatten() {
            match PROVIDERS.iter().position(|name| *name == agent.provider) {
                Some(at) if at < mended.providers.len() => mended.providers[at] = true,
                _ => {
                    agent.provider = PROVIDERS[0];
                    mended.providers[0] = true;
                }
            }
        }
        let bound = AGENTS.into_iter().zip(&mended.agents).find(|(name, _)| Some(*name) == mended.channel);
        if bound.is_none_or(|(_, agent)| agent.is_none()) {
            mended.channel = None;
        }
        mended
    }

    /// Everything inside the namespace, by kind and name.
    fn objects(&self, slug: &str) -> Vec<(Kind, &'static str, Option<Value>)> {
        let team = slug.trim_start_matches("fault-").to_uppercase();
        let secret =
            |value: Option<&str>| value.map(|value| json!({"data": {"value": STANDARD.encode(value)}}));
        // Secrets are not watched: an annotation on what names one makes the operator look now, not within a minute.
        let provider = |exists: bool| {
            exists.then(|| {
                json!({"annotations": {"rotated": self.key.unwrap_or("none")}, "spec": {"models": ["m"],
                    "openai": {"baseUrl": "http://127.0.0.1:1/v1", "apiKeyRef": {"name": "key", "key": "value"}}}})
            })
        };
        let channel = self.channel.map(|agent| {
            json!({"annotations": {"rotated": self.token.unwrap_or("none")}, "spec": {"agent": agent,
                "slack": {"teamId": format!("T{team}"), "botTokenRef": {"name": "slack", "key": "value"}}}})
        });
        let mut objects = vec![
            (Kind::Secret, "key", secret(self.key)),
            (Kind::Secret, "slack", secret(self.token)),
            (Kind::LLMProvider, PROVIDERS[0], provider(self.providers[0])),
            (Kind::LLMProvider, PROVIDERS[1], provider(self.providers[1])),
        ];
        for (name, agent) in AGENTS.into_iter().zip(&self.agents) {
            let agent = agent.as_ref().map(|agent| {
                json!({"spec": {"displayName": name, "instructions": agent.instructions, "role": agent.role,
                    "models": [{"provider": agent.provider, "model": "m"}]}})
            });
            objects.push((Kind::Agent, name, agent));
        }
        objects.push((Kind::ChannelConnection, "chan", channel));
        objects
    }
}

/// Writes one tenant's resources, as one field manager.
pub(super) struct Writer<'a> {
    cluster: &'a Cluster,
    subject: &'a Subject,
}

impl<'a> Writer<'a> {
    pub(super) const fn new(cluster: &'a Cluster, subject: &'a Subject) -> Self {
        Self { cluster, subject }
    }

    /// Writes what differs from the state before; returns what that was, in words.
    pub(super) async fn bring(&self, before: Option<&Wanted>, wanted: &Wanted) -> Result<Vec<String>> {
        let slug = &self.subject.slug;
        let mut told = Vec::new();
        if before.is_none_or(|before| (before.suspended, before.cpu) != (wanted.suspended, wanted.cpu)) {
            let tenant = json!({"spec": {"displayName": "Faults", "slug": slug, "deletionPolicy": "Delete",
                "quota": {"cpu": wanted.cpu}, "state": if wanted.suspended { "Suspended" } else { "Active" }}});
            self.apply(&self.cluster.cluster_api(Kind::Tenant), Kind::Tenant, slug, tenant).await?;
            told.push(format!(
                "tenant {} {}",
                wanted.cpu,
                if wanted.suspended { "suspended" } else { "active" }
            ));
        }
        if before.is_none() {
            // As a user does it: the namespace comes first.
            let tenants = self.cluster.cluster_api(Kind::Tenant);
            await_status(&tenants, slug, "NamespaceReady", "True", PATIENCE).await?;
        }
        let known = before.map(|before| before.objects(slug)).unwrap_or_default();
        for (kind, name, object) in wanted.objects(slug) {
            let was = known.iter().find(|(other, known, _)| (*other, *known) == (kind, name));
            let was = was.and_then(|(_, _, object)| object.as_ref());
            if was == object.as_ref() {
                continue;
            }
            let api = self.api(kind);
            told.push(format!("{} {kind:?} {name}", if object.is_some() { "apply" } else { "delete" }));
            match object {
                Some(object) => self.apply(&api, kind, name, object).await?,
                None => match api.delete(name, &DeleteParams::default()).await {
                    Ok(_) => {}
                    Err(kube::Error::Api(status)) if status.is_not_found() => {}
                    Err(error) => return Err(error).with_context(|| format!("deleting {kind:?} {name}")),
                },
            }
        }
        Ok(told)
    }

    /// Tries to write something that nobody may write. It must be refused, and is as if it had not been.
    pub(super) async fn refused(&self, wanted: &Wanted, random: &mut SmallRng) -> Result<&'static str> {
        let long = "x".repeat(200_000);
        let (what, kind, name, spec) = match random.random_range(0..4) {
            0 => ("an unknown state", Kind::Tenant, self.subject.slug.as_str(), json!({"state": "Asleep"})),
            1 => ("another slug", Kind::Tenant, self.subject.slug.as_str(), json!({"slug": "somebody-else"})),
            2 => ("endless instructions", Kind::Agent, AGENTS[0], json!({"instructions": long})),
            _ => (
                "a provider without a name",
                Kind::Agent,
                AGENTS[0],
                json!({"models": [{"provider": "", "model": "m"}]}),
            ),
        };
        if kind == Kind::Agent && wanted.agents[0].is_none() {
            return Ok("nothing to refuse");
        }
        let api = if kind == Kind::Tenant { self.cluster.cluster_api(kind) } else { self.api(kind) };
        if api.get_opt(name).await?.is_none() {
            return Ok("nothing to refuse");
        }
        let patch = Patch::Merge(json!({"spec": spec}));
        let answer = api.patch(name, &PatchParams::default(), &patch).await;
        // It was leaving when it was looked at.
        if matches!(&answer, Err(kube::Error::Api(status)) if status.is_not_found()) {
            return Ok("nothing to refuse");
        }
        ensure!(
            matches!(&answer, Err(kube::Error::Api(status)) if status.code == 422 || status.code == 403),
            "{what} was not refused: {answer:?}"
        );
        Ok(what)
    }

    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        self.cluster.api(kind, &self.subject.namespace())
    }

    async fn apply(&self, api: &Api<DynamicObject>, kind: Kind, name: &str, object: Value) -> Result<()> {
        let mut object = object;
        object["apiVersion"] = kind.api_version().into();
        object["kind"] = format!("{kind:?}").into();
        let annotations = object.as_object_mut().and_then(|fields| fields.remove("annotations"));
        object["metadata"] = json!({"name": name, "annotations": annotations.unwrap_or_default()});
        let params = PatchParams::apply("konstruct-e2e").force();
        // What is being deleted makes room first, and so does a quota that is being counted, as they do for a user who sees
        // the error and tries again.
        let begun = std::time::Instant::now();
        loop {
            match api.patch(name, &params, &Patch::Apply(&object)).await {
                Ok(applied) if applied.metadata.deletion_timestamp.is_none() => return Ok(()),
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                Err(error) => return Err(error).with_context(|| format!("applying {kind:?} {name}")),
                Ok(_) => {}
            }
            ensure!(begun.elapsed() < PATIENCE, "{kind:?} {name} is never gone");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }
}

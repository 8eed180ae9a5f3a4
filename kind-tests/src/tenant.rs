//! A tenant of a test's own, with an employee whose model shows what reached it. Deleted when the test ends.

use std::time::Duration;

use anyhow::{Context, Result};
use kube::api::{Api, DynamicObject};
use uuid::Uuid;

use crate::cluster::{Cluster, control_plane_only};
use crate::kubectl;
use crate::objects::{Kind, await_object, await_status, condition};

/// Longest time that anything of a healthy platform may take on a busy two-core machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

pub struct TestTenant<'a> {
    cluster: &'a Cluster,
    pub slug: String,
    /// A Slack workspace that is nobody else's.
    pub team: String,
    /// The Plan that it names.
    pub plan: Option<String>,
}

impl<'a> TestTenant<'a> {
    /// Names a tenant; nothing is applied yet.
    pub fn new(cluster: &'a Cluster, what: &str) -> Self {
        let unique = unique();
        let slug = format!("e2e-{what}-{unique}");
        Self { cluster, slug, team: format!("T0{}", unique.to_uppercase()), plan: None }
    }

    /// The same where the namespace is known before.
    pub fn of_slug(cluster: &'a Cluster, slug: &str) -> Self {
        Self { cluster, slug: slug.to_owned(), team: format!("T0{}", unique().to_uppercase()), plan: None }
    }

    /// A tenant that is Ready, with the employee "Grace" in Slack and in a web chat.
    pub async fn with_employee(cluster: &'a Cluster, what: &str) -> Result<Self> {
        let tenant = Self::new(cluster, what);
        tenant.apply_all().await?;
        tenant.all_ready().await?;
        Ok(tenant)
    }

    pub async fn apply_all(&self) -> Result<()> {
        kubectl::apply(&self.tenant_yaml()).await?;
        self.namespace_made().await?;
        kubectl::apply(
            &[self.agent_yaml("Answer in one sentence."), self.connections_yaml()].join("\n---\n"),
        )
        .await?;
        Ok(())
    }

    /// Waits until there is a namespace to put objects into.
    pub async fn namespace_made(&self) -> Result<()> {
        let there = |object: Option<&DynamicObject>| {
            object.and_then(|o| condition(o, "NamespaceReady")).is_some_and(|c| c["status"] == "True")
        };
        await_object(&self.cluster.cluster_api(Kind::Tenant), &self.slug, "NamespaceReady", there, PATIENCE)
            .await?;
        Ok(())
    }

    /// A tenant with everything that the operator makes of it, whether or not there is a node for its pod.
    pub async fn made(cluster: &'a Cluster, what: &str) -> Result<Self> {
        let tenant = Self::new(cluster, what);
        tenant.apply_all().await?;
        if !control_plane_only() {
            tenant.all_ready().await?;
        }
        for part in ["DatabaseReady", "CacheReady"] {
            await_status(&cluster.cluster_api(Kind::Tenant), &tenant.slug, part, "True", PATIENCE).await?;
        }
        Ok(tenant)
    }

    pub async fn all_ready(&self) -> Result<()> {
        await_status(&self.cluster.cluster_api(Kind::Tenant), &self.slug, "Ready", "True", PATIENCE).await?;
        await_status(&self.api(Kind::Agent), "grace", "Ready", "True", PATIENCE).await?;
        for connection in ["slack", "chat"] {
            await_status(&self.api(Kind::ChannelConnection), connection, "Ready", "True", PATIENCE).await?;
        }
        Ok(())
    }

    pub fn namespace(&self) -> String {
        format!("kt-{}", self.slug)
    }

    pub fn api(&self, kind: Kind) -> Api<DynamicObject> {
        self.cluster.api(kind, &self.namespace())
    }

    /// The tenant's PostgreSQL login role.
    pub fn database_role(&self) -> String {
        format!("kt_{}", self.slug.replace('-', "_"))
    }

    pub async fn uid(&self) -> Result<String> {
        let tenant = self.cluster.cluster_api(Kind::Tenant).get(&self.slug).await?;
        tenant.metadata.uid.context("a Tenant without a UID")
    }

    /// Where the gateway serves the web chat.
    pub async fn chat_path(&self) -> Result<String> {
        let connection = self.api(Kind::ChannelConnection).get("chat").await?;
        let path = connection.data.pointer("/status/chatPath").and_then(|path| path.as_str());
        Ok(path.context("the web chat connection has no status.chatPath")?.to_owned())
    }

    pub fn tenant_yaml(&self) -> String {
        let slug = &self.slug;
        let plan = self.plan.as_ref().map_or_else(String::new, |plan| format!(", plan: {plan}"));
        format!(
            "apiVersion: konstruct.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: {slug}}}\n\
             spec: {{displayName: Tests of {slug}, slug: {slug}, deletionPolicy: Delete{plan}}}\n"
        )
    }

    pub fn agent_yaml(&self, instructions: &str) -> String {
        self.agent_with("grace", "shared-echo", instructions)
    }

    /// An Agent whose model is "echo" of the named provider.
    pub fn agent_with(&self, name: &str, provider: &str, instructions: &str) -> String {
        let namespace = self.namespace();
        format!(
            "apiVersion: konstruct.dev/v1alpha1\nkind: Agent\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             spec:\n  displayName: Grace Hopper\n  role: release engineer\n  persona: Calm and exact.\n  \
             instructions: {instructions:?}\n  models: [{{provider: {provider}, model: echo}}]\n"
        )
    }

    /// The tenant's own LLMProvider with the model "echo", and the Secret with its key.
    pub fn provider_yaml(&self, name: &str, secret: &str, key: &str) -> String {
        let namespace = self.namespace();
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {secret}, namespace: {namespace}}}\n\
             stringData: {{apiKey: {key}}}\n---\n\
             apiVersion: konstruct.dev/v1alpha1\nkind: LLMProvider\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             spec:\n  openai:\n    baseUrl: http://model.konstruct-counterparts:8000/v1\n    \
             apiKeyRef: {{name: {secret}, key: apiKey}}\n  models: [echo]\n"
        )
    }

    pub fn connections_yaml(&self) -> String {
        let (namespace, team) = (self.namespace(), &self.team);
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: slack, namespace: {namespace}}}\n\
             stringData: {{botToken: xoxb-{team}}}\n---\n\
             apiVersion: konstruct.dev/v1alpha1\nkind: ChannelConnection\nmetadata: {{name: slack, namespace: {namespace}}}\n\
             spec: {{agent: grace, slack: {{teamId: {team}, botTokenRef: {{name: slack, key: botToken}}}}}}\n---\n\
             apiVersion: konstruct.dev/v1alpha1\nkind: ChannelConnection\nmetadata: {{name: chat, namespace: {namespace}}}\n\
             spec: {{agent: grace, webChat: {{}}}}\n"
        )
    }
}

impl Drop for TestTenant<'_> {
    fn drop(&mut self) {
        // A test that is about deletion waits for it itself.
        kubectl::delete_behind("tenant", &self.slug);
        if let Some(plan) = &self.plan {
            kubectl::delete_behind("plan", plan);
        }
    }
}

fn unique() -> String {
    Uuid::new_v4().simple().to_string()[..8].to_owned()
}

//! What the operator is disturbed at. Everything is done with kubectl and past the proxy.

use anyhow::Result;
use konstruct_kind_tests::kubectl;
use uuid::Uuid;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    TenantCreate,
    PlanChange,
    Suspend,
    Resume,
    AgentCreate,
    AgentUpdate,
    AgentDelete,
    ChannelSecret,
    ProviderKey,
    TenantDelete,
}

impl Scenario {
    pub(crate) const ALL: [Self; 10] = [
        Self::TenantCreate,
        Self::PlanChange,
        Self::Suspend,
        Self::Resume,
        Self::AgentCreate,
        Self::AgentUpdate,
        Self::AgentDelete,
        Self::ChannelSecret,
        Self::ProviderKey,
        Self::TenantDelete,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::TenantCreate => "tenant-create",
            Self::PlanChange => "plan-change",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::AgentCreate => "agent-create",
            Self::AgentUpdate => "agent-update",
            Self::AgentDelete => "agent-delete",
            Self::ChannelSecret => "channel-secret",
            Self::ProviderKey => "provider-key",
            Self::TenantDelete => "tenant-delete",
        }
    }

    /// What has to be there before, in the state that the act changes.
    pub(crate) const fn begins_with_nothing(self) -> bool {
        matches!(self, Self::TenantCreate)
    }

    /// What is done while the operator is disturbed.
    pub(crate) async fn act(self, subject: &Subject) -> Result<()> {
        match self {
            Self::TenantCreate => subject.create().await,
            Self::PlanChange => kubectl::apply(&subject.plan("3")).await.map(drop),
            Self::Suspend => subject.patch("tenant", r#"{"spec": {"state": "Suspended"}}"#).await,
            Self::Resume => subject.patch("tenant", r#"{"spec": {"state": "Active"}}"#).await,
            Self::AgentCreate => kubectl::apply(&subject.agent("bob", "Be brief.")).await.map(drop),
            Self::AgentUpdate => kubectl::apply(&subject.agent("ada", "Be polite.")).await.map(drop),
            Self::AgentDelete => subject.delete("agent", "ada").await,
            Self::ChannelSecret => subject.rotate("slack", "xoxb-second", "chan").await,
            Self::ProviderKey => subject.rotate("key", "second", "llm").await,
            Self::TenantDelete => subject.delete("tenant", &subject.slug).await,
        }
    }

    /// Brings the subject from the state after the act back to the one before it.
    pub(crate) async fn undo(self, subject: &Subject) -> Result<()> {
        match self {
            Self::TenantCreate | Self::TenantDelete => Ok(()),
            Self::PlanChange => kubectl::apply(&subject.plan("2")).await.map(drop),
            Self::Suspend => Self::Resume.act(subject).await,
            Self::Resume => Self::Suspend.act(subject).await,
            Self::AgentCreate => subject.delete("agent", "bob").await,
            Self::AgentUpdate | Self::AgentDelete => {
                kubectl::apply(&subject.agent("ada", "Be brief.")).await.map(drop)
            }
            Self::ChannelSecret => subject.rotate("slack", "xoxb-first", "chan").await,
            Self::ProviderKey => subject.rotate("key", "first", "llm").await,
        }
    }
}

/// A tenant with a plan, an agent, a provider and a channel of its own.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) slug: String,
}

impl Subject {
    pub(crate) fn new() -> Self {
        Self { slug: format!("fault-{}", &Uuid::new_v4().simple().to_string()[..10]) }
    }

    pub(crate) fn namespace(&self) -> String {
        format!("kt-{}", self.slug)
    }

    async fn create(&self) -> Result<()> {
        let slug = &self.slug;
        kubectl::apply(&format!(
            "{}\n---\napiVersion: konstruct.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: {slug}}}\n\
             spec: {{displayName: Faults, slug: {slug}, plan: {slug}, deletionPolicy: Delete}}\n",
            self.plan("2")
        ))
        .await?;
        let namespace = self.namespace();
        // As a user does it: the namespace comes first.
        let path = format!("tenant/{slug}");
        kubectl::run(&["wait", "--for=condition=NamespaceReady", &path, "--timeout=120s"]).await?;
        kubectl::apply(&format!(
            "{}\n---\n{}\n---\n{}\n---\n\
             apiVersion: konstruct.dev/v1alpha1\nkind: LLMProvider\nmetadata: {{name: llm, namespace: {namespace}}}\n\
             spec: {{openai: {{baseUrl: http://127.0.0.1:1/v1, apiKeyRef: {{name: key, key: value}}}}, models: [m]}}\n---\n\
             apiVersion: konstruct.dev/v1alpha1\nkind: ChannelConnection\nmetadata: {{name: chan, namespace: {namespace}}}\n\
             spec: {{agent: ada, slack: {{teamId: T{}, botTokenRef: {{name: slack, key: value}}}}}}\n",
            self.secret("key", "first"),
            self.secret("slack", "xoxb-first"),
            self.agent("ada", "Be brief."),
            slug.trim_start_matches("fault-").to_uppercase(),
        ))
        .await?;
        Ok(())
    }

    fn plan(&self, cpu: &str) -> String {
        let slug = &self.slug;
        format!(
            "apiVersion: konstruct.dev/v1alpha1\nkind: Plan\nmetadata: {{name: {slug}}}\n\
             spec: {{limits: {{agents: 5}}, quota: {{cpu: {cpu:?}}}}}\n"
        )
    }

    fn agent(&self, name: &str, instructions: &str) -> String {
        let namespace = self.namespace();
        format!(
            "apiVersion: konstruct.dev/v1alpha1\nkind: Agent\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             spec: {{displayName: Ada, instructions: {instructions:?}, models: [{{provider: llm, model: m}}]}}\n"
        )
    }

    fn secret(&self, name: &str, value: &str) -> String {
        let namespace = self.namespace();
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\nstringData: {{value: {value}}}\n"
        )
    }

    /// Secrets are not watched: an annotation on what names one makes the operator look now instead of within a minute.
    async fn rotate(&self, secret: &str, value: &str, user: &str) -> Result<()> {
        kubectl::apply(&self.secret(secret, value)).await?;
        let kind = if user == "llm" { "llmprovider" } else { "channelconnection" };
        let note = format!("rotated={}", value.trim_start_matches("xoxb-"));
        kubectl::run(&["annotate", kind, user, "--namespace", &self.namespace(), "--overwrite", &note])
            .await?;
        Ok(())
    }

    async fn patch(&self, kind: &str, patch: &str) -> Result<()> {
        kubectl::run(&["patch", kind, &self.slug, "--type=merge", "-p", patch]).await?;
        Ok(())
    }

    async fn delete(&self, kind: &str, name: &str) -> Result<()> {
        let namespace = self.namespace();
        let options = ["--namespace", &namespace, "--wait=false", "--ignore-not-found"];
        kubectl::run(&[&["delete", kind, name], &options[..]].concat()).await?;
        Ok(())
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        for kind in ["tenant", "plan"] {
            kubectl::delete_behind(kind, &self.slug);
        }
    }
}

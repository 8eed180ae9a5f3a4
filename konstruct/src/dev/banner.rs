//! What is said once everything runs. Short: fifteen lines at most with the sample manifests.

use std::path::Path;

use konstruct_domain::snapshot::{ChannelSnapshot, ConnectionSnapshot};
use secrecy::ExposeSecret;

use super::compile::{Compiled, Snapshot};
use super::model::FoundModel;
use super::slack::{BOT_USER, Workspace};

/// More pages than these are in the log.
const PAGES_SHOWN: usize = 4;

pub(crate) struct Banner<'a> {
    pub(crate) compiled: &'a Compiled,
    pub(crate) gateway_url: &'a str,
    /// The stand-in's page.
    pub(crate) slack_page: Option<&'a str>,
    pub(crate) workspaces: &'a [Workspace],
    pub(crate) model: Option<&'a FoundModel>,
    pub(crate) services: &'a str,
    pub(crate) folder: &'a Path,
    pub(crate) log: &'a Path,
    pub(crate) seconds: f64,
}

impl Banner<'_> {
    pub(crate) fn text(&self) -> String {
        let mut lines = vec![self.headline()];
        lines.extend(self.pages());
        lines.extend(self.slack());
        lines.push(self.model());
        lines.push(format!("Edit     {}: a saved change is in force at once", self.folder.display()));
        lines.push(format!("Runs on  {}; log: {}", self.services, self.log.display()));
        lines.push(
            "Only a cluster gives: a namespace, quotas, network policies and a pod of its own per tenant"
                .to_owned(),
        );
        lines.push("Ctrl-C stops everything".to_owned());
        lines.join("\n")
    }

    fn headline(&self) -> String {
        let agents =
            self.compiled.items.values().filter(|item| matches!(item.snapshot, Snapshot::Agent(_))).count();
        let tenants = self.compiled.tenants.len();
        format!("Konstruct runs: {tenants} tenants, {agents} AI employees (ready in {:.1} s)", self.seconds)
    }

    fn pages(&self) -> Vec<String> {
        let chats: Vec<String> = chats(self.compiled)
            .map(|(connection, title)| {
                format!(
                    "Open     {}/chat/{}  {} ({})",
                    self.gateway_url, connection.public_id, title, connection.agent
                )
            })
            .collect();
        let more = chats.len().saturating_sub(PAGES_SHOWN);
        let mut shown: Vec<String> = chats.into_iter().take(PAGES_SHOWN).collect();
        if more > 0 {
            shown.push(format!("         and {more} more in the log"));
        }
        shown
    }

    fn slack(&self) -> Vec<String> {
        let Some(workspace) = self.workspaces.first() else { return Vec::new() };
        match self.slack_page {
            Some(page) => vec![
                format!(
                    "Slack    {page}/  stand-in: write there, or paste the next line; replies show up there"
                ),
                curl(workspace, workspace.signing_secret.expose_secret()),
            ],
            None => vec![format!("Slack    the real one; events come to {}", workspace.events_url)],
        }
    }

    fn model(&self) -> String {
        match self.model {
            Some(model) => format!("Model    {} by {}, before the scripted ones", model.model, model.from),
            None => "Model    scripted rules that say so; for a real one set ANTHROPIC_API_KEY or OPENAI_API_KEY, or start Ollama"
                .to_owned(),
        }
    }
}

fn chats(compiled: &Compiled) -> impl Iterator<Item = (&ConnectionSnapshot, &str)> {
    compiled.items.values().filter_map(|item| match &item.snapshot {
        Snapshot::Connection(connection) => match &connection.channel {
            ChannelSnapshot::WebChat(chat) => Some((&**connection, chat.title.as_str())),
            _ => None,
        },
        _ => None,
    })
}

/// One line for a POSIX shell: an event that is signed when it is pasted, since a signature is good for five minutes.
/// The secret is one of the stand-in's, never a real one.
fn curl(workspace: &Workspace, secret: &str) -> String {
    let Workspace { team_id, events_url, .. } = workspace;
    let body = format!(
        r#"{{"type":"event_callback","team_id":"{team_id}","event_id":"Ev'$T'","authorizations":[{{"team_id":"{team_id}","user_id":"{BOT_USER}"}}],"event":{{"type":"app_mention","user":"U0PERSON","channel":"C0GENERAL","ts":"'$T'.000100","text":"<@{BOT_USER}> What is your name?"}}}}"#
    );
    format!(
        r#"T=$(date +%s); B='{body}'; curl -sS {events_url} -H "X-Slack-Request-Timestamp: $T" -H "X-Slack-Signature: v0=$(printf 'v0:%s:%s' "$T" "$B" | openssl dgst -sha256 -hmac '{secret}' | sed 's/.* //')" -H 'Content-Type: application/json' -d "$B""#
    )
}

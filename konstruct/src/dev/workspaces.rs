//! The Slack workspaces that connections name, for the stand-in and for the line to paste.

use konstruct_domain::snapshot::{ChannelSnapshot, SecretField};
use secrecy::SecretString;

use super::admission::Objects;
use super::compile::{Compiled, Item, Key, Snapshot};
use super::platform;
use super::slack::{self, Workspace};

/// Those with an app of their own first.
pub(crate) fn of(
    compiled: &Compiled,
    gateway_url: &str,
    shared_signing_secret: &SecretString,
) -> Vec<Workspace> {
    let one = |(key, item)| workspace(compiled, key, item, gateway_url, shared_signing_secret);
    let mut found: Vec<Workspace> = compiled.items.iter().filter_map(one).collect();
    let shared = format!("{gateway_url}/slack/events");
    found.sort_by_key(|workspace| workspace.events_url == shared);
    found
}

fn workspace(
    compiled: &Compiled,
    key: &Key,
    item: &Item,
    gateway_url: &str,
    shared_signing_secret: &SecretString,
) -> Option<Workspace> {
    let Snapshot::Connection(connection) = &item.snapshot else { return None };
    let ChannelSnapshot::Slack(slack) = &connection.channel else { return None };
    // The stand-in sends to addresses only. Slack itself, and whatever is named as it, is asked for a socket.
    if slack.app_token.is_some() {
        return None;
    }
    let secret =
        |field: SecretField| item.secrets.iter().find(|(of, _)| *of == field).map(|(_, value)| value.clone());
    let own_secret = secret(SecretField::SlackSigningSecret);
    let path = own_secret.as_ref().map_or_else(String::new, |_| format!("/{}", connection.public_id));
    Some(Workspace {
        team_id: slack.team_id.clone(),
        tenant: compiled.tenant_name(key.tenant),
        agent: compiled.agent_name(key.tenant, connection.agent.as_str()),
        bot_token: secret(SecretField::SlackBotToken)?,
        signing_secret: own_secret.unwrap_or_else(|| shared_signing_secret.clone()),
        events_url: format!("{gateway_url}/slack{path}/events"),
    })
}

/// Slack's own address when a bot token looks like one that Slack gave.
pub(crate) fn real_slack(objects: &Objects) -> Option<String> {
    let mut values = objects.secrets.values().flat_map(|secret| secret.values());
    let real =
        values.any(|value| std::str::from_utf8(value).is_ok_and(|text| slack::is_real_token(text.trim())));
    real.then(|| platform::SLACK.to_owned())
}

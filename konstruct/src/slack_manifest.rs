//! `konstruct slack-manifest`: what a Slack app has to be like to carry an employee.

mod app;
#[cfg(test)]
mod tests;

use std::io::Write;

use anyhow::{Context, Result};

use app::Manifest;

/// Slack's limits, in characters.
const NAME_MAX: usize = 35;
const DESCRIPTION_MAX: usize = 140;
const AGENT_DESCRIPTION_MAX: usize = 300;
const PROMPTS_MAX: usize = 4;
const HOST_MAX: usize = 253;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Where Slack reaches the gateway: a host name such as chat.example.com.
    #[arg(value_name = "HOST", value_parser = host, required_unless_present = "socket_mode")]
    host: Option<String>,
    /// Events come through Socket Mode, for a gateway that Slack cannot reach.
    #[arg(long, conflicts_with_all = ["host", "webhook_path"])]
    socket_mode: bool,
    /// Path of the connection's own webhook, from its status.webhookPath. Absent: the path of the installation's shared
    /// app.
    #[arg(long, value_name = "PATH", default_value = "/slack/events", value_parser = webhook_path)]
    webhook_path: String,
    /// What the app and its bot are called in Slack.
    #[arg(long, default_value = "Konstruct", value_parser = |text: &str| line("name", text, NAME_MAX))]
    name: String,
    /// What the app is for, in a few words.
    #[arg(
        long,
        default_value = "An AI employee that answers where your team works",
        value_parser = |text: &str| line("description", text, DESCRIPTION_MAX)
    )]
    description: String,
    /// What the employee can do, for the place where people find agents.
    #[arg(
        long,
        default_value = "An AI employee: mention it in a channel, or write to it directly.",
        value_parser = |text: &str| line("agent description", text, AGENT_DESCRIPTION_MAX)
    )]
    agent_description: String,
    /// A suggestion for a first message, as TITLE=MESSAGE. Up to four.
    #[arg(long = "prompt", value_name = "TITLE=MESSAGE", value_parser = prompt)]
    prompts: Vec<Prompt>,
    /// For an app of before 2026: assistant_view in place of agent_view, which new apps have to use.
    #[arg(long)]
    legacy: bool,
    /// JSON in place of YAML.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
struct Prompt {
    title: String,
    message: String,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    anyhow::ensure!(
        args.prompts.len() <= PROMPTS_MAX,
        "{} suggestions are too many: give --prompt at most {PROMPTS_MAX} times",
        args.prompts.len()
    );
    std::io::stdout().write_all(print(args)?.as_bytes()).context("cannot write to standard output")
}

fn print(args: &Args) -> Result<String> {
    let manifest = Manifest::of(args);
    let text = if args.json {
        serde_json::to_string_pretty(&manifest).map(|json| json + "\n").map_err(anyhow::Error::from)
    } else {
        serde_yaml::to_string(&manifest).map_err(anyhow::Error::from)
    };
    text.context("cannot print the manifest")
}

/// A name under which the whole world finds the gateway: Slack asks no others.
fn host(text: &str) -> Result<String, String> {
    const REMEDY: &str = "write the host name only, such as chat.example.com";
    if text.contains("://") || text.contains('/') {
        return Err(format!("it is an address: {REMEDY}"));
    }
    if text.contains(':') {
        return Err(format!("Slack asks port 443 and no other: {REMEDY}"));
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if text.len() > HOST_MAX || !text.split('.').all(label) {
        return Err(format!("it is no host name: {REMEDY}"));
    }
    let last = text.rsplit('.').next().unwrap_or_default();
    if last == text || last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "Slack needs a public name with a certificate, no local one and no number: {REMEDY}"
        ));
    }
    Ok(text.to_ascii_lowercase())
}

fn webhook_path(text: &str) -> Result<String, String> {
    let inner = text.strip_prefix("/slack/").and_then(|rest| rest.strip_suffix("events"));
    let id = inner.map(|inner| inner.strip_suffix('/').unwrap_or(inner));
    let known = |id: &str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    match (inner, id) {
        (Some(inner), Some(id)) if known(id) && (id.is_empty() || inner.len() > id.len()) => {
            Ok(text.to_owned())
        }
        _ => Err("copy status.webhookPath of the ChannelConnection, such as /slack/abc123/events".to_owned()),
    }
}

fn line(what: &str, text: &str, max: usize) -> Result<String, String> {
    let length = text.chars().count();
    if text.trim().is_empty() {
        return Err(format!("the {what} is empty: write 1 to {max} characters"));
    }
    if length > max {
        return Err(format!("the {what} has {length} characters: write at most {max}"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("the {what} has a control character: write one line of plain text"));
    }
    Ok(text.to_owned())
}

fn prompt(text: &str) -> Result<Prompt, String> {
    let (title, message) = text
        .split_once('=')
        .ok_or("write it as TITLE=MESSAGE, such as 'Holidays=How many days have I left?'")?;
    Ok(Prompt { title: line("title", title, 75)?, message: line("message", message, 300)? })
}

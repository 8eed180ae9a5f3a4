//! `konstruct chat-check`: says something on a web chat page, as a visitor does, and waits for the reply. `helm test`
//! runs it in the cluster.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use konstruct_crds::conditions::find;
use konstruct_crds::{ChannelConnection, ConditionType};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Address of the gateway.
    #[arg(long, value_name = "ADDRESS", default_value = "http://konstruct-gateway.konstruct-system:8080")]
    gateway: reqwest::Url,
    /// Namespace of the ChannelConnection. Without it, all are looked through.
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// The ChannelConnection. Without it, the first that is Ready and has a web chat.
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// How long to wait for the reply, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout_seconds: u64,
    /// What to say.
    #[arg(default_value = "This is a test of the installation. Who are you?")]
    message: String,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    konstruct_telemetry::init(konstruct_telemetry::LogFormat::Text)?;
    let connection = connection(&args).await?;
    let page = page(&args.gateway, &connection)?;
    let name = format!("{}/{}", connection.namespace().unwrap_or_default(), connection.name_any());
    let patience = Duration::from_secs(args.timeout_seconds);
    let reply = timeout(patience, ask(&page, &args.message))
        .await
        .with_context(|| format!("no reply from {name} within {} s", args.timeout_seconds))?
        .with_context(|| format!("the chat of {name}"))?;
    tracing::info!(connection = name, characters = reply.chars().count(), "a reply came");
    Ok(())
}

/// The connection that was named, or the first that serves a page.
async fn connection(args: &Args) -> Result<ChannelConnection> {
    let client = Client::try_default().await.context("cannot reach the Kubernetes API")?;
    let api: Api<ChannelConnection> = match &args.namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let found = api.list(&ListParams::default()).await.context("cannot list the ChannelConnections")?;
    let wanted = |connection: &ChannelConnection| {
        args.connection.as_deref().is_none_or(|name| connection.name_any() == name) && serves(connection)
    };
    found.into_iter().find(wanted).with_context(|| {
        let which = args.connection.as_deref().unwrap_or("with a web chat");
        format!(
            "no ChannelConnection {which} is Ready: look at `kubectl get channelconnections --all-namespaces`"
        )
    })
}

fn serves(connection: &ChannelConnection) -> bool {
    connection.status.as_ref().is_some_and(|status| {
        let ready =
            find(&status.conditions, ConditionType::Ready).is_some_and(konstruct_crds::Condition::is_true);
        ready && status.chat_path.is_some()
    })
}

fn page(gateway: &reqwest::Url, connection: &ChannelConnection) -> Result<String> {
    let path = connection.status.as_ref().and_then(|status| status.chat_path.as_deref());
    let path = path.context("the connection has no chat page")?;
    Ok(format!("{}{path}", gateway.as_str().trim_end_matches('/')))
}

/// The three requests that the chat page makes.
async fn ask(page: &str, message: &str) -> Result<String> {
    let http = reqwest::Client::builder().no_proxy().build().context("cannot set up HTTP")?;
    let started =
        http.post(format!("{page}/sessions")).send().await.context("the gateway does not answer")?;
    ensure!(started.status().is_success(), "starting a conversation was answered with {}", started.status());
    let started: Value =
        started.json().await.context("starting a conversation was not answered with JSON")?;
    let token = started["token"].as_str().context("no conversation was started")?;
    let body = json!({ "id": Uuid::new_v4(), "text": message });
    let said = http.post(format!("{page}/messages")).bearer_auth(token).json(&body).send().await?;
    ensure!(said.status().is_success(), "the message was answered with {}", said.status());
    let mut events =
        http.get(format!("{page}/events")).bearer_auth(token).send().await?.error_for_status()?;
    let mut received = Vec::new();
    while let Some(bytes) = events.chunk().await.context("the stream of replies broke")? {
        received.extend_from_slice(&bytes);
        while let Some(end) = received.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = received.drain(..=end).collect();
            if let Some(reply) = reply(&line)? {
                return Ok(reply);
            }
        }
    }
    bail!("the stream of replies ended without one")
}

/// The employee's text, if the line of the event stream has one.
fn reply(line: &[u8]) -> Result<Option<String>> {
    let Some(data) = line.strip_prefix(b"data:") else { return Ok(None) };
    let event: Value = serde_json::from_slice(data).context("an event that is not JSON")?;
    if event["speaker"] != "employee" {
        return Ok(None);
    }
    let text = event["text"].as_str().filter(|text| !text.trim().is_empty());
    Ok(Some(text.context("the reply is empty")?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_employee_replies() {
        assert_eq!(reply(b"event: message\n").unwrap(), None);
        assert_eq!(reply(b": keep-alive\n").unwrap(), None);
        let person = br#"data: {"seq":1,"speaker":"person","text":"hi"}"#;
        assert_eq!(reply(person).unwrap(), None);
        let employee = br#"data: {"seq":2,"speaker":"employee","text":"Hello"}"#;
        assert_eq!(reply(employee).unwrap().as_deref(), Some("Hello"));
        assert!(reply(br#"data: {"seq":2,"speaker":"employee","text":" "}"#).is_err());
        assert!(reply(b"data: nonsense").is_err());
    }

    #[test]
    fn only_a_connection_that_is_ready_and_has_a_page_serves() {
        let connection = |ready: &str, path: Option<&str>| -> ChannelConnection {
            let condition = json!({
                "type": "Ready", "status": ready, "reason": "Ready", "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
            });
            serde_json::from_value(json!({
                "apiVersion": "konstruct.dev/v1alpha1",
                "kind": "ChannelConnection",
                "metadata": { "name": "website", "namespace": "kt-acme" },
                "spec": { "agent": "ada", "webChat": {} },
                "status": { "conditions": [condition], "chatPath": path },
            }))
            .unwrap()
        };
        assert!(serves(&connection("True", Some("/chat/x"))));
        assert!(!serves(&connection("False", Some("/chat/x"))));
        assert!(!serves(&connection("True", None)));
        let gateway = "http://gateway:8080".parse().unwrap();
        assert_eq!(
            page(&gateway, &connection("True", Some("/chat/x"))).unwrap(),
            "http://gateway:8080/chat/x"
        );
    }
}

//! A person in the web chat: the three requests that the chat page makes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use eventsource_stream::Eventsource;
use futures::StreamExt;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::forward::Forward;

/// One conversation with the connection at `/chat/<public id>`.
pub struct Conversation<'a> {
    gateway: &'a Forward,
    http: reqwest::Client,
    path: String,
    token: String,
    seen: i64,
}

impl<'a> Conversation<'a> {
    pub async fn start(gateway: &'a Forward, chat_path: &str) -> Result<Self> {
        let http = reqwest::Client::new();
        let response =
            http.post(gateway.url(&format!("{chat_path}/sessions"))).send().await?.error_for_status()?;
        let started: Value = response.json().await?;
        let token = started["token"].as_str().context("no session token")?.to_owned();
        Ok(Self { gateway, http, path: chat_path.to_owned(), token, seen: 0 })
    }

    /// Posts a message and waits for the employee's next line.
    pub async fn ask(&mut self, text: &str, within: Duration) -> Result<String> {
        let message = json!({"text": text, "id": Uuid::new_v4()});
        let url = self.gateway.url(&format!("{}/messages", self.path));
        let status = self.http.post(url).bearer_auth(&self.token).json(&message).send().await?.status();
        ensure!(status.as_u16() == 202, "the gateway answered a chat message with {status}");
        tokio::time::timeout(within, self.next_line())
            .await
            .with_context(|| format!("no reply within {within:?}"))?
    }

    async fn next_line(&mut self) -> Result<String> {
        let url = self.gateway.url(&format!("{}/events", self.path));
        let response = self
            .http
            .get(url)
            .bearer_auth(&self.token)
            .header("Last-Event-ID", self.seen.to_string())
            .send()
            .await?
            .error_for_status()?;
        let mut events = response.bytes_stream().eventsource();
        while let Some(event) = events.next().await {
            let event = event.context("reading the chat's events")?;
            if event.event != "message" {
                continue;
            }
            let line: Value = serde_json::from_str(&event.data).context("a chat event that is not JSON")?;
            let seq = line["seq"].as_i64().context("a chat line without a number")?;
            if seq > self.seen {
                self.seen = seq;
                if line["speaker"] == "employee" {
                    return Ok(line["text"].as_str().context("a chat line without a text")?.to_owned());
                }
            }
        }
        anyhow::bail!("the chat's event stream ended without a reply")
    }
}

//! A visitor of a web chat: sends until the message is accepted, as the page does.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use konstruct_domain::ConversationId;
use konstruct_domain::message::Speaker;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::check::{Place, Reply, Token};
use crate::world::World;

const TRIES: usize = 40;
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) struct Visitor {
    pub(crate) place: Place,
    token: Option<String>,
}

impl Visitor {
    pub(crate) const fn new(place: Place) -> Self {
        Self { place, token: None }
    }

    pub(crate) async fn write(&mut self, world: &World, token: Token) -> Option<SystemTime> {
        let message = json!({ "text": format!("please look at {token}"), "id": Uuid::new_v4() });
        for _ in 0..TRIES {
            if self.try_to_write(world, &message).await.is_ok() {
                return Some(SystemTime::now());
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }

    async fn try_to_write(&mut self, world: &World, message: &Value) -> Result<()> {
        let chat = &world.tenants[self.place.tenant].web_chat.public_id;
        let conversations = format!("{}/chat/{chat}/conversations", world.gateway_url);
        let token = if let Some(token) = &self.token {
            token.clone()
        } else {
            let started = world.http.post(&conversations).json(&json!({})).send().await?;
            let started: Value = started.error_for_status()?.json().await?;
            let token = started["conversation"].as_str().context("no conversation")?.to_owned();
            self.token.insert(token).clone()
        };
        let url = format!("{conversations}/{token}/messages");
        world.http.post(url).json(message).send().await?.error_for_status()?;
        Ok(())
    }

    /// What the visitor's page shows of the employee.
    pub(crate) async fn read(&self, world: &World) -> Result<Vec<Reply>> {
        let Some(token) = &self.token else { return Ok(Vec::new()) };
        let tenant = &world.tenants[self.place.tenant];
        let conversation = ConversationId::derive(tenant.id, &tenant.web_chat.name, &key(token)?);
        let lines = world.store.chat_lines(tenant.id, conversation, 0).await?;
        let employee = lines.into_iter().filter(|line| line.speaker == Speaker::Employee);
        // The time is not on the page: nothing is said of how long it took.
        let at = SystemTime::UNIX_EPOCH;
        Ok(employee.map(|line| Reply { place: self.place, at, text: line.text }).collect())
    }
}

/// The token is a secret, so the conversation is kept under its digest.
fn key(token: &str) -> Result<String> {
    Ok(hex::encode(Sha256::digest(Uuid::try_parse(token)?.as_bytes())))
}

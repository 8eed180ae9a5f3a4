//! A visitor of a web chat: sends until the message is accepted, as the page does.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use konstruct_domain::ConversationId;
use konstruct_domain::message::Speaker;
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::check::{Place, Reply, Token};
use crate::world::World;

const TRIES: usize = 40;
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) struct Visitor {
    pub(crate) place: Place,
    /// What its browser remembers of the conversation.
    conversation: Option<String>,
    /// Of the session.
    token: Option<String>,
}

impl Visitor {
    pub(crate) const fn new(place: Place) -> Self {
        Self { place, conversation: None, token: None }
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
        let chat = format!("{}/chat/{chat}", world.gateway_url);
        let token = match self.token.take() {
            Some(token) => token,
            None => self.open(world, &chat).await?,
        };
        let said =
            world.http.post(format!("{chat}/messages")).bearer_auth(&token).json(message).send().await?;
        if said.status() != StatusCode::UNAUTHORIZED {
            self.token = Some(token);
        }
        said.error_for_status()?;
        Ok(())
    }

    /// A session, of the conversation that there is already if there is one.
    async fn open(&mut self, world: &World, chat: &str) -> Result<String> {
        let wish =
            self.conversation.as_ref().map_or_else(|| json!({}), |known| json!({ "conversation": known }));
        let opened = world.http.post(format!("{chat}/sessions")).json(&wish).send().await?;
        let opened: Value = opened.error_for_status()?.json().await?;
        self.conversation = Some(opened["conversation"].as_str().context("no conversation")?.to_owned());
        Ok(opened["token"].as_str().context("no token")?.to_owned())
    }

    /// What the visitor's page shows of the employee.
    pub(crate) async fn read(&self, world: &World) -> Result<Vec<Reply>> {
        let Some(secret) = &self.conversation else { return Ok(Vec::new()) };
        let tenant = &world.tenants[self.place.tenant];
        let conversation = ConversationId::derive(tenant.id, &tenant.web_chat.name, &key(secret)?);
        let lines = world.store.chat_lines(tenant.id, conversation, 0).await?;
        let employee = lines.into_iter().filter(|line| line.speaker == Speaker::Employee);
        // The time is not on the page: nothing is said of how long it took.
        let at = SystemTime::UNIX_EPOCH;
        Ok(employee.map(|line| Reply { place: self.place, at, text: line.text }).collect())
    }
}

/// Who knows it may read and write, so the conversation is kept under its digest.
fn key(secret: &str) -> Result<String> {
    Ok(hex::encode(Sha256::digest(Uuid::try_parse(secret)?.as_bytes())))
}

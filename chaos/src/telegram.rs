//! A person in a private chat with a Telegram bot. The bots of one tenant ask for their updates, the others get them.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use konstruct_testkit::telegram::SentText;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::time::sleep;

use crate::check::{Place, Reply, Token};
use crate::world::World;

const TRIES: usize = 60;
const PAUSE: Duration = Duration::from_millis(700);

pub(crate) struct Chat {
    place: Place,
}

impl Chat {
    pub(crate) const fn new(place: Place) -> Self {
        Self { place }
    }

    pub(crate) async fn write(&self, world: &World, token: Token) -> Option<SystemTime> {
        let tenant = &world.tenants[self.place.tenant];
        let person = i64::try_from(self.place.conversation).ok()? + 1;
        let update = world.platforms.telegram.message(
            &tenant.bot.username,
            person,
            &format!("please look at {token}"),
        );
        // What is asked for is kept by Telegram until it was: it is as good as acknowledged.
        if !tenant.has_webhook {
            return Some(SystemTime::now());
        }
        for _ in 0..TRIES {
            if self.deliver(world, &update).await.is_ok() {
                return Some(SystemTime::now());
            }
            sleep(PAUSE).await;
        }
        None
    }

    async fn deliver(&self, world: &World, update: &Value) -> Result<StatusCode> {
        let bot = &world.tenants[self.place.tenant].bot;
        let webhook = world.platforms.telegram.webhook(&bot.username).context("no webhook")?;
        let path = webhook.url.strip_prefix(crate::world::PUBLIC_ADDRESS).context("a webhook elsewhere")?;
        let secret = webhook.secret_token.context("a webhook without a secret")?;
        let request = world.http.post(format!("{}{path}", world.gateway_url));
        let response = request.header("x-telegram-bot-api-secret-token", secret).json(update).send().await?;
        Ok(response.error_for_status()?.status())
    }
}

pub(crate) fn read(world: &World) -> Result<Vec<Reply>> {
    world.platforms.telegram.sent().iter().map(|sent| reply(world, sent)).collect()
}

fn reply(world: &World, sent: &SentText) -> Result<Reply> {
    let tenant = world.tenants.iter().position(|tenant| tenant.bot.username == sent.bot);
    let tenant = tenant.context("sent by a bot of nobody's")?;
    let place = Place { tenant, conversation: usize::try_from(sent.chat_id - 1)? };
    Ok(Reply { place, at: SystemTime::UNIX_EPOCH, text: sent.text.clone() })
}

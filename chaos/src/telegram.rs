//! A person in a private chat with a Telegram bot. The bots of one tenant ask for their updates, the others get them.

use std::time::SystemTime;

use anyhow::{Context, Result};
use konstruct_testkit::telegram::SentText;
use serde_json::json;

use crate::check::{Place, Reply, Token};
use crate::files::Kind;
use crate::people::until_accepted;
use crate::world::{PUBLIC_ADDRESS, World};

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
        let (telegram, text) = (&world.platforms.telegram, format!("please look at {token}"));
        let said = match Kind::of(token) {
            None => json!({ "text": text }),
            Some(Kind::Picture) => {
                json!({ "caption": text, "photo": telegram.photo(&Kind::Picture.bytes()) })
            }
            Some(kind) => {
                let file = telegram.add_file(&kind.bytes());
                json!({ "caption": text, "document": { "file_id": file, "mime_type": kind.media_type() } })
            }
        };
        let update = telegram.said(&tenant.bot.username, person, &said);
        // What is asked for is kept by Telegram until it was: it is as good as acknowledged.
        if !tenant.has_webhook {
            return Some(SystemTime::now());
        }
        // It stays the same: the path is derived from the connection, the secret from the token.
        let webhook = world.platforms.telegram.webhook(&tenant.bot.username)?;
        let url = format!("{}{}", world.gateway_url, webhook.url.strip_prefix(PUBLIC_ADDRESS)?);
        let secret = webhook.secret_token?;
        until_accepted(|| {
            world.http.post(&url).header("x-telegram-bot-api-secret-token", &secret).json(&update)
        })
        .await
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

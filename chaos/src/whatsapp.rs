//! A person in WhatsApp, Meta's deliveries of what they write, and its reports on what was sent to them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use konstruct_testkit::whatsapp::{Media, MetaApp, SentMessage};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::check::{Place, Reply, Token};
use crate::files::Kind;
use crate::people::until_accepted;
use crate::world::World;

/// How often it is looked what there is to report.
const LOOK: Duration = Duration::from_millis(700);
/// Share of the deliveries that come twice.
const TWICE: f64 = 0.05;

pub(crate) struct Contact {
    place: Place,
}

impl Contact {
    pub(crate) const fn new(place: Place) -> Self {
        Self { place }
    }

    pub(crate) async fn write(&self, world: &World, token: Token) -> Option<SystemTime> {
        let app = &world.tenants[self.place.tenant].meta;
        let (id, phone) =
            (format!("DE.{}", self.place.conversation), format!("49{:08}", self.place.conversation));
        world.platforms.whatsapp.person_wrote(&id, 0);
        let text = format!("please look at {token}");
        let message = match Kind::of(token) {
            None => app.message(&id, &phone, &text),
            Some(kind) => {
                let file = Media::new(&app.phone_number_id, kind.media_type(), &kind.bytes());
                let media = world.platforms.whatsapp.add_media(file);
                let called = if kind == Kind::Picture { "image" } else { "document" };
                app.file(&id, &phone, called, &media, &json!({ "caption": text }))
            }
        };
        let at = deliver(world, app, &message).await?;
        if rand::random_bool(TWICE) {
            deliver(world, app, &message).await;
        }
        Some(at)
    }
}

async fn deliver(world: &World, app: &MetaApp, body: &Value) -> Option<SystemTime> {
    let signed = app.sign(body);
    let url = format!("{}/whatsapp/events", world.gateway_url);
    until_accepted(|| {
        let request = world.http.post(&url).header("content-type", "application/json");
        request.header("x-hub-signature-256", &signed.signature).body(signed.body.clone())
    })
    .await
}

/// Reports on each message that was sent, for as long as it is polled.
pub(crate) async fn report(world: Arc<World>) {
    let mut reported = 0;
    loop {
        let sent = world.platforms.whatsapp.sent();
        for message in &sent[reported..] {
            let app = world.tenants.iter().map(|tenant| &tenant.meta);
            let app = app.clone().find(|app| app.phone_number_id == message.phone_number_id);
            if let Some(app) = app {
                let report = app.status(&world.platforms.whatsapp.report(message, "sent"));
                deliver(&world, app, &report).await;
            }
        }
        reported = sent.len();
        sleep(LOOK).await;
    }
}

pub(crate) fn read(world: &World) -> Result<Vec<Reply>> {
    world.platforms.whatsapp.sent().iter().map(|message| reply(world, message)).collect()
}

/// What WhatsApp was silent about: nobody can know whether it has taken that.
pub(crate) fn unheard(world: &World) -> BTreeSet<Token> {
    world.platforms.whatsapp.unheard().iter().flat_map(|text| Token::all_in(text)).collect()
}

fn reply(world: &World, message: &SentMessage) -> Result<Reply> {
    let of = |tenant: &crate::tenant::Tenant| tenant.meta.phone_number_id == message.phone_number_id;
    let tenant = world.tenants.iter().position(of).context("sent from a number of nobody's")?;
    let conversation = message.recipient.strip_prefix("DE.").context("sent to nobody who wrote")?;
    let place = Place { tenant, conversation: conversation.parse()? };
    Ok(Reply { place, at: SystemTime::UNIX_EPOCH, text: message.text.clone() })
}

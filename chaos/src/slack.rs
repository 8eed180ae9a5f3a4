//! A person in Slack: one thread, and Slack's deliveries of what is written in it.

use std::time::{Duration, SystemTime};

use anyhow::Result;
use konstruct_testkit::slack::{App, Message, SharedFile};
use serde_json::Value;

use crate::check::{Place, Reply, Token};
use crate::files::Kind;
use crate::tenant::channel;
use crate::world::World;

/// Slack's pauses before a delivery is repeated are none, one minute and five; these are a twentieth.
const RETRIES: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(3), Duration::from_secs(15), Duration::from_secs(15)];
/// Share of the deliveries that come twice, and share that comes again much later.
const TWICE: f64 = 0.05;
const LATE: f64 = 0.05;

pub(crate) struct Thread {
    place: Place,
    /// Its first message's.
    root: Option<String>,
}

impl Thread {
    pub(crate) const fn new(place: Place) -> Self {
        Self { place, root: None }
    }

    /// Writes a message. When it was acknowledged, if it was.
    pub(crate) async fn write(&mut self, world: &World, token: Token) -> Option<SystemTime> {
        let app = &world.tenants[self.place.tenant].app;
        let channel = channel(self.place.conversation);
        let text = format!("please look at {token}");
        let mut events: Vec<Value> = match &self.root {
            // Slack sends a mention twice, as two kinds of event.
            None => app.mention(&channel, "U1", &text).into(),
            Some(root) => vec![app.follow_up(&channel, root, "U1", &text)],
        };
        if let Some(kind) = Kind::of(token) {
            let (team_id, mimetype) = (app.team_id.clone(), kind.media_type().to_owned());
            let file = SharedFile { team_id, name: "file".to_owned(), mimetype, bytes: kind.bytes() };
            let shared = world.platforms.slack.share(file);
            for event in &mut events {
                event["event"]["files"] = Value::Array(vec![shared.clone()]);
            }
        }
        let mut acknowledged = None;
        for event in &events {
            let accepted = deliver(world, app, event).await;
            acknowledged = acknowledged.or(accepted);
        }
        if acknowledged.is_some() && self.root.is_none() {
            self.root = events.first().map(|event| App::ts_of(event).to_owned());
        }
        acknowledged
    }
}

/// As Slack does: repeated until there is a 2xx, and given up in the end.
async fn deliver(world: &World, app: &App, event: &Value) -> Option<SystemTime> {
    if rand::random_bool(TWICE) {
        // The same delivery at the same time; whatever is answered to it.
        let (one, other) = tokio::join!(post(world, app, event), post(world, app, event));
        if one.or(other).is_some() {
            return Some(SystemTime::now());
        }
    }
    for pause in [Duration::ZERO].into_iter().chain(RETRIES) {
        tokio::time::sleep(pause).await;
        if let Some(at) = post(world, app, event).await {
            if rand::random_bool(LATE) {
                tokio::time::sleep(Duration::from_millis(300)).await;
                post(world, app, event).await;
            }
            return Some(at);
        }
    }
    None
}

async fn post(world: &World, app: &App, event: &Value) -> Option<SystemTime> {
    let signed = app.sign(event);
    let request = world
        .http
        .post(format!("{}/slack/events", world.gateway_url))
        .header("content-type", "application/json")
        .header("x-slack-request-timestamp", signed.timestamp)
        .header("x-slack-signature", signed.signature)
        .body(signed.body);
    let response = request.send().await.ok()?;
    response.status().is_success().then(SystemTime::now)
}

/// What people read in Slack, in its order.
pub(crate) fn read(world: &World) -> Result<Vec<Reply>> {
    let messages = world.platforms.slack.messages();
    messages.iter().filter(|message| message.files.is_empty()).map(reply).collect()
}

fn reply(message: &Message) -> Result<Reply> {
    let place = Place {
        tenant: message.team_id.trim_start_matches('T').parse()?,
        conversation: message.channel.trim_start_matches('C').parse()?,
    };
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs_f64(message.ts.parse()?);
    Ok(Reply { place, at, text: message.shown().to_owned() })
}

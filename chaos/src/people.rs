//! Everybody who writes, each in a conversation of their own, and what they read in the end. A further channel is a
//! further kind of person.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::RequestBuilder;
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::Args;
use crate::check::{Channel, Place, Report, Sent, Token, check};
use crate::files::{self, Kind};
use crate::queues;
use crate::slack::{self, Thread};
use crate::telegram::{self, Chat};
use crate::webchat::Visitor;
use crate::whatsapp::{self, Contact};
use crate::world::{TENANTS, World};

const TRIES: usize = 60;
const PAUSE: Duration = Duration::from_millis(700);

pub(crate) enum Person {
    Slack(Thread),
    WebChat(Visitor),
    WhatsApp(Contact),
    Telegram(Chat),
}

pub(crate) struct Written {
    pub(crate) sent: Vec<Sent>,
    people: Vec<Person>,
}

impl Person {
    fn new(conversation: usize) -> Self {
        let place = Place { tenant: conversation % TENANTS, conversation };
        match place.channel() {
            Channel::Slack => Self::Slack(Thread::new(place)),
            Channel::WebChat => Self::WebChat(Visitor::new(place)),
            Channel::WhatsApp => Self::WhatsApp(Contact::new(place)),
            Channel::Telegram => Self::Telegram(Chat::new(place)),
        }
    }

    async fn write(&mut self, world: &World, token: Token) -> Option<SystemTime> {
        match self {
            Self::Slack(thread) => thread.write(world, token).await,
            Self::WebChat(visitor) => visitor.write(world, token).await,
            Self::WhatsApp(contact) => contact.write(world, token).await,
            Self::Telegram(chat) => chat.write(world, token).await,
        }
    }
}

/// Messages at a steady rate, each into some conversation. In one conversation the next is written when the one before
/// was acknowledged: only then does it have an order.
pub(crate) async fn write(world: &Arc<World>, args: &Args, random: &mut StdRng) -> Written {
    let mut queues = Vec::new();
    let mut writers = Vec::new();
    for conversation in 0..args.conversations {
        let (queue, tokens) = mpsc::unbounded_channel();
        queues.push((queue, 0));
        writers.push(tokio::spawn(converse(Arc::clone(world), Person::new(conversation), tokens)));
    }
    let (began, pause) = (Instant::now(), Duration::from_secs_f64(1.0 / args.rate));
    for message in 0..args.messages {
        sleep((began + pause * message).saturating_duration_since(Instant::now())).await;
        let conversation = random.random_range(0..args.conversations);
        let (queue, number) = &mut queues[conversation];
        *number += 1;
        let place = Place { tenant: conversation % TENANTS, conversation };
        // The writer lives until its queue is closed.
        let _ = queue.send(Token { place, number: *number });
    }
    drop(queues);
    let mut written = Written { sent: Vec::new(), people: Vec::new() };
    for writer in writers {
        if let Ok((person, sent)) = writer.await {
            written.people.push(person);
            written.sent.extend(sent);
        }
    }
    written
}

/// As platforms do that repeat for days, which a run does not last. When there was a 2xx.
pub(crate) async fn until_accepted(request: impl Fn() -> RequestBuilder) -> Option<SystemTime> {
    for _ in 0..TRIES {
        if request().send().await.is_ok_and(|response| response.status().is_success()) {
            return Some(SystemTime::now());
        }
        sleep(PAUSE).await;
    }
    None
}

async fn converse(
    world: Arc<World>,
    mut person: Person,
    mut tokens: mpsc::UnboundedReceiver<Token>,
) -> (Person, Vec<Sent>) {
    let mut sent = Vec::new();
    while let Some(token) = tokens.recv().await {
        let acknowledged = person.write(&world, token).await;
        let has_file = Kind::of(token).is_some() && !matches!(person, Person::WebChat(_));
        sent.push(Sent { token, has_file, acknowledged });
    }
    (person, sent)
}

/// Waits until everything was replied to and nothing waits to be sent, or until there is no more patience.
pub(crate) async fn read(world: &World, written: &Written, patience: Duration) -> Result<Report> {
    let began = Instant::now();
    loop {
        sleep(Duration::from_secs(1)).await;
        let report = read_now(world, written).await?;
        let done =
            report.lost().is_empty() && report.files.are_settled() && queues::waiting(world).await? == 0;
        if done || began.elapsed() > patience {
            // What is sent now was sent by a last doubtful try.
            sleep(Duration::from_secs(2)).await;
            return read_now(world, written).await;
        }
    }
}

async fn read_now(world: &World, written: &Written) -> Result<Report> {
    let flagged = queues::flagged(world).await;
    let mut replies = slack::read(world)?;
    replies.extend(whatsapp::read(world)?);
    replies.extend(telegram::read(world)?);
    for person in &written.people {
        if let Person::WebChat(visitor) = person {
            replies.extend(visitor.read(world).await?);
        }
    }
    replies.retain(|reply| !files::goes_on(&reply.text));
    let mut report = check(&written.sent, &replies, &flagged);
    let expected = written.sent.iter().filter(|sent| sent.has_file && sent.acknowledged.is_some()).count();
    report.unheard = whatsapp::unheard(world);
    report.files = files::look(world, expected).await;
    Ok(report)
}

//! Answers that are shown at a platform while they are written, by the gateway that took the question in. Whatever
//! becomes of it, the reply in the outbox ends it: a record is written before a message is begun.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use konstruct_channels::{Adapter, SendError, Stream, Streaming};
use konstruct_domain::ids::ReplyId;
use konstruct_domain::message::{InboundMessage, ReplyTarget};
use konstruct_domain::{ConversationId, TenantId};
use konstruct_queue::{Bus, WATCHED_FOR};
use konstruct_store::{Store, conversation_of};
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep, sleep_until};

use crate::app::App;
use crate::connection::Connection;
use crate::partials::Written;

/// After so long without a message or a word nobody waits for an answer to show.
const QUIET: Duration = Duration::from_mins(2);
/// Shorter answers are there before anybody sees them grow.
const FIRST: usize = 60;
/// Who is asked to wait for longer looks again then.
const PAUSE_MAX: Duration = Duration::from_secs(20);
/// Conversations followed at a time. In others the answer shows when it is complete: a flood must not cost a look at Redis
/// for each message.
const MOST: usize = 500;

type Key = (TenantId, ConversationId);

/// Conversations in which answers are shown, with the place of the newest message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Followed(Arc<Mutex<HashMap<Key, watch::Sender<ReplyTarget>>>>);

impl Followed {
    /// None when somebody follows the conversation already, or too many are followed.
    fn add(&self, key: Key, target: ReplyTarget) -> Option<watch::Receiver<ReplyTarget>> {
        let mut followed = self.lock();
        if let Some(sender) = followed.get(&key).filter(|sender| sender.receiver_count() > 0) {
            sender.send_replace(target);
            return None;
        }
        if followed.len() >= MOST {
            return None;
        }
        let (sender, receiver) = watch::channel(target);
        followed.insert(key, sender);
        Some(receiver)
    }

    fn remove(&self, key: Key) {
        self.lock().remove(&key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, watch::Sender<ReplyTarget>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows the answers to a message and to those that follow it, where the platform can.
pub(crate) fn follow(app: &App, connection: &Arc<Connection>, message: &InboundMessage) {
    let Some(adapter) = app.adapters.get(connection.channel()) else { return };
    if adapter.streaming().is_none() || connection.snapshot.pause.is_some() {
        return;
    }
    let tenant = connection.tenant;
    let conversation = conversation_of(tenant, &connection.snapshot, message);
    let key = (tenant, conversation);
    let Some(targets) = app.followed.add(key, message.reply_to.clone()) else { return };
    let follower = Follower {
        store: app.store.clone(),
        bus: app.bus.clone(),
        adapter: Arc::clone(adapter),
        connection: Arc::clone(connection),
        conversation,
        targets,
        written: app.partials.subscribe(tenant, conversation),
        showing: None,
    };
    let (registry, shutdown) = (app.followed.clone(), app.shutdown.clone());
    tokio::spawn(async move {
        shutdown.run_until_cancelled(follower.run()).await;
        registry.remove(key);
    });
}

struct Follower {
    store: Store,
    bus: Bus,
    adapter: Arc<dyn Adapter>,
    connection: Arc<Connection>,
    conversation: ConversationId,
    targets: watch::Receiver<ReplyTarget>,
    written: watch::Receiver<Written>,
    showing: Option<Showing>,
}

/// What became of showing one reply.
struct Showing {
    reply: ReplyId,
    stage: Stage,
}

enum Stage {
    NotBegun,
    Begun(Stream),
    /// Nothing more of it is shown before it is sent.
    Over,
}

impl Follower {
    async fn run(mut self) {
        let mut watching = interval(WATCHED_FOR / 2);
        let mut until = Instant::now() + QUIET;
        loop {
            tokio::select! {
                _ = watching.tick() => self.bus.watch(self.connection.tenant, self.conversation).await,
                Ok(()) = self.targets.changed() => until = Instant::now() + QUIET,
                Ok(()) = self.written.changed() => {
                    until = Instant::now() + QUIET;
                    if let Some(pause) = self.show().await {
                        sleep(pause.min(PAUSE_MAX)).await;
                    }
                }
                () = sleep_until(until) => return,
            }
        }
    }

    /// Shows what is written now. Returns how long to leave the platform alone.
    async fn show(&mut self) -> Option<Duration> {
        let Written { reply, text } = self.written.borrow_and_update().clone();
        let adapter = Arc::clone(&self.adapter);
        let (reply, streaming) = (reply?, adapter.streaming()?);
        let text = streaming.showable(&text);
        let stage = match self.showing.take() {
            Some(Showing { reply: shown, stage }) if shown == reply => stage,
            _ => Stage::NotBegun,
        };
        let (stage, pause) = match stage {
            Stage::NotBegun if text.chars().count() < FIRST => (Stage::NotBegun, None),
            Stage::NotBegun => (self.begin(streaming, reply, &text).await, Some(streaming.pace())),
            Stage::Begun(stream) => self.extend(streaming, reply, stream, &text).await,
            Stage::Over => (Stage::Over, None),
        };
        self.showing = Some(Showing { reply, stage });
        pause
    }

    async fn begin(&self, streaming: &dyn Streaming, reply: ReplyId, text: &str) -> Stage {
        let (tenant, conversation) = (self.connection.tenant, self.conversation);
        match self.store.stream_begins(tenant, conversation, reply).await {
            Ok(true) => {}
            Ok(false) => return Stage::Over,
            Err(error) => return self.over("cannot record that an answer is shown", &error),
        }
        let target = self.targets.borrow().clone();
        let begun = match self.connection.account(&self.store).await {
            Ok(account) => streaming.begin(&account, &target, reply, text).await,
            Err(error) => Err(SendError::Transient { reason: error.to_string() }),
        };
        let recorded = match begun {
            Ok(stream) => {
                let recorded =
                    self.store.stream_begun(tenant, conversation, &stream.message_id, stream.edited).await;
                recorded.map(|open| if open { Stage::Begun(stream) } else { Stage::Over })
            }
            // Whoever sends the reply looks for the message.
            Err(error @ SendError::InDoubt { .. }) => return self.over("an answer may be shown", &error),
            Err(error) => {
                self.over("an answer is not shown while it is written", &error);
                self.store.stream_not_begun(tenant, conversation).await.map(|()| Stage::Over)
            }
        };
        recorded.unwrap_or_else(|error| self.over("cannot record that an answer is shown", &error))
    }

    async fn extend(
        &self,
        streaming: &dyn Streaming,
        reply: ReplyId,
        mut stream: Stream,
        text: &str,
    ) -> (Stage, Option<Duration>) {
        let (tenant, conversation) = (self.connection.tenant, self.conversation);
        if stream.edited {
            match self.store.stream_changes(tenant, conversation, true).await {
                Ok(true) => {}
                Ok(false) => return (Stage::Over, None),
                Err(error) => return (self.over("cannot record that an answer is shown", &error), None),
            }
        }
        let target = self.targets.borrow().clone();
        let extended = match self.connection.account(&self.store).await {
            Ok(account) => streaming.extend(&account, &target, reply, &mut stream, text).await,
            Err(error) => Err(SendError::Transient { reason: error.to_string() }),
        };
        // A change whose end is not known may still come: it is waited for.
        if stream.edited && !matches!(extended, Err(SendError::InDoubt { .. })) {
            let _ = self.store.stream_changes(tenant, conversation, false).await;
        }
        match extended {
            Ok(()) => (Stage::Begun(stream), Some(streaming.pace())),
            Err(SendError::RetryAfter { after }) => (Stage::Begun(stream), Some(after.max(streaming.pace()))),
            Err(error) => (self.over("no more of an answer is shown while it is written", &error), None),
        }
    }

    fn over(&self, what: &str, error: &dyn std::error::Error) -> Stage {
        tracing::debug!(connection = self.connection.name(), error = %error, "{what}");
        Stage::Over
    }
}

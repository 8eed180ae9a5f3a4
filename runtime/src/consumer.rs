//! Finds work: wakes up, loads configuration, claims conversations, and runs a bounded number of turns.

mod wakeups;

use std::sync::Arc;
use std::time::Duration;

use konstruct_domain::ConversationId;
use konstruct_queue::{Event, Signal};
use konstruct_store::{Claim, Error as StoreError, Wanted};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::metrics;
use crate::turn::{self, Next};
use crate::worker::Worker;
use wakeups::Wakeups;

#[derive(Debug)]
pub(crate) struct Consumer {
    worker: Arc<Worker>,
    events: mpsc::Receiver<Event>,
    concurrency: usize,
    messages_per_turn: u32,
    turns: JoinSet<(ConversationId, Next)>,
    /// What was asked for and not done yet.
    todo: Todo,
    /// Times at which something may have become due that nobody announces.
    wakeups: Wakeups,
    /// When to look next while Redis is down and announces nothing.
    next_poll: Option<Instant>,
    /// PostgreSQL failed; nothing is asked of it before.
    paused_until: Option<Instant>,
    backoff: Backoff,
}

#[derive(Debug, Default)]
struct Todo {
    reload: bool,
    claim: bool,
    /// Conversations whose turns have ended since a look found nothing else: a message that came during a turn was
    /// announced while its conversation was leased. They are all that there is to look at until somebody announces more.
    freed: Vec<ConversationId>,
}

impl Todo {
    const fn is_empty(&self) -> bool {
        !self.reload && !self.claim && self.freed.is_empty()
    }
}

impl Consumer {
    pub(crate) fn new(
        worker: Arc<Worker>,
        events: mpsc::Receiver<Event>,
        concurrency: usize,
        messages_per_turn: u32,
    ) -> Self {
        metrics::register();
        let mut wakeups = Wakeups::default();
        // A predecessor that was killed left leases behind; they have run out by then.
        wakeups.add(Instant::now() + worker.timing.lease);
        Self {
            worker,
            events,
            concurrency,
            messages_per_turn,
            turns: JoinSet::new(),
            todo: Todo::default(),
            wakeups,
            next_poll: None,
            paused_until: None,
            backoff: Backoff::new(),
        }
    }

    pub(crate) async fn run(mut self, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            self.work(shutdown).await;
            self.wait(shutdown).await;
        }
        self.finish().await;
    }

    /// Does what there is to do, as far as PostgreSQL and the concurrency limit allow.
    async fn work(&mut self, shutdown: &CancellationToken) {
        if self.paused_until.is_some_and(|until| until > Instant::now()) {
            return;
        }
        self.paused_until = None;
        if let Err(error) = self.catch_up(shutdown).await {
            self.pause(&error);
        } else if self.turns.is_empty() && self.todo.is_empty() {
            // The pool closes its connections now. Asking how PostgreSQL is would open one.
            self.worker.health.postgres.idle();
        }
    }

    async fn catch_up(&mut self, shutdown: &CancellationToken) -> Result<(), StoreError> {
        if self.todo.reload {
            self.todo.claim |= self.worker.agents.reload().await?;
            self.todo.reload = false;
            self.backoff.reset();
        }
        while (self.todo.claim || !self.todo.freed.is_empty())
            && self.turns.len() < self.limit()
            && !shutdown.is_cancelled()
        {
            let found = self.claim().await?;
            self.backoff.reset();
            for claim in found {
                let (worker, conversation) = (Arc::clone(&self.worker), claim.conversation);
                self.turns.spawn(async move { (conversation, turn::run(worker, claim).await) });
            }
            self.count();
        }
        Ok(())
    }

    /// Leases conversations: wherever there are some, and once a look has found nothing, only those whose turns end.
    async fn claim(&mut self) -> Result<Vec<Claim>, StoreError> {
        let freed = std::mem::take(&mut self.todo.freed);
        // Until the answer is there, nothing is known to be done.
        let everywhere = std::mem::replace(&mut self.todo.claim, true);
        let store = &self.worker.store;
        let claimed = if everywhere {
            store.claim_many(self.wanted()).await
        } else {
            store.claim_of(&freed, self.wanted()).await
        };
        let claimed = self.worker.health.seen(claimed)?;
        let places = self.wanted().conversations;
        self.todo.claim = if everywhere { !claimed.is_empty() } else { freed.len() > places };
        Ok(claimed)
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            owner: &self.worker.owner,
            lease: self.worker.timing.lease,
            quiet: self.worker.timing.quiet,
            conversations: self.limit().saturating_sub(self.turns.len()),
            messages: self.messages_per_turn,
        }
    }

    /// Looks for conversations now, and again when those that got a message just now have rested.
    fn look(&mut self) {
        self.todo.claim = true;
        if !self.worker.timing.quiet.is_zero() {
            self.wakeups.add(Instant::now() + self.worker.timing.quiet);
        }
    }

    /// Turns at one time: what this process can do, or less if the tenant may have less.
    fn limit(&self) -> usize {
        self.worker.agents.turn_limit().map_or(self.concurrency, |limit| limit.min(self.concurrency)).max(1)
    }

    fn pause(&mut self, error: &StoreError) {
        let pause = self.backoff.pause();
        tracing::warn!(%error, ?pause, "cannot look for messages; they wait in PostgreSQL");
        self.paused_until = Some(Instant::now() + pause);
        // The failed call may have leased a conversation without our getting to know.
        self.wakeups.add(Instant::now() + self.worker.timing.lease);
    }

    async fn wait(&mut self, shutdown: &CancellationToken) {
        let due = self.due();
        tokio::select! {
            () = shutdown.cancelled() => {}
            event = self.events.recv() => match event {
                Some(event) => self.hear(event),
                // The subscription has ended, and so has everything else very soon.
                None => shutdown.cancelled().await,
            },
            Some(ended) = self.turns.join_next() => self.ended(ended),
            () = sleep_until(due) => self.wake_up(),
        }
        while let Ok(event) = self.events.try_recv() {
            self.hear(event);
        }
        // Turns are committed together and so end together; one look then finds work for all of their places.
        while let Some(ended) = self.turns.try_join_next() {
            self.ended(ended);
        }
    }

    fn due(&self) -> Option<Instant> {
        [self.paused_until, self.next_poll, self.wakeups.first()].into_iter().flatten().min()
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Signal(Signal::Inbox(_)) if self.worker.timing.quiet.is_zero() => self.todo.claim = true,
            // It is answered when it has rested.
            Event::Signal(Signal::Inbox(_)) => self.wakeups.add(Instant::now() + self.worker.timing.quiet),
            Event::Signal(Signal::Config(_)) => self.todo.reload = true,
            Event::Signal(Signal::Stop(_, conversation)) => self.worker.stops.stop(conversation),
            Event::Signal(Signal::Outbox(_) | Signal::Loaded(_)) => {}
            Event::Connected => {
                self.worker.health.redis.ok();
                self.next_poll = None;
                self.todo.reload = true;
                self.look();
            }
            Event::Disconnected => {
                self.worker
                    .health
                    .redis
                    .failed("Redis does not answer; looking for messages every few seconds");
                self.next_poll.get_or_insert_with(Instant::now);
            }
        }
    }

    fn wake_up(&mut self) {
        let now = Instant::now();
        self.todo.claim |= self.wakeups.take_due(now);
        if self.next_poll.is_some_and(|at| at <= now) {
            self.todo.reload = true;
            self.look();
            self.next_poll = Some(now + self.worker.timing.poll);
        }
    }

    fn ended(&mut self, turn: Result<(ConversationId, Next), JoinError>) {
        self.count();
        match turn {
            Ok((conversation, Next::Now)) => self.todo.freed.push(conversation),
            Ok((_, Next::After(delay))) => self.wakeups.add(Instant::now() + delay),
            Err(error) => {
                tracing::error!(%error, "a turn ended by a defect; its conversation is free again after its lease");
                self.wakeups.add(Instant::now() + self.worker.timing.lease);
            }
        }
    }

    fn count(&self) {
        metrics::RUNNING_TURNS.set([], f64::from(u32::try_from(self.turns.len()).unwrap_or(u32::MAX)));
    }

    /// Running turns may finish for a while; then they give their leases back.
    async fn finish(mut self) {
        let grace = self.worker.timing.grace;
        if tokio::time::timeout(grace, drain(&mut self.turns)).await.is_err() {
            self.worker.release.cancel();
            // Giving back takes one statement. What does not manage that is freed by its lease.
            let _ = tokio::time::timeout(Duration::from_secs(3), drain(&mut self.turns)).await;
        }
        self.count();
    }
}

async fn drain<T: 'static>(turns: &mut JoinSet<T>) {
    while turns.join_next().await.is_some() {}
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

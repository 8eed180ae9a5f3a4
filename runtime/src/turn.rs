//! One turn: from a claimed conversation to a committed reply.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use konstruct_domain::message::HistoryLine;
use konstruct_domain::observation::Observation;
use konstruct_domain::revision::Revision;
use konstruct_queue::Signal;
use konstruct_store::{Claim, Error as StoreError, Turn, TurnOutcome};

use crate::agents::Employee;
use crate::backoff::jittered;
use crate::model::{Answer, Unavailable, available};
use crate::partial::Shown;
use crate::prompt::prompt;
use crate::worker::Worker;
use crate::{files, hold, lease, metrics, partial, reply, settle, window};

/// A turn that fails this often for reasons of our own is parked.
const ATTEMPTS: u32 = 5;

/// When to look for work again on behalf of this turn's conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Now: more may have come in meanwhile.
    Now,
    After(Duration),
}

/// A turn that has been thought out and has no effect yet.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) turn: Turn,
    /// The `outcome` label of the metric.
    pub(crate) outcome: &'static str,
    /// The window before the turn and its limit.
    pub(crate) window: (Vec<HistoryLine>, u16),
    pub(crate) observation: Option<Observation>,
    pub(crate) model_time: Duration,
    pub(crate) started: Instant,
}

/// A failure of our own. The text goes into the parked messages' reason.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("agent {0:?} is not configured: apply it, or change the ChannelConnection that names it")]
    UnknownAgent(String),
    #[error(
        "the runtime stopped in the middle of each of {ATTEMPTS} attempts: see its log and its memory limit"
    )]
    TooManyAttempts,
    #[error("agent {0:?} is paused")]
    Paused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(crate) async fn run(worker: Arc<Worker>, claim: Claim) -> Next {
    if claim.messages.is_empty() {
        // Somebody else answered them between the look and the lease.
        return release(&worker, &claim).await;
    }
    konstruct_faults::point("turn.claimed");
    metrics::observe_wait(&claim);
    let started = Instant::now();
    let thought = tokio::select! {
        thought = think(&worker, &claim, started) => thought,
        () = lease::lost(&worker, &claim) => {
            tracing::warn!(conversation = %claim.conversation, "another runtime took the conversation over");
            metrics::TURNS.inc(["lease_lost"]);
            return Next::Now;
        }
        () = worker.release.cancelled() => return hand_over(&worker, &claim).await,
    };
    konstruct_faults::point("turn.thought");
    match thought {
        Ok(draft) => settle::commit(&worker, &claim, draft).await,
        Err(Failed::Paused(_)) => hold::hold(&worker, &claim).await,
        Err(failed) => retry_or_park(&worker, &claim, started, &failed).await,
    }
}

async fn think(worker: &Arc<Worker>, claim: &Claim, started: Instant) -> Result<Draft, Failed> {
    if claim.attempt > ATTEMPTS {
        return Err(Failed::TooManyAttempts);
    }
    let employee = worker.agents.employee(&claim.agent).await?;
    let employee = employee.ok_or_else(|| Failed::UnknownAgent(claim.agent.to_string()))?;
    let agent = &employee.agent.snapshot;
    if agent.paused {
        return Err(Failed::Paused(claim.agent.to_string()));
    }
    let lines = window::load(worker, claim, agent.window_messages).await?;
    let files = files::load(worker, claim).await?;
    let mut messages = prompt(&employee.tenant.snapshot, agent, &lines, &files.told(&claim.messages));
    let told = files.settled();
    files.attach(&mut messages);
    let shown = partial::show(worker, claim, &employee).await;
    let asked = Instant::now();
    let so_far = shown.as_ref().map(Shown::so_far);
    let stoppable = worker.stops.begin(claim.conversation);
    let mut draft = tokio::select! {
        answer = worker.model.ask(&claim.agent, agent.models.len(), &messages, shown) => match answer {
            Ok(answer) => answered(claim, &employee, answer),
            Err(unavailable) => unanswered(claim, &employee, &unavailable),
        },
        () = stoppable.stopped() => {
            let so_far = so_far.map(|so_far| so_far.borrow().clone());
            stopped(claim, &employee, &so_far.unwrap_or_default())
        }
    };
    let model_time = asked.elapsed();
    metrics::MODEL_SECONDS_TAKEN.observe_duration([], model_time);
    draft.window = (lines, agent.window_messages);
    draft.model_time = model_time;
    draft.started = started;
    draft.turn.elapsed = started.elapsed();
    draft.turn.files = told;
    Ok(draft)
}

fn answered(claim: &Claim, employee: &Employee, answer: Answer) -> Draft {
    let text = reply::clean(&answer.text);
    let outcome = if text.is_some() { "answered" } else { "empty" };
    let text = text.as_deref().unwrap_or(reply::EMPTY);
    let mut draft = draft(claim, Some(employee), text, TurnOutcome::Answered, outcome);
    draft.turn.provider = Some(answer.provider);
    draft.turn.model = Some(answer.model);
    draft.turn.tokens_in = answer.tokens_in;
    draft.turn.tokens_out = answer.tokens_out;
    draft.observation = Some(available());
    draft
}

fn stopped(claim: &Claim, employee: &Employee, so_far: &str) -> Draft {
    let text = reply::stopped(so_far);
    draft(claim, Some(employee), &text, TurnOutcome::Stopped, "stopped")
}

fn unanswered(claim: &Claim, employee: &Employee, unavailable: &Unavailable) -> Draft {
    tracing::warn!(agent = %claim.agent, reason = unavailable.reason(), error = %unavailable, "no model answered");
    metrics::MODEL_FAILURES.inc([unavailable.reason()]);
    let outcome = TurnOutcome::ModelUnavailable;
    let text = match unavailable {
        Unavailable::UsedUp { resets_on, .. } => Cow::Owned(reply::used_up(resets_on.as_deref())),
        _ => Cow::Borrowed(reply::UNAVAILABLE),
    };
    let mut draft = draft(claim, Some(employee), &text, outcome, "model_unavailable");
    draft.observation = Some(unavailable.observation());
    draft
}

fn draft(
    claim: &Claim,
    employee: Option<&Employee>,
    text: &str,
    outcome: TurnOutcome,
    label: &'static str,
) -> Draft {
    let revision = employee.map(|employee| employee.agent.revision.clone());
    let turn = Turn {
        reply: reply::compose(text, claim.last_seq == 0, employee),
        outcome,
        agent_revision: revision.unwrap_or_else(|| Revision::from_stored("none".to_owned())),
        provider: None,
        model: None,
        tokens_in: 0,
        tokens_out: 0,
        elapsed: Duration::ZERO,
        files: Vec::new(),
    };
    Draft {
        turn,
        outcome: label,
        window: (Vec::new(), 0),
        observation: None,
        model_time: Duration::ZERO,
        started: Instant::now(),
    }
}

/// A failing message holds back only its own conversation, and not for ever.
async fn retry_or_park(worker: &Worker, claim: &Claim, started: Instant, failed: &Failed) -> Next {
    let attempt = claim.attempt;
    let outage = matches!(failed, Failed::Store(error) if error.is_unavailable());
    tracing::warn!(conversation = %claim.conversation, agent = %claim.agent, attempt, error = %failed, "a turn failed");
    if attempt < ATTEMPTS || outage {
        return again(worker, claim, outage).await;
    }
    let parked = TurnOutcome::Parked { reason: failed.to_string() };
    let employee = worker.agents.find(&claim.agent);
    let mut draft = draft(claim, employee.as_ref(), reply::PARKED, parked, "parked");
    draft.started = started;
    draft.turn.elapsed = started.elapsed();
    settle::commit(worker, claim, draft).await
}

/// Tries again after a failure. An outage, however long, sets no message aside, so a try that it ended does not count.
pub(crate) async fn again(worker: &Worker, claim: &Claim, outage: bool) -> Next {
    metrics::TURNS.inc(["retried"]);
    // Three times as long after each attempt.
    let delay = jittered(worker.timing.retry * 3_u32.pow(claim.attempt.clamp(1, ATTEMPTS) - 1));
    let given_back = if outage {
        worker.store.give_back(claim, delay).await
    } else {
        worker.store.retry_later(claim, delay).await
    };
    after(worker, claim, delay, given_back)
}

/// Gives the lease back at once, without an answer and without a failure.
async fn release(worker: &Worker, claim: &Claim) -> Next {
    let given_back = worker.store.give_back(claim, Duration::ZERO).await;
    after(worker, claim, Duration::ZERO, given_back)
}

/// A lease that could not be given back runs out by itself.
fn after(worker: &Worker, claim: &Claim, delay: Duration, given_back: Result<(), StoreError>) -> Next {
    match worker.health.seen(given_back) {
        Ok(()) if delay.is_zero() => Next::Now,
        Ok(()) => Next::After(delay),
        Err(StoreError::LeaseLost) => Next::Now,
        Err(error) => {
            tracing::warn!(conversation = %claim.conversation, %error, "a lease was not given back; it runs out");
            Next::After(worker.timing.lease)
        }
    }
}

/// At shutdown: whoever runs next goes on at once.
async fn hand_over(worker: &Worker, claim: &Claim) -> Next {
    metrics::TURNS.inc(["released"]);
    let next = release(worker, claim).await;
    worker.bus.publish(Signal::Inbox(worker.tenant)).await;
    next
}

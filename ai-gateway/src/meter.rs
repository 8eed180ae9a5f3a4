//! The record of what models read and wrote. Nothing that a provider may bill goes without one.

use std::sync::Arc;
use std::time::Duration;

use konstruct_domain::money::Price;
use konstruct_domain::snapshot::{AgentSnapshot, ModelChoice};
use konstruct_domain::{Money, TenantId};
use konstruct_llm::{Chunk, Usage, estimate_tokens};
use konstruct_store::{ModelCall, Store};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::sleep;
use uuid::Uuid;

use crate::allowance::Amount;
use crate::budget::Budgets;
use crate::metrics::{METER_RETRIES, METER_WAITING, TOKENS, UNMETERED};

/// Records that wait for PostgreSQL: an hour of outage at three calls a second, a few megabytes.
const QUEUE: usize = 10_000;

/// How often a record is tried that PostgreSQL refuses while it works, such as one of a tenant that is gone.
const TRIES: u32 = 3;

const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    records: mpsc::Sender<Record>,
    budgets: Arc<Budgets>,
}

#[derive(Debug)]
pub(crate) struct Record {
    tenant: TenantId,
    call: ModelCall,
}

impl Record {
    fn amount(&self) -> Amount {
        let tokens = self.call.tokens_in.unsigned_abs().saturating_add(self.call.tokens_out.unsigned_abs());
        Amount::new(tokens, self.call.cost)
    }
}

/// How a call ended, in the record's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Answered,
    /// The provider broke off.
    Failed,
    /// The caller hung up.
    Aborted,
}

impl Ended {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
        }
    }
}

impl Meter {
    pub(crate) fn new(budgets: Arc<Budgets>) -> (Self, mpsc::Receiver<Record>) {
        let (records, receiver) = mpsc::channel(QUEUE);
        (Self { records, budgets }, receiver)
    }

    /// Never waits: an answer is not held up by its record.
    fn record(&self, record: Record) {
        METER_WAITING.add([], 1.0);
        let (tenant, amount) = (record.tenant, record.amount());
        self.budgets.metered(tenant, amount);
        let lost = match self.records.try_send(record) {
            Ok(()) => return,
            Err(TrySendError::Full(record) | TrySendError::Closed(record)) => record,
        };
        METER_WAITING.add([], -1.0);
        self.budgets.written(tenant, amount);
        give_up(&lost, "too many records wait for PostgreSQL");
    }
}

/// Counts one call while it runs and records it when it ends, however it ends.
#[derive(Debug)]
pub(crate) struct Tally {
    meter: Meter,
    tenant: TenantId,
    agent: Arc<AgentSnapshot>,
    choice: ModelChoice,
    price: Option<Price>,
    provider_type: &'static str,
    input_characters: usize,
    output_characters: usize,
    usage: Option<Usage>,
    ended: Option<Ended>,
}

impl Tally {
    pub(crate) fn new(
        meter: &Meter,
        tenant: TenantId,
        agent: &Arc<AgentSnapshot>,
        choice: &ModelChoice,
        price: Option<Price>,
        provider_type: &'static str,
        input_characters: usize,
    ) -> Self {
        Self {
            meter: meter.clone(),
            tenant,
            agent: Arc::clone(agent),
            choice: choice.clone(),
            price,
            provider_type,
            input_characters,
            output_characters: 0,
            usage: None,
            ended: None,
        }
    }

    pub(crate) fn see(&mut self, chunk: &Chunk) {
        match chunk {
            Chunk::Text(text) => self.output_characters += text.chars().count(),
            Chunk::ToolCall(delta) => self.output_characters += delta.arguments.chars().count(),
            Chunk::Usage(usage) => self.usage = Some(*usage),
            Chunk::Finished(_) => {}
        }
    }

    pub(crate) fn end(mut self, ended: Ended) {
        self.ended = Some(ended);
    }

    /// The provider's counts. What it wrote without having counted yet is estimated: the counts that come with the
    /// beginning of an answer say nothing of its length.
    pub(crate) fn usage(&self) -> Usage {
        let estimate = Usage {
            input_tokens: estimate_tokens(self.input_characters),
            output_tokens: estimate_tokens(self.output_characters),
        };
        match (self.usage, self.ended) {
            (Some(usage), Some(Ended::Answered)) => usage,
            (Some(usage), _) => {
                Usage { output_tokens: usage.output_tokens.max(estimate.output_tokens), ..usage }
            }
            (None, _) => estimate,
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let ended = self.ended.unwrap_or(Ended::Aborted);
        if ended == Ended::Failed && self.usage.is_none() && self.output_characters == 0 {
            // Refused or never reached: nothing was read or written.
            return;
        }
        let usage = self.usage();
        TOKENS.add([self.provider_type, "in"], usage.input_tokens);
        TOKENS.add([self.provider_type, "out"], usage.output_tokens);
        let call = ModelCall {
            request_id: Uuid::now_v7(),
            agent: self.agent.name.clone(),
            owner: self.choice.owner,
            provider: self.choice.provider.clone(),
            model: self.choice.model.clone(),
            tokens_in: i64::try_from(usage.input_tokens).unwrap_or(i64::MAX),
            tokens_out: i64::try_from(usage.output_tokens).unwrap_or(i64::MAX),
            cost: self
                .price
                .map_or_else(Money::default, |price| price.of(usage.input_tokens, usage.output_tokens)),
            outcome: ended.as_str(),
        };
        self.meter.record(Record { tenant: self.tenant, call });
    }
}

/// Writes records until the last sender is gone and the queue is empty. An outage of PostgreSQL is waited for.
pub(crate) async fn write_records(mut records: mpsc::Receiver<Record>, store: Store, budgets: Arc<Budgets>) {
    while let Some(record) = records.recv().await {
        write(&record, &store).await;
        budgets.written(record.tenant, record.amount());
        METER_WAITING.add([], -1.0);
    }
}

async fn write(record: &Record, store: &Store) {
    let (mut refused, mut pause) = (0, RETRY_FIRST);
    while let Err(error) = store.record_model_call(record.tenant, &record.call).await {
        METER_RETRIES.inc([]);
        if !error.is_unavailable() {
            refused += 1;
            if refused == TRIES {
                return give_up(record, &error.to_string());
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

/// The log is the last place where the numbers can be found.
fn give_up(record: &Record, reason: &str) {
    UNMETERED.inc([]);
    let Record { tenant, call } = record;
    tracing::error!(%tenant, agent = %call.agent, provider = %call.provider, model = call.model,
        tokens_in = call.tokens_in, tokens_out = call.tokens_out, cost = %call.cost, reason, "a model call is not on record");
}

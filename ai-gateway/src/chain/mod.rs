//! An agent's chain of models, tried in order.
//!
//! The next one is tried only when the one before could not be reached, did not answer in time, or said 408, 429 or
//! 5xx; and only as long as nothing of an answer has been passed on. A model that may not be used at all is skipped.

mod failure;
mod tried;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_stream::stream;
use futures::StreamExt;
use konstruct_domain::Money;
use konstruct_domain::snapshot::{AgentSnapshot, ModelChoice, ProviderOwner};
use konstruct_llm::{Call, ChatRequest, Chunk, ChunkStream, Error, Provider, RenderAs};
use tokio::time::{Instant as Deadline, timeout_at};

use failure::Skipped;
pub(crate) use failure::{Failure, Try, describe};
use tried::Tries;

use crate::catalogue::{Catalogue, LoadedProvider, Tenant};
use crate::health::Health;
use crate::meter::{Ended, Meter, Tally};
use crate::metrics::FIRST_OUTPUT_SECONDS;
use crate::pictures::Pictures;

/// For the whole chain, the answer included. A runtime waits four minutes for a chain of one: it should hear our
/// reasons before it gives up.
const LIMIT: Duration = Duration::from_secs(210);

/// How much of an answer must be there before it counts as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// The first output: it is passed on as it comes.
    Begun,
    /// The end: a failure in the middle has cost nothing but time.
    Complete,
}

/// What is needed to ask.
pub(crate) struct Chain {
    pub(crate) meter: Meter,
    pub(crate) health: Health,
}

/// What is asked, and by whom.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) agent: &'a Arc<AgentSnapshot>,
    pub(crate) request: &'a ChatRequest,
    pub(crate) pictures: &'a Pictures,
    pub(crate) until: Until,
}

/// An answer and who gives it.
pub(crate) struct Answer {
    pub(crate) chunks: ChunkStream,
    pub(crate) provider: Arc<LoadedProvider>,
    pub(crate) model: String,
}

impl Chain {
    pub(crate) async fn ask(&self, question: Question<'_>, catalogue: &Catalogue) -> Result<Answer, Failure> {
        let deadline = Deadline::now() + LIMIT;
        let mut tries = Tries::default();
        for choice in &question.agent.models {
            let provider = match resolve(question.tenant, choice, catalogue) {
                Ok(provider) => provider,
                Err(skipped) => {
                    tries.skipped(choice, skipped);
                    continue;
                }
            };
            let callable = match &provider.state {
                Ok(callable) => callable,
                Err(unusable) => {
                    tries.skipped(choice, Skipped::Unusable(unusable.clone()));
                    continue;
                }
            };
            match self.try_one(question, choice, &provider, callable, deadline).await {
                Ok(chunks) => {
                    tries.answered(callable);
                    self.health.answered(&provider);
                    return Ok(Answer { chunks, provider, model: choice.model.clone() });
                }
                Err(error) => {
                    self.health.failed(&provider, &error);
                    let goes_on = error.may_fall_back() && Deadline::now() < deadline;
                    tries.failed(choice, callable, error);
                    if !goes_on {
                        break;
                    }
                }
            }
        }
        Err(tries.into_failure())
    }

    /// Reads as much of an answer as `until` wants, and returns it with the rest to come.
    async fn try_one(
        &self,
        question: Question<'_>,
        choice: &ModelChoice,
        provider: &LoadedProvider,
        callable: &Provider,
        deadline: Deadline,
    ) -> Result<ChunkStream, Error> {
        let Question { tenant, agent, request, pictures, until } = question;
        let sees = provider.snapshot.image_models.contains(&choice.model);
        let prepared = pictures.prepared(request, sees);
        let type_name = callable.type_name();
        let mut tally = Tally::new(
            &self.meter,
            tenant.record.id,
            agent,
            choice,
            provider.price(&choice.model),
            type_name,
            request.characters(),
        );
        let started = Instant::now();
        let begun = timeout_at(deadline, async {
            let mut rest = callable.stream(call(question, &prepared, choice, provider.wait())).await?;
            let mut first = Vec::new();
            while let Some(chunk) = rest.next().await {
                let chunk = chunk?;
                tally.see(&chunk);
                if chunk.is_output() && !first.iter().any(Chunk::is_output) {
                    FIRST_OUTPUT_SECONDS.observe_duration([type_name], started.elapsed());
                }
                let enough = until == Until::Begun && chunk.is_output();
                first.push(chunk);
                if enough {
                    break;
                }
            }
            Ok((first, rest))
        });
        match begun.await.unwrap_or(Err(Error::Timeout)) {
            Ok((first, rest)) => Ok(metered(first, rest, tally, deadline)),
            Err(error) => {
                tally.end(Ended::Failed);
                Err(error)
            }
        }
    }
}

/// What a call of the agent may cost, whichever model of the chain answers.
pub(crate) fn highest_cost(
    tenant: &Tenant,
    agent: &AgentSnapshot,
    catalogue: &Catalogue,
    input_tokens: u64,
) -> Money {
    let cost = |choice: &ModelChoice| {
        let price = resolve(tenant, choice, catalogue).ok()?.price(&choice.model)?;
        Some(price.of(input_tokens, choice.max_output_tokens.into()))
    };
    agent.models.iter().filter_map(cost).max().unwrap_or_default()
}

/// The provider of a choice, unless it may not be called. What the operator has checked is checked again: the grant
/// of a shared provider may have been taken back since.
fn resolve(
    tenant: &Tenant,
    choice: &ModelChoice,
    catalogue: &Catalogue,
) -> Result<Arc<LoadedProvider>, Skipped> {
    let provider = match choice.owner {
        ProviderOwner::Tenant => tenant.providers.get(&choice.provider).cloned(),
        ProviderOwner::Platform => {
            let shared = catalogue.platform().get(&choice.provider).cloned();
            if shared
                .as_ref()
                .is_some_and(|shared| !shared.snapshot.allowed_tenants.allows(&tenant.record.slug))
            {
                return Err(Skipped::NotAllowed);
            }
            shared
        }
    };
    let provider = provider.ok_or(Skipped::NotLoaded)?;
    if provider.snapshot.models.contains(&choice.model) {
        Ok(provider)
    } else {
        Err(Skipped::ModelNotOffered)
    }
}

/// The agent's limits bind the caller: a request may ask for less, not for more.
fn call<'a>(
    question: Question<'a>,
    request: &'a ChatRequest,
    choice: &'a ModelChoice,
    wait: Duration,
) -> Call<'a> {
    let agent = question.agent;
    let asked = request.max_output_tokens().unwrap_or(choice.max_output_tokens);
    Call {
        request,
        model: &choice.model,
        max_output_tokens: asked.min(choice.max_output_tokens),
        temperature: request.temperature.or(choice.temperature_milli.map(|milli| f32::from(milli) / 1000.0)),
        wait,
        render_as: RenderAs { name: &agent.display_name, role: &agent.role },
    }
}

fn metered(first: Vec<Chunk>, mut rest: ChunkStream, mut tally: Tally, deadline: Deadline) -> ChunkStream {
    stream! {
        for chunk in first {
            yield Ok(chunk);
        }
        while let Some(next) = timeout_at(deadline, rest.next()).await.unwrap_or(Some(Err(Error::Timeout))) {
            match next {
                Ok(chunk) => {
                    tally.see(&chunk);
                    yield Ok(chunk);
                }
                Err(error) => {
                    tally.end(Ended::Failed);
                    yield Err(error);
                    return;
                }
            }
        }
        tally.end(Ended::Answered);
    }
    .boxed()
}

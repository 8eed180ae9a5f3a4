//! The client for the ai-gateway.

mod failure;
mod stream;

use std::mem;
use std::time::{Duration, Instant};

use konstruct_domain::AgentName;
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::ExposeSecret;
use tokio::sync::watch;

use failure::Allowance;
pub(crate) use failure::{Unavailable, available};

use crate::backoff::jittered;
use crate::health::Health;
use crate::partial::Shown;
use crate::token::TokenSource;
use crate::wire::{ErrorBody, Message, Request, Response as Completion, StreamOptions};
use crate::{Error, Timing};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// The longest time that a provider may be given until the first byte, and as much again to write the answer.
const TIME_PER_MODEL: Duration = Duration::from_mins(4);
/// Far above the longest text that is kept; an answer over it is no answer.
const ANSWER_MAX_BYTES: usize = 4 << 20;

/// What a model answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) provider: String,
    pub(crate) model: String,
    pub(crate) tokens_in: i64,
    pub(crate) tokens_out: i64,
}

#[derive(Debug)]
pub(crate) struct ModelClient {
    http: Client,
    endpoint: Url,
    token: TokenSource,
    timing: Timing,
    health: Health,
    /// The ai-gateway itself failed the last time it was asked.
    down: watch::Sender<bool>,
}

impl ModelClient {
    pub(crate) fn new(base: &str, token: TokenSource, timing: Timing, health: Health) -> Result<Self, Error> {
        let endpoint = format!("{}/v1/chat/completions", base.trim_end_matches('/'));
        let endpoint = Url::parse(&endpoint).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        let endpoint = endpoint.ok_or_else(|| Error::AiGatewayUrl(base.to_owned()))?;
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // It is a neighbour, and the token is for nobody else.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .build()
            .map_err(Error::BuildHttpClient)?;
        Ok(Self { http, endpoint, token, timing, health, down: watch::Sender::new(false) })
    }

    /// Asks the agent's chain of `chain` models. Goes on trying for a while when the ai-gateway itself does not work. What
    /// is shown is streamed at the first try; a further one has its answer in one piece, which falls back to the next model
    /// until it is complete.
    pub(crate) async fn ask(
        &self,
        agent: &AgentName,
        chain: usize,
        messages: &[Message],
        mut shown: Option<Shown>,
    ) -> Result<Answer, Unavailable> {
        let mut request = Request {
            model: format!("agent/{agent}"),
            messages,
            stream: shown.is_some(),
            stream_options: shown.as_ref().map(|_| StreamOptions { include_usage: true }),
        };
        let limit = TIME_PER_MODEL * u32::try_from(chain.max(1)).unwrap_or(1);
        let started = Instant::now();
        let mut pause = self.timing.model_retry;
        let mut refused_before = false;
        loop {
            let outcome = self.try_once(&request, limit, shown.as_ref()).await;
            if let Some(shown) = shown.take().filter(|_| outcome.is_err()) {
                shown.clear();
                (request.stream, request.stream_options) = (false, None);
            }
            self.note(outcome.as_ref().err());
            let Err(failure) = outcome else { return outcome };
            let worth_it = match failure {
                // The token is read anew: it may just have been replaced.
                Unavailable::Unauthorized => !mem::replace(&mut refused_before, true),
                _ => failure.may_pass_soon(),
            };
            if !worth_it || started.elapsed() + pause > self.timing.model_patience {
                return Err(failure);
            }
            tokio::time::sleep(jittered(pause)).await;
            pause *= 2;
        }
    }

    async fn try_once(
        &self,
        request: &Request<'_>,
        limit: Duration,
        shown: Option<&Shown>,
    ) -> Result<Answer, Unavailable> {
        let sent = self.authorized().await?.json(request).timeout(limit).send().await;
        let response = sent.map_err(|error| Unavailable::unreachable(&error))?;
        let status = response.status();
        if let Some(shown) = shown.filter(|_| status.is_success()) {
            return stream::read(response, shown).await;
        }
        let body = read(response).await?;
        if !status.is_success() {
            return Err(refusal(status, &body));
        }
        let completion: Completion = serde_json::from_slice(&body).map_err(|error| {
            Unavailable::Unreadable(format!("line {} column {}", error.line(), error.column()))
        })?;
        Ok(answer(completion))
    }

    async fn authorized(&self) -> Result<RequestBuilder, Unavailable> {
        let token = self.token.read().await.map_err(Unavailable::Token)?;
        Ok(self.http.post(self.endpoint.clone()).bearer_auth(token.expose_secret()))
    }

    /// Returns when the ai-gateway failed the last time it was asked.
    pub(crate) async fn failed(&self) {
        // The sender lives in `self`, so the channel cannot close while this waits.
        let _ = self.down.subscribe().wait_for(|down| *down).await;
    }

    /// Asks for nothing, to see whether the ai-gateway answers and knows us.
    pub(crate) async fn probe(&self) {
        let Ok(request) = self.authorized().await else { return };
        let sent = request.json(&serde_json::json!({})).timeout(PROBE_TIMEOUT).send().await;
        let Ok(status) = sent.map(|response| response.status()) else { return };
        if status == StatusCode::UNAUTHORIZED {
            self.token.refused();
        }
        let well = !status.is_server_error() && status != StatusCode::UNAUTHORIZED;
        if well && self.down.send_if_modified(|down| mem::replace(down, false)) {
            self.health.ai_gateway.ok();
        }
    }

    fn note(&self, failure: Option<&Unavailable>) {
        if let Some(Unavailable::Unauthorized) = failure {
            self.token.refused();
        }
        let failure = failure.filter(|failure| failure.is_of_the_ai_gateway());
        match failure {
            Some(failure) => self.health.ai_gateway.failed(failure.advice()),
            None => self.health.ai_gateway.ok(),
        }
        self.down.send_if_modified(|down| mem::replace(down, failure.is_some()) != failure.is_some());
    }
}

fn answer(completion: Completion) -> Answer {
    let text = completion.choices.into_iter().next().and_then(|choice| choice.message.content);
    let (tokens_in, tokens_out) =
        completion.usage.map_or((0, 0), |usage| (usage.prompt_tokens.max(0), usage.completion_tokens.max(0)));
    Answer {
        // No choice or no content is a model that said nothing.
        text: text.unwrap_or_default(),
        provider: completion.konstruct.provider,
        model: completion.model,
        tokens_in,
        tokens_out,
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, Unavailable> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| Unavailable::unreachable(&error))? {
        if body.len() + chunk.len() > ANSWER_MAX_BYTES {
            return Err(Unavailable::Unreadable(format!("more than {ANSWER_MAX_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn refusal(status: StatusCode, body: &[u8]) -> Unavailable {
    let detail = serde_json::from_slice::<ErrorBody>(body).ok().map(|body| body.error);
    let code = detail.as_ref().and_then(|detail| detail.code.clone());
    let resets_on = detail.as_ref().and_then(|detail| Some(detail.details["resets_on"].as_str()?.to_owned()));
    let message = detail.map_or_else(|| format!("status {status} without a reason"), |detail| detail.message);
    match (status, code.as_deref()) {
        (_, Some("all_providers_failed")) => Unavailable::AllProvidersFailed(message),
        (_, Some("provider_rejected")) => Unavailable::ProviderRejected(message),
        (_, Some("tokens_per_month_used_up")) => {
            Unavailable::UsedUp { of: Allowance::Tokens, message, resets_on }
        }
        (_, Some("spend_per_month_used_up")) => {
            Unavailable::UsedUp { of: Allowance::Spend, message, resets_on }
        }
        (StatusCode::UNAUTHORIZED, _) => Unavailable::Unauthorized,
        (StatusCode::NOT_FOUND, _) => Unavailable::UnknownAgent,
        (status, _) if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Unavailable::Failing(status.as_u16())
        }
        (status, _) => Unavailable::Refused { status: status.as_u16(), message },
    }
}

#[cfg(test)]
mod tests;

//! `POST /v1/chat/completions`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use konstruct_domain::AgentName;
use konstruct_domain::snapshot::AgentSnapshot;
use konstruct_llm::{ChatRequest, collect, estimate_tokens};
use tokio::time::timeout;

use super::answer::{Heading, stream, whole};
use super::{App, Refusal};
use crate::admission::Place;
use crate::allowance::Amount;
use crate::budget::{Refused, Reservation};
use crate::catalogue::Tenant;
use crate::chain::{Failure, Question, Until, highest_cost};
use crate::metrics::{REQUEST_SECONDS, REQUESTS};
use crate::pictures::Pictures;

/// How long a body may take to arrive.
const BODY_LIMIT: Duration = Duration::from_secs(15);

pub(super) async fn create(State(app): State<Arc<App>>, request: Request) -> Response {
    let started = Instant::now();
    let (outcome, response) = match serve(&app, request).await {
        Ok(response) => ("answered", response),
        Err(refusal) => (refusal.outcome(), refusal.into_response()),
    };
    REQUESTS.inc([outcome]);
    REQUEST_SECONDS.observe_duration([outcome], started.elapsed());
    response
}

/// Who is asking comes before what is asked: a stranger's body is not read.
async fn serve(app: &App, request: Request) -> Result<Response, Refusal> {
    let tenant = app.authenticator.authenticate(request.headers()).await.map_err(Refusal::Denied)?;
    let place = app.admission.admit(tenant.record.id).map_err(Refusal::Busy)?;
    let request = read(request).await?;
    let (tenant, agent) = find_agent(app, tenant, &request.model).await?;
    answer(app, &tenant, &agent, &request, place).await
}

async fn read(request: Request) -> Result<ChatRequest, Refusal> {
    let body = timeout(BODY_LIMIT, Bytes::from_request(request, &())).await.map_err(|_| Refusal::TooSlow)?;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Refusal::TooLarge,
        _ => Refusal::Invalid("the body could not be read: send it again".to_owned()),
    })?;
    let request: ChatRequest =
        serde_json::from_slice(&body).map_err(|error| Refusal::Invalid(error.to_string()))?;
    request.check().map_err(|reason| Refusal::Invalid(reason.to_owned()))?;
    Ok(request)
}

/// The agent that is asked for. One that is younger than what is loaded is looked for again.
async fn find_agent(
    app: &App,
    tenant: Arc<Tenant>,
    model: &str,
) -> Result<(Arc<Tenant>, Arc<AgentSnapshot>), Refusal> {
    let unknown = || Refusal::UnknownAgent(model.chars().take(80).collect());
    let name: AgentName =
        model.strip_prefix("agent/").and_then(|name| name.parse().ok()).ok_or_else(unknown)?;
    if let Some(agent) = tenant.agents.get(&name).cloned() {
        return Ok((tenant, agent));
    }
    let looked = app.loader.look_again_for(tenant.record.id).await;
    let tenant = looked.map_err(|error| {
        tracing::warn!(%error, "cannot look for an agent");
        Refusal::NotReadable
    })?;
    let tenant = tenant.ok_or_else(unknown)?;
    let agent = tenant.agents.get(&name).cloned().ok_or_else(unknown)?;
    Ok((tenant, agent))
}

/// Held until the call has ended: what it may come to.
async fn within_budget(
    app: &App,
    tenant: &Tenant,
    agent: &AgentSnapshot,
    request: &ChatRequest,
) -> Result<Option<Reservation>, Refusal> {
    if tenant.allowance.is_unlimited() {
        return Ok(None);
    }
    let input = estimate_tokens(request.characters());
    let output = agent.models.iter().map(|choice| u64::from(choice.max_output_tokens)).max().unwrap_or(0);
    let cost = highest_cost(tenant, agent, app.loader.catalogue(), input);
    let amount = Amount::new(input.saturating_add(output), cost);
    let reserved = app.budgets.reserve(&app.store, tenant.record.id, tenant.allowance, amount).await;
    reserved.map(Some).map_err(|refused| match refused {
        Refused::UsedUp(used_up) => Refusal::UsedUp(used_up),
        Refused::Unknown(error) => {
            tracing::warn!(%error, "cannot count a tenant's month");
            Refusal::NotReadable
        }
    })
}

async fn answer(
    app: &App,
    tenant: &Tenant,
    agent: &Arc<AgentSnapshot>,
    request: &ChatRequest,
    mut place: Place,
) -> Result<Response, Refusal> {
    place.keep(within_budget(app, tenant, agent, request).await?);
    let streamed = request.stream == Some(true);
    let until = if streamed { Until::Begun } else { Until::Complete };
    let pictures = Pictures::load(app.media.as_ref(), tenant.record.id, request).await;
    let question = Question { tenant, agent, request, pictures: &pictures, until };
    let answer = app.chain.ask(question, app.loader.catalogue()).await.map_err(Refusal::Failure)?;
    let heading = Heading::of(&answer);
    if streamed {
        let include_usage = request.stream_options.is_some_and(|options| options.include_usage);
        return Ok(stream(heading, answer.chunks, include_usage, request.characters(), place));
    }
    let rejected =
        |error| Refusal::Failure(Failure::rejected(&answer.provider.snapshot.name, &answer.model, error));
    let completion = collect(answer.chunks).await.map_err(rejected)?;
    Ok(whole(&heading, completion, request.characters()))
}

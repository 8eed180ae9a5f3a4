//! Deliveries of Slack's Events API: verify the raw bytes, parse, commit, then acknowledge.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use konstruct_channels::slack::{self, Delivery};
use konstruct_domain::message::InboundMessage;
use konstruct_domain::snapshot::SlackSnapshot;
use secrecy::SecretString;

use crate::app::App;
use crate::body::{self, Body};
use crate::connection::Connection;
use crate::intake;
use crate::metrics;
use crate::refusal::Refusal;
use crate::registry::Workspace;

/// What became of a delivery, and the answer to it.
enum Done {
    /// An empty 200, counted as this outcome.
    Acknowledged(&'static str),
    Challenge(String),
}

/// Whose app delivers.
#[derive(Clone, Copy)]
enum Door<'a> {
    /// The platform's: one URL and one secret for all workspaces.
    Shared(&'a SecretString),
    /// A connection's own.
    Own(&'a Connection, &'a SlackSnapshot, &'a SecretString),
}

/// `POST /slack/events`
pub(super) async fn shared_app(State(app): State<Arc<App>>, headers: HeaderMap, body: Body) -> Response {
    answer(async {
        let body = body::read(body)?;
        let secret = app.shared_slack_signing_secret.as_ref().ok_or(Refusal::NotFound)?;
        receive(&app, Door::Shared(secret), &headers, &body).await
    })
    .await
}

/// `POST /slack/{public_id}/events`. The secret is found before anything is verified.
pub(super) async fn own_app(
    State(app): State<Arc<App>>,
    Path(public_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(async {
        let body = body::read(body)?;
        let routes = app.registry.routes().ok_or(Refusal::Unavailable)?;
        let connection = routes.by_public_id(&public_id).ok_or(Refusal::NotFound)?;
        let slack = connection.slack().ok_or(Refusal::NotFound)?;
        let version = slack.signing_secret.as_ref().ok_or(Refusal::NotFound)?;
        let secret = connection
            .signing_secret(&app.store, version)
            .await
            .map_err(|error| unreadable(connection, &error))?;
        receive(&app, Door::Own(connection, slack, secret), &headers, &body).await
    })
    .await
}

async fn receive(app: &App, door: Door<'_>, headers: &HeaderMap, body: &[u8]) -> Result<Done, Refusal> {
    let value = |name: &str| headers.get(name).map(header::HeaderValue::as_bytes);
    if slack::is_ssl_check(value("content-type"), body) {
        return Ok(Done::Acknowledged("ssl_check"));
    }
    let (Door::Shared(secret) | Door::Own(_, _, secret)) = door;
    let (timestamp, signature) = (value("x-slack-request-timestamp"), value("x-slack-signature"));
    slack::verify(secret, timestamp, signature, body, now()).map_err(Refusal::Signature)?;
    let delivery = slack::parse(body).map_err(|malformed| Refusal::Malformed(malformed.to_string()))?;
    match delivery {
        Delivery::UrlVerification { challenge } => Ok(Done::Challenge(challenge)),
        Delivery::Ignored(ignored) => Ok(Done::Acknowledged(ignored.as_str())),
        Delivery::RateLimited { account } => {
            tracing::warn!(
                account,
                "Slack holds events back: a workspace had more than 30,000 within an hour"
            );
            Ok(Done::Acknowledged("app_rate_limited"))
        }
        Delivery::Message { account, message } => {
            take_in(app, door, &account, &message, body).await.map(Done::Acknowledged)
        }
    }
}

async fn take_in(
    app: &App,
    door: Door<'_>,
    account: &str,
    message: &InboundMessage,
    body: &[u8],
) -> Result<&'static str, Refusal> {
    match door {
        Door::Shared(_) => {
            let routes = app.registry.routes().ok_or(Refusal::Unavailable)?;
            match routes.shared_slack(account) {
                Workspace::Connection(connection) => intake::take_in(app, &connection, message, body).await,
                Workspace::Unknown => Ok("unknown_workspace"),
                Workspace::Ambiguous => Err(Refusal::Unavailable),
            }
        }
        Door::Own(connection, slack, _) if slack.team_id == account => {
            intake::take_in(app, connection, message, body).await
        }
        Door::Own(..) => Ok("wrong_workspace"),
    }
}

async fn answer(work: impl Future<Output = Result<Done, Refusal>>) -> Response {
    let started = Instant::now();
    let (outcome, response) = match work.await {
        Ok(Done::Acknowledged(outcome)) => (outcome, StatusCode::OK.into_response()),
        Ok(Done::Challenge(challenge)) => {
            let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            ("url_verification", (plain, challenge).into_response())
        }
        Err(refusal) => (refusal.code(), refusal.into_response()),
    };
    metrics::EVENTS.inc(["slack", outcome]);
    metrics::ACK.observe_duration(["slack"], started.elapsed());
    response
}

fn unreadable(connection: &Connection, error: &konstruct_store::Error) -> Refusal {
    tracing::warn!(tenant = %connection.tenant, connection = connection.name(), %error, "cannot read a signing secret");
    Refusal::Unavailable
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

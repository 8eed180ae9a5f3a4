//! Deliveries of any channel: find the secret, verify the raw bytes, parse, commit, then acknowledge.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use konstruct_channels::{Adapter, Event, Received, Secrets};

use crate::app::App;
use crate::body::{self, Body};
use crate::connection::Connection;
use crate::events;
use crate::metrics;
use crate::refusal::Refusal;

/// Which address a delivery came to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Door<'a> {
    /// The platform's app: one address and one secret for all accounts.
    Shared,
    /// A connection's own, by its public id. The secret is found before anything is verified.
    Own(&'a str),
}

/// Whose deliveries a door lets in.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Shared(&'static str),
    Own(Arc<Connection>),
}

/// Takes in a delivery by POST.
pub(crate) async fn receive(
    app: &App,
    channel: &'static str,
    door: Door<'_>,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let started = Instant::now();
    let work = async {
        let body = body::read(body)?;
        let adapter = adapter(app, channel)?;
        let (entry, secrets) = open(app, adapter, door).await?;
        adapter.verify(&Received { headers, body: &body, now: now() }, &secrets)?;
        deliver(app, adapter, &entry, &body).await
    };
    answer(app, channel, started, work.await)
}

/// Answers a platform that asks by GET whether the address is ours.
pub(crate) async fn handshake(app: &App, channel: &'static str, door: Door<'_>, query: &str) -> Response {
    let started = Instant::now();
    let work = async {
        let adapter = adapter(app, channel)?;
        let (_, secrets) = open(app, adapter, door).await?;
        Ok(Some(adapter.handshake(query, &secrets)?))
    };
    answer(app, channel, started, work.await)
}

/// Commits everything that an authentic delivery says. Returns the answer to a handshake.
pub(crate) async fn deliver(
    app: &App,
    adapter: &dyn Adapter,
    entry: &Entry,
    body: &Bytes,
) -> Result<Option<String>, Refusal> {
    let channel = match entry {
        Entry::Own(connection) => Some(&connection.snapshot.channel),
        Entry::Shared(_) => None,
    };
    let mut events = adapter.parse(body, channel)?;
    let handshake = events.iter().position(|event| matches!(event, Event::Handshake { .. }));
    if let Some(Event::Handshake { answer }) = handshake.map(|at| events.swap_remove(at)) {
        metrics::EVENTS.inc([adapter.name(), "handshake"]);
        return Ok(Some(answer));
    }
    events::take_in(app, adapter, entry, events).await?;
    Ok(None)
}

fn adapter<'a>(app: &'a App, channel: &str) -> Result<&'a dyn Adapter, Refusal> {
    app.adapters.get(channel).map(AsRef::as_ref).ok_or(Refusal::NotFound)
}

async fn open(app: &App, adapter: &dyn Adapter, door: Door<'_>) -> Result<(Entry, Secrets), Refusal> {
    let public_id = match door {
        Door::Shared => {
            let secrets = adapter.shared_secrets().ok_or(Refusal::NotFound)?;
            return Ok((Entry::Shared(adapter.name()), secrets.clone()));
        }
        Door::Own(public_id) => public_id,
    };
    let routes = app.registry.routes().ok_or(Refusal::Unavailable)?;
    let connection = routes.by_public_id(public_id).ok_or(Refusal::NotFound)?;
    let channel = &connection.snapshot.channel;
    if channel.type_name() != adapter.name() || channel.uses_shared_app() || !channel.has_webhook() {
        return Err(Refusal::NotFound);
    }
    let secrets = connection.secrets(&app.store).await.map_err(|error| {
        tracing::warn!(tenant = %connection.tenant, connection = connection.name(), %error, "cannot read the secrets of a connection");
        Refusal::Unavailable
    })?;
    Ok((Entry::Own(Arc::clone(connection)), secrets.clone()))
}

fn answer(
    app: &App,
    channel: &'static str,
    started: Instant,
    done: Result<Option<String>, Refusal>,
) -> Response {
    let response = match done {
        Ok(None) => StatusCode::OK.into_response(),
        Ok(Some(answer)) => {
            let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            (plain, answer).into_response()
        }
        Err(refusal) => {
            metrics::EVENTS.inc([channel, refusal.code()]);
            let no_retry = app.adapters.get(channel).and_then(|adapter| adapter.no_retry_header());
            let no_retry = no_retry.filter(|_| refusal.is_final());
            let mut response = refusal.into_response();
            if let Some((name, value)) = no_retry {
                response.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            response
        }
    };
    metrics::ACK.observe_duration([channel], started.elapsed());
    response
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

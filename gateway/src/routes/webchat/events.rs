//! A conversation's lines as server-sent events. Each event's id is the line's number, so a browser that reconnects
//! gets what it has not seen.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use konstruct_domain::{ConversationId, TenantId};
use konstruct_queue::WATCHED_FOR;
use konstruct_store::ChatLine;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::session::Visitor;
use crate::app::App;
use crate::refusal::Refusal;
use crate::routes::address::Address;

/// A wake-up may be lost, so the stream also looks for itself.
const LOOK: Duration = Duration::from_secs(1);
/// A page that is left open all day need not look so often.
const LOOK_WHEN_QUIET: Duration = Duration::from_secs(5);
const QUIET_AFTER: Duration = Duration::from_mins(2);
/// Proxies close silent connections, often after a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// `GET /chat/{public_id}/events`. A token that runs out ends no stream: the next request shows it.
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    Path(public_id): Path<String>,
    Address(address): Address,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let visitor = Visitor::of(&app, &public_id, &headers, address).await?;
    let (tenant, conversation) = (visitor.connection.tenant, visitor.conversation());
    let lines = lines(app, tenant, conversation, last_seen(&headers)?);
    let stream = Sse::new(lines).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    // nginx holds a stream back unless it is told not to.
    Ok(([(header::HeaderName::from_static("x-accel-buffering"), "no")], stream).into_response())
}

fn last_seen(headers: &HeaderMap) -> Result<i64, Refusal> {
    let Some(value) = headers.get("last-event-id") else { return Ok(0) };
    let seq = value.to_str().ok().and_then(|text| text.trim().parse().ok()).filter(|seq| *seq >= 0);
    seq.ok_or_else(|| {
        Refusal::Malformed("Last-Event-ID must be the id of an event of this stream".to_owned())
    })
}

fn lines(
    app: Arc<App>,
    tenant: TenantId,
    conversation: ConversationId,
    mut after: i64,
) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        let mut woken = app.wakes.subscribe(tenant);
        let mut partial = app.partials.subscribe(tenant, conversation);
        let mut said_at = None::<Instant>;
        let mut busy_since = Instant::now();
        loop {
            match app.store.chat_lines(tenant, conversation, after).await {
                Ok(lines) => {
                    for line in lines {
                        after = line.seq;
                        busy_since = Instant::now();
                        yield Ok(event(&line));
                    }
                }
                // The visitor's page stays open; the next look may succeed.
                Err(error) => tracing::debug!(%tenant, %error, "cannot read a conversation"),
            }
            if said_at.is_none_or(|at| at.elapsed() >= WATCHED_FOR / 2) {
                said_at = Some(Instant::now());
                let bus = app.bus.clone();
                tokio::spawn(async move { bus.watch(tenant, conversation).await });
            }
            let pause = sleep(if busy_since.elapsed() < QUIET_AFTER { LOOK } else { LOOK_WHEN_QUIET });
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = app.shutdown.cancelled() => return,
                    _ = woken.changed() => break,
                    () = &mut pause => break,
                    // What is being written is no reason to look into PostgreSQL.
                    Ok(()) = partial.changed() => {
                        let text = Arc::clone(&partial.borrow_and_update().text);
                        yield Ok(being_written(&text));
                    }
                }
            }
        }
    }
}

fn being_written(text: &str) -> Event {
    Event::default().event("partial").data(json!({ "text": text }).to_string())
}

fn event(line: &ChatLine) -> Event {
    let data = json!({ "seq": line.seq, "speaker": line.speaker.as_str(), "text": line.text });
    Event::default().event("message").id(line.seq.to_string()).data(data.to_string())
}

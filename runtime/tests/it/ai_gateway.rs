//! A double of the ai-gateway that refuses what the real one refuses: wrong tokens, unknown agents, bodies that are no
//! chat completion request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::StreamExt;
use konstruct_domain::disclosure;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

pub(crate) const TOKEN: &str = "token-of-the-runtime";
pub(crate) const AGENT: &str = "ada";
/// Another employee of the same tenant.
pub(crate) const COLLEAGUE: &str = "grace";

/// What the next calls come to.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    /// Repeats the last message, with this before it.
    Echo(&'static str),
    Says(String),
    /// A streamed answer ends in the middle; one in a piece is this.
    BreaksOff(String),
    /// A streamed answer begins with this and goes on for ever.
    NeverEnds(String),
    Fails(StatusCode, &'static str),
    /// The tenant's tokens of the month are used up.
    UsedUp,
}

#[derive(Debug)]
struct Inner {
    mood: Mutex<Mood>,
    calls: Mutex<Vec<Value>>,
    /// Calls that have come in, and calls that were given up by the caller before they were answered.
    arrived: watch::Sender<usize>,
    given_up: watch::Sender<usize>,
    /// One permit a call while the gate is closed.
    gate: Semaphore,
    token: Mutex<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct AiGateway {
    inner: Arc<Inner>,
    address: SocketAddr,
    server: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl AiGateway {
    pub(crate) async fn start() -> Self {
        let inner = Inner {
            mood: Mutex::new(Mood::Echo("You said: ")),
            calls: Mutex::default(),
            arrived: watch::Sender::new(0),
            given_up: watch::Sender::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            token: Mutex::new(TOKEN.to_owned()),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let double = Self { inner: Arc::new(inner), address, server: Arc::default() };
        double.serve(listener);
        double
    }

    fn serve(&self, listener: TcpListener) {
        let router =
            Router::new().route("/v1/chat/completions", post(complete)).with_state(self.inner.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        *self.server.lock().unwrap() = Some(server);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Nobody listens any more.
    pub(crate) async fn stop(&self) {
        let server = self.server.lock().unwrap().take().unwrap();
        server.abort();
        let _ = server.await;
    }

    pub(crate) async fn start_again(&self) {
        self.serve(TcpListener::bind(self.address).await.unwrap());
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.inner.mood.lock().unwrap() = mood;
    }

    pub(crate) fn accept_token(&self, token: &str) {
        token.clone_into(&mut self.inner.token.lock().unwrap());
    }

    /// Calls wait until the gate is opened.
    pub(crate) fn close_gate(&self) {
        self.inner.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn open_gate(&self) {
        self.inner.gate.add_permits(Semaphore::MAX_PERMITS - self.inner.gate.available_permits());
    }

    /// Waits until that many calls have come in altogether.
    pub(crate) async fn wait_for_calls(&self, count: usize) {
        wait(&self.inner.arrived, count, "calls").await;
    }

    /// Waits until that many calls were given up by the runtime.
    pub(crate) async fn wait_for_given_up(&self, count: usize) {
        wait(&self.inner.given_up, count, "given up calls").await;
    }

    pub(crate) fn calls(&self) -> Vec<Value> {
        self.inner.calls.lock().unwrap().clone()
    }

    /// The messages of the last call after the system prompt, as `role: text`.
    pub(crate) fn last_conversation(&self) -> Vec<String> {
        let calls = self.calls();
        let messages = calls.last().unwrap()["messages"].as_array().unwrap();
        let shown = |message: &Value| {
            format!("{}: {}", message["role"].as_str().unwrap(), message["content"].as_str().unwrap())
        };
        messages[1..].iter().map(shown).collect()
    }
}

async fn wait(counter: &watch::Sender<usize>, count: usize, what: &str) {
    let mut counter = counter.subscribe();
    let reached = tokio::time::timeout(Duration::from_mins(1), counter.wait_for(|seen| *seen >= count)).await;
    reached.unwrap_or_else(|_| panic!("waited in vain for {count} {what}")).unwrap();
}

async fn complete(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let expected = format!("Bearer {}", inner.token.lock().unwrap());
    if headers.get("authorization").is_none_or(|given| given.as_bytes() != expected.as_bytes()) {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_token");
    }
    let Some(messages) = valid(&body) else { return refuse(StatusCode::BAD_REQUEST, "invalid_request") };
    let request: Value = serde_json::from_slice(&body).unwrap();
    if ![AGENT, COLLEAGUE].iter().any(|agent| request["model"] == format!("agent/{agent}")) {
        return refuse(StatusCode::NOT_FOUND, "agent_not_found");
    }
    let streamed = request["stream"] == true;
    inner.calls.lock().unwrap().push(request);
    inner.arrived.send_modify(|count| *count += 1);
    let guard = GivenUp(Some(inner.clone()));
    inner.gate.acquire().await.unwrap().forget();
    let last = text_of(messages.last().unwrap()).unwrap();
    let mood = inner.mood.lock().unwrap().clone();
    if let Mood::NeverEnds(text) = mood {
        return never_ends(&text, guard);
    }
    guard.answered();
    match mood {
        Mood::Echo(before) => answer(&format!("{before}{last}"), streamed, true),
        Mood::Says(text) => answer(&text, streamed, true),
        Mood::BreaksOff(text) | Mood::NeverEnds(text) => answer(&text, streamed, false),
        Mood::Fails(status, code) => refuse(status, code),
        Mood::UsedUp => used_up(),
    }
}

/// Counts a call whose connection was closed before it was answered.
struct GivenUp(Option<Arc<Inner>>);

impl GivenUp {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        if let Some(inner) = &self.0 {
            inner.given_up.send_modify(|count| *count += 1);
        }
    }
}

/// The messages of a request that the real ai-gateway and the strictest provider take: one system prompt that ends with
/// the disclosure, then persons and employee in turns.
fn valid(body: &[u8]) -> Option<Vec<Value>> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let messages = request["messages"].as_array()?.clone();
    let text = text_of;
    let disclosed =
        messages.first()?["role"] == "system" && text(messages.first()?)?.ends_with(disclosure::CLAUSE);
    let turns = messages[1..].iter().enumerate().all(|(index, message)| {
        let expected = if index % 2 == 0 { "user" } else { "assistant" };
        message["role"] == expected && text(message).is_some()
    });
    let asks = messages.last()?["role"] == "user"
        && if request["stream"].as_bool()? {
            // Without it a stream has no token counts.
            request["stream_options"]["include_usage"] == true
        } else {
            request.get("stream_options").is_none()
        };
    (disclosed && turns && asks).then_some(messages)
}

/// The text of a message, which has pictures beside it or not.
fn text_of(message: &Value) -> Option<String> {
    let content = &message["content"];
    content.as_str().or_else(|| content[0]["text"].as_str()).map(str::to_owned)
}

/// Two pieces, with time between them to be read.
fn stream(text: &str, whole: bool) -> Response {
    let chunk = |choices: &Value| json!({"model": "demo-1", "choices": choices, "konstruct": {"provider": "demo", "revision": "0"}});
    let piece = |text: &str| chunk(&json!([{"index": 0, "delta": {"content": text}, "finish_reason": null}]));
    let (one, two) = text.split_at(text.len() / 2);
    let mut usage = chunk(&json!([]));
    usage["usage"] = json!({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18});
    let mut events = vec![piece(one).to_string()];
    if whole {
        events.extend([piece(two).to_string(), usage.to_string(), "[DONE]".to_owned()]);
    }
    let body = futures::stream::iter(events).then(|event| async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok::<_, std::convert::Infallible>(format!("data: {event}\n\n"))
    });
    ([("content-type", "text/event-stream")], axum::body::Body::from_stream(body)).into_response()
}

fn never_ends(text: &str, guard: GivenUp) -> Response {
    let piece = json!({"model": "demo-1", "konstruct": {"provider": "demo", "revision": "0"},
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
    let first = Ok::<_, std::convert::Infallible>(format!("data: {piece}\n\n"));
    let rest = futures::stream::once(async move {
        let _guard = guard;
        std::future::pending().await
    });
    let body = axum::body::Body::from_stream(futures::stream::iter([first]).chain(rest));
    ([("content-type", "text/event-stream")], body).into_response()
}

fn answer(text: &str, streamed: bool, whole: bool) -> Response {
    if streamed {
        return stream(text, whole);
    }
    Json(json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "demo-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
        "konstruct": {"provider": "demo", "revision": "0123456789abcdef"},
    }))
    .into_response()
}

fn used_up() -> Response {
    let error = json!({"error": {"message": "limits.tokensPerMonth is 5: wait until 2026-12-01 (UTC), or raise the limit",
        "type": "insufficient_quota", "code": "tokens_per_month_used_up",
        "details": {"limit": 5, "used": 7, "resets_on": "2026-12-01"}}});
    (StatusCode::TOO_MANY_REQUESTS, Json(error)).into_response()
}

fn refuse(status: StatusCode, code: &str) -> Response {
    let error = json!({"error": {"message": format!("demo: {code}"), "type": "error", "code": code}});
    (status, Json(error)).into_response()
}

//! The HTTP side of both doubles: routes, faults, streams.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::{future, io};

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::stream::{self, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::connection::{Breakable, Fuse};
use super::refusal::Refusal;
use super::{Api, Fault, MODEL, State, anthropic, lock, openai};

/// Pace of an endless stream.
const BEAT: Duration = Duration::from_millis(10);

pub(super) async fn start(state: Arc<State>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has free ports");
    let address = listener.local_addr().expect("a bound socket has an address");
    let path = match state.api {
        Api::Anthropic => "/v1/messages",
        Api::OpenAi => "/v1/chat/completions",
    };
    let router = Router::new()
        .route(path, post(answer))
        .route("/v1/models", get(models))
        .layer(DefaultBodyLimit::max(32 * 1024 * 1024))
        .with_state(state)
        .into_make_service_with_connect_info::<Fuse>();
    let server = tokio::spawn(async move {
        // Ends only with the runtime or the double.
        drop(axum::serve(Breakable(listener), router).await);
    });
    (address, server)
}

async fn models(Extract(state): Extract<Arc<State>>, headers: HeaderMap) -> Response {
    match authenticate(&state, &headers) {
        Ok(()) => Json(json!({"object": "list", "data": [{"id": MODEL, "object": "model"}]})).into_response(),
        Err(refusal) => refusal.into_response(state.api),
    }
}

fn authenticate(state: &State, headers: &HeaderMap) -> Result<(), Refusal> {
    match state.api {
        Api::Anthropic => anthropic::authenticate(state, headers),
        Api::OpenAi => openai::authenticate(state, headers),
    }
}

async fn answer(
    Extract(state): Extract<Arc<State>>,
    ConnectInfo(fuse): ConnectInfo<Fuse>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = match accept(&state, &headers, &body) {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(state.api),
    };
    lock(&state.requests).push(body.clone());
    match state.take_fault() {
        Some(Fault::Status(status)) => Refusal::injected(state.api, status).into_response(state.api),
        Some(Fault::Redirect) => Redirect::temporary("http://elsewhere.invalid/").into_response(),
        Some(Fault::Hang) => future::pending().await,
        Some(Fault::Reset) => {
            fuse.blow();
            StatusCode::OK.into_response()
        }
        Some(Fault::WebPage) => Html("<html>Welcome!</html>").into_response(),
        fault if body["stream"] == json!(true) => streamed(&state, &body, fault),
        _ => whole(&state, &body),
    }
}

fn accept(state: &State, headers: &HeaderMap, body: &[u8]) -> Result<Value, Refusal> {
    authenticate(state, headers)?;
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if !is_json {
        return Err(Refusal::invalid("Content-Type must be application/json"));
    }
    let body: Value =
        serde_json::from_slice(body).map_err(|_| Refusal::invalid("could not parse the JSON body"))?;
    match state.api {
        Api::Anthropic => anthropic::validate(&body)?,
        Api::OpenAi => openai::validate(&body)?,
    }
    Ok(body)
}

fn whole(state: &State, body: &Value) -> Response {
    let answer = lock(&state.answer).clone();
    Json(match state.api {
        Api::Anthropic => anthropic::whole(body, &answer),
        Api::OpenAi => openai::whole(body, &answer),
    })
    .into_response()
}

/// The events of a streamed answer: what comes before the text, the text in pieces, what comes after it.
pub(super) struct Events {
    pub(super) before: Vec<String>,
    pub(super) pieces: Vec<String>,
    pub(super) after: Vec<String>,
}

fn streamed(state: &Arc<State>, body: &Value, fault: Option<Fault>) -> Response {
    let answer = lock(&state.answer).clone();
    let events = match state.api {
        Api::Anthropic => anthropic::events(body, &answer),
        Api::OpenAi => openai::events(body, &answer),
    };
    let mut sent = events.before;
    let cut = |after: usize| events.pieces.iter().take(after).cloned();
    let end = match fault {
        Some(Fault::DropAfter(count)) => {
            sent.extend(cut(count));
            End::Drop
        }
        Some(Fault::StallAfter(count)) => {
            sent.extend(cut(count));
            End::Stall
        }
        Some(Fault::ErrorAfter(count, kind)) => {
            sent.extend(cut(count));
            let error = Refusal::new(200, kind, "injected: SECRET-BODY-TEXT").body(state.api);
            sent.push(format!("event: error\ndata: {error}\n\n"));
            End::Close
        }
        Some(Fault::Endless) => End::Repeat(events.pieces),
        _ => {
            sent.extend(events.pieces);
            sent.extend(events.after);
            End::Close
        }
    };
    ([(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")], stream_body(state, sent, end))
        .into_response()
}

enum End {
    Close,
    Drop,
    Stall,
    Repeat(Vec<String>),
}

fn stream_body(state: &Arc<State>, events: Vec<String>, end: End) -> Body {
    let open = Open::new(state);
    let events = stream::iter(events.into_iter().map(Ok));
    let tail = match end {
        End::Close => stream::empty().boxed(),
        // A pause, or the server would drop even what was sent before.
        End::Drop => stream::once(async {
            tokio::time::sleep(BEAT).await;
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        })
        .boxed(),
        End::Stall => stream::pending().boxed(),
        End::Repeat(pieces) => stream::iter(pieces.into_iter().cycle())
            .then(async |piece| {
                tokio::time::sleep(BEAT).await;
                Ok(piece)
            })
            .boxed(),
    };
    Body::from_stream(events.chain(tail).map(move |event| {
        let _ = &open;
        event
    }))
}

/// Counts a stream for as long as its body lives.
struct Open(Arc<State>);

impl Open {
    fn new(state: &Arc<State>) -> Self {
        state.open_streams.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(state))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open_streams.fetch_sub(1, Ordering::SeqCst);
    }
}

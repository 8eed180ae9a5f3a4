//! Socket Mode: tickets, sockets, and envelopes that come again until they are acknowledged.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, Request, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Bytes, Message as Frame};
use uuid::Uuid;

use super::SlackDouble;
use super::state::{Inner, State, Workspace};

const SOCKETS_MAX: usize = 10;
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(3);
const PING: Duration = Duration::from_secs(5);
/// Between the first try to deliver and the last.
const TRIES: [Duration; 4] = [Duration::ZERO, Duration::ZERO, Duration::from_mins(1), Duration::from_mins(5)];

/// The sockets of one app.
#[derive(Default)]
pub(super) struct Sockets {
    switched_off: bool,
    tickets: BTreeSet<String>,
    open: Vec<Open>,
    /// What was sent and not acknowledged, with the socket that has it.
    waiting: HashMap<String, (Uuid, bool, oneshot::Sender<()>)>,
    complaints: Vec<String>,
}

struct Open {
    id: Uuid,
    out: mpsc::UnboundedSender<Out>,
}

enum Out {
    Say(Value),
    /// Ends without a word, as a broken connection does.
    Break,
}

/// `apps.connections.open`.
pub(super) fn ticket(state: &mut Inner, workspace: &Workspace) -> Value {
    let ticket = Uuid::new_v4().to_string();
    let host = state.origin.replacen("http", "ws", 1);
    state.sockets.entry(workspace.app_token.clone()).or_default().tickets.insert(ticket.clone());
    json!({ "ok": true, "url": format!("{host}/link/?ticket={ticket}&app_id=A0KONSTRUCT") })
}

/// The address that a ticket is for, once.
pub(super) async fn link(
    Extract(state): Extract<Arc<State>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    mut request: Request,
) -> Response {
    let ticket = query.get("ticket").map_or("", String::as_str);
    let app = {
        let mut state = state.lock();
        state.sockets.iter_mut().find_map(|(app, of)| of.tickets.remove(ticket).then(|| app.clone()))
    };
    let (Some(app), Some(key)) = (app, headers.get(header::SEC_WEBSOCKET_KEY)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Some(upgrade) = request.extensions_mut().remove::<hyper::upgrade::OnUpgrade>() else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    let accepted = derive_accept_key(key.as_bytes());
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let stream = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
        speak(&state, &app, stream).await;
    });
    let headers = [
        (header::CONNECTION, "Upgrade".to_owned()),
        (header::UPGRADE, "websocket".to_owned()),
        (header::SEC_WEBSOCKET_ACCEPT, accepted),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

type Stream = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

async fn speak(state: &State, app: &str, mut stream: Stream) {
    let (out, mut outgoing) = mpsc::unbounded_channel();
    let id = Uuid::new_v4();
    let greeting = {
        let mut state = state.lock();
        let of = state.sockets.entry(app.to_owned()).or_default();
        if of.switched_off {
            Err(disconnect("link_disabled"))
        } else if of.open.len() >= SOCKETS_MAX {
            Err(disconnect("too_many_websockets"))
        } else {
            of.open.push(Open { id, out });
            Ok(json!({
                "type": "hello", "num_connections": of.open.len(),
                "connection_info": { "app_id": "A0KONSTRUCT" },
                "debug_info": { "host": "applink-double", "approximate_connection_time": 18060 },
            }))
        }
    };
    let refused = greeting.is_err();
    let (Ok(greeting) | Err(greeting)) = greeting;
    let mut alive = stream.send(Frame::text(greeting.to_string())).await.is_ok() && !refused;
    let mut pinged = false;
    while alive {
        alive = tokio::select! {
            out = outgoing.recv() => match out {
                Some(Out::Say(said)) => stream.send(Frame::text(said.to_string())).await.is_ok(),
                Some(Out::Break) | None => false,
            },
            heard = stream.next() => match heard {
                Some(Ok(Frame::Text(text))) => {
                    acknowledged(&mut state.lock(), app, id, &text);
                    true
                }
                Some(Ok(Frame::Close(_)) | Err(_)) | None => false,
                Some(Ok(_)) => {
                    pinged = false;
                    true
                }
            },
            () = sleep(PING) => {
                let answered = !std::mem::replace(&mut pinged, true);
                answered && stream.send(Frame::Ping(Bytes::new())).await.is_ok()
            }
        };
    }
    if let Some(of) = state.lock().sockets.get_mut(app) {
        of.open.retain(|open| open.id != id);
    }
}

fn acknowledged(state: &mut Inner, app: &str, socket: Uuid, text: &str) {
    let of = state.sockets.entry(app.to_owned()).or_default();
    let said: Value = serde_json::from_str(text).unwrap_or_default();
    let Some(envelope) = said["envelope_id"].as_str() else {
        of.complaints.push(format!("no acknowledgement: {text}"));
        return;
    };
    match of.waiting.remove(envelope) {
        Some((sent_over, _, _)) if sent_over != socket => {
            of.complaints.push(format!("acknowledged over another socket: {envelope}"));
        }
        Some((_, false, _)) if said.get("payload").is_some() => {
            of.complaints.push(format!("a response where none is taken: {envelope}"));
        }
        // Nobody waits any more when three seconds are over.
        Some((_, _, waits)) => drop(waits.send(())),
        None => of.complaints.push(format!("not to be acknowledged, or too late: {envelope}")),
    }
}

fn disconnect(reason: &str) -> Value {
    json!({ "type": "disconnect", "reason": reason, "debug_info": { "host": "applink-double" } })
}

impl SlackDouble {
    /// Delivers over one of the app's sockets, again after `waits` when it is not acknowledged. Returns which try was
    /// acknowledged, counted from 0; none when Slack gives up.
    pub async fn deliver_by_socket(
        &self,
        app_token: &str,
        kind: &str,
        payload: &Value,
        waits: &[Duration],
    ) -> Option<usize> {
        for (attempt, wait) in waits.iter().enumerate() {
            sleep(*wait).await;
            if self.attempt(app_token, kind, payload, attempt).await {
                return Some(attempt);
            }
        }
        None
    }

    /// The same with the times that Slack takes.
    pub async fn deliver_patiently(&self, app_token: &str, kind: &str, payload: &Value) -> Option<usize> {
        self.deliver_by_socket(app_token, kind, payload, &TRIES).await
    }

    async fn attempt(&self, app_token: &str, kind: &str, payload: &Value, attempt: usize) -> bool {
        let envelope = Uuid::new_v4().to_string();
        let takes_response = kind != "events_api";
        let mut said = json!({
            "type": kind, "envelope_id": envelope, "payload": payload, "accepts_response_payload": takes_response,
        });
        if kind == "events_api" {
            said["retry_attempt"] = json!(attempt);
            said["retry_reason"] = json!(if attempt == 0 { "" } else { "timeout" });
        }
        let (done, acknowledged) = oneshot::channel();
        {
            let mut state = self.state.lock();
            let of = state.sockets.entry(app_token.to_owned()).or_default();
            // Any of them, in turns.
            let Some(open) = (!of.open.is_empty()).then(|| of.open.remove(0)) else { return false };
            of.waiting.insert(envelope.clone(), (open.id, takes_response, done));
            let sent = open.out.send(Out::Say(said)).is_ok();
            of.open.push(open);
            if !sent {
                return false;
            }
        }
        let acknowledged = timeout(ACKNOWLEDGED_WITHIN, acknowledged).await;
        matches!(acknowledged, Ok(Ok(())))
    }

    /// How many sockets an app has open.
    pub fn sockets(&self, app_token: &str) -> usize {
        self.state.lock().sockets.get(app_token).map_or(0, |of| of.open.len())
    }

    /// What was said over an app's sockets that Slack has no use for.
    pub fn complaints(&self, app_token: &str) -> Vec<String> {
        self.state.lock().sockets.get(app_token).map_or_else(Vec::new, |of| of.complaints.clone())
    }

    /// Slack replaces its sockets: it says so, and ends those after a while that are open now.
    pub async fn refresh_sockets(&self, app_token: &str, reason: &str, linger: Duration) {
        let leaving = self.open(app_token);
        for out in &leaving {
            drop(out.send(Out::Say(disconnect(reason))));
        }
        sleep(linger).await;
        for out in leaving {
            drop(out.send(Out::Break));
        }
    }

    /// Somebody switches Socket Mode on or off for the app.
    pub fn switch_socket_mode(&self, app_token: &str, on: bool) {
        self.state.lock().sockets.entry(app_token.to_owned()).or_default().switched_off = !on;
        if !on {
            for out in self.open(app_token) {
                drop(out.send(Out::Say(disconnect("link_disabled"))));
                drop(out.send(Out::Break));
            }
        }
    }

    /// The app's sockets break without a word.
    pub fn break_sockets(&self, app_token: &str) {
        for out in self.open(app_token) {
            drop(out.send(Out::Break));
        }
    }

    fn open(&self, app_token: &str) -> Vec<mpsc::UnboundedSender<Out>> {
        let state = self.state.lock();
        state
            .sockets
            .get(app_token)
            .map_or_else(Vec::new, |of| of.open.iter().map(|open| open.out.clone()).collect())
    }
}

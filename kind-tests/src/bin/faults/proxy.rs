//! Stands between the operator and the API server, writes down what is asked, and does harm where a plan says so.
//!
//! The operator's side is plain HTTP on loopback; the API server's side is TLS.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode, header};
use futures::TryStreamExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};

use crate::fault::{Fault, HANG};
use crate::operator::State as Process;
use crate::{operator, watch};

const LARGEST: usize = 10_000_000;
/// A request that asked for a change.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Names the body, which may hold a secret.
    pub(crate) digest: String,
    /// The API server's answer; None if it was never asked.
    pub(crate) status: Option<u16>,
    pub(crate) at: Instant,
    /// Whether the harness's subject is named in it.
    pub(crate) about_subject: bool,
}

#[derive(Debug)]
struct Plan {
    subject: String,
    fault: Option<(usize, Fault)>,
    /// Writes about the subject so far.
    writes: usize,
    /// Events about the subject that a watch was sent so far.
    events: usize,
}

impl Plan {
    fn is_about(&self, text: &[u8]) -> bool {
        let subject = self.subject.as_bytes();
        !subject.is_empty() && text.windows(subject.len()).any(|window| window == subject)
    }

    /// The fault, once, if its place is reached.
    fn due(&mut self, number: usize, event: bool) -> Option<Fault> {
        self.fault
            .take_if(|(at, fault)| *at == number && fault.is_of_event() == event)
            .map(|(_, fault)| fault)
    }
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

pub(crate) struct State {
    http: reqwest::Client,
    upstream: String,
    plan: Mutex<Plan>,
    writes: Mutex<Vec<Write>>,
    operator: Arc<Process>,
}

impl Proxy {
    pub(crate) async fn start(
        http: reqwest::Client,
        upstream: String,
        operator: Arc<Process>,
    ) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("binding a port")?;
        let address = listener.local_addr()?;
        let plan = Mutex::new(Plan { subject: String::new(), fault: None, writes: 0, events: 0 });
        let state = Arc::new(State { http, upstream, plan, writes: Mutex::default(), operator });
        let serving = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Ok(Self { address, state })
    }

    /// Counts the subject's writes and events from now on, and does the fault to the n-th, from 0.
    pub(crate) fn watch(&self, subject: &str, fault: Option<(usize, Fault)>) {
        self.state.writes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.state.plan() = Plan { subject: subject.to_owned(), fault, writes: 0, events: 0 };
    }

    pub(crate) fn writes(&self) -> Vec<Write> {
        self.state.writes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Events about the subject so far.
    pub(crate) fn events(&self) -> usize {
        self.state.plan().events
    }

    /// Whether the fault has been done.
    pub(crate) fn has_struck(&self) -> bool {
        self.state.plan().fault.is_none()
    }

    /// How long the subject has not been written to.
    pub(crate) fn quiet(&self) -> Duration {
        let writes = self.writes();
        let last = writes.iter().filter(|write| write.about_subject).map(|write| write.at).max();
        last.map_or(Duration::MAX, |at| at.elapsed())
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let state = Arc::clone(&state);
        // A task of its own goes on when the operator is killed: what the API server was asked is written down.
        let passing = tokio::spawn(async move { state.pass(request.map(Body::new)).await });
        async move { passing.await.unwrap_or(Err(Closed)) }
    });
    // An error here is a connection that one of the two sides has ended, which is what the faults do.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed by the plan or by the API server")]
struct Closed;

impl State {
    /// What is to be done to an event of a watch.
    pub(crate) fn next_event(&self, line: &[u8]) -> Option<Fault> {
        let mut plan = self.plan();
        if !plan.is_about(line) {
            return None;
        }
        plan.events += 1;
        let number = plan.events - 1;
        plan.due(number, true)
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn pass(self: &Arc<Self>, request: Request<Body>) -> Result<Response<Body>, Closed> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let body = axum::body::to_bytes(body, LARGEST).await.map_err(|_| Closed)?;
        if parts.method == Method::GET || path.contains("/leases") {
            return self.forward(&parts.method, &path, &parts.headers, body).await;
        }
        let (about_subject, fault) = self.next_write(&path, &body);
        let mut write = Write {
            method: parts.method.clone(),
            path: path.clone(),
            digest: hex::encode(&Sha256::digest(&body)[..8]),
            status: None,
            at: Instant::now(),
            about_subject,
        };
        match fault {
            Some(Fault::KillBeforeForwarding) => self.operator.kill(),
            Some(Fault::Answer(code)) => {
                self.record(write);
                return Ok(refusal(code));
            }
            Some(Fault::Hang) => tokio::time::sleep(HANG).await,
            Some(Fault::Restart(name)) => operator::restart_server(name).await,
            _ => {}
        }
        if matches!(fault, Some(Fault::KillBeforeForwarding | Fault::Reset | Fault::Hang)) {
            self.record(write);
            return Err(Closed);
        }
        let answer = self.forward(&parts.method, &path, &parts.headers, body).await;
        write.status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        self.record(write);
        match fault {
            Some(Fault::KillBeforeAnswering) => {
                self.operator.kill();
                Err(Closed)
            }
            Some(Fault::Swallow) => Err(Closed),
            Some(Fault::KillAfterAnswering) => {
                let operator = Arc::clone(&self.operator);
                tokio::spawn(async move {
                    // The time that the answer takes to be read.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    operator.kill();
                });
                answer
            }
            _ => answer,
        }
    }

    /// Whether the write is about the subject, and what is to be done to it.
    fn next_write(&self, path: &str, body: &[u8]) -> (bool, Option<Fault>) {
        let mut plan = self.plan();
        if !plan.is_about(path.as_bytes()) && !plan.is_about(body) {
            return (false, None);
        }
        plan.writes += 1;
        let number = plan.writes - 1;
        (true, plan.due(number, false))
    }

    fn record(&self, write: Write) {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).push(write);
    }

    async fn forward(
        self: &Arc<Self>,
        method: &Method,
        path: &str,
        headers: &axum::http::HeaderMap,
        body: axum::body::Bytes,
    ) -> Result<Response<Body>, Closed> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.upstream)).body(body);
        for (name, value) in headers.iter().filter(|(name, _)| !is_of_the_hop(name)) {
            request = request.header(name, value);
        }
        let answer = request.send().await.map_err(|_| Closed)?;
        let mut response = Response::builder().status(answer.status());
        for (name, value) in answer.headers().iter().filter(|(name, _)| !is_of_the_hop(name)) {
            response = response.header(name, value);
        }
        // A watch goes on for as long as both sides want it.
        let is_watch = *method == Method::GET && path.contains("watch=true");
        let body = if is_watch {
            watch::disturbed(answer, Arc::clone(self))
        } else {
            Body::from_stream(answer.bytes_stream().map_err(std::io::Error::other))
        };
        response.body(body).map_err(|_| Closed)
    }
}

fn is_of_the_hop(name: &header::HeaderName) -> bool {
    [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION].contains(name)
}

/// An error as the API server words it.
fn refusal(code: u16) -> Response<Body> {
    let reason = match code {
        409 => "Conflict",
        422 => "Invalid",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    };
    let status = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason,
        "message": "made up by the fault proxy",
    });
    let mut response = Response::new(Body::from(status.to_string()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    if code == 429 {
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    response
}

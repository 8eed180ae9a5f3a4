//! Strict doubles of model providers on loopback: what the real API refuses, they refuse with its words.
//!
//! Behaviour after Anthropic's Messages API (version 2023-06-01) and OpenAI's Chat Completions API as their
//! references describe them; where the real one has become lenient over time (roles that do not alternate), the
//! double keeps to the strict rule, so that what passes here passes at every version.

mod anthropic;
mod connection;
mod openai;
mod refusal;
mod server;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::task::JoinHandle;

/// The key that the doubles accept.
pub const API_KEY: &str = "sk-test-0123456789-do-not-log";

/// The model that the doubles know.
pub const MODEL: &str = "test-model";

/// What a provider does instead of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status with the provider's error object.
    Status(u16),
    /// A redirect elsewhere.
    Redirect,
    /// Takes the request and never answers.
    Hang,
    /// Resets the connection instead of answering.
    Reset,
    /// Begins to stream and then drops the connection, after this many pieces of text.
    DropAfter(usize),
    /// Begins to stream and then stays silent, after this many pieces of text.
    StallAfter(usize),
    /// Sends an error object of this type in a stream that began well, after this many pieces of text.
    ErrorAfter(usize, &'static str),
    /// Streams text until the client hangs up.
    Endless,
    /// 200 with a web page.
    WebPage,
}

/// What the model says when nothing is wrong.
#[derive(Clone, Debug)]
pub enum Answer {
    Text(String),
    /// A call of this tool with these arguments.
    ToolCall {
        name: String,
        arguments: Value,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Api {
    Anthropic,
    OpenAi,
}

/// A running double. Stops when dropped.
#[derive(Debug)]
pub struct LlmDouble {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    api: Api,
    key: Option<&'static str>,
    answer: Mutex<Answer>,
    next: Mutex<VecDeque<Fault>>,
    always: Mutex<Option<Fault>>,
    requests: Mutex<Vec<Value>>,
    open_streams: AtomicUsize,
}

impl LlmDouble {
    pub async fn anthropic() -> Self {
        Self::start(Api::Anthropic, Some(API_KEY)).await
    }

    pub async fn openai() -> Self {
        Self::start(Api::OpenAi, Some(API_KEY)).await
    }

    /// An OpenAI-compatible server that asks for no key, as local ones do.
    pub async fn openai_without_key() -> Self {
        Self::start(Api::OpenAi, None).await
    }

    async fn start(api: Api, key: Option<&'static str>) -> Self {
        let state = Arc::new(State {
            api,
            key,
            answer: Mutex::new(Answer::Text("Hello from the double.".to_owned())),
            next: Mutex::default(),
            always: Mutex::default(),
            requests: Mutex::default(),
            open_streams: AtomicUsize::new(0),
        });
        let (address, server) = server::start(Arc::clone(&state)).await;
        Self { address, state, server }
    }

    /// What an LLMProvider has as its `baseUrl`.
    pub fn base_url(&self) -> String {
        match self.state.api {
            Api::Anthropic => format!("http://{}", self.address),
            Api::OpenAi => format!("http://{}/v1", self.address),
        }
    }

    pub fn answer_with(&self, answer: Answer) {
        *lock(&self.state.answer) = answer;
    }

    pub fn say(&self, text: &str) {
        self.answer_with(Answer::Text(text.to_owned()));
    }

    /// Fails the next request; several calls queue up.
    pub fn fail_next(&self, fault: Fault) {
        lock(&self.state.next).push_back(fault);
    }

    /// Fails every request until [`Self::recover`].
    pub fn fail_always(&self, fault: Fault) {
        *lock(&self.state.always) = Some(fault);
    }

    pub fn recover(&self) {
        *lock(&self.state.always) = None;
        lock(&self.state.next).clear();
    }

    /// The bodies of the accepted and of the deliberately failed requests for an answer, oldest first.
    pub fn requests(&self) -> Vec<Value> {
        lock(&self.state.requests).clone()
    }

    /// Streams that are being sent now.
    pub fn open_streams(&self) -> usize {
        self.state.open_streams.load(Ordering::SeqCst)
    }
}

impl Drop for LlmDouble {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl State {
    fn take_fault(&self) -> Option<Fault> {
        lock(&self.next).pop_front().or(*lock(&self.always))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Text cut into the pieces in which it is streamed.
fn pieces(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

/// A count that differs from our own estimate, so that a test can tell them apart.
fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

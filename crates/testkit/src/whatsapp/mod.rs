//! A strict double of WhatsApp's Cloud API, and correctly signed deliveries to its apps.
//!
//! It refuses what Meta refuses: wrong tokens, foreign numbers, texts that are too long, people whose window is closed,
//! unknown types, and calls that come too fast. It remembers what was sent, reports on it, and fails on demand.

mod app;
mod messages;
mod server;
mod state;
mod template;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;

pub use app::{MetaApp, SignedBody};
pub use state::{Media, Number, SentMessage, Template};

use crate::fault::CallFault;
use crate::serving::{self, Serving};
use state::State;

/// Runs until the last clone is dropped.
#[derive(Clone)]
pub struct WhatsAppDouble {
    origin: String,
    state: Arc<State>,
    _serving: Serving,
}

impl WhatsAppDouble {
    /// Starts one on a free port of the loopback address.
    pub async fn start() -> Self {
        Self::serve(serving::on_loopback().await)
    }

    /// Starts one on a bound port.
    pub fn serve(listener: TcpListener) -> Self {
        let origin = serving::origin(&listener);
        let state = Arc::new(State::new(&origin));
        let serving = Serving::start(listener, server::router(Arc::clone(&state)));
        Self { origin, state, _serving: serving }
    }

    /// What to give a client as `https://graph.facebook.com`.
    pub fn base_url(&self) -> String {
        self.origin.clone()
    }

    pub fn add_number(&self, number: Number) {
        self.state.lock().numbers.push(number);
    }

    /// A person has written to a number, just now or so many seconds ago: their window opens.
    pub fn person_wrote(&self, person: &str, seconds_ago: u64) {
        self.state.lock().wrote(person, seconds_ago);
    }

    /// A file that somebody sent. Returns its id.
    pub fn add_media(&self, media: Media) -> String {
        self.state.lock().add_media(media)
    }

    /// As after seven days.
    pub fn expire_media(&self, id: &str) {
        self.state.lock().media.remove(id);
    }

    /// Calls that come too fast are refused, as by Meta; without it tests need not wait.
    pub fn limit_rate(&self, every: Duration, burst: u32) {
        self.state.lock().pair_rate = Some((every, burst));
    }

    pub fn inject(&self, method: &str, faults: impl IntoIterator<Item = CallFault>) {
        self.state.lock().faults.inject(method, faults);
    }

    /// Everything that was sent, in order.
    pub fn sent(&self) -> Vec<SentMessage> {
        self.state.lock().sent.clone()
    }

    /// Texts whose call was left without an answer and did nothing.
    pub fn unheard(&self) -> Vec<String> {
        self.state.lock().unheard.clone()
    }

    /// How often people saw a sign of typing, with the message that it answers.
    pub fn typing(&self) -> Vec<String> {
        self.state.lock().typing.clone()
    }

    /// How often a method was called, failed calls included.
    pub fn calls(&self, method: &str) -> usize {
        self.state.lock().calls.iter().filter(|called| *called == method).count()
    }

    /// Waits until so many messages were sent.
    ///
    /// # Panics
    /// When they are not within a minute.
    pub async fn wait_for_sent(&self, count: usize) -> Vec<SentMessage> {
        serving::at_least(count, || self.sent()).await
    }

    /// The report that Meta sends about a message.
    pub fn report(&self, message: &SentMessage, status: &str) -> Value {
        app::report(message, status)
    }
}

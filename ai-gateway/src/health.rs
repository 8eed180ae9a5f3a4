//! What calls show about providers, reported to the operator when it changes.

use std::sync::Arc;
use std::time::Duration;

use konstruct_domain::Kind;
use konstruct_domain::observation::{Condition, Observation};
use konstruct_llm::{Error, Invalid, Probe, Rejection};
use konstruct_queue::{Bus, Signal};
use konstruct_store::Store;
use tokio::sync::{Semaphore, mpsc};

use crate::catalogue::{Catalogue, LoadedProvider, Unusable};

/// Reports that wait for PostgreSQL. One that does not fit is made again by the next call.
const QUEUE: usize = 256;

/// A start with many providers must not become a burst of requests.
const CONCURRENT_PROBES: usize = 4;
const PROBE_LIMIT: Duration = Duration::from_secs(10);

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Health {
    reports: mpsc::Sender<Report>,
    probes: Arc<Semaphore>,
}

pub(crate) struct Report {
    provider: Arc<LoadedProvider>,
    observation: Observation,
}

impl Health {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Report>) {
        let (reports, receiver) = mpsc::channel(QUEUE);
        (Self { reports, probes: Arc::new(Semaphore::new(CONCURRENT_PROBES)) }, receiver)
    }

    pub(crate) fn answered(&self, provider: &Arc<LoadedProvider>) {
        self.reachable(provider);
        if provider.has_key() {
            let message = "The provider accepts the API key.".to_owned();
            self.report(provider, Condition::CredentialsValid, true, "CredentialsAccepted", message);
        }
    }

    pub(crate) fn failed(&self, provider: &Arc<LoadedProvider>, error: &Error) {
        match error {
            Error::Connect | Error::Timeout => {
                self.report(provider, Condition::Reachable, false, "ProviderUnreachable", error.to_string());
            }
            Error::Rejected { reason: Rejection::Credentials | Rejection::Permission, .. } => {
                self.reachable(provider);
                self.report(
                    provider,
                    Condition::CredentialsValid,
                    false,
                    "CredentialsRejected",
                    error.to_string(),
                );
            }
            Error::Guarded(_) => {
                self.report(provider, Condition::Reachable, false, "InvalidSpec", error.to_string());
            }
            Error::Status(_) | Error::Rejected { .. } | Error::Malformed(_) => self.reachable(provider),
            Error::Request(_) => {}
        }
    }

    /// Finds out about a new provider before anybody needs it, so that a wrong key shows at once.
    pub(crate) fn look_at(&self, provider: Arc<LoadedProvider>) {
        if let Err(unusable) = &provider.state {
            let (condition, reason) = match unusable {
                Unusable::KeyUnreadable | Unusable::Invalid(Invalid::KeyMissing | Invalid::KeyMalformed) => {
                    (Condition::CredentialsValid, "InvalidSecret")
                }
                Unusable::Invalid(_) => (Condition::Reachable, "InvalidSpec"),
                Unusable::ScriptedNotAllowed => (Condition::Reachable, "ScriptedNotAllowed"),
            };
            self.report(&provider, condition, false, reason, unusable.to_string());
            return;
        }
        let this = self.clone();
        tokio::spawn(async move {
            let Ok(_permit) = this.probes.acquire().await else { return };
            this.probe(&provider).await;
        });
    }

    /// Looks again at what was faulty: it may have recovered without anybody calling it.
    pub(crate) fn look_again(&self, catalogue: &Catalogue) {
        let failing = catalogue.providers().into_iter().filter(|provider| provider.is_failing());
        failing.filter(|provider| provider.state.is_ok()).for_each(|provider| self.look_at(provider));
    }

    async fn probe(&self, provider: &Arc<LoadedProvider>) {
        let Ok(callable) = &provider.state else { return };
        match callable.probe(provider.wait().min(PROBE_LIMIT)).await {
            Ok(Probe::Accepted) => self.answered(provider),
            Ok(Probe::Reachable) => self.reachable(provider),
            Err(error) => self.failed(provider, &error),
        }
    }

    fn reachable(&self, provider: &Arc<LoadedProvider>) {
        self.report(
            provider,
            Condition::Reachable,
            true,
            "ProviderAnswered",
            "The provider answers.".to_owned(),
        );
    }

    fn report(
        &self,
        provider: &Arc<LoadedProvider>,
        condition: Condition,
        ok: bool,
        reason: &str,
        message: String,
    ) {
        let observation = Observation { condition, ok, reason: reason.to_owned(), message };
        if !provider.is_news(&observation) {
            return;
        }
        let report = Report { provider: Arc::clone(provider), observation };
        if self.reports.try_send(report).is_err() {
            provider.forget(condition);
        }
    }
}

/// Writes reports in the order in which they were made.
pub(crate) async fn write_reports(mut reports: mpsc::Receiver<Report>, store: Store, bus: Bus) {
    while let Some(Report { provider, observation }) = reports.recv().await {
        let (owner, name) = (provider.owner, provider.snapshot.name.as_str());
        match store.observe(owner, Kind::LLMProvider, name, &observation).await {
            Ok(true) => {
                tracing::info!(tenant = %owner, provider = name, condition = observation.condition.as_str(),
                    ok = observation.ok, reason = observation.reason, "a provider's state changed");
                bus.publish(Signal::Loaded(owner)).await;
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(tenant = %owner, provider = name, %error, "cannot record an observation");
                provider.forget(observation.condition);
            }
        }
    }
}

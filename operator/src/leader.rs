//! Leader election by Lease: of all replicas, one acts.
//!
//! Times of others are never compared with our clock: a lease has expired when it was seen unchanged for its whole
//! duration. The leader counts from before it asked for a renewal and stops well before others may take over; a process
//! that was frozen finds its time used up when it wakes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

/// Whoever sees the lease unchanged for this long may take it.
pub(crate) const DURATION: Duration = Duration::from_secs(15);
/// The leader acts for this long after it asked for its last renewal.
const VALID: Duration = Duration::from_secs(10);
/// How often the leader renews and the others look.
pub(crate) const EVERY: Duration = Duration::from_secs(2);

/// Until when this process may act. Cheap to ask before each write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leadership {
    until: Arc<Mutex<Option<Instant>>>,
}

impl Leadership {
    pub(crate) fn is_valid(&self) -> bool {
        self.until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    fn set(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

/// One candidate for the lease.
pub(crate) struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    leadership: Leadership,
    /// The lease as it was last seen to change, and when that was on our clock.
    observed: Option<(Option<String>, Instant)>,
}

/// What one look at the lease brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Leader,
    Follower { leader: String },
}

impl Candidate {
    pub(crate) fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: String,
        leadership: Leadership,
    ) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, name: name.to_owned(), identity, leadership, observed: None }
    }

    /// Takes or renews the lease, if it is free, expired or ours.
    pub(crate) async fn stand(&mut self) -> kube::Result<Standing> {
        let asked = Instant::now();
        let Some(lease) = self.api.get_opt(&self.name).await? else {
            let lease = Lease {
                metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                spec: Some(self.spec(0)),
            };
            return self.outcome(asked, self.api.create(&PostParams::default(), &lease).await);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.clone().filter(|holder| !holder.is_empty());
        self.observe(&lease);
        match holder {
            Some(holder) if holder != self.identity && !self.has_expired() => {
                self.leadership.set(None);
                Ok(Standing::Follower { leader: holder })
            }
            holder => {
                let transitions = spec.lease_transitions.unwrap_or(0);
                let renewed = holder.as_ref() == Some(&self.identity);
                let mut next = self.spec(if renewed { transitions } else { transitions.saturating_add(1) });
                if renewed {
                    next.acquire_time = spec.acquire_time;
                }
                // The version that was looked at goes with it: of two candidates, one is refused.
                let lease = Lease { metadata: lease.metadata, spec: Some(next) };
                self.outcome(asked, self.api.replace(&self.name, &PostParams::default(), &lease).await)
            }
        }
    }

    /// Lets others take over at once. Nothing may be written after this.
    pub(crate) async fn resign(&mut self) -> kube::Result<()> {
        if !self.leadership.is_valid() {
            return Ok(());
        }
        self.leadership.set(None);
        let lease = self.api.get(&self.name).await?;
        let spec = lease.spec.clone().unwrap_or_default();
        if spec.holder_identity.as_deref() == Some(self.identity.as_str()) {
            let free = LeaseSpec { holder_identity: Some(String::new()), ..spec };
            let lease = Lease { metadata: lease.metadata, spec: Some(free) };
            self.api.replace(&self.name, &PostParams::default(), &lease).await?;
        }
        Ok(())
    }

    fn outcome(&self, asked: Instant, written: kube::Result<Lease>) -> kube::Result<Standing> {
        match written {
            Ok(_) => {
                self.leadership.set(Some(asked + VALID));
                Ok(Standing::Leader)
            }
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
                // Somebody was faster. If we led, our time goes on until it ends; the next look tells more.
                Ok(Standing::Follower { leader: "another replica".to_owned() })
            }
            Err(error) => Err(error),
        }
    }

    fn observe(&mut self, lease: &Lease) {
        let version = lease.metadata.resource_version.clone();
        if self.observed.as_ref().is_none_or(|(seen, _)| *seen != version) {
            self.observed = Some((version, Instant::now()));
        }
    }

    fn has_expired(&self) -> bool {
        self.observed.as_ref().is_some_and(|(_, since)| since.elapsed() > DURATION)
    }

    fn spec(&self, transitions: i32) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leadership_ends_by_itself() {
        let leadership = Leadership::default();
        assert!(!leadership.is_valid());
        leadership.set(Some(Instant::now() + Duration::from_secs(1)));
        assert!(leadership.is_valid());
        leadership.set(Some(Instant::now()));
        assert!(!leadership.is_valid(), "a renewal that came too late counts for nothing");
    }
}

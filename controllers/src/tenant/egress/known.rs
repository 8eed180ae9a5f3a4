//! What was learned of one host over time. Pure: somebody else asks and says what time it is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use konstruct_domain::addresses;

use super::{Fault, Resolved};

/// Servers of large providers answer with a few of many addresses, others each time. One that was seen within this time
/// stays open, so that a policy does not change every minute and no connection meets a shut door.
const KEEP: Duration = Duration::from_hours(1);
/// Most addresses of one host. The policy stays small whatever a DNS server answers.
const MOST: usize = 64;

#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    seen: BTreeMap<IpAddr, Instant>,
    fault: Option<Fault>,
}

impl Known {
    /// What was open before this process began counts as seen now.
    pub(super) fn keep(&mut self, addresses: &BTreeSet<IpAddr>, now: Instant) {
        for address in addresses {
            self.seen.entry(*address).or_insert(now);
        }
    }

    /// A failure to ask takes nothing away.
    pub(super) fn learn(&mut self, answer: Result<Vec<IpAddr>, String>, now: Instant) {
        let addresses = match answer {
            Ok(addresses) if !addresses.is_empty() => addresses,
            other => {
                let error = other.err().unwrap_or_else(|| "it has no address".to_owned());
                self.fault = Some(Fault::NotResolved(error));
                return;
            }
        };
        self.fault = None;
        for address in addresses {
            match addresses::refused(&IpNet::from(address)) {
                Some(what) => self.fault = Some(Fault::Refused { address, what }),
                None => {
                    self.seen.insert(address, now);
                }
            }
        }
        self.seen.retain(|_, at| now.duration_since(*at) < KEEP);
        while self.seen.len() > MOST {
            let oldest = self.seen.iter().min_by_key(|(_, at)| **at).map(|(address, _)| *address);
            oldest.map(|address| self.seen.remove(&address));
        }
    }

    pub(super) fn resolved(&self) -> Resolved {
        Resolved { addresses: self.seen.keys().copied().collect(), fault: self.fault.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn open(known: &Known) -> Vec<String> {
        known.resolved().addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_failure_keeps_what_was_known_and_is_said() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.learn(Ok(addresses(&["1.1.1.1"])), now);
        known.learn(Err("no answer".to_owned()), now + 3 * KEEP);
        assert_eq!(open(&known), ["1.1.1.1"]);
        assert_eq!(known.resolved().fault, Some(Fault::NotResolved("no answer".to_owned())));
        known.learn(Ok(addresses(&["1.0.0.1"])), now + 3 * KEEP);
        assert_eq!((open(&known), known.resolved().fault), (vec!["1.0.0.1".to_owned()], None));
    }

    #[test]
    fn an_answer_with_a_private_address_opens_only_the_public_ones() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.learn(Ok(addresses(&["1.1.1.1", "10.0.0.7", "::ffff:10.0.0.7"])), now);
        assert_eq!(open(&known), ["1.1.1.1"]);
        assert!(matches!(known.resolved().fault, Some(Fault::Refused { .. })));
        // A name that was pointed inwards loses what it had, in time.
        known.learn(Ok(addresses(&["169.254.169.254"])), now + KEEP);
        assert_eq!(open(&known), Vec::<String>::new());
    }

    #[test]
    fn addresses_that_take_turns_stay_open_and_there_is_an_end_to_it() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.learn(Ok(addresses(&["1.1.1.1"])), now);
        known.learn(Ok(addresses(&["1.0.0.1"])), now + KEEP / 2);
        assert_eq!(open(&known), ["1.0.0.1", "1.1.1.1"]);
        known.learn(Ok(addresses(&["1.0.0.1"])), now + KEEP);
        assert_eq!(open(&known), ["1.0.0.1"]);

        let many = (0..200).map(|last| IpAddr::from([8, 8, 8, last])).collect();
        known.learn(Ok(many), now + KEEP);
        assert_eq!(known.resolved().addresses.len(), MOST);
    }

    #[test]
    fn what_was_in_force_before_a_restart_survives_it() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.keep(&addresses(&["1.1.1.1"]).into_iter().collect(), now);
        known.learn(Err("no answer".to_owned()), now);
        assert_eq!(open(&known), ["1.1.1.1"]);
    }
}

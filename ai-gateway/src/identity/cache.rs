//! What tokens have proven, for a short time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// A revoked token works at most this much longer.
const KEEP: Duration = Duration::from_mins(1);

/// How long a refused token is refused without asking again: a runtime with a bad token must not flood the
/// Kubernetes API.
const KEEP_REFUSED: Duration = Duration::from_secs(10);

/// Most tokens remembered: above the number of runtimes of an installation, and no more than a few hundred kilobytes.
const CAPACITY: usize = 4096;

/// A token's hash: the token itself is not kept.
pub(super) type Key = [u8; 32];

pub(super) fn key(token: &str) -> Key {
    Sha256::digest(token.as_bytes()).into()
}

#[derive(Debug)]
pub(super) struct Cache<V>(Mutex<HashMap<Key, (V, Instant)>>);

impl<V: Clone> Cache<V> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    pub(super) fn get(&self, key: &Key, now: Instant) -> Option<V> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(key).filter(|(_, until)| now < *until).map(|(value, _)| value.clone())
    }

    pub(super) fn put(&self, key: Key, value: V, refused: bool, now: Instant) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= CAPACITY {
            entries.retain(|_, (_, until)| now < *until);
        }
        if entries.len() >= CAPACITY {
            // Only an attack fills it within a minute; the honest callers are reviewed again.
            entries.clear();
        }
        entries.insert(key, (value, now + if refused { KEEP_REFUSED } else { KEEP }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_expire_and_the_cache_stays_small() {
        let (cache, now) = (Cache::new(), Instant::now());
        cache.put(key("good"), 1, false, now);
        cache.put(key("bad"), 2, true, now);
        assert_eq!(cache.get(&key("good"), now), Some(1));
        assert_eq!(cache.get(&key("bad"), now + KEEP_REFUSED), None);
        assert_eq!(cache.get(&key("good"), now + KEEP), None);
        for number in 0..2 * CAPACITY {
            cache.put(key(&number.to_string()), 3, false, now);
        }
        assert!(cache.0.lock().unwrap().len() <= CAPACITY);
    }
}

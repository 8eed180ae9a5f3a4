//! Failures on demand, the same for every double of a channel's platform.

use std::collections::{HashMap, VecDeque};

/// What happens to one call. `E` is how the platform names its errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallFault<E = i64> {
    /// 429, with the platform's own error.
    RateLimited { seconds: u64 },
    /// This status with no readable body, and nothing done.
    Status(u16),
    /// The platform's own error with this code, and nothing done.
    Error(E),
    /// No answer, and nothing done.
    Hang,
    /// Done, but the connection breaks before the answer arrives.
    AcceptThenDrop,
}

/// What is to fail next, by method.
#[derive(Debug)]
pub(crate) struct Faults<E = i64>(HashMap<String, VecDeque<CallFault<E>>>);

impl<E> Default for Faults<E> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<E> Faults<E> {
    pub(crate) fn inject(&mut self, method: &str, faults: impl IntoIterator<Item = CallFault<E>>) {
        self.0.entry(method.to_owned()).or_default().extend(faults);
    }

    pub(crate) fn next(&mut self, method: &str) -> Option<CallFault<E>> {
        self.0.get_mut(method)?.pop_front()
    }
}

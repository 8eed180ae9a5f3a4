//! What can be done to the operator, and where.

use std::time::Duration;

/// Longer than the operator waits for any answer.
pub(crate) const HANG: Duration = Duration::from_secs(30);
/// Long enough for everything that follows from the event to be late.
pub(crate) const HOLD: Duration = Duration::from_secs(3);

/// What is done once: to a request that asks for a change, or to an event of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    KillBeforeForwarding,
    KillBeforeAnswering,
    KillAfterAnswering,
    /// The API server never sees it.
    Answer(u16),
    Reset,
    Hang,
    /// The API server does it and nobody hears of it.
    Swallow,
    /// A process of the control plane is killed and starts again.
    Restart(&'static str),
    Event(EventFault),
}

/// An API server never leaves out an event of a watch that goes on; it may end the watch and say that it is too late to
/// go on (410).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventFault {
    /// It and what follows it come late.
    Hold,
    Duplicate,
    /// It never comes: 410, and only a new list has it.
    Gone,
    /// The connection ends in the middle of it.
    Cut,
}

pub(crate) const KILLS: [Fault; 3] =
    [Fault::KillBeforeForwarding, Fault::KillBeforeAnswering, Fault::KillAfterAnswering];
pub(crate) const ERRORS: [Fault; 9] = [
    Fault::Answer(409),
    Fault::Answer(422),
    Fault::Answer(429),
    Fault::Answer(500),
    Fault::Answer(503),
    Fault::Answer(504),
    Fault::Reset,
    Fault::Hang,
    Fault::Swallow,
];
pub(crate) const WATCHES: [Fault; 4] = [
    Fault::Event(EventFault::Hold),
    Fault::Event(EventFault::Duplicate),
    Fault::Event(EventFault::Gone),
    Fault::Event(EventFault::Cut),
];
pub(crate) const RESTARTS: [Fault; 2] = [Fault::Restart("kube-apiserver"), Fault::Restart("etcd")];

impl Fault {
    pub(crate) const fn is_of_event(self) -> bool {
        matches!(self, Self::Event(_))
    }
}

//! Failures on demand.

/// What happens to one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429 with Retry-After.
    RateLimited { seconds: u64 },
    /// This status, and nothing done.
    Status(u16),
    /// `{"ok": false}` with this error, and nothing done.
    Error(&'static str),
    /// No answer, and nothing done.
    Hang,
    /// Done, but the connection breaks before the answer arrives.
    AcceptThenDrop,
}

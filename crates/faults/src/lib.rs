//! Places where a process can be told to die, for the chaos tests: between any two effects that others can see.
//!
//! A release build has none of them, and refuses to start when it is told to.

/// `POINT` or `POINT@TIMES`: the process kills itself when it passes the point, or passes it for that time.
pub const VARIABLE: &str = "KONSTRUCT_FAULT";

/// Every point of the gateway, in the order of a message.
pub const GATEWAY: [&str; 6] = [
    "intake.before",
    "intake.committed",
    "outbox.claimed",
    "outbox.sent",
    "outbox.recorded",
    "outbox.failed",
];
/// Every point of a runtime, in the order of a message.
pub const RUNTIME: [&str; 5] =
    ["turn.claimed", "turn.thought", "settle.committed", "settle.announced", "settle.kept"];

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("{VARIABLE} is set, and this is a release build: unset it, or run a debug build")]
    Release,
    #[error("{VARIABLE} names {0:?}: name a point such as {example}, or {example}@3", example = GATEWAY[0])]
    Unknown(String),
}

/// Whether the process may start: nothing is asked of it, or something that it can do.
pub fn check() -> Result<(), Error> {
    match std::env::var(VARIABLE) {
        Ok(wish) if cfg!(debug_assertions) => parse(&wish).map(drop),
        Ok(_) => Err(Error::Release),
        Err(_) => Ok(()),
    }
}

fn parse(wish: &str) -> Result<(&'static str, u64), Error> {
    let (name, times) = wish.split_once('@').unwrap_or((wish, "1"));
    let known = GATEWAY.into_iter().chain(RUNTIME).find(|point| *point == name);
    let times = times.parse().ok().filter(|times| *times > 0);
    known.zip(times).ok_or_else(|| Error::Unknown(wish.to_owned()))
}

/// Dies here, if told to.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WISH: OnceLock<Option<(&'static str, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);

    let wish = WISH.get_or_init(|| parse(&std::env::var(VARIABLE).ok()?).ok());
    if let Some((point, times)) = wish
        && *point == name
        && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *times
    {
        // As from outside: no destructor runs, nothing is flushed.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

#[cfg(not(debug_assertions))]
pub const fn point(_name: &str) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_names_a_point_and_a_time() {
        assert_eq!(parse("outbox.sent"), Ok(("outbox.sent", 1)));
        assert_eq!(parse("turn.claimed@7"), Ok(("turn.claimed", 7)));
        for bad in ["", "outbox", "outbox.sent@", "outbox.sent@0", "outbox.sent@-1", "@1"] {
            assert_eq!(parse(bad), Err(Error::Unknown(bad.to_owned())), "{bad}");
        }
    }
}

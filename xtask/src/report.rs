//! What the tasks say to the person at the terminal.

use std::fmt;

/// One broken rule: where, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) place: String,
    pub(crate) message: String,
}

impl Finding {
    pub(crate) fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

#[expect(clippy::print_stdout, reason = "the output of a command")]
pub(crate) fn say(line: impl fmt::Display) {
    println!("{line}");
}

/// One line, causes included.
#[expect(clippy::print_stderr, reason = "the output of a command")]
pub(crate) fn complain(error: &anyhow::Error) {
    eprintln!("xtask: {error:#}");
}

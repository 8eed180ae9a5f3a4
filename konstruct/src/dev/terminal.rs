//! What a person sees. Logs go to a file.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the output of a command-line tool")]

use super::problem::Problem;

pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Problems with manifests, each on a line of its own.
pub(crate) fn show_problems(problems: &[Problem]) {
    for problem in problems {
        eprintln!("{problem}");
    }
}

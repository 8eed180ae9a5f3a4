//! `konstruct verify`. Its exit code says what was found, so an error of its own has the code of what could not be verified.

use std::process::ExitCode;

use konstruct_verify::{Args, Verdict};

use crate::cli;

pub(crate) fn run(args: Args) -> ExitCode {
    let verdict = cli::block_on(async { Ok(konstruct_verify::run(args).await?) });
    let verdict = verdict.unwrap_or_else(|error| {
        cli::report(&error);
        Verdict::Unverified
    });
    ExitCode::from(verdict.exit_code())
}

//! The one executable: `konstruct <role>`.

mod cli;
mod completion;
mod crd;
mod dev;
mod healthcheck;
mod migrate;
mod roles;
mod verify;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            cli::report(&error);
            ExitCode::FAILURE
        }
    }
}

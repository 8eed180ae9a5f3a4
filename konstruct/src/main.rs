//! The one executable: `konstruct <role>`.

mod chat_check;
mod cli;
mod completion;
mod crd;
mod database;
mod dev;
mod healthcheck;
mod migrate;
mod outbox;
mod retained;
mod roles;
mod slack_manifest;
mod verify;

use std::process::ExitCode;

use clap::Parser;

/// The C library's took a fifth of the processor time of an operator or a gateway under load.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            cli::report(&error);
            ExitCode::FAILURE
        }
    }
}

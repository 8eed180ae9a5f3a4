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
    use_small_pages();
    match cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            cli::report(&error);
            ExitCode::FAILURE
        }
    }
}

/// The allocator asks for huge pages, of which every process of ours uses a part: they made an operator's memory a
/// third larger and nothing faster.
fn use_small_pages() {
    // A kernel that refuses costs memory and nothing else.
    rustix::thread::disable_transparent_huge_pages(true).ok();
}

//! `with-services COMMAND…`: runs a command with a private PostgreSQL and Redis, named by
//! `KONSTRUCT_TEST_DATABASE_URL` and `KONSTRUCT_TEST_REDIS_URL`, and stops them when it ends.
#![allow(clippy::print_stderr, reason = "the output of a command-line tool")]

use std::process::ExitCode;

use konstruct_local_services::{Dir, LocalServices, Options};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("usage: with-services COMMAND [ARGUMENT…]");
        return ExitCode::from(2);
    };
    let services = match LocalServices::start(&Options { dir: Dir::Temporary, durable: false }) {
        Ok(services) => services,
        Err(error) => {
            eprintln!("with-services: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut command = Command::new(&program);
    command.args(words);
    command.env("KONSTRUCT_TEST_DATABASE_URL", services.database_url());
    command.env("KONSTRUCT_TEST_REDIS_URL", services.redis_url());
    match run(command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("with-services: cannot run {}: {error}", program.display());
            ExitCode::FAILURE
        }
    }
}

/// Runs the command to its end. Ctrl-C reaches it from the terminal as well; we outlive it to clean up.
async fn run(mut command: Command) -> std::io::Result<ExitCode> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut child = command.kill_on_drop(true).spawn()?;
    let status = tokio::select! {
        status = child.wait() => status?,
        _ = terminated.recv() => { child.kill().await?; return Ok(ExitCode::from(143)) }
        _ = interrupted.recv() => child.wait().await?,
    };
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

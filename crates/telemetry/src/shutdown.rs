//! The wish to stop, from outside.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::Error;

/// Exit code of a process that was told twice: 128 + SIGINT.
const IMPATIENT_EXIT: i32 = 130;

/// A token that is cancelled by the first SIGTERM or SIGINT. The second one ends the process at once, for a person
/// who does not want to wait for unfinished work.
pub fn shutdown_token() -> Result<CancellationToken, Error> {
    let terminate = signal(SignalKind::terminate()).map_err(Error::ListenForSignals)?;
    let interrupt = signal(SignalKind::interrupt()).map_err(Error::ListenForSignals)?;
    let token = CancellationToken::new();
    tokio::spawn(watch(terminate, interrupt, token.clone()));
    Ok(token)
}

async fn watch(mut terminate: Signal, mut interrupt: Signal, token: CancellationToken) {
    next(&mut terminate, &mut interrupt).await;
    tracing::info!("stopping: finishing what has begun");
    token.cancel();
    next(&mut terminate, &mut interrupt).await;
    std::process::exit(IMPATIENT_EXIT);
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

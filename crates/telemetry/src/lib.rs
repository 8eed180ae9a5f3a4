//! What every role shows of itself: logs, metrics, readiness, and how it is told to stop.
//!
//! Nothing else in the workspace names `prometheus` or `tracing_subscriber`.

mod admin;
mod logs;
pub mod metrics;
mod readiness;
mod shutdown;

pub use admin::serve_admin;
pub use logs::{LogFormat, init, init_to_file};
pub use readiness::{Check, Readiness};
pub use shutdown::shutdown_token;

/// Why a role cannot show itself. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the log filter {filter:?} is invalid ({reason}): set {variable} to something like \"info,konstruct_gateway=debug\""
    )]
    ParseLogFilter { variable: &'static str, filter: String, reason: String },
    #[error("logging is set up already: call telemetry::init once, at the start of main")]
    InstallLogger(#[source] tracing_subscriber::util::TryInitError),
    #[error("cannot listen for SIGTERM and SIGINT: {0}")]
    ListenForSignals(#[source] std::io::Error),
}

//! A role in a process of its own, as in a cluster.

use std::fmt::Display;
use std::future::Future;

use anyhow::Result;
use konstruct_telemetry::LogFormat;
use tokio_util::sync::CancellationToken;

#[derive(Debug, clap::Args)]
pub(crate) struct Role<A: clap::Args> {
    /// How logs are written.
    #[arg(long, env = "KONSTRUCT_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    #[command(flatten)]
    args: A,
}

impl<A: clap::Args> Role<A> {
    /// Runs until SIGTERM or SIGINT, or until the role fails.
    pub(crate) async fn run<R, E>(self, role: impl FnOnce(A, CancellationToken) -> R) -> Result<()>
    where
        R: Future<Output = Result<(), E>>,
        E: std::error::Error + Display + Send + Sync + 'static,
    {
        konstruct_telemetry::init(self.log_format)?;
        let shutdown = konstruct_telemetry::shutdown_token()?;
        Ok(role(self.args, shutdown).await?)
    }
}

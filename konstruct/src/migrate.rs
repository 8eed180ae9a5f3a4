//! `konstruct migrate`: run before the roles of a new version start.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use konstruct_store::RolePasswords;
use konstruct_telemetry::LogFormat;
use secrecy::SecretString;
use tokio::time::{Instant, sleep};

const PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// File with the URL of a database user who may create roles and schemas.
    #[arg(long, env = "KONSTRUCT_ADMIN_URL_FILE", value_name = "FILE")]
    admin_url_file: PathBuf,
    /// File with the password to set for the role konstruct_operator.
    #[arg(long, env = "KONSTRUCT_OPERATOR_PASSWORD_FILE", value_name = "FILE")]
    operator_password_file: Option<PathBuf>,
    /// File with the password to set for the role konstruct_gateway.
    #[arg(long, env = "KONSTRUCT_GATEWAY_PASSWORD_FILE", value_name = "FILE")]
    gateway_password_file: Option<PathBuf>,
    /// File with the password to set for the role konstruct_ai_gateway.
    #[arg(long, env = "KONSTRUCT_AI_GATEWAY_PASSWORD_FILE", value_name = "FILE")]
    ai_gateway_password_file: Option<PathBuf>,
    /// How long to wait for the server, in seconds.
    #[arg(long, env = "KONSTRUCT_MIGRATE_WAIT_SECONDS", default_value_t = 300)]
    wait_seconds: u64,
    /// How logs are written.
    #[arg(long, env = "KONSTRUCT_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    konstruct_telemetry::init(args.log_format)?;
    let admin_url = read(&args.admin_url_file)?;
    let passwords = RolePasswords {
        operator: args.operator_password_file.as_deref().map(read).transpose()?,
        gateway: args.gateway_password_file.as_deref().map(read).transpose()?,
        ai_gateway: args.ai_gateway_password_file.as_deref().map(read).transpose()?,
    };
    let deadline = Instant::now() + Duration::from_secs(args.wait_seconds);
    loop {
        match konstruct_store::migrate(&admin_url, &passwords).await {
            Ok(()) => break,
            Err(error) if error.is_unavailable() && Instant::now() < deadline => {
                let reason = format!("{:#}", anyhow::Error::from(error));
                tracing::warn!(
                    reason,
                    "waiting for PostgreSQL: check that it runs and that the URL names it"
                );
                sleep(PAUSE).await;
            }
            Err(error) if error.is_unavailable() => {
                return Err(error).context("gave up waiting: start PostgreSQL or correct the admin URL");
            }
            Err(error) => return Err(error).context("the database was left as it was"),
        }
    }
    tracing::info!("the schema is up to date");
    Ok(())
}

/// A secret from a file, without the line break that editors and `kubectl create secret` leave.
fn read(file: &Path) -> Result<SecretString> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = text.trim();
    if text.is_empty() {
        bail!("{} is empty", file.display());
    }
    Ok(text.to_owned().into())
}

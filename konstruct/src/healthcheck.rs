//! `konstruct healthcheck URL`: succeeds when the address answers 2xx, else prints what it says.

use std::time::Duration;

use anyhow::{Context, Result, bail};

const TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Address of a readiness probe.
    #[arg(default_value = "http://127.0.0.1:9090/readyz")]
    address: reqwest::Url,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let http =
        reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build().context("cannot set up HTTP")?;
    let answer = http.get(args.address.clone()).send().await;
    let answer = answer.with_context(|| format!("{} does not answer", args.address))?;
    let status = answer.status();
    if !status.is_success() {
        let body = answer.text().await.with_context(|| format!("{} answers {status}", args.address))?;
        bail!("{} answers {status}: {}", args.address, body.trim());
    }
    Ok(())
}

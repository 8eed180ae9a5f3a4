//! What the product talks to in the tests, in the place of model providers and of Slack: `counterparts model|slack`.

mod model;
mod slack;

use anyhow::{Context, Result, bail};
use axum::routing::get;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<()> {
    let router = match std::env::args().nth(1).as_deref() {
        Some("model") => model::router()?,
        Some("slack") => slack::router()?,
        _ => bail!("usage: counterparts model|slack"),
    };
    let listener = TcpListener::bind("0.0.0.0:8000").await.context("listening on port 8000")?;
    axum::serve(listener, router.route("/healthz", get(|| async { "ok" }))).await.context("serving")
}

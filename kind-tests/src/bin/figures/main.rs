//! Measures on a real cluster what the product promises there: `kind-tests/run --figures [NAME...]`.
//! A table goes to standard error, the raw values as JSON to standard output.

mod answering;
mod figure;
mod footprint;

use std::io::Write;

use anyhow::{Result, ensure};
use konstruct_kind_tests::Cluster;

use figure::Figure;

const NAMES: [&str; 7] = [
    "tenant-to-answer",
    "edit-to-reply",
    "runtime-memory",
    "idle-connections",
    "second-pass-writes",
    "image-size",
    "largest-crd",
];

#[tokio::main]
async fn main() -> Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let unknown: Vec<_> = asked.iter().filter(|name| !NAMES.contains(&name.as_str())).collect();
    ensure!(unknown.is_empty(), "unknown figures {unknown:?}; there are {NAMES:?}");
    let cluster = Cluster::alone().await?;
    let mut figures = Vec::new();
    for name in NAMES.into_iter().filter(|name| asked.is_empty() || asked.iter().any(|asked| asked == name)) {
        let figure = measure(&cluster, name).await?;
        writeln!(std::io::stderr(), "{figure}")?;
        figures.push(figure);
    }
    serde_json::to_writer_pretty(std::io::stdout(), &figures)?;
    Ok(())
}

async fn measure(cluster: &Cluster, name: &'static str) -> Result<Figure> {
    match name {
        "tenant-to-answer" => answering::tenant_to_answer(cluster).await,
        "edit-to-reply" => answering::edit_to_reply(cluster).await,
        "runtime-memory" => footprint::runtime_memory(cluster).await,
        "idle-connections" => footprint::idle_connections(cluster).await,
        "second-pass-writes" => footprint::second_pass_writes(cluster).await,
        "image-size" => footprint::image_size(cluster).await,
        _ => footprint::largest_crd(),
    }
}

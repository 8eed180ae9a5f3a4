//! `konstruct probe`: what a pod can connect to. Run in a tenant's namespace by `konstruct verify isolation`, which reads
//! the one line of JSON that this prints.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

const CONNECT: Duration = Duration::from_secs(2);
/// A network plug-in takes a moment to hear of a new pod. What counts is where it ends.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(500);

/// Connects to addresses, for `konstruct verify isolation`.
#[derive(Clone, Debug, clap::Args)]
pub struct ProbeArgs {
    /// An address that must be reached.
    #[arg(long, value_name = "HOST:PORT")]
    needs: Vec<String>,
    /// An address that must not be reached.
    #[arg(long, value_name = "HOST:PORT")]
    forbids: Vec<String>,
}

/// Whether an address was reached, and what was said if not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reached {
    pub(super) connected: bool,
    pub(super) said: String,
}

pub(super) type Outcomes = BTreeMap<String, Reached>;

/// Tries until everything is as it must be, at most for [`PATIENCE`], and prints the last outcome of each address.
pub async fn probe(args: ProbeArgs) -> std::io::Result<()> {
    let began = Instant::now();
    let outcomes = loop {
        let outcomes = attempt_all(args.needs.iter().chain(&args.forbids)).await;
        let as_wanted = |wanted: bool| {
            let outcomes = &outcomes;
            move |address: &String| outcomes.get(address).is_some_and(|found| found.connected == wanted)
        };
        let done = args.needs.iter().all(as_wanted(true)) && args.forbids.iter().all(as_wanted(false));
        if done || began.elapsed() > PATIENCE {
            break outcomes;
        }
        sleep(PAUSE).await;
    };
    let line = serde_json::to_string(&outcomes)? + "\n";
    std::io::stdout().write_all(line.as_bytes())
}

async fn attempt_all(addresses: impl Iterator<Item = &String>) -> Outcomes {
    join_all(addresses.map(async |address| (address.clone(), attempt(address).await)))
        .await
        .into_iter()
        .collect()
}

async fn attempt(address: &str) -> Reached {
    match timeout(CONNECT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Reached { connected: true, said: "connected".to_owned() },
        Ok(Err(error)) => Reached { connected: false, said: error.to_string() },
        Err(_) => Reached { connected: false, said: format!("no answer within {} s", CONNECT.as_secs()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_listens_is_reached_and_one_that_does_not_is_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap().to_string();
        let (closed, unknown) = ("127.0.0.1:9".to_owned(), "no-such-host.invalid:80".to_owned());
        let outcomes = attempt_all([&open, &closed, &unknown].into_iter()).await;
        assert!(outcomes[&open].connected);
        assert!(!outcomes[&closed].connected && !outcomes[&unknown].connected, "{outcomes:?}");
    }
}

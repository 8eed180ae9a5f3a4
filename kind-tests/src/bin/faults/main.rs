//! Disturbs the operator and looks whether the end is the same: `kind-tests/run --faults`.
//!
//! For every scenario an undisturbed run is the reference and says how many writes and events of watches there are. Then
//! each of them is hit once by each fault, and the end must equal the reference, the history must be a safe one, and
//! quiet must follow.

mod bench;
mod failover;
mod fault;
mod operator;
mod options;
mod oracle;
mod proxy;
mod scenario;
mod sequences;
mod watch;
mod world;

use std::io::Write as _;

use anyhow::{Context, Result, ensure};
use konstruct_kind_tests::Cluster;

use bench::{Bench, Learned, Struck};
use options::{Options, What};

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::read()?;
    let cluster = Cluster::with_definitions().await?;
    let bench = Bench::set_up(cluster).await?;
    match options.what {
        What::Points => points(&bench, &options).await,
        What::Failover => failover::fail_over(&bench).await,
        What::Sequences(count) => sequences::run(&bench, count, options.seed).await,
    }?;
    let left = bench.left_over().await?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    Ok(())
}

/// Each place of each scenario with each fault.
async fn points(bench: &Bench, options: &Options) -> Result<()> {
    let (mut points, mut survived, mut skipped, mut missed) = (0, 0, 0, 0);
    let mut counter = 0;
    for scenario in options.scenarios.iter().copied() {
        let Learned { reference, writes, events } =
            bench.learn(scenario).await.with_context(|| format!("learning {}", scenario.name()))?;
        say(&format!("{}: {writes} writes, {events} events", scenario.name()))?;
        let places = if options.faults.iter().all(|fault| fault.is_of_event()) { events } else { writes };
        let mut subject = None;
        for at in 0..places {
            for fault in &options.faults {
                counter += 1;
                if counter % options.every != 0 {
                    skipped += 1;
                    continue;
                }
                points += 1;
                match bench.point(scenario, &mut subject, (at, *fault), &reference).await {
                    Ok(Struck::Yes) => survived += 1,
                    Ok(Struck::No) => missed += 1,
                    Err(error) => say(&format!("{} write {at} {fault:?}: {error:#}", scenario.name()))?,
                }
            }
        }
    }
    say(&format!(
        "{survived} of {points} points survived ({skipped} left out, {missed} not met), the operator was started {} times",
        bench.operator.starts()
    ))?;
    ensure!(survived + missed == points, "{} points did not survive", points - survived - missed);
    ensure!(missed * 4 <= points, "too many points were not met to say anything");
    Ok(())
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot write to standard output")
}

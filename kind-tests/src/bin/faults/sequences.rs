//! Generated histories: `kind-tests/run --faults --sequences N [--seed SEED]`. Resources become valid, change, become
//! invalid and are put back, in any order and without waiting. What the operator makes of the last state must equal what
//! it makes of the same resources applied at once to a tenant that never was anything else.

mod wanted;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, stream};
use konstruct_kind_tests::objects::Kind;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::bench::Bench;
use crate::say;
use crate::scenario::Subject;
use crate::world::{State, differences, is_truthful};
use wanted::{Wanted, Writer};

const AT_ONCE: usize = 6;
/// The operator looks at a Secret again after a minute.
const PATIENCE: Duration = Duration::from_mins(2);
/// Equal for this long is not equal by accident.
const STEADY: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(400);
const STEPS: std::ops::Range<usize> = 5..12;
/// The longest time between two steps. The operator is in the middle of something then.
const PAUSE: std::ops::Range<u64> = 0..400;

pub(crate) async fn run(bench: &Bench, sequences: u64, seed: u64) -> Result<()> {
    let results: Vec<(u64, Result<usize>)> = stream::iter(seed..seed + sequences)
        .map(|seed| async move { (seed, sequence(bench, seed).await) })
        .buffer_unordered(AT_ONCE)
        .inspect(|(seed, result)| {
            if let Err(error) = result {
                let _ = say(&format!("sequence {seed}: {error:#}"));
            }
        })
        .collect()
        .await;
    let failed = results.iter().filter(|(_, result)| result.is_err()).count();
    let steps: usize = results.iter().filter_map(|(_, result)| result.as_ref().ok()).sum();
    say(&format!(
        "{failed} of {sequences} sequences ended otherwise than a fresh apply; {steps} steps in all"
    ))?;
    ensure!(failed == 0, "{failed} sequences");
    Ok(())
}

/// One history and its fresh counterpart; returns the number of steps.
async fn sequence(bench: &Bench, seed: u64) -> Result<usize> {
    let mut random = SmallRng::seed_from_u64(seed);
    let (lived, fresh) = (Subject::new(), Subject::new());
    let writer = Writer::new(&bench.cluster, &lived);
    let mut history = vec![Wanted::first()];
    writer.bring(None, &history[0]).await?;
    let mut told = Vec::new();
    for _ in 0..random.random_range(STEPS) {
        let current = history.last().context("a history without a beginning")?;
        // A step back is a step like any other.
        let next = if random.random_bool(0.25) {
            history.choose(&mut random).context("a history without a beginning")?.clone()
        } else {
            current.changed(&mut random)
        };
        if random.random_bool(0.3) {
            told.push(writer.refused(&next, &mut random).await?.to_owned());
        }
        told.extend(writer.bring(Some(current), &next).await?);
        history.push(next);
        tokio::time::sleep(Duration::from_millis(random.random_range(PAUSE))).await;
    }
    let current = history.last().context("a history without an end")?;
    let last = current.mended();
    told.extend(writer.bring(Some(current), &last).await?);
    Writer::new(&bench.cluster, &fresh).bring(None, &last).await?;
    same(bench, &lived, &fresh).await.with_context(|| told.join(", "))?;
    Ok(told.len())
}

/// Waits until both are the same and stay so.
async fn same(bench: &Bench, lived: &Subject, fresh: &Subject) -> Result<()> {
    let begun = Instant::now();
    let mut equal_since: Option<(Instant, State)> = None;
    loop {
        let (one, other) = tokio::try_join!(bench.observe(fresh), bench.observe(lived))?;
        let found = differences(&one, &other);
        let settled =
            found.is_empty() && one.contains_key(&format!("{:?}", Kind::Tenant)) && is_truthful(&one);
        equal_since = match equal_since {
            Some((since, state)) if settled && state == one => {
                if since.elapsed() > STEADY {
                    return Ok(());
                }
                Some((since, state))
            }
            _ => settled.then(|| (Instant::now(), one)),
        };
        if begun.elapsed() > PATIENCE {
            ensure!(found.is_empty(), "not as a fresh apply: {}", found.join("; "));
            ensure!(settled, "stuck: the status is not about the newest generation");
            anyhow::bail!("stuck: it goes on changing");
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

//! Two replicas. The leader is frozen past its lease and wakes up; the next one is killed.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use konstruct_kind_tests::kubectl;
use konstruct_kind_tests::objects::{Kind, await_object};

use crate::bench::Bench;
use crate::scenario::{Scenario, Subject};
use crate::{operator, say};

/// How long tenants may have nobody.
const GOAL: Duration = Duration::from_secs(30);
/// What a leader that wakes up would need to write something.
const AFTER_WAKING: Duration = Duration::from_secs(10);

pub(crate) async fn fail_over(bench: &Bench) -> Result<()> {
    // The first replica leads: it acts on this one.
    let before = Subject::new();
    acts(bench, &before).await?;
    let mut second = operator::replica("second")?;
    tokio::time::sleep(AFTER_WAKING).await;

    bench.operator.freeze(true);
    let after_freeze = acts(bench, &Subject::new()).await?;
    bench.proxy.watch("", None);
    bench.operator.freeze(false);
    tokio::time::sleep(AFTER_WAKING).await;
    let writes = bench.proxy.writes();
    ensure!(writes.is_empty(), "the replica that woke up wrote {writes:?}");

    second.kill().await?;
    let after_kill = acts(bench, &Subject::new()).await?;
    say(&format!(
        "another replica acted {:.1} s after the leader froze and {:.1} s after the next one was killed; the frozen one wrote \
         nothing when it woke up",
        after_freeze.as_secs_f64(),
        after_kill.as_secs_f64()
    ))?;
    ensure!(after_freeze.max(after_kill) <= GOAL, "more than {GOAL:?}");
    Ok(())
}

/// How long it takes until somebody makes a new tenant's namespace.
async fn acts(bench: &Bench, subject: &Subject) -> Result<Duration> {
    let begun = Instant::now();
    let creating = Scenario::TenantCreate.act(subject);
    let namespaces = bench.cluster.cluster_api(Kind::Namespace);
    let namespace = subject.namespace();
    let made = await_object(&namespaces, &namespace, "made", |object| object.is_some(), 3 * GOAL);
    let (created, made) = tokio::join!(creating, async { (made.await, begun.elapsed()) });
    created?;
    made.0?;
    kubectl::run(&["get", "tenant", &subject.slug]).await?;
    Ok(made.1)
}

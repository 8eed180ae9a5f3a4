//! The operator itself: quiet when nothing changed. Needs no pods.

use std::time::Duration;

use anyhow::{Result, ensure};
use konstruct_kind_tests::{Cluster, TestTenant, platform, quiet};

/// Restarted over unchanged objects, the operator looks at everything and writes nothing.
#[tokio::test]
async fn a_second_pass_over_unchanged_objects_writes_nothing() -> Result<()> {
    let cluster = Cluster::alone().await?;
    let _tenant = TestTenant::made(&cluster, "quiet").await?;
    let writes = quiet::second_pass(&cluster, Duration::from_secs(15)).await?;
    ensure!(writes.is_empty(), "{} wrote in its second pass: {writes:#?}", platform::OPERATOR);
    Ok(())
}

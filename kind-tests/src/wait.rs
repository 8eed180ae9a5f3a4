//! Waiting for something to become true, with a deadline and the last thing seen in the error.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Between two looks. Short, because figures are measured with it too.
const PAUSE: Duration = Duration::from_millis(25);

/// What one look showed.
pub enum Look<T, S> {
    Done(T),
    NotYet(S),
}

/// Looks again and again until it is done. An error ends the waiting at once.
pub async fn until<T, S, F, Fut>(within: Duration, what: &str, mut look: F) -> Result<T>
where
    S: Debug,
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Look<T, S>>>,
{
    let start = Instant::now();
    loop {
        match look().await? {
            Look::Done(value) => return Ok(value),
            Look::NotYet(seen) if start.elapsed() >= within => {
                bail!("not within {within:?}: {what}; last seen: {seen:#?}")
            }
            Look::NotYet(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// How long a test watches: as many seconds as the variable says, which is short unless somebody wants to be sure.
pub fn window(variable: &str, short: Duration) -> Result<Duration> {
    match std::env::var(variable) {
        Ok(seconds) => seconds
            .parse()
            .map(Duration::from_secs)
            .with_context(|| format!("{variable} is to be a number of seconds")),
        Err(_) => Ok(short),
    }
}

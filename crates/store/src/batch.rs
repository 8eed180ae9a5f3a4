//! Group commit: what comes in while a commit is under way is committed together by the next one. With nothing under way a
//! single item is committed at once. Under load the next commit waits a moment for those whom the last one has just
//! answered: otherwise they and the others would take turns in commits of half the size, which cost as much each.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::{Error, Result};

/// Most items of one commit. Its time is what those that come next wait for.
const MOST: usize = 64;
/// A commit of so many is load.
const SEVERAL: usize = 4;
/// How long those come who were answered just now.
const MOMENT: Duration = Duration::from_millis(1);
/// Items that wait. Whoever finds no room waits with the item in hand.
const ROOM: usize = 1024;

type Waiting<T, R> = (T, oneshot::Sender<Result<R>>);
/// Commits a range of items and returns what became of each, in their order.
pub(crate) type Commit<T, R> =
    Box<dyn Fn(Arc<[T]>, Range<usize>) -> BoxFuture<'static, Result<Vec<R>>> + Send + Sync>;

pub(crate) struct Batcher<T, R> {
    commit: Arc<Commit<T, R>>,
    moment: Duration,
    queue: OnceLock<mpsc::Sender<Waiting<T, R>>>,
}

impl<T: Send + Sync + 'static, R: Send + 'static> Batcher<T, R> {
    pub(crate) fn new(commit: Commit<T, R>) -> Self {
        Self { commit: Arc::new(commit), moment: MOMENT, queue: OnceLock::new() }
    }

    /// Returns after the commit. Dropped before: the item may be committed or not.
    pub(crate) async fn submit(&self, item: T) -> Result<R> {
        let queue = self.queue.get_or_init(|| {
            let (queue, waiting) = mpsc::channel(ROOM);
            tokio::spawn(run(waiting, Arc::clone(&self.commit), self.moment));
            queue
        });
        let (answer, answered) = oneshot::channel();
        queue.send((item, answer)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

/// The runtime that committed is shutting down.
fn stopped() -> Error {
    Error::Unavailable(sqlx::Error::PoolClosed)
}

async fn run<T: Send + Sync + 'static, R>(
    mut waiting: mpsc::Receiver<Waiting<T, R>>,
    commit: Arc<Commit<T, R>>,
    moment: Duration,
) {
    let mut last = 0;
    while let Some(first) = waiting.recv().await {
        if last >= SEVERAL && waiting.len() < last {
            tokio::time::sleep(moment).await;
        } else {
            // Those who are ready to send come along. Costs nothing when nobody is.
            tokio::task::yield_now().await;
        }
        let mut batch = vec![first];
        while batch.len() < MOST
            && let Ok(next) = waiting.try_recv()
        {
            batch.push(next);
        }
        batch.retain(|(_, answer)| !answer.is_closed());
        last = batch.len();
        if !batch.is_empty() {
            commit_all(batch, &commit).await;
        }
    }
}

/// One item that cannot be committed must not fail the others: after a failure each has a try of its own.
async fn commit_all<T: Send + Sync + 'static, R>(batch: Vec<Waiting<T, R>>, commit: &Commit<T, R>) {
    let (items, answers): (Vec<T>, Vec<_>) = batch.into_iter().unzip();
    let items: Arc<[T]> = items.into();
    match commit(Arc::clone(&items), 0..items.len()).await {
        Ok(results) => {
            for (answer, result) in answers.into_iter().zip(results) {
                let _ = answer.send(Ok(result));
            }
        }
        Err(error) if items.len() == 1 => {
            let _ = answers.into_iter().next().map(|answer| answer.send(Err(error)));
        }
        Err(error) if error.is_unavailable() => {
            let error = Arc::new(error);
            for answer in answers {
                let _ = answer.send(Err(Error::Together(Arc::clone(&error))));
            }
        }
        Err(error) => {
            tracing::warn!(%error, items = items.len(), "a commit of several failed; each is tried by itself");
            for (index, answer) in answers.into_iter().enumerate() {
                let single = commit(Arc::clone(&items), index..index + 1).await;
                let single = single.and_then(|mut results| results.pop().ok_or_else(stopped));
                let _ = answer.send(single);
            }
        }
    }
}

impl<T, R> fmt::Debug for Batcher<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batcher")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::future::join_all;
    use tokio::sync::Semaphore;
    use tokio::task::yield_now;

    use super::*;

    type Sizes = Arc<Mutex<Vec<usize>>>;

    /// Notes its batches, commits one for each permit, and fails for negative numbers.
    fn batcher() -> (Batcher<i64, i64>, Sizes, Arc<Semaphore>) {
        let (sizes, permits) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Semaphore::new(0)));
        let (seen, gate) = (Arc::clone(&sizes), Arc::clone(&permits));
        let commit: Commit<i64, i64> = Box::new(move |items: Arc<[i64]>, range: Range<usize>| {
            seen.lock().unwrap().push(range.len());
            let gate = Arc::clone(&gate);
            Box::pin(async move {
                gate.acquire().await.unwrap().forget();
                let items = &items[range];
                if items.iter().any(|item| *item < 0) {
                    return Err(Error::Corrupt("negative".to_owned()));
                }
                Ok(items.iter().map(|item| item * 2).collect())
            })
        });
        (Batcher::new(commit), sizes, permits)
    }

    #[tokio::test]
    async fn what_comes_during_a_commit_is_committed_together() {
        let (batcher, sizes, permits) = batcher();
        let later = async {
            while sizes.lock().unwrap().is_empty() {
                yield_now().await;
            }
            let (results, ()) = tokio::join!(join_all((2..=11).map(|item| batcher.submit(item))), async {
                // By now all of them have been polled and wait.
                yield_now().await;
                permits.add_permits(2);
            });
            results
        };
        let (first, later) = tokio::join!(batcher.submit(1), later);
        assert_eq!(first.unwrap(), 2);
        assert_eq!(later.into_iter().map(Result::unwrap).sum::<i64>(), 130);
        assert_eq!(*sizes.lock().unwrap(), [1, 10]);
    }

    #[tokio::test]
    async fn under_load_a_commit_waits_for_those_who_come_back() {
        let (mut batcher, sizes, permits) = batcher();
        // Long enough for a machine that gives this test no processor for a while.
        batcher.moment = Duration::from_secs(1);
        // One more than it takes, so that a commit too many is seen and not waited for.
        permits.add_permits(3);
        join_all((1..=10).map(|item| batcher.submit(item))).await;
        let late = async {
            // A commit that did not wait would have begun by then.
            for _ in 0..5 {
                yield_now().await;
            }
            batcher.submit(12).await
        };
        let (first, late) = tokio::join!(batcher.submit(11), late);
        assert_eq!((first.unwrap(), late.unwrap()), (22, 24));
        assert_eq!(*sizes.lock().unwrap(), [10, 2]);
    }

    #[tokio::test]
    async fn a_poisoned_item_fails_alone() {
        let (batcher, _, permits) = batcher();
        permits.add_permits(4);
        let results = join_all([1, -1, 3].map(|item| batcher.submit(item))).await;
        assert!(matches!(results[0], Ok(2)) && matches!(results[2], Ok(6)), "{results:?}");
        assert!(results[1].is_err());
    }
}

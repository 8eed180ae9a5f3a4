//! Work on files that takes a core and up to a quarter of a gigabyte: a little of it at one time.

use std::sync::Arc;

use konstruct_media::Refused;
use tokio::sync::Semaphore;

const AT_ONE_TIME: usize = 2;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Decoders(Arc<Semaphore>);

impl Default for Decoders {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONE_TIME)))
    }
}

impl Decoders {
    /// A decoder that fails in a way that nobody foresaw found damage.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let _permit = self.0.acquire().await.map_err(|_| Refused::Damaged)?;
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(Refused::Damaged))
    }
}

//! One try at one file: fetch, judge, put into its place, and record what came of it.

use std::time::Duration;

use konstruct_channels::SendError;
use konstruct_domain::TenantId;
use konstruct_media::{Content, FILE_BYTES_MAX, Refused, judge};
use konstruct_queue::Signal;
use konstruct_store::{Error, KeptFile, WantedFile};
use tokio::time::timeout;

use super::Fetcher;
use super::policy::{self, Next};
use crate::connection::Connection;
use crate::metrics;

/// Nobody else begins within that time.
pub(super) const LEASE: Duration = Duration::from_mins(1);
/// Less, with time left to write down what came of it.
const TRY_TIMEOUT: Duration = Duration::from_secs(45);

/// Why there is no file, yet or at all.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Platform(#[from] SendError),
    #[error(transparent)]
    Content(#[from] Refused),
    #[error(transparent)]
    Place(#[from] konstruct_media::Error),
}

impl Fetcher {
    /// Returns after what time the file is due again, if it is.
    pub(super) async fn try_once(&self, tenant: TenantId, file: &WantedFile) -> Option<Duration> {
        let routes = self.registry.routes();
        let connection = routes.as_ref().and_then(|routes| routes.connection(tenant, &file.connection));
        let channel = connection.map_or("unknown", |connection| connection.channel());
        let work = async {
            match connection {
                // Whoever began the last try did not live to see its end.
                _ if file.tries > policy::TRIES_MAX => Err(rejected("it could not be taken in")),
                None => Err(rejected("its channel is not connected any more")),
                Some(connection) => self.take(connection, file).await,
            }
        };
        let tried = timeout(TRY_TIMEOUT, work).await.unwrap_or_else(|_| Err(transient("it took too long")));
        konstruct_faults::point("files.placed");
        let recorded = self.record(tenant, file, channel, tried).await;
        konstruct_faults::point("files.recorded");
        recorded.unwrap_or_else(|error| {
            // It stays leased, and is fetched once more.
            tracing::warn!(%tenant, file = %file.id, %error, "what became of a file was not recorded");
            None
        })
    }

    async fn take(&self, connection: &Connection, file: &WantedFile) -> Result<KeptFile, Failed> {
        let place = self.place.as_ref().ok_or_else(|| rejected("no files are taken here"))?;
        if file.attachment.size.is_some_and(|size| size > FILE_BYTES_MAX as u64) {
            return Err(Refused::FileTooLarge.into());
        }
        let account = connection.account(&self.store).await.map_err(|error| transient(&error.to_string()))?;
        let adapter = self.adapters.get(connection.channel());
        let adapter = adapter.ok_or_else(|| rejected("this version does not know its channel"))?;
        let fetched = adapter.fetch(&account, &file.attachment, FILE_BYTES_MAX as u64).await?;
        let content = self.decoders.run(move || judge(fetched.bytes)).await?;
        let (bytes, media_type, size) = match content {
            Content::Picture(picture) => {
                (picture.bytes, picture.media_type, Some((picture.width, picture.height)))
            }
            Content::Other { bytes, media_type } => (bytes, media_type, None),
        };
        let kept = KeptFile { media_type, bytes: bytes.len(), size };
        place.put(connection.tenant, file.id, bytes).await?;
        Ok(kept)
    }

    async fn record(
        &self,
        tenant: TenantId,
        file: &WantedFile,
        channel: &str,
        tried: Result<KeptFile, Failed>,
    ) -> Result<Option<Duration>, Error> {
        let next = match tried {
            Ok(kept) => {
                metrics::FILES.inc([channel, "kept"]);
                // Else another try has begun, and writes the same; or nobody wants it any more.
                self.store.file_kept(tenant, file, kept).await?;
                self.bus.announce(Signal::Inbox(tenant));
                return Ok(None);
            }
            Err(Failed::Content(refused)) => Next::GiveUp(refused.to_string()),
            Err(Failed::Place(error)) => {
                tracing::warn!(%tenant, file = %file.id, %error, "a file was not kept");
                policy::next(file.tries, SendError::Transient { reason: error.to_string() })
            }
            Err(Failed::Platform(error)) => {
                if let SendError::CredentialsRejected { reason } = &error {
                    tracing::warn!(%tenant, connection = file.connection.as_str(), %reason, "a file may not be read");
                }
                policy::next(file.tries, error)
            }
        };
        match next {
            Next::TryAgain(after) => {
                metrics::FILES.inc([channel, "tried_again"]);
                self.store.file_later(tenant, file, after).await?;
                Ok(Some(after))
            }
            Next::GiveUp(reason) => {
                metrics::FILES.inc([channel, "given_up"]);
                tracing::info!(%tenant, file = %file.id, %reason, "a file was given up");
                self.store.file_gone(tenant, file, &reason).await?;
                self.bus.announce(Signal::Inbox(tenant));
                Ok(None)
            }
        }
    }
}

fn transient(reason: &str) -> Failed {
    Failed::Platform(SendError::Transient { reason: reason.to_owned() })
}

fn rejected(reason: &str) -> Failed {
    Failed::Platform(SendError::Rejected { reason: reason.to_owned() })
}

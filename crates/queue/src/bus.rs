//! The connection to Redis. It is made when it is first needed and made again for ever after it breaks.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, Client, RedisError};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::announcer::Announcer;
use crate::connection::Connection;
use crate::subscription::{self, Event};
use crate::{Signal, Topics};

/// A command that takes longer counts as failed: a caller has something better to do than to wait for a cache.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the Redis URL is not valid")]
    Url(#[source] RedisError),
    #[error("Redis is unavailable")]
    Unavailable(#[source] RedisError),
    #[error("Redis refused a command")]
    Refused(#[source] RedisError),
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        let unavailable = error.is_io_error()
            || error.is_connection_dropped()
            || error.is_connection_refusal()
            || error.is_timeout();
        if unavailable { Self::Unavailable(error) } else { Self::Refused(error) }
    }
}

/// Cheap to clone; clones share one connection.
#[derive(Clone)]
pub struct Bus {
    client: Client,
    connection: Connection,
    announcer: Announcer,
}

impl Bus {
    /// Never waits for the server: the first call does.
    pub fn connect(url: &SecretString) -> Result<Self, Error> {
        let client = Client::open(url.expose_secret()).map_err(Error::Url)?;
        let config = ConnectionManagerConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(100));
        let manager = ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(Error::Url)?;
        Ok(Self { client, connection: Connection::new(manager), announcer: Announcer::default() })
    }

    pub(crate) fn announcer(&self) -> &Announcer {
        &self.announcer
    }

    pub(crate) fn connection(&self) -> Connection {
        self.connection.clone()
    }

    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    pub async fn ping(&self) -> Result<(), Error> {
        redis::cmd("PING").query_async::<()>(&mut self.connection()).await?;
        Ok(())
    }

    /// Best effort: false when Redis is down. Whoever must not miss it also looks for itself now and then.
    pub async fn publish(&self, signal: Signal) -> bool {
        let published: Result<(), RedisError> =
            self.connection().publish(signal.channel(), signal.payload()).await;
        if let Err(error) = &published {
            tracing::debug!(%error, ?signal, "a wake-up was not sent");
        }
        published.is_ok()
    }

    /// Signals of these topics until `shutdown`. After each (re)connection [`Event::Connected`] comes first.
    pub fn subscribe(&self, topics: Topics, shutdown: CancellationToken) -> mpsc::Receiver<Event> {
        subscription::start(self.client.clone(), topics, shutdown)
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bus")
    }
}

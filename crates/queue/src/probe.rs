//! What a tenant's Redis user can do to others, tried out. For `konstruct verify isolation`, which holds the tenant's
//! own credentials and no others.
//!
//! Redis looks at a user's rights before it looks at arguments, so a command that would do harm is sent with arguments
//! that it cannot work with: refused or not, nothing happens.

use std::time::Duration;

use konstruct_domain::TenantId;
use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError, Value};
use secrecy::{ExposeSecret, SecretString};

use crate::bus::Error;
use crate::signal::prefix;

const TIMEOUT: Duration = Duration::from_secs(5);
/// What Redis says to a command, key or channel that the user has no right to.
const NO_PERMISSION: &str = "NOPERM";
/// A key that nobody uses.
const KEY: &str = "verify-isolation";

/// Commands about the server or about everybody's keys.
const ADMINISTRATION: [&str; 31] = [
    "KEYS *",
    "SCAN 0",
    "RANDOMKEY",
    "DBSIZE",
    "FLUSHALL konstruct",
    "FLUSHDB konstruct",
    "SWAPDB konstruct konstruct",
    "SELECT konstruct",
    "CONFIG GET maxmemory",
    "CONFIG SET konstruct konstruct",
    "ACL LIST",
    "ACL WHOAMI",
    "ACL GETUSER default",
    "SCRIPT EXISTS konstruct",
    "EVAL return 0",
    "EVALSHA konstruct 0",
    "FUNCTION LIST",
    "FCALL konstruct 0",
    "MODULE LIST",
    "CLIENT LIST",
    "CLIENT KILL konstruct",
    "INFO",
    "SLOWLOG GET",
    "LATENCY LATEST",
    "MEMORY STATS",
    "SHUTDOWN konstruct",
    "REPLICAOF konstruct konstruct",
    "MIGRATE konstruct konstruct konstruct konstruct konstruct",
    "PUBSUB CHANNELS",
    "OBJECT HELP",
    // Last: it would turn the connection into a stream.
    "MONITOR",
];

/// A connection of a tenant's Redis user.
pub struct CacheProbe {
    client: Client,
    connection: MultiplexedConnection,
}

impl CacheProbe {
    pub async fn connect(url: &SecretString) -> Result<Self, Error> {
        let client = Client::open(url.expose_secret()).map_err(Error::Url)?;
        let connect = client.get_multiplexed_async_connection();
        let connection = tokio::time::timeout(TIMEOUT, connect)
            .await
            .map_err(|_| Error::Unavailable(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))??;
        Ok(Self { client, connection })
    }

    /// What the user must be able to do: without this, refusals would prove nothing.
    pub async fn own_keys_refused(&mut self, own: TenantId) -> Result<Vec<String>, Error> {
        let command = format!("GET {}{KEY}", prefix(own));
        Ok(if self.is_allowed(&command).await? { Vec::new() } else { vec![command] })
    }

    /// Keys of another tenant, and keys without any.
    pub async fn keys_reached(&mut self, other: TenantId) -> Result<Vec<String>, Error> {
        let mut commands = Vec::new();
        for key in [format!("{}{KEY}", prefix(other)), format!("{KEY}:")] {
            // SET and SETEX with a lifetime that no key can have: an error of Redis, if it comes to that.
            commands.push(format!("GET {key}"));
            commands.push(format!("SET {key} 1 EX 0"));
            commands.push(format!("SETEX {key} 0 1"));
            commands.push(format!("GETDEL {key}"));
            commands.push(format!("EXISTS {key}"));
            commands.push(format!("DUMP {key}"));
        }
        self.allowed_of(commands).await
    }

    /// Channels of another tenant, to speak on and to listen to, and patterns that take in everybody's.
    pub async fn channels_reached(&mut self, other: TenantId) -> Result<Vec<String>, Error> {
        // A channel on which nobody acts: a probe wakes no one.
        let channel = format!("{}{KEY}", prefix(other));
        let mut reached = self.allowed_of(vec![format!("PUBLISH {channel} x")]).await?;
        let inbox = crate::Signal::Inbox(other).channel();
        let mut listener = self.client.get_async_pubsub().await?;
        if is_allowed(listener.subscribe(&inbox).await)? {
            reached.push(format!("SUBSCRIBE {inbox}"));
        }
        for pattern in ["*", "kt:*"] {
            let mut listener = self.client.get_async_pubsub().await?;
            if is_allowed(listener.psubscribe(pattern).await)? {
                reached.push(format!("PSUBSCRIBE {pattern}"));
            }
        }
        Ok(reached)
    }

    /// Commands that concern the whole server.
    pub async fn administration_reached(&mut self) -> Result<Vec<String>, Error> {
        self.allowed_of(ADMINISTRATION.map(str::to_owned).to_vec()).await
    }

    async fn allowed_of(&mut self, commands: Vec<String>) -> Result<Vec<String>, Error> {
        let mut allowed = Vec::new();
        for command in commands {
            if self.is_allowed(&command).await? {
                allowed.push(command);
            }
        }
        Ok(allowed)
    }

    async fn is_allowed(&mut self, command: &str) -> Result<bool, Error> {
        let mut words = command.split(' ');
        let mut request = redis::cmd(words.next().unwrap_or_default());
        words.for_each(|word| {
            request.arg(word);
        });
        is_allowed(request.query_async::<Value>(&mut self.connection).await)
    }
}

/// Any answer but the refusal means that the command was let through, an error about its arguments too.
fn is_allowed<T>(answer: Result<T, RedisError>) -> Result<bool, Error> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some(NO_PERMISSION) => Ok(false),
        Err(error) => match Error::from(error) {
            Error::Refused(_) => Ok(true),
            unavailable => Err(unavailable),
        },
    }
}

impl std::fmt::Debug for CacheProbe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CacheProbe")
    }
}

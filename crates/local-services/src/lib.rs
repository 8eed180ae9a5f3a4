//! A private PostgreSQL and a private Redis on loopback, for `konstruct dev` and for tests.
//!
//! Both servers stop when [`LocalServices`] is dropped and also when this process is killed. Everything here blocks:
//! starting takes about a second, so an async caller goes through `spawn_blocking`.

mod account;
mod directory;
mod error;
mod install;
mod postgres;
mod process;
mod redis;
mod spawner;

use std::path::PathBuf;

pub use error::Error;
pub use process::free_port;

use directory::Directory;
use postgres::Postgres;
use redis::Redis;

/// Where the servers keep their data.
#[derive(Clone, Debug)]
pub enum Dir {
    /// Kept between runs; one process at a time.
    Persistent(PathBuf),
    /// Removed at the end.
    Temporary,
}

#[derive(Clone, Debug)]
pub struct Options {
    pub dir: Dir,
    /// Whether a committed transaction survives a power failure. Tests are much faster without.
    pub durable: bool,
}

/// The two servers, running until they are stopped or this value is dropped.
#[derive(Debug)]
pub struct LocalServices {
    postgres: Postgres,
    redis: Redis,
    // Last, so that it goes only after the servers that write into it.
    _directory: Directory,
}

impl LocalServices {
    /// Starts both servers and waits until both answer.
    pub fn start(options: &Options) -> Result<Self, Error> {
        let account = account::Account::for_servers()?;
        let directory = Directory::open(&options.dir, &account)?;
        let postgres = Postgres::new(&directory, account.clone(), options.durable)?;
        let redis = Redis::new(&directory, account)?;
        let services = Self { postgres, redis, _directory: directory };
        // initdb dominates, and Redis is up long before it is done.
        services.redis.start()?;
        services.postgres.start()?;
        Ok(services)
    }

    /// The superuser's address. Good for migrations and for making roles, not for serving.
    pub fn database_url(&self) -> &str {
        self.postgres.url()
    }

    /// The default user's address, who may do everything.
    pub fn redis_url(&self) -> &str {
        self.redis.url()
    }

    /// Stops PostgreSQL as an outage would look like: open connections are closed at once.
    pub fn stop_postgres(&self) -> Result<(), Error> {
        self.postgres.stop()
    }

    /// Kills PostgreSQL with -9, its first process: the others follow when they notice.
    pub fn kill_postgres(&self) -> Result<(), Error> {
        self.postgres.kill()
    }

    /// Starts PostgreSQL again on the same port with the same data.
    pub fn start_postgres(&self) -> Result<(), Error> {
        self.postgres.start()
    }

    /// Stops Redis. Its keys are gone; its users stay.
    pub fn stop_redis(&self) -> Result<(), Error> {
        self.redis.stop()
    }

    /// Kills Redis with -9.
    pub fn kill_redis(&self) -> Result<(), Error> {
        self.redis.kill()
    }

    /// Starts Redis again on the same port.
    pub fn start_redis(&self) -> Result<(), Error> {
        self.redis.start()
    }
}

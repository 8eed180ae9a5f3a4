//! What goes wrong, and when.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use konstruct_testkit::fault::CallFault;
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::sleep;

use crate::world::World;

/// Longer than a runtime's lease.
const PAUSE_PAST_LEASE: Duration = Duration::from_secs(17);
/// Tries to start PostgreSQL, whose orphans may still be leaving.
const STARTS: usize = 40;

pub(crate) struct Nemesis {
    world: Arc<World>,
    random: StdRng,
    done: Done,
    /// Which point is next, in each role.
    next_point: std::collections::BTreeMap<usize, usize>,
}

#[derive(Debug, Default)]
pub(crate) struct Done {
    kills: usize,
    at_points: usize,
    points: std::collections::BTreeSet<&'static str>,
    pauses: usize,
    postgres: usize,
    redis: usize,
    channels: usize,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kills with -9 ({} at {} fault points, {} of PostgreSQL, {} of Redis), {} pauses, {} failures of channels",
            self.kills + self.at_points + self.postgres + self.redis,
            self.at_points,
            self.points.len(),
            self.postgres,
            self.redis,
            self.pauses,
            self.channels
        )
    }
}

impl Nemesis {
    pub(crate) fn new(world: Arc<World>, random: StdRng) -> Self {
        Self { world, random, done: Done::default(), next_point: std::collections::BTreeMap::new() }
    }

    /// So many kills, spread over a time; between them what else there is. Whoever dies is started again for as long as
    /// somebody writes.
    pub(crate) async fn strike(
        mut self,
        kills: usize,
        length: Duration,
        all_written: &AtomicBool,
    ) -> Result<Done> {
        let (began, share) = (Instant::now(), length / u32::try_from(kills.max(1))?);
        let paused = self.pause_a_runtime_past_its_lease(length);
        let strikes = async {
            for number in 0..kills {
                let jitter = share.mul_f64(self.random.random_range(0.1..0.9));
                let at = began + share * u32::try_from(number)? + jitter;
                while Instant::now() < at {
                    sleep(Duration::from_millis(50)).await;
                    self.bury().await?;
                }
                self.disturb_a_channel();
                match number % 10 {
                    4 => self.kill_postgres().await?,
                    8 => self.kill_redis().await?,
                    _ => self.kill_a_role(number).await?,
                }
            }
            while !all_written.load(Ordering::Relaxed) {
                sleep(Duration::from_millis(50)).await;
                self.bury().await?;
            }
            anyhow::Ok(())
        };
        let (struck, ()) = tokio::join!(strikes, paused);
        struck?;
        self.done.pauses += 1;
        Ok(self.done)
    }

    /// The paused one wakes up with a lease that its twin has by then.
    fn pause_a_runtime_past_its_lease(&self, length: Duration) -> impl Future<Output = ()> + use<> {
        let world = Arc::clone(&self.world);
        let victim = 1;
        async move {
            sleep(length / 4).await;
            world.roles.lock().await[victim].pause();
            sleep(PAUSE_PAST_LEASE).await;
            world.roles.lock().await[victim].resume();
        }
    }

    async fn kill_a_role(&mut self, number: usize) -> Result<()> {
        let mut roles = self.world.roles.lock().await;
        // The gateway every other time: it has as much to do as all runtimes together.
        let victim = if number.is_multiple_of(2) { 0 } else { self.random.random_range(1..roles.len()) };
        let role = &mut roles[victim];
        role.kill().await;
        self.done.kills += 1;
        let next = self.next_point.entry(victim).or_default();
        let point = role.points[*next % role.points.len()];
        *next += 1;
        let times = self.random.random_range(1..=3);
        sleep(Duration::from_millis(self.random.random_range(0..400))).await;
        role.start(Some(&format!("{point}@{times}")))
    }

    /// Starts those again that have died at a fault point.
    async fn bury(&mut self) -> Result<()> {
        let mut roles = self.world.roles.lock().await;
        for (index, role) in roles.iter_mut().enumerate() {
            if role.has_died() {
                self.done.at_points += 1;
                let armed = self.next_point.get(&index).map_or(0, |next| next.saturating_sub(1));
                self.done.points.insert(role.points[armed % role.points.len()]);
                role.start(None).with_context(|| format!("cannot start {} again", role.name))?;
            }
        }
        Ok(())
    }

    async fn kill_postgres(&mut self) -> Result<()> {
        self.done.postgres += 1;
        let (services, down) = (Arc::clone(&self.world.services), self.random.random_range(200..1500));
        tokio::task::spawn_blocking(move || {
            services.kill_postgres()?;
            std::thread::sleep(Duration::from_millis(down));
            let mut started = services.start_postgres();
            for _ in 0..STARTS {
                if started.is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(250));
                started = services.start_postgres();
            }
            started
        })
        .await?
        .context("PostgreSQL does not come back")
    }

    async fn kill_redis(&mut self) -> Result<()> {
        self.done.redis += 1;
        let (services, down) = (Arc::clone(&self.world.services), self.random.random_range(200..1500));
        tokio::task::spawn_blocking(move || {
            services.kill_redis()?;
            std::thread::sleep(Duration::from_millis(down));
            services.start_redis()
        })
        .await?
        .context("Redis does not come back")
    }

    fn disturb_a_channel(&mut self) {
        let platforms = &self.world.platforms;
        match self.done.channels % 6 {
            0 => platforms.slack.inject("chat.postMessage", [fault(&mut self.random)]),
            1 => platforms.whatsapp.inject("messages", [fault(&mut self.random)]),
            2 => platforms.telegram.inject("sendMessage", [fault(&mut self.random)]),
            3 => platforms.slack.inject("files.completeUploadExternal", [fault(&mut self.random)]),
            4 => platforms.whatsapp.inject("files", [fault(&mut self.random)]),
            _ => platforms.telegram.inject("sendDocument", [fault(&mut self.random)]),
        }
        self.done.channels += 1;
    }
}

fn fault<E>(random: &mut StdRng) -> CallFault<E> {
    match random.random_range(0..5) {
        0 => CallFault::RateLimited { seconds: 1 },
        1 => CallFault::Status(503),
        2 => CallFault::Hang,
        _ => CallFault::AcceptThenDrop,
    }
}

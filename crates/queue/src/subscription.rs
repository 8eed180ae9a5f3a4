//! A subscription that survives its connection.

use std::time::Duration;

use futures::StreamExt;
use redis::aio::PubSub;
use redis::{Client, RedisResult};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{Signal, Topics};

const RECONNECT_FIRST: Duration = Duration::from_millis(100);
const RECONNECT_MAX: Duration = Duration::from_secs(2);
/// A silent connection is asked this often whether it still lives.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(2);
/// Signals are only wake-ups, so a slow subscriber loses nothing by reading fewer of them.
const BUFFER: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Signal(Signal),
    /// Listening (again). Signals may have been missed before: read everything anew.
    Connected,
    /// Not listening. Look for yourself until [`Event::Connected`].
    Disconnected,
}

pub(crate) fn start(client: Client, topics: Topics, shutdown: CancellationToken) -> mpsc::Receiver<Event> {
    let (events, receiver) = mpsc::channel(BUFFER);
    tokio::spawn(async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = events.closed() => {}
            () = listen_for_ever(&client, topics, &events) => {}
        }
    });
    receiver
}

async fn listen_for_ever(client: &Client, topics: Topics, events: &mpsc::Sender<Event>) {
    let mut delay = RECONNECT_FIRST;
    loop {
        match open(client, topics).await {
            Ok(connection) => {
                delay = RECONNECT_FIRST;
                if events.send(Event::Connected).await.is_err() {
                    return;
                }
                forward(connection, events).await;
            }
            Err(error) => tracing::debug!(%error, "cannot subscribe to Redis"),
        }
        if events.send(Event::Disconnected).await.is_err() {
            return;
        }
        sleep(delay).await;
        delay = (delay * 2).min(RECONNECT_MAX);
    }
}

async fn open(client: &Client, topics: Topics) -> RedisResult<PubSub> {
    let mut connection = client.get_async_pubsub().await?;
    let (channels, patterns) = topics.channels();
    if !channels.is_empty() {
        connection.subscribe(channels).await?;
    }
    if !patterns.is_empty() {
        connection.psubscribe(patterns).await?;
    }
    Ok(connection)
}

/// Passes signals on until the connection ends or stops answering.
async fn forward(connection: PubSub, events: &mpsc::Sender<Event>) {
    let (mut sink, mut messages) = connection.split();
    let mut pings = interval(PING_EVERY);
    loop {
        tokio::select! {
            message = messages.next() => {
                let Some(message) = message else { return };
                let Some(signal) = Signal::read(message.get_channel_name(), message.get_payload_bytes())
                else { continue };
                if events.send(Event::Signal(signal)).await.is_err() {
                    return;
                }
            }
            _ = pings.tick() => {
                let answer = timeout(PING_TIMEOUT, sink.ping::<redis::Value>()).await;
                if !matches!(answer, Ok(Ok(_))) {
                    return;
                }
            }
        }
    }
}

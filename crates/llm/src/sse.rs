//! Server-sent events of a response, bounded in time and size.

use std::time::Duration;

use async_stream::try_stream;
use bytes::Bytes;
use eventsource_stream::{EventStreamError, Eventsource};
use futures::{Stream, StreamExt};
use reqwest::Response;
use tokio::time::timeout;

use crate::error::Error;

/// Largest single event. The parser holds an event in memory until it is complete.
const EVENT_MAX: usize = 512 * 1024;

/// Largest answer on the wire. A token costs some 300 bytes of framing, and no model of ours is asked for more
/// than 32,768.
const ANSWER_MAX: usize = 32 * 1024 * 1024;

/// The data of each event. `wait` bounds the wait for each further byte, not the whole.
pub(crate) fn events(response: Response, wait: Duration) -> impl Stream<Item = Result<String, Error>> + Send {
    parse(response.bytes_stream().map(|bytes| bytes.map_err(|error| Error::from_transport(&error))), wait)
}

fn parse(
    bytes: impl Stream<Item = Result<Bytes, Error>> + Send,
    wait: Duration,
) -> impl Stream<Item = Result<String, Error>> + Send {
    try_stream! {
        let mut events = Box::pin(bounded(bytes).eventsource());
        while let Some(event) = timeout(wait, events.next()).await.map_err(|_| Error::Timeout)? {
            yield event.map_err(sort)?.data;
        }
    }
}

fn sort(error: EventStreamError<Error>) -> Error {
    match error {
        EventStreamError::Transport(error) => error,
        EventStreamError::Utf8(_) => Error::Malformed("an event stream that is not UTF-8"),
        EventStreamError::Parser(_) => Error::Malformed("a broken event stream"),
    }
}

/// Passes bytes on until one event or the whole answer is too large.
fn bounded(
    bytes: impl Stream<Item = Result<Bytes, Error>> + Send,
) -> impl Stream<Item = Result<Bytes, Error>> + Send {
    let mut size = Size::default();
    bytes.map(move |bytes| {
        let bytes = bytes?;
        size.add(&bytes);
        if size.event > EVENT_MAX {
            return Err(Error::Malformed("an event of more than 512 KiB"));
        }
        if size.total > ANSWER_MAX {
            return Err(Error::Malformed("an answer of more than 32 MiB"));
        }
        Ok(bytes)
    })
}

/// An event ends with an empty line, whatever the line endings are.
#[derive(Default)]
struct Size {
    total: usize,
    event: usize,
    at_line_start: bool,
}

impl Size {
    fn add(&mut self, bytes: &[u8]) {
        self.total += bytes.len();
        for byte in bytes {
            self.event += 1;
            match byte {
                b'\n' if self.at_line_start => self.event = 0,
                b'\n' => self.at_line_start = true,
                b'\r' => {}
                _ => self.at_line_start = false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn first_error(chunks: Vec<Vec<u8>>) -> Option<Error> {
        let stream = futures::stream::iter(chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))));
        let mut bounded = Box::pin(bounded(stream));
        while let Some(item) = bounded.next().await {
            if let Err(error) = item {
                return Some(error);
            }
        }
        None
    }

    #[tokio::test]
    async fn one_event_is_bounded_however_it_is_cut_and_many_are_not() {
        let event = [b"data: ".to_vec(), vec![b'x'; 1000], b"\r\n\r\n".to_vec()].concat();
        assert_eq!(first_error(vec![event; 2000]).await, None);
        let endless = vec![vec![b'x'; 1000]; 600];
        assert_eq!(first_error(endless).await, Some(Error::Malformed("an event of more than 512 KiB")));
    }

    #[tokio::test]
    async fn events_are_the_same_however_the_network_cuts_them() {
        let wire =
            "event: a\ndata: {\"text\":\"Grüße 🦀\"}\n\n: a comment\r\n\r\ndata: two\r\ndata: lines\r\n\r\n"
                .as_bytes();
        let expected = ["{\"text\":\"Grüße 🦀\"}", "two\nlines"].map(|data| Ok(data.to_owned()));
        for cut in 0..=wire.len() {
            for width in [1, wire.len()] {
                let pieces = [&wire[..cut], &wire[cut..]].into_iter().flat_map(|part| part.chunks(width));
                let pieces: Vec<_> = pieces.map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
                let events = parse(futures::stream::iter(pieces), Duration::from_secs(1));
                assert_eq!(events.collect::<Vec<_>>().await, expected, "cut at {cut}, pieces of {width}");
            }
        }
    }

    #[tokio::test]
    async fn a_silent_stream_is_not_waited_for() {
        let silent = futures::stream::pending();
        let events: Vec<_> = parse(silent, Duration::from_millis(1)).collect().await;
        assert_eq!(events, [Err(Error::Timeout)]);
    }
}

//! Passes on the events of a watch, one a line, and does harm to one of them.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use futures::StreamExt;
use tokio::sync::mpsc;

use crate::fault::{EventFault, Fault, HOLD};
use crate::proxy::State;

const AT_ONCE: usize = 16;
/// As the API server says that it has forgotten where a watch stood.
const GONE: &[u8] = br#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version","reason":"Expired","code":410}}
"#;

pub(crate) fn disturbed(answer: reqwest::Response, state: Arc<State>) -> Body {
    let (sender, mut receiver) = mpsc::channel(AT_ONCE);
    tokio::spawn(async move {
        tokio::select! {
            // Nobody listens any more, or everything has been said.
            () = sender.closed() => {}
            _ = pass_on(answer, &state, &sender) => {}
        }
    });
    Body::from_stream(futures::stream::poll_fn(move |context| receiver.poll_recv(context)))
}

type Sender = mpsc::Sender<Result<Bytes, std::io::Error>>;

/// None when the watch has ended.
async fn pass_on(answer: reqwest::Response, state: &State, sender: &Sender) -> Option<()> {
    let mut chunks = answer.bytes_stream();
    let mut pending = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else { return cut(sender).await };
        pending.extend_from_slice(&chunk);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Bytes = pending.drain(..=end).collect();
            match state.next_event(&line) {
                Some(Fault::Event(EventFault::Hold)) => tokio::time::sleep(HOLD).await,
                Some(Fault::Event(EventFault::Duplicate)) => sender.send(Ok(line.clone())).await.ok()?,
                Some(Fault::Event(EventFault::Gone)) => {
                    return sender.send(Ok(Bytes::from_static(GONE))).await.ok();
                }
                Some(Fault::Event(EventFault::Cut)) => {
                    sender.send(Ok(line.slice(..line.len() / 2))).await.ok()?;
                    return cut(sender).await;
                }
                _ => {}
            }
            sender.send(Ok(line)).await.ok()?;
        }
    }
    Some(())
}

async fn cut(sender: &Sender) -> Option<()> {
    sender.send(Err(std::io::ErrorKind::ConnectionReset.into())).await.ok()
}

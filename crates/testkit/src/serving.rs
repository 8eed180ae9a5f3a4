//! What the doubles of channels have in common: a server on loopback, and patience until something has arrived.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A server that runs until the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Serving {
    _running: Arc<oneshot::Sender<()>>,
}

impl Serving {
    pub(crate) fn start(listener: TcpListener, router: Router) -> Self {
        let (running, stopped) = oneshot::channel();
        let server = axum::serve(listener, router).with_graceful_shutdown(async { drop(stopped.await) });
        tokio::spawn(server.into_future());
        Self { _running: Arc::new(running) }
    }
}

/// A free port of the loopback address.
pub(crate) async fn on_loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback")
}

pub(crate) fn origin(listener: &TcpListener) -> String {
    format!("http://{}", listener.local_addr().expect("a bound listener has an address"))
}

/// Waits until there are so many.
///
/// # Panics
/// When there are not within a minute.
pub(crate) async fn at_least<T: Debug>(count: usize, seen: impl Fn() -> Vec<T>) -> Vec<T> {
    for _ in 0..6000 {
        if seen().len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let seen = seen();
    assert!(seen.len() >= count, "{count} messages expected, {} there: {seen:#?}", seen.len());
    seen
}

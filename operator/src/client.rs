//! The Kubernetes client: patient for seconds, not for hours, and mute without the lease.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request};
use kube::client::{Body, ClientBuilder, retry::RetryPolicy};
use kube::{Client, Config};
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;
use tower::timeout::TimeoutLayer;
use tower::{BoxError, Layer, Service};

use crate::Error;
use crate::leader::Leadership;

/// The first try and four more.
const RETRIES: u32 = 4;
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(4);
/// All tries of one request together, until the answer begins. A watch goes on after that.
const PATIENCE: Duration = Duration::from_secs(10);
const QUEUED: usize = 1024;

/// A client that may write as long as `leadership` is valid; without one, at any time.
pub(crate) fn client(mut config: Config, leadership: Option<Leadership>) -> Result<Client, Error> {
    // kube's own policy tries for hours.
    config.default_retry = false;
    let retry =
        RetryPolicy::new(FIRST_DELAY, LONGEST_DELAY, RETRIES, true).map_err(|_| Error::RetryPolicy)?;
    let builder = ClientBuilder::try_from(config).map_err(Error::Client)?;
    Ok(builder
        .with_layer(&Fence { leadership: leadership.map(Arc::new) })
        .with_layer(&BufferLayer::new(QUEUED))
        .with_layer(&RetryLayer::new(retry))
        .with_layer(&TimeoutLayer::new(PATIENCE))
        .build())
}

/// Closest to the wire, so that each try of a request asks anew.
#[derive(Clone)]
struct Fence {
    leadership: Option<Arc<Leadership>>,
}

impl<S> Layer<S> for Fence {
    type Service = Fenced<S>;

    fn layer(&self, inner: S) -> Fenced<S> {
        Fenced { leadership: self.leadership.clone(), inner }
    }
}

struct Fenced<S> {
    leadership: Option<Arc<Leadership>>,
    inner: S,
}

/// Why a write was not sent.
#[derive(Debug, thiserror::Error)]
#[error("this replica does not lead (any more): nothing was written")]
struct NotLeading;

impl<S> Service<Request<Body>> for Fenced<S>
where
    S: Service<Request<Body>, Error = BoxError>,
    S::Future: Send + 'static,
    S::Response: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let may_write = self.leadership.as_ref().is_none_or(|leadership| leadership.is_valid());
        if may_write || request.method() == Method::GET {
            Box::pin(self.inner.call(request))
        } else {
            Box::pin(std::future::ready(Err(BoxError::from(NotLeading))))
        }
    }
}

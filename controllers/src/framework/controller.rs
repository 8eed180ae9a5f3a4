//! Runs a reconciler: bounded concurrency, a deadline, growing delays for what fails, and everything that is said about
//! a pass from outside. The reconcilers themselves only name their steps.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt, stream};
use konstruct_crds::conditions::ResourceStatus;
use kube::core::object::HasStatus;
use kube::runtime::controller::{Action, Config, ReconcileRequest, applier};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, ResourceExt};
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::backoff::Backoff;
use super::cache::{Cache, namespace_of};
use super::events::{Events, transitions};
use super::status::{self, Root, Share};
use crate::Error;
use crate::error::with_sources;

/// A pass that takes longer is given up and tried again: something it waits for hangs.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// When what failed is tried again: first, and at the latest.
const FAILED: (Duration, Duration) = (Duration::from_millis(250), Duration::from_mins(1));
/// When what waits for somebody else is looked at, in case a signal was lost.
const WAITING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_mins(5));

/// One controller.
pub trait Reconciler: Send + Sync + 'static {
    type Object: Root;
    /// For metrics and logs: `tenant`.
    const NAME: &'static str;
    /// What of the status this controller writes, and as whom.
    const SHARE: Share<<Self::Object as HasStatus>::Status>;

    fn cache(&self) -> &Cache<Self::Object>;
    fn api(&self, object: &Self::Object) -> Api<Self::Object>;
    fn reconcile(&self, object: Arc<Self::Object>) -> impl Future<Output = Result<Next, Error>> + Send;
    /// What the status says after a pass that failed for a reason that is not the user's.
    fn after_failure(object: &Self::Object, error: &Error) -> <Self::Object as HasStatus>::Status {
        status::after_failure(object, error)
    }
    /// An object of this namespace is gone, perhaps without a pass that cleaned up after it.
    fn gone(&self, _namespace: &str) -> impl Future<Output = Result<(), Error>> + Send {
        std::future::ready(Ok(()))
    }
    /// The object got ready or stopped being so, or was compiled for the first time: who depends on it?
    fn requeue_dependents(&self, object: &Self::Object);
}

/// When a pass that went well wants to be followed by another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Look again after this time: soon when there is something to wait for, late in case a watch missed something.
    After(Duration),
    /// Somebody else has to do something, who will tell.
    Waiting,
    /// Nobody will tell: look again with growing delays.
    Retry,
    /// The object is gone.
    Gone,
}

/// What is measured of the passes.
pub trait Metrics: Send + Sync + 'static {
    fn reconciled(&self, controller: &'static str, outcome: &'static str, took: Duration);
}

/// Runs passes for what the queue names, until the future is dropped.
pub async fn run<R: Reconciler>(
    reconciler: Arc<R>,
    mut queue: mpsc::UnboundedReceiver<ObjectRef<R::Object>>,
    concurrency: u16,
    events: Events,
    metrics: Arc<dyn Metrics>,
) {
    let requests = stream::poll_fn(move |context| queue.poll_recv(context))
        .map(|reference| Ok::<_, Infallible>(ReconcileRequest::from(reference)));
    let store = reconciler.cache().store();
    let [failed, waiting] = [FAILED, WAITING].map(|(first, longest)| Backoff::new(first, longest));
    let observer = Arc::new(Observer { reconciler, events, metrics, failed, waiting });
    let reconcile = |object, observer: Arc<Observer<R>>| {
        // A task of its own, since the scheduler polls all passes whenever one of them gets on. It ends with the scheduler,
        // and what it logs still names the object.
        let pass = AbortOnDropHandle::new(tokio::spawn(
            async move { observer.pass(object).await }.in_current_span(),
        ));
        async move {
            match pass.await.map_err(JoinError::try_into_panic) {
                Ok(action) => Ok::<_, Infallible>(action),
                Err(Ok(panic)) => std::panic::resume_unwind(panic),
                // The process ends.
                Err(Err(_cancelled)) => std::future::pending().await,
            }
        }
        .boxed()
    };
    let config = Config::default().concurrency(concurrency);
    let passes = applier(
        reconcile,
        |_, never: &Infallible, _| match *never {},
        Arc::clone(&observer),
        store,
        requests,
        config,
    );
    passes
        .for_each_concurrent(usize::from(concurrency), |pass| {
            let observer = Arc::clone(&observer);
            async move {
                if let Err(kube::runtime::controller::Error::ObjectNotFound(object)) = pass {
                    observer.gone(object.namespace.as_deref().unwrap_or("")).await;
                }
            }
        })
        .await;
}

struct Observer<R> {
    reconciler: Arc<R>,
    events: Events,
    metrics: Arc<dyn Metrics>,
    failed: Backoff,
    waiting: Backoff,
}

impl<R: Reconciler> Observer<R> {
    async fn pass(&self, object: Arc<R::Object>) -> Action {
        let object = status::newest(self.reconciler.cache(), &object);
        let uid = object.uid().unwrap_or_default();
        let started = Instant::now();
        let result = tokio::time::timeout(DEADLINE, self.reconciler.reconcile(Arc::clone(&object)))
            .await
            .unwrap_or(Err(Error::Deadline(DEADLINE.as_secs())));
        let outcome = match &result {
            Ok(_) => "ok",
            Err(error) => error.category(),
        };
        self.metrics.reconciled(R::NAME, outcome, started.elapsed());
        if let Err(error) = &result {
            self.report(&object, error).await;
        }
        self.tell(&object).await;
        if !matches!(result, Ok(Next::Retry) | Err(_)) {
            self.failed.over(&uid);
        }
        if !matches!(result, Ok(Next::Waiting)) {
            self.waiting.over(&uid);
        }
        match result {
            Ok(Next::After(after)) => Action::requeue(after),
            Ok(Next::Waiting) => Action::requeue(self.waiting.again(&uid)),
            Ok(Next::Gone) => Action::await_change(),
            Ok(Next::Retry) | Err(_) => Action::requeue(self.failed.again(&uid)),
        }
    }

    async fn gone(&self, namespace: &str) {
        let gone = tokio::time::timeout(DEADLINE, self.reconciler.gone(namespace)).await;
        if let Err(error) = gone.unwrap_or(Err(Error::Deadline(DEADLINE.as_secs()))) {
            let error = with_sources(&error);
            tracing::warn!(
                controller = R::NAME,
                namespace,
                error,
                "what is gone was not cleaned up after: a later pass does"
            );
        }
    }

    /// Logs a failure and says it in the status.
    async fn report(&self, object: &Arc<R::Object>, error: &Error) {
        if error.is_conflict() {
            // Somebody wrote between our read and our write. The next pass reads again.
            tracing::debug!(controller = R::NAME, name = object.name_any(), %error, "a pass begins again");
            return;
        }
        tracing::warn!(
            controller = R::NAME,
            namespace = namespace_of(&**object),
            name = object.name_any(),
            error = with_sources(error),
            "a pass failed and is tried again"
        );
        let object = status::newest(self.reconciler.cache(), object);
        let status = R::after_failure(&object, error);
        let api = self.reconciler.api(&object);
        let write = status::write(&api, self.reconciler.cache(), &R::SHARE, &*object, &status);
        if let Ok(Err(error)) = tokio::time::timeout(DEADLINE, write).await {
            tracing::debug!(%error, "the failure could not be written to the status");
        }
    }

    /// Compares the status with the one before the pass, and tells people and dependents what has changed.
    async fn tell(&self, before: &Arc<R::Object>) {
        let after = status::newest(self.reconciler.cache(), before);
        let (old, new) = (status_of::<R>(before), status_of::<R>(&after));
        if old == new {
            return;
        }
        if is_compiled(&old) != is_compiled(&new) || is_ready(&old) != is_ready(&new) {
            self.reconciler.requeue_dependents(&after);
        }
        self.events.publish(&*after, transitions(old.conditions(), new.conditions())).await;
    }
}

/// The controller's share: of what others write, they tell.
fn status_of<R: Reconciler>(object: &R::Object) -> <R::Object as HasStatus>::Status {
    object.status().map(R::SHARE.of).unwrap_or_default()
}

fn is_compiled<S: ResourceStatus>(status: &S) -> bool {
    status.revision().is_some()
}

fn is_ready<S: ResourceStatus>(status: &S) -> bool {
    status.condition(konstruct_crds::ConditionType::Ready).is_some_and(konstruct_crds::Condition::is_true)
}

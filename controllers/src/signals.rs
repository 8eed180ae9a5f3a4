//! The ear for the data plane: somebody loaded a revision or noticed something.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use konstruct_domain::TenantId;
use konstruct_queue::{Event, Signal};
use tokio::sync::mpsc;

use crate::Context;
use crate::tenant::logins::Logins;

/// Many records of one tenant come at once; they are looked at together.
const GATHER: Duration = Duration::from_millis(50);

pub(crate) async fn listen(context: Arc<Context>, logins: Arc<Logins>, mut signals: mpsc::Receiver<Event>) {
    let mut news: HashSet<TenantId> = HashSet::new();
    loop {
        let event = if news.is_empty() {
            signals.recv().await
        } else if let Ok(event) = tokio::time::timeout(GATHER, signals.recv()).await {
            event
        } else {
            for tenant in news.drain() {
                look_again(&context, tenant);
            }
            continue;
        };
        match event {
            Some(Event::Signal(Signal::Loaded(tenant))) => {
                news.insert(tenant);
            }
            Some(Event::Connected) => {
                logins.redis_returned();
                context.requeue_all_tenants();
            }
            Some(_) => {}
            // Shutting down.
            None => return std::future::pending().await,
        }
    }
}

fn look_again(context: &Context, tenant: TenantId) {
    if tenant == TenantId::PLATFORM {
        context.requeue_objects_in(&context.settings.system_namespace);
    } else if let Some(tenant) = context.caches.tenants.get_by_uid(&tenant.to_string()) {
        context.queues.tenants.add_object(&tenant);
        context.requeue_objects_in(&tenant.spec.namespace());
    }
}

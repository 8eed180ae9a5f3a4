//! Shows a reply while it is being written, to whoever looks at the conversation. It may be lost, and it is no reply: that is
//! what the turn commits.

use std::sync::Arc;
use std::time::Duration;

use konstruct_domain::message::{TEXT_MAX, truncate};
use konstruct_store::Claim;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::agents::Employee;
use crate::reply;
use crate::worker::Worker;

/// People do not read faster, and each says everything again.
const PACE: Duration = Duration::from_millis(150);

/// What is written so far. Nothing is shown any more once this is dropped.
#[derive(Debug)]
pub(crate) struct Shown {
    text: watch::Sender<String>,
    task: JoinHandle<()>,
}

impl Shown {
    pub(crate) fn append(&self, text: &str) {
        self.text.send_modify(|all| all.push_str(text));
    }

    /// For whoever wants it when nothing more is written.
    pub(crate) fn so_far(&self) -> watch::Receiver<String> {
        self.text.subscribe()
    }

    /// It is written once more from the beginning.
    pub(crate) fn clear(&self) {
        self.text.send_modify(String::clear);
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// None when nobody looks: then the model need not stream either.
pub(crate) async fn show(worker: &Arc<Worker>, claim: &Claim, employee: &Employee) -> Option<Shown> {
    if !worker.bus.is_watched(worker.tenant, claim.conversation).await {
        return None;
    }
    let (text, mut changed) = watch::channel(String::new());
    let (worker, employee) = (Arc::clone(worker), employee.clone());
    let (conversation, reply_id, first) = (claim.conversation, claim.reply(), claim.last_seq == 0);
    let task = tokio::spawn(async move {
        while changed.changed().await.is_ok() {
            let so_far = changed.borrow_and_update().clone();
            // What nobody would send is not shown either, and the first words say who writes.
            if let Some(so_far) = reply::clean(&so_far) {
                let so_far = reply::compose(&so_far, first, Some(&employee));
                // Each says everything again: of a very long answer only the beginning is shown to grow.
                let so_far = truncate(&so_far, TEXT_MAX);
                worker.bus.publish_partial(worker.tenant, conversation, reply_id, so_far).await;
            }
            sleep(PACE).await;
        }
    });
    Some(Shown { text, task })
}

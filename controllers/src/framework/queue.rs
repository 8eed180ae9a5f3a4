//! Who is to be looked at again. Watches, signals and other controllers add; each controller reads its own.

use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc;

use super::cache::{Cached, namespace_of, reference};

/// The sending side. Adding never waits: the scheduler behind it keeps each object once.
pub struct Queue<K: Cached> {
    sender: mpsc::UnboundedSender<ObjectRef<K>>,
}

impl<K: Cached> Queue<K> {
    pub fn new() -> (Self, mpsc::UnboundedReceiver<ObjectRef<K>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { sender }, receiver)
    }

    /// `namespace` is empty for cluster scope.
    pub fn add(&self, namespace: &str, name: &str) {
        // The receiver is gone only while the process stops.
        let _ = self.sender.send(reference(namespace, name));
    }

    pub fn add_all<'a>(&self, objects: impl IntoIterator<Item = &'a std::sync::Arc<K>>) {
        for object in objects {
            self.add_object(object);
        }
    }

    pub fn add_object(&self, object: &K) {
        self.add(namespace_of(object), object.meta().name.as_deref().unwrap_or(""));
    }
}

//! Who is to be looked at again. Watches, signals and other controllers add; each controller reads its own.

use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc;

use super::cache::{Cached, namespace_of, reference};

/// The sending side. Adding never waits: the scheduler behind it keeps each object once.
pub struct Queue<K: Cached> {
    readers: Vec<mpsc::UnboundedSender<ObjectRef<K>>>,
}

impl<K: Cached> Queue<K> {
    pub fn new() -> (Self, mpsc::UnboundedReceiver<ObjectRef<K>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { readers: vec![sender] }, receiver)
    }

    /// What is added is read by those who read either.
    pub fn both(one: &Self, other: &Self) -> Self {
        Self { readers: one.readers.iter().chain(&other.readers).cloned().collect() }
    }

    /// `namespace` is empty for cluster scope.
    pub fn add(&self, namespace: &str, name: &str) {
        for reader in &self.readers {
            // The receiver is gone while the process stops, or for ever where its controller does not run.
            let _ = reader.send(reference(namespace, name));
        }
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

//! May this process still write? Asked before each write to PostgreSQL and Redis; the Kubernetes client asks for itself.

use std::fmt;
use std::sync::Arc;

use crate::Error;

/// True as long as this replica leads.
#[derive(Clone)]
pub struct Fence(Arc<dyn Fn() -> bool + Send + Sync>);

impl Fence {
    pub fn new(leads: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(leads))
    }

    pub fn check(&self) -> Result<(), Error> {
        if (self.0)() { Ok(()) } else { Err(Error::NotLeading) }
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fence")
    }
}

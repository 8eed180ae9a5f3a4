//! Lines that we open and on which the platform speaks, for deliveries where nobody can reach us.

use bytes::Bytes;
use futures::future::BoxFuture;

use crate::{NotConnected, SendError};

/// An open line. After an error it is of no use any more.
pub trait Line: Send {
    /// What the platform says next.
    fn next(&mut self) -> BoxFuture<'_, Result<Heard, NotConnected>>;

    /// Says that a delivery is committed. What is not acknowledged comes again.
    fn acknowledge<'a>(&'a mut self, receipt: &'a str) -> BoxFuture<'a, Result<(), SendError>>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// As it would have come to an address, with what to acknowledge it by.
    Delivery { body: Bytes, receipt: String },
    /// The platform ends this line soon: open another one, and listen to this one until its end.
    Leaving,
}

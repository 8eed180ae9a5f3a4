//! What the definitions promise, checked without a cluster. `kind-tests` sends the same corpus to a real one.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its fixtures has failed")]

mod admission;
mod bounds;
mod corpus;
mod defaults;
mod generated;
mod rules;
mod shape;

//! What the definitions promise, checked without a cluster. `kind-tests` sends the same corpus to a real one.

mod admission;
mod bounds;
mod corpus;
mod defaults;
mod generated;
mod rules;
mod shape;

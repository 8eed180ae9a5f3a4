//! End-to-end tests on a real cluster: `kind-tests/run`, or `cargo test -p konstruct-kind-tests` with KUBECONFIG set and
//! the images of the tests at hand.

mod admission;
mod agent;
mod channels;
mod coexistence;
mod dedicated;
mod deletion;
mod events;
mod gitops;
mod guards;
mod isolation;
mod lifecycle;
mod namespaced;
mod operator;
mod plans;
mod references;
mod samples;
mod tenant;

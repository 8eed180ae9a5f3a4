//! The operator against a real API server, PostgreSQL and Redis, with the rights that the install manifests give it.
//!
//! No pods are needed: [`world`] plays the kubelet and the roles of the data plane. `make test-operator` runs them on a
//! control plane of their own; they install definitions and RBAC there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot do its work ends here")]

mod deletion;
mod drift;
mod installation;
mod references;
mod standins;
mod tenants;
mod world;

//! The operator against a real API server, PostgreSQL and Redis, with the rights that the install manifests give it.
//!
//! No pods are needed: [`world`] plays the kubelet and the roles of the data plane. Run with
//! `KUBECONFIG=… cargo run -p konstruct-local-services --bin with-services -- cargo test -p konstruct-operator -- --ignored`
//! against a control plane of its own (`kind-tests/cluster/up --control-plane-only`); it installs definitions and RBAC.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot do its work ends here")]

mod deletion;
mod drift;
mod installation;
mod references;
mod standins;
mod tenants;
mod world;

//! `konstruct verify isolation`: tries out, on a live cluster, what keeps tenants apart.
//!
//! Each claim is a probe with a name. It holds a tenant's own credentials, attempts what that tenant must not be able
//! to do, and reports what was possible. A probe that could not run is never counted as passed.

mod address;
mod args;
pub mod cache;
mod condition;
pub mod database;
mod error;
mod family;
mod kubernetes;
mod network;
mod operator;
mod report;
mod subject;
mod tokens;

pub use args::{Args, run};
pub use error::Error;
pub use network::{ProbeArgs, probe};
pub use report::{Outcome, Probe, Report, TenantReport, Verdict};

//! The reconcilers: from custom resources to tenants' namespaces and compiled configuration.
//!
//! Each kind with a status has the same files: `dereference` (reads other objects), `validate` (pure), `build` (pure; for
//! Tenant one file for each child object), `apply` (writes), `status` (accepts only what `apply` returned).
//!
//! # Compiling without a cluster
//!
//! `konstruct dev` compiles manifests of a folder with the pure steps. For each kind it fills the public
//! `Dereferenced` from what the folder has, then calls `validate` and `build`:
//!
//! ```
//! use konstruct_controllers::{agent, framework::secrets, llm_provider};
//! use konstruct_crds::{Agent, LLMProvider};
//! use konstruct_domain::snapshot::{AgentSnapshot, ProviderSnapshot};
//!
//! // A provider: its Secret is looked up with `secrets::look_up(keyring, field, data, reference)`.
//! fn compile_provider(provider: &LLMProvider) -> Result<ProviderSnapshot, Vec<konstruct_controllers::Problem>> {
//!     let found = llm_provider::Dereferenced { shared: false, api_key: None };
//!     let valid = llm_provider::validate::validate(provider, &found)?;
//!     // `llm_provider::build::secrets(&valid)` are the values to publish with it.
//!     Ok(llm_provider::build::snapshot(&valid))
//! }
//!
//! // An agent: facts of the providers that it can name.
//! fn compile_agent(agent: &Agent, provider: &LLMProvider) -> Result<AgentSnapshot, Vec<konstruct_controllers::Problem>> {
//!     let facts = agent::ProviderFacts { compiled: true, fault: None, ..agent::ProviderFacts::of(provider, false) };
//!     let found = agent::Dereferenced {
//!         slug: "acme".parse().unwrap(),
//!         own: [("demo".to_owned(), facts)].into(),
//!         shared: [].into(),
//!         over_limit: None,
//!         without_room: false,
//!     };
//!     Ok(agent::build::snapshot(&agent::validate::validate(agent, &found)?))
//! }
//! ```
//!
//! - [`tenant`]: `Dereferenced { id, namespace: Ownership::Vacant, slug_taken_by, runtime: None, plan, surplus }`; `build::snapshot`.
//!   A Tenant's snapshot is published under its slug.
//! - [`channel_connection`]: `Dereferenced { public_id: keyring.public_id(id, name)?, agent, business_function,
//!   secrets, rival, over_limit, pause }`; the secrets are those of `secret_refs(spec)`; `build::{snapshot, secrets, webhook_path,
//!   chat_path}`; `Validated::account` is what to claim before publishing.
//! - A provider in the operator's namespace is published under `TenantId::PLATFORM` with `shared: true`.

pub mod agent;
pub mod channel_connection;
mod context;
mod error;
pub mod framework;
mod leftovers;
pub mod llm_provider;
mod problem;
#[cfg(test)]
mod recorded;
mod run;
pub mod settings;
mod signals;
pub mod tenant;
mod watches;

pub use context::Context;
pub use error::Error;
pub use framework::controller::Metrics;
pub use framework::fence::Fence;
pub use problem::Problem;
pub use run::{Backends, Parts, Role, run};
pub use settings::Settings;

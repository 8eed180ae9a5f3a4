//! The HTTP API: the part of OpenAI's that runtimes use.

mod answer;
mod completions;
mod models;
mod refusal;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use konstruct_media::Place;
use konstruct_store::Store;

use crate::admission::Admission;
use crate::budget::Budgets;
use crate::catalogue::Loader;
use crate::chain::Chain;
use crate::identity::Authenticator;
use refusal::Refusal;

/// Largest request body. Forty messages of the longest kept length fit.
const BODY_MAX: usize = 1 << 20;

/// What requests are served with.
pub(crate) struct App {
    pub(crate) authenticator: Authenticator,
    pub(crate) loader: Arc<Loader>,
    pub(crate) chain: Chain,
    pub(crate) admission: Admission,
    pub(crate) budgets: Arc<Budgets>,
    pub(crate) store: Store,
    pub(crate) media: Option<Place>,
}

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(completions::create))
        .route("/v1/models", get(models::list))
        .fallback(async || Refusal::NoSuchPath)
        .method_not_allowed_fallback(async || Refusal::NoSuchMethod)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(app)
}

//! `GET /v1/models`: the agents of the caller's tenant.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::{App, Refusal};

pub(super) async fn list(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Value>, Refusal> {
    let tenant = app.authenticator.authenticate(&headers).await.map_err(Refusal::Denied)?;
    let mut names: Vec<&str> = tenant.agents.keys().map(konstruct_domain::AgentName::as_str).collect();
    names.sort_unstable();
    let model = |name: &str| json!({"id": format!("agent/{name}"), "object": "model", "created": 0, "owned_by": tenant.record.slug});
    Ok(Json(json!({"object": "list", "data": names.into_iter().map(model).collect::<Vec<_>>()})))
}

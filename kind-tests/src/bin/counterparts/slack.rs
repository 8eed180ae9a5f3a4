//! In front of local-slack, which is one workspace and takes any token: here every workspace exists, and the token of
//! one is `xoxb-` and its id. Everything else is local-slack's own answer.

use anyhow::{Context, Result};
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;

const PREFIX: &str = "xoxb-";
const PASSED_ON: [HeaderName; 2] = [header::AUTHORIZATION, header::CONTENT_TYPE];

#[derive(Clone)]
struct Front {
    http: reqwest::Client,
    /// local-slack's `/api`.
    upstream: String,
}

pub(crate) fn router() -> Result<Router> {
    let upstream = std::env::var("UPSTREAM").context("UPSTREAM must be the address of local-slack's API")?;
    // The image has no CA certificates, and local-slack speaks plain HTTP.
    let http = reqwest::Client::builder().tls_certs_only([]).build().context("cannot set up HTTP")?;
    let front = Front { http, upstream };
    Ok(Router::new().route("/api/{method}", post(call).get(call)).with_state(front))
}

async fn call(
    State(front): State<Front>,
    Path(method): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Some(team) = team(&headers) else {
        return Json(json!({"ok": false, "error": "invalid_auth"})).into_response();
    };
    if method == "auth.test" {
        let identity = json!({"ok": true, "url": "https://slack.example/", "team": team, "team_id": team, "user": "employee",
            "user_id": "U0BOT", "bot_id": "B0BOT", "is_enterprise_install": false});
        return Json(identity).into_response();
    }
    match front.forward(&method, &headers, body).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// The workspace of the token, when it is one of ours.
fn team(headers: &HeaderMap) -> Option<&str> {
    let token = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
    token.strip_prefix(PREFIX).filter(|team| team.starts_with(['T', 'E']))
}

impl Front {
    async fn forward(&self, method: &str, headers: &HeaderMap, body: Bytes) -> reqwest::Result<Response> {
        let mut request = self.http.post(format!("{}/{method}", self.upstream)).body(body);
        for name in PASSED_ON {
            if let Some(value) = headers.get(&name) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        Ok((status, [(header::CONTENT_TYPE, "application/json")], body).into_response())
    }
}

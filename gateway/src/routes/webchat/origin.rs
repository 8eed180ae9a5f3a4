//! Which sites may have the chat. A browser says on whose page a request was made; who is no browser can say anything, and
//! gets no further than with the chat page.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::chat;
use crate::app::App;
use crate::refusal::Refusal;

/// How long a browser need not ask again whether it may ask, in seconds.
const REMEMBERED: &str = "600";

pub(crate) async fn check(
    State(app): State<Arc<App>>,
    Path(parameters): Path<std::collections::HashMap<String, String>>,
    request: Request,
    next: Next,
) -> Response {
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else { return next.run(request).await };
    let allowed = match parameters.get("public_id").map(|id| chat(&app, id)) {
        Some(Ok((_, snapshot))) => is_allowed(&origin, request.headers(), &snapshot.allowed_origins),
        Some(Err(refusal)) => return refusal.into_response(),
        None => false,
    };
    if !allowed {
        return Refusal::Origin.into_response();
    }
    let mut response =
        if request.method() == Method::OPTIONS { preflight() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    response
}

fn is_allowed(origin: &HeaderValue, headers: &HeaderMap, sites: &[String]) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = origin.split_once("://").map(|(_, host)| host);
    (own.is_some() && host == own) || sites.iter().any(|site| site == origin)
}

fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, last-event-id"),
        (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_allowed_by_its_whole_name_or_as_the_gateway_itself() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("chat.example.com"));
        let sites = ["https://www.example.com".to_owned()];
        let allowed = |origin: &'static str| is_allowed(&HeaderValue::from_static(origin), &headers, &sites);
        assert!(allowed("https://www.example.com") && allowed("https://chat.example.com"));
        for other in [
            "null",
            "http://www.example.com",
            "https://www.example.com.evil.test",
            "https://example.com",
            "https://www.example.com:8443",
            "https://chat.example.com:1",
            "",
        ] {
            assert!(!allowed(other), "{other}");
        }
        assert!(!is_allowed(&HeaderValue::from_static("https://"), &HeaderMap::new(), &[]));
    }
}

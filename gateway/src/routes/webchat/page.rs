//! The chat page and its files, part of the executable.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::chat;
use crate::app::App;
use crate::refusal::Refusal;

const PAGE: &str = include_str!("../../../assets/chat/index.html");
const MISSING: &str = include_str!("../../../assets/chat/missing.html");
const SCRIPT: &str = include_str!("../../../assets/chat/chat.js");
const MARKDOWN: &str = include_str!("../../../assets/chat/markdown.js");
const STYLE: &str = include_str!("../../../assets/chat/chat.css");

/// Nothing from elsewhere, nothing inline, and no other site may frame the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /chat/{public_id}`
pub(crate) async fn page(State(app): State<Arc<App>>, Path(public_id): Path<String>) -> Response {
    match chat(&app, &public_id) {
        Ok((_, snapshot)) => {
            let html = PAGE
                .replace("{{title}}", &escape(&snapshot.title))
                .replace("{{greeting}}", &escape(&snapshot.greeting));
            secured(Html(html).into_response())
        }
        Err(Refusal::NotFound) => secured((StatusCode::NOT_FOUND, Html(MISSING)).into_response()),
        Err(refusal) => refusal.into_response(),
    }
}

/// `GET /chat/assets/{file}`
pub(crate) async fn asset(Path(file): Path<String>) -> Response {
    let (content_type, content) = match file.as_str() {
        "chat.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "markdown.js" => ("text/javascript; charset=utf-8", MARKDOWN),
        "chat.css" => ("text/css; charset=utf-8", STYLE),
        _ => return Refusal::NotFound.into_response(),
    };
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")];
    secured((headers, content).into_response())
}

fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, header::HeaderValue::from_static(value));
    }
    response
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut html, character| {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
        html
    })
}

//! The chat page and the widget, part of the executable. The page is the widget over the whole window.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use super::chat;
use crate::app::App;
use crate::refusal::Refusal;

const PAGE: &str = include_str!("../../../assets/chat/index.html");
const MISSING: &str = include_str!("../../../assets/chat/missing.html");
const STYLE: &str = include_str!("../../../assets/chat/page.css");

/// One file, so that one script tag is enough; nothing in it is seen by the page around it. Neither the style nor the
/// template has a backtick.
const WIDGET: &str = concat!(
    "(() => {\n\"use strict\";\nconst STYLE = `",
    include_str!("../../../assets/chat/widget.css"),
    "`;\nconst TEMPLATE = `",
    include_str!("../../../assets/chat/template.html"),
    "`;\n",
    include_str!("../../../assets/chat/words.js"),
    include_str!("../../../assets/chat/markdown.js"),
    include_str!("../../../assets/chat/connection.js"),
    include_str!("../../../assets/chat/widget.js"),
    "})();\n",
);

/// Nothing from elsewhere, nothing inline, and no other site may frame the page. The widget's own style is made by its
/// script, which the policy does not concern.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /chat/{public_id}`
pub(crate) async fn page(State(app): State<Arc<App>>, Path(public_id): Path<String>) -> Response {
    match chat(&app, &public_id) {
        Ok((connection, snapshot)) => {
            let html = PAGE
                .replace("{{id}}", &escape(&connection.snapshot.public_id))
                .replace("{{title}}", &escape(&snapshot.title))
                .replace("{{greeting}}", &escape(&snapshot.greeting));
            secured(Html(html).into_response())
        }
        Err(Refusal::NotFound) => secured((StatusCode::NOT_FOUND, Html(MISSING)).into_response()),
        Err(refusal) => refusal.into_response(),
    }
}

/// `GET /chat/widget.js`, for any site: what it may do there, the session decides.
pub(crate) async fn widget() -> Response {
    let mut response = file("text/javascript; charset=utf-8", WIDGET);
    let headers = response.headers_mut();
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// `GET /chat/assets/{file}`
pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    match name.as_str() {
        "page.css" => file("text/css; charset=utf-8", STYLE),
        _ => Refusal::NotFound.into_response(),
    }
}

fn file(content_type: &'static str, content: &'static str) -> Response {
    // Small, and a site must not run yesterday's with today's gateway for long.
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "public, max-age=300")];
    secured((headers, content).into_response())
}

fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_widget_is_small_enough_for_any_page() {
        let mut gzip = Command::new("gzip")
            .args(["-9", "-c"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        gzip.stdin.take().unwrap().write_all(WIDGET.as_bytes()).unwrap();
        let size = gzip.wait_with_output().unwrap().stdout.len();
        assert!((1000..=25_000).contains(&size), "{size} bytes with gzip");
        for part in [
            include_str!("../../../assets/chat/widget.css"),
            include_str!("../../../assets/chat/template.html"),
        ] {
            assert!(
                !part.contains('`') && !part.contains("${") && !part.contains('\\'),
                "it would end the literal"
            );
        }
    }
}

//! What was posted, for a person to look at.

use std::fmt::Write;

use super::state::Message;

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"2\">\
<meta name=\"color-scheme\" content=\"light dark\"><title>Slack double</title>\
<style>body{font:16px/1.5 system-ui;max-width:45rem;margin:2rem auto;padding:0 1rem}\
pre{white-space:pre-wrap;font:inherit;margin:0 0 1.5rem}small{opacity:.7}</style>\
<h1>Slack double</h1><p>Messages that were posted to its workspaces, newest first.</p>";

pub(super) fn render(messages: &[Message]) -> String {
    let mut html = HEAD.to_owned();
    if messages.is_empty() {
        html.push_str("<p>None yet.</p>");
    }
    for message in messages.iter().rev() {
        let thread = message.thread_ts.as_deref().unwrap_or("none");
        // Writing to a String cannot fail.
        let _ = write!(
            html,
            "<article><small>{} · {} · thread {} · {}</small><pre>{}</pre></article>",
            escape(&message.team_id),
            escape(&message.channel),
            escape(thread),
            escape(&message.user),
            escape(message.shown())
        );
    }
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

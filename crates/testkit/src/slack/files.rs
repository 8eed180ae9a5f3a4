//! Files that people attached, as files.slack.com hands them out.

use std::sync::Arc;

use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};

use super::state::{Inner, State, Workspace};

/// A file that somebody attached.
#[derive(Clone, Debug)]
pub struct SharedFile {
    pub team_id: String,
    pub name: String,
    pub mimetype: String,
    pub bytes: Vec<u8>,
}

/// With the token of the file's workspace; whoever has none, or may not read files, is shown where to sign in.
pub(super) async fn download(
    Extract(state): Extract<Arc<State>>,
    Path((id, _)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let bearer =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let state = state.lock();
    let file = state.files.get(&id).filter(|file| {
        let of_file = |workspace: &&Workspace| workspace.team_id == file.team_id;
        let workspace = state.workspaces.iter().find(of_file);
        workspace
            .is_some_and(|workspace| bearer == Some(workspace.bot_token.as_str()) && workspace.reads_files)
    });
    match file {
        Some(file) => ([(header::CONTENT_TYPE, file.mimetype.clone())], file.bytes.clone()).into_response(),
        None => Html("<!DOCTYPE html><html><title>Sign in</title></html>").into_response(),
    }
}

/// `files.info`, also for files of which a delivery has only the id.
pub(super) fn info(state: &Inner, workspace: &Workspace, id: &str) -> Result<Value, &'static str> {
    if !workspace.reads_files {
        return Err("missing_scope");
    }
    let file = state.files.get(id).filter(|file| file.team_id == workspace.team_id);
    let file = file.ok_or("file_not_found")?;
    let mut described = described(&state.origin, id, file);
    described["shares"] = state.shares.get(id).cloned().unwrap_or_else(|| json!({}));
    Ok(json!({ "ok": true, "file": described }))
}

/// An entry of an event's `files`.
pub(super) fn described(origin: &str, id: &str, file: &SharedFile) -> Value {
    let url = format!("{origin}/files-pri/{id}/download/{}", file.name);
    json!({
        "id": id, "name": file.name, "mimetype": file.mimetype, "size": file.bytes.len(), "mode": "hosted",
        "url_private": url, "url_private_download": url,
    })
}

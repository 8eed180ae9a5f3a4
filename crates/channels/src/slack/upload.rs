//! A text as a file in a thread, in three calls: Slack names an address, takes the bytes there, and shows the file. It
//! shows it some time after it said so, and sometimes never.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::api::{Client, check_status};
use super::envelope::text;
use super::status::Thread;
use crate::download::Downloads;
use crate::{SendError, long};

/// When to look whether the file is shown.
const LOOKS: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// What people see of the file beside its beginning.
const TITLE: &str = "The whole answer";

impl Client {
    /// Lays a file down at Slack, where nobody sees it. Returns its id.
    pub(super) async fn upload(
        &self,
        files: &Downloads,
        token: &SecretString,
        name: &str,
        content: &str,
    ) -> Result<String, SendError> {
        let length = content.len().to_string();
        let arguments = [("filename", name), ("length", length.as_str())];
        let answer = self.form("files.getUploadURLExternal", token, &arguments).await;
        let answer = answer.map_err(SendError::undelivered)?;
        let (Some(url), Some(id)) = (text(&answer, "upload_url"), text(&answer, "file_id")) else {
            return Err(rejected("Slack names no address for the file"));
        };
        if !files.has(url) {
            return Err(rejected("Slack names an address for the file that is none of its own"));
        }
        self.put(url, content).await.map_err(SendError::undelivered)?;
        Ok(id.to_owned())
    }

    /// The address itself is the permission; the token stays here.
    async fn put(&self, url: &str, content: &str) -> Result<(), SendError> {
        let request = self.http.post(url).timeout(long::TIME).header("content-type", long::MEDIA_TYPE);
        let response = request
            .body(content.to_owned())
            .send()
            .await
            .map_err(|error| SendError::Transient { reason: error.without_url().to_string() })?;
        check_status(&response)
    }

    /// Shows a file that was laid down in a thread.
    pub(super) async fn share(
        &self,
        token: &SecretString,
        thread: Thread<'_>,
        file: &str,
    ) -> Result<String, SendError> {
        let arguments = json!({
            "files": [{ "id": file, "title": TITLE }], "channel_id": thread.channel, "thread_ts": thread.ts,
        });
        self.post("files.completeUploadExternal", token, &arguments).await?;
        for pause in LOOKS {
            tokio::time::sleep(pause).await;
            match self.get("files.info", token, &[("file", file)]).await {
                Ok(answer) if is_shown(&answer["file"], thread.channel) => return Ok(file.to_owned()),
                // Who may not look has to believe what Slack said.
                Err(SendError::CredentialsRejected { .. }) => return Ok(file.to_owned()),
                _ => {}
            }
        }
        Err(SendError::InDoubt { reason: "Slack has taken the file and does not show it yet".to_owned() })
    }
}

fn is_shown(file: &Value, channel: &str) -> bool {
    let shares = ["public", "private"].into_iter().map(|kind| &file["shares"][kind][channel]);
    let lists = ["channels", "groups", "ims"].into_iter().filter_map(|kind| file[kind].as_array());
    shares.into_iter().any(Value::is_array) || lists.flatten().any(|shown| shown == channel)
}

fn rejected(reason: &str) -> SendError {
    SendError::Rejected { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_shown_where_slack_says_so_in_one_of_its_ways() {
        for shown in [
            json!({"shares": {"public": {"C1": [{"ts": "1.0"}]}}}),
            json!({"shares": {"private": {"C1": [{"ts": "1.0"}]}}}),
            json!({"shares": {}, "ims": ["C1"]}),
            json!({"channels": ["C0", "C1"]}),
        ] {
            assert!(is_shown(&shown, "C1") && !is_shown(&shown, "C2"), "{shown}");
        }
        for hidden in
            [json!(null), json!({"shares": {}}), json!({"shares": {"public": {"C2": []}}, "ims": []})]
        {
            assert!(!is_shown(&hidden, "C1"), "{hidden}");
        }
    }
}

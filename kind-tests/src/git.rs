//! A git repository behind smart HTTP, as a GitOps tool fetches it: `git http-backend`, with this process as its web server.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Request, Response, StatusCode, header};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

/// Nobody fetches more than a few references of a small repository.
const REQUEST_MAX: usize = 1 << 20;

/// Clients append to the address, and `git http-backend` takes no path with two slashes.
const REPOSITORY: &str = "/fleet.git";

pub struct GitServer {
    folder: tempfile::TempDir,
    pub url: String,
    server: JoinHandle<()>,
}

impl GitServer {
    /// An empty repository with the branch `main`, served on this machine for as long as the value lives.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir().context("making a folder for a repository")?;
        git(folder.path(), &["init", "--quiet", "--initial-branch=main"]).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listening for git")?;
        let url = format!("http://{}{REPOSITORY}", listener.local_addr()?);
        let app = Router::new().fallback(backend).with_state(folder.path().join(".git"));
        let server = tokio::spawn(async move {
            // It ends with the test.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { folder, url, server })
    }

    /// Where to put what is to be committed.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the repository.
    pub fn write(&self, path: &str, text: &str) -> Result<()> {
        let path = self.folder().join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
        }
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// Replaces words of a file, which must be there.
    pub fn replace(&self, path: &str, from: &str, to: &str) -> Result<()> {
        let text = std::fs::read_to_string(self.folder().join(path)).with_context(|| path.to_owned())?;
        ensure!(text.contains(from), "{path} does not contain {from:?}");
        self.write(path, &text.replace(from, to))
    }

    /// Commits everything that changed; returns the commit's hash.
    pub async fn commit(&self, what: &str) -> Result<String> {
        git(self.folder(), &["add", "--all"]).await?;
        git(self.folder(), &["commit", "--quiet", "--message", what]).await?;
        Ok(git(self.folder(), &["rev-parse", "HEAD"]).await?.trim().to_owned())
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let identity = ["-c", "user.name=e2e", "-c", "user.email=e2e@example.com", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").current_dir(folder).args(identity).args(arguments).output().await;
    let output = output.context("starting git: is it on the PATH?")?;
    ensure!(
        output.status.success(),
        "git {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).context("git printed something that is not UTF-8")
}

async fn backend(State(repository): State<PathBuf>, request: Request<Body>) -> Response<Body> {
    match answer(&repository, request).await {
        Ok(response) => response,
        Err(error) => {
            let mut response = Response::new(Body::from(format!("{error:#}")));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

/// One request by the rules of CGI, which is what `git http-backend` speaks.
async fn answer(repository: &Path, request: Request<Body>) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let text =
        |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let path = head.uri.path().strip_prefix(REPOSITORY).context("there is one repository here")?;
    let body = axum::body::to_bytes(body, REQUEST_MAX).await.context("reading a request of git")?;
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", repository)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", head.method.as_str())
        .env("PATH_INFO", path)
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", text(header::CONTENT_TYPE))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", text(header::CONTENT_ENCODING))
        .env("GIT_PROTOCOL", text(header::HeaderName::from_static("git-protocol")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("starting git http-backend")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(&body).await.context("writing to git http-backend")?;
    }
    response(child.wait_with_output().await.context("waiting for git http-backend")?.stdout)
}

fn response(output: Vec<u8>) -> Result<Response<Body>> {
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").context("no headers from git")?;
    let headers = std::str::from_utf8(&output[..end]).context("headers that are not UTF-8")?.to_owned();
    let mut response = Response::builder();
    for (name, value) in headers.lines().filter_map(|line| line.split_once(": ")) {
        response = match name {
            "Status" => response.status(value.split(' ').next().unwrap_or_default()),
            _ => response.header(name, value),
        };
    }
    response.body(Body::from(Bytes::from(output).slice(end + 4..))).context("an answer of git")
}

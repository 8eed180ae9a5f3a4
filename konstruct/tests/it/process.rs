//! `konstruct dev` as a child process, on a copy of the samples.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) struct Dev {
    pub(crate) banner: Vec<String>,
    pub(crate) manifests: PathBuf,
    child: Child,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
    _base: TempDir,
}

impl Dev {
    pub(crate) async fn start() -> Self {
        let base = tempfile::tempdir().unwrap();
        // PostgreSQL runs as another user when this is root.
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let manifests = base.path().join("manifests");
        copy_samples(&manifests);
        let mut child = Command::new(env!("CARGO_BIN_EXE_konstruct"))
            .arg("dev")
            .arg(&manifests)
            .args(["--port", "0", "--slack-port", "0", "--state"])
            .arg(base.path().join("state"))
            .env("KONSTRUCT_DEV_MODEL", "scripted")
            .env_remove("DATABASE_URL")
            .env_remove("REDIS_URL")
            .env_remove("SLACK_BASE_URL")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut dev = Self { banner: Vec::new(), manifests, child, stdout, stderr, _base: base };
        loop {
            let line = dev.said("").await;
            let last = line.starts_with("Ctrl-C");
            dev.banner.push(line);
            if last {
                return dev;
            }
        }
    }

    /// The next line on standard output that contains `text`.
    pub(crate) async fn said(&mut self, text: &str) -> String {
        next(&mut self.stdout, text).await
    }

    /// The next line on standard error that contains `text`.
    pub(crate) async fn warned(&mut self, text: &str) -> String {
        next(&mut self.stderr, text).await
    }

    /// The first word that begins with http of the banner's line about `what`.
    pub(crate) fn address(&self, what: &str) -> String {
        let line = self.banner.iter().find(|line| line.contains(what)).unwrap();
        line.split_whitespace()
            .find(|word| word.starts_with("http"))
            .unwrap()
            .trim_end_matches('/')
            .to_owned()
    }

    /// Replaces a text in one of the manifests.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.manifests.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// What Ctrl-C does.
    pub(crate) async fn interrupt(mut self) -> ExitStatus {
        // The shell's own `kill`: a small Debian has no program of that name.
        let kill = format!("kill -INT {}", self.child.id().unwrap());
        assert!(Command::new("sh").args(["-c", &kill]).status().await.unwrap().success());
        timeout(PATIENCE, self.child.wait()).await.expect("it stops").unwrap()
    }
}

async fn next<R: AsyncRead + Unpin>(lines: &mut Lines<BufReader<R>>, text: &str) -> String {
    let wanted = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it runs on");
            if line.contains(text) {
                return line;
            }
        }
    };
    timeout(PATIENCE, wanted).await.unwrap_or_else(|_| panic!("nothing said {text:?}"))
}

fn copy_samples(to: &Path) {
    fs::create_dir(to).unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/samples");
    for entry in fs::read_dir(samples).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

//! The real Flux controllers, as processes of this machine with the rights that Flux has by default: an administrator's.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::api::{Api, DynamicObject};
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::cluster::Cluster;
use crate::git::GitServer;
use crate::objects::{Kind, await_object, condition, text};
use crate::{kubectl, platform};

/// Where the example puts its objects.
pub const NAMESPACE: &str = "konstruct-gitops";
const EXAMPLE: &str = "manifests/gitops/flux/konstruct.yaml";

/// Both controllers. They end with the value.
pub struct Flux {
    _controllers: [Child; 2],
    _storage: tempfile::TempDir,
}

impl Flux {
    pub async fn start() -> Result<Self> {
        let programs = std::env::var("KONSTRUCT_FLUX").map(PathBuf::from).context(
            "KONSTRUCT_FLUX must name the folder of the Flux controllers: use kind-tests/run --gitops",
        )?;
        for name in ["source-controller.yaml", "kustomize-controller.yaml"] {
            kubectl::apply_path_names(&programs.join(name)).await?;
        }
        let storage = tempfile::tempdir().context("making a folder for Flux")?;
        let artifacts = format!("127.0.0.1:{}", free_port()?);
        let path = format!("--storage-path={}", storage.path().display());
        let (listen, advertised) =
            (format!("--storage-addr={artifacts}"), format!("--storage-adv-addr={artifacts}"));
        let source = controller(&programs, "source-controller", &[&path, &listen, &advertised])?;
        let kustomize = controller(&programs, "kustomize-controller", &["--requeue-dependency=1s"])?;
        Ok(Self { _controllers: [source, kustomize], _storage: storage })
    }
}

fn controller(programs: &Path, name: &str, arguments: &[&str]) -> Result<Child> {
    let log = programs.join(format!("{name}.log"));
    let log = std::fs::File::create(&log).with_context(|| format!("making {}", log.display()))?;
    Command::new(programs.join(name))
        .args(["--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0"])
        .args(arguments)
        .env("RUNTIME_NAMESPACE", NAMESPACE)
        .stdout(log.try_clone().context("sharing a log")?)
        .stderr(log)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting Flux's {name}"))
}

fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("looking for a free port")?;
    Ok(listener.local_addr()?.port())
}

/// The objects of `manifests/gitops/flux` for this repository, with intervals that a test can wait for.
pub struct Fleet {
    kustomizations: Api<DynamicObject>,
}

impl Fleet {
    pub async fn follow(cluster: &Cluster, git: &GitServer) -> Result<Self> {
        let example = platform::repository().join(EXAMPLE);
        let mut yaml =
            std::fs::read_to_string(&example).with_context(|| format!("reading {}", example.display()))?;
        for (from, to) in [
            ("https://git.example.com/fleet.git", git.url.as_str()),
            (" interval: 1m\n", " interval: 1s\n"),
            (" interval: 10m\n", " interval: 3s\n"),
            (" retryInterval: 1m\n", " retryInterval: 2s\n"),
        ] {
            ensure!(yaml.contains(from), "{EXAMPLE} does not contain {from:?}");
            yaml = yaml.replace(from, to);
        }
        kubectl::apply(&yaml).await?;
        Ok(Self { kustomizations: cluster.api(Kind::Kustomization, NAMESPACE) })
    }

    /// Waits until Flux has applied a commit and found everything in it healthy.
    pub async fn is_ready(&self, name: &str, commit: &str, within: Duration) -> Result<()> {
        let ready = |object: Option<&DynamicObject>| {
            object.is_some_and(|object| {
                let at = object.data["status"]["lastAppliedRevision"].as_str().unwrap_or_default();
                at.ends_with(commit) && condition(object, "Ready").is_some_and(|c| c["status"] == "True")
            })
        };
        await_object(&self.kustomizations, name, &format!("Ready at {commit}"), ready, within).await?;
        Ok(())
    }

    /// Waits until Flux says that something in a commit is not healthy; returns what it says.
    pub async fn is_unhealthy(&self, name: &str, commit: &str, within: Duration) -> Result<String> {
        let failed = |object: &DynamicObject| -> Option<Value> {
            let at = object.data["status"]["lastAttemptedRevision"].as_str().unwrap_or_default();
            let ready = condition(object, "Ready")?;
            (at.ends_with(commit) && text(ready, "reason") == "HealthCheckFailed").then(|| ready.clone())
        };
        let what = format!("unhealthy at {commit}");
        let is = |object: Option<&DynamicObject>| object.and_then(failed).is_some();
        let object = await_object(&self.kustomizations, name, &what, is, within).await?;
        Ok(failed(&object).map(|ready| text(&ready, "message").to_owned()).unwrap_or_default())
    }

    /// Stops following, which prunes what was applied.
    pub async fn leave(self) -> Result<()> {
        let kind = "kustomization.kustomize.toolkit.fluxcd.io";
        for name in ["agents", "tenants"] {
            kubectl::run(&["delete", kind, name, "--namespace", NAMESPACE, "--timeout=120s"]).await?;
        }
        kubectl::run(&["delete", "namespace", NAMESPACE, "--timeout=60s"]).await?;
        Ok(())
    }
}

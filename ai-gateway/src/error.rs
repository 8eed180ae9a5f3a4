//! Why the ai-gateway does not run. Each text says what to do.

use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {source}; check that the file is mounted and readable", path.display())]
    ReadSecretFile { path: PathBuf, source: std::io::Error },
    #[error("{} is empty; put the value into it", path.display())]
    EmptySecretFile { path: PathBuf },
    #[error("cannot listen on {address}: {source}; choose another address or stop what uses it")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("cannot set up the store: {0}")]
    Store(#[from] konstruct_store::Error),
    #[error("cannot use the encryption key for provider secrets: {0}")]
    Key(#[from] konstruct_store::KeyError),
    #[error("cannot set up the queue: {0}")]
    Queue(#[from] konstruct_queue::Error),
    #[error("cannot reach the Kubernetes API: {0}; run in a pod with a service account, or set KUBECONFIG")]
    Kubernetes(#[source] kube::Error),
    #[error("cannot find out how to reach the Kubernetes API: {0}; run in a pod, or set KUBECONFIG")]
    KubernetesConfig(#[source] kube::config::InferConfigError),
    #[error("cannot set up the place for files: {0}")]
    Media(#[from] konstruct_media::Error),
    #[error(transparent)]
    HttpClient(#[from] konstruct_llm::BuildClient),
    #[error("the HTTP server ended: {0}")]
    Serve(#[source] std::io::Error),
}

//! Why nothing could be verified at all.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no Kubernetes cluster: set KUBECONFIG or run in a pod ({0})")]
    FindKubernetes(#[source] kube::config::InferConfigError),
    #[error("cannot set up the Kubernetes client: {0}")]
    Client(#[source] kube::Error),
    #[error("cannot list Tenants: {0}; the definitions come with `konstruct crd`")]
    ListTenants(#[source] kube::Error),
    #[error("no Tenant {0:?}: `kubectl get tenants` lists those there are")]
    NoSuchTenant(String),
    #[error("there is no Tenant to verify: create one, and best a second one to keep it apart from")]
    NoTenants,
    #[error("cannot write the report: {0}")]
    Print(#[source] std::io::Error),
    #[error("cannot print the report as JSON: {0}")]
    Json(#[source] serde_json::Error),
    #[error("cannot write the condition IsolationVerified of Tenant {tenant:?}: {source}")]
    WriteCondition { tenant: String, source: kube::Error },
}

/// Why one probe could not run. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Obstacle {
    #[error("{doing}: {source}")]
    Kubernetes { doing: String, source: kube::Error },
    #[error("{0}")]
    Missing(String),
}

impl Obstacle {
    pub(crate) fn of(doing: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let doing = doing.into();
        |source| Self::Kubernetes { doing, source }
    }
}

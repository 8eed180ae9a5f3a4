//! The operator, the proxy before it, and what is done to a subject with both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use konstruct_kind_tests::datastores::{Postgres, Redis};
use konstruct_kind_tests::objects::{Kind, api, await_gone};
use konstruct_kind_tests::{Cluster, kubectl, quota};
use kube::Config;
use tokio::sync::Mutex;

use crate::fault::Fault;
use crate::operator::{self, Operator};
use crate::oracle;
use crate::proxy::Proxy;
use crate::scenario::{Scenario, Subject};
use crate::world::{State, differences, observe};

/// Longest time to the end state, with the operator's own delays after errors.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// No write for this long is the end of what follows from an act. Longer than the operator gathers events.
const QUIET: Duration = Duration::from_millis(1500);
/// How often an act is done that does not get as far as its fault.
const ACTS: usize = 3;
/// How long a restarted API server may be away.
const SERVER_AWAY: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What an undisturbed run was like.
pub(crate) struct Learned {
    pub(crate) reference: State,
    pub(crate) writes: usize,
    pub(crate) events: usize,
}

/// Whether the fault met what it was meant for. How many events a watch is sent depends on how fast they are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Struck {
    Yes,
    No,
}

/// One operator behind a proxy.
pub(crate) struct Bench {
    pub(crate) cluster: Cluster,
    pub(crate) proxy: Proxy,
    pub(crate) operator: Operator,
    postgres: Mutex<Postgres>,
    /// Holds the operator's kubeconfig.
    _folder: Folder,
}

impl Bench {
    pub(crate) async fn set_up(cluster: Cluster) -> Result<Self> {
        quota::await_counting(&cluster).await?;
        let config = Config::infer().await.context("no cluster: set KUBECONFIG")?;
        let certificates =
            config.root_cert.clone().context("the kubeconfig names no certificate authority")?;
        let certificates = certificates.iter().map(|der| reqwest::Certificate::from_der(der));
        let http = reqwest::Client::builder()
            .tls_certs_only(certificates.collect::<Result<Vec<_>, _>>()?)
            .http1_only()
            .build()?;
        let upstream = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let process = Arc::new(operator::State::default());
        let proxy = Proxy::start(http, upstream, Arc::clone(&process)).await?;
        let token =
            std::env::var("KONSTRUCT_OPERATOR_TOKEN").context("KONSTRUCT_OPERATOR_TOKEN is missing")?;
        let folder = Folder::new()?;
        let kubeconfig = folder.write("kubeconfig", &kubeconfig(&proxy.address.to_string(), &token))?;
        let operator = Operator::start(process, &kubeconfig)?;
        let postgres = Mutex::new(Postgres::open().await?);
        Ok(Self { cluster, proxy, operator, postgres, _folder: folder })
    }

    /// The end state without a fault, and how many writes lead to it.
    pub(crate) async fn learn(&self, scenario: Scenario) -> Result<Learned> {
        let subject = self.prepare(scenario).await?;
        self.proxy.watch(&subject.slug, None);
        scenario.act(&subject).await?;
        let reference = self.settled(scenario, &subject).await?;
        let (writes, events) = (self.proxy.writes(), self.proxy.events());
        let wrong = oracle::judge(&writes, &subject);
        ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        let writes = writes.iter().filter(|write| write.about_subject).count();
        Ok(Learned { reference, writes, events })
    }

    /// One act with one fault. An act does not always take the same number of writes: two conditions may become true at once.
    /// So one that did not get as far as the fault is done again.
    pub(crate) async fn point(
        &self,
        scenario: Scenario,
        kept: &mut Option<Subject>,
        fault: (usize, Fault),
        reference: &State,
    ) -> Result<Struck> {
        for _ in 1..ACTS {
            if let Struck::Yes = self.act(scenario, kept, fault, reference).await? {
                return Ok(Struck::Yes);
            }
        }
        self.act(scenario, kept, fault, reference).await
    }

    async fn act(
        &self,
        scenario: Scenario,
        kept: &mut Option<Subject>,
        fault: (usize, Fault),
        reference: &State,
    ) -> Result<Struck> {
        let subject = match kept.take() {
            Some(subject) => subject,
            None => self.prepare(scenario).await?,
        };
        self.proxy.watch(&subject.slug, Some(fault));
        self.insist(|| scenario.act(&subject)).await.context("the act")?;
        let struck = self.reaches(scenario, &subject, reference).await?;
        let wrong = oracle::judge(&self.proxy.writes(), &subject);
        ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        if !matches!(scenario, Scenario::TenantCreate | Scenario::TenantDelete) {
            self.proxy.watch(&subject.slug, None);
            self.insist(|| scenario.undo(&subject)).await.context("undoing the act")?;
            self.settled(scenario, &subject).await?;
            *kept = Some(subject);
        }
        Ok(struck)
    }

    /// Does it again while the API server is away. Everything that is done here may be done twice.
    async fn insist<F: Future<Output = Result<()>>>(&self, act: impl Fn() -> F) -> Result<()> {
        let begun = Instant::now();
        loop {
            match act().await {
                Err(_) if begun.elapsed() < SERVER_AWAY => tokio::time::sleep(LOOK_AGAIN).await,
                result => return result,
            }
        }
    }

    /// A subject in the state before the act.
    async fn prepare(&self, scenario: Scenario) -> Result<Subject> {
        let subject = Subject::new();
        if !scenario.begins_with_nothing() {
            self.proxy.watch(&subject.slug, None);
            Scenario::TenantCreate.act(&subject).await?;
            self.settled(Scenario::TenantCreate, &subject).await?;
            if scenario == Scenario::Resume {
                Scenario::Suspend.act(&subject).await?;
                self.settled(Scenario::Suspend, &subject).await?;
            }
        }
        Ok(subject)
    }

    /// Waits until nothing is written any more; returns what there is then.
    async fn settled(&self, scenario: Scenario, subject: &Subject) -> Result<State> {
        let begun = Instant::now();
        loop {
            let quiet = self.proxy.quiet();
            if begun.elapsed() > QUIET && quiet > QUIET && quiet != Duration::MAX {
                break;
            }
            ensure!(begun.elapsed() < PATIENCE, "it does not come to rest");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        if scenario == Scenario::TenantDelete {
            await_gone(&self.cluster.cluster_api(Kind::Tenant), &subject.slug, PATIENCE).await?;
        }
        self.observe(subject).await
    }

    async fn reaches(&self, scenario: Scenario, subject: &Subject, reference: &State) -> Result<Struck> {
        let begun = Instant::now();
        loop {
            let found = self.observe(subject).await;
            let differences = match &found {
                Ok(found) => differences(reference, found),
                Err(error) => vec![format!("{error:#}")],
            };
            let gone = scenario != Scenario::TenantDelete
                || found.is_ok_and(|found| !found.contains_key(&format!("{:?}", Kind::Tenant)));
            let settled = differences.is_empty() && gone && self.proxy.quiet() > QUIET;
            if settled && self.proxy.has_struck() {
                return Ok(Struck::Yes);
            }
            if settled && begun.elapsed() > 4 * QUIET {
                return Ok(Struck::No);
            }
            if begun.elapsed() > PATIENCE {
                ensure!(differences.is_empty(), "the end is another one: {}", differences.join("; "));
                bail!("it does not come to rest");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// What there is of a subject.
    pub(crate) async fn observe(&self, subject: &Subject) -> Result<State> {
        observe(&self.cluster.client, &self.postgres, subject).await
    }

    /// What is left of all subjects when all are deleted.
    pub(crate) async fn left_over(&self) -> Result<Vec<String>> {
        kubectl::run(&["wait", "--for=delete", "tenant", "--all", "--timeout=300s"]).await?;
        let namespaces = api(&self.cluster.client, Kind::Namespace, None)
            .list(&kube::api::ListParams::default().labels("konstruct.dev/tenant"))
            .await?;
        let mut left: Vec<String> =
            namespaces.items.into_iter().filter_map(|namespace| namespace.metadata.name).collect();
        left.extend(self.postgres.lock().await.roles_like("kt_fault_%").await?);
        let mut redis = Redis::open().await?;
        left.extend(redis.users_with("kt-fault-").await?);
        Ok(left)
    }
}

fn kubeconfig(address: &str, token: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: proxy\n\
         clusters: [{{name: proxy, cluster: {{server: \"http://{address}\"}}}}]\n\
         users: [{{name: operator, user: {{token: {token}}}}}]\n\
         contexts: [{{name: proxy, context: {{cluster: proxy, user: operator}}}}]\n"
    )
}

/// A folder that goes with this value.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("konstruct-faults-{}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(path))
    }

    fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.0.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path.to_string_lossy().into_owned())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

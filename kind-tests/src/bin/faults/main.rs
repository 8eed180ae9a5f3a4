//! Disturbs the operator and looks whether the end is the same: `kind-tests/run --faults`.
//!
//! For every scenario an undisturbed run is the reference and says how many writes and events of watches there are. Then
//! each of them is hit once by each fault, and the end must equal the reference, the history must be a safe one, and quiet must follow.

mod failover;
mod fault;
mod operator;
mod options;
mod oracle;
mod proxy;
mod scenario;
mod sequences;
mod watch;
mod world;

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use konstruct_kind_tests::objects::{Kind, api, await_gone};
use konstruct_kind_tests::{Cluster, kubectl, quota};
use kube::Config;

use fault::Fault;
use operator::Operator;
use options::{Options, What};
use proxy::Proxy;
use scenario::{Scenario, Subject};
use world::{State, differences, observe};

/// Longest time to the end state, with the operator's own delays after errors.
const PATIENCE: Duration = Duration::from_secs(90);
/// No write for this long is the end of what follows from an act. Longer than the operator gathers events.
const QUIET: Duration = Duration::from_millis(1500);
/// How long a restarted API server may be away.
const SERVER_AWAY: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::read()?;
    let cluster = Cluster::with_definitions().await?;
    let bench = Bench::set_up(cluster).await?;
    match options.what {
        What::Points => points(&bench, &options).await,
        What::Failover => failover::fail_over(&bench).await,
        What::Sequences(count) => sequences::run(&bench, count, options.seed).await,
    }?;
    let left = bench.left_over().await?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    Ok(())
}

/// Each place of each scenario with each fault.
async fn points(bench: &Bench, options: &Options) -> Result<()> {
    let (mut points, mut survived, mut skipped, mut missed) = (0, 0, 0, 0);
    let mut counter = 0;
    for scenario in options.scenarios.iter().copied() {
        let Learned { reference, writes, events } =
            bench.learn(scenario).await.with_context(|| format!("learning {}", scenario.name()))?;
        say(&format!("{}: {writes} writes, {events} events", scenario.name()))?;
        let places = if options.faults.iter().all(|fault| fault.is_of_event()) { events } else { writes };
        let mut subject = None;
        for at in 0..places {
            for fault in &options.faults {
                counter += 1;
                if counter % options.every != 0 {
                    skipped += 1;
                    continue;
                }
                points += 1;
                match bench.point(scenario, &mut subject, (at, *fault), &reference).await {
                    Ok(Struck::Yes) => survived += 1,
                    Ok(Struck::No) => missed += 1,
                    Err(error) => say(&format!("{} write {at} {fault:?}: {error:#}", scenario.name()))?,
                }
            }
        }
    }
    say(&format!(
        "{survived} of {points} points survived ({skipped} left out, {missed} not met), the operator was started {} times",
        bench.operator.starts()
    ))?;
    ensure!(survived + missed == points, "{} points did not survive", points - survived - missed);
    ensure!(missed * 4 <= points, "too many points were not met to say anything");
    Ok(())
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot write to standard output")
}

/// What an undisturbed run was like.
struct Learned {
    reference: State,
    writes: usize,
    events: usize,
}

/// Whether the fault met what it was meant for. How many events a watch is sent depends on how fast they are.
#[derive(Debug, PartialEq, Eq)]
enum Struck {
    Yes,
    No,
}

struct Bench {
    cluster: Cluster,
    proxy: Proxy,
    operator: Operator,
    /// Holds the operator's kubeconfig.
    _folder: Folder,
}

impl Bench {
    async fn set_up(cluster: Cluster) -> Result<Self> {
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
        Ok(Self { cluster, proxy, operator, _folder: folder })
    }

    /// The end state without a fault, and how many writes lead to it.
    async fn learn(&self, scenario: Scenario) -> Result<Learned> {
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

    /// One act with one fault.
    async fn point(
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
        let struck = self.reaches(scenario, &subject, (fault.1, reference)).await?;
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
        observe(&self.cluster.client, subject).await
    }

    async fn reaches(
        &self,
        scenario: Scenario,
        subject: &Subject,
        (fault, reference): (Fault, &State),
    ) -> Result<Struck> {
        let begun = Instant::now();
        loop {
            let found = observe(&self.cluster.client, subject).await;
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
            if settled && fault.is_of_event() && begun.elapsed() > 4 * QUIET {
                return Ok(Struck::No);
            }
            if begun.elapsed() > PATIENCE {
                ensure!(differences.is_empty(), "the end is another one: {}", differences.join("; "));
                ensure!(self.proxy.has_struck(), "there was no such write this time");
                bail!("it does not come to rest");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// What is left of all subjects when all are deleted.
    async fn left_over(&self) -> Result<Vec<String>> {
        kubectl::run(&["wait", "--for=delete", "tenant", "--all", "--timeout=300s"]).await?;
        let namespaces = api(&self.cluster.client, Kind::Namespace, None)
            .list(&kube::api::ListParams::default().labels("konstruct.dev/tenant"))
            .await?;
        let mut left: Vec<String> =
            namespaces.items.into_iter().filter_map(|namespace| namespace.metadata.name).collect();
        let mut postgres = konstruct_kind_tests::datastores::Postgres::open().await?;
        left.extend(postgres.roles_like("kt_fault_%").await?);
        let mut redis = konstruct_kind_tests::datastores::Redis::open().await?;
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

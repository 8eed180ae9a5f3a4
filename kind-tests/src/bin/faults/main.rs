//! Disturbs the operator at each of its writes and looks whether the end is the same: `kind-tests/run --faults`.
//!
//! For every scenario an undisturbed run is the reference and says how many writes there are. Then each write is hit
//! once by each fault, and the end must equal the reference, the history must be a safe one, and quiet must follow.

mod failover;
mod operator;
mod oracle;
mod proxy;
mod scenario;
mod world;

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use konstruct_kind_tests::objects::{Kind, api, await_gone};
use konstruct_kind_tests::{Cluster, kubectl};
use kube::Config;

use operator::Operator;
use proxy::{Fault, Proxy};
use scenario::{Scenario, Subject};
use world::{State, differences, observe};

/// Longest time to the end state, with the operator's own delays after errors.
const PATIENCE: Duration = Duration::from_secs(90);
/// No write for this long is the end of what follows from an act. Longer than the operator gathers events.
const QUIET: Duration = Duration::from_millis(1500);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

const KILLS: [Fault; 3] =
    [Fault::KillBeforeForwarding, Fault::KillBeforeAnswering, Fault::KillAfterAnswering];
const ERRORS: [Fault; 9] = [
    Fault::Answer(409),
    Fault::Answer(422),
    Fault::Answer(429),
    Fault::Answer(500),
    Fault::Answer(503),
    Fault::Answer(504),
    Fault::Reset,
    Fault::Hang,
    Fault::Swallow,
];

/// `faults [--errors] [--every N] [--failover] [SCENARIO...]`
struct Options {
    faults: Vec<Fault>,
    /// Only each n-th of all points, for a smoke test.
    every: usize,
    scenarios: Vec<Scenario>,
    /// Two replicas instead of one that is disturbed.
    failover: bool,
}

impl Options {
    fn read() -> Result<Self> {
        let mut options = Self { faults: KILLS.to_vec(), every: 1, scenarios: Vec::new(), failover: false };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--failover" => options.failover = true,
                "--errors" => options.faults = ERRORS.to_vec(),
                "--every" => {
                    let number = arguments.next().and_then(|number| number.parse().ok());
                    options.every =
                        number.filter(|number| *number > 0).context("--every needs a number above 0")?;
                }
                name => match Scenario::ALL.into_iter().find(|scenario| scenario.name() == name) {
                    Some(scenario) => options.scenarios.push(scenario),
                    None => {
                        bail!("{name:?} is no scenario: there are {:?}", Scenario::ALL.map(Scenario::name))
                    }
                },
            }
        }
        if options.scenarios.is_empty() {
            options.scenarios = Scenario::ALL.to_vec();
        }
        Ok(options)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::read()?;
    let cluster = Cluster::with_definitions().await?;
    let bench = Bench::set_up(cluster).await?;
    if options.failover {
        return failover::fail_over(&bench).await;
    }
    let (mut points, mut survived, mut skipped) = (0, 0, 0);
    let mut counter = 0;
    for scenario in options.scenarios {
        let (reference, writes) =
            bench.learn(scenario).await.with_context(|| format!("learning {}", scenario.name()))?;
        say(&format!("{}: {writes} writes", scenario.name()))?;
        let mut subject = None;
        for at in 0..writes {
            for fault in &options.faults {
                counter += 1;
                if counter % options.every != 0 {
                    skipped += 1;
                    continue;
                }
                points += 1;
                match bench.point(scenario, &mut subject, (at, *fault), &reference).await {
                    Ok(()) => survived += 1,
                    Err(error) => say(&format!("{} write {at} {fault:?}: {error:#}", scenario.name()))?,
                }
            }
        }
    }
    let left = bench.left_over().await?;
    say(&format!(
        "{survived} of {points} points survived ({skipped} left out), the operator was started {} times",
        bench.operator.starts()
    ))?;
    ensure!(left.is_empty(), "left behind: {left:?}");
    ensure!(survived == points, "{} points did not survive", points - survived);
    Ok(())
}

fn say(line: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{line}").context("cannot write to standard output")
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
    async fn learn(&self, scenario: Scenario) -> Result<(State, usize)> {
        let subject = self.prepare(scenario).await?;
        self.proxy.watch(&subject.slug, None);
        scenario.act(&subject).await?;
        let state = self.settled(scenario, &subject).await?;
        let writes = self.proxy.writes();
        let wrong = oracle::judge(&writes, &subject);
        ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        Ok((state, writes.iter().filter(|write| write.about_subject).count()))
    }

    /// One act with one fault.
    async fn point(
        &self,
        scenario: Scenario,
        kept: &mut Option<Subject>,
        fault: (usize, Fault),
        reference: &State,
    ) -> Result<()> {
        let subject = match kept.take() {
            Some(subject) => subject,
            None => self.prepare(scenario).await?,
        };
        self.proxy.watch(&subject.slug, Some(fault));
        scenario.act(&subject).await.context("the act")?;
        self.reaches(scenario, &subject, reference).await?;
        ensure!(self.proxy.has_struck(), "there was no such write this time");
        let wrong = oracle::judge(&self.proxy.writes(), &subject);
        ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        if !matches!(scenario, Scenario::TenantCreate | Scenario::TenantDelete) {
            self.proxy.watch(&subject.slug, None);
            scenario.undo(&subject).await.context("undoing the act")?;
            self.settled(scenario, &subject).await?;
            *kept = Some(subject);
        }
        Ok(())
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

    async fn reaches(&self, scenario: Scenario, subject: &Subject, reference: &State) -> Result<()> {
        let begun = Instant::now();
        loop {
            let found = observe(&self.cluster.client, subject).await?;
            let differences = differences(reference, &found);
            let gone = scenario != Scenario::TenantDelete || !found.contains_key("Tenant");
            if differences.is_empty() && gone && self.proxy.has_struck() && self.proxy.quiet() > QUIET {
                return Ok(());
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

//! One run of `konstruct dev`.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use konstruct_ai_gateway::LocalTokens;
use konstruct_crds::TenantState;
use konstruct_domain::revision::Revision;
use konstruct_queue::Bus;
use secrecy::SecretString;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::admission::Admission;
use super::banner::Banner;
use super::compile::{Compiled, Key, Known, compile};
use super::folder::Folder;
use super::keys::Keys;
use super::model::{self, FoundModel};
use super::platform::{self, Addresses, Platform, Roles};
use super::problem::Problem;
use super::publish::Publisher;
use super::runtimes::Runtimes;
use super::services::Services;
use super::slack::{Room, Workspace};
use super::watch::FolderWatch;
use super::{Args, terminal, workspaces};

const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// After a pass that PostgreSQL or Redis prevented.
const RETRY: Duration = Duration::from_secs(2);
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) struct Session {
    services: Services,
    publisher: Publisher,
    runtimes: Runtimes,
    roles: Roles,
    room: Arc<Room>,
    folder: Folder,
    admission: Admission,
    model: Option<FoundModel>,
    addresses: Addresses,
    shared_signing_secret: SecretString,
    compiled: Compiled,
    /// Published by the last pass; serving means that these are loaded.
    awaited: Vec<(Key, Revision)>,
}

impl Session {
    /// Starts the servers and the shared roles. Nothing is in force yet.
    pub(crate) async fn start(args: &Args, shutdown: &CancellationToken) -> Result<Self> {
        let mut folder = Folder::new(args.folder.clone());
        let mut admission = Admission::new();
        let reading = folder.read().with_context(|| format!("cannot read {}", args.folder.display()))?;
        let (objects, _) = admission.admit(&reading);

        let keys = Keys::open(&args.state)?;
        let starting =
            Services::start(&args.state, secret_variable("DATABASE_URL"), secret_variable("REDIS_URL"));
        let (services, model) = tokio::join!(starting, model::find());
        let services = services?;
        services.migrate(&keys).await?;

        let tokens = LocalTokens::new(keys.bytes("runtime-tokens"));
        let shared_signing_secret =
            secret_variable("SLACK_SIGNING_SECRET").unwrap_or_else(|| keys.password("shared-slack-app"));
        let real_slack = args.slack_base_url.clone().or_else(|| workspaces::real_slack(&objects));
        let (platform, addresses) =
            Platform::bind(args, real_slack, shared_signing_secret.clone(), tokens.clone()).await?;
        let publisher = Publisher {
            store: platform::operator_store(&services, &keys)?,
            bus: Bus::connect(services.redis_url())?,
            keys: keys.clone(),
        };
        let room = Arc::new(Room::default());
        let roles = platform.start(&services, &keys, Arc::clone(&room), shutdown)?;
        let runtimes =
            Runtimes { ai_gateway_url: addresses.ai_gateway.clone(), tokens, keys, running: BTreeMap::new() };
        Ok(Self {
            services,
            publisher,
            runtimes,
            roles,
            room,
            folder,
            admission,
            model,
            addresses,
            shared_signing_secret,
            compiled: Compiled::default(),
            awaited: Vec::new(),
        })
    }

    /// Brings what serves in line with the folder. Problems are shown; what they are about keeps serving as it was.
    pub(crate) async fn reload(&mut self) -> Result<Vec<String>> {
        let reading =
            self.folder.read().with_context(|| format!("cannot read {}", self.folder.path().display()))?;
        let (objects, refused) = self.admission.admit(&reading);
        let in_force = self.publisher.in_force().await?;
        let known = Known {
            keyring: self.publisher.store.keyring(),
            in_force: &in_force,
            model: self.model.as_ref(),
        };
        let compiled = compile(&objects, &known)?;
        let mut said = Vec::new();
        if self.admission.is_complete() {
            said.extend(self.remove(&compiled, &in_force).await?);
        }
        for (slug, tenant) in &compiled.tenants {
            if self.compiled.tenants.get(slug) != Some(tenant) {
                self.publisher.provision(slug, tenant).await?;
            }
            if tenant.state == TenantState::Active {
                self.runtimes.ensure(&self.services, slug, tenant.id)?;
            } else {
                self.runtimes.stop(slug).await;
            }
        }
        let changes = self.publisher.publish(&compiled).await?;
        said.extend(changes.published.iter().map(|(key, _)| format!("in force: {}", compiled.describe(key))));
        let served = changes.published.into_iter().filter(|(key, _)| compiled.is_served(key));
        self.awaited = served.collect();
        self.room.set_workspaces(self.workspaces(&compiled));

        let mut problems: Vec<Problem> =
            [reading.problems, refused, compiled.problems.clone(), changes.refused].concat();
        problems.sort();
        terminal::show_problems(&problems);
        self.compiled = compiled;
        Ok(said)
    }

    /// Takes out of force what is no longer declared, whole tenants included.
    async fn remove(&mut self, compiled: &Compiled, in_force: &BTreeSet<Key>) -> Result<Vec<String>> {
        let mut said = Vec::new();
        for (slug, id) in self.publisher.abandoned(&compiled.slugs).await? {
            self.runtimes.stop(&slug).await;
            self.publisher.erase(&slug, id).await?;
            said.push(format!("erased: tenant {slug} with everything it had"));
        }
        let withdrawn = self.publisher.withdraw(compiled, in_force).await?;
        said.extend(withdrawn.iter().map(|key| format!("no longer in force: {}", compiled.describe(key))));
        Ok(said)
    }

    /// Waits until the shared roles are ready and every change has been loaded by the role that serves it.
    pub(crate) async fn wait_until_serving(&mut self) -> Result<()> {
        if timeout(PATIENCE, self.roles.wait_until_ready()).await.is_err() {
            bail!("not ready after {} s:\n{}", PATIENCE.as_secs(), self.roles.report());
        }
        let publisher = &self.publisher;
        let awaited = &self.awaited;
        let loaded = async {
            while !publisher.all_loaded(awaited).await? {
                sleep(POLL).await;
            }
            Ok(())
        };
        match timeout(PATIENCE, loaded).await {
            Ok(outcome) => outcome,
            Err(_) => bail!("what was published is not loaded after {} s: see the log", PATIENCE.as_secs()),
        }
    }

    /// Serves until shutdown, following the folder.
    pub(crate) async fn serve(
        &mut self,
        watch: &mut FolderWatch,
        shutdown: &CancellationToken,
    ) -> Result<()> {
        let mut failed = false;
        loop {
            tokio::select! {
                // In this order: roles that end because they were told to have not failed.
                biased;
                () = shutdown.cancelled() => return Ok(()),
                failure = self.roles.first_failure() => return Err(failure),
                () = watch.changed() => {}
                () = sleep(RETRY), if failed => {}
            }
            failed = match self.follow().await {
                Ok(()) => false,
                Err(error) => {
                    tracing::warn!("the change is not in force yet, trying again: {error:#}");
                    true
                }
            };
        }
    }

    async fn follow(&mut self) -> Result<()> {
        let said = self.reload().await?;
        self.wait_until_serving().await?;
        for line in &said {
            terminal::say(line);
        }
        Ok(())
    }

    pub(crate) fn banner(&self, log: &Path, took: Duration) -> String {
        let workspaces = self.workspaces(&self.compiled);
        let banner = Banner {
            compiled: &self.compiled,
            gateway_url: &self.addresses.gateway,
            slack_page: self.addresses.slack_page.as_deref(),
            workspaces: &workspaces,
            model: self.model.as_ref(),
            services: &self.services.describe(),
            folder: self.folder.path(),
            log,
            seconds: took.as_secs_f64(),
        };
        banner.text()
    }

    fn workspaces(&self, compiled: &Compiled) -> Vec<Workspace> {
        workspaces::of(compiled, &self.addresses.gateway, &self.shared_signing_secret)
    }

    /// Stops runtimes first, so that their last replies are still committed and served.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.runtimes.stop_all().await;
        if timeout(STOP_TIMEOUT, self.roles.finish()).await.is_err() {
            tracing::warn!("a role does not stop");
        }
        self.services.stop().await
    }
}

fn secret_variable(name: &str) -> Option<SecretString> {
    env::var(name).ok().filter(|value| !value.is_empty()).map(SecretString::from)
}

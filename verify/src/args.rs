//! Flags, and the order of work: tenant after tenant, family after family.

use std::io::Write;

use clap::{Subcommand, ValueEnum};
use kube::{Client, Config};

use crate::report::{Probe, Report, TenantReport};
use crate::subject::{self, Subject};
use crate::{Error, Verdict, address, cache, condition, database, kubernetes, network, operator, tokens};

/// Verifies an installation.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Tries out, as each tenant, what keeps tenants apart. Exits with 0 if every claim holds, with 1 if one does not,
    /// with 2 if some could not be verified.
    Isolation(Isolation),
}

#[derive(Clone, Debug, clap::Args)]
struct Isolation {
    /// Verify this Tenant only.
    #[arg(long, env = "KONSTRUCT_TENANT", value_name = "NAME")]
    tenant: Option<String>,
    /// Run these families of probes only. The condition IsolationVerified is not written then.
    #[arg(long, value_name = "FAMILY", value_delimiter = ',', value_enum)]
    only: Vec<Family>,
    /// How the report is printed.
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// PostgreSQL as it is reached from here, instead of the address that runtimes use.
    #[arg(long, env = "KONSTRUCT_DATABASE_ADDRESS", value_name = "HOST:PORT")]
    database_address: Option<String>,
    /// Redis as it is reached from here, instead of the address that runtimes use.
    #[arg(long, env = "KONSTRUCT_REDIS_ADDRESS", value_name = "HOST:PORT")]
    redis_address: Option<String>,
    /// The ai-gateway as it is reached from here, instead of the address that runtimes use.
    #[arg(long, env = "KONSTRUCT_AI_GATEWAY_URL", value_name = "URL")]
    ai_gateway_url: Option<String>,
    /// An address of the internet that answers, for tenants' pods to fail at.
    #[arg(long, env = "KONSTRUCT_INTERNET_ADDRESS", value_name = "HOST:PORT", default_value = "1.1.1.1:443")]
    internet_address: String,
    #[command(flatten)]
    operator: operator::Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// For programs, with every finding.
    Json,
}

/// Probes that need the same things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Family {
    /// PostgreSQL, as the tenant's login role.
    Database,
    /// Redis, as the tenant's user.
    Cache,
    /// The Kubernetes API, about the tenant's namespace and its service account.
    Kubernetes,
    /// Tokens of the tenant's service account, at the Kubernetes API and the ai-gateway.
    Tokens,
    /// What a short-lived pod in the tenant's namespace reaches.
    Network,
}

/// Verifies, prints and, after a full run, writes the condition.
pub async fn run(args: Args) -> Result<Verdict, Error> {
    let What::Isolation(args) = args.what;
    let mut config = Config::infer().await.map_err(Error::FindKubernetes)?;
    // kube's own policy tries for hours.
    config.default_retry = false;
    let client = Client::try_from(config.clone()).map_err(Error::Client)?;
    let all = subject::all(&client).await?;
    let chosen = match &args.tenant {
        Some(name) => {
            let found = all.iter().find(|subject| subject.name == *name);
            vec![found.ok_or_else(|| Error::NoSuchTenant(name.clone()))?]
        }
        None => all.iter().collect(),
    };
    if chosen.is_empty() {
        return Err(Error::NoTenants);
    }
    let mut report = Report::default();
    for subject in chosen {
        let probes = Box::pin(verify(&config, &client, &args, subject, &all)).await;
        let verified = TenantReport { tenant: subject.name.clone(), probes };
        if args.only.is_empty() {
            condition::write(&client, subject, &verified).await?;
        }
        report.tenants.push(verified);
    }
    print(&report, args.output)?;
    Ok(report.verdict())
}

async fn verify(
    config: &Config,
    client: &Client,
    args: &Isolation,
    subject: &Subject,
    all: &[Subject],
) -> Vec<Probe> {
    let wanted = |family| args.only.is_empty() || args.only.contains(&family);
    let others: Vec<&Subject> = all.iter().filter(|other| other.id != subject.id).collect();
    let other = subject::somebody_else(&others);
    let credentials = subject.credentials(client).await;
    let settings = operator::settings(client, &args.operator).await;
    let url = |key, address: &Option<String>| {
        let credentials = credentials.as_ref().map_err(Clone::clone)?;
        credentials.url(key).map(|url| address::redirected(&url, address.as_deref()))
    };
    let mut probes = Vec::new();
    if wanted(Family::Database) {
        let url = url(subject::DATABASE_URL, &args.database_address);
        probes.extend(database::probes(url, subject.id, other).await);
    }
    if wanted(Family::Cache) {
        let url = url(subject::REDIS_URL, &args.redis_address);
        probes.extend(cache::probes(url, subject.id, other).await);
    }
    if wanted(Family::Kubernetes) {
        probes.extend(kubernetes::probes(client, subject, &others, settings.clone()).await);
    }
    if wanted(Family::Tokens) {
        let declared = || Ok(settings.as_ref().map_err(Clone::clone)?.runtime.ai_gateway_url.clone());
        let ai_gateway = args.ai_gateway_url.clone().map_or_else(declared, Ok);
        probes.extend(tokens::probes(config, client, subject, &others, ai_gateway).await);
    }
    if wanted(Family::Network) {
        let (credentials, settings) =
            (credentials.as_ref().map_err(Clone::clone), settings.as_ref().map_err(Clone::clone));
        let internet = &args.internet_address;
        probes.extend(network::probes(client, subject, &others, credentials, settings, internet).await);
    }
    probes
}

fn print(report: &Report, output: Output) -> Result<(), Error> {
    let text = match output {
        Output::Table => report.to_string(),
        Output::Json => serde_json::to_string_pretty(report).map_err(Error::Json)? + "\n",
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(Error::Print)
}

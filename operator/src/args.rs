//! `konstruct operator`: flags, files with secrets, ports.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use konstruct_controllers::settings::{Destination, NetworkSettings, RuntimeSettings, TenantNamespaces};
use konstruct_controllers::{Backends, Role, Settings};
use konstruct_domain::Slug;
use konstruct_queue::Bus;
use konstruct_store::{Keyring, Store};
use konstruct_telemetry::{Readiness, serve_admin};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{Config, Error, serve};

/// Turns the custom resources of a cluster into tenants' namespaces and compiled configuration.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Which of the operator's two identities this process has. Both without it, for development: the rights of both
    /// are needed then.
    #[arg(long, env = "KONSTRUCT_OPERATOR_ROLE", value_name = "ROLE")]
    role: Option<Identity>,
    /// Where probes and scrapers reach the operator. Never public.
    #[arg(long, env = "KONSTRUCT_ADMIN_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:9090")]
    admin_listen: SocketAddr,
    #[command(flatten)]
    backends: BackendArgs,
    /// PostgreSQL as tenants' runtimes reach it, without user and password: postgres://host:5432/database
    #[arg(long, env = "KONSTRUCT_TENANT_DATABASE_ADDRESS", value_name = "ADDRESS")]
    tenant_database_address: String,
    /// Redis as tenants' runtimes reach it, without user and password: redis://host:6379
    #[arg(long, env = "KONSTRUCT_TENANT_REDIS_ADDRESS", value_name = "ADDRESS")]
    tenant_redis_address: String,
    /// The operator's own namespace. LLMProviders there are shared.
    #[arg(long, env = "KONSTRUCT_NAMESPACE", value_name = "NAME", default_value = "konstruct-system")]
    namespace: String,
    /// The workload controller's service account, which gets its rights in each tenant's namespace.
    #[arg(
        long,
        env = "KONSTRUCT_SERVICE_ACCOUNT",
        value_name = "NAME",
        default_value = "konstruct-operator"
    )]
    service_account: String,
    /// Namespaces of tenants, such as kt-acme,kt-globex. Everything else is left alone. Without it: all tenants.
    #[arg(long, env = "KONSTRUCT_WATCH_NAMESPACES", value_name = "NAMES", value_delimiter = ',')]
    watch_namespaces: Vec<String>,
    /// The namespaces of --watch-namespaces are given, with the operator's rights in them. None is made.
    #[arg(long, env = "KONSTRUCT_NAMESPACES_GIVEN", requires = "watch_namespaces")]
    namespaces_given: bool,
    #[command(flatten)]
    runtime: RuntimeArgs,
    #[command(flatten)]
    network: NetworkArgs,
    /// Objects of one kind that are worked on at the same time.
    #[arg(
        long,
        env = "KONSTRUCT_CONCURRENCY",
        default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    concurrency: u16,
    /// The name that this replica holds the lease under: the pod's.
    #[arg(long, env = "HOSTNAME", value_name = "NAME", default_value = "operator")]
    identity: String,
}

/// The operator's identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Identity {
    /// Makes tenants' namespaces with their walls. Reaches the Kubernetes API only.
    Provisioner,
    /// Everything inside the walls, and all kinds.
    Workload,
}

/// Where tenants' data is. The provisioner needs none of it.
#[derive(Clone, Debug, clap::Args)]
struct BackendArgs {
    /// File with the PostgreSQL URL, of the role konstruct_operator.
    #[arg(long, env = "KONSTRUCT_DATABASE_URL_FILE", value_name = "PATH")]
    database_url_file: Option<PathBuf>,
    /// File with the Redis URL, of a user who may manage users.
    #[arg(long, env = "KONSTRUCT_REDIS_URL_FILE", value_name = "PATH")]
    redis_url_file: Option<PathBuf>,
    /// File with the key that encrypts channel secrets: 64 hexadecimal digits.
    #[arg(long, env = "KONSTRUCT_CHANNEL_KEY_FILE", value_name = "PATH")]
    channel_key_file: Option<PathBuf>,
    /// File with the key that encrypts provider secrets: 64 hexadecimal digits.
    #[arg(long, env = "KONSTRUCT_PROVIDER_KEY_FILE", value_name = "PATH")]
    provider_key_file: Option<PathBuf>,
    /// Most connections to PostgreSQL.
    #[arg(
        long,
        env = "KONSTRUCT_DATABASE_CONNECTIONS",
        default_value_t = 8,
        value_parser = clap::value_parser!(u32).range(2..=1000)
    )]
    database_connections: u32,
}

impl BackendArgs {
    fn connect(&self) -> Result<Backends, Error> {
        let database_url = read_secret("database-url-file", self.database_url_file.as_deref())?;
        let redis_url = read_secret("redis-url-file", self.redis_url_file.as_deref())?;
        let channel_key = read_secret("channel-key-file", self.channel_key_file.as_deref())?;
        let provider_key = read_secret("provider-key-file", self.provider_key_file.as_deref())?;
        let keyring = Keyring::from_hex(Some(&channel_key), Some(&provider_key)).map_err(Error::Keys)?;
        Ok(Backends {
            store: Store::connect(&database_url, self.database_connections, keyring)
                .map_err(Error::OpenStore)?,
            bus: Bus::connect(&redis_url).map_err(Error::OpenBus)?,
        })
    }
}

/// The pod of each tenant.
#[derive(Clone, Debug, clap::Args)]
struct RuntimeArgs {
    /// Image of the runtimes.
    #[arg(long, env = "KONSTRUCT_RUNTIME_IMAGE", value_name = "IMAGE")]
    runtime_image: String,
    #[arg(long, env = "KONSTRUCT_RUNTIME_IMAGE_PULL_POLICY", value_name = "POLICY", default_value = "IfNotPresent",
        value_parser = ["Always", "IfNotPresent", "Never"])]
    runtime_image_pull_policy: String,
    #[arg(long, env = "KONSTRUCT_RUNTIME_CPU_REQUEST", value_name = "QUANTITY", default_value = "10m")]
    runtime_cpu_request: String,
    #[arg(long, env = "KONSTRUCT_RUNTIME_CPU_LIMIT", value_name = "QUANTITY", default_value = "500m")]
    runtime_cpu_limit: String,
    #[arg(long, env = "KONSTRUCT_RUNTIME_MEMORY_REQUEST", value_name = "QUANTITY", default_value = "40Mi")]
    runtime_memory_request: String,
    #[arg(long, env = "KONSTRUCT_RUNTIME_MEMORY_LIMIT", value_name = "QUANTITY", default_value = "128Mi")]
    runtime_memory_limit: String,
    /// Where runtimes reach the ai-gateway.
    #[arg(
        long,
        env = "KONSTRUCT_AI_GATEWAY_URL",
        value_name = "URL",
        default_value = "http://konstruct-ai-gateway.konstruct-system:8081"
    )]
    ai_gateway_url: String,
}

/// What the tenants' network policies let through: pods as namespace/label=value[,label=value]:port, or a network
/// as cidr:port.
#[derive(Clone, Debug, clap::Args)]
struct NetworkArgs {
    /// PostgreSQL's pods or addresses, with the port of the pods.
    #[arg(long, env = "KONSTRUCT_ALLOW_POSTGRES", value_name = "PEER:PORT")]
    allow_postgres: Destination,
    /// Redis's pods or addresses, with the port of the pods.
    #[arg(long, env = "KONSTRUCT_ALLOW_REDIS", value_name = "PEER:PORT")]
    allow_redis: Destination,
    /// The ai-gateway's pods, with their port.
    #[arg(
        long,
        env = "KONSTRUCT_ALLOW_AI_GATEWAY",
        value_name = "PEER:PORT",
        default_value = "konstruct-system/app.kubernetes.io/name=konstruct-ai-gateway:8081"
    )]
    allow_ai_gateway: Destination,
    /// Namespace of the cluster's DNS.
    #[arg(long, env = "KONSTRUCT_DNS_NAMESPACE", value_name = "NAME", default_value = "kube-system")]
    dns_namespace: String,
    /// Namespace from which metrics may be scraped.
    #[arg(long, env = "KONSTRUCT_MONITORING_NAMESPACE", value_name = "NAME", default_value = "monitoring")]
    monitoring_namespace: String,
}

/// Runs the role until shutdown.
pub async fn run(args: Args, shutdown: CancellationToken) -> Result<(), Error> {
    let role = match args.role {
        Some(Identity::Provisioner) => Role::Provisioner,
        Some(Identity::Workload) => Role::Workload(args.backends.connect()?),
        None => Role::All(args.backends.connect()?),
    };
    let settings = args.settings()?;
    let address = args.admin_listen;
    let admin = TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })?;
    let readiness = Readiness::new();
    let config = Config {
        kubernetes: kube::Config::infer().await.map_err(Error::FindKubernetes)?,
        role,
        readiness: readiness.clone(),
        settings,
        identity: args.identity,
    };
    // Probes are answered until the lease has been given back.
    let finished = CancellationToken::new();
    let admin = serve_admin(admin, readiness, finished.clone());
    let work = async {
        let _finished = finished.drop_guard();
        serve(config, shutdown).await
    };
    let (worked, observed) = tokio::join!(work, admin);
    worked.and(observed.map_err(Error::ServeAdmin))
}

impl Args {
    /// What these flags decide about the objects that the operator makes.
    pub fn settings(&self) -> Result<Settings, Error> {
        let (runtime, network) = (self.runtime.clone(), self.network.clone());
        Ok(Settings {
            system_namespace: self.namespace.clone(),
            service_account: self.service_account.clone(),
            namespaces: tenant_namespaces(&self.watch_namespaces, self.namespaces_given)?,
            runtime: RuntimeSettings {
                image: runtime.runtime_image,
                image_pull_policy: runtime.runtime_image_pull_policy,
                ai_gateway_url: runtime.ai_gateway_url,
                cpu_request: runtime.runtime_cpu_request,
                cpu_limit: runtime.runtime_cpu_limit,
                memory_request: runtime.runtime_memory_request,
                memory_limit: runtime.runtime_memory_limit,
            },
            network: NetworkSettings {
                postgres: network.allow_postgres,
                redis: network.allow_redis,
                ai_gateway: network.allow_ai_gateway,
                dns_namespace: network.dns_namespace,
                monitoring_namespace: network.monitoring_namespace,
            },
            tenant_database_url: bare_address(
                "tenant-database-address",
                &self.tenant_database_address,
                &["postgres://", "postgresql://"],
                "postgres://host:5432/database",
            )?,
            tenant_redis_url: bare_address(
                "tenant-redis-address",
                &self.tenant_redis_address,
                &["redis://", "rediss://"],
                "redis://host:6379",
            )?,
            concurrency: self.concurrency,
        })
    }
}

fn tenant_namespaces(names: &[String], given: bool) -> Result<TenantNamespaces, Error> {
    let names: BTreeSet<String> = names.iter().filter(|name| !name.is_empty()).cloned().collect();
    if let Some(name) = names.iter().find(|name| Slug::of_namespace(name).is_none()) {
        return Err(Error::NotATenants(name.clone()));
    }
    Ok(if names.is_empty() { TenantNamespaces::All } else { TenantNamespaces::Only { names, given } })
}

fn bare_address(
    flag: &'static str,
    address: &str,
    schemes: &[&str],
    expected: &'static str,
) -> Result<String, Error> {
    let rest = schemes.iter().find_map(|scheme| address.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains('@') => Ok(address.to_owned()),
        _ => Err(Error::Address { flag, address: address.to_owned(), expected }),
    }
}

fn read_secret(flag: &'static str, path: Option<&Path>) -> Result<SecretString, Error> {
    let path = path.ok_or(Error::Missing(flag))?;
    let error = |source| Error::ReadSecretFile { flag, path: path.display().to_string(), source };
    let text = fs::read_to_string(path).map_err(error)?;
    let value = text.trim();
    if value.is_empty() {
        return Err(error(std::io::Error::new(std::io::ErrorKind::InvalidData, "the file is empty")));
    }
    Ok(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_to_watch_are_those_of_tenants() {
        let of = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            tenant_namespaces(&names, true)
        };
        assert_eq!(of(&[]).unwrap(), TenantNamespaces::All);
        assert_eq!(of(&[""]).unwrap(), TenantNamespaces::All);
        let two = of(&["kt-globex", "kt-acme"]).unwrap();
        assert!(two.are_given() && two.has("kt-acme") && !two.has("kt-other") && !two.has("acme"));
        for bad in ["acme", "kt-", "kt-Acme", "kube-system", "kt-acme/x"] {
            assert!(of(&["kt-acme", bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_for_tenants_has_no_login_of_its_own() {
        let check = |address| {
            bare_address("tenant-redis-address", address, &["redis://", "rediss://"], "redis://host:6379")
        };
        assert!(check("redis://redis.konstruct-system:6379").is_ok());
        for bad in ["redis:6379", "redis://", "http://redis", "redis://user:password@redis"] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}

//! The settings of the operator that runs: what it would render is what must be there. They are read from its
//! Deployment with the operator's own parser.

use std::collections::BTreeMap;

use clap::{ArgMatches, Command, FromArgMatches};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, PodSpec};
use konstruct_controllers::Settings;
use kube::{Api, Client};

/// Where the operator is.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Place {
    /// The operator's own namespace.
    #[arg(long, env = "KONSTRUCT_NAMESPACE", value_name = "NAME", default_value = "konstruct-system")]
    namespace: String,
    /// The operator's Deployment, whose flags say what it renders.
    #[arg(long, env = "KONSTRUCT_OPERATOR", value_name = "NAME", default_value = "konstruct-operator")]
    operator: String,
}

pub(crate) async fn settings(client: &Client, place: &Place) -> Result<Settings, String> {
    let Place { namespace, operator } = place;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let deployment = deployments.get(operator).await.map_err(|error| {
        format!(
            "the operator's Deployment {namespace}/{operator} cannot be read: allow get, or name it with --namespace \
             and --operator ({error})"
        )
    })?;
    let pod = deployment.spec.and_then(|spec| spec.template.spec).unwrap_or_default();
    let is_operator = |container: &&Container| arguments(container).next() == Some("operator");
    let container = pod.containers.iter().find(is_operator).ok_or_else(|| {
        format!("no container of {namespace}/{operator} runs `konstruct operator`: name it with --operator")
    })?;
    let variables = variables(client, place, &pod, container).await?;
    parse(&flags(container, &variables))
        .map_err(|error| format!("the flags of {namespace}/{operator} cannot be read: {error}"))
}

fn arguments(container: &Container) -> impl Iterator<Item = &str> {
    container
        .command
        .iter()
        .chain(&container.args)
        .flatten()
        .map(String::as_str)
        .skip_while(|word| *word != "operator")
}

/// The environment of the container, without Secrets: no setting that matters here is one.
async fn variables(
    client: &Client,
    place: &Place,
    pod: &PodSpec,
    container: &Container,
) -> Result<BTreeMap<String, String>, String> {
    let mut variables = BTreeMap::new();
    let config_maps: Api<ConfigMap> = Api::namespaced(client.clone(), &place.namespace);
    let sources = container.env_from.iter().flatten().filter_map(|source| source.config_map_ref.as_ref());
    for source in sources {
        let config_map = config_maps.get(&source.name).await.map_err(|error| {
            format!("the ConfigMap {}/{} cannot be read: allow get ({error})", place.namespace, source.name)
        })?;
        variables.extend(config_map.data.unwrap_or_default());
    }
    let own = container.env.iter().flatten();
    variables.extend(own.filter_map(|variable| Some((variable.name.clone(), value(variable, place, pod)?))));
    Ok(variables)
}

fn value(variable: &EnvVar, place: &Place, pod: &PodSpec) -> Option<String> {
    let field = || variable.value_from.as_ref()?.field_ref.as_ref().map(|field| field.field_path.as_str());
    match (&variable.value, field()) {
        (Some(value), _) => Some(value.clone()),
        (None, Some("metadata.namespace")) => Some(place.namespace.clone()),
        (None, Some("spec.serviceAccountName")) => pod.service_account_name.clone(),
        _ => None,
    }
}

/// The operator's flags. They never take what this process has in its own environment.
fn command() -> Command {
    <konstruct_operator::Args as clap::Args>::augment_args(Command::new("operator"))
        .mut_args(|argument| argument.env(clap::builder::Resettable::Reset))
}

/// What the container was started with, flags before variables, as flags. Those that every role has are left out.
fn flags(container: &Container, variables: &BTreeMap<String, String>) -> Vec<String> {
    let mut given: BTreeMap<&str, String> = BTreeMap::new();
    let mut words = arguments(container).skip(1).peekable();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--") else { continue };
        match flag.split_once('=') {
            Some((name, value)) => given.insert(name, value.to_owned()),
            None => {
                given.insert(flag, words.next_if(|next| !next.starts_with("--")).unwrap_or("").to_owned())
            }
        };
    }
    let with_variables = <konstruct_operator::Args as clap::Args>::augment_args(Command::new("operator"));
    let mut flags = Vec::new();
    for argument in with_variables.get_arguments() {
        let Some(long) = argument.get_long() else { continue };
        let variable = argument.get_env().and_then(|name| variables.get(name.to_str()?));
        if let Some(value) = given.get(long).or(variable) {
            flags.push(format!("--{long}={value}"));
        }
    }
    flags
}

fn parse(flags: &[String]) -> Result<Settings, String> {
    let words = std::iter::once("operator".to_owned()).chain(flags.iter().cloned());
    let matches: ArgMatches = command().try_get_matches_from(words).map_err(|error| one_line(&error))?;
    let args = konstruct_operator::Args::from_arg_matches(&matches).map_err(|error| one_line(&error))?;
    args.settings().map_err(|error| error.to_string())
}

fn one_line(error: &clap::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn container(args: &[&str]) -> Container {
        serde_json::from_value(json!({"name": "operator", "args": args})).unwrap()
    }

    const NEEDED: [&str; 7] = [
        "operator",
        "--database-url-file=/a",
        "--redis-url-file=/b",
        "--channel-key-file=/c",
        "--provider-key-file=/d",
        "--tenant-redis-address=redis://redis.data:6379",
        "--log-format=json",
    ];

    #[test]
    fn flags_come_from_arguments_and_from_variables_and_arguments_win() {
        let mut args = NEEDED.to_vec();
        args.extend(["--dns-namespace", "dns"]);
        let variables = [
            ("KONSTRUCT_TENANT_DATABASE_ADDRESS", "postgres://postgres.data:5432/konstruct"),
            ("KONSTRUCT_ALLOW_POSTGRES", "data/app=postgres:5432"),
            ("KONSTRUCT_ALLOW_REDIS", "10.0.0.6/32:6379"),
            ("KONSTRUCT_RUNTIME_IMAGE", "registry/konstruct:1"),
            ("KONSTRUCT_DNS_NAMESPACE", "other"),
            ("KONSTRUCT_UNRELATED", "x"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let settings = parse(&flags(&container(&args), &variables)).unwrap();
        assert_eq!(settings.network.dns_namespace, "dns");
        assert_eq!(settings.network.postgres.port, 5432);
        assert_eq!(settings.runtime.image, "registry/konstruct:1");
        assert_eq!(settings.system_namespace, "konstruct-system");
    }

    #[test]
    fn a_setting_that_is_missing_is_named() {
        let error = parse(&flags(&container(&NEEDED), &BTreeMap::new())).unwrap_err();
        assert!(error.contains("--allow-postgres"), "{error}");
    }
}

//! The command line.

use std::future::Future;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::{
    chat_check, completion, crd, dev, healthcheck, migrate, outbox, retained, roles, slack_manifest, verify,
};

/// AI employees in the channels a team already uses, declared as Kubernetes resources.
#[derive(Debug, Parser)]
#[command(name = "konstruct", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs everything in one process from a folder of manifests: no cluster, no key.
    Dev(Box<dev::Args>),
    /// Reconciles the custom resources of a cluster.
    Operator(Box<roles::Role<konstruct_operator::Args>>),
    /// The public door for channels: receives webhooks, serves chats, sends replies.
    Gateway(Box<roles::Role<konstruct_gateway::Args>>),
    /// The only door to models: holds provider keys, meters, falls back.
    AiGateway(Box<roles::Role<konstruct_ai_gateway::Args>>),
    /// The AI employees of one tenant.
    Runtime(Box<roles::Role<konstruct_runtime::Args>>),
    /// Brings the database schema up to date and gives the roles their passwords.
    Migrate(migrate::Args),
    /// Lists and erases what is kept of deleted tenants.
    Retained(retained::Args),
    /// Lists replies that could not be sent, sends them again or deletes them.
    Outbox(outbox::Args),
    /// Tries out, on a live cluster, what keeps tenants apart.
    Verify(Box<konstruct_verify::Args>),
    /// Connects to addresses from inside a tenant's namespace; `verify isolation` runs it there.
    #[command(hide = true)]
    Probe(konstruct_verify::ProbeArgs),
    /// Prints the CustomResourceDefinitions as YAML.
    Crd,
    /// Prints the manifest from which Slack makes an app for an employee.
    SlackManifest(slack_manifest::Args),
    /// Asks a readiness address; for probes in an image without a shell.
    Healthcheck(healthcheck::Args),
    /// Says something on a web chat page and waits for the reply; for `helm test`.
    ChatCheck(chat_check::Args),
    /// Prints completions for a shell.
    Completion(completion::Args),
}

impl Cli {
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Verify(args) => return Ok(verify::run(*args)),
            Command::Dev(args) => block_on(dev::run(*args)),
            Command::Operator(role) => block_on(role.run(konstruct_operator::run)),
            Command::Gateway(role) => block_on(role.run(konstruct_gateway::run)),
            Command::AiGateway(role) => block_on(role.run(konstruct_ai_gateway::run)),
            Command::Runtime(role) => block_on(role.run(konstruct_runtime::run)),
            Command::Migrate(args) => block_on(migrate::run(args)),
            Command::Retained(args) => block_on(retained::run(args)),
            Command::Outbox(args) => block_on(outbox::run(args)),
            Command::Probe(args) => block_on(async { Ok(konstruct_verify::probe(args).await?) }),
            Command::Crd => crd::run(),
            Command::SlackManifest(args) => slack_manifest::run(&args),
            Command::Healthcheck(args) => block_on(healthcheck::run(args)),
            Command::ChatCheck(args) => block_on(chat_check::run(args)),
            Command::Completion(args) => completion::run(&args),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?
        .block_on(work)
}

/// One line on standard error, causes included.
#[allow(clippy::print_stderr, reason = "the output of a command-line tool")]
pub(crate) fn report(error: &anyhow::Error) {
    eprintln!("konstruct: {error:#}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_tree_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_secret_can_be_given_as_an_argument() {
        for command in Cli::command().get_subcommands() {
            for argument in command.get_arguments().filter_map(clap::Arg::get_long) {
                let secret =
                    ["token", "password", "secret", "key", "url"].iter().any(|word| argument.ends_with(word));
                let public = argument == "ai-gateway-url" || argument.ends_with("-base-url");
                assert!(!secret || public, "{} --{argument}", command.get_name());
            }
        }
    }
}

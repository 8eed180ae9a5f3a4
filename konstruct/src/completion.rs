//! `konstruct completion <shell>`.

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    shell: Shell,
}

#[allow(clippy::unnecessary_wraps, reason = "the same shape as the other commands")]
pub(crate) fn run(args: &Args) -> Result<()> {
    clap_complete::generate(args.shell, &mut Cli::command(), "konstruct", &mut std::io::stdout());
    Ok(())
}

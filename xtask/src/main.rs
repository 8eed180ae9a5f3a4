//! The project's own tasks: `cargo xtask check` proves the rules of ARCHITECTURE.md, `cargo xtask generate`
//! writes every file that is made from code.

mod check;
mod generate;
mod report;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Prove the rules that ARCHITECTURE.md states.
    Check,
    /// Write the generated files: definitions, reference pages, query metadata.
    Generate(generate::Options),
}

fn main() -> ExitCode {
    match run(&Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> anyhow::Result<()> {
    let workspace = workspace::Workspace::load()?;
    match task {
        Task::Check => check::run(&workspace),
        Task::Generate(options) => generate::run(&workspace, options),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_tree_is_valid() {
        super::Arguments::command().debug_assert();
    }
}

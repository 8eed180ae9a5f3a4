//! Logs go to standard error, so that what a command prints for people stays alone on standard output.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

use crate::Error;

/// Read in this order; the first that is set counts.
const FILTER_VARIABLES: [&str; 2] = ["KONSTRUCT_LOG", "RUST_LOG"];
/// Watches that failed are told by whoever watches.
const DEFAULT_FILTER: &str = "info,kube_runtime=error";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// One line a person can read.
    #[default]
    Text,
    /// One JSON object a line, for a log collector.
    Json,
}

/// Sends the process's logs to standard error, filtered by `KONSTRUCT_LOG` or `RUST_LOG`.
pub fn init(format: LogFormat) -> Result<(), Error> {
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Text => fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => fmt::layer().with_writer(io::stderr).json().flatten_event(true).boxed(),
    };
    let filter = filter()?;
    tracing_subscriber::registry().with(layer.with_filter(filter)).try_init().map_err(Error::InstallLogger)
}

/// Writes the process's logs into a file, and only warnings to standard error: for a command whose terminal is for
/// what it has to say to a person.
pub fn init_to_file(file: File) -> Result<(), Error> {
    let to_file = fmt::layer().with_writer(Arc::new(file)).with_ansi(false).with_filter(filter()?);
    let to_person = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .with_filter(LevelFilter::WARN);
    tracing_subscriber::registry().with(to_file).with(to_person).try_init().map_err(Error::InstallLogger)
}

fn filter() -> Result<EnvFilter, Error> {
    let set = FILTER_VARIABLES.into_iter().find_map(|variable| Some((variable, env::var(variable).ok()?)));
    let (variable, text) = set.unwrap_or((FILTER_VARIABLES[0], DEFAULT_FILTER.to_owned()));
    parse_filter(variable, text)
}

fn parse_filter(variable: &'static str, text: String) -> Result<EnvFilter, Error> {
    EnvFilter::builder().parse(&text).map_err(|reason| Error::ParseLogFilter {
        variable,
        filter: text,
        reason: reason.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_filter_names_its_variable() {
        assert!(parse_filter("RUST_LOG", "info,konstruct_store=trace".to_owned()).is_ok());
        let error = parse_filter("RUST_LOG", "konstruct=loud".to_owned()).unwrap_err().to_string();
        assert!(error.contains("RUST_LOG") && error.contains("konstruct=loud"), "{error}");
    }
}

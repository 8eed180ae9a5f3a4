//! rights LIST: what the operator's identities may do, against what the audit log says that they did. Fails when less
//! than 95 % of what is granted was used, when something unused is not in LIST with its reason, and when LIST names
//! something that was used or is not granted.

mod granted;
mod unused;
mod used;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use konstruct_kind_tests::platform;

/// One thing that a role allows to one identity: `konstruct-operator ClusterRole/konstruct-operator patch agents`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    account: String,
    role: String,
    verb: String,
    /// With its group: `tenants.konstruct.dev/status`.
    resource: String,
}

impl std::fmt::Display for Right {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { account, role, verb, resource } = self;
        write!(formatter, "{account} {role} {verb} {resource}")
    }
}

impl Right {
    fn new(account: &str, role: &str, verb: &str, group: &str, resource: &str) -> Self {
        let (kind, part) = resource.split_once('/').unwrap_or((resource, ""));
        let group = if group.is_empty() { String::new() } else { format!(".{group}") };
        let part = if part.is_empty() { String::new() } else { format!("/{part}") };
        Self {
            account: account.to_owned(),
            role: role.to_owned(),
            verb: verb.to_owned(),
            resource: format!("{kind}{group}{part}"),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let list =
        std::env::args_os().nth(1).map(PathBuf::from).context("rights LIST: name the file of exceptions")?;
    let mut used = used::rights(platform::OPERATOR)?;
    used.extend(used::rights(platform::PROVISIONER)?);
    let granted = granted::rights(&used).await?;
    let explained = unused::read(&list)?;
    let verdict = unused::judge(&granted, &used, &explained);
    let mut out = std::io::stdout();
    for finding in &verdict.findings {
        writeln!(out, "rights: {finding}")?;
    }
    writeln!(
        out,
        "rights: {} of {} granted rights were used, {:.1} %",
        verdict.used,
        granted.len(),
        verdict.percent
    )?;
    ensure!(
        verdict.findings.is_empty(),
        "the roles of the chart and {} do not fit what was done",
        list.display()
    );
    Ok(())
}

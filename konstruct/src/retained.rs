//! `konstruct retained`: tenants that were deleted and whose conversations, usage and audit are kept.

use std::io::Write;

use anyhow::{Context, Result, bail};
use konstruct_domain::TenantId;
use konstruct_store::{RetainedTenant, Store};

use crate::database::Database;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Lists them in the order in which they left.
    List,
    /// Destroys what is kept of one. There is no way back.
    Erase {
        /// The tenant's id, from the list.
        id: TenantId,
        /// The tenant's slug, to be sure that it is the right one.
        #[arg(long)]
        confirm: String,
    },
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let store = args.database.connect()?;
    let retained = store.retained_tenants().await.context("cannot read the directory of tenants")?;
    match args.command {
        Command::List => print(&retained).context("cannot write to standard output"),
        Command::Erase { id, confirm } => erase(&store, &retained, id, &confirm).await,
    }
}

async fn erase(store: &Store, retained: &[RetainedTenant], id: TenantId, confirm: &str) -> Result<()> {
    let Some(found) = retained.iter().find(|retained| retained.tenant.id == id) else {
        bail!("no deleted tenant has the id {id}: `konstruct retained list` shows those that are kept");
    };
    let slug = found.tenant.slug.as_str();
    if slug != confirm {
        bail!("the tenant {id} had the slug {slug:?}, not {confirm:?}: nothing was erased");
    }
    if found.legal_hold || !store.erase_retained(id).await.context("cannot erase")? {
        bail!("the tenant {id} is under a legal hold: nothing was erased");
    }
    Ok(())
}

fn print(retained: &[RetainedTenant]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:<36}  {:<20}  {:<10}  SLUG", "ID", "DELETED", "LEGAL HOLD")?;
    for RetainedTenant { tenant, retained_at, legal_hold } in retained {
        let hold = if *legal_hold { "yes" } else { "no" };
        writeln!(out, "{:<36}  {retained_at:<20}  {hold:<10}  {}", tenant.id.to_string(), tenant.slug)?;
    }
    Ok(())
}

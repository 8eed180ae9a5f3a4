//! `konstruct outbox`: replies that could not be sent, and what becomes of them.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use konstruct_domain::ids::ReplyId;
use konstruct_domain::{Slug, TenantId};
use konstruct_store::{DeadLetter, Keyring, LetterAction, Store};
use secrecy::SecretString;
use uuid::Uuid;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// File with the PostgreSQL URL, of the role konstruct_operator.
    #[arg(long, env = "KONSTRUCT_DATABASE_URL_FILE", value_name = "FILE", global = true)]
    database_url_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Lists replies that were given up, with the reason, and how many wait to be sent.
    List {
        /// The tenant's slug. Absent: all tenants.
        #[arg(long, value_name = "SLUG")]
        tenant: Option<Slug>,
    },
    /// Sends replies that were given up once more, with all their tries.
    Retry(Letters),
    /// Deletes replies that were given up. The conversation's history keeps what they said.
    Drop(Letters),
}

#[derive(Debug, clap::Args)]
struct Letters {
    /// The tenant's slug.
    #[arg(long, value_name = "SLUG")]
    tenant: Slug,
    /// The replies' ids, from the list.
    #[arg(value_name = "REPLY", required_unless_present = "all", conflicts_with = "all")]
    replies: Vec<Uuid>,
    /// All of the tenant's that were given up.
    #[arg(long)]
    all: bool,
}

pub(crate) async fn run(args: Args) -> Result<()> {
    let file = args.database_url_file.context("--database-url-file is missing")?;
    let store = Store::connect(&read(&file)?, 1, Keyring::from_hex(None, None)?)?;
    match args.command {
        Command::List { tenant } => list(&store, tenant.as_ref()).await,
        Command::Retry(letters) => resolve(&store, &letters, LetterAction::Retry).await,
        Command::Drop(letters) => resolve(&store, &letters, LetterAction::Drop).await,
    }
}

async fn list(store: &Store, tenant: Option<&Slug>) -> Result<()> {
    let tenants = store.tenants().await.context("cannot read the directory of tenants")?;
    if let Some(slug) = tenant.filter(|slug| tenants.iter().all(|tenant| tenant.slug != **slug)) {
        bail!("there is no tenant {slug}: `kubectl get tenants` shows those that there are");
    }
    let wanted = tenants.iter().filter(|found| tenant.is_none_or(|slug| found.slug == *slug));
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{:<20}  {:<36}  {:<20}  {:<5}  {:<8}  REASON",
        "TENANT", "REPLY", "WRITTEN", "TRIES", "IN DOUBT"
    )?;
    for tenant in wanted {
        let letters = store.dead_letters(tenant.id).await.context("cannot read the outbox")?;
        let pending = store.outbox_depth(tenant.id).await.context("cannot read the outbox")?.pending;
        for letter in &letters {
            print(&mut out, &tenant.slug, letter)?;
        }
        if pending > 0 {
            writeln!(out, "{:<20}  {pending} wait to be sent", tenant.slug.as_str())?;
        }
    }
    Ok(())
}

fn print(out: &mut impl Write, tenant: &Slug, letter: &DeadLetter) -> std::io::Result<()> {
    let doubt = if letter.in_doubt { "yes" } else { "no" };
    let DeadLetter { reply, created_at, attempt, reason, .. } = letter;
    let (tenant, reply) = (tenant.as_str(), reply.to_string());
    writeln!(out, "{tenant:<20}  {reply:<36}  {created_at:<20}  {attempt:<5}  {doubt:<8}  {reason}")
}

async fn resolve(store: &Store, letters: &Letters, action: LetterAction) -> Result<()> {
    let tenant = find(store, &letters.tenant).await?;
    let wanted: Vec<ReplyId> = letters.replies.iter().copied().map(ReplyId::new).collect();
    let only = (!letters.all).then_some(wanted.as_slice());
    let done =
        store.resolve_dead_letters(tenant, only, action, &actor()).await.context("nothing was changed")?;
    let mut out = std::io::stdout().lock();
    for reply in &done {
        writeln!(out, "{reply}")?;
    }
    match wanted.iter().find(|reply| !done.contains(reply)) {
        Some(missing) => {
            bail!(
                "{missing} was not given up, or is not of this tenant: `konstruct outbox list` shows those that were"
            )
        }
        None => Ok(()),
    }
}

async fn find(store: &Store, slug: &Slug) -> Result<TenantId> {
    let tenants = store.tenants().await.context("cannot read the directory of tenants")?;
    let found = tenants.into_iter().find(|tenant| tenant.slug == *slug);
    let found = found.with_context(|| {
        format!("there is no tenant {slug}: `kubectl get tenants` shows those that there are")
    })?;
    Ok(found.id)
}

/// Who decides, for the audit: as far as this machine knows.
fn actor() -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    format!("operator/{}", user.unwrap_or_else(|_| "unknown".to_owned()))
}

fn read(file: &Path) -> Result<SecretString> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(SecretString::from(text.trim()))
}

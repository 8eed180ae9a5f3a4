//! Other tenants' rows, in every table and under every pretence.

use konstruct_domain::TenantId;

use super::attempt::Attempt;
use super::catalogue::Table;
use super::{Findings, TenantProbe};
use crate::{Error, Result};

/// What a session pretends before it tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    Plain,
    /// Every setting that our functions read names this tenant.
    Forged(TenantId),
    /// Row-level security switched off for the session, as far as the session may.
    RowSecurityOff,
}

impl TenantProbe {
    /// Tables in which rows of others can be read.
    pub async fn rows_read(&mut self, stance: Stance) -> Result<Findings> {
        let preparation = self.preparation(stance).await?;
        let mut findings = Vec::new();
        for table in self.tables().await? {
            let statement = format!("select from {}{}", table.name, self.of_others(&table));
            match self.attempt(&preparation, &statement).await? {
                Attempt::Refused | Attempt::Done { rows: 0 } => {}
                Attempt::Done { rows } => findings.push(format!("{rows} rows of {} can be read", table.name)),
                Attempt::Failed { code, message } => {
                    return Err(Error::Inconclusive { statement, code, message });
                }
            }
        }
        Ok(findings)
    }

    /// Tables in which rows of others can be changed or deleted, or own rows given to `other`.
    pub async fn rows_changed(&mut self, stance: Stance, other: TenantId) -> Result<Findings> {
        let preparation = self.preparation(stance).await?;
        let mut findings = Vec::new();
        for table in self.tenant_tables().await? {
            let (name, of_others) = (&table.name, self.of_others(&table));
            for (what, statement) in [
                ("of others changed", format!("update {name} set tenant_id = tenant_id{of_others}")),
                ("of others deleted", format!("delete from {name}{of_others}")),
                ("given to another tenant", format!("update {name} set tenant_id = '{other}'")),
            ] {
                if self.passes(&preparation, statement).await? {
                    findings.push(format!("rows of {name} can be {what}"));
                }
            }
        }
        Ok(findings)
    }

    /// Tables that take a row in the name of `other`.
    pub async fn rows_inserted(&mut self, stance: Stance, other: TenantId) -> Result<Findings> {
        let preparation = self.preparation(stance).await?;
        let mut findings = Vec::new();
        for table in self.tenant_tables().await? {
            let statement = format!("insert into {} (tenant_id) values ('{other}')", table.name);
            if self.passes(&preparation, statement).await? {
                findings.push(format!("{} takes a row in the name of another tenant", table.name));
            }
        }
        Ok(findings)
    }

    /// Whether rights and policies let a change pass, even if it then stops at a constraint.
    async fn passes(&mut self, preparation: &[String], statement: String) -> Result<bool> {
        match self.attempt(preparation, &statement).await? {
            Attempt::Refused | Attempt::Done { rows: 0 } => Ok(false),
            attempt if attempt.met_a_constraint() => Ok(true),
            Attempt::Done { .. } => Ok(true),
            Attempt::Failed { code, message } => Err(Error::Inconclusive { statement, code, message }),
        }
    }

    async fn tenant_tables(&mut self) -> Result<Vec<Table>> {
        let tables = self.tables().await?;
        Ok(tables.into_iter().filter(|table| table.has_tenant && !table.is_view).collect())
    }

    /// Of a table without tenants, every row is somebody else's.
    fn of_others(&self, table: &Table) -> String {
        if table.has_tenant { format!(" where tenant_id <> '{}'", self.tenant) } else { String::new() }
    }

    async fn preparation(&mut self, stance: Stance) -> Result<Vec<String>> {
        Ok(match stance {
            Stance::Plain => Vec::new(),
            Stance::RowSecurityOff => vec!["set local row_security = off".to_owned()],
            Stance::Forged(other) => {
                let settings = self.settings_that_are_read().await?;
                if settings.is_empty() {
                    return Err(Error::Corrupt(
                        "no function of the schema konstruct reads a setting".to_owned(),
                    ));
                }
                let forge = |name| format!("select set_config('{name}', '{other}', true)");
                settings.into_iter().map(forge).collect()
            }
        })
    }
}

//! What the server says about everybody's data: statistics and running statements.

use super::attempt::Attempt;
use super::{Findings, TenantProbe};
use crate::{Error, Result};

impl TenantProbe {
    /// Samples of columns that the planner keeps. They hold values of all tenants.
    pub async fn statistics_read(&mut self) -> Result<Findings> {
        let mut findings = self
            .allowed_of(["select from pg_statistic", "select from pg_statistic_ext_data"].map(str::to_owned))
            .await?;
        let columns = sqlx::query_scalar!(
            r#"select distinct schemaname || '.' || tablename || '.' || attname as "column!" from pg_stats
               where schemaname !~ '^pg_' and schemaname <> 'information_schema' order by 1"#
        )
        .fetch_all(&mut self.connection)
        .await?;
        findings.extend(columns.into_iter().map(|column| format!("pg_stats shows values of {column}")));
        Ok(findings)
    }

    /// Statements of other sessions, which may hold what they write.
    pub async fn statements_read(&mut self) -> Result<Findings> {
        let statement = "select from pg_stat_activity where usename <> session_user
            and query not in ('', '<insufficient privilege>')"
            .to_owned();
        match self.attempt(&[], &statement).await? {
            Attempt::Refused | Attempt::Done { rows: 0 } => Ok(Vec::new()),
            Attempt::Done { rows } => {
                Ok(vec![format!("pg_stat_activity shows statements of {rows} other sessions")])
            }
            Attempt::Failed { code, message } => Err(Error::Inconclusive { statement, code, message }),
        }
    }
}

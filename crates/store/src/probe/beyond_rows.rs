//! Ways around row-level security: TRUNCATE, COPY, files of the server, large objects, sequences.

use futures::TryStreamExt;
use sqlx::Connection;

use super::attempt::{Attempt, classify};
use super::{Findings, TenantProbe};
use crate::{Error, Result};

impl TenantProbe {
    /// Row-level security knows nothing of TRUNCATE.
    pub async fn tables_truncated(&mut self) -> Result<Findings> {
        let tables = self.tables().await?.into_iter().filter(|table| !table.is_view);
        let statements: Vec<String> = tables.map(|table| format!("truncate {}", table.name)).collect();
        self.allowed_of(statements).await
    }

    /// Tables whose rows of others leave by COPY, or that take rows by it.
    pub async fn tables_copied(&mut self) -> Result<Findings> {
        let mut findings = Vec::new();
        for table in self.tables().await?.into_iter().filter(|table| table.has_tenant && !table.is_view) {
            if self.copies_rows_of_others(&table.name).await? {
                findings.push(format!("copy {} to stdout: rows of others", table.name));
            }
            if self.takes_copied_rows(&table.name).await? {
                findings.push(format!("copy {} from stdin", table.name));
            }
        }
        Ok(findings)
    }

    // A refused COPY leaves sqlx's connection out of step with the server, so each has one of its own.

    async fn copies_rows_of_others(&self, table: &str) -> Result<bool> {
        let own = self.tenant.to_string();
        let mut connection = super::connect(&self.options).await?;
        let copied = async {
            let mut rows = connection.copy_out_raw(&format!("copy {table} (tenant_id) to stdout")).await?;
            let mut foreign = 0;
            while let Some(row) = rows.try_next().await? {
                foreign += u64::from(row.trim_ascii() != own.as_bytes());
            }
            Ok::<_, sqlx::Error>(foreign)
        };
        let copied = copied.await;
        // What the server still has to say to a refused COPY does not matter.
        let _ = connection.close().await;
        match classify(copied)? {
            Attempt::Refused | Attempt::Done { rows: 0 } => Ok(false),
            Attempt::Done { .. } => Ok(true),
            Attempt::Failed { code, message } => {
                Err(Error::Inconclusive { statement: format!("copy {table} to stdout"), code, message })
            }
        }
    }

    async fn takes_copied_rows(&self, table: &str) -> Result<bool> {
        /// The server refuses COPY FROM where row-level security applies.
        const NOT_SUPPORTED: &str = "0A000";
        let statement = format!("copy {table} (tenant_id) from stdin");
        let mut connection = super::connect(&self.options).await?;
        let taken = match connection.copy_in_raw(&statement).await {
            Ok(copy) => copy.abort("only tried out").await.map(|()| 0),
            Err(error) => Err(error),
        };
        let _ = connection.close().await;
        match classify(taken)? {
            Attempt::Refused => Ok(false),
            Attempt::Failed { code, .. } if code == NOT_SUPPORTED => Ok(false),
            Attempt::Done { .. } => Ok(true),
            Attempt::Failed { code, message } => Err(Error::Inconclusive { statement, code, message }),
        }
    }

    /// The server's files and programs: the data of every tenant lies there.
    pub async fn server_files_reached(&mut self) -> Result<Findings> {
        let statements = [
            "select pg_read_file('PG_VERSION')",
            "select pg_ls_dir('.')",
            "copy (select 1) to program 'true'",
            "select lo_import('PG_VERSION')",
            "select lo_export(0, '/dev/null')",
        ];
        self.allowed_of(statements.map(str::to_owned)).await
    }

    /// Large objects belong to no table. Made by a tenant, they are under no policy, and its role cannot be dropped.
    pub async fn large_objects_reached(&mut self) -> Result<Findings> {
        let mut findings = self
            .allowed_of(
                [
                    "select from pg_largeobject",
                    "select lo_create(0)",
                    "select lo_creat(-1)",
                    "select lo_from_bytea(0, '')",
                ]
                .map(str::to_owned),
            )
            .await?;
        let statement = "select lo_get(oid) from pg_largeobject_metadata".to_owned();
        match self.attempt(&[], &statement).await? {
            Attempt::Refused | Attempt::Done { rows: 0 } => {}
            Attempt::Done { rows } => findings.push(format!("{rows} large objects can be read")),
            Attempt::Failed { code, message } => {
                return Err(Error::Inconclusive { statement, code, message });
            }
        }
        Ok(findings)
    }

    /// A counter that all tenants share tells how busy the others are, and can be spoilt for them.
    pub async fn sequences_reached(&mut self) -> Result<Findings> {
        let sequences = self.sequences().await?;
        let statements = sequences.into_iter().flat_map(|name| {
            [
                format!("select last_value from {name}"),
                format!("select nextval('{name}')"),
                format!("select setval('{name}', 1, false)"),
            ]
        });
        let statements: Vec<String> = statements.collect();
        self.allowed_of(statements).await
    }
}

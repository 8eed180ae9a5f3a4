//! What there is to attack: asked of the database, so that a new table is probed without a change here.

use super::TenantProbe;
use crate::{Error, Result};

/// A table or view outside the system's own schemas.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Quoted and with its schema.
    pub(super) name: String,
    pub(super) has_tenant: bool,
    pub(super) is_view: bool,
}

impl TenantProbe {
    pub(super) async fn tables(&mut self) -> Result<Vec<Table>> {
        let tables = sqlx::query!(
            r#"select quote_ident(n.nspname) || '.' || quote_ident(c.relname) as "name!",
                   exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id'
                       and not a.attisdropped) as "has_tenant!",
                   c.relkind in ('v', 'm') as "is_view!", n.nspname = 'konstruct' as "ours!"
               from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
               order by 1"#
        )
        .fetch_all(&mut self.connection)
        .await?;
        if !tables.iter().any(|table| table.ours) {
            return Err(Error::Corrupt(
                "the database has no schema konstruct: is it the right one?".to_owned(),
            ));
        }
        Ok(tables
            .into_iter()
            .map(|row| Table { name: row.name, has_tenant: row.has_tenant, is_view: row.is_view })
            .collect())
    }

    pub(super) async fn sequences(&mut self) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar!(
            r#"select quote_ident(n.nspname) || '.' || quote_ident(c.relname) as "name!"
               from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where c.relkind = 'S' and n.nspname !~ '^pg_' order by 1"#
        )
        .fetch_all(&mut self.connection)
        .await?)
    }

    /// The settings that our functions and policies read: what somebody would forge.
    pub(super) async fn settings_that_are_read(&mut self) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar!(
            r#"select distinct found[1] as "name!" from (
                   select regexp_matches(p.prosrc, 'current_setting\(''([a-z_.]+)''', 'g') as found from pg_proc p
                   where p.pronamespace = 'konstruct'::regnamespace
                   union all
                   select regexp_matches(coalesce(pg_get_expr(polqual, polrelid), '')
                       || coalesce(pg_get_expr(polwithcheck, polrelid), ''), 'current_setting\(''([a-z_.]+)''', 'g')
                   from pg_policy) as settings
               where found[1] like '%.%' order by 1"#
        )
        .fetch_all(&mut self.connection)
        .await?)
    }
}

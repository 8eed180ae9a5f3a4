//! The catalogue itself: is every table of a tenant under forced row-level security, and has the login exactly the
//! rights that a runtime needs? Says what the other probes could not meet by chance, such as a table without rows.

use super::{Findings, TenantProbe};
use crate::Result;

/// What `migrations/` grant to the group of the tenants' logins. A test compares them.
const NEEDED: [(&str, &[&str]); 15] = [
    ("audit", &["INSERT"]),
    ("conversation", &["SELECT", "UPDATE of columns"]),
    ("conversation_state", &["INSERT", "SELECT", "UPDATE"]),
    ("delivery", &["SELECT of columns"]),
    ("history", &["INSERT", "SELECT"]),
    ("inbox", &["DELETE", "SELECT"]),
    ("media", &["SELECT of columns", "UPDATE of columns"]),
    ("observation", &["INSERT", "SELECT", "UPDATE"]),
    ("outbox", &["INSERT", "SELECT"]),
    ("parked", &["INSERT"]),
    ("snapshot", &["SELECT"]),
    ("snapshot_head", &["SELECT"]),
    ("snapshot_loaded", &["INSERT", "SELECT", "UPDATE"]),
    ("tenant_role", &["SELECT"]),
    ("turn", &["INSERT", "SELECT"]),
];

/// The directory of tenants: a table of no tenant, and none that a runtime may read.
const DIRECTORY: &str = "tenant";

impl TenantProbe {
    /// Tables of tenants that are not under forced row-level security with the tenant's restrictive policy.
    pub async fn unprotected_tables(&mut self) -> Result<Findings> {
        let tables = sqlx::query!(
            r#"select c.relname as "name!", c.relrowsecurity as "enabled!", c.relforcerowsecurity as "forced!",
                   exists (select from pg_policy p where p.polrelid = c.oid and not p.polpermissive and p.polcmd = '*'
                       and p.polroles = '{0}'
                       and (pg_get_expr(p.polqual, c.oid) ~ '^\(tenant_id = \( SELECT konstruct\.current_tenant\(\)'
                           and pg_get_expr(p.polwithcheck, c.oid) = pg_get_expr(p.polqual, c.oid)
                           or c.relname = 'tenant_role' and pg_get_expr(p.polqual, c.oid) ~ 'role_name = SESSION_USER'
                           and p.polwithcheck is null)) as "restricted!"
               from pg_class c where c.relnamespace = 'konstruct'::regnamespace and c.relkind in ('r', 'p')
               and c.relname <> $1 order by 1"#,
            DIRECTORY
        )
        .fetch_all(&mut self.connection)
        .await?;
        let mut findings = Vec::new();
        for table in tables {
            let name = table.name;
            if !table.enabled {
                findings.push(format!("row-level security is switched off on konstruct.{name}"));
            }
            if !table.forced {
                findings.push(format!("row-level security is not forced on konstruct.{name}"));
            }
            if !table.restricted {
                findings.push(format!("konstruct.{name} has no restrictive policy for its tenant"));
            }
        }
        Ok(findings)
    }

    /// Rights on tables beyond those that a runtime needs, on single columns too.
    pub async fn surplus_rights(&mut self) -> Result<Findings> {
        let held = sqlx::query!(
            r#"select n.nspname as "schema!", c.relname as "table!",
                   case when has_table_privilege(c.oid, privilege) then privilege else privilege || ' of columns' end as "privilege!"
               from pg_class c join pg_namespace n on n.oid = c.relnamespace,
                   unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as privilege
               where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
               and (has_table_privilege(c.oid, privilege)
                   or privilege in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
                   and has_any_column_privilege(c.oid, privilege))
               order by 1, 2, 3"#
        )
        .fetch_all(&mut self.connection)
        .await?;
        let is_needed = |schema: &str, table: &str, privilege: &str| {
            schema == "konstruct"
                && NEEDED.iter().any(|(name, needed)| *name == table && needed.contains(&privilege))
        };
        Ok(held
            .into_iter()
            .filter(|right| !is_needed(&right.schema, &right.table, &right.privilege))
            .map(|right| format!("{} on {}.{}", right.privilege, right.schema, right.table))
            .collect())
    }
}

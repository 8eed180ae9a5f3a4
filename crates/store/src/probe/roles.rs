//! What the login role is, whom it may become, what it owns and what it may make.

use super::{Findings, TenantProbe};
use crate::Result;

/// The group of the tenants' login roles.
const GROUP: &str = "konstruct_runtime";

impl TenantProbe {
    /// Attributes that step around policies or make further roles.
    pub async fn role_attributes(&mut self) -> Result<Findings> {
        let role = sqlx::query!(
            r#"select rolsuper as "superuser!", rolbypassrls as "bypassrls!", rolcreatedb as "createdb!",
                   rolcreaterole as "createrole!", rolreplication as "replication!"
               from pg_roles where rolname = session_user"#
        )
        .fetch_one(&mut self.connection)
        .await?;
        let attributes = [
            (role.superuser, "SUPERUSER"),
            (role.bypassrls, "BYPASSRLS"),
            (role.createdb, "CREATEDB"),
            (role.createrole, "CREATEROLE"),
            (role.replication, "REPLICATION"),
        ];
        let held = attributes.into_iter().filter(|(holds, _)| *holds);
        Ok(held.map(|(_, name)| format!("the role has {name}")).collect())
    }

    /// Roles that the login is a member of, besides the tenants' group, or can switch to.
    pub async fn other_roles(&mut self) -> Result<Findings> {
        let roles = sqlx::query!(
            r#"select rolname as "name!", pg_has_role(session_user, oid, 'member') as "is_member!"
               from pg_roles where rolname <> session_user and rolname <> $1 order by 1"#,
            GROUP
        )
        .fetch_all(&mut self.connection)
        .await?;
        let mut findings: Findings = roles
            .iter()
            .filter(|role| role.is_member)
            .map(|role| format!("the login is a member of {}", role.name))
            .collect();
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let switches = roles.iter().flat_map(|role| {
            let name = quoted(&role.name);
            [format!("set local role {name}"), format!("set local session authorization {name}")]
        });
        let switches: Vec<String> = switches.collect();
        findings.extend(self.allowed_of(switches).await?);
        Ok(findings)
    }

    /// Objects that the role owns: an owner may switch policies off.
    pub async fn owned_objects(&mut self) -> Result<Findings> {
        Ok(sqlx::query_scalar!(
            r#"select 'owns ' || pg_describe_object(classid, objid, objsubid) as "owned!" from pg_shdepend
               where refclassid = 'pg_authid'::regclass and refobjid = quote_ident(session_user)::regrole and deptype = 'o'
               and dbid = (select oid from pg_database where datname = current_database())"#
        )
        .fetch_all(&mut self.connection)
        .await?)
    }

    /// Places where the role may make objects of its own, which others could be led to use.
    pub async fn objects_made(&mut self) -> Result<Findings> {
        let mut findings = sqlx::query_scalar!(
            r#"select 'may create objects in schema ' || nspname as "place!" from pg_namespace
               where has_schema_privilege(oid, 'create')
               union all select 'may create schemas in the database' where has_database_privilege(current_database(), 'create')
               union all select 'may create temporary tables' where has_database_privilege(current_database(), 'temporary')"#
        )
        .fetch_all(&mut self.connection)
        .await?;
        let statements = [
            "create table public.konstruct_probe ()",
            "create table konstruct.konstruct_probe ()",
            "create temporary table konstruct_probe ()",
            "create schema konstruct_probe",
        ];
        findings.extend(self.allowed_of(statements.map(str::to_owned)).await?);
        Ok(findings)
    }

    /// Functions that run with their owner's rights.
    pub async fn definer_functions(&mut self) -> Result<Findings> {
        Ok(sqlx::query_scalar!(
            r#"select p.oid::regprocedure::text || ' runs with the rights of its owner' as "function!"
               from pg_proc p join pg_namespace n on n.oid = p.pronamespace
               where p.prosecdef and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
               and has_function_privilege(p.oid, 'execute') order by 1"#
        )
        .fetch_all(&mut self.connection)
        .await?)
    }
}

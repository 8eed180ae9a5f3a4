//! The probes of `konstruct verify isolation`: silent on what the migrations make, loud on each way to break it.

use konstruct_store::Error;
use konstruct_store::probe::{Findings, Stance, TenantProbe};
use sqlx::AssertSqlSafe;

use crate::isolation::fill;
use crate::world::{PASSWORD, World};

const PROBES: [&str; 22] = [
    "bound",
    "read",
    "read, forged",
    "read, row security off",
    "changed",
    "changed, forged",
    "inserted",
    "inserted, forged",
    "truncated",
    "copied",
    "files",
    "large objects",
    "sequences",
    "statistics",
    "statements",
    "attributes",
    "roles",
    "owned",
    "made",
    "definer",
    "unprotected",
    "rights",
];

async fn probe_acme(world: &World, what: &str) -> Result<Findings, Error> {
    let url = world.database.url_for(&world.acme.slug.database_role(), PASSWORD);
    let mut probe = TenantProbe::connect(&url, world.acme.id).await.unwrap();
    let other = world.globex.id;
    match what {
        "bound" => probe.bound_to_another().await,
        "read" => probe.rows_read(Stance::Plain).await,
        "read, forged" => probe.rows_read(Stance::Forged(other)).await,
        "read, row security off" => probe.rows_read(Stance::RowSecurityOff).await,
        "changed" => probe.rows_changed(Stance::Plain, other).await,
        "changed, forged" => probe.rows_changed(Stance::Forged(other), other).await,
        "inserted" => probe.rows_inserted(Stance::Plain, other).await,
        "inserted, forged" => probe.rows_inserted(Stance::Forged(other), other).await,
        "truncated" => probe.tables_truncated().await,
        "copied" => probe.tables_copied().await,
        "files" => probe.server_files_reached().await,
        "large objects" => probe.large_objects_reached().await,
        "sequences" => probe.sequences_reached().await,
        "statistics" => probe.statistics_read().await,
        "statements" => probe.statements_read().await,
        "attributes" => probe.role_attributes().await,
        "roles" => probe.other_roles().await,
        "owned" => probe.owned_objects().await,
        "made" => probe.objects_made().await,
        "definer" => probe.definer_functions().await,
        "unprotected" => probe.unprotected_tables().await,
        "rights" => probe.surplus_rights().await,
        unknown => panic!("no probe {unknown}"),
    }
}

#[tokio::test]
async fn nothing_is_found_in_a_database_as_it_is_migrated() {
    let world = World::new().await;
    fill(&world).await;
    for probe in PROBES {
        assert_eq!(probe_acme(&world, probe).await.unwrap(), Vec::<String>::new(), "{probe}");
    }
}

/// Ways to break isolation, each with a probe that has to notice. `ROLE`, `GLOBEX` and `ACME` are put in.
const MUTATIONS: [(&str, &str); 29] = [
    ("alter table konstruct.history disable row level security", "read"),
    ("alter table konstruct.history disable row level security", "unprotected"),
    ("alter table konstruct.model_call no force row level security", "unprotected"),
    ("alter table konstruct.provider_secret disable row level security", "unprotected"),
    ("drop policy tenant on konstruct.outbox", "read"),
    ("drop policy tenant on konstruct.outbox", "inserted"),
    ("drop policy tenant on konstruct.outbox", "copied"),
    ("drop policy tenant on konstruct.conversation_state", "changed"),
    ("alter policy tenant on konstruct.audit with check (true)", "unprotected"),
    ("alter policy tenant on konstruct.audit using (true)", "unprotected"),
    ("alter policy tenant on konstruct.audit to konstruct_gateway", "unprotected"),
    (
        "create or replace function konstruct.current_tenant() returns uuid language sql stable as
         $$ select coalesce(nullif(current_setting('konstruct.tenant', true), ''), 'ACME')::uuid $$",
        "read, forged",
    ),
    ("update konstruct.tenant_role set tenant_id = 'GLOBEX' where role_name = 'ROLE'", "bound"),
    ("grant truncate on konstruct.inbox to konstruct_runtime", "truncated"),
    ("grant references on konstruct.inbox to konstruct_runtime", "rights"),
    ("grant select on konstruct.channel_secret to public", "rights"),
    ("grant select (purpose) on konstruct.data_key to ROLE", "rights"),
    ("grant select on konstruct.delivery to konstruct_runtime", "rights"),
    ("grant select (tenant_id) on konstruct.tenant to ROLE", "read"),
    ("grant usage on all sequences in schema konstruct to konstruct_runtime", "sequences"),
    ("grant konstruct_gateway to ROLE", "roles"),
    ("grant pg_read_server_files to ROLE; grant execute on function pg_read_file(text) to ROLE", "files"),
    ("alter role ROLE bypassrls", "read"),
    ("alter role ROLE createrole", "attributes"),
    ("grant usage, create on schema public to public", "made"),
    ("grant execute on function lo_create(oid) to ROLE", "large objects"),
    ("alter table konstruct.history disable row level security; analyze konstruct.history", "statistics"),
    (
        "create function konstruct.peek() returns bigint language sql security definer as
         $$ select count(*) from konstruct.inbox $$; grant execute on function konstruct.peek() to ROLE",
        "definer",
    ),
    ("alter table konstruct.turn owner to ROLE", "owned"),
];

#[tokio::test]
async fn each_way_to_break_isolation_is_found() {
    let mut unnoticed = Vec::new();
    for (mutation, expected) in MUTATIONS {
        let world = World::new().await;
        fill(&world).await;
        let mutation = mutation
            .replace("ROLE", &world.acme.slug.database_role())
            .replace("GLOBEX", &world.globex.id.to_string())
            .replace("ACME", &world.acme.id.to_string());
        let mut admin = world.database.admin().await;
        sqlx::raw_sql(AssertSqlSafe(mutation.clone())).execute(&mut admin).await.unwrap();
        match probe_acme(&world, expected).await {
            Ok(findings) if !findings.is_empty() => {}
            other => unnoticed.push(format!("{mutation}: {expected} did not notice: {other:?}")),
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}

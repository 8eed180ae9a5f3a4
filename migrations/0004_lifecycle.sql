-- Tenants that pause, and tenants that are gone but whose conversations are kept.

-- During a pause the gateway tells each conversation that nobody answers for now.
grant insert on konstruct.history, konstruct.outbox to konstruct_gateway;

-- A retained tenant has left the cluster: its slug and namespace are free for another one.
alter table konstruct.tenant
    add column retained_at timestamptz,
    add column legal_hold boolean not null default false,
    drop constraint tenant_slug_key,
    drop constraint tenant_namespace_key;
create unique index tenant_slug_in_use on konstruct.tenant (slug) where retained_at is null;
create unique index tenant_namespace_in_use on konstruct.tenant (namespace) where retained_at is null;

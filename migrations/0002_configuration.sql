-- Compiled configuration: snapshots, the secrets they name, and what the data plane reports about them.

-- Immutable versions. A revision is the hash of its body.
create table konstruct.snapshot (
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    kind text not null,
    name text not null,
    revision text not null,
    body jsonb not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, kind, name, revision)
);

-- The version in force.
create table konstruct.snapshot_head (
    tenant_id uuid not null default konstruct.current_tenant(),
    kind text not null,
    name text not null,
    revision text not null,
    updated_at timestamptz not null default now(),
    primary key (tenant_id, kind, name),
    foreign key (tenant_id, kind, name, revision) references konstruct.snapshot on delete cascade
);

-- The version that a role of the data plane has loaded.
create table konstruct.snapshot_loaded (
    tenant_id uuid not null default konstruct.current_tenant(),
    kind text not null,
    name text not null,
    reader text not null,
    revision text not null,
    loaded_at timestamptz not null default now(),
    primary key (tenant_id, kind, name, reader),
    foreign key (tenant_id, kind, name) references konstruct.snapshot_head on delete cascade
);

-- What the data plane noticed about a resource, to become a condition of it.
create table konstruct.observation (
    tenant_id uuid not null default konstruct.current_tenant(),
    kind text not null,
    name text not null,
    condition text not null,
    ok boolean not null,
    reason text not null,
    message text not null,
    observed_at timestamptz not null default now(),
    primary key (tenant_id, kind, name, condition),
    foreign key (tenant_id, kind, name) references konstruct.snapshot_head on delete cascade
);

-- A data key per tenant and purpose, encrypted under the purpose's key-encryption key.
create table konstruct.data_key (
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    purpose text not null check (purpose in ('channel', 'provider')),
    wrapped bytea not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, purpose)
);

-- Secret values, encrypted under the tenant's data key. One table a reader, so that a grant decides who reads.
create table konstruct.channel_secret (
    tenant_id uuid not null default konstruct.current_tenant(),
    kind text not null,
    name text not null,
    field text not null,
    version text not null,
    sealed bytea not null,
    primary key (tenant_id, kind, name, field, version),
    foreign key (tenant_id, kind, name) references konstruct.snapshot_head on delete cascade
);
create table konstruct.provider_secret (like konstruct.channel_secret including all);
alter table konstruct.provider_secret
    add foreign key (tenant_id, kind, name) references konstruct.snapshot_head on delete cascade;

-- Which connection owns an account at a platform, such as a Slack workspace. One owner in the installation.
create table konstruct.channel_account (
    channel_type text not null,
    account text not null,
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    connection text not null,
    primary key (channel_type, account)
);
create index channel_account_of_connection on konstruct.channel_account (tenant_id, connection);

call konstruct.isolate(array['snapshot', 'snapshot_head', 'snapshot_loaded', 'observation', 'data_key',
    'channel_secret', 'provider_secret', 'channel_account']);

-- A runtime reads its employees and nothing about channels and providers. The policies name no role, because the
-- operator, who administers the group konstruct_runtime, counts as its member.
create policy runtime_kinds on konstruct.snapshot as restrictive
    using ((select konstruct.is_shared_role()) or kind in ('Tenant', 'Agent'));
create policy runtime_kinds on konstruct.snapshot_head as restrictive
    using ((select konstruct.is_shared_role()) or kind in ('Tenant', 'Agent'));
create policy runtime_kinds on konstruct.observation as restrictive
    using ((select konstruct.is_shared_role()) or kind in ('Tenant', 'Agent'));
create policy runtime_kinds on konstruct.snapshot_loaded as restrictive
    using ((select konstruct.is_shared_role()) or reader = 'runtime');

grant select on konstruct.snapshot, konstruct.snapshot_head
    to konstruct_runtime, konstruct_gateway, konstruct_ai_gateway;
grant select, insert, update on konstruct.snapshot_loaded, konstruct.observation
    to konstruct_runtime, konstruct_gateway, konstruct_ai_gateway;
grant select on konstruct.data_key to konstruct_gateway, konstruct_ai_gateway;
grant select on konstruct.channel_secret to konstruct_gateway;
grant select on konstruct.provider_secret to konstruct_ai_gateway;
grant select, insert, update, delete on konstruct.snapshot, konstruct.snapshot_head, konstruct.snapshot_loaded,
    konstruct.observation, konstruct.data_key, konstruct.channel_secret, konstruct.provider_secret,
    konstruct.channel_account to konstruct_operator;

-- Schema `konstruct`: who may log in, and whose rows a session sees.
--
-- Login roles of the platform: konstruct_operator, konstruct_gateway, konstruct_ai_gateway. They serve many tenants
-- and choose one per transaction: set_config('konstruct.tenant', <uuid>, true).
-- konstruct_runtime is the group of the per-tenant login roles (kt_<slug>). Their tenant is bound to the role they
-- logged in with; no setting changes it.
-- None of them owns a table, is a superuser or bypasses row-level security.

do $$
declare
    role_name text;
begin
    foreach role_name in array array['konstruct_runtime', 'konstruct_operator', 'konstruct_gateway', 'konstruct_ai_gateway']
    loop
        -- Roles are shared by all databases of a server, so another database's migration may have made them, even now.
        begin
            execute format('create role %I nologin', role_name);
        exception when duplicate_object or unique_violation then
            null;
        end;
    end loop;
end
$$;

-- The operator makes a login role for each tenant and puts it into konstruct_runtime. It needs the right to do so, not
-- the group's own rights; before PostgreSQL 16 one came with the other.
alter role konstruct_operator createrole;
do $$
begin
    if current_setting('server_version_num')::int >= 160000 then
        execute 'grant konstruct_runtime to konstruct_operator with admin true, inherit false, set false';
    else
        grant konstruct_runtime to konstruct_operator with admin option;
    end if;
end
$$;

do $$
begin
    execute format('revoke all on database %I from public', current_database());
    execute format(
        'grant connect on database %I to konstruct_runtime, konstruct_operator, konstruct_gateway, konstruct_ai_gateway',
        current_database());
end
$$;
revoke all on schema public from public;

create schema konstruct;
grant usage on schema konstruct to konstruct_runtime, konstruct_operator, konstruct_gateway, konstruct_ai_gateway;
alter default privileges revoke execute on functions from public;

-- The tenant that a shared role has chosen for this transaction.
create function konstruct.chosen_tenant() returns uuid
    language plpgsql stable
    set search_path = pg_catalog
as $$
declare
    chosen text := current_setting('konstruct.tenant', true);
begin
    if chosen is null or chosen = '' then
        raise exception 'no tenant is chosen in this transaction'
            using errcode = 'insufficient_privilege',
                hint = 'begin with select set_config(''konstruct.tenant'', <tenant id>, true)';
    end if;
    return chosen::uuid;
end
$$;

create function konstruct.is_shared_role() returns boolean
    language sql stable
    set search_path = pg_catalog
    return session_user in ('konstruct_operator', 'konstruct_gateway', 'konstruct_ai_gateway');

-- Directory of tenants. Not a tenant's table: only the shared roles may read it.
create table konstruct.tenant (
    tenant_id uuid primary key,
    slug text not null unique,
    namespace text not null unique,
    display_name text not null,
    created_at timestamptz not null default now()
);
-- Owner of what the platform shares with tenants.
insert into konstruct.tenant (tenant_id, slug, namespace, display_name)
    values ('00000000-0000-0000-0000-000000000000', 'platform', 'konstruct-system', 'Platform');
grant select on konstruct.tenant to konstruct_gateway, konstruct_ai_gateway;
grant select, insert, update, delete on konstruct.tenant to konstruct_operator;

-- Which tenant a login role belongs to.
create table konstruct.tenant_role (
    role_name name primary key,
    tenant_id uuid not null references konstruct.tenant on delete cascade
);

create function konstruct.current_tenant() returns uuid
    language plpgsql stable
    set search_path = pg_catalog
as $$
declare
    bound uuid;
begin
    if konstruct.is_shared_role() then
        return konstruct.chosen_tenant();
    end if;
    select r.tenant_id into bound from konstruct.tenant_role r where r.role_name = session_user;
    if bound is null then
        raise exception 'role % belongs to no tenant', session_user using errcode = 'insufficient_privilege';
    end if;
    return bound;
end
$$;
grant execute on function konstruct.chosen_tenant(), konstruct.is_shared_role(), konstruct.current_tenant()
    to konstruct_runtime, konstruct_operator, konstruct_gateway, konstruct_ai_gateway;

-- Cannot use current_tenant(), which reads this table.
alter table konstruct.tenant_role enable row level security, force row level security;
create policy tenant on konstruct.tenant_role as restrictive
    using (case when konstruct.is_shared_role()
        then tenant_id = konstruct.chosen_tenant()
        else role_name = session_user end);
create policy granted on konstruct.tenant_role using (true);
grant select on konstruct.tenant_role to konstruct_runtime;
grant select, insert, update, delete on konstruct.tenant_role to konstruct_operator;

-- Puts a table under row-level security: one restrictive policy for the tenant, and a permissive one because
-- restrictive policies only narrow what a permissive one allows.
create procedure konstruct.isolate(tables text[])
    language plpgsql
as $$
declare
    name text;
begin
    foreach name in array tables loop
        execute format('alter table konstruct.%I enable row level security', name);
        execute format('alter table konstruct.%I force row level security', name);
        execute format(
            'create policy tenant on konstruct.%I as restrictive'
            ' using (tenant_id = (select konstruct.current_tenant()))'
            ' with check (tenant_id = (select konstruct.current_tenant()))', name);
        execute format('create policy granted on konstruct.%I using (true) with check (true)', name);
    end loop;
end
$$;

-- Makes or updates a tenant's login role. Run by the operator; a role made here can do what konstruct_runtime can.
create function konstruct.ensure_tenant_role(tenant uuid, role_name name, password text) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if not exists (select from pg_roles r where r.rolname = role_name) then
        execute format('create role %I nosuperuser nocreatedb nocreaterole nobypassrls connection limit 32'
            ' in role konstruct_runtime', role_name);
    end if;
    execute format('alter role %I login password %L', role_name, password);
    insert into konstruct.tenant_role as r (role_name, tenant_id) values (role_name, tenant)
        on conflict on constraint tenant_role_pkey do nothing;
    if not found and not exists (select from konstruct.tenant_role r
                                 where r.role_name = ensure_tenant_role.role_name and r.tenant_id = tenant) then
        raise exception 'database role % belongs to another tenant', role_name using errcode = 'unique_violation';
    end if;
end
$$;

create function konstruct.drop_tenant_role(role_name name) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    if exists (select from pg_roles r where r.rolname = role_name) then
        execute format('drop role %I', role_name);
    end if;
end
$$;
grant execute on function konstruct.ensure_tenant_role(uuid, name, text), konstruct.drop_tenant_role(name)
    to konstruct_operator;

-- Lets a role of the platform log in. Run by `konstruct migrate` with the owner's rights.
create function konstruct.enable_login(role_name name, password text) returns void
    language plpgsql
    set search_path = pg_catalog
as $$
begin
    execute format('alter role %I login password %L', role_name, password);
end
$$;

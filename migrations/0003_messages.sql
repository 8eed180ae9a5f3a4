-- Everything that happens: inbox, conversations, turns, outbox, usage, audit.

create table konstruct.conversation (
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    conversation_id uuid not null,
    connection text not null,
    channel_type text not null,
    conversation_key text not null,
    agent text not null,
    reply_to jsonb not null,
    -- Lines of history so far; the window in Redis is stale when it disagrees.
    last_seq bigint not null default 0,
    -- The lease of the runtime that works on it. Every side effect of a turn is checked against `fence`.
    lease_owner text,
    lease_until timestamptz,
    fence bigint not null default 0,
    attempt integer not null default 0,
    retry_at timestamptz not null default '-infinity',
    created_at timestamptz not null default now(),
    -- The id is derived from connection and key. A second unique constraint over these would break `on conflict`,
    -- which waits for one constraint and fails at another, when a conversation begins with several messages at once.
    primary key (tenant_id, conversation_id)
);

create table konstruct.inbox (
    tenant_id uuid not null default konstruct.current_tenant(),
    inbox_id bigint not null generated always as identity,
    conversation_id uuid not null,
    connection text not null,
    event_id text not null,
    message_id text not null,
    author_id text not null,
    body text not null,
    state text not null default 'pending' check (state in ('pending', 'done', 'parked')),
    parked_reason text,
    received_at timestamptz not null default now(),
    primary key (tenant_id, inbox_id),
    -- The same delivery again, and the same message in another delivery.
    unique (tenant_id, connection, event_id),
    unique (tenant_id, connection, message_id),
    foreign key (tenant_id, conversation_id) references konstruct.conversation on delete cascade
);
create index inbox_pending on konstruct.inbox (tenant_id, conversation_id, inbox_id) where state = 'pending';

-- What was said, in order.
create table konstruct.history (
    tenant_id uuid not null default konstruct.current_tenant(),
    conversation_id uuid not null,
    seq bigint not null,
    speaker text not null check (speaker in ('person', 'employee')),
    author_id text,
    body text not null,
    said_at timestamptz not null default now(),
    primary key (tenant_id, conversation_id, seq),
    foreign key (tenant_id, conversation_id) references konstruct.conversation on delete cascade
);

create table konstruct.outbox (
    tenant_id uuid not null default konstruct.current_tenant(),
    reply_id uuid not null,
    outbox_seq bigint not null generated always as identity,
    conversation_id uuid not null,
    connection text not null,
    reply_to jsonb not null,
    body text not null,
    state text not null default 'pending' check (state in ('pending', 'sent', 'dead')),
    attempt integer not null default 0,
    -- A try has begun and its end was not recorded: ask the platform before sending again.
    in_doubt boolean not null default false,
    due_at timestamptz not null default now(),
    lease_until timestamptz,
    lease_owner text,
    fence bigint not null default 0,
    last_error text,
    platform_message_id text,
    created_at timestamptz not null default now(),
    sent_at timestamptz,
    primary key (tenant_id, reply_id),
    foreign key (tenant_id, conversation_id) references konstruct.conversation on delete cascade
);
create index outbox_pending on konstruct.outbox (tenant_id, conversation_id, outbox_seq) where state = 'pending';

create table konstruct.turn (
    tenant_id uuid not null default konstruct.current_tenant(),
    reply_id uuid not null,
    conversation_id uuid not null,
    agent text not null,
    agent_revision text not null,
    provider text,
    model text,
    tokens_in bigint not null,
    tokens_out bigint not null,
    outcome text not null check (outcome in ('answered', 'model_unavailable', 'parked')),
    messages integer not null,
    elapsed_ms bigint not null,
    finished_at timestamptz not null default now(),
    primary key (tenant_id, reply_id),
    foreign key (tenant_id, conversation_id) references konstruct.conversation on delete cascade
);

-- What the ai-gateway measured. The only source of usage: a runtime cannot write here.
create table konstruct.model_call (
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    request_id uuid not null,
    agent text not null,
    provider_owner text not null check (provider_owner in ('tenant', 'platform')),
    provider text not null,
    model text not null,
    tokens_in bigint not null check (tokens_in >= 0),
    tokens_out bigint not null check (tokens_out >= 0),
    outcome text not null,
    called_at timestamptz not null default now(),
    primary key (tenant_id, request_id)
);
create index model_call_by_time on konstruct.model_call (tenant_id, called_at);

-- Who did what to which thing. Written in the transaction of the change.
create table konstruct.audit (
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    audit_id bigint not null generated always as identity,
    at timestamptz not null default now(),
    actor text not null,
    action text not null,
    subject text not null,
    detail jsonb not null default '{}',
    primary key (tenant_id, audit_id)
);

call konstruct.isolate(array['conversation', 'inbox', 'history', 'outbox', 'turn', 'model_call', 'audit']);

grant select, update on konstruct.conversation, konstruct.inbox to konstruct_runtime;
grant select, insert on konstruct.history, konstruct.outbox, konstruct.turn to konstruct_runtime;
grant insert on konstruct.audit to konstruct_runtime;

grant select, insert, update on konstruct.conversation to konstruct_gateway;
grant select, insert on konstruct.inbox to konstruct_gateway;
grant select on konstruct.history to konstruct_gateway;
grant select, update on konstruct.outbox to konstruct_gateway;
grant insert on konstruct.audit to konstruct_gateway;

grant select, insert on konstruct.model_call to konstruct_ai_gateway;

grant select, delete on konstruct.conversation, konstruct.inbox, konstruct.history, konstruct.outbox, konstruct.turn,
    konstruct.model_call, konstruct.audit to konstruct_operator;

-- Tenants with work, in one round trip and without a way around row-level security: the caller's own transaction
-- chooses one tenant after the other.
create function konstruct.tenants_with_due_outbox() returns setof uuid
    language plpgsql volatile
    set search_path = pg_catalog
as $$
declare
    candidate uuid;
begin
    for candidate in select t.tenant_id from konstruct.tenant t loop
        perform set_config('konstruct.tenant', candidate::text, true);
        if exists (select from konstruct.outbox o where o.tenant_id = candidate and o.state = 'pending'
                   and o.due_at <= now() and (o.lease_until is null or o.lease_until < now())) then
            return next candidate;
        end if;
    end loop;
    perform set_config('konstruct.tenant', '', true);
end
$$;

create function konstruct.tenants_with_waiting_inbox(older_than interval) returns setof uuid
    language plpgsql volatile
    set search_path = pg_catalog
as $$
declare
    candidate uuid;
begin
    for candidate in select t.tenant_id from konstruct.tenant t loop
        perform set_config('konstruct.tenant', candidate::text, true);
        if exists (select from konstruct.inbox i
                   join konstruct.conversation c using (tenant_id, conversation_id)
                   where i.tenant_id = candidate and i.state = 'pending' and i.received_at < now() - older_than
                   and c.retry_at <= now() and (c.lease_until is null or c.lease_until < now())) then
            return next candidate;
        end if;
    end loop;
    perform set_config('konstruct.tenant', '', true);
end
$$;
grant execute on function konstruct.tenants_with_due_outbox(), konstruct.tenants_with_waiting_inbox(interval)
    to konstruct_gateway;

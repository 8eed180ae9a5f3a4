-- The inbox under load: one statement takes in what arrived together, and what is finished leaves it.

-- A foreign key costs a look-up and a row lock for every row. What belongs to a tenant is deleted by name instead
-- (konstruct.erase), and a turn or a reply begins by locking its conversation, so none of these outlives it.
alter table konstruct.inbox drop constraint inbox_tenant_id_conversation_id_fkey;
alter table konstruct.history drop constraint history_tenant_id_conversation_id_fkey;
alter table konstruct.outbox drop constraint outbox_tenant_id_conversation_id_fkey;
alter table konstruct.turn drop constraint turn_tenant_id_conversation_id_fkey;
alter table konstruct.audit drop constraint audit_tenant_id_fkey;

-- What came in, as it came: the memory that makes the same delivery, and the same message in another delivery, a
-- duplicate; and with its payload the record for an audit. Written once, deleted by age. Not in partitions: no role of
-- ours may drop one, and it would take the rows of a tenant under legal hold with it.
create table konstruct.delivery (
    tenant_id uuid not null default konstruct.current_tenant(),
    inbox_id bigint not null generated always as identity,
    conversation_id uuid not null,
    connection text not null,
    event_id text not null,
    message_id text not null,
    payload bytea,
    received_at timestamptz not null default now(),
    unique (tenant_id, connection, event_id),
    unique (tenant_id, connection, message_id)
);
-- Rows lie in the order of their age.
create index delivery_by_age on konstruct.delivery using brin (received_at) with (pages_per_range = 16);

-- Messages that could not be answered, kept aside.
create table konstruct.parked (
    tenant_id uuid not null default konstruct.current_tenant(),
    inbox_id bigint not null,
    conversation_id uuid not null,
    author_id text not null,
    body text not null,
    reason text not null,
    received_at timestamptz not null,
    parked_at timestamptz not null default now(),
    primary key (tenant_id, inbox_id)
);

call konstruct.isolate(array['delivery', 'parked']);

-- The owner is subject to the policies too, and has no tenant.
alter table konstruct.inbox no force row level security;
alter table konstruct.delivery no force row level security;
alter table konstruct.parked no force row level security;
insert into konstruct.delivery
        (tenant_id, inbox_id, conversation_id, connection, event_id, message_id, received_at)
    overriding system value
    select tenant_id, inbox_id, conversation_id, connection, event_id, message_id, received_at
    from konstruct.inbox order by inbox_id;
insert into konstruct.parked (tenant_id, inbox_id, conversation_id, author_id, body, reason, received_at)
    select tenant_id, inbox_id, conversation_id, author_id, body, coalesce(parked_reason, ''), received_at
    from konstruct.inbox where state = 'parked';
delete from konstruct.inbox where state <> 'pending';
select setval(pg_get_serial_sequence('konstruct.delivery', 'inbox_id'),
    greatest((select max(inbox_id) from konstruct.delivery), 1));
alter table konstruct.inbox force row level security;
alter table konstruct.delivery force row level security;
alter table konstruct.parked force row level security;

-- The inbox is what waits, and nothing else.
drop index konstruct.inbox_pending;
alter table konstruct.inbox
    alter column inbox_id drop identity,
    drop constraint inbox_pkey,
    drop constraint inbox_tenant_id_connection_event_id_key,
    drop constraint inbox_tenant_id_connection_message_id_key,
    drop column state,
    drop column parked_reason,
    drop column event_id,
    drop column message_id,
    add primary key (tenant_id, conversation_id, inbox_id);
create index inbox_by_arrival on konstruct.inbox (tenant_id, inbox_id);

-- Small and busy tables are cleaned often, and a conversation's new version finds room on its page.
alter table konstruct.inbox set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
alter table konstruct.conversation
    set (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 2000);

grant select, insert, delete on konstruct.delivery to konstruct_gateway;
revoke update on konstruct.inbox from konstruct_runtime;
grant delete on konstruct.inbox to konstruct_runtime;
grant insert on konstruct.parked to konstruct_runtime;
grant select, delete on konstruct.delivery, konstruct.parked to konstruct_operator;

-- Takes in messages of several tenants, one tenant after the other, each under its own policies. Returns what became of
-- each: 'new', 'duplicate', 'not_addressed', or 'leaving' when its tenant is being erased.
-- Conversations that are there and as they should be are not locked: a turn that works on one delays nobody.
create function konstruct.accept(
    tenants uuid[], conversations uuid[], connections text[], channel_types text[], conversation_keys text[],
    agents text[], targets jsonb[], opens boolean[], event_ids text[], message_ids text[], authors text[],
    bodies text[], payloads bytea[]
) returns table (place bigint, outcome text)
    language plpgsql volatile
    set search_path = pg_catalog
    -- A plan made while a table was small must do when it is not.
    set plan_cache_mode = force_generic_plan
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
as $$
declare
    chosen uuid;
begin
    for chosen in select distinct t from unnest(tenants) as t loop
        perform set_config('konstruct.tenant', chosen::text, true);
        if not pg_try_advisory_xact_lock_shared(konstruct.erasure(chosen)) then
            return query select a.place, 'leaving' from unnest(tenants) with ordinality as a (tenant, place)
                where a.tenant = chosen;
            continue;
        end if;
        -- The id is derived from connection and key, so that two messages that begin one meet in one row. Locked in one
        -- order everywhere.
        insert into konstruct.conversation as c
            (tenant_id, conversation_id, connection, channel_type, conversation_key, agent, reply_to)
        select distinct on (a.conversation) chosen, a.conversation, a.connection, a.channel_type, a.key, a.agent, a.target
        from unnest(tenants, conversations, connections, channel_types, conversation_keys, agents, targets, opens)
            with ordinality as a (tenant, conversation, connection, channel_type, key, agent, target, opens, place)
        where a.tenant = chosen and a.opens and not exists (
            select from konstruct.conversation e
            where e.tenant_id = chosen and e.conversation_id = a.conversation
            and e.agent = a.agent and e.reply_to = a.target)
        order by a.conversation, a.place desc
        on conflict (tenant_id, conversation_id)
        do update set agent = excluded.agent, reply_to = excluded.reply_to
        where (c.agent, c.reply_to) is distinct from (excluded.agent, excluded.reply_to);

        return query
        with arrived as materialized (
            select a.*, exists (select from konstruct.conversation c
                                where c.tenant_id = chosen and c.conversation_id = a.conversation) as joined
            from unnest(tenants, conversations, connections, event_ids, message_ids, authors, bodies, payloads)
                with ordinality as a (tenant, conversation, connection, event, message, author, body, payload, place)
            where a.tenant = chosen
        ), recorded as (
            insert into konstruct.delivery (tenant_id, conversation_id, connection, event_id, message_id, payload)
            select chosen, a.conversation, a.connection, a.event, a.message, a.payload from arrived a
            where a.joined order by a.place
            on conflict do nothing
            returning delivery.inbox_id, delivery.connection, delivery.event_id
        ), new as materialized (
            -- The same delivery twice at once is recorded once, and is the first of them.
            select r.inbox_id, (select min(a.place) from arrived a
                                where a.joined and a.connection = r.connection and a.event = r.event_id) as place
            from recorded r
        ), queued as (
            insert into konstruct.inbox (tenant_id, inbox_id, conversation_id, connection, author_id, body)
            select chosen, n.inbox_id, a.conversation, a.connection, a.author, a.body
            from new n join arrived a on a.place = n.place order by n.inbox_id
        )
        select a.place, case when not a.joined then 'not_addressed' when n.place is null then 'duplicate' else 'new' end
        from arrived a left join new n on n.place = a.place;
    end loop;
end
$$;

-- What a tenant's erasure and its intake agree on, so that nothing is taken in behind the erasure's back.
create function konstruct.erasure(tenant uuid) returns bigint
    language sql immutable
    return hashtextextended(tenant::text, 0);

-- Deletes what happened to the chosen tenant. The conversations go first, with the tenant: whoever works on one is
-- waited for, and finds none afterwards.
create procedure konstruct.erase_happenings()
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    name text;
begin
    foreach name in array array['conversation', 'inbox', 'delivery', 'parked', 'history', 'outbox', 'turn', 'audit'] loop
        execute format('delete from konstruct.%I', name);
    end loop;
end
$$;

grant execute on function konstruct.accept(uuid[], uuid[], text[], text[], text[], text[], jsonb[], boolean[], text[],
    text[], text[], text[], bytea[]), konstruct.erasure(uuid) to konstruct_gateway;
grant execute on function konstruct.erasure(uuid) to konstruct_operator;
grant execute on procedure konstruct.erase_happenings() to konstruct_operator;

create or replace function konstruct.tenants_with_waiting_inbox(older_than interval) returns setof uuid
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
                   where i.tenant_id = candidate and i.received_at < now() - older_than
                   and c.retry_at <= now() and (c.lease_until is null or c.lease_until < now())) then
            return next candidate;
        end if;
    end loop;
    perform set_config('konstruct.tenant', '', true);
end
$$;

-- As before, in one function: it runs for each table of each statement.
create or replace function konstruct.current_tenant() returns uuid
    language plpgsql stable
    set search_path = pg_catalog
as $$
declare
    chosen text;
    bound uuid;
begin
    if session_user in ('konstruct_operator', 'konstruct_gateway', 'konstruct_ai_gateway') then
        chosen := current_setting('konstruct.tenant', true);
        if chosen is null or chosen = '' then
            raise exception 'no tenant is chosen in this transaction'
                using errcode = 'insufficient_privilege',
                    hint = 'begin with select set_config(''konstruct.tenant'', <tenant id>, true)';
        end if;
        return chosen::uuid;
    end if;
    select r.tenant_id into bound from konstruct.tenant_role r where r.role_name = session_user;
    if bound is null then
        raise exception 'role % belongs to no tenant', session_user using errcode = 'insufficient_privilege';
    end if;
    return bound;
end
$$;

-- As before, and now a part of the policies that name it: a function with a setting of its own is planned at each call.
-- Its body was parsed when it was made, so no search path can change what it means.
create or replace function konstruct.is_shared_role() returns boolean
    language sql stable
    return session_user in ('konstruct_operator', 'konstruct_gateway', 'konstruct_ai_gateway');

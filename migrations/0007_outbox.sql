-- The outbox is what waits to be sent and what could not be; what was sent leaves it.

create table konstruct.outbox_sent (
    tenant_id uuid not null default konstruct.current_tenant(),
    reply_id uuid not null,
    outbox_seq bigint not null,
    conversation_id uuid not null,
    connection text not null,
    -- A platform may say later that it could not deliver it: then it is a dead letter after all.
    reply_to jsonb not null,
    body text not null,
    platform_message_id text,
    attempt integer not null,
    created_at timestamptz not null,
    sent_at timestamptz not null default now(),
    primary key (tenant_id, reply_id)
);
create index outbox_sent_by_age on konstruct.outbox_sent using brin (sent_at) with (pages_per_range = 16);
call konstruct.isolate(array['outbox_sent']);

alter table konstruct.outbox no force row level security;
alter table konstruct.outbox_sent no force row level security;
insert into konstruct.outbox_sent
        (tenant_id, reply_id, outbox_seq, conversation_id, connection, reply_to, body, platform_message_id, attempt, created_at,
            sent_at)
    select tenant_id, reply_id, outbox_seq, conversation_id, connection, reply_to, body, platform_message_id, attempt, created_at, coalesce(sent_at, created_at)
    from konstruct.outbox where state = 'sent' order by outbox_seq;
delete from konstruct.outbox where state = 'sent';
alter table konstruct.outbox force row level security;
alter table konstruct.outbox_sent force row level security;

alter table konstruct.outbox
    -- How often the platform has asked to wait, which is no failure of the reply and uses up none of its tries.
    add column waits integer not null default 0,
    drop column sent_at,
    drop column platform_message_id,
    drop constraint outbox_state_check,
    add constraint outbox_state_check check (state in ('pending', 'dead'));
-- For the oldest of a tenant; outbox_pending is for the order within a conversation.
create index outbox_by_age on konstruct.outbox (tenant_id, outbox_seq) where state = 'pending';
alter table konstruct.outbox
    set (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

grant delete on konstruct.outbox to konstruct_gateway;
grant select, insert, delete on konstruct.outbox_sent to konstruct_gateway;
grant select, delete on konstruct.outbox_sent to konstruct_operator;

-- Records what was sent, for several tenants. Returns the replies whose fencing token was still good.
create function konstruct.sent(tenants uuid[], replies uuid[], fences bigint[], message_ids text[]) returns setof uuid
    language plpgsql volatile
    set search_path = pg_catalog
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
        return query
        with gone as (
            delete from konstruct.outbox o
            using unnest(tenants, replies, fences, message_ids) as s (tenant, reply, fence, message_id)
            where s.tenant = chosen and o.tenant_id = chosen and o.reply_id = s.reply and o.fence = s.fence
            and o.state = 'pending' and o.lease_owner is not null
            returning o.reply_id, o.outbox_seq, o.conversation_id, o.connection, o.reply_to, o.body, o.attempt, o.created_at, s.message_id
        )
        insert into konstruct.outbox_sent
            (tenant_id, reply_id, outbox_seq, conversation_id, connection, reply_to, body, platform_message_id, attempt,
                created_at)
        select chosen, g.reply_id, g.outbox_seq, g.conversation_id, g.connection, g.reply_to, g.body, g.message_id, g.attempt, g.created_at from gone g
        returning outbox_sent.reply_id;
    end loop;
end
$$;
grant execute on function konstruct.sent(uuid[], uuid[], bigint[], text[]) to konstruct_gateway;

create or replace procedure konstruct.erase_happenings()
    language plpgsql
    set search_path = pg_catalog
as $$
declare
    name text;
begin
    foreach name in array array['conversation', 'inbox', 'delivery', 'parked', 'history', 'outbox', 'outbox_sent', 'turn',
            'audit'] loop
        execute format('delete from konstruct.%I', name);
    end loop;
end
$$;

-- For `konstruct outbox`: a person decides about dead letters, and that is recorded.
grant update (state, attempt, waits, due_at, fence, last_error) on konstruct.outbox to konstruct_operator;
grant insert on konstruct.audit to konstruct_operator;

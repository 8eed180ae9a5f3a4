-- What changes with every turn leaves the conversation, whose row then hardly ever changes.
--
-- A row that is changed twice a turn has old versions, which nobody can clean away while anybody's snapshot may need them,
-- and every look at it goes over all of them. Here each lease is an entry of its own in the index, and a look takes the
-- newest and stops. A conversation that was never leased has no row: that is a fence of 0.
create table konstruct.conversation_state (
    tenant_id uuid not null default konstruct.current_tenant(),
    conversation_id uuid not null,
    -- Every side effect of a turn is checked against it. There is one row a conversation.
    fence bigint not null,
    -- The lease of the runtime that works on it.
    lease_owner text,
    lease_until timestamptz,
    attempt integer not null default 0,
    retry_at timestamptz not null default '-infinity',
    -- Lines of history so far; the window in Redis is stale when it disagrees.
    last_seq bigint not null default 0,
    primary key (tenant_id, conversation_id, fence),
    foreign key (tenant_id, conversation_id) references konstruct.conversation on delete cascade
)
with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 2000);

call konstruct.isolate(array['conversation_state']);

-- A runtime of before cannot lease any more and waits to be replaced: two that do not see each other's leases would answer
-- twice. So this is not made in two releases.
alter table konstruct.conversation no force row level security;
alter table konstruct.conversation_state no force row level security;
insert into konstruct.conversation_state (tenant_id, conversation_id, fence, attempt, retry_at, last_seq)
    select tenant_id, conversation_id, fence + 1, attempt, retry_at, last_seq from konstruct.conversation;
alter table konstruct.conversation force row level security;
alter table konstruct.conversation_state force row level security;
alter table konstruct.conversation
    drop column last_seq,
    drop column lease_owner,
    drop column lease_until,
    drop column fence,
    drop column attempt,
    drop column retry_at;

-- Whoever changes the state of a conversation that may have none holds the conversation's lock meanwhile, for which one needs
-- the right to update some column. Where its replies go is not the runtime's to change.
revoke update on konstruct.conversation from konstruct_runtime;
grant update (files_until) on konstruct.conversation to konstruct_runtime;
grant select, insert, update on konstruct.conversation_state to konstruct_runtime, konstruct_gateway;
grant select, delete on konstruct.conversation_state to konstruct_operator;

-- For the gateway, which says something in a conversation or lets it rest: locks it, and gives it a state if it has none.
create function konstruct.touch_conversation(chosen uuid) returns void
    language plpgsql volatile
    set search_path = pg_catalog
as $$
begin
    perform from konstruct.conversation where conversation_id = chosen for update;
    -- A statement of its own: it sees what whoever had the lock before has made.
    insert into konstruct.conversation_state (conversation_id, fence)
        select chosen, 0 where not exists (select from konstruct.conversation_state where conversation_id = chosen);
end
$$;
grant execute on function konstruct.touch_conversation(uuid) to konstruct_gateway;

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
                   left join lateral (
                       select c.retry_at, c.lease_until from konstruct.conversation_state c
                       where c.tenant_id = i.tenant_id and c.conversation_id = i.conversation_id
                       order by c.fence desc limit 1) s on true
                   where i.tenant_id = candidate and i.received_at < now() - older_than
                   and (s.retry_at is null or s.retry_at <= now())
                   and (s.lease_until is null or s.lease_until < now())) then
            return next candidate;
        end if;
    end loop;
    perform set_config('konstruct.tenant', '', true);
end
$$;

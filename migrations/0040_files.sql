-- Files of messages: recorded with the message, fetched from their platform afterwards, by whichever gateway is there.

alter table konstruct.media
    add column state text not null default 'kept' check (state in ('wanted', 'kept', 'gone')),
    -- Where it stands in its message.
    add column place smallint not null default 0,
    add column name text,
    -- How the channel's adapter finds it, while it is wanted.
    add column source jsonb,
    -- When a wanted one is to be tried (again). A try moves it behind its own end, as a lease.
    add column due_at timestamptz,
    -- Tries that have begun. What a try records counts while no other has begun.
    add column tries integer not null default 0,
    -- Why there is none, for the employee to say.
    add column reason text,
    alter column media_type drop not null,
    alter column bytes drop not null,
    add constraint media_kept check (state <> 'kept' or (media_type is not null and bytes is not null)),
    add constraint media_wanted check (state <> 'wanted' or (source is not null and due_at is not null));
create index media_wanted on konstruct.media (tenant_id, due_at) where state = 'wanted';

-- Until then a turn waits for files of the conversation's messages.
alter table konstruct.conversation add column files_until timestamptz;

-- What a runtime needs to name a file; not how its platform is asked for it.
revoke select on konstruct.media from konstruct_runtime;
grant select (tenant_id, media_id, conversation_id, connection, message_id, state, place, media_type, name, bytes, width,
    reason, created_at) on konstruct.media to konstruct_runtime;

create function konstruct.tenants_with_wanted_files() returns setof uuid
    language plpgsql volatile
    set search_path = pg_catalog
as $$
declare
    candidate uuid;
begin
    for candidate in select t.tenant_id from konstruct.tenant t loop
        perform set_config('konstruct.tenant', candidate::text, true);
        if exists (select from konstruct.media m
                   where m.tenant_id = candidate and m.state = 'wanted' and m.due_at <= now()) then
            return next candidate;
        end if;
    end loop;
    perform set_config('konstruct.tenant', '', true);
end
$$;
grant execute on function konstruct.tenants_with_wanted_files() to konstruct_gateway;

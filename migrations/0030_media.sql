-- Files that people sent. Their bytes are in the object store, under the tenant's prefix and this id.

create table konstruct.media (
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    media_id uuid not null,
    -- Uploaded before its conversation begins, so this is no reference.
    conversation_id uuid not null,
    connection text not null,
    -- The message that it came with, once that is sent.
    message_id text,
    media_type text not null,
    bytes bigint not null check (bytes > 0),
    width integer,
    height integer,
    created_at timestamptz not null default now(),
    primary key (tenant_id, media_id)
);
create index media_of_message on konstruct.media (tenant_id, conversation_id, message_id);
create index media_by_age on konstruct.media (tenant_id, created_at);

call konstruct.isolate(array['media']);

grant select, insert, update, delete on konstruct.media to konstruct_gateway;
-- Which pictures a message has; not what is on them.
grant select on konstruct.media to konstruct_runtime;
grant select (tenant_id, inbox_id, connection, message_id) on konstruct.delivery to konstruct_runtime;
grant select, delete on konstruct.media to konstruct_operator;

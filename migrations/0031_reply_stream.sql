-- Messages in which replies are shown while they are written. A row is written before such a message is begun, so that
-- whoever sends the reply finishes that message and posts no other. It goes when the message shows the whole reply.

create table konstruct.reply_stream (
    tenant_id uuid not null default konstruct.current_tenant(),
    -- One at a time: turns of a conversation come one after the other.
    conversation_id uuid not null,
    reply_id uuid not null,
    begun_at timestamptz not null default now(),
    -- Null: whether it was begun is not known.
    message_id text,
    edited boolean not null default false,
    -- Until then somebody may be changing the message.
    busy_until timestamptz,
    -- The reply is being sent: nobody else changes the message any more.
    ending boolean not null default false,
    primary key (tenant_id, conversation_id),
    foreign key (tenant_id, conversation_id) references konstruct.conversation on delete cascade
);
call konstruct.isolate(array['reply_stream']);

grant select, insert, update, delete on konstruct.reply_stream to konstruct_gateway;
grant select, delete on konstruct.reply_stream to konstruct_operator;
-- Which replies end a turn. A notice beside it does not end what is being written.
grant select (tenant_id, reply_id) on konstruct.turn to konstruct_gateway;

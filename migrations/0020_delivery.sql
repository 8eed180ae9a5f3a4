-- What platforms tell about messages that were sent, and about the people they were sent to.

-- Parts of replies, for platforms that cannot be asked what they have taken. Written before a part leaves; without a
-- message's id nobody knows whether it arrived.
create table konstruct.outbox_part (
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    reply_id uuid not null,
    part smallint not null,
    tried_at timestamptz not null default now(),
    message_id text,
    primary key (tenant_id, reply_id, part)
);

-- Every report about a message, once. They come in any order: how far a message has come is the highest rank.
create table konstruct.message_status (
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    connection text not null,
    message_id text not null,
    progress text not null check (progress in ('sent', 'failed', 'delivered', 'read')),
    rank smallint not null,
    at timestamptz,
    reply_id uuid,
    part smallint,
    pricing jsonb,
    failure text,
    received_at timestamptz not null default now(),
    primary key (tenant_id, connection, message_id, progress)
);
create index message_status_of_reply on konstruct.message_status (tenant_id, reply_id) where reply_id is not null;

-- People whose ids at a platform change. `contact_key` is what their conversation is kept under, and stays.
create table konstruct.contact (
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    connection text not null,
    contact_key text not null,
    user_id text,
    phone text,
    -- Until then they may be written to freely.
    window_until timestamptz,
    updated_at timestamptz not null default now(),
    primary key (tenant_id, connection, contact_key)
);
-- A number that a platform gives to somebody else is no longer the former person's.
create unique index contact_of_user on konstruct.contact (tenant_id, connection, user_id) where user_id is not null;
create unique index contact_of_phone on konstruct.contact (tenant_id, connection, phone) where phone is not null;

-- Which gateway asks a platform for a connection's deliveries: one at a time.
create table konstruct.poll_lease (
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    connection text not null,
    owner text not null,
    lease_until timestamptz not null,
    primary key (tenant_id, connection)
);

call konstruct.isolate(array['outbox_part', 'message_status', 'contact', 'poll_lease']);

grant select, insert, update, delete on konstruct.outbox_part to konstruct_gateway;
grant select, insert on konstruct.message_status to konstruct_gateway;
grant select, insert, update on konstruct.contact, konstruct.poll_lease to konstruct_gateway;
grant select, delete on konstruct.outbox_part, konstruct.message_status, konstruct.contact, konstruct.poll_lease
    to konstruct_operator;

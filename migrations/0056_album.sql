-- Pictures that were sent together in a group: that the employee is meant may be said on another one of them, which may
-- come later. Those before it wait here for a minute, and for the next hourly cleaning where nobody is meant.

create table konstruct.album (
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    connection text not null,
    album_id text not null,
    -- The employee is meant by one of them, and so by all.
    addressed boolean not null default false,
    seen_at timestamptz not null default now(),
    primary key (tenant_id, connection, album_id)
);
create table konstruct.album_part (
    tenant_id uuid not null default konstruct.current_tenant(),
    connection text not null,
    album_id text not null,
    part_seq bigint not null generated always as identity,
    message_id text not null,
    -- The delivery as it came.
    payload bytea not null,
    primary key (tenant_id, connection, album_id, message_id),
    foreign key (tenant_id, connection, album_id) references konstruct.album on delete cascade
);
call konstruct.isolate(array['album', 'album_part']);

grant select, insert, update, delete on konstruct.album, konstruct.album_part to konstruct_gateway;
grant select, delete on konstruct.album, konstruct.album_part to konstruct_operator;

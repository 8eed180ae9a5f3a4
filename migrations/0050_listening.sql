-- Until when gateways listened to a connection's platform. After a gap that is longer than the platform repeats its
-- deliveries, what was written meanwhile is asked for: once, by one gateway, and by another if that one dies.

create table konstruct.listening (
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    connection text not null,
    seen_at timestamptz not null default now(),
    -- Null: nothing is to be asked for.
    missed_since timestamptz,
    owner text,
    lease_until timestamptz,
    primary key (tenant_id, connection)
);
call konstruct.isolate(array['listening']);

grant select, insert, update on konstruct.listening to konstruct_gateway;
grant select, delete on konstruct.listening to konstruct_operator;

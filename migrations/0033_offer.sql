-- Questions that are put to people with buttons. Each is answered once, by somebody who may, while it is open.

create table konstruct.offer (
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    -- Random: a button carries it, and nothing else tells what it is for.
    offer_id uuid not null,
    connection text not null,
    purpose text not null,
    subject jsonb not null default '{}',
    choices text[] not null check (cardinality(choices) between 1 and 25),
    -- Ids of people at the platform. Null: anybody who sees it.
    may_press text[],
    offered_at timestamptz not null default now(),
    expires_at timestamptz not null,
    taken_at timestamptz,
    taken_by text,
    choice text,
    primary key (tenant_id, offer_id)
);
create index offer_by_end on konstruct.offer (tenant_id, expires_at);
call konstruct.isolate(array['offer']);

grant select, insert, update, delete on konstruct.offer to konstruct_gateway;
grant select, delete on konstruct.offer to konstruct_operator;

-- What models cost, and what a tenant's month came to.

alter table konstruct.model_call add column cost_micros bigint not null default 0 check (cost_micros >= 0);

-- The sums of a calendar month (UTC), kept beside the calls: a limit is looked at before each call, and a month may have
-- hundreds of thousands. Numeric, since a provider may claim as much as a row of model_call can hold.
create table konstruct.monthly_use (
    tenant_id uuid not null default konstruct.current_tenant() references konstruct.tenant on delete cascade,
    month date not null,
    tokens numeric not null check (tokens >= 0),
    cost_micros numeric not null check (cost_micros >= 0),
    primary key (tenant_id, month)
);

call konstruct.isolate(array['monthly_use']);
grant select, insert, update on konstruct.monthly_use to konstruct_ai_gateway;
grant select, delete on konstruct.monthly_use to konstruct_operator;

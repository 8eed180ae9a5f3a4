-- What is in force of a resource, what of it is loaded and what was noticed about it: in one round trip. The operator asks at
-- every look at an object, which mostly finds that nothing has changed.
create function konstruct.standing(tenant uuid, asked_kind text, asked_name text, asked_reader text)
    returns table (in_force text, loaded text, condition text, ok boolean, reason text, message text)
    language plpgsql volatile
    set search_path = pg_catalog
as $$
begin
    perform set_config('konstruct.tenant', tenant::text, true);
    return query
    select h.revision, l.revision, o.condition, o.ok, o.reason, o.message
    from (select asked_kind as kind, asked_name as name) as asked
    left join konstruct.snapshot_head h using (kind, name)
    left join konstruct.snapshot_loaded l on l.kind = asked_kind and l.name = asked_name and l.reader = asked_reader
    left join konstruct.observation o on o.kind = asked_kind and o.name = asked_name
    order by o.condition;
end
$$;
grant execute on function konstruct.standing(uuid, text, text, text) to konstruct_operator;

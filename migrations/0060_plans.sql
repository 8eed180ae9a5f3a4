-- Rows that are written often have many versions while somebody holds an old snapshot. A bitmap scan visits all of them,
-- and remembers none as dead; an index scan ends at the one that is there.
alter function konstruct.accept(uuid[], uuid[], text[], text[], text[], text[], jsonb[], boolean[], text[], text[], text[],
    text[], bytea[]) set enable_bitmapscan = off;
alter function konstruct.sent(uuid[], uuid[], bigint[], text[]) set enable_bitmapscan = off;

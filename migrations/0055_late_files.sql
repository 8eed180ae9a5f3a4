-- Files that were settled after the turn of their message had begun: the next turn tells them, once.

alter table konstruct.media add column late boolean not null default false;
create index media_late on konstruct.media (tenant_id, conversation_id) where late;

grant select (late), update (late) on konstruct.media to konstruct_runtime;

-- Large objects belong to no table, so no policy covers them, and a role that owns one cannot be dropped with its tenant.
-- PostgreSQL lets everybody make them. Only a superuser can change that; for another owner this is a warning, and
-- `konstruct verify isolation` says what is left to do.
revoke execute on function lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea) from public;

-- Which of some roles are there, and whether this admin may grant each to another role, as one JSON value.
-- $1: names of roles.
-- https://www.postgresql.org/docs/current/sql-grant.html#SQL-GRANT-DESCRIPTION-ROLES
SELECT COALESCE(pg_catalog.jsonb_object_agg(r.rolname,
    -- Up to 15 CREATEROLE is enough, but for superusers.
    pg_catalog.pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')
    OR pg_catalog.current_setting('server_version_num')::int < 160000 AND a.rolcreaterole AND NOT r.rolsuper), '{}')::text
FROM pg_catalog.pg_roles r
JOIN pg_catalog.pg_roles a ON a.rolname = CURRENT_USER
WHERE r.rolname = ANY ($1)

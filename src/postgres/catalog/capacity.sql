-- How many connections the server takes, which of them it keeps back, and who holds how many now.
-- Not every server has each setting: reserved_connections came with PostgreSQL 16, and the last one is RDS's. What
-- is missing is NULL; a setting with a dot in its name may also be empty.
-- https://www.postgresql.org/docs/current/runtime-config-connection.html
WITH sessions AS (
  -- Of other roles' sessions an admin without pg_read_all_stats sees pid and role, and not of which kind they are:
  -- parallel workers, which take no connection, are then counted as well.
  SELECT a.usesysid, pg_catalog.count(*) AS count, pg_catalog.bool_or(a.backend_type IS NULL) AS hidden
  FROM pg_catalog.pg_stat_activity a
  WHERE a.backend_type = 'client backend' OR a.backend_type IS NULL AND a.usesysid IS NOT NULL
  GROUP BY 1
)
SELECT pg_catalog.jsonb_build_object(
  'max_connections', pg_catalog.current_setting('max_connections')::int,
  'superuser_reserved', pg_catalog.current_setting('superuser_reserved_connections')::int,
  'reserved', NULLIF(pg_catalog.current_setting('reserved_connections', true), '')::int,
  'rds_reserved', NULLIF(pg_catalog.current_setting('rds.rds_superuser_reserved_connections', true), '')::int,
  'in_use', (SELECT COALESCE(pg_catalog.sum(s.count), 0) FROM sessions s),
  'hidden', (SELECT COALESCE(pg_catalog.bool_or(s.hidden), false) FROM sessions s),
  'by_role', (
    SELECT COALESCE(pg_catalog.jsonb_object_agg(r.rolname, s.count), '{}')
    FROM sessions s JOIN pg_catalog.pg_roles r ON r.oid = s.usesysid)
)::text

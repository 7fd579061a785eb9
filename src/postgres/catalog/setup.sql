-- How the server is set up, as one JSON value: some parameters as this session has them, and whether the
-- session is encrypted. A parameter that the server does not have, or does not show to this role, is left out.
-- $1: names of parameters.
-- https://www.postgresql.org/docs/current/view-pg-settings.html
SELECT pg_catalog.jsonb_build_object(
  'parameters', (
    SELECT COALESCE(pg_catalog.jsonb_object_agg(s.name, pg_catalog.left(s.setting, 512)), '{}')
    FROM pg_catalog.pg_settings s
    WHERE s.name = ANY ($1) AND s.setting IS NOT NULL),
  'encrypted', COALESCE((
    SELECT t.ssl
    FROM pg_catalog.pg_stat_ssl t
    WHERE t.pid = pg_catalog.pg_backend_pid()), false)
)::text

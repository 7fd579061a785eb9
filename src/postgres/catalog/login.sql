-- The role that logged in, and which of some databases admit it by a privilege that is not PUBLIC's, as one
-- JSON value. It is asked for CONNECT before the session becomes another role, so CURRENT_USER does not count.
-- $1: names of databases.
-- https://www.postgresql.org/docs/current/ddl-priv.html
SELECT pg_catalog.jsonb_build_object(
  'role', SESSION_USER,
  'admitted', (
    SELECT COALESCE(pg_catalog.jsonb_agg(d.datname), '[]')
    FROM pg_catalog.pg_database d
    WHERE d.datname = ANY ($1)
      AND ((SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = SESSION_USER)
           OR EXISTS (
             SELECT
             FROM pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
             WHERE a.privilege_type = 'CONNECT'
               AND a.grantee <> 0
               AND pg_catalog.pg_has_role(SESSION_USER, a.grantee, 'USAGE'))))
)::text

-- Tries to take the advisory locks for some texts, for this session, and says who holds those that others have, as one JSON
-- value. Any role that may connect can hold any lock, so a holder counts only if it may act as this admin.
-- $1: the texts.
-- https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS
WITH tried AS MATERIALIZED (
  SELECT w.name, k.key, pg_catalog.pg_try_advisory_lock(k.key) AS taken
  FROM pg_catalog.unnest($1) AS w (name)
    CROSS JOIN LATERAL (VALUES ({key})) AS k (key)
)
SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', t.name, 'taken', t.taken, 'holder', (
  SELECT pg_catalog.jsonb_build_object(
    'pid', a.pid,
    'role', a.usename,
    'since', pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
    'application', a.application_name,
    'client', pg_catalog.host(a.client_addr))
  FROM pg_catalog.pg_locks l
    JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
  WHERE NOT t.taken
    AND l.locktype = 'advisory'
    AND l.granted
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
    -- A key of 64 bits stands there in two halves.
    AND l.objsubid = 1
    AND (l.classid::bigint << 32) | l.objid::bigint = t.key
    AND COALESCE(pg_catalog.pg_has_role(a.usesysid, CURRENT_USER, 'MEMBER'), false)
  LIMIT 1
)))::text
FROM tried t

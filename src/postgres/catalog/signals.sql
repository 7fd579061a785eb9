-- What the sessions do now, who waits for whom, and what the databases have counted, for the whole cluster.
-- $1: the databases that are asked for. Reads statistics and shared catalogs only, and no query's text.
-- An admin without pg_read_all_stats sees of other roles' sessions no more than pid, role and application_name: those
-- are `hidden`.
-- https://www.postgresql.org/docs/current/monitoring-stats.html
WITH sessions AS MATERIALIZED (
  SELECT a.pid, r.rolname AS role, a.backend_type AS kind, pg_catalog.left(a.application_name, 64) AS application_name,
         a.state, a.query_start, a.wait_event_type = 'Lock' AS waiting,
         a.backend_type IS NULL AND a.usesysid IS NOT NULL AS hidden,
         pg_catalog.round(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - a.xact_start)::numeric, 3) AS transaction,
         -- A call by the fast path leaves query_start as it was.
         CASE WHEN a.state IN ('active', 'fastpath function call') THEN
           pg_catalog.round(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()
             - CASE a.state WHEN 'active' THEN a.query_start ELSE a.state_change END)::numeric, 3) END AS statement
  FROM pg_catalog.pg_stat_activity a
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
  WHERE a.pid <> pg_catalog.pg_backend_pid()
), waits AS MATERIALIZED (
  -- When a wait began is on record from 14 on; before, the statement that waits is as old at the least.
  SELECT l.pid, pg_catalog.min((pg_catalog.to_jsonb(l) ->> 'waitstart')::timestamptz) AS since
  FROM pg_catalog.pg_locks l
  WHERE NOT l.granted
  GROUP BY 1
), longest AS MATERIALIZED (
  SELECT s.pid, s.role, s.kind,
         pg_catalog.round(pg_catalog.date_part(
           'epoch', pg_catalog.clock_timestamp() - COALESCE(w.since, s.query_start))::numeric, 3) AS waited
  FROM sessions s LEFT JOIN waits w ON w.pid = s.pid
  WHERE s.waiting
  ORDER BY COALESCE(w.since, s.query_start), s.pid
  LIMIT 100
), blocked AS (
  -- In a long queue each waits for all before it: those that wait for nobody come first.
  SELECT b.pid, b.role, b.kind, b.waited, p.pid AS blocking_pid, h.role AS blocking_role,
         CASE WHEN p.pid = 0 THEN 'prepared transaction' ELSE h.kind END AS blocking_kind,
         h.state AS blocking_state, h.transaction AS blocking_transaction
  FROM longest b
  CROSS JOIN LATERAL (SELECT DISTINCT u.pid FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(b.pid)) AS u (pid)) p
  LEFT JOIN sessions h ON h.pid = p.pid
  ORDER BY COALESCE(h.waiting, false), b.waited DESC, b.pid, p.pid
  LIMIT 100
)
SELECT pg_catalog.jsonb_build_object(
  'roles', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(x)), '[]')
    FROM (
      SELECT s.role, pg_catalog.count(*) AS connections,
             pg_catalog.count(*) FILTER (WHERE s.state IN ('active', 'fastpath function call')) AS active,
             pg_catalog.count(*) FILTER (WHERE s.state = 'idle') AS idle,
             pg_catalog.count(*) FILTER (WHERE s.state LIKE 'idle in transaction%') AS idle_in_transaction,
             pg_catalog.count(*) FILTER (WHERE s.waiting) AS waiting_on_locks,
             pg_catalog.max(s.statement) AS longest_statement,
             pg_catalog.max(s.transaction) AS longest_transaction,
             pg_catalog.bool_or(s.hidden) AS hidden
      FROM sessions s
      WHERE s.role IS NOT NULL AND (s.kind = 'client backend' OR s.hidden)
      GROUP BY 1) x),
  'transactions', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(x)), '[]')
    FROM (
      SELECT DISTINCT ON (s.role) s.role, s.pid, s.application_name, s.state, s.transaction AS seconds
      FROM sessions s
      -- A parallel worker shares its leader's transaction.
      WHERE s.role IS NOT NULL AND s.transaction IS NOT NULL AND s.kind <> 'parallel worker'
      ORDER BY s.role, s.transaction DESC, s.pid) x),
  'blocked', (SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(b)), '[]') FROM blocked b),
  'databases', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'name', d.datname,
      'commits', s.xact_commit,
      'rollbacks', s.xact_rollback,
      'deadlocks', s.deadlocks,
      'temp_files', s.temp_files,
      'temp_bytes', s.temp_bytes,
      'blocks_read', s.blks_read,
      'blocks_hit', s.blks_hit,
      'stats_reset', pg_catalog.to_char(s.stats_reset AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
      'transaction_id_age', pg_catalog.age(d.datfrozenxid),
      -- To others than these it is an error to ask.
      'size_bytes', CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT')
                           OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')
                         THEN pg_catalog.pg_database_size(d.oid) END)), '[]')
    FROM pg_catalog.pg_database d JOIN pg_catalog.pg_stat_database s ON s.datid = d.oid
    WHERE d.datname = ANY ($1))
)::text

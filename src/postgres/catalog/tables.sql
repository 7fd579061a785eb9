-- Dead rows of one database's tables, and how much room they are likely to take.
-- $1: how many tables to name. Reads catalogs and statistics, which no lock of a tenant's holds up; pg_relation_size would
-- wait for whoever holds ACCESS EXCLUSIVE on the table.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ALL-TABLES-VIEW
WITH tables AS MATERIALIZED (
  SELECT n.nspname AS schema, c.relname AS name, v.live, v.dead, v.toast_live, v.toast_dead,
         -- relpages is as of the last VACUUM or ANALYZE. Before the first one: so many rows of the width that the planner
         -- takes the columns to have, with header and line pointer; and TOAST stores four chunks to a page.
         CASE WHEN c.relpages > 0 THEN c.relpages * b.bytes
              ELSE (v.live + v.dead) * (
                SELECT 28 + COALESCE(pg_catalog.sum(CASE WHEN a.attlen > 0 THEN a.attlen ELSE 32 END), 0)
                FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END AS heap,
         CASE WHEN t.relpages > 0 THEN t.relpages * b.bytes ELSE (v.toast_live + v.toast_dead) * b.bytes / 4 END AS toast,
         pg_catalog.pg_stat_get_last_vacuum_time(c.oid) AS last_vacuum,
         pg_catalog.pg_stat_get_last_autovacuum_time(c.oid) AS last_autovacuum
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
  CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::numeric AS bytes) b
  CROSS JOIN LATERAL (
    SELECT pg_catalog.pg_stat_get_live_tuples(c.oid) AS live,
           pg_catalog.pg_stat_get_dead_tuples(c.oid) AS dead,
           COALESCE(pg_catalog.pg_stat_get_live_tuples(t.oid), 0) AS toast_live,
           COALESCE(pg_catalog.pg_stat_get_dead_tuples(t.oid), 0) AS toast_dead) v
  WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
    AND n.nspname <> 'information_schema' AND NOT pg_catalog.starts_with(n.nspname::text, 'pg_')
), estimates AS MATERIALIZED (
  SELECT t.*, t.heap + t.toast AS size,
         COALESCE(t.heap * t.dead / NULLIF(t.live + t.dead, 0), 0)
           + COALESCE(t.toast * t.toast_dead / NULLIF(t.toast_live + t.toast_dead, 0), 0) AS bloat
  FROM tables t
)
SELECT pg_catalog.jsonb_build_object(
  'live_tuples', (SELECT COALESCE(pg_catalog.sum(e.live), 0)::bigint FROM estimates e),
  'dead_tuples', (SELECT COALESCE(pg_catalog.sum(e.dead), 0)::bigint FROM estimates e),
  'estimated_bloat_bytes', (SELECT COALESCE(pg_catalog.sum(e.bloat), 0)::bigint FROM estimates e),
  'worst', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'schema', w.schema,
      'table', w.name,
      'live_tuples', w.live,
      'dead_tuples', w.dead,
      'size_bytes', w.size::bigint,
      'estimated_bloat_bytes', w.bloat::bigint,
      'last_vacuum', pg_catalog.to_char(w.last_vacuum AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
      'last_autovacuum', pg_catalog.to_char(w.last_autovacuum AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
      ORDER BY w.bloat DESC, w.schema, w.name), '[]')
    FROM (
      SELECT * FROM estimates e
      WHERE e.dead + e.toast_dead > 0
      ORDER BY e.bloat DESC, e.schema, e.name
      LIMIT $1) w)
)::text

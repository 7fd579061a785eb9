-- Measures each tenant's sessions against the limits in its database's settings, which it cannot write, and ends
-- those beyond them; then takes back what the tenant's role sets against those limits. As its owner, the admin.
-- A second of grace leaves PostgreSQL's own time-outs the first move. An action without `ended` was only recorded.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
CREATE OR REPLACE FUNCTION pgtenant_watchdog.sweep(record_only boolean, transaction_limit bigint, retention interval)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '1s'
AS $sweep$
DECLARE
  this record;
  done timestamptz;
  failure text;
  actions bigint := 0;
BEGIN
  FOR this IN
    WITH markers AS (
      -- The tenant's name as JSON has it, which is the same text in the comments on its database and its role.
      SELECT c.classoid, c.objoid, m.tenant
      FROM pg_shdescription c
      CROSS JOIN LATERAL substring(c.description FROM '^\{"pgtenant":("(?:[^"\\]|\\.)*"),"stage":"ready",') AS m (tenant)
      WHERE m.tenant IS NOT NULL
    ), tenants AS (
      SELECT r.tenant, r.objoid AS role, d.objoid AS database
      FROM markers r
      JOIN markers d ON d.tenant = r.tenant AND d.classoid = 'pg_database'::regclass
      WHERE r.classoid = 'pg_authid'::regclass
    ), settings AS (
      SELECT s.setdatabase, s.setrole, lower(split_part(e.entry, '=', 1)) AS name, v.value,
             n[1]::numeric * CASE n[2] WHEN 'us' THEN 0.001 WHEN 's' THEN 1000 WHEN 'min' THEN 60000
                               WHEN 'h' THEN 3600000 WHEN 'd' THEN 86400000 ELSE 1 END AS milliseconds
      FROM pg_db_role_setting s
      CROSS JOIN LATERAL unnest(s.setconfig) AS e (entry)
      CROSS JOIN LATERAL substr(e.entry, strpos(e.entry, '=') + 1) AS v (value)
      LEFT JOIN LATERAL regexp_match(left(v.value, 80), '^\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(us|ms|s|min|h|d)?\s*$') AS n
        ON split_part(e.entry, '=', 1) LIKE '%\_timeout'
    ), guarded AS (
      SELECT t.tenant, t.role, s.name, s.value, s.milliseconds
      FROM tenants t
      JOIN settings s ON s.setdatabase = t.database AND s.setrole = 0
    ), limits AS (
      SELECT tenant, role, name, milliseconds FROM guarded WHERE milliseconds > 0
      UNION ALL
      SELECT t.tenant, t.role, 'transaction_timeout', transaction_limit
      FROM tenants t
      WHERE transaction_limit > 0
        AND NOT EXISTS (SELECT FROM guarded g WHERE g.role = t.role AND g.name = 'transaction_timeout')
    ), beyond AS (
      SELECT DISTINCT ON (a.pid) l.tenant, l.role, l.name AS reason, trim_scale(l.milliseconds) || 'ms' AS expected,
             a.state AS observed, a.pid, a.datname AS database, a.application_name, a.client_addr, w.started
      FROM limits l
      JOIN pg_stat_activity a ON a.usesysid = l.role AND a.leader_pid IS NULL
      CROSS JOIN LATERAL (
        SELECT CASE
          WHEN l.name = 'statement_timeout' AND a.state IN ('active', 'fastpath function call') THEN a.query_start
          WHEN l.name = 'idle_in_transaction_session_timeout' AND starts_with(a.state, 'idle in transaction')
            THEN a.state_change
          WHEN l.name = 'idle_session_timeout' AND a.state = 'idle' THEN a.state_change
          WHEN l.name = 'transaction_timeout' THEN a.xact_start
        END) AS w (started)
      WHERE clock_timestamp() - w.started > l.milliseconds * interval '1 ms' + interval '1 s'
      ORDER BY a.pid, l.name
    ), astray AS (
      -- A row for the role in one database stands above those of the database, whatever it says.
      SELECT g.tenant, g.role, 'override of ' || g.name AS reason, g.value AS expected, left(s.value, 80) AS observed,
             d.datname AS database, g.name
      FROM guarded g
      JOIN settings s ON s.setrole = g.role AND s.name = g.name
      LEFT JOIN pg_database d ON d.oid = s.setdatabase
      WHERE d.oid IS NOT NULL
         OR CASE WHEN g.milliseconds IS NOT NULL THEN s.milliseconds IS DISTINCT FROM g.milliseconds
                 ELSE s.value <> g.value END
    ), due AS (
      SELECT tenant, role, reason, expected, observed, pid, database::text, application_name, client_addr, started,
             NULL AS name
      FROM beyond
      UNION ALL
      SELECT tenant, role, reason, expected, observed, NULL, database::text, NULL, NULL, NULL, name FROM astray
    )
    SELECT f.tenant::jsonb #>> '{}' AS tenant, r.rolname AS role, f.reason, f.expected, f.observed, f.pid, f.database,
           f.application_name, f.client_addr, f.started, f.name
    FROM due f
    JOIN pg_roles r ON r.oid = f.role
    -- Sessions first: a transaction that holds up the rest may end with them.
    ORDER BY f.pid NULLS LAST, role, reason, f.database
  LOOP
    done := NULL;
    failure := NULL;
    IF NOT record_only THEN
      BEGIN
        IF this.pid IS NOT NULL THEN
          PERFORM pg_terminate_backend(this.pid);
        ELSIF this.database IS NULL THEN
          EXECUTE format('ALTER ROLE %I SET %I = %L', this.role, this.name, this.expected);
        ELSE
          EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET %I', this.role, this.database, this.name);
        END IF;
        done := clock_timestamp();
      EXCEPTION WHEN OTHERS THEN
        -- 55P03: an open transaction of the tenant has changed the same; the next sweep takes it back.
        failure := SQLSTATE;
      END;
    END IF;
    -- What stays as it is, is recorded once.
    IF done IS NULL AND EXISTS (
      SELECT
      FROM pgtenant_watchdog.actions a
      WHERE a.ended IS NULL AND a.role = this.role AND a.reason = this.reason AND a.observed IS NOT DISTINCT FROM this.observed
        AND a.database IS NOT DISTINCT FROM this.database AND a.pid IS NOT DISTINCT FROM this.pid
        AND a.started IS NOT DISTINCT FROM this.started)
    THEN
      CONTINUE;
    END IF;
    INSERT INTO pgtenant_watchdog.actions
      (tenant, role, reason, expected, observed, pid, database, application_name, client_addr, started, ended, sqlstate)
    VALUES (this.tenant, this.role, this.reason, this.expected, this.observed, this.pid, this.database,
            this.application_name, this.client_addr, this.started, done, failure);
    actions := actions + 1;
  END LOOP;

  DELETE FROM pgtenant_watchdog.actions WHERE recorded < clock_timestamp() - retention;
  RETURN actions;
END
$sweep$

-- Measures each tenant's sessions against the limits in its database's settings, which it cannot write, and ends
-- those beyond them; then takes back what the tenant's role sets against those settings. As its owner, the admin.
-- A second of grace leaves PostgreSQL's own time-outs the first move. An action without `ended` was only recorded.
--
-- A role writes its own settings, in the encoding of its database and of any size: they are compared as bytes, shown as
-- ASCII, and taken back as a whole where they are absurd. No tenant's lock is waited for twice.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
CREATE OR REPLACE FUNCTION pgtenant_watchdog.sweep(record_only boolean, transaction_limit bigint, retention interval)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
AS $sweep$
DECLARE
  this record;
  done timestamptz;
  failure text;
  held text[] := '{}';
  actions bigint := 0;
BEGIN
  FOR this IN
    WITH markers AS (
      -- The tenant's name as JSON has it, which is the same text in the comments on its database and its role.
      SELECT c.classoid, c.objoid, m.tenant
      FROM pg_shdescription c
      CROSS JOIN LATERAL (
        SELECT CASE WHEN starts_with(c.description, '{"pgtenant":')
                    THEN substring(c.description FROM '^\{"pgtenant":("(?:[^"\\]|\\.)*"),"stage":"ready",') END) AS m (tenant)
      WHERE m.tenant IS NOT NULL
    ), tenants AS (
      SELECT r.tenant, r.objoid AS role, d.objoid AS database
      FROM markers r
      JOIN markers d ON d.tenant = r.tenant AND d.classoid = 'pg_database'::regclass
      WHERE r.classoid = 'pg_authid'::regclass
    ), settings AS (
      -- As ASCII, whatever they were written in; what is written in it is `exact`.
      SELECT s.setdatabase, s.setrole, split_part(b.ascii, '=', 1) AS name, v.value, b.ascii = e.entry AS exact,
             CASE WHEN b.ascii LIKE '%\_timeout=%' THEN m.milliseconds END AS milliseconds
      FROM pg_db_role_setting s
      CROSS JOIN LATERAL unnest(s.setconfig) AS e (entry)
      CROSS JOIN LATERAL encode(substr(textsend(e.entry), 1, 8192), 'escape') AS b (ascii)
      CROSS JOIN LATERAL substr(b.ascii, strpos(b.ascii, '=') + 1) AS v (value)
      LEFT JOIN LATERAL (
        SELECT n[1]::numeric * CASE n[2] WHEN 'us' THEN 0.001 WHEN 's' THEN 1000 WHEN 'min' THEN 60000
                                 WHEN 'h' THEN 3600000 WHEN 'd' THEN 86400000 ELSE 1 END
        FROM regexp_match(left(v.value, 80), '^\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(us|ms|s|min|h|d)?\s*$') AS n
      ) AS m (milliseconds) ON true
      WHERE s.setrole = 0 AND s.setdatabase IN (SELECT database FROM tenants)
         OR s.setrole IN (SELECT role FROM tenants) AND pg_column_size(s.setconfig) <= 100000
    ), guarded AS (
      -- search_path is no limit: the role's own, in its database, is how it finds its schema.
      SELECT t.tenant, t.role, t.database, s.name, s.value, s.milliseconds
      FROM tenants t
      JOIN settings s ON s.setdatabase = t.database AND s.setrole = 0
      WHERE s.exact AND s.name <> 'search_path'
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
          WHEN l.name = 'statement_timeout' AND a.state = 'active' THEN a.query_start
          -- Which leaves query_start as it was.
          WHEN l.name = 'statement_timeout' AND a.state = 'fastpath function call' THEN a.state_change
          WHEN l.name = 'idle_in_transaction_session_timeout' AND starts_with(a.state, 'idle in transaction')
            THEN a.state_change
          WHEN l.name = 'idle_session_timeout' AND a.state = 'idle' THEN a.state_change
          WHEN l.name = 'transaction_timeout' THEN a.xact_start
        END) AS w (started)
      WHERE clock_timestamp() - w.started > l.milliseconds * interval '1 ms' + interval '1 s'
      ORDER BY a.pid, l.name
    ), oversized AS (
      SELECT t.tenant, t.role, t.database AS home, s.setdatabase, pg_column_size(s.setconfig) AS bytes
      FROM tenants t
      JOIN pg_db_role_setting s ON s.setrole = t.role
      WHERE pg_column_size(s.setconfig) > 100000
    ), astray AS (
      -- A row for the role in one database stands above those of the database, whatever it says.
      SELECT g.tenant, g.role, g.database AS home, s.setdatabase, g.name, g.value AS expected,
             left(s.value, 80) AS observed
      FROM guarded g
      JOIN settings s ON s.setrole = g.role AND s.name = g.name
      WHERE s.setdatabase <> 0
         OR CASE WHEN g.milliseconds IS NOT NULL THEN s.milliseconds IS DISTINCT FROM g.milliseconds
                 ELSE s.value <> g.value END
    ), overrides AS (
      SELECT tenant, role, home, setdatabase, NULL AS name, 'override of everything' AS reason, '100000 bytes' AS expected,
             bytes || ' bytes' AS observed
      FROM oversized
      UNION ALL
      SELECT tenant, role, home, setdatabase, name, 'override of ' || name, expected, observed FROM astray
    ), due AS (
      SELECT tenant, role, reason, expected, observed, pid, database::text, application_name, client_addr, started,
             NULL AS name, 0 AS rank
      FROM beyond
      UNION ALL
      -- A few of each role at a time, what counts in its own database first: it may write one for every database.
      SELECT o.tenant, o.role, o.reason, o.expected, o.observed, NULL, d.datname::text, NULL, NULL, NULL, o.name,
             row_number() OVER (PARTITION BY o.role ORDER BY o.setdatabase NOT IN (0, o.home), o.setdatabase, o.name)
      FROM overrides o
      LEFT JOIN pg_database d ON d.oid = o.setdatabase
      WHERE o.setdatabase = 0 OR d.oid IS NOT NULL
    )
    SELECT f.tenant::jsonb #>> '{}' AS tenant, r.rolname AS role, f.reason, f.expected, f.observed, f.pid, f.database,
           f.application_name, f.client_addr, f.started, f.name
    FROM due f
    JOIN pg_roles r ON r.oid = f.role
    WHERE f.rank <= 20
    -- Sessions first: a transaction that holds up the rest may end with them.
    ORDER BY f.pid NULLS LAST, role, f.rank
  LOOP
    CONTINUE WHEN this.pid IS NULL AND this.role = ANY (held);
    done := NULL;
    failure := NULL;
    IF NOT record_only THEN
      BEGIN
        IF this.pid IS NOT NULL THEN
          IF NOT pg_terminate_backend(this.pid) THEN
            -- It ended by itself.
            CONTINUE;
          END IF;
        ELSIF this.name IS NULL AND this.database IS NULL THEN
          EXECUTE format('ALTER ROLE %I RESET ALL', this.role);
        ELSIF this.name IS NULL THEN
          EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET ALL', this.role, this.database);
        ELSIF this.database IS NULL THEN
          EXECUTE format('ALTER ROLE %I SET %I = %L', this.role, this.name, this.expected);
        ELSE
          EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET %I', this.role, this.database, this.name);
        END IF;
        done := clock_timestamp();
      EXCEPTION WHEN OTHERS THEN
        failure := SQLSTATE;
        IF failure = '55P03' THEN
          -- An open transaction of the tenant has changed the same: the next sweep takes it back.
          held := held || this.role::text;
        END IF;
      END;
    END IF;
    -- What stays as it is, is recorded once.
    IF done IS NULL AND EXISTS (
      SELECT
      FROM pgtenant_watchdog.actions a
      WHERE a.ended IS NULL AND a.role = this.role AND a.reason = this.reason
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

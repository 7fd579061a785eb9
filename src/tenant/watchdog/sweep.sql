-- Measures each tenant's sessions against the limits in its database's settings, which it cannot write, and ends
-- those beyond them; then takes back what a role of the tenant sets against those settings. As its owner, the admin.
-- A second of grace leaves PostgreSQL's own time-outs the first move. A signal sent is not a session ended: `ended` is written
-- when the session is seen to be gone, by this sweep or a later one. An action without `signaled` and `ended` was only recorded.
--
-- A role writes its own settings, in the encoding of its database and of any size: they are compared as bytes, shown as
-- ASCII, and taken back as a whole where they are absurd. No tenant's lock is waited for twice.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
--
-- From here on it is spelled as pg_get_functiondef does, so that the two can be compared.
CREATE OR REPLACE FUNCTION pgtenant_watchdog.sweep(record_only boolean, transaction_limit bigint, retention interval)
 RETURNS bigint
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET lock_timeout TO '200ms'
AS $function$
DECLARE
  this record;
  same record;
  told timestamptz;
  done timestamptz;
  failure text;
  held text[] := '{}';
  offender text;
  offenders text[] := '{}';
  begun CONSTANT timestamptz := clock_timestamp();
  rows_of_one_tenant CONSTANT bigint := 10000;
  quoted CONSTANT text := '"(?:[^"\\\x01-\x1f]|\\["\\])*"';
  before CONSTANT text := current_setting('idle_in_transaction_session_timeout');
  actions bigint := 0;
BEGIN
  FOR this IN
    WITH markers AS (
      -- A comment is its owner's to write: one counts only on what the admin owns or administers. Up to 15 whoever may
      -- comment on a role may change it too. Names are as JSON has them.
      SELECT c.classoid, c.objoid, to_json(coalesce(d.datname, r.rolname)::text)::text AS name,
             m.names[1] AS tenant, m.names[2] AS database, m.names[3] AS role, m.names[4] IS NOT NULL AS further,
             substring(split_part(left(c.description, 4096), chr(10), 1) FROM '"parameters":(\[[^]]*\])') AS parameters
      FROM pg_shdescription c
      LEFT JOIN pg_database d ON c.classoid = 'pg_database'::regclass AND d.oid = c.objoid
      LEFT JOIN pg_roles r ON c.classoid = 'pg_authid'::regclass AND r.oid = c.objoid
      CROSS JOIN LATERAL (
        SELECT CASE
          WHEN starts_with(c.description, '{"pgtenant":')
               AND (pg_has_role(d.datdba, 'USAGE') OR pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')
                    OR r.oid IS NOT NULL AND current_setting('server_version_num')::int < 160000)
          THEN regexp_match(left(c.description, 4096),
                            format('^\{"pgtenant":(%1$s),"stage":"ready","database":(%1$s),"role":(%1$s),("access":)?', quoted))
        END) AS m (names)
      WHERE m.names IS NOT NULL
    ), tenants AS (
      SELECT t.tenant, t.role, t.database
      FROM (
        SELECT r.tenant, r.objoid AS role, d.objoid AS database, r.database = d.name AND d.role = r.name AS agree,
               count(*) OVER (PARTITION BY r.tenant) AS pairs
        FROM markers r
        JOIN markers d ON d.tenant = r.tenant AND d.classoid = 'pg_database'::regclass
        WHERE r.classoid = 'pg_authid'::regclass AND NOT r.further) t
      -- Of several that carry one marker, those that name each other.
      WHERE t.pairs = 1 OR t.agree
    ), roles AS (
      SELECT tenant, role, database, NULL AS parameters FROM tenants
      UNION ALL
      -- Its further roles, but for what its admin lets one of them have otherwise.
      SELECT t.tenant, m.objoid, t.database, m.parameters
      FROM tenants t
      JOIN markers m ON m.tenant = t.tenant AND m.classoid = 'pg_authid'::regclass AND m.further
    ), rows AS MATERIALIZED (
      -- What is stored may be compressed to less than a hundredth: with nothing appended it is measured in memory.
      SELECT s.setdatabase, s.setrole, s.setconfig, b.bytes
      FROM pg_db_role_setting s
      CROSS JOIN LATERAL (
        SELECT CASE WHEN pg_column_size(s.setconfig) <= 100000 THEN pg_column_size(array_cat(s.setconfig, '{}'))
                    ELSE pg_column_size(s.setconfig) END) AS b (bytes)
      WHERE s.setrole = 0 AND s.setdatabase IN (SELECT database FROM tenants)
         OR s.setrole IN (SELECT role FROM roles)
    ), settings AS (
      -- As ASCII, whatever they were written in; what is written in it is `exact`. Durations are read by the server, which
      -- has taken them as such before: 010s is 8 s. The parameter for that limits nothing while this runs, and is put back.
      SELECT s.setdatabase, s.setrole, n.name, v.value, b.ascii = e.entry AS exact,
             u.duration[1]::numeric * CASE u.duration[2] WHEN 's' THEN 1000 WHEN 'min' THEN 60000 WHEN 'h' THEN 3600000
                                                         WHEN 'd' THEN 86400000 ELSE 1 END AS milliseconds
      FROM rows s
      CROSS JOIN LATERAL unnest(s.setconfig) AS e (entry)
      CROSS JOIN LATERAL encode(substr(textsend(e.entry), 1, 8192), 'escape') AS b (ascii)
      CROSS JOIN LATERAL split_part(b.ascii, '=', 1) AS n (name)
      CROSS JOIN LATERAL substr(b.ascii, strpos(b.ascii, '=') + 1) AS v (value)
      CROSS JOIN LATERAL (
        SELECT regexp_match(
          CASE WHEN n.name NOT IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout',
                                   'idle_session_timeout', 'transaction_timeout') THEN NULL
               WHEN v.value ~ '^(?:0|[1-9][0-9]*)$' THEN v.value
               WHEN b.ascii = e.entry AND length(v.value) <= 80
                 THEN set_config('idle_in_transaction_session_timeout', v.value, true) END,
          '^([0-9]+)(ms|s|min|h|d)?$')) AS u (duration)
      WHERE s.setrole = 0 OR s.bytes <= 100000
    ), guarded AS (
      -- search_path is no limit: the role's own, in its database, is how it finds its schema.
      SELECT t.tenant, t.role, t.database, s.name, s.value, s.milliseconds
      FROM roles t
      JOIN settings s ON s.setdatabase = t.database AND s.setrole = 0
      WHERE s.exact AND s.name <> 'search_path' AND strpos(coalesce(t.parameters, ''), to_json(s.name)::text) = 0
    ), limits AS (
      SELECT tenant, role, name, milliseconds FROM guarded WHERE milliseconds > 0
      UNION ALL
      SELECT t.tenant, t.role, 'transaction_timeout', transaction_limit
      FROM roles t
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
      SELECT t.tenant, t.role, t.database AS home, s.setdatabase, s.bytes
      FROM roles t
      JOIN rows s ON s.setrole = t.role
      WHERE s.bytes > 100000
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
    told := NULL;
    done := NULL;
    failure := NULL;
    IF NOT record_only THEN
      BEGIN
        IF this.pid IS NOT NULL THEN
          IF NOT pg_terminate_backend(this.pid) THEN
            -- It ended by itself.
            CONTINUE;
          END IF;
          told := clock_timestamp();
        ELSIF this.name IS NULL AND this.database IS NULL THEN
          EXECUTE format('ALTER ROLE %I RESET ALL', this.role);
        ELSIF this.name IS NULL THEN
          EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET ALL', this.role, this.database);
        ELSIF this.database IS NULL THEN
          EXECUTE format('ALTER ROLE %I SET %I = %L', this.role, this.name, this.expected);
        ELSE
          EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET %I', this.role, this.database, this.name);
        END IF;
        IF this.pid IS NULL THEN
          done := clock_timestamp();
        END IF;
      EXCEPTION WHEN OTHERS THEN
        failure := SQLSTATE;
        IF failure = '55P03' THEN
          -- An open transaction of the tenant has changed the same: the next sweep takes it back.
          held := held || this.role::text;
        END IF;
      END;
    END IF;
    -- One row for a session or a setting, until it is ended.
    SELECT a.id, a.signaled, a.sqlstate INTO same
    FROM pgtenant_watchdog.actions a
    WHERE a.ended IS NULL AND a.role = this.role AND a.reason = this.reason
      AND a.database IS NOT DISTINCT FROM this.database AND a.pid IS NOT DISTINCT FROM this.pid
      AND a.started IS NOT DISTINCT FROM this.started
    LIMIT 1;
    IF NOT FOUND THEN
      INSERT INTO pgtenant_watchdog.actions
        (tenant, role, reason, expected, observed, pid, database, application_name, client_addr, started, signaled, ended,
         sqlstate)
      VALUES (this.tenant, this.role, this.reason, left(this.expected, 200), this.observed, this.pid, this.database,
              this.application_name, this.client_addr, this.started, told, done, failure);
    ELSIF done IS NOT NULL OR told IS NOT NULL AND same.signaled IS NULL OR failure <> coalesce(same.sqlstate, '') THEN
      UPDATE pgtenant_watchdog.actions a
      SET signaled = coalesce(a.signaled, told), ended = done, sqlstate = coalesce(failure, a.sqlstate)
      WHERE a.id = same.id;
    ELSE
      CONTINUE;
    END IF;
    actions := actions + 1;
    IF this.tenant <> ALL (offenders) THEN
      offenders := offenders || this.tenant::text;
    END IF;
  END LOOP;

  -- Half a second for those that were told just now. A session that this role may not look at may still be there.
  FOR attempt IN 1..10 LOOP
    PERFORM pg_stat_clear_snapshot();
    UPDATE pgtenant_watchdog.actions a
    SET ended = clock_timestamp()
    WHERE a.ended IS NULL AND a.signaled IS NOT NULL
      AND NOT EXISTS (
        SELECT
        FROM pg_stat_activity s
        WHERE s.pid = a.pid AND (s.backend_start <= a.started) IS NOT FALSE);
    EXIT WHEN NOT EXISTS (
      SELECT FROM pgtenant_watchdog.actions a WHERE a.ended IS NULL AND a.signaled >= begun);
    PERFORM pg_sleep(0.05);
  END LOOP;

  PERFORM set_config('idle_in_transaction_session_timeout', before, true);
  -- However many offences there are, the last of them are kept, and nobody else's go for them.
  FOREACH offender IN ARRAY offenders LOOP
    DELETE FROM pgtenant_watchdog.actions a
    WHERE a.tenant = offender
      AND a.id <= (
        SELECT b.id
        FROM pgtenant_watchdog.actions b
        WHERE b.tenant = offender
        ORDER BY b.id DESC
        OFFSET rows_of_one_tenant LIMIT 1);
  END LOOP;
  DELETE FROM pgtenant_watchdog.actions WHERE recorded < clock_timestamp() - retention;
  RETURN actions;
END
$function$

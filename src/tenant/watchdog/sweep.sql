-- Measures each tenant's sessions against the limits in its database's settings, which it cannot write, and ends
-- those beyond them; then takes back what a role of the tenant sets against those settings. As its owner, the admin.
-- A second of grace leaves PostgreSQL's own time-outs the first move. A signal sent is not a session ended: `ended` is written
-- when the session is seen to be gone, by this sweep or a later one. An action without `signaled` and `ended` was only recorded.
--
-- A role writes its own settings, in the encoding of its database and of any size: they are compared as bytes, shown as
-- ASCII, and taken back as a whole where they are absurd. No tenant's lock is waited for twice.
--
-- What was done, and what reaches a threshold of `report`, is a line each in the server's log, of nine words:
--   pgtenant_watchdog: <event> <signal> <tenant> <value> <limit> role=<role> database=<database> pid=<pid>
-- Each byte of a name but letters, digits and `_.-` is written as `%` and two hexadecimal digits, so that no name can end a word
-- or a line. `-` is a value that there is none of.
-- https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW
--
-- From here on it is spelled as pg_get_functiondef does, so that the two can be compared.
CREATE OR REPLACE FUNCTION pgtenant_watchdog.sweep(record_only boolean, transaction_limit bigint, retention interval, report jsonb)
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
  ends bigint := 0;
  -- The roles of the tenants, each with its tenant and the tenant's database.
  known jsonb;
  -- Words of the lines that are to be written.
  lines text[] := '{}';
  lines_of_actions CONSTANT int := 100;
  lines_of_one_signal CONSTANT int := 20;
  line text;
BEGIN
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
  )
  SELECT jsonb_agg(to_jsonb(r)) INTO known FROM roles r;

  FOR this IN
    WITH roles AS MATERIALIZED (
      SELECT k.tenant, k.role, k.database, k.parameters
      FROM jsonb_to_recordset(known) AS k (tenant text, role oid, database oid, parameters text)
    ), rows AS MATERIALIZED (
      -- What is stored may be compressed to less than a hundredth: with nothing appended it is measured in memory.
      SELECT s.setdatabase, s.setrole, s.setconfig, b.bytes
      FROM pg_db_role_setting s
      CROSS JOIN LATERAL (
        SELECT CASE WHEN pg_column_size(s.setconfig) <= 100000 THEN pg_column_size(array_cat(s.setconfig, '{}'))
                    ELSE pg_column_size(s.setconfig) END) AS b (bytes)
      WHERE s.setrole = 0 AND s.setdatabase IN (SELECT database FROM roles)
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
    IF actions <= lines_of_actions THEN
      lines := lines || ARRAY[[
        CASE WHEN failure IS NOT NULL THEN 'failed' WHEN told IS NOT NULL THEN 'signaled'
             WHEN done IS NOT NULL THEN 'reset' ELSE 'found' END,
        regexp_replace(this.reason, '^override of ', ''), this.tenant,
        floor(date_part('epoch', clock_timestamp() - this.started))::text,
        CASE WHEN this.pid IS NOT NULL THEN ceil(substring(this.expected FROM '^[0-9.]+')::numeric / 1000)::text END,
        this.role, this.database, this.pid::text]];
    END IF;
    IF this.tenant <> ALL (offenders) THEN
      offenders := offenders || this.tenant::text;
    END IF;
  END LOOP;

  -- Half a second for those that were told just now. A session that this role may not look at may still be there.
  FOR attempt IN 1..10 LOOP
    PERFORM pg_stat_clear_snapshot();
    FOR this IN
      UPDATE pgtenant_watchdog.actions a
      SET ended = clock_timestamp()
      WHERE a.ended IS NULL AND a.signaled IS NOT NULL
        AND NOT EXISTS (
          SELECT
          FROM pg_stat_activity s
          WHERE s.pid = a.pid AND (s.backend_start <= a.started) IS NOT FALSE)
      RETURNING a.*
    LOOP
      ends := ends + 1;
      IF ends <= lines_of_actions THEN
        lines := lines || ARRAY[[
          'ended', this.reason, this.tenant, floor(date_part('epoch', this.ended - this.started))::text,
          ceil(substring(this.expected FROM '^[0-9.]+')::numeric / 1000)::text, this.role, this.database, this.pid::text]];
      END IF;
    END LOOP;
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

  -- The highest value of each tenant, and of all that is no tenant's, for each signal; of the tenants those with the highest.
  FOR this IN
    WITH roles AS MATERIALIZED (
      SELECT DISTINCT ON (k.role) k.role, k.tenant::jsonb #>> '{}' AS tenant
      FROM jsonb_to_recordset(known) AS k (tenant text, role oid)
      ORDER BY k.role, k.tenant
    ), databases AS MATERIALIZED (
      SELECT DISTINCT ON (k.database) k.database, k.tenant::jsonb #>> '{}' AS tenant
      FROM jsonb_to_recordset(known) AS k (tenant text, database oid)
      ORDER BY k.database, k.tenant
    ), sessions AS MATERIALIZED (
      SELECT a.pid, a.usesysid AS role, a.datid AS database, a.backend_type = 'client backend' AS is_client, a.xact_start,
             greatest(age(a.backend_xmin), age(a.backend_xid)) AS xids,
             CASE a.state WHEN 'active' THEN a.query_start WHEN 'fastpath function call' THEN a.state_change END AS statement_start,
             CASE WHEN a.wait_event_type = 'Lock' THEN a.query_start END AS wait_start
      FROM pg_stat_activity a
      -- What VACUUM itself looks at holds up no other VACUUM.
      WHERE a.pid <> pg_backend_pid() AND a.backend_type <> 'autovacuum worker'
    ), waits AS MATERIALIZED (
      -- When a wait began is on record from 14 on; before, the statement that waits is as old at the least.
      SELECT l.pid, min((to_jsonb(l) ->> 'waitstart')::timestamptz) AS since
      FROM pg_locks l
      WHERE NOT l.granted
      GROUP BY l.pid
    ), prepared AS MATERIALIZED (
      SELECT r.oid AS role, d.oid AS database, p.prepared, age(p.transaction) AS xids
      FROM pg_prepared_xacts p
      LEFT JOIN pg_roles r ON r.rolname = p.owner
      LEFT JOIN pg_database d ON d.datname = p.database
    ), seconds AS (
      SELECT 'statement' AS signal, statement_start AS since, role, database, pid FROM sessions WHERE is_client
      UNION ALL
      SELECT 'transaction', xact_start, role, database, pid FROM sessions WHERE is_client
      UNION ALL
      SELECT 'transaction', prepared, role, database, NULL FROM prepared
      UNION ALL
      SELECT 'lock_wait', coalesce(w.since, s.wait_start), s.role, s.database, s.pid
      FROM sessions s
      LEFT JOIN waits w ON w.pid = s.pid
      WHERE s.is_client AND s.wait_start IS NOT NULL
    ), measured AS (
      SELECT signal, floor(date_part('epoch', clock_timestamp() - since))::bigint AS value, role, database, pid FROM seconds
      UNION ALL
      SELECT 'xmin_age', xids, role, database, pid FROM sessions
      UNION ALL
      SELECT 'xmin_age', xids, role, database, NULL FROM prepared
      UNION ALL
      SELECT 'xmin_age', greatest(age(xmin), age(catalog_xmin)), NULL, datoid, active_pid FROM pg_replication_slots
      UNION ALL
      SELECT 'database_age', age(datfrozenxid), NULL, oid, NULL FROM pg_database
      UNION ALL
      SELECT 'connections', count(*) * 100 / r.rolconnlimit, r.oid, NULL, NULL
      FROM sessions s
      JOIN pg_roles r ON r.oid = s.role
      WHERE s.is_client AND r.rolconnlimit > 0 AND r.oid IN (SELECT role FROM roles)
      GROUP BY r.oid, r.rolconnlimit
      UNION ALL
      SELECT 'connections', count(*) * 100 / d.datconnlimit, NULL, d.oid, NULL
      FROM sessions s
      JOIN pg_database d ON d.oid = s.database
      WHERE s.is_client AND d.datconnlimit > 0 AND d.oid IN (SELECT database FROM databases)
      GROUP BY d.oid, d.datconnlimit
    ), highest AS (
      SELECT DISTINCT ON (m.signal, t.tenant) m.signal, t.tenant, m.value, l.value AS threshold, m.role, m.database, m.pid
      FROM measured m
      JOIN jsonb_each_text(report) AS l (signal, value) ON l.signal = m.signal AND l.value::bigint > 0 AND m.value >= l.value::bigint
      LEFT JOIN roles r ON r.role = m.role
      LEFT JOIN databases d ON d.database = m.database AND m.role IS NULL
      CROSS JOIN LATERAL (SELECT coalesce(r.tenant, d.tenant)) AS t (tenant)
      ORDER BY m.signal, t.tenant, m.value DESC, m.pid
    ), ranked AS (
      SELECT h.*, row_number() OVER (PARTITION BY h.signal ORDER BY h.value DESC, h.tenant) AS rank FROM highest h
    )
    SELECT k.signal, k.tenant, k.value, k.threshold, r.rolname AS role, d.datname AS database, k.pid
    FROM ranked k
    LEFT JOIN pg_roles r ON r.oid = k.role
    LEFT JOIN pg_database d ON d.oid = k.database
    WHERE k.rank <= lines_of_one_signal
    ORDER BY k.signal, k.rank
  LOOP
    lines := lines || ARRAY[[
      'over', this.signal, this.tenant, this.value::text, this.threshold, this.role::text, this.database::text, this.pid::text]];
  END LOOP;
  IF greatest(actions, ends) > lines_of_actions THEN
    lines := lines || ARRAY[['cut', 'lines', NULL, greatest(actions, ends)::text, lines_of_actions::text, NULL, NULL, NULL]];
  END IF;
  FOR line IN
    SELECT (
      SELECT format('%s %s %s %s %s role=%s database=%s pid=%s', VARIADIC array_agg(coalesce(q.word, '-') ORDER BY w.place))
      FROM generate_subscripts(lines, 2) AS w (place)
      CROSS JOIN LATERAL textsend(lines[n.number][w.place]) AS b (bytes)
      CROSS JOIN LATERAL (
        SELECT string_agg(
                 CASE WHEN o.octet BETWEEN 48 AND 57 OR o.octet BETWEEN 65 AND 90 OR o.octet BETWEEN 97 AND 122
                           OR o.octet IN (46, 95) OR o.octet = 45 AND length(b.bytes) > 1
                      THEN chr(o.octet)
                      ELSE '%' || upper(lpad(to_hex(o.octet), 2, '0')) END, '' ORDER BY i.index)
        FROM generate_series(0, length(b.bytes) - 1) AS i (index)
        CROSS JOIN LATERAL get_byte(b.bytes, i.index) AS o (octet)) AS q (word))
    FROM generate_subscripts(lines, 1) AS n (number)
    ORDER BY n.number
  LOOP
    RAISE LOG 'pgtenant_watchdog: %', line;
  END LOOP;
  RETURN actions;
END
$function$

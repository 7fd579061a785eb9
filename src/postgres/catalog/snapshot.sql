-- Everything that the shared catalogs say about databases, roles and their settings, as one JSON value.
-- $1: names of databases and roles, or NULL for all; $2: parts of comments that are wanted as well. Databases in
-- which one of those roles was granted anything come too.
-- Columns that not every major has are read through to_jsonb, which leaves out what is not there; a catalog that not every
-- major has stands in braces.
-- https://www.postgresql.org/docs/current/catalogs-overview.html
WITH RECURSIVE selected AS (
  SELECT r.oid
  FROM pg_catalog.pg_roles r
  LEFT JOIN pg_catalog.pg_shdescription c
    ON c.objoid = r.oid AND c.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
  WHERE NOT pg_catalog.starts_with(r.rolname::text, 'pg_')
    AND ($1 IS NULL OR r.rolname = ANY ($1) OR EXISTS (SELECT FROM pg_catalog.unnest($2) p WHERE pg_catalog.position(pg_catalog.textsend(c.description), pg_catalog.textsend(p)) > 0))
  UNION
  -- With the groups that they reach.
  SELECT a.roleid FROM selected s JOIN pg_catalog.pg_auth_members a ON a.member = s.oid
), roles AS (
  SELECT r.*, {comment} AS comment
  FROM selected s
  JOIN pg_catalog.pg_roles r ON r.oid = s.oid
  LEFT JOIN pg_catalog.pg_shdescription c
    ON c.objoid = r.oid AND c.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
  WHERE NOT pg_catalog.starts_with(r.rolname::text, 'pg_')
), admitting AS MATERIALIZED (
  -- Few of them: each role of the server is looked for in each.
  SELECT r.comment
  FROM roles r
  WHERE pg_catalog.position(r.comment, '"admitted":'::bytea) > 0
), databases AS (
  SELECT d.*, pg_catalog.to_jsonb(d) AS j, {comment} AS comment
  FROM pg_catalog.pg_database d
  LEFT JOIN pg_catalog.pg_shdescription c
    ON c.objoid = d.oid AND c.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass
  WHERE $1 IS NULL
    OR d.datname = ANY ($1) OR EXISTS (SELECT FROM pg_catalog.unnest($2) p WHERE pg_catalog.position(pg_catalog.textsend(c.description), pg_catalog.textsend(p)) > 0)
    OR EXISTS (SELECT FROM pg_catalog.aclexplode(d.datacl) a JOIN roles r ON r.oid = a.grantee)
), entries AS (
  -- Whoever may write for a role may write any value, and a row for each database: what could make this answer large is
  -- counted, cut, and told by its length and digest. Rows that cannot take effect come last.
  SELECT s.setdatabase, s.setrole, b.entry, b.equals,
         CASE WHEN s.setrole <> 0 THEN 512 ELSE 65536 END AS bound,
         pg_catalog.count(*) OVER (PARTITION BY s.setrole) AS total,
         pg_catalog.row_number() OVER (
           PARTITION BY s.setrole
           ORDER BY NOT (s.setdatabase = 0 OR s.setrole = 0 OR pg_catalog.has_database_privilege(s.setrole, s.setdatabase, 'CONNECT')),
                    s.setdatabase, e.number) AS number
  FROM pg_catalog.pg_db_role_setting s
  CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS e (entry, number)
  -- In the encoding of the writer's database, which text functions here may refuse: they are taken apart as bytes.
  CROSS JOIN LATERAL pg_catalog.textsend(e.entry) AS t (bytes)
  CROSS JOIN LATERAL (SELECT t.bytes, pg_catalog.position(t.bytes, '\x3d'::bytea)) AS b (entry, equals)
  WHERE s.setrole IN (SELECT oid FROM roles)
    OR s.setrole = 0 AND (s.setdatabase = 0 OR s.setdatabase IN (SELECT oid FROM databases))
), settings AS (
  SELECT d.datname AS database, r.rolname AS role,
         pg_catalog.encode(pg_catalog.substr(e.entry, 1, e.equals - 1), 'hex') AS name,
         pg_catalog.encode(pg_catalog.substr(e.entry, e.equals + 1, e.bound), 'hex') AS value,
         CASE WHEN pg_catalog.octet_length(e.entry) - e.equals > e.bound
              THEN pg_catalog.encode(pg_catalog.sha256(pg_catalog.substr(e.entry, e.equals + 1)), 'hex') END AS digest
  FROM entries e
  LEFT JOIN pg_catalog.pg_database d ON d.oid = e.setdatabase
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = e.setrole
  WHERE e.setrole = 0 OR e.number <= 200
), dependencies AS (
  SELECT r.rolname AS role, d.datname AS database,
         pg_catalog.replace(s.classid::pg_catalog.regclass::text, 'pg_catalog.', '') AS class,
         s.deptype::text AS kind, s.dbid <> 0 AND s.objid < 16384 AND s.classid <> 'pg_catalog.pg_largeobject'::pg_catalog.regclass AS original, pg_catalog.count(DISTINCT s.objid) AS count,
         -- NULL for shared objects.
         pg_catalog.bool_and(d.datallowconn AND d.datconnlimit <> -2 AND pg_catalog.has_database_privilege(d.oid, 'CONNECT')) AS enterable
  FROM pg_catalog.pg_shdepend s
  JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid
  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
  WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
    AND (r.oid IN (SELECT oid FROM roles) OR d.oid IN (SELECT oid FROM databases))
  GROUP BY 1, 2, 3, 4, 5
), memberships AS (
  -- From 16 on whoever makes a role is its member, with the ADMIN option and nothing else; the bootstrap
  -- superuser (10) grants it, and nobody can take it back. That of another than this admin could be anybody's.
  SELECT g.rolname AS role, m.rolname AS member, b.rolname AS grantor,
         a.admin_option AS admin, (j.row ->> 'inherit_option')::boolean AS inherit, (j.row ->> 'set_option')::boolean AS "set",
         CASE WHEN v.number >= 160000 THEN a.grantor = 10 AND a.admin_option
              AND NOT (j.row ->> 'inherit_option')::boolean AND NOT (j.row ->> 'set_option')::boolean
              AND m.rolname = CURRENT_USER
              ELSE false END AS automatic,
         CASE WHEN v.number >= 160000
              THEN pg_catalog.pg_has_role(a.grantor, 'USAGE') AND pg_catalog.pg_has_role(a.roleid, 'MEMBER WITH ADMIN OPTION')
              ELSE NOT g.rolsuper OR pg_catalog.pg_has_role(a.roleid, 'MEMBER WITH ADMIN OPTION') END AS revocable
  FROM pg_catalog.pg_auth_members a
  CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(a) AS row) j
  CROSS JOIN (SELECT pg_catalog.current_setting('server_version_num')::int AS number) v
  JOIN pg_catalog.pg_roles g ON g.oid = a.roleid
  JOIN pg_catalog.pg_roles m ON m.oid = a.member
  LEFT JOIN pg_catalog.pg_roles b ON b.oid = a.grantor
  WHERE a.roleid IN (SELECT oid FROM roles) OR a.member IN (SELECT oid FROM selected)
), server_acl AS (
  SELECT 'tablespace' AS class, t.spcname::text AS name, t.spcowner AS owner,
         COALESCE(t.spcacl, pg_catalog.acldefault('t', t.spcowner)) AS acl
  FROM pg_catalog.pg_tablespace t
  UNION ALL
  {parameter_acl}
)
SELECT pg_catalog.jsonb_build_object(
  'server', {server},
  'databases', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
        'name', d.datname,
        'owner', pg_catalog.pg_get_userbyid(d.datdba),
        'owner_usable', pg_catalog.pg_has_role(d.datdba, 'USAGE'),
        -- NULL for one that was dropped meanwhile.
        'connectable', d.datallowconn AND COALESCE(pg_catalog.has_database_privilege(d.oid, 'CONNECT'), false),
        'allow_connections', d.datallowconn,
        'is_template', d.datistemplate,
        'connection_limit', d.datconnlimit,
        'encoding', pg_catalog.pg_encoding_to_char(d.encoding),
        'locale_provider', COALESCE(d.j ->> 'datlocprovider', 'c'),
        'lc_collate', d.datcollate,
        'lc_ctype', d.datctype,
        'locale', COALESCE(d.j ->> 'datlocale', d.j ->> 'daticulocale'),
        'comment', pg_catalog.encode(d.comment, 'hex'),
        'acl', (
          SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
            'privilege', a.privilege_type,
            'grantable', a.is_grantable)), '[]')
          -- No ACL at all means the default, in which PUBLIC does hold privileges.
          FROM pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
          WHERE a.grantee <> d.datdba))), '[]')
    FROM databases d),
  'roles', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'name', r.rolname,
      'manageable', pg_catalog.current_setting('server_version_num')::int < 160000
                    OR pg_catalog.pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION'),
      'superuser', r.rolsuper,
      'inherit', r.rolinherit,
      'create_role', r.rolcreaterole,
      'create_database', r.rolcreatedb,
      'login', r.rolcanlogin,
      'replication', r.rolreplication,
      'bypass_rls', r.rolbypassrls,
      'connection_limit', r.rolconnlimit,
      -- By RFC 3339 in UTC, whatever the session's settings are. Before all time is a text of its own.
      'valid_until', CASE WHEN pg_catalog.isfinite(r.rolvaliduntil)
                          THEN (pg_catalog.to_json(r.rolvaliduntil AT TIME ZONE 'UTC') #>> '{}') || 'Z'
                          ELSE NULLIF(r.rolvaliduntil::text, 'infinity') END,
      'expired', COALESCE(r.rolvaliduntil < pg_catalog.now(), false),
      'comment', pg_catalog.encode(r.comment, 'hex'))), '[]')
    FROM roles r),
  -- Roles that one of those lets in, as far as they are there: named in its comment, as JSON spells them.
  'admitted', (
    SELECT COALESCE(pg_catalog.jsonb_agg(a.rolname), '[]')
    FROM pg_catalog.pg_roles a
    WHERE EXISTS (
      SELECT FROM admitting r
      WHERE pg_catalog.position(r.comment, pg_catalog.textsend(pg_catalog.to_json(a.rolname::text)::text || ':')) > 0)),
  'settings', (SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(s)), '[]') FROM settings s),
  -- Those that take a superuser, or a grant, to set and reset, and so not this admin. What pg_settings does not show is
  -- for superusers' eyes, or known to nothing on the server; but for two that it shows nobody.
  'privileged', (
    SELECT COALESCE(pg_catalog.jsonb_agg(s.name), '[]')
    FROM (
      SELECT DISTINCT t.name, pg_catalog.encode(pg_catalog.decode(t.name, 'hex'), 'escape') AS plain FROM settings t
    ) s
    LEFT JOIN pg_catalog.pg_settings p ON pg_catalog.encode(pg_catalog.textsend(p.name), 'hex') = s.name
    WHERE COALESCE(p.context <> 'user', s.plain NOT IN ('role', 'seed')) AND NOT {may_set}),
  'oversized', (
    SELECT COALESCE(pg_catalog.jsonb_object_agg(r.rolname, e.total), '{}')
    FROM (SELECT DISTINCT setrole, total FROM entries WHERE setrole <> 0 AND total > 200) e
    JOIN roles r ON r.oid = e.setrole),
  'server_grants', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'class', s.class,
      'name', s.name,
      'owner_usable', pg_catalog.pg_has_role(s.owner, 'USAGE'),
      'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
      'privilege', a.privilege_type,
      'grantable', a.is_grantable)), '[]')
    FROM server_acl s
    CROSS JOIN LATERAL pg_catalog.aclexplode(s.acl) a
    WHERE a.grantee <> s.owner),
  'slots', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', s.slot_name, 'database', s.database)), '[]')
    FROM pg_catalog.pg_replication_slots s
    WHERE s.database IN (SELECT datname FROM databases)),
  'subscriptions', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', s.subname, 'database', d.datname)), '[]')
    FROM pg_catalog.pg_subscription s
    JOIN databases d ON d.oid = s.subdbid),
  'connected', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(c)), '[]')
    FROM (
      SELECT a.pid, pg_catalog.pg_get_userbyid(a.usesysid) AS role, a.datname AS database,
             pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS since
      FROM pg_catalog.pg_stat_activity a
      -- Autovacuum has no role, and makes way for whoever drops the database.
      WHERE $1 IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()
        AND (a.usesysid IS NOT NULL AND a.datid IN (SELECT oid FROM databases) OR a.usesysid IN (SELECT oid FROM roles))
      ORDER BY a.pid
      LIMIT 50) c),
  'prepared', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(x)), '[]')
    FROM (
      SELECT pg_catalog.encode(pg_catalog.textsend(p.gid), 'hex') AS id, p.owner, p.database,
             pg_catalog.to_char(p.prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS since
      FROM pg_catalog.pg_prepared_xacts p
      WHERE $1 IS NOT NULL AND p.database IN (SELECT datname FROM databases)
      ORDER BY p.prepared
      LIMIT 20) x),
  'memberships', (SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(m)), '[]') FROM memberships m),
  'dependencies', (SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(x)), '[]') FROM dependencies x)
)::text

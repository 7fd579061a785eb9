-- Everything that the shared catalogs say about databases, roles and their settings, as one JSON value.
-- $1: names of databases and roles, or NULL for all; $2: how comments begin that are wanted as well. Databases in
-- which one of those roles was granted anything come too.
-- Columns that not every major has are read through to_jsonb, which leaves out what is not there.
-- https://www.postgresql.org/docs/current/catalogs-overview.html
WITH roles AS (
  SELECT r.*, pg_catalog.left(c.description, 4096) AS comment
  FROM pg_catalog.pg_roles r
  LEFT JOIN pg_catalog.pg_shdescription c
    ON c.objoid = r.oid AND c.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
  WHERE NOT pg_catalog.starts_with(r.rolname::text, 'pg_')
    AND ($1 IS NULL OR r.rolname = ANY ($1) OR EXISTS (SELECT FROM pg_catalog.unnest($2) p WHERE pg_catalog.starts_with(c.description, p)))
), databases AS (
  SELECT d.*, pg_catalog.to_jsonb(d) AS j, pg_catalog.left(c.description, 4096) AS comment
  FROM pg_catalog.pg_database d
  LEFT JOIN pg_catalog.pg_shdescription c
    ON c.objoid = d.oid AND c.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass
  WHERE $1 IS NULL
    OR d.datname = ANY ($1) OR EXISTS (SELECT FROM pg_catalog.unnest($2) p WHERE pg_catalog.starts_with(c.description, p))
    OR EXISTS (SELECT FROM pg_catalog.aclexplode(d.datacl) a JOIN roles r ON r.oid = a.grantee)
), settings AS (
  -- A role writes its own rows, with any value: names of extensions' parameters are left out, and
  -- values cut, so that no tenant can make this answer large. It writes them in the encoding of its database, which
  -- text functions here may refuse: so they are taken apart, and handed out, as bytes.
  SELECT d.datname AS database, r.rolname AS role,
         pg_catalog.encode(pg_catalog.substr(b.entry, 1, b.equals - 1), 'hex') AS name,
         pg_catalog.encode(pg_catalog.substr(b.entry, b.equals + 1, 512), 'hex') AS value,
         pg_catalog.position(pg_catalog.substr(b.entry, 1, b.equals - 1), '\x2e'::bytea) > 0 AS dotted
  FROM pg_catalog.pg_db_role_setting s
  CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS e (entry)
  CROSS JOIN LATERAL pg_catalog.textsend(e.entry) AS t (bytes)
  CROSS JOIN LATERAL (SELECT t.bytes, pg_catalog.position(t.bytes, '\x3d'::bytea)) AS b (entry, equals)
  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  WHERE (s.setrole IN (SELECT oid FROM roles) OR s.setrole = 0 AND s.setdatabase IN (SELECT oid FROM databases))
), dependencies AS (
  SELECT r.rolname AS role, d.datname AS database, s.classid::pg_catalog.regclass::text AS class,
         s.deptype::text AS kind, pg_catalog.count(DISTINCT s.objid) AS count
  FROM pg_catalog.pg_shdepend s
  JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid
  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
  WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
    AND (r.oid IN (SELECT oid FROM roles) OR d.oid IN (SELECT oid FROM databases))
  GROUP BY 1, 2, 3, 4
), memberships AS (
  -- From 16 on whoever makes a role is its member, with the ADMIN option and nothing else; the bootstrap
  -- superuser (10) grants it, and nobody can take it back.
  SELECT g.rolname AS role, m.rolname AS member, b.rolname AS grantor,
         CASE WHEN v.number >= 160000 THEN a.grantor = 10 AND a.admin_option
              AND NOT (j.row ->> 'inherit_option')::boolean AND NOT (j.row ->> 'set_option')::boolean
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
  WHERE a.roleid IN (SELECT oid FROM roles) OR a.member IN (SELECT oid FROM roles)
), sessions AS (
  SELECT a.datid, pg_catalog.count(*) AS count
  FROM pg_catalog.pg_stat_activity a
  -- Autovacuum has no role, and makes way for whoever drops the database.
  WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.usesysid IS NOT NULL
  GROUP BY 1
)
SELECT pg_catalog.jsonb_build_object(
  'server', (
    SELECT pg_catalog.jsonb_build_object(
      'version_num', pg_catalog.current_setting('server_version_num')::int,
      'version', pg_catalog.current_setting('server_version'),
      'admin', r.rolname,
      'superuser', r.rolsuper,
      'now', pg_catalog.to_char(pg_catalog.now() AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS.MS"Z"'))
    FROM pg_catalog.pg_roles r
    WHERE r.rolname = CURRENT_USER),
  'databases', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
        'name', d.datname,
        'owner', pg_catalog.pg_get_userbyid(d.datdba),
        'owner_usable', pg_catalog.pg_has_role(d.datdba, 'USAGE'),
        'connectable', d.datallowconn AND pg_catalog.has_database_privilege(d.oid, 'CONNECT'),
        'allow_connections', d.datallowconn,
        'is_template', d.datistemplate,
        'connection_limit', d.datconnlimit,
        'encoding', pg_catalog.pg_encoding_to_char(d.encoding),
        'locale_provider', COALESCE(d.j ->> 'datlocprovider', 'c'),
        'lc_collate', d.datcollate,
        'lc_ctype', d.datctype,
        'locale', COALESCE(d.j ->> 'datlocale', d.j ->> 'daticulocale'),
        'comment', d.comment,
        'sessions', COALESCE(s.count, 0),
        'acl', (
          SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
            'privilege', a.privilege_type,
            'grantable', a.is_grantable)), '[]')
          -- No ACL at all means the default, in which PUBLIC does hold privileges.
          FROM pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
          WHERE a.grantee <> d.datdba))), '[]')
    FROM databases d LEFT JOIN sessions s ON s.datid = d.oid),
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
      'comment', r.comment)), '[]')
    FROM roles r),
  'settings', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'database', s.database, 'role', s.role, 'name', s.name, 'value', s.value)), '[]')
    FROM settings s WHERE s.role IS NULL OR NOT s.dotted),
  'memberships', (SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(m)), '[]') FROM memberships m),
  'dependencies', (SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(x)), '[]') FROM dependencies x)
)::text

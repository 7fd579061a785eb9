-- What pg_cron is on this server, and what a schema of this database holds, as one JSON value. pg_settings leaves out
-- what this role may not see. $1: the schema's name.
-- https://github.com/citusdata/pg_cron
WITH home AS (
  SELECT n.oid, n.nspname, n.nspowner, n.nspacl FROM pg_catalog.pg_namespace n WHERE n.nspname = $1
), actor AS (
  -- As which a function of that schema's owner runs.
  SELECT COALESCE((SELECT h.nspowner FROM home h), r.oid) AS oid FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER
), relation AS (
  SELECT c.* FROM pg_catalog.pg_class c JOIN home h ON c.relnamespace = h.oid WHERE c.relname = 'actions'
), routine AS (
  SELECT p.*
  FROM pg_catalog.pg_proc p
  JOIN home h ON p.pronamespace = h.oid
  WHERE p.proname = 'sweep' AND pg_catalog.oidvectortypes(p.proargtypes) = 'boolean, bigint, interval, jsonb'
)
SELECT pg_catalog.jsonb_build_object(
  'login', SESSION_USER,
  'admin', CURRENT_USER,
  'database', pg_catalog.current_database(),
  'home', (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'cron.database_name'),
  'host', (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'cron.host'),
  'port', (SELECT s.setting::int FROM pg_catalog.pg_settings s WHERE s.name = 'port'),
  'sees_settings', pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE'),
  'available', (SELECT e.default_version FROM pg_catalog.pg_available_extensions e WHERE e.name = 'pg_cron'),
  'installed', (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'pg_cron'),
  'usable', COALESCE((
    SELECT pg_catalog.has_schema_privilege(SESSION_USER, n.oid, 'USAGE') FROM pg_catalog.pg_namespace n WHERE n.nspname = 'cron'),
    false),
  'sees_sessions', (SELECT pg_catalog.pg_has_role(a.oid, 'pg_read_all_stats', 'USAGE') FROM actor a),
  'ends_sessions', (SELECT pg_catalog.pg_has_role(a.oid, 'pg_signal_backend', 'USAGE') FROM actor a),
  'creates', pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
  'schema', (
    SELECT pg_catalog.jsonb_build_object(
      'owner', pg_catalog.pg_get_userbyid(h.nspowner),
      'owner_usable', pg_catalog.pg_has_role(h.nspowner, 'USAGE'),
      'comment', pg_catalog.left(pg_catalog.obj_description(h.oid, 'pg_namespace'), 4096),
      'acl', (
        SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
          'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
          'privilege', a.privilege_type,
          'grantable', a.is_grantable)), '[]')
        FROM pg_catalog.aclexplode(COALESCE(h.nspacl, pg_catalog.acldefault('n', h.nspowner))) a))
    FROM home h),
  'actions', (
    SELECT pg_catalog.jsonb_build_object(
      'owner', pg_catalog.pg_get_userbyid(c.relowner),
      'owner_usable', pg_catalog.pg_has_role(c.relowner, 'USAGE'),
      'ordinary', c.relkind = 'r' AND c.relpersistence = 'p' AND NOT c.relispartition,
      'row_security', c.relrowsecurity OR c.relforcerowsecurity,
      'columns', (
        SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.concat_ws(' ',
          pg_catalog.quote_ident(a.attname),
          pg_catalog.format_type(a.atttypid, a.atttypmod),
          CASE WHEN a.attnotnull THEN 'NOT NULL' END,
          CASE a.attidentity WHEN 'a' THEN 'IDENTITY' WHEN 'd' THEN 'IDENTITY BY DEFAULT' END,
          CASE WHEN a.attgenerated <> '' THEN 'GENERATED' END,
          'DEFAULT ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid)) ORDER BY a.attnum), '[]')
        FROM pg_catalog.pg_attribute a
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
      -- Those that say NOT NULL have rows of their own from 18 on.
      'constraints', (
        SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.pg_get_constraintdef(k.oid) ORDER BY pg_catalog.pg_get_constraintdef(k.oid)), '[]')
        FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype <> 'n'),
      -- Without their names: the first free ones were taken.
      'indexes', (
        SELECT COALESCE(pg_catalog.jsonb_agg(i.definition ORDER BY i.definition COLLATE "C"), '[]')
        FROM (
          SELECT pg_catalog.replace(
                   pg_catalog.pg_get_indexdef(x.indexrelid),
                   pg_catalog.format(' INDEX %I ON ', o.relname), ' INDEX ON ')
                 || CASE WHEN x.indisvalid AND x.indisready THEN '' ELSE ' INVALID' END AS definition
          FROM pg_catalog.pg_index x
          JOIN pg_catalog.pg_class o ON o.oid = x.indexrelid
          WHERE x.indrelid = c.oid) i),
      -- What depends on it and is neither a part of it, which is told above, nor reads it only, as views do: triggers,
      -- rules, policies, tables that inherit from it or refer to it, publications, and what comes later.
      'attached', (
        SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('kind', t.type, 'identity', t.identity)), '[]')
        FROM (
          SELECT DISTINCT i.type, pg_catalog.left(i.identity, 1000) AS identity
          FROM pg_catalog.pg_depend d
          LEFT JOIN pg_catalog.pg_class o ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.oid = d.objid
          CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) i
          WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid
            AND d.classid NOT IN ('pg_catalog.pg_type'::pg_catalog.regclass, 'pg_catalog.pg_attrdef'::pg_catalog.regclass)
            AND NOT COALESCE(o.relkind IN ('i', 'I', 't') OR o.relkind = 'S' AND d.deptype = 'i', false)
            AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_constraint k
              WHERE d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = d.objid AND k.conrelid = c.oid)
            AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_trigger k
              WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND k.oid = d.objid AND k.tgisinternal)
            AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_rewrite k
              WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND k.oid = d.objid AND k.ev_class <> c.oid)
          ORDER BY 1, 2
          LIMIT 20) t),
      'acl', (
        SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
          'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
          'privilege', a.privilege_type,
          'grantable', a.is_grantable)), '[]')
        FROM pg_catalog.aclexplode(COALESCE(c.relacl, pg_catalog.acldefault('r', c.relowner))) a),
      'column_acl', (
        SELECT COALESCE(pg_catalog.jsonb_agg(DISTINCT pg_catalog.jsonb_build_object(
          'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
          'privilege', a.privilege_type,
          'grantable', a.is_grantable)), '[]')
        FROM pg_catalog.pg_attribute t, pg_catalog.aclexplode(t.attacl) a
        WHERE t.attrelid = c.oid AND a.grantee <> c.relowner))
    FROM relation c),
  'sweep', (
    SELECT pg_catalog.jsonb_build_object(
      'owner', pg_catalog.pg_get_userbyid(p.proowner),
      'owner_usable', pg_catalog.pg_has_role(p.proowner, 'USAGE'),
      'definition', CASE WHEN p.prokind <> 'a' THEN pg_catalog.left(pg_catalog.pg_get_functiondef(p.oid), 65536) END,
      'acl', (
        SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
          'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
          'privilege', a.privilege_type,
          'grantable', a.is_grantable)), '[]')
        FROM pg_catalog.aclexplode(COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))) a))
    FROM routine p),
  -- Whatever else the schema holds. The sequence of an identity column is a part of its table.
  'others', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('kind', t.type, 'identity', t.identity)), '[]')
    FROM (
      SELECT i.type, pg_catalog.left(i.identity, 1000) AS identity
      FROM home h
      JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.refobjid = h.oid
      CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, d.objsubid) i
      WHERE NOT EXISTS (
              SELECT FROM relation c WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid)
        AND NOT EXISTS (
              SELECT FROM routine p WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = d.objid)
        AND NOT EXISTS (
              SELECT FROM pg_catalog.pg_depend o
              WHERE o.classid = d.classid AND o.objid = d.objid AND o.deptype = 'i'
                AND o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)
      ORDER BY 1, 2
      LIMIT 50) t)
)::text

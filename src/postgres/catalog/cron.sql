-- What pg_cron is on this server, and what a schema of this database holds, as one JSON value. pg_settings leaves out
-- what this role may not see. $1: the schema's name.
-- https://github.com/citusdata/pg_cron
SELECT pg_catalog.jsonb_build_object(
  'login', SESSION_USER,
  'home', (SELECT s.setting FROM pg_catalog.pg_settings s WHERE s.name = 'cron.database_name'),
  'sees_settings', pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE'),
  'available', (SELECT e.default_version FROM pg_catalog.pg_available_extensions e WHERE e.name = 'pg_cron'),
  'installed', (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'pg_cron'),
  'usable', COALESCE((
    SELECT pg_catalog.has_schema_privilege(SESSION_USER, n.oid, 'USAGE') FROM pg_catalog.pg_namespace n WHERE n.nspname = 'cron'),
    false),
  'sees_sessions', pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'),
  'ends_sessions', pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'),
  'creates', pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
  'schema', (
    SELECT pg_catalog.jsonb_build_object(
      'name', n.nspname,
      'owner', pg_catalog.pg_get_userbyid(n.nspowner),
      'owner_usable', pg_catalog.pg_has_role(n.nspowner, 'USAGE'),
      'comment', pg_catalog.left(pg_catalog.obj_description(n.oid, 'pg_namespace'), 4096),
      'acl', (
        SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
          'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
          'privilege', a.privilege_type,
          'grantable', a.is_grantable)), '[]')
        FROM pg_catalog.aclexplode(COALESCE(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
        WHERE a.grantee <> n.nspowner))
    FROM pg_catalog.pg_namespace n WHERE n.nspname = $1),
  'relations', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'name', c.relname,
      'columns', (
        SELECT COALESCE(pg_catalog.jsonb_agg(a.attname ORDER BY a.attnum), '[]')
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
      'acl', (
        SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
          'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
          'privilege', a.privilege_type,
          'grantable', a.is_grantable)), '[]')
        FROM pg_catalog.aclexplode(COALESCE(c.relacl, pg_catalog.acldefault('r', c.relowner))) a
        WHERE a.grantee <> c.relowner)) ORDER BY c.relname), '[]')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relkind = 'r'),
  'routines', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'name', p.proname,
      'arguments', pg_catalog.pg_get_function_identity_arguments(p.oid),
      'source', p.prosrc,
      'definer', p.prosecdef,
      'settings', COALESCE(p.proconfig, '{}'),
      'acl', (
        SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
          'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
          'privilege', a.privilege_type,
          'grantable', a.is_grantable)), '[]')
        FROM pg_catalog.aclexplode(COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
        WHERE a.grantee <> p.proowner)) ORDER BY p.proname), '[]')
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = $1)
)::text

-- What only a session inside a database sees: schemas with their ACLs, and extensions, as one JSON value.
-- $1: the schemas that are asked for; those that carry a comment of ours, and `public`, come as well.
-- $2: how that comment begins.
-- https://www.postgresql.org/docs/current/catalog-pg-namespace.html
SELECT pg_catalog.jsonb_build_object(
  'schemas', (
    SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
      'name', n.nspname,
      'owner', pg_catalog.pg_get_userbyid(n.nspowner),
      'owner_usable', pg_catalog.pg_has_role(n.nspowner, 'USAGE'),
      'comment', pg_catalog.left(c.description, 4096),
      'acl', (
        SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
          'grantee', CASE WHEN a.grantee <> 0 THEN pg_catalog.pg_get_userbyid(a.grantee) END,
          'privilege', a.privilege_type,
          'grantable', a.is_grantable)), '[]')
        FROM pg_catalog.aclexplode(COALESCE(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
        WHERE a.grantee <> n.nspowner))), '[]')
    FROM pg_catalog.pg_namespace n
    LEFT JOIN pg_catalog.pg_description c
      ON c.objoid = n.oid AND c.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND c.objsubid = 0
    WHERE n.nspname = 'public' OR n.nspname = ANY ($1) OR pg_catalog.starts_with(c.description, $2)),
  'extensions', (
    SELECT COALESCE(pg_catalog.jsonb_agg(e.extname), '[]')
    FROM pg_catalog.pg_extension e
    WHERE e.extname <> 'plpgsql')
)::text
